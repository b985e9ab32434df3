/* What there is of levels, how they are written, and which can never be reached. */
#include "common/match/compare_impl.h"

#include <inttypes.h>

enum {
    KIN_TYPES_WORDED =
        KIN_TYPE_BIT(KIN_TYPE_NAME) | KIN_TYPE_BIT(KIN_TYPE_TEXT) | KIN_TYPE_BIT(KIN_TYPE_ADDRESS)
};

/* Dates have edit distances too, as they are written: 1984-03-12. */
const struct kin_level_spec kin_level_specs[KIN_LEVEL_FNS] = {
    [KIN_LEVEL_EXACT] = {"exact", KIN_LEVEL_NOTHING, KIN_TYPES_ALL, 1},
    [KIN_LEVEL_JARO_WINKLER] = {"jaro_winkler", KIN_LEVEL_SIMILARITY, KIN_TYPES_TEXT, 20},
    [KIN_LEVEL_JARO] = {"jaro", KIN_LEVEL_SIMILARITY, KIN_TYPES_TEXT, 25},
    [KIN_LEVEL_LCS] = {"lcs", KIN_LEVEL_SIMILARITY, KIN_TYPES_TEXT, 20},
    [KIN_LEVEL_LEVENSHTEIN] = {"levenshtein", KIN_LEVEL_DISTANCE,
                               KIN_TYPES_TEXT | KIN_TYPE_BIT(KIN_TYPE_DATE), 15},
    [KIN_LEVEL_DAMERAU] = {"damerau", KIN_LEVEL_DISTANCE,
                           KIN_TYPES_TEXT | KIN_TYPE_BIT(KIN_TYPE_DATE), 15},
    [KIN_LEVEL_JACCARD] = {"jaccard", KIN_LEVEL_SET, KIN_TYPES_TEXT, 150},
    [KIN_LEVEL_COSINE] = {"cosine", KIN_LEVEL_SET, KIN_TYPES_TEXT, 150},
    [KIN_LEVEL_TFIDF] = {"tfidf", KIN_LEVEL_SET, KIN_TYPES_TEXT, 250},
    [KIN_LEVEL_SOFT_TFIDF] = {"soft_tfidf", KIN_LEVEL_SIMILARITY, KIN_TYPES_TEXT, 800},
    [KIN_LEVEL_SOUNDEX] = {"soundex", KIN_LEVEL_NOTHING, KIN_TYPES_SPOKEN, 25},
    [KIN_LEVEL_METAPHONE] = {"metaphone", KIN_LEVEL_NOTHING, KIN_TYPES_SPOKEN, 120},
    [KIN_LEVEL_PREFIX] = {"prefix", KIN_LEVEL_LENGTH, KIN_TYPES_TEXT, 3},
    [KIN_LEVEL_SUFFIX] = {"suffix", KIN_LEVEL_LENGTH, KIN_TYPES_TEXT, 3},
    [KIN_LEVEL_CONTAINS] = {"contains", KIN_LEVEL_NOTHING, KIN_TYPES_WORDED, 40},
    [KIN_LEVEL_INITIAL] = {"initial", KIN_LEVEL_NOTHING,
                           KIN_TYPE_BIT(KIN_TYPE_NAME) | KIN_TYPE_BIT(KIN_TYPE_TEXT), 4},
    [KIN_LEVEL_USERNAME] = {"same username", KIN_LEVEL_NOTHING, KIN_TYPE_BIT(KIN_TYPE_EMAIL), 5},
    [KIN_LEVEL_DOMAIN] = {"same domain", KIN_LEVEL_NOTHING, KIN_TYPE_BIT(KIN_TYPE_EMAIL), 5},
    [KIN_LEVEL_WITHIN] = {"within", KIN_LEVEL_AMOUNT, KIN_TYPES_MEASURED, 2},
    [KIN_LEVEL_DATE_PARTS] = {"same", KIN_LEVEL_PARTS, KIN_TYPE_BIT(KIN_TYPE_DATE), 8},
    [KIN_LEVEL_DAY_MONTH_SWAPPED] = {"day and month swapped", KIN_LEVEL_NOTHING,
                                     KIN_TYPE_BIT(KIN_TYPE_DATE), 8},
};

