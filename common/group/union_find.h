#ifndef KIN_GROUP_UNION_FIND_H
#define KIN_GROUP_UNION_FIND_H
/* Disjoint sets over 0..n-1 in one array (path halving; the smaller number becomes the root, so
 * that the label of a set does not depend on the order of unions). One thread. Tarjan and van
 * Leeuwen 1984. */
#include "common/base/mem.h"

struct kin_union_find {
    uint32_t *parent;
    uint32_t count;
};
kin_status kin_union_find_init(struct kin_union_find *u, uint32_t count) KIN_MUST_CHECK;
void kin_union_find_deinit(struct kin_union_find *u);
static inline uint32_t kin_union_find_root(struct kin_union_find *u, uint32_t x)
{
    uint32_t *p = u->parent;
    while (p[x] != x) {
        p[x] = p[p[x]];
        x = p[x];
    }
    return x;
}
/* true if a and b were in different sets. */
static inline bool kin_union_find_join(struct kin_union_find *u, uint32_t a, uint32_t b)
{
    a = kin_union_find_root(u, a);
    b = kin_union_find_root(u, b);
    if (a == b)
        return false;
    if (a < b)
        u->parent[b] = a;
    else
        u->parent[a] = b;
    return true;
}

#endif
