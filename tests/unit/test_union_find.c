/* Disjoint sets: labels are smallest members, whatever the order of unions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/group/union_find.h"

enum { COUNT = 200 };

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*state >> 33) * n) >> 31);
}

static void everything_starts_alone(void **state)
{
    (void)state;
    struct kin_union_find u;
    assert_int_equal(kin_union_find_init(&u, COUNT), KIN_OK);
    assert_int_equal(u.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(kin_union_find_root(&u, i), i);
    kin_union_find_deinit(&u);
    assert_null(u.parent);
    assert_int_equal(u.count, 0);
}

static void join_says_whether_it_joined(void **state)
{
    (void)state;
    struct kin_union_find u;
    assert_int_equal(kin_union_find_init(&u, 5), KIN_OK);
    assert_false(kin_union_find_join(&u, 2, 2));
    assert_true(kin_union_find_join(&u, 4, 2));
    assert_false(kin_union_find_join(&u, 2, 4));
    assert_true(kin_union_find_join(&u, 3, 1));
    assert_true(kin_union_find_join(&u, 4, 3));
    assert_false(kin_union_find_join(&u, 1, 2));
    for (uint32_t i = 1; i < 5; i++)
        assert_int_equal(kin_union_find_root(&u, i), 1);
    assert_int_equal(kin_union_find_root(&u, 0), 0);
    kin_union_find_deinit(&u);
}

/* The definition: relabel everything at each union. */
static bool plain_join(uint32_t *label, uint32_t a, uint32_t b)
{
    uint32_t from = label[a] > label[b] ? label[a] : label[b];
    uint32_t to = label[a] > label[b] ? label[b] : label[a];
    for (uint32_t i = 0; i < COUNT; i++) {
        if (label[i] == from)
            label[i] = to;
    }
    return from != to;
}

static void random_unions_agree_with_relabelling(void **state)
{
    (void)state;
    uint64_t rng = 5;
    for (unsigned round = 0; round < 50; round++) {
        struct kin_union_find u;
        uint32_t label[COUNT];
        assert_int_equal(kin_union_find_init(&u, COUNT), KIN_OK);
        for (uint32_t i = 0; i < COUNT; i++)
            label[i] = i;
        for (uint32_t i = draw(&rng, 2 * COUNT); i > 0; i--) {
            uint32_t a = draw(&rng, COUNT), b = draw(&rng, COUNT);
            assert_int_equal(kin_union_find_join(&u, a, b), plain_join(label, a, b));
            uint32_t any = draw(&rng, COUNT);
            assert_int_equal(kin_union_find_root(&u, any), label[any]);
        }
        for (uint32_t i = 0; i < COUNT; i++)
            assert_int_equal(kin_union_find_root(&u, i), label[i]);
        kin_union_find_deinit(&u);
    }
}

/* The worst order for the chain of parents; must not take quadratic time. */
static void a_long_chain_is_walked_quickly(void **state)
{
    (void)state;
    enum { LONG = 1000000 };
    struct kin_union_find u;
    assert_int_equal(kin_union_find_init(&u, LONG), KIN_OK);
    for (uint32_t i = LONG - 1; i > 0; i--)
        assert_true(kin_union_find_join(&u, i, i - 1));
    for (uint32_t i = 0; i < LONG; i++)
        assert_int_equal(kin_union_find_root(&u, LONG - 1 - i), 0);
    kin_union_find_deinit(&u);
}

static void no_members_is_fine(void **state)
{
    (void)state;
    struct kin_union_find u;
    assert_int_equal(kin_union_find_init(&u, 0), KIN_OK);
    kin_union_find_deinit(&u);
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    struct kin_union_find u;
    kin_alloc_fail_after(0);
    kin_status status = kin_union_find_init(&u, 10);
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(status, KIN_E_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_starts_alone),
        cmocka_unit_test(join_says_whether_it_joined),
        cmocka_unit_test(random_unions_agree_with_relabelling),
        cmocka_unit_test(a_long_chain_is_walked_quickly),
        cmocka_unit_test(no_members_is_fine),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
