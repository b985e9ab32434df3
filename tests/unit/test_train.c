/* Training: what it gets right on ordinary data, what it says of data that teach little, and that
 * its result depends on the counts alone. */
#include <stdlib.h>

#include "tests/unit/train_kit.h"

/* ---- ordinary data ---- */

/* Share of a level among the sampled pairs that do not match. */
static double sampled_u(const struct simulation *s, unsigned i, unsigned level)
{
    double n = 0, all = 0;
    for (size_t k = 0; k < s->cell_count; k++) {
        double others = (double)(s->cells[k].random - s->cells[k].random_matches);
        unsigned l = kin_pattern_level(s->cells[k].pattern, i);
        n += l == level ? others : 0;
        all += l != 0 ? others : 0;
    }
    return n / all;
}

static void m_u_and_prior_are_close_to_the_truth(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sim_options o = people(seed);
        struct simulation *s = sim_new(&o);
        struct trained *t = train_on(&s->input, 0);
        assert_sane(t, true);
        for (unsigned i = 0; i < PEOPLE_FIELDS; i++) {
            for (unsigned l = 1; l <= s->spec.comparisons[i].level_count; l++) {
                /* about 900 matches in all: standard error at most 0.017; those found, and free of
                 * errors in some key, agree a little more often than all */
                const char *name = o.fields[i].name;
                assert_near(t->model.m[i][l], s->m[i][l], 0.06, name);
                /* the first level from value frequencies, the others from the sample, in which a
                 * few matches go unrecognised */
                double u = l == 1 ? s->u[i][1] : sampled_u(s, i, l);
                assert_near(t->model.u[i][l], u, 1.2e-5 + (l == 1 ? 0.15 : 0.02) * u, name);
            }
        }
        double prior = (double)s->matches / (double)s->input.possible_pairs;
        assert_near(t->model.prior / prior, 1, 0.12, "prior");
        struct sim_score score = sim_evaluate(s, &t->model);
        assert_above(score.precision, 0.99, "precision");
        assert_above(score.recall_found, 0.97, "recall");
        assert_int_equal(doubts(t, "no-matches", NULL) + doubts(t, "few-matches", NULL) +
                             doubts(t, "pass-not-converged", NULL),
                         0);
        trained_free(t);
        sim_free(s);
    }
}

/* The prior and the recall of the keys come from how far they overlap. */
static void what_the_keys_miss_is_estimated(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct sim_options o = people(seed);
        o.messy = 0.25;
        o.messy_factor = 4;
        struct simulation *s = sim_new(&o);
        struct trained *t = train_on(&s->input, 0);
        struct trained *without = train_on(&s->input, KIN_TRAIN_WITHOUT_OVERLAP);
        double truth = (double)s->matches, found = 0;
        for (size_t k = 0; k < s->cell_count; k++)
            found += s->cells[k].keys ? (double)s->cells[k].matches : 0;
        assert_above(0.85, found / truth, "recall that is possible");
        assert_near(t->report.found / found, 1, 0.02, "found");
        assert_near(t->report.matches / truth, 1, 0.13, "matches");
        assert_near(t->report.recall, found / truth, 0.1, "recall");
        assert_true(t->report.matches_low <= t->report.matches &&
                    t->report.matches <= t->report.matches_high);
        assert_above(fabs(without->report.matches / truth - 1), 0.15, "error without the overlap");
        for (unsigned p = 0; p < o.key_count; p++) {
            double mine = 0;
            for (size_t k = 0; k < s->cell_count; k++)
                mine += s->cells[k].keys >> p & 1 ? (double)s->cells[k].matches : 0;
            assert_near(t->report.passes[p].recall, mine / truth, 0.07, "recall of a key");
            assert_true(t->model.origin.passes[p].recall > 0);
        }
        trained_free(t);
        trained_free(without);
        sim_free(s);
    }
}

