/* Decompression: round trips, streams of several members, and everything that can be wrong with
 * the input. */
#include "tests/unit/reader_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

static const enum kin_compression kinds[] = {KIN_GZIP, KIN_ZSTD};

static void put_compressed(struct kin_buf *out, enum kin_compression kind, const void *p, size_t n)
{
    if (kind == KIN_GZIP) {
        z_stream z = {0};
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        size_t cap = deflateBound(&z, n);
        struct kin_buf input = {0}; /* zlib's pointer is not const */
        kin_buf_put(&input, p, n);
        z.next_in = input.p;
        z.avail_in = (uInt)n;
        z.next_out = kin_buf_reserve(out, cap);
        z.avail_out = (uInt)cap;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        out->n += z.total_out;
        deflateEnd(&z);
        kin_buf_deinit(&input);
        return;
    }
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    size_t cap = ZSTD_compressBound(n);
    size_t made = ZSTD_compress2(z, kin_buf_reserve(out, cap), cap, p, n);
    assert_false(ZSTD_isError(made));
    out->n += made;
    ZSTD_freeCCtx(z);
}

/* Text that compresses somewhat. */
static struct kin_buf some_text(size_t n)
{
    struct kin_buf text = {0};
    uint64_t seed = n;
    while (text.n < n)
        kin_buf_printf(&text, "%llu,name %llu\n", (unsigned long long)help_random(&seed),
                       (unsigned long long)(help_random(&seed) % 100));
    return text;
}

/* Reads everything, in pieces of at most cap bytes. */
static kin_status inflate_all(enum kin_compression kind, struct help_source source, size_t cap,
                              struct kin_buf *out, struct kin_err *err)
{
    struct kin_inflate *z = NULL;
    kin_status status = kin_inflate_open(kind, help_bytes(&source), &z, err);
    if (status)
        return status;
    struct kin_byte_source from = kin_inflate_source(z);
    size_t got = 1;
    while (!status && got) {
        uint8_t *to = kin_buf_reserve(out, cap);
        assert_non_null(to);
        got = 12345;
        status = from.read(from.arg, to, cap, &got, err);
        if (status) {
            size_t none = 0;
            assert_int_equal(from.read(from.arg, to, cap, &none, NULL), status); /* it stays so */
        } else {
            assert_true(got <= cap);
            out->n += got;
        }
    }
    if (!status) {
        assert_int_equal(from.read(from.arg, kin_buf_reserve(out, 1), 1, &got, err), KIN_OK);
        assert_int_equal(got, 0);
    }
    kin_inflate_close(z);
    return status;
}

static void expect_text(enum kin_compression kind, const struct kin_buf *packed, size_t piece,
                        size_t cap, const struct kin_buf *want)
{
    struct kin_buf got = {0};
    struct kin_err err = {0};
    struct help_source source = help_source_of(packed->p, packed->n);
    source.piece = piece;
    if (inflate_all(kind, source, cap, &got, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(got.n, want->n);
    assert_true(got.n == 0 || (want->p && memcmp(got.p, want->p, got.n) == 0));
    kin_buf_deinit(&got);
}

static kin_status inflate_bytes(enum kin_compression kind, const void *p, size_t n)
{
    struct kin_buf got = {0};
    struct kin_err err = {0};
    kin_status status = inflate_all(kind, help_source_of(p, n), 1000, &got, &err);
    assert_int_equal(err.status, status);
    kin_buf_deinit(&got);
    return status;
}

static void what_was_compressed_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 1000, 300000};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < 4; i++) {
            struct kin_buf text = sizes[i] > 1 ? some_text(sizes[i]) : (struct kin_buf){0};
            if (sizes[i] == 1)
                kin_buf_putc(&text, 'x');
            struct kin_buf packed = {0};
            put_compressed(&packed, kinds[k], text.p, text.n);
            expect_text(kinds[k], &packed, 0, 1 << 20, &text);
            expect_text(kinds[k], &packed, 7, 1000, &text);
            expect_text(kinds[k], &packed, 1000, 7, &text);
            kin_buf_deinit(&packed);
            kin_buf_deinit(&text);
        }
    }
}

static void plain_bytes_pass_through(void **state)
{
    (void)state;
    struct kin_buf text = some_text(1000);
    expect_text(KIN_PLAIN, &text, 13, 100, &text);
    kin_buf_deinit(&text);
}

