/* model.compare: what is compared, by which levels. */
#include "common/workflow/check.h"

#include "common/workflow/utf8.h"

#include <string.h>

enum { COMPARISON_NAME_MAX = 255 };

struct draft {
    struct kin_comparison *comparison;
    struct kin_yaml_node *levels; /* a list, or one level */
    const struct kin_yaml_node *term_frequency;
    bool fields_good;
};

/* ---- fields ---- */

KIN_CHECK_ROW(kin_check_comparison_fields)
{
    struct draft *draft = to;
    struct kin_comparison *comparison = draft->comparison;
    if (!kin_check_is_list(c, v, key->type))
        return;
    if (v->count < 2 || v->count > KIN_COMPARISON_FIELDS_MAX) {
        kin_check_say(c, v,
                      "found %zu fields; expected 2 to %d (of one field, the comparison has "
                      "the name)",
                      v->count, KIN_COMPARISON_FIELDS_MAX);
        return;
    }
    bool good = c->fields_known;
    for (const struct kin_yaml_node *item = v->first; item; item = item->next) {
        if (item->kind != KIN_YAML_SCALAR || kin_yaml_is_null(item)) {
            kin_check_expected(c, item, "a field's name");
            good = false;
            continue;
        }
        int field = kin_check_field(c, item, item->value, item->at);
        good = good && field >= 0;
        if (field < 0)
            continue;
        unsigned n = comparison->field_count;
        const struct kin_field *first = &c->fields[comparison->fields[0]];
        for (unsigned i = 0; i < n && good; i++) {
            good = comparison->fields[i] != field;
            if (!good)
                kin_check_say(c, item, "field '%.64s' is given twice", c->fields[field].name);
        }
        if (n && good && !kin_types_comparable(first->type, c->fields[field].type)) {
            good = false;
            if (!c->uncertain)
                kin_check_say(c, item,
                              "'%.64s' is of type %s, '%.64s' of type %s; expected fields that can "
                              "be compared with one another: all texts, or all of one type",
                              c->fields[field].name, kin_type_name(c->fields[field].type),
                              first->name, kin_type_name(first->type));
        }
        comparison->fields[comparison->field_count++] = (uint16_t)field;
    }
    draft->fields_good = good;
}

/* The field that has the comparison's name. */
static void take_own_field(struct kin_check *c, const struct kin_yaml_node *item,
                           struct draft *draft)
{
    int field = kin_check_field(c, item, item->key->value, item->key->at);
    if (field < 0)
        return;
    draft->comparison->fields[0] = (uint16_t)field;
    draft->comparison->field_count = 1;
    draft->fields_good = c->fields_known;
}

/* ---- levels ---- */

struct parse_to {
    const struct kin_comparison *comparison;
    const struct kin_level *level;
};

static kin_status parse_level(struct kin_check *c, struct kin_str text, void *out, unsigned *column,
                              struct kin_err *err)
{
    struct parse_to *to = out;
    return kin_level_parse(&c->w->arena, &c->w->schema, to->comparison, text, &to->level, column,
                           err);
}

/* Reports a level that one before it leaves nothing to. */
static void check_reachable(struct kin_check *c, const struct kin_yaml_node *node,
                            const struct kin_comparison *comparison, const struct kin_level *level)
{
    const struct kin_level *earlier = NULL;
    for (unsigned i = 0; i < comparison->level_count && !earlier; i++) {
        if (kin_level_hides(comparison->levels[i], level))
            earlier = comparison->levels[i];
    }
    if (!earlier)
        return;
    struct kin_buf text = {0};
    kin_level_print(earlier, &text);
    kin_buf_putc(&text, '\0');
    if (text.failed)
        c->nomem = true;
    else if (kin_level_hides(level, earlier))
        kin_check_say(c, node, "the same level as '%s' before it", (const char *)text.p);
    else
        kin_check_say(c, node,
                      "never reached, as '%s' before it holds wherever this does; expected the "
                      "strongest level first",
                      (const char *)text.p);
    kin_buf_deinit(&text);
}

