#include "coordinator/train_parts.h"

#include "common/match/compare_tokens.h"

/* The model of a job: read from its file, or trained. For training, workers count agreement
 * patterns in their blocks, and how often values occur; the records with the smallest hashes of
 * (source, id) are gathered here and compared all with all, which tells how often levels occur
 * among random pairs. Where levels weigh words, workers count these first, and go by the counts
 * from then on. What comes of it is a function of the records alone, so the model is too. */

enum { MODEL_BYTES_MAX = KIN_MODEL_FILE_MAX };
static const size_t READ_BYTES = 65536;

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
    size_t n = wanted ? t->counts[list].n / sizeof *k : 0;
    kin_buf_u64(out, wanted ? t->totals[list] : 0);
    kin_buf_u64(out, n);
    for (size_t j = 0; j < n; j++) {
        kin_buf_u64(out, k[j].key);
        kin_buf_u64(out, k[j].value);
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

void train_ready(struct kin_coordinator *c)
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
        size_t n;
        if (!job->workflow->model->comparisons[i].term_frequency)
            continue;
        struct kin_value_count *items = train_counts_of(t, i, &n);
        status = items ? kin_value_counts_set(counts, i, t->totals[i], items, n) : KIN_E_NOMEM;
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
        train_count_begin(c);
    else
        train_ready(c);
}

/* ---- the phase ---- */

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
        train_count_begin(c);
        return;
    }
    struct file_task *f = ctask_new(c, sizeof *f, file_run, file_finish, file_release);
    if (f)
        ctask_start(&f->task);
    else
        job_fail(c, KIN_E_NOMEM, "out of memory");
}
