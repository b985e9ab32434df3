#ifndef KIN_RECORD_BATCH_H
#define KIN_RECORD_BATCH_H
/* What a batch message carries, and what a worker stores as it arrived: a section of packed
 * features and a section of raw rows. Little endian.
 *
 * features section:  u64 base, u32 count, u32 bytes, then the records (features.h), count of them
 * in `bytes` bytes. rel of each is below KIN_BATCH_RECORDS_MAX and ascends.
 *
 * rows section: u32 columns, u32 rows, u32 table_bytes, u32 bytes; the table: for each column u16
 * length and name, padded to 4 as a whole; then the rows, each: u32 bytes (of this row, itself
 * included), u32 rel or group, u16 source, u8 id_bytes, u8 flags (bit 0: updated follows), u32
 * cells, i64 updated where it is known, id; then each cell: u16 head, text. The head is column *
 * 512
 * + length where the column is below 127 and the length below 512, else 0xffff, and then follow u16
 * column and u32 length.
 *
 * Pure; any thread. */
#include "common/record/features.h"

enum { KIN_BATCH_RECORDS_MAX = 1 << 20, KIN_BATCH_FEATURES_HEAD = 16, KIN_BATCH_ROWS_HEAD = 16 };

struct kin_batch_features {
    uint64_t base;
    uint32_t count;
    uint32_t bytes;
    const uint8_t *records;
};
/* Checks a section of n bytes completely, every record included. */
bool kin_batch_features_open(const uint8_t *p, size_t n, const struct kin_schema *schema,
                             struct kin_batch_features *out) KIN_MUST_CHECK;
/* The same for bytes that passed the check before (from this node's own store): reads the head
 * only. */
struct kin_batch_features kin_batch_features_trusted(const uint8_t *p);

struct kin_batch_rows {
    uint32_t column_count;
    uint32_t row_count;
    const uint8_t *table;
    size_t table_bytes;
    const uint8_t *rows;
    size_t bytes;
};
bool kin_batch_rows_open(const uint8_t *p, size_t n, struct kin_batch_rows *out) KIN_MUST_CHECK;
struct kin_batch_rows kin_batch_rows_trusted(const uint8_t *p);
/* Names of the columns into names[column_count]; borrowed. */
void kin_batch_rows_columns(const struct kin_batch_rows *rows, struct kin_str *names);

struct kin_batch_row {
    uint32_t bytes;  /* to the next row */
    uint32_t number; /* rel, or the group in an answer to ROWS */
    int64_t updated;
    uint16_t source;
    struct kin_str id;
    uint32_t cell_count;
    const uint8_t *cells;
};
struct kin_batch_row kin_batch_row_read(const uint8_t *row);
static inline uint32_t kin_batch_row_number(const uint8_t *row)
{
    return kin_le32(row + 4);
}
/* Reads the cell at *at and moves on. */
struct kin_str kin_batch_cell_next(const uint8_t **at, uint16_t *column);

/* Building rows: the table comes first, so it is written by finish, before the rows gathered. */
struct kin_batch_rows_builder {
    struct kin_buf rows;
    uint32_t row_count;
    size_t row_at;
    uint32_t cells;
};
void kin_batch_rows_begin_row(struct kin_batch_rows_builder *b, uint32_t number, int64_t updated,
                              uint16_t source, struct kin_str id);
void kin_batch_rows_cell(struct kin_batch_rows_builder *b, uint16_t column, struct kin_str value);
void kin_batch_rows_end_row(struct kin_batch_rows_builder *b);
/* Instead of all three: a row as another section has it, whose columns have the same numbers. */
void kin_batch_rows_copy(struct kin_batch_rows_builder *b, const uint8_t *row, uint32_t number);
/* Appends the section to out; the builder is emptied, its memory kept. out->failed: out of memory
 * now or while the rows were gathered, or more than 4 GiB of rows. */
void kin_batch_rows_finish(struct kin_batch_rows_builder *b, const struct kin_str *columns,
                           size_t column_count, struct kin_buf *out);

#endif
