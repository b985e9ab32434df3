#ifndef KIN_TESTS_UNIT_AWS_KIT_H
#define KIN_TESTS_UNIT_AWS_KIT_H
/* Requests and what is expected of their answers; include cmocka first. */
#include "tests/unit/aws_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct kit {
    struct fake *fake;
    struct aws *aws;
    unsigned status; /* of the last answer */
    char error[64];  /* its error type, or "" */
    json_t *answer;
};

static inline int kit_setup(void **state)
{
    struct kit *k = kin_calloc(1, sizeof *k);
    assert_non_null(k);
    k->fake = fake_new();
    assert_int_equal(aws_new(&k->fake->backend, &k->aws), KIN_OK);
    *state = k;
    return 0;
}

static inline int kit_teardown(void **state)
{
    struct kit *k = *state;
    aws_free(k->aws);
    fake_free(k->fake);
    json_decref(k->answer);
    kin_free(k);
    return 0;
}

/* The answer is borrowed until the next request. */
static inline json_t *kit_ask(struct kit *k, const char *method, const char *path,
                              const char *query, const char *body)
{
    struct gateway_request request = {method, path, kin_str_of(query ? query : ""),
                                      kin_str_of(body ? body : ""), "AKIDEXAMPLE"};
    struct gateway_response response = {.status = 1};
    aws_handle(k->aws, &request, &response);
    json_decref(k->answer);
    k->answer = json_loadb((const char *)response.body.p, response.body.n, 0, NULL);
    assert_non_null(k->answer);
    k->status = response.status;
    snprintf(k->error, sizeof k->error, "%s", response.error_type ? response.error_type : "");
    assert_true((k->status == 200) == !response.error_type);
    if (response.error_type)
        assert_string_not_equal(json_string_value(json_object_get(k->answer, "message")), "");
    kin_buf_deinit(&response.body);
    return k->answer;
}

static inline json_t *kit_good(struct kit *k, const char *method, const char *path,
                               const char *query, const char *body)
{
    kit_ask(k, method, path, query, body);
    if (k->status != 200)
        fail_msg("%s %s: %u %s: %s", method, path, k->status, k->error,
                 json_string_value(json_object_get(k->answer, "message")));
    return k->answer;
}

static inline const char *kit_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "(none)";
}

/* The request fails like this, with a message that has a part like that. */
static inline void kit_fails(struct kit *k, const char *method, const char *path, const char *query,
                             const char *body, unsigned status, const char *error, const char *part)
{
    kit_ask(k, method, path, query, body);
    const char *message = kit_text(k->answer, "message");
    if (k->status != status || strcmp(k->error, error) != 0 || !strstr(message, part))
        fail_msg("%s %s: %u %s: %s; expected %u %s: ...%s...", method, path, k->status, k->error,
                 message, status, error, part);
}

#define KIT_PEOPLE                                                                   \
    "{\"schemaName\":\"people-schema\",\"mappedInputFields\":["                      \
    "{\"fieldName\":\"cid\",\"type\":\"UNIQUE_ID\"},"                                \
    "{\"fieldName\":\"first\",\"type\":\"NAME_FIRST\",\"matchKey\":\"first_name\"}," \
    "{\"fieldName\":\"last\",\"type\":\"NAME_LAST\",\"matchKey\":\"last_name\"},"    \
    "{\"fieldName\":\"mail\",\"type\":\"EMAIL_ADDRESS\",\"matchKey\":\"email\"},"    \
    "{\"fieldName\":\"dob\",\"type\":\"DATE\",\"matchKey\":\"dob\"},"                \
    "{\"fieldName\":\"note\",\"type\":\"STRING\"}]}"

#define KIT_BODY_OF(name, source, output, techniques)                           \
    "{" name "\"inputSourceConfig\":[{\"inputSourceARN\":\"" source             \
    "\",\"schemaName\":\"people-schema\",\"applyNormalization\":true}],"        \
    "\"outputSourceConfig\":[{\"outputS3Path\":\"" output                       \
    "\",\"output\":[{\"name\":\"cid\"}]}],\"resolutionTechniques\":" techniques \
    ",\"roleArn\":\"arn:aws:iam::000000000000:role/any\"}"
#define KIT_SIMPLE                                                                               \
    "{\"resolutionType\":\"RULE_MATCHING\",\"ruleBasedProperties\":{\"attributeMatchingModel\":" \
    "\"ONE_TO_ONE\",\"rules\":[{\"ruleName\":\"same email\",\"matchingKeys\":[\"email\"]},"      \
    "{\"ruleName\":\"name and birth\",\"matchingKeys\":[\"last_name\",\"dob\"]}]}}"
#define KIT_ADVANCED(condition)                                                      \
    "{\"resolutionType\":\"RULE_MATCHING\",\"ruleConditionProperties\":{\"rules\":[" \
    "{\"ruleName\":\"r\",\"condition\":\"" condition "\"}]}}"
#define KIT_WORKFLOW \
    KIT_BODY_OF("\"workflowName\":\"people\",", "file:///data/crm.csv", "/data/out", KIT_SIMPLE)

static inline void kit_people(struct kit *k)
{
    kit_good(k, "POST", "/schemas", NULL, KIT_PEOPLE);
    kit_good(k, "POST", "/matchingworkflows", NULL, KIT_WORKFLOW);
}

#endif
