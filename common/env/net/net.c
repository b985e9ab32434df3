#include "common/env/net/net_impl.h"

#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The endpoint and its keeper: the thread that watches deadlines, closes what is dead, and frees
 * what nng has let go of. */

enum {
    PAYLOAD_MAX_DEFAULT = 64 << 20,
    QUEUE_DEFAULT = 64 << 20,
    PENDING_DEFAULT = 64,
    HANDSHAKE_MS_DEFAULT = 5000,
    PING_MS_DEFAULT = 1000,
    IDLE_MS_DEFAULT = 10 * 1000,
    BACKOFF_MS_DEFAULT = 2000,
    CANCEL_AFTER_MS = 1000
};

uint64_t net_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

kin_status net_status(int rv)
{
    switch (rv) {
    case 0:
        return KIN_OK;
    case NNG_ENOMEM:
        return KIN_E_NOMEM;
    case NNG_EADDRINUSE:
        return KIN_E_BUSY;
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
        return KIN_E_INVAL;
    default:
        return KIN_E_IO;
    }
}

void net_wake(struct kin_net *net)
{
    pthread_mutex_lock(&net->lock);
    net->woken = true;
    pthread_cond_signal(&net->wake);
    pthread_mutex_unlock(&net->lock);
}

/* ---- logs: written by the keeper, so that nobody else waits for them ---- */

void net_log(struct kin_net *net, char level, const char *event, const char *format, ...)
{
    uint64_t second = net_now_us() / 1000000;
    pthread_mutex_lock(&net->log_lock);
    if (second != net->log_second) {
        net->log_second = second;
        net->log_this_second = 0;
    }
    if (net->log_count == LOGS_MAX || net->log_this_second == LOGS_PER_SECOND) {
        net->log_suppressed++;
    } else {
        struct net_log_line *line = &net->logs[net->log_count++];
        net->log_this_second++;
        line->level = level;
        line->event = event;
        va_list args;
        va_start(args, format);
        vsnprintf(line->text, sizeof line->text, format, args);
        va_end(args);
    }
    pthread_mutex_unlock(&net->log_lock);
}

static void write_logs(struct kin_net *net)
{
    struct net_log_line lines[LOGS_MAX];
    pthread_mutex_lock(&net->log_lock);
    unsigned count = net->log_count;
    uint64_t suppressed = net->log_this_second < LOGS_PER_SECOND ? net->log_suppressed : 0;
    memcpy(lines, net->logs, count * sizeof *lines);
    net->log_count = 0;
    net->log_suppressed -= suppressed;
    pthread_mutex_unlock(&net->log_lock);
    if (!net->o.log)
        return;
    for (unsigned i = 0; i < count; i++)
        net->o.log(net->o.arg, lines[i].level, lines[i].event, lines[i].text);
    if (suppressed) {
        char text[64];
        snprintf(text, sizeof text, "lines=%llu", (unsigned long long)suppressed);
        net->o.log(net->o.arg, 'W', "net_logs_suppressed", text);
    }
}

unsigned kin_net_port(const struct kin_net *net)
{
    return net->port;
}

void kin_net_stats(struct kin_net *net, struct kin_net_stats *out)
{
    pthread_mutex_lock(&net->lock);
    *out = net->stats;
    out->connections = net->conn_count;
    pthread_mutex_unlock(&net->lock);
}

/* ---- the keeper ---- */

static enum conn_end judge(const struct conn *c, uint64_t now)
{
    const struct kin_net_options *o = &c->net->o;
    uint64_t idle_us = (uint64_t)o->idle_ms * 1000;
    uint64_t heard = atomic_load_explicit(&c->heard_us, memory_order_relaxed);
    if (!c->up)
        return now > c->opened_us + (uint64_t)o->handshake_ms * 1000 ? END_EXPIRED : END_NONE;
    if (now > heard + idle_us || (c->head && now > c->progress_us + idle_us))
        return END_IDLE;
    return END_NONE;
}

static void ping(struct conn *c)
{
    struct kin_frame *frame = kin_frame_new(WIRE_PING);
    if (frame && !conn_send_frame_locked(c, frame))
        return; /* it is closing */
}

/* This process was stopped, or the machine slept: that is no fault of the peers. */
static void forgive(struct conn *c, uint64_t now)
{
    atomic_store_explicit(&c->heard_us, now, memory_order_relaxed);
    c->progress_us = now;
}

