#include "worker/live.h"

#include "common/group/linkage.h"

#include <stdio.h>
#include <string.h>

/* Opening a job (fresh, or going on with what the store holds of it), taking batches in, closing.
 */

kin_status record_table_add(struct record_table *t, struct record_at at)
{
    if (t->count == t->cap) {
        uint32_t cap = t->cap ? t->cap + t->cap / 2 : 1024;
        if (cap < t->cap)
            return KIN_E_LIMIT;
        struct record_at *items = kin_reallocarray(t->items, cap, sizeof *items);
        if (!items)
            return KIN_E_NOMEM;
        t->items = items;
        t->cap = cap;
    }
    t->items[t->count++] = at;
    return KIN_OK;
}

static kin_status table_append(struct record_table *to, const struct record_table *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        kin_status status = record_table_add(to, from->items[i]);
        if (status != KIN_OK)
            return status;
    }
    return KIN_OK;
}

/* Lists where the records and rows of one batch lie. */
static kin_status index_batch(uint32_t batch, const struct kin_batch_features *features,
                              const struct kin_batch_rows *rows, struct record_table *records,
                              struct record_table *row_table)
{
    kin_status status = KIN_OK;
    uint32_t base = (uint32_t)features->base;
    for (uint32_t i = 0, at = 0; i < features->count && status == KIN_OK; i++) {
        const uint8_t *rec = features->records + at;
        status = record_table_add(records, (struct record_at){base + kin_features_rel(rec), batch,
                                                              at + KIN_BATCH_FEATURES_HEAD});
        at += kin_features_bytes(rec);
    }
    size_t head = KIN_BATCH_ROWS_HEAD + rows->table_bytes;
    for (uint32_t i = 0, at = 0; i < rows->row_count && status == KIN_OK; i++) {
        struct kin_batch_row row = kin_batch_row_read(rows->rows + at);
        status = record_table_add(
            row_table, (struct record_at){base + row.number, batch, (uint32_t)(at + head)});
        at += row.bytes;
    }
    return status;
}

/* ---- opening ---- */

struct open_task {
    struct worker_task task;
    struct worker_run run; /* what the store holds of it */
    bool beyond; /* batches behind a gap, left by a commit that failed: they come again; or those
                    of a run with a higher number */
    uint64_t durable;
    struct record_table records, rows;
};

static kin_status reload_batch(struct kin_env *env, struct kin_snap *snap, uint64_t seq,
                               struct open_task *t)
{
    uint8_t key[WORKER_STORE_KEY_BYTES];
    struct kin_str features, rows, name = worker_store_key(key, t->task.job->id, seq);
    kin_status status = env->ops->snap_get(snap, DB_FEATURES, name, &features);
    if (status == KIN_OK)
        status = env->ops->snap_get(snap, DB_ROWS, name, &rows);
    if (status != KIN_OK)
        return status;
    struct kin_batch_features f;
    struct kin_batch_rows r;
    if (!kin_batch_features_open((const uint8_t *)features.p, features.n,
                                 &t->task.job->workflow->schema, &f) ||
        !kin_batch_rows_open((const uint8_t *)rows.p, rows.n, &r))
        return KIN_E_CORRUPT;
    return index_batch((uint32_t)seq, &f, &r, &t->records, &t->rows);
}

static void open_run(struct kin_env *env, struct kin_work *work)
{
    struct open_task *t = (struct open_task *)work;
    struct kin_snap *snap;
    t->task.status = env->ops->snap_begin(env, &snap);
    if (t->task.status != KIN_OK)
        return;
    struct worker_job *job = t->task.job;
    kin_status status = worker_run_read(env, snap, job, &t->run);
    while (status == KIN_OK && t->run.same) {
        status = reload_batch(env, snap, t->durable + 1, t);
        t->durable += status == KIN_OK;
    }
    t->beyond = worker_run_below(env, snap, job->id);
    for (unsigned db = DB_FEATURES; db <= DB_ROWS && t->run.same; db++) {
        uint8_t from[WORKER_STORE_KEY_BYTES];
        struct kin_str key, value, at = worker_store_key(from, job->id, t->durable + 1);
        t->beyond = t->beyond || env->ops->snap_seek(snap, db, at, &key, &value) == KIN_OK;
    }
    t->task.status = status == KIN_E_NOTFOUND ? KIN_OK : status;
    env->ops->snap_end(env, snap);
}

