#include "client/live_stream.h"

#include <stdio.h>

enum {
    PROBE_US = 100 * 1000,
    PATIENCE_MS = 10 * 1000,  /* for the first answer of all */
    AGAIN_MS = 2 * 1000,      /* until a request is asked again, doubled each time up to ... */
    AGAIN_MAX_MS = 10 * 1000, /* ... this, or the patience of the request */
    BUSY_US = 50 * 1000,      /* doubled each time up to ... */
    BUSY_MAX_US = 2 * 1000 * 1000,
    COPY_US = 2 * 1000 * 1000, /* the answer to a second copy follows the first within that time */
    SILENCE_TOLD_US = 10 * 1000 * 1000,
    NO_TIMER = 0
};

enum slot_state { SLOT_FREE, SLOT_ASKED, SLOT_ANSWERED };

struct slot {
    enum slot_state state;
    struct kin_stream_ask ask;
    struct kin_frame *payload; /* kept until it is answered */
    struct kin_frame *answer;
    uint64_t request, due_us, asked_us;
    uint32_t again_ms, busy_us;
    unsigned copies; /* sent, and not answered */
    bool told;       /* that nobody answers */
};

enum task { TASK_NONE, TASK_NEXT, TASK_TAKE };

struct stream {
    struct kin_env *env;
    struct kin_stream_args *args;
    struct kin_timer tick;
    struct kin_work work; /* one task at a time */
    enum task task;
    struct slot slots[KIN_STREAM_WINDOW_MAX]; /* a ring */
    uint64_t head, tail;                      /* taken and made so far */
    uint64_t first_request, begun_us;
    uint64_t later_us, held_us; /* next is not called, nothing new is sent before */
    unsigned copies;            /* of requests that were answered already */
    bool heard, drain, ended, over;
    /* the task's */
    enum kin_stream_next made;
    struct kin_stream_ask ask;
    kin_status status;
    struct kin_err err;
};

kin_status kin_stream_refusal(const struct kin_message *m, struct kin_err *err)
{
    if (m->type != KIN_MSG_ANSWER || m->u.answer.status == KIN_OK)
        return KIN_OK;
    uint32_t n = m->u.answer.status;
    kin_status status = n <= KIN_E_CHANGED ? (kin_status)n : KIN_E_IO;
    struct kin_str text = m->u.answer.text;
    if (text.n)
        return kin_err_set(err, status, "%.*s", (int)(text.n < 400 ? text.n : 400), text.p);
    return kin_err_set(err, status, "the coordinator says: %s", kin_status_text(status));
}

static struct slot *slot_of(struct stream *s, uint64_t number)
{
    return &s->slots[number % KIN_STREAM_WINDOW_MAX];
}

static void slot_clear(struct slot *slot)
{
    kin_frame_unref(slot->payload);
    kin_frame_unref(slot->answer);
    kin_buf_deinit(&slot->ask.payload);
    *slot = (struct slot){.state = SLOT_FREE};
}

static void finish(struct stream *s, kin_status status, const char *text)
{
    if (s->over)
        return;
    s->over = true;
    s->env->ops->timer_cancel(s->env, &s->tick);
    s->args->on_end(s->args->end_arg, status, s->heard, text);
}

/* ---- asking ---- */

static void post(struct stream *s, const struct kin_message *message, uint64_t request,
                 struct kin_frame *payload)
{
    struct kin_message m = *message;
    struct kin_frame *f;
    m.version = KIN_PROTO_VERSION_MAX;
    m.request = request;
    if (kin_message_encode(&m, &f) != KIN_OK)
        return; /* it is asked again */
    if (payload)
        kin_frame_share_payload(f, payload);
    s->env->ops->send(s->env, KIN_COORDINATOR, f);
}

static bool is_held(const struct stream *s, uint64_t now)
{
    return s->args->ordered && s->copies && now < s->held_us;
}

static void ask_slot(struct stream *s, struct slot *slot, uint64_t now)
{
    if (slot->asked_us == 0 && is_held(s, now)) {
        slot->due_us = s->held_us;
        return;
    }
    if (slot->asked_us == 0)
        slot->asked_us = now;
    if (now - slot->asked_us >= SILENCE_TOLD_US + (uint64_t)slot->ask.patience_ms * 1000 &&
        !slot->told) {
        slot->told = true;
        kin_env_log(s->env, 'W', "coordinator_silent", "seconds=%llu",
                    (unsigned long long)(now - slot->asked_us) / 1000000);
    }
    slot->copies++;
    slot->due_us = now + (uint64_t)slot->again_ms * 1000;
    uint32_t most = slot->ask.patience_ms > AGAIN_MAX_MS ? slot->ask.patience_ms : AGAIN_MAX_MS;
    slot->again_ms = 2 * slot->again_ms < most ? 2 * slot->again_ms : most;
    post(s, &slot->ask.message, slot->request, slot->payload);
}

