/* The documents of the AWS gateway: schema mappings, matching workflows, tags, paging, and errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/aws_kit.h"

#include <pthread.h>

static void it_knows_the_operations_of_the_api(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *path;
    } known[] = {{"POST", "/schemas"},
                 {"GET", "/schemas"},
                 {"GET", "/schemas/a"},
                 {"PUT", "/schemas/a"},
                 {"DELETE", "/schemas/a"},
                 {"POST", "/matchingworkflows"},
                 {"GET", "/matchingworkflows"},
                 {"GET", "/matchingworkflows/a"},
                 {"PUT", "/matchingworkflows/a"},
                 {"DELETE", "/matchingworkflows/a"},
                 {"POST", "/matchingworkflows/a/jobs"},
                 {"GET", "/matchingworkflows/a/jobs"},
                 {"GET", "/matchingworkflows/a/jobs/b"},
                 {"POST", "/matchingworkflows/a/matches"},
                 {"POST", "/matchingworkflows/a/generateMatches"},
                 {"DELETE", "/matchingworkflows/a/uniqueids"},
                 {"POST", "/tags/arn%3Aaws"},
                 {"DELETE", "/tags/arn:aws/b"},
                 {"GET", "/tags/a"},
                 {"POST", "/idmappingworkflows"},
                 {"GET", "/idmappingworkflows"},
                 {"GET", "/idmappingworkflows/a"},
                 {"PUT", "/idmappingworkflows/a"},
                 {"DELETE", "/idmappingworkflows/a"},
                 {"POST", "/idmappingworkflows/a/jobs"},
                 {"GET", "/idmappingworkflows/a/jobs"},
                 {"GET", "/idmappingworkflows/a/jobs/b"},
                 {"POST", "/idnamespaces"},
                 {"GET", "/idnamespaces"},
                 {"GET", "/idnamespaces/a"},
                 {"PUT", "/idnamespaces/a"},
                 {"DELETE", "/idnamespaces/a"},
                 {"GET", "/providerservices"},
                 {"GET", "/providerservices/a/b"},
                 {"GET", "/policies/a"},
                 {"PUT", "/policies/a"},
                 {"POST", "/policies/a/b"},
                 {"DELETE", "/policies/a/b"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_true(aws_knows(known[i].method, known[i].path));
    assert_int_equal(sizeof known / sizeof *known, 38); /* as many as the API has */
    assert_false(aws_knows("PATCH", "/schemas"));
    assert_false(aws_knows("GET", "/"));
    assert_false(aws_knows("GET", ""));
    assert_false(aws_knows("GET", "/schemas/"));
    assert_false(aws_knows("GET", "/schemas/a/b"));
    assert_false(aws_knows("GET", "/schemasx"));
    assert_false(aws_knows("GET", "/v1/group"));
}

static void an_unknown_operation_is_404(void **state)
{
    struct kit *k = *state;
    kit_fails(k, "PATCH", "/schemas", NULL, NULL, 404, "UnknownOperationException", "");
    kit_fails(k, "GET", "/nothing", NULL, NULL, 404, "UnknownOperationException", "");
}

