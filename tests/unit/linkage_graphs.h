#ifndef KIN_TESTS_UNIT_LINKAGE_GRAPHS_H
#define KIN_TESTS_UNIT_LINKAGE_GRAPHS_H
/* Similarity graphs with a known truth, after those of multi-source matching (Saeedi, Peukert, Rahm
 * 2017): entities with records in several sources, strong edges inside most of them, and many
 * weaker ones between records of entities that look alike. Integer arithmetic only: a seed makes
 * the same graph everywhere. */
#include "common/group/linkage.h"

#include <stdio.h>
#include <stdlib.h>

struct graph_shape {
    uint32_t entities;
    uint32_t sources;    /* 0: dirty, one source in which an entity has any number of records */
    uint32_t sizes[10];  /* in percent: entities with 1, 2... records */
    uint32_t lookalikes; /* entities that each is compared with, beside itself */
    /* weights, in bits: mean and standard deviation; of look-alikes there is a part that all their
     * record pairs have in common, and noise */
    int32_t true_mean, true_deviation;
    int32_t false_mean, false_deviation, false_noise;
    uint32_t true_scored, false_scored; /* percent of the pairs that share a block */
    uint32_t starred;     /* percent of the records that share a star with their entity's others */
    uint32_t false_stars; /* percent of the entities whose star is also that of another's record */
    bool across_sources;  /* only pairs of different sources are scored */
};

/* 820 entities with about 3,000 records in four sources without duplicates of their own, as in the
 * graph of settlements of the paper; nearly all pairs of an entity share a block. */
static const struct graph_shape graph_four_sources = {
    .entities = 820,
    .sources = 4,
    .sizes = {0, 8, 16, 76},
    .lookalikes = 20,
    .true_mean = 12,
    .true_deviation = 4,
    .false_mean = -8,
    .false_deviation = 4,
    .false_noise = 4,
    .true_scored = 95,
    .false_scored = 60,
};

struct graph {
    struct kin_linkage_component c;
    uint16_t *source;
    uint32_t *entity; /* [count] the truth */
    struct kin_linkage_edge *edges;
    size_t edge_cap;
    struct kin_linkage_star *stars;
    uint32_t *star_members;
    uint64_t rng;
    uint32_t *first; /* [entities + 1] */
};

static inline uint32_t graph_draw(uint64_t *rng, uint32_t n)
{
    *rng = *rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*rng >> 33) * n) >> 31);
}

/* Standard normal, times 65536: twelve uniform draws. */
static inline int64_t graph_normal(uint64_t *rng)
{
    int64_t sum = -6 * 65536;
    for (unsigned i = 0; i < 12; i++)
        sum += graph_draw(rng, 65536);
    return sum;
}

static inline int32_t graph_weight(uint64_t *rng, int32_t mean, int32_t deviation)
{
    return (int32_t)((int64_t)mean * 65536 + deviation * graph_normal(rng));
}

static inline void *graph_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        abort();
    return p;
}

static inline void graph_edge(struct graph *g, uint32_t a, uint32_t b, int32_t weight)
{
    if (g->c.edge_count == g->edge_cap) {
        g->edge_cap = g->edge_cap ? 2 * g->edge_cap : 1024;
        g->edges = realloc(g->edges, g->edge_cap * sizeof *g->edges);
        if (!g->edges)
            abort();
    }
    g->edges[g->c.edge_count++] = (struct kin_linkage_edge){a, b, weight, KIN_LINKAGE_MODEL};
}

struct graph_record {
    uint32_t source, order, entity;
};

static inline int graph_by_source(const void *a, const void *b)
{
    const struct graph_record *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Records of all entities in the order of (source, a random id); of[] lists them by entity. */
static inline uint32_t *graph_records(struct graph *g, const struct graph_shape *shape)
{
    struct graph_record *records = graph_alloc((size_t)shape->entities * 10, sizeof *records);
    uint32_t n = 0;
    g->first = graph_alloc((size_t)shape->entities + 1, sizeof *g->first);
    for (uint32_t e = 0; e < shape->entities; e++) {
        uint32_t size = 1, percent = graph_draw(&g->rng, 100), taken = 0;
        for (uint32_t sum = shape->sizes[0]; sum <= percent; sum += shape->sizes[size - 1])
            size++;
        g->first[e] = n;
        while (n - g->first[e] < size) {
            uint32_t s = shape->sources ? graph_draw(&g->rng, shape->sources) : 0;
            if (shape->sources && taken >> s & 1)
                continue;
            taken |= 1u << s;
            records[n++] = (struct graph_record){s, graph_draw(&g->rng, 1u << 31), e};
        }
    }
    g->first[shape->entities] = n;
    qsort(records, n, sizeof *records, graph_by_source);
    g->c.count = n;
    g->source = graph_alloc(n, sizeof *g->source);
    g->entity = graph_alloc(n, sizeof *g->entity);
    uint32_t *of = graph_alloc(n, sizeof *of), *at = graph_alloc(shape->entities, sizeof *at);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t e = records[i].entity;
        g->source[i] = (uint16_t)records[i].source;
        g->entity[i] = e;
        of[g->first[e] + at[e]++] = i;
    }
    free(at);
    free(records);
    return of;
}

