/* What clients read that others wrote: report.json for the summary, the status of a cluster, and
 * text that goes to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cluster_options.h"
#include "client/display.h"
#include "client/report_read.h"
#include "client/status_read.h"
#include "client/terminal.h"

static const char report[] =
    "{\"workflow\": \"w\", \"read\": 12, \"grouped\": 5, \"singletons\": 4, \"superseded\": 2,\n"
    " \"rejected\": 1, \"sources\": [{\"source\": \"a\", \"read\": 7, \"grouped\": 3,\n"
    " \"singletons\": 2, \"superseded\": 1, \"rejected\": 1}, {\"source\": \"b\", \"read\": 5,\n"
    " \"grouped\": 2, \"singletons\": 2, \"superseded\": 1, \"rejected\": 0}],\n"
    " \"groups\": {\"of_two_or_more\": 2, \"largest\": 3, \"over_max_group\": 1,\n"
    " \"sizes\": {\"1\": 4, \"2\": 1, \"3\": 1, \"4\": 0, \"5-9\": 0, \"10-49\": 0, \"50-99\": 0,\n"
    " \"100-499\": 0, \"500+\": 0}}, \"pairs_compared\": 100, \"pairs_matched\": 6,\n"
    " \"oversized_blocks\": [{}, {}], \"excess_keys\": 8, \"fields_without_column\": [\"f\"],\n"
    " \"vetoes\": {\"components_checked\": 3, \"components_too_large\": 4,\n"
    " \"matched_pairs_refused\": 5}, \"seconds\": {\"load\": 1.5, \"match\": 0.25, \"write\": 1},\n"
    " \"later\": {\"anything\": null}}";

static void test_report_is_read(void **state)
{
    (void)state;
    struct kin_report_read r;
    struct kin_err err;
    assert_int_equal(kin_report_read(kin_str_of(report), &r, &err), KIN_OK);
    assert_string_equal(r.workflow, "w");
    assert_int_equal(r.source_count, 2);
    assert_string_equal(r.sources[1].name, "b");
    assert_int_equal(r.sources[0].superseded, 1);
    assert_int_equal(r.rejected, 1);
    assert_int_equal(r.groups, 2);
    assert_int_equal(r.largest_group, 3);
    assert_int_equal(r.sizes[2], 1);
    assert_int_equal(r.oversized_blocks, 2);
    assert_int_equal(r.veto_unchecked, 4);
    assert_int_equal(r.veto_refused, 5);
    assert_int_equal(r.without_column_count, 1);
    assert_true(r.match_seconds == 0.25 && r.total_seconds == 2.75);
    struct kin_buf out = {0};
    kin_display_summary(&r, 2.75, "out", 0, &out);
    kin_buf_putc(&out, '\0');
    assert_non_null(strstr((const char *)out.p, "\nw: 2.75 s in the cluster\n"));
    assert_non_null(strstr((const char *)out.p, "  0.0 million a second\n"));
    assert_non_null(strstr((const char *)out.p, "field 'f'"));
    kin_buf_deinit(&out);
    kin_report_read_deinit(&r);
}

/* Cut anywhere, and with any one byte changed: read or refused, never more. */
static void test_any_report_is_read_or_refused(void **state)
{
    (void)state;
    struct kin_report_read r;
    char text[sizeof report];
    for (size_t n = 0; n < sizeof report - 1; n++)
        assert_int_not_equal(kin_report_read((struct kin_str){report, n}, &r, NULL), KIN_OK);
    for (size_t i = 0; i < sizeof report - 1; i++) {
        static const char bytes[] = "\"{}[]:,-9e.\\\0\xff"
                                    "n";
        for (size_t k = 0; k < sizeof bytes - 1; k++) {
            memcpy(text, report, sizeof report);
            text[i] = bytes[k];
            if (kin_report_read((struct kin_str){text, sizeof report - 1}, &r, NULL) == KIN_OK)
                kin_report_read_deinit(&r);
        }
    }
}

