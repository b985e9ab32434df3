#include "coordinator/gateway/http.h"

#include "coordinator/gateway/http_impl.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_MS = 1000, GRACE_STEP_MS = 5, THREADS_MAX = 4 };

/* How far a request has come. */
enum stage {
    STAGE_LINE,    /* its first line is there */
    STAGE_BODY,    /* the headers are; the body follows */
    STAGE_HANDLED, /* all of it */
    STAGE_WAITING, /* suspended */
};

struct request {
    struct http_request r; /* first: http_request is what the handlers get */
    struct http *http;
    struct MHD_Connection *mhd;
    struct http_conn *conn; /* may be NULL: out of memory */
    enum stage stage;
    bool begun, replied, queued;
    struct http_reply reply;
    struct kin_buf body;
    uint64_t received; /* bytes of the body */
    uint64_t began_us;
    char uri[];
};

struct http {
    struct http_options o;
    struct MHD_Daemon *daemon;
    struct http_listener listener;
    struct http_watch watch;
    atomic_bool refusing;
    atomic_uint requests;    /* that are not done */
    _Atomic uint64_t bodies; /* bytes of all of them */
};

/* ---- what handlers call ---- */

static struct request *of(struct http_request *r)
{
    return (struct request *)r;
}

const char *http_header(struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(of(r)->mhd, MHD_HEADER_KIND, name);
}

struct collect {
    struct http_header *out;
    size_t count, max;
};

static enum MHD_Result collect_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct collect *c = arg;
    (void)kind;
    if (c->count < c->max)
        c->out[c->count] =
            (struct http_header){kin_str_of(name), value ? kin_str_of(value) : KIN_STR("")};
    c->count++;
    return MHD_YES;
}

size_t http_headers(struct http_request *r, struct http_header *out, size_t max)
{
    struct collect c = {.out = out, .max = max};
    MHD_get_connection_values(of(r)->mhd, MHD_HEADER_KIND, collect_header, &c);
    return c.count;
}

void http_reply_extra(struct http_reply *reply, const char *name, const char *format, ...)
{
    va_list args;
    if (reply->extras == HTTP_EXTRA_HEADERS)
        return;
    reply->extra[reply->extras].name = name;
    va_start(args, format);
    vsnprintf(reply->extra[reply->extras].value, sizeof reply->extra[0].value, format, args);
    va_end(args);
    reply->extras++;
}

void http_reply(struct http_request *r, struct http_reply *reply)
{
    struct request *q = of(r);
    KIN_ASSERT(!q->replied);
    q->reply = *reply;
    q->replied = true;
    reply->body = (struct kin_buf){0};
}

