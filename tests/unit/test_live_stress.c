/* Everything at once, for the thread sanitizer: frames between nodes, tasks that read snapshots,
 * store ops, timers and posts, over real stores. Each node keeps accounts that must come out even
 * at the end. */
#include "common/env/live/live.h"
#include "common/store/lmdb_store.h"
#include "tests/unit/scratch_dir.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    NODES = 4,
    THREADS = 3,
    FRAMES_EACH = 6000, /* that a node starts; each is answered */
    WINDOW = 200,
    STORE_EVERY = 20,
    TASK_EVERY = 10,
    POSTS = 300,
};

struct storm;

struct storm_node {
    struct storm *storm;
    struct kin_env *env;
    uint32_t started, answered, got;
    uint32_t next_from[NODES]; /* FIFO per link: the number that must come next */
    uint32_t ops_submitted, ops_done, tasks_submitted, tasks_done;
    uint32_t durable; /* the highest number whose batch is done */
    struct kin_timer tick;
    uint32_t ticks;
    bool finished;
};

struct storm {
    struct kin_live *live;
    char root[SCRATCH_PATH];
    struct storm_node nodes[NODES];
    unsigned finished;
    uint32_t posts; /* loop only */
    atomic_uint broken;
    atomic_uint frames, stop_at; /* frames got by all; when to stop */
};

struct storm_op {
    struct kin_store_op op;
    struct kin_store_put puts[3];
    struct storm_node *node;
    uint32_t number;
    uint8_t key[8];
    uint8_t value[8];
};

struct storm_task {
    struct kin_work work;
    struct storm_node *node;
    struct kin_frame *frame; /* a reference that crosses threads */
    uint32_t durable;        /* a snapshot begun from now on sees at least this */
    uint64_t sum;
};

static void expect(struct storm *s, bool condition)
{
    if (!condition)
        atomic_fetch_add(&s->broken, 1);
}

static void maybe_finish(struct storm_node *n)
{
    if (n->finished || n->answered < FRAMES_EACH || n->got < FRAMES_EACH ||
        n->ops_done < n->ops_submitted || n->tasks_done < n->tasks_submitted)
        return;
    n->finished = true;
    if (++n->storm->finished == NODES)
        kin_live_stop(n->storm->live);
}

static void send_numbers(struct storm_node *n)
{
    while (n->started < FRAMES_EACH && n->started - n->answered < WINDOW) {
        kin_node_id to = (n->env->self + 1 + n->started % (NODES - 1)) % NODES;
        struct kin_frame *f = kin_frame_new(1);
        kin_buf_u32(&f->body, n->started / (NODES - 1));
        kin_buf_u64(&f->payload, (uint64_t)n->env->self << 32 | n->started);
        n->started++;
        n->env->ops->send(n->env, to, f);
    }
}

/* ---- store ---- */

static void op_done(struct kin_store_op *op, kin_status status)
{
    struct storm_op *o = (struct storm_op *)(void *)op;
    struct storm_node *n = o->node;
    expect(n->storm, status == KIN_OK && o->number == n->ops_done);
    n->ops_done++;
    n->durable = n->ops_done;
    kin_free(o);
    maybe_finish(n);
}

/* Batch i: key i in two dbs, and the count of batches in a third. */
static void submit_op(struct storm_node *n)
{
    struct storm_op *o = kin_calloc(1, sizeof *o);
    o->node = n;
    o->number = n->ops_submitted++;
    kin_put_be64(o->key, o->number);
    kin_put_le64(o->value, n->ops_submitted);
    struct kin_str key = {(char *)o->key, 8};
    struct kin_str value = {(char *)o->value, 8};
    o->puts[0] = (struct kin_store_put){.db = 0, .append = true, .key = key, .value = value};
    o->puts[1] = (struct kin_store_put){.db = 1, .append = true, .key = key, .value = value};
    o->puts[2] = (struct kin_store_put){.db = 2, .key = KIN_STR("count"), .value = value};
    o->op = (struct kin_store_op){.puts = o->puts, .count = 3, .done = op_done};
    n->env->ops->store(n->env, &o->op);
}

/* ---- tasks ---- */

static uint64_t number_at(struct kin_env *env, struct kin_snap *snap, unsigned db,
                          struct kin_str key)
{
    struct kin_str v = {0};
    kin_status st = env->ops->snap_get(snap, db, key, &v);
    return st == KIN_OK && v.n == 8 ? kin_le64(v.p) : 0;
}

static void task_run(struct kin_env *env, struct kin_work *w)
{
    struct storm_task *t = (struct storm_task *)(void *)w;
    struct storm *s = t->node->storm;
    struct kin_snap *snap = NULL;
    if (env->ops->snap_begin(env, &snap)) {
        expect(s, false);
        return;
    }
    uint64_t count = number_at(env, snap, 2, KIN_STR("count"));
    expect(s, count >= t->durable);
    for (uint64_t i = count > 20 ? count - 20 : 0; i < count; i++) { /* batches are whole */
        uint8_t key[8];
        kin_put_be64(key, i);
        struct kin_str k = {(char *)key, 8};
        struct kin_str found = {0};
        struct kin_str v = {0};
        expect(s, number_at(env, snap, 0, k) == i + 1);
        expect(s, env->ops->snap_seek(snap, 1, k, &found, &v) == KIN_OK && kin_str_eq(found, k));
        t->sum += i;
    }
    uint8_t next[8];
    kin_put_be64(next, count);
    expect(s, number_at(env, snap, 0, (struct kin_str){(char *)next, 8}) == 0);
    env->ops->snap_end(env, snap);
    t->sum += kin_le64(t->frame->payload.p);
    kin_frame_unref(t->frame); /* perhaps the last reference, perhaps not */
}

