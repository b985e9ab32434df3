#include "common/explain/write.h"

#include "common/match/text_parts.h"
#include "common/workflow/terminal.h"

void kin_explain_values(const struct kin_workflow *w, const uint8_t *rec, unsigned field,
                        struct kin_buf *out)
{
    const uint8_t *at = NULL;
    unsigned count = kin_features_values(rec, field, &at);
    for (unsigned i = 0; i < count; i++) {
        struct kin_value v = kin_features_next(&at);
        kin_buf_puts(out, i ? "; " : "");
        kin_value_print(&v, w->fields[field].type, out);
    }
}

void kin_explain_json_key(struct kin_buf *out, bool *first, const char *key)
{
    kin_buf_puts(out, *first ? "" : ", ");
    *first = false;
    if (!key)
        return;
    kin_explain_json_text(out, key);
    kin_buf_puts(out, ": ");
}

void kin_explain_json_text(struct kin_buf *out, const char *text)
{
    kin_json_string(out, kin_str_of(text));
}

void kin_explain_json_record(const struct kin_workflow *w, const uint8_t *rec, struct kin_buf *out)
{
    uint16_t source = kin_features_source(rec);
    kin_buf_putc(out, '{');
    if (source < w->source_count) {
        kin_buf_puts(out, "\"source\": ");
        kin_explain_json_text(out, w->sources[source].name);
        kin_buf_puts(out, ", \"id\": ");
        kin_json_string(out, kin_features_id(rec));
    }
    kin_buf_putc(out, '}');
}

void kin_explain_put_name(const struct kin_workflow *w, const uint8_t *rec, struct kin_buf *out)
{
    uint16_t source = kin_features_source(rec);
    struct kin_str id = kin_features_id(rec);
    if (source >= w->source_count)
        return;
    kin_buf_printf(out, "%s/", w->sources[source].name);
    kin_terminal_put(out, id, id.n);
}
