/* CSV: header, rows, bad rows, chunks; and against a slow parser of its own (below) on random
 * nasty input, for every chunk size. */
#include "tests/unit/reader_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

static void assert_same(const struct kin_buf *got, struct kin_str want)
{
    if (!kin_str_eq((struct kin_str){(const char *)got->p, got->n}, want))
        fail_msg("got\n%.*s\nwant\n%.*s", (int)got->n, (const char *)got->p, (int)want.n, want.p);
}

/* The rows of text, however it is cut. */
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

static void expect_rows(struct kin_str text, struct kin_str want)
{
    expect_rows_with(help_options(KIN_FORMAT_CSV, 1), text, want);
}
#define EXPECT_ROWS(text, want) expect_rows(KIN_STR(text), KIN_STR(want))

static void expect_open_fails(struct kin_str text, const char *message)
{
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 100);
    struct help_source source = help_source_of(text.p, text.n);
    struct kin_cutter *cutter = NULL;
    struct kin_err err = {0};
    options.max_field_bytes = 20;
    options.max_record_bytes = 60;
    assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, &err), KIN_E_SYNTAX);
    assert_null(cutter);
    assert_string_equal(err.msg, message);
}
#define EXPECT_OPEN_FAILS(text, message) expect_open_fails(KIN_STR(text), message)

/* ---- header ---- */

static void expect_header(struct kin_str text, char given, char delimiter, size_t count,
                          const char *const *names)
{
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 100);
    struct help_source source = help_source_of(text.p, text.n);
    struct kin_cutter *cutter = NULL;
    options.delimiter = given;
    source.piece = 1;
    assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
    const struct kin_header *header = kin_cutter_header(cutter);
    assert_int_equal(header->delimiter, delimiter);
    assert_int_equal(header->count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(kin_str_eq(header->names[i], kin_str_of(names[i])));
    kin_cutter_close(cutter);
}

static void header_names_are_trimmed_and_unescaped(void **state)
{
    (void)state;
    static const char *const abc[] = {"a", "b c", "d"};
    expect_header(KIN_STR("a,b c,d"), 0, ',', 3, abc);
    expect_header(KIN_STR(" a\t, b c ,d \r\n1,2,3\n"), 0, ',', 3, abc);
    expect_header(KIN_STR("\xef\xbb\xbf"
                          "a,\"b c\",\" d\"\n"),
                  0, ',', 3, abc);
    expect_header(KIN_STR("\n\r\n\na,b c,d\n"), 0, ',', 3, abc);
    static const char *const odd[] = {"say \"x\"", "two\nlines", "Zo\xc3\xab"};
    expect_header(KIN_STR("\"say \"\"x\"\"\",\"two\nlines\",Zo\xc3\xab\n"), 0, ',', 3, odd);
}

static void delimiter_is_found_from_the_header(void **state)
{
    (void)state;
    static const char *const ab[] = {"a", "b"};
    static const char *const one[] = {"a"};
    static const char *const quoted[] = {"a,b,c", "d"};
    static const char *const given[] = {"a,b"};
    expect_header(KIN_STR("a;b\n"), 0, ';', 2, ab);
    expect_header(KIN_STR("a\tb\n1,2,3,4"), 0, '\t', 2, ab);
    expect_header(KIN_STR("a|b"), 0, '|', 2, ab);
    expect_header(KIN_STR("a\n"), 0, ',', 1, one);
    expect_header(KIN_STR("\"a,b,c\";d\n"), 0, ';', 2, quoted);
    expect_header(KIN_STR("a,b\n"), ';', ';', 1, given);
    expect_header(KIN_STR("a:b\n"), ':', ':', 2, ab);
}

static void header_errors_name_line_and_column(void **state)
{
    (void)state;
    EXPECT_OPEN_FAILS("", "line 1: there is no header line");
    EXPECT_OPEN_FAILS("\xef\xbb\xbf", "line 1: there is no header line");
    EXPECT_OPEN_FAILS("\n\r\n", "line 3: there is no header line");
    EXPECT_OPEN_FAILS("a,b,\n", "line 1, column 3: the column has no name");
    EXPECT_OPEN_FAILS("a, ,c\n", "line 1, column 2: the column has no name");
    EXPECT_OPEN_FAILS("\na,b,c, b\n", "line 2, column 4: the name \"b\" is that of column 2");
    EXPECT_OPEN_FAILS("a,b\xff\n", "line 1: invalid UTF-8 (column 2)");
    EXPECT_OPEN_FAILS("a,b\0\n", "line 1: NUL byte (column 2)");
    EXPECT_OPEN_FAILS("a,b\x1b[2J\n", "line 1, column 2: control character in the column's name");
    EXPECT_OPEN_FAILS("a,b\r1,2\r", "line 1: carriage return without line feed (column 2)");
    EXPECT_OPEN_FAILS("a,123456789012345678901\n", "line 1: field longer than 20 bytes (column 2)");
    EXPECT_OPEN_FAILS("a,b\"c\n1,2\n", "line 1: quote inside an unquoted field (column 2)");
    EXPECT_OPEN_FAILS("a,\"b\"c\n1,2\n", "line 1: text after the closing quote (column 2)");
    EXPECT_OPEN_FAILS("a,\"b\n1,2\n", "line 1: quoted field not closed (opened in column 2)");
    EXPECT_OPEN_FAILS("a,\"b", "line 1: quoted field not closed (opened in column 2)");
    EXPECT_OPEN_FAILS("1234567,1234568,1234569,1234560,2234567,3234567,4234567,5234567\n",
                      "line 1: record longer than 60 bytes");
    EXPECT_OPEN_FAILS("\xff\xfe"
                      "a\0",
                      "line 1: the text is UTF-16; it must be UTF-8");
}

