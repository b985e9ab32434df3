#include "common/group/golden_impl.h"

#include <stdlib.h>
#include <string.h>

enum { NO_SLOT = UINT16_MAX, SLOTS_MAX = UINT16_MAX };

/* ---- the plan ---- */

struct column {
    struct kin_str name;
    uint32_t index; /* as the caller numbers it */
    bool taken;     /* fills a field, or is the id, in some source */
    uint16_t slot;  /* where it is carried */
};

static int column_cmp(const void *a, const void *b)
{
    const struct column *x = a, *y = b;
    int c = kin_str_cmp(x->name, y->name);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

/* The first column of that name in the sorted list; the list's end if there is none. */
static struct column *find_column(struct column *columns, size_t count, struct kin_str name)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kin_str_cmp(columns[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && kin_str_eq(columns[low].name, name) ? columns + low : columns + count;
}

static void take_columns(struct column *columns, size_t count, const char *name)
{
    struct kin_str text = kin_str_of(name);
    for (struct column *c = find_column(columns, count, text);
         c < columns + count && kin_str_eq(c->name, text); c++)
        c->taken = true;
}

static bool name_is_used(const struct kin_golden_plan *plan, struct kin_str name)
{
    if (kin_str_eq(name, KIN_STR("match_id")) || kin_str_eq(name, KIN_STR("size")))
        return true;
    for (size_t s = 0; s < plan->slot_count; s++) {
        if (kin_str_eq(plan->names[s], name))
            return true;
    }
    return false;
}

/* A carried column whose name the output has already is called name_2, name_3 and so on, because
 * the output is a CSV file that our own reader must take. */
static kin_status add_slot(struct kin_golden_plan *plan, struct kin_str name)
{
    struct kin_str unique = name;
    for (unsigned n = 2; name_is_used(plan, unique); n++) {
        char *text = kin_arena_printf(&plan->arena, "%.*s_%u", (int)name.n, name.p, n);
        if (!text)
            return KIN_E_NOMEM;
        unique = kin_str_of(text);
    }
    const char *copy = kin_arena_strndup(&plan->arena, unique.p, unique.n);
    if (!copy)
        return KIN_E_NOMEM;
    plan->names[plan->slot_count++] = (struct kin_str){copy, unique.n};
    return KIN_OK;
}

static kin_status add_slots(struct kin_golden_plan *plan, struct column *columns)
{
    const struct kin_workflow *w = plan->workflow;
    plan->names =
        kin_arena_calloc(&plan->arena, w->schema.count + plan->column_count, sizeof *plan->names);
    if (!plan->names)
        return KIN_E_NOMEM;
    for (size_t f = 0; f < w->schema.count; f++)
        plan->names[plan->slot_count++] = kin_str_of(w->schema.fields[f].name);
    for (size_t i = 0; i < plan->column_count; i++) {
        struct column *c = &columns[i];
        c->slot = NO_SLOT;
        if (c->taken)
            continue;
        if (i > 0 && kin_str_eq(c->name, c[-1].name)) {
            c->slot = c[-1].slot;
            continue;
        }
        if (plan->slot_count == SLOTS_MAX)
            return KIN_E_LIMIT;
        c->slot = (uint16_t)plan->slot_count;
        if (add_slot(plan, c->name) != KIN_OK)
            return KIN_E_NOMEM;
    }
    return KIN_OK;
}

static bool is_repeat(const struct kin_workflow_columns *columns, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(columns->names[i], columns->names[at]) == 0)
            return true;
    }
    return false;
}

/* Calls for every role in order of source, then slot: with roles NULL it counts them at role_at[key
 * + 1], else it puts them down at role_at[key] and moves that on. */
static void walk_roles(const struct kin_golden_plan *plan, struct column *columns,
                       uint32_t *role_at, uint16_t *roles)
{
    const struct kin_workflow *w = plan->workflow;
    size_t count = plan->column_count;
    for (size_t s = 0; s < w->source_count; s++) {
        uint32_t *at = role_at + s * count;
        for (size_t f = 0; f < w->schema.count; f++) {
            const struct kin_workflow_columns *names = &w->sources[s].columns[f];
            for (size_t i = 0; i < names->count; i++) {
                struct kin_str name = kin_str_of(names->names[i]);
                for (struct column *c = find_column(columns, count, name);
                     c < columns + count && kin_str_eq(c->name, name) && !is_repeat(names, i);
                     c++) {
                    if (roles)
                        roles[at[c->index]++] = (uint16_t)f;
                    else
                        at[c->index + 1]++;
                }
            }
        }
        for (size_t i = 0; i < count; i++) {
            if (columns[i].slot == NO_SLOT)
                continue;
            if (roles)
                roles[at[columns[i].index]++] = columns[i].slot;
            else
                at[columns[i].index + 1]++;
        }
    }
}

