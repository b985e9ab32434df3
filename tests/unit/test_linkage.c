/* Clustering inside a component: hand-made cases, bad input, and large shapes whose groups are
 * known in advance. Random components are compared with a reference in property/linkage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/group/linkage.h"

#include <stdlib.h>
#include <string.h>

enum { BIT = KIN_LINKAGE_BIT, MODEL = KIN_LINKAGE_MODEL };

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A component of up to 16 items, and what becomes of it. */
struct bench {
    struct kin_arena arena;
    struct kin_linkage_component c;
    struct kin_linkage_options o;
    int32_t thresholds[3];
    struct kin_linkage_result r;
};

static struct bench bench_of(uint32_t count, const struct kin_linkage_edge *edges, size_t n,
                             enum kin_linkage_method method)
{
    return (struct bench){
        .c = {.count = count, .edges = edges, .edge_count = n},
        .o = {.method = method, .threshold_count = 1, .floor = 2 * BIT, .unscored = 2 * BIT},
        .thresholds = {4 * BIT}};
}

/* Groups of the t-th threshold as a string: item i's is the i-th letter. */
static void expect(struct bench *b, size_t t, const char *groups)
{
    assert_int_equal(strlen(groups), b->c.count);
    b->o.thresholds = b->thresholds;
    assert_int_equal(kin_linkage_cluster(&b->arena, &b->c, &b->o, &b->r), KIN_OK);
    for (uint32_t i = 0; i < b->c.count; i++)
        assert_int_equal('a' + b->r.group[t * b->c.count + i], groups[i]);
}

static void done(struct bench *b)
{
    kin_arena_deinit(&b->arena);
}

/* ---- means ---- */

static void one_strong_edge_joins_components_but_not_groups(void **state)
{
    (void)state;
    static const struct kin_linkage_edge edges[] = {
        {0, 1, 10 * BIT, MODEL}, {1, 2, 10 * BIT, MODEL}, {0, 2, 10 * BIT, MODEL},
        {3, 4, 10 * BIT, MODEL}, {4, 5, 10 * BIT, MODEL}, {3, 5, 10 * BIT, MODEL},
        {2, 3, 9 * BIT, MODEL},
    };
    struct bench b = bench_of(6, edges, COUNT(edges), KIN_LINKAGE_CONNECTED);
    expect(&b, 0, "aaaaaa");
    b.o.method = KIN_LINKAGE_AVERAGE; /* (9 + 8 * 2) / 9 is below 4 */
    expect(&b, 0, "aaaddd");
    assert_int_equal(b.r.merge_count, 4);
    assert_int_equal(b.r.flags, 0);
    done(&b);
}

static void a_pair_that_was_never_scored_counts_as_told(void **state)
{
    (void)state;
    static const struct kin_linkage_edge edges[] = {{0, 1, 10 * BIT, MODEL},
                                                    {1, 2, 6 * BIT, MODEL}};
    struct bench b = bench_of(3, edges, COUNT(edges), KIN_LINKAGE_AVERAGE);
    expect(&b, 0, "aaa"); /* (6 + 2) / 2 = 4 */
    b.o.unscored = 2 * BIT - 1;
    expect(&b, 0, "aac");
    done(&b);
}

static void weights_beyond_the_floor_and_the_ceiling_count_as_those(void **state)
{
    (void)state;
    struct kin_linkage_edge edges[] = {
        {0, 1, 30 * BIT, MODEL}, {1, 2, 20 * BIT, MODEL}, {0, 2, INT32_MIN, MODEL}};
    struct bench b = bench_of(3, edges, COUNT(edges), KIN_LINKAGE_AVERAGE);
    b.o.floor = -12 * BIT;
    expect(&b, 0, "aaa"); /* (20 - 12) / 2 = 4 */
    b.o.floor = -12 * BIT - 1;
    expect(&b, 0, "aac");
    edges[1].weight = INT32_MAX;
    edges[2].weight = -56 * BIT;
    b.o.floor = -60 * BIT;
    expect(&b, 0, "abb"); /* 1 and 2 first; then (30 - 56) / 2 */
    edges[0].weight = INT32_MAX;
    expect(&b, 0, "aaa"); /* (64 - 56) / 2 = 4 */
    edges[2].weight--;
    expect(&b, 0, "aac");
    done(&b);
}