static void header_has_a_largest_number_of_columns(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        struct kin_buf text = {0};
        for (int i = 0; i < KIN_COLUMNS_MAX + extra; i++)
            kin_buf_printf(&text, "%sc%d", i ? "|" : "", i);
        struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 100);
        struct help_source source = help_source_of(text.p, text.n);
        struct kin_cutter *cutter = NULL;
        struct kin_err err = {0};
        kin_status status = kin_cutter_open(&options, help_bytes(&source), &cutter, &err);
        assert_int_equal(status, extra ? KIN_E_SYNTAX : KIN_OK);
        if (extra)
            assert_string_equal(err.msg, "line 1: 4097 columns; at most 4096 are read");
        else
            assert_int_equal(kin_cutter_header(cutter)->count, KIN_COLUMNS_MAX);
        kin_cutter_close(cutter);
        kin_buf_deinit(&text);
    }
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct kin_reader_options good = help_options(KIN_FORMAT_CSV, 100);
    struct kin_reader_options bad[8];
    for (size_t i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].chunk_bytes = 0;
    bad[1].chunk_bytes = SIZE_MAX;
    bad[2].max_record_bytes = 0;
    bad[3].max_record_bytes = KIN_RECORD_BYTES_MAX + 1;
    bad[4].max_field_bytes = 0;
    bad[5].delimiter = '"';
    bad[6].delimiter = '\n';
    bad[7].delimiter = (char)0xc3;
    for (size_t i = 0; i < 8; i++) {
        struct help_source source = help_source_of("a", 1);
        struct kin_cutter *cutter = NULL;
        assert_int_equal(kin_cutter_open(&bad[i], help_bytes(&source), &cutter, NULL), KIN_E_INVAL);
    }
}

/* ---- rows ---- */

static void plain_rows(void **state)
{
    (void)state;
    EXPECT_ROWS("a,b\n", "");
    EXPECT_ROWS("a,b", "");
    EXPECT_ROWS("a,b\n1,2\n", "2 raw[1,2] a= [1] b= [2]\n");
    EXPECT_ROWS("a,b\r\n1,2\r\n3,4\r\n", "2 raw[1,2] a= [1] b= [2]\n3 raw[3,4] a= [3] b= [4]\n");
    EXPECT_ROWS("a,b\n1,2", "2 raw[1,2] a= [1] b= [2]\n");
    EXPECT_ROWS("a;b\n1,5;2\n", "2 raw[1,5;2] a= [1,5] b= [2]\n");
    EXPECT_ROWS("\xef\xbb\xbf"
                "a,b\n1,2",
                "2 raw[1,2] a= [1] b= [2]\n");
    EXPECT_ROWS("a,b\nZo\xc3\xab,\xf0\x9f\x98\x80\n",
                "2 raw[Zo\xc3\xab,\xf0\x9f\x98\x80] a= [Zo\xc3\xab] b= [\xf0\x9f\x98\x80]\n");
}

static void empty_cells_and_blank_lines_are_left_out(void **state)
{
    (void)state;
    EXPECT_ROWS("a,b,c\n\n1,,\n\r\n,,3\n\n\n,\"\",\n",
                "3 raw[1,,] a= [1]\n5 raw[,,3] c= [3]\n8 raw[,\"\",]\n");
    EXPECT_ROWS("a,b\n1,\r\n,", "2 raw[1,] a= [1]\n3 raw[,]\n");
    EXPECT_ROWS("a\n\n  \n\n", "3 raw[  ] a= [  ]\n");
}

static void rows_of_every_length(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "\n", "\r\n", "\n\n"};
    for (size_t length = 1; length < 300; length++) {
        for (size_t e = 0; e < 4; e++) {
            struct kin_buf text = {0};
            struct kin_buf want = {0};
            struct kin_buf row = {0};
            for (size_t i = 0; i < length; i++)
                kin_buf_putc(&row, i % 7 == 3 ? '\t' : (char)('a' + i % 26));
            kin_buf_printf(&text, "a,b\n%.*s,%.*s,%s%.*s,%s", (int)length, (const char *)row.p,
                           (int)length, (const char *)row.p, e ? ends[e] : "\n", (int)length,
                           (const char *)row.p, ends[e]);
            kin_buf_printf(&want, "2 raw[%.*s,%.*s,] bad[expected 2 cells, found 3] field[]\n",
                           (int)length, (const char *)row.p, (int)length, (const char *)row.p);
            kin_buf_printf(&want, "%d raw[%.*s,] a= [%.*s]\n", e == 3 ? 4 : 3, (int)length,
                           (const char *)row.p, (int)length, (const char *)row.p);
            expect_rows((struct kin_str){(const char *)text.p, text.n},
                        (struct kin_str){(const char *)want.p, want.n});
            kin_buf_deinit(&row);
            kin_buf_deinit(&want);
            kin_buf_deinit(&text);
        }
    }
}

