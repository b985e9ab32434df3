#include "common/workflow/utf8.h"
#include "coordinator/gateway/aws_shape.h"

#include <string.h>

/* The shapes of API version 2018-05-10, as far as operations that are supported have them. */

/* ---- strings with a form of their own ---- */

static bool takes(struct kin_str *text, const char *word)
{
    size_t n = strlen(word);
    if (text->n < n || memcmp(text->p, word, n) != 0)
        return false;
    text->p += n;
    text->n -= n;
    return true;
}

static size_t digits(struct kin_str text)
{
    size_t n = 0;
    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    return n;
}

/* arn:(aws|aws-us-gov|aws-cn):entityresolution:REGION:ACCOUNT:TYPE/NAME */
static bool is_resource_arn(struct kin_str s)
{
    static const char *const types[] = {"schemamapping/", "matchingworkflow/", "idmappingworkflow/",
                                        "idnamespace/"};
    if (!takes(&s, "arn:aws"))
        return false;
    (void)(takes(&s, "-us-gov") || takes(&s, "-cn"));
    if (!takes(&s, ":entityresolution:"))
        return false;
    size_t region = 0;
    while (region < s.n && s.p[region] != ':')
        region++;
    if (region < 6 || region == s.n)
        return false;
    s.p += region + 1;
    s.n -= region + 1;
    if (digits(s) != 12)
        return false;
    s.p += 12;
    s.n -= 12;
    if (!takes(&s, ":"))
        return false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!takes(&s, types[i]))
            continue;
        for (size_t k = 0; k < s.n; k++) {
            char c = s.p[k];
            if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
                c != '_' && c != '-')
                return false;
        }
        return s.n >= 1 && s.n <= 255;
    }
    return false;
}

static bool is_job_id(struct kin_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
            return false;
    }
    return s.n == 32;
}

const char *aws_local_path(const char *text)
{
    struct kin_str s = kin_str_of(text);
    (void)takes(&s, "file://");
    if (s.n < 2 || s.p[0] != '/' || s.p[1] == '/')
        return NULL;
    for (size_t at = 0; at < s.n;) {
        uint32_t c = 0;
        size_t step = kin_utf8_step(s.p + at, s.n - at, &c);
        if (!step || c < ' ' || kin_utf8_is_control(c))
            return NULL;
        at += step;
    }
    return s.p;
}

static bool is_local_path(struct kin_str s)
{
    return aws_local_path(s.p) != NULL;
}

static bool is_nothing(struct kin_str s)
{
    (void)s;
    return false;
}

#define NAME_PATTERN "[a-zA-Z_0-9-]*"
#define ATTRIBUTE_PATTERN "[a-zA-Z_0-9- ]*"

const struct aws_shape aws_entity_name = {
    .kind = AWS_STRING, .min = 1, .max = 255, .allowed = "_-", .pattern = NAME_PATTERN};
const struct aws_shape aws_job_id = {
    .kind = AWS_STRING, .pattern = "[a-f0-9]{32}", .matches = is_job_id};
const struct aws_shape aws_next_token = {
    .kind = AWS_STRING, .min = 1, .max = 1024, .allowed = "_-=+/", .pattern = "[a-zA-Z_0-9-=+/]*"};
const struct aws_shape aws_resource_arn = {
    .kind = AWS_STRING,
    .pattern = "arn:(aws|aws-us-gov|aws-cn):entityresolution:[a-z]{2}-[a-z]{1,10}-[0-9]:[0-9]{12}:"
               "((schemamapping|matchingworkflow|idmappingworkflow|idnamespace)/"
               "[a-zA-Z_0-9-]{1,255})",
    .matches = is_resource_arn};
const struct aws_shape aws_unique_id_text = {
    .kind = AWS_STRING, .min = 1, .max = 780, .allowed = "_-+=/,", .pattern = "[a-zA-Z_0-9-+=/,]*"};
