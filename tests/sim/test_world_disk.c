/* The deterministic world itself: crashes, and what is left after one; stores, files, memory. */
#include "tests/sim/probe.h"

/* ---- crashes ---- */

static bool stored(struct scene *s, kin_node_id id, char letter, unsigned number)
{
    char key[8];
    struct kin_str value;
    int n = snprintf(key, sizeof key, "%c%03u", letter, number);
    return kin_sim_store_get(s->sim, id, 0, (struct kin_str){key, (size_t)n}, &value);
}

static void a_crash_leaves_a_prefix_of_whole_batches(void **state)
{
    (void)state;
    unsigned seen[11] = {0};
    uint64_t half_done = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct scene s = scene_open(seed, (struct kin_sim_options){0});
        kin_sim_call(s.sim, 0, submit_ten_batches, s.p[0]);
        kin_sim_run_for(s.sim, seed % 60 * 100);
        size_t done = s.p[0]->batches_done;
        kin_sim_crash(s.sim, 0);
        kin_sim_run_for(s.sim, SECOND);
        assert_int_equal(s.p[0]->batches_done, done); /* no done after the crash */
        size_t kept = kin_sim_store_count(s.sim, 0, 0) / 2;
        assert_true(kept >= done);
        for (unsigned i = 0; i < 10; i++) {
            assert_int_equal(stored(&s, 0, 'a', i), i < kept);
            assert_int_equal(stored(&s, 0, 'b', i), i < kept);
        }
        seen[kept]++;
        half_done += kin_sim_stats(s.sim).half_done;
        assert_int_equal(kin_sim_stats(s.sim).crashes, 1);
        scene_close(&s);
    }
    for (size_t i = 0; i <= 10; i++)
        assert_true(seen[i] > 0);
    assert_true(half_done > 100);
}

static void a_crash_forgets_what_was_under_way(void **state)
{
    (void)state;
    struct scene s = scene_open(3, (struct kin_sim_options){.task_us = {500, 500}});
    kin_sim_call(s.sim, 0, start_everything, s.p[0]);
    kin_sim_crash(s.sim, 0);
    assert_null(kin_sim_node(s.sim, 0));
    assert_int_equal(s.p[0]->stops, 1);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[0]->at_count, 0);
    assert_false(s.p[0]->flag);

    size_t kept = kin_sim_store_count(s.sim, 0, 0);
    kin_sim_restart(s.sim, 0, 5000);
    kin_sim_run_for(s.sim, 4000);
    assert_null(kin_sim_node(s.sim, 0));
    kin_sim_run_for(s.sim, 4000);
    assert_ptr_equal(kin_sim_node(s.sim, 0), s.p[0]->life);
    assert_int_equal(s.p[0]->boots, 2);
    assert_int_equal(kin_sim_store_count(s.sim, 0, 0), kept);
    kin_sim_call(s.sim, 0, start_everything, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_true(s.p[0]->flag);
    assert_int_equal(s.p[0]->at_count, 4 + 1 + 10 + 1);
    assert_int_equal(kin_sim_store_count(s.sim, 0, 0), 20);

    kin_sim_crash(s.sim, 0);
    kin_sim_wipe(s.sim, 0);
    assert_int_equal(kin_sim_store_count(s.sim, 0, 0), 0);
    scene_close(&s);
}

static void crash_all_from_inside(void *arg)
{
    struct probe *p = arg;
    kin_sim_crash(p->sim, 0);
    kin_sim_crash(p->sim, 1);
    kin_sim_restart(p->sim, 1, 100);
    p->flag = p->life != NULL; /* not under our feet */
}

static void a_crash_from_inside_a_callback_waits_for_its_end(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    kin_sim_call(s.sim, 0, crash_all_from_inside, s.p[0]);
    assert_true(s.p[0]->flag);
    assert_null(kin_sim_node(s.sim, 0));
    assert_null(kin_sim_node(s.sim, 1));
    assert_non_null(kin_sim_node(s.sim, 2));
    kin_sim_run_for(s.sim, SECOND);
    assert_non_null(kin_sim_node(s.sim, 1));
    assert_null(kin_sim_node(s.sim, 0));
    kin_sim_heal(s.sim);
    kin_sim_run_for(s.sim, SECOND);
    assert_non_null(kin_sim_node(s.sim, 0));
    scene_close(&s);
}

