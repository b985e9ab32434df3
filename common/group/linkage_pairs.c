#include "common/base/hash.h"
#include "common/group/linkage_impl.h"

#include <string.h>

/* Pairs of clusters: found by a hash table, walked by cluster in lists. In the table, linear
 * probing; a removal moves its followers up. A pair that is no more stays in the lists until one is
 * walked. */

enum { SLOTS_MIN = 16, PAIRS_MIN = 8, PAIRS_MAX = INT32_MAX };

static uint32_t hash_of(uint32_t a, uint32_t b)
{
    return (uint32_t)(kin_hash_mix(a < b ? a : b, a < b ? b : a) >> 32);
}

static bool is_pair(const struct kin_linkage_between *p, uint32_t a, uint32_t b)
{
    return (p->end[0] == a && p->end[1] == b) || (p->end[0] == b && p->end[1] == a);
}

/* The slot of the pair, or the empty one where it would go. */
static uint32_t slot_of(const struct kin_linkage_state *s, uint32_t a, uint32_t b)
{
    uint32_t hash = hash_of(a, b), i = hash & s->slot_mask;
    for (; s->slots[i]; i = (i + 1) & s->slot_mask) {
        if (s->slots[i] >> 32 == hash && is_pair(&s->pairs[(uint32_t)s->slots[i] - 1], a, b))
            break;
    }
    return i;
}

static void slot_fill(struct kin_linkage_state *s, uint32_t pair)
{
    const uint32_t *end = s->pairs[pair].end;
    s->slots[slot_of(s, end[0], end[1])] = (uint64_t)hash_of(end[0], end[1]) << 32 | (pair + 1);
    s->slot_used++;
}

static void slot_clear(struct kin_linkage_state *s, uint32_t hole)
{
    uint32_t mask = s->slot_mask;
    for (uint32_t i = (hole + 1) & mask; s->slots[i]; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)(s->slots[i] >> 32) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* it may stand as early as the hole */
            s->slots[hole] = s->slots[i];
            hole = i;
        }
    }
    s->slots[hole] = 0;
    s->slot_used--;
}

/* An empty table for so many pairs: a power of two, at most half full. */
static kin_status slots_make(struct kin_linkage_state *s, uint64_t pairs)
{
    uint64_t count = SLOTS_MIN;
    while (count < 2 * pairs)
        count *= 2;
    if (count > s->slot_cap) {
        uint64_t *slots = kin_reallocarray(NULL, count, sizeof *slots);
        if (!slots)
            return KIN_E_NOMEM;
        kin_free(s->slots);
        s->slots = slots;
        s->slot_cap = count;
    }
    s->slot_mask = (uint32_t)(count - 1);
    s->slot_used = 0;
    memset(s->slots, 0, count * sizeof *s->slots);
    return KIN_OK;
}

static kin_status pairs_reserve(struct kin_linkage_state *s, uint32_t cap)
{
    if (cap <= s->pair_cap)
        return KIN_OK;
    if (cap > PAIRS_MAX)
        return KIN_E_LIMIT;
    struct kin_linkage_between *pairs = kin_reallocarray(s->pairs, cap, sizeof *pairs);
    if (!pairs)
        return KIN_E_NOMEM;
    s->pairs = pairs;
    s->pair_cap = cap;
    return KIN_OK;
}

kin_status kin_linkage_pairs_reset(struct kin_linkage_state *s, uint32_t expected)
{
    s->pair_count = 0;
    kin_status status = pairs_reserve(s, expected);
    return status == KIN_OK ? slots_make(s, expected) : status;
}

uint32_t kin_linkage_pair_find(const struct kin_linkage_state *s, uint32_t a, uint32_t b)
{
    uint64_t slot = s->slots[slot_of(s, a, b)];
    return slot ? (uint32_t)slot - 1 : KIN_LINKAGE_NONE;
}

