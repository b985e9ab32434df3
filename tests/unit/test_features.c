/* Packed features: what is built is read back, and bytes that are not trusted are either refused or
 * read in bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "common/record/features.h"

#include <stdlib.h>
#include <string.h>

enum { FIELDS = 5 };

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*state >> 33) * n) >> 31);
}

static void value(struct kin_features_builder *b, const char *text)
{
    kin_features_value(b, text, strlen(text), true);
}

/* Field 0: two values, 1: null, 2: one, 3: a number, 4: null; two keys. */
static void build_example(struct kin_buf *out)
{
    struct kin_features_builder b;
    const uint64_t keys[] = {5, UINT64_MAX};
    double number = 2.5;
    kin_features_begin(&b, out, FIELDS, 77, 3, KIN_STR("id-1"));
    kin_features_field(&b, 0);
    value(&b, "smith");
    value(&b, "smythe-jones");
    kin_features_field(&b, 2);
    kin_features_value(&b, "m\xc3\xbcller", 7, false);
    kin_features_field(&b, 3);
    kin_features_value(&b, &number, sizeof number, false);
    assert_int_equal(kin_features_end(&b, keys, 2), KIN_OK);
}

static void assert_value(const struct kin_value *v, const void *p, size_t n, bool ascii)
{
    assert_int_equal(v->bytes, n);
    assert_memory_equal(v->p, p, n);
    assert_int_equal(v->ascii, ascii);
    assert_true(v->hash == kin_hash64(p, n, 0));
}

static void assert_the_example(const uint8_t *rec)
{
    const uint8_t *at = rec;
    unsigned keys = 0;
    double number = 2.5;
    assert_int_equal(kin_features_rel(rec), 77);
    assert_int_equal(kin_features_source(rec), 3);
    assert_true(kin_str_eq(kin_features_id(rec), KIN_STR("id-1")));
    assert_int_equal(kin_features_values(rec, 0, &at), 2);
    struct kin_value v = kin_features_next(&at);
    assert_value(&v, "smith", 5, true);
    v = kin_features_next(&at);
    assert_value(&v, "smythe-jones", 12, true);
    assert_int_equal(kin_features_values(rec, 1, &at), 0);
    assert_int_equal(kin_features_values(rec, 2, &at), 1);
    v = kin_features_next(&at);
    assert_value(&v, "m\xc3\xbcller", 7, false);
    assert_int_equal(kin_features_values(rec, 3, &at), 1);
    v = kin_features_next(&at);
    assert_value(&v, &number, 8, false);
    assert_int_equal(kin_features_values(rec, 4, &at), 0);
    at = kin_features_keys(rec, &keys);
    assert_int_equal(keys, 2);
    assert_true(kin_le64(at) == 5 && kin_le64(at + 8) == UINT64_MAX);
}

static void a_record_reads_back_at_any_address(void **state)
{
    (void)state;
    struct kin_buf out = {0};
    kin_buf_puts(&out, "before");
    build_example(&out);
    size_t n = out.n - 6;
    assert_int_equal(kin_features_bytes(out.p + 6), n);
    assert_int_equal(n % 4, 0);
    for (size_t shift = 0; shift < 8; shift++) {
        uint8_t *copy = malloc(n + shift);
        assert_non_null(copy);
        memcpy(copy + shift, out.p + 6, n);
        assert_true(kin_features_valid(copy + shift, n, FIELDS));
        assert_the_example(copy + shift);
        free(copy);
    }
    assert_false(kin_features_valid(out.p + 6, n, FIELDS - 1));
    assert_false(kin_features_valid(out.p + 6, n, FIELDS + 1));
    kin_buf_deinit(&out);
}

