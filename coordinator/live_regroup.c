#include "common/group/component.h"
#include "coordinator/live.h"

#include <stdlib.h>
#include <string.h>

/* What a batch touched: the components of its records and of the neighbours of those that are gone
 * are clustered anew, the MatchIds are assigned, and groups and events follow. */

struct part {             /* a component, or what is left of a group that cannot be looked at */
    uint32_t from, count; /* in members */
    bool looked_into;     /* its groups are not simply all of it */
    struct kin_component_result result;
};
struct item {        /* a record of the change */
    uint32_t number; /* as it is now; LIVE_NONE: no more */
    uint32_t old;    /* as it was committed; LIVE_NONE: it was not there */
    uint32_t before, after;
    uint16_t rule; /* of its best edge */
    int32_t weight;
};
struct regroup {
    struct live *live;
    struct live_batch *batch;
    struct kin_arena arena;
    struct kin_buf members; /* u32 */
    struct kin_buf parts;   /* struct part */
    struct kin_buf items;   /* struct item */
    struct kin_buf before;  /* u32: groups */
    uint32_t after_count;
    uint64_t next_event;
    const uint8_t **features;                 /* [members], where never rules are asked */
    struct kin_linkage_component *components; /* [parts] of those that are looked into */
};

void live_regroup_free(struct regroup *r)
{
    if (!r)
        return;
    kin_arena_deinit(&r->arena);
    kin_buf_deinit(&r->members);
    kin_buf_deinit(&r->parts);
    kin_buf_deinit(&r->items);
    kin_buf_deinit(&r->before);
    kin_free(r);
}

static void regroup_failed(struct live *live, kin_status status)
{
    live_broken(live, status, "MatchGroups cannot be made anew");
}

static struct part *parts_of(struct regroup *r, size_t *count)
{
    *count = r->parts.n / sizeof(struct part);
    return (struct part *)(void *)r->parts.p;
}
static const uint32_t *members_of(const struct regroup *r, const struct part *p)
{
    return (const uint32_t *)(const void *)r->members.p + p->from;
}
static struct item *items_of(struct regroup *r, size_t *count)
{
    *count = r->items.n / sizeof(struct item);
    return (struct item *)(void *)r->items.p;
}

/* ---- components ---- */

static bool is_member(const struct live_graph *g, const uint32_t *members, uint32_t n,
                      uint32_t record)
{
    uint32_t low = 0, high = n; /* they are in the order of (source, id) */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (live_graph_cmp(g, members[middle], record) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && members[low] == record;
}

/* A link of a person between two of them; a never link may lead elsewhere. */
static bool has_link(const struct live_graph *g, const uint32_t *members, uint32_t n, uint16_t rule)
{
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t e = g->records[members[i]].edges; e != LIVE_NONE; e = g->edges[e].next) {
            if (g->edges[e].rule == rule && is_member(g, members, n, g->edges[e].to))
                return true;
        }
    }
    return false;
}

/* Whether a component is more than one group, perhaps. Of rules and never rules alone one that is
 * larger than limits.max_veto_group is left as it hangs together, as by a batch. */
static bool is_looked_into(const struct live *live, const uint32_t *members, uint32_t n)
{
    const struct kin_workflow *w = live->workflow;
    if (n < 2)
        return false;
    if (has_link(&live->graph, members, n, LIVE_NEVER))
        return true;
    if (!kin_workflow_refines(w))
        return false;
    return !kin_workflow_only_vetoes(w) || n <= w->limits.max_veto_group ||
           has_link(&live->graph, members, n, LIVE_MUST);
}

