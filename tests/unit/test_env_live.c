#include "tests/unit/env_contract.h"
#include "tests/unit/live_kit.h"

#include <pthread.h>
#include <signal.h>

/* ---- the contract suite ---- */

enum { THREADS_OF_MANY = 3 };

static void *world_open_one(void)
{
    return world_open(1);
}

static void *world_open_many(void)
{
    return world_open(THREADS_OF_MANY);
}

static void *world_open_in_memory(void)
{
    struct world *w = world_open(THREADS_OF_MANY);
    w->in_memory = true;
    return w;
}

static void world_add(void *world, kin_node_id id, const struct kin_node_ops *ops, void *args)
{
    struct world *w = world;
    struct kin_err err = {0};
    if (kin_live_add(w->live, id, world_store(w), ops, args, &err))
        fail_msg("%s", err.msg);
}

static void world_run(void *world)
{
    kin_live_run(((struct world *)world)->live);
}

static void world_stop(void *world)
{
    kin_live_stop(((struct world *)world)->live);
}

static const char *world_root(void *world)
{
    return ((struct world *)world)->root;
}

static bool world_put_file(void *world, const char *path, const void *p, size_t n)
{
    (void)world;
    return scratch_put(path, p, n);
}

static bool world_get_file(void *world, const char *path, struct kin_buf *out)
{
    (void)world;
    return scratch_get(path, out);
}

static size_t world_log_lines(void *world, kin_node_id node, char level, const char *event)
{
    struct world *w = world;
    size_t n = 0;
    for (size_t i = 0; i < w->log_count; i++)
        n += w->logs[i].node == node && w->logs[i].level == level &&
             strcmp(w->logs[i].event, event) == 0;
    return n;
}

static struct env_contract_adapter adapter_for(const char *name, void *(*open)(void))
{
    return (struct env_contract_adapter){
        .name = name,
        .fifo = true,
        .open = open,
        .close = world_close,
        .add = world_add,
        .run = world_run,
        .stop = world_stop,
        .root = world_root,
        .put_file = world_put_file,
        .get_file = world_get_file,
        .log_lines = world_log_lines,
    };
}

/* ---- a store that records, for what only the live world does ---- */

enum { FAKE_GROUPS = 32 }; /* that are counted apart */

struct fake_store {
    struct kin_store store;
    pthread_mutex_t gate; /* held by the test: apply waits */
    size_t groups, ops[FAKE_GROUPS];
    atomic_int closed;
    kin_status answer;
};

static void fake_apply(struct kin_store *store, struct kin_store_op *list)
{
    struct fake_store *f = (struct fake_store *)(void *)store;
    pthread_mutex_lock(&f->gate);
    for (; list; list = list->impl_next) {
        list->impl_status = f->answer;
        if (f->groups < FAKE_GROUPS)
            f->ops[f->groups]++;
    }
    f->groups++;
    pthread_mutex_unlock(&f->gate);
}

static void fake_close(struct kin_store *store)
{
    struct fake_store *f = (struct fake_store *)(void *)store;
    atomic_fetch_add(&f->closed, 1);
}

static const struct kin_store_ops fake_ops = {.apply = fake_apply, .close = fake_close};

static void fake_make(struct fake_store *f)
{
    *f = (struct fake_store){.store = {&fake_ops}};
    pthread_mutex_init(&f->gate, NULL);
}

/* ---- a core to put things in ---- */

struct probe {
    struct kin_env *env;
    struct world *world;
    void (*on_boot)(struct probe *p);
    int stops, frames, fires, dones, late;
    struct kin_timer timer;
    struct kin_store_put put;
    kin_status last;
    struct fake_store *fake;
    const void *payload_sent, *payload_seen;
};

static struct probe *the_probe(void *core)
{
    return core;
}

static void *probe_boot(struct kin_env *env, void *args)
{
    struct probe *p = args;
    p->env = env;
    if (p->on_boot)
        p->on_boot(p);
    return p;
}

static void probe_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct probe *p = the_probe(node);
    (void)from;
    p->frames++;
    p->payload_seen = frame->payload.p;
    kin_live_stop(p->world->live);
}