static void a_schema_mapping_lives(void **state)
{
    struct kit *k = *state;
    json_t *a = kit_good(k, "POST", "/schemas", NULL, KIT_PEOPLE);
    assert_string_equal(kit_text(a, "schemaArn"),
                        "arn:aws:entityresolution:us-east-1:000000000000:schemamapping/"
                        "people-schema");
    assert_string_equal(kit_text(a, "description"), "");
    assert_int_equal(json_array_size(json_object_get(a, "mappedInputFields")), 6);
    a = kit_good(k, "GET", "/schemas/people%2Dschema", NULL, NULL);
    assert_true(json_integer_value(json_object_get(a, "createdAt")) > 1500000000);
    assert_true(json_is_false(json_object_get(a, "hasWorkflows")));
    kit_good(k, "POST", "/matchingworkflows", NULL, KIT_WORKFLOW);
    a = kit_good(k, "GET", "/schemas/people-schema", NULL, NULL);
    assert_true(json_is_true(json_object_get(a, "hasWorkflows")));
    a = kit_good(k, "GET", "/schemas", NULL, NULL);
    json_t *first = json_array_get(json_object_get(a, "schemaList"), 0);
    assert_string_equal(kit_text(first, "schemaName"), "people-schema");
    assert_true(json_is_true(json_object_get(first, "hasWorkflows")));
    assert_null(json_object_get(a, "nextToken"));

    kit_fails(k, "POST", "/schemas", NULL, KIT_PEOPLE, 409, "ConflictException", "already exists");
    kit_fails(k, "DELETE", "/schemas/people-schema", NULL, NULL, 409, "ConflictException", "used");
    kit_fails(k, "PUT", "/schemas/people-schema", NULL, KIT_PEOPLE, 409, "ConflictException",
              "used");
    kit_good(k, "DELETE", "/matchingworkflows/people", NULL, NULL);
    kit_good(k, "PUT", "/schemas/people-schema", NULL,
             "{\"description\":\"new\",\"mappedInputFields\":[{\"fieldName\":\"n\",\"type\":"
             "\"UNIQUE_ID\"},{\"fieldName\":\"m\",\"type\":\"STRING\",\"matchKey\":\"m\"}]}");
    a = kit_good(k, "GET", "/schemas/people-schema", NULL, NULL);
    assert_string_equal(kit_text(a, "description"), "new");
    kit_good(k, "DELETE", "/schemas/people-schema", NULL, NULL);
    kit_good(k, "DELETE", "/schemas/people-schema", NULL, NULL); /* also what is not there */
    kit_fails(k, "GET", "/schemas/people-schema", NULL, NULL, 404, "ResourceNotFoundException",
              "people-schema");
    kit_fails(k, "PUT", "/schemas/people-schema", NULL, KIT_PEOPLE, 404,
              "ResourceNotFoundException", "people-schema");
}

