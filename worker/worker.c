#include "worker/live.h"

#include <stdio.h>
#include <string.h>

/* Membership and dispatch. The worker dials: HELLO until WELCOME, then LEASE three times a lease.
 * It believes itself a member only while the lease it last heard of runs; after that it takes no
 * more messages of that epoch and says HELLO again. */

void worker_send(struct worker *w, struct kin_message *m, uint64_t request, struct kin_buf *payload)
{
    m->version = KIN_PROTO_VERSION_MAX;
    m->cluster = w->cluster;
    m->epoch = w->epoch;
    m->request = request;
    struct kin_frame *f = NULL;
    if (kin_message_encode(m, &f) != KIN_OK || (payload && payload->failed)) {
        kin_frame_unref(f);
        if (payload)
            kin_buf_deinit(payload);
        return;
    }
    if (payload) {
        f->payload = *payload;
        *payload = (struct kin_buf){0};
    }
    w->env->ops->send(w->env, KIN_COORDINATOR, f);
}

void worker_reply_step(struct worker *w, uint64_t job, uint32_t step, uint64_t request,
                       kin_status status, const char *text)
{
    struct kin_message m = {.type = KIN_MSG_STEP_DONE};
    m.u.step_done.job = job;
    m.u.step_done.step = step;
    m.u.step_done.status = status;
    m.u.step_done.text = kin_str_of(text);
    worker_send(w, &m, request, NULL);
}

/* Three times a lease, and often enough for the progress that the message carries. */
static uint64_t renewal_us(const struct worker *w)
{
    return w->lease_us / 3 < RENEWAL_US ? w->lease_us / 3 : RENEWAL_US;
}

static void tick(struct kin_timer *t)
{
    struct worker *w = (struct worker *)(void *)((char *)t - offsetof(struct worker, tick));
    uint64_t now = w->env->ops->now_us(w->env);
    if (w->joined && now >= w->lease_until_us) {
        w->joined = false;
        kin_env_log(w->env, 'W', "lease_lost", "epoch=%llu", (unsigned long long)w->epoch);
    }
    struct kin_message m = {.type = w->joined ? KIN_MSG_LEASE : KIN_MSG_HELLO};
    if (w->joined) {
        m.u.lease.total = w->job ? w->job->item_count : 0;
        size_t next = w->job ? atomic_load_explicit(&w->job->item_next, memory_order_relaxed) : 0;
        m.u.lease.done = next < m.u.lease.total ? next : m.u.lease.total;
    } else {
        m.u.hello.version_min = KIN_PROTO_VERSION_MIN;
        m.u.hello.version_max = KIN_PROTO_VERSION_MAX;
        m.u.hello.name = kin_str_of(w->name);
        m.u.hello.incarnation = w->incarnation;
        m.u.hello.threads = w->env->ops->threads(w->env);
    }
    /* The answer echoes the request number: a lease counts from when it was asked for. That of a
     * HELLO is mixed with the incarnation, so that an answer to an earlier life is known. */
    w->lease_asked_us = w->joined ? now : 0;
    worker_send(w, &m, w->joined ? now : now ^ w->incarnation, NULL);
    w->hello_us = w->joined                             ? HELLO_FIRST_US
                  : 2 * w->hello_us < HELLO_INTERVAL_US ? 2 * w->hello_us
                                                        : HELLO_INTERVAL_US;
    w->env->ops->timer_arm(w->env, &w->tick, w->joined ? renewal_us(w) : w->hello_us);
}

static void *worker_boot(struct kin_env *env, void *arg)
{
    const struct kin_worker_args *args = arg;
    struct worker *w = kin_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->env = env;
    snprintf(w->name, sizeof w->name, "%s", args && args->name ? args->name : "worker");
    w->incarnation = env->ops->random(env) | 1;
    w->tick.fire = tick;
    w->hello_us = HELLO_FIRST_US;
    env->ops->timer_arm(env, &w->tick, 0);
    return w;
}

static void on_welcome(struct worker *w, const struct kin_message *m)
{
    uint64_t asked_us = m->request ^ w->incarnation;
    bool newer = m->cluster == w->cluster ? m->epoch > w->epoch : !w->joined;
    if (!newer || m->u.welcome.lease_ms == 0 || asked_us > w->env->ops->now_us(w->env))
        return; /* late, repeated, or for an earlier life of this node */
    w->joined = true;
    w->cluster = m->cluster;
    w->epoch = m->epoch;
    w->lease_us = (uint64_t)m->u.welcome.lease_ms * 1000;
    w->lease_until_us = asked_us + w->lease_us;
    w->env->ops->timer_arm(w->env, &w->tick, renewal_us(w));
    kin_env_log(w->env, 'I', "joined", "epoch=%llu", (unsigned long long)w->epoch);
}

