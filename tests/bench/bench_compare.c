/* Pairs decided a second by one thread under a typical model of people: invented people, blocked as
 * a batch blocks them, weights from the true pairs, value frequencies from all records.
 *
 *   bench_compare [records, 200000] [pairs at most for each set of keys, 2000000] [set, all] */
#include "common/match/blocking.h"
#include "common/match/compare_decide.h"
#include "common/record/normalise.h"
#include "tests/bench/generate_people.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIELDS = 7, RUNS = 5, LEVELS = 4, COMPARISONS = 5 };

static const struct kin_field fields[FIELDS] = {
    {.name = "first_name", .type = KIN_TYPE_NAME},
    {.name = "last_name", .type = KIN_TYPE_NAME},
    {.name = "dob", .type = KIN_TYPE_DATE},
    {.name = "email", .type = KIN_TYPE_EMAIL},
    {.name = "city", .type = KIN_TYPE_TEXT},
    {.name = "postcode", .type = KIN_TYPE_POSTCODE},
    {.name = "phone", .type = KIN_TYPE_PHONE, .country = "GB"},
};
static const unsigned cells[FIELDS] = {FIRST, LAST, DOB, EMAIL, CITY, POSTCODE, PHONE};
static const struct kin_schema schema = {fields, FIELDS};

static const struct {
    const char *name, *levels[LEVELS];
    bool term_frequency;
} model_of_people[COMPARISONS] = {
    {"first_name", {"exact", "jaro_winkler 0.92", "jaro_winkler 0.8"}, true},
    {"last_name", {"exact", "jaro_winkler 0.92", "jaro_winkler 0.8"}, true},
    {"dob", {"exact", "damerau 1", "within 1 year"}, false},
    {"email", {"exact", "same username", "jaro_winkler 0.9"}, false},
    {"city", {"exact"}, true},
};

static const char *const key_sets[][4][3] = {
    {{"first_name", "last_name"}, {"last_name", "dob"}, {"first_name", "dob"}, {"email"}},
    {{"email"}, {"phone"}, {"soundex(last_name)", "dob"}, {"prefix(first_name, 3)", "postcode"}},
    {{"soundex(last_name)", "year(dob)"}, {"first_name", "city"}},
};
enum { KEY_SETS = sizeof key_sets / sizeof *key_sets };

struct pair {
    uint32_t a, b;
};

struct bench {
    uint32_t count;
    uint8_t **records;
    uint64_t *entity;
    struct kin_buf bytes;
    struct kin_comparer *comparer;
    struct kin_comparer_scratch *scratch;
    struct kin_value_counts counts;
    struct kin_model_decider *decider;
    struct pair *pairs;
    size_t pair_count;
    size_t pair_room;
};

static void check(kin_status status, const struct kin_err *err)
{
    if (status == KIN_OK)
        return;
    fprintf(stderr, "bench_compare: %s\n", err ? err->msg : kin_status_text(status));
    exit(1);
}

/* ---- records ---- */

static void make_records(struct bench *b)
{
    const struct kin_people_options options = {b->count, 7, 250000, false};
    struct kin_people *people = kin_people_new(&options);
    struct kin_norm_scratch *norm = kin_norm_scratch_new();
    size_t *starts = calloc(b->count, sizeof *starts);
    for (uint32_t r = 0; r < b->count; r++) {
        struct kin_person person;
        struct kin_features_builder builder;
        b->entity[r] = kin_people_record(people, r, &person);
        starts[r] = b->bytes.n;
        kin_features_begin(&builder, &b->bytes, FIELDS, r, 0, KIN_STR("12345678"));
        for (unsigned f = 0; f < FIELDS; f++) {
            const struct kin_people_text *cell = &person.cell[cells[f]];
            struct kin_norm_value v;
            if (!cell->n || kin_normalise(norm, &fields[f], (struct kin_str){cell->p, cell->n},
                                          &v) != KIN_NORM_VALUE)
                continue;
            kin_features_field(&builder, f);
            kin_features_value(&builder, v.p, v.bytes, v.ascii);
        }
        check(kin_features_end(&builder, NULL, 0), NULL);
    }
    for (uint32_t r = 0; r < b->count; r++)
        b->records[r] = b->bytes.p + starts[r];
    free(starts);
    kin_norm_scratch_free(norm);
    kin_people_free(people);
}

/* ---- pairs ---- */

struct posting {
    uint64_t key;
    uint32_t record;
};

static int by_key(const void *x, const void *y)
{
    const struct posting *a = x, *b = y;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->record > b->record) - (a->record < b->record);
}

static void add_block(struct bench *b, const struct posting *block, size_t n)
{
    for (size_t i = 0; i < n && n <= 5000; i++) {
        for (size_t j = i + 1; j < n && b->pair_count < b->pair_room; j++)
            b->pairs[b->pair_count++] = (struct pair){block[i].record, block[j].record};
    }
}

