#include "coordinator/live.h"
#include "coordinator/row_features.h"

#include <stdlib.h>
#include <string.h>

/* LOOKUP: records are normalised, the owners of their keys are asked what matches them (many
 * lookups in one message, while at most a few of those are under way to each), and the answer is
 * the group of the best match that no never rule forbids. */

enum {
    ASKS_AT_ONCE = 2,        /* LIVE_LOOKUPs under way to a worker */
    GROUPS_CHECKED = 16,     /* of one record, against never rules */
    MEMBERS_CHECKED = 20000, /* of one LOOKUP */
    STAR_CANDIDATES = 4096,  /* of one record, beside those that workers tell */
    OTHERS_DEFAULT = 5,
    OTHERS_MAX = 100
};

struct lookup_parser {
    struct kin_rows *rows;
    struct row_features features;
};

struct candidate {          /* a group that matches */
    uint32_t group, record; /* record: the best of it */
    uint32_t rule;
    int32_t weight;
    bool forbidden;
};
struct lookup_record {
    uint32_t at; /* of its features; LIVE_NONE: there are none */
    bool truncated;
    const char *reason; /* static or in the arena */
    struct kin_str field;
    struct candidate *candidates; /* best first */
    size_t candidate_count;
};
struct live_lookup {
    struct live_lookup *next, *prev;
    struct live *live;
    kin_node_id from;
    uint64_t request;
    uint32_t limit;
    bool explain, partial;
    uint16_t source;
    struct kin_arena arena;
    struct kin_frame *frame;
    struct lookup_record *records;
    size_t count;
    struct kin_buf features;
    struct kin_buf edges; /* as of LIVE_FOUND, a: the record */
    size_t waiting;       /* records at workers */
    uint32_t *members;    /* those whose features are asked for */
    size_t member_count;
};
struct live_origin {
    struct live_lookup *lookup; /* NULL: nobody waits any more */
    uint32_t record;
};

static void lookup_free(struct live_lookup *x)
{
    kin_arena_deinit(&x->arena);
    kin_frame_unref(x->frame);
    kin_free(x->records);
    kin_free(x->members);
    kin_buf_deinit(&x->features);
    kin_buf_deinit(&x->edges);
    kin_free(x);
}

static void lookup_end(struct live_lookup *x)
{
    if (x->prev)
        x->prev->next = x->next;
    else if (x->live->lookups == x)
        x->live->lookups = x->next;
    if (x->next)
        x->next->prev = x->prev;
    lookup_free(x);
}

/* ---- parsing ---- */

static struct kin_reader_options reader_options(const struct live *live)
{
    struct kin_reader_options o =
        source_reader_options(live->workflow, 0, "lookup.jsonl", KIN_CHUNK_BYTES);
    o.format = KIN_FORMAT_JSONL;
    return o;
}

static void parser_free(struct lookup_parser *p)
{
    if (!p)
        return;
    if (p->rows)
        kin_rows_free(p->rows);
    row_features_deinit(&p->features);
    kin_free(p);
}

static struct lookup_parser *parser_new(const struct live *live, uint16_t source)
{
    struct lookup_parser *p = kin_calloc(1, sizeof *p);
    struct kin_reader_options options = reader_options(live);
    const struct kin_workflow_source *s =
        source == KIN_LIVE_NO_SOURCE ? &live->by_field : &live->workflow->sources[source];
    if (!p)
        return NULL;
    p->rows = kin_rows_new(&options);
    if (!p->rows || row_features_init(&p->features, live->workflow, s) != KIN_OK) {
        parser_free(p);
        return NULL;
    }
    return p;
}

static kin_status add_record(struct live_lookup *x, struct lookup_parser *p,
                             const struct kin_row *row)
{
    uint64_t keys[KIN_KEYS_MAX];
    size_t key_count;
    struct lookup_record *r = &x->records[x->count];
    *r = (struct lookup_record){.at = LIVE_NONE};
    if (row->reason) {
        r->reason = kin_arena_strndup(&x->arena, row->reason, strlen(row->reason));
        char *field = kin_arena_strndup(&x->arena, row->field.p, row->field.n);
        r->field = (struct kin_str){field, row->field.n};
        x->count++;
        return r->reason && field ? KIN_OK : KIN_E_NOMEM;
    }
    if (!row_features_begin(&p->features, p->rows, row))
        return KIN_E_NOMEM;
    struct kin_str id = row_features_id(&p->features, row);
    if (id.n == 0 || id.n > KIN_ID_BYTES_MAX)
        id = KIN_STR("?");
    r->at = (uint32_t)x->features.n;
    kin_status status = row_features_build(&p->features, row, (uint32_t)x->count, x->source, id,
                                           &x->features, keys, &key_count);
    row_features_end(&p->features, row);
    if (status == KIN_E_LIMIT) {
        r->at = LIVE_NONE;
        r->reason = "normalised record is larger than 256 KiB";
        status = KIN_OK;
    }
    x->count++;
    return status;
}

