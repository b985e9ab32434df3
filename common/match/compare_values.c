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

static double take_measure(const struct kin_step *step, struct kin_kernel_scratch *s,
                           struct kin_pair pair, double cut)
{
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
        t->measure[step->slot] =
            take_measure(step, t->s->kernels, t->pair, t->chain->cut[step->slot]);
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
    double value = take_measure(&chain->steps[0], s->kernels, pair, chain->cut[0]);
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
    /* H. Hinnant, "chrono-compatible low-level date algorithms": years begin in March; 400 of them
     * have 146,097 days, and 719,468 days lie before 1970 */
    int64_t since = (int64_t)days + 719468;
    int64_t era = (since >= 0 ? since : since - 146096) / 146097;
    unsigned day = (unsigned)(since - era * 146097); /* 0..146096 */
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    unsigned day_of_year = day - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * day_of_year + 2) / 153; /* 0: March */
    return (struct kin_civil){
        .year = (int32_t)(era * 400 + year + (month >= 10)),
        .month = (uint8_t)(month < 10 ? month + 3 : month - 9),
        .day = (uint8_t)(day_of_year - (153 * month + 2) / 5 + 1),
    };
}

size_t kin_civil_text(struct kin_civil date, char out[KIN_CIVIL_TEXT_MAX])
{
    if (date.year < 0 || date.year > 9999)
        return (size_t)snprintf(out, KIN_CIVIL_TEXT_MAX, "%d-%02u-%02u", (int)date.year,
                                (unsigned)date.month, (unsigned)date.day);
    unsigned year = (unsigned)date.year;
    memcpy(out, "0000-00-00", 11);
    for (unsigned i = 4; i-- > 0; year /= 10)
        out[i] = (char)('0' + year % 10);
    out[5] = (char)('0' + date.month / 10);
    out[6] = (char)('0' + date.month % 10);
    out[8] = (char)('0' + date.day / 10);
    out[9] = (char)('0' + date.day % 10);
    return 10;
}

static unsigned date_distance(struct kin_comparer_scratch *s, const struct kin_step *step,
                              struct kin_civil a, struct kin_civil b)
{
    char text_a[KIN_CIVIL_TEXT_MAX], text_b[KIN_CIVIL_TEXT_MAX];
    struct kin_pair pair = {
        {text_a, kin_civil_text(a, text_a)}, {text_b, kin_civil_text(b, text_b)}, true};
    if (step->fn == KIN_LEVEL_DAMERAU)
        return kin_osa(s->kernels, pair, step->n);
    return kin_levenshtein(s->kernels, pair, step->n);
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
            holds = date_distance(s, step, date_a, date_b) <= step->n;
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
