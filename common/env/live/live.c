#include "common/base/hash.h"
#include "common/env/live/live_impl.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>

enum {
    THREADS_MAX = 256,
    LETTERS_START = 1024,
    LETTERS_PER_TURN = 1024, /* then timers and the mailbox get a turn */
};

/* ---- mailbox ---- */

void kin_live_mail_work(struct kin_live *live, struct kin_work *w)
{
    struct kin_live_mail *mail = &live->mail;
    w->impl_next = NULL;
    pthread_mutex_lock(&mail->lock);
    if (mail->works_tail)
        mail->works_tail->impl_next = w;
    else
        mail->works = w;
    mail->works_tail = w;
    pthread_mutex_unlock(&mail->lock);
    uv_async_send(&live->wake); /* coalesces */
}

void kin_live_mail_ops(struct kin_live *live, struct kin_store_op *head, struct kin_store_op *tail)
{
    struct kin_live_mail *mail = &live->mail;
    pthread_mutex_lock(&mail->lock);
    if (mail->ops_tail)
        mail->ops_tail->impl_next = head;
    else
        mail->ops = head;
    mail->ops_tail = tail;
    pthread_mutex_unlock(&mail->lock);
    uv_async_send(&live->wake);
}

kin_status kin_live_post(struct kin_live *live, void (*fn)(void *arg), void *arg)
{
    struct kin_live_post *post = kin_alloc(sizeof *post);
    if (!post)
        return KIN_E_NOMEM;
    *post = (struct kin_live_post){fn, arg, NULL};
    struct kin_live_mail *mail = &live->mail;
    pthread_mutex_lock(&mail->lock);
    if (mail->posts_tail)
        mail->posts_tail->next = post;
    else
        mail->posts = post;
    mail->posts_tail = post;
    pthread_mutex_unlock(&mail->lock);
    uv_async_send(&live->wake);
    return KIN_OK;
}

static struct kin_live_mail take_mail(struct kin_live *live)
{
    pthread_mutex_lock(&live->mail.lock);
    struct kin_live_mail taken = {.arrivals = live->mail.arrivals,
                                  .works = live->mail.works,
                                  .ops = live->mail.ops,
                                  .posts = live->mail.posts};
    live->mail.arrivals = live->mail.arrivals_tail = NULL;
    live->mail.works = live->mail.works_tail = NULL;
    live->mail.ops = live->mail.ops_tail = NULL;
    live->mail.posts = live->mail.posts_tail = NULL;
    pthread_mutex_unlock(&live->mail.lock);
    return taken;
}

static void take_arrivals(struct kin_live *live, struct kin_live_arrival *arrival);

static void run_posts(struct kin_live *live, struct kin_live_post *post)
{
    while (post) {
        struct kin_live_post *next = post->next;
        if (!kin_live_stopping(live))
            post->fn(post->arg);
        kin_free(post);
        post = next;
    }
}

static void on_wake(uv_async_t *handle)
{
    struct kin_live *live = handle->data;
    struct kin_live_mail mail = take_mail(live);
    while (mail.works) {
        struct kin_work *w = mail.works;
        mail.works = w->impl_next;
        live->under_way--;
        w->done(w);
    }
    while (mail.ops) {
        struct kin_store_op *op = mail.ops;
        mail.ops = op->impl_next;
        live->under_way--;
        op->done(op, op->impl_status);
    }
    run_posts(live, mail.posts);
    take_arrivals(live, mail.arrivals);
    if (kin_live_stopping(live))
        uv_stop(&live->loop);
}

/* ---- frames ---- */

static void on_deliver(uv_idle_t *handle);

static bool letters_grow(struct kin_live *live)
{
    size_t cap = live->letters_cap ? live->letters_cap * 2 : LETTERS_START;
    struct kin_live_letter *ring = kin_reallocarray(NULL, cap, sizeof *ring);
    if (!ring)
        return false;
    for (size_t i = 0; i < live->letters_count; i++)
        ring[i] = live->letters[(live->letters_first + i) & (live->letters_cap - 1)];
    kin_free(live->letters);
    live->letters = ring;
    live->letters_cap = cap;
    live->letters_first = 0;
    return true;
}

static size_t weight(const struct kin_frame *frame)
{
    return frame->body.n + frame->payload.n + KIN_LIVE_ARRIVAL_OVERHEAD;
}

