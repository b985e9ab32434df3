#include "client/remote_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The life of the job as its client sees it: submit, send, poll, fetch, drop. What the coordinator
 * says decides what is done next, so it does not matter what either side still knows of an earlier
 * life. */

enum {
    SUBMITS_MAX = 100, /* a coordinator that forgets the job so often will not run it */
    SMALL_LISTING_BYTES = 64 * 1024,
    DROP_US = 10 * 1000 * 1000,
    PATIENCE_MS = 10 * 1000,
    SILENT_MS = 2 * 1000,
    SILENCE_TOLD_MS = 10 * 1000
};

/* ---- asking ---- */

void remote_post(struct kin_remote *r, struct kin_message *m, struct kin_frame *payload)
{
    struct kin_frame *f;
    m->version = KIN_PROTO_VERSION_MAX;
    if (kin_message_encode(m, &f) != KIN_OK)
        return; /* it is asked again */
    if (payload)
        kin_frame_share_payload(f, payload);
    r->env->ops->send(r->env, KIN_COORDINATOR, f);
}

static void send_ask(struct kin_remote *r)
{
    struct kin_message m = {.type = r->ask.type, .request = r->ask.request};
    struct kin_frame *payload = NULL;
    switch (r->ask.type) {
    case KIN_MSG_SUBMIT:
        m.u.submit.token = r->list.token;
        m.u.submit.workflow = r->job->workflow;
        m.u.submit.base_dir = kin_str_of(r->job->base_dir ? r->job->base_dir : "");
        m.u.submit.out_dir = kin_str_of(r->job->at_coordinator ? r->job->out_dir : "");
        m.u.submit.pairs = r->job->pairs;
        m.u.submit.serve = r->job->serve;
        m.u.submit.replace = r->job->replace;
        payload = r->list.payload;
        break;
    case KIN_MSG_UPLOAD:
        m.u.upload.job = r->id;
        break;
    case KIN_MSG_JOB_STATE:
        m.u.job_state.job = r->id;
        break;
    case KIN_MSG_FETCH:
        m.u.fetch.job = r->id;
        m.u.fetch.file = r->fetch.next.file;
        m.u.fetch.offset = r->fetch.next.offset;
        break;
    default:
        m.u.job_drop.job = r->id;
        break;
    }
    r->ask.sent_us = r->env->ops->now_us(r->env);
    if (r->ask.tries++ == 0)
        r->ask.first_us = r->ask.sent_us;
    remote_post(r, &m, payload);
}

void remote_ask(struct kin_remote *r, uint32_t type)
{
    r->ask = (struct ask){.type = type, .request = ++r->request};
    send_ask(r);
}

/* Asked soon again: what it does not answer the first time because it has to do it before (a
 * JOB_DROP), and what may be lost because the connection is only coming up. */
static bool is_asked_soon(const struct kin_remote *r, uint64_t now)
{
    if (r->ask.type == KIN_MSG_JOB_DROP)
        return now - r->ask.first_us < RETRY_US;
    return !r->heard && (!r->list.payload || r->list.payload->payload.n <= SMALL_LISTING_BYTES);
}

unsigned remote_ask_again(struct kin_remote *r, uint64_t now)
{
    if (now - r->ask.sent_us >= (is_asked_soon(r, now) ? TICK_US : RETRY_US))
        send_ask(r);
    return r->ask.tries;
}

/* ---- the end ---- */

static void end(struct kin_remote *r)
{
    struct kin_remote_result result = {.status = r->status,
                                       .error = r->error,
                                       .job = r->id,
                                       .answered = r->heard,
                                       .report = {(const char *)r->fetch.report.p, 0}};
    if (r->status == KIN_OK && !r->fetch.report_cut && !r->fetch.report.failed)
        result.report.n = r->fetch.report.n;
    r->step = STEP_END;
    r->ask.type = 0;
    r->env->ops->timer_cancel(r->env, &r->tick);
    kin_env_log(r->env, r->status == KIN_OK ? 'I' : 'E',
                r->status == KIN_OK ? "job_done" : "job_failed", "job=%016llx status=%u",
                (unsigned long long)r->id, (unsigned)r->status);
    r->args->on_done(r->args->arg, &result);
}

