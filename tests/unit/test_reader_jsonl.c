/* JSON Lines: rows, bad rows with their places, chunks; and against jansson on random lines. */
#include "tests/unit/reader_help.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_same(const struct kin_buf *got, struct kin_str want)
{
    if (!kin_str_eq((struct kin_str){(const char *)got->p, got->n}, want))
        fail_msg("got\n%.*s\nwant\n%.*s", (int)got->n, (const char *)got->p, (int)want.n, want.p);
}

static void expect_rows_with(struct kin_reader_options options, struct kin_str text,
                             struct kin_str want)
{
    static const size_t sizes[] = {1 << 20, 64, 17, 3, 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct kin_buf out = {0};
        struct kin_err err = {0};
        struct help_source source = help_source_of(text.p, text.n);
        options.chunk_bytes = sizes[i];
        source.piece = i;
        if (help_dump(&options, source, &out, NULL, &err))
            fail_msg("%s", err.msg);
        assert_same(&out, want);
        kin_buf_deinit(&out);
    }
}

/* line -> the cells, as " name= [value]..." */
static void expect_cells(struct kin_str line, struct kin_str cells)
{
    struct kin_buf want = {0};
    kin_buf_puts(&want, "1 raw[");
    kin_buf_put(&want, line.p, line.n);
    kin_buf_puts(&want, "]");
    kin_buf_put(&want, cells.p, cells.n);
    kin_buf_puts(&want, "\n");
    expect_rows_with(help_options(KIN_FORMAT_JSONL, 1), line,
                     (struct kin_str){(const char *)want.p, want.n});
    kin_buf_deinit(&want);
}
#define EXPECT_CELLS(line, cells) expect_cells(KIN_STR(line), KIN_STR(cells))

static void expect_bad(struct kin_str line, const char *reason, const char *field)
{
    struct kin_buf cells = {0};
    kin_buf_printf(&cells, " bad[%s] field[%s]", reason, field);
    expect_cells(line, (struct kin_str){(const char *)cells.p, cells.n});
    kin_buf_deinit(&cells);
}
#define EXPECT_BAD(line, reason, field) expect_bad(KIN_STR(line), reason, field)

static void scalars_are_text(void **state)
{
    (void)state;
    EXPECT_CELLS("{}", "");
    EXPECT_CELLS("{\"a\":\"x\",\"b c\":\"Zo\xc3\xab\"}", " a= [x] b c= [Zo\xc3\xab]");
    EXPECT_CELLS(" { \"a\" : \"x\" , \"b\" :\t1 } ", " a= [x] b= [1]");
    EXPECT_CELLS("{\"a\":true,\"b\":false,\"c\":null,\"d\":\"\"}", " a= [true] b= [false]");
    EXPECT_CELLS("{\"a\":0,\"b\":-0,\"c\":12.50,\"d\":1E+2,\"e\":-1.0e-9,\"f\":0e0}",
                 " a= [0] b= [-0] c= [12.50] d= [1E+2] e= [-1.0e-9] f= [0e0]");
    EXPECT_CELLS("{\"a\":12345678901234567890123}", " a= [12345678901234567890123]");
}

static void strings_are_unescaped(void **state)
{
    (void)state;
    EXPECT_CELLS("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", " a= [\"\\/\b\f\n\r\t]");
    EXPECT_CELLS("{\"a\":\"x\\u0041y\\u00e9\\u674E\\uD83D\\ude00z\"}",
                 " a= [xAy\xc3\xa9\xe6\x9d\x8e\xf0\x9f\x98\x80z]");
    EXPECT_CELLS("{\"a\":\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\udbff\\udfff\"}",
                 " a= [\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf]");
    EXPECT_BAD("{\"f\":\"\\u0000x\"}", "byte 7: NUL character in a string", "f");
    EXPECT_CELLS("{\"\\u0061\":\"\\u0062\",\"c\":\"d\\te\"}", " a= [b] c= [d\te]");
}