static kin_status find_components(struct regroup *r)
{
    struct live_graph *g = &r->live->graph;
    const struct kin_buf *seeds = &r->batch->seeds;
    uint32_t max = kin_workflow_refines(r->live->workflow) ? LIVE_CLUSTER_MAX : LIVE_COMPONENT_MAX;
    live_graph_walk(g);
    for (size_t at = 0; at < seeds->n; at += 4) {
        struct part part = {.from = (uint32_t)(r->members.n / 4)};
        uint32_t seed = kin_le32(seeds->p + at);
        bool found;
        kin_status status = live_graph_component(g, seed, max, &r->members, &found);
        if (status == KIN_E_LIMIT) { /* it stays as it is, but for what cannot */
            r->members.n = 4 * (size_t)part.from;
            r->live->deferred++;
            if (live_graph_committed(g, seed) == LIVE_NONE)
                kin_buf_u32(&r->members, seed);
        } else if (status != KIN_OK) {
            return status;
        }
        part.count = (uint32_t)(r->members.n / 4) - part.from;
        if (!part.count)
            continue;
        part.looked_into = is_looked_into(r->live, members_of(r, &part), part.count);
        kin_buf_put(&r->parts, &part, sizeof part);
    }
    return r->parts.failed || r->members.failed ? KIN_E_NOMEM : KIN_OK;
}

/* ---- looking into a component: its links, as the library wants them ---- */

struct gathering {
    struct regroup *r;
    struct kin_buf edges, stars, star_members, must, never;
};

static void gather_edges(struct gathering *x, const struct live_graph *g, const uint32_t *members,
                         uint32_t i)
{
    const struct live_record *rec = &g->records[members[i]];
    for (uint32_t at = rec->edges; at != LIVE_NONE; at = g->edges[at].next) {
        const struct live_edge *e = &g->edges[at];
        uint32_t place = g->records[e->to].mark; /* LIVE_NONE: of another component */
        if (place == LIVE_NONE || place <= i)
            continue;
        struct kin_linkage_pair pair = {i, place};
        bool model = e->rule == g->workflow->rule_count;
        struct kin_linkage_edge edge = {.a = i,
                                        .b = place,
                                        .weight = model ? e->weight : KIN_LINKAGE_CERTAIN,
                                        .rule = model ? (uint16_t)KIN_LINKAGE_MODEL : e->rule};
        if (e->rule == LIVE_MUST)
            kin_buf_put(&x->must, &pair, sizeof pair);
        else if (e->rule == LIVE_NEVER)
            kin_buf_put(&x->never, &pair, sizeof pair);
        else
            kin_buf_put(&x->edges, &edge, sizeof edge);
    }
}

/* A hub is gathered where its first member in the walk is. */
static void gather_stars(struct gathering *x, struct live_graph *g, const uint32_t *members,
                         uint32_t i)
{
    const struct live_record *rec = &g->records[members[i]];
    for (uint32_t at = rec->hubs; at != LIVE_NONE; at = g->members[at].next_hub) {
        struct live_hub *h = &g->hubs[g->members[at].hub];
        if (h->count < 2)
            continue;
        uint32_t smallest = LIVE_NONE, n = 0;
        for (uint32_t k = h->first; k != LIVE_NONE; k = g->members[k].next) {
            uint32_t place = g->records[g->members[k].record].mark;
            smallest = place < smallest ? place : smallest;
        }
        if (smallest != i)
            continue;
        size_t from = x->star_members.n;
        for (uint32_t k = h->first; k != LIVE_NONE; k = g->members[k].next) {
            uint32_t place = g->records[g->members[k].record].mark;
            if (place == LIVE_NONE)
                continue; /* in across_sources: the hub joins nothing */
            kin_buf_u32(&x->star_members, place);
            n++;
        }
        struct kin_linkage_star star = {(const uint32_t *)from, n, h->rule}; /* placed later */
        kin_buf_put(&x->stars, &star, sizeof star);
    }
}

static void *arena_copy(struct kin_arena *arena, const struct kin_buf *b)
{
    void *p = kin_arena_alloc(arena, b->n + 1);
    if (p && b->n)
        memcpy(p, b->p, b->n);
    return p;
}

