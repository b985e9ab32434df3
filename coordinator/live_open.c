#include "coordinator/live.h"

#include <string.h>

/* From the store to memory: what is served, at the start and after a failure; and opening it at the
 * workers. */

enum { HEAD_FORMAT = 1 };

/* ---- slot 'N': what stays as it is for the life of a run ---- */

static void put_text(struct kin_buf *out, struct kin_str s)
{
    kin_buf_u32(out, (uint32_t)s.n);
    kin_buf_put(out, s.p, s.n);
}

void live_put_head(const struct live *live, struct live_puts *p)
{
    struct kin_buf value = {0};
    struct live_key key = live_key_of(live->slot, 'N');
    kin_buf_u32(&value, HEAD_FORMAT);
    kin_buf_u64(&value, live->run);
    kin_buf_u64(&value, live->base_batches);
    kin_buf_u32(&value, live->base_records);
    kin_buf_u32(&value, live->shards.workers);
    kin_buf_put(&value, live->shards.owner, KIN_SHARDS);
    for (unsigned w = 0; w < live->shards.workers; w++)
        kin_buf_u32(&value, live->workers[w].node);
    put_text(&value, (struct kin_str){(const char *)live->text.p, live->text.n});
    put_text(&value, kin_str_of(live->base_dir));
    put_text(&value, (struct kin_str){(const char *)live->open_payload->payload.p,
                                      live->open_payload->payload.n});
    live_put_kv(p, DB_LIVE, live_key_str(&key), (struct kin_str){(char *)value.p, value.n});
    p->bytes.failed = p->bytes.failed || value.failed;
    kin_buf_deinit(&value);
}

static struct kin_str take_text(struct kin_cursor *c)
{
    uint32_t n = kin_cursor_u32(c);
    return (struct kin_str){(const char *)kin_cursor_take(c, n), n};
}

kin_status live_set_workflow(struct live *live, struct kin_str text, struct kin_str base_dir)
{
    struct kin_problems problems = {0};
    kin_buf_put(&live->text, text.p, text.n);
    live->base_dir = kin_strndup(base_dir.n ? base_dir.p : "", base_dir.n);
    if (live->text.failed || !live->base_dir)
        return KIN_E_NOMEM;
    kin_status status =
        kin_workflow_parse((struct kin_str){(const char *)live->text.p, live->text.n},
                           live->base_dir, &live->workflow, &problems);
    kin_problems_deinit(&problems);
    if (status != KIN_OK)
        return status;
    live_graph_init(&live->graph, live->workflow);
    return live_lookup_init(live);
}

struct live *live_new(struct kin_coordinator *c, uint32_t slot)
{
    struct live *live = kin_calloc(1, sizeof *live);
    if (!live)
        return NULL;
    live->c = c;
    live->slot = slot;
    live->queue_end = &live->queue;
    live->batches_end = &live->batches;
    live->next_event = 1;
    return live;
}

/* ---- loading, in a task ---- */

struct reading {
    struct kin_env *env;
    struct kin_snap *snap;
    struct live *live;
    struct kin_arena arena;
};

static kin_status read_head(struct reading *r, struct kin_str value)
{
    struct live *live = r->live;
    struct kin_cursor c = kin_cursor_of(value.p, value.n);
    if (kin_cursor_u32(&c) != HEAD_FORMAT)
        return KIN_E_VERSION;
    live->run = kin_cursor_u64(&c);
    live->base_batches = kin_cursor_u64(&c);
    live->base_records = kin_cursor_u32(&c);
    uint32_t workers = kin_cursor_u32(&c);
    struct kin_str owners = {(const char *)kin_cursor_take(&c, KIN_SHARDS), KIN_SHARDS};
    if (c.bad || !kin_shard_map_read(owners, workers, &live->shards))
        return KIN_E_CORRUPT;
    for (unsigned w = 0; w < workers; w++) {
        live->workers[w].node = kin_cursor_u32(&c);
        if (live->workers[w].node == 0 || live->workers[w].node > KIN_WORKERS_MAX)
            return KIN_E_CORRUPT;
    }
    struct kin_str text = take_text(&c), base_dir = take_text(&c), payload = take_text(&c);
    if (c.bad)
        return KIN_E_CORRUPT;
    live->open_payload = kin_frame_new(0);
    if (!live->open_payload)
        return KIN_E_NOMEM;
    kin_buf_put(&live->open_payload->payload, payload.p, payload.n);
    return live->open_payload->payload.failed ? KIN_E_NOMEM
                                              : live_set_workflow(live, text, base_dir);
}

