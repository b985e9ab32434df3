#ifndef KIN_MATCH_TRAIN_H
#define KIN_MATCH_TRAIN_H
/* Training a model from counts of agreement patterns, with labels or without. docs/model.md
 * explains the method and every doubt.
 *
 * u comes from random pairs, m from expectation-maximisation on the pairs of each blocking pass,
 * the prior from how far the passes overlap. The result depends on the counts alone: not on their
 * order, nor on how they were split, nor on the machine. Pure; any thread; blocks for
 * milliseconds, for some seconds with a million distinct patterns. */
#include "common/match/model.h"

struct kin_pattern_count {
    uint64_t pattern;
    uint64_t count;
};

/* Counts may come in any order, and a pattern more than once. */
struct kin_pattern_counts {
    const struct kin_pattern_count *items;
    size_t n;
};

/* The pairs that one blocking key finds, whether or not another key finds them too. */
struct kin_train_pass {
    const char *name; /* as people know the key */
    uint32_t forced;  /* bit i: the key makes comparison i agree; nothing is learnt of it here */
    uint64_t pairs;   /* of the pass; counts may be of a sample of its blocks; 0: their sum */
    struct kin_pattern_counts counts;
};

/* Pairs found by exactly the passes of the set `passes` (bit p: pass p). */
struct kin_train_set {
    uint32_t passes;
    uint64_t pattern;
    uint64_t count;
};

/* All pairs of records that both have a value, and how many of them have the same: from value
 * frequencies, sum of f (f - 1) / 2. pairs 0: not known. */
struct kin_train_equal {
    uint64_t pairs;
    uint64_t equal;
};

struct kin_train_input {
    const struct kin_model_spec *spec; /* borrowed, its texts too */
    uint64_t workflow;                 /* hash, for the model's origin */
    uint64_t records;
    uint64_t possible_pairs; /* of all records; only those across sources where only they count */
    uint64_t most_matches;   /* that there can be, as sources are free of duplicates; 0: no bound */
    struct kin_pattern_counts random; /* all pairs of a random sample of records */
    struct kin_train_equal equal[KIN_COMPARISONS_MAX];
    const struct kin_train_pass *passes;
    unsigned pass_count;              /* at most KIN_MODEL_PASSES_MAX */
    const struct kin_train_set *sets; /* optional: overlap of the passes */
    size_t set_count;
    uint64_t set_pairs; /* of all sets; 0: sum of their counts */
    double threshold;   /* probability from which on a pair will count as a match; 0: 0.95 */
    /* Optional: labelled pairs. m comes from these then. */
    struct kin_pattern_counts matches;
    struct kin_pattern_counts others;
    bool all_matches_labelled; /* `matches` are all there are, so that the prior is known */
};

/* Parts that can be left out: for tests and experiments, to see what each is good for. */
enum kin_train_without {
    KIN_TRAIN_WITHOUT_U_CORRECTION = 1, /* matches among the random pairs stay in u */
    KIN_TRAIN_WITHOUT_RELATED = 2,      /* one class of matches, taken as such whatever it is */
    KIN_TRAIN_WITHOUT_MONOTONE = 4,
    KIN_TRAIN_WITHOUT_DAMPING = 8,
    KIN_TRAIN_WITHOUT_OVERLAP = 16, /* what the passes found counts as all there is */
    KIN_TRAIN_WITHOUT_SHARING = 32  /* passes do not learn from one another */
};

struct kin_train_pass_report {
    double pairs;     /* counted */
    double share;     /* of matches among them */
    double matches;   /* expected, in the whole pass */
    double recall;    /* share of all matches that this pass finds; negative: not known */
    unsigned starts;  /* solutions that were begun */
    unsigned steps;   /* of expectation-maximisation, in all */
    unsigned classes; /* of pairs: random, match, and the related ones */
    bool converged;
    bool learnt;    /* its matches took part in m */
    double related; /* share of pairs that are alike but were not taken for matches */
    double unsure;  /* share of pairs of which it could not be said */
    uint32_t related_agree, related_differ; /* comparisons in which most of the former do */
    /* What this pass alone says of m, and from how many expected matches; 0 where forced. */
    double m[KIN_COMPARISONS_MAX][KIN_LEVELS_MAX + 1];
    double evidence[KIN_COMPARISONS_MAX];
};

enum { KIN_TRAIN_CORRELATED_MAX = 32 };
struct kin_train_correlated {
    unsigned a, b;
    bool among_matches; /* or among other pairs */
    double strength;    /* 0..1: share of the possible dependence */
};

struct kin_train_report {
    unsigned rounds; /* u, m and prior, in turn */
    struct kin_train_pass_report passes[KIN_MODEL_PASSES_MAX];
    struct kin_train_correlated correlated[KIN_TRAIN_CORRELATED_MAX]; /* strongest first */
    unsigned correlated_count;
    double found;                              /* expected matches among all pairs of the passes */
    double matches, matches_low, matches_high; /* in all, and its 95 % interval; 0: not known */
    double recall;                             /* found / matches; negative: not known */
};

/* Texts and doubts of *out are in the arena. KIN_E_INVAL: a count's pattern does not fit the
 * comparisons, or the spec is none; KIN_E_LIMIT: too many passes, or counts beyond 2^62;
 * KIN_E_NOMEM. Anything else makes a model, if need be one with doubts. */
kin_status kin_train(const struct kin_train_input *input, unsigned without, struct kin_arena *arena,
                     struct kin_model *out, struct kin_train_report *report,
                     struct kin_err *err) KIN_MUST_CHECK;

/* How many records to take at random, so that all their pairs are about `pairs`. pairs 0: as many
 * as the number of records asks for: the fewer there are, the fewer pairs have to be kept apart,
 * and the less does it matter how rare a rare agreement is. */
size_t kin_train_sample(uint32_t pairs, uint64_t records);

/* The report as plain text, for people. */
void kin_train_print(const struct kin_model *model, const struct kin_train_report *report,
                     struct kin_buf *out);

#endif