static void members_that_follow_one_another_are_one_stream(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct kin_buf text = some_text(5000);
        struct kin_buf packed = {0};
        put_compressed(&packed, kinds[k], text.p, 2000);
        put_compressed(&packed, kinds[k], text.p, 0);
        put_compressed(&packed, kinds[k], text.p + 2000, text.n - 2000);
        put_compressed(&packed, kinds[k], text.p, 0);
        expect_text(kinds[k], &packed, 0, 1 << 16, &text);
        expect_text(kinds[k], &packed, 1, 64, &text);
        kin_buf_deinit(&packed);
        kin_buf_deinit(&text);
    }
}

static void input_cut_short_is_corrupt(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct kin_buf text = some_text(300);
        struct kin_buf packed = {0};
        put_compressed(&packed, kinds[k], text.p, text.n);
        size_t first = packed.n;
        put_compressed(&packed, kinds[k], text.p, text.n);
        for (size_t n = 0; n < packed.n; n++)
            assert_int_equal(inflate_bytes(kinds[k], packed.p, n),
                             n == first ? KIN_OK : KIN_E_CORRUPT);
        kin_buf_deinit(&packed);
        kin_buf_deinit(&text);
    }
}

static void changed_bytes_never_change_the_text_unseen(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct kin_buf text = some_text(300);
        struct kin_buf packed = {0};
        put_compressed(&packed, kinds[k], text.p, text.n);
        size_t refused = 0;
        for (size_t i = 0; i < packed.n * 8; i++) {
            packed.p[i / 8] ^= (uint8_t)(1u << i % 8);
            struct kin_buf got = {0};
            struct help_source source = help_source_of(packed.p, packed.n);
            kin_status status = inflate_all(kinds[k], source, 1000, &got, NULL);
            if (status == KIN_OK)
                assert_true(got.n == text.n && memcmp(got.p, text.p, got.n) == 0);
            else
                assert_true(status == KIN_E_CORRUPT || status == KIN_E_LIMIT);
            refused += status != KIN_OK;
            kin_buf_deinit(&got);
            packed.p[i / 8] ^= (uint8_t)(1u << i % 8);
        }
        assert_true(refused > (packed.n - 12) * 8); /* but for time stamps and the like */
        kin_buf_deinit(&packed);
        kin_buf_deinit(&text);
    }
}

static void bytes_behind_the_end_are_corrupt(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct kin_buf packed = {0};
        put_compressed(&packed, kinds[k], "text", 4);
        kin_buf_puts(&packed, "more");
        assert_int_equal(inflate_bytes(kinds[k], packed.p, packed.n), KIN_E_CORRUPT);
        kin_buf_deinit(&packed);
    }
    assert_int_equal(inflate_bytes(KIN_GZIP, "plain text", 10), KIN_E_CORRUPT);
    assert_int_equal(inflate_bytes(KIN_ZSTD, "plain text", 10), KIN_E_CORRUPT);
}

static void a_frame_that_wants_too_much_memory_is_refused(void **state)
{
    (void)state;
    /* magic, no content size, window descriptor, one raw block of one byte */
    uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 10 << 3, 9, 0, 0, 'x'};
    assert_int_equal(inflate_bytes(KIN_ZSTD, frame, sizeof frame), KIN_OK); /* 2^20 bytes */
    frame[5] = 20 << 3;
    assert_int_equal(inflate_bytes(KIN_ZSTD, frame, sizeof frame), KIN_E_LIMIT); /* 2^30 */
}

static void errors_of_the_raw_source_are_passed_on(void **state)
{
    (void)state;
    struct kin_buf text = some_text(3000);
    for (size_t k = 0; k < 2; k++) {
        struct kin_buf packed = {0};
        struct kin_buf got = {0};
        struct kin_inflate *z = NULL;
        struct kin_err err = {0};
        put_compressed(&packed, kinds[k], text.p, text.n);
        struct help_source source = help_source_of(packed.p, packed.n);
        source.piece = 50;
        source.fail_at = 100;
        assert_int_equal(kin_inflate_open(kinds[k], help_bytes(&source), &z, &err), KIN_OK);
        struct kin_byte_source from = kin_inflate_source(z);
        size_t failures = 0;
        for (size_t n = 1; n;) {
            kin_status status = from.read(from.arg, kin_buf_reserve(&got, 100), 100, &n, &err);
            if (status) {
                assert_int_equal(status, KIN_E_IO);
                assert_string_equal(err.msg, "the disk is on fire");
                failures++;
                n = 1; /* it works the second time, and nothing is lost */
                continue;
            }
            got.n += n;
        }
        assert_int_equal(failures, 1);
        assert_true(got.n == text.n && memcmp(got.p, text.p, got.n) == 0);
        kin_inflate_close(z);
        kin_buf_deinit(&got);
        kin_buf_deinit(&packed);
    }
    kin_buf_deinit(&text);
}