static void test_report_that_lacks_something_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new;
    } changes[] = {{"\"workflow\"", "\"work\""},
                   {"\"rejected\": 1,", "\"rejected\": -1,"},
                   {"\"read\": 7", "\"read\": \"7\""},
                   {"\"500+\": 0", "\"500+\": null"},
                   {"[\"f\"]", "[7]"},
                   {"\"match\": 0.25", "\"match\": -0.25"},
                   {"\"match\": 0.25", "\"match\": 1e300"}};
    struct kin_report_read r;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char text[sizeof report + 40];
        const char *at = strstr(report, changes[i].old);
        assert_non_null(at);
        int n = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - report), report, changes[i].new,
                         at + strlen(changes[i].old));
        assert_int_equal(kin_report_read((struct kin_str){text, (size_t)n}, &r, NULL),
                         KIN_E_CORRUPT);
    }
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    struct kin_report_read r;
    bool read = false;
    for (size_t n = 0; n < 100 && !read; n++) {
        kin_alloc_fail_after(n);
        kin_status status = kin_report_read(kin_str_of(report), &r, NULL);
        kin_alloc_fail_after(SIZE_MAX);
        read = status == KIN_OK;
        assert_true(read || status == KIN_E_NOMEM);
    }
    assert_true(read);
    kin_report_read_deinit(&r);
}

/* ---- status ---- */

static const char status[] =
    "{\"cluster\":\"00000000000000ab\",\"version\":\"1\",\"uptime_ms\":7300000,"
    "\"workers_wanted\":3,\"workers\":[{\"node\":1,\"name\":\"w1\",\"joined\":true,\"threads\":2,"
    "\"silent_ms\":12,\"shards\":128},{\"node\":2,\"name\":\"\\u001b[31mw2\",\"joined\":false,"
    "\"silent_ms\":61000}],\"jobs\":[{\"job\":\"0123456789abcdef\",\"workflow\":\"people\","
    "\"state\":\"running\",\"phase\":\"match\",\"done\":1,\"total\":4,\"records\":1234567,"
    "\"runs\":2,\"submitted_ms\":1000},{\"job\":\"00\",\"state\":\"failed\","
    "\"error\":\"bad\\nthing\\u009b\"},7]}";

static const char *text_of(struct kin_buf *b)
{
    kin_buf_putc(b, '\0');
    return (const char *)b->p;
}

static void test_status_is_shown(void **state)
{
    (void)state;
    struct kin_status_read *s;
    struct kin_buf out = {0};
    assert_int_equal(kin_status_read(kin_str_of(status), &s, NULL), KIN_OK);
    kin_status_cluster(s, 61000, &out);
    const char *text = text_of(&out);
    assert_non_null(strstr(text, "cluster 00000000000000ab, version 1, up for 2 h, 1 worker joined "
                                 "of 3 that jobs wait for\n"));
    assert_non_null(strstr(text, "   1  w1                    joined        2      128\n"));
    assert_non_null(strstr(text, "?[31mw2"));
    assert_non_null(strstr(text, "silent for 61 s"));
    assert_non_null(strstr(text, "0123456789abcdef  people                running: match        "
                                 "25 %       1,234,567     60 s  (run 2)\n"));
    assert_non_null(strstr(text, "bad?thing?\n"));
    assert_null(strchr(text, '\x1b'));
    assert_true(kin_status_worker(s, "w1"));
    assert_false(kin_status_worker(s, "w2"));
    assert_false(kin_status_worker(s, "\x1b[31mw2"));
    assert_false(kin_status_worker(s, ""));
    kin_buf_clear(&out);
    kin_status_json(s, &out);
    text = text_of(&out);
    assert_non_null(strstr(text, "\\u001B[31mw2"));
    assert_null(strchr(text, '\x9b'));
    kin_buf_deinit(&out);
    kin_status_read_free(s);
}

