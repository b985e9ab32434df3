/* Vetoes inside a component: hand-made cases, and random components against a definition that knows
 * only pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/group/veto.h"
#include "common/record/features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MAX = 2000, FIELD_TAX = 0, FIELD_NAME = 1, FIELD_CITY = 2, FIELDS = 3 };

static const struct kin_field fields[FIELDS] = {
    {.name = "tax", .type = KIN_TYPE_ID},
    {.name = "name", .type = KIN_TYPE_NAME},
    {.name = "city", .type = KIN_TYPE_TEXT},
};
static const struct kin_schema schema = {fields, FIELDS};

/* A record as the oracle sees it; 0: no value. */
struct person {
    unsigned source;
    unsigned value[FIELDS];
};

/* The never rules, as text and as a definition over people. */
static bool differ(const struct person *a, const struct person *b, unsigned f)
{
    return a->value[f] && b->value[f] && a->value[f] != b->value[f];
}
static bool same(const struct person *a, const struct person *b, unsigned f)
{
    return a->value[f] && a->value[f] == b->value[f];
}
static bool never_two_tax(const struct person *a, const struct person *b)
{
    return differ(a, b, FIELD_TAX);
}
static bool never_same_name_other_city(const struct person *a, const struct person *b)
{
    return same(a, b, FIELD_NAME) && differ(a, b, FIELD_CITY);
}
static bool never_not_same_city(const struct person *a, const struct person *b)
{
    return differ(a, b, FIELD_CITY) || same(a, b, FIELD_TAX);
}
static const struct never {
    const char *when;
    bool (*is)(const struct person *, const struct person *);
} nevers[] = {
    {"Differs(tax)", never_two_tax},
    {"Exact(name) AND NOT Exact(city)", never_same_name_other_city},
    {"NOT Exact(city) OR Exact(tax)", never_not_same_city},
};
enum { NEVERS = sizeof nevers / sizeof *nevers };

struct bench {
    struct kin_arena arena;
    struct kin_buf features;
    struct kin_kernel_scratch *scratch;
    struct person people[MEMBERS_MAX];
    size_t at[MEMBERS_MAX];
    const uint8_t *members[MEMBERS_MAX];
    struct kin_rule rules[NEVERS]; /* all of them, in the order of the table */
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->scratch = kin_kernel_scratch_new();
    assert_non_null(b->scratch);
    for (unsigned i = 0; i < NEVERS; i++) {
        unsigned column = 0;
        struct kin_err err = {0};
        b->rules[i].name = b->rules[i].when = nevers[i].when;
        assert_int_equal(kin_condition_parse(&b->arena, &schema, kin_str_of(nevers[i].when),
                                             &b->rules[i].condition, &column, &err),
                         KIN_OK);
    }
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    kin_arena_deinit(&b->arena);
    kin_buf_deinit(&b->features);
    kin_kernel_scratch_free(b->scratch);
    free(b);
    return 0;
}

/* Makes the features of b->people; a value is its number as a word. */
static void build(struct bench *b, uint32_t count)
{
    kin_buf_clear(&b->features);
    for (uint32_t i = 0; i < count; i++) {
        struct kin_features_builder f;
        char id[16];
        int n = snprintf(id, sizeof id, "%06u", i);
        b->at[i] = b->features.n;
        kin_features_begin(&f, &b->features, FIELDS, i, (uint16_t)b->people[i].source,
                           (struct kin_str){id, (size_t)n});
        for (unsigned v = 0; v < FIELDS; v++) {
            char text[16];
            if (!b->people[i].value[v])
                continue;
            n = snprintf(text, sizeof text, "value%u", b->people[i].value[v]);
            kin_features_field(&f, v);
            kin_features_value(&f, text, (size_t)n, true);
        }
        assert_int_equal(kin_features_end(&f, NULL, 0), KIN_OK);
    }
    for (uint32_t i = 0; i < count; i++)
        b->members[i] = b->features.p + b->at[i];
}

/* ---- the definition ---- */

enum { RULES = 4, SMALL_MAX = 14 };

