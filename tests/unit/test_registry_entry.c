/* MatchIds as text, and what is kept of one for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/match_id.h"
#include "coordinator/registry.h"

static struct registry_id id_of(char letter)
{
    struct registry_id id;
    memset(id.bytes, letter, sizeof id.bytes);
    return id;
}

/* ---- ids ---- */

static void test_ids_are_printed_and_read(void **state)
{
    (void)state;
    struct registry_id id, back;
    char text[33];
    for (unsigned i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)(i * 17 + (i % 3 == 1 ? 0x80 : 0));
    registry_id_print(&id, text);
    assert_int_equal(strlen(text), 32);
    for (unsigned i = 0; i < sizeof id.bytes; i++) {
        char two[3];
        snprintf(two, sizeof two, "%02x", id.bytes[i]);
        assert_memory_equal(text + 2 * i, two, 2);
    }
    assert_true(registry_id_parse(kin_str_of(text), &back));
    assert_memory_equal(&back, &id, sizeof id);
    for (size_t i = 0; i < 32; i++) {
        if (text[i] >= 'a')
            text[i] = (char)(text[i] - 'a' + 'A');
    }
    memset(&back, 0, sizeof back);
    assert_true(registry_id_parse(kin_str_of(text), &back));
    assert_memory_equal(&back, &id, sizeof id);
}

static void test_what_is_no_id_is_not_read(void **state)
{
    (void)state;
    const char *good = "0123456789abcdef0123456789ABCDEF0";
    struct registry_id id = id_of('x'), same = id;
    assert_false(registry_id_parse((struct kin_str){NULL, 0}, &id));
    assert_false(registry_id_parse((struct kin_str){good, 31}, &id));
    assert_false(registry_id_parse((struct kin_str){good, 33}, &id));
    for (unsigned at = 0; at < 32; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char text[32];
            memcpy(text, good, sizeof text);
            text[at] = (char)byte;
            bool digit = byte < 128 && byte && strchr("0123456789abcdefABCDEF", (int)byte);
            same = id;
            assert_int_equal(registry_id_parse((struct kin_str){text, 32}, &id), digit);
            if (!digit)
                assert_memory_equal(&same, &id, sizeof id);
        }
    }
}

/* The next generation of a founder's id is another id. */
static void test_new_ids_are_those_of_match_id(void **state)
{
    (void)state;
    static const uint8_t key[16] = "a key of 16 byte";
    struct registry_id id, next;
    registry_new_id(key, KIN_STR("people"), KIN_STR("crm"), KIN_STR("1"), 0, &id);
    registry_new_id(key, KIN_STR("people"), KIN_STR("crm"), KIN_STR("1"), 1, &next);
    assert_memory_not_equal(&id, &next, sizeof id);
    char digits[33], text[33] = {0};
    kin_match_id(key, KIN_STR("people"), KIN_STR("crm"), KIN_STR("1"), 1, text);
    registry_id_print(&next, digits);
    assert_string_equal(digits, text);
}

/* ---- entries ---- */

/* Reads a copy that ends where its memory does. */
static kin_status read_copy(struct kin_arena *arena, const uint8_t *p, size_t n,
                            struct registry_entry *out, uint8_t **copy)
{
    *copy = kin_alloc(n);
    assert_non_null(*copy);
    if (n)
        memcpy(*copy, p, n);
    return registry_entry_read(arena, (struct kin_str){(const char *)*copy, n}, out);
}

static void check_round_trip(const struct registry_entry *e)
{
    struct kin_buf out = {0};
    struct kin_arena arena = {0};
    struct registry_entry back;
    uint8_t *copy;
    registry_entry_write(e, &out);
    assert_false(out.failed);
    assert_int_equal(read_copy(&arena, out.p, out.n, &back, &copy), KIN_OK);
    assert_int_equal(back.state, e->state);
    assert_int_equal(back.born, e->born);
    assert_true(kin_str_eq(back.founder_source, e->founder_source));
    assert_true(kin_str_eq(back.founder_id, e->founder_id));
    assert_int_equal(back.has_survivor, e->has_survivor);
    assert_int_equal(back.has_split_from, e->has_split_from);
    if (e->has_survivor)
        assert_memory_equal(&back.survivor, &e->survivor, sizeof e->survivor);
    if (e->has_split_from)
        assert_memory_equal(&back.split_from, &e->split_from, sizeof e->split_from);
    size_t n = e->see_also_count < 64 ? e->see_also_count : 64;
    assert_int_equal(back.see_also_count, n);
    if (n)
        assert_memory_equal(back.see_also, e->see_also + e->see_also_count - n,
                            n * sizeof *e->see_also);
    kin_free(copy);
    kin_buf_deinit(&out);
    kin_arena_deinit(&arena);
}

