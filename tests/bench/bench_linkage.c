/* Clustering inside a component. Speed: seconds and bytes for large and awkward components, with
 * both methods. Quality: the tables of docs/clustering.md, on graphs whose truth is known.
 *
 *   bench_linkage [quality] */
#include "tests/unit/linkage_graphs.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BIT = KIN_LINKAGE_BIT, SEEDS = 5 };

/* ---- speed ---- */

struct large {
    struct kin_linkage_component c;
    struct kin_linkage_edge *edges;
    uint16_t *source;
    struct kin_linkage_star star;
    uint32_t *members;
    uint64_t rng;
};

static void add(struct large *l, uint32_t a, uint32_t b, int32_t weight)
{
    l->edges[l->c.edge_count++] = (struct kin_linkage_edge){a, b, weight, KIN_LINKAGE_MODEL};
}

static int32_t any_weight(struct large *l)
{
    return (int32_t)graph_draw(&l->rng, 30 * BIT);
}

static void make_random(struct large *l)
{
    for (uint32_t i = 0; i < 2000000; i++) {
        uint32_t a = graph_draw(&l->rng, l->c.count), b = graph_draw(&l->rng, l->c.count - 1);
        add(l, a, b + (b >= a), any_weight(l) - 15 * BIT);
    }
}

/* Groups of ten that are nearly complete, and as many edges again between them. */
static void make_groups(struct large *l)
{
    for (uint32_t i = 0; i < l->c.count; i++) {
        for (uint32_t j = i + 1; j < l->c.count && j / 10 == i / 10; j++)
            add(l, i, j, any_weight(l) / 2 + 6 * BIT);
        for (uint32_t k = 0; k < 5; k++) {
            uint32_t j = graph_draw(&l->rng, l->c.count);
            if (i != j)
                add(l, i, j, any_weight(l) / 2 - 6 * BIT);
        }
    }
}

static void make_hub(struct large *l)
{
    for (uint32_t i = 1; i < l->c.count; i++)
        add(l, 0, i, any_weight(l));
}

static void make_equal_hub(struct large *l)
{
    for (uint32_t i = 1; i < l->c.count; i++)
        add(l, 0, i, 60 * BIT);
}

static void make_chain(struct large *l)
{
    for (uint32_t i = 1; i < l->c.count; i++)
        add(l, i - 1, i, any_weight(l));
}

static void make_equal_chain(struct large *l)
{
    for (uint32_t i = 1; i < l->c.count; i++)
        add(l, i - 1, i, 10 * BIT);
}

static void make_clique(struct large *l)
{
    for (uint32_t i = 0; i < l->c.count; i++) {
        for (uint32_t j = i + 1; j < l->c.count; j++)
            add(l, i, j, any_weight(l));
    }
}

static void make_equal_clique(struct large *l)
{
    for (uint32_t i = 0; i < l->c.count; i++) {
        for (uint32_t j = i + 1; j < l->c.count; j++)
            add(l, i, j, 10 * BIT);
    }
}

static void make_star(struct large *l)
{
    for (uint32_t i = 0; i < l->c.count; i++)
        l->members[i] = i;
    l->star = (struct kin_linkage_star){l->members, l->c.count, 0};
    l->c.stars = &l->star;
    l->c.star_count = 1;
}

static bool forbid_few(void *arg, uint32_t a, uint32_t b)
{
    (void)arg;
    return a % 1000 == 1 && b % 1000 == 2;
}

