#include "coordinator/gateway/aws_plan.h"

#include "common/base/hash.h"
#include "proto/jobs.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Matching jobs. Of each there is a document, named by a hash of the workflow's name (which may be
 * too long itself) and the id; ids begin with the time, counted downwards, so that a list has the
 * newest first. What a job came to is written into the document when it is first seen. */

enum { HASH_DIGITS = 32, ID_DIGITS = 32, NAME_BYTES = HASH_DIGITS + 1 + ID_DIGITS + 1 };
enum { TIME_DIGITS = 12, JOBS_ASKED = 1000, PAGE_NAMES = 100 };

static void hash_workflow(const char *workflow, char out[HASH_DIGITS + 2])
{
    static const uint8_t key[16] = {'k', 'i', 'n', 'd', 'r', 'e', 'd', ' ',
                                    'a', 'w', 's', ' ', 'j', 'o', 'b', 's'};
    uint8_t hash[16];
    kin_siphash128(key, workflow, strlen(workflow), hash);
    sodium_bin2hex(out, HASH_DIGITS + 1, hash, sizeof hash);
    memcpy(out + HASH_DIGITS, "-", 2);
}

static void name_job(const char *workflow, const char *id, char out[NAME_BYTES])
{
    char prefix[HASH_DIGITS + 2];
    hash_workflow(workflow, prefix);
    snprintf(out, NAME_BYTES, "%s%s", prefix, id);
}

static bool is_over(const json_t *doc)
{
    const char *status = aws_text(doc, "status");
    return strcmp(status, "SUCCEEDED") == 0 || strcmp(status, "FAILED") == 0;
}

/* ---- starting ---- */

static bool submit(struct aws_call *call, const json_t *workflow, const struct aws_plan *plan,
                   uint64_t *job)
{
    const json_t *out = json_array_get(json_object_get(workflow, "outputSourceConfig"), 0);
    struct kin_message m = {.type = KIN_MSG_SUBMIT};
    struct aws_answer a;
    do
        randombytes_buf(&m.u.submit.token, sizeof m.u.submit.token);
    while (!m.u.submit.token);
    m.u.submit.workflow = (struct kin_str){(const char *)plan->yaml.p, plan->yaml.n};
    const char *dir = aws_local_path(aws_text(out, "outputS3Path"));
    m.u.submit.out_dir = kin_str_of(dir ? dir : "");
    m.u.submit.serve = true;
    m.u.submit.replace = true;
    bool good = aws_ask(call, &m, NULL, AWS_ASK_MS, KIN_MSG_SUBMITTED, &a);
    if (good && a.m.u.submitted.status != KIN_OK)
        good = aws_fail_status(call, a.m.u.submitted.status, a.m.u.submitted.text,
                               "The job was refused");
    *job = a.m.u.submitted.job;
    aws_answer_deinit(&a);
    return good;
}

static void make_id(uint64_t now_ms, char id[ID_DIGITS + 1])
{
    uint64_t below = ((uint64_t)1 << (4 * TIME_DIGITS)) - 1;
    uint8_t random[(ID_DIGITS - TIME_DIGITS) / 2];
    randombytes_buf(random, sizeof random);
    snprintf(id, ID_DIGITS + 1, "%012" PRIx64, (below - now_ms) & below);
    sodium_bin2hex(id + TIME_DIGITS, ID_DIGITS - TIME_DIGITS + 1, random, sizeof random);
}

static void keep_job(struct aws_call *call, const char *workflow_name, const json_t *workflow,
                     uint64_t job)
{
    char id[ID_DIGITS + 1], name[NAME_BYTES], number[20];
    uint64_t now = aws_now_ms();
    const json_t *out = json_array_get(json_object_get(workflow, "outputSourceConfig"), 0);
    json_t *doc = json_object();
    make_id(now, id);
    name_job(workflow_name, id, name);
    snprintf(number, sizeof number, "%016" PRIx64, job);
    aws_set_text(call, doc, "jobId", id);
    aws_set_text(call, doc, "workflowName", workflow_name);
    aws_set_text(call, doc, "job", number);
    aws_set_text(call, doc, "status", "QUEUED");
    aws_set(call, doc, "startTime", json_integer((json_int_t)(now / 1000)));
    aws_copy(call, doc, out, "outputS3Path");
    aws_copy(call, doc, workflow, "roleArn");
    if (call->error == AWS_OK && aws_doc_put(call, aws_job_kind, name, doc, true))
        aws_set_text(call, call->out, "jobId", id);
    json_decref(doc);
}

void aws_start_job(struct aws_call *call)
{
    struct aws_plan plan;
    uint64_t job = 0;
    json_t *workflow = aws_need_workflow(call, call->label[0]);
    if (!workflow)
        return;
    if (aws_plan_make(call, call->label[0], workflow, &plan) && submit(call, workflow, &plan, &job))
        keep_job(call, call->label[0], workflow, job);
    aws_plan_deinit(&plan);
    json_decref(workflow);
}

