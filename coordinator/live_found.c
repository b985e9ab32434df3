#include "coordinator/live_lookup.h"

#include <stdlib.h>
#include <string.h>

/* From the edges that workers found to the answer of a LOOKUP: groups, best first, those that may
 * not have the record, and what is said of each. */

enum {
    GROUPS_CHECKED = 16,     /* of one record, against never rules */
    MEMBERS_CHECKED = 20000, /* of one LOOKUP */
    STAR_CANDIDATES = 4096   /* of one record, beside those that workers tell */
};

/* ---- the answer ---- */

/* The record as it is committed now; LIVE_NONE: it is gone. */
static uint32_t present(const struct live *live, uint32_t number)
{
    const struct live_graph *g = &live->graph;
    if (g->records[number].group != LIVE_NONE)
        return number;
    if (!g->records[number].id_bytes)
        return LIVE_NONE; /* a number that was never used */
    uint32_t now = live_graph_find(g, g->records[number].source, live_graph_id(g, number));
    return live_graph_committed(g, now);
}

static int by_record(const void *x, const void *y)
{
    uint32_t a = kin_le32(x), b = kin_le32(y);
    return a < b ? -1 : a > b;
}

static int by_strength(const void *x, const void *y, void *arg)
{
    const struct candidate *a = x, *b = y;
    if (a->rule != b->rule)
        return a->rule < b->rule ? -1 : 1;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return live_graph_cmp(arg, a->record, b->record);
}

static int by_group(const void *x, const void *y, void *arg)
{
    const struct candidate *a = x, *b = y;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return by_strength(x, y, arg);
}

/* One record that matches; not in across_sources, where it is of the same source. */
static void add_candidate(const struct live_lookup *x, struct candidate *c, size_t *count,
                          uint32_t number, uint32_t rule, int32_t weight)
{
    const struct live *live = x->live;
    number = present(live, number);
    if (number == LIVE_NONE ||
        (live->workflow->across_sources && live->graph.records[number].source == x->source))
        return;
    c[(*count)++] =
        (struct candidate){live->graph.records[number].group, number, rule, weight, false};
}

/* The star that an entry was found by: workers tell a few of its records only. NULL: it has one. */
static const struct live_hub *hub_of(const struct live *live, const uint8_t *edge)
{
    if (!(kin_le32(edge + 8) & KIN_EDGE_STAR))
        return NULL;
    return live_graph_hub_of(&live->graph, kin_le32(edge + 4), kin_le64(edge + 16));
}

/* The groups among n edges of one record, best first. */
static bool list_candidates(struct live_lookup *x, struct lookup_record *r, const uint8_t *edges,
                            size_t n)
{
    struct live *live = x->live;
    const struct live_graph *g = &live->graph;
    const struct kin_workflow *w = live->workflow;
    int32_t threshold = w->model ? w->model->thresholds[w->model->primary].weight : 0;
    size_t count = 0, groups = 0, room = n;
    for (size_t i = 0; i < n; i++) {
        const struct live_hub *hub = hub_of(live, edges + i * KIN_LIVE_EDGE_BYTES);
        room += hub ? hub->count : 0;
    }
    room = room < n + STAR_CANDIDATES ? room : n + STAR_CANDIDATES;
    struct candidate *c = kin_arena_calloc(&x->arena, room, sizeof *c);
    if (!c)
        return false;
    for (size_t i = 0; i < n; i++, edges += KIN_LIVE_EDGE_BYTES) {
        uint32_t rule = kin_le32(edges + 8) & ~(uint32_t)KIN_EDGE_STAR;
        int32_t weight = rule < w->rule_count ? 0 : (int32_t)kin_le32(edges + 12);
        const struct live_hub *hub = hub_of(live, edges);
        uint32_t at = hub ? hub->first : LIVE_NONE;
        if (rule >= w->rule_count && weight < threshold)
            continue;
        add_candidate(x, c, &count, kin_le32(edges + 4), rule, weight);
        for (; at != LIVE_NONE && count + (n - 1 - i) < room; at = g->members[at].next)
            add_candidate(x, c, &count, g->members[at].record, rule, weight);
        r->truncated = r->truncated || at != LIVE_NONE;
    }
    if (count > 1)
        qsort_r(c, count, sizeof *c, by_group, &live->graph);
    for (size_t i = 0; i < count; i++) {
        if (!groups || c[groups - 1].group != c[i].group)
            c[groups++] = c[i];
    }
    if (groups > 1)
        qsort_r(c, groups, sizeof *c, by_strength, &live->graph);
    if (w->never_count && groups > GROUPS_CHECKED) {
        groups = GROUPS_CHECKED; /* what is not checked is not told */
        r->truncated = true;
    }
    r->candidates = c;
    r->candidate_count = groups;
    return true;
}