static inline void graph_stars(struct graph *g, const struct graph_shape *shape, const uint32_t *of)
{
    g->stars = graph_alloc(shape->entities, sizeof *g->stars);
    g->star_members = graph_alloc(g->c.count + shape->entities, sizeof *g->star_members);
    uint32_t used = 0;
    for (uint32_t e = 0; e < shape->entities && shape->starred; e++) {
        uint32_t n = 0, *members = g->star_members + used;
        for (uint32_t i = g->first[e]; i < g->first[e + 1]; i++) {
            if (graph_draw(&g->rng, 100) < shape->starred)
                members[n++] = of[i];
        }
        if (n && graph_draw(&g->rng, 100) < shape->false_stars)
            members[n++] = graph_draw(&g->rng, g->c.count);
        if (n < 2)
            continue;
        g->stars[g->c.star_count++] = (struct kin_linkage_star){members, n, 0};
        used += n;
    }
}

static inline struct graph *graph_new(const struct graph_shape *shape, uint64_t seed)
{
    struct graph *g = graph_alloc(1, sizeof *g);
    g->rng = seed * 0x9e3779b97f4a7c15u + 1;
    uint32_t *of = graph_records(g, shape);
    for (uint32_t e = 0; e < shape->entities; e++) {
        for (uint32_t i = g->first[e]; i < g->first[e + 1]; i++) {
            for (uint32_t j = i + 1; j < g->first[e + 1]; j++) {
                if (graph_draw(&g->rng, 100) < shape->true_scored)
                    graph_edge(g, of[i], of[j],
                               graph_weight(&g->rng, shape->true_mean, shape->true_deviation));
            }
        }
        for (uint32_t k = 0; k < shape->lookalikes / 2; k++) { /* each is chosen, and chooses */
            uint32_t other = graph_draw(&g->rng, shape->entities);
            int32_t common = graph_weight(&g->rng, shape->false_mean, shape->false_deviation);
            for (uint32_t i = g->first[e]; i < g->first[e + 1] && other != e; i++) {
                for (uint32_t j = g->first[other]; j < g->first[other + 1]; j++) {
                    int32_t weight = common + graph_weight(&g->rng, 0, shape->false_noise);
                    if (graph_draw(&g->rng, 100) < shape->false_scored &&
                        !(shape->across_sources && g->source[of[i]] == g->source[of[j]]))
                        graph_edge(g, of[i], of[j], weight);
                }
            }
        }
    }
    graph_stars(g, shape, of);
    free(of);
    g->c.source = g->source;
    g->c.edges = g->edges;
    g->c.stars = g->stars;
    return g;
}

static inline void graph_free(struct graph *g)
{
    free(g->source);
    free(g->entity);
    free(g->edges);
    free(g->stars);
    free(g->star_members);
    free(g->first);
    free(g);
}

struct graph_score {
    double precision, recall, f1;
    uint32_t largest; /* group */
};

static inline uint64_t graph_pairs(const uint64_t *keys, size_t n)
{
    uint64_t pairs = 0, run = 0;
    for (size_t i = 1; i < n; i++) {
        run = keys[i] == keys[i - 1] ? run + 1 : 0;
        pairs += run;
    }
    return pairs;
}

static inline int graph_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Over pairs of records that are in one group, or one entity. */
static inline struct graph_score graph_evaluate(const struct graph *g, const uint32_t *group)
{
    uint32_t n = g->c.count;
    uint64_t *keys = graph_alloc(n, sizeof *keys), pairs[3];
    struct graph_score s = {0};
    for (unsigned what = 0; what < 3; what++) { /* group, entity, both */
        for (uint32_t i = 0; i < n; i++)
            keys[i] = (what != 1 ? (uint64_t)group[i] << 32 : 0) | (what ? g->entity[i] : 0);
        qsort(keys, n, sizeof *keys, graph_cmp);
        pairs[what] = graph_pairs(keys, n);
    }
    uint32_t *size = graph_alloc(n, sizeof *size);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t now = ++size[group[i]];
        s.largest = now > s.largest ? now : s.largest;
    }
    s.precision = pairs[0] ? (double)pairs[2] / (double)pairs[0] : 1;
    s.recall = pairs[1] ? (double)pairs[2] / (double)pairs[1] : 1;
    s.f1 = pairs[0] + pairs[1] ? 2 * (double)pairs[2] / (double)(pairs[0] + pairs[1]) : 1;
    free(size);
    free(keys);
    return s;
}

#endif