static void equal_means_go_by_the_smallest_items(void **state)
{
    (void)state;
    static const struct kin_linkage_edge edges[] = {
        {2, 3, 8 * BIT, MODEL}, {1, 2, 8 * BIT, MODEL}, {0, 3, 8 * BIT, MODEL}};
    struct bench b = bench_of(4, edges, COUNT(edges), KIN_LINKAGE_AVERAGE);
    b.o.unscored = -4 * BIT;
    expect(&b, 0, "abba"); /* 0-3 before 1-2 before 2-3 */
    assert_int_equal(b.r.merges[0].a, 0);
    assert_int_equal(b.r.merges[0].b, 3);
    done(&b);
}

static void of_repeated_edges_the_strongest_counts(void **state)
{
    (void)state;
    static const struct kin_linkage_edge edges[] = {
        {0, 1, 3 * BIT, MODEL}, {1, 0, 5 * BIT, MODEL}, {0, 1, -9 * BIT, MODEL},
        {2, 3, -9 * BIT, 7},    {3, 2, 9 * BIT, MODEL},
    };
    struct bench b = bench_of(4, edges, COUNT(edges), KIN_LINKAGE_AVERAGE);
    expect(&b, 0, "aacc");
    struct kin_linkage_glue glue;
    assert_int_equal(kin_linkage_explain(&b.arena, &b.c, &b.o, b.r.group, &glue), KIN_OK);
    assert_int_equal(glue.count, 2);
    assert_int_equal(glue.links[0].weight, 5 * BIT);
    assert_int_equal(glue.links[1].rule, 7);
    done(&b);
}

static void a_dendrogram_is_cut_at_each_threshold(void **state)
{
    (void)state;
    static const struct kin_linkage_edge edges[] = {
        {0, 1, 12 * BIT, MODEL}, {1, 2, 9 * BIT, MODEL}, {0, 2, 8 * BIT, MODEL},
        {3, 4, 6 * BIT, MODEL},  {2, 3, 5 * BIT, MODEL},
    };
    for (int method = 0; method < 2; method++) {
        struct bench b = bench_of(5, edges, COUNT(edges), (enum kin_linkage_method)method);
        b.o.threshold_count = 3;
        b.thresholds[0] = 10 * BIT;
        b.thresholds[1] = 17 * BIT / 2;
        b.thresholds[2] = 5 * BIT;
        expect(&b, 0, "aacde");
        expect(&b, 1, "aaade"); /* (9 + 8) / 2 = 8.5 */
        expect(&b, 2, method ? "aaadd" : "aaaaa");
        assert_int_equal(b.r.merges[1].weight, method ? 17 * BIT / 2 : 9 * BIT);
        done(&b);
    }
}

/* ---- what keeps records apart ---- */

static void the_stronger_edge_gets_the_record_of_a_clean_source(void **state)
{
    (void)state;
    static const uint16_t source[] = {0, 0, 1, 2}, clean[] = {0, 2};
    static const struct kin_linkage_edge edges[] = {
        {0, 2, 7 * BIT - 1, MODEL}, {1, 2, 7 * BIT, MODEL}, {0, 3, 4 * BIT + 9, MODEL}};
    for (int method = 0; method < 2; method++) {
        struct bench b = bench_of(4, edges, COUNT(edges), (enum kin_linkage_method)method);
        b.c.source = source;
        b.o.clean = clean;
        expect(&b, 0, method ? "aaad" : "aaaa");
        b.o.clean_count = 2;
        expect(&b, 0, "abba");
        assert_int_equal(b.r.refused_links, method ? 0 : 1);
        assert_int_equal(b.r.refused_merges, method ? 1 : 0);
        done(&b);
    }
}

static void a_must_link_gives_way_to_a_never_link_only(void **state)
{
    (void)state;
    static const uint16_t source[] = {0, 0, 1}, clean[] = {0};
    static const struct kin_linkage_pair must[] = {{0, 1}, {1, 2}}, never[] = {{2, 0}},
                                         veto[] = {{0, 1}};
    for (int method = 0; method < 2; method++) {
        struct bench b = bench_of(3, NULL, 0, (enum kin_linkage_method)method);
        b.c.source = source;
        b.o.clean = clean;
        b.o.clean_count = 1;
        b.c.must = must;
        b.c.must_count = 2;
        b.c.veto = veto;
        b.c.veto_count = 1;
        expect(&b, 0, "aaa");
        b.c.never = never;
        b.c.never_count = 1;
        expect(&b, 0, "aac");
        assert_int_equal(b.r.refused_links, 1);
        done(&b);
    }
}

