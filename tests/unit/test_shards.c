#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/shards.h"

static void test_edges_of_the_hash_space_have_a_shard(void **state)
{
    (void)state;
    static const uint32_t shards[] = {1, 2, 3, KIN_SHARDS, 1000, UINT16_MAX};
    const uint64_t top = ((uint64_t)1 << 56) - 1;
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++) {
        uint32_t n = shards[i];
        assert_int_equal(kin_shard_of_key(0, n), 0);
        assert_int_equal(kin_shard_of_key(top, n), n - 1);
        assert_int_equal(kin_shard_of_identity(0, n), 0);
        assert_int_equal(kin_shard_of_identity(UINT64_MAX, n), n - 1);
    }
}

/* The number of the key rule and the refined bit are no part of the hash. */
static void test_shard_of_a_key_ignores_its_rule(void **state)
{
    (void)state;
    uint64_t hash = 0x00123456789abcde;
    for (uint64_t rule = 0; rule < 256; rule++)
        assert_int_equal(kin_shard_of_key(rule << 56 | hash, KIN_SHARDS),
                         kin_shard_of_key(hash, KIN_SHARDS));
}

static void test_shards_are_slices_in_order(void **state)
{
    (void)state;
    uint32_t last = 0;
    for (uint64_t i = 0; i < 4096; i++) {
        uint32_t shard = kin_shard_of_key(i << 44, KIN_SHARDS);
        assert_true(shard == last || shard == last + 1);
        last = shard;
    }
    assert_int_equal(last, KIN_SHARDS - 1);
}

/* 200,000 records and keys over up to 64 workers: each within 10 % of its part, or of 16 times the
 * deviation that chance gives; shards of 256 that do not divide evenly add one shard's worth. */
static void test_owners_are_in_range_and_balanced(void **state)
{
    (void)state;
    enum { N = 200 * 1000 };
    static const uint32_t workers[] = {1, 2, 3, 5, 7, 16, KIN_WORKERS_MAX};
    for (size_t w = 0; w < sizeof workers / sizeof *workers; w++) {
        uint32_t keys[KIN_WORKERS_MAX] = {0}, homes[KIN_WORKERS_MAX] = {0};
        for (uint32_t i = 0; i < N; i++) {
            char id[16];
            int n = snprintf(id, sizeof id, "%u", i);
            uint64_t identity = kin_identity_hash(KIN_STR("crm"), (struct kin_str){id, (size_t)n});
            uint32_t home =
                kin_shard_owner(kin_shard_of_identity(identity, KIN_SHARDS), workers[w]);
            uint32_t owner = kin_shard_owner(
                kin_shard_of_key(kin_hash64(id, (size_t)n, 9), KIN_SHARDS), workers[w]);
            assert_true(home < workers[w] && owner < workers[w]);
            homes[home]++;
            keys[owner]++;
        }
        uint32_t fewest = KIN_SHARDS / workers[w],
                 most = (KIN_SHARDS + workers[w] - 1) / workers[w];
        for (uint32_t i = 0; i < workers[w]; i++) {
            double low = 0.9 * N * fewest / KIN_SHARDS, high = 1.1 * N * most / KIN_SHARDS;
            assert_true(homes[i] > low && homes[i] < high);
            assert_true(keys[i] > low && keys[i] < high);
        }
    }
}

static void test_identity_hash_is_fixed_and_parts_do_not_run_together(void **state)
{
    (void)state;
    uint64_t a = kin_identity_hash(KIN_STR("ab"), KIN_STR("c"));
    uint64_t b = kin_identity_hash(KIN_STR("a"), KIN_STR("bc"));
    assert_int_not_equal(a, b);
    /* part of the store format: coordinator and workers of different builds must agree */
    assert_int_equal(a, UINT64_C(0x164c43d7c80270a0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges_of_the_hash_space_have_a_shard),
        cmocka_unit_test(test_shard_of_a_key_ignores_its_rule),
        cmocka_unit_test(test_shards_are_slices_in_order),
        cmocka_unit_test(test_owners_are_in_range_and_balanced),
        cmocka_unit_test(test_identity_hash_is_fixed_and_parts_do_not_run_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
