#ifndef KIN_GATEWAY_URI_H
#define KIN_GATEWAY_URI_H
/* Paths and queries of requests, as they were sent: percent-encoded. Pure; any thread. Input is
 * hostile. */
#include "common/base/mem.h"

enum {
    URI_PARTS_MAX = 16,  /* of a path */
    URI_PARAMS_MAX = 32, /* of a query */
};

struct uri_path {
    struct kin_str part[URI_PARTS_MAX]; /* decoded, in the arena */
    unsigned count;
};

struct uri_param {
    struct kin_str name, value; /* decoded, in the arena; `name` alone has the value "" */
};
struct uri_query {
    struct uri_param param[URI_PARAMS_MAX];
    unsigned count;
};

/* %XX becomes the byte, and with `plus` a plus sign a blank. KIN_E_SYNTAX: a % without two
 * hexadecimal digits, a zero byte, or what comes out is not UTF-8; KIN_E_NOMEM. */
kin_status uri_decode(struct kin_arena *arena, struct kin_str text, bool plus, struct kin_str *out,
                      struct kin_err *err) KIN_MUST_CHECK;

/* What stands between the slashes: "/a//b%2Fc" has the parts "a", "" and "b/c". KIN_E_SYNTAX: it
 * does not begin with a slash, or as above; KIN_E_LIMIT; KIN_E_NOMEM. */
kin_status uri_path_parse(struct kin_arena *arena, struct kin_str path, struct uri_path *out,
                          struct kin_err *err) KIN_MUST_CHECK;

/* name=value, with & between. KIN_E_SYNTAX: as above, or a name twice; KIN_E_LIMIT; KIN_E_NOMEM. */
kin_status uri_query_parse(struct kin_arena *arena, struct kin_str query, struct uri_query *out,
                           struct kin_err *err) KIN_MUST_CHECK;

/* NULL: it is not there. */
const struct kin_str *uri_query_find(const struct uri_query *q, const char *name);

/* Of parameters; *out stays as it is where there is none. KIN_E_INVAL: not a number up to max; not
 * one of 1, true, 0, false and nothing (true). */
kin_status uri_query_number(const struct uri_query *q, const char *name, uint64_t max,
                            uint64_t *out, struct kin_err *err) KIN_MUST_CHECK;
kin_status uri_query_flag(const struct uri_query *q, const char *name, bool *out,
                          struct kin_err *err) KIN_MUST_CHECK;

#endif
