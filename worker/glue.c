#include "worker/impl.h"

#include "common/group/union_find.h"
#include "proto/edges.h"

/* What holds a large group together: of this worker's edges among the group's records a spanning
 * forest of the strongest (Kruskal 1956), each edge with the values that its two ends share. The
 * strongest forest of all workers' forests is that of all edges, wherever they lie.
 *
 * Request payload: u32 record[], ascending. Answer: for each edge u32 a, u32 b, u32 rule, i32
 * weight, u32 values; each value u32 field, u64 hash, u32 bytes, text. */

enum { VALUES_SHOWN = 16 }; /* of an edge */

struct glue_task {
    struct worker_task task;
    struct kin_frame *frame; /* the request */
    struct kin_buf edges;    /* kin_keyed: a << 32 | b as places in the request, rule, weight */
    struct kin_buf out;
};

static bool find_place(const struct kin_buf *wanted, uint32_t record, uint32_t *place)
{
    size_t low = 0, high = wanted->n / 4;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kin_le32(wanted->p + 4 * middle) < record)
            low = middle + 1;
        else
            high = middle;
    }
    *place = (uint32_t)low;
    return low < wanted->n / 4 && kin_le32(wanted->p + 4 * low) == record;
}

static kin_status gather(struct glue_task *t, struct kin_env *env, struct kin_snap *snap)
{
    const struct worker_job *job = t->task.job;
    const struct kin_buf *wanted = &t->frame->payload;
    size_t count = wanted->n / 4, next = 0; /* edges come in the order of their first record */
    for (uint64_t page = 0; page < job->edge_pages; page++) {
        uint8_t key[WORKER_STORE_KEY_BYTES];
        struct kin_str value;
        kin_status status =
            env->ops->snap_get(snap, DB_EDGES, worker_store_key(key, job->id, page), &value);
        if (status != KIN_OK)
            return status;
        for (size_t i = 0; i + KIN_EDGE_BYTES <= value.n; i += KIN_EDGE_BYTES) {
            const char *e = value.p + i;
            uint32_t a = kin_le32(e), b, rule = kin_le32(e + 8) & ~(uint32_t)KIN_EDGE_STAR;
            bool joins = rule < job->workflow->rule_count ||
                         (int32_t)kin_le32(e + 12) >= job->weight_threshold;
            while (next < count && kin_le32(wanted->p + 4 * next) < a)
                next++;
            if (next == count)
                return t->edges.failed ? KIN_E_NOMEM : KIN_OK;
            if (!joins || kin_le32(wanted->p + 4 * next) != a ||
                !find_place(wanted, kin_le32(e + 4), &b))
                continue;
            struct kin_keyed edge = {
                .key = (uint64_t)next << 32 | b, .value = rule, .extra = kin_le32(e + 12)};
            kin_buf_put(&t->edges, &edge, sizeof edge);
        }
    }
    return t->edges.failed ? KIN_E_NOMEM : KIN_OK;
}

static void put_shared(const struct worker_job *job, const uint8_t *a, const uint8_t *b,
                       struct kin_buf *out)
{
    uint32_t count = 0;
    size_t at = out->n;
    kin_buf_u32(out, 0);
    for (unsigned f = 0; f < job->workflow->schema.count; f++) {
        const uint8_t *p = NULL, *q = NULL;
        unsigned n = kin_features_values(a, f, &p), m = kin_features_values(b, f, &q);
        for (unsigned i = 0; i < n && count < VALUES_SHOWN; i++) {
            struct kin_value v = kin_features_next(&p);
            const uint8_t *other = q;
            bool shared = false;
            for (unsigned k = 0; k < m && !shared; k++)
                shared = kin_features_next(&other).hash == v.hash;
            if (!shared)
                continue;
            kin_buf_u32(out, f);
            kin_buf_u64(out, v.hash);
            worker_put_value_text(job->workflow->fields[f].type, v.p, v.bytes, out);
            count++;
        }
    }
    if (!out->failed)
        kin_put_le32(out->p + at, count);
}

