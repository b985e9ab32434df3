/* Blocking keys and stars from rules, by way of the disjunctive normal form: negations pushed down
 * to the terms, then AND distributed over OR. */
#include "common/match/condition_impl.h"

#include <string.h>

/* A term, perhaps negated. A conjunct is a set of literals, by bit. */
struct literal {
    const struct kin_term *term;
    bool negated;
};
enum { SET_WORDS = KIN_RULE_NODES_MAX / 64 };
struct conjunct {
    uint64_t literals[SET_WORDS];
};
/* In the order the rule has them; none contains another. */
struct normal_form {
    struct conjunct conjuncts[KIN_RULE_CONJUNCTS_MAX];
    size_t count;
};
struct literals {
    struct literal items[KIN_RULE_NODES_MAX];
    size_t count;
};

/* ---- normal form ---- */

static bool contains(const struct conjunct *a, const struct conjunct *b)
{
    for (unsigned w = 0; w < SET_WORDS; w++) {
        if (b->literals[w] & ~a->literals[w])
            return false;
    }
    return true;
}

/* X OR (X AND Y) is X: the wider of two conjuncts stays. */
static kin_status add_conjunct(struct normal_form *form, const struct conjunct *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < form->count; i++) {
        if (contains(c, &form->conjuncts[i]))
            return KIN_OK;
    }
    for (size_t i = 0; i < form->count; i++) {
        if (!contains(&form->conjuncts[i], c))
            form->conjuncts[kept++] = form->conjuncts[i];
    }
    form->count = kept;
    if (kept == KIN_RULE_CONJUNCTS_MAX)
        return KIN_E_LIMIT;
    form->conjuncts[form->count++] = *c;
    return KIN_OK;
}

static size_t intern_literal(struct literals *literals, struct literal l)
{
    for (size_t i = 0; i < literals->count; i++) {
        if (literals->items[i].negated == l.negated &&
            kin_term_equal(literals->items[i].term, l.term))
            return i;
    }
    literals->items[literals->count] = l;
    return literals->count++;
}

static kin_status normalise(const struct kin_condition *c, bool negated, struct literals *literals,
                            struct normal_form *out);

/* Replaces `form` by every conjunct of it joined with every one of `by`. */
static kin_status distribute(struct normal_form *form, const struct normal_form *by)
{
    struct normal_form product = {.count = 0};
    for (size_t i = 0; i < form->count; i++) {
        for (size_t j = 0; j < by->count; j++) {
            struct conjunct c = form->conjuncts[i];
            for (unsigned w = 0; w < SET_WORDS; w++)
                c.literals[w] |= by->conjuncts[j].literals[w];
            kin_status status = add_conjunct(&product, &c);
            if (status)
                return status;
        }
    }
    *form = product;
    return KIN_OK;
}

static kin_status normalise_list(const struct kin_condition *c, bool negated,
                                 struct literals *literals, struct normal_form *out)
{
    bool all = (c->kind == KIN_NODE_AND) != negated;
    struct normal_form form = {.count = all}; /* the empty conjunct: true; no conjunct: false */
    for (const struct kin_condition *child = c->child; child; child = child->next) {
        struct normal_form operand;
        kin_status status = normalise(child, negated, literals, &operand);
        if (!status && all)
            status = distribute(&form, &operand);
        for (size_t i = 0; !status && !all && i < operand.count; i++)
            status = add_conjunct(&form, &operand.conjuncts[i]);
        if (status)
            return status;
    }
    *out = form;
    return KIN_OK;
}

static kin_status normalise(const struct kin_condition *c, bool negated, struct literals *literals,
                            struct normal_form *out)
{
    if (c->kind == KIN_NODE_NOT)
        return normalise(c->child, !negated, literals, out);
    if (c->kind != KIN_NODE_TERM)
        return normalise_list(c, negated, literals, out);
    size_t i = intern_literal(literals, (struct literal){&c->term, negated});
    *out = (struct normal_form){.count = 1};
    out->conjuncts[0].literals[i / 64] = UINT64_C(1) << (i % 64);
    return KIN_OK;
}

static kin_status normal_form(const struct kin_rule *rule, struct literals *literals,
                              struct normal_form *out, struct kin_err *err)
{
    literals->count = 0;
    if (normalise(rule->condition, false, literals, out))
        return kin_err_set(err, KIN_E_LIMIT,
                           "the condition comes to more than %d alternatives when AND is "
                           "distributed over OR",
                           KIN_RULE_CONJUNCTS_MAX);
    return KIN_OK;
}

/* ---- from a conjunct to a key rule ---- */

