/* Status and error context, buffers, cursors, arena, hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#include <string.h>

/* Impossible sizes must come back as NULL, as they do without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* ---- status ---- */

static void status_numbers_are_what_the_store_holds(void **state)
{
    (void)state;
    static const struct {
        kin_status status;
        int number;
        const char *text;
    } all[] = {
        {KIN_OK, 0, "ok"},
        {KIN_E_NOMEM, 1, "out of memory"},
        {KIN_E_INVAL, 2, "invalid argument"},
        {KIN_E_IO, 3, "input/output error"},
        {KIN_E_NOTFOUND, 4, "not found"},
        {KIN_E_EXISTS, 5, "already exists"},
        {KIN_E_CORRUPT, 6, "corrupt data"},
        {KIN_E_PROTO, 7, "malformed message"},
        {KIN_E_VERSION, 8, "unsupported version"},
        {KIN_E_LIMIT, 9, "limit exceeded"},
        {KIN_E_FULL, 10, "no space left"},
        {KIN_E_SYNTAX, 11, "syntax error"},
        {KIN_E_WORKFLOW, 12, "invalid workflow"},
        {KIN_E_STALE, 13, "stale epoch"},
        {KIN_E_BUSY, 14, "busy"},
        {KIN_E_CANCELLED, 15, "cancelled"},
        {KIN_E_EOF, 16, "end of input"},
        {KIN_E_RANGE, 17, "out of range"},
        {KIN_E_CHANGED, 18, "input changed"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(all[i].status, all[i].number);
        assert_string_equal(kin_status_text(all[i].status), all[i].text);
    }
    assert_string_equal(kin_status_text((kin_status)4711), "unknown status");
}

static void an_error_is_set_with_its_place(void **state)
{
    (void)state;
    struct kin_err err = {.sys = 5};
    assert_int_equal(kin_err_set(&err, KIN_E_CORRUPT, "shard %u: %s", 7u, "bad magic"),
                     KIN_E_CORRUPT);
    assert_int_equal(err.status, KIN_E_CORRUPT);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.msg, "shard 7: bad magic");
    assert_string_equal(err.where, __func__);
    assert_int_equal(kin_err_set(NULL, KIN_E_IO, "nobody listens %d", 1), KIN_E_IO);
}

static void wrapping_prefixes_and_keeps_within_the_message(void **state)
{
    (void)state;
    struct kin_err err = {0};
    assert_int_equal(kin_err_set(&err, KIN_E_IO, "disk"), KIN_E_IO);
    assert_int_equal(kin_err_wrap(&err, KIN_E_IO, "file %d", 3), KIN_E_IO);
    assert_string_equal(err.msg, "file 3: disk");
    assert_int_equal(kin_err_wrap(NULL, KIN_E_FULL, "x"), KIN_E_FULL);

    char longest[sizeof err.msg];
    memset(longest, 'y', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    memset(err.msg, 'x', sizeof err.msg);
    err.msg[sizeof err.msg - 1] = '\0';
    assert_int_equal(kin_err_wrap(&err, KIN_E_IO, "short"), KIN_E_IO);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    assert_memory_equal(err.msg, "short: xxx", 10);
    assert_int_equal(kin_err_wrap(&err, KIN_E_IO, "%s%s", longest, longest), KIN_E_IO);
    assert_string_equal(err.msg, longest);
    /* one byte of room, two, three: the separator is cut, the text stays terminated */
    for (size_t room = 1; room <= 3; room++) {
        longest[sizeof longest - 1 - room] = '\0';
        assert_int_equal(kin_err_wrap(&err, KIN_E_IO, "%s", longest), KIN_E_IO);
        assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    }
}

/* ---- allocation ---- */

static void the_heap_fails_on_demand(void **state)
{
    (void)state;
    kin_alloc_fail_after(2);
    void *a = kin_alloc(10), *b = kin_calloc(3, 4), *c = kin_alloc(1), *d = kin_realloc(b, 100);
    char *e = kin_strndup("x", 1);
    size_t made = kin_alloc_fail_after(SIZE_MAX);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(c);
    assert_null(d);
    assert_null(e);
    assert_int_equal(made, 5);
    assert_memory_equal(b, "\0\0\0\0\0\0\0\0\0\0\0\0",
                        12); /* still valid after the failed realloc */
    kin_free(a);
    kin_free(b);
    kin_free(NULL);
    void *f = kin_alloc(0);
    assert_non_null(f);
    kin_free(f);
}

static void sizes_that_overflow_are_no_memory(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    assert_null(kin_calloc(SIZE_MAX / 2, 3));
    assert_null(kin_reallocarray(NULL, SIZE_MAX / 2, 3));
    assert_null(kin_arena_calloc(&arena, SIZE_MAX / 2, 3));
    assert_null(kin_arena_alloc(&arena, SIZE_MAX));
    kin_arena_deinit(&arena);
}

/* ---- strings ---- */

static void strings_compare_as_bytes_then_length(void **state)
{
    (void)state;
    const struct kin_str sorted[] = {
        {NULL, 0},     KIN_STR("\0"), KIN_STR("A"),    KIN_STR("a"),
        KIN_STR("aa"), KIN_STR("b"),  KIN_STR("\x80"), KIN_STR("\xff"),
    };
    size_t n = sizeof sorted / sizeof *sorted;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            int c = kin_str_cmp(sorted[i], sorted[j]);
            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
            assert_int_equal(kin_str_eq(sorted[i], sorted[j]), i == j);
        }
    }
    assert_int_equal(kin_str_of("four").n, 4);
    char *copy = kin_strndup("abcdef", 3);
    assert_string_equal(copy, "abc");
    kin_free(copy);
    copy = kin_strndup(NULL, 0);
    assert_string_equal(copy, "");
    kin_free(copy);
}

