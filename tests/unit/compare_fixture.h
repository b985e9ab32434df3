#ifndef KIN_TESTS_UNIT_COMPARE_FIXTURE_H
#define KIN_TESTS_UNIT_COMPARE_FIXTURE_H
/* What the tests of comparisons share: random records of one small world (a few entities, written
 * with all the errors that levels know), and random comparisons over the fields of rule_fixture.h.
 */
#include "common/match/compare.h"
#include "tests/unit/rule_fixture.h"

/* ---- values ---- */

static inline bool one_in(struct dice *d, unsigned n)
{
    return roll(d, n) == 0;
}

#define PICK(d, list) ((list)[roll((d), sizeof(list) / sizeof *(list))])

/* A letter less, more, another, or two swapped; ASCII only, so that it stays UTF-8. */
static inline void misspell(struct dice *d, char *text)
{
    size_t n = strlen(text);
    if (n < 2)
        return;
    size_t at = roll(d, (unsigned)n - 1);
    if ((unsigned char)text[at] >= 0x80 || (unsigned char)text[at + 1] >= 0x80)
        return;
    char c = text[at];
    switch (roll(d, 3)) {
    case 0:
        memmove(text + at, text + at + 1, n - at);
        break;
    case 1:
        text[at] = text[at + 1];
        text[at + 1] = c;
        break;
    default:
        text[at] = PICK(d, "abcdefghijklmnopqrstuvw");
        if (!text[at])
            text[at] = 'x';
    }
}

static inline void random_words(struct dice *d, char *out, size_t cap)
{
    static const char *const words[] = {"anna",
                                        "ann",
                                        "a",
                                        "marie",
                                        "j",
                                        "john",
                                        "jon",
                                        "smith",
                                        "smyth",
                                        "schmidt",
                                        "s",
                                        "jos\xc3\xa9",
                                        "jose",
                                        "mu\xc3\xb1oz",
                                        "munoz",
                                        "robert",
                                        "rupert",
                                        "catherine",
                                        "katherine",
                                        "li",
                                        "lee",
                                        "\xe6\x9d\x8e",
                                        "\xe6\x9d\x8e\xe5\xb0\x8f\xe9\xbe\x99",
                                        "\xc5\x82ukasz",
                                        "van",
                                        "der",
                                        "123",
                                        "main",
                                        "street",
                                        "st",
                                        "5"};
    unsigned count = one_in(d, 2) ? 1 : 1 + roll(d, 3);
    size_t n = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < count; i++)
        n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? " " : "", PICK(d, words));
    if (one_in(d, 3))
        misspell(d, out);
}

static inline void random_email(struct dice *d, char *out, size_t cap)
{
    static const char *const users[] = {"anna",   "ann.smith",   "j.smith",
                                        "jsmith", "jos\xc3\xa9", "li"};
    static const char *const domains[] = {"x.org", "example.com", "mail.example.com", "gmail.com"};
    char user[32], domain[32];
    snprintf(user, sizeof user, "%s", PICK(d, users));
    snprintf(domain, sizeof domain, "%s", PICK(d, domains));
    if (one_in(d, 3))
        misspell(d, one_in(d, 2) ? user : domain);
    snprintf(out, cap, "%s@%s", user, domain);
}

static inline void random_date(struct dice *d, char *out, size_t cap)
{
    static const int years[] = {1984, 1985, 1948, 2000, 1969, 1970};
    unsigned month = 1 + roll(d, 12), day = 1 + roll(d, one_in(d, 2) ? 12 : 28);
    if (one_in(d, 3))
        month = 3, day = 1 + roll(d, 3);
    snprintf(out, cap, "%d-%u-%u", PICK(d, years), month, day);
}

static inline void random_number(struct dice *d, char *out, size_t cap)
{
    static const double bases[] = {0, 1, 20.02, 100, -5};
    static const double steps[] = {0, 0.01, 0.5, 1, 5, -0.01};
    snprintf(out, cap, "%.6g", PICK(d, bases) + PICK(d, steps));
}

static inline void random_place(struct dice *d, char *out, size_t cap)
{
    static const char *const bases[] = {"51.5", "48.85", "0"};
    static const double steps[] = {0, 0.0001, 0.001, 0.01, 1};
    snprintf(out, cap, "%.6f,%.6f", strtod(PICK(d, bases), NULL) + PICK(d, steps),
             179.9995 + PICK(d, steps) / 2 - (one_in(d, 2) ? 0.0002 : 0));
}