struct load {
    const char *name;
    void (*make)(struct large *);
    uint32_t count;
    size_t edges;
    bool clean, asked;
    uint64_t max_pairs;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long peak_kb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void run_load(const struct load *load, enum kin_linkage_method method)
{
    static const uint16_t clean[4] = {0, 1, 2, 3};
    int32_t threshold = 4 * BIT;
    struct large l = {.rng = 1, .c = {.count = load->count}};
    l.edges = graph_alloc(load->edges, sizeof *l.edges);
    l.source = graph_alloc(load->count, sizeof *l.source);
    l.members = graph_alloc(load->count, sizeof *l.members);
    for (uint32_t i = 0; i < load->count; i++)
        l.source[i] = (uint16_t)(i * 4 / load->count);
    load->make(&l);
    l.c.edges = l.edges;
    l.c.source = l.source;
    l.c.forbidden = load->asked ? forbid_few : NULL;
    struct kin_linkage_options o = {.method = method,
                                    .thresholds = &threshold,
                                    .threshold_count = 1,
                                    .clean = clean,
                                    .clean_count = load->clean ? 4 : 0,
                                    .floor = kin_linkage_floor(threshold),
                                    .unscored = kin_linkage_floor(threshold),
                                    .max_pairs = load->max_pairs};
    struct kin_arena arena = {0};
    struct kin_linkage_result r = {0};
    long before = peak_kb();
    double start = seconds();
    kin_status status = kin_linkage_cluster(&arena, &l.c, &o, &r);
    double took = seconds() - start;
    printf("%-34s %9s %8u %9zu %8.2f s %6ld MB  groups %u, flags %u%s\n", load->name,
           method == KIN_LINKAGE_AVERAGE ? "linkage" : "connected", load->count, l.c.edge_count,
           took, (peak_kb() - before) / 1024, load->count - r.merge_count, r.flags,
           status == KIN_OK ? "" : " FAILED");
    fflush(stdout);
}

static void speed(void)
{
    static const struct load loads[] = {
        {"random, as many negative", make_random, 200000, 2000000, false, false, 0},
        {"groups of ten, as many between", make_groups, 200000, 2000000, false, false, 0},
        {"the same, 4 clean sources", make_groups, 200000, 2000000, true, false, 0},
        {"the same, vetoes asked", make_groups, 200000, 2000000, false, true, 0},
        {"the same, 100,000 pairs at a time", make_groups, 200000, 2000000, false, false, 100000},
        {"hub", make_hub, 200000, 200000, false, false, 0},
        {"hub, 2 M", make_hub, 2000000, 2000000, false, false, 0},
        {"hub, 2 M, equal weights", make_equal_hub, 2000000, 2000000, false, false, 0},
        {"hub, 4 clean sources", make_hub, 200000, 200000, true, false, 0},
        {"chain", make_chain, 200000, 200000, false, false, 0},
        {"chain, equal weights", make_equal_chain, 200000, 200000, false, false, 0},
        {"clique", make_clique, 3000, 4500000, false, false, 0},
        {"clique, equal weights", make_equal_clique, 3000, 4500000, false, false, 0},
        {"clique, 100,000 pairs at a time", make_clique, 3000, 4500000, false, false, 100000},
        {"star of a rule", make_star, 200000, 0, false, false, 0},
        {"star of a rule, 4 clean sources", make_star, 200000, 0, true, false, 0},
        {"star of a rule, vetoes asked", make_star, 200000, 0, false, true, 0},
    };
    printf("%-34s %9s %8s %9s\n", "", "", "items", "edges");
    for (size_t i = 0; i < 2 * sizeof loads / sizeof *loads; i++) {
        fflush(stdout);
        pid_t child = fork(); /* a process each, for the peak of its memory */
        if (child == 0) {
            run_load(&loads[i / 2], i % 2 ? KIN_LINKAGE_AVERAGE : KIN_LINKAGE_CONNECTED);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
}

/* ---- quality ---- */

/* The same, with blocking that misses more; and heavier noise. */
static const struct graph_shape four_sparse = {
    .entities = 820,
    .sources = 4,
    .sizes = {0, 8, 16, 76},
    .lookalikes = 60,
    .true_mean = 12,
    .true_deviation = 5,
    .false_mean = -8,
    .false_deviation = 4,
    .false_noise = 4,
    .true_scored = 80,
    .false_scored = 20,
};
/* One source with duplicates, up to ten records an entity. */
static const struct graph_shape dirty = {
    .entities = 1000,
    .sizes = {30, 20, 15, 10, 8, 6, 4, 3, 2, 2},
    .lookalikes = 20,
    .true_mean = 10,
    .true_deviation = 5,
    .false_mean = -8,
    .false_deviation = 4,
    .false_noise = 4,
    .true_scored = 80,
    .false_scored = 40,
};
/* The same, with a star for 60 % of the records, a twentieth of the stars wrong. */
static const struct graph_shape starred = {
    .entities = 1000,
    .sizes = {30, 20, 15, 10, 8, 6, 4, 3, 2, 2},
    .lookalikes = 20,
    .true_mean = 10,
    .true_deviation = 5,
    .false_mean = -8,
    .false_deviation = 4,
    .false_noise = 4,
    .true_scored = 80,
    .false_scored = 40,
    .starred = 60,
    .false_stars = 5,
};

/* Weights in quarters of a bit. */
static struct graph_score mean_score(const struct graph_shape *shape,
                                     enum kin_linkage_method method, bool clean, int quarters,
                                     int floor_quarters, int unscored_quarters)
{
    static const uint16_t sources[] = {0, 1, 2, 3};
    int32_t threshold = quarters * (BIT / 4);
    struct kin_linkage_options o = {.method = method,
                                    .clean = sources,
                                    .clean_count = clean ? 4 : 0,
                                    .thresholds = &threshold,
                                    .threshold_count = 1,
                                    .floor = floor_quarters * (BIT / 4),
                                    .unscored = unscored_quarters * (BIT / 4)};
    struct graph_score mean = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct graph *g = graph_new(shape, seed);
        struct kin_arena arena = {0};
        struct kin_linkage_result r;
        if (kin_linkage_cluster(&arena, &g->c, &o, &r) != KIN_OK)
            abort();
        struct graph_score s = graph_evaluate(g, r.group);
        mean.precision += s.precision / SEEDS;
        mean.recall += s.recall / SEEDS;
        mean.f1 += s.f1 / SEEDS;
        mean.largest = s.largest > mean.largest ? s.largest : mean.largest;
        kin_arena_deinit(&arena);
        graph_free(g);
    }
    return mean;
}

static void quality(void)
{
    static const struct {
        const char *name;
        const struct graph_shape *shape;
    } graphs[] = {{"four sources", &graph_four_sources},
                  {"four sources, sparse blocks", &four_sparse},
                  {"one dirty source", &dirty},
                  {"one dirty source, stars", &starred}};
    static const int thresholds[] = {8, 12, 17, 20, 24, 28};
    static const int unscored[] = {-64, -32, -16, -8, 0, 4, 8, 12};
    printf("four sources: pairwise F1 (largest group)\n"
           "threshold | connected | with clean sources | linkage | with clean sources\n");
    for (size_t t = 0; t < sizeof thresholds / sizeof *thresholds; t++) {
        int q = thresholds[t], floor = kin_linkage_floor(q * (BIT / 4)) / (BIT / 4);
        printf("%5.2f", q / 4.0);
        for (int i = 0; i < 4; i++) {
            struct graph_score s = mean_score(&graph_four_sources, (enum kin_linkage_method)(i / 2),
                                              i % 2, q, floor, floor);
            printf(" | %.3f (%u)", s.f1, s.largest);
        }
        printf("\n");
    }
    for (int same = 0; same < 2; same++) {
        printf("\nF1 of linkage at 4.25 bits, %s\n%-28s",
               same ? "pairs below `unscored` like those never scored" : "floor -16 bits",
               "unscored");
        for (size_t u = 0; u < sizeof unscored / sizeof *unscored; u++)
            printf(" | %5.1f", unscored[u] / 4.0);
        printf(" | connected\n");
        for (size_t g = 0; g < sizeof graphs / sizeof *graphs; g++) {
            printf("%-28s", graphs[g].name);
            for (size_t u = 0; u < sizeof unscored / sizeof *unscored; u++)
                printf(" | %.3f", mean_score(graphs[g].shape, KIN_LINKAGE_AVERAGE, false, 17,
                                             same ? unscored[u] : -64, unscored[u])
                                      .f1);
            printf(" | %.3f\n",
                   mean_score(graphs[g].shape, KIN_LINKAGE_CONNECTED, false, 17, 0, 0).f1);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "quality") == 0)
        quality();
    else
        speed();
    return 0;
}
