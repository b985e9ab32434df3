#include "worker/live.h"

#include <string.h>

/* Taking a batch in: it is checked by a task, then it is made durable and, when nobody reads, put
 * into the index, where its edges are found by read tasks. One batch at a time; the answer follows
 * when all of it is done. */

enum { EDGE_SLICE = 128 }; /* records of one task */

void live_batch_free(struct live_batch *b)
{
    kin_frame_unref(b->frame);
    kin_buf_deinit(&b->records);
    kin_buf_deinit(&b->postings);
    kin_free(b->chunk.p);
    for (uint32_t i = 0; b->parts && i < b->part_count; i++)
        kin_buf_deinit(&b->parts[i]);
    kin_free(b->parts);
    *b = (struct live_batch){0};
}

static void send_edges(struct worker_live *live, uint64_t seq, uint64_t request, kin_status status,
                       struct kin_buf *payload)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_EDGES};
    m.u.live_edges.live = live->job->id;
    m.u.live_edges.seq = seq;
    m.u.live_edges.durable = live->durable;
    m.u.live_edges.status = status;
    m.u.live_edges.windowed = payload ? live->batch.windowed : 0;
    worker_send(live->worker, &m, request, payload);
}

/* Nothing of it was taken in: it may come again. */
static void refuse(struct worker_live *live, kin_status status)
{
    send_edges(live, live->batch.seq, live->batch.request, status, NULL);
    live_batch_free(&live->batch);
    live_pump(live);
}

/* Some of it was: what is in memory is not to be trusted any more. */
static void broken(struct worker_live *live, kin_status status, const char *what)
{
    send_edges(live, live->batch.seq, live->batch.request, status, NULL);
    live_fail(live, status, what);
}

/* ---- the answer ---- */

static void answer_if_done(struct worker_live *live)
{
    struct live_batch *b = &live->batch;
    struct kin_buf payload = {0};
    if (!b->added || !b->durable || b->parts_left)
        return;
    for (uint32_t i = 0; i < b->part_count; i++)
        kin_buf_put(&payload, b->parts[i].p, b->parts[i].n);
    if (payload.failed) {
        kin_buf_deinit(&payload);
        send_edges(live, b->seq, b->request, KIN_E_NOMEM, NULL);
    } else {
        send_edges(live, b->seq, b->request, KIN_OK, &payload);
    }
    live_batch_free(b);
}

/* ---- edges ---- */

struct edge_task {
    struct worker_task task;
    struct live_scratch *scratch;
    uint32_t part;
    struct kin_buf out;
    uint64_t windowed;
};

static void edge_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct edge_task *t = (struct edge_task *)work;
    const struct worker_live *live = t->task.job->live;
    const struct live_batch *b = &live->batch;
    uint32_t from = b->first + t->part * EDGE_SLICE;
    uint32_t to = b->end - from > EDGE_SLICE ? from + EDGE_SLICE : b->end;
    struct live_walk w = {.live = live,
                          .s = t->scratch,
                          .seq = b->seq,
                          .floor = live->job->weight_floor,
                          .candidates = UINT32_MAX,
                          .stars = 1,
                          .out = &t->out};
    for (uint32_t local = from; local < to; local++) {
        w.below = local;
        live_walk_record(&w, live->index->records[local].rec, live->index->records[local].number);
        t->windowed += w.windowed;
    }
    t->task.status = t->out.failed ? KIN_E_NOMEM : KIN_OK;
}

static void edge_release(struct worker_task *task)
{
    struct edge_task *t = (struct edge_task *)task;
    live_scratch_give(task->job->live, t->scratch);
    kin_buf_deinit(&t->out);
}

static void edge_finish(struct worker_task *task)
{
    struct edge_task *t = (struct edge_task *)task;
    struct worker_live *live = task->job->live;
    struct live_batch *b = &live->batch;
    live->readers--;
    live->edge_tasks--;
    live_scratch_give(live, t->scratch);
    t->scratch = NULL;
    if (task->status != KIN_OK) {
        broken(live, task->status, "edges");
        return;
    }
    b->parts[t->part] = t->out;
    t->out = (struct kin_buf){0};
    b->windowed += t->windowed;
    b->parts_left--;
    answer_if_done(live);
    live_pump(live);
}

