#include "worker/live.h"

#include <string.h>

/* Postings by key. Those that were there when the index was built are frozen: locals behind one
 * another, and a table of keys, where that of a single record holds it itself. Those that came
 * later are lists in a second table, whose locals are above all frozen ones. Removed records stay
 * in both until the index is built anew. */

enum { LATER_LEAST = 16, LINKS_LEAST = 64 };

static size_t slot_of(uint64_t key, size_t mask)
{
    return kin_hash_mix(key, 0) & mask;
}

struct live_index *live_index_new(void)
{
    return kin_calloc(1, sizeof(struct live_index));
}

void live_index_free(struct live_index *x)
{
    if (!x)
        return;
    for (unsigned i = 0; i < LIVE_PARTITIONS; i++) {
        struct live_partition *p = &x->partitions[i];
        kin_free(p->slots);
        kin_free(p->postings);
        kin_free(p->later);
        kin_free(p->links);
    }
    kin_free(x->records);
    kin_free(x);
}

kin_status live_index_freeze(struct live_partition *p, const struct kin_keyed *postings, size_t n)
{
    size_t keys = 0, many = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && postings[end].key == postings[i].key; end++)
            continue;
        keys++;
        many += end - i > 1 ? end - i : 0;
    }
    if (n == 0)
        return KIN_OK;
    if (n > UINT32_MAX / 4)
        return KIN_E_LIMIT;
    size_t size = 16;
    while (size < keys + keys / 2)
        size *= 2;
    p->slots = kin_calloc(size, sizeof *p->slots);
    p->postings = kin_reallocarray(NULL, many + 1, sizeof *p->postings);
    if (!p->slots || !p->postings)
        return KIN_E_NOMEM;
    p->mask = (uint32_t)(size - 1);
    uint32_t used = 0;
    for (size_t i = 0, end; i < n; i = end) {
        uint64_t key = postings[i].key;
        for (end = i + 1; end < n && postings[end].key == key; end++)
            continue;
        size_t at = slot_of(key, p->mask);
        while (p->slots[at].count)
            at = (at + 1) & p->mask;
        p->slots[at] =
            (struct live_slot){key, end - i > 1 ? used : postings[i].value, (uint32_t)(end - i)};
        for (size_t k = i; k < end && end - i > 1; k++)
            p->postings[used++] = postings[k].value;
    }
    return KIN_OK;
}

/* The place of a key among the later ones, or a free one. */
static struct live_later *later_slot(const struct live_partition *p, uint64_t key)
{
    size_t at = slot_of(key, p->later_mask);
    while (p->later[at].count && p->later[at].key != key)
        at = (at + 1) & p->later_mask;
    return &p->later[at];
}

static kin_status later_grow(struct live_partition *p)
{
    struct live_partition old = *p;
    size_t size = p->later ? 2 * ((size_t)p->later_mask + 1) : LATER_LEAST;
    p->later = kin_calloc(size, sizeof *p->later);
    if (!p->later) {
        p->later = old.later;
        return KIN_E_NOMEM;
    }
    p->later_mask = (uint32_t)(size - 1);
    for (size_t i = 0; old.later && i <= old.later_mask; i++) {
        if (old.later[i].count)
            *later_slot(p, old.later[i].key) = old.later[i];
    }
    kin_free(old.later);
    return KIN_OK;
}

static kin_status link_reserve(struct live_partition *p)
{
    if (p->link_count < p->link_cap)
        return KIN_OK;
    uint32_t cap = p->link_cap ? p->link_cap + p->link_cap / 2 : LINKS_LEAST;
    if (cap > UINT32_MAX / 2)
        return KIN_E_LIMIT;
    struct live_link *links = kin_reallocarray(p->links, cap, sizeof *links);
    if (!links)
        return KIN_E_NOMEM;
    p->links = links;
    p->link_cap = cap;
    return KIN_OK;
}

kin_status live_index_add(struct live_index *x, uint64_t key, uint32_t local)
{
    struct live_partition *p = &x->partitions[live_partition_of(key)];
    kin_status status = link_reserve(p);
    if (status == KIN_OK && (!p->later || p->later_used > p->later_mask / 3 * 2))
        status = later_grow(p);
    if (status != KIN_OK)
        return status;
    struct live_later *slot = later_slot(p, key);
    uint32_t link = p->link_count++;
    p->links[link] = (struct live_link){local, UINT32_MAX};
    if (slot->count) {
        p->links[slot->last].next = link;
    } else {
        slot->key = key;
        slot->first = link;
        p->later_used++;
    }
    slot->last = link;
    slot->count++;
    x->later++;
    return KIN_OK;
}

kin_status live_index_reserve(struct live_index *x, uint32_t more)
{
    if (x->cap - x->count >= more)
        return KIN_OK;
    uint64_t cap = (uint64_t)x->cap + x->cap / 2 + more;
    if (cap > UINT32_MAX - 1)
        return KIN_E_LIMIT;
    struct live_record *records = kin_reallocarray(x->records, (size_t)cap, sizeof *records);
    if (!records)
        return KIN_E_NOMEM;
    x->records = records;
    x->cap = (uint32_t)cap;
    return KIN_OK;
}

uint32_t live_index_find(const struct live_index *x, uint32_t number)
{
    uint32_t low = 0, high = x->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (x->records[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct live_postings live_index_of(const struct live_index *x, uint64_t key)
{
    const struct live_partition *p = &x->partitions[live_partition_of(key)];
    struct live_postings out = {.partition = p, .single = UINT32_MAX, .link = UINT32_MAX};
    if (p->slots) {
        size_t at = slot_of(key, p->mask);
        while (p->slots[at].count && p->slots[at].key != key)
            at = (at + 1) & p->mask;
        const struct live_slot *slot = &p->slots[at];
        if (slot->count == 1) {
            out.single = slot->start;
        } else if (slot->count) {
            out.at = p->postings + slot->start;
            out.end = out.at + slot->count;
        }
    }
    if (p->later) {
        const struct live_later *slot = later_slot(p, key);
        if (slot->count)
            out.link = slot->first;
    }
    return out;
}
