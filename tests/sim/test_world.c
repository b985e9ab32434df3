/* The deterministic world itself: determinism, links, time, what it catches, sweeps. What it shares
 * with the live world is in the contract suite (test_env_contract_sim.c). */
#include "tests/sim/probe.h"

#include <sys/wait.h>
#include <unistd.h>

/* ---- determinism ---- */

static uint64_t run_of(uint64_t seed)
{
    struct scene s = scene_open(seed, (struct kin_sim_options){0});
    kin_sim_chaos(s.sim, 5);
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_call(s.sim, 1, submit_ten_batches, s.p[1]);
    kin_sim_call(s.sim, 2, arm_four, s.p[2]);
    kin_sim_run_for(s.sim, 5 * SECOND);
    uint64_t hash = kin_sim_hash(s.sim);
    scene_close(&s);
    return hash;
}

static void one_seed_is_one_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        assert_true(run_of(seed) == run_of(seed));
        assert_true(run_of(seed) != run_of(seed + 1));
    }
}

/* ---- frames ---- */

static void frames_keep_their_order_unless_asked_otherwise(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 100);
    assert_true(in_order(s.p[1]));
    assert_int_equal(kin_sim_stats(s.sim).overtaken, 0);
    scene_close(&s);

    s = scene_open(1, (struct kin_sim_options){.reorder = 200000});
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 100);
    assert_false(in_order(s.p[1]));
    assert_true(kin_sim_stats(s.sim).overtaken > 0);
    scene_close(&s);
}

static void frames_are_lost_and_doubled_at_the_rates_asked_for(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){.loss = ALWAYS});
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 0);
    assert_int_equal(kin_sim_stats(s.sim).lost, 100);
    scene_close(&s);

    s = scene_open(1, (struct kin_sim_options){.duplicate = ALWAYS});
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 200);
    scene_close(&s);

    s = scene_open(1, (struct kin_sim_options){.loss = ALWAYS / 2});
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_in_range(s.p[1]->got_count, 30, 70);
    scene_close(&s);

    s = scene_open(1, (struct kin_sim_options){.link_frames = 7});
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 7);
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 14);
    scene_close(&s);
}

static void a_cut_link_loses_and_works_again(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]); /* on the way when the link is cut */
    kin_sim_cut(s.sim, 0, 1, true);
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 0);
    kin_sim_call(s.sim, 2, send_hundred, s.p[2]); /* other links work */
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 100);
    kin_sim_isolate(s.sim, 1, true);
    kin_sim_call(s.sim, 2, send_hundred, s.p[2]);
    kin_sim_call(s.sim, 1, send_hundred, s.p[1]); /* to itself */
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 200);
    kin_sim_heal(s.sim);
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 300);
    scene_close(&s);
}

static void a_clogged_link_delivers_later_and_in_order(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    uint64_t start = kin_sim_now_us(s.sim);
    kin_sim_clog(s.sim, 0, 1, SECOND);
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, 3 * SECOND);
    assert_int_equal(s.p[1]->got_count, 100);
    assert_true(s.p[1]->at[0] >= start + SECOND);
    assert_true(in_order(s.p[1]));
    scene_close(&s);

    s = scene_open(1, (struct kin_sim_options){0});
    kin_sim_clog(s.sim, 0, 1, 1000 * SECOND);
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_heal(s.sim);
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->got_count, 200);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(s.p[1]->got[i], i % 100);
    scene_close(&s);
}

/* ---- bugs of a core that the world must not let pass ---- */

static void change_a_frame(void *arg)
{
    struct probe *p = arg;
    struct kin_frame *f = kin_frame_new(1);
    kin_buf_u32(&f->body, 1);
    p->life->env->ops->send(p->life->env, 1, kin_frame_ref(f));
    f->body.p[0]++;
    kin_frame_unref(f);
}

static void change_a_batch(void *arg)
{
    submit_batch(arg, 1)->text[1][1] = 'x';
}

static void append_out_of_order(void *arg)
{
    submit_batch(arg, 5);
    struct job *j = submit_batch(arg, 4);
    j->puts[0].append = true; /* the hash does not cover it */
}

static void clock_in_a_task(struct kin_env *env, struct probe *p)
{
    p->number = env->ops->now_us(env);
}

static void snapshot_kept(struct kin_env *env, struct probe *p)
{
    struct kin_snap *snap;
    p->last_status = env->ops->snap_begin(env, &snap);
}

static void two_outputs(struct kin_env *env, struct probe *p)
{
    struct kin_out *out;
    p->last_status = env->ops->out_begin(env, "out", &out, NULL);
    p->last_status = env->ops->out_begin(env, "out/", &out, NULL);
}

static void ask_the_clock_in_a_task(void *arg)
{
    submit_task(arg, clock_in_a_task);
}

static void keep_a_snapshot(void *arg)
{
    submit_task(arg, snapshot_kept);
}

static void make_two_outputs(void *arg)
{
    submit_task(arg, two_outputs);
}

static void snapshot_on_the_loop(void *arg)
{
    struct probe *p = arg;
    snapshot_kept(p->life->env, p);
}

static void list_on_the_loop(void *arg)
{
    struct probe *p = arg;
    struct kin_source_list list;
    p->last_status = p->life->env->ops->source_list(p->life->env, "in/*", &list, NULL);
}

static void call_for_another_node(void *arg)
{
    struct probe *p = arg;
    p->number = kin_sim_env(p->sim, 2)->ops->random(kin_sim_env(p->sim, 2));
}

