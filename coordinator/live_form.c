#include "coordinator/live.h"

#include <string.h>
#include <strings.h>

/* PUTs become batches: those of one source that wait together are parsed, what is to be removed is
 * told from what is to be stored, of several lines with one id the last is kept, and the rest is
 * split as a chunk of that source would be. */

struct form_task {
    struct live_task task;
    struct live_put *puts; /* owned */
    struct live_put *rest; /* those for which it is too early; owned */
    struct live_batch *batch;
    struct kin_arena arena;
    const struct kin_workflow *workflow;
    struct kin_shard_map shards;
    uint32_t *by_id; /* open addressing: line + 1 */
    size_t mask;
    struct kin_chunk kept;     /* text of what is stored */
    struct kin_buf kept_lines; /* u32: the line of each */
    struct kin_buf rejects;    /* of the split */
    struct kin_rows *rows;
};

void live_put_free(struct live_put *p)
{
    kin_frame_unref(p->frame);
    live_link_free(p->link);
    kin_free(p);
}

static struct live_line *line_at(struct form_task *t, size_t i)
{
    return (struct live_line *)(void *)t->batch->lines.p + i;
}

static size_t line_count(const struct form_task *t)
{
    return t->batch->lines.n / sizeof(struct live_line);
}

static uint32_t keep_text(struct form_task *t, struct kin_str s)
{
    uint32_t at = (uint32_t)t->batch->text.n;
    kin_buf_put(&t->batch->text, s.p, s.n);
    return at;
}

static void reject_line(struct form_task *t, size_t line, struct kin_str field, struct kin_str why)
{
    uint32_t field_at = keep_text(t, field), reason_at = keep_text(t, why);
    struct live_line *l = line_at(t, line);
    l->outcome = LIVE_REJECTED;
    l->field_at = field_at;
    l->field_bytes = (uint32_t)field.n;
    l->reason_at = reason_at;
    l->reason_bytes = (uint32_t)why.n;
}

static struct kin_str line_id(struct form_task *t, const struct live_line *l)
{
    return (struct kin_str){(const char *)t->batch->text.p + l->id_at, l->id_bytes};
}

/* Notes the line of an id; an earlier line of the same PUT does not count any more. *again: one of
 * an earlier PUT has it. */
static bool note_id(struct form_task *t, size_t line, size_t put_from, bool *again)
{
    struct kin_str id = line_id(t, line_at(t, line));
    size_t lines = line_count(t);
    if (!t->by_id || 2 * lines > t->mask) {
        size_t cap = 1024;
        while (cap < 4 * lines)
            cap *= 2;
        uint32_t *old = t->by_id;
        size_t old_n = old ? t->mask + 1 : 0;
        t->by_id = kin_arena_calloc(&t->arena, cap, sizeof *t->by_id);
        if (!t->by_id)
            return false;
        t->mask = cap - 1;
        for (size_t i = 0; i < old_n; i++) {
            if (!old[i])
                continue;
            struct kin_str other = line_id(t, line_at(t, old[i] - 1));
            size_t at = kin_hash64(other.p, other.n, 0) & t->mask;
            while (t->by_id[at])
                at = (at + 1) & t->mask;
            t->by_id[at] = old[i];
        }
    }
    size_t at = kin_hash64(id.p, id.n, 0) & t->mask;
    while (t->by_id[at] && !kin_str_eq(line_id(t, line_at(t, t->by_id[at] - 1)), id))
        at = (at + 1) & t->mask;
    *again = t->by_id[at] && t->by_id[at] - 1 < put_from;
    if (t->by_id[at] && !*again)
        line_at(t, t->by_id[at] - 1)->outcome = LIVE_SUPERSEDED;
    t->by_id[at] = (uint32_t)line + 1;
    return true;
}

static bool is_true(struct kin_str v)
{
    static const char *const words[] = {"true", "1", "yes", "y"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (v.n == strlen(words[i]) && strncasecmp(v.p, words[i], v.n) == 0)
            return true;
    }
    return false;
}

static const struct kin_str ANY_ID = {"$id", 3}, DELETE_COLUMN = {"DELETE", 6};

/* What a line says beside its values. */
struct told {
    struct kin_str id;
    bool remove, rewritten;
};