/* Without counts of the overlap the error rates say how many matches the keys find. */
static void recall_is_unknown_without_overlap_and_the_prior_still_fitted(void **state)
{
    (void)state;
    struct sim_options o = people(5);
    struct simulation *s = sim_new(&o);
    s->input.set_count = 0;
    struct trained *t = train_on(&s->input, 0);
    assert_sane(t, true);
    assert_true(t->report.recall < 0);
    assert_int_equal(doubts(t, "recall-unknown", "no counts say"), 1);
    double prior = (double)s->matches / (double)s->input.possible_pairs;
    assert_true(t->model.prior > 0.85 * prior && t->model.prior < 1.2 * prior);
    struct sim_score score = sim_evaluate(s, &t->model);
    assert_above(score.precision, 0.99, "precision");
    assert_above(score.recall_found, 0.95, "recall");
    trained_free(t);
    sim_free(s);
}

/* A key that finds a sample of its blocks only: counts are scaled to the whole pass. */
static void sampled_passes_are_scaled_up(void **state)
{
    (void)state;
    struct sim_options o = people(6);
    struct simulation *s = sim_new(&o);
    struct trained *t = train_on(&s->input, 0);
    struct kin_train_pass passes[4];
    uint64_t all = 0;
    for (unsigned p = 0; p < 4; p++) {
        passes[p] = s->input.passes[p];
        passes[p].pairs = 0;
        for (size_t k = 0; k < passes[p].counts.n; k++)
            passes[p].pairs += 3 * passes[p].counts.items[k].count;
    }
    for (size_t k = 0; k < s->input.set_count; k++)
        all += 3 * s->input.sets[k].count;
    s->input.passes = passes;
    s->input.set_pairs = all;
    struct trained *scaled = train_on(&s->input, 0);
    assert_true(fabs(scaled->report.found / t->report.found - 3) < 0.05);
    assert_true(fabs(scaled->report.passes[0].matches / t->report.passes[0].matches - 3) < 0.05);
    assert_int_equal(scaled->model.origin.passes[0].pairs, passes[0].pairs);
    trained_free(t);
    trained_free(scaled);
    sim_free(s);
}

/* ---- labels ---- */

static void label(const struct simulation *s, bool found_only, struct kin_train_input *in,
                  struct kin_pattern_count *matches, struct kin_pattern_count *others)
{
    size_t a = 0, b = 0;
    for (size_t k = 0; k < s->cell_count; k++) {
        const struct sim_cell *c = &s->cells[k];
        if (c->matches && (c->keys || !found_only))
            matches[a++] = (struct kin_pattern_count){c->pattern, c->matches};
        if (c->pairs > c->matches && c->keys)
            others[b++] = (struct kin_pattern_count){c->pattern, c->pairs - c->matches};
    }
    in->matches = (struct kin_pattern_counts){matches, a};
    in->others = (struct kin_pattern_counts){others, b};
}

static void labels_give_m_and_need_no_passes(void **state)
{
    (void)state;
    struct sim_options o = people(7);
    o.household = 0.4;
    o.household_fields = 1 << LAST | 1 << STREET | 1 << CITY | 1 << PHONE;
    o.keys[BY_EMAIL] = 1 << STREET;
    struct simulation *s = sim_new(&o);
    struct kin_pattern_count *matches = kin_calloc(s->cell_count, sizeof *matches);
    struct kin_pattern_count *others = kin_calloc(s->cell_count, sizeof *others);
    struct kin_train_input in = s->input;
    label(s, false, &in, matches, others);
    in.all_matches_labelled = true;
    for (unsigned passes = 0; passes <= 4; passes += 4) {
        in.pass_count = passes;
        in.set_count = passes ? s->input.set_count : 0;
        struct trained *t = train_on(&in, 0);
        assert_sane(t, true);
        for (unsigned i = 0; i < PEOPLE_FIELDS; i++) {
            if (doubts(t, "levels-reordered", o.fields[i].name))
                continue;
            for (unsigned l = 1; l <= s->spec.comparisons[i].level_count; l++)
                assert_near(t->model.m[i][l], s->m[i][l], 1e-5, o.fields[i].name);
        }
        double prior = (double)s->matches / (double)s->input.possible_pairs;
        assert_true(fabs(t->model.prior / prior - 1) < 1e-5);
        assert_int_equal(t->model.origin.labelled_matches, s->matches);
        struct sim_score score = sim_evaluate(s, &t->model);
        assert_above(score.precision, 0.99, "precision");
        assert_above(score.recall_found, 0.93, "recall");
        trained_free(t);
    }
    kin_free(matches);
    kin_free(others);
    sim_free(s);
}

