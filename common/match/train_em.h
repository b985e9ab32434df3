#ifndef KIN_MATCH_TRAIN_EM_H
#define KIN_MATCH_TRAIN_EM_H
/* Expectation-maximisation for a mixture of classes of pairs (Dempster, Laird and Rubin 1977; for
 * record linkage Winkler 1988), on counts of agreement patterns. In each class the comparisons are
 * independent; a null says nothing. Sums run in the order of the patterns given, so that the same
 * input gives the same bits everywhere. Pure; any thread; allocates nothing. */
#include "common/match/model.h"

enum { KIN_EM_CLASSES = 4, KIN_EM_LEVELS = 16 };

struct kin_em_data {
    unsigned comparisons;
    uint32_t active;          /* bit i: comparison i takes part */
    uint32_t learnt;          /* of these: learnt in all classes, fixed ones too */
    const uint64_t *patterns; /* null where a comparison takes no part */
    const double *counts;
    size_t count;
    double total; /* of the counts */
};

/* share: of the pairs, adds up to 1; 0: the class is not in use. p: of a level in a class; [0], a
 * null, is 1. */
struct kin_em_params {
    double share[KIN_EM_CLASSES];
    double p[KIN_COMPARISONS_MAX][KIN_EM_LEVELS][KIN_EM_CLASSES];
};

/* Expected numbers of pairs, under the parameters they were computed with; [0] of the levels counts
 * nulls. */
struct kin_em_expected {
    double pairs[KIN_EM_CLASSES];
    double n[KIN_COMPARISONS_MAX][KIN_EM_LEVELS][KIN_EM_CLASSES];
};

void kin_em_expect(const struct kin_em_data *data, const struct kin_em_params *params,
                   struct kin_em_expected *out);
double kin_em_log2_likelihood(const struct kin_em_data *data, const struct kin_em_params *params);

/* What is believed beside the data. n: pairs that are added to the expected ones. agree: of a
 * class, the share believed to agree in a comparison, that is, to be in a level before `last`; it
 * is mixed with what the data say, weight : 1, and leaves the proportions among those levels to
 * them; below 0: nothing is believed of that comparison. */
struct kin_em_pseudo {
    double n[KIN_COMPARISONS_MAX][KIN_EM_LEVELS][KIN_EM_CLASSES];
    double weight[KIN_EM_CLASSES];
    double agree[KIN_COMPARISONS_MAX][KIN_EM_CLASSES];
    unsigned last[KIN_COMPARISONS_MAX];
};

/* The parameters that follow. pseudo may be NULL. fixed: bit c: the probabilities of class c stay,
 * but for the learnt ones; only its share changes. */
void kin_em_maximise(const struct kin_em_data *data, const struct kin_em_expected *expected,
                     const struct kin_em_pseudo *pseudo, unsigned fixed,
                     struct kin_em_params *params);

/* Steps until no parameter moves by more than `tolerance` or `max_steps` are done; *expected fits
 * the parameters as they are on return. Returns the number of steps; more than max_steps: it did
 * not converge. */
unsigned kin_em_run(const struct kin_em_data *data, const struct kin_em_pseudo *pseudo,
                    unsigned fixed, double tolerance, unsigned max_steps,
                    struct kin_em_params *params, struct kin_em_expected *expected);

/* Joint probabilities (share times probability of the levels) of a pattern, by class; returns their
 * sum, above 0. Here levels of comparisons that take no part do not matter. */
double kin_em_joint(const struct kin_em_params *params, uint32_t active, unsigned comparisons,
                    uint64_t pattern, double joint[KIN_EM_CLASSES]);

#endif
