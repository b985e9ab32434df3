/* Reading files into a profile: which of them have the same columns, then every row once. */
#include "client/profile.h"
#include "client/profile_file.h"

#include "common/base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SLOTS = 4 * KIN_COLUMNS_MAX, JSON_ALIKE_PERCENT = 80, NO_COLUMN = UINT16_MAX };

/* A source while it is read: its columns by name. */
struct names {
    uint16_t *slots; /* 1 + column, or 0 */
};

struct reading {
    struct kin_profile *p;
    const struct kin_profile_options *options;
    struct kin_profile_tools tools;
    struct names *names; /* [source] */
    uint16_t *map;       /* [column of the file]: column of the source */
    size_t mapped;       /* how many are */
    bool *seen;          /* [column of the source]: in this row; all false between rows */
    struct kin_err *err;
};

static kin_status no_memory(struct kin_err *err)
{
    kin_err_set(err, KIN_E_NOMEM, "out of memory");
    return KIN_E_NOMEM;
}

/* ---- columns ---- */

/* Index of the column of that name, which is made if it is missing; NO_COLUMN: there are too many,
 * or no memory (*status). */
static uint16_t column_of(struct reading *r, size_t source, struct kin_str name, kin_status *status)
{
    struct kin_profile_source *s = &r->p->sources[source];
    uint16_t *slots = r->names[source].slots;
    size_t at = (size_t)kin_hash64(name.p, name.n, 0) & (NAME_SLOTS - 1);
    for (; slots[at]; at = (at + 1) & (NAME_SLOTS - 1)) {
        if (kin_str_eq(s->columns[slots[at] - 1].name, name))
            return (uint16_t)(slots[at] - 1);
    }
    if (s->column_count == KIN_COLUMNS_MAX)
        return NO_COLUMN;
    char *copy = kin_arena_strndup(&r->p->arena, name.p, name.n);
    if (s->column_count % 64 == 0 && copy) {
        void *columns = kin_reallocarray(s->columns, s->column_count + 64, sizeof *s->columns);
        if (columns)
            s->columns = columns;
        else
            copy = NULL;
    }
    if (!copy) {
        *status = no_memory(r->err);
        return NO_COLUMN;
    }
    s->columns[s->column_count] = (struct kin_profile_column){.name = {copy, name.n}};
    slots[at] = (uint16_t)++s->column_count;
    return (uint16_t)(s->column_count - 1);
}

/* The columns of the file that are new since the last row. */
static kin_status map_columns(struct reading *r, size_t source, const struct kin_rows *rows)
{
    size_t count;
    kin_status status = KIN_OK;
    const struct kin_str *names = kin_rows_columns(rows, &count);
    for (; r->mapped < count && status == KIN_OK; r->mapped++)
        r->map[r->mapped] = column_of(r, source, names[r->mapped], &status);
    return status;
}

/* ---- which files belong together ---- */

static int cmp_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Hashes of the names of a file's columns, sorted: of a CSV's header, or of the first objects. */
static kin_status peek(const char *path, enum kin_format *format, struct kin_buf *hashes,
                       struct kin_err *err)
{
    struct kin_profile_input in;
    kin_status status = kin_profile_input_open(&in, path, err);
    if (status == KIN_OK)
        status = kin_profile_input_next(&in, err);
    if (status == KIN_OK) {
        struct kin_row row;
        size_t count = 0;
        const struct kin_str *names = kin_rows_columns(in.rows, &count);
        while (in.options.format == KIN_FORMAT_JSONL && kin_rows_next(in.rows, &row))
            names = kin_rows_columns(in.rows, &count);
        for (size_t i = 0; i < count; i++)
            kin_buf_u64(hashes, kin_hash64(names[i].p, names[i].n, 0));
    } else if (status == KIN_E_EOF && in.options.format == KIN_FORMAT_CSV) {
        const struct kin_header *header = kin_cutter_header(in.cutter);
        for (size_t i = 0; i < header->count; i++)
            kin_buf_u64(hashes, kin_hash64(header->names[i].p, header->names[i].n, 0));
    }
    *format = in.options.format;
    kin_profile_input_deinit(&in);
    if (hashes->failed)
        return no_memory(err);
    if (hashes->n)
        qsort(hashes->p, hashes->n / 8, 8, cmp_u64);
    return status == KIN_E_EOF ? KIN_OK : status;
}

