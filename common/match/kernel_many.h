#ifndef KIN_MATCH_KERNEL_MANY_H
#define KIN_MATCH_KERNEL_MANY_H
/* One string against many: the same measures as kernels.h, bit for bit, where one query meets a set
 * of candidates again and again, as the values of a block do. The candidates are packed once; then
 * a vector register holds one character of each of 16 to 64 of them, sorted by length, and every
 * lane runs the bit-parallel kernel of its own pair. A query or candidate of more than
 * KIN_MANY_LENGTH code points, or an empty one, is compared by the pairwise kernel.
 *
 * A set belongs to one thread while it is filled; filled, any number of threads may read it. */
#include "common/match/kernels.h"

enum { KIN_MANY_LENGTH = 16 };

struct kin_many_text {
    struct kin_str text;
    bool ascii;
};

struct kin_many;
struct kin_many *kin_many_new(void); /* returns owned; NULL: out of memory */
void kin_many_free(struct kin_many *m);

/* Packs the candidates in place of those before: O(n), and pays off from some ten queries on.
 * Borrows the texts, not the array, until the next call. At most UINT32_MAX of them. On KIN_E_NOMEM
 * the set is empty. */
kin_status kin_many_set(struct kin_many *m, const struct kin_many_text *texts,
                        size_t n) KIN_MUST_CHECK;
size_t kin_many_count(const struct kin_many *m);

/* out[i], of the i-th candidate in the order given: kin_jaro_winkler_from of it and the query, but
 * exactly -1 where that is below `least`. least <= 0: the value of all. */
void kin_many_jaro_winkler(const struct kin_many *m, struct kin_kernel_scratch *s,
                           struct kin_many_text query, double least, double *out);
/* out[i]: the distance, or max + 1 as soon as it is known to exceed max; max at most
 * KIN_KERNEL_CODEPOINTS_MAX, larger ones count as that. */
void kin_many_levenshtein(const struct kin_many *m, struct kin_kernel_scratch *s,
                          struct kin_many_text query, unsigned max, uint16_t *out);
void kin_many_osa(const struct kin_many *m, struct kin_kernel_scratch *s,
                  struct kin_many_text query, unsigned max, uint16_t *out);

#endif
