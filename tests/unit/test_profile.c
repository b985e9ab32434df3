/* Profiles of columns and files, and what `kindred suggest` makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "client/profile.h"
#include "client/suggest.h"
#include "client/suggest_text.h"
#include "client/suggest_words.h"
#include "common/base/hash.h"
#include "common/workflow/workflow.h"
#include "tests/unit/scratch_dir.h"

/* ---- counts ---- */

static void values_are_counted_exactly_up_to_the_bound(void **state)
{
    (void)state;
    struct kin_counts c = {0};
    size_t budget = KIN_COUNTS_BUDGET;
    for (uint64_t i = 0; i < 3000; i++)
        assert_true(kin_counts_add(&c, 2 * (i % 1000), 0, &budget)); /* 0 is like any other */
    assert_true(kin_counts_exact(&c));
    assert_int_equal(kin_counts_distinct(&c), 1000);
    assert_int_equal(kin_counts_of(&c, 14), 3);
    assert_int_equal(kin_counts_of(&c, 2000), 0);
    assert_int_equal(kin_counts_top(&c), 3);
    assert_int_equal(c.repeats_within, 2000);
    assert_int_equal(c.repeats_across, 0);
    assert_true(kin_counts_add(&c, 14, 1, &budget)); /* another file has it too */
    assert_true(kin_counts_add(&c, 14, 1, &budget));
    assert_int_equal(c.repeats_within, 2001);
    assert_int_equal(c.repeats_across, 1);
    kin_counts_deinit(&c);
}

static void beyond_the_bound_the_number_is_estimated(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {KIN_COUNTS_EXACT_MAX + 1, 700000, 3000000};
    for (size_t k = 0; k < 3; k++) {
        struct kin_counts c = {0};
        size_t budget = KIN_COUNTS_BUDGET;
        for (uint64_t i = 0; i < 2 * sizes[k]; i++) {
            uint64_t value = i % sizes[k];
            assert_true(kin_counts_add(&c, kin_hash64(&value, 8, 0), 0, &budget));
        }
        assert_false(kin_counts_exact(&c));
        double share = (double)kin_counts_distinct(&c) / (double)sizes[k];
        if (share < 0.97 || share > 1.03)
            fail_msg("%f of %llu", share, (unsigned long long)sizes[k]);
        uint64_t first = 0;
        assert_int_equal(kin_counts_of(&c, kin_hash64(&first, 8, 0)), 2);
        kin_counts_deinit(&c);
    }
}

static void a_small_budget_ends_exactness_early(void **state)
{
    (void)state;
    struct kin_counts a = {0}, b = {0};
    size_t budget = 1024;
    for (uint64_t i = 0; i < 4000; i++)
        assert_true(kin_counts_add(&a, kin_hash64(&i, 8, 0), 0, &budget));
    for (uint64_t i = 0; i < 40; i++)
        assert_true(kin_counts_add(&b, kin_hash64(&i, 8, 0), 0, &budget));
    assert_false(kin_counts_exact(&a));
    assert_in_range(kin_counts_distinct(&a), 3800, 4200);
    assert_in_range(kin_counts_distinct(&b), 38, 42);
    assert_int_equal(kin_counts_shared(&a, &b), kin_counts_shared(&b, &a));
    kin_counts_deinit(&a);
    kin_counts_deinit(&b);
}

/* ---- columns ---- */