static void schema_mappings_are_checked(void **state)
{
    struct kit *k = *state;
#define SCHEMA(attributes) "{\"schemaName\":\"s\",\"mappedInputFields\":[" attributes "]}"
#define ID "{\"fieldName\":\"i\",\"type\":\"UNIQUE_ID\"}"
    static const struct {
        const char *body;
        const char *part;
    } bad[] = {
        {"{}", "2 validation errors detected: Value null at 'schemaName' failed to satisfy "
               "constraint: Member must not be null; Value null at 'mappedInputFields'"},
        {"{\"schemaName\":null,\"mappedInputFields\":[" ID "," ID "]}", "null at 'schemaName'"},
        {"{\"schemaName\":\"a b\",\"mappedInputFields\":[" ID "," ID "]}",
         "1 validation error detected: Value 'a b' at 'schemaName' failed to satisfy constraint: "
         "Member must satisfy regular expression pattern: [a-zA-Z_0-9-]*"},
        {"{\"schemaName\":\"\",\"mappedInputFields\":[" ID "," ID "]}",
         "Member must have length greater than or equal to 1"},
        {"{\"schemaName\":7,\"mappedInputFields\":[" ID "," ID "]}", "Member must be a string"},
        {SCHEMA(ID), "Member must have length greater than or equal to 2"},
        {SCHEMA(ID ",{\"fieldName\":\"a\",\"type\":\"WORD\"}"),
         "Value 'WORD' at 'mappedInputFields.2.member.type' failed to satisfy constraint: Member "
         "must satisfy enum value set: [NAME, NAME_FIRST, "},
        {SCHEMA(ID ",{\"fieldName\":\"a\"}"), "null at 'mappedInputFields.2.member.type'"},
        {SCHEMA(ID ",{\"fieldName\":\"a.b\",\"type\":\"STRING\"}"), "[a-zA-Z_0-9- ]*"},
        {SCHEMA(ID "," ID), "there twice"},
        {SCHEMA(ID ",{\"fieldName\":\"\",\"type\":\"STRING\"}"), "no fieldName"},
        {SCHEMA(ID ",{\"fieldName\":\"DELETE\",\"type\":\"STRING\"}"), "reserved"},
        {SCHEMA(ID ",{\"fieldName\":\"j\",\"type\":\"UNIQUE_ID\"}"), "this one has 2"},
        {SCHEMA("{\"fieldName\":\"j\",\"type\":\"DATE\"},{\"fieldName\":\"l\",\"type\":\"DATE\"}"),
         "this one has 0"},
        {SCHEMA(ID ",{\"fieldName\":\"a\",\"type\":\"DATE\",\"hashed\":\"yes\"}"),
         "Member must be a boolean"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        kit_fails(k, "POST", "/schemas", NULL, bad[i].body, 400, "ValidationException",
                  bad[i].part);
    char name[260];
    memset(name, 'a', sizeof name);
    name[256] = '\0';
    char path[300];
    snprintf(path, sizeof path, "/schemas/%s", name);
    kit_fails(k, "GET", path, NULL, NULL, 400, "ValidationException",
              "Member must have length less than or equal to 255");
    kit_fails(k, "GET", "/schemas/a%20b", NULL, NULL, 400, "ValidationException", "'a b'");
    kit_fails(k, "GET", "/schemas/a%2", NULL, NULL, 400, "ValidationException", "percent");
    kit_fails(k, "GET", "/schemas/a%00b", NULL, NULL, 400, "ValidationException", "percent");
    kit_fails(k, "GET", "/schemas/%ff", NULL, NULL, 400, "ValidationException", "percent");
    assert_int_equal(k->fake->doc_count, 0);
}

static void bodies_that_are_no_json_are_refused(void **state)
{
    struct kit *k = *state;
    static const char *const bad[] = {"{",
                                      "[]",
                                      "\"a\"",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":\"\\u0000\"}",
                                      "{\"a\":\"\xff\"}",
                                      "{} {}",
                                      "[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        kit_fails(k, "POST", "/schemas", NULL, bad[i], 400, "SerializationException", "");
    size_t n = (1 << 20) + 1;
    char *large = kin_alloc(n + 1);
    memset(large, ' ', n);
    large[n] = '\0';
    kit_fails(k, "POST", "/schemas", NULL, large, 400, "ValidationException", "bytes");
    kin_free(large);
}

static void a_matching_workflow_lives(void **state)
{
    struct kit *k = *state;
    kit_good(k, "POST", "/schemas", NULL, KIT_PEOPLE);
    json_t *a = kit_good(k, "POST", "/matchingworkflows", NULL, KIT_WORKFLOW);
    assert_string_equal(kit_text(a, "workflowArn"),
                        "arn:aws:entityresolution:us-east-1:000000000000:matchingworkflow/people");
    assert_non_null(json_object_get(a, "resolutionTechniques"));
    kit_fails(k, "POST", "/matchingworkflows", NULL, KIT_WORKFLOW, 409, "ConflictException",
              "people already exists");
    a = kit_good(k, "GET", "/matchingworkflows/people", NULL, NULL);
    assert_string_equal(kit_text(a, "roleArn"), "arn:aws:iam::000000000000:role/any");
    assert_true(json_integer_value(json_object_get(a, "updatedAt")) > 1500000000);
    assert_true(json_is_object(json_object_get(a, "tags")));
    a = kit_good(k, "PUT", "/matchingworkflows/people", NULL,
                 KIT_BODY_OF("\"incrementalRunConfig\":{\"incrementalRunType\":\"IMMEDIATE\"},",
                             "/data/other.csv", "/data/out",
                             "{\"resolutionType\":\"ML_MATCHING\"}"));
    assert_null(json_object_get(a, "workflowArn"));
    a = kit_good(k, "GET", "/matchingworkflows/people", NULL, NULL);
    assert_string_equal(kit_text(json_object_get(a, "incrementalRunConfig"), "incrementalRunType"),
                        "IMMEDIATE");
    a = kit_good(k, "GET", "/matchingworkflows", NULL, NULL);
    json_t *first = json_array_get(json_object_get(a, "workflowSummaries"), 0);
    assert_string_equal(kit_text(first, "workflowName"), "people");
    assert_string_equal(kit_text(first, "resolutionType"), "ML_MATCHING");
    kit_good(k, "DELETE", "/matchingworkflows/people", NULL, NULL);
    kit_good(k, "DELETE", "/matchingworkflows/people", NULL, NULL);
    kit_fails(k, "GET", "/matchingworkflows/people", NULL, NULL, 404, "ResourceNotFoundException",
              "people");
    kit_fails(k, "PUT", "/matchingworkflows/people", NULL,
              KIT_BODY_OF("", "/data/crm.csv", "/data/out", KIT_SIMPLE), 404,
              "ResourceNotFoundException", "people");
}

static void lists_have_pages(void **state)
{
    struct kit *k = *state;
    char name[32], query[1200];
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "s%02d", i);
        fake_store(k->fake, KIN_STR("aws-schema"), kin_str_of(name),
                   KIN_STR("{\"createdAt\":1,\"updatedAt\":2}"));
    }
    json_t *a = kit_good(k, "GET", "/schemas", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(a, "schemaList")), 25);
    snprintf(query, sizeof query, "nextToken=%s", kit_text(a, "nextToken"));
    a = kit_good(k, "GET", "/schemas", query, NULL);
    assert_int_equal(json_array_size(json_object_get(a, "schemaList")), 5);
    assert_string_equal(kit_text(json_array_get(json_object_get(a, "schemaList"), 0), "schemaName"),
                        "s25");
    assert_null(json_object_get(a, "nextToken"));
    /* a token of another list, one that was changed, and what is none */
    kit_fails(k, "GET", "/matchingworkflows", query, NULL, 400, "ValidationException", "nextToken");
    query[strlen(query) - 3] ^= 1;
    kit_fails(k, "GET", "/schemas", query, NULL, 400, "ValidationException", "nextToken");
    static const char *const bad[] = {"nextToken=", "nextToken=%2a", "nextToken=YQ", "nextToken=%%",
                                      "nextToken=a%20b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        kit_fails(k, "GET", "/schemas", bad[i], NULL, 400, "ValidationException", "nextToken");
    a = kit_good(k, "GET", "/schemas", "maxResults=7", NULL);
    assert_int_equal(json_array_size(json_object_get(a, "schemaList")), 7);
    kit_fails(k, "GET", "/schemas", "maxResults=26", NULL, 400, "ValidationException",
              "Value '26' at 'maxResults' failed to satisfy constraint: Member must have value "
              "less than or equal to 25");
    kit_fails(k, "GET", "/schemas", "maxResults=x", NULL, 400, "ValidationException", "integer");
    kit_fails(k, "GET", "/schemas", "maxResults=-1", NULL, 400, "ValidationException", "greater");
}

static void there_are_quotas(void **state)
{
    struct kit *k = *state;
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "s%04d", i);
        fake_store(k->fake, KIN_STR("aws-schema"), kin_str_of(name), KIN_STR("{}"));
    }
    kit_fails(k, "POST", "/schemas", NULL, KIT_PEOPLE, 402, "ExceedsLimitException", "1000");
    assert_int_equal(json_integer_value(json_object_get(k->answer, "quotaValue")), 1000);
    assert_string_equal(kit_text(k->answer, "quotaName"), "schema mappings");
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "w%04d", i);
        fake_store(k->fake, KIN_STR("aws-workflow"), kin_str_of(name), KIN_STR("{}"));
    }
    kit_good(k, "DELETE", "/schemas/s0000", NULL, NULL);
    kit_good(k, "POST", "/schemas", NULL, KIT_PEOPLE);
    kit_fails(k, "POST", "/matchingworkflows", NULL, KIT_WORKFLOW, 402, "ExceedsLimitException",
              "1000");
}

