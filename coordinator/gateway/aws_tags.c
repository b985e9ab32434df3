#include "coordinator/gateway/aws_impl.h"

#include <string.h>

/* Tags: kept with the document of their resource. */

/* The document that the ARN of the request names, owned; NULL: failed. */
static json_t *find(struct aws_call *call, const char **kind, const char **name)
{
    static const struct {
        const char *type;
        const char *kind;
    } types[] = {{"schemamapping", aws_schema_kind}, {"matchingworkflow", aws_workflow_kind}};
    const char *arn = call->label[0], *slash = strrchr(arn, '/');
    json_t *doc = NULL;
    for (size_t i = 0; slash && i < sizeof types / sizeof *types && !doc; i++) {
        const char *own = aws_arn(call, types[i].type, slash + 1);
        if (!own || strcmp(own, arn) != 0)
            continue;
        *kind = types[i].kind;
        *name = slash + 1;
        doc = aws_doc_get(call, *kind, *name);
    }
    if (!doc)
        aws_fail(call, AWS_NOT_FOUND, "There is no resource %.400s.", arn);
    return doc;
}

void aws_tag(struct aws_call *call)
{
    const char *kind = NULL, *name = NULL;
    json_t *doc = find(call, &kind, &name);
    if (!doc)
        return;
    json_t *tags = json_object_get(doc, "tags");
    if (!tags) {
        aws_set(call, doc, "tags", json_object());
        tags = json_object_get(doc, "tags");
    }
    if (json_object_update(tags, json_object_get(call->in, "tags")) != 0)
        aws_no_memory(call);
    else if (json_object_size(tags) > AWS_TAGS_MAX)
        aws_fail(call, AWS_VALIDATION, "A resource has at most %d tags.", AWS_TAGS_MAX);
    else
        aws_doc_put(call, kind, name, doc, false);
    json_decref(doc);
}

void aws_untag(struct aws_call *call)
{
    const char *kind = NULL, *name = NULL, *key = NULL;
    json_t *doc = find(call, &kind, &name);
    if (!doc)
        return;
    json_t *tags = json_object_get(doc, "tags");
    bool good = aws_param(call, "tagKeys", 0, &key);
    if (good && !key)
        good = aws_fail(call, AWS_VALIDATION,
                        "1 validation error detected: Value null at 'tagKeys' failed to satisfy "
                        "constraint: Member must not be null");
    for (size_t i = 0; good && key && i < AWS_TAGS_MAX; i++) {
        json_object_del(tags, key); /* one that is not there is fine */
        good = aws_param(call, "tagKeys", i + 1, &key);
    }
    if (good)
        aws_doc_put(call, kind, name, doc, false);
    json_decref(doc);
}

void aws_list_tags(struct aws_call *call)
{
    const char *kind = NULL, *name = NULL;
    json_t *doc = find(call, &kind, &name);
    if (doc) {
        aws_set(call, call->out, "tags", json_object());
        aws_copy(call, call->out, doc, "tags");
    }
    json_decref(doc);
}