static void blank_lines_are_counted(void **state)
{
    (void)state;
    struct kin_buf text = {0};
    kin_buf_puts(&text, "a\n");
    for (int i = 0; i < 9999; i++)
        kin_buf_puts(&text, "\n");
    kin_buf_puts(&text, "1\n");
    expect_rows((struct kin_str){(const char *)text.p, text.n}, KIN_STR("10001 raw[1] a= [1]\n"));
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 10000);
    struct help_source source = help_source_of(text.p, text.n);
    struct kin_buf out = {0};
    assert_int_equal(help_dump(&options, source, &out, NULL, NULL), KIN_OK);
    assert_same(&out, KIN_STR("10001 raw[1] a= [1]\n"));
    kin_buf_deinit(&out);
    kin_buf_deinit(&text);
}

static void quoted_cells(void **state)
{
    (void)state;
    EXPECT_ROWS("a,b\n\"1,5\",\"2\"\n", "2 raw[\"1,5\",\"2\"] a= [1,5] b= [2]\n");
    EXPECT_ROWS("a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n",
                "2 raw[\"say \"\"hi\"\"\",\"\"\"\"] a= [say \"hi\"] b= [\"]\n");
    EXPECT_ROWS("a,b\n\"x\ny\r\nz\",2\r\n3,4",
                "2 raw[\"x\ny\r\nz\",2] a= [x\ny\r\nz] b= [2]\n5 raw[3,4] a= [3] b= [4]\n");
    EXPECT_ROWS("a,b\n1,\"x\ry\"", "2 raw[1,\"x\ry\"] a= [1] b= [x\ry]\n");
    EXPECT_ROWS("a,b\n\" 1\",2 \n", "2 raw[\" 1\",2 ] a= [ 1] b= [2 ]\n");
}

static void ragged_rows_are_bad(void **state)
{
    (void)state;
    EXPECT_ROWS("a,b,c\n1,2\n1,2,3,4\n1\n1,2,3\n",
                "2 raw[1,2] bad[expected 3 cells, found 2] field[]\n"
                "3 raw[1,2,3,4] bad[expected 3 cells, found 4] field[]\n"
                "4 raw[1] bad[expected 3 cells, found 1] field[]\n"
                "5 raw[1,2,3] a= [1] b= [2] c= [3]\n");
    EXPECT_ROWS("a,b\n\"1\n2\"\n", "2 raw[\"1\n2\"] bad[expected 2 cells, found 1] field[]\n");
}

static void bad_bytes_name_their_column(void **state)
{
    (void)state;
    EXPECT_ROWS("a,b\n1,x\0y\n", "2 raw[1,x\0y] bad[NUL byte (column 2)] field[b]\n");
    EXPECT_ROWS("a,b\n\"x\0y\",1\n", "2 raw[\"x\0y\",1] bad[NUL byte (column 1)] field[a]\n");
    EXPECT_ROWS("a,b\n1,x\xff\n", "2 raw[1,x\xff] bad[invalid UTF-8 (column 2)] field[b]\n");
    EXPECT_ROWS("a,b\n\xc3,\xa9\n", "2 raw[\xc3,\xa9] bad[invalid UTF-8 (column 1)] field[a]\n");
    EXPECT_ROWS("a,b\n1,2,\xff\n", "2 raw[1,2,\xff] bad[invalid UTF-8 (column 3)] field[]\n");
    EXPECT_ROWS("a,b\n1\r2,3\n",
                "2 raw[1\r2,3] bad[carriage return without line feed (column 1)] field[a]\n");
    EXPECT_ROWS("a,b\n1,2\r",
                "2 raw[1,2\r] bad[carriage return without line feed (column 2)] field[b]\n");
    EXPECT_ROWS("a,b\n1,2\r\r\n",
                "2 raw[1,2\r] bad[carriage return without line feed (column 2)] field[b]\n");
}

