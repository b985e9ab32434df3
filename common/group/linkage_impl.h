#ifndef KIN_GROUP_LINKAGE_IMPL_H
#define KIN_GROUP_LINKAGE_IMPL_H
/* Inside of linkage.h: links in order, clusters and the pairs between them, the heap of pairs. One
 * thread; everything belongs to one call. */
#include "common/base/radix.h"
#include "common/group/linkage.h"

__extension__ typedef __int128 kin_linkage_wide;

#define KIN_LINKAGE_NONE UINT32_MAX

/* ---- links in canonical form (linkage_links.c) ---- */

enum {
    KIN_LINKAGE_RANK_MUST = 0,
    KIN_LINKAGE_RANK_MODEL = KIN_LINKAGE_MODEL + 1,
    /* defaults of the bounds */
    KIN_LINKAGE_PAIRS = 1 << 23,
    KIN_LINKAGE_CHECKS = 1 << 27,
    KIN_LINKAGE_TRIES = 1 << 24,
};

struct kin_linkage_tie { /* an edge or a must link */
    uint32_t a, b;       /* a < b */
    int32_t weight;
    uint32_t rank; /* rule + 1, or one of the above */
};
struct kin_linkage_links {
    struct kin_linkage_tie *ties; /* by (a, b), each pair once: its strongest */
    size_t tie_count;
    struct kin_keyed *order;  /* value: index of a tie; strongest first */
    uint32_t *members;        /* of all stars, star by star, ascending without repeats */
    uint32_t *begin;          /* [star_count + 1]: where a star's members begin */
    struct kin_keyed *events; /* key: rank << 32 | member, value: its place in members, extra: its
                                 star; ascending */
    size_t event_count;
};
/* Links in order of strength: the higher, the weaker. */
static inline uint64_t kin_linkage_weakness(uint32_t rank, int32_t weight)
{
    return (uint64_t)rank << 32 | ((uint32_t)INT32_MAX - (uint32_t)weight);
}
bool kin_linkage_options_valid(const struct kin_linkage_component *c,
                               const struct kin_linkage_options *o);
/* Checks the component and brings its links in order. deinit after an error too. */
kin_status kin_linkage_links_init(struct kin_linkage_links *l,
                                  const struct kin_linkage_component *c) KIN_MUST_CHECK;
void kin_linkage_links_deinit(struct kin_linkage_links *l);

/* ---- clusters (linkage_clusters.c) and pairs of clusters (linkage_pairs.c) ---- */

enum {
    /* flags of a pair; a join with a third cluster passes them on */
    KIN_LINKAGE_NEVER = 1,   /* a person keeps two of their records apart */
    KIN_LINKAGE_VETO = 2,    /* a rule does */
    KIN_LINKAGE_REFUSED = 4, /* was the strongest left, and was refused */
};

struct kin_linkage_between { /* a pair of clusters: what is known of the record pairs across */
    int64_t sum;             /* over the edges of the model: weight less `unscored` */
    uint32_t end[2];         /* roots; equal: the pair is no more */
    uint32_t next[2];        /* the next pair of end[i], as a node; 0: none */
    uint32_t flags;
};

struct kin_linkage_entry { /* of the heap: a pair and its mean when it was last looked at */
    int64_t sum;
    uint64_t count;           /* record pairs across */
    uint32_t smaller, larger; /* smallest items of the two clusters */
    uint32_t pair;
};
struct kin_linkage_heap {
    struct kin_linkage_entry *entries; /* [0] has the highest mean, then the smallest items */
    uint32_t n, cap;
    uint32_t *at; /* [pair] place in entries, plus 1; 0: none */
};

struct kin_linkage_state {
    const struct kin_linkage_component *c;
    const struct kin_linkage_options *o;
    int32_t lowest; /* threshold */
    uint64_t max_pairs, checks_left, tries_left;

    /* clusters; a cluster is known by its root, an item of it */
    uint32_t *root; /* [count] union-find */
    uint32_t *ring; /* [count] the next item of the cluster */
    uint32_t *size; /* [root] and so on: */
    uint32_t *smallest;
    int32_t *weight; /* the smallest weight of the merges that made it */
    uint64_t *clean; /* [count * clean_words] clean sources it has, a bit each */
    unsigned clean_words;
    uint32_t *first;  /* its pairs, as nodes: pair * 2 + end, plus 1; 0: none */
    uint32_t *degree; /* how many */