static struct told read_told(struct form_task *t, const struct kin_row *row)
{
    struct told told = {0};
    size_t columns;
    const struct kin_str *names = kin_rows_columns(t->rows, &columns);
    struct kin_str id_column = kin_str_of(t->workflow->sources[t->batch->source].id);
    for (size_t i = 0; i < row->count; i++) {
        struct kin_str name = names[row->cells[i].column];
        bool any = kin_str_eq(name, ANY_ID), marks = kin_str_eq(name, DELETE_COLUMN);
        if (any || kin_str_eq(name, id_column))
            told.id = told.id.n ? told.id : kin_str_trimmed(row->cells[i].value);
        told.remove = told.remove || (marks && is_true(row->cells[i].value));
        told.rewritten = told.rewritten || any || marks;
    }
    return told;
}

/* The line again, with the id in its column and without what is no column. */
static void rewrite(struct form_task *t, const struct kin_row *row, struct kin_str id)
{
    struct kin_buf *out = &t->kept.bytes;
    size_t columns;
    const struct kin_str *names = kin_rows_columns(t->rows, &columns);
    struct kin_str id_column = kin_str_of(t->workflow->sources[t->batch->source].id);
    kin_buf_putc(out, '{');
    kin_json_string(out, id_column);
    kin_buf_putc(out, ':');
    kin_json_string(out, id);
    for (size_t i = 0; i < row->count;) {
        uint32_t column = row->cells[i].column;
        struct kin_str name = names[column];
        size_t end = i + 1;
        while (end < row->count && row->cells[end].column == column)
            end++;
        if (!kin_str_eq(name, ANY_ID) && !kin_str_eq(name, DELETE_COLUMN) &&
            !kin_str_eq(name, id_column)) {
            kin_buf_putc(out, ',');
            kin_json_string(out, name);
            kin_buf_puts(out, ":[");
            for (size_t k = i; k < end; k++) {
                if (k > i)
                    kin_buf_putc(out, ',');
                kin_json_string(out, row->cells[k].value);
            }
            kin_buf_putc(out, ']');
        }
        i = end;
    }
    kin_buf_puts(out, "}\n");
}

/* Removals and what is stored are told apart when the last line of each id is known. */
struct kept_line {
    uint32_t line;
    bool remove;
    uint64_t from, end; /* in kept */
};

static kin_status take_line(struct form_task *t, const struct kin_row *row, struct kin_buf *kept,
                            size_t put_from, bool *again)
{
    struct live_line line = {.rel = LIVE_NONE, .remove = LIVE_NONE};
    size_t at = line_count(t);
    kin_buf_put(&t->batch->lines, &line, sizeof line);
    if (t->batch->lines.failed)
        return KIN_E_NOMEM;
    if (row->reason) {
        reject_line(t, at, row->field, kin_str_of(row->reason));
        return KIN_OK;
    }
    struct told told = read_told(t, row);
    struct kin_str column = kin_str_of(t->workflow->sources[t->batch->source].id);
    if (told.id.n == 0 || told.id.n > KIN_ID_BYTES_MAX) {
        reject_line(
            t, at, column,
            kin_str_of(told.id.n ? "id is longer than 255 bytes" : "id is missing or empty"));
        return KIN_OK;
    }
    uint32_t id_at = keep_text(t, told.id);
    line_at(t, at)->id_at = id_at;
    line_at(t, at)->id_bytes = (uint32_t)told.id.n;
    if (t->batch->text.failed || !note_id(t, at, put_from, again))
        return KIN_E_NOMEM;
    struct kept_line k = {.line = (uint32_t)at, .remove = told.remove, .from = t->kept.bytes.n};
    if (!told.remove && told.rewritten) {
        rewrite(t, row, told.id);
    } else if (!told.remove) {
        kin_buf_put(&t->kept.bytes, row->raw.p, row->raw.n);
        kin_buf_putc(&t->kept.bytes, '\n');
    }
    k.end = t->kept.bytes.n;
    kin_buf_put(kept, &k, sizeof k);
    return t->kept.bytes.failed || kept->failed ? KIN_E_NOMEM : KIN_OK;
}

