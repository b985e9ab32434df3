#include "coordinator/live.h"

#include <stdlib.h>
#include <string.h>

/* GROUP and HISTORY: a MatchGroup with its members and its golden record; an id's life. */

/* ---- GROUP ---- */

struct group_ask {
    kin_node_id from;
    uint64_t request;
    bool golden, has_asked;
    struct registry_id asked;
    uint32_t group; /* LIVE_NONE: gone */
    struct registry_id id;
    uint32_t *members; /* in the order of (source, id) */
    uint32_t count;
    struct kin_buf see_also; /* struct registry_id */
};

static void group_ask_free(struct group_ask *a)
{
    kin_free(a->members);
    kin_buf_deinit(&a->see_also);
    kin_free(a);
}

static void group_ask_forget(void *arg)
{
    group_ask_free(arg);
}

static int by_identity(const void *x, const void *y, void *g)
{
    return live_graph_cmp(g, *(const uint32_t *)x, *(const uint32_t *)y);
}

static bool list_members(struct live *live, struct group_ask *a)
{
    struct live_graph *g = &live->graph;
    const struct live_group *group = &g->groups[a->group];
    a->members = kin_reallocarray(NULL, group->size, sizeof *a->members);
    if (!a->members)
        return false;
    a->count = group->size;
    uint32_t at = group->first;
    for (uint32_t i = 0; i < group->size; i++, at = g->records[at].next_in_group)
        a->members[i] = at;
    if (a->count > 1)
        qsort_r(a->members, a->count, sizeof *a->members, by_identity, g);
    return true;
}

static void put_members(const struct live *live, const struct group_ask *a, struct kin_buf *out)
{
    const struct live_graph *g = &live->graph;
    kin_buf_puts(out, "\"members\":[");
    for (uint32_t i = 0; i < a->count; i++) {
        const struct live_record *r = &g->records[a->members[i]];
        kin_buf_puts(out, i ? ",{" : "{");
        live_json_record(live, a->members[i], out);
        kin_buf_putc(out, ',');
        live_json_reason(live->workflow, a->count > 1 ? r->rule : UINT16_MAX, r->weight, true, out);
        kin_buf_putc(out, '}');
    }
    kin_buf_putc(out, ']');
}

static void put_see_also(const struct kin_buf *ids, struct kin_buf *out)
{
    const struct registry_id *id = (const struct registry_id *)(const void *)ids->p;
    size_t n = ids->n / sizeof *id;
    if (!n)
        return;
    kin_buf_puts(out, ",\"see_also\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            kin_buf_putc(out, ',');
        live_json_id(&id[i], out);
    }
    kin_buf_putc(out, ']');
}

static void answer_group(struct live *live, struct group_ask *a, const struct live_fetched *got)
{
    struct kin_buf json = {0};
    const struct live_group *group = a->group == LIVE_NONE ? NULL : &live->graph.groups[a->group];
    kin_buf_puts(&json, "{\"match_id\":");
    live_json_id(&a->id, &json);
    if (a->has_asked && memcmp(a->asked.bytes, a->id.bytes, REGISTRY_ID_BYTES) != 0) {
        kin_buf_puts(&json, ",\"asked\":");
        live_json_id(&a->asked, &json);
    }
    kin_buf_printf(&json, ",\"state\":\"%s\",\"size\":%u,", group ? "live" : "gone", a->count);
    if (group)
        kin_buf_printf(&json, "\"born\":%llu,\"quarantined\":%s,", (unsigned long long)group->born,
                       a->count > live->workflow->limits.max_group ? "true" : "false");
    put_members(live, a, &json);
    kin_status status = KIN_OK;
    if (got) {
        kin_buf_puts(&json, ",\"golden\":");
        status = live_golden(live, a->members, got, &json);
    }
    put_see_also(&a->see_also, &json);
    kin_buf_puts(&json, "}\n");
    if (status == KIN_OK) {
        live_answer_json(live, a->from, a->request, &json, 0, got && got->partial);
    } else {
        kin_buf_deinit(&json);
        live_answer(live->c, a->from, a->request, status, "the golden record cannot be made");
    }
    group_ask_free(a);
}

static void rows_came(struct live *live, void *arg, const struct live_fetched *got)
{
    struct group_ask *a = arg;
    /* the group may have changed, or gone, meanwhile: it is looked up again */
    if (live_graph_group_of(&live->graph, &a->id) != a->group) {
        live_answer(live->c, a->from, a->request, KIN_E_BUSY, "it is changing; try again");
        group_ask_free(a);
        return;
    }
    answer_group(live, a, got);
}

