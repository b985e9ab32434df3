#ifndef KIN_GATEWAY_JOBS_H
#define KIN_GATEWAY_JOBS_H
/* Threads for work that blocks, and a queue of bounded length before them. */
#include "common/base/mem.h"

/* Belongs to the caller, until it was run. */
struct job {
    void (*run)(struct job *job); /* [thread of the jobs] */
    void *arg;
    struct job *next;
};

struct jobs;

/* KIN_E_NOMEM: also where a thread could not be started. */
kin_status jobs_new(uint32_t threads, uint32_t queue_max, struct jobs **out) KIN_MUST_CHECK;

/* [any thread] First in, first started. False: the queue is full, or jobs_close was called. */
bool jobs_submit(struct jobs *jobs, struct job *job);

/* Runs what is queued, and returns when all of it is done. */
void jobs_close(struct jobs *jobs);

/* After jobs_close. NULL is fine. */
void jobs_free(struct jobs *jobs);

#endif