static void few_labels_are_doubted(void **state)
{
    (void)state;
    struct sim_options o = people(8);
    struct simulation *s = sim_new(&o);
    struct kin_pattern_count matches[] = {{0x1111111110 | 1, 6}, {0x3132121213 & 0xfffffffff, 2}};
    struct kin_train_input in = s->input;
    in.matches = (struct kin_pattern_counts){matches, 2};
    in.pass_count = 0;
    in.set_count = 0;
    matches[0].pattern = 0;
    matches[1].pattern = 0;
    for (unsigned i = 0; i < PEOPLE_FIELDS; i++) {
        matches[0].pattern = kin_pattern_with(matches[0].pattern, i, 1);
        matches[1].pattern = kin_pattern_with(matches[1].pattern, i, i % 2 + 1);
    }
    struct trained *t = train_on(&in, 0);
    assert_sane(t, true);
    assert_int_equal(doubts(t, "few-labels", "Only 8"), 1);
    assert_int_equal(doubts(t, "no-other-labels", NULL), 1);
    assert_true(doubts(t, "level-not-seen", "'else' was never observed among matches") > 0);
    assert_true(t->model.m[STREET][3] > 0.01); /* half a pair of eight: not zero */
    trained_free(t);
    in.random = (struct kin_pattern_counts){0};
    memset(in.equal, 0, sizeof in.equal);
    t = train_on(&in, 0);
    assert_sane(t, true);
    assert_int_equal(doubts(t, "no-random-pairs", NULL), 1);
    assert_int_equal(doubts(t, "prior-assumed", NULL), 1);
    trained_free(t);
    sim_free(s);
}

/* ---- data that teach little ---- */

static void a_hundred_records_are_enough_for_a_rough_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim_options o = people(seed);
        o.things = 85;
        o.duplicated = 0.2;
        o.copies_max = 2;
        struct simulation *s = sim_new(&o);
        struct trained *t = train_on(&s->input, 0);
        assert_sane(t, true);
        assert_int_equal(doubts(t, "few-matches", NULL), 1);
        assert_true(doubts(t, "level-not-seen", NULL) > 0);
        struct sim_score score = sim_evaluate(s, &t->model);
        assert_above(score.precision, 0.9, "precision");
        assert_above(score.recall_found, 0.8, "recall");
        trained_free(t);
        sim_free(s);
    }
}

static void no_duplicates_are_said_to_be_none(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim_options o = people(seed);
        o.duplicated = 0;
        if (seed == 5) { /* and people alike */
            o.household = 0.5;
            o.household_fields = 1 << LAST | 1 << STREET | 1 << CITY | 1 << PHONE;
            o.keys[BY_EMAIL] = 1 << STREET;
        }
        struct simulation *s = sim_new(&o);
        struct trained *t = train_on(&s->input, 0);
        assert_sane(t, true);
        assert_true(t->report.found < 5);
        assert_int_equal(doubts(t, "no-matches", NULL) + doubts(t, "few-matches", NULL), 1);
        struct sim_score score = sim_evaluate(s, &t->model);
        assert_true(score.pairs[2] + score.pairs[3] <= 2); /* 0.95 and more */
        trained_free(t);
        sim_free(s);
    }
}

static void nothing_but_duplicates_is_learnt_from(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sim_options o = people(seed);
        o.things = 12;
        o.duplicated = 1;
        o.copies_max = 60;
        struct simulation *s = sim_new(&o);
        struct trained *t = train_on(&s->input, 0);
        assert_sane(t, true);
        struct sim_score score = sim_evaluate(s, &t->model);
        assert_above(score.precision, 0.99, "precision");
        assert_above(score.recall_found, 0.9, "recall");
        trained_free(t);
        o.things = 1; /* one thing, forty times: nothing to tell it from */
        o.copies_max = 40;
        struct simulation *one = sim_new(&o);
        t = train_on(&one->input, 0);
        assert_sane(t, true);
        assert_true(t->model.doubt_count > 0);
        trained_free(t);
        sim_free(one);
        sim_free(s);
    }
}

