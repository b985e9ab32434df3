/* rules, never, block_on; and the blocking keys that follow from them. */
#include "common/workflow/check.h"

#include <stdio.h>
#include <string.h>

enum { RULE_NAME_MAX = 255 };

struct draft { /* one item of a list of rules */
    const char *name;
    struct kin_yaml_node *when; /* a scalar */
};

KIN_CHECK_ROW(kin_check_rule_name)
{
    struct draft *draft = to;
    draft->name = kin_check_text(c, v, key->type, RULE_NAME_MAX);
}

KIN_CHECK_ROW(kin_check_rule_when)
{
    struct draft *draft = to;
    if (v->kind != KIN_YAML_SCALAR || kin_yaml_is_null(v))
        kin_check_expected(c, v, key->type);
    else if (v->value.n > KIN_RULE_TEXT_MAX)
        kin_check_say(c, v, "found %zu bytes; expected a condition of at most %d", v->value.n,
                      KIN_RULE_TEXT_MAX);
    else
        draft->when = v;
}

static kin_status parse_condition(struct kin_check *c, struct kin_str text, void *out,
                                  unsigned *column, struct kin_err *err)
{
    return kin_condition_parse(&c->w->arena, &c->w->schema, text, out, column, err);
}

static kin_status parse_term(struct kin_check *c, struct kin_str text, void *out, unsigned *column,
                             struct kin_err *err)
{
    return kin_key_term_parse(&c->w->schema, text, out, column, err);
}

/* Whether a complaint goes away with other types for the fields whose own type is a mistake: then
 * it only follows from that one. */
static bool is_consequence(struct kin_check *c, struct kin_str text, kin_check_parse_fn parse,
                           void *out, unsigned column)
{
    bool follows = false;
    for (unsigned type = 0; c->uncertain && !follows && type < KIN_TYPE_COUNT; type++) {
        unsigned at = 0;
        for (size_t i = 0; i < c->w->schema.count; i++) {
            if (c->extra[i].uncertain)
                c->fields[i].type = (enum kin_type)type;
        }
        follows = parse(c, text, out, &at, NULL) == KIN_OK || at != column;
    }
    for (size_t i = 0; i < c->w->schema.count; i++) {
        if (c->extra[i].uncertain)
            c->fields[i].type = KIN_TYPE_TEXT;
    }
    return follows;
}

bool kin_check_parse(struct kin_check *c, const struct kin_yaml_node *node,
                     kin_check_parse_fn parse, void *out)
{
    unsigned column = 0; /* in bytes, from 1 */
    struct kin_err err = {.msg = ""};
    kin_status status = parse(c, node->value, out, &column, &err);
    if (status == KIN_OK)
        return true;
    if (status == KIN_E_NOMEM) {
        c->nomem = true;
    } else if (!is_consequence(c, node->value, parse, out, column)) {
        size_t at = kin_yaml_offset(c->yaml, node, column ? column - 1 : 0);
        kin_yaml_say(c->yaml, c->report, node, NULL, at, "%s", err.msg);
    }
    return false;
}

static bool check_unique(struct kin_check *c, const struct kin_yaml_node *item,
                         const struct kin_rule *rules, size_t count, const char *list)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rules[i].name, rules[count].name) != 0)
            continue;
        const struct kin_yaml_node *name = kin_yaml_get(item, "name");
        kin_check_say(c, name ? name : item, "name '%.64s' is also the name of %s[%zu]",
                      rules[i].name, list, i);
        return false;
    }
    return true;
}

/* Compiles one item into rules[index]. false: reported. */
static bool check_rule(struct kin_check *c, struct kin_yaml_node *item, struct kin_rule *rule,
                       size_t index, const char *list, struct kin_yaml_node **when)
{
    struct draft draft = {NULL, NULL};
    if (item->kind == KIN_YAML_MAP) {
        if (kin_yaml_join(c->yaml, item) != KIN_OK) {
            c->nomem = true;
            return false;
        }
        kin_check_map(c, KIN_CHECK_RULE, item, &draft);
    } else if (item->kind == KIN_YAML_SCALAR && !kin_yaml_is_null(item)) {
        kin_check_rule_when(c, &kin_check_table(KIN_CHECK_RULE)->keys[1], item, &draft);
    } else {
        kin_check_expected(c, item, "a condition, or a map with `name` and `when`");
    }
    if (!draft.name) {
        char name[32];
        snprintf(name, sizeof name, "%s %zu", list, index + 1);
        draft.name = kin_check_copy(c, kin_str_of(name));
    }
    rule->name = draft.name;
    *when = draft.when;
    if (!draft.name || !draft.when || !c->fields_known)
        return false;

    if (!kin_check_parse(c, draft.when, parse_condition, &rule->condition))
        return false;
    rule->when = kin_check_copy(c, draft.when->value);
    return rule->when != NULL;
}

/* word: what rules without a name are called. Returns the rules, NULL where there are none; *good
 * says whether all were compiled. */
