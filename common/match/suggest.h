#ifndef KIN_MATCH_SUGGEST_H
#define KIN_MATCH_SUGGEST_H
/* "Did you mean ...?": the nearest of some known names. Pure; any thread; no allocation. */
#include "common/base/mem.h"

struct kin_suggestion {
    const char *name;  /* nearest so far, or NULL; {0} to start with */
    unsigned distance; /* of it */
};

/* Keeps `known` if it is near to what was written (distance, letters' case aside, at most 1, or a
 * third of its length from 6 on; a swap of neighbours counts one) and nearer than what is kept. */
void kin_suggest(struct kin_suggestion *best, struct kin_str written, const char *known);

#endif
