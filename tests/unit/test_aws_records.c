/* The AWS gateway where records are: jobs, GetMatchId, GenerateMatchId, BatchDeleteUniqueId. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/aws_kit.h"

#define JOBS "/matchingworkflows/people/jobs"
#define MATCHES "/matchingworkflows/people/matches"
#define GENERATE "/matchingworkflows/people/generateMatches"
#define UNIQUE_IDS "/matchingworkflows/people/uniqueids"
#define ARN "file:///data/crm.csv"

/* ---- jobs ---- */

static void start(struct kit *k, char id[40])
{
    json_t *a = kit_good(k, "POST", JOBS, NULL, "{}");
    snprintf(id, 40, "%s", kit_text(a, "jobId"));
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    assert_int_equal(strlen(id), 32);
}

static json_t *job(struct kit *k, const char *id)
{
    char path[120];
    snprintf(path, sizeof path, JOBS "/%s", id);
    return kit_good(k, "GET", path, NULL, NULL);
}

static json_int_t metric(const json_t *answer, const char *key)
{
    const json_t *n = json_object_get(json_object_get(answer, "metrics"), key);
    return json_is_integer(n) ? json_integer_value(n) : -1;
}

static void a_job_goes_its_way(void **state)
{
    struct kit *k = *state;
    char id[40];
    kit_people(k);
    start(k, id);
    assert_string_equal(k->fake->out_dir, "/data/out");
    assert_true(k->fake->serve);
    k->fake->job_state = KIN_JOB_QUEUED;
    json_t *a = job(k, id);
    assert_string_equal(kit_text(a, "status"), "QUEUED");
    assert_string_equal(kit_text(a, "jobId"), id);
    assert_true(json_integer_value(json_object_get(a, "startTime")) > 1500000000);
    assert_null(json_object_get(a, "endTime"));
    k->fake->job_state = KIN_JOB_RUNNING;
    a = job(k, id);
    assert_string_equal(kit_text(a, "status"), "RUNNING");
    assert_int_equal(metric(a, "inputRecords"), 7);
    k->fake->job_state = KIN_JOB_DONE;
    k->fake->ended_ms = 1700000000123;
    k->fake->live = "{\"workflow\":\"other\",\"records\":1,\"groups\":1},"
                    "{\"workflow\":\"people\",\"records\":12,\"groups\":9}";
    a = job(k, id);
    assert_string_equal(kit_text(a, "status"), "SUCCEEDED");
    assert_int_equal(json_integer_value(json_object_get(a, "endTime")), 1700000000);
    assert_int_equal(metric(a, "totalRecordsProcessed"), 12);
    assert_int_equal(metric(a, "matchIDs"), 9);
    assert_int_equal(metric(a, "inputRecords"), -1);
    const json_t *out = json_array_get(json_object_get(a, "outputSourceConfig"), 0);
    assert_string_equal(kit_text(out, "outputS3Path"), "/data/out");
    /* it is remembered when the coordinator has forgotten it */
    k->fake->job_state = 0;
    assert_string_equal(kit_text(job(k, id), "status"), "SUCCEEDED");
}

static void a_job_may_fail(void **state)
{
    struct kit *k = *state;
    static const struct {
        uint32_t state;
        const char *text, *message;
    } rows[] = {{KIN_JOB_FAILED, "no file /data/crm.csv", "no file /data/crm.csv"},
                {KIN_JOB_CANCELLED, "", "cancelled"},
                {0, NULL, "does not know"}};
    kit_people(k);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[40];
        start(k, id);
        k->fake->job_state = rows[i].state;
        k->fake->job_text = rows[i].text;
        json_t *a = job(k, id);
        assert_string_equal(kit_text(a, "status"), "FAILED");
        assert_non_null(json_object_get(a, "endTime"));
        assert_non_null(
            strstr(kit_text(json_object_get(a, "errorDetails"), "errorMessage"), rows[i].message));
    }
}

