#include "common/record/reader.h"
#include "coordinator/gateway/metrics.h"
#include "coordinator/gateway/v1_impl.h"

#include <inttypes.h>

static const char json_type[] = "application/json";
static const char lines_type[] = "application/jsonl";

/* ---- errors ---- */

struct meaning {
    kin_status status;
    unsigned http;
    const char *code;
};
static const struct meaning meanings[] = {
    {KIN_E_NOTFOUND, 404, "not_found"}, {KIN_E_BUSY, 429, "busy"},
    {KIN_E_INVAL, 400, "invalid"},      {KIN_E_SYNTAX, 400, "syntax"},
    {KIN_E_RANGE, 400, "range"},        {KIN_E_LIMIT, 400, "limit"},
    {KIN_E_WORKFLOW, 400, "workflow"},  {KIN_E_EXISTS, 409, "exists"},
    {KIN_E_CHANGED, 409, "changed"},    {KIN_E_CANCELLED, 503, "unavailable"},
    {KIN_E_STALE, 503, "unavailable"},  {KIN_E_NOMEM, 503, "unavailable"},
    {KIN_E_FULL, 507, "full"},
};

void v1_reply_code(unsigned status, const char *code, struct kin_str text, struct http_reply *reply)
{
    reply->status = status;
    reply->content_type = json_type;
    kin_buf_clear(&reply->body);
    kin_buf_printf(&reply->body, "{\"error\":{\"code\":\"%s\",\"message\":", code);
    kin_json_string(&reply->body, text);
    kin_buf_puts(&reply->body, "}}\n");
    if (status == 429 || status == 503)
        http_reply_extra(reply, "Retry-After", "1");
}

void v1_reply_error(kin_status status, struct kin_str text, struct http_reply *reply)
{
    struct meaning m = {status, 500, "internal"};
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i].status == status)
            m = meanings[i];
    }
    v1_reply_code(m.http, m.code, text.n ? text : kin_str_of(kin_status_text(status)), reply);
}

/* ---- answers ---- */

static struct kin_str payload_of(const struct kin_frame *f)
{
    return f ? (struct kin_str){(const char *)f->payload.p, f->payload.n} : (struct kin_str){0};
}

static void reply_list(const struct v1_exchange *x, const char *name, struct kin_str lines,
                       uint64_t next, struct http_reply *reply)
{
    if (v1_is_lines(x->accept)) {
        reply->content_type = lines_type;
        http_reply_extra(reply, "Kindred-Next", "%" PRIu64, next);
        (void)lines_to_body(lines, LINES_AS_IS, &reply->body);
        return;
    }
    kin_buf_printf(&reply->body, "{\"%s\":", name);
    (void)lines_to_body(lines, LINES_ARRAY, &reply->body);
    kin_buf_printf(&reply->body, ",\"next\":%" PRIu64 "}\n", next);
}

static void reply_lines(struct kin_str lines, enum lines_form form, struct http_reply *reply)
{
    if (form == LINES_AS_IS)
        reply->content_type = lines_type;
    if (lines_to_body(lines, form, &reply->body) && form != LINES_AS_IS)
        kin_buf_putc(&reply->body, '\n');
    else if (form == LINES_OBJECT)
        v1_reply_code(500, "internal", KIN_STR("the answer is empty"), reply);
}

static void reply_answer(const struct v1_exchange *x, const struct kin_msg_answer *a,
                         struct kin_str payload, struct http_reply *reply)
{
    if (a->status) {
        v1_reply_error((kin_status)a->status, a->text, reply);
        return;
    }
    if (a->partial)
        http_reply_extra(reply, "Kindred-Partial", "true");
    if (a->batch)
        http_reply_extra(reply, "Kindred-Batch", "%" PRIu64, a->batch);
    if (x->route->form == V1_EVENTS)
        reply_list(x, "events", payload, a->next, reply);
    else if (x->route->form == V1_LINKS)
        reply_list(x, "links", payload, a->next, reply);
    else
        reply_lines(payload, x->route->form == V1_RECORDS ? x->form : LINES_OBJECT, reply);
}

static void reply_ready(struct kin_str status, struct http_reply *reply)
{
    struct kin_buf why = {0};
    bool ready = metrics_is_ready(status, &why);
    reply->status = ready ? 200 : 503;
    kin_buf_printf(&reply->body, "{\"ready\":%s", ready ? "true" : "false");
    if (!ready) {
        kin_buf_puts(&reply->body, ",\"why\":");
        kin_json_string(&reply->body, (struct kin_str){(const char *)why.p, why.n});
    }
    kin_buf_puts(&reply->body, "}\n");
    kin_buf_deinit(&why);
}

static void reply_status(const struct v1_exchange *x, struct kin_str status,
                         struct http_reply *reply)
{
    if (x->route->form == V1_READY) {
        reply_ready(status, reply);
    } else if (x->route->form == V1_METRICS) {
        bool up = metrics_print_status(status, &reply->body);
        kin_buf_printf(&reply->body,
                       "# HELP kindred_up Whether the coordinator answered.\n"
                       "# TYPE kindred_up gauge\nkindred_up %d\n",
                       up);
    } else {
        kin_buf_put(&reply->body, status.p, status.n);
    }
}

static void reply_nothing(const struct v1_exchange *x, struct http_reply *reply)
{
    if (x->route->form == V1_METRICS) /* those of the server are worth having */
        reply_status(x, KIN_STR(""), reply);
    else if (x->route->form == V1_READY)
        v1_reply_code(503, "unavailable", KIN_STR("the coordinator does not answer"), reply);
    else
        v1_reply_code(504, "timeout",
                      KIN_STR("no answer in time; what was asked for may still be done"), reply);
}

void v1_reply(const struct v1_exchange *x, const struct kin_message *m, const struct kin_frame *f,
              struct http_reply *reply)
{
    reply->status = 200;
    reply->content_type =
        x->route->form == V1_METRICS ? "text/plain; version=0.0.4; charset=utf-8" : json_type;
    if (x->route->form == V1_HEALTH)
        kin_buf_puts(&reply->body, "{\"alive\":true}\n");
    else if (x->route->form == V1_OPENAPI)
        kin_buf_put(&reply->body, gateway_openapi, gateway_openapi_bytes);
    else if (!m)
        reply_nothing(x, reply);
    else if (m->type == KIN_MSG_ANSWER)
        reply_answer(x, &m->u.answer, payload_of(f), reply);
    else if (m->type == KIN_MSG_STATUS_GOT && !m->u.status_got.status)
        reply_status(x, payload_of(f), reply);
    else if (m->type == KIN_MSG_STATUS_GOT)
        v1_reply_error((kin_status)m->u.status_got.status, KIN_STR(""), reply);
    else if (m->type == KIN_MSG_REFUSED)
        v1_reply_error((kin_status)m->u.refused.status, m->u.refused.text, reply);
    else
        v1_reply_code(500, "internal", KIN_STR("the coordinator's answer is not one"), reply);
}
