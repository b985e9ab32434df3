#include "coordinator/gateway/gateway.h"

#include "coordinator/gateway/gateway_impl.h"

#include <string.h>

enum { OPERATIONS = 32, QUEUE = 256, ALLOW_MAX = 64 };

/* ---- a request ---- */

static void reply(struct exchange *x, struct http_reply *with)
{
    http_reply(x->request, with);
}

/* Which route it is; false: *to says why it is none. */
static bool find_route(struct exchange *x, struct http_reply *to)
{
    struct gateway *g = x->gateway;
    struct http_request *r = x->request;
    struct kin_err err = {0};
    char allow[ALLOW_MAX];
    unsigned count;
    const struct v1_route *first = v1_routes(&count);
    kin_status status = uri_path_parse(&x->v1.arena, r->path, &x->v1.path, &err);
    if (status != KIN_OK) {
        v1_reply_error(status, kin_str_of(err.msg), to);
        return false;
    }
    x->v1.route = v1_find(&x->v1.path, r->method, allow, sizeof allow);
    const char *path = kin_arena_strndup(&x->v1.arena, r->path.p, r->path.n);
    if (x->v1.route) {
        x->route = (unsigned)(x->v1.route - first);
        return true;
    }
    if (path && aws_knows(r->method, path)) {
        x->route = g->aws_route;
        return true;
    }
    if (*allow) {
        v1_reply_code(405, "method", KIN_STR("this address is there with other methods only"), to);
        http_reply_extra(to, "Allow", "%s", allow);
    } else {
        v1_reply_code(404, "not_found", KIN_STR("there is nothing at this address"), to);
        http_reply_extra(to, "x-amzn-errortype", "UnknownOperationException");
    }
    return false;
}

static void begin(void *arg, struct http_request *r)
{
    struct gateway *g = arg;
    struct exchange *x = kin_calloc(1, sizeof *x);
    struct http_reply to = {0};
    if (!x) {
        v1_reply_error(KIN_E_NOMEM, KIN_STR(""), &to);
        http_reply(r, &to);
        return;
    }
    x->gateway = g;
    x->request = r;
    x->route = g->other_route;
    r->user = x;
    metrics_begin(g->metrics);
    bool fine = find_route(x, &to) && gateway_guard(x, &to);
    if (fine && x->v1.route && x->v1.route->body && !r->has_body) {
        v1_reply_code(411, "length", KIN_STR("a body is missing, with its Content-Length"), &to);
        fine = false;
    }
    if (!fine)
        reply(x, &to);
}

static void body(void *arg, struct http_request *r, struct kin_str bytes)
{
    struct exchange *x = r->user;
    (void)arg;
    if (x->hashing)
        crypto_hash_sha256_update(&x->hash, (const uint8_t *)bytes.p, bytes.n);
}

/* [any thread] The backend's answer. */
static void on_answer(void *arg, const struct kin_message *m, struct kin_frame *f)
{
    struct exchange *x = arg;
    x->asked = m && f;
    if (x->asked) {
        x->answer = *m;
        x->frame = kin_frame_ref(f);
    }
    http_wake(x->request);
}

static void make_failed(kin_status status, const struct kin_err *err, struct http_reply *to)
{
    struct kin_str text = kin_str_of(err->msg);
    if (status == KIN_E_LIMIT)
        v1_reply_code(413, "limit", text, to);
    else
        v1_reply_error(status, text, to);
}

static void handle_v1(struct exchange *x)
{
    struct http_request *r = x->request;
    struct http_reply to = {0};
    struct kin_err err = {0};
    x->v1.body = r->body;
    x->v1.content_type = http_header(r, "Content-Type");
    x->v1.accept = http_header(r, "Accept");
    kin_status status = uri_query_parse(&x->v1.arena, r->query, &x->v1.query, &err);
    if (status == KIN_E_LIMIT)
        status = KIN_E_INVAL;
    if (status == KIN_OK)
        status = v1_make(&x->v1, &err);
    if (status != KIN_OK) {
        make_failed(status, &err, &to);
        reply(x, &to);
    } else if (!x->v1.route->make) {
        v1_reply(&x->v1, NULL, NULL, &to);
        reply(x, &to);
    } else {
        http_wait(r); /* after calls_ask it may be somebody else's already */
        calls_ask(x->gateway->calls, &x->v1.message, x->v1.payload.n ? &x->v1.payload : NULL,
                  x->v1.timeout_ms, on_answer, x);
    }
}