static void arrays_repeat_the_column(void **state)
{
    (void)state;
    EXPECT_CELLS("{\"a\":[\"x\",1,true,null,\"\",\"\\u0079\"],\"b\":[],\"c\":[ 2 ]}",
                 " a= [x] a= [1] a= [true] a= [y] c= [2]");
    EXPECT_BAD("{\"a\":[1,{\"b\":2}]}", "byte 9: object inside an array", "a");
    EXPECT_BAD("{\"a\":[[1]]}", "byte 7: array inside an array", "a");
    EXPECT_BAD("{\"a\":[1,]}", "byte 9: expected a value", "a");
    EXPECT_BAD("{\"a\":[1 2]}", "byte 9: expected ',' or ']'", "a");
    EXPECT_BAD("{\"a\":[1", "byte 8: expected ',' or ']'", "a");
}

static void objects_give_dotted_names(void **state)
{
    (void)state;
    EXPECT_CELLS("{\"a\":{\"b\":1,\"c\":{\"d\":[2,3]},\"e\":{}},\"b\":4}",
                 " a.b= [1] a.c.d= [2] a.c.d= [3] b= [4]");
    EXPECT_CELLS("{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{\"8\":\"x\"}}}}}}}}",
                 " 1.2.3.4.5.6.7.8= [x]");
    EXPECT_BAD("{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{\"8\":{\"9\":1}}}}}}}}}",
               "byte 41: more than 8 objects inside one another", "1.2.3.4.5.6.7.8");
    EXPECT_CELLS("{\"\":{\"\":1}}", " .= [1]");
}

static void duplicate_names_are_bad(void **state)
{
    (void)state;
    EXPECT_BAD("{\"a\":1,\"b\":2,\"a\":3}", "byte 14: duplicate name", "a");
    EXPECT_BAD("{\"a\":1,\"\\u0061\":3}", "byte 8: duplicate name", "a");
    EXPECT_BAD("{\"a\":null,\"a\":null}", "byte 11: duplicate name", "a");
    EXPECT_BAD("{\"a\":{},\"a\":{}}", "byte 9: duplicate name", "a");
    EXPECT_BAD("{\"a\":{\"b\":1,\"b\":1}}", "byte 13: duplicate name", "a.b");
    EXPECT_BAD("{\"a\":{\"b\":1},\"a.b\":2}", "byte 14: duplicate name", "a.b");
    EXPECT_CELLS("{\"a\":{\"a\":1},\"b\":{\"a\":1}}", " a.a= [1] b.a= [1]");
}

