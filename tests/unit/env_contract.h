#ifndef KIN_TESTS_ENV_CONTRACT_H
#define KIN_TESTS_ENV_CONTRACT_H
/* What every world must do, live or simulated (common/env/env.h). A test program includes this
 * header in its one .c file, fills an adapter and calls env_contract_run.
 *
 * Tasks run on threads of the pool, where cmocka cannot assert: CHECK notes the first failure in
 * the scene, and the test asserts after the run. */
#include "tests/unit/env_contract_messages.h"

static void no_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    (void)from;
    (void)frame;
    scene_fail(node, __LINE__, "no frame expected");
}

static void scene_stopped(void *node)
{
    struct scene *s = node;
    s->stopped++;
}

/* ---- timers ---- */

enum { TIMERS = 600 };

enum { DELAYS = 8, DELAY_US = 5000 };

struct clockwork {
    struct scene scene;
    struct kin_env *env;
    struct clock_timer {
        struct clockwork *clock;
        struct kin_timer timer;
        uint64_t delay_us;
        uint64_t due_us, due_us_max; /* the world read its clock between the two */
        unsigned armed_as;           /* order of arming */
        unsigned fired;
        bool cancelled;
    } timers[TIMERS];
    unsigned armings;
    unsigned expected, fired;
    const struct clock_timer *last;
    unsigned last_armed_as[DELAYS]; /* of those with that delay, + 1 */
    struct clock_timer rearmed, never, zero, victim;
};

static void clock_arm(struct clock_timer *t, uint64_t delay_us)
{
    struct kin_env *env = t->clock->env;
    t->armed_as = t->clock->armings++;
    t->delay_us = delay_us;
    t->due_us = env->ops->now_us(env) + delay_us;
    env->ops->timer_arm(env, &t->timer, delay_us);
    t->due_us_max = env->ops->now_us(env) + delay_us;
}

static struct clock_timer *clock_timer_of(struct kin_timer *t)
{
    return (struct clock_timer *)(void *)((char *)t - offsetof(struct clock_timer, timer));
}

static void *clock_boot_common(struct kin_env *env, void *args)
{
    struct clockwork *c = args;
    c->scene.booted++;
    c->env = env;
    return c;
}

/* Many timers with few distinct delays. */
static void order_fire(struct kin_timer *timer)
{
    struct clock_timer *t = clock_timer_of(timer);
    struct clockwork *c = t->clock;
    unsigned *armed_as = &c->last_armed_as[t->delay_us / DELAY_US];
    scene_enter(&c->scene);
    CHECK(&c->scene, !t->cancelled && t->fired == 0);
    t->fired++;
    CHECK(&c->scene, c->env->ops->now_us(c->env) >= t->due_us);
    CHECK(&c->scene, !c->last || t->due_us_max >= c->last->due_us);
    CHECK(&c->scene, t->armed_as >= *armed_as);
    if (c->last && c->last->due_us == t->due_us_max && c->last->due_us_max == t->due_us)
        CHECK(&c->scene, t->armed_as > c->last->armed_as);
    *armed_as = t->armed_as + 1;
    c->last = t;
    if (++c->fired == c->expected)
        scene_stop(&c->scene);
    scene_leave(&c->scene);
}

static void *order_boot(struct kin_env *env, void *args)
{
    struct clockwork *c = clock_boot_common(env, args);
    scene_enter(&c->scene);
    uint64_t draw = 42;
    for (unsigned i = 0; i < TIMERS; i++) {
        draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407U;
        c->timers[i].clock = c;
        c->timers[i].timer.fire = order_fire;
        clock_arm(&c->timers[i], (draw >> 33) % DELAYS * DELAY_US);
    }
    for (unsigned i = 0; i < TIMERS; i += 3) { /* a third goes, from all over the heap */
        c->timers[i].cancelled = true;
        env->ops->timer_cancel(env, &c->timers[i].timer);
    }
    for (unsigned i = 1; i < TIMERS; i += 6) /* some move, to later or earlier */
        clock_arm(&c->timers[i], i % DELAYS * DELAY_US);
    c->expected = TIMERS - TIMERS / 3;
    scene_leave(&c->scene);
    return c;
}

