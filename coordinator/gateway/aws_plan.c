#include "coordinator/gateway/aws_plan.h"

#include <stdio.h>
#include <string.h>

/* Sources and fields of a matching workflow. */

/* What the types of attributes are here. A part is how one of a group is called; of a group the
 * part of the smallest rank must have a value. */
static const struct type_row {
    const char *aws;
    enum kin_type type;
    const char *part;
    unsigned rank;
} types[] = {{"NAME", KIN_TYPE_NAME, NULL, 0},
             {"NAME_FIRST", KIN_TYPE_NAME, "first", 1},
             {"NAME_MIDDLE", KIN_TYPE_NAME, "middle", 2},
             {"NAME_LAST", KIN_TYPE_NAME, "last", 0},
             {"ADDRESS", KIN_TYPE_ADDRESS, NULL, 0},
             {"ADDRESS_STREET1", KIN_TYPE_ADDRESS, "street1", 0},
             {"ADDRESS_STREET2", KIN_TYPE_ADDRESS, "street2", 3},
             {"ADDRESS_STREET3", KIN_TYPE_ADDRESS, "street3", 4},
             {"ADDRESS_CITY", KIN_TYPE_TEXT, "city", 2},
             {"ADDRESS_STATE", KIN_TYPE_TEXT, "state", 5},
             {"ADDRESS_COUNTRY", KIN_TYPE_TEXT, "country", 6},
             {"ADDRESS_POSTALCODE", KIN_TYPE_POSTCODE, "postalcode", 1},
             {"PHONE", KIN_TYPE_PHONE, NULL, 0},
             {"PHONE_NUMBER", KIN_TYPE_PHONE, "number", 0},
             {"PHONE_COUNTRYCODE", KIN_TYPE_ID, "countrycode", 1},
             {"EMAIL_ADDRESS", KIN_TYPE_EMAIL, NULL, 0},
             {"UNIQUE_ID", KIN_TYPE_ID, NULL, 0},
             {"DATE", KIN_TYPE_DATE, NULL, 0},
             {"STRING", KIN_TYPE_TEXT, NULL, 0},
             {"PROVIDER_ID", KIN_TYPE_ID, NULL, 0},
             {"IPV4", KIN_TYPE_TEXT, NULL, 0}, /* an id would lose its dots */
             {"IPV6", KIN_TYPE_TEXT, NULL, 0},
             {"MAID", KIN_TYPE_ID, NULL, 0}};

static const struct type_row *row_of(const json_t *attribute)
{
    const char *type = aws_text(attribute, "type");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].aws, type) == 0)
            return &types[i];
    }
    return &types[0]; /* cannot be: shapes have them all */
}

enum kin_type aws_plan_type(const json_t *attribute)
{
    /* of a hash only equality is left */
    return aws_true(attribute, "hashed") ? KIN_TYPE_ID : row_of(attribute)->type;
}

static const json_t *attributes_of(const json_t *schema)
{
    return json_object_get(schema, "mappedInputFields");
}

bool aws_plan_has_attribute(const json_t *schema, const char *name)
{
    const json_t *list = attributes_of(schema);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(aws_text(json_array_get(list, i), "fieldName"), name) == 0)
            return true;
    }
    return false;
}

const struct aws_plan_source *aws_plan_find_source(const struct aws_plan *plan, const char *arn)
{
    const char *path = aws_local_path(arn);
    for (unsigned i = 0; path && i < plan->source_count; i++) {
        if (strcmp(plan->sources[i].path, path) == 0)
            return &plan->sources[i];
    }
    return NULL;
}

/* ---- sources ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* The last step of the path that says something, up to its first dot: crm of /data/crm.csv.gz, and
 * web of all .jsonl of /data/web. MatchIds are made from it, so it goes by the path alone. */
static void name_source(const char *path, char out[AWS_NAME_MAX + 1])
{
    size_t end = strlen(path);
    for (unsigned n = 0; end;) {
        size_t from = end;
        while (from && path[from - 1] != '/')
            from--;
        bool telling = false;
        n = 0;
        for (size_t i = from; i < end && path[i] != '.' && n < AWS_NAME_MAX - 4; i++) {
            telling = telling || is_plain(path[i]);
            out[n++] = path[i];
            if (!is_plain(path[i]))
                out[n - 1] = '_';
        }
        out[n] = '\0';
        if (telling)
            return;
        end = from ? from - 1 : 0;
    }
    snprintf(out, AWS_NAME_MAX + 1, "source");
}