/* Returns whether nothing of nng's holds on to it any more. With net->lock. */
static bool tend(struct conn *c, uint64_t now, bool slept)
{
    struct kin_net *net = c->net;
    enum conn_end end = END_NONE;
    pthread_mutex_lock(&c->lock);
    if (slept)
        forgive(c, now);
    if (!c->closing)
        end = judge(c, now);
    if (!c->closing && end == END_NONE && c->up && !c->head &&
        now > c->sent_us + (uint64_t)net->o.ping_ms * 1000)
        ping(c);
    pthread_mutex_unlock(&c->lock);
    if (end != END_NONE)
        conn_close_locked(c, end);
    pthread_mutex_lock(&c->lock);
    bool close = c->closing && !c->stream_closed;
    bool receiving = c->recv_busy, sending = c->send_busy, closing = c->closing;
    pthread_mutex_unlock(&c->lock);
    if (close) {
        c->stream_closed = true;
        c->closed_us = now;
        nng_stream_close(c->stream);
    } else if (closing && now > c->closed_us + (uint64_t)(uint64_t)CANCEL_AFTER_MS * 1000) {
        c->closed_us = now;
        if (receiving)
            nng_aio_cancel(c->recv_aio);
        if (sending)
            nng_aio_cancel(c->send_aio);
    }
    return closing && !receiving && !sending && c->stream_closed;
}

static void unlink_conn(struct kin_net *net, struct conn *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        net->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        net->conns_tail = c->prev;
}

/* nng closes a descriptor some time after the stream was freed, in a thread of its own, and does
 * not tell. A connection counts for a moment longer, so that newcomers wait and the number of
 * descriptors stays bounded. With net->lock. */
static void count_freed(struct kin_net *net, uint64_t now)
{
    if (now < net->freed_us + (uint64_t)(uint64_t)FREED_MS * 1000)
        return;
    net->freed_us = now;
    net->conn_count -= net->freed_before;
    net->freed_before = net->freed_now;
    net->freed_now = 0;
}

/* With net->lock; returns the connections to be freed, which still count. */
static struct conn *sweep(struct kin_net *net, uint64_t now)
{
    bool slept = now > net->swept_us + (uint64_t)net->o.idle_ms * 1000 / 2;
    struct conn *dead = NULL;
    net->swept_us = now;
    for (struct conn *c = net->conns, *next; c; c = next) {
        next = c->next;
        if (!tend(c, now, slept))
            continue;
        unlink_conn(net, c);
        link_lost_locked(net, c, now);
        c->next = dead;
        dead = c;
    }
    count_freed(net, now);
    link_accept_locked(net, now);
    for (unsigned k = 0; k < WIRE_KINDS && !net->listens; k++)
        link_dial_locked(&net->links[k], now);
    return dead;
}

/* Frees without the lock. */
static void bury(struct kin_net *net, struct conn *dead)
{
    unsigned count = 0;
    for (; dead; count++) {
        struct conn *next = dead->next;
        pthread_mutex_lock(&net->lock);
        peers_freed_locked(dead);
        pthread_mutex_unlock(&net->lock);
        conn_free(dead);
        dead = next;
    }
    for (unsigned k = 0; k < WIRE_KINDS; k++) {
        struct link *link = &net->links[k];
        pthread_mutex_lock(&net->lock);
        bool spent = link->spent;
        pthread_mutex_unlock(&net->lock);
        if (!spent)
            continue;
        link_clean(link);
        pthread_mutex_lock(&net->lock);
        link->spent = false;
        net->woken = true;
        pthread_mutex_unlock(&net->lock);
    }
    pthread_mutex_lock(&net->lock);
    net->freed_now += count;
    pthread_mutex_unlock(&net->lock);
}

static void wait_a_while(struct kin_net *net)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (net->freed_now + net->freed_before ? FREED_MS : KEEPER_MS) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    if (!net->woken)
        pthread_cond_timedwait(&net->wake, &net->lock, &until);
    net->woken = false;
}

/* At the end: queues are emptied for as long as was granted, then everything is closed. With
 * net->lock. True: nothing is left. */
