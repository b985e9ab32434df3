#ifndef KIN_GROUP_LINKAGE_H
#define KIN_GROUP_LINKAGE_H
/* Clustering inside one component: which of its records are one MatchGroup.
 *
 * Two methods, both strongest first, both refusing what may not be together:
 * - connected: links are taken one by one, strongest first, and unite what they join.
 * - linkage: average-link agglomeration (UPGMA: Sokal and Michener 1958; update of Lance and
 *   Williams 1967). What a rule, a star or a person united is one cluster from the start; then the
 *   two clusters whose record pairs have the highest mean weight are joined, again and again, while
 *   that mean is at least the lowest threshold. The joins are a dendrogram; every threshold is a
 *   cut of it, so the groups of a higher threshold lie inside those of a lower one.
 *
 * Order of strength, everywhere: must links, then edges and stars by rule, edges of the model last;
 * inside a rule by weight, the higher first; then by smaller and larger end. Clusters of equal mean
 * weight go by their smallest members, the smaller and then the larger of the two.
 *
 * Refused is a union that would put two records into one group that a person (`never`), a rule
 * (`veto`, `forbidden`) or a clean source (two records of it) keeps apart; strongest first as in
 * CLIP (Saeedi, Peukert, Rahm 2018). Two clusters once refused stay apart, whatever joins them. A
 * must link is a person's word: it gives way to a never link only.
 *
 * All arithmetic is on integers and exact, so the result depends on the component alone, not on the
 * order in which it is listed. Pure; any thread; results are in the arena. docs/clustering.md has
 * the bounds and the measurements behind the defaults. */
#include "common/base/mem.h"

enum {
    KIN_LINKAGE_BIT = 65536,         /* weights are fixed point: one bit of log2 */
    KIN_LINKAGE_CERTAIN = INT32_MAX, /* weight of what a star joins, and of a rule's edge
                                        where rules have no weights */
    KIN_LINKAGE_MODEL = UINT16_MAX,  /* rule of an edge that no rule made, only a weight */
    KIN_LINKAGE_THRESHOLDS_MAX = 32,
    /* bits; in a mean, a weight further from zero counts as this: odds of 1 to 10^19 are no more
     * certain, and one such edge must not outvote any number of others */
    KIN_LINKAGE_WEIGHT_MAX = 64 * KIN_LINKAGE_BIT,
};

struct kin_linkage_edge {
    uint32_t a, b; /* items, a != b, in any order */
    int32_t weight;
    uint16_t rule; /* KIN_LINKAGE_MODEL: only what its weight says */
};
struct kin_linkage_star {
    const uint32_t *members; /* items, at least one; repeats count once */
    uint32_t count;
    uint16_t rule; /* not KIN_LINKAGE_MODEL */
};
struct kin_linkage_pair {
    uint32_t a, b; /* items, a != b, in any order */
};

/* Items are records, numbered in the order of (source, id). Pairs may be repeated; of edges of the
 * same pair the strongest counts. All is borrowed. */
struct kin_linkage_component {
    uint32_t count;
    const uint16_t *source; /* [count]; may be NULL without clean sources and across_sources */
    const struct kin_linkage_edge *edges;
    size_t edge_count;
    const struct kin_linkage_star *stars;
    size_t star_count;
    const struct kin_linkage_pair *must, *never; /* a person's links */
    size_t must_count, never_count;
    const struct kin_linkage_pair *veto; /* pairs that a rule keeps apart, or: */
    size_t veto_count;
    /* May be NULL. Symmetric, always the same answer for the same pair; asked at most once for a
     * pair, and only for pairs that a union is about to put into one group. */
    bool (*forbidden)(void *arg, uint32_t a, uint32_t b);
    void *forbidden_arg;
};

enum kin_linkage_method { KIN_LINKAGE_CONNECTED, KIN_LINKAGE_AVERAGE };

