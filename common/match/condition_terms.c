#include "common/base/hash.h"
#include "common/match/condition_impl.h"

#include <string.h>

const struct kin_term_spec kin_term_specs[KIN_TERM_COUNT] = {
    [KIN_TERM_EXACT] = {"Exact", KIN_ARGS_EXACT, KIN_TYPES_ALL, 1},
    [KIN_TERM_EXACT_MANY] = {"ExactManyToMany", KIN_ARGS_FIELDS, KIN_TYPES_ALL, 2},
    [KIN_TERM_DIFFERS] = {"Differs", KIN_ARGS_FIELD, KIN_TYPES_ALL, 1},
    [KIN_TERM_LEVENSHTEIN] = {"Levenshtein", KIN_ARGS_DISTANCE, KIN_TYPES_TEXT, 20},
    [KIN_TERM_DAMERAU] = {"Damerau", KIN_ARGS_DISTANCE, KIN_TYPES_TEXT, 22},
    [KIN_TERM_JARO] = {"Jaro", KIN_ARGS_SIMILARITY, KIN_TYPES_TEXT, 30},
    [KIN_TERM_JARO_WINKLER] = {"JaroWinkler", KIN_ARGS_SIMILARITY, KIN_TYPES_TEXT, 20},
    [KIN_TERM_COSINE] = {"Cosine", KIN_ARGS_SET, KIN_TYPES_TEXT, 100},
    [KIN_TERM_JACCARD] = {"Jaccard", KIN_ARGS_SET, KIN_TYPES_TEXT, 100},
    [KIN_TERM_LCS] = {"LCS", KIN_ARGS_SIMILARITY, KIN_TYPES_TEXT, 25},
    [KIN_TERM_SOUNDEX] = {"Soundex", KIN_ARGS_FIELD, KIN_TYPES_SPOKEN, 10},
    [KIN_TERM_METAPHONE] = {"Metaphone", KIN_ARGS_FIELD, KIN_TYPES_SPOKEN, 60},
    [KIN_TERM_WITHIN] = {"Within", KIN_ARGS_WITHIN, KIN_TYPES_MEASURED, 2},
    [KIN_TERM_PREFIX] = {"Prefix", KIN_ARGS_LENGTH, KIN_TYPES_TEXT, 2},
    [KIN_TERM_SUFFIX] = {"Suffix", KIN_ARGS_LENGTH, KIN_TYPES_TEXT, 2},
    [KIN_TERM_SAME_YEAR] = {"SameYear", KIN_ARGS_FIELD, KIN_TYPE_BIT(KIN_TYPE_DATE), 1},
    [KIN_TERM_SWAPPED] = {"Swapped", KIN_ARGS_TWO_FIELDS, KIN_TYPES_ALL, 2},
    [KIN_TERM_EMPTY] = {"Empty", KIN_ARGS_FIELD, KIN_TYPES_ALL, 1},
};

const struct kin_unit_spec kin_unit_specs[KIN_UNIT_COUNT] = {
    [KIN_UNIT_NONE] = {NULL, NULL, KIN_TYPE_NUMBER, 1e15},
    [KIN_UNIT_PERCENT] = {"%", "%", KIN_TYPE_NUMBER, 100},
    /* ten thousand years in each: what a four-digit year can differ by */
    [KIN_UNIT_DAY] = {"day", "days", KIN_TYPE_DATE, 3652500},
    [KIN_UNIT_WEEK] = {"week", "weeks", KIN_TYPE_DATE, 521785},
    [KIN_UNIT_YEAR] = {"year", "years", KIN_TYPE_DATE, 10000},
    /* just over half of the earth's circumference */
    [KIN_UNIT_KM] = {"km", "km", KIN_TYPE_GEO, 20100},
    [KIN_UNIT_M] = {"m", "m", KIN_TYPE_GEO, 20100000},
};

bool kin_term_equal(const struct kin_term *a, const struct kin_term *b)
{
    if (a->fn != b->fn || a->unit != b->unit || a->field != b->field || a->n != b->n ||
        a->empty_is_value != b->empty_is_value || a->field_count != b->field_count ||
        a->amount.digits != b->amount.digits || a->amount.scale != b->amount.scale)
        return false;
    return !a->fields || memcmp(a->fields, b->fields, a->field_count * sizeof *a->fields) == 0;
}

uint64_t kin_term_hash(const struct kin_term *term)
{
    uint64_t h = kin_hash_mix((uint64_t)term->fn, (uint64_t)term->unit);
    h = kin_hash_mix(h, (uint64_t)term->field << 32 | (uint64_t)term->n << 8 |
                            (uint64_t)term->empty_is_value);
    h = kin_hash_mix(h, term->amount.digits << 5 | term->amount.scale);
    if (term->fields)
        h = kin_hash_mix(h, kin_hash64(term->fields, term->field_count * sizeof *term->fields, 0));
    return h;
}