static void probe(struct stream *s, uint64_t now)
{
    uint64_t patience = s->args->patience_ms ? s->args->patience_ms : PATIENCE_MS;
    struct kin_message m = {.type = KIN_MSG_STATUS};
    if (now - s->begun_us >= patience * 1000) {
        finish(s, KIN_E_IO, "no coordinator answers");
        return;
    }
    m.u.status.jobs_max = 1;
    post(s, &m, s->first_request, NULL);
    s->env->ops->timer_arm(s->env, &s->tick, PROBE_US);
}

/* Asks what is due, and arms the timer for what is due next. */
static void look_after(struct stream *s)
{
    uint64_t now = s->env->ops->now_us(s->env), due = s->later_us > now ? s->later_us : UINT64_MAX;
    for (uint64_t i = s->head; i < s->tail; i++) {
        struct slot *slot = slot_of(s, i);
        if (slot->state == SLOT_ASKED && slot->due_us <= now)
            ask_slot(s, slot, now);
        if (slot->state == SLOT_ASKED && slot->due_us < due)
            due = slot->due_us;
    }
    if (due == UINT64_MAX)
        s->env->ops->timer_cancel(s->env, &s->tick);
    else
        s->env->ops->timer_arm(s->env, &s->tick, due > now ? due - now : 1);
}

/* ---- tasks ---- */

static struct stream *of_work(struct kin_work *w)
{
    return (struct stream *)(void *)((char *)w - offsetof(struct stream, work));
}

static void run_take(struct stream *s)
{
    struct slot *slot = slot_of(s, s->head);
    struct kin_frame *f = slot->answer;
    struct kin_message m;
    s->status = kin_message_decode(f, &m, &s->err);
    if (s->status == KIN_OK)
        s->status =
            s->args->take(s->args->arg, &slot->ask, &m,
                          (struct kin_str){(const char *)f->payload.p, f->payload.n}, &s->err);
}

static void run_task(struct kin_env *env, struct kin_work *w)
{
    struct stream *s = of_work(w);
    (void)env;
    if (s->task == TASK_TAKE)
        run_take(s);
    else
        s->made = s->args->next(s->args->arg, &s->ask, &s->err);
}

static void go_on(struct stream *s);

static void add_ask(struct stream *s)
{
    struct slot *slot = slot_of(s, s->tail);
    *slot = (struct slot){.state = SLOT_ASKED,
                          .ask = s->ask,
                          .request = s->first_request + 1 + s->tail,
                          .again_ms = s->ask.patience_ms ? s->ask.patience_ms : AGAIN_MS,
                          .busy_us = BUSY_US};
    slot->ask.payload = (struct kin_buf){0};
    slot->payload = kin_frame_new(0);
    s->tail++;
    if (!slot->payload || s->ask.payload.failed) {
        kin_buf_deinit(&s->ask.payload);
        finish(s, KIN_E_NOMEM, "out of memory");
        return;
    }
    slot->payload->payload = s->ask.payload;
    if (!slot->ask.answer)
        slot->ask.answer = KIN_MSG_ANSWER;
}

static void on_next_done(struct stream *s)
{
    switch (s->made) {
    case KIN_STREAM_ASK:
        add_ask(s);
        break;
    case KIN_STREAM_LATER:
        s->later_us = s->env->ops->now_us(s->env) + s->ask.delay_ms * 1000;
        s->drain = true;
        break;
    case KIN_STREAM_DRAIN:
        s->drain = true;
        break;
    case KIN_STREAM_END:
        s->ended = true;
        break;
    case KIN_STREAM_FAIL:
        finish(s, s->err.status == KIN_OK ? KIN_E_IO : s->err.status, s->err.msg);
        break;
    }
}

static void on_task_done(struct kin_work *w)
{
    struct stream *s = of_work(w);
    enum task task = s->task;
    s->task = TASK_NONE;
    if (task == TASK_TAKE) {
        slot_clear(slot_of(s, s->head++));
        if (s->status != KIN_OK)
            finish(s, s->status, s->err.msg);
    } else {
        on_next_done(s);
    }
    go_on(s);
}

