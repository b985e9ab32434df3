#ifndef KIN_GROUP_COMPONENT_H
#define KIN_GROUP_COMPONENT_H
/* What becomes of one component under a workflow: its method, thresholds, clean sources, links of
 * people, and `never` rules where the members' features are at hand. Pure; any thread; results are
 * in the arena. */
#include "common/group/linkage.h"
#include "common/workflow/workflow.h"

struct kin_component_result {
    const uint32_t *group; /* [levels * count]: for each threshold and member, a member that stands
                              for its group */
    unsigned levels;
    uint16_t *best_rule;  /* [count] the first rule among the matched pairs inside the member's
                             group, by the primary threshold; the number of rules: the model;
                             UINT16_MAX: none */
    int32_t *best_weight; /* [count] where that is the model; else 0 */
    uint64_t forbidden;   /* pairs for which a never rule is true, where all are looked at */
    uint64_t refused;     /* matches whose ends are in different groups, and joins refused */
    uint64_t unchecked;   /* pairs put together without asking the never rules */
};

/* c: members in the order of (source, id), with edges, stars, must and never links; its `source`,
 * `veto` and `forbidden` are set here. members: their features, in that order; NULL: never rules
 * are not asked, and source has to be given. Status as kin_linkage_cluster. */
kin_status kin_component_cluster(struct kin_arena *arena, const struct kin_workflow *workflow,
                                 const struct kin_linkage_component *c,
                                 const uint8_t *const *members, struct kin_kernel_scratch *scratch,
                                 struct kin_component_result *out) KIN_MUST_CHECK;

#endif
