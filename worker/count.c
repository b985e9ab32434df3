#include "worker/impl.h"

#include <string.h>

/* Counting for the model: agreement patterns of the pairs in the blocks that are looked at, and how
 * often values occur among the records at home here. What leaves the worker are counts, never
 * pairs: training costs no more to move when there are more records.
 *
 * A pair is counted once, where it would be scored: in the block of its smallest common key; with
 * the set of all blocking keys that find it, so that the coordinator knows what each key finds and
 * how far they overlap. Only ordinary blocks count. */

enum { PASSES_MAX = 64 };

/* ---- patterns ---- */

struct count_task {
    struct worker_task task;
    struct store_view view;
    struct kin_comparer_scratch *scratch;
    struct kin_buf members; /* const uint8_t * */
    struct kin_pattern_table table;
    /* values: */
    unsigned comparison;
    uint64_t total;
    struct kin_buf values; /* u64 hash, u64 records */
};

/* The blocking keys both have in common, oversized ones left out, and the smallest of them. */
static uint64_t common_keys(const struct worker_job *job, const uint8_t *a, const uint8_t *b,
                            uint64_t *smallest)
{
    unsigned n, m, i = 0, j = 0;
    const uint8_t *x = kin_features_keys(a, &n), *y = kin_features_keys(b, &m);
    uint64_t set = 0;
    while (i < n && j < m) {
        uint64_t p = kin_le64(x + 8 * (size_t)i), q = kin_le64(y + 8 * (size_t)j);
        unsigned rule = kin_key_rule_number(p);
        if (p == q && rule < job->workflow->block_key_count && rule < PASSES_MAX &&
            !worker_key_oversized(job, p)) {
            if (!set)
                *smallest = p;
            set |= (uint64_t)1 << rule;
        }
        i += p <= q;
        j += p >= q;
    }
    return set;
}

static kin_status count_block(struct count_task *t, const struct partition *p,
                              const struct block *b)
{
    const struct worker_job *job = t->task.job;
    bool across = job->workflow->across_sources;
    kin_buf_clear(&t->members);
    const uint8_t **m = (const uint8_t **)(void *)kin_buf_extend(&t->members, b->count * sizeof *m);
    if (!m)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < b->count; i++) {
        m[i] = store_view_at(&t->view, job->records.items[p->postings[b->start + i].value]);
        if (!m[i])
            return t->view.status;
    }
    for (uint32_t i = 0; i < b->count; i++) {
        for (uint32_t j = i + 1; j < b->count; j++) {
            uint64_t smallest = 0;
            if (across && kin_features_source(m[i]) == kin_features_source(m[j]))
                continue;
            uint64_t set = common_keys(job, m[i], m[j], &smallest);
            if (smallest != b->key)
                continue;
            uint64_t pattern = kin_comparer_pattern(job->comparer, t->scratch, m[i], m[j]);
            if (!kin_pattern_table_add(&t->table, pattern, set, 1))
                return KIN_E_NOMEM;
        }
    }
    return KIN_OK;
}

static bool is_looked_at(const struct worker_job *job, const struct block *b)
{
    unsigned rule = kin_key_rule_number(b->key);
    uint32_t every = b->kind == BLOCK_PAIRS && rule < job->count_every_n
                         ? kin_le32(job->count_every.p + 4 * (size_t)rule)
                         : 0;
    return every && kin_hash_mix(b->key, 1) % every == 0;
}

static void patterns_run(struct kin_env *env, struct kin_work *work)
{
    struct count_task *t = (struct count_task *)work;
    struct worker_job *job = t->task.job;
    kin_status status = store_view_init(&t->view, env, DB_FEATURES, job->durable);
    t->scratch = kin_comparer_scratch_new();
    if (status == KIN_OK && !t->scratch)
        status = KIN_E_NOMEM;
    while (status == KIN_OK) {
        size_t at = atomic_fetch_add_explicit(&job->item_next, 1, memory_order_relaxed);
        if (at >= PARTITIONS)
            break;
        const struct partition *p = &job->partitions[at];
        const struct block *blocks = (const struct block *)(const void *)p->blocks.p;
        for (size_t b = 0; b < p->blocks.n / sizeof *blocks && status == KIN_OK; b++) {
            if (is_looked_at(job, &blocks[b]))
                status = count_block(t, p, &blocks[b]);
        }
    }
    t->task.status = status;
    kin_comparer_scratch_free(t->scratch);
    store_view_deinit(&t->view);
    kin_buf_deinit(&t->members);
}