static void jobs_are_refused(void **state)
{
    struct kit *k = *state;
    kit_fails(k, "POST", JOBS, NULL, NULL, 404, "ResourceNotFoundException", "people");
    kit_fails(k, "GET", JOBS, NULL, NULL, 404, "ResourceNotFoundException", "people");
    kit_people(k);
    k->fake->refusal = "a source is not below the coordinator's --files";
    k->fake->status[KIN_MSG_SUBMIT] = KIN_E_INVAL;
    kit_fails(k, "POST", JOBS, NULL, NULL, 400, "ValidationException", "--files");
    k->fake->status[KIN_MSG_SUBMIT] = KIN_E_BUSY;
    kit_fails(k, "POST", JOBS, NULL, NULL, 429, "ThrottlingException", "");
    k->fake->silent[KIN_MSG_SUBMIT] = true;
    kit_fails(k, "POST", JOBS, NULL, NULL, 500, "InternalServerException", "");
    kit_fails(k, "GET", JOBS "/0123456789abcdef0123456789abcdef", NULL, NULL, 404,
              "ResourceNotFoundException", "no job");
    kit_fails(k, "GET", JOBS "/xyz", NULL, NULL, 400, "ValidationException", "[a-f0-9]{32}");
    assert_int_equal(json_array_size(json_object_get(kit_good(k, "GET", JOBS, NULL, NULL), "jobs")),
                     0);
}

static void jobs_are_listed_the_newest_first(void **state)
{
    struct kit *k = *state;
    char ids[5][40], query[1200] = "maxResults=2";
    kit_people(k);
    kit_good(k, "POST", "/matchingworkflows", NULL,
             KIT_BODY_OF("\"workflowName\":\"others\",", "/data/a.csv", "/data/b", KIT_SIMPLE));
    k->fake->job_state = KIN_JOB_QUEUED;
    for (int i = 0; i < 5; i++) {
        start(k, ids[i]);
        kit_good(k, "POST", "/matchingworkflows/others/jobs", NULL, NULL);
    }
    int seen = 0;
    for (const char *token = query; token;) {
        json_t *a = kit_good(k, "GET", JOBS, query, NULL);
        const json_t *jobs = json_object_get(a, "jobs");
        assert_int_equal(json_array_size(jobs), seen == 4 ? 1 : 2);
        for (size_t i = 0; i < json_array_size(jobs); i++, seen++) {
            bool mine = false;
            for (int n = 0; n < 5; n++)
                mine = mine || strcmp(ids[n], kit_text(json_array_get(jobs, i), "jobId")) == 0;
            assert_true(mine);
        }
        token = json_string_value(json_object_get(a, "nextToken"));
        snprintf(query, sizeof query, "maxResults=2&nextToken=%s", token ? token : "");
        if (token) /* it is of this workflow */
            kit_fails(k, "GET", "/matchingworkflows/others/jobs", query, NULL, 400,
                      "ValidationException", "nextToken");
    }
    assert_int_equal(seen, 5);
    kit_fails(k, "GET", JOBS, "maxResults=0", NULL, 400, "ValidationException", "or equal to 1");
    /* ids begin with the time, counted downwards */
    assert_true(strncmp(ids[4], ids[0], 12) <= 0);
}

static void a_workflow_with_a_job_stays(void **state)
{
    struct kit *k = *state;
    char id[40];
    kit_people(k);
    start(k, id);
    k->fake->job_state = KIN_JOB_RUNNING;
    kit_fails(k, "DELETE", "/matchingworkflows/people", NULL, NULL, 409, "ConflictException",
              "not over");
    k->fake->job_state = KIN_JOB_DONE;
    kit_good(k, "DELETE", "/matchingworkflows/people", NULL, NULL);
    for (size_t i = 0; i < k->fake->doc_count; i++)
        assert_string_not_equal(k->fake->docs[i].kind, "aws-job");
}

/* ---- GetMatchId ---- */

static void a_record_is_looked_up_by_fields(void **state)
{
    struct kit *k = *state;
    kit_people(k);
    json_t *a = kit_good(k, "POST", MATCHES, NULL, "{\"record\":{\"mail\":\"a@b.c\"}}");
    assert_int_equal(json_object_size(a), 0); /* no match */
    k->fake->lookup = "{\"match_id\":\"6f0c\",\"rule\":\"same email\",\"confidence\":1}";
    a = kit_good(k, "POST", MATCHES, NULL,
                 "{\"record\":{\"mail\":\"a@b.c\",\"last\":\"Lee\",\"note\":\"x\",\"cid\":\"1\"},"
                 "\"applyNormalization\":true}");
    assert_string_equal(kit_text(a, "matchId"), "6f0c");
    assert_string_equal(kit_text(a, "matchRule"), "same email");
    assert_string_equal(k->fake->payload, "{\"email\":[\"a@b.c\"],\"last_name\":[\"Lee\"]}\n");
    assert_string_equal(k->fake->source, "");
}