/* Whether doing it ends a child process by an assertion. */
static bool is_caught(void (*bug)(void *arg))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        struct scene s = scene_open(1, (struct kin_sim_options){0});
        kin_sim_call(s.sim, 0, bug, s.p[0]);
        kin_sim_run_for(s.sim, SECOND);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void breaches_of_the_contract_are_caught(void **state)
{
    (void)state;
    assert_false(is_caught(submit_ten_batches));
    assert_true(is_caught(change_a_frame));
    assert_true(is_caught(change_a_batch));
    assert_true(is_caught(append_out_of_order));
    assert_true(is_caught(ask_the_clock_in_a_task));
    assert_true(is_caught(keep_a_snapshot));
    assert_true(is_caught(make_two_outputs));
    assert_true(is_caught(snapshot_on_the_loop));
    assert_true(is_caught(list_on_the_loop));
    assert_true(is_caught(call_for_another_node));
}

/* ---- time ---- */

static void a_pause_holds_everything_up_and_keeps_the_order(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    uint64_t start = kin_sim_now_us(s.sim);
    kin_sim_call(s.sim, 0, send_hundred, s.p[0]);
    kin_sim_call(s.sim, 1, start_everything, s.p[1]);
    kin_sim_pause(s.sim, 1, SECOND);
    kin_sim_run_for(s.sim, SECOND - 1);
    assert_int_equal(s.p[1]->at_count, 0);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[1]->at_count, 100 + 4 + 1 + 10);
    assert_int_equal(s.p[1]->at[0], start + SECOND);
    assert_true(in_order(s.p[1]));
    scene_close(&s);
}

static void submit_ten_tasks(void *arg)
{
    for (unsigned i = 0; i < 10; i++)
        submit_task(arg, NULL);
}

static void tasks_share_the_threads(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 5; threads += 4) {
        struct scene s = scene_open(
            1,
            (struct kin_sim_options){.threads = threads, .task_us = {100, 100}, .late_us = {1, 1}});
        uint64_t start = kin_sim_now_us(s.sim);
        kin_sim_call(s.sim, 0, submit_ten_tasks, s.p[0]);
        kin_sim_run_for(s.sim, SECOND);
        assert_int_equal(s.p[0]->done, 10);
        assert_int_equal(s.p[0]->at[9], start + 1000 / threads + 1);
        scene_close(&s);
    }
}

static void read_clocks(void *arg)
{
    struct probe *p = arg;
    p->at[0] = p->life->env->ops->now_us(p->life->env);
    p->at[1] = p->life->env->ops->wall_ms(p->life->env);
}

static void clocks_jump_and_have_nothing_in_common(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    kin_sim_call(s.sim, 0, read_clocks, s.p[0]);
    kin_sim_call(s.sim, 1, read_clocks, s.p[1]);
    uint64_t now = s.p[0]->at[0];
    uint64_t wall = s.p[0]->at[1];
    assert_true(s.p[1]->at[0] != now);
    assert_true(s.p[1]->at[1] == wall);
    kin_sim_run_for(s.sim, SECOND);
    kin_sim_jump(s.sim, 0, -5000);
    kin_sim_call(s.sim, 0, read_clocks, s.p[0]);
    assert_true(s.p[0]->at[0] == now + SECOND);
    assert_true(s.p[0]->at[1] == wall + 1000 - 5000);
    kin_sim_crash(s.sim, 0);
    kin_sim_restart(s.sim, 0, 0);
    kin_sim_run_for(s.sim, 0);
    kin_sim_call(s.sim, 0, read_clocks, s.p[0]);
    assert_true(s.p[0]->at[0] != now + SECOND);
    scene_close(&s);
}

/* ---- sweeps ---- */

static bool all_hold(uint64_t seed, void *arg)
{
    (void)arg;
    return seed < 1000;
}

static bool one_fails(uint64_t seed, void *arg)
{
    (void)arg;
    return seed != 17;
}

static bool one_dies(uint64_t seed, void *arg)
{
    (void)arg;
    KIN_ASSERT(seed != 23);
    return true;
}

static void a_sweep_names_the_seed_that_fails_or_dies(void **state)
{
    (void)state;
    char text[1024] = "";
    FILE *kept = tmpfile();
    assert_non_null(kept);
    int old = dup(STDERR_FILENO);
    assert_true(dup2(fileno(kept), STDERR_FILENO) >= 0);
    bool held = kin_sim_sweep("holds", 0, 30, all_hold, NULL);
    bool failed = kin_sim_sweep("fails", 0, 30, one_fails, NULL);
    bool died = kin_sim_sweep("dies", 0, 30, one_dies, NULL);
    dup2(old, STDERR_FILENO);
    close(old);
    rewind(kept);
    text[fread(text, 1, sizeof text - 1, kept)] = '\0';
    fclose(kept);
    assert_true(held);
    assert_false(failed);
    assert_false(died);
    assert_non_null(strstr(text, "fails: seed 17 fails; replay it alone with KIN_SIM_SEED=17\n"));
    assert_non_null(strstr(text, "dies: seed 23 dies; "));
    assert_null(strstr(text, "holds:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed_is_one_run),
        cmocka_unit_test(frames_keep_their_order_unless_asked_otherwise),
        cmocka_unit_test(frames_are_lost_and_doubled_at_the_rates_asked_for),
        cmocka_unit_test(a_cut_link_loses_and_works_again),
        cmocka_unit_test(a_clogged_link_delivers_later_and_in_order),
        cmocka_unit_test(breaches_of_the_contract_are_caught),
        cmocka_unit_test(a_pause_holds_everything_up_and_keeps_the_order),
        cmocka_unit_test(tasks_share_the_threads),
        cmocka_unit_test(clocks_jump_and_have_nothing_in_common),
        cmocka_unit_test(a_sweep_names_the_seed_that_fails_or_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
