#include "client/live_put.h"

#include "client/live_text.h"
#include "common/base/hash.h"
#include "proto/live.h"

#include <stdlib.h>
#include <string.h>

const char *const kin_put_outcome_names[KIN_PUT_OUTCOMES] = {
    "accepted", "created", "updated", "deleted", "unknown", "superseded", "rejected"};

const char kin_put_errors_header[] = "source,file,line,id,field,reason,raw\n";

/* A record of a batch, or a line of the file that is none: then reason says why. */
struct entry {
    uint64_t line;
    size_t raw, raw_n, field, field_n, reason, reason_n; /* in texts */
    bool bad;
};

struct kin_put_batch {
    const char *file;
    struct kin_buf payload, texts;
    struct kin_buf entries; /* struct entry */
    struct kin_buf ids;     /* u64 hash of each record's id; sorted once the batch is closed */
    size_t good;
};

/* ---- batches ---- */

static void batch_free(struct kin_put_batch *b)
{
    if (!b)
        return;
    kin_buf_deinit(&b->payload);
    kin_buf_deinit(&b->texts);
    kin_buf_deinit(&b->entries);
    kin_buf_deinit(&b->ids);
    kin_free(b);
}

static size_t batch_count(const struct kin_put_batch *b)
{
    return b->entries.n / sizeof(struct entry);
}

static kin_status batch_need(struct kin_put *p, struct kin_err *err)
{
    if (!p->batch)
        p->batch = kin_calloc(1, sizeof *p->batch);
    if (!p->batch)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    p->batch->file = p->file;
    return KIN_OK;
}

static size_t put_text(struct kin_put_batch *b, struct kin_str text)
{
    size_t at = b->texts.n;
    kin_buf_put(&b->texts, text.p, text.n);
    return at;
}

static void batch_add(struct kin_put_batch *b, struct kin_str json, struct kin_str raw,
                      uint64_t line, uint64_t id_hash)
{
    struct entry e = {.line = line, .raw = put_text(b, raw), .raw_n = raw.n};
    kin_buf_put(&b->payload, json.p, json.n);
    kin_buf_putc(&b->payload, '\n');
    kin_buf_put(&b->entries, &e, sizeof e);
    kin_buf_u64(&b->ids, id_hash);
    b->good++;
}

static void batch_add_bad(struct kin_put_batch *b, struct kin_str raw, uint64_t line,
                          struct kin_str field, struct kin_str reason)
{
    struct entry e = {.line = line,
                      .raw = put_text(b, raw),
                      .raw_n = raw.n,
                      .field = put_text(b, field),
                      .field_n = field.n,
                      .reason = put_text(b, reason),
                      .reason_n = reason.n,
                      .bad = true};
    kin_buf_put(&b->entries, &e, sizeof e);
}

static bool batch_failed(const struct kin_put_batch *b)
{
    return b->payload.failed || b->texts.failed || b->entries.failed || b->ids.failed;
}

static int cmp_u64(const void *a, const void *b)
{
    uint64_t x = kin_le64(a), y = kin_le64(b);
    return (x > y) - (x < y);
}

static bool is_under_way(const struct kin_put *p, uint64_t id_hash)
{
    for (size_t i = 0; i < p->under_way_count; i++) {
        const struct kin_buf *ids = &p->under_way[i]->ids;
        if (ids->n && bsearch(&id_hash, ids->p, ids->n / 8, 8, cmp_u64))
            return true;
    }
    return false;
}

static void batch_done(struct kin_put *p, struct kin_put_batch *b)
{
    for (size_t i = 0; i < p->under_way_count; i++) {
        if (p->under_way[i] == b) {
            p->under_way[i] = p->under_way[--p->under_way_count];
            break;
        }
    }
    batch_free(b);
}

/* ---- what became of records ---- */

static kin_status tell(struct kin_put *p, const struct kin_put_line *line, struct kin_err *err)
{
    p->read++;
    p->counts[line->outcome]++;
    return p->on_line ? p->on_line(p->arg, line, err) : KIN_OK;
}

static struct kin_put_line line_of(const struct kin_put_batch *b, const struct entry *e)
{
    const char *texts = b->texts.p ? (const char *)b->texts.p : "";
    return (struct kin_put_line){.outcome = KIN_PUT_REJECTED,
                                 .file = b->file,
                                 .line = e->line,
                                 .raw = {texts + e->raw, e->raw_n},
                                 .field = {texts + e->field, e->field_n},
                                 .reason = {texts + e->reason, e->reason_n}};
}