static void syntax_errors_say_where(void **state)
{
    (void)state;
    EXPECT_BAD("[1]", "byte 1: expected an object", "");
    EXPECT_BAD("  7", "byte 3: expected an object", "");
    EXPECT_BAD("{", "byte 2: expected a name in quotes", "");
    EXPECT_BAD("{\"a\"", "byte 5: expected ':'", "a");
    EXPECT_BAD("{\"a\" 1}", "byte 6: expected ':'", "a");
    EXPECT_BAD("{\"a\":", "byte 6: expected a value", "a");
    EXPECT_BAD("{\"a\":1", "byte 7: expected ',' or '}'", "");
    EXPECT_BAD("{\"a\":1,}", "byte 8: expected a name in quotes", "");
    EXPECT_BAD("{\"a\":1,,\"b\":2}", "byte 8: expected a name in quotes", "");
    EXPECT_BAD("{a:1}", "byte 2: expected a name in quotes", "");
    EXPECT_BAD("{'a':1}", "byte 2: expected a name in quotes", "");
    EXPECT_BAD("{\"a\":1}}", "byte 8: text after the object", "");
    EXPECT_BAD("{\"a\":1} {\"a\":2}", "byte 9: text after the object", "");
    EXPECT_BAD("{\"a\":tru}", "byte 6: expected a value", "a");
    EXPECT_BAD("{\"a\":truex}", "byte 10: expected ',' or '}'", "");
    EXPECT_BAD("{\"a\":NaN}", "byte 6: expected a value", "a");
    EXPECT_BAD("{\"a\":01}", "byte 6: invalid number", "a");
    EXPECT_BAD("{\"a\":-}", "byte 6: invalid number", "a");
    EXPECT_BAD("{\"a\":1.}", "byte 6: invalid number", "a");
    EXPECT_BAD("{\"a\":.5}", "byte 6: expected a value", "a");
    EXPECT_BAD("{\"a\":+5}", "byte 6: expected a value", "a");
    EXPECT_BAD("{\"a\":1e}", "byte 6: invalid number", "a");
    EXPECT_BAD("{\"a\":0x1}", "byte 7: expected ',' or '}'", "");
    EXPECT_BAD("{\"a\":\"x}", "byte 6: string not closed", "a");
    EXPECT_BAD("{\"a\":\"x\\\"}", "byte 6: string not closed", "a");
    EXPECT_BAD("{\"a\":\"x\ty\"}", "byte 8: control character in a string", "a");
    EXPECT_BAD("{\"a\":\"x\0y\"}", "byte 8: control character in a string", "a");
    EXPECT_BAD("{\"a\":1\0}", "byte 7: expected ',' or '}'", "");
    EXPECT_BAD("{\"a\":\"\\x\"}", "byte 7: unknown escape", "a");
    EXPECT_BAD("{\"a\":\"\\", "byte 7: unknown escape", "a");
    EXPECT_BAD("{\"a\":\"\\u12g4\"}", "byte 7: \\u needs four hexadecimal digits", "a");
    EXPECT_BAD("{\"a\":\"\\u12", "byte 7: \\u needs four hexadecimal digits", "a");
    EXPECT_BAD("{\"a\":\"\\ud83d\"}", "byte 7: half a surrogate pair", "a");
    EXPECT_BAD("{\"a\":\"\\ud83d\\u0041\"}", "byte 7: half a surrogate pair", "a");
    EXPECT_BAD("{\"a\":\"\\ude00\"}", "byte 7: half a surrogate pair", "a");
    EXPECT_BAD("{\"a\":\"x\xff\"}", "byte 8: invalid UTF-8", "");
    EXPECT_BAD("{\"a\":\"\xed\xa0\x80\"}", "byte 7: invalid UTF-8", "");
}

static void lines_and_their_numbers(void **state)
{
    (void)state;
    struct kin_reader_options options = help_options(KIN_FORMAT_JSONL, 1);
    expect_rows_with(options, KIN_STR(""), KIN_STR(""));
    expect_rows_with(options, KIN_STR("\xef\xbb\xbf"), KIN_STR(""));
    expect_rows_with(options, KIN_STR("\n \t \n\r\n   "), KIN_STR(""));
    expect_rows_with(options,
                     KIN_STR("\xef\xbb\xbf{\"a\":1}\r\n\n  \n{\"b\":\n{\"a\":\"\xc3\xa9\"}"),
                     KIN_STR("1 raw[{\"a\":1}] a= [1]\n"
                             "4 raw[{\"b\":] bad[byte 6: expected a value] field[b]\n"
                             "5 raw[{\"a\":\"\xc3\xa9\"}] a= [\xc3\xa9]\n"));
    struct help_source source = help_source_of("\xfe\xff\0{", 4);
    struct kin_cutter *cutter = NULL;
    assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_E_SYNTAX);
}

