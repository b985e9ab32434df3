/* How many matches there are: found by the passes, and missed by all of them. */
#include <string.h>

#include "common/match/recall.h"
#include "common/match/train_impl.h"

/* Probability that a pair matches: the mean over the passes that found it. Each pass leaves out
 * other comparisons, and none of them is right alone. */
double train_set_posterior(const struct train *t, const struct train_set *set)
{
    double sum = 0, n = 0;
    for (unsigned p = 0; p < t->pass_count; p++) {
        if (!(set->passes >> p & 1) || !train_pass_counts(&t->passes[p]))
            continue;
        sum += train_posterior(t, &t->passes[p], set->pattern);
        n += 1;
    }
    return n > 0 ? sum / n : train_independent_posterior(t, set->pattern);
}

static struct kin_captures count_captures(const struct train *t)
{
    struct kin_captures c = {0};
    for (size_t k = 0; k < t->set_count; k++) {
        double pairs = t->sets[k].count * t->set_scale;
        kin_captures_add(&c, t->sets[k].passes, pairs * train_set_posterior(t, &t->sets[k]));
    }
    return c;
}

/* Keys that share fields are not independent: with keys on (a, b), (b, c) and (a, c) one error
 * makes two of them miss. If errors in different fields are independent, this is what the passes
 * find of one match: all 2^n ways in which the fields of the keys agree or not. */
static struct kin_captures expected_captures(const struct train *t)
{
    struct kin_captures c = {0};
    uint32_t fields = 0;
    for (unsigned p = 0; p < t->pass_count; p++)
        fields |= t->input->passes[p].forced;
    fields &= (1u << t->count) - 1;
    for (uint32_t equal = fields;; equal = (equal - 1) & fields) { /* every subset */
        double probability = 1;
        uint32_t found = 0;
        for (unsigned i = 0; i < t->count; i++) {
            double agree = t->m[i][1] * t->filled[i];
            if (fields >> i & 1)
                probability *= equal >> i & 1 ? agree : 1 - agree;
        }
        for (unsigned p = 0; p < t->pass_count; p++) {
            uint32_t forced = t->input->passes[p].forced;
            found |= (uint32_t)(forced != 0 && (forced & ~equal) == 0) << p;
        }
        kin_captures_add(&c, found, probability);
        if (equal == 0)
            return c;
    }
}

/* By how much the bound is off for that reason alone. 1 if keys are not of whole values (prefixes,
 * sounds, words), which shows in that passes find other shares than expected. */
static double shared_fields(const struct train *t, const struct kin_captures *seen)
{
    struct kin_captures c = expected_captures(t);
    if (!(c.two > 1e-6) || !(seen->all > 0))
        return 1;
    for (unsigned p = 0; p < t->pass_count; p++) {
        double is = seen->by[p] / seen->all, expected = c.by[p] / c.all;
        if (is > 1.2 * expected + 0.02 || expected > 1.2 * is + 0.02)
            return 1;
    }
    double sum = c.all + kin_captures_missed(&c, t->pass_count, 0);
    return sum < 0.8 ? 0.8 : sum > 1.25 ? 1.25 : sum;
}

/* Probability that a pass finds a match, if its key compares whole values and errors in different
 * fields are independent. */
static double key_recall(const struct train *t, unsigned p)
{
    double recall = 1;
    for (unsigned i = 0; i < t->count; i++) {
        if (t->input->passes[p].forced >> i & 1)
            recall *= t->m[i][1] * t->filled[i];
    }
    return recall;
}

double train_pass_matches(const struct train_pass *pass)
{
    double matches = 0;
    for (unsigned c = 1; c < pass->classes; c++)
        matches += pass->match[c] * pass->expected.pairs[c] * pass->scale;
    return matches;
}

/* Without counts of the overlap: how many matches there must be for each pass to find as many as
 * it does. A key that no comparison stands for (forced is 0) says nothing of that. */
static void estimate_from_errors(struct train *t)
{
    double found = 0, recall = 0, most = 0;
    for (unsigned p = 0; p < t->pass_count; p++) {
        double matches = train_pass_matches(&t->passes[p]);
        most = matches > most ? matches : most;
        if (t->input->passes[p].forced != 0) {
            found += matches;
            recall += key_recall(t, p);
        }
    }
    t->estimated = recall > 0 && found / recall > most ? found / recall : most;
    t->found = t->estimated * expected_captures(t).all;
    if (t->found < most)
        t->found = most;
}

static void estimate_from_random(struct train *t)
{
    double share = t->random.total > 0 ? train_pass_matches(&t->passes[0]) / t->random.total : 0;
    t->found = t->estimated = share * (double)t->input->possible_pairs;
}

static void set_prior(struct train *t)
{
    double possible = (double)t->input->possible_pairs;
    double matches = t->estimated < 0.5 ? 0.5 : t->estimated; /* none were seen: perhaps one */
    if (possible > 0 && (t->pass_count > 0 || t->input->all_matches_labelled))
        t->prior = matches / possible;
    if (t->prior > 0.9)
        t->prior = 0.9;
    if (!(t->prior > 1e-14))
        t->prior = 1e-14;
}

/* Where sources are free of duplicates, a record has one match in each other at most. */
static void keep_possible(struct train *t)
{
    double most = (double)t->input->most_matches;
    t->beyond = most > 0 && t->estimated > most ? t->estimated : 0;
    if (!(t->beyond > 0))
        return;
    t->estimated = most;
    t->low = t->low < most ? t->low : most;
    t->high = most;
}

void train_recall(struct train *t)
{
    double possible = (double)t->input->possible_pairs;
    if (t->set_count > 0) {
        struct kin_captures c = count_captures(t);
        struct kin_recall_estimate e =
            kin_captures_estimate(&c, t->pass_count, shared_fields(t, &c));
        t->found = c.all;
        t->estimated = e.matches;
        t->low = e.low;
        t->high = e.high;
        t->overlap_known = t->pass_count > 1;
    } else {
        if (t->random_is_pass)
            estimate_from_random(t);
        else
            estimate_from_errors(t);
        t->low = t->high = t->estimated;
    }
    if (t->without & KIN_TRAIN_WITHOUT_OVERLAP)
        t->estimated = t->low = t->high = t->found;
    if (t->labelled &&
        (t->input->all_matches_labelled || t->estimated < t->matches.total)) /* at least these */
        t->estimated = t->low = t->high = t->matches.total;
    keep_possible(t);
    t->estimated = t->estimated < possible ? t->estimated : possible;
    t->high = t->high < possible ? t->high : possible;
    set_prior(t);
}