/* False: no key follows from the term. */
static bool key_term_of(const struct kin_term *term, struct kin_key_term *out)
{
    static const struct {
        bool derives;
        enum kin_key_fn fn;
    } by_term[KIN_TERM_COUNT] = {
        [KIN_TERM_EXACT] = {true, KIN_KEY_VALUE},
        [KIN_TERM_SOUNDEX] = {true, KIN_KEY_SOUNDEX},
        [KIN_TERM_METAPHONE] = {true, KIN_KEY_METAPHONE},
        [KIN_TERM_PREFIX] = {true, KIN_KEY_PREFIX},
        [KIN_TERM_SUFFIX] = {true, KIN_KEY_SUFFIX},
        [KIN_TERM_SAME_YEAR] = {true, KIN_KEY_YEAR},
    };
    if (!by_term[term->fn].derives)
        return false;
    *out = (struct kin_key_term){.fn = by_term[term->fn].fn,
                                 .field = term->field,
                                 .n = term->n,
                                 .empty_is_value = term->empty_is_value};
    return true;
}

static bool is_exact(const struct kin_key_term *t)
{
    return t->fn == KIN_KEY_VALUE && !t->empty_is_value;
}

/* Terms of one conjunct; what an Exact term of the same field implies is left out. */
struct key_terms {
    struct kin_key_term items[KIN_RULE_NODES_MAX];
    size_t count;
    size_t valued; /* those that a record without values does not satisfy */
};

static void collect_terms(const struct literals *literals, const struct conjunct *c,
                          struct key_terms *out)
{
    struct kin_key_term all[KIN_RULE_NODES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < literals->count; i++) {
        bool in = c->literals[i / 64] >> (i % 64) & 1;
        n += in && !literals->items[i].negated && key_term_of(literals->items[i].term, &all[n]);
    }
    out->count = out->valued = 0;
    for (size_t i = 0; i < n; i++) {
        bool implied = false;
        for (size_t j = 0; j < n && !implied && !is_exact(&all[i]); j++)
            implied = is_exact(&all[j]) && all[j].field == all[i].field;
        if (implied)
            continue;
        out->valued += !all[i].empty_is_value;
        out->items[out->count++] = all[i];
    }
}

/* The first KIN_KEY_TERMS_MAX, at least one of them valued. */
static void fill_terms(const struct key_terms *terms, struct kin_key_rule *key)
{
    size_t valued = 0;
    for (size_t i = 0; i < terms->count; i++) {
        const struct kin_key_term *t = &terms->items[i];
        size_t left = (size_t)(KIN_KEY_TERMS_MAX - key->count);
        if (left == 0)
            return;
        if (t->empty_is_value && left == 1 && valued == 0)
            continue; /* the last place is for a valued one */
        valued += !t->empty_is_value;
        key->terms[key->count++] = *t;
    }
}

static bool same_terms(const struct kin_key_rule *a, const struct kin_key_rule *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++) {
        const struct kin_key_term *x = &a->terms[i];
        bool found = false;
        for (unsigned j = 0; j < b->count && !found; j++) {
            const struct kin_key_term *y = &b->terms[j];
            found = x->fn == y->fn && x->field == y->field && x->n == y->n && x->rows == y->rows &&
                    x->empty_is_value == y->empty_is_value;
        }
        if (!found)
            return false;
    }
    return true;
}

/* prefix and the terms, joined with " + "; in the arena. NULL: out of memory. */
static const char *key_text(struct kin_arena *arena, const struct kin_schema *schema,
                            const char *rule_name, const struct kin_key_rule *key)
{
    struct kin_buf text = {0};
    if (rule_name)
        kin_buf_printf(&text, "rule '%s': ", rule_name);
    for (unsigned i = 0; i < key->count; i++) {
        if (i)
            kin_buf_puts(&text, " + ");
        kin_key_term_print(schema, &key->terms[i], &text);
    }
    char *copy = text.failed ? NULL : kin_arena_strndup(arena, (const char *)text.p, text.n);
    kin_buf_deinit(&text);
    return copy;
}

static kin_status append_key(struct kin_arena *arena, const struct kin_schema *schema,
                             const char *rule_name, const struct kin_key_rule *key,
                             struct kin_key_rule *keys, size_t *count, struct kin_err *err)
{
    if (*count == KIN_KEY_RULES_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "more than %d blocking keys", KIN_KEY_RULES_MAX);
    struct kin_key_rule *to = &keys[*count];
    *to = *key;
    to->number = (uint8_t)*count;
    to->text = key_text(arena, schema, rule_name, key);
    if (!to->text)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    ++*count;
    return KIN_OK;
}

static void print_conjunct(const struct kin_schema *schema, const struct literals *literals,
                           const struct conjunct *c, struct kin_buf *out)
{
    const char *between = "";
    for (size_t i = 0; i < literals->count; i++) {
        if (!(c->literals[i / 64] >> (i % 64) & 1))
            continue;
        kin_buf_puts(out, between);
        if (literals->items[i].negated)
            kin_buf_puts(out, "NOT ");
        kin_term_print(schema, literals->items[i].term, out);
        between = " AND ";
    }
}

