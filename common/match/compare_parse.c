/* Reading a level. Words in any case; the schema's types decide what may be asked of a field. */
#include "common/match/compare_impl.h"
#include "common/match/rule_lex.h"
#include "common/match/suggest.h"

#include <stdio.h>
#include <string.h>

struct parser {
    struct kin_lex lex;
    const struct kin_schema *schema;
    const struct kin_comparison *comparison;
    size_t at; /* of the level's own word */
};

static const char known_levels[] =
    "exact, jaro_winkler, jaro, lcs, levenshtein, damerau, jaccard, cosine, tfidf, soft_tfidf, "
    "soundex, metaphone, "
    "prefix, suffix, contains, initial, within, same year (month, day, username, domain), day and "
    "month swapped; swapped and any before them";

/* ---- words ---- */

static bool take_word(struct parser *p, const char *word)
{
    if (!kin_word_is(kin_lex_peek_word(&p->lex), word))
        return false;
    kin_lex_take_word(&p->lex);
    return true;
}

/* Puts back what take_word took. */
static void go_back(struct parser *p, size_t at)
{
    p->lex.at = at;
}

static kin_status fail_unknown(struct parser *p)
{
    struct kin_str word = kin_lex_peek_word(&p->lex);
    char found[KIN_LEX_FOUND_BYTES];
    if (word.n == 0)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, p->lex.at,
                            "expected a level such as exact or jaro_winkler 0.92, found %s",
                            kin_lex_found(&p->lex, found));
    if (kin_word_is(word, "swapped") || kin_word_is(word, "any"))
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, p->lex.at,
                            "swapped and any stand before a level, and only one of them");
    struct kin_suggestion near = {NULL, 0};
    for (unsigned fn = 0; fn < KIN_LEVEL_FNS; fn++) {
        if (!strchr(kin_level_specs[fn].name, ' '))
            kin_suggest(&near, word, kin_level_specs[fn].name);
    }
    kin_suggest(&near, word, "swapped");
    int shown = word.n < 40 ? (int)word.n : 40;
    if (near.name)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, p->lex.at, "no level \"%.*s\"; did you mean %s?",
                            shown, word.p, near.name);
    return kin_lex_fail(&p->lex, KIN_E_SYNTAX, p->lex.at, "no level \"%.*s\"; there are %s", shown,
                        word.p, known_levels);
}

/* "day and month swapped", or the two the other way round. Takes nothing unless all is there. */
static bool take_day_month_swapped(struct parser *p)
{
    size_t start = p->lex.at;
    bool day_first = take_word(p, "day");
    if ((day_first || take_word(p, "month")) && take_word(p, "and") &&
        take_word(p, day_first ? "month" : "day") && take_word(p, "swapped"))
        return true;
    go_back(p, start);
    return false;
}

/* One of count words as a bit, or 0. */
static unsigned take_date_part(struct parser *p)
{
    for (unsigned i = 0; i < 3; i++) {
        if (take_word(p, kin_date_part_words[i]))
            return 1u << i;
    }
    return 0;
}

static kin_status parse_date_parts(struct parser *p, struct kin_level *level)
{
    do {
        kin_lex_end(&p->lex);
        size_t at = p->lex.at;
        char found[KIN_LEX_FOUND_BYTES];
        kin_lex_found(&p->lex, found);
        unsigned part = take_date_part(p);
        if (!part)
            return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at,
                                level->n ? "expected year, month or day, found %s"
                                         : "expected year, month, day, username or domain, "
                                           "found %s",
                                found);
        if (level->n & part)
            return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at, "%s is given twice", found);
        level->n |= (uint16_t)part;
        if (level->n == KIN_DATE_ALL)
            return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at,
                                "the same year, month and day are equal dates; expected exact");
    } while (take_word(p, "and"));
    return KIN_OK;
}

/* After "same". */
static enum kin_level_fn take_same(struct parser *p)
{
    if (take_word(p, "username"))
        return KIN_LEVEL_USERNAME;
    if (take_word(p, "domain"))
        return KIN_LEVEL_DOMAIN;
    return KIN_LEVEL_DATE_PARTS;
}

/* KIN_LEVEL_FNS: none. */
static enum kin_level_fn take_fn(struct parser *p)
{
    if (take_day_month_swapped(p))
        return KIN_LEVEL_DAY_MONTH_SWAPPED;
    for (unsigned fn = 0; fn < KIN_LEVEL_FNS; fn++) {
        if (!strchr(kin_level_specs[fn].name, ' ') && take_word(p, kin_level_specs[fn].name))
            return fn == KIN_LEVEL_DATE_PARTS ? take_same(p) : (enum kin_level_fn)fn;
    }
    return KIN_LEVEL_FNS;
}

