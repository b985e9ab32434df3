/* The row parser: lines of a chunk to cells. CSV records without quotes or anything unusual take
 * a short way; all others are scanned for their end first (as the cutter does) and then taken
 * apart with every check. */
#include "common/record/reader_impl.h"

#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct kin_rows *kin_rows_new(const struct kin_reader_options *options)
{
    struct kin_rows *rows = kin_calloc(1, sizeof *rows);
    if (!rows)
        return NULL;
    rows->options = *options;
    memset(rows->json_stop, 1, 0x20);
    rows->json_stop['"'] = rows->json_stop['\\'] = 1;
    if (options->format == KIN_FORMAT_JSONL && !kin_names_init(&rows->names)) {
        kin_rows_free(rows);
        return NULL;
    }
    return rows;
}

void kin_rows_free(struct kin_rows *rows)
{
    if (!rows)
        return;
    kin_names_deinit(&rows->names);
    kin_buf_deinit(&rows->unescaped);
    kin_buf_deinit(&rows->path);
    kin_free(rows->cells);
    kin_free(rows);
}

bool kin_rows_reserve_cells(struct kin_rows *rows, size_t count)
{
    if (count <= rows->cells_cap)
        return true;
    size_t cap = rows->cells_cap ? 2 * rows->cells_cap : 32;
    cap = cap < count ? count : cap;
    struct kin_cell *cells = kin_reallocarray(rows->cells, cap, sizeof *cells);
    if (!cells)
        return false;
    rows->cells = cells;
    rows->cells_cap = cap;
    return true;
}

void kin_rows_begin(struct kin_rows *rows, const struct kin_header *header,
                    const struct kin_chunk *chunk)
{
    rows->header = header;
    rows->p = chunk->bytes.p;
    rows->end = chunk->bytes.n ? chunk->bytes.p + chunk->bytes.n : chunk->bytes.p;
    rows->line = chunk->line;
    rows->failed = false;
    if (rows->options.format == KIN_FORMAT_JSONL) {
        kin_names_clear(&rows->names);
        return;
    }
    if (rows->dialect.delimiter != header->delimiter)
        kin_csv_dialect_init(&rows->dialect, &rows->options, header->delimiter);
    rows->failed = !kin_rows_reserve_cells(rows, header->count);
}

bool kin_rows_failed(const struct kin_rows *rows)
{
    return rows->failed;
}

const struct kin_str *kin_rows_columns(const struct kin_rows *rows, size_t *count)
{
    if (rows->options.format == KIN_FORMAT_JSONL) {
        *count = rows->names.columns_count;
        return rows->names.columns;
    }
    *count = rows->header ? rows->header->count : 0;
    return rows->header ? rows->header->names : NULL;
}

static struct kin_str raw_of(const struct kin_rows *rows, const uint8_t *p, size_t n)
{
    size_t most = rows->options.max_record_bytes;
    return (struct kin_str){(const char *)p, n < most ? n : most};
}

/* ---- CSV ---- */

/* Looks for special bytes 64 at a time. */
struct finder {
    const struct kin_csv_dialect *d;
    const uint8_t *block;
    const uint8_t *end;
    uint64_t found; /* bit i: block[i] is to be looked at, and was not yet */
};

/* Bit i: p[i] is special; among full blocks also other control characters up to CR, because one
 * comparison finds them all. */
static uint64_t special_bits(const struct kin_csv_dialect *d, const uint8_t *p, const uint8_t *end)
{
    uint64_t bits = 0;
#ifdef __SSE2__
    if (end - p >= 64) {
        const __m128i delimiter = _mm_set1_epi8(d->delimiter);
        const __m128i quote = _mm_set1_epi8('"');
        const __m128i control = _mm_set1_epi8('\r');
        for (unsigned i = 0; i < 64; i += 16) {
            __m128i v;
            memcpy(&v, p + i, sizeof v);
            __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, control), v);
            __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, delimiter), _mm_cmpeq_epi8(v, quote));
            bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_or_si128(hit, low)) << i;
        }
        return bits;
    }
#endif
    size_t n = end - p < 64 ? (size_t)(end - p) : 64;
    for (size_t i = 0; i < n; i++)
        bits |= (uint64_t)d->special[p[i]] << i;
    return bits;
}

/* The next special byte, or end. */
static inline const uint8_t *find_next(struct finder *f)
{
    while (!f->found) {
        if (f->end - f->block <= 64)
            return f->end;
        f->block += 64;
        f->found = special_bits(f->d, f->block, f->end);
    }
    const uint8_t *p = f->block + __builtin_ctzll(f->found);
    f->found &= f->found - 1;
    return p;
}

