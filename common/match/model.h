#ifndef KIN_MATCH_MODEL_H
#define KIN_MATCH_MODEL_H
/* The probabilistic model (Fellegi and Sunter 1969) and its file. docs/model.md explains it.
 *
 * A comparison looks at one thing of a pair of records and gives a level: 1 is the strongest
 * agreement, L (always called "else") everything other, 0 means that a side has no value. The
 * levels of a pair are its agreement pattern. m is the probability of a level among matches, u
 * among pairs that do not match; log2(m/u) is the level's weight in bits, and
 *
 *   weight of a pair = weight of the prior + sum of damping * log2(m/u) + term frequency
 *
 * is the log2 odds that the pair matches. Weights are integers in fixed point, rounded once, so
 * that sums do not depend on their order, nor results on the machine. Pure; any thread. */
#include "common/base/mem.h"

enum {
    KIN_COMPARISONS_MAX = 15,
    KIN_LEVELS_MAX = 14,
    KIN_PATTERN_BITS = 4,        /* per comparison */
    KIN_WEIGHT_ONE = 65536,      /* one bit of log2 */
    KIN_WEIGHT_LEVEL_MAX = 64,   /* bits: no weight of a level or a term frequency goes past */
    KIN_MODEL_NAME_MAX = 512,    /* bytes of the name of a comparison, of a level's text */
    KIN_MODEL_TEXT_MAX = 4096,   /* bytes of a doubt */
    KIN_MODEL_DOUBTS_MAX = 1000, /* of a model */
    KIN_MODEL_PASSES_MAX = 32,
    KIN_MODEL_FILE_MAX = 4 << 20,    /* bytes */
    KIN_MODEL_MATCHED_MAX = 1000000, /* of tf_matched */
    KIN_MODEL_FORMAT = 1
};
/* The file keeps probabilities to six digits; these bounds it keeps exactly. */
#define KIN_MODEL_PROBABILITY_MIN 1e-15

/* ---- agreement patterns: comparison i in bits 4i ---- */

static inline unsigned kin_pattern_level(uint64_t pattern, unsigned comparison)
{
    return (unsigned)(pattern >> (KIN_PATTERN_BITS * comparison)) & 15u;
}
static inline uint64_t kin_pattern_with(uint64_t pattern, unsigned comparison, unsigned level)
{
    unsigned shift = KIN_PATTERN_BITS * comparison;
    return (pattern & ~(UINT64_C(15) << shift)) | (uint64_t)level << shift;
}

/* ---- the model ---- */

struct kin_model_comparison {
    const char *name;
    unsigned level_count;                       /* 2..KIN_LEVELS_MAX */
    const char *level_text[KIN_LEVELS_MAX + 1]; /* [1..level_count]; the last is "else" */
    bool term_frequency;
};

struct kin_model_spec {
    unsigned count; /* 1..KIN_COMPARISONS_MAX */
    struct kin_model_comparison comparisons[KIN_COMPARISONS_MAX];
};
/* KIN_E_INVAL with a message: counts, empty, repeated or too long names, texts that are not UTF-8,
 * a last level that is not "else". */
kin_status kin_model_spec_check(const struct kin_model_spec *spec,
                                struct kin_err *err) KIN_MUST_CHECK;
bool kin_model_spec_equal(const struct kin_model_spec *a, const struct kin_model_spec *b);
bool kin_pattern_fits(const struct kin_model_spec *spec, uint64_t pattern);

/* Something the training could not be sure of. The id is stable, the text is for people. */
struct kin_model_doubt {
    const char *id;
    const char *text;
};

struct kin_model_pass {
    const char *name;
    uint64_t pairs;
    uint64_t matches; /* expected, rounded */
    double recall;    /* share of all matches that this pass finds; negative: not known */
};

/* Where a model comes from; for people, and for the check that it fits. */
struct kin_model_origin {
    uint64_t workflow; /* hash; 0: not known */
    uint64_t records;
    uint64_t possible_pairs;
    uint64_t random_pairs;
    uint64_t labelled_matches, labelled_others;
    uint64_t found;   /* expected matches among the pairs of all passes, rounded */
    uint64_t matches; /* estimated in all; 0: not known */
    uint64_t matches_low, matches_high; /* 95 % interval of that */
    struct kin_model_pass passes[KIN_MODEL_PASSES_MAX];
    unsigned pass_count;
};

