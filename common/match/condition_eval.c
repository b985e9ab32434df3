/* The plain reading of a condition: every term on every pair of values, each similarity computed in
 * full. The decider is tested against it. */
#include "common/match/condition_impl.h"
#include "common/match/text_parts.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool values_equal(const struct kin_value *a, const struct kin_value *b)
{
    return a->hash == b->hash && a->bytes == b->bytes && memcmp(a->p, b->p, a->bytes) == 0;
}

static enum kin_truth truth_of(bool yes)
{
    return yes ? KIN_TRUE : KIN_FALSE;
}

/* ---- one pair of values ---- */

static enum kin_truth same_soundex(const struct kin_value *a, const struct kin_value *b)
{
    char code_a[5], code_b[5];
    if (kin_soundex(kin_value_str(a), code_a) == 0 || kin_soundex(kin_value_str(b), code_b) == 0)
        return KIN_UNKNOWN;
    return truth_of(strcmp(code_a, code_b) == 0);
}

static enum kin_truth same_metaphone(const struct kin_value *a, const struct kin_value *b)
{
    char a1[5], a2[5], b1[5], b2[5];
    if (kin_double_metaphone(kin_value_str(a), a1, a2) == 0 ||
        kin_double_metaphone(kin_value_str(b), b1, b2) == 0)
        return KIN_UNKNOWN;
    return truth_of(strcmp(a1, b1) == 0 || strcmp(a1, b2) == 0 || strcmp(a2, b1) == 0 ||
                    strcmp(a2, b2) == 0);
}

