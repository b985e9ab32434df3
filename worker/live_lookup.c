#include "worker/live.h"

#include <string.h>

/* Looking records up. Requests wait in a list; a task takes as many of them as there are, so that
 * under load many are answered for the price of one task, and without load each goes at once. A
 * task is a slice: what it does not come to is taken by the next one. */

void live_asks_free(struct live_asks *asks)
{
    while (asks->first) {
        struct live_ask *a = asks->first;
        asks->first = a->next;
        live_ask_free(a);
    }
    asks->last = &asks->first;
    asks->count = 0;
}

void live_ask_free(struct live_ask *a)
{
    kin_frame_unref(a->frame);
    kin_buf_deinit(&a->out);
    kin_free(a);
}

struct live_ask *live_asks_take(struct live_asks *asks)
{
    struct live_ask *a = asks->first;
    if (!a)
        return NULL;
    asks->first = a->next;
    if (!asks->first)
        asks->last = &asks->first;
    asks->count--;
    a->next = NULL;
    return a;
}

void live_asks_put(struct live_asks *asks, struct live_ask *a)
{
    a->next = NULL;
    *asks->last = a;
    asks->last = &a->next;
    asks->count++;
}

/* ---- the task ---- */

struct lookup_task {
    struct worker_task task;
    struct live_scratch *scratch;
    struct live_ask *asks[LIVE_ASKS_OF_TASK];
    uint32_t count;
};

/* Nothing from the wire is believed. */
static bool record_valid(const struct worker_job *job, const uint8_t *rec, size_t left)
{
    const struct kin_workflow *workflow = job->workflow;
    return left >= KIN_FEATURES_HEAD_BYTES && kin_features_bytes(rec) <= left &&
           kin_features_valid(rec, kin_features_bytes(rec), (unsigned)workflow->schema.count) &&
           kin_features_fit(rec, &workflow->schema) && worker_keys_known(rec, workflow->key_count);
}

/* One record; false: the request is over. */
static bool look_up(struct live_walk *w, struct live_ask *a)
{
    const struct kin_buf *request = &a->frame->payload;
    const uint8_t *rec = request->p + a->offset;
    if (!record_valid(w->live->job, rec, request->n - a->offset) ||
        a->place == KIN_LIVE_RECORDS_MAX) {
        a->status = KIN_E_PROTO;
        return false;
    }
    size_t head = a->out.n;
    kin_buf_u64(&a->out, 0);
    live_walk_record(w, rec, a->place);
    if (a->out.failed) {
        a->status = KIN_E_NOMEM;
        return false;
    }
    uint32_t entries = (uint32_t)((a->out.n - head - 8) / KIN_LIVE_EDGE_BYTES);
    kin_put_le32(a->out.p + head, entries);
    kin_put_le32(a->out.p + head + 4, w->truncated ? KIN_LIVE_TRUNCATED : 0);
    a->offset += kin_features_bytes(rec);
    a->place++;
    return a->offset < request->n;
}

static bool ask_over(const struct live_ask *a)
{
    return a->status != KIN_OK || a->offset == a->frame->payload.n;
}

static void lookup_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct lookup_task *t = (struct lookup_task *)work;
    const struct worker_live *live = t->task.job->live;
    struct live_walk w = {.live = live,
                          .s = t->scratch,
                          .below = UINT32_MAX,
                          .floor = live->job->weight_threshold,
                          .stars = LIVE_STARS_FOUND};
    uint32_t records = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        struct live_ask *a = t->asks[i];
        w.out = &a->out;
        w.seq = a->committed;
        w.candidates = a->candidates;
        while (!ask_over(a) && records < LIVE_SLICE_RECORDS && w.pairs < LIVE_SLICE_PAIRS) {
            records++;
            if (!look_up(&w, a))
                break;
        }
    }
}

static void lookup_release(struct worker_task *task)
{
    struct lookup_task *t = (struct lookup_task *)task;
    live_scratch_give(task->job->live, t->scratch);
    for (uint32_t i = 0; i < t->count; i++)
        live_ask_free(t->asks[i]);
}

static void answer(struct worker_live *live, struct live_ask *a)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_FOUND};
    m.u.live_found.live = live->job->id;
    m.u.live_found.status = a->status;
    if (a->status != KIN_OK)
        kin_buf_deinit(&a->out);
    worker_send(live->worker, &m, a->request, &a->out);
}

static void lookup_finish(struct worker_task *task)
{
    struct lookup_task *t = (struct lookup_task *)task;
    struct worker_live *live = task->job->live;
    live->readers--;
    live->lookup_tasks--;
    live_scratch_give(live, t->scratch);
    t->scratch = NULL;
    for (uint32_t i = 0; i < t->count; i++) {
        if (ask_over(t->asks[i])) {
            answer(live, t->asks[i]);
            live_ask_free(t->asks[i]);
        } else {
            live_asks_put(&live->lookups, t->asks[i]);
        }
    }
    t->count = 0;
    live_pump(live);
}

void live_lookup_read(struct worker_live *live)
{
    while (live->lookups.first && live->lookup_tasks < live_threads(live)) {
        struct lookup_task *t =
            worker_task_new(live->job, sizeof *t, lookup_run, lookup_finish, lookup_release);
        if (t)
            t->scratch = live_scratch_take(live);
        if (!t || !t->scratch) {
            worker_task_drop(t ? &t->task : NULL);
            live_asks_refuse(live, &live->lookups, KIN_MSG_LIVE_FOUND, KIN_E_NOMEM);
            return;
        }
        while (live->lookups.first && t->count < LIVE_ASKS_OF_TASK)
            t->asks[t->count++] = live_asks_take(&live->lookups);
        live->readers++;
        t->task.work.urgent = true;
        live->lookup_tasks++;
        worker_task_start(&t->task);
    }
}

void live_asks_refuse(struct worker_live *live, struct live_asks *asks, uint32_t type,
                      kin_status status)
{
    for (const struct live_ask *a = asks->first; a; a = a->next)
        live_send_status(live->worker, type, live->job->id, a->request, status);
    live_asks_free(asks);
}

struct live_ask *live_ask_new(struct live_asks *asks, uint64_t request, struct kin_frame *f)
{
    struct live_ask *a = asks->count < LIVE_ASKS_MAX ? kin_calloc(1, sizeof *a) : NULL;
    if (!a)
        return NULL;
    a->request = request;
    a->frame = kin_frame_ref(f);
    live_asks_put(asks, a);
    return a;
}

void live_on_lookup(struct worker_live *live, const struct kin_message *m, struct kin_frame *f)
{
    const struct kin_msg_live_lookup *l = &m->u.live_lookup;
    struct live_ask *a = NULL;
    kin_status status = f->payload.n > KIN_LIVE_PAYLOAD_MAX ? KIN_E_LIMIT : KIN_E_BUSY;
    if (f->payload.n <= KIN_LIVE_PAYLOAD_MAX)
        a = live_ask_new(&live->lookups, m->request, f);
    if (!a) {
        live_send_status(live->worker, KIN_MSG_LIVE_FOUND, live->job->id, m->request, status);
        return;
    }
    a->committed = l->committed;
    if (l->committed > live->committed && l->committed <= live->durable)
        live->committed = l->committed;
    a->candidates = l->candidates ? l->candidates : KIN_LIVE_CANDIDATES;
    live_pump(live);
}