static kin_status parse(struct live_lookup *x, struct lookup_parser *p)
{
    struct kin_chunk chunk = {.bytes = x->frame->payload, .line = 1};
    struct kin_row row;
    kin_status status = KIN_OK;
    size_t cap = 0;
    kin_rows_begin(p->rows, NULL, &chunk);
    while (status == KIN_OK && kin_rows_next(p->rows, &row)) {
        if (x->count == KIN_LIVE_RECORDS_MAX)
            return KIN_E_LIMIT;
        if (x->count == cap) {
            cap = cap ? 4 * cap : 4;
            struct lookup_record *more = kin_reallocarray(x->records, cap, sizeof *more);
            if (!more)
                return KIN_E_NOMEM;
            x->records = more;
        }
        status = add_record(x, p, &row);
    }
    return status == KIN_OK && kin_rows_failed(p->rows) ? KIN_E_NOMEM : status;
}

/* ---- asking workers ---- */

struct found_ask { /* what one LIVE_LOOKUP was for */
    struct live_origin *origins;
    size_t count;
};

static void lookup_found(struct live_lookup *x);

static void origin_done(struct live_origin *o)
{
    if (o->lookup && --o->lookup->waiting == 0)
        lookup_found(o->lookup);
}

static bool found_is_sound(const struct live *live, const uint8_t *p)
{
    uint32_t number = kin_le32(p + 4), rule = kin_le32(p + 8) & ~(uint32_t)KIN_EDGE_STAR;
    return number < live->graph.count &&
           rule < live->workflow->rule_count + (live->workflow->model != NULL);
}

static void take_found(struct live *live, struct found_ask *ask, struct kin_frame *f)
{
    struct kin_cursor c = kin_cursor_of(f->payload.p, f->payload.n);
    for (size_t i = 0; i < ask->count; i++) {
        struct live_lookup *x = ask->origins[i].lookup;
        uint32_t record = ask->origins[i].record;
        uint32_t n = kin_cursor_u32(&c), flags = kin_cursor_u32(&c);
        const uint8_t *p = n <= kin_cursor_left(&c) / KIN_LIVE_EDGE_BYTES
                               ? kin_cursor_take(&c, (size_t)n * KIN_LIVE_EDGE_BYTES)
                               : NULL;
        if (!p && n)
            c.bad = true;
        if (x && c.bad)
            x->partial = true;
        if (!x || c.bad)
            continue;
        x->records[record].truncated |= (flags & KIN_LIVE_TRUNCATED) != 0;
        for (uint32_t k = 0; k < n; k++, p += KIN_LIVE_EDGE_BYTES) {
            if (!found_is_sound(live, p))
                continue;
            kin_buf_u32(&x->edges, record);
            kin_buf_put(&x->edges, p + 4, KIN_LIVE_EDGE_BYTES - 4);
        }
    }
}

static void found_free(struct found_ask *a)
{
    kin_free(a->origins);
    kin_free(a);
}

static void on_found(struct live_ask *ask, const struct kin_message *m, struct kin_frame *f)
{
    struct found_ask *a = ask->arg;
    struct live *live = ask->live;
    struct live_worker *w = &live->workers[ask->worker];
    w->lookups--;
    if (m && m->type == KIN_MSG_LIVE_FOUND && m->u.live_found.status == KIN_OK) {
        take_found(live, a, f);
    } else {
        for (size_t i = 0; i < a->count; i++) {
            if (a->origins[i].lookup)
                a->origins[i].lookup->partial = true;
        }
    }
    for (size_t i = 0; i < a->count; i++)
        origin_done(&a->origins[i]);
    found_free(a);
    live_lookup_pump(live, ask->worker);
}

static void on_forget(struct live_ask *ask)
{
    found_free(ask->arg);
}

