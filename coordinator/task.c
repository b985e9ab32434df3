#include "coordinator/live.h"

#include <string.h>

/* Tasks, store ops and requests of the coordinator: each is tracked until it is done, so that a
 * crash (or the end) frees them; and the view through which tasks read identity pages. */

static void ctask_free(struct ctask *t)
{
    if (t->prev)
        t->prev->next = t->next;
    else
        t->c->tasks = t->next;
    if (t->next)
        t->next->prev = t->prev;
    if (t->release)
        t->release(t);
    kin_free(t);
}

static void ctask_done(struct kin_work *work)
{
    struct ctask *t = (struct ctask *)work;
    struct kin_coordinator *c = t->c;
    if (!t->job || !t->job->failed)
        t->finish(t);
    ctask_free(t);
    job_settle(c);
}

void *ctask_new(struct kin_coordinator *c, size_t bytes,
                void (*run)(struct kin_env *, struct kin_work *), void (*finish)(struct ctask *),
                void (*release)(struct ctask *))
{
    struct ctask *t = kin_calloc(1, bytes);
    if (!t)
        return NULL;
    t->c = c;
    t->job = c->job;
    t->work.run = run;
    t->work.done = ctask_done;
    t->finish = finish;
    t->release = release;
    t->next = c->tasks;
    if (t->next)
        t->next->prev = t;
    c->tasks = t;
    return t;
}

void ctask_drop(struct ctask *t)
{
    ctask_free(t);
}

void ctask_start(struct ctask *t)
{
    t->started = true;
    t->c->env->ops->work(t->c->env, &t->work);
}

static void cstore_free(struct cstore *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        s->c->stores = s->next;
    if (s->next)
        s->next->prev = s->prev;
    kin_buf_deinit(&s->memory);
    kin_free(s->puts);
    kin_free(s);
}

static void cstore_done(struct kin_store_op *op, kin_status status)
{
    struct cstore *s = (struct cstore *)op;
    struct kin_coordinator *c = s->c;
    if (!s->job || !s->job->failed)
        s->finish(s, status);
    cstore_free(s);
    job_settle(c);
}

struct cstore *cstore_new(struct kin_coordinator *c, size_t puts,
                          void (*finish)(struct cstore *, kin_status))
{
    struct cstore *s = kin_calloc(1, sizeof *s);
    struct kin_store_put *list = kin_calloc(puts, sizeof *list);
    if (!s || !list) {
        kin_free(s);
        kin_free(list);
        return NULL;
    }
    s->c = c;
    s->job = c->job;
    s->puts = list;
    s->finish = finish;
    s->op.puts = list;
    s->op.count = puts;
    s->op.done = cstore_done;
    s->next = c->stores;
    if (s->next)
        s->next->prev = s;
    c->stores = s;
    return s;
}

void cstore_drop(struct cstore *s)
{
    cstore_free(s);
}

void cstore_start(struct cstore *s)
{
    s->started = true;
    s->c->env->ops->store(s->c->env, &s->op);
}

/* ---- requests ---- */

static void rpc_free(struct rpc *r)
{
    kin_frame_unref(r->payload);
    kin_free(r);
}

kin_status rpc_start(struct kin_coordinator *c, unsigned worker, const struct kin_message *m,
                     struct kin_buf *payload,
                     void (*answer)(struct rpc *, const struct kin_message *, struct kin_frame *),
                     void *arg, uint32_t number)
{
    struct rpc *r = kin_calloc(1, sizeof *r);
    if (r && payload)
        r->payload = kin_frame_new(0);
    if (!r || (payload && (payload->failed || !r->payload))) {
        if (payload)
            kin_buf_deinit(payload);
        if (r)
            rpc_free(r);
        return KIN_E_NOMEM;
    }
    if (payload) {
        r->payload->payload = *payload;
        *payload = (struct kin_buf){0};
    }
    r->request = ++c->next_request;
    r->worker = worker;
    r->message = *m;
    r->answer = answer;
    r->arg = arg;
    r->number = number;
    struct rpc **at = &c->rpcs;
    while (*at)
        at = &(*at)->next;
    *at = r;
    rpc_pump(c);
    return KIN_OK;
}

