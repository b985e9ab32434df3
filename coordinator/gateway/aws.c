#include "coordinator/gateway/aws_impl.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Which operation a request is of; and how answers and errors are written. */

/* ---- operations without a meaning here ---- */

static void no_id_mapping(struct aws_call *call)
{
    aws_fail(call, AWS_VALIDATION, "ID mapping is not supported by this service.");
}

static void no_id_mapping_workflow(struct aws_call *call)
{
    aws_fail(call, AWS_NOT_FOUND, "There is no ID mapping workflow %s.", call->label[0]);
}

static void no_namespace(struct aws_call *call)
{
    aws_fail(call, AWS_NOT_FOUND, "There is no ID namespace %s.", call->label[0]);
}

static void no_provider(struct aws_call *call)
{
    aws_fail(call, AWS_NOT_FOUND, "There is no provider service %s.", call->label[0]);
}

static void no_policy(struct aws_call *call)
{
    aws_fail(call, AWS_DENIED,
             "Resource policies are not supported: the access keys of the server say who may ask.");
}

/* Deleting what is not there succeeds. */
static void nothing_deleted(struct aws_call *call)
{
    aws_set_text(call, call->out, "message", "There is nothing of that name.");
}

static void empty_list(struct aws_call *call, const char *name)
{
    size_t limit = 0;
    const char *after = NULL;
    if (aws_page(call, name, 0, &limit, &after))
        aws_set(call, call->out, name, json_array());
}

static void no_workflow_summaries(struct aws_call *call)
{
    empty_list(call, "workflowSummaries");
}

static void no_namespace_summaries(struct aws_call *call)
{
    empty_list(call, "idNamespaceSummaries");
}

static void no_provider_summaries(struct aws_call *call)
{
    empty_list(call, "providerServiceSummaries");
}

/* ---- the table ---- */

enum label { LABEL_NONE, LABEL_NAME, LABEL_JOB, LABEL_ARN, LABEL_ANY };

