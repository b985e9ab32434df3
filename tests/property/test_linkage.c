/* Clustering inside a component against its plain reference, on random small components with
 * everything in them; and what must hold of the result whatever the input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/oracle/linkage_reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 8000, SMALL = 13, LARGE = 40 };

static void fail_round(unsigned round, const char *what)
{
    fail_msg("round %u: %s", round, what);
}

static void compare(unsigned round, const struct linkage_random *r,
                    const struct kin_linkage_result *got, const struct linkage_reference *want)
{
    for (size_t t = 0; t < r->o.threshold_count; t++) {
        for (uint32_t i = 0; i < r->c.count; i++) {
            if (got->group[t * r->c.count + i] != want->group[t][i])
                fail_msg("round %u, threshold %zu of %zu: item %u of %u in group %u, not %u", round,
                         t, r->o.threshold_count, i, r->c.count, got->group[t * r->c.count + i],
                         want->group[t][i]);
        }
    }
    if (got->refused_links != want->refused_links)
        fail_round(round, "refused links");
    if (got->refused_merges != want->refused_merges)
        fail_round(round, "refused merges");
    if (got->flags || got->unchecked)
        fail_round(round, "a bound was met");
}

static void compare_glue(unsigned round, const struct kin_linkage_glue *got,
                         const struct linkage_reference *want)
{
    if (got->count != want->glue_count)
        fail_round(round, "size of the glue");
    for (size_t i = 0; i < got->count; i++) {
        const struct kin_linkage_link *x = &got->links[i], *y = &want->glue[i];
        if (x->group != y->group || x->a != y->a || x->b != y->b || x->weight != y->weight ||
            x->rule != y->rule || x->kind != y->kind)
            fail_msg("round %u: link %zu is %u-%u of group %u, not %u-%u of group %u", round, i,
                     x->a, x->b, x->group, y->a, y->b, y->group);
    }
}

static void random_components_agree_with_the_reference(void **state)
{
    (void)state;
    static struct linkage_random r;
    static struct linkage_reference want;
    uint64_t rng = 20250311, linkages = 0, refused = 0, glued = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct kin_arena arena = {0};
        struct kin_linkage_result got;
        struct kin_linkage_glue glue;
        linkage_random_make(&r, &rng, round % 20 ? SMALL : LARGE);
        assert_int_equal(kin_linkage_cluster(&arena, &r.c, &r.o, &got), KIN_OK);
        for (uint32_t x = 0; x < r.c.count; x++) {
            for (uint32_t y = 0; y < r.c.count; y++) {
                if (r.asked[x][y] > 1)
                    fail_round(round, "asked twice");
            }
        }
        linkage_reference_run(&r.c, &r.o, &want);
        compare(round, &r, &got, &want);
        assert_int_equal(kin_linkage_explain(&arena, &r.c, &r.o,
                                             got.group + (r.o.threshold_count - 1) * r.c.count,
                                             &glue),
                         KIN_OK);
        compare_glue(round, &glue, &want);
        linkages += r.o.method == KIN_LINKAGE_AVERAGE;
        refused += got.refused_links && got.refused_merges;
        glued += glue.count;
        kin_arena_deinit(&arena);
    }
    assert_true(linkages > ROUNDS / 3 && refused > ROUNDS / 20 && glued > ROUNDS);
}

/* ---- what the order of the input must not change ---- */

static void shuffle_pairs(struct kin_linkage_pair *list, size_t n, uint64_t *rng)
{
    for (size_t i = n; i-- > 0;) {
        size_t j = linkage_draw(rng, (uint32_t)i + 1);
        struct kin_linkage_pair x = list[i];
        list[i] = list[j];
        list[j] = linkage_draw(rng, 2) ? x : (struct kin_linkage_pair){x.b, x.a};
    }
}

