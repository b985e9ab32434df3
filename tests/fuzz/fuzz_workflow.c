/* Any bytes as a workflow file: never a crash, and what comes out holds together. */
#include "common/workflow/workflow.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_workflow(const struct kin_workflow *w, struct kin_str text)
{
    KIN_ASSERT(w->text_bytes == text.n && (!text.n || memcmp(w->text, text.p, text.n) == 0));
    KIN_ASSERT(w->source_count >= 1 && w->schema.count >= 1 && (w->rule_count || w->model));
    KIN_ASSERT(w->block_key_count <= w->key_count && w->key_count <= KIN_KEY_RULES_MAX);
    for (size_t i = 0; i < w->key_count; i++) {
        KIN_ASSERT(w->keys[i].number == i && w->keys[i].text);
        KIN_ASSERT(w->keys[i].star == (i >= w->block_key_count));
    }
    for (size_t s = 0; s < w->source_count; s++) {
        KIN_ASSERT(w->sources[s].id && w->sources[s].path_count);
        KIN_ASSERT(!s || strcmp(w->sources[s - 1].name, w->sources[s].name) < 0);
        for (size_t f = 0; f < w->schema.count; f++)
            KIN_ASSERT(w->sources[s].columns[f].names || !w->sources[s].columns[f].count);
    }
}

/* The comparisons compile, and levels print as texts that parse back to the same. */
static void check_model(const struct kin_workflow *w)
{
    const struct kin_workflow_model *m = w->model;
    KIN_ASSERT(m->threshold_count >= 1 && m->primary < m->threshold_count && w->block_key_count);
    for (size_t i = 1; i < m->threshold_count; i++)
        KIN_ASSERT(m->thresholds[i].weight < m->thresholds[i - 1].weight);
    KIN_ASSERT(m->file ? !m->pass_count : m->pass_count >= 1);
    struct kin_comparer *comparer = NULL;
    struct kin_model_spec spec;
    KIN_ASSERT(kin_comparer_new(&w->schema, m->comparisons, m->comparison_count, &comparer, NULL) ==
               KIN_OK);
    kin_comparer_spec(comparer, &spec);
    KIN_ASSERT(kin_model_spec_check(&spec, NULL) == KIN_OK);
    struct kin_arena arena = {0};
    for (size_t i = 0; i < m->comparison_count; i++) {
        for (unsigned l = 0; l < m->comparisons[i].level_count; l++) {
            const char *text = spec.comparisons[i].level_text[l + 1];
            const struct kin_level *level = NULL;
            unsigned column = 0;
            struct kin_buf again = {0};
            KIN_ASSERT(kin_level_parse(&arena, &w->schema, &m->comparisons[i], kin_str_of(text),
                                       &level, &column, NULL) == KIN_OK);
            kin_level_print(level, &again);
            KIN_ASSERT(
                kin_str_eq((struct kin_str){(const char *)again.p, again.n}, kin_str_of(text)));
            kin_buf_deinit(&again);
        }
    }
    kin_arena_deinit(&arena);
    kin_comparer_free(comparer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kin_str text = {(const char *)data, size};
    struct kin_workflow *w = NULL;
    struct kin_problems problems = {0};
    kin_status status = kin_workflow_parse(text, "base", &w, &problems);
    KIN_ASSERT((status == KIN_OK) == (w != NULL));
    KIN_ASSERT((status == KIN_E_WORKFLOW) == (problems.count > 0));
    if (w)
        check_workflow(w, text);
    if (w && w->model)
        check_model(w);
    for (size_t i = 1; i < problems.count; i++) {
        const struct kin_problem *a = &problems.items[i - 1];
        const struct kin_problem *b = &problems.items[i];
        KIN_ASSERT(a->line < b->line || (a->line == b->line && a->column <= b->column));
    }
    struct kin_buf out = {0};
    kin_problems_print(&problems, "workflow.yaml", text, &out);
    for (size_t i = 0; i < out.n; i++)
        KIN_ASSERT(out.p[i] >= ' ' || out.p[i] == '\n' || out.p[i] == '\t');
    kin_buf_deinit(&out);
    kin_problems_deinit(&problems);
    kin_workflow_free(w);
    return 0;
}