static void open_release(struct worker_task *task)
{
    struct open_task *t = (struct open_task *)task;
    kin_free(t->records.items);
    kin_free(t->rows.items);
}

static void send_opened(struct worker_job *job)
{
    struct kin_message m = {.type = KIN_MSG_JOB_OPENED};
    m.u.job_opened.job = job->id;
    m.u.job_opened.status = job->open_status;
    m.u.job_opened.text = kin_str_of(job->open_text);
    m.u.job_opened.durable = job->durable;
    worker_send(job->worker, &m, job->open_request, NULL);
}

static void open_failed(struct worker_job *job, kin_status status, const char *text)
{
    job->open_status = status;
    snprintf(job->open_text, sizeof job->open_text, "%s", text);
    job->open_state = STEP_DONE;
    send_opened(job);
    job->open_state = STEP_IDLE; /* the next JOB_OPEN tries again */
}

static void meta_stored(struct worker_store *s, kin_status status)
{
    if (status != KIN_OK) {
        open_failed(s->job, status, "the worker's store cannot be written");
        return;
    }
    s->job->open_state = STEP_DONE;
    send_opened(s->job);
}

static void store_meta(struct worker_job *job, kin_status status)
{
    if (status != KIN_OK) {
        open_failed(job, status, "the worker's store cannot be emptied");
        return;
    }
    status = worker_run_store(job, NULL, false, 0, meta_stored);
    if (status != KIN_OK)
        open_failed(job, status, "out of memory");
}

static void open_finish(struct worker_task *task)
{
    struct open_task *t = (struct open_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK) {
        open_failed(job, task->status, "the worker's store cannot be read");
        return;
    }
    job->overwrite = t->beyond;
    if (!t->run.same && t->run.kept) {
        open_failed(job, KIN_E_EXISTS, "the worker serves a run of that number");
        return;
    }
    if (!t->run.same) { /* what an earlier job left goes */
        worker_wipe_others(job, store_meta);
        return;
    }
    job->records = t->records;
    job->rows = t->rows;
    t->records = t->rows = (struct record_table){0};
    job->stored = job->durable = t->durable;
    job->open_state = STEP_DONE;
    send_opened(job);
}

static kin_status open_model(struct worker_job *job)
{
    const struct kin_workflow_model *model = job->workflow->model;
    job->weight_threshold = model->thresholds[model->threshold_count - 1].weight;
    job->weight_floor = job->workflow->cluster == KIN_CLUSTER_LINKAGE
                            ? kin_linkage_floor(job->weight_threshold)
                            : job->weight_threshold;
    return kin_comparer_new(&job->workflow->schema, model->comparisons, model->comparison_count,
                            &job->comparer, NULL);
}

struct worker_job *worker_job_new(struct worker *w, const struct kin_msg_job_open *o,
                                  kin_status *status, const char **text)
{
    struct kin_shard_map shards;
    *status = KIN_E_PROTO;
    *text = "impossible layout of shards";
    if (!kin_shard_map_read(o->shard_map, o->workers, &shards) || o->index >= shards.workers)
        return NULL;
    struct worker_job *job = kin_calloc(1, sizeof *job);
    struct kin_problems problems = {0};
    char base_dir[4096];
    snprintf(base_dir, sizeof base_dir, "%.*s", (int)o->base_dir.n,
             o->base_dir.p ? o->base_dir.p : "");
    *status =
        job ? kin_workflow_parse(o->workflow, base_dir, &job->workflow, &problems) : KIN_E_NOMEM;
    kin_problems_deinit(&problems);
    *text = "the workflow cannot be opened";
    if (!job)
        return NULL;
    job->worker = w;
    job->id = o->job;
    job->index = o->index;
    job->shards = shards;
    if (*status == KIN_OK && job->workflow->model)
        *status = open_model(job);
    if (*status == KIN_OK)
        return job;
    worker_job_free(job);
    return NULL;
}

static void refuse_open(struct worker *w, const struct kin_message *m, kin_status status,
                        const char *text)
{
    struct kin_message reply = {.type = KIN_MSG_JOB_OPENED};
    reply.u.job_opened.job = m->u.job_open.job;
    reply.u.job_opened.status = status;
    reply.u.job_opened.text = kin_str_of(text);
    worker_send(w, &reply, m->request, NULL);
}