/* Sends what has gathered. */
void live_lookup_pump(struct live *live, unsigned worker)
{
    struct live_worker *w = &live->workers[worker];
    if (!w->origins.n || w->lookups >= ASKS_AT_ONCE)
        return;
    struct kin_message m = {.type = KIN_MSG_LIVE_LOOKUP};
    m.u.live_lookup.live = live->run;
    m.u.live_lookup.committed = live->applied;
    struct found_ask *a = kin_calloc(1, sizeof *a);
    struct kin_frame *f = a ? kin_frame_new(0) : NULL;
    if (!f) {
        kin_free(a);
        return; /* the tick tries again */
    }
    f->payload = w->features;
    a->origins = (struct live_origin *)(void *)w->origins.p;
    a->count = w->origins.n / sizeof(struct live_origin);
    w->features = w->origins = (struct kin_buf){0};
    w->lookups++;
    if (live_ask(live, worker, &m, f, LIVE_ANSWER_US, on_found, on_forget, a) == KIN_OK)
        return;
    w->lookups--;
    for (size_t i = 0; i < a->count; i++) {
        if (a->origins[i].lookup)
            a->origins[i].lookup->partial = true;
        origin_done(&a->origins[i]);
    }
    found_free(a);
}

static uint64_t owners_of(const struct live *live, const uint8_t *rec)
{
    unsigned n;
    const uint8_t *keys = kin_features_keys(rec, &n);
    uint64_t owners = 0;
    for (unsigned k = 0; k < n; k++)
        owners |= (uint64_t)1 << kin_key_worker(&live->shards, kin_le64(keys + 8 * (size_t)k));
    return owners;
}

static void ask_workers(struct live_lookup *x)
{
    struct live *live = x->live;
    x->waiting = 1;
    for (size_t i = 0; i < x->count; i++) {
        if (x->records[i].at == LIVE_NONE)
            continue;
        const uint8_t *rec = x->features.p + x->records[i].at;
        uint64_t owners = owners_of(live, rec);
        for (unsigned w = 0; w < live->shards.workers; w++) {
            struct live_worker *worker = &live->workers[w];
            if (!(owners >> w & 1))
                continue;
            if (!live_worker_up(live, w)) {
                x->partial = true;
                continue;
            }
            struct live_origin o = {x, (uint32_t)i};
            kin_buf_put(&worker->features, rec, kin_features_bytes(rec));
            kin_buf_put(&worker->origins, &o, sizeof o);
            if (worker->features.failed || worker->origins.failed) {
                worker->features.failed = worker->origins.failed = false;
                x->partial = true; /* nothing was appended, or features that nobody waits for */
                continue;
            }
            x->waiting++;
        }
    }
    for (unsigned w = 0; w < live->shards.workers; w++)
        live_lookup_pump(live, w);
    struct live_origin self = {x, 0};
    origin_done(&self);
}

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

static void lookup_found(struct live_lookup *x)
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

/* ---- the request ---- */

struct parse_task {
    struct live_task task;
    struct live_lookup *lookup;
};

static void parse_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct parse_task *t = (struct parse_task *)work;
    struct lookup_parser *p = parser_new(t->task.live, t->lookup->source);
    t->task.task.status = p ? parse(t->lookup, p) : KIN_E_NOMEM;
    parser_free(p);
}

static void parsed(struct live_lookup *x, kin_status status)
{
    struct live *live = x->live;
    if (status != KIN_OK || live->state != LIVE_SERVING) {
        live_answer(live->c, x->from, x->request, status != KIN_OK ? status : KIN_E_BUSY,
                    status == KIN_E_LIMIT ? "more than 4,096 records in one request"
                                          : "the records cannot be read");
        lookup_free(x);
        return;
    }
    x->next = live->lookups;
    if (x->next)
        x->next->prev = x;
    live->lookups = x;
    ask_workers(x);
}

static void parse_finish(struct live_task *task)
{
    struct parse_task *t = (struct parse_task *)task;
    struct live_lookup *x = t->lookup;
    t->lookup = NULL;
    parsed(x, task->task.status);
}

static void parse_release(struct live_task *task)
{
    struct parse_task *t = (struct parse_task *)task;
    if (t->lookup)
        lookup_free(t->lookup);
}

static bool is_small(const struct kin_frame *f)
{
    size_t lines = 0;
    const char *p = (const char *)f->payload.p, *end = p + f->payload.n;
    while (p && p < end && lines <= LIVE_INLINE_RECORDS) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : end;
        lines++;
    }
    return lines <= LIVE_INLINE_RECORDS && f->payload.n <= 64 * 1024;
}

