#include "common/record/batch.h"

#include <string.h>

enum {
    ROW_HEAD = 16, /* without updated */
    ROW_UPDATED = 1,
    CELL_LENGTH_BITS = 9,
    CELL_LENGTH_MAX = (1 << CELL_LENGTH_BITS) - 1,
    CELL_COLUMN_MAX = 126,
    CELL_LONG = 0xffff
};

struct cell {
    uint16_t column;
    uint32_t length;
    size_t head_bytes;
};

/* p: 2 bytes, or 8 if they say so. */
static struct cell cell_head(const uint8_t *p)
{
    uint16_t head = kin_le16(p);
    if (head == CELL_LONG)
        return (struct cell){kin_le16(p + 2), kin_le32(p + 4), 8};
    return (struct cell){head >> CELL_LENGTH_BITS, head & CELL_LENGTH_MAX, 2};
}

static size_t pad4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

struct kin_batch_features kin_batch_features_trusted(const uint8_t *p)
{
    return (struct kin_batch_features){kin_le64(p), kin_le32(p + 8), kin_le32(p + 12),
                                       p + KIN_BATCH_FEATURES_HEAD};
}

bool kin_batch_features_open(const uint8_t *p, size_t n, const struct kin_schema *schema,
                             struct kin_batch_features *out)
{
    if (n < KIN_BATCH_FEATURES_HEAD)
        return false;
    struct kin_batch_features f = kin_batch_features_trusted(p);
    if (f.bytes != n - KIN_BATCH_FEATURES_HEAD || f.count > KIN_BATCH_RECORDS_MAX)
        return false;
    size_t at = 0;
    int64_t last = -1;
    for (uint32_t i = 0; i < f.count; i++) {
        const uint8_t *rec = f.records + at;
        size_t left = f.bytes - at;
        if (left < KIN_FEATURES_HEAD_BYTES)
            return false;
        uint32_t bytes = kin_features_bytes(rec), rel = kin_features_rel(rec);
        if (bytes > left || !kin_features_valid(rec, bytes, (unsigned)schema->count) ||
            !kin_features_fit(rec, schema) || (int64_t)rel <= last || rel >= KIN_BATCH_RECORDS_MAX)
            return false;
        last = rel;
        at += bytes;
    }
    if (at != f.bytes)
        return false;
    *out = f;
    return true;
}

struct kin_batch_rows kin_batch_rows_trusted(const uint8_t *p)
{
    struct kin_batch_rows r = {.column_count = kin_le32(p),
                               .row_count = kin_le32(p + 4),
                               .table = p + KIN_BATCH_ROWS_HEAD,
                               .table_bytes = kin_le32(p + 8),
                               .bytes = kin_le32(p + 12)};
    r.rows = r.table + r.table_bytes;
    return r;
}

static bool table_valid(const struct kin_batch_rows *r)
{
    struct kin_cursor c = kin_cursor_of(r->table, r->table_bytes);
    for (uint32_t i = 0; i < r->column_count && !c.bad; i++)
        kin_cursor_take(&c, kin_cursor_u16(&c));
    return !c.bad && kin_cursor_left(&c) < 4;
}

static bool row_valid(const uint8_t *row, size_t left, uint32_t column_count)
{
    if (left < ROW_HEAD || kin_le32(row) > left || kin_le32(row) < ROW_HEAD ||
        row[11] > ROW_UPDATED)
        return false;
    size_t bytes = kin_le32(row), at = ROW_HEAD + 8 * (size_t)row[11] + row[10];
    for (uint32_t cells = kin_le32(row + 12); cells; cells--) {
        if (at + 2 > bytes || (kin_le16(row + at) == CELL_LONG && at + 8 > bytes))
            return false;
        struct cell cell = cell_head(row + at);
        if (cell.column >= column_count)
            return false;
        at += cell.head_bytes + (size_t)cell.length;
    }
    return at == bytes;
}

bool kin_batch_rows_open(const uint8_t *p, size_t n, struct kin_batch_rows *out)
{
    if (n < KIN_BATCH_ROWS_HEAD)
        return false;
    size_t body = n - KIN_BATCH_ROWS_HEAD;
    if (kin_le32(p + 8) > body || kin_le32(p + 12) != body - kin_le32(p + 8) ||
        kin_le32(p) > UINT16_MAX || kin_le32(p + 4) > KIN_BATCH_RECORDS_MAX)
        return false;
    struct kin_batch_rows r = kin_batch_rows_trusted(p);
    if (!table_valid(&r))
        return false;
    size_t at = 0;
    for (uint32_t i = 0; i < r.row_count; i++) {
        if (!row_valid(r.rows + at, r.bytes - at, r.column_count))
            return false;
        at += kin_le32(r.rows + at);
    }
    if (at != r.bytes)
        return false;
    *out = r;
    return true;
}

