/* All rules as one program. Negations are pushed down to the terms (De Morgan holds in Kleene's
 * logic), so that a rule is true if and only if certain terms are true and certain terms are false:
 * plain two-valued branching. Each instruction tests one term and jumps; a rule that fails falls
 * through to the next rule. Operands are laid out cheapest first; the outcome of a term is
 * remembered while one pair is decided, as rules share terms. */
#include "common/match/condition_impl.h"
#include "common/match/text_parts.h"

#include <string.h>

enum { TERM_SLOTS = 1024, NO_TERM = -1, REJECT = -1 };

struct instruction {
    uint16_t term;
    uint16_t want; /* KIN_TRUE or KIN_FALSE */
    int32_t yes;   /* next instruction; REJECT; or REJECT - 1 - index of the rule that fires */
    int32_t no;
};

struct kin_decider {
    struct instruction *code;
    int32_t entry;
    struct kin_term *terms;
    unsigned term_count;
    struct kin_arena arena; /* holds all of it */
};

/* The outcome of a term is known for this pair if its word's upper bits equal the turn. */
struct kin_decider_state {
    struct kin_kernel_scratch *scratch;
    uint32_t turn;
    unsigned term_count;
    uint32_t known[]; /* turn * 4 + kin_truth */
};

enum { TURN_MAX = UINT32_MAX >> 2 };

/* ---- compiling ---- */

struct compiler {
    struct kin_decider *d;
    struct kin_arena scratch; /* sorted operand lists */
    int32_t length;           /* of the code */
    int32_t heads[TERM_SLOTS];
    int32_t *chain; /* [term]: next of the same slot */
    bool failed;    /* out of memory */
};

static void count_terms(const struct kin_condition *c, size_t *count)
{
    if (c->kind == KIN_NODE_TERM)
        ++*count;
    for (const struct kin_condition *child = c->child; child; child = child->next)
        count_terms(child, count);
}

static uint16_t intern_term(struct compiler *c, const struct kin_term *term)
{
    struct kin_decider *d = c->d;
    int32_t *head = &c->heads[kin_term_hash(term) % TERM_SLOTS];
    for (int32_t i = *head; i != NO_TERM; i = c->chain[i]) {
        if (kin_term_equal(&d->terms[i], term))
            return (uint16_t)i;
    }
    struct kin_term copy = *term;
    if (term->fields) {
        uint16_t *fields = kin_arena_alloc(&d->arena, term->field_count * sizeof *fields);
        if (!fields) {
            c->failed = true;
            return 0;
        }
        memcpy(fields, term->fields, term->field_count * sizeof *fields);
        copy.fields = fields;
    }
    d->terms[d->term_count] = copy;
    c->chain[d->term_count] = *head;
    *head = (int32_t)d->term_count;
    return (uint16_t)d->term_count++;
}

/* Expected cost, taking that every further operand is needed half as often. */
static unsigned condition_cost(const struct kin_condition *c)
{
    if (c->kind == KIN_NODE_TERM)
        return 8 * kin_term_specs[c->term.fn].cost * c->term.field_count;
    unsigned cost = 0, shift = 0;
    for (const struct kin_condition *child = c->child; child; child = child->next) {
        cost += condition_cost(child) >> shift;
        shift += shift < 3;
    }
    return cost;
}

struct operand {
    const struct kin_condition *condition;
    unsigned cost;
};

/* The operands of AND or OR, cheapest first; among equals as written. NULL: out of memory. */
static struct operand *sorted_operands(struct compiler *c, const struct kin_condition *cond,
                                       unsigned *count)
{
    unsigned n = 0;
    for (const struct kin_condition *child = cond->child; child; child = child->next)
        n++;
    struct operand *operands = kin_arena_alloc(&c->scratch, n * sizeof *operands);
    if (!operands)
        return NULL;
    n = 0;
    for (const struct kin_condition *child = cond->child; child; child = child->next, n++) {
        unsigned cost = condition_cost(child), at = n;
        for (; at > 0 && operands[at - 1].cost > cost; at--)
            operands[at] = operands[at - 1];
        operands[at] = (struct operand){child, cost};
    }
    *count = n;
    return operands;
}

/* Where control goes when a condition is decided. */
struct targets {
    int32_t yes, no;
};

/* Appends code that goes to `yes` if the condition is `want` and to `no` otherwise, and returns
 * where it starts. Later operands are laid down first, so that every target is known. */
