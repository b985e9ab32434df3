#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/record/batch.h"

/* The two sections of a batch: round trip; and whatever bytes come, opening them either refuses or
 * leaves something that can be read to its last byte. */

static const struct kin_field fields[] = {{.name = "name", .type = KIN_TYPE_NAME},
                                          {.name = "dob", .type = KIN_TYPE_DATE},
                                          {.name = "phone", .type = KIN_TYPE_PHONE}};
static const struct kin_schema schema = {fields, 3};
static const struct kin_str columns[] = {{"a", 1}, {"", 0}, {"other column", 12}};
enum { RECORDS = 3, BASE = 1000 };

/* Bytes in a block of their own, so that ASan sees the smallest overrun. */
static uint8_t *block_of(const struct kin_buf *b, size_t n)
{
    uint8_t *p = kin_alloc(n);
    assert_non_null(p);
    if (n)
        memcpy(p, b->p, n);
    return p;
}

static void make_features(struct kin_buf *out)
{
    struct kin_buf records = {0};
    static const uint64_t keys[] = {1, 2, (uint64_t)1 << 56 | 5};
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct kin_features_builder b;
        uint8_t date[4];
        kin_put_le32(date, 7000 + i);
        kin_features_begin(&b, &records, 3, 2 * i, 1, KIN_STR("id-7"));
        if (i) {
            kin_features_field(&b, 0);
            kin_features_value(&b, "smith", 5, true);
        }
        kin_features_field(&b, 1);
        kin_features_value(&b, date, 4, false);
        kin_features_field(&b, 2);
        kin_features_value(&b, "+4912", 5, true);
        kin_features_value(&b, "+4913", 5, true);
        assert_int_equal(kin_features_end(&b, keys, i), KIN_OK);
    }
    kin_buf_u64(out, BASE);
    kin_buf_u32(out, RECORDS);
    kin_buf_u32(out, (uint32_t)records.n);
    kin_buf_put(out, records.p, records.n);
    kin_buf_deinit(&records);
    assert_false(out->failed);
}

static void make_rows(struct kin_buf *out)
{
    struct kin_batch_rows_builder b = {0};
    kin_batch_rows_begin_row(&b, 4, -5, 2, KIN_STR("x"));
    kin_batch_rows_end_row(&b);
    kin_batch_rows_begin_row(&b, 9, INT64_MIN, 65535, KIN_STR("id-8"));
    kin_batch_rows_cell(&b, 2, KIN_STR("value"));
    kin_batch_rows_cell(&b, 0, (struct kin_str){NULL, 0});
    kin_batch_rows_cell(&b, 2, KIN_STR("second"));
    kin_batch_rows_end_row(&b);
    kin_batch_rows_finish(&b, columns, 3, out);
    assert_false(out->failed);
    assert_int_equal(b.row_count, 0);
    kin_buf_deinit(&b.rows);
}

/* ---- reading all of what was opened ---- */

static uint64_t read_features(const struct kin_batch_features *f)
{
    uint64_t sum = f->base;
    const uint8_t *rec = f->records;
    for (uint32_t i = 0; i < f->count; i++, rec += kin_features_bytes(rec)) {
        unsigned keys;
        const uint8_t *key = kin_features_keys(rec, &keys);
        for (unsigned k = 0; k < keys; k++)
            sum += kin_le64(key + 8 * (size_t)k);
        struct kin_str id = kin_features_id(rec);
        for (size_t k = 0; k < id.n; k++)
            sum += (uint8_t)id.p[k];
        for (unsigned field = 0; field < 3; field++) {
            const uint8_t *at = NULL;
            for (unsigned n = kin_features_values(rec, field, &at); n; n--) {
                struct kin_value v = kin_features_next(&at);
                for (uint32_t k = 0; k < v.bytes; k++)
                    sum += v.p[k];
            }
        }
    }
    return sum;
}