static bool has_source(const struct live_graph *g, uint32_t group, uint16_t source)
{
    uint32_t at = g->groups[group].first;
    for (uint32_t i = 0; i < g->groups[group].size; i++, at = g->records[at].next_in_group) {
        if (g->records[at].source == source)
            return true;
    }
    return false;
}

/* A clean source has one record in a group at most. */
static void check_clean(struct live_lookup *x, struct lookup_record *r)
{
    const struct kin_workflow *w = x->live->workflow;
    for (size_t k = 0; k < w->clean_count; k++) {
        if (w->clean[k] != x->source)
            continue;
        for (size_t i = 0; i < r->candidate_count; i++)
            r->candidates[i].forbidden =
                has_source(&x->live->graph, r->candidates[i].group, x->source);
    }
}

static void put_candidate(const struct live *live, const struct candidate *c, struct kin_buf *out)
{
    const struct live_group *group = &live->graph.groups[c->group];
    kin_buf_puts(out, "\"match_id\":");
    live_json_id(&group->id, out);
    kin_buf_putc(out, ',');
    live_json_reason(live->workflow, (uint16_t)c->rule, c->weight, true, out);
    kin_buf_putc(out, ',');
    live_json_record(live, c->record, out);
    kin_buf_printf(out, ",\"size\":%u", group->size);
}

static const uint8_t *features_of(const struct live_lookup *x, const struct live_fetched *got,
                                  uint32_t number)
{
    for (size_t i = 0; got && i < x->member_count; i++) {
        if (x->members[i] == number)
            return got->features[i];
    }
    return NULL;
}

static void put_list(const struct live_lookup *x, const struct lookup_record *r, bool forbidden,
                     struct kin_buf *out)
{
    const struct live *live = x->live;
    bool first = true;
    size_t n = 0;
    for (size_t i = 0; i < r->candidate_count; i++)
        n += r->candidates[i].forbidden == forbidden;
    if (n < (forbidden ? 1U : 2U))
        return;
    kin_buf_puts(out, forbidden ? ",\"forbidden\":[" : ",\"would_merge\":[");
    for (size_t i = 0; i < r->candidate_count; i++) {
        if (r->candidates[i].forbidden != forbidden)
            continue;
        if (!first)
            kin_buf_putc(out, ',');
        live_json_id(&live->graph.groups[r->candidates[i].group].id, out);
        first = false;
    }
    kin_buf_putc(out, ']');
}

static kin_status put_record(struct live_lookup *x, const struct lookup_record *r,
                             const struct live_fetched *got, struct kin_buf *out)
{
    struct live *live = x->live;
    const struct candidate *best = NULL;
    kin_status status = KIN_OK;
    uint32_t others = 0;
    for (size_t i = 0; i < r->candidate_count && !best; i++)
        best = r->candidates[i].forbidden ? NULL : &r->candidates[i];
    kin_buf_putc(out, '{');
    if (best) {
        put_candidate(live, best, out);
        for (const struct candidate *c = best + 1;
             c < r->candidates + r->candidate_count && others < x->limit; c++) {
            if (c->forbidden)
                continue;
            kin_buf_puts(out, others++ ? ",{" : ",\"others\":[{");
            put_candidate(live, c, out);
            kin_buf_putc(out, '}');
        }
        if (others)
            kin_buf_putc(out, ']');
        put_list(x, r, false, out);
        const uint8_t *theirs = x->explain ? features_of(x, got, best->record) : NULL;
        if (theirs) {
            kin_buf_puts(out, ",\"explanation\":");
            status = live_explain_pair(live, x->features.p + r->at, theirs, out);
        }
    } else {
        kin_buf_puts(out, "\"match_id\":null");
    }
    put_list(x, r, true, out);
    if (r->reason) {
        kin_buf_puts(out, ",\"error\":{\"field\":");
        kin_json_string(out, r->field);
        kin_buf_puts(out, ",\"reason\":");
        kin_json_string(out, kin_str_of(r->reason));
        kin_buf_putc(out, '}');
    }
    if (r->truncated)
        kin_buf_puts(out, ",\"truncated\":true");
    if (x->partial)
        kin_buf_puts(out, ",\"partial\":true");
    kin_buf_puts(out, "}\n");
    return status;
}

static void answer(struct live_lookup *x, const struct live_fetched *got)
{
    struct kin_buf json = {0};
    kin_status status = x->edges.failed ? KIN_E_NOMEM : KIN_OK;
    for (size_t i = 0; i < x->count && status == KIN_OK; i++)
        status = put_record(x, &x->records[i], got, &json);
    if (status == KIN_OK) {
        live_answer_json(x->live, x->from, x->request, &json, 0, x->partial);
    } else {
        kin_buf_deinit(&json);
        live_answer(x->live->c, x->from, x->request, status, "the answer cannot be made");
    }
    lookup_end(x);
}