static const struct operation {
    const char *method;
    const char *path;     /* steps of *: variable */
    const char *names[2]; /* of the variable steps */
    enum label labels[2];
    const struct aws_shape *body; /* NULL: not looked at */
    bool writes;                  /* reads, changes and writes documents */
    aws_operation_fn *run;
} operations[] = {
#define NAMED(name) \
    {(name)},       \
    {               \
        LABEL_NAME  \
    }
#define JOB                    \
    {"workflowName", "jobId"}, \
    {                          \
        LABEL_NAME, LABEL_JOB  \
    }
#define NO_LABELS  \
    {NULL},        \
    {              \
        LABEL_NONE \
    }
#define ANY                  \
    {NULL},                  \
    {                        \
        LABEL_ANY, LABEL_ANY \
    }
    {"POST", "/schemas", NO_LABELS, &aws_create_schema_in, true, aws_create_schema},
    {"GET", "/schemas", NO_LABELS, NULL, false, aws_list_schemas},
    {"GET", "/schemas/*", NAMED("schemaName"), NULL, false, aws_get_schema},
    {"PUT", "/schemas/*", NAMED("schemaName"), &aws_update_schema_in, true, aws_update_schema},
    {"DELETE", "/schemas/*", NAMED("schemaName"), NULL, true, aws_delete_schema},
    {"POST", "/matchingworkflows", NO_LABELS, &aws_create_workflow_in, true, aws_create_workflow},
    {"GET", "/matchingworkflows", NO_LABELS, NULL, false, aws_list_workflows},
    {"GET", "/matchingworkflows/*", NAMED("workflowName"), NULL, false, aws_get_workflow},
    {"PUT", "/matchingworkflows/*", NAMED("workflowName"), &aws_update_workflow_in, true,
     aws_update_workflow},
    {"DELETE", "/matchingworkflows/*", NAMED("workflowName"), NULL, true, aws_delete_workflow},
    {"POST", "/matchingworkflows/*/jobs", NAMED("workflowName"), NULL, true, aws_start_job},
    {"GET", "/matchingworkflows/*/jobs", NAMED("workflowName"), NULL, false, aws_list_jobs},
    {"GET", "/matchingworkflows/*/jobs/*", JOB, NULL, false, aws_get_job},
    {"POST", "/matchingworkflows/*/matches", NAMED("workflowName"), &aws_get_match_in, false,
     aws_get_match_id},
    {"POST", "/matchingworkflows/*/generateMatches", NAMED("workflowName"), &aws_generate_match_in,
     false, aws_generate_match_id},
    {"DELETE", "/matchingworkflows/*/uniqueids", NAMED("workflowName"), NULL, false,
     aws_delete_unique_ids},
    {"POST", "/tags/*", {"resourceArn"}, {LABEL_ARN}, &aws_tag_in, true, aws_tag},
    {"DELETE", "/tags/*", {"resourceArn"}, {LABEL_ARN}, NULL, true, aws_untag},
    {"GET", "/tags/*", {"resourceArn"}, {LABEL_ARN}, NULL, false, aws_list_tags},
    /* what there is none of */
    {"POST", "/idmappingworkflows", NO_LABELS, NULL, false, no_id_mapping},
    {"GET", "/idmappingworkflows", NO_LABELS, NULL, false, no_workflow_summaries},
    {"GET", "/idmappingworkflows/*", ANY, NULL, false, no_id_mapping_workflow},
    {"PUT", "/idmappingworkflows/*", ANY, NULL, false, no_id_mapping_workflow},
    {"DELETE", "/idmappingworkflows/*", ANY, NULL, false, nothing_deleted},
    {"POST", "/idmappingworkflows/*/jobs", ANY, NULL, false, no_id_mapping_workflow},
    {"GET", "/idmappingworkflows/*/jobs", ANY, NULL, false, no_id_mapping_workflow},
    {"GET", "/idmappingworkflows/*/jobs/*", ANY, NULL, false, no_id_mapping_workflow},
    {"POST", "/idnamespaces", NO_LABELS, NULL, false, no_id_mapping},
    {"GET", "/idnamespaces", NO_LABELS, NULL, false, no_namespace_summaries},
    {"GET", "/idnamespaces/*", ANY, NULL, false, no_namespace},
    {"PUT", "/idnamespaces/*", ANY, NULL, false, no_namespace},
    {"DELETE", "/idnamespaces/*", ANY, NULL, false, nothing_deleted},
    {"GET", "/providerservices", NO_LABELS, NULL, false, no_provider_summaries},
    {"GET", "/providerservices/*/*", ANY, NULL, false, no_provider},
    {"GET", "/policies/*", ANY, NULL, false, no_policy},
    {"PUT", "/policies/*", ANY, NULL, false, no_policy},
    {"POST", "/policies/*/*", ANY, NULL, false, no_policy},
    {"DELETE", "/policies/*/*", ANY, NULL, false, no_policy},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* Where the variable steps are, or false. One of /tags/ takes all that is left, since its slash may
 * come as it is. */
static bool fits(const struct operation *op, const char *path, struct kin_str steps[AWS_LABELS_MAX])
{
    const char *p = op->path;
    unsigned n = 0;
    while (*p) {
        if (*p != '*') {
            if (*p++ != *path++)
                return false;
            continue;
        }
        size_t length = op->labels[n] == LABEL_ARN ? strlen(path) : strcspn(path, "/");
        if (!length)
            return false;
        steps[n++] = (struct kin_str){path, length};
        path += length;
        p++;
    }
    return !*path;
}

static const struct operation *find(const char *method, const char *path,
                                    struct kin_str steps[AWS_LABELS_MAX])
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (strcmp(operations[i].method, method) == 0 && fits(&operations[i], path, steps))
            return &operations[i];
    }
    return NULL;
}

bool aws_knows(const char *method, const char *path)
{
    struct kin_str steps[AWS_LABELS_MAX];
    return find(method, path, steps) != NULL;
}

/* ---- errors ---- */

static const struct error_row {
    unsigned status;
    const char *type;
} errors[] = {[AWS_OK] = {200, NULL},
              [AWS_VALIDATION] = {400, "ValidationException"},
              [AWS_NOT_FOUND] = {404, "ResourceNotFoundException"},
              [AWS_CONFLICT] = {409, "ConflictException"},
              [AWS_EXCEEDS] = {402, "ExceedsLimitException"},
              [AWS_THROTTLING] = {429, "ThrottlingException"},
              [AWS_INTERNAL] = {500, "InternalServerException"},
              [AWS_DENIED] = {403, "AccessDeniedException"},
              [AWS_UNKNOWN_OPERATION] = {404, "UnknownOperationException"},
              [AWS_SERIALIZATION] = {400, "SerializationException"}};