static void no_more_matches_than_clean_sources_allow(void **state)
{
    (void)state;
    struct sim_options o = people(8);
    struct simulation *s = sim_new(&o);
    s->input.most_matches = s->matches * 2;
    struct trained *t = train_on(&s->input, 0);
    assert_int_equal(doubts(t, "more-than-possible", NULL), 0);
    trained_free(t);
    s->input.most_matches = s->matches / 2;
    t = train_on(&s->input, 0);
    assert_int_equal(doubts(t, "more-than-possible", "leave room for"), 1);
    assert_true(t->report.matches <= (double)s->input.most_matches);
    assert_true(t->report.matches_high <= (double)s->input.most_matches);
    assert_near(t->model.prior * (double)s->input.possible_pairs / (double)s->input.most_matches, 1,
                1e-5, "prior");
    trained_free(t);
    sim_free(s);
}

/* Only the pairs that agree in least are left: no sum of their weights is a match. */
static void a_model_that_matches_nothing_says_so(void **state)
{
    (void)state;
    struct sim_options o = people(9);
    struct simulation *s = sim_new(&o);
    struct trained *t = train_on(&s->input, 0);
    assert_int_equal(doubts(t, "matches-nothing", NULL), 0);
    trained_free(t);
    struct kin_train_set *sets = kin_calloc(s->input.set_count, sizeof *sets);
    size_t n = 0;
    for (size_t k = 0; k < s->input.set_count; k++) {
        unsigned agree = 0;
        for (unsigned i = 0; i < s->spec.count; i++) {
            unsigned level = kin_pattern_level(s->input.sets[k].pattern, i);
            agree += level && level < s->spec.comparisons[i].level_count;
        }
        if (agree <= 2)
            sets[n++] = s->input.sets[k];
    }
    s->input.sets = sets;
    s->input.set_count = n;
    t = train_on(&s->input, 0);
    assert_int_equal(doubts(t, "matches-nothing", "threshold of 0.95"), 1);
    trained_free(t);
    s->input.threshold = 1e-12; /* what anything reaches */
    t = train_on(&s->input, 0);
    assert_int_equal(doubts(t, "matches-nothing", NULL), 0);
    trained_free(t);
    kin_free(sets);
    sim_free(s);
}

static void one_comparison_makes_a_model(void **state)
{
    (void)state;
    struct sim_options o = people(9);
    o.field_count = 1;
    o.fields[0] = people(9).fields[EMAIL];
    o.fields[0].values = 3000;
    o.key_count = 1;
    o.keys[0] = 1;
    struct simulation *s = sim_new(&o);
    struct trained *t = train_on(&s->input, 0); /* its key forces the only comparison */
    assert_sane(t, true);
    assert_int_equal(doubts(t, "pass-not-used", NULL), 1);
    assert_int_equal(doubts(t, "not-learnt", "email"), 1);
    assert_int_equal(doubts(t, "recall-unknown", "a second key"), 1);
    trained_free(t);
    s->input.pass_count = 0; /* random pairs alone */
    s->input.set_count = 0;
    t = train_on(&s->input, 0);
    assert_sane(t, true);
    trained_free(t);
    sim_free(s);
}

static void a_comparison_without_values_has_no_weight(void **state)
{
    (void)state;
    struct sim_options o = people(10);
    o.fields[PHONE].empty = 1;
    struct simulation *s = sim_new(&o);
    struct trained *t = train_on(&s->input, 0);
    struct kin_model_tables tables;
    assert_sane(t, true);
    kin_model_tables(&t->model, &tables);
    for (unsigned l = 0; l < 16; l++)
        assert_int_equal(tables.weight[PHONE][l], 0);
    assert_int_equal(doubts(t, "comparison-empty", "phone"), 1);
    assert_int_equal(doubts(t, "comparison-empty", NULL), 1);
    struct sim_score score = sim_evaluate(s, &t->model);
    assert_above(score.precision, 0.99, "precision");
    assert_above(score.recall_found, 0.95, "recall");
    trained_free(t);
    sim_free(s);
}

