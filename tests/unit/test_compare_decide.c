/* Weights of pairs: the short way against the plain sum, the plain sum against its parts. */
#include "common/match/compare_decide.h"
#include "tests/unit/compare_fixture.h"

enum { SETS = 120, RECORDS = 16, COMPARISONS = 7 };

/* ---- random models ---- */

/* Bits to fixed point, with a fraction. */
static int32_t bits(struct dice *d, int from, int to)
{
    return from * KIN_WEIGHT_ONE + (int32_t)roll(d, (unsigned)((to - from) * KIN_WEIGHT_ONE));
}

/* Tables as a model makes them, but with weights in no order, as one edited by hand could have. */
static void random_tables(struct dice *d, const struct kin_comparison *comparisons, unsigned count,
                          struct kin_model_tables *t)
{
    struct kin_model model = {.spec = {.count = count}, .prior = 1e-4};
    for (unsigned i = 0; i < count; i++) {
        struct kin_model_comparison *c = &model.spec.comparisons[i];
        c->level_count = comparisons[i].level_count + 1;
        c->term_frequency = comparisons[i].term_frequency;
        model.damping[i] = model.damping_against[i] = 0.5 + 0.1 * roll(d, 6);
        model.tf_fuzzy[i] = 0.1 * roll(d, 11);
        for (unsigned l = 1; l <= c->level_count; l++)
            model.m[i][l] = model.u[i][l] = 0.001 + 0.01 * roll(d, 10);
    }
    kin_model_tables(&model, t);
    t->prior = bits(d, -25, 1);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned l = 1; l <= comparisons[i].level_count + 1; l++)
            t->weight[i][l] = one_in(d, 5) ? bits(d, -20, 20) : bits(d, -8, 12);
    }
}

/* Counts as they come from all records: each value that occurs twice, and some that are common. */
static void count_values(struct dice *d, const struct kin_comparer *c, unsigned comparison,
                         uint8_t *const *records, struct kin_value_counts *counts)
{
    struct kin_value_count items[RECORDS * KIN_COMPARISON_TERMS_MAX];
    size_t n = 0;
    uint64_t total = 0;
    for (unsigned r = 0; r < RECORDS; r++) {
        uint64_t terms[KIN_COMPARISON_TERMS_MAX];
        unsigned of_record = kin_comparer_terms(c, comparison, records[r], terms);
        total += of_record > 0;
        for (unsigned i = 0; i < of_record; i++)
            items[n++] = (struct kin_value_count){terms[i], one_in(d, 3) ? 1000 : 1};
    }
    assert_int_equal(kin_value_counts_set(counts, comparison, total * 5000, items, n), KIN_OK);
}

/* ---- what is tested ---- */

struct world {
    struct kin_arena arena;
    struct kin_comparison comparisons[COMPARISONS];
    struct kin_comparer *comparer;
    struct kin_comparer_scratch *s;
    struct kin_model_tables tables;
    struct kin_value_counts counts;
    struct kin_model_decider *decider;
    uint8_t *records[RECORDS];
};

static void make_world(struct dice *d, struct world *w)
{
    memset(w, 0, sizeof *w);
    w->comparer = random_comparer(d, &w->arena, w->comparisons, COMPARISONS);
    w->s = kin_comparer_scratch_new();
    for (unsigned i = 0; i < RECORDS; i++)
        w->records[i] = compare_record(d);
    random_tables(d, w->comparisons, COMPARISONS, &w->tables);
    for (unsigned i = 0; i < COMPARISONS; i++) {
        if (!one_in(d, 4))
            count_values(d, w->comparer, i, w->records, &w->counts);
    }
    struct kin_err err = {0};
    if (kin_model_decider_new(w->comparer, &w->tables, one_in(d, 5) ? NULL : &w->counts,
                              &w->decider, &err))
        fail_msg("%s", err.msg);
}

static void free_world(struct world *w)
{
    for (unsigned i = 0; i < RECORDS; i++)
        kin_free(w->records[i]);
    kin_model_decider_free(w->decider);
    kin_value_counts_deinit(&w->counts);
    kin_comparer_scratch_free(w->s);
    kin_comparer_free(w->comparer);
    kin_arena_deinit(&w->arena);
}

static void check_floor(struct world *w, const uint8_t *a, const uint8_t *b, int32_t weight,
                        int32_t floor)
{
    int32_t got = 42;
    bool above = kin_model_decider_above(w->decider, w->s, a, b, floor, &got);
    assert_int_equal(above, weight >= floor);
    assert_int_equal(got, above ? weight : 42);
}

