#include "proto/edges.h"

/* Puts an edge behind those that are in order. */
static void put(struct kin_keyed *e, size_t *kept, const struct kin_keyed *edge)
{
    if (*kept == 0 || e[*kept - 1].key != edge->key) {
        e[(*kept)++] = *edge;
        return;
    }
    struct kin_keyed *k = &e[*kept - 1];
    uint32_t old = k->value & ~(uint32_t)KIN_EDGE_STAR;
    uint32_t now = edge->value & ~(uint32_t)KIN_EDGE_STAR;
    if (now < old || (now == old && edge->value < k->value))
        *k = *edge;
}

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
    for (size_t i = 0; i < n; i++)
        put(e, &kept, &e[i]);
    edges->n = kept * sizeof *e;
    return KIN_OK;
}

static kin_status merge_two(struct kin_buf *a, struct kin_buf *b, struct kin_buf *out)
{
    const struct kin_keyed *x = (const struct kin_keyed *)(const void *)a->p;
    const struct kin_keyed *y = (const struct kin_keyed *)(const void *)b->p;
    size_t n = a->n / sizeof *x, m = b->n / sizeof *y, i = 0, j = 0, kept = 0;
    struct kin_keyed *e = (struct kin_keyed *)(void *)kin_buf_extend(out, a->n + b->n);
    if (!e)
        return KIN_E_NOMEM;
    while (i < n && j < m) {
        bool first = x[i].key <= y[j].key;
        put(e, &kept, first ? &x[i] : &y[j]);
        i += first;
        j += !first;
    }
    for (; i < n; i++)
        put(e, &kept, &x[i]);
    for (; j < m; j++)
        put(e, &kept, &y[j]);
    out->n = kept * sizeof *e;
    return KIN_OK;
}

kin_status kin_edges_merge(struct kin_buf *lists, size_t count, struct kin_buf *out)
{
    for (size_t step = 1; step < count; step *= 2) { /* neighbours, so that their order stays */
        for (size_t i = 0; i + step < count; i += 2 * step) {
            struct kin_buf both = {0}, *a = &lists[i], *b = &lists[i + step];
            kin_status status = KIN_OK;
            if (a->n == 0 || b->n == 0) {
                both = a->n ? *a : *b;
                *(a->n ? a : b) = (struct kin_buf){0};
            } else {
                status = merge_two(a, b, &both);
            }
            kin_buf_deinit(a);
            kin_buf_deinit(b);
            *a = both;
            if (status != KIN_OK)
                return status;
        }
    }
    if (count) {
        *out = lists[0];
        lists[0] = (struct kin_buf){0};
    }
    return KIN_OK;
}