static void test_entries_are_written_and_read(void **state)
{
    (void)state;
    struct registry_id ids[100];
    static char long_id[3000];
    memset(long_id, 'i', sizeof long_id);
    for (int i = 0; i < 100; i++)
        ids[i] = id_of((char)i);
    struct registry_entry e = {.state = REGISTRY_LIVE};
    check_round_trip(&e);
    e = (struct registry_entry){.state = REGISTRY_ALIAS,
                                .born = UINT64_MAX,
                                .founder_source = KIN_STR("crm"),
                                .founder_id = {long_id, sizeof long_id},
                                .has_survivor = true,
                                .has_split_from = true,
                                .survivor = id_of('s'),
                                .split_from = id_of('f'),
                                .see_also = ids,
                                .see_also_count = 3};
    check_round_trip(&e);
    e.has_split_from = false;
    check_round_trip(&e);
    e.state = REGISTRY_GONE;
    e.has_survivor = false;
    e.has_split_from = true;
    check_round_trip(&e);
}

static void test_the_latest_64_of_see_also_are_kept(void **state)
{
    (void)state;
    struct registry_id ids[100];
    for (int i = 0; i < 100; i++)
        ids[i] = id_of((char)i);
    for (size_t n = 62; n <= 100; n++) {
        struct registry_entry e = {
            .state = REGISTRY_GONE, .born = n, .see_also = ids, .see_also_count = n};
        check_round_trip(&e);
    }
}

