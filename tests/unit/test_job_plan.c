#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/match/job_plan.h"
#include "tests/unit/explain_kit.h"

/* Plans are read as they were written, and not believed when they are damaged. */

enum { KEYS_AT = 16, COMPARISONS = 3 };

struct world {
    struct kin_workflow *workflow;
    struct kin_comparer *comparer;
    struct kin_comparer_scratch *scratch;
    uint8_t *rec;
    struct kin_buf plan;
};

static int world_make(void **state)
{
    static const char *const texts[KIT_FIELDS] = {
        [KIT_NAME] = "ann smith", [KIT_CITY] = "new york"};
    struct world *w = kin_calloc(1, sizeof *w);
    struct kin_err err;
    assert_non_null(w);
    w->workflow = kit_workflow();
    const struct kin_workflow_model *m = w->workflow->model;
    assert_int_equal(kin_comparer_new(&w->workflow->schema, m->comparisons, m->comparison_count,
                                      &w->comparer, &err),
                     KIN_OK);
    w->scratch = kin_comparer_scratch_new();
    assert_non_null(w->scratch);
    w->rec = kit_record(w->workflow, KIT_CRM, "1", texts, -1);
    kit_plan(w->workflow, 77, w->rec, &w->plan);
    *state = w;
    return 0;
}

static int world_free(void **state)
{
    struct world *w = *state;
    kin_buf_deinit(&w->plan);
    kin_free(w->rec);
    kin_comparer_scratch_free(w->scratch);
    kin_comparer_free(w->comparer);
    kin_workflow_free(w->workflow);
    kin_free(w);
    return 0;
}

static void a_plan_is_read_as_it_was_written(void **state)
{
    struct world *w = *state;
    struct kin_job_plan plan;
    struct kin_value_counts counts = {0};
    struct kin_buf model = kit_read("model.json");
    uint64_t terms[KIN_COMPARISON_TERMS_MAX];
    assert_int_equal(kin_job_plan_read(w->plan.p, w->plan.n, COMPARISONS, &plan), KIN_OK);
    assert_int_equal(plan.key_count, 1);
    assert_int_equal(kin_le64(plan.keys), 77);
    assert_int_equal(plan.model.n, model.n);
    assert_memory_equal(plan.model.p, model.p, model.n);
    assert_int_equal(kin_job_plan_counts(&plan, w->comparer, &counts), KIN_OK);
    assert_int_equal(counts.total[0], 100);
    assert_int_equal(counts.total[2], 0); /* words are the comparer's */
    assert_int_equal(kin_comparer_terms(w->comparer, 0, w->rec, terms), 1);
    assert_int_equal(kin_value_counts_of(&counts, 0, terms[0]), 90);
    kin_value_counts_deinit(&counts);
    kin_buf_deinit(&model);
}

static void words_reach_the_comparer(void **state)
{
    struct world *w = *state;
    static const char *const city[KIT_FIELDS] = {[KIT_CITY] = "new sarum"};
    struct kin_job_plan plan;
    struct kin_value_counts counts = {0};
    uint8_t *other = kit_record(w->workflow, KIT_CRM, "2", city, -1);
    /* as long as all words weigh the same, one of two is half of it; "new" is in many records */
    assert_int_equal(kin_comparer_level(w->comparer, w->scratch, 2, w->rec, other, NULL), 2);
    assert_int_equal(kin_job_plan_read(w->plan.p, w->plan.n, COMPARISONS, &plan), KIN_OK);
    assert_int_equal(kin_job_plan_counts(&plan, w->comparer, &counts), KIN_OK);
    assert_int_equal(kin_comparer_level(w->comparer, w->scratch, 2, w->rec, other, NULL), 3);
    kin_value_counts_deinit(&counts);
    kin_free(other);
}

/* A copy of exactly n bytes: a read past them is seen by the sanitizer. */
static kin_status take(const struct world *w, size_t n, size_t comparisons)
{
    struct kin_job_plan plan;
    struct kin_value_counts counts = {0};
    uint8_t *copy = kin_alloc(n);
    assert_non_null(copy);
    if (n)
        memcpy(copy, w->plan.p, n);
    kin_status status = kin_job_plan_read(copy, n, comparisons, &plan);
    if (status == KIN_OK)
        status = kin_job_plan_counts(&plan, comparisons ? w->comparer : NULL, &counts);
    kin_value_counts_deinit(&counts);
    kin_free(copy);
    return status;
}

static void a_plan_that_was_cut_short_is_refused(void **state)
{
    struct world *w = *state;
    for (size_t n = 0; n < w->plan.n; n++)
        assert_int_equal(take(w, n, COMPARISONS), KIN_E_PROTO);
    assert_int_equal(take(w, w->plan.n, COMPARISONS), KIN_OK);
}

static void counts_that_cannot_be_are_refused(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 4; i++) { /* keys, model, values, tokens */
        uint8_t *at = w->plan.p + 4 * i;
        uint32_t was = kin_le32(at);
        kin_put_le32(at, UINT32_MAX);
        assert_int_equal(take(w, w->plan.n, COMPARISONS), KIN_E_PROTO);
        kin_put_le32(at, was);
    }
    /* of a list: as many as there cannot be, and so many that a product of them is small */
    uint8_t *list = w->plan.p + KEYS_AT + 8 + (kin_le32(w->plan.p + 4) + 7) / 8 * 8 + 8;
    static const uint64_t many[] = {2, UINT64_MAX, (uint64_t)1 << 60};
    assert_int_equal(kin_le64(list), 1);
    for (unsigned i = 0; i < sizeof many / sizeof *many; i++) {
        memcpy(list, &many[i], 8);
        assert_int_equal(take(w, w->plan.n, COMPARISONS), KIN_E_PROTO);
    }
    kin_put_le32(list, 1);
    kin_put_le32(list + 4, 0);
    assert_int_equal(take(w, w->plan.n, COMPARISONS), KIN_OK);
    assert_int_equal(take(w, w->plan.n, 2), KIN_E_PROTO); /* of more comparisons than there are */
    assert_int_equal(take(w, w->plan.n, 0), KIN_E_PROTO); /* a model, and the workflow has none */
}

static void without_memory_it_says_so(void **state)
{
    struct world *w = *state;
    struct kin_job_plan plan;
    struct kin_value_counts counts = {0};
    kin_status status = KIN_E_NOMEM;
    size_t n = 0;
    assert_int_equal(kin_job_plan_read(w->plan.p, w->plan.n, COMPARISONS, &plan), KIN_OK);
    for (; status == KIN_E_NOMEM && n < 1000; n++) {
        kin_alloc_fail_after(n);
        status = kin_job_plan_counts(&plan, w->comparer, &counts);
        kin_alloc_fail_after(SIZE_MAX);
    }
    assert_int_equal(status, KIN_OK);
    assert_true(n > 4);
    assert_int_equal(counts.total[0], 100);
    kin_value_counts_deinit(&counts);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plan_is_read_as_it_was_written), TEST(words_reach_the_comparer),
        TEST(a_plan_that_was_cut_short_is_refused), TEST(counts_that_cannot_be_are_refused),
        TEST(without_memory_it_says_so)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