static void resources_have_tags(void **state)
{
    struct kit *k = *state;
    static const char arn[] = "/tags/arn%3Aaws%3Aentityresolution%3Aus-east-1%3A000000000000%3A"
                              "matchingworkflow%2Fpeople";
    static const char plain[] = "/tags/arn:aws:entityresolution:us-east-1:000000000000:"
                                "schemamapping/people-schema";
    kit_people(k);
    kit_good(k, "POST", arn, NULL, "{\"tags\":{\"team\":\"crm\",\"a b\":\"x=y\"}}");
    kit_good(k, "POST", plain, NULL, "{\"tags\":{\"of\":\"schema\"}}");
    json_t *a = kit_good(k, "GET", arn, NULL, NULL);
    assert_string_equal(kit_text(json_object_get(a, "tags"), "a b"), "x=y");
    kit_good(k, "DELETE", arn, "tagKeys=a%20b&tagKeys=none", NULL);
    a = kit_good(k, "GET", arn, NULL, NULL);
    assert_int_equal(json_object_size(json_object_get(a, "tags")), 1);
    /* they are the resource's, and outlive a change of it */
    kit_good(k, "PUT", "/matchingworkflows/people", NULL,
             KIT_BODY_OF("", "/data/crm.csv", "/data/out", KIT_SIMPLE));
    a = kit_good(k, "GET", "/matchingworkflows/people", NULL, NULL);
    assert_string_equal(kit_text(json_object_get(a, "tags"), "team"), "crm");
    a = kit_good(k, "GET", "/schemas/people-schema", NULL, NULL);
    assert_string_equal(kit_text(json_object_get(a, "tags"), "of"), "schema");

    kit_fails(k, "DELETE", arn, NULL, NULL, 400, "ValidationException", "'tagKeys'");
    kit_fails(k, "POST", arn, NULL, "{\"tags\":{\"\":\"x\"}}", 400, "ValidationException",
              "length greater");
    kit_fails(k, "POST", arn, NULL, "{}", 400, "ValidationException", "null at 'tags'");
    kit_fails(k, "GET", "/tags/arn%3Aaws", NULL, NULL, 400, "ValidationException", "resourceArn");
    kit_fails(k, "GET",
              "/tags/arn:aws:entityresolution:us-east-1:000000000000:matchingworkflow/none", NULL,
              NULL, 404, "ResourceNotFoundException", "none");
    kit_fails(k, "GET", /* of another account */
              "/tags/arn:aws:entityresolution:us-east-1:000000000001:matchingworkflow/people", NULL,
              NULL, 404, "ResourceNotFoundException", "people");
    kit_fails(k, "GET", "/tags/arn:aws:entityresolution:us-east-1:000000000000:idnamespace/people",
              NULL, NULL, 404, "ResourceNotFoundException", "people");
    char many[8192] = "{\"tags\":{";
    for (int i = 0; i < 200; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "%s\"k%d\":\"\"", i ? "," : "",
                 i);
    strncat(many, "}}", sizeof many - strlen(many) - 1);
    kit_fails(k, "POST", arn, NULL, many, 400, "ValidationException", "at most 200");
}

