#ifndef KIN_CLIENT_PROFILE_COUNTS_H
#define KIN_CLIENT_PROFILE_COUNTS_H
/* How often each value of a column occurs: exactly, by the 64-bit hash of the value, up to a bound;
 * beyond it the number of different values is estimated (HyperLogLog, Flajolet et al. 2007, 2^14
 * registers: a standard error of 0.8 %), and the values met until then are still counted. Nothing
 * depends on order but which values those are. One thread at a time. */
#include "common/base/mem.h"

enum {
    KIN_COUNTS_EXACT_MAX = 1 << 18, /* different values of a column */
    KIN_COUNTS_HLL_BITS = 14
};

/* Slots that all columns together may still take; what one gives up when it leaves exactness is
 * not given back. */
enum { KIN_COUNTS_BUDGET = 1 << 23 };

struct kin_counts_slot {
    uint64_t hash; /* 0: free */
    uint32_t count;
    uint32_t file; /* that had the value last */
};

struct kin_counts {
    struct kin_counts_slot *slots;
    size_t cap; /* 0 or a power of two, at most half full */
    size_t used;
    uint8_t *registers;      /* NULL while exact */
    uint64_t repeats_within; /* values that the same file had before; exact while it is */
    uint64_t repeats_across; /* that only an earlier file had */
};

void kin_counts_deinit(struct kin_counts *c);
/* Files come one after another. *budget is lowered by the slots taken. false: out of memory. */
bool kin_counts_add(struct kin_counts *c, uint64_t hash, uint32_t file, size_t *budget);
bool kin_counts_exact(const struct kin_counts *c);
uint64_t kin_counts_distinct(const struct kin_counts *c);
/* Occurrences of a value; 0: none, or not counted. */
uint32_t kin_counts_of(const struct kin_counts *c, uint64_t hash);
/* The commonest value's occurrences. */
uint32_t kin_counts_top(const struct kin_counts *c);
/* Values that both have, among those counted. */
uint64_t kin_counts_shared(const struct kin_counts *a, const struct kin_counts *b);

#endif
