#ifndef KIN_TESTS_UNIT_RULE_FIXTURE_H
#define KIN_TESTS_UNIT_RULE_FIXTURE_H
/* What the tests of rules and blocking keys share: a schema with a field of every type, records
 * written as text, and random records and conditions over small vocabularies, so that values often
 * meet. */
#include "common/match/rule.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum fixture_field {
    FIRST_NAME,
    LAST_NAME,
    EMAIL,
    PHONE,
    DOB,
    POSTCODE,
    TAX_ID,
    PRICE,
    PLACE,
    ADDRESS,
    NOTES,
    WORK_EMAIL, /* "Email address": needs quotes */
    ODD,        /* a quote in the name */
    FIXTURE_FIELDS
};

static const struct kin_field fixture_fields[FIXTURE_FIELDS] = {
    [FIRST_NAME] = {.name = "first_name", .type = KIN_TYPE_NAME},
    [LAST_NAME] = {.name = "last_name", .type = KIN_TYPE_NAME},
    [EMAIL] = {.name = "email", .type = KIN_TYPE_EMAIL},
    [PHONE] = {.name = "phone", .type = KIN_TYPE_PHONE},
    [DOB] = {.name = "dob", .type = KIN_TYPE_DATE},
    [POSTCODE] = {.name = "postcode", .type = KIN_TYPE_POSTCODE},
    [TAX_ID] = {.name = "tax_id", .type = KIN_TYPE_ID},
    [PRICE] = {.name = "price", .type = KIN_TYPE_NUMBER},
    [PLACE] = {.name = "place", .type = KIN_TYPE_GEO},
    [ADDRESS] = {.name = "address", .type = KIN_TYPE_ADDRESS},
    [NOTES] = {.name = "notes", .type = KIN_TYPE_TEXT},
    [WORK_EMAIL] = {.name = "Email address", .type = KIN_TYPE_EMAIL},
    [ODD] = {.name = "a \"b\" c", .type = KIN_TYPE_TEXT},
};
static const struct kin_schema fixture_schema = {fixture_fields, FIXTURE_FIELDS};

/* ---- records ---- */

