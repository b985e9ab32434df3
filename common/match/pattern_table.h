#ifndef KIN_MATCH_PATTERN_TABLE_H
#define KIN_MATCH_PATTERN_TABLE_H
/* Counts of agreement patterns (model.h), each with the set of blocking keys that found the pair.
 * One thread at a time. */
#include "common/base/mem.h"

struct kin_pattern_entry {
    uint64_t pattern, set, count; /* count 0: free */
};
struct kin_pattern_table {           /* {0} is empty */
    struct kin_pattern_entry *slots; /* open addressing */
    size_t size, used;               /* size: a power of two, or 0 */
};

/* Adds count > 0. false: out of memory, and nothing changed. */
bool kin_pattern_table_add(struct kin_pattern_table *t, uint64_t pattern, uint64_t set,
                           uint64_t count);
/* Adds all of another. */
bool kin_pattern_table_merge(struct kin_pattern_table *t, const struct kin_pattern_table *from);
/* Puts the entries in order (pattern, set) at the start of slots, and returns how many there are.
 * Nothing can be added afterwards. */
size_t kin_pattern_table_sort(struct kin_pattern_table *t);
void kin_pattern_table_deinit(struct kin_pattern_table *t);

#endif
