#include "coordinator/gateway/gateway_impl.h"

#include <string.h>

enum { PARAM_HEADERS_MAX = 128 };

static void run(struct job *job)
{
    struct exchange *x = job->arg;
    aws_handle(x->gateway->aws, &x->aws_request, &x->aws_response);
    x->ran = true;
    http_wake(x->request);
}

/* Percent-encoded, so that it goes through any parser of queries. */
static void put_encoded(struct kin_buf *out, struct kin_str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            kin_buf_putc(out, (char)c);
        } else {
            kin_buf_putc(out, '%');
            kin_buf_putc(out, digits[c >> 4]);
            kin_buf_putc(out, digits[c & 15]);
        }
    }
}

static void put_param(struct kin_buf *out, const char *name, const struct http_header *headers,
                      size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (!sigv4_is_signed(kin_str_of(name), headers[i].name))
            continue;
        if (any)
            kin_buf_puts(out, "%2C");
        else
            kin_buf_printf(out, "%s%s=", out->n ? "&" : "",
                           strcmp(name, "uniqueids") == 0 ? "uniqueIds" : "inputSource");
        put_encoded(out, headers[i].value);
        any = true;
    }
}

/* BatchDeleteUniqueId has parameters in headers; aws.h wants them in the query. */
static void make_query(struct exchange *x)
{
    struct http_header headers[PARAM_HEADERS_MAX];
    size_t count = http_headers(x->request, headers, PARAM_HEADERS_MAX);
    if (count > PARAM_HEADERS_MAX)
        count = PARAM_HEADERS_MAX;
    kin_buf_put(&x->aws_query, x->request->query.p, x->request->query.n);
    put_param(&x->aws_query, "inputsource", headers, count);
    put_param(&x->aws_query, "uniqueids", headers, count);
}

void gateway_aws_handle(struct exchange *x)
{
    struct gateway_request *r = &x->aws_request;
    make_query(x);
    r->method = x->request->method;
    r->path = kin_arena_strndup(&x->v1.arena, x->request->path.p, x->request->path.n);
    r->query = (struct kin_str){(const char *)x->aws_query.p, x->aws_query.n};
    r->body = x->request->body;
    x->job.run = run;
    x->job.arg = x;
    http_wait(x->request);
    if (!r->path || x->aws_query.failed || !jobs_submit(x->gateway->jobs, &x->job))
        http_wake(x->request); /* `ran` stays false */
}

void gateway_aws_reply(struct exchange *x)
{
    struct gateway_response *r = &x->aws_response;
    struct http_reply reply = {.status = r->status, .content_type = "application/json"};
    const char *type = r->error_type;
    if (x->ran) {
        reply.body = r->body;
        r->body = (struct kin_buf){0};
        if (r->content_type)
            reply.content_type = r->content_type;
    } else {
        reply.status = 429;
        type = "ThrottlingException";
        kin_buf_puts(&reply.body, "{\"message\":\"Too many requests at once: try again later.\"}");
    }
    if (reply.status == 429 || reply.status == 503)
        http_reply_extra(&reply, "Retry-After", "1");
    if (type)
        http_reply_extra(&reply, "x-amzn-errortype", "%s", type);
    uint64_t id[2];
    randombytes_buf(id, sizeof id);
    http_reply_extra(&reply, "x-amzn-RequestId", "%08x-%04x-4%03x-a%03x-%012llx",
                     (unsigned)(id[0] >> 32), (unsigned)(id[0] >> 16 & 0xffff),
                     (unsigned)(id[0] & 0xfff), (unsigned)(id[1] >> 52),
                     (unsigned long long)(id[1] & 0xffffffffffff));
    http_reply(x->request, &reply);
}
