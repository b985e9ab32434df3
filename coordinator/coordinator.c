#include "coordinator/impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Boot, membership with leases and epochs, dispatch of messages, and the one tick that repeats
 * whatever was not answered.
 *
 * An epoch is (generation << 32 | joins): the generation is raised and made durable at every start,
 * before any worker is welcomed, so that epochs only ever grow. Every join has an epoch of its own;
 * a frame of another epoch than its worker's is stale and dropped. */

const uint8_t KIN_MATCH_ID_KEY[16] = {'k', 'i', 'n', 'd', 'r', 'e', 'd', ' ',
                                      'm', 'a', 't', 'c', 'h', ' ', 'i', 'd'};

const char *kin_phase_name(enum kin_phase phase)
{
    static const char *const names[KIN_PHASE_COUNT] = {"join",  "load",    "dedupe", "settle",
                                                       "match", "group",   "veto",   "label",
                                                       "write", "publish", "done"};
    return (unsigned)phase < KIN_PHASE_COUNT ? names[phase] : "?";
}

void coordinator_send(struct kin_coordinator *c, unsigned worker, struct kin_message *m,
                      uint64_t request, struct kin_frame *payload)
{
    m->version = KIN_PROTO_VERSION_MAX;
    m->cluster = c->cluster;
    m->sender = c->env->self;
    m->epoch = c->workers[worker].epoch;
    m->request = request;
    struct kin_frame *f = NULL;
    if (kin_message_encode(m, &f) != KIN_OK)
        return;
    if (payload)
        kin_frame_share_payload(f, payload);
    c->env->ops->send(c->env, worker + 1, f);
}

/* ---- membership ---- */

static void on_hello(struct kin_coordinator *c, unsigned worker, const struct kin_message *m)
{
    struct cworker *w = &c->workers[worker];
    uint32_t version;
    if (!c->ready)
        return; /* it says HELLO again */
    if (kin_proto_negotiate(m->u.hello.version_min, m->u.hello.version_max, &version) != KIN_OK) {
        struct kin_message refusal = {.type = KIN_MSG_REFUSED};
        refusal.u.refused.status = KIN_E_VERSION;
        refusal.u.refused.text = KIN_STR("no protocol version in common");
        coordinator_send(c, worker, &refusal, m->request, NULL);
        return;
    }
    if (w->incarnation != m->u.hello.incarnation)
        track_reset(w);
    w->incarnation = m->u.hello.incarnation;
    w->epoch = c->generation << 32 | ++c->joins;
    w->joined = true;
    w->heard_us = c->env->ops->now_us(c->env);
    w->asked = STEP_NONE;
    w->opened = false; /* it is asked what it has: it may have missed anything */
    w->sent = w->durable;
    kin_env_log(c->env, 'I', "worker_joined", "worker=%u name=%.*s epoch=%llu", worker + 1,
                (int)m->u.hello.name.n, m->u.hello.name.p, (unsigned long long)w->epoch);
    struct kin_message welcome = {.type = KIN_MSG_WELCOME};
    welcome.u.welcome.version = version;
    welcome.u.welcome.node = worker + 1;
    welcome.u.welcome.lease_ms = (uint32_t)(c->lease_us / 1000);
    coordinator_send(c, worker, &welcome, m->request, NULL);
    for (struct rpc *r = c->rpcs; r; r = r->next) {
        if (r->worker == worker)
            r->sent_us = 0;
    }
    job_ready(c);
}

static void on_lease(struct kin_coordinator *c, unsigned worker, const struct kin_message *m)
{
    struct kin_message ok = {.type = KIN_MSG_LEASE_OK};
    c->workers[worker].progress_done = m->u.lease.done;
    c->workers[worker].progress_total = m->u.lease.total;
    ok.u.lease_ok.lease_ms = (uint32_t)(c->lease_us / 1000);
    coordinator_send(c, worker, &ok, m->request, NULL);
}

static void coordinator_on_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct kin_coordinator *c = node;
    struct kin_message m;
    struct kin_err err;
    if (from == KIN_COORDINATOR || from > c->args->workers)
        return;
    unsigned worker = from - 1;
    struct cworker *w = &c->workers[worker];
    if (kin_message_decode(f, &m, &err) != KIN_OK) {
        kin_env_log(c->env, 'W', "message_rejected", "worker=%u reason=\"%s\"", from, err.msg);
        return;
    }
    if (m.type == KIN_MSG_HELLO) {
        on_hello(c, worker, &m);
        return;
    }
    if (!w->joined || m.epoch != w->epoch || m.cluster != c->cluster)
        return;
    w->heard_us = c->env->ops->now_us(c->env);
    if (m.type == KIN_MSG_LEASE) {
        on_lease(c, worker, &m);
        return;
    }
    if (!c->job || c->job->failed)
        return;
    if (m.type == KIN_MSG_BATCH_ACK)
        load_on_ack(c, worker, &m);
    else if (m.request == w->request && w->asked != STEP_NONE)
        track_on_answer(c, worker, &m, f);
    else
        rpc_on_answer(c, worker, &m, f);
}

static void tick(struct kin_timer *t)
{
    struct kin_coordinator *c =
        (struct kin_coordinator *)(void *)((char *)t - offsetof(struct kin_coordinator, tick));
    uint64_t now = c->env->ops->now_us(c->env);
    for (unsigned i = 0; i < c->args->workers; i++) {
        struct cworker *w = &c->workers[i];
        if (w->joined && now - w->heard_us > c->lease_us) {
            w->joined = false;
            kin_env_log(c->env, 'W', "worker_lost", "worker=%u epoch=%llu", i + 1,
                        (unsigned long long)w->epoch);
        }
        if (w->joined && c->job && !c->job->failed)
            track_tick(c, i);
    }
    if (c->job && !c->job->failed)
        rpc_pump(c);
    c->env->ops->timer_arm(c->env, &c->tick, TICK_US);
}

