#include "client/serve_job.h"

#include "proto/jobs.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

enum { ANSWER_MS = 5000, POLL_MS = 50 };

static void pause_ms(unsigned ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

/* Asks until there is an answer. */
static struct kin_frame *ask(const struct kin_serve_job *job, struct kin_message *request,
                             struct kin_message *m)
{
    struct kin_message again = *request;
    for (unsigned tries = 0; tries < 10; tries++) {
        struct kin_frame *f = gateway_call(job->backend, &again, NULL, ANSWER_MS, m);
        if (f)
            return f;
        again = *request;
    }
    return NULL;
}

/* How the cluster serves the workflow: 1 in full, 0 partly, -1 not at all; -2: no answer. */
static int served(const struct kin_serve_job *job)
{
    struct kin_message request = {.type = KIN_MSG_STATUS}, m;
    request.u.status.jobs_max = 1;
    struct kin_frame *f = ask(job, &request, &m);
    json_t *root = f ? json_loadb((const char *)f->payload.p, f->payload.n, 0, NULL) : NULL, *live;
    size_t i;
    int found = root ? -1 : -2;
    json_array_foreach(json_object_get(root, "live"), i, live)
    {
        const char *name = json_string_value(json_object_get(live, "workflow"));
        if (name && strcmp(name, job->name) == 0)
            found = json_is_true(json_object_get(live, "partial")) ? 0 : 1;
    }
    json_decref(root);
    kin_frame_unref(f);
    return found;
}

static kin_status stopped(struct kin_err *err)
{
    return kin_err_set(err, KIN_E_CANCELLED, "stopped");
}

static kin_status submit(const struct kin_serve_job *job, uint64_t *id, struct kin_err *err)
{
    struct kin_message request = {.type = KIN_MSG_SUBMIT}, m;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    request.u.submit.token = (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
    request.u.submit.workflow = job->text;
    request.u.submit.base_dir = kin_str_of(job->base_dir);
    request.u.submit.out_dir = kin_str_of(job->out_dir);
    request.u.submit.serve = true;
    request.u.submit.replace = job->again;
    struct kin_frame *f = ask(job, &request, &m);
    if (!f)
        return stopped(err);
    kin_status status = (kin_status)m.u.submitted.status;
    *id = m.u.submitted.job;
    if (status != KIN_OK)
        kin_err_set(err, status, "%.*s", (int)m.u.submitted.text.n, m.u.submitted.text.p);
    kin_frame_unref(f);
    return status;
}

static kin_status wait_for(const struct kin_serve_job *job, uint64_t id, struct kin_err *err)
{
    for (;;) {
        struct kin_message request = {.type = KIN_MSG_JOB_STATE}, m;
        request.u.job_state.job = id;
        struct kin_frame *f = ask(job, &request, &m);
        if (!f)
            return stopped(err);
        enum kin_job_state state = (enum kin_job_state)m.u.job_state_got.state;
        kin_status status = (kin_status)m.u.job_state_got.status;
        if (state == KIN_JOB_FAILED || state == KIN_JOB_CANCELLED || status == KIN_E_NOTFOUND)
            kin_err_set(err, status != KIN_OK ? status : KIN_E_CANCELLED, "%.*s",
                        (int)m.u.job_state_got.text.n, m.u.job_state_got.text.p);
        kin_frame_unref(f);
        if (state == KIN_JOB_DONE)
            return KIN_OK;
        if (state == KIN_JOB_FAILED || state == KIN_JOB_CANCELLED || status == KIN_E_NOTFOUND)
            return err->status;
        pause_ms(POLL_MS);
    }
}

kin_status kin_serve_job_run(const struct kin_serve_job *job, struct kin_err *err)
{
    int is = served(job);
    if (is == -2)
        return stopped(err);
    if (is == -1 || job->again) {
        uint64_t id;
        kin_status status = submit(job, &id, err);
        if (status == KIN_OK)
            status = wait_for(job, id, err);
        if (status != KIN_OK)
            return status;
    }
    while ((is = served(job)) != 1) {
        if (is == -2)
            return stopped(err);
        pause_ms(POLL_MS);
    }
    return KIN_OK;
}