static const char *check(const struct live *live, const struct kin_message *m,
                         const struct kin_frame *f, uint16_t *source, kin_status *status)
{
    const struct kin_workflow *w = live->workflow;
    *status = KIN_E_BUSY;
    if (live->state != LIVE_SERVING)
        return "not served at the moment; try again";
    *status = KIN_E_LIMIT;
    if (f->payload.n > KIN_LIVE_PAYLOAD_MAX)
        return "more than 8 MiB in one request";
    *source = KIN_LIVE_NO_SOURCE;
    for (uint16_t s = 0; s < w->source_count && m->u.lookup.source.n; s++) {
        if (kin_str_eq(m->u.lookup.source, kin_str_of(w->sources[s].name)))
            *source = s;
    }
    *status = KIN_E_INVAL;
    if (m->u.lookup.source.n && *source == KIN_LIVE_NO_SOURCE)
        return "the workflow has no such source";
    *status = KIN_OK;
    return NULL;
}

void live_serve_lookup(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m,
                       struct kin_frame *f)
{
    struct live *live = live_find(c, m->u.lookup.workflow);
    kin_status status = live_missing(c);
    uint16_t source = 0;
    const char *wrong = live ? check(live, m, f, &source, &status) : "no such workflow is served";
    struct live_lookup *x = wrong ? NULL : kin_calloc(1, sizeof *x);
    if (!x) {
        live_answer(c, from, m->request, wrong ? status : KIN_E_NOMEM,
                    wrong ? wrong : "out of memory");
        return;
    }
    uint32_t limit = m->u.lookup.limit ? m->u.lookup.limit : OTHERS_DEFAULT;
    *x = (struct live_lookup){.live = live,
                              .from = from,
                              .request = m->request,
                              .limit = limit < OTHERS_MAX ? limit : OTHERS_MAX,
                              .explain = m->u.lookup.explain,
                              .source = source,
                              .frame = kin_frame_ref(f)};
    live->lookup_count++;
    if (source == KIN_LIVE_NO_SOURCE && live->parser && is_small(f)) {
        row_features_again(&live->parser->features);
        parsed(x, parse(x, live->parser));
        return;
    }
    struct parse_task *t = live_task_new(live, sizeof *t, parse_run, parse_finish, parse_release);
    if (!t) {
        parsed(x, KIN_E_NOMEM);
        return;
    }
    t->lookup = x;
    live_task_start(&t->task);
}

/* ---- begin and end ---- */

kin_status live_lookup_init(struct live *live)
{
    const struct kin_workflow *w = live->workflow;
    struct kin_workflow_columns *columns =
        kin_arena_calloc(&live->arena, w->schema.count + 1, sizeof *columns);
    const char **names = kin_arena_calloc(&live->arena, w->schema.count + 1, sizeof *names);
    if (!columns || !names)
        return KIN_E_NOMEM;
    for (size_t f = 0; f < w->schema.count; f++) {
        names[f] = w->fields[f].name;
        columns[f].names = &names[f];
        columns[f].count = 1;
    }
    live->by_field = (struct kin_workflow_source){.name = "", .columns = columns};
    live->parser = parser_new(live, KIN_LIVE_NO_SOURCE);
    return live->parser ? KIN_OK : KIN_E_NOMEM;
}

void live_lookup_deinit(struct live *live)
{
    parser_free(live->parser);
    live->parser = NULL;
    kin_arena_deinit(&live->arena);
}

/* Those that wait for workers are told to try again; what comes for them later is nobody's. */
void live_lookups_end(struct live *live)
{
    for (struct live_ask *ask = live->c->asks; ask; ask = ask->next) {
        struct found_ask *a = ask->arg;
        if (ask->live != live || ask->message.type != KIN_MSG_LIVE_LOOKUP)
            continue;
        for (size_t i = 0; i < a->count; i++)
            a->origins[i].lookup = NULL;
    }
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++) {
        kin_buf_clear(&live->workers[w].features);
        kin_buf_clear(&live->workers[w].origins);
    }
    for (struct live_lookup *x = live->lookups, *next; x; x = next) {
        next = x->next;
        if (x->member_count && !live->c->stopping)
            continue; /* it waits for features, which come or do not */
        live_answer(live->c, x->from, x->request, KIN_E_BUSY,
                    "not served at the moment; try again");
        lookup_end(x);
    }
}
