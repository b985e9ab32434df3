#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/edges.h"

static void put(struct kin_buf *b, uint32_t x, uint32_t y, uint32_t rule)
{
    struct kin_keyed e = {.key = (uint64_t)x << 32 | y, .value = rule};
    kin_buf_put(b, &e, sizeof e);
    assert_false(b->failed);
}

static size_t count(const struct kin_buf *b)
{
    return b->n / sizeof(struct kin_keyed);
}

static struct kin_keyed at(const struct kin_buf *b, size_t i)
{
    struct kin_keyed e;
    memcpy(&e, b->p + i * sizeof e, sizeof e);
    return e;
}

static void test_no_edges_are_fine(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    assert_int_equal(kin_edges_order(&b), KIN_OK);
    assert_int_equal(b.n, 0);
    kin_buf_deinit(&b);
}

static void test_first_rule_stands_and_of_one_rule_the_scored_edge(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    put(&b, 4, 9, 3);
    put(&b, 1, 2, 5 | KIN_EDGE_STAR);
    put(&b, 4, 9, 2 | KIN_EDGE_STAR); /* an earlier rule, if by a star */
    put(&b, 1, 2, 5);                 /* the same rule, scored */
    put(&b, 0, 7, 1);
    put(&b, 0, 7, 1 | KIN_EDGE_STAR);
    put(&b, 1, 3, 0);
    assert_int_equal(kin_edges_order(&b), KIN_OK);
    assert_int_equal(count(&b), 4);
    assert_int_equal(at(&b, 0).key, 7);
    assert_int_equal(at(&b, 0).value, 1);
    assert_int_equal(at(&b, 1).key, ((uint64_t)1 << 32) + 2);
    assert_int_equal(at(&b, 1).value, 5);
    assert_int_equal(at(&b, 2).key, ((uint64_t)1 << 32) + 3);
    assert_int_equal(at(&b, 3).key, ((uint64_t)4 << 32) + 9);
    assert_int_equal(at(&b, 3).value, 2 | KIN_EDGE_STAR);
    kin_buf_deinit(&b);
}

/* By definition: of every pair the smallest (rule, star). */
static uint32_t best_of(const struct kin_buf *all, uint64_t key)
{
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < count(all); i++) {
        struct kin_keyed e = at(all, i);
        uint64_t rank = (uint64_t)(e.value & 0xffff) << 1 | (e.value >> 16);
        if (e.key == key && rank < best)
            best = rank;
    }
    return (uint32_t)(best >> 1) | (best & 1 ? KIN_EDGE_STAR : 0);
}

static void test_result_knows_no_order_of_arrival(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (unsigned round = 0; round < 50; round++) {
        struct kin_buf all = {0}, once = {0}, other = {0};
        size_t n = 10 + round * 5;
        for (size_t i = 0; i < n; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t a = (uint32_t)(random >> 40) % 8, b = a + 1 + (uint32_t)(random >> 50) % 8;
            put(&all, a, b, (uint32_t)(random >> 60) % 4 | (random >> 59 & 1 ? KIN_EDGE_STAR : 0));
        }
        kin_buf_put(&once, all.p, all.n);
        for (size_t i = n; i-- > 0;)
            kin_buf_put(&other, all.p + i * sizeof(struct kin_keyed), sizeof(struct kin_keyed));
        assert_int_equal(kin_edges_order(&once), KIN_OK);
        assert_int_equal(kin_edges_order(&other), KIN_OK);
        assert_int_equal(once.n, other.n);
        assert_memory_equal(once.p, other.p, once.n);
        for (size_t i = 0; i < count(&once); i++) {
            assert_true(i == 0 || at(&once, i - 1).key < at(&once, i).key);
            assert_int_equal(at(&once, i).value, best_of(&all, at(&once, i).key));
        }
        for (size_t i = 0; i < n; i++) { /* none is lost */
            size_t k = 0;
            while (k < count(&once) && at(&once, k).key != at(&all, i).key)
                k++;
            assert_true(k < count(&once));
        }
        kin_buf_deinit(&all);
        kin_buf_deinit(&once);
        kin_buf_deinit(&other);
    }
}

static void test_lists_in_order_merge_to_what_all_of_them_would_be(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (unsigned lists = 0; lists < 10; lists++) {
        struct kin_buf part[10] = {{0}}, all = {0}, merged = {0};
        for (unsigned l = 0; l < lists; l++) {
            size_t n = l % 3 == 1 ? 0 : 5 + 7 * l; /* empty ones, too */
            for (size_t i = 0; i < n; i++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                uint32_t a = (uint32_t)(random >> 40) % 12,
                         rule =
                             (uint32_t)(random >> 60) % 4 | (random >> 59 & 1 ? KIN_EDGE_STAR : 0);
                put(&part[l], a, a + 1 + (uint32_t)(random >> 50) % 4, rule);
            }
            kin_buf_put(&all, part[l].p, part[l].n);
            assert_int_equal(kin_edges_order(&part[l]), KIN_OK);
        }
        assert_int_equal(kin_edges_order(&all), KIN_OK);
        assert_int_equal(kin_edges_merge(part, lists, &merged), KIN_OK);
        assert_int_equal(merged.n, all.n);
        if (all.n)
            assert_memory_equal(merged.p, all.p, all.n);
        for (unsigned l = 0; l < lists; l++)
            assert_null(part[l].p);
        kin_buf_deinit(&all);
        kin_buf_deinit(&merged);
    }
}

static void test_merging_without_memory_is_told(void **state)
{
    (void)state;
    struct kin_buf lists[2] = {{0}}, merged = {0};
    put(&lists[0], 3, 4, 1);
    put(&lists[1], 1, 2, 1);
    kin_alloc_fail_after(0);
    kin_status status = kin_edges_merge(lists, 2, &merged);
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(status, KIN_E_NOMEM);
    kin_buf_deinit(&lists[0]);
    kin_buf_deinit(&lists[1]);
    kin_buf_deinit(&merged);
}

static void test_out_of_memory_is_told_and_edges_stay(void **state)
{
    (void)state;
    struct kin_buf b = {0};
    put(&b, 3, 4, 1);
    put(&b, 1, 2, 1);
    kin_alloc_fail_after(0);
    kin_status status = kin_edges_order(&b);
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(status, KIN_E_NOMEM);
    assert_int_equal(count(&b), 2);
    kin_buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_edges_are_fine),
        cmocka_unit_test(test_first_rule_stands_and_of_one_rule_the_scored_edge),
        cmocka_unit_test(test_result_knows_no_order_of_arrival),
        cmocka_unit_test(test_lists_in_order_merge_to_what_all_of_them_would_be),
        cmocka_unit_test(test_merging_without_memory_is_told),
        cmocka_unit_test(test_out_of_memory_is_told_and_edges_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
