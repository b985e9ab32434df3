#include "common/match/condition_impl.h"

#include <inttypes.h>

static void print_decimal(struct kin_decimal d, struct kin_buf *out)
{
    uint64_t one = 1;
    for (unsigned i = 0; i < d.scale; i++)
        one *= 10;
    kin_buf_printf(out, "%" PRIu64, d.digits / one);
    if (d.scale)
        kin_buf_printf(out, ".%0*" PRIu64, (int)d.scale, d.digits % one);
}

static bool is_plain(const char *name)
{
    const char *p = name;
    for (; *p; p++) {
        char c = *p;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return p > name;
}

void kin_field_print(const struct kin_schema *schema, unsigned field, struct kin_buf *out)
{
    const char *name = schema->fields[field].name;
    if (is_plain(name)) {
        kin_buf_puts(out, name);
        return;
    }
    kin_buf_putc(out, '"');
    for (const char *p = name; *p; p++) {
        if (*p == '"')
            kin_buf_putc(out, '"');
        kin_buf_putc(out, *p);
    }
    kin_buf_putc(out, '"');
}

static void print_unit(const struct kin_term *term, struct kin_buf *out)
{
    const struct kin_unit_spec *unit = &kin_unit_specs[term->unit];
    if (!unit->one)
        return;
    bool one = term->amount.digits == 1 && term->amount.scale == 0;
    kin_buf_printf(out, " %s", one ? unit->one : unit->many);
}

void kin_term_print(const struct kin_schema *schema, const struct kin_term *term,
                    struct kin_buf *out)
{
    const struct kin_term_spec *spec = &kin_term_specs[term->fn];
    kin_buf_printf(out, "%s(", spec->name);
    kin_field_print(schema, term->field, out);
    for (unsigned i = 1; i < term->field_count; i++) {
        kin_buf_puts(out, ", ");
        kin_field_print(schema, term->fields[i], out);
    }
    switch (spec->args) {
    case KIN_ARGS_FIELD:
    case KIN_ARGS_FIELDS:
    case KIN_ARGS_TWO_FIELDS:
        break;
    case KIN_ARGS_EXACT:
        if (term->empty_is_value)
            kin_buf_puts(out, ", EmptyValues=Process");
        break;
    case KIN_ARGS_DISTANCE:
    case KIN_ARGS_LENGTH:
        kin_buf_printf(out, ", %u", (unsigned)term->n);
        break;
    case KIN_ARGS_SIMILARITY:
    case KIN_ARGS_SET:
        kin_buf_puts(out, ", ");
        print_decimal(term->amount, out);
        if (term->n)
            kin_buf_printf(out, ", %u", (unsigned)term->n);
        break;
    case KIN_ARGS_WITHIN:
        kin_buf_puts(out, ", ");
        print_decimal(term->amount, out);
        print_unit(term, out);
        break;
    }
    kin_buf_putc(out, ')');
}

static void print_child(const struct kin_schema *schema, enum kin_node parent,
                        const struct kin_condition *child, struct kin_buf *out)
{
    bool parentheses =
        child->kind == KIN_NODE_OR || (child->kind == KIN_NODE_AND && parent == KIN_NODE_NOT);
    if (parentheses)
        kin_buf_putc(out, '(');
    kin_condition_print(schema, child, out);
    if (parentheses)
        kin_buf_putc(out, ')');
}

void kin_condition_print(const struct kin_schema *schema, const struct kin_condition *condition,
                         struct kin_buf *out)
{
    if (condition->kind == KIN_NODE_TERM) {
        kin_term_print(schema, &condition->term, out);
        return;
    }
    if (condition->kind == KIN_NODE_NOT)
        kin_buf_puts(out, "NOT ");
    const char *between = condition->kind == KIN_NODE_AND ? " AND " : " OR ";
    for (const struct kin_condition *child = condition->child; child; child = child->next) {
        if (child != condition->child)
            kin_buf_puts(out, between);
        print_child(schema, condition->kind, child, out);
    }
}
