/* The model: its arithmetic, its tables, its file. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/match/exact_math.h"
#include "common/match/model.h"
#include "tests/oracle/simulate.h"

/* ---- arithmetic ---- */

static void log2_and_exp2_are_those_of_libm_to_the_last_digits(void **state)
{
    (void)state;
    uint64_t rng = 1;
    for (int k = 0; k < 200000; k++) {
        double x = ldexp(0.5 + sim_uniform(&rng), (int)(sim_next(&rng) % 1000) - 500);
        assert_true(fabs(kin_math_log2(x) - log2(x)) < 1e-13 + 1e-15 * fabs(log2(x)));
        double y = (sim_uniform(&rng) - 0.5) * 1800;
        assert_true(fabs(kin_math_exp2(y) / exp2(y) - 1) < 1e-14);
    }
    assert_true(kin_math_log2(1) == 0);
    assert_true(kin_math_log2(8) == 3);
    assert_true(kin_math_log2(0.25) == -2);
    assert_true(fabs(kin_math_log2(5e-324) + 1074) < 1e-9);
    assert_true(kin_math_exp2(0) == 1);
    assert_true(kin_math_exp2(-3) == 0.125);
    assert_true(kin_math_exp2(1e9) == exp2(1000));
    assert_true(kin_math_exp2(-1e9) == exp2(-1000));
}

static void log2_of_integers_is_exact_to_its_last_unit(void **state)
{
    (void)state;
    uint64_t rng = 2;
    for (int k = 0; k < 100000; k++) {
        uint64_t n = sim_next(&rng) >> (sim_next(&rng) % 64);
        n = n ? n : 1;
        assert_true(fabs(kin_math_log2_fixed(n) / 16777216.0 - log2((double)n)) < 4 / 16777216.0);
    }
    assert_int_equal(kin_math_log2_fixed(1), 0);
    assert_int_equal(kin_math_log2_fixed(UINT64_C(1) << 63), 63u << 24);
    assert_int_equal(kin_math_log2_fixed(3), 26591258); /* 1.58496 */
}

static void six_digits_are_written_and_read_as_any_reader_does(void **state)
{
    (void)state;
    uint64_t rng = 3;
    for (int k = 0; k < 200000; k++) {
        double x = ldexp(0.5 + sim_uniform(&rng), (int)(sim_next(&rng) % 90) - 48);
        struct kin_buf text = {0};
        kin_math_print6(&text, x);
        kin_buf_putc(&text, '\0');
        double back = strtod((const char *)text.p, NULL), rounded = kin_math_round6(x);
        assert_true(back == rounded);
        assert_true(fabs(rounded / x - 1) < 5.0001e-6);
        assert_true(kin_math_round6(rounded) == rounded);
        kin_buf_deinit(&text);
    }
    static const struct {
        double x;
        const char *text;
    } cases[] = {{0, "0"},
                 {1, "1"},
                 {0.5, "0.5"},
                 {-0.25, "-0.25"},
                 {100000, "100000"},
                 {999999.6, "1e+06"},
                 {1.0 / 3, "0.333333"},
                 {0.00012345678, "0.000123457"},
                 {0.000001, "1e-06"},
                 {1.5e-15, "1.5e-15"},
                 {123456.4, "123456"},
                 {12.3456789, "12.3457"},
                 {9.999996, "10"}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct kin_buf text = {0};
        kin_math_print6(&text, cases[k].x);
        kin_buf_putc(&text, '\0');
        assert_string_equal((const char *)text.p, cases[k].text);
        kin_buf_deinit(&text);
    }
}

/* ---- the model ---- */