/* Prior, level by level, and the adjustment of each value by the counts, added up anew. */
static void check_parts(struct world *w, const struct kin_model_explained *x, const uint8_t *a,
                        const uint8_t *b)
{
    int64_t sum = w->tables.prior;
    assert_int_equal(x->count, COMPARISONS);
    assert_true(x->pattern == kin_comparer_pattern(w->comparer, w->s, a, b));
    for (unsigned i = 0; i < COMPARISONS; i++) {
        unsigned level = kin_pattern_level(x->pattern, i);
        assert_int_equal(x->comparisons[i].level, level);
        assert_int_equal(x->comparisons[i].level_weight, w->tables.weight[i][level]);
        sum += x->comparisons[i].level_weight + x->comparisons[i].term_frequency;
        if (!w->comparisons[i].term_frequency || !level || level > w->comparisons[i].level_count)
            assert_int_equal(x->comparisons[i].term_frequency, 0);
    }
    assert_int_equal(x->weight, sum);
}

static void the_short_way_is_the_plain_sum(void **state)
{
    (void)state;
    struct dice d = {4711};
    unsigned adjusted = 0;
    for (unsigned set = 0; set < SETS; set++) {
        struct world w;
        make_world(&d, &w);
        for (unsigned i = 0; i < RECORDS; i++) {
            for (unsigned j = 0; j < RECORDS; j++) {
                const uint8_t *a = w.records[i], *b = w.records[j];
                struct kin_model_explained x;
                int32_t weight = kin_model_decider_weight(w.decider, w.s, a, b);
                kin_model_decider_explain(w.decider, w.s, a, b, &x);
                check_parts(&w, &x, a, b);
                assert_int_equal(x.weight, weight);
                assert_int_equal(kin_model_decider_weight(w.decider, w.s, b, a), weight);
                check_floor(&w, a, b, weight, weight);
                check_floor(&w, a, b, weight, weight + 1);
                check_floor(&w, a, b, weight, weight - 1);
                check_floor(&w, a, b, weight, INT32_MIN);
                check_floor(&w, a, b, weight, INT32_MAX);
                check_floor(&w, a, b, weight, bits(&d, -40, 40));
                for (unsigned k = 0; k < COMPARISONS; k++)
                    adjusted += x.comparisons[k].term_frequency != 0;
            }
        }
        free_world(&w);
    }
    assert_true(adjusted > 5000); /* the test tests something */
}

/* ---- term frequencies ---- */

static struct kin_comparer *comparer_of(struct kin_arena *arena, const char *const *levels,
                                        unsigned count, uint16_t field)
{
    struct kin_comparison c = {
        .name = "x", .fields = {field}, .field_count = 1, .term_frequency = true};
    for (unsigned i = 0; i < count; i++)
        c.levels[c.level_count++] = parse_level(arena, &c, levels[i]);
    struct kin_comparer *comparer = NULL;
    assert_int_equal(kin_comparer_new(&fixture_schema, &c, 1, &comparer, NULL), KIN_OK);
    return comparer;
}

static uint8_t *named(const char *last_name)
{
    const char *values[FIXTURE_FIELDS] = {[LAST_NAME] = last_name};
    return fixture_record(values);
}

static uint64_t hash_of(const struct kin_comparer *c, const uint8_t *rec)
{
    uint64_t terms[KIN_COMPARISON_TERMS_MAX];
    assert_int_equal(kin_comparer_terms(c, 0, rec, terms), 1);
    return terms[0];
}

