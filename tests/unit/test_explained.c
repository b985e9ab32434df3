#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "client/explain_impl.h"
#include "common/explain/explained.h"
#include "common/match/job_plan.h"
#include "proto/live.h"
#include "tests/unit/explain_kit.h"

/* Pairs explained: from files, as the command does it, and from features alone. */

static struct kin_str str_of(const struct kin_buf *b)
{
    return (struct kin_str){b->p ? (const char *)b->p : "", b->n};
}

static bool has(const struct kin_buf *text, const char *part)
{
    return text->p && memmem(text->p, text->n, part, strlen(part)) != NULL;
}

/* ---- from files ---- */

static const struct {
    const char *a, *b;
} pairs[] = {{"crm/1", "crm/2"}, {"crm/2", "crm/3"}, {"crm/6", "web/9"}, {"crm/4", "web/a/b"}};
enum { PAIRS = sizeof pairs / sizeof *pairs };

static struct kin_explain *explain_file(const struct kin_workflow *w, unsigned i, bool json,
                                        struct kin_buf *out)
{
    struct kin_explain *e = NULL;
    struct kin_err err = {0};
    kin_status status = kin_explain_open(w, NULL, &e, &err);
    if (status == KIN_OK)
        status =
            kin_explain_pair(e, kin_str_of(pairs[i].a), kin_str_of(pairs[i].b), json, out, &err);
    if (status != KIN_OK)
        fail_msg("%s %s: %s", pairs[i].a, pairs[i].b, err.msg);
    return e;
}

/* expected.txt: of each pair the text, then the JSON. */
static void what_the_command_prints_does_not_change(void **state)
{
    (void)state;
    struct kin_workflow *w = kit_workflow();
    struct kin_buf out = {0}, expected = kit_read("expected.txt");
    for (unsigned i = 0; i < PAIRS; i++) {
        kin_explain_close(explain_file(w, i, false, &out));
        kin_explain_close(explain_file(w, i, true, &out));
    }
    for (size_t i = 0; i < out.n && i < expected.n; i++) {
        size_t from = i < 40 ? 0 : i - 40;
        if (out.p[i] != expected.p[i])
            fail_msg("byte %zu, here: %.*s", i, 80, (const char *)out.p + from);
    }
    assert_int_equal(out.n, expected.n);
    kin_buf_deinit(&out);
    kin_buf_deinit(&expected);
    kin_workflow_free(w);
}

static json_t *parsed(const struct kin_buf *text)
{
    json_error_t error;
    json_t *object = json_loadb((const char *)text->p, text->n, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        fail_msg("line %d: %s", error.line, error.text);
    return object;
}

static void drop(json_t *list, const char *side, const char *key)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        assert_int_equal(json_object_del(side ? json_object_get(item, side) : item, key), 0);
    }
}

static const struct kin_record *find(struct kin_explain *e, const char *text)
{
    struct kin_str source, id;
    const struct kin_record *found = NULL;
    struct kin_err err;
    kin_record_name_split(e->x.workflow, kin_str_of(text), &source, &id);
    assert_int_equal(kin_records_find(&e->records, source, id, &found, &err), KIN_OK);
    return found;
}

/* What a cluster knows of a pair gives the object of the command, without what it cannot know. */
static void features_alone_give_the_same_object(void **state)
{
    (void)state;
    struct kin_workflow *w = kit_workflow();
    for (unsigned i = 0; i < PAIRS; i++) {
        struct kin_buf whole = {0}, bare = {0};
        struct kin_explain *e = explain_file(w, i, true, &whole);
        json_t *expected = parsed(&whole), *keys = json_object_get(expected, "keys");
        uint64_t oversized[8];
        struct kin_explain_blocks blocks = {.keys = oversized};
        const struct kin_explain_side a = {find(e, pairs[i].a)->features, NULL},
                                      b = {find(e, pairs[i].b)->features, NULL};
        struct kin_buf common = {0};
        kin_explain_common_keys(w, a.features, b.features, &common);
        assert_int_equal(common.n / 8, json_array_size(keys));
        for (size_t k = 0; k < json_array_size(keys); k++) {
            if (json_is_true(json_object_get(json_array_get(keys, k), "oversized")))
                oversized[blocks.count++] = kin_le64(common.p + 8 * k);
        }
        drop(json_object_get(expected, "fields"), "a", "raw");
        drop(json_object_get(expected, "fields"), "b", "raw");
        drop(keys, NULL, "records");
        json_object_set_new(json_object_get(expected, "model"), "file", json_null());

        struct kin_explained p;
        struct kin_err err;
        e->x.model_file = NULL;
        assert_int_equal(kin_explained_make(&e->x, &e->arena, &a, &b, &blocks, &p, &err), KIN_OK);
        kin_explained_json(&p, &bare);
        json_t *object = parsed(&bare);
        assert_true(json_equal(object, expected));
        json_decref(object);
        json_decref(expected);
        kin_buf_deinit(&common);
        kin_buf_deinit(&whole);
        kin_buf_deinit(&bare);
        kin_explain_close(e);
    }
    kin_workflow_free(w);
}

