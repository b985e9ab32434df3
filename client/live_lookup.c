#include "client/live_lookup.h"

#include "client/live_text.h"
#include "client/terminal.h"

enum { TOLD_MAX = 10 };

static const char *const added[] = {"match_id",       "match_rule", "confidence",
                                    "matched_source", "matched_id", "lookup_error"};

/* The records of a request, as they are written again: texts one after another, `ends` where each
 * of them ends. */
struct lookup_batch {
    struct lookup_batch *next;
    struct kin_buf texts, ends;
};

static void batch_free(struct kin_lookup *l, struct lookup_batch *b)
{
    for (struct lookup_batch **at = &l->batches; *at; at = &(*at)->next) {
        if (*at == b) {
            *at = b->next;
            break;
        }
    }
    kin_buf_deinit(&b->texts);
    kin_buf_deinit(&b->ends);
    kin_free(b);
}

/* ---- the output ---- */

static kin_status write_text(struct kin_lookup *l, struct kin_err *err)
{
    if (l->text.failed)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    bool fine = l->text.n == 0 || fwrite(l->text.p, 1, l->text.n, l->out) == l->text.n;
    kin_buf_clear(&l->text);
    return fine ? KIN_OK : kin_err_set(err, KIN_E_IO, "the output cannot be written");
}

static bool is_column(const struct kin_header *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++) {
        if (kin_str_eq(h->names[i], kin_str_of(name)))
            return true;
    }
    return false;
}

/* A name that the file has already gets "lookup_" before it, as often as it takes. */
static kin_status write_header(struct kin_lookup *l, struct kin_err *err)
{
    const struct kin_header *h = kin_cutter_header(l->rows.in.cutter);
    for (size_t i = 0; i < h->count; i++) {
        kin_csv_cell(&l->text, h->names[i]);
        kin_buf_putc(&l->text, ',');
    }
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        char name[256];
        size_t n = (size_t)snprintf(name, sizeof name, "%s", added[i]);
        while (is_column(h, name) && n + 8 < sizeof name) {
            char longer[sizeof name];
            n = (size_t)snprintf(longer, sizeof longer, "lookup_%.*s", (int)n, name);
            snprintf(name, sizeof name, "%s", longer);
        }
        kin_buf_puts(&l->text, name);
        kin_buf_putc(&l->text, i + 1 < sizeof added / sizeof *added ? ',' : '\n');
    }
    return write_text(l, err);
}

static void put_error(const json_t *o, struct kin_buf *out)
{
    const json_t *error = json_object_get(o, "error");
    struct kin_str field = kin_served_member(error, "field"),
                   reason = kin_served_member(error, "reason");
    struct kin_buf text = {0};
    kin_buf_put(&text, field.p, field.n);
    kin_buf_puts(&text, field.n ? ": " : "");
    kin_buf_put(&text, reason.p, reason.n);
    kin_csv_cell(out, (struct kin_str){text.p ? (const char *)text.p : "", text.n});
    out->failed = out->failed || text.failed;
    kin_buf_deinit(&text);
}

static void put_csv(struct kin_lookup *l, struct kin_str record, const json_t *o)
{
    static const char *const texts[] = {"match_id", "rule"}, *const best[] = {"source", "id"};
    kin_buf_put(&l->text, record.p, record.n);
    for (size_t i = 0; i < 2; i++) {
        kin_buf_putc(&l->text, ',');
        kin_csv_cell(&l->text, kin_served_member(o, texts[i]));
    }
    kin_buf_putc(&l->text, ',');
    kin_served_put_number(o, "confidence", &l->text);
    for (size_t i = 0; i < 2; i++) {
        kin_buf_putc(&l->text, ',');
        kin_csv_cell(&l->text, kin_served_member(o, best[i]));
    }
    kin_buf_putc(&l->text, ',');
    put_error(o, &l->text);
    kin_buf_putc(&l->text, '\n');
}

static void put_found(struct kin_lookup *l, struct kin_str record, const json_t *o,
                      struct kin_str json)
{
    switch (l->format) {
    case KIN_LOOKUP_CSV:
        put_csv(l, record, o);
        break;
    case KIN_LOOKUP_ANSWERS:
        kin_buf_put(&l->text, json.p, json.n);
        kin_buf_putc(&l->text, '\n');
        break;
    case KIN_LOOKUP_AS_INPUT:
    case KIN_LOOKUP_JSONL:
        kin_buf_puts(&l->text, "{\"record\":");
        kin_buf_put(&l->text, record.p, record.n);
        kin_buf_puts(&l->text, ",\"match\":");
        kin_buf_put(&l->text, json.p, json.n);
        kin_buf_puts(&l->text, "}\n");
        break;
    }
}

static kin_status take_line(struct kin_lookup *l, struct kin_str record, struct kin_str json,
                            struct kin_err *err)
{
    json_t *o = kin_served_object(json, err);
    if (!o)
        return KIN_E_PROTO;
    bool rejected = json_is_object(json_object_get(o, "error"));
    l->read++;
    l->rejected += rejected;
    l->matched += !rejected && kin_served_member(o, "match_id").n;
    l->unmatched += !rejected && !kin_served_member(o, "match_id").n;
    l->partial += json_is_true(json_object_get(o, "partial"));
    l->truncated += json_is_true(json_object_get(o, "truncated"));
    put_found(l, record, o, json);
    json_decref(o);
    return KIN_OK;
}

