/* What the training could not be sure of, in plain words. docs/model.md lists the sentences. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/match/exact_math.h"
#include "common/match/train_impl.h"

enum { FEW_MATCHES = 50, FEW_LABELS = 100, NAMES_MAX = 6 };
#define THRESHOLD 0.95 /* where none is given */

struct doubts {
    const struct train *t;
    const struct kin_train_report *report;
    const struct kin_model *model;
    struct kin_model_doubt list[KIN_MODEL_DOUBTS_MAX];
    size_t n;
    uint32_t not_learnt; /* comparisons */
    bool failed;         /* out of memory */
};

/* Texts hold names of any length: cut between characters. */
static char *bounded(struct kin_arena *arena, struct kin_buf *text)
{
    size_t n = text->n;
    if (n > KIN_MODEL_TEXT_MAX) {
        n = KIN_MODEL_TEXT_MAX;
        while (n > 0 && (text->p[n] & 0xc0) == 0x80)
            n--;
    }
    return text->failed ? NULL : kin_arena_strndup(arena, (const char *)text->p, n);
}

KIN_PRINTF(3, 4)
static void doubt(struct doubts *d, const char *id, const char *format, ...)
{
    struct kin_buf text = {0};
    char stack[KIN_MODEL_TEXT_MAX * 2];
    va_list args;
    if (d->n == KIN_MODEL_DOUBTS_MAX)
        return;
    va_start(args, format);
    vsnprintf(stack, sizeof stack, format, args);
    va_end(args);
    kin_buf_puts(&text, stack);
    char *copy = bounded(d->t->arena, &text);
    kin_buf_deinit(&text);
    if (copy)
        d->list[d->n++] = (struct kin_model_doubt){id, copy};
    else
        d->failed = true;
}

static const char *name_of(const struct doubts *d, unsigned i)
{
    return d->t->input->spec->comparisons[i].name;
}

static const char *pass_name(const struct doubts *d, unsigned p)
{
    return d->t->random_is_pass ? "random pairs" : d->t->input->passes[p].name;
}

static unsigned percent(double share)
{
    return (unsigned)(share * 100 + 0.5);
}

/* "a, b and 3 more" */
static const char *names_of(struct doubts *d, uint32_t mask)
{
    struct kin_buf text = {0};
    unsigned n = 0, total = (unsigned)__builtin_popcount(mask);
    for (unsigned i = 0; i < d->t->count && n < NAMES_MAX; i++) {
        if (mask >> i & 1)
            kin_buf_printf(&text, "%s%s", n++ ? ", " : "", name_of(d, i));
    }
    if (total == 0)
        kin_buf_puts(&text, "nothing in particular");
    else if (total > n)
        kin_buf_printf(&text, " and %u more", total - n);
    char *copy = bounded(d->t->arena, &text);
    kin_buf_deinit(&text);
    d->failed |= !copy;
    return copy ? copy : "";
}

/* ---- how many matches ---- */

static void doubt_matches(struct doubts *d)
{
    const struct train *t = d->t;
    const struct kin_train_report *r = d->report;
    double seen = t->labelled ? t->matches.total : r->found;
    if (t->labelled && t->matches.total < FEW_LABELS)
        doubt(d, "few-labels", "Only %.0f labelled matches: m is rough.", t->matches.total);
    if (t->labelled && t->others.n == 0)
        doubt(d, "no-other-labels",
              "No labelled pairs that do not match: comparisons that say the "
              "same could not be recognised.");
    if (seen < 0.5)
        doubt(d, "no-matches",
              "No matches were found. Either there are none, or nothing sets them "
              "apart; m is assumed, not learnt.");
    else if (seen < FEW_MATCHES && !t->labelled)
        doubt(d, "few-matches", "Only about %.0f matches were found: m and the weights are rough.",
              seen);
    if (t->pass_count == 0 && !t->input->all_matches_labelled)
        doubt(d, "prior-assumed",
              "How many matches there are is not known: it was assumed that "
              "every fifth record has one. Probabilities may be off.");
    if (t->prior > 0.3)
        doubt(d, "mostly-matches",
              "About %u %% of all possible pairs seem to match: hardly "
              "anything shows how pairs look that do not.",
              percent(t->prior));
}

