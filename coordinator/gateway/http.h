#ifndef KIN_GATEWAY_HTTP_H
#define KIN_GATEWAY_HTTP_H
/* An HTTP/1.1 server within limits: requests arrive as a whole, and are answered at once or later.
 * What may be asked is the business of its handlers. The only code that knows libmicrohttpd is
 * http.c and http_listen.c.
 *
 * A request belongs to the handlers, one thread at a time: from `begin` on to a server thread, from
 * http_wait to http_wake to nobody, and from `awake` on to the server thread again. Server threads
 * must not block: there are few of them. */
#include "common/base/mem.h"

enum {
    HTTP_BODY_MAX = (8 << 20) + (64 << 10), /* bytes */
    /* A body beyond that, or one whose request is refused, is read and dropped up to here, so that
     * the client gets to read why; behind it, the connection is cut. */
    HTTP_DRAIN_MAX = 32 << 20,
    HTTP_BODIES_MAX = 256 << 20, /* of all requests together */
    HTTP_HEAD_MAX = 32 << 10,    /* request line and headers, about */
    HTTP_EXTRA_HEADERS = 6,      /* of an answer */
};

struct http;

struct http_reply {
    unsigned status;
    const char *content_type; /* static */
    struct kin_buf body;
    struct {
        const char *name; /* static */
        char value[64];
    } extra[HTTP_EXTRA_HEADERS];
    unsigned extras;
    bool close; /* the connection */
};

struct http_request {
    const char *method;
    struct kin_str path, query; /* as they were sent: percent-encoded */
    struct kin_str body;        /* from `handle` on */
    bool has_body;              /* one was announced, if of no bytes */
    void *user;                 /* the handlers' */
};

/* [server thread] all of them. `arg` is http_options.arg. */
struct http_handlers {
    /* The headers are there. May refuse, by http_reply; then only `done` follows. */
    void (*begin)(void *arg, struct http_request *r);
    /* Bytes of the body, in order. Must not reply; may be NULL. */
    void (*body)(void *arg, struct http_request *r, struct kin_str bytes);
    /* All of it is there: replies or waits. */
    void (*handle)(void *arg, struct http_request *r);
    /* http_wake was called: replies or waits again. */
    void (*awake)(void *arg, struct http_request *r);
    /* The end of every request that `begin` has seen. status 0: cut off before there was a reply.
     */
    void (*done)(void *arg, struct http_request *r, unsigned status, uint64_t took_us);
};

struct http_options {
    const char *address;
    bool insecure;
    uint32_t connections, idle_ms, request_ms, threads;
    const struct http_handlers *handlers;
    void *arg;
    void (*log)(void *arg, char level, const char *event, const char *text); /* may be NULL */
    void *log_arg;
};

/* KIN_E_INVAL, KIN_E_BUSY, KIN_E_IO, KIN_E_NOMEM: as gateway_open. *out is set before the first
 * handler is called, which may be before this returns. */
kin_status http_open(const struct http_options *options, struct http **out,
                     struct kin_err *err) KIN_MUST_CHECK;
unsigned http_port(const struct http *h);
bool http_is_loopback(const struct http *h); /* only this machine can reach it */

/* No connection is accepted any more, and each ends with its next reply. */
void http_refuse(struct http *h);
/* After http_refuse, when no request waits without being woken soon: gives replies a second to
 * leave, and ends. NULL is fine. */
void http_close(struct http *h);

/* [handlers] The first value of a header, in any case of its name; NULL: it is not there. */
const char *http_header(struct http_request *r, const char *name);
/* [handlers] All headers, in order. Returns how many there are, of which the first max are set. */
struct http_header {
    struct kin_str name, value;
};
size_t http_headers(struct http_request *r, struct http_header *out, size_t max);

/* [handlers] Consumes the reply's body. Once for each request. */
void http_reply(struct http_request *r, struct http_reply *reply);
void http_reply_extra(struct http_reply *reply, const char *name, const char *format, ...)
    KIN_PRINTF(3, 4);

/* [handlers] Nothing happens with the request until http_wake. */
void http_wait(struct http_request *r);
/* [any thread] Once for each http_wait, after it. */
void http_wake(struct http_request *r);

#endif
