#ifndef KIN_TESTS_UNIT_READER_HELP_H
#define KIN_TESTS_UNIT_READER_HELP_H
/* For the tests and fuzzers of the reader: a source over bytes in memory that gives them in pieces,
 * and a dump of all rows of a stream as text, so that two ways of reading can be compared. */
#include "common/record/reader.h"

#include <stdlib.h>
#include <string.h>

struct help_source {
    const uint8_t *p;
    size_t n;
    size_t at;
    size_t piece;   /* most bytes of one read; 0: as many as asked for */
    size_t fail_at; /* reads fail from this offset on, once; 0: never */
    unsigned reads;
};

static inline kin_status help_read(void *arg, uint8_t *to, size_t cap, size_t *got,
                                   struct kin_err *err)
{
    struct help_source *s = arg;
    s->reads++;
    if (s->fail_at && s->at >= s->fail_at) {
        s->fail_at = 0;
        return kin_err_set(err, KIN_E_IO, "the disk is on fire");
    }
    size_t n = s->n - s->at;
    if (n > cap)
        n = cap;
    if (s->piece && n > s->piece)
        n = s->piece;
    if (n)
        memcpy(to, s->p + s->at, n);
    s->at += n;
    *got = n;
    return KIN_OK;
}

static inline struct help_source help_source_of(const void *p, size_t n)
{
    return (struct help_source){.p = p, .n = n};
}

static inline struct kin_byte_source help_bytes(struct help_source *s)
{
    return (struct kin_byte_source){help_read, s};
}

static inline uint64_t help_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline struct kin_reader_options help_options(enum kin_format format, size_t chunk_bytes)
{
    return (struct kin_reader_options){
        .format = format,
        .chunk_bytes = chunk_bytes,
        .max_record_bytes = 1 << 20,
        .max_field_bytes = 64 * 1024,
    };
}

static inline void help_dump_str(struct kin_buf *out, const char *what, struct kin_str s)
{
    kin_buf_printf(out, " %s[", what);
    kin_buf_put(out, s.p, s.n);
    kin_buf_puts(out, "]");
}

/* "3 raw[a,b] first[a] second[b]\n" or "3 raw[a] bad[expected 2 cells, found 1] field[]\n" */
static inline void help_dump_row(struct kin_buf *out, const struct kin_row *row,
                                 const struct kin_str *columns)
{
    kin_buf_printf(out, "%llu", (unsigned long long)row->line);
    help_dump_str(out, "raw", row->raw);
    if (row->reason) {
        help_dump_str(out, "bad", kin_str_of(row->reason));
        help_dump_str(out, "field", row->field);
    }
    for (size_t i = 0; i < row->count; i++) {
        kin_buf_puts(out, " ");
        kin_buf_put(out, columns[row->cells[i].column].p, columns[row->cells[i].column].n);
        kin_buf_puts(out, "=");
        help_dump_str(out, "", row->cells[i].value);
    }
    kin_buf_puts(out, "\n");
}

struct help_counts {
    size_t chunks, good, bad;
    uint64_t end; /* offset behind the last chunk */
};

/* What is always true of a row in a chunk. */
static inline void help_check_row(const struct kin_row *row, const struct kin_chunk *chunk,
                                  size_t columns)
{
    const char *p = (const char *)chunk->bytes.p;
    KIN_ASSERT(row->raw.p >= p && row->raw.p + row->raw.n <= p + chunk->bytes.n);
    KIN_ASSERT(row->line >= chunk->line);
    KIN_ASSERT(!row->reason || row->count == 0);
    for (size_t i = 0; i < row->count; i++) {
        KIN_ASSERT(row->cells[i].column < columns);
        KIN_ASSERT(row->cells[i].value.n > 0);
    }
}

/* Reads a whole stream; appends its rows to out. */
static inline kin_status help_dump(const struct kin_reader_options *options,
                                   struct help_source source, struct kin_buf *out,
                                   struct help_counts *counts, struct kin_err *err)
{
    struct kin_cutter *cutter = NULL;
    struct help_counts c = {0};
    kin_status status = kin_cutter_open(options, help_bytes(&source), &cutter, err);
    if (status)
        return status;
    struct kin_rows *rows = kin_rows_new(options);
    status = rows ? KIN_OK : KIN_E_NOMEM;
    size_t longest = options->max_record_bytes + 2;
    longest = options->chunk_bytes > longest ? options->chunk_bytes : longest;
    while (!status) {
        struct kin_chunk chunk = {0};
        struct kin_row row;
        status = kin_cutter_next(cutter, &chunk, err);
        if (status)
            break;
        KIN_ASSERT(chunk.bytes.n > 0 && chunk.bytes.n <= longest);
        KIN_ASSERT(chunk.offset >= c.end && chunk.line > 0);
        c.end = chunk.offset + chunk.bytes.n;
        c.chunks++;
        kin_rows_begin(rows, kin_cutter_header(cutter), &chunk);
        while (kin_rows_next(rows, &row)) {
            size_t count;
            const struct kin_str *columns = kin_rows_columns(rows, &count);
            help_check_row(&row, &chunk, count);
            help_dump_row(out, &row, columns);
            c.good += !row.reason;
            c.bad += row.reason != NULL;
        }
        if (kin_rows_failed(rows))
            status = kin_err_set(err, KIN_E_NOMEM, "rows");
        kin_chunk_deinit(&chunk);
    }
    kin_rows_free(rows);
    kin_cutter_close(cutter);
    if (counts)
        *counts = c;
    return status == KIN_E_EOF ? KIN_OK : status;
}

#endif