static struct kin_live_letter letters_pop(struct kin_live *live)
{
    struct kin_live_letter letter = live->letters[live->letters_first];
    live->letters_first = (live->letters_first + 1) & (live->letters_cap - 1);
    live->letters_count--;
    if (!live->nodes[letter.from])
        atomic_fetch_sub_explicit(&live->remote_bytes, weight(letter.frame), memory_order_relaxed);
    return letter;
}

/* Consumes the frame; false: there is no memory, and it is lost. */
static bool letters_push(struct kin_live *live, struct kin_live_letter letter)
{
    if (live->letters_count == live->letters_cap && !letters_grow(live)) {
        kin_frame_unref(letter.frame);
        return false;
    }
    size_t last = (live->letters_first + live->letters_count) & (live->letters_cap - 1);
    live->letters[last] = letter;
    if (live->letters_count++ == 0)
        uv_idle_start(&live->deliver, on_deliver);
    return true;
}

static void take_arrivals(struct kin_live *live, struct kin_live_arrival *arrival)
{
    while (arrival) {
        struct kin_live_arrival *next = arrival->next;
        size_t bytes = weight(arrival->frame);
        struct kin_live_letter letter = {arrival->frame, arrival->from, arrival->to};
        bool known = live->nodes[arrival->to] && !live->draining;
        if (!known)
            kin_frame_unref(arrival->frame);
        if (!known || !letters_push(live, letter))
            atomic_fetch_sub_explicit(&live->remote_bytes, bytes, memory_order_relaxed);
        kin_free(arrival);
        arrival = next;
    }
}

void kin_live_deliver(struct kin_live *live, kin_node_id from, kin_node_id to,
                      struct kin_frame *frame)
{
    struct kin_live_mail *mail = &live->mail;
    size_t bytes = weight(frame);
    size_t before = atomic_fetch_add_explicit(&live->remote_bytes, bytes, memory_order_relaxed);
    bool room = before + bytes <= KIN_LIVE_REMOTE_BYTES || before == 0;
    bool valid = from < KIN_NODES_MAX && to < KIN_NODES_MAX && !live->nodes[from];
    struct kin_live_arrival *arrival = room && valid ? kin_alloc(sizeof *arrival) : NULL;
    if (!arrival) {
        atomic_fetch_sub_explicit(&live->remote_bytes, bytes, memory_order_relaxed);
        kin_frame_unref(frame);
        return;
    }
    *arrival = (struct kin_live_arrival){frame, from, to, NULL};
    pthread_mutex_lock(&mail->lock);
    if (mail->arrivals_tail)
        mail->arrivals_tail->next = arrival;
    else
        mail->arrivals = arrival;
    mail->arrivals_tail = arrival;
    pthread_mutex_unlock(&mail->lock);
    uv_async_send(&live->wake);
}

void kin_live_set_remote(struct kin_live *live,
                         void (*send)(void *arg, kin_node_id from, kin_node_id to,
                                      struct kin_frame *frame),
                         void *arg)
{
    live->remote = send;
    live->remote_arg = arg;
}

/* Runs once a loop turn and keeps the loop from sleeping. Answers that the cores send meanwhile are
 * delivered in the same turn, up to its bound: from here, never from inside a core's call. */
static void on_deliver(uv_idle_t *handle)
{
    struct kin_live *live = handle->data;
    for (unsigned n = 0; n < LETTERS_PER_TURN; n++) {
        if (live->letters_count == 0) {
            uv_idle_stop(handle);
            return;
        }
        if (kin_live_stopping(live))
            return;
        struct kin_live_letter letter = letters_pop(live);
        struct kin_live_node *node = live->nodes[letter.to];
        if (node->core)
            node->core_ops->on_frame(node->core, letter.from, letter.frame);
        kin_frame_unref(letter.frame);
    }
}

static void drop_letters(struct kin_live *live)
{
    while (live->letters_count > 0)
        kin_frame_unref(letters_pop(live).frame);
}