static void no_counts_at_all_make_a_model_full_of_doubts(void **state)
{
    (void)state;
    struct sim_options o = people(11);
    o.things = 1;
    o.duplicated = 0;
    struct simulation *s = sim_new(&o);
    struct trained *t = train_on(&s->input, 0);
    assert_sane(t, true);
    assert_int_equal(doubts(t, "no-random-pairs", "no comparison has weight"), 1);
    assert_int_equal(doubts(t, "no-matches", NULL), 1);
    assert_int_equal(doubts(t, "pass-empty", NULL), 4);
    trained_free(t);
    sim_free(s);
}

static void levels_never_observed_are_named_and_finite(void **state)
{
    (void)state;
    struct sim_options o = people(12);
    o.fields[CITY].two_levels = false; /* 'close' is possible, but no city has a slip */
    o.fields[CITY].close = 0;
    o.fields[CITY].alike = 0;
    struct simulation *s = sim_new(&o);
    struct trained *t = train_on(&s->input, 0);
    struct kin_model_tables tables;
    assert_sane(t, true);
    assert_int_equal(doubts(t, "level-not-seen",
                            "city: the level 'close' was never observed among "
                            "matches, nor among other pairs"),
                     1);
    assert_false(t->model.m_seen[CITY][2] || t->model.u_seen[CITY][2]);
    kin_model_tables(&t->model, &tables);
    assert_true(tables.weight[CITY][2] <= tables.weight[CITY][1]);
    assert_true(tables.weight[CITY][2] >= tables.weight[CITY][3]);
    trained_free(t);
    sim_free(s);
}

/* ---- the same input, the same bytes ---- */

static struct kin_buf bytes_of(const struct kin_train_input *in)
{
    struct trained *t = train_on(in, 0);
    struct kin_buf text = {0};
    struct kin_err err;
    assert_int_equal(kin_model_write(&t->model, &text, &err), KIN_OK);
    kin_train_print(&t->model, &t->report, &text);
    trained_free(t);
    return text;
}

/* Each count in up to three parts, in random order. */
static struct kin_pattern_counts shuffled(uint64_t *rng, struct kin_pattern_counts from)
{
    struct kin_pattern_count *items = kin_calloc(from.n * 3 + 1, sizeof *items);
    size_t n = 0;
    for (size_t k = 0; k < from.n; k++) {
        uint64_t left = from.items[k].count;
        for (unsigned part = 0; part < 2; part++) {
            uint64_t some = sim_next(rng) % (left + 1);
            items[n++] = (struct kin_pattern_count){from.items[k].pattern, some};
            left -= some;
        }
        items[n++] = (struct kin_pattern_count){from.items[k].pattern, left};
    }
    for (size_t k = n; k > 1; k--) {
        size_t j = sim_next(rng) % k;
        struct kin_pattern_count swap = items[k - 1];
        items[k - 1] = items[j];
        items[j] = swap;
    }
    return (struct kin_pattern_counts){items, n};
}

static void order_and_partition_of_counts_do_not_matter(void **state)
{
    (void)state;
    struct sim_options o = people(13);
    o.household = 0.3;
    o.household_fields = 1 << LAST | 1 << STREET | 1 << CITY;
    struct simulation *s = sim_new(&o);
    struct kin_buf expected = bytes_of(&s->input);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t rng = seed;
        struct kin_train_input in = s->input;
        struct kin_train_pass passes[4];
        struct kin_train_set *sets = kin_calloc(in.set_count * 2, sizeof *sets);
        in.random = shuffled(&rng, s->input.random);
        for (unsigned p = 0; p < 4; p++) {
            passes[p] = s->input.passes[p];
            passes[p].counts = shuffled(&rng, s->input.passes[p].counts);
        }
        in.passes = passes;
        for (size_t k = 0; k < in.set_count; k++) {
            const struct kin_train_set *set = &s->input.sets[in.set_count - 1 - k];
            sets[2 * k] = sets[2 * k + 1] = *set;
            sets[2 * k].count = sim_next(&rng) % (set->count + 1);
            sets[2 * k + 1].count = set->count - sets[2 * k].count;
        }
        in.sets = sets;
        in.set_count *= 2;
        struct kin_buf bytes = bytes_of(&in);
        assert_int_equal(bytes.n, expected.n);
        assert_memory_equal(bytes.p, expected.p, expected.n);
        kin_buf_deinit(&bytes);
        kin_free((void *)(uintptr_t)in.random.items);
        for (unsigned p = 0; p < 4; p++)
            kin_free((void *)(uintptr_t)passes[p].counts.items);
        kin_free(sets);
    }
    kin_buf_deinit(&expected);
    sim_free(s);
}

