#ifndef KIN_LIVE_LIVE_IMPL_H
#define KIN_LIVE_LIVE_IMPL_H
/* Private to common/env/live. Who owns what:
 *  - loop thread: everything in struct kin_live that is not named below, all of the nodes' fields;
 *  - any thread, under `mail.lock`: the mailbox; under `held_lock`: the list of open handles;
 *  - pool and store threads: their queues, each under a lock of its own.
 * No lock is held across a callback. */
#include "common/env/live/live.h"

#include <pthread.h>
#include <uv.h>

/* ---- timers: one binary heap by (due, seq), one uv_timer for the earliest ---- */

struct kin_live_due {
    uint64_t due_us;
    uint64_t seq; /* ties fire in the order of arming */
    struct kin_timer *timer;
};

struct kin_live_timers {
    struct kin_live_due *heap; /* timer->impl_seq is its place here + 1; 0: not armed */
    size_t count, cap;
    uint64_t seq;
    uint64_t waking_us; /* when the uv_timer goes off; UINT64_MAX: it does not */
    bool firing;
    uv_timer_t handle;
};

kin_status kin_live_timers_init(struct kin_live *live);
void kin_live_timers_deinit(struct kin_live *live); /* the handle is closed by the loop's owner */
void kin_live_timers_forget(struct kin_live *live); /* disarms all */
void kin_live_timer_arm(struct kin_env *env, struct kin_timer *t, uint64_t delay_us);
void kin_live_timer_cancel(struct kin_env *env, struct kin_timer *t);

/* ---- pool ---- */

struct kin_live_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct kin_work *head, *tail; /* first in, first started */
    struct kin_work *urgent;      /* the last of those at the head that are */
    unsigned idle;
    bool closing;
    pthread_t *threads;
    unsigned started, wanted;
};

kin_status kin_live_pool_start(struct kin_live *live, unsigned threads, struct kin_err *err);
void kin_live_pool_push(struct kin_live *live, struct kin_work *w);
void kin_live_pool_join(struct kin_live *live); /* runs what is queued first; idempotent */

/* ---- nodes ---- */

struct kin_live_node {
    struct kin_env env; /* first: an env of this world is its node */
    struct kin_env_ops ops;
    struct kin_live *live;
    const struct kin_node_ops *core_ops;
    void *args;
    void *core; /* NULL before boot and after stop */

    struct kin_store *store; /* may be NULL */
    pthread_mutex_t lock;    /* guards the queue below */
    pthread_cond_t wake;
    struct kin_store_op *head, *tail;
    bool closing;
    bool thread_started;
    pthread_t thread;
};

/* A group commit ends at this many bytes of keys and values (and never splits an op), so that the
 * dirty pages of one transaction stay within what LMDB holds without spilling. */
enum { KIN_LIVE_GROUP_BYTES = 64 << 20, KIN_LIVE_PUT_OVERHEAD = 256 };

kin_status kin_live_store_start(struct kin_live_node *node, struct kin_err *err);
void kin_live_store_push(struct kin_live_node *node, struct kin_store_op *op);
void kin_live_store_join(struct kin_live_node *node); /* applies what is queued first; idempotent */

/* ---- the mailbox: everything that reaches the loop from another thread ---- */

struct kin_live_post {
    void (*fn)(void *arg);
    void *arg;
    struct kin_live_post *next;
};

/* A frame from another process, on its way to the letters. */
struct kin_live_arrival {
    struct kin_frame *frame;
    kin_node_id from, to;
    struct kin_live_arrival *next;
};
enum { KIN_LIVE_ARRIVAL_OVERHEAD = 256 };

struct kin_live_mail {
    pthread_mutex_t lock;
    struct kin_live_arrival *arrivals, *arrivals_tail;
    struct kin_work *works, *works_tail;
    struct kin_store_op *ops, *ops_tail;
    struct kin_live_post *posts, *posts_tail;
};

void kin_live_mail_work(struct kin_live *live, struct kin_work *w);
/* a list linked by impl_next, in order */
void kin_live_mail_ops(struct kin_live *live, struct kin_store_op *head, struct kin_store_op *tail);