/* ---- buffer ---- */

static void a_buffer_grows_and_keeps_its_bytes(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    kin_buf_put(&b, NULL, 0);
    assert_int_equal(b.n, 0);
    for (unsigned i = 0; i < 5000; i++)
        kin_buf_putc(&b, (char)i);
    kin_buf_puts(&b, "end");
    kin_buf_printf(&b, "%d-%s", 12, "x");
    assert_false(b.failed);
    assert_int_equal(b.n, 5007);
    assert_true(b.cap >= b.n);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(b.p[i], (uint8_t)i);
    assert_memory_equal(b.p + 5000, "end12-x", 7);
    uint8_t *room = kin_buf_reserve(&b, 10);
    assert_ptr_equal(room, b.p + 5007);
    assert_int_equal(b.n, 5007);
    assert_ptr_equal(kin_buf_extend(&b, 10), room);
    assert_int_equal(b.n, 5017);
    size_t cap = b.cap;
    kin_buf_clear(&b);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.cap, cap);
    kin_buf_deinit(&b);
    assert_null(b.p);
}

static void numbers_are_little_endian(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    kin_buf_u16(&b, 0x0102);
    kin_buf_u32(&b, 0x03040506);
    kin_buf_u64(&b, 0x0708090a0b0c0d0e);
    assert_int_equal(b.n, 14);
    assert_memory_equal(b.p, "\x02\x01\x06\x05\x04\x03\x0e\x0d\x0c\x0b\x0a\x09\x08\x07", 14);
    assert_int_equal(kin_le16(b.p), 0x0102);
    assert_int_equal(kin_le32(b.p + 2), 0x03040506);
    assert_true(kin_le64(b.p + 6) == 0x0708090a0b0c0d0e);
    kin_put_be64(b.p + 1, 0x0102030405060708);
    assert_memory_equal(b.p + 1, "\1\2\3\4\5\6\7\10", 8);
    assert_true(kin_be64(b.p + 1) == 0x0102030405060708);
    kin_put_le16(b.p + 1, 0xfffe);
    kin_put_le32(b.p + 3, 0xfffefdfc);
    kin_put_le64(b.p + 5, UINT64_MAX - 1);
    assert_int_equal(kin_le16(b.p + 1), 0xfffe);
    assert_true(kin_le64(b.p + 5) == UINT64_MAX - 1);
    kin_buf_deinit(&b);
}

