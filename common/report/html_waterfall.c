/* Chosen pairs, step by step: from the prior to the weight. */
#include "common/report/html_impl.h"

struct span {
    double low, high; /* bits; 0 is inside */
};

static struct span span_of(const struct kin_waterfall *w)
{
    struct span s = {0, 1};
    for (size_t i = 0; i < w->step_count; i++) {
        s.low = w->steps[i].total < s.low ? w->steps[i].total : s.low;
        s.high = w->steps[i].total > s.high ? w->steps[i].total : s.high;
    }
    return s;
}

static void step_bar(struct page *p, struct span s, const struct kin_waterfall_step *step)
{
    double width = s.high - s.low, before = step->total - step->weight;
    double from = step->weight < 0 ? step->total : before;
    double size = step->weight < 0 ? -step->weight : step->weight;
    struct bar_part part = {step->weight < 0 ? "against" : "for", (from - s.low) / width,
                            size / width};
    part.from = part.from < 0 ? 0 : part.from;
    cell_bar(p, &part, 1);
}

static void step_row(struct page *p, struct span s, const struct kin_waterfall_step *step)
{
    put(p, "<tr>");
    row_header(p, step->label);
    put(p, "<td>");
    put_bytes(p, step->a);
    put(p, "</td><td>");
    put_bytes(p, step->b);
    put(p, "</td>");
    cell_text(p, step->level);
    step_bar(p, s, step);
    put(p, "<td class=\"n\">");
    put_bits(p, step->weight);
    put(p, "</td><td class=\"n\">");
    put_bits(p, step->total);
    put(p, "</td></tr>\n");
}

static void waterfall(struct page *p, const struct kin_waterfall *w)
{
    struct span s = span_of(w);
    put(p, "<h3>");
    put_text(p, w->title);
    put(p, "</h3>\n<p class=\"note\">");
    put_bytes(p, w->source_a);
    put(p, " <b>");
    put_bytes(p, w->id_a);
    put(p, "</b> and ");
    put_bytes(p, w->source_b);
    put(p, " <b>");
    put_bytes(p, w->id_b);
    put(p, "</b></p>\n<div class=\"scroll\"><table class=\"waterfall\"><thead><tr>");
    head_cell(p, "comparison", false);
    head_cell(p, "first record", false);
    head_cell(p, "second record", false);
    head_cell(p, "level", false);
    head_cell(p, "", false);
    head_cell(p, "weight", true);
    head_cell(p, "total", true);
    put(p, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < w->step_count; i++)
        step_row(p, s, &w->steps[i]);
    put(p, "</tbody><tfoot><tr><th scope=\"row\" colspan=\"6\">probability that they are one"
           "</th><td class=\"n\">");
    put_probability(p, w->probability);
    put(p, "</td></tr></tfoot></table></div>\n");
}

void section_waterfalls(struct page *p)
{
    if (p->waterfall_count == 0)
        return;
    section_begin(p, "pairs", "Chosen pairs, step by step",
                  "Each comparison moves the weight up or down from where the one before left it; "
                  "where it ends decides.");
    for (size_t i = 0; i < p->waterfall_count; i++)
        waterfall(p, &p->waterfalls[i]);
    section_end(p);
}