static void bad_quotes_cost_one_line(void **state)
{
    (void)state;
    EXPECT_ROWS("a,b\n1,x\"y\n1,2\n",
                "2 raw[1,x\"y] bad[quote inside an unquoted field (column 2)] field[b]\n"
                "3 raw[1,2] a= [1] b= [2]\n");
    EXPECT_ROWS("a,b\n\"1\"x,2\n\"1\" ,2\n\"1\"\r,2\n",
                "2 raw[\"1\"x,2] bad[text after the closing quote (column 1)] field[a]\n"
                "3 raw[\"1\" ,2] bad[text after the closing quote (column 1)] field[a]\n"
                "4 raw[\"1\"\r,2] bad[text after the closing quote (column 1)] field[a]\n");
    EXPECT_ROWS("a,b,c\n1,2,\"3\n4,5,6\n7,8,9",
                "2 raw[1,2,\"3] bad[quoted field not closed (opened in column 3)] field[c]\n"
                "3 raw[4,5,6] a= [4] b= [5] c= [6]\n"
                "4 raw[7,8,9] a= [7] b= [8] c= [9]\n");
    /* the quote is closed by one that opens another cell: seen on line 4, charged to line 2 */
    EXPECT_ROWS("a,b\n\"1,2\n3,4\n\"5\",6\n",
                "2 raw[\"1,2] bad[quoted field not closed (opened in column 1)] field[a]\n"
                "3 raw[3,4] a= [3] b= [4]\n"
                "4 raw[\"5\",6] a= [5] b= [6]\n");
    EXPECT_ROWS("a,b\n1,\"2", "2 raw[1,\"2] bad[quoted field not closed (opened in column 2)] "
                              "field[b]\n");
    EXPECT_ROWS("a,b\n\"", "2 raw[\"] bad[quoted field not closed (opened in column 1)] "
                           "field[a]\n");
    EXPECT_ROWS("a,b\n1,\"2\"\r", "2 raw[1,\"2\"\r] bad[text after the closing quote (column 2)] "
                                  "field[b]\n");
}

static void bounds_of_field_and_record(void **state)
{
    (void)state;
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 1);
    options.max_field_bytes = 4;
    options.max_record_bytes = 12;
    expect_rows_with(options, KIN_STR("a,b\n1234,5\n12345,6\n\"1\"\"34\",5\n\"1\"\"345\",6\n"),
                     KIN_STR("2 raw[1234,5] a= [1234] b= [5]\n"
                             "3 raw[12345,6] bad[field longer than 4 bytes (column 1)] field[a]\n"
                             "4 raw[\"1\"\"34\",5] a= [1\"34] b= [5]\n"
                             "5 raw[\"1\"\"345\",6] bad[field longer than 4 bytes (column 1)] "
                             "field[a]\n"));
    options.max_field_bytes = 100;
    /* 12 bytes are a record with any line end; 13 are not; of a longer line 12 bytes are shown */
    expect_rows_with(options,
                     KIN_STR("a,b\n12345,789012\r\n12345,789012\n12345,7890123\n"
                             "12345,7890123456789012345678901234567890\r\n1,2\n12345,789012"),
                     KIN_STR("2 raw[12345,789012] a= [12345] b= [789012]\n"
                             "3 raw[12345,789012] a= [12345] b= [789012]\n"
                             "4 raw[12345,789012] bad[record longer than 12 bytes] field[]\n"
                             "5 raw[12345,789012] bad[record longer than 12 bytes] field[]\n"
                             "6 raw[1,2] a= [1] b= [2]\n"
                             "7 raw[12345,789012] a= [12345] b= [789012]\n"));
    /* a record of several lines that is too long is charged to its first line */
    expect_rows_with(options, KIN_STR("a,b\n1,\"2\n345678\"\n1,\"2\n3456789\"\n5,6\n"),
                     KIN_STR("2 raw[1,\"2\n345678\"] a= [1] b= [2\n345678]\n"
                             "4 raw[1,\"2] bad[quoted field not closed (opened in column 2)] "
                             "field[b]\n"
                             "5 raw[3456789\"] bad[quote inside an unquoted field (column 1)] "
                             "field[a]\n"
                             "6 raw[5,6] a= [5] b= [6]\n"));
}

/* ---- chunks ---- */

static void chunks_are_whole_records_and_number_their_lines(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf"
                               "a,b\n1,2\n\"3\n3\",4\n5,6\n";
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 10);
    struct help_source source = help_source_of(text, sizeof text - 1);
    struct kin_cutter *cutter = NULL;
    struct kin_chunk chunk = {0};
    assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
    static const struct {
        const char *bytes;
        uint64_t offset, line;
    } want[] = {{"1,2\n", 7, 2}, {"\"3\n3\",4\n", 11, 3}, {"5,6\n", 19, 5}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_OK);
        assert_same(&chunk.bytes, kin_str_of(want[i].bytes));
        assert_int_equal(chunk.offset, want[i].offset);
        assert_int_equal(chunk.line, want[i].line);
        kin_chunk_deinit(&chunk);
    }
    assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_E_EOF);
    assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_E_EOF);
    assert_null(chunk.bytes.p);
    kin_cutter_close(cutter);
}

static void an_endless_line_does_not_fill_the_memory(void **state)
{
    (void)state;
    struct kin_buf text = {0};
    kin_buf_puts(&text, "a,b\n1,2\n");
    memset(kin_buf_extend(&text, 1 << 20), 'x', 1 << 20);
    kin_buf_puts(&text, "\n3,4\n");
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 50);
    options.max_record_bytes = 100;
    struct help_source source = help_source_of(text.p, text.n);
    struct kin_cutter *cutter = NULL;
    assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
    static const size_t bytes[] = {4, 102, 4};
    static const uint64_t offsets[] = {4, 8, 8 + (1 << 20) + 1};
    for (size_t i = 0; i < 3; i++) {
        struct kin_chunk chunk = {0};
        assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_OK);
        assert_int_equal(chunk.bytes.n, bytes[i]);
        assert_true(chunk.bytes.cap <= 8192);
        assert_int_equal(chunk.offset, offsets[i]);
        assert_int_equal(chunk.line, 2 + i);
        kin_chunk_deinit(&chunk);
    }
    kin_cutter_close(cutter);
    kin_buf_deinit(&text);
}

