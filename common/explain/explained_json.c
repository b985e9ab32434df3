#include "common/explain/explained_impl.h"

/* The pair as one JSON object; docs/explain.md has its members. */

static void put_values(const struct kin_workflow *w, const struct kin_explain_side *s,
                       unsigned field, struct kin_buf *out)
{
    struct kin_buf text = {0};
    kin_explain_values(w, s->features, field, &text);
    kin_buf_putc(out, '{');
    if (s->raw) {
        kin_buf_puts(out, "\"raw\": ");
        kin_explain_json_text(out, s->raw[field]);
        kin_buf_puts(out, ", ");
    }
    kin_buf_puts(out, "\"normalised\": ");
    kin_json_string(out, (struct kin_str){(const char *)text.p, text.n});
    kin_buf_putc(out, '}');
    out->failed = out->failed || text.failed;
    kin_buf_deinit(&text);
}

static void put_fields(const struct kin_explained *p, struct kin_buf *out)
{
    const struct kin_workflow *w = p->x->workflow;
    kin_buf_puts(out, "[");
    for (unsigned f = 0; f < w->schema.count; f++) {
        kin_buf_puts(out, f ? ",\n    {\"field\": " : "\n    {\"field\": ");
        kin_explain_json_text(out, w->fields[f].name);
        kin_buf_puts(out, ", \"a\": ");
        put_values(w, &p->a, f, out);
        kin_buf_puts(out, ", \"b\": ");
        put_values(w, &p->b, f, out);
        kin_buf_putc(out, '}');
    }
    kin_buf_puts(out, "]");
}

static void put_rules(const struct kin_explained *p, bool never, struct kin_buf *out)
{
    bool first = true;
    kin_buf_puts(out, "[");
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct kin_explained_rule *r = &p->rules[i];
        if (r->never != never)
            continue;
        kin_explain_json_key(out, &first, NULL);
        kin_buf_puts(out, "\n    {\"name\": ");
        kin_explain_json_text(out, r->rule->name);
        kin_buf_printf(out, ", \"truth\": \"%s\", \"parts\": [",
                       explained_truth_word(r->parts[0].truth));
        for (size_t k = 0; k < r->part_count; k++) {
            kin_buf_printf(out, "%s{\"depth\": %u, \"text\": ", k ? ", " : "", r->parts[k].depth);
            kin_explain_json_text(out, r->parts[k].text);
            kin_buf_printf(out, ", \"truth\": \"%s\"}", explained_truth_word(r->parts[k].truth));
        }
        kin_buf_puts(out, "]}");
    }
    kin_buf_puts(out, "]");
}

static void put_comparison(const struct kin_explained *p, unsigned i, int32_t *total,
                           struct kin_buf *out)
{
    const struct kin_explainer *e = p->x;
    const struct kin_model_comparison *spec = &e->model->spec.comparisons[i];
    const struct kin_model_explained_comparison *x = &p->model.comparisons[i];
    *total += x->level_weight + x->term_frequency;
    kin_buf_puts(out, i ? ",\n      {\"name\": " : "\n      {\"name\": ");
    kin_explain_json_text(out, spec->name);
    kin_buf_printf(out, ", \"level\": %u, \"levels\": %u, \"text\": ", x->level, spec->level_count);
    if (x->level)
        kin_explain_json_text(out, spec->level_text[x->level]);
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
                   kin_explain_bits(x->level_weight), kin_explain_bits(x->term_frequency),
                   kin_explain_bits(*total));
}

static void put_model(const struct kin_explained *p, struct kin_buf *out)
{
    const struct kin_explainer *e = p->x;
    int32_t total = p->model.prior;
    kin_buf_puts(out, "{\"file\": ");
    if (e->model_file)
        kin_explain_json_text(out, e->model_file);
    else
        kin_buf_puts(out, "null");
    kin_buf_printf(out, ", \"prior\": %.3f, \"comparisons\": [", kin_explain_bits(total));
    for (unsigned i = 0; i < p->model.count; i++)
        put_comparison(p, i, &total, out);
    kin_buf_printf(out, "],\n    \"weight\": %.3f, \"probability\": %.6f, \"threshold\": %.3f}",
                   kin_explain_bits(p->model.weight), kin_weight_probability(p->model.weight),
                   kin_explain_bits(e->threshold->weight));
}

static void put_keys(const struct kin_explained *p, struct kin_buf *out)
{
    kin_buf_puts(out, "[");
    for (size_t i = 0; i < p->key_count; i++) {
        const struct kin_explained_key *k = &p->keys[i];
        struct kin_buf text = {0};
        kin_blocking_key_print(&p->x->workflow->schema, k->rule, p->a.features, k->key, &text);
        kin_buf_puts(out, i ? ",\n    {\"key\": " : "\n    {\"key\": ");
        kin_explain_json_text(out, k->rule->text);
        kin_buf_puts(out, ", \"value\": ");
        kin_json_string(out, (struct kin_str){(const char *)text.p, text.n});
        if (k->records)
            kin_buf_printf(out, ", \"records\": %llu", (unsigned long long)k->records);
        kin_buf_printf(out, ", \"oversized\": %s, \"star\": %s}", k->oversized ? "true" : "false",
                       k->rule->star ? "true" : "false");
        out->failed = out->failed || text.failed;
        kin_buf_deinit(&text);
    }
    kin_buf_puts(out, "]");
}

void kin_explained_json(const struct kin_explained *p, struct kin_buf *out)
{
    const struct kin_explainer *e = p->x;
    struct kin_buf verdict = {0};
    explained_verdict(p, &verdict);
    kin_buf_puts(out, "{\n  \"a\": ");
    kin_explain_json_record(e->workflow, p->a.features, out);
    kin_buf_puts(out, ",\n  \"b\": ");
    kin_explain_json_record(e->workflow, p->b.features, out);
    kin_buf_printf(out, ",\n  \"verdict\": \"%s\", \"compared\": \"%s\", \"decided_by\": ",
                   explained_verdict_word(p), explained_compared_word(p));
    if (p->facts.rule >= 0 || e->decider)
        kin_explain_json_text(out, p->facts.rule >= 0 ? e->workflow->rules[p->facts.rule].name
                                                      : "model");
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
