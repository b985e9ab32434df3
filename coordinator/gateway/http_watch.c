#include "coordinator/gateway/http_impl.h"

#include <sys/socket.h>
#include <time.h>

enum { STEP_MS = 100 };

uint64_t http_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The connection itself is closed by the thread that serves it, which sees its end now. */
static void shut_down_late(struct http_watch *w)
{
    uint64_t now = http_now_us();
    for (struct http_conn *c = w->first; c; c = c->next) {
        uint64_t until = atomic_load_explicit(&c->until_us, memory_order_relaxed);
        if (until && until < now) {
            shutdown(c->fd, SHUT_RDWR);
            atomic_store_explicit(&c->until_us, 0, memory_order_relaxed);
        }
    }
}

static void *run(void *arg)
{
    struct http_watch *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        t.tv_nsec += STEP_MS * 1000000L;
        t.tv_sec += t.tv_nsec / 1000000000L;
        t.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&w->wake, &w->lock, &t);
        shut_down_late(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

kin_status http_watch_start(struct http_watch *w)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        pthread_mutex_destroy(&w->lock);
        pthread_cond_destroy(&w->wake);
        return KIN_E_NOMEM;
    }
    w->started = true;
    return KIN_OK;
}

void http_watch_stop(struct http_watch *w)
{
    if (!w->started)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    w->started = false;
}

struct http_conn *http_watch_add(struct http_watch *w, int fd, uint64_t until_us)
{
    struct http_conn *c = kin_calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->fd = fd;
    atomic_init(&c->until_us, until_us);
    pthread_mutex_lock(&w->lock);
    c->next = w->first;
    c->back = &w->first;
    if (c->next)
        c->next->back = &c->next;
    w->first = c;
    pthread_mutex_unlock(&w->lock);
    return c;
}

void http_watch_remove(struct http_watch *w, struct http_conn *c)
{
    pthread_mutex_lock(&w->lock);
    *c->back = c->next;
    if (c->next)
        c->next->back = c->back;
    pthread_mutex_unlock(&w->lock);
    kin_free(c);
}
