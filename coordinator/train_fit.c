/* A model from what was counted: the pairs of the random sample first, then the fit. */
#include "coordinator/train_parts.h"

#include "common/match/train.h"

#include <string.h>

enum { SAMPLE_TASKS = 16 };

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

static uint64_t live_records(const struct kin_report_source *source)
{
    return source->read - source->superseded - source->rejected;
}

void train_fit_begin(struct kin_coordinator *c)
{
    const struct cjob *job = c->job;
    uint64_t records = 0;
    for (size_t s = 0; s < job->report.source_count; s++)
        records += live_records(&job->report.sources[s]);
    size_t sample = kin_train_sample(job->workflow->model->random_pairs, records);
    sample_take(c, &c->job->train->sample, sample, random_begin);
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
        uint64_t n = live_records(&job->report.sources[s]);
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
    train_ready(c);
}

static void fit_begin(struct kin_coordinator *c)
{
    struct fit_task *t = ctask_new(c, sizeof *t, fit_run, fit_finish, fit_release);
    if (t)
        ctask_start(&t->task);
    else
        job_fail(c, KIN_E_NOMEM, "out of memory");
}
