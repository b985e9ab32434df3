#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/records.h"
#include "tests/unit/scratch_dir.h"

/* client/records: which rows stand, what is kept, what is counted. */

static const char workflow_text[] =
    "kindred: 1\n"
    "workflow: t\n"
    "sources:\n"
    "  crm: {path: crm*.csv, id: key, updated: changed}\n"
    "  web: {path: web.jsonl, id: key}\n"
    "fields:\n"
    "  name: name\n"
    "  city: text\n"
    "  phone: {type: phone, country: GB, columns: [mobile, landline]}\n"
    "block_on: [name, city]\n"
    "model:\n"
    "  compare:\n"
    "    name: [exact, jaro_winkler 0.9]\n"
    "    city: {levels: [exact], term_frequency: true}\n";

static const char crm_1[] = "key,name,city,mobile,landline,changed\n"
                            "1,Ann,York,,,2020-01-01\n"
                            "2,Bob,York,,,2020-05-05\n"
                            "3,Cy,Leeds,,,\n"
                            ",Nobody,York,,,\n";
static const char crm_2[] = "key,name,city,mobile,landline,changed\n"
                            "1,Anna,Bath,020 7946 0018, 020 7946 0019 ,2021-01-01\n"
                            "2,Bobby,Bath,,,2019-01-01\n"
                            "3,Cyril,York,,,\n";
static const char web[] = "{\"key\": \"1\", \"name\": \"Zed\", \"city\": [\"York\", \"Bath\"]}\n"
                          "{\"key\": \"a/b\", \"name\": \"Yul\"}\n";

struct world {
    char dir[SCRATCH_PATH];
    struct kin_workflow *workflow;
    struct kin_comparer *comparer;
};

static void put(const struct world *w, const char *name, const char *text)
{
    char path[SCRATCH_PATH + 32];
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    assert_true(scratch_put(path, text, strlen(text)));
}

static int world_make(void **state)
{
    struct world *w = kin_calloc(1, sizeof *w);
    struct kin_problems problems = {0};
    struct kin_err err;
    assert_non_null(w);
    assert_true(scratch_make(w->dir));
    put(w, "crm-1.csv", crm_1);
    put(w, "crm-2.csv", crm_2);
    put(w, "web.jsonl", web);
    assert_int_equal(kin_workflow_parse(KIN_STR(workflow_text), w->dir, &w->workflow, &problems),
                     KIN_OK);
    kin_problems_deinit(&problems);
    const struct kin_workflow_model *m = w->workflow->model;
    assert_int_equal(kin_comparer_new(&w->workflow->schema, m->comparisons, m->comparison_count,
                                      &w->comparer, &err),
                     KIN_OK);
    *state = w;
    return 0;
}

static int world_free(void **state)
{
    struct world *w = *state;
    kin_comparer_free(w->comparer);
    kin_workflow_free(w->workflow);
    scratch_remove(w->dir);
    kin_free(w);
    return 0;
}

static void read_all(const struct world *w, const struct kin_records_want *want,
                     struct kin_records *out)
{
    struct kin_err err = {0};
    kin_status status = kin_records_read(w->workflow, want, out, &err);
    if (status != KIN_OK)
        print_error("%s\n", err.msg);
    assert_int_equal(status, KIN_OK);
}

static const struct kin_record *find(const struct kin_records *r, const char *name)
{
    struct kin_str source, id;
    const struct kin_record *found = NULL;
    struct kin_err err;
    kin_record_name_split(r->workflow, kin_str_of(name), &source, &id);
    assert_int_equal(kin_records_find(r, source, id, &found, &err), KIN_OK);
    return found;
}

static void the_latest_row_stands_or_else_the_last(void **state)
{
    const struct world *w = *state;
    const struct kin_str ids[] = {KIN_STR("3"), KIN_STR("1"), KIN_STR("2"), KIN_STR("a/b")};
    struct kin_records_want want = {.ids = ids, .id_count = 4};
    struct kin_records r;
    read_all(w, &want, &r);
    assert_int_equal(r.live, 5);
    assert_int_equal(r.live_by_source[0], 3);
    assert_int_equal(r.live_by_source[1], 2);
    assert_int_equal(r.count, 5);
    assert_string_equal(find(&r, "crm/1")->raw[0], "Anna");
    assert_string_equal(find(&r, "2")->raw[0], "Bob");
    assert_string_equal(find(&r, "3")->raw[0], "Cyril");
    assert_string_equal(find(&r, "web/1")->raw[0], "Zed");
    assert_string_equal(find(&r, "a/b")->raw[0], "Yul");
    kin_records_deinit(&r);
}

static void raw_values_are_those_of_the_input(void **state)
{
    const struct world *w = *state;
    const struct kin_str ids[] = {KIN_STR("1")};
    struct kin_records_want want = {.ids = ids, .id_count = 1};
    struct kin_records r;
    read_all(w, &want, &r);
    assert_string_equal(find(&r, "crm/1")->raw[2], "020 7946 0018;  020 7946 0019 ");
    assert_string_equal(find(&r, "web/1")->raw[1], "York; Bath");
    assert_string_equal(find(&r, "web/1")->raw[2], "");
    kin_records_deinit(&r);
}