/* ---- boot ---- */

struct boot_task {
    struct ctask task;
    uint64_t cluster, generation;
};

static const struct kin_str META_CLUSTER = {"cluster", 7};

static void boot_run(struct kin_env *env, struct kin_work *work)
{
    struct boot_task *t = (struct boot_task *)work;
    struct kin_snap *snap;
    struct kin_str value;
    t->task.status = env->ops->snap_begin(env, &snap);
    if (t->task.status != KIN_OK)
        return;
    kin_status status = env->ops->snap_get(snap, DB_META, META_CLUSTER, &value);
    if (status == KIN_OK && value.n == 16) {
        t->cluster = kin_le64(value.p);
        t->generation = kin_le64(value.p + 8);
    }
    t->task.status = status == KIN_E_NOTFOUND ? KIN_OK : status;
    env->ops->snap_end(env, snap);
}

static void generation_stored(struct cstore *s, kin_status status)
{
    struct kin_coordinator *c = s->c;
    if (status != KIN_OK) {
        c->args->on_done(c->args->arg, status, "the coordinator's store cannot be written");
        return;
    }
    c->ready = true;
    job_start(c);
}

static void boot_finish(struct ctask *task)
{
    struct boot_task *t = (struct boot_task *)task;
    struct kin_coordinator *c = task->c;
    struct cstore *s = cstore_new(c, 1, generation_stored);
    uint8_t *value = s ? kin_buf_extend(&s->memory, 16) : NULL;
    if (task->status != KIN_OK || !value) {
        c->args->on_done(c->args->arg, value ? task->status : KIN_E_NOMEM,
                         "the coordinator's store cannot be read");
        return;
    }
    c->cluster = t->cluster ? t->cluster : c->env->ops->random(c->env) | 1;
    c->generation = t->generation + 1;
    kin_put_le64(value, c->cluster);
    kin_put_le64(value + 8, c->generation);
    s->puts[0] = (struct kin_store_put){
        .db = DB_META, .key = META_CLUSTER, .value = {(const char *)value, 16}};
    cstore_start(s);
}

static void *coordinator_boot(struct kin_env *env, void *arg)
{
    struct kin_coordinator *c = kin_calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->env = env;
    c->args = arg;
    c->lease_us = (uint64_t)(c->args->lease_ms ? c->args->lease_ms : LEASE_MS_DEFAULT) * 1000;
    c->next_request = env->ops->random(env) >> 16; /* another range after every start */
    c->tick.fire = tick;
    struct boot_task *t = ctask_new(c, sizeof *t, boot_run, boot_finish, NULL);
    if (!t) {
        kin_free(c);
        return NULL;
    }
    c->args->self = c;
    ctask_start(&t->task);
    env->ops->timer_arm(env, &c->tick, TICK_US);
    return c;
}

static void coordinator_stop(void *node)
{
    struct kin_coordinator *c = node;
    c->env->ops->timer_cancel(c->env, &c->tick);
    job_free(c);
    for (unsigned i = 0; i < KIN_WORKERS_MAX; i++) {
        kin_buf_deinit(&c->workers[i].stars);
        kin_buf_deinit(&c->workers[i].labels);
    }
    c->args->self = NULL;
    kin_free(c);
}

const struct kin_node_ops kin_coordinator_ops = {coordinator_boot, coordinator_on_frame,
                                                 coordinator_stop};

/* ---- for the front end ---- */

void kin_coordinator_progress(const struct kin_coordinator *c, struct kin_progress *out)
{
    const struct cjob *job = c->job;
    *out = (struct kin_progress){.phase = job ? job->phase : KIN_PHASE_JOIN};
    for (unsigned i = 0; i < c->args->workers; i++)
        out->workers += c->workers[i].joined;
    if (!job)
        return;
    out->records = job->records;
    if (job->phase == KIN_PHASE_LOAD) {
        out->done = job->bytes_cut;
        out->total = job->bytes_total;
    } else if (job->phase == KIN_PHASE_MATCH) {
        for (unsigned i = 0; i < c->args->workers; i++) {
            out->done += c->workers[i].progress_done;
            out->total += c->workers[i].progress_total;
        }
    } else if (job->phase == KIN_PHASE_WRITE) {
        out->done = job->pieces_before + job->pipe.written;
        out->total = job->pieces;
    }
}

const struct kin_report *kin_coordinator_report(const struct kin_coordinator *c)
{
    return c->job ? &c->job->report : NULL;
}

void job_phase(struct kin_coordinator *c, enum kin_phase phase)
{
    struct cjob *job = c->job;
    uint64_t now = c->env->ops->now_us(c->env);
    job->report.phase_us[job->phase] += now - job->phase_started_us;
    job->phase = phase;
    job->phase_started_us = now;
    job->report.total_us = now - job->started_us;
    kin_env_log(c->env, 'I', "phase", "job=%016llx phase=%s records=%llu",
                (unsigned long long)job->id, kin_phase_name(phase),
                (unsigned long long)job->records);
}

void job_fail(struct kin_coordinator *c, kin_status status, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->job && c->job->failed)
        return;
    if (c->job)
        c->job->failed = true;
    kin_env_log(c->env, 'E', "job_failed", "status=\"%s\" reason=\"%s\"", kin_status_text(status),
                text);
    c->args->on_done(c->args->arg, status, text);
}

bool job_all(const struct kin_coordinator *c, size_t flag_offset)
{
    for (unsigned i = 0; i < c->args->workers; i++) {
        if (!*(const bool *)((const char *)&c->workers[i] + flag_offset))
            return false;
    }
    return true;
}