static void a_failed_read_can_be_tried_again(void **state)
{
    (void)state;
    static const char text[] =
        "a,b\n1,2\n3,4\n\"5\n\",6\n1234567890123456789012345678901234,\n7,8\n";
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 8);
    options.max_record_bytes = 16;
    struct kin_buf want = {0};
    assert_int_equal(help_dump(&options, help_source_of(text, sizeof text - 1), &want, NULL, NULL),
                     KIN_OK);
    for (size_t at = 5; at < sizeof text; at++) {
        struct help_source source = help_source_of(text, sizeof text - 1);
        struct kin_cutter *cutter = NULL;
        struct kin_buf got = {0};
        source.piece = 1;
        assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
        source.fail_at = at > source.at ? at : source.at;
        struct kin_rows *rows = kin_rows_new(&options);
        size_t failures = 0;
        for (;;) {
            struct kin_chunk chunk = {0};
            struct kin_row row;
            struct kin_err err = {0};
            kin_status status = kin_cutter_next(cutter, &chunk, &err);
            if (status == KIN_E_EOF)
                break;
            if (status) {
                assert_int_equal(status, KIN_E_IO);
                assert_string_equal(err.msg, "the disk is on fire");
                failures++;
                continue;
            }
            kin_rows_begin(rows, kin_cutter_header(cutter), &chunk);
            while (kin_rows_next(rows, &row)) {
                size_t count;
                help_dump_row(&got, &row, kin_rows_columns(rows, &count));
            }
            kin_chunk_deinit(&chunk);
        }
        assert_int_equal(failures, source.fail_at ? 0 : 1);
        assert_same(&got, (struct kin_str){(const char *)want.p, want.n});
        kin_rows_free(rows);
        kin_cutter_close(cutter);
        kin_buf_deinit(&got);
    }
    kin_buf_deinit(&want);
}

/* ---- against a slow parser ---- */

struct oracle {
    const uint8_t *p;
    size_t n;
    size_t max_record, max_field;
    struct kin_buf cell; /* unescaped */
    struct kin_buf row;  /* dump of the cells */
    char fault[100];     /* first fault of a cell */
    size_t fault_column;
};

enum oracle_end { ORACLE_GOOD, ORACLE_LONG, ORACLE_INSIDE, ORACLE_AFTER, ORACLE_OPEN };

static void oracle_cell(struct oracle *o, size_t column, bool quoted)
{
    const char *text = (const char *)o->cell.p;
    size_t n = o->cell.n;
    const char *what = NULL;
    char too_long[40];
    snprintf(too_long, sizeof too_long, "field longer than %zu bytes", o->max_field);
    if (n && memchr(text, 0, n))
        what = "NUL byte";
    else if (n && !quoted && memchr(text, '\r', n))
        what = "carriage return without line feed";
    else if (n > o->max_field)
        what = too_long;
    else
        for (size_t i = 0; i < n && !what; i++) {
            /* the only characters beyond ASCII that are generated: U+00E9 and halves of it */
            bool two = (uint8_t)text[i] == 0xc3 && i + 1 < n && (uint8_t)text[i + 1] == 0xa9;
            if ((uint8_t)text[i] >= 0x80 && !two)
                what = "invalid UTF-8";
            i += two;
        }
    if (what && !o->fault[0]) {
        snprintf(o->fault, sizeof o->fault, "%s (column %zu)", what, column);
        o->fault_column = column;
    }
    if (n && column <= 3) {
        kin_buf_printf(&o->row, " %c= [", (char)('a' + column - 1));
        kin_buf_put(&o->row, text, n);
        kin_buf_puts(&o->row, "]");
    }
    kin_buf_clear(&o->cell);
}

/* Reads one record byte by byte, among `n` bytes; *stop: where its line end or fault is. */
static enum oracle_end oracle_record(struct oracle *o, size_t at, size_t n, size_t *stop,
                                     size_t *columns)
{
    enum { START, PLAIN, QUOTED, CLOSED } where = START;
    kin_buf_clear(&o->cell);
    kin_buf_clear(&o->row);
    o->fault[0] = '\0';
    *columns = 1;
    bool quoted = false;
    for (size_t i = at; i < n; i++) {
        uint8_t c = o->p[i];
        *stop = i;
        bool crlf = c == '\r' && i + 1 < n && o->p[i + 1] == '\n';
        if (where == QUOTED) {
            if (c == '"')
                where = CLOSED;
            else
                kin_buf_putc(&o->cell, (char)c);
        } else if (c == '"' && where == START) {
            where = QUOTED;
            quoted = true;
        } else if (c == '"' && where == CLOSED) {
            kin_buf_putc(&o->cell, '"');
            where = QUOTED;
        } else if (c == '"') {
            return ORACLE_INSIDE;
        } else if (c == ',') {
            oracle_cell(o, *columns, quoted);
            ++*columns;
            where = START;
            quoted = false;
        } else if (c == '\n' || crlf) {
            oracle_cell(o, *columns, quoted);
            return i - at > o->max_record ? ORACLE_LONG : ORACLE_GOOD;
        } else if (where == CLOSED) {
            /* a CR that is the last byte the reader looks at may yet be a line end */
            bool last = c == '\r' && i + 1 == at + o->max_record + 2;
            return last ? ORACLE_LONG : ORACLE_AFTER;
        } else {
            where = PLAIN;
            kin_buf_putc(&o->cell, (char)c);
        }
    }
    *stop = n;
    if (n - at > o->max_record)
        return ORACLE_LONG;
    if (where == QUOTED)
        return ORACLE_OPEN;
    oracle_cell(o, *columns, quoted);
    return ORACLE_GOOD;
}