struct kin_linkage_options {
    enum kin_linkage_method method;
    bool across_sources;   /* in a star only pairs of different sources match */
    const uint16_t *clean; /* sources without duplicates of their own, ascending */
    size_t clean_count;
    const int32_t *thresholds; /* descending; compared with edges of the model (connected), with
                                  means (linkage) */
    size_t threshold_count;    /* at least 1 */
    /* linkage only; both between -KIN_LINKAGE_WEIGHT_MAX and one bit below the lowest threshold,
     * which is at most KIN_LINKAGE_WEIGHT_MAX: */
    int32_t floor;    /* an edge of the model that weighs less counts as this */
    int32_t unscored; /* a pair of records without an edge of the model counts as this */
    /* Bounds; 0: the default. What is beyond them is said in the result. */
    uint64_t max_pairs;  /* pairs of clusters that are agglomerated at a time; default 2^23. A part
                            of n clusters always fits if n (n - 1) / 2 does. */
    uint64_t max_checks; /* answers of `forbidden`; default 2^27 */
    uint64_t max_tries;  /* pairs of stars tried after the first two rows of each; default 2^24 */
};

/* What floor and unscored should be: two bits (odds of four to one, on which two records of a
 * component nearly always are), or two below the lowest threshold if that is less. So pairs that
 * were compared and weigh less need not be told from pairs that were never compared, and need not
 * be listed. docs/clustering.md has the measurements. */
static inline int32_t kin_linkage_floor(int32_t lowest_threshold)
{
    const int32_t two = 2 * KIN_LINKAGE_BIT;
    if (lowest_threshold >= 2 * two)
        return two;
    return lowest_threshold > two - KIN_LINKAGE_WEIGHT_MAX ? lowest_threshold - two
                                                           : -KIN_LINKAGE_WEIGHT_MAX;
}

enum {
    KIN_LINKAGE_CUT = 1,       /* more than max_pairs: strongest first inside parts, see the docs */
    KIN_LINKAGE_UNCHECKED = 2, /* more than max_checks: unions were made unseen */
    KIN_LINKAGE_UNTRIED = 4,   /* more than max_tries: pairs of stars were left out */
};

struct kin_linkage_merge {
    uint32_t a, b;  /* smallest items of the two groups it joined, a < b */
    int32_t weight; /* they are one group at thresholds up to this: the weight of the edge
                       (connected), the mean, rounded down (linkage), KIN_LINKAGE_CERTAIN for what
                       a must link, a star or a rule joined; never above those of the joins that
                       made the two */
};
struct kin_linkage_result {
    uint32_t *group; /* [threshold_count * count]: for each threshold, the items' groups; a group is
                        named by its smallest item */
    struct kin_linkage_merge *merges; /* a join comes after those that made its two groups */
    uint32_t merge_count;
    uint64_t refused_links;  /* must links, edges of a rule and (connected) edges of the model from
                                the lowest threshold whose ends are in different groups at the
                                lowest threshold; and for each star, the groups its members are in,
                                less one */
    uint64_t refused_merges; /* linkage: pairs of clusters that were the strongest left, but may
                                not be one */
    uint64_t unchecked;      /* pairs of records put into one group without asking `forbidden` */
    unsigned flags;
};

/* KIN_E_INVAL: an item or a rule out of range, an edge or link of an item with itself,
 * options out of their range. KIN_E_LIMIT: 2^31 links. KIN_E_NOMEM. *out is set on success only. */
kin_status kin_linkage_cluster(struct kin_arena *arena, const struct kin_linkage_component *c,
                               const struct kin_linkage_options *options,
                               struct kin_linkage_result *out) KIN_MUST_CHECK;

/* ---- what holds a group together ---- */

enum kin_linkage_kind { KIN_LINKAGE_MUST, KIN_LINKAGE_STAR, KIN_LINKAGE_EDGE };
struct kin_linkage_link {
    uint32_t group, a, b; /* a < b */
    int32_t weight;       /* KIN_LINKAGE_CERTAIN but for edges */
    uint16_t rule;        /* 0 for must links */
    uint8_t kind;
};
struct kin_linkage_glue {
    struct kin_linkage_link *links; /* by group, then strongest first: the last of a group is the
                                       weakest link that it hangs on */
    size_t count;
};

/* The spanning tree of strongest links of each group (Kruskal 1956): group is [count], one row of a
 * result, all of whose groups are spanned. Status as above; KIN_E_INVAL also for a group out
 * of range. */
kin_status kin_linkage_explain(struct kin_arena *arena, const struct kin_linkage_component *c,
                               const struct kin_linkage_options *options, const uint32_t *group,
                               struct kin_linkage_glue *out) KIN_MUST_CHECK;

#endif
