#ifndef KIN_MATCH_RECALL_H
#define KIN_MATCH_RECALL_H
/* How many matches there are, of which several lists (blocking keys, passes) each found some:
 * capture and recapture, from the set of lists that found each match. Sums run in the order in
 * which matches are added, with exact arithmetic only (exact_math.h): the same on every machine.
 * Pure; any thread. */
#include <stdint.h>

enum { KIN_RECALL_LISTS_MAX = 64 };

struct kin_captures {                  /* {0}: nothing was found */
    double all;                        /* matches found by any list */
    double by[KIN_RECALL_LISTS_MAX];   /* by this list */
    double only[KIN_RECALL_LISTS_MAX]; /* by this list alone */
    double two;                        /* by exactly two */
};

/* Adds matches (expected ones: any number >= 0) that exactly the lists of the set found; an empty
 * set adds nothing. */
void kin_captures_add(struct kin_captures *c, uint64_t lists, double matches);

/* Chao's lower bound of what all of the first `lists` lists missed, for lists of different reach:
 * as if they were independent,
 *   missed = sum over pairs of lists (only i * only j) / (found by two + one),
 * which for two lists is Lincoln's and Petersen's estimate. Where errors come together there are
 * more. one: 1 against bias in counts, 0 for probabilities. (Chao 1987, 1989.) */
double kin_captures_missed(const struct kin_captures *c, unsigned lists, double one);

/* Matches in all, and a 95 % interval that is log-normal around what is missed. off: by how much
 * the bound is known to be too high (above 1) or too low; 1: not at all. */
struct kin_recall_estimate {
    double matches, low, high; /* at least what was found */
};
struct kin_recall_estimate kin_captures_estimate(const struct kin_captures *c, unsigned lists,
                                                 double off);

#endif