/* Leaves what counts: removals in their list, lines to store in `kept`, one behind the other. */
static kin_status sort_out(struct form_task *t, const struct kin_buf *kept)
{
    const struct kept_line *k = (const struct kept_line *)(const void *)kept->p;
    size_t to = 0;
    for (size_t i = 0; i < kept->n / sizeof *k; i++) {
        struct live_line *l = line_at(t, k[i].line);
        if (l->outcome == LIVE_SUPERSEDED)
            continue;
        if (k[i].remove) {
            struct live_removal r = {
                .id_at = l->id_at, .id_bytes = l->id_bytes, .number = LIVE_NONE};
            l->remove = (uint32_t)(t->batch->removals.n / sizeof r);
            kin_buf_put(&t->batch->removals, &r, sizeof r);
            continue;
        }
        memmove(t->kept.bytes.p + to, t->kept.bytes.p + k[i].from, k[i].end - k[i].from);
        to += k[i].end - k[i].from;
        kin_buf_u32(&t->kept_lines, k[i].line);
    }
    t->kept.bytes.n = to;
    return t->kept_lines.failed || t->batch->removals.failed ? KIN_E_NOMEM : KIN_OK;
}

static struct kin_reader_options reader_options(const struct form_task *t)
{
    struct kin_reader_options o =
        source_reader_options(t->workflow, t->batch->source, "put.jsonl", KIN_CHUNK_BYTES);
    o.format = KIN_FORMAT_JSONL;
    return o;
}

static kin_status parse(struct form_task *t)
{
    struct kin_reader_options options = reader_options(t);
    struct kin_buf kept = {0};
    t->rows = kin_rows_new(&options);
    kin_status status = t->rows ? KIN_OK : KIN_E_NOMEM;
    for (struct live_put *p = t->puts, *last = NULL; p && status == KIN_OK; last = p, p = p->next) {
        struct kin_chunk chunk = {.bytes = p->frame->payload, .line = 1};
        struct kin_row row;
        size_t kept_n = kept.n, text_n = t->kept.bytes.n;
        bool again = false;
        p->lines_from = line_count(t);
        kin_rows_begin(t->rows, NULL, &chunk);
        while (status == KIN_OK && !again && kin_rows_next(t->rows, &row))
            status = take_line(t, &row, &kept, p->lines_from, &again);
        if (status == KIN_OK && kin_rows_failed(t->rows))
            status = KIN_E_NOMEM;
        p->lines = line_count(t) - p->lines_from;
        if (again) { /* as if one after the other: the rest is for the next batch */
            t->batch->lines.n = p->lines_from * sizeof(struct live_line);
            kept.n = kept_n;
            t->kept.bytes.n = text_n;
            t->rest = p;
            last->next = NULL;
            break;
        }
    }
    if (status == KIN_OK)
        status = sort_out(t, &kept);
    kin_buf_deinit(&kept);
    return status;
}

/* What the split turned down, by the lines it knows; then the others have the places it gave. */
static void take_rejects(struct form_task *t)
{
    struct kin_cursor c = kin_cursor_of(t->rejects.p, t->rejects.n);
    const uint32_t *lines = (const uint32_t *)(const void *)t->kept_lines.p;
    size_t n = t->kept_lines.n / 4;
    uint32_t rel = 0;
    while (kin_cursor_left(&c)) {
        uint32_t at = kin_cursor_u32(&c), field = kin_cursor_u32(&c), reason = kin_cursor_u32(&c);
        struct kin_str name = {(const char *)kin_cursor_take(&c, field), field};
        struct kin_str why = {(const char *)kin_cursor_take(&c, reason), reason};
        if (at >= 1 && at <= n)
            reject_line(t, lines[at - 1], name, why);
    }
    for (size_t i = 0; i < n; i++) {
        struct live_line *l = line_at(t, lines[i]);
        if (l->outcome != LIVE_REJECTED)
            l->rel = rel++;
    }
}

static kin_status split_kept(struct form_task *t)
{
    struct live_batch *b = t->batch;
    struct kin_reader_options options = reader_options(t);
    char name[] = "put";
    struct source_file file = {.path = name, .source = b->source};
    t->kept.line = 1;
    struct split_input in = {.workflow = t->workflow,
                             .file = &file,
                             .reader = &options,
                             .chunk = &t->kept,
                             .shards = &t->shards,
                             .rejects = &t->rejects};
    struct split_output out;
    kin_status status = split_chunk(&in, &out);
    if (status != KIN_OK)
        return status;
    b->count = out.count;
    b->workers = t->shards.workers;
    for (unsigned w = 0; w < b->workers && status == KIN_OK; w++) {
        b->payload[w] = kin_frame_new(0);
        if (!b->payload[w]) {
            status = KIN_E_NOMEM;
            break;
        }
        b->payload[w]->payload = out.payload[w];
        out.payload[w] = (struct kin_buf){0};
        b->feature_bytes[w] = out.feature_bytes[w];
        b->row_bytes[w] = (uint32_t)(b->payload[w]->payload.n - out.feature_bytes[w]);
    }
    b->page_bytes = out.page;
    out.page = (struct kin_buf){0};
    split_output_deinit(&out);
    if (status == KIN_OK &&
        !kin_page_read((struct kin_str){(const char *)b->page_bytes.p, b->page_bytes.n}, &b->page))
        status = KIN_E_CORRUPT;
    if (status == KIN_OK)
        take_rejects(t);
    return t->rejects.failed || b->text.failed ? KIN_E_NOMEM : status;
}

