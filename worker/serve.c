#include "worker/impl.h"

#include <stdlib.h>
#include <string.h>

/* What the coordinator fetches once matching is done: forest, edges, stars, features; and what it
 * has done here: vetoes inside components, and the raw rows of its groups. Each answer depends only
 * on the request, so that a repeated request is merely answered again. */

enum { PULL_BYTES = 1024 * 1024 };

/* ---- pulls ---- */

struct pull_task {
    struct worker_task task;
    uint32_t what;
    uint64_t offset, next;
    bool last;
    struct kin_frame *frame; /* the request, for its payload */
    struct kin_buf out;
};

static void send_pulled(struct worker_job *job, uint64_t request, uint32_t what, uint64_t offset,
                        uint64_t next, bool last, struct kin_buf *payload)
{
    struct kin_message m = {.type = KIN_MSG_PULLED};
    m.u.pulled.job = job->id;
    m.u.pulled.what = what;
    m.u.pulled.offset = offset;
    m.u.pulled.next = next;
    m.u.pulled.last = last;
    worker_send(job->worker, &m, request, payload);
}

/* A slice of bytes held in memory; unit: what offset counts. */
static void pull_memory(struct worker_job *job, const struct kin_message *m,
                        const struct kin_buf *from, size_t unit)
{
    size_t total = from->n / unit, room = PULL_BYTES / unit;
    size_t first = m->u.pull.offset < total ? (size_t)m->u.pull.offset : total;
    size_t count = total - first < room ? total - first : room;
    struct kin_buf payload = {0};
    if (from->p && count)
        kin_buf_put(&payload, from->p + first * unit, count * unit);
    send_pulled(job, m->request, m->u.pull.what, first, first + count, first + count == total,
                &payload);
}

static kin_status pull_edges(struct pull_task *t, struct store_view *view, struct kin_env *env)
{
    uint8_t key[WORKER_STORE_KEY_BYTES];
    struct kin_str value;
    const struct worker_job *job = t->task.job;
    for (t->next = t->offset; t->next < job->edge_pages && t->out.n < PULL_BYTES; t->next++) {
        kin_status status = env->ops->snap_get(view->snap, DB_EDGES,
                                               worker_store_key(key, job->id, t->next), &value);
        if (status != KIN_OK)
            return status;
        kin_buf_put(&t->out, value.p, value.n);
    }
    t->last = t->next >= job->edge_pages;
    return KIN_OK;
}

/* The table is in the order of numbers. */
const struct record_at *worker_find_record(const struct record_table *table, uint32_t number)
{
    uint32_t low = 0, high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->count && table->items[low].number == number ? &table->items[low] : NULL;
}

static kin_status pull_features(struct pull_task *t, struct store_view *view)
{
    const struct kin_buf *wanted = &t->frame->payload;
    bool page = t->what == KIN_PULL_FEATURE_PAGE;
    size_t i = 0;
    for (; i + 4 <= wanted->n && !(page && t->out.n >= PULL_BYTES); i += 4) {
        const struct record_at *at =
            worker_find_record(&t->task.job->records, kin_le32(wanted->p + i));
        const uint8_t *rec = at ? store_view_at(view, *at) : NULL;
        if (!rec)
            return at ? view->status : KIN_E_NOTFOUND;
        kin_buf_put(&t->out, rec, kin_features_bytes(rec));
    }
    t->next = i / 4;
    t->last = i + 4 > wanted->n;
    return KIN_OK;
}

static kin_status pull_keyed(struct pull_task *t, struct store_view *view)
{
    const struct kin_buf *request = &t->frame->payload;
    struct worker_keyed keyed = {.job = t->task.job,
                                 .request = {(const char *)request->p, request->n}};
    kin_status status = worker_keyed_run(&keyed, view);
    t->out = keyed.out;
    t->last = true;
    return status;
}

