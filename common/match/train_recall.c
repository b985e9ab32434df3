/* How many matches there are: found by the passes, and missed by all of them. */
#include <string.h>

#include "common/match/exact_math.h"
#include "common/match/train_impl.h"

/* Probability that a pair matches: the mean over the passes that found it. Each pass leaves out
 * other comparisons, and none of them is right alone. */
double train_set_posterior(const struct train *t, const struct train_set *set)
{
    double sum = 0, n = 0;
    for (unsigned p = 0; p < t->pass_count; p++) {
        if (!(set->passes >> p & 1) || t->passes[p].classes == 0)
            continue;
        sum += train_posterior(t, &t->passes[p], set->pattern);
        n += 1;
    }
    return n > 0 ? sum / n : train_independent_posterior(t, set->pattern);
}

struct captures {
    double all;                        /* matches found by any pass */
    double only[KIN_MODEL_PASSES_MAX]; /* by this pass alone */
    double two;                        /* by exactly two */
};

static struct captures count_captures(const struct train *t)
{
    struct captures c = {0};
    for (size_t k = 0; k < t->set_count; k++) {
        double matches = t->sets[k].count * t->set_scale * train_set_posterior(t, &t->sets[k]);
        uint32_t passes = t->sets[k].passes;
        c.all += matches;
        if ((passes & (passes - 1)) == 0)
            c.only[__builtin_ctz(passes)] += matches;
        else if (__builtin_popcount(passes) == 2)
            c.two += matches;
    }
    return c;
}

/* Chao's lower bound for lists of different reach: as if passes were independent,
 *   missed = sum over pairs of passes (only i * only j) / (found by two + 1),
 * which for two passes is Lincoln's and Petersen's estimate. Where errors come together there are
 * more. The interval is log-normal (Chao 1987, 1989). */
static void estimate_missed(struct train *t, const struct captures *c)
{
    double single = 0, pairs = 0, variance = 0;
    for (unsigned p = 0; p < t->pass_count; p++) {
        pairs += single * c->only[p];
        single += c->only[p];
    }
    double missed = pairs / (c->two + 1);
    for (unsigned p = 0; p < t->pass_count; p++) {
        double slope = (single - c->only[p]) / (c->two + 1);
        variance += c->only[p] * slope * slope;
    }
    variance += missed * missed / (c->two + 1) + missed;
    t->estimated = c->all + missed;
    t->low = t->high = t->estimated;
    if (missed > 1e-9) {
        /* the factor is exp(1.96 sqrt(log(1 + variance / missed^2))), to base 2 */
        double spread = 0.69314718055994530942 * kin_math_log2(1 + variance / (missed * missed));
        double factor = kin_math_exp2(1.96 * train_root(spread) / 0.69314718055994530942);
        t->low = c->all + missed / factor;
        t->high = c->all + missed * factor;
    }
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

static double any_key_recall(const struct train *t)
{
    double missed = 0;
    for (uint32_t equal = 0; equal < 1u << t->count; equal++) {
        double p = 1;
        bool found = false;
        for (unsigned i = 0; i < t->count; i++) {
            double agree = t->m[i][1] * t->filled[i];
            p *= equal >> i & 1 ? agree : 1 - agree;
        }
        for (unsigned k = 0; k < t->pass_count && !found; k++) {
            uint32_t forced = t->input->passes[k].forced;
            found = forced != 0 && (forced & ~equal) == 0;
        }
        missed += found ? 0 : p;
    }
    return 1 - missed;
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
    t->found = t->estimated * any_key_recall(t);
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

void train_recall(struct train *t)
{
    double possible = (double)t->input->possible_pairs;
    if (t->set_count > 0) {
        struct captures c = count_captures(t);
        t->found = c.all;
        estimate_missed(t, &c);
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
    if (t->labelled && t->input->all_matches_labelled)
        t->estimated = t->low = t->high = t->matches.total;
    t->estimated = t->estimated < possible ? t->estimated : possible;
    t->high = t->high < possible ? t->high : possible;
    set_prior(t);
}
