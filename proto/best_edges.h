#ifndef KIN_PROTO_BEST_EDGES_H
#define KIN_PROTO_BEST_EDGES_H
/* The best edge of each record: what its match is named after. Of two edges that of the smaller
 * rule is better, the model (rule number `model`) being the last; of two of the model the heavier.
 * Edges may be added by any number of threads at the same time, in any order: the result is the
 * same.
 *
 * Rule and weight are words of their own, one only ever falling and one only ever rising, by a
 * relaxed compare-and-swap: neither says anything about the other, nor about other memory. The
 * weight, of the heaviest edge of the model, counts where the rule ended as the model. Who reads
 * the result has to come after the additions by other means, such as the `done` of their tasks.
 *
 * init, deinit and set: while no other thread adds. */
#include "common/base/mem.h"
#include "proto/edges.h"

#include <stdatomic.h>

struct kin_best_edges {
    _Atomic uint16_t *rule;  /* UINT16_MAX: none */
    _Atomic int32_t *weight; /* NULL: there is no model */
    uint16_t model;
};
/* model: its rule number; has_model false: edges of it come not. deinit after an error too. */
kin_status kin_best_edges_init(struct kin_best_edges *b, uint32_t count, bool has_model,
                               uint16_t model) KIN_MUST_CHECK;
void kin_best_edges_deinit(struct kin_best_edges *b);

static inline void kin_best_edges_add(struct kin_best_edges *b, uint32_t record,
                                      struct kin_best_edge edge)
{
    uint16_t rule = atomic_load_explicit(&b->rule[record], memory_order_relaxed);
    while (edge.rule < rule &&
           !atomic_compare_exchange_weak_explicit(&b->rule[record], &rule, edge.rule,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
    if (!b->weight || edge.rule != b->model)
        return;
    int32_t weight = atomic_load_explicit(&b->weight[record], memory_order_relaxed);
    while (edge.weight > weight &&
           !atomic_compare_exchange_weak_explicit(&b->weight[record], &weight, edge.weight,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}
static inline bool kin_best_edges_has(const struct kin_best_edges *b, uint32_t record)
{
    return atomic_load_explicit(&b->rule[record], memory_order_relaxed) != UINT16_MAX;
}
/* rule UINT16_MAX: it has none. weight: 0 where the rule is not the model. */
static inline struct kin_best_edge kin_best_edges_get(const struct kin_best_edges *b,
                                                      uint32_t record)
{
    uint16_t rule = atomic_load_explicit(&b->rule[record], memory_order_relaxed);
    bool weighed = b->weight && rule == b->model;
    return (struct kin_best_edge){
        rule, weighed ? atomic_load_explicit(&b->weight[record], memory_order_relaxed) : 0};
}
/* In place of what was added. */
static inline void kin_best_edges_set(struct kin_best_edges *b, uint32_t record,
                                      struct kin_best_edge edge)
{
    atomic_store_explicit(&b->rule[record], edge.rule, memory_order_relaxed);
    if (b->weight)
        atomic_store_explicit(&b->weight[record], edge.weight, memory_order_relaxed);
}

#endif