static void lookups_fail_as_they_should(void **state)
{
    struct kit *k = *state;
    static const char record[] = "{\"record\":{\"mail\":\"a@b.c\"}}";
    kit_fails(k, "POST", MATCHES, NULL, record, 404, "ResourceNotFoundException", "people");
    kit_people(k);
    kit_fails(k, "POST", MATCHES, NULL, "{}", 400, "ValidationException", "null at 'record'");
    kit_fails(k, "POST", MATCHES, NULL, "{\"record\":{\"maul\":\"a\"}}", 400, "ValidationException",
              "no attribute maul");
    kit_ask(k, "POST", MATCHES, NULL, "{\"record\":{\"mail\":\"secret;\"}}");
    assert_int_equal(k->status, 400);
    assert_null(strstr(kit_text(k->answer, "message"), "secret")); /* values are sensitive */
    k->fake->status[KIN_MSG_LOOKUP] = KIN_E_NOTFOUND;
    kit_fails(k, "POST", MATCHES, NULL, record, 404, "ResourceNotFoundException", "job");
    k->fake->status[KIN_MSG_LOOKUP] = KIN_E_BUSY;
    kit_fails(k, "POST", MATCHES, NULL, record, 429, "ThrottlingException", "");
    k->fake->status[KIN_MSG_LOOKUP] = KIN_OK;
    k->fake->lookup = "{\"match_id\":null,\"error\":{\"field\":\"dob\",\"reason\":\"no date\"}}";
    kit_fails(k, "POST", MATCHES, NULL, record, 400, "ValidationException", "dob: no date");
    k->fake->lookup = NULL;
    k->fake->partial = true; /* a part away is not: no match */
    kit_fails(k, "POST", MATCHES, NULL, record, 500, "InternalServerException", "Try again");
    k->fake->partial = false;
    k->fake->lookup = "[1]";
    kit_fails(k, "POST", MATCHES, NULL, record, 500, "InternalServerException", "");
    k->fake->silent[KIN_MSG_LOOKUP] = true;
    kit_fails(k, "POST", MATCHES, NULL, record, 500, "InternalServerException", "");
}

/* ---- GenerateMatchId ---- */

#define RECORD(type)                                                     \
    "{\"records\":[{\"inputSourceARN\":\"" ARN "\",\"uniqueId\":\"c1\"," \
    "\"recordAttributeMap\":{\"mail\":\"a@b.c\",\"first\":\"Zo\xc3\xab\"}}]" type "}"
#define TYPE(type) ",\"processingType\":\"" type "\""

static const json_t *group_of(struct kit *k, const char *body)
{
    json_t *a = kit_good(k, "POST", GENERATE, NULL, body);
    assert_int_equal(json_array_size(json_object_get(a, "failedRecords")), 0);
    assert_int_equal(json_array_size(json_object_get(a, "matchGroups")), 1);
    const json_t *group = json_array_get(json_object_get(a, "matchGroups"), 0);
    const json_t *record = json_array_get(json_object_get(group, "records"), 0);
    assert_string_equal(kit_text(record, "inputSourceARN"), ARN);
    assert_string_equal(kit_text(record, "recordId"), "c1");
    return group;
}

