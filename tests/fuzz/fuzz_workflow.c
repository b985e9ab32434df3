/* Any bytes as a workflow file: never a crash, and what comes out holds together. */
#include "common/workflow/workflow.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_workflow(const struct kin_workflow *w, struct kin_str text)
{
    KIN_ASSERT(w->text_bytes == text.n && (!text.n || memcmp(w->text, text.p, text.n) == 0));
    KIN_ASSERT(w->source_count >= 1 && w->schema.count >= 1 && w->rule_count >= 1);
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