bool aws_fail(struct aws_call *call, enum aws_error error, const char *format, ...)
{
    if (call->error != AWS_OK)
        return false;
    call->error = error;
    va_list args;
    va_start(args, format);
    vsnprintf(call->message, sizeof call->message, format, args);
    va_end(args);
    return false;
}

bool aws_no_memory(struct aws_call *call)
{
    return aws_fail(call, AWS_INTERNAL, "The server is out of memory.");
}

static enum aws_error error_of(uint32_t status)
{
    switch (status) {
    case KIN_E_INVAL:
    case KIN_E_SYNTAX:
    case KIN_E_WORKFLOW:
    case KIN_E_RANGE:
        return AWS_VALIDATION;
    case KIN_E_NOTFOUND:
        return AWS_NOT_FOUND;
    case KIN_E_EXISTS:
        return AWS_CONFLICT;
    case KIN_E_LIMIT:
        return AWS_EXCEEDS;
    case KIN_E_BUSY:
        return AWS_THROTTLING;
    default:
        return AWS_INTERNAL;
    }
}

bool aws_fail_status(struct aws_call *call, uint32_t status, struct kin_str text, const char *what)
{
    if (!text.n)
        text = kin_str_of(kin_status_text((kin_status)status));
    int shown = (int)(text.n < 1024 ? text.n : 1024);
    return aws_fail(call, error_of(status), "%s: %.*s", what, shown, text.p);
}

/* ---- JSON ---- */

enum { DEPTH_MAX = 16 };

/* Brackets open at once, those in strings left out. */
static bool is_shallow(const char *p, size_t n)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        if (quoted && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            quoted = !quoted;
        else if (!quoted && (p[i] == '{' || p[i] == '['))
            depth++;
        else if (!quoted && (p[i] == '}' || p[i] == ']') && depth)
            depth--;
        if (depth > DEPTH_MAX)
            return false;
    }
    return true;
}