static void a_failed_append_sticks(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    kin_buf_puts(&b, "kept");
    kin_alloc_fail_after(0);
    for (unsigned i = 0; i < 1000; i++)
        kin_buf_putc(&b, 'x'); /* fills what there is, then fails */
    size_t n = b.n;
    assert_true(b.failed);
    kin_alloc_fail_after(SIZE_MAX);
    kin_buf_puts(&b, "y");
    kin_buf_printf(&b, "%d", 1);
    kin_buf_varint(&b, 1);
    kin_buf_u64(&b, 1);
    assert_null(kin_buf_reserve(&b, 0));
    assert_null(kin_buf_extend(&b, 1));
    assert_int_equal(b.n, n);
    assert_memory_equal(b.p, "keptx", 5);
    kin_buf_clear(&b);
    assert_false(b.failed);
    assert_null(kin_buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    kin_buf_deinit(&b);
}

/* ---- cursor ---- */

static void a_cursor_reads_what_was_written(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,        1,         0x7f,           0x80,
                                      0x3fff,   0x4000,    UINT32_MAX,     (uint64_t)1 << 62,
                                      1u << 31, INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
    struct kin_buf b = {0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        size_t before = b.n, bytes = 1;
        kin_buf_varint(&b, values[i]);
        for (uint64_t v = values[i]; v >= 0x80; v >>= 7)
            bytes++;
        assert_int_equal(b.n - before, bytes);
        kin_buf_u16(&b, (uint16_t)values[i]);
        kin_buf_putc(&b, (char)values[i]);
    }
    struct kin_cursor c = kin_cursor_of(b.p, b.n);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_true(kin_cursor_varint(&c) == values[i]);
        assert_int_equal(kin_cursor_u16(&c), (uint16_t)values[i]);
        assert_int_equal(kin_cursor_u8(&c), (uint8_t)values[i]);
    }
    assert_false(c.bad);
    assert_int_equal(kin_cursor_left(&c), 0);
    kin_buf_deinit(&b);
}

static void a_read_past_the_end_spoils_the_cursor(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7};
    struct kin_cursor c = kin_cursor_of(bytes, sizeof bytes);
    assert_int_equal(kin_cursor_u32(&c), 0x04030201);
    assert_int_equal(kin_cursor_left(&c), 3);
    assert_int_equal(kin_cursor_u32(&c), 0);
    assert_true(c.bad);
    assert_int_equal(kin_cursor_left(&c), 0);
    assert_int_equal(kin_cursor_u8(&c), 0); /* although there are bytes left */
    assert_null(kin_cursor_take(&c, 0));

    c = kin_cursor_of(bytes, sizeof bytes);
    assert_ptr_equal(kin_cursor_take(&c, 7), bytes);
    assert_non_null(kin_cursor_take(&c, 0));
    assert_false(c.bad);
    assert_int_equal(kin_cursor_u16(&c), 0);
    assert_true(c.bad);

    c = kin_cursor_of(bytes, sizeof bytes);
    assert_null(kin_cursor_take(&c, SIZE_MAX));
    assert_true(c.bad);
    c = kin_cursor_of(bytes, sizeof bytes);
    assert_true(kin_cursor_u64(&c) == 0);
    assert_true(c.bad);
    c = kin_cursor_of(NULL, 0);
    assert_non_null(kin_cursor_take(&c, 0));
    assert_int_equal(kin_cursor_u8(&c), 0);
    assert_true(c.bad);
}

static void bad_varints_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        bool good;
    } cases[] = {
        {"", 0, false},
        {"\x80", 1, false},
        {"\xff\xff\xff", 3, false},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true}, /* 2^64 - 1 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, false},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11, false},
        {"\x80\x00", 2, true}, /* longer than need be, but zero */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_cursor c = kin_cursor_of(cases[i].bytes, cases[i].n);
        uint64_t v = kin_cursor_varint(&c);
        assert_int_equal(!c.bad, cases[i].good);
        assert_true(cases[i].good || v == 0);
    }
}

/* ---- arena ---- */

