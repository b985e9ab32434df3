/* The evaluation as one JSON object; docs/evaluate.md lists its keys. */
#include "client/evaluate_impl.h"

/* The comma before it, too. */
static void put_key(struct kin_buf *out, const char *key)
{
    kin_buf_printf(out, ",\"%s\":", key);
}

static void put_count(struct kin_buf *out, const char *key, uint64_t n)
{
    put_key(out, key);
    kin_buf_printf(out, "%llu", (unsigned long long)n);
}

static void put_text(struct kin_buf *out, const char *key, struct kin_str text)
{
    put_key(out, key);
    kin_json_string(out, text);
}

static void put_share(struct kin_buf *out, const char *key, double share)
{
    put_key(out, key);
    evaluate_put_share(out, share, 6);
}

static void put_quality(struct kin_buf *out, double precision, double recall)
{
    put_share(out, "precision", precision);
    put_share(out, "recall", recall);
    put_share(out, "f1", kin_f1(precision, recall));
}

static void put_score(struct kin_buf *out, const struct kin_score *s)
{
    kin_buf_printf(out, "\"found\":%llu", (unsigned long long)s->found);
    put_count(out, "true", s->truth);
    put_count(out, "correct", s->correct);
    put_quality(out, kin_score_precision(s), kin_score_recall(s));
}

static void put_level(struct kin_buf *out, const struct kin_evaluation_level *l)
{
    kin_buf_puts(out, "{\"threshold\":");
    if (l->threshold.n)
        kin_json_string(out, l->threshold);
    else
        kin_buf_puts(out, "null");
    put_key(out, "primary");
    kin_buf_puts(out, l->threshold.n ? "false" : "true");
    put_key(out, "pairs");
    kin_buf_putc(out, '{');
    put_score(out, &l->pairs);
    kin_buf_puts(out, "},\"across_sources\":{");
    put_score(out, &l->across);
    kin_buf_puts(out, "},\"groups\":{");
    put_score(out, &l->groups);
    kin_buf_puts(out, "},\"b_cubed\":{\"precision\":");
    evaluate_put_share(out, l->bcubed_precision, 6);
    put_share(out, "recall", l->bcubed_recall);
    put_share(out, "f1", kin_f1(l->bcubed_precision, l->bcubed_recall));
    kin_buf_puts(out, "}}");
}

static void put_weight(struct kin_buf *out, bool certain, int64_t weight)
{
    kin_buf_puts(out, "\"weight\":");
    if (certain)
        kin_buf_puts(out, "null");
    else
        evaluate_put_milli(out, weight);
    put_key(out, "probability");
    evaluate_put_probability(out, certain, weight);
}

static void put_points(struct kin_buf *out, const struct kin_evaluation *e)
{
    uint64_t truth = e->across ? e->levels[0].across.truth : e->levels[0].pairs.truth;
    kin_buf_printf(out, "{\"count\":%llu", (unsigned long long)e->links);
    put_count(out, "correct", e->links_correct);
    put_count(out, "not_in_truth", e->links_unknown);
    put_key(out, "curve");
    for (size_t i = 0; i < e->point_count; i++) {
        const struct kin_evaluation_point *p = &e->points[i];
        kin_buf_puts(out, i ? ",\n  {" : "[\n  {");
        put_weight(out, p->certain, p->weight);
        put_count(out, "links", p->links);
        put_count(out, "correct", p->correct);
        put_quality(out, kin_ratio(p->correct, p->links), kin_ratio(p->correct, truth));
        kin_buf_putc(out, '}');
    }
    kin_buf_puts(out, e->point_count ? "]}" : "[]}");
}

static void put_record(struct kin_buf *out, const struct kin_evaluation_record *r)
{
    kin_buf_puts(out, "{\"source\":");
    kin_json_string(out, r->source);
    put_text(out, "id", r->id);
    kin_buf_putc(out, '}');
}

static void put_link(struct kin_buf *out, const struct kin_evaluation_link *x)
{
    kin_buf_putc(out, '{');
    put_weight(out, x->certain, x->weight);
    put_text(out, "match_rule", x->rule);
    put_key(out, "a");
    put_record(out, &x->a);
    put_key(out, "b");
    put_record(out, &x->b);
    put_text(out, "entity_a", x->entity_a);
    put_text(out, "entity_b", x->entity_b);
    kin_buf_putc(out, '}');
}