static kin_status read_applied(struct reading *r, uint32_t *count)
{
    struct live *live = r->live;
    struct live_key key = live_key_of(live->slot, 'A');
    struct kin_str value;
    kin_status status = r->env->ops->snap_get(r->snap, DB_LIVE, live_key_str(&key), &value);
    if (status != KIN_OK || value.n != 48 || kin_le64(value.p) != live->run)
        return status == KIN_OK || status == KIN_E_NOTFOUND ? KIN_E_CORRUPT : status;
    live->batch0 = kin_le64(value.p + 8);
    live->applied = live->logged = kin_le64(value.p + 16);
    live->next_event = kin_le64(value.p + 24);
    live->windowed = kin_le64(value.p + 32);
    live->deferred = kin_le32(value.p + 40);
    *count = kin_le32(value.p + 44);
    return KIN_OK;
}

/* Every pair whose key begins with prefix; the rest of the key is handed on. */
static kin_status
each(struct reading *r, unsigned db, const struct live_key *prefix, size_t rest_bytes,
     kin_status (*take)(struct reading *, const uint8_t *rest, struct kin_str value))
{
    struct live_key from = *prefix;
    struct kin_str key, value;
    kin_status status;
    while ((status = r->env->ops->snap_seek(r->snap, db, live_key_str(&from), &key, &value)) ==
               KIN_OK &&
           key.n == prefix->n + rest_bytes && memcmp(key.p, prefix->bytes, prefix->n) == 0) {
        memcpy(from.bytes, key.p, key.n);
        from.n = key.n;
        from.bytes[from.n++] = 0; /* the smallest key above it */
        status = take(r, (const uint8_t *)key.p + prefix->n, value);
        if (status != KIN_OK)
            return status;
    }
    return status == KIN_E_NOTFOUND ? KIN_OK : status;
}

static uint16_t founder_source(const struct kin_workflow *w, struct kin_str name)
{
    uint16_t s = kin_workflow_source_named(w, name);
    return s == KIN_NO_SOURCE ? 0 : s; /* of a source that the workflow had once */
}

static kin_status take_entry(struct reading *r, const uint8_t *rest, struct kin_str value)
{
    struct live *live = r->live;
    struct registry_id id;
    struct registry_entry e;
    memcpy(id.bytes, rest, sizeof id.bytes);
    kin_arena_clear(&r->arena);
    kin_status status = registry_entry_read(&r->arena, value, &e);
    if (status != KIN_OK)
        return status;
    if (e.state != REGISTRY_LIVE)
        return live_graph_retire(&live->graph, &id, e.state == REGISTRY_ALIAS ? &e.survivor : NULL);
    uint32_t at = live_graph_group_new(
        &live->graph, &id, e.born, founder_source(live->workflow, e.founder_source), e.founder_id);
    if (at == LIVE_NONE)
        return KIN_E_NOMEM;
    struct live_group *g = &live->graph.groups[at];
    g->has_split_from = e.has_split_from;
    g->split_from = e.split_from;
    if (e.see_also_count) {
        g->see_also = kin_reallocarray(NULL, e.see_also_count, sizeof *g->see_also);
        if (!g->see_also)
            return KIN_E_NOMEM;
        memcpy(g->see_also, e.see_also, e.see_also_count * sizeof *g->see_also);
        g->see_also_count = (uint32_t)e.see_also_count;
    }
    return KIN_OK;
}

static uint32_t be32(const uint8_t *p)
{
    return __builtin_bswap32(kin_le32(p));
}

