/* Noisy graphs of four sources without duplicates of their own, where plain components join nearly
 * everything: linkage and clean sources, each alone and together, find the entities. The figures of
 * docs/clustering.md are of the same graphs (bench_linkage quality). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/linkage_graphs.h"

enum { BIT = KIN_LINKAGE_BIT };

static double f1(const struct graph *g, enum kin_linkage_method method, bool clean,
                 int32_t threshold)
{
    static const uint16_t sources[] = {0, 1, 2, 3};
    struct kin_linkage_options o = {.method = method,
                                    .clean = sources,
                                    .clean_count = clean ? 4 : 0,
                                    .thresholds = &threshold,
                                    .threshold_count = 1,
                                    .floor = kin_linkage_floor(threshold),
                                    .unscored = kin_linkage_floor(threshold)};
    struct kin_arena arena = {0};
    struct kin_linkage_result r;
    assert_int_equal(kin_linkage_cluster(&arena, &g->c, &o, &r), KIN_OK);
    double result = graph_evaluate(g, r.group).f1;
    kin_arena_deinit(&arena);
    return result;
}

static void entities_are_found_where_components_are_useless(void **state)
{
    (void)state;
    static const int32_t thresholds[] = {3 * BIT, 278528 /* 0.95: 4.25 bits */, 5 * BIT};
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct graph *g = graph_new(&graph_four_sources, seed);
        for (size_t t = 0; t < sizeof thresholds / sizeof *thresholds; t++) {
            int32_t threshold = thresholds[t];
            double plain = f1(g, KIN_LINKAGE_CONNECTED, false, threshold);
            double clean = f1(g, KIN_LINKAGE_CONNECTED, true, threshold);
            double linkage = f1(g, KIN_LINKAGE_AVERAGE, false, threshold);
            double both = f1(g, KIN_LINKAGE_AVERAGE, true, threshold);
            if (plain >= 0.2 || clean <= 0.95 || linkage <= 0.95 || both <= 0.95)
                fail_msg(
                    "seed %u, threshold %.2f bits: F1 connected %.3f, with clean sources %.3f, "
                    "linkage %.3f, with clean sources %.3f",
                    (unsigned)seed, threshold / (double)BIT, plain, clean, linkage, both);
        }
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entities_are_found_where_components_are_useless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
