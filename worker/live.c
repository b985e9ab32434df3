#include "worker/live.h"

#include <stdlib.h>
#include <string.h>

/* Which runs are served, and the life of each: kept when its job is closed, opened (again after
 * every start of the worker), closed, deleted. */

/* ---- runs ---- */

static struct worker_live *find(const struct worker *w, uint64_t run)
{
    struct worker_live *live = w->lives;
    while (live && live->job->id != run)
        live = live->next;
    return live;
}

bool worker_live_serves(const struct worker *w, uint64_t run)
{
    return find(w, run) != NULL;
}

static void scratch_free(struct live_scratch *s)
{
    kin_decider_state_free(s->state);
    kin_comparer_scratch_free(s->scratch);
    kin_buf_deinit(&s->refined);
    kin_buf_deinit(&s->owned);
    kin_buf_deinit(&s->other);
    kin_buf_deinit(&s->values);
    kin_buf_deinit(&s->other_values);
    kin_free(s);
}

/* What is in memory of it; nothing reads it any more. */
static void empty(struct worker_live *live)
{
    worker_job_free(live->job); /* its tasks first: they point to the rest */
    live->job = NULL;
    live_batch_free(&live->batch);
    live_asks_free(&live->lookups);
    live_asks_free(&live->fetches);
    live_build_free(live->build);
    live->build = NULL;
    live_index_free(live->index);
    live->index = NULL;
    for (uint32_t i = 0; i < live->chunk_count; i++)
        kin_free(live->chunks[i].p);
    kin_free(live->chunks);
    live->chunks = NULL;
    live->chunk_count = live->chunk_cap = 0;
    while (live->scratch) {
        struct live_scratch *s = live->scratch;
        live->scratch = s->next;
        scratch_free(s);
    }
}

static void live_free(struct worker_live *live)
{
    struct worker_live **at = &live->worker->lives;
    while (*at != live)
        at = &(*at)->next;
    *at = live->next;
    empty(live);
    kin_free(live);
}

void worker_lives_free(struct worker *w)
{
    while (w->lives)
        live_free(w->lives);
}

/* Takes the job, also if it fails. */
static struct worker_live *live_new(struct worker *w, struct worker_job *job, enum live_state state,
                                    uint64_t request)
{
    struct worker_live *live = job ? kin_calloc(1, sizeof *live) : NULL;
    if (!live) {
        if (job)
            worker_job_free(job);
        return NULL;
    }
    live->worker = w;
    live->job = job;
    live->state = state;
    live->request = request;
    live->lookups.last = &live->lookups.first;
    live->fetches.last = &live->fetches.first;
    live->next = w->lives;
    w->lives = live;
    job->live = live;
    return live;
}

/* A job of which only the number is known. */
static struct worker_job *bare_job(struct worker *w, uint64_t run)
{
    struct worker_job *job = kin_calloc(1, sizeof *job);
    if (job) {
        job->worker = w;
        job->id = run;
    }
    return job;
}

unsigned live_threads(const struct worker_live *live)
{
    return live->worker->env->ops->threads(live->worker->env);
}

struct live_scratch *live_scratch_take(struct worker_live *live)
{
    const struct worker_job *job = live->job;
    struct live_scratch *s = live->scratch;
    if (s) {
        live->scratch = s->next;
        return s;
    }
    s = kin_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->state = job->decider ? kin_decider_state_new(job->decider) : NULL;
    s->scratch = job->model_decider ? kin_comparer_scratch_new() : NULL;
    if ((job->decider && !s->state) || (job->model_decider && !s->scratch)) {
        scratch_free(s);
        return NULL;
    }
    return s;
}

void live_scratch_give(struct worker_live *live, struct live_scratch *s)
{
    if (!s)
        return;
    if (s->refined.failed || s->owned.failed || s->other.failed || s->values.failed ||
        s->other_values.failed) {
        scratch_free(s);
        return;
    }
    s->next = live->scratch;
    live->scratch = s;
}

kin_status live_chunk_add(struct worker_live *live, struct live_chunk chunk, uint32_t *place)
{
    uint32_t at = live->chunk_count;
    if (at == live->chunk_cap) {
        for (at = 0; at < live->chunk_count && live->chunks[at].p; at++)
            continue;
    }
    if (at == live->chunk_cap) {
        uint32_t cap = live->chunk_cap + live->chunk_cap / 2 + 16;
        struct live_chunk *chunks = kin_reallocarray(live->chunks, cap, sizeof *chunks);
        if (!chunks)
            return KIN_E_NOMEM;
        live->chunks = chunks;
        live->chunk_cap = cap;
    }
    live->chunk_count += at == live->chunk_count;
    live->chunks[at] = chunk;
    *place = at;
    return KIN_OK;
}