static int32_t emit(struct compiler *c, const struct kin_condition *cond, enum kin_truth want,
                    struct targets to)
{
    if (cond->kind == KIN_NODE_NOT)
        return emit(c, cond->child, (enum kin_truth)(KIN_TRUE - want), to);
    if (cond->kind == KIN_NODE_TERM) {
        uint16_t term = intern_term(c, &cond->term);
        c->d->code[c->length] = (struct instruction){term, (uint16_t)want, to.yes, to.no};
        return c->length++;
    }
    unsigned n = 0;
    struct operand *operands = sorted_operands(c, cond, &n);
    if (!operands) {
        c->failed = true;
        return REJECT;
    }
    /* "all operands are wanted so", or with AND false and OR true, "any" */
    bool all = (cond->kind == KIN_NODE_AND) == (want == KIN_TRUE);
    int32_t next = all ? to.yes : to.no;
    while (n-- > 0 && !c->failed) {
        struct targets each = all ? (struct targets){next, to.no} : (struct targets){to.yes, next};
        next = emit(c, operands[n].condition, want, each);
    }
    return next;
}

kin_status kin_decider_new(const struct kin_schema *schema, const struct kin_rule *rules,
                           size_t count, struct kin_decider **out, struct kin_err *err)
{
    (void)schema; /* the conditions were checked against it */
    if (count > KIN_RULES_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "at most %d rules, found %zu", KIN_RULES_MAX, count);
    size_t terms = 0;
    for (size_t i = 0; i < count; i++)
        count_terms(rules[i].condition, &terms);
    struct kin_decider *d = kin_calloc(1, sizeof *d);
    struct compiler *c = kin_calloc(1, sizeof *c);
    kin_status status = KIN_E_NOMEM;
    if (!d || !c)
        goto done;
    c->d = d;
    memset(c->heads, 0xff, sizeof c->heads); /* NO_TERM */
    c->chain = kin_arena_alloc(&c->scratch, terms * sizeof *c->chain);
    d->terms = kin_arena_alloc(&d->arena, terms * sizeof *d->terms);
    d->code = kin_arena_alloc(&d->arena, terms * sizeof *d->code);
    d->entry = REJECT;
    if (!c->chain || !d->terms || !d->code)
        goto done;
    for (size_t i = count; i-- > 0 && !c->failed;) {
        struct targets to = {REJECT - 1 - (int32_t)i, d->entry};
        d->entry = emit(c, rules[i].condition, KIN_TRUE, to);
    }
    if (!c->failed)
        status = KIN_OK;
done:
    if (c)
        kin_arena_deinit(&c->scratch);
    kin_free(c);
    if (status) {
        kin_decider_free(d);
        return kin_err_set(err, status, "out of memory");
    }
    *out = d;
    return KIN_OK;
}

void kin_decider_free(struct kin_decider *d)
{
    if (!d)
        return;
    kin_arena_deinit(&d->arena);
    kin_free(d);
}

struct kin_decider_state *kin_decider_state_new(const struct kin_decider *d)
{
    size_t bytes = sizeof(struct kin_decider_state) + d->term_count * sizeof(uint32_t);
    struct kin_decider_state *s = kin_calloc(1, bytes);
    if (!s)
        return NULL;
    s->term_count = d->term_count;
    s->scratch = kin_kernel_scratch_new();
    if (!s->scratch) {
        kin_free(s);
        return NULL;
    }
    return s;
}

void kin_decider_state_free(struct kin_decider_state *s)
{
    if (!s)
        return;
    kin_kernel_scratch_free(s->scratch);
    kin_free(s);
}

/* ---- deciding ---- */

/* Equal texts are similar whatever the measure; unequal ones are measured only as far as the
 * threshold needs. */
static bool similar(const struct kin_term *term, const struct kin_value *a,
                    const struct kin_value *b, struct kin_kernel_scratch *s)
{
    if (a->hash == b->hash)
        return true;
    struct kin_pair pair = {kin_value_str(a), kin_value_str(b), a->ascii && b->ascii};
    switch (term->fn) {
    case KIN_TERM_LEVENSHTEIN:
        return kin_levenshtein(s, pair, term->n) <= term->n;
    case KIN_TERM_DAMERAU:
        return kin_osa(s, pair, term->n) <= term->n;
    case KIN_TERM_JARO:
        return kin_jaro(s, pair) >= term->limit;
    case KIN_TERM_JARO_WINKLER:
        return kin_jaro_winkler_at_least(s, pair, term->limit);
    case KIN_TERM_COSINE:
        return kin_cosine(s, pair, term->n) >= term->limit;
    case KIN_TERM_JACCARD:
        return kin_jaccard(s, pair, term->n) >= term->limit;
    case KIN_TERM_LCS: {
        unsigned x = kin_codepoints(pair.a, pair.ascii), y = kin_codepoints(pair.b, pair.ascii);
        unsigned longer = x > y ? x : y, shorter = x > y ? y : x;
        /* division rounds monotonically, so the bound never rejects what the ratio would pass */
        return (double)shorter / (double)longer >= term->limit &&
               (double)kin_lcs(s, pair) / (double)longer >= term->limit;
    }
    case KIN_TERM_EXACT:
    case KIN_TERM_EXACT_MANY:
    case KIN_TERM_DIFFERS:
    case KIN_TERM_SOUNDEX:
    case KIN_TERM_METAPHONE:
    case KIN_TERM_WITHIN:
    case KIN_TERM_PREFIX:
    case KIN_TERM_SUFFIX:
    case KIN_TERM_SAME_YEAR:
    case KIN_TERM_SWAPPED:
    case KIN_TERM_EMPTY:
    case KIN_TERM_COUNT:
        break;
    }
    return false;
}

