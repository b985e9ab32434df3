/* Expectation-maximisation: against the plain reference, and on pairs of known m and u. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/match/train_em.h"
#include "tests/oracle/em.h"
#include "tests/oracle/simulate.h"

enum { COMPARISONS = 5, PATTERNS_MAX = 20000 };

/* A truth with 2, 3, 4, 2 and 5 levels. */
static struct kin_model known_truth(void)
{
    static const double m[COMPARISONS][6] = {
        {0, .9, .1}, {0, .7, .2, .1}, {0, .6, .2, .1, .1}, {0, .95, .05}, {0, .5, .2, .1, .1, .1}};
    static const double u[COMPARISONS][6] = {{0, .1, .9},
                                             {0, .01, .04, .95},
                                             {0, .005, .01, .1, .885},
                                             {0, .3, .7},
                                             {0, .02, .02, .06, .1, .8}};
    static const char *const names[COMPARISONS] = {"a", "b", "c", "d", "e"};
    struct kin_model truth = {.spec = {.count = COMPARISONS}, .prior = 0.01};
    for (unsigned i = 0; i < COMPARISONS; i++) {
        unsigned levels = i == 0 || i == 3 ? 2 : i == 1 ? 3 : i == 2 ? 4 : 5;
        truth.spec.comparisons[i].name = names[i];
        truth.spec.comparisons[i].level_count = levels;
        for (unsigned l = 1; l <= levels; l++) {
            truth.spec.comparisons[i].level_text[l] = l < levels ? names[l] : "else";
            truth.m[i][l] = m[i][l];
            truth.u[i][l] = u[i][l];
        }
    }
    return truth;
}

struct both {
    struct kin_pattern_count *counts;
    uint64_t *patterns;
    double *numbers;
    size_t n;
    struct kin_em_data data;
    struct kin_em_params product;
    struct em_model plain;
    unsigned fixed;
};

/* The same start for both; `noise` moves it away from the truth. */
static void both_init(struct both *b, uint64_t seed, unsigned classes, uint32_t forced,
                      size_t pairs)
{
    struct kin_model truth = known_truth();
    uint64_t rng = seed;
    *b = (struct both){.fixed = 1};
    b->counts = kin_calloc(pairs, sizeof *b->counts);
    b->patterns = kin_calloc(pairs, sizeof *b->patterns);
    b->numbers = kin_calloc(pairs, sizeof *b->numbers);
    b->n = sim_draw(&rng, &truth, 0.05, 0.1, forced, pairs, b->counts);
    b->plain =
        (struct em_model){.comparisons = COMPARISONS, .classes = (int)classes, .left_out = forced};
    for (size_t k = 0; k < b->n; k++) {
        b->patterns[k] = b->counts[k].pattern;
        for (unsigned i = 0; i < COMPARISONS; i++)
            b->patterns[k] =
                forced >> i & 1 ? kin_pattern_with(b->patterns[k], i, 0) : b->patterns[k];
        b->numbers[k] = (double)b->counts[k].count;
    }
    b->data = (struct kin_em_data){.comparisons = COMPARISONS,
                                   .active = 31u & ~forced,
                                   .learnt = seed % 2 ? 2u : 0,
                                   .patterns = b->patterns,
                                   .counts = b->numbers,
                                   .count = b->n,
                                   .total = (double)pairs};
    b->plain.learnt = b->data.learnt;
    for (unsigned c = 0; c < classes; c++) {
        b->plain.fixed[c] = c == 0;
        b->plain.share[c] = b->product.share[c] = c == 0 ? 1 - 0.1 * (classes - 1) : 0.1;
    }
    for (unsigned i = 0; i < COMPARISONS; i++) {
        b->plain.levels[i] = (int)truth.spec.comparisons[i].level_count;
        for (unsigned c = 0; c < KIN_EM_CLASSES; c++) {
            b->product.p[i][0][c] = 1;
            double sum = 0, p[KIN_LEVELS_MAX + 1];
            for (int l = 1; l <= b->plain.levels[i]; l++)
                sum += p[l] = (c ? truth.m : truth.u)[i][l] + (c ? 0.3 * sim_uniform(&rng) : 0);
            for (int l = 1; l <= b->plain.levels[i]; l++) {
                b->product.p[i][l][c] = p[l] / sum;
                if (c < classes)
                    b->plain.p[c][i][l] = p[l] / sum;
            }
        }
    }
}

static void both_deinit(struct both *b)
{
    kin_free(b->counts);
    kin_free(b->patterns);
    kin_free(b->numbers);
}

static void assert_same(const struct both *b, double slack)
{
    for (int c = 0; c < b->plain.classes; c++) {
        assert_true(fabs(b->product.share[c] - b->plain.share[c]) < slack);
        for (int i = 0; i < COMPARISONS; i++) {
            for (int l = 1; l <= b->plain.levels[i]; l++)
                assert_true(fabs(b->product.p[i][l][c] - b->plain.p[c][i][l]) < slack);
        }
    }
}

