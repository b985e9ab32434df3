#ifndef KIN_MATCH_CONDITION_IMPL_H
#define KIN_MATCH_CONDITION_IMPL_H
/* The parsed form of a condition, for the files of the rule language only. Immutable once parsed;
 * all of it lies in the arena given to the parser. */
#include "common/match/rule.h"

enum kin_term_fn {
    KIN_TERM_EXACT,
    KIN_TERM_EXACT_MANY,
    KIN_TERM_DIFFERS,
    KIN_TERM_LEVENSHTEIN,
    KIN_TERM_DAMERAU,
    KIN_TERM_JARO,
    KIN_TERM_JARO_WINKLER,
    KIN_TERM_COSINE,
    KIN_TERM_JACCARD,
    KIN_TERM_LCS,
    KIN_TERM_SOUNDEX,
    KIN_TERM_METAPHONE,
    KIN_TERM_WITHIN,
    KIN_TERM_PREFIX,
    KIN_TERM_SUFFIX,
    KIN_TERM_SAME_YEAR,
    KIN_TERM_SWAPPED,
    KIN_TERM_EMPTY,
    KIN_TERM_COUNT
};

enum kin_unit {
    KIN_UNIT_NONE,
    KIN_UNIT_PERCENT,
    KIN_UNIT_DAY,
    KIN_UNIT_WEEK,
    KIN_UNIT_YEAR,
    KIN_UNIT_KM,
    KIN_UNIT_M,
    KIN_UNIT_COUNT
};

/* What may stand between the parentheses of a term. */
enum kin_term_args {
    KIN_ARGS_FIELD,
    KIN_ARGS_EXACT,      /* field [, EmptyValues=...] */
    KIN_ARGS_FIELDS,     /* two fields or more */
    KIN_ARGS_TWO_FIELDS, /* exactly two */
    KIN_ARGS_DISTANCE,   /* field, 0..KIN_RULE_DISTANCE_MAX */
    KIN_ARGS_LENGTH,     /* field, 1..KIN_RULE_DISTANCE_MAX */
    KIN_ARGS_SIMILARITY, /* field, threshold */
    KIN_ARGS_SET,        /* field, threshold [, q] */
    KIN_ARGS_WITHIN      /* field, amount [unit] */
};

struct kin_term_spec {
    const char *name;
    enum kin_term_args args;
    unsigned types; /* bit mask of enum kin_type */
    unsigned cost;  /* of one evaluation, about 2 ns each */
};
extern const struct kin_term_spec kin_term_specs[KIN_TERM_COUNT];

#define KIN_TYPE_BIT(type) (1u << (type))
enum {
    KIN_TYPES_ALL = (1u << KIN_TYPE_COUNT) - 1,
    KIN_TYPES_MEASURED =
        KIN_TYPE_BIT(KIN_TYPE_DATE) | KIN_TYPE_BIT(KIN_TYPE_NUMBER) | KIN_TYPE_BIT(KIN_TYPE_GEO),
    KIN_TYPES_TEXT = KIN_TYPES_ALL & ~KIN_TYPES_MEASURED,
    KIN_TYPES_SPOKEN = KIN_TYPES_TEXT & ~KIN_TYPE_BIT(KIN_TYPE_PHONE) /* may have letters */
};

struct kin_unit_spec {
    const char *one, *many; /* as written; NULL: no unit */
    enum kin_type type;     /* of the field */
    double max;             /* of the amount, inclusive */
};
extern const struct kin_unit_spec kin_unit_specs[KIN_UNIT_COUNT];

/* A decimal as written, without trailing zeros: digits / 10^scale. At most 15 digits and scale 15,
 * so that both are exact doubles and their quotient is the correctly rounded value. */
struct kin_decimal {
    uint64_t digits;
    unsigned scale;
};

struct kin_term {
    enum kin_term_fn fn;
    enum kin_unit unit;
    uint16_t field; /* the first, or only, field */
    uint16_t n;     /* distance, length, q-gram size (0: tokens) */
    bool empty_is_value;
    unsigned field_count;
    const uint16_t *fields;    /* where there are several, else NULL */
    struct kin_decimal amount; /* threshold or amount as written */
    double limit;              /* threshold; number, share (not per cent), days, or kilometres */
};

enum kin_node { KIN_NODE_TERM, KIN_NODE_NOT, KIN_NODE_AND, KIN_NODE_OR };

/* AND and OR have two children or more, none of their own kind (parentheses that change nothing are
 * not kept); NOT has one. */
struct kin_condition {
    enum kin_node kind;
    struct kin_term term;
    struct kin_condition *child; /* first */
    struct kin_condition *next;  /* sibling */
};

bool kin_term_equal(const struct kin_term *a, const struct kin_term *b);
uint64_t kin_term_hash(const struct kin_term *term); /* equal terms, equal hashes */
void kin_term_print(const struct kin_schema *schema, const struct kin_term *term,
                    struct kin_buf *out);
/* The name, in double quotes where the grammar needs them. */
void kin_field_print(const struct kin_schema *schema, unsigned field, struct kin_buf *out);

/* One term on one pair, the plain way. */
enum kin_truth kin_term_eval(const struct kin_term *term, const uint8_t *a, const uint8_t *b,
                             struct kin_kernel_scratch *s);

/* Whether two dates, numbers or places are within the term's limit; unknown: a damaged payload. */
enum kin_truth kin_term_within(const struct kin_term *term, const struct kin_value *a,
                               const struct kin_value *b);

#endif
