#ifndef KIN_WORKER_PAIR_H
#define KIN_WORKER_PAIR_H
/* Which of the keys that two records share is the one where they are compared: the smallest
 * ordinary one, over all workers. A batch's match and live operation decide it alike, so that each
 * pair is looked at once, by whoever owns that key. Pure; any thread. */
#include "worker/impl.h"

/* True if both lists of original keys (u64, ascending, not aligned) have an ordinary one in common:
 * one that is not oversized. */
static inline bool worker_share_key(const struct worker_job *job, const uint8_t *a, uint32_t na,
                                    const uint8_t *b, uint32_t nb)
{
    uint32_t i = 0, j = 0;
    while (i < na && j < nb) {
        uint64_t x = kin_le64(a + 8 * (size_t)i), y = kin_le64(b + 8 * (size_t)j);
        if (x == y) {
            if (!worker_key_oversized(job, x))
                return true;
            j++;
        }
        i += x <= y;
        j += x > y;
    }
    return false;
}

/* True if both lists of refined keys (worker_refined_keys) have one below `below` in common. */
static inline bool worker_share_refined(const uint8_t *a, uint32_t na, const uint8_t *b,
                                        uint32_t nb, uint64_t below)
{
    uint32_t i = 0, j = 0;
    while (i < na && j < nb) {
        uint64_t x = kin_le64(a + 8 * (size_t)i), y = kin_le64(b + 8 * (size_t)j);
        if (x == y)
            return x < below;
        i += x < y;
        j += x > y;
    }
    return false;
}

/* How many of a record's keys are below `key`. */
static inline uint32_t worker_keys_below(const uint8_t *keys, unsigned count, uint64_t key)
{
    uint32_t n = 0;
    while (n < count && kin_le64(keys + 8 * (size_t)n) < key)
        n++;
    return n;
}

#endif
