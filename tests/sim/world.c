#include "common/base/hash.h"
#include "tests/sim/world_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    STOP_LIMIT_US = 600 * 1000 * 1000, /* an orderly stop that takes longer never ends */
    ALLOCATIONS_SPARED = 24,           /* a failing callback fails somewhere in its first ones */
};
static const uint64_t wall_start_ms = 1700000000000;

/* ---- around calls into a core ---- */

void kin_world_enter(struct kin_world_node *node, bool task)
{
    struct kin_sim *sim = node->sim;
    KIN_ASSERT(!sim->current);
    sim->current = node;
    sim->in_task = task;
    if (kin_world_chance(&sim->faults, sim->options.allocation))
        kin_alloc_fail_after((size_t)kin_world_below(&sim->faults, ALLOCATIONS_SPARED));
}

void kin_world_leave(struct kin_world_node *node)
{
    struct kin_sim *sim = node->sim;
    if (sim->options.allocation)
        kin_alloc_fail_after(SIZE_MAX);
    KIN_ASSERT(!node->snaps); /* a snapshot outlived its task */
    sim->current = NULL;
    sim->in_task = false;
}

void kin_world_assert_loop(const struct kin_world_node *node)
{
    KIN_ASSERT(node->sim->current == node && !node->sim->in_task);
}

void kin_world_assert_task(const struct kin_world_node *node)
{
    KIN_ASSERT(node->sim->current == node && node->sim->in_task);
}

/* ---- clocks, timers, tasks, log ---- */

static uint64_t env_now_us(struct kin_env *env)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_loop(node);
    return node->clock_base_us + node->sim->now;
}

static uint64_t env_wall_ms(struct kin_env *env)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_loop(node);
    return wall_start_ms + node->sim->now / 1000 + (uint64_t)node->wall_jump_ms;
}

static uint64_t env_random(struct kin_env *env)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_loop(node);
    return kin_world_draw(&node->core_random);
}

static unsigned env_threads(struct kin_env *env)
{
    return kin_world_node_of(env)->sim->options.threads;
}

static void env_timer_cancel(struct kin_env *env, struct kin_timer *t)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_loop(node);
    struct kin_world_event *e = t->impl;
    if (!e)
        return;
    KIN_ASSERT(e->kind == WORLD_TIMER && e->node == node && e->u.timer == t);
    t->impl = NULL;
    kin_world_remove(node->sim, e);
}

static void env_timer_arm(struct kin_env *env, struct kin_timer *t, uint64_t delay_us)
{
    struct kin_world_node *node = kin_world_node_of(env);
    struct kin_sim *sim = node->sim;
    env_timer_cancel(env, t);
    if (node->closing)
        return;
    uint64_t at = delay_us < UINT64_MAX - sim->now ? sim->now + delay_us : UINT64_MAX;
    struct kin_world_event *e = kin_world_push(sim, WORLD_TIMER, node, at);
    e->u.timer = t;
    t->impl = e;
}

static void start_works(struct kin_world_node *node)
{
    struct kin_sim *sim = node->sim;
    while (node->works && node->running < sim->options.threads) {
        struct kin_work *w = node->works;
        node->works = w->impl_next;
        node->running++;
        uint64_t at = sim->now + kin_world_in(&node->tasks, sim->options.task_us);
        kin_world_push(sim, WORLD_TASK, node, at)->u.work = w;
    }
}

static void env_work(struct kin_env *env, struct kin_work *w)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_loop(node);
    if (node->closing)
        return;
    w->impl_next = NULL;
    if (node->works)
        node->works_tail->impl_next = w;
    else
        node->works = w;
    node->works_tail = w;
    node->under_way++;
    start_works(node);
}

/* The task happens as a whole at its end; its done follows a little later, so that other callbacks
 * come between. */
static void run_task(struct kin_world_node *node, struct kin_work *w)
{
    struct kin_sim *sim = node->sim;
    sim->stats.tasks++;
    kin_world_enter(node, true);
    w->run(&node->env, w);
    kin_world_leave(node);
    node->running--;
    uint64_t at = sim->now + kin_world_in(&node->tasks, sim->options.late_us);
    kin_world_push(sim, WORLD_TASK_DONE, node, at)->u.work = w;
    start_works(node);
}

static void env_log(struct kin_env *env, char level, const char *event, const char *text)
{
    struct kin_world_node *node = kin_world_node_of(env);
    struct kin_sim *sim = node->sim;
    kin_world_assert_loop(node);
    uint64_t hash = kin_hash64(event, strlen(event), (uint64_t)level);
    kin_world_note(sim, WORLD_LOG, env->self, KIN_WORLD_NOBODY,
                   kin_hash64(text, strlen(text), hash));
    if (sim->options.log_line)
        sim->options.log_line(sim->options.log_arg, env->self, level, event, text);
    if (sim->options.trace)
        fprintf(sim->options.trace, "%12" PRIu64 " node %u %c %s %s\n", sim->now, env->self, level,
                event, text);
}

