#ifndef KIN_COORDINATOR_VETO_H
#define KIN_COORDINATOR_VETO_H
/* Components that are looked into: lists made by one task, batches that go out to the workers, and
 * those too large for that, one by one, at the coordinator. */
#include "coordinator/impl.h"

struct component {
    uint32_t first, count; /* members */
    uint64_t first_edge, edge_count;
    uint32_t first_star, star_count;
    uint32_t first_must, must_count;
    uint32_t first_never, never_count;
    uint64_t star_members; /* of all its stars */
};

struct star_at {
    uint32_t root, rule, count;
    const uint8_t *members; /* u32[count] */
};

struct veto_batch {
    uint32_t first, end; /* components */
    uint32_t waiting;    /* workers whose features are not all here */
    bool active;
    bool too_large; /* more than a message holds: what is still to come is not kept */
    uint64_t bytes; /* of features */
    struct kin_buf wanted[KIN_WORKERS_MAX]; /* u32 record[] */
    size_t asked[KIN_WORKERS_MAX];          /* so many of them are answered */
    struct kin_buf features[KIN_WORKERS_MAX];
};

struct veto {
    uint32_t *members;              /* records by component, ascending within one */
    uint8_t *home;                  /* [records]; NULL: there are no never rules */
    struct kin_keyed *edges;        /* by root: value is the index in job->edges */
    struct kin_keyed *must, *never; /* by root: value is the index in job->must, job->never */
    struct star_at *stars;          /* by root */
    struct component *components;
    uint32_t component_count;
    uint64_t unchecked, decided; /* components that are not listed: too large; plain to see */
    uint32_t next, done;         /* components given to a batch; finished */
    unsigned turn;
    struct veto_batch batches[VETO_TASKS_AT_ONCE];
    struct kin_buf again; /* u32 first, u32 end: batches that were too large, in halves */
    struct kin_buf large; /* u32 component: to be done here */
    size_t large_next;
    bool large_running;
};

/* components.c: [task] fills v */
kin_status veto_prepare(struct veto *v, struct kin_coordinator *c,
                        struct kin_env *env) KIN_MUST_CHECK;
/* The place of a record among the members. */
uint32_t veto_member_index(const struct veto *v, const struct component *comp, uint32_t record);
/* Appends what a VETOED holds, for one component, from all that is known here: no features. The
 * arena is cleared; refused is added to. [task] */
kin_status veto_cluster_here(const struct veto *v, struct page_view *view, struct kin_arena *arena,
                             const struct component *comp, struct kin_buf *out,
                             uint64_t *refused) KIN_MUST_CHECK;

#endif
