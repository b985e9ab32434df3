#include "client/live_text.h"
#include "client/terminal.h"

/* The object of EXPLAIN (docs/explain.md) as text, in the order of `kindred explain`. */

enum { NAME_COLUMNS = 22, VALUE_COLUMNS = 36, LEVEL_COLUMNS = 30, PART_COLUMNS = 56 };

static void put_cell(struct kin_buf *out, struct kin_str text, size_t columns)
{
    kin_terminal_cell(out, text, columns);
    kin_buf_puts(out, "  ");
}

static void put_sides(struct kin_buf *out, const char *name, struct kin_str a, struct kin_str b)
{
    kin_buf_puts(out, "  ");
    put_cell(out, kin_str_of(name), NAME_COLUMNS);
    put_cell(out, a, VALUE_COLUMNS);
    kin_terminal_put(out, b, SIZE_MAX);
    kin_buf_putc(out, '\n');
}

static void put_fields(const json_t *fields, struct kin_buf *out)
{
    const json_t *item;
    size_t i;
    if (json_array_size(fields))
        kin_buf_puts(out, "fields\n");
    json_array_foreach(fields, i, item)
    {
        const json_t *a = json_object_get(item, "a"), *b = json_object_get(item, "b");
        struct kin_str raw_a = kin_served_member(a, "raw"), raw_b = kin_served_member(b, "raw");
        struct kin_str norm_a = kin_served_member(a, "normalised");
        struct kin_str norm_b = kin_served_member(b, "normalised");
        put_sides(out, kin_served_member(item, "field").p, raw_a, raw_b);
        if (!kin_str_eq(raw_a, norm_a) || !kin_str_eq(raw_b, norm_b))
            put_sides(out, "  normalised", norm_a, norm_b);
    }
}

static void put_rules(const json_t *rules, const char *title, struct kin_buf *out)
{
    const json_t *rule, *part;
    size_t i, k;
    if (json_array_size(rules))
        kin_buf_puts(out, title);
    json_array_foreach(rules, i, rule)
    {
        kin_buf_puts(out, "  ");
        kin_terminal_put(out, kin_served_member(rule, "name"), SIZE_MAX);
        kin_buf_puts(out, ": ");
        kin_terminal_put(out, kin_served_member(rule, "truth"), SIZE_MAX);
        kin_buf_putc(out, '\n');
        const json_t *parts = json_object_get(rule, "parts");
        json_array_foreach(parts, k, part)
        {
            json_int_t depth = json_integer_value(json_object_get(part, "depth"));
            kin_buf_puts(out, "    ");
            for (json_int_t d = 0; d < depth && d < 20; d++)
                kin_buf_puts(out, "  ");
            put_cell(out, kin_served_member(part, "text"), PART_COLUMNS);
            kin_terminal_put(out, kin_served_member(part, "truth"), SIZE_MAX);
            kin_buf_putc(out, '\n');
        }
    }
}

static void put_bits(const json_t *o, const char *key, struct kin_buf *out)
{
    const json_t *value = json_object_get(o, key);
    if (json_is_number(value))
        kin_buf_printf(out, " %9.3f", json_number_value(value));
    else
        kin_buf_printf(out, " %9s", "");
}

static void put_model(const json_t *model, struct kin_buf *out)
{
    const json_t *comparisons = json_object_get(model, "comparisons"), *item;
    size_t i;
    if (!json_is_object(model))
        return;
    kin_buf_puts(out, "\nmodel; weights in bits\n  ");
    put_cell(out, kin_str_of("comparison"), NAME_COLUMNS);
    put_cell(out, kin_str_of("level"), LEVEL_COLUMNS);
    kin_buf_printf(out, " %9s %9s %9s\n  ", "weight", "frequency", "total");
    put_cell(out, kin_str_of("prior"), NAME_COLUMNS);
    put_cell(out, kin_str_of(""), LEVEL_COLUMNS);
    put_bits(model, "prior", out);
    kin_buf_putc(out, '\n');
    json_array_foreach(comparisons, i, item)
    {
        bool compared = json_is_string(json_object_get(item, "text"));
        kin_buf_puts(out, "  ");
        put_cell(out, kin_served_member(item, "name"), NAME_COLUMNS);
        put_cell(out, compared ? kin_served_member(item, "text") : kin_str_of("no value"),
                 LEVEL_COLUMNS);
        put_bits(item, "weight", out);
        put_bits(item, "term_frequency", out);
        put_bits(item, "total", out);
        kin_buf_putc(out, '\n');
    }
    kin_buf_puts(out, "  weight");
    put_bits(model, "weight", out);
    kin_buf_puts(out, ", probability ");
    kin_served_put_number(model, "probability", out);
    kin_buf_puts(out, "; threshold");
    put_bits(model, "threshold", out);
    kin_buf_putc(out, '\n');
}

static void put_keys(const json_t *keys, struct kin_buf *out)
{
    const json_t *item;
    size_t i;
    if (!json_is_array(keys))
        return;
    kin_buf_puts(out, "\nblocking keys in common\n");
    if (!json_array_size(keys))
        kin_buf_puts(out, "  none\n");
    json_array_foreach(keys, i, item)
    {
        kin_buf_puts(out, "  ");
        kin_terminal_put(out, kin_served_member(item, "key"), SIZE_MAX);
        kin_buf_puts(out, ": ");
        kin_terminal_put(out, kin_served_member(item, "value"), SIZE_MAX);
        if (json_is_integer(json_object_get(item, "records"))) {
            kin_buf_puts(out, "  (");
            kin_served_put_number(item, "records", out);
            kin_buf_puts(out, " records)");
        }
        kin_buf_putc(out, '\n');
    }
}

void kin_served_put_explanation(const json_t *o, struct kin_buf *out)
{
    struct kin_buf a = {0}, b = {0};
    const json_t *record_a = json_object_get(o, "a"), *record_b = json_object_get(o, "b");
    kin_terminal_put(out, kin_served_member(o, "text"), SIZE_MAX);
    kin_buf_puts(out, "\n\n");
    if (json_is_object(record_a) && json_is_object(record_b)) {
        kin_served_put_record(record_a, &a);
        kin_served_put_record(record_b, &b);
        put_sides(out, "", (struct kin_str){(const char *)a.p, a.n},
                  (struct kin_str){(const char *)b.p, b.n});
    }
    put_fields(json_object_get(o, "fields"), out);
    put_rules(json_object_get(o, "rules"), "\nrules\n", out);
    put_rules(json_object_get(o, "never"), "\nnever\n", out);
    put_model(json_object_get(o, "model"), out);
    put_keys(json_object_get(o, "keys"), out);
    out->failed = out->failed || a.failed || b.failed;
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
}