static bool name_is_taken(const struct aws_plan *plan, const char *name)
{
    for (unsigned i = 0; i < plan->source_count; i++) {
        if (strcmp(plan->sources[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool name_uniquely(struct aws_call *call, struct aws_plan *plan,
                          struct aws_plan_source *source)
{
    char base[AWS_NAME_MAX + 1], name[AWS_NAME_MAX + 8];
    name_source(source->path, base);
    snprintf(name, sizeof name, "%s", base);
    for (unsigned n = 2; name_is_taken(plan, name); n++)
        snprintf(name, sizeof name, "%s-%u", base, n);
    source->name = kin_arena_strndup(&call->arena, name, strlen(name));
    return source->name || aws_no_memory(call);
}

static const char *id_attribute(const json_t *schema)
{
    const json_t *list = attributes_of(schema);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i);
        if (strcmp(aws_text(a, "type"), "UNIQUE_ID") == 0)
            return aws_text(a, "fieldName");
    }
    return NULL;
}

static bool add_source(struct aws_call *call, struct aws_plan *plan, const json_t *input)
{
    struct aws_plan_source *s = &plan->sources[plan->source_count];
    const char *name = aws_text(input, "schemaName");
    const char *arn = aws_text(input, "inputSourceARN");
    s->path = aws_local_path(arn);
    if (!s->path)
        return aws_fail(call, AWS_VALIDATION, "%.200s is not a path of this machine.", arn);
    if (aws_plan_find_source(plan, arn))
        return aws_fail(call, AWS_VALIDATION, "The input source %.200s is there twice.", arn);
    json_t *schema = aws_doc_get(call, aws_schema_kind, name);
    if (!schema)
        return aws_fail(call, AWS_VALIDATION, "There is no schema mapping %s.", name);
    s->schema = schema;
    if (json_array_append_new(plan->schemas, schema) != 0)
        return aws_no_memory(call);
    s->id = id_attribute(schema);
    if (!s->id)
        return aws_fail(call, AWS_VALIDATION,
                        "The schema mapping %s has no attribute of type UNIQUE_ID.", name);
    if (!name_uniquely(call, plan, s))
        return false;
    plan->source_count++;
    return true;
}

/* ---- fields ---- */

struct aws_plan_field *aws_plan_add(struct aws_call *call, struct aws_plan *plan, const char *name,
                                    enum kin_type type)
{
    if (plan->field_count == KIN_FIELDS_MAX) {
        aws_fail(call, AWS_VALIDATION, "The match keys make more than %d fields.", KIN_FIELDS_MAX);
        return NULL;
    }
    struct aws_plan_field *f = &plan->fields[plan->field_count];
    *f = (struct aws_plan_field){.name = name, .part = "", .type = type};
    f->columns_end = &f->columns;
    plan->field_count++;
    return f;
}

bool aws_plan_add_column(struct aws_call *call, struct aws_plan_field *field, unsigned source,
                         const char *attribute)
{
    for (const struct aws_plan_column *o = field->columns; o; o = o->next) {
        if (o->source == source && strcmp(o->attribute, attribute) == 0)
            return true;
    }
    struct aws_plan_column *c = kin_arena_calloc(&call->arena, 1, sizeof *c);
    if (!c)
        return aws_no_memory(call);
    c->source = source;
    c->attribute = attribute;
    *field->columns_end = c;
    field->columns_end = &c->next;
    return true;
}

/* Names that outputs use, and beginnings that fields may not have, get an underscore. */
static const char *field_name(struct aws_call *call, const char *key, const char *part)
{
    static const char *const reserved[] = {"match_id",   "size",       "source",     "id",
                                           "match_rule", "confidence", "group_size", "default"};
    char c = key[0];
    bool odd = !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_';
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved && !*part; i++)
        odd = odd || strcmp(reserved[i], key) == 0;
    const char *name =
        kin_arena_printf(&call->arena, "%s%s%s%s", odd ? "_" : "", key, *part ? " " : "", part);
    if (!name)
        aws_no_memory(call);
    return name;
}

static bool same(const json_t *a, const json_t *b, const char *member)
{
    return strcmp(aws_text(a, member), aws_text(b, member)) == 0;
}

/* Attributes of the same match key in the schema, and how many of those are of the same group. */
static unsigned count_alike(const json_t *schema, const json_t *attribute, unsigned *grouped)
{
    const json_t *list = attributes_of(schema);
    unsigned n = 0;
    *grouped = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i);
        if (!same(a, attribute, "matchKey"))
            continue;
        n++;
        *grouped += *aws_text(a, "groupName") && same(a, attribute, "groupName");
    }
    return n;
}