void kin_batch_rows_columns(const struct kin_batch_rows *rows, struct kin_str *names)
{
    const uint8_t *p = rows->table;
    for (uint32_t i = 0; i < rows->column_count; i++) {
        names[i] = (struct kin_str){(const char *)p + 2, kin_le16(p)};
        p += 2 + names[i].n;
    }
}

struct kin_batch_row kin_batch_row_read(const uint8_t *row)
{
    bool known = row[11] & ROW_UPDATED;
    const uint8_t *id = row + ROW_HEAD + (known ? 8 : 0);
    return (struct kin_batch_row){
        .bytes = kin_le32(row),
        .number = kin_le32(row + 4),
        .updated = known ? (int64_t)kin_le64(row + ROW_HEAD) : INT64_MIN,
        .source = kin_le16(row + 8),
        .id = {(const char *)id, row[10]},
        .cell_count = kin_le32(row + 12),
        .cells = id + row[10],
    };
}

struct kin_str kin_batch_cell_next(const uint8_t **at, uint16_t *column)
{
    struct cell cell = cell_head(*at);
    struct kin_str value = {(const char *)*at + cell.head_bytes, cell.length};
    *column = cell.column;
    *at += cell.head_bytes + cell.length;
    return value;
}

void kin_batch_rows_begin_row(struct kin_batch_rows_builder *b, uint32_t number, int64_t updated,
                              uint16_t source, struct kin_str id)
{
    bool known = updated != INT64_MIN;
    KIN_ASSERT(id.n <= KIN_ID_BYTES_MAX);
    b->row_at = b->rows.n;
    b->cells = 0;
    uint8_t *p = kin_buf_extend(&b->rows, (known ? ROW_HEAD + 8 : ROW_HEAD) + id.n);
    if (!p)
        return;
    kin_put_le32(p + 4, number);
    kin_put_le16(p + 8, source);
    p[10] = (uint8_t)id.n;
    p[11] = known ? ROW_UPDATED : 0;
    p += ROW_HEAD;
    if (known) {
        kin_put_le64(p, (uint64_t)updated);
        p += 8;
    }
    if (id.n)
        memcpy(p, id.p, id.n);
}

void kin_batch_rows_cell(struct kin_batch_rows_builder *b, uint16_t column, struct kin_str value)
{
    bool small = column <= CELL_COLUMN_MAX && value.n <= CELL_LENGTH_MAX;
    uint8_t *p = kin_buf_extend(&b->rows, (small ? 2 : 8) + value.n);
    if (!p)
        return;
    if (small) {
        kin_put_le16(p, (uint16_t)((size_t)column << CELL_LENGTH_BITS | value.n));
        p += 2;
    } else {
        kin_put_le16(p, CELL_LONG);
        kin_put_le16(p + 2, column);
        kin_put_le32(p + 4, (uint32_t)value.n);
        p += 8;
    }
    if (value.n)
        memcpy(p, value.p, value.n);
    b->cells++;
}

void kin_batch_rows_end_row(struct kin_batch_rows_builder *b)
{
    if (b->rows.failed)
        return;
    kin_put_le32(b->rows.p + b->row_at, (uint32_t)(b->rows.n - b->row_at));
    kin_put_le32(b->rows.p + b->row_at + 12, b->cells);
    b->row_count++;
}

void kin_batch_rows_copy(struct kin_batch_rows_builder *b, const uint8_t *row, uint32_t number)
{
    uint32_t bytes = kin_le32(row);
    uint8_t *p = kin_buf_extend(&b->rows, bytes);
    if (!p)
        return;
    memcpy(p, row, bytes);
    kin_put_le32(p + 4, number);
    b->row_count++;
}

void kin_batch_rows_finish(struct kin_batch_rows_builder *b, const struct kin_str *columns,
                           size_t column_count, struct kin_buf *out)
{
    static const uint8_t zero[4];
    size_t table = 0;
    for (size_t i = 0; i < column_count; i++)
        table += 2 + columns[i].n;
    kin_buf_u32(out, (uint32_t)column_count);
    kin_buf_u32(out, b->row_count);
    kin_buf_u32(out, (uint32_t)pad4(table));
    kin_buf_u32(out, (uint32_t)b->rows.n);
    for (size_t i = 0; i < column_count; i++) {
        kin_buf_u16(out, (uint16_t)columns[i].n);
        kin_buf_put(out, columns[i].p, columns[i].n);
    }
    kin_buf_put(out, zero, pad4(table) - table);
    kin_buf_put(out, b->rows.p, b->rows.n);
    if (b->rows.failed || b->rows.n > UINT32_MAX || table > UINT32_MAX - 3)
        out->failed = true;
    kin_buf_clear(&b->rows);
    b->row_count = 0;
}
