#include "common/env/net/net_impl.h"

#include <sodium.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* Where connections come from: accepted by the coordinator, dialled by a worker. */

enum { BACKOFF_FIRST_MS = 50, BACKOFF_SHIFT_MAX = 10, ACCEPT_RETRY_MS = 100, DIAL_MS = 5000 };

/* ---- listening ---- */

/* Room for a newcomer among those that have not proved who they are: the oldest gives way, so that
 * silent clients in any number only get in each other's way. */
static void evict(struct kin_net *net)
{
    unsigned pending = 0;
    struct conn *oldest = NULL;
    for (struct conn *c = net->conns; c; c = c->next) {
        pthread_mutex_lock(&c->lock);
        bool counts = !c->up && !c->closing;
        pthread_mutex_unlock(&c->lock);
        pending += counts;
        if (counts && !oldest)
            oldest = c;
    }
    if (pending >= net->o.pending_max && oldest)
        conn_close_locked(oldest, END_EXPIRED);
}

static void on_accept(void *arg)
{
    struct kin_net *net = arg;
    struct conn *c = NULL;
    bool came = nng_aio_result(net->accept_aio) == 0;
    pthread_mutex_lock(&net->lock);
    if (came) {
        net->stats.accepted++;
        evict(net);
        c = conn_new_locked(net, nng_aio_get_output(net->accept_aio, 0), STAGE_HELLO, 0);
    }
    pthread_mutex_unlock(&net->lock);
    if (c)
        conn_begin(c);
    uint64_t now = net_now_us();
    pthread_mutex_lock(&net->lock);
    net->accept_busy = false;
    /* out of descriptors, most likely: not again at once */
    net->accept_us = c ? now : now + (uint64_t)(uint64_t)ACCEPT_RETRY_MS * 1000;
    link_accept_locked(net, now);
    bool wake = net->ending;
    pthread_mutex_unlock(&net->lock);
    if (wake)
        net_wake(net);
}

/* On a busy machine nng closes descriptors more slowly than peers can come and go. The last quarter
 * of those that the process may have is for others: a new one is the lowest that is free. */
static bool descriptors_short(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    int lowest = eventfd(0, EFD_CLOEXEC);
    if (lowest < 0)
        return true;
    close(lowest);
    return (rlim_t)lowest >= limit.rlim_cur - limit.rlim_cur / 4;
}

void link_accept_locked(struct kin_net *net, uint64_t now)
{
    if (!net->listener || net->accept_busy || net->ending || now < net->accept_us ||
        net->conn_count >= net->conns_max || descriptors_short())
        return; /* newcomers wait in the kernel's queue until connections have been freed */
    net->accept_busy = true;
    nng_stream_listener_accept(net->listener, net->accept_aio);
}

/* The secret keeps strangers out, then the group may try; without one it is the file's mode alone
 * that does. */
static int set_mode(struct kin_net *net)
{
    return net->path ? nng_stream_listener_set_int(net->listener, NNG_OPT_IPC_PERMISSIONS,
                                                   net->has_key ? 0660 : 0600)
                     : 0;
}

static int listen_at(struct kin_net *net)
{
    int port = 0;
    int rv = nng_stream_listener_alloc(&net->listener, net->url);
    if (rv == 0)
        rv = set_mode(net);
    if (rv == 0)
        rv = nng_stream_listener_listen(net->listener);
    if (rv == 0 && !net->path)
        rv = nng_stream_listener_get_int(net->listener, NNG_OPT_TCP_BOUND_PORT, &port);
    if (rv == 0)
        rv = nng_aio_alloc(&net->accept_aio, on_accept, net);
    net->port = (unsigned)port;
    return rv;
}