/* ---- bad input ---- */

static void impossible_input_is_refused(void **state)
{
    (void)state;
    struct sim_options o = people(14);
    o.things = 60;
    struct simulation *s = sim_new(&o);
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_train_report report;
    struct kin_err err;
    struct kin_pattern_count bad[] = {{0x5, 1}, {UINT64_C(1) << 60, 1}, {1, UINT64_MAX}};
    for (unsigned k = 0; k < 3; k++) {
        kin_status expected = k < 2 ? KIN_E_INVAL : KIN_E_LIMIT;
        struct kin_train_input in = s->input;
        in.random = (struct kin_pattern_counts){&bad[k], 1};
        assert_int_equal(kin_train(&in, 0, &arena, &model, &report, &err), expected);
        assert_memory_equal(err.msg, "random pairs: ", 14);
        in = s->input;
        struct kin_train_pass pass = s->input.passes[0];
        pass.counts = in.random = (struct kin_pattern_counts){&bad[k], 1};
        in.random = s->input.random;
        in.passes = &pass;
        in.pass_count = 1;
        in.set_count = 0;
        assert_int_equal(kin_train(&in, 0, &arena, &model, &report, &err), expected);
        assert_memory_equal(err.msg, "first, last: ", 13);
        in = s->input;
        struct kin_train_set set = {1, bad[k].pattern, bad[k].count};
        in.sets = &set;
        in.set_count = 1;
        assert_int_equal(kin_train(&in, 0, &arena, &model, &report, &err), expected);
    }
    struct kin_train_input in = s->input;
    struct kin_train_set none = {0, 0x11, 1}, unknown = {16, 0x11, 1};
    in.set_count = 1;
    in.sets = &none;
    assert_int_equal(kin_train(&in, 0, &arena, &model, &report, &err), KIN_E_INVAL);
    in.sets = &unknown;
    assert_int_equal(kin_train(&in, 0, &arena, &model, &report, &err), KIN_E_INVAL);
    in = s->input;
    in.pass_count = KIN_MODEL_PASSES_MAX + 1;
    assert_int_equal(kin_train(&in, 0, &arena, &model, &report, &err), KIN_E_LIMIT);
    in = s->input;
    struct kin_model_spec spec = {.count = 0};
    in.spec = &spec;
    assert_int_equal(kin_train(&in, 0, &arena, &model, &report, &err), KIN_E_INVAL);
    kin_arena_deinit(&arena);
    sim_free(s);
}