/* ---- values ---- */

/* Equal hashes to one entry each. */
static kin_status put_runs(struct count_task *t, struct kin_keyed *hashes, size_t n)
{
    struct kin_keyed *tmp = kin_reallocarray(NULL, n, sizeof *tmp);
    if (!tmp)
        return KIN_E_NOMEM;
    if (n)
        kin_radix_sort(hashes, tmp, n);
    kin_free(tmp);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && hashes[end].key == hashes[i].key; end++)
            continue;
        kin_buf_u64(&t->values, hashes[i].key);
        kin_buf_u64(&t->values, end - i);
    }
    return t->values.failed ? KIN_E_NOMEM : KIN_OK;
}

static void values_run(struct kin_env *env, struct kin_work *work)
{
    struct count_task *t = (struct count_task *)work;
    const struct worker_job *job = t->task.job;
    const struct kin_workflow *w = job->workflow;
    struct kin_buf hashes = {0};
    uint64_t terms[KIN_COMPARISON_TERMS_MAX];
    struct kin_arena arena = {0};
    uint64_t *seeds = kin_arena_calloc(&arena, w->source_count, sizeof *seeds);
    kin_status status = store_view_init(&t->view, env, DB_FEATURES, job->durable);
    if (status == KIN_OK && !seeds)
        status = KIN_E_NOMEM;
    for (size_t s = 0; seeds && s < w->source_count; s++)
        seeds[s] = kin_hash64(w->sources[s].name, strlen(w->sources[s].name), 0);
    for (uint32_t l = 0; l < job->records.count && status == KIN_OK; l++) {
        uint32_t number = job->records.items[l].number;
        if (worker_is_dead(job, number))
            continue;
        const uint8_t *rec = store_view_at(&t->view, job->records.items[l]);
        if (!rec) {
            status = t->view.status;
        } else if (kin_features_source(rec) >= w->source_count) {
            status = KIN_E_CORRUPT;
        } else if (kin_home_worker(&job->shards, seeds[kin_features_source(rec)],
                                   kin_features_id(rec)) == job->index) {
            unsigned n = kin_comparer_terms(job->comparer, t->comparison, rec, terms);
            t->total += n > 0;
            for (unsigned i = 0; i < n; i++) {
                struct kin_keyed k = {.key = terms[i]};
                kin_buf_put(&hashes, &k, sizeof k);
            }
        }
    }
    if (status == KIN_OK && hashes.failed)
        status = KIN_E_NOMEM;
    if (status == KIN_OK)
        status =
            put_runs(t, (struct kin_keyed *)(void *)hashes.p, hashes.n / sizeof(struct kin_keyed));
    kin_buf_deinit(&hashes);
    kin_arena_deinit(&arena);
    store_view_deinit(&t->view);
    t->task.status = status;
}

/* ---- putting together ---- */

static void count_release(struct worker_task *task)
{
    struct count_task *t = (struct count_task *)task;
    kin_pattern_table_deinit(&t->table);
    kin_buf_deinit(&t->values);
}

static void reply(struct worker_job *job)
{
    if (job->count_status != KIN_OK) {
        job->count_state = STEP_IDLE; /* asked again, it starts anew */
        worker_reply_step(job->worker, job->id, KIN_MSG_COUNT, job->count_request,
                          job->count_status, kin_status_text(job->count_status));
        return;
    }
    struct kin_message m = {.type = KIN_MSG_COUNTED};
    m.u.counted.job = job->id;
    worker_send(job->worker, &m, job->count_request, NULL);
}