static void go_on(struct live *live, struct group_ask *a)
{
    if (a->group == LIVE_NONE) {
        answer_group(live, a, NULL);
        return;
    }
    a->id = live->graph.groups[a->group].id;
    if (!list_members(live, a) ||
        (a->golden && live_fetch(live, a->members, a->count, true, LIVE_ANSWER_US, rows_came,
                                 group_ask_forget, a) != KIN_OK)) {
        live_answer(live->c, a->from, a->request, KIN_E_NOMEM, "out of memory");
        group_ask_free(a);
        return;
    }
    if (!a->golden)
        answer_group(live, a, NULL);
}

/* ---- what the store has of an id ---- */

struct entry_task {
    struct live_task task;
    struct registry_id id;
    struct group_ask *ask; /* of a GROUP; NULL: it is a HISTORY */
    kin_node_id from;
    uint64_t request;
    struct kin_arena arena;
    struct kin_buf value, events;
    uint64_t end;
    bool found;
    struct registry_entry entry;
};

enum { HISTORY_EVENTS_MAX = 10000, HISTORY_BYTES_MAX = 8 << 20 };

/* The events that name the id. */
static kin_status read_events(struct entry_task *t, struct kin_env *env, struct kin_snap *snap)
{
    struct live_key from = live_key_of(t->task.live->slot, 'I');
    live_key_id(&from, &t->id);
    size_t head = from.n, n = 0;
    live_key_u64(&from, 0);
    struct kin_str key, value;
    kin_status status;
    while ((status = env->ops->snap_seek(snap, DB_FEED, live_key_str(&from), &key, &value)) ==
               KIN_OK &&
           key.n == head + 8 && memcmp(key.p, from.bytes, head) == 0 && n < HISTORY_EVENTS_MAX &&
           t->events.n < HISTORY_BYTES_MAX) {
        uint64_t seq = kin_be64(key.p + head);
        if (seq >= t->end)
            break;
        struct live_key event = live_key_of(t->task.live->slot, 'F');
        live_key_u64(&event, seq);
        status = env->ops->snap_get(snap, DB_FEED, live_key_str(&event), &value);
        if (status != KIN_OK)
            return status;
        if (n++)
            kin_buf_putc(&t->events, ',');
        kin_buf_put(&t->events, value.p, value.n);
        from.n = head;
        live_key_u64(&from, seq + 1);
    }
    return status == KIN_E_NOTFOUND ? KIN_OK : status;
}

static void entry_run(struct kin_env *env, struct kin_work *work)
{
    struct entry_task *t = (struct entry_task *)work;
    struct live_key key = live_key_entry(t->task.live->slot, &t->id);
    struct kin_snap *snap;
    struct kin_str value;
    kin_status status = env->ops->snap_begin(env, &snap);
    if (status != KIN_OK) {
        t->task.task.status = status;
        return;
    }
    status = env->ops->snap_get(snap, DB_IDS, live_key_str(&key), &value);
    if (status == KIN_OK) {
        t->found = true;
        kin_buf_put(&t->value, value.p, value.n);
        value = (struct kin_str){(const char *)t->value.p, t->value.n};
        status = t->value.failed ? KIN_E_NOMEM : registry_entry_read(&t->arena, value, &t->entry);
    }
    if (status == KIN_OK && !t->ask)
        status = read_events(t, env, snap);
    env->ops->snap_end(env, snap);
    t->task.task.status = status == KIN_E_NOTFOUND ? KIN_OK : status;
}

static void put_history(const struct live *live, const struct entry_task *t, struct kin_buf *out)
{
    static const char *const states[] = {"", "live", "alias", "gone"};
    const struct registry_entry *e = &t->entry;
    kin_buf_puts(out, "{\"match_id\":");
    live_json_id(&t->id, out);
    kin_buf_printf(out, ",\"state\":\"%s\"", states[e->state]);
    uint32_t group = live_graph_resolve(&live->graph, &t->id);
    if (e->state == REGISTRY_ALIAS && group != LIVE_NONE) {
        kin_buf_puts(out, ",\"survivor\":");
        live_json_id(&live->graph.groups[group].id, out);
    }
    kin_buf_printf(out, ",\"born\":%llu,\"founder\":{\"source\":", (unsigned long long)e->born);
    kin_json_string(out, e->founder_source);
    kin_buf_puts(out, ",\"id\":");
    kin_json_string(out, e->founder_id);
    kin_buf_putc(out, '}');
    if (e->has_split_from) {
        kin_buf_puts(out, ",\"split_from\":");
        live_json_id(&e->split_from, out);
    }
    kin_buf_puts(out, ",\"see_also\":[");
    for (size_t i = 0; i < e->see_also_count; i++) {
        if (i)
            kin_buf_putc(out, ',');
        live_json_id(&e->see_also[i], out);
    }
    kin_buf_puts(out, "],\"events\":[");
    kin_buf_put(out, t->events.p, t->events.n);
    kin_buf_puts(out, "]}\n");
    out->failed = out->failed || t->events.failed;
}