static void handle(void *arg, struct http_request *r)
{
    struct exchange *x = r->user;
    struct http_reply to = {0};
    (void)arg;
    if (!gateway_check_signature(x, &to))
        reply(x, &to);
    else if (x->v1.route)
        handle_v1(x);
    else
        gateway_aws_handle(x);
}

static void awake(void *arg, struct http_request *r)
{
    struct gateway *g = arg;
    struct exchange *x = r->user;
    struct http_reply to = {0};
    if (!x->v1.route) {
        gateway_aws_reply(x);
        return;
    }
    if (x->v1.route->form == V1_METRICS)
        metrics_print(g->metrics, &to.body);
    if (!x->asked && calls_are_closed(g->calls))
        v1_reply_code(503, "unavailable", KIN_STR("the server ends"), &to);
    else
        v1_reply(&x->v1, x->asked ? &x->answer : NULL, x->frame, &to);
    kin_frame_unref(x->frame);
    x->frame = NULL;
    reply(x, &to);
}

static void done(void *arg, struct http_request *r, unsigned status, uint64_t took_us)
{
    struct gateway *g = arg;
    struct exchange *x = r->user;
    if (!x)
        return;
    metrics_end(g->metrics, x->route, status, took_us);
    v1_exchange_deinit(&x->v1);
    kin_frame_unref(x->frame);
    kin_buf_deinit(&x->aws_query);
    kin_buf_deinit(&x->aws_response.body);
    kin_free(x);
}

/* ---- the gateway ---- */

static kin_status name_routes(struct gateway *g)
{
    unsigned count;
    const struct v1_route *routes = v1_routes(&count);
    g->aws_route = count;
    g->other_route = count + 1;
    g->route_names = kin_arena_calloc(&g->names, count + 2, sizeof *g->route_names);
    if (!g->route_names)
        return KIN_E_NOMEM;
    for (unsigned i = 0; i < count; i++) {
        g->route_names[i] =
            kin_arena_printf(&g->names, "%s %s", routes[i].method, routes[i].pattern);
        if (!g->route_names[i])
            return KIN_E_NOMEM;
    }
    g->route_names[g->aws_route] = "aws";
    g->route_names[g->other_route] = "other";
    return metrics_new(g->route_names, count + 2, &g->metrics);
}

static kin_status open_parts(struct gateway *g, struct kin_err *err)
{
    const struct gateway_options *o = &g->o;
    static const struct http_handlers handlers = {begin, body, handle, awake, done};
    struct http_options http = {.address = o->address,
                                .insecure = o->insecure,
                                .connections = o->connections,
                                .idle_ms = o->idle_ms,
                                .request_ms = o->request_ms,
                                .threads = o->threads,
                                .handlers = &handlers,
                                .arg = g,
                                .log = o->log,
                                .log_arg = o->log_arg};
    kin_status status = KIN_OK;
    if (o->keys_file)
        status = sigv4_keys_read(o->keys_file, &g->keys, err);
    if (status != KIN_OK)
        return status;
    status = name_routes(g);
    if (status == KIN_OK)
        status = calls_new(o->backend, &g->calls);
    if (status == KIN_OK)
        status = jobs_new(o->operations ? o->operations : OPERATIONS, o->queue ? o->queue : QUEUE,
                          &g->jobs);
    if (status == KIN_OK) {
        g->backend = calls_backend(g->calls);
        status = aws_new(&g->backend, &g->aws);
    }
    if (status != KIN_OK)
        return kin_err_set(err, status, "out of memory");
    return http_open(&http, &g->http, err);
}

kin_status gateway_open(const struct gateway_options *options, struct gateway **out,
                        struct kin_err *err)
{
    struct gateway *g = kin_calloc(1, sizeof *g);
    if (!g || sodium_init() < 0) {
        kin_free(g);
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    g->o = *options;
    kin_status status = open_parts(g, err);
    if (status != KIN_OK) {
        gateway_close(g);
        return status;
    }
    *out = g;
    return KIN_OK;
}

unsigned gateway_port(const struct gateway *g)
{
    return http_port(g->http);
}

void gateway_close(struct gateway *g)
{
    if (!g)
        return;
    /* requests that come are refused, those that wait are answered, and only then the server ends:
     * one that still waited could not */
    if (g->http)
        http_refuse(g->http);
    if (g->calls)
        calls_close(g->calls);
    if (g->jobs)
        jobs_close(g->jobs);
    http_close(g->http);
    aws_free(g->aws);
    jobs_free(g->jobs);
    calls_free(g->calls);
    metrics_free(g->metrics);
    sigv4_keys_free(g->keys);
    kin_arena_deinit(&g->names);
    kin_free(g);
}