static struct kin_model small_model(void)
{
    static const struct kin_model_doubt doubts[] = {
        {"few-matches", "Only \"12\" matches\n(rough)."}};
    struct kin_model m = {
        .spec = {.count = 2,
                 .comparisons = {{.name = "first_name",
                                  .level_count = 3,
                                  .level_text = {NULL, "exact", "jaro_winkler 0.92", "else"},
                                  .term_frequency = true},
                                 {.name = "town \\ größe",
                                  .level_count = 2,
                                  .level_text = {NULL, "exact", "else"}}}},
        .prior = 0.001,
        .m = {{0, 0.8, 0.15, 0.05}, {0, 0.9, 0.1}},
        .u = {{0, 0.01, 0.02, 0.97}, {0, 0.25, 0.75}},
        .m_seen = {{0, true, true, false}, {0, true, false}},
        .u_seen = {{0, true, true, true}, {0, true, false}},
        .damping = {1, 0.5},
        .damping_against = {0.75, 1},
        .tf_fuzzy = {0.5, 0},
        .tf_matched = {0.25, 0},
        .origin = {.workflow = 0x123456789abcdef0,
                   .records = 1000,
                   .possible_pairs = 499500,
                   .random_pairs = 5000,
                   .found = 400,
                   .matches = 500,
                   .matches_low = 450,
                   .matches_high = 600,
                   .passes = {{"last name", 2000, 300, 0.6}, {"phone", 100, 90, -1}},
                   .pass_count = 2},
        .doubts = doubts,
        .doubt_count = 1};
    return m;
}

static void weights_are_damped_log_ratios_rounded_once(void **state)
{
    (void)state;
    struct kin_model m = small_model();
    struct kin_model_tables t;
    kin_model_tables(&m, &t);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.prior, lround(log2(0.001 / 0.999) * 65536));
    assert_int_equal(t.weight[0][1], lround(log2(80) * 65536));
    assert_int_equal(t.weight[0][2], lround(log2(7.5) * 65536));
    assert_int_equal(t.weight[0][3], lround(0.75 * log2(0.05 / 0.97) * 65536));
    assert_int_equal(t.weight[1][1], lround(0.5 * log2(3.6) * 65536));
    assert_int_equal(t.weight[1][2], lround(log2(0.1 / 0.75) * 65536));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(t.weight[i][0], 0);
        for (unsigned l = m.spec.comparisons[i].level_count + 1; l < 16; l++)
            assert_int_equal(t.weight[i][l], 0);
    }
    assert_int_equal(kin_model_weight(&t, 0), t.prior);
    assert_int_equal(kin_model_weight(&t, 0x21), t.prior + t.weight[0][1] + t.weight[1][2]);
    m.m[0][1] += 1e-9; /* less than the file keeps */
    struct kin_model_tables same;
    kin_model_tables(&m, &same);
    assert_memory_equal(&t, &same, sizeof t);
}

static void patterns_hold_a_level_for_each_comparison(void **state)
{
    (void)state;
    struct kin_model m = small_model();
    uint64_t pattern = 0;
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++)
        pattern = kin_pattern_with(pattern, i, i);
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++)
        assert_int_equal(kin_pattern_level(pattern, i), i);
    pattern = kin_pattern_with(pattern, 3, 14);
    assert_int_equal(kin_pattern_level(pattern, 3), 14);
    assert_int_equal(kin_pattern_level(pattern, 4), 4);
    assert_true(kin_pattern_fits(&m.spec, 0x23));
    assert_true(kin_pattern_fits(&m.spec, 0));
    assert_false(kin_pattern_fits(&m.spec, 0x24));
    assert_false(kin_pattern_fits(&m.spec, 0x33));
    assert_false(kin_pattern_fits(&m.spec, 0x123));
}

