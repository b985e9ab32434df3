#ifndef KIN_GATEWAY_AWS_SHAPE_H
#define KIN_GATEWAY_AWS_SHAPE_H
/* What requests may look like: shapes with their constraints, and the check of a JSON value against
 * one, with messages in the words that AWS has for them. Tables are constant; any thread. */
#include "common/base/mem.h"

#include <jansson.h>

enum aws_kind { AWS_STRING, AWS_BOOLEAN, AWS_LIST, AWS_MAP, AWS_STRUCTURE };

struct aws_member;

struct aws_shape {
    enum aws_kind kind;
    size_t min, max;     /* characters of a string, items of a list or map; max 0: no bound */
    const char *allowed; /* beside letters and digits, where the string is made of these */
    const char *pattern; /* for messages; without `allowed` it is `matches` that checks it */
    bool (*matches)(struct kin_str text);
    const char *wanted;               /* a message of our own instead of the pattern */
    const char *const *values;        /* of an enumeration, ending with NULL */
    const struct aws_member *members; /* of a structure, ending with a NULL name */
    const struct aws_shape *item;     /* of a list, or the values of a map */
    const struct aws_shape *key;      /* of a map */
    bool sensitive;                   /* values are not repeated in messages */
};

struct aws_member {
    const char *name;
    const struct aws_shape *shape;
    bool required;
};

/* Mistakes that were found; the first so many are told. */
enum { AWS_MISTAKES_MAX = 8 };
struct aws_mistakes {
    size_t count;
    struct kin_buf text; /* "Value ... failed to satisfy constraint: ...; Value ..." */
};

/* Checks a value (NULL: there is none; also JSON's null) that stands at path, and returns a copy
 * with known members only, owned; NULL where there are mistakes, or, with none, no memory. */
json_t *aws_shape_take(const struct aws_shape *shape, const json_t *value, const char *path,
                       struct aws_mistakes *mistakes);
/* The same of one string that stands in a path or a query. */
void aws_shape_check_text(const struct aws_shape *shape, const char *text, const char *path,
                          struct aws_mistakes *mistakes);
/* A mistake that a shape does not know of. value may be NULL. */
void aws_mistake(struct aws_mistakes *mistakes, const char *value, const char *path,
                 const char *format, ...) KIN_PRINTF(4, 5);

/* A path of this machine: /abs or file:///abs, without controls, as it is: where the path begins,
 * or NULL. */
const char *aws_local_path(const char *text);

extern const struct aws_shape aws_entity_name, aws_job_id, aws_next_token, aws_resource_arn,
    aws_unique_id_text, aws_input_source, aws_tag_key;
/* bodies */
extern const struct aws_shape aws_create_schema_in, aws_update_schema_in, aws_create_workflow_in,
    aws_update_workflow_in, aws_get_match_in, aws_generate_match_in, aws_tag_in;

#endif