static void check_level(struct kin_check *c, const struct kin_yaml_node *node,
                        struct kin_comparison *comparison)
{
    if (node->kind != KIN_YAML_SCALAR || kin_yaml_is_null(node)) {
        kin_check_expected(c, node, "a level such as exact or jaro_winkler 0.92");
        return;
    }
    struct parse_to to = {comparison, NULL};
    if (!kin_check_parse(c, node, parse_level, &to))
        return;
    check_reachable(c, node, comparison, to.level);
    comparison->levels[comparison->level_count++] = to.level;
}

static void check_levels(struct kin_check *c, struct kin_yaml_node *v,
                         struct kin_comparison *comparison)
{
    bool list = v->kind == KIN_YAML_LIST;
    if (!list && (v->kind != KIN_YAML_SCALAR || kin_yaml_is_null(v))) {
        kin_check_expected(c, v, "a list of levels");
        return;
    }
    if (list && (v->count < 1 || v->count > KIN_LEVELS_MAX - 1)) {
        kin_check_say(c, v, "found %zu levels; expected 1 to %d", v->count, KIN_LEVELS_MAX - 1);
        return;
    }
    for (const struct kin_yaml_node *item = list ? v->first : v; item;
         item = list ? item->next : NULL)
        check_level(c, item, comparison);
}

KIN_CHECK_ROW(kin_check_comparison_levels)
{
    (void)c, (void)key;
    ((struct draft *)to)->levels = v;
}

KIN_CHECK_ROW(kin_check_comparison_term_frequency)
{
    (void)key;
    struct draft *draft = to;
    if (kin_check_bool(c, v, &draft->comparison->term_frequency) &&
        draft->comparison->term_frequency)
        draft->term_frequency = v;
}

/* ---- comparisons ---- */

static void check_name(struct kin_check *c, const struct kin_yaml_node *item)
{
    struct kin_str name = item->key->value;
    bool good = name.n >= 1 && name.n <= COMPARISON_NAME_MAX;
    for (size_t i = 0; good && i < name.n;) {
        uint32_t code = 0;
        size_t bytes = kin_utf8_step(name.p + i, name.n - i, &code);
        good = bytes && code >= 0x20 && !kin_utf8_is_control(code);
        i += bytes;
    }
    char quoted[KIN_CHECK_QUOTED_MAX];
    kin_check_quote(name, quoted);
    if (!good)
        kin_check_say_key(c, item,
                          "%s is no name of a comparison; expected 1 to %d bytes without "
                          "control characters",
                          quoted, COMPARISON_NAME_MAX);
}

static void check_comparison(struct kin_check *c, struct kin_yaml_node *item,
                             struct kin_comparison *comparison)
{
    struct draft draft = {.comparison = comparison};
    bool map = item->kind == KIN_YAML_MAP;
    check_name(c, item);
    if (!map || !kin_yaml_get(item, "fields"))
        take_own_field(c, item, &draft);
    if (map)
        kin_check_map(c, KIN_CHECK_COMPARISON, item, &draft);
    else if (item->kind == KIN_YAML_LIST ||
             (item->kind == KIN_YAML_SCALAR && !kin_yaml_is_null(item)))
        draft.levels = item;
    else
        kin_check_expected(c, item, "a list of levels, or a map with `levels`");
    if (!draft.levels || !draft.fields_good)
        return;
    check_levels(c, draft.levels, comparison);
    if (draft.term_frequency && comparison->level_count &&
        !kin_level_is_exact(comparison->levels[0]))
        kin_check_say(c, draft.term_frequency,
                      "term frequencies belong to equal values; expected exact as the first level");
}

KIN_CHECK_ROW(kin_check_model_compare)
{
    struct kin_workflow_model *model = to;
    if (!kin_check_is_map(c, v, key->type))
        return;
    if (v->count < 1 || v->count > KIN_COMPARISONS_MAX) {
        kin_check_say(c, v, "found %zu comparisons; expected 1 to %d", v->count,
                      KIN_COMPARISONS_MAX);
        return;
    }
    model->comparisons = kin_check_alloc(c, v->count, sizeof *model->comparisons);
    if (!model->comparisons)
        return;
    for (struct kin_yaml_node *item = v->first; item; item = item->next) {
        struct kin_comparison *comparison = &model->comparisons[model->comparison_count++];
        comparison->name = kin_check_copy(c, item->key->value);
        if (item->kind != KIN_YAML_BAD)
            check_comparison(c, item, comparison);
    }
}
