/* The page for people: what is in it, and what nothing can bring into it. Browsers see it in
 * tests/cluster/test_report_html.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/match/model.h"
#include "common/report/report_html.h"

#define EVIL "<script>alert(1)</script>\\\"'&\\u202e"

static const char report[] =
    "{\"workflow\": \"" EVIL "\", \"read\": 12345, \"grouped\": 5, \"singletons\": 12337,\n"
    " \"superseded\": 2, \"rejected\": 1, \"sources\": [{\"source\": \"" EVIL "\",\n"
    " \"read\": 12345, \"grouped\": 5, \"singletons\": 12337, \"superseded\": 2,\n"
    " \"rejected\": 1}], \"groups\": {\"of_two_or_more\": 2, \"largest\": 3,\n"
    " \"sizes\": {\"1\": 12337, \"2\": 1, \"3\": 1}, \"over_max_group\": 1,\n"
    " \"largest_over_max_group\": [{\"match_id\": \"" EVIL "\", \"size\": 3}]},\n"
    " \"pairs_compared\": 100, \"pairs_matched\": 6, \"model\": {\"thresholds\": [\n"
    " {\"threshold\": \"" EVIL "\", \"primary\": true, \"weight\": 4.25, \"pairs\": 77,\n"
    " \"groups\": 88}, {\"threshold\": \"0.5\", \"weight\": 0, \"pairs\": 99, \"groups\": 66}],\n"
    " \"weighed_one_in\": 4, \"weights\": [{\"from\": -3.5, \"below_floor\": 2000,\n"
    " \"from_floor\": 0}, {\"from\": 9, \"below_floor\": 0, \"from_floor\": 55}]},\n"
    " \"keys\": [{\"key\": \"" EVIL "\", \"pairs\": 100, \"compared\": 90, \"seen_before\": 10,\n"
    " \"matched\": 6, \"blocks\": 4, \"largest_block\": 9}],\n"
    " \"large_blocks\": [{\"key\": \"" EVIL "\", \"value\": \"" EVIL "\", \"records\": 9,\n"
    " \"pairs\": 36}], \"oversized_blocks\": [{\"key\": \"k\", \"value\": \"" EVIL "\"}],\n"
    " \"rejected_by_reason\": [{\"reason\": \"" EVIL "\", \"rows\": 1}],\n"
    " \"unparsable_values\": {\"" EVIL "\": 3}, \"fields_without_column\": [\"" EVIL "\"],\n"
    " \"seconds\": {\"" EVIL "\": 1.5, \"match\": 0.25}}";

static void make_model(struct kin_buf *out)
{
    struct kin_model *m = kin_calloc(1, sizeof *m);
    struct kin_model_doubt doubt = {"related-pairs", "names: <b>\"they\"</b> & 'more'"};
    assert_non_null(m);
    m->spec.count = 1;
    m->spec.comparisons[0] = (struct kin_model_comparison){
        "<script>alert(2)</script>", 2, {NULL, "exact \"<i>\"", "else"}, true};
    m->prior = 0.001;
    m->m[0][1] = 0.9;
    m->m[0][2] = 0.1;
    m->u[0][1] = 0.01;
    m->u[0][2] = 0.99;
    m->damping[0] = m->damping_against[0] = 1;
    m->doubts = &doubt;
    m->doubt_count = 1;
    kin_model_round(m);
    assert_int_equal(kin_model_write(m, out, NULL), KIN_OK);
    kin_free(m);
}

static const struct kin_waterfall_step steps[] = {
    {"prior", {"", 0}, {"", 0}, "", -10, -10},
    {"<script>", {"a<\xff\"", 4}, {"\xe2\x80\xaey'", 5}, "<exact>", 15.25, 5.25},
};
static const struct kin_waterfall waterfall = {"The <weakest>", {"s<", 2}, {"1>", 2}, {"t&", 2},
                                               {"2\"", 2},      steps,     2,         0.974};

static char *page_of(const char *json, struct kin_str model, size_t waterfalls)
{
    struct kin_report_html_input in = {kin_str_of(json), model, &waterfall, waterfalls};
    struct kin_buf out = {0};
    struct kin_err err = {0};
    assert_int_equal(kin_report_html(&in, &out, &err), KIN_OK);
    kin_buf_putc(&out, '\0');
    assert_false(out.failed);
    return (char *)out.p;
}

static char *full_page(void)
{
    struct kin_buf model = {0};
    make_model(&model);
    char *page = page_of(report, (struct kin_str){(const char *)model.p, model.n}, 1);
    kin_buf_deinit(&model);
    return page;
}

static void has(const char *page, const char *text)
{
    if (!strstr(page, text))
        fail_msg("the page has no %s", text);
}

static void lacks(const char *page, const char *text)
{
    if (strstr(page, text))
        fail_msg("the page has %s", text);
}

static void names_and_values_bring_no_markup_in(void **state)
{
    (void)state;
    char *page = full_page();
    lacks(page, "<script");
    lacks(page, "<b>\"they");
    lacks(page, "<i>");
    lacks(page, "<exact>");
    lacks(page, "<weakest>");
    lacks(page, "s<<");
    lacks(page, "\xff");
    lacks(page, "\xe2\x80\xae"); /* turns the text behind it round */
    has(page, "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp; </bdi>");
    has(page, "&lt;script&gt;alert(2)&lt;/script&gt;");
    has(page, "names: &lt;b&gt;&quot;they&quot;&lt;/b&gt; &amp; &#39;more&#39;");
    has(page, "<bdi>a&lt;\xef\xbf\xbd&quot;</bdi>");
    kin_free(page);
}

