#include "coordinator/gateway/aws_plan.h"

#include <string.h>

/* Matching workflows. */

static const char arn_type[] = "matchingworkflow";

json_t *aws_need_workflow(struct aws_call *call, const char *name)
{
    json_t *doc = aws_doc_get(call, aws_workflow_kind, name);
    if (!doc)
        aws_fail(call, AWS_NOT_FOUND, "There is no matching workflow %s.", name);
    return doc;
}

json_t *aws_all_workflows(struct aws_call *call)
{
    bool more = false;
    json_t *names = aws_doc_list(call, aws_workflow_kind, "", AWS_WORKFLOWS_MAX, &more);
    json_t *all = names ? json_array() : NULL;
    for (size_t i = 0; call->error == AWS_OK && i < json_array_size(names); i++) {
        json_t *doc =
            aws_doc_get(call, aws_workflow_kind, json_string_value(json_array_get(names, i)));
        if (doc && json_array_append_new(all, doc) != 0)
            aws_no_memory(call);
    }
    json_decref(names);
    if (call->error == AWS_OK && all)
        return all;
    json_decref(all);
    return NULL;
}

static void describe(struct aws_call *call, const json_t *doc, const char *name, bool arn)
{
    static const char *const members[] = {"description",          "inputSourceConfig",
                                          "outputSourceConfig",   "resolutionTechniques",
                                          "incrementalRunConfig", "roleArn"};
    aws_set_text(call, call->out, "workflowName", name);
    const char *text = arn ? aws_arn(call, arn_type, name) : NULL;
    if (text)
        aws_set_text(call, call->out, "workflowArn", text);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        aws_copy(call, call->out, doc, members[i]);
}

static bool below_quota(struct aws_call *call)
{
    bool more = false;
    json_t *names = aws_doc_list(call, aws_workflow_kind, "", AWS_WORKFLOWS_MAX, &more);
    size_t n = json_array_size(names);
    bool good = names != NULL;
    json_decref(names);
    if (n < AWS_WORKFLOWS_MAX)
        return good;
    call->quota_name = "matching workflows";
    call->quota_value = AWS_WORKFLOWS_MAX;
    return aws_fail(call, AWS_EXCEEDS, "There are %d matching workflows already.",
                    AWS_WORKFLOWS_MAX);
}

void aws_create_workflow(struct aws_call *call)
{
    const char *name = aws_text(call->in, "workflowName");
    if (!aws_plan_check(call, name, call->in) || !below_quota(call))
        return;
    json_int_t now = (json_int_t)(aws_now_ms() / 1000);
    aws_set(call, call->in, "createdAt", json_integer(now));
    aws_set(call, call->in, "updatedAt", json_integer(now));
    if (call->error == AWS_OK && aws_doc_put(call, aws_workflow_kind, name, call->in, true))
        describe(call, call->in, name, true);
}

void aws_get_workflow(struct aws_call *call)
{
    json_t *doc = aws_need_workflow(call, call->label[0]);
    if (doc) {
        describe(call, doc, call->label[0], true);
        aws_copy(call, call->out, doc, "createdAt");
        aws_copy(call, call->out, doc, "updatedAt");
        aws_set(call, call->out, "tags", json_object());
        aws_copy(call, call->out, doc, "tags");
    }
    json_decref(doc);
}

void aws_update_workflow(struct aws_call *call)
{
    const char *name = call->label[0];
    json_t *doc = aws_need_workflow(call, name);
    if (doc && aws_plan_check(call, name, call->in)) {
        aws_set_text(call, call->in, "workflowName", name);
        aws_copy(call, call->in, doc, "createdAt");
        aws_copy(call, call->in, doc, "tags");
        aws_set(call, call->in, "updatedAt", json_integer((json_int_t)(aws_now_ms() / 1000)));
        if (call->error == AWS_OK && aws_doc_put(call, aws_workflow_kind, name, call->in, false))
            describe(call, call->in, name, false);
    }
    json_decref(doc);
}

void aws_delete_workflow(struct aws_call *call)
{
    const char *name = call->label[0];
    bool busy = false;
    if (!aws_jobs_busy(call, name, &busy))
        return;
    if (busy)
        aws_fail(call, AWS_CONFLICT, "The matching workflow %s has a job that is not over.", name);
    else if (aws_doc_delete(call, aws_workflow_kind, name) && aws_jobs_forget(call, name))
        aws_set_text(call, call->out, "message", "The matching workflow is deleted.");
}

void aws_list_workflows(struct aws_call *call)
{
    size_t limit = 0;
    const char *after = NULL, *last = NULL;
    bool more = false;
    if (!aws_page(call, aws_workflow_kind, 0, &limit, &after))
        return;
    json_t *names = aws_doc_list(call, aws_workflow_kind, after, limit, &more);
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const char *arn = aws_arn(call, arn_type, name);
        json_t *doc = arn ? aws_doc_get(call, aws_workflow_kind, name) : NULL;
        last = name;
        if (!doc)
            continue; /* deleted in between, or failed */
        json_t *o = json_object();
        aws_set_text(call, o, "workflowName", name);
        aws_set_text(call, o, "workflowArn", arn);
        aws_copy(call, o, doc, "createdAt");
        aws_copy(call, o, doc, "updatedAt");
        aws_copy(call, o, json_object_get(doc, "resolutionTechniques"), "resolutionType");
        json_array_append_new(list, o);
        json_decref(doc);
    }
    aws_set(call, call->out, "workflowSummaries", list);
    if (more && last)
        aws_set_next(call, aws_workflow_kind, last);
    json_decref(names);
}