/* In ONE_TO_ONE: whether a schema has several attributes of the key, so that they are told apart.
 */
static bool is_told_apart(const struct aws_plan *plan, const json_t *attribute)
{
    for (unsigned s = 0; s < plan->source_count; s++) {
        unsigned grouped = 0;
        if (count_alike(plan->sources[s].schema, attribute, &grouped) > 1)
            return true;
    }
    return false;
}

static struct aws_plan_field *find_part(struct aws_plan *plan, const char *key, const char *part)
{
    for (unsigned i = 0; i < plan->field_count; i++) {
        struct aws_plan_field *f = &plan->fields[i];
        if (f->key && strcmp(f->key, key) == 0 && (!part || strcmp(f->part, part) == 0))
            return f;
    }
    return NULL;
}

static bool add_attribute(struct aws_call *call, struct aws_plan *plan, unsigned source,
                          const json_t *a, bool one_to_one)
{
    const char *key = aws_text(a, "matchKey"), *name = aws_text(a, "fieldName");
    const struct type_row *row = row_of(a);
    unsigned in_group = 0, alike = count_alike(plan->sources[source].schema, a, &in_group);
    bool grouped = in_group > 1;
    if (grouped && in_group != alike)
        return aws_fail(call, AWS_VALIDATION,
                        "Match key %s: its attributes must be of one group, or each by itself. "
                        "Give each group a match key of its own.",
                        key);
    if (grouped && !row->part)
        return aws_fail(call, AWS_VALIDATION,
                        "Attribute %s of type %s cannot be a part of the group %s.", name, row->aws,
                        aws_text(a, "groupName"));
    const char *part = "";
    if (grouped)
        part = row->part;
    else if (one_to_one && is_told_apart(plan, a))
        part = *aws_text(a, "subType") ? aws_text(a, "subType") : name;
    struct aws_plan_field *other = find_part(plan, key, NULL);
    if (other && other->grouped != grouped)
        return aws_fail(call, AWS_VALIDATION,
                        "Match key %s is a group of attributes in one schema mapping, and is not "
                        "in another.",
                        key);
    struct aws_plan_field *f = find_part(plan, key, part);
    if (f && f->type != aws_plan_type(a))
        return aws_fail(call, AWS_VALIDATION,
                        "Match key %s: attribute %s is compared as %s, another one as %s.", key,
                        name, kin_type_name(aws_plan_type(a)), kin_type_name(f->type));
    if (!f) {
        const char *own = field_name(call, key, part);
        f = own ? aws_plan_add(call, plan, own, aws_plan_type(a)) : NULL;
        if (!f)
            return false;
        f->key = key;
        f->part = part;
        f->grouped = grouped;
        f->rank = row->rank;
    }
    return aws_plan_add_column(call, f, source, name);
}

static bool add_fields(struct aws_call *call, struct aws_plan *plan, bool one_to_one)
{
    for (unsigned s = 0; s < plan->source_count; s++) {
        const json_t *list = attributes_of(plan->sources[s].schema);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *a = json_array_get(list, i);
            if (*aws_text(a, "matchKey") && !add_attribute(call, plan, s, a, one_to_one))
                return false;
        }
    }
    if (!plan->field_count)
        return aws_fail(call, AWS_VALIDATION, "No attribute has a match key.");
    return true;
}

/* ---- the whole ---- */

static bool write_rules(struct aws_call *call, const char *name, struct aws_plan *plan,
                        const json_t *simple, const json_t *advanced)
{
    const json_t *rules = json_object_get(simple ? simple : advanced, "rules");
    struct kin_buf conditions[AWS_RULES_MAX] = {{0}};
    size_t n = json_array_size(rules);
    bool good = n <= AWS_RULES_MAX;
    for (size_t i = 0; i < n && good; i++) {
        const json_t *rule = json_array_get(rules, i);
        good = simple ? aws_rule_simple(call, plan, rule, &conditions[i])
                      : aws_rule_advanced(call, plan, rule, &conditions[i]);
        if (good && conditions[i].failed)
            good = aws_no_memory(call);
    }
    good = good && aws_plan_write(call, name, plan, rules, conditions);
    for (size_t i = 0; i < AWS_RULES_MAX; i++)
        kin_buf_deinit(&conditions[i]);
    return good;
}

