#ifndef KIN_MATCH_COMPARE_IMPL_H
#define KIN_MATCH_COMPARE_IMPL_H
/* Levels as parsed, and as compiled for comparing; for the files common/match/compare_*.c only. */
#include "common/match/compare.h"
#include "common/match/condition_impl.h"

/* ---- as parsed ---- */

enum kin_level_fn {
    KIN_LEVEL_EXACT,
    KIN_LEVEL_JARO_WINKLER,
    KIN_LEVEL_JARO,
    KIN_LEVEL_LCS,
    KIN_LEVEL_LEVENSHTEIN,
    KIN_LEVEL_DAMERAU,
    KIN_LEVEL_JACCARD,
    KIN_LEVEL_COSINE,
    KIN_LEVEL_TFIDF,
    KIN_LEVEL_SOFT_TFIDF,
    KIN_LEVEL_SOUNDEX,
    KIN_LEVEL_METAPHONE,
    KIN_LEVEL_PREFIX,
    KIN_LEVEL_SUFFIX,
    KIN_LEVEL_CONTAINS,
    KIN_LEVEL_INITIAL,
    KIN_LEVEL_USERNAME,
    KIN_LEVEL_DOMAIN,
    KIN_LEVEL_WITHIN,
    KIN_LEVEL_DATE_PARTS,
    KIN_LEVEL_DAY_MONTH_SWAPPED,
    KIN_LEVEL_FNS
};

/* What follows the word. */
enum kin_level_args {
    KIN_LEVEL_NOTHING,
    KIN_LEVEL_SIMILARITY, /* 0 < X <= 1 */
    KIN_LEVEL_SET,        /* the same [of N-grams] */
    KIN_LEVEL_DISTANCE,   /* 1..KIN_LEVEL_DISTANCE_MAX, and so is a length */
    KIN_LEVEL_LENGTH,
    KIN_LEVEL_AMOUNT,
    KIN_LEVEL_PARTS
};

struct kin_level_spec {
    const char *name; /* of two words for what `same` begins */
    enum kin_level_args args;
    unsigned types; /* bit mask of enum kin_type */
    unsigned cost;  /* of one evaluation on unequal values, in ns or so */
};
extern const struct kin_level_spec kin_level_specs[KIN_LEVEL_FNS];

enum kin_reading { KIN_READ_EACH, KIN_READ_SWAPPED, KIN_READ_ANY, KIN_READINGS };
extern const char *const kin_reading_words[KIN_READINGS]; /* "" for the plain one */

enum { KIN_DATE_YEAR = 1, KIN_DATE_MONTH = 2, KIN_DATE_DAY = 4, KIN_DATE_ALL = 7 };
extern const char *const kin_date_part_words[3]; /* bit i */

enum kin_level_unit {
    KIN_LEVEL_NUMBER,
    KIN_LEVEL_PERCENT,
    KIN_LEVEL_DAY,
    KIN_LEVEL_WEEK,
    KIN_LEVEL_MONTH,
    KIN_LEVEL_YEAR,
    KIN_LEVEL_KM,
    KIN_LEVEL_M,
    KIN_LEVEL_UNITS
};
struct kin_level_unit_spec {
    const char *one, *many; /* as written; "" for none */
    enum kin_type type;     /* of the field */
    double max;             /* of the amount, inclusive */
};
extern const struct kin_level_unit_spec kin_level_unit_specs[KIN_LEVEL_UNITS];

struct kin_level {
    enum kin_level_fn fn;
    enum kin_reading reading;
    enum kin_level_unit unit;
    uint16_t n;                /* distance, length, q (0: words), parts */
    struct kin_decimal amount; /* as written */
    double limit;              /* similarity; number, share (not per cent), days or kilometres */
};

/* ---- as compiled ---- */

/* One test of a reading. Tests that ask the same measure share its slot, so that a similarity is
 * computed once for a pair of values, as far as the weakest of them needs it. */
struct kin_step {
    uint8_t fn;
    uint8_t level;
    uint8_t slot;
    bool percent;
    uint16_t n;
    double limit;
};

/* How much words weigh, by their hash: open addressing, more than half free; weight 0: free. */
struct kin_token_weights {
    struct kin_token_weight {
        uint64_t hash;
        uint32_t weight;
    } * slots; /* NULL: none is known */
    uint64_t mask;
    uint32_t unknown; /* of others; 0: there are no counts */
};

