#include "coordinator/live_regroup.h"

#include <stdlib.h>
#include <string.h>

/* Which MatchId each touched group has now, by the rules of registry.h; what the store keeps of
 * ids, and the events. */

/* ---- who keeps which id ---- */

static uint32_t item_record(const struct item *x)
{
    return x->number != LIVE_NONE ? x->number : x->old;
}

static int by_identity(const void *a, const void *b, void *arg)
{
    return live_graph_cmp(arg, item_record(a), item_record(b));
}

struct founders {
    const struct live_graph *g;
    const uint32_t *groups;
};

static int by_founder(const void *a, const void *b, void *arg)
{
    const struct founders *f = arg;
    uint16_t s, t;
    struct kin_str x, y;
    live_graph_founder(f->g, f->groups[*(const uint32_t *)a], &s, &x);
    live_graph_founder(f->g, f->groups[*(const uint32_t *)b], &t, &y);
    int c = s != t ? (s < t ? -1 : 1) : kin_str_cmp(x, y);
    uint64_t born = f->g->groups[f->groups[*(const uint32_t *)a]].born;
    uint64_t other = f->g->groups[f->groups[*(const uint32_t *)b]].born;
    return c ? c : (born > other) - (born < other); /* ids of one founder, of two generations */
}

struct assignment {
    struct registry_change change;
    struct registry_verdict verdict;
    struct registry_id *before_ids, *after_ids;
    uint32_t *groups; /* [after_count] of the graph */
};

static kin_status make_change(struct regroup *r, struct registry_change *out)
{
    struct live_graph *g = &r->live->graph;
    size_t n, groups = r->before.n / 4;
    struct item *items = items_of(r, &n);
    const uint32_t *before = (const uint32_t *)(const void *)r->before.p;
    if (n > 1)
        qsort_r(items, n, sizeof *items, by_identity, g);
    uint32_t *b = kin_arena_calloc(&r->arena, n, sizeof *b);
    uint32_t *a = kin_arena_calloc(&r->arena, n, sizeof *a);
    uint32_t *dense = kin_arena_calloc(&r->arena, r->after_count, sizeof *dense);
    uint64_t *born = kin_arena_calloc(&r->arena, groups, sizeof *born);
    uint32_t *order = kin_arena_calloc(&r->arena, groups, sizeof *order);
    uint32_t *founder = kin_arena_calloc(&r->arena, groups, sizeof *founder);
    bool *untold = kin_arena_calloc(&r->arena, groups, sizeof *untold);
    if (!a || !b || !dense || !born || !order || !founder || !untold)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < groups; i++) {
        untold[i] = g->groups[before[i]].untold;
        born[i] = g->groups[before[i]].born;
        order[i] = (uint32_t)i;
    }
    struct founders f = {g, before};
    if (groups > 1)
        qsort_r(order, groups, sizeof *order, by_founder, &f);
    for (size_t i = 0; i < groups; i++)
        founder[order[i]] = (uint32_t)i;
    uint32_t after_count = 0; /* by their smallest records, without gaps */
    for (size_t i = 0; i < n; i++) {
        if (items[i].after != LIVE_NONE && !dense[items[i].after])
            dense[items[i].after] = ++after_count;
        if (items[i].after != LIVE_NONE)
            items[i].after = dense[items[i].after] - 1;
        b[i] = items[i].before;
        a[i] = items[i].after;
    }
    *out = (struct registry_change){.records = n,
                                    .before = b,
                                    .after = a,
                                    .before_count = groups,
                                    .after_count = after_count,
                                    .born = born,
                                    .founder = founder,
                                    .untold = untold};
    return KIN_OK;
}

/* New ids, groups for them, and the retired ones. */
static kin_status make_groups(struct regroup *r, struct assignment *as)
{
    struct live *live = r->live;
    struct live_graph *g = &live->graph;
    const struct registry_change *ch = &as->change;
    const uint32_t *before = (const uint32_t *)(const void *)r->before.p;
    size_t n;
    const struct item *items = items_of(r, &n);
    as->before_ids = kin_arena_calloc(&r->arena, ch->before_count, sizeof *as->before_ids);
    as->after_ids = kin_arena_calloc(&r->arena, ch->after_count, sizeof *as->after_ids);
    as->groups = kin_arena_calloc(&r->arena, ch->after_count, sizeof *as->groups);
    kin_status status = as->before_ids && as->after_ids && as->groups
                            ? live_graph_reserve(g, ch->after_count, ch->before_count)
                            : KIN_E_NOMEM;
    if (status != KIN_OK)
        return status;
    for (size_t i = 0; i < ch->before_count; i++)
        as->before_ids[i] = g->groups[before[i]].id;
    for (size_t i = 0; i < ch->after_count; i++) {
        uint32_t keeps = as->verdict.keeps[i];
        if (keeps != REGISTRY_NONE) {
            as->groups[i] = before[keeps];
            as->after_ids[i] = as->before_ids[keeps];
            continue;
        }
        uint32_t first = item_record(&items[as->verdict.smallest[i]]);
        uint16_t source = g->records[first].source;
        struct kin_str id = live_graph_id(g, first);
        live_graph_new_id(g, NULL, live->c->args->match_id_key, source, id, &as->after_ids[i]);
        as->groups[i] =
            live_graph_group_new(g, &as->after_ids[i], live->batch0 + r->batch->seq, source, id);
        if (as->groups[i] == LIVE_NONE)
            return KIN_E_NOMEM;
    }
    return KIN_OK;
}