/* The coordinator keeps nothing for us that nobody will ask for: results that are fetched, and
 * sources that have changed since they were sent. */
static void drop(struct kin_remote *r)
{
    r->step = STEP_DROP;
    remote_ask(r, KIN_MSG_JOB_DROP);
}

void remote_fetched(struct kin_remote *r)
{
    r->status = KIN_OK;
    r->error[0] = '\0';
    drop(r);
}

void remote_fail(struct kin_remote *r, kin_status status, const char *format, ...)
{
    va_list args;
    if (r->step == STEP_DROP || r->step == STEP_END)
        return;
    va_start(args, format);
    vsnprintf(r->error, sizeof r->error, format, args);
    va_end(args);
    r->status = status;
    if (r->obsolete)
        drop(r);
    else
        end(r);
}

static kin_status known_status(uint32_t status)
{
    return status > KIN_OK && status <= KIN_E_CHANGED ? (kin_status)status : KIN_E_IO;
}

void remote_refused(struct kin_remote *r, uint32_t status, struct kin_str text)
{
    kin_status known = known_status(status);
    if (text.n)
        remote_fail(r, known, "%.*s", (int)(text.n < 600 ? text.n : 600), text.p);
    else
        remote_fail(r, known, "the coordinator says: %s", kin_status_text(known));
}

/* ---- submit ---- */

static void submit(struct kin_remote *r, uint64_t now, uint64_t pause_us)
{
    r->step = STEP_SUBMIT;
    r->submit_us = now + pause_us;
    r->ask.type = 0;
    r->running = false;
    if (pause_us)
        return; /* the tick asks */
    r->submits++;
    remote_ask(r, KIN_MSG_SUBMIT);
}

void remote_list_done(struct kin_remote *r)
{
    submit(r, r->env->ops->now_us(r->env), 0);
}

void remote_unknown(struct kin_remote *r)
{
    if (r->job->attach) {
        remote_fail(r, KIN_E_NOTFOUND, "the coordinator has no job %016llx",
                    (unsigned long long)r->id);
    } else if (r->fetch.any) {
        remote_fail(r, KIN_E_NOTFOUND,
                    "job %016llx was dropped while its results were fetched: cancelled, or fetched "
                    "by another client",
                    (unsigned long long)r->id);
    } else if (r->submits >= SUBMITS_MAX) {
        remote_fail(r, KIN_E_NOTFOUND, "the coordinator does not keep the job");
    } else {
        kin_env_log(r->env, 'W', "job_unknown", "job=%016llx", (unsigned long long)r->id);
        submit(r, r->env->ops->now_us(r->env), RETRY_US);
    }
}

static void on_submitted(struct kin_remote *r, const struct kin_message *m)
{
    const struct kin_msg_submitted *s = &m->u.submitted;
    if (r->step != STEP_SUBMIT)
        return;
    if (s->status != KIN_OK) {
        remote_refused(r, s->status, s->text);
    } else if (s->job == 0) {
        remote_fail(r, KIN_E_PROTO, "the coordinator gave no job");
    } else {
        if (r->id != s->job)
            kin_env_log(r->env, 'I', "job_submitted", "job=%016llx", (unsigned long long)s->job);
        r->id = s->job;
        remote_poll(r);
    }
}

/* ---- poll ---- */

void remote_poll(struct kin_remote *r)
{
    r->step = STEP_POLL;
    r->running = false;
    remote_ask(r, KIN_MSG_JOB_STATE);
}

static void take_progress(struct kin_remote *r, const struct kin_msg_job_state_got *s)
{
    if (r->running != (s->state == KIN_JOB_RUNNING) || !r->watched)
        kin_env_log(r->env, 'I', s->state == KIN_JOB_RUNNING ? "job_running" : "job_queued",
                    "job=%016llx ahead=%u", (unsigned long long)r->id, s->ahead);
    r->watched = true;
    r->running = s->state == KIN_JOB_RUNNING;
    r->state = (struct kin_progress){.phase = s->phase < KIN_PHASE_COUNT ? (enum kin_phase)s->phase
                                                                         : KIN_PHASE_JOIN,
                                     .done = s->done,
                                     .total = s->total,
                                     .records = s->records,
                                     .workers = s->workers};
    r->ahead = s->ahead;
    r->runs = s->runs;
}