/* ---- what became of it ---- */

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (uint64_t)n : 0;
}

/* STATUS, owned; NULL: failed, which is nobody's error: only figures are missing then. */
static json_t *ask_status(struct aws_call *call)
{
    struct aws_call quiet = {.aws = call->aws};
    struct kin_message m = {.type = KIN_MSG_STATUS};
    struct aws_answer a;
    json_t *status = NULL;
    m.u.status.jobs_max = JOBS_ASKED;
    if (aws_ask(&quiet, &m, NULL, AWS_DOC_MS, KIN_MSG_STATUS_GOT, &a) &&
        a.m.u.status_got.status == KIN_OK)
        status = aws_parse(a.payload.p, a.payload.n);
    aws_answer_deinit(&a);
    return status;
}

/* Counts of what is served are those of this job if none of the same workflow was done after it. */
static void set_metrics(struct aws_call *call, json_t *doc, const json_t *status)
{
    const char *workflow = aws_text(doc, "workflowName");
    const json_t *jobs = json_object_get(status, "jobs"), *live = json_object_get(status, "live");
    for (size_t i = 0; i < json_array_size(jobs); i++) { /* the newest first */
        const json_t *job = json_array_get(jobs, i);
        if (strcmp(aws_text(job, "workflow"), workflow) != 0 ||
            strcmp(aws_text(job, "state"), "done") != 0)
            continue;
        if (strcmp(aws_text(job, "job"), aws_text(doc, "job")) != 0)
            return;
        break;
    }
    for (size_t i = 0; i < json_array_size(live); i++) {
        const json_t *l = json_array_get(live, i);
        if (strcmp(aws_text(l, "workflow"), workflow) != 0)
            continue;
        json_t *metrics = json_object();
        aws_set(call, metrics, "totalRecordsProcessed",
                json_integer((json_int_t)number_of(l, "records")));
        aws_set(call, metrics, "matchIDs", json_integer((json_int_t)number_of(l, "groups")));
        aws_set(call, doc, "metrics", metrics);
    }
}

static void end_job(struct aws_call *call, json_t *doc, bool good, struct kin_str why)
{
    json_t *status = ask_status(call);
    const json_t *jobs = json_object_get(status, "jobs");
    uint64_t ended_ms = 0;
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);
        if (strcmp(aws_text(job, "job"), aws_text(doc, "job")) == 0)
            ended_ms = number_of(job, "ended_ms");
    }
    if (!ended_ms)
        ended_ms = aws_now_ms();
    aws_set_text(call, doc, "status", good ? "SUCCEEDED" : "FAILED");
    aws_set(call, doc, "endTime", json_integer((json_int_t)(ended_ms / 1000)));
    json_object_del(doc, "metrics");
    if (good)
        set_metrics(call, doc, status);
    else
        aws_set(call, doc, "errorMessage", json_stringn(why.p, why.n < 2048 ? why.n : 2048));
    json_decref(status);
}

/* Keeps what is known, unless the job was forgotten meanwhile. */
static bool save_job(struct aws_call *call, const char *name, const json_t *doc, bool locked)
{
    if (!locked)
        pthread_mutex_lock(&call->aws->writing);
    json_t *there = aws_doc_get(call, aws_job_kind, name);
    bool good =
        call->error == AWS_OK && (!there || aws_doc_put(call, aws_job_kind, name, doc, false));
    json_decref(there);
    if (!locked)
        pthread_mutex_unlock(&call->aws->writing);
    return good;
}

/* Brings the document of a job up to date. locked: by this request. */
static bool refresh(struct aws_call *call, const char *name, json_t *doc, bool locked)
{
    struct kin_message m = {.type = KIN_MSG_JOB_STATE};
    struct aws_answer a;
    if (is_over(doc))
        return true;
    m.u.job_state.job = strtoull(aws_text(doc, "job"), NULL, 16);
    bool good = aws_ask(call, &m, NULL, AWS_DOC_MS, KIN_MSG_JOB_STATE_GOT, &a);
    if (good) {
        const struct kin_msg_job_state_got *got = &a.m.u.job_state_got;
        struct kin_str why = got->text;
        switch (got->state) {
        case KIN_JOB_UPLOADING:
        case KIN_JOB_QUEUED:
            break;
        case KIN_JOB_RUNNING: {
            json_t *metrics = json_object();
            aws_set(call, metrics, "inputRecords", json_integer((json_int_t)got->records));
            aws_set(call, doc, "metrics", metrics);
            aws_set_text(call, doc, "status", "RUNNING");
            break;
        }
        case KIN_JOB_DONE:
            end_job(call, doc, true, why);
            break;
        case KIN_JOB_CANCELLED:
            end_job(call, doc, false, KIN_STR("The job was cancelled."));
            break;
        default:
            end_job(call, doc, false,
                    why.n ? why : KIN_STR("The coordinator does not know this job any more."));
            break;
        }
        good = call->error == AWS_OK && (!is_over(doc) || save_job(call, name, doc, locked));
    }
    aws_answer_deinit(&a);
    return good;
}

