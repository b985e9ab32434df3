/* Capture and recapture: what lists found tells how much they missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/match/recall.h"

static void near(double is, double expected)
{
    double off = is > expected ? is - expected : expected - is;
    if (off > 1e-9 * (expected + 1))
        fail_msg("%.12g, expected %.12g", is, expected);
}

static void two_lists_are_lincolns_and_petersens(void **state)
{
    (void)state;
    struct kin_captures c = {0};
    kin_captures_add(&c, 1, 300);
    kin_captures_add(&c, 2, 200);
    kin_captures_add(&c, 3, 600);
    kin_captures_add(&c, 0, 1000); /* found by none: not seen */
    near(c.all, 1100);
    near(c.by[0], 900);
    near(c.by[1], 800);
    near(c.two, 600);
    near(kin_captures_missed(&c, 2, 0), 100); /* 900 * 800 / 600 = 1200 in all */
    struct kin_recall_estimate e = kin_captures_estimate(&c, 2, 1);
    near(e.matches, 1100 + 300.0 * 200 / 601);
    assert_true(e.low > c.all && e.low < e.matches);
    assert_true(e.high > e.matches && e.high < 1250);
}

/* Independent lists of different reach: the truth is found again. */
static void independent_lists_give_the_truth(void **state)
{
    (void)state;
    static const double reach[4] = {0.9, 0.7, 0.5, 0.8};
    struct kin_captures c = {0};
    for (unsigned set = 1; set < 16; set++) {
        double p = 1;
        for (unsigned l = 0; l < 4; l++)
            p *= set >> l & 1 ? reach[l] : 1 - reach[l];
        kin_captures_add(&c, (uint64_t)set << 60, 1e6 * p); /* the last four lists there can be */
    }
    double missed = 1e6 * 0.1 * 0.3 * 0.5 * 0.2;
    near(c.all, 1e6 - missed);
    double estimate = kin_captures_missed(&c, KIN_RECALL_LISTS_MAX, 0);
    assert_true(estimate > 0.5 * missed && estimate <= missed); /* a lower bound */
}

static void one_list_tells_nothing_of_what_it_misses(void **state)
{
    (void)state;
    struct kin_captures c = {0};
    kin_captures_add(&c, 4, 50);
    struct kin_recall_estimate e = kin_captures_estimate(&c, 3, 1);
    near(e.matches, 50);
    near(e.low, 50);
    near(e.high, 50);
}

static void a_known_error_of_the_bound_is_taken_out(void **state)
{
    (void)state;
    struct kin_captures c = {0};
    kin_captures_add(&c, 1, 300);
    kin_captures_add(&c, 2, 200);
    kin_captures_add(&c, 3, 600);
    double all = 1100 + 300.0 * 200 / 601;
    near(kin_captures_estimate(&c, 2, 0.9).matches, all / 0.9);
    near(kin_captures_estimate(&c, 2, 2).matches, 1100); /* never below what was found */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_lists_are_lincolns_and_petersens),
        cmocka_unit_test(independent_lists_give_the_truth),
        cmocka_unit_test(one_list_tells_nothing_of_what_it_misses),
        cmocka_unit_test(a_known_error_of_the_bound_is_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
