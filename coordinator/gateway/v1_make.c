#include "common/record/reader.h"
#include "coordinator/gateway/v1_impl.h"
#include "proto/live.h"

#include <jansson.h>
#include <string.h>

enum {
    TIMEOUT_MS = 30000,
    TIMEOUT_APPLIED_MS = 60000, /* until records are applied */
    TIMEOUT_READY_MS = 1000,
    TIMEOUT_CHANGES_MS = 10000, /* beyond what was asked for */
    OTHERS_MAX = 1000,
    CHANGES_DEFAULT = 1000,
    CHANGES_MAX = 10000,
    WAIT_MS_MAX = 60000,
    LINKS_DEFAULT = 1000,
    LINKS_MAX = 10000,
    JOBS_DEFAULT = 20,
    JOBS_MAX = 1000,
    LINK_BODY_MAX = 64 << 10,
};

/* parts of paths: /v1/{workflow}/..., and what follows the third */
enum { PART_WORKFLOW = 1, PART_FOURTH = 3, PART_FIFTH = 4 };

bool v1_is_lines(const char *text)
{
    static const char *const types[] = {"application/jsonl", "application/x-ndjson",
                                        "application/x-jsonlines", "application/jsonlines"};
    for (size_t i = 0; text && i < sizeof types / sizeof *types; i++) {
        if (strstr(text, types[i]))
            return true;
    }
    return false;
}

/* "-": the only one there is */
static struct kin_str named(struct kin_str part)
{
    return kin_str_eq(part, KIN_STR("-")) ? (struct kin_str){0} : part;
}

static struct kin_str workflow(const struct v1_exchange *x)
{
    return named(x->path.part[PART_WORKFLOW]);
}

static void is_message(struct v1_exchange *x, enum kin_message_type type)
{
    x->message.type = type;
    x->timeout_ms = TIMEOUT_MS;
}

static kin_status number(struct v1_exchange *x, const char *name, uint32_t max, uint32_t *out,
                         struct kin_err *err)
{
    uint64_t v = *out;
    kin_status status = uri_query_number(&x->query, name, max, &v, err);
    *out = (uint32_t)v;
    return status;
}

/* ---- records ---- */

static kin_status too_large(struct kin_err *err)
{
    return kin_err_set(err, KIN_E_LIMIT, "too large: at most %d records and %d MiB in a request",
                       KIN_LIVE_RECORDS_MAX, KIN_LIVE_PAYLOAD_MAX >> 20);
}

static kin_status take_records(struct v1_exchange *x, struct kin_err *err)
{
    if (v1_is_lines(x->content_type)) {
        size_t count = lines_count(x->body);
        x->form = LINES_AS_IS;
        if (!count)
            return kin_err_set(err, KIN_E_SYNTAX, "there is no record in the body");
        if (count > KIN_LIVE_RECORDS_MAX || x->body.n > KIN_LIVE_PAYLOAD_MAX)
            return too_large(err);
        kin_buf_put(&x->payload, x->body.p, x->body.n);
    } else {
        kin_status status =
            lines_from_body(x->body, KIN_LIVE_RECORDS_MAX, &x->payload, &x->form, err);
        if (status != KIN_OK)
            return status;
        if (!x->payload.n)
            return kin_err_set(err, KIN_E_SYNTAX, "there is no record in the body");
        if (x->payload.n > KIN_LIVE_PAYLOAD_MAX)
            return too_large(err);
    }
    return x->payload.failed ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}

kin_status v1_make_lookup(struct v1_exchange *x, struct kin_err *err)
{
    struct kin_msg_lookup *m = &x->message.u.lookup;
    const struct kin_str *source = uri_query_find(&x->query, "source");
    is_message(x, KIN_MSG_LOOKUP);
    m->workflow = workflow(x);
    if (source)
        m->source = *source;
    kin_status status = uri_query_flag(&x->query, "explain", &m->explain, err);
    if (status == KIN_OK)
        status = number(x, "limit", OTHERS_MAX, &m->limit, err);
    return status == KIN_OK ? take_records(x, err) : status;
}

static kin_status is_put(struct v1_exchange *x, struct kin_err *err)
{
    struct kin_msg_put *m = &x->message.u.put;
    is_message(x, KIN_MSG_PUT);
    m->workflow = workflow(x);
    m->source = named(x->path.part[PART_FOURTH]);
    kin_status status = uri_query_flag(&x->query, "wait", &m->wait, err);
    if (m->wait)
        x->timeout_ms = TIMEOUT_APPLIED_MS;
    return status;
}

