#ifndef KIN_CLIENT_LIVE_TEXT_H
#define KIN_CLIENT_LIVE_TEXT_H
/* The JSON that a cluster answers (docs/gateway.md), made readable. It may be anything: texts are
 * made fit for a terminal, what is missing is left out. Pure; any thread. */
#include "common/base/mem.h"

#include <jansson.h>

/* One line of an answer. *at moves on past it; false: there is none left. */
bool kin_served_line(struct kin_str *at, struct kin_str *line);
/* A JSON object, to be released by json_decref. NULL: it is none; err says so. */
json_t *kin_served_object(struct kin_str text, struct kin_err *err);
/* A member that is a text; "" where it is none. Borrowed from the object. */
struct kin_str kin_served_member(const json_t *object, const char *key);
/* A member that is a number, as few digits as tell it; nothing where it is none. */
void kin_served_put_number(const json_t *object, const char *key, struct kin_buf *out);

/* Each appends the text for people; what is no JSON is KIN_E_PROTO. */
typedef kin_status kin_served_print(struct kin_str json, struct kin_buf *out, struct kin_err *err);
kin_served_print kin_served_print_found;   /* a line of LOOKUP */
kin_served_print kin_served_print_outcome; /* a line of PUT */
kin_served_print kin_served_print_group;
kin_served_print kin_served_print_history;
kin_served_print kin_served_print_link; /* LINK, or a line of LINKS */
kin_served_print kin_served_print_explanation;

/* "explanation" of a lookup, the object of EXPLAIN (live_explanation.c). */
void kin_served_put_explanation(const json_t *object, struct kin_buf *out);
/* "source/id" of an object that has both. */
void kin_served_put_record(const json_t *record, struct kin_buf *out);

#endif