bool live_batch_read(struct worker_live *live)
{
    struct live_batch *b = &live->batch;
    while (b->added && b->part_next < b->part_count && live->edge_tasks < live_threads(live)) {
        struct edge_task *t =
            worker_task_new(live->job, sizeof *t, edge_run, edge_finish, edge_release);
        if (t)
            t->scratch = live_scratch_take(live);
        if (!t || !t->scratch) {
            worker_task_drop(t ? &t->task : NULL);
            broken(live, KIN_E_NOMEM, "edges");
            return false;
        }
        t->part = b->part_next++;
        live->readers++;
        t->task.work.urgent = true;
        live->edge_tasks++;
        worker_task_start(&t->task);
    }
    return true;
}

/* The records of the batch are those from first on. */
static kin_status plan_parts(struct live_batch *b)
{
    b->part_count = (b->end - b->first + EDGE_SLICE - 1) / EDGE_SLICE;
    b->parts_left = b->part_count;
    b->parts = kin_calloc((size_t)b->part_count + 1, sizeof *b->parts);
    return b->parts ? KIN_OK : KIN_E_NOMEM;
}

/* ---- putting it into the index ---- */

struct add_task {
    struct worker_task task;
    uint32_t chunk;
    uint64_t removed;
};

static kin_status add_records(struct live_index *x, const struct live_batch *b, uint32_t chunk)
{
    uint32_t n = (uint32_t)(b->records.n / sizeof(struct live_record));
    kin_status status = live_index_reserve(x, n);
    if (status != KIN_OK || n == 0)
        return status;
    memcpy(x->records + x->count, b->records.p, b->records.n);
    for (uint32_t i = 0; i < n; i++)
        x->records[x->count + i].chunk = chunk;
    const struct kin_keyed *p = (const struct kin_keyed *)(const void *)b->postings.p;
    for (size_t i = 0; i < b->postings.n / sizeof *p && status == KIN_OK; i++)
        status = live_index_add(x, p[i].key, x->count + p[i].value);
    x->count += n;
    return status;
}

static void add_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct add_task *t = (struct add_task *)work;
    struct worker_live *live = t->task.job->live;
    struct live_batch *b = &live->batch;
    struct live_index *x = live->index;
    b->first = x->count;
    t->task.status = add_records(x, b, t->chunk);
    b->end = x->count;
    size_t at = (size_t)b->feature_bytes + b->row_bytes;
    for (; at < b->frame->payload.n; at += 4) {
        uint32_t number = kin_le32(b->frame->payload.p + at), local = live_index_find(x, number);
        if (local == x->count || x->records[local].number != number || x->records[local].removed)
            continue;
        x->records[local].removed = (uint32_t)b->seq;
        t->removed++;
    }
}

static void add_finish(struct worker_task *task)
{
    struct add_task *t = (struct add_task *)task;
    struct worker_live *live = task->job->live;
    struct live_batch *b = &live->batch;
    live->changing = false;
    kin_status status = task->status == KIN_OK ? plan_parts(b) : task->status;
    if (status != KIN_OK) {
        broken(live, status, "index");
        return;
    }
    live->removed += t->removed;
    live->removed_last = t->removed;
    live->build_off = false;
    const struct live_record *r = (const struct live_record *)(const void *)b->records.p;
    if (b->end > b->first)
        live->last_number = (uint64_t)r[b->end - b->first - 1].number + 1;
    b->added = true;
    answer_if_done(live);
    live_pump(live);
}

bool live_batch_waits(const struct worker_live *live)
{
    return live->batch.checked && !live->batch.added;
}