/* No member, or no longer: a coordinator that was started anew says so to a LEASE, so that nobody
 * waits for the lease to run out. */
static void on_refused(struct worker *w, const struct kin_message *m)
{
    if (m->u.refused.status != KIN_E_STALE) {
        kin_env_log(w->env, 'E', "refused", "status=%u text=\"%.*s\"", m->u.refused.status,
                    (int)m->u.refused.text.n, m->u.refused.text.p);
        return;
    }
    if (!w->joined || m->request != w->lease_asked_us)
        return;
    w->joined = false;
    w->hello_us = HELLO_FIRST_US;
    w->env->ops->timer_arm(w->env, &w->tick, 0);
    kin_env_log(w->env, 'I', "lease_refused", "epoch=%llu", (unsigned long long)w->epoch);
}

static uint64_t job_of(const struct kin_message *m)
{
    switch (m->type) {
    case KIN_MSG_BATCH:
        return m->u.batch.job;
    case KIN_MSG_DEAD:
        return m->u.dead.job;
    case KIN_MSG_SETTLE:
        return m->u.settle.job;
    case KIN_MSG_PLAN:
        return m->u.plan.job;
    case KIN_MSG_COUNT:
        return m->u.count.job;
    case KIN_MSG_MATCH:
        return m->u.match.job;
    case KIN_MSG_PULL:
        return m->u.pull.job;
    case KIN_MSG_VETO:
        return m->u.veto.job;
    case KIN_MSG_LABELS:
        return m->u.labels.job;
    case KIN_MSG_ROWS:
        return m->u.rows.job;
    default:
        return 0;
    }
}

/* Requests about an open job. Those for another job, or for one still opening, are dropped: the
 * coordinator asks again, or opens it first. */
static void on_job_message(struct worker *w, const struct kin_message *m, struct kin_frame *f)
{
    struct worker_job *job = w->job;
    if (!job || job->id != job_of(m) || job->open_state != STEP_DONE || job->closing)
        return;
    switch (m->type) {
    case KIN_MSG_BATCH:
        worker_job_on_batch(job, m, f);
        break;
    case KIN_MSG_DEAD:
        worker_job_on_dead(job, m, f);
        break;
    case KIN_MSG_SETTLE:
        worker_job_on_settle(job, m);
        break;
    case KIN_MSG_PLAN:
        worker_job_on_plan(job, m, f);
        break;
    case KIN_MSG_COUNT:
        worker_job_on_count(job, m, f);
        break;
    case KIN_MSG_MATCH:
        worker_job_on_match(job, m);
        break;
    case KIN_MSG_PULL:
        worker_job_on_pull(job, m, f);
        break;
    case KIN_MSG_VETO:
        worker_job_on_veto(job, m, f);
        break;
    case KIN_MSG_LABELS:
        worker_job_on_labels(job, m, f);
        break;
    case KIN_MSG_ROWS:
        worker_job_on_rows(job, m);
        break;
    default:
        break;
    }
}

static void worker_on_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct worker *w = node;
    struct kin_message m;
    struct kin_err err;
    if (from != KIN_COORDINATOR)
        return;
    if (kin_message_decode(f, &m, &err) != KIN_OK) {
        kin_env_log(w->env, 'W', "message_rejected", "reason=\"%s\"", err.msg);
        return;
    }
    if (m.type == KIN_MSG_WELCOME) {
        on_welcome(w, &m);
        return;
    }
    if (m.type == KIN_MSG_REFUSED) {
        on_refused(w, &m);
        return;
    }
    uint64_t now = w->env->ops->now_us(w->env);
    if (!w->joined || m.epoch != w->epoch || m.cluster != w->cluster || now >= w->lease_until_us)
        return; /* stale: of an epoch that is over, or our lease has run out */
    if (m.type == KIN_MSG_LEASE_OK && m.request <= now)
        w->lease_until_us = m.request + w->lease_us;
    else if (m.type == KIN_MSG_JOB_OPEN)
        worker_job_on_open(w, &m);
    else if (m.type == KIN_MSG_JOB_CLOSE)
        worker_job_on_close(w, &m);
    else if (m.type >= KIN_MSG_LIVE_OPEN && m.type <= KIN_MSG_LIVE_CLOSE)
        worker_live_on_message(w, &m, f);
    else
        on_job_message(w, &m, f);
}

static void worker_stop(void *node)
{
    struct worker *w = node;
    w->env->ops->timer_cancel(w->env, &w->tick);
    if (w->job)
        worker_job_free(w->job);
    worker_lives_free(w);
    kin_free(w);
}

const struct kin_node_ops kin_worker_ops = {worker_boot, worker_on_frame, worker_stop};