static void probe_stop(void *node)
{
    struct probe *p = the_probe(node);
    p->late = p->dones; /* what is done after stop would show as a difference */
    p->stops++;
}

static const struct kin_node_ops probe_ops = {probe_boot, probe_frame, probe_stop};

static struct probe *probe_new(struct world *w, void (*on_boot)(struct probe *p))
{
    struct probe *p = kin_calloc(1, sizeof *p);
    p->world = w;
    p->on_boot = on_boot;
    return p;
}

static void add_probe(struct probe *p, kin_node_id id, struct kin_store *store)
{
    assert_int_equal(kin_live_add(p->world->live, id, store, &probe_ops, p, NULL), KIN_OK);
}

/* ---- frames ---- */

static void send_one(struct probe *p)
{
    struct kin_frame *f = kin_frame_new(1);
    kin_buf_puts(&f->payload, "payload");
    p->payload_sent = f->payload.p;
    p->env->ops->send(p->env, p->env->self, f);
    p->env->ops->send(p->env, p->env->self, kin_frame_new(1)); /* the first one stops the run */
    p->env->ops->send(p->env, KIN_NODES_MAX + 5, kin_frame_new(1));
}

static void a_payload_is_handed_over_without_a_copy(void **state)
{
    (void)state;
    struct world *w = world_open(1);
    struct probe *p = probe_new(w, send_one);
    add_probe(p, 9, NULL);
    assert_int_equal(kin_live_env(w->live, 9)->self, 9);
    assert_null(kin_live_env(w->live, 8));
    assert_null(kin_live_env(w->live, KIN_NODES_MAX));
    kin_live_run(w->live);
    assert_int_equal(p->frames, 1);
    assert_ptr_equal(p->payload_seen, p->payload_sent);
    assert_int_equal(p->stops, 1);
    world_close(w);
    kin_free(p);
}

/* ---- stopping ---- */

static void run_nothing(struct kin_env *env, struct kin_work *w)
{
    (void)env;
    (void)w;
}

struct drained {
    struct probe probe; /* first */
    struct tied {
        struct kin_work work;
        struct drained *owner;
    } works[200];
    struct tied_op {
        struct kin_store_op op;
        struct drained *owner;
    } ops[200];
    struct tied extra;
    bool extra_ran;
};

static void extra_run(struct kin_env *env, struct kin_work *w)
{
    (void)env;
    ((struct tied *)(void *)w)->owner->extra_ran = true;
}

static void drained_work_done(struct kin_work *w)
{
    struct drained *d = ((struct tied *)(void *)w)->owner;
    d->probe.dones++;
    /* the world is stopping: what is submitted now is forgotten, not run and not an error */
    if (d->probe.dones == 100) {
        d->extra.owner = d;
        d->extra.work = (struct kin_work){.run = extra_run, .done = drained_work_done};
        d->probe.env->ops->work(d->probe.env, &d->extra.work);
        d->probe.env->ops->timer_arm(d->probe.env, &d->probe.timer, 0);
        d->probe.env->ops->timer_cancel(d->probe.env, &d->probe.timer);
        d->probe.env->ops->send(d->probe.env, 1, kin_frame_new(1));
    }
}

static void drained_op_done(struct kin_store_op *op, kin_status status)
{
    struct drained *d = ((struct tied_op *)(void *)op)->owner;
    d->probe.dones++;
    d->probe.last = status;
}

static void count_fire(struct kin_timer *t)
{
    ((struct probe *)(void *)((char *)t - offsetof(struct probe, timer)))->fires++;
}

static void submit_all_and_stop(struct probe *p)
{
    struct drained *d = (struct drained *)(void *)p;
    const struct kin_env_ops *env = p->env->ops;
    for (size_t i = 0; i < 200; i++) {
        d->works[i] = (struct tied){{.run = run_nothing, .done = drained_work_done}, d};
        d->ops[i] = (struct tied_op){{.done = drained_op_done}, d};
        env->work(p->env, &d->works[i].work);
        env->store(p->env, &d->ops[i].op);
    }
    p->timer.fire = count_fire;
    env->timer_arm(p->env, &p->timer, 0);
    env->send(p->env, p->env->self, kin_frame_new(1));
    kin_live_stop(p->world->live);
}