static void random_crashes_restart_by_themselves(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){.crash = 100000});
    for (unsigned i = 0; i < 200; i++) {
        if (s.p[0]->life)
            kin_sim_call(s.sim, 0, arm_four, s.p[0]);
        kin_sim_run_for(s.sim, 100000);
    }
    assert_true(s.p[0]->boots > 10);
    assert_true(s.p[0]->fired > 10);
    scene_close(&s);
}

static void an_orderly_stop_finishes_works_and_batches(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    kin_sim_call(s.sim, 0, start_everything, s.p[0]);
    kin_sim_stop(s.sim, 0);
    assert_true(s.p[0]->flag);
    assert_int_equal(s.p[0]->done, 1);
    assert_int_equal(s.p[0]->batches_done, 10);
    assert_int_equal(s.p[0]->fired, 0);
    assert_int_equal(s.p[0]->stops, 1);
    kin_sim_heal(s.sim);
    kin_sim_run_for(s.sim, SECOND);
    assert_null(kin_sim_node(s.sim, 0));
    kin_sim_restart(s.sim, 0, 0);
    kin_sim_run_for(s.sim, SECOND);
    assert_non_null(kin_sim_node(s.sim, 0));
    assert_int_equal(kin_sim_stats(s.sim).crashes, 0);
    kin_sim_shutdown(s.sim);
    for (kin_node_id i = 0; i < 3; i++)
        assert_null(kin_sim_node(s.sim, i));
    assert_int_equal(kin_sim_stats(s.sim).crashes, 0);
    scene_close(&s);
}

/* ---- stores ---- */

static void submit_one_batch(void *arg)
{
    submit_batch(arg, 0);
}

static void a_slow_store_takes_longer_and_a_full_one_refuses(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){.commit_us = {1000, 1000}});
    kin_sim_slow(s.sim, 0, SECOND);
    kin_sim_call(s.sim, 0, submit_one_batch, s.p[0]);
    kin_sim_run_for(s.sim, 40000);
    assert_int_equal(s.p[0]->batches_done, 0);
    kin_sim_run_for(s.sim, 20000);
    assert_int_equal(s.p[0]->batches_done, 1);
    assert_int_equal(s.p[0]->last_status, KIN_OK);
    scene_close(&s);

    s = scene_open(1, (struct kin_sim_options){.full = ALWAYS});
    kin_sim_call(s.sim, 0, submit_one_batch, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[0]->last_status, KIN_E_FULL);
    assert_int_equal(kin_sim_store_count(s.sim, 0, 0), 0);
    assert_int_equal(kin_sim_stats(s.sim).full, 1);
    kin_sim_heal(s.sim);
    kin_sim_call(s.sim, 0, submit_one_batch, s.p[0]);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(s.p[0]->last_status, KIN_OK);
    assert_int_equal(kin_sim_store_count(s.sim, 0, 0), 2);
    scene_close(&s);
}

/* ---- files ---- */

static void read_all(struct kin_env *env, struct probe *p)
{
    uint8_t buf[64];
    size_t got = 1;
    if (!p->source)
        assert_int_equal(env->ops->source_open(env, "in/a", &p->source, NULL), KIN_OK);
    for (p->number = 0; got > 0; p->number += got) {
        assert_int_equal(env->ops->source_read(p->source, buf, sizeof buf, &got, NULL), KIN_OK);
        p->short_reads += got > 0 && got < sizeof buf;
        p->flag = got ? buf[0] == 'x' : p->flag;
    }
}

static void open_source(struct kin_env *env, struct probe *p)
{
    assert_int_equal(env->ops->source_open(env, "in/a", &p->source, NULL), KIN_OK);
}

static void close_source(struct kin_env *env, struct probe *p)
{
    env->ops->source_close(p->source);
    p->source = NULL;
}

static void run_task(struct scene *s, void (*task)(struct kin_env *env, struct probe *p));

static void reads_are_short_and_an_open_file_stays_as_it_is(void **state)
{
    (void)state;
    static char text[64000];
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    memset(text, 'x', sizeof text);
    kin_sim_file_put(s.sim, "in/a", text, sizeof text);
    run_task(&s, open_source);
    kin_sim_file_put(s.sim, "in/a", "new", 3);
    run_task(&s, read_all);
    assert_int_equal(s.p[0]->number, sizeof text);
    assert_true(s.p[0]->flag);
    assert_true(s.p[0]->short_reads > 100);
    run_task(&s, close_source);
    kin_sim_file_remove(s.sim, "in/a");
    kin_sim_file_remove(s.sim, "in/a");
    kin_sim_file_put(s.sim, "in/a", text, 10);
    run_task(&s, read_all);
    assert_int_equal(s.p[0]->number, 10);
    scene_close(&s); /* which closes what is open */
}

