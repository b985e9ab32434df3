#include "proto/edges.h"

kin_status kin_edges_order(struct kin_buf *edges)
{
    struct kin_keyed *e = (struct kin_keyed *)(void *)edges->p;
    size_t n = edges->n / sizeof *e, kept = 0;
    struct kin_keyed *tmp = kin_reallocarray(NULL, n, sizeof *tmp);
    if (!tmp)
        return KIN_E_NOMEM;
    if (n)
        kin_radix_sort(e, tmp, n);
    kin_free(tmp);
    for (size_t i = 0; i < n; i++) {
        if (kept && e[kept - 1].key == e[i].key) {
            struct kin_keyed *k = &e[kept - 1];
            uint32_t old = k->value & ~(uint32_t)KIN_EDGE_STAR;
            uint32_t now = e[i].value & ~(uint32_t)KIN_EDGE_STAR;
            if (now < old || (now == old && e[i].value < k->value))
                k->value = e[i].value;
            continue;
        }
        e[kept++] = e[i];
    }
    edges->n = kept * sizeof *e;
    return KIN_OK;
}