static uint64_t read_rows(const struct kin_batch_rows *r)
{
    uint64_t sum = 0;
    struct kin_str *names = kin_calloc(r->column_count, sizeof *names);
    assert_non_null(names);
    kin_batch_rows_columns(r, names);
    for (uint32_t i = 0; i < r->column_count; i++) {
        for (size_t k = 0; k < names[i].n; k++)
            sum += (uint8_t)names[i].p[k];
    }
    const uint8_t *p = r->rows;
    for (uint32_t i = 0; i < r->row_count; i++) {
        struct kin_batch_row row = kin_batch_row_read(p);
        for (size_t k = 0; k < row.id.n; k++)
            sum += (uint8_t)row.id.p[k];
        const uint8_t *at = row.cells;
        for (uint32_t c = 0; c < row.cell_count; c++) {
            uint16_t column;
            struct kin_str value = kin_batch_cell_next(&at, &column);
            assert_true(column < r->column_count);
            for (size_t k = 0; k < value.n; k++)
                sum += (uint8_t)value.p[k];
        }
        p += row.bytes;
    }
    kin_free(names);
    return sum;
}

/* ---- tests ---- */

static void test_features_round_trip(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    struct kin_batch_features f;
    make_features(&b);
    assert_true(kin_batch_features_open(b.p, b.n, &schema, &f));
    assert_int_equal(f.base, BASE);
    assert_int_equal(f.count, RECORDS);
    const uint8_t *rec = f.records;
    for (uint32_t i = 0; i < RECORDS; i++, rec += kin_features_bytes(rec))
        assert_int_equal(kin_features_rel(rec), 2 * i);
    struct kin_batch_features g = kin_batch_features_trusted(b.p);
    assert_memory_equal(&f, &g, sizeof f);
    kin_buf_deinit(&b);
}

static void test_rows_round_trip(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    struct kin_batch_rows r;
    struct kin_str names[3];
    uint16_t column;
    make_rows(&b);
    assert_true(kin_batch_rows_open(b.p, b.n, &r));
    assert_int_equal(r.row_count, 2);
    assert_int_equal(r.column_count, 3);
    kin_batch_rows_columns(&r, names);
    for (size_t i = 0; i < 3; i++)
        assert_true(kin_str_eq(names[i], columns[i]));
    struct kin_batch_row row = kin_batch_row_read(r.rows);
    assert_int_equal(row.number, 4);
    assert_int_equal(row.updated, -5);
    assert_int_equal(row.source, 2);
    assert_int_equal(row.cell_count, 0);
    assert_true(kin_str_eq(row.id, KIN_STR("x")));
    row = kin_batch_row_read(r.rows + row.bytes);
    assert_int_equal(row.updated, INT64_MIN);
    assert_int_equal(row.source, 65535);
    assert_int_equal(row.cell_count, 3);
    const uint8_t *at = row.cells;
    assert_true(kin_str_eq(kin_batch_cell_next(&at, &column), KIN_STR("value")));
    assert_int_equal(column, 2);
    assert_int_equal(kin_batch_cell_next(&at, &column).n, 0);
    assert_int_equal(column, 0);
    assert_true(kin_str_eq(kin_batch_cell_next(&at, &column), KIN_STR("second")));
    struct kin_batch_rows trusted = kin_batch_rows_trusted(b.p);
    assert_int_equal(read_rows(&trusted), read_rows(&r));
    kin_buf_deinit(&b);
}

