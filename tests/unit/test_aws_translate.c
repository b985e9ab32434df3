/* Schema mappings and matching workflows of AWS as workflow files: the text is read, and its rules
 * hold for the records that they should hold for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/workflow/workflow.h"
#include "tests/unit/aws_kit.h"

#define ATTRIBUTE(name, type, more) "{\"fieldName\":\"" name "\",\"type\":\"" type "\"" more "}"
#define KEY(key) ",\"matchKey\":\"" key "\""
#define GROUP(group) ",\"groupName\":\"" group "\""
#define ID ATTRIBUTE("i", "UNIQUE_ID", "")
#define INPUT(path, schema) "{\"inputSourceARN\":\"" path "\",\"schemaName\":\"" schema "\"}"
#define SIMPLE(model, rules)                                                                     \
    "{\"resolutionType\":\"RULE_MATCHING\",\"ruleBasedProperties\":{\"attributeMatchingModel\":" \
    "\"" model "\",\"rules\":[" rules "]}}"
#define RULE(name, keys) "{\"ruleName\":\"" name "\",\"matchingKeys\":[" keys "]}"
#define ML "{\"resolutionType\":\"ML_MATCHING\"}"

static void schema(struct kit *k, const char *name, const char *attributes)
{
    char body[8192];
    snprintf(body, sizeof body, "{\"schemaName\":\"%s\",\"mappedInputFields\":[%s]}", name,
             attributes);
    kit_good(k, "POST", "/schemas", NULL, body);
}

static void write_body(char body[8192], const char *inputs, const char *techniques)
{
    snprintf(body, 8192,
             "{\"workflowName\":\"w\",\"inputSourceConfig\":[%s],\"outputSourceConfig\":["
             "{\"outputS3Path\":\"/out\",\"output\":[]}],\"resolutionTechniques\":%s,"
             "\"roleArn\":\"\"}",
             inputs, techniques);
}

/* The workflow file that a matching workflow is run as, parsed. */
static struct kin_workflow *translate(struct kit *k, const char *inputs, const char *techniques)
{
    char body[8192];
    struct kin_workflow *w = NULL;
    struct kin_problems problems = {0};
    write_body(body, inputs, techniques);
    kit_good(k, "DELETE", "/matchingworkflows/w", NULL, NULL);
    kit_good(k, "POST", "/matchingworkflows", NULL, body);
    k->fake->job_state = KIN_JOB_DONE;
    kit_good(k, "POST", "/matchingworkflows/w/jobs", NULL, NULL);
    if (kin_workflow_parse(kin_str_of(k->fake->workflow), "", &w, &problems) != KIN_OK)
        fail_msg("%s: %s\n%s", problems.items[0].key, problems.items[0].text, k->fake->workflow);
    kin_problems_deinit(&problems);
    return w;
}

static void refused(struct kit *k, const char *inputs, const char *techniques, const char *part)
{
    char body[8192];
    write_body(body, inputs, techniques);
    kit_fails(k, "POST", "/matchingworkflows", NULL, body, 400, "ValidationException", part);
}

/* A record of texts as normalised, given as "field=value|field=value"; a field may be there twice.
 */
static void record(const struct kin_workflow *w, const char *text, struct kin_buf *out)
{
    struct kin_features_builder b;
    kin_features_begin(&b, out, (uint16_t)w->schema.count, 0, 0, KIN_STR("r"));
    for (size_t f = 0; f < w->schema.count; f++) {
        bool begun = false;
        for (const char *p = text; *p;) {
            size_t n = strcspn(p, "|"), name = strcspn(p, "=");
            if (name < n && kin_str_eq(kin_str_of(w->fields[f].name), (struct kin_str){p, name})) {
                if (!begun)
                    kin_features_field(&b, (uint16_t)f);
                begun = true;
                kin_features_value(&b, (const uint8_t *)p + name + 1, n - name - 1, true);
            }
            p += n + (p[n] == '|');
        }
    }
    assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
}

static void holds(const struct kin_workflow *w, size_t rule, const char *a, const char *b, bool yes)
{
    struct kin_buf x = {0}, y = {0};
    struct kin_kernel_scratch *scratch = kin_kernel_scratch_new();
    assert_non_null(scratch);
    assert_true(rule < w->rule_count);
    record(w, a, &x);
    record(w, b, &y);
    if ((kin_condition_eval(w->rules[rule].condition, x.p, y.p, scratch) == KIN_TRUE) != yes)
        fail_msg("%s: %s | %s: expected %d", w->rules[rule].when, a, b, yes);
    kin_kernel_scratch_free(scratch);
    kin_buf_deinit(&x);
    kin_buf_deinit(&y);
}

