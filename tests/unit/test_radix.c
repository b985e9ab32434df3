#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/radix.h"

/* The radix sort against a plain one that is stable because it compares places last. */

enum { ITEMS_MAX = 5000 };

static uint64_t next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t x = *state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int by_key_then_place(const void *a, const void *b)
{
    const struct kin_keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* Sorts n keys that are drawn and masked; value is the place, so that order of equals shows. */
static void check(size_t n, uint64_t mask, uint64_t seed)
{
    static struct kin_keyed items[ITEMS_MAX], tmp[ITEMS_MAX + 1], expected[ITEMS_MAX];
    const struct kin_keyed guard = {.key = 0xfeedfacecafebeef, .value = 77, .extra = 99};
    for (size_t i = 0; i < n; i++)
        items[i] = (struct kin_keyed){
            .key = next(&seed) & mask, .value = (uint32_t)i, .extra = (uint32_t)(i * 31)};
    memcpy(expected, items, n * sizeof *items);
    qsort(expected, n, sizeof *expected, by_key_then_place);
    tmp[n] = guard;
    kin_radix_sort(items, tmp, n);
    assert_memory_equal(items, expected, n * sizeof *items);
    assert_memory_equal(&tmp[n], &guard, sizeof guard);
}

static void test_sorts_like_a_plain_stable_sort(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 31, 32, 33, 34, 100, 257, 1000, ITEMS_MAX};
    static const uint64_t masks[] = {UINT64_MAX,
                                     0,
                                     1,
                                     0x7ff,
                                     0x800,
                                     (uint64_t)0x7ff << 11,
                                     (uint64_t)1 << 63,
                                     (uint64_t)0x1ff << 55,
                                     0xff000000000000ff,
                                     UINT32_MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t m = 0; m < sizeof masks / sizeof *masks; m++)
            check(sizes[s], masks[m], s * 100 + m);
    }
}

static void test_sorts_runs_that_are_in_order_or_reversed(void **state)
{
    (void)state;
    static struct kin_keyed items[1000], tmp[1000];
    for (int reversed = 0; reversed < 2; reversed++) {
        for (uint32_t i = 0; i < 1000; i++)
            items[i] = (struct kin_keyed){.key = reversed ? UINT64_MAX - i : i, .value = i};
        kin_radix_sort(items, tmp, 1000);
        for (uint32_t i = 0; i < 1000; i++)
            assert_int_equal(items[i].value, reversed ? 999 - i : i);
    }
}

/* The first bits say nearly nothing: what comes after a sort by them is to be given up. */
static void test_sorts_keys_that_differ_where_few_look(void **state)
{
    (void)state;
    static struct kin_keyed items[ITEMS_MAX], tmp[ITEMS_MAX], expected[ITEMS_MAX];
    uint64_t seed = 7;
    for (int shape = 0; shape < 3; shape++) {
        for (uint32_t i = 0; i < ITEMS_MAX; i++) {
            uint64_t x = next(&seed);
            uint64_t key = shape == 0   ? x & 0xff
                           : shape == 1 ? x & 0xffff
                                        : (x & 3) << 61 | (x & 0xfff);
            items[i] = (struct kin_keyed){.key = key, .value = i};
        }
        items[ITEMS_MAX / 2].key = UINT64_MAX;
        memcpy(expected, items, sizeof items);
        qsort(expected, ITEMS_MAX, sizeof *expected, by_key_then_place);
        kin_radix_sort(items, tmp, ITEMS_MAX);
        assert_memory_equal(items, expected, sizeof items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorts_like_a_plain_stable_sort),
        cmocka_unit_test(test_sorts_keys_that_differ_where_few_look),
        cmocka_unit_test(test_sorts_runs_that_are_in_order_or_reversed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
