#ifndef KIN_PROTO_EDGES_H
#define KIN_PROTO_EDGES_H
/* Edges while they are gathered: struct kin_keyed with key = smaller record << 32 | larger record
 * value = rule, or rule | KIN_EDGE_STAR, and extra = weight (int32_t; 0 where a rule made it).
 * Pure; any thread. */
#include "common/base/radix.h"
#include "proto/shards.h"

/* Sorts a buffer of edges by pair. A pair that was found several times (in several windows, by two
 * workers, by a star beside a score) stays once, with its first rule; of equal rules the scored
 * edge stands, so that the result knows no order of arrival. KIN_E_NOMEM. */
kin_status kin_edges_order(struct kin_buf *edges) KIN_MUST_CHECK;

/* Lists of edges that are in order, each, to one list that is: as if they had been put behind each
 * other and ordered. The lists are freed one after the other, `lists` is left empty, and *out
 * (empty before) is the caller's; on KIN_E_NOMEM, too, with what it then holds. */
kin_status kin_edges_merge(struct kin_buf *lists, size_t count, struct kin_buf *out) KIN_MUST_CHECK;

/* What a record's match is named after: the best of its edges (proto/best_edges.h). */
struct kin_best_edge {
    uint16_t rule; /* UINT16_MAX: none */
    int32_t weight;
};
/* Edges in order of strength, by rule, then by weight where the model (rule number `rules`) made
 * it: the higher, the weaker. */
static inline uint64_t kin_edge_weakness(uint32_t rule, int32_t weight, size_t rules)
{
    uint32_t by_weight = rule < rules ? 0 : (uint32_t)INT32_MAX - (uint32_t)weight;
    return (uint64_t)rule << 32 | by_weight;
}

#endif
