/* Tables for people. */
#include "client/evaluate_impl.h"
#include "common/match/model.h"

enum { NAME_BYTES_MAX = 80 };

void evaluate_put_share(struct kin_buf *out, double share, unsigned decimals)
{
    uint64_t scale = 1;
    for (unsigned i = 0; i < decimals; i++)
        scale *= 10;
    uint64_t parts = (uint64_t)(share * (double)scale + 0.5);
    kin_buf_printf(out, "%llu.%0*llu", (unsigned long long)(parts / scale), (int)decimals,
                   (unsigned long long)(parts % scale));
}

void evaluate_put_milli(struct kin_buf *out, int64_t milli)
{
    uint64_t m = milli < 0 ? (uint64_t)-milli : (uint64_t)milli;
    kin_buf_printf(out, "%s%llu.%03llu", milli < 0 ? "-" : "", (unsigned long long)(m / 1000),
                   (unsigned long long)(m % 1000));
}

void evaluate_put_probability(struct kin_buf *out, bool certain, int64_t weight)
{
    const int64_t far = (int64_t)KIN_EVALUATE_BITS_MAX * 1000;
    int64_t w = weight > far ? far : weight < -far ? -far : weight;
    evaluate_put_share(
        out, certain ? 1 : kin_weight_probability((int32_t)(w * KIN_WEIGHT_ONE / 1000)), 6);
}

/* Puts what was put since `from` at the right end of a column. */
static void to_the_right(struct kin_buf *out, size_t from, size_t width)
{
    size_t n = out->n - from;
    if (out->failed || n >= width || !kin_buf_extend(out, width - n))
        return;
    for (size_t i = n; i-- > 0;)
        out->p[from + width - n + i] = out->p[from + i];
    for (size_t i = 0; i < width - n; i++)
        out->p[from + i] = ' ';
}

static void put_quality(struct kin_buf *out, double precision, double recall)
{
    const double shares[] = {precision, recall, kin_f1(precision, recall)};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        size_t from = out->n;
        evaluate_put_share(out, shares[i], 4);
        to_the_right(out, from, 10);
    }
}

static void put_scores(struct kin_buf *out, const struct kin_score *s)
{
    kin_buf_printf(out, "%14llu%14llu%14llu", (unsigned long long)s->found,
                   (unsigned long long)s->truth, (unsigned long long)s->correct);
    put_quality(out, kin_score_precision(s), kin_score_recall(s));
}

static void put_line(struct kin_buf *out, const char *what, const struct kin_score *s)
{
    kin_buf_printf(out, "%-16s", what);
    put_scores(out, s);
    kin_buf_putc(out, '\n');
}

/* Text of a file: what a terminal could take for a command is replaced, the rest is cut. */
static void put_name(struct kin_buf *out, struct kin_str name)
{
    for (size_t i = 0; i < name.n && i < NAME_BYTES_MAX; i++)
        kin_buf_putc(out, (uint8_t)name.p[i] < 0x20 || name.p[i] == 0x7f ? '?' : name.p[i]);
    if (name.n > NAME_BYTES_MAX)
        kin_buf_puts(out, "...");
}

static void put_record(struct kin_buf *out, const struct kin_evaluation_record *r)
{
    put_name(out, r->source);
    kin_buf_putc(out, ' ');
    put_name(out, r->id);
}

/* ---- sections ---- */

static void put_primary(const struct kin_evaluation *e, struct kin_buf *out)
{
    const struct kin_evaluation_level *l = &e->levels[0];
    kin_buf_printf(out, "\n%-16s%14s%14s%14s%10s%10s%10s\n", "", "found", "true", "correct",
                   "precision", "recall", "F1");
    put_line(out, "pairs", &l->pairs);
    if (l->across.found || l->across.truth)
        put_line(out, "across sources", &l->across);
    put_line(out, "groups of 2 +", &l->groups);
    kin_buf_printf(out, "%-16s%42s", "B-cubed", "");
    put_quality(out, l->bcubed_precision, l->bcubed_recall);
    kin_buf_putc(out, '\n');
}

