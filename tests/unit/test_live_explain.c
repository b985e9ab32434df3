#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "coordinator/live.h"
#include "tests/unit/explain_kit.h"

/* Pairs of a workflow that is served are explained by the plan of its run. */

struct world {
    struct live live;
    uint8_t *ann, *anna, *asked;
    struct kin_buf out;
};

/* As LIVE_OPEN has it: the plan, padded, then no dead records. */
static struct kin_frame *payload_of(const struct world *w, uint64_t oversized)
{
    struct kin_buf plan = {0};
    struct kin_frame *f = kin_frame_new(0);
    assert_non_null(f);
    kit_plan(w->live.workflow, oversized, w->ann, &plan);
    kin_buf_u32(&f->payload, (uint32_t)plan.n);
    kin_buf_put(&f->payload, plan.p, plan.n);
    kin_buf_put(&f->payload, "\0\0\0", (4 - plan.n % 4) % 4);
    kin_buf_deinit(&plan);
    return f;
}

static int world_make(void **state)
{
    static const char *const ann[KIT_FIELDS] = {
        [KIT_NAME] = "ann smith", [KIT_CITY] = "new york", [KIT_EMAIL] = "a@x.org"};
    static const char *const anna[KIT_FIELDS] = {[KIT_NAME] = "ann smith", [KIT_CITY] = "york"};
    struct world *w = kin_calloc(1, sizeof *w);
    assert_non_null(w);
    w->live.workflow = kit_workflow();
    w->ann = kit_record(w->live.workflow, KIT_CRM, "1", ann, 3653);
    w->anna = kit_record(w->live.workflow, KIT_WEB, "1", anna, 3653);
    w->asked = kit_record(w->live.workflow, KIN_LIVE_NO_SOURCE, "?", ann, 3653);
    w->live.open_payload = payload_of(w, 0);
    *state = w;
    return 0;
}

static int world_free(void **state)
{
    struct world *w = *state;
    live_explainer_free(w->live.explainer);
    kin_frame_unref(w->live.open_payload);
    kin_workflow_free(w->live.workflow);
    kin_buf_deinit(&w->out);
    kin_free(w->ann);
    kin_free(w->anna);
    kin_free(w->asked);
    kin_free(w);
    return 0;
}

static kin_status explain(struct world *w, const uint8_t *a, const uint8_t *b)
{
    kin_buf_clear(&w->out);
    return live_explain_pair(&w->live, a, b, &w->out);
}

static bool says(const struct world *w, const char *part)
{
    return memmem(w->out.p, w->out.n, part, strlen(part)) != NULL;
}

static void an_explanation_is_a_member_of_one_line(void **state)
{
    struct world *w = *state;
    json_error_t error;
    kin_buf_puts(&w->out, "{\"explanation\":");
    assert_int_equal(live_explain_pair(&w->live, w->asked, w->anna, &w->out), KIN_OK);
    kin_buf_puts(&w->out, "}\n");
    assert_ptr_equal(memchr(w->out.p, '\n', w->out.n), w->out.p + w->out.n - 1);
    json_t *line = json_loadb((const char *)w->out.p, w->out.n, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(line);
    json_t *object = json_object_get(line, "explanation"), *a = json_object_get(object, "a");
    assert_int_equal(json_object_size(a), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(object, "b"), "source")),
                        "web");
    assert_string_equal(json_string_value(json_object_get(object, "verdict")), "match");
    assert_string_equal(json_string_value(json_object_get(object, "decided_by")), "close name");
    json_decref(line);
}

static void the_plan_decides(void **state)
{
    struct world *w = *state;
    assert_int_equal(explain(w, w->ann, w->anna), KIN_OK);
    assert_true(says(w, "\"compared\": \"yes\""));
    /* a name that 90 of 100 records have says little */
    assert_true(says(w, "\"weight\": 3.224, \"term_frequency\": -"));
    /* the run is opened anew, by another plan */
    kin_frame_unref(w->live.open_payload);
    w->live.open_payload =
        payload_of(w, kit_key(w->live.workflow, w->ann, w->anna, "soundex(name)"));
    assert_int_equal(explain(w, w->ann, w->anna), KIN_OK);
    assert_true(says(w, "\"compared\": \"oversized_keys_only\""));
    assert_true(says(w, "\"oversized\": true, \"star\": false"));
}

static void a_plan_that_is_damaged_explains_nothing(void **state)
{
    struct world *w = *state;
    struct kin_frame *good = w->live.open_payload, *bad = kin_frame_new(0);
    assert_non_null(bad);
    w->live.open_payload = bad; /* nothing in it */
    assert_int_equal(explain(w, w->ann, w->anna), KIN_E_PROTO);
    kin_buf_put(&bad->payload, good->payload.p, good->payload.n);
    bad->payload.n /= 2;
    assert_int_equal(explain(w, w->ann, w->anna), KIN_E_PROTO);
    kin_put_le32(bad->payload.p, 20);
    assert_int_equal(explain(w, w->ann, w->anna), KIN_E_PROTO);
    w->live.open_payload = NULL;
    assert_int_equal(explain(w, w->ann, w->anna), KIN_E_BUSY);
    assert_int_equal(w->out.n, 0);
    w->live.open_payload = good;
    assert_int_equal(explain(w, w->ann, w->anna), KIN_OK);
    kin_frame_unref(bad);
}

static void without_memory_it_says_so(void **state)
{
    struct world *w = *state;
    kin_status status = KIN_E_NOMEM;
    size_t n = 0;
    for (; status == KIN_E_NOMEM && n < 5000; n++) {
        live_explainer_free(w->live.explainer);
        w->live.explainer = NULL;
        kin_buf_deinit(&w->out);
        kin_alloc_fail_after(n);
        status = explain(w, w->ann, w->anna);
        kin_alloc_fail_after(SIZE_MAX);
    }
    assert_int_equal(status, KIN_OK);
    assert_true(n > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_explanation_is_a_member_of_one_line), TEST(the_plan_decides),
        TEST(a_plan_that_is_damaged_explains_nothing), TEST(without_memory_it_says_so)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