static void bounds_of_value_and_record(void **state)
{
    (void)state;
    struct kin_reader_options options = help_options(KIN_FORMAT_JSONL, 1);
    options.max_field_bytes = 3;
    options.max_record_bytes = 14;
    expect_rows_with(
        options,
        KIN_STR(
            "{\"a\":\"\\u00e9x\"}\n{\"a\":\"abc\"}\n{\"a\":\"abcd\"}\n{\"a\":1234}\n{\"abcd\":1}\n"
            "{\"a\":{\"bc\":1}}\r\n{\"a\":1}       \n{\"a\":1}        \n"
            "{\"a\":1}                                                               \n{}\n"
            "                                                       7\n              \n{}"),
        KIN_STR("1 raw[{\"a\":\"\\u00e9x\"] bad[record longer than 14 bytes] field[]\n"
                "2 raw[{\"a\":\"abc\"}] a= [abc]\n"
                "3 raw[{\"a\":\"abcd\"}] bad[byte 6: value longer than 3 bytes] field[a]\n"
                "4 raw[{\"a\":1234}] bad[byte 6: value longer than 3 bytes] field[a]\n"
                "5 raw[{\"abcd\":1}] bad[byte 2: name longer than 3 bytes] field[]\n"
                "6 raw[{\"a\":{\"bc\":1}}] bad[byte 7: name longer than 3 bytes] field[a]\n"
                "7 raw[{\"a\":1}       ] a= [1]\n"
                "8 raw[{\"a\":1}       ] bad[record longer than 14 bytes] field[]\n"
                "9 raw[{\"a\":1}       ] bad[record longer than 14 bytes] field[]\n"
                "10 raw[{}]\n"
                "11 raw[              ] bad[record longer than 14 bytes] field[]\n"
                "13 raw[{}]\n"));
}

static void columns_grow_and_bad_rows_leave_none(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1,\"o\":{\"x\":null}}\n{\"b\":1,\"o\":2,\"c\":}\n"
                               "{\"d\":1,\"o\":3}\n";
    struct kin_reader_options options = help_options(KIN_FORMAT_JSONL, 1000);
    struct help_source source = help_source_of(text, sizeof text - 1);
    struct kin_cutter *cutter = NULL;
    struct kin_chunk chunk = {0};
    struct kin_row row;
    size_t count = 9;
    assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
    assert_int_equal(kin_cutter_header(cutter)->count, 0);
    assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_OK);
    struct kin_rows *rows = kin_rows_new(&options);
    for (int turn = 0; turn < 2; turn++) {
        kin_rows_begin(rows, NULL, &chunk);
        kin_rows_columns(rows, &count);
        assert_int_equal(count, 0);
        assert_true(kin_rows_next(rows, &row));
        const struct kin_str *columns = kin_rows_columns(rows, &count);
        assert_int_equal(count, 2); /* an object is no column, a null is one */
        assert_true(kin_str_eq(columns[1], KIN_STR("o.x")));
        assert_true(kin_rows_next(rows, &row));
        assert_non_null(row.reason);
        kin_rows_columns(rows, &count);
        assert_int_equal(count, 2);
        assert_true(kin_rows_next(rows, &row));
        assert_null(row.reason);
        columns = kin_rows_columns(rows, &count);
        assert_int_equal(count, 4);
        assert_true(kin_str_eq(columns[2], KIN_STR("d")));
        assert_true(kin_str_eq(columns[3], KIN_STR("o")));
        assert_false(kin_rows_next(rows, &row));
        assert_false(kin_rows_failed(rows));
    }
    kin_rows_free(rows);
    kin_chunk_deinit(&chunk);
    kin_cutter_close(cutter);
}