static void put_thresholds(const struct kin_evaluation *e, struct kin_buf *out)
{
    if (e->level_count < 2)
        return;
    kin_buf_printf(out, "\n%-16s%14s%10s%10s%10s%18s%10s%10s\n", "Threshold",
                   e->across ? "found across" : "found pairs", "precision", "recall", "F1",
                   "B-cubed: prec.", "recall", "F1");
    for (size_t i = 0; i < e->level_count; i++) {
        const struct kin_evaluation_level *l = &e->levels[i];
        const struct kin_score *s = e->across ? &l->across : &l->pairs;
        kin_buf_puts(out, i ? "  " : "* ");
        size_t from = out->n;
        put_name(out, i ? l->threshold : KIN_STR("primary"));
        while (!out->failed && out->n - from < 14)
            kin_buf_putc(out, ' ');
        kin_buf_printf(out, "%14llu", (unsigned long long)s->found);
        put_quality(out, kin_score_precision(s), kin_score_recall(s));
        kin_buf_puts(out, "        ");
        put_quality(out, l->bcubed_precision, l->bcubed_recall);
        kin_buf_putc(out, '\n');
    }
}

static void put_sources(const struct kin_evaluation *e, struct kin_buf *out)
{
    if (e->source_count < 2)
        return;
    if (e->source_count > KIN_EVALUATE_SOURCES_MAX) {
        kin_buf_printf(out, "\nThere are %llu sources: too many for a table of their pairs.\n",
                       (unsigned long long)e->source_count);
        return;
    }
    kin_buf_printf(out, "\n%-16s%14s%14s%14s%10s%10s%10s\n", "Pairs by source", "found", "true",
                   "correct", "precision", "recall", "F1");
    for (size_t i = 0; i < e->sources_count; i++) {
        kin_buf_printf(out, "%16s", "");
        put_scores(out, &e->sources[i].pairs);
        kin_buf_puts(out, "  ");
        put_name(out, e->sources[i].a);
        kin_buf_puts(out, " - ");
        put_name(out, e->sources[i].b);
        kin_buf_putc(out, '\n');
    }
}

static void put_weight(struct kin_buf *out, bool certain, int64_t weight)
{
    size_t from = out->n;
    if (certain)
        kin_buf_puts(out, "by rule");
    else
        evaluate_put_milli(out, weight);
    to_the_right(out, from, 12);
    from = out->n;
    evaluate_put_probability(out, certain, weight);
    to_the_right(out, from, 13);
}

static void put_curve(const struct kin_evaluation *e, struct kin_buf *out)
{
    const struct kin_evaluation_level *l = &e->levels[0];
    uint64_t truth = e->across ? l->across.truth : l->pairs.truth;
    kin_buf_printf(out,
                   "\nDirect links%s: pairs that were compared, matched, and lie in one group.\n",
                   e->across ? " across sources" : "");
    if (e->links_unknown)
        kin_buf_printf(out, "(%llu more have a record that is not in truth.)\n",
                       (unsigned long long)e->links_unknown);
    kin_buf_puts(
        out,
        "Precision is that of the links of at least this weight. Recall is the share of all "
        "true pairs\nthat are such links: records are in one group by way of others, too. "
        "What is below the\nthreshold of the run is not in pairs.csv: there the curve ends.\n");
    kin_buf_printf(out, "%12s%13s%14s%14s%10s%10s%10s\n", "weight", "probability", "links",
                   "correct", "precision", "recall", "F1");
    for (size_t i = 0; i < e->point_count; i++) {
        const struct kin_evaluation_point *p = &e->points[i];
        put_weight(out, p->certain, p->weight);
        kin_buf_printf(out, "%14llu%14llu", (unsigned long long)p->links,
                       (unsigned long long)p->correct);
        put_quality(out, kin_ratio(p->correct, p->links), kin_ratio(p->correct, truth));
        kin_buf_putc(out, '\n');
    }
}