void rpc_pump(struct kin_coordinator *c)
{
    uint64_t now = c->env->ops->now_us(c->env);
    for (struct rpc *r = c->rpcs; r; r = r->next) {
        if ((r->sent_us && now - r->sent_us < RETRY_US) || !track_ready(c, r->worker))
            continue;
        r->sent_us = now ? now : 1;
        coordinator_send(c, r->worker, &r->message, r->request, r->payload);
    }
}

void rpc_on_answer(struct kin_coordinator *c, unsigned worker, const struct kin_message *m,
                   struct kin_frame *f)
{
    for (struct rpc **at = &c->rpcs; *at; at = &(*at)->next) {
        struct rpc *r = *at;
        if (r->request != m->request || r->worker != worker)
            continue;
        *at = r->next;
        if (m->type == KIN_MSG_STEP_DONE && m->u.step_done.status != KIN_OK)
            job_fail(c, (kin_status)m->u.step_done.status, "worker %u could not answer %s: %.*s",
                     worker + 1, kin_message_name(m->u.step_done.step), (int)m->u.step_done.text.n,
                     m->u.step_done.text.p);
        else
            r->answer(r, m, f);
        rpc_free(r);
        return;
    }
}

void rpc_drop_all(struct kin_coordinator *c)
{
    while (c->rpcs) {
        struct rpc *next = c->rpcs->next;
        rpc_free(c->rpcs);
        c->rpcs = next;
    }
}

void tasks_free(struct kin_coordinator *c)
{
    while (c->tasks)
        ctask_free(c->tasks);
    while (c->stores)
        cstore_free(c->stores);
}

/* Files and outputs are closed in tasks only. */
static void close_run(struct kin_env *env, struct kin_work *work)
{
    struct ctask *t = (struct ctask *)work;
    struct kin_out *out = t->job->out;
    load_close(t->job);
    t->job->out = NULL;
    if (out)
        env->ops->out_abort(out);
}

static void close_finish(struct ctask *task)
{
    (void)task;
}

/* A run that is over goes once nothing of it is under way; then the next may begin. */
void job_settle(struct kin_coordinator *c)
{
    if (!c->queue || !c->job || !c->job->failed)
        return;
    for (const struct ctask *t = c->tasks; t; t = t->next) {
        if (t->job == c->job && t->started)
            return;
    }
    for (const struct cstore *s = c->stores; s; s = s->next) {
        if (s->job == c->job && s->started)
            return;
    }
    if (c->job->out || load_is_open(c->job)) {
        struct ctask *t = ctask_new(c, sizeof *t, close_run, close_finish, NULL);
        if (t) /* else the tick tries again */
            ctask_start(t);
        return;
    }
    queue_job_settled(c);
}

void job_free(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    rpc_drop_all(c);
    if (!job)
        return;
    for (struct live *live = c->lives; live; live = live->next)
        live->links_frozen = false;
    for (struct ctask *t = c->tasks, *next; t; t = next) {
        next = t->next;
        if (t->job == job)
            ctask_free(t);
    }
    for (struct cstore *s = c->stores, *next; s; s = next) {
        next = s->next;
        if (s->job == job)
            cstore_free(s);
    }
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++) {
        kin_buf_deinit(&job->workers[w].stars);
        kin_buf_deinit(&job->workers[w].labels);
        kin_buf_deinit(&job->workers[w].values);
    }
    load_free(c);
    veto_free(c);
    glue_free(job->glue);
    for (size_t i = 0; i < job->file_count; i++)
        kin_free(job->files[i].path);
    kin_free(job->files);
    for (size_t i = 0; i < CHUNK_WINDOW; i++) {
        for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
            kin_frame_unref(job->outbox[i].payload[w]);
    }
    for (size_t i = 0; i < PIPE_WINDOW; i++) {
        kin_buf_deinit(&job->pipe.pieces[i].out[0]);
        kin_buf_deinit(&job->pipe.pieces[i].out[1]);
    }
    kin_free(job->chunks);
    kin_free(job->dead);
    kin_free(job->dead_bits);
    links_free(job);
    kin_buf_deinit(&job->record);
    kin_buf_deinit(&job->old_keys);
    kin_buf_deinit(&job->oversized);
    live_prepared_free(job);
    kin_buf_deinit(&job->plan_bytes);
    kin_buf_deinit(&job->model_text);
    kin_buf_deinit(&job->training_text);
    assess_free(job);
    train_free(job);
    kin_union_find_deinit(&job->sets);
    kin_best_edges_deinit(&job->best);
    for (size_t i = 0; i < KIN_THRESHOLDS_MAX; i++)
        kin_free(job->level[i]);
    kin_buf_deinit(&job->edges);
    kin_free(job->group);
    kin_free(job->group_size);
    kin_free(job->founder);
    if (job->out)
        c->env->ops->out_abort(job->out);
    kin_golden_plan_free(job->golden);
    kin_arena_deinit(&job->arena);
    report_deinit(&job->report);
    kin_workflow_free(job->workflow);
    kin_free(job);
    c->job = NULL;
}

