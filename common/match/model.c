#include "common/match/model.h"

#include <jansson.h>
#include <string.h>

#include "common/match/exact_math.h"

enum {
    PRIOR_BITS_MAX = 128,
    ODDS_BITS_MAX = 1000,
    LOG2_BITS = 24,
    SHARE_BITS = 24,
    RECORD_BITS = 16,
    RECORDS_BITS = 46
};
#define RECORDS_MAX (UINT64_C(1) << RECORDS_BITS) /* in fixed point below 2^63 */

/* ---- the shape of a model ---- */

static bool is_utf8(const char *text)
{
    json_t *s = json_string(text);
    json_decref(s);
    return s != NULL;
}

static kin_status check_text(const char *what, unsigned comparison, const char *text,
                             struct kin_err *err)
{
    size_t n = text ? strlen(text) : 0;
    if (n == 0)
        return kin_err_set(err, KIN_E_INVAL, "comparison %u: %s is empty", comparison + 1, what);
    if (n > KIN_MODEL_NAME_MAX)
        return kin_err_set(err, KIN_E_INVAL, "comparison %u: %s has %zu bytes, at most %d",
                           comparison + 1, what, n, KIN_MODEL_NAME_MAX);
    if (!is_utf8(text))
        return kin_err_set(err, KIN_E_INVAL, "comparison %u: %s is not UTF-8", comparison + 1,
                           what);
    return KIN_OK;
}

static kin_status check_comparison(const struct kin_model_spec *spec, unsigned i,
                                   struct kin_err *err)
{
    const struct kin_model_comparison *c = &spec->comparisons[i];
    kin_status status = check_text("its name", i, c->name, err);
    if (status)
        return status;
    for (unsigned j = 0; j < i; j++) {
        if (strcmp(c->name, spec->comparisons[j].name) == 0)
            return kin_err_set(err, KIN_E_INVAL, "two comparisons are called '%s'", c->name);
    }
    if (c->level_count < 2 || c->level_count > KIN_LEVELS_MAX)
        return kin_err_set(err, KIN_E_INVAL, "comparison '%s' has %u levels; 2 to %d are possible",
                           c->name, c->level_count, KIN_LEVELS_MAX);
    for (unsigned l = 1; l <= c->level_count; l++) {
        if ((status = check_text("the text of a level", i, c->level_text[l], err)))
            return status;
    }
    if (strcmp(c->level_text[c->level_count], "else") != 0)
        return kin_err_set(err, KIN_E_INVAL, "comparison '%s': the last level is '%s', not 'else'",
                           c->name, c->level_text[c->level_count]);
    return KIN_OK;
}

kin_status kin_model_spec_check(const struct kin_model_spec *spec, struct kin_err *err)
{
    if (spec->count < 1 || spec->count > KIN_COMPARISONS_MAX)
        return kin_err_set(err, KIN_E_INVAL, "%u comparisons; 1 to %d are possible", spec->count,
                           KIN_COMPARISONS_MAX);
    for (unsigned i = 0; i < spec->count; i++) {
        kin_status status = check_comparison(spec, i, err);
        if (status)
            return status;
    }
    return KIN_OK;
}

bool kin_model_spec_equal(const struct kin_model_spec *a, const struct kin_model_spec *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++) {
        const struct kin_model_comparison *x = &a->comparisons[i], *y = &b->comparisons[i];
        if (strcmp(x->name, y->name) != 0 || x->level_count != y->level_count ||
            x->term_frequency != y->term_frequency)
            return false;
        for (unsigned l = 1; l <= x->level_count; l++) {
            if (strcmp(x->level_text[l], y->level_text[l]) != 0)
                return false;
        }
    }
    return true;
}

bool kin_pattern_fits(const struct kin_model_spec *spec, uint64_t pattern)
{
    for (unsigned i = 0; i < spec->count; i++) {
        if (kin_pattern_level(pattern, i) > spec->comparisons[i].level_count)
            return false;
    }
    return pattern >> (KIN_PATTERN_BITS * spec->count) == 0;
}

void kin_model_round(struct kin_model *model)
{
    model->prior = kin_math_round6(model->prior);
    for (unsigned i = 0; i < model->spec.count; i++) {
        for (unsigned l = 1; l <= model->spec.comparisons[i].level_count; l++) {
            model->m[i][l] = kin_math_round6(model->m[i][l]);
            model->u[i][l] = kin_math_round6(model->u[i][l]);
        }
        model->damping[i] = kin_math_round6(model->damping[i]);
        model->damping_against[i] = kin_math_round6(model->damping_against[i]);
        model->tf_fuzzy[i] = kin_math_round6(model->tf_fuzzy[i]);
        model->tf_matched[i] = kin_math_round6(model->tf_matched[i]);
    }
    for (unsigned p = 0; p < model->origin.pass_count; p++)
        model->origin.passes[p].recall = kin_math_round6(model->origin.passes[p].recall);
}

/* ---- weights ---- */

static int32_t fixed(double bits, int max_bits)
{
    if (!(bits > -max_bits))
        bits = -max_bits;
    if (bits > max_bits)
        bits = max_bits;
    double scaled = bits * KIN_WEIGHT_ONE;
    return scaled < 0 ? -(int32_t)(0.5 - scaled) : (int32_t)(scaled + 0.5);
}

int32_t kin_weight_of_bits(double bits)
{
    return fixed(bits, ODDS_BITS_MAX);
}

static int32_t share_of(double x)
{
    return (int32_t)(x * (1 << SHARE_BITS) + 0.5);
}

