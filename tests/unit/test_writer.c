/* Cells of CSV, strings of JSON, and both read back by the reader. */
#include "tests/unit/reader_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect(void (*write)(struct kin_buf *, struct kin_str), struct kin_str value,
                   struct kin_str want)
{
    struct kin_buf out = {0};
    write(&out, value);
    struct kin_str got = {(const char *)out.p, out.n};
    if (!kin_str_eq(got, want))
        fail_msg("got %.*s, want %.*s", (int)got.n, got.p, (int)want.n, want.p);
    kin_buf_deinit(&out);
}

static void csv_cell_is_quoted_only_where_needed(void **state)
{
    (void)state;
    expect(kin_csv_cell, KIN_STR(""), KIN_STR(""));
    expect(kin_csv_cell, KIN_STR("plain text; with | and 'quotes'"),
           KIN_STR("plain text; with | and 'quotes'"));
    expect(kin_csv_cell, KIN_STR("a,b"), KIN_STR("\"a,b\""));
    expect(kin_csv_cell, KIN_STR("a\nb"), KIN_STR("\"a\nb\""));
    expect(kin_csv_cell, KIN_STR("a\rb"), KIN_STR("\"a\rb\""));
    expect(kin_csv_cell, KIN_STR("say \"hi\""), KIN_STR("\"say \"\"hi\"\"\""));
    expect(kin_csv_cell, KIN_STR("\""), KIN_STR("\"\"\"\""));
    expect(kin_csv_cell, KIN_STR(" a"), KIN_STR("\" a\""));
    expect(kin_csv_cell, KIN_STR("a\t"), KIN_STR("\"a\t\""));
    expect(kin_csv_cell, KIN_STR("Zo\xc3\xab"), KIN_STR("Zo\xc3\xab"));
}

static void json_string_is_escaped(void **state)
{
    (void)state;
    expect(kin_json_string, KIN_STR(""), KIN_STR("\"\""));
    expect(kin_json_string, KIN_STR("a\"b\\c/"), KIN_STR("\"a\\\"b\\\\c/\""));
    expect(kin_json_string, KIN_STR("\b\f\n\r\t"), KIN_STR("\"\\b\\f\\n\\r\\t\""));
    expect(kin_json_string, KIN_STR("\0\x01\x1f\x7f"), KIN_STR("\"\\u0000\\u0001\\u001f\x7f\""));
    expect(kin_json_string, KIN_STR("\xc3\xa9\xf0\x9f\x98\x80"),
           KIN_STR("\"\xc3\xa9\xf0\x9f\x98\x80\""));
}

static void json_string_replaces_invalid_bytes(void **state)
{
    (void)state;
    expect(kin_json_string,
           KIN_STR("a\xff"
                   "b\xc3"),
           KIN_STR("\"a\xef\xbf\xbd"
                   "b\xef\xbf\xbd\""));
    expect(kin_json_string, KIN_STR("\xed\xa0\x80"),
           KIN_STR("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
}

/* Text without NUL bytes and with every kind of character the writers look at. */
static void random_text(uint64_t *seed, struct kin_buf *out)
{
    static const char *const parts[] = {"a", "\"", ",",    "\n",   "\r",       "\t",
                                        " ", "\\", "\x01", "\x7f", "\xc3\xa9", "\xf0\x9f\x98\x80"};
    kin_buf_puts(out, "x");
    for (size_t left = help_random(seed) % 12; left; left--)
        kin_buf_puts(out, parts[help_random(seed) % (sizeof parts / sizeof *parts)]);
}

static void round_trip(enum kin_format format, uint64_t seed)
{
    struct kin_buf texts[3] = {{0}};
    struct kin_str values[3];
    struct kin_buf file = {0};
    bool csv = format == KIN_FORMAT_CSV;
    kin_buf_puts(&file, csv ? "a,b,c\n" : "{");
    for (size_t i = 0; i < 3; i++) {
        random_text(&seed, &texts[i]);
        values[i] = (struct kin_str){(const char *)texts[i].p, texts[i].n};
        if (csv) {
            kin_csv_cell(&file, values[i]);
            kin_buf_puts(&file, i == 2 ? "\n" : ",");
        } else {
            const char *names[] = {"\"a\":", "\"b\":", "\"c\":"};
            kin_buf_puts(&file, names[i]);
            kin_json_string(&file, values[i]);
            kin_buf_puts(&file, i == 2 ? "}\n" : ",");
        }
    }
    struct kin_reader_options options = help_options(format, 1 << 16);
    struct help_source source = help_source_of(file.p, file.n);
    struct kin_cutter *cutter = NULL;
    struct kin_chunk chunk = {0};
    struct kin_row row;
    assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
    assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_OK);
    struct kin_rows *rows = kin_rows_new(&options);
    assert_non_null(rows);
    kin_rows_begin(rows, kin_cutter_header(cutter), &chunk);
    assert_true(kin_rows_next(rows, &row));
    assert_null(row.reason);
    assert_int_equal(row.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(kin_str_eq(row.cells[i].value, values[i]));
    assert_false(kin_rows_next(rows, &row));
    kin_rows_free(rows);
    kin_chunk_deinit(&chunk);
    kin_cutter_close(cutter);
    kin_buf_deinit(&file);
    for (size_t i = 0; i < 3; i++)
        kin_buf_deinit(&texts[i]);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        round_trip(KIN_FORMAT_CSV, seed);
        round_trip(KIN_FORMAT_JSONL, seed);
    }
}

static void failed_allocation_marks_the_buffer(void **state)
{
    (void)state;
    struct kin_buf out = {0};
    kin_alloc_fail_after(0);
    kin_csv_cell(&out, KIN_STR("a,b"));
    kin_json_string(&out, KIN_STR("a"));
    kin_alloc_fail_after(SIZE_MAX);
    assert_true(out.failed);
    kin_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_cell_is_quoted_only_where_needed),
        cmocka_unit_test(json_string_is_escaped),
        cmocka_unit_test(json_string_replaces_invalid_bytes),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(failed_allocation_marks_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