static void the_page_promises_to_load_nothing(void **state)
{
    (void)state;
    char *page = full_page();
    has(page, "Content-Security-Policy\" content=\"default-src 'none';");
    lacks(page, "http:");
    lacks(page, "https:");
    lacks(page, " on"
                "load=");
    lacks(page, "@import");
    lacks(page, "url(");
    kin_free(page);
}

static void the_numbers_of_the_report_are_there(void **state)
{
    (void)state;
    char *page = full_page();
    has(page, "<data value=\"12345\">12,345</data>");
    lacks(page, "do not add up");
    has(page, "<title>-3.5 to -3.0 bits: about 8,000 pairs</title>");
    has(page, "<title>9.0 to 9.5 bits: 55 pairs</title>");
    has(page, "<data value=\"77\">77</data>");
    has(page, "<data value=\"88\">88</data>");
    has(page, "<code><bdi>related-pairs</bdi></code>");
    has(page, "+6.49"); /* log2(0.9 / 0.01) */
    has(page, "1 in 1,000");
    has(page, "+5.25");
    has(page, "97.4\xc2\xa0%");
    kin_free(page);
}

static void counts_that_do_not_add_up_are_told(void **state)
{
    (void)state;
    struct kin_str none = {NULL, 0};
    char *page = page_of("{\"read\": 3, \"grouped\": 2}", none, 0);
    has(page, "do not add up");
    kin_free(page);
}

static void rules_alone_have_no_sections_of_a_model(void **state)
{
    (void)state;
    struct kin_str none = {NULL, 0};
    char *page = page_of("{\"workflow\": \"w\"}", none, 0);
    lacks(page, "id=\"model\"");
    lacks(page, "id=\"pair-weights\"");
    lacks(page, "id=\"doubts\"");
    lacks(page, "id=\"pairs\"");
    has(page, "id=\"blocking\"");
    kin_free(page);
}

static void what_is_no_report_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "[]", "{", "{\"read\": 1} x", "7", "null"};
    struct kin_err err;
    struct kin_buf out = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct kin_report_html_input in = {.report = kin_str_of(bad[i])};
        assert_int_equal(kin_report_html(&in, &out, &err), KIN_E_SYNTAX);
    }
    struct kin_report_html_input in = {.report = KIN_STR("{}"), .model = KIN_STR("{}")};
    assert_int_not_equal(kin_report_html(&in, &out, &err), KIN_OK);
    in = (struct kin_report_html_input){KIN_STR("{}"), {NULL, 0}, &waterfall, 51};
    assert_int_equal(kin_report_html(&in, &out, &err), KIN_E_LIMIT);
    assert_int_equal(out.n, 0);
    kin_buf_deinit(&out);
}

