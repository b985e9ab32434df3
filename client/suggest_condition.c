/* Conjunctions as one condition: what they have in common stands before the brackets. */
#include "client/suggest_rules.h"

#include <string.h>

enum { OTHERS_BYTES = 40, SETS_A_RULE = 6 };

struct writer {
    struct kin_suggest *s;
    struct kin_buf text;
};

/* The term that most of the conjunctions have, then most weight; -1: they have none. */
static int commonest(const struct kin_suggest *s, const uint64_t *terms, const double *weight,
                     size_t count)
{
    int best = -1;
    size_t most = 0;
    double heaviest = 0;
    for (size_t t = 0; t < s->term_count; t++) {
        size_t n = 0;
        double sum = 0;
        for (size_t i = 0; i < count; i++) {
            n += terms[i] >> t & 1;
            sum += terms[i] >> t & 1 ? weight[i] : 0;
        }
        if (n > most || (n && n == most && sum > heaviest)) {
            best = (int)t;
            most = n;
            heaviest = sum;
        }
    }
    return best;
}

/* Moves those with the term to the end; returns how many. */
static size_t part(uint64_t *terms, double *weight, size_t count, int term)
{
    size_t with = 0;
    for (size_t i = count; i-- > 0;) {
        if (!(terms[i] >> term & 1))
            continue;
        size_t to = count - ++with;
        uint64_t t = terms[i];
        double w = weight[i];
        terms[i] = terms[to];
        weight[i] = weight[to];
        terms[to] = t;
        weight[to] = w;
    }
    return with;
}

static void put_all(struct writer *w, uint64_t terms)
{
    bool first = true;
    for (size_t t = 0; t < w->s->term_count; t++) {
        if (!(terms >> t & 1))
            continue;
        if (!first)
            kin_buf_puts(&w->text, " AND ");
        kin_buf_puts(&w->text, w->s->terms[t].text);
        first = false;
    }
}

/* Any of the conjunctions; at most three terms deep. brackets: what stands around wants them. */
static void put_any(struct writer *w, uint64_t *terms, double *weight, size_t count, bool brackets,
                    unsigned depth)
{
    if (count == 1) {
        bool both = (terms[0] & (terms[0] - 1)) != 0;
        if (both && brackets)
            kin_buf_putc(&w->text, '(');
        put_all(w, terms[0]);
        if (both && brackets)
            kin_buf_putc(&w->text, ')');
        return;
    }
    if (brackets)
        kin_buf_putc(&w->text, '(');
    for (bool first = true; count > 0; first = false) {
        int term = commonest(w->s, terms, weight, count);
        if (term < 0)
            break;
        size_t with = part(terms, weight, count, term);
        if (depth == 0)
            with = 1;
        uint64_t *mine = terms + count - with;
        if (!first)
            kin_buf_puts(&w->text, " OR ");
        if (with == 1) {
            put_any(w, mine, weight + count - with, 1, true, 0);
        } else {
            uint64_t rest[KIN_SUGGEST_SETS_MAX];
            double weights[KIN_SUGGEST_SETS_MAX];
            for (size_t i = 0; i < with; i++) {
                rest[i] = mine[i] & ~((uint64_t)1 << term);
                weights[i] = weight[count - with + i];
            }
            kin_buf_printf(&w->text, "(%s AND ", w->s->terms[term].text);
            put_any(w, rest, weights, with, true, depth - 1);
            kin_buf_putc(&w->text, ')');
        }
        count -= with;
    }
    if (brackets)
        kin_buf_putc(&w->text, ')');
}

static void add_word(struct kin_buf *name, const char *joint, const char *word)
{
    kin_buf_printf(name, "%s%s", name->n ? joint : "", word);
}

static bool is_rule(const struct kin_suggest *s, const char *name)
{
    for (size_t i = 0; i + 1 < s->rule_count; i++) {
        if (s->rules[i].name && strcmp(s->rules[i].name, name) == 0)
            return true;
    }
    return false;
}