/* Cells that do not fit the short head, at its limits and beyond. */
static void test_wide_rows_and_long_cells(void **state)
{
    (void)state;
    enum { COLUMNS = 300 };
    static const size_t lengths[] = {0, 1, 511, 512, 70000};
    static char text[70000];
    struct kin_str names[COLUMNS];
    char name[COLUMNS][8];
    struct kin_batch_rows_builder b = {0}, copies = {0};
    struct kin_buf out = {0}, again = {0};
    struct kin_batch_rows r;
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < COLUMNS; i++) {
        snprintf(name[i], sizeof name[i], "c%u", i);
        names[i] = kin_str_of(name[i]);
    }
    kin_batch_rows_begin_row(&b, 7, 99, 3, KIN_STR("id"));
    for (unsigned i = 0; i < COLUMNS; i++)
        kin_batch_rows_cell(&b, (uint16_t)i, (struct kin_str){text, lengths[i % 5]});
    kin_batch_rows_end_row(&b);
    kin_batch_rows_copy(&copies, b.rows.p, 8);
    kin_batch_rows_finish(&b, names, COLUMNS, &out);
    kin_batch_rows_finish(&copies, names, COLUMNS, &again);
    for (unsigned copy = 0; copy < 2; copy++) {
        const struct kin_buf *from = copy ? &again : &out;
        assert_true(kin_batch_rows_open(from->p, from->n, &r));
        struct kin_batch_row row = kin_batch_row_read(r.rows);
        assert_int_equal(row.number, 7 + copy);
        assert_int_equal(kin_batch_row_number(r.rows), 7 + copy);
        assert_int_equal(row.updated, 99);
        assert_int_equal(row.cell_count, COLUMNS);
        const uint8_t *at = row.cells;
        for (unsigned i = 0; i < COLUMNS; i++) {
            uint16_t column;
            struct kin_str value = kin_batch_cell_next(&at, &column);
            assert_int_equal(column, i);
            assert_int_equal(value.n, lengths[i % 5]);
            assert_memory_equal(value.p, text, value.n);
        }
        assert_ptr_equal(at, r.rows + row.bytes);
    }
    kin_buf_deinit(&b.rows);
    kin_buf_deinit(&copies.rows);
    kin_buf_deinit(&out);
    kin_buf_deinit(&again);
}

static void test_empty_sections_are_fine(void **state)
{
    (void)state;
    static const uint8_t zero[16];
    struct kin_batch_features f;
    struct kin_batch_rows r;
    assert_true(kin_batch_features_open(zero, sizeof zero, &schema, &f));
    assert_int_equal(f.count, 0);
    assert_true(kin_batch_rows_open(zero, sizeof zero, &r));
    assert_int_equal(r.row_count, 0);
}

static void test_every_other_length_is_refused(void **state)
{
    (void)state;
    struct kin_buf features = {0}, rows = {0};
    struct kin_batch_features f;
    struct kin_batch_rows r;
    make_features(&features);
    make_rows(&rows);
    for (size_t n = 0; n < features.n; n++) {
        uint8_t *p = block_of(&features, n);
        assert_false(kin_batch_features_open(p, n, &schema, &f));
        kin_free(p);
    }
    for (size_t n = 0; n < rows.n; n++) {
        uint8_t *p = block_of(&rows, n);
        assert_false(kin_batch_rows_open(p, n, &r));
        kin_free(p);
    }
    kin_buf_u32(&features, 0);
    kin_buf_u32(&rows, 0);
    assert_false(kin_batch_features_open(features.p, features.n, &schema, &f));
    assert_false(kin_batch_rows_open(rows.p, rows.n, &r));
    kin_put_le32(features.p + 12, kin_le32(features.p + 12) + 4); /* told, but no record or row */
    kin_put_le32(rows.p + 12, kin_le32(rows.p + 12) + 4);
    assert_false(kin_batch_features_open(features.p, features.n, &schema, &f));
    assert_false(kin_batch_rows_open(rows.p, rows.n, &r));
    kin_buf_deinit(&features);
    kin_buf_deinit(&rows);
}

static void test_numbers_that_do_not_ascend_are_refused(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    struct kin_batch_features f;
    make_features(&b);
    uint8_t *second = b.p + KIN_BATCH_FEATURES_HEAD + kin_le32(b.p + KIN_BATCH_FEATURES_HEAD);
    kin_put_le32(second + 4, 0); /* that of the first */
    assert_false(kin_batch_features_open(b.p, b.n, &schema, &f));
    kin_put_le32(second + 4, 1);
    assert_true(kin_batch_features_open(b.p, b.n, &schema, &f));
    kin_put_le32(second + 4, UINT32_MAX);
    assert_false(kin_batch_features_open(b.p, b.n, &schema, &f));
    kin_buf_deinit(&b);
}

