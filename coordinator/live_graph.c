#include "coordinator/live_graph.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024 };

void live_graph_init(struct live_graph *g, const struct kin_workflow *workflow)
{
    *g = (struct live_graph){.workflow = workflow,
                             .edge_free = LIVE_NONE,
                             .member_free = LIVE_NONE,
                             .group_free = LIVE_NONE};
    const struct kin_workflow_model *model = workflow->model;
    g->joins_from = model ? model->thresholds[model->threshold_count - 1].weight : 0;
}

void live_graph_deinit(struct live_graph *g)
{
    for (uint32_t i = 0; i < g->group_count; i++)
        kin_free(g->groups[i].see_also);
    kin_free(g->records);
    kin_buf_deinit(&g->ids);
    kin_free(g->identities);
    kin_free(g->edges);
    kin_free(g->hubs);
    kin_free(g->members);
    kin_free(g->groups);
    kin_free(g->group_buckets);
    kin_free(g->retired);
    kin_free(g->retired_buckets);
    kin_free(g->stamps);
    *g = (struct live_graph){0};
}

/* Room for one more of `count` items. */
static bool grow(void **items, size_t size, uint32_t count, uint32_t *cap)
{
    if (count < *cap)
        return true;
    uint32_t more = *cap ? *cap + *cap / 2 + 1 : 256;
    if (more < *cap || more >= LIVE_NONE)
        return false;
    void *p = kin_reallocarray(*items, more, size);
    if (!p)
        return false;
    *items = p;
    *cap = more;
    return true;
}

/* ---- records ---- */

struct kin_str live_graph_id(const struct live_graph *g, uint32_t record)
{
    const struct live_record *r = &g->records[record];
    return (struct kin_str){(const char *)g->ids.p + r->id_at, r->id_bytes};
}

int live_graph_cmp(const struct live_graph *g, uint32_t a, uint32_t b)
{
    const struct live_record *x = &g->records[a], *y = &g->records[b];
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return kin_str_cmp(live_graph_id(g, a), live_graph_id(g, b));
}

static size_t identity_slot(const struct live_graph *g, uint16_t source, struct kin_str id)
{
    size_t mask = g->identity_cap - 1, at = kin_hash64(id.p, id.n, source) & mask;
    while (g->identities[at] != LIVE_NONE) {
        uint32_t r = g->identities[at];
        if (g->records[r].source == source && kin_str_eq(live_graph_id(g, r), id))
            break;
        at = (at + 1) & mask;
    }
    return at;
}

uint32_t live_graph_find(const struct live_graph *g, uint16_t source, struct kin_str id)
{
    return g->identity_cap ? g->identities[identity_slot(g, source, id)] : LIVE_NONE;
}

static bool grow_identities(struct live_graph *g)
{
    if (4 * (g->identity_count + 1) <= 3 * g->identity_cap)
        return true;
    size_t old_cap = g->identity_cap, cap = old_cap ? 2 * old_cap : FIRST_SLOTS;
    uint32_t *old = g->identities, *slots = kin_reallocarray(NULL, cap, sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0xff, cap * sizeof *slots);
    g->identities = slots;
    g->identity_cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i] != LIVE_NONE)
            slots[identity_slot(g, g->records[old[i]].source, live_graph_id(g, old[i]))] = old[i];
    }
    kin_free(old);
    return true;
}

static kin_status grow_records(struct live_graph *g)
{
    uint32_t cap = g->cap;
    if (g->count >= LIVE_NONE - 1)
        return KIN_E_LIMIT;
    if (!grow((void **)&g->records, sizeof *g->records, g->count, &g->cap))
        return KIN_E_NOMEM;
    if (g->cap != cap || !g->stamps) {
        uint32_t *stamps = kin_reallocarray(g->stamps, g->cap, sizeof *stamps);
        if (!stamps) {
            g->cap = cap; /* the records have more room than is known: no harm */
            return KIN_E_NOMEM;
        }
        memset(stamps + cap, 0, (g->cap - cap) * sizeof *stamps);
        g->stamps = stamps;
    }
    return KIN_OK;
}