static void put_link(struct kin_buf *out, const struct kin_evaluation_link *x)
{
    put_record(out, &x->a);
    kin_buf_puts(out, " (");
    put_name(out, x->entity_a);
    kin_buf_puts(out, ") - ");
    put_record(out, &x->b);
    kin_buf_puts(out, " (");
    put_name(out, x->entity_b);
    kin_buf_puts(out, "), ");
    put_name(out, x->rule);
    kin_buf_putc(out, '\n');
}

static void put_false_links(const struct kin_evaluation *e, struct kin_buf *out)
{
    if (!e->false_link_count)
        return;
    kin_buf_printf(out, "\nFalse links: %llu. Those of the highest weight:\n",
                   (unsigned long long)(e->links - e->links_correct));
    for (size_t i = 0; i < e->false_link_count; i++) {
        put_weight(out, e->false_links[i].certain, e->false_links[i].weight);
        kin_buf_puts(out, "  ");
        put_link(out, &e->false_links[i]);
    }
}

static void put_glue(const struct kin_evaluation *e, const struct kin_evaluation_wrong *x,
                     struct kin_buf *out)
{
    if (!e->has_links)
        return;
    if (!x->false_links) {
        kin_buf_puts(out, "        no link between two of them: only by way of records that are "
                          "not in truth\n");
        return;
    }
    kin_buf_printf(
        out, "        links between them: %llu; the weakest:", (unsigned long long)x->false_links);
    if (x->weakest.certain)
        kin_buf_puts(out, " by rule");
    else {
        kin_buf_putc(out, ' ');
        evaluate_put_milli(out, x->weakest.weight);
    }
    kin_buf_puts(out, "  ");
    put_link(out, &x->weakest);
}

static void put_wrong(const struct kin_evaluation *e, const struct kin_evaluation_wrong *x,
                      bool group, struct kin_buf *out)
{
    kin_buf_puts(out, "    ");
    put_name(out, x->name);
    kin_buf_printf(out, ": records %llu, %s %llu, %s pairs %llu\n", (unsigned long long)x->records,
                   group ? "entities" : "groups", (unsigned long long)x->part_count,
                   group ? "false" : "lost", (unsigned long long)x->wrong_pairs);
    for (size_t i = 0; i < x->part_count && i < KIN_EVALUATE_PARTS_MAX; i++) {
        const struct kin_evaluation_part *p = &x->parts[i];
        kin_buf_printf(out, "        %7llu  ", (unsigned long long)p->records);
        put_name(out, p->name);
        kin_buf_puts(out, p->records > 1 ? ": such as " : ": ");
        put_record(out, &p->example);
        kin_buf_putc(out, '\n');
    }
    if (x->part_count > KIN_EVALUATE_PARTS_MAX)
        kin_buf_puts(out, "            ...\n");
    if (group)
        put_glue(e, x, out);
}

void kin_evaluation_print(const struct kin_evaluation *e, struct kin_buf *out)
{
    kin_buf_printf(out, "%-16s%14llu\n", "records", (unsigned long long)e->records);
    if (e->only_in_truth)
        kin_buf_printf(out, "%-16s%14llu\n", "only in truth", (unsigned long long)e->only_in_truth);
    if (e->only_in_result)
        kin_buf_printf(out, "%-16s%14llu\n", "only in result",
                       (unsigned long long)e->only_in_result);
    put_primary(e, out);
    put_thresholds(e, out);
    put_sources(e, out);
    if (e->has_links)
        put_curve(e, out);
    put_false_links(e, out);
    if (e->group_count)
        kin_buf_printf(out, "\nGroups of several entities: %llu. Those with most false pairs:\n",
                       (unsigned long long)e->wrong_groups);
    for (size_t i = 0; i < e->group_count; i++)
        put_wrong(e, &e->groups[i], true, out);
    if (e->entity_count)
        kin_buf_printf(out, "\nEntities in several groups: %llu. Those that lose most pairs:\n",
                       (unsigned long long)e->split_entities);
    for (size_t i = 0; i < e->entity_count; i++)
        put_wrong(e, &e->entities[i], false, out);
}