static kin_status add_roles(struct kin_golden_plan *plan, struct column *columns)
{
    size_t keys = plan->workflow->source_count * plan->column_count;
    plan->role_at = kin_arena_calloc(&plan->arena, keys + 1, sizeof *plan->role_at);
    if (!plan->role_at)
        return KIN_E_NOMEM;
    walk_roles(plan, columns, plan->role_at, NULL);
    for (size_t i = 0; i < keys; i++)
        plan->role_at[i + 1] += plan->role_at[i];
    plan->roles = kin_arena_calloc(&plan->arena, plan->role_at[keys], sizeof *plan->roles);
    if (!plan->roles)
        return KIN_E_NOMEM;
    walk_roles(plan, columns, plan->role_at, plan->roles);
    memmove(plan->role_at + 1, plan->role_at, keys * sizeof *plan->role_at);
    plan->role_at[0] = 0;
    return KIN_OK;
}

kin_status kin_golden_plan_new(const struct kin_workflow *workflow, const struct kin_str *columns,
                               size_t column_count, struct kin_golden_plan **out)
{
    struct kin_golden_plan *plan = kin_calloc(1, sizeof *plan);
    struct column *sorted = kin_calloc(column_count, sizeof *sorted);
    kin_status status = plan && sorted ? KIN_OK : KIN_E_NOMEM;
    if (status != KIN_OK)
        goto done;
    plan->workflow = workflow;
    plan->column_count = column_count;
    for (size_t i = 0; i < column_count; i++)
        sorted[i] = (struct column){.name = columns[i], .index = (uint32_t)i};
    qsort(sorted, column_count, sizeof *sorted, column_cmp);
    for (size_t s = 0; s < workflow->source_count; s++) {
        const struct kin_workflow_source *source = &workflow->sources[s];
        take_columns(sorted, column_count, source->id);
        for (size_t f = 0; f < workflow->schema.count; f++) {
            for (size_t i = 0; i < source->columns[f].count; i++)
                take_columns(sorted, column_count, source->columns[f].names[i]);
        }
    }
    status = add_slots(plan, sorted);
    if (status == KIN_OK)
        status = add_roles(plan, sorted);
done:
    kin_free(sorted);
    if (status == KIN_OK)
        *out = plan;
    else
        kin_golden_plan_free(plan);
    return status;
}

void kin_golden_plan_free(struct kin_golden_plan *plan)
{
    if (plan)
        kin_arena_deinit(&plan->arena);
    kin_free(plan);
}

void kin_golden_header(const struct kin_golden_plan *plan, struct kin_buf *out)
{
    for (size_t s = 0; s < plan->slot_count; s++) {
        kin_buf_putc(out, ',');
        kin_csv_cell(out, plan->names[s]);
    }
}

/* ---- the values of a group ---- */

static bool is_blank(struct kin_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != ' ' && text.p[i] != '\t' && text.p[i] != '\r' && text.p[i] != '\n')
            return false;
    }
    return true;
}

static const uint32_t *roles_of(const struct kin_golden_group *g, const struct kin_golden_member *m,
                                const struct kin_golden_cell *cell)
{
    const struct kin_golden_plan *plan = g->plan;
    KIN_ASSERT(cell->column < plan->column_count && m->source < plan->workflow->source_count);
    return plan->role_at + (size_t)m->source * plan->column_count + cell->column;
}

/* Fills v from a cell, if there is anything in it. A single record's values are taken as they are.
 * before: the slot's last value so far, or NULL: the same text often comes again. */
static kin_status read_value(const struct kin_golden_group *g, size_t slot, struct kin_str raw,
                             const struct kin_golden_value *before, struct kin_golden_value *v,
                             bool *there)
{
    const struct kin_schema *schema = &g->plan->workflow->schema;
    *there = !is_blank(raw);
    if (*there && before && kin_str_eq(before->raw, raw)) {
        *v = *before;
        return KIN_OK;
    }
    v->raw = v->key = raw;
    v->valid = true;
    if (!*there || slot >= schema->count || g->count == 1)
        return KIN_OK;
    struct kin_norm_value norm;
    enum kin_norm found = kin_normalise(g->norm, &schema->fields[slot], raw, &norm);
    *there = found != KIN_NORM_NULL;
    v->valid = found == KIN_NORM_VALUE;
    if (!v->valid)
        return KIN_OK;
    const char *copy = kin_arena_strndup(g->arena, (const char *)norm.p, norm.bytes);
    v->key = (struct kin_str){copy, norm.bytes};
    return copy ? KIN_OK : KIN_E_NOMEM;
}

