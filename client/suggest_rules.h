#ifndef KIN_CLIENT_SUGGEST_RULES_H
#define KIN_CLIENT_SUGGEST_RULES_H
/* Writing conjunctions of terms as conditions. Private to client/suggest_*.c. */
#include "client/suggest_impl.h"

/* Takes those of count conjunctions (bits of s->terms) that share the term that most pairs hang on,
 * moves them to the end of terms (and of weight, alike), and sets name, when and terms of out.
 * Returns how many were taken; 0: out of memory. */
size_t kin_suggest_take_rule(struct kin_suggest *s, uint64_t *terms, double *weight, size_t count,
                             struct kin_suggest_rule *out);

#endif
