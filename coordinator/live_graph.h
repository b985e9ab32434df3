#ifndef KIN_COORDINATOR_LIVE_GRAPH_H
#define KIN_COORDINATOR_LIVE_GRAPH_H
/* The records that are served, what joins them, and the MatchGroups they are in: all of it in
 * memory, as the store has it. Records have numbers that are never reused; one that is updated gets
 * a new number.
 *
 * Two layers move at different times. The *graph* (records, edges, hubs, links) is what is to be;
 * it is changed while a batch is applied. The *groups* are what was committed, and what requests
 * are answered from; they follow when the commit is durable.
 *
 * A hub is a star: all records with the same values under a star's key. Any two of them match (with
 * pairs: across_sources any two of different sources), so none of them can go and leave the others
 * apart. Pure but for the heap; one thread. */
#include "common/base/hash.h"
#include "common/workflow/workflow.h"
#include "coordinator/registry.h"

#define LIVE_NONE UINT32_MAX
enum {
    LIVE_MUST = UINT16_MAX - 1, /* rules of edges that are links of people */
    LIVE_NEVER = UINT16_MAX - 2
};

struct live_record {
    uint64_t id_at; /* in ids */
    int64_t updated;
    uint32_t group;         /* committed; LIVE_NONE: not yet, or no more */
    uint32_t next_in_group; /* a ring */
    uint32_t edges, hubs;   /* first of its lists */
    uint32_t replaces;      /* the number that this one takes the place of; LIVE_NONE */
    uint32_t mark;          /* LIVE_NONE, but while groups are made anew */
    int32_t weight;         /* of its best edge, with the group */
    uint16_t rule;          /* UINT16_MAX: none; LIVE_MUST */
    uint16_t source;
    uint8_t id_bytes, home;
    bool dead; /* in the graph: no more */
};
struct live_edge {
    uint32_t to, next;
    int32_t weight;
    uint16_t rule;
};
struct live_hub {
    uint64_t key;
    uint32_t first, count;
    uint16_t rule;
    uint32_t stamp;
};
struct live_member { /* of a hub */
    uint32_t record, hub;
    uint32_t next, prev; /* of the hub */
    uint32_t next_hub;   /* of the record */
};
struct live_group {
    struct registry_id id;
    uint64_t born;
    uint32_t first; /* a record of it; LIVE_NONE: the place is free */
    uint32_t size;
    uint32_t next_in_bucket;
    uint32_t mark;       /* LIVE_NONE, but while groups are made anew */
    uint64_t founder_at; /* u16 source, u8 length, id: in ids */
    struct registry_id split_from;
    bool has_split_from;
    bool untold;                  /* its id was answered, and no event told of it yet */
    struct registry_id *see_also; /* owned */
    uint32_t see_also_count;
};
struct live_retired { /* an id that no group has any more */
    struct registry_id id, survivor;
    bool gone;
    uint32_t next_in_bucket;
};

struct live_graph {
    const struct kin_workflow *workflow; /* borrowed */
    int32_t joins_from;                  /* the lowest threshold */
    struct live_record *records;
    uint32_t count, cap;
    uint32_t alive;
    struct kin_buf ids;
    uint32_t *identities; /* open addressing, by (source, id): the latest number */
    size_t identity_cap, identity_count;
    struct live_edge *edges;
    uint32_t edge_count, edge_cap, edge_free;
    struct live_hub *hubs;
    uint32_t hub_count, hub_cap;
    struct live_member *members;
    uint32_t member_count, member_cap, member_free;
    struct live_group *groups;
    uint32_t group_count, group_cap, group_free, groups_alive;
    uint32_t *group_buckets;
    uint32_t group_mask;
    struct live_retired *retired;
    uint32_t retired_count, retired_cap;
    uint32_t *retired_buckets;
    uint32_t retired_mask;
    uint32_t *stamps; /* [cap] of a walk */
    uint32_t stamp;
};

void live_graph_init(struct live_graph *g, const struct kin_workflow *workflow);
void live_graph_deinit(struct live_graph *g);

/* ---- records ---- */

struct kin_str live_graph_id(const struct live_graph *g, uint32_t record);
int live_graph_cmp(const struct live_graph *g, uint32_t a, uint32_t b); /* by (source, id) */
/* The latest number of a record; LIVE_NONE: it never was. It may be dead. */
uint32_t live_graph_find(const struct live_graph *g, uint16_t source, struct kin_str id);
/* Its number is g->count before. KIN_E_NOMEM, KIN_E_LIMIT. */
kin_status live_graph_add(struct live_graph *g, uint16_t source, struct kin_str id, int64_t updated,
                          uint8_t home) KIN_MUST_CHECK;