void worker_job_on_open(struct worker *w, const struct kin_message *m)
{
    struct worker_job *job = w->job;
    if (job && (job->closing || job->id != m->u.job_open.job)) {
        job->closing = true;
        if (job->tasks || job->stores)
            return; /* asked again later, when what is under way has ended */
        w->job = NULL;
        worker_job_free(job);
        job = NULL;
    }
    if (job) {
        job->open_request = m->request;
        bool failed = job->open_state == STEP_IDLE || job->load_status != KIN_OK;
        if (job->open_state == STEP_DONE && !failed)
            send_opened(job);
        if (!failed || job->open_state == STEP_RUNNING || job->tasks || job->stores)
            return;
        w->job = NULL; /* a failed open or load: from what the store holds */
        worker_job_free(job);
    }
    if (worker_live_serves(w, m->u.job_open.job)) {
        refuse_open(w, m, KIN_E_BUSY, "the worker serves that run");
        return;
    }
    kin_status status;
    const char *text;
    job = worker_job_new(w, &m->u.job_open, &status, &text);
    struct open_task *t =
        job ? worker_task_new(job, sizeof *t, open_run, open_finish, open_release) : NULL;
    if (!t) {
        refuse_open(w, m, job ? KIN_E_NOMEM : status, job ? "out of memory" : text);
        if (job)
            worker_job_free(job);
        return;
    }
    w->job = job;
    job->open_request = m->request;
    job->open_state = STEP_RUNNING;
    worker_task_start(&t->task);
}

/* ---- batches ---- */

static void send_batch_ack(struct worker_job *job)
{
    struct kin_message m = {.type = KIN_MSG_BATCH_ACK};
    m.u.batch_ack.job = job->id;
    m.u.batch_ack.durable = job->durable;
    m.u.batch_ack.status = job->load_status;
    worker_send(job->worker, &m, 0, NULL);
}

static void load_failed(struct worker_job *job, kin_status status)
{
    if (job->load_status == KIN_OK)
        job->load_status = status;
    send_batch_ack(job);
}

static void batch_stored(struct worker_store *s, kin_status status)
{
    struct worker_job *job = s->job;
    if (status != KIN_OK) {
        load_failed(job, status);
        return;
    }
    if (s->number == job->durable + 1) /* what follows a failed one does not count */
        job->durable = s->number;
    send_batch_ack(job);
}

/* Gives the batches that are next in order to the store. */
static void store_ready(struct worker_job *job)
{
    for (;;) {
        uint64_t seq = job->stored + 1;
        struct batch_slot *slot = &job->slots[seq % BATCH_WINDOW];
        if (slot->state != SLOT_READY || job->load_status != KIN_OK || job->loaded)
            return;
        kin_status status = table_append(&job->records, &slot->records);
        if (status == KIN_OK)
            status = table_append(&job->rows, &slot->rows);
        struct worker_store *s = status == KIN_OK ? worker_store_new(job, 2, batch_stored) : NULL;
        uint8_t *key = s ? kin_buf_extend(&s->memory, WORKER_STORE_KEY_BYTES) : NULL;
        if (!key) {
            worker_store_drop(s);
            load_failed(job, KIN_E_NOMEM);
            return;
        }
        const char *payload = (const char *)slot->frame->payload.p;
        struct kin_str name = worker_store_key(key, job->id, seq);
        s->puts[0] = (struct kin_store_put){.db = DB_FEATURES,
                                            .append = !job->overwrite,
                                            .key = name,
                                            .value = {payload, slot->feature_bytes}};
        s->puts[1] = (struct kin_store_put){
            .db = DB_ROWS,
            .append = !job->overwrite,
            .key = name,
            .value = {payload + slot->feature_bytes, slot->frame->payload.n - slot->feature_bytes}};
        s->frame = slot->frame;
        s->number = seq;
        kin_free(slot->records.items);
        kin_free(slot->rows.items);
        *slot = (struct batch_slot){0};
        job->stored = seq;
        worker_store_start(s);
    }
}

struct check_task {
    struct worker_task task;
    uint64_t seq;
};

static bool keys_known(const struct kin_batch_features *features, size_t rules)
{
    const uint8_t *rec = features->records;
    for (uint32_t i = 0; i < features->count; i++, rec += kin_features_bytes(rec)) {
        if (!worker_keys_known(rec, rules))
            return false;
    }
    return true;
}