static size_t line_end(const struct oracle *o, size_t at)
{
    while (at < o->n && o->p[at] != '\n')
        at++;
    return at;
}

/* Column of the quoted cell in which the line at `at` ends. */
static size_t open_column(const struct oracle *o, size_t at, size_t end)
{
    size_t column = 1;
    bool quoted = false;
    for (size_t i = at; i < end; i++) {
        quoted ^= o->p[i] == '"';
        column += o->p[i] == ',' && !quoted;
    }
    return column;
}

static void oracle_dump(struct oracle *o, size_t at, struct kin_buf *out)
{
    for (size_t line = 2; at < o->n;) {
        size_t first = line_end(o, at);
        size_t text = first < o->n && first > at && o->p[first - 1] == '\r' ? first - 1 : first;
        if (text == at && first < o->n) {
            at = first + 1;
            line++;
            continue;
        }
        size_t full = at + o->max_record + 2;
        size_t stop;
        size_t columns;
        enum oracle_end end = oracle_record(o, at, o->n < full ? o->n : full, &stop, &columns);
        size_t fault_column = columns;
        if (end == ORACLE_GOOD) {
            text = stop;
            first = line_end(o, stop);
        } else if (stop > first) {
            end = ORACLE_OPEN;
            fault_column = open_column(o, at, first);
        }
        char reason[100] = "";
        if (end == ORACLE_LONG)
            snprintf(reason, sizeof reason, "record longer than %zu bytes", o->max_record);
        else if (end == ORACLE_INSIDE)
            snprintf(reason, sizeof reason, "quote inside an unquoted field (column %zu)", columns);
        else if (end == ORACLE_AFTER)
            snprintf(reason, sizeof reason, "text after the closing quote (column %zu)", columns);
        else if (end == ORACLE_OPEN)
            snprintf(reason, sizeof reason, "quoted field not closed (opened in column %zu)",
                     fault_column);
        else if (o->fault[0])
            snprintf(reason, sizeof reason, "%s", o->fault);
        else if (columns != 3)
            snprintf(reason, sizeof reason, "expected 3 cells, found %zu", columns);
        if (end == ORACLE_GOOD)
            fault_column = o->fault[0] ? o->fault_column : 0;
        if (end == ORACLE_LONG || fault_column > 3)
            fault_column = 0;
        size_t shown = text - at < o->max_record ? text - at : o->max_record;
        kin_buf_printf(out, "%zu raw[", line);
        kin_buf_put(out, o->p + at, shown);
        kin_buf_puts(out, "]");
        if (reason[0])
            kin_buf_printf(out, " bad[%s] field[%.*s]", reason, fault_column ? 1 : 0,
                           &"abc"[fault_column ? fault_column - 1 : 0]);
        else
            kin_buf_put(out, o->row.p, o->row.n);
        kin_buf_puts(out, "\n");
        for (; at < o->n && at <= first; at++)
            line += o->p[at] == '\n';
    }
}

static void random_csv(uint64_t *seed, struct kin_buf *out)
{
    static const char *const parts[] = {
        "a",
        "bc",
        ",",
        ",",
        ",",
        "\n",
        "\n",
        "\n",
        "\"",
        "\"",
        "\"\"",
        "\"\n",
        "\",\"",
        "\r\n",
        "\r",
        "\xc3\xa9",
        "\xc3",
        "\xa9",
        " ",
        "1,2,3\n",
        "\"x\",y,z\n",
        "\"p\nq\",r,\"s\"\"t\"\r\n",
        "0123456789abcdef",
        "\n\n",
    };
    enum { PARTS = sizeof parts / sizeof *parts };
    size_t count = help_random(seed) % 40;
    size_t kinds = 1 + help_random(seed) % PARTS; /* some files know few of them */
    size_t shift = help_random(seed) % PARTS;
    kin_buf_puts(out, "a,b,c\n");
    for (size_t i = 0; i < count; i++) {
        if (help_random(seed) % 64 == 0)
            kin_buf_putc(out, '\0');
        kin_buf_puts(out, parts[(help_random(seed) % kinds + shift) % PARTS]);
    }
}