static void term_frequency_follows_its_formula(void **state)
{
    (void)state;
    struct kin_model m = small_model();
    struct kin_model_tables t;
    uint64_t rng = 5;
    m.damping[0] = 0.8;
    m.tf_matched[0] = 0;
    kin_model_tables(&m, &t);
    for (int k = 0; k < 50000; k++) {
        uint64_t total = 2 + (sim_next(&rng) >> (20 + sim_next(&rng) % 42));
        uint64_t count = 2 + sim_next(&rng) % (total > 2 ? total - 1 : 1);
        double bits = log2(0.01) + log2((double)(total - 1)) - log2((double)(count - 1));
        int32_t exact = kin_model_tf_adjust(&t, 0, 1, count, total);
        int32_t close = kin_model_tf_adjust(&t, 0, 2, count, total);
        assert_true(fabs(exact - 0.8 * bits * 65536) < 1.5);
        assert_true(fabs(close - 0.4 * bits * 65536) < 1.5);
        assert_true(kin_model_tf_adjust(&t, 0, 1, count + 1, total) <= exact);
    }
    assert_int_equal(kin_model_tf_adjust(&t, 0, 3, 5, 1000), 0); /* else */
    assert_int_equal(kin_model_tf_adjust(&t, 0, 0, 5, 1000), 0); /* null */
    assert_int_equal(kin_model_tf_adjust(&t, 1, 1, 5, 1000), 0); /* without term frequency */
    assert_int_equal(kin_model_tf_adjust(&t, 7, 1, 5, 1000), 0);
    assert_int_equal(kin_model_tf_adjust(&t, 0, 99, 5, 1000), 0);
    /* a value not counted is one that its partner has, too */
    assert_int_equal(kin_model_tf_adjust(&t, 0, 1, 0, 1000),
                     kin_model_tf_adjust(&t, 0, 1, 2, 1000));
    /* nonsense stays within bounds */
    assert_int_equal(kin_model_tf_adjust(&t, 0, 1, UINT64_MAX, 3),
                     kin_model_tf_adjust(&t, 0, 1, 3, 3));
    assert_true(kin_model_tf_adjust(&t, 0, 1, 2, UINT64_MAX) <= 64 * 65536);
    assert_true(kin_model_tf_adjust(&t, 0, 1, UINT64_MAX, UINT64_MAX) >= -64 * 65536);
    /* fixed: the same on every machine, for ever */
    assert_int_equal(kin_model_tf_adjust(&t, 0, 1, 8, 100000), 375307);
    assert_int_equal(kin_model_tf_adjust(&t, 0, 2, 3000, 100000), -41537);
}

/* From the definition, in floating point. */
static double matches_left_out(const struct kin_model *m, double count, double total)
{
    double least = fmin(0.5, m->u[0][1] * (total - 1));
    double others = fmax(fmax(count, 2) - 1 - m->tf_matched[0], least);
    return log2(m->u[0][1]) + log2(total - 1) - log2(others);
}

static void term_frequency_leaves_matches_out(void **state)
{
    (void)state;
    struct kin_model m = small_model();
    struct kin_model_tables t;
    uint64_t rng = 6;
    for (int k = 0; k < 50000; k++) {
        m.tf_matched[0] = kin_math_round6(20 * sim_uniform(&rng) * sim_uniform(&rng) + 1e-3);
        m.u[0][1] = kin_math_round6(exp2(-1 - 20 * sim_uniform(&rng)));
        kin_model_tables(&m, &t);
        uint64_t total = 2 + (sim_next(&rng) >> (20 + sim_next(&rng) % 42));
        uint64_t count = 2 + sim_next(&rng) % (total > 2 ? total - 1 : 1);
        count = k % 2 && count > 40 ? 2 + count % 40 : count;
        double bits = matches_left_out(&m, (double)count, (double)total);
        double least = fmin(0.5, m.u[0][1] * (double)(total - 1)) * 65536; /* and 1, not to be 0 */
        int32_t is = kin_model_tf_adjust(&t, 0, 1, count, total);
        assert_true(fabs(is / 65536.0 - fmin(bits, 64)) < 0.001 + 3 / least);
        assert_true(kin_model_tf_adjust(&t, 0, 1, count + 1, total) <= is);
    }
    /* two tables of 1,000 with the same unique values: all that agree are matches, but for a few */
    m.tf_matched[0] = 0.98;
    m.u[0][1] = 0.02 / 1999;
    kin_model_tables(&m, &t);
    assert_true(abs(kin_model_tf_adjust(&t, 0, 1, 2, 2000)) < 200);
    m.tf_matched[0] = 0;
    kin_model_tables(&m, &t);
    assert_true(kin_model_tf_adjust(&t, 0, 1, 2, 2000) < -5 * 65536);
    /* many have it: what matches are among them does not matter */
    m.tf_matched[0] = 1;
    m.u[0][1] = 0.001;
    kin_model_tables(&m, &t);
    assert_true(abs(kin_model_tf_adjust(&t, 0, 1, 501, 100001) + 152252) < 400); /* 2.32 bits */
    m.tf_matched[0] = KIN_MODEL_MATCHED_MAX;
    kin_model_tables(&m, &t);
    assert_true(kin_model_tf_adjust(&t, 0, 1, UINT64_MAX, UINT64_MAX) < 0);
}