static kin_status gather(struct regroup *r, const struct part *part,
                         struct kin_linkage_component *out)
{
    struct live_graph *g = &r->live->graph;
    const uint32_t *members = members_of(r, part);
    struct gathering x = {.r = r};
    uint16_t *source = kin_arena_calloc(&r->arena, part->count, sizeof *source);
    for (uint32_t i = 0; i < part->count; i++)
        g->records[members[i]].mark = i;
    for (uint32_t i = 0; source && i < part->count; i++) {
        source[i] = g->records[members[i]].source;
        gather_edges(&x, g, members, i);
        gather_stars(&x, g, members, i);
    }
    for (uint32_t i = 0; i < part->count; i++)
        g->records[members[i]].mark = LIVE_NONE;
    *out = (struct kin_linkage_component){.count = part->count,
                                          .source = source,
                                          .edges = arena_copy(&r->arena, &x.edges),
                                          .edge_count = x.edges.n / sizeof *out->edges,
                                          .must = arena_copy(&r->arena, &x.must),
                                          .must_count = x.must.n / sizeof *out->must,
                                          .never = arena_copy(&r->arena, &x.never),
                                          .never_count = x.never.n / sizeof *out->never};
    struct kin_linkage_star *stars = arena_copy(&r->arena, &x.stars);
    const uint8_t *places = arena_copy(&r->arena, &x.star_members);
    out->stars = stars;
    out->star_count = x.stars.n / sizeof *stars;
    for (size_t i = 0; stars && places && i < out->star_count; i++)
        stars[i].members = (const uint32_t *)(const void *)(places + (size_t)stars[i].members);
    bool failed = x.edges.failed || x.stars.failed || x.star_members.failed || x.must.failed ||
                  x.never.failed || !source || !out->edges || !out->must || !out->never || !stars ||
                  !places;
    kin_buf_deinit(&x.edges);
    kin_buf_deinit(&x.stars);
    kin_buf_deinit(&x.star_members);
    kin_buf_deinit(&x.must);
    kin_buf_deinit(&x.never);
    return failed ? KIN_E_NOMEM : KIN_OK;
}

/* ---- groups of the parts ---- */

/* The best of a record's edges that lie inside its group. */
static void best_edge(const struct live_graph *g, uint32_t number, uint16_t *rule, int32_t *weight)
{
    const struct live_record *rec = &g->records[number];
    *rule = UINT16_MAX;
    *weight = 0;
    for (uint32_t at = rec->edges; at != LIVE_NONE; at = g->edges[at].next) {
        const struct live_edge *e = &g->edges[at];
        if (e->rule == LIVE_MUST) {
            *rule = LIVE_MUST;
            *weight = 0;
            return;
        }
        if (!live_graph_joins(g, e) || e->rule > *rule ||
            (e->rule == *rule && e->weight <= *weight))
            continue;
        *rule = e->rule;
        *weight = e->rule < g->workflow->rule_count ? 0 : e->weight;
    }
    for (uint32_t at = rec->hubs; at != LIVE_NONE; at = g->members[at].next_hub) {
        const struct live_hub *h = &g->hubs[g->members[at].hub];
        if (h->rule < *rule && live_graph_hub_joins(g, h)) {
            *rule = h->rule;
            *weight = 0;
        }
    }
}

static bool has_must(const struct live_graph *g, uint32_t number)
{
    for (uint32_t at = g->records[number].edges; at != LIVE_NONE; at = g->edges[at].next) {
        if (g->edges[at].rule == LIVE_MUST)
            return true;
    }
    return false;
}

static void put_item(struct regroup *r, struct item item)
{
    kin_buf_put(&r->items, &item, sizeof item);
}