static bool wind_up(struct kin_net *net, uint64_t now)
{
    bool waiting = false, left = net->accept_busy;
    for (struct conn *c = net->conns; c; c = c->next) {
        pthread_mutex_lock(&c->lock);
        waiting = waiting || (c->up && !c->closing && c->head);
        pthread_mutex_unlock(&c->lock);
    }
    if (waiting && now < net->linger_until_us)
        return false;
    for (struct conn *c = net->conns; c; c = c->next)
        conn_close_locked(c, END_STOP);
    if (net->accept_busy)
        nng_stream_listener_close(net->listener);
    for (unsigned k = 0; k < WIRE_KINDS; k++) {
        left = left || net->links[k].busy || net->links[k].spent;
        if (net->links[k].busy)
            nng_stream_dialer_close(net->links[k].dialer);
    }
    return !left && !net->conns;
}

static void *keep(void *arg)
{
    struct kin_net *net = arg;
    for (bool finished = false; !finished;) {
        pthread_mutex_lock(&net->lock);
        wait_a_while(net);
        uint64_t now = net_now_us();
        finished = net->ending && wind_up(net, now);
        struct conn *dead = sweep(net, now);
        pthread_mutex_unlock(&net->lock);
        peers_tell(net); /* before numbers are free again */
        bury(net, dead);
        write_logs(net);
    }
    link_unlisten(net);
    pthread_mutex_lock(&net->lock);
    net->finished = true;
    pthread_cond_signal(&net->gone);
    pthread_mutex_unlock(&net->lock);
    return NULL;
}

/* ---- life ---- */

static void set_defaults(struct kin_net_options *o)
{
    if (o->payload_max == 0 || o->payload_max > PAYLOAD_MAX_DEFAULT)
        o->payload_max = PAYLOAD_MAX_DEFAULT;
    o->queue_bytes = o->queue_bytes ? o->queue_bytes : QUEUE_DEFAULT;
    o->pending_max = o->pending_max ? o->pending_max : PENDING_DEFAULT;
    o->handshake_ms = o->handshake_ms ? o->handshake_ms : HANDSHAKE_MS_DEFAULT;
    o->ping_ms = o->ping_ms ? o->ping_ms : PING_MS_DEFAULT;
    o->idle_ms = o->idle_ms ? o->idle_ms : IDLE_MS_DEFAULT;
    o->backoff_ms = o->backoff_ms ? o->backoff_ms : BACKOFF_MS_DEFAULT;
}

/* What does not depend on nng or threads. */
static void net_free(struct kin_net *net)
{
    pthread_mutex_destroy(&net->lock);
    pthread_mutex_destroy(&net->log_lock);
    pthread_cond_destroy(&net->wake);
    pthread_cond_destroy(&net->gone);
    sodium_memzero(net->key, sizeof net->key);
    sodium_memzero(&net->identity, sizeof net->identity);
    kin_free(net->address);
    kin_free(net->url);
    kin_free(net->peers);
    kin_free(net->clients);
    kin_free(net);
}