const struct kin_level_unit_spec kin_level_unit_specs[KIN_LEVEL_UNITS] = {
    [KIN_LEVEL_NUMBER] = {"", "", KIN_TYPE_NUMBER, 1e15},
    [KIN_LEVEL_PERCENT] = {"%", "%", KIN_TYPE_NUMBER, 100},
    /* ten thousand years in each: what a four-digit year can differ by */
    [KIN_LEVEL_DAY] = {"day", "days", KIN_TYPE_DATE, 3652500},
    [KIN_LEVEL_WEEK] = {"week", "weeks", KIN_TYPE_DATE, 521785},
    [KIN_LEVEL_MONTH] = {"month", "months", KIN_TYPE_DATE, 120000},
    [KIN_LEVEL_YEAR] = {"year", "years", KIN_TYPE_DATE, 10000},
    /* just over half of the earth's circumference */
    [KIN_LEVEL_KM] = {"km", "km", KIN_TYPE_GEO, 20100},
    [KIN_LEVEL_M] = {"m", "m", KIN_TYPE_GEO, 20100000},
};

const char *const kin_reading_words[KIN_READINGS] = {
    [KIN_READ_EACH] = "", [KIN_READ_SWAPPED] = "swapped", [KIN_READ_ANY] = "any"};

const char *const kin_date_part_words[3] = {"year", "month", "day"};

/* ---- text ---- */

static void print_decimal(struct kin_decimal d, struct kin_buf *out)
{
    uint64_t one = 1;
    for (unsigned i = 0; i < d.scale; i++)
        one *= 10;
    kin_buf_printf(out, "%" PRIu64, d.digits / one);
    if (d.scale)
        kin_buf_printf(out, ".%0*" PRIu64, (int)d.scale, d.digits % one);
}

static void print_parts(unsigned parts, struct kin_buf *out)
{
    const char *between = " ";
    for (unsigned i = 0; i < 3; i++) {
        if (!(parts & 1u << i))
            continue;
        kin_buf_puts(out, between);
        kin_buf_puts(out, kin_date_part_words[i]);
        between = " and ";
    }
}

void kin_level_print(const struct kin_level *level, struct kin_buf *out)
{
    const struct kin_level_spec *spec = &kin_level_specs[level->fn];
    const struct kin_level_unit_spec *unit = &kin_level_unit_specs[level->unit];
    kin_buf_puts(out, kin_reading_words[level->reading]);
    if (level->reading == KIN_READ_SWAPPED && level->fn == KIN_LEVEL_EXACT)
        return;
    kin_buf_puts(out, level->reading == KIN_READ_EACH ? "" : " ");
    kin_buf_puts(out, spec->name);
    switch (spec->args) {
    case KIN_LEVEL_NOTHING:
        break;
    case KIN_LEVEL_SIMILARITY:
    case KIN_LEVEL_SET:
        kin_buf_putc(out, ' ');
        print_decimal(level->amount, out);
        if (level->n)
            kin_buf_printf(out, " of %u-grams", (unsigned)level->n);
        break;
    case KIN_LEVEL_DISTANCE:
    case KIN_LEVEL_LENGTH:
        kin_buf_printf(out, " %u", (unsigned)level->n);
        break;
    case KIN_LEVEL_AMOUNT: {
        bool one = level->amount.digits == 1 && level->amount.scale == 0;
        kin_buf_putc(out, ' ');
        print_decimal(level->amount, out);
        kin_buf_puts(out, unit->one[0] ? " " : "");
        kin_buf_puts(out, one ? unit->one : unit->many);
        break;
    }
    case KIN_LEVEL_PARTS:
        print_parts(level->n, out);
        break;
    }
}

/* ---- reachability ---- */

/* Greatest distance in days of two dates that agree in these parts; 0: no bound. */
static double days_of_parts(unsigned parts)
{
    if (!(parts & KIN_DATE_YEAR))
        return 0;
    return parts & KIN_DATE_MONTH ? 30 : 365;
}

