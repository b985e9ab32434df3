/* u: how pairs that do not match agree. And which comparisons agree together among them. */
#include <string.h>

#include "common/match/exact_math.h"
#include "common/match/train_impl.h"

enum { U_STEPS = 3 };

static void count_others(const struct train *t, train_levels n)
{
    memset(n, 0, sizeof(train_levels));
    for (size_t k = 0; k < t->random.n; k++) {
        double other = t->random.counts[k];
        if (!(t->without & KIN_TRAIN_WITHOUT_U_CORRECTION))
            other *= 1.0 - train_independent_posterior(t, t->random.patterns[k]);
        for (unsigned i = 0; i < t->count; i++)
            n[i][kin_pattern_level(t->random.patterns[k], i)] += other;
    }
}

/* Shares of expected numbers; a level below half a pair counts as half a pair. */
static void shares(const double *n, unsigned levels, double *p)
{
    double sum = 0;
    for (unsigned l = 1; l <= levels; l++)
        sum += n[l] > 0.5 ? n[l] : 0.5;
    for (unsigned l = 1; l <= levels; l++)
        p[l] = (n[l] > 0.5 ? n[l] : 0.5) / sum;
}

/* Pairs that agree exactly and do not match, where a pass is keyed on this comparison alone and so
 * has all pairs that agree on it. Negative: no such pass, or it was not fitted yet. */
static double others_in_own_pass(const struct train *t, unsigned i)
{
    for (unsigned p = 0; p < t->pass_count; p++) {
        const struct train_pass *pass = &t->passes[p];
        if (t->random_is_pass || t->input->passes[p].forced != 1u << i || pass->classes == 0)
            continue;
        double others = 0;
        for (size_t k = 0; k < pass->all.n; k++) {
            if (kin_pattern_level(pass->all.patterns[k], i) == 1)
                others +=
                    pass->all.counts[k] * (1.0 - train_posterior(t, pass, pass->all.patterns[k]));
        }
        return others * pass->scale;
    }
    return -1;
}

/* Value frequencies know the first level of u far better than a sample does. Of the pairs with
 * equal values those that match are taken out; the other levels keep their proportions. */
static void use_frequencies(struct train *t, unsigned i)
{
    const struct kin_train_equal *e = &t->input->equal[i];
    if (e->pairs == 0 || e->equal > e->pairs)
        return;
    double equal = (double)e->equal, pairs = (double)e->pairs, others = equal;
    if (!(t->without & KIN_TRAIN_WITHOUT_U_CORRECTION)) {
        double matches = t->prior * (double)t->input->possible_pairs * t->filled[i];
        others = others_in_own_pass(t, i);
        if (others < 0 || others > equal)
            others = equal - matches * t->m[i][1];
        if (others < 0.02 * equal) /* a small difference of large numbers says no more */
            others = 0.02 * equal;
        pairs = pairs - matches > 0.5 * pairs ? pairs - matches : 0.5 * pairs;
    }
    if (others < 0.5)
        others = 0.5;
    double first = others / (pairs + 1), rest = 0;
    for (unsigned l = 2; l <= t->levels[i]; l++)
        rest += t->u[i][l];
    if (first > 0.999)
        first = 0.999;
    for (unsigned l = 2; l <= t->levels[i]; l++)
        t->u[i][l] *= (1 - first) / rest;
    t->u[i][1] = first;
    t->u_pairs[i][1] = others;
    /* a record meets 2 equal / T others with its value, T records having one: T (T - 1) / 2 pairs
     */
    double records = kin_math_root(2 * (double)e->pairs + 0.25) + 0.5;
    t->tf_matched[i] = others < equal ? 2 * (equal - others) / records : 0;
}

double train_dependence(double both, double a, double b, double n)
{
    if (!(n > 0))
        return 0;
    double expected = a * b / n, most = (a < b ? a : b) - expected, more = both - expected;
    if (both < 10 || !(most > 0) || more < 0 || more * more < 25 * (expected + 1))
        return 0;
    return more > most ? 1 : more / most;
}

static void count_dependence(struct train *t)
{
    double n[KIN_COMPARISONS_MAX][KIN_COMPARISONS_MAX][4];
    memset(n, 0, sizeof n);
    for (size_t k = 0; k < t->random.n; k++) {
        uint64_t pattern = t->random.patterns[k];
        double other = t->random.counts[k] * (1.0 - train_independent_posterior(t, pattern));
        for (unsigned i = 0; i < t->count; i++) {
            unsigned a = kin_pattern_level(pattern, i);
            for (unsigned j = 0; a != 0 && j < i; j++) {
                unsigned b = kin_pattern_level(pattern, j);
                if (b != 0)
                    n[i][j][(a < t->levels[i]) + 2 * (b < t->levels[j])] += other;
            }
        }
    }
    for (unsigned i = 0; i < t->count; i++) {
        for (unsigned j = 0; j < i; j++) {
            const double *c = n[i][j];
            t->dependence[i][j] = t->dependence[j][i] =
                train_dependence(c[3], c[1] + c[3], c[2] + c[3], c[0] + c[1] + c[2] + c[3]);
        }
    }
}

/* What the levels of a comparison say for or against a match, as long as m is not known, and how
 * far the comparison counts by itself: n comparisons that always agree together count as the root
 * of n. */
static void weigh_comparisons(struct train *t)
{
    for (unsigned i = 0; i < t->count; i++) {
        double start[KIN_EM_LEVELS], company = 1;
        train_start_m(t, i, start);
        t->telling[i] = 0;
        for (unsigned l = 1; l <= t->levels[i]; l++) {
            double bits = kin_math_log2(start[l]) - kin_math_log2(t->u[i][l]);
            t->evidence[i][l] = (bits < -8 ? -8 : bits > 8 ? 8 : bits) / 8;
            t->telling[i] += start[l] * t->evidence[i][l];
        }
        for (unsigned j = 0; j < t->count; j++)
            company += j != i ? t->dependence[i][j] : 0;
        t->alone[i] = 1 / kin_math_root(company);
    }
}

void train_u(struct train *t)
{
    for (unsigned step = 0; step < U_STEPS; step++) {
        count_others(t, t->u_pairs);
        for (unsigned i = 0; i < t->count; i++) {
            if (!(t->known >> i & 1))
                continue;
            shares(t->u_pairs[i], t->levels[i], t->u[i]);
            use_frequencies(t, i);
        }
    }
    count_dependence(t);
    weigh_comparisons(t);
}