/* smith is common, smyth less so, smithe was never counted. */
static void the_commoner_of_two_values_counts(void **state)
{
    (void)state;
    static const char *const levels[] = {"exact", "levenshtein 1"};
    struct kin_arena arena = {0};
    struct kin_comparer *c = comparer_of(&arena, levels, 2, LAST_NAME);
    struct kin_comparer_scratch *s = kin_comparer_scratch_new();
    uint8_t *smith = named("smith"), *smyth = named("smyth"), *smithe = named("smithe");
    const struct kin_value_count items[] = {
        {hash_of(c, smith), 900}, {hash_of(c, smyth), 20}, {hash_of(c, smith), 100}};
    struct kin_value_counts counts = {0};
    assert_int_equal(kin_value_counts_set(&counts, 0, 100000, items, 3), KIN_OK);
    assert_int_equal(kin_value_counts_of(&counts, 0, hash_of(c, smith)), 1000);
    assert_int_equal(kin_value_counts_of(&counts, 0, hash_of(c, smithe)), 0);

    struct kin_model model = {.spec = {.count = 1},
                              .prior = 0.001,
                              .damping = {1},
                              .damping_against = {1},
                              .tf_fuzzy = {0.5}};
    model.spec.comparisons[0] =
        (struct kin_model_comparison){.level_count = 3, .term_frequency = true};
    const double m[] = {0, 0.9, 0.05, 0.05}, u[] = {0, 0.01, 0.02, 0.97};
    memcpy(model.m[0], m, sizeof m);
    memcpy(model.u[0], u, sizeof u);
    struct kin_model_tables tables;
    kin_model_tables(&model, &tables);
    struct kin_model_decider *d = NULL;
    assert_int_equal(kin_model_decider_new(c, &tables, &counts, &d, NULL), KIN_OK);

    struct kin_model_explained x;
    kin_model_decider_explain(d, s, smith, smith, &x);
    assert_int_equal(x.comparisons[0].values, 1000);
    assert_int_equal(x.comparisons[0].term_frequency,
                     kin_model_tf_adjust(&tables, 0, 1, 1000, 100000));
    kin_model_decider_explain(d, s, smyth, smith, &x);
    assert_int_equal(x.comparisons[0].level, 2);
    assert_int_equal(x.comparisons[0].values, 1000);
    assert_int_equal(x.comparisons[0].term_frequency,
                     kin_model_tf_adjust(&tables, 0, 2, 1000, 100000));
    kin_model_decider_explain(d, s, smithe, smithe, &x);
    assert_int_equal(x.comparisons[0].values, 0);
    assert_true(x.comparisons[0].term_frequency > 5 * KIN_WEIGHT_ONE); /* rare */
    kin_model_decider_explain(d, s, smyth, smithe, &x);
    assert_int_equal(x.comparisons[0].level, 3);
    assert_int_equal(x.comparisons[0].term_frequency, 0);

    kin_model_decider_free(d);
    kin_value_counts_deinit(&counts);
    kin_free(smith);
    kin_free(smyth);
    kin_free(smithe);
    kin_comparer_scratch_free(s);
    kin_comparer_free(c);
    kin_arena_deinit(&arena);
}

static void many_counts_are_found_again(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct dice d = {5};
    struct kin_value_count *items = calloc(COUNT, sizeof *items);
    assert_non_null(items);
    for (unsigned i = 0; i < COUNT; i++) /* in runs that want the same slot, 0 among them */
        items[i] = (struct kin_value_count){(uint64_t)(i / 7) << 40 | i % 7, 2 + roll(&d, 100)};
    struct kin_value_counts counts = {0};
    assert_int_equal(kin_value_counts_set(&counts, 3, 7, items, COUNT), KIN_OK);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(kin_value_counts_of(&counts, 3, items[i].hash), items[i].count);
    assert_int_equal(kin_value_counts_of(&counts, 3, 8), 0);
    assert_int_equal(kin_value_counts_of(&counts, 2, 0), 0);
    kin_alloc_fail_after(0);
    assert_int_equal(kin_value_counts_set(&counts, 3, 9, items, 10), KIN_E_NOMEM);
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(counts.total[3], 7); /* as it was */
    assert_int_equal(kin_value_counts_of(&counts, 3, items[COUNT - 1].hash),
                     items[COUNT - 1].count);
    assert_int_equal(kin_value_counts_set(&counts, 3, 9, NULL, 0), KIN_OK);
    assert_int_equal(kin_value_counts_of(&counts, 3, items[0].hash), 0);
    kin_value_counts_deinit(&counts);
    free(items);
}

static void a_model_of_another_shape_is_refused(void **state)
{
    (void)state;
    static const char *const levels[] = {"exact"};
    struct kin_arena arena = {0};
    struct kin_comparer *c = comparer_of(&arena, levels, 1, LAST_NAME);
    struct kin_model_tables tables = {.count = 2};
    struct kin_model_decider *d = NULL;
    struct kin_err err = {0};
    assert_int_equal(kin_model_decider_new(c, &tables, NULL, &d, &err), KIN_E_INVAL);
    assert_string_equal(err.msg, "the model has 2 comparisons, the workflow 1");
    tables.count = 1;
    kin_alloc_fail_after(0);
    assert_int_equal(kin_model_decider_new(c, &tables, NULL, &d, &err), KIN_E_NOMEM);
    kin_alloc_fail_after(SIZE_MAX);
    assert_null(d);
    kin_comparer_free(c);
    kin_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_way_is_the_plain_sum),
        cmocka_unit_test(the_commoner_of_two_values_counts),
        cmocka_unit_test(many_counts_are_found_again),
        cmocka_unit_test(a_model_of_another_shape_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