static void values_and_keys_are_counted_over_what_stands(void **state)
{
    const struct world *w = *state;
    const struct kin_str ids[] = {KIN_STR("1"), KIN_STR("2")};
    struct kin_records_want want = {
        .ids = ids, .id_count = 2, .comparer = w->comparer, .values = 3};
    struct kin_records r;
    read_all(w, &want, &r);
    uint64_t york, bath;
    uint64_t terms[KIN_COMPARISON_TERMS_MAX];
    assert_int_equal(kin_comparer_terms(w->comparer, 1, find(&r, "2")->features, terms), 1);
    york = terms[0]; /* Bob of York */
    assert_int_equal(kin_comparer_terms(w->comparer, 1, find(&r, "crm/1")->features, terms), 1);
    bath = terms[0];                        /* Anna of Bath */
    assert_int_equal(r.counts.total[1], 4); /* Yul has no city */
    assert_int_equal(kin_value_counts_of(&r.counts, 1, york), 3);
    assert_int_equal(kin_value_counts_of(&r.counts, 1, bath), 2);
    assert_int_equal(r.counts.total[0], 5);
    assert_int_equal(r.equal[1].pairs, 6);
    assert_int_equal(r.equal[1].equal, 3 + 1);
    assert_int_equal(r.equal[0].equal, 0);

    unsigned n;
    const uint8_t *keys = kin_features_keys(find(&r, "2")->features, &n);
    assert_int_equal(n, 2);
    uint64_t wanted[3] = {kin_le64(keys), kin_le64(keys + 8), UINT64_MAX};
    struct kin_records_want sizes = {.keys = wanted, .key_count = 3};
    struct kin_records counted;
    read_all(w, &sizes, &counted);
    assert_int_equal(counted.count, 0);
    assert_int_equal(counted.key_records[0], 1); /* bob */
    assert_int_equal(counted.key_records[1], 3); /* york */
    assert_int_equal(counted.key_records[2], 0);
    kin_records_deinit(&counted);
    kin_records_deinit(&r);
}

static void a_sample_has_as_many_records_as_asked_for(void **state)
{
    const struct world *w = *state;
    for (size_t n = 1; n <= 6; n++) {
        struct kin_records_want limit = {.sample_size = n};
        struct kin_records first, sample;
        read_all(w, &limit, &first);
        assert_true(n < 5 ? first.sample_limit < UINT64_MAX : first.sample_limit == UINT64_MAX);
        struct kin_records_want want = {.sample_limit = first.sample_limit};
        read_all(w, &want, &sample);
        assert_int_equal(sample.count, n < 5 ? n : 5);
        kin_records_deinit(&first);
        kin_records_deinit(&sample);
    }
}

static void what_cannot_be_found_is_said(void **state)
{
    const struct world *w = *state;
    const struct kin_str ids[] = {KIN_STR("1"), KIN_STR("7")};
    struct kin_records_want want = {.ids = ids, .id_count = 2};
    struct kin_records r;
    const struct kin_record *found = NULL;
    struct kin_err err;
    read_all(w, &want, &r);
    struct kin_str none = {NULL, 0};
    assert_int_equal(kin_records_find(&r, none, KIN_STR("1"), &found, &err), KIN_E_EXISTS);
    assert_string_equal(err.msg, "id '1' is in source 'crm' and in 'web'");
    assert_int_equal(kin_records_find(&r, none, KIN_STR("7"), &found, &err), KIN_E_NOTFOUND);
    assert_int_equal(kin_records_find(&r, KIN_STR("web"), KIN_STR("7"), &found, &err),
                     KIN_E_NOTFOUND);
    assert_string_equal(err.msg, "no record of source 'web' has the id '7'");
    assert_int_equal(kin_records_find(&r, KIN_STR("erp"), KIN_STR("1"), &found, &err),
                     KIN_E_NOTFOUND);
    assert_null(found);
    kin_records_deinit(&r);
}

static void trouble_names_the_file(void **state)
{
    const struct world *w = *state;
    struct kin_records_want want = {0};
    struct kin_records r;
    struct kin_err err;
    put(w, "crm-3.csv", "other,name\n1,x\n");
    assert_int_equal(kin_records_read(w->workflow, &want, &r, &err), KIN_E_SYNTAX);
    assert_non_null(strstr(err.msg, "crm-3.csv"));
    assert_non_null(strstr(err.msg, "no column 'key'"));
    put(w, "crm-3.csv", "");
    assert_int_equal(kin_records_read(w->workflow, &want, &r, &err), KIN_E_SYNTAX);
    scratch_remove(w->dir);
    assert_int_equal(kin_records_read(w->workflow, &want, &r, &err), KIN_E_NOTFOUND);
    assert_non_null(strstr(err.msg, "source 'crm'"));
}

static void every_allocation_may_fail(void **state)
{
    const struct world *w = *state;
    const struct kin_str ids[] = {KIN_STR("1"), KIN_STR("2")};
    struct kin_records_want want = {
        .ids = ids, .id_count = 2, .comparer = w->comparer, .values = 3, .sample_size = 2};
    struct kin_records r;
    struct kin_err err;
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(kin_records_read(w->workflow, &want, &r, &err), KIN_OK);
    kin_records_deinit(&r);
    size_t made = kin_alloc_fail_after(SIZE_MAX);
    assert_true(made > 5);
    for (size_t n = 0; n < made; n++) {
        kin_alloc_fail_after(n);
        kin_status status = kin_records_read(w->workflow, &want, &r, &err);
        kin_alloc_fail_after(SIZE_MAX);
        assert_int_not_equal(status, KIN_OK);
        assert_int_equal(r.count, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_free)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(the_latest_row_stands_or_else_the_last),
                                       TEST(raw_values_are_those_of_the_input),
                                       TEST(values_and_keys_are_counted_over_what_stands),
                                       TEST(a_sample_has_as_many_records_as_asked_for),
                                       TEST(what_cannot_be_found_is_said),
                                       TEST(trouble_names_the_file),
                                       TEST(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