static void what_a_rule_matched_is_one_from_the_start(void **state)
{
    (void)state;
    static const uint32_t members[] = {4, 1, 2, 1};
    static const struct kin_linkage_star star = {members, 4, 1};
    static const struct kin_linkage_edge edges[] = {
        {0, 1, KIN_LINKAGE_CERTAIN, 0}, {3, 4, 9 * BIT, MODEL}, {3, 1, -9 * BIT, MODEL}};
    struct bench b = bench_of(5, edges, COUNT(edges), KIN_LINKAGE_AVERAGE);
    b.c.stars = &star;
    b.c.star_count = 1;
    expect(&b, 0, "aaada"); /* 3 is with one of four, 15 bits of 16 */
    b.o.unscored = 3 * BIT;
    b.o.floor = 3 * BIT; /* (9 + 3 * 3) / 4 = 4.5 */
    expect(&b, 0, "aaaaa");
    static const struct kin_linkage_pair veto = {1, 2};
    b.c.veto = &veto;
    b.c.veto_count = 1; /* the star is 1-2, 1-4, 2-4 in this order */
    expect(&b, 0, "aacaa");
    assert_int_equal(b.r.refused_links, 1);
    done(&b);
}

static void in_a_star_across_sources_only_different_sources_match(void **state)
{
    (void)state;
    static const uint16_t source[] = {0, 0, 0, 1, 1};
    static const uint32_t all[] = {0, 1, 2, 3, 4}, same[] = {0, 1, 2};
    static const struct kin_linkage_pair veto = {0, 3};
    struct kin_linkage_star star = {same, 3, 0};
    struct bench b = bench_of(5, NULL, 0, KIN_LINKAGE_CONNECTED);
    b.c.source = source;
    b.c.stars = &star;
    b.c.star_count = 1;
    expect(&b, 0, "aaade");
    b.o.across_sources = true;
    expect(&b, 0, "abcde");
    assert_int_equal(b.r.refused_links, 0);
    star = (struct kin_linkage_star){all, 5, 0};
    expect(&b, 0, "aaaaa");
    struct kin_linkage_glue glue; /* 0 with 3 and 4, 1 and 2 with 3 */
    assert_int_equal(kin_linkage_explain(&b.arena, &b.c, &b.o, b.r.group, &glue), KIN_OK);
    assert_int_equal(glue.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(glue.links[i].a, i < 2 ? 0 : i - 1);
        assert_int_equal(glue.links[i].b, i == 1 ? 4 : 3);
        assert_int_equal(glue.links[i].kind, KIN_LINKAGE_STAR);
    }
    b.c.veto = &veto;
    b.c.veto_count = 1;
    expect(&b, 0, "abbba"); /* 0-4 first; then 1-3, and 2-3 */
    done(&b);
}

static void the_weakest_link_of_a_group_is_its_last(void **state)
{
    (void)state;
    static const struct kin_linkage_pair must = {4, 5};
    static const struct kin_linkage_edge edges[] = {{0, 1, 9 * BIT, MODEL}, {1, 2, 7 * BIT, MODEL},
                                                    {0, 2, 8 * BIT, MODEL}, {2, 3, 5 * BIT, MODEL},
                                                    {5, 6, 4 * BIT, MODEL}, {4, 6, 0, 3}};
    struct bench b = bench_of(7, edges, COUNT(edges), KIN_LINKAGE_CONNECTED);
    b.c.must = &must;
    b.c.must_count = 1;
    expect(&b, 0, "aaaaeee");
    struct kin_linkage_glue glue;
    assert_int_equal(kin_linkage_explain(&b.arena, &b.c, &b.o, b.r.group, &glue), KIN_OK);
    static const struct kin_linkage_link want[] = {
        {0, 0, 1, 9 * BIT, MODEL, KIN_LINKAGE_EDGE},
        {0, 0, 2, 8 * BIT, MODEL, KIN_LINKAGE_EDGE},
        {0, 2, 3, 5 * BIT, MODEL, KIN_LINKAGE_EDGE},
        {4, 4, 5, KIN_LINKAGE_CERTAIN, 0, KIN_LINKAGE_MUST},
        {4, 4, 6, 0, 3, KIN_LINKAGE_EDGE},
    };
    assert_int_equal(glue.count, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_int_equal(glue.links[i].group, want[i].group);
        assert_int_equal(glue.links[i].a, want[i].a);
        assert_int_equal(glue.links[i].b, want[i].b);
        assert_int_equal(glue.links[i].weight, want[i].weight);
        assert_int_equal(glue.links[i].rule, want[i].rule);
        assert_int_equal(glue.links[i].kind, want[i].kind);
    }
    done(&b);
}

