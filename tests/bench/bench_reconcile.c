/* The reconcile step: edges in no order become sets, by one thread and by two.
 *
 *   bench_reconcile [NODES [EDGES [ROUNDS]]]      default 12700000 10000000 5
 *
 * Graphs: `groups` is what matching finds, groups of a few records all of whose pairs are edges;
 * `giant` is skewed, with hubs, and most of its edges in one component; `forest` is what workers
 * send, records in order with the first record of their group. Numbers of nodes are drawn: those
 * of one group lie anywhere.
 *
 * Variants: `plain`, sequential, with path halving (Tarjan and van Leeuwen 1984); `product`, which
 * is common/group/union_find.h; and what it was chosen from: `two-try`, both roots found by two-try
 * splitting, then linked (Jayanti and Tarjan 2016, with the numbers of nodes, which are drawn here,
 * for the random order); `rem-splice`, Rem's algorithm with a compare-and-swap for splices and
 * links (Patwary, Refsnes and Manne 2012; ConnectIt, Dhulipala, Hong and Shun 2020); `afforest`, on
 * a list of edges (Sutton, Ben-Nun and Barak 2018): an eighth of the edges is linked, everything is
 * compressed, and of the rest those inside the most frequent component are passed over. Each with
 * and without fetching the ends of later edges ahead. Every result is held against that of plain.
 *
 * Figures: million edges a second, the best of the rounds; a fresh array each round, filled before
 * the time counts. Time is that of the processor, and of two threads the mean of theirs, so that
 * other load disturbs less. On a busy machine the two seldom run at the same moment: how they
 * hinder each other is seen on an idle one only. */
#include "common/group/union_find.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    THREADS_MAX = 2,
    PIECE = 65536, /* edges that a thread takes at a time: a forest's part of 1 MiB */
    SAMPLE = 1024, /* nodes from which afforest tells the most frequent component */
};

struct edge {
    uint32_t a, b;
};

struct graph {
    const char *name;
    struct edge *edges;
    size_t edge_count;
    uint32_t node_count;
};

static uint64_t draw64(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint32_t draw(uint64_t *state, uint32_t n)
{
    return (uint32_t)(((draw64(state) >> 32) * n) >> 32);
}

static void *need(void *p)
{
    if (!p) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return p;
}

/* of the processor, spent by this thread */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- graphs ---- */

static uint32_t *shuffled(uint32_t n, uint64_t *rng)
{
    uint32_t *number = need(kin_reallocarray(NULL, n, sizeof *number));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = draw(rng, i + 1);
        number[i] = number[at];
        number[at] = i;
    }
    return number;
}

static void shuffle_edges(struct edge *edges, size_t n, uint64_t *rng)
{
    for (size_t i = n; i > 1; i--) {
        size_t at = draw(rng, (uint32_t)i);
        struct edge e = edges[i - 1];
        edges[i - 1] = edges[at];
        edges[at] = e;
    }
}

/* Half of the groups are of one record; the larger, the rarer. */
static uint32_t group_size(uint64_t *rng)
{
    static const uint8_t below[] = {50, 80, 92, 97};
    uint32_t percent = draw(rng, 100), size = 0;
    while (size < 4 && percent >= below[size])
        size++;
    return size < 4 ? size + 1 : 5 + draw(rng, 4);
}

static size_t make_groups(struct edge *edges, size_t edge_max, const uint32_t *number, uint32_t n,
                          uint64_t *rng)
{
    size_t count = 0;
    for (uint32_t first = 0, end; first < n; first = end) {
        uint32_t size = group_size(rng);
        end = size < n - first ? first + size : n;
        for (uint32_t i = first; i < end; i++) {
            for (uint32_t j = i + 1; j < end && count < edge_max; j++)
                edges[count++] = (struct edge){number[i], number[j]};
        }
    }
    return count;
}

/* One edge in ten is of the hub; the others prefer small ranks: u * u of the nodes. */
static size_t make_giant(struct edge *edges, size_t edge_max, const uint32_t *number, uint32_t n,
                         uint64_t *rng)
{
    for (size_t i = 0; i < edge_max; i++) {
        uint32_t a = draw(rng, draw(rng, n) + 1), b = draw(rng, draw(rng, n) + 1);
        edges[i] = (struct edge){number[i % 10 ? a : 0], number[b]};
    }
    return edge_max;
}

