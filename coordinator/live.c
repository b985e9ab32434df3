#include "coordinator/live.h"

#include <string.h>

/* Workflows that are served: finding them, tasks, and requests to workers. */

kin_status live_missing(const struct kin_coordinator *c)
{
    return c->lives_loading || c->reload_slots ? KIN_E_BUSY : KIN_E_NOTFOUND;
}

struct live *live_find(struct kin_coordinator *c, struct kin_str workflow)
{
    struct live *only = c->lives;
    if (!workflow.n)
        return only && !only->next ? only : NULL;
    for (struct live *live = c->lives; live; live = live->next) {
        if (kin_str_eq(workflow, kin_str_of(live->workflow->name)))
            return live;
    }
    return NULL;
}

bool live_serves_run(const struct kin_coordinator *c, uint64_t run)
{
    for (const struct live *live = c->lives; live; live = live->next) {
        if (live->run == run)
            return true;
    }
    return false;
}

bool live_partial(const struct live *live)
{
    for (unsigned w = 0; w < live->shards.workers; w++) {
        if (!live_worker_up(live, w))
            return true;
    }
    return false;
}

/* ---- tasks ---- */

static void task_finish(struct ctask *task)
{
    struct live_task *t = (struct live_task *)task;
    struct live *live = t->live;
    live->under_way--;
    t->finish(t);
    live_settle(live);
}

static void task_release(struct ctask *task)
{
    struct live_task *t = (struct live_task *)task;
    if (t->release)
        t->release(t);
}

void *live_task_new(struct live *live, size_t bytes,
                    void (*run)(struct kin_env *, struct kin_work *),
                    void (*finish)(struct live_task *), void (*release)(struct live_task *))
{
    struct live_task *t = ctask_new(live->c, bytes, run, task_finish, task_release);
    if (!t)
        return NULL;
    t->task.job = NULL;
    t->task.work.urgent = true;
    t->live = live;
    t->finish = finish;
    t->release = release;
    live->under_way++;
    return t;
}

void live_task_drop(struct live_task *t)
{
    t->live->under_way--;
    ctask_drop(&t->task);
}

/* ---- requests to workers ---- */

static void ask_free(struct kin_coordinator *c, struct live_ask *ask)
{
    struct live_ask **at = &c->asks;
    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
    kin_frame_unref(ask->payload);
    kin_free(ask);
}

/* What opens a live needs none that is open. */
static bool may_send(const struct live_ask *ask)
{
    const struct live_worker *w = &ask->live->workers[ask->worker];
    const struct peer *p = &ask->live->c->peers[w->node - 1];
    if (ask->message.type == KIN_MSG_LIVE_OPEN || ask->message.type == KIN_MSG_LIVE_CLOSE)
        return p->joined;
    return live_worker_up(ask->live, ask->worker);
}

static void ask_send(struct live_ask *ask)
{
    struct kin_coordinator *c = ask->live->c;
    const struct live_worker *w = &ask->live->workers[ask->worker];
    if (!may_send(ask))
        return;
    ask->sent_us = c->env->ops->now_us(c->env) | 1;
    if (ask->message.type == KIN_MSG_LIVE_BATCH)
        ask->message.u.live_batch.committed = ask->live->applied;
    coordinator_send_to(c, w->node, &ask->message, ask->request, ask->payload);
}

kin_status live_ask(struct live *live, unsigned worker, const struct kin_message *m,
                    struct kin_frame *payload, uint64_t timeout_us,
                    void (*answer)(struct live_ask *, const struct kin_message *,
                                   struct kin_frame *),
                    void (*forget)(struct live_ask *), void *arg)
{
    struct kin_coordinator *c = live->c;
    struct live_ask *ask = kin_calloc(1, sizeof *ask);
    if (!ask) {
        kin_frame_unref(payload);
        return KIN_E_NOMEM;
    }
    *ask = (struct live_ask){.next = c->asks,
                             .live = live,
                             .worker = worker,
                             .request = ++c->next_request,
                             .message = *m,
                             .payload = payload,
                             .answer = answer,
                             .forget = forget,
                             .arg = arg};
    if (timeout_us)
        ask->deadline_us = c->env->ops->now_us(c->env) + timeout_us;
    c->asks = ask;
    ask_send(ask);
    return KIN_OK;
}

static uint32_t status_of(const struct kin_message *m)
{
    switch (m->type) {
    case KIN_MSG_LIVE_EDGES:
        return m->u.live_edges.status;
    case KIN_MSG_LIVE_FOUND:
        return m->u.live_found.status;
    case KIN_MSG_LIVE_FETCHED:
        return m->u.live_fetched.status;
    default:
        return KIN_OK;
    }
}

void live_on_answer(struct kin_coordinator *c, kin_node_id node, const struct kin_message *m,
                    struct kin_frame *f)
{
    struct live_ask *ask = c->asks;
    while (ask && ask->request != m->request)
        ask = ask->next;
    if (!ask || ask->live->workers[ask->worker].node != node)
        return; /* it was answered before */
    kin_status status = (kin_status)status_of(m);
    if (status != KIN_OK && status != KIN_E_STALE && status != KIN_E_CORRUPT &&
        status != KIN_E_PROTO) {
        /* it was started anew, or its disk or memory was short and it has forgotten what it had in
         * memory: opened again by the tick, then asked again */
        struct live_worker *w = &ask->live->workers[ask->worker];
        if (w->state == LIVE_OPEN)
            w->state = LIVE_CLOSED;
        ask->sent_us = 0;
        if (status == KIN_E_NOTFOUND)
            live_open_workers(ask->live);
        return;
    }
    struct live *live = ask->live;
    live->under_way++;
    ask->answer(ask, m, f);
    ask_free(c, ask);
    live->under_way--;
    live_settle(live);
}

