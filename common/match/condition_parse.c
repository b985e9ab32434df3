/* Recursive descent over the grammar in rule.h. Depth, nodes and bytes are bounded, so that hostile
 * text costs little; every complaint has the column of what is wrong. */
#include "common/match/rule_lex.h"
#include "common/match/suggest.h"

#include <stdio.h>
#include <string.h>

struct parser {
    struct kin_lex lex;
    struct kin_arena *arena;
    const struct kin_schema *schema;
    unsigned nodes;
    unsigned depth;
    kin_status status; /* of a parse of operators that gave NULL */
};

/* ---- terms ---- */

static kin_status out_of_memory(struct parser *p)
{
    return kin_lex_fail(&p->lex, KIN_E_NOMEM, p->lex.at, "out of memory");
}

/* Fields of several must be comparable with one another: all texts, or all of one type. */
static unsigned comparable_types(enum kin_type type)
{
    return KIN_TYPE_BIT(type) & KIN_TYPES_TEXT ? KIN_TYPES_TEXT : KIN_TYPE_BIT(type);
}

static kin_status parse_fields(struct parser *p, const struct kin_term_spec *spec,
                               struct kin_term *term)
{
    uint16_t fields[KIN_FIELDS_MAX] = {0};
    unsigned most = spec->args == KIN_ARGS_TWO_FIELDS ? 2 : KIN_FIELDS_MAX;
    unsigned types = spec->types, count = 0;
    bool more = true;
    while (more) {
        size_t at;
        kin_status status = kin_lex_field(&p->lex, p->schema, &fields[count], &at);
        if (!status && count == 0)
            types &= comparable_types(p->schema->fields[fields[0]].type);
        if (!status)
            status = kin_lex_check_type(&p->lex, p->schema, fields[count], at, types,
                                        count ? "after the first field it" : spec->name);
        if (status)
            return status;
        for (unsigned i = 0; i < count; i++) {
            if (fields[i] == fields[count])
                return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at, "field \"%s\" is given twice",
                                    p->schema->fields[fields[i]].name);
        }
        count++;
        more = count < most && kin_lex_take(&p->lex, ',');
    }
    if (count < 2)
        return kin_lex_expect(&p->lex, ',', "\",\" and a second field");
    term->field = fields[0];
    term->field_count = count;
    uint16_t *copy = kin_arena_alloc(p->arena, count * sizeof *fields);
    if (!copy)
        return out_of_memory(p);
    memcpy(copy, fields, count * sizeof *fields);
    term->fields = copy;
    return KIN_OK;
}

static kin_status parse_empty_values(struct parser *p, struct kin_term *term)
{
    if (!kin_lex_take(&p->lex, ','))
        return KIN_OK;
    static const char expected[] = "EmptyValues=Process or EmptyValues=Ignore";
    char found[KIN_LEX_FOUND_BYTES];
    kin_lex_found(&p->lex, found);
    size_t at = p->lex.at;
    if (!kin_word_is(kin_lex_take_word(&p->lex), "EmptyValues"))
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at, "expected %s, found %s", expected, found);
    kin_status status = kin_lex_expect(&p->lex, '=', "\"=\" and Process or Ignore");
    if (status)
        return status;
    kin_lex_found(&p->lex, found);
    at = p->lex.at;
    struct kin_str word = kin_lex_take_word(&p->lex);
    term->empty_is_value = kin_word_is(word, "Process");
    if (!term->empty_is_value && !kin_word_is(word, "Ignore"))
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at, "expected Process or Ignore, found %s",
                            found);
    return KIN_OK;
}

static kin_status parse_count(struct parser *p, const char *what, unsigned from, unsigned to,
                              uint16_t *out)
{
    char expected[64];
    snprintf(expected, sizeof expected, "\",\" and %s", what);
    kin_status status = kin_lex_expect(&p->lex, ',', expected);
    if (status)
        return status;
    return kin_lex_whole(&p->lex, what, (struct kin_lex_range){from, to}, out);
}