static void task_done(struct kin_work *w)
{
    struct storm_task *t = (struct storm_task *)(void *)w;
    struct storm_node *n = t->node;
    n->tasks_done++;
    expect(n->storm, t->sum > 0 || n->env->self == 0);
    kin_free(t);
    maybe_finish(n);
}

static void submit_task(struct storm_node *n, struct kin_frame *frame)
{
    struct storm_task *t = kin_calloc(1, sizeof *t);
    t->node = n;
    t->frame = kin_frame_ref(frame);
    t->durable = n->durable;
    t->work = (struct kin_work){.run = task_run, .done = task_done};
    n->tasks_submitted++;
    n->env->ops->work(n->env, &t->work);
}

/* ---- the core ---- */

static void on_tick(struct kin_timer *t)
{
    struct storm_node *n =
        (struct storm_node *)(void *)((char *)t - offsetof(struct storm_node, tick));
    n->ticks++;
    n->env->ops->timer_arm(n->env, t, n->env->ops->random(n->env) % 2000);
}

static void *storm_boot(struct kin_env *env, void *args)
{
    struct storm_node *n = args;
    n->env = env;
    n->tick.fire = on_tick;
    env->ops->timer_arm(env, &n->tick, 0);
    send_numbers(n);
    return n;
}

static void storm_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct storm_node *n = node;
    if (frame->type == 2) {
        n->answered++;
        send_numbers(n);
        maybe_finish(n);
        return;
    }
    expect(n->storm, kin_le32(frame->body.p) == n->next_from[from]++);
    expect(n->storm, kin_le64(frame->payload.p) >> 32 == from);
    n->got++;
    atomic_fetch_add(&n->storm->frames, 1);
    n->env->ops->send(n->env, from, kin_frame_new(2));
    if (n->got % STORE_EVERY == 0)
        submit_op(n);
    if (n->got % TASK_EVERY == 0)
        submit_task(n, frame);
    maybe_finish(n);
}

static void storm_stop(void *node)
{
    struct storm_node *n = node;
    expect(n->storm, n->ops_done == n->ops_submitted && n->tasks_done == n->tasks_submitted);
}

static void on_post(void *arg)
{
    ((struct storm *)arg)->posts++;
}

static void *poster(void *arg)
{
    struct storm *s = arg;
    for (int i = 0; i < POSTS; i++)
        expect(s, kin_live_post(s->live, on_post, s) == KIN_OK);
    return NULL;
}

static void add_nodes(struct storm *s)
{
    static const struct kin_node_ops ops = {storm_boot, storm_frame, storm_stop};
    for (kin_node_id i = 0; i < NODES; i++) {
        char path[SCRATCH_PATH + 16];
        struct kin_store *store = NULL;
        struct kin_err err = {0};
        snprintf(path, sizeof path, "%s/%u", s->root, i);
        struct kin_lmdb_options o = {
            .path = path, .map_bytes = 64 << 20, .dbs = 3, .format = 1, .fsync = i == 0};
        s->nodes[i].storm = s;
        if (kin_lmdb_open(&o, &store, &err) ||
            kin_live_add(s->live, i, store, &ops, &s->nodes[i], &err))
            fail_msg("%s", err.msg);
    }
}

static void all_accounts_come_out_even(void **state)
{
    (void)state;
    struct storm *s = kin_calloc(1, sizeof *s);
    struct kin_live_options o = {.threads = THREADS};
    struct kin_err err = {0};
    assert_true(scratch_make(s->root));
    if (kin_live_new(&o, &s->live, &err))
        fail_msg("%s", err.msg);
    add_nodes(s);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, poster, s), 0);
    kin_live_run(s->live);
    pthread_join(thread, NULL);
    kin_live_free(s->live);
    assert_int_equal(atomic_load(&s->broken), 0);
    assert_in_range(s->posts, 1, POSTS);
    for (size_t i = 0; i < NODES; i++) {
        assert_int_equal(s->nodes[i].got, FRAMES_EACH);
        assert_int_equal(s->nodes[i].answered, FRAMES_EACH);
        assert_int_equal(s->nodes[i].ops_done, FRAMES_EACH / STORE_EVERY);
        assert_int_equal(s->nodes[i].tasks_done, FRAMES_EACH / TASK_EVERY);
        assert_true(s->nodes[i].ticks > 0);
    }
    scratch_remove(s->root);
    kin_free(s);
}

/* Worlds that are stopped in the middle, each a little later, by another thread. */
static void *stop_midway(void *arg)
{
    struct storm *s = arg;
    while (atomic_load(&s->frames) < atomic_load(&s->stop_at))
        sched_yield();
    for (int i = 0; i < 20; i++)
        expect(s, kin_live_post(s->live, on_post, s) == KIN_OK);
    kin_live_stop(s->live);
    return NULL;
}

static void a_storm_may_be_stopped_at_any_moment(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct storm *s = kin_calloc(1, sizeof *s);
        struct kin_live_options o = {.threads = THREADS};
        atomic_store(&s->stop_at, (unsigned)round * 450);
        assert_true(scratch_make(s->root));
        assert_int_equal(kin_live_new(&o, &s->live, NULL), KIN_OK);
        add_nodes(s);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, stop_midway, s), 0);
        kin_live_run(s->live);
        pthread_join(thread, NULL);
        kin_live_free(s->live);
        assert_int_equal(atomic_load(&s->broken), 0);
        scratch_remove(s->root);
        kin_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_accounts_come_out_even),
        cmocka_unit_test(a_storm_may_be_stopped_at_any_moment),
    };
    return cmocka_run_group_tests_name("live stress", tests, NULL, NULL);
}
