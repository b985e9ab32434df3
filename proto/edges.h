#ifndef KIN_PROTO_EDGES_H
#define KIN_PROTO_EDGES_H
/* Edges while they are gathered: struct kin_keyed with key = smaller record << 32 | larger record
 * and value = rule, or rule | KIN_EDGE_STAR. Pure; any thread. */
#include "common/base/radix.h"
#include "proto/shards.h"

/* Sorts a buffer of edges by pair. A pair that was found several times (in several windows, by two
 * workers, by a star beside a score) stays once, with its first rule; of equal rules the scored
 * edge stands, so that the result knows no order of arrival. KIN_E_NOMEM. */
kin_status kin_edges_order(struct kin_buf *edges) KIN_MUST_CHECK;

#endif
