/* model: thresholds, where the model comes from. Its comparisons are in comparisons.c. */
#include "common/workflow/check.h"

#include <stdio.h>
#include <string.h>

#include "common/match/rule_lex.h"

enum { MODEL_PATH_MAX = 4096, WEIGHT_BITS_MAX = 64, PAIRS_DEFAULT = 1000000 };

/* ---- thresholds ---- */

static kin_status parse_whole(struct kin_lex *lex, const char *expected, double *out)
{
    struct kin_decimal d = {0};
    kin_status status = kin_lex_decimal(lex, expected, &d);
    if (status)
        return status;
    if (!kin_lex_end(lex)) {
        char found[KIN_LEX_FOUND_BYTES];
        return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at, "expected the end of the number, found %s",
                            kin_lex_found(lex, found));
    }
    *out = kin_decimal_value(d, 0);
    return KIN_OK;
}

static kin_status parse_probability(struct kin_check *c, struct kin_str text, void *out,
                                    unsigned *column, struct kin_err *err)
{
    (void)c;
    struct kin_lex lex = {.text = text, .column = column, .err = err};
    double p = 0;
    kin_status status = parse_whole(&lex, "a probability such as 0.95", &p);
    if (status)
        return status;
    if (p <= 0 || p >= 1)
        return kin_lex_fail(&lex, KIN_E_SYNTAX, 0,
                            "a probability is greater than 0 and less than 1 (95 %% is 0.95), "
                            "found %.*s",
                            (int)(text.n < 40 ? text.n : 40), text.p);
    *(double *)out = p;
    return KIN_OK;
}

static kin_status parse_weight(struct kin_check *c, struct kin_str text, void *out,
                               unsigned *column, struct kin_err *err)
{
    (void)c;
    struct kin_lex lex = {.text = text, .column = column, .err = err};
    double bits = 0;
    bool minus = kin_lex_take(&lex, '-');
    kin_status status = parse_whole(&lex, "a number of bits such as 12", &bits);
    if (status)
        return status;
    if (bits > WEIGHT_BITS_MAX)
        return kin_lex_fail(&lex, KIN_E_SYNTAX, 0, "expected a weight of %d to %d bits",
                            -WEIGHT_BITS_MAX, WEIGHT_BITS_MAX);
    *(double *)out = minus ? -bits : bits;
    return KIN_OK;
}

struct threshold_draft {
    struct kin_threshold *threshold;
    bool good;
};

static void set_text(struct kin_check *c, struct threshold_draft *draft, const char *before,
                     double number)
{
    char text[40];
    snprintf(text, sizeof text, "%s%.15g", before, number);
    draft->threshold->text = kin_check_copy(c, kin_str_of(text));
    draft->good = draft->threshold->text != NULL;
}

KIN_CHECK_ROW(kin_check_threshold_weight)
{
    struct threshold_draft *draft = to;
    double bits = 0;
    if (v->kind != KIN_YAML_SCALAR || kin_yaml_is_null(v)) {
        kin_check_expected(c, v, key->type);
        return;
    }
    if (!kin_check_parse(c, v, parse_weight, &bits))
        return;
    draft->threshold->weight = kin_weight_of_bits(bits);
    draft->threshold->probability = kin_weight_probability(draft->threshold->weight);
    set_text(c, draft, "weight ", bits);
}

/* One threshold, a probability or {weight: N}. false: reported. */
static bool check_threshold(struct kin_check *c, struct kin_yaml_node *v,
                            struct kin_threshold *threshold)
{
    struct threshold_draft draft = {threshold, false};
    if (v->kind == KIN_YAML_MAP) {
        kin_check_map(c, KIN_CHECK_THRESHOLD, v, &draft);
        return draft.good;
    }
    if (v->kind != KIN_YAML_SCALAR || kin_yaml_is_null(v)) {
        kin_check_expected(c, v, "a probability such as 0.95, or {weight: 12}");
        return false;
    }
    if (!kin_check_parse(c, v, parse_probability, &threshold->probability))
        return false;
    threshold->weight = kin_probability_weight(threshold->probability);
    set_text(c, &draft, "", threshold->probability);
    return draft.good;
}

KIN_CHECK_ROW(kin_check_model_threshold)
{
    (void)key;
    struct kin_workflow_model *model = to;
    if (check_threshold(c, v, &model->thresholds[0]))
        model->threshold_count = 1;
}