static void list_part(struct regroup *r, const struct part *part)
{
    const struct live_graph *g = &r->live->graph;
    const uint32_t *members = members_of(r, part);
    unsigned level = r->live->workflow->model ? (unsigned)r->live->workflow->model->primary : 0;
    for (uint32_t i = 0; i < part->count; i++) {
        struct item item = {.number = members[i],
                            .old = live_graph_committed(g, members[i]),
                            .before = LIVE_NONE,
                            .after = r->after_count};
        if (part->looked_into) {
            level = level < part->result.levels ? level : 0;
            item.after += part->result.group[(size_t)level * part->count + i];
            item.rule = part->result.best_rule[i];
            item.weight = part->result.best_weight[i];
            if (item.rule != UINT16_MAX && item.rule >= g->workflow->rule_count)
                item.rule = (uint16_t)g->workflow->rule_count;
            if (has_must(g, members[i]))
                item.rule = LIVE_MUST;
        } else {
            best_edge(g, members[i], &item.rule, &item.weight);
        }
        put_item(r, item);
    }
    r->after_count += part->looked_into ? part->count : 1;
}

/* Those that are gone for good, and members of touched groups that no part holds. */
static void list_rest(struct regroup *r)
{
    struct live_graph *g = &r->live->graph;
    const struct kin_buf *removed = &r->batch->removed;
    size_t n;
    struct item *items = items_of(r, &n);
    for (size_t i = 0; i < n; i++) {
        if (items[i].old != LIVE_NONE)
            g->records[items[i].old].mark = 0; /* seen */
    }
    for (size_t at = 0; at < removed->n; at += 4) {
        uint32_t old = kin_le32(removed->p + at);
        struct live_record *rec = &g->records[old];
        if (rec->group == LIVE_NONE || rec->mark != LIVE_NONE)
            continue;
        uint32_t now = live_graph_find(g, rec->source, live_graph_id(g, old));
        bool gone = now == LIVE_NONE || g->records[now].dead;
        if (!gone)
            continue; /* its new number is listed below, or above */
        rec->mark = 0;
        put_item(r, (struct item){
                        .number = LIVE_NONE, .old = old, .before = LIVE_NONE, .after = LIVE_NONE});
    }
    items = items_of(r, &n);
    for (size_t i = 0; i < n && !r->items.failed; i++) {
        items = items_of(r, &n);
        if (items[i].old == LIVE_NONE)
            continue;
        uint32_t group = g->records[items[i].old].group, rest = LIVE_NONE;
        if (g->groups[group].mark != LIVE_NONE)
            continue;
        g->groups[group].mark = (uint32_t)(r->before.n / 4);
        kin_buf_u32(&r->before, group);
        uint32_t at = g->groups[group].first;
        for (uint32_t k = 0; k < g->groups[group].size; k++, at = g->records[at].next_in_group) {
            struct live_record *rec = &g->records[at];
            if (rec->mark != LIVE_NONE)
                continue;
            uint32_t now = rec->dead ? live_graph_find(g, rec->source, live_graph_id(g, at)) : at;
            rest = rest == LIVE_NONE ? r->after_count++ : rest;
            rec->mark = 0;
            put_item(r, (struct item){.number = now,
                                      .old = at,
                                      .before = LIVE_NONE,
                                      .after = rest,
                                      .rule = rec->rule,
                                      .weight = rec->weight});
        }
        items = items_of(r, &n);
    }
    items = items_of(r, &n);
    for (size_t i = 0; i < n; i++) {
        if (items[i].old == LIVE_NONE)
            continue;
        g->records[items[i].old].mark = LIVE_NONE;
        items[i].before = g->groups[g->records[items[i].old].group].mark;
    }
    const uint32_t *before = (const uint32_t *)(const void *)r->before.p;
    for (size_t i = 0; i < r->before.n / 4; i++)
        g->groups[before[i]].mark = LIVE_NONE;
}

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
    return s != t ? (s < t ? -1 : 1) : kin_str_cmp(x, y);
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
        uint32_t first = item_record(&items[as->verdict.smallest[i]]), generation = 0;
        uint16_t source = g->records[first].source;
        struct kin_str id = live_graph_id(g, first);
        do
            registry_new_id(live->c->args->match_id_key, kin_str_of(live->workflow->name),
                            kin_str_of(live->workflow->sources[source].name), id, generation++,
                            &as->after_ids[i]);
        while (live_graph_id_used(g, &as->after_ids[i]));
        uint8_t copy[256]; /* the id may move while it is appended to its own buffer */
        memcpy(copy, id.p, id.n);
        as->groups[i] = live_graph_group_new(g, &as->after_ids[i], live->batch0 + r->batch->seq,
                                             source, (struct kin_str){(char *)copy, id.n});
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
        uint16_t source;
        struct registry_entry entry = {.state =
                                           heir == REGISTRY_NONE ? REGISTRY_GONE : REGISTRY_ALIAS,
                                       .born = old->born,
                                       .has_survivor = heir != REGISTRY_NONE,
                                       .has_split_from = old->has_split_from,
                                       .split_from = old->split_from,
                                       .see_also = old->see_also,
                                       .see_also_count = old->see_also_count};
        live_graph_founder(g, before[b], &source, &entry.founder_id);
        entry.founder_source = kin_str_of(live->workflow->sources[source].name);
        if (entry.has_survivor)
            entry.survivor = as->after_ids[heir];
        struct kin_buf value = {0};
        registry_entry_write(&entry, &value);
        struct live_key key = live_key_entry(live->slot, &old->id);
        live_put_kv(&r->batch->store, DB_IDS, live_key_str(&key),
                    (struct kin_str){(char *)value.p, value.n});
        r->batch->store.bytes.failed = r->batch->store.bytes.failed || value.failed;
        kin_buf_deinit(&value);
        kin_status status =
            live_graph_retire(g, &old->id, entry.has_survivor ? &entry.survivor : NULL);
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