/* ---- numbers ---- */

static kin_status parse_similarity(struct parser *p, struct kin_level *level)
{
    kin_lex_end(&p->lex);
    size_t at = p->lex.at;
    kin_status status = kin_lex_decimal(&p->lex, "a similarity such as 0.9", &level->amount);
    if (status)
        return status;
    level->limit = kin_decimal_value(level->amount, 0);
    if (level->limit <= 0 || level->limit > 1)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at,
                            "a similarity is greater than 0 and at most 1 (90 %% is 0.9), found "
                            "%.*s",
                            (int)(p->lex.at - at), p->lex.text.p + at);
    return KIN_OK;
}

static kin_status parse_set(struct parser *p, struct kin_level *level)
{
    kin_status status = parse_similarity(p, level);
    if (status || !take_word(p, "of"))
        return status;
    if (take_word(p, "words"))
        return KIN_OK;
    status = kin_lex_whole(&p->lex, "words, or a size as in 3-grams",
                           (struct kin_lex_range){1, KIN_QGRAM_MAX}, &level->n);
    if (status)
        return status;
    char found[KIN_LEX_FOUND_BYTES];
    (void)kin_lex_take(&p->lex, '-');
    kin_lex_found(&p->lex, found);
    size_t at = p->lex.at;
    if (!take_word(p, "grams"))
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at, "expected \"-grams\", found %s", found);
    return KIN_OK;
}

/* The unit that comes next; KIN_LEVEL_UNITS: a word that is none. */
static enum kin_level_unit take_unit(struct parser *p)
{
    if (kin_lex_take(&p->lex, '%'))
        return KIN_LEVEL_PERCENT;
    if (kin_lex_peek_word(&p->lex).n == 0)
        return KIN_LEVEL_NUMBER;
    for (unsigned u = KIN_LEVEL_DAY; u < KIN_LEVEL_UNITS; u++) {
        if (take_word(p, kin_level_unit_specs[u].one) || take_word(p, kin_level_unit_specs[u].many))
            return (enum kin_level_unit)u;
    }
    return KIN_LEVEL_UNITS;
}

/* A month is 30.4375 days, a year 365.25; half a day counts up. */
static double amount_limit(const struct kin_level *level)
{
    uint64_t n = level->amount.digits, days;
    switch (level->unit) {
    case KIN_LEVEL_PERCENT:
        return kin_decimal_value(level->amount, 2);
    case KIN_LEVEL_M:
        return kin_decimal_value(level->amount, 3);
    case KIN_LEVEL_WEEK:
        days = 7 * n;
        return (double)days;
    case KIN_LEVEL_MONTH:
        days = (n * 487 + 8) / 16;
        return (double)days;
    case KIN_LEVEL_YEAR:
        days = (n * 1461 + 2) / 4;
        return (double)days;
    case KIN_LEVEL_NUMBER:
    case KIN_LEVEL_DAY:
    case KIN_LEVEL_KM:
    case KIN_LEVEL_UNITS:
        break;
    }
    return kin_decimal_value(level->amount, 0);
}

static kin_status parse_amount(struct parser *p, struct kin_level *level)
{
    enum kin_type type = p->schema->fields[p->comparison->fields[0]].type;
    const char *expected = type == KIN_TYPE_DATE  ? "an amount such as 1 day, 6 months or 2 years"
                           : type == KIN_TYPE_GEO ? "an amount such as 2 km or 50 m"
                                                  : "an amount such as 0.5 or 5 %";
    kin_lex_end(&p->lex);
    size_t at = p->lex.at;
    kin_status status = kin_lex_decimal(&p->lex, expected, &level->amount);
    if (status)
        return status;
    char found[KIN_LEX_FOUND_BYTES];
    kin_lex_found(&p->lex, found);
    size_t unit_at = p->lex.at;
    level->unit = take_unit(p);
    if (level->unit == KIN_LEVEL_NUMBER && type != KIN_TYPE_NUMBER)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, unit_at,
                            "for a field of type %s expected %s, found no unit",
                            kin_type_name(type), expected);
    if (level->unit == KIN_LEVEL_UNITS || kin_level_unit_specs[level->unit].type != type)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, unit_at,
                            "for a field of type %s expected %s, found %s as the unit",
                            kin_type_name(type), expected, found);
    const struct kin_level_unit_spec *unit = &kin_level_unit_specs[level->unit];
    if (type == KIN_TYPE_DATE && level->amount.scale)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at, "expected a whole number of %s", unit->many);
    if (level->amount.digits == 0)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at,
                            "expected an amount greater than 0; equal values are exact");
    if (kin_decimal_value(level->amount, 0) > unit->max)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at, "expected at most %.0f %s", unit->max,
                            unit->many);
    level->limit = amount_limit(level);
    return KIN_OK;
}

