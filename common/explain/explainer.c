#include "common/explain/explainer.h"

kin_status kin_explainer_init(struct kin_explainer *x, const struct kin_workflow *workflow,
                              struct kin_err *err)
{
    const struct kin_workflow_model *m = workflow->model;
    *x = (struct kin_explainer){.workflow = workflow};
    x->kernels = kin_kernel_scratch_new();
    kin_status status = x->kernels ? KIN_OK : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (status == KIN_OK && workflow->rule_count) {
        status = kin_decider_new(&workflow->schema, workflow->rules, workflow->rule_count,
                                 &x->rules, err);
        x->rules_state = status == KIN_OK ? kin_decider_state_new(x->rules) : NULL;
        if (status == KIN_OK && !x->rules_state)
            status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    if (status != KIN_OK || !m)
        return status;
    x->threshold = &m->thresholds[m->primary];
    x->scratch = kin_comparer_scratch_new();
    if (!x->scratch)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    return kin_comparer_new(&workflow->schema, m->comparisons, m->comparison_count, &x->comparer,
                            err);
}

void kin_explainer_deinit(struct kin_explainer *x)
{
    kin_model_decider_free(x->decider);
    kin_comparer_scratch_free(x->scratch);
    kin_comparer_free(x->comparer);
    kin_decider_state_free(x->rules_state);
    kin_decider_free(x->rules);
    kin_kernel_scratch_free(x->kernels);
    kin_arena_deinit(&x->arena);
    *x = (struct kin_explainer){0};
}

kin_status kin_explainer_model(struct kin_explainer *x, struct kin_str text, struct kin_err *err)
{
    if (!x->comparer)
        return kin_err_set(err, KIN_E_INVAL, "the workflow has no model");
    struct kin_model *model = kin_arena_calloc(&x->arena, 1, sizeof *model);
    if (!model)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    kin_status status = kin_model_read(text.p, text.n, &x->arena, model, err);
    if (status == KIN_OK)
        status = kin_comparer_check_model(x->comparer, &model->spec, err);
    if (status != KIN_OK)
        return status;
    x->model = model;
    kin_model_tables(model, &x->tables);
    return KIN_OK;
}

kin_status kin_explainer_counts(struct kin_explainer *x, const struct kin_value_counts *counts,
                                struct kin_err *err)
{
    struct kin_model_decider *decider = NULL;
    kin_status status = kin_model_decider_new(x->comparer, &x->tables, counts, &decider, err);
    if (status != KIN_OK)
        return status;
    kin_model_decider_free(x->decider);
    x->decider = decider;
    x->counts = counts;
    return KIN_OK;
}