/* Keeps them sorted, the highest first. */
static void add_threshold(struct kin_check *c, const struct kin_yaml_node *node,
                          struct kin_workflow_model *model, struct kin_threshold threshold)
{
    size_t at = model->threshold_count;
    for (size_t i = 0; i < model->threshold_count; i++) {
        if (model->thresholds[i].weight == threshold.weight) {
            kin_check_say(c, node, "the same threshold as '%s'", model->thresholds[i].text);
            return;
        }
    }
    for (; at > 0 && model->thresholds[at - 1].weight < threshold.weight; at--)
        model->thresholds[at] = model->thresholds[at - 1];
    model->thresholds[at] = threshold;
    model->threshold_count++;
}

KIN_CHECK_ROW(kin_check_model_thresholds)
{
    struct kin_workflow_model *model = to;
    const struct kin_yaml_node *single = kin_yaml_get(v->parent, "threshold");
    if (single) {
        kin_check_say_key(c, single, "there are thresholds too; expected one of the two");
        return;
    }
    model->threshold_count = 0;
    if (!kin_check_is_list(c, v, key->type))
        return;
    if (v->count < 1 || v->count > KIN_THRESHOLDS_MAX) {
        kin_check_say(c, v, "found %zu thresholds; expected 1 to %d", v->count, KIN_THRESHOLDS_MAX);
        return;
    }
    for (struct kin_yaml_node *item = v->first; item; item = item->next) {
        struct kin_threshold threshold = {0};
        if (check_threshold(c, item, &threshold))
            add_threshold(c, item, model, threshold);
    }
    if (v->count > 1 && !kin_yaml_get(v->parent, "primary"))
        kin_yaml_say(c->yaml, c->report, v->parent, "primary", v->at,
                     "missing; expected the one of the thresholds that MatchIds go by");
}

KIN_CHECK_ROW(kin_check_model_primary)
{
    (void)key;
    struct kin_workflow_model *model = to;
    struct kin_threshold threshold = {0};
    if (!check_threshold(c, v, &threshold) || !model->threshold_count)
        return;
    for (size_t i = 0; i < model->threshold_count; i++) {
        if (model->thresholds[i].weight == threshold.weight) {
            model->primary = i;
            return;
        }
    }
    char all[200] = "";
    size_t n = 0;
    for (size_t i = 0; i < model->threshold_count && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "",
                              model->thresholds[i].text);
    kin_check_say(c, v, "'%s' is none of the thresholds; expected one of: %s", threshold.text, all);
}

/* ---- where it comes from ---- */

KIN_CHECK_ROW(kin_check_model_file)
{
    struct kin_workflow_model *model = to;
    const char *path = kin_check_text(c, v, key->type, MODEL_PATH_MAX);
    if (path)
        model->file = kin_check_joined(c, path);
}

KIN_CHECK_ROW(kin_check_model_train)
{
    bool yes = false;
    if (kin_yaml_get(v->parent, "file"))
        kin_check_say_key(c, v, "there is a file of a trained model too; expected one of the two");
    if (v->kind == KIN_YAML_MAP)
        kin_check_map(c, KIN_CHECK_TRAIN, v, to);
    else if (v->kind == KIN_YAML_LIST || (kin_check_bool(c, v, &yes) && !yes))
        kin_check_expected(c, v, key->type);
}

/* The number of the item of block_on that has these terms, or -1. */
static int find_pass(const struct kin_workflow *w, const struct kin_key_rule *rule)
{
    for (size_t i = 0; i < w->block_key_count; i++) {
        if (kin_check_same_key(&w->keys[i], rule))
            return (int)i;
    }
    return -1;
}

static void check_pass(struct kin_check *c, struct kin_yaml_node *item,
                       struct kin_workflow_model *model)
{
    struct kin_key_rule rule = {.text = NULL};
    if (!kin_check_key(c, item, &rule))
        return;
    int found = find_pass(c->w, &rule);
    bool whole = c->block_on && c->block_on->count == c->w->block_key_count;
    if (found < 0 && whole) { /* else an item of block_on has a mistake */
        kin_check_say(c, item, "'%.64s' is no item of block_on; a pass is the pairs of one",
                      rule.text);
        return;
    }
    for (size_t i = 0; i < model->pass_count; i++) {
        if (found == model->passes[i]) {
            kin_check_say(c, item, "'%.64s' is given twice", rule.text);
            return;
        }
    }
    if (found >= 0)
        model->passes[model->pass_count++] = (uint8_t)found;
}

KIN_CHECK_ROW(kin_check_train_passes)
{
    struct kin_workflow_model *model = to;
    if (!kin_check_is_list(c, v, key->type) || !c->fields_known)
        return;
    if (kin_yaml_join(c->yaml, v) != KIN_OK) {
        c->nomem = true;
        return;
    }
    if (v->count < 1 || v->count > KIN_MODEL_PASSES_MAX) {
        kin_check_say(c, v, "found %zu passes; expected 1 to %d", v->count, KIN_MODEL_PASSES_MAX);
        return;
    }
    for (struct kin_yaml_node *item = v->first; item; item = item->next)
        check_pass(c, item, model);
}