static void on_done_there(struct kin_remote *r)
{
    r->running = false;
    if (r->job->detach)
        end(r);
    else if (r->job->at_coordinator)
        end(r); /* the results are where they belong, and nothing else is kept */
    else
        remote_fetch_begin(r);
}

static void on_uploading(struct kin_remote *r)
{
    if (r->job->attach)
        remote_fail(r, KIN_E_BUSY,
                    "job %016llx still waits for its sources: the command that made it sends them",
                    (unsigned long long)r->id);
    else if (r->job->at_coordinator)
        remote_fail(r, KIN_E_PROTO, "the coordinator waits for sources that it has itself");
    else
        remote_send_begin(r);
}

static void on_state(struct kin_remote *r, const struct kin_message *m)
{
    const struct kin_msg_job_state_got *s = &m->u.job_state_got;
    if (r->step != STEP_POLL || s->job != r->id)
        return;
    switch (s->state) {
    case 0:
        if (s->status == KIN_E_NOTFOUND)
            remote_unknown(r);
        else
            remote_refused(r, s->status, s->text);
        break;
    case KIN_JOB_UPLOADING:
        on_uploading(r);
        break;
    case KIN_JOB_QUEUED:
    case KIN_JOB_RUNNING:
        take_progress(r, s);
        if (r->job->detach)
            end(r);
        break; /* the tick asks again */
    case KIN_JOB_DONE:
        on_done_there(r);
        break;
    case KIN_JOB_FAILED:
        remote_refused(r, s->status, s->text);
        break;
    case KIN_JOB_CANCELLED:
        remote_fail(r, KIN_E_CANCELLED, "job %016llx was cancelled", (unsigned long long)r->id);
        break;
    default:
        remote_fail(r, KIN_E_PROTO, "the coordinator says that the job is in state %u", s->state);
        break;
    }
}

/* ---- driven by the world ---- */

static uint64_t silent_us(const struct kin_remote *r, uint64_t now)
{
    uint64_t since = r->heard_us > r->ask.first_us ? r->heard_us : r->ask.first_us;
    return r->ask.type ? now - since : 0;
}

static void look_out(struct kin_remote *r, uint64_t now)
{
    uint64_t silent = silent_us(r, now) / 1000;
    uint32_t patience = r->args->patience_ms ? r->args->patience_ms : PATIENCE_MS;
    if (!r->heard && silent >= patience) {
        remote_fail(r, KIN_E_IO, "no coordinator answers");
    } else if (silent >= SILENCE_TOLD_MS && !r->silence_told) {
        r->silence_told = true;
        kin_env_log(r->env, 'W', "coordinator_silent", "seconds=%llu",
                    (unsigned long long)(silent / 1000));
    }
}

static void tick(struct kin_timer *t)
{
    struct kin_remote *r =
        (struct kin_remote *)(void *)((char *)t - offsetof(struct kin_remote, tick));
    uint64_t now = r->env->ops->now_us(r->env);
    struct kin_remote_progress progress;
    look_out(r, now);
    if (r->step == STEP_DROP && now - r->ask.first_us >= DROP_US) {
        kin_env_log(r->env, 'W', "job_not_dropped", "job=%016llx", (unsigned long long)r->id);
        end(r);
    }
    if (r->step == STEP_END)
        return;
    if (r->step == STEP_SEND)
        remote_send_tick(r, now);
    else if (r->ask.type)
        remote_ask_again(r, now);
    else if (r->step == STEP_SUBMIT && now >= r->submit_us)
        submit(r, now, 0);
    else if (r->step == STEP_POLL)
        remote_ask(r, KIN_MSG_JOB_STATE);
    else if (r->step == STEP_FETCH)
        remote_fetch_tick(r);
    if (r->step == STEP_END)
        return;
    kin_remote_progress(r, &progress);
    if (r->args->on_progress)
        r->args->on_progress(r->args->arg, &progress);
    r->env->ops->timer_arm(r->env, &r->tick, TICK_US);
}

