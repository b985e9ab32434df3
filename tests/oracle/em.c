#include "tests/oracle/em.h"

#include <math.h>

static int level_at(uint64_t pattern, int comparison)
{
    for (int i = 0; i < comparison; i++)
        pattern /= 16;
    return (int)(pattern % 16);
}

static double probability(const struct em_model *m, uint64_t pattern, int c)
{
    double p = m->share[c];
    for (int i = 0; i < m->comparisons; i++) {
        int level = level_at(pattern, i);
        bool counts = level > 0 && (m->left_out & (1u << i)) == 0;
        p *= counts ? m->p[c][i][level] : 1.0;
    }
    return p;
}

static double total_probability(const struct em_model *m, uint64_t pattern)
{
    double sum = 0;
    for (int c = 0; c < m->classes; c++)
        sum += probability(m, pattern, c);
    return sum;
}

double em_responsibility(const struct em_model *model, uint64_t pattern, int c)
{
    return probability(model, pattern, c) / total_probability(model, pattern);
}

static double new_share(const struct em_model *m, const struct kin_pattern_count *counts, size_t n,
                        int c)
{
    double mine = 0, all = 0;
    for (size_t k = 0; k < n; k++) {
        mine += (double)counts[k].count * em_responsibility(m, counts[k].pattern, c);
        all += (double)counts[k].count;
    }
    return mine / all;
}

static double new_level(const struct em_model *m, const struct kin_pattern_count *counts, size_t n,
                        int c, int comparison, int level)
{
    double mine = 0, all = 0;
    for (size_t k = 0; k < n; k++) {
        int found = level_at(counts[k].pattern, comparison);
        double pairs = (double)counts[k].count * em_responsibility(m, counts[k].pattern, c);
        mine += found == level ? pairs : 0;
        all += found != 0 ? pairs : 0;
    }
    return all > 0 ? mine / all : m->p[c][comparison][level];
}

void em_step(struct em_model *model, const struct kin_pattern_count *counts, size_t n)
{
    struct em_model next = *model;
    for (int c = 0; c < model->classes; c++) {
        next.share[c] = new_share(model, counts, n, c);
        for (int i = 0; i < model->comparisons; i++) {
            bool stays = model->fixed[c] && (model->learnt & (1u << i)) == 0;
            if (stays || model->left_out & (1u << i))
                continue;
            for (int l = 1; l <= model->levels[i]; l++)
                next.p[c][i][l] = new_level(model, counts, n, c, i, l);
        }
    }
    *model = next;
}

double em_log_likelihood(const struct em_model *model, const struct kin_pattern_count *counts,
                         size_t n)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += (double)counts[k].count * log(total_probability(model, counts[k].pattern));
    return sum;
}
