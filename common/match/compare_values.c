/* Two values by the tests of one reading, strongest first. */
#include "common/match/compare_impl.h"
#include "common/match/text_parts.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- texts ---- */

/* One pair of texts; measures are taken when they are first asked for. */
struct texts {
    const struct kin_chain *chain;
    struct kin_comparer_scratch *s;
    struct kin_pair pair;
    uint32_t known; /* bit: slot */
    double measure[KIN_LEVELS_MAX];
};

/* Longest common subsequence by the longer length; less than `least` where that is plain from the
 * lengths. */
static double lcs_share(struct kin_kernel_scratch *s, struct kin_pair pair, double least)
{
    unsigned x = kin_codepoints(pair.a, pair.ascii), y = kin_codepoints(pair.b, pair.ascii);
    unsigned longer = x > y ? x : y, shorter = x > y ? y : x;
    if (longer == 0)
        return 1;
    /* division rounds monotonically, so the bound never rejects what the ratio would pass */
    if ((double)shorter / (double)longer < least)
        return -1;
    return (double)kin_lcs(s, pair) / (double)longer;
}

static double take_measure(const struct kin_chain *chain, const struct kin_step *step,
                           struct kin_comparer_scratch *scratch, struct kin_pair pair)
{
    struct kin_kernel_scratch *s = scratch->kernels;
    double cut = chain->cut[step->slot];
    switch ((enum kin_level_fn)step->fn) {
    case KIN_LEVEL_JARO_WINKLER:
        return kin_jaro_winkler_from(s, pair, cut);
    case KIN_LEVEL_JARO:
        return kin_jaro(s, pair);
    case KIN_LEVEL_LCS:
        return lcs_share(s, pair, cut);
    case KIN_LEVEL_LEVENSHTEIN:
        return kin_levenshtein(s, pair, (unsigned)cut);
    case KIN_LEVEL_DAMERAU:
        return kin_osa(s, pair, (unsigned)cut);
    case KIN_LEVEL_JACCARD:
        return kin_jaccard(s, pair, step->n);
    case KIN_LEVEL_COSINE:
        return kin_cosine(s, pair, step->n);
    case KIN_LEVEL_TFIDF:
        return kin_texts_tfidf(chain->tokens, scratch, pair.a, pair.b, step->n);
    case KIN_LEVEL_SOFT_TFIDF:
        return kin_texts_soft_tfidf(chain->tokens, scratch, pair.a, pair.b);
    case KIN_LEVEL_EXACT:
    case KIN_LEVEL_SOUNDEX:
    case KIN_LEVEL_METAPHONE:
    case KIN_LEVEL_PREFIX:
    case KIN_LEVEL_SUFFIX:
    case KIN_LEVEL_CONTAINS:
    case KIN_LEVEL_INITIAL:
    case KIN_LEVEL_USERNAME:
    case KIN_LEVEL_DOMAIN:
    case KIN_LEVEL_WITHIN:
    case KIN_LEVEL_DATE_PARTS:
    case KIN_LEVEL_DAY_MONTH_SWAPPED:
    case KIN_LEVEL_FNS:
        break;
    }
    return 0;
}

static double measure(struct texts *t, const struct kin_step *step)
{
    uint32_t bit = 1u << step->slot;
    if (!(t->known & bit)) {
        t->known |= bit;
        t->measure[step->slot] = take_measure(t->chain, step, t->s, t->pair);
    }
    return t->measure[step->slot];
}

static bool same_soundex(struct kin_pair p)
{
    char a[5], b[5];
    return kin_soundex(p.a, a) && kin_soundex(p.b, b) && strcmp(a, b) == 0;
}

static bool same_metaphone(struct kin_pair p)
{
    char a1[5], a2[5], b1[5], b2[5];
    return kin_double_metaphone(p.a, a1, a2) && kin_double_metaphone(p.b, b1, b2) &&
           (strcmp(a1, b1) == 0 || strcmp(a1, b2) == 0 || strcmp(a2, b1) == 0 ||
            strcmp(a2, b2) == 0);
}

