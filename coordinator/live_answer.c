#include "coordinator/live.h"

#include <string.h>

/* Answers, and the JSON that several of them have in common (docs/gateway.md). */

void live_answer(struct kin_coordinator *c, kin_node_id to, uint64_t request, kin_status status,
                 const char *text)
{
    struct kin_message m = {.type = KIN_MSG_ANSWER};
    if (c->stopping)
        return;
    m.u.answer.status = status;
    m.u.answer.text = kin_str_of(text);
    coordinator_reply(c, to, &m, request, NULL);
}

void live_answer_json(struct live *live, kin_node_id to, uint64_t request, struct kin_buf *json,
                      uint64_t next, bool partial)
{
    struct kin_message m = {.type = KIN_MSG_ANSWER};
    if (live->c->stopping || json->failed) {
        kin_buf_deinit(json);
        live_answer(live->c, to, request, KIN_E_NOMEM, "out of memory");
        return;
    }
    m.u.answer.batch = live_batch_now(live);
    m.u.answer.next = next;
    m.u.answer.partial = partial;
    coordinator_reply(live->c, to, &m, request, json);
}

const char *live_rule_name(const struct kin_workflow *w, uint32_t rule)
{
    if (rule == LIVE_MUST)
        return "must";
    return rule < w->rule_count ? w->rules[rule].name : "model";
}

void live_json_reason(const struct kin_workflow *w, uint16_t rule, int32_t weight, bool weighs,
                      struct kin_buf *out)
{
    if (rule == UINT16_MAX) {
        kin_buf_puts(out, "\"rule\":null");
        return;
    }
    bool model = rule == w->rule_count;
    kin_buf_puts(out, "\"rule\":");
    kin_json_string(out, kin_str_of(live_rule_name(w, rule)));
    if (!model) {
        kin_buf_puts(out, ",\"confidence\":1");
        return;
    }
    uint32_t millionths = kin_weight_millionths(weight);
    kin_buf_printf(out, ",\"confidence\":%u.%06u", millionths / 1000000, millionths % 1000000);
    if (weighs)
        kin_buf_printf(out, ",\"weight\":%.3f", (double)weight / KIN_WEIGHT_ONE);
}

void live_json_id(const struct registry_id *id, struct kin_buf *out)
{
    char text[33];
    registry_id_print(id, text);
    kin_buf_putc(out, '"');
    kin_buf_put(out, text, 32);
    kin_buf_putc(out, '"');
}

void live_json_record(const struct live *live, uint32_t record, struct kin_buf *out)
{
    const struct live_record *r = &live->graph.records[record];
    kin_buf_puts(out, "\"source\":");
    kin_json_string(out, kin_str_of(live->workflow->sources[r->source].name));
    kin_buf_puts(out, ",\"id\":");
    kin_json_string(out, live_graph_id(&live->graph, record));
}

/* ---- PUT ---- */

static const char *const outcome_text[] = {"accepted", "created",    "updated", "deleted",
                                           "unknown",  "superseded", "rejected"};

static struct kin_str text_at(const struct live_batch *b, uint32_t at, uint32_t n)
{
    return (struct kin_str){(const char *)b->text.p + at, n};
}

static void put_member(struct kin_buf *out, const char *key, struct kin_str value)
{
    kin_buf_puts(out, key);
    kin_json_string(out, value);
}

static void put_applied(struct live *live, const struct live_batch *b, const struct live_line *l,
                        struct kin_buf *out)
{
    const struct live_graph *g = &live->graph;
    if (l->remove != LIVE_NONE) {
        const struct live_removal *r =
            (const struct live_removal *)(const void *)b->removals.p + l->remove;
        bool known = r->number != LIVE_NONE;
        put_member(out,
                   ",\"outcome\":", kin_str_of(outcome_text[known ? LIVE_DELETED : LIVE_UNKNOWN]));
        if (!known)
            return;
        kin_buf_puts(out, ",\"match_id\":");
        live_json_id(&r->id, out);
        for (uint32_t i = r->disconnected_from; i < r->disconnected_end; i++) {
            kin_buf_puts(out, i == r->disconnected_from ? ",\"disconnected\":[{" : ",{");
            live_json_record(live, kin_le32(b->disconnected.p + 4 * (size_t)i), out);
            kin_buf_putc(out, '}');
        }
        if (r->disconnected_end > r->disconnected_from)
            kin_buf_putc(out, ']');
        return;
    }
    enum live_outcome outcome = (enum live_outcome)b->outcome[l->rel];
    uint32_t number = b->base + l->rel;
    put_member(out, ",\"outcome\":", kin_str_of(outcome_text[outcome]));
    if (outcome == LIVE_SUPERSEDED || g->records[number].group == LIVE_NONE)
        return;
    const struct live_group *group = &g->groups[g->records[number].group];
    kin_buf_puts(out, ",\"match_id\":");
    live_json_id(&group->id, out);
    kin_buf_putc(out, ',');
    live_json_reason(live->workflow, group->size > 1 ? g->records[number].rule : UINT16_MAX,
                     g->records[number].weight, false, out);
}

static void put_line(struct live *live, const struct live_batch *b, const struct live_line *l,
                     bool applied, struct kin_buf *out)
{
    put_member(out, "{\"id\":", text_at(b, l->id_at, l->id_bytes));
    if (l->outcome == LIVE_REJECTED) {
        kin_buf_puts(out, ",\"outcome\":\"rejected\"");
        put_member(out, ",\"field\":", text_at(b, l->field_at, l->field_bytes));
        put_member(out, ",\"reason\":", text_at(b, l->reason_at, l->reason_bytes));
    } else if (l->outcome == LIVE_SUPERSEDED) {
        kin_buf_puts(out, ",\"outcome\":\"superseded\"");
    } else if (applied) {
        put_applied(live, b, l, out);
    } else {
        kin_buf_puts(out, ",\"outcome\":\"accepted\"");
        if (l->has_minted) {
            kin_buf_puts(out, ",\"match_id\":");
            live_json_id(&l->minted, out);
        }
    }
    kin_buf_puts(out, "}\n");
}

static void put_link_answer(struct live *live, const struct live_batch *b, struct live_put *p)
{
    struct kin_buf json = {0};
    if (b->link_missing) {
        live_answer(live->c, p->from, p->request, KIN_E_NOTFOUND, "there is no such link");
        return;
    }
    for (const struct live_link *link = live->links; link && !b->link; link = link->next) {
        if (memcmp(link->name, b->link_name, sizeof link->name) == 0)
            live_link_json(live, link, &json);
    }
    if (b->link) /* one that revokes is among them no more */
        live_link_json(live, b->link, &json);
    live_answer_json(live, p->from, p->request, &json, 0, false);
}

void live_answer_puts(struct live *live, struct live_batch *b, bool applied)
{
    const struct live_line *lines = (const struct live_line *)(const void *)b->lines.p;
    struct live_put **at = &b->puts;
    while (*at) {
        struct live_put *p = *at;
        bool link = !p->frame;
        if ((p->wait || link) != applied) {
            at = &p->next;
            continue;
        }
        if (link) {
            put_link_answer(live, b, p);
        } else {
            struct kin_buf json = {0};
            kin_buf_reserve(&json, 96 * p->lines + 64);
            for (size_t i = p->lines_from; i < p->lines_from + p->lines; i++)
                put_line(live, b, &lines[i], applied, &json);
            live_answer_json(live, p->from, p->request, &json, 0, false);
        }
        *at = p->next;
        live_put_free(p);
    }
}