static void begin_output(struct kin_env *env, struct probe *p)
{
    assert_int_equal(env->ops->out_begin(env, "out", &p->out, NULL), KIN_OK);
    p->last_status = env->ops->out_write(p->out, "f", "text", 4, NULL);
}

static void publish_output(struct kin_env *env, struct probe *p)
{
    (void)env;
    p->last_status = env->ops->out_publish(p->out, NULL);
}

static void abort_output(struct kin_env *env, struct probe *p)
{
    env->ops->out_abort(p->out);
}

struct told {
    struct probe *p;
    void (*task)(struct kin_env *env, struct probe *p);
};

static void submit_told(void *arg)
{
    struct told *t = arg;
    submit_task(t->p, t->task);
}

static void run_task(struct scene *s, void (*task)(struct kin_env *env, struct probe *p))
{
    struct told t = {s->p[0], task};
    kin_sim_call(s->sim, 0, submit_told, &t);
    kin_sim_run_for(s->sim, SECOND);
}

static void a_crash_before_publish_leaves_nothing_and_after_it_all(void **state)
{
    (void)state;
    struct kin_str bytes;
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    run_task(&s, begin_output);
    kin_sim_crash(s.sim, 0);
    kin_sim_restart(s.sim, 0, 0);
    kin_sim_run_for(s.sim, SECOND);
    assert_int_equal(kin_sim_out_files(s.sim, "out"), 0);
    assert_false(kin_sim_out_get(s.sim, "out", "f", &bytes));
    run_task(&s, begin_output);
    run_task(&s, publish_output);
    assert_int_equal(s.p[0]->last_status, KIN_OK);
    kin_sim_crash(s.sim, 0);
    assert_int_equal(kin_sim_out_files(s.sim, "out"), 1);
    assert_true(kin_sim_out_get(s.sim, "out/", "f", &bytes));
    assert_true(kin_str_eq(bytes, KIN_STR("text")));
    assert_int_equal(kin_sim_stats(s.sim).published, 1);
    scene_close(&s);
}

static void a_full_disk_fails_outputs(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){.out_fail = ALWAYS});
    run_task(&s, begin_output);
    assert_int_equal(s.p[0]->last_status, KIN_E_FULL);
    run_task(&s, publish_output);
    assert_int_equal(s.p[0]->last_status, KIN_E_FULL);
    assert_int_equal(kin_sim_out_files(s.sim, "out"), 0);
    run_task(&s, begin_output);
    run_task(&s, abort_output);
    scene_close(&s);
}

/* ---- memory ---- */

static void allocate(void *arg)
{
    struct probe *p = arg;
    for (unsigned i = 0; i < 30; i++) {
        void *block = kin_alloc(1);
        p->number += block == NULL;
        kin_free(block);
    }
    arm(p, 0, 100); /* the world has memory */
}

static void allocations_fail_in_cores_only(void **state)
{
    (void)state;
    struct scene s = scene_open(1, (struct kin_sim_options){0});
    kin_sim_call(s.sim, 0, allocate, s.p[0]);
    assert_int_equal(s.p[0]->number, 0);
    kin_sim_crash(s.sim, 0);
    scene_close(&s);

    s = scene_open(1, (struct kin_sim_options){.allocation = ALWAYS});
    kin_sim_run_for(s.sim, SECOND);
    kin_sim_call(s.sim, 0, allocate, s.p[0]);
    assert_true(s.p[0]->number > 0);
    void *block = kin_alloc(1); /* and not in the test */
    assert_non_null(block);
    kin_free(block);
    kin_sim_crash(s.sim, 0);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_leaves_a_prefix_of_whole_batches),
        cmocka_unit_test(a_crash_forgets_what_was_under_way),
        cmocka_unit_test(a_crash_from_inside_a_callback_waits_for_its_end),
        cmocka_unit_test(random_crashes_restart_by_themselves),
        cmocka_unit_test(an_orderly_stop_finishes_works_and_batches),
        cmocka_unit_test(a_slow_store_takes_longer_and_a_full_one_refuses),
        cmocka_unit_test(reads_are_short_and_an_open_file_stays_as_it_is),
        cmocka_unit_test(a_crash_before_publish_leaves_nothing_and_after_it_all),
        cmocka_unit_test(a_full_disk_fails_outputs),
        cmocka_unit_test(allocations_fail_in_cores_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