static void agrees_with_the_slow_parser_for_every_chunk_size(void **state)
{
    (void)state;
    for (uint64_t run = 0; run < 4000; run++) {
        uint64_t seed = run;
        struct kin_buf text = {0};
        struct kin_buf want = {0};
        random_csv(&seed, &text);
        struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 1);
        options.delimiter = ',';
        options.max_record_bytes = 5 + help_random(&seed) % 60;
        options.max_field_bytes = 1 + help_random(&seed) % 30;
        struct oracle o = {.p = text.p,
                           .n = text.n,
                           .max_record = options.max_record_bytes,
                           .max_field = options.max_field_bytes};
        oracle_dump(&o, 6, &want);
        for (size_t turn = 0; turn < 12; turn++) {
            struct kin_buf got = {0};
            struct kin_err err = {0};
            struct help_source source = help_source_of(text.p, text.n);
            options.chunk_bytes = turn ? 1 + help_random(&seed) % (turn * 8) : text.n + 1;
            source.piece = help_random(&seed) % 9;
            if (help_dump(&options, source, &got, NULL, &err))
                fail_msg("run %llu: %s", (unsigned long long)run, err.msg);
            if (got.n != want.n || (want.n && memcmp(got.p, want.p, want.n) != 0))
                fail_msg("run %llu, chunks of %zu, records of %zu\n%.*s\ngot\n%.*s\nwant\n%.*s",
                         (unsigned long long)run, options.chunk_bytes, options.max_record_bytes,
                         (int)text.n, (const char *)text.p, (int)got.n, (const char *)got.p,
                         (int)want.n, (const char *)want.p);
            kin_buf_deinit(&got);
        }
        kin_buf_deinit(&o.cell);
        kin_buf_deinit(&o.row);
        kin_buf_deinit(&want);
        kin_buf_deinit(&text);
    }
}

static void chunks_do_not_depend_on_the_size_of_reads(void **state)
{
    (void)state;
    for (uint64_t run = 0; run < 500; run++) {
        uint64_t seed = run;
        struct kin_buf text = {0};
        random_csv(&seed, &text);
        struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 1 + run % 40);
        options.max_record_bytes = 5 + run % 23;
        struct kin_buf cuts[2] = {{0}};
        for (size_t i = 0; i < 2; i++) {
            struct help_source source = help_source_of(text.p, text.n);
            struct kin_cutter *cutter = NULL;
            source.piece = i ? 1 + run % 7 : 0;
            assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
            struct kin_chunk chunk = {0};
            while (kin_cutter_next(cutter, &chunk, NULL) == KIN_OK) {
                kin_buf_u64(&cuts[i], chunk.offset);
                kin_buf_u64(&cuts[i], chunk.line);
                kin_buf_u64(&cuts[i], chunk.bytes.n);
                kin_chunk_deinit(&chunk);
            }
            kin_cutter_close(cutter);
        }
        assert_same(&cuts[0], (struct kin_str){(const char *)cuts[1].p, cuts[1].n});
        kin_buf_deinit(&cuts[0]);
        kin_buf_deinit(&cuts[1]);
        kin_buf_deinit(&text);
    }
}

/* ---- scale and memory ---- */

static void large_chunks_of_a_large_file(void **state)
{
    (void)state;
    struct kin_buf text = {0};
    kin_buf_puts(&text, "a,b,c\n");
    enum { ROWS = 60000, CHUNK = 64 * 1024, CHUNK_LEAST = 60 * 1024 };
    for (int i = 0; i < ROWS; i++) {
        if (i == ROWS / 2)
            kin_buf_puts(&text, "stray,\"quote,here\n");
        kin_buf_printf(&text, i % 5 ? "%d,plain text,x\n" : "%d,\"two\nlines\",\"a \"\"b\"\"\"\n",
                       i);
    }
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, CHUNK);
    struct kin_buf whole = {0};
    struct kin_buf cut = {0};
    struct help_counts counts;
    struct help_source source = help_source_of(text.p, text.n);
    assert_int_equal(help_dump(&options, source, &cut, &counts, NULL), KIN_OK);
    assert_int_equal(counts.good, ROWS);
    assert_int_equal(counts.bad, 1);
    assert_true(counts.chunks > text.n / CHUNK && counts.chunks < text.n / CHUNK_LEAST + 3);
    assert_int_equal(counts.end, text.n);
    options.chunk_bytes = text.n;
    assert_int_equal(help_dump(&options, source, &whole, &counts, NULL), KIN_OK);
    assert_int_equal(counts.chunks, 1);
    assert_same(&cut, (struct kin_str){(const char *)whole.p, whole.n});
    kin_buf_deinit(&whole);
    kin_buf_deinit(&cut);
    kin_buf_deinit(&text);
}