static const struct live_record NO_RECORD = {.group = LIVE_NONE,
                                             .next_in_group = LIVE_NONE,
                                             .edges = LIVE_NONE,
                                             .hubs = LIVE_NONE,
                                             .replaces = LIVE_NONE,
                                             .mark = LIVE_NONE,
                                             .rule = UINT16_MAX,
                                             .updated = INT64_MIN,
                                             .dead = true};

kin_status live_graph_skip(struct live_graph *g)
{
    kin_status status = grow_records(g);
    if (status == KIN_OK)
        g->records[g->count++] = NO_RECORD;
    return status;
}

kin_status live_graph_add(struct live_graph *g, uint16_t source, struct kin_str id, int64_t updated,
                          uint8_t home)
{
    kin_status status = grow_records(g);
    if (status != KIN_OK)
        return status;
    if (!grow_identities(g))
        return KIN_E_NOMEM;
    size_t slot = identity_slot(g, source, id);
    uint32_t before = g->identities[slot], number = g->count;
    struct live_record *r = &g->records[number];
    *r = NO_RECORD;
    if (before == LIVE_NONE) {
        r->id_at = g->ids.n;
        kin_buf_put(&g->ids, id.p, id.n);
        if (g->ids.failed) {
            g->ids.failed = false;
            return KIN_E_NOMEM;
        }
        g->identity_count++;
    } else {
        r->id_at = g->records[before].id_at; /* the same id */
    }
    r->id_bytes = (uint8_t)id.n;
    r->source = source;
    r->updated = updated;
    r->home = home;
    r->dead = false;
    r->replaces = before;
    g->identities[slot] = number;
    g->count++;
    g->alive++;
    return KIN_OK;
}

uint32_t live_graph_committed(const struct live_graph *g, uint32_t record)
{
    while (record != LIVE_NONE && g->records[record].group == LIVE_NONE)
        record = g->records[record].replaces;
    return record;
}

/* ---- edges ---- */

static uint32_t edge_new(struct live_graph *g)
{
    uint32_t at = g->edge_free;
    if (at != LIVE_NONE) {
        g->edge_free = g->edges[at].next;
        return at;
    }
    if (!grow((void **)&g->edges, sizeof *g->edges, g->edge_count, &g->edge_cap))
        return LIVE_NONE;
    return g->edge_count++;
}

static void edge_release(struct live_graph *g, uint32_t at)
{
    g->edges[at].next = g->edge_free;
    g->edge_free = at;
}

static bool is_link(uint16_t rule)
{
    return rule == LIVE_MUST || rule == LIVE_NEVER;
}

/* Links of people stand beside what was found. */
static uint32_t edge_find(const struct live_graph *g, uint32_t a, uint32_t b, bool link)
{
    uint32_t at = g->records[a].edges;
    while (at != LIVE_NONE && (g->edges[at].to != b || is_link(g->edges[at].rule) != link))
        at = g->edges[at].next;
    return at;
}

kin_status live_graph_edge(struct live_graph *g, uint32_t a, uint32_t b, uint16_t rule,
                           int32_t weight, bool *added)
{
    uint32_t there = edge_find(g, a, b, is_link(rule));
    *added = false;
    if (there != LIVE_NONE) {
        const struct live_edge *old = &g->edges[there];
        if (!is_link(rule) && (old->rule < rule || (old->rule == rule && old->weight >= weight)))
            return KIN_OK;
        if (is_link(rule) && old->rule == rule)
            return KIN_OK;
        uint32_t back = edge_find(g, b, a, is_link(rule));
        g->edges[there].rule = g->edges[back].rule = rule;
        g->edges[there].weight = g->edges[back].weight = weight;
        *added = true;
        return KIN_OK;
    }
    uint32_t x = edge_new(g), y = x == LIVE_NONE ? LIVE_NONE : edge_new(g);
    if (y == LIVE_NONE) {
        if (x != LIVE_NONE)
            edge_release(g, x);
        return KIN_E_NOMEM;
    }
    g->edges[x] = (struct live_edge){b, g->records[a].edges, weight, rule};
    g->records[a].edges = x;
    g->edges[y] = (struct live_edge){a, g->records[b].edges, weight, rule};
    g->records[b].edges = y;
    *added = true;
    return KIN_OK;
}

