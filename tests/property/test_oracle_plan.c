/* Properties of the reference under a plan (tests/oracle/oracle.h), which live operation is
 * compared with: whatever else it says, it must agree with the reference of a batch wherever the
 * two speak of the same thing. */
#include "tests/oracle/scenario.h"
#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

#define EXPECT(x)                                                                            \
    do {                                                                                     \
        if (!(x)) {                                                                          \
            fprintf(stderr, "seed %llu: %s:%d: %s\n", (unsigned long long)s->seed, __FILE__, \
                    __LINE__, #x);                                                           \
            ok = false;                                                                      \
        }                                                                                    \
    } while (0)

static struct scenario *make(uint64_t seed)
{
    struct scenario_options o = {.records_max = 40, .models = seed % 2, .links = seed % 3 == 0};
    return scenario_new(seed, &o);
}

/* Of the base those that are alive and that the seed keeps; map: where they were. */
static void keep(const struct oracle *base, uint64_t seed, unsigned percent, bool put_again,
                 struct oracle *out, int *map)
{
    *out = (struct oracle){.workflow = base->workflow, .never_unchecked = base->never_unchecked};
    out->records = calloc((size_t)base->count + 1, sizeof *out->records);
    if (!out->records)
        abort();
    for (int i = 0; i < base->count; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if (base->records[i].dead || (seed >> 33) % 100 >= percent)
            continue;
        struct oracle_record *r = &out->records[out->count];
        *r = base->records[i];
        r->features = NULL;
        r->linked = false;
        r->base = put_again ? 0 : i + 1;
        map[out->count++] = i;
    }
    memcpy(out->links, base->links, sizeof out->links);
    out->link_count = base->link_count;
}

static void drop(struct oracle *o)
{
    oracle_free(o);
    free(o->records);
}

static int edge_of(const struct oracle *o, int a, int b)
{
    return o->edge[(a < b ? a : b) * o->count + (a < b ? b : a)];
}

static int32_t weight_of(const struct oracle *o, int a, int b)
{
    return o->weight[(a < b ? a : b) * o->count + (a < b ? b : a)];
}

/* Nothing came later: all is as the batch had it. */
static bool without_changes_it_is_the_batch(uint64_t seed, void *arg)
{
    struct scenario *s = make(seed);
    struct oracle_plan *plan = oracle_plan_new(&s->oracle);
    struct oracle o;
    int *map = calloc((size_t)s->oracle.count + 1, sizeof *map);
    bool ok = true;
    (void)arg;
    keep(&s->oracle, seed, 100, false, &o, map);
    oracle_run_under(&o, plan);
    for (int i = 0; i < o.count; i++) {
        const struct oracle_record *x = &o.records[i], *y = &s->oracle.records[map[i]];
        EXPECT(map[x->group] == y->group && map[x->founder] == y->founder);
        EXPECT(x->size == y->size && x->linked == y->linked && x->best_rule == y->best_rule);
        EXPECT(x->best_rule < 0 || x->best_weight == y->best_weight);
        for (int j = i + 1; j < o.count; j++) {
            EXPECT(edge_of(&o, i, j) == edge_of(&s->oracle, map[i], map[j]));
            EXPECT(weight_of(&o, i, j) == weight_of(&s->oracle, map[i], map[j]));
        }
    }
    drop(&o);
    free(map);
    oracle_plan_free(plan);
    scenario_free(s);
    return ok;
}

/* Of fewer records the pairs are those that are left, windows included; put again, those that share
 * an ordinary key or a star. */
static bool pairs_depend_on_nothing_else(uint64_t seed, void *arg)
{
    struct scenario *s = make(seed);
    struct oracle_plan *plan = oracle_plan_new(&s->oracle);
    struct oracle kept, again;
    int *map = calloc((size_t)s->oracle.count + 1, sizeof *map);
    bool ok = true, oversized = oracle_plan_oversized(plan) > 0;
    (void)arg;
    keep(&s->oracle, seed, 60, false, &kept, map);
    keep(&s->oracle, seed, 60, true, &again, map);
    oracle_run_under(&kept, plan);
    oracle_run_under(&again, plan);
    for (int i = 0; i < kept.count; i++) {
        for (int j = i + 1; j < kept.count; j++) {
            int was = edge_of(&s->oracle, map[i], map[j]), is = edge_of(&again, i, j);
            EXPECT(edge_of(&kept, i, j) == was);
            EXPECT(is == was || (oversized && (is < 0 || is > was))); /* a star is left */
            EXPECT(is != was || weight_of(&again, i, j) == weight_of(&s->oracle, map[i], map[j]));
        }
    }
    drop(&kept);
    drop(&again);
    free(map);
    oracle_plan_free(plan);
    scenario_free(s);
    return ok;
}

/* The other half of the records comes later. Where a batch over all of them needs no plan either,
 * and no values are weighed, it makes the same groups. */
static bool without_a_plan_it_is_a_fresh_batch(uint64_t seed, void *arg)
{
    struct scenario *s = make(seed);
    struct oracle half, all;
    int *map = calloc((size_t)s->oracle.count + 1, sizeof *map);
    bool ok = true;
    (void)arg;
    keep(&s->oracle, seed, 50, false, &half, map);
    keep(&s->oracle, seed, 100, true, &all, map);
    if (!s->workflow->model && s->oracle.oversized == 0) {
        oracle_run(&half);
        struct oracle_plan *plan = oracle_plan_new(&half);
        oracle_run_under(&all, plan);
        EXPECT(oracle_plan_oversized(plan) == 0 && all.windowed == 0);
        for (int i = 0; i < all.count; i++) {
            EXPECT(map[all.records[i].group] == s->oracle.records[map[i]].group);
            for (int j = i + 1; j < all.count; j++)
                EXPECT(edge_of(&all, i, j) == edge_of(&s->oracle, map[i], map[j]));
        }
        oracle_plan_free(plan);
    }
    drop(&half);
    drop(&all);
    free(map);
    scenario_free(s);
    return ok;
}

/* A key that was ordinary stays so, however many have it; one that was oversized stays that,
 * however few. One key, one rule that needs pairs, no refinement: so it is known what must come
 * out. */
static bool the_plan_stays_what_it_was(uint64_t seed, void *arg)
{
    static const char text[] = "kindred: 1\nworkflow: w\nsources:\n  a: {path: /a, id: id}\n"
                               "fields:\n  name: name\n  town: name\nblock_on: [[town]]\n"
                               "rules:\n  - {name: near, when: \"Levenshtein(name, 1)\"}\n"
                               "limits: {max_block: 3, window: 2}\n";
    static const char *const towns[] = {"Oslo", "Oslo", "Oslo", "Rome", "Rome", "Rome",
                                        "Rome", "Rome", "Oslo", "Oslo", "Rome", "Rome"};
    struct scenario fake = {.seed = seed}, *s = &fake;
    struct kin_problems problems = {0};
    struct oracle base = {0}, later = {0};
    struct oracle_record records[12], more[12];
    bool ok = true;
    (void)arg;
    if (kin_workflow_parse(KIN_STR(text), "", &fake.workflow, &problems) != KIN_OK) {
        fprintf(stderr, "%s\n", problems.count ? problems.items[0].text : "no memory");
        abort();
    }
    memset(records, 0, sizeof records);
    for (int i = 0; i < 12; i++) {
        records[i].updated = INT64_MIN;
        snprintf(records[i].id, sizeof records[i].id, "%02d", i);
        snprintf(records[i].values[0][0], 64, "Ann");
        snprintf(records[i].values[1][0], 64, "%s", towns[i]);
    }
    memcpy(more, records, sizeof more);
    base = (struct oracle){.workflow = fake.workflow, .records = records, .count = 8};
    oracle_run(&base);
    struct oracle_plan *plan = oracle_plan_new(&base);
    EXPECT(oracle_plan_oversized(plan) == 2); /* Rome, and Rome refined by the name */
    for (int i = 0; i < 12; i++)
        more[i].base = i < 8 && i != 5 ? i + 1 : 0; /* 5 is put again */
    later = (struct oracle){.workflow = fake.workflow, .records = more, .count = 12};
    oracle_run_under(&later, plan);
    for (int i = 0; i < 12; i++) {
        for (int j = i + 1; j < 12; j++) {
            bool oslo = strcmp(towns[i], "Oslo") == 0 && strcmp(towns[j], "Oslo") == 0;
            bool window = (i == 3 && j == 4) || (i == 4 && j == 6) || (i == 6 && j == 7);
            EXPECT((edge_of(&later, i, j) >= 0) == (oslo || window));
        }
    }
    EXPECT(later.windowed == 7 && later.records[8].size == 5);
    oracle_plan_free(plan);
    oracle_free(&base);
    oracle_free(&later);
    kin_workflow_free(fake.workflow);
    kin_problems_deinit(&problems);
    return ok;
}

/* Looking for a record that is there finds what it is matched with. */
static bool looking_finds_what_would_match(uint64_t seed, void *arg)
{
    struct scenario *s = make(seed);
    struct oracle_plan *plan = oracle_plan_new(&s->oracle);
    struct oracle o;
    int *map = calloc((size_t)s->oracle.count + 1, sizeof *map);
    struct oracle_hit *hits = calloc((size_t)s->oracle.count + 1, sizeof *hits);
    bool ok = true;
    (void)arg;
    keep(&s->oracle, seed, 100, true, &o, map);
    oracle_run_under(&o, plan);
    for (int i = 0; i < o.count; i++) {
        struct oracle_record r = o.records[i];
        oracle_look(&o, plan, &r, true, hits);
        for (int j = 0; j < o.count; j++) {
            int edge = i == j ? -1 : edge_of(&o, i, j);
            const struct kin_workflow_model *m = s->workflow->model;
            if (edge == (int)s->workflow->rule_count &&
                weight_of(&o, i, j) < m->thresholds[m->primary].weight)
                edge = -1;
            EXPECT(i == j || hits[j].rule == edge);
        }
        kin_free(r.features);
    }
    drop(&o);
    free(hits);
    free(map);
    oracle_plan_free(plan);
    scenario_free(s);
    return ok;
}

int main(void)
{
    uint64_t seeds = 300;
    bool ok = the_plan_stays_what_it_was(0, NULL);
    ok = kin_sim_sweep("no changes", 1, seeds, without_changes_it_is_the_batch, NULL) && ok;
    ok = kin_sim_sweep("fewer records", 1, seeds, pairs_depend_on_nothing_else, NULL) && ok;
    ok = kin_sim_sweep("a fresh batch", 1, seeds, without_a_plan_it_is_a_fresh_batch, NULL) && ok;
    ok = kin_sim_sweep("looking", 1, seeds, looking_finds_what_would_match, NULL) && ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