static void make_pairs(struct bench *b, const char *const set[4][3])
{
    struct kin_key_rule rules[4] = {{.count = 0}};
    struct kin_err err = {.msg = ""};
    size_t rule_count = 0;
    for (; rule_count < 4 && set[rule_count][0]; rule_count++) {
        struct kin_key_rule *rule = &rules[rule_count];
        rule->number = (uint8_t)rule_count;
        for (; set[rule_count][rule->count]; rule->count++) {
            unsigned column;
            check(kin_key_term_parse(&schema, kin_str_of(set[rule_count][rule->count]),
                                     &rule->terms[rule->count], &column, &err),
                  &err);
        }
    }
    struct posting *postings = calloc((size_t)b->count * 8, sizeof *postings);
    size_t n = 0;
    for (uint32_t r = 0; r < b->count; r++) {
        uint64_t keys[KIN_KEYS_MAX], excess = 0;
        size_t count = kin_blocking_keys(rules, rule_count, b->records[r], 8, keys, &excess);
        for (size_t k = 0; k < count; k++)
            postings[n++] = (struct posting){keys[k], r};
    }
    qsort(postings, n, sizeof *postings, by_key);
    b->pair_count = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && postings[end].key == postings[i].key;)
            end++;
        add_block(b, postings + i, end - i);
    }
    free(postings);
}

/* ---- the model ---- */

static void make_comparer(struct bench *b)
{
    struct kin_arena arena = {0};
    struct kin_comparison comparisons[COMPARISONS];
    struct kin_err err = {.msg = ""};
    for (unsigned i = 0; i < COMPARISONS; i++) {
        struct kin_comparison *c = &comparisons[i];
        *c = (struct kin_comparison){.name = model_of_people[i].name, .field_count = 1};
        c->fields[0] = (uint16_t)i;
        c->term_frequency = model_of_people[i].term_frequency;
        for (; c->level_count < LEVELS && model_of_people[i].levels[c->level_count];
             c->level_count++) {
            unsigned column;
            check(kin_level_parse(&arena, &schema, c,
                                  kin_str_of(model_of_people[i].levels[c->level_count]),
                                  &c->levels[c->level_count], &column, &err),
                  &err);
        }
    }
    check(kin_comparer_new(&schema, comparisons, COMPARISONS, &b->comparer, &err), &err);
    kin_arena_deinit(&arena);
}

static int by_hash(const void *x, const void *y)
{
    const struct kin_value_count *a = x, *b = y;
    return (a->hash > b->hash) - (a->hash < b->hash);
}

static void count_values(struct bench *b, unsigned comparison)
{
    struct kin_value_count *items = calloc(b->count, sizeof *items);
    size_t n = 0, kept = 0;
    for (uint32_t r = 0; r < b->count; r++) {
        uint64_t terms[KIN_COMPARISON_TERMS_MAX];
        if (kin_comparer_terms(b->comparer, comparison, b->records[r], terms))
            items[n++] = (struct kin_value_count){terms[0], 1};
    }
    qsort(items, n, sizeof *items, by_hash);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && items[end].hash == items[i].hash;)
            end++;
        if (end - i > 1)
            items[kept++] = (struct kin_value_count){items[i].hash, end - i};
    }
    check(kin_value_counts_set(&b->counts, comparison, n, items, kept), NULL);
    free(items);
}

static void count_levels(const struct bench *b, const struct pair *pairs, size_t n,
                         double counts[COMPARISONS][LEVELS + 2])
{
    for (size_t i = 0; i < n; i++) {
        uint64_t pattern = kin_comparer_pattern(b->comparer, b->scratch, b->records[pairs[i].a],
                                                b->records[pairs[i].b]);
        for (unsigned c = 0; c < COMPARISONS; c++)
            counts[c][kin_pattern_level(pattern, c)]++;
    }
}

