#include "coordinator/impl.h"

#include "common/match/compare_tokens.h"
#include "common/match/pattern_table.h"
#include "common/match/train.h"

#include <stdlib.h>
#include <string.h>

/* The model of a job: read from its file, or trained. For training, workers count agreement
 * patterns in their blocks, and how often values occur; the records with the smallest hashes of
 * (source, id) are gathered here and compared all with all, which tells how often levels occur
 * among random pairs. Where levels weigh words, workers count these first, and go by the counts
 * from then on. What comes of it is a function of the records alone, so the model is too. */

enum {
    SAMPLE_TASKS = 16,
    MODEL_BYTES_MAX = KIN_MODEL_FILE_MAX,
    PLAN_PASS_PAIRS = 1000000, /* of each key, where no model says how many */
    VALUE_LISTS = 2 * KIN_COMPARISONS_MAX
};
static const size_t READ_BYTES = 65536;

struct train {
    struct kin_comparer *comparer;
    uint32_t values;                /* what is counted, as in COUNT */
    bool tokens_known;              /* their counts are part of the plan */
    struct kin_buf every;           /* u32 for each blocking key */
    struct kin_pattern_table found; /* by the blocking keys, scaled up */
    /* of the values of each comparison, then of the tokens: */
    uint64_t totals[VALUE_LISTS];
    struct kin_buf counts[VALUE_LISTS]; /* struct kin_keyed: hash, records */
    /* the random sample */
    struct sample sample;
    unsigned waiting; /* tasks */
    struct kin_pattern_table random;
};

void train_free(struct cjob *job)
{
    struct train *t = job->train;
    if (!t)
        return;
    kin_comparer_free(t->comparer);
    kin_buf_deinit(&t->every);
    kin_pattern_table_deinit(&t->found);
    kin_pattern_table_deinit(&t->random);
    for (unsigned i = 0; i < VALUE_LISTS; i++)
        kin_buf_deinit(&t->counts[i]);
    sample_deinit(&t->sample);
    kin_free(t);
    job->train = NULL;
}

/* ---- the plan ---- */

static void write_counts(const struct train *t, unsigned list, bool wanted, struct kin_buf *out)
{
    const struct kin_keyed *k = (const struct kin_keyed *)(const void *)t->counts[list].p;
    size_t n = wanted ? t->counts[list].n / sizeof *k : 0, kept = 0;
    for (size_t j = 0; j < n; j++)
        kept += k[j].value > 1; /* what was seen once needs no entry */
    kin_buf_u64(out, wanted ? t->totals[list] : 0);
    kin_buf_u64(out, kept);
    for (size_t j = 0; j < n; j++) {
        if (k[j].value > 1) {
            kin_buf_u64(out, k[j].key);
            kin_buf_u64(out, k[j].value);
        }
    }
}

/* One more than the last comparison whose tokens are counted; 0: none, or not yet. */
static uint32_t tokened(const struct train *t)
{
    uint32_t mask = t && t->tokens_known ? t->values >> KIN_COUNT_TOKENS_BIT : 0, n = 0;
    for (; mask >> n; n++)
        continue;
    return n;
}

kin_status plan_write(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    const struct train *t = job->train;
    struct kin_buf *out = &job->plan_bytes;
    uint32_t counted = 0;
    for (unsigned i = 0; t && i < KIN_COMPARISONS_MAX; i++)
        counted = t->values >> i & 1 && job->model_text.n ? i + 1 : counted;
    kin_buf_clear(out);
    kin_buf_u32(out, (uint32_t)(job->oversized.n / 8));
    kin_buf_u32(out, (uint32_t)job->model_text.n);
    kin_buf_u32(out, counted);
    kin_buf_u32(out, tokened(t));
    kin_buf_put(out, job->oversized.p, job->oversized.n);
    kin_buf_put(out, job->model_text.p, job->model_text.n);
    kin_buf_put(out, "\0\0\0\0\0\0\0", (8 - job->model_text.n % 8) % 8);
    for (unsigned i = 0; i < counted; i++)
        write_counts(t, i, job->workflow->model->comparisons[i].term_frequency, out);
    for (unsigned i = 0; i < tokened(t); i++)
        write_counts(t, KIN_COMPARISONS_MAX + i, t->values >> (KIN_COUNT_TOKENS_BIT + i) & 1, out);
    job->plan = kin_hash64(out->p, out->n, job->id) | 1;
    for (unsigned w = 0; w < job_workers(c); w++) {
        job->workers[w].plan_sent = 0;
        job->workers[w].matched = false;
    }
    return out->failed ? KIN_E_NOMEM : KIN_OK;
}