/* The layout is a wire and store format: these bytes are frozen. */
static void the_bytes_are_what_the_header_says(void **state)
{
    (void)state;
    struct kin_buf out = {0};
    struct kin_features_builder b;
    const uint64_t key = 0x0102030405060708;
    kin_features_begin(&b, &out, 3, 9, 2, KIN_STR("abcde"));
    kin_features_field(&b, 1);
    value(&b, "hi");
    assert_int_equal(kin_features_end(&b, &key, 1), KIN_OK);
    static const uint8_t head[] = {
        64,  0,   0,   0,   9,   0, 0, 0, 2, 0, 5, 0, /* bytes, rel, source, id_bytes */
        3,   0,   1,   0,   14,  0, 0, 0,             /* fields, keys, key_words, flags */
        0,   0,   9,   0,   0,   0, 0, 0,             /* field words and padding */
        'a', 'b', 'c', 'd', 'e', 0, 0, 0, 1, 0, 0, 0, /* id, padded; one value */
    };
    static const uint8_t tail[] = {2, 0, 1, 0, 'h', 'i', 0, 0, 8, 7, 6, 5, 4, 3, 2, 1};
    assert_int_equal(out.n, 64);
    assert_memory_equal(out.p, head, sizeof head);
    assert_true(kin_le64(out.p + sizeof head) == kin_hash64("hi", 2, 0));
    assert_memory_equal(out.p + sizeof head + 8, tail, sizeof tail);
    kin_buf_deinit(&out);
}

static void records_follow_one_another_in_one_buffer(void **state)
{
    (void)state;
    struct kin_buf out = {0};
    build_example(&out);
    size_t first = out.n;
    build_example(&out);
    assert_int_equal(out.n, 2 * first);
    assert_memory_equal(out.p, out.p + first, first);
    assert_the_example(out.p + first);
    kin_buf_deinit(&out);
}

static void peek_shows_the_fields_before_the_end(void **state)
{
    (void)state;
    struct kin_buf out = {0};
    struct kin_features_builder b;
    kin_features_begin(&b, &out, 2, 0, 0, KIN_STR("x"));
    kin_features_field(&b, 1);
    value(&b, "v");
    const uint8_t *rec = kin_features_peek(&b), *at = rec;
    assert_non_null(rec);
    assert_int_equal(kin_features_values(rec, 0, &at), 0);
    assert_int_equal(kin_features_values(rec, 1, &at), 1);
    assert_int_equal(kin_features_next(&at).p[0], 'v');
    assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
    assert_true(kin_features_valid(out.p, out.n, 2));
    kin_buf_deinit(&out);
}

/* ---- limits ---- */

static void the_longest_id_fits_and_a_longer_one_does_not(void **state)
{
    (void)state;
    static char id[KIN_ID_BYTES_MAX + 1];
    memset(id, 'i', sizeof id);
    struct kin_buf out = {0};
    struct kin_features_builder b;
    for (size_t n = 0; n <= sizeof id; n++) {
        kin_buf_clear(&out);
        kin_buf_puts(&out, "keep");
        kin_features_begin(&b, &out, 1, 0, 0, (struct kin_str){id, n});
        kin_features_field(&b, 0);
        value(&b, "x");
        bool fits = n >= 1 && n <= KIN_ID_BYTES_MAX;
        assert_int_equal(kin_features_peek(&b) != NULL, fits);
        assert_int_equal(kin_features_end(&b, NULL, 0), fits ? KIN_OK : KIN_E_LIMIT);
        if (fits)
            assert_true(kin_features_valid(out.p + 4, out.n - 4, 1));
        else
            assert_int_equal(out.n, 4);
    }
    kin_buf_deinit(&out);
}