/* Why a conjunct gives no key, with its first hundred bytes or so. */
static kin_status fail_conjunct(const struct kin_schema *schema, const struct literals *literals,
                                const struct conjunct *c, const char *reason, struct kin_err *err)
{
    enum { SHOWN = 100 };
    struct kin_buf text = {0};
    print_conjunct(schema, literals, c, &text);
    if (text.failed) {
        kin_buf_deinit(&text);
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    size_t n = text.n < SHOWN ? text.n : SHOWN;
    while (n < text.n && n > 0 && (text.p[n] & 0xc0) == 0x80)
        n--;
    kin_err_set(err, KIN_E_WORKFLOW, "%.*s%s %s", (int)n, (const char *)text.p,
                n < text.n ? "..." : "", reason);
    kin_buf_deinit(&text);
    return KIN_E_WORKFLOW;
}

/* ---- stars ---- */

static bool is_exact_only(const struct kin_condition *c)
{
    if (c->kind == KIN_NODE_TERM)
        return c->term.fn == KIN_TERM_EXACT;
    bool exact = c->kind != KIN_NODE_NOT;
    for (const struct kin_condition *child = c->child; child && exact; child = child->next)
        exact = is_exact_only(child);
    return exact;
}

kin_status kin_rule_stars(struct kin_arena *arena, const struct kin_schema *schema,
                          const struct kin_rule *rule, uint16_t rule_index,
                          struct kin_key_rule *keys, size_t *key_count, bool *is_star,
                          struct kin_err *err)
{
    struct literals literals;
    struct normal_form form = {.count = 0};
    if (!is_exact_only(rule->condition)) {
        *is_star = false;
        return KIN_OK;
    }
    kin_status status = normal_form(rule, &literals, &form, err);
    size_t count = *key_count;
    for (size_t i = 0; !status && i < form.count; i++) {
        struct key_terms terms;
        collect_terms(&literals, &form.conjuncts[i], &terms);
        if (terms.count > KIN_KEY_TERMS_MAX) {
            *is_star = false; /* compared in pairs; what was appended is forgotten */
            return KIN_OK;
        }
        if (terms.valued == 0)
            return fail_conjunct(schema, &literals, &form.conjuncts[i],
                                 "would make one group of all records without these values; add an "
                                 "Exact term that ignores empty values",
                                 err);
        struct kin_key_rule key = {.star = true, .match_rule = rule_index};
        fill_terms(&terms, &key);
        status = append_key(arena, schema, rule->name, &key, keys, &count, err);
    }
    if (status)
        return status;
    *key_count = count;
    *is_star = true;
    return KIN_OK;
}

/* ---- derived keys ---- */

static kin_status fail_underivable(const struct kin_schema *schema, const struct literals *literals,
                                   const struct conjunct *c, bool exact_process,
                                   struct kin_err *err)
{
    bool many = false;
    for (size_t i = 0; i < literals->count; i++) {
        bool in = c->literals[i / 64] >> (i % 64) & 1;
        many = many || (in && literals->items[i].term->fn == KIN_TERM_EXACT_MANY);
    }
    const char *reason =
        exact_process ? "gives no blocking key (EmptyValues=Process alone would put all records "
                        "without the value in one block); add a term such as Exact(f) with AND"
        : many ? "gives no blocking key (ExactManyToMany alone gives none); add an Exact, Soundex, "
                 "Metaphone, Prefix, Suffix or SameYear term with AND"
               : "gives no blocking key; add an Exact, Soundex, Metaphone, Prefix, Suffix or "
                 "SameYear term with AND";
    return fail_conjunct(schema, literals, c, reason, err);
}

static bool is_listed(const struct kin_key_rule *key, const struct kin_key_rule *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!keys[i].star && same_terms(&keys[i], key))
            return true;
    }
    return false;
}

kin_status kin_rule_derive_keys(struct kin_arena *arena, const struct kin_schema *schema,
                                const struct kin_rule *rule, struct kin_key_rule *keys,
                                size_t *key_count, struct kin_err *err)
{
    struct literals literals;
    struct normal_form form = {.count = 0};
    kin_status status = normal_form(rule, &literals, &form, err);
    size_t count = *key_count;
    for (size_t i = 0; !status && i < form.count; i++) {
        struct key_terms terms;
        collect_terms(&literals, &form.conjuncts[i], &terms);
        if (terms.valued == 0)
            return fail_underivable(schema, &literals, &form.conjuncts[i], terms.count > 0, err);
        struct kin_key_rule key = {0};
        fill_terms(&terms, &key);
        if (!is_listed(&key, keys, count))
            status = append_key(arena, schema, NULL, &key, keys, &count, err);
    }
    if (!status)
        *key_count = count;
    return status;
}
