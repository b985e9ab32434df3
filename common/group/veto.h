#ifndef KIN_GROUP_VETO_H
#define KIN_GROUP_VETO_H
/* Vetoes inside one component: two records for which a `never` rule is true share no MatchGroup.
 *
 * All pairs of the component are checked. If one is forbidden the component is rebuilt: its edges,
 * strongest first (rule order, then weight, then the (source, id) of the smaller and of the larger
 * end), are united one by one, and a union that would join a forbidden pair is refused. A star
 * counts as all pairs of its members. Pure; any thread; memory from the arena. */
#include "common/match/rule.h"

struct kin_veto_edge {
    uint32_t a, b; /* index into members, a != b */
    uint16_t rule;
};
struct kin_veto_star {
    const uint32_t *members; /* indices, at least 2 */
    uint32_t count;
    uint16_t rule;
};
struct kin_veto_component {
    const uint8_t *const *members; /* features, sorted by (source, id) */
    uint32_t count;
    const struct kin_veto_edge *edges;
    size_t edge_count;
    const struct kin_veto_star *stars;
    size_t star_count;
    bool across_sources; /* in a star only pairs of different sources match */
};
struct kin_veto_result {
    uint32_t *group;     /* [count], in the arena: smallest member index of the member's group */
    uint16_t *best_rule; /* [count]: the smallest rule among the matched pairs that lie inside the
                            member's group, UINT16_MAX where there is none */
    uint64_t forbidden;  /* pairs for which a never rule is true */
    uint64_t refused; /* matched pairs (edges, and star pairs not already edges of that rule) whose
                         ends lie in different groups */
};
/* KIN_E_NOMEM. */
kin_status kin_veto_cluster(struct kin_arena *arena, const struct kin_veto_component *component,
                            const struct kin_rule *never, size_t never_count,
                            struct kin_kernel_scratch *scratch,
                            struct kin_veto_result *out) KIN_MUST_CHECK;

#endif
