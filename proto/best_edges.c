#include "proto/best_edges.h"

kin_status kin_best_edges_init(struct kin_best_edges *b, uint32_t count, bool has_model,
                               uint16_t model)
{
    size_t room = count ? count : 1;
    *b = (struct kin_best_edges){.model = model};
    b->rule = kin_reallocarray(NULL, room, sizeof *b->rule);
    if (has_model)
        b->weight = kin_reallocarray(NULL, room, sizeof *b->weight);
    if (!b->rule || (has_model && !b->weight))
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        atomic_init(&b->rule[i], UINT16_MAX);
    for (uint32_t i = 0; has_model && i < count; i++)
        atomic_init(&b->weight[i], INT32_MIN);
    return KIN_OK;
}

void kin_best_edges_deinit(struct kin_best_edges *b)
{
    kin_free(b->rule);
    kin_free(b->weight);
    *b = (struct kin_best_edges){0};
}