/* CSV: the same names. JSON Lines, where an object leaves out what it has not: most of them. */
static bool same_columns(enum kin_format format, const struct kin_buf *a, const struct kin_buf *b)
{
    if (format == KIN_FORMAT_CSV)
        return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
    size_t i = 0, k = 0, shared = 0, n = a->n / 8, m = b->n / 8;
    while (i < n && k < m) {
        uint64_t x = kin_le64(a->p + 8 * i), y = kin_le64(b->p + 8 * k);
        shared += x == y;
        i += x <= y;
        k += y <= x;
    }
    return 100 * shared >= JSON_ALIKE_PERCENT * (n + m - shared);
}

static kin_status add_file_to(struct kin_profile_source *s, size_t file, struct kin_err *err)
{
    size_t *files = kin_reallocarray(s->files, s->file_count + 1, sizeof *files);
    if (!files)
        return no_memory(err);
    s->files = files;
    s->files[s->file_count++] = file;
    return KIN_OK;
}

static kin_status group_files(struct reading *r)
{
    struct kin_profile *p = r->p;
    kin_status status = KIN_OK;
    struct kin_buf *hashes = kin_calloc(p->file_count + 1, sizeof *hashes); /* [source] */
    for (size_t f = 0; f < p->file_count && status == KIN_OK && hashes; f++) {
        struct kin_buf mine = {0};
        enum kin_format format;
        size_t s = 0;
        status = peek(p->files[f].path, &format, &mine, r->err);
        while (s < p->source_count &&
               !(p->sources[s].format == format && same_columns(format, &hashes[s], &mine)))
            s++;
        if (status == KIN_OK && s == p->source_count) {
            p->sources[p->source_count++].format = format;
            hashes[s] = mine;
            mine = (struct kin_buf){0};
        }
        kin_buf_deinit(&mine);
        p->files[f].source = s;
        if (status == KIN_OK)
            status = add_file_to(&p->sources[s], f, r->err);
    }
    if (!hashes)
        return no_memory(r->err);
    for (size_t s = 0; s < p->file_count; s++)
        kin_buf_deinit(&hashes[s]);
    kin_free(hashes);
    return status;
}

/* ---- the sample ---- */

static bool is_kept(uint32_t file, uint32_t row, unsigned thinned)
{
    uint64_t mask = ((uint64_t)1 << thinned) - 1;
    return (kin_hash_mix(file, row) & mask) == 0;
}

/* Keeps every second row, by the next bit of their hashes. */
static void thin(struct kin_profile_sample *s)
{
    size_t to = 0;
    s->thinned++;
    s->rows = 0;
    for (size_t at = 0; at < s->bytes.n;) {
        const uint8_t *row = s->bytes.p + at;
        uint32_t n = kin_le32(row);
        if (is_kept(kin_le32(row + 4), kin_le32(row + 8), s->thinned)) {
            memmove(s->bytes.p + to, row, n);
            to += n;
            s->rows++;
        }
        at += n;
    }
    s->bytes.n = to;
}