bool live_batch_change(struct worker_live *live)
{
    struct live_batch *b = &live->batch;
    struct add_task *t = worker_task_new(live->job, sizeof *t, add_run, add_finish, NULL);
    kin_status status = t ? KIN_OK : KIN_E_NOMEM;
    if (t && b->chunk.used) {
        status = live_chunk_add(live, b->chunk, &t->chunk);
        if (status == KIN_OK)
            b->chunk = (struct live_chunk){0};
    }
    if (status != KIN_OK) {
        worker_task_drop(t ? &t->task : NULL);
        broken(live, status, "index");
        return false;
    }
    t->task.work.urgent = true;
    live->changing = true;
    worker_task_start(&t->task);
    return true;
}

/* ---- the store ---- */

static void batch_stored(struct worker_store *s, kin_status status)
{
    struct worker_live *live = s->job->live;
    if (status != KIN_OK) {
        broken(live, status, "store");
        return;
    }
    live->durable = s->number;
    live->job->durable = live->base + s->number;
    live->batch.durable = true;
    answer_if_done(live);
    live_pump(live);
}

static kin_status store_batch(struct worker_live *live)
{
    static const char head[KIN_BATCH_FEATURES_HEAD] = {0};
    const struct kin_str empty = {head, sizeof head}; /* a section of either kind */
    struct live_batch *b = &live->batch;
    const char *p = (const char *)b->frame->payload.p;
    size_t removed = b->frame->payload.n - b->feature_bytes - b->row_bytes;
    struct worker_store *s = worker_store_new(live->job, removed ? 3 : 2, batch_stored);
    uint8_t *key = s ? kin_buf_extend(&s->memory, WORKER_STORE_KEY_BYTES) : NULL;
    if (!key) {
        worker_store_drop(s);
        return KIN_E_NOMEM;
    }
    struct kin_str name = worker_store_key(key, live->job->id, live->base + b->seq);
    struct kin_str features = {p, b->feature_bytes}, rows = {p + b->feature_bytes, b->row_bytes};
    s->puts[0] = (struct kin_store_put){
        .db = DB_FEATURES, .key = name, .value = features.n ? features : empty};
    s->puts[1] = (struct kin_store_put){.db = DB_ROWS, .key = name, .value = rows.n ? rows : empty};
    if (removed)
        s->puts[2] = (struct kin_store_put){
            .db = DB_REMOVED, .key = name, .value = {rows.p + rows.n, removed}};
    s->frame = kin_frame_ref(b->frame);
    s->number = b->seq;
    worker_store_start(s);
    return KIN_OK;
}

/* ---- checking ---- */

struct check_task {
    struct worker_task task;
    uint64_t last_number;
};

struct listing {
    struct kin_buf *postings;
    uint32_t place;
};

static bool list_key(void *arg, uint64_t key)
{
    struct listing *l = arg;
    struct kin_keyed item = {.key = key, .value = l->place};
    kin_buf_put(l->postings, &item, sizeof item);
    return !l->postings->failed;
}

static bool records_fit(const struct worker_job *job, const struct kin_batch_features *features)
{
    const uint8_t *rec = features->records;
    for (uint32_t i = 0; i < features->count; i++, rec += kin_features_bytes(rec)) {
        if (!worker_keys_known(rec, job->workflow->key_count) ||
            kin_features_source(rec) >= job->workflow->source_count)
            return false;
    }
    return true;
}

static kin_status list_batch(const struct check_task *t, struct live_batch *b,
                             const struct kin_batch_features *features,
                             const struct kin_batch_rows *rows)
{
    const struct worker_live *live = t->task.job->live;
    struct kin_buf refined = {0};
    if (features->count == 0)
        return KIN_OK;
    b->chunk.p = kin_alloc(features->bytes);
    if (!b->chunk.p)
        return KIN_E_NOMEM;
    memcpy(b->chunk.p, features->records, features->bytes);
    b->chunk.used = features->count;
    kin_status status =
        live_list_records(features, rows, (uint32_t)(live->base + b->seq), b->chunk.p, &b->records);
    const struct live_record *r = (const struct live_record *)(const void *)b->records.p;
    if (status == KIN_OK && r[0].number < t->last_number)
        status = KIN_E_PROTO;
    for (uint32_t i = 0; i < features->count && status == KIN_OK; i++) {
        struct listing l = {&b->postings, i};
        if (!live_record_keys(t->task.job, r[i].rec, &refined, list_key, &l))
            status = KIN_E_NOMEM;
    }
    kin_buf_deinit(&refined);
    return status;
}