static void test_any_status_is_shown_or_refused(void **state)
{
    (void)state;
    static const char *const odd[] = {"{}", "{\"jobs\":7,\"workers\":{}}",
                                      "{\"jobs\":[null,[],{\"job\":[]}],\"workers\":[1,\"x\"]}",
                                      "{\"jobs\":[{\"done\":9223372036854775807,\"total\":1}]}",
                                      "{\"jobs\":[{\"records\":-1,\"submitted_ms\":-5}]}"};
    static const char *const refused[] = {"", "7", "[]", "{", "{\"a\":\"\\u0000\"}", "nonsense"};
    struct kin_status_read *s;
    struct kin_buf out = {0};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_int_equal(kin_status_read(kin_str_of(odd[i]), &s, NULL), KIN_OK);
        kin_status_cluster(s, 0, &out);
        kin_status_read_free(s);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(kin_status_read(kin_str_of(refused[i]), &s, NULL), KIN_E_SYNTAX);
    kin_buf_deinit(&out);
}

/* ---- terminal ---- */

static void test_text_is_fit_for_a_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
        const char *cell;
    } cases[] = {{"abc", 5, "abc  "},
                 {"abcdef", 5, "ab..."},
                 {"abcde", 5, "abcde"},
                 {"Zo\xc3\xab", 5, "Zo\xc3\xab  "},
                 {"a\x1b[2Jb", 8, "a?[2Jb  "},
                 {"a\nb\tc\r\x7f", 8, "a?b?c?? "},
                 {"\xc2\x9b\xe2\x80\xae\xff\xc3", 4, "????"},
                 {"", 2, "  "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_buf out = {0};
        kin_terminal_cell(&out, kin_str_of(cases[i].text), cases[i].columns);
        assert_string_equal(text_of(&out), cases[i].cell);
        kin_buf_deinit(&out);
    }
}

/* ---- command lines ---- */

static void test_paths_are_made_absolute_by_their_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"/a/b", "/a/b"},          {"/a//b/./c/", "/a/b/c"},
                                           {"/a/../b", "/b"},         {"/../..", "/"},
                                           {"/a/b/../../c", "/c"},    {"/", "/"},
                                           {"/a/..b/.c", "/a/..b/.c"}};
    struct kin_err err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_buf out = {0};
        assert_int_equal(kin_cluster_absolute(cases[i][0], &out, &err), KIN_OK);
        assert_string_equal((const char *)out.p, cases[i][1]);
        kin_buf_deinit(&out);
    }
    struct kin_buf here = {0}, below = {0};
    assert_int_equal(kin_cluster_absolute(".", &here, &err), KIN_OK);
    assert_int_equal(kin_cluster_absolute("x/../y", &below, &err), KIN_OK);
    assert_int_equal(here.p[0], '/');
    assert_memory_equal(below.p, here.p, here.n - 1);
    assert_string_equal((const char *)below.p + here.n - 1, here.n > 2 ? "/y" : "y");
    kin_buf_deinit(&here);
    kin_buf_deinit(&below);
}

static void test_jobs_are_16_digits(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "1",
                                        "0123456789abcde",
                                        "0123456789abcdef0",
                                        "0123456789ABCDEF",
                                        "0123456789abcdeg",
                                        "0000000000000000",
                                        " 123456789abcdef"};
    uint64_t id = 0;
    assert_true(kin_cluster_job_id("0123456789abcdef", &id));
    assert_true(id == UINT64_C(0x0123456789abcdef));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(kin_cluster_job_id(wrong[i], &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_is_read),
        cmocka_unit_test(test_any_report_is_read_or_refused),
        cmocka_unit_test(test_report_that_lacks_something_is_refused),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_status_is_shown),
        cmocka_unit_test(test_any_status_is_shown_or_refused),
        cmocka_unit_test(test_text_is_fit_for_a_terminal),
        cmocka_unit_test(test_paths_are_made_absolute_by_their_text),
        cmocka_unit_test(test_jobs_are_16_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
