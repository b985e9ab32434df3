#ifndef KIN_GATEWAY_AWS_PLAN_H
#define KIN_GATEWAY_AWS_PLAN_H
/* A matching workflow and its schema mappings as a workflow of ours; docs/aws.md has the tables.
 *
 * A field is made of the attributes that share a match key. Attributes that a groupName joins
 * (first and last name) are a field each, a part of the key, which is equal where all parts are. In
 * ONE_TO_ONE several attributes of a key are a field each, too, of which one has to be equal. All
 * memory lies in the call's arena. */
#include "common/workflow/workflow.h"
#include "coordinator/gateway/aws_impl.h"

struct aws_plan_column {
    unsigned source;
    const char *attribute;
    struct aws_plan_column *next; /* in the order of sources and attributes */
};

struct aws_plan_field {
    const char *name; /* in the workflow file */
    const char *key;  /* match key; NULL: of several keys (ExactManyToMany) */
    const char *part; /* "" where the key has one field only */
    bool grouped;     /* a part of a group */
    unsigned rank;    /* of a part: the smallest is the one that must have a value */
    enum kin_type type;
    struct aws_plan_column *columns, **columns_end;
};

struct aws_plan_source {
    const char *name; /* in the workflow file */
    const char *path;
    const char *id;       /* attribute of type UNIQUE_ID */
    const json_t *schema; /* document, borrowed from aws_plan.schemas */
};

struct aws_plan {
    json_t *schemas; /* of the sources, in their order; owned */
    struct aws_plan_source sources[AWS_SOURCES_MAX];
    unsigned source_count;
    struct aws_plan_field fields[KIN_FIELDS_MAX];
    unsigned field_count;
    struct kin_buf yaml;
};

/* Makes sources, fields and the text of the workflow file. false: failed, with what is wrong; the
 * plan is to be deinited in any case. */
bool aws_plan_make(struct aws_call *call, const char *name, const json_t *workflow,
                   struct aws_plan *plan);
void aws_plan_deinit(struct aws_plan *plan);
/* The same, and kin_workflow_parse takes the text, or its complaints fail the call. */
bool aws_plan_check(struct aws_call *call, const char *name, const json_t *workflow);

/* The source of an inputSourceARN, or NULL. */
const struct aws_plan_source *aws_plan_find_source(const struct aws_plan *plan, const char *arn);
/* Whether a schema has an attribute of this name. */
bool aws_plan_has_attribute(const json_t *schema, const char *name);
/* The type of our fields that an attribute has. */
enum kin_type aws_plan_type(const json_t *attribute);

/* ---- conditions (aws_rules.c) ---- */

/* The condition that a rule stands for; for ExactManyToMany fields may be added. false: failed. */
bool aws_rule_simple(struct aws_call *call, const struct aws_plan *plan, const json_t *rule,
                     struct kin_buf *out);
bool aws_rule_advanced(struct aws_call *call, struct aws_plan *plan, const json_t *rule,
                       struct kin_buf *out);
/* Adds a field; NULL: failed. And a column to one, unless it has it. */
struct aws_plan_field *aws_plan_add(struct aws_call *call, struct aws_plan *plan, const char *name,
                                    enum kin_type type);
bool aws_plan_add_column(struct aws_call *call, struct aws_plan_field *field, unsigned source,
                         const char *attribute);

/* ---- text (aws_yaml.c) ---- */

/* A scalar in double quotes. */
void aws_put_scalar(struct kin_buf *out, const char *text);
/* rules: of each its condition, in the order of the workflow; NULL: a model. */
bool aws_plan_write(struct aws_call *call, const char *name, struct aws_plan *plan,
                    const json_t *rules, const struct kin_buf *conditions);

#endif