/* ---- bad input ---- */

static kin_status run(struct bench *b)
{
    b->o.thresholds = b->thresholds;
    struct kin_linkage_result untouched = b->r;
    kin_status status = kin_linkage_cluster(&b->arena, &b->c, &b->o, &b->r);
    if (status != KIN_OK)
        assert_memory_equal(&untouched, &b->r, sizeof untouched);
    done(b);
    return status;
}

static void nothing_and_one_item_are_fine(void **state)
{
    (void)state;
    for (int method = 0; method < 2; method++) {
        struct bench b = bench_of(0, NULL, 0, (enum kin_linkage_method)method);
        expect(&b, 0, "");
        struct kin_linkage_glue glue;
        assert_int_equal(kin_linkage_explain(&b.arena, &b.c, &b.o, NULL, &glue), KIN_OK);
        assert_int_equal(glue.count, 0);
        b.c.count = 1;
        expect(&b, 0, "a");
        assert_int_equal(b.r.merge_count, 0);
        done(&b);
    }
}

static void links_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct kin_linkage_edge bad_edges[] = {
        {0, 3, 0, 0}, {3, 0, 0, 0}, {UINT32_MAX, 1, 0, 0}, {1, 1, 0, 0}};
    for (size_t i = 0; i < COUNT(bad_edges); i++) {
        struct bench b = bench_of(3, &bad_edges[i], 1, KIN_LINKAGE_AVERAGE);
        assert_int_equal(run(&b), KIN_E_INVAL);
        b = bench_of(0, &bad_edges[i], 1, KIN_LINKAGE_CONNECTED);
        assert_int_equal(run(&b), KIN_E_INVAL);
    }
    static const struct kin_linkage_pair bad_pairs[] = {{0, 3}, {3, 0}, {2, 2}};
    for (size_t i = 0; i < 3 * COUNT(bad_pairs); i++) {
        struct bench b = bench_of(3, NULL, 0, KIN_LINKAGE_CONNECTED);
        const struct kin_linkage_pair *bad = &bad_pairs[i / 3];
        b.c.must = b.c.never = b.c.veto = bad;
        b.c.must_count = i % 3 == 0;
        b.c.never_count = i % 3 == 1;
        b.c.veto_count = i % 3 == 2;
        assert_int_equal(run(&b), KIN_E_INVAL);
    }
    static const uint32_t members[] = {0, 3};
    static const struct kin_linkage_star bad_stars[] = {
        {members, 2, 0}, {members, 0, 0}, {members, 1, KIN_LINKAGE_MODEL}};
    for (size_t i = 0; i < COUNT(bad_stars); i++) {
        struct bench b = bench_of(3, NULL, 0, KIN_LINKAGE_CONNECTED);
        b.c.stars = &bad_stars[i];
        b.c.star_count = 1;
        assert_int_equal(run(&b), KIN_E_INVAL);
    }
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    static const uint16_t source[] = {0, 1}, twice[] = {1, 1}, down[] = {2, 1};
    for (unsigned what = 0; what < 16; what++) {
        struct bench b = bench_of(2, NULL, 0, KIN_LINKAGE_AVERAGE);
        b.c.source = source;
        b.thresholds[1] = 4 * BIT;
        kin_status want = KIN_E_INVAL;
        switch (what) {
        case 0:
            want = KIN_OK;
            break;
        case 1:
            b.o.threshold_count = 0;
            break;
        case 2:
            b.o.threshold_count = KIN_LINKAGE_THRESHOLDS_MAX + 1;
            break;
        case 3: /* not descending */
            b.o.threshold_count = 2;
            break;
        case 4:
            b.o.method = (enum kin_linkage_method)2;
            break;
        case 5:
            b.o.unscored = 3 * BIT;
            want = KIN_OK;
            break;
        case 6:
            b.o.unscored = 3 * BIT + 1;
            break;
        case 7:
            b.o.floor = 3 * BIT + 1;
            break;
        case 8:
            b.o.floor = -KIN_LINKAGE_WEIGHT_MAX;
            want = KIN_OK;
            break;
        case 9:
            b.o.floor = -KIN_LINKAGE_WEIGHT_MAX - 1;
            break;
        case 10:
            b.o.unscored = INT32_MIN;
            break;
        case 11:
            b.thresholds[0] = KIN_LINKAGE_WEIGHT_MAX + 1;
            break;
        case 12:
            b.thresholds[0] = INT32_MIN;
            break;
        case 13:
            b.o.clean = twice;
            b.o.clean_count = 2;
            break;
        case 14:
            b.o.clean = down;
            b.o.clean_count = 2;
            break;
        default:
            b.c.source = NULL;
            b.o.across_sources = true;
            break;
        }
        assert_int_equal(run(&b), want);
        if (what >= 5 && what <= 12) { /* are of no concern to the other method */
            b.o.method = KIN_LINKAGE_CONNECTED;
            assert_int_equal(run(&b), KIN_OK);
        }
    }
}