static void a_record_at_the_limit_of_bytes(void **state)
{
    (void)state;
    static uint8_t payload[UINT16_MAX + 1];
    struct kin_buf out = {0};
    struct kin_features_builder b;
    for (unsigned extra = 0; extra < 2; extra++) {
        kin_buf_clear(&out);
        kin_features_begin(&b, &out, 1, 0, 0, KIN_STR("x"));
        kin_features_field(&b, 0);
        size_t used = 20 + 4 + 4 + 4;
        for (; KIN_FEATURES_BYTES_MAX - used > UINT16_MAX - 3 + 12; used += 12 + UINT16_MAX - 3)
            kin_features_value(&b, payload, UINT16_MAX - 3, true);
        kin_features_value(&b, payload, KIN_FEATURES_BYTES_MAX - used - 12 + extra, true);
        assert_int_equal(kin_features_end(&b, NULL, 0), extra ? KIN_E_LIMIT : KIN_OK);
        assert_int_equal(out.n, extra ? 0 : KIN_FEATURES_BYTES_MAX);
        assert_true(extra || kin_features_valid(out.p, out.n, 1));
    }
    kin_features_begin(&b, &out, 1, 0, 0, KIN_STR("x"));
    kin_features_field(&b, 0);
    kin_features_value(&b, payload, UINT16_MAX + 1, true);
    assert_int_equal(kin_features_end(&b, NULL, 0), KIN_E_LIMIT);
    assert_int_equal(out.n, 0);
    kin_buf_deinit(&out);
}

static void keys_count_up_to_their_limit(void **state)
{
    (void)state;
    static uint64_t keys[KIN_KEYS_MAX + 1];
    struct kin_buf out = {0};
    struct kin_features_builder b;
    unsigned count = 0;
    for (unsigned i = 0; i <= KIN_KEYS_MAX; i++)
        keys[i] = (uint64_t)i << 50 | i;
    kin_features_begin(&b, &out, 1, 0, 0, KIN_STR("x"));
    assert_int_equal(kin_features_end(&b, keys, KIN_KEYS_MAX), KIN_OK);
    assert_true(kin_features_valid(out.p, out.n, 1));
    const uint8_t *at = kin_features_keys(out.p, &count);
    assert_int_equal(count, KIN_KEYS_MAX);
    assert_memory_equal(at, keys, sizeof *keys * KIN_KEYS_MAX);
    kin_buf_clear(&out);
    kin_features_begin(&b, &out, 1, 0, 0, KIN_STR("x"));
    assert_int_equal(kin_features_end(&b, keys, KIN_KEYS_MAX + 1), KIN_E_LIMIT);
    assert_int_equal(out.n, 0);
    kin_buf_deinit(&out);
}

static void further_values_of_a_field_are_ignored(void **state)
{
    (void)state;
    struct kin_buf out = {0};
    struct kin_features_builder b;
    kin_features_begin(&b, &out, 2, 0, 0, KIN_STR("x"));
    kin_features_field(&b, 0);
    for (unsigned i = 0; i < KIN_VALUES_MAX + 5; i++)
        value(&b, "v");
    kin_features_field(&b, 1);
    value(&b, "w");
    assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
    assert_true(kin_features_valid(out.p, out.n, 2));
    const uint8_t *at = out.p;
    assert_int_equal(kin_features_values(out.p, 0, &at), KIN_VALUES_MAX);
    assert_int_equal(kin_features_values(out.p, 1, &at), 1);
    assert_int_equal(kin_features_next(&at).p[0], 'w');
    kin_buf_deinit(&out);
}

static void a_failed_allocation_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    bool done = false;
    for (size_t n = 0; !done; n++) {
        struct kin_buf out = {0};
        struct kin_features_builder b;
        static const uint8_t payload[1000];
        assert_true(n < 50);
        kin_buf_puts(&out, "keep");
        kin_alloc_fail_after(n);
        kin_features_begin(&b, &out, 4, 0, 0, KIN_STR("x"));
        for (unsigned f = 0; f < 4; f++) {
            kin_features_field(&b, f);
            kin_features_value(&b, payload, sizeof payload, true);
        }
        bool peeked = kin_features_peek(&b) != NULL;
        kin_status status = kin_features_end(&b, NULL, 0);
        kin_alloc_fail_after(SIZE_MAX);
        done = status == KIN_OK;
        assert_true(done || (out.n == 4 && out.failed));
        assert_int_equal(peeked, done);
        kin_buf_deinit(&out);
    }
}

/* ---- order ---- */

