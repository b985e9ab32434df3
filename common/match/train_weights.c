/* From classes to weights: m over all passes, levels in order, correlated comparisons damped. */
#include <string.h>

#include "common/match/exact_math.h"
#include "common/match/train_impl.h"

static void add_levels(struct train *t, const struct train_counts *counts)
{
    for (size_t k = 0; k < counts->n; k++) {
        for (unsigned i = 0; i < t->count; i++)
            t->m_pairs[i][kin_pattern_level(counts->patterns[k], i)] += counts->counts[k];
    }
}

static void add_pass(struct train *t, const struct train_pass *pass)
{
    for (unsigned i = 0; i < t->count; i++) {
        for (unsigned l = 0; l <= t->levels[i] && (pass->active >> i & 1); l++) {
            for (unsigned c = 1; c < pass->classes; c++)
                t->m_pairs[i][l] += pass->match[c] * pass->expected.n[i][l][c];
        }
    }
}

/* The matches of all passes together: a pass has the weight of its expected matches, and none
 * where its key forces a comparison to agree. */
void train_m(struct train *t)
{
    memset(t->m_pairs, 0, sizeof t->m_pairs);
    if (t->labelled)
        add_levels(t, &t->matches);
    for (unsigned p = 0; !t->labelled && p < t->pass_count; p++) {
        if (train_pass_counts(&t->passes[p]))
            add_pass(t, &t->passes[p]);
    }
    for (unsigned i = 0; i < t->count; i++) {
        double start[KIN_EM_LEVELS], sum = 0, seen = 0;
        train_start_m(t, i, start);
        for (unsigned l = 1; l <= t->levels[i]; l++)
            seen += t->m_pairs[i][l];
        for (unsigned l = 1; l <= t->levels[i]; l++) {
            double n = t->m_pairs[i][l] > 0.5 ? t->m_pairs[i][l] : 0.5;
            t->m[i][l] = seen >= 1 ? n : start[l];
            sum += t->m[i][l];
        }
        for (unsigned l = 1; l <= t->levels[i]; l++)
            t->m[i][l] /= sum;
        /* two matches' worth of doubt: a few empty pairs do not make a field one that is empty */
        t->filled[i] = (seen + 2) / (seen + t->m_pairs[i][0] + 2);
    }
}

/* Isotonic regression of m/u over the levels by pooling adjacent violators (Ayer et al. 1955): a
 * stronger level never weighs less. Pooled levels share the ratio of their sums; as m and u both
 * add up to 1, the first level then cannot weigh below zero, nor the last above. */
void train_monotone(struct train *t)
{
    for (unsigned i = 0; i < t->count; i++) {
        double m[KIN_EM_LEVELS], u[KIN_EM_LEVELS];
        unsigned first[KIN_EM_LEVELS], blocks = 0; /* block b: levels first[b] .. first[b+1] - 1 */
        for (unsigned l = 1; l <= t->levels[i]; l++) {
            first[blocks] = l;
            m[blocks] = t->m[i][l];
            u[blocks] = t->u[i][l];
            blocks++;
            while (blocks > 1 && m[blocks - 1] * u[blocks - 2] > m[blocks - 2] * u[blocks - 1]) {
                m[blocks - 2] += m[blocks - 1];
                u[blocks - 2] += u[blocks - 1];
                blocks--;
                t->pooled |= 1u << i;
            }
        }
        first[blocks] = t->levels[i] + 1;
        for (unsigned b = 0; b < blocks; b++) {
            for (unsigned l = first[b]; l < first[b + 1] && first[b + 1] > first[b] + 1; l++)
                t->m[i][l] = t->u[i][l] * (m[b] / u[b]);
        }
    }
}
