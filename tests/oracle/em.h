#ifndef KIN_TESTS_ORACLE_EM_H
#define KIN_TESTS_ORACLE_EM_H
/* Expectation-maximisation from its definition, pair list by pair list, for comparison with the
 * product's. It shares nothing with it but the form of patterns and counts. */
#include "common/match/train.h"

enum { EM_CLASSES_MAX = 4 };

struct em_model {
    int comparisons;
    int levels[KIN_COMPARISONS_MAX];
    int classes;
    double share[EM_CLASSES_MAX];
    double p[EM_CLASSES_MAX][KIN_COMPARISONS_MAX][KIN_LEVELS_MAX + 1];
    bool fixed[EM_CLASSES_MAX]; /* p stays as it is ... */
    uint32_t learnt;            /* ... but for these comparisons */
    uint32_t left_out;          /* comparisons that take no part */
};

/* Probability that a pair with this pattern is of class c. */
double em_responsibility(const struct em_model *model, uint64_t pattern, int c);
/* One step, in place. Levels that no pair of a class has get probability 0. */
void em_step(struct em_model *model, const struct kin_pattern_count *counts, size_t n);
/* Natural logarithm. */
double em_log_likelihood(const struct em_model *model, const struct kin_pattern_count *counts,
                         size_t n);

#endif
