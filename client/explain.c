#include "client/explain_impl.h"

#include "common/cli/tool.h"

#include <stdlib.h>
#include <string.h>

/* ---- the model ---- */

static kin_status find_model(struct kin_explain *e, struct kin_err *err)
{
    const struct kin_workflow_model *m = e->x.workflow->model;
    if (m->file) {
        e->x.model_file = m->file;
        return KIN_OK;
    }
    if (!e->out_dir)
        return kin_err_set(err, KIN_E_INVAL,
                           "the workflow trains its model; which run's is meant? -o OUT_DIR says");
    e->x.model_file = kin_arena_printf(&e->arena, "%s/model.json", e->out_dir);
    return e->x.model_file ? KIN_OK : kin_err_set(err, KIN_E_NOMEM, "out of memory");
}

static kin_status read_model(struct kin_explain *e, struct kin_err *err)
{
    const char *path = e->x.model_file;
    struct kin_buf text = {0};
    kin_status status = kin_cli_read_file(path, KIN_MODEL_FILE_MAX, &text, err);
    if (status != KIN_OK)
        return status; /* the message names the file */
    status = kin_explainer_model(&e->x, (struct kin_str){(const char *)text.p, text.n}, err);
    kin_buf_deinit(&text);
    return status == KIN_OK ? status : kin_err_wrap(err, status, "%s", path);
}

kin_status kin_explain_open(const struct kin_workflow *workflow, const char *out_dir,
                            struct kin_explain **out, struct kin_err *err)
{
    struct kin_explain *e = kin_calloc(1, sizeof *e);
    if (!e)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    e->out_dir = out_dir;
    kin_status status = kin_explainer_init(&e->x, workflow, err);
    if (status == KIN_OK && workflow->model) {
        status = find_model(e, err);
        if (status == KIN_OK)
            status = read_model(e, err);
    }
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
    kin_explainer_deinit(&e->x); /* it borrows the counts */
    kin_records_deinit(&e->records);
    kin_arena_deinit(&e->arena);
    kin_free(e);
}

/* ---- reading ---- */

kin_status explain_read(struct kin_explain *e, const struct kin_str *ids, size_t count,
                        struct kin_err *err)
{
    struct kin_records_want want = {
        .ids = ids, .id_count = count, .comparer = e->x.comparer, .words = e->x.comparer};
    for (unsigned i = 0; e->x.model && i < e->x.model->spec.count; i++)
        want.values |= (uint32_t)e->x.workflow->model->comparisons[i].term_frequency << i;
    kin_status status = kin_records_read(e->x.workflow, &want, &e->records, err);
    if (status == KIN_OK && e->x.model)
        status = kin_explainer_counts(&e->x, &e->records.counts, err);
    return status;
}

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

kin_status explain_count_keys(struct kin_explain *e, uint64_t *keys, size_t count,
                              struct kin_explain_blocks *out, struct kin_err *err)
{
    struct kin_records records;
    size_t unique = 0;
    if (count)
        qsort(keys, count, sizeof *keys, by_u64);
    for (size_t i = 0; i < count; i++) {
        if (!unique || keys[unique - 1] != keys[i])
            keys[unique++] = keys[i];
    }
    *out = (struct kin_explain_blocks){keys, NULL, unique};
    if (!unique)
        return KIN_OK;
    struct kin_records_want want = {.keys = keys, .key_count = unique};
    uint64_t *sizes = kin_arena_alloc(&e->arena, unique * sizeof *sizes);
    if (!sizes)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    kin_status status = kin_records_read(e->x.workflow, &want, &records, err);
    if (status != KIN_OK)
        return status;
    memcpy(sizes, records.key_records, unique * sizeof *sizes);
    kin_records_deinit(&records);
    out->records = sizes;
    return KIN_OK;
}