/* Levels are indexed 1..level_count; [0] is unused. */
struct kin_model {
    struct kin_model_spec spec;
    double prior; /* probability that two records of the workflow, taken at random, match */
    double m[KIN_COMPARISONS_MAX][KIN_LEVELS_MAX + 1];
    double u[KIN_COMPARISONS_MAX][KIN_LEVELS_MAX + 1];
    bool m_seen[KIN_COMPARISONS_MAX][KIN_LEVELS_MAX + 1]; /* observed, not only smoothed */
    bool u_seen[KIN_COMPARISONS_MAX][KIN_LEVELS_MAX + 1];
    /* 0..1: factors on the comparison's weights above zero (for a match) and below (against), where
     * it says in part what other comparisons say too */
    double damping[KIN_COMPARISONS_MAX];
    double damping_against[KIN_COMPARISONS_MAX];
    double tf_fuzzy[KIN_COMPARISONS_MAX]; /* 0..1: the share of the adjustment for each level
                                             below the first, once per step; "else" has none */
    /* 0 or more: of the records with its value that a record finds, how many are its matches, on
     * average; left out of term frequencies, as matches are left out of u. 0: nothing is. */
    double tf_matched[KIN_COMPARISONS_MAX];
    struct kin_model_origin origin;
    const struct kin_model_doubt *doubts;
    size_t doubt_count;
};

/* Rounds every number to the digits that the file keeps, so that a model and its file are equal.
 * The training and the reader have done it; who changes numbers by hand does it again. */
void kin_model_round(struct kin_model *model);

/* Writes the file's text. The model is checked as on reading. KIN_E_INVAL, KIN_E_NOMEM. */
kin_status kin_model_write(const struct kin_model *model, struct kin_buf *out,
                           struct kin_err *err) KIN_MUST_CHECK;
/* Reads and checks it; texts are in the arena. KIN_E_SYNTAX: not JSON; KIN_E_VERSION: another
 * format; KIN_E_INVAL: the message begins with the path inside the file; KIN_E_LIMIT, KIN_E_NOMEM.
 */
kin_status kin_model_read(const void *text, size_t n, struct kin_arena *arena,
                          struct kin_model *out, struct kin_err *err) KIN_MUST_CHECK;

/* ---- what deciding a pair needs ---- */

enum { KIN_LOG2_STEPS = 256 };
struct kin_model_tables {
    unsigned count;
    int32_t prior;
    int32_t weight[KIN_COMPARISONS_MAX][16];   /* by level; 0 for null and beyond the last */
    int32_t tf_share[KIN_COMPARISONS_MAX][16]; /* of the adjustment, in 2^-24; damping included */
    int64_t tf_log2_u[KIN_COMPARISONS_MAX];    /* log2 of u of the first level, in 2^-24 */
    uint64_t tf_matched[KIN_COMPARISONS_MAX];  /* records, in 2^-16 */
    uint64_t tf_u[KIN_COMPARISONS_MAX];        /* u of the first level, in 2^-46 */
    uint32_t log2_step[KIN_LOG2_STEPS + 1];    /* log2(1 + i / 256), in 2^-24 */
};
void kin_model_tables(const struct kin_model *model, struct kin_model_tables *out);

/* Weight of a pattern without term frequencies: at most a few hundred bits either way. */
static inline int32_t kin_model_weight(const struct kin_model_tables *t, uint64_t pattern)
{
    int32_t weight = t->prior;
    for (unsigned i = 0; i < t->count; i++)
        weight += t->weight[i][kin_pattern_level(pattern, i)];
    return weight;
}

/* What the value that two records agree on adds to the weight: damping * share of the level *
 * log2(u of the first level / f), f the probability that a record has this value when another one,
 * which is no match of it, has it: (count - 1 - tf_matched) / (total - 1), where count is how many
 * of the `total` records with a value here have this one. A count below 2 (the value was not
 * counted) is taken as 2. What is left of the count is at least half a record, or as many as u lets
 * expect if that is less: where matches explain that values are equal, a rare value weighs what u
 * says. Without tf_matched it is at least 1. Zero for levels without a share; within
 * +-KIN_WEIGHT_LEVEL_MAX bits. For a fuzzy level give the larger of the two values' counts. */
int32_t kin_model_tf_adjust(const struct kin_model_tables *t, unsigned comparison, unsigned level,
                            uint64_t count, uint64_t total);

/* Probability of a weight in fixed point, 0..1, and back, rounded; the same on every machine. The
 * probability is kept inside 2^-1000 .. 1 - 2^-53. A threshold is passed by weights >= it. */
double kin_weight_probability(int32_t weight);
/* The same in millionths, rounded half up: what is printed. */
uint32_t kin_weight_millionths(int32_t weight);
int32_t kin_probability_weight(double probability);

/* log2 odds in bits to fixed point, rounded, clamped to +-1000 bits. */
int32_t kin_weight_of_bits(double bits);

#endif