/* ---- answers ---- */

void live_send_status(struct worker *w, uint32_t type, uint64_t run, uint64_t request,
                      kin_status status)
{
    struct kin_message m = {.type = type};
    if (type == KIN_MSG_LIVE_EDGES) {
        m.u.live_edges.live = run;
        m.u.live_edges.status = status;
    } else if (type == KIN_MSG_LIVE_FOUND) {
        m.u.live_found.live = run;
        m.u.live_found.status = status;
    } else {
        m.u.live_fetched.live = run;
        m.u.live_fetched.status = status;
    }
    worker_send(w, &m, request, NULL);
}

static void send_opened(struct worker *w, uint64_t run, uint64_t request,
                        const struct worker_live *live, kin_status status, const char *text)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_OPENED};
    m.u.live_opened.live = run;
    m.u.live_opened.status = status;
    m.u.live_opened.text = kin_str_of(text);
    if (live && status == KIN_OK) {
        m.u.live_opened.durable = live->durable;
        m.u.live_opened.records = live->index->count - live->removed;
    }
    worker_send(w, &m, request, NULL);
}

/* ---- what may run when ---- */

void live_pump(struct worker_live *live)
{
    while (live->state == LIVE_SERVING && !live->changing) {
        /* what is told of a batch is where its records are in the index there is */
        bool install = live->build_ready && !live->batch.added;
        bool change = install || (!live->build && live_batch_waits(live));
        if (change && live->readers)
            return; /* what came meanwhile waits: the change is next */
        if (!change) {
            if (!live->build && !live->batch.seq && live_build_due(live))
                live_build_anew(live);
            if (!live_batch_read(live))
                return;
            live_lookup_read(live);
            live_fetch_read(live);
            return;
        }
        if (install)
            live_build_install(live);
        else if (!live_batch_change(live))
            return;
    }
}

/* ---- ending ---- */

static void end(struct worker_live *live)
{
    live->state = LIVE_ENDING;
    live->job->closing = true;
    if (!live->job->tasks && !live->job->stores)
        worker_live_ended(live);
}

static void wipe_done(struct worker_job *job, kin_status status)
{
    struct worker_live *live = job->live;
    worker_reply_step(live->worker, job->id, KIN_MSG_LIVE_CLOSE, live->request, status,
                      kin_status_text(status));
    end(live);
}

void worker_live_ended(struct worker_live *live)
{
    struct worker *w = live->worker;
    uint64_t run = live->job->id, request = live->request;
    bool wipe = live->wipe_next;
    live_free(live);
    if (!wipe)
        return;
    live = live_new(w, bare_job(w, run), LIVE_WIPING, request);
    if (live)
        worker_wipe_own(live->job, wipe_done); /* no memory: asked again */
}

void live_fail(struct worker_live *live, kin_status status, const char *what)
{
    kin_env_log(live->worker->env, 'E', "live_failed", "run=%llu status=%d what=\"%s\"",
                (unsigned long long)live->job->id, (int)status, what);
    for (const struct live_ask *a = live->lookups.first; a; a = a->next)
        live_send_status(live->worker, KIN_MSG_LIVE_FOUND, live->job->id, a->request, status);
    for (const struct live_ask *a = live->fetches.first; a; a = a->next)
        live_send_status(live->worker, KIN_MSG_LIVE_FETCHED, live->job->id, a->request, status);
    end(live);
}

static void on_close(struct worker *w, const struct kin_message *m)
{
    uint64_t run = m->u.live_close.live;
    struct worker_live *live = find(w, run);
    if (w->job && w->job->id == run) {
        worker_reply_step(w, run, KIN_MSG_LIVE_CLOSE, m->request, KIN_E_BUSY, "its job is open");
        return;
    }
    if (!live) {
        live = live_new(w, bare_job(w, run), LIVE_WIPING, m->request);
        if (live)
            worker_wipe_own(live->job, wipe_done);
        return;
    }
    if (live->state == LIVE_KEEPING)
        return; /* asked again */
    live->request = m->request;
    if (live->state == LIVE_WIPING)
        return;
    live->wipe_next = true;
    if (live->state != LIVE_ENDING)
        end(live);
}

/* ---- keeping a run whose job is not open any more: the answer was lost, or the worker died ----
 */

struct keep_task {
    struct worker_task task;
    struct worker_run run;
};