/* Repeats what is not answered; gives up what has a deadline. */
static void asks_tick(struct kin_coordinator *c)
{
    uint64_t now = c->env->ops->now_us(c->env);
    for (struct live_ask *ask = c->asks, *next; ask; ask = next) {
        next = ask->next;
        bool away = ask->deadline_us && !may_send(ask);
        if (ask->deadline_us && (now >= ask->deadline_us || away)) {
            struct live *live = ask->live;
            live->under_way++;
            ask->answer(ask, NULL, NULL);
            ask_free(c, ask);
            live->under_way--;
            live_settle(live);
            next = c->asks; /* anything may have gone; it begins anew */
        } else if (!ask->sent_us || now - ask->sent_us >= RETRY_US) {
            ask_send(ask);
        }
    }
}

/* Those of a live that ends. */
static void asks_drop(struct live *live)
{
    struct kin_coordinator *c = live->c;
    for (struct live_ask *ask = c->asks, *next; ask; ask = next) {
        next = ask->next;
        if (ask->live != live)
            continue;
        ask->answer(ask, NULL, NULL);
        ask_free(c, ask);
        next = c->asks;
    }
}

void lives_tick(struct kin_coordinator *c)
{
    asks_tick(c);
    for (uint32_t slot = 0; c->reload_slots && slot < 64; slot++) {
        if (c->reload_slots >> slot & 1)
            live_reload_slot(c, slot);
    }
    for (struct live *live = c->lives, *next; live; live = next) {
        next = live->next;
        live->under_way++; /* it may end here */
        live_changes_wake(live, true);
        if (live->state == LIVE_SERVING) {
            live_open_workers(live);
            live_form(live);
            live_apply(live);
        } else if (live->state == LIVE_FAILED) {
            live_reload(live);
        }
        live->under_way--;
        live_settle(live);
    }
}

/* ---- the end of one ---- */

void live_end(struct live *live)
{
    struct live **at = &live->c->lives;
    while (*at && *at != live)
        at = &(*at)->next;
    if (*at)
        *at = live->next;
    live->next = NULL;
    live->state = LIVE_ENDED;
    live->under_way++;
    asks_drop(live);
    live->under_way--;
    live_drop_waiting(live, "not served at the moment; try again");
    live_settle(live);
}

void live_settle(struct live *live)
{
    struct kin_coordinator *c = live->c;
    uint32_t slot = live->slot;
    bool reload = live->reload;
    if (live->state != LIVE_ENDED || live->under_way)
        return;
    live_free(live);
    if (reload && !c->stopping)
        live_reload_slot(c, slot);
}

/* All that waits for it is told to try again. */
void live_drop_waiting(struct live *live, const char *text)
{
    while (live->queue) {
        struct live_put *p = live->queue;
        live->queue = p->next;
        live_answer(live->c, p->from, p->request, KIN_E_BUSY, text);
        live_put_free(p);
    }
    live->queue_end = &live->queue;
    live->queue_bytes = 0;
    while (live->batches) {
        struct live_batch *b = live->batches;
        live->batches = b->next;
        for (struct live_put *p = b->puts; p; p = p->next)
            live_answer(live->c, p->from, p->request, KIN_E_BUSY, text);
        live_batch_drop(b);
    }
    live->batches_end = &live->batches;
    live->backlog = 0;
    live_lookups_end(live);
    while (live->waits) {
        struct live_wait *w = live->waits;
        live->waits = w->next;
        live_answer(live->c, w->from, w->request, KIN_E_BUSY, text);
        kin_free(w);
    }
}

void live_free(struct live *live)
{
    live_drop_waiting(live, "stopping");
    live_graph_deinit(&live->graph);
    live_lookup_deinit(live);
    while (live->links) {
        struct live_link *next = live->links->next;
        live_link_free(live->links);
        live->links = next;
    }
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++) {
        kin_buf_deinit(&live->workers[w].features);
        kin_buf_deinit(&live->workers[w].origins);
    }
    kin_free(live->link_bits);
    kin_frame_unref(live->open_payload);
    live_explainer_free(live->explainer);
    if (live->workflow)
        kin_workflow_free(live->workflow);
    kin_buf_deinit(&live->text);
    kin_free(live->base_dir);
    kin_free(live);
}

/* The node stops: no callback follows. Tasks and store ops were freed before. */
void lives_free(struct kin_coordinator *c)
{
    c->stopping = true;
    while (c->asks) {
        struct live_ask *next = c->asks->next;
        kin_frame_unref(c->asks->payload);
        if (c->asks->forget)
            c->asks->forget(c->asks);
        kin_free(c->asks);
        c->asks = next;
    }
    while (c->lives) {
        struct live *next = c->lives->next;
        live_free(c->lives);
        c->lives = next;
    }
    kin_buf_deinit(&c->stale_runs);
}

void live_broken(struct live *live, kin_status status, const char *what)
{
    if (live->state != LIVE_SERVING)
        return;
    kin_env_log(live->c->env, 'E', "live_failed", "workflow=\"%s\" status=\"%s\" reason=\"%s\"",
                live->workflow->name, kin_status_text(status), what);
    live->state = LIVE_FAILED; /* the tick reads it again from the store */
}