/* m from the true pairs among the first ones, u from pairs at random. */
static void make_decider(struct bench *b)
{
    struct kin_model model = {.prior = 0.3 / b->count};
    struct pair *random = calloc(200000, sizeof *random), *same = calloc(200000, sizeof *same);
    size_t same_count = 0;
    uint64_t seed = 1;
    for (size_t i = 0; i < 200000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        random[i] = (struct pair){(uint32_t)(seed >> 33) % b->count, (uint32_t)(i % b->count)};
    }
    for (size_t i = 0; i < b->pair_count && same_count < 200000; i++) {
        if (b->entity[b->pairs[i].a] == b->entity[b->pairs[i].b])
            same[same_count++] = b->pairs[i];
    }
    double m[COMPARISONS][LEVELS + 2] = {{0}}, u[COMPARISONS][LEVELS + 2] = {{0}};
    count_levels(b, same, same_count, m);
    count_levels(b, random, 200000, u);
    kin_comparer_spec(b->comparer, &model.spec);
    for (unsigned c = 0; c < COMPARISONS; c++) {
        unsigned levels = model.spec.comparisons[c].level_count;
        double sum_m = 0, sum_u = 0;
        for (unsigned l = 1; l <= levels; l++) {
            sum_m += m[c][l] + 1;
            sum_u += u[c][l] + 1;
        }
        for (unsigned l = 1; l <= levels; l++) {
            model.m[c][l] = (m[c][l] + 1) / sum_m;
            model.u[c][l] = (u[c][l] + 1) / sum_u;
        }
        model.damping[c] = model.damping_against[c] = 1;
        model.tf_fuzzy[c] = 0.5;
        if (model.spec.comparisons[c].term_frequency)
            count_values(b, c);
    }
    struct kin_model_tables tables;
    kin_model_tables(&model, &tables);
    struct kin_err err = {.msg = ""};
    check(kin_model_decider_new(b->comparer, &tables, &b->counts, &b->decider, &err), &err);
    free(random);
    free(same);
}

/* ---- measuring ---- */

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* others may share the machine */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum way { PATTERN, WEIGHT, ABOVE };

/* Returns how many pairs reach the floor. */
static uint64_t run(const struct bench *b, enum way way, int32_t floor)
{
    enum { AHEAD = 6 };
    uint64_t reached = 0;
    for (size_t i = 0; i < b->pair_count; i++) {
        if (i + AHEAD < b->pair_count) {
            kin_comparer_prefetch(b->records[b->pairs[i + AHEAD].a]);
            kin_comparer_prefetch(b->records[b->pairs[i + AHEAD].b]);
        }
        const uint8_t *x = b->records[b->pairs[i].a], *y = b->records[b->pairs[i].b];
        int32_t weight = 0;
        if (way == PATTERN)
            reached += kin_comparer_pattern(b->comparer, b->scratch, x, y) == 0;
        else if (way == WEIGHT)
            reached += kin_model_decider_weight(b->decider, b->scratch, x, y) >= floor;
        else
            reached += kin_model_decider_above(b->decider, b->scratch, x, y, floor, &weight);
    }
    return reached;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct bench *b, const char *name, enum way way, double floor)
{
    double rates[RUNS];
    uint64_t reached = 0;
    for (int i = 0; i < RUNS; i++) {
        double start = seconds_now();
        reached = run(b, way, kin_weight_of_bits(floor));
        rates[i] = (double)b->pair_count / (seconds_now() - start) / 1e6;
    }
    qsort(rates, RUNS, sizeof rates[0], ascending);
    printf("    %-34s %6.1f M pairs/s", name, rates[RUNS / 2]);
    if (way == ABOVE)
        printf("   %5.1f %% reach it", 100.0 * (double)reached / (double)b->pair_count);
    printf("\n");
}

int main(int argc, char **argv)
{
    struct bench b = {.count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 200000,
                      .pair_room = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000000};
    b.records = calloc(b.count, sizeof *b.records);
    b.entity = calloc(b.count, sizeof *b.entity);
    b.pairs = calloc(b.pair_room, sizeof *b.pairs);
    if (b.count < 1000 || !b.records || !b.entity || !b.pairs)
        return 1;
    make_records(&b);
    make_comparer(&b);
    b.scratch = kin_comparer_scratch_new();
    make_pairs(&b, key_sets[0]);
    make_decider(&b);
    for (unsigned k = 0; k < KEY_SETS; k++) {
        if (argc > 3 && strtoul(argv[3], NULL, 10) != k + 1)
            continue;
        make_pairs(&b, key_sets[k]);
        printf("keys");
        for (unsigned i = 0; i < 4 && key_sets[k][i][0]; i++)
            printf("%s [%s%s%s]", i ? "," : "", key_sets[k][i][0], key_sets[k][i][1] ? ", " : "",
                   key_sets[k][i][1] ? key_sets[k][i][1] : "");
        printf(": %zu pairs of %u records\n", b.pair_count, b.count);
        measure(&b, "every comparison (pattern)", PATTERN, 0);
        measure(&b, "exact weight of every pair", WEIGHT, 0);
        measure(&b, "above -10 bits", ABOVE, -10);
        measure(&b, "above 2 bits (floor of linkage)", ABOVE, 2);
        measure(&b, "above 4.25 bits (0.95)", ABOVE, 4.25);
    }
    kin_model_decider_free(b.decider);
    kin_value_counts_deinit(&b.counts);
    kin_comparer_scratch_free(b.scratch);
    kin_comparer_free(b.comparer);
    kin_buf_deinit(&b.bytes);
    free(b.pairs);
    free(b.entity);
    free(b.records);
    return 0;
}