/* ---- from features that are built here ---- */

struct world {
    struct kin_workflow *workflow;
    struct kin_buf plan;
    struct kin_value_counts counts;
    struct kin_explainer x;
    struct kin_arena arena;
    uint8_t *ann, *anna, *asked;
};

static kin_status open_explainer(struct world *w)
{
    struct kin_job_plan plan;
    struct kin_err err;
    kin_status status = kin_explainer_init(&w->x, w->workflow, &err);
    if (status == KIN_OK)
        status =
            kin_job_plan_read(w->plan.p, w->plan.n, w->workflow->model->comparison_count, &plan);
    if (status == KIN_OK)
        status = kin_job_plan_counts(&plan, w->x.comparer, &w->counts);
    if (status == KIN_OK)
        status = kin_explainer_model(&w->x, plan.model, &err);
    return status == KIN_OK ? kin_explainer_counts(&w->x, &w->counts, &err) : status;
}

static int world_make(void **state)
{
    static const char *const ann[KIT_FIELDS] = {
        [KIT_NAME] = "ann smith", [KIT_CITY] = "new york", [KIT_TAX] = "7"};
    static const char *const anna[KIT_FIELDS] = {
        [KIT_NAME] = "ann smith", [KIT_CITY] = "york", [KIT_TAX] = "8"};
    struct world *w = kin_calloc(1, sizeof *w);
    assert_non_null(w);
    w->workflow = kit_workflow();
    w->ann = kit_record(w->workflow, KIT_CRM, "a\n\"1\"", ann, 3653);
    w->anna = kit_record(w->workflow, KIT_WEB, "1", anna, 3653);
    w->asked = kit_record(w->workflow, KIN_LIVE_NO_SOURCE, "?", ann, -1);
    kit_plan(w->workflow, 0, w->ann, &w->plan);
    assert_int_equal(open_explainer(w), KIN_OK);
    *state = w;
    return 0;
}

static int world_free(void **state)
{
    struct world *w = *state;
    kin_explainer_deinit(&w->x);
    kin_value_counts_deinit(&w->counts);
    kin_arena_deinit(&w->arena);
    kin_buf_deinit(&w->plan);
    kin_free(w->ann);
    kin_free(w->anna);
    kin_free(w->asked);
    kin_workflow_free(w->workflow);
    kin_free(w);
    return 0;
}

static kin_status explain(struct world *w, const uint8_t *a, const uint8_t *b,
                          const struct kin_explain_blocks *blocks, bool json, struct kin_buf *out)
{
    struct kin_explained p;
    struct kin_err err;
    const struct kin_explain_side sides[] = {{a, NULL}, {b, NULL}};
    kin_status status =
        kin_explained_make(&w->x, &w->arena, &sides[0], &sides[1], blocks, &p, &err);
    if (status == KIN_OK)
        (json ? kin_explained_json : kin_explained_text)(&p, out);
    return status == KIN_OK && out->failed ? KIN_E_NOMEM : status;
}

static void what_is_not_known_is_left_out(void **state)
{
    struct world *w = *state;
    struct kin_buf json = {0}, text = {0};
    const struct kin_explain_blocks unknown = {0};
    assert_int_equal(explain(w, w->ann, w->anna, &unknown, true, &json), KIN_OK);
    json_decref(parsed(&json));
    assert_false(has(&json, "\"raw\""));
    assert_false(has(&json, "\"records\""));
    assert_true(has(&json, "\"file\": null"));
    assert_true(has(&json, "\"a\": {\"source\": \"crm\", \"id\": \"a\\n\\\"1\\\"\"}"));
    assert_true(has(&json, "\"verdict\": \"kept_apart\", \"compared\": \"yes\", "
                           "\"decided_by\": \"close name\""));
    assert_true(has(&json, "{\"name\": \"two tax numbers\", \"truth\": \"true\""));
    assert_true(has(&json, "\"value\": \"A525\", \"oversized\": false, \"star\": false}"));
    /* a name that 90 of 100 records have says little */
    assert_true(has(&json, "\"weight\": 3.224, \"term_frequency\": -"));
    assert_int_equal(explain(w, w->ann, w->anna, &unknown, false, &text), KIN_OK);
    assert_true(has(&text, "  soundex(name): A525\n"));
    assert_true(has(&text, "(90 of 100 records have the value)"));
    assert_true(has(&text, "model: as trained;"));
    assert_true(has(&text, "crm/a?\"1\""));
    assert_false(has(&text, "(null)"));
    kin_buf_deinit(&json);
    kin_buf_deinit(&text);
}