static void identities_order_by_source_then_id_bytes(void **state)
{
    (void)state;
    static const struct {
        uint16_t source;
        struct kin_str id;
    } sorted[] = {
        {0, {"a", 1}},    {0, {"a\0", 2}}, {0, {"aa", 2}}, {0, {"b", 1}},
        {0, {"\xff", 1}}, {1, {"a", 1}},   {2, {"0", 1}},  {256, {"a", 1}},
    };
    size_t count = sizeof sorted / sizeof *sorted;
    struct kin_buf out = {0};
    size_t at[sizeof sorted / sizeof *sorted];
    for (size_t i = 0; i < count; i++) {
        struct kin_features_builder b;
        at[i] = out.n;
        kin_features_begin(&b, &out, 0, 0, sorted[i].source, sorted[i].id);
        assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int c = kin_features_cmp_identity(out.p + at[i], out.p + at[j]);
            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
    }
    kin_buf_deinit(&out);
}

/* ---- bytes that are not trusted ---- */

/* Reads everything that can be read, and returns something that depends on all of it. */
static uint64_t read_all(const uint8_t *rec, unsigned fields)
{
    struct kin_str id = kin_features_id(rec);
    uint64_t sum = kin_hash64(id.p, id.n, 0);
    for (unsigned f = 0; f < fields; f++) {
        const uint8_t *at = rec;
        for (unsigned i = kin_features_values(rec, f, &at); i > 0; i--) {
            struct kin_value v = kin_features_next(&at);
            sum = kin_hash_mix(sum ^ v.hash, kin_hash64(v.p, v.bytes, 0));
        }
    }
    unsigned keys = 0;
    const uint8_t *at = kin_features_keys(rec, &keys);
    return kin_hash_mix(sum, kin_hash64(at, 8 * (size_t)keys, 0));
}

/* On a block of its own that ends with the record, so that the sanitizer sees every overrun. */
static bool accepted(const uint8_t *bytes, size_t n, unsigned fields)
{
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    if (n)
        memcpy(copy, bytes, n);
    bool valid = kin_features_valid(copy, n, fields);
    if (valid)
        assert_true(read_all(copy, fields) != 1);
    free(copy);
    return valid;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct kin_buf out = {0};
    build_example(&out);
    for (size_t n = 0; n < out.n; n++) {
        assert_false(accepted(out.p, n, FIELDS));
        /* also if the record says itself that it is so short */
        struct kin_buf cut = {0};
        kin_buf_put(&cut, out.p, n);
        if (n >= 4)
            kin_put_le32(cut.p, (uint32_t)n);
        assert_false(accepted(cut.p, n, FIELDS));
        kin_buf_deinit(&cut);
    }
    kin_buf_putc(&out, '\0');
    assert_false(accepted(out.p, out.n, FIELDS));
    kin_buf_deinit(&out);
}

static void build_random(struct kin_buf *out, uint64_t *rng)
{
    struct kin_features_builder b;
    uint64_t keys[6];
    unsigned key_count = draw(rng, 7);
    char text[40];
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (char)draw(rng, 128);
    for (unsigned i = 0; i < key_count; i++)
        keys[i] = ((uint64_t)i << 40) + draw(rng, 1000);
    kin_features_begin(&b, out, FIELDS, draw(rng, 1000), (uint16_t)draw(rng, 4),
                       (struct kin_str){text, 1 + draw(rng, 20)});
    for (unsigned f = 0; f < FIELDS; f++) {
        unsigned values = draw(rng, 4);
        if (values)
            kin_features_field(&b, f);
        for (; values > 0; values--)
            kin_features_value(&b, text, 1 + draw(rng, sizeof text), true);
    }
    assert_int_equal(kin_features_end(&b, keys, key_count), KIN_OK);
}

