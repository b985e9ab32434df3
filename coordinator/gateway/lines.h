#ifndef KIN_GATEWAY_LINES_H
#define KIN_GATEWAY_LINES_H
/* Between the bodies of HTTP, one JSON object or an array of them, and JSON Lines, which the
 * coordinator speaks. Only the outermost structure is looked at: whether a line is right in itself
 * is judged by who reads it. Pure; any thread. */
#include "common/base/mem.h"

enum lines_form { LINES_OBJECT, LINES_ARRAY, LINES_AS_IS };

/* Appends one line for each record of a body, which is an object or an array of objects; *form says
 * which. KIN_E_SYNTAX: it is neither; KIN_E_LIMIT: more than max_count, or nested more than 32
 * deep; KIN_E_NOMEM. */
kin_status lines_from_body(struct kin_str body, size_t max_count, struct kin_buf *out,
                           enum lines_form *form, struct kin_err *err) KIN_MUST_CHECK;

/* How many lines there are that are not blank. */
size_t lines_count(struct kin_str lines);

/* Appends lines in a form: the first one, without its end, or an array of all. Blank ones are left
 * out. False: LINES_OBJECT, and there is none. */
bool lines_to_body(struct kin_str lines, enum lines_form form, struct kin_buf *out);

#endif
