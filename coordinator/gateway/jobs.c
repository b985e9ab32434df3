#include "coordinator/gateway/jobs.h"

#include <pthread.h>

struct jobs {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *first, **end;
    uint32_t waiting, queue_max, count;
    bool closed;
    pthread_t threads[];
};

static void *work(void *arg)
{
    struct jobs *jobs = arg;
    pthread_mutex_lock(&jobs->lock);
    for (;;) {
        while (!jobs->first && !jobs->closed)
            pthread_cond_wait(&jobs->more, &jobs->lock);
        struct job *job = jobs->first;
        if (!job)
            break;
        jobs->first = job->next;
        if (!job->next)
            jobs->end = &jobs->first;
        jobs->waiting--;
        pthread_mutex_unlock(&jobs->lock);
        job->run(job);
        pthread_mutex_lock(&jobs->lock);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

kin_status jobs_new(uint32_t threads, uint32_t queue_max, struct jobs **out)
{
    struct jobs *jobs = kin_calloc(1, sizeof *jobs + threads * sizeof *jobs->threads);
    if (!jobs)
        return KIN_E_NOMEM;
    jobs->end = &jobs->first;
    jobs->queue_max = queue_max;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->more, NULL);
    while (jobs->count < threads &&
           pthread_create(&jobs->threads[jobs->count], NULL, work, jobs) == 0)
        jobs->count++;
    if (jobs->count < threads) {
        jobs_close(jobs);
        jobs_free(jobs);
        return KIN_E_NOMEM;
    }
    *out = jobs;
    return KIN_OK;
}

bool jobs_submit(struct jobs *jobs, struct job *job)
{
    pthread_mutex_lock(&jobs->lock);
    bool room = !jobs->closed && jobs->waiting < jobs->queue_max;
    if (room) {
        job->next = NULL;
        *jobs->end = job;
        jobs->end = &job->next;
        jobs->waiting++;
        pthread_cond_signal(&jobs->more);
    }
    pthread_mutex_unlock(&jobs->lock);
    return room;
}

void jobs_close(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->closed = true;
    pthread_cond_broadcast(&jobs->more);
    pthread_mutex_unlock(&jobs->lock);
    for (uint32_t i = 0; i < jobs->count; i++)
        pthread_join(jobs->threads[i], NULL);
    jobs->count = 0;
}

void jobs_free(struct jobs *jobs)
{
    if (!jobs)
        return;
    pthread_mutex_destroy(&jobs->lock);
    pthread_cond_destroy(&jobs->more);
    kin_free(jobs);
}
