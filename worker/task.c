#include "worker/live.h"

/* Tasks and store ops of a job: allocated, tracked until done (a crash frees them with the job),
 * and the view through which tasks read the store. */

static void task_unlink(struct worker_task *t)
{
    if (t->prev)
        t->prev->next = t->next;
    else
        t->job->tasks = t->next;
    if (t->next)
        t->next->prev = t->prev;
}

static void task_free(struct worker_task *t)
{
    task_unlink(t);
    if (t->release)
        t->release(t);
    kin_free(t);
}

/* Of one that is closing, once nothing of it is under way. */
static void job_ended(struct worker_job *job)
{
    if (!job->closing || job->tasks || job->stores)
        return;
    if (job->live) {
        worker_live_ended(job->live);
        return;
    }
    job->worker->job = NULL;
    worker_job_free(job);
}

static void task_done(struct kin_work *work)
{
    struct worker_task *t = (struct worker_task *)work;
    struct worker_job *job = t->job;
    if (!job->closing)
        t->finish(t);
    task_free(t);
    job_ended(job);
}

void *worker_task_new(struct worker_job *job, size_t bytes,
                      void (*run)(struct kin_env *, struct kin_work *),
                      void (*finish)(struct worker_task *), void (*release)(struct worker_task *))
{
    struct worker_task *t = kin_calloc(1, bytes);
    if (!t)
        return NULL;
    t->job = job;
    t->work.run = run;
    t->work.done = task_done;
    t->finish = finish;
    t->release = release;
    t->next = job->tasks;
    if (t->next)
        t->next->prev = t;
    job->tasks = t;
    return t;
}

void worker_task_start(struct worker_task *t)
{
    struct kin_env *env = t->job->worker->env;
    env->ops->work(env, &t->work);
}

void worker_task_drop(struct worker_task *t)
{
    if (t)
        task_free(t);
}

bool worker_task_under_way(const struct worker_job *job, uint64_t request)
{
    for (const struct worker_task *t = job->tasks; t; t = t->next) {
        if (t->request == request)
            return true;
    }
    return false;
}

static void store_free(struct worker_store *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        s->job->stores = s->next;
    if (s->next)
        s->next->prev = s->prev;
    kin_frame_unref(s->frame);
    kin_buf_deinit(&s->memory);
    kin_free(s->puts);
    kin_free(s);
}

static void store_done(struct kin_store_op *op, kin_status status)
{
    struct worker_store *s = (struct worker_store *)op;
    struct worker_job *job = s->job;
    if (!job->closing)
        s->finish(s, status);
    store_free(s);
    job_ended(job);
}

struct worker_store *worker_store_new(struct worker_job *job, size_t puts,
                                      void (*finish)(struct worker_store *, kin_status))
{
    struct worker_store *s = kin_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->puts = kin_calloc(puts, sizeof *s->puts);
    if (!s->puts) {
        kin_free(s);
        return NULL;
    }
    s->job = job;
    s->finish = finish;
    s->op.puts = s->puts;
    s->op.count = puts;
    s->op.done = store_done;
    s->next = job->stores;
    if (s->next)
        s->next->prev = s;
    job->stores = s;
    return s;
}

void worker_store_drop(struct worker_store *s)
{
    if (s)
        store_free(s);
}

void worker_store_start(struct worker_store *s)
{
    s->op.frame = s->frame;
    struct kin_env *env = s->job->worker->env;
    env->ops->store(env, &s->op);
}

/* A job's tasks and ops are forgotten by the world (a crash), or there are none. */
static void drop_all(struct worker_job *job)
{
    while (job->tasks)
        task_free(job->tasks);
    while (job->stores)
        store_free(job->stores);
}

void worker_job_free(struct worker_job *job)
{
    drop_all(job);
    worker_match_free(job);
    worker_count_free(job);
    worker_plan_free(job);
    worker_settle_free(job);
    for (size_t i = 0; i < BATCH_WINDOW; i++) {
        kin_frame_unref(job->slots[i].frame);
        kin_free(job->slots[i].records.items);
        kin_free(job->slots[i].rows.items);
    }
    kin_free(job->records.items);
    kin_free(job->rows.items);
    kin_buf_deinit(&job->labels);
    kin_free(job->row_order);
    kin_workflow_free(job->workflow);
    kin_free(job);
}

kin_status store_view_init(struct store_view *v, struct kin_env *env, unsigned db,
                           const struct worker_job *job)
{
    *v = (struct store_view){.env = env, .db = db, .run = job->id, .batches = job->durable};
    v->batch = kin_calloc(job->durable + 1, sizeof *v->batch);
    if (!v->batch)
        return v->status = KIN_E_NOMEM;
    v->status = env->ops->snap_begin(env, &v->snap);
    return v->status;
}

void store_view_deinit(struct store_view *v)
{
    if (v->snap)
        v->env->ops->snap_end(v->env, v->snap);
    kin_free(v->batch);
    *v = (struct store_view){0};
}

const uint8_t *store_view_batch(struct store_view *v, uint32_t batch)
{
    uint8_t key[WORKER_STORE_KEY_BYTES];
    struct kin_str value;
    if (v->status != KIN_OK)
        return NULL;
    v->status = v->env->ops->snap_get(v->snap, v->db, worker_store_key(key, v->run, batch), &value);
    if (v->status != KIN_OK)
        return NULL;
    v->batch[batch] = (const uint8_t *)value.p;
    return v->batch[batch];
}