static void what_has_no_meaning_here_is_told(void **state)
{
    struct kit *k = *state;
    json_t *a = kit_good(k, "GET", "/providerservices", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(a, "providerServiceSummaries")), 0);
    a = kit_good(k, "GET", "/idmappingworkflows", "maxResults=5", NULL);
    assert_true(json_is_array(json_object_get(a, "workflowSummaries")));
    a = kit_good(k, "GET", "/idnamespaces", NULL, NULL);
    assert_true(json_is_array(json_object_get(a, "idNamespaceSummaries")));
    kit_good(k, "DELETE", "/idmappingworkflows/a", NULL, NULL);
    kit_good(k, "DELETE", "/idnamespaces/a", NULL, NULL);
    static const struct {
        const char *method, *path;
        unsigned status;
        const char *error;
    } rows[] = {{"POST", "/idmappingworkflows", 400, "ValidationException"},
                {"GET", "/idmappingworkflows/a", 404, "ResourceNotFoundException"},
                {"PUT", "/idmappingworkflows/a", 404, "ResourceNotFoundException"},
                {"POST", "/idmappingworkflows/a/jobs", 404, "ResourceNotFoundException"},
                {"GET", "/idmappingworkflows/a/jobs", 404, "ResourceNotFoundException"},
                {"GET", "/idmappingworkflows/a/jobs/b", 404, "ResourceNotFoundException"},
                {"POST", "/idnamespaces", 400, "ValidationException"},
                {"GET", "/idnamespaces/a", 404, "ResourceNotFoundException"},
                {"PUT", "/idnamespaces/a", 404, "ResourceNotFoundException"},
                {"GET", "/providerservices/a/b", 404, "ResourceNotFoundException"},
                {"GET", "/policies/a", 403, "AccessDeniedException"},
                {"PUT", "/policies/a", 403, "AccessDeniedException"},
                {"POST", "/policies/a/b", 403, "AccessDeniedException"},
                {"DELETE", "/policies/a/b", 403, "AccessDeniedException"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        kit_fails(k, rows[i].method, rows[i].path, NULL, "{}", rows[i].status, rows[i].error, "");
}

static void what_the_coordinator_says_becomes_an_error(void **state)
{
    struct kit *k = *state;
    kit_people(k);
    static const struct {
        uint32_t status;
        unsigned http;
        const char *error;
    } rows[] = {
        {KIN_E_BUSY, 429, "ThrottlingException"},     {KIN_E_IO, 500, "InternalServerException"},
        {KIN_E_FULL, 500, "InternalServerException"}, {KIN_E_NOMEM, 500, "InternalServerException"},
        {KIN_E_INVAL, 400, "ValidationException"},    {KIN_E_LIMIT, 402, "ExceedsLimitException"},
        {9999, 500, "InternalServerException"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        k->fake->status[KIN_MSG_DOC] = rows[i].status;
        kit_fails(k, "GET", "/matchingworkflows/people", NULL, NULL, rows[i].http, rows[i].error,
                  "");
        kit_fails(k, "GET", "/schemas", NULL, NULL, rows[i].http, rows[i].error, "");
        kit_fails(k, "DELETE", "/schemas/a", NULL, NULL, rows[i].http, rows[i].error, "");
    }
    k->fake->status[KIN_MSG_DOC] = KIN_OK;
    k->fake->silent[KIN_MSG_DOC] = true;
    kit_fails(k, "GET", "/schemas/people-schema", NULL, NULL, 500, "InternalServerException",
              "no answer");
    k->fake->silent[KIN_MSG_DOC] = false;
    k->fake->garbage = true;
    kit_fails(k, "GET", "/schemas/people-schema", NULL, NULL, 500, "InternalServerException", "");
    kit_fails(k, "GET", "/schemas", NULL, NULL, 500, "InternalServerException", "");
}

/* ---- memory runs out at each allocation in turn, but never the coordinator's ---- */

struct starved {
    struct fake *fake;
    size_t left; /* allocations that work */
};

static void starved_ask(void *backend, struct kin_message *m, struct kin_buf *payload,
                        uint32_t timeout_ms,
                        void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f),
                        void *arg)
{
    struct starved *s = backend;
    size_t used = kin_alloc_fail_after(SIZE_MAX);
    s->left -= used < s->left ? used : s->left;
    fake_ask(s->fake, m, payload, timeout_ms, answer, arg);
    kin_alloc_fail_after(s->left);
}

static void memory_may_run_out(void **state)
{
    struct kit *k = *state;
    struct starved s = {k->fake, 0};
    struct gateway_backend backend = {starved_ask, &s};
    static const struct {
        const char *method, *path, *query, *body;
    } requests[] = {
        {"PUT", "/matchingworkflows/people", "",
         KIT_BODY_OF("", "/data/crm.csv", "/data/out",
                     KIT_ADVANCED("ExactManyToMany(email, email) OR Exact(dob)"))},
        {"POST", "/matchingworkflows/people/jobs", "", ""},
        {"GET", "/matchingworkflows/people/jobs", "", ""},
        {"POST", "/matchingworkflows/people/matches", "", "{\"record\":{\"mail\":\"a@b.c\"}}"},
        {"POST", "/matchingworkflows/people/generateMatches", "",
         "{\"records\":[{\"inputSourceARN\":\"/data/crm.csv\",\"uniqueId\":\"c1\","
         "\"recordAttributeMap\":{\"mail\":\"a@b.c\"}}]}"},
        {"DELETE", "/matchingworkflows/people/uniqueids", "uniqueIds=c1,c2", ""},
        {"GET", "/schemas", "maxResults=1", ""}};
    struct aws *aws = NULL;
    kit_people(k);
    k->fake->job_state = KIN_JOB_DONE;
    assert_int_equal(aws_new(&backend, &aws), KIN_OK);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        unsigned status = 0;
        for (size_t n = 0; status != 200; n++) {
            struct gateway_request request = {requests[i].method, requests[i].path,
                                              kin_str_of(requests[i].query),
                                              kin_str_of(requests[i].body), NULL};
            struct gateway_response response = {.status = 0};
            s.left = n;
            kin_alloc_fail_after(n);
            aws_handle(aws, &request, &response);
            kin_alloc_fail_after(SIZE_MAX);
            status = response.status;
            if (status != 200 && status != 500)
                fail_msg("%s %s, %zu allocations: %u %.*s", requests[i].method, requests[i].path, n,
                         status, (int)response.body.n, (const char *)response.body.p);
            kin_buf_deinit(&response.body);
            assert_true(n < 100000);
        }
    }
    aws_free(aws);
}