static void a_record_of_no_source_has_no_name(void **state)
{
    struct world *w = *state;
    struct kin_buf json = {0}, back = {0}, text = {0};
    const struct kin_explain_blocks unknown = {0};
    assert_int_equal(explain(w, w->asked, w->anna, &unknown, true, &json), KIN_OK);
    json_decref(parsed(&json));
    assert_true(has(&json, "{\n  \"a\": {},\n  \"b\": {\"source\": \"web\", \"id\": \"1\"},"));
    assert_int_equal(explain(w, w->anna, w->asked, &unknown, true, &back), KIN_OK);
    assert_true(has(&back, "\"b\": {},\n"));
    assert_int_equal(explain(w, w->asked, w->anna, &unknown, false, &text), KIN_OK);
    assert_false(has(&text, "?"));
    /* two of them are not of one source */
    w->workflow->across_sources = true;
    kin_buf_clear(&json);
    assert_int_equal(explain(w, w->asked, w->asked, &unknown, true, &json), KIN_OK);
    assert_true(has(&json, "\"compared\": \"yes\""));
    kin_buf_clear(&json);
    assert_int_equal(explain(w, w->ann, w->ann, &unknown, true, &json), KIN_OK);
    assert_true(has(&json, "\"verdict\": \"not_compared\", \"compared\": \"same_source\""));
    kin_buf_deinit(&json);
    kin_buf_deinit(&back);
    kin_buf_deinit(&text);
}

static void oversized_keys_are_known_by_a_list_or_by_size(void **state)
{
    struct world *w = *state;
    uint64_t key = kit_key(w->workflow, w->ann, w->anna, "soundex(name)");
    const uint64_t limit = w->workflow->limits.max_block, more = limit + 1;
    const struct {
        struct kin_explain_blocks blocks;
        bool oversized;
    } cases[] = {{{0}, false},
                 {{&key, NULL, 1}, true},
                 {{&key, &limit, 1}, false},
                 {{&key, &more, 1}, true},
                 {{&(uint64_t){key + 1}, NULL, 1}, false}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_buf json = {0};
        char records[64];
        assert_int_equal(explain(w, w->asked, w->anna, &cases[i].blocks, true, &json), KIN_OK);
        assert_int_equal(has(&json, "\"compared\": \"oversized_keys_only\""), cases[i].oversized);
        assert_int_equal(has(&json, "\"oversized\": true"), cases[i].oversized);
        const uint64_t *sizes = cases[i].blocks.records;
        snprintf(records, sizeof records, "\"records\": %llu,",
                 sizes ? (unsigned long long)*sizes : 0);
        assert_int_equal(has(&json, records), sizes != NULL);
        kin_buf_deinit(&json);
    }
}

static void keys_of_no_rule_are_passed_over(void **state)
{
    struct world *w = *state;
    struct kin_buf keys = {0};
    size_t count = w->workflow->key_count;
    kin_explain_common_keys(w->workflow, w->ann, w->anna, &keys);
    assert_int_equal(keys.n, 8);
    kin_buf_clear(&keys);
    w->workflow->key_count = 0; /* the records are of another workflow */
    kin_explain_common_keys(w->workflow, w->ann, w->anna, &keys);
    assert_int_equal(keys.n, 0);
    w->workflow->key_count = count;
    kin_buf_deinit(&keys);
}

static void a_model_of_other_comparisons_is_refused(void **state)
{
    struct world *w = *state;
    struct kin_buf text = kit_read("model.json");
    struct kin_err err = {0};
    const struct kin_model *before = w->x.model;
    uint8_t *name = memmem(text.p, text.n, "jaro_winkler 0.9", 16);
    assert_non_null(name);
    name[15] = '8';
    assert_int_equal(kin_explainer_model(&w->x, str_of(&text), &err), KIN_E_INVAL);
    assert_int_equal(kin_explainer_model(&w->x, KIN_STR("{"), &err), KIN_E_SYNTAX);
    assert_ptr_equal(w->x.model, before);
    kin_buf_deinit(&text);
}

static void without_memory_it_says_so(void **state)
{
    struct world *w = *state;
    const struct kin_explain_blocks unknown = {0};
    kin_status status = KIN_E_NOMEM;
    size_t n = 0;
    for (; status == KIN_E_NOMEM && n < 5000; n++) {
        struct kin_buf json = {0};
        kin_explainer_deinit(&w->x);
        kin_value_counts_deinit(&w->counts);
        kin_alloc_fail_after(n);
        status = open_explainer(w);
        if (status == KIN_OK)
            status = explain(w, w->ann, w->anna, &unknown, true, &json);
        kin_alloc_fail_after(SIZE_MAX);
        kin_buf_deinit(&json);
        kin_arena_clear(&w->arena);
    }
    assert_int_equal(status, KIN_OK);
    assert_true(n > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_free)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_command_prints_does_not_change),
                                       cmocka_unit_test(features_alone_give_the_same_object),
                                       TEST(what_is_not_known_is_left_out),
                                       TEST(a_record_of_no_source_has_no_name),
                                       TEST(oversized_keys_are_known_by_a_list_or_by_size),
                                       TEST(keys_of_no_rule_are_passed_over),
                                       TEST(a_model_of_other_comparisons_is_refused),
                                       TEST(without_memory_it_says_so)};
    if (chdir(EXPLAIN_DATA) != 0) /* paths in what is printed are those of the workflow file */
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