static void env_send(struct kin_env *env, kin_node_id to, struct kin_frame *frame)
{
    struct kin_live *live = kin_live_node_of(env)->live;
    kin_live_assert_loop(live);
    bool local = to < KIN_NODES_MAX && live->nodes[to];
    if (live->draining || (!local && !live->remote))
        kin_frame_unref(frame); /* lost, as any frame may be */
    else if (!local)
        live->remote(live->remote_arg, env->self, to, frame);
    else
        (void)letters_push(live, (struct kin_live_letter){frame, env->self, to});
}

/* ---- the rest of a node's world ---- */

static uint64_t env_now_us(struct kin_env *env)
{
    (void)env;
    return kin_live_now_us();
}

static uint64_t env_wall_ms(struct kin_env *env)
{
    (void)env;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* splitmix64 from a seed of the kernel's: for spreading and jitter, not for secrets */
static uint64_t env_random(struct kin_env *env)
{
    struct kin_live *live = kin_live_node_of(env)->live;
    kin_live_assert_loop(live);
    live->random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = live->random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned env_threads(struct kin_env *env)
{
    return kin_live_node_of(env)->live->pool.wanted;
}

static void env_work(struct kin_env *env, struct kin_work *w)
{
    struct kin_live *live = kin_live_node_of(env)->live;
    kin_live_assert_loop(live);
    if (live->draining)
        return;
    w->impl = kin_live_node_of(env);
    live->under_way++;
    kin_live_pool_push(live, w);
}

static void env_store(struct kin_env *env, struct kin_store_op *op)
{
    struct kin_live_node *node = kin_live_node_of(env);
    kin_live_assert_loop(node->live);
    if (node->live->draining)
        return;
    op->impl = node;
    op->impl_status = KIN_E_INVAL;
    op->impl_next = NULL;
    node->live->under_way++;
    if (node->store)
        kin_live_store_push(node, op);
    else
        kin_live_mail_ops(node->live, op, op);
}

static kin_status env_snap_begin(struct kin_env *env, struct kin_snap **out)
{
    struct kin_store *store = kin_live_node_of(env)->store;
    return store ? store->ops->snap_begin(store, out) : KIN_E_INVAL;
}

static void env_snap_end(struct kin_env *env, struct kin_snap *snap)
{
    struct kin_store *store = kin_live_node_of(env)->store;
    store->ops->snap_end(store, snap);
}

static void env_log(struct kin_env *env, char level, const char *event, const char *text)
{
    struct kin_live *live = kin_live_node_of(env)->live;
    kin_live_assert_loop(live);
    if (live->log_line)
        live->log_line(live->log_arg, env->self, level, event, text);
}

static struct kin_env_ops node_ops_for(const struct kin_store *store)
{
    return (struct kin_env_ops){
        .now_us = env_now_us,
        .wall_ms = env_wall_ms,
        .random = env_random,
        .threads = env_threads,
        .send = env_send,
        .timer_arm = kin_live_timer_arm,
        .timer_cancel = kin_live_timer_cancel,
        .work = env_work,
        .store = env_store,
        .snap_begin = env_snap_begin,
        .snap_end = env_snap_end,
        .snap_get = store ? store->ops->snap_get : NULL, /* unreachable without a snapshot */
        .snap_seek = store ? store->ops->snap_seek : NULL,
        .source_list = kin_live_source_list,
        .source_open = kin_live_source_open,
        .source_read = kin_live_source_read,
        .source_close = kin_live_source_close,
        .out_begin = kin_live_out_begin,
        .out_write = kin_live_out_write,
        .out_publish = kin_live_out_publish,
        .out_abort = kin_live_out_abort,
        .out_remove = kin_live_out_remove,
        .log = env_log,
    };
}

/* ---- open handles ---- */

void kin_live_hold(struct kin_live *live, struct kin_live_held *h)
{
    h->live = live;
    h->prev = NULL;
    pthread_mutex_lock(&live->held_lock);
    h->next = live->held;
    if (h->next)
        h->next->prev = h;
    live->held = h;
    pthread_mutex_unlock(&live->held_lock);
}

void kin_live_unhold(struct kin_live_held *h)
{
    pthread_mutex_lock(&h->live->held_lock);
    if (h->prev)
        h->prev->next = h->next;
    else
        h->live->held = h->next;
    if (h->next)
        h->next->prev = h->prev;
    pthread_mutex_unlock(&h->live->held_lock);
}

/* ---- making ---- */

static kin_status loop_make(struct kin_live *live, struct kin_err *err)
{
    int rc = uv_loop_init(&live->loop);
    if (rc)
        return kin_live_fail(err, -rc, "cannot make", "event loop");
    live->loop_made = true;
    rc = uv_async_init(&live->loop, &live->wake, on_wake);
    if (rc)
        return kin_live_fail(err, -rc, "cannot make", "event loop wake-up");
    live->wake.data = live;
    uv_idle_init(&live->loop, &live->deliver);
    live->deliver.data = live;
    uv_timer_init(&live->loop, &live->ticker);
    live->ticker.data = live;
    if (kin_live_timers_init(live))
        return kin_err_set(err, KIN_E_NOMEM, "no memory for timers");
    return KIN_OK;
}

kin_status kin_live_new(const struct kin_live_options *options, struct kin_live **out,
                        struct kin_err *err)
{
    if (options->threads > THREADS_MAX)
        return kin_err_set(err, KIN_E_INVAL, "threads: %u is more than %d", options->threads,
                           THREADS_MAX);
    unsigned threads = options->threads ? options->threads : uv_available_parallelism();
    struct kin_live *live = kin_calloc(1, sizeof *live);
    if (!live)
        return kin_err_set(err, KIN_E_NOMEM, "no memory for the event loop");
    live->log_line = options->log_line;
    live->log_arg = options->log_arg;
    live->loop_thread = pthread_self();
    atomic_init(&live->stop, false);
    pthread_mutex_init(&live->mail.lock, NULL);
    pthread_mutex_init(&live->held_lock, NULL);
    pthread_mutex_init(&live->pool.lock, NULL);
    pthread_cond_init(&live->pool.wake, NULL);
    kin_status st = KIN_OK;
    if (getrandom(&live->random_state, sizeof live->random_state, 0) < 0)
        st = kin_live_fail(err, errno, "cannot read", "random seed");
    if (!st)
        st = loop_make(live, err);
    if (!st)
        st = kin_live_pool_start(live, threads < THREADS_MAX ? threads : THREADS_MAX, err);
    if (st) {
        kin_live_free(live);
        return st;
    }
    *out = live;
    return KIN_OK;
}

static void node_free(struct kin_live_node *node)
{
    kin_live_store_join(node);
    if (node->store)
        node->store->ops->close(node->store);
    pthread_mutex_destroy(&node->lock);
    pthread_cond_destroy(&node->wake);
    kin_free(node);
}

/* Does not take the store over: the caller does. */
static kin_status node_new(struct kin_live *live, kin_node_id id, struct kin_live_node **out,
                           struct kin_err *err)
{
    if (id >= KIN_NODES_MAX)
        return kin_err_set(err, KIN_E_INVAL, "node %u: ids end at %d", id, KIN_NODES_MAX - 1);
    if (live->nodes[id])
        return kin_err_set(err, KIN_E_EXISTS, "node %u is there already", id);
    struct kin_live_node *node = kin_calloc(1, sizeof *node);
    if (!node)
        return kin_err_set(err, KIN_E_NOMEM, "no memory for node %u", id);
    node->env = (struct kin_env){&node->ops, id};
    node->live = live;
    pthread_mutex_init(&node->lock, NULL);
    pthread_cond_init(&node->wake, NULL);
    *out = node;
    return KIN_OK;
}

kin_status kin_live_add(struct kin_live *live, kin_node_id id, struct kin_store *store,
                        const struct kin_node_ops *ops, void *args, struct kin_err *err)
{
    struct kin_live_node *node = NULL;
    kin_status st = node_new(live, id, &node, err);
    if (!node) {
        if (store)
            store->ops->close(store);
        return st;
    }
    node->ops = node_ops_for(store);
    node->core_ops = ops;
    node->args = args;
    node->store = store;
    st = store ? kin_live_store_start(node, err) : KIN_OK;
    if (st) {
        node_free(node);
        return st;
    }
    live->nodes[id] = node;
    live->order[live->node_count++] = id;
    return KIN_OK;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct kin_live *live = handle->data;
    live->on_signal(live->signal_arg, number);
}

kin_status kin_live_on_signal(struct kin_live *live, void (*fn)(void *arg, int signal), void *arg)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    if (live->signals_set)
        return KIN_E_EXISTS;
    live->signals_set = true;
    live->on_signal = fn;
    live->signal_arg = arg;
    for (size_t i = 0; i < 2; i++) {
        uv_signal_init(&live->loop, &live->signals[i]);
        live->signals[i].data = live;
        if (uv_signal_start(&live->signals[i], on_signal, numbers[i]))
            return KIN_E_IO;
    }
    return KIN_OK;
}

static void on_tick(uv_timer_t *handle)
{
    struct kin_live *live = handle->data;
    if (!kin_live_stopping(live))
        live->on_tick(live->tick_arg);
}

kin_status kin_live_every(struct kin_live *live, uint64_t interval_ms, void (*fn)(void *arg),
                          void *arg)
{
    if (interval_ms == 0)
        return KIN_E_INVAL;
    if (live->on_tick)
        return KIN_E_EXISTS;
    live->on_tick = fn;
    live->tick_arg = arg;
    uv_timer_start(&live->ticker, on_tick, interval_ms, interval_ms);
    return KIN_OK;
}

struct kin_env *kin_live_env(struct kin_live *live, kin_node_id id)
{
    return id < KIN_NODES_MAX && live->nodes[id] ? &live->nodes[id]->env : NULL;
}

/* ---- running ---- */

static void boot_nodes(struct kin_live *live)
{
    for (size_t i = 0; i < live->node_count && !kin_live_stopping(live); i++) {
        struct kin_live_node *node = live->nodes[live->order[i]];
        node->core = node->core_ops->boot(&node->env, node->args);
        if (!node->core) {
            kin_env_log(&node->env, 'E', "node.boot", "status=\"%s\"",
                        kin_status_text(KIN_E_NOMEM));
            kin_live_stop(live);
        }
    }
}

static void close_stores(struct kin_live *live)
{
    for (size_t i = 0; i < live->node_count; i++) {
        struct kin_live_node *node = live->nodes[live->order[i]];
        kin_live_store_join(node);
        if (node->store)
            node->store->ops->close(node->store);
        node->store = NULL;
    }
}

static void release_held(struct kin_live *live)
{
    while (live->held)
        live->held->release(live->held); /* which takes it off the list */
}

static void drain(struct kin_live *live)
{
    live->draining = true;
    drop_letters(live);
    uv_idle_stop(&live->deliver);
    uv_timer_stop(&live->ticker);
    kin_live_timers_forget(live);
    while (live->under_way > 0)
        uv_run(&live->loop, UV_RUN_ONCE);
    kin_live_pool_join(live);
    for (size_t i = 0; i < live->node_count; i++) {
        struct kin_live_node *node = live->nodes[live->order[i]];
        void *core = node->core;
        node->core = NULL;
        if (core)
            node->core_ops->stop(core);
    }
    release_held(live);
    close_stores(live);
}

void kin_live_run(struct kin_live *live)
{
    KIN_ASSERT(!live->draining); /* a world runs once */
    live->loop_thread = pthread_self();
    boot_nodes(live);
    while (!kin_live_stopping(live))
        uv_run(&live->loop, UV_RUN_DEFAULT);
    drain(live);
}

void kin_live_stop(struct kin_live *live)
{
    atomic_store_explicit(&live->stop, true, memory_order_release);
    uv_async_send(&live->wake);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void kin_live_free(struct kin_live *live)
{
    if (!live)
        return;
    kin_live_pool_join(live);
    for (size_t i = 0; i < live->node_count; i++)
        node_free(live->nodes[live->order[i]]);
    struct kin_live_mail mail = take_mail(live);
    atomic_store(&live->stop, true); /* posts that came too late are freed, not called */
    run_posts(live, mail.posts);
    live->draining = true;
    take_arrivals(live, mail.arrivals);
    if (live->loop_made) {
        uv_walk(&live->loop, close_handle, NULL);
        while (uv_run(&live->loop, UV_RUN_DEFAULT) != 0)
            continue; /* a stop asked for earlier ends the first run at once */
        KIN_ASSERT(uv_loop_close(&live->loop) == 0);
    }
    kin_live_timers_deinit(live);
    kin_free(live->letters);
    pthread_mutex_destroy(&live->mail.lock);
    pthread_mutex_destroy(&live->held_lock);
    pthread_mutex_destroy(&live->pool.lock);
    pthread_cond_destroy(&live->pool.wake);
    kin_free(live);
}
