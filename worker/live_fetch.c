#include "worker/live.h"

#include <string.h>

/* Fetching records as they are kept: features from memory, rows from the store. Of the records
 * asked for, those are answered that are at home here and were not removed for good. */

struct fetch_task {
    struct worker_task task;
    struct live_ask *ask;
    uint64_t committed;
    uint32_t feature_bytes;
};

static bool at_home(const struct worker_job *job, const uint8_t *rec)
{
    uint16_t source = kin_features_source(rec);
    if (source >= job->workflow->source_count)
        return false;
    struct kin_str name = kin_str_of(job->workflow->sources[source].name);
    uint64_t seed = kin_hash64(name.p, name.n, 0);
    return kin_home_worker(&job->shards, seed, kin_features_id(rec)) == job->index;
}

static const struct live_record *record_of(const struct fetch_task *t, uint32_t number)
{
    const struct worker_live *live = t->task.job->live;
    uint32_t local = live_index_find(live->index, number);
    const struct live_record *r = &live->index->records[local];
    bool there = local < live->index->count && r->number == number &&
                 (!r->removed || r->removed > t->committed);
    return there && at_home(t->task.job, r->rec) ? r : NULL;
}

static void put_features(struct fetch_task *t)
{
    struct live_ask *a = t->ask;
    for (uint32_t i = 0; i < a->frame->payload.n / 4; i++) {
        const struct live_record *r = record_of(t, kin_le32(a->frame->payload.p + 4 * (size_t)i));
        if (!r)
            continue;
        uint8_t *p = kin_buf_extend(&a->out, kin_features_bytes(r->rec));
        if (!p)
            return;
        memcpy(p, r->rec, kin_features_bytes(r->rec));
        kin_put_le32(p + 4, i); /* rel: the place in the request */
    }
}

static kin_status put_rows(struct fetch_task *t, struct kin_env *env)
{
    struct live_ask *a = t->ask;
    struct store_view view;
    struct worker_columns columns = {0};
    struct kin_batch_rows_builder builder = {0};
    kin_status status = store_view_init(&view, env, DB_ROWS, t->task.job);
    if (status == KIN_OK)
        status = worker_columns_init(&columns, t->task.job->durable);
    for (uint32_t i = 0; status == KIN_OK && i < a->frame->payload.n / 4; i++) {
        const struct live_record *r = record_of(t, kin_le32(a->frame->payload.p + 4 * (size_t)i));
        if (!r || !r->row)
            continue;
        struct record_at at = {.batch = r->batch, .offset = r->row};
        const uint8_t *row = store_view_at(&view, at);
        struct worker_row from = {r->batch, view.batch[r->batch], row};
        status = row ? worker_columns_copy(&columns, &builder, from, i) : view.status;
    }
    if (status == KIN_OK)
        kin_batch_rows_finish(&builder, columns.names, columns.count, &a->out);
    kin_buf_deinit(&builder.rows);
    worker_columns_deinit(&columns);
    store_view_deinit(&view);
    return status;
}

static void fetch_run(struct kin_env *env, struct kin_work *work)
{
    struct fetch_task *t = (struct fetch_task *)work;
    put_features(t);
    t->feature_bytes = (uint32_t)t->ask->out.n;
    if (t->ask->rows)
        t->task.status = put_rows(t, env);
    if (t->ask->out.failed)
        t->task.status = KIN_E_NOMEM;
}

static void fetch_release(struct worker_task *task)
{
    struct fetch_task *t = (struct fetch_task *)task;
    if (t->ask)
        live_ask_free(t->ask);
}

static void fetch_finish(struct worker_task *task)
{
    struct fetch_task *t = (struct fetch_task *)task;
    struct worker_live *live = task->job->live;
    struct kin_message m = {.type = KIN_MSG_LIVE_FETCHED};
    live->readers--;
    m.u.live_fetched.live = live->job->id;
    m.u.live_fetched.status = task->status;
    if (task->status == KIN_OK)
        m.u.live_fetched.feature_bytes = t->feature_bytes;
    else
        kin_buf_deinit(&t->ask->out);
    worker_send(live->worker, &m, t->ask->request, &t->ask->out);
    live_pump(live);
}

void live_fetch_read(struct worker_live *live)
{
    while (live->fetches.first) {
        struct fetch_task *t =
            worker_task_new(live->job, sizeof *t, fetch_run, fetch_finish, fetch_release);
        if (!t) {
            live_asks_refuse(live, &live->fetches, KIN_MSG_LIVE_FETCHED, KIN_E_NOMEM);
            return;
        }
        t->ask = live_asks_take(&live->fetches);
        t->committed = live->committed;
        t->task.work.urgent = true;
        live->readers++;
        worker_task_start(&t->task);
    }
}

void live_on_fetch(struct worker_live *live, const struct kin_message *m, struct kin_frame *f)
{
    kin_status status = KIN_E_BUSY;
    struct live_ask *a = NULL;
    if (f->payload.n % 4)
        status = KIN_E_PROTO;
    else if (f->payload.n / 4 > KIN_LIVE_RECORDS_MAX * (size_t)16)
        status = KIN_E_LIMIT;
    else
        a = live_ask_new(&live->fetches, m->request, f);
    if (!a) {
        live_send_status(live->worker, KIN_MSG_LIVE_FETCHED, live->job->id, m->request, status);
        return;
    }
    a->rows = m->u.live_fetch.rows;
    live_pump(live);
}
