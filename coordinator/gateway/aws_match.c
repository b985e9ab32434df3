#include "coordinator/gateway/aws_plan.h"

#include <string.h>

/* MatchIds of records: GetMatchId and GenerateMatchId. */

/* The first line of an answer, owned; NULL: failed. */
static json_t *first_line(struct aws_call *call, const struct aws_answer *a)
{
    const char *p = (const char *)a->payload.p;
    const char *end = a->payload.n ? memchr(p, '\n', a->payload.n) : NULL;
    json_t *line = aws_parse(p, end ? (size_t)(end - p) : a->payload.n);
    if (json_is_object(line))
        return line;
    json_decref(line);
    aws_fail(call, AWS_INTERNAL, "The answer is not readable.");
    return NULL;
}

static void put_line(struct aws_call *call, struct kin_buf *out, const json_t *record)
{
    char *text = json_dumps(record, JSON_COMPACT);
    if (!text) {
        aws_no_memory(call);
        return;
    }
    kin_buf_puts(out, text);
    kin_buf_putc(out, '\n');
    json_free_t free_text;
    json_get_alloc_funcs(NULL, &free_text);
    free_text(text);
}

/* What a workflow without a finished job answers. */
static bool fail_ask(struct aws_call *call, const struct kin_msg_answer *a, const char *workflow)
{
    if (a->status == KIN_E_NOTFOUND)
        return aws_fail(call, AWS_NOT_FOUND,
                        "The matching workflow %s has no finished job yet. Start one first.",
                        workflow);
    return aws_fail_status(call, a->status, a->text, workflow);
}

/* Looks a record up; source "" where it is by the names of fields. *found: the line, owned. */
static bool look_up(struct aws_call *call, const char *workflow, const char *source,
                    const json_t *record, json_t **found)
{
    struct kin_message m = {.type = KIN_MSG_LOOKUP};
    struct kin_buf payload = {0};
    struct aws_answer a;
    *found = NULL;
    m.u.lookup.workflow = kin_str_of(workflow);
    m.u.lookup.source = kin_str_of(source);
    put_line(call, &payload, record);
    bool good = aws_ask(call, &m, &payload, AWS_ASK_MS, KIN_MSG_ANSWER, &a);
    if (good && a.m.u.answer.status != KIN_OK)
        good = fail_ask(call, &a.m.u.answer, workflow);
    if (good)
        *found = first_line(call, &a);
    const json_t *error = json_object_get(*found, "error");
    if (error)
        aws_fail(call, AWS_VALIDATION, "Attribute %s: %s", aws_text(error, "field"),
                 aws_text(error, "reason"));
    else if (*found && !*aws_text(*found, "match_id") &&
             (a.m.u.answer.partial || aws_true(*found, "partial")))
        aws_fail(call, AWS_INTERNAL, "A part of the records cannot be reached. Try again.");
    aws_answer_deinit(&a);
    if (call->error == AWS_OK && *found)
        return true;
    json_decref(*found);
    *found = NULL;
    return false;
}

/* ---- GetMatchId ---- */

static void add_value(struct aws_call *call, json_t *record, const char *field, const char *value)
{
    json_t *there = json_object_get(record, field);
    json_t *text = json_string(value);
    if (!there)
        aws_set(call, record, field, json_array());
    there = json_object_get(record, field);
    for (size_t i = 0; i < json_array_size(there); i++) {
        if (json_equal(json_array_get(there, i), text)) {
            json_decref(text);
            return;
        }
    }
    if (json_array_append_new(there, text) != 0)
        aws_no_memory(call);
}

/* A record by attributes as one by fields. NULL: failed. */
static json_t *by_fields(struct aws_call *call, const struct aws_plan *plan, const json_t *record)
{
    json_t *out = json_object();
    for (void *at = json_object_iter((json_t *)(uintptr_t)record); at;
         at = json_object_iter_next((json_t *)(uintptr_t)record, at)) {
        const char *name = json_object_iter_key(at);
        bool known = false;
        for (unsigned s = 0; s < plan->source_count; s++)
            known = known || aws_plan_has_attribute(plan->sources[s].schema, name);
        if (!known)
            aws_fail(call, AWS_VALIDATION, "The schema mappings have no attribute %.255s.", name);
        for (unsigned i = 0; i < plan->field_count; i++) {
            for (const struct aws_plan_column *c = plan->fields[i].columns; c; c = c->next) {
                if (strcmp(c->attribute, name) == 0)
                    add_value(call, out, plan->fields[i].name,
                              json_string_value(json_object_iter_value(at)));
            }
        }
    }
    if (call->error == AWS_OK && out)
        return out;
    json_decref(out);
    return NULL;
}

