#ifndef KIN_GATEWAY_V1_H
#define KIN_GATEWAY_V1_H
/* The routes of our own (docs/http.md): which there are, the message that each becomes, and the
 * reply that an answer becomes. Pure; any thread, one at a time for each exchange. */
#include "coordinator/gateway/http.h"
#include "coordinator/gateway/lines.h"
#include "coordinator/gateway/uri.h"
#include "proto/message.h"

/* What becomes of an answer's payload. */
enum v1_form {
    V1_RECORDS, /* a line for each record of the request, in the form that had */
    V1_OBJECT,  /* the first line */
    V1_EVENTS,  /* all lines, as {"events":[...],"next":N} or as JSON Lines */
    V1_LINKS,   /* likewise, "links" */
    V1_READY,   /* of STATUS: whether the cluster is ready */
    V1_METRICS, /* of STATUS: gauges, behind the metrics of the server */
    V1_STATUS,  /* of STATUS: as it is */
    V1_HEALTH,  /* nothing is asked, from here on */
    V1_OPENAPI,
};

struct v1_exchange;

struct v1_route {
    const char *method;  /* HEAD is taken for GET */
    const char *pattern; /* {name} stands for a part that is not empty */
    const char *params;  /* names that the query may have, with blanks between */
    enum v1_form form;
    bool body; /* there has to be one */
    bool open; /* without a signature, too */
    /* Makes message, payload and timeout_ms. KIN_E_INVAL, KIN_E_SYNTAX, KIN_E_LIMIT, KIN_E_NOMEM.
     */
    kin_status (*make)(struct v1_exchange *x, struct kin_err *err);
};

const struct v1_route *v1_routes(unsigned *count);

/* The route of a path and method, or NULL. allow: of a path that is there with other methods,
 * these, as the Allow header has them; else "". */
const struct v1_route *v1_find(const struct uri_path *path, const char *method, char *allow,
                               size_t allow_max);

/* A request, from its route on to its reply. What the message borrows is in the arena or the body.
 */
struct v1_exchange {
    const struct v1_route *route;
    struct kin_arena arena;
    struct uri_path path;
    struct uri_query query;
    struct kin_str body;
    const char *content_type; /* NULL: none was given */
    const char *accept;       /* likewise */
    struct kin_message message;
    struct kin_buf payload;
    uint32_t timeout_ms;
    enum lines_form form;
};
void v1_exchange_deinit(struct v1_exchange *x);

/* From path, query, body and types to message, payload and timeout_ms. Also KIN_E_INVAL: a
 * parameter that the route does not know. */
kin_status v1_make(struct v1_exchange *x, struct kin_err *err) KIN_MUST_CHECK;

/* The reply to an answer. Appends to reply->body. */
void v1_reply(const struct v1_exchange *x, const struct kin_message *m, const struct kin_frame *f,
              struct http_reply *reply);

/* The reply to what failed: there (a status and a text that may be empty), or anywhere. */
void v1_reply_error(kin_status status, struct kin_str text, struct http_reply *reply);
void v1_reply_code(unsigned status, const char *code, struct kin_str text,
                   struct http_reply *reply);

/* coordinator/gateway/openapi.json, which is part of the program. */
extern const unsigned char gateway_openapi[];
extern const size_t gateway_openapi_bytes;

#endif