static void one_parser_serves_many_files(void **state)
{
    (void)state;
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 100);
    struct kin_rows *rows = kin_rows_new(&options);
    static const char *const files[] = {"a;b\n1;2\n", "a,b,c\n\"1\",2,3\n", "a\n1\n"};
    static const size_t cells[] = {2, 3, 1};
    for (size_t i = 0; i < 3; i++) {
        struct help_source source = help_source_of(files[i], strlen(files[i]));
        struct kin_cutter *cutter = NULL;
        struct kin_chunk chunk = {0};
        struct kin_row row;
        assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
        assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_OK);
        kin_rows_begin(rows, kin_cutter_header(cutter), &chunk);
        assert_true(kin_rows_next(rows, &row));
        assert_null(row.reason);
        assert_int_equal(row.count, cells[i]);
        kin_chunk_deinit(&chunk);
        kin_cutter_close(cutter);
    }
    kin_rows_free(rows);
}

static void rows_take_no_memory_of_their_own(void **state)
{
    (void)state;
    struct kin_buf text = {0};
    kin_buf_puts(&text, "a,b\n");
    for (int i = 0; i < 1000; i++)
        kin_buf_puts(&text, "plain,text\n\"quoted\",\"with \"\"escapes\"\"\"\n");
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 1 << 20);
    struct help_source source = help_source_of(text.p, text.n);
    struct kin_cutter *cutter = NULL;
    struct kin_chunk chunk = {0};
    struct kin_row row;
    assert_int_equal(kin_cutter_open(&options, help_bytes(&source), &cutter, NULL), KIN_OK);
    assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_OK);
    struct kin_rows *rows = kin_rows_new(&options);
    kin_alloc_fail_after(SIZE_MAX);
    kin_rows_begin(rows, kin_cutter_header(cutter), &chunk);
    size_t count = 0;
    while (kin_rows_next(rows, &row))
        count++;
    assert_int_equal(count, 2000);
    assert_true(kin_alloc_fail_after(SIZE_MAX) <= 2);
    kin_rows_free(rows);
    kin_chunk_deinit(&chunk);
    kin_cutter_close(cutter);
    kin_buf_deinit(&text);
}

static void every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    static const char text[] = "a,b\n1,2\n\"x\"\"y\",4\n5,\"a long cell, a long record, a long "
                               "chunk\"\n6,\"7\n";
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 20);
    struct help_source source = help_source_of(text, sizeof text - 1);
    bool done = false;
    for (size_t n = 0; !done; n++) {
        assert_true(n < 100);
        struct kin_buf out = {0};
        assert_non_null(kin_buf_reserve(&out, 10000)); /* not the dump's own allocations */
        struct kin_err err = {0};
        kin_alloc_fail_after(n);
        kin_status status = help_dump(&options, source, &out, NULL, &err);
        kin_alloc_fail_after(SIZE_MAX);
        done = status == KIN_OK;
        assert_true(done || status == KIN_E_NOMEM);
        assert_true(!done || n > 5);
        kin_buf_deinit(&out);
    }
}

static void formats_are_told_by_the_name(void **state)
{
    (void)state;
    assert_int_equal(kin_format_of("a/b.csv"), KIN_FORMAT_CSV);
    assert_int_equal(kin_format_of("a/b.jsonl"), KIN_FORMAT_JSONL);
    assert_int_equal(kin_format_of("b.NDJSON.gz"), KIN_FORMAT_JSONL);
    assert_int_equal(kin_format_of("b.json.zst"), KIN_FORMAT_JSONL);
    assert_int_equal(kin_format_of("jsonl/b.csv.gz"), KIN_FORMAT_CSV);
    assert_int_equal(kin_format_of(""), KIN_FORMAT_CSV);
    assert_int_equal(kin_compression_of("b.csv"), KIN_PLAIN);
    assert_int_equal(kin_compression_of("b.csv.GZ"), KIN_GZIP);
    assert_int_equal(kin_compression_of("b.zst"), KIN_ZSTD);
    assert_int_equal(kin_compression_of("gz"), KIN_PLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_names_are_trimmed_and_unescaped),
        cmocka_unit_test(delimiter_is_found_from_the_header),
        cmocka_unit_test(header_errors_name_line_and_column),
        cmocka_unit_test(header_has_a_largest_number_of_columns),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(plain_rows),
        cmocka_unit_test(empty_cells_and_blank_lines_are_left_out),
        cmocka_unit_test(rows_of_every_length),
        cmocka_unit_test(blank_lines_are_counted),
        cmocka_unit_test(quoted_cells),
        cmocka_unit_test(ragged_rows_are_bad),
        cmocka_unit_test(bad_bytes_name_their_column),
        cmocka_unit_test(bad_quotes_cost_one_line),
        cmocka_unit_test(bounds_of_field_and_record),
        cmocka_unit_test(chunks_are_whole_records_and_number_their_lines),
        cmocka_unit_test(an_endless_line_does_not_fill_the_memory),
        cmocka_unit_test(a_failed_read_can_be_tried_again),
        cmocka_unit_test(agrees_with_the_slow_parser_for_every_chunk_size),
        cmocka_unit_test(chunks_do_not_depend_on_the_size_of_reads),
        cmocka_unit_test(large_chunks_of_a_large_file),
        cmocka_unit_test(one_parser_serves_many_files),
        cmocka_unit_test(rows_take_no_memory_of_their_own),
        cmocka_unit_test(every_failed_allocation_is_an_error),
        cmocka_unit_test(formats_are_told_by_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