void aws_get_match_id(struct aws_call *call)
{
    struct aws_plan plan;
    const char *workflow = call->label[0];
    json_t *doc = aws_need_workflow(call, workflow), *line = NULL, *record = NULL;
    if (!doc)
        return;
    if (aws_plan_make(call, workflow, doc, &plan))
        record = by_fields(call, &plan, json_object_get(call->in, "record"));
    if (record && look_up(call, workflow, "", record, &line) && *aws_text(line, "match_id")) {
        aws_set_text(call, call->out, "matchId", aws_text(line, "match_id"));
        aws_set_text(call, call->out, "matchRule", aws_text(line, "rule"));
    }
    json_decref(line);
    json_decref(record);
    json_decref(doc);
    aws_plan_deinit(&plan);
}

/* ---- GenerateMatchId ---- */

struct generating {
    const char *workflow;
    const struct aws_plan_source *source;
    const char *arn; /* of the source, as the request has it */
    const char *id;
    const json_t *attributes; /* what was given */
    json_t *record;           /* with the id column */
};

static bool find_record(struct aws_call *call, const struct aws_plan *plan, struct generating *g)
{
    const json_t *given = json_array_get(json_object_get(call->in, "records"), 0);
    g->arn = aws_text(given, "inputSourceARN");
    g->source = aws_plan_find_source(plan, g->arn);
    g->id = aws_text(given, "uniqueId");
    g->attributes = json_object_get(given, "recordAttributeMap");
    if (!g->source)
        return aws_fail(call, AWS_VALIDATION, "%.400s is no input source of the workflow.", g->arn);
    for (void *at = json_object_iter((json_t *)(uintptr_t)g->attributes); at;
         at = json_object_iter_next((json_t *)(uintptr_t)g->attributes, at)) {
        if (!aws_plan_has_attribute(g->source->schema, json_object_iter_key(at)))
            return aws_fail(call, AWS_VALIDATION, "The schema mapping has no attribute %.255s.",
                            json_object_iter_key(at));
    }
    g->record = json_deep_copy(g->attributes);
    aws_set_text(call, g->record, g->source->id, g->id);
    return call->error == AWS_OK;
}

/* Stores the record. *line: what became of it, owned. */
static bool store(struct aws_call *call, const struct generating *g, bool wait, bool mint,
                  json_t **line)
{
    struct kin_message m = {.type = KIN_MSG_PUT};
    struct kin_buf payload = {0};
    struct aws_answer a;
    m.u.put.workflow = kin_str_of(g->workflow);
    m.u.put.source = kin_str_of(g->source->name);
    m.u.put.wait = wait;
    m.u.put.mint = mint;
    put_line(call, &payload, g->record);
    bool good = aws_ask(call, &m, &payload, AWS_WAIT_MS, KIN_MSG_ANSWER, &a);
    if (good && a.m.u.answer.status != KIN_OK)
        good = fail_ask(call, &a.m.u.answer, g->workflow);
    *line = good ? first_line(call, &a) : NULL;
    aws_answer_deinit(&a);
    return *line != NULL;
}

/* The group that a record is in by now: fills in what is missing of match_id and rule. Not being
 * able to is no error. */