static void shuffle(struct linkage_random *r, uint64_t *rng)
{
    for (size_t i = r->c.edge_count; i-- > 0;) {
        size_t j = linkage_draw(rng, (uint32_t)i + 1);
        struct kin_linkage_edge x = r->edges[i];
        r->edges[i] = r->edges[j];
        r->edges[j] = x;
        if (linkage_draw(rng, 2)) {
            r->edges[j].a = x.b;
            r->edges[j].b = x.a;
        }
    }
    for (size_t s = r->c.star_count; s-- > 0;) {
        size_t row = (size_t)(r->stars[s].members - r->star_members[0]) / LINKAGE_REFERENCE_MAX;
        uint32_t *m = r->star_members[row];
        for (uint32_t i = r->stars[s].count; i-- > 0;) {
            uint32_t j = linkage_draw(rng, i + 1), x = m[i];
            m[i] = m[j];
            m[j] = x;
        }
    }
    for (size_t i = r->c.star_count; i-- > 0;) {
        size_t j = linkage_draw(rng, (uint32_t)i + 1);
        struct kin_linkage_star x = r->stars[i];
        r->stars[i] = r->stars[j];
        r->stars[j] = x;
    }
    shuffle_pairs(r->must, r->c.must_count, rng);
    shuffle_pairs(r->never, r->c.never_count, rng);
    shuffle_pairs(r->veto, r->c.veto_count, rng);
}

static void same_result(unsigned round, const struct linkage_random *r,
                        const struct kin_linkage_result *x, const struct kin_linkage_result *y)
{
    size_t labels = r->o.threshold_count * r->c.count;
    if (memcmp(x->group, y->group, labels * sizeof *x->group) != 0)
        fail_round(round, "groups");
    if (x->merge_count != y->merge_count ||
        memcmp(x->merges, y->merges, x->merge_count * sizeof *x->merges) != 0)
        fail_round(round, "merges");
    if (x->refused_links != y->refused_links || x->refused_merges != y->refused_merges ||
        x->unchecked != y->unchecked || x->flags != y->flags)
        fail_round(round, "counts");
}