/* Takes a's half of its edge to b out. */
static void unlink_half(struct live_graph *g, uint32_t a, uint32_t b, bool link)
{
    uint32_t *at = &g->records[a].edges;
    while (*at != LIVE_NONE && (g->edges[*at].to != b || is_link(g->edges[*at].rule) != link))
        at = &g->edges[*at].next;
    if (*at == LIVE_NONE)
        return;
    uint32_t gone = *at;
    *at = g->edges[gone].next;
    edge_release(g, gone);
}

void live_graph_edge_drop(struct live_graph *g, uint32_t a, uint32_t b, uint16_t rule)
{
    unlink_half(g, a, b, is_link(rule));
    unlink_half(g, b, a, is_link(rule));
}

/* ---- hubs ---- */

static uint32_t member_find(const struct live_graph *g, uint32_t record, uint64_t key)
{
    uint32_t at = g->records[record].hubs;
    while (at != LIVE_NONE && g->hubs[g->members[at].hub].key != key)
        at = g->members[at].next_hub;
    return at;
}

static kin_status hub_join(struct live_graph *g, uint32_t hub, uint32_t record)
{
    uint32_t at = g->member_free;
    if (at != LIVE_NONE) {
        g->member_free = g->members[at].next;
    } else {
        if (!grow((void **)&g->members, sizeof *g->members, g->member_count, &g->member_cap))
            return KIN_E_NOMEM;
        at = g->member_count++;
    }
    struct live_hub *h = &g->hubs[hub];
    g->members[at] =
        (struct live_member){record, hub, h->first, LIVE_NONE, g->records[record].hubs};
    if (h->first != LIVE_NONE)
        g->members[h->first].prev = at;
    h->first = at;
    h->count++;
    g->records[record].hubs = at;
    return KIN_OK;
}

static kin_status hub_make(struct live_graph *g, uint32_t hub, uint64_t key, uint16_t rule)
{
    while (g->hub_count <= hub) {
        if (!grow((void **)&g->hubs, sizeof *g->hubs, g->hub_count, &g->hub_cap))
            return KIN_E_NOMEM;
        g->hubs[g->hub_count++] = (struct live_hub){.first = LIVE_NONE};
    }
    g->hubs[hub].key = key;
    g->hubs[hub].rule = rule;
    return KIN_OK;
}

kin_status live_graph_hub_member(struct live_graph *g, uint32_t hub, uint64_t key, uint16_t rule,
                                 uint32_t record)
{
    kin_status status = hub_make(g, hub, key, rule);
    return status == KIN_OK ? hub_join(g, hub, record) : status;
}

/* All members of one hub become members of another. */
static void hub_absorb(struct live_graph *g, uint32_t to, uint32_t from)
{
    struct live_hub *h = &g->hubs[to], *old = &g->hubs[from];
    for (uint32_t at = old->first, next; at != LIVE_NONE; at = next) {
        struct live_member *m = &g->members[at];
        next = m->next;
        m->hub = to;
        m->next = h->first;
        m->prev = LIVE_NONE;
        if (h->first != LIVE_NONE)
            g->members[h->first].prev = at;
        h->first = at;
    }
    h->count += old->count;
    old->count = 0;
    old->first = LIVE_NONE;
}

kin_status live_graph_star(struct live_graph *g, uint32_t a, uint32_t b, uint64_t key,
                           uint16_t rule, struct live_joined *out)
{
    uint32_t of_b = member_find(g, b, key), of_a = member_find(g, a, key);
    kin_status status = KIN_OK;
    *out = (struct live_joined){.absorbed = LIVE_NONE};
    if (of_b == LIVE_NONE) {
        out->hub = of_a == LIVE_NONE ? g->hub_count : g->members[of_a].hub;
        if (of_a == LIVE_NONE)
            status = hub_make(g, out->hub, key, rule);
        if (status == KIN_OK)
            status = hub_join(g, out->hub, b);
        out->b = status == KIN_OK;
    } else {
        out->hub = g->members[of_b].hub;
    }
    if (status == KIN_OK && of_a == LIVE_NONE) {
        status = hub_join(g, out->hub, a);
        out->a = status == KIN_OK;
    } else if (status == KIN_OK && g->members[of_a].hub != out->hub) {
        out->absorbed = g->members[of_a].hub;
        hub_absorb(g, out->hub, out->absorbed);
    }
    return status;
}