static void groups_out_of_range_are_not_explained(void **state)
{
    (void)state;
    static const uint32_t group[] = {0, 2};
    struct bench b = bench_of(2, NULL, 0, KIN_LINKAGE_CONNECTED);
    struct kin_linkage_glue glue = {.count = 7};
    b.o.thresholds = b.thresholds;
    assert_int_equal(kin_linkage_explain(&b.arena, &b.c, &b.o, group, &glue), KIN_E_INVAL);
    assert_int_equal(glue.count, 7);
    done(&b);
}

static void the_floor_for_a_threshold_is_two_bits_below_it_at_most(void **state)
{
    (void)state;
    assert_int_equal(kin_linkage_floor(INT32_MAX), 2 * BIT);
    assert_int_equal(kin_linkage_floor(4 * BIT), 2 * BIT);
    assert_int_equal(kin_linkage_floor(4 * BIT - 1), 2 * BIT - 1);
    assert_int_equal(kin_linkage_floor(-10 * BIT), -12 * BIT);
    assert_int_equal(kin_linkage_floor(INT32_MIN), -KIN_LINKAGE_WEIGHT_MAX);
}

/* ---- large ---- */

enum { LARGE = 50000 };

struct large {
    struct kin_linkage_edge *edges;
    uint32_t *members;
    struct bench b;
};

static struct large large_of(uint32_t count, size_t edges, enum kin_linkage_method method)
{
    struct large l = {calloc(edges + 1, sizeof *l.edges), calloc(count, sizeof *l.members),
                      bench_of(count, NULL, 0, method)};
    assert_non_null(l.edges);
    assert_non_null(l.members);
    l.b.c.edges = l.edges;
    return l;
}

static void large_run(struct large *l)
{
    l->b.o.thresholds = l->b.thresholds;
    assert_int_equal(kin_linkage_cluster(&l->b.arena, &l->b.c, &l->b.o, &l->b.r), KIN_OK);
}

static void large_free(struct large *l)
{
    free(l->edges);
    free(l->members);
    done(&l->b);
}

static void a_long_chain_falls_into_fours(void **state)
{
    (void)state;
    struct large l = large_of(LARGE, LARGE, KIN_LINKAGE_AVERAGE);
    for (uint32_t i = 0; i + 1 < LARGE; i++)
        l.edges[l.b.c.edge_count++] =
            (struct kin_linkage_edge){LARGE - 1 - i, LARGE - 2 - i, 10 * BIT, MODEL};
    large_run(&l); /* twos at 10, fours at 2 + 8 / 4 = 4 */
    for (uint32_t i = 0; i < LARGE; i++)
        assert_int_equal(l.b.r.group[i], i / 4 * 4);
    l.b.o.method = KIN_LINKAGE_CONNECTED;
    large_run(&l);
    for (uint32_t i = 0; i < LARGE; i++)
        assert_int_equal(l.b.r.group[i], 0);
    large_free(&l);
}

static void a_hub_keeps_few(void **state)
{
    (void)state;
    struct large l = large_of(LARGE, LARGE, KIN_LINKAGE_AVERAGE);
    for (uint32_t i = 0; i < LARGE; i++) {
        if (i != 9)
            l.edges[l.b.c.edge_count++] = (struct kin_linkage_edge){i, 9, 10 * BIT, MODEL};
    }
    large_run(&l); /* the last at 2 + 8 / 4 = 4 */
    for (uint32_t i = 0; i < LARGE; i++)
        assert_int_equal(l.b.r.group[i], i < 4 || i == 9 ? 0 : i);
    large_free(&l);
}

