#include "coordinator/live.h"

#include <string.h>

/* Applying the first batch that is logged: its records become numbers of the graph, workers store
 * it and say what they match, and what joins them is put into the graph. All of it follows from the
 * log and from what was applied before, so it comes out the same when it is done again. */

static void apply_failed(struct live *live, kin_status status)
{
    live_broken(live, status, "a batch cannot be applied");
}

/* A record is older than the one that is there. */
static bool is_older(const struct live_graph *g, uint32_t there, int64_t updated)
{
    return there != LIVE_NONE && !g->records[there].dead && updated != INT64_MIN &&
           g->records[there].updated != INT64_MIN && updated < g->records[there].updated;
}

static kin_status number_records(struct live *live, struct live_batch *b)
{
    struct live_graph *g = &live->graph;
    const char *name = live->workflow->sources[b->source].name;
    uint64_t seed = kin_hash64(name, strlen(name), 0);
    for (uint32_t i = 0; i < b->count; i++) {
        struct kin_str id = kin_page_id(&b->page, i);
        int64_t updated =
            b->page.updated ? (int64_t)kin_le64(b->page.updated + 8 * (size_t)i) : INT64_MIN;
        uint32_t there = live_graph_find(g, b->source, id), number = g->count;
        bool older = is_older(g, there, updated);
        kin_status status = older
                                ? live_graph_skip(g)
                                : live_graph_add(g, b->source, id, updated,
                                                 (uint8_t)kin_home_worker(&live->shards, seed, id));
        if (status != KIN_OK)
            return status;
        bool alive = there != LIVE_NONE && !g->records[there].dead;
        b->outcome[i] = older ? LIVE_SUPERSEDED : alive ? LIVE_UPDATED : LIVE_CREATED;
        if (older)
            kin_buf_u32(&b->removed, number);
        else if (alive)
            kin_buf_u32(&b->removed, there);
    }
    return KIN_OK;
}

static kin_status find_removals(struct live *live, struct live_batch *b)
{
    struct live_graph *g = &live->graph;
    struct live_removal *r = (struct live_removal *)(void *)b->removals.p;
    for (size_t i = 0; i < b->removals.n / sizeof *r; i++) {
        struct kin_str id = {(const char *)b->text.p + r[i].id_at, r[i].id_bytes};
        uint32_t number = live_graph_find(g, b->source, id);
        r[i].number = LIVE_NONE;
        if (number == LIVE_NONE || g->records[number].dead)
            continue;
        uint32_t group = g->records[number].group;
        r[i].number = number;
        if (group != LIVE_NONE)
            r[i].id = g->groups[group].id;
        kin_buf_u32(&b->removed, number);
    }
    return b->removed.failed ? KIN_E_NOMEM : KIN_OK;
}

/* ---- what workers found ---- */

static bool edge_is_sound(const struct live *live, const struct live_batch *b, const uint8_t *p)
{
    uint32_t a = kin_le32(p), other = kin_le32(p + 4), rule = kin_le32(p + 8);
    const struct kin_workflow *w = live->workflow;
    if (a < b->base || a - b->base >= b->count || other >= a)
        return false;
    if (rule & KIN_EDGE_STAR) {
        unsigned key = kin_key_rule_number(kin_le64(p + 16));
        return (rule & ~(uint32_t)KIN_EDGE_STAR) < w->rule_count && key < w->key_count &&
               w->keys[key].star;
    }
    return rule < w->rule_count + (w->model != NULL);
}

/* The members of a hub that absorbed another one are all told to the store as its own. */
static void store_absorbed(struct live *live, struct live_batch *b, const struct live_joined *j)
{
    const struct live_graph *g = &live->graph;
    for (uint32_t m = g->hubs[j->hub].first; m != LIVE_NONE; m = g->members[m].next) {
        uint32_t record = g->members[m].record;
        struct live_key key = live_key_member(live, j->absorbed, record);
        live_put_delete(&b->store, DB_LIVE, live_key_str(&key));
        live_put_member(live, &b->store, j->hub, record);
        kin_buf_u32(&b->seeds, record);
    }
}

static kin_status take_edge(struct live *live, struct live_batch *b, const uint8_t *p)
{
    struct live_graph *g = &live->graph;
    uint32_t x = kin_le32(p), y = kin_le32(p + 4), rule = kin_le32(p + 8);
    int32_t weight = (int32_t)kin_le32(p + 12);
    struct live_joined j;
    kin_status status;
    if (g->records[x].dead || g->records[y].dead)
        return KIN_OK;
    if (!(rule & KIN_EDGE_STAR)) {
        bool made;
        status = live_graph_edge(g, x, y, (uint16_t)rule, weight, &made);
        if (status == KIN_OK && made)
            live_put_edge(live, &b->store, x, y, (uint16_t)rule, weight);
        return status;
    }
    status = live_graph_star(g, x, y, kin_le64(p + 16), (uint16_t)rule, &j);
    if (status == KIN_OK && j.b) {
        live_put_member(live, &b->store, j.hub, y);
        kin_buf_u32(&b->seeds, y);
    }
    if (status == KIN_OK && j.a)
        live_put_member(live, &b->store, j.hub, x);
    if (status == KIN_OK && j.absorbed != LIVE_NONE)
        store_absorbed(live, b, &j);
    return status;
}