kin_status link_listen(struct kin_net *net, struct kin_err *err)
{
    int guard = -1;
    if (net->path) {
        kin_status status = local_prepare(net->path, &guard, err);
        if (status != KIN_OK)
            return status;
    }
    int rv = listen_at(net);
    if (guard >= 0)
        close(guard);
    if (rv != 0)
        return kin_err_set(err, net_status(rv), "cannot listen at %s: %s", net->address,
                           nng_strerror(rv));
    net_log(net, 'I', "net_listening", "address=%s port=%u secret=%s", net->address, net->port,
            net->has_key ? "yes" : "no");
    pthread_mutex_lock(&net->lock);
    link_accept_locked(net, net_now_us());
    pthread_mutex_unlock(&net->lock);
    return KIN_OK;
}

void link_unlisten(struct kin_net *net)
{
    if (net->accept_aio)
        nng_aio_free(net->accept_aio);
    if (net->listener)
        nng_stream_listener_free(net->listener);
    net->accept_aio = NULL;
    net->listener = NULL;
}

/* ---- dialling ---- */

/* Pauses double, and differ from worker to worker, which all lose a coordinator at once. */
static uint64_t backoff_us(const struct link *link)
{
    unsigned shift = link->failures < BACKOFF_SHIFT_MAX ? link->failures : BACKOFF_SHIFT_MAX;
    uint32_t ms = (uint32_t)BACKOFF_FIRST_MS << shift;
    if (ms > link->net->o.backoff_ms)
        ms = link->net->o.backoff_ms;
    return (uint64_t)(ms / 2 + randombytes_uniform(ms / 2 + 1)) * 1000;
}

static void dial_failed(struct link *link, const char *reason)
{
    link->next_us = net_now_us() + backoff_us(link);
    peers_refused_locked(link->net, KIN_E_IO, reason);
    if (link->failures++ == 0)
        net_log(link->net, 'W', "net_dial_failed", "address=%s reason=\"%s\"", link->net->address,
                reason);
}

static void on_dialled(void *arg)
{
    struct link *link = arg;
    struct kin_net *net = link->net;
    int rv = nng_aio_result(link->aio);
    nng_stream *stream = rv == 0 ? nng_aio_get_output(link->aio, 0) : NULL;
    struct conn *c = NULL;
    pthread_mutex_lock(&net->lock);
    if (stream && !net->ending) {
        net->stats.dialled++;
        c = conn_new_locked(net, stream, STAGE_CHALLENGE, link->kind);
        stream = NULL;
        link->conn = c;
    }
    if (!c)
        dial_failed(link, rv ? nng_strerror(rv) : "out of memory");
    pthread_mutex_unlock(&net->lock);
    if (stream)
        nng_stream_free(stream);
    if (c)
        conn_begin(c);
    pthread_mutex_lock(&net->lock);
    link->busy = false;
    link->spent = true;
    pthread_mutex_unlock(&net->lock);
    net_wake(net);
}

/* A dialer for each attempt: one that was used again right after a time-out could still be busy
 * inside. */
void link_dial_locked(struct link *link, uint64_t now)
{
    struct kin_net *net = link->net;
    if (link->conn || link->busy || link->spent || net->ending || now < link->next_us)
        return;
    int rv = nng_stream_dialer_alloc(&link->dialer, net->url);
    if (rv == 0)
        rv = nng_aio_alloc(&link->aio, on_dialled, link);
    if (rv != 0) {
        link->spent = true; /* what there is of it */
        dial_failed(link, nng_strerror(rv));
        return;
    }
    nng_aio_set_timeout(link->aio, DIAL_MS);
    link->busy = true;
    nng_stream_dialer_dial(link->dialer, link->aio);
}

void link_lost_locked(struct kin_net *net, struct conn *c, uint64_t now)
{
    struct link *link = &net->links[c->kind];
    if (net->listens || link->conn != c)
        return;
    link->conn = NULL;
    link->failures = c->up ? 0 : link->failures + 1;
    if (c->end == END_REFUSED)
        link->failures = BACKOFF_SHIFT_MAX;
    link->next_us = now + backoff_us(link);
}

void link_clean(struct link *link)
{
    if (link->aio)
        nng_aio_free(link->aio);
    if (link->dialer)
        nng_stream_dialer_free(link->dialer);
    link->aio = NULL;
    link->dialer = NULL;
}