/* Numbers and shapes that no job writes: a page all the same, if a foolish one. */
static void nonsense_in_a_report_does_no_harm(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "{\"sources\": {\"a\": 1}, \"keys\": 7, \"groups\": [], \"seconds\": [1]}",
        "{\"read\": -5, \"grouped\": 1e300, \"rejected\": 9223372036854775807}",
        "{\"sources\": [1, null, []], \"keys\": [[], 1], \"large_blocks\": [null]}",
        "{\"model\": {\"thresholds\": [{\"weight\": 1e308}], \"weights\": [{\"from\": -1e308},"
        " {\"from\": 1e308}, {\"from\": 999, \"below_floor\": 9223372036854775807}],"
        " \"weighed_one_in\": 9223372036854775807}}",
        "{\"model\": {\"thresholds\": {}, \"weights\": {}}}",
        "{\"model\": 1, \"seconds\": {\"a\": -1e300, \"b\": 1e300}}",
    };
    struct kin_str none = {NULL, 0};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char *page = page_of(odd[i], none, 0);
        has(page, "</html>");
        lacks(page, "nan");
        lacks(page, "inf\"");
        kin_free(page);
    }
}

static void a_huge_report_makes_a_page_of_bounded_size(void **state)
{
    (void)state;
    struct kin_buf json = {0};
    struct kin_str none = {NULL, 0};
    kin_buf_puts(&json, "{\"sources\": [{}");
    for (unsigned i = 0; i < 20000; i++)
        kin_buf_printf(&json, ",{\"source\": \"%0300u\"}", i);
    kin_buf_puts(&json, "], \"oversized_blocks\": [{}");
    for (unsigned i = 0; i < 20000; i++)
        kin_buf_printf(&json, ",{\"key\": \"%0300u\", \"value\": \"%0300u\"}", i, i);
    kin_buf_puts(&json, "], \"unparsable_values\": {\"a\": 1");
    for (unsigned i = 0; i < 20000; i++)
        kin_buf_printf(&json, ",\"%0300u\": 1", i);
    kin_buf_puts(&json, "}}");
    kin_buf_putc(&json, '\0');
    char *page = page_of((const char *)json.p, none, 0);
    assert_in_range(strlen(page), 1, 300 * 1000);
    has(page, "19,801 more sources");
    kin_free(page);
    kin_buf_deinit(&json);
}

static void running_out_of_memory_is_told(void **state)
{
    (void)state;
    struct kin_buf model = {0};
    make_model(&model);
    struct kin_report_html_input in = {
        kin_str_of(report), {(const char *)model.p, model.n}, &waterfall, 1};
    kin_status status = KIN_E_NOMEM;
    size_t n = 0;
    for (; status != KIN_OK && n < 1000; n++) {
        struct kin_buf out = {0};
        struct kin_err err;
        kin_alloc_fail_after(n);
        status = kin_report_html(&in, &out, &err);
        kin_alloc_fail_after(SIZE_MAX);
        assert_true(status == KIN_OK || status == KIN_E_NOMEM);
        kin_buf_deinit(&out);
    }
    assert_int_equal(status, KIN_OK);
    assert_true(n > 3);
    kin_buf_deinit(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_bring_no_markup_in),
        cmocka_unit_test(the_page_promises_to_load_nothing),
        cmocka_unit_test(the_numbers_of_the_report_are_there),
        cmocka_unit_test(counts_that_do_not_add_up_are_told),
        cmocka_unit_test(rules_alone_have_no_sections_of_a_model),
        cmocka_unit_test(what_is_no_report_is_refused),
        cmocka_unit_test(nonsense_in_a_report_does_no_harm),
        cmocka_unit_test(a_huge_report_makes_a_page_of_bounded_size),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