static kin_status assign(struct regroup *r)
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

/* ---- ids that were answered before their records were matched: groups of their own, first ---- */

static kin_status found_minted(struct regroup *r)
{
    struct live *live = r->live;
    struct live_batch *b = r->batch;
    struct live_graph *g = &live->graph;
    for (size_t at = 0; at < b->minted.n; at += 4) {
        uint32_t rel = kin_le32(b->minted.p + at), number = b->base + rel, generation = 0;
        if (rel >= b->count || g->records[number].dead ||
            live_graph_committed(g, number) != LIVE_NONE)
            continue;
        struct registry_id id;
        struct kin_str name = live_graph_id(g, number);
        uint8_t copy[256]; /* the id may move while it is appended to its own buffer */
        do
            registry_new_id(live->c->args->match_id_key, kin_str_of(live->workflow->name),
                            kin_str_of(live->workflow->sources[b->source].name), name, generation++,
                            &id);
        while (live_graph_id_used(g, &id));
        memcpy(copy, name.p, name.n);
        uint32_t group = live_graph_group_new(g, &id, live->batch0 + b->seq, b->source,
                                              (struct kin_str){(char *)copy, name.n});
        if (group == LIVE_NONE)
            return KIN_E_NOMEM;
        live_graph_group_add(g, group, number);
        g->groups[group].untold = true;
    }
    return KIN_OK;
}

/* ---- the steps ---- */

static void finish(struct regroup *r, kin_status status)
{
    struct live *live = r->live;
    struct live_batch *b = r->batch;
    size_t parts;
    struct part *p = parts_of(r, &parts);
    if (status == KIN_OK)
        status = found_minted(r);
    for (size_t i = 0; i < parts && status == KIN_OK; i++)
        list_part(r, &p[i]);
    if (status == KIN_OK)
        list_rest(r);
    if (status == KIN_OK && (r->items.failed || r->before.failed))
        status = KIN_E_NOMEM;
    if (status == KIN_OK && r->items.n)
        status = assign(r);
    if (status != KIN_OK) {
        regroup_failed(live, status);
        return;
    }
    b->next_event = r->next_event;
    live_commit(live, b);
}

