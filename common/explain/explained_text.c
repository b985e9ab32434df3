#include "common/explain/explained_impl.h"
#include "common/workflow/terminal.h"

#include <string.h>

/* The pair as text for people. */

enum { NAME_COLUMNS = 22, VALUE_COLUMNS = 36, LEVEL_COLUMNS = 30 };

static void put_blanks(struct kin_buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        kin_buf_putc(out, ' ');
}

static void put_cell(struct kin_buf *out, struct kin_str text, size_t columns)
{
    kin_terminal_cell(out, text, columns);
    kin_buf_puts(out, "  ");
}

static struct kin_str text_of(const struct kin_buf *b)
{
    return (struct kin_str){b->p ? (const char *)b->p : "", b->n};
}

static void put_line(struct kin_buf *out, const char *name, struct kin_str a, struct kin_str b)
{
    kin_buf_puts(out, "  ");
    put_cell(out, kin_str_of(name), NAME_COLUMNS);
    put_cell(out, a, VALUE_COLUMNS);
    kin_terminal_put(out, b, b.n);
    kin_buf_putc(out, '\n');
}

static struct kin_str raw_of(const struct kin_explain_side *s, unsigned field)
{
    return s->raw ? kin_str_of(s->raw[field]) : (struct kin_str){"", 0};
}

static void put_fields(const struct kin_explained *p, struct kin_buf *out)
{
    const struct kin_workflow *w = p->x->workflow;
    kin_buf_puts(out, "fields\n");
    for (unsigned f = 0; f < w->schema.count; f++) {
        struct kin_str raw_a = raw_of(&p->a, f), raw_b = raw_of(&p->b, f);
        struct kin_buf a = {0}, b = {0};
        kin_explain_values(w, p->a.features, f, &a);
        kin_explain_values(w, p->b.features, f, &b);
        put_line(out, w->fields[f].name, raw_a, raw_b);
        if (!kin_str_eq(raw_a, text_of(&a)) || !kin_str_eq(raw_b, text_of(&b)))
            put_line(out, "  normalised", text_of(&a), text_of(&b));
        out->failed = out->failed || a.failed || b.failed;
        kin_buf_deinit(&a);
        kin_buf_deinit(&b);
    }
}

static void put_term_values(const struct kin_explained *p, const struct kin_condition_part *part,
                            struct kin_buf *out)
{
    for (unsigned i = 0; i < part->field_count; i++) {
        struct kin_buf text = {0};
        kin_explain_values(p->x->workflow, p->a.features, part->fields[i], &text);
        kin_buf_puts(&text, text.n ? " | " : "(empty) | ");
        size_t before = text.n;
        kin_explain_values(p->x->workflow, p->b.features, part->fields[i], &text);
        kin_buf_puts(&text, text.n > before ? "" : "(empty)");
        kin_buf_puts(out, i ? ", " : "  ");
        kin_terminal_put(out, text_of(&text), text.n);
        out->failed = out->failed || text.failed;
        kin_buf_deinit(&text);
    }
}

static void put_rule(const struct kin_explained *p, size_t index, struct kin_buf *out)
{
    enum { TRUTH_AT = 60, TRUTH_COLUMNS = 7 };
    const struct kin_explained_rule *r = &p->rules[index];
    kin_buf_puts(out, "  ");
    kin_terminal_put(out, kin_str_of(r->rule->name), SIZE_MAX);
    kin_buf_printf(out, ": %s%s\n",
                   r->parts[0].truth == KIN_TRUE ? (r->never ? "keeps them apart" : "matches")
                                                 : "does not apply",
                   !r->never && p->facts.rule == (int)index ? ", and decides" : "");
    for (size_t i = 0; i < r->part_count; i++) {
        const struct kin_condition_part *part = &r->parts[i];
        size_t indent = 4 + 2 * (size_t)part->depth, columns = strlen(part->text);
        put_blanks(out, indent);
        kin_buf_puts(out, part->text);
        put_blanks(out, indent + columns + 2 < TRUTH_AT ? TRUTH_AT - indent - columns : 2);
        if (part->is_term) {
            kin_terminal_cell(out, kin_str_of(explained_truth_word(part->truth)), TRUTH_COLUMNS);
            put_term_values(p, part, out);
        } else {
            kin_buf_puts(out, explained_truth_word(part->truth));
        }
        kin_buf_putc(out, '\n');
    }
}

static void put_rules(const struct kin_explained *p, struct kin_buf *out)
{
    for (size_t i = 0; i < p->rule_count; i++) {
        if (i == 0 || p->rules[i].never != p->rules[i - 1].never)
            kin_buf_puts(out, p->rules[i].never ? "\nnever\n" : "\nrules\n");
        put_rule(p, i, out);
    }
}