/* ---- pages ---- */

void page_key(uint64_t job, uint64_t chunk, uint8_t out[16])
{
    kin_put_be64(out, job);
    kin_put_be64(out + 8, chunk);
}

kin_status page_view_init(struct page_view *v, struct kin_env *env, const struct cjob *job)
{
    *v = (struct page_view){.env = env, .job = job};
    v->pages = kin_calloc(job->chunk_count, sizeof *v->pages);
    v->loaded = kin_calloc(job->chunk_count, sizeof *v->loaded);
    v->status = v->pages && v->loaded ? env->ops->snap_begin(env, &v->snap) : KIN_E_NOMEM;
    return v->status;
}

void page_view_deinit(struct page_view *v)
{
    if (v->snap)
        v->env->ops->snap_end(v->env, v->snap);
    kin_free(v->pages);
    kin_free(v->loaded);
    *v = (struct page_view){0};
}

const struct kin_page *page_view_get(struct page_view *v, uint64_t chunk)
{
    if (v->loaded[chunk])
        return &v->pages[chunk];
    uint8_t key[16];
    struct kin_str value;
    page_key(v->job->id, chunk + 1, key);
    if (v->status == KIN_OK)
        v->status = v->env->ops->snap_get(v->snap, DB_PAGES,
                                          (struct kin_str){(const char *)key, 16}, &value);
    if (v->status == KIN_OK && !kin_page_read(value, &v->pages[chunk]))
        v->status = KIN_E_CORRUPT;
    v->loaded[chunk] = v->status == KIN_OK;
    return v->status == KIN_OK ? &v->pages[chunk] : NULL;
}

uint64_t job_chunk_of(const struct cjob *job, uint32_t record)
{
    uint64_t low = 0, high = job->chunk_count; /* the last chunk whose base is <= record */
    /* most chunks have about the same number of records */
    uint64_t guess = job->records ? record * job->chunk_count / job->records : 0;
    if (guess + 2 < high && job->chunks[guess + 2].base > record)
        high = guess + 2;
    if (guess > 1 && guess - 1 < high && job->chunks[guess - 1].base <= record)
        low = guess - 1;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (job->chunks[middle].base <= record)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool page_view_identity(struct page_view *v, uint32_t record, uint32_t *source, struct kin_str *id)
{
    uint64_t chunk = job_chunk_of(v->job, record);
    const struct kin_page *page = page_view_get(v, chunk);
    if (!page)
        return false;
    *source = page->source;
    *id = kin_page_id(page, record - (uint32_t)page->base);
    return true;
}

int page_view_cmp(struct page_view *v, uint32_t a, uint32_t b)
{
    uint32_t sa = 0, sb = 0;
    struct kin_str x = {0}, y = {0};
    if (!page_view_identity(v, a, &sa, &x) || !page_view_identity(v, b, &sb, &y))
        return 0;
    if (sa != sb)
        return sa < sb ? -1 : 1;
    return kin_str_cmp(x, y);
}
