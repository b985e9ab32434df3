#include "common/group/linkage_impl.h"

#include <string.h>

/* A binary heap that knows where each pair is. */

void kin_linkage_heap_deinit(struct kin_linkage_heap *h)
{
    kin_free(h->entries);
    kin_free(h->at);
    *h = (struct kin_linkage_heap){0};
}

kin_status kin_linkage_heap_reset(struct kin_linkage_heap *h, uint32_t pairs)
{
    h->n = 0;
    if (pairs > h->cap) {
        kin_linkage_heap_deinit(h);
        h->entries = kin_reallocarray(NULL, pairs, sizeof *h->entries);
        h->at = kin_reallocarray(NULL, pairs, sizeof *h->at);
        if (!h->entries || !h->at)
            return KIN_E_NOMEM;
        h->cap = pairs;
    }
    if (pairs)
        memset(h->at, 0, pairs * sizeof *h->at);
    return KIN_OK;
}

static bool before(const struct kin_linkage_entry *x, const struct kin_linkage_entry *y)
{
    kin_linkage_wide left = (kin_linkage_wide)x->sum * (kin_linkage_wide)y->count;
    kin_linkage_wide right = (kin_linkage_wide)y->sum * (kin_linkage_wide)x->count;
    if (left != right)
        return left > right;
    return x->smaller != y->smaller ? x->smaller < y->smaller : x->larger < y->larger;
}

static void put(struct kin_linkage_heap *h, uint32_t i, const struct kin_linkage_entry *entry)
{
    h->entries[i] = *entry;
    h->at[entry->pair] = i + 1;
}

/* Moves the entry at i, whose place is free, up or down to where it belongs. */
static void settle(struct kin_linkage_heap *h, uint32_t i, struct kin_linkage_entry entry)
{
    while (i > 0 && before(&entry, &h->entries[(i - 1) / 2])) {
        put(h, i, &h->entries[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        uint64_t child = 2 * (uint64_t)i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && before(&h->entries[child + 1], &h->entries[child]))
            child++;
        if (!before(&h->entries[child], &entry))
            break;
        put(h, i, &h->entries[child]);
        i = (uint32_t)child;
    }
    put(h, i, &entry);
}

void kin_linkage_heap_set(struct kin_linkage_heap *h, const struct kin_linkage_entry *entry)
{
    uint32_t at = h->at[entry->pair];
    settle(h, at ? at - 1 : h->n++, *entry);
}

void kin_linkage_heap_remove(struct kin_linkage_heap *h, uint32_t pair)
{
    uint32_t at = h->at[pair];
    if (!at)
        return;
    h->at[pair] = 0;
    struct kin_linkage_entry last = h->entries[--h->n];
    if (at - 1 < h->n)
        settle(h, at - 1, last);
}
