#include "coordinator/live.h"

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
    static const char *const names[KIN_PHASE_COUNT] = {"join",  "load",  "dedupe",  "settle",
                                                       "train", "match", "group",   "veto",
                                                       "label", "write", "publish", "done"};
    return (unsigned)phase < KIN_PHASE_COUNT ? names[phase] : "?";
}

/* Out of memory: nothing, and the payload is left to the caller. */
static struct kin_frame *encode(struct kin_coordinator *c, struct kin_message *m, uint64_t epoch,
                                uint64_t request)
{
    struct kin_frame *f = NULL;
    m->version = KIN_PROTO_VERSION_MAX;
    m->cluster = c->cluster;
    m->epoch = epoch;
    m->request = request;
    return kin_message_encode(m, &f) == KIN_OK ? f : NULL;
}

void coordinator_send(struct kin_coordinator *c, unsigned worker, struct kin_message *m,
                      uint64_t request, struct kin_frame *payload)
{
    const struct peer *p = c->job->workers[worker].peer;
    coordinator_send_to(c, (kin_node_id)(p - c->peers) + 1, m, request, payload);
}

void coordinator_send_to(struct kin_coordinator *c, kin_node_id worker, struct kin_message *m,
                         uint64_t request, struct kin_frame *payload)
{
    struct kin_frame *f = encode(c, m, c->peers[worker - 1].epoch, request);
    if (!f)
        return;
    if (payload)
        kin_frame_share_payload(f, payload);
    c->env->ops->send(c->env, worker, f);
}

void coordinator_reply(struct kin_coordinator *c, kin_node_id to, struct kin_message *m,
                       uint64_t request, struct kin_buf *payload)
{
    uint64_t epoch = to <= KIN_WORKERS_MAX ? c->peers[to - 1].epoch : 0;
    struct kin_frame *f = payload && payload->failed ? NULL : encode(c, m, epoch, request);
    if (f && payload) {
        f->payload = *payload;
        *payload = (struct kin_buf){0};
    }
    if (payload)
        kin_buf_deinit(payload);
    if (f)
        c->env->ops->send(c->env, to, f);
}

/* ---- dispatch ---- */

/* A worker that believes itself a member and is none, most likely since this node was started
 * anew: it need not wait for its lease to run out. */
static void refuse_lease(struct kin_coordinator *c, kin_node_id node, const struct kin_message *m)
{
    struct kin_message refusal = {.type = KIN_MSG_REFUSED};
    refusal.u.refused.status = KIN_E_STALE;
    coordinator_reply(c, node, &refusal, m->request, NULL);
}

static void on_worker_message(struct kin_coordinator *c, kin_node_id node,
                              const struct kin_message *m, struct kin_frame *f)
{
    struct peer *p = &c->peers[node - 1];
    if (m->type == KIN_MSG_HELLO) {
        member_on_hello(c, node, m);
        return;
    }
    if (!p->joined || m->epoch != p->epoch || m->cluster != c->cluster) {
        if (m->type == KIN_MSG_LEASE)
            refuse_lease(c, node, m);
        return;
    }
    p->heard_us = c->env->ops->now_us(c->env);
    if (m->type == KIN_MSG_LEASE) {
        member_on_lease(c, node, m);
        return;
    }
    if (m->type >= KIN_MSG_LIVE_OPENED && m->type <= KIN_MSG_LIVE_FETCHED) {
        live_on_answer(c, node, m, f);
        return;
    }
    if (!c->job || c->job->failed || !c->job->dealt || p->index == NO_INDEX)
        return;
    struct cworker *w = &c->job->workers[p->index];
    if (m->type == KIN_MSG_BATCH_ACK)
        load_on_ack(c, p->index, m);
    else if (m->request == w->request && w->asked != STEP_NONE)
        track_on_answer(c, p->index, m, f);
    else
        rpc_on_answer(c, p->index, m, f);
}

static void coordinator_on_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct kin_coordinator *c = node;
    struct kin_message m;
    struct kin_err err;
    bool client = from >= KIN_CLIENT_FIRST;
    if (from == KIN_COORDINATOR || (client ? !c->queue : !c->queue && from > c->args->workers))
        return;
    if (kin_message_decode(f, &m, &err) != KIN_OK)
        kin_env_log(c->env, 'W', "message_rejected", "node=%u reason=\"%s\"", from, err.msg);
    else if (client)
        client_on_message(c, from, &m, f);
    else
        on_worker_message(c, from, &m, f);
}