const struct aws_shape aws_tag_key = {.kind = AWS_STRING, .min = 1, .max = 128};
const struct aws_shape aws_input_source = {
    .kind = AWS_STRING,
    .min = 1,
    .max = 1024,
    .matches = is_local_path,
    .wanted = "Member must be a path of this machine, file:///absolute/path or /absolute/path "
              "(Glue tables and other ARNs are not supported here)"};

static const struct aws_shape boolean = {.kind = AWS_BOOLEAN};
static const struct aws_shape string = {.kind = AWS_STRING, .max = 4096};
static const struct aws_shape description = {.kind = AWS_STRING, .max = 255};
static const struct aws_shape attribute_name = {
    .kind = AWS_STRING, .max = 255, .allowed = "_- ", .pattern = ATTRIBUTE_PATTERN};
static const struct aws_shape tag_value = {.kind = AWS_STRING, .max = 256};
static const struct aws_shape tag_map = {
    .kind = AWS_MAP, .max = 200, .key = &aws_tag_key, .item = &tag_value};

/* ---- schema mappings ---- */

static const char *const attribute_types[] = {"NAME",
                                              "NAME_FIRST",
                                              "NAME_MIDDLE",
                                              "NAME_LAST",
                                              "ADDRESS",
                                              "ADDRESS_STREET1",
                                              "ADDRESS_STREET2",
                                              "ADDRESS_STREET3",
                                              "ADDRESS_CITY",
                                              "ADDRESS_STATE",
                                              "ADDRESS_COUNTRY",
                                              "ADDRESS_POSTALCODE",
                                              "PHONE",
                                              "PHONE_NUMBER",
                                              "PHONE_COUNTRYCODE",
                                              "EMAIL_ADDRESS",
                                              "UNIQUE_ID",
                                              "DATE",
                                              "STRING",
                                              "PROVIDER_ID",
                                              "IPV4",
                                              "IPV6",
                                              "MAID",
                                              NULL};
static const struct aws_shape attribute_type = {.kind = AWS_STRING, .values = attribute_types};
static const struct aws_member attribute_members[] = {{"fieldName", &attribute_name, true},
                                                      {"type", &attribute_type, true},
                                                      {"groupName", &attribute_name, false},
                                                      {"matchKey", &attribute_name, false},
                                                      {"subType", &attribute_name, false},
                                                      {"hashed", &boolean, false},
                                                      {NULL, NULL, false}};
static const struct aws_shape attribute = {.kind = AWS_STRUCTURE, .members = attribute_members};
static const struct aws_shape attributes = {
    .kind = AWS_LIST, .min = 2, .max = 35, .item = &attribute};

static const struct aws_member create_schema_members[] = {{"schemaName", &aws_entity_name, true},
                                                          {"description", &description, false},
                                                          {"mappedInputFields", &attributes, true},
                                                          {"tags", &tag_map, false},
                                                          {NULL, NULL, false}};
const struct aws_shape aws_create_schema_in = {.kind = AWS_STRUCTURE,
                                               .members = create_schema_members};
static const struct aws_member update_schema_members[] = {{"description", &description, false},
                                                          {"mappedInputFields", &attributes, true},
                                                          {NULL, NULL, false}};
const struct aws_shape aws_update_schema_in = {.kind = AWS_STRUCTURE,
                                               .members = update_schema_members};

/* ---- matching workflows ---- */

static const struct aws_member input_members[] = {{"inputSourceARN", &aws_input_source, true},
                                                  {"schemaName", &aws_entity_name, true},
                                                  {"applyNormalization", &boolean, false},
                                                  {NULL, NULL, false}};
static const struct aws_shape input = {.kind = AWS_STRUCTURE, .members = input_members};
static const struct aws_shape inputs = {.kind = AWS_LIST, .min = 1, .max = 20, .item = &input};

static const struct aws_shape kms_arn = {
    .kind = AWS_STRING,
    .matches = is_nothing,
    .wanted = "Member must not be there: outputs are not encrypted with keys of KMS here"};
static const struct aws_shape output_path = {
    .kind = AWS_STRING,
    .min = 1,
    .max = 1024,
    .matches = is_local_path,
    .wanted = "Member must be a path of this machine, file:///absolute/path or /absolute/path "
              "(s3:// is not supported here)"};