static void a_clique_of_equals_is_one_group_whatever_the_bound(void **state)
{
    (void)state;
    enum { N = 300 };
    struct large l = large_of(N, (size_t)N * N, KIN_LINKAGE_AVERAGE);
    for (uint32_t i = 0; i < N; i++) {
        for (uint32_t j = 0; j < i; j++)
            l.edges[l.b.c.edge_count++] = (struct kin_linkage_edge){i, j, 10 * BIT, MODEL};
    }
    for (unsigned cut = 0; cut < 2; cut++) {
        l.b.o.max_pairs = cut ? 1000 : (uint64_t)N * (N - 1) / 2;
        large_run(&l);
        assert_int_equal(l.b.r.flags, cut ? KIN_LINKAGE_CUT : 0);
        for (uint32_t i = 0; i < N; i++)
            assert_int_equal(l.b.r.group[i], 0);
        for (uint32_t i = 0; i < l.b.r.merge_count; i++)
            assert_int_equal(l.b.r.merges[i].weight, 10 * BIT);
    }
    large_free(&l);
}

static bool even_and_odd(void *arg, uint32_t a, uint32_t b)
{
    ++*(uint64_t *)arg;
    return (a ^ b) & 1;
}

static void a_large_star_is_bounded(void **state)
{
    (void)state;
    static const uint16_t clean[] = {0};
    uint64_t asked = 0;
    struct large l = large_of(LARGE, 0, KIN_LINKAGE_AVERAGE);
    uint16_t *source = calloc(LARGE, sizeof *source);
    assert_non_null(source);
    for (uint32_t i = 0; i < LARGE; i++) {
        l.members[i] = LARGE - 1 - i;
        source[i] = i >= 2;
    }
    struct kin_linkage_star star = {l.members, LARGE, 0};
    l.b.c.source = source;
    l.b.c.stars = &star;
    l.b.c.star_count = 1;
    l.b.o.clean = clean;
    large_run(&l);
    assert_int_equal(l.b.r.merge_count, LARGE - 1);
    l.b.o.clean_count = 1; /* 0 takes all but 1 */
    large_run(&l);
    assert_int_equal(l.b.r.merge_count, LARGE - 2);
    assert_int_equal(l.b.r.group[1], 1);
    assert_int_equal(l.b.r.flags, 0);
    memset(source, 0, LARGE * sizeof *source); /* nobody may join anybody: rows without end */
    large_run(&l);
    assert_int_equal(l.b.r.merge_count, 0);
    assert_int_equal(l.b.r.flags, KIN_LINKAGE_UNTRIED);
    l.b.o.clean_count = 0;
    l.b.c.forbidden = even_and_odd;
    l.b.c.forbidden_arg = &asked;
    l.b.o.max_checks = 10000; /* evens gather; when asking ends, odds join them */
    large_run(&l);
    assert_true(asked <= 10000);
    assert_int_equal(l.b.r.flags, KIN_LINKAGE_UNCHECKED);
    assert_true(l.b.r.unchecked > LARGE);
    assert_int_equal(l.b.r.group[2], 0);
    assert_int_equal(l.b.r.group[1], 1);
    large_free(&l);
    free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_strong_edge_joins_components_but_not_groups),
        cmocka_unit_test(a_pair_that_was_never_scored_counts_as_told),
        cmocka_unit_test(weights_beyond_the_floor_and_the_ceiling_count_as_those),
        cmocka_unit_test(equal_means_go_by_the_smallest_items),
        cmocka_unit_test(of_repeated_edges_the_strongest_counts),
        cmocka_unit_test(a_dendrogram_is_cut_at_each_threshold),
        cmocka_unit_test(the_stronger_edge_gets_the_record_of_a_clean_source),
        cmocka_unit_test(a_must_link_gives_way_to_a_never_link_only),
        cmocka_unit_test(what_a_rule_matched_is_one_from_the_start),
        cmocka_unit_test(in_a_star_across_sources_only_different_sources_match),
        cmocka_unit_test(the_weakest_link_of_a_group_is_its_last),
        cmocka_unit_test(nothing_and_one_item_are_fine),
        cmocka_unit_test(links_out_of_range_are_refused),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(groups_out_of_range_are_not_explained),
        cmocka_unit_test(the_floor_for_a_threshold_is_two_bits_below_it_at_most),
        cmocka_unit_test(a_long_chain_falls_into_fours),
        cmocka_unit_test(a_hub_keeps_few),
        cmocka_unit_test(a_clique_of_equals_is_one_group_whatever_the_bound),
        cmocka_unit_test(a_large_star_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