static void weights_and_probabilities_are_one_another(void **state)
{
    (void)state;
    assert_int_equal(kin_probability_weight(0.5), 0);
    assert_int_equal(kin_probability_weight(0.95), 278392); /* log2 19 */
    assert_int_equal(kin_probability_weight(0.05), -278392);
    assert_int_equal(kin_probability_weight(0), -1000 * 65536);
    assert_int_equal(kin_probability_weight(1), 53 * 65536);
    assert_int_equal(kin_probability_weight((double)NAN), -1000 * 65536);
    assert_true(kin_weight_probability(0) == 0.5);
    assert_true(kin_weight_probability(INT32_MAX) < 1);
    assert_true(kin_weight_probability(INT32_MIN) >= 0);
    double before = -1;
    for (int32_t w = -60 * 65536; w <= 52 * 65536; w += 4099) {
        double p = kin_weight_probability(w);
        assert_true(fabs(p - 1 / (1 + exp2(-w / 65536.0))) < 1e-12);
        assert_true(p >= before);
        before = p;
        if (abs(w) < 30 * 65536)
            assert_true(abs(kin_probability_weight(p) - w) <= 1);
    }
}

static void no_model_makes_a_weight_overflow(void **state)
{
    (void)state;
    static const char *const names[KIN_COMPARISONS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                                           "i", "j", "k", "l", "m", "n", "o"};
    struct kin_model m = {.spec = {.count = KIN_COMPARISONS_MAX}, .prior = 1e-15};
    struct kin_model_tables t;
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++) {
        m.spec.comparisons[i] = (struct kin_model_comparison){.name = names[i],
                                                              .level_count = 2,
                                                              .level_text = {NULL, "exact", "else"},
                                                              .term_frequency = true};
        m.m[i][1] = m.u[i][2] = 1;
        m.m[i][2] = m.u[i][1] = 1e-15;
        m.damping[i] = m.damping_against[i] = 1;
    }
    kin_model_tables(&m, &t);
    int64_t best = t.prior, worst = t.prior;
    uint64_t agree = 0, differ = 0;
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++) {
        assert_in_range(t.weight[i][1], 0, 64 * 65536);
        assert_true(t.weight[i][2] < 0 && t.weight[i][2] >= -64 * 65536);
        best += t.weight[i][1] + 64 * 65536;
        worst += t.weight[i][2] - 64 * 65536;
        agree = kin_pattern_with(agree, i, 1);
        differ = kin_pattern_with(differ, i, 2);
    }
    assert_true(best < INT32_MAX && worst > INT32_MIN);
    assert_true(kin_weight_probability(kin_model_weight(&t, agree)) > 0.999999);
    assert_true(kin_weight_probability(kin_model_weight(&t, differ)) < 0.000001);
}

/* ---- the file ---- */

static const char small_text[] =
    "{\n"
    "  \"kindred_model\": 1,\n"
    "  \"prior\": {\"probability\": 0.001, \"weight\": -9.9643},\n"
    "  \"comparisons\": [\n"
    "    {\"name\": \"first_name\",\n"
    "     \"damping\": {\"for\": 1, \"against\": 0.75}, "
    "\"term_frequency\": {\"fuzzy\": 0.5, \"matched\": 0.25},\n"
    "     \"levels\": [\n"
    "      {\"level\": \"exact\", \"m\": 0.8, \"u\": 0.01, \"weight\": 6.3219, \"seen\": "
    "\"both\"},\n"
    "      {\"level\": \"jaro_winkler 0.92\", \"m\": 0.15, \"u\": 0.02, \"weight\": 2.9069, "
    "\"seen\": "
    "\"both\"},\n"
    "      {\"level\": \"else\", \"m\": 0.05, \"u\": 0.97, \"weight\": -3.2085, \"seen\": \"random "
    "pairs\"}\n"
    "    ]},\n"
    "    {\"name\": \"town \\\\ größe\",\n"
    "     \"damping\": {\"for\": 0.5, \"against\": 1},\n"
    "     \"levels\": [\n"
    "      {\"level\": \"exact\", \"m\": 0.9, \"u\": 0.25, \"weight\": 0.9240, \"seen\": "
    "\"both\"},\n"
    "      {\"level\": \"else\", \"m\": 0.1, \"u\": 0.75, \"weight\": -2.9069, \"seen\": "
    "\"nowhere\"}\n"
    "    ]}\n"
    "  ],\n"
    "  \"trained\": {\n"
    "    \"workflow\": \"123456789abcdef0\",\n"
    "    \"records\": 1000,\n"
    "    \"possible_pairs\": 499500,\n"
    "    \"random_pairs\": 5000,\n"
    "    \"labelled_matches\": 0,\n"
    "    \"labelled_others\": 0,\n"
    "    \"found\": 400,\n"
    "    \"matches\": 500,\n"
    "    \"matches_low\": 450,\n"
    "    \"matches_high\": 600,\n"
    "    \"passes\": [\n"
    "      {\"name\": \"last name\", \"pairs\": 2000, \"matches\": 300, \"recall\": 0.6},\n"
    "      {\"name\": \"phone\", \"pairs\": 100, \"matches\": 90}\n"
    "    ]\n"
    "  },\n"
    "  \"doubts\": [\n"
    "    {\"id\": \"few-matches\", \"text\": \"Only \\\"12\\\" matches\\u000a(rough).\"}\n"
    "  ]\n"
    "}\n";

