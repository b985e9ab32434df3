#include "client/live_text.h"
#include "client/terminal.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { NAME_COLUMNS = 12, RECORD_COLUMNS = 34, RULE_COLUMNS = 26, VALUE_COLUMNS = 32 };

/* ---- reading ---- */

bool kin_served_line(struct kin_str *at, struct kin_str *line)
{
    while (at->n) {
        const char *end = memchr(at->p, '\n', at->n);
        *line = (struct kin_str){at->p, end ? (size_t)(end - at->p) : at->n};
        size_t skip = line->n + (end != NULL);
        at->p += skip;
        at->n -= skip;
        if (line->n)
            return true;
    }
    return false;
}

json_t *kin_served_object(struct kin_str text, struct kin_err *err)
{
    json_error_t where;
    json_t *o = json_loadb(text.p ? text.p : "", text.n, 0, &where);
    if (json_is_object(o))
        return o;
    json_decref(o);
    kin_err_set(err, KIN_E_PROTO, "the coordinator's answer is not what it should be");
    return NULL;
}

struct kin_str kin_served_member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return (struct kin_str){"", 0};
    return (struct kin_str){json_string_value(value), json_string_length(value)};
}

void kin_served_put_number(const json_t *object, const char *key, struct kin_buf *out)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value))
        kin_buf_printf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        kin_buf_printf(out, "%.10g", json_real_value(value));
}

static uint64_t count_of(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (uint64_t)n : 0;
}

/* ---- pieces ---- */

static void put_text(struct kin_buf *out, struct kin_str text)
{
    kin_terminal_put(out, text, SIZE_MAX);
}

static void put_name(struct kin_buf *out, const char *name)
{
    kin_terminal_cell(out, kin_str_of(name), NAME_COLUMNS);
    kin_buf_puts(out, "  ");
}

static void put_member(const json_t *o, const char *key, struct kin_buf *out)
{
    struct kin_str text = kin_served_member(o, key);
    if (!text.n)
        return;
    put_name(out, key);
    put_text(out, text);
    kin_buf_putc(out, '\n');
}

void kin_served_put_record(const json_t *record, struct kin_buf *out)
{
    put_text(out, kin_served_member(record, "source"));
    kin_buf_putc(out, '/');
    put_text(out, kin_served_member(record, "id"));
}

static void put_record_cell(const json_t *record, struct kin_buf *out)
{
    struct kin_buf name = {0};
    kin_served_put_record(record, &name);
    kin_terminal_cell(out, (struct kin_str){(const char *)name.p, name.n}, RECORD_COLUMNS);
    kin_buf_puts(out, "  ");
    out->failed = out->failed || name.failed;
    kin_buf_deinit(&name);
}

/* A list of texts, or of records. */
static void put_items(const json_t *list, struct kin_buf *out)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        if (i)
            kin_buf_puts(out, ", ");
        if (json_is_object(item))
            kin_served_put_record(item, out);
        else if (json_is_string(item))
            put_text(out, (struct kin_str){json_string_value(item), json_string_length(item)});
    }
    kin_buf_putc(out, '\n');
}

static void put_list(const json_t *o, const char *key, const char *name, struct kin_buf *out)
{
    const json_t *list = json_object_get(o, key);
    if (!json_array_size(list))
        return;
    put_name(out, name);
    put_items(list, out);
}

static void put_rule(const json_t *o, struct kin_buf *out)
{
    put_text(out, kin_served_member(o, "rule"));
    if (json_is_number(json_object_get(o, "confidence"))) {
        kin_buf_puts(out, ", confidence ");
        kin_served_put_number(o, "confidence", out);
    }
    if (json_is_number(json_object_get(o, "weight"))) {
        kin_buf_puts(out, ", weight ");
        kin_served_put_number(o, "weight", out);
    }
}

/* ---- LOOKUP ---- */

static void put_others(const json_t *o, struct kin_buf *out)
{
    const json_t *list = json_object_get(o, "others"), *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        put_name(out, i ? "" : "others");
        put_text(out, kin_served_member(item, "match_id"));
        kin_buf_puts(out, "  ");
        put_record_cell(item, out);
        put_rule(item, out);
        kin_buf_printf(out, ", group of %llu\n", (unsigned long long)count_of(item, "size"));
    }
}