/* With every bound in the way, too. */
static void the_order_of_the_input_is_of_no_effect(void **state)
{
    (void)state;
    static struct linkage_random r;
    uint64_t rng = 77;
    unsigned bounded[3] = {0};
    for (unsigned round = 0; round < ROUNDS / 4; round++) {
        struct kin_arena arena = {0};
        struct kin_linkage_result first, again;
        linkage_random_make(&r, &rng, LARGE);
        if (round % 2) {
            r.o.max_pairs = 1 + linkage_draw(&rng, 30);
            r.o.max_checks = 1 + linkage_draw(&rng, 30);
            r.o.max_tries = 1 + linkage_draw(&rng, 10);
        }
        assert_int_equal(kin_linkage_cluster(&arena, &r.c, &r.o, &first), KIN_OK);
        for (unsigned i = 0; i < 3; i++) {
            shuffle(&r, &rng);
            assert_int_equal(kin_linkage_cluster(&arena, &r.c, &r.o, &again), KIN_OK);
            same_result(round, &r, &first, &again);
            bounded[i] += first.flags >> i & 1;
        }
        kin_arena_deinit(&arena);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_true(bounded[i] > 20);
}

/* Items decide ties only: where there are none, other numbers for them give the same groups. */
static void without_ties_the_numbers_of_items_are_of_no_effect(void **state)
{
    (void)state;
    static struct linkage_random r, other;
    uint64_t rng = 78, groups = 0;
    for (unsigned round = 0; round < ROUNDS / 4; round++) {
        struct kin_arena arena = {0};
        struct kin_linkage_result x, y;
        uint32_t to[LINKAGE_REFERENCE_MAX];
        linkage_random_make(&r, &rng, LARGE);
        r.c.star_count = r.c.must_count = 0;
        r.c.forbidden = NULL;
        for (size_t i = 0; i < r.c.edge_count; i++) {
            r.edges[i].rule = KIN_LINKAGE_MODEL;
            r.edges[i].weight = (int32_t)(linkage_draw(&rng, 1u << 31) % (40u * KIN_LINKAGE_BIT)) -
                                10 * KIN_LINKAGE_BIT;
        }
        for (uint32_t i = 0; i < r.c.count; i++) {
            uint32_t j = linkage_draw(&rng, i + 1);
            to[i] = to[j];
            to[j] = i;
        }
        other = r; /* what it borrows is r's, or overwritten here */
        other.c.edges = other.edges;
        other.c.source = other.source;
        other.c.never = other.never;
        other.c.veto = other.veto;
        for (uint32_t i = 0; i < r.c.count; i++)
            other.source[to[i]] = r.source[i];
        for (size_t i = 0; i < r.c.edge_count; i++) {
            other.edges[i].a = to[r.edges[i].a];
            other.edges[i].b = to[r.edges[i].b];
        }
        for (size_t i = 0; i < r.c.never_count; i++)
            other.never[i] = (struct kin_linkage_pair){to[r.never[i].a], to[r.never[i].b]};
        for (size_t i = 0; i < r.c.veto_count; i++)
            other.veto[i] = (struct kin_linkage_pair){to[r.veto[i].a], to[r.veto[i].b]};
        assert_int_equal(kin_linkage_cluster(&arena, &r.c, &r.o, &x), KIN_OK);
        assert_int_equal(kin_linkage_cluster(&arena, &other.c, &r.o, &y), KIN_OK);
        for (size_t t = 0; t < r.o.threshold_count; t++) {
            const uint32_t *gx = x.group + t * r.c.count, *gy = y.group + t * r.c.count;
            for (uint32_t i = 0; i < r.c.count; i++) {
                groups += gx[i] != i;
                for (uint32_t j = 0; j < i; j++) {
                    if ((gx[i] == gx[j]) != (gy[to[i]] == gy[to[j]]))
                        fail_round(round, "groups");
                }
            }
        }
        kin_arena_deinit(&arena);
    }
    assert_true(groups > ROUNDS);
}

/* ---- what is promised where a component is too large for one heap ---- */

static void check_merges(unsigned round, const struct linkage_random *r,
                         const struct kin_linkage_result *got)
{
    uint32_t group[LINKAGE_REFERENCE_MAX];
    int32_t weight[LINKAGE_REFERENCE_MAX];
    for (uint32_t i = 0; i < r->c.count; i++) {
        group[i] = i;
        weight[i] = KIN_LINKAGE_CERTAIN;
    }
    for (uint32_t m = 0; m < got->merge_count; m++) {
        const struct kin_linkage_merge *x = &got->merges[m];
        if (group[x->a] != x->a || group[x->b] != x->b || x->a >= x->b)
            fail_round(round, "a merge of what is no group");
        if (x->weight != KIN_LINKAGE_CERTAIN) {
            int64_t pairs, sum, mean, least;
            sum = linkage_reference_sum(&r->c, &r->o, group, x->a, x->b, &pairs);
            mean = sum >= 0 ? sum / pairs : -((-sum + pairs - 1) / pairs);
            least = weight[x->a] < weight[x->b] ? weight[x->a] : weight[x->b];
            if (x->weight != (mean < least ? mean : least))
                fail_round(round, "the weight of a merge");
            if (mean < r->thresholds[r->o.threshold_count - 1])
                fail_round(round, "a merge below the threshold");
            if (linkage_reference_apart(&r->c, &r->o, group, x->a, x->b))
                fail_round(round, "a forbidden merge");
        }
        weight[x->a] = x->weight;
        for (uint32_t i = 0; i < r->c.count; i++)
            group[i] = group[i] == x->b ? x->a : group[i];
    }
    for (uint32_t a = 0; a < r->c.count; a++) {
        for (uint32_t b = a + 1; b < r->c.count; b++) {
            int64_t pairs, sum = linkage_reference_sum(&r->c, &r->o, group, a, b, &pairs);
            if (pairs && sum >= (int64_t)r->thresholds[r->o.threshold_count - 1] * pairs &&
                !linkage_reference_apart(&r->c, &r->o, group, a, b))
                fail_round(round, "a merge was left out");
        }
    }
}

static void cut_components_are_merged_rightly_and_to_the_end(void **state)
{
    (void)state;
    static struct linkage_random r;
    uint64_t rng = 79, cut = 0;
    for (unsigned round = 0; round < ROUNDS / 4; round++) {
        struct kin_arena arena = {0};
        struct kin_linkage_result got;
        linkage_random_make(&r, &rng, SMALL);
        r.o.method = KIN_LINKAGE_AVERAGE;
        r.o.max_pairs = 1 + linkage_draw(&rng, 12);
        assert_int_equal(kin_linkage_cluster(&arena, &r.c, &r.o, &got), KIN_OK);
        check_merges(round, &r, &got);
        cut += got.flags & KIN_LINKAGE_CUT;
        kin_arena_deinit(&arena);
    }
    assert_true(cut > ROUNDS / 40);
}

static void groups_of_higher_thresholds_lie_inside_those_of_lower_ones(void **state)
{
    (void)state;
    static struct linkage_random r;
    uint64_t rng = 80, split = 0;
    for (unsigned round = 0; round < ROUNDS / 4; round++) {
        struct kin_arena arena = {0};
        struct kin_linkage_result got;
        linkage_random_make(&r, &rng, LARGE);
        r.o.max_pairs = round % 2 ? 0 : 1 + linkage_draw(&rng, 30);
        assert_int_equal(kin_linkage_cluster(&arena, &r.c, &r.o, &got), KIN_OK);
        for (size_t t = 1; t < r.o.threshold_count; t++) {
            const uint32_t *high = got.group + (t - 1) * r.c.count, *low = high + r.c.count;
            for (uint32_t i = 0; i < r.c.count; i++) {
                if (low[high[i]] != low[i] || low[i] > high[i])
                    fail_round(round, "a group has parts in two");
                split += low[i] != high[i];
            }
        }
        kin_arena_deinit(&arena);
    }
    assert_true(split > ROUNDS / 10);
}

/* ---- memory ---- */

static kin_status both(struct kin_arena *arena, const struct linkage_random *r,
                       struct kin_linkage_result *result, struct kin_linkage_glue *glue)
{
    kin_status status = kin_linkage_cluster(arena, &r->c, &r->o, result);
    if (status == KIN_OK)
        status = kin_linkage_explain(arena, &r->c, &r->o, result->group, glue);
    return status;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    static struct linkage_random r;
    uint64_t rng = 81;
    size_t most = 0;
    for (unsigned round = 0; round < 60; round++) {
        bool done = false;
        linkage_random_make(&r, &rng, LARGE);
        if (round % 2)
            r.o.max_pairs = 5;
        for (size_t n = 0; !done; n++) {
            struct kin_arena arena = {0};
            struct kin_linkage_result result = {0};
            struct kin_linkage_glue glue = {0};
            kin_alloc_fail_after(n);
            kin_status status = both(&arena, &r, &result, &glue);
            kin_alloc_fail_after(SIZE_MAX);
            done = status == KIN_OK;
            if (!done && (status != KIN_E_NOMEM || glue.links))
                fail_round(round, "a failure that is none");
            most = n > most ? n : most;
            kin_arena_deinit(&arena);
        }
    }
    assert_true(most > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_components_agree_with_the_reference),
        cmocka_unit_test(the_order_of_the_input_is_of_no_effect),
        cmocka_unit_test(without_ties_the_numbers_of_items_are_of_no_effect),
        cmocka_unit_test(cut_components_are_merged_rightly_and_to_the_end),
        cmocka_unit_test(groups_of_higher_thresholds_lie_inside_those_of_lower_ones),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