static kin_status take_line(struct kin_put *p, const struct kin_put_batch *b, const struct entry *e,
                            struct kin_str json, struct kin_err *err)
{
    struct kin_buf confidence = {0};
    json_t *o = kin_served_object(json, err);
    if (!o)
        return KIN_E_PROTO;
    struct kin_str outcome = kin_served_member(o, "outcome");
    struct kin_put_line line = line_of(b, e);
    unsigned k = 0;
    while (k < KIN_PUT_OUTCOMES && !kin_str_eq(outcome, kin_str_of(kin_put_outcome_names[k])))
        k++;
    kin_served_put_number(o, "confidence", &confidence);
    line.outcome = k < KIN_PUT_OUTCOMES ? (enum kin_put_outcome)k : KIN_PUT_REJECTED;
    line.id = kin_served_member(o, "id");
    line.match_id = kin_served_member(o, "match_id");
    line.rule = kin_served_member(o, "rule");
    line.confidence = (struct kin_str){confidence.p ? (const char *)confidence.p : "",
                                       confidence.failed ? 0 : confidence.n};
    line.field = kin_served_member(o, "field");
    line.reason = kin_served_member(o, "reason");
    line.json = json;
    kin_status status = k < KIN_PUT_OUTCOMES
                            ? tell(p, &line, err)
                            : kin_err_set(err, KIN_E_PROTO, "an outcome that is not known: %.*s",
                                          (int)(outcome.n < 40 ? outcome.n : 40), outcome.p);
    kin_buf_deinit(&confidence);
    json_decref(o);
    return status;
}

/* answer: of the good records, in order. */
static kin_status take_batch(struct kin_put *p, const struct kin_put_batch *b,
                             struct kin_str answer, struct kin_err *err)
{
    const struct entry *entries = (const void *)b->entries.p;
    kin_status status = KIN_OK;
    struct kin_str json;
    for (size_t i = 0; i < batch_count(b) && status == KIN_OK; i++) {
        if (entries[i].bad) {
            struct kin_put_line line = line_of(b, &entries[i]);
            status = tell(p, &line, err);
        } else if (kin_served_line(&answer, &json)) {
            status = take_line(p, b, &entries[i], json, err);
        } else {
            status = kin_err_set(err, KIN_E_PROTO, "the answer has fewer lines than the request");
        }
    }
    if (status == KIN_OK && kin_served_line(&answer, &json))
        status = kin_err_set(err, KIN_E_PROTO, "the answer has more lines than the request");
    return status;
}

/* The answer to the first question: which column is the id. */
static kin_status take_probe(struct kin_put *p, struct kin_str payload, struct kin_err *err)
{
    struct kin_str json;
    json_t *o = kin_served_line(&payload, &json) ? kin_served_object(json, err) : NULL;
    if (!o)
        return kin_err_set(err, KIN_E_PROTO, "the coordinator's answer is not what it should be");
    struct kin_str field = kin_served_member(o, "field");
    kin_buf_put(&p->id_column, field.p, field.n);
    p->id_known = field.n > 0 && !p->id_column.failed;
    json_decref(o);
    return KIN_OK;
}

kin_status kin_put_take(struct kin_put *p, struct kin_stream_ask *ask, const struct kin_message *m,
                        struct kin_str payload, struct kin_err *err)
{
    struct kin_put_batch *b = ask->user;
    kin_status status = kin_stream_refusal(m, err);
    if (!b) /* whatever else it says of such a request: the id column is not learnt */
        return status == KIN_OK           ? take_probe(p, payload, err)
               : status == KIN_E_NOTFOUND ? status
                                          : KIN_OK;
    if (status == KIN_OK)
        status = take_batch(p, b, payload, err);
    batch_done(p, b);
    return status;
}

/* ---- requests ---- */

static enum kin_stream_next put_message(struct kin_put *p, struct kin_stream_ask *ask)
{
    ask->message.type = KIN_MSG_PUT;
    ask->message.u.put.workflow = p->workflow;
    ask->message.u.put.source = p->source;
    ask->message.u.put.wait = p->wait;
    return KIN_STREAM_ASK;
}

static enum kin_stream_next probe(struct kin_put *p, struct kin_stream_ask *ask)
{
    p->probed = true;
    kin_buf_puts(&ask->payload, "{\"DELETE\":true}\n");
    return put_message(p, ask);
}