static kin_status take_record(struct reading *r, const uint8_t *rest, struct kin_str value)
{
    struct live_graph *g = &r->live->graph;
    const uint8_t *p = (const uint8_t *)value.p;
    uint32_t number = be32(rest);
    if (value.n < 35 || value.n != 34 + (size_t)p[11] || number < g->count ||
        kin_le16(p + 8) >= r->live->workflow->source_count || p[10] >= r->live->shards.workers)
        return KIN_E_CORRUPT;
    struct registry_id id;
    memcpy(id.bytes, p + 12, sizeof id.bytes);
    uint32_t group = live_graph_group_of(g, &id);
    kin_status status = group == LIVE_NONE ? KIN_E_CORRUPT : KIN_OK;
    while (status == KIN_OK && g->count < number)
        status = live_graph_skip(g);
    if (status == KIN_OK)
        status = live_graph_add(g, kin_le16(p + 8), (struct kin_str){(const char *)p + 34, p[11]},
                                (int64_t)kin_le64(p), p[10]);
    if (status != KIN_OK)
        return status;
    g->records[number].replaces = LIVE_NONE;
    g->records[number].weight = (int32_t)kin_le32(p + 28);
    g->records[number].rule = kin_le16(p + 32);
    live_graph_group_add(g, group, number);
    return KIN_OK;
}

static bool is_alive(const struct live_graph *g, uint32_t number)
{
    return number < g->count && !g->records[number].dead;
}

static kin_status take_edge(struct reading *r, const uint8_t *rest, struct kin_str value)
{
    struct live_graph *g = &r->live->graph;
    uint32_t a = be32(rest), b = be32(rest + 4);
    bool added;
    if (value.n != 6)
        return KIN_E_CORRUPT;
    if (!is_alive(g, a) || !is_alive(g, b))
        return KIN_OK;
    return live_graph_edge(g, a, b, kin_le16(value.p + 4), (int32_t)kin_le32(value.p), &added);
}

static kin_status take_member(struct reading *r, const uint8_t *rest, struct kin_str value)
{
    struct live_graph *g = &r->live->graph;
    uint32_t number = be32(rest + 4);
    if (value.n != 10 || be32(rest) == LIVE_NONE)
        return KIN_E_CORRUPT;
    if (!is_alive(g, number))
        return KIN_OK;
    return live_graph_hub_member(g, be32(rest), kin_le64(value.p), kin_le16(value.p + 8), number);
}

static kin_status take_link(struct reading *r, const uint8_t *rest, struct kin_str value)
{
    (void)rest;
    struct live_link *link;
    kin_status status = live_link_read(value, r->live->workflow, &link);
    if (status != KIN_OK)
        return status;
    return live_links_add(r->live, link);
}

static kin_status take_batch(struct reading *r, const uint8_t *rest, struct kin_str value)
{
    struct live *live = r->live;
    struct live_batch *b;
    kin_status status = live_log_read(live->workflow, value, &b);
    if (status != KIN_OK)
        return status;
    if (b->seq != kin_be64(rest) || b->seq <= live->applied) {
        live_batch_drop(b);
        return b->seq <= live->applied ? KIN_OK : KIN_E_CORRUPT;
    }
    live->logged = b->seq;
    live->next_number = b->base + b->count;
    live->backlog++;
    *live->batches_end = b;
    live->batches_end = &b->next;
    return KIN_OK;
}

static kin_status read_all(struct reading *r)
{
    struct live *live = r->live;
    uint32_t count = 0;
    kin_status status = read_applied(r, &count);
    struct live_key prefix = {.n = 0};
    live_key_u32(&prefix, live->slot);
    if (status == KIN_OK)
        status = each(r, DB_IDS, &prefix, REGISTRY_ID_BYTES, take_entry);
    struct live_key run = live_key_run(live->slot, 'R', live->run);
    if (status == KIN_OK)
        status = each(r, DB_LIVE, &run, 4, take_record);
    while (status == KIN_OK && live->graph.count < count)
        status = live_graph_skip(&live->graph);
    run = live_key_run(live->slot, 'E', live->run);
    if (status == KIN_OK)
        status = each(r, DB_LIVE, &run, 8, take_edge);
    run = live_key_run(live->slot, 'M', live->run);
    if (status == KIN_OK)
        status = each(r, DB_LIVE, &run, 8, take_member);
    struct live_key links = live_key_of(live->slot, 'L');
    if (status == KIN_OK)
        status = each(r, DB_LIVE, &links, 16, take_link);
    live->next_number = live->graph.count;
    if (status == KIN_OK)
        status = each(r, DB_LOG, &prefix, 8, take_batch);
    return status;
}

struct load_task {
    struct ctask task;
    uint32_t only; /* slot; UINT32_MAX: all */
    struct live *lives;
    struct kin_buf stale; /* u64 */
    uint32_t next_slot;
};

