#ifndef KIN_CLIENT_EXPLAIN_GROUP_H
#define KIN_CLIENT_EXPLAIN_GROUP_H
/* A MatchGroup with all that is said of it: gathered by explain_group.c and explain_cuts.c, written
 * by explain_group_write.c. Private to client/explain*.c. */
#include "client/explain_impl.h"
#include "common/group/linkage.h"

struct group_cell { /* of a pair of members */
    int32_t weight; /* under the model */
    int16_t rule;   /* -1: none */
    int16_t never;  /* -1: none */
    uint8_t compared;
    bool matches, clean;
};
struct group_link {
    uint32_t a, b; /* members */
    const struct group_cell *cell;
    /* what it joins: without it the group is two parts. parts[0] has the smallest member. */
    uint32_t parts[2];
    uint64_t pairs, scored; /* across the two; compared ones among them */
    bool certain;           /* a rule joins them too, or this link is one */
    bool weak;              /* the mean over all pairs across is below the threshold */
    double mean;            /* bits */
};
struct group {
    struct kin_explain *e;
    const char *match_id;
    const struct kin_record **members; /* by (source, id) */
    uint32_t count;
    struct group_cell *cells;   /* of a < b: b (b - 1) / 2 + a */
    uint64_t compared, matched; /* pairs */
    uint64_t forbidden;         /* pairs that a never rule or a clean source keeps apart */
    struct group_link *links;   /* the spanning tree, strongest first */
    uint32_t link_count;        /* fewer than count - 1: it does not hold together any more */
    uint32_t *best; /* [member]: with which other one its strongest link is; itself: none */
};

static inline const struct group_cell *group_cell_of(const struct group *g, uint32_t a, uint32_t b)
{
    size_t low = a < b ? a : b, high = a < b ? b : a;
    return &g->cells[high * (high - 1) / 2 + low];
}
/* What a pair counts as in a mean: bits in fixed point. */
int32_t group_pair_weight(const struct group *g, const struct group_cell *c);

/* The parts and means of all links, where the tree spans the group. KIN_E_NOMEM. */
kin_status group_cuts(struct group *g) KIN_MUST_CHECK;

void group_put_text(const struct group *g, struct kin_buf *out);
void group_put_json(const struct group *g, struct kin_buf *out);

#endif