static void the_file_is_written_as_documented(void **state)
{
    (void)state;
    struct kin_model m = small_model();
    struct kin_buf text = {0};
    struct kin_err err;
    assert_int_equal(kin_model_write(&m, &text, &err), KIN_OK);
    kin_buf_putc(&text, '\0');
    assert_string_equal((const char *)text.p, small_text);
    kin_buf_deinit(&text);
}

/* Reads text, writes what was read; KIN_OK only if both work and a second reading writes the same.
 */
static kin_status read_and_write(const void *text, size_t n, struct kin_buf *out,
                                 struct kin_err *err)
{
    struct kin_arena arena = {0};
    struct kin_model model;
    kin_status status = kin_model_read(text, n, &arena, &model, err);
    if (!status)
        status = kin_model_write(&model, out, err);
    kin_arena_deinit(&arena);
    return status;
}

static void what_is_read_is_what_was_written(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct kin_model read, m = small_model();
    struct kin_buf again = {0};
    struct kin_err err;
    assert_int_equal(read_and_write(small_text, sizeof small_text - 1, &again, &err), KIN_OK);
    assert_int_equal(again.n, sizeof small_text - 1);
    assert_memory_equal(again.p, small_text, again.n);
    kin_buf_deinit(&again);
    assert_int_equal(kin_model_read(small_text, sizeof small_text - 1, &arena, &read, &err),
                     KIN_OK);
    assert_true(kin_model_spec_equal(&m.spec, &read.spec));
    struct kin_model_tables a, b;
    kin_model_tables(&m, &a);
    kin_model_tables(&read, &b);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(m.m_seen, read.m_seen, sizeof m.m_seen);
    assert_memory_equal(m.u_seen, read.u_seen, sizeof m.u_seen);
    assert_true(read.origin.passes[0].recall == 0.6 && read.origin.passes[1].recall < 0);
    assert_string_equal(read.doubts[0].text, m.doubts[0].text);
    kin_arena_deinit(&arena);
}

static void a_model_that_could_not_be_read_is_not_written(void **state)
{
    (void)state;
    struct kin_buf text = {0};
    struct kin_err err;
    struct kin_model m = small_model();
    kin_buf_puts(&text, "before");
    m.u[0][1] = 0.5; /* more than 1 in all */
    assert_int_equal(kin_model_write(&m, &text, &err), KIN_E_INVAL);
    m = small_model();
    m.prior = 0;
    assert_int_equal(kin_model_write(&m, &text, &err), KIN_E_INVAL);
    m = small_model();
    m.m[1][1] = (double)NAN;
    assert_int_equal(kin_model_write(&m, &text, &err), KIN_E_INVAL);
    m = small_model();
    m.spec.comparisons[1].name = "\xff";
    assert_int_equal(kin_model_write(&m, &text, &err), KIN_E_INVAL);
    assert_int_equal(text.n, 6);
    kin_buf_deinit(&text);
}