static void a_step_agrees_with_the_plain_one(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct both b;
        struct kin_em_expected expected;
        both_init(&b, seed, 2 + (unsigned)seed % 3, seed % 4 ? 0 : 2u << seed % 3, 300);
        for (int step = 0; step < 5; step++) {
            kin_em_expect(&b.data, &b.product, &expected);
            kin_em_maximise(&b.data, &expected, NULL, b.fixed, &b.product);
            em_step(&b.plain, b.counts, b.n);
            assert_same(&b, 1e-9);
        }
        double bits = kin_em_log2_likelihood(&b.data, &b.product);
        double nats = em_log_likelihood(&b.plain, b.counts, b.n);
        assert_true(fabs(bits * log(2) - nats) < 1e-9 * fabs(nats));
        both_deinit(&b);
    }
}

static void a_whole_run_agrees_with_the_plain_one(void **state)
{
    (void)state;
    struct both b;
    struct kin_em_expected expected;
    both_init(&b, 4711, 2, 0, 3000);
    unsigned steps = kin_em_run(&b.data, NULL, b.fixed, 0, 150, &b.product, &expected);
    assert_true(steps >= 150);
    for (int step = 0; step < 150; step++)
        em_step(&b.plain, b.counts, b.n);
    assert_same(&b, 1e-9);
    double matches = 0;
    for (size_t k = 0; k < b.n; k++)
        matches += (double)b.counts[k].count * em_responsibility(&b.plain, b.counts[k].pattern, 1);
    assert_true(fabs(expected.pairs[1] - matches) < 1e-6);
    both_deinit(&b);
}

static void the_likelihood_never_falls(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct both b;
        both_init(&b, seed, 4, 0, 500);
        double before = kin_em_log2_likelihood(&b.data, &b.product);
        for (int step = 0; step < 30; step++) {
            struct kin_em_expected expected;
            kin_em_run(&b.data, NULL, b.fixed, 0, 1, &b.product, &expected);
            double now = kin_em_log2_likelihood(&b.data, &b.product);
            assert_true(now >= before - 1e-9 * fabs(before));
            before = now;
        }
        both_deinit(&b);
    }
}

/* 200,000 pairs with 10,000 matches: a probability p has a standard error of sqrt(p (1-p) / 10,000)
 * if matches were marked, 0.005 at most; that they are not may double it. */
static void known_m_and_share_are_recovered(void **state)
{
    (void)state;
    struct kin_model truth = known_truth();
    struct both b;
    struct kin_em_expected expected;
    both_init(&b, 98, 2, 0, 200000);
    unsigned steps = kin_em_run(&b.data, NULL, b.fixed, 1e-7, 500, &b.product, &expected);
    assert_true(steps <= 500);
    assert_true(fabs(b.product.share[1] - 0.05) < 0.002);
    for (unsigned i = 0; i < COMPARISONS; i++) {
        for (unsigned l = 1; l <= truth.spec.comparisons[i].level_count; l++) {
            double sigma = sqrt(truth.m[i][l] * (1 - truth.m[i][l]) / 10000);
            assert_true(fabs(b.product.p[i][l][1] - truth.m[i][l]) < 6 * sigma);
            assert_true(b.product.p[i][l][0] == truth.u[i][l]); /* fixed */
        }
    }
    both_deinit(&b);
}

/* What a few believed pairs are worth: they decide where nothing is seen, and weigh as much as they
 * are where something is. */
static void believed_pairs_count_like_seen_ones(void **state)
{
    (void)state;
    uint64_t pattern = 0x1;
    double count = 6;
    struct kin_em_data data = {.comparisons = 2,
                               .active = 3,
                               .patterns = &pattern,
                               .counts = &count,
                               .count = 1,
                               .total = 6};
    struct kin_em_params params = {.share = {0, 1}};
    struct kin_em_pseudo pseudo = {.weight = {0}};
    struct kin_em_expected expected;
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned l = 0; l < 3; l++) {
            for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
                params.p[i][l][c] = l == 0 ? 1 : 0.5;
        }
        pseudo.n[i][1][1] = 1;
        pseudo.n[i][2][1] = 3;
    }
    kin_em_expect(&data, &params, &expected);
    kin_em_maximise(&data, &expected, &pseudo, 0, &params);
    assert_true(fabs(params.p[0][1][1] - 0.7) < 1e-12);  /* (6 + 1) of (6 + 4) */
    assert_true(fabs(params.p[1][1][1] - 0.25) < 1e-12); /* null in all pairs */
    assert_true(params.share[0] == 0);
    /* a belief of equal weight that three in ten agree: (0.7 + 0.3) / 2 */
    pseudo.weight[1] = 1;
    pseudo.last[0] = pseudo.last[1] = 2;
    pseudo.agree[0][1] = 0.3;
    kin_em_maximise(&data, &expected, &pseudo, 0, &params);
    assert_true(fabs(params.p[0][1][1] - 0.5) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_agrees_with_the_plain_one),
        cmocka_unit_test(a_whole_run_agrees_with_the_plain_one),
        cmocka_unit_test(the_likelihood_never_falls),
        cmocka_unit_test(known_m_and_share_are_recovered),
        cmocka_unit_test(believed_pairs_count_like_seen_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