static void ask_group(struct aws_call *call, const struct generating *g, json_t *line)
{
    struct aws_call quiet = {.aws = call->aws};
    struct kin_message m = {.type = KIN_MSG_GROUP};
    struct aws_answer a;
    m.u.group.workflow = kin_str_of(g->workflow);
    m.u.group.source = kin_str_of(g->source->name);
    m.u.group.id = kin_str_of(g->id);
    json_t *group = NULL;
    if (aws_ask(&quiet, &m, NULL, AWS_ASK_MS, KIN_MSG_ANSWER, &a) && a.m.u.answer.status == KIN_OK)
        group = first_line(&quiet, &a);
    aws_answer_deinit(&a);
    const json_t *members = json_object_get(group, "members");
    if (!*aws_text(line, "match_id"))
        aws_copy(call, line, group, "match_id");
    for (size_t i = 0; i < json_array_size(members) && !*aws_text(line, "rule"); i++) {
        const json_t *member = json_array_get(members, i);
        if (strcmp(aws_text(member, "source"), g->source->name) == 0 &&
            strcmp(aws_text(member, "id"), g->id) == 0)
            aws_copy(call, line, member, "rule");
    }
    json_decref(group);
}

static void answer_group(struct aws_call *call, const struct generating *g, const json_t *line,
                         json_t *groups)
{
    json_t *group = json_object(), *records = json_array(), *record = json_object();
    aws_set_text(call, record, "inputSourceARN", g->arn);
    aws_set_text(call, record, "recordId", g->id);
    json_array_append_new(records, record);
    aws_set(call, group, "records", records);
    aws_set_text(call, group, "matchId", aws_text(line, "match_id"));
    aws_set_text(call, group, "matchRule", aws_text(line, "rule"));
    if (json_array_append_new(groups, group) != 0)
        aws_no_memory(call);
}

static void answer_failed(struct aws_call *call, const struct generating *g, const char *why,
                          json_t *failed)
{
    json_t *record = json_object();
    aws_set_text(call, record, "inputSourceARN", g->arn);
    aws_set_text(call, record, "uniqueId", g->id);
    aws_set_text(call, record, "errorMessage", why);
    if (json_array_append_new(failed, record) != 0)
        aws_no_memory(call);
}

/* What became of the record that was stored; known: its group from before, or NULL. */
static void answer(struct aws_call *call, const struct generating *g, json_t *line,
                   const json_t *known, json_t *groups, json_t *failed)
{
    const char *outcome = aws_text(line, "outcome");
    if (strcmp(outcome, "rejected") == 0) {
        const char *why = kin_arena_printf(&call->arena, "%s: %s", aws_text(line, "field"),
                                           aws_text(line, "reason"));
        answer_failed(call, g, why ? why : "rejected", failed);
        return;
    }
    if (strcmp(outcome, "superseded") == 0) {
        answer_failed(call, g, "A newer record of this id is stored.", failed);
        return;
    }
    if (known) {
        answer_group(call, g, known, groups);
        return;
    }
    if (!*aws_text(line, "match_id") || strcmp(outcome, "updated") == 0)
        ask_group(call, g, line);
    if (*aws_text(line, "match_id"))
        answer_group(call, g, line, groups);
    else
        aws_fail(call, AWS_INTERNAL, "The record is stored, but has no MatchId yet. Try again.");
}

static void generate(struct aws_call *call, const struct generating *g)
{
    const char *type = aws_text(call->in, "processingType");
    bool eventual = strcmp(type, "EVENTUAL") == 0;
    bool consistent = !eventual && strcmp(type, "EVENTUAL_NO_LOOKUP") != 0;
    json_t *groups = json_array(), *failed = json_array(), *known = NULL, *line = NULL;
    if (!eventual || look_up(call, g->workflow, g->source->name, g->attributes, &known)) {
        bool found = *aws_text(known, "match_id");
        if (store(call, g, consistent, !consistent && !found, &line))
            answer(call, g, line, found ? known : NULL, groups, failed);
    }
    aws_set(call, call->out, "matchGroups", groups);
    aws_set(call, call->out, "failedRecords", failed);
    json_decref(known);
    json_decref(line);
}

void aws_generate_match_id(struct aws_call *call)
{
    struct aws_plan plan;
    struct generating g = {.workflow = call->label[0]};
    json_t *doc = aws_need_workflow(call, g.workflow);
    if (!doc)
        return;
    if (aws_plan_make(call, g.workflow, doc, &plan) && find_record(call, &plan, &g))
        generate(call, &g);
    json_decref(g.record);
    json_decref(doc);
    aws_plan_deinit(&plan);
}