static inline void random_value(struct dice *d, unsigned field, char *out, size_t cap)
{
    enum kin_type type = fixture_fields[field].type;
    if (type == KIN_TYPE_DATE)
        random_date(d, out, cap);
    else if (type == KIN_TYPE_NUMBER)
        random_number(d, out, cap);
    else if (type == KIN_TYPE_GEO)
        random_place(d, out, cap);
    else if (type == KIN_TYPE_EMAIL && !one_in(d, 8))
        random_email(d, out, cap);
    else if (type == KIN_TYPE_PHONE || type == KIN_TYPE_ID || type == KIN_TYPE_POSTCODE)
        snprintf(out, cap, "%u", 4470 + roll(d, 6) * (one_in(d, 2) ? 1 : 111111));
    else
        random_words(d, out, cap);
}

/* Null one time in six, several values now and then. */
static inline uint8_t *compare_record(struct dice *d)
{
    const char *values[FIXTURE_FIELDS];
    char text[FIXTURE_FIELDS][512];
    for (unsigned f = 0; f < FIXTURE_FIELDS; f++) {
        values[f] = NULL;
        if (one_in(d, 6))
            continue;
        unsigned count = roll(d, 4) ? 1 : 1 + roll(d, 3);
        size_t n = 0;
        for (unsigned i = 0; i < count; i++) {
            char value[128];
            random_value(d, f, value, sizeof value);
            n += (size_t)snprintf(text[f] + n, sizeof text[f] - n, "%s%s", i ? "|" : "", value);
        }
        values[f] = text[f];
    }
    return fixture_record(values);
}

/* ---- comparisons ---- */

/* A level for a field of this type, in canonical words. */
static inline void random_level(struct dice *d, enum kin_type type, char *out, size_t cap)
{
    static const char *const shares[] = {"0.5", "0.7", "0.8", "0.92", "0.95", "1", "0.333"};
    static const char *const names[] = {"jaro_winkler", "jaro", "lcs", "soft_tfidf"};
    static const char *const sets[] = {"jaccard", "cosine", "tfidf"};
    static const char *const edits[] = {"levenshtein", "damerau"};
    static const char *const ends[] = {"prefix", "suffix"};
    static const char *const plain[] = {"soundex", "metaphone", "contains", "initial"};
    static const char *const of_dates[] = {"within 1 day",
                                           "within 3 weeks",
                                           "within 1 month",
                                           "within 1 year",
                                           "within 10 years",
                                           "same year",
                                           "same month and day",
                                           "same year and month",
                                           "same day",
                                           "damerau 1",
                                           "day and month swapped",
                                           "levenshtein 2",
                                           "levenshtein 1",
                                           "damerau 3",
                                           "same month",
                                           "same year and day"};
    static const char *const of_numbers[] = {"within 0.01", "within 0.5", "within 1 %",
                                             "within 5 %",  "within 2",   "within 50 %"};
    static const char *const of_places[] = {"within 10 m", "within 50 m",   "within 0.5 km",
                                            "within 2 km", "within 200 km", "within 5000 km"};
    static const char *const of_emails[] = {"same username", "same domain"};
    const char *word = "exact";
    switch (type) {
    case KIN_TYPE_DATE:
        word = PICK(d, of_dates);
        break;
    case KIN_TYPE_NUMBER:
        word = PICK(d, of_numbers);
        break;
    case KIN_TYPE_GEO:
        word = PICK(d, of_places);
        break;
    case KIN_TYPE_NAME:
    case KIN_TYPE_TEXT:
    case KIN_TYPE_EMAIL:
    case KIN_TYPE_PHONE:
    case KIN_TYPE_POSTCODE:
    case KIN_TYPE_ID:
    case KIN_TYPE_ADDRESS:
    case KIN_TYPE_COUNT:
        switch (roll(d, 6)) {
        case 0:
            snprintf(out, cap, "%s %u", PICK(d, edits), 1 + roll(d, 3));
            return;
        case 1:
            snprintf(out, cap, "%s %s", PICK(d, sets), PICK(d, shares));
            if (one_in(d, 2))
                snprintf(out + strlen(out), cap - strlen(out), " of %u-grams", 1 + roll(d, 3));
            return;
        case 2:
            snprintf(out, cap, "%s %u", PICK(d, ends), 1 + roll(d, 4));
            return;
        case 3:
            word = type == KIN_TYPE_EMAIL                           ? PICK(d, of_emails)
                   : type == KIN_TYPE_NAME || type == KIN_TYPE_TEXT ? PICK(d, plain)
                                                                    : "exact";
            break;
        default:
            snprintf(out, cap, "%s %s", PICK(d, names), PICK(d, shares));
            return;
        }
    }
    snprintf(out, cap, "%s", one_in(d, 6) ? "exact" : word);
}

