#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/explain_group.h"
#include "tests/unit/rule_fixture.h"

/* What explanations are made of: conditions taken apart, and what the links of a group join. */

/* ---- the means across each link, the plain way ---- */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void flood(const struct group *g, size_t without, uint32_t from, bool *reached)
{
    reached[from] = true;
    for (uint32_t i = 0; i < g->link_count; i++) {
        const struct group_link *l = &g->links[i];
        if (i == without || (l->a != from && l->b != from))
            continue;
        uint32_t other = l->a == from ? l->b : l->a;
        if (!reached[other])
            flood(g, without, other, reached);
    }
}

static void check_link(const struct group *g, size_t at)
{
    bool below[64] = {false};
    uint64_t pairs = 0, scored = 0, certain = 0;
    int64_t sum = 0;
    uint32_t first = 0;
    flood(g, at, 0, below);
    for (uint32_t b = 0; b < g->count; b++) {
        first += below[b];
        for (uint32_t a = 0; a < b; a++) {
            const struct group_cell *c = group_cell_of(g, a, b);
            if (below[a] == below[b])
                continue;
            pairs++;
            sum += group_pair_weight(g, c);
            scored += c->compared == KIN_EXPLAIN_YES;
            certain += c->matches && c->rule >= 0;
        }
    }
    const struct group_link *l = &g->links[at];
    assert_int_equal(l->parts[0], first);
    assert_int_equal(l->parts[1], g->count - first);
    assert_int_equal(l->pairs, pairs);
    assert_int_equal(l->scored, scored);
    assert_int_equal(l->certain, certain > 0);
    assert_true(l->mean == (double)sum / (double)pairs / KIN_LINKAGE_BIT);
    assert_int_equal(l->weak, certain == 0 && l->mean < 4);
}

static void each_link_knows_what_it_joins(void **state)
{
    (void)state;
    uint64_t random = 42;
    struct kin_workflow_model model = {.threshold_count = 1};
    model.thresholds[0].weight = 4 * KIN_LINKAGE_BIT;
    const struct kin_workflow workflow = {.model = &model};
    for (unsigned round = 0; round < 300; round++) {
        struct kin_explain e = {.x = {.workflow = &workflow, .threshold = &model.thresholds[0]}};
        struct group g = {.e = &e, .count = 1 + (uint32_t)(next_random(&random) % 40)};
        size_t pairs = (size_t)g.count * (g.count - 1) / 2;
        g.cells = kin_arena_calloc(&e.arena, pairs, sizeof *g.cells);
        g.links = kin_arena_calloc(&e.arena, g.count, sizeof *g.links);
        assert_true(g.cells && g.links);
        for (size_t i = 0; i < pairs; i++) {
            uint64_t x = next_random(&random);
            g.cells[i] = (struct group_cell){
                .weight = (int32_t)(x % (80 * KIN_LINKAGE_BIT)) - 20 * KIN_LINKAGE_BIT,
                .rule = x >> 40 & 15 ? -1 : 0,
                .never = -1,
                .compared = x >> 50 & 3 ? KIN_EXPLAIN_YES : KIN_EXPLAIN_NEVER,
                .matches = true};
        }
        for (uint32_t i = 1; i < g.count; i++) { /* any tree, in any order */
            uint32_t other = (uint32_t)(next_random(&random) % i);
            g.links[g.link_count++] = (struct group_link){.a = other, .b = i};
        }
        assert_int_equal(group_cuts(&g), KIN_OK);
        for (size_t i = 0; i < g.link_count; i++)
            check_link(&g, i);
        kin_arena_deinit(&e.arena);
    }
}

static void a_group_that_fell_apart_has_no_means(void **state)
{
    (void)state;
    const struct kin_workflow workflow = {0};
    struct kin_explain e = {.x = {.workflow = &workflow}};
    struct group_link link = {.a = 0, .b = 1};
    struct group_cell cells[3] = {{0}};
    struct group g = {.e = &e, .count = 3, .cells = cells, .links = &link, .link_count = 1};
    assert_int_equal(group_cuts(&g), KIN_OK);
    assert_int_equal(link.pairs, 0);
    kin_arena_deinit(&e.arena);
}

/* ---- conditions ---- */

static void a_condition_comes_apart_in_the_order_it_is_written(void **state)
{
    (void)state;
    static const struct {
        unsigned depth;
        const char *text;
        enum kin_truth truth;
        unsigned fields;
    } expected[] = {{0, "AND", KIN_TRUE, 0},
                    {1, "OR", KIN_TRUE, 0},
                    {2, "Exact(email)", KIN_UNKNOWN, 1},
                    {2, "JaroWinkler(last_name, 0.9)", KIN_TRUE, 1},
                    {1, "NOT", KIN_TRUE, 0},
                    {2, "Swapped(first_name, last_name)", KIN_FALSE, 2},
                    {1, "ExactManyToMany(email, \"Email address\")", KIN_TRUE, 2}};
    const char *x[FIXTURE_FIELDS] = {NULL}, *y[FIXTURE_FIELDS] = {NULL};
    x[FIRST_NAME] = y[FIRST_NAME] = "ann";
    x[LAST_NAME] = y[LAST_NAME] = "smith";
    x[EMAIL] = y[WORK_EMAIL] = "a@b.org";
    struct kin_arena arena = {0};
    struct kin_condition *c =
        parsed(&arena, "(exact(email) or JaroWinkler(last_name, 0.90)) and not "
                       "Swapped(first_name, last_name) and ExactManyToMany(email, \"Email "
                       "address\")");
    struct kin_kernel_scratch *s = kin_kernel_scratch_new();
    uint8_t *a = fixture_record(x), *b = fixture_record(y);
    struct kin_condition_part *parts;
    size_t count;
    assert_int_equal(kin_condition_explain(&arena, &fixture_schema, c, a, b, s, &parts, &count),
                     KIN_OK);
    assert_int_equal(count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(parts[i].depth, expected[i].depth);
        assert_string_equal(parts[i].text, expected[i].text);
        assert_int_equal(parts[i].truth, expected[i].truth);
        assert_int_equal(parts[i].field_count, expected[i].fields);
        assert_int_equal(parts[i].is_term, expected[i].fields > 0);
    }
    assert_int_equal(parts[5].fields[0], FIRST_NAME);
    assert_int_equal(parts[5].fields[1], LAST_NAME);
    kin_free(a);
    kin_free(b);
    kin_kernel_scratch_free(s);
    kin_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_link_knows_what_it_joins),
        cmocka_unit_test(a_group_that_fell_apart_has_no_means),
        cmocka_unit_test(a_condition_comes_apart_in_the_order_it_is_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
