#include "coordinator/live_regroup.h"

#include <stdlib.h>
#include <string.h>

/* What a batch touched: the components of its records and of the neighbours of those that are gone
 * are clustered anew, the MatchIds are assigned, and groups and events follow. */

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

/* ---- the steps ---- */

static void finish(struct regroup *r, kin_status status)
{
    struct live *live = r->live;
    struct live_batch *b = r->batch;
    size_t parts;
    struct part *p = parts_of(r, &parts);
    if (status == KIN_OK)
        status = regroup_found_minted(r);
    for (size_t i = 0; i < parts && status == KIN_OK; i++)
        list_part(r, &p[i]);
    if (status == KIN_OK)
        list_rest(r);
    if (status == KIN_OK && (r->items.failed || r->before.failed))
        status = KIN_E_NOMEM;
    if (status == KIN_OK && r->items.n)
        status = regroup_assign(r);
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
