/* The N highest of many: a sorted array, since N is small and few of many get in. */
#include "client/evaluate_impl.h"

#include <string.h>

kin_status evaluate_top_init(struct evaluate_top *top, size_t cap)
{
    *top =
        (struct evaluate_top){.items = kin_reallocarray(NULL, cap, sizeof *top->items), .cap = cap};
    return top->items ? KIN_OK : KIN_E_NOMEM;
}

void evaluate_top_deinit(struct evaluate_top *top)
{
    kin_free(top->items);
    *top = (struct evaluate_top){0};
}

static bool before(uint64_t rank, uint64_t order, const struct evaluate_ranked *x)
{
    return rank != x->rank ? rank > x->rank : order < x->order;
}

bool evaluate_top_wants(const struct evaluate_top *top, uint64_t rank, uint64_t order)
{
    return top->count < top->cap || (top->cap && before(rank, order, &top->items[top->cap - 1]));
}

void evaluate_top_add(struct evaluate_top *top, struct evaluate_ranked item)
{
    if (!evaluate_top_wants(top, item.rank, item.order))
        return;
    size_t low = 0, high = top->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (before(item.rank, item.order, &top->items[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    top->count += top->count < top->cap;
    memmove(&top->items[low + 1], &top->items[low], (top->count - low - 1) * sizeof item);
    top->items[low] = item;
}