static struct kin_rule *check_list(struct kin_check *c, struct kin_yaml_node *v, const char *word,
                                   size_t min, size_t *count, struct kin_yaml_node ***whens,
                                   bool *good)
{
    *good = false;
    if (!kin_check_is_list(c, v, "a list of rules"))
        return NULL;
    if (kin_yaml_join(c->yaml, v) != KIN_OK) {
        c->nomem = true;
        return NULL;
    }
    if (v->count < min || v->count > KIN_RULES_MAX) {
        kin_check_say(c, v, "found %zu rules; expected %zu to %d", v->count, min, KIN_RULES_MAX);
        return NULL;
    }
    struct kin_rule *rules = kin_check_alloc(c, v->count, sizeof *rules);
    *whens = kin_check_alloc(c, v->count, sizeof(struct kin_yaml_node *));
    if (!rules || !*whens)
        return NULL;
    *good = true;
    size_t i = 0;
    for (struct kin_yaml_node *item = v->first; item; item = item->next, i++) {
        *good = check_rule(c, item, &rules[i], i, word, &(*whens)[i]) && *good;
        if (!rules[i].name)
            return NULL;
        check_unique(c, item, rules, i, v->key->value.p);
    }
    *count = v->count;
    return rules;
}

KIN_CHECK_ROW(kin_check_rules)
{
    (void)key, (void)to;
    c->w->rules = check_list(c, v, "rule", 1, &c->w->rule_count, &c->whens, &c->rules_known);
}

KIN_CHECK_ROW(kin_check_never)
{
    (void)key, (void)to;
    bool good;
    struct kin_yaml_node **whens;
    c->w->never = check_list(c, v, "never", 0, &c->w->never_count, &whens, &good);
}

/* ---- block_on ---- */

static bool same_term(const struct kin_key_term *a, const struct kin_key_term *b)
{
    return a->fn == b->fn && a->field == b->field && a->n == b->n && a->rows == b->rows;
}

bool kin_check_same_key(const struct kin_key_rule *a, const struct kin_key_rule *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        bool found = false;
        for (size_t j = 0; j < b->count; j++)
            found = found || same_term(&a->terms[i], &b->terms[j]);
        if (!found)
            return false;
    }
    return true;
}

static bool check_term(struct kin_check *c, const struct kin_yaml_node *node,
                       struct kin_key_rule *rule, struct kin_buf *text)
{
    if (node->kind != KIN_YAML_SCALAR || kin_yaml_is_null(node)) {
        kin_check_expected(c, node, "a term, such as dob or soundex(last_name)");
        return false;
    }
    struct kin_key_term *term = &rule->terms[rule->count];
    if (!kin_check_parse(c, node, parse_term, term))
        return false;
    for (size_t i = 0; i < rule->count; i++) {
        if (same_term(&rule->terms[i], term)) {
            char quoted[KIN_CHECK_QUOTED_MAX];
            kin_check_quote(node->value, quoted);
            kin_check_say(c, node, "term %s is given twice", quoted);
            return false;
        }
    }
    if (rule->count++)
        kin_buf_puts(text, " + ");
    kin_buf_put(text, node->value.p, node->value.n);
    return true;
}

bool kin_check_key(struct kin_check *c, struct kin_yaml_node *item, struct kin_key_rule *rule)
{
    struct kin_yaml_node *first = item;
    if (item->kind == KIN_YAML_LIST) {
        if (kin_yaml_join(c->yaml, item) != KIN_OK) {
            c->nomem = true;
            return false;
        }
        if (item->count < 1 || item->count > KIN_KEY_TERMS_MAX) {
            kin_check_say(c, item, "found %zu terms; expected 1 to %d", item->count,
                          KIN_KEY_TERMS_MAX);
            return false;
        }
        first = item->first;
    } else if (item->kind != KIN_YAML_SCALAR || kin_yaml_is_null(item)) {
        kin_check_expected(c, item, "a list of terms");
        return false;
    }
    bool good = true;
    struct kin_buf text = {0};
    for (const struct kin_yaml_node *node = first; node; node = node == item ? NULL : node->next)
        good = check_term(c, node, rule, &text) && good;
    if (text.failed)
        c->nomem = true;
    else if (good)
        rule->text = kin_check_copy(c, (struct kin_str){(const char *)text.p, text.n});
    kin_buf_deinit(&text);
    return good && !c->nomem;
}

KIN_CHECK_ROW(kin_check_block_on)
{
    (void)to;
    struct kin_workflow *w = c->w;
    c->block_on = v;
    if (!kin_check_is_list(c, v, key->type))
        return;
    if (kin_yaml_join(c->yaml, v) != KIN_OK) {
        c->nomem = true;
        return;
    }
    if (v->count > KIN_KEY_RULES_MAX) {
        kin_check_say(c, v, "found %zu lists of terms; expected at most %d", v->count,
                      KIN_KEY_RULES_MAX);
        return;
    }
    if (!c->fields_known)
        return;
    for (struct kin_yaml_node *item = v->first; item; item = item->next) {
        struct kin_key_rule *rule = &w->keys[w->key_count];
        *rule = (struct kin_key_rule){0};
        if (!kin_check_key(c, item, rule))
            continue;
        bool repeated = false;
        for (size_t i = 0; i < w->key_count && !repeated; i++) {
            repeated = kin_check_same_key(&w->keys[i], rule);
            if (repeated)
                kin_check_say(c, item, "the same terms as '%.64s'", w->keys[i].text);
        }
        if (!repeated)
            w->key_count++;
    }
    w->block_key_count = w->key_count;
}

