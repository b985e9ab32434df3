#include "coordinator/gateway/direct.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

enum { BUCKETS = 4096, AGAIN_MS = 1000, TICK_MS = 50 };

struct waiting {
    struct waiting *next;
    uint64_t request, until_ms, sent_ms;
    struct kin_frame *frame;
    void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f);
    void *arg;
};

struct gateway_direct {
    struct gateway_backend backend;
    void (*deliver)(void *arg, struct kin_frame *frame);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t keeper;
    bool stopped, kept; /* kept: the keeper runs */
    uint64_t next_request;
    struct waiting *buckets[BUCKETS];
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct waiting **bucket_of(struct gateway_direct *d, uint64_t request)
{
    return &d->buckets[request % BUCKETS];
}

static void tell(struct waiting *w, const struct kin_message *m, struct kin_frame *f)
{
    w->answer(w->arg, m, f);
    kin_frame_unref(w->frame);
    kin_free(w);
}

static void direct_ask(void *backend, struct kin_message *m, struct kin_buf *payload,
                       uint32_t timeout_ms,
                       void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f),
                       void *arg)
{
    struct gateway_direct *d = backend;
    struct waiting *w = kin_calloc(1, sizeof *w);
    struct kin_frame *f = NULL;
    m->version = KIN_PROTO_VERSION_MAX;
    pthread_mutex_lock(&d->lock);
    m->request = ++d->next_request;
    pthread_mutex_unlock(&d->lock);
    bool fine = w && !(payload && payload->failed) && kin_message_encode(m, &f) == KIN_OK;
    if (fine && payload) {
        f->payload = *payload;
        *payload = (struct kin_buf){0};
    }
    if (payload)
        kin_buf_deinit(payload);
    if (!fine) {
        kin_frame_unref(f);
        kin_free(w);
        answer(arg, NULL, NULL);
        return;
    }
    uint64_t now = now_ms();
    *w = (struct waiting){.request = m->request,
                          .until_ms = now + timeout_ms,
                          .sent_ms = now,
                          .frame = f,
                          .answer = answer,
                          .arg = arg};
    kin_frame_ref(f);
    pthread_mutex_lock(&d->lock);
    bool stopped = d->stopped;
    struct waiting **bucket = bucket_of(d, w->request);
    if (!stopped) {
        w->next = *bucket;
        *bucket = w;
        d->deliver(d->arg, f); /* under the lock: none comes after gateway_direct_stop */
    }
    pthread_mutex_unlock(&d->lock);
    if (stopped) {
        kin_frame_unref(f);
        tell(w, NULL, NULL);
    }
}

void gateway_direct_on_frame(struct gateway_direct *d, struct kin_frame *frame)
{
    struct kin_message m;
    struct waiting *w = NULL;
    if (kin_message_decode(frame, &m, NULL) == KIN_OK) {
        pthread_mutex_lock(&d->lock);
        struct waiting **at = bucket_of(d, m.request);
        while (*at && (*at)->request != m.request)
            at = &(*at)->next;
        w = *at;
        if (w)
            *at = w->next;
        pthread_mutex_unlock(&d->lock);
    }
    if (w)
        tell(w, &m, frame);
    kin_frame_unref(frame);
}

/* Takes out whose time is over (all, when stopped), and asks again for the others. */
static struct waiting *sweep(struct gateway_direct *d, uint64_t now)
{
    struct waiting *over = NULL;
    for (size_t b = 0; b < BUCKETS; b++) {
        struct waiting **at = &d->buckets[b];
        while (*at) {
            struct waiting *w = *at;
            if (d->stopped || now >= w->until_ms) {
                *at = w->next;
                w->next = over;
                over = w;
                continue;
            }
            if (now - w->sent_ms >= AGAIN_MS) {
                w->sent_ms = now;
                d->deliver(d->arg, kin_frame_ref(w->frame));
            }
            at = &w->next;
        }
    }
    return over;
}

static void tell_all(struct waiting *list)
{
    while (list) {
        struct waiting *next = list->next;
        tell(list, NULL, NULL);
        list = next;
    }
}

static void *keep(void *arg)
{
    struct gateway_direct *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!d->stopped) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&d->wake, &d->lock, &until);
        struct waiting *over = sweep(d, now_ms());
        pthread_mutex_unlock(&d->lock);
        tell_all(over);
        pthread_mutex_lock(&d->lock);
    }
    struct waiting *over = sweep(d, now_ms());
    pthread_mutex_unlock(&d->lock);
    tell_all(over);
    return NULL;
}

kin_status gateway_direct_new(void (*deliver)(void *arg, struct kin_frame *frame), void *arg,
                              struct gateway_direct **out)
{
    struct gateway_direct *d = kin_calloc(1, sizeof *d);
    pthread_condattr_t attributes;
    if (!d)
        return KIN_E_NOMEM;
    d->backend = (struct gateway_backend){direct_ask, d};
    d->deliver = deliver;
    d->arg = arg;
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&d->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    d->kept = pthread_create(&d->keeper, NULL, keep, d) == 0;
    if (!d->kept) {
        gateway_direct_free(d);
        return KIN_E_NOMEM;
    }
    *out = d;
    return KIN_OK;
}

const struct gateway_backend *gateway_direct_backend(struct gateway_direct *d)
{
    return &d->backend;
}

void gateway_direct_stop(struct gateway_direct *d)
{
    pthread_mutex_lock(&d->lock);
    d->stopped = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
}

void gateway_direct_free(struct gateway_direct *d)
{
    if (!d)
        return;
    gateway_direct_stop(d);
    if (d->kept)
        pthread_join(d->keeper, NULL);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    kin_free(d);
}

/* ---- asking and waiting ---- */

struct call {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    struct kin_frame *frame;
};

static void on_answer(void *arg, const struct kin_message *m, struct kin_frame *f)
{
    struct call *call = arg;
    pthread_mutex_lock(&call->lock);
    call->frame = m ? kin_frame_ref(f) : NULL;
    call->done = true;
    pthread_cond_signal(&call->wake);
    pthread_mutex_unlock(&call->lock);
}

struct kin_frame *gateway_call(const struct gateway_backend *backend, struct kin_message *request,
                               struct kin_buf *payload, uint32_t timeout_ms, struct kin_message *m)
{
    struct call call = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    backend->ask(backend->backend, request, payload, timeout_ms, on_answer, &call);
    pthread_mutex_lock(&call.lock);
    while (!call.done)
        pthread_cond_wait(&call.wake, &call.lock);
    pthread_mutex_unlock(&call.lock);
    pthread_mutex_destroy(&call.lock);
    pthread_cond_destroy(&call.wake);
    if (call.frame && kin_message_decode(call.frame, m, NULL) != KIN_OK) {
        kin_frame_unref(call.frame);
        call.frame = NULL;
    }
    return call.frame;
}