static void model_ready(struct kin_coordinator *c)
{
    if (c->job->options->plan_only) {
        assess_begin(c);
        return;
    }
    if (plan_write(c) != KIN_OK || group_begin_match(c) != KIN_OK) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    job_phase(c, KIN_PHASE_MATCH);
    track_advance_all(c);
}

kin_status train_decider(const struct cjob *job, struct kin_value_counts *counts,
                         struct kin_model_decider **out, struct kin_err *err)
{
    const struct train *t = job->train;
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_model_tables tables;
    kin_status status = kin_model_read(job->model_text.p, job->model_text.n, &arena, &model, err);
    for (unsigned i = 0; status == KIN_OK && i < job->workflow->model->comparison_count; i++) {
        const struct kin_keyed *k = (const struct kin_keyed *)(const void *)t->counts[i].p;
        size_t n = t->counts[i].n / sizeof *k, kept = 0;
        if (!job->workflow->model->comparisons[i].term_frequency)
            continue;
        struct kin_value_count *items = kin_reallocarray(NULL, n, sizeof *items);
        for (size_t j = 0; items && j < n; j++) {
            if (k[j].value > 1)
                items[kept++] = (struct kin_value_count){k[j].key, k[j].value};
        }
        status = items ? kin_value_counts_set(counts, i, t->totals[i], items, kept) : KIN_E_NOMEM;
        kin_free(items);
    }
    if (status == KIN_OK) {
        kin_model_tables(&model, &tables);
        status = kin_model_decider_new(t->comparer, &tables, counts, out, err);
    }
    kin_arena_deinit(&arena);
    return status;
}

/* ---- a model from its file ---- */

struct file_task {
    struct ctask task;
    struct kin_buf text;
};

static kin_status read_all(struct kin_env *env, const char *path, struct kin_buf *out,
                           struct kin_err *err)
{
    struct kin_source_handle *h;
    kin_status status = env->ops->source_open(env, path, &h, err);
    if (status != KIN_OK)
        return status;
    for (;;) {
        size_t got = 0;
        uint8_t *to = kin_buf_extend(out, READ_BYTES);
        if (!to) {
            status = kin_err_set(err, KIN_E_NOMEM, "%s: out of memory", path);
            break;
        }
        status = env->ops->source_read(h, to, READ_BYTES, &got, err);
        out->n -= READ_BYTES - got;
        if (status == KIN_OK && out->n > MODEL_BYTES_MAX)
            status = kin_err_set(err, KIN_E_LIMIT, "%s: larger than a model can be", path);
        if (status != KIN_OK || got == 0)
            break;
    }
    env->ops->source_close(h);
    return status;
}

static void file_run(struct kin_env *env, struct kin_work *work)
{
    struct file_task *t = (struct file_task *)work;
    const struct cjob *job = t->task.job;
    const char *path = job->workflow->model->file;
    struct kin_arena arena = {0};
    struct kin_model model;
    kin_status status = read_all(env, path, &t->text, &t->task.err);
    if (status == KIN_OK) {
        status = kin_model_read(t->text.p, t->text.n, &arena, &model, &t->task.err);
        if (status == KIN_OK)
            status = kin_comparer_check_model(job->train->comparer, &model.spec, &t->task.err);
        if (status != KIN_OK)
            kin_err_wrap(&t->task.err, status, "%s", path);
    }
    kin_arena_deinit(&arena);
    t->task.status = status;
}

static void file_release(struct ctask *task)
{
    kin_buf_deinit(&((struct file_task *)task)->text);
}

static void counts_begin(struct kin_coordinator *c);

static void file_finish(struct ctask *task)
{
    struct file_task *t = (struct file_task *)task;
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "the model: %s", task->err.msg);
        return;
    }
    c->job->model_text = t->text;
    t->text = (struct kin_buf){0};
    if (c->job->train->values || c->job->options->plan_only)
        counts_begin(c);
    else
        model_ready(c);
}

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

static void counts_begin(struct kin_coordinator *c)
{
    choose_blocks(c);
    if (c->job->train->every.failed || plan_write(c) != KIN_OK) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    track_advance_all(c);
}

