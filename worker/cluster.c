#include "worker/impl.h"

#include "proto/edges.h"

#include <string.h>

/* Local clustering: sets and best edges, which the threads of the match fill as they end; then the
 * spanning forest that leaves the worker, the edges of all threads, each in order, merged without
 * repeats, and these into the store. */

void worker_edges_free(struct kin_buf *edges)
{
    struct kin_buf *lists = (struct kin_buf *)(void *)edges->p;
    for (size_t i = 0; i < edges->n / sizeof *lists; i++)
        kin_buf_deinit(&lists[i]);
    kin_buf_deinit(edges);
}

struct cluster_task {
    struct worker_task task;
    struct kin_buf lists; /* as in the job */
    struct kin_buf edges;
    struct kin_buf forest;
    struct kin_buf answer; /* MATCHED payload */
};

/* An edge of a rule, or one of the model that is strong enough. */
static bool joins(const struct worker_job *job, const struct kin_keyed *e)
{
    uint32_t rule = e->value & ~(uint32_t)KIN_EDGE_STAR;
    return rule < job->workflow->rule_count || (int32_t)e->extra >= job->weight_threshold;
}

kin_status worker_cluster_begin(struct worker_job *job)
{
    worker_cluster_free(job);
    kin_status status = kin_union_find_init(&job->sets, job->records.count);
    if (status == KIN_OK)
        status = kin_best_edges_init(&job->best, job->records.count, job->workflow->model != NULL,
                                     (uint16_t)job->workflow->rule_count);
    return status;
}

void worker_cluster_free(struct worker_job *job)
{
    kin_union_find_deinit(&job->sets);
    kin_best_edges_deinit(&job->best);
}

/* Neither sets nor best edges know an order, and a pair that was found twice counts once in both:
 * so threads need not wait for one another, nor for the edges to be sorted. */
void worker_cluster_unite(struct worker_job *job, const struct kin_buf *edges)
{
    const struct kin_keyed *e = (const struct kin_keyed *)(const void *)edges->p;
    size_t n = edges->n / sizeof *e;
    for (size_t i = 0; i < n; i++) {
        uint32_t a = (uint32_t)(e[i].key >> 32), b = (uint32_t)e[i].key;
        struct kin_best_edge edge = {(uint16_t)e[i].value, /* the star bit lies above */
                                     (int32_t)e[i].extra};
        if (n - i > KIN_UNION_FIND_AHEAD) {
            uint64_t later = e[i + KIN_UNION_FIND_AHEAD].key;
            kin_union_find_fetch(&job->sets, (uint32_t)(later >> 32));
            kin_union_find_fetch(&job->sets, (uint32_t)later);
        }
        if (!joins(job, &e[i]))
            continue;
        kin_union_find_join(&job->sets, a, b);
        kin_best_edges_add(&job->best, a, edge);
        kin_best_edges_add(&job->best, b, edge);
    }
}

/* Every record with an edge that joins: (record, smallest record it hangs together with here, best
 * rule, weight). */
static kin_status make_forest(struct worker_job *job, struct kin_buf *forest)
{
    for (uint32_t l = 0; l < job->records.count; l++) {
        if (!kin_best_edges_has(&job->best, l))
            continue;
        struct kin_best_edge best = kin_best_edges_get(&job->best, l);
        kin_buf_u32(forest, job->records.items[l].number);
        kin_buf_u32(forest, job->records.items[kin_union_find_root(&job->sets, l)].number);
        kin_buf_u32(forest, best.rule);
        kin_buf_u32(forest, (uint32_t)best.weight);
    }
    return forest->failed ? KIN_E_NOMEM : KIN_OK;
}

static kin_status make_answer(struct worker_job *job, struct kin_env *env, struct kin_buf *out)
{
    size_t rules = job->workflow->key_count, splits = 0;
    struct store_view view;
    kin_status status = store_view_init(&view, env, DB_FEATURES, job);
    if (status != KIN_OK) {
        store_view_deinit(&view);
        return status;
    }
    for (unsigned p = 0; p < PARTITIONS; p++)
        splits += job->partitions[p].splits.n / sizeof(struct split_note);
    kin_buf_u32(out, (uint32_t)rules);
    kin_buf_u32(out, (uint32_t)splits);
    for (size_t i = 0; i < worker_match_words(job); i++)
        kin_buf_u64(out, job->rule_counts[i]);
    for (unsigned p = 0; p < PARTITIONS; p++) {
        const struct kin_buf *notes = &job->partitions[p].splits;
        for (size_t i = 0; i < notes->n; i += sizeof(struct split_note)) {
            struct split_note note;
            memcpy(&note, notes->p + i, sizeof note);
            kin_buf_u64(out, note.key);
            kin_buf_u32(out, note.count);
            kin_buf_u32(out, note.refined);
            kin_buf_u32(out, note.windowed);
            kin_buf_u64(out, note.pairs_kept);
            worker_put_key_text(job, &view, note.key, note.sample, out);
        }
    }
    status = out->failed ? KIN_E_NOMEM : view.status;
    store_view_deinit(&view);
    return status;
}