static void *remote_boot(struct kin_env *env, void *args)
{
    struct kin_remote *r = kin_calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->env = env;
    r->args = args;
    r->args->self = r;
    r->job = r->args->job;
    r->tick.fire = tick;
    r->id = r->job->attach;
    /* an answer to an earlier life of this node is known by its number */
    r->request = env->ops->random(env) >> 1;
    env->ops->timer_arm(env, &r->tick, TICK_US);
    if (r->job->attach)
        remote_poll(r);
    else
        remote_list_begin(r);
    return r;
}

static void on_answer(struct kin_remote *r, const struct kin_message *m, struct kin_frame *f)
{
    if (m->type == KIN_MSG_UPLOADED) {
        remote_send_on_uploaded(r, m); /* those of pieces answer nothing that was asked */
        return;
    }
    if (!r->ask.type || m->request != r->ask.request)
        return; /* late, or for an earlier life */
    uint32_t asked = r->ask.type;
    r->ask.type = 0;
    if (asked == KIN_MSG_JOB_DROP && (m->type == KIN_MSG_STEP_DONE || m->type == KIN_MSG_REFUSED))
        end(r); /* whatever it says: more cannot be done */
    else if (m->type == KIN_MSG_SUBMITTED && asked == KIN_MSG_SUBMIT)
        on_submitted(r, m);
    else if (m->type == KIN_MSG_JOB_STATE_GOT && asked == KIN_MSG_JOB_STATE)
        on_state(r, m);
    else if (m->type == KIN_MSG_FETCHED && asked == KIN_MSG_FETCH)
        remote_fetch_on_fetched(r, m, f);
    else if (m->type == KIN_MSG_REFUSED)
        remote_refused(r, m->u.refused.status, m->u.refused.text);
    else
        r->ask.type = asked; /* no answer to that */
}

static void remote_on_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct kin_remote *r = node;
    struct kin_message m;
    struct kin_err err;
    if (from != KIN_COORDINATOR || r->step == STEP_END)
        return;
    kin_status status = kin_message_decode(f, &m, &err);
    if (status == KIN_E_VERSION) {
        remote_fail(r, status, "the coordinator speaks another version of the protocol");
        return;
    }
    if (status != KIN_OK) {
        kin_env_log(r->env, 'W', "message_rejected", "reason=\"%s\"", err.msg);
        return;
    }
    r->heard = true;
    r->heard_us = r->env->ops->now_us(r->env);
    r->silence_told = false;
    on_answer(r, &m, f);
}

static void remote_stop(void *node)
{
    struct kin_remote *r = node;
    r->env->ops->timer_cancel(r->env, &r->tick);
    remote_send_free(r);
    remote_fetch_free(r);
    remote_list_free(r);
    r->args->self = NULL;
    kin_free(r);
}

const struct kin_node_ops kin_remote_ops = {remote_boot, remote_on_frame, remote_stop};

/* ---- looking ---- */

static enum kin_remote_step step_shown(const struct kin_remote *r)
{
    switch (r->step) {
    case STEP_LIST:
        return KIN_REMOTE_LIST;
    case STEP_SUBMIT:
        return KIN_REMOTE_SUBMIT;
    case STEP_POLL:
        return r->running ? KIN_REMOTE_RUN : KIN_REMOTE_WAIT;
    case STEP_SEND:
        return KIN_REMOTE_SEND;
    case STEP_FETCH:
        return r->fetch.what == FETCH_PUBLISH ? KIN_REMOTE_PUBLISH : KIN_REMOTE_FETCH;
    case STEP_DROP:
        return KIN_REMOTE_DROP;
    case STEP_END:
        break;
    }
    return KIN_REMOTE_END;
}

void kin_remote_progress(const struct kin_remote *r, struct kin_remote_progress *out)
{
    uint64_t silent = silent_us(r, r->env->ops->now_us(r->env)) / 1000;
    *out = (struct kin_remote_progress){.step = step_shown(r),
                                        .ahead = r->ahead,
                                        .runs = r->runs,
                                        .job = r->state,
                                        .silent_ms = silent >= SILENT_MS ? silent : 0};
    if (out->step == KIN_REMOTE_SEND) {
        out->done = remote_send_done_bytes(r);
        out->total = r->send.total;
    } else if (out->step == KIN_REMOTE_FETCH) {
        out->done = r->fetch.bytes;
    }
}

uint64_t kin_remote_job_id(const struct kin_remote *r)
{
    return r->id;
}
