#ifndef KIN_TESTS_ORACLE_LINKAGE_REFERENCE_H
#define KIN_TESTS_ORACLE_LINKAGE_REFERENCE_H
/* The plain reference of common/group/linkage.h: all pairs of records in matrices, every pair of
 * groups looked at in every step, each threshold computed from the start for itself. Shares nothing
 * with the product but the declarations. Aborts on anything unexpected; no bounds. */
#include "common/group/linkage.h"

enum { LINKAGE_REFERENCE_MAX = 96 };

struct linkage_reference {
    uint32_t group[KIN_LINKAGE_THRESHOLDS_MAX][LINKAGE_REFERENCE_MAX]; /* [threshold][item] */
    uint64_t refused_links, refused_merges;                            /* at the lowest threshold */
    /* the strongest spanning trees of the groups of the lowest threshold, as in kin_linkage_glue */
    struct kin_linkage_link glue[LINKAGE_REFERENCE_MAX];
    size_t glue_count;
};
void linkage_reference_run(const struct kin_linkage_component *c,
                           const struct kin_linkage_options *o, struct linkage_reference *out);

/* Mean weight, times the number of record pairs (*pairs), of two groups named as in `group`. */
int64_t linkage_reference_sum(const struct kin_linkage_component *c,
                              const struct kin_linkage_options *o, const uint32_t *group,
                              uint32_t a, uint32_t b, int64_t *pairs);

/* Does anything keep a record of one apart from a record of the other? */
bool linkage_reference_apart(const struct kin_linkage_component *c,
                             const struct kin_linkage_options *o, const uint32_t *group, uint32_t a,
                             uint32_t b);

/* A random component that has everything, at most max_count items: ties are many. It borrows from
 * itself, so it must not be moved. */
struct linkage_random {
    struct kin_linkage_component c;
    struct kin_linkage_options o;
    uint16_t source[LINKAGE_REFERENCE_MAX];
    struct kin_linkage_edge edges[400];
    struct kin_linkage_star stars[6];
    uint32_t star_members[6][LINKAGE_REFERENCE_MAX];
    struct kin_linkage_pair must[6], never[6], veto[30];
    uint16_t clean[8];
    int32_t thresholds[4];
    bool forbidden[LINKAGE_REFERENCE_MAX][LINKAGE_REFERENCE_MAX];
    uint64_t asked[LINKAGE_REFERENCE_MAX][LINKAGE_REFERENCE_MAX]; /* `forbidden`, since made */
};
void linkage_random_make(struct linkage_random *r, uint64_t *rng, uint32_t max_count);
uint32_t linkage_draw(uint64_t *rng, uint32_t n); /* 0..n-1 */

#endif
