#include "client/question.h"

enum { RETRY_US = 1000 * 1000, SOON_US = 100 * 1000, PATIENCE_MS = 10 * 1000 };

struct question {
    struct kin_env *env;
    struct kin_question *args;
    struct kin_timer tick;
    uint64_t request, begun_us;
    bool over;
};

static void finish(struct question *q, kin_status status, const struct kin_message *m,
                   struct kin_str payload)
{
    q->over = true;
    q->env->ops->timer_cancel(q->env, &q->tick);
    q->args->on_answer(q->args->arg, status, m, payload);
}

static void ask(struct question *q)
{
    struct kin_message m = q->args->ask;
    struct kin_frame *f;
    m.version = KIN_PROTO_VERSION_MAX;
    m.request = q->request;
    if (kin_message_encode(&m, &f) == KIN_OK) /* else it is asked again */
        q->env->ops->send(q->env, KIN_COORDINATOR, f);
}

/* Often at first: the connection may just be coming up, and some answers are only given to those
 * who ask once more. */
static void tick(struct kin_timer *t)
{
    struct question *q = (struct question *)(void *)((char *)t - offsetof(struct question, tick));
    uint64_t waited_us = q->env->ops->now_us(q->env) - q->begun_us;
    uint64_t patience_ms = q->args->patience_ms ? q->args->patience_ms : PATIENCE_MS;
    if (waited_us >= patience_ms * 1000) {
        finish(q, KIN_E_IO, NULL, (struct kin_str){NULL, 0});
        return;
    }
    ask(q);
    q->env->ops->timer_arm(q->env, &q->tick, waited_us < RETRY_US ? SOON_US : RETRY_US);
}

static void *question_boot(struct kin_env *env, void *args)
{
    struct question *q = kin_calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->env = env;
    q->args = args;
    q->tick.fire = tick;
    q->request = env->ops->random(env) | 1;
    q->begun_us = env->ops->now_us(env);
    env->ops->timer_arm(env, &q->tick, 0);
    return q;
}

static void question_on_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct question *q = node;
    struct kin_message m;
    if (from != KIN_COORDINATOR || q->over)
        return;
    kin_status status = kin_message_decode(f, &m, NULL);
    if (status == KIN_E_VERSION)
        finish(q, status, NULL, (struct kin_str){NULL, 0});
    else if (status == KIN_OK && m.request == q->request && m.type == q->args->answer)
        finish(q, KIN_OK, &m, (struct kin_str){(const char *)f->payload.p, f->payload.n});
}

static void question_stop(void *node)
{
    struct question *q = node;
    q->env->ops->timer_cancel(q->env, &q->tick);
    kin_free(q);
}

const struct kin_node_ops kin_question_ops = {question_boot, question_on_frame, question_stop};