static const struct kin_env_ops env_ops = {
    .now_us = env_now_us,
    .wall_ms = env_wall_ms,
    .random = env_random,
    .threads = env_threads,
    .send = kin_world_send,
    .timer_arm = env_timer_arm,
    .timer_cancel = env_timer_cancel,
    .work = env_work,
    .store = kin_world_store_submit,
    .snap_begin = kin_world_snap_begin,
    .snap_end = kin_world_snap_end,
    .snap_get = kin_world_snap_get,
    .snap_seek = kin_world_snap_seek,
    .source_list = kin_world_source_list,
    .source_open = kin_world_source_open,
    .source_read = kin_world_source_read,
    .source_close = kin_world_source_close,
    .out_begin = kin_world_out_begin,
    .out_write = kin_world_out_write,
    .out_publish = kin_world_out_publish,
    .out_abort = kin_world_out_abort,
    .out_remove = kin_world_out_remove,
    .log = env_log,
};

/* ---- lives of a node ---- */

void kin_world_boot_later(struct kin_world_node *node, uint64_t delay_us)
{
    node->boot_due = true;
    kin_world_push(node->sim, WORLD_BOOT, node, node->sim->now + delay_us);
}

static void boot(struct kin_world_node *node)
{
    struct kin_sim *sim = node->sim;
    node->boot_due = false;
    node->stay_down = false;
    node->closing = false;
    node->lives++;
    /* clocks of two nodes, or of two lives of one, have nothing in common */
    node->clock_base_us = kin_world_below(&node->times, (uint64_t)1 << 40);
    sim->stats.boots++;
    kin_world_enter(node, false);
    node->core = node->ops->boot(&node->env, node->args);
    kin_world_leave(node);
    if (!node->core) {
        KIN_ASSERT(sim->options.allocation > 0);
        kin_world_crash(node);
        kin_world_boot_later(node, 10000);
    }
}

/* What a life leaves in the heap. Frames on the way, to and from, may get lost. */
struct leftovers {
    struct kin_world_node *node;
    size_t batches; /* applied, whose done never runs */
};

static bool keep_of_others(struct kin_world_event *e, void *arg)
{
    struct leftovers *l = arg;
    if (e->kind == WORLD_FRAME) {
        bool to = e->node == l->node;
        bool from = e->u.letter.from == l->node->env.self;
        if ((!to && !from) || (to != from && kin_world_below(&l->node->network, 2)))
            return true;
        kin_world_lose(e);
        return false;
    }
    if (e->node != l->node || e->kind == WORLD_BOOT)
        return true;
    if (e->kind == WORLD_TIMER)
        e->u.timer->impl = NULL; /* the core may still cancel it in its stop */
    if (e->kind == WORLD_BATCH_DONE && e->u.op->impl_status == KIN_OK)
        l->batches++;
    return false;
}

static bool keep_but_timers(struct kin_world_event *e, void *arg)
{
    (void)arg;
    if (!e->node || !e->node->closing || !e->node->stay_down)
        return true; /* one that crashed may be about to boot */
    if (e->kind == WORLD_TIMER)
        e->u.timer->impl = NULL;
    return e->kind != WORLD_TIMER && e->kind != WORLD_BOOT;
}

static void end_life(struct kin_world_node *node)
{
    node->works = NULL;
    node->running = 0;
    node->under_way = 0;
    node->committing = false;
    node->paused_until = 0;
    node->crash_wanted = false;
    void *core = node->core;
    if (core) {
        kin_world_enter(node, false);
        node->ops->stop(core);
        kin_world_leave(node);
    }
    node->core = NULL;
    kin_world_files_release(node);
}

void kin_world_crash(struct kin_world_node *node)
{
    struct kin_sim *sim = node->sim;
    struct leftovers l = {node, 0};
    node->closing = true;
    kin_world_filter(sim, keep_of_others, &l);
    size_t applied = kin_world_store_crash(node);
    sim->stats.half_done += l.batches + applied;
    sim->stats.crashes += node->core != NULL;
    kin_world_note(sim, WORLD_CRASHED, node->env.self, KIN_WORLD_NOBODY, applied);
    end_life(node);
}

void kin_sim_crash(struct kin_sim *sim, kin_node_id id)
{
    struct kin_world_node *node = sim->nodes[id];
    if (!node->core)
        return;
    if (sim->current)
        node->crash_wanted = true;
    else
        kin_world_crash(node);
}

