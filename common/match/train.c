#include "common/match/train.h"

#include <string.h>

#include "common/match/train_impl.h"

/* Random pairs, where nobody says how many: for each record, and in all. */
enum { PAIRS_EACH = 40, PAIRS_LEAST = 200000, PAIRS_MOST = 1000000 };

/* Before anything is known: every fifth record has a match. */
static double first_prior(const struct kin_train_input *in)
{
    double possible = (double)in->possible_pairs;
    double prior = possible > 0 ? 0.2 * (double)in->records / possible : 0.01;
    return prior < 0.01 ? prior : 0.01;
}

/* What the file can say. */
static double probability(double p)
{
    return p > 1e-12 ? p : 1e-12;
}

static void fill_model(const struct train *t, struct kin_model *model)
{
    model->spec = *t->input->spec;
    model->prior = t->prior;
    for (unsigned i = 0; i < t->count; i++) {
        for (unsigned l = 1; l <= t->levels[i]; l++) {
            model->m[i][l] = probability(t->m[i][l]);
            model->u[i][l] = probability(t->u[i][l]);
            model->m_seen[i][l] = t->m_pairs[i][l] >= 0.5;
            model->u_seen[i][l] = t->u_pairs[i][l] >= 0.5;
        }
        model->damping[i] = t->damping[i][0];
        model->damping_against[i] = t->damping[i][1];
        model->tf_fuzzy[i] = 0.5;
        model->tf_matched[i] =
            t->tf_matched[i] < KIN_MODEL_MATCHED_MAX ? t->tf_matched[i] : KIN_MODEL_MATCHED_MAX;
    }
}

static uint64_t whole(double x)
{
    double most = 4611686018427387904.0; /* 2^62, as in the input */
    return x >= most ? UINT64_C(1) << 62 : x > 0 ? (uint64_t)(x + 0.5) : 0;
}

static void fill_origin(const struct train *t, const struct kin_train_report *report,
                        struct kin_model_origin *o)
{
    const struct kin_train_input *in = t->input;
    *o = (struct kin_model_origin){.workflow = in->workflow,
                                   .records = in->records,
                                   .possible_pairs = in->possible_pairs,
                                   .labelled_matches = whole(t->matches.total),
                                   .labelled_others = whole(t->others.total),
                                   .found = whole(report->found),
                                   .matches = whole(report->matches),
                                   .matches_low = whole(report->matches_low),
                                   .matches_high = whole(report->matches_high),
                                   .pass_count = in->pass_count};
    if (!t->random_borrowed)
        o->random_pairs = whole(t->random.total);
    for (unsigned p = 0; p < in->pass_count; p++) {
        o->passes[p].name = in->passes[p].name;
        o->passes[p].pairs = whole(t->passes[p].all.total * t->passes[p].scale);
        o->passes[p].matches = whole(report->passes[p].matches);
        o->passes[p].recall = report->passes[p].recall;
    }
}

size_t kin_train_sample(uint32_t pairs, uint64_t records)
{
    uint64_t wanted = pairs, n = 2;
    if (pairs == 0) {
        wanted = records < PAIRS_MOST ? PAIRS_EACH * records : PAIRS_MOST;
        wanted = wanted < PAIRS_LEAST ? PAIRS_LEAST : wanted > PAIRS_MOST ? PAIRS_MOST : wanted;
    }
    while (n * (n - 1) / 2 < wanted)
        n++;
    return (size_t)n;
}

kin_status kin_train(const struct kin_train_input *input, unsigned without, struct kin_arena *arena,
                     struct kin_model *out, struct kin_train_report *report, struct kin_err *err)
{
    struct train *t = kin_arena_calloc(arena, 1, sizeof *t);
    struct kin_model *model = kin_arena_calloc(arena, 1, sizeof *model);
    struct kin_train_report *made = kin_arena_calloc(arena, 1, sizeof *made);
    if (!t || !model || !made)
        return kin_err_set(err, KIN_E_NOMEM, "no memory to train the model");
    *t = (struct train){.input = input, .without = without, .arena = arena, .err = err};
    kin_status status = train_prepare(t);
    if (status)
        return status;
    t->prior = first_prior(input);
    if (t->labelled)
        train_m(t);
    for (unsigned round = 0; round < TRAIN_ROUNDS; round++) {
        train_u(t);
        train_passes(t, round);
        train_m(t);
        train_recall(t);
    }
    if (!(without & KIN_TRAIN_WITHOUT_MONOTONE))
        train_monotone(t);
    if ((status = train_damping(t)))
        return status;
    fill_model(t, model);
    if ((status = train_report(t, made)))
        return status;
    fill_origin(t, made, &model->origin);
    if ((status = train_doubts(t, made, model)))
        return status;
    kin_model_round(model);
    *out = *model;
    *report = *made;
    return KIN_OK;
}