static void cluster_run(struct kin_env *env, struct kin_work *work)
{
    struct cluster_task *t = (struct cluster_task *)work;
    struct worker_job *job = t->task.job;
    struct kin_buf *lists = (struct kin_buf *)(void *)t->lists.p;
    kin_status status = kin_edges_merge(lists, t->lists.n / sizeof *lists, &t->edges);
    if (status == KIN_OK)
        status = make_forest(job, &t->forest);
    if (status == KIN_OK)
        status = make_answer(job, env, &t->answer);
    t->task.status = status;
}

static void cluster_release(struct worker_task *task)
{
    struct cluster_task *t = (struct cluster_task *)task;
    worker_edges_free(&t->lists);
    kin_buf_deinit(&t->edges);
    kin_buf_deinit(&t->forest);
    kin_buf_deinit(&t->answer);
}

void worker_cluster_answer(struct worker_job *job)
{
    struct kin_message m = {.type = KIN_MSG_MATCHED};
    struct kin_buf payload = {0};
    kin_buf_put(&payload, job->match_answer.p, job->match_answer.n);
    m.u.matched.job = job->id;
    worker_send(job->worker, &m, job->match_request, &payload);
}

static void edges_stored(struct worker_store *s, kin_status status)
{
    struct worker_job *job = s->job;
    if (status != KIN_OK && job->match_status == KIN_OK)
        job->match_status = status;
    if (--job->stores_left)
        return;
    if (job->match_status != KIN_OK) {
        worker_match_failed(job, job->match_status);
        return;
    }
    job->match_state = STEP_DONE;
    worker_cluster_answer(job);
}

enum { PAGES_PER_OP = 128 };

/* One op of up to PAGES_PER_OP pages, from edge `first` on. */
static struct worker_store *edge_op(struct worker_job *job, const struct kin_keyed *e, size_t first,
                                    size_t end, uint64_t page)
{
    size_t pages = (end - first + EDGE_PAGE_ENTRIES - 1) / EDGE_PAGE_ENTRIES;
    struct worker_store *s = worker_store_new(job, pages, edges_stored);
    uint8_t *p = s ? kin_buf_extend(&s->memory,
                                    pages * WORKER_STORE_KEY_BYTES + (end - first) * KIN_EDGE_BYTES)
                   : NULL;
    if (!p) {
        worker_store_drop(s);
        return NULL;
    }
    const struct record_at *records = job->records.items;
    for (size_t i = 0; i < pages; i++) {
        size_t from = first + i * EDGE_PAGE_ENTRIES;
        size_t to = from + EDGE_PAGE_ENTRIES < end ? from + EDGE_PAGE_ENTRIES : end;
        const char *edges = (const char *)p + WORKER_STORE_KEY_BYTES;
        s->puts[i] = (struct kin_store_put){.db = DB_EDGES,
                                            .key = worker_store_key(p, job->id, page + i),
                                            .value = {edges, (to - from) * KIN_EDGE_BYTES}};
        p += WORKER_STORE_KEY_BYTES;
        for (size_t k = from; k < to; k++, p += KIN_EDGE_BYTES) {
            kin_put_le32(p, records[e[k].key >> 32].number);
            kin_put_le32(p + 4, records[(uint32_t)e[k].key].number);
            kin_put_le32(p + 8, e[k].value);
            kin_put_le32(p + 12, e[k].extra);
        }
    }
    return s;
}

static void cluster_finish(struct worker_task *task)
{
    struct cluster_task *t = (struct cluster_task *)task;
    struct worker_job *job = task->job;
    worker_cluster_free(job);
    if (task->status != KIN_OK) {
        worker_match_failed(job, task->status);
        return;
    }
    kin_buf_deinit(&job->forest);
    kin_buf_deinit(&job->match_answer);
    job->forest = t->forest;
    job->match_answer = t->answer;
    t->forest = t->answer = (struct kin_buf){0};
    const struct kin_keyed *e = (const struct kin_keyed *)(const void *)t->edges.p;
    size_t n = t->edges.n / sizeof *e, step = (size_t)PAGES_PER_OP * EDGE_PAGE_ENTRIES;
    job->edge_pages = (n + EDGE_PAGE_ENTRIES - 1) / EDGE_PAGE_ENTRIES;
    job->stores_left = (n + step - 1) / step;
    for (size_t first = 0; first < n; first += step) {
        size_t end = first + step < n ? first + step : n;
        struct worker_store *s = edge_op(job, e, first, end, first / EDGE_PAGE_ENTRIES);
        if (!s) {
            job->match_status = KIN_E_NOMEM;
            job->stores_left -= (n - first + step - 1) / step;
            if (job->stores_left == 0)
                worker_match_failed(job, KIN_E_NOMEM);
            return;
        }
        worker_store_start(s);
    }
    if (n == 0) {
        job->match_state = STEP_DONE;
        worker_cluster_answer(job);
    }
}

void worker_cluster_start(struct worker_job *job)
{
    struct cluster_task *t =
        worker_task_new(job, sizeof *t, cluster_run, cluster_finish, cluster_release);
    if (!t) {
        worker_match_failed(job, KIN_E_NOMEM);
        return;
    }
    t->lists = job->edges;
    job->edges = (struct kin_buf){0};
    worker_task_start(&t->task);
}
