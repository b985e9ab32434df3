#include "common/group/union_find.h"

kin_status kin_union_find_init(struct kin_union_find *u, uint32_t count)
{
    u->parent = kin_reallocarray(NULL, count ? count : 1, sizeof *u->parent);
    if (!u->parent)
        return KIN_E_NOMEM;
    u->count = count;
    for (uint32_t i = 0; i < count; i++)
        atomic_init(&u->parent[i], i);
    return KIN_OK;
}

void kin_union_find_deinit(struct kin_union_find *u)
{
    kin_free(u->parent);
    *u = (struct kin_union_find){0};
}
