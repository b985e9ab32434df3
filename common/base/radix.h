#ifndef KIN_BASE_RADIX_H
#define KIN_BASE_RADIX_H
/* Radix sort of 64-bit keys that carry a 32-bit value. Stable. Pure; any thread. */
#include "common/base/mem.h"

struct kin_keyed {
    uint64_t key;
    uint32_t value;
    uint32_t extra;
};

/* Sorts items by key, ascending; equal keys keep their order. tmp has room for n items too. The
 * sorted run ends up in items.
 */
void kin_radix_sort(struct kin_keyed *items, struct kin_keyed *tmp, size_t n);

#endif