static void consistent_ids_are_waited_for(void **state)
{
    struct kit *k = *state;
    kit_people(k);
    const json_t *group = group_of(k, RECORD(""));
    assert_string_equal(kit_text(group, "matchId"), "c0ffee");
    assert_string_equal(kit_text(group, "matchRule"), "waited");
    assert_true(k->fake->wait && !k->fake->mint);
    assert_string_equal(k->fake->source, "crm");
    assert_non_null(strstr(k->fake->payload, "\"cid\":\"c1\""));
    assert_non_null(strstr(k->fake->payload, "\"first\":\"Zo\xc3\xab\""));
    assert_int_equal(k->fake->asked[KIN_MSG_LOOKUP], 0);
    /* again: the rule is that of its group now */
    k->fake->group = "{\"match_id\":\"c0ffee\",\"members\":[{\"source\":\"web\",\"id\":\"c1\","
                     "\"rule\":\"wrong\"},{\"source\":\"crm\",\"id\":\"c1\",\"rule\":\"right\"}]}";
    group = group_of(k, RECORD(TYPE("CONSISTENT")));
    assert_string_equal(kit_text(group, "matchRule"), "right");
}

static void eventual_ids_are_looked_up_first(void **state)
{
    struct kit *k = *state;
    kit_people(k);
    k->fake->lookup = "{\"match_id\":\"6f0c\",\"rule\":\"same email\"}";
    const json_t *group = group_of(k, RECORD(TYPE("EVENTUAL")));
    assert_string_equal(kit_text(group, "matchId"), "6f0c");
    assert_string_equal(kit_text(group, "matchRule"), "same email");
    assert_true(!k->fake->wait && !k->fake->mint && k->fake->id_count == 1);
    k->fake->lookup = NULL;
    k->fake->id_count = (kin_free(k->fake->ids[0]), 0);
    group = group_of(k, RECORD(TYPE("EVENTUAL")));
    assert_string_equal(kit_text(group, "matchId"), "f00d");
    assert_string_equal(kit_text(group, "matchRule"), "");
    assert_true(!k->fake->wait && k->fake->mint);
    assert_int_equal(k->fake->asked[KIN_MSG_LOOKUP], 2);
}

static void without_lookup_an_id_is_minted(void **state)
{
    struct kit *k = *state;
    kit_people(k);
    k->fake->lookup = "{\"match_id\":\"6f0c\",\"rule\":\"same email\"}";
    const json_t *group = group_of(k, RECORD(TYPE("EVENTUAL_NO_LOOKUP")));
    assert_string_equal(kit_text(group, "matchId"), "f00d");
    assert_int_equal(k->fake->asked[KIN_MSG_LOOKUP], 0);
    /* one that is there founds nothing: its group is asked for */
    k->fake->group = "{\"match_id\":\"beef\",\"members\":[]}";
    group = group_of(k, RECORD(TYPE("EVENTUAL_NO_LOOKUP")));
    assert_string_equal(kit_text(group, "matchId"), "beef");
    k->fake->group = NULL;
    kit_fails(k, "POST", GENERATE, NULL, RECORD(TYPE("EVENTUAL_NO_LOOKUP")), 500,
              "InternalServerException", "no MatchId yet");
}

static void records_may_fail(void **state)
{
    struct kit *k = *state;
    kit_people(k);
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"{\"id\":\"c1\",\"outcome\":\"rejected\",\"field\":\"mail\",\"reason\":\"too long\"}",
         "mail: too long"},
        {"{\"id\":\"c1\",\"outcome\":\"superseded\"}", "newer"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        k->fake->put = rows[i].line;
        json_t *a = kit_good(k, "POST", GENERATE, NULL, RECORD(""));
        assert_int_equal(json_array_size(json_object_get(a, "matchGroups")), 0);
        const json_t *failed = json_array_get(json_object_get(a, "failedRecords"), 0);
        assert_string_equal(kit_text(failed, "uniqueId"), "c1");
        assert_string_equal(kit_text(failed, "inputSourceARN"), ARN);
        assert_non_null(strstr(kit_text(failed, "errorMessage"), rows[i].message));
    }
}