static void form_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct form_task *t = (struct form_task *)work;
    kin_status status = parse(t);
    if (status == KIN_OK)
        status = split_kept(t);
    t->task.task.status = status;
    if (t->rows)
        kin_rows_free(t->rows);
    t->rows = NULL;
}

static void free_puts(struct live_put *p)
{
    while (p) {
        struct live_put *next = p->next;
        live_put_free(p);
        p = next;
    }
}

static void form_release(struct live_task *task)
{
    struct form_task *t = (struct form_task *)task;
    free_puts(t->puts);
    free_puts(t->rest);
    live_batch_drop(t->batch);
    kin_arena_deinit(&t->arena);
    kin_buf_deinit(&t->kept.bytes);
    kin_buf_deinit(&t->kept_lines);
    kin_buf_deinit(&t->rejects);
}

/* ---- on the loop ---- */

/* The id that a record will be known by at least for ever: that of its group, or of one that it
 * founds. */
static void mint(struct live *live, struct live_batch *b, struct live_line *l)
{
    struct live_graph *g = &live->graph;
    struct kin_str id = kin_page_id(&b->page, l->rel);
    uint32_t number = live_graph_committed(g, live_graph_find(g, b->source, id));
    l->has_minted = true;
    if (number != LIVE_NONE) {
        l->minted = g->groups[g->records[number].group].id;
        return;
    }
    live_graph_new_id(g, NULL, live->c->args->match_id_key, b->source, id, &l->minted);
    kin_buf_u32(&b->minted, l->rel);
}

static void refuse_all(struct live *live, struct live_put *puts, kin_status status,
                       const char *text)
{
    for (struct live_put *p = puts; p; p = p->next)
        live_answer(live->c, p->from, p->request, status, text);
}

/* To the front of the queue. */
static void put_back(struct live *live, struct form_task *t)
{
    struct live_put **end = &t->rest;
    for (; *end; end = &(*end)->next)
        live->queue_bytes += (*end)->frame->payload.n;
    if (!t->rest)
        return;
    *end = live->queue;
    if (!live->queue)
        live->queue_end = end;
    live->queue = t->rest;
    t->rest = NULL;
}

static void form_finish(struct live_task *task)
{
    struct form_task *t = (struct form_task *)task;
    struct live *live = task->live;
    struct live_batch *b = t->batch;
    live->forming = false;
    if (live->state == LIVE_SERVING)
        put_back(live, t);
    if (live->state != LIVE_SERVING) {
        refuse_all(live, t->rest, KIN_E_BUSY, "not served at the moment; try again");
        refuse_all(live, t->puts, KIN_E_BUSY, "not served at the moment; try again");
        return;
    }
    if (task->task.status != KIN_OK) {
        refuse_all(live, t->puts, task->task.status, "the records cannot be taken in");
        live_form(live);
        return;
    }
    struct live_line *lines = (struct live_line *)(void *)b->lines.p;
    for (struct live_put *p = t->puts; p; p = p->next) {
        for (size_t i = p->lines_from; p->mint && i < p->lines_from + p->lines; i++) {
            if (lines[i].rel != LIVE_NONE)
                mint(live, b, &lines[i]);
        }
    }
    b->puts = t->puts;
    t->puts = NULL;
    t->batch = NULL;
    live_log_append(live, b);
}