struct kin_chain {
    unsigned count;   /* of steps, strongest first; equality is none of them */
    bool one_measure; /* all steps have slot 0 */
    unsigned equal;   /* level of equal values; 0: the comparison has no such reading */
    struct kin_step steps[KIN_LEVELS_MAX];
    double cut[KIN_LEVELS_MAX]; /* [slot]: least similarity, or greatest distance, of any step */
    const struct kin_token_weights *tokens; /* the plan's */
};

enum kin_compare_kind { KIN_COMPARE_TEXT, KIN_COMPARE_DATE, KIN_COMPARE_NUMBER, KIN_COMPARE_PLACE };

struct kin_plan {
    const char *name;
    enum kin_compare_kind kind;
    bool term_frequency;
    bool any_only; /* no other reading: values are counted one by one */
    unsigned cost; /* of unequal values, in ns or so */
    unsigned else_level;
    unsigned field_count;
    uint16_t fields[KIN_COMPARISON_FIELDS_MAX];
    enum kin_type types[KIN_COMPARISON_FIELDS_MAX];
    struct kin_chain chains[KIN_READINGS];
    struct kin_token_weights tokens;
    const char *texts[KIN_LEVELS_MAX + 1]; /* [1..else_level] */
};

struct kin_comparer {
    unsigned count;
    struct kin_plan plans[KIN_COMPARISONS_MAX];
    struct kin_arena arena; /* of the texts */
};

enum { KIN_WORD_SLOTS = 4 * KIN_TOKENS_MAX, KIN_SOFT_WORDS_MAX = 32 };
struct kin_comparer_scratch {
    struct kin_kernel_scratch *kernels;
    uint32_t stamp; /* of the call that uses words */
    struct kin_word_slot {
        uint64_t hash;
        uint32_t stamp; /* the slot is in use if this is the scratch's */
        uint32_t weight;
        bool met, only_b;
    } words[KIN_WORD_SLOTS];
};

/* Level of two values by the steps below `below` (exclusive); `below` if none holds. */
unsigned kin_chain_level(const struct kin_chain *chain, enum kin_compare_kind kind,
                         struct kin_comparer_scratch *s, const struct kin_value *a,
                         const struct kin_value *b, unsigned below);

/* The same for the single values of the one field of a comparison, at a and b. */
static inline unsigned kin_plan_level(const struct kin_plan *plan, struct kin_comparer_scratch *s,
                                      const uint8_t *a, const uint8_t *b)
{
    const struct kin_chain *chain = &plan->chains[KIN_READ_EACH];
    if (kin_le64(a) == kin_le64(b))
        return chain->equal;
    if (!chain->count)
        return plan->else_level;
    struct kin_value x = kin_features_next(&a), y = kin_features_next(&b);
    return kin_chain_level(chain, plan->kind, s, &x, &y, plan->else_level);
}

/* The scratch's table of words by hash: empties it, and finds a word's slot, or the free one where
 * it belongs (its stamp is another). */
void kin_words_begin(struct kin_comparer_scratch *s);
static inline struct kin_word_slot *kin_words_slot(struct kin_comparer_scratch *s, uint64_t hash)
{
    size_t at = hash & (KIN_WORD_SLOTS - 1);
    while (s->words[at].stamp == s->stamp && s->words[at].hash != hash)
        at = (at + 1) & (KIN_WORD_SLOTS - 1);
    return &s->words[at];
}

/* Similarities by the weights of words, or of q-grams (compare_tokens.c). */
double kin_texts_tfidf(const struct kin_token_weights *weights, struct kin_comparer_scratch *s,
                       struct kin_str a, struct kin_str b, unsigned q);
double kin_texts_soft_tfidf(const struct kin_token_weights *weights, struct kin_comparer_scratch *s,
                            struct kin_str a, struct kin_str b);

/* Tests of two texts that are no kernels (compare_words.c). */
bool kin_texts_contain(struct kin_comparer_scratch *s, struct kin_str a, struct kin_str b);
bool kin_texts_initial(struct kin_str a, struct kin_str b);
bool kin_texts_same_username(struct kin_str a, struct kin_str b);
bool kin_texts_same_domain(struct kin_str a, struct kin_str b);

/* A day as people write it. */
struct kin_civil {
    int32_t year;
    uint8_t month, day;
};
struct kin_civil kin_civil_of_days(int32_t days);
/* YYYY-MM-DD (years past four digits, or below zero, longer); returns the length. */
enum { KIN_CIVIL_TEXT_MAX = 20 };
size_t kin_civil_text(struct kin_civil date, char out[KIN_CIVIL_TEXT_MAX]);

#endif