static void arena_objects_are_apart_and_aligned(void **state)
{
    (void)state;
    enum { OBJECTS = 300 };
    struct kin_arena arena = {0};
    uint8_t *object[OBJECTS];
    size_t total = 0;
    for (unsigned i = 0; i < OBJECTS; i++) {
        size_t bytes = i % 7 == 0 ? 40000 : i * 3; /* some larger than a quarter of a block */
        object[i] = kin_arena_alloc(&arena, bytes);
        assert_non_null(object[i]);
        assert_int_equal((uintptr_t)object[i] % 16, 0);
        memset(object[i], (int)i, bytes);
        total += bytes;
    }
    assert_int_equal(arena.bytes, total);
    for (unsigned i = 0; i < OBJECTS; i++) {
        size_t bytes = i % 7 == 0 ? 40000 : i * 3;
        for (size_t b = 0; b < bytes; b++)
            assert_int_equal(object[i][b], (uint8_t)i);
    }
    const uint32_t *zero = kin_arena_calloc(&arena, 100, sizeof *zero);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(zero[i], 0);
    assert_string_equal(kin_arena_strndup(&arena, "hello", 4), "hell");
    assert_string_equal(kin_arena_printf(&arena, "%s-%d", "a", 5), "a-5");
    kin_arena_deinit(&arena);
    assert_null(arena.head);
    assert_int_equal(arena.bytes, 0);
}

static void an_arena_survives_a_failed_allocation(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    kin_alloc_fail_after(0);
    void *none = kin_arena_alloc(&arena, 10);
    char *text = kin_arena_printf(&arena, "%d", 1), *copy = kin_arena_strndup(&arena, "x", 1);
    kin_alloc_fail_after(SIZE_MAX);
    assert_null(none);
    assert_null(text);
    assert_null(copy);
    assert_int_equal(arena.bytes, 0);
    assert_non_null(kin_arena_alloc(&arena, 10));
    kin_arena_deinit(&arena);
}

/* ---- hashes: published or frozen values, because stores and results hold them ---- */

static void hash64_is_xxh3(void **state)
{
    (void)state;
    assert_true(kin_hash64("", 0, 0) == 0x2d06800538d394c2); /* XXH3's own test vector */
    assert_true(kin_hash64(NULL, 0, 0) == kin_hash64("", 0, 0));
    assert_true(kin_hash64("kindred", 7, 0) == 0xf0184e625a51d90d);
    assert_true(kin_hash64("kindred", 7, 1) == 0x2a5672a87bb78690);
}

static void hash_mix_is_splitmix64(void **state)
{
    (void)state;
    assert_true(kin_hash_mix(1, 0) == 0xe220a8397b1dcdaf); /* first output for seed 0 */
    assert_true(kin_hash_mix(2, 0) == 0x6e789e6aa1b965f4); /* second */
    assert_true(kin_hash_mix(0, 0) == 0);
    assert_true(kin_hash_mix(1, 2) != kin_hash_mix(2, 1));
}

static void siphash_gives_the_published_vectors(void **state)
{
    (void)state;
    static const uint8_t empty[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                      0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    static const uint8_t one[16] = {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
                                    0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45};
    uint8_t key[16], out[16];
    for (unsigned i = 0; i < 16; i++)
        key[i] = (uint8_t)i;
    kin_siphash128(key, NULL, 0, out);
    assert_memory_equal(out, empty, 16);
    kin_siphash128(key, "\0", 1, out);
    assert_memory_equal(out, one, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_numbers_are_what_the_store_holds),
        cmocka_unit_test(an_error_is_set_with_its_place),
        cmocka_unit_test(wrapping_prefixes_and_keeps_within_the_message),
        cmocka_unit_test(the_heap_fails_on_demand),
        cmocka_unit_test(sizes_that_overflow_are_no_memory),
        cmocka_unit_test(strings_compare_as_bytes_then_length),
        cmocka_unit_test(a_buffer_grows_and_keeps_its_bytes),
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(a_failed_append_sticks),
        cmocka_unit_test(a_cursor_reads_what_was_written),
        cmocka_unit_test(a_read_past_the_end_spoils_the_cursor),
        cmocka_unit_test(bad_varints_are_refused),
        cmocka_unit_test(arena_objects_are_apart_and_aligned),
        cmocka_unit_test(an_arena_survives_a_failed_allocation),
        cmocka_unit_test(hash64_is_xxh3),
        cmocka_unit_test(hash_mix_is_splitmix64),
        cmocka_unit_test(siphash_gives_the_published_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