/* Takes those at the front that are of one source; a LINK is a batch of its own. */
static struct live_put *take_queued(struct live *live)
{
    struct live_put *first = live->queue, **end = &live->queue;
    size_t bytes = 0, records = 0;
    while (*end && bytes < LIVE_BATCH_BYTES && records < LIVE_BATCH_RECORDS &&
           ((*end)->link ? *end == first : !first->link && (*end)->source == first->source)) {
        bytes += (*end)->frame ? (*end)->frame->payload.n : 0;
        records += (*end)->lines;
        bool link = (*end)->link != NULL;
        end = &(*end)->next;
        if (link)
            break;
    }
    live->queue = *end;
    *end = NULL;
    if (!live->queue)
        live->queue_end = &live->queue;
    live->queue_bytes -= bytes;
    return first;
}

static void form_link(struct live *live, struct live_put *put)
{
    struct live_batch *b = kin_calloc(1, sizeof *b);
    if (!b) {
        live_answer(live->c, put->from, put->request, KIN_E_NOMEM, "out of memory");
        live_put_free(put);
        return;
    }
    b->link = put->link;
    put->link = NULL;
    b->puts = put;
    if (live_batch_empty(b, live->shards.workers) != KIN_OK) {
        live_answer(live->c, put->from, put->request, KIN_E_NOMEM, "out of memory");
        live_batch_drop(b);
        return;
    }
    live_log_append(live, b);
}

void live_form(struct live *live)
{
    if (!live->queue || live->forming || live->logging || live->backlog >= LIVE_BACKLOG ||
        live->state != LIVE_SERVING || live->frozen)
        return;
    struct live_put *puts = take_queued(live);
    if (puts->link) {
        form_link(live, puts);
        return;
    }
    struct form_task *t = live_task_new(live, sizeof *t, form_run, form_finish, form_release);
    struct live_batch *b = t ? kin_calloc(1, sizeof *b) : NULL;
    if (!t || !b) {
        refuse_all(live, puts, KIN_E_NOMEM, "out of memory");
        free_puts(puts);
        if (t)
            live_task_drop(&t->task);
        return;
    }
    b->source = puts->source;
    t->puts = puts;
    t->batch = b;
    t->workflow = live->workflow;
    t->shards = live->shards;
    live->forming = true;
    live_task_start(&t->task);
}

/* About as many lines as there are: a bound of the work, not a count. */
static size_t count_lines(struct kin_str text)
{
    size_t n = 0;
    for (const char *p = text.p, *end = p + text.n; p && p < end; n++) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : end;
    }
    return n;
}

static const char *check_put(struct live *live, const struct kin_message *m,
                             const struct kin_frame *f, size_t lines, uint16_t *source,
                             kin_status *status)
{
    const struct kin_workflow *w = live->workflow;
    struct kin_str name = m->u.put.source;
    *source = name.n ? kin_workflow_source_named(w, name) : 0;
    *status = KIN_E_INVAL;
    if (*source == KIN_NO_SOURCE || (!name.n && w->source_count > 1))
        return name.n ? "the workflow has no such source" : "the source has to be named";
    *status = KIN_E_LIMIT;
    if (f->payload.n > KIN_LIVE_PAYLOAD_MAX || lines > KIN_LIVE_RECORDS_MAX)
        return "more than 4,096 records or 8 MiB in one request";
    *status = KIN_E_BUSY;
    if (live->state != LIVE_SERVING || live->frozen)
        return "not served at the moment; try again";
    if (live->queue_bytes + f->payload.n > LIVE_QUEUED_BYTES)
        return "too much is queued; try again";
    *status = KIN_OK;
    return NULL;
}

void live_serve_put(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m,
                    struct kin_frame *f)
{
    struct live *live = live_find(c, m->u.put.workflow);
    struct live_put *p = NULL;
    uint16_t source = 0;
    kin_status status = live_missing(c);
    size_t lines = count_lines((struct kin_str){(const char *)f->payload.p, f->payload.n});
    const char *wrong =
        live ? check_put(live, m, f, lines, &source, &status) : "no such workflow is served";
    if (!wrong && !(p = kin_calloc(1, sizeof *p))) {
        status = KIN_E_NOMEM;
        wrong = "out of memory";
    }
    if (wrong) {
        live_answer(c, from, m->request, status, wrong);
        return;
    }
    *p = (struct live_put){.from = from,
                           .request = m->request,
                           .wait = m->u.put.wait,
                           .mint = m->u.put.mint,
                           .source = source,
                           .frame = kin_frame_ref(f),
                           .lines = lines};
    *live->queue_end = p;
    live->queue_end = &p->next;
    live->queue_bytes += f->payload.n;
    live->put_count++;
    live_form(live);
}