struct expected {
    uint32_t group[SMALL_MAX];
    uint16_t best_rule[SMALL_MAX];
    uint64_t forbidden, refused;
};

static bool matches(const struct bench *b, const struct kin_veto_component *c, unsigned rule,
                    uint32_t x, uint32_t y)
{
    for (size_t i = 0; i < c->edge_count; i++) {
        const struct kin_veto_edge *e = &c->edges[i];
        if (e->rule == rule && ((e->a == x && e->b == y) || (e->a == y && e->b == x)))
            return true;
    }
    if (c->across_sources && b->people[x].source == b->people[y].source)
        return false;
    for (size_t s = 0; s < c->star_count; s++) {
        bool has_x = false, has_y = false;
        for (uint32_t i = 0; i < c->stars[s].count; i++) {
            has_x |= c->stars[s].members[i] == x;
            has_y |= c->stars[s].members[i] == y;
        }
        if (c->stars[s].rule == rule && has_x && has_y)
            return true;
    }
    return false;
}

static void expect(const struct bench *b, const struct kin_veto_component *c, unsigned first_never,
                   unsigned never_count, struct expected *e)
{
    bool forbidden[SMALL_MAX][SMALL_MAX] = {{false}};
    *e = (struct expected){0};
    for (uint32_t x = 0; x < c->count; x++) {
        e->group[x] = x;
        e->best_rule[x] = UINT16_MAX;
        for (uint32_t y = x + 1; y < c->count; y++) {
            for (unsigned r = first_never; r < first_never + never_count; r++)
                forbidden[x][y] |= nevers[r].is(&b->people[x], &b->people[y]);
            forbidden[y][x] = forbidden[x][y];
            e->forbidden += forbidden[x][y];
        }
    }
    for (unsigned rule = 0; rule < RULES; rule++) {
        for (uint32_t x = 0; x < c->count; x++) {
            for (uint32_t y = x + 1; y < c->count; y++) {
                uint32_t gx = e->group[x], gy = e->group[y];
                bool free = matches(b, c, rule, x, y) && gx != gy;
                for (uint32_t i = 0; free && i < c->count; i++) {
                    for (uint32_t j = 0; j < c->count; j++)
                        free &= !(e->group[i] == gx && e->group[j] == gy && forbidden[i][j]);
                }
                for (uint32_t i = 0; free && i < c->count; i++) {
                    if (e->group[i] == gx || e->group[i] == gy)
                        e->group[i] = gx < gy ? gx : gy;
                }
            }
        }
    }
    for (unsigned rule = RULES; rule-- > 0;) {
        for (uint32_t x = 0; x < c->count; x++) {
            for (uint32_t y = x + 1; y < c->count; y++) {
                if (!matches(b, c, rule, x, y))
                    continue;
                if (e->group[x] == e->group[y])
                    e->best_rule[x] = e->best_rule[y] = (uint16_t)rule;
                else
                    e->refused++;
            }
        }
    }
}

/* ---- random components ---- */

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*state >> 33) * n) >> 31);
}

struct component {
    struct kin_veto_component c;
    struct kin_veto_edge edges[40];
    struct kin_veto_star stars[5];
    uint32_t star_members[5][SMALL_MAX];
};

static void random_component(struct bench *b, struct component *k, uint64_t *rng)
{
    uint32_t count = 1 + draw(rng, SMALL_MAX), values = 2 + draw(rng, 4), source = 0;
    memset(k, 0, sizeof *k);
    for (uint32_t i = 0; i < count; i++) {
        source += draw(rng, 4) == 0;
        b->people[i].source = source;
        for (unsigned v = 0; v < FIELDS; v++)
            b->people[i].value[v] = draw(rng, 3) ? draw(rng, values) : 0;
    }
    build(b, count);
    k->c = (struct kin_veto_component){.members = b->members,
                                       .count = count,
                                       .edges = k->edges,
                                       .stars = k->stars,
                                       .across_sources = draw(rng, 2) == 0};
    if (count < 2)
        return;
    k->c.edge_count = draw(rng, 40);
    for (size_t i = 0; i < k->c.edge_count; i++) {
        uint32_t x = draw(rng, count), y = draw(rng, count - 1);
        k->edges[i] = (struct kin_veto_edge){x, y + (y >= x), (uint16_t)draw(rng, RULES)};
    }
    k->c.star_count = draw(rng, 6);
    for (size_t s = 0; s < k->c.star_count; s++) {
        uint32_t n = 0;
        for (uint32_t i = count; i-- > 0;) { /* in no particular order: descending */
            if (draw(rng, 2))
                k->star_members[s][n++] = i;
        }
        if (n < 2) {
            n = 2;
            k->star_members[s][0] = 1;
            k->star_members[s][1] = 0;
        }
        k->stars[s] = (struct kin_veto_star){k->star_members[s], n, (uint16_t)draw(rng, RULES)};
    }
}