static kin_status parse_threshold(struct parser *p, struct kin_term *term)
{
    kin_status status = kin_lex_expect(&p->lex, ',', "\",\" and a threshold");
    if (status)
        return status;
    kin_lex_end(&p->lex);
    size_t at = p->lex.at;
    status = kin_lex_decimal(&p->lex, "a threshold such as 0.9", &term->amount);
    if (status)
        return status;
    term->limit = kin_decimal_value(term->amount, 0);
    if (term->limit <= 0 || term->limit > 1)
        return kin_lex_fail(
            &p->lex, KIN_E_SYNTAX, at,
            "a threshold is greater than 0 and at most 1 (90 %% is 0.9), found %.*s",
            (int)(p->lex.at - at), p->lex.text.p + at);
    return KIN_OK;
}

/* The unit that comes next; KIN_UNIT_COUNT: a word that is none. */
static enum kin_unit take_unit(struct parser *p)
{
    if (kin_lex_take(&p->lex, '%'))
        return KIN_UNIT_PERCENT;
    struct kin_str word = kin_lex_peek_word(&p->lex);
    if (word.n == 0)
        return KIN_UNIT_NONE;
    for (unsigned u = KIN_UNIT_DAY; u < KIN_UNIT_COUNT; u++) {
        if (kin_word_is(word, kin_unit_specs[u].one) || kin_word_is(word, kin_unit_specs[u].many)) {
            kin_lex_take_word(&p->lex);
            return (enum kin_unit)u;
        }
    }
    return KIN_UNIT_COUNT;
}

static double within_limit(const struct kin_term *term)
{
    uint64_t days; /* of a year 365.25, in quarters; half a day counts up */
    switch (term->unit) {
    case KIN_UNIT_PERCENT:
        return kin_decimal_value(term->amount, 2);
    case KIN_UNIT_M:
        return kin_decimal_value(term->amount, 3);
    case KIN_UNIT_WEEK:
        return 7 * kin_decimal_value(term->amount, 0);
    case KIN_UNIT_YEAR:
        days = (term->amount.digits * 1461 + 2) / 4;
        return (double)days;
    case KIN_UNIT_NONE:
    case KIN_UNIT_DAY:
    case KIN_UNIT_KM:
    case KIN_UNIT_COUNT:
        break;
    }
    return kin_decimal_value(term->amount, 0);
}

static kin_status parse_within(struct parser *p, struct kin_term *term)
{
    enum kin_type type = p->schema->fields[term->field].type;
    const char *expected = type == KIN_TYPE_DATE  ? "an amount such as 1 day, 2 weeks or 2 years"
                           : type == KIN_TYPE_GEO ? "an amount such as 2 km or 50 m"
                                                  : "an amount such as 0.5 or 5 %";
    kin_status status = kin_lex_expect(&p->lex, ',', "\",\" and an amount");
    if (status)
        return status;
    kin_lex_end(&p->lex);
    size_t at = p->lex.at;
    status = kin_lex_decimal(&p->lex, expected, &term->amount);
    if (status)
        return status;
    char found[KIN_LEX_FOUND_BYTES];
    kin_lex_found(&p->lex, found);
    size_t unit_at = p->lex.at;
    term->unit = take_unit(p);
    if (term->unit == KIN_UNIT_COUNT || kin_unit_specs[term->unit].type != type)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, unit_at,
                            "for a field of type %s expected %s, found %s as the unit",
                            kin_type_name(type), expected, found);
    const struct kin_unit_spec *unit = &kin_unit_specs[term->unit];
    if (type == KIN_TYPE_DATE && term->amount.scale)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at, "expected a whole number of %s", unit->many);
    if (kin_decimal_value(term->amount, 0) > unit->max)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at, "expected at most %.0f %s", unit->max,
                            unit->many ? unit->many : "");
    term->limit = within_limit(term);
    return KIN_OK;
}

static kin_status parse_after_field(struct parser *p, const struct kin_term_spec *spec,
                                    struct kin_term *term)
{
    kin_status status = KIN_OK;
    switch (spec->args) {
    case KIN_ARGS_EXACT:
        return parse_empty_values(p, term);
    case KIN_ARGS_DISTANCE:
        return parse_count(p, "a distance", 0, KIN_RULE_DISTANCE_MAX, &term->n);
    case KIN_ARGS_LENGTH:
        return parse_count(p, "a length", 1, KIN_RULE_DISTANCE_MAX, &term->n);
    case KIN_ARGS_SIMILARITY:
        return parse_threshold(p, term);
    case KIN_ARGS_SET:
        status = parse_threshold(p, term);
        if (!status && kin_lex_take(&p->lex, ','))
            status = kin_lex_whole(&p->lex, "a q-gram size",
                                   (struct kin_lex_range){1, KIN_QGRAM_MAX}, &term->n);
        return status;
    case KIN_ARGS_WITHIN:
        return parse_within(p, term);
    case KIN_ARGS_FIELD:
    case KIN_ARGS_FIELDS:
    case KIN_ARGS_TWO_FIELDS:
        break;
    }
    return status;
}