static struct kin_profile_column profile_of(const char *const *values, size_t count)
{
    struct kin_profile_column c = {.name = KIN_STR("x")};
    struct kin_profile_tools tools = {kin_norm_scratch_new(), KIN_COUNTS_BUDGET};
    assert_non_null(tools.norm);
    for (size_t i = 0; i < count; i++)
        assert_true(kin_profile_column_add(&c, &tools, kin_str_of(values[i]), 0, true));
    kin_norm_scratch_free(tools.norm);
    return c;
}
#define PROFILE(...)                               \
    profile_of((const char *const[]){__VA_ARGS__}, \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void characters_words_and_shapes_are_counted(void **state)
{
    (void)state;
    struct kin_profile_column c = PROFILE("Ann Lee", "Zo\xc3\xab 9", "Bob Ray", "n/a");
    assert_int_equal(c.filled, 4);
    assert_int_equal(c.chars, 7 + 5 + 7 + 3);
    assert_int_equal(c.min_chars, 3);
    assert_int_equal(c.max_chars, 7);
    assert_int_equal(c.words, 7);
    assert_int_equal(c.letters, 6 + 2 + 6 + 2);
    assert_int_equal(c.others, 1);
    assert_int_equal(c.digits, 1);
    assert_int_equal(c.blanks, 3);
    assert_int_equal(c.marks, 1);
    assert_int_equal(c.with_digit, 1);
    assert_int_equal(c.without_blank, 1);
    assert_int_equal(c.placeholders, 1);
    assert_string_equal(kin_profile_shape(&c)->text, "Aaa Aaa");
    assert_int_equal(kin_profile_shape(&c)->count, 2);
    kin_profile_column_deinit(&c);
}

static void the_order_of_dates_is_told_by_days_above_twelve(void **state)
{
    (void)state;
    struct kin_profile_column c = PROFILE("25/04/1980", "1/2/80", "3.3.1980", "31.12.1999");
    assert_int_equal(c.day_first, 2);
    assert_int_equal(c.month_first, 0);
    assert_int_equal(c.either, 1);
    assert_int_equal(c.accepted[KIN_AS_DATE], 3);
    assert_int_equal(c.accepted[KIN_AS_DATE_DMY], 4);
    assert_int_equal(c.year_min, 1980);
    assert_int_equal(c.year_max, 1999);
    kin_profile_column_deinit(&c);

    c = PROFILE("04/25/1980", "12-31-99");
    assert_int_equal(c.month_first, 2);
    assert_int_equal(c.day_first, 0);
    kin_profile_column_deinit(&c);

    c = PROFILE("1980-04-25", "19800425", "19800402"); /* these tell nothing, and need not */
    assert_int_equal(c.day_first + c.month_first + c.either, 0);
    kin_profile_column_deinit(&c);
}

static void countries_are_told_by_calling_codes(void **state)
{
    (void)state;
    struct kin_profile_column c = PROFILE("+44 20 7946 0958", "0044 20 7946 0958", "020 7946 0958",
                                          "(212) 555-0100", "+358 9 123456");
    size_t gb = 0, fi = 0;
    while (strcmp(kin_profile_country(gb), "GB") != 0)
        gb++;
    while (strcmp(kin_profile_country(fi), "FI") != 0)
        fi++;
    assert_int_equal(c.countries[gb], 2);
    assert_int_equal(c.countries[fi], 1);
    assert_int_equal(c.domestic, 2);
    assert_int_equal(c.northern, 1);
    kin_profile_column_deinit(&c);
}

static void row_numbers_go_up_by_one(void **state)
{
    (void)state;
    struct kin_profile_column c = PROFILE("7", "8", "9", "12", "13", "x", "14");
    assert_int_equal(c.steps, 3);
    kin_profile_column_deinit(&c);
}

/* ---- names of columns ---- */

static void names_of_columns_tell_their_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum kin_meaning meaning;
    } cases[] = {
        {"first_name", KIN_MEANS_FIRST_NAME},
        {"fname", KIN_MEANS_FIRST_NAME},
        {"givenName", KIN_MEANS_FIRST_NAME},
        {"name.first", KIN_MEANS_FIRST_NAME},
        {"PRIMARY_NAME_LAST", KIN_MEANS_LAST_NAME},
        {"Nachname", KIN_MEANS_LAST_NAME},
        {"customerlastname", KIN_MEANS_LAST_NAME},
        {"dob", KIN_MEANS_BIRTH},
        {"Date of Birth", KIN_MEANS_BIRTH},
        {"birthDate", KIN_MEANS_BIRTH},
        {"E-Mail Address", KIN_MEANS_EMAIL},
        {"email2", KIN_MEANS_EMAIL},
        {"email_home", KIN_MEANS_EMAIL},
        {"PHONE_NUMBER", KIN_MEANS_PHONE},
        {"PHONE_TYPE", KIN_MEANS_CATEGORY},
        {"DRIVERS_LICENSE_NUMBER", KIN_MEANS_PERSON_ID},
        {"DRIVERS_LICENSE_STATE", KIN_MEANS_STATE},
        {"PASSPORT_COUNTRY", KIN_MEANS_COUNTRY},
        {"ADDR_LINE1", KIN_MEANS_ADDRESS},
        {"ADDR_POSTAL_CODE", KIN_MEANS_POSTCODE},
        {"IP address type", KIN_MEANS_CATEGORY},
        {"last_modified", KIN_MEANS_UPDATED},
        {"first_seen", KIN_MEANS_NOTHING},
        {"record_id", KIN_MEANS_RECORD_ID},
        {"brewery_id", KIN_MEANS_RECORD_ID},
        {"cluster_id", KIN_MEANS_LABEL},
        {"entity", KIN_MEANS_LABEL},
        {"xyzzy", KIN_MEANS_NOTHING},
        {"", KIN_MEANS_NOTHING},
        {"\xd0\xb8\xd0\xbc\xd1\x8f", KIN_MEANS_NOTHING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *words;
        enum kin_meaning meaning = kin_meaning_of(kin_str_of(cases[i].name), &words);
        if (meaning != cases[i].meaning)
            fail_msg("%s: %s", cases[i].name, kin_meaning_info(meaning)->text);
    }
}