static void doubt_recall(struct doubts *d)
{
    const struct train *t = d->t;
    const struct kin_train_report *r = d->report;
    if (t->beyond > (double)t->input->most_matches + 0.5)
        doubt(d, "more-than-possible",
              "%.0f matches were estimated, but sources without duplicates (clean_sources) leave "
              "room for %.0f: pairs that are alike were taken for matches, or a source has "
              "duplicates.",
              t->beyond, (double)t->input->most_matches);
    if (t->input->pass_count == 0 || r->found < 0.5)
        return;
    if (!t->overlap_known) {
        doubt(d, "recall-unknown", "How many matches the keys miss is not known: %s.",
              t->input->pass_count == 1 ? "that takes a second key"
                                        : "no counts say what several keys find together");
        return;
    }
    if (r->recall < 0.8)
        doubt(d, "recall-low",
              "The keys seem to find only %u %% of the matches: about %.0f of "
              "%.0f (%.0f to %.0f). A further key would find more.",
              percent(r->recall), r->found, r->matches, r->matches_low, r->matches_high);
    if (r->matches_high > 1.3 * r->matches_low)
        doubt(d, "recall-vague",
              "How many matches there are can only be said roughly: %.0f to "
              "%.0f.",
              r->matches_low, r->matches_high);
}

/* Before term frequencies, which may lift a pair of rare values. */
static void doubt_threshold(struct doubts *d)
{
    const struct train *t = d->t;
    struct kin_model_tables tables;
    double above = 0, threshold = t->input->threshold > 0 ? t->input->threshold : THRESHOLD;
    int32_t floor = kin_probability_weight(threshold), most = INT32_MIN;
    kin_model_tables(d->model, &tables);
    for (size_t k = 0; k < t->set_count; k++) {
        int32_t weight = kin_model_weight(&tables, t->sets[k].pattern);
        most = weight > most ? weight : most;
        above += weight >= floor ? t->sets[k].count : 0;
    }
    if (t->set_count > 0 && !(above > 0))
        doubt(d, "matches-nothing",
              "No pair that the keys find reaches the threshold of %g; the most likely one has "
              "probability %.3g.",
              threshold, kin_weight_probability(most));
}

/* ---- passes ---- */

static void doubt_pass(struct doubts *d, unsigned p)
{
    const struct train *t = d->t;
    const struct train_pass *pass = &t->passes[p];
    const struct kin_train_pass_report *r = &d->report->passes[p];
    const char *name = pass_name(d, p);
    if (!(r->pairs > 0)) {
        doubt(d, "pass-empty", "%s: finds no pairs.", name);
        return;
    }
    if (pass->classes == 0) {
        doubt(d, "pass-not-used",
              "%s: its key forces every comparison to agree, so that nothing "
              "can be learnt from it.",
              name);
        return;
    }
    if (pass->distrusted)
        doubt(
            d, "passes-disagree",
            "%s: its key leaves too little free. Of the pairs that other keys find, too, it takes "
            "about %.0f for matches, they about %.0f: nothing was learnt from it.",
            name, pass->mine, pass->theirs);
    if (!pass->converged)
        doubt(d, "pass-not-converged", "%s: the estimate was still moving when it was stopped.",
              name);
    if (r->matches < 0.5)
        doubt(d, "pass-without-matches", "%s: finds no matches in %.0f pairs.", name, r->pairs);
    if (r->related * r->pairs >= 10 && r->related >= 0.02)
        doubt(d, "related-pairs",
              "%s: %u %% of its pairs are alike but were not taken for matches: they agree in %s, "
              "and differ in %s.",
              name, percent(r->related), names_of(d, r->related_agree),
              names_of(d, r->related_differ));
    if (r->unsure * r->pairs >= 10 && r->unsure >= 0.02)
        doubt(d, "could-be-either",
              "%s: %u %% of its pairs could be matches or not; their probabilities are in the "
              "middle. Labels would decide.",
              name, percent(r->unsure));
}

static double squared(double x)
{
    return x * x;
}

/* What one pass says of exact agreement against what the others say. */
static void doubt_agreement(struct doubts *d, unsigned p, unsigned i)
{
    const struct train *t = d->t;
    const struct kin_train_pass_report *r = &d->report->passes[p];
    double here = r->evidence[i], rest = 0, equal = 0;
    for (unsigned q = 0; q < t->pass_count; q++) {
        const struct kin_train_pass_report *other = &d->report->passes[q];
        rest += q != p ? other->evidence[i] : 0;
        equal += q != p ? other->evidence[i] * other->m[i][1] : 0;
    }
    if (here < 20 || rest < 20)
        return;
    double others = equal / rest, off = r->m[i][1] - others;
    double mean = (equal + here * r->m[i][1]) / (here + rest);
    double variance = mean * (1 - mean) * (1 / here + 1 / rest);
    if (squared(off) > squared(0.1) && squared(off) > 16 * variance)
        doubt(d, "passes-disagree",
              "%s: of its matches %u %% agree exactly in %s, of those of the other passes %u %%.",
              pass_name(d, p), percent(r->m[i][1]), name_of(d, i), percent(others));
}

/* ---- comparisons ---- */