/* ---- handles that tasks hold open; what a core left open is released after its stop ---- */

struct kin_live_held {
    struct kin_live *live;
    struct kin_live_held *prev, *next;
    void (*release)(struct kin_live_held *h);
};

void kin_live_hold(struct kin_live *live, struct kin_live_held *h);
void kin_live_unhold(struct kin_live_held *h);

/* ---- the world ---- */

struct kin_live_letter {
    struct kin_frame *frame;
    kin_node_id from, to;
};

struct kin_live {
    uv_loop_t loop;
    uv_async_t wake;
    uv_idle_t deliver; /* active while letters wait */
    uv_timer_t ticker;
    uv_signal_t signals[2];
    bool loop_made, signals_set;
    pthread_t loop_thread; /* of kin_live_run */
    bool draining;         /* what is submitted from here on is forgotten */
    atomic_bool stop;
    size_t under_way; /* works and store ops whose done has not run */

    struct kin_live_letter *letters; /* ring; cap is a power of two */
    size_t letters_first, letters_count, letters_cap;
    atomic_size_t remote_bytes; /* of frames from other processes that wait */

    struct kin_live_timers timers;
    struct kin_live_pool pool;
    struct kin_live_mail mail;
    pthread_mutex_t held_lock;
    struct kin_live_held *held;

    struct kin_live_node *nodes[KIN_NODES_MAX];
    kin_node_id order[KIN_NODES_MAX]; /* of kin_live_add */
    size_t node_count;
    uint64_t random_state;

    void (*remote)(void *arg, kin_node_id from, kin_node_id to, struct kin_frame *frame);
    void *remote_arg;
    void (*log_line)(void *arg, kin_node_id node, char level, const char *event, const char *text);
    void *log_arg;
    void (*on_tick)(void *arg);
    void *tick_arg;
    void (*on_signal)(void *arg, int signal);
    void *signal_arg;
};

static inline struct kin_live_node *kin_live_node_of(struct kin_env *env)
{
    return (struct kin_live_node *)(void *)env;
}

static inline uint64_t kin_live_now_us(void)
{
    return uv_hrtime() / 1000;
}

static inline bool kin_live_stopping(struct kin_live *live)
{
    return atomic_load_explicit(&live->stop, memory_order_acquire);
}

/* A [loop] function called elsewhere is a bug of the core that would show as a rare race. */
static inline void kin_live_assert_loop(const struct kin_live *live)
{
    KIN_ASSERT(pthread_equal(live->loop_thread, pthread_self()));
}

/* A thread that takes no signals but those its own faults raise. */
kin_status kin_live_thread(pthread_t *out, const char *name, void *(*run)(void *), void *arg,
                           struct kin_err *err);

/* "what 'path': text of sys", with the status that fits sys. */
#define kin_live_fail(err, sys, what, path) kin_live_fail_at((err), (sys), __func__, (what), (path))
kin_status kin_live_fail_at(struct kin_err *err, int sys, const char *where, const char *what,
                            const char *path);

/* ---- files.c, output.c: the [task] file functions of kin_env_ops ---- */

kin_status kin_live_source_open(struct kin_env *env, const char *path,
                                struct kin_source_handle **out, struct kin_err *err);
kin_status kin_live_source_read(struct kin_source_handle *handle, uint8_t *to, size_t cap,
                                size_t *got, struct kin_err *err);
void kin_live_source_close(struct kin_source_handle *handle);
kin_status kin_live_out_begin(struct kin_env *env, const char *dir, struct kin_out **out,
                              struct kin_err *err);
kin_status kin_live_out_write(struct kin_out *out, const char *file, const void *p, size_t n,
                              struct kin_err *err);
kin_status kin_live_out_publish(struct kin_out *out, struct kin_err *err);
void kin_live_out_abort(struct kin_out *out);
kin_status kin_live_out_remove(struct kin_env *env, const char *dir, struct kin_err *err);

#endif
