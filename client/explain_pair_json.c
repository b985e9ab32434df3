#include "client/explain_pair.h"

/* The pair as one JSON object; docs/explain.md has its members. */

static void put_values(const struct kin_workflow *w, const struct kin_record *r, unsigned field,
                       struct kin_buf *out)
{
    struct kin_buf text = {0};
    explain_values(w, r->features, field, &text);
    kin_buf_puts(out, "{\"raw\": ");
    explain_json_text(out, r->raw[field]);
    kin_buf_puts(out, ", \"normalised\": ");
    kin_json_string(out, (struct kin_str){(const char *)text.p, text.n});
    kin_buf_putc(out, '}');
    out->failed = out->failed || text.failed;
    kin_buf_deinit(&text);
}

static void put_fields(const struct pair *p, struct kin_buf *out)
{
    const struct kin_workflow *w = p->e->workflow;
    kin_buf_puts(out, "[");
    for (unsigned f = 0; f < w->schema.count; f++) {
        kin_buf_puts(out, f ? ",\n    {\"field\": " : "\n    {\"field\": ");
        explain_json_text(out, w->fields[f].name);
        kin_buf_puts(out, ", \"a\": ");
        put_values(w, p->a, f, out);
        kin_buf_puts(out, ", \"b\": ");
        put_values(w, p->b, f, out);
        kin_buf_putc(out, '}');
    }
    kin_buf_puts(out, "]");
}

static void put_rules(const struct pair *p, bool never, struct kin_buf *out)
{
    bool first = true;
    kin_buf_puts(out, "[");
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct pair_rule *r = &p->rules[i];
        if (r->never != never)
            continue;
        explain_json_key(out, &first, NULL);
        kin_buf_puts(out, "\n    {\"name\": ");
        explain_json_text(out, r->rule->name);
        kin_buf_printf(out, ", \"truth\": \"%s\", \"parts\": [",
                       pair_truth_word(r->parts[0].truth));
        for (size_t k = 0; k < r->part_count; k++) {
            kin_buf_printf(out, "%s{\"depth\": %u, \"text\": ", k ? ", " : "", r->parts[k].depth);
            explain_json_text(out, r->parts[k].text);
            kin_buf_printf(out, ", \"truth\": \"%s\"}", pair_truth_word(r->parts[k].truth));
        }
        kin_buf_puts(out, "]}");
    }
    kin_buf_puts(out, "]");
}

static void put_comparison(const struct pair *p, unsigned i, int32_t *total, struct kin_buf *out)
{
    const struct kin_explain *e = p->e;
    const struct kin_model_comparison *spec = &e->model->spec.comparisons[i];
    const struct kin_model_explained_comparison *x = &p->model.comparisons[i];
    *total += x->level_weight + x->term_frequency;
    kin_buf_puts(out, i ? ",\n      {\"name\": " : "\n      {\"name\": ");
    explain_json_text(out, spec->name);
    kin_buf_printf(out, ", \"level\": %u, \"levels\": %u, \"text\": ", x->level, spec->level_count);
    if (x->level)
        explain_json_text(out, spec->level_text[x->level]);
    else
        kin_buf_puts(out, "null");
    for (unsigned side = 0; side < 2 && x->level; side++) {
        struct kin_buf text = {0};
        kin_comparer_print(e->comparer, i, &x->compared, side, &text);
        kin_buf_puts(out, side ? ", \"b\": " : ", \"a\": ");
        kin_json_string(out, (struct kin_str){(const char *)text.p, text.n});
        out->failed = out->failed || text.failed;
        kin_buf_deinit(&text);
    }
    if (x->level)
        kin_buf_printf(out, ", \"m\": %.6g, \"u\": %.6g", e->model->m[i][x->level],
                       e->model->u[i][x->level]);
    kin_buf_printf(out, ", \"weight\": %.3f, \"term_frequency\": %.3f, \"total\": %.3f}",
                   explain_bits(x->level_weight), explain_bits(x->term_frequency),
                   explain_bits(*total));
}

static void put_model(const struct pair *p, struct kin_buf *out)
{
    const struct kin_explain *e = p->e;
    int32_t total = p->model.prior;
    kin_buf_puts(out, "{\"file\": ");
    explain_json_text(out, e->model_path);
    kin_buf_printf(out, ", \"prior\": %.3f, \"comparisons\": [", explain_bits(total));
    for (unsigned i = 0; i < p->model.count; i++)
        put_comparison(p, i, &total, out);
    kin_buf_printf(out, "],\n    \"weight\": %.3f, \"probability\": %.6f, \"threshold\": %.3f}",
                   explain_bits(p->model.weight), kin_weight_probability(p->model.weight),
                   explain_bits(e->threshold->weight));
}

static void put_keys(const struct pair *p, struct kin_buf *out)
{
    kin_buf_puts(out, "[");
    for (size_t i = 0; i < p->key_count; i++) {
        const struct pair_key *k = &p->keys[i];
        struct kin_buf text = {0};
        kin_blocking_key_print(&p->e->workflow->schema, k->rule, p->a->features, k->key, &text);
        kin_buf_puts(out, i ? ",\n    {\"key\": " : "\n    {\"key\": ");
        explain_json_text(out, k->rule->text);
        kin_buf_puts(out, ", \"value\": ");
        kin_json_string(out, (struct kin_str){(const char *)text.p, text.n});
        kin_buf_printf(out, ", \"records\": %llu, \"oversized\": %s, \"star\": %s}",
                       (unsigned long long)k->records, k->oversized ? "true" : "false",
                       k->rule->star ? "true" : "false");
        out->failed = out->failed || text.failed;
        kin_buf_deinit(&text);
    }
    kin_buf_puts(out, "]");
}

void pair_put_json(const struct pair *p, struct kin_buf *out)
{
    const struct kin_explain *e = p->e;
    struct kin_buf verdict = {0};
    pair_verdict(p, &verdict);
    kin_buf_puts(out, "{\n  \"a\": ");
    explain_json_record(e->workflow, p->a->features, out);
    kin_buf_puts(out, ",\n  \"b\": ");
    explain_json_record(e->workflow, p->b->features, out);
    kin_buf_printf(out, ",\n  \"verdict\": \"%s\", \"compared\": \"%s\", \"decided_by\": ",
                   pair_verdict_word(p), pair_compared_word(p));
    if (p->facts.rule >= 0 || e->decider)
        explain_json_text(out, explain_decider(e, &p->facts));
    else
        kin_buf_puts(out, "null");
    kin_buf_puts(out, ",\n  \"text\": ");
    kin_json_string(out, (struct kin_str){(const char *)verdict.p, verdict.n});
    kin_buf_puts(out, ",\n  \"fields\": ");
    put_fields(p, out);
    kin_buf_puts(out, ",\n  \"rules\": ");
    put_rules(p, false, out);
    kin_buf_puts(out, ",\n  \"never\": ");
    put_rules(p, true, out);
    kin_buf_puts(out, ",\n  \"model\": ");
    if (e->decider)
        put_model(p, out);
    else
        kin_buf_puts(out, "null");
    kin_buf_puts(out, ",\n  \"keys\": ");
    put_keys(p, out);
    kin_buf_puts(out, "\n}\n");
    out->failed = out->failed || verdict.failed;
    kin_buf_deinit(&verdict);
}
