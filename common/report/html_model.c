/* The model: what each level of each comparison weighs, m and u behind it, and what the training
 * was not sure of. */
#include "common/report/html_impl.h"

static double weight_of(const struct page *p, unsigned comparison, unsigned level)
{
    return (double)p->tables.weight[comparison][level] / KIN_WEIGHT_ONE;
}

/* Bits from zero to the end of the axis, either way. */
static double reach(const struct page *p)
{
    double most = 1, prior = (double)p->tables.prior / KIN_WEIGHT_ONE;
    most = prior > most ? prior : -prior > most ? -prior : most;
    for (unsigned i = 0; i < p->model->spec.count; i++) {
        for (unsigned l = 1; l <= p->model->spec.comparisons[i].level_count; l++) {
            double w = weight_of(p, i, l);
            most = w > most ? w : -w > most ? -w : most;
        }
    }
    return most;
}

static void weight_cell(struct page *p, double bits, double most)
{
    double share = (bits < 0 ? -bits : bits) / most / 2;
    struct bar_part parts[2] = {{bits < 0 ? "against" : "for", bits < 0 ? 0.5 - share : 0.5, share},
                                {"other", 0.4985, 0.003}};
    cell_bar(p, parts, 2);
    put(p, "<td class=\"n\">");
    put_bits(p, bits);
    put(p, "</td>");
}

static void comparison_name(struct page *p, const struct kin_model_comparison *c)
{
    kin_buf_printf(p->out, "<th scope=\"rowgroup\" rowspan=\"%u\">", c->level_count);
    put_text(p, c->name);
    if (c->term_frequency)
        put(p, "<br><span class=\"tag\">values&#39; frequencies count</span>");
    put(p, "</th>");
}

static void put_odds(struct page *p, double odds)
{
    put(p, "\xc3\x97\xc2\xa0");
    if (odds >= 1000)
        put_plain_count(p, (uint64_t)(odds < 1e18 ? odds + 0.5 : 1e18));
    else
        kin_buf_printf(p->out, "%.3g", odds);
}

static void weights_chart(struct page *p)
{
    double most = reach(p), prior = (double)p->tables.prior / KIN_WEIGHT_ONE;
    put(p, "<h3>Match weights</h3>\n<p class=\"note\">Bits that a level adds to a pair&#39;s "
           "weight: to the right for a match, to the left against it. One bit doubles the odds.</p>"
           "\n<div class=\"scroll\"><table id=\"weights\"><thead><tr>");
    head_cell(p, "comparison", false);
    head_cell(p, "level", false);
    head_cell(p, "", false);
    head_cell(p, "weight", true);
    head_cell(p, "odds", true);
    put(p, "</tr></thead>\n<tbody>\n<tr><th scope=\"row\">prior</th><td>before anything is "
           "compared</td>");
    weight_cell(p, prior, most);
    put(p, "<td class=\"n\">");
    put(p, "1 in ");
    put_plain_count(p, (uint64_t)(1 / p->model->prior + 0.5));
    put(p, "</td></tr>\n</tbody>\n");
    for (unsigned i = 0; i < p->model->spec.count; i++) {
        const struct kin_model_comparison *c = &p->model->spec.comparisons[i];
        put(p, "<tbody>\n");
        for (unsigned l = 1; l <= c->level_count; l++) {
            put(p, l == 1 ? "<tr class=\"first\">" : "<tr>");
            if (l == 1)
                comparison_name(p, c);
            cell_text(p, c->level_text[l]);
            weight_cell(p, weight_of(p, i, l), most);
            double odds = p->model->u[i][l] > 0 ? p->model->m[i][l] / p->model->u[i][l] : 0;
            put(p, "<td class=\"n\">");
            put_odds(p, odds);
            put(p, "</td></tr>\n");
        }
        put(p, "</tbody>\n");
    }
    put(p, "</table></div>\n<p class=\"note\">Odds are m/u before damping. The prior is the share "
           "of matches among all pairs of records.</p>\n");
}

static void mu_cell(struct page *p, const char *class, double share)
{
    struct bar_part part = {class, 0, share};
    cell_bar(p, &part, share > 0 ? 1 : 0);
    put(p, "<td class=\"n\">");
    if (share > 0 && share < 0.0001)
        kin_buf_printf(p->out, "%.6f", share);
    else
        kin_buf_printf(p->out, "%.4f", share);
    put(p, "</td>");
}

static const char *seen_text(bool m, bool u)
{
    return m && u ? "" : m ? "not among others" : u ? "not among matches" : "nowhere";
}

static void mu_chart(struct page *p)
{
    put(p, "<h3>m and u</h3>\n<p class=\"note\">How often a level occurs among matches (m) and "
           "among pairs that do not match (u). A comparison says much where the two differ.</p>\n"
           "<div class=\"scroll\"><table id=\"mu\"><thead><tr>");
    head_cell(p, "comparison", false);
    head_cell(p, "level", false);
    head_cell(p, "among matches", false);
    head_cell(p, "m", true);
    head_cell(p, "among others", false);
    head_cell(p, "u", true);
    head_cell(p, "not observed", false);
    put(p, "</tr></thead>\n");
    for (unsigned i = 0; i < p->model->spec.count; i++) {
        const struct kin_model_comparison *c = &p->model->spec.comparisons[i];
        put(p, "<tbody>\n");
        for (unsigned l = 1; l <= c->level_count; l++) {
            put(p, l == 1 ? "<tr class=\"first\">" : "<tr>");
            if (l == 1)
                comparison_name(p, c);
            cell_text(p, c->level_text[l]);
            mu_cell(p, "for", p->model->m[i][l]);
            mu_cell(p, "against", p->model->u[i][l]);
            kin_buf_printf(p->out, "<td>%s</td></tr>\n",
                           seen_text(p->model->m_seen[i][l], p->model->u_seen[i][l]));
        }
        put(p, "</tbody>\n");
    }
    put(p, "</table></div>\n");
}

void section_model(struct page *p)
{
    if (!p->model)
        return;
    section_begin(p, "model", "The model",
                  "What was learnt of each comparison. The weight of a pair is the prior and what "
                  "each comparison adds.");
    weights_chart(p);
    mu_chart(p);
    section_end(p);
}

void section_doubts(struct page *p)
{
    if (!p->model)
        return;
    section_begin(p, "doubts", "Doubts of the training",
                  p->model->doubt_count ? "What the training could not be sure of. The "
                                          "documentation of the model says what to do about each."
                                        : "The training had none.");
    if (p->model->doubt_count) {
        put(p, "<ul class=\"doubts\">\n");
        for (size_t d = 0; d < p->model->doubt_count; d++) {
            put(p, "<li><code>");
            put_text(p, p->model->doubts[d].id);
            put(p, "</code>");
            put_long_text(p, p->model->doubts[d].text);
            put(p, "</li>\n");
        }
        put(p, "</ul>\n");
    }
    section_end(p);
}
