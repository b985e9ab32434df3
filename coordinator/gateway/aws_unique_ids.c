#include "coordinator/gateway/aws_plan.h"

#include "proto/live.h"

#include <stdio.h>
#include <string.h>

/* BatchDeleteUniqueId. Its ids come in a header: a list with commas, in which a value that has a
 * comma of its own is in quotes. */

enum { IDS_MAX = KIN_LIVE_RECORDS_MAX };

struct deleting {
    const char **ids;
    uint8_t *states; /* enum state of each */
    size_t count;
    json_t *disconnected;
};

/* The larger, the more it says: of several sources the largest counts. */
enum state { STATE_UNKNOWN, STATE_REJECTED, STATE_FAILED, STATE_ACCEPTED, STATE_DELETED };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next value of a header in the arena, or NULL at its end; NULL with an error: failed. */
static const char *next_value(struct aws_call *call, const char **at)
{
    const char *p = *at;
    while (is_blank(*p) || *p == ',')
        p++;
    if (!*p)
        return NULL;
    struct kin_buf value = {0};
    if (*p == '"') {
        for (p++; *p && *p != '"'; p++) {
            if (*p == '\\' && p[1])
                p++;
            kin_buf_putc(&value, *p);
        }
        p += *p == '"';
    } else {
        size_t n = strcspn(p, ",");
        kin_buf_put(&value, p, n);
        p += n;
        while (value.n && is_blank((char)value.p[value.n - 1]))
            value.n--;
    }
    *at = p;
    const char *text =
        value.failed ? NULL : kin_arena_strndup(&call->arena, (const char *)value.p, value.n);
    kin_buf_deinit(&value);
    if (!text)
        aws_no_memory(call);
    return text;
}

static bool add_id(struct aws_call *call, struct deleting *d, const char *id)
{
    for (size_t i = 0; i < d->count; i++) {
        if (strcmp(d->ids[i], id) == 0)
            return true;
    }
    if (d->count == IDS_MAX)
        return aws_fail(call, AWS_VALIDATION, "More than %d uniqueIds.", IDS_MAX);
    struct aws_mistakes mistakes = {0};
    char path[40];
    snprintf(path, sizeof path, "uniqueIds.%zu.member", d->count + 1);
    aws_shape_check_text(&aws_unique_id_text, id, path, &mistakes);
    if (mistakes.count)
        aws_fail(call, AWS_VALIDATION, "%zu validation error%s detected: %.*s", mistakes.count,
                 mistakes.count == 1 ? "" : "s", (int)mistakes.text.n,
                 mistakes.text.p ? (const char *)mistakes.text.p : "");
    kin_buf_deinit(&mistakes.text);
    d->ids[d->count++] = id;
    return call->error == AWS_OK;
}

static bool read_ids(struct aws_call *call, struct deleting *d)
{
    const char *header = NULL;
    d->ids = kin_arena_calloc(&call->arena, IDS_MAX, sizeof *d->ids);
    d->states = kin_arena_calloc(&call->arena, IDS_MAX, sizeof *d->states);
    if (!d->ids || !d->states)
        return aws_no_memory(call);
    for (size_t i = 0; i < IDS_MAX; i++) {
        if (!aws_param(call, "uniqueIds", i, &header))
            return false;
        if (!header)
            break;
        for (const char *id; (id = next_value(call, &header));) {
            if (!add_id(call, d, id))
                return false;
        }
        if (call->error != AWS_OK)
            return false;
    }
    if (!d->count)
        return aws_fail(call, AWS_VALIDATION,
                        "1 validation error detected: Value null at 'uniqueIds' failed to satisfy "
                        "constraint: Member must not be null");
    return true;
}

static void raise_state(struct deleting *d, size_t i, enum state state)
{
    if (state > d->states[i])
        d->states[i] = (uint8_t)state;
}

static void add_disconnected(struct deleting *d, const json_t *line)
{
    const json_t *list = json_object_get(line, "disconnected");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *id = json_object_get(json_array_get(list, i), "id");
        bool there = !json_is_string(id);
        for (size_t k = 0; k < json_array_size(d->disconnected) && !there; k++)
            there = json_equal(json_array_get(d->disconnected, k), id);
        if (!there)
            json_array_append(d->disconnected, id);
    }
}

static enum state state_of(const json_t *line)
{
    const char *outcome = aws_text(line, "outcome");
    if (strcmp(outcome, "deleted") == 0)
        return STATE_DELETED;
    if (strcmp(outcome, "accepted") == 0)
        return STATE_ACCEPTED;
    return strcmp(outcome, "unknown") == 0 ? STATE_UNKNOWN : STATE_REJECTED;
}