static void random_components_agree_with_the_definition(void **state)
{
    struct bench *b = *state;
    static struct component k;
    uint64_t rng = 20240607, with_veto = 0, refused = 0;
    for (unsigned round = 0; round < 4000; round++) {
        struct kin_arena arena = {0};
        struct kin_veto_result got;
        struct expected want;
        random_component(b, &k, &rng);
        unsigned first = draw(&rng, NEVERS), count = draw(&rng, NEVERS - first + 1);
        expect(b, &k.c, first, count, &want);
        assert_int_equal(kin_veto_cluster(&arena, &k.c, b->rules + first, count, b->scratch, &got),
                         KIN_OK);
        if (got.forbidden != want.forbidden || got.refused != want.refused)
            fail_msg("round %u: forbidden %lu not %lu, refused %lu not %lu", round,
                     (unsigned long)got.forbidden, (unsigned long)want.forbidden,
                     (unsigned long)got.refused, (unsigned long)want.refused);
        for (uint32_t i = 0; i < k.c.count; i++) {
            if (got.group[i] != want.group[i] || got.best_rule[i] != want.best_rule[i])
                fail_msg("round %u, member %u: group %u not %u, rule %u not %u", round, i,
                         got.group[i], want.group[i], got.best_rule[i], want.best_rule[i]);
        }
        with_veto += want.forbidden > 0;
        refused += want.refused > 0;
        kin_arena_deinit(&arena);
    }
    assert_true(with_veto > 1000 && with_veto < 4000 && refused > 1000); /* both ways are tried */
}

/* ---- by hand ---- */

static struct kin_veto_result cluster(struct bench *b, const struct kin_veto_component *c,
                                      unsigned never_count)
{
    struct kin_veto_result r = {0};
    assert_int_equal(kin_veto_cluster(&b->arena, c, b->rules, never_count, b->scratch, &r), KIN_OK);
    return r;
}

static void the_stronger_rule_keeps_its_pair(void **state)
{
    struct bench *b = *state;
    memset(b->people, 0, sizeof b->people);
    b->people[0].value[FIELD_TAX] = 1;
    b->people[2].value[FIELD_TAX] = 2;
    build(b, 3);
    const struct kin_veto_edge edges[] = {{0, 1, 1}, {2, 1, 0}};
    struct kin_veto_component c = {
        .members = b->members, .count = 3, .edges = edges, .edge_count = 2};
    struct kin_veto_result r = cluster(b, &c, 1);
    assert_int_equal(r.forbidden, 1);
    assert_int_equal(r.refused, 1);
    assert_int_equal(r.group[0], 0);
    assert_int_equal(r.group[1], 1);
    assert_int_equal(r.group[2], 1);
    assert_int_equal(r.best_rule[0], UINT16_MAX);
    assert_int_equal(r.best_rule[1], 0);
    assert_int_equal(r.best_rule[2], 0);
}

static void equal_rules_go_by_the_smaller_ends(void **state)
{
    struct bench *b = *state;
    memset(b->people, 0, sizeof b->people);
    b->people[0].value[FIELD_TAX] = 1;
    b->people[2].value[FIELD_TAX] = 2;
    build(b, 3);
    const struct kin_veto_edge edges[] = {{2, 1, 0}, {1, 0, 0}};
    struct kin_veto_component c = {
        .members = b->members, .count = 3, .edges = edges, .edge_count = 2};
    struct kin_veto_result r = cluster(b, &c, 1);
    assert_int_equal(r.group[1], 0);
    assert_int_equal(r.group[2], 2);
}