kin_status v1_make_put(struct v1_exchange *x, struct kin_err *err)
{
    kin_status status = is_put(x, err);
    if (status == KIN_OK)
        status = uri_query_flag(&x->query, "mint", &x->message.u.put.mint, err);
    return status == KIN_OK ? take_records(x, err) : status;
}

/* What the id column is called is not known here: "$id" stands for it. */
kin_status v1_make_delete(struct v1_exchange *x, struct kin_err *err)
{
    kin_status status = is_put(x, err);
    kin_buf_puts(&x->payload, "{\"$id\":");
    kin_json_string(&x->payload, x->path.part[PART_FIFTH]);
    kin_buf_puts(&x->payload, ",\"DELETE\":true}\n");
    if (status == KIN_OK && x->payload.failed)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    return status;
}

/* ---- groups ---- */

kin_status v1_make_group(struct v1_exchange *x, struct kin_err *err)
{
    struct kin_msg_group *m = &x->message.u.group;
    is_message(x, KIN_MSG_GROUP);
    m->workflow = workflow(x);
    m->match_id = x->path.part[PART_FOURTH];
    return uri_query_flag(&x->query, "golden", &m->golden, err);
}

kin_status v1_make_group_of(struct v1_exchange *x, struct kin_err *err)
{
    struct kin_msg_group *m = &x->message.u.group;
    is_message(x, KIN_MSG_GROUP);
    m->workflow = workflow(x);
    m->source = named(x->path.part[PART_FOURTH]);
    m->id = x->path.part[PART_FIFTH];
    return uri_query_flag(&x->query, "golden", &m->golden, err);
}

kin_status v1_make_history(struct v1_exchange *x, struct kin_err *err)
{
    (void)err;
    is_message(x, KIN_MSG_HISTORY);
    x->message.u.history.workflow = workflow(x);
    x->message.u.history.match_id = x->path.part[PART_FOURTH];
    return KIN_OK;
}

kin_status v1_make_changes(struct v1_exchange *x, struct kin_err *err)
{
    struct kin_msg_changes *m = &x->message.u.changes;
    is_message(x, KIN_MSG_CHANGES);
    m->workflow = workflow(x);
    m->limit = CHANGES_DEFAULT;
    kin_status status = uri_query_number(&x->query, "after", INT64_MAX, &m->after, err);
    if (status == KIN_OK)
        status = number(x, "limit", CHANGES_MAX, &m->limit, err);
    if (status == KIN_OK)
        status = number(x, "wait_ms", WAIT_MS_MAX, &m->wait_ms, err);
    if (status == KIN_OK && !m->limit)
        status = kin_err_set(err, KIN_E_INVAL, "limit is 0");
    x->timeout_ms = m->wait_ms + TIMEOUT_CHANGES_MS;
    return status;
}

/* ---- two records ---- */

/* A parameter SOURCE/ID. */
static kin_status take_record(const struct v1_exchange *x, const char *name, struct kin_str *source,
                              struct kin_str *id, struct kin_err *err)
{
    const struct kin_str *text = uri_query_find(&x->query, name);
    const char *slash = text ? memchr(text->p, '/', text->n) : NULL;
    size_t n = slash ? (size_t)(slash - text->p) : 0;
    if (!n || n + 1 == text->n)
        return kin_err_set(err, KIN_E_INVAL, "expected %s=SOURCE/ID", name);
    *source = (struct kin_str){text->p, n};
    *id = (struct kin_str){slash + 1, text->n - n - 1};
    return KIN_OK;
}

kin_status v1_make_explain(struct v1_exchange *x, struct kin_err *err)
{
    struct kin_msg_explain *m = &x->message.u.explain;
    is_message(x, KIN_MSG_EXPLAIN);
    m->workflow = workflow(x);
    kin_status status = take_record(x, "a", &m->source_a, &m->id_a, err);
    return status == KIN_OK ? take_record(x, "b", &m->source_b, &m->id_b, err) : status;
}

kin_status v1_make_revoke(struct v1_exchange *x, struct kin_err *err)
{
    struct kin_msg_link *m = &x->message.u.link;
    const struct kin_str *who = uri_query_find(&x->query, "who");
    const struct kin_str *why = uri_query_find(&x->query, "why");
    is_message(x, KIN_MSG_LINK);
    x->timeout_ms = TIMEOUT_APPLIED_MS;
    m->workflow = workflow(x);
    m->kind = KIN_LINK_REVOKE;
    m->who = who ? *who : (struct kin_str){0};
    m->why = why ? *why : (struct kin_str){0};
    kin_status status = take_record(x, "a", &m->source_a, &m->id_a, err);
    return status == KIN_OK ? take_record(x, "b", &m->source_b, &m->id_b, err) : status;
}