static kin_status parse_arguments(struct parser *p, struct kin_level *level)
{
    const struct kin_lex_range range = {1, KIN_LEVEL_DISTANCE_MAX};
    switch (kin_level_specs[level->fn].args) {
    case KIN_LEVEL_SIMILARITY:
        return parse_similarity(p, level);
    case KIN_LEVEL_SET:
        return parse_set(p, level);
    case KIN_LEVEL_DISTANCE:
        return kin_lex_whole(&p->lex, "a distance", range, &level->n);
    case KIN_LEVEL_LENGTH:
        return kin_lex_whole(&p->lex, "a length", range, &level->n);
    case KIN_LEVEL_AMOUNT:
        return parse_amount(p, level);
    case KIN_LEVEL_PARTS:
        return parse_date_parts(p, level);
    case KIN_LEVEL_NOTHING:
        break;
    }
    return KIN_OK;
}

/* ---- the whole ---- */

static kin_status check_reading(struct parser *p, enum kin_reading reading, size_t at)
{
    unsigned fields = p->comparison->field_count;
    if (reading == KIN_READ_SWAPPED && fields != 2)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at,
                            "swapped needs a comparison of two fields (`fields: [f, g]`), found %u",
                            fields);
    if (reading == KIN_READ_ANY && fields < 2)
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, at,
                            "any needs a comparison of several fields (`fields: [f, g]`); of "
                            "several values of one field the best pair counts anyway");
    return KIN_OK;
}

static enum kin_reading take_reading(struct parser *p)
{
    if (take_word(p, "swapped"))
        return KIN_READ_SWAPPED;
    return take_word(p, "any") ? KIN_READ_ANY : KIN_READ_EACH;
}

static kin_status check_types(struct parser *p, const struct kin_level *level)
{
    const struct kin_level_spec *spec = &kin_level_specs[level->fn];
    for (unsigned i = 0; i < p->comparison->field_count; i++) {
        kin_status status = kin_lex_check_type(
            &p->lex, p->schema, p->comparison->fields[i], p->at, spec->types,
            level->fn == KIN_LEVEL_DATE_PARTS ? "same year, month or day" : spec->name);
        if (status)
            return status;
    }
    return KIN_OK;
}

static kin_status parse_level(struct parser *p, struct kin_level *level)
{
    kin_lex_end(&p->lex);
    size_t start = p->lex.at;
    level->reading = take_reading(p);
    kin_status status = check_reading(p, level->reading, start);
    if (status)
        return status;
    bool end = kin_lex_end(&p->lex);
    p->at = p->lex.at;
    if (level->reading == KIN_READ_SWAPPED && end) {
        level->fn = KIN_LEVEL_EXACT; /* which every type has */
        return KIN_OK;
    }
    if (kin_word_is(kin_lex_peek_word(&p->lex), "else"))
        return kin_lex_fail(&p->lex, KIN_E_SYNTAX, p->at,
                            "\"else\" is always there, after the last level; leave it out");
    level->fn = take_fn(p);
    if (level->fn == KIN_LEVEL_FNS)
        return fail_unknown(p);
    status = check_types(p, level);
    return status ? status : parse_arguments(p, level);
}

kin_status kin_level_parse(struct kin_arena *arena, const struct kin_schema *schema,
                           const struct kin_comparison *comparison, struct kin_str text,
                           const struct kin_level **out, unsigned *column, struct kin_err *err)
{
    struct parser p = {.lex = {.text = text, .column = column, .err = err},
                       .schema = schema,
                       .comparison = comparison};
    if (text.n > KIN_LEVEL_TEXT_MAX)
        return kin_lex_fail(&p.lex, KIN_E_SYNTAX, KIN_LEVEL_TEXT_MAX,
                            "a level has at most %d bytes, found %zu", KIN_LEVEL_TEXT_MAX, text.n);
    struct kin_level level = {.fn = KIN_LEVEL_EXACT};
    kin_status status = parse_level(&p, &level);
    if (status)
        return status;
    if (!kin_lex_end(&p.lex)) {
        char found[KIN_LEX_FOUND_BYTES];
        return kin_lex_fail(&p.lex, KIN_E_SYNTAX, p.lex.at,
                            "expected the end of the level, found %s",
                            kin_lex_found(&p.lex, found));
    }
    struct kin_level *copy = kin_arena_alloc(arena, sizeof *copy);
    if (!copy)
        return kin_lex_fail(&p.lex, KIN_E_NOMEM, 0, "out of memory");
    *copy = level;
    *out = copy;
    return KIN_OK;
}
