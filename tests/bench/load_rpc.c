#include "tests/bench/load.h"

#include "common/cli/tool.h"
#include "common/env/net/net.h"
#include "proto/jobs.h"
#include "proto/message.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

/* Requests over RPC. A place holds one request under way; its number and generation make the
 * request number, so that an answer that comes late is known. In a closed loop the thread of the
 * network that brings an answer sends the next request; in an open one a thread sends what is due.
 */

enum { PLACE_BITS = 20, WAIT_LINK_NS = 2000000 };

struct place {
    atomic_uint_least64_t busy; /* generation, or 0: free */
    uint64_t due_ns, began_ns;
};

struct client {
    struct load *load;
    struct kin_net *net;
    struct place *places;
    unsigned count;
    unsigned *free; /* places that are free, a stack; under the lock */
    unsigned free_count;
    uint64_t generation; /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t freed;
    bool stop;
};

static struct kin_frame *make_request(const struct load *l, uint64_t request, struct kin_str lines)
{
    struct kin_message m = {.version = KIN_PROTO_VERSION_MAX, .request = request};
    struct kin_frame *f;
    if (l->put) {
        m.type = KIN_MSG_PUT;
        m.u.put.workflow = l->workflow;
        m.u.put.source = l->source;
        m.u.put.wait = l->wait;
    } else {
        m.type = KIN_MSG_LOOKUP;
        m.u.lookup.workflow = l->workflow;
        m.u.lookup.source = l->source;
    }
    if (kin_message_encode(&m, &f) != KIN_OK)
        return NULL;
    kin_buf_put(&f->payload, lines.p, lines.n);
    return f;
}

/* Sends request n in a place that is the caller's. */
static void send_in(struct client *c, unsigned index, uint64_t generation, uint64_t n)
{
    struct load *l = c->load;
    struct place *p = &c->places[index];
    p->due_ns = load_due(l, n);
    p->began_ns = now_ns();
    struct kin_frame *f =
        make_request(l, generation << PLACE_BITS | index, lines_slice(l->lines, n, l->batch));
    atomic_store(&p->busy, generation);
    if (f)
        kin_net_send(c->net, KIN_COORDINATOR, f);
}

static void give_back(struct client *c, unsigned index)
{
    pthread_mutex_lock(&c->lock);
    c->free[c->free_count++] = index;
    pthread_cond_signal(&c->freed);
    pthread_mutex_unlock(&c->lock);
}

static uint64_t next_generation(struct client *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t g = ++c->generation;
    pthread_mutex_unlock(&c->lock);
    return g;
}

/* The place is free: in a closed loop the next request goes at once. */
static void done_with(struct client *c, unsigned index)
{
    struct load *l = c->load;
    if (l->rate > 0 || now_ns() >= l->end_ns)
        give_back(c, index);
    else
        send_in(c, index, next_generation(c), atomic_fetch_add(&l->next, 1));
}

static void on_frame(void *arg, kin_node_id from, struct kin_frame *f)
{
    struct client *c = arg;
    struct load *l = c->load;
    struct kin_message m;
    (void)from;
    if (kin_message_decode(f, &m, NULL) == KIN_OK && m.type == KIN_MSG_ANSWER) {
        unsigned index = (unsigned)(m.request & ((1u << PLACE_BITS) - 1));
        uint64_t generation = m.request >> PLACE_BITS;
        if (index < c->count && generation &&
            atomic_compare_exchange_strong(&c->places[index].busy, &generation, 0)) {
            struct place p = {.due_ns = c->places[index].due_ns,
                              .began_ns = c->places[index].began_ns};
            uint32_t status = m.u.answer.status;
            if (status == KIN_OK)
                load_answered(l, p.due_ns, p.began_ns,
                              (struct kin_str){(const char *)f->payload.p, f->payload.n});
            else
                atomic_fetch_add(&l->tally->refused[status < STATUSES ? status : 0], 1);
            done_with(c, index);
        }
    } else {
        atomic_fetch_add(&l->tally->broken, 1);
    }
    kin_frame_unref(f);
}

/* Requests that were never answered. */
static void sweep(struct client *c)
{
    uint64_t now = now_ns();
    for (unsigned i = 0; i < c->count; i++) {
        uint64_t generation = atomic_load(&c->places[i].busy);
        if (generation && now > c->places[i].began_ns + (uint64_t)LOST_MS * 1000000 &&
            atomic_compare_exchange_strong(&c->places[i].busy, &generation, 0)) {
            atomic_fetch_add(&c->load->tally->lost, 1);
            done_with(c, i);
        }
    }
}

static void sleep_until(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        continue;
}