struct cluster_task {
    struct live_task task;
    struct regroup *r;
};

static void cluster_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct cluster_task *t = (struct cluster_task *)work;
    struct regroup *r = t->r;
    size_t n;
    struct part *p = parts_of(r, &n);
    struct kin_kernel_scratch *scratch = kin_kernel_scratch_new();
    kin_status status = scratch ? KIN_OK : KIN_E_NOMEM;
    for (size_t i = 0; i < n && status == KIN_OK; i++) {
        if (p[i].looked_into)
            status = kin_component_cluster(&r->arena, r->live->workflow, &r->components[i],
                                           r->features ? r->features + p[i].from : NULL, scratch,
                                           &p[i].result);
    }
    kin_kernel_scratch_free(scratch);
    t->task.task.status = status;
}

static void cluster_finish(struct live_task *task)
{
    struct live *live = task->live;
    struct regroup *r = ((struct cluster_task *)task)->r;
    if (live->state == LIVE_SERVING && live->batches && live->batches->regroup == r)
        finish(r, task->task.status);
}

static void cluster_start(struct regroup *r)
{
    size_t n;
    const struct part *p = parts_of(r, &n);
    bool any = false;
    kin_status status = KIN_OK;
    r->components = kin_arena_calloc(&r->arena, n, sizeof *r->components);
    if (!r->components)
        status = KIN_E_NOMEM;
    for (size_t i = 0; i < n && status == KIN_OK; i++) {
        if (p[i].looked_into)
            status = gather(r, &p[i], &r->components[i]);
        any = any || p[i].looked_into;
    }
    struct cluster_task *t =
        status == KIN_OK && any
            ? live_task_new(r->live, sizeof *t, cluster_run, cluster_finish, NULL)
            : NULL;
    if (!t) {
        finish(r, status == KIN_OK && any ? KIN_E_NOMEM : status);
        return;
    }
    t->r = r;
    live_task_start(&t->task);
}

/* The features of all members, for never rules: copied, the answer does not last. */
static void features_came(struct live *live, void *arg, const struct live_fetched *got)
{
    struct regroup *r = arg;
    if (live->state != LIVE_SERVING || !live->batches || live->batches->regroup != r)
        return;
    size_t n = r->members.n / 4;
    r->features = got ? kin_arena_calloc(&r->arena, n, sizeof *r->features) : NULL;
    kin_status status = r->features ? KIN_OK : KIN_E_NOMEM;
    for (size_t i = 0; i < n && status == KIN_OK; i++) {
        const uint8_t *from = got->features[i];
        uint8_t *to = from ? kin_arena_alloc(&r->arena, kin_features_bytes(from)) : NULL;
        if (!from)
            status = KIN_E_NOTFOUND; /* a worker has lost what it stored */
        else if (!to)
            status = KIN_E_NOMEM;
        else
            memcpy(to, from, kin_features_bytes(from));
        r->features[i] = to;
    }
    if (status == KIN_OK)
        cluster_start(r);
    else
        finish(r, status);
}

void live_regroup(struct live *live, struct live_batch *b)
{
    struct regroup *r = kin_calloc(1, sizeof *r);
    if (!r) {
        regroup_failed(live, KIN_E_NOMEM);
        return;
    }
    *r = (struct regroup){.live = live, .batch = b, .next_event = live->next_event};
    b->regroup = r;
    kin_status status = find_components(r);
    size_t n;
    const struct part *p = parts_of(r, &n);
    bool asks = false;
    for (size_t i = 0; i < n; i++)
        asks = asks || (p[i].looked_into && live->workflow->never_count);
    if (status == KIN_OK && asks) {
        status = live_fetch(live, (const uint32_t *)(const void *)r->members.p, r->members.n / 4,
                            false, 0, features_came, NULL, r);
        if (status == KIN_OK)
            return;
    }
    if (status == KIN_OK)
        cluster_start(r);
    else
        finish(r, status);
}