    /* pairs of clusters */
    struct kin_linkage_between *pairs;
    uint32_t pair_count, pair_cap; /* with those that are no more */
    uint64_t *slots; /* hash table: low 32 bits pair + 1, high 32 bits of its hash; 0: empty */
    uint64_t slot_cap;
    uint32_t slot_mask, slot_used;
    bool averaging; /* pairs are kept in the heap */
    struct kin_linkage_heap heap;

    struct kin_linkage_merge *merges; /* [count - 1] in the arena of the result */
    uint32_t merge_count;
    uint64_t refused_merges, unchecked;
    unsigned flags;
};

kin_status kin_linkage_state_init(struct kin_linkage_state *s,
                                  const struct kin_linkage_component *c,
                                  const struct kin_linkage_options *o,
                                  struct kin_arena *arena) KIN_MUST_CHECK;
void kin_linkage_state_deinit(struct kin_linkage_state *s);

static inline uint32_t kin_linkage_root(struct kin_linkage_state *s, uint32_t x)
{
    uint32_t *p = s->root;
    while (p[x] != x) {
        p[x] = p[p[x]];
        x = p[x];
    }
    return x;
}
/* Forgets all pairs; makes room for `expected`. Clusters that had any, and are still roots, must
 * have their lists cleared by the caller (first, degree). KIN_E_NOMEM, KIN_E_LIMIT: 2^31 pairs. */
kin_status kin_linkage_pairs_reset(struct kin_linkage_state *s, uint32_t expected) KIN_MUST_CHECK;
/* The pair of two roots, or KIN_LINKAGE_NONE. */
uint32_t kin_linkage_pair_find(const struct kin_linkage_state *s, uint32_t a, uint32_t b);
/* The same; made if there is none. Status as above. */
kin_status kin_linkage_pair_get(struct kin_linkage_state *s, uint32_t a, uint32_t b,
                                uint32_t *pair) KIN_MUST_CHECK;
void kin_linkage_pair_drop(struct kin_linkage_state *s, uint32_t pair);
/* The pairs of `gone` become pairs of `kept`, which is a cluster with its new size already. */
void kin_linkage_pairs_move(struct kin_linkage_state *s, uint32_t gone, uint32_t kept);
/* May two clusters be one? A hit of `forbidden` is noted in their pair. by_person: only another
 * person says no. */
kin_status kin_linkage_allowed(struct kin_linkage_state *s, uint32_t a, uint32_t b, bool by_person,
                               bool *allowed) KIN_MUST_CHECK;
/* Makes two clusters one: pairs with a third cluster are added up. */
void kin_linkage_join(struct kin_linkage_state *s, uint32_t a, uint32_t b, int32_t weight);

/* ---- strongest first (linkage_links.c) ---- */

/* Unites by links down to rank `last`, and edges of the model from the lowest threshold. */
kin_status kin_linkage_unite(struct kin_linkage_state *s, const struct kin_linkage_links *l,
                             uint32_t last) KIN_MUST_CHECK;

/* ---- the heap (linkage_heap.c) ---- */

void kin_linkage_heap_deinit(struct kin_linkage_heap *h);
/* Empties it; room for pairs 0..pairs-1. KIN_E_NOMEM. */
kin_status kin_linkage_heap_reset(struct kin_linkage_heap *h, uint32_t pairs) KIN_MUST_CHECK;
/* Puts a pair in, or moves it to where it belongs now. */
void kin_linkage_heap_set(struct kin_linkage_heap *h, const struct kin_linkage_entry *entry);
void kin_linkage_heap_remove(struct kin_linkage_heap *h, uint32_t pair); /* if it is there */

/* ---- average linkage (linkage_average.c) ---- */

/* The entry of a pair as it is now; false: its mean is below the lowest threshold. */
bool kin_linkage_entry_of(const struct kin_linkage_state *s, const uint32_t end[2], int64_t sum,
                          struct kin_linkage_entry *out);
kin_status kin_linkage_average(struct kin_linkage_state *s,
                               const struct kin_linkage_links *l) KIN_MUST_CHECK;

#endif
