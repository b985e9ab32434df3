/* What there is to report of a training, and its text. */
#include <stdio.h>
#include <string.h>

#include "common/match/exact_math.h"
#include "common/match/train_impl.h"

#define WORTH_REPORTING 0.3 /* dependence */

/* ---- passes ---- */

static void report_m(const struct train *t, const struct train_pass *pass,
                     struct kin_train_pass_report *out)
{
    for (unsigned i = 0; i < t->count; i++) {
        double n[KIN_EM_LEVELS] = {0}, sum = 0;
        for (unsigned l = 1; l <= t->levels[i] && (pass->active >> i & 1); l++) {
            for (unsigned c = 1; c < pass->classes; c++)
                n[l] += pass->match[c] * pass->expected.n[i][l][c];
            sum += n[l];
        }
        out->evidence[i] = sum;
        for (unsigned l = 1; l <= t->levels[i]; l++)
            out->m[i][l] = sum > 0 ? n[l] / sum : 0;
    }
}

/* Pairs that are alike and no matches: the largest such class gives what they agree in. */
static void report_related(const struct train *t, const struct train_pass *pass,
                           struct kin_train_pass_report *out)
{
    double largest = 0;
    for (unsigned c = 1; c < pass->classes; c++) {
        double share = pass->params.share[c] * (1 - pass->match[c]);
        out->related += share;
        if (pass->match[c] > 0.05 && pass->match[c] < 0.95)
            out->unsure += pass->params.share[c];
        if (!(share > largest))
            continue;
        largest = share;
        out->related_agree = out->related_differ = 0;
        for (unsigned i = 0; i < t->count; i++) {
            unsigned last = t->levels[i];
            double agree = 1 - pass->params.p[i][last][c], random = 1 - t->u[i][last];
            if (pass->active >> i & 1) {
                out->related_agree |= (uint32_t)(agree > 0.5 && agree > random + 0.25) << i;
                out->related_differ |= (uint32_t)(agree < 0.5) << i;
            }
        }
    }
}

static void report_pass(const struct train *t, unsigned p, struct kin_train_pass_report *out)
{
    const struct train_pass *pass = &t->passes[p];
    out->pairs = pass->all.total;
    out->matches = train_pass_matches(pass);
    out->share = out->pairs > 0 ? out->matches / pass->scale / out->pairs : 0;
    out->starts = pass->starts;
    out->steps = pass->steps;
    out->classes = pass->classes;
    out->converged = pass->converged;
    out->learnt = !t->labelled && !pass->distrusted && out->matches >= 0.5;
    out->recall = -1;
    if (t->overlap_known && t->estimated >= 0.5) {
        out->recall = out->matches / t->estimated;
        out->recall = out->recall < 1 ? out->recall : 1;
    }
    report_m(t, pass, out);
    report_related(t, pass, out);
}

/* ---- correlation ---- */

/* [i][j][a + 2 b]: pairs in which i is in state a and j in state b: 1 agrees (or, among matches,
 * differs: errors that come together) */
struct tables {
    double n[KIN_COMPARISONS_MAX][KIN_COMPARISONS_MAX][4];
};

static void count_states(const struct train *t, uint64_t pattern, uint32_t comparisons,
                         bool differs, double pairs, struct tables *out)
{
    for (unsigned i = 1; i < t->count; i++) {
        unsigned a = kin_pattern_level(pattern, i);
        if (a == 0 || !(comparisons >> i & 1))
            continue;
        for (unsigned j = 0; j < i; j++) {
            unsigned b = kin_pattern_level(pattern, j);
            if (b != 0 && (comparisons >> j & 1))
                out->n[i][j][((a < t->levels[i]) != differs) +
                             2 * ((b < t->levels[j]) != differs)] += pairs;
        }
    }
}

static void add_correlated(struct kin_train_report *report, struct kin_train_correlated found)
{
    unsigned at = report->correlated_count;
    while (at > 0 && report->correlated[at - 1].strength < found.strength)
        at--;
    if (at == KIN_TRAIN_CORRELATED_MAX)
        return;
    if (report->correlated_count < KIN_TRAIN_CORRELATED_MAX)
        report->correlated_count++;
    memmove(&report->correlated[at + 1], &report->correlated[at],
            (report->correlated_count - 1 - at) * sizeof found);
    report->correlated[at] = found;
}

/* Inside the passes: of matches what differs together, of the others what agrees together. Among
 * random pairs the latter is known already. */
static void report_correlated(const struct train *t, struct tables *matches, struct tables *others,
                              struct kin_train_report *report)
{
    for (unsigned p = 0; p < t->pass_count; p++) {
        const struct train_pass *pass = &t->passes[p];
        for (size_t k = 0; k < pass->all.n && pass->classes; k++) {
            double match = train_posterior(t, pass, pass->all.patterns[k]);
            double pairs = pass->all.counts[k];
            count_states(t, pass->all.patterns[k], pass->active, true, pairs * match, matches);
            count_states(t, pass->all.patterns[k], pass->active, false, pairs * (1 - match),
                         others);
        }
    }
    for (unsigned i = 1; i < t->count; i++) {
        for (unsigned j = 0; j < i; j++) {
            const double *m = matches->n[i][j], *o = others->n[i][j];
            double among_matches =
                train_dependence(m[3], m[1] + m[3], m[2] + m[3], m[0] + m[1] + m[2] + m[3]);
            double among_others =
                train_dependence(o[3], o[1] + o[3], o[2] + o[3], o[0] + o[1] + o[2] + o[3]);
            if (t->dependence[i][j] > among_others)
                among_others = t->dependence[i][j];
            if (among_matches >= WORTH_REPORTING)
                add_correlated(report, (struct kin_train_correlated){j, i, true, among_matches});
            if (among_others >= WORTH_REPORTING)
                add_correlated(report, (struct kin_train_correlated){j, i, false, among_others});
        }
    }
}