static void keep_end(struct worker_live *live, kin_status status)
{
    worker_reply_step(live->worker, live->job->id, KIN_MSG_JOB_CLOSE, live->request, status,
                      kin_status_text(status));
    end(live);
}

static void keep_stored(struct worker_store *s, kin_status status)
{
    keep_end(s->job->live, status);
}

static void keep_run(struct kin_env *env, struct kin_work *work)
{
    struct keep_task *t = (struct keep_task *)work;
    struct kin_snap *snap;
    t->task.status = env->ops->snap_begin(env, &snap);
    if (t->task.status != KIN_OK)
        return;
    t->task.status = worker_run_read(env, snap, t->task.job, &t->run);
    env->ops->snap_end(env, snap);
}

static void keep_finish(struct worker_task *task)
{
    struct keep_task *t = (struct keep_task *)task;
    kin_status status = task->status;
    if (status == KIN_OK && !t->run.found)
        status = KIN_E_NOTFOUND;
    if (status == KIN_OK && !t->run.kept) {
        status = worker_run_store(task->job, t->run.value, true, 0, keep_stored);
        if (status == KIN_OK)
            return;
    }
    keep_end(task->job->live, status);
}

void worker_live_keep(struct worker *w, uint64_t run, uint64_t request)
{
    struct worker_live *live = find(w, run);
    if (live && (live->state == LIVE_SERVING || live->state == LIVE_OPENING)) {
        worker_reply_step(w, run, KIN_MSG_JOB_CLOSE, request, KIN_OK, "");
        return;
    }
    if (live) {
        live->request = live->state == LIVE_KEEPING ? request : live->request;
        return;
    }
    live = live_new(w, bare_job(w, run), LIVE_KEEPING, request);
    struct keep_task *t =
        live ? worker_task_new(live->job, sizeof *t, keep_run, keep_finish, NULL) : NULL;
    if (t)
        worker_task_start(&t->task);
    else if (live)
        live_free(live); /* asked again */
}

/* ---- opening ---- */

struct open_task {
    struct worker_task task;
    struct kin_buf dead; /* u32 */
    uint64_t batches;
    const char *text;
};

static int by_number(const void *a, const void *b)
{
    uint32_t x = kin_le32(a), y = kin_le32(b);
    return x < y ? -1 : x > y;
}

/* How many batches the store has of the run. */
static kin_status count_batches(struct kin_env *env, struct kin_snap *snap, struct open_task *t)
{
    uint8_t key[WORKER_STORE_KEY_BYTES];
    struct kin_str value;
    while (t->batches < LIVE_BATCHES_MAX) {
        struct kin_str name = worker_store_key(key, t->task.job->id, t->batches + 1);
        kin_status status = env->ops->snap_get(snap, DB_FEATURES, name, &value);
        if (status != KIN_OK)
            return status == KIN_E_NOTFOUND ? KIN_OK : status;
        t->batches++;
    }
    return KIN_E_LIMIT;
}

static kin_status install_plan(struct worker_job *job)
{
    kin_status status = job->plan_bytes.n ? worker_plan_install(job) : KIN_OK;
    if (status == KIN_OK && job->workflow->model && !job->model_decider)
        status = KIN_E_PROTO;
    return status == KIN_OK ? worker_decider(job) : status;
}

static void open_run(struct kin_env *env, struct kin_work *work)
{
    struct open_task *t = (struct open_task *)work;
    struct worker_job *job = t->task.job;
    struct kin_snap *snap;
    struct worker_run run;
    t->text = "the worker's store cannot be read";
    kin_status status = env->ops->snap_begin(env, &snap);
    if (status == KIN_OK) {
        status = worker_run_read(env, snap, job, &run);
        if (status == KIN_OK)
            status = count_batches(env, snap, t);
        env->ops->snap_end(env, snap);
    }
    if (status == KIN_OK && (!run.kept || !run.same || t->batches < job->live->base)) {
        status = KIN_E_NOTFOUND;
        t->text = !run.kept   ? "the worker does not have that run"
                  : !run.same ? "the worker has that run with another layout or workflow"
                              : "the worker does not have all of that run";
    }
    if (status == KIN_OK) {
        t->text = "the plan cannot be used";
        status = install_plan(job);
    }
    if (t->dead.n)
        qsort(t->dead.p, t->dead.n / 4, 4, by_number);
    t->task.status = status;
}

static void open_release(struct worker_task *task)
{
    kin_buf_deinit(&((struct open_task *)task)->dead);
}