static bool check_techniques(struct aws_call *call, const json_t *techniques)
{
    const char *type = aws_text(techniques, "resolutionType");
    const json_t *simple = json_object_get(techniques, "ruleBasedProperties");
    const json_t *advanced = json_object_get(techniques, "ruleConditionProperties");
    if (strcmp(type, "PROVIDER") == 0)
        return aws_fail(call, AWS_VALIDATION,
                        "resolutionType PROVIDER is not supported: records stay on this machine.");
    if (strcmp(type, "RULE_MATCHING") == 0 && !simple == !advanced)
        return aws_fail(call, AWS_VALIDATION,
                        "RULE_MATCHING needs either ruleBasedProperties or "
                        "ruleConditionProperties.");
    if (strcmp(type, "ML_MATCHING") == 0 && (simple || advanced))
        return aws_fail(call, AWS_VALIDATION, "ML_MATCHING has no rules.");
    if (strcmp(aws_text(simple, "matchPurpose"), "INDEXING") == 0)
        return aws_fail(call, AWS_VALIDATION, "matchPurpose INDEXING is not supported.");
    return true;
}

static bool check_output(struct aws_call *call, const json_t *workflow)
{
    const json_t *out = json_array_get(json_object_get(workflow, "outputSourceConfig"), 0);
    const json_t *list = json_object_get(out, "output");
    if (json_object_get(out, "customerProfilesIntegrationConfig"))
        return aws_fail(call, AWS_VALIDATION,
                        "customerProfilesIntegrationConfig is not supported.");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (aws_true(json_array_get(list, i), "hashed"))
            return aws_fail(call, AWS_VALIDATION,
                            "Output attribute %s: hashed outputs are not supported; hash the "
                            "column of the source instead.",
                            aws_text(json_array_get(list, i), "name"));
    }
    return true;
}

bool aws_plan_make(struct aws_call *call, const char *name, const json_t *workflow,
                   struct aws_plan *plan)
{
    const json_t *inputs = json_object_get(workflow, "inputSourceConfig");
    const json_t *techniques = json_object_get(workflow, "resolutionTechniques");
    const json_t *simple = json_object_get(techniques, "ruleBasedProperties");
    const json_t *advanced = json_object_get(techniques, "ruleConditionProperties");
    *plan = (struct aws_plan){.schemas = json_array()};
    if (!plan->schemas)
        return aws_no_memory(call);
    if (!check_techniques(call, techniques) || !check_output(call, workflow))
        return false;
    for (size_t i = 0; i < json_array_size(inputs) && i < AWS_SOURCES_MAX; i++) {
        if (!add_source(call, plan, json_array_get(inputs, i)))
            return false;
    }
    bool one_to_one = strcmp(aws_text(simple, "attributeMatchingModel"), "ONE_TO_ONE") == 0;
    if (!add_fields(call, plan, one_to_one))
        return false;
    if (simple || advanced)
        return write_rules(call, name, plan, simple, advanced);
    return aws_plan_write(call, name, plan, NULL, NULL);
}

void aws_plan_deinit(struct aws_plan *plan)
{
    json_decref(plan->schemas);
    kin_buf_deinit(&plan->yaml);
}

/* The first few complaints, without places in a text that nobody has seen. */
static bool fail_with(struct aws_call *call, const struct kin_problems *problems)
{
    enum { SHOWN = 3 };
    struct kin_buf text = {0};
    for (size_t i = 0; i < problems->count && i < SHOWN; i++)
        kin_buf_printf(&text, "%s%s: %s", i ? "; " : "", problems->items[i].key,
                       problems->items[i].text);
    if (problems->count > SHOWN)
        kin_buf_printf(&text, "; and %zu more", problems->count - SHOWN);
    aws_fail(call, AWS_VALIDATION, "The workflow cannot be run: %.*s", (int)text.n,
             text.p ? (const char *)text.p : "");
    kin_buf_deinit(&text);
    return false;
}

bool aws_plan_check(struct aws_call *call, const char *name, const json_t *workflow)
{
    struct aws_plan plan;
    struct kin_workflow *w = NULL;
    struct kin_problems problems = {0};
    bool good = aws_plan_make(call, name, workflow, &plan);
    if (good) {
        struct kin_str text = {(const char *)plan.yaml.p, plan.yaml.n};
        kin_status status = kin_workflow_parse(text, "", &w, &problems);
        if (status == KIN_E_WORKFLOW)
            good = fail_with(call, &problems);
        else if (status != KIN_OK)
            good = aws_fail_status(call, status, KIN_STR(""), "The workflow");
    }
    kin_workflow_free(w);
    kin_problems_deinit(&problems);
    aws_plan_deinit(&plan);
    return good;
}