static void item_names(void *arg, size_t index, struct kin_str *source, struct kin_str *id)
{
    struct regroup *r = arg;
    size_t n;
    uint32_t record = item_record(&items_of(r, &n)[index]);
    *source = kin_str_of(r->live->workflow->sources[r->live->graph.records[record].source].name);
    *id = live_graph_id(&r->live->graph, record);
}

/* Of a group that lost members to other groups: where they went; the latest so many. */
static kin_status note_moved(struct live_group *g, const struct registry_id *to)
{
    for (uint32_t i = 0; i < g->see_also_count; i++) {
        if (memcmp(g->see_also[i].bytes, to->bytes, REGISTRY_ID_BYTES) == 0)
            return KIN_OK;
    }
    if (g->see_also_count == REGISTRY_SEE_ALSO_MAX) {
        memmove(g->see_also, g->see_also + 1, (g->see_also_count - 1) * sizeof *g->see_also);
        g->see_also[g->see_also_count - 1] = *to;
        return KIN_OK;
    }
    struct registry_id *more = kin_reallocarray(g->see_also, g->see_also_count + 1, sizeof *more);
    if (!more)
        return KIN_E_NOMEM;
    g->see_also = more;
    g->see_also[g->see_also_count++] = *to;
    return KIN_OK;
}

static kin_status note_splits(struct regroup *r, struct assignment *as)
{
    const struct registry_change *ch = &as->change;
    struct live_graph *g = &r->live->graph;
    const struct registry_lists *moved = &as->verdict.moved;
    const uint32_t *before = (const uint32_t *)(const void *)r->before.p;
    kin_status status = KIN_OK;
    for (size_t b = 0; b < ch->before_count && status == KIN_OK; b++) {
        for (uint32_t i = moved->at[b]; i < moved->at[b + 1] && status == KIN_OK; i++)
            status = note_moved(&g->groups[before[b]], &as->after_ids[moved->items[i]]);
        if (as->verdict.kept[b] && (moved->at[b + 1] > moved->at[b] || ch->untold[b]))
            live_put_group(r->live, &r->batch->store, before[b]);
    }
    for (size_t a = 0; a < ch->after_count && status == KIN_OK; a++) {
        struct live_group *fresh = &g->groups[as->groups[a]];
        uint32_t from = as->verdict.split_from[a];
        if (as->verdict.keeps[a] != REGISTRY_NONE)
            continue;
        fresh->has_split_from = from != REGISTRY_NONE;
        if (fresh->has_split_from)
            fresh->split_from = as->before_ids[from];
        live_put_group(r->live, &r->batch->store, as->groups[a]);
    }
    return status;
}

/* Ids that no group has any more: what the store keeps of them. */
static kin_status retire(struct regroup *r, struct assignment *as)
{
    struct live *live = r->live;
    struct live_graph *g = &live->graph;
    const uint32_t *before = (const uint32_t *)(const void *)r->before.p;
    for (size_t b = 0; b < as->change.before_count; b++) {
        if (as->verdict.kept[b])
            continue;
        const struct live_group *old = &g->groups[before[b]];
        uint32_t heir = as->verdict.heir[b];
        const struct registry_id *survivor = heir == REGISTRY_NONE ? NULL : &as->after_ids[heir];
        live_put_retired(live, &r->batch->store, g, before[b], old->see_also, old->see_also_count,
                         survivor);
        kin_status status = live_graph_retire(g, &old->id, survivor);
        if (status != KIN_OK)
            return status;
    }
    return KIN_OK;
}