static size_t cut_at_character(struct kin_str v)
{
    if (v.n <= KIN_PROFILE_CELL_BYTES)
        return v.n;
    size_t n = KIN_PROFILE_CELL_BYTES;
    while (n > 0 && ((unsigned char)v.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static kin_status sample_row(struct reading *r, uint32_t file, uint32_t number,
                             const struct kin_row *row)
{
    struct kin_profile_sample *s = &r->p->sample;
    if (!is_kept(file, number, s->thinned))
        return KIN_OK;
    size_t start = s->bytes.n;
    uint32_t cells = 0;
    kin_buf_u32(&s->bytes, 0);
    kin_buf_u32(&s->bytes, file);
    kin_buf_u32(&s->bytes, number);
    kin_buf_u32(&s->bytes, 0);
    for (size_t i = 0; i < row->count; i++) {
        struct kin_str v = kin_profile_trim(row->cells[i].value);
        uint16_t column = r->map[row->cells[i].column];
        if (!v.n || column == NO_COLUMN)
            continue;
        v.n = cut_at_character(v);
        kin_buf_u16(&s->bytes, column);
        kin_buf_u16(&s->bytes, (uint16_t)v.n);
        kin_buf_put(&s->bytes, v.p, v.n);
        cells++;
    }
    if (s->bytes.failed)
        return no_memory(r->err);
    kin_put_le32(s->bytes.p + start, (uint32_t)(s->bytes.n - start));
    kin_put_le32(s->bytes.p + start + 12, cells);
    s->rows++;
    while (s->bytes.n > r->options->sample_bytes && s->rows > 1 && s->thinned < 60)
        thin(s);
    return KIN_OK;
}

/* ---- rows ---- */

static void note_bad(struct kin_profile_file *file, const struct kin_row *row)
{
    if (file->bad++ == 0)
        snprintf(file->first_bad, sizeof file->first_bad, "line %llu: %s",
                 (unsigned long long)row->line, row->reason);
}

static kin_status take_row(struct reading *r, uint32_t f, const struct kin_row *row)
{
    struct kin_profile_file *file = &r->p->files[f];
    kin_status status = KIN_OK;
    struct kin_profile_source *s = &r->p->sources[file->source];
    for (size_t i = 0; i < row->count && status == KIN_OK; i++) {
        struct kin_str v = kin_profile_trim(row->cells[i].value);
        uint16_t column = r->map[row->cells[i].column];
        if (!v.n || column == NO_COLUMN)
            continue;
        if (!kin_profile_column_add(&s->columns[column], &r->tools, v, f, !r->seen[column]))
            status = no_memory(r->err);
        r->seen[column] = true;
    }
    for (size_t i = 0; i < row->count; i++) {
        uint16_t column = r->map[row->cells[i].column];
        if (column != NO_COLUMN)
            r->seen[column] = false;
    }
    if (status == KIN_OK)
        status = sample_row(r, f, (uint32_t)file->rows, row);
    file->rows++;
    return status;
}

/* The rows of a chunk, until there are `quota` of the file. */
static kin_status take_chunk(struct reading *r, uint32_t f, struct kin_profile_input *in,
                             uint64_t quota)
{
    struct kin_profile_file *file = &r->p->files[f];
    struct kin_row row;
    kin_status status = KIN_OK;
    if (in->options.format == KIN_FORMAT_JSONL)
        r->mapped = 0;
    while (status == KIN_OK && kin_rows_next(in->rows, &row)) {
        if (file->rows == quota) {
            file->whole = false;
            file->rows_in_all =
                kin_profile_input_estimate(in, file->rows + file->bad, (const uint8_t *)row.raw.p);
            return KIN_E_EOF;
        }
        status = map_columns(r, file->source, in->rows);
        if (row.reason)
            note_bad(file, &row);
        else if (status == KIN_OK)
            status = take_row(r, f, &row);
    }
    return status == KIN_OK && kin_rows_failed(in->rows) ? no_memory(r->err) : status;
}

static kin_status take_file(struct reading *r, uint32_t f, uint64_t quota)
{
    struct kin_profile_file *file = &r->p->files[f];
    struct kin_profile_input in;
    kin_status status = kin_profile_input_open(&in, file->path, r->err);
    file->bytes = in.bytes;
    file->whole = true;
    r->mapped = 0;
    while (status == KIN_OK) {
        status = kin_profile_input_next(&in, r->err);
        if (status == KIN_OK)
            status = take_chunk(r, f, &in, quota);
    }
    kin_profile_input_deinit(&in);
    if (status != KIN_E_EOF)
        return status;
    if (file->whole)
        file->rows_in_all = (double)file->rows;
    struct kin_profile_source *s = &r->p->sources[file->source];
    s->rows += file->rows;
    s->rows_in_all += file->rows_in_all;
    r->p->rows += file->rows;
    r->p->rows_in_all += file->rows_in_all;
    return KIN_OK;
}

static kin_status open_names(struct reading *r)
{
    struct kin_profile *p = r->p;
    kin_status status = KIN_OK;
    r->names = kin_calloc(p->source_count + 1, sizeof *r->names);
    r->map = kin_calloc(KIN_COLUMNS_MAX, sizeof *r->map);
    r->seen = kin_calloc(KIN_COLUMNS_MAX, sizeof *r->seen);
    if (!r->names || !r->map || !r->seen)
        return no_memory(r->err);
    for (size_t s = 0; s < p->source_count && status == KIN_OK; s++) {
        r->names[s].slots = kin_calloc(NAME_SLOTS, sizeof(uint16_t));
        if (!r->names[s].slots)
            status = no_memory(r->err);
    }
    return status;
}

/* The number of the smallest file not yet read; ties by number. */
static size_t smallest_unread(const struct kin_profile *p, const uint64_t *bytes, const bool *done)
{
    size_t best = SIZE_MAX;
    for (size_t f = 0; f < p->file_count; f++) {
        if (!done[f] && (best == SIZE_MAX || bytes[f] < bytes[best]))
            best = f;
    }
    return best;
}

/* Small files first: what they leave of their share goes to the larger ones. */
static kin_status take_files(struct reading *r)
{
    struct kin_profile *p = r->p;
    kin_status status = KIN_OK;
    bool *done = kin_calloc(p->file_count, sizeof *done);
    uint64_t *bytes = kin_calloc(p->file_count, sizeof *bytes);
    if (!done || !bytes)
        status = no_memory(r->err);
    for (size_t f = 0; f < p->file_count && status == KIN_OK; f++) {
        struct kin_profile_input in;
        status = kin_profile_input_open(&in, p->files[f].path, r->err);
        bytes[f] = in.bytes;
        kin_profile_input_deinit(&in);
    }
    for (size_t left = p->file_count; left > 0 && status == KIN_OK; left--) {
        size_t f = smallest_unread(p, bytes, done);
        uint64_t quota = (r->options->rows - p->rows + left - 1) / left;
        done[f] = true;
        status = take_file(r, (uint32_t)f, quota);
    }
    kin_free(done);
    kin_free(bytes);
    return status;
}

static void reading_deinit(struct reading *r)
{
    for (size_t s = 0; r->names && s < r->p->source_count; s++)
        kin_free(r->names[s].slots);
    kin_free(r->names);
    kin_free(r->map);
    kin_free(r->seen);
    kin_norm_scratch_free(r->tools.norm);
}

kin_status kin_profile_read(const struct kin_profile_path *paths, size_t count,
                            const struct kin_profile_options *options, struct kin_profile **out,
                            struct kin_err *err)
{
    struct kin_profile *p = kin_calloc(1, sizeof *p);
    if (!p)
        return no_memory(err);
    struct reading r = {.p = p, .options = options, .err = err};
    r.tools = (struct kin_profile_tools){kin_norm_scratch_new(), KIN_COUNTS_BUDGET};
    p->files = kin_calloc(count, sizeof *p->files);
    p->sources = kin_calloc(count, sizeof *p->sources);
    kin_status status = KIN_OK;
    if (!r.tools.norm || !p->files || !p->sources)
        status = no_memory(err);
    for (size_t f = 0; f < count && status == KIN_OK; f++)
        p->files[p->file_count++] =
            (struct kin_profile_file){.path = paths[f].path, .argument = paths[f].argument};
    if (status == KIN_OK)
        status = group_files(&r);
    if (status == KIN_OK)
        status = open_names(&r);
    if (status == KIN_OK)
        status = take_files(&r);
    reading_deinit(&r);
    if (status != KIN_OK) {
        kin_profile_free(p);
        return status;
    }
    *out = p;
    return KIN_OK;
}

void kin_profile_free(struct kin_profile *p)
{
    if (!p)
        return;
    for (size_t s = 0; p->sources && s < p->source_count; s++) {
        for (size_t c = 0; c < p->sources[s].column_count; c++)
            kin_profile_column_deinit(&p->sources[s].columns[c]);
        kin_free(p->sources[s].columns);
        kin_free(p->sources[s].files);
    }
    kin_free(p->sources);
    kin_free(p->files);
    kin_buf_deinit(&p->sample.bytes);
    kin_arena_deinit(&p->arena);
    kin_free(p);
}
