/* `connected` gives the groups of kin_veto_cluster: the two say the same of rules, stars and
 * vetoes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/group/linkage.h"
#include "common/group/veto.h"
#include "common/record/features.h"

#include <stdio.h>
#include <string.h>

enum { ITEMS = 30, EDGES = 60, STARS = 6, RULES = 4, ROUNDS = 3000 };

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*state >> 33) * n) >> 31);
}

struct both {
    uint32_t count;
    uint16_t source[ITEMS];
    struct kin_buf features;
    const uint8_t *members[ITEMS];
    size_t edge_count, star_count;
    struct kin_veto_edge veto_edges[EDGES];
    struct kin_linkage_edge edges[EDGES];
    struct kin_veto_star veto_stars[STARS];
    struct kin_linkage_star stars[STARS];
    uint32_t star_members[STARS][ITEMS];
    const struct kin_rule *never;
    struct kin_kernel_scratch *scratch;
};

static bool forbidden(void *arg, uint32_t a, uint32_t b)
{
    const struct both *k = arg;
    return kin_condition_eval(k->never->condition, k->members[a], k->members[b], k->scratch) ==
           KIN_TRUE;
}

static void random_records(struct both *k, uint64_t *rng)
{
    size_t at[ITEMS];
    uint32_t source = 0, values = 1 + draw(rng, 5);
    k->count = 1 + draw(rng, ITEMS);
    kin_buf_clear(&k->features);
    for (uint32_t i = 0; i < k->count; i++) {
        struct kin_features_builder f;
        char text[16];
        source += draw(rng, 6) == 0;
        k->source[i] = (uint16_t)source;
        at[i] = k->features.n;
        int n = snprintf(text, sizeof text, "%06u", i);
        kin_features_begin(&f, &k->features, 1, i, k->source[i], (struct kin_str){text, (size_t)n});
        if (draw(rng, 3)) {
            n = snprintf(text, sizeof text, "v%u", draw(rng, values));
            kin_features_field(&f, 0);
            kin_features_value(&f, text, (size_t)n, true);
        }
        assert_int_equal(kin_features_end(&f, NULL, 0), KIN_OK);
    }
    for (uint32_t i = 0; i < k->count; i++)
        k->members[i] = k->features.p + at[i];
}

static void random_links(struct both *k, uint64_t *rng)
{
    k->edge_count = k->star_count = 0;
    if (k->count < 2)
        return;
    k->edge_count = draw(rng, EDGES);
    for (size_t i = 0; i < k->edge_count; i++) {
        uint32_t a = draw(rng, k->count), b = draw(rng, k->count - 1);
        b += b >= a;
        uint16_t rule = (uint16_t)draw(rng, RULES);
        k->veto_edges[i] = (struct kin_veto_edge){a, b, rule};
        k->edges[i] = (struct kin_linkage_edge){a, b, KIN_LINKAGE_CERTAIN, rule};
    }
    for (size_t s = draw(rng, STARS); s > 0; s--) {
        uint32_t n = 0, *m = k->star_members[k->star_count];
        for (uint32_t i = k->count; i-- > 0;) {
            if (draw(rng, 3) == 0)
                m[n++] = i;
        }
        if (n < 2)
            continue;
        uint16_t rule = (uint16_t)draw(rng, RULES);
        k->veto_stars[k->star_count] = (struct kin_veto_star){m, n, rule};
        k->stars[k->star_count++] = (struct kin_linkage_star){m, n, rule};
    }
}

static void vetoes_give_the_same_groups(void **state)
{
    (void)state;
    static const struct kin_field field = {.name = "tax", .type = KIN_TYPE_ID};
    static const struct kin_schema schema = {&field, 1};
    static const int32_t threshold = 0;
    struct kin_arena rules = {0};
    struct kin_rule never = {.name = "two", .when = "Differs(tax)"};
    struct kin_err err = {0};
    unsigned column = 0;
    assert_int_equal(kin_condition_parse(&rules, &schema, KIN_STR("Differs(tax)"), &never.condition,
                                         &column, &err),
                     KIN_OK);
    static struct both k;
    k.never = &never;
    k.scratch = kin_kernel_scratch_new();
    assert_non_null(k.scratch);
    uint64_t rng = 7, refused = 0, joined = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct kin_arena arena = {0};
        struct kin_veto_result veto;
        struct kin_linkage_result linkage;
        random_records(&k, &rng);
        random_links(&k, &rng);
        struct kin_linkage_options o = {
            .across_sources = draw(&rng, 2) == 0, .thresholds = &threshold, .threshold_count = 1};
        struct kin_linkage_component c = {.count = k.count,
                                          .source = k.source,
                                          .edges = k.edges,
                                          .edge_count = k.edge_count,
                                          .stars = k.stars,
                                          .star_count = k.star_count,
                                          .forbidden = forbidden,
                                          .forbidden_arg = &k};
        struct kin_veto_component v = {k.members,    k.count,      k.veto_edges,    k.edge_count,
                                       k.veto_stars, k.star_count, o.across_sources};
        assert_int_equal(kin_veto_cluster(&arena, &v, &never, 1, k.scratch, &veto), KIN_OK);
        assert_int_equal(kin_linkage_cluster(&arena, &c, &o, &linkage), KIN_OK);
        for (uint32_t i = 0; i < k.count; i++) {
            if (veto.group[i] != linkage.group[i])
                fail_msg("round %u: item %u in group %u, and in %u", round, i, veto.group[i],
                         linkage.group[i]);
        }
        refused += veto.refused;
        joined += linkage.merge_count;
        kin_arena_deinit(&arena);
    }
    assert_true(refused > ROUNDS && joined > ROUNDS);
    kin_kernel_scratch_free(k.scratch);
    kin_buf_deinit(&k.features);
    kin_arena_deinit(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vetoes_give_the_same_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