static kin_status put_forest(struct glue_task *t, struct store_view *view, struct kin_keyed *order,
                             struct kin_union_find *sets)
{
    const struct worker_job *job = t->task.job;
    const struct kin_keyed *e = (const struct kin_keyed *)(const void *)t->edges.p;
    const struct kin_buf *wanted = &t->frame->payload;
    size_t n = t->edges.n / sizeof *e;
    for (size_t i = 0; i < n; i++) {
        const struct kin_keyed *edge = &e[order[i].value];
        uint32_t a = (uint32_t)(edge->key >> 32), b = (uint32_t)edge->key;
        if (!kin_union_find_join(sets, a, b))
            continue;
        a = kin_le32(wanted->p + 4 * (size_t)a);
        b = kin_le32(wanted->p + 4 * (size_t)b);
        const struct record_at *at_a = worker_find_record(&job->records, a),
                               *at_b = worker_find_record(&job->records, b);
        const uint8_t *x = at_a ? store_view_at(view, *at_a) : NULL,
                      *y = at_b ? store_view_at(view, *at_b) : NULL;
        if (!x || !y)
            return at_a && at_b ? view->status : KIN_E_CORRUPT;
        kin_buf_u32(&t->out, a);
        kin_buf_u32(&t->out, b);
        kin_buf_u32(&t->out, edge->value);
        kin_buf_u32(&t->out, edge->extra);
        put_shared(job, x, y, &t->out);
    }
    return t->out.failed ? KIN_E_NOMEM : KIN_OK;
}

static void glue_run(struct kin_env *env, struct kin_work *work)
{
    struct glue_task *t = (struct glue_task *)work;
    struct store_view view;
    struct kin_union_find sets = {0};
    kin_status status = store_view_init(&view, env, DB_FEATURES, t->task.job);
    if (status == KIN_OK)
        status = gather(t, env, view.snap);
    const struct kin_keyed *e = (const struct kin_keyed *)(const void *)t->edges.p;
    size_t n = t->edges.n / sizeof *e;
    struct kin_keyed *order = kin_reallocarray(NULL, n, sizeof *order);
    struct kin_keyed *tmp = kin_reallocarray(NULL, n, sizeof *tmp);
    if (status == KIN_OK)
        status = kin_union_find_init(&sets, (uint32_t)(t->frame->payload.n / 4));
    if (!order || !tmp || n > UINT32_MAX)
        status = status == KIN_OK ? KIN_E_NOMEM : status;
    for (size_t i = 0; i < n && status == KIN_OK; i++) {
        /* pages are in the order of pairs, and the sort is stable */
        order[i] = (struct kin_keyed){.key = kin_edge_weakness(e[i].value, (int32_t)e[i].extra,
                                                               t->task.job->workflow->rule_count),
                                      .value = (uint32_t)i};
    }
    if (status == KIN_OK && n)
        kin_radix_sort(order, tmp, n);
    if (status == KIN_OK)
        status = put_forest(t, &view, order, &sets);
    t->task.status = status;
    kin_free(order);
    kin_free(tmp);
    kin_union_find_deinit(&sets);
    store_view_deinit(&view);
}

static void glue_finish(struct worker_task *task)
{
    struct glue_task *t = (struct glue_task *)task;
    struct worker_job *job = task->job;
    struct kin_message m = {.type = KIN_MSG_PULLED};
    if (task->status != KIN_OK) {
        worker_reply_step(job->worker, job->id, KIN_MSG_PULL, task->request, task->status,
                          kin_status_text(task->status));
        return;
    }
    m.u.pulled.job = job->id;
    m.u.pulled.what = KIN_PULL_GLUE;
    m.u.pulled.last = true;
    worker_send(job->worker, &m, task->request, &t->out);
}

static void glue_release(struct worker_task *task)
{
    struct glue_task *t = (struct glue_task *)task;
    kin_frame_unref(t->frame);
    kin_buf_deinit(&t->edges);
    kin_buf_deinit(&t->out);
}

void worker_job_on_glue(struct worker_job *job, const struct kin_message *m, struct kin_frame *f)
{
    if (job->match_state != STEP_DONE || worker_task_under_way(job, m->request))
        return;
    struct glue_task *t = worker_task_new(job, sizeof *t, glue_run, glue_finish, glue_release);
    if (!t)
        return;
    t->task.request = m->request;
    t->frame = kin_frame_ref(f);
    worker_task_start(&t->task);
}