/* ---- keys that follow from the rules ---- */

/* Finds the stars. is_star[rule]. false: reported. */
static bool find_stars(struct kin_check *c, struct kin_key_rule *stars, size_t *star_count,
                       bool *is_star)
{
    struct kin_workflow *w = c->w;
    bool good = true;
    for (size_t i = 0; i < w->rule_count; i++) {
        struct kin_err err = {.msg = ""};
        kin_status status = kin_rule_stars(&w->arena, &w->schema, &w->rules[i], (uint16_t)i, stars,
                                           star_count, &is_star[i], &err);
        if (status == KIN_OK)
            continue;
        if (status == KIN_E_NOMEM)
            c->nomem = true;
        else
            kin_check_say(c, c->whens[i], "%s", err.msg);
        good = false;
    }
    return good;
}

static bool derive(struct kin_check *c, const bool *is_star)
{
    struct kin_workflow *w = c->w;
    bool good = true;
    for (size_t i = 0; i < w->rule_count; i++) {
        if (is_star[i])
            continue;
        struct kin_err err = {.msg = ""};
        kin_status status =
            kin_rule_derive_keys(&w->arena, &w->schema, &w->rules[i], w->keys, &w->key_count, &err);
        if (status == KIN_OK)
            continue;
        good = false;
        if (status == KIN_E_NOMEM)
            c->nomem = true;
        else
            kin_check_say(c, c->whens[i], "%.320s; or give block_on", err.msg);
    }
    w->block_key_count = w->key_count;
    return good;
}

/* The first rule that needs pairs, or NULL. */
static const struct kin_rule *pair_rule(const struct kin_workflow *w, const bool *is_star)
{
    for (size_t i = 0; i < w->rule_count; i++) {
        if (!is_star[i])
            return &w->rules[i];
    }
    return NULL;
}

/* What a rule compares can be told from it; a model has no such bound, so whoever writes one says
 * which pairs it is asked about. */
static void check_model_keys(struct kin_check *c, const struct kin_yaml_node *root)
{
    static const char expected[] = "the model decides pairs that share a blocking key; expected "
                                   "lists of terms, such as [[email], [soundex(last_name), dob]]";
    if (!c->block_on)
        kin_yaml_say(c->yaml, c->report, root, "block_on", root->at, "missing; %s", expected);
    else if (c->block_on->kind == KIN_YAML_LIST && !c->block_on->count)
        kin_check_say(c, c->block_on, "found an empty list; %s", expected);
}

void kin_check_finish_keys(struct kin_check *c, const struct kin_yaml_node *root)
{
    struct kin_workflow *w = c->w;
    if (root->kind == KIN_YAML_MAP && !kin_yaml_get(root, "rules")) {
        c->rules_known = c->model_given;
        if (!c->model_given)
            kin_yaml_say(c->yaml, c->report, root, "rules", root->at,
                         "missing; expected a list of rules, or a model");
    }
    if (c->model_given)
        check_model_keys(c, root);
    if (!c->rules_known || c->uncertain || (c->model_given && !c->block_on))
        return;
    struct kin_key_rule *stars = kin_check_alloc(c, KIN_KEY_RULES_MAX, sizeof *stars);
    bool *is_star = kin_check_alloc(c, w->rule_count, sizeof *is_star);
    size_t star_count = 0;
    if (!stars || !is_star || !find_stars(c, stars, &star_count, is_star))
        return;
    if (!c->block_on && !derive(c, is_star))
        return;
    const struct kin_rule *pairs = pair_rule(w, is_star);
    if (c->block_on && c->block_on->kind == KIN_YAML_LIST && !c->block_on->count && pairs &&
        !c->model_given)
        kin_check_say(c, c->block_on,
                      "found an empty list, but rule '%.64s' compares pairs; expected lists of "
                      "terms, or no block_on at all",
                      pairs->name);
    if (w->key_count + star_count > KIN_KEY_RULES_MAX) {
        kin_check_say(c, c->block_on ? c->block_on : root,
                      "%zu blocking keys and %zu more that exact rules need; expected at most %d "
                      "together",
                      w->key_count, star_count, KIN_KEY_RULES_MAX);
        return;
    }
    memcpy(w->keys + w->key_count, stars, star_count * sizeof *stars);
    w->key_count += star_count;
    for (size_t i = 0; i < w->key_count; i++)
        w->keys[i].number = (uint8_t)i;
}