static int field_of(const struct kin_workflow *w, const char *name)
{
    return kin_schema_find(&w->schema, kin_str_of(name));
}

/* ---- fields ---- */

static void every_type_has_one_of_ours(void **state)
{
    struct kit *k = *state;
    static const struct {
        const char *aws;
        enum kin_type type;
    } rows[] = {{"NAME", KIN_TYPE_NAME},
                {"NAME_FIRST", KIN_TYPE_NAME},
                {"NAME_MIDDLE", KIN_TYPE_NAME},
                {"NAME_LAST", KIN_TYPE_NAME},
                {"ADDRESS", KIN_TYPE_ADDRESS},
                {"ADDRESS_STREET1", KIN_TYPE_ADDRESS},
                {"ADDRESS_STREET2", KIN_TYPE_ADDRESS},
                {"ADDRESS_STREET3", KIN_TYPE_ADDRESS},
                {"ADDRESS_CITY", KIN_TYPE_TEXT},
                {"ADDRESS_STATE", KIN_TYPE_TEXT},
                {"ADDRESS_COUNTRY", KIN_TYPE_TEXT},
                {"ADDRESS_POSTALCODE", KIN_TYPE_POSTCODE},
                {"PHONE", KIN_TYPE_PHONE},
                {"PHONE_NUMBER", KIN_TYPE_PHONE},
                {"PHONE_COUNTRYCODE", KIN_TYPE_ID},
                {"EMAIL_ADDRESS", KIN_TYPE_EMAIL},
                {"DATE", KIN_TYPE_DATE},
                {"STRING", KIN_TYPE_TEXT},
                {"PROVIDER_ID", KIN_TYPE_ID},
                {"IPV4", KIN_TYPE_TEXT},
                {"IPV6", KIN_TYPE_TEXT},
                {"MAID", KIN_TYPE_ID}};
    enum { ROWS = sizeof rows / sizeof *rows };
    char attributes[8192] = ID;
    for (size_t i = 0; i < ROWS; i++)
        snprintf(attributes + strlen(attributes), sizeof attributes - strlen(attributes),
                 ",{\"fieldName\":\"c%zu\",\"type\":\"%s\",\"matchKey\":\"k%zu\"}", i, rows[i].aws,
                 i);
    schema(k, "s", attributes);
    struct kin_workflow *w =
        translate(k, INPUT("/d/a.csv", "s"), SIMPLE("ONE_TO_ONE", RULE("r", "\"k0\"")));
    assert_int_equal(w->schema.count, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(w->fields[i].type, rows[i].type);
    assert_string_equal(w->sources[0].id, "i");
    assert_string_equal(w->sources[0].columns[3].names[0], "c3");
    kin_workflow_free(w);
    w = translate(k, INPUT("/d/a.csv", "s"), ML);
    assert_int_equal(w->model->comparison_count, KIN_COMPARISONS_MAX);
    kin_workflow_free(w);
}

static void hashed_attributes_are_compared_as_they_are(void **state)
{
    struct kit *k = *state;
    schema(k, "s", ID "," ATTRIBUTE("m", "EMAIL_ADDRESS", KEY("m") ",\"hashed\":true"));
    struct kin_workflow *w =
        translate(k, INPUT("/d/a.csv", "s"), SIMPLE("ONE_TO_ONE", RULE("r", "\"m\"")));
    assert_int_equal(w->fields[0].type, KIN_TYPE_ID);
    kin_workflow_free(w);
}

static void odd_names_are_quoted(void **state)
{
    struct kit *k = *state;
    schema(k, "s",
           ID "," ATTRIBUTE("e-mail  1", "EMAIL_ADDRESS", KEY("e-mail addr")) "," ATTRIBUTE(
               "1st", "STRING",
               KEY("1st")) "," ATTRIBUTE("null", "STRING",
                                         KEY("source")) "," ATTRIBUTE("carried", "STRING", ""));
    struct kin_workflow *w = translate(
        k, INPUT("file:///d/it's \\\"a\\\": [b], {c} #d \\\\ \xc3\xa9.csv", "s"),
        SIMPLE("ONE_TO_ONE", RULE("yes", "\"e-mail addr\",\"1st\"") "," RULE("", "\"source\"")));
    assert_string_equal(w->sources[0].paths[0], "/d/it's \"a\": [b], {c} #d \\ \xc3\xa9.csv");
    assert_int_equal(field_of(w, "e-mail addr"), 0);
    assert_int_equal(field_of(w, "_1st"), 1);
    assert_int_equal(field_of(w, "_source"), 2);
    assert_int_equal(w->schema.count, 3);
    assert_string_equal(w->sources[0].columns[0].names[0], "e-mail  1");
    assert_string_equal(w->rules[0].name, "yes");
    assert_string_equal(w->rules[1].name, "rule 2");
    holds(w, 0, "e-mail addr=a@b.c|_1st=x", "e-mail addr=a@b.c|_1st=x", true);
    holds(w, 0, "e-mail addr=a@b.c|_1st=x", "e-mail addr=a@b.c|_1st=y", false);
    kin_workflow_free(w);
}

static void sources_are_named_by_their_paths(void **state)
{
    struct kit *k = *state;
    schema(k, "s", ID "," ATTRIBUTE("m", "STRING", KEY("m")));
    schema(k, "t", ATTRIBUTE("uid", "UNIQUE_ID", "") "," ATTRIBUTE("n", "STRING", KEY("m")));
    struct kin_workflow *w =
        translate(k,
                  INPUT("/d/web/*.jsonl", "s") "," INPUT("/d/c r\xc3\xa9m.csv.gz",
                                                         "t") "," INPUT("/e/web.csv", "s"),
                  SIMPLE("ONE_TO_ONE", RULE("r", "\"m\"")));
    assert_int_equal(w->source_count, 3);
    assert_string_equal(w->sources[0].name, "c_r__m");
    assert_string_equal(w->sources[0].id, "uid");
    assert_string_equal(w->sources[0].columns[0].names[0], "n");
    assert_string_equal(w->sources[1].name, "web");
    assert_string_equal(w->sources[1].paths[0], "/d/web/*.jsonl");
    assert_string_equal(w->sources[2].name, "web-2");
    kin_workflow_free(w);
    refused(k, INPUT("/d/a", "s") "," INPUT("file:///d/a", "t"), ML, "twice");
}

/* ---- match keys ---- */

#define MAILS                                                                                      \
    ID "," ATTRIBUTE("work", "EMAIL_ADDRESS",                                                      \
                     KEY("mail") ",\"subType\":\"office\"") "," ATTRIBUTE("home", "EMAIL_ADDRESS", \
                                                                          KEY("mail"))

static void several_attributes_of_a_key_are_alternatives(void **state)
{
    struct kit *k = *state;
    schema(k, "s", MAILS);
    struct kin_workflow *w =
        translate(k, INPUT("/d/a.csv", "s"), SIMPLE("MANY_TO_MANY", RULE("r", "\"mail\"")));
    assert_int_equal(w->schema.count, 1);
    assert_int_equal(w->sources[0].columns[0].count, 2);
    holds(w, 0, "mail=a@b.c|mail=d@e.f", "mail=d@e.f", true); /* whichever */
    kin_workflow_free(w);
    w = translate(k, INPUT("/d/a.csv", "s"), SIMPLE("ONE_TO_ONE", RULE("r", "\"mail\"")));
    assert_int_equal(w->schema.count, 2);
    holds(w, 0, "mail office=a@b.c|mail home=d@e.f", "mail office=d@e.f", false);
    holds(w, 0, "mail office=a@b.c|mail home=d@e.f", "mail office=x@y.z|mail home=d@e.f", true);
    holds(w, 0, "mail office=a@b.c", "mail office=a@b.c", true);
    kin_workflow_free(w);
}

static void lookups_fill_all_fields_of_an_attribute(void **state)
{
    struct kit *k = *state;
    schema(k, "s", MAILS);
    kin_workflow_free(
        translate(k, INPUT("/d/a.csv", "s"), SIMPLE("MANY_TO_MANY", RULE("r", "\"mail\""))));
    kit_good(k, "POST", "/matchingworkflows/w/matches", NULL,
             "{\"record\":{\"work\":\"a@b.c\",\"home\":\"d@e.f\"}}");
    assert_string_equal(k->fake->payload, "{\"mail\":[\"a@b.c\",\"d@e.f\"]}\n");
}

#define GROUPED                                                                                  \
    ID "," ATTRIBUTE("f", "NAME_FIRST", KEY("name") GROUP("n")) "," ATTRIBUTE(                   \
        "m", "NAME_MIDDLE",                                                                      \
        KEY("name") GROUP("n")) "," ATTRIBUTE("l", "NAME_LAST",                                  \
                                              KEY("name") GROUP("n")) "," ATTRIBUTE("d", "DATE", \
                                                                                    KEY("dob"))

static void groups_are_equal_where_their_parts_are(void **state)
{
    struct kit *k = *state;
    schema(k, "s", GROUPED);
    struct kin_workflow *w =
        translate(k, INPUT("/d/a.csv", "s"), SIMPLE("ONE_TO_ONE", RULE("r", "\"name\"")));
    assert_int_equal(w->schema.count, 4);
    assert_int_equal(w->block_key_count, 0); /* by value, without pairs */
    holds(w, 0, "name first=ann|name last=lee", "name first=ann|name last=lee", true);
    holds(w, 0, "name first=ann|name last=lee", "name first=ann|name middle=b|name last=lee",
          false);
    holds(w, 0, "name first=ann", "name first=ann", false); /* the last name is what it is about */
    holds(w, 0, "name first=ann|name last=lee", "name first=bob|name last=lee", false);
    kin_workflow_free(w);
    w = translate(k, INPUT("/d/a.csv", "s"),
                  KIT_ADVANCED("Exact(name) AND Exact(dob, EmptyValues=Process)"));
    kin_workflow_free(w);
    refused(k, INPUT("/d/a.csv", "s"), KIT_ADVANCED("Levenshtein(name, 2) AND Exact(dob)"),
            "only Exact");
    schema(k, "whole", ID "," ATTRIBUTE("n", "NAME", KEY("name")));
    refused(k, INPUT("/d/a.csv", "s") "," INPUT("/d/b.csv", "whole"),
            SIMPLE("ONE_TO_ONE", RULE("r", "\"name\"")), "is not in another");
    schema(k, "two", GROUPED "," ATTRIBUTE("x", "NAME_LAST", KEY("name") GROUP("o")));
    refused(k, INPUT("/d/a.csv", "two"), SIMPLE("ONE_TO_ONE", RULE("r", "\"name\"")),
            "a match key of its own");
    schema(k, "odd",
           ID "," ATTRIBUTE("x", "NAME", KEY("k") GROUP("o")) "," ATTRIBUTE("y", "NAME",
                                                                            KEY("k") GROUP("o")));
    refused(k, INPUT("/d/a.csv", "odd"), SIMPLE("ONE_TO_ONE", RULE("r", "\"k\"")), "cannot be");
}

/* ---- rules ---- */

#define WIDE_EMAIL ATTRIBUTE("a", "EMAIL_ADDRESS", KEY("email"))
#define WIDE_BACKUP ATTRIBUTE("b", "EMAIL_ADDRESS", KEY("backup"))
#define WIDE_NAME ATTRIBUTE("l", "NAME_LAST", KEY("last name"))
#define WIDE_NOTES ATTRIBUTE("n", "STRING", KEY("notes"))
#define WIDE_TAX ATTRIBUTE("t", "PROVIDER_ID", KEY("tax-id"))
#define WIDE ID "," WIDE_EMAIL "," WIDE_BACKUP "," WIDE_NAME "," WIDE_NOTES "," WIDE_TAX

static void advanced_rules_mean_the_same(void **state)
{
    struct kit *k = *state;
    static const struct {
        const char *condition, *a, *b;
        bool yes;
    } rows[] = {
        {"Exact(email)", "email=x", "email=x", true},
        {"Exact(email)", "email=x", "email=y", false},
        {"Exact(email)", "notes=x", "notes=x", false},
        {"Exact(notes, EmptyValues=Process) AND Exact(email)", "email=x", "email=x", true},
        {"Exact(notes, EmptyValues=Process) AND Exact(email)", "email=x|notes=n", "email=x", false},
        {"Exact(notes,EmptyValues=Ignore) AND Exact(email)", "email=x", "email=x", false},
        {"ExactManyToMany(email, backup)", "email or backup=x", "email or backup=x", true},
        {"ExactManyToMany(email, backup)", "email or backup=x|email or backup=y",
         "email or backup=z", false},
        {"ExactManyToMany(email, backup, email)", "email or backup or email=x",
         "email or backup or email=x", true},
        {"ExactManyToMany(email, notes) AND Exact(\\\"tax-id\\\")", "email=x|tax-id=1",
         "notes=x|tax-id=1", true},
        {"Levenshtein(\\\"last name\\\", 1) AND Exact(email)", "last name=smith|email=x",
         "last name=smyth|email=x", true},
        {"Levenshtein(\\\"last name\\\",1) and exact(email)", "last name=smith|email=x",
         "last name=smooth|email=x", false},
        {"Cosine(notes, 0.5) AND Exact(email)", "notes=a b|email=x", "notes=b c|email=x", true},
        {"Soundex(\\\"last name\\\") AND Exact(email)", "last name=robert|email=x",
         "last name=rupert|email=x", true},
        {"(Exact(email) OR Exact(backup)) AND Exact(\\\"tax-id\\\")", "backup=x|tax-id=1",
         "backup=x|tax-id=1", true},
        {"(Exact(email) OR Exact(backup)) AND Exact(\\\"tax-id\\\")", "backup=x|tax-id=1",
         "backup=x|tax-id=2", false},
        {"Exact(\\\"tax-id\\\") OR Exact(email)", "email=x", "email=x", true}};
    schema(k, "s", WIDE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char techniques[600];
        snprintf(techniques, sizeof techniques, KIT_ADVANCED("%s"), rows[i].condition);
        struct kin_workflow *w = translate(k, INPUT("/d/a.csv", "s"), techniques);
        assert_string_equal(w->rules[0].name, "r");
        holds(w, 0, rows[i].a, rows[i].b, rows[i].yes);
        kin_workflow_free(w);
    }
}

static void bad_conditions_are_refused(void **state)
{
    struct kit *k = *state;
    static const struct {
        const char *condition, *part;
    } rows[] = {{"", "rules[0].when"},
                {"Exact(emial)", "no attribute of the schema mappings has the match key 'emial'"},
                {"Exact(a)", "match key 'a'"}, /* an attribute's name is no match key */
                {"Exact(email", "parenthesis"},
                {"Exact(\\\"email)", "quote"},
                {"Exact(email) Exact(email)", "expected AND"},
                {"Exacct(email)", "did you mean Exact"},
                {"Levenshtein(notes, 1)", "rules[0].when"}, /* nothing exact beside it */
                {"Cosine(notes, 10) AND Exact(email)", "threshold"},
                {"Exact(email, true)", "match key 'true'"},
                {"Exact()", "match key ''"},
                {"email", "Exact(email)?"}};
    schema(k, "s", WIDE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char techniques[600];
        snprintf(techniques, sizeof techniques, KIT_ADVANCED("%s"), rows[i].condition);
        refused(k, INPUT("/d/a.csv", "s"), techniques, rows[i].part);
    }
}

static void simple_rules_are_all_of_their_keys(void **state)
{
    struct kit *k = *state;
    schema(k, "s", WIDE);
    struct kin_workflow *w = translate(
        k, INPUT("/d/a.csv", "s"),
        SIMPLE("ONE_TO_ONE", RULE("both", "\"email\",\"tax-id\"") "," RULE("one", "\"backup\"")));
    assert_int_equal(w->rule_count, 2);
    holds(w, 0, "email=x|tax-id=1", "email=x|tax-id=1", true);
    holds(w, 0, "email=x|tax-id=1", "email=x|tax-id=2", false);
    holds(w, 1, "backup=x", "backup=x", true);
    kin_workflow_free(w);
    refused(k, INPUT("/d/a.csv", "s"), SIMPLE("ONE_TO_ONE", RULE("r", "")), "no matching keys");
    refused(k, INPUT("/d/a.csv", "s"), SIMPLE("ONE_TO_ONE", RULE("r", "\"a\"")), "match key 'a'");
    refused(k, INPUT("/d/a.csv", "s"),
            SIMPLE("ONE_TO_ONE", RULE("r", "\"email\"") "," RULE("r", "\"notes\"")),
            "also the name of");
}

static void a_model_learns_from_all_keys(void **state)
{
    struct kit *k = *state;
    schema(k, "s", WIDE);
    struct kin_workflow *w = translate(k, INPUT("/d/a.csv", "s"), ML);
    assert_non_null(w->model);
    assert_null(w->model->file);
    assert_int_equal(w->model->comparison_count, 5);
    assert_int_equal(w->rule_count, 0);
    assert_true(w->block_key_count >= 3);
    kin_workflow_free(w);
    schema(k, "names", GROUPED);
    w = translate(k, INPUT("/d/a.csv", "names"), ML);
    assert_true(w->block_key_count >= 3); /* pairs of names, and of a name and the date */
    kin_workflow_free(w);
    schema(k, "poor", ID "," ATTRIBUTE("x", "STRING", KEY("x")));
    w = translate(k, INPUT("/d/a.csv", "poor"), ML);
    assert_int_equal(w->block_key_count, 1);
    kin_workflow_free(w);
}

static void what_cannot_be_translated_is_refused(void **state)
{
    struct kit *k = *state;
    static const char s[] = INPUT("/d/a.csv", "s");
    schema(k, "s", WIDE);
    schema(k, "none", ID "," ATTRIBUTE("x", "STRING", ""));
    schema(k, "other", ID "," ATTRIBUTE("x", "DATE", KEY("email")));
    refused(k, INPUT("/d/a.csv", "gone"), ML, "no schema mapping gone");
    refused(k, INPUT("/d/a.csv", "none"), ML, "No attribute has a match key");
    refused(k, INPUT("/d/a.csv", "s") "," INPUT("/d/b.csv", "other"), ML, "compared as date");
    refused(k, s, "{\"resolutionType\":\"PROVIDER\",\"providerProperties\":{\"a\":1}}", "PROVIDER");
    refused(k, s, "{\"resolutionType\":\"RULE_MATCHING\"}", "ruleBasedProperties");
    refused(k, s, "{}", "null at 'resolutionTechniques.resolutionType'");
    static const char *const sources[] = {"arn:aws:glue:us-east-1:000000000000:table/a/b",
                                          "s3://bucket/a.csv",
                                          "data/a.csv",
                                          "file://host/a",
                                          "//a",
                                          "/a\\nb",
                                          "/"};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        char input[200];
        snprintf(input, sizeof input, INPUT("%s", "s"), sources[i]);
        refused(k, input, ML, "Member must be a path of this machine");
    }
    static const struct {
        const char *output, *part;
    } outputs[] = {
        {"{\"output\":[]}", "null at 'outputSourceConfig.1.member.outputS3Path'"},
        {"{\"outputS3Path\":\"s3://b/c\",\"output\":[]}", "s3:// is not supported"},
        {"{\"outputS3Path\":\"\",\"output\":[]}", "outputS3Path"},
        {"{\"outputS3Path\":\"/o\"}", "null at 'outputSourceConfig.1.member.output'"},
        {"{\"outputS3Path\":\"/o\",\"output\":[{\"name\":\"a\",\"hashed\":true}]}", "hashed"},
        {"{\"outputS3Path\":\"/o\",\"output\":[],\"KMSArn\":\"arn:aws:kms:x:1:y\"}", "KMS"},
        {"{\"outputS3Path\":\"/o\",\"output\":[],\"customerProfilesIntegrationConfig\":{}}",
         "customerProfiles"}};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        char body[2000];
        snprintf(body, sizeof body,
                 "{\"workflowName\":\"w\",\"inputSourceConfig\":[%s],\"outputSourceConfig\":[%s],"
                 "\"resolutionTechniques\":" ML ",\"roleArn\":\"\"}",
                 s, outputs[i].output);
        kit_fails(k, "POST", "/matchingworkflows", NULL, body, 400, "ValidationException",
                  outputs[i].part);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {TEST(every_type_has_one_of_ours),
                                       TEST(hashed_attributes_are_compared_as_they_are),
                                       TEST(odd_names_are_quoted),
                                       TEST(sources_are_named_by_their_paths),
                                       TEST(several_attributes_of_a_key_are_alternatives),
                                       TEST(lookups_fill_all_fields_of_an_attribute),
                                       TEST(groups_are_equal_where_their_parts_are),
                                       TEST(advanced_rules_mean_the_same),
                                       TEST(bad_conditions_are_refused),
                                       TEST(simple_rules_are_all_of_their_keys),
                                       TEST(a_model_learns_from_all_keys),
                                       TEST(what_cannot_be_translated_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