static uint32_t plain_root(uint32_t *parent, uint32_t x)
{
    while (parent[x] != x) {
        parent[x] = parent[parent[x]];
        x = parent[x];
    }
    return x;
}

static void plain_join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = plain_root(parent, a);
    b = plain_root(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/* As the forest of one worker: every record of a group that is not alone, ascending. */
static size_t make_forest(const struct graph *of, struct edge *edges)
{
    uint32_t *parent = need(kin_reallocarray(NULL, of->node_count, sizeof *parent));
    uint8_t *grouped = need(kin_calloc(of->node_count, 1));
    size_t count = 0;
    for (uint32_t i = 0; i < of->node_count; i++)
        parent[i] = i;
    for (size_t i = 0; i < of->edge_count; i++) {
        plain_join(parent, of->edges[i].a, of->edges[i].b);
        grouped[of->edges[i].a] = grouped[of->edges[i].b] = 1;
    }
    for (uint32_t i = 0; i < of->node_count; i++) {
        if (grouped[i])
            edges[count++] = (struct edge){i, plain_root(parent, i)};
    }
    kin_free(parent);
    kin_free(grouped);
    return count;
}

/* ---- the variants ---- */

static uint32_t load(const struct kin_union_find *u, uint32_t x)
{
    return kin_union_find_parent(u, x);
}

static bool swap(struct kin_union_find *u, uint32_t x, uint32_t old, uint32_t now)
{
    return atomic_compare_exchange_strong_explicit(&u->parent[x], &old, now, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static uint32_t two_try_root(struct kin_union_find *u, uint32_t x)
{
    for (;;) {
        uint32_t parent = load(u, x);
        for (unsigned tries = 0; tries < 2; tries++) {
            parent = load(u, x);
            uint32_t above = load(u, parent);
            if (parent == above)
                return parent;
            swap(u, x, parent, above);
        }
        x = parent;
    }
}

static void two_try_join(struct kin_union_find *u, uint32_t a, uint32_t b)
{
    for (;;) {
        a = two_try_root(u, a);
        b = two_try_root(u, b);
        if (a == b || (a < b ? swap(u, b, b, a) : swap(u, a, a, b)))
            return;
    }
}

static void rem_splice_join(struct kin_union_find *u, uint32_t a, uint32_t b)
{
    for (;;) {
        uint32_t pa = load(u, a), pb = load(u, b);
        if (pa == pb)
            return;
        if (pa < pb) {
            uint32_t x = a, px = pa;
            a = b;
            pa = pb;
            b = x;
            pb = px;
        }
        if (pa == a) {
            if (swap(u, a, a, pb))
                return;
        } else {
            swap(u, a, pa, pb);
            a = pa;
        }
    }
}

/* The hooking of Shiloach and Vishkin, as Afforest links: no path is shortened on the way. */
static void hook_join(struct kin_union_find *u, uint32_t a, uint32_t b)
{
    a = load(u, a);
    b = load(u, b);
    while (a != b) {
        uint32_t high = a > b ? a : b, low = a > b ? b : a, above = load(u, high);
        if (above == low || (above == high && swap(u, high, high, low)))
            return;
        a = load(u, load(u, high));
        b = load(u, low);
    }
}

struct race {
    struct kin_union_find sets;
    uint32_t *plain;   /* in its stead */
    const void *words; /* whichever it is, to be fetched */
    const struct graph *graph;
    size_t first, end; /* edges */
    unsigned ahead;    /* 0: nothing is fetched */
    uint32_t skip;     /* afforest: the component whose edges are passed over */
    atomic_size_t next;
    double took;
};

static bool take(struct race *r, size_t total, size_t *from, size_t *to)
{
    *from = atomic_fetch_add_explicit(&r->next, PIECE, memory_order_relaxed);
    *to = *from + PIECE < total ? *from + PIECE : total;
    return *from < total;
}

static void fetch(const struct race *r, uint32_t x)
{
    __builtin_prefetch((const uint32_t *)r->words + x, 1);
}

#define RUN(NAME, JOIN)                                   \
    static void *NAME(void *arg)                          \
    {                                                     \
        struct race *r = arg;                             \
        const struct edge *e = r->graph->edges;           \
        for (size_t i, end; take(r, r->end, &i, &end);) { \
            for (; i < end; i++) {                        \
                if (r->ahead && end - i > r->ahead) {     \
                    fetch(r, e[i + r->ahead].a);          \
                    fetch(r, e[i + r->ahead].b);          \
                }                                         \
                JOIN;                                     \
            }                                             \
        }                                                 \
        return NULL;                                      \
    }
RUN(run_plain, plain_join(r->plain, e[i].a, e[i].b))
RUN(run_product, (void)kin_union_find_join(&r->sets, e[i].a, e[i].b))
RUN(run_two_try, two_try_join(&r->sets, e[i].a, e[i].b))
RUN(run_rem_splice, rem_splice_join(&r->sets, e[i].a, e[i].b))
RUN(run_hook, hook_join(&r->sets, e[i].a, e[i].b))
RUN(run_hook_rest, if (load(&r->sets, e[i].a) != r->skip || load(&r->sets, e[i].b) != r->skip)
                       hook_join(&r->sets, e[i].a, e[i].b))

static void *run_compress(void *arg)
{
    struct race *r = arg;
    for (size_t i, end; take(r, r->graph->node_count, &i, &end);) {
        for (; i < end; i++) {
            uint32_t x = (uint32_t)i, up;
            while ((up = load(&r->sets, load(&r->sets, x))) != load(&r->sets, x))
                atomic_store_explicit(&r->sets.parent[x], up, memory_order_relaxed);
        }
    }
    return NULL;
}

struct runner {
    struct race *race;
    void *(*run)(void *);
    double took;
};

static void *timed(void *arg)
{
    struct runner *runner = arg;
    double began = seconds();
    runner->run(runner->race);
    runner->took = seconds() - began;
    return NULL;
}

static void together(struct race *r, unsigned threads, void *(*run)(void *))
{
    pthread_t thread[THREADS_MAX];
    struct runner runners[THREADS_MAX];
    for (unsigned i = 0; i < threads; i++) {
        runners[i] = (struct runner){r, run, 0};
        if (pthread_create(&thread[i], NULL, timed, &runners[i]) != 0)
            need(NULL);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        r->took += runners[i].took / threads;
    }
}

static uint32_t frequent(struct race *r)
{
    uint64_t rng = 3;
    uint32_t best = 0, best_count = 0, seen[SAMPLE];
    for (unsigned i = 0; i < SAMPLE; i++)
        seen[i] = load(&r->sets, draw(&rng, r->graph->node_count));
    for (unsigned i = 0; i < SAMPLE; i++) {
        uint32_t count = 0;
        for (unsigned k = 0; k < SAMPLE; k++)
            count += seen[k] == seen[i];
        if (count > best_count) {
            best = seen[i];
            best_count = count;
        }
    }
    return best;
}

static void from(struct race *r, size_t first, size_t end)
{
    atomic_store(&r->next, first);
    r->end = end;
}

static void afforest(struct race *r, unsigned threads)
{
    size_t n = r->graph->edge_count;
    from(r, 0, n / 8);
    together(r, threads, run_hook);
    from(r, 0, 0);
    together(r, threads, run_compress);
    r->skip = frequent(r);
    from(r, n / 8, n);
    together(r, threads, run_hook_rest);
    from(r, 0, 0);
    together(r, threads, run_compress);
}

static const struct variant {
    const char *name;
    void *(*run)(void *); /* NULL: afforest */
    unsigned threads;
} variants[] = {
    {"plain", run_plain, 1},           {"product", run_product, 2}, {"two-try", run_two_try, 2},
    {"rem-splice", run_rem_splice, 2}, {"afforest", NULL, 2},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

static double once(const struct graph *g, const struct variant *v, unsigned threads, unsigned ahead,
                   uint32_t *roots, bool first)
{
    struct race r = {.graph = g, .ahead = ahead};
    if (v->run == run_plain) {
        r.plain = need(kin_reallocarray(NULL, g->node_count, sizeof *r.plain));
        r.words = r.plain;
        for (uint32_t i = 0; i < g->node_count; i++)
            r.plain[i] = i;
    } else {
        if (kin_union_find_init(&r.sets, g->node_count) != KIN_OK)
            need(NULL);
        r.words = r.sets.parent;
    }
    from(&r, 0, g->edge_count);
    if (v->run)
        together(&r, threads, v->run);
    else
        afforest(&r, threads);
    for (uint32_t i = 0; i < g->node_count; i++) {
        uint32_t root =
            v->run == run_plain ? plain_root(r.plain, i) : kin_union_find_root(&r.sets, i);
        if (!first && roots[i] != root) {
            fprintf(stderr, "%s: node %" PRIu32 " is of another set\n", v->name, i);
            exit(1);
        }
        roots[i] = root;
    }
    kin_union_find_deinit(&r.sets);
    kin_free(r.plain);
    return r.took;
}

static void measure(const struct graph *g, unsigned rounds)
{
    uint32_t *roots = need(kin_reallocarray(NULL, g->node_count, sizeof *roots));
    double best[VARIANTS][2][THREADS_MAX + 1] = {{{0}}};
    /* rounds outside: what else the machine does meanwhile hits all variants alike */
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < VARIANTS * 2 * THREADS_MAX; i++) {
            const struct variant *v = &variants[i / 2 / THREADS_MAX];
            unsigned fetch = i / THREADS_MAX % 2, threads = 1 + i % THREADS_MAX;
            if (threads > v->threads)
                continue;
            double took =
                once(g, v, threads, fetch ? KIN_UNION_FIND_AHEAD : 0, roots, round == 0 && i == 0);
            double *at = &best[v - variants][fetch][threads];
            *at = *at == 0 || took < *at ? took : *at;
        }
    }
    for (unsigned i = 0; i < VARIANTS * 2; i++) {
        const struct variant *v = &variants[i / 2];
        printf("%-7s %-10s %-11s", g->name, v->name, i % 2 ? "fetching" : "");
        for (unsigned t = 1; t <= v->threads; t++)
            printf("   %u thread%s %6.1f M edges/s", t, t > 1 ? "s" : "",
                   (double)g->edge_count / 1e6 / best[i / 2][i % 2][t]);
        putchar('\n');
    }
    fflush(stdout);
    kin_free(roots);
}

static unsigned long argument(int argc, char **argv, int at, unsigned long standard,
                              unsigned long most)
{
    char *end = NULL;
    unsigned long n = at < argc ? strtoul(argv[at], &end, 10) : standard;
    if ((end && *end) || n < 1 || n > most) {
        fputs("usage: bench_reconcile [NODES [EDGES [ROUNDS]]]\n", stderr);
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    uint32_t nodes = (uint32_t)argument(argc, argv, 1, 12700000, 1u << 30);
    size_t edges = argument(argc, argv, 2, 10000000, 1u << 30);
    unsigned rounds = (unsigned)argument(argc, argv, 3, 5, 1000);
    uint64_t rng = 1;
    uint32_t *number = shuffled(nodes, &rng);
    struct graph g = {.node_count = nodes};
    g.edges = need(kin_reallocarray(NULL, edges > nodes ? edges : nodes, sizeof *g.edges));
    printf("%" PRIu32 " nodes, %zu edges, best of %u\n", nodes, edges, rounds);
    g.name = "groups";
    g.edge_count = make_groups(g.edges, edges, number, nodes, &rng);
    shuffle_edges(g.edges, g.edge_count, &rng);
    measure(&g, rounds);
    struct graph forest = {.name = "forest", .node_count = nodes};
    forest.edges = need(kin_reallocarray(NULL, nodes, sizeof *forest.edges));
    forest.edge_count = make_forest(&g, forest.edges);
    measure(&forest, rounds);
    kin_free(forest.edges);
    g.name = "giant";
    g.edge_count = make_giant(g.edges, edges, number, nodes, &rng);
    measure(&g, rounds);
    kin_free(g.edges);
    kin_free(number);
    return 0;
}