kin_status kin_lookup_take(struct kin_lookup *l, struct kin_stream_ask *ask,
                           const struct kin_message *m, struct kin_str payload, struct kin_err *err)
{
    struct lookup_batch *b = ask->user;
    size_t begin = 0;
    struct kin_str json;
    kin_status status = kin_stream_refusal(m, err);
    for (size_t i = 0; i < b->ends.n / 8 && status == KIN_OK; i++) {
        size_t end = (size_t)kin_le64(b->ends.p + 8 * i);
        struct kin_str record = {b->texts.p ? (const char *)b->texts.p + begin : "", end - begin};
        if (kin_served_line(&payload, &json))
            status = take_line(l, record, json, err);
        else
            status = kin_err_set(err, KIN_E_PROTO, "the answer has fewer lines than the request");
        begin = end;
    }
    if (status == KIN_OK)
        status = write_text(l, err);
    batch_free(l, b);
    return status;
}

/* ---- requests ---- */

static void tell_bad(struct kin_lookup *l, const struct kin_row *row)
{
    l->read++;
    l->rejected++;
    if (l->told++ < TOLD_MAX)
        kin_terminal_say("%s:%llu: %s", l->path, (unsigned long long)row->line, row->reason);
}

static void add_row(struct kin_lookup *l, struct lookup_batch *b, struct kin_buf *payload)
{
    struct kin_buf *object = &l->rows.object;
    kin_buf_putc(object, '}');
    kin_buf_put(payload, object->p, object->n);
    kin_buf_putc(payload, '\n');
    if (l->format == KIN_LOOKUP_CSV)
        kin_buf_put(&b->texts, l->rows.csv.p, l->rows.csv.n);
    else if (l->format != KIN_LOOKUP_ANSWERS)
        kin_buf_put(&b->texts, object->p, object->n);
    kin_buf_u64(&b->ends, b->texts.n);
}

static kin_status fill(struct kin_lookup *l, struct lookup_batch *b, struct kin_buf *payload,
                       struct kin_err *err)
{
    struct kin_row row;
    while (b->ends.n / 8 < KIN_LOOKUP_LINES && payload->n < KIN_LOOKUP_BYTES) {
        kin_status status = kin_served_rows_next(&l->rows, &row, err);
        if (status == KIN_E_EOF) {
            l->ended = true;
            break;
        }
        if (status != KIN_OK)
            return status;
        if (row.reason)
            tell_bad(l, &row);
        else
            add_row(l, b, payload);
    }
    return b->texts.failed || b->ends.failed || payload->failed
               ? kin_err_set(err, KIN_E_NOMEM, "out of memory")
               : KIN_OK;
}

enum kin_stream_next kin_lookup_next(struct kin_lookup *l, struct kin_stream_ask *ask,
                                     struct kin_err *err)
{
    if (l->ended)
        return KIN_STREAM_END;
    struct lookup_batch *b = kin_calloc(1, sizeof *b);
    if (!b) {
        kin_err_set(err, KIN_E_NOMEM, "out of memory");
        return KIN_STREAM_FAIL;
    }
    b->next = l->batches;
    l->batches = b;
    if (fill(l, b, &ask->payload, err) != KIN_OK) {
        kin_buf_deinit(&ask->payload);
        return KIN_STREAM_FAIL;
    }
    if (b->ends.n == 0) {
        batch_free(l, b);
        return KIN_STREAM_END;
    }
    ask->user = b;
    ask->message.type = KIN_MSG_LOOKUP;
    ask->message.u.lookup = (struct kin_msg_lookup){
        .workflow = l->workflow, .explain = l->explain, .limit = l->limit, .source = l->source};
    return KIN_STREAM_ASK;
}

kin_status kin_lookup_open(struct kin_lookup *l, const char *path, enum kin_lookup_format format,
                           FILE *out, struct kin_err *err)
{
    l->path = path;
    l->out = out;
    kin_status status = kin_served_rows_open(&l->rows, path, err);
    if (status != KIN_OK)
        return status;
    bool csv = l->rows.in.options.format == KIN_FORMAT_CSV;
    l->format = format != KIN_LOOKUP_AS_INPUT ? format : csv ? KIN_LOOKUP_CSV : KIN_LOOKUP_JSONL;
    if (l->format == KIN_LOOKUP_CSV && !csv)
        return kin_err_set(err, KIN_E_INVAL,
                           "%s: the columns of JSON Lines are not known before the end; the output "
                           "can only be JSON Lines",
                           path);
    l->rows.as_csv = l->format == KIN_LOOKUP_CSV;
    return l->rows.as_csv ? write_header(l, err) : KIN_OK;
}

void kin_lookup_close(struct kin_lookup *l)
{
    while (l->batches)
        batch_free(l, l->batches);
    kin_served_rows_deinit(&l->rows);
    kin_buf_deinit(&l->text);
}