void aws_get_job(struct aws_call *call)
{
    const char *workflow = call->label[0], *id = call->label[1];
    char name[NAME_BYTES];
    name_job(workflow, id, name);
    json_t *owner = aws_need_workflow(call, workflow);
    json_t *doc = owner ? aws_doc_get(call, aws_job_kind, name) : NULL;
    if (owner && !doc)
        aws_fail(call, AWS_NOT_FOUND, "The matching workflow %s has no job %s.", workflow, id);
    if (doc && refresh(call, name, doc, false)) {
        static const char *const members[] = {"jobId", "status", "startTime", "endTime", "metrics"};
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            aws_copy(call, call->out, doc, members[i]);
        if (json_object_get(doc, "errorMessage")) {
            json_t *details = json_object();
            aws_copy(call, details, doc, "errorMessage");
            aws_set(call, call->out, "errorDetails", details);
        }
        json_t *list = json_array(), *out = json_object();
        aws_copy(call, out, doc, "outputS3Path");
        aws_copy(call, out, doc, "roleArn");
        json_array_append_new(list, out);
        aws_set(call, call->out, "outputSourceConfig", list);
    }
    json_decref(doc);
    json_decref(owner);
}

void aws_list_jobs(struct aws_call *call)
{
    char prefix[HASH_DIGITS + 2];
    size_t limit = 0;
    const char *after = NULL, *last = NULL;
    bool more = false;
    hash_workflow(call->label[0], prefix);
    if (!aws_page(call, aws_job_kind, 1, &limit, &after))
        return;
    if (*after && strncmp(after, prefix, strlen(prefix)) != 0) {
        aws_fail(call, AWS_VALIDATION, "Invalid nextToken");
        return;
    }
    json_t *owner = aws_need_workflow(call, call->label[0]);
    json_t *names =
        owner ? aws_doc_list(call, aws_job_kind, *after ? after : prefix, limit + 1, &more) : NULL;
    json_t *list = json_array();
    size_t n = 0;
    for (size_t i = 0; call->error == AWS_OK && i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (strncmp(name, prefix, strlen(prefix)) != 0)
            break; /* another workflow's */
        if (n++ == limit) {
            aws_set_next(call, aws_job_kind, last);
            break;
        }
        last = name;
        json_t *doc = aws_doc_get(call, aws_job_kind, name);
        if (doc && refresh(call, name, doc, false)) {
            json_t *o = json_object();
            aws_copy(call, o, doc, "jobId");
            aws_copy(call, o, doc, "status");
            aws_copy(call, o, doc, "startTime");
            aws_copy(call, o, doc, "endTime");
            json_array_append_new(list, o);
        }
        json_decref(doc);
    }
    aws_set(call, call->out, "jobs", list);
    json_decref(names);
    json_decref(owner);
}

/* ---- all jobs of a workflow ---- */

/* Calls each for every one, until it says false. The call is locked. */
static bool for_jobs(struct aws_call *call, const char *workflow,
                     bool (*each)(struct aws_call *call, const char *name, void *arg), void *arg)
{
    char prefix[HASH_DIGITS + 2], after[NAME_BYTES];
    bool more = true, go_on = true;
    hash_workflow(workflow, prefix);
    snprintf(after, sizeof after, "%s", prefix);
    while (more && go_on) {
        json_t *names = aws_doc_list(call, aws_job_kind, after, PAGE_NAMES, &more);
        size_t n = json_array_size(names);
        more = more && n;
        for (size_t i = 0; i < n && go_on; i++) {
            const char *name = json_string_value(json_array_get(names, i));
            if (strncmp(name, prefix, strlen(prefix)) != 0) {
                more = false;
                break;
            }
            snprintf(after, sizeof after, "%s", name);
            go_on = each(call, name, arg);
        }
        json_decref(names);
    }
    return call->error == AWS_OK;
}

static bool look_at(struct aws_call *call, const char *name, void *arg)
{
    bool *busy = arg;
    json_t *doc = aws_doc_get(call, aws_job_kind, name);
    if (doc && refresh(call, name, doc, true))
        *busy = !is_over(doc);
    json_decref(doc);
    return !*busy && call->error == AWS_OK;
}

bool aws_jobs_busy(struct aws_call *call, const char *workflow, bool *busy)
{
    *busy = false;
    return for_jobs(call, workflow, look_at, busy);
}

static bool forget(struct aws_call *call, const char *name, void *arg)
{
    (void)arg;
    return aws_doc_delete(call, aws_job_kind, name);
}

bool aws_jobs_forget(struct aws_call *call, const char *workflow)
{
    return for_jobs(call, workflow, forget, NULL);
}
