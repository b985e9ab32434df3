/* Quality measures: by hand, and random files against counting every pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "evaluate_kit.h"

/* The counts alone: what the result points to is gone. */
static struct kin_evaluation evaluate_strs(struct kin_str matches, struct kin_str truth)
{
    struct kin_evaluation *e = NULL;
    struct kin_err err = {0};
    if (evaluate_texts(matches, truth, (struct kin_str){0}, plain_options, &e, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    struct kin_evaluation counts = *e;
    kin_evaluation_free(e);
    return counts;
}

static struct kin_evaluation evaluate(const char *matches, const char *truth)
{
    return evaluate_strs(kin_str_of(matches), kin_str_of(truth));
}

static void ratios_are_defined_everywhere(void **state)
{
    (void)state;
    assert_close(kin_ratio(1, 4), 0.25);
    assert_close(kin_ratio(0, 4), 0);
    assert_close(kin_ratio(0, 0), 1);
    assert_close(kin_f1(0, 0), 0);
    assert_close(kin_f1(1, 0.5), 2.0 / 3);
}

/* Groups {a b c} {d} {e f} over entities {a b} {c d} {e f}; sources are x and y. */
static const char matches_text[] = "source,id,match_id,match_rule,confidence,group_size\n"
                                   "x,a,m1,r,1,3\n"
                                   "y,b,m1,r,1,3\n"
                                   "y,c,m1,r,1,3\n"
                                   "x,d,m2,,,1\n"
                                   "x,e,m3,r,1,2\n"
                                   "x,f,m3,r,1,2\n";

static void assert_the_example(const struct kin_evaluation *e)
{
    assert_int_equal(e->records, 6);
    assert_int_equal(e->levels[0].pairs.found, 4);
    assert_int_equal(e->levels[0].pairs.truth, 3);
    assert_int_equal(e->levels[0].pairs.correct, 2);
    assert_int_equal(e->levels[0].across.found, 2); /* ab ac */
    assert_int_equal(e->levels[0].across.truth, 2); /* ab cd */
    assert_int_equal(e->levels[0].across.correct, 1);
    assert_int_equal(e->levels[0].groups.found, 2);
    assert_int_equal(e->levels[0].groups.truth, 3);
    assert_int_equal(e->levels[0].groups.correct, 1);
    /* a, b: 2 of 3; c: 1 of 3; d, e, f: all */
    assert_close(e->levels[0].bcubed_precision, (2.0 / 3 + 2.0 / 3 + 1.0 / 3 + 3) / 6);
    /* c, d: 1 of 2 */
    assert_close(e->levels[0].bcubed_recall, (1 + 1 + 0.5 + 0.5 + 1 + 1) / 6);
}

static void an_example_by_hand(void **state)
{
    (void)state;
    struct kin_evaluation e = evaluate(matches_text, "source,id,entity\n"
                                                     "x,e,3\nx,f,3\nx,a,1\ny,b,1\ny,c,2\nx,d,2\n");
    assert_the_example(&e);
    assert_int_equal(e.only_in_truth, 0);
    assert_int_equal(e.only_in_result, 0);
}

static void without_a_source_column_ids_are_enough(void **state)
{
    (void)state;
    struct kin_evaluation e =
        evaluate(matches_text, "entity;id\r\n3;e\r\n3;f\r\n1;a\r\n1;b\r\n2;c\r\n\"2\";d\r\n");
    assert_the_example(&e);
}

static void records_in_one_file_only_are_left_out(void **state)
{
    (void)state;
    struct kin_evaluation e = evaluate("id,source,match_id\n1,s,m\n2,s,m\n3,s,m\n4,s,n\n",
                                       "source,id,entity\ns,1,A\ns,2,A\nt,3,A\ns,9,A\n");
    assert_int_equal(e.records, 2);
    assert_int_equal(e.only_in_truth, 2);
    assert_int_equal(e.only_in_result, 2);
    assert_int_equal(e.levels[0].pairs.found, 1);
    assert_int_equal(e.levels[0].pairs.truth, 1);
    assert_int_equal(e.levels[0].pairs.correct, 1);
    assert_int_equal(e.levels[0].groups.correct, 1);
    assert_close(e.levels[0].bcubed_precision, 1);
    assert_close(e.levels[0].bcubed_recall, 1);
}

static void equal_ids_of_two_sources_are_two_records(void **state)
{
    (void)state;
    struct kin_evaluation e =
        evaluate("source,id,match_id\ns,1,m\nt,1,m\n", "source,id,entity\ns,1,A\nt,1,B\n");
    assert_int_equal(e.records, 2);
    assert_int_equal(e.levels[0].across.found, 1);
    assert_int_equal(e.levels[0].across.truth, 0);
}

static void empty_files_are_perfect(void **state)
{
    (void)state;
    struct kin_evaluation e = evaluate("source,id,match_id\n", "id,entity\n");
    assert_int_equal(e.records, 0);
    assert_close(kin_ratio(e.levels[0].pairs.correct, e.levels[0].pairs.found), 1);
    assert_close(e.levels[0].bcubed_precision, 1);
    assert_close(e.levels[0].bcubed_recall, 1);
}

static void mistakes_name_file_and_line(void **state)
{
    (void)state;
    static const char good_matches[] = "source,id,match_id\ns,1,m\nt,2,m\n";
    static const char good_truth[] = "id,entity\n1,A\n";
    static const struct {
        const char *matches, *truth, *says;
        const char *pairs;
        bool complete;
    } cases[] = {
        {"source,id,matchid\n", good_truth, "matches: line 1: there is no column 'match_id'", NULL,
         false},
        {"id,match_id\n", good_truth, "matches: line 1: there is no column 'source'", NULL, false},
        {good_matches, "entity\n", "truth: line 1: there is no column 'id'", NULL, false},
        {good_matches, "", "truth: line 1: ", NULL, false},
        {good_matches, "id,entity\n1,A\n2\n", "truth: line 3: ", NULL, false},
        {"source,id,match_id\ns,1,m\ns,2,\"m\"x\n", good_truth, "matches: line 3: ", NULL, false},
        {"source,id,match_id\ns,1,\n", good_truth, "matches: line 2: 'match_id' is empty", NULL,
         false},
        {"source,id,match_id\n,1,m\n", good_truth, "matches: line 2: 'source' is empty", NULL,
         false},
        {good_matches, "id,entity\n1,A\n,B\n", "truth: line 3: 'id' is empty", NULL, false},
        {good_matches, "id,entity\n1,A\n1,A\n", "truth: line 3: id '1' occurs twice", NULL, false},
        {good_matches, "id,entity\n8,A\n8,B\n", "truth: line 3: id '8' occurs twice", NULL, false},
        {"source,id,match_id\ns,1,m\nt,1,m\n", good_truth,
         "matches: line 3: id '1' occurs twice (truth has no column 'source')", NULL, false},
        {"source,id,match_id\ns,1,m\ns,1,m\n", "source,id,entity\n",
         "matches: line 3: id '1' occurs twice in its source", NULL, false},
        {"source,id,match_id,match_id_0.9\ns,1,m,m\ns,2,m,\n", good_truth,
         "matches: line 3: 'match_id_0.9' is empty", NULL, false},
        {"source,id,match_id,match_id_a,match_id_b,match_id_c,match_id_d,match_id_e,match_id_f,"
         "match_id_g,match_id_h,match_id_i,match_id_j,match_id_k,match_id_l,match_id_m,match_id_n,"
         "match_id_o,match_id_p\n",
         good_truth, "matches: line 1: too many thresholds at column 'match_id_p'", NULL, false},
        {good_matches, "id,entity\n1,A\n7,A\n", "truth: line 3: record '7' is not in the result",
         NULL, true},
        {good_matches, good_truth, "pairs: line 1: there is no column 'id_b'",
         "source_a,id_a,source_b,weight,match_rule\n", false},
        {good_matches, good_truth, "pairs: line 1: there is no column 'weight'",
         "source_a,id_a,source_b,id_b,match_rule\n", false},
        {good_matches, good_truth, "pairs: line 3: 'match_rule' is empty",
         PAIRS_HEADER "s,1,t,2,1.5,model\ns,1,t,2,1.5,\n", false},
        {good_matches, good_truth, "pairs: line 2: expected 6 cells, found 2", PAIRS_HEADER "s,1\n",
         false},
        {good_matches, good_truth, "pairs: line 2: record '9' of that source is not in the result",
         PAIRS_HEADER "s,1,t,9,1.5,model\n", false},
        {good_matches, good_truth, "pairs: line 2: record '2' of that source is not in the result",
         PAIRS_HEADER "s,1,s,2,1.5,model\n", false},
        {good_matches, "id,entity\n1,A\n7,B\n",
         "pairs: line 2: record '7' of that source is not in the result",
         PAIRS_HEADER "s,1,s,7,1.5,model\n", false},
        {good_matches, good_truth, "pairs: line 2: record '1' is paired with itself",
         PAIRS_HEADER "s,1,s,1,1.5,model\n", false},
        {good_matches, good_truth, "pairs: line 2: weight '1.5x' is no number",
         PAIRS_HEADER "s,1,t,2,1.5x,model\n", false},
        {good_matches, good_truth, "pairs: line 2: weight '-' is no number",
         PAIRS_HEADER "s,1,t,2,-,model\n", false},
        {good_matches, good_truth, "pairs: line 2: weight '99999999999999999999' is no number",
         PAIRS_HEADER "s,1,t,2,99999999999999999999,model\n", false},
        {"source,id,match_id\ns,1,m\nt,2,n\n", good_truth,
         "pairs: line 2: record '1' is in another group than its partner; are the files of one",
         PAIRS_HEADER "s,1,t,2,1.5,model\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_evaluation *e = NULL;
        struct kin_err err = {0};
        struct kin_str matches = kin_str_of(cases[i].matches), truth = kin_str_of(cases[i].truth),
                       pairs = kin_str_of(cases[i].pairs ? cases[i].pairs : "");
        struct kin_evaluate_options options = plain_options;
        options.complete = cases[i].complete;
        kin_status status = evaluate_texts(matches, truth, pairs, options, &e, &err);
        assert_int_equal(status, KIN_E_SYNTAX);
        assert_null(e);
        if (strncmp(err.msg, cases[i].says, strlen(cases[i].says)) != 0)
            fail_msg("'%s' does not begin with '%s'", err.msg, cases[i].says);
        assert_int_equal(evaluate_texts(matches, truth, pairs, options, &e, NULL), KIN_E_SYNTAX);
    }
}

/* ---- against every pair ---- */

enum { RECORDS_MAX = 60 };

struct plain {
    unsigned source, group, entity;
    bool found, known; /* in matches, in truth */
};

static struct kin_evaluation count_all_pairs(const struct plain *r, unsigned n)
{
    struct kin_evaluation e = {0};
    for (unsigned i = 0; i < n; i++) {
        unsigned in_group = 0, in_entity = 0, in_both = 0;
        bool smallest_of_group = true, smallest_of_entity = true;
        e.only_in_result += r[i].found && !r[i].known;
        e.only_in_truth += !r[i].found && r[i].known;
        if (!r[i].found || !r[i].known)
            continue;
        e.records++;
        for (unsigned j = 0; j < n; j++) {
            if (!r[j].found || !r[j].known)
                continue;
            bool group = r[i].group == r[j].group, entity = r[i].entity == r[j].entity;
            bool across = r[i].source != r[j].source;
            in_group += group;
            in_entity += entity;
            in_both += group && entity;
            if (j < i) {
                e.levels[0].pairs.found += group;
                e.levels[0].pairs.truth += entity;
                e.levels[0].pairs.correct += group && entity;
                e.levels[0].across.found += group && across;
                e.levels[0].across.truth += entity && across;
                e.levels[0].across.correct += group && entity && across;
                smallest_of_group &= !group;
                smallest_of_entity &= !entity;
            }
        }
        e.levels[0].bcubed_precision += (double)in_both / in_group;
        e.levels[0].bcubed_recall += (double)in_both / in_entity;
        e.levels[0].groups.found += smallest_of_group && in_group > 1;
        e.levels[0].groups.truth += smallest_of_entity && in_entity > 1;
        e.levels[0].groups.correct +=
            smallest_of_group && in_group > 1 && in_group == in_both && in_entity == in_both;
    }
    e.levels[0].bcubed_precision = e.records ? e.levels[0].bcubed_precision / (double)e.records : 1;
    e.levels[0].bcubed_recall = e.records ? e.levels[0].bcubed_recall / (double)e.records : 1;
    return e;
}

static void assert_equal_counts(const struct kin_evaluation *got, const struct kin_evaluation *want)
{
    assert_int_equal(got->records, want->records);
    assert_int_equal(got->only_in_truth, want->only_in_truth);
    assert_int_equal(got->only_in_result, want->only_in_result);
    assert_int_equal(got->levels[0].pairs.found, want->levels[0].pairs.found);
    assert_int_equal(got->levels[0].pairs.truth, want->levels[0].pairs.truth);
    assert_int_equal(got->levels[0].pairs.correct, want->levels[0].pairs.correct);
    assert_int_equal(got->levels[0].across.found, want->levels[0].across.found);
    assert_int_equal(got->levels[0].across.truth, want->levels[0].across.truth);
    assert_int_equal(got->levels[0].across.correct, want->levels[0].across.correct);
    assert_int_equal(got->levels[0].groups.found, want->levels[0].groups.found);
    assert_int_equal(got->levels[0].groups.truth, want->levels[0].groups.truth);
    assert_int_equal(got->levels[0].groups.correct, want->levels[0].groups.correct);
    assert_close(got->levels[0].bcubed_precision, want->levels[0].bcubed_precision);
    assert_close(got->levels[0].bcubed_recall, want->levels[0].bcubed_recall);
}

static void random_files_agree_with_counting_every_pair(void **state)
{
    (void)state;
    uint64_t rng = 99;
    for (unsigned round = 0; round < 500; round++) {
        struct plain r[RECORDS_MAX];
        unsigned n = draw(&rng, RECORDS_MAX + 1), groups = 1 + draw(&rng, 30);
        unsigned sources = 1 + draw(&rng, 4);
        bool with_source = draw(&rng, 2) == 0;
        struct kin_buf matches = {0}, truth = {0};
        kin_buf_puts(&matches, "match_id,source,\"id\"\n");
        kin_buf_puts(&truth, with_source ? "source,id,entity\n" : "id,entity\n");
        for (unsigned i = 0; i < n; i++) {
            r[i] = (struct plain){.source = draw(&rng, sources),
                                  .group = draw(&rng, groups),
                                  .entity = draw(&rng, groups),
                                  .found = draw(&rng, 12) > 0,
                                  .known = draw(&rng, 12) > 0};
            if (draw(&rng, 3))
                r[i].entity = r[i].group;
            /* with a source column ids repeat from source to source */
            unsigned id = i;
            if (with_source) {
                id = 0;
                for (unsigned j = 0; j < i; j++)
                    id += r[j].source == r[i].source;
            }
            if (r[i].found)
                kin_buf_printf(&matches, "m%u,\"s,%u\",%u\n", r[i].group, r[i].source, id);
            if (r[i].known && with_source)
                kin_buf_printf(&truth, "\"s,%u\",%u,%u\n", r[i].source, id, r[i].entity);
            else if (r[i].known)
                kin_buf_printf(&truth, "%u,%u\n", id, r[i].entity);
        }
        struct kin_evaluation want = count_all_pairs(r, n);
        struct kin_evaluation got = evaluate_strs(str_of_buf(&matches), str_of_buf(&truth));
        assert_equal_counts(&got, &want);
        kin_buf_deinit(&matches);
        kin_buf_deinit(&truth);
    }
}

/* More records than the first tables hold, and one group of them all. */
static void many_records_in_one_group(void **state)
{
    (void)state;
    enum { MANY = 50000 };
    struct kin_buf matches = {0}, truth = {0};
    kin_buf_puts(&matches, "source,id,match_id\n");
    kin_buf_puts(&truth, "id,entity\n");
    for (unsigned i = 0; i < MANY; i++) {
        kin_buf_printf(&matches, "s,%u,m\n", i);
        kin_buf_printf(&truth, "%u,%u\n", i, i / 2);
    }
    struct kin_evaluation e = evaluate_strs(str_of_buf(&matches), str_of_buf(&truth));
    assert_int_equal(e.levels[0].pairs.found, (uint64_t)MANY * (MANY - 1) / 2);
    assert_int_equal(e.levels[0].pairs.truth, MANY / 2);
    assert_int_equal(e.levels[0].pairs.correct, MANY / 2);
    assert_int_equal(e.levels[0].groups.truth, MANY / 2);
    assert_close(e.levels[0].bcubed_precision, 2 / (double)MANY);
    kin_buf_deinit(&matches);
    kin_buf_deinit(&truth);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    bool done = false;
    for (size_t n = 0; !done; n++) {
        assert_true(n < 500);
        struct kin_evaluation *e = NULL;
        kin_alloc_fail_after(n);
        kin_status status = evaluate_texts(
            kin_str_of(matches_text), KIN_STR("source,id,entity\nx,a,1\ny,b,2\nx,e,3\nx,d,3\n"),
            KIN_STR(PAIRS_HEADER "x,a,y,b,1.5,model\n"), plain_options, &e, NULL);
        kin_alloc_fail_after(SIZE_MAX);
        kin_evaluation_free(e);
        done = status == KIN_OK;
        assert_true(done || status == KIN_E_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_are_defined_everywhere),
        cmocka_unit_test(an_example_by_hand),
        cmocka_unit_test(without_a_source_column_ids_are_enough),
        cmocka_unit_test(records_in_one_file_only_are_left_out),
        cmocka_unit_test(equal_ids_of_two_sources_are_two_records),
        cmocka_unit_test(empty_files_are_perfect),
        cmocka_unit_test(mistakes_name_file_and_line),
        cmocka_unit_test(random_files_agree_with_counting_every_pair),
        cmocka_unit_test(many_records_in_one_group),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
