#include "coordinator/live_graph.h"

#include <string.h>

/* The committed side of the graph: groups by id, retired ids, rings of members. */

static uint32_t bucket_of(const struct registry_id *id, uint32_t mask)
{
    return (uint32_t)kin_le64(id->bytes) & mask; /* an id is a hash already */
}

static bool same_id(const struct registry_id *a, const struct registry_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

uint32_t live_graph_group_of(const struct live_graph *g, const struct registry_id *id)
{
    if (!g->group_buckets)
        return LIVE_NONE;
    uint32_t at = g->group_buckets[bucket_of(id, g->group_mask)];
    while (at != LIVE_NONE && !same_id(&g->groups[at].id, id))
        at = g->groups[at].next_in_bucket;
    return at;
}

const struct live_retired *live_graph_retired_of(const struct live_graph *g,
                                                 const struct registry_id *id)
{
    if (!g->retired_buckets)
        return NULL;
    uint32_t at = g->retired_buckets[bucket_of(id, g->retired_mask)];
    while (at != LIVE_NONE && !same_id(&g->retired[at].id, id))
        at = g->retired[at].next_in_bucket;
    return at == LIVE_NONE ? NULL : &g->retired[at];
}

uint32_t live_graph_resolve(const struct live_graph *g, const struct registry_id *id)
{
    struct registry_id at = *id;
    for (uint32_t steps = 0; steps <= g->retired_count; steps++) {
        uint32_t group = live_graph_group_of(g, &at);
        if (group != LIVE_NONE)
            return group;
        const struct live_retired *r = live_graph_retired_of(g, &at);
        if (!r || r->gone)
            return LIVE_NONE;
        at = r->survivor;
    }
    return LIVE_NONE;
}

static bool is_used(const struct live_graph *g, const struct registry_id *id)
{
    return live_graph_group_of(g, id) != LIVE_NONE || live_graph_retired_of(g, id) != NULL;
}

void live_graph_new_id(const struct live_graph *g, const struct live_graph *before,
                       const uint8_t key[16], uint16_t source, struct kin_str id,
                       struct registry_id *out)
{
    const struct kin_workflow *w = g->workflow;
    uint32_t generation = 0;
    do
        registry_new_id(key, kin_str_of(w->name), kin_str_of(w->sources[source].name), id,
                        generation++, out);
    while (is_used(g, out) || (before && is_used(before, out)));
}

static uint32_t *buckets_new(size_t want, uint32_t *mask)
{
    size_t n = 1024;
    while (n < want && n < (size_t)1 << 31)
        n *= 2;
    uint32_t *buckets = kin_reallocarray(NULL, n, sizeof *buckets);
    if (!buckets)
        return NULL;
    memset(buckets, 0xff, n * sizeof *buckets);
    *mask = (uint32_t)(n - 1);
    return buckets;
}

static bool grow_groups(struct live_graph *g, size_t more)
{
    size_t want = (size_t)g->group_count + more;
    if (want >= LIVE_NONE)
        return false;
    if (want > g->group_cap) {
        size_t cap = want + want / 2 < LIVE_NONE ? want + want / 2 : want;
        struct live_group *groups = kin_reallocarray(g->groups, cap, sizeof *groups);
        if (!groups)
            return false;
        g->groups = groups;
        g->group_cap = (uint32_t)cap;
    }
    if (!g->group_buckets || want > (size_t)g->group_mask + 1) {
        uint32_t mask, *buckets = buckets_new(2 * want, &mask);
        if (!buckets)
            return false;
        for (uint32_t i = 0; i < g->group_count; i++) {
            if (g->groups[i].size == LIVE_NONE)
                continue; /* free */
            uint32_t *head = &buckets[bucket_of(&g->groups[i].id, mask)];
            g->groups[i].next_in_bucket = *head;
            *head = i;
        }
        kin_free(g->group_buckets);
        g->group_buckets = buckets;
        g->group_mask = mask;
    }
    return true;
}

static bool grow_retired(struct live_graph *g, size_t more)
{
    size_t want = (size_t)g->retired_count + more;
    if (want >= LIVE_NONE)
        return false;
    if (want > g->retired_cap) {
        size_t cap = want + want / 2 < LIVE_NONE ? want + want / 2 : want;
        struct live_retired *retired = kin_reallocarray(g->retired, cap, sizeof *retired);
        if (!retired)
            return false;
        g->retired = retired;
        g->retired_cap = (uint32_t)cap;
    }
    if (!g->retired_buckets || want > (size_t)g->retired_mask + 1) {
        uint32_t mask, *buckets = buckets_new(2 * want, &mask);
        if (!buckets)
            return false;
        for (uint32_t i = 0; i < g->retired_count; i++) {
            uint32_t *head = &buckets[bucket_of(&g->retired[i].id, mask)];
            g->retired[i].next_in_bucket = *head;
            *head = i;
        }
        kin_free(g->retired_buckets);
        g->retired_buckets = buckets;
        g->retired_mask = mask;
    }
    return true;
}

kin_status live_graph_reserve(struct live_graph *g, size_t groups, size_t retired)
{
    kin_buf_reserve(&g->ids, groups * 260);
    if (g->ids.failed) {
        g->ids.failed = false;
        return KIN_E_NOMEM;
    }
    return grow_groups(g, groups) && grow_retired(g, retired) ? KIN_OK : KIN_E_NOMEM;
}

uint32_t live_graph_group_new(struct live_graph *g, const struct registry_id *id, uint64_t born,
                              uint16_t founder_source, struct kin_str founder_id)
{
    if (!grow_groups(g, 1))
        return LIVE_NONE;
    uint64_t founder_at = g->ids.n;
    uint8_t n = (uint8_t)founder_id.n, copy[UINT8_MAX]; /* it may move with the ids */
    memcpy(copy, founder_id.p, n);
    kin_buf_u16(&g->ids, founder_source);
    kin_buf_put(&g->ids, &n, 1);
    kin_buf_put(&g->ids, copy, n);
    if (g->ids.failed) {
        g->ids.failed = false;
        return LIVE_NONE;
    }
    uint32_t at = g->group_free;
    if (at != LIVE_NONE)
        g->group_free = g->groups[at].first;
    else
        at = g->group_count++;
    uint32_t *head = &g->group_buckets[bucket_of(id, g->group_mask)];
    g->groups[at] = (struct live_group){.id = *id,
                                        .born = born,
                                        .first = LIVE_NONE,
                                        .next_in_bucket = *head,
                                        .mark = LIVE_NONE,
                                        .founder_at = founder_at};
    *head = at;
    g->groups_alive++;
    return at;
}

void live_graph_group_free(struct live_graph *g, uint32_t group)
{
    struct live_group *p = &g->groups[group];
    uint32_t *at = &g->group_buckets[bucket_of(&p->id, g->group_mask)];
    while (*at != group)
        at = &g->groups[*at].next_in_bucket;
    *at = p->next_in_bucket;
    kin_free(p->see_also);
    *p = (struct live_group){.first = g->group_free, .size = LIVE_NONE};
    g->group_free = group;
    g->groups_alive--;
}

void live_graph_founder(const struct live_graph *g, uint32_t group, uint16_t *source,
                        struct kin_str *id)
{
    const uint8_t *p = g->ids.p + g->groups[group].founder_at;
    *source = kin_le16(p);
    *id = (struct kin_str){(const char *)p + 3, p[2]};
}

void live_graph_group_add(struct live_graph *g, uint32_t group, uint32_t record)
{
    struct live_group *p = &g->groups[group];
    if (p->first == LIVE_NONE) {
        g->records[record].next_in_group = record;
        p->first = record;
    } else {
        g->records[record].next_in_group = g->records[p->first].next_in_group;
        g->records[p->first].next_in_group = record;
    }
    g->records[record].group = group;
    p->size++;
}

void live_graph_group_clear(struct live_graph *g, uint32_t group)
{
    struct live_group *p = &g->groups[group];
    uint32_t at = p->first;
    for (uint32_t i = 0; i < p->size; i++) {
        uint32_t next = g->records[at].next_in_group;
        g->records[at].group = g->records[at].next_in_group = LIVE_NONE;
        at = next;
    }
    p->first = LIVE_NONE;
    p->size = 0;
}

kin_status live_graph_retire(struct live_graph *g, const struct registry_id *id,
                             const struct registry_id *survivor)
{
    if (!grow_retired(g, 1))
        return KIN_E_NOMEM;
    uint32_t *head = &g->retired_buckets[bucket_of(id, g->retired_mask)];
    g->retired[g->retired_count] =
        (struct live_retired){.id = *id, .gone = !survivor, .next_in_bucket = *head};
    if (survivor)
        g->retired[g->retired_count].survivor = *survivor;
    *head = g->retired_count++;
    return KIN_OK;
}