/* whatever it holds: whether it is there is what counts */
static const struct aws_member no_members[] = {{NULL, NULL, false}};
static const struct aws_shape anything = {.kind = AWS_STRUCTURE, .members = no_members};

static const struct aws_member output_attribute_members[] = {
    {"name", &attribute_name, true}, {"hashed", &boolean, false}, {NULL, NULL, false}};
static const struct aws_shape output_attribute = {.kind = AWS_STRUCTURE,
                                                  .members = output_attribute_members};
static const struct aws_shape output_attributes = {
    .kind = AWS_LIST, .max = 750, .item = &output_attribute};
static const struct aws_member output_members[] = {
    {"KMSArn", &kms_arn, false},
    {"outputS3Path", &output_path, true},
    {"output", &output_attributes, true},
    {"applyNormalization", &boolean, false},
    {"customerProfilesIntegrationConfig", &anything, false},
    {NULL, NULL, false}};
static const struct aws_shape output = {.kind = AWS_STRUCTURE, .members = output_members};
static const struct aws_shape outputs = {.kind = AWS_LIST, .min = 1, .max = 1, .item = &output};

static const struct aws_shape match_keys = {.kind = AWS_LIST, .max = 15, .item = &attribute_name};
static const struct aws_member rule_members[] = {
    {"ruleName", &attribute_name, true}, {"matchingKeys", &match_keys, true}, {NULL, NULL, false}};
static const struct aws_shape rule = {.kind = AWS_STRUCTURE, .members = rule_members};
static const struct aws_shape rules = {.kind = AWS_LIST, .min = 1, .max = 25, .item = &rule};
static const char *const matching_models[] = {"ONE_TO_ONE", "MANY_TO_MANY", NULL};
static const struct aws_shape matching_model = {.kind = AWS_STRING, .values = matching_models};
static const char *const purposes[] = {"IDENTIFIER_GENERATION", "INDEXING", NULL};
static const struct aws_shape purpose = {.kind = AWS_STRING, .values = purposes};
static const struct aws_member rule_based_members[] = {
    {"rules", &rules, true},
    {"attributeMatchingModel", &matching_model, true},
    {"matchPurpose", &purpose, false},
    {NULL, NULL, false}};
static const struct aws_shape rule_based = {.kind = AWS_STRUCTURE, .members = rule_based_members};

static const struct aws_shape condition = {.kind = AWS_STRING, .max = 2048};
static const struct aws_member condition_members[] = {
    {"ruleName", &attribute_name, true}, {"condition", &condition, true}, {NULL, NULL, false}};
static const struct aws_shape rule_condition = {.kind = AWS_STRUCTURE,
                                                .members = condition_members};
static const struct aws_shape rule_conditions = {
    .kind = AWS_LIST, .min = 1, .max = 25, .item = &rule_condition};
static const struct aws_member config_members[] = {{"enableTransitiveMatching", &boolean, false},
                                                   {NULL, NULL, false}};
static const struct aws_shape matching_config = {.kind = AWS_STRUCTURE, .members = config_members};
static const struct aws_member rule_conditions_members[] = {
    {"rules", &rule_conditions, true},
    {"matchingConfig", &matching_config, false},
    {NULL, NULL, false}};
static const struct aws_shape rule_conditions_properties = {.kind = AWS_STRUCTURE,
                                                            .members = rule_conditions_members};

static const char *const resolution_types[] = {"RULE_MATCHING", "ML_MATCHING", "PROVIDER", NULL};
static const struct aws_shape resolution_type = {.kind = AWS_STRING, .values = resolution_types};
static const struct aws_member technique_members[] = {
    {"resolutionType", &resolution_type, true},
    {"ruleBasedProperties", &rule_based, false},
    {"ruleConditionProperties", &rule_conditions_properties, false},
    {"enableRealTimeMatching", &boolean, false},
    {"providerProperties", &anything, false},
    {NULL, NULL, false}};
