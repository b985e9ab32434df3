#include "coordinator/live.h"

/* CHANGES: the events after a number, read from the store by a task; who asked to wait for one is
 * kept until there is one, or his time is over. */

enum { CHANGES_DEFAULT = 1000, CHANGES_MAX = 10000, CHANGES_BYTES = 4 << 20, WAIT_MS_MAX = 60000 };

struct changes_task {
    struct live_task task;
    kin_node_id from;
    uint64_t request, after, end; /* end: exclusive */
    uint32_t limit;
    uint64_t next;
    struct kin_buf json;
};

static void changes_run(struct kin_env *env, struct kin_work *work)
{
    struct changes_task *t = (struct changes_task *)work;
    struct kin_snap *snap;
    kin_status status = env->ops->snap_begin(env, &snap);
    t->next = t->after;
    if (status != KIN_OK) {
        t->task.task.status = status;
        return;
    }
    for (uint64_t seq = t->after + 1;
         seq < t->end && seq - t->after <= t->limit && t->json.n < CHANGES_BYTES; seq++) {
        struct live_key key = live_key_of(t->task.live->slot, 'F');
        struct kin_str value;
        live_key_u64(&key, seq);
        status = env->ops->snap_get(snap, DB_FEED, live_key_str(&key), &value);
        if (status != KIN_OK)
            break;
        kin_buf_put(&t->json, value.p, value.n);
        kin_buf_putc(&t->json, '\n');
        t->next = seq;
    }
    env->ops->snap_end(env, snap);
    t->task.task.status = t->json.failed ? KIN_E_NOMEM : status;
}

static void changes_finish(struct live_task *task)
{
    struct changes_task *t = (struct changes_task *)task;
    struct live *live = task->live;
    if (task->task.status != KIN_OK) {
        live_answer(live->c, t->from, t->request, task->task.status, "the events cannot be read");
        return;
    }
    live_answer_json(live, t->from, t->request, &t->json, t->next, false);
}

static void changes_release(struct live_task *task)
{
    kin_buf_deinit(&((struct changes_task *)task)->json);
}

static void read_changes(struct live *live, kin_node_id from, uint64_t request, uint64_t after,
                         uint32_t limit)
{
    struct changes_task *t =
        live_task_new(live, sizeof *t, changes_run, changes_finish, changes_release);
    if (!t) {
        live_answer(live->c, from, request, KIN_E_NOMEM, "out of memory");
        return;
    }
    t->from = from;
    t->request = request;
    t->after = after;
    t->end = live->next_event;
    t->limit = limit;
    live_task_start(&t->task);
}

void live_changes_wake(struct live *live, bool all)
{
    uint64_t now = live->c->env->ops->now_us(live->c->env);
    struct live_wait **at = &live->waits;
    while (*at) {
        struct live_wait *w = *at;
        if (w->after + 1 >= live->next_event && !(all && now >= w->until_us)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        read_changes(live, w->from, w->request, w->after, w->limit);
        kin_free(w);
    }
}

void live_serve_changes(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    struct live *live = live_find(c, m->u.changes.workflow);
    if (!live || live->state == LIVE_LOADING) {
        live_answer(c, from, m->request, live ? KIN_E_BUSY : live_missing(c),
                    "no such workflow is served");
        return;
    }
    uint32_t limit = m->u.changes.limit ? m->u.changes.limit : CHANGES_DEFAULT;
    limit = limit < CHANGES_MAX ? limit : CHANGES_MAX;
    uint32_t wait = m->u.changes.wait_ms < WAIT_MS_MAX ? m->u.changes.wait_ms : WAIT_MS_MAX;
    unsigned waiting = 0;
    for (const struct live_wait *w = live->waits; w; w = w->next) {
        if (w->from == from && w->request == m->request)
            return; /* it was asked again: it waits already */
        waiting++;
    }
    struct live_wait *w = NULL;
    if (wait && m->u.changes.after + 1 >= live->next_event && waiting < LIVE_WAITS_MAX)
        w = kin_calloc(1, sizeof *w);
    if (!w) {
        read_changes(live, from, m->request, m->u.changes.after, limit);
        return;
    }
    *w = (struct live_wait){.next = live->waits,
                            .from = from,
                            .request = m->request,
                            .until_us = c->env->ops->now_us(c->env) + (uint64_t)wait * 1000,
                            .after = m->u.changes.after,
                            .limit = limit};
    live->waits = w;
}