json_t *aws_parse(const void *p, size_t n)
{
    return n && is_shallow(p, n) ? json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

void aws_set(struct aws_call *call, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        aws_no_memory(call);
}

void aws_set_text(struct aws_call *call, json_t *object, const char *key, const char *text)
{
    aws_set(call, object, key, json_string(text));
}

void aws_copy(struct aws_call *call, json_t *to, const json_t *from, const char *key)
{
    const json_t *value = json_object_get(from, key);
    if (value)
        aws_set(call, to, key, json_deep_copy(value));
}

const char *aws_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

bool aws_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* ---- things in common ---- */

uint64_t aws_now_ms(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

const char *aws_arn(struct aws_call *call, const char *type, const char *name)
{
    const char *arn = kin_arena_printf(
        &call->arena, "arn:aws:entityresolution:us-east-1:000000000000:%s/%s", type, name);
    if (!arn)
        aws_no_memory(call);
    return arn;
}

/* ---- a request ---- */

static void check_labels(struct aws_call *call, const struct operation *op,
                         const struct kin_str steps[AWS_LABELS_MAX], struct aws_mistakes *mistakes)
{
    static const struct aws_shape *const shapes[] = {[LABEL_NAME] = &aws_entity_name,
                                                     [LABEL_JOB] = &aws_job_id,
                                                     [LABEL_ARN] = &aws_resource_arn,
                                                     [LABEL_ANY] = NULL};
    for (unsigned i = 0; i < AWS_LABELS_MAX && op->labels[i] != LABEL_NONE && steps[i].p; i++) {
        call->label[i] = aws_decode(&call->arena, steps[i].p, steps[i].n);
        if (!call->label[i]) {
            aws_fail(call, AWS_VALIDATION, "The path is not valid percent-encoded text.");
            return;
        }
        if (shapes[op->labels[i]])
            aws_shape_check_text(shapes[op->labels[i]], call->label[i], op->names[i], mistakes);
    }
}

static void take_body(struct aws_call *call, const struct operation *op, struct kin_str body,
                      struct aws_mistakes *mistakes)
{
    if (body.n > AWS_BODY_MAX) {
        aws_fail(call, AWS_VALIDATION, "The request has more than %d bytes.", AWS_BODY_MAX);
        return;
    }
    json_t *in = body.n ? aws_parse(body.p, body.n) : json_object();
    if (!json_is_object(in))
        aws_fail(call, AWS_SERIALIZATION,
                 "The body is not a JSON object, has a key twice, or is nested too deeply.");
    else
        call->in = aws_shape_take(op->body, in, "", mistakes);
    json_decref(in);
}

static void prepare(struct aws_call *call, const struct operation *op,
                    const struct gateway_request *request,
                    const struct kin_str steps[AWS_LABELS_MAX])
{
    struct aws_mistakes mistakes = {0};
    call->query = request->query;
    if (request->query.n > AWS_QUERY_MAX)
        aws_fail(call, AWS_VALIDATION, "The query has more than %d bytes.", AWS_QUERY_MAX);
    check_labels(call, op, steps, &mistakes);
    if (call->error == AWS_OK && op->body)
        take_body(call, op, request->body, &mistakes);
    if (call->error == AWS_OK && mistakes.count) {
        int shown = (int)(mistakes.text.n < AWS_TEXT_MAX ? mistakes.text.n : AWS_TEXT_MAX);
        aws_fail(call, AWS_VALIDATION, "%zu validation error%s detected: %.*s", mistakes.count,
                 mistakes.count == 1 ? "" : "s", shown,
                 mistakes.text.p ? (const char *)mistakes.text.p : "");
    }
    if (call->error == AWS_OK && op->body && !call->in)
        aws_no_memory(call);
    kin_buf_deinit(&mistakes.text);
}

static void run(struct aws_call *call, const struct gateway_request *request)
{
    struct kin_str steps[AWS_LABELS_MAX] = {{NULL, 0}};
    const struct operation *op =
        strlen(request->path) <= AWS_PATH_MAX ? find(request->method, request->path, steps) : NULL;
    if (!op) {
        aws_fail(call, AWS_UNKNOWN_OPERATION, "There is no such operation.");
        return;
    }
    prepare(call, op, request, steps);
    if (call->error != AWS_OK)
        return;
    if (op->writes)
        pthread_mutex_lock(&call->aws->writing);
    op->run(call);
    if (op->writes)
        pthread_mutex_unlock(&call->aws->writing);
}

/* Cut where a character ends: what a message repeats may have been cut anywhere. */
static void write_error(struct aws_call *call, struct gateway_response *response)
{
    json_decref(call->out);
    call->out = json_object();
    size_t n = strlen(call->message);
    json_t *message = NULL;
    for (unsigned i = 0; i < 4 && !message && i <= n; i++)
        message = json_stringn(call->message, n - i);
    json_object_set_new(call->out, "message",
                        message ? message : json_string("The request failed."));
    if (call->error == AWS_EXCEEDS && call->quota_name) {
        json_object_set_new(call->out, "quotaName", json_string(call->quota_name));
        json_object_set_new(call->out, "quotaValue", json_integer(call->quota_value));
    }
    response->error_type = errors[call->error].type;
}

void aws_handle(struct aws *aws, const struct gateway_request *request,
                struct gateway_response *response)
{
    struct aws_call call = {.aws = aws, .out = json_object()};
    *response = (struct gateway_response){.status = 500};
    run(&call, request);
    if (call.error != AWS_OK)
        write_error(&call, response);
    response->status = errors[call.error].status;
    char *text = json_dumps(call.out, JSON_COMPACT);
    if (text) {
        kin_buf_puts(&response->body, text);
        json_free_t free_text;
        json_get_alloc_funcs(NULL, &free_text);
        free_text(text);
    }
    if (!text || response->body.failed) {
        kin_buf_clear(&response->body);
        response->status = errors[AWS_INTERNAL].status;
        response->error_type = errors[AWS_INTERNAL].type;
    }
    json_decref(call.out);
    json_decref(call.in);
    kin_arena_deinit(&call.arena);
}

kin_status aws_new(const struct gateway_backend *backend, struct aws **out)
{
    if (sodium_init() < 0)
        return KIN_E_IO; /* no randomness for ids of jobs */
    struct aws *aws = kin_calloc(1, sizeof *aws);
    if (!aws)
        return KIN_E_NOMEM;
    aws->backend = backend;
    if (pthread_mutex_init(&aws->writing, NULL) != 0) {
        kin_free(aws);
        return KIN_E_NOMEM;
    }
    *out = aws;
    return KIN_OK;
}

void aws_free(struct aws *aws)
{
    if (!aws)
        return;
    pthread_mutex_destroy(&aws->writing);
    kin_free(aws);
}