static const struct aws_shape techniques = {.kind = AWS_STRUCTURE, .members = technique_members};

static const char *const run_types[] = {"IMMEDIATE", NULL};
static const struct aws_shape run_type = {.kind = AWS_STRING, .values = run_types};
static const struct aws_member run_members[] = {{"incrementalRunType", &run_type, false},
                                                {NULL, NULL, false}};
static const struct aws_shape run_config = {.kind = AWS_STRUCTURE, .members = run_members};

#define WORKFLOW_MEMBERS                                                                     \
    {"description", &description, false}, {"inputSourceConfig", &inputs, true},              \
        {"outputSourceConfig", &outputs, true}, {"resolutionTechniques", &techniques, true}, \
        {"incrementalRunConfig", &run_config, false},                                        \
    {                                                                                        \
        "roleArn", &string, true                                                             \
    }

static const struct aws_member create_workflow_members[] = {
    {"workflowName", &aws_entity_name, true},
    WORKFLOW_MEMBERS,
    {"tags", &tag_map, false},
    {NULL, NULL, false}};
const struct aws_shape aws_create_workflow_in = {.kind = AWS_STRUCTURE,
                                                 .members = create_workflow_members};
static const struct aws_member update_workflow_members[] = {WORKFLOW_MEMBERS, {NULL, NULL, false}};
const struct aws_shape aws_update_workflow_in = {.kind = AWS_STRUCTURE,
                                                 .members = update_workflow_members};

/* ---- records ---- */

static const struct aws_shape lookup_key = {.kind = AWS_STRING,
                                            .max = 255,
                                            .allowed = "_- \t",
                                            .pattern = "[a-zA-Z_0-9- \\t]*",
                                            .sensitive = true};
static const struct aws_shape lookup_value = {.kind = AWS_STRING,
                                              .max = 255,
                                              .allowed = "_-./@ ()+\t",
                                              .pattern = "[a-zA-Z_0-9-./@ ()+\\t]*",
                                              .sensitive = true};
static const struct aws_shape lookup_record = {
    .kind = AWS_MAP, .key = &lookup_key, .item = &lookup_value, .sensitive = true};
static const struct aws_member get_match_members[] = {
    {"record", &lookup_record, true}, {"applyNormalization", &boolean, false}, {NULL, NULL, false}};
const struct aws_shape aws_get_match_in = {.kind = AWS_STRUCTURE, .members = get_match_members};

static const struct aws_shape free_text = {.kind = AWS_STRING, .max = 255, .sensitive = true};
static const struct aws_shape attribute_map = {
    .kind = AWS_MAP, .key = &free_text, .item = &free_text, .sensitive = true};
static const struct aws_shape unique_id = {
    .kind = AWS_STRING, .min = 1, .max = 38, .allowed = "_-", .pattern = "[a-zA-Z0-9_-]*"};
static const struct aws_member record_members[] = {{"inputSourceARN", &aws_input_source, true},
                                                   {"uniqueId", &unique_id, true},
                                                   {"recordAttributeMap", &attribute_map, true},
                                                   {NULL, NULL, false}};
static const struct aws_shape record = {.kind = AWS_STRUCTURE, .members = record_members};
static const struct aws_shape records = {.kind = AWS_LIST, .min = 1, .max = 1, .item = &record};
static const char *const processing_types[] = {"CONSISTENT", "EVENTUAL", "EVENTUAL_NO_LOOKUP",
                                               NULL};
static const struct aws_shape processing_type = {.kind = AWS_STRING, .values = processing_types};
static const struct aws_member generate_match_members[] = {
    {"records", &records, true}, {"processingType", &processing_type, false}, {NULL, NULL, false}};
const struct aws_shape aws_generate_match_in = {.kind = AWS_STRUCTURE,
                                                .members = generate_match_members};

static const struct aws_member tag_members[] = {{"tags", &tag_map, true}, {NULL, NULL, false}};
const struct aws_shape aws_tag_in = {.kind = AWS_STRUCTURE, .members = tag_members};