/* From here on requests see it: the log has the batch, so whatever happens it comes out as this. */
static void turn_over(struct regroup *r, struct assignment *as)
{
    struct live *live = r->live;
    struct live_graph *g = &live->graph;
    const uint32_t *before = (const uint32_t *)(const void *)r->before.p;
    size_t n;
    const struct item *items = items_of(r, &n);
    uint32_t *was = kin_arena_calloc(&r->arena, n, sizeof *was);
    for (size_t i = 0; i < n; i++) {
        uint32_t old = items[i].old;
        bool same = was && old != LIVE_NONE && old == items[i].number &&
                    g->records[old].group == as->groups[items[i].after] &&
                    !g->groups[g->records[old].group].untold && /* it was never stored */
                    g->records[old].rule == items[i].rule &&
                    g->records[old].weight == items[i].weight;
        if (was)
            was[i] = same;
    }
    for (size_t b = 0; b < as->change.before_count; b++)
        live_graph_group_clear(g, before[b]);
    for (size_t i = 0; i < n; i++) {
        if (items[i].number == LIVE_NONE)
            continue;
        struct live_record *rec = &g->records[items[i].number];
        rec->rule = items[i].rule;
        rec->weight = items[i].weight;
        rec->replaces = LIVE_NONE;
        live_graph_group_add(g, as->groups[items[i].after], items[i].number);
        if (!was || !was[i])
            live_put_record(live, &r->batch->store, items[i].number);
    }
    for (size_t b = 0; b < as->change.before_count; b++) {
        g->groups[before[b]].untold = false;
        if (!as->verdict.kept[b])
            live_graph_group_free(g, before[b]);
    }
}

/* Of what was deleted: who was with it, and has another MatchId because of that. */
static void note_disconnected(struct regroup *r, const struct assignment *as)
{
    struct live_batch *b = r->batch;
    struct live_removal *removal = (struct live_removal *)(void *)b->removals.p;
    size_t n;
    const struct item *items = items_of(r, &n);
    for (size_t k = 0; k < b->removals.n / sizeof *removal; k++) {
        removal[k].disconnected_from = removal[k].disconnected_end =
            (uint32_t)(b->disconnected.n / 4);
        if (removal[k].number == LIVE_NONE)
            continue;
        uint32_t group = REGISTRY_NONE;
        for (size_t i = 0; i < as->change.before_count && group == REGISTRY_NONE; i++) {
            if (memcmp(as->before_ids[i].bytes, removal[k].id.bytes, REGISTRY_ID_BYTES) == 0)
                group = (uint32_t)i;
        }
        for (size_t i = 0; i < n && group != REGISTRY_NONE; i++) {
            if (items[i].before == group && items[i].after != LIVE_NONE &&
                memcmp(as->after_ids[items[i].after].bytes, removal[k].id.bytes,
                       REGISTRY_ID_BYTES) != 0)
                kin_buf_u32(&b->disconnected, items[i].number);
        }
        removal[k].disconnected_end = (uint32_t)(b->disconnected.n / 4);
    }
}

kin_status regroup_assign(struct regroup *r)
{
    struct live *live = r->live;
    struct assignment as = {0};
    struct registry_event *events;
    size_t event_count;
    kin_status status = make_change(r, &as.change);
    if (status == KIN_OK)
        status = registry_assign(&r->arena, &as.change, &as.verdict);
    if (status == KIN_OK)
        status = make_groups(r, &as);
    if (status == KIN_OK)
        status = note_splits(r, &as);
    if (status == KIN_OK)
        status = retire(r, &as);
    if (status != KIN_OK)
        return status;
    note_disconnected(r, &as);
    struct registry_names names = {
        .before = as.before_ids, .after = as.after_ids, .record = item_names, .arg = r};
    status = registry_events(&r->arena, &as.change, &as.verdict, &names,
                             live->batch0 + r->batch->seq, r->next_event, &events, &event_count);
    for (size_t i = 0; status == KIN_OK && i < event_count; i++)
        live_put_event(live, &r->batch->store, r->next_event++, &events[i]);
    if (status == KIN_OK)
        turn_over(r, &as);
    return status;
}

/* ---- minted ids ---- */

kin_status regroup_found_minted(struct regroup *r)
{
    struct live *live = r->live;
    struct live_batch *b = r->batch;
    struct live_graph *g = &live->graph;
    for (size_t at = 0; at < b->minted.n; at += 4) {
        uint32_t rel = kin_le32(b->minted.p + at), number = b->base + rel;
        if (rel >= b->count || g->records[number].dead ||
            live_graph_committed(g, number) != LIVE_NONE)
            continue;
        struct registry_id id;
        struct kin_str name = live_graph_id(g, number);
        live_graph_new_id(g, NULL, live->c->args->match_id_key, b->source, name, &id);
        uint32_t group = live_graph_group_new(g, &id, live->batch0 + b->seq, b->source, name);
        if (group == LIVE_NONE)
            return KIN_E_NOMEM;
        live_graph_group_add(g, group, number);
        g->groups[group].untold = true;
    }
    return KIN_OK;
}