/* ---- text ---- */

static void assert_text(struct kin_buf *b, const char *wanted)
{
    kin_buf_putc(b, '\0');
    assert_string_equal((char *)b->p, wanted);
    kin_buf_deinit(b);
    *b = (struct kin_buf){0};
}

static void scalars_are_quoted_where_yaml_wants_it(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"first_name", "first_name"},
                                           {"Site name", "Site name"},
                                           {"a: b", "\"a: b\""},
                                           {"x #1", "\"x #1\""},
                                           {"null", "\"null\""},
                                           {"-x", "\"-x\""},
                                           {"a\"b\\", "\"a\\\"b\\\\\""},
                                           {"", "\"\""},
                                           {"@x", "\"@x\""},
                                           {" x", "\" x\""},
                                           {"[x]", "\"[x]\""},
                                           {"data/*.csv", "\"data/*.csv\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_buf b = {0};
        kin_suggest_put_scalar(&b, kin_str_of(cases[i][0]));
        assert_text(&b, cases[i][1]);
    }
}

static void paths_are_seen_from_the_folder(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"/a/b", "/a/b/c.csv", "c.csv"},       {"/a/b", "/a/bc/x.csv", "../bc/x.csv"},
        {"/a/b/c", "/a/x.csv", "../../x.csv"}, {"/", "/x.csv", "x.csv"},
        {"/a", "/b/x.csv", "../b/x.csv"},      {"/a/b", "/a/x.csv", "../x.csv"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_buf b = {0};
        kin_suggest_put_relative(&b, cases[i][0], cases[i][1]);
        assert_text(&b, cases[i][2]);
    }
}

static void numbers_read_well(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    kin_suggest_put_about(&b, 1234567);
    assert_text(&b, "1,230,000");
    kin_suggest_put_about(&b, 0.2);
    assert_text(&b, "0");
    kin_suggest_put_about(&b, 999.6);
    assert_text(&b, "1,000");
    kin_suggest_put_about(&b, 1e30);
    assert_text(&b, "1,000,000,000,000,000,000");
    kin_suggest_put_share(&b, 0.0004);
    assert_text(&b, "under 0.1 %");
    kin_suggest_put_share(&b, 0.123);
    assert_text(&b, "12 %");
    kin_suggest_put_share(&b, 0.998);
    assert_text(&b, "99.8 %");
    kin_suggest_put_share(&b, 1);
    assert_text(&b, "100 %");
    kin_suggest_put_clean(&b,
                          KIN_STR("a\nb\xc2\x85"
                                  "c\xe2\x80\xa8"
                                  "d\xc3\xab"),
                          40);
    assert_text(&b, "a b c d\xc3\xab");
    kin_suggest_put_clean(&b, KIN_STR("abc\xc3\xab"), 4);
    assert_text(&b, "abc...");
}