static kin_status load_slot(struct load_task *t, struct kin_env *env, struct kin_snap *snap,
                            uint32_t slot, struct kin_str head)
{
    struct live *live = live_new(t->task.c, slot);
    if (!live)
        return KIN_E_NOMEM;
    struct reading r = {.env = env, .snap = snap, .live = live};
    live->next = t->lives;
    t->lives = live;
    kin_status status = read_head(&r, head);
    if (status == KIN_OK)
        status = read_all(&r);
    kin_arena_deinit(&r.arena);
    return status;
}

static void load_run(struct kin_env *env, struct kin_work *work)
{
    struct load_task *t = (struct load_task *)work;
    struct kin_snap *snap;
    kin_status status = env->ops->snap_begin(env, &snap);
    t->task.status = status;
    if (status != KIN_OK)
        return;
    uint32_t slot = t->only == UINT32_MAX ? 0 : t->only;
    struct kin_str key, value;
    while (status == KIN_OK) {
        struct live_key from = live_key_of(slot, 'N');
        status = env->ops->snap_seek(snap, DB_LIVE, live_key_str(&from), &key, &value);
        if (status != KIN_OK || (t->only != UINT32_MAX && slot > t->only))
            break;
        uint32_t found = be32((const uint8_t *)key.p);
        if (found == LIVE_STALE_SLOT)
            break;
        if (found == slot && key.n == 5 && key.p[4] == 'N') {
            status = load_slot(t, env, snap, slot, value);
            t->next_slot = slot + 1;
            slot++;
        } else {
            slot = found > slot ? found : slot + 1;
        }
    }
    status = status == KIN_E_NOTFOUND ? KIN_OK : status;
    struct live_key from = live_key_of(LIVE_STALE_SLOT, 'K');
    while (status == KIN_OK && t->only == UINT32_MAX) {
        status = env->ops->snap_seek(snap, DB_LIVE, live_key_str(&from), &key, &value);
        if (status != KIN_OK || key.n != 13)
            break;
        kin_buf_u64(&t->stale, kin_be64(key.p + 5));
        from = live_key_of(LIVE_STALE_SLOT, 'K');
        live_key_u64(&from, kin_be64(key.p + 5) + 1);
    }
    env->ops->snap_end(env, snap);
    t->task.status = status == KIN_E_NOTFOUND ? KIN_OK : status;
}

static void load_release(struct ctask *task)
{
    struct load_task *t = (struct load_task *)task;
    kin_buf_deinit(&t->stale);
    while (t->lives) {
        struct live *next = t->lives->next;
        live_free(t->lives);
        t->lives = next;
    }
}

static void load_finish(struct ctask *task)
{
    struct load_task *t = (struct load_task *)task;
    struct kin_coordinator *c = task->c;
    c->lives_loading--;
    if (task->status != KIN_OK && t->only == UINT32_MAX) {
        c->args->on_done(c->args->arg, task->status, "what is served cannot be read");
        return;
    }
    if (task->status != KIN_OK) {
        kin_env_log(c->env, 'E', "live_not_read", "slot=%u status=\"%s\"", t->only,
                    kin_status_text(task->status));
        c->reload_slots |= (uint64_t)1 << (t->only & 63); /* the tick tries again */
        return;
    }
    while (t->lives) {
        struct live *live = t->lives;
        t->lives = live->next;
        live->next = c->lives;
        c->lives = live;
        live->state = LIVE_SERVING;
        kin_env_log(c->env, 'I', "live_serving",
                    "workflow=\"%s\" batch=%llu records=%u groups=%u pending=%u",
                    live->workflow->name, (unsigned long long)live_batch_now(live),
                    live->graph.alive, live->graph.groups_alive, live->backlog);
        live_open_workers(live);
        live_apply(live);
    }
    if (t->only == UINT32_MAX) {
        c->stale_runs = t->stale;
        t->stale = (struct kin_buf){0};
        c->next_slot = t->next_slot > c->next_slot ? t->next_slot : c->next_slot;
        c->lives_loaded = true;
        queue_start(c);
    }
}

static kin_status load_start(struct kin_coordinator *c, uint32_t slot)
{
    struct load_task *t = ctask_new(c, sizeof *t, load_run, load_finish, load_release);
    if (!t)
        return KIN_E_NOMEM;
    t->task.job = NULL;
    t->only = slot;
    c->lives_loading++;
    ctask_start(&t->task);
    return KIN_OK;
}

