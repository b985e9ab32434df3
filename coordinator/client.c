#include "coordinator/live.h"

#include <stdio.h>
#include <string.h>

/* What clients ask. Every request may come twice and in any order; an answer carries its number. */

enum { PATH_BYTES_MAX = 4000 };

static void refuse(struct kin_coordinator *c, kin_node_id to, uint64_t request, kin_status status,
                   const char *text)
{
    struct kin_message m = {.type = KIN_MSG_SUBMITTED};
    m.u.submitted.status = status;
    m.u.submitted.text = kin_str_of(text);
    coordinator_reply(c, to, &m, request, NULL);
    kin_env_log(c->env, 'W', "job_refused", "node=%u reason=\"%s\"", to, text);
}

void client_tell_submitted(struct kin_coordinator *c, struct jobrec *rec)
{
    struct kin_message m = {.type = KIN_MSG_SUBMITTED};
    if (!rec->asked_by)
        return;
    m.u.submitted.job = rec->id;
    coordinator_reply(c, rec->asked_by, &m, rec->asked_request, NULL);
    rec->asked_by = 0;
}

/* ---- a new job ---- */

/* Absolute, below dir, and without a step upwards, as far as its text tells. */
static bool is_below(const char *dir, const char *path)
{
    size_t n = dir ? strlen(dir) : 0;
    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (!n || strncmp(path, dir, n) != 0 || (path[n] != '/' && dir[n - 1] != '/'))
        return false;
    for (const char *at = path; (at = strstr(at, "/.."));) {
        at += 3;
        if (*at == '/' || !*at)
            return false;
    }
    return true;
}

static const char *check_paths(const struct kin_coordinator *c, kin_node_id from,
                               const struct jobrec *rec, const struct kin_workflow *w)
{
    const char *files = c->args->files_dir;
    if (from == c->args->own_node)
        return NULL;
    if (!files)
        return "this coordinator reads and writes no files for clients (--files)";
    if (!is_below(files, rec->out_dir))
        return "the output is not below the coordinator's --files";
    for (size_t s = 0; s < w->source_count; s++) {
        for (size_t p = 0; p < w->sources[s].path_count; p++) {
            if (!is_below(files, w->sources[s].paths[p]))
                return "a source is not below the coordinator's --files";
        }
    }
    if (w->model && w->model->file && !is_below(files, w->model->file))
        return "the model is not below the coordinator's --files";
    for (size_t p = 0; p < w->link_file_count; p++) {
        if (!is_below(files, w->link_files[p]))
            return "a file of links is not below the coordinator's --files";
    }
    return NULL;
}

static const char *check_listing(const struct jobrec *rec, const struct kin_workflow *w)
{
    struct source_file *files = NULL;
    size_t count = 0;
    const char *wrong = rec->file_count ? NULL : "no source file was listed";
    if (w->link_file_count)
        wrong = "files of links are not sent to a cluster; --at-coordinator reads them there";
    if (!wrong && jobrec_files(rec, &files, &count) != KIN_OK)
        wrong = "out of memory";
    for (size_t i = 0; i < count; i++) {
        if (files[i].source >= w->source_count)
            wrong = "a file of no source of the workflow";
        kin_free(files[i].path);
    }
    kin_free(files);
    return wrong;
}