/* In a copy of the small model's text one piece is replaced. */
struct mistake {
    const char *what, *by, *message;
    kin_status status;
};
static const struct mistake mistakes[] = {
    {"\"kindred_model\": 1", "\"kindred_model\": 2", "kindred_model: this version reads format 1",
     KIN_E_VERSION},
    {"\"kindred_model\": 1,", "", "kindred_model: is missing: not a model file", KIN_E_INVAL},
    {"0.001, ", "0, ", "prior.probability: expected a number from", KIN_E_INVAL},
    {"0.001, ", "1, ", "prior.probability: expected a number from", KIN_E_INVAL},
    {"0.001, ", "\"x\", ", "prior.probability: expected a number from", KIN_E_INVAL},
    {"0.001, ", "1e999, ", "line 3, column", KIN_E_SYNTAX},
    {"0.001, ", "NaN, ", "line 3, column", KIN_E_SYNTAX},
    {"\"m\": 0.15", "\"m\": 0.25", "comparisons[0].levels: all m together are 1.1", KIN_E_INVAL},
    {"\"m\": 0.15", "\"m\": -1", "comparisons[0].levels[1].m: expected a number from", KIN_E_INVAL},
    {"\"u\": 0.75", "\"u\": 0.74", "comparisons[1].levels: all u together are 0.99", KIN_E_INVAL},
    {"\"weight\": 2.9069", "\"weight\": 3.9069",
     "comparisons[0].levels[1].weight: follows from the probabilities and is 2.9069", KIN_E_INVAL},
    {"\"weight\": -9.9643", "\"weight\": \"\"", "prior.weight: follows from", KIN_E_INVAL},
    {"\"level\": \"else\"", "\"level\": \"rest\"",
     "comparisons: comparison 'first_name': the last level is 'rest', not 'else'", KIN_E_INVAL},
    {"\"town \\\\ größe\"", "\"first_name\"",
     "comparisons: two comparisons are called 'first_name'", KIN_E_INVAL},
    {"\"town \\\\ größe\"", "\"\"", "comparisons[1].name: expected a text", KIN_E_INVAL},
    {"\"for\": 0.5", "\"for\": 1.5", "comparisons[1].damping.for: expected a number from 0 to 1",
     KIN_E_INVAL},
    {"\"for\": 0.5, ", "", "comparisons[1].damping.for: is missing", KIN_E_INVAL},
    {"\"fuzzy\": 0.5", "\"fuzzy\": null", "comparisons[0].term_frequency.fuzzy: expected",
     KIN_E_INVAL},
    {"\"matched\": 0.25", "\"matched\": -1", "comparisons[0].term_frequency.matched: expected",
     KIN_E_INVAL},
    {"\"seen\": \"nowhere\"", "\"seen\": \"here\"",
     "comparisons[1].levels[1].seen: expected 'both'", KIN_E_INVAL},
    {"\"seen\": \"nowhere\"", "\"sawn\": \"nowhere\"",
     "comparisons[1].levels[1]: unknown key 'sawn'", KIN_E_INVAL},
    {"\"records\": 1000", "\"records\": -1", "trained.records: expected a whole number",
     KIN_E_INVAL},
    {"\"records\": 1000", "\"records\": 1.5", "trained.records: expected a whole number",
     KIN_E_INVAL},
    {"123456789abcdef0", "123456789ABCDEF0", "trained.workflow: expected 16 hex", KIN_E_INVAL},
    {"123456789abcdef0", "123456789abcdef01", "trained.workflow: expected 16 hex", KIN_E_INVAL},
    {"\"recall\": 0.6", "\"recall\": 7", "trained.passes[0].recall: expected", KIN_E_INVAL},
    {"\"passes\": [", "\"passes\": 7, \"x\": [", "trained: unknown key 'x'", KIN_E_INVAL},
    {"\"id\": \"few-matches\"", "\"id\": 7", "doubts[0].id: expected a text", KIN_E_INVAL},
    {"\"doubts\": [", "\"doubts\": {}, \"doubts\": [", "line 35, column", KIN_E_SYNTAX},
    {"größe", "gr\xc3", "line 12, column", KIN_E_SYNTAX},
    {"größe", "gr\\u0000", "line 12, column", KIN_E_SYNTAX},
    {"{\n  \"kindred_model\"", "[\n  \"kindred_model\"", "line 2, column", KIN_E_SYNTAX},
};