void kin_check_finish_model(struct kin_check *c)
{
    struct kin_workflow_model *model = c->w->model;
    if (!model || model->file || model->pass_count)
        return;
    for (; model->pass_count < c->w->block_key_count && model->pass_count < KIN_MODEL_PASSES_MAX;
         model->pass_count++)
        model->passes[model->pass_count] = (uint8_t)model->pass_count;
}

KIN_CHECK_ROW(kin_check_model)
{
    (void)key, (void)to;
    c->model_given = true;
    struct kin_workflow_model *model = c->w->model = kin_check_alloc(c, 1, sizeof *model);
    if (!model)
        return;
    model->pass_pairs = PAIRS_DEFAULT;
    model->threshold_count = 1;
    model->thresholds[0] = (struct kin_threshold){kin_probability_weight(0.95), 0.95, "0.95"};
    kin_check_map(c, KIN_CHECK_MODEL, v, model);
}

/* ---- cluster ---- */

KIN_CHECK_ROW(kin_check_cluster)
{
    (void)key, (void)to;
    kin_check_map(c, KIN_CHECK_CLUSTER, v, NULL);
}

KIN_CHECK_ROW(kin_check_method)
{
    (void)key, (void)to;
    static const char *const methods[] = {
        [KIN_CLUSTER_CONNECTED] = "connected", [KIN_CLUSTER_LINKAGE] = "linkage"};
    int method = kin_check_choice(c, v, "method", methods, 2);
    if (method < 0)
        return;
    c->method_given = true;
    c->w->cluster = (enum kin_cluster_method)method;
    if (method == KIN_CLUSTER_LINKAGE && !c->model_given)
        kin_check_say(c, v,
                      "linkage goes by the weights of a model, and there is none; expected "
                      "connected, or a model");
}

static int find_source(struct kin_check *c, const struct kin_yaml_node *node)
{
    const struct kin_workflow *w = c->w;
    struct kin_suggestion near = {NULL, 0};
    for (size_t i = 0; i < w->source_count; i++) {
        if (kin_str_eq(node->value, kin_str_of(w->sources[i].name)))
            return (int)i;
        kin_suggest(&near, node->value, w->sources[i].name);
    }
    char hint[KIN_CHECK_HINT_MAX];
    char quoted[KIN_CHECK_QUOTED_MAX];
    kin_check_hint(&near, hint);
    kin_check_quote(node->value, quoted);
    if (w->source_count)
        kin_check_say(c, node, "unknown source %s%s", quoted,
                      near.name ? hint : "; expected a name that `sources` has");
    return -1;
}

/* Keeps them ascending. */
static void add_clean(struct kin_check *c, const struct kin_yaml_node *node, uint16_t source)
{
    struct kin_workflow *w = c->w;
    size_t at = w->clean_count;
    for (size_t i = 0; i < w->clean_count; i++) {
        if (w->clean[i] == source) {
            kin_check_say(c, node, "source '%.64s' is given twice", w->sources[source].name);
            return;
        }
    }
    for (; at > 0 && w->clean[at - 1] > source; at--)
        w->clean[at] = w->clean[at - 1];
    w->clean[at] = source;
    w->clean_count++;
}

KIN_CHECK_ROW(kin_check_clean_sources)
{
    (void)to;
    struct kin_workflow *w = c->w;
    if (!kin_check_is_list(c, v, key->type))
        return;
    if (w->source_count == 1) {
        kin_check_say(c, v,
                      "there is one source, and nothing could match in it; expected "
                      "clean_sources where there are two or more");
        return;
    }
    w->clean = kin_check_alloc(c, KIN_SOURCES_MAX, sizeof *w->clean);
    if (!w->clean)
        return;
    for (const struct kin_yaml_node *item = v->first; item; item = item->next) {
        if (item->kind != KIN_YAML_SCALAR || kin_yaml_is_null(item)) {
            kin_check_expected(c, item, "a source's name");
            continue;
        }
        int source = find_source(c, item);
        if (source >= 0)
            add_clean(c, item, (uint16_t)source);
    }
}

void kin_check_finish_cluster(struct kin_check *c)
{
    if (!c->method_given)
        c->w->cluster = c->model_given ? KIN_CLUSTER_LINKAGE : KIN_CLUSTER_CONNECTED;
}