void kin_sim_restart(struct kin_sim *sim, kin_node_id id, uint64_t delay_us)
{
    struct kin_world_node *node = sim->nodes[id];
    KIN_ASSERT(!node->core || node->crash_wanted);
    if (!node->boot_due)
        kin_world_boot_later(node, delay_us);
}

static void close_node(struct kin_world_node *node)
{
    node->closing = true;
    node->stay_down = true;
    node->boot_due = false;
    node->paused_until = 0;
}

static bool closing_are_idle(void *arg)
{
    struct kin_sim *sim = arg;
    for (size_t i = 0; i < sim->id_count; i++) {
        const struct kin_world_node *node = sim->nodes[sim->ids[i]];
        if (node->closing && node->core && node->under_way > 0)
            return false;
    }
    return true;
}

static void drain(struct kin_sim *sim)
{
    KIN_ASSERT(!sim->current);
    kin_world_filter(sim, keep_but_timers, NULL);
    KIN_ASSERT(kin_sim_run_until(sim, closing_are_idle, sim, STOP_LIMIT_US));
    for (size_t i = 0; i < sim->id_count; i++) {
        struct kin_world_node *node = sim->nodes[sim->ids[i]];
        if (!node->closing || !node->core)
            continue;
        kin_world_note(sim, WORLD_STOPPED, node->env.self, KIN_WORLD_NOBODY, 0);
        end_life(node);
    }
}

void kin_sim_stop(struct kin_sim *sim, kin_node_id id)
{
    close_node(sim->nodes[id]);
    drain(sim);
}

void kin_sim_shutdown(struct kin_sim *sim)
{
    for (size_t i = 0; i < sim->id_count; i++)
        close_node(sim->nodes[sim->ids[i]]);
    drain(sim);
}

/* ---- running ---- */

static void handle(struct kin_sim *sim, struct kin_world_event *e)
{
    struct kin_world_node *node = e->node;
    KIN_ASSERT(node || e->kind == WORLD_CHAOS || e->kind == WORLD_UNCUT);
    switch (e->kind) {
    case WORLD_BOOT:
        boot(node);
        break;
    case WORLD_FRAME:
        kin_world_deliver(node, e);
        break;
    case WORLD_TIMER: {
        struct kin_timer *t = e->u.timer;
        t->impl = NULL;
        kin_world_enter(node, false);
        t->fire(t);
        kin_world_leave(node);
        break;
    }
    case WORLD_TASK:
        run_task(node, e->u.work);
        break;
    case WORLD_TASK_DONE:
        node->under_way--;
        kin_world_enter(node, false);
        e->u.work->done(e->u.work);
        kin_world_leave(node);
        break;
    case WORLD_COMMIT:
        kin_world_commit(node, e->u.batches);
        break;
    case WORLD_BATCH_DONE:
        node->under_way--;
        kin_world_enter(node, false);
        e->u.op->done(e->u.op, e->u.op->impl_status);
        kin_world_leave(node);
        break;
    case WORLD_CHAOS:
        kin_world_chaos(sim);
        break;
    case WORLD_UNCUT:
        kin_sim_cut(sim, e->u.link.from, e->u.link.to, false);
        break;
    case WORLD_SENT:
    case WORLD_LOST:
    case WORLD_LOG:
    case WORLD_CRASHED:
    case WORLD_STOPPED:
    case WORLD_PAUSED:
    case WORLD_PUBLISHED:
    case WORLD_CALL:
    case WORLD_APPLIED:
        KIN_ASSERT(e->kind == WORLD_BOOT); /* never queued */
    }
}

static void crash_as_wanted(struct kin_sim *sim, struct kin_world_node *last)
{
    if (last && last->core && !last->closing &&
        kin_world_chance(&sim->faults, sim->options.crash)) {
        kin_world_crash(last);
        kin_world_boot_later(last, 1000 + kin_world_below(&sim->faults, 1000000));
    }
    for (size_t i = 0; i < sim->id_count; i++) {
        struct kin_world_node *node = sim->nodes[sim->ids[i]];
        if (node->crash_wanted && node->core)
            kin_world_crash(node);
    }
}

/* Timers are late together, so that they keep their order. */
static uint64_t timer_time(struct kin_world_node *node)
{
    struct kin_sim *sim = node->sim;
    if (node->timers_held_until < sim->now)
        node->timers_held_until = sim->now + kin_world_in(&node->times, sim->options.late_us);
    return node->timers_held_until;
}