static bool same_prefix(const struct kin_value *a, const struct kin_value *b, unsigned n)
{
    bool enough_a, enough_b;
    size_t bytes_a = kin_text_first(a, n, &enough_a), bytes_b = kin_text_first(b, n, &enough_b);
    return enough_a && enough_b && bytes_a == bytes_b && memcmp(a->p, b->p, bytes_a) == 0;
}

static bool same_suffix(const struct kin_value *a, const struct kin_value *b, unsigned n)
{
    bool enough_a, enough_b;
    size_t at_a = kin_text_last(a, n, &enough_a), at_b = kin_text_last(b, n, &enough_b);
    size_t bytes = a->bytes - at_a;
    return enough_a && enough_b && bytes == b->bytes - at_b &&
           memcmp(a->p + at_a, b->p + at_b, bytes) == 0;
}

static bool text_holds(struct texts *t, const struct kin_step *step, const struct kin_value *a,
                       const struct kin_value *b)
{
    switch ((enum kin_level_fn)step->fn) {
    case KIN_LEVEL_JARO_WINKLER:
    case KIN_LEVEL_JARO:
    case KIN_LEVEL_LCS:
    case KIN_LEVEL_JACCARD:
    case KIN_LEVEL_COSINE:
    case KIN_LEVEL_TFIDF:
    case KIN_LEVEL_SOFT_TFIDF:
        return measure(t, step) >= step->limit;
    case KIN_LEVEL_LEVENSHTEIN:
    case KIN_LEVEL_DAMERAU:
        return measure(t, step) <= step->limit;
    case KIN_LEVEL_SOUNDEX:
        return same_soundex(t->pair);
    case KIN_LEVEL_METAPHONE:
        return same_metaphone(t->pair);
    case KIN_LEVEL_PREFIX:
        return same_prefix(a, b, step->n);
    case KIN_LEVEL_SUFFIX:
        return same_suffix(a, b, step->n);
    case KIN_LEVEL_CONTAINS:
        return kin_texts_contain(t->s, t->pair.a, t->pair.b);
    case KIN_LEVEL_INITIAL:
        return kin_texts_initial(t->pair.a, t->pair.b);
    case KIN_LEVEL_USERNAME:
        return kin_texts_same_username(t->pair.a, t->pair.b);
    case KIN_LEVEL_DOMAIN:
        return kin_texts_same_domain(t->pair.a, t->pair.b);
    case KIN_LEVEL_EXACT:
    case KIN_LEVEL_WITHIN:
    case KIN_LEVEL_DATE_PARTS:
    case KIN_LEVEL_DAY_MONTH_SWAPPED:
    case KIN_LEVEL_FNS:
        break;
    }
    return false;
}

/* All steps ask for one similarity. */
static unsigned similarity_level(const struct kin_chain *chain, struct kin_comparer_scratch *s,
                                 const struct kin_value *a, const struct kin_value *b,
                                 unsigned below)
{
    struct kin_pair pair = {kin_value_str(a), kin_value_str(b), a->ascii && b->ascii};
    double value = take_measure(chain, &chain->steps[0], s, pair);
    for (unsigned i = 0; i < chain->count && chain->steps[i].level < below; i++) {
        if (value >= chain->steps[i].limit)
            return chain->steps[i].level;
    }
    return below;
}

static unsigned text_level(const struct kin_chain *chain, struct kin_comparer_scratch *s,
                           const struct kin_value *a, const struct kin_value *b, unsigned below)
{
    struct texts t;
    t.chain = chain;
    t.s = s;
    t.pair = (struct kin_pair){kin_value_str(a), kin_value_str(b), a->ascii && b->ascii};
    t.known = 0;
    for (unsigned i = 0; i < chain->count && chain->steps[i].level < below; i++) {
        if (text_holds(&t, &chain->steps[i], a, b))
            return chain->steps[i].level;
    }
    return below;
}