/* A free place; false: the time is up. */
static bool take_place(struct client *c, unsigned *index, uint64_t *generation)
{
    bool fine = true;
    pthread_mutex_lock(&c->lock);
    while (c->free_count == 0 && fine) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec += 1;
        pthread_cond_timedwait(&c->freed, &c->lock, &t);
        fine = now_ns() < c->load->end_ns;
        if (c->free_count == 0 && fine) {
            pthread_mutex_unlock(&c->lock);
            sweep(c);
            pthread_mutex_lock(&c->lock);
        }
    }
    if (fine) {
        *index = c->free[--c->free_count];
        *generation = ++c->generation;
    }
    pthread_mutex_unlock(&c->lock);
    return fine;
}

static void *run_client(void *arg)
{
    struct client *c = arg;
    struct load *l = c->load;
    unsigned index;
    uint64_t generation;
    sleep_until(l->begin_ns);
    if (l->rate > 0) {
        for (;;) {
            uint64_t n = atomic_fetch_add(&l->next, 1), due = load_due(l, n);
            if (due >= l->end_ns)
                break;
            if (due > now_ns())
                sleep_until(due);
            if (!take_place(c, &index, &generation))
                break;
            send_in(c, index, generation, n);
        }
    } else {
        unsigned begun = c->free_count;
        while (begun-- && take_place(c, &index, &generation))
            send_in(c, index, generation, atomic_fetch_add(&l->next, 1));
    }
    for (uint64_t at = now_ns(); at < l->end_ns; at = now_ns()) {
        sleep_until(at + 100000000 < l->end_ns ? at + 100000000 : l->end_ns);
        sweep(c);
    }
    /* what is under way comes in, so that the slowest are counted too */
    for (unsigned tries = 0; tries < LOST_MS / 10; tries++) {
        unsigned busy = 0;
        for (unsigned i = 0; i < c->count; i++)
            busy += atomic_load(&c->places[i].busy) != 0;
        if (!busy)
            break;
        sleep_until(now_ns() + 10000000);
    }
    for (unsigned i = 0; i < c->count; i++) {
        if (atomic_load(&c->places[i].busy) && c->places[i].due_ns >= l->warm_ns)
            atomic_fetch_add(&l->tally->lost, 1);
    }
    return NULL;
}

static kin_status open_client(struct client *c, struct load *l, unsigned places,
                              struct kin_err *err)
{
    uint8_t key[KIN_NET_KEY_BYTES];
    struct kin_buf secret = {0};
    *c = (struct client){.load = l, .count = places};
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->freed, NULL);
    c->places = kin_calloc(places, sizeof *c->places);
    c->free = kin_calloc(places, sizeof *c->free);
    if (!c->places || !c->free)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    for (unsigned i = 0; i < places; i++)
        c->free[c->free_count++] = i;
    kin_status status =
        l->secret_file ? kin_cli_read_file(l->secret_file, 4096, &secret, err) : KIN_OK;
    while (secret.n && (secret.p[secret.n - 1] == '\n' || secret.p[secret.n - 1] == '\r'))
        secret.n--;
    if (secret.n)
        kin_net_key(secret.p, secret.n, key);
    struct kin_net_options o = {.role = KIN_NET_CLIENT,
                                .address = l->address,
                                .key = secret.n ? key : NULL,
                                .on_frame = on_frame,
                                .arg = c};
    kin_buf_deinit(&secret);
    if (status == KIN_OK)
        status = kin_net_open(&o, &c->net, err);
    for (unsigned tries = 0; status == KIN_OK && !kin_net_is_up(c->net, KIN_COORDINATOR); tries++) {
        if (tries > 5000000000u / WAIT_LINK_NS)
            status = kin_err_set(err, KIN_E_IO, "%s: no coordinator answers", l->address);
        sleep_until(now_ns() + WAIT_LINK_NS);
    }
    return status;
}

kin_status load_rpc(struct load *l, struct kin_err *err)
{
    static struct client clients[CLIENTS_MAX + 1]; /* lookups and puts run at once */
    static atomic_uint used;
    pthread_t threads[CLIENTS_MAX];
    unsigned n = l->clients ? l->clients : 1, first = atomic_fetch_add(&used, n), begun = 0;
    kin_status status =
        first + n <= CLIENTS_MAX + 1 ? KIN_OK : kin_err_set(err, KIN_E_LIMIT, "too many clients");
    for (unsigned i = 0; i < n && status == KIN_OK; i++) {
        unsigned places = l->in_flight / n + (i < l->in_flight % n);
        status = open_client(&clients[first + i], l, places ? places : 1, err);
    }
    for (; begun < n && status == KIN_OK; begun++)
        pthread_create(&threads[begun], NULL, run_client, &clients[first + begun]);
    for (unsigned i = 0; i < begun; i++)
        pthread_join(threads[i], NULL);
    return status; /* connections end with the process */
}
