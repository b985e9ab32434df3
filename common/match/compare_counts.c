#include "common/match/compare_decide.h"

static void add(struct kin_value_table *t, const struct kin_value_count *item)
{
    uint64_t at = kin_value_table_slot(t, item->hash);
    t->slots[at].hash = item->hash;
    t->slots[at].count += item->count;
}

kin_status kin_value_counts_set(struct kin_value_counts *c, unsigned comparison, uint64_t total,
                                const struct kin_value_count *items, size_t n)
{
    KIN_ASSERT(comparison < KIN_COMPARISONS_MAX);
    struct kin_value_table table = {NULL, 0};
    if (n) {
        uint64_t slots = 8;
        while (slots / 2 < n && slots <= SIZE_MAX / 4)
            slots *= 2;
        table.mask = slots - 1;
        table.slots = slots / 2 >= n ? kin_calloc(slots, sizeof *table.slots) : NULL;
        if (!table.slots)
            return KIN_E_NOMEM;
        for (size_t i = 0; i < n; i++)
            add(&table, &items[i]);
    }
    kin_free(c->tables[comparison].slots);
    c->tables[comparison] = table;
    c->total[comparison] = total;
    return KIN_OK;
}

void kin_value_counts_deinit(struct kin_value_counts *c)
{
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++)
        kin_free(c->tables[i].slots);
    *c = (struct kin_value_counts){{0}, {{NULL, 0}}};
}