static kin_status alloc_values(struct kin_golden_group *g)
{
    size_t slots = g->plan->slot_count;
    g->slot_at = kin_arena_calloc(g->arena, slots + 1, sizeof *g->slot_at);
    if (!g->slot_at)
        return KIN_E_NOMEM;
    for (size_t m = 0; m < g->count; m++) {
        for (size_t c = 0; c < g->members[m].count; c++) {
            const uint32_t *at = roles_of(g, &g->members[m], &g->members[m].cells[c]);
            for (uint32_t r = at[0]; r < at[1]; r++)
                g->slot_at[g->plan->roles[r] + 1]++;
        }
    }
    for (size_t s = 0; s < slots; s++)
        g->slot_at[s + 1] += g->slot_at[s];
    g->values = kin_arena_calloc(g->arena, g->slot_at[slots], sizeof *g->values);
    return g->values ? KIN_OK : KIN_E_NOMEM;
}

/* Sorts the cells into slots; filled[member] is how many of the member's cells fill a field. */
static kin_status read_values(struct kin_golden_group *g, uint32_t *filled)
{
    size_t fields = g->plan->workflow->schema.count, *used = g->used;
    for (size_t m = 0; m < g->count; m++) {
        for (size_t c = 0; c < g->members[m].count; c++) {
            const struct kin_golden_cell *cell = &g->members[m].cells[c];
            const uint32_t *at = roles_of(g, &g->members[m], cell);
            for (uint32_t r = at[0]; r < at[1]; r++) {
                size_t slot = g->plan->roles[r];
                struct kin_golden_value v;
                bool there;
                struct kin_golden_value *values = g->values + g->slot_at[slot];
                const struct kin_golden_value *before = used[slot] ? &values[used[slot] - 1] : NULL;
                if (read_value(g, slot, cell->value, before, &v, &there) != KIN_OK)
                    return KIN_E_NOMEM;
                if (!there)
                    continue;
                v.member = (uint32_t)m;
                v.order = (uint32_t)used[slot];
                values[used[slot]++] = v;
                filled[m] += slot < fields && v.valid;
            }
        }
    }
    return KIN_OK;
}

struct fill {
    uint32_t filled, member;
};

static int fill_cmp(const void *a, const void *b)
{
    const struct fill *x = a, *y = b;
    if (x->filled != y->filled)
        return x->filled > y->filled ? -1 : 1;
    return (x->member > y->member) - (x->member < y->member);
}

static kin_status rank_members(struct kin_golden_group *g, const uint32_t *filled)
{
    struct fill *fills = kin_arena_calloc(g->arena, g->count, sizeof *fills);
    g->rank = kin_arena_calloc(g->arena, g->count, sizeof *g->rank);
    if (!fills || !g->rank)
        return KIN_E_NOMEM;
    for (size_t m = 0; m < g->count; m++)
        fills[m] = (struct fill){filled[m], (uint32_t)m};
    qsort(fills, g->count, sizeof *fills, fill_cmp);
    for (size_t i = 0; i < g->count; i++)
        g->rank[fills[i].member] = (uint32_t)i;
    return KIN_OK;
}

kin_status kin_golden_group_read(struct kin_golden_group *g)
{
    g->used = kin_arena_calloc(g->arena, g->plan->slot_count, sizeof *g->used);
    uint32_t *filled = kin_arena_calloc(g->arena, g->count, sizeof *filled);
    kin_status status = g->used && filled ? alloc_values(g) : KIN_E_NOMEM;
    if (status == KIN_OK)
        status = read_values(g, filled);
    if (status == KIN_OK)
        status = rank_members(g, filled);
    return status;
}

/* ---- strategies ---- */

static int by_key(const void *a, const void *b)
{
    const struct kin_golden_value *x = a, *y = b;
    int c = kin_str_cmp(x->key, y->key);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static int by_raw(const void *a, const void *b)
{
    const struct kin_golden_value *x = a, *y = b;
    int c = kin_str_cmp(x->raw, y->raw);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* Keeps the first of each run of equal keys in a sorted list, or the first of each member. */
static size_t drop_repeats(struct kin_golden_value *v, size_t n, bool same_member_only)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && kin_str_eq(v[i].key, v[kept - 1].key) &&
            (!same_member_only || v[i].member == v[kept - 1].member))
            continue;
        v[kept++] = v[i];
    }
    return kept;
}

