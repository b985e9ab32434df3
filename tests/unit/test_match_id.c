#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/coordinator.h"
#include "coordinator/match_id.h"

struct id {
    char digits[KIN_MATCH_ID_DIGITS + 1];
};

static struct id make(const char *workflow, const char *source, const char *id, uint32_t generation)
{
    struct id out = {{0}};
    kin_match_id(KIN_MATCH_ID_KEY, kin_str_of(workflow), kin_str_of(source), kin_str_of(id),
                 generation, out.digits);
    return out;
}

/* Published values, computed by an independent SipHash-2-4-128: an id outlives every version. */
static void test_golden_values(void **state)
{
    (void)state;
    assert_string_equal(make("people", "crm", "1", 0).digits, "dd3230d21766640c7b67993572b8ee3b");
    assert_string_equal(make("people", "crm", "1", 1).digits, "11acf2aea5aec71f382f239833918401");
    assert_string_equal(make("people", "web", "1", 0).digits, "c0e174dbef6b78bb81321ebbd539ea48");
    assert_string_equal(make("", "s", "\xc3\xa9", 0).digits, "7234847c2a9cc656c5a645f2a1052642");
}

static void test_every_part_counts_and_parts_do_not_run_together(void **state)
{
    (void)state;
    struct id ids[] = {make("w", "s", "id", 0),  make("w", "s", "id", 1), make("w", "s", "ie", 0),
                       make("w", "t", "id", 0),  make("x", "s", "id", 0), make("ws", "", "id", 0),
                       make("w", "si", "d", 0),  make("", "ws", "id", 0), make("w", "", "sid", 0),
                       make("w", "s", "id", 256)};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(ids[i].digits, ids[k].digits);
    }
    uint8_t key[16] = "another key here";
    struct id other = {{0}};
    kin_match_id(key, KIN_STR("w"), KIN_STR("s"), KIN_STR("id"), 0, other.digits);
    assert_string_not_equal(other.digits, ids[0].digits);
}

/* No state: whatever was asked before, the answer is the same. */
static void test_ids_do_not_depend_on_the_order_of_asking(void **state)
{
    (void)state;
    struct id forward[100];
    char name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%d", i);
        forward[i] = make("w", "s", name, 0);
    }
    for (int i = 100; i-- > 0;) {
        snprintf(name, sizeof name, "%d", i);
        assert_string_equal(make("w", "s", name, 0).digits, forward[i].digits);
    }
}

static void test_names_count_by_their_first_255_bytes(void **state)
{
    (void)state;
    char a[301], b[301];
    memset(a, 'x', 300);
    memcpy(b, a, 300);
    a[300] = b[300] = '\0';
    b[255] = 'y';
    assert_string_equal(make("w", a, "1", 0).digits, make("w", b, "1", 0).digits);
    b[254] = 'y';
    assert_string_not_equal(make("w", a, "1", 0).digits, make("w", b, "1", 0).digits);
}

/* The same id in bytes; printed as the standard library prints bytes. */
static void test_bytes_and_digits_are_one_id(void **state)
{
    (void)state;
    for (uint32_t generation = 0; generation < 1000; generation++) {
        uint8_t bytes[KIN_MATCH_ID_BYTES];
        char digits[KIN_MATCH_ID_DIGITS + 1], printed[KIN_MATCH_ID_DIGITS];
        kin_match_id_bytes(KIN_MATCH_ID_KEY, KIN_STR("people"), KIN_STR("crm"), KIN_STR("1"),
                           generation, bytes);
        for (size_t i = 0; i < sizeof bytes; i++)
            snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
        assert_string_equal(make("people", "crm", "1", generation).digits, digits);
        kin_match_id_print(bytes, printed);
        assert_memory_equal(printed, digits, sizeof printed);
    }
}

static int by_digits(const void *a, const void *b)
{
    return memcmp(a, b, KIN_MATCH_ID_DIGITS);
}

static void test_a_million_ids_differ(void **state)
{
    (void)state;
    enum { N = 1000 * 1000 };
    char(*all)[KIN_MATCH_ID_DIGITS] = kin_reallocarray(NULL, N, sizeof *all);
    assert_non_null(all);
    for (unsigned i = 0; i < N; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "%u", i / 2);
        kin_match_id(KIN_MATCH_ID_KEY, KIN_STR("w"), i % 2 ? KIN_STR("a") : KIN_STR("b"),
                     (struct kin_str){name, (size_t)n}, 0, all[i]);
    }
    qsort(all, N, sizeof *all, by_digits);
    unsigned same = 0;
    for (unsigned i = 1; i < N; i++)
        same += memcmp(all[i - 1], all[i], sizeof *all) == 0;
    assert_int_equal(same, 0);
    kin_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_values),
        cmocka_unit_test(test_every_part_counts_and_parts_do_not_run_together),
        cmocka_unit_test(test_ids_do_not_depend_on_the_order_of_asking),
        cmocka_unit_test(test_names_count_by_their_first_255_bytes),
        cmocka_unit_test(test_bytes_and_digits_are_one_id),
        cmocka_unit_test(test_a_million_ids_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