static void random_records_are_valid_and_corrupted_ones_stay_in_bounds(void **state)
{
    (void)state;
    uint64_t rng = 11;
    unsigned refused = 0, taken = 0;
    for (unsigned round = 0; round < 300; round++) {
        struct kin_buf out = {0};
        build_random(&out, &rng);
        assert_true(accepted(out.p, out.n, FIELDS));
        for (unsigned attempt = 0; attempt < 200; attempt++) {
            struct kin_buf bad = {0};
            kin_buf_put(&bad, out.p, out.n);
            for (unsigned changes = 1 + draw(&rng, 3); changes > 0; changes--) {
                /* most of the time where lengths and offsets are */
                size_t at = draw(&rng, draw(&rng, 3) ? 40 : (uint32_t)out.n);
                if (draw(&rng, 2))
                    bad.p[at % out.n] = (uint8_t)draw(&rng, 256);
                else
                    bad.p[at % out.n] ^= (uint8_t)(1u << draw(&rng, 8));
            }
            if (accepted(bad.p, bad.n, FIELDS))
                taken++;
            else
                refused++;
            kin_buf_deinit(&bad);
        }
        kin_buf_deinit(&out);
    }
    assert_true(refused > 10000 && taken > 10000); /* both ways are tried */
}

static void each_broken_rule_is_refused(void **state)
{
    (void)state;
    struct kin_buf good = {0}, out = {0};
    build_example(&good);
    size_t field0 = 4 * (size_t)kin_le16(good.p + 20), keys = 4 * (size_t)kin_le16(good.p + 16);
    const struct {
        size_t at;
        unsigned bytes;
        uint64_t value;
    } changes[] = {
        {0, 4, good.n + 4},    {0, 4, UINT32_MAX}, {10, 2, 0},          {10, 2, 256},
        {12, 2, FIELDS + 1},   {14, 2, 3},         {14, 2, UINT16_MAX}, {16, 2, 0},
        {16, 2, UINT16_MAX},   {20, 2, 1},         {20, 2, UINT16_MAX}, {20, 2, keys / 4},
        {field0, 4, 0},        {field0, 4, 65},    {field0, 4, 9},      {field0 + 12, 2, 60000},
        {keys, 8, UINT64_MAX}, {keys + 8, 8, 5},   {keys + 8, 8, 4},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        kin_buf_clear(&out);
        kin_buf_put(&out, good.p, good.n);
        uint64_t v = changes[i].value;
        memcpy(out.p + changes[i].at, &v, changes[i].bytes);
        if (accepted(out.p, out.n, FIELDS))
            fail_msg("change %zu is accepted", i);
    }
    kin_buf_deinit(&good);
    kin_buf_deinit(&out);
}

static void parts_may_not_reach_into_the_head_or_the_id(void **state)
{
    (void)state;
    struct kin_buf out = {0};
    struct kin_features_builder b;
    /* rel 1 would pass as the number of values of a field that starts there */
    kin_features_begin(&b, &out, 1, 1, 0, KIN_STR("eight by"));
    assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
    assert_true(accepted(out.p, out.n, 1));
    kin_put_le16(out.p + 20, 1);
    assert_false(accepted(out.p, out.n, 1));
    /* eight bytes of id would pass as a key */
    kin_put_le16(out.p + 20, 0);
    kin_put_le16(out.p + 14, 1);
    kin_put_le16(out.p + 16, (uint16_t)((out.n - 8) / 4));
    assert_false(accepted(out.p, out.n, 1));
    kin_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_reads_back_at_any_address),
        cmocka_unit_test(the_bytes_are_what_the_header_says),
        cmocka_unit_test(records_follow_one_another_in_one_buffer),
        cmocka_unit_test(peek_shows_the_fields_before_the_end),
        cmocka_unit_test(the_longest_id_fits_and_a_longer_one_does_not),
        cmocka_unit_test(a_record_at_the_limit_of_bytes),
        cmocka_unit_test(keys_count_up_to_their_limit),
        cmocka_unit_test(further_values_of_a_field_are_ignored),
        cmocka_unit_test(a_failed_allocation_leaves_the_buffer_as_it_was),
        cmocka_unit_test(identities_order_by_source_then_id_bytes),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(random_records_are_valid_and_corrupted_ones_stay_in_bounds),
        cmocka_unit_test(each_broken_rule_is_refused),
        cmocka_unit_test(parts_may_not_reach_into_the_head_or_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