static void read_lines(struct deleting *d, const struct kin_buf *payload)
{
    const char *p = (const char *)payload->p, *end = p ? p + payload->n : p;
    for (size_t i = 0; i < d->count; i++) {
        const char *stop = p && p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        stop = stop ? stop : end;
        json_t *line = p && p < end ? aws_parse(p, (size_t)(stop - p)) : NULL;
        raise_state(d, i, line ? state_of(line) : STATE_FAILED);
        add_disconnected(d, line);
        json_decref(line);
        p = stop && stop < end ? stop + 1 : end;
    }
}

/* Deletes all of them from a source. false: failed as a whole. */
static bool delete_from(struct aws_call *call, struct deleting *d,
                        const struct aws_plan_source *source)
{
    struct kin_message m = {.type = KIN_MSG_PUT};
    struct kin_buf payload = {0};
    struct aws_answer a;
    m.u.put.workflow = kin_str_of(call->label[0]);
    m.u.put.source = kin_str_of(source->name);
    m.u.put.wait = true;
    for (size_t i = 0; i < d->count; i++) {
        /* ids have no character that JSON escapes; the name of the column neither */
        kin_buf_printf(&payload, "{\"%s\":\"%s\",\"DELETE\":true}\n", source->id, d->ids[i]);
    }
    struct aws_call own = {.aws = call->aws};
    bool answered = aws_ask(&own, &m, &payload, AWS_WAIT_MS, KIN_MSG_ANSWER, &a);
    uint32_t status = answered ? a.m.u.answer.status : KIN_E_IO;
    if (status == KIN_OK) {
        read_lines(d, &a.payload);
    } else if (status == KIN_E_NOTFOUND) {
        aws_fail(call, AWS_NOT_FOUND,
                 "The matching workflow %s has no finished job yet. Start one first.",
                 call->label[0]);
    } else if (status == KIN_E_BUSY) {
        aws_fail_status(call, status, a.m.u.answer.text, call->label[0]);
    } else {
        for (size_t i = 0; i < d->count; i++)
            raise_state(d, i, STATE_FAILED);
    }
    aws_answer_deinit(&a);
    return call->error == AWS_OK;
}

static void answer(struct aws_call *call, const struct deleting *d)
{
    json_t *errors = json_array(), *deleted = json_array();
    bool accepted = false;
    for (size_t i = 0; i < d->count; i++) {
        json_t *o = json_object();
        bool done = d->states[i] == STATE_DELETED || d->states[i] == STATE_ACCEPTED;
        accepted = accepted || d->states[i] == STATE_ACCEPTED;
        aws_set_text(call, o, "uniqueId", d->ids[i]);
        if (!done)
            aws_set_text(call, o, "errorType",
                         d->states[i] == STATE_FAILED ? "SERVICE_ERROR" : "VALIDATION_ERROR");
        if (json_array_append_new(done ? deleted : errors, o) != 0)
            aws_no_memory(call);
    }
    aws_set_text(call, call->out, "status", accepted ? "ACCEPTED" : "COMPLETED");
    aws_set(call, call->out, "errors", errors);
    aws_set(call, call->out, "deleted", deleted);
    aws_set(call, call->out, "disconnectedUniqueIds", json_incref(d->disconnected));
}

static void delete_ids(struct aws_call *call, const struct aws_plan *plan, struct deleting *d)
{
    const char *arn = NULL;
    if (!read_ids(call, d) || !aws_param(call, "inputSource", 0, &arn))
        return;
    const struct aws_plan_source *only = arn ? aws_plan_find_source(plan, arn) : NULL;
    if (arn && !only) {
        aws_fail(call, AWS_VALIDATION, "%.400s is no input source of the workflow.", arn);
        return;
    }
    for (unsigned s = 0; s < plan->source_count; s++) {
        if ((!only || only == &plan->sources[s]) && !delete_from(call, d, &plan->sources[s]))
            return;
    }
    answer(call, d);
}

void aws_delete_unique_ids(struct aws_call *call)
{
    struct aws_plan plan;
    struct deleting d = {.disconnected = json_array()};
    json_t *doc = aws_need_workflow(call, call->label[0]);
    if (doc) {
        if (aws_plan_make(call, call->label[0], doc, &plan))
            delete_ids(call, &plan, &d);
        aws_plan_deinit(&plan);
    }
    json_decref(doc);
    json_decref(d.disconnected);
}
