#include "common/workflow/workflow.h"

#include "common/base/hash.h"
#include "common/workflow/check.h"

/* ---- keys of the top that need no file of their own ---- */

KIN_CHECK_ROW(kin_check_version)
{
    (void)to;
    if (v->kind != KIN_YAML_SCALAR || !kin_str_eq(v->value, KIN_STR("1")))
        kin_check_expected(c, v, key->type);
}

KIN_CHECK_ROW(kin_check_workflow_name)
{
    (void)to;
    if (v->kind != KIN_YAML_SCALAR || kin_yaml_is_null(v) || !kin_check_is_name(v->value)) {
        kin_check_expected(c, v, "a name of 1 to 255 letters, digits, _ and -");
        return;
    }
    (void)key;
    c->w->name = kin_check_copy(c, v->value);
}

KIN_CHECK_ROW(kin_check_pairs)
{
    (void)key, (void)to;
    static const char *const words[] = {"all", "across_sources"};
    int choice = kin_check_choice(c, v, "value", words, 2);
    c->w->across_sources = choice == 1;
    if (choice == 1 && c->w->source_count == 1)
        kin_check_say(c, v, "there is one source; expected two or more for across_sources");
}

KIN_CHECK_ROW(kin_check_limits)
{
    (void)key, (void)to;
    kin_check_map(c, KIN_CHECK_LIMITS, v, &c->w->limits);
}

/* ---- the whole ---- */

static bool fill_defaults(struct kin_check *c, struct kin_str text, const char *base_dir)
{
    struct kin_workflow *w = c->w;
    w->limits = (struct kin_limits){.max_block = 5000,
                                    .window = 50,
                                    .max_group = 500,
                                    .max_keys = 64,
                                    .max_field_bytes = 64 * 1024,
                                    .max_record_bytes = 1024 * 1024,
                                    .memory = (uint32_t)KIN_MEMORY_AUTO,
                                    .max_veto_group = 5000};
    w->hash = kin_hash64(text.p, text.n, 0);
    w->base_dir = kin_check_copy(c, kin_str_of(base_dir));
    w->text = kin_check_copy(c, text);
    w->text_bytes = text.n;
    w->keys = kin_check_alloc(c, KIN_KEY_RULES_MAX, sizeof *w->keys);
    return !c->nomem;
}

static kin_status check(struct kin_check *c, struct kin_str text, const char *base_dir)
{
    kin_status status = kin_yaml_parse(text, c->yaml, c->report);
    if (status != KIN_OK)
        return status;
    if (!fill_defaults(c, text, base_dir))
        return KIN_E_NOMEM;
    struct kin_yaml_node *root = c->yaml->root;
    kin_check_map(c, KIN_CHECK_TOP, root, NULL);
    if (c->nomem)
        return KIN_E_NOMEM;
    kin_check_finish_keys(c, root);
    kin_check_finish_cluster(c);
    if (c->report->out->count || c->nomem)
        return KIN_OK;
    kin_check_finish_model(c);
    kin_check_finish_sources(c);
    kin_check_finish_refine(c);
    return KIN_OK;
}

kin_status kin_workflow_parse(struct kin_str text, const char *base_dir, struct kin_workflow **out,
                              struct kin_problems *problems)
{
    struct kin_workflow *w = kin_calloc(1, sizeof *w);
    if (!w)
        return KIN_E_NOMEM;
    struct kin_yaml yaml;
    struct kin_report report = {.out = problems};
    struct kin_check c = {.w = w, .yaml = &yaml, .report = &report};
    kin_status status = check(&c, text, base_dir);
    kin_yaml_deinit(&yaml);
    if (c.nomem || report.nomem)
        status = KIN_E_NOMEM;
    if (status == KIN_E_NOMEM) {
        kin_problems_deinit(problems);
    } else if (status != KIN_OK || problems->count) {
        status = KIN_E_WORKFLOW;
    }
    if (status == KIN_OK)
        *out = w;
    else
        kin_workflow_free(w);
    return status;
}

void kin_workflow_free(struct kin_workflow *w)
{
    if (!w)
        return;
    kin_arena_deinit(&w->arena);
    kin_free(w);
}
