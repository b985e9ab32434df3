#include "coordinator/live.h"

#include "common/explain/explained.h"
#include "common/match/job_plan.h"
#include "common/workflow/terminal.h"

/* EXPLAIN, and the explanations of a LOOKUP: the object of `kindred explain --json`, decided by the
 * plan that the workers of the run go by. Cells as in the input are not kept, sizes of blocks not
 * known: the object leaves them out; oversized keys are those of the plan. */

struct explain_ask { /* an EXPLAIN that waits for its records' features */
    struct explain_ask *next;
    struct live_explainer *explainer;
    kin_node_id from;
    uint64_t request;
};

struct live_explainer {
    struct explain_ask *asks;  /* here, so that the node's end finds them */
    struct kin_frame *payload; /* that all below was made of; NULL: nothing yet */
    struct kin_explainer x;
    struct kin_value_counts counts;
    uint64_t *oversized; /* keys, ascending */
    size_t oversized_count;
};

/* ---- what decides ---- */

static void explainer_clear(struct live_explainer *e)
{
    kin_explainer_deinit(&e->x); /* it borrows the counts */
    kin_value_counts_deinit(&e->counts);
    kin_free(e->oversized);
    e->oversized = NULL;
    e->oversized_count = 0;
    kin_frame_unref(e->payload);
    e->payload = NULL;
}

void live_explainer_free(struct live_explainer *e)
{
    if (!e)
        return;
    while (e->asks) {
        struct explain_ask *next = e->asks->next;
        kin_free(e->asks);
        e->asks = next;
    }
    explainer_clear(e);
    kin_free(e);
}

static kin_status take_plan(struct live_explainer *e, const struct kin_workflow *w)
{
    const struct kin_buf *payload = &e->payload->payload;
    struct kin_cursor at = kin_cursor_of(payload->p, payload->n);
    struct kin_job_plan plan;
    struct kin_err err;
    uint32_t bytes = kin_cursor_u32(&at);
    const uint8_t *p = kin_cursor_take(&at, bytes);
    if (!p)
        return KIN_E_PROTO;
    kin_status status =
        kin_job_plan_read(p, bytes, w->model ? w->model->comparison_count : 0, &plan);
    if (status != KIN_OK)
        return status;
    e->oversized = kin_reallocarray(NULL, plan.key_count, sizeof *e->oversized);
    if (!e->oversized)
        return KIN_E_NOMEM;
    e->oversized_count = plan.key_count;
    for (size_t i = 0; i < plan.key_count; i++)
        e->oversized[i] = kin_le64(plan.keys + 8 * i);
    status = kin_job_plan_counts(&plan, e->x.comparer, &e->counts);
    if (status == KIN_OK && plan.model.n)
        status = kin_explainer_model(&e->x, plan.model, &err);
    if (status == KIN_OK && plan.model.n)
        status = kin_explainer_counts(&e->x, &e->counts, &err);
    return status;
}

static struct live_explainer *explainer_of(struct live *live)
{
    if (!live->explainer)
        live->explainer = kin_calloc(1, sizeof *live->explainer);
    return live->explainer;
}

/* Made when it is first asked for, and anew when the run was opened anew. */
static kin_status explainer_ready(struct live *live, struct live_explainer **out)
{
    struct live_explainer *e = *out = explainer_of(live);
    struct kin_err err;
    if (!e)
        return KIN_E_NOMEM;
    if (e->payload && e->payload == live->open_payload && e->x.workflow == live->workflow)
        return KIN_OK;
    explainer_clear(e);
    if (!live->open_payload)
        return KIN_E_BUSY;
    e->payload = kin_frame_ref(live->open_payload);
    kin_status status = kin_explainer_init(&e->x, live->workflow, &err);
    if (status == KIN_OK)
        status = take_plan(e, live->workflow);
    if (status != KIN_OK)
        explainer_clear(e);
    return status;
}

/* ---- the object ---- */

static kin_status explain(struct live *live, const uint8_t *a, const uint8_t *b,
                          struct kin_buf *out)
{
    struct live_explainer *e;
    struct kin_arena arena = {0};
    struct kin_explained explained;
    struct kin_err err;
    kin_status status = explainer_ready(live, &e);
    if (status != KIN_OK)
        return status;
    const struct kin_explain_side sides[2] = {{a, NULL}, {b, NULL}};
    const struct kin_explain_blocks blocks = {.keys = e->oversized, .count = e->oversized_count};
    status = kin_explained_make(&e->x, &arena, &sides[0], &sides[1], &blocks, &explained, &err);
    if (status == KIN_OK)
        kin_explained_json(&explained, out);
    kin_arena_deinit(&arena);
    return status == KIN_OK && out->failed ? KIN_E_NOMEM : status;
}