/* The record at p, if it is good and has no quotes: what comes after it. NULL: look closer. */
static const uint8_t *csv_short_way(struct kin_rows *rows, struct kin_row *row)
{
    const struct kin_csv_dialect *d = &rows->dialect;
    const uint8_t *end = rows->end;
    struct finder finder = {d, rows->p, end, special_bits(d, rows->p, end)};
    struct kin_cell *cells = rows->cells;
    uint32_t columns = (uint32_t)rows->header->count;
    uint32_t column = 0;
    size_t count = 0;
    size_t longest = 0;
    const uint8_t *from = rows->p;
    const uint8_t *p;
    for (;;) {
        do
            p = find_next(&finder);
        while (p < end && !d->special[*p]);
        size_t n = (size_t)(p - from);
        cells[count] = (struct kin_cell){column, {(const char *)from, n}};
        count += n != 0;
        longest = n > longest ? n : longest;
        column++;
        if (p == end || *p != (uint8_t)d->delimiter || column == columns)
            break;
        from = p + 1;
    }
    size_t text = (size_t)(p - rows->p);
    if (p < end) {
        p += *p == '\r' && end - p > 1;
        if (*p++ != '\n')
            return NULL;
    }
    if (column != columns || longest > d->max_field_bytes || text > d->max_record_bytes)
        return NULL;
    if (!kin_bytes_ascii(rows->p, text) && kin_utf8_prefix(rows->p, text) != text)
        return NULL;
    row->raw = (struct kin_str){(const char *)rows->p, text};
    row->cells = cells;
    row->count = count;
    return p;
}

static void csv_reject(struct kin_rows *rows, struct kin_row *row, enum kin_csv_fault fault,
                       size_t column)
{
    kin_csv_fault_print(&rows->dialect, fault, column, rows->reason, sizeof rows->reason);
    row->reason = rows->reason;
    if (column && column <= rows->header->count && fault != KIN_CSV_LONG_RECORD)
        row->field = rows->header->names[column - 1];
}

/* The cells of a record with good quotes. The leftmost bad one names the reason; then their
 * number. */
static bool csv_cells(struct kin_rows *rows, size_t text, struct kin_row *row)
{
    size_t columns = rows->header->count;
    kin_buf_clear(&rows->unescaped);
    uint8_t *unescaped = kin_buf_reserve(&rows->unescaped, text);
    if (!unescaped)
        return false;
    struct kin_csv_walk walk = {.p = rows->p, .end = rows->p + text, .unescaped = unescaped};
    walk.clean = kin_bytes_ascii(rows->p, text) && !memchr(rows->p, '\0', text) &&
                 !memchr(rows->p, '\r', text);
    size_t column = 0;
    size_t count = 0;
    while (walk.p) {
        struct kin_csv_value value = kin_csv_walk_next(&rows->dialect, &walk);
        column++;
        if (value.fault) {
            csv_reject(rows, row, value.fault, column);
            return true;
        }
        if (column <= columns && value.text.n)
            rows->cells[count++] = (struct kin_cell){(uint32_t)(column - 1), value.text};
    }
    if (column != columns) {
        snprintf(rows->reason, sizeof rows->reason, "expected %zu cells, found %zu", columns,
                 column);
        row->reason = rows->reason;
        return true;
    }
    row->cells = rows->cells;
    row->count = count;
    return true;
}

static bool csv_row(struct kin_rows *rows, struct kin_row *row)
{
    const uint8_t *next = csv_short_way(rows, row);
    if (next) {
        rows->p = next;
        rows->line++;
        return true;
    }
    struct kin_csv_span span;
    bool told = kin_csv_scan(&rows->dialect, rows->p, (size_t)(rows->end - rows->p), true, &span);
    KIN_ASSERT(told);
    row->raw = raw_of(rows, rows->p, span.text);
    if (span.fault)
        csv_reject(rows, row, span.fault, span.column);
    else if (!csv_cells(rows, span.text, row))
        return false;
    rows->line += kin_count_newlines(rows->p, span.bytes);
    rows->p += span.bytes;
    return true;
}

/* ---- JSON Lines ---- */

static bool json_blank(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r'))
        i++;
    return i == n;
}

static void json_reject_long(struct kin_rows *rows, struct kin_row *row)
{
    snprintf(rows->reason, sizeof rows->reason, "record longer than %zu bytes",
             rows->options.max_record_bytes);
    row->reason = rows->reason;
}

static bool json_next(struct kin_rows *rows, struct kin_row *row)
{
    while (rows->p < rows->end) {
        const uint8_t *p = rows->p;
        const uint8_t *lf = memchr(p, '\n', (size_t)(rows->end - p));
        size_t text = (size_t)((lf ? lf : rows->end) - p);
        if (lf && text && lf[-1] == '\r')
            text--;
        *row = (struct kin_row){.line = rows->line, .raw = raw_of(rows, p, text)};
        /* first of all, for of an over-long line the chunk may have the first part only */
        bool too_long = text > rows->options.max_record_bytes;
        bool blank = !too_long && json_blank(p, text);
        if (too_long)
            json_reject_long(rows, row);
        else if (!blank && !kin_json_row(rows, row->raw, row))
            rows->failed = true;
        if (rows->failed)
            return false;
        rows->p = lf ? lf + 1 : rows->end;
        rows->line++;
        if (!blank)
            return true;
    }
    return false;
}

bool kin_rows_next(struct kin_rows *rows, struct kin_row *row)
{
    if (rows->failed)
        return false;
    if (rows->options.format == KIN_FORMAT_JSONL)
        return json_next(rows, row);
    for (; rows->p < rows->end; rows->line++) {
        const uint8_t *p = rows->p;
        bool crlf = *p == '\r' && rows->end - p > 1 && p[1] == '\n';
        if (*p != '\n' && !crlf)
            break;
        rows->p += crlf ? 2 : 1;
    }
    if (rows->p == rows->end)
        return false;
    *row = (struct kin_row){.line = rows->line};
    rows->failed = !csv_row(rows, row);
    return !rows->failed;
}
