#include "common/env/live/live_impl.h"

#include <signal.h>
#include <string.h>

static void *pool_main(void *arg)
{
    struct kin_live *live = arg;
    struct kin_live_pool *pool = &live->pool;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->head && !pool->closing) {
            pool->idle++;
            pthread_cond_wait(&pool->wake, &pool->lock);
            pool->idle--;
        }
        struct kin_work *w = pool->head;
        if (!w)
            break;
        pool->head = w->impl_next;
        if (!pool->head)
            pool->tail = NULL;
        if (pool->urgent == w)
            pool->urgent = NULL;
        pthread_mutex_unlock(&pool->lock);
        w->run(&((struct kin_live_node *)w->impl)->env, w);
        kin_live_mail_work(live, w);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

kin_status kin_live_pool_start(struct kin_live *live, unsigned threads, struct kin_err *err)
{
    struct kin_live_pool *pool = &live->pool;
    pool->threads = kin_calloc(threads, sizeof *pool->threads);
    if (!pool->threads)
        return kin_err_set(err, KIN_E_NOMEM, "no memory for %u threads", threads);
    pool->wanted = threads;
    for (; pool->started < threads; pool->started++) {
        kin_status st =
            kin_live_thread(&pool->threads[pool->started], "kin-pool", pool_main, live, err);
        if (st)
            return st;
    }
    return KIN_OK;
}

void kin_live_pool_push(struct kin_live *live, struct kin_work *w)
{
    struct kin_live_pool *pool = &live->pool;
    pthread_mutex_lock(&pool->lock);
    struct kin_work *before = w->urgent ? pool->urgent : pool->tail;
    struct kin_work **at = before ? &before->impl_next : &pool->head;
    w->impl_next = before || w->urgent ? *at : NULL;
    *at = w;
    if (!w->impl_next)
        pool->tail = w;
    if (w->urgent)
        pool->urgent = w;
    bool wake = pool->idle > 0;
    pthread_mutex_unlock(&pool->lock);
    if (wake)
        pthread_cond_signal(&pool->wake);
}

void kin_live_pool_join(struct kin_live *live)
{
    struct kin_live_pool *pool = &live->pool;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    for (; pool->started > 0; pool->started--)
        pthread_join(pool->threads[pool->started - 1], NULL);
    kin_free(pool->threads);
    pool->threads = NULL;
}

kin_status kin_live_thread(pthread_t *out, const char *name, void *(*run)(void *), void *arg,
                           struct kin_err *err)
{
    static const int own_faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                     SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t mask;
    sigset_t old;
    sigfillset(&mask);
    for (size_t i = 0; i < sizeof own_faults / sizeof own_faults[0]; i++)
        sigdelset(&mask, own_faults[i]);
    pthread_sigmask(SIG_SETMASK, &mask, &old); /* the new thread inherits it */
    int rc = pthread_create(out, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc)
        return kin_live_fail(err, rc, "cannot start thread", name);
    pthread_setname_np(*out, name);
    return KIN_OK;
}

kin_status kin_live_fail_at(struct kin_err *err, int sys, const char *where, const char *what,
                            const char *path)
{
    kin_status status;
    switch (sys) {
    case ENOENT:
        status = KIN_E_NOTFOUND;
        break;
    case EEXIST:
        status = KIN_E_EXISTS;
        break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        status = KIN_E_FULL;
        break;
    case ENOMEM:
        status = KIN_E_NOMEM;
        break;
    case EINVAL:
    case ENAMETOOLONG:
        status = KIN_E_INVAL;
        break;
    default:
        status = KIN_E_IO;
        break;
    }
    char text[128];
    kin_err_set_at(err, status, where, "%s '%s': %s", what, path,
                   strerror_r(sys, text, sizeof text));
    if (err)
        err->sys = sys;
    return status;
}