void live_opened(struct worker_live *live, kin_status status, const char *text)
{
    live->state = LIVE_SERVING;
    send_opened(live->worker, live->job->id, live->request, live, status, text);
    if (status != KIN_OK)
        end(live);
}

static void open_finish(struct worker_task *task)
{
    struct open_task *t = (struct open_task *)task;
    struct worker_live *live = task->job->live;
    if (task->status != KIN_OK) {
        live_opened(live, task->status, t->text);
        return;
    }
    live->durable = t->batches - live->base;
    live->committed = live->durable ? live->durable - 1 : 0; /* or the last had not been sent */
    live->job->durable = t->batches;
    live_build_open(live, t->batches, &t->dead);
}

/* Splits the payload into the plan and the records that are dead. */
static bool read_payload(const struct kin_frame *f, struct kin_buf *plan, struct kin_buf *dead)
{
    struct kin_cursor at = kin_cursor_of(f->payload.p, f->payload.n);
    uint32_t bytes = kin_cursor_u32(&at);
    const uint8_t *p = kin_cursor_take(&at, bytes);
    if (bytes % 4)
        kin_cursor_take(&at, 4 - bytes % 4);
    size_t left = kin_cursor_left(&at);
    if (at.bad || left % 4)
        return false;
    kin_buf_put(plan, p, bytes);
    kin_buf_put(dead, at.p, left);
    return true;
}

static void on_open(struct worker *w, const struct kin_message *m, const struct kin_frame *f)
{
    const struct kin_msg_live_open *o = &m->u.live_open;
    struct worker_live *live = find(w, o->live);
    if (live && live->state == LIVE_SERVING)
        send_opened(w, o->live, m->request, live, KIN_OK, "");
    else if (live && live->state == LIVE_OPENING)
        live->request = m->request;
    if (live)
        return; /* what ends is asked for again */
    const struct kin_msg_job_open job_open = {.job = o->live,
                                              .workflow = o->workflow,
                                              .base_dir = o->base_dir,
                                              .workers = o->workers,
                                              .index = o->index,
                                              .shard_map = o->shard_map};
    const char *text = "impossible payload";
    kin_status status = KIN_E_PROTO;
    struct kin_buf plan = {0}, dead = {0};
    struct worker_job *job = NULL;
    struct open_task *t = NULL;
    if (read_payload(f, &plan, &dead) && o->base <= LIVE_BATCHES_MAX)
        job = worker_job_new(w, &job_open, &status, &text);
    live = job ? live_new(w, job, LIVE_OPENING, m->request) : NULL;
    if (live) {
        live->base = o->base;
        job->plan_bytes = plan;
        plan = (struct kin_buf){0};
        if (!job->plan_bytes.failed && !dead.failed)
            t = worker_task_new(job, sizeof *t, open_run, open_finish, open_release);
    }
    if (t) {
        t->dead = dead;
        worker_task_start(&t->task);
        return;
    }
    kin_buf_deinit(&plan);
    kin_buf_deinit(&dead);
    if (job) {
        status = KIN_E_NOMEM;
        text = "out of memory";
    }
    if (live)
        live_free(live);
    send_opened(w, o->live, m->request, NULL, status, text);
}

/* ---- dispatch ---- */

static struct worker_live *serving(struct worker *w, uint64_t run, uint32_t answer,
                                   uint64_t request)
{
    struct worker_live *live = find(w, run);
    if (live && live->state == LIVE_SERVING)
        return live;
    if (!live || live->state != LIVE_OPENING)
        live_send_status(w, answer, run, request, KIN_E_NOTFOUND);
    return NULL;
}

void worker_live_on_message(struct worker *w, const struct kin_message *m, struct kin_frame *f)
{
    struct worker_live *live;
    if (m->type == KIN_MSG_LIVE_OPEN) {
        on_open(w, m, f);
    } else if (m->type == KIN_MSG_LIVE_CLOSE) {
        on_close(w, m);
    } else if (m->type == KIN_MSG_LIVE_BATCH) {
        live = serving(w, m->u.live_batch.live, KIN_MSG_LIVE_EDGES, m->request);
        if (live)
            live_on_batch(live, m, f);
    } else if (m->type == KIN_MSG_LIVE_LOOKUP) {
        live = serving(w, m->u.live_lookup.live, KIN_MSG_LIVE_FOUND, m->request);
        if (live)
            live_on_lookup(live, m, f);
    } else if (m->type == KIN_MSG_LIVE_FETCH) {
        live = serving(w, m->u.live_fetch.live, KIN_MSG_LIVE_FETCHED, m->request);
        if (live)
            live_on_fetch(live, m, f);
    }
}
