#include "proto/schema.h"

#include <inttypes.h>

enum { PRINT_STR_MAX = 128 };

/* Quoted; whatever is not plain ASCII as \xNN, so that a line stays a line. */
static void print_str(struct kin_str s, struct kin_buf *to)
{
    size_t n = s.n < PRINT_STR_MAX ? s.n : PRINT_STR_MAX;
    kin_buf_putc(to, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\' || c < 0x20 || c >= 0x7f)
            kin_buf_printf(to, "\\x%02x", c);
        else
            kin_buf_putc(to, (char)c);
    }
    kin_buf_putc(to, '"');
    if (n < s.n)
        kin_buf_printf(to, "+%zu", s.n - n);
}

static void print_value(const struct kin_field *f, const void *at, struct kin_buf *to)
{
    switch ((enum kin_kind)f->kind) {
    case KIN_KIND_U32:
        kin_buf_printf(to, "%" PRIu32, *(const uint32_t *)at);
        break;
    case KIN_KIND_U64:
        kin_buf_printf(to, "%" PRIu64, *(const uint64_t *)at);
        break;
    case KIN_KIND_I64:
        kin_buf_printf(to, "%" PRId64, *(const int64_t *)at);
        break;
    case KIN_KIND_BOOL:
        kin_buf_puts(to, *(const bool *)at ? "true" : "false");
        break;
    case KIN_KIND_STR:
        print_str(*(const struct kin_str *)at, to);
        break;
    case KIN_KIND_BYTES:
        kin_buf_printf(to, "<%zu bytes>", ((const struct kin_str *)at)->n);
        break;
    }
}

void kin_schema_print(const struct kin_schema *s, const void *base, struct kin_buf *to)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct kin_field *f = &s->fields[i];
        if (!kin_field_is_set(f, base))
            continue;
        kin_buf_printf(to, " %s=", f->name);
        print_value(f, kin_field_at(f, base), to);
    }
}

void kin_message_print(const struct kin_message *m, struct kin_buf *to)
{
    const struct kin_schema *s = kin_schema_of(m->type);
    kin_buf_puts(to, kin_message_name(m->type));
    kin_schema_print(kin_schema_envelope(), m, to);
    if (s)
        kin_schema_print(s, &m->u, to);
}
