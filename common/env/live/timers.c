#include "common/env/live/live_impl.h"

enum { TIMERS_START = 1024 };

static bool before(const struct kin_live_due *a, const struct kin_live_due *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->seq < b->seq;
}

static void put_at(struct kin_live_timers *ts, size_t i, struct kin_live_due due)
{
    ts->heap[i] = due;
    due.timer->impl_seq = i + 1;
}

/* Puts due where it belongs, starting from the free place i. */
static void settle(struct kin_live_timers *ts, size_t i, struct kin_live_due due)
{
    while (i > 0 && before(&due, &ts->heap[(i - 1) / 2])) {
        put_at(ts, i, ts->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= ts->count)
            break;
        if (child + 1 < ts->count && before(&ts->heap[child + 1], &ts->heap[child]))
            child++;
        if (!before(&ts->heap[child], &due))
            break;
        put_at(ts, i, ts->heap[child]);
        i = child;
    }
    put_at(ts, i, due);
}

static void take_out(struct kin_live_timers *ts, size_t i)
{
    ts->heap[i].timer->impl_seq = 0;
    ts->count--;
    if (i < ts->count)
        settle(ts, i, ts->heap[ts->count]);
}

static void on_due(uv_timer_t *handle);

/* The uv_timer may go off too early (a cancelled timer leaves it as it is), never too late. */
static void schedule(struct kin_live *live)
{
    struct kin_live_timers *ts = &live->timers;
    if (ts->firing || ts->count == 0 || ts->heap[0].due_us >= ts->waking_us)
        return;
    if (kin_live_stopping(live)) /* none fires any more; one that is due would go off for ever */
        return;
    uint64_t now = kin_live_now_us();
    uint64_t due = ts->heap[0].due_us;
    uint64_t wait_ms = due > now ? (due - now + 999) / 1000 : 0;
    uv_update_time(&live->loop);
    uv_timer_start(&ts->handle, on_due, wait_ms, 0);
    ts->waking_us = due;
}

static void on_due(uv_timer_t *handle)
{
    struct kin_live *live = handle->data;
    struct kin_live_timers *ts = &live->timers;
    ts->waking_us = UINT64_MAX;
    uint64_t now = kin_live_now_us();
    uint64_t seq = ts->seq; /* what a callback arms is for the next turn, whatever its delay */
    ts->firing = true;
    while (ts->count > 0 && ts->heap[0].due_us <= now && ts->heap[0].seq < seq &&
           !kin_live_stopping(live)) {
        struct kin_timer *t = ts->heap[0].timer;
        take_out(ts, 0);
        t->fire(t);
    }
    ts->firing = false;
    schedule(live);
}

/* Grows at half full: a failure then is made good at the next arming, long before it matters. */
static void make_room(struct kin_live_timers *ts)
{
    if (ts->count < ts->cap / 2)
        return;
    struct kin_live_due *heap = kin_reallocarray(ts->heap, ts->cap * 2, sizeof *heap);
    if (!heap) {
        /* arming cannot fail, and a timer lost in silence would hang its core */
        KIN_ASSERT(ts->count < ts->cap);
        return;
    }
    ts->heap = heap;
    ts->cap *= 2;
}

void kin_live_timer_arm(struct kin_env *env, struct kin_timer *t, uint64_t delay_us)
{
    struct kin_live *live = kin_live_node_of(env)->live;
    struct kin_live_timers *ts = &live->timers;
    kin_live_assert_loop(live);
    kin_live_timer_cancel(env, t);
    if (live->draining)
        return;
    make_room(ts);
    uint64_t due;
    if (__builtin_add_overflow(kin_live_now_us(), delay_us, &due))
        due = UINT64_MAX - 1;
    ts->count++;
    settle(ts, ts->count - 1, (struct kin_live_due){due, ts->seq++, t});
    schedule(live);
}

void kin_live_timer_cancel(struct kin_env *env, struct kin_timer *t)
{
    struct kin_live *live = kin_live_node_of(env)->live;
    struct kin_live_timers *ts = &live->timers;
    kin_live_assert_loop(live);
    if (t->impl_seq == 0)
        return;
    KIN_ASSERT(t->impl_seq <= ts->count && ts->heap[t->impl_seq - 1].timer == t);
    take_out(ts, t->impl_seq - 1);
}

kin_status kin_live_timers_init(struct kin_live *live)
{
    struct kin_live_timers *ts = &live->timers;
    ts->heap = kin_reallocarray(NULL, TIMERS_START, sizeof *ts->heap);
    if (!ts->heap)
        return KIN_E_NOMEM;
    ts->cap = TIMERS_START;
    ts->waking_us = UINT64_MAX;
    uv_timer_init(&live->loop, &ts->handle);
    ts->handle.data = live;
    return KIN_OK;
}

void kin_live_timers_forget(struct kin_live *live)
{
    struct kin_live_timers *ts = &live->timers;
    for (size_t i = 0; i < ts->count; i++)
        ts->heap[i].timer->impl_seq = 0;
    ts->count = 0;
    uv_timer_stop(&ts->handle);
}

void kin_live_timers_deinit(struct kin_live *live)
{
    kin_free(live->timers.heap);
    live->timers.heap = NULL;
}