/* What may follow the last argument, for "expected ...". */
static const char *after_arguments(const struct kin_term *term)
{
    switch (kin_term_specs[term->fn].args) {
    case KIN_ARGS_FIELDS:
        return "\",\" or \")\"";
    case KIN_ARGS_EXACT:
        return term->empty_is_value ? "\")\"" : "\")\" or \", EmptyValues=...\"";
    case KIN_ARGS_SET:
        return term->n ? "\")\"" : "\")\" or \",\" and a q-gram size";
    case KIN_ARGS_FIELD:
    case KIN_ARGS_TWO_FIELDS:
    case KIN_ARGS_DISTANCE:
    case KIN_ARGS_LENGTH:
    case KIN_ARGS_SIMILARITY:
    case KIN_ARGS_WITHIN:
        break;
    }
    return "\")\"";
}

static kin_status parse_term(struct parser *p, enum kin_term_fn fn, struct kin_term *term)
{
    const struct kin_term_spec *spec = &kin_term_specs[fn];
    *term = (struct kin_term){.fn = fn, .field_count = 1};
    char expected[64];
    snprintf(expected, sizeof expected, "\"(\" after %s", spec->name);
    kin_status status = kin_lex_expect(&p->lex, '(', expected);
    if (status)
        return status;
    if (spec->args == KIN_ARGS_FIELDS || spec->args == KIN_ARGS_TWO_FIELDS) {
        status = parse_fields(p, spec, term);
    } else {
        size_t at;
        status = kin_lex_field(&p->lex, p->schema, &term->field, &at);
        if (!status)
            status =
                kin_lex_check_type(&p->lex, p->schema, term->field, at, spec->types, spec->name);
        if (!status)
            status = parse_after_field(p, spec, term);
    }
    return status ? status : kin_lex_expect(&p->lex, ')', after_arguments(term));
}

static kin_status fail_not_a_term(struct parser *p, struct kin_str word)
{
    struct kin_lex *lex = &p->lex;
    if (word.n == 0) {
        char found[KIN_LEX_FOUND_BYTES];
        return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at,
                            "expected NOT, \"(\" or a function such as Exact(field), found %s",
                            kin_lex_found(lex, found));
    }
    int shown = word.n < 40 ? (int)word.n : 40;
    if (kin_word_is(word, "AND") || kin_word_is(word, "OR"))
        return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at,
                            "expected a function such as Exact(field) before \"%.*s\"", shown,
                            word.p);
    if (kin_schema_find(p->schema, word) >= 0)
        return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at,
                            "expected a function, found the field \"%.*s\": Exact(%.*s)?", shown,
                            word.p, shown, word.p);
    struct kin_suggestion near = {0};
    for (unsigned fn = 0; fn < KIN_TERM_COUNT; fn++)
        kin_suggest(&near, word, kin_term_specs[fn].name);
    if (near.name)
        return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at, "no function \"%.*s\"; did you mean %s?",
                            shown, word.p, near.name);
    char known[256];
    size_t n = 0;
    for (unsigned fn = 0; fn < KIN_TERM_COUNT && n < sizeof known; fn++) {
        int more =
            snprintf(known + n, sizeof known - n, "%s%s", fn ? ", " : "", kin_term_specs[fn].name);
        n += more > 0 ? (size_t)more : 0;
    }
    return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at, "no function \"%.*s\"; there are %s", shown,
                        word.p, known);
}

/* ---- operators: NULL is a failure, and p->status says which ---- */

static struct kin_condition *new_node(struct parser *p, enum kin_node kind)
{
    if (p->nodes == KIN_RULE_NODES_MAX) {
        p->status =
            kin_lex_fail(&p->lex, KIN_E_LIMIT, p->lex.at,
                         "a condition has at most %d terms and operators", KIN_RULE_NODES_MAX);
        return NULL;
    }
    struct kin_condition *node = kin_arena_calloc(p->arena, 1, sizeof *node);
    if (!node) {
        p->status = out_of_memory(p);
        return NULL;
    }
    p->nodes++;
    node->kind = kind;
    return node;
}