static void refuse(struct request *q, unsigned status, const char *code, const char *message)
{
    struct http_reply reply = {.status = status, .content_type = "application/json"};
    kin_buf_printf(&reply.body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        http_reply_extra(&reply, "Retry-After", "1");
    http_reply(&q->r, &reply);
}

static void give_until(struct request *q, uint32_t ms)
{
    if (q->conn)
        atomic_store_explicit(&q->conn->until_us, ms ? http_now_us() + ms * 1000ull : 0,
                              memory_order_relaxed);
}

void http_wait(struct http_request *r)
{
    struct request *q = of(r);
    q->stage = STAGE_WAITING;
    give_until(q, 0);
    MHD_suspend_connection(q->mhd);
}

void http_wake(struct http_request *r)
{
    MHD_resume_connection(of(r)->mhd);
}

/* ---- a request's life ---- */

static void release_body(void *p)
{
    kin_free(p);
}

/* Hands the reply to libmicrohttpd. */
static enum MHD_Result queue(struct request *q)
{
    struct http *h = q->http;
    struct http_reply *reply = &q->reply;
    struct MHD_Response *response = NULL;
    static char nothing[1];
    if (reply->body.failed || !reply->body.p)
        response = MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
    else
        response = MHD_create_response_from_buffer_with_free_callback(reply->body.n, reply->body.p,
                                                                      release_body);
    if (!response)
        return MHD_NO;
    if (reply->body.failed) {
        kin_buf_deinit(&reply->body);
        reply->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    reply->body = (struct kin_buf){0};
    if (reply->content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    for (unsigned i = 0; i < reply->extras; i++)
        MHD_add_response_header(response, reply->extra[i].name, reply->extra[i].value);
    if (reply->close || atomic_load_explicit(&h->refusing, memory_order_relaxed))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    give_until(q, h->o.request_ms);
    q->queued = true;
    enum MHD_Result result = MHD_queue_response(q->mhd, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* What says how long the body is: one way, once, or another server between us and the client could
 * see other requests in these bytes than we do. */
struct framing {
    unsigned lengths, encodings;
    bool chunked;
    const char *length;
};

static enum MHD_Result see_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct framing *f = arg;
    (void)kind;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        f->lengths++;
        f->length = value;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        f->encodings++;
        f->chunked = value && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

/* The bytes of a body; one too large to count is UINT64_MAX. False: it is not a number. */
static bool parse_length(const char *text, uint64_t *out)
{
    *out = 0;
    for (const char *p = text; *p; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (digit > 9)
            return false;
        *out = *out > UINT64_MAX / 10 - 1 ? UINT64_MAX / 10 : *out * 10 + digit;
    }
    return *text != '\0';
}

static void check_framing(struct request *q, uint64_t *announced)
{
    struct framing f = {0};
    *announced = 0;
    MHD_get_connection_values(q->mhd, MHD_HEADER_KIND, see_header, &f);
    q->r.has_body = f.lengths + f.encodings > 0;
    if (f.lengths + f.encodings > 1 ||
        (f.lengths && (!f.length || !parse_length(f.length, announced))))
        refuse(q, MHD_HTTP_BAD_REQUEST, "invalid", "the length of the body is not clear");
    else if (f.encodings && !f.chunked)
        refuse(q, MHD_HTTP_NOT_IMPLEMENTED, "invalid", "the only transfer encoding is chunked");
    if (q->replied)
        *announced = UINT64_MAX;
}

/* The headers are there. A request that is refused has its body read and dropped first, unless it
 * is large or the client waits to be told to send it. */
static enum MHD_Result on_headers(struct request *q, const char *method)
{
    struct http *h = q->http;
    uint64_t announced;
    q->stage = STAGE_BODY;
    q->r.method = method;
    check_framing(q, &announced);
    if (!q->replied && announced > HTTP_BODY_MAX)
        refuse(q, MHD_HTTP_CONTENT_TOO_LARGE, "limit", "the body is too large");
    if (!q->replied && atomic_load_explicit(&h->refusing, memory_order_relaxed))
        refuse(q, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable", "the server ends");
    if (!q->replied) {
        q->begun = true;
        h->o.handlers->begin(h->o.arg, &q->r);
    }
    if (!q->replied)
        return MHD_YES;
    bool expects = http_header(&q->r, MHD_HTTP_HEADER_EXPECT) != NULL;
    if (!q->r.has_body || (announced <= HTTP_DRAIN_MAX && !expects))
        return MHD_YES;
    q->reply.close = true;
    return queue(q);
}

static void take(struct request *q, struct kin_str bytes)
{
    struct http *h = q->http;
    if (q->replied)
        return;
    uint64_t all = atomic_fetch_add_explicit(&h->bodies, bytes.n, memory_order_relaxed);
    if (q->received > HTTP_BODY_MAX) {
        refuse(q, MHD_HTTP_CONTENT_TOO_LARGE, "limit", "the body is too large");
    } else if (all + bytes.n > HTTP_BODIES_MAX) {
        refuse(q, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", "too many large requests at once");
    } else {
        kin_buf_put(&q->body, bytes.p, bytes.n);
        if (q->body.failed)
            refuse(q, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", "out of memory");
        else if (h->o.handlers->body)
            h->o.handlers->body(h->o.arg, &q->r, bytes);
    }
    if (!q->replied)
        return;
    atomic_fetch_sub_explicit(&h->bodies, q->body.n + bytes.n, memory_order_relaxed);
    kin_buf_deinit(&q->body);
    q->body = (struct kin_buf){0};
}

static enum MHD_Result on_body(struct request *q, struct kin_str bytes)
{
    q->received += bytes.n;
    take(q, bytes);
    if (!q->replied)
        return MHD_YES;
    return q->received > HTTP_DRAIN_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_complete(struct request *q)
{
    struct http *h = q->http;
    bool awake = q->stage == STAGE_WAITING;
    q->stage = STAGE_HANDLED;
    q->r.body = (struct kin_str){(const char *)q->body.p, q->body.n};
    if (!q->replied && awake)
        h->o.handlers->awake(h->o.arg, &q->r);
    else if (!q->replied)
        h->o.handlers->handle(h->o.arg, &q->r);
    if (q->replied)
        return queue(q);
    return q->stage == STAGE_WAITING ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *bytes, void **state)
{
    struct request *q = *state;
    (void)arg, (void)mhd, (void)url, (void)version;
    if (!q)
        return MHD_NO;
    if (q->queued)
        return MHD_YES;
    if (q->stage == STAGE_LINE)
        return on_headers(q, method);
    if (*bytes == 0)
        return on_complete(q);
    struct kin_str run = {data, *bytes};
    *bytes = 0;
    return on_body(q, run);
}

/* The first line of a request. Returns what on_request finds as its state; NULL: out of memory, or
 * no address. */
static void *on_line(void *arg, const char *uri, struct MHD_Connection *mhd)
{
    struct http *h = arg;
    size_t n = uri ? strlen(uri) : 0;
    struct request *q = n ? kin_calloc(1, sizeof *q + n + 1) : NULL;
    if (!q)
        return NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    memcpy(q->uri, uri, n);
    q->http = h;
    q->mhd = mhd;
    q->conn = info ? info->socket_context : NULL;
    q->began_us = http_now_us();
    const char *mark = memchr(q->uri, '?', n);
    q->r.path = (struct kin_str){q->uri, mark ? (size_t)(mark - q->uri) : n};
    q->r.query = mark ? (struct kin_str){mark + 1, n - q->r.path.n - 1} : KIN_STR("");
    atomic_fetch_add_explicit(&h->requests, 1, memory_order_relaxed);
    give_until(q, h->o.request_ms);
    return q;
}

static void on_done(void *arg, struct MHD_Connection *mhd, void **state,
                    enum MHD_RequestTerminationCode code)
{
    struct http *h = arg;
    struct request *q = *state;
    (void)mhd, (void)code;
    *state = NULL;
    if (!q)
        return;
    if (q->begun)
        h->o.handlers->done(h->o.arg, &q->r, q->queued ? q->reply.status : 0,
                            http_now_us() - q->began_us);
    atomic_fetch_sub_explicit(&h->bodies, q->body.n, memory_order_relaxed);
    kin_buf_deinit(&q->body);
    kin_buf_deinit(&q->reply.body);
    give_until(q, h->o.idle_ms);
    kin_free(q);
    atomic_fetch_sub_explicit(&h->requests, 1, memory_order_release);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *h = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = info ? http_watch_add(&h->watch, info->connect_fd,
                                         http_now_us() + h->o.idle_ms * 1000ull)
                        : NULL;
    } else if (*context) {
        http_watch_remove(&h->watch, *context);
        *context = NULL;
    }
}

/* Addresses stay as they were sent: signatures are made over that. */
static size_t on_unescape(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg, (void)mhd;
    return strlen(text);
}

/* Most of it is about clients that do not keep to the protocol. */
static void on_log(void *arg, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void on_log(void *arg, const char *format, va_list args)
{
    struct http *h = arg;
    char text[256];
    if (!h->o.log)
        return;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    h->o.log(h->o.log_arg, 'D', "http", text);
}

/* ---- opening and closing ---- */

static void set_defaults(struct http_options *o)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    o->connections = http_connections(o->connections ? o->connections : 2048);
    if (!o->idle_ms)
        o->idle_ms = 60000;
    if (!o->request_ms)
        o->request_ms = 60000;
    if (!o->threads)
        o->threads = processors <= 2 ? 2 : processors < THREADS_MAX ? 3 : THREADS_MAX;
}

static struct MHD_Daemon *start(struct http *h)
{
    const struct http_options *o = &h->o;
    /* poll: over epoll (0.9.75), a thread with 128 busy connections or more was seen to all but
     * stop (bench_gateway: 0 to 900 requests/s now and then, where poll has 15,000 to 28,000) */
    unsigned flags =
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC;
    /* the logger first: it is used for what is said of the others */
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h,
        MHD_OPTION_LISTEN_SOCKET, h->listener.fd, MHD_OPTION_THREAD_POOL_SIZE, o->threads,
        MHD_OPTION_CONNECTION_LIMIT, o->connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)2 * HTTP_HEAD_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
        on_line, h, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, h, MHD_OPTION_NOTIFY_COMPLETED,
        on_done, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
}

kin_status http_open(const struct http_options *options, struct http **out, struct kin_err *err)
{
    struct http *h = kin_calloc(1, sizeof *h);
    if (!h)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    h->o = *options;
    set_defaults(&h->o);
    kin_status status = http_listen(options->address, options->insecure, &h->listener, err);
    if (status != KIN_OK) {
        kin_free(h);
        return status;
    }
    *out = h; /* handlers may need it before this returns */
    status = http_watch_start(&h->watch);
    h->daemon = status == KIN_OK ? start(h) : NULL;
    if (!h->daemon) {
        http_watch_stop(&h->watch);
        close(h->listener.fd);
        kin_free(h);
        *out = NULL;
        return kin_err_set(err, KIN_E_NOMEM, "the HTTP server could not be started");
    }
    return KIN_OK;
}

unsigned http_port(const struct http *h)
{
    return h->listener.port;
}

bool http_is_loopback(const struct http *h)
{
    return h->listener.loopback;
}

void http_refuse(struct http *h)
{
    if (atomic_exchange(&h->refusing, true))
        return;
    MHD_socket fd = MHD_quiesce_daemon(h->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

void http_close(struct http *h)
{
    static const struct timespec step = {.tv_nsec = GRACE_STEP_MS * 1000000L};
    if (!h)
        return;
    http_refuse(h);
    for (unsigned i = 0; i < GRACE_MS / GRACE_STEP_MS &&
                         atomic_load_explicit(&h->requests, memory_order_acquire) > 0;
         i++)
        nanosleep(&step, NULL);
    MHD_stop_daemon(h->daemon);
    http_watch_stop(&h->watch);
    kin_free(h);
}