static void generating_fails_as_it_should(void **state)
{
    struct kit *k = *state;
#define RECORDS(records) "{\"records\":[" records "]}"
#define ONE(arn, id, map) \
    "{\"inputSourceARN\":\"" arn "\",\"uniqueId\":\"" id "\",\"recordAttributeMap\":" map "}"
    kit_fails(k, "POST", GENERATE, NULL, RECORD(""), 404, "ResourceNotFoundException", "people");
    kit_people(k);
    static const struct {
        const char *body, *part;
    } bad[] = {{"{}", "null at 'records'"},
               {RECORDS(""), "greater than or equal to 1"},
               {RECORDS(ONE(ARN, "a", "{}") "," ONE(ARN, "b", "{}")), "less than or equal to 1"},
               {RECORDS(ONE(ARN, "a b", "{}")), "Value 'a b' at 'records.1.member.uniqueId'"},
               {RECORDS(ONE(ARN, "123456789012345678901234567890123456789", "{}")), "equal to 38"},
               {RECORDS(ONE(ARN, "a", "{\"DELETE\":\"true\"}")), "no attribute DELETE"},
               {RECORDS(ONE("/data/web.csv", "a", "{}")), "no input source"},
               {RECORDS(ONE("arn:aws:glue:us-east-1:000000000000:table/a/b", "a", "{}")), "Glue"},
               {RECORD(TYPE("LATER")), "[CONSISTENT, EVENTUAL, EVENTUAL_NO_LOOKUP]"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        kit_fails(k, "POST", GENERATE, NULL, bad[i].body, 400, "ValidationException", bad[i].part);
    assert_int_equal(k->fake->asked[KIN_MSG_PUT], 0);
    k->fake->status[KIN_MSG_PUT] = KIN_E_NOTFOUND;
    kit_fails(k, "POST", GENERATE, NULL, RECORD(""), 404, "ResourceNotFoundException", "job");
    k->fake->status[KIN_MSG_PUT] = KIN_E_BUSY;
    kit_fails(k, "POST", GENERATE, NULL, RECORD(""), 429, "ThrottlingException", "");
    k->fake->silent[KIN_MSG_PUT] = true;
    kit_fails(k, "POST", GENERATE, NULL, RECORD(""), 500, "InternalServerException", "");
}

/* ---- BatchDeleteUniqueId ---- */

static void put_ids(struct kit *k, const char *const *names)
{
    for (; *names; names++)
        k->fake->ids[k->fake->id_count++] = fake_copy(kin_str_of(*names));
}

static void unique_ids_are_deleted(void **state)
{
    struct kit *k = *state;
    kit_people(k);
    put_ids(k, (const char *const[]){"crm/c1", "crm/c,2", "crm/c3", NULL});
    json_t *a =
        kit_good(k, "DELETE", UNIQUE_IDS, "uniqueIds=c1%2C%20%22c%2C2%22,none&uniqueIds=c1", NULL);
    assert_string_equal(kit_text(a, "status"), "COMPLETED");
    const json_t *deleted = json_object_get(a, "deleted"), *errors = json_object_get(a, "errors");
    assert_int_equal(json_array_size(deleted), 2);
    assert_string_equal(kit_text(json_array_get(deleted, 0), "uniqueId"), "c1");
    assert_string_equal(kit_text(json_array_get(deleted, 1), "uniqueId"), "c,2");
    assert_int_equal(json_array_size(errors), 1);
    assert_string_equal(kit_text(json_array_get(errors, 0), "uniqueId"), "none");
    assert_string_equal(kit_text(json_array_get(errors, 0), "errorType"), "VALIDATION_ERROR");
    const json_t *left = json_object_get(a, "disconnectedUniqueIds");
    assert_int_equal(json_array_size(left), 2);
    assert_string_equal(json_string_value(json_array_get(left, 0)), "left-c1");
    assert_true(k->fake->wait);
    assert_int_equal(k->fake->id_count, 1);
    a = kit_good(k, "DELETE", UNIQUE_IDS, "inputSource=file%3A%2F%2F%2Fdata%2Fcrm.csv&uniqueIds=c3",
                 NULL);
    assert_int_equal(json_array_size(json_object_get(a, "deleted")), 1);
}

static void all_sources_are_looked_through(void **state)
{
    struct kit *k = *state;
    kit_people(k);
    kit_good(k, "POST", "/matchingworkflows", NULL,
             "{\"workflowName\":\"two\",\"inputSourceConfig\":["
             "{\"inputSourceARN\":\"/data/crm.csv\",\"schemaName\":\"people-schema\"},"
             "{\"inputSourceARN\":\"/old/crm.csv.gz\",\"schemaName\":\"people-schema\"}],"
             "\"outputSourceConfig\":[{\"outputS3Path\":\"/data/out\",\"output\":[]}],"
             "\"resolutionTechniques\":" KIT_SIMPLE ",\"roleArn\":\"\"}");
    put_ids(k, (const char *const[]){"crm/a", "crm-2/b", NULL});
    json_t *a = kit_good(k, "DELETE", "/matchingworkflows/two/uniqueids", "uniqueIds=a,b,c", NULL);
    assert_int_equal(json_array_size(json_object_get(a, "deleted")), 2);
    assert_int_equal(json_array_size(json_object_get(a, "errors")), 1);
    put_ids(k, (const char *const[]){"crm/a", "crm-2/a", NULL});
    kit_good(k, "DELETE", "/matchingworkflows/two/uniqueids",
             "uniqueIds=a&inputSource=/old/crm.csv.gz", NULL);
    assert_int_equal(k->fake->id_count, 1);
    assert_string_equal(k->fake->ids[0], "crm/a");
}

static void deleting_fails_as_it_should(void **state)
{
    struct kit *k = *state;
    kit_fails(k, "DELETE", UNIQUE_IDS, "uniqueIds=a", NULL, 404, "ResourceNotFoundException",
              "people");
    kit_people(k);
    kit_fails(k, "DELETE", UNIQUE_IDS, NULL, NULL, 400, "ValidationException", "'uniqueIds'");
    kit_fails(k, "DELETE", UNIQUE_IDS, "uniqueIds=,%20,", NULL, 400, "ValidationException",
              "'uniqueIds'");
    kit_fails(k, "DELETE", UNIQUE_IDS, "uniqueIds=a,b%3Bc", NULL, 400, "ValidationException",
              "Value 'b;c' at 'uniqueIds.2.member'");
    kit_fails(k, "DELETE", UNIQUE_IDS, "uniqueIds=a&inputSource=/x", NULL, 400,
              "ValidationException", "no input source");
    k->fake->status[KIN_MSG_PUT] = KIN_E_IO;
    json_t *a = kit_good(k, "DELETE", UNIQUE_IDS, "uniqueIds=a", NULL);
    const json_t *error = json_array_get(json_object_get(a, "errors"), 0);
    assert_string_equal(kit_text(error, "errorType"), "SERVICE_ERROR");
    k->fake->status[KIN_MSG_PUT] = KIN_E_BUSY;
    kit_fails(k, "DELETE", UNIQUE_IDS, "uniqueIds=a", NULL, 429, "ThrottlingException", "");
    k->fake->status[KIN_MSG_PUT] = KIN_E_NOTFOUND;
    kit_fails(k, "DELETE", UNIQUE_IDS, "uniqueIds=a", NULL, 404, "ResourceNotFoundException",
              "job");
    k->fake->status[KIN_MSG_PUT] = KIN_OK;
    k->fake->put = "{\"id\":\"a\",\"outcome\":\"accepted\"}";
    a = kit_good(k, "DELETE", UNIQUE_IDS, "uniqueIds=a", NULL);
    assert_string_equal(kit_text(a, "status"), "ACCEPTED");
    k->fake->silent[KIN_MSG_PUT] = true;
    a = kit_good(k, "DELETE", UNIQUE_IDS, "uniqueIds=a", NULL);
    error = json_array_get(json_object_get(a, "errors"), 0);
    assert_string_equal(kit_text(error, "errorType"), "SERVICE_ERROR");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {TEST(a_job_goes_its_way),
                                       TEST(a_job_may_fail),
                                       TEST(jobs_are_refused),
                                       TEST(jobs_are_listed_the_newest_first),
                                       TEST(a_workflow_with_a_job_stays),
                                       TEST(a_record_is_looked_up_by_fields),
                                       TEST(lookups_fail_as_they_should),
                                       TEST(consistent_ids_are_waited_for),
                                       TEST(eventual_ids_are_looked_up_first),
                                       TEST(without_lookup_an_id_is_minted),
                                       TEST(records_may_fail),
                                       TEST(generating_fails_as_it_should),
                                       TEST(unique_ids_are_deleted),
                                       TEST(all_sources_are_looked_through),
                                       TEST(deleting_fails_as_it_should)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
