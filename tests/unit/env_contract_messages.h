#ifndef KIN_TESTS_ENV_CONTRACT_MESSAGES_H
#define KIN_TESTS_ENV_CONTRACT_MESSAGES_H
/* The part of the contract suite (env_contract.h) that is about messages, with what all its parts
 * have in common: it also holds for two worlds that the network connects. */
#include "common/env/env.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A world without faults: nothing is lost, repeated or cut. All functions: the test's thread (which
 * runs the loop), unless said otherwise. */
struct env_contract_adapter {
    const char *name;
    bool fifo;           /* links keep the order */
    bool loops;          /* nodes may run on several loops: scenes are entered one at a time */
    void *(*open)(void); /* a fresh world */
    void (*close)(void *world);
    /* Adds a node with an empty store of three dbs. */
    void (*add)(void *world, kin_node_id id, const struct kin_node_ops *ops, void *args);
    void (*run)(void *world);  /* until stop */
    void (*stop)(void *world); /* from a callback, of any loop */
    /* The directory for sources and outputs, without a slash at its end. */
    const char *(*root)(void *world);
    /* From outside of the world, under root; making the directories of path. Before run or from
     * a callback. */
    bool (*put_file)(void *world, const char *path, const void *p, size_t n);
    bool (*get_file)(void *world, const char *path, struct kin_buf *out); /* false: not there */
    size_t (*log_lines)(void *world, kin_node_id node, char level, const char *event);
};

/* ---- scenes ---- */

struct scene {
    const struct env_contract_adapter *world_ops;
    void *world;
    atomic_int failed_line;
    const char *_Atomic failed_what;
    pthread_mutex_t gate; /* recursive, so that a callback inside another is seen; where loops */
    int depth;            /* of callbacks: 1 at most */
    int stopped;
    int booted;
};

static void scene_fail(struct scene *s, int line, const char *what)
{
    int none = 0;
    if (atomic_compare_exchange_strong(&s->failed_line, &none, line))
        atomic_store(&s->failed_what, what);
}

#define CHECK(scene, condition)                        \
    do {                                               \
        if (!(condition))                              \
            scene_fail((scene), __LINE__, #condition); \
    } while (0)

static void scene_enter(struct scene *s)
{
    if (s->world_ops->loops)
        pthread_mutex_lock(&s->gate);
    CHECK(s, s->depth == 0);
    s->depth++;
}

static void scene_leave(struct scene *s)
{
    s->depth--;
    if (s->world_ops->loops)
        pthread_mutex_unlock(&s->gate);
}

static void scene_stop(struct scene *s)
{
    s->world_ops->stop(s->world);
}

static void scene_open(struct scene *s, void **state)
{
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&s->gate, &recursive);
    pthread_mutexattr_destroy(&recursive);
    s->world_ops = *state;
    s->world = s->world_ops->open();
    assert_non_null(s->world);
}

static void scene_play(struct scene *s)
{
    s->world_ops->run(s->world);
    if (atomic_load(&s->failed_line))
        fail_msg("env_contract (%s): line %d: %s", s->world_ops->name, atomic_load(&s->failed_line),
                 atomic_load(&s->failed_what));
    assert_int_equal(s->stopped, s->booted); /* stop came once for each core */
    assert_int_equal(s->depth, 0);
}

static void scene_close(struct scene *s)
{
    s->world_ops->close(s->world);
    pthread_mutex_destroy(&s->gate);
}

/* ---- messages ---- */

enum { BURST = 500, BURSTS = 2, SELF_FRAMES = 10, REPLY_EVERY = 10, UNKNOWN_NODE = 77 };

struct talk {
    struct scene scene;
    struct talker {
        struct talk *talk;
        struct kin_env *env;
        kin_node_id id;
        uint32_t got[3]; /* from each node */
        struct kin_timer later;
        unsigned bursts;
        struct kin_frame *kept;
    } nodes[3];
};

static void talk_send(struct talker *n, kin_node_id to, uint32_t seq)
{
    struct kin_frame *f = kin_frame_new(7);
    kin_buf_u32(&f->body, seq);
    kin_buf_u32(&f->payload, seq ^ UINT32_MAX);
    n->env->ops->send(n->env, to, f);
}

static void talk_burst(struct talker *n)
{
    for (uint32_t i = 0; i < BURST; i++) {
        talk_send(n, 0, n->bursts * BURST + i);
        talk_send(n, 2, n->bursts * BURST + i);
        talk_send(n, UNKNOWN_NODE, i);
    }
    n->bursts++;
}

static void talk_later(struct kin_timer *t)
{
    struct talker *n = (struct talker *)(void *)((char *)t - offsetof(struct talker, later));
    scene_enter(&n->talk->scene);
    talk_burst(n);
    scene_leave(&n->talk->scene);
}

static void *talk_boot(struct kin_env *env, void *args)
{
    struct talker *n = args;
    scene_enter(&n->talk->scene);
    n->talk->scene.booted++;
    n->env = env;
    CHECK(&n->talk->scene, env->self == n->id);
    if (n->id == 1) {
        talk_burst(n);
        n->later.fire = talk_later;
        env->ops->timer_arm(env, &n->later, 5000);
        for (uint32_t i = 0; i < SELF_FRAMES; i++)
            talk_send(n, 1, i);
    }
    scene_leave(&n->talk->scene);
    return n;
}

static void talk_done(struct talk *t)
{
    uint32_t all = BURST * BURSTS;
    if (t->nodes[0].got[1] == all && t->nodes[2].got[1] == all &&
        t->nodes[1].got[1] == SELF_FRAMES && t->nodes[1].got[0] == all / REPLY_EVERY)
        scene_stop(&t->scene);
}

static void talk_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct talker *n = node;
    struct scene *s = &n->talk->scene;
    scene_enter(s);
    CHECK(s, f->type == 7 && f->body.n == 4 && f->payload.n == 4 && from < 3);
    uint32_t seq = kin_le32(f->body.p);
    CHECK(s, kin_le32(f->payload.p) == (seq ^ UINT32_MAX));
    if (s->world_ops->fifo && n->id != 1)
        CHECK(s, seq == n->got[from]);
    n->got[from]++;
    if (!n->kept)
        n->kept = kin_frame_ref(f); /* outlives the callback */
    else
        CHECK(s, n->kept != f && n->kept->body.n == 4);
    if (n->id == 0 && n->got[from] % REPLY_EVERY == 0)
        talk_send(n, from, seq);
    talk_done(n->talk);
    scene_leave(s);
}

static void talk_stop(void *node)
{
    struct talker *n = node;
    scene_enter(&n->talk->scene);
    kin_frame_unref(n->kept);
    n->env->ops->timer_cancel(n->env, &n->later);
    n->talk->scene.stopped++;
    scene_leave(&n->talk->scene);
}

static void frames_arrive_once_and_in_order(void **state)
{
    static const struct kin_node_ops ops = {talk_boot, talk_frame, talk_stop};
    struct talk t = {0};
    scene_open(&t.scene, state);
    for (kin_node_id i = 0; i < 3; i++) {
        t.nodes[i].talk = &t;
        t.nodes[i].id = i;
        t.scene.world_ops->add(t.scene.world, i, &ops, &t.nodes[i]);
    }
    scene_play(&t.scene);
    assert_int_equal(t.nodes[0].got[1], BURST * BURSTS);
    assert_int_equal(t.nodes[2].got[1], BURST * BURSTS);
    scene_close(&t.scene);
}

#endif