static void put_found(const json_t *o, struct kin_buf *out)
{
    const json_t *error = json_object_get(o, "error");
    put_member(o, "match_id", out);
    if (!kin_served_member(o, "match_id").n) {
        kin_buf_puts(out, "no match");
        if (json_is_object(error)) {
            kin_buf_puts(out, ": ");
            put_text(out, kin_served_member(error, "field"));
            kin_buf_puts(out, kin_served_member(error, "field").n ? ": " : "");
            put_text(out, kin_served_member(error, "reason"));
        }
        kin_buf_putc(out, '\n');
    } else {
        put_name(out, "by");
        put_rule(o, out);
        kin_buf_putc(out, '\n');
        put_name(out, "record");
        kin_served_put_record(o, out);
        kin_buf_printf(out, ", group of %llu\n", (unsigned long long)count_of(o, "size"));
    }
    put_others(o, out);
    put_list(o, "would_merge", "would merge", out);
    put_list(o, "forbidden", "forbidden", out);
    if (json_is_true(json_object_get(o, "truncated")))
        kin_buf_puts(out, "truncated: it had more candidates than are looked at\n");
    if (json_is_true(json_object_get(o, "partial")))
        kin_buf_puts(out, "partial: a worker is away, so there may be more\n");
    const json_t *explanation = json_object_get(o, "explanation");
    if (json_is_object(explanation)) {
        kin_buf_putc(out, '\n');
        kin_served_put_explanation(explanation, out);
    }
}

/* ---- PUT ---- */

static void put_outcome(const json_t *o, struct kin_buf *out)
{
    put_text(out, kin_served_member(o, "id"));
    kin_buf_puts(out, ": ");
    put_text(out, kin_served_member(o, "outcome"));
    if (kin_served_member(o, "match_id").n) {
        kin_buf_puts(out, ", ");
        put_text(out, kin_served_member(o, "match_id"));
    }
    if (kin_served_member(o, "reason").n) {
        kin_buf_puts(out, ": ");
        put_text(out, kin_served_member(o, "reason"));
    }
    kin_buf_putc(out, '\n');
    const json_t *disconnected = json_object_get(o, "disconnected");
    if (json_array_size(disconnected)) {
        kin_buf_puts(out, "  no longer with it  ");
        put_items(disconnected, out);
    }
}

/* ---- GROUP ---- */

static void put_golden(const json_t *golden, struct kin_buf *out)
{
    const char *field;
    json_t *value;
    if (!json_is_object(golden))
        return;
    kin_buf_puts(out, "\ngolden record\n");
    json_object_foreach((json_t *)(uintptr_t)golden, field, value)
    {
        kin_buf_puts(out, "  ");
        kin_terminal_cell(out, kin_str_of(field), 20);
        kin_buf_puts(out, "  ");
        kin_terminal_cell(out, kin_served_member(value, "value"), VALUE_COLUMNS);
        if (kin_served_member(value, "source").n) {
            kin_buf_puts(out, "  ");
            kin_served_put_record(value, out);
        }
        size_t i;
        const json_t *lost = json_object_get(value, "lost"), *item;
        json_array_foreach(lost, i, item)
        {
            kin_buf_puts(out, i ? ", " : "; not ");
            put_text(out, kin_served_member(item, "value"));
            kin_buf_puts(out, " of ");
            kin_served_put_record(item, out);
        }
        kin_buf_putc(out, '\n');
    }
}

static void put_group(const json_t *o, struct kin_buf *out)
{
    const json_t *members = json_object_get(o, "members"), *item;
    size_t i;
    put_member(o, "match_id", out);
    put_member(o, "asked", out);
    put_member(o, "state", out);
    put_name(out, "size");
    kin_served_put_number(o, "size", out);
    kin_buf_puts(out, "\n");
    put_name(out, "born");
    kin_buf_puts(out, "batch ");
    kin_served_put_number(o, "born", out);
    kin_buf_putc(out, '\n');
    if (json_is_true(json_object_get(o, "quarantined")))
        kin_buf_puts(out, "quarantined: it has more members than max_group\n");
    put_list(o, "see_also", "see also", out);
    if (json_array_size(members))
        kin_buf_puts(out, "\nmembers\n");
    json_array_foreach(members, i, item)
    {
        kin_buf_puts(out, "  ");
        put_record_cell(item, out);
        put_rule(item, out);
        kin_buf_putc(out, '\n');
    }
    put_golden(json_object_get(o, "golden"), out);
}

/* ---- HISTORY ---- */