static void tick(struct kin_timer *t)
{
    struct kin_coordinator *c =
        (struct kin_coordinator *)(void *)((char *)t - offsetof(struct kin_coordinator, tick));
    member_tick(c);
    if (c->job && !c->job->failed && c->job->dealt) {
        for (unsigned i = 0; i < job_workers(c); i++) {
            if (c->job->workers[i].peer->joined && !c->job->failed)
                track_tick(c, i);
        }
    }
    if (c->job && !c->job->failed)
        rpc_pump(c);
    if (c->job && !c->job->failed && c->job->links_wait)
        links_begin(c);
    if (c->job && !c->job->failed && c->job->prepare_waits)
        live_prepare(c);
    if (c->lives_loaded)
        lives_tick(c);
    if (c->queue)
        queue_tick(c);
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
    if (c->args->job)
        job_start(c, c->args->job, NULL, false);
    else
        lives_start(c);
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
    const struct kin_coordinator_args *a = arg;
    c->lease_us = (uint64_t)(a->lease_ms ? a->lease_ms : LEASE_MS_DEFAULT) * 1000;
    c->give_up_us = (uint64_t)(a->give_up_ms ? a->give_up_ms : GIVE_UP_MS_DEFAULT) * 1000;
    c->booted_us = env->ops->now_us(env);
    for (unsigned i = 0; i < KIN_WORKERS_MAX; i++)
        c->peers[i].index = NO_INDEX;
    c->next_request = env->ops->random(env) >> 16; /* another range after every start */
    c->tick.fire = tick;
    if (!c->args->job)
        c->queue = kin_calloc(1, sizeof *c->queue);
    struct boot_task *t = ctask_new(c, sizeof *t, boot_run, boot_finish, NULL);
    if (!t || (!c->args->job && !c->queue)) {
        tasks_free(c);
        kin_free(c->queue);
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
    c->stopping = true;
    job_free(c);
    tasks_free(c);
    lives_free(c);
    queue_free(c);
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
    out->workers = member_count(c);
    if (!job)
        return;
    out->records = job->records;
    if (job->phase == KIN_PHASE_LOAD) {
        out->done = job->bytes_cut;
        out->total = job->bytes_total;
    } else if (job->phase == KIN_PHASE_MATCH) {
        for (unsigned i = 0; i < job->shards.workers; i++) {
            out->done += job->workers[i].peer->progress_done;
            out->total += job->workers[i].peer->progress_total;
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

void kin_coordinator_model(const struct kin_coordinator *c, struct kin_str *model,
                           struct kin_str *training)
{
    const struct cjob *job = c->job;
    *model = *training = (struct kin_str){"", 0};
    if (job && job->training_text.n) {
        *model = (struct kin_str){(const char *)job->model_text.p, job->model_text.n};
        *training = (struct kin_str){(const char *)job->training_text.p, job->training_text.n};
    }
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
    kin_env_log(c->env, 'E', "job_failed", "status=\"%s\" reason=\"%s\"", kin_status_text(status),
                text);
    job_over(c, status, text);
}

void job_over(struct kin_coordinator *c, kin_status status, const char *error)
{
    if (c->job && (status != KIN_OK || c->queue))
        c->job->failed = true;
    bool close = c->job && (status == KIN_OK || c->queue) && !c->job->served;
    for (unsigned w = 0; close && w < job_workers(c); w++) {
        struct kin_message m = {.type = KIN_MSG_JOB_CLOSE};
        m.u.job_close.job = c->job->id;
        coordinator_send(c, w, &m, 0, NULL); /* best effort: a worker without a job loses nothing */
    }
    if (c->queue)
        queue_job_over(c, status, error);
    else
        c->args->on_done(c->args->arg, status, error);
}

bool job_all(const struct kin_coordinator *c, size_t flag_offset)
{
    for (unsigned i = 0; i < job_workers(c); i++) {
        if (!*(const bool *)((const char *)&c->job->workers[i] + flag_offset))
            return false;
    }
    return true;
}
