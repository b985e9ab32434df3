#ifndef KIN_COORDINATOR_LIVE_REGROUP_H
#define KIN_COORDINATOR_LIVE_REGROUP_H
/* Private to live_regroup.c and live_assign.c: the MatchGroups that a batch touches, on their way
 * to what they become. */
#include "common/group/component.h"
#include "coordinator/live.h"

struct part {             /* a component, or what is left of a group that cannot be looked at */
    uint32_t from, count; /* in members */
    bool looked_into;     /* its groups are not simply all of it */
    struct kin_component_result result;
};
struct item {        /* a record of the change */
    uint32_t number; /* as it is now; LIVE_NONE: no more */
    uint32_t old;    /* as it was committed; LIVE_NONE: it was not there */
    uint32_t before, after;
    uint16_t rule; /* of its best edge */
    int32_t weight;
};
struct regroup {
    struct live *live;
    struct live_batch *batch;
    struct kin_arena arena;
    struct kin_buf members; /* u32 */
    struct kin_buf parts;   /* struct part */
    struct kin_buf items;   /* struct item */
    struct kin_buf before;  /* u32: groups */
    uint32_t after_count;
    uint64_t next_event;
    const uint8_t **features;                 /* [members], where never rules are asked */
    struct kin_linkage_component *components; /* [parts] of those that are looked into */
};

static inline struct part *parts_of(struct regroup *r, size_t *count)
{
    *count = r->parts.n / sizeof(struct part);
    return (struct part *)(void *)r->parts.p;
}
static inline const uint32_t *members_of(const struct regroup *r, const struct part *p)
{
    return (const uint32_t *)(const void *)r->members.p + p->from;
}
static inline struct item *items_of(struct regroup *r, size_t *count)
{
    *count = r->items.n / sizeof(struct item);
    return (struct item *)(void *)r->items.p;
}

/* live_assign.c */
/* Ids that were answered before their records were matched: groups of their own, first. */
kin_status regroup_found_minted(struct regroup *r) KIN_MUST_CHECK;
/* The items are complete: who keeps which MatchId, the events, and the turn of the groups. */
kin_status regroup_assign(struct regroup *r) KIN_MUST_CHECK;

#endif
