#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/page.h"

static const char *const ids[] = {"1", "", "crm-77", "\xc3\xa9t\xc3\xa9"};
enum { IDS = 4, FIELDS = 3 };

/* A page with everything in it, or as little as may be. */
static void make(bool full, struct kin_buf *out)
{
    struct kin_page_builder b = {.has_updated = full};
    uint32_t unparsable[FIELDS] = {7, 0, UINT32_MAX};
    struct kin_page head = {.file = 3,
                            .source = 2,
                            .offset = 0x123456789abc,
                            .base = 1,
                            .hash = 0xfedcba9876543210,
                            .count = full ? IDS : 0,
                            .rejected = 5,
                            .excess_keys = 0x1122334455667788,
                            .field_count = full ? FIELDS : 0,
                            .unparsable = (const uint8_t *)unparsable};
    for (uint32_t i = 0; full && i < IDS; i++) {
        kin_buf_puts(&b.ids, ids[i]);
        kin_buf_u32(&b.id_ends, (uint32_t)b.ids.n);
        kin_buf_u64(&b.updated, i ? 1000 + i : (uint64_t)INT64_MIN);
    }
    if (full) {
        kin_buf_puts(&b.errors, "crm,a.csv,7,,id,missing,x\n");
        kin_buf_puts(&b.columns, "\x02");
        kin_buf_puts(&b.columns, "ab");
    }
    kin_page_write(&b, &head, out);
    kin_page_set_base(out->p, 4000000000u);
    assert_false(out->failed);
    kin_page_builder_deinit(&b);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct kin_buf buf = {0};
    struct kin_page p;
    make(true, &buf);
    assert_true(kin_page_read((struct kin_str){(const char *)buf.p, buf.n}, &p));
    assert_int_equal(p.file, 3);
    assert_int_equal(p.source, 2);
    assert_int_equal(p.offset, 0x123456789abc);
    assert_int_equal(p.base, 4000000000u);
    assert_int_equal(p.hash, 0xfedcba9876543210);
    assert_int_equal(p.count, IDS);
    assert_int_equal(p.rejected, 5);
    assert_int_equal(p.excess_keys, 0x1122334455667788);
    assert_int_equal(p.field_count, FIELDS);
    assert_int_equal(kin_le32(p.unparsable), 7);
    assert_int_equal(kin_le32(p.unparsable + 8), UINT32_MAX);
    for (uint32_t i = 0; i < IDS; i++) {
        assert_true(kin_str_eq(kin_page_id(&p, i), kin_str_of(ids[i])));
        assert_int_equal(kin_le64(p.updated + 8 * (size_t)i), i ? 1000 + i : (uint64_t)INT64_MIN);
    }
    assert_true(kin_str_eq(p.errors, KIN_STR("crm,a.csv,7,,id,missing,x\n")));
    assert_int_equal(p.columns.n, 3);
    kin_buf_deinit(&buf);
}

static void test_empty_page(void **state)
{
    (void)state;
    struct kin_buf buf = {0};
    struct kin_page p;
    make(false, &buf);
    assert_true(kin_page_read((struct kin_str){(const char *)buf.p, buf.n}, &p));
    assert_int_equal(p.count, 0);
    assert_null(p.updated);
    assert_int_equal(p.errors.n, 0);
    assert_int_equal(p.columns.n, 0);
    kin_buf_deinit(&buf);
}

static void test_other_lengths_are_rejected(void **state)
{
    (void)state;
    struct kin_buf buf = {0};
    struct kin_page p;
    make(true, &buf);
    for (size_t n = 0; n < buf.n; n++) { /* in a block of its own: ASan sees a read past it */
        char *copy = kin_strndup((const char *)buf.p, n);
        assert_non_null(copy);
        assert_false(kin_page_read((struct kin_str){copy, n}, &p));
        kin_free(copy);
    }
    kin_buf_putc(&buf, 'x');
    assert_false(kin_page_read((struct kin_str){(const char *)buf.p, buf.n}, &p));
    kin_buf_deinit(&buf);
}

static void test_impossible_counts_are_rejected(void **state)
{
    (void)state;
    /* of count, field_count, the flag `updated`, bytes of ids, errors and columns */
    static const size_t places[] = {40, 48, 52, 56, 60, 64, 68};
    struct kin_buf buf = {0};
    struct kin_page p;
    make(true, &buf);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint32_t old = kin_le32(buf.p + places[i]);
        kin_put_le32(buf.p + places[i], places[i] == 52 ? 0 : UINT32_MAX);
        if (kin_page_read((struct kin_str){(const char *)buf.p, buf.n}, &p))
            fail_msg("accepted with another word at %zu", places[i]);
        kin_put_le32(buf.p + places[i], old);
    }
    assert_true(kin_page_read((struct kin_str){(const char *)buf.p, buf.n}, &p));
    kin_buf_deinit(&buf);
}

static void test_out_of_memory_shows_in_the_output(void **state)
{
    (void)state;
    struct kin_page_builder b = {0};
    struct kin_page head = {.count = 1};
    struct kin_buf out = {0};
    kin_alloc_fail_after(0);
    kin_buf_puts(&b.ids, "1");
    kin_alloc_fail_after(SIZE_MAX);
    kin_page_write(&b, &head, &out);
    assert_true(out.failed);
    kin_buf_deinit(&out);
    kin_page_builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_empty_page),
        cmocka_unit_test(test_other_lengths_are_rejected),
        cmocka_unit_test(test_impossible_counts_are_rejected),
        cmocka_unit_test(test_out_of_memory_shows_in_the_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