static void stop_finishes_works_and_ops_and_nothing_else(void **state)
{
    (void)state;
    struct world *w = world_open(2);
    struct fake_store fake;
    fake_make(&fake);
    struct drained *d = kin_calloc(1, sizeof *d);
    d->probe.world = w;
    d->probe.on_boot = submit_all_and_stop;
    add_probe(&d->probe, 1, &fake.store);
    kin_live_run(w->live);
    assert_int_equal(d->probe.dones, 400);
    assert_int_equal(d->probe.late, 400);
    assert_int_equal(d->probe.fires, 0);
    assert_int_equal(d->probe.frames, 0);
    assert_int_equal(d->probe.stops, 1);
    assert_false(d->extra_ran);
    assert_int_equal(atomic_load(&fake.closed), 1);
    world_close(w);
    assert_int_equal(atomic_load(&fake.closed), 1);
    kin_free(d);
}

static void *no_boot(struct kin_env *env, void *args)
{
    (void)env;
    (void)args;
    return NULL;
}

static void a_core_that_cannot_boot_ends_the_run(void **state)
{
    (void)state;
    static const struct kin_node_ops ops = {no_boot, no_frame, scene_stopped};
    struct world *w = world_open(1);
    struct probe *first = probe_new(w, NULL);
    struct probe *third = probe_new(w, NULL);
    add_probe(first, 1, NULL);
    assert_int_equal(kin_live_add(w->live, 2, NULL, &ops, NULL, NULL), KIN_OK);
    add_probe(third, 3, NULL);
    kin_live_run(w->live);
    assert_int_equal(first->stops, 1);
    assert_null(third->env); /* never booted, so never stopped */
    assert_int_equal(third->stops, 0);
    assert_int_equal(world_log_lines(w, 2, 'E', "node.boot"), 1);
    world_close(w);
    kin_free(first);
    kin_free(third);
}

static void a_world_that_never_ran_is_freed_whole(void **state)
{
    (void)state;
    struct world *w = world_open(2);
    struct fake_store fake;
    fake_make(&fake);
    struct probe *p = probe_new(w, NULL);
    add_probe(p, 1, &fake.store);
    world_close(w);
    assert_int_equal(atomic_load(&fake.closed), 1);
    assert_int_equal(p->stops, 0);
    kin_free(p);
}

static void wrong_nodes_and_options_are_refused(void **state)
{
    (void)state;
    struct kin_err err = {0};
    struct kin_live *live = NULL;
    struct kin_live_options o = {.threads = 257};
    assert_int_equal(kin_live_new(&o, &live, &err), KIN_E_INVAL);
    assert_null(live);
    struct world *w = world_open(1);
    struct fake_store fake;
    fake_make(&fake);
    struct probe *p = probe_new(w, NULL);
    add_probe(p, 1, NULL);
    assert_int_equal(kin_live_add(w->live, 1, &fake.store, &probe_ops, p, &err), KIN_E_EXISTS);
    assert_int_equal(kin_live_add(w->live, KIN_NODES_MAX, &fake.store, &probe_ops, p, &err),
                     KIN_E_INVAL);
    kin_alloc_fail_after(0);
    assert_int_equal(kin_live_add(w->live, 2, &fake.store, &probe_ops, p, &err), KIN_E_NOMEM);
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(atomic_load(&fake.closed), 3); /* consumed, also on error */
    world_close(w);
    kin_free(p);
}

static void a_lack_of_memory_makes_no_world(void **state)
{
    (void)state;
    struct kin_live_options o = {.threads = 2};
    for (size_t n = 0;; n++) {
        struct kin_live *live = NULL;
        struct kin_err err = {0};
        kin_alloc_fail_after(n);
        kin_status st = kin_live_new(&o, &live, &err);
        kin_alloc_fail_after(SIZE_MAX);
        if (st == KIN_OK) {
            assert_true(n >= 3);
            kin_live_free(live);
            break;
        }
        assert_int_equal(st, KIN_E_NOMEM);
        assert_int_equal(err.status, KIN_E_NOMEM);
        assert_null(live);
    }
}

