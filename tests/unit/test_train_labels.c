#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/match/train.h"

/* Training from labels: what is known of the number of matches. */

static const struct kin_model_spec spec = {
    2,
    {{.name = "name", .level_count = 2, .level_text = {NULL, "exact", "else"}},
     {.name = "born", .level_count = 2, .level_text = {NULL, "exact", "else"}}}};

static void train(bool all, struct kin_arena *arena, struct kin_model *model,
                  struct kin_train_report *report)
{
    static const struct kin_pattern_count random[] = {
        {0x22, 998000}, {0x21, 1000}, {0x12, 1000}}; /* no two agree in both */
    static const struct kin_pattern_count matches[] = {{0x11, 900}, {0x12, 50}, {0x21, 50}};
    struct kin_train_input in = {.spec = &spec,
                                 .records = 50000,
                                 .possible_pairs = 1000000000,
                                 .random = {random, 3},
                                 .matches = {matches, 3},
                                 .all_matches_labelled = all};
    struct kin_err err;
    assert_int_equal(kin_train(&in, 0, arena, model, report, &err), KIN_OK);
}

static void there_are_as_many_matches_as_labelled_ones_at_least(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_train_report report;
    train(true, &arena, &model, &report);
    assert_int_equal(model.origin.matches, 1000);
    assert_true(model.prior == 1e-6);
    train(false, &arena, &model, &report);
    assert_true(model.origin.matches >= 1000);
    assert_true(model.prior >= 1e-6);
    kin_arena_deinit(&arena);
}

static void the_report_counts_the_labels(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_train_report report;
    struct kin_buf text = {0};
    train(true, &arena, &model, &report);
    kin_train_print(&model, &report, &text);
    kin_buf_putc(&text, '\0');
    assert_false(text.failed);
    assert_non_null(strstr((const char *)text.p, "labels: 1000 pairs that match, 0 that do not\n"
                                                 "matches: about 1000 in all"));
    assert_null(strstr((const char *)text.p, "keys find"));
    kin_buf_deinit(&text);
    kin_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_as_many_matches_as_labelled_ones_at_least),
        cmocka_unit_test(the_report_counts_the_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
