#ifndef KIN_GROUP_UNION_FIND_H
#define KIN_GROUP_UNION_FIND_H
/* Disjoint sets over 0..n-1 in one array, which any number of threads join at the same time. The
 * root of a set is its smallest member, so that the label of a set depends neither on the order of
 * unions nor on how threads interleave.
 *
 * The walk is Rem's (Dijkstra 1976; in parallel: Patwary, Refsnes and Manne 2012): of the two ends
 * the larger climbs, until they meet or it is a root, which is linked by a compare-and-swap
 * (Anderson and Woll 1991). Paths are halved on the way. It is among the fastest of the variants
 * that Dhulipala, Hong and Shun (ConnectIt 2020) compare. Splicing, as Rem has it, is a little
 * faster on small sets, but takes apart for a while what was joined; here a join that returned
 * holds for everybody who comes after it. tests/bench/bench_reconcile.c has this and others.
 *
 * Why it is right. Call x linked to y when the compare-and-swap of join made y the parent of x. A
 * node is linked once at most, to a smaller one, for good: links are a forest, whose trees are the
 * sets. Each value that parent[x] ever has is x, until x is linked, or a node above x in this
 * forest: a halving writes what was the parent of x's parent, and only where x was seen linked.
 *  - So a value that is out of date still is of the same set, and smaller: every walk goes down in
 *    number and ends. That is why halving is a plain store: it may at worst undo a halving of
 *    another thread, and costs no locked instruction.
 *  - A link of root a to b < a unites two sets: the root of a set is its smallest member, so b is
 * in no set of which a is the root. b need not be a root itself.
 *  - Which sets there are at the end depends on the edges only; their roots are the nodes that
 *    were never linked, one in each: the smallest.
 * Memory order. A parent is a number, and no other memory is reached through it; each argument
 * above is about one word, whose values every thread sees in one order. So everything is relaxed.
 * Who reads final roots has to come after the joins by other means, such as the `done` of their
 * tasks.
 *
 * init and deinit: one thread, alone. Everything else: any thread. */
#include "common/base/mem.h"

#include <stdatomic.h>

struct kin_union_find {
    _Atomic uint32_t *parent; /* parent[x] <= x; equal: a root */
    uint32_t count;
};
kin_status kin_union_find_init(struct kin_union_find *u, uint32_t count) KIN_MUST_CHECK;
void kin_union_find_deinit(struct kin_union_find *u);

static inline uint32_t kin_union_find_parent(const struct kin_union_find *u, uint32_t x)
{
    return atomic_load_explicit(&u->parent[x], memory_order_relaxed);
}
/* One step up from x, whose parent is `parent` (not x): to the grandparent, which becomes the
 * parent. */
static inline uint32_t kin_union_find_halve(struct kin_union_find *u, uint32_t x, uint32_t parent)
{
    uint32_t above = kin_union_find_parent(u, parent);
    if (above != parent) /* what is so already leaves the cache line alone */
        atomic_store_explicit(&u->parent[x], above, memory_order_relaxed);
    return above;
}
/* The smallest member of x's set; while others join, one that was it since the call began. */
static inline uint32_t kin_union_find_root(struct kin_union_find *u, uint32_t x)
{
    for (uint32_t parent; (parent = kin_union_find_parent(u, x)) != x;)
        x = kin_union_find_halve(u, x, parent);
    return x;
}
/* true if a and b were in different sets: of all joins that unite the same two, one is told so. */
static inline bool kin_union_find_join(struct kin_union_find *u, uint32_t a, uint32_t b)
{
    for (;;) {
        uint32_t up = kin_union_find_parent(u, a), other = kin_union_find_parent(u, b);
        if (up == other)
            return false;
        if (up < other) {
            uint32_t low = a;
            a = b;
            b = low;
            low = up;
            up = other;
            other = low;
        }
        if (up != a)
            a = kin_union_find_halve(u, a, up);
        else if (atomic_compare_exchange_strong_explicit(
                     &u->parent[a], &up, other, memory_order_relaxed, memory_order_relaxed))
            return true;
    }
}
/* Joins over many nodes wait for memory: who knows the ends of a later edge says so, about
 * KIN_UNION_FIND_AHEAD edges before. */
enum { KIN_UNION_FIND_AHEAD = 16 };
static inline void kin_union_find_fetch(const struct kin_union_find *u, uint32_t x)
{
    __builtin_prefetch(&u->parent[x], 1);
}

#endif