/* A number that is not used: of a record that was gone before the graph was loaded. */
kin_status live_graph_skip(struct live_graph *g) KIN_MUST_CHECK;
/* Takes it out of the graph; its neighbours (others of its edges, a member of each of its hubs) are
 * appended to seeds as u32. The hubs it was in: to left, u32 each. */
void live_graph_remove(struct live_graph *g, uint32_t record, struct kin_buf *seeds,
                       struct kin_buf *left);

/* ---- what joins them ---- */

/* Of several edges of a pair the first rule stands, then the larger weight. *added: false if it was
 * there already, as strong. */
kin_status live_graph_edge(struct live_graph *g, uint32_t a, uint32_t b, uint16_t rule,
                           int32_t weight, bool *added) KIN_MUST_CHECK;
void live_graph_edge_drop(struct live_graph *g, uint32_t a, uint32_t b, uint16_t rule);
/* Puts a into the hub of b under the star's key, which is made if there is none. Two hubs become
 * one: in across_sources a star of one source may be known in parts. */
struct live_joined {
    uint32_t hub;
    bool a, b;         /* was not in it before */
    uint32_t absorbed; /* another hub, whose members are now this one's; LIVE_NONE */
};
kin_status live_graph_star(struct live_graph *g, uint32_t a, uint32_t b, uint64_t key,
                           uint16_t rule, struct live_joined *out) KIN_MUST_CHECK;
/* As the store has it: hub numbers may come in any order. */
kin_status live_graph_hub_member(struct live_graph *g, uint32_t hub, uint64_t key, uint16_t rule,
                                 uint32_t record) KIN_MUST_CHECK;
static inline bool live_graph_joins(const struct live_graph *g, const struct live_edge *e)
{
    return e->rule == LIVE_MUST || e->rule < g->workflow->rule_count ||
           (e->rule == g->workflow->rule_count && e->weight >= g->joins_from);
}
/* The star that a record is in under a key; NULL: none. */
const struct live_hub *live_graph_hub_of(const struct live_graph *g, uint32_t record, uint64_t key);
/* Two of its members match. */
bool live_graph_hub_joins(const struct live_graph *g, const struct live_hub *hub);

/* Begins a walk over components. */
void live_graph_walk(struct live_graph *g);
/* The component of a record that no component of this walk holds: appended to out as u32, in the
 * order of (source, id). False: it was seen, or is dead. KIN_E_LIMIT: it has more than max records;
 * those met are seen from now on. */
kin_status live_graph_component(struct live_graph *g, uint32_t record, uint32_t max,
                                struct kin_buf *out, bool *found) KIN_MUST_CHECK;

/* ---- groups ---- */

uint32_t live_graph_group_of(const struct live_graph *g, const struct registry_id *id);
const struct live_retired *live_graph_retired_of(const struct live_graph *g,
                                                 const struct registry_id *id);
/* The group that an id leads to through aliases; LIVE_NONE: it is gone, or never was. */
uint32_t live_graph_resolve(const struct live_graph *g, const struct registry_id *id);
/* The id of a group with this founder, the first of its generations that was never used: not here,
 * nor in `before` (NULL: there is none). */
void live_graph_new_id(const struct live_graph *g, const struct live_graph *before,
                       const uint8_t key[16], uint16_t source, struct kin_str id,
                       struct registry_id *out);
/* A new group without members. founder_id may lie in the graph. LIVE_NONE: no memory. */
uint32_t live_graph_group_new(struct live_graph *g, const struct registry_id *id, uint64_t born,
                              uint16_t founder_source, struct kin_str founder_id);
void live_graph_group_free(struct live_graph *g, uint32_t group);
void live_graph_founder(const struct live_graph *g, uint32_t group, uint16_t *source,
                        struct kin_str *id);
/* Adds a record that is in no group. */
void live_graph_group_add(struct live_graph *g, uint32_t group, uint32_t record);
/* Empties it: its records are in no group. */
void live_graph_group_clear(struct live_graph *g, uint32_t group);
kin_status live_graph_retire(struct live_graph *g, const struct registry_id *id,
                             const struct registry_id *survivor) KIN_MUST_CHECK; /* NULL: gone */
/* Room for so many more groups and retired ids: what follows cannot fail for want of memory. */
kin_status live_graph_reserve(struct live_graph *g, size_t groups, size_t retired) KIN_MUST_CHECK;
/* The committed number of a record: its latest that has a group; LIVE_NONE. */
uint32_t live_graph_committed(const struct live_graph *g, uint32_t record);

#endif