static void remove_record(struct live *live, struct live_batch *b, uint32_t number)
{
    struct live_graph *g = &live->graph;
    struct live_record *r = &g->records[number];
    struct kin_buf left = {0};
    struct live_key key = live_key_record(live, number);
    live_put_delete(&b->store, DB_LIVE, live_key_str(&key));
    for (uint32_t e = r->edges; e != LIVE_NONE; e = g->edges[e].next) {
        key = live_key_edge(live, number, g->edges[e].to);
        if (g->edges[e].rule != LIVE_MUST && g->edges[e].rule != LIVE_NEVER)
            live_put_delete(&b->store, DB_LIVE, live_key_str(&key));
    }
    live_graph_remove(g, number, &b->seeds, &left);
    for (size_t i = 0; i < left.n; i += 4) {
        key = live_key_member(live, kin_le32(left.p + i), number);
        live_put_delete(&b->store, DB_LIVE, live_key_str(&key));
    }
    b->store.bytes.failed = b->store.bytes.failed || left.failed;
    kin_buf_deinit(&left);
}

static kin_status change_graph(struct live *live, struct live_batch *b)
{
    kin_status status = KIN_OK;
    for (size_t i = 0; i < b->removed.n; i += 4)
        remove_record(live, b, kin_le32(b->removed.p + i));
    for (size_t at = 0; at < b->edges.n && status == KIN_OK; at += KIN_LIVE_EDGE_BYTES)
        status = take_edge(live, b, b->edges.p + at);
    for (uint32_t i = 0; i < b->count && status == KIN_OK; i++) {
        if (live->graph.records[b->base + i].dead)
            continue;
        kin_buf_u32(&b->seeds, b->base + i);
        status = live_links_attach(live, b->base + i);
    }
    bool found;
    if (status == KIN_OK && b->link) {
        struct live_link *link = b->link;
        if (link->kind != KIN_LINK_REVOKE)
            b->link = NULL;
        memcpy(b->link_name, link->name, sizeof b->link_name);
        status = live_links_take(live, link, &b->seeds, &b->store, &found);
        b->link_missing = !found;
    }
    return status == KIN_OK && b->seeds.failed ? KIN_E_NOMEM : status;
}

static void all_answered(struct live *live, struct live_batch *b)
{
    live->windowed += b->windowed;
    kin_status status = b->edges.failed ? KIN_E_NOMEM : change_graph(live, b);
    if (status != KIN_OK)
        apply_failed(live, status);
    else
        live_regroup(live, b);
}

static void on_edges(struct live_ask *ask, const struct kin_message *m, struct kin_frame *f)
{
    struct live *live = ask->live;
    struct live_batch *b = live->batches;
    if (!m || live->state != LIVE_SERVING || !b || !b->begun)
        return;
    if (m->type != KIN_MSG_LIVE_EDGES || m->u.live_edges.seq != b->seq ||
        m->u.live_edges.status != KIN_OK) {
        struct live_worker *w = &live->workers[ask->worker];
        kin_env_log(live->c->env, 'E', "live_worker_lost", "worker=%u status=\"%s\" durable=%llu",
                    w->node, kin_status_text((kin_status)m->u.live_edges.status),
                    (unsigned long long)m->u.live_edges.durable);
        w->state = LIVE_LOST; /* batches wait; the status says so */
        return;
    }
    for (size_t at = 0; at + KIN_LIVE_EDGE_BYTES <= f->payload.n; at += KIN_LIVE_EDGE_BYTES) {
        if (!edge_is_sound(live, b, f->payload.p + at)) {
            apply_failed(live, KIN_E_PROTO);
            return;
        }
    }
    kin_buf_put(&b->edges, f->payload.p, f->payload.n / KIN_LIVE_EDGE_BYTES * KIN_LIVE_EDGE_BYTES);
    b->windowed += m->u.live_edges.windowed;
    if (--b->waiting == 0)
        all_answered(live, b);
}

static kin_status send_batch(struct live *live, struct live_batch *b)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_BATCH};
    m.u.live_batch.live = live->run;
    m.u.live_batch.seq = b->seq;
    b->waiting = live->shards.workers;
    for (unsigned w = 0; w < live->shards.workers; w++) {
        struct kin_buf *to = &b->payload[w]->payload;
        to->n = (size_t)b->feature_bytes[w] + b->row_bytes[w]; /* what is behind was an attempt */
        kin_buf_put(to, b->removed.p, b->removed.n);
        if (to->failed)
            return KIN_E_NOMEM;
        m.u.live_batch.feature_bytes = b->feature_bytes[w];
        m.u.live_batch.row_bytes = b->row_bytes[w];
        kin_status status =
            live_ask(live, w, &m, kin_frame_ref(b->payload[w]), 0, on_edges, NULL, NULL);
        if (status != KIN_OK)
            return status;
    }
    return KIN_OK;
}

void live_apply(struct live *live)
{
    struct live_batch *b = live->batches;
    if (!b || b->begun || b->seq > live->logged || live->state != LIVE_SERVING)
        return;
    for (unsigned w = 0; w < live->shards.workers; w++) {
        if (live->workers[w].state == LIVE_LOST)
            return;
    }
    b->begun = true;
    b->outcome = kin_calloc((size_t)b->count + 1, 1);
    kin_status status = b->outcome ? KIN_OK : KIN_E_NOMEM;
    if (status == KIN_OK && (b->base != live->graph.count || b->workers != live->shards.workers))
        status = KIN_E_CORRUPT;
    if (status == KIN_OK)
        status = find_removals(live, b); /* before the new ones: ids are removed or stored */
    if (status == KIN_OK)
        status = number_records(live, b);
    if (status == KIN_OK)
        status = send_batch(live, b);
    if (status != KIN_OK)
        apply_failed(live, status);
}