static void pull_run(struct kin_env *env, struct kin_work *work)
{
    struct pull_task *t = (struct pull_task *)work;
    struct store_view view;
    kin_status status = store_view_init(&view, env, DB_FEATURES, t->task.job);
    if (status == KIN_OK)
        status = t->what == KIN_PULL_EDGES   ? pull_edges(t, &view, env)
                 : t->what == KIN_PULL_KEYED ? pull_keyed(t, &view)
                                             : pull_features(t, &view);
    if (status == KIN_OK && t->out.failed)
        status = KIN_E_NOMEM;
    t->task.status = status;
    store_view_deinit(&view);
}

static void pull_finish(struct worker_task *task)
{
    struct pull_task *t = (struct pull_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK)
        worker_reply_step(job->worker, job->id, KIN_MSG_PULL, task->request, task->status,
                          kin_status_text(task->status));
    else
        send_pulled(job, task->request, t->what, t->offset, t->next, t->last, &t->out);
}

static void pull_release(struct worker_task *task)
{
    struct pull_task *t = (struct pull_task *)task;
    kin_frame_unref(t->frame);
    kin_buf_deinit(&t->out);
}

void worker_job_on_pull(struct worker_job *job, const struct kin_message *m, struct kin_frame *f)
{
    uint32_t what = m->u.pull.what;
    bool matched = job->match_state == STEP_DONE;
    if (what == KIN_PULL_FOREST && matched) {
        pull_memory(job, m, &job->forest, KIN_FOREST_BYTES);
        return;
    }
    bool counted = job->count_state == STEP_DONE;
    if (what == KIN_PULL_PATTERNS && counted) {
        pull_memory(job, m, &job->patterns, KIN_PATTERN_BYTES);
        return;
    }
    if (what == KIN_PULL_VALUES && counted) {
        pull_memory(job, m, &job->values, 1);
        return;
    }
    if (what == KIN_PULL_STARS && matched) {
        pull_memory(job, m, &job->stars, 1);
        return;
    }
    if (what == KIN_PULL_GLUE) {
        worker_job_on_glue(job, m, f);
        return;
    }
    bool settled = job->settle_state == STEP_DONE;
    bool features = what == KIN_PULL_FEATURES || what == KIN_PULL_FEATURE_PAGE;
    if (!(what == KIN_PULL_EDGES && matched) && !(what == KIN_PULL_KEYED && settled) && !features)
        return;
    if (worker_task_under_way(job, m->request) || !worker_job_loaded(job))
        return;
    struct pull_task *t = worker_task_new(job, sizeof *t, pull_run, pull_finish, pull_release);
    if (!t)
        return;
    t->task.request = m->request;
    t->what = what;
    t->offset = m->u.pull.offset;
    t->frame = kin_frame_ref(f);
    worker_task_start(&t->task);
}

/* ---- labels: which group each row of ours is in ---- */

struct label_task {
    struct worker_task task;
    struct kin_keyed *order;
};

static void label_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct label_task *t = (struct label_task *)work;
    const struct worker_job *job = t->task.job;
    uint32_t n = job->rows.count;
    t->order = kin_reallocarray(NULL, n, sizeof *t->order);
    struct kin_keyed *tmp = kin_reallocarray(NULL, n, sizeof *tmp);
    if (!t->order || !tmp) {
        kin_free(tmp);
        t->task.status = KIN_E_NOMEM;
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        t->order[i] =
            (struct kin_keyed){.key = kin_le32(job->labels.p + 4 * (size_t)i), .value = i};
    if (n)
        kin_radix_sort(t->order, tmp, n);
    kin_free(tmp);
}

static void reply_labels(struct worker_job *job, kin_status status)
{
    worker_reply_step(job->worker, job->id, KIN_MSG_LABELS, job->label_request, status, "");
}

static void label_finish(struct worker_task *task)
{
    struct label_task *t = (struct label_task *)task;
    struct worker_job *job = task->job;
    job->label_state = task->status == KIN_OK ? STEP_DONE : STEP_IDLE;
    if (task->status == KIN_OK) {
        kin_free(job->row_order);
        job->row_order = t->order;
        t->order = NULL;
    }
    reply_labels(job, task->status);
}