static void put_comparison(const struct kin_explained *p, unsigned i, int32_t *total,
                           struct kin_buf *out)
{
    const struct kin_explainer *e = p->x;
    const struct kin_model_comparison *spec = &e->model->spec.comparisons[i];
    const struct kin_model_explained_comparison *x = &p->model.comparisons[i];
    *total += x->level_weight + x->term_frequency;
    kin_buf_puts(out, "  ");
    put_cell(out, kin_str_of(spec->name), NAME_COLUMNS);
    put_cell(out, kin_str_of(x->level ? spec->level_text[x->level] : "no value"), LEVEL_COLUMNS);
    if (x->level)
        kin_buf_printf(out, "%9.3g %9.3g %9.3f", e->model->m[i][x->level], e->model->u[i][x->level],
                       kin_explain_bits(x->level_weight));
    else
        kin_buf_printf(out, "%9s %9s %9s", "", "", "0.000");
    kin_buf_printf(out, " %9.3f %9.3f\n", kin_explain_bits(x->term_frequency),
                   kin_explain_bits(*total));
    if (!x->level)
        return;
    struct kin_buf text = {0};
    kin_comparer_print(e->comparer, i, &x->compared, 0, &text);
    kin_buf_puts(&text, " | ");
    kin_comparer_print(e->comparer, i, &x->compared, 1, &text);
    put_blanks(out, NAME_COLUMNS + 4);
    kin_terminal_put(out, text_of(&text), text.n);
    if (x->term_frequency)
        kin_buf_printf(out, "  (%llu of %llu records have the value)",
                       (unsigned long long)(x->values > 2 ? x->values : 2),
                       (unsigned long long)e->counts->total[i]);
    kin_buf_putc(out, '\n');
    out->failed = out->failed || text.failed;
    kin_buf_deinit(&text);
}

static void put_model(const struct kin_explained *p, struct kin_buf *out)
{
    const struct kin_explainer *e = p->x;
    int32_t total = p->model.prior;
    kin_buf_printf(out, "\nmodel: %s; weights in bits\n  ",
                   e->model_file ? e->model_file : "as trained");
    put_cell(out, kin_str_of("comparison"), NAME_COLUMNS);
    put_cell(out, kin_str_of("level"), LEVEL_COLUMNS);
    kin_buf_printf(out, "%9s %9s %9s %9s %9s\n  ", "m", "u", "weight", "frequency", "total");
    put_cell(out, kin_str_of("prior"), NAME_COLUMNS);
    put_cell(out, kin_str_of(""), LEVEL_COLUMNS);
    kin_buf_printf(out, "%9s %9s %9.3f %9s %9.3f\n", "", "", kin_explain_bits(total), "",
                   kin_explain_bits(total));
    for (unsigned i = 0; i < p->model.count; i++)
        put_comparison(p, i, &total, out);
    kin_buf_printf(out, "  weight %.3f, probability %.6f; threshold %.3f (%s): %s\n",
                   kin_explain_bits(p->model.weight), kin_weight_probability(p->model.weight),
                   kin_explain_bits(e->threshold->weight), e->threshold->text,
                   p->model.weight >= e->threshold->weight ? "reached" : "not reached");
}

static void put_keys(const struct kin_explained *p, struct kin_buf *out)
{
    const struct kin_workflow *w = p->x->workflow;
    kin_buf_puts(out, "\nblocking keys in common\n");
    if (!p->key_count)
        kin_buf_puts(out, "  none\n");
    for (size_t i = 0; i < p->key_count; i++) {
        const struct kin_explained_key *k = &p->keys[i];
        struct kin_buf text = {0};
        kin_blocking_key_print(&w->schema, k->rule, p->a.features, k->key, &text);
        kin_buf_puts(out, "  ");
        kin_terminal_put(out, kin_str_of(k->rule->text), SIZE_MAX);
        kin_buf_puts(out, ": ");
        kin_terminal_put(out, text_of(&text), text.n);
        const char *note = k->rule->star  ? "all of which match by these values"
                           : k->oversized ? "more than max_block: refined, then windowed"
                                          : "";
        if (k->records)
            kin_buf_printf(out, "  (%llu records%s%s)\n", (unsigned long long)k->records,
                           *note ? ", " : "", note);
        else
            kin_buf_printf(out, *note ? "  (%s)\n" : "%s\n", note);
        out->failed = out->failed || text.failed;
        kin_buf_deinit(&text);
    }
}

void kin_explained_text(const struct kin_explained *p, struct kin_buf *out)
{
    struct kin_buf a = {0}, b = {0}, verdict = {0};
    kin_explain_put_name(p->x->workflow, p->a.features, &a);
    kin_explain_put_name(p->x->workflow, p->b.features, &b);
    explained_verdict(p, &verdict);
    kin_terminal_put(out, text_of(&verdict), verdict.n);
    kin_buf_puts(out, "\n\n");
    put_line(out, "", text_of(&a), text_of(&b));
    put_fields(p, out);
    put_rules(p, out);
    if (p->x->decider)
        put_model(p, out);
    put_keys(p, out);
    out->failed = out->failed || a.failed || b.failed || verdict.failed;
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
    kin_buf_deinit(&verdict);
}