void train_begin(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    const struct kin_workflow_model *model = job->workflow->model;
    struct train *t = job->train = kin_calloc(1, sizeof *t);
    struct kin_err err;
    kin_status status = t ? KIN_OK : KIN_E_NOMEM;
    if (t && model)
        status = kin_comparer_new(&job->workflow->schema, model->comparisons,
                                  model->comparison_count, &t->comparer, &err);
    if (status != KIN_OK) {
        job_fail(c, status, "the model: %s", kin_status_text(status));
        return;
    }
    for (size_t i = 0; model && i < model->comparison_count; i++) {
        const struct kin_comparison *k = &model->comparisons[i];
        if (k->term_frequency || (!model->file && kin_level_is_exact(k->levels[0])))
            t->values |= (uint32_t)1 << i;
    }
    if (model)
        t->values |= kin_comparer_tokened(t->comparer) << KIN_COUNT_TOKENS_BIT;
    job_phase(c, KIN_PHASE_TRAIN);
    if (!model || !model->file) {
        counts_begin(c);
        return;
    }
    struct file_task *f = ctask_new(c, sizeof *f, file_run, file_finish, file_release);
    if (f)
        ctask_start(&f->task);
    else
        job_fail(c, KIN_E_NOMEM, "out of memory");
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

/* The coordinator compares the sample by the same tokens. */
static kin_status set_tokens(struct train *t)
{
    for (unsigned i = 0; t->values >> (KIN_COUNT_TOKENS_BIT + i); i++) {
        unsigned list = KIN_COMPARISONS_MAX + i;
        const struct kin_keyed *k = (const struct kin_keyed *)(const void *)t->counts[list].p;
        size_t n = t->counts[list].n / sizeof *k, kept = 0;
        struct kin_value_count *items = kin_reallocarray(NULL, n + 1, sizeof *items);
        if (!items)
            return KIN_E_NOMEM;
        for (size_t j = 0; j < n; j++) {
            if (k[j].value > 1)
                items[kept++] = (struct kin_value_count){k[j].key, k[j].value};
        }
        kin_status status = kin_comparer_set_tokens(t->comparer, i, t->totals[list], items, kept);
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
    counts_begin(c);
}

static void random_begin(struct kin_coordinator *c);

/* So many that their pairs are as many as are wanted. */
static size_t random_records(const struct cjob *job)
{
    uint64_t n = 2;
    while (n * (n - 1) / 2 < job->workflow->model->random_pairs)
        n++;
    return (size_t)n;
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
        sample_take(c, &c->job->train->sample, random_records(c->job), random_begin);
    else
        model_ready(c);
}

void train_counted(struct kin_coordinator *c)
{
    struct ctask *t = ctask_new(c, sizeof *t, added_up_run, added_up, NULL);
    if (t)
        ctask_start(t);
    else
        job_fail(c, KIN_E_NOMEM, "out of memory");
}

/* ---- all pairs of the sample ---- */

struct random_task {
    struct ctask task;
    size_t first; /* the rows first, first + SAMPLE_TASKS, ... */
    struct kin_pattern_table table;
};

static void random_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct random_task *t = (struct random_task *)work;
    const struct cjob *job = t->task.job;
    const struct train *train = job->train;
    bool across = job->workflow->across_sources;
    struct kin_comparer_scratch *scratch = kin_comparer_scratch_new();
    t->task.status = scratch ? KIN_OK : KIN_E_NOMEM;
    const struct sample *sample = &train->sample;
    for (size_t i = t->first; i < sample->count && scratch; i += SAMPLE_TASKS) {
        const uint8_t *a = sample->records[i];
        for (size_t j = i + 1; j < sample->count; j++) {
            const uint8_t *b = sample->records[j];
            if (across && kin_features_source(a) == kin_features_source(b))
                continue;
            uint64_t pattern = kin_comparer_pattern(train->comparer, scratch, a, b);
            if (!kin_pattern_table_add(&t->table, pattern, 0, 1)) {
                t->task.status = KIN_E_NOMEM;
                break;
            }
        }
    }
    kin_comparer_scratch_free(scratch);
}

static void random_release(struct ctask *task)
{
    kin_pattern_table_deinit(&((struct random_task *)task)->table);
}

static void fit_begin(struct kin_coordinator *c);

static void random_finish(struct ctask *task)
{
    struct random_task *t = (struct random_task *)task;
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK || !kin_pattern_table_merge(&c->job->train->random, &t->table)) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    if (--c->job->train->waiting == 0)
        fit_begin(c);
}

