#ifndef KIN_EXPLAIN_EXPLAINED_IMPL_H
#define KIN_EXPLAIN_EXPLAINED_IMPL_H
/* Words of a pair that both its writers use. Private to common/explain/explained*.c. */
#include "common/explain/explained.h"
#include "common/explain/write.h"

/* One sentence: does it match, what decided, what stands against it. */
void explained_verdict(const struct kin_explained *p, struct kin_buf *out);
/* Stable words for it: "match", "no_match", "not_compared", "kept_apart", "perhaps". */
const char *explained_verdict_word(const struct kin_explained *p);
const char *explained_compared_word(const struct kin_explained *p);
const char *explained_truth_word(enum kin_truth truth);

#endif