static void every_mistake_is_named_with_its_place(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof mistakes / sizeof mistakes[0]; k++) {
        const struct mistake *x = &mistakes[k];
        const char *at = strstr(small_text, x->what);
        struct kin_buf text = {0}, out = {0};
        struct kin_err err = {0};
        assert_non_null(at);
        kin_buf_put(&text, small_text, (size_t)(at - small_text));
        kin_buf_puts(&text, x->by);
        kin_buf_puts(&text, at + strlen(x->what));
        kin_status status = read_and_write(text.p, text.n, &out, &err);
        if (status != x->status || strncmp(err.msg, x->message, strlen(x->message)) != 0)
            print_error("%s -> %s: %d '%s'\n", x->what, x->by, (int)status, err.msg);
        assert_int_equal(status, x->status);
        assert_memory_equal(err.msg, x->message, strlen(x->message));
        kin_buf_deinit(&text);
        kin_buf_deinit(&out);
    }
    struct kin_err err;
    struct kin_buf out = {0};
    assert_int_equal(read_and_write("", 0, &out, &err), KIN_E_SYNTAX);
    assert_int_equal(read_and_write("{}", 2, &out, &err), KIN_E_INVAL);
    assert_int_equal(read_and_write("[]", 2, &out, &err), KIN_E_INVAL);
    assert_int_equal(read_and_write("null", 4, &out, &err), KIN_E_SYNTAX);
    assert_int_equal(read_and_write(small_text, (size_t)KIN_MODEL_FILE_MAX + 1, &out, &err),
                     KIN_E_LIMIT);
    kin_buf_deinit(&out);
}

static void numbers_may_be_changed_by_hand(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_err err;
    struct kin_buf text = {0};
    for (const char *p = small_text; *p;) { /* without the weights, which follow */
        if (strncmp(p, ", \"weight\": ", 12) == 0)
            p += 12 + strspn(p + 12, "-.0123456789");
        else
            kin_buf_putc(&text, *p++);
    }
    assert_int_equal(kin_model_read(text.p, text.n, &arena, &model, &err), KIN_OK);
    struct kin_buf again = {0};
    assert_int_equal(kin_model_write(&model, &again, &err), KIN_OK);
    assert_memory_equal(again.p, small_text, again.n);
    kin_buf_deinit(&again);
    kin_buf_deinit(&text);
    kin_arena_deinit(&arena);
}

static void hostile_files_are_refused_or_harmless(void **state)
{
    (void)state;
    static const char pieces[] = "\"{}[]:,0123456789eE+-.mu\\tnf \n\xff\x80";
    uint64_t rng = 7;
    unsigned accepted = 0;
    for (int k = 0; k < 20000; k++) {
        char text[sizeof small_text];
        size_t n = sizeof small_text - 1;
        memcpy(text, small_text, sizeof text);
        for (uint64_t edits = 1 + sim_next(&rng) % 3; edits > 0; edits--) {
            size_t at = sim_next(&rng) % n;
            switch (sim_next(&rng) % 4) {
            case 0:
                text[at] = pieces[sim_next(&rng) % (sizeof pieces - 1)];
                break;
            case 1:
                text[at] = (char)sim_next(&rng);
                break;
            case 2: { /* a run is lost */
                size_t run = 1 + sim_next(&rng) % 40;
                run = run < n - at ? run : n - at - 1;
                memmove(text + at, text + at + run, n - at - run);
                n -= run;
                break;
            }
            default: { /* one part overwrites another */
                size_t from = sim_next(&rng) % n, run = sim_next(&rng) % 60;
                run = run < n - at ? run : n - at;
                run = run < n - from ? run : n - from;
                memmove(text + at, text + from, run);
            }
            }
        }
        struct kin_buf once = {0}, twice = {0};
        struct kin_err err;
        if (read_and_write(text, n, &once, &err) == KIN_OK) {
            accepted++;
            assert_int_equal(read_and_write(once.p, once.n, &twice, &err), KIN_OK);
            assert_int_equal(once.n, twice.n);
            assert_memory_equal(once.p, twice.p, once.n);
        }
        kin_buf_deinit(&once);
        kin_buf_deinit(&twice);
    }
    assert_in_range(accepted, 100, 19000);               /* both kinds are there */
    for (size_t n = 0; n < sizeof small_text - 2; n++) { /* cut off anywhere */
        struct kin_buf out = {0};
        struct kin_err err;
        assert_int_equal(read_and_write(small_text, n, &out, &err), KIN_E_SYNTAX);
        kin_buf_deinit(&out);
    }
}