static inline const struct kin_level *parse_level(struct kin_arena *arena,
                                                  const struct kin_comparison *c, const char *text)
{
    const struct kin_level *level = NULL;
    unsigned column = 0;
    struct kin_err err = {0};
    if (kin_level_parse(arena, &fixture_schema, c, kin_str_of(text), &level, &column, &err))
        fail_msg("column %u: %s in: %s", column, err.msg, text);
    return level;
}

/* The canonical text, in the arena. */
static inline const char *level_text(struct kin_arena *arena, const struct kin_level *level)
{
    struct kin_buf text = {0};
    kin_level_print(level, &text);
    const char *copy = kin_arena_strndup(arena, (const char *)text.p, text.n);
    kin_buf_deinit(&text);
    assert_non_null(copy);
    return copy;
}

/* One field, or two or three that compare with one another. */
static inline void random_fields(struct dice *d, struct kin_comparison *c)
{
    static const uint16_t pairs[][3] = {{FIRST_NAME, LAST_NAME, NOTES},
                                        {EMAIL, WORK_EMAIL, ODD},
                                        {PHONE, TAX_ID, POSTCODE},
                                        {LAST_NAME, NOTES, ADDRESS}};
    c->fields[0] = (uint16_t)roll(d, FIXTURE_FIELDS);
    c->field_count = 1;
    if (!one_in(d, 3))
        return;
    const uint16_t *fields = pairs[roll(d, sizeof pairs / sizeof *pairs)];
    c->field_count = one_in(d, 4) ? 3 : 2;
    for (unsigned i = 0; i < c->field_count; i++)
        c->fields[i] = fields[i];
}

/* A test that all of the fields have, with or without swapped and any. */
static inline void random_cross_level(struct dice *d, const struct kin_comparison *c, char *out,
                                      size_t cap)
{
    char test[64];
    /* what e-mail addresses, phones and postcodes have, names have too */
    random_level(d, c->field_count == 1 ? fixture_fields[c->fields[0]].type : KIN_TYPE_ID, test,
                 sizeof test);
    const char *reading = "";
    if (c->field_count > 1 && one_in(d, 2))
        reading = c->field_count == 2 && one_in(d, 2) ? "swapped " : "any ";
    snprintf(out, cap, "%s%s", reading, test);
}

/* Up to seven levels that can be reached; its texts are in the arena. */
static inline void random_comparison(struct dice *d, struct kin_arena *arena,
                                     struct kin_comparison *c)
{
    *c = (struct kin_comparison){.name = "", .term_frequency = one_in(d, 2)};
    random_fields(d, c);
    for (unsigned tries = 0; tries < 8 || !c->level_count; tries++) {
        char text[128];
        random_cross_level(d, c, text, sizeof text);
        const struct kin_level *level = parse_level(arena, c, text);
        bool hidden = false;
        for (unsigned i = 0; i < c->level_count; i++)
            hidden = hidden || kin_level_hides(c->levels[i], level);
        if (!hidden)
            c->levels[c->level_count++] = level;
    }
}

/* All with names of their own. */
static inline struct kin_comparer *random_comparer(struct dice *d, struct kin_arena *arena,
                                                   struct kin_comparison *comparisons,
                                                   unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        random_comparison(d, arena, &comparisons[i]);
        comparisons[i].name = kin_arena_printf(arena, "c%u", i);
    }
    struct kin_comparer *comparer = NULL;
    struct kin_err err = {0};
    if (kin_comparer_new(&fixture_schema, comparisons, count, &comparer, &err))
        fail_msg("%s", err.msg);
    return comparer;
}

#endif