/* ---- the store thread ---- */

static void gated_op_done(struct kin_store_op *op, kin_status status)
{
    struct drained *d = ((struct tied_op *)(void *)op)->owner;
    d->probe.last = status;
    if (++d->probe.dones == 20)
        kin_live_stop(d->probe.world->live);
}

static void open_gate(struct kin_timer *t)
{
    struct probe *p = (struct probe *)(void *)((char *)t - offsetof(struct probe, timer));
    pthread_mutex_unlock(&p->fake->gate);
}

static void submit_behind_a_gate(struct probe *p)
{
    struct drained *d = (struct drained *)(void *)p;
    pthread_mutex_lock(&p->fake->gate);
    for (size_t i = 0; i < 20; i++) {
        d->ops[i] = (struct tied_op){{.done = gated_op_done}, d};
        if (i >= 10 && i < 14) { /* four of these are more than a group may hold */
            d->ops[i].op.puts = &p->put;
            d->ops[i].op.count = 1;
        }
        p->env->ops->store(p->env, &d->ops[i].op);
    }
    p->timer.fire = open_gate;
    p->env->ops->timer_arm(p->env, &p->timer, 20000);
}

static void ops_that_wait_share_a_commit_within_bounds(void **state)
{
    (void)state;
    struct world *w = world_open(1);
    struct fake_store fake;
    fake_make(&fake);
    fake.answer = KIN_E_FULL;
    struct drained *d = kin_calloc(1, sizeof *d);
    d->probe.world = w;
    d->probe.fake = &fake;
    d->probe.on_boot = submit_behind_a_gate;
    d->probe.put = (struct kin_store_put){.key = KIN_STR("k"), .value = {"", 20 << 20}};
    add_probe(&d->probe, 1, &fake.store);
    kin_live_run(w->live);
    assert_int_equal(d->probe.last, KIN_E_FULL);
    /* the thread may have taken some before the rest was there: 2 groups at least, 4 at most */
    size_t all = 0;
    size_t most = 0;
    assert_in_range(fake.groups, 2, 4);
    for (size_t i = 0; i < fake.groups; i++) {
        all += fake.ops[i];
        most = fake.ops[i] > most ? fake.ops[i] : most;
    }
    assert_int_equal(all, 20);
    assert_in_range(most, 7, 13);
    world_close(w);
    kin_free(d);
}

static void no_store_run(struct kin_env *env, struct kin_work *w)
{
    struct drained *d = ((struct tied *)(void *)w)->owner;
    struct kin_snap *snap = NULL;
    d->probe.fires = (int)env->ops->snap_begin(env, &snap);
}

static void no_store_done(struct kin_work *w)
{
    struct drained *d = ((struct tied *)(void *)w)->owner;
    kin_live_stop(d->probe.world->live);
}

static void use_no_store(struct probe *p)
{
    struct drained *d = (struct drained *)(void *)p;
    d->ops[0] = (struct tied_op){{.done = drained_op_done}, d};
    d->works[0] = (struct tied){{.run = no_store_run, .done = no_store_done}, d};
    p->env->ops->store(p->env, &d->ops[0].op);
    p->env->ops->work(p->env, &d->works[0].work);
}

static void a_node_without_a_store_is_told_so(void **state)
{
    (void)state;
    struct world *w = world_open(1);
    struct drained *d = kin_calloc(1, sizeof *d);
    d->probe.world = w;
    d->probe.on_boot = use_no_store;
    add_probe(&d->probe, 1, NULL);
    kin_live_run(w->live);
    assert_int_equal(d->probe.last, KIN_E_INVAL);
    assert_int_equal(d->probe.fires, KIN_E_INVAL);
    assert_int_equal(d->probe.dones, 1);
    world_close(w);
    kin_free(d);
}

/* ---- posts, signals, ticks ---- */

enum { POSTERS = 3, POSTS_EACH = 500 };

struct posting {
    struct world *w;
    int posted; /* on the loop only */
};

static void on_post(void *arg)
{
    struct posting *p = arg;
    if (++p->posted == POSTERS * POSTS_EACH)
        kin_live_stop(p->w->live);
}