const struct live_hub *live_graph_hub_of(const struct live_graph *g, uint32_t record, uint64_t key)
{
    uint32_t at = member_find(g, record, key);
    return at == LIVE_NONE ? NULL : &g->hubs[g->members[at].hub];
}

bool live_graph_hub_joins(const struct live_graph *g, const struct live_hub *hub)
{
    if (!g->workflow->across_sources || hub->count < 2)
        return hub->count >= 2;
    uint16_t source = g->records[g->members[hub->first].record].source;
    for (uint32_t m = hub->first; m != LIVE_NONE; m = g->members[m].next) {
        if (g->records[g->members[m].record].source != source)
            return true;
    }
    return false;
}

void live_graph_remove(struct live_graph *g, uint32_t record, struct kin_buf *seeds,
                       struct kin_buf *left)
{
    struct live_record *r = &g->records[record];
    while (r->edges != LIVE_NONE) {
        uint32_t at = r->edges;
        kin_buf_u32(seeds, g->edges[at].to);
        unlink_half(g, g->edges[at].to, record, is_link(g->edges[at].rule));
        r->edges = g->edges[at].next;
        edge_release(g, at);
    }
    while (r->hubs != LIVE_NONE) {
        uint32_t at = r->hubs;
        struct live_member *m = &g->members[at];
        struct live_hub *h = &g->hubs[m->hub];
        kin_buf_u32(left, m->hub);
        if (m->prev == LIVE_NONE)
            h->first = m->next;
        else
            g->members[m->prev].next = m->next;
        if (m->next != LIVE_NONE)
            g->members[m->next].prev = m->prev;
        h->count--;
        /* all that are left: in across_sources the hub may have stopped to join them */
        bool joins = live_graph_hub_joins(g, h);
        for (uint32_t k = h->first; k != LIVE_NONE; k = g->members[k].next) {
            kin_buf_u32(seeds, g->members[k].record);
            if (joins)
                break;
        }
        r->hubs = m->next_hub;
        m->next = g->member_free;
        g->member_free = at;
    }
    g->alive -= !r->dead;
    r->dead = true;
}

/* ---- components ---- */

void live_graph_walk(struct live_graph *g)
{
    if (++g->stamp)
        return;
    memset(g->stamps, 0, g->cap * sizeof *g->stamps); /* once in four billion walks */
    for (uint32_t h = 0; h < g->hub_count; h++)
        g->hubs[h].stamp = 0;
    g->stamp = 1;
}

static void visit(struct live_graph *g, uint32_t record, struct kin_buf *out)
{
    if (g->stamps[record] == g->stamp || g->records[record].dead)
        return;
    g->stamps[record] = g->stamp;
    kin_buf_u32(out, record);
}

static int by_identity(const void *a, const void *b, void *arg)
{
    return live_graph_cmp(arg, *(const uint32_t *)a, *(const uint32_t *)b);
}

kin_status live_graph_component(struct live_graph *g, uint32_t record, uint32_t max,
                                struct kin_buf *out, bool *found)
{
    size_t from = out->n;
    visit(g, record, out);
    *found = out->n > from;
    for (size_t at = from; at < out->n && !out->failed; at += 4) {
        if ((out->n - from) / 4 > max)
            return KIN_E_LIMIT;
        const struct live_record *r = &g->records[kin_le32(out->p + at)];
        for (uint32_t e = r->edges; e != LIVE_NONE; e = g->edges[e].next) {
            if (live_graph_joins(g, &g->edges[e]))
                visit(g, g->edges[e].to, out);
        }
        for (uint32_t m = r->hubs; m != LIVE_NONE; m = g->members[m].next_hub) {
            struct live_hub *h = &g->hubs[g->members[m].hub];
            if (h->stamp == g->stamp)
                continue;
            h->stamp = g->stamp;
            if (!live_graph_hub_joins(g, h))
                continue;
            for (uint32_t k = h->first; k != LIVE_NONE; k = g->members[k].next)
                visit(g, g->members[k].record, out);
        }
    }
    if (out->failed)
        return KIN_E_NOMEM;
    size_t n = (out->n - from) / 4;
    if (n > 1)
        qsort_r(out->p + from, n, 4, by_identity, g);
    return KIN_OK;
}