/* One event, or its postponement: with a new seq, which keeps the order of those held up. */
static void step(struct kin_sim *sim)
{
    struct kin_world_event *e = sim->heap[0];
    kin_world_take(sim, e);
    sim->now = e->at;
    struct kin_world_node *node = e->node;
    if (node && node->core && node->paused_until > sim->now) {
        kin_world_put(sim, e, node->paused_until);
        return;
    }
    if (node && e->kind == WORLD_TIMER && !e->held) {
        e->held = true;
        kin_world_put(sim, e, timer_time(node));
        return;
    }
    sim->stats.events++;
    if (e->kind != WORLD_FRAME) /* which notes more */
        kin_world_note(sim, e->kind, node ? node->env.self : (kin_node_id)KIN_WORLD_NOBODY,
                       KIN_WORLD_NOBODY, 0);
    handle(sim, e);
    free(e);
    crash_as_wanted(sim, node);
}

bool kin_sim_run_until(struct kin_sim *sim, bool (*predicate)(void *arg), void *arg,
                       uint64_t limit_us)
{
    KIN_ASSERT(!sim->current);
    uint64_t end = sim->now + limit_us;
    KIN_ASSERT(end >= limit_us);
    for (;;) {
        if (predicate && predicate(arg))
            return true;
        if (sim->heap_count == 0 || sim->heap[0]->at > end) {
            sim->now = end;
            return false;
        }
        step(sim);
    }
}

void kin_sim_call(struct kin_sim *sim, kin_node_id id, void (*fn)(void *arg), void *arg)
{
    struct kin_world_node *node = sim->nodes[id];
    KIN_ASSERT(node && node->core);
    kin_world_note(sim, WORLD_CALL, id, KIN_WORLD_NOBODY, 0);
    kin_world_enter(node, false);
    fn(arg);
    kin_world_leave(node);
    crash_as_wanted(sim, NULL);
}

/* ---- making and freeing ---- */

static void default_range(struct kin_sim_range *r, uint64_t min, uint64_t max)
{
    if (r->min == 0 && r->max == 0)
        *r = (struct kin_sim_range){min, max};
    KIN_ASSERT(r->min <= r->max);
}

struct kin_sim *kin_sim_new(uint64_t seed, const struct kin_sim_options *options)
{
    struct kin_sim *sim = kin_world_alloc(sizeof *sim);
    sim->options = *options;
    sim->seed = seed;
    sim->faults.seed = kin_hash_mix(seed, 1);
    if (!sim->options.threads)
        sim->options.threads = 2;
    default_range(&sim->options.delay_us, 50, 500);
    default_range(&sim->options.task_us, 10, 2000);
    default_range(&sim->options.commit_us, 100, 3000);
    default_range(&sim->options.late_us, 0, 50);
    return sim;
}

void kin_sim_add(struct kin_sim *sim, kin_node_id id, const struct kin_node_ops *ops, void *args)
{
    KIN_ASSERT(id < KIN_NODES_MAX && !sim->nodes[id]);
    struct kin_world_node *node = kin_world_alloc(sizeof *node);
    node->env = (struct kin_env){&env_ops, id};
    node->sim = sim;
    node->ops = ops;
    node->args = args;
    struct kin_world_stream *streams[] = {&node->core_random, &node->tasks,   &node->store,
                                          &node->files,       &node->network, &node->times};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        streams[i]->seed = kin_hash_mix(kin_hash_mix(sim->seed, 100 + id), i);
    sim->nodes[id] = node;
    sim->ids[sim->id_count++] = id;
    kin_world_boot_later(node, 0);
}

static bool keep_nothing(struct kin_world_event *e, void *arg)
{
    (void)arg;
    if (e->kind == WORLD_FRAME)
        kin_frame_unref(e->u.letter.frame);
    return false;
}

void kin_sim_free(struct kin_sim *sim)
{
    if (!sim)
        return;
    for (size_t i = 0; i < sim->id_count; i++)
        if (sim->nodes[sim->ids[i]]->core)
            kin_world_crash(sim->nodes[sim->ids[i]]);
    kin_world_filter(sim, keep_nothing, NULL);
    for (size_t i = 0; i < sim->id_count; i++) {
        kin_world_store_clear(sim->nodes[sim->ids[i]]);
        free(sim->nodes[sim->ids[i]]);
    }
    kin_world_files_free(sim);
    free(sim->heap);
    free(sim);
}

/* ---- looking ---- */

uint64_t kin_sim_now_us(const struct kin_sim *sim)
{
    return sim->now;
}

uint64_t kin_sim_hash(const struct kin_sim *sim)
{
    return sim->hash;
}

void *kin_sim_node(struct kin_sim *sim, kin_node_id id)
{
    return id < KIN_NODES_MAX && sim->nodes[id] ? sim->nodes[id]->core : NULL;
}

struct kin_env *kin_sim_env(struct kin_sim *sim, kin_node_id id)
{
    return &sim->nodes[id]->env;
}

struct kin_sim_stats kin_sim_stats(const struct kin_sim *sim)
{
    return sim->stats;
}
