/* Chosen pairs, step by step: from the prior to the weight. */
#include "common/report/html_impl.h"

#define LINE_SHARE 0.006 /* of a bar's cell: a line that stands for one weight */

struct span {
    double low, high; /* bits; 0 and the threshold are inside */
    double cut;       /* the threshold */
};

/* One scale for all pairs: the same length is the same weight in each, and the threshold stands at
 * the same place. */
static struct span span_of(const struct page *p)
{
    struct span s = {0, 1, primary_weight(p)};
    s.low = s.cut < s.low ? s.cut : s.low;
    s.high = s.cut > s.high ? s.cut : s.high;
    for (size_t k = 0; k < p->waterfall_count; k++) {
        const struct kin_waterfall *w = &p->waterfalls[k];
        for (size_t i = 0; i < w->step_count; i++) {
            s.low = w->steps[i].total < s.low ? w->steps[i].total : s.low;
            s.high = w->steps[i].total > s.high ? w->steps[i].total : s.high;
        }
    }
    return s;
}

static void step_bar(struct page *p, struct span s, const struct kin_waterfall_step *step)
{
    double width = s.high - s.low, before = step->total - step->weight;
    double from = step->weight < 0 ? step->total : before;
    double size = step->weight < 0 ? -step->weight : step->weight;
    struct bar_part parts[3] = {
        {"other", -s.low / width, LINE_SHARE},
        {step->weight < 0 ? "against" : "for", (from - s.low) / width, size / width},
        {"mark", (s.cut - s.low) / width, LINE_SHARE}};
    for (size_t i = 0; i < 3; i++) {
        double last = 1 - parts[i].share;
        parts[i].from = parts[i].from > last ? last : parts[i].from;
        parts[i].from = parts[i].from < 0 ? 0 : parts[i].from;
    }
    cell_bar(p, parts, 3);
}

static void value_cell(struct page *p, struct kin_str value)
{
    put(p, "<td>");
    put_bytes(p, value);
    put(p, "</td>");
}

static void step_row(struct page *p, struct span s, const struct kin_waterfall_step *step)
{
    put(p, "<tr>");
    row_header(p, step->label);
    value_cell(p, step->a);
    value_cell(p, step->b);
    cell_text(p, step->level);
    step_bar(p, s, step);
    put(p, "<td class=\"n\">");
    put_bits(p, step->weight);
    put(p, "</td><td class=\"n\">");
    put_bits(p, step->total);
    put(p, "</td></tr>\n");
}

static void waterfall(struct page *p, struct span s, const struct kin_waterfall *w)
{
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
    put(p, "</tbody><tfoot><tr><th scope=\"row\" colspan=\"5\">probability that they are one"
           "</th><td class=\"n\" colspan=\"2\">");
    put_probability(p, w->probability);
    put(p, "</td></tr></tfoot></table></div>\n");
}

static void legend(struct page *p)
{
    static const struct {
        const char *class, *text;
    } items[] = {{"for", "speaks for a match"},
                 {"against", "speaks against it"},
                 {"other", "weight 0: as likely as not"},
                 {"mark", "the threshold"}};
    put(p, "<ul class=\"legend\">\n");
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        kin_buf_printf(p->out,
                       "<li><svg aria-hidden=\"true\"><rect class=\"%s\" width=\"11\" "
                       "height=\"11\" rx=\"2\"/></svg>%s</li>\n",
                       items[i].class, items[i].text);
    put(p, "</ul>\n");
}

void section_waterfalls(struct page *p)
{
    if (p->waterfall_count == 0)
        return;
    section_begin(p, "pairs", "Chosen pairs, step by step",
                  "Each comparison moves the weight up or down from where the one before left it; "
                  "where it ends decides. The scale is the same in all.");
    legend(p);
    struct span s = span_of(p);
    for (size_t i = 0; i < p->waterfall_count; i++)
        waterfall(p, s, &p->waterfalls[i]);
    section_end(p);
}
