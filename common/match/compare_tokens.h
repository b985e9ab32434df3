#ifndef KIN_MATCH_COMPARE_TOKENS_H
#define KIN_MATCH_COMPARE_TOKENS_H
/* What the levels tfidf and soft_tfidf need to know of the data: how many records have which word,
 * or run of characters. Whoever has the records counts kin_comparer_tokens, of every record once,
 * adds the counts up and gives them to each comparer:
 *
 *   for (i: bits of kin_comparer_tokened(comparer))
 *       status = kin_comparer_set_tokens(comparer, i, total, items, n);
 *
 * Weights are integers made of the counts alone, so all comparers with the same counts agree to the
 * bit. Without counts all words weigh the same. */
#include "common/match/compare_decide.h"

/* Bit i: comparison i has such a level. */
uint32_t kin_comparer_tokened(const struct kin_comparer *c);

/* Appends what a record adds to the counts of a comparison: u64 hashes of the words and runs that
 * its levels look at, of all values of all its fields, ascending, without repeats. None: the record
 * has no value. out->failed: out of memory. */
void kin_comparer_tokens(const struct kin_comparer *c, unsigned comparison, const uint8_t *rec,
                         struct kin_buf *out);

/* Takes the counts of one comparison, copied; what it had is gone. total: records with a value
 * there; 0: no counts. Tokens that are not among the items, or with a count of 0, count as one
 * record's: those seen once can be left out. Each hash once; a count above the total is taken as
 * the total. Not while the comparer is in use. On KIN_E_NOMEM all is as it was. */
kin_status kin_comparer_set_tokens(struct kin_comparer *c, unsigned comparison, uint64_t total,
                                   const struct kin_value_count *items, size_t n) KIN_MUST_CHECK;

#endif