/* Not one sim_next after the other in one expression: their order would be the compiler's. */
static void random_input(uint64_t *rng, bool huge, const struct kin_model_spec *spec,
                         struct kin_pattern_count (*items)[40], struct kin_train_pass *passes,
                         struct kin_train_set *sets, struct kin_train_input *in)
{
    *in = (struct kin_train_input){.spec = spec, .passes = passes, .pass_count = 4, .sets = sets};
    for (unsigned k = 0; k < 5 * 40; k++) {
        struct kin_pattern_count *x = &items[k / 40][k % 40];
        x->pattern = 0;
        x->count = sim_next(rng) >> (huge ? 9 : 36);
        x->count >>= sim_next(rng) % (huge ? 55 : 28);
        for (unsigned i = 0; i < spec->count; i++)
            x->pattern = kin_pattern_with(
                x->pattern, i, (unsigned)(sim_next(rng) % (spec->comparisons[i].level_count + 1)));
    }
    for (unsigned p = 0; p < 4; p++) {
        passes[p] = (struct kin_train_pass){.name = "pass"};
        passes[p].forced = (uint32_t)sim_next(rng) & 511;
        passes[p].counts = (struct kin_pattern_counts){items[p], sim_next(rng) % 40};
    }
    for (unsigned k = 0; k < 40; k++)
        sets[k] = (struct kin_train_set){1 + (uint32_t)(sim_next(rng) % 15),
                                         items[k % 4][k].pattern, items[k % 4][k].count};
    in->random = (struct kin_pattern_counts){items[4], sim_next(rng) % 40};
    in->set_count = sim_next(rng) % 40;
    in->records = sim_next(rng) >> 3;
    in->possible_pairs = sim_next(rng) >> 3;
    in->possible_pairs >>= sim_next(rng) % 60;
    for (unsigned i = 0; i < spec->count; i++) {
        in->equal[i].pairs = sim_next(rng) >> (huge ? 0 : 36);
        in->equal[i].equal = sim_next(rng) >> (huge ? 0 : 36);
        in->equal[i].pairs >>= sim_next(rng) % 28;
        in->equal[i].equal >>= sim_next(rng) % 28;
    }
}

static void random_counts_make_some_model(void **state)
{
    (void)state;
    uint64_t rng = 15;
    for (unsigned round = 0; round < 150; round++) {
        struct sim_options o = people(16);
        bool huge = round % 2; /* where rounding may disturb the order of levels */
        o.things = 2;
        struct simulation *s = sim_new(&o);
        struct kin_pattern_count items[5][40];
        struct kin_train_pass passes[4];
        struct kin_train_set sets[40];
        struct kin_train_input in;
        s->spec.count = 1 + (unsigned)(sim_next(&rng) % PEOPLE_FIELDS);
        random_input(&rng, huge, &s->spec, items, passes, sets, &in);
        struct trained *t = train_on(&in, 0);
        assert_sane(t, !huge);
        trained_free(t);
        sim_free(s);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct sim_options o = people(17);
    o.things = 40;
    struct simulation *s = sim_new(&o);
    kin_status status = KIN_E_NOMEM;
    for (size_t n = 0; status != KIN_OK && n < 1000; n++) {
        struct kin_arena arena = {0};
        struct kin_model model;
        struct kin_train_report report;
        struct kin_err err = {0};
        kin_alloc_fail_after(n);
        status = kin_train(&s->input, 0, &arena, &model, &report, &err);
        kin_alloc_fail_after(SIZE_MAX);
        assert_true(status == KIN_OK || status == KIN_E_NOMEM);
        kin_arena_deinit(&arena);
    }
    assert_int_equal(status, KIN_OK);
    sim_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(m_u_and_prior_are_close_to_the_truth),
        cmocka_unit_test(what_the_keys_miss_is_estimated),
        cmocka_unit_test(recall_is_unknown_without_overlap_and_the_prior_still_fitted),
        cmocka_unit_test(sampled_passes_are_scaled_up),
        cmocka_unit_test(labels_give_m_and_need_no_passes),
        cmocka_unit_test(few_labels_are_doubted),
        cmocka_unit_test(a_hundred_records_are_enough_for_a_rough_model),
        cmocka_unit_test(no_duplicates_are_said_to_be_none),
        cmocka_unit_test(nothing_but_duplicates_is_learnt_from),
        cmocka_unit_test(no_more_matches_than_clean_sources_allow),
        cmocka_unit_test(a_model_that_matches_nothing_says_so),
        cmocka_unit_test(one_comparison_makes_a_model),
        cmocka_unit_test(a_comparison_without_values_has_no_weight),
        cmocka_unit_test(no_counts_at_all_make_a_model_full_of_doubts),
        cmocka_unit_test(levels_never_observed_are_named_and_finite),
        cmocka_unit_test(order_and_partition_of_counts_do_not_matter),
        cmocka_unit_test(impossible_input_is_refused),
        cmocka_unit_test(random_counts_make_some_model),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