static enum kin_stream_next send_batch(struct kin_put *p, struct kin_stream_ask *ask,
                                       struct kin_err *err)
{
    struct kin_put_batch *b = p->batch;
    if (batch_failed(b)) {
        kin_err_set(err, KIN_E_NOMEM, "out of memory");
        return KIN_STREAM_FAIL;
    }
    qsort(b->ids.p, b->ids.n / 8, 8, cmp_u64);
    ask->payload = b->payload;
    b->payload = (struct kin_buf){0};
    ask->user = b;
    p->under_way[p->under_way_count++] = b;
    p->batch = NULL;
    return put_message(p, ask);
}

/* A batch without a record needs no request, but its turn. */
static enum kin_stream_next flush_bad(struct kin_put *p, struct kin_err *err)
{
    if (p->under_way_count)
        return KIN_STREAM_DRAIN;
    kin_status status = batch_failed(p->batch)
                            ? kin_err_set(err, KIN_E_NOMEM, "out of memory")
                            : take_batch(p, p->batch, (struct kin_str){"", 0}, err);
    batch_free(p->batch);
    p->batch = NULL;
    return status == KIN_OK ? KIN_STREAM_END : KIN_STREAM_FAIL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static uint64_t id_hash_of(const struct kin_put *p, const struct kin_row *row)
{
    struct kin_str id = kin_served_rows_value(
        &p->rows, row, (struct kin_str){(const char *)p->id_column.p, p->id_column.n});
    for (; id.n && is_blank(id.p[id.n - 1]); id.n--)
        continue;
    for (; id.n && is_blank(*id.p); id.n--)
        id.p++;
    return kin_hash64(id.p, id.n, 0);
}

static struct kin_str text_of(const struct kin_buf *b)
{
    return (struct kin_str){b->p ? (const char *)b->p : "", b->n};
}

/* Whether the row is in the batch; else it is held. */
static bool add_row(struct kin_put *p, const struct kin_row *row)
{
    struct kin_put_batch *b = p->batch;
    struct kin_buf *object = &p->rows.object;
    if (row->reason) {
        batch_add_bad(b, row->raw, row->line, row->field, kin_str_of(row->reason));
        return true;
    }
    kin_buf_putc(object, '}');
    if (object->n >= KIN_LIVE_PAYLOAD_MAX / 2) {
        batch_add_bad(b, row->raw, row->line, (struct kin_str){"", 0},
                      KIN_STR("too large for one request"));
        return true;
    }
    uint64_t id_hash = p->id_known ? id_hash_of(p, row) : 0;
    if (!p->id_known || !is_under_way(p, id_hash)) {
        batch_add(b, text_of(object), row->raw, row->line, id_hash);
        return true;
    }
    kin_buf_clear(&p->held.json);
    kin_buf_put(&p->held.json, object->p, object->n);
    kin_buf_clear(&p->held.raw);
    kin_buf_put(&p->held.raw, row->raw.p, row->raw.n);
    p->held.line = row->line;
    p->held.id_hash = id_hash;
    p->has_held = true;
    return false;
}

/* Rows until the batch is full, one is held, or the file ends: KIN_E_EOF. */
static kin_status fill(struct kin_put *p, struct kin_err *err)
{
    kin_status status = KIN_OK;
    struct kin_row row;
    bool more = !p->has_held;
    if (p->has_held && !is_under_way(p, p->held.id_hash)) {
        if (p->held.json.failed || p->held.raw.failed)
            return kin_err_set(err, KIN_E_NOMEM, "out of memory");
        batch_add(p->batch, text_of(&p->held.json), text_of(&p->held.raw), p->held.line,
                  p->held.id_hash);
        p->has_held = false;
        more = true;
    }
    while (more && batch_count(p->batch) < KIN_PUT_LINES && p->batch->payload.n < KIN_PUT_BYTES &&
           p->batch->texts.n < KIN_LIVE_PAYLOAD_MAX) {
        status = kin_served_rows_next(&p->rows, &row, err);
        if (status != KIN_OK)
            return status;
        more = add_row(p, &row);
    }
    return status;
}

kin_status kin_put_open(struct kin_put *p, const char *path, struct kin_err *err)
{
    kin_put_close(p);
    p->file = path;
    kin_status status = kin_served_rows_open(&p->rows, path, err);
    p->open = status == KIN_OK;
    if (status != KIN_OK)
        kin_served_rows_deinit(&p->rows);
    return status;
}

enum kin_stream_next kin_put_next(struct kin_put *p, struct kin_stream_ask *ask,
                                  struct kin_err *err)
{
    if (!p->probed)
        return probe(p, ask);
    if ((!p->id_known && p->under_way_count) || p->under_way_count >= KIN_PUT_WINDOW)
        return KIN_STREAM_DRAIN;
    while (p->open || p->batch) {
        if (batch_need(p, err) != KIN_OK)
            return KIN_STREAM_FAIL;
        kin_status status = p->open ? fill(p, err) : KIN_E_EOF;
        if (status == KIN_E_EOF && p->open) {
            kin_served_rows_deinit(&p->rows);
            p->open = false;
        } else if (status != KIN_OK && status != KIN_E_EOF) {
            return KIN_STREAM_FAIL;
        }
        if (p->batch->good)
            return send_batch(p, ask, err);
        if (p->has_held && !batch_count(p->batch))
            return KIN_STREAM_DRAIN;
        enum kin_stream_next next = flush_bad(p, err);
        if (next != KIN_STREAM_END)
            return next;
    }
    return p->under_way_count ? KIN_STREAM_DRAIN : KIN_STREAM_END;
}

enum kin_stream_next kin_put_next_delete(struct kin_put *p, char *const *ids, size_t count,
                                         size_t *at, struct kin_stream_ask *ask,
                                         struct kin_err *err)
{
    struct kin_buf object = {0};
    if (!p->probed)
        return probe(p, ask);
    if (p->under_way_count || *at == count)
        return p->under_way_count ? KIN_STREAM_DRAIN : KIN_STREAM_END;
    if (!p->id_known) {
        kin_err_set(err, KIN_E_PROTO, "the coordinator does not tell the id column");
        return KIN_STREAM_FAIL;
    }
    if (batch_need(p, err) != KIN_OK)
        return KIN_STREAM_FAIL;
    for (; *at < count && batch_count(p->batch) < KIN_PUT_LINES; ++*at) {
        struct kin_str id = kin_str_of(ids[*at]);
        kin_buf_clear(&object);
        kin_served_put_member(&object, text_of(&p->id_column), id);
        kin_buf_puts(&object, ",\"DELETE\":true}");
        batch_add(p->batch, text_of(&object), id, 0, 0);
    }
    p->batch->payload.failed = p->batch->payload.failed || object.failed;
    kin_buf_deinit(&object);
    return send_batch(p, ask, err);
}

void kin_put_close(struct kin_put *p)
{
    for (size_t i = 0; i < p->under_way_count; i++)
        batch_free(p->under_way[i]);
    p->under_way_count = 0;
    batch_free(p->batch);
    p->batch = NULL;
    p->has_held = false;
    kin_served_rows_deinit(&p->rows);
    p->open = false;
}

void kin_put_deinit(struct kin_put *p)
{
    kin_put_close(p);
    kin_buf_deinit(&p->id_column);
    kin_buf_deinit(&p->held.json);
    kin_buf_deinit(&p->held.raw);
}

/* ---- what is said of it ---- */

void kin_put_error_row(struct kin_buf *out, struct kin_str source, const struct kin_put_line *line)
{
    kin_csv_cell(out, source);
    kin_buf_putc(out, ',');
    kin_csv_cell(out, kin_str_of(line->file ? line->file : ""));
    kin_buf_printf(out, ",%llu,", (unsigned long long)line->line);
    kin_csv_cell(out, line->id);
    kin_buf_putc(out, ',');
    kin_csv_cell(out, line->field);
    kin_buf_putc(out, ',');
    kin_csv_cell(out, line->reason);
    kin_buf_putc(out, ',');
    kin_csv_raw_cell(out, line->raw);
    kin_buf_putc(out, '\n');
}

void kin_put_summary(const struct kin_put *p, struct kin_buf *out)
{
    const char *sign = ": ";
    kin_buf_printf(out, "%llu read", (unsigned long long)p->read);
    for (unsigned i = 0; i < KIN_PUT_OUTCOMES; i++) {
        if (!p->counts[i])
            continue;
        kin_buf_printf(out, "%s%llu %s", sign, (unsigned long long)p->counts[i],
                       kin_put_outcome_names[i]);
        sign = ", ";
    }
}