static void a_deep_file_does_not_overflow_the_stack(void **state)
{
    (void)state;
    struct kin_buf text = {0}, out = {0};
    struct kin_err err;
    for (int k = 0; k < 1000000; k++)
        kin_buf_putc(&text, '[');
    assert_int_equal(read_and_write(text.p, text.n, &out, &err), KIN_E_SYNTAX);
    kin_buf_deinit(&text);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    kin_status status = KIN_E_NOMEM;
    for (size_t n = 0; status != KIN_OK && n < 200; n++) {
        struct kin_buf out = {0};
        struct kin_err err;
        kin_alloc_fail_after(n);
        status = read_and_write(small_text, sizeof small_text - 1, &out, &err);
        kin_alloc_fail_after(SIZE_MAX);
        assert_true(status == KIN_OK || status == KIN_E_NOMEM);
        assert_true(status == KIN_OK || out.n == 0);
        kin_buf_deinit(&out);
    }
    assert_int_equal(status, KIN_OK);
}

static void specs_are_checked(void **state)
{
    (void)state;
    struct kin_err err;
    struct kin_model m = small_model();
    struct kin_model_spec spec = m.spec;
    assert_int_equal(kin_model_spec_check(&spec, &err), KIN_OK);
    spec.count = 0;
    assert_int_equal(kin_model_spec_check(&spec, &err), KIN_E_INVAL);
    spec.count = KIN_COMPARISONS_MAX + 1;
    assert_int_equal(kin_model_spec_check(&spec, &err), KIN_E_INVAL);
    spec = m.spec;
    spec.comparisons[1].level_count = 1;
    assert_int_equal(kin_model_spec_check(&spec, &err), KIN_E_INVAL);
    spec.comparisons[1].level_count = KIN_LEVELS_MAX + 1;
    assert_int_equal(kin_model_spec_check(&spec, &err), KIN_E_INVAL);
    spec = m.spec;
    spec.comparisons[0].level_text[2] = "";
    assert_int_equal(kin_model_spec_check(&spec, &err), KIN_E_INVAL);
    spec.comparisons[0].level_text[2] = NULL;
    assert_int_equal(kin_model_spec_check(&spec, &err), KIN_E_INVAL);
    spec = m.spec;
    assert_true(kin_model_spec_equal(&spec, &m.spec));
    spec.comparisons[0].level_text[2] = "jaro_winkler 0.9";
    assert_false(kin_model_spec_equal(&spec, &m.spec));
    spec = m.spec;
    spec.comparisons[0].term_frequency = false;
    assert_false(kin_model_spec_equal(&spec, &m.spec));
    spec = m.spec;
    spec.count = 1;
    assert_false(kin_model_spec_equal(&spec, &m.spec));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log2_and_exp2_are_those_of_libm_to_the_last_digits),
        cmocka_unit_test(log2_of_integers_is_exact_to_its_last_unit),
        cmocka_unit_test(six_digits_are_written_and_read_as_any_reader_does),
        cmocka_unit_test(weights_are_damped_log_ratios_rounded_once),
        cmocka_unit_test(patterns_hold_a_level_for_each_comparison),
        cmocka_unit_test(term_frequency_follows_its_formula),
        cmocka_unit_test(term_frequency_leaves_matches_out),
        cmocka_unit_test(weights_and_probabilities_are_one_another),
        cmocka_unit_test(no_model_makes_a_weight_overflow),
        cmocka_unit_test(the_file_is_written_as_documented),
        cmocka_unit_test(what_is_read_is_what_was_written),
        cmocka_unit_test(a_model_that_could_not_be_read_is_not_written),
        cmocka_unit_test(every_mistake_is_named_with_its_place),
        cmocka_unit_test(numbers_may_be_changed_by_hand),
        cmocka_unit_test(hostile_files_are_refused_or_harmless),
        cmocka_unit_test(a_deep_file_does_not_overflow_the_stack),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(specs_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
