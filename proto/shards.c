#include "proto/shards.h"

#include <string.h>

/* Smooth weighted round robin: each shard goes to the worker that is furthest behind its due. With
 * equal capacities that is one after the other. */
void kin_shard_map_deal(struct kin_shard_map *map, const uint32_t *capacity, uint32_t workers)
{
    int64_t due[KIN_WORKERS_MAX] = {0}, total = 0;
    *map = (struct kin_shard_map){.workers = workers};
    for (uint32_t w = 0; w < workers; w++)
        total += capacity[w] ? capacity[w] : 1;
    for (uint32_t s = 0; s < KIN_SHARDS; s++) {
        uint32_t next = 0;
        for (uint32_t w = 0; w < workers; w++) {
            due[w] += capacity[w] ? capacity[w] : 1;
            next = due[w] > due[next] ? w : next;
        }
        due[next] -= total;
        map->owner[s] = (uint8_t)next;
    }
}

bool kin_shard_map_read(struct kin_str owners, uint32_t workers, struct kin_shard_map *out)
{
    if (workers == 0 || workers > KIN_WORKERS_MAX || owners.n != KIN_SHARDS)
        return false;
    for (size_t s = 0; s < KIN_SHARDS; s++) {
        if ((uint8_t)owners.p[s] >= workers)
            return false;
    }
    out->workers = workers;
    memcpy(out->owner, owners.p, KIN_SHARDS);
    return true;
}