static void doubt_levels(struct doubts *d, unsigned i)
{
    const struct kin_model *m = d->model;
    const struct kin_model_comparison *c = &m->spec.comparisons[i];
    for (unsigned l = 1; l <= c->level_count; l++) {
        if (m->m_seen[i][l] && m->u_seen[i][l])
            continue;
        doubt(d, "level-not-seen",
              "%s: the level '%s' was never observed among %s; it counts as half a pair.", c->name,
              c->level_text[l],
              m->m_seen[i][l]   ? "pairs that do not match"
              : m->u_seen[i][l] ? "matches"
                                : "matches, nor among other pairs");
    }
}

static bool says_nothing(const struct doubts *d, unsigned i)
{
    const struct kin_model *m = d->model;
    for (unsigned l = 1; l <= m->spec.comparisons[i].level_count; l++) {
        if (m->m[i][l] > 1.41 * m->u[i][l] || m->u[i][l] > 1.41 * m->m[i][l])
            return false;
    }
    return true;
}

static void doubt_comparison(struct doubts *d, unsigned i)
{
    const struct train *t = d->t;
    double learnt = 0, damping = t->damping[i][0], against = t->damping[i][1];
    for (unsigned l = 1; l <= t->levels[i]; l++)
        learnt += t->m_pairs[i][l];
    if (!(t->known >> i & 1)) {
        doubt(d, "comparison-empty",
              "%s: no two records of the sample both have a value; it has no weight.",
              name_of(d, i));
        return;
    }
    if (learnt < 1)
        d->not_learnt |= 1u << i;
    else
        doubt_levels(d, i);
    if (t->pooled >> i & 1)
        doubt(d, "levels-reordered",
              "%s: a weaker level looked stronger than one above it; they were given one weight.",
              name_of(d, i));
    if (learnt >= 1 && says_nothing(d, i))
        doubt(d, "says-nothing", "%s: matches agree in it as other pairs do; it says nothing.",
              name_of(d, i));
    if (damping < 0.9 || against < 0.9)
        doubt(d, "damped",
              "%s: says in part what other comparisons say, too; %u %% of its weight counts where "
              "it speaks for a match, %u %% where it speaks against.",
              name_of(d, i), percent(damping), percent(against));
}

static void doubt_correlated(struct doubts *d)
{
    for (unsigned k = 0; k < d->report->correlated_count; k++) {
        const struct kin_train_correlated *c = &d->report->correlated[k];
        if (c->among_matches)
            doubt(d, "errors-together",
                  "%s and %s: in matches they tend to differ together (%u %% of the possible).",
                  name_of(d, c->a), name_of(d, c->b), percent(c->strength));
        else
            doubt(d, "agree-together",
                  "%s and %s: in pairs that do not match they tend to agree together (%u %% of the "
                  "possible).",
                  name_of(d, c->a), name_of(d, c->b), percent(c->strength));
    }
}

static void doubt_random(struct doubts *d)
{
    const struct train *t = d->t;
    double matches = 0, expected = t->prior * t->random.total;
    if (t->random_borrowed) {
        doubt(d, "no-random-pairs",
              t->random.n ? "There are no random pairs: u comes from labelled pairs, which are "
                            "rarely typical."
                          : "There are no random pairs: u is not known, and no comparison has "
                            "weight.");
        return;
    }
    for (size_t k = 0; k < t->random.n; k++)
        matches += t->random.counts[k] * train_independent_posterior(t, t->random.patterns[k]);
    if (t->random.total < 1000)
        doubt(d, "few-random-pairs", "Only %.0f random pairs: u is rough.", t->random.total);
    if ((matches > 3 * expected && matches > 20) || (expected > 3 * matches && expected > 20))
        doubt(d, "prior-disagrees",
              "Among the random pairs there seem to be %.0f matches, where the passes let expect "
              "%.0f.",
              matches, expected);
}

kin_status train_doubts(const struct train *t, const struct kin_train_report *report,
                        struct kin_model *model)
{
    struct doubts *d = kin_arena_calloc(t->arena, 1, sizeof *d);
    if (!d)
        return kin_err_set(t->err, KIN_E_NOMEM, "no memory to train the model");
    d->t = t;
    d->report = report;
    d->model = model;
    doubt_matches(d);
    doubt_recall(d);
    doubt_threshold(d);
    doubt_random(d);
    for (unsigned p = 0; p < t->pass_count; p++)
        doubt_pass(d, p);
    for (unsigned p = 0; p < t->pass_count && !t->labelled; p++) {
        for (unsigned i = 0; i < t->count; i++)
            doubt_agreement(d, p, i);
    }
    for (unsigned i = 0; i < t->count; i++)
        doubt_comparison(d, i);
    if (d->not_learnt)
        doubt(d, "not-learnt",
              "%s: no pass shows how often matches agree in it, as keys force it or there are no "
              "matches with values; what is usual was assumed.",
              names_of(d, d->not_learnt));
    doubt_correlated(d);
    model->doubts = d->list;
    model->doubt_count = d->n;
    return d->failed ? kin_err_set(t->err, KIN_E_NOMEM, "no memory to train the model") : KIN_OK;
}