/* The answers, in an order of their own, so that a PULL can go on in another life. */
static kin_status finish_answers(struct worker_job *job)
{
    struct kin_pattern_table *t = &job->count_table;
    size_t n = kin_pattern_table_sort(t);
    kin_buf_clear(&job->patterns);
    for (size_t i = 0; i < n; i++) {
        kin_buf_u64(&job->patterns, t->slots[i].pattern);
        kin_buf_u64(&job->patterns, t->slots[i].set);
        kin_buf_u64(&job->patterns, t->slots[i].count);
    }
    kin_buf_clear(&job->values);
    for (size_t i = 0; i < job->workflow->model->comparison_count; i++) {
        const struct kin_buf *v = &job->value_lists[i];
        kin_buf_u64(&job->values, job->value_totals[i]);
        kin_buf_u64(&job->values, v->n / 16);
        kin_buf_put(&job->values, v->p, v->n);
        kin_buf_deinit(&job->value_lists[i]);
    }
    kin_pattern_table_deinit(t);
    return job->patterns.failed || job->values.failed ? KIN_E_NOMEM : KIN_OK;
}

static void count_finish(struct worker_task *task)
{
    struct count_task *t = (struct count_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK && job->count_status == KIN_OK)
        job->count_status = task->status;
    if (job->count_status == KIN_OK && !kin_pattern_table_merge(&job->count_table, &t->table))
        job->count_status = KIN_E_NOMEM;
    if (t->values.n) {
        kin_buf_deinit(&job->value_lists[t->comparison]);
        job->value_lists[t->comparison] = t->values;
        t->values = (struct kin_buf){0};
    }
    job->value_totals[t->comparison] += t->total;
    if (--job->count_left)
        return;
    if (job->count_status == KIN_OK)
        job->count_status = finish_answers(job);
    if (job->count_status == KIN_OK)
        job->count_state = STEP_DONE;
    reply(job);
}

static void start_task(struct worker_job *job, void (*run)(struct kin_env *, struct kin_work *),
                       unsigned comparison)
{
    struct count_task *t = worker_task_new(job, sizeof *t, run, count_finish, count_release);
    if (!t) {
        job->count_status = KIN_E_NOMEM;
        return;
    }
    t->comparison = comparison;
    job->count_left++;
    worker_task_start(&t->task);
}

static kin_status begin(struct worker_job *job, const struct kin_frame *f)
{
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++) {
        kin_buf_deinit(&job->value_lists[i]);
        job->value_totals[i] = 0;
    }
    kin_pattern_table_deinit(&job->count_table);
    kin_buf_clear(&job->count_every);
    kin_buf_put(&job->count_every, f->payload.p, f->payload.n);
    job->count_every_n = (uint32_t)(f->payload.n / 4);
    atomic_store(&job->item_next, 0);
    return job->count_every.failed ? KIN_E_NOMEM : KIN_OK;
}

void worker_job_on_count(struct worker_job *job, const struct kin_message *m, struct kin_frame *f)
{
    job->count_request = m->request;
    if (!job->comparer || !job->plan_installed || job->plan != m->u.count.plan ||
        job->count_state == STEP_RUNNING || job->match_state == STEP_RUNNING || f->payload.n % 4)
        return;
    if (job->count_state == STEP_DONE) {
        reply(job);
        return;
    }
    job->count_status = begin(job, f);
    job->count_left = 0;
    job->item_count = 0; /* progress is of matching */
    uint32_t threads = job->worker->env->ops->threads(job->worker->env);
    if (job->count_status == KIN_OK) {
        job->count_state = STEP_RUNNING;
        for (uint32_t i = 0; i < threads && f->payload.n; i++)
            start_task(job, patterns_run, 0);
        for (unsigned i = 0; i < job->workflow->model->comparison_count; i++) {
            if (m->u.count.values >> i & 1)
                start_task(job, values_run, i);
        }
    }
    if (job->count_left)
        return;
    if (job->count_status == KIN_OK)
        job->count_status = finish_answers(job);
    if (job->count_status == KIN_OK)
        job->count_state = STEP_DONE;
    reply(job);
}

void worker_count_free(struct worker_job *job)
{
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++)
        kin_buf_deinit(&job->value_lists[i]);
    kin_pattern_table_deinit(&job->count_table);
    kin_buf_deinit(&job->count_every);
    kin_buf_deinit(&job->patterns);
    kin_buf_deinit(&job->values);
}