kin_status train_report(const struct train *t, struct kin_train_report *report)
{
    struct tables *tables = kin_arena_calloc(t->arena, 2, sizeof *tables);
    if (!tables)
        return kin_err_set(t->err, KIN_E_NOMEM, "no memory to train the model");
    report->rounds = TRAIN_ROUNDS;
    report->found = t->found;
    report->matches = t->estimated;
    report->matches_low = t->low;
    report->matches_high = t->high;
    report->recall = -1;
    if (t->overlap_known && t->estimated >= 0.5)
        report->recall = t->found < t->estimated ? t->found / t->estimated : 1;
    for (unsigned p = 0; p < t->pass_count; p++)
        report_pass(t, p, &report->passes[p]);
    report_correlated(t, &tables[0], &tables[1], report);
    return KIN_OK;
}

/* ---- text ---- */

static void put_percent(struct kin_buf *out, double share)
{
    unsigned tenths = (unsigned)(share * 1000 + 0.5);
    kin_buf_printf(out, "%3u.%u %%", tenths / 10, tenths % 10);
}

static void print_passes(const struct kin_model *model, const struct kin_train_report *report,
                         struct kin_buf *out)
{
    const struct kin_model_origin *o = &model->origin;
    kin_buf_puts(out, "\nblocking passes\n       pairs     matches  matches of   finds of  steps\n"
                      "                          the pairs  all matches\n");
    for (unsigned p = 0; p < o->pass_count; p++) {
        const struct kin_train_pass_report *r = &report->passes[p];
        kin_buf_printf(out, "%12llu%12llu     ", (unsigned long long)o->passes[p].pairs,
                       (unsigned long long)o->passes[p].matches);
        put_percent(out, r->share);
        kin_buf_puts(out, "     ");
        if (r->recall >= 0)
            put_percent(out, r->recall);
        else
            kin_buf_puts(out, "unknown");
        kin_buf_printf(out, "%7u  %s%s\n", r->steps, o->passes[p].name,
                       r->converged || r->classes == 0 ? "" : " (did not converge)");
    }
}

static void print_levels(const struct kin_model *model, struct kin_buf *out)
{
    struct kin_model_tables tables;
    kin_model_tables(model, &tables);
    kin_buf_puts(out, "\nweights, in bits\n");
    for (unsigned i = 0; i < model->spec.count; i++) {
        const struct kin_model_comparison *c = &model->spec.comparisons[i];
        for (unsigned l = 1; l <= c->level_count; l++) {
            char shown[16];
            int tenths = tables.weight[i][l] * 10 / KIN_WEIGHT_ONE;
            int size = tenths < 0 ? -tenths : tenths;
            snprintf(shown, sizeof shown, "%c%d.%d", tenths < 0 ? '-' : '+', size / 10, size % 10);
            kin_buf_printf(out, "%8s  %s: %s  (m ", shown, c->name, c->level_text[l]);
            kin_math_print6(out, model->m[i][l]);
            kin_buf_puts(out, ", u ");
            kin_math_print6(out, model->u[i][l]);
            kin_buf_puts(out, ")\n");
        }
    }
}

void kin_train_print(const struct kin_model *model, const struct kin_train_report *report,
                     struct kin_buf *out)
{
    const struct kin_model_origin *o = &model->origin;
    kin_buf_printf(out, "records %llu, possible pairs %llu, random pairs %llu\n",
                   (unsigned long long)o->records, (unsigned long long)o->possible_pairs,
                   (unsigned long long)o->random_pairs);
    if (o->labelled_matches) {
        kin_buf_printf(out, "labels: %llu pairs that match, %llu that do not\n",
                       (unsigned long long)o->labelled_matches,
                       (unsigned long long)o->labelled_others);
        kin_buf_printf(out, "matches: about %llu in all", (unsigned long long)o->matches);
    } else {
        kin_buf_printf(out, "matches: the keys find %llu", (unsigned long long)o->found);
    }
    if (report->recall >= 0) {
        kin_buf_printf(out, " of about %llu (%llu to %llu), ", (unsigned long long)o->matches,
                       (unsigned long long)o->matches_low, (unsigned long long)o->matches_high);
        put_percent(out, report->recall);
    }
    kin_buf_puts(out, "\nprior: two random records match with probability ");
    kin_math_print6(out, model->prior);
    kin_buf_putc(out, '\n');
    if (o->pass_count > 0)
        print_passes(model, report, out);
    print_levels(model, out);
    kin_buf_puts(out, model->doubt_count ? "\ndoubts\n" : "\nno doubts\n");
    for (size_t d = 0; d < model->doubt_count; d++)
        kin_buf_printf(out, "  %s: %s\n", model->doubts[d].id, model->doubts[d].text);
}