kin_status v1_make_links(struct v1_exchange *x, struct kin_err *err)
{
    struct kin_msg_links *m = &x->message.u.links;
    is_message(x, KIN_MSG_LINKS);
    m->workflow = workflow(x);
    m->limit = LINKS_DEFAULT;
    kin_status status = uri_query_number(&x->query, "after", INT64_MAX, &m->after, err);
    if (status == KIN_OK)
        status = number(x, "limit", LINKS_MAX, &m->limit, err);
    if (status == KIN_OK && !m->limit)
        status = kin_err_set(err, KIN_E_INVAL, "limit is 0");
    return status;
}

/* ---- a link, from JSON ---- */

static bool copy_text(struct kin_arena *arena, const json_t *value, struct kin_str *out)
{
    if (!json_is_string(value))
        return false;
    size_t n = json_string_length(value);
    out->p = kin_arena_strndup(arena, json_string_value(value), n);
    out->n = out->p ? n : 0;
    return out->p != NULL;
}

static bool copy_record(struct kin_arena *arena, const json_t *value, struct kin_str *source,
                        struct kin_str *id)
{
    return json_is_object(value) && json_object_size(value) == 2 &&
           copy_text(arena, json_object_get(value, "source"), source) && source->n &&
           copy_text(arena, json_object_get(value, "id"), id) && id->n;
}

static bool copy_link(struct kin_arena *arena, const json_t *root, struct kin_msg_link *m)
{
    const json_t *who = json_object_get(root, "who"), *why = json_object_get(root, "why");
    const char *kind = json_string_value(json_object_get(root, "kind"));
    if (!kind || json_object_size(root) != 3u + (who != NULL) + (why != NULL))
        return false;
    m->kind = strcmp(kind, "must") == 0    ? KIN_LINK_MUST
              : strcmp(kind, "never") == 0 ? KIN_LINK_NEVER
                                           : 0;
    return m->kind && copy_record(arena, json_object_get(root, "a"), &m->source_a, &m->id_a) &&
           copy_record(arena, json_object_get(root, "b"), &m->source_b, &m->id_b) &&
           (!who || copy_text(arena, who, &m->who)) && (!why || copy_text(arena, why, &m->why));
}

kin_status v1_make_link(struct v1_exchange *x, struct kin_err *err)
{
    json_error_t error;
    is_message(x, KIN_MSG_LINK);
    x->timeout_ms = TIMEOUT_APPLIED_MS;
    x->message.u.link.workflow = workflow(x);
    if (x->body.n > LINK_BODY_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "too large: at most %d bytes", LINK_BODY_MAX);
    json_t *root =
        json_loadb(x->body.p ? x->body.p : "", x->body.n, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return kin_err_set(err, KIN_E_SYNTAX, "the body is not JSON: %s", error.text);
    bool fine = json_is_object(root) && copy_link(&x->arena, root, &x->message.u.link);
    json_decref(root);
    if (!fine)
        return kin_err_set(
            err, KIN_E_INVAL,
            "expected {\"kind\":\"must\" or \"never\",\"a\":{\"source\":...,\"id\":...},"
            "\"b\":{...}}, and \"who\" and \"why\" if you like");
    return KIN_OK;
}

/* ---- the cluster ---- */

kin_status v1_make_status(struct v1_exchange *x, struct kin_err *err)
{
    is_message(x, KIN_MSG_STATUS);
    x->message.u.status.jobs_max = JOBS_DEFAULT;
    return number(x, "jobs", JOBS_MAX, &x->message.u.status.jobs_max, err);
}

kin_status v1_make_ready(struct v1_exchange *x, struct kin_err *err)
{
    (void)err;
    is_message(x, KIN_MSG_STATUS);
    x->timeout_ms = TIMEOUT_READY_MS;
    return KIN_OK;
}

/* ---- all of them ---- */

static bool is_param(const char *params, struct kin_str name)
{
    while (*params) {
        size_t n = strcspn(params, " ");
        if (n == name.n && memcmp(params, name.p, n) == 0)
            return true;
        params += n + (params[n] == ' ');
    }
    return false;
}

kin_status v1_make(struct v1_exchange *x, struct kin_err *err)
{
    for (unsigned i = 0; i < x->query.count; i++) {
        if (!is_param(x->route->params, x->query.param[i].name))
            return kin_err_set(err, KIN_E_INVAL, "no such parameter: %.64s",
                               x->query.param[i].name.p);
    }
    return x->route->make ? x->route->make(x, err) : KIN_OK;
}

void v1_exchange_deinit(struct v1_exchange *x)
{
    kin_arena_deinit(&x->arena);
    kin_buf_deinit(&x->payload);
}
