#ifndef KIN_TESTS_FUZZ_READER_FUZZ_H
#define KIN_TESTS_FUZZ_READER_FUZZ_H
/* What the fuzzers of the two formats share. The first four bytes of an input choose the sizes;
 * the rest is the file, which is read once as a whole and once in small chunks. Both must give the
 * same rows. */
#include "common/record/normalise.h"
#include "tests/unit/reader_help.h"

/* Good rows hold valid text within the bounds. */
static inline void fuzz_check_cells(const struct kin_reader_options *options,
                                    const struct help_source *from)
{
    struct help_source source = *from;
    struct kin_cutter *cutter = NULL;
    if (kin_cutter_open(options, help_bytes(&source), &cutter, NULL))
        return;
    struct kin_rows *rows = kin_rows_new(options);
    struct kin_chunk chunk = {0};
    struct kin_row row;
    KIN_ASSERT(rows);
    while (kin_cutter_next(cutter, &chunk, NULL) == KIN_OK) {
        uint64_t line = 0;
        kin_rows_begin(rows, kin_cutter_header(cutter), &chunk);
        while (kin_rows_next(rows, &row)) {
            KIN_ASSERT(row.line > line && row.raw.n <= options->max_record_bytes);
            line = row.line;
            for (size_t i = 0; i < row.count; i++) {
                struct kin_str value = row.cells[i].value;
                KIN_ASSERT(value.n <= options->max_field_bytes);
                KIN_ASSERT(kin_utf8_valid(value.p, value.n, NULL) && !memchr(value.p, 0, value.n));
            }
        }
        KIN_ASSERT(!kin_rows_failed(rows));
        kin_chunk_deinit(&chunk);
    }
    kin_rows_free(rows);
    kin_cutter_close(cutter);
}

static inline void fuzz_reader(enum kin_format format, const uint8_t *data, size_t size)
{
    static const char delimiters[] = {0, ',', ';', '\t', '|', 'a', ' ', ':'};
    if (size < 4)
        return;
    struct kin_reader_options options = {
        .format = format,
        .delimiter = delimiters[data[3] & 7],
        .max_record_bytes = 1u + (data[1] < 128 ? data[1] : data[1] * 64u),
        .max_field_bytes = 1u + (data[2] < 128 ? data[2] : data[2] * 64u),
    };
    struct help_source source = help_source_of(data + 4, size - 4);
    struct kin_buf whole = {0};
    struct kin_buf cut = {0};
    struct help_counts counts[2];
    options.chunk_bytes = size;
    kin_status status = help_dump(&options, source, &whole, &counts[0], NULL);
    options.chunk_bytes = 1u + data[0];
    source.piece = data[3] >> 3;
    KIN_ASSERT(help_dump(&options, source, &cut, &counts[1], NULL) == status);
    KIN_ASSERT(status == KIN_OK || (status == KIN_E_SYNTAX && whole.n == 0));
    if (!status)
        KIN_ASSERT(counts[0].good == counts[1].good && counts[0].bad == counts[1].bad);
    KIN_ASSERT(kin_str_eq((struct kin_str){(const char *)whole.p, whole.n},
                          (struct kin_str){(const char *)cut.p, cut.n}));
    fuzz_check_cells(&options, &source);
    kin_buf_deinit(&whole);
    kin_buf_deinit(&cut);
}

#endif
