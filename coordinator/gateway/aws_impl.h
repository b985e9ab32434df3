#ifndef KIN_GATEWAY_AWS_IMPL_H
#define KIN_GATEWAY_AWS_IMPL_H
/* Private to coordinator/gateway/aws*.c: a request on its way from its path to its answer. All of
 * it belongs to the thread that handles the request, but for struct aws. */
#include "coordinator/gateway/aws.h"
#include "coordinator/gateway/aws_shape.h"

#include <pthread.h>

enum {
    AWS_BODY_MAX = 1 << 20,
    AWS_PATH_MAX = 4096,
    AWS_LABELS_MAX = 2,
    AWS_QUERY_MAX = 256 << 10,
    AWS_PAGE_MAX = 25,
    AWS_SCHEMAS_MAX = 1000,   /* that are kept */
    AWS_WORKFLOWS_MAX = 1000, /* that are kept */
    AWS_RULES_MAX = 25,
    AWS_SOURCES_MAX = 20,
    AWS_TAGS_MAX = 200,
    AWS_TEXT_MAX = 2048, /* bytes of an error's message */
    AWS_NAME_MAX = 255
};

/* How long an answer may take. */
enum { AWS_DOC_MS = 10000, AWS_ASK_MS = 30000, AWS_WAIT_MS = 60000 };

struct aws {
    const struct gateway_backend *backend;
    /* Of documents that are read, changed and written: one request at a time, so that none takes
     * away what another builds on. */
    pthread_mutex_t writing;
};

enum aws_error {
    AWS_OK,
    AWS_VALIDATION,
    AWS_NOT_FOUND,
    AWS_CONFLICT,
    AWS_EXCEEDS,
    AWS_THROTTLING,
    AWS_INTERNAL,
    AWS_DENIED,
    AWS_UNKNOWN_OPERATION,
    AWS_SERIALIZATION
};

/* One request. The first error that is set is the answer's. */
struct aws_call {
    struct aws *aws;
    struct kin_arena arena;            /* what the request needs, until it is answered */
    const char *label[AWS_LABELS_MAX]; /* the variable parts of the path, decoded */
    struct kin_str query;
    json_t *in;  /* the body, with known members only; NULL where the operation has none */
    json_t *out; /* the answer's object, owned */
    enum aws_error error;
    char message[AWS_TEXT_MAX + 1];
    const char *quota_name; /* of AWS_EXCEEDS */
    uint32_t quota_value;
};

/* Sets the error, unless there is one; always false, so that `return aws_fail(...)` reads well. */
bool aws_fail(struct aws_call *call, enum aws_error error, const char *format, ...)
    KIN_PRINTF(3, 4);
bool aws_no_memory(struct aws_call *call);
/* The error that a status of the coordinator stands for. text may be empty. */
bool aws_fail_status(struct aws_call *call, uint32_t status, struct kin_str text, const char *what);

/* Adds a member; the value is consumed, NULL stands for memory that there was none of. */
void aws_set(struct aws_call *call, json_t *object, const char *key, json_t *value);
void aws_set_text(struct aws_call *call, json_t *object, const char *key, const char *text);
/* A copy of a member of another object, if it is there. */
void aws_copy(struct aws_call *call, json_t *to, const json_t *from, const char *key);
const char *aws_text(const json_t *object, const char *key); /* "" where there is none */
bool aws_true(const json_t *object, const char *key);
json_t *aws_parse(const void *p, size_t n); /* strict; NULL: no JSON, or nested too deeply */

/* ---- parameters of the query (aws_query.c) ---- */

/* Decodes %XX of n bytes into the arena; NULL: malformed, or not valid UTF-8 without controls. */
char *aws_decode(struct kin_arena *arena, const char *p, size_t n);
/* The number-th value of a parameter, decoded, in *out, or NULL where there are not so many. false:
 * failed. */
bool aws_param(struct aws_call *call, const char *name, size_t number, const char **out);
/* maxResults, 1..25, and the place after which the page begins, "" for the first. kind tells tokens
 * of different lists apart. */
bool aws_page(struct aws_call *call, const char *kind, int max_min, size_t *limit,
              const char **after);
/* nextToken of a page that ends with that place. */
void aws_set_next(struct aws_call *call, const char *kind, const char *last);

/* ---- the backend (aws_ask.c) ---- */

/* What came back; strings of m lie in `strings`. */
struct aws_answer {
    struct kin_message m;
    struct kin_buf strings;
    struct kin_buf payload;
};
void aws_answer_deinit(struct aws_answer *answer);
/* Asks and waits. payload is consumed. false: no answer, or one of another type than wanted, which
 * has failed the call. */
bool aws_ask(struct aws_call *call, struct kin_message *m, struct kin_buf *payload,
             uint32_t timeout_ms, uint32_t wanted, struct aws_answer *answer);

extern const char aws_schema_kind[], aws_workflow_kind[], aws_job_kind[];

/* The document, owned. NULL without an error: there is none. */
json_t *aws_doc_get(struct aws_call *call, const char *kind, const char *name);
/* create: KIN_E_EXISTS is AWS_CONFLICT. */
bool aws_doc_put(struct aws_call *call, const char *kind, const char *name, const json_t *doc,
                 bool create);
bool aws_doc_delete(struct aws_call *call, const char *kind, const char *name); /* or none there */
/* An array of at most limit names after a name, owned; *more: there are others. NULL: failed. */
json_t *aws_doc_list(struct aws_call *call, const char *kind, const char *after, size_t limit,
                     bool *more);

/* ---- things in common ---- */

uint64_t aws_now_ms(void);
/* arn:aws:entityresolution:us-east-1:000000000000:TYPE/NAME, in the arena; NULL: no memory */
const char *aws_arn(struct aws_call *call, const char *type, const char *name);
/* The document, or ResourceNotFoundException. */
json_t *aws_need_schema(struct aws_call *call, const char *name);
json_t *aws_need_workflow(struct aws_call *call, const char *name);
/* *used: a matching workflow refers to the schema mapping. workflows: all of them, or NULL: they
 * are read. */
bool aws_schema_used(struct aws_call *call, const char *name, const json_t *workflows, bool *used);
json_t *aws_all_workflows(struct aws_call *call); /* array of documents, owned; NULL: failed */

/* ---- operations: each fills call->out, or fails ---- */

typedef void aws_operation_fn(struct aws_call *call);
aws_operation_fn aws_create_schema, aws_get_schema, aws_update_schema, aws_delete_schema,
    aws_list_schemas; /* aws_schema.c */
aws_operation_fn aws_create_workflow, aws_get_workflow, aws_update_workflow, aws_delete_workflow,
    aws_list_workflows;                                     /* aws_workflow.c */
aws_operation_fn aws_start_job, aws_get_job, aws_list_jobs; /* aws_job.c */
aws_operation_fn aws_get_match_id, aws_generate_match_id;   /* aws_match.c */
aws_operation_fn aws_delete_unique_ids;                     /* aws_unique_ids.c */
aws_operation_fn aws_tag, aws_untag, aws_list_tags;         /* aws_tags.c */
/* Whether a job of the workflow is not over; and all that is known of its jobs goes. */
bool aws_jobs_busy(struct aws_call *call, const char *workflow, bool *busy);
bool aws_jobs_forget(struct aws_call *call, const char *workflow);

#endif