static void timers_fire_once_in_order_of_due_time_and_arming(void **state)
{
    static const struct kin_node_ops ops = {order_boot, no_frame, scene_stopped};
    struct clockwork *c = kin_calloc(1, sizeof *c);
    scene_open(&c->scene, state);
    c->scene.world_ops->add(c->scene.world, 0, &ops, c);
    scene_play(&c->scene);
    assert_int_equal(c->fired, TIMERS - TIMERS / 3);
    scene_close(&c->scene);
    kin_free(c);
}

static void habits_fire(struct kin_timer *timer)
{
    struct clock_timer *t = clock_timer_of(timer);
    struct clockwork *c = t->clock;
    scene_enter(&c->scene);
    CHECK(&c->scene, !t->cancelled);
    CHECK(&c->scene, c->env->ops->now_us(c->env) >= t->due_us);
    t->fired++;
    if (t == &c->zero) {
        /* cancelling what is due in this very moment, and cancelling twice */
        c->victim.cancelled = true;
        c->env->ops->timer_cancel(c->env, &c->victim.timer);
        c->env->ops->timer_cancel(c->env, &c->victim.timer);
        c->env->ops->timer_cancel(c->env, &t->timer); /* fired already: nothing to do */
    }
    if (t == &c->rearmed && t->fired < 4) /* from its own callback, without delay too */
        clock_arm(t, t->fired == 2 ? 0 : 2000);
    else if (t == &c->rearmed)
        scene_stop(&c->scene);
    scene_leave(&c->scene);
}

static void *habits_boot(struct kin_env *env, void *args)
{
    struct clockwork *c = clock_boot_common(env, args);
    scene_enter(&c->scene);
    struct clock_timer *all[] = {&c->rearmed, &c->never, &c->zero, &c->victim};
    for (size_t i = 0; i < 4; i++) {
        all[i]->clock = c;
        all[i]->timer.fire = habits_fire;
        env->ops->timer_cancel(env, &all[i]->timer); /* never armed: nothing to do */
    }
    clock_arm(&c->rearmed, 3600 * UINT64_C(1000000)); /* replaced before it fires */
    clock_arm(&c->rearmed, 4000);
    clock_arm(&c->never, UINT64_MAX / 2);
    clock_arm(&c->zero, 0); /* not before this callback has returned */
    clock_arm(&c->victim, 0);
    CHECK(&c->scene, c->zero.fired == 0);
    scene_leave(&c->scene);
    return c;
}

static void timers_rearm_cancel_and_do_not_reenter(void **state)
{
    static const struct kin_node_ops ops = {habits_boot, no_frame, scene_stopped};
    struct clockwork *c = kin_calloc(1, sizeof *c);
    scene_open(&c->scene, state);
    c->scene.world_ops->add(c->scene.world, 0, &ops, c);
    scene_play(&c->scene);
    assert_int_equal(c->rearmed.fired, 4);
    assert_int_equal(c->zero.fired, 1);
    assert_int_equal(c->victim.fired, 0);
    assert_int_equal(c->never.fired, 0);
    scene_close(&c->scene);
    kin_free(c);
}

/* ---- clocks, chance, log ---- */

static void *small_boot(struct kin_env *env, void *args)
{
    struct clockwork *c = clock_boot_common(env, args);
    scene_enter(&c->scene);
    uint64_t before = env->ops->now_us(env);
    CHECK(&c->scene, env->ops->now_us(env) >= before);
    CHECK(&c->scene, env->ops->wall_ms(env) > 0);
    CHECK(&c->scene, env->ops->threads(env) >= 1);
    uint64_t a = env->ops->random(env);
    CHECK(&c->scene, a != env->ops->random(env) || a != env->ops->random(env));
    kin_env_log(env, 'I', "contract.seen", "n=%d", 1);
    kin_env_log(env, 'W', "contract.seen", "n=%d", 2);
    kin_env_log(env, 'I', "contract.seen", "n=%d", 3);
    scene_stop(&c->scene);
    scene_leave(&c->scene);
    return c;
}