/* ---- dates ---- */

struct kin_civil kin_civil_of_days(int32_t days)
{
    /* C. Neri, L. Schneider, "Euclidean affine functions and their application to calendar
     * algorithms" (2023), figure 12: years begin in March, 82 eras before the year 0. Right for
     * -32,800 to 2,900,000; days further off, which no normaliser gives, wrap around. */
    enum { SHIFT_YEARS = 82 * 400, SHIFT_DAYS = 719468 + 82 * 146097 };
    uint32_t n1 = 4 * ((uint32_t)days + SHIFT_DAYS) + 3;
    uint32_t century = n1 / 146097, n2 = n1 % 146097 / 4 * 4 + 3;
    uint64_t p2 = UINT64_C(2939745) * n2;
    uint32_t day_of_year = (uint32_t)p2 / 2939745 / 4;
    uint32_t n3 = 2141 * day_of_year + 197913;
    uint32_t january = day_of_year >= 306; /* or February: of the next year */
    return (struct kin_civil){
        .year = (int32_t)(100 * century + (uint32_t)(p2 >> 32) + january) - SHIFT_YEARS,
        .month = (uint8_t)((n3 >> 16) - 12 * january),
        .day = (uint8_t)((n3 & 0xffff) / 2141 + 1),
    };
}

size_t kin_civil_text(struct kin_civil date, char out[KIN_CIVIL_TEXT_MAX])
{
    return (size_t)snprintf(out, KIN_CIVIL_TEXT_MAX, "%04d-%02u-%02u", (int)date.year,
                            (unsigned)date.month, (unsigned)date.day);
}

/* The digits YYYYMMDD of a year of four digits, the first in the lowest byte: halves, quarters and
 * eighths of the number side by side. */
static inline uint64_t digits_of(struct kin_civil date)
{
    uint64_t x = (uint32_t)date.year | (uint64_t)(100u * date.month + date.day) << 32;
    uint64_t hundreds = (x * 10486 >> 20) & UINT64_C(0x0000007f0000007f); /* by 100, up to 43,698 */
    x = hundreds | (x - 100 * hundreds) << 16;
    uint64_t tens = (x * 103 >> 10) & UINT64_C(0x000f000f000f000f); /* by 10, up to 178 */
    return tens | (x - 10 * tens) << 8;
}

/* Whether one edit makes one date of the other: texts of one length are one replacement apart, or
 * one swap of neighbours, between which there is no hyphen. */
static bool one_edit_apart(uint64_t a, uint64_t b, bool swaps)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f), neighbours = UINT64_C(0x0080008000808080);
    uint64_t differ = ((a ^ b) + low) & ~low; /* the highest bit of each byte that differs */
    if ((differ & (differ - 1)) == 0)
        return true;
    uint64_t first = differ & (0 - differ);
    if (!swaps || differ != (first | first << 8) || !(first & neighbours))
        return false;
    unsigned at = (unsigned)__builtin_ctzll(first) - 7;
    return (a >> at & 0xff) == (b >> (at + 8) & 0xff) && (a >> (at + 8) & 0xff) == (b >> at & 0xff);
}

static bool has_four_digits(int32_t year)
{
    return (uint32_t)year <= 9999;
}

/* Whether the edit distance of the dates as written is in reach. */
static bool dates_near(struct kin_comparer_scratch *s, const struct kin_step *step,
                       struct kin_civil a, struct kin_civil b)
{
    bool swaps = step->fn == KIN_LEVEL_DAMERAU;
    if (step->n == 1 && has_four_digits(a.year) && has_four_digits(b.year))
        return one_edit_apart(digits_of(a), digits_of(b), swaps);
    char text_a[KIN_CIVIL_TEXT_MAX], text_b[KIN_CIVIL_TEXT_MAX];
    struct kin_pair pair = {
        {text_a, kin_civil_text(a, text_a)}, {text_b, kin_civil_text(b, text_b)}, true};
    unsigned distance =
        swaps ? kin_osa(s->kernels, pair, step->n) : kin_levenshtein(s->kernels, pair, step->n);
    return distance <= step->n;
}