static void a_compressed_csv_reads_like_a_plain_one(void **state)
{
    (void)state;
    static const char text[] = "a,b\n1,2\n\"3\n3\",4\n";
    struct kin_buf packed = {0};
    put_compressed(&packed, KIN_GZIP, text, sizeof text - 1);
    struct help_source source = help_source_of(packed.p, packed.n);
    struct kin_inflate *z = NULL;
    struct kin_cutter *cutter = NULL;
    struct kin_chunk chunk = {0};
    struct kin_reader_options options = help_options(KIN_FORMAT_CSV, 1000);
    assert_int_equal(kin_inflate_open(KIN_GZIP, help_bytes(&source), &z, NULL), KIN_OK);
    assert_int_equal(kin_cutter_open(&options, kin_inflate_source(z), &cutter, NULL), KIN_OK);
    assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_OK);
    assert_int_equal(chunk.bytes.n, sizeof text - 1 - 4);
    assert_int_equal(chunk.offset, 4);
    kin_chunk_deinit(&chunk);
    assert_int_equal(kin_cutter_next(cutter, &chunk, NULL), KIN_E_EOF);
    kin_cutter_close(cutter);
    kin_inflate_close(z);
    kin_buf_deinit(&packed);

    /* and an error below is not taken for the end */
    put_compressed(&packed, KIN_GZIP, text, sizeof text - 1);
    source = help_source_of(packed.p, packed.n - 1);
    assert_int_equal(kin_inflate_open(KIN_GZIP, help_bytes(&source), &z, NULL), KIN_OK);
    cutter = NULL;
    kin_status status = kin_cutter_open(&options, kin_inflate_source(z), &cutter, NULL);
    if (!status)
        status = kin_cutter_next(cutter, &chunk, NULL);
    assert_int_equal(status, KIN_E_CORRUPT);
    kin_cutter_close(cutter);
    kin_inflate_close(z);
    kin_buf_deinit(&packed);
}

static void every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    struct kin_buf text = some_text(100000);
    for (size_t k = 0; k < 2; k++) {
        struct kin_buf packed = {0};
        put_compressed(&packed, kinds[k], text.p, text.n);
        struct kin_buf got = {0};
        assert_non_null(kin_buf_reserve(&got, text.n + 5000));
        bool done = false;
        for (size_t n = 0; !done; n++) {
            assert_true(n < 20);
            kin_buf_clear(&got);
            kin_alloc_fail_after(n);
            struct help_source source = help_source_of(packed.p, packed.n);
            kin_status status = inflate_all(kinds[k], source, 4000, &got, NULL);
            kin_alloc_fail_after(SIZE_MAX);
            done = status == KIN_OK;
            assert_true(done || status == KIN_E_NOMEM);
            assert_true(!done || n > (kinds[k] == KIN_GZIP ? 1 : 0));
        }
        kin_buf_deinit(&got);
        kin_buf_deinit(&packed);
    }
    kin_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_compressed_comes_back),
        cmocka_unit_test(plain_bytes_pass_through),
        cmocka_unit_test(members_that_follow_one_another_are_one_stream),
        cmocka_unit_test(input_cut_short_is_corrupt),
        cmocka_unit_test(changed_bytes_never_change_the_text_unseen),
        cmocka_unit_test(bytes_behind_the_end_are_corrupt),
        cmocka_unit_test(a_frame_that_wants_too_much_memory_is_refused),
        cmocka_unit_test(errors_of_the_raw_source_are_passed_on),
        cmocka_unit_test(a_compressed_csv_reads_like_a_plain_one),
        cmocka_unit_test(every_failed_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