static void put_wrong(struct kin_buf *out, const struct kin_evaluation *e,
                      const struct kin_evaluation_wrong *x, bool group)
{
    kin_buf_puts(out, group ? "{\"match_id\":" : "{\"entity\":");
    kin_json_string(out, x->name);
    put_count(out, "records", x->records);
    put_count(out, group ? "false_pairs" : "lost_pairs", x->wrong_pairs);
    put_count(out, group ? "entity_count" : "group_count", x->part_count);
    put_key(out, group ? "entities" : "groups");
    for (size_t i = 0; i < x->part_count && i < KIN_EVALUATE_PARTS_MAX; i++) {
        kin_buf_puts(out, i ? ",{" : "[{");
        kin_buf_puts(out, group ? "\"entity\":" : "\"match_id\":");
        kin_json_string(out, x->parts[i].name);
        put_count(out, "records", x->parts[i].records);
        put_key(out, "example");
        put_record(out, &x->parts[i].example);
        kin_buf_putc(out, '}');
    }
    kin_buf_putc(out, ']');
    if (group && e->has_links) {
        put_count(out, "false_links", x->false_links);
        put_key(out, "weakest");
        if (x->false_links)
            put_link(out, &x->weakest);
        else
            kin_buf_puts(out, "null");
    }
    kin_buf_putc(out, '}');
}

static void put_sources(struct kin_buf *out, const struct kin_evaluation *e)
{
    for (size_t i = 0; i < e->sources_count; i++) {
        kin_buf_puts(out, i ? ",\n  {" : "\n  {");
        kin_buf_puts(out, "\"source_a\":");
        kin_json_string(out, e->sources[i].a);
        put_text(out, "source_b", e->sources[i].b);
        kin_buf_putc(out, ',');
        put_score(out, &e->sources[i].pairs);
        kin_buf_putc(out, '}');
    }
}

void kin_evaluation_json(const struct kin_evaluation *e, struct kin_buf *out)
{
    kin_buf_printf(out, "{\"records\":%llu", (unsigned long long)e->records);
    put_count(out, "only_in_truth", e->only_in_truth);
    put_count(out, "only_in_result", e->only_in_result);
    put_count(out, "sources", e->source_count);
    put_text(out, "counted", e->across ? KIN_STR("across_sources") : KIN_STR("all"));
    kin_buf_puts(out, ",\n\"thresholds\":[");
    for (size_t i = 0; i < e->level_count; i++) {
        kin_buf_puts(out, i ? ",\n  " : "\n  ");
        put_level(out, &e->levels[i]);
    }
    kin_buf_puts(out, "],\n\"source_pairs\":[");
    put_sources(out, e);
    kin_buf_puts(out, "],\n\"links\":");
    if (e->has_links)
        put_points(out, e);
    else
        kin_buf_puts(out, "null");
    kin_buf_puts(out, ",\n\"false_links\":[");
    for (size_t i = 0; i < e->false_link_count; i++) {
        kin_buf_puts(out, i ? ",\n  " : "\n  ");
        put_link(out, &e->false_links[i]);
    }
    kin_buf_puts(out, "],\n\"wrong_groups\":");
    kin_buf_printf(out, "{\"count\":%llu,\"worst\":[", (unsigned long long)e->wrong_groups);
    for (size_t i = 0; i < e->group_count; i++) {
        kin_buf_puts(out, i ? ",\n  " : "\n  ");
        put_wrong(out, e, &e->groups[i], true);
    }
    kin_buf_puts(out, "]},\n\"split_entities\":");
    kin_buf_printf(out, "{\"count\":%llu,\"worst\":[", (unsigned long long)e->split_entities);
    for (size_t i = 0; i < e->entity_count; i++) {
        kin_buf_puts(out, i ? ",\n  " : "\n  ");
        put_wrong(out, e, &e->entities[i], false);
    }
    kin_buf_puts(out, "]}}\n");
}