/* The longest run of equal keys (or raw texts) in a sorted list; of equally long ones the one with
 * the value that comes first in the group. */
static struct kin_golden_value *longest_run(struct kin_golden_value *v, size_t n, bool raw,
                                            size_t *length)
{
    size_t best = 0, best_n = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n; end++) {
            if (!kin_str_eq(raw ? v[i].raw : v[i].key, raw ? v[end].raw : v[end].key))
                break;
        }
        if (end - i > best_n || (end - i == best_n && v[i].order < v[best].order)) {
            best = i;
            best_n = end - i;
        }
    }
    *length = best_n;
    return v + best;
}

/* Every record has one vote for each of its different values. */
static struct kin_golden_value *most_frequent(struct kin_golden_value *v, size_t n)
{
    qsort(v, n, sizeof *v, by_key);
    n = drop_repeats(v, n, true);
    struct kin_golden_value *run = longest_run(v, n, false, &n);
    qsort(run, n, sizeof *run, by_raw);
    return longest_run(run, n, true, &n);
}

/* Code points without the blanks at both ends. */
static size_t text_length(struct kin_str text)
{
    while (text.n && is_blank((struct kin_str){text.p, 1})) {
        text.p++;
        text.n--;
    }
    while (text.n && is_blank((struct kin_str){text.p + text.n - 1, 1}))
        text.n--;
    size_t points = 0;
    for (size_t i = 0; i < text.n; i++)
        points += ((uint8_t)text.p[i] & 0xc0) != 0x80;
    return points;
}

static int double_cmp(const char *a, const char *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int day_cmp(const char *a, const char *b)
{
    int32_t x = (int32_t)kin_le32(a), y = (int32_t)kin_le32(b);
    return (x > y) - (x < y);
}

/* What min and max go by. type: KIN_TYPE_TEXT for carried columns and for values that do not parse.
 */
static int value_cmp(enum kin_type type, const struct kin_golden_value *a,
                     const struct kin_golden_value *b)
{
    if (type == KIN_TYPE_DATE && a->key.n == 4 && b->key.n == 4)
        return day_cmp(a->key.p, b->key.p);
    if (type == KIN_TYPE_NUMBER && a->key.n == 8 && b->key.n == 8)
        return double_cmp(a->key.p, b->key.p);
    if (type == KIN_TYPE_GEO && a->key.n == 16 && b->key.n == 16) {
        int c = double_cmp(a->key.p, b->key.p);
        return c ? c : double_cmp(a->key.p + 8, b->key.p + 8);
    }
    return kin_str_cmp(a->key, b->key);
}

static bool is_better(const struct kin_golden_group *g, enum kin_golden strategy,
                      enum kin_type type, const struct kin_golden_value *a,
                      const struct kin_golden_value *b)
{
    switch (strategy) {
    case KIN_GOLDEN_MOST_COMPLETE:
        return g->rank[a->member] < g->rank[b->member];
    case KIN_GOLDEN_MOST_RECENT:
        return g->members[a->member].updated > g->members[b->member].updated;
    case KIN_GOLDEN_LONGEST:
        return text_length(a->raw) > text_length(b->raw);
    case KIN_GOLDEN_SHORTEST:
        return text_length(a->raw) < text_length(b->raw);
    case KIN_GOLDEN_MIN:
        return value_cmp(type, a, b) < 0;
    case KIN_GOLDEN_MAX:
        return value_cmp(type, a, b) > 0;
    case KIN_GOLDEN_FIRST:
    case KIN_GOLDEN_MOST_FREQUENT:
    case KIN_GOLDEN_ALL:
        break;
    }
    return false;
}

/* Some strategies choose a record and show all it has; the others choose one value. */
static bool chooses_record(enum kin_golden strategy)
{
    return strategy == KIN_GOLDEN_MOST_COMPLETE || strategy == KIN_GOLDEN_MOST_RECENT ||
           strategy == KIN_GOLDEN_FIRST;
}

static struct kin_golden_kept best_value(const struct kin_golden_group *g, enum kin_golden strategy,
                                         enum kin_type type, const struct kin_golden_value *v,
                                         size_t n)
{
    size_t best = 0, end;
    for (size_t i = 1; i < n; i++) {
        if (is_better(g, strategy, type, &v[i], &v[best]))
            best = i;
    }
    for (end = best + 1; end < n && v[end].member == v[best].member; end++) {
    }
    return (struct kin_golden_kept){v + best, chooses_record(strategy) ? end - best : 1};
}

struct kin_golden_kept kin_golden_survivors(const struct kin_golden_group *g, size_t slot,
                                            struct kin_golden_value *v, size_t n)
{
    const struct kin_workflow *w = g->plan->workflow;
    bool is_field = slot < w->schema.count;
    enum kin_golden strategy = is_field ? w->golden[slot] : w->golden_default;
    enum kin_type type = is_field ? w->schema.fields[slot].type : KIN_TYPE_TEXT;
    size_t valid = 0;
    if (n == 0 || g->count == 1)
        return (struct kin_golden_kept){v, n};
    for (size_t i = 0; i < n; i++) {
        if (v[i].valid)
            v[valid++] = v[i];
    }
    /* what does not parse is better than nothing, but only than nothing */
    if (valid > 0)
        n = valid;
    else
        type = KIN_TYPE_TEXT;
    if (strategy == KIN_GOLDEN_MOST_FREQUENT)
        return (struct kin_golden_kept){most_frequent(v, n), 1};
    if (strategy == KIN_GOLDEN_ALL) {
        qsort(v, n, sizeof *v, by_key);
        n = drop_repeats(v, n, false);
        qsort(v, n, sizeof *v, kin_golden_by_order);
        return (struct kin_golden_kept){v, n};
    }
    return best_value(g, strategy, type, v, n);
}

kin_status kin_golden_join(struct kin_arena *arena, struct kin_golden_kept kept,
                           struct kin_str *out)
{
    size_t bytes = 0;
    for (size_t i = 0; i < kept.n; i++)
        bytes += kept.v[i].raw.n + 2;
    *out = (struct kin_str){NULL, 0};
    if (kept.n == 1)
        *out = kept.v->raw;
    if (kept.n <= 1)
        return KIN_OK;
    char *text = kin_arena_alloc(arena, bytes), *to = text;
    if (!text)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < kept.n; i++) {
        if (i > 0) {
            *to++ = ';';
            *to++ = ' ';
        }
        memcpy(to, kept.v[i].raw.p, kept.v[i].raw.n);
        to += kept.v[i].raw.n;
    }
    *out = (struct kin_str){text, (size_t)(to - text)};
    return KIN_OK;
}