/* A batch comes from the wire: it is believed only after every record and row was checked. */
static void check_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct check_task *t = (struct check_task *)work;
    struct batch_slot *slot = &t->task.job->slots[t->seq % BATCH_WINDOW]; /* ours while CHECKING */
    struct kin_batch_features features;
    struct kin_batch_rows rows;
    const struct kin_buf *payload = &slot->frame->payload;
    if (!kin_batch_features_open(payload->p, slot->feature_bytes, &t->task.job->workflow->schema,
                                 &features) ||
        !kin_batch_rows_open(payload->p + slot->feature_bytes, payload->n - slot->feature_bytes,
                             &rows))
        t->task.status = KIN_E_PROTO;
    else if (!keys_known(&features, t->task.job->workflow->key_count))
        t->task.status = KIN_E_PROTO;
    else if (features.base > UINT32_MAX || features.base + features.count > UINT32_MAX - 1)
        t->task.status = KIN_E_LIMIT;
    else
        t->task.status =
            index_batch((uint32_t)t->seq, &features, &rows, &slot->records, &slot->rows);
}

static void check_finish(struct worker_task *task)
{
    struct check_task *t = (struct check_task *)task;
    if (task->status != KIN_OK) {
        load_failed(task->job, task->status);
        return;
    }
    task->job->slots[t->seq % BATCH_WINDOW].state = SLOT_READY;
    store_ready(task->job);
}

void worker_job_on_batch(struct worker_job *job, const struct kin_message *m, struct kin_frame *f)
{
    uint64_t seq = m->u.batch.seq;
    struct batch_slot *slot = &job->slots[seq % BATCH_WINDOW];
    if (seq <= job->stored || job->load_status != KIN_OK) {
        send_batch_ack(job);
        return;
    }
    if (seq > job->stored + BATCH_WINDOW || slot->state != SLOT_EMPTY || job->loaded)
        return; /* too far ahead, or a copy of one that is being taken in, or too late */
    if (m->u.batch.feature_bytes > f->payload.n || seq > UINT32_MAX) {
        load_failed(job, KIN_E_PROTO);
        return;
    }
    struct check_task *t = worker_task_new(job, sizeof *t, check_run, check_finish, NULL);
    if (!t)
        return; /* comes again */
    *slot = (struct batch_slot){.state = SLOT_CHECKING,
                                .frame = kin_frame_ref(f),
                                .feature_bytes = m->u.batch.feature_bytes};
    t->seq = seq;
    worker_task_start(&t->task);
}

bool worker_job_loaded(struct worker_job *job)
{
    if (job->stored != job->durable || job->load_status != KIN_OK)
        return false;
    job->loaded = true;
    return true;
}

kin_status worker_take_part(struct kin_buf *list, uint32_t *parts, const struct kin_frame *f)
{
    kin_buf_put(list, f->payload.p, f->payload.n);
    if (list->failed) {
        list->failed = false;
        return KIN_E_NOMEM;
    }
    ++*parts;
    return KIN_OK;
}

/* ---- closing ---- */

static void job_end(struct worker_job *job)
{
    job->closing = true;
    if (!job->tasks && !job->stores) {
        job->worker->job = NULL;
        worker_job_free(job);
    }
}

/* The job ends when the store op that this finishes is gone, too. */
static void kept(struct worker_store *s, kin_status status)
{
    struct worker_job *job = s->job;
    worker_reply_step(job->worker, job->id, KIN_MSG_JOB_CLOSE, s->number, status,
                      kin_status_text(status));
    job->closing = status == KIN_OK;
}

static void close_kept(struct worker_job *job, uint64_t request)
{
    if (job->open_state != STEP_DONE || job->closing)
        return; /* asked again */
    kin_status status = worker_run_store(job, NULL, true, request, kept);
    if (status != KIN_OK)
        worker_reply_step(job->worker, job->id, KIN_MSG_JOB_CLOSE, request, status,
                          kin_status_text(status));
}

void worker_job_on_close(struct worker *w, const struct kin_message *m)
{
    struct worker_job *job = w->job;
    uint64_t id = m->u.job_close.job;
    bool open = job && job->id == id;
    if (m->u.job_close.keep) {
        if (open)
            close_kept(job, m->request);
        else
            worker_live_keep(w, id, m->request);
        return;
    }
    if (open)
        job_end(job);
    worker_reply_step(w, id, KIN_MSG_JOB_CLOSE, m->request, KIN_OK, "");
}
