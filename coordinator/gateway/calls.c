#include "coordinator/gateway/calls.h"

#include <pthread.h>

/* Two references: the list's, until it was answered, and the backend's, until that has answered. */
struct call {
    struct calls *calls; /* not looked at any more once `answered` was set by another */
    void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f);
    void *arg;
    atomic_bool answered;
    atomic_uint refs;
    struct call *next, **back; /* in the list */
};

struct calls {
    const struct gateway_backend *backend;
    pthread_mutex_t lock;
    pthread_cond_t quiet;
    struct call *first; /* those not answered, or whose answer is being delivered by calls_close */
    uint64_t busy;      /* threads between taking a call and being done with `calls` */
    bool closed;
};

kin_status calls_new(const struct gateway_backend *backend, struct calls **out)
{
    struct calls *c = kin_calloc(1, sizeof *c);
    if (!c)
        return KIN_E_NOMEM;
    c->backend = backend;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->quiet, NULL);
    *out = c;
    return KIN_OK;
}

static void unref(struct call *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) == 1)
        kin_free(call);
}

/* Out of the list, if it is in there; under the lock. */
static void unlink_call(struct call *call)
{
    *call->back = call->next;
    if (call->next)
        call->next->back = call->back;
}

static void leave(struct calls *c)
{
    pthread_mutex_lock(&c->lock);
    if (--c->busy == 0)
        pthread_cond_broadcast(&c->quiet);
    pthread_mutex_unlock(&c->lock);
}

/* The backend's answer. Whoever sets `answered` under the lock delivers; after calls_close has set
 * it for all there were, `calls` may be gone, so it is looked at only by who came first. */
static void on_answer(void *arg, const struct kin_message *m, struct kin_frame *f)
{
    struct call *call = arg;
    if (!atomic_exchange(&call->answered, true)) {
        struct calls *c = call->calls;
        call->answer(call->arg, m, f);
        pthread_mutex_lock(&c->lock);
        unlink_call(call);
        if (--c->busy == 0)
            pthread_cond_broadcast(&c->quiet);
        pthread_mutex_unlock(&c->lock);
        unref(call);
    }
    unref(call);
}

static bool enter(struct calls *c, struct call *call)
{
    pthread_mutex_lock(&c->lock);
    bool open = !c->closed;
    if (open) {
        c->busy += 2; /* this thread, and the call until it was answered */
        call->next = c->first;
        call->back = &c->first;
        if (c->first)
            c->first->back = &call->next;
        c->first = call;
    }
    pthread_mutex_unlock(&c->lock);
    return open;
}

void calls_ask(struct calls *c, struct kin_message *m, struct kin_buf *payload, uint32_t timeout_ms,
               void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f),
               void *arg)
{
    struct call *call = kin_calloc(1, sizeof *call);
    if (call) {
        *call = (struct call){.calls = c, .answer = answer, .arg = arg};
        atomic_init(&call->refs, 2);
        atomic_init(&call->answered, false);
    }
    if (!call || !enter(c, call)) {
        kin_free(call);
        if (payload)
            kin_buf_deinit(payload);
        answer(arg, NULL, NULL);
        return;
    }
    c->backend->ask(c->backend->backend, m, payload, timeout_ms, on_answer, call);
    leave(c);
}

static void ask(void *backend, struct kin_message *m, struct kin_buf *payload, uint32_t timeout_ms,
                void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f),
                void *arg)
{
    calls_ask(backend, m, payload, timeout_ms, answer, arg);
}

struct gateway_backend calls_backend(struct calls *c)
{
    return (struct gateway_backend){.ask = ask, .backend = c};
}

/* Takes a call that the backend has not answered out of the list; NULL: there is none. */
static struct call *take(struct calls *c)
{
    struct call *call = c->first;
    while (call && atomic_exchange(&call->answered, true))
        call = call->next; /* being delivered */
    if (call)
        unlink_call(call);
    return call;
}

void calls_close(struct calls *c)
{
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    for (struct call *call; (call = take(c)) != NULL;) {
        pthread_mutex_unlock(&c->lock);
        call->answer(call->arg, NULL, NULL);
        unref(call);
        pthread_mutex_lock(&c->lock);
        c->busy--;
    }
    while (c->busy)
        pthread_cond_wait(&c->quiet, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

bool calls_are_closed(struct calls *c)
{
    pthread_mutex_lock(&c->lock);
    bool closed = c->closed;
    pthread_mutex_unlock(&c->lock);
    return closed;
}

void calls_free(struct calls *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->quiet);
    kin_free(c);
}
