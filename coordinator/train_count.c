/* What workers count for the training, and the counts of all of them added up. */
#include "coordinator/train_parts.h"

#include "common/match/compare_tokens.h"

enum { PLAN_PASS_PAIRS = 1000000 }; /* of each key, where no model says how many */

/* ---- what is counted ---- */

bool train_counts(const struct cjob *job)
{
    return job->phase == KIN_PHASE_TRAIN && job->train && job->plan;
}

void train_ask(const struct kin_coordinator *c, struct kin_message *m)
{
    m->type = KIN_MSG_COUNT;
    m->u.count.job = c->job->id;
    m->u.count.plan = c->job->plan;
    m->u.count.values = c->job->train->tokens_known ? 0 : c->job->train->values;
    m->u.count.rules = c->job->options->plan_only;
}

const struct kin_buf *train_every(const struct cjob *job)
{
    return &job->train->every;
}

kin_status train_take_patterns(struct kin_coordinator *c, const struct kin_frame *f)
{
    struct train *t = c->job->train;
    const struct kin_workflow_model *model = c->job->workflow->model;
    uint64_t passes = 0;
    for (size_t p = 0; model && p < model->pass_count; p++)
        passes |= (uint64_t)1 << model->passes[p];
    if (f->payload.n % KIN_PATTERN_BYTES)
        return KIN_E_PROTO;
    for (size_t i = 0; i < f->payload.n; i += KIN_PATTERN_BYTES) {
        const uint8_t *p = f->payload.p + i;
        uint64_t pattern = kin_le64(p), set = kin_le64(p + 8), count = kin_le64(p + 16);
        unsigned rule = set ? (unsigned)__builtin_ctzll(set) : 64;
        if (4 * (size_t)rule >= t->every.n || count == 0 || count > UINT32_MAX)
            return KIN_E_PROTO;
        /* only every n-th block of its smallest key was looked at */
        uint64_t scale = kin_le32(t->every.p + 4 * (size_t)rule);
        if ((set & passes) && !kin_pattern_table_add(&t->found, pattern & ~KIN_PATTERN_MATCHED,
                                                     set & passes, count * scale))
            return KIN_E_NOMEM;
        if (c->job->options->plan_only && !assess_take(c->job, pattern, set, count * scale))
            return KIN_E_NOMEM;
    }
    return KIN_OK;
}

/* All that a worker counted, once all of it is here; its bytes were gathered in w->values. */
kin_status train_take_values(struct kin_coordinator *c, struct cworker *w)
{
    struct train *t = c->job->train;
    struct kin_cursor at = kin_cursor_of(w->values.p, w->values.n);
    const struct kin_workflow_model *model = c->job->workflow->model;
    for (unsigned i = 0; i < VALUE_LISTS && model; i++) {
        if (i % KIN_COMPARISONS_MAX >= model->comparison_count)
            continue;
        uint64_t total = kin_cursor_u64(&at), n = kin_cursor_u64(&at);
        const uint8_t *p =
            n <= kin_cursor_left(&at) / 16 ? kin_cursor_take(&at, 16 * (size_t)n) : NULL;
        if (at.bad || !p)
            return KIN_E_PROTO;
        t->totals[i] += total;
        for (uint64_t k = 0; k < n; k++) {
            struct kin_keyed item = {kin_le64(p + 16 * k), kin_le32(p + 16 * k + 8), 0};
            kin_buf_put(&t->counts[i], &item, sizeof item);
        }
        if (t->counts[i].failed)
            return KIN_E_NOMEM;
    }
    kin_buf_deinit(&w->values);
    return KIN_OK;
}

/* Tokens are counted before patterns, which depend on them. */
static bool tokens_come_first(const struct train *t)
{
    return t->values >> KIN_COUNT_TOKENS_BIT && !t->tokens_known;
}

/* Every n-th block of each blocking key, so that about pass_pairs of its pairs are looked at; of
 * the stars too for a plan. */