static void names_and_values_are_counted(void **state)
{
    (void)state;
    struct kin_buf text = {0};
    kin_buf_puts(&text, "{\"not counted\":1,\"nor this\":}\n");
    for (int i = 0; i < KIN_COLUMNS_MAX; i++)
        kin_buf_printf(&text, "{\"n%d\":%d}\n", i, i);
    kin_buf_puts(&text, "{\"n7\":1,\"one more\":1}\n{\"n0\":[1");
    for (int i = 0; i < 65535; i++)
        kin_buf_puts(&text, ",2");
    kin_buf_puts(&text, "]}\n{\"n0\":[1");
    for (int i = 0; i < 65536; i++)
        kin_buf_puts(&text, ",2");
    kin_buf_puts(&text, "]}\n");
    struct kin_reader_options options = help_options(KIN_FORMAT_JSONL, text.n);
    struct help_source source = help_source_of(text.p, text.n);
    struct kin_cutter *cutter = NULL;
    struct kin_chunk chunk = {0};
    struct kin_row row;
    assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
    assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_OK);
    struct kin_rows *rows = kin_rows_new(&options);
    kin_rows_begin(rows, NULL, &chunk);
    assert_true(kin_rows_next(rows, &row));
    assert_non_null(row.reason);
    for (uint32_t i = 0; i < KIN_COLUMNS_MAX; i++) {
        assert_true(kin_rows_next(rows, &row));
        assert_int_equal(row.count, 1);
        assert_int_equal(row.cells[0].column, i);
    }
    assert_true(kin_rows_next(rows, &row));
    assert_string_equal(row.reason, "byte 9: more than 4096 different names");
    assert_true(kin_rows_next(rows, &row));
    assert_int_equal(row.count, 65536);
    assert_true(kin_rows_next(rows, &row));
    assert_string_equal(row.reason, "byte 131080: more than 65536 values");
    assert_int_equal(row.count, 0);
    kin_rows_free(rows);
    kin_chunk_deinit(&chunk);
    kin_cutter_close(cutter);
    kin_buf_deinit(&text);
}

/* ---- random lines ---- */

static void random_string(uint64_t *seed, struct kin_buf *out)
{
    static const char *const parts[] = {"a",        "b c",
                                        "\\n",      "\\u0041",
                                        "\xc3\xa9", "\\\"",
                                        "\\\\",     "\\u00e9",
                                        "{",        "\\ud83d\\ude00",
                                        "\\u674e",  ",",
                                        "]",        "\xf0\x9f\x98\x80"};
    static const char *const bad[] = {"\x01", "\xff", "\\ud83d", "\\x", "\\u0000", "\xc3"};
    size_t count = help_random(seed) % 5;
    for (size_t i = 0; i < count; i++)
        kin_buf_puts(out, parts[help_random(seed) % (sizeof parts / sizeof *parts)]);
    if (help_random(seed) % 64 == 0)
        kin_buf_puts(out, bad[help_random(seed) % (sizeof bad / sizeof *bad)]);
}

static void random_blank(uint64_t *seed, struct kin_buf *out)
{
    static const char *const blanks[] = {"", "", "", " ", "\t", "\r"};
    kin_buf_puts(out, blanks[help_random(seed) % 6]);
}

static void random_value(uint64_t *seed, struct kin_buf *out, size_t depth);

static void random_object(uint64_t *seed, struct kin_buf *out, size_t depth)
{
    size_t count = help_random(seed) % 5;
    kin_buf_puts(out, "{");
    for (size_t i = 0; i < count; i++) {
        random_blank(seed, out);
        kin_buf_printf(out, "%s\"k%llu", i ? "," : "",
                       (unsigned long long)(help_random(seed) % 20));
        if (help_random(seed) % 4 == 0)
            random_string(seed, out);
        kin_buf_puts(out, "\"");
        random_blank(seed, out);
        kin_buf_puts(out, ":");
        random_value(seed, out, depth + 1);
        random_blank(seed, out);
    }
    kin_buf_puts(out, "}");
}