/* ---- with the features of members at hand: never rules, explanations ---- */

static bool is_forbidden(const struct live_lookup *x, const uint8_t *rec, uint32_t group,
                         const struct live_fetched *got, struct kin_kernel_scratch *scratch)
{
    const struct kin_workflow *w = x->live->workflow;
    const struct live_graph *g = &x->live->graph;
    for (size_t i = 0; i < x->member_count; i++) {
        if (g->records[x->members[i]].group != group || !got->features[i])
            continue;
        for (size_t k = 0; k < w->never_count; k++) {
            if (kin_condition_eval(w->never[k].condition, rec, got->features[i], scratch) ==
                KIN_TRUE)
                return true;
        }
    }
    return false;
}

/* Groups may have changed meanwhile: candidates are what their best records are in now. */
static void refresh(struct live_lookup *x)
{
    for (size_t i = 0; i < x->count; i++) {
        struct lookup_record *r = &x->records[i];
        size_t n = 0;
        for (size_t k = 0; k < r->candidate_count; k++) {
            struct candidate c = r->candidates[k];
            c.record = present(x->live, c.record);
            bool there = c.record == LIVE_NONE;
            c.group = there ? LIVE_NONE : x->live->graph.records[c.record].group;
            for (size_t before = 0; before < n && !there; before++)
                there = r->candidates[before].group == c.group;
            if (!there)
                r->candidates[n++] = c;
        }
        r->candidate_count = n;
    }
}

static void members_came(struct live *live, void *arg, const struct live_fetched *got)
{
    struct live_lookup *x = arg;
    struct kin_kernel_scratch *scratch = got ? kin_kernel_scratch_new() : NULL;
    refresh(x);
    x->partial = x->partial || !got || got->partial;
    for (size_t i = 0; i < x->count && scratch && live->workflow->never_count; i++) {
        struct lookup_record *r = &x->records[i];
        for (size_t k = 0; k < r->candidate_count && k < GROUPS_CHECKED; k++) {
            if (is_forbidden(x, x->features.p + r->at, r->candidates[k].group, got, scratch))
                r->candidates[k].forbidden = true;
        }
    }
    kin_kernel_scratch_free(scratch);
    answer(x, got);
}

static void want(struct live_lookup *x, uint32_t number, size_t *cap)
{
    if (x->member_count == *cap) {
        size_t more = *cap ? 2 * *cap : 64;
        uint32_t *list = kin_reallocarray(x->members, more, sizeof *list);
        if (!list)
            return;
        x->members = list;
        *cap = more;
    }
    x->members[x->member_count++] = number;
}

static void list_members(struct live_lookup *x)
{
    const struct live_graph *g = &x->live->graph;
    size_t cap = 0;
    for (size_t i = 0; i < x->count; i++) {
        const struct lookup_record *r = &x->records[i];
        for (size_t k = 0; k < r->candidate_count && k < GROUPS_CHECKED; k++) {
            const struct live_group *group = &g->groups[r->candidates[k].group];
            if (!x->live->workflow->never_count) {
                want(x, r->candidates[k].record, &cap);
                continue;
            }
            uint32_t at = group->first;
            for (uint32_t n = 0; n < group->size && x->member_count < MEMBERS_CHECKED;
                 n++, at = g->records[at].next_in_group)
                want(x, at, &cap);
        }
    }
}

void lookup_found(struct live_lookup *x)
{
    struct live *live = x->live;
    size_t n = x->edges.n / KIN_LIVE_EDGE_BYTES;
    bool ok = !x->edges.failed;
    if (x->count > 1 && n > 1)
        qsort(x->edges.p, n, KIN_LIVE_EDGE_BYTES, by_record);
    for (size_t i = 0, end; i < n && ok; i = end) {
        const uint8_t *p = x->edges.p + i * KIN_LIVE_EDGE_BYTES;
        for (end = i + 1;
             end < n && kin_le32(p) == kin_le32(x->edges.p + end * KIN_LIVE_EDGE_BYTES); end++)
            continue;
        struct lookup_record *r = &x->records[kin_le32(p)];
        ok = list_candidates(x, r, p, end - i);
        if (ok)
            check_clean(x, r);
    }
    x->edges.failed = !ok;
    if (ok && (live->workflow->never_count || x->explain)) {
        list_members(x);
        if (x->member_count && live_fetch(live, x->members, x->member_count, false, LIVE_ANSWER_US,
                                          members_came, NULL, x) == KIN_OK)
            return;
    }
    answer(x, NULL);
}