static void choose_blocks(struct kin_coordinator *c)
{
    struct train *t = c->job->train;
    const struct kin_workflow *w = c->job->workflow;
    bool plan = c->job->options->plan_only;
    size_t keys = plan ? w->key_count : w->model->file ? 0 : w->block_key_count;
    if (tokens_come_first(t))
        keys = 0;
    for (size_t k = 0; k < keys; k++) {
        uint32_t most = w->model ? w->model->pass_pairs : PLAN_PASS_PAIRS;
        uint64_t every = c->job->report.keys[k].pairs / most + 1;
        kin_buf_u32(&t->every, every < UINT32_MAX ? (uint32_t)every : UINT32_MAX);
    }
}

void train_count_begin(struct kin_coordinator *c)
{
    choose_blocks(c);
    if (c->job->train->every.failed || plan_write(c) != KIN_OK) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    track_advance_all(c);
}

/* ---- counts of all workers: equal values added up ---- */

static kin_status add_up(struct train *t)
{
    for (unsigned i = 0; i < VALUE_LISTS; i++) {
        struct kin_keyed *k = (struct kin_keyed *)(void *)t->counts[i].p;
        size_t n = t->counts[i].n / sizeof *k, kept = 0;
        struct kin_keyed *tmp = n ? kin_reallocarray(NULL, n, sizeof *tmp) : NULL;
        if (n && !tmp)
            return KIN_E_NOMEM;
        if (n)
            kin_radix_sort(k, tmp, n);
        kin_free(tmp);
        for (size_t j = 0, end; j < n; j = end) {
            k[kept] = k[j];
            for (end = j + 1; end < n && k[end].key == k[j].key; end++)
                k[kept].value += k[end].value;
            kept += k[kept].value > 1; /* a value that only one record has is never agreed on */
        }
        t->counts[i].n = kept * sizeof *k;
    }
    return KIN_OK;
}

struct kin_value_count *train_counts_of(const struct train *t, unsigned list, size_t *n)
{
    const struct kin_keyed *k = (const struct kin_keyed *)(const void *)t->counts[list].p;
    *n = t->counts[list].n / sizeof *k;
    struct kin_value_count *items = kin_reallocarray(NULL, *n, sizeof *items);
    for (size_t i = 0; items && i < *n; i++)
        items[i] = (struct kin_value_count){k[i].key, k[i].value};
    return items;
}

/* The coordinator compares the sample by the same tokens. */
static kin_status set_tokens(struct train *t)
{
    for (unsigned i = 0; t->values >> (KIN_COUNT_TOKENS_BIT + i); i++) {
        unsigned list = KIN_COMPARISONS_MAX + i;
        size_t n;
        struct kin_value_count *items = train_counts_of(t, list, &n);
        if (!items)
            return KIN_E_NOMEM;
        kin_status status = kin_comparer_set_tokens(t->comparer, i, t->totals[list], items, n);
        kin_free(items);
        if (status != KIN_OK)
            return status;
    }
    return KIN_OK;
}

static void added_up_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct ctask *t = (struct ctask *)work;
    struct train *train = t->job->train;
    t->status = add_up(train);
    if (t->status == KIN_OK && tokens_come_first(train))
        t->status = set_tokens(train);
}

/* All workers count once more: patterns, by the tokens. */
static void patterns_begin(struct kin_coordinator *c)
{
    for (unsigned w = 0; w < job_workers(c); w++) {
        struct cworker *worker = &c->job->workers[w];
        worker->counted = worker->got_patterns = worker->got_values = false;
        worker->patterns_next = 0;
    }
    c->job->counted = false;
    train_count_begin(c);
}

static void added_up(struct ctask *task)
{
    struct kin_coordinator *c = task->c;
    const struct kin_workflow_model *model = c->job->workflow->model;
    bool tokens = tokens_come_first(c->job->train);
    bool trained = model && !model->file;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "out of memory");
        return;
    }
    c->job->train->tokens_known |= tokens;
    if (tokens && (trained || c->job->options->plan_only))
        patterns_begin(c);
    else if (trained)
        train_fit_begin(c);
    else
        train_ready(c);
}

void train_counted(struct kin_coordinator *c)
{
    struct ctask *t = ctask_new(c, sizeof *t, added_up_run, added_up, NULL);
    if (t)
        ctask_start(t);
    else
        job_fail(c, KIN_E_NOMEM, "out of memory");
}
