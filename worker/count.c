#include "worker/impl.h"

#include <string.h>

/* Counting for the model: agreement patterns of the pairs in the blocks that are looked at, and how
 * often values, and the tokens of texts, occur among the records at home here. What leaves the
 * worker are counts, never pairs: training costs no more to move when there are more records.
 *
 * A pair is counted once, where it would be scored: in the block of its smallest common key; with
 * the set of all keys that find it, so that the coordinator knows what each key finds and how far
 * they overlap. Only ordinary blocks count. For a plan the stars count too, as far as they are no
 * larger than ordinary blocks, and pairs are told that the rules match. */

enum { PASSES_MAX = 64 };

/* ---- patterns ---- */

struct count_task {
    struct worker_task task;
    struct store_view view;
    struct kin_comparer_scratch *scratch; /* of the model */
    struct kin_decider_state *state;      /* of the rules, where they are asked for */
    struct kin_buf members;               /* const uint8_t * */
    struct kin_pattern_table table;
};

/* The keys both have in common, oversized ones left out, and the smallest of them. */
static uint64_t common_keys(const struct worker_job *job, const uint8_t *a, const uint8_t *b,
                            uint64_t *smallest)
{
    unsigned n, m, i = 0, j = 0;
    const uint8_t *x = kin_features_keys(a, &n), *y = kin_features_keys(b, &m);
    uint64_t set = 0;
    while (i < n && j < m) {
        uint64_t p = kin_le64(x + 8 * (size_t)i), q = kin_le64(y + 8 * (size_t)j);
        unsigned rule = kin_key_rule_number(p);
        if (p == q && rule < job->count_every_n && rule < PASSES_MAX &&
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

/* False: the pair does not count. */
static bool pattern_of(const struct count_task *t, const uint8_t *a, const uint8_t *b,
                       uint64_t *pattern)
{
    const struct worker_job *job = t->task.job;
    bool matched = t->state && kin_decide(job->decider, t->state, a, b) >= 0;
    *pattern = matched ? KIN_PATTERN_MATCHED : 0;
    if (job->comparer)
        *pattern |= kin_comparer_pattern(job->comparer, t->scratch, a, b);
    return matched || job->comparer;
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
        m[i] = store_view_at(&t->view, job->records.items[block_members(p, b)[i]]);
        if (!m[i])
            return t->view.status;
    }
    for (uint32_t i = 0; i < b->count; i++) {
        for (uint32_t j = i + 1; j < b->count; j++) {
            uint64_t smallest = 0, pattern;
            if (across && kin_features_source(m[i]) == kin_features_source(m[j]))
                continue;
            uint64_t set = common_keys(job, m[i], m[j], &smallest);
            if (smallest != b->key || !pattern_of(t, m[i], m[j], &pattern))
                continue;
            if (!kin_pattern_table_add(&t->table, pattern, set, 1))
                return KIN_E_NOMEM;
        }
    }
    return KIN_OK;
}

static bool is_looked_at(const struct worker_job *job, const struct block *b)
{
    unsigned rule = kin_key_rule_number(b->key);
    bool counts = b->kind == BLOCK_PAIRS ||
                  (b->kind == BLOCK_STAR && b->count <= job->workflow->limits.max_block);
    uint32_t every =
        counts && rule < job->count_every_n ? kin_le32(job->count_every.p + 4 * (size_t)rule) : 0;
    return every && kin_hash_mix(b->key, 1) % every == 0;
}

static void patterns_run(struct kin_env *env, struct kin_work *work)
{
    struct count_task *t = (struct count_task *)work;
    struct worker_job *job = t->task.job;
    kin_status status = store_view_init(&t->view, env, DB_FEATURES, job);
    t->scratch = kin_comparer_scratch_new();
    t->state = job->count_rules ? kin_decider_state_new(job->decider) : NULL;
    if (status == KIN_OK && (!t->scratch || (job->count_rules && !t->state)))
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
    kin_decider_state_free(t->state);
    store_view_deinit(&t->view);
    kin_buf_deinit(&t->members);
}

/* ---- putting together ---- */

static void count_release(struct worker_task *task)
{
    struct count_task *t = (struct count_task *)task;
    kin_pattern_table_deinit(&t->table);
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

static size_t comparisons_of(const struct worker_job *job)
{
    return job->workflow->model ? job->workflow->model->comparison_count : 0;
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
    for (size_t i = 0; i < (comparisons_of(job) ? VALUE_LISTS : 0); i++) {
        const struct kin_buf *v = &job->value_lists[i];
        if (i % KIN_COMPARISONS_MAX < job->workflow->model->comparison_count) {
            kin_buf_u64(&job->values, job->value_totals[i]);
            kin_buf_u64(&job->values, v->n / 16);
            kin_buf_put(&job->values, v->p, v->n);
        }
        kin_buf_deinit(&job->value_lists[i]);
    }
    kin_pattern_table_deinit(t);
    return job->patterns.failed || job->values.failed ? KIN_E_NOMEM : KIN_OK;
}

void worker_count_done(struct worker_job *job, kin_status status)
{
    if (status != KIN_OK && job->count_status == KIN_OK)
        job->count_status = status;
    if (--job->count_left)
        return;
    if (job->count_status == KIN_OK)
        job->count_status = finish_answers(job);
    if (job->count_status == KIN_OK)
        job->count_state = STEP_DONE;
    reply(job);
}

static void count_finish(struct worker_task *task)
{
    struct count_task *t = (struct count_task *)task;
    kin_status status = task->status;
    if (status == KIN_OK && !kin_pattern_table_merge(&task->job->count_table, &t->table))
        status = KIN_E_NOMEM;
    worker_count_done(task->job, status);
}

static kin_status start_patterns(struct worker_job *job)
{
    uint32_t threads = worker_job_threads(job->worker);
    for (uint32_t i = 0; i < threads; i++) {
        struct count_task *t =
            worker_task_new(job, sizeof *t, patterns_run, count_finish, count_release);
        if (!t)
            return KIN_E_NOMEM;
        job->count_left++;
        worker_task_start(&t->task);
    }
    return KIN_OK;
}

static kin_status begin(struct worker_job *job, const struct kin_message *m,
                        const struct kin_frame *f)
{
    job->count_rules = m->u.count.rules && job->workflow->rule_count;
    kin_status status = job->count_rules ? worker_decider(job) : KIN_OK;
    if (status != KIN_OK)
        return status;
    worker_values_clear(job);
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
    if (!(job->comparer || m->u.count.rules) || !job->plan_installed ||
        job->plan != m->u.count.plan || job->count_state == STEP_RUNNING ||
        job->match_state == STEP_RUNNING || f->payload.n % 4)
        return;
    if (job->count_state == STEP_DONE) {
        reply(job);
        return;
    }
    job->count_status = begin(job, m, f);
    job->count_left = 1; /* this call: so that what is started below does not end before it */
    job->item_count = 0; /* progress is of matching */
    kin_status status = KIN_OK;
    if (job->count_status == KIN_OK) {
        job->count_state = STEP_RUNNING;
        if (f->payload.n)
            status = start_patterns(job);
        if (status == KIN_OK && job->workflow->model)
            status = worker_values_start(job, m->u.count.values);
    }
    worker_count_done(job, status);
}

void worker_count_free(struct worker_job *job)
{
    worker_values_clear(job);
    kin_pattern_table_deinit(&job->count_table);
    kin_buf_deinit(&job->count_every);
    kin_buf_deinit(&job->patterns);
    kin_buf_deinit(&job->values);
}