static void without_a_veto_everything_connected_stays_together(void **state)
{
    struct bench *b = *state;
    memset(b->people, 0, sizeof b->people);
    for (unsigned i = 0; i < 5; i++)
        b->people[i].source = i / 2; /* 0 0 1 1 2 */
    build(b, 5);
    const uint32_t star_a[] = {1, 0, 2}, star_b[] = {0, 1};
    const struct kin_veto_star stars[] = {{star_a, 3, 2}, {star_b, 2, 0}};
    const struct kin_veto_edge edges[] = {{4, 3, 3}};
    struct kin_veto_component c = {.members = b->members,
                                   .count = 5,
                                   .edges = edges,
                                   .edge_count = 1,
                                   .stars = stars,
                                   .star_count = 2,
                                   .across_sources = true};
    struct kin_veto_result r = cluster(b, &c, 3);
    const uint32_t group[] = {0, 0, 0, 3, 3};
    const uint16_t rule[] = {2, 2, 2, 3, 3}; /* star_b has members of one source only */
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(r.group[i], group[i]);
        assert_int_equal(r.best_rule[i], rule[i]);
    }
    assert_int_equal(r.forbidden, 0);
    assert_int_equal(r.refused, 0);
}

static void a_large_star_with_few_and_with_many_forbidden_pairs(void **state)
{
    struct bench *b = *state;
    static uint32_t all[MEMBERS_MAX];
    for (unsigned many = 0; many < 2; many++) {
        memset(b->people, 0, sizeof b->people);
        for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
            all[i] = MEMBERS_MAX - 1 - i;
            if (many || i >= MEMBERS_MAX - 2)
                b->people[i].value[FIELD_TAX] = 1 + i % 2;
        }
        build(b, MEMBERS_MAX);
        const struct kin_veto_star star = {all, MEMBERS_MAX, 0};
        struct kin_veto_component c = {
            .members = b->members, .count = MEMBERS_MAX, .stars = &star, .star_count = 1};
        struct kin_arena arena = {0};
        struct kin_veto_result r;
        assert_int_equal(kin_veto_cluster(&arena, &c, b->rules, 1, b->scratch, &r), KIN_OK);
        uint64_t half = MEMBERS_MAX / 2;
        assert_int_equal(r.forbidden, many ? half * half : 1);
        assert_int_equal(r.refused, many ? half * half : MEMBERS_MAX - 1);
        for (uint32_t i = 0; i < MEMBERS_MAX; i++)
            assert_int_equal(r.group[i], many ? i % 2 : i < MEMBERS_MAX - 1 ? 0 : i);
        kin_arena_deinit(&arena);
    }
}

static void every_failed_allocation_is_reported(void **state)
{
    struct bench *b = *state;
    static struct component k;
    uint64_t rng = 4;
    do
        random_component(b, &k, &rng);
    while (k.c.star_count == 0 || k.c.edge_count == 0 || k.c.count < SMALL_MAX);
    for (unsigned nevers_used = 0; nevers_used <= NEVERS; nevers_used += NEVERS) {
        bool done = false;
        for (size_t n = 0; !done; n++) {
            assert_true(n < 200);
            struct kin_arena arena = {0};
            struct kin_veto_result r = {0};
            kin_alloc_fail_after(n);
            kin_status status =
                kin_veto_cluster(&arena, &k.c, b->rules, nevers_used, b->scratch, &r);
            kin_alloc_fail_after(SIZE_MAX);
            done = status == KIN_OK;
            assert_true(done || (status == KIN_E_NOMEM && !r.group));
            kin_arena_deinit(&arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_stronger_rule_keeps_its_pair, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_rules_go_by_the_smaller_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_veto_everything_connected_stays_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_large_star_with_few_and_with_many_forbidden_pairs, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(random_components_agree_with_the_definition, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_failed_allocation_is_reported, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