static void *poster(void *arg)
{
    struct posting *p = arg;
    for (int i = 0; i < POSTS_EACH; i++) {
        if (kin_live_post(p->w->live, on_post, p))
            return NULL;
    }
    return p;
}

static void posts_of_any_thread_arrive(void **state)
{
    (void)state;
    struct posting p = {.w = world_open(1)};
    pthread_t threads[POSTERS];
    for (size_t i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, poster, &p), 0);
    kin_live_run(p.w->live);
    for (size_t i = 0; i < POSTERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &p);
    }
    assert_int_equal(p.posted, POSTERS * POSTS_EACH);
    assert_int_equal(kin_live_post(p.w->live, on_post, &p), KIN_OK); /* too late: freed only */
    kin_alloc_fail_after(0);
    assert_int_equal(kin_live_post(p.w->live, on_post, &p), KIN_E_NOMEM);
    kin_alloc_fail_after(SIZE_MAX);
    world_close(p.w);
    assert_int_equal(p.posted, POSTERS * POSTS_EACH);
}

static void *stopper(void *arg)
{
    kin_live_stop(((struct world *)arg)->live);
    return NULL;
}

static void any_thread_may_stop_the_run(void **state)
{
    (void)state;
    struct world *w = world_open(1);
    struct probe *p = probe_new(w, NULL);
    add_probe(p, 0, NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stopper, w), 0);
    kin_live_run(w->live);
    pthread_join(thread, NULL);
    assert_int_equal(p->stops, p->env ? 1 : 0);
    world_close(w);
    kin_free(p);
}

struct fronted {
    struct world *w;
    int ticks, signal;
};

static void on_tick(void *arg)
{
    struct fronted *f = arg;
    if (++f->ticks == 3)
        kill(getpid(), SIGINT);
}

static void on_signal(void *arg, int number)
{
    struct fronted *f = arg;
    f->signal = number;
    kin_live_stop(f->w->live);
}

static void ticks_come_and_a_signal_stops_the_run(void **state)
{
    (void)state;
    struct fronted f = {.w = world_open(2)};
    struct probe *p = probe_new(f.w, NULL);
    add_probe(p, 0, NULL);
    assert_int_equal(kin_live_every(f.w->live, 0, on_tick, &f), KIN_E_INVAL);
    assert_int_equal(kin_live_every(f.w->live, 2, on_tick, &f), KIN_OK);
    assert_int_equal(kin_live_every(f.w->live, 2, on_tick, &f), KIN_E_EXISTS);
    assert_int_equal(kin_live_on_signal(f.w->live, on_signal, &f), KIN_OK);
    assert_int_equal(kin_live_on_signal(f.w->live, on_signal, &f), KIN_E_EXISTS);
    kin_live_run(f.w->live);
    assert_int_equal(f.signal, SIGINT);
    assert_true(f.ticks >= 3);
    assert_int_equal(p->stops, 1);
    world_close(f.w);
    kin_free(p);
}

int main(void)
{
    struct env_contract_adapter one = adapter_for("live, 1 thread", world_open_one);
    struct env_contract_adapter many = adapter_for("live, 3 threads", world_open_many);
    struct env_contract_adapter memory = adapter_for("live, in memory", world_open_in_memory);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_is_handed_over_without_a_copy),
        cmocka_unit_test(stop_finishes_works_and_ops_and_nothing_else),
        cmocka_unit_test(a_core_that_cannot_boot_ends_the_run),
        cmocka_unit_test(a_world_that_never_ran_is_freed_whole),
        cmocka_unit_test(wrong_nodes_and_options_are_refused),
        cmocka_unit_test(a_lack_of_memory_makes_no_world),
        cmocka_unit_test(ops_that_wait_share_a_commit_within_bounds),
        cmocka_unit_test(a_node_without_a_store_is_told_so),
        cmocka_unit_test(posts_of_any_thread_arrive),
        cmocka_unit_test(any_thread_may_stop_the_run),
        cmocka_unit_test(ticks_come_and_a_signal_stops_the_run),
    };
    int failed = env_contract_run(&one);
    failed += env_contract_run(&many);
    failed += env_contract_run(&memory);
    return failed + cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