static void begin_task(struct stream *s, enum task task)
{
    s->task = task;
    s->err = (struct kin_err){0};
    s->ask = (struct kin_stream_ask){0};
    s->work.run = run_task;
    s->work.done = on_task_done;
    s->env->ops->work(s->env, &s->work);
}

static void go_on(struct stream *s)
{
    if (s->over || !s->heard)
        return;
    bool empty = s->head == s->tail;
    if (empty && s->ended && s->task == TASK_NONE) {
        finish(s, KIN_OK, "");
        return;
    }
    look_after(s);
    if (s->task != TASK_NONE)
        return;
    if (!empty && slot_of(s, s->head)->state == SLOT_ANSWERED) {
        begin_task(s, TASK_TAKE);
        return;
    }
    bool late = s->env->ops->now_us(s->env) >= s->later_us;
    if (!s->ended && late && s->tail - s->head < s->args->window && (!s->drain || empty)) {
        s->drain = false;
        s->later_us = NO_TIMER;
        begin_task(s, TASK_NEXT);
    }
}

/* ---- driven by the world ---- */

static void on_tick(struct kin_timer *t)
{
    struct stream *s = (struct stream *)(void *)((char *)t - offsetof(struct stream, tick));
    if (s->over)
        return;
    if (!s->heard)
        probe(s, s->env->ops->now_us(s->env));
    else
        go_on(s);
}

static void *stream_boot(struct kin_env *env, void *args)
{
    struct stream *s = kin_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->env = env;
    s->args = args;
    s->tick.fire = on_tick;
    s->first_request = (env->ops->random(env) >> 2) + 1;
    s->begun_us = env->ops->now_us(env);
    KIN_ASSERT(s->args->window >= 1 && s->args->window <= KIN_STREAM_WINDOW_MAX);
    env->ops->timer_arm(env, &s->tick, 0);
    return s;
}

static bool is_busy(const struct kin_message *m)
{
    return (m->type == KIN_MSG_ANSWER && m->u.answer.status == KIN_E_BUSY) ||
           (m->type == KIN_MSG_REFUSED && m->u.refused.status == KIN_E_BUSY);
}

static void on_answer(struct stream *s, struct slot *slot, const struct kin_message *m,
                      struct kin_frame *f)
{
    uint64_t now = s->env->ops->now_us(s->env);
    slot->copies -= slot->copies > 0;
    if (is_busy(m)) {
        slot->due_us = now + slot->busy_us;
        slot->busy_us = 2 * slot->busy_us < BUSY_MAX_US ? 2 * slot->busy_us : BUSY_MAX_US;
    } else if (m->type == KIN_MSG_REFUSED) {
        finish(s, KIN_E_PROTO, "the coordinator refuses such requests: it may be older");
        return;
    } else if (m->type == slot->ask.answer) {
        slot->state = SLOT_ANSWERED;
        slot->answer = kin_frame_ref(f);
        if (slot->copies) {
            s->copies += slot->copies;
            s->held_us = now + COPY_US;
        }
    }
    go_on(s);
}

static void stream_on_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct stream *s = node;
    struct kin_message m;
    if (from != KIN_COORDINATOR || s->over)
        return;
    kin_status status = kin_message_decode(f, &m, NULL);
    if (status == KIN_E_VERSION) {
        finish(s, status, "the coordinator speaks another version of the protocol");
        return;
    }
    if (status != KIN_OK || m.request < s->first_request)
        return;
    if (m.request == s->first_request) {
        s->heard = true;
        go_on(s);
        return;
    }
    uint64_t number = m.request - s->first_request - 1;
    if (number >= s->tail)
        return;
    struct slot *slot = slot_of(s, number);
    if (number >= s->head && slot->state == SLOT_ASKED) {
        on_answer(s, slot, &m, f);
    } else if (s->copies && --s->copies == 0) {
        s->held_us = 0;
        for (uint64_t i = s->head; i < s->tail; i++)
            slot_of(s, i)->due_us = slot_of(s, i)->asked_us ? slot_of(s, i)->due_us : 0;
        go_on(s);
    }
}

static void stream_stop(void *node)
{
    struct stream *s = node;
    s->env->ops->timer_cancel(s->env, &s->tick);
    for (size_t i = 0; i < KIN_STREAM_WINDOW_MAX; i++)
        slot_clear(&s->slots[i]);
    kin_free(s);
}

const struct kin_node_ops kin_stream_ops = {stream_boot, stream_on_frame, stream_stop};