static void random_begin(struct kin_coordinator *c)
{
    struct train *t = c->job->train;
    kin_status status = KIN_OK;
    t->waiting = SAMPLE_TASKS;
    for (size_t i = 0; i < SAMPLE_TASKS && status == KIN_OK; i++) {
        struct random_task *r = ctask_new(c, sizeof *r, random_run, random_finish, random_release);
        if (r) {
            r->first = i;
            ctask_start(&r->task);
        } else {
            status = KIN_E_NOMEM;
        }
    }
    if (status != KIN_OK)
        job_fail(c, status, "the sample of records: %s", kin_status_text(status));
}

/* ---- fitting ---- */

struct fit_task {
    struct ctask task;
    struct kin_buf model, report;
};

/* Whether some source fills both from one column: what makes one agree makes the other agree. */
static bool share_column(const struct kin_workflow *w, size_t f, size_t g)
{
    for (size_t s = 0; s < w->source_count; s++) {
        const struct kin_workflow_columns *x = &w->sources[s].columns[f];
        const struct kin_workflow_columns *y = &w->sources[s].columns[g];
        for (size_t i = 0; i < x->count; i++) {
            for (size_t j = 0; j < y->count; j++) {
                if (strcmp(x->names[i], y->names[j]) == 0)
                    return true;
            }
        }
    }
    return false;
}

/* The fields that a key is of, and those filled from the same columns; out has room for all. */
static size_t fields_of_key(const struct kin_workflow *w, const struct kin_key_rule *key,
                            uint16_t *out)
{
    size_t n = 0;
    for (size_t f = 0; f < w->schema.count; f++) {
        bool forced = false;
        for (unsigned k = 0; k < key->count && !forced; k++)
            forced = key->terms[k].field == f || share_column(w, key->terms[k].field, f);
        if (forced)
            out[n++] = (uint16_t)f;
    }
    return n;
}

static kin_status make_passes(const struct cjob *job, struct kin_train_input *in,
                              struct kin_arena *arena)
{
    const struct kin_workflow *w = job->workflow;
    struct train *t = job->train;
    size_t n = kin_pattern_table_sort(&t->found), passes = w->model->pass_count;
    struct kin_train_pass *pass = kin_arena_calloc(arena, passes + 1, sizeof *pass);
    struct kin_train_set *sets = kin_arena_calloc(arena, n + 1, sizeof *sets);
    if (!pass || !sets)
        return KIN_E_NOMEM;
    for (size_t p = 0; p < passes; p++) {
        const struct kin_key_rule *key = &w->keys[w->model->passes[p]];
        uint16_t *fields = kin_arena_calloc(arena, w->schema.count + 1, sizeof *fields);
        if (!fields)
            return KIN_E_NOMEM;
        size_t field_count = fields_of_key(w, key, fields);
        struct kin_pattern_count *items = kin_arena_calloc(arena, n + 1, sizeof *items);
        if (!items)
            return KIN_E_NOMEM;
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            if (t->found.slots[i].set >> w->model->passes[p] & 1)
                items[m++] =
                    (struct kin_pattern_count){t->found.slots[i].pattern, t->found.slots[i].count};
        }
        pass[p] =
            (struct kin_train_pass){.name = key->text,
                                    .forced = kin_comparer_using(t->comparer, fields, field_count),
                                    .counts = {items, m}};
    }
    for (size_t i = 0; i < n; i++) {
        sets[i] = (struct kin_train_set){0, t->found.slots[i].pattern, t->found.slots[i].count};
        for (size_t p = 0; p < passes; p++)
            sets[i].passes |= (uint32_t)(t->found.slots[i].set >> w->model->passes[p] & 1) << p;
    }
    in->passes = pass;
    in->pass_count = (unsigned)passes;
    in->sets = sets;
    in->set_count = n;
    return KIN_OK;
}

static kin_status make_random(const struct cjob *job, struct kin_train_input *in,
                              struct kin_arena *arena)
{
    struct train *t = job->train;
    size_t n = kin_pattern_table_sort(&t->random);
    struct kin_pattern_count *items = kin_arena_calloc(arena, n + 1, sizeof *items);
    if (!items)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        items[i] = (struct kin_pattern_count){t->random.slots[i].pattern, t->random.slots[i].count};
    in->random = (struct kin_pattern_counts){items, n};
    for (size_t i = 0; i < job->workflow->model->comparison_count; i++) {
        const struct kin_keyed *k = (const struct kin_keyed *)(const void *)t->counts[i].p;
        uint64_t total = t->totals[i], equal = 0;
        for (size_t j = 0; j < t->counts[i].n / sizeof *k; j++)
            equal += (uint64_t)k[j].value * (k[j].value - 1) / 2;
        if (total > 1 && kin_level_is_exact(job->workflow->model->comparisons[i].levels[0]))
            in->equal[i] = (struct kin_train_equal){total * (total - 1) / 2, equal};
    }
    return KIN_OK;
}