static void test_payloads_of_another_type_are_refused(void **state)
{
    (void)state;
    static const struct kin_field other[] = {{.name = "name", .type = KIN_TYPE_NAME},
                                             {.name = "dob", .type = KIN_TYPE_NUMBER},
                                             {.name = "phone", .type = KIN_TYPE_PHONE}};
    struct kin_buf b = {0};
    struct kin_batch_features f;
    make_features(&b);
    assert_false(
        kin_batch_features_open(b.p, b.n, &(struct kin_schema){.fields = other, .count = 3}, &f));
    assert_false(
        kin_batch_features_open(b.p, b.n, &(struct kin_schema){.fields = other, .count = 2}, &f));
    kin_buf_deinit(&b);
}

static void test_changed_bytes_are_refused_or_stay_in_bounds(void **state)
{
    (void)state;
    static const uint32_t words[] = {0, 1, 3, 255, 65535, 65536, INT32_MAX, UINT32_MAX};
    struct kin_buf features = {0}, rows = {0};
    uint64_t random = 1, opened = 0, refused = 0, sum = 0;
    make_features(&features);
    make_rows(&rows);
    for (unsigned round = 0; round < 200 * 1000; round++) {
        const struct kin_buf *from = round % 2 ? &features : &rows;
        uint8_t *p = block_of(from, from->n);
        for (unsigned n = 1 + round / 2 % 3; n; n--) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t at = (size_t)(random >> 33) % from->n;
            if (random >> 32 & 1)
                p[at] = (uint8_t)(random >> 24);
            else
                kin_put_le32(p + (at < from->n - 3 ? at : from->n - 4), words[random >> 29 & 7]);
        }
        struct kin_batch_features f;
        struct kin_batch_rows r;
        bool ok = round % 2 ? kin_batch_features_open(p, from->n, &schema, &f)
                            : kin_batch_rows_open(p, from->n, &r);
        if (ok)
            sum += round % 2 ? read_features(&f) : read_rows(&r);
        opened += ok;
        refused += !ok;
        kin_free(p);
    }
    assert_true(opened > 1000 && refused > 1000 && sum);
    kin_buf_deinit(&features);
    kin_buf_deinit(&rows);
}

static void test_out_of_memory_shows_in_the_output(void **state)
{
    (void)state;
    bool worked = false;
    for (size_t n = 0; !worked; n++) {
        struct kin_batch_rows_builder b = {0};
        struct kin_buf out = {0};
        kin_alloc_fail_after(n);
        kin_batch_rows_begin_row(&b, 0, 0, 0, KIN_STR("x"));
        kin_batch_rows_cell(&b, 0, KIN_STR("y"));
        kin_batch_rows_end_row(&b);
        kin_alloc_fail_after(SIZE_MAX);
        kin_batch_rows_finish(&b, columns, 1, &out);
        worked = n > 0;
        assert_int_equal(out.failed, !worked);
        kin_buf_deinit(&out);
        kin_buf_deinit(&b.rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_features_round_trip),
        cmocka_unit_test(test_rows_round_trip),
        cmocka_unit_test(test_wide_rows_and_long_cells),
        cmocka_unit_test(test_empty_sections_are_fine),
        cmocka_unit_test(test_every_other_length_is_refused),
        cmocka_unit_test(test_numbers_that_do_not_ascend_are_refused),
        cmocka_unit_test(test_payloads_of_another_type_are_refused),
        cmocka_unit_test(test_changed_bytes_are_refused_or_stay_in_bounds),
        cmocka_unit_test(test_out_of_memory_shows_in_the_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