/* ---- files ---- */

struct folder {
    char path[SCRATCH_PATH];
};

static int make_folder(void **state)
{
    struct folder *f = kin_calloc(1, sizeof *f);
    *state = f;
    return f && scratch_make(f->path) ? 0 : -1;
}

static int remove_folder(void **state)
{
    struct folder *f = *state;
    scratch_remove(f->path);
    kin_free(f);
    return 0;
}

static char *put_file(struct folder *f, const char *name, const char *text, size_t n)
{
    struct kin_buf path = {0};
    kin_buf_printf(&path, "%s/%s", f->path, name);
    kin_buf_putc(&path, '\0');
    assert_false(path.failed);
    assert_true(scratch_put((char *)path.p, text, n));
    return (char *)path.p; /* the caller's, kin_free */
}

static struct kin_profile *read_files(char *const *paths, size_t count,
                                      struct kin_profile_options options)
{
    struct kin_profile_path list[8];
    struct kin_profile *p = NULL;
    struct kin_err err = {0};
    for (size_t i = 0; i < count; i++)
        list[i] = (struct kin_profile_path){paths[i], i};
    if (kin_profile_read(list, count, &options, &p, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    return p;
}

static const struct kin_profile_options all = {1000000, 1 << 24};

static void files_with_the_same_columns_are_one_source(void **state)
{
    struct folder *f = *state;
    static const char a[] = "id,name\n1,ann\n2,bob\n", b[] = "name,id\ncy,3\n",
                      c[] = "id,name,x\n4,di,1\n";
    static const char d[] = "{\"id\":5,\"name\":\"ed\",\"tags\":[\"p\",\"q\"]}\nbad\n";
    char *paths[] = {put_file(f, "a.csv", a, sizeof a - 1), put_file(f, "b.csv", b, sizeof b - 1),
                     put_file(f, "c.csv", c, sizeof c - 1),
                     put_file(f, "d.jsonl", d, sizeof d - 1)};
    struct kin_profile *p = read_files(paths, 4, all);
    assert_int_equal(p->source_count, 3);
    assert_int_equal(p->sources[0].file_count, 2);
    assert_int_equal(p->sources[0].rows, 3);
    assert_int_equal(p->sources[0].column_count, 2);
    assert_int_equal(p->sources[0].columns[0].filled, 3);
    assert_int_equal(p->sources[0].columns[0].counts.repeats_across, 0);
    assert_int_equal(p->sources[1].column_count, 3);
    assert_int_equal(p->sources[2].columns[2].values, 2); /* an array of two */
    assert_int_equal(p->sources[2].columns[2].filled, 1);
    assert_int_equal(p->files[3].bad, 1);
    assert_non_null(strstr(p->files[3].first_bad, "line 2"));
    assert_int_equal(p->rows, 5);
    assert_int_equal(p->sample.rows, 5);
    kin_profile_free(p);
    for (size_t i = 0; i < 4; i++)
        kin_free(paths[i]);
}

/* 20,000 rows of two values. */
static char *put_rows(struct folder *f)
{
    struct kin_buf text = {0};
    kin_buf_puts(&text, "id,name\n");
    for (unsigned i = 0; i < 20000; i++)
        kin_buf_printf(&text, "%05u,name%05u\n", i, i % 1000);
    assert_false(text.failed);
    char *path = put_file(f, "rows.csv", (char *)text.p, text.n);
    kin_buf_deinit(&text);
    return path;
}

static void what_was_not_read_is_estimated(void **state)
{
    char *path = put_rows(*state);
    struct kin_profile *p = read_files(&path, 1, (struct kin_profile_options){3000, 1 << 24});
    assert_int_equal(p->rows, 3000);
    assert_false(p->files[0].whole);
    assert_in_range((uint64_t)p->rows_in_all, 19900, 20100);
    kin_profile_free(p);
    p = read_files(&path, 1, (struct kin_profile_options){20000, 1 << 24});
    assert_true(p->files[0].whole);
    assert_int_equal((uint64_t)p->rows_in_all, 20000);
    kin_profile_free(p);
    kin_free(path);
}

static void small_files_leave_their_share_to_large_ones(void **state)
{
    struct folder *f = *state;
    static const char small[] = "id,other\n1,x\n2,y\n";
    char *paths[] = {put_rows(f), put_file(f, "small.csv", small, sizeof small - 1)};
    struct kin_profile *p = read_files(paths, 2, (struct kin_profile_options){1000, 1 << 24});
    assert_int_equal(p->files[1].rows, 2);
    assert_int_equal(p->files[0].rows, 998);
    kin_profile_free(p);
    kin_free(paths[0]);
    kin_free(paths[1]);
}

static void the_sample_is_thinned_to_its_bound(void **state)
{
    char *path = put_rows(*state);
    struct kin_profile *p = read_files(&path, 1, (struct kin_profile_options){1000000, 100000});
    assert_int_equal(p->rows, 20000);
    assert_true(p->sample.bytes.n <= 100000);
    assert_in_range(p->sample.rows, 500, 3000);
    assert_true(p->sample.thinned > 0);
    assert_int_equal(kin_counts_distinct(&p->sources[0].columns[0].counts), 20000);
    size_t rows = 0;
    for (size_t at = 0; at < p->sample.bytes.n; at += kin_le32(p->sample.bytes.p + at))
        rows++;
    assert_int_equal(rows, p->sample.rows);
    kin_profile_free(p);
    kin_free(path);
}

/* ---- all of it ---- */

static const char *const first_names[] = {"Ann", "Bob",    "Cyril", "Dora", "Edgar",
                                          "Fay", "Gustav", "Hanna", "Igor", "Judith"};
static const char *const last_names[] = {"Lee",   "Maxwell", "Connor", "Young", "Zimmer",
                                         "Quist", "Okafor",  "Petrov", "Sand",  "Underhill"};

/* Persons, every third of them twice, the second time with another case and a blank field. */
static char *put_persons(struct folder *f)
{
    struct kin_buf text = {0};
    kin_buf_puts(&text, "customer_id,fname,lname,birth_date,mail,status\n");
    for (unsigned i = 0; i < 400; i++) {
        unsigned who = i % 300;
        unsigned h = (unsigned)kin_hash_mix(1, who);
        kin_buf_printf(&text, "c%04u,%s,%s%u,19%02u-%02u-%02u,%s%u@example.com,%s\n", i,
                       first_names[h % 10], last_names[h / 16 % 10], h / 4096 % 50, 40 + h % 59,
                       1 + h / 64 % 12, 1 + h / 256 % 28, i < 300 ? "M" : "m", who,
                       i % 2 ? "active" : "closed");
    }
    assert_false(text.failed);
    char *path = put_file(f, "persons.csv", (char *)text.p, text.n);
    kin_buf_deinit(&text);
    return path;
}

static kin_status suggest(const char *path, bool values, struct kin_buf *out, struct kin_err *err)
{
    struct kin_profile_path list = {path, 0};
    struct kin_suggest_options options = {
        .values = values, .arguments = &path, .argument_count = 1};
    struct kin_profile *p = NULL;
    struct kin_buf notes = {0};
    kin_status status = kin_profile_read(&list, 1, &all, &p, err);
    if (status == KIN_OK)
        status = kin_suggest_workflow(p, &options, out, &notes, err);
    kin_profile_free(p);
    kin_buf_deinit(&notes);
    return status;
}

static void assert_parses(const struct kin_buf *text)
{
    struct kin_workflow *w = NULL;
    struct kin_problems problems = {0};
    struct kin_str whole = {(const char *)text->p, text->n};
    kin_status status = kin_workflow_parse(whole, "", &w, &problems);
    if (status != KIN_OK)
        fail_msg("line %u: %s", problems.count ? problems.items[0].line : 0,
                 problems.count ? problems.items[0].text : "?");
    assert_string_equal(w->sources[0].id, "customer_id");
    assert_in_range(w->rule_count, 1, 5);
    assert_true(w->block_key_count >= 1);
    kin_workflow_free(w);
    kin_problems_deinit(&problems);
}

static void a_suggestion_is_a_workflow_and_always_the_same(void **state)
{
    char *path = put_persons(*state);
    struct kin_buf a = {0}, b = {0};
    struct kin_err err = {0};
    if (suggest(path, false, &a, &err) != KIN_OK || suggest(path, false, &b, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
    assert_parses(&a);
    kin_buf_putc(&a, '\0');
    assert_non_null(strstr((char *)a.p, "\n  birth_date: date\n"));
    assert_non_null(strstr((char *)a.p, "\n  mail: email\n"));
    assert_non_null(strstr((char *)a.p, "few different values"));
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
    kin_free(path);
}

static void values_are_shown_only_where_asked_for(void **state)
{
    char *path = put_persons(*state);
    struct kin_buf a = {0}, b = {0};
    struct kin_err err = {0};
    assert_int_equal(suggest(path, false, &a, &err), KIN_OK);
    assert_int_equal(suggest(path, true, &b, &err), KIN_OK);
    assert_parses(&b);
    kin_buf_putc(&a, '\0');
    kin_buf_putc(&b, '\0');
    unsigned shown = 0;
    for (size_t i = 0; i < 10; i++) {
        char quoted[32];
        snprintf(quoted, sizeof quoted, "\"%s\"", first_names[i]);
        assert_null(strstr((char *)a.p, first_names[i]));
        shown += strstr((char *)b.p, quoted) != NULL;
    }
    assert_int_equal(shown, 3);
    assert_null(strstr((char *)a.p, "example.com"));
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
    kin_free(path);
}

/* Every allocation fails in turn, with gaps: an error, and nothing is lost (the sanitizer looks).
 */
static void memory_may_end_at_any_moment(void **state)
{
    char *path = put_persons(*state);
    struct kin_buf out = {0};
    struct kin_err err = {0};
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(suggest(path, true, &out, &err), KIN_OK);
    size_t made = kin_alloc_fail_after(SIZE_MAX);
    kin_buf_deinit(&out);
    assert_true(made > 200);
    size_t step = 1 + made / 60;
    for (size_t n = 0; n < made; n += n < 40 ? 1 : step) {
        struct kin_buf text = {0};
        kin_alloc_fail_after(n);
        kin_status status = suggest(path, true, &text, &err);
        kin_alloc_fail_after(SIZE_MAX);
        if (status != KIN_E_NOMEM)
            fail_msg("allocation %zu of %zu: status %d", n, made, (int)status);
        kin_buf_deinit(&text);
    }
    kin_free(path);
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_counted_exactly_up_to_the_bound),
        cmocka_unit_test(beyond_the_bound_the_number_is_estimated),
        cmocka_unit_test(a_small_budget_ends_exactness_early),
        cmocka_unit_test(characters_words_and_shapes_are_counted),
        cmocka_unit_test(the_order_of_dates_is_told_by_days_above_twelve),
        cmocka_unit_test(countries_are_told_by_calling_codes),
        cmocka_unit_test(row_numbers_go_up_by_one),
        cmocka_unit_test(names_of_columns_tell_their_meaning),
        cmocka_unit_test(scalars_are_quoted_where_yaml_wants_it),
        cmocka_unit_test(paths_are_seen_from_the_folder),
        cmocka_unit_test(numbers_read_well),
        WITH_FOLDER(files_with_the_same_columns_are_one_source),
        WITH_FOLDER(what_was_not_read_is_estimated),
        WITH_FOLDER(small_files_leave_their_share_to_large_ones),
        WITH_FOLDER(the_sample_is_thinned_to_its_bound),
        WITH_FOLDER(a_suggestion_is_a_workflow_and_always_the_same),
        WITH_FOLDER(values_are_shown_only_where_asked_for),
        WITH_FOLDER(memory_may_end_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