/* "email", "birth_date and first_name or last_name", "birth_date and something else". */
static const char *name_rule(struct kin_suggest *s, int anchor, const uint64_t *terms, size_t count)
{
    const struct kin_suggest_term *term = &s->terms[anchor];
    struct kin_buf name = {0}, others = {0};
    uint64_t fields = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t t = 0; t < s->term_count; t++)
            fields |= terms[i] >> t & 1 ? (uint64_t)1 << s->terms[t].field : 0;
    }
    for (size_t f = 0; f < s->field_count; f++) {
        if (fields >> f & 1)
            add_word(&others, count == 1 ? " and " : " or ", s->fields[f].name);
    }
    add_word(&name, "", s->fields[term->field].name);
    if (term->field != term->field2)
        add_word(&name, " and ", s->fields[term->field2].name);
    if (others.n && others.n <= OTHERS_BYTES && !others.failed)
        kin_buf_printf(&name, " and %.*s", (int)others.n, (char *)others.p);
    else if (others.n)
        kin_buf_puts(&name, " and something else");
    kin_buf_putc(&name, '\0');
    const char *made = name.failed ? NULL : kin_arena_printf(&s->arena, "%s", (char *)name.p);
    for (unsigned k = 2; made && is_rule(s, made); k++)
        made = kin_arena_printf(&s->arena, "%s %u", (char *)name.p, k);
    kin_buf_deinit(&name);
    kin_buf_deinit(&others);
    return made;
}

/* Moves the conjunctions of one exact term to the end; returns how many there are. */
static size_t part_single(const struct kin_suggest *s, uint64_t *terms, double *weight,
                          size_t count)
{
    size_t with = 0;
    for (size_t t = 0; t < s->term_count; t++) {
        for (size_t i = 0; s->terms[t].level == 0 && i < count - with; i++) {
            if (terms[i] != (uint64_t)1 << t)
                continue;
            size_t to = count - ++with;
            double w = weight[i];
            terms[i] = terms[to];
            weight[i] = weight[to];
            terms[to] = (uint64_t)1 << t;
            weight[to] = w;
        }
    }
    return with;
}

/* Any of several numbers is one rule: "Exact(passport) OR Exact(ssn)". */
static size_t take_singles(struct kin_suggest *s, const uint64_t *terms, size_t count,
                           struct kin_suggest_rule *out)
{
    struct kin_buf name = {0}, when = {0};
    *out = (struct kin_suggest_rule){.name = NULL};
    for (size_t i = 0; i < count; i++) {
        const struct kin_suggest_term *t = &s->terms[__builtin_ctzll(terms[i])];
        add_word(&when, " OR ", t->text);
        add_word(&name, " or ", s->fields[t->field].name);
        out->terms[out->term_sets++] = terms[i];
    }
    if (name.n > OTHERS_BYTES) {
        kin_buf_clear(&name);
        kin_buf_puts(&name, "the same number");
    }
    if (!name.failed && !when.failed) {
        out->name = kin_arena_strndup(&s->arena, (char *)name.p, name.n);
        out->when = kin_arena_strndup(&s->arena, (char *)when.p, when.n);
    }
    kin_buf_deinit(&name);
    kin_buf_deinit(&when);
    return out->name && out->when ? count : 0;
}

size_t kin_suggest_take_rule(struct kin_suggest *s, uint64_t *terms, double *weight, size_t count,
                             struct kin_suggest_rule *out)
{
    size_t singles = part_single(s, terms, weight, count);
    if (singles > 1)
        return take_singles(s, terms + count - singles, singles, out);
    struct writer w = {.s = s};
    uint64_t rest[KIN_SUGGEST_SETS_MAX];
    double weights[KIN_SUGGEST_SETS_MAX];
    int anchor = commonest(s, terms, weight, count);
    if (anchor < 0)
        return 0;
    size_t with = part(terms, weight, count, anchor), n = 0;
    with = with < SETS_A_RULE ? with : SETS_A_RULE; /* a person has to read it */
    *out = (struct kin_suggest_rule){.name = NULL};
    for (size_t i = count - with; i < count && n < KIN_SUGGEST_SETS_MAX; i++) {
        out->terms[out->term_sets++] = terms[i];
        rest[n] = terms[i] & ~((uint64_t)1 << anchor);
        weights[n++] = weight[i];
    }
    out->name = name_rule(s, anchor, rest, n);
    kin_buf_puts(&w.text, s->terms[anchor].text);
    if (n > 0 &&
        rest[0]) { /* else the anchor alone: nothing that has more was accepted beside it */
        kin_buf_puts(&w.text, " AND ");
        put_any(&w, rest, weights, n, n > 1, 2);
    }
    out->when =
        w.text.failed ? NULL : kin_arena_strndup(&s->arena, (const char *)w.text.p, w.text.n);
    kin_buf_deinit(&w.text);
    return out->name && out->when ? with : 0;
}