/* Puts end `side` of a pair at the head of its cluster's list. */
static void list_add(struct kin_linkage_state *s, uint32_t pair, unsigned side)
{
    uint32_t cluster = s->pairs[pair].end[side];
    s->pairs[pair].next[side] = s->first[cluster];
    s->first[cluster] = 2 * pair + side + 1;
    s->degree[cluster]++;
}

static kin_status slots_grow(struct kin_linkage_state *s)
{
    kin_status status = slots_make(s, 2 * (uint64_t)s->slot_used + 2);
    for (uint32_t p = 0; p < s->pair_count && status == KIN_OK; p++) {
        if (s->pairs[p].end[0] != s->pairs[p].end[1])
            slot_fill(s, p);
    }
    return status;
}

kin_status kin_linkage_pair_get(struct kin_linkage_state *s, uint32_t a, uint32_t b, uint32_t *pair)
{
    uint32_t slot = slot_of(s, a, b);
    if (s->slots[slot]) {
        *pair = (uint32_t)s->slots[slot] - 1;
        return KIN_OK;
    }
    kin_status status = KIN_OK;
    if (s->pair_count == s->pair_cap)
        status = pairs_reserve(s, s->pair_cap < PAIRS_MIN ? PAIRS_MIN : 2 * s->pair_cap);
    if (status == KIN_OK && 2 * ((uint64_t)s->slot_used + 1) > (uint64_t)s->slot_mask + 1) {
        status = slots_grow(s);
        slot = slot_of(s, a, b);
    }
    if (status != KIN_OK)
        return status;
    *pair = s->pair_count++;
    s->pairs[*pair] = (struct kin_linkage_between){.end = {a, b}};
    s->slots[slot] = (uint64_t)hash_of(a, b) << 32 | (*pair + 1);
    s->slot_used++;
    list_add(s, *pair, 0);
    list_add(s, *pair, 1);
    return KIN_OK;
}

void kin_linkage_pair_drop(struct kin_linkage_state *s, uint32_t pair)
{
    struct kin_linkage_between *p = &s->pairs[pair];
    slot_clear(s, slot_of(s, p->end[0], p->end[1]));
    s->degree[p->end[0]]--;
    s->degree[p->end[1]]--;
    p->end[0] = p->end[1];
    if (s->averaging)
        kin_linkage_heap_remove(&s->heap, pair);
}

/* A pair of the kept cluster took another one in: it may have risen in the heap. All others of the
 * kept cluster have sunk, since their sum is as it was and there are more pairs of records; their
 * entries say too much, which is found out when they come up. */
static void pair_grew(struct kin_linkage_state *s, uint32_t pair)
{
    const struct kin_linkage_between *p = &s->pairs[pair];
    struct kin_linkage_entry entry;
    if (!s->averaging)
        return;
    if (!(p->flags & KIN_LINKAGE_REFUSED) && kin_linkage_entry_of(s, p->end, p->sum, &entry)) {
        entry.pair = pair;
        kin_linkage_heap_set(&s->heap, &entry);
    } else {
        kin_linkage_heap_remove(&s->heap, pair);
    }
}

void kin_linkage_pairs_move(struct kin_linkage_state *s, uint32_t gone, uint32_t kept)
{
    uint32_t node = s->first[gone];
    while (node) {
        uint32_t pair = (node - 1) / 2;
        unsigned side = (node - 1) % 2;
        struct kin_linkage_between *p = &s->pairs[pair];
        node = p->next[side];
        if (p->end[0] == p->end[1])
            continue;
        uint32_t other = p->end[1 - side];
        uint32_t into = kin_linkage_pair_find(s, kept, other);
        if (into == KIN_LINKAGE_NONE) {
            slot_clear(s, slot_of(s, gone, other));
            p->end[side] = kept;
            slot_fill(s, pair);
            list_add(s, pair, side);
        } else {
            s->pairs[into].sum += p->sum;
            s->pairs[into].flags |= p->flags;
            kin_linkage_pair_drop(s, pair);
            pair_grew(s, into);
        }
    }
    s->first[gone] = s->degree[gone] = 0;
}
