/* Speed of the reader's two halves: bench_reader [megabytes of CSV, 200] [chunk KiB, 1024].
 *
 * The file is generated: 11 columns, about 100 bytes a row, every fifth row with quoted cells. The
 * cutter's figure includes one copy of the bytes (the read). JSON Lines of the same rows follow. */
#include "tests/unit/reader_help.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 5, COLUMNS = 11 };

static const char *const names[COLUMNS] = {"id",       "first_name", "last_name", "dob",
                                           "email",    "phone",      "street",    "city",
                                           "postcode", "country",    "updated"};

struct figures {
    double cut_s, parse_s;
    size_t rows, bytes;
};

/* Of this thread on the processor: other load on the machine does not count. */
static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void put_cell(struct kin_buf *out, bool json, int column, struct kin_str value)
{
    if (!json) {
        if (column)
            kin_buf_putc(out, ',');
        kin_csv_cell(out, value);
        return;
    }
    kin_buf_putc(out, column ? ',' : '{');
    kin_json_string(out, kin_str_of(names[column]));
    kin_buf_putc(out, ':');
    kin_json_string(out, value);
}

static void put_row(struct kin_buf *out, bool json, unsigned long long i, uint64_t *seed)
{
    uint64_t r = help_random(seed);
    unsigned a = (unsigned)(r & 0xffff);
    unsigned b = (unsigned)(r >> 16 & 0xffff);
    unsigned c = (unsigned)(r >> 32 & 0xffff);
    bool quoted = i % 5 == 0;
    char cells[COLUMNS][48];
    snprintf(cells[0], sizeof cells[0], "r%llu", i);
    snprintf(cells[1], sizeof cells[1], "Name%u", a % 3000);
    snprintf(cells[2], sizeof cells[2], quoted ? "O'Family \"%u\"" : "Family%u", b % 9000);
    snprintf(cells[3], sizeof cells[3], "19%02u-%02u-%02u", a % 100, b % 12 + 1, c % 28 + 1);
    snprintf(cells[4], sizeof cells[4], "name%u@example%u.org", a, b % 20);
    snprintf(cells[5], sizeof cells[5], "020 7%03u %04u", a % 1000, b % 10000);
    snprintf(cells[6], sizeof cells[6], quoted ? "%u High Street, Flat %u" : "%u High Street",
             a % 200, c % 40);
    snprintf(cells[7], sizeof cells[7], "%s", c % 10 ? "London" : "Z\xc3\xbcrich");
    snprintf(cells[8], sizeof cells[8], "N%u %uAB", a % 20, b % 9);
    snprintf(cells[9], sizeof cells[9], "%s", c % 3 ? "GB" : "");
    snprintf(cells[10], sizeof cells[10], "2024-01-%02u", a % 28 + 1);
    for (int k = 0; k < COLUMNS; k++)
        put_cell(out, json, k, kin_str_of(cells[k]));
    kin_buf_puts(out, json ? "}\n" : "\n");
}

static void generate(struct kin_buf *out, bool json, size_t bytes)
{
    uint64_t seed = 1;
    kin_buf_reserve(out, bytes + 4096);
    for (int k = 0; k < COLUMNS && !json; k++)
        put_cell(out, json, k, kin_str_of(names[k]));
    kin_buf_puts(out, json ? "" : "\n");
    for (unsigned long long i = 0; out->n < bytes; i++)
        put_row(out, json, i, &seed);
}

/* One pass over the file; false: something failed. */
static bool measure(const struct kin_reader_options *options, const struct kin_buf *file,
                    struct figures *f)
{
    struct help_source source = help_source_of(file->p, file->n);
    struct kin_cutter *cutter = NULL;
    struct kin_rows *rows = kin_rows_new(options);
    bool good = rows && !kin_cutter_open(options, help_bytes(&source), &cutter, NULL);
    *f = (struct figures){.bytes = file->n};
    while (good) {
        struct kin_chunk chunk = {0};
        struct kin_row row;
        double start = now_s();
        kin_status status = kin_cutter_next(cutter, &chunk, NULL);
        double cut = now_s();
        if (status) {
            good = status == KIN_E_EOF;
            break;
        }
        size_t cells = 0;
        kin_rows_begin(rows, kin_cutter_header(cutter), &chunk);
        while (kin_rows_next(rows, &row)) {
            cells += row.count;
            f->rows++;
            good = good && !row.reason;
        }
        f->cut_s += cut - start;
        f->parse_s += now_s() - cut;
        good = good && cells > 0;
        kin_chunk_deinit(&chunk);
    }
    kin_cutter_close(cutter);
    kin_rows_free(rows);
    return good;
}

static bool run(const char *what, enum kin_format format, size_t megabytes, size_t chunk_kib)
{
    struct kin_buf file = {0};
    struct kin_reader_options options = help_options(format, chunk_kib * 1024);
    generate(&file, format == KIN_FORMAT_JSONL, megabytes * 1000 * 1000);
    struct figures best = {.cut_s = 1e9, .parse_s = 1e9};
    bool good = !file.failed;
    for (int i = 0; i < ROUNDS && good; i++) {
        struct figures f;
        good = measure(&options, &file, &f);
        best.rows = f.rows;
        best.bytes = f.bytes;
        best.cut_s = f.cut_s < best.cut_s ? f.cut_s : best.cut_s;
        best.parse_s = f.parse_s < best.parse_s ? f.parse_s : best.parse_s;
    }
    double mb = (double)best.bytes / 1e6;
    double million = (double)best.rows / 1e6;
    if (good)
        printf("%-6s %.0f MB, %.2f M rows, CPU time, best of %d: cutter %.0f MB/s, %.1f M rows/s; "
               "rows %.0f "
               "MB/s, %.2f M rows/s\n",
               what, mb, million, (int)ROUNDS, mb / best.cut_s, million / best.cut_s,
               mb / best.parse_s, million / best.parse_s);
    kin_buf_deinit(&file);
    return good;
}

int main(int argc, char **argv)
{
    unsigned long megabytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
    unsigned long chunk_kib = argc > 2 ? strtoul(argv[2], NULL, 10) : 1024;
    if (megabytes < 1 || megabytes > 4000 || chunk_kib < 1 || chunk_kib > 65536) {
        fprintf(stderr, "usage: bench_reader [megabytes 1-4000] [chunk KiB 1-65536]\n");
        return 2;
    }
    bool good = run("csv", KIN_FORMAT_CSV, megabytes, chunk_kib) &&
                run("jsonl", KIN_FORMAT_JSONL, megabytes, chunk_kib);
    if (!good)
        fprintf(stderr, "bench_reader: reading failed\n");
    return good ? 0 : 1;
}