static void entry_finish(struct live_task *task)
{
    struct entry_task *t = (struct entry_task *)task;
    struct live *live = task->live;
    kin_node_id from = t->ask ? t->ask->from : t->from;
    uint64_t request = t->ask ? t->ask->request : t->request;
    if (task->task.status != KIN_OK || !t->found) {
        live_answer(live->c, from, request,
                    task->task.status != KIN_OK ? task->task.status : KIN_E_NOTFOUND,
                    "there is no such MatchId");
        return;
    }
    if (t->ask) {
        struct group_ask *a = t->ask;
        t->ask = NULL;
        kin_buf_put(&a->see_also, t->entry.see_also,
                    t->entry.see_also_count * sizeof *t->entry.see_also);
        go_on(live, a);
        return;
    }
    struct kin_buf json = {0};
    put_history(live, t, &json);
    live_answer_json(live, t->from, t->request, &json, 0, false);
}

static void entry_release(struct live_task *task)
{
    struct entry_task *t = (struct entry_task *)task;
    if (t->ask)
        group_ask_free(t->ask);
    kin_arena_deinit(&t->arena);
    kin_buf_deinit(&t->value);
    kin_buf_deinit(&t->events);
}

static bool read_entry(struct live *live, const struct registry_id *id, struct group_ask *ask,
                       kin_node_id from, uint64_t request)
{
    struct entry_task *t = live_task_new(live, sizeof *t, entry_run, entry_finish, entry_release);
    if (!t) {
        live_answer(live->c, from, request, KIN_E_NOMEM, "out of memory");
        if (ask)
            group_ask_free(ask);
        return false;
    }
    t->id = *id;
    t->ask = ask;
    t->from = from;
    t->request = request;
    t->end = live->next_event;
    live_task_start(&t->task);
    return true;
}

/* ---- requests ---- */

static uint32_t find_record(const struct live *live, struct kin_str source, struct kin_str id)
{
    uint16_t s = kin_workflow_source_named(live->workflow, source);
    return s == KIN_NO_SOURCE
               ? LIVE_NONE
               : live_graph_committed(&live->graph, live_graph_find(&live->graph, s, id));
}

void live_serve_group(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    struct live *live = live_find(c, m->u.group.workflow);
    struct registry_id id;
    if (!live || live->state == LIVE_LOADING) {
        live_answer(c, from, m->request, live ? KIN_E_BUSY : live_missing(c),
                    "no such workflow is served");
        return;
    }
    bool by_id = m->u.group.match_id.n > 0;
    uint32_t record = by_id ? LIVE_NONE : find_record(live, m->u.group.source, m->u.group.id);
    if (by_id && !registry_id_parse(m->u.group.match_id, &id)) {
        live_answer(c, from, m->request, KIN_E_INVAL, "a MatchId has 32 hexadecimal digits");
        return;
    }
    if (!by_id && record == LIVE_NONE) {
        live_answer(c, from, m->request, KIN_E_NOTFOUND, "there is no such record");
        return;
    }
    struct group_ask *a = kin_calloc(1, sizeof *a);
    if (!a) {
        live_answer(c, from, m->request, KIN_E_NOMEM, "out of memory");
        return;
    }
    *a = (struct group_ask){
        .from = from, .request = m->request, .golden = m->u.group.golden, .has_asked = by_id};
    a->group = by_id ? live_graph_resolve(&live->graph, &id) : live->graph.records[record].group;
    if (by_id)
        a->asked = a->id = id;
    if (by_id && live_graph_group_of(&live->graph, &id) == LIVE_NONE)
        read_entry(live, &id, a, from, m->request); /* retired: where its members went */
    else
        go_on(live, a);
}

void live_serve_history(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    struct live *live = live_find(c, m->u.history.workflow);
    struct registry_id id;
    if (!live || live->state == LIVE_LOADING)
        live_answer(c, from, m->request, live ? KIN_E_BUSY : live_missing(c),
                    "no such workflow is served");
    else if (!registry_id_parse(m->u.history.match_id, &id))
        live_answer(c, from, m->request, KIN_E_INVAL, "a MatchId has 32 hexadecimal digits");
    else
        read_entry(live, &id, NULL, from, m->request);
}