static bool same_parts(unsigned parts, struct kin_civil a, struct kin_civil b)
{
    return (!(parts & KIN_DATE_YEAR) || a.year == b.year) &&
           (!(parts & KIN_DATE_MONTH) || a.month == b.month) &&
           (!(parts & KIN_DATE_DAY) || a.day == b.day);
}

static unsigned date_level(const struct kin_chain *chain, struct kin_comparer_scratch *s,
                           const struct kin_value *a, const struct kin_value *b, unsigned below)
{
    int32_t days_a, days_b;
    if (!kin_value_days(a, &days_a) || !kin_value_days(b, &days_b))
        return below;
    double apart = fabs((double)days_a - (double)days_b);
    struct kin_civil date_a = {0}, date_b = {0};
    bool known = false;
    for (unsigned i = 0; i < chain->count && chain->steps[i].level < below; i++) {
        const struct kin_step *step = &chain->steps[i];
        bool holds;
        if (step->fn != KIN_LEVEL_WITHIN && !known) {
            date_a = kin_civil_of_days(days_a);
            date_b = kin_civil_of_days(days_b);
            known = true;
        }
        if (step->fn == KIN_LEVEL_WITHIN)
            holds = apart <= step->limit;
        else if (step->fn == KIN_LEVEL_DATE_PARTS)
            holds = same_parts(step->n, date_a, date_b);
        else if (step->fn == KIN_LEVEL_DAY_MONTH_SWAPPED)
            holds = date_a.year == date_b.year && date_a.day == date_b.month &&
                    date_a.month == date_b.day;
        else
            holds = dates_near(s, step, date_a, date_b);
        if (holds)
            return step->level;
    }
    return below;
}

/* ---- numbers and places ---- */

static unsigned number_level(const struct kin_chain *chain, const struct kin_value *a,
                             const struct kin_value *b, unsigned below)
{
    double x, y;
    if (!kin_value_number(a, &x) || !kin_value_number(b, &y))
        return below;
    double larger = fmax(fabs(x), fabs(y));
    /* what reading two decimals can be off by, so that 20.03 is within 0.01 of 20.02 */
    double apart = fabs(x - y), slack = 2 * DBL_EPSILON * larger;
    for (unsigned i = 0; i < chain->count && chain->steps[i].level < below; i++) {
        const struct kin_step *step = &chain->steps[i];
        double most = step->percent ? step->limit * larger : step->limit;
        if (apart <= most + slack)
            return step->level;
    }
    return below;
}

static unsigned place_level(const struct kin_chain *chain, const struct kin_value *a,
                            const struct kin_value *b, unsigned below)
{
    struct kin_place x, y;
    if (chain->count == 0 || !kin_value_place(a, &x) || !kin_value_place(b, &y))
        return below;
    double km = kin_geo_km(x.latitude, x.longitude, y.latitude, y.longitude);
    for (unsigned i = 0; i < chain->count && chain->steps[i].level < below; i++) {
        if (km <= chain->steps[i].limit)
            return chain->steps[i].level;
    }
    return below;
}

unsigned kin_chain_level(const struct kin_chain *chain, enum kin_compare_kind kind,
                         struct kin_comparer_scratch *s, const struct kin_value *a,
                         const struct kin_value *b, unsigned below)
{
    if (a->hash == b->hash)
        return chain->equal < below ? chain->equal : below;
    switch (kind) {
    case KIN_COMPARE_TEXT:
        if (chain->one_measure)
            return similarity_level(chain, s, a, b, below);
        return text_level(chain, s, a, b, below);
    case KIN_COMPARE_DATE:
        return date_level(chain, s, a, b, below);
    case KIN_COMPARE_NUMBER:
        return number_level(chain, a, b, below);
    case KIN_COMPARE_PLACE:
        break;
    }
    return place_level(chain, a, b, below);
}
