#include "coordinator/live_lookup.h"
#include "coordinator/row_features.h"

#include <stdlib.h>
#include <string.h>

/* LOOKUP: records are normalised, the owners of their keys are asked what matches them (many
 * lookups in one message, while at most a few of those are under way to each), and the answer is
 * the group of the best match that no never rule forbids. */

enum {
    ASKS_AT_ONCE = 2, /* LIVE_LOOKUPs under way to a worker */
    OTHERS_DEFAULT = 5,
    OTHERS_MAX = 100
};

struct lookup_parser {
    struct kin_rows *rows;
    struct row_features features;
};

struct live_origin {
    struct live_lookup *lookup; /* NULL: nobody waits any more */
    uint32_t record;
};

void lookup_free(struct live_lookup *x)
{
    kin_arena_deinit(&x->arena);
    kin_frame_unref(x->frame);
    kin_free(x->records);
    kin_free(x->members);
    kin_buf_deinit(&x->features);
    kin_buf_deinit(&x->edges);
    kin_free(x);
}

void lookup_end(struct live_lookup *x)
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

/* How many of the records that wait one LIVE_LOOKUP takes; *bytes: their features. */
static size_t records_of_ask(const struct live_worker *w, size_t *bytes)
{
    size_t waiting = w->origins.n / sizeof(struct live_origin), n = 0;
    *bytes = 0;
    while (n < waiting && n < KIN_LIVE_RECORDS_MAX) {
        size_t more = kin_features_bytes(w->features.p + *bytes);
        if (n && *bytes + more > KIN_LIVE_PAYLOAD_MAX)
            break;
        *bytes += more;
        n++;
    }
    return n;
}

static void drop_first(struct kin_buf *b, size_t n)
{
    b->n -= n;
    if (b->n)
        memmove(b->p, b->p + n, b->n);
    else if (b->cap > KIN_LIVE_PAYLOAD_MAX) /* more than is usual */
        kin_buf_deinit(b);
}

/* NULL: out of memory, and all waits on. */
static struct found_ask *take_waiting(struct live_worker *w, struct kin_frame **out)
{
    size_t bytes, n = records_of_ask(w, &bytes);
    struct found_ask *a = kin_calloc(1, sizeof *a);
    struct kin_frame *f = a ? kin_frame_new(0) : NULL;
    if (f) {
        a->origins = kin_reallocarray(NULL, n, sizeof *a->origins);
        kin_buf_put(&f->payload, w->features.p, bytes);
    }
    if (!f || !a->origins || f->payload.failed) {
        kin_frame_unref(f);
        if (a)
            found_free(a);
        return NULL;
    }
    memcpy(a->origins, w->origins.p, n * sizeof *a->origins);
    a->count = n;
    drop_first(&w->features, bytes);
    drop_first(&w->origins, n * sizeof *a->origins);
    *out = f;
    return a;
}

static void ask_worker(struct live *live, unsigned worker, struct found_ask *a, struct kin_frame *f)
{
    struct live_worker *w = &live->workers[worker];
    struct kin_message m = {.type = KIN_MSG_LIVE_LOOKUP};
    m.u.live_lookup.live = live->run;
    m.u.live_lookup.committed = live->applied;
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

/* Sends what has gathered. */
void live_lookup_pump(struct live *live, unsigned worker)
{
    struct live_worker *w = &live->workers[worker];
    while (w->origins.n && w->lookups < ASKS_AT_ONCE) {
        struct kin_frame *f;
        struct found_ask *a = take_waiting(w, &f);
        if (!a)
            return; /* the next answer or lookup tries again */
        ask_worker(live, worker, a, f);
    }
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
            if (!kin_buf_reserve(&worker->features, kin_features_bytes(rec)) ||
                !kin_buf_reserve(&worker->origins, sizeof o)) {
                worker->features.failed = worker->origins.failed = false;
                x->partial = true;
                continue;
            }
            kin_buf_put(&worker->features, rec, kin_features_bytes(rec));
            kin_buf_put(&worker->origins, &o, sizeof o);
            x->waiting++;
        }
    }
    for (unsigned w = 0; w < live->shards.workers; w++)
        live_lookup_pump(live, w);
    struct live_origin self = {x, 0};
    origin_done(&self);
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
    return lines <= LIVE_INLINE_RECORDS && f->payload.n <= LIVE_INLINE_BYTES;
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
    *source = m->u.lookup.source.n ? kin_workflow_source_named(w, m->u.lookup.source)
                                   : KIN_LIVE_NO_SOURCE;
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