/* No text in the object has a line end, so each of them stands between members. */
static void put_on_one_line(const struct kin_buf *json, struct kin_buf *out)
{
    for (size_t i = 0, end; i < json->n; i = end) {
        for (end = i; end < json->n && json->p[end] != '\n';)
            end++;
        kin_buf_put(out, json->p + i, end - i);
        while (end < json->n && (json->p[end] == '\n' || json->p[end] == ' '))
            end++;
    }
}

kin_status live_explain_pair(struct live *live, const uint8_t *a, const uint8_t *b,
                             struct kin_buf *out)
{
    struct kin_buf json = {0};
    kin_status status = explain(live, a, b, &json);
    if (status == KIN_OK)
        put_on_one_line(&json, out);
    kin_buf_deinit(&json);
    return status == KIN_OK && out->failed ? KIN_E_NOMEM : status;
}

/* ---- EXPLAIN ---- */

static void ask_free(struct explain_ask *ask)
{
    struct explain_ask **at = &ask->explainer->asks;
    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
    kin_free(ask);
}

static void features_came(struct live *live, void *arg, const struct live_fetched *got)
{
    struct explain_ask *ask = arg;
    struct kin_buf json = {0};
    kin_status status = got ? KIN_OK : KIN_E_NOMEM;
    const char *text = "out of memory";
    if (got && (!got->features[0] || !got->features[1])) {
        status = KIN_E_BUSY;
        text = got->partial ? "a worker that has one of the records is away; try again"
                            : "one of the records is changing; try again";
    } else if (got) {
        status = explain(live, got->features[0], got->features[1], &json);
        if (status == KIN_E_BUSY)
            text = "not served at the moment; try again";
        else if (status != KIN_E_NOMEM)
            text = "the plan of the run cannot be used";
    }
    if (status == KIN_OK) {
        live_answer_json(live, ask->from, ask->request, &json, 0, false);
    } else {
        kin_buf_deinit(&json);
        live_answer(live->c, ask->from, ask->request, status, text);
    }
    ask_free(ask);
}

/* LIVE_NONE, once it is answered why. */
static uint32_t find_or_answer(struct live *live, kin_node_id from, uint64_t request,
                               struct kin_str source, struct kin_str id)
{
    enum { NAME_COLUMNS = 100 };
    const struct kin_workflow *w = live->workflow;
    struct kin_buf text = {0};
    uint16_t s = kin_workflow_source_named(w, source);
    if (s != KIN_NO_SOURCE) {
        uint32_t record = live_graph_committed(&live->graph, live_graph_find(&live->graph, s, id));
        if (record != LIVE_NONE)
            return record;
        kin_buf_printf(&text, "no record of source '%s' has the id '", w->sources[s].name);
        kin_terminal_put(&text, id, NAME_COLUMNS);
    } else {
        kin_buf_puts(&text, "there is no source '");
        kin_terminal_put(&text, source, NAME_COLUMNS);
    }
    kin_buf_put(&text, "'", sizeof "'");
    live_answer(live->c, from, request, KIN_E_NOTFOUND,
                text.failed ? "there is no such record" : (const char *)text.p);
    kin_buf_deinit(&text);
    return LIVE_NONE;
}

void live_serve_explain(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    struct live *live = live_find(c, m->u.explain.workflow);
    if (!live || live->state == LIVE_LOADING) {
        live_answer(c, from, m->request, live ? KIN_E_BUSY : KIN_E_NOTFOUND,
                    live ? "not served yet; try again" : "no such workflow is served");
        return;
    }
    uint32_t records[2];
    records[0] = find_or_answer(live, from, m->request, m->u.explain.source_a, m->u.explain.id_a);
    if (records[0] == LIVE_NONE)
        return;
    records[1] = find_or_answer(live, from, m->request, m->u.explain.source_b, m->u.explain.id_b);
    if (records[1] == LIVE_NONE)
        return;
    if (records[0] == records[1]) {
        live_answer(c, from, m->request, KIN_E_INVAL, "both are the same record");
        return;
    }
    struct live_explainer *e = explainer_of(live);
    struct explain_ask *ask = e ? kin_calloc(1, sizeof *ask) : NULL;
    if (ask) {
        *ask = (struct explain_ask){e->asks, e, from, m->request};
        e->asks = ask;
    }
    if (!ask ||
        live_fetch(live, records, 2, false, LIVE_ANSWER_US, features_came, NULL, ask) != KIN_OK) {
        live_answer(c, from, m->request, KIN_E_NOMEM, "out of memory");
        if (ask)
            ask_free(ask);
    }
}
