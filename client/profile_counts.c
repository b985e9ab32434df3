#include "client/profile_counts.h"

#include "common/base/hash.h"

#include <math.h>

enum { SLOTS_FIRST = 16, REGISTERS = 1 << KIN_COUNTS_HLL_BITS };

void kin_counts_deinit(struct kin_counts *c)
{
    kin_free(c->slots);
    kin_free(c->registers);
    *c = (struct kin_counts){0};
}

/* 0 marks a free slot. */
static uint64_t stored(uint64_t hash)
{
    return hash ? hash : 1;
}

static size_t slot_of(const struct kin_counts *c, uint64_t hash)
{
    size_t at = (size_t)kin_hash_mix(0, hash) & (c->cap - 1);
    while (c->slots[at].hash && c->slots[at].hash != hash)
        at = (at + 1) & (c->cap - 1);
    return at;
}

static void registers_add(struct kin_counts *c, uint64_t hash)
{
    uint64_t h = kin_hash_mix(1, hash);
    size_t at = (size_t)(h >> (64 - KIN_COUNTS_HLL_BITS));
    uint64_t rest = h << KIN_COUNTS_HLL_BITS | 1;
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    if (c->registers[at] < rank)
        c->registers[at] = rank;
}

static bool leave_exactness(struct kin_counts *c)
{
    c->registers = kin_calloc(REGISTERS, 1);
    if (!c->registers)
        return false;
    for (size_t i = 0; i < c->cap; i++) {
        if (c->slots[i].hash)
            registers_add(c, c->slots[i].hash);
    }
    return true;
}

static bool grow(struct kin_counts *c, size_t *budget)
{
    size_t cap = c->cap ? 2 * c->cap : SLOTS_FIRST;
    if (c->used == KIN_COUNTS_EXACT_MAX || cap - c->cap > *budget)
        return leave_exactness(c);
    struct kin_counts next = {.slots = kin_calloc(cap, sizeof *next.slots), .cap = cap};
    if (!next.slots)
        return false;
    for (size_t i = 0; i < c->cap; i++) {
        if (c->slots[i].hash)
            next.slots[slot_of(&next, c->slots[i].hash)] = c->slots[i];
    }
    *budget -= cap - c->cap;
    kin_free(c->slots);
    c->slots = next.slots;
    c->cap = cap;
    return true;
}

bool kin_counts_add(struct kin_counts *c, uint64_t hash, uint32_t file, size_t *budget)
{
    hash = stored(hash);
    bool full = c->used == KIN_COUNTS_EXACT_MAX || 2 * c->used >= c->cap;
    if (!c->registers && full && !grow(c, budget))
        return false;
    if (c->registers)
        registers_add(c, hash);
    if (!c->cap)
        return true;
    struct kin_counts_slot *slot = &c->slots[slot_of(c, hash)];
    if (!slot->hash) {
        if (c->registers)
            return true;
        *slot = (struct kin_counts_slot){hash, 0, file};
        c->used++;
    } else if (slot->file == file) {
        c->repeats_within++;
    } else {
        c->repeats_across++;
        slot->file = file;
    }
    slot->count += slot->count < UINT32_MAX;
    return true;
}

bool kin_counts_exact(const struct kin_counts *c)
{
    return !c->registers;
}

uint64_t kin_counts_distinct(const struct kin_counts *c)
{
    if (!c->registers)
        return c->used;
    double sum = 0, m = REGISTERS;
    size_t zero = 0;
    for (size_t i = 0; i < REGISTERS; i++) {
        sum += ldexp(1, -c->registers[i]);
        zero += !c->registers[i];
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (estimate <= 2.5 * m && zero) /* few: linear counting is better */
        estimate = m * log(m / (double)zero);
    uint64_t distinct = (uint64_t)(estimate + 0.5);
    return distinct < c->used ? c->used : distinct;
}

uint32_t kin_counts_of(const struct kin_counts *c, uint64_t hash)
{
    return c->cap ? c->slots[slot_of(c, stored(hash))].count : 0;
}

uint32_t kin_counts_top(const struct kin_counts *c)
{
    uint32_t top = 0;
    for (size_t i = 0; i < c->cap; i++)
        top = c->slots[i].count > top ? c->slots[i].count : top;
    return top;
}

uint64_t kin_counts_shared(const struct kin_counts *a, const struct kin_counts *b)
{
    uint64_t shared = 0;
    if (a->used > b->used)
        return kin_counts_shared(b, a);
    for (size_t i = 0; i < a->cap; i++)
        shared += a->slots[i].hash && kin_counts_of(b, a->slots[i].hash);
    return shared;
}