static void put_event(const json_t *event, struct kin_buf *out)
{
    kin_buf_printf(out, "  %10llu  batch %-8llu  ", (unsigned long long)count_of(event, "seq"),
                   (unsigned long long)count_of(event, "batch"));
    kin_terminal_cell(out, kin_served_member(event, "event"), 8);
    kin_buf_puts(out, "  ");
    put_text(out, kin_served_member(event, "match_id"));
    static const char *const lists[] = {"records", "from", "into"};
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        const json_t *list = json_object_get(event, lists[k]), *item;
        size_t i;
        json_array_foreach(list, i, item)
        {
            kin_buf_puts(out, i ? ", " : k == 1 ? " from " : k == 2 ? " into " : ": ");
            if (json_is_object(item))
                kin_served_put_record(item, out);
            else if (json_is_string(item))
                put_text(out, kin_str_of(json_string_value(item)));
        }
    }
    if (kin_served_member(event, "survivor").n) {
        kin_buf_puts(out, " lives on in ");
        put_text(out, kin_served_member(event, "survivor"));
    }
    kin_buf_putc(out, '\n');
}

static void put_history(const json_t *o, struct kin_buf *out)
{
    const json_t *events = json_object_get(o, "events"), *item, *founder;
    size_t i;
    put_member(o, "match_id", out);
    put_member(o, "state", out);
    put_member(o, "survivor", out);
    put_name(out, "born");
    kin_buf_puts(out, "batch ");
    kin_served_put_number(o, "born", out);
    founder = json_object_get(o, "founder");
    if (json_is_object(founder)) {
        kin_buf_puts(out, ", founded by ");
        kin_served_put_record(founder, out);
    }
    kin_buf_putc(out, '\n');
    put_member(o, "split_from", out);
    put_list(o, "see_also", "see also", out);
    if (json_array_size(events))
        kin_buf_puts(out, "\nevents\n");
    json_array_foreach(events, i, item) put_event(item, out);
}

/* ---- LINK ---- */

static void put_link(const json_t *o, struct kin_buf *out)
{
    json_int_t at = json_integer_value(json_object_get(o, "at"));
    if (at > 0) {
        char text[40];
        struct tm t;
        time_t seconds = (time_t)(at / 1000);
        if (gmtime_r(&seconds, &t) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &t))
            kin_buf_printf(out, "%s  ", text);
    }
    kin_terminal_cell(out, kin_served_member(o, "kind"), 6);
    kin_buf_puts(out, "  ");
    kin_served_put_record(json_object_get(o, "a"), out);
    kin_buf_puts(out, "  ");
    kin_served_put_record(json_object_get(o, "b"), out);
    if (kin_served_member(o, "who").n) {
        kin_buf_puts(out, "  by ");
        put_text(out, kin_served_member(o, "who"));
    }
    if (kin_served_member(o, "why").n) {
        kin_buf_puts(out, ": ");
        put_text(out, kin_served_member(o, "why"));
    }
    kin_buf_putc(out, '\n');
    put_member(o, "match_id_a", out);
    put_member(o, "match_id_b", out);
}

/* ---- what is printed ---- */

static kin_status print(struct kin_str json, void (*put)(const json_t *, struct kin_buf *),
                        struct kin_buf *out, struct kin_err *err)
{
    json_t *o = kin_served_object(json, err);
    if (!o)
        return KIN_E_PROTO;
    put(o, out);
    json_decref(o);
    return out->failed ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}

kin_status kin_served_print_found(struct kin_str json, struct kin_buf *out, struct kin_err *err)
{
    return print(json, put_found, out, err);
}

kin_status kin_served_print_outcome(struct kin_str json, struct kin_buf *out, struct kin_err *err)
{
    return print(json, put_outcome, out, err);
}

kin_status kin_served_print_group(struct kin_str json, struct kin_buf *out, struct kin_err *err)
{
    return print(json, put_group, out, err);
}

kin_status kin_served_print_history(struct kin_str json, struct kin_buf *out, struct kin_err *err)
{
    return print(json, put_history, out, err);
}

kin_status kin_served_print_link(struct kin_str json, struct kin_buf *out, struct kin_err *err)
{
    return print(json, put_link, out, err);
}

kin_status kin_served_print_explanation(struct kin_str json, struct kin_buf *out,
                                        struct kin_err *err)
{
    return print(json, kin_served_put_explanation, out, err);
}
