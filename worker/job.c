#include "worker/impl.h"

#include "common/group/linkage.h"
#include "common/record/normalise.h"

#include <stdio.h>
#include <string.h>

/* Opening a job (fresh, or going on with what the store holds of it), taking batches in, closing.
 */

/* ---- meta ---- */

static const struct kin_str META_JOB = {"job", 3};

/* What DB_META holds under "job": id, layout, hash of the workflow. Another value: another job. */
static void meta_value(const struct worker_job *job, uint8_t out[32])
{
    kin_put_le64(out, job->id);
    kin_put_le64(out + 8, kin_hash_mix(job->workflow->hash, KIN_NORMALISER_VERSION));
    kin_put_le32(out + 16, job->shards.workers);
    kin_put_le32(out + 20, job->index);
    kin_put_le64(out + 24, kin_hash64(job->shards.owner, sizeof job->shards.owner, 0));
}

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
    bool same;   /* the store holds this job */
    bool other;  /* it holds something else, to be wiped */
    bool beyond; /* batches behind a gap, left by a commit that failed: they come again */
    uint64_t durable;
    struct record_table records, rows;
};

static kin_status reload_batch(struct kin_env *env, struct kin_snap *snap, uint64_t seq,
                               struct open_task *t)
{
    uint8_t key[8];
    struct kin_str features, rows;
    kin_put_be64(key, seq);
    struct kin_str name = {(const char *)key, 8};
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
    uint8_t expected[32];
    struct kin_str value, key;
    meta_value(t->task.job, expected);
    kin_status status = env->ops->snap_get(snap, DB_META, META_JOB, &value);
    t->same = status == KIN_OK &&
              kin_str_eq(value, (struct kin_str){(const char *)expected, sizeof expected});
    while (t->same) {
        status = reload_batch(env, snap, t->durable + 1, t);
        if (status != KIN_OK)
            break;
        t->durable++;
    }
    for (unsigned db = DB_FEATURES; db <= DB_ROWS && t->same; db++) {
        uint8_t from[8];
        kin_put_be64(from, t->durable + 1);
        struct kin_str at = {(const char *)from, 8};
        t->beyond = t->beyond || env->ops->snap_seek(snap, db, at, &key, &value) == KIN_OK;
    }
    if (!t->same) {
        for (unsigned db = 0; db < KIN_WORKER_DBS && !t->other; db++)
            t->other =
                env->ops->snap_seek(snap, db, (struct kin_str){"", 0}, &key, &value) == KIN_OK;
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

static void store_meta(struct worker_job *job)
{
    struct worker_store *s = worker_store_new(job, 1, meta_stored);
    uint8_t *value = s ? kin_buf_extend(&s->memory, 32) : NULL;
    if (!value) {
        worker_store_drop(s);
        open_failed(job, KIN_E_NOMEM, "out of memory");
        return;
    }
    meta_value(job, value);
    s->puts[0] =
        (struct kin_store_put){.db = DB_META, .key = META_JOB, .value = {(const char *)value, 32}};
    worker_store_start(s);
}

/* ---- wiping what an earlier job left: rounds of collecting keys and deleting them ---- */

enum { WIPE_KEYS = 1024 };

struct wipe_task {
    struct worker_task task;
    struct kin_buf keys; /* u8 db, u16 length, bytes */
    size_t count;
};

static void wipe_start(struct worker_job *job);

static void wipe_run(struct kin_env *env, struct kin_work *work)
{
    struct wipe_task *t = (struct wipe_task *)work;
    struct kin_snap *snap;
    t->task.status = env->ops->snap_begin(env, &snap);
    if (t->task.status != KIN_OK)
        return;
    for (unsigned db = 0; db < KIN_WORKER_DBS; db++) {
        uint8_t from[KIN_STORE_KEY_MAX + 1];
        struct kin_str at = {(const char *)from, 0}, key, value;
        kin_status found = KIN_OK;
        while (t->count < WIPE_KEYS &&
               (found = env->ops->snap_seek(snap, db, at, &key, &value)) == KIN_OK) {
            uint8_t d = (uint8_t)db;
            kin_buf_put(&t->keys, &d, 1);
            kin_buf_u16(&t->keys, (uint16_t)key.n);
            kin_buf_put(&t->keys, key.p, key.n);
            t->count++;
            if (key.n >= KIN_STORE_KEY_MAX)
                break; /* the next round goes on from here, once it is deleted */
            memcpy(from, key.p, key.n);
            from[key.n] = 0; /* the smallest key above this one */
            at.n = key.n + 1;
        }
        if (found != KIN_OK && found != KIN_E_NOTFOUND)
            t->task.status = found;
    }
    if (t->keys.failed)
        t->task.status = KIN_E_NOMEM;
    env->ops->snap_end(env, snap);
}

static void wiped(struct worker_store *s, kin_status status)
{
    if (status != KIN_OK)
        open_failed(s->job, status, "the worker's store cannot be emptied");
    else
        wipe_start(s->job);
}

static void wipe_finish(struct worker_task *task)
{
    struct wipe_task *t = (struct wipe_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK) {
        open_failed(job, task->status, "the worker's store cannot be read");
        return;
    }
    if (t->count == 0) {
        store_meta(job);
        return;
    }
    struct worker_store *s = worker_store_new(job, t->count, wiped);
    if (!s) {
        open_failed(job, KIN_E_NOMEM, "out of memory");
        return;
    }
    s->memory = t->keys;
    t->keys = (struct kin_buf){0};
    const uint8_t *p = s->memory.p;
    for (size_t i = 0; i < t->count; i++) {
        uint16_t n = kin_le16(p + 1);
        s->puts[i] = (struct kin_store_put){.db = p[0], .key = {(const char *)p + 3, n}};
        p += 3 + n;
    }
    worker_store_start(s);
}

static void wipe_release(struct worker_task *task)
{
    kin_buf_deinit(&((struct wipe_task *)task)->keys);
}

static void wipe_start(struct worker_job *job)
{
    struct wipe_task *t = worker_task_new(job, sizeof *t, wipe_run, wipe_finish, wipe_release);
    if (t)
        worker_task_start(&t->task);
    else
        open_failed(job, KIN_E_NOMEM, "out of memory");
}

static void open_finish(struct worker_task *task)
{
    struct open_task *t = (struct open_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK) {
        open_failed(job, task->status, "the worker's store cannot be read");
        return;
    }
    if (!t->same) {
        if (t->other)
            wipe_start(job);
        else
            store_meta(job);
        return;
    }
    job->records = t->records;
    job->rows = t->rows;
    t->records = t->rows = (struct record_table){0};
    job->stored = job->durable = t->durable;
    job->overwrite = t->beyond;
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

static struct worker_job *job_new(struct worker *w, const struct kin_message *m)
{
    struct worker_job *job = kin_calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->worker = w;
    job->id = m->u.job_open.job;
    job->index = m->u.job_open.index;
    return job;
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
    struct kin_shard_map shards;
    if (!kin_shard_map_read(m->u.job_open.shard_map, m->u.job_open.workers, &shards) ||
        m->u.job_open.index >= shards.workers) {
        refuse_open(w, m, KIN_E_PROTO, "impossible layout of shards");
        return;
    }
    job = job_new(w, m);
    if (job)
        job->shards = shards;
    struct kin_problems problems = {0};
    char base_dir[4096];
    snprintf(base_dir, sizeof base_dir, "%.*s", (int)m->u.job_open.base_dir.n,
             m->u.job_open.base_dir.p ? m->u.job_open.base_dir.p : "");
    kin_status status =
        job ? kin_workflow_parse(m->u.job_open.workflow, base_dir, &job->workflow, &problems)
            : KIN_E_NOMEM;
    kin_problems_deinit(&problems);
    struct open_task *t = NULL;
    if (status == KIN_OK && job->workflow->model)
        status = open_model(job);
    if (status == KIN_OK)
        t = worker_task_new(job, sizeof *t, open_run, open_finish, open_release);
    if (!t) {
        refuse_open(w, m, status == KIN_OK ? KIN_E_NOMEM : status, "the workflow cannot be opened");
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
        uint8_t *key = s ? kin_buf_extend(&s->memory, 8) : NULL;
        if (!key) {
            worker_store_drop(s);
            load_failed(job, KIN_E_NOMEM);
            return;
        }
        kin_put_be64(key, seq);
        const char *payload = (const char *)slot->frame->payload.p;
        struct kin_str name = {(const char *)key, 8};
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

/* True if every key is an original one of a key rule there is. Keys ascend: the last tells. */
static bool keys_known(const struct kin_batch_features *features, size_t rules)
{
    const uint8_t *rec = features->records;
    for (uint32_t i = 0; i < features->count; i++, rec += kin_features_bytes(rec)) {
        unsigned count;
        const uint8_t *keys = kin_features_keys(rec, &count);
        if (count && kin_le64(keys + 8 * (size_t)(count - 1)) >> 56 >= rules)
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

void worker_job_on_close(struct worker *w, const struct kin_message *m)
{
    struct worker_job *job = w->job;
    uint64_t id = m->u.job_close.job;
    if (job && job->id == id) {
        job->closing = true;
        if (!job->tasks && !job->stores) {
            w->job = NULL;
            worker_job_free(job);
        }
    }
    worker_reply_step(w, id, KIN_MSG_JOB_CLOSE, m->request, KIN_OK, "");
}