/* Fills rec and checks it. KIN_OK, or why not. */
static kin_status take_job(struct kin_coordinator *c, kin_node_id from, struct jobrec *rec,
                           const struct kin_message *m, const struct kin_frame *f, char *text,
                           size_t text_bytes)
{
    struct kin_str base = m->u.submit.base_dir, out = m->u.submit.out_dir;
    struct kin_workflow *w = NULL;
    struct kin_problems problems = {0};
    rec->token = m->u.submit.token;
    rec->pairs = m->u.submit.pairs;
    rec->serve = m->u.submit.serve;
    rec->replace = m->u.submit.replace;
    rec->sent = out.n == 0;
    rec->workflow =
        kin_strndup(m->u.submit.workflow.p ? m->u.submit.workflow.p : "", m->u.submit.workflow.n);
    rec->workflow_bytes = m->u.submit.workflow.n;
    rec->base_dir = kin_strndup(base.p ? base.p : "", base.n);
    rec->error = kin_strndup("", 0);
    if (rec->sent)
        kin_buf_put(&rec->listing, f->payload.p, f->payload.n);
    struct kin_buf dir = {0};
    if (rec->sent)
        kin_buf_printf(&dir, "%s/%016llx", c->args->results_dir, (unsigned long long)rec->id);
    rec->out_dir = rec->sent ? kin_strndup((const char *)dir.p, dir.n) : kin_strndup(out.p, out.n);
    kin_buf_deinit(&dir);
    snprintf(text, text_bytes, "out of memory");
    if (!rec->workflow || !rec->base_dir || !rec->error || !rec->out_dir || rec->listing.failed)
        return KIN_E_NOMEM;
    kin_status status = jobrec_index_files(rec);
    if (status != KIN_OK) {
        snprintf(text, text_bytes, "the list of source files: %s", kin_status_text(status));
        return status;
    }
    status = kin_workflow_parse(m->u.submit.workflow, rec->base_dir, &w, &problems);
    if (status != KIN_OK) {
        if (problems.count)
            snprintf(text, text_bytes, "the workflow, line %u: %s: %s", problems.items[0].line,
                     problems.items[0].key, problems.items[0].text);
        kin_problems_deinit(&problems);
        return status;
    }
    kin_problems_deinit(&problems);
    rec->name = kin_strndup(w->name, strlen(w->name));
    const char *wrong = rec->sent ? check_listing(rec, w) : check_paths(c, from, rec, w);
    if (!rec->name)
        wrong = "out of memory";
    kin_workflow_free(w);
    if (wrong)
        snprintf(text, text_bytes, "%s", wrong);
    return wrong ? KIN_E_INVAL : KIN_OK;
}

static uint64_t new_id(struct kin_coordinator *c)
{
    uint64_t id;
    do
        id = c->env->ops->random(c->env);
    while (!id || id == UINT64_MAX || queue_find(c, id));
    return id;
}

static void on_submit(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m,
                      struct kin_frame *f)
{
    char text[600];
    if (m->u.submit.token == 0 || m->u.submit.base_dir.n > PATH_BYTES_MAX ||
        m->u.submit.out_dir.n > PATH_BYTES_MAX) {
        refuse(c, from, m->request, KIN_E_INVAL, "no token, or a path that is too long");
        return;
    }
    struct jobrec *rec = queue_find_token(c, m->u.submit.token);
    if (rec) {
        if (rec->dropping)
            return; /* a moment later it is another job's token */
        rec->asked_by = from;
        rec->asked_request = m->request;
        if (rec->state == KIN_JOB_FAILED)
            queue_revive(c, rec);
        else if (jobrec_is_durable(rec))
            client_tell_submitted(c, rec);
        return;
    }
    rec = jobrec_new();
    if (!rec)
        return;
    rec->id = new_id(c);
    kin_status status = take_job(c, from, rec, m, f, text, sizeof text);
    if (status == KIN_OK) {
        rec->state = rec->sent ? KIN_JOB_UPLOADING : KIN_JOB_QUEUED;
        rec->asked_by = from;
        rec->asked_request = m->request;
        status = queue_add(c, rec);
        snprintf(text, sizeof text, "too many jobs wait already");
        if (status == KIN_OK)
            return;
    }
    jobrec_free(rec);
    refuse(c, from, m->request, status, text);
}

/* ---- questions ---- */

static unsigned jobs_ahead(const struct kin_coordinator *c, const struct jobrec *rec)
{
    unsigned n = 0;
    if (rec->state != KIN_JOB_QUEUED)
        return 0;
    for (const struct jobrec *r = c->queue->first; r && r != rec; r = r->next)
        n += r->state == KIN_JOB_QUEUED || r->state == KIN_JOB_RUNNING;
    return n;
}

