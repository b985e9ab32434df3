#ifndef KIN_COORDINATOR_REGISTRY_H
#define KIN_COORDINATOR_REGISTRY_H
/* MatchIds over time: which id each MatchGroup has after a change, what becomes of the others, and
 * the events that tell of it. docs/match-ids.md is the contract. Pure; any thread; results are in
 * the arena and do not depend on the order in which groups are numbered.
 *
 * The rules, in this order:
 * 1. An id stays with the largest part of its group: of the groups that have members of it, the one
 *    with most of them; of equal parts the one that holds the smallest (source, id) among them.
 * 2. A group that is offered several ids keeps the oldest: born in the earliest batch; of equal age
 *    the one whose founder is smaller by (source, id). The others become aliases of it.
 * 3. A group that is offered none gets a new id, after its own smallest (source, id); where that id
 *    was ever used, the next generation of it.
 * 4. An id none of whose members is left is gone. No id is ever given to another group. */
#include "common/base/mem.h"

enum { REGISTRY_ID_BYTES = 16 };
#define REGISTRY_NONE UINT32_MAX

struct registry_id {
    uint8_t bytes[REGISTRY_ID_BYTES];
};

/* ---- who keeps which id ---- */

/* All records of all groups that a change touches, before or after it. Every group has a record. */
struct registry_change {
    size_t records;         /* in the order of (source, id); fewer than REGISTRY_NONE */
    const uint32_t *before; /* [records] the group it was in; REGISTRY_NONE: it was not there */
    const uint32_t *after;  /* [records] the group it is in; REGISTRY_NONE: it is no more */
    size_t before_count, after_count;
    const uint64_t *born; /* [before_count] batch that made the group */
    /* [before_count] its founder's place among the founders of these groups, by (source, id) */
    const uint32_t *founder;
    /* [before_count], NULL: none. Nobody has been told of this group yet: its id was given out
     * ahead of it, to a record that PUT minted. Where it is kept, its group is `created`. */
    const bool *untold;
};
struct registry_lists { /* list i is items[at[i]] up to items[at[i + 1]] */
    uint32_t *at;
    uint32_t *items;
};
struct registry_verdict {
    uint32_t *keeps; /* [after_count] the group before whose id it has; REGISTRY_NONE: a new one */
    uint32_t *smallest; /* [after_count] its smallest record: the founder, where the id is new */
    uint32_t *heir;     /* [before_count] the group after that has its id, or the id that its id is
                           an alias of; REGISTRY_NONE: it is gone */
    bool *kept;         /* [before_count] heir has this very id */
    /* [after_count] of a group with a new id: the group before that most of its members come from,
     * of equal ones that with the smaller founder; REGISTRY_NONE: they are all new, or the id is
     * not new. Its id is with another group now. */
    uint32_t *split_from;
    struct registry_lists was; /* the records of each group before, ascending */
    struct registry_lists is;  /* the records of each group after, ascending */
    /* of each group before: the groups after, other than its heir, that have members of it, by the
     * smallest of these members */
    struct registry_lists moved;
    /* of each group after: the groups before whose ids become aliases of its id, by the smallest
     * records they had */
    struct registry_lists merged;
};
/* Time and memory are linear in the records. KIN_E_NOMEM. */
kin_status registry_assign(struct kin_arena *arena, const struct registry_change *change,
                           struct registry_verdict *out) KIN_MUST_CHECK;

/* ---- what is told of it ---- */

struct registry_names {               /* who is who, for events */
    const struct registry_id *before; /* [before_count] */
    const struct registry_id *after;  /* [after_count] */
    /* source and id of record `index` of the change */
    void (*record)(void *arg, size_t index, struct kin_str *source, struct kin_str *id);
    void *arg;
};
enum { REGISTRY_LIST_MAX = 1000 }; /* of records, or ids, in one event */
/* In the order in which the events of one group come. */
enum registry_kind {
    REGISTRY_CREATED,
    REGISTRY_JOINED,
    REGISTRY_LEFT,
    REGISTRY_MERGED,
    REGISTRY_SPLIT,
    REGISTRY_RETIRED
};
struct registry_event {
    enum registry_kind kind;
    struct registry_id id;            /* the MatchId that it is about */
    const struct registry_id *others; /* all other ids that it names */
    size_t other_count;
    struct kin_str json; /* a line of CHANGES (docs/gateway.md), without the end of line */
};
/* The events of one change: for each group that is new `created` with its records (and split_from,
 * if they came from another); for others `joined` and `left` with theirs; `merged`, `split`,
 * `retired`. Nothing changed in a group: no event.
 *
 * `joined` at an id: records of its group that were not in the group with this very id. `left` at
 * an id: records that were in its group, and are not in the one that the id stands for now; so an
 * id that became an alias has those that did not come along, and one that is gone has all. A list
 * longer than REGISTRY_LIST_MAX goes on in further events of the same kind for the same id, each
 * complete in itself.
 *
 * Numbered from `seq` on; in an order that depends on nothing but the change: groups by their
 * smallest record, for each in the order of the kinds, and of one kind first what is about the id
 * that it keeps, then about those that became aliases of it, by the smallest records they had; an
 * id that is gone has its place by the smallest record it had. Lists of records ascend; lists of
 * ids are in the order of the verdict's.
 *
 * verdict: that of registry_assign for this change. Time is linear in the records. KIN_E_NOMEM. */
kin_status registry_events(struct kin_arena *arena, const struct registry_change *change,
                           const struct registry_verdict *verdict,
                           const struct registry_names *names, uint64_t batch, uint64_t seq,
                           struct registry_event **out, size_t *count) KIN_MUST_CHECK;

/* ---- what is kept of an id for ever ---- */

enum registry_state { REGISTRY_LIVE = 1, REGISTRY_ALIAS = 2, REGISTRY_GONE = 3 };
struct registry_entry { /* borrowed strings and lists */
    enum registry_state state;
    uint64_t born;
    struct kin_str founder_source, founder_id;
    bool has_survivor, has_split_from;
    struct registry_id survivor;   /* of an alias: whose it became; may be an alias by now itself */
    struct registry_id split_from; /* whose members founded it */
    const struct registry_id *see_also; /* where members went in splits */
    size_t see_also_count;
};
enum { REGISTRY_SEE_ALSO_MAX = 64 }; /* the latest so many are kept */
void registry_entry_write(const struct registry_entry *entry, struct kin_buf *out);
/* Lists are in the arena, strings borrowed from value. KIN_E_CORRUPT, KIN_E_NOMEM. */
kin_status registry_entry_read(struct kin_arena *arena, struct kin_str value,
                               struct registry_entry *out) KIN_MUST_CHECK;

/* The id of a group with this founder (coordinator/match_id.h), in bytes. */
void registry_new_id(const uint8_t key[16], struct kin_str workflow, struct kin_str source,
                     struct kin_str id, uint32_t generation, struct registry_id *out);
void registry_id_print(const struct registry_id *id, char out[33]);   /* with a terminator */
bool registry_id_parse(struct kin_str text, struct registry_id *out); /* 32 hex digits, any case */

#endif