/* ---- the row ---- */

/* A group of one record, whose slots have one value each: as most are. False: they have not, and
 * nothing was appended. */
static bool single_row(const struct kin_golden_plan *plan, struct kin_arena *arena,
                       const struct kin_golden_member *m, struct kin_buf *out)
{
    struct kin_str *slots = kin_arena_calloc(arena, plan->slot_count, sizeof *slots);
    if (!slots)
        return false;
    const uint32_t *at = plan->role_at + (size_t)m->source * plan->column_count;
    for (size_t c = 0; c < m->count; c++) {
        const struct kin_golden_cell *cell = &m->cells[c];
        KIN_ASSERT(cell->column < plan->column_count);
        if (is_blank(cell->value))
            continue;
        for (uint32_t r = at[cell->column]; r < at[cell->column + 1]; r++) {
            if (slots[plan->roles[r]].p)
                return false;
            slots[plan->roles[r]] = cell->value;
        }
    }
    for (size_t s = 0; s < plan->slot_count; s++) {
        kin_buf_putc(out, ',');
        kin_csv_cell(out, slots[s]);
    }
    return true;
}

kin_status kin_golden_row(const struct kin_golden_plan *plan, struct kin_norm_scratch *norm,
                          struct kin_arena *arena, const struct kin_golden_member *members,
                          size_t count, struct kin_buf *out)
{
    KIN_ASSERT(count > 0);
    if (count == 1 && single_row(plan, arena, members, out))
        return out->failed ? KIN_E_NOMEM : KIN_OK;
    struct kin_golden_group g = {
        .plan = plan, .norm = norm, .arena = arena, .members = members, .count = count};
    kin_status status = kin_golden_group_read(&g);
    for (size_t slot = 0; slot < plan->slot_count && status == KIN_OK; slot++) {
        struct kin_str text;
        struct kin_golden_kept kept =
            kin_golden_survivors(&g, slot, g.values + g.slot_at[slot], g.used[slot]);
        status = kin_golden_join(arena, kept, &text);
        if (status != KIN_OK)
            break;
        kin_buf_putc(out, ',');
        kin_csv_cell(out, text);
    }
    if (status == KIN_OK && out->failed)
        status = KIN_E_NOMEM;
    return status;
}
