#include "common/group/linkage_impl.h"
#include "common/group/union_find.h"

#include <stdlib.h>

/* Kruskal over the links inside groups. Of a star, its own spanning tree takes part: the strongest
 * tree of a graph has no links but those of its parts' strongest trees. All pairs of a star are of
 * one strength, so its tree goes by the ends: the first member in the group with every other; where
 * only different sources match, the others of its own source with the first of another. */

struct strand { /* a link with its place in the order of strength */
    uint64_t weakness;
    struct kin_linkage_link link;
};

struct strands {
    struct strand *list;
    size_t count, cap;
};

static int by_weakness(const void *a, const void *b)
{
    const struct strand *x = a, *y = b;
    if (x->weakness != y->weakness)
        return x->weakness < y->weakness ? -1 : 1;
    if (x->link.a != y->link.a)
        return x->link.a < y->link.a ? -1 : 1;
    if (x->link.b != y->link.b)
        return x->link.b < y->link.b ? -1 : 1;
    return x->link.kind < y->link.kind ? -1 : x->link.kind > y->link.kind;
}

static int by_group(const void *a, const void *b)
{
    const struct strand *x = a, *y = b;
    if (x->link.group != y->link.group)
        return x->link.group < y->link.group ? -1 : 1;
    return by_weakness(a, b);
}

/* Room for all: a star of n members has n - 1 strands at most. */
static void put(struct strands *s, uint32_t rank, const struct kin_linkage_link *link)
{
    KIN_ASSERT(s->count < s->cap);
    struct strand *strand = &s->list[s->count++];
    strand->weakness = kin_linkage_weakness(rank, link->weight);
    strand->link = *link;
    if (link->a > link->b) {
        strand->link.a = link->b;
        strand->link.b = link->a;
    }
}

static void put_ties(struct strands *s, const struct kin_linkage_links *l, const uint32_t *group)
{
    for (size_t i = 0; i < l->tie_count; i++) {
        const struct kin_linkage_tie *t = &l->ties[i];
        bool must = t->rank == KIN_LINKAGE_RANK_MUST;
        if (group[t->a] != group[t->b])
            continue;
        put(s, t->rank,
            &(struct kin_linkage_link){.group = group[t->a],
                                       .a = t->a,
                                       .b = t->b,
                                       .weight = t->weight,
                                       .rule = must ? 0 : (uint16_t)(t->rank - 1),
                                       .kind = must ? KIN_LINKAGE_MUST : KIN_LINKAGE_EDGE});
    }
}

/* first, other: [group] of this star, all KIN_LINKAGE_NONE before and after. */
static void put_star(struct strands *s, const struct kin_linkage_component *c,
                     const struct kin_linkage_options *o, const struct kin_linkage_links *l,
                     size_t star, const uint32_t *group, uint32_t *first, uint32_t *other)
{
    const uint32_t *members = l->members + l->begin[star];
    uint32_t n = l->begin[star + 1] - l->begin[star];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t m = members[i], g = group[m];
        if (first[g] == KIN_LINKAGE_NONE)
            first[g] = m;
        else if (other[g] == KIN_LINKAGE_NONE &&
                 (!o->across_sources || c->source[m] != c->source[first[g]]))
            other[g] = m;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t m = members[i], g = group[m], to = first[g];
        if (m == first[g])
            continue;
        if (o->across_sources && c->source[m] == c->source[to])
            to = other[g];
        if (to != KIN_LINKAGE_NONE)
            put(s, (uint32_t)c->stars[star].rule + 1,
                &(struct kin_linkage_link){.group = g,
                                           .a = m,
                                           .b = to,
                                           .weight = KIN_LINKAGE_CERTAIN,
                                           .rule = c->stars[star].rule,
                                           .kind = KIN_LINKAGE_STAR});
    }
    for (uint32_t i = 0; i < n; i++)
        first[group[members[i]]] = other[group[members[i]]] = KIN_LINKAGE_NONE;
}

static kin_status put_stars(struct strands *s, const struct kin_linkage_component *c,
                            const struct kin_linkage_options *o, const struct kin_linkage_links *l,
                            const uint32_t *group)
{
    uint32_t *first = kin_reallocarray(NULL, c->count, sizeof *first);
    uint32_t *other = kin_reallocarray(NULL, c->count, sizeof *other);
    kin_status status = first && other ? KIN_OK : KIN_E_NOMEM;
    for (uint32_t i = 0; i < c->count && status == KIN_OK; i++)
        first[i] = other[i] = KIN_LINKAGE_NONE;
    for (size_t i = 0; i < c->star_count && status == KIN_OK; i++)
        put_star(s, c, o, l, i, group, first, other);
    kin_free(first);
    kin_free(other);
    return status;
}

/* Keeps what joins something. */
static kin_status keep_tree(struct strands *s, uint32_t count)
{
    struct kin_union_find sets;
    if (kin_union_find_init(&sets, count) != KIN_OK)
        return KIN_E_NOMEM;
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (kin_union_find_join(&sets, s->list[i].link.a, s->list[i].link.b))
            s->list[kept++] = s->list[i];
    }
    s->count = kept;
    kin_union_find_deinit(&sets);
    return KIN_OK;
}

kin_status kin_linkage_explain(struct kin_arena *arena, const struct kin_linkage_component *c,
                               const struct kin_linkage_options *options, const uint32_t *group,
                               struct kin_linkage_glue *out)
{
    struct kin_linkage_links links = {0};
    struct strands s = {0};
    if (!kin_linkage_options_valid(c, options))
        return KIN_E_INVAL;
    for (uint32_t i = 0; i < c->count; i++) {
        if (group[i] >= c->count)
            return KIN_E_INVAL;
    }
    kin_status status = kin_linkage_links_init(&links, c);
    if (status == KIN_OK) {
        s.cap = links.tie_count + links.begin[c->star_count];
        s.list = kin_reallocarray(NULL, s.cap, sizeof *s.list);
        status = s.list ? KIN_OK : KIN_E_NOMEM;
    }
    if (status == KIN_OK) {
        put_ties(&s, &links, group);
        status = put_stars(&s, c, options, &links, group);
    }
    if (status == KIN_OK) {
        qsort(s.list, s.count, sizeof *s.list, by_weakness);
        status = keep_tree(&s, c->count);
    }
    struct kin_linkage_link *list = NULL;
    if (status == KIN_OK) {
        qsort(s.list, s.count, sizeof *s.list, by_group);
        list = kin_arena_alloc(arena, s.count * sizeof *list);
        status = list ? KIN_OK : KIN_E_NOMEM;
    }
    for (size_t i = 0; i < s.count && status == KIN_OK; i++)
        list[i] = s.list[i].link;
    if (status == KIN_OK)
        *out = (struct kin_linkage_glue){list, s.count};
    kin_free(s.list);
    kin_linkage_links_deinit(&links);
    return status;
}