static uint64_t next_random(uint64_t *x)
{
    *x += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *x;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool lies_in(struct kin_str part, const uint8_t *p, size_t n)
{
    const uint8_t *q = (const uint8_t *)part.p;
    return !part.n || (q >= p && q + part.n <= p + n);
}

/* Whatever the bytes: an error, or an entry that lies in them. The sanitizer sees further reads. */
static void test_damaged_entries_are_refused_or_harmless(void **state)
{
    (void)state;
    struct registry_id ids[5] = {id_of('a'), id_of('b'), id_of('c'), id_of('d'), id_of('e')};
    struct registry_entry e = {.state = REGISTRY_ALIAS,
                               .born = 300,
                               .founder_source = KIN_STR("crm"),
                               .founder_id = KIN_STR("customer-0001"),
                               .has_survivor = true,
                               .has_split_from = true,
                               .survivor = id_of('s'),
                               .split_from = id_of('f'),
                               .see_also = ids,
                               .see_also_count = 5};
    struct kin_buf good = {0};
    struct kin_arena arena = {0};
    struct registry_entry back;
    uint8_t *copy;
    registry_entry_write(&e, &good);
    for (size_t n = 0; n < good.n; n++) {
        assert_int_equal(read_copy(&arena, good.p, n, &back, &copy), KIN_E_CORRUPT);
        kin_free(copy);
    }
    kin_buf_putc(&good, '\0'); /* one byte too many */
    assert_int_equal(read_copy(&arena, good.p, good.n, &back, &copy), KIN_E_CORRUPT);
    kin_free(copy);
    good.n--;
    uint64_t random = 1;
    uint8_t bytes[256];
    size_t fine = 0;
    assert_true(good.n <= sizeof bytes);
    for (int round = 0; round < 50000; round++) {
        size_t n = good.n - (round % 4 == 0 ? next_random(&random) % good.n : 0);
        memcpy(bytes, good.p, good.n);
        for (uint64_t flips = 1 + next_random(&random) % 4; flips; flips--)
            bytes[next_random(&random) % (round % 2 ? 12 : n)] ^=
                (uint8_t)(1 + next_random(&random) % 255);
        kin_status status = read_copy(&arena, bytes, n, &back, &copy);
        assert_true(status == KIN_OK || status == KIN_E_CORRUPT);
        if (!status) {
            fine++;
            assert_in_range(back.state, REGISTRY_LIVE, REGISTRY_GONE);
            assert_int_equal(back.has_survivor, back.state == REGISTRY_ALIAS);
            assert_true(lies_in(back.founder_source, copy, n));
            assert_true(lies_in(back.founder_id, copy, n));
            assert_true(back.see_also_count <= REGISTRY_SEE_ALSO_MAX);
        }
        kin_free(copy);
        kin_arena_clear(&arena);
    }
    assert_in_range(fine, 1000, 49000);
    kin_buf_deinit(&good);
    kin_arena_deinit(&arena);
}

static void check_refused(const struct kin_buf *entry)
{
    struct kin_arena arena = {0};
    struct registry_entry back;
    uint8_t *copy;
    assert_int_equal(read_copy(&arena, entry->p, entry->n, &back, &copy), KIN_E_CORRUPT);
    kin_free(copy);
    kin_arena_deinit(&arena);
}

/* Of another version, of a state that is none, with flags that nobody knows or that do not go with
 * the state, with a longer list than is ever written. */
static void test_entries_that_are_never_written_are_refused(void **state)
{
    (void)state;
    struct registry_entry e = {.state = REGISTRY_LIVE};
    struct kin_buf out = {0};
    registry_entry_write(&e, &out);
    assert_int_equal(out.n, 7);
    for (unsigned at = 0; at < 3; at++) {
        uint8_t good = out.p[at];
        for (unsigned byte = 0; byte < 256; byte++) {
            out.p[at] = (uint8_t)byte;
            if (byte != good && !(at == 1 && byte == REGISTRY_GONE))
                check_refused(&out);
        }
        out.p[at] = good;
    }
    out.p[6] = REGISTRY_SEE_ALSO_MAX + 1;
    for (size_t i = 0; i < (REGISTRY_SEE_ALSO_MAX + 1) * sizeof(struct registry_id); i++)
        kin_buf_putc(&out, 'x');
    check_refused(&out);
    out.p[6]--; /* one less is fine */
    out.n -= sizeof(struct registry_id);
    struct kin_arena arena = {0};
    assert_int_equal(registry_entry_read(&arena, (struct kin_str){(const char *)out.p, out.n}, &e),
                     KIN_OK);
    assert_int_equal(e.see_also_count, REGISTRY_SEE_ALSO_MAX);
    kin_arena_deinit(&arena);
    kin_buf_deinit(&out);
}

static void test_entries_without_memory(void **state)
{
    (void)state;
    struct registry_id ids[2] = {id_of('a'), id_of('b')};
    struct registry_entry e = {.state = REGISTRY_LIVE, .see_also = ids, .see_also_count = 2}, back;
    struct kin_buf out = {0};
    struct kin_arena arena = {0};
    kin_alloc_fail_after(0);
    registry_entry_write(&e, &out);
    kin_alloc_fail_after(SIZE_MAX);
    assert_true(out.failed);
    kin_buf_deinit(&out);
    out = (struct kin_buf){0};
    registry_entry_write(&e, &out);
    kin_alloc_fail_after(0);
    kin_status status =
        registry_entry_read(&arena, (struct kin_str){(const char *)out.p, out.n}, &back);
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(status, KIN_E_NOMEM);
    kin_buf_deinit(&out);
    kin_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_printed_and_read),
        cmocka_unit_test(test_what_is_no_id_is_not_read),
        cmocka_unit_test(test_new_ids_are_those_of_match_id),
        cmocka_unit_test(test_entries_are_written_and_read),
        cmocka_unit_test(test_the_latest_64_of_see_also_are_kept),
        cmocka_unit_test(test_damaged_entries_are_refused_or_harmless),
        cmocka_unit_test(test_entries_that_are_never_written_are_refused),
        cmocka_unit_test(test_entries_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