static void clocks_run_forward_and_log_lines_arrive(void **state)
{
    static const struct kin_node_ops ops = {small_boot, no_frame, scene_stopped};
    struct clockwork *c = kin_calloc(1, sizeof *c);
    scene_open(&c->scene, state);
    c->scene.world_ops->add(c->scene.world, 5, &ops, c);
    scene_play(&c->scene);
    assert_int_equal(c->scene.world_ops->log_lines(c->scene.world, 5, 'I', "contract.seen"), 2);
    assert_int_equal(c->scene.world_ops->log_lines(c->scene.world, 5, 'W', "contract.seen"), 1);
    assert_int_equal(c->scene.world_ops->log_lines(c->scene.world, 4, 'I', "contract.seen"), 0);
    scene_close(&c->scene);
    kin_free(c);
}

/* ---- tasks ---- */

enum { TASKS = 300 };

struct bench_task {
    struct kin_work work;
    struct bench *bench;
    unsigned number, input, output, started_as;
    bool finished;
};
struct bench {
    struct scene scene;
    struct kin_env *env;
    atomic_uint started;
    unsigned submitted, finished;
    struct bench_task tasks[TASKS];
};

static void bench_run(struct kin_env *env, struct kin_work *w)
{
    struct bench_task *t = (struct bench_task *)(void *)w;
    CHECK(&t->bench->scene, env == t->bench->env);
    t->started_as = atomic_fetch_add(&t->bench->started, 1);
    t->output = t->input * 3 + 1;
}

static void bench_submit(struct bench *b, unsigned count);

static void bench_done(struct kin_work *w)
{
    struct bench_task *t = (struct bench_task *)(void *)w;
    struct bench *b = t->bench;
    scene_enter(&b->scene);
    CHECK(&b->scene, !t->finished && t->output == t->input * 3 + 1);
    if (b->env->ops->threads(b->env) == 1)
        CHECK(&b->scene, t->started_as == t->number);
    t->finished = true;
    b->finished++;
    bench_submit(b, 2); /* from a done: must not run or call back in here */
    if (b->finished == TASKS)
        scene_stop(&b->scene);
    scene_leave(&b->scene);
}

static void bench_submit(struct bench *b, unsigned count)
{
    for (; count > 0 && b->submitted < TASKS; count--) {
        struct bench_task *t = &b->tasks[b->submitted];
        t->bench = b;
        t->number = b->submitted;
        t->input = b->submitted++ + 100;
        t->work.run = bench_run;
        t->work.done = bench_done;
        b->env->ops->work(b->env, &t->work);
    }
}

static void *bench_boot(struct kin_env *env, void *args)
{
    struct bench *b = args;
    b->scene.booted++;
    b->env = env;
    scene_enter(&b->scene);
    bench_submit(b, TASKS / 4);
    scene_leave(&b->scene);
    return b;
}

static void tasks_run_and_are_done_on_the_loop(void **state)
{
    static const struct kin_node_ops ops = {bench_boot, no_frame, scene_stopped};
    struct bench *b = kin_calloc(1, sizeof *b);
    scene_open(&b->scene, state);
    b->scene.world_ops->add(b->scene.world, 0, &ops, b);
    scene_play(&b->scene);
    assert_int_equal(b->finished, TASKS);
    scene_close(&b->scene);
    kin_free(b);
}

#include "tests/unit/env_contract_data.h"

static int env_contract_run(struct env_contract_adapter *adapter)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(frames_arrive_once_and_in_order, adapter),
        cmocka_unit_test_prestate(timers_fire_once_in_order_of_due_time_and_arming, adapter),
        cmocka_unit_test_prestate(timers_rearm_cancel_and_do_not_reenter, adapter),
        cmocka_unit_test_prestate(clocks_run_forward_and_log_lines_arrive, adapter),
        cmocka_unit_test_prestate(tasks_run_and_are_done_on_the_loop, adapter),
        cmocka_unit_test_prestate(store_ops_apply_in_order, adapter),
        cmocka_unit_test_prestate(store_batches_are_whole, adapter),
        cmocka_unit_test_prestate(store_reads_get_and_seek, adapter),
        cmocka_unit_test_prestate(sources_list_open_and_read, adapter),
        cmocka_unit_test_prestate(outputs_appear_whole_or_not_at_all, adapter),
    };
    return cmocka_run_group_tests_name(adapter->name, tests, NULL, NULL);
}

#endif
