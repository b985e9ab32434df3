#include "common/match/train_em.h"

#include <string.h>

#include "common/match/exact_math.h"

/* Shares and probabilities never reach zero: a pattern always has some probability, and 15 levels
 * of 1e-15 times a share of 1e-12 are far from underflow. */
#define SHARE_MIN 1e-12
#define LEVEL_MIN KIN_MODEL_PROBABILITY_MIN

/* A null takes part as probability 1, so that nothing branches. */
static inline double joint_of(const struct kin_em_params *params, unsigned comparisons,
                              uint64_t pattern, double joint[KIN_EM_CLASSES])
{
    for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
        joint[c] = params->share[c];
    for (unsigned i = 0; i < comparisons; i++) {
        const double *p = params->p[i][kin_pattern_level(pattern, i)];
        for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
            joint[c] *= p[c];
    }
    return (joint[0] + joint[1]) + (joint[2] + joint[3]);
}

double kin_em_joint(const struct kin_em_params *params, uint32_t active, unsigned comparisons,
                    uint64_t pattern, double joint[KIN_EM_CLASSES])
{
    for (unsigned i = 0; i < comparisons; i++) {
        if (!(active >> i & 1))
            pattern = kin_pattern_with(pattern, i, 0);
    }
    return joint_of(params, comparisons, pattern, joint);
}

void kin_em_expect(const struct kin_em_data *data, const struct kin_em_params *params,
                   struct kin_em_expected *out)
{
    memset(out, 0, sizeof *out);
    for (size_t k = 0; k < data->count; k++) {
        uint64_t pattern = data->patterns[k];
        double joint[KIN_EM_CLASSES];
        double each = data->counts[k] / joint_of(params, data->comparisons, pattern, joint);
        for (unsigned c = 0; c < KIN_EM_CLASSES; c++) {
            joint[c] *= each;
            out->pairs[c] += joint[c];
        }
        for (unsigned i = 0; i < data->comparisons; i++) {
            double *n = out->n[i][kin_pattern_level(pattern, i)];
            for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
                n[c] += joint[c];
        }
    }
}

double kin_em_log2_likelihood(const struct kin_em_data *data, const struct kin_em_params *params)
{
    double sum = 0, joint[KIN_EM_CLASSES];
    for (size_t k = 0; k < data->count; k++)
        sum += data->counts[k] *
               kin_math_log2(joint_of(params, data->comparisons, data->patterns[k], joint));
    return sum;
}

static void believe_agreement(const struct kin_em_pseudo *pseudo, unsigned i, unsigned c,
                              double n[KIN_EM_LEVELS])
{
    double agree = 0, pairs = 0, weight = pseudo->weight[c];
    for (unsigned l = 1; l <= pseudo->last[i]; l++) {
        agree += l < pseudo->last[i] ? n[l] : 0;
        pairs += n[l];
    }
    for (unsigned l = 1; l < pseudo->last[i] && agree > 0; l++)
        n[l] += weight * pairs * pseudo->agree[i][c] * (n[l] / agree);
    n[pseudo->last[i]] += weight * pairs * (1 - pseudo->agree[i][c]);
}

static void maximise_levels(const struct kin_em_expected *expected,
                            const struct kin_em_pseudo *pseudo, unsigned i, unsigned c,
                            struct kin_em_params *params)
{
    double sum = 0, n[KIN_EM_LEVELS];
    for (unsigned l = 1; l < KIN_EM_LEVELS; l++)
        n[l] = expected->n[i][l][c] + (pseudo ? pseudo->n[i][l][c] : 0.0);
    if (pseudo && pseudo->weight[c] > 0 && pseudo->agree[i][c] >= 0)
        believe_agreement(pseudo, i, c, n);
    for (unsigned l = 1; l < KIN_EM_LEVELS; l++)
        sum += n[l];
    if (!(sum > 0)) /* nothing but nulls: what was believed stays */
        return;
    for (unsigned l = 1; l < KIN_EM_LEVELS; l++) {
        double p = n[l] / sum;
        params->p[i][l][c] = p > LEVEL_MIN ? p : LEVEL_MIN;
    }
}

void kin_em_maximise(const struct kin_em_data *data, const struct kin_em_expected *expected,
                     const struct kin_em_pseudo *pseudo, unsigned fixed,
                     struct kin_em_params *params)
{
    for (unsigned c = 0; c < KIN_EM_CLASSES; c++) {
        if (!(params->share[c] > 0))
            continue;
        double share = expected->pairs[c] / data->total;
        params->share[c] = share > SHARE_MIN ? share : SHARE_MIN;
        uint32_t moving = fixed >> c & 1 ? data->active & data->learnt : data->active;
        for (unsigned i = 0; i < data->comparisons; i++) {
            if (moving >> i & 1)
                maximise_levels(expected, pseudo, i, c, params);
        }
    }
}

static double largest_move(const struct kin_em_data *data, const struct kin_em_params *a,
                           const struct kin_em_params *b)
{
    double most = 0;
    for (unsigned c = 0; c < KIN_EM_CLASSES; c++) {
        /* a share may be of a few pairs among millions: what counts is the number of pairs */
        double move = (a->share[c] - b->share[c]) / (b->share[c] + 1.0 / data->total);
        most = move > most ? move : -move > most ? -move : most;
    }
    for (unsigned i = 0; i < data->comparisons; i++) {
        if (!(data->active >> i & 1))
            continue;
        for (unsigned l = 1; l < KIN_EM_LEVELS; l++) {
            for (unsigned c = 0; c < KIN_EM_CLASSES; c++) {
                double move = a->p[i][l][c] - b->p[i][l][c];
                most = move > most ? move : -move > most ? -move : most;
            }
        }
    }
    return most;
}

unsigned kin_em_run(const struct kin_em_data *data, const struct kin_em_pseudo *pseudo,
                    unsigned fixed, double tolerance, unsigned max_steps,
                    struct kin_em_params *params, struct kin_em_expected *expected)
{
    unsigned steps = 0;
    double move = 1;
    while (steps < max_steps && move > tolerance) {
        struct kin_em_params before = *params;
        kin_em_expect(data, params, expected);
        kin_em_maximise(data, expected, pseudo, fixed, params);
        move = largest_move(data, params, &before);
        steps++;
    }
    kin_em_expect(data, params, expected);
    return move > tolerance ? max_steps + 1 : steps;
}
