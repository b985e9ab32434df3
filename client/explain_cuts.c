#include "client/explain_group.h"

/* What each link of the spanning tree joins. Take a link away, and the group is two parts. The sum
 * over all pairs across them is, for the part below the link in the tree: the sums of its members
 * with everybody, less twice the pairs inside it; and a pair is inside a part below a link if the
 * lowest common ancestor of the two is. So all cuts together take time in pairs times depth. */

static const uint32_t nobody = UINT32_MAX;

struct sums {
    int64_t weight; /* fixed point */
    uint64_t pairs, scored, certain;
};

struct tree {
    uint32_t *order;  /* members, each after its parent */
    uint32_t *parent; /* nobody: the root */
    uint32_t *depth;
    uint32_t *link;                 /* to the parent */
    uint32_t *size;                 /* of the part below, itself included */
    struct sums *with_all, *inside; /* of the member alone, then of the part below */
};

static kin_status tree_alloc(struct kin_arena *arena, uint32_t n, struct tree *t)
{
    *t = (struct tree){kin_arena_calloc(arena, n, sizeof *t->order),
                       kin_arena_calloc(arena, n, sizeof *t->parent),
                       kin_arena_calloc(arena, n, sizeof *t->depth),
                       kin_arena_calloc(arena, n, sizeof *t->link),
                       kin_arena_calloc(arena, n, sizeof *t->size),
                       kin_arena_calloc(arena, n, sizeof *t->with_all),
                       kin_arena_calloc(arena, n, sizeof *t->inside)};
    return t->order && t->parent && t->depth && t->link && t->size && t->with_all && t->inside
               ? KIN_OK
               : KIN_E_NOMEM;
}

/* The member's neighbours in the tree by way of lists: next[2 link + end], first[member]. */
static kin_status grow(const struct group *g, struct tree *t)
{
    struct kin_arena *arena = &g->e->arena;
    uint32_t *first = kin_arena_calloc(arena, g->count, sizeof *first);
    uint32_t *next = kin_arena_calloc(arena, 2 * (size_t)g->link_count, sizeof *next);
    if (!first || !next)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < g->count; i++)
        first[i] = t->parent[i] = nobody;
    for (uint32_t i = 0; i < 2 * g->link_count; i++) {
        uint32_t member = i % 2 ? g->links[i / 2].b : g->links[i / 2].a;
        next[i] = first[member];
        first[member] = i;
    }
    uint32_t done = 1;
    for (uint32_t at = 0; at < done; at++) {
        uint32_t member = t->order[at];
        for (uint32_t i = first[member]; i != nobody; i = next[i]) {
            uint32_t other = i % 2 ? g->links[i / 2].a : g->links[i / 2].b;
            if (other == t->parent[member])
                continue;
            t->parent[other] = member;
            t->depth[other] = t->depth[member] + 1;
            t->link[other] = i / 2;
            t->order[done++] = other;
        }
    }
    return KIN_OK;
}

static uint32_t common_ancestor(const struct tree *t, uint32_t a, uint32_t b)
{
    while (a != b) {
        uint32_t *deeper = t->depth[a] >= t->depth[b] ? &a : &b;
        *deeper = t->parent[*deeper];
    }
    return a;
}

static void add(struct sums *to, const struct sums *x)
{
    to->weight += x->weight;
    to->pairs += x->pairs;
    to->scored += x->scored;
    to->certain += x->certain;
}

static void add_pairs(const struct group *g, struct tree *t)
{
    for (uint32_t b = 1; b < g->count; b++) {
        for (uint32_t a = 0; a < b; a++) {
            const struct group_cell *c = group_cell_of(g, a, b);
            struct sums x = {group_pair_weight(g, c), 1,
                             c->compared != KIN_EXPLAIN_NEVER && c->compared != KIN_EXPLAIN_SOURCE,
                             c->matches && c->rule >= 0};
            add(&t->with_all[a], &x);
            add(&t->with_all[b], &x);
            add(&t->inside[common_ancestor(t, a, b)], &x);
        }
    }
}

static void finish_link(struct group *g, const struct tree *t, uint32_t member)
{
    struct group_link *link = &g->links[t->link[member]];
    const struct sums *all = &t->with_all[member], *inside = &t->inside[member];
    /* member 0, the smallest, is the root: the other part has it */
    link->parts[0] = g->count - t->size[member];
    link->parts[1] = t->size[member];
    link->pairs = all->pairs - 2 * inside->pairs;
    link->scored = all->scored - 2 * inside->scored;
    link->certain = all->certain > 2 * inside->certain;
    link->mean = (double)(all->weight - 2 * inside->weight) / (double)link->pairs / KIN_LINKAGE_BIT;
    link->weak = g->e->x.threshold && !link->certain &&
                 link->mean < (double)g->e->x.threshold->weight / KIN_LINKAGE_BIT;
}

kin_status group_cuts(struct group *g)
{
    struct tree t;
    if (g->link_count + 1 != g->count)
        return KIN_OK;
    kin_status status = tree_alloc(&g->e->arena, g->count, &t);
    if (status == KIN_OK)
        status = grow(g, &t);
    if (status != KIN_OK)
        return status;
    add_pairs(g, &t);
    for (uint32_t i = g->count; i-- > 1;) { /* children before parents */
        uint32_t member = t.order[i], parent = t.parent[member];
        t.size[member]++;
        finish_link(g, &t, member);
        t.size[parent] += t.size[member];
        add(&t.with_all[parent], &t.with_all[member]);
        add(&t.inside[parent], &t.inside[member]);
    }
    return KIN_OK;
}