void lives_start(struct kin_coordinator *c)
{
    if (load_start(c, UINT32_MAX) != KIN_OK)
        c->args->on_done(c->args->arg, KIN_E_NOMEM, "out of memory");
}

void live_reload(struct live *live)
{
    live->reload = true;
    live_end(live);
}

void live_reload_slot(struct kin_coordinator *c, uint32_t slot)
{
    c->reload_slots &= ~((uint64_t)1 << (slot & 63));
    if (load_start(c, slot) != KIN_OK)
        c->reload_slots |= (uint64_t)1 << (slot & 63);
}

/* ---- at the workers ---- */

static void on_opened(struct live_ask *ask, const struct kin_message *m, struct kin_frame *f)
{
    (void)f;
    struct live *live = ask->live;
    struct live_worker *w = &live->workers[ask->worker];
    if (!m || m->type != KIN_MSG_LIVE_OPENED) {
        w->state = LIVE_CLOSED;
        return;
    }
    const struct kin_coordinator *c = live->c;
    kin_status status = (kin_status)m->u.live_opened.status;
    w->incarnation = c->peers[w->node - 1].incarnation;
    if (status == KIN_OK && m->u.live_opened.durable >= live->applied) {
        w->state = LIVE_OPEN;
        kin_env_log(c->env, 'I', "live_opened", "workflow=\"%s\" worker=%u records=%llu",
                    live->workflow->name, w->node, (unsigned long long)m->u.live_opened.records);
    } else if (status == KIN_E_NOTFOUND || status == KIN_OK || status == KIN_E_CORRUPT) {
        w->state = LIVE_LOST;
        kin_env_log(c->env, 'E', "live_worker_lost",
                    "workflow=\"%s\" worker=%u durable=%llu applied=%llu reason=\"%.*s\"",
                    live->workflow->name, w->node, (unsigned long long)m->u.live_opened.durable,
                    (unsigned long long)live->applied, (int)m->u.live_opened.text.n,
                    m->u.live_opened.text.p);
    } else {
        w->state = LIVE_CLOSED; /* it is asked again by the tick */
    }
}

void live_open_workers(struct live *live)
{
    for (unsigned i = 0; i < live->shards.workers; i++) {
        struct live_worker *w = &live->workers[i];
        const struct peer *p = &live->c->peers[w->node - 1];
        bool other = w->state != LIVE_CLOSED && w->state != LIVE_OPENING &&
                     p->incarnation != w->incarnation; /* a lost one may have its disk again */
        if (!p->joined || (w->state != LIVE_CLOSED && !other))
            continue;
        struct kin_message m = {.type = KIN_MSG_LIVE_OPEN};
        m.u.live_open.live = live->run;
        m.u.live_open.workflow = (struct kin_str){(const char *)live->text.p, live->text.n};
        m.u.live_open.base_dir = kin_str_of(live->base_dir);
        m.u.live_open.workers = live->shards.workers;
        m.u.live_open.index = i;
        m.u.live_open.shard_map =
            (struct kin_str){(const char *)live->shards.owner, sizeof live->shards.owner};
        m.u.live_open.base = live->base_batches;
        w->state = LIVE_OPENING;
        if (live_ask(live, i, &m, kin_frame_ref(live->open_payload), 0, on_opened, NULL, NULL) !=
            KIN_OK)
            w->state = LIVE_CLOSED;
    }
}

/* Runs that are served no more: whoever joins is told to forget them. */
void live_worker_joined(struct kin_coordinator *c, kin_node_id node)
{
    for (size_t i = 0; i < c->stale_runs.n; i += 8) {
        struct kin_message m = {.type = KIN_MSG_LIVE_CLOSE};
        uint64_t run = kin_le64(c->stale_runs.p + i);
        bool used = c->job && (!c->job->dealt || c->job->id == run);
        for (const struct live *live = c->lives; live; live = live->next)
            used = used || live->run == run;
        if (used || c->lives_loading)
            continue;
        m.u.live_close.live = run;
        coordinator_send_to(c, node, &m, 0, NULL);
    }
    for (struct live *live = c->lives; live; live = live->next)
        live_open_workers(live);
}