static void random_value(uint64_t *seed, struct kin_buf *out, size_t depth)
{
    static const char *const numbers[] = {"0", "-1",  "12.5", "1e3", "-0.0E-1",
                                          "7", "007", "1.",   "-"};
    uint64_t kind = help_random(seed) % 16;
    random_blank(seed, out);
    if (kind < 6) {
        kin_buf_puts(out, "\"");
        random_string(seed, out);
        kin_buf_puts(out, "\"");
    } else if (kind < 9) {
        bool good = help_random(seed) % 16 != 0;
        kin_buf_puts(out, numbers[help_random(seed) % (good ? 6 : 9)]);
    } else if (kind < 12) {
        kin_buf_puts(out, kind == 9 ? "true" : kind == 10 ? "false" : "null");
    } else if (kind < 14 && depth < 12) {
        kin_buf_puts(out, "[");
        size_t count = help_random(seed) % 4;
        for (size_t i = 0; i < count; i++) {
            kin_buf_puts(out, i ? "," : "");
            bool nested = help_random(seed) % 16 == 0;
            random_value(seed, out, nested ? depth + 1 : 99);
        }
        kin_buf_puts(out, "]");
    } else if (depth < 12) {
        random_object(seed, out, depth);
    } else {
        kin_buf_puts(out, "\"\"");
    }
}

/* One line; sometimes with one byte changed. */
static void random_line(uint64_t *seed, struct kin_buf *out)
{
    size_t start = out->n;
    random_object(seed, out, 0);
    static const char bytes[] = "{}[]:,\"\\ 0-e.x\t";
    if (help_random(seed) % 4 == 0)
        out->p[start + help_random(seed) % (out->n - start)] =
            (uint8_t)bytes[help_random(seed) % (sizeof bytes - 1)];
}

/* The cells of a parsed object whose values are strings, in order. */
static void flatten(struct kin_buf *out, const char *prefix, const char *key, json_t *value)
{
    char name[512];
    snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
    if (json_is_object(value)) {
        const char *child;
        json_t *member;
        json_object_foreach(value, child, member) flatten(out, name, child, member);
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            flatten(out, prefix, key, json_array_get(value, i));
    } else if (json_is_string(value) && json_string_length(value)) {
        kin_buf_printf(out, "%s=%s;", name, json_string_value(value));
    } else if (json_is_boolean(value)) {
        kin_buf_printf(out, "%s=%s;", name, json_is_true(value) ? "true" : "false");
    } else if (json_is_number(value)) {
        kin_buf_printf(out, "%s=#;", name);
    }
}

static void put_cells(struct kin_buf *out, const struct kin_rows *rows, const struct kin_row *row)
{
    size_t count;
    const struct kin_str *columns = kin_rows_columns(rows, &count);
    for (size_t i = 0; i < row->count; i++) {
        const struct kin_cell *cell = &row->cells[i];
        /* a number is the only value that lies in the line without a quote before it */
        const char *p = cell->value.p;
        bool inside = p > row->raw.p && p < row->raw.p + row->raw.n;
        bool number = inside && p[-1] != '"' && (*p == '-' || (*p >= '0' && *p <= '9'));
        kin_buf_put(out, columns[cell->column].p, columns[cell->column].n);
        kin_buf_puts(out, "=");
        kin_buf_put(out, number ? "#" : p, number ? 1 : cell->value.n);
        kin_buf_puts(out, ";");
    }
}

/* What we reject and JSON allows. */
static bool our_own_reason(const char *reason)
{
    return strstr(reason, "inside an array") || strstr(reason, "inside one another");
}

