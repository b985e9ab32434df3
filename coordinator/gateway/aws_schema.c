#include "coordinator/gateway/aws_plan.h"

#include <string.h>

/* Schema mappings. */

static const char arn_type[] = "schemamapping";

json_t *aws_need_schema(struct aws_call *call, const char *name)
{
    json_t *doc = aws_doc_get(call, aws_schema_kind, name);
    if (!doc)
        aws_fail(call, AWS_NOT_FOUND, "There is no schema mapping %s.", name);
    return doc;
}

bool aws_schema_used(struct aws_call *call, const char *name, const json_t *workflows, bool *used)
{
    json_t *own = workflows ? NULL : aws_all_workflows(call);
    const json_t *all = workflows ? workflows : own;
    *used = false;
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *inputs = json_object_get(json_array_get(all, i), "inputSourceConfig");
        for (size_t k = 0; k < json_array_size(inputs); k++)
            *used = *used || strcmp(aws_text(json_array_get(inputs, k), "schemaName"), name) == 0;
    }
    json_decref(own);
    return all != NULL;
}

/* What the shapes do not say. */
static bool check_attributes(struct aws_call *call, const json_t *list)
{
    unsigned ids = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i);
        const char *name = aws_text(a, "fieldName");
        if (!*name)
            return aws_fail(call, AWS_VALIDATION, "Attribute %zu has no fieldName.", i + 1);
        if (strcmp(name, "DELETE") == 0)
            return aws_fail(call, AWS_VALIDATION,
                            "The fieldName DELETE is reserved: it says that a record goes.");
        for (size_t k = 0; k < i; k++) {
            if (strcmp(aws_text(json_array_get(list, k), "fieldName"), name) == 0)
                return aws_fail(call, AWS_VALIDATION, "The fieldName %s is there twice.", name);
        }
        ids += strcmp(aws_text(a, "type"), "UNIQUE_ID") == 0;
    }
    if (ids != 1)
        return aws_fail(call, AWS_VALIDATION,
                        "A schema mapping needs one attribute of type UNIQUE_ID; this one has %u.",
                        ids);
    return true;
}

/* What operations answer with, beside times and tags. */
static void describe(struct aws_call *call, const json_t *doc, const char *name)
{
    const char *arn = aws_arn(call, arn_type, name);
    if (!arn)
        return;
    aws_set_text(call, call->out, "schemaName", name);
    aws_set_text(call, call->out, "schemaArn", arn);
    aws_set_text(call, call->out, "description", aws_text(doc, "description"));
    aws_copy(call, call->out, doc, "mappedInputFields");
}

static bool below_quota(struct aws_call *call)
{
    bool more = false;
    json_t *names = aws_doc_list(call, aws_schema_kind, "", AWS_SCHEMAS_MAX, &more);
    size_t n = json_array_size(names);
    bool good = names != NULL;
    json_decref(names);
    if (n < AWS_SCHEMAS_MAX)
        return good;
    call->quota_name = "schema mappings";
    call->quota_value = AWS_SCHEMAS_MAX;
    return aws_fail(call, AWS_EXCEEDS, "There are %d schema mappings already.", AWS_SCHEMAS_MAX);
}

void aws_create_schema(struct aws_call *call)
{
    const char *name = aws_text(call->in, "schemaName");
    if (!check_attributes(call, json_object_get(call->in, "mappedInputFields")) ||
        !below_quota(call))
        return;
    json_int_t now = (json_int_t)(aws_now_ms() / 1000);
    aws_set(call, call->in, "createdAt", json_integer(now));
    aws_set(call, call->in, "updatedAt", json_integer(now));
    if (call->error == AWS_OK && aws_doc_put(call, aws_schema_kind, name, call->in, true))
        describe(call, call->in, name);
}

void aws_get_schema(struct aws_call *call)
{
    const char *name = call->label[0];
    bool used = false;
    json_t *doc = aws_need_schema(call, name);
    if (doc && aws_schema_used(call, name, NULL, &used)) {
        describe(call, doc, name);
        aws_copy(call, call->out, doc, "createdAt");
        aws_copy(call, call->out, doc, "updatedAt");
        aws_set(call, call->out, "hasWorkflows", json_boolean(used));
        aws_set(call, call->out, "tags", json_object());
        aws_copy(call, call->out, doc, "tags");
    }
    json_decref(doc);
}

static bool is_free(struct aws_call *call, const char *name, const char *what)
{
    bool used = false;
    if (!aws_schema_used(call, name, NULL, &used))
        return false;
    if (used)
        return aws_fail(call, AWS_CONFLICT,
                        "The schema mapping %s is used by a matching workflow and cannot be %s.",
                        name, what);
    return true;
}

void aws_update_schema(struct aws_call *call)
{
    const char *name = call->label[0];
    json_t *doc = aws_need_schema(call, name);
    if (doc && check_attributes(call, json_object_get(call->in, "mappedInputFields")) &&
        is_free(call, name, "changed")) {
        aws_set_text(call, call->in, "schemaName", name);
        aws_copy(call, call->in, doc, "createdAt");
        aws_copy(call, call->in, doc, "tags");
        aws_set(call, call->in, "updatedAt", json_integer((json_int_t)(aws_now_ms() / 1000)));
        if (call->error == AWS_OK && aws_doc_put(call, aws_schema_kind, name, call->in, false))
            describe(call, call->in, name);
    }
    json_decref(doc);
}

void aws_delete_schema(struct aws_call *call)
{
    const char *name = call->label[0];
    if (is_free(call, name, "deleted") && aws_doc_delete(call, aws_schema_kind, name))
        aws_set_text(call, call->out, "message", "The schema mapping is deleted.");
}

void aws_list_schemas(struct aws_call *call)
{
    size_t limit = 0;
    const char *after = NULL, *last = NULL;
    bool more = false;
    if (!aws_page(call, aws_schema_kind, 0, &limit, &after))
        return;
    json_t *names = aws_doc_list(call, aws_schema_kind, after, limit, &more);
    json_t *workflows = names ? aws_all_workflows(call) : NULL, *list = json_array();
    for (size_t i = 0; workflows && i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const char *arn = aws_arn(call, arn_type, name);
        bool used = false;
        last = name;
        json_t *doc = arn ? aws_doc_get(call, aws_schema_kind, name) : NULL;
        if (!doc)
            continue; /* deleted in between, or failed */
        json_t *o = json_object();
        aws_schema_used(call, name, workflows, &used);
        aws_set_text(call, o, "schemaName", name);
        aws_set_text(call, o, "schemaArn", arn);
        aws_copy(call, o, doc, "createdAt");
        aws_copy(call, o, doc, "updatedAt");
        aws_set(call, o, "hasWorkflows", json_boolean(used));
        json_array_append_new(list, o);
        json_decref(doc);
    }
    aws_set(call, call->out, "schemaList", list);
    if (more && last)
        aws_set_next(call, aws_schema_kind, last);
    json_decref(workflows);
    json_decref(names);
}