static enum kin_truth same_year(const struct kin_value *a, const struct kin_value *b)
{
    int32_t day_a, day_b;
    if (!kin_value_days(a, &day_a) || !kin_value_days(b, &day_b))
        return KIN_UNKNOWN;
    return truth_of(kin_year_of_days(day_a) == kin_year_of_days(day_b));
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

static double lcs_ratio(struct kin_kernel_scratch *s, struct kin_pair pair)
{
    unsigned a = kin_codepoints(pair.a, pair.ascii), b = kin_codepoints(pair.b, pair.ascii);
    unsigned longer = a > b ? a : b;
    return longer ? (double)kin_lcs(s, pair) / (double)longer : 1;
}

static enum kin_truth numbers_within(const struct kin_term *term, const struct kin_value *a,
                                     const struct kin_value *b)
{
    double x, y;
    if (!kin_value_number(a, &x) || !kin_value_number(b, &y))
        return KIN_UNKNOWN;
    double larger = fmax(fabs(x), fabs(y));
    double most = term->unit == KIN_UNIT_PERCENT ? term->limit * larger : term->limit;
    /* what reading two decimals can be off by, so that 20.03 is within 0.01 of 20.02 */
    double slack = 2 * DBL_EPSILON * larger;
    return truth_of(fabs(x - y) <= most + slack);
}

enum kin_truth kin_term_within(const struct kin_term *term, const struct kin_value *a,
                               const struct kin_value *b)
{
    switch (kin_unit_specs[term->unit].type) {
    case KIN_TYPE_DATE: {
        int32_t x, y;
        if (!kin_value_days(a, &x) || !kin_value_days(b, &y))
            return KIN_UNKNOWN;
        return truth_of(fabs((double)x - (double)y) <= term->limit);
    }
    case KIN_TYPE_GEO: {
        struct kin_place x, y;
        if (!kin_value_place(a, &x) || !kin_value_place(b, &y))
            return KIN_UNKNOWN;
        double km = kin_geo_km(x.latitude, x.longitude, y.latitude, y.longitude);
        return truth_of(km <= term->limit);
    }
    case KIN_TYPE_NAME:
    case KIN_TYPE_TEXT:
    case KIN_TYPE_EMAIL:
    case KIN_TYPE_PHONE:
    case KIN_TYPE_POSTCODE:
    case KIN_TYPE_ID:
    case KIN_TYPE_NUMBER:
    case KIN_TYPE_ADDRESS:
    case KIN_TYPE_COUNT:
        break;
    }
    return numbers_within(term, a, b);
}

/* KIN_UNKNOWN: one of the two cannot be compared this way and counts as no value. */
static enum kin_truth test_values(const struct kin_term *term, const struct kin_value *a,
                                  const struct kin_value *b, struct kin_kernel_scratch *s)
{
    struct kin_pair pair = {kin_value_str(a), kin_value_str(b), a->ascii && b->ascii};
    switch (term->fn) {
    case KIN_TERM_EXACT:
    case KIN_TERM_EXACT_MANY:
    case KIN_TERM_SWAPPED:
    case KIN_TERM_DIFFERS: /* turned round by kin_term_eval */
        return truth_of(values_equal(a, b));
    case KIN_TERM_LEVENSHTEIN:
        return truth_of(kin_levenshtein(s, pair, term->n) <= term->n);
    case KIN_TERM_DAMERAU:
        return truth_of(kin_osa(s, pair, term->n) <= term->n);
    case KIN_TERM_JARO:
        return truth_of(kin_jaro(s, pair) >= term->limit);
    case KIN_TERM_JARO_WINKLER:
        return truth_of(kin_jaro_winkler(s, pair) >= term->limit);
    case KIN_TERM_COSINE:
        return truth_of(kin_cosine(s, pair, term->n) >= term->limit);
    case KIN_TERM_JACCARD:
        return truth_of(kin_jaccard(s, pair, term->n) >= term->limit);
    case KIN_TERM_LCS:
        return truth_of(lcs_ratio(s, pair) >= term->limit);
    case KIN_TERM_SOUNDEX:
        return same_soundex(a, b);
    case KIN_TERM_METAPHONE:
        return same_metaphone(a, b);
    case KIN_TERM_WITHIN:
        return kin_term_within(term, a, b);
    case KIN_TERM_PREFIX:
        return truth_of(same_prefix(a, b, term->n));
    case KIN_TERM_SUFFIX:
        return truth_of(same_suffix(a, b, term->n));
    case KIN_TERM_SAME_YEAR:
        return same_year(a, b);
    case KIN_TERM_EMPTY:
    case KIN_TERM_COUNT:
        break;
    }
    return KIN_UNKNOWN;
}

/* ---- all values ---- */

/* Best of all pairs of values of field_a of a and field_b of b. Values that cannot be compared are
 * left out; unknown if nothing is left. */
static enum kin_truth test_fields(const struct kin_term *term, const uint8_t *a, unsigned field_a,
                                  const uint8_t *b, unsigned field_b, struct kin_kernel_scratch *s)
{
    const uint8_t *at_a = NULL, *first_b = NULL;
    unsigned count_a = kin_features_values(a, field_a, &at_a);
    unsigned count_b = kin_features_values(b, field_b, &first_b);
    enum kin_truth best = KIN_UNKNOWN;
    for (unsigned i = 0; i < count_a; i++) {
        struct kin_value x = kin_features_next(&at_a);
        const uint8_t *at_b = first_b;
        for (unsigned j = 0; j < count_b; j++) {
            struct kin_value y = kin_features_next(&at_b);
            enum kin_truth truth = test_values(term, &x, &y, s);
            if (truth == KIN_TRUE)
                return KIN_TRUE;
            if (truth == KIN_FALSE)
                best = KIN_FALSE;
        }
    }
    return best;
}

static bool is_null(const uint8_t *rec, unsigned field)
{
    const uint8_t *at;
    return kin_features_values(rec, field, &at) == 0;
}

static enum kin_truth exact_many(const struct kin_term *term, const uint8_t *a, const uint8_t *b,
                                 struct kin_kernel_scratch *s)
{
    enum kin_truth best = KIN_UNKNOWN;
    for (unsigned i = 0; i < term->field_count; i++) {
        for (unsigned j = 0; j < term->field_count; j++) {
            enum kin_truth truth = test_fields(term, a, term->fields[i], b, term->fields[j], s);
            if (truth == KIN_TRUE)
                return KIN_TRUE;
            if (truth == KIN_FALSE)
                best = KIN_FALSE;
        }
    }
    return best;
}

static enum kin_truth lesser(enum kin_truth a, enum kin_truth b)
{
    return a < b ? a : b;
}

static enum kin_truth negated(enum kin_truth truth)
{
    return (enum kin_truth)(KIN_TRUE - truth);
}

enum kin_truth kin_term_eval(const struct kin_term *term, const uint8_t *a, const uint8_t *b,
                             struct kin_kernel_scratch *s)
{
    unsigned field = term->field;
    if (term->fn == KIN_TERM_EMPTY)
        return truth_of(is_null(a, field) || is_null(b, field));
    if (term->fn == KIN_TERM_EXACT_MANY)
        return exact_many(term, a, b, s);
    if (term->fn == KIN_TERM_SWAPPED) {
        unsigned other = term->fields[1];
        return lesser(test_fields(term, a, field, b, other, s),
                      test_fields(term, a, other, b, field, s));
    }
    if (term->empty_is_value && (is_null(a, field) || is_null(b, field)))
        return truth_of(is_null(a, field) && is_null(b, field));
    enum kin_truth truth = test_fields(term, a, field, b, field, s);
    return term->fn == KIN_TERM_DIFFERS ? negated(truth) : truth;
}

enum kin_truth kin_condition_eval(const struct kin_condition *condition, const uint8_t *a,
                                  const uint8_t *b, struct kin_kernel_scratch *s)
{
    if (condition->kind == KIN_NODE_TERM)
        return kin_term_eval(&condition->term, a, b, s);
    if (condition->kind == KIN_NODE_NOT)
        return negated(kin_condition_eval(condition->child, a, b, s));
    bool all = condition->kind == KIN_NODE_AND;
    enum kin_truth truth = all ? KIN_TRUE : KIN_FALSE;
    for (const struct kin_condition *child = condition->child; child; child = child->next) {
        enum kin_truth t = kin_condition_eval(child, a, b, s);
        if (all ? t < truth : t > truth)
            truth = t;
    }
    return truth;
}