/* Nothing from the wire is believed. */
static void check_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct check_task *t = (struct check_task *)work;
    const struct worker_job *job = t->task.job;
    struct live_batch *b = &job->live->batch;
    const uint8_t *p = b->frame->payload.p;
    struct kin_batch_features features = {0};
    struct kin_batch_rows rows = {0};
    if ((b->feature_bytes &&
         !kin_batch_features_open(p, b->feature_bytes, &job->workflow->schema, &features)) ||
        (b->row_bytes && !kin_batch_rows_open(p + b->feature_bytes, b->row_bytes, &rows)) ||
        !records_fit(job, &features))
        t->task.status = KIN_E_PROTO;
    else
        t->task.status = list_batch(t, b, &features, &rows);
}

static void check_finish(struct worker_task *task)
{
    struct worker_live *live = task->job->live;
    kin_status status = task->status == KIN_OK ? store_batch(live) : task->status;
    if (status != KIN_OK) {
        refuse(live, status);
        return;
    }
    live->batch.checked = true;
    live_pump(live);
}

/* One that was taken in before: where its records are now. */
static kin_status find_again(struct worker_live *live)
{
    struct live_batch *b = &live->batch;
    const struct live_index *x = live->index;
    uint32_t batch = (uint32_t)(live->base + b->seq);
    uint32_t bounds[2];
    for (uint32_t i = 0; i < 2; i++) { /* batches ascend as numbers do */
        uint32_t low = 0, high = x->count;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (x->records[middle].batch < batch + i)
                low = middle + 1;
            else
                high = middle;
        }
        bounds[i] = low;
    }
    b->first = bounds[0];
    b->end = bounds[1];
    b->checked = b->added = b->durable = true;
    return plan_parts(b);
}

void live_on_batch(struct worker_live *live, const struct kin_message *m, struct kin_frame *f)
{
    const struct kin_msg_live_batch *batch = &m->u.live_batch;
    struct live_batch *b = &live->batch;
    if (b->seq) { /* under way; another one comes again */
        if (b->seq == batch->seq)
            b->request = m->request;
        return;
    }
    size_t sections = (size_t)batch->feature_bytes + batch->row_bytes;
    if (batch->seq > live->durable + 1) {
        send_edges(live, batch->seq, m->request, KIN_E_STALE, NULL);
        return;
    }
    if (batch->seq == 0 || sections > f->payload.n || (f->payload.n - sections) % 4 ||
        live->base + batch->seq > LIVE_BATCHES_MAX) {
        send_edges(live, batch->seq, m->request, KIN_E_PROTO, NULL);
        return;
    }
    if (batch->committed > live->committed && batch->committed < batch->seq)
        live->committed = batch->committed;
    b->seq = batch->seq;
    b->request = m->request;
    if (b->seq <= live->durable) {
        kin_status status = find_again(live);
        if (status != KIN_OK)
            refuse(live, status);
        answer_if_done(live);
        live_pump(live);
        return;
    }
    b->feature_bytes = batch->feature_bytes;
    b->row_bytes = batch->row_bytes;
    b->frame = kin_frame_ref(f);
    struct check_task *t = worker_task_new(live->job, sizeof *t, check_run, check_finish, NULL);
    if (!t) {
        refuse(live, KIN_E_NOMEM);
        return;
    }
    t->last_number = live->last_number;
    t->task.work.urgent = true;
    worker_task_start(&t->task);
}