#ifdef __SANITIZE_THREAD__
/* nng counts the users of a dialer with atomics, which ThreadSanitizer does not see in a library
 * that it did not compile: to it the last user's destroying of the mutex races with the others'
 * use. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) // NOLINT(bugprone-reserved-identifier,cert-dcl37-c)
{
    return "race_top:pthread_mutex_destroy\n";
}
#endif

static bool set_address(struct kin_net *net, const char *address)
{
    static const char ours[] = "unix://", theirs[] = "ipc://";
    net->address = kin_strndup(address, strlen(address));
    if (!net->address)
        return false;
    if (strncmp(address, ours, sizeof ours - 1) == 0)
        net->path = net->address + sizeof ours - 1;
    const char *rest = net->path ? net->path : net->address;
    size_t bytes = sizeof theirs + strlen(rest);
    net->url = kin_alloc(bytes);
    if (net->url)
        snprintf(net->url, bytes, "%s%s", net->path ? theirs : "", rest);
    return net->url != NULL;
}

static void set_keys(struct kin_net *net, const struct kin_net_options *options)
{
    net->has_key = options->key != NULL;
    if (options->key)
        memcpy(net->key, options->key, sizeof net->key);
    if (options->identity)
        net->identity = *options->identity;
    else if (!net->listens)
        crypto_sign_keypair(net->identity.public_key, net->identity.private_key);
    randombytes_buf(&net->session, sizeof net->session);
}

static struct kin_net *net_new(const struct kin_net_options *options)
{
    struct kin_net *net = kin_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->o = *options;
    set_defaults(&net->o);
    net->o.address = NULL;
    net->o.key = NULL;
    net->o.identity = NULL;
    net->listens = options->role == KIN_NET_COORDINATOR;
    net->peer_count =
        net->o.clients_max ? net->o.client_first + net->o.clients_max : net->o.nodes + 1;
    net->peers = kin_calloc(net->peer_count, sizeof *net->peers);
    net->clients = kin_calloc(net->o.clients_max, sizeof *net->clients);
    net->conns_max =
        net->o.pending_max + WIRE_KINDS * (net->o.nodes + net->o.clients_max) + CONNS_SPARE;
    set_keys(net, options);
    net->swept_us = net_now_us();
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&net->wake, &attr);
    pthread_cond_init(&net->gone, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&net->lock, NULL);
    pthread_mutex_init(&net->log_lock, NULL);
    for (uint32_t k = 0; k < WIRE_KINDS; k++)
        net->links[k] = (struct link){.net = net, .kind = k};
    if (set_address(net, options->address) && net->peers && net->clients)
        return net;
    net_free(net);
    return NULL;
}

/* Signals are for the main thread; nng's threads are started by its first use, from here. */
static kin_status start(struct kin_net *net, struct kin_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    kin_status status = KIN_OK;
    if (net->listens)
        status = link_listen(net, err);
    if (status == KIN_OK && pthread_create(&net->keeper, NULL, keep, net) != 0)
        status = kin_err_set(err, KIN_E_NOMEM, "cannot start a thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static kin_status check(const struct kin_net_options *o, struct kin_err *err)
{
    bool loopback;
    kin_status status = kin_net_address_check(o->address, &loopback, err);
    if (status != KIN_OK)
        return status;
    if (o->role == KIN_NET_WORKER && !o->identity)
        return kin_err_set(err, KIN_E_INVAL, "a worker needs a key of its own");
    if (o->role == KIN_NET_GATEWAY)
        return kin_err_set(err, KIN_E_INVAL, "a gateway dials by itself");
    if (o->role != KIN_NET_COORDINATOR)
        return o->nodes == 0 && o->clients_max == 0
                   ? KIN_OK
                   : kin_err_set(err, KIN_E_INVAL, "only a listener has nodes");
    bool fine = o->nodes < KIN_NODES_MAX && (o->nodes == 0 || o->admit) &&
                (o->nodes > 0 || o->clients_max > 0);
    if (o->clients_max > 0)
        fine = fine && o->client_first > o->nodes && o->client_first < KIN_NODES_MAX &&
               o->clients_max <= KIN_NODES_MAX - o->client_first;
    return fine ? KIN_OK
                : kin_err_set(err, KIN_E_INVAL, "node numbers: %u workers, %u clients from %u on",
                              o->nodes, o->clients_max, o->client_first);
}

kin_status kin_net_open(const struct kin_net_options *options, struct kin_net **out,
                        struct kin_err *err)
{
    kin_status status = check(options, err);
    if (status != KIN_OK)
        return status;
    struct kin_net *net = sodium_init() < 0 ? NULL : net_new(options);
    if (!net)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    status = start(net, err);
    if (status == KIN_OK) {
        *out = net;
        return KIN_OK;
    }
    if (net->accept_busy) { /* nng may be slow to let go of it: it is closed and left */
        nng_stream_listener_close(net->listener);
        return status;
    }
    link_unlisten(net);
    net_free(net);
    return status;
}

bool kin_net_close(struct kin_net *net, uint32_t linger_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (linger_ms + FREE_PATIENCE_MS + 999) / 1000;
    pthread_mutex_lock(&net->lock);
    net->linger_until_us = net_now_us() + (uint64_t)linger_ms * 1000;
    net->ending = net->woken = true;
    pthread_cond_signal(&net->wake);
    int rc = 0;
    while (!net->finished && rc == 0)
        rc = pthread_cond_timedwait(&net->gone, &net->lock, &until);
    bool finished = net->finished;
    pthread_mutex_unlock(&net->lock);
    if (!finished)
        return false;
    pthread_join(net->keeper, NULL);
    net_free(net);
    return true;
}
