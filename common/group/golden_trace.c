#include "common/group/golden_impl.h"

#include <stdlib.h>
#include <string.h>

/* Where the values of a golden record come from. What survives is asked of the very function that
 * the row is made with; this only tells the members of it, and what is left. */

/* Same values side by side. Keys of values that do not parse are texts, which may by chance be the
 * bytes of a payload. */
static int key_cmp(const struct kin_golden_value *a, const struct kin_golden_value *b)
{
    return a->valid != b->valid ? (a->valid ? -1 : 1) : kin_str_cmp(a->key, b->key);
}

static int by_value(const void *a, const void *b)
{
    const struct kin_golden_value *x = a, *y = b;
    int c = key_cmp(x, y);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* The members of what survived, each once. */
static kin_status name_members(struct kin_arena *arena, struct kin_golden_kept kept,
                               struct kin_golden_slot *out)
{
    uint32_t *members = kin_arena_calloc(arena, kept.n, sizeof *members);
    size_t n = 0;
    if (!members)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < kept.n; i++) {
        if (n == 0 || members[n - 1] != kept.v[i].member)
            members[n++] = kept.v[i].member;
    }
    out->members = members;
    out->member_count = n;
    return KIN_OK;
}

/* Leaves of n values, sorted by value, the first of each that is not among the kept ones, sorted
 * the same way. */
static size_t leave_lost(struct kin_golden_value *v, size_t n, const struct kin_golden_value *kept,
                         size_t kept_count)
{
    size_t left = 0, k = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && key_cmp(&v[i], &v[end]) == 0; end++) {
        }
        while (k < kept_count && key_cmp(&kept[k], &v[i]) < 0)
            k++;
        if (k == kept_count || key_cmp(&kept[k], &v[i]) != 0)
            v[left++] = v[i];
    }
    return left;
}

static kin_status name_lost(struct kin_arena *arena, const struct kin_golden_value *v, size_t n,
                            struct kin_golden_slot *out)
{
    size_t room = n < KIN_GOLDEN_LOST_MAX ? n : KIN_GOLDEN_LOST_MAX;
    struct kin_golden_lost *lost = kin_arena_calloc(arena, room, sizeof *lost);
    if (!lost)
        return KIN_E_NOMEM;
    out->lost = lost;
    for (size_t i = 0; i < n && out->lost_count < room; i++) {
        /* one cell may hold what the values of another record are when they are joined */
        if (!kin_str_eq(v[i].raw, out->value))
            lost[out->lost_count++] = (struct kin_golden_lost){v[i].raw, v[i].member};
    }
    return KIN_OK;
}

static kin_status trace_slot(const struct kin_golden_group *g, size_t slot,
                             struct kin_golden_slot *out)
{
    struct kin_golden_value *all = g->values + g->slot_at[slot];
    size_t n = g->used[slot];
    *out = (struct kin_golden_slot){.name = g->plan->names[slot]};
    if (n == 0)
        return KIN_OK;
    struct kin_golden_value *v = kin_arena_calloc(g->arena, n, sizeof *v);
    if (!v)
        return KIN_E_NOMEM;
    memcpy(v, all, n * sizeof *v);
    struct kin_golden_kept kept = kin_golden_survivors(g, slot, v, n);
    kin_status status = kin_golden_join(g->arena, kept, &out->value);
    if (status == KIN_OK)
        status = name_members(g->arena, kept, out);
    if (status != KIN_OK)
        return status;
    size_t kept_count = kept.n;
    memmove(v, kept.v, kept_count * sizeof *v);
    qsort(v, kept_count, sizeof *v, by_value);
    qsort(all, n, sizeof *all, by_value);
    n = leave_lost(all, n, v, kept_count);
    if (n == 0)
        return KIN_OK;
    qsort(all, n, sizeof *all, kin_golden_by_order);
    return name_lost(g->arena, all, n, out);
}

kin_status kin_golden_trace(const struct kin_golden_plan *plan, struct kin_norm_scratch *norm,
                            struct kin_arena *arena, const struct kin_golden_member *members,
                            size_t count, struct kin_golden_slot **slots, size_t *slot_count)
{
    KIN_ASSERT(count > 0);
    struct kin_golden_group g = {
        .plan = plan, .norm = norm, .arena = arena, .members = members, .count = count};
    struct kin_golden_slot *traced = kin_arena_calloc(arena, plan->slot_count, sizeof *traced);
    kin_status status = traced ? kin_golden_group_read(&g) : KIN_E_NOMEM;
    for (size_t slot = 0; slot < plan->slot_count && status == KIN_OK; slot++)
        status = trace_slot(&g, slot, &traced[slot]);
    if (status == KIN_OK) {
        *slots = traced;
        *slot_count = plan->slot_count;
    }
    return status;
}