void kin_model_tables(const struct kin_model *model, struct kin_model_tables *out)
{
    struct kin_model rounded = *model;
    kin_model_round(&rounded);
    *out = (struct kin_model_tables){.count = rounded.spec.count};
    out->prior = fixed(kin_math_log2(rounded.prior / (1.0 - rounded.prior)), PRIOR_BITS_MAX);
    for (unsigned i = 0; i < rounded.spec.count; i++) {
        const struct kin_model_comparison *c = &rounded.spec.comparisons[i];
        double damping = rounded.damping[i], tf = c->term_frequency ? damping : 0.0;
        for (unsigned l = 1; l <= c->level_count; l++) {
            double bits = kin_math_log2(rounded.m[i][l]) - kin_math_log2(rounded.u[i][l]);
            out->weight[i][l] = fixed((bits < 0 ? rounded.damping_against[i] : damping) * bits,
                                      KIN_WEIGHT_LEVEL_MAX);
            out->tf_share[i][l] = l < c->level_count ? share_of(tf) : 0;
            tf *= rounded.tf_fuzzy[i];
        }
        out->tf_log2_u[i] =
            (int64_t)(kin_math_log2(rounded.u[i][1]) * (1 << LOG2_BITS) - 0.5); /* negative */
        double matched = rounded.tf_matched[i];
        matched = matched < KIN_MODEL_MATCHED_MAX ? matched : KIN_MODEL_MATCHED_MAX;
        out->tf_matched[i] = matched > 0 ? (uint64_t)(matched * (1 << RECORD_BITS) + 0.5) : 0;
        out->tf_u[i] = (uint64_t)(rounded.u[i][1] * (double)RECORDS_MAX);
    }
    for (unsigned s = 0; s <= KIN_LOG2_STEPS; s++)
        out->log2_step[s] = kin_math_log2_fixed(KIN_LOG2_STEPS + s) - (8u << LOG2_BITS);
}

/* log2 of n >= 1 in 2^-24: a straight line between steps, 2.7e-6 bits off at most. */
static int64_t log2_between_steps(const struct kin_model_tables *t, uint64_t n)
{
    enum { REST_BITS = 63 - 8 };
    unsigned zeros = (unsigned)__builtin_clzll(n);
    uint64_t fraction = n << zeros << 1 >> 1; /* without its highest bit */
    unsigned step = (unsigned)(fraction >> REST_BITS);
    uint64_t rest = (fraction & ((UINT64_C(1) << REST_BITS) - 1)) >> (REST_BITS - 32);
    uint64_t low = t->log2_step[step], high = t->log2_step[step + 1];
    return ((int64_t)(63 - zeros) << LOG2_BITS) + (int64_t)(low + ((high - low) * rest >> 32));
}

/* Records that have the value of another without being a match of it, in 2^-16. */
static uint64_t others_with_value(const struct kin_model_tables *t, unsigned comparison,
                                  uint64_t count, uint64_t pool)
{
    uint64_t all = (count < 2 ? 1 : count - 1 < pool ? count - 1 : pool) << RECORD_BITS;
    uint64_t matched = t->tf_matched[comparison], half = UINT64_C(1) << (RECORD_BITS - 1);
    if (matched == 0)
        return all;
    uint64_t u = t->tf_u[comparison], least = half;
    if (u == 0 || pool <= RECORDS_MAX / 2 / u) /* u lets expect less than half a record */
        least = (pool * u >> (RECORDS_BITS - RECORD_BITS)) + 1;
    return all > matched + least ? all - matched : least;
}

int32_t kin_model_tf_adjust(const struct kin_model_tables *t, unsigned comparison, unsigned level,
                            uint64_t count, uint64_t total)
{
    enum { TO_WEIGHT = LOG2_BITS - 16 };
    int64_t share = comparison < t->count && level < 16 ? t->tf_share[comparison][level] : 0;
    if (share == 0)
        return 0;
    uint64_t pool = total < 2 ? 1 : total - 1 < RECORDS_MAX ? total - 1 : RECORDS_MAX;
    uint64_t others = others_with_value(t, comparison, count, pool);
    int64_t bits = t->tf_log2_u[comparison] + log2_between_steps(t, pool << RECORD_BITS) -
                   log2_between_steps(t, others); /* under 2^31: no overflow below */
    int64_t unit = INT64_C(1) << (SHARE_BITS + TO_WEIGHT), exact = bits * share;
    int64_t weight = (exact < 0 ? exact - unit / 2 : exact + unit / 2) / unit;
    int64_t max = (int64_t)KIN_WEIGHT_LEVEL_MAX * KIN_WEIGHT_ONE;
    return (int32_t)(weight > max ? max : weight < -max ? -max : weight);
}

double kin_weight_probability(int32_t weight)
{
    double odds = kin_math_exp2((double)weight / KIN_WEIGHT_ONE);
    double p = odds / (1.0 + odds), max = 1.0 - 1.0 / 9007199254740992.0;
    return p > max ? max : p;
}

uint32_t kin_weight_millionths(int32_t weight)
{
    return (uint32_t)(kin_weight_probability(weight) * 1e6 + 0.5);
}

int32_t kin_probability_weight(double probability)
{
    double max = 1.0 - 1.0 / 9007199254740992.0;
    if (!(probability > 1e-300))
        return kin_weight_of_bits(-ODDS_BITS_MAX);
    if (probability > max)
        probability = max;
    return kin_weight_of_bits(kin_math_log2(probability) - kin_math_log2(1.0 - probability));
}