static void on_job_state(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    const struct jobrec *rec = queue_find(c, m->u.job_state.job);
    struct kin_message a = {.type = KIN_MSG_JOB_STATE_GOT};
    a.u.job_state_got.job = m->u.job_state.job;
    a.u.job_state_got.status = rec ? rec->status : KIN_E_NOTFOUND;
    a.u.job_state_got.text = KIN_STR("there is no such job");
    if (rec) {
        /* what is not durable yet is not told: it might be taken back */
        enum kin_job_state state =
            jobrec_is_over(rec) && !jobrec_is_durable(rec) ? KIN_JOB_RUNNING : rec->state;
        a.u.job_state_got.state = state;
        a.u.job_state_got.text = kin_str_of(rec->error);
        a.u.job_state_got.runs = rec->runs;
        a.u.job_state_got.ahead = jobs_ahead(c, rec);
        a.u.job_state_got.workers = member_count(c);
        if (c->job && c->job->rec == rec) {
            struct kin_progress p;
            kin_coordinator_progress(c, &p);
            a.u.job_state_got.phase = p.phase;
            a.u.job_state_got.done = p.done;
            a.u.job_state_got.total = p.total;
            a.u.job_state_got.records = p.records;
        }
    }
    coordinator_reply(c, from, &a, m->request, NULL);
}

static void on_fetch(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    const struct jobrec *rec = queue_find(c, m->u.fetch.job);
    if (rec && rec->sent && rec->state == KIN_JOB_DONE && !rec->dropped && !rec->dropping) {
        results_on_fetch(c, from, rec, m);
        return;
    }
    struct kin_message a = {.type = KIN_MSG_FETCHED};
    a.u.fetched.job = m->u.fetch.job;
    a.u.fetched.file = m->u.fetch.file;
    a.u.fetched.offset = m->u.fetch.offset;
    a.u.fetched.status = KIN_E_NOTFOUND;
    a.u.fetched.text = KIN_STR("there are no results of this job");
    coordinator_reply(c, from, &a, m->request, NULL);
}

static void on_drop(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    struct jobrec *rec = queue_find(c, m->u.job_drop.job);
    struct kin_message a = {.type = KIN_MSG_STEP_DONE};
    a.u.step_done.job = m->u.job_drop.job;
    a.u.step_done.step = KIN_MSG_JOB_DROP;
    a.u.step_done.status = rec ? KIN_OK : KIN_E_NOTFOUND;
    if (rec && rec->sent && rec->state == KIN_JOB_DONE && !rec->dropped)
        results_forget(c, rec->id); /* then it is dropped; asked again, it is told */
    else if (rec && !rec->dropped)
        queue_drop(c, rec);
    if (!rec || (rec->dropped && jobrec_is_durable(rec)))
        coordinator_reply(c, from, &a, m->request, NULL);
}

static void on_status(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    struct kin_message a = {.type = KIN_MSG_STATUS_GOT};
    struct kin_buf json = {0};
    a.u.status_got.status = status_json(c, m->u.status.jobs_max, &json);
    coordinator_reply(c, from, &a, m->request, &json);
}

void client_on_message(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m,
                       struct kin_frame *f)
{
    struct jobrec *rec;
    if (!c->queue->loaded || !c->lives_loaded)
        return; /* it asks again */
    switch (m->type) {
    case KIN_MSG_SUBMIT:
        on_submit(c, from, m, f);
        break;
    case KIN_MSG_UPLOAD:
        rec = queue_find(c, m->u.upload.job);
        if (rec)
            spool_on_upload(c, from, rec, m, f);
        break;
    case KIN_MSG_JOB_STATE:
        on_job_state(c, from, m);
        break;
    case KIN_MSG_FETCH:
        on_fetch(c, from, m);
        break;
    case KIN_MSG_JOB_DROP:
        on_drop(c, from, m);
        break;
    case KIN_MSG_STATUS:
        on_status(c, from, m);
        break;
    case KIN_MSG_LOOKUP:
        live_serve_lookup(c, from, m, f);
        break;
    case KIN_MSG_PUT:
        live_serve_put(c, from, m, f);
        break;
    case KIN_MSG_GROUP:
        live_serve_group(c, from, m);
        break;
    case KIN_MSG_CHANGES:
        live_serve_changes(c, from, m);
        break;
    case KIN_MSG_HISTORY:
        live_serve_history(c, from, m);
        break;
    case KIN_MSG_LINK:
        live_serve_link(c, from, m);
        break;
    case KIN_MSG_LINKS:
        live_serve_links(c, from, m);
        break;
    case KIN_MSG_EXPLAIN:
        live_serve_explain(c, from, m);
        break;
    case KIN_MSG_DOC:
        docs_on_message(c, from, m, f);
        break;
    default: /* for others */
        break;
    }
}
