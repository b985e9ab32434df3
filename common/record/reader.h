#ifndef KIN_RECORD_READER_H
#define KIN_RECORD_READER_H
/* Streaming readers of CSV (RFC 4180) and JSON Lines, in two halves so that one large file is
 * parsed by many threads: a cutter runs over the bytes in order and cuts chunks at record
 * boundaries; a row parser takes one chunk, anywhere. Same input and chunk size, same chunks:
 * chunks are numbered batches of a job, so this is part of how a job resumes.
 *
 * Bounds: a cell has at most max_field_bytes, a record at most max_record_bytes; what breaks a
 * bound or the syntax is one bad row with its reason, raw text and line, and parsing goes on at the
 * next line.
 *
 * CSV: a line ends with LF or CR LF. Within quotes both are data; so is a CR alone, which is an
 * error outside quotes. NUL bytes and invalid UTF-8 are errors everywhere. A record whose quotes
 * do not balance within max_record_bytes is its first line alone, so that a stray quote costs one
 * record. JSON Lines: a line is one object (RFC 8259). In both, a byte order mark at the start and
 * blank lines are skipped, and the last line needs no end: every other line belongs to exactly one
 * row, good or bad. */
#include "common/base/mem.h"

enum {
    KIN_RECORD_BYTES_MAX = 16 * 1024 * 1024,
    KIN_COLUMNS_MAX = 4096,
    KIN_COLUMN_NAME_BYTES_MAX = UINT16_MAX
};

enum kin_format { KIN_FORMAT_CSV, KIN_FORMAT_JSONL };
enum kin_compression { KIN_PLAIN, KIN_GZIP, KIN_ZSTD };

/* By the file name: .jsonl .ndjson .json -> JSON Lines, else CSV; .gz .zst looked through. */
enum kin_format kin_format_of(const char *path);
enum kin_compression kin_compression_of(const char *path);

/* A stream of bytes, pulled. got 0: end. */
struct kin_byte_source {
    kin_status (*read)(void *arg, uint8_t *to, size_t cap, size_t *got, struct kin_err *err);
    void *arg;
};

/* Decompression as a byte source over another, which is borrowed until close; KIN_PLAIN passes it
 * through. Truncated or corrupt input (an empty one is truncated): KIN_E_CORRUPT; a frame that asks
 * for more than 128 MiB of memory: KIN_E_LIMIT. What the raw source reports is passed on. Members
 * and frames that follow one another are one stream. */
struct kin_inflate;
kin_status kin_inflate_open(enum kin_compression compression, struct kin_byte_source raw,
                            struct kin_inflate **out, struct kin_err *err) KIN_MUST_CHECK;
struct kin_byte_source kin_inflate_source(struct kin_inflate *inflate);
void kin_inflate_close(struct kin_inflate *inflate);

struct kin_reader_options {
    enum kin_format format;
    char delimiter;          /* CSV; 0: found from the header line among , ; tab | */
    size_t chunk_bytes;      /* aim; a chunk is never cut inside a record; at least 1 */
    size_t max_record_bytes; /* without the line end; 1..KIN_RECORD_BYTES_MAX */
    size_t max_field_bytes;  /* of a cell, unescaped; at least 1 */
};

/* The columns of a CSV file, from its header line: 1..KIN_COLUMNS_MAX unique names without blanks
 * around them. JSON Lines has none (count 0). */
struct kin_header {
    size_t count;
    struct kin_str *names; /* owned */
    char delimiter;
    char *text; /* owned: what names point into */
};
void kin_header_deinit(struct kin_header *h);

struct kin_chunk {
    struct kin_buf bytes; /* whole records, or the start of one over-long line */
    uint64_t offset;      /* of its first byte in the (decompressed) stream */
    uint64_t line;        /* number of its first line in the file, from 1 */
};
void kin_chunk_deinit(struct kin_chunk *chunk);

struct kin_cutter;
/* Reads the header line of a CSV at once (a BOM is skipped; an empty file, a header with an empty,
 * repeated or invalid name: KIN_E_SYNTAX naming line and column). input is borrowed until close.
 * Options out of range: KIN_E_INVAL. */
kin_status kin_cutter_open(const struct kin_reader_options *options, struct kin_byte_source input,
                           struct kin_cutter **out, struct kin_err *err) KIN_MUST_CHECK;
const struct kin_header *
kin_cutter_header(const struct kin_cutter *cutter); /* lives as long as it */
/* The next chunk, owned by the caller; set on success only. KIN_E_EOF after the last. After any
 * other error nothing is lost: calling again goes on where it stopped. At most chunk_bytes, or one
 * record if that is longer. Of a line that is longer than max_record_bytes and chunk_bytes the
 * chunk holds a first part that is enough to reject it, and the rest is skipped. */
kin_status kin_cutter_next(struct kin_cutter *cutter, struct kin_chunk *chunk,
                           struct kin_err *err) KIN_MUST_CHECK;
void kin_cutter_close(struct kin_cutter *cutter);

/* ---- rows ---- */

struct kin_cell {
    uint32_t column;      /* index into kin_rows_columns */
    struct kin_str value; /* valid UTF-8, unescaped; borrowed until the next row */
};

struct kin_row {
    uint64_t line;      /* its first line in the file */
    struct kin_str raw; /* as it stands in the file, without the line end, at most
                           max_record_bytes of it; borrowed from the chunk */
    const struct kin_cell *cells;
    size_t count;         /* JSON: arrays repeat the column; empty cells and nulls are left out */
    const char *reason;   /* NULL: a good row. Else why it is rejected (count is 0); static or in
                             the parser, until the next row */
    struct kin_str field; /* name of the column the reason is about, or empty */
};

struct kin_rows;
/* One parser belongs to one thread at a time and is used for many chunks. options are copied. */
struct kin_rows *kin_rows_new(const struct kin_reader_options *options); /* NULL: out of memory */
void kin_rows_free(struct kin_rows *rows);
/* Borrows header (JSON Lines: may be NULL) and chunk until the next begin. */
void kin_rows_begin(struct kin_rows *rows, const struct kin_header *header,
                    const struct kin_chunk *chunk);
/* false: end of the chunk, or out of memory (kin_rows_failed). */
bool kin_rows_next(struct kin_rows *rows, struct kin_row *row);
bool kin_rows_failed(const struct kin_rows *rows);
/* Column names met so far in this chunk's good rows (CSV: the header's); valid until the next row.
 * JSON Lines: nested objects give dotted names, at most 8 deep. Grows while rows are read, at most
 * KIN_COLUMNS_MAX: a row that would bring more is bad. */
const struct kin_str *kin_rows_columns(const struct kin_rows *rows, size_t *count);

/* ---- writing ---- */

/* One CSV cell, for the delimiter ',', quoted only where RFC 4180 needs it (and a leading or
 * trailing blank is quoted too). The bytes are written as they are, valid or not. */
void kin_csv_cell(struct kin_buf *out, struct kin_str value);
/* One cell of raw text. NUL and what is no UTF-8 would make a file unreadable: such bytes become
 * U+FFFD. */
void kin_csv_raw_cell(struct kin_buf *out, struct kin_str raw);
/* Quoted and escaped; a byte that is not valid UTF-8 is written as U+FFFD, so that the result
 * always is. */
void kin_json_string(struct kin_buf *out, struct kin_str value);

#endif