static bool enter(struct parser *p)
{
    if (p->depth == KIN_RULE_DEPTH_MAX) {
        p->status = kin_lex_fail(&p->lex, KIN_E_LIMIT, p->lex.at,
                                 "parentheses and NOT go at most %d deep inside one another",
                                 KIN_RULE_DEPTH_MAX);
        return false;
    }
    p->depth++;
    return true;
}

static struct kin_condition *parse_list(struct parser *p, enum kin_node kind);
static struct kin_condition *parse_operand(struct parser *p);

static struct kin_condition *parse_not(struct parser *p)
{
    struct kin_condition *node = enter(p) ? new_node(p, KIN_NODE_NOT) : NULL;
    if (!node)
        return NULL;
    kin_lex_take_word(&p->lex);
    node->child = parse_operand(p);
    p->depth--;
    return node->child ? node : NULL;
}

static struct kin_condition *parse_parentheses(struct parser *p)
{
    if (!enter(p))
        return NULL;
    kin_lex_take(&p->lex, '(');
    struct kin_condition *inside = parse_list(p, KIN_NODE_OR);
    if (!inside)
        return NULL;
    p->depth--;
    p->status = kin_lex_expect(&p->lex, ')', "AND, OR or \")\"");
    return p->status ? NULL : inside;
}

static struct kin_condition *parse_operand(struct parser *p)
{
    struct kin_str word = kin_lex_peek_word(&p->lex);
    if (kin_word_is(word, "NOT"))
        return parse_not(p);
    if (p->lex.at < p->lex.text.n && p->lex.text.p[p->lex.at] == '(')
        return parse_parentheses(p);
    for (unsigned fn = 0; fn < KIN_TERM_COUNT; fn++) {
        if (!kin_word_is(word, kin_term_specs[fn].name))
            continue;
        struct kin_condition *node = new_node(p, KIN_NODE_TERM);
        if (!node)
            return NULL;
        kin_lex_take_word(&p->lex);
        p->status = parse_term(p, (enum kin_term_fn)fn, &node->term);
        return p->status ? NULL : node;
    }
    p->status = fail_not_a_term(p, word);
    return NULL;
}

/* Operands joined by AND, or by OR; a single one stands for itself. Operands that are lists of the
 * same kind, from parentheses, are spliced in. */
static struct kin_condition *parse_list(struct parser *p, enum kin_node kind)
{
    struct kin_condition *first = NULL, **end = &first, *operand;
    unsigned operands = 0;
    const char *word = kind == KIN_NODE_AND ? "AND" : "OR";
    do {
        operand = kind == KIN_NODE_OR ? parse_list(p, KIN_NODE_AND) : parse_operand(p);
        if (!operand)
            return NULL;
        *end = operand->kind == kind ? operand->child : operand;
        while (*end)
            end = &(*end)->next;
        operands++;
    } while (kin_word_is(kin_lex_peek_word(&p->lex), word) && kin_lex_take_word(&p->lex).n);
    if (operands == 1)
        return operand;
    struct kin_condition *node = new_node(p, kind);
    if (node)
        node->child = first;
    return node;
}

kin_status kin_condition_parse(struct kin_arena *arena, const struct kin_schema *schema,
                               struct kin_str text, struct kin_condition **out, unsigned *column,
                               struct kin_err *err)
{
    struct parser p = {
        .lex = {.text = text, .column = column, .err = err}, .arena = arena, .schema = schema};
    if (text.n > KIN_RULE_TEXT_MAX)
        return kin_lex_fail(&p.lex, KIN_E_LIMIT, KIN_RULE_TEXT_MAX,
                            "a condition has at most %d bytes, found %zu", KIN_RULE_TEXT_MAX,
                            text.n);
    struct kin_condition *condition = parse_list(&p, KIN_NODE_OR);
    if (!condition)
        return p.status;
    if (!kin_lex_end(&p.lex)) {
        char found[KIN_LEX_FOUND_BYTES];
        return kin_lex_fail(&p.lex, KIN_E_SYNTAX, p.lex.at, "expected AND, OR or the end, found %s",
                            kin_lex_found(&p.lex, found));
    }
    *out = condition;
    return KIN_OK;
}
