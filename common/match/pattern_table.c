#include "common/match/pattern_table.h"

#include "common/base/hash.h"

#include <stdlib.h>

enum { SIZE_MIN = 1024 };

static struct kin_pattern_entry *find(const struct kin_pattern_table *t, uint64_t pattern,
                                      uint64_t set)
{
    size_t at = kin_hash_mix(pattern, set) & (t->size - 1);
    while (t->slots[at].count && (t->slots[at].pattern != pattern || t->slots[at].set != set))
        at = (at + 1) & (t->size - 1);
    return &t->slots[at];
}

static bool grow(struct kin_pattern_table *t)
{
    struct kin_pattern_table larger = {.size = t->size ? 2 * t->size : SIZE_MIN, .used = t->used};
    larger.slots = kin_calloc(larger.size, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < t->size; i++) {
        if (t->slots[i].count)
            *find(&larger, t->slots[i].pattern, t->slots[i].set) = t->slots[i];
    }
    kin_free(t->slots);
    *t = larger;
    return true;
}

bool kin_pattern_table_add(struct kin_pattern_table *t, uint64_t pattern, uint64_t set,
                           uint64_t count)
{
    if (2 * (t->used + 1) > t->size && !grow(t))
        return false;
    struct kin_pattern_entry *e = find(t, pattern, set);
    t->used += e->count == 0;
    *e = (struct kin_pattern_entry){pattern, set, e->count + count};
    return true;
}

bool kin_pattern_table_merge(struct kin_pattern_table *t, const struct kin_pattern_table *from)
{
    for (size_t i = 0; i < from->size; i++) {
        const struct kin_pattern_entry *e = &from->slots[i];
        if (e->count && !kin_pattern_table_add(t, e->pattern, e->set, e->count))
            return false;
    }
    return true;
}

static int by_pattern(const void *a, const void *b)
{
    const struct kin_pattern_entry *x = a, *y = b;
    if (x->pattern != y->pattern)
        return x->pattern < y->pattern ? -1 : 1;
    return x->set < y->set ? -1 : x->set > y->set;
}

size_t kin_pattern_table_sort(struct kin_pattern_table *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->size; i++) {
        if (t->slots[i].count)
            t->slots[n++] = t->slots[i];
    }
    if (n)
        qsort(t->slots, n, sizeof *t->slots, by_pattern);
    return n;
}

void kin_pattern_table_deinit(struct kin_pattern_table *t)
{
    kin_free(t->slots);
    *t = (struct kin_pattern_table){0};
}