/* The values of one field on both sides; false: one has none. */
struct sides {
    const uint8_t *a, *b;
    unsigned count_a, count_b;
};
static inline bool read_sides(struct sides *v, const uint8_t *a, const uint8_t *b, unsigned field)
{
    v->count_a = kin_features_values(a, field, &v->a);
    v->count_b = kin_features_values(b, field, &v->b);
    return v->count_a && v->count_b;
}

static bool any_equal(struct sides v)
{
    for (unsigned i = 0; i < v.count_a; i++) {
        uint64_t hash = kin_features_next(&v.a).hash;
        const uint8_t *at = v.b;
        for (unsigned j = 0; j < v.count_b; j++) {
            if (kin_features_next(&at).hash == hash)
                return true;
        }
    }
    return false;
}

static bool any_similar(struct sides v, const struct kin_term *term, struct kin_kernel_scratch *s)
{
    for (unsigned i = 0; i < v.count_a; i++) {
        struct kin_value a = kin_features_next(&v.a);
        const uint8_t *at = v.b;
        for (unsigned j = 0; j < v.count_b; j++) {
            struct kin_value b = kin_features_next(&at);
            if (similar(term, &a, &b, s))
                return true;
        }
    }
    return false;
}

static enum kin_truth truth_of(bool yes)
{
    return yes ? KIN_TRUE : KIN_FALSE;
}

/* The frequent terms on their short paths; kin_term_eval for the rest. */
static enum kin_truth decide_term(const struct kin_term *term, const uint8_t *a, const uint8_t *b,
                                  struct kin_kernel_scratch *s)
{
    struct sides v = {0};
    bool both = read_sides(&v, a, b, term->field);
    switch (term->fn) {
    case KIN_TERM_EXACT:
        if (both)
            return truth_of(any_equal(v));
        if (!term->empty_is_value)
            return KIN_UNKNOWN;
        return truth_of(v.count_a == v.count_b);
    case KIN_TERM_DIFFERS:
        return both ? truth_of(!any_equal(v)) : KIN_UNKNOWN;
    case KIN_TERM_EMPTY:
        return truth_of(!both);
    case KIN_TERM_LEVENSHTEIN:
    case KIN_TERM_DAMERAU:
    case KIN_TERM_JARO:
    case KIN_TERM_JARO_WINKLER:
    case KIN_TERM_COSINE:
    case KIN_TERM_JACCARD:
    case KIN_TERM_LCS:
        return both ? truth_of(any_similar(v, term, s)) : KIN_UNKNOWN;
    case KIN_TERM_WITHIN:
    case KIN_TERM_PREFIX:
    case KIN_TERM_SUFFIX:
    case KIN_TERM_SAME_YEAR:
    case KIN_TERM_SOUNDEX:
    case KIN_TERM_METAPHONE:
        return both ? kin_term_eval(term, a, b, s) : KIN_UNKNOWN;
    case KIN_TERM_EXACT_MANY:
    case KIN_TERM_SWAPPED:
    case KIN_TERM_COUNT:
        break;
    }
    return kin_term_eval(term, a, b, s);
}

int kin_decide(const struct kin_decider *d, struct kin_decider_state *s, const uint8_t *a,
               const uint8_t *b)
{
    if (s->turn == TURN_MAX) {
        memset(s->known, 0, s->term_count * sizeof s->known[0]);
        s->turn = 0;
    }
    uint32_t turn = ++s->turn;
    int32_t at = d->entry;
    while (at >= 0) {
        const struct instruction *in = &d->code[at];
        uint32_t known = s->known[in->term];
        if (known >> 2 != turn) {
            known = turn << 2 | (uint32_t)decide_term(&d->terms[in->term], a, b, s->scratch);
            s->known[in->term] = known;
        }
        at = (known & 3) == in->want ? in->yes : in->no;
    }
    return REJECT - 1 - at;
}
