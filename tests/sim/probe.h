#ifndef KIN_TESTS_SIM_PROBE_H
#define KIN_TESTS_SIM_PROBE_H
/* For the tests of the deterministic world: a core that does as it is told, and remembers what
 * happened to it; and a world of three of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/world.h"

#define SECOND UINT64_C(1000000) /* in us */
enum { ALWAYS = 1000 * 1000, SEEN_MAX = 4096 };

struct probe;

struct job { /* a task and a batch in one */
    struct kin_work work;
    struct kin_store_op op;
    struct kin_store_put puts[4];
    char text[4][32];
    struct probe *probe;
    void (*task)(struct kin_env *env, struct probe *p);
    struct job *next;
};

struct alarm {
    struct kin_timer timer; /* first */
    struct life *life;
};

struct life {
    struct kin_env *env;
    struct alarm alarms[4];
    struct job *jobs; /* all that were made in this life */
    struct probe *probe;
};

struct probe { /* of the test: survives crashes */
    struct kin_sim *sim;
    kin_node_id id;
    struct life *life; /* NULL: down */
    unsigned boots, stops, fired, done;
    kin_status last_status;
    size_t batches_done;
    uint32_t got[SEEN_MAX]; /* first number of each frame */
    size_t got_count;
    uint64_t at[SEEN_MAX]; /* virtual time of each frame, timer and done */
    size_t at_count;
    struct kin_out *out;
    struct kin_source_handle *source;
    bool flag;
    size_t short_reads;
    uint64_t number;
};

static inline void saw(struct probe *p)
{
    assert_true(p->at_count < SEEN_MAX);
    p->at[p->at_count++] = kin_sim_now_us(p->sim);
}

static inline void *probe_boot(struct kin_env *env, void *args)
{
    struct probe *p = args;
    struct life *life = kin_calloc(1, sizeof *life);
    if (!life)
        return NULL;
    life->env = env;
    life->probe = p;
    p->life = life;
    p->boots++;
    return life;
}

static inline void probe_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct probe *p = ((struct life *)node)->probe;
    (void)from;
    assert_true(p->got_count < SEEN_MAX);
    p->got[p->got_count++] = kin_le32(frame->body.p);
    saw(p);
}

static inline void probe_stop(void *node)
{
    struct life *life = node;
    for (size_t i = 0; i < 4; i++)
        life->env->ops->timer_cancel(life->env, &life->alarms[i].timer);
    while (life->jobs) {
        struct job *next = life->jobs->next;
        kin_free(life->jobs);
        life->jobs = next;
    }
    life->probe->life = NULL;
    life->probe->stops++;
    kin_free(life);
}

static const struct kin_node_ops probe_ops = {probe_boot, probe_frame, probe_stop};

static inline struct job *job_new(struct probe *p)
{
    struct job *j = kin_calloc(1, sizeof *j);
    assert_non_null(j);
    j->probe = p;
    j->next = p->life->jobs;
    p->life->jobs = j;
    return j;
}

/* ---- things to be told; each runs as a callback of the node ---- */

static inline void send_number(struct probe *p, kin_node_id to, uint32_t number)
{
    struct kin_frame *f = kin_frame_new(1);
    assert_non_null(f);
    kin_buf_u32(&f->body, number);
    kin_buf_puts(&f->payload, "payload");
    p->life->env->ops->send(p->life->env, to, f);
}

static inline void send_hundred(void *arg)
{
    for (uint32_t i = 0; i < 100; i++)
        send_number(arg, 1, i);
}

static inline void timer_fired(struct kin_timer *t)
{
    struct probe *p = ((struct alarm *)(void *)t)->life->probe;
    p->fired++;
    saw(p);
}

static inline void arm(struct probe *p, size_t i, uint64_t delay_us)
{
    struct alarm *a = &p->life->alarms[i];
    a->life = p->life;
    a->timer.fire = timer_fired;
    p->life->env->ops->timer_arm(p->life->env, &a->timer, delay_us);
}

static inline void arm_four(void *arg)
{
    for (size_t i = 0; i < 4; i++)
        arm(arg, i, 1000 * (4 - i));
}

static inline void job_run(struct kin_env *env, struct kin_work *w)
{
    struct job *j = (struct job *)(void *)((char *)w - offsetof(struct job, work));
    if (j->task)
        j->task(env, j->probe);
}

static inline void job_done(struct kin_work *w)
{
    struct job *j = (struct job *)(void *)((char *)w - offsetof(struct job, work));
    j->probe->done++;
    saw(j->probe);
}

static inline void submit_task(struct probe *p, void (*task)(struct kin_env *env, struct probe *p))
{
    struct job *j = job_new(p);
    j->task = task;
    j->work.run = job_run;
    j->work.done = job_done;
    p->life->env->ops->work(p->life->env, &j->work);
}

static inline void batch_done(struct kin_store_op *op, kin_status status)
{
    struct job *j = (struct job *)(void *)((char *)op - offsetof(struct job, op));
    j->probe->last_status = status;
    j->probe->batches_done++;
    saw(j->probe);
}

/* A batch of two: key "a<number>" and "b<number>". */
static inline struct job *submit_batch(struct probe *p, unsigned number)
{
    struct job *j = job_new(p);
    for (unsigned i = 0; i < 2; i++) {
        int n = snprintf(j->text[i], sizeof j->text[i], "%c%03u", "ab"[i], number);
        j->puts[i].key = (struct kin_str){j->text[i], (size_t)n};
        j->puts[i].value = KIN_STR("v");
    }
    j->op.puts = j->puts;
    j->op.count = 2;
    j->op.done = batch_done;
    p->life->env->ops->store(p->life->env, &j->op);
    return j;
}

static inline void submit_ten_batches(void *arg)
{
    for (unsigned i = 0; i < 10; i++)
        submit_batch(arg, i);
}

static inline void wait_for_long(struct kin_env *env, struct probe *p)
{
    (void)env;
    p->flag = true;
}

static inline void start_everything(void *arg)
{
    arm_four(arg);
    submit_task(arg, wait_for_long);
    submit_ten_batches(arg);
    send_number(arg, 0, 1); /* to itself */
}

/* ---- scenes ---- */

struct scene {
    struct kin_sim *sim;
    struct probe *p[3];
};

static inline struct scene scene_open(uint64_t seed, struct kin_sim_options options)
{
    struct scene s = {.sim = kin_sim_new(seed, &options)};
    for (kin_node_id i = 0; i < 3; i++) {
        s.p[i] = kin_calloc(1, sizeof *s.p[i]);
        assert_non_null(s.p[i]);
        s.p[i]->sim = s.sim;
        s.p[i]->id = i;
        kin_sim_add(s.sim, i, &probe_ops, s.p[i]);
    }
    kin_sim_run_for(s.sim, 0);
    return s;
}

static inline void scene_close(struct scene *s)
{
    kin_sim_free(s->sim);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s->p[i]->boots, s->p[i]->stops);
        kin_free(s->p[i]);
    }
}

static inline bool in_order(const struct probe *p)
{
    for (size_t i = 1; i < p->got_count; i++)
        if (p->got[i] < p->got[i - 1])
            return false;
    return true;
}

#endif
