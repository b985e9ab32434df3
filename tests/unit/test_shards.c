#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/shards.h"

static void test_edges_of_the_hash_space_have_a_shard(void **state)
{
    (void)state;
    assert_int_equal(kin_shard_of_key(0), 0);
    assert_int_equal(kin_shard_of_key(((uint64_t)1 << 56) - 1), KIN_SHARDS - 1);
    assert_int_equal(kin_shard_of_identity(0), 0);
    assert_int_equal(kin_shard_of_identity(UINT64_MAX), KIN_SHARDS - 1);
}

/* The number of the key rule and the refined bit are no part of the hash. */
static void test_shard_of_a_key_ignores_its_rule(void **state)
{
    (void)state;
    uint64_t hash = 0x00123456789abcde;
    for (uint64_t rule = 0; rule < 256; rule++)
        assert_int_equal(kin_shard_of_key(rule << 56 | hash), kin_shard_of_key(hash));
}

static void test_shards_are_slices_in_order(void **state)
{
    (void)state;
    uint32_t last = 0;
    for (uint64_t i = 0; i < 4096; i++) {
        uint32_t shard = kin_shard_of_key(i << 44);
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
        struct kin_shard_map map;
        kin_shard_map_deal(&map, (const uint32_t[KIN_WORKERS_MAX]){0}, workers[w]);
        for (uint32_t i = 0; i < N; i++) {
            char id[16];
            int n = snprintf(id, sizeof id, "%u", i);
            uint32_t home =
                kin_home_worker(&map, kin_hash64("crm", 3, 0), (struct kin_str){id, (size_t)n});
            uint32_t owner = kin_key_worker(&map, kin_hash64(id, (size_t)n, 9));
            assert_true(home < workers[w] && owner < workers[w]);
            homes[home]++;
            keys[owner]++;
        }
        const double each = (double)N / (double)KIN_SHARDS;
        uint32_t fewest = KIN_SHARDS / workers[w],
                 most = (KIN_SHARDS + workers[w] - 1) / workers[w];
        for (uint32_t i = 0; i < workers[w]; i++) {
            double low = 0.9 * each * fewest, high = 1.1 * each * most;
            assert_true(homes[i] > low && homes[i] < high);
            assert_true(keys[i] > low && keys[i] < high);
        }
    }
}

/* Shards by worker and, of neighbouring shards, no more to one than its part. */
static void test_shards_are_dealt_by_capacity(void **state)
{
    (void)state;
    static const uint32_t capacity[5] = {8, 1, 3, 0, 4}; /* 0 counts as 1 */
    static const uint32_t due[5] = {8, 1, 3, 1, 4};
    struct kin_shard_map map;
    kin_shard_map_deal(&map, capacity, 5);
    uint32_t got[5] = {0};
    for (uint32_t s = 0; s < KIN_SHARDS; s++) {
        got[map.owner[s]]++;
        for (uint32_t w = 0; w < 5; w++) /* in every first part of them as well */
            assert_true(got[w] * 17 <= (s + 1) * due[w] + 17 &&
                        got[w] * 17 + 17 >= (s + 1) * due[w]);
    }
    for (uint32_t workers = 1; workers <= KIN_WORKERS_MAX; workers++) {
        uint32_t huge[KIN_WORKERS_MAX];
        memset(huge, 0xff, sizeof huge);
        kin_shard_map_deal(&map, huge, workers);
        for (uint32_t s = 0; s < KIN_SHARDS; s++)
            assert_int_equal(map.owner[s], s % workers); /* part of the format: order of dealing */
    }
}

static void test_only_a_whole_map_is_read(void **state)
{
    (void)state;
    struct kin_shard_map map, got;
    kin_shard_map_deal(&map, (const uint32_t[3]){1, 2, 3}, 3);
    struct kin_str bytes = {(const char *)map.owner, sizeof map.owner};
    assert_true(kin_shard_map_read(bytes, 3, &got));
    assert_memory_equal(&map, &got, sizeof map);
    assert_false(kin_shard_map_read(bytes, 2, &got));
    assert_false(kin_shard_map_read(bytes, 0, &got));
    assert_false(kin_shard_map_read(bytes, KIN_WORKERS_MAX + 1, &got));
    bytes.n--;
    assert_false(kin_shard_map_read(bytes, 3, &got));
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
        cmocka_unit_test(test_shards_are_dealt_by_capacity),
        cmocka_unit_test(test_only_a_whole_map_is_read),
        cmocka_unit_test(test_identity_hash_is_fixed_and_parts_do_not_run_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
