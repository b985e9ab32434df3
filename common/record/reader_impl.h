#ifndef KIN_RECORD_READER_IMPL_H
#define KIN_RECORD_READER_IMPL_H
/* What the files of the reader share; included by nothing outside common/record/.
 *
 * The cutter and the row parser must agree on where a record ends although the parser sees only a
 * chunk and the cutter sees what comes after it too. So both call kin_csv_scan, and its verdict on
 * a record depends only on the record's first max_record_bytes + 2 bytes; a record that breaks the
 * rules of quoting is its first line, and what is said about it is found in that line alone. */
#include "common/record/reader.h"

#include <string.h>

enum { KIN_REASON_BYTES = 160 };

/* ---- bytes ---- */

#define KIN_EACH_BYTE(b) (0x0101010101010101u * (uint64_t)(b))

static inline bool kin_bytes_ascii(const uint8_t *p, size_t n)
{
    uint64_t seen = 0;
    for (; n >= 8; p += 8, n -= 8)
        seen |= kin_le64(p);
    for (; n; p++, n--)
        seen |= *p;
    return !(seen & KIN_EACH_BYTE(0x80));
}

/* How often LF stands in p (lines.c). */
size_t kin_count_newlines(const uint8_t *p, size_t n);

/* Skips bytes whose class is 0; returns the first other one, or end. */
static inline const uint8_t *kin_skip_plain(const uint8_t class[static 256], const uint8_t *p,
                                            const uint8_t *end)
{
    for (; end - p >= 4; p += 4) {
        if (class[p[0]])
            return p;
        if (class[p[1]])
            return p + 1;
        if (class[p[2]])
            return p + 2;
        if (class[p[3]])
            return p + 3;
    }
    while (p < end && !class[*p])
        p++;
    return p;
}

/* How many bytes at the start of p are valid UTF-8 (utf8.c). */
size_t kin_utf8_prefix(const uint8_t *p, size_t n);

/* ---- CSV syntax (csv.c) ---- */

enum kin_csv_fault {
    KIN_CSV_GOOD,
    KIN_CSV_LONG_RECORD,
    KIN_CSV_NOT_CLOSED,
    KIN_CSV_QUOTE_INSIDE,
    KIN_CSV_AFTER_QUOTE,
    KIN_CSV_NUL,
    KIN_CSV_LONE_CR,
    KIN_CSV_LONG_FIELD,
    KIN_CSV_NOT_UTF8,
};

struct kin_csv_dialect {
    char delimiter;
    size_t max_record_bytes;
    size_t max_field_bytes;
    uint8_t structure[256]; /* 1: delimiter, quote, LF */
    uint8_t special[256];   /* 1: those, CR and NUL */
};
void kin_csv_dialect_init(struct kin_csv_dialect *d, const struct kin_reader_options *options,
                          char delimiter);

struct kin_csv_span {
    size_t bytes;             /* with the line end */
    size_t text;              /* without it */
    enum kin_csv_fault fault; /* one of the first five */
    size_t column;            /* of the fault, from 1 */
};
/* The record that starts at p. at_end: the input ends at p + n. false: only more bytes can tell
 * (never when at_end). */
bool kin_csv_scan(const struct kin_csv_dialect *d, const uint8_t *p, size_t n, bool at_end,
                  struct kin_csv_span *out);

/* A walk over the cells of a record that kin_csv_scan found good. */
struct kin_csv_walk {
    const uint8_t *p; /* NULL: no cell is left */
    const uint8_t *end;
    uint8_t *unescaped; /* room for as many bytes as the record has; moves on */
    bool clean;         /* the record is ASCII without NUL and CR: cells need no such check */
};
struct kin_csv_value {
    struct kin_str text;
    enum kin_csv_fault fault;
};
/* p: not NULL before the call. */
struct kin_csv_value kin_csv_walk_next(const struct kin_csv_dialect *d, struct kin_csv_walk *walk);

/* What a fault is called, with its column number. */
void kin_csv_fault_print(const struct kin_csv_dialect *d, enum kin_csv_fault fault, size_t column,
                         char *to, size_t cap);

/* The delimiter of a header line: the candidate that stands most often outside quotes; of equals
 * the first of , ; tab |. */
char kin_csv_guess_delimiter(const uint8_t *p, size_t n);
/* text: the header record, found good. line: for messages. */
kin_status kin_csv_header_parse(const struct kin_csv_dialect *d, const uint8_t *text, size_t n,
                                uint64_t line, struct kin_header *out,
                                struct kin_err *err) KIN_MUST_CHECK;

/* ---- rows ---- */

/* The names of the members of JSON objects, dotted, of one chunk (names.c). A name becomes a
 * column when it first has a value that is no object. */
enum { KIN_NAMES_SLOTS = 4 * KIN_COLUMNS_MAX };
#define KIN_NO_COLUMN UINT32_MAX
struct kin_name {
    struct kin_str text; /* in the arena */
    uint32_t column;     /* or KIN_NO_COLUMN */
    uint32_t next;       /* the name that followed last time: a guess */
    uint64_t row;        /* serial number of the last row that had it */
};
struct kin_names {
    struct kin_name *names; /* KIN_COLUMNS_MAX of them */
    uint32_t count;
    struct kin_str *columns; /* their names; KIN_COLUMNS_MAX of them */
    uint32_t *column_names;  /* column -> index into names */
    uint32_t columns_count;
    uint16_t *slots; /* open addressing; index + 1, 0: free */
    uint32_t last;   /* the name found last */
    struct kin_arena text;
};
bool kin_names_init(struct kin_names *n); /* false: out of memory; deinit is needed all the same */
void kin_names_deinit(struct kin_names *n);
void kin_names_clear(struct kin_names *n);
enum kin_names_found { KIN_NAMES_FOUND, KIN_NAMES_FULL, KIN_NAMES_NOMEM };
enum kin_names_found kin_names_intern(struct kin_names *n, struct kin_str text, uint32_t *index);
uint32_t kin_names_column(struct kin_names *n, uint32_t index);
/* Forgets the names and columns after the first so many. */
void kin_names_rollback(struct kin_names *n, uint32_t count, uint32_t columns_count);

struct kin_rows {
    struct kin_reader_options options;
    const struct kin_header *header;
    const uint8_t *p; /* next record of the chunk */
    const uint8_t *end;
    uint64_t line;
    bool failed;
    struct kin_cell *cells;
    size_t cells_cap;
    struct kin_buf unescaped; /* texts of the row at hand that had escapes */
    struct kin_buf path;      /* JSON: dotted name of the object at hand */
    struct kin_csv_dialect dialect;
    uint8_t json_stop[256]; /* 1: ends a run of plain text in a string */
    struct kin_names names; /* JSON */
    uint64_t serial;        /* JSON: number of the row */
    char reason[KIN_REASON_BYTES];
};
/* One line, not blank, without its line end (jsonl.c). Fills cells and count, or reason and field.
 * false: out of memory. */
bool kin_json_row(struct kin_rows *rows, struct kin_str line, struct kin_row *row);
/* Room for at least count cells; those there are kept. */
bool kin_rows_reserve_cells(struct kin_rows *rows, size_t count);

#endif