static bool is_clean(const struct kin_workflow *w, size_t source)
{
    for (size_t k = 0; k < w->clean_count; k++) {
        if (w->clean[k] == source)
            return true;
    }
    return false;
}

/* Two sources, of which one is free of duplicates, have as many matches as the other has records at
 * most. Within a source nothing bounds them but that. */
static uint64_t most_matches(const struct kin_workflow *w, const uint64_t *records, size_t n)
{
    uint64_t most = 0;
    for (size_t a = 0; a < n; a++) {
        if (!w->across_sources && !is_clean(w, a))
            return 0;
        for (size_t b = 0; b < a; b++) {
            bool clean_a = is_clean(w, a), clean_b = is_clean(w, b);
            if (!clean_a && !clean_b)
                return 0;
            uint64_t by_a = clean_b ? records[a] : UINT64_MAX;
            uint64_t by_b = clean_a ? records[b] : UINT64_MAX;
            most += by_a < by_b ? by_a : by_b;
        }
    }
    return most;
}

static kin_status count_pairs(const struct cjob *job, struct kin_train_input *in,
                              struct kin_arena *arena)
{
    uint64_t within = 0;
    uint64_t *records = kin_arena_calloc(arena, job->report.source_count + 1, sizeof *records);
    if (!records)
        return KIN_E_NOMEM;
    for (size_t s = 0; s < job->report.source_count; s++) {
        const struct kin_report_source *source = &job->report.sources[s];
        uint64_t n = source->read - source->superseded - source->rejected;
        records[s] = n;
        in->records += n;
        within += n ? n * (n - 1) / 2 : 0;
    }
    uint64_t all = in->records ? in->records * (in->records - 1) / 2 : 0;
    in->possible_pairs = job->workflow->across_sources ? all - within : all;
    in->most_matches = most_matches(job->workflow, records, job->report.source_count);
    return KIN_OK;
}

static void fit_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct fit_task *t = (struct fit_task *)work;
    const struct cjob *job = t->task.job;
    struct kin_arena arena = {0};
    struct kin_model_spec spec;
    struct kin_model model;
    struct kin_train_report report;
    kin_comparer_spec(job->train->comparer, &spec);
    const struct kin_workflow_model *settings = job->workflow->model;
    struct kin_train_input in = {
        .spec = &spec,
        .workflow = job->workflow->hash,
        .threshold = kin_weight_probability(settings->thresholds[settings->primary].weight)};
    kin_status status = count_pairs(job, &in, &arena);
    if (status == KIN_OK)
        status = make_passes(job, &in, &arena);
    if (status == KIN_OK)
        status = make_random(job, &in, &arena);
    if (status != KIN_OK)
        kin_err_set(&t->task.err, status, "out of memory");
    if (status == KIN_OK)
        status = kin_train(&in, 0, &arena, &model, &report, &t->task.err);
    if (status == KIN_OK)
        status = kin_model_write(&model, &t->model, &t->task.err);
    if (status == KIN_OK)
        kin_train_print(&model, &report, &t->report);
    kin_arena_deinit(&arena);
    t->task.status = status;
}

static void fit_release(struct ctask *task)
{
    kin_buf_deinit(&((struct fit_task *)task)->model);
    kin_buf_deinit(&((struct fit_task *)task)->report);
}

static void fit_finish(struct ctask *task)
{
    struct fit_task *t = (struct fit_task *)task;
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "the model cannot be trained: %s", task->err.msg);
        return;
    }
    c->job->model_text = t->model;
    c->job->training_text = t->report;
    t->model = t->report = (struct kin_buf){0};
    if (c->job->options->train_only) {
        job_phase(c, KIN_PHASE_DONE);
        job_over(c, KIN_OK, "");
        return;
    }
    model_ready(c);
}

static void fit_begin(struct kin_coordinator *c)
{
    struct fit_task *t = ctask_new(c, sizeof *t, fit_run, fit_finish, fit_release);
    if (t)
        ctask_start(&t->task);
    else
        job_fail(c, KIN_E_NOMEM, "out of memory");
}