static void agrees_with_jansson(void **state)
{
    (void)state;
    size_t good = 0;
    size_t bad = 0;
    struct kin_reader_options options = help_options(KIN_FORMAT_JSONL, 1 << 20);
    struct kin_rows *rows = kin_rows_new(&options);
    for (uint64_t run = 0; run < 20000; run++) {
        uint64_t seed = run;
        struct kin_chunk chunk = {.line = 1};
        struct kin_buf want = {0};
        struct kin_buf got = {0};
        struct kin_row row;
        random_line(&seed, &chunk.bytes);
        const char *text = (const char *)chunk.bytes.p;
        kin_rows_begin(rows, NULL, &chunk);
        assert_true(kin_rows_next(rows, &row));
        json_t *oracle = json_loadb(text, chunk.bytes.n, JSON_REJECT_DUPLICATES, NULL);
        bool object = oracle && json_is_object(oracle);
        if (object && !row.reason) {
            const char *key;
            json_t *member;
            json_object_foreach(oracle, key, member) flatten(&want, "", key, member);
            put_cells(&got, rows, &row);
            assert_same(&got, (struct kin_str){(const char *)want.p, want.n});
            good++;
        } else if (!row.reason || (object && !our_own_reason(row.reason))) {
            fail_msg("run %llu: %.*s: %s", (unsigned long long)run, (int)chunk.bytes.n, text,
                     row.reason ? row.reason : "good");
        } else {
            bad++;
        }
        json_decref(oracle);
        kin_buf_deinit(&want);
        kin_buf_deinit(&got);
        kin_chunk_deinit(&chunk);
    }
    assert_true(good > 5000 && bad > 5000);
    kin_rows_free(rows);
}

static void rows_do_not_depend_on_the_chunk_size(void **state)
{
    (void)state;
    for (uint64_t run = 0; run < 1000; run++) {
        uint64_t seed = run;
        struct kin_buf text = {0};
        size_t lines = help_random(&seed) % 8;
        for (size_t i = 0; i < lines; i++) {
            random_line(&seed, &text);
            kin_buf_puts(&text, help_random(&seed) % 4 ? "\n" : "\r\n\n");
        }
        struct kin_reader_options options = help_options(KIN_FORMAT_JSONL, text.n + 1);
        options.max_record_bytes = 20 + help_random(&seed) % 100;
        struct kin_buf want = {0};
        struct help_source source = help_source_of(text.p, text.n);
        assert_int_equal(help_dump(&options, source, &want, NULL, NULL), KIN_OK);
        for (size_t turn = 1; turn < 10; turn++) {
            struct kin_buf got = {0};
            options.chunk_bytes = 1 + help_random(&seed) % (turn * 20);
            source.piece = help_random(&seed) % 9;
            assert_int_equal(help_dump(&options, source, &got, NULL, NULL), KIN_OK);
            assert_same(&got, (struct kin_str){(const char *)want.p, want.n});
            kin_buf_deinit(&got);
        }
        kin_buf_deinit(&want);
        kin_buf_deinit(&text);
    }
}

static void every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":\"x\\n\",\"b\":{\"c\":[1,2,3]}}\n{\"a\":1,\"d\":\"a long "
                               "line, a long chunk\"}\n{\"e\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,"
                               "16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34]}";
    struct kin_reader_options options = help_options(KIN_FORMAT_JSONL, 20);
    struct help_source source = help_source_of(text, sizeof text - 1);
    bool done = false;
    for (size_t n = 0; !done; n++) {
        assert_true(n < 100);
        struct kin_buf out = {0};
        assert_non_null(kin_buf_reserve(&out, 10000)); /* not the dump's own allocations */
        kin_alloc_fail_after(n);
        kin_status status = help_dump(&options, source, &out, NULL, NULL);
        kin_alloc_fail_after(SIZE_MAX);
        done = status == KIN_OK;
        assert_true(done || status == KIN_E_NOMEM);
        assert_true(!done || n > 10);
        kin_buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_text),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(arrays_repeat_the_column),
        cmocka_unit_test(objects_give_dotted_names),
        cmocka_unit_test(duplicate_names_are_bad),
        cmocka_unit_test(syntax_errors_say_where),
        cmocka_unit_test(lines_and_their_numbers),
        cmocka_unit_test(bounds_of_value_and_record),
        cmocka_unit_test(columns_grow_and_bad_rows_leave_none),
        cmocka_unit_test(names_and_values_are_counted),
        cmocka_unit_test(agrees_with_jansson),
        cmocka_unit_test(rows_do_not_depend_on_the_chunk_size),
        cmocka_unit_test(every_failed_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