static inline int32_t fixture_days(int year, int month, int day)
{
    /* days before the month of a year that starts in March, counted from 1 March 0000 */
    int y = month > 2 ? year : year - 1;
    int m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static inline void fixture_value(struct kin_features_builder *b, unsigned field, const char *text)
{
    int year, month, day;
    double x[2];
    switch (fixture_fields[field].type) {
    case KIN_TYPE_DATE:
        assert_int_equal(sscanf(text, "%d-%d-%d", &year, &month, &day), 3);
        kin_features_value(b, &(int32_t){fixture_days(year, month, day)}, 4, false);
        return;
    case KIN_TYPE_NUMBER:
        assert_int_equal(sscanf(text, "%lf", &x[0]), 1);
        kin_features_value(b, x, 8, false);
        return;
    case KIN_TYPE_GEO:
        assert_int_equal(sscanf(text, "%lf,%lf", &x[0], &x[1]), 2);
        kin_features_value(b, x, 16, false);
        return;
    case KIN_TYPE_NAME:
    case KIN_TYPE_TEXT:
    case KIN_TYPE_EMAIL:
    case KIN_TYPE_PHONE:
    case KIN_TYPE_POSTCODE:
    case KIN_TYPE_ID:
    case KIN_TYPE_ADDRESS:
    case KIN_TYPE_COUNT:
        break;
    }
    bool ascii = true;
    for (const char *p = text; *p; p++)
        ascii = ascii && (unsigned char)*p < 0x80;
    kin_features_value(b, text, strlen(text), ascii);
}

/* A record from values[field]: NULL for null, several values with '|' between them. The bytes are
 * the caller's to kin_free. */
static inline uint8_t *fixture_record(const char *const values[FIXTURE_FIELDS])
{
    struct kin_buf buf = {0};
    struct kin_features_builder b;
    kin_features_begin(&b, &buf, FIXTURE_FIELDS, 0, 0, KIN_STR("r"));
    for (unsigned f = 0; f < FIXTURE_FIELDS; f++) {
        if (!values[f])
            continue;
        char copy[4096];
        assert_true(strlen(values[f]) < sizeof copy);
        memcpy(copy, values[f], strlen(values[f]) + 1);
        kin_features_field(&b, f);
        for (char *at = copy, *bar; at; at = bar) {
            bar = strchr(at, '|');
            if (bar)
                *bar++ = '\0';
            fixture_value(&b, f, at);
        }
    }
    assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
    assert_true(kin_features_valid(buf.p, buf.n, FIXTURE_FIELDS));
    return buf.p;
}

/* ---- chance ---- */

struct dice {
    uint64_t state;
};
static inline unsigned roll(struct dice *d, unsigned sides)
{
    d->state ^= d->state << 13; /* xorshift64, Marsaglia 2003 */
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (unsigned)((d->state >> 20) % sides);
}

/* A random record; each field null in one of `null_in`, and with up to three values. */
static inline uint8_t *random_record(struct dice *d, unsigned null_in)
{
    static const char *const texts[] = {"ann",
                                        "anna",
                                        "anne marie",
                                        "marie anne",
                                        "lee",
                                        "li",
                                        "leigh",
                                        "smith",
                                        "smyth",
                                        "schmidt",
                                        "jos\xc3\xa9",
                                        "jose",
                                        "42",
                                        "4 2",
                                        "0042",
                                        "\xe6\x9d\x8e",
                                        "robert",
                                        "rupert",
                                        "ann lee",
                                        "lee ann",
                                        "a",
                                        "catherine",
                                        "katherine",
                                        "\xc5\x81ukasz wielki",
                                        "lukasz wielki",
                                        "main st 5",
                                        "main street 5"};
    static const char *const dates[] = {"1970-01-01", "1970-01-02", "1970-12-31",
                                        "1971-01-01", "1972-02-29", "1969-12-31"};
    static const char *const numbers[] = {"0", "1", "1.05", "1.5", "100", "105", "-1", "20.02"};
    static const char *const places[] = {"51.5,-0.1", "51.51,-0.1", "48.9,2.35", "0,180", "0,-180"};
    const char *values[FIXTURE_FIELDS];
    char text[FIXTURE_FIELDS][256];
    for (unsigned f = 0; f < FIXTURE_FIELDS; f++) {
        values[f] = NULL;
        if (roll(d, null_in) == 0)
            continue;
        unsigned count = roll(d, 3) ? 1 : 1 + roll(d, 3);
        size_t n = 0;
        for (unsigned i = 0; i < count; i++) {
            const char *v = texts[roll(d, sizeof texts / sizeof *texts)];
            if (fixture_fields[f].type == KIN_TYPE_DATE)
                v = dates[roll(d, sizeof dates / sizeof *dates)];
            else if (fixture_fields[f].type == KIN_TYPE_NUMBER)
                v = numbers[roll(d, sizeof numbers / sizeof *numbers)];
            else if (fixture_fields[f].type == KIN_TYPE_GEO)
                v = places[roll(d, sizeof places / sizeof *places)];
            n += (size_t)snprintf(text[f] + n, sizeof text[f] - n, "%s%s", i ? "|" : "", v);
        }
        values[f] = text[f];
    }
    return fixture_record(values);
}

/* ---- random conditions, as text ---- */

struct text {
    char p[KIN_RULE_TEXT_MAX * 4];
    size_t n;
};
static inline void put(struct text *t, const char *s)
{
    size_t n = strlen(s);
    assert_true(t->n + n < sizeof t->p);
    memcpy(t->p + t->n, s, n + 1);
    t->n += n;
}
static inline void put_number(struct text *t, unsigned number)
{
    char s[16];
    snprintf(s, sizeof s, "%u", number);
    put(t, s);
}
static inline void put_blank(struct dice *d, struct text *t)
{
    static const char *const blanks[] = {"", "", " ", "  ", "\n", "\t "};
    put(t, blanks[roll(d, 6)]);
}
/* In the case it has, or in any. */
static inline void put_word(struct dice *d, struct text *t, const char *word)
{
    size_t start = t->n;
    bool mix = roll(d, 4) == 0;
    put(t, word);
    for (size_t i = start; mix && i < t->n; i++) {
        if (t->p[i] >= 'a' && t->p[i] <= 'z' && roll(d, 2))
            t->p[i] = (char)(t->p[i] - 32);
    }
}
static inline void put_field(struct dice *d, struct text *t, unsigned field)
{
    put_blank(d, t);
    if (field == WORK_EMAIL)
        put(t, "\"Email address\"");
    else if (field == ODD)
        put(t, "\"a \"\"b\"\" c\"");
    else if (roll(d, 5) == 0) {
        put(t, "\"");
        put(t, fixture_fields[field].name);
        put(t, "\"");
    } else
        put(t, fixture_fields[field].name);
    put_blank(d, t);
}
static inline void put_next(struct dice *d, struct text *t)
{
    put(t, ",");
    put_blank(d, t);
}
static inline unsigned random_text_field(struct dice *d)
{
    static const unsigned fields[] = {FIRST_NAME, LAST_NAME, EMAIL, TAX_ID,    ADDRESS,
                                      NOTES,      POSTCODE,  ODD,   WORK_EMAIL};
    return fields[roll(d, sizeof fields / sizeof *fields)];
}

static inline void put_threshold(struct dice *d, struct text *t)
{
    static const char *const thresholds[] = {"0.5", "0.92",  "1",   "0.700", "0.333333333333333",
                                             "0.8", "1.000", "0.05"};
    put_next(d, t);
    put(t, thresholds[roll(d, 8)]);
}

static inline void put_within(struct dice *d, struct text *t)
{
    static const struct {
        unsigned field;
        const char *amount;
    } within[] = {{DOB, "1 day"},  {DOB, "2weeks"},   {DOB, "1 years"},   {PRICE, "5 %"},
                  {PRICE, "0.05"}, {PRICE, "12.50%"}, {PLACE, "1.2 km"},  {PLACE, "500 M"},
                  {DOB, "0 days"}, {PRICE, "0"},      {PLACE, "20100km"}, {DOB, "366 DAYS"}};
    unsigned i = roll(d, sizeof within / sizeof *within);
    put_field(d, t, within[i].field);
    put_next(d, t);
    put(t, within[i].amount);
}

static inline void put_term(struct dice *d, struct text *t)
{
    static const char *const names[] = {
        "Exact",       "ExactManyToMany", "Differs", "Levenshtein", "Damerau", "Jaro",
        "JaroWinkler", "Cosine",          "Jaccard", "LCS",         "Soundex", "Metaphone",
        "Within",      "Prefix",          "Suffix",  "SameYear",    "Swapped", "Empty"};
    unsigned fn = roll(d, 18);
    put_word(d, t, names[fn]);
    put_blank(d, t);
    put(t, "(");
    switch (fn) {
    case 0:
        put_field(d, t, roll(d, FIXTURE_FIELDS));
        if (roll(d, 3) == 0) {
            put_next(d, t);
            put_word(d, t, roll(d, 3) ? "EmptyValues=Process" : "EmptyValues = Ignore");
        }
        break;
    case 1:
        put_field(d, t, FIRST_NAME);
        put_next(d, t);
        put_field(d, t, LAST_NAME);
        if (roll(d, 2)) {
            put_next(d, t);
            put_field(d, t, NOTES);
        }
        break;
    case 2:
    case 17:
        put_field(d, t, roll(d, FIXTURE_FIELDS));
        break;
    case 3:
    case 4:
        put_field(d, t, random_text_field(d));
        put_next(d, t);
        put_number(t, roll(d, 6));
        break;
    case 7:
    case 8:
        put_field(d, t, random_text_field(d));
        put_threshold(d, t);
        if (roll(d, 2)) {
            put_next(d, t);
            put_number(t, 1 + roll(d, 4));
        }
        break;
    case 12:
        put_within(d, t);
        break;
    case 13:
    case 14:
        put_field(d, t, random_text_field(d));
        put_next(d, t);
        put_number(t, 1 + roll(d, 4));
        break;
    case 15:
        put_field(d, t, DOB);
        break;
    case 16:
        put_field(d, t, FIRST_NAME);
        put_next(d, t);
        put_field(d, t, LAST_NAME);
        break;
    default:
        put_field(d, t, random_text_field(d));
        if (fn != 10 && fn != 11)
            put_threshold(d, t);
        break;
    }
    put_blank(d, t);
    put(t, ")");
}

/* Makes a term; put_term, or one that serves the test better. */
typedef void term_maker(struct dice *d, struct text *t);

static inline void put_condition(struct dice *d, struct text *t, unsigned depth, bool negations,
                                 term_maker *make)
{
    put_blank(d, t);
    unsigned kind = depth == 0 ? 0 : roll(d, negations ? 5 : 4);
    if (kind == 0) {
        make(d, t);
    } else if (kind == 4) {
        put_word(d, t, "NOT");
        bool parentheses = roll(d, 2);
        put(t, parentheses ? "(" : " ");
        if (parentheses)
            put_condition(d, t, depth - 1, negations, make);
        else
            make(d, t);
        put(t, parentheses ? ")" : "");
    } else {
        unsigned operands = 2 + roll(d, 2);
        bool parentheses = kind != 3;
        const char *word = roll(d, 2) ? "AND" : "OR";
        for (unsigned i = 0; i < operands; i++) {
            if (i) {
                put(t, " ");
                put_word(d, t, word);
                put(t, " ");
            }
            if (parentheses)
                put(t, "(");
            put_condition(d, t, depth - 1, negations, make);
            if (parentheses)
                put(t, ")");
        }
    }
    put_blank(d, t);
}

/* A random condition short enough to be one; in the arena. */
static inline struct kin_condition *random_condition(struct dice *d, struct kin_arena *arena,
                                                     unsigned depth, bool negations,
                                                     term_maker *make, struct text *t)
{
    struct kin_condition *c = NULL;
    unsigned column = 0;
    struct kin_err err = {0};
    do {
        t->n = 0;
        put_condition(d, t, depth, negations, make);
    } while (t->n > KIN_RULE_TEXT_MAX);
    kin_status status = kin_condition_parse(arena, &fixture_schema, (struct kin_str){t->p, t->n},
                                            &c, &column, &err);
    if (status)
        fail_msg("column %u: %s in: %s", column, err.msg, t->p);
    return c;
}

/* Parses or fails the test. */
static inline struct kin_condition *parsed(struct kin_arena *arena, const char *text)
{
    struct kin_condition *c = NULL;
    unsigned column = 0;
    struct kin_err err = {0};
    if (kin_condition_parse(arena, &fixture_schema, kin_str_of(text), &c, &column, &err))
        fail_msg("column %u: %s in: %s", column, err.msg, text);
    return c;
}

#endif