static void label_release(struct worker_task *task)
{
    kin_free(((struct label_task *)task)->order);
}

void worker_job_on_labels(struct worker_job *job, const struct kin_message *m, struct kin_frame *f)
{
    uint32_t part = m->u.labels.part, parts = m->u.labels.parts;
    kin_status status = KIN_OK;
    if (part > job->label_parts || f->payload.n % 4 || job->label_state == STEP_RUNNING ||
        !worker_job_loaded(job))
        return;
    if (part == job->label_parts)
        status = worker_take_part(&job->labels, &job->label_parts, f);
    job->label_request = m->request;
    bool last = part + 1 >= parts && job->label_state != STEP_DONE;
    if (status == KIN_OK && last && job->labels.n != 4 * (size_t)job->rows.count)
        status = KIN_E_PROTO;
    if (status != KIN_OK || !last) {
        worker_reply_step(job->worker, job->id, KIN_MSG_LABELS, m->request, status,
                          status == KIN_E_PROTO ? "labels do not fit the rows" : "");
        return;
    }
    struct label_task *t = worker_task_new(job, sizeof *t, label_run, label_finish, label_release);
    if (!t)
        return;
    job->label_state = STEP_RUNNING;
    worker_task_start(&t->task);
}

/* ---- rows of a range of groups ---- */

struct rows_task {
    struct worker_task task;
    uint64_t first, end;
    struct kin_buf out;
};

static void rows_run(struct kin_env *env, struct kin_work *work)
{
    struct rows_task *t = (struct rows_task *)work;
    const struct worker_job *job = t->task.job;
    struct store_view view;
    struct kin_batch_rows_builder builder = {0};
    struct worker_columns columns;
    kin_status status = store_view_init(&view, env, DB_ROWS, job);
    kin_status made = worker_columns_init(&columns, job->durable);
    status = status == KIN_OK ? made : status;
    uint32_t low = 0, high = job->rows.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (job->row_order[middle].key < t->first)
            low = middle + 1;
        else
            high = middle;
    }
    for (; status == KIN_OK && low < job->rows.count && job->row_order[low].key < t->end; low++) {
        struct record_at at = job->rows.items[job->row_order[low].value];
        const uint8_t *p = store_view_at(&view, at);
        struct worker_row row = {at.batch, view.batch[at.batch], p};
        status = p ? worker_columns_copy(&columns, &builder, row, (uint32_t)job->row_order[low].key)
                   : view.status;
    }
    if (status == KIN_OK) {
        kin_batch_rows_finish(&builder, columns.names, columns.count, &t->out);
        status = t->out.failed ? KIN_E_NOMEM : KIN_OK;
    }
    t->task.status = status;
    kin_buf_deinit(&builder.rows);
    worker_columns_deinit(&columns);
    store_view_deinit(&view);
}

static void rows_finish(struct worker_task *task)
{
    struct rows_task *t = (struct rows_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK) {
        worker_reply_step(job->worker, job->id, KIN_MSG_ROWS, task->request, task->status,
                          kin_status_text(task->status));
        return;
    }
    struct kin_message m = {.type = KIN_MSG_ROWS_GOT};
    m.u.rows_got.job = job->id;
    worker_send(job->worker, &m, task->request, &t->out);
}

static void rows_release(struct worker_task *task)
{
    kin_buf_deinit(&((struct rows_task *)task)->out);
}

void worker_job_on_rows(struct worker_job *job, const struct kin_message *m)
{
    if (job->label_state != STEP_DONE || worker_task_under_way(job, m->request))
        return;
    struct rows_task *t = worker_task_new(job, sizeof *t, rows_run, rows_finish, rows_release);
    if (!t)
        return;
    t->task.request = m->request;
    t->first = m->u.rows.first;
    t->end = m->u.rows.end;
    worker_task_start(&t->task);
}
