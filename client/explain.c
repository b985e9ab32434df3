#include "client/explain_impl.h"

#include "common/cli/tool.h"

#include <stdlib.h>
#include <string.h>

/* ---- the model ---- */

static kin_status find_model(struct kin_explain *e, struct kin_err *err)
{
    const struct kin_workflow_model *m = e->workflow->model;
    if (m->file) {
        e->model_path = m->file;
        return KIN_OK;
    }
    if (!e->out_dir)
        return kin_err_set(err, KIN_E_INVAL,
                           "the workflow trains its model; which run's is meant? -o OUT_DIR says");
    e->model_path = kin_arena_printf(&e->arena, "%s/model.json", e->out_dir);
    return e->model_path ? KIN_OK : kin_err_set(err, KIN_E_NOMEM, "out of memory");
}

static kin_status read_model(struct kin_explain *e, struct kin_err *err)
{
    struct kin_buf text = {0};
    kin_status status = kin_cli_read_file(e->model_path, KIN_MODEL_FILE_MAX, &text, err);
    if (status != KIN_OK)
        return status; /* the message names the file */
    e->model = kin_arena_calloc(&e->arena, 1, sizeof *e->model);
    status = e->model ? kin_model_read(text.p, text.n, &e->arena, e->model, err)
                      : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    kin_buf_deinit(&text);
    if (status == KIN_OK)
        status = kin_comparer_check_model(e->comparer, &e->model->spec, err);
    return status == KIN_OK ? status : kin_err_wrap(err, status, "%s", e->model_path);
}

static kin_status open_model(struct kin_explain *e, struct kin_err *err)
{
    const struct kin_workflow_model *m = e->workflow->model;
    kin_status status = find_model(e, err);
    if (status == KIN_OK)
        status = kin_comparer_new(&e->workflow->schema, m->comparisons, m->comparison_count,
                                  &e->comparer, err);
    if (status == KIN_OK)
        status = read_model(e, err);
    if (status != KIN_OK)
        return status;
    kin_model_tables(e->model, &e->tables);
    e->threshold = &m->thresholds[m->primary];
    e->scratch = kin_comparer_scratch_new();
    return e->scratch ? KIN_OK : kin_err_set(err, KIN_E_NOMEM, "out of memory");
}

kin_status kin_explain_open(const struct kin_workflow *workflow, const char *out_dir,
                            struct kin_explain **out, struct kin_err *err)
{
    struct kin_explain *e = kin_calloc(1, sizeof *e);
    if (!e)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    e->workflow = workflow;
    e->out_dir = out_dir;
    e->kernels = kin_kernel_scratch_new();
    kin_status status = e->kernels ? KIN_OK : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (status == KIN_OK && workflow->rule_count) {
        status = kin_decider_new(&workflow->schema, workflow->rules, workflow->rule_count,
                                 &e->rules, err);
        e->rules_state = status == KIN_OK ? kin_decider_state_new(e->rules) : NULL;
        if (status == KIN_OK && !e->rules_state)
            status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    if (status == KIN_OK && workflow->model)
        status = open_model(e, err);
    if (status == KIN_OK)
        *out = e;
    else
        kin_explain_close(e);
    return status;
}

void kin_explain_close(struct kin_explain *e)
{
    if (!e)
        return;
    kin_model_decider_free(e->decider); /* it borrows the counts */
    kin_records_deinit(&e->records);
    kin_comparer_scratch_free(e->scratch);
    kin_comparer_free(e->comparer);
    kin_decider_state_free(e->rules_state);
    kin_decider_free(e->rules);
    kin_kernel_scratch_free(e->kernels);
    kin_arena_deinit(&e->arena);
    kin_free(e);
}

/* ---- reading ---- */

kin_status explain_read(struct kin_explain *e, const struct kin_str *ids, size_t count,
                        struct kin_err *err)
{
    struct kin_records_want want = {
        .ids = ids, .id_count = count, .comparer = e->comparer, .words = e->comparer};
    for (unsigned i = 0; e->model && i < e->model->spec.count; i++)
        want.values |= (uint32_t)e->workflow->model->comparisons[i].term_frequency << i;
    kin_status status = kin_records_read(e->workflow, &want, &e->records, err);
    if (status == KIN_OK && e->model)
        status =
            kin_model_decider_new(e->comparer, &e->tables, &e->records.counts, &e->decider, err);
    return status;
}

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

kin_status explain_count_keys(struct kin_explain *e, uint64_t *keys, size_t count,
                              struct explain_keys *out, struct kin_err *err)
{
    struct kin_records records;
    size_t unique = 0;
    if (count)
        qsort(keys, count, sizeof *keys, by_u64);
    for (size_t i = 0; i < count; i++) {
        if (!unique || keys[unique - 1] != keys[i])
            keys[unique++] = keys[i];
    }
    *out = (struct explain_keys){keys, NULL, unique};
    if (!unique)
        return KIN_OK;
    struct kin_records_want want = {.keys = keys, .key_count = unique};
    uint64_t *sizes = kin_arena_alloc(&e->arena, unique * sizeof *sizes);
    if (!sizes)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    kin_status status = kin_records_read(e->workflow, &want, &records, err);
    if (status != KIN_OK)
        return status;
    memcpy(sizes, records.key_records, unique * sizeof *sizes);
    kin_records_deinit(&records);
    out->records = sizes;
    return KIN_OK;
}

uint64_t explain_key_records(const struct explain_keys *k, uint64_t key)
{
    const uint64_t *found =
        k->count ? bsearch(&key, k->keys, k->count, sizeof *k->keys, by_u64) : NULL;
    return found ? k->records[found - k->keys] : 0;
}

static bool same_star_values(const struct kin_key_rule *rule, const uint8_t *a, const uint8_t *b,
                             uint64_t key)
{
    struct kin_buf x = {0}, y = {0};
    bool same = kin_blocking_key_values(rule, a, key, &x) &&
                kin_blocking_key_values(rule, b, key, &y) && x.n == y.n &&
                memcmp(x.p, y.p, x.n) == 0;
    kin_buf_deinit(&x);
    kin_buf_deinit(&y);
    return same;
}

void explain_common_keys(const struct kin_workflow *w, const uint8_t *a, const uint8_t *b,
                         struct kin_buf *out)
{
    unsigned n, m, i = 0, j = 0;
    const uint8_t *x = kin_features_keys(a, &n), *y = kin_features_keys(b, &m);
    while (i < n && j < m) {
        uint64_t p = kin_le64(x + 8 * (size_t)i), q = kin_le64(y + 8 * (size_t)j);
        const struct kin_key_rule *rule = &w->keys[kin_key_rule_number(p)];
        if (p == q && (!rule->star || same_star_values(rule, a, b, p)))
            kin_buf_u64(out, p);
        i += p <= q;
        j += p >= q;
    }
}