static bool days_hide(const struct kin_level *within, const struct kin_level *later)
{
    if (kin_level_unit_specs[within->unit].type != KIN_TYPE_DATE)
        return false;
    unsigned parts = later->fn == KIN_LEVEL_DATE_PARTS          ? later->n
                     : later->fn == KIN_LEVEL_DAY_MONTH_SWAPPED ? KIN_DATE_YEAR
                                                                : 0;
    double most = days_of_parts(parts);
    return most > 0 && most <= within->limit;
}

static bool within_hides(const struct kin_level *earlier, const struct kin_level *later)
{
    if (later->fn != KIN_LEVEL_WITHIN)
        return days_hide(earlier, later);
    bool same_measure =
        kin_level_unit_specs[earlier->unit].type == kin_level_unit_specs[later->unit].type &&
        (earlier->unit == KIN_LEVEL_PERCENT) == (later->unit == KIN_LEVEL_PERCENT);
    return same_measure && later->limit <= earlier->limit;
}

/* Whether the test of `later` implies that of `earlier`, both on the same values. */
static bool test_hides(const struct kin_level *earlier, const struct kin_level *later)
{
    if (later->fn == KIN_LEVEL_EXACT)
        return true;
    bool same = earlier->fn == later->fn;
    switch (earlier->fn) {
    case KIN_LEVEL_JARO_WINKLER: /* is never below Jaro */
        return (same || later->fn == KIN_LEVEL_JARO) && later->limit >= earlier->limit;
    case KIN_LEVEL_JARO:
    case KIN_LEVEL_LCS:
        return same && later->limit >= earlier->limit;
    case KIN_LEVEL_COSINE: /* is never below Jaccard */
        return (same || later->fn == KIN_LEVEL_JACCARD) && later->n == earlier->n &&
               later->limit >= earlier->limit;
    case KIN_LEVEL_SOFT_TFIDF: /* is never below that of words */
        return (same || later->fn == KIN_LEVEL_TFIDF) && later->n == 0 &&
               later->limit >= earlier->limit;
    case KIN_LEVEL_TFIDF:
    case KIN_LEVEL_JACCARD:
        return same && later->n == earlier->n && later->limit >= earlier->limit;
    case KIN_LEVEL_LEVENSHTEIN: /* a swap of neighbours is two replacements */
        return (same && later->n <= earlier->n) ||
               (later->fn == KIN_LEVEL_DAMERAU && 2u * later->n <= earlier->n);
    case KIN_LEVEL_DAMERAU:
        return (same || later->fn == KIN_LEVEL_LEVENSHTEIN) && later->n <= earlier->n;
    case KIN_LEVEL_PREFIX:
    case KIN_LEVEL_SUFFIX:
        return same && later->n >= earlier->n;
    case KIN_LEVEL_DATE_PARTS:
        return (same && (earlier->n & ~later->n) == 0) ||
               (later->fn == KIN_LEVEL_DAY_MONTH_SWAPPED && earlier->n == KIN_DATE_YEAR);
    case KIN_LEVEL_WITHIN:
        return within_hides(earlier, later);
    case KIN_LEVEL_EXACT:
    case KIN_LEVEL_SOUNDEX:
    case KIN_LEVEL_METAPHONE:
    case KIN_LEVEL_CONTAINS:
    case KIN_LEVEL_INITIAL:
    case KIN_LEVEL_USERNAME:
    case KIN_LEVEL_DOMAIN:
    case KIN_LEVEL_DAY_MONTH_SWAPPED:
    case KIN_LEVEL_FNS:
        break;
    }
    return same;
}

bool kin_level_hides(const struct kin_level *earlier, const struct kin_level *later)
{
    /* what holds for each field, straight or crosswise, holds for some pair of fields */
    return (earlier->reading == later->reading || earlier->reading == KIN_READ_ANY) &&
           test_hides(earlier, later);
}

bool kin_level_is_exact(const struct kin_level *level)
{
    return level->fn == KIN_LEVEL_EXACT && level->reading != KIN_READ_SWAPPED;
}

bool kin_types_comparable(enum kin_type a, enum kin_type b)
{
    return a == b || (KIN_TYPE_BIT(a) & KIN_TYPES_TEXT && KIN_TYPE_BIT(b) & KIN_TYPES_TEXT);
}
