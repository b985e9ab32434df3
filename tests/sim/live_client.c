#include "tests/sim/live_client.h"

#include <stdlib.h>
#include <string.h>

enum { TICK_US = 50 * 1000, RETRY_US = 250 * 1000 };

static void post(struct live_client *c, struct live_request *q)
{
    struct kin_frame *f;
    q->sent_us = kin_sim_now_us(c->sim);
    q->m.version = KIN_PROTO_VERSION_MAX;
    if (kin_message_encode(&q->m, &f) != KIN_OK)
        return; /* short of memory on purpose */
    kin_buf_put(&f->payload, q->payload.p, q->payload.n);
    if (f->payload.failed) {
        kin_frame_unref(f);
        return;
    }
    c->env->ops->send(c->env, KIN_COORDINATOR, f);
    q->tries++;
}

static void tick(struct kin_timer *timer)
{
    struct live_client *c = ((struct live_life *)(void *)timer)->client;
    for (int i = 0; i < LIVE_REQUESTS; i++) {
        struct live_request *q = &c->requests[i];
        if (!q->used || q->answered || kin_sim_now_us(c->sim) < q->sent_us + RETRY_US)
            continue;
        c->asked_again++;
        post(c, q);
    }
    c->env->ops->timer_arm(c->env, &c->life.timer, TICK_US);
}

static void *boot(struct kin_env *env, void *args)
{
    struct live_client *c = args;
    c->env = env;
    c->life = (struct live_life){.timer.fire = tick, .client = c};
    c->boots++;
    env->ops->timer_arm(env, &c->life.timer, TICK_US);
    return &c->life;
}

static void stop(void *node)
{
    (void)node;
}

/* Whether that is the last word: what is full or busy now is asked again. */
static bool is_final(const struct live_request *q, kin_status status)
{
    return status == KIN_OK || status == KIN_E_INVAL || status == KIN_E_LIMIT ||
           status == KIN_E_SYNTAX || status == KIN_E_EXISTS || status == KIN_E_WORKFLOW ||
           (status == KIN_E_NOTFOUND && !q->there);
}

static void keep_text(struct live_request *q, struct kin_str text)
{
    snprintf(q->text, sizeof q->text, "%.*s", (int)text.n, text.n ? text.p : "");
}

static void on_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct live_client *c = ((struct live_life *)node)->client;
    struct live_request *q = NULL;
    struct kin_message m;
    (void)from;
    if (kin_message_decode(f, &m, NULL) != KIN_OK) {
        fprintf(stderr, "live_client: an answer that cannot be read\n");
        abort();
    }
    for (int i = 0; i < LIVE_REQUESTS; i++) {
        if (c->requests[i].used && c->requests[i].m.request == m.request)
            q = &c->requests[i];
    }
    if (!q || q->answered)
        return;
    kin_status status = KIN_OK;
    if (m.type == KIN_MSG_ANSWER) {
        status = m.u.answer.status;
        q->batch = m.u.answer.batch;
        q->next = m.u.answer.next;
        q->partial = m.u.answer.partial;
        keep_text(q, m.u.answer.text);
    } else if (m.type == KIN_MSG_SUBMITTED) {
        status = m.u.submitted.status;
        q->job = m.u.submitted.job;
        keep_text(q, m.u.submitted.text);
    } else if (m.type == KIN_MSG_JOB_STATE_GOT) {
        q->job_state = m.u.job_state_got.state;
        keep_text(q, m.u.job_state_got.text);
    } else if (m.type == KIN_MSG_UPLOADED) {
        status = m.u.uploaded.status;
        q->file = m.u.uploaded.file;
        q->next = m.u.uploaded.offset;
    } else if (m.type != KIN_MSG_STATUS_GOT) {
        return;
    }
    q->status = status;
    if (!is_final(q, status))
        return;
    q->body = malloc(f->payload.n + 1);
    if (!q->body)
        abort();
    if (f->payload.n)
        memcpy(q->body, f->payload.p, f->payload.n);
    q->body[f->payload.n] = '\0';
    q->body_bytes = f->payload.n;
    q->answered = true;
}

static const struct kin_node_ops ops = {.boot = boot, .on_frame = on_frame, .stop = stop};

void live_client_init(struct live_client *c, struct kin_sim *sim, kin_node_id node)
{
    *c = (struct live_client){.sim = sim, .node = node, .number = 1000};
    kin_sim_add(sim, node, &ops, c);
}

struct live_request *live_client_begin(struct live_client *c, uint32_t type)
{
    for (int i = 0; i < LIVE_REQUESTS; i++) {
        struct live_request *q = &c->requests[i];
        if (q->used)
            continue;
        *q = (struct live_request){.m = {.type = type, .request = ++c->number}, .used = true};
        return q;
    }
    return NULL;
}

struct kin_str live_request_string(struct live_request *q, const char *text)
{
    if (q->string_count == LIVE_STRINGS)
        abort();
    char *to = q->strings[q->string_count++];
    snprintf(to, sizeof q->strings[0], "%s", text);
    return kin_str_of(to);
}

struct sending {
    struct live_client *c;
    struct live_request *q;
};

static void send_now(void *arg)
{
    struct sending *s = arg;
    post(s->c, s->q);
}

void live_client_send(struct live_client *c, struct live_request *q)
{
    c->asked++;
    q->first_us = kin_sim_now_us(c->sim);
    if (kin_sim_node(c->sim, c->node))
        kin_sim_call(c->sim, c->node, send_now, &(struct sending){c, q});
}

static bool is_answered(void *arg)
{
    return ((struct live_request *)arg)->answered;
}

bool live_client_await(struct live_client *c, struct live_request *q, uint64_t limit_us)
{
    return kin_sim_run_until(c->sim, is_answered, q, limit_us);
}

void live_client_again(struct live_client *c, struct live_request *q)
{
    free(q->body);
    q->body = NULL;
    q->answered = false;
    q->tries = 0;
    q->m.request = ++c->number;
}

void live_client_end(struct live_client *c, struct live_request *q)
{
    (void)c;
    kin_buf_deinit(&q->payload);
    free(q->body);
    *q = (struct live_request){0};
}

void live_client_deinit(struct live_client *c)
{
    for (int i = 0; i < LIVE_REQUESTS; i++)
        live_client_end(c, &c->requests[i]);
}