/* ---- many at once: of creations of one name exactly one succeeds ---- */

enum { THREADS = 4 };

struct racer {
    struct aws *aws;
    unsigned status;
};

static pthread_mutex_t race_lock = PTHREAD_MUTEX_INITIALIZER;

static void race_ask(void *backend, struct kin_message *m, struct kin_buf *payload,
                     uint32_t timeout_ms,
                     void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f),
                     void *arg)
{
    pthread_mutex_lock(&race_lock);
    fake_ask(backend, m, payload, timeout_ms, answer, arg);
    pthread_mutex_unlock(&race_lock);
}

static void *race(void *arg)
{
    struct racer *r = arg;
    struct gateway_request request = {"POST", "/schemas", {NULL, 0}, kin_str_of(KIT_PEOPLE), NULL};
    struct gateway_response response;
    aws_handle(r->aws, &request, &response);
    r->status = response.status;
    kin_buf_deinit(&response.body);
    return NULL;
}

static void many_may_ask_at_once(void **state)
{
    struct kit *k = *state;
    struct gateway_backend backend = {race_ask, k->fake};
    struct racer racers[THREADS] = {{0}};
    pthread_t threads[THREADS];
    struct aws *aws = NULL;
    assert_int_equal(aws_new(&backend, &aws), KIN_OK);
    for (int i = 0; i < THREADS; i++) {
        racers[i].aws = aws;
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    int created = 0, conflicts = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        created += racers[i].status == 200;
        conflicts += racers[i].status == 409;
    }
    assert_int_equal(created, 1);
    assert_int_equal(conflicts, THREADS - 1);
    aws_free(aws);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {TEST(it_knows_the_operations_of_the_api),
                                       TEST(an_unknown_operation_is_404),
                                       TEST(a_schema_mapping_lives),
                                       TEST(schema_mappings_are_checked),
                                       TEST(bodies_that_are_no_json_are_refused),
                                       TEST(a_matching_workflow_lives),
                                       TEST(lists_have_pages),
                                       TEST(there_are_quotas),
                                       TEST(resources_have_tags),
                                       TEST(what_has_no_meaning_here_is_told),
                                       TEST(what_the_coordinator_says_becomes_an_error),
                                       TEST(memory_may_run_out),
                                       TEST(many_may_ask_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
