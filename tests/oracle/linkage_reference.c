#include "tests/oracle/linkage_reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x) \
    ((x) ? (void)0 : (fprintf(stderr, "linkage: %s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

enum { N = LINKAGE_REFERENCE_MAX };
__extension__ typedef __int128 wide;

/* A pair of records that matched, and how strongly. Must links have rule -1. */
struct match {
    int rule;
    int32_t weight;
    uint32_t a, b;
    int kind;
};

static struct match match_of(int rule, int32_t weight, uint32_t a, uint32_t b, int kind)
{
    return (struct match){rule, weight, a < b ? a : b, a < b ? b : a, kind};
}

static int cmp_strength(const void *x, const void *y)
{
    const struct match *p = x, *q = y;
    if (p->rule != q->rule)
        return p->rule < q->rule ? -1 : 1;
    if (p->weight != q->weight)
        return p->weight > q->weight ? -1 : 1;
    if (p->a != q->a)
        return p->a < q->a ? -1 : 1;
    if (p->b != q->b)
        return p->b < q->b ? -1 : 1;
    return p->kind - q->kind;
}

struct matches {
    struct match *list;
    size_t count;
};

/* Of edges and must links of the same pair only the strongest. */
static void add_tie(struct matches *m, struct match x)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->list[i].a == x.a && m->list[i].b == x.b) {
            if (cmp_strength(&x, &m->list[i]) < 0)
                m->list[i] = x;
            return;
        }
    }
    m->list[m->count++] = x;
}

/* All ties, and after them (from *ties on) all pairs of stars. */
static struct matches all_matches(const struct kin_linkage_component *c,
                                  const struct kin_linkage_options *o, size_t *ties)
{
    struct matches m = {0};
    m.list = calloc(c->must_count + c->edge_count + c->star_count * N * N / 2 + 1, sizeof *m.list);
    CHECK(m.list);
    for (size_t i = 0; i < c->must_count; i++)
        add_tie(&m,
                match_of(-1, KIN_LINKAGE_CERTAIN, c->must[i].a, c->must[i].b, KIN_LINKAGE_MUST));
    for (size_t i = 0; i < c->edge_count; i++)
        add_tie(&m, match_of(c->edges[i].rule, c->edges[i].weight, c->edges[i].a, c->edges[i].b,
                             KIN_LINKAGE_EDGE));
    *ties = m.count;
    for (size_t s = 0; s < c->star_count; s++) {
        bool in[N] = {false};
        for (uint32_t i = 0; i < c->stars[s].count; i++)
            in[c->stars[s].members[i]] = true;
        for (uint32_t x = 0; x < c->count; x++) {
            for (uint32_t y = x + 1; y < c->count; y++) {
                if (in[x] && in[y] && !(o->across_sources && c->source[x] == c->source[y]))
                    m.list[m.count++] =
                        match_of(c->stars[s].rule, KIN_LINKAGE_CERTAIN, x, y, KIN_LINKAGE_STAR);
            }
        }
    }
    return m;
}

static bool listed(const struct kin_linkage_pair *list, size_t n, uint32_t x, uint32_t y)
{
    for (size_t i = 0; i < n; i++) {
        if ((list[i].a == x && list[i].b == y) || (list[i].a == y && list[i].b == x))
            return true;
    }
    return false;
}

struct run {
    const struct kin_linkage_component *c;
    const struct kin_linkage_options *o;
    bool never[N][N], apart[N][N]; /* a person keeps them apart; anything does */
    int64_t weight[N][N];          /* in a mean */
    bool refused[N][N];
    uint32_t *group;
    uint64_t refused_merges;
};

static void find_apart(struct run *r)
{
    const struct kin_linkage_component *c = r->c;
    for (uint32_t x = 0; x < c->count; x++) {
        for (uint32_t y = 0; y < c->count; y++) {
            r->never[x][y] = listed(c->never, c->never_count, x, y);
            r->apart[x][y] = r->never[x][y] || listed(c->veto, c->veto_count, x, y) ||
                             (c->forbidden && c->forbidden(c->forbidden_arg, x, y));
            for (size_t i = 0; i < r->o->clean_count; i++)
                r->apart[x][y] |= c->source[x] == r->o->clean[i] && c->source[y] == r->o->clean[i];
        }
    }
}

static bool any_across(const struct run *r, bool matrix[N][N], uint32_t a, uint32_t b)
{
    for (uint32_t x = 0; x < r->c->count; x++) {
        for (uint32_t y = 0; y < r->c->count; y++) {
            if (r->group[x] == a && r->group[y] == b && matrix[x][y])
                return true;
        }
    }
    return false;
}

static void join(const struct run *r, uint32_t a, uint32_t b)
{
    for (uint32_t x = 0; x < r->c->count; x++) {
        if (r->group[x] == a || r->group[x] == b)
            r->group[x] = a < b ? a : b;
    }
}

static void unite(struct run *r, const struct matches *sorted, int32_t threshold)
{
    for (size_t i = 0; i < sorted->count; i++) {
        const struct match *m = &sorted->list[i];
        uint32_t a = r->group[m->a], b = r->group[m->b];
        bool model = m->rule == KIN_LINKAGE_MODEL;
        if (model && (r->o->method == KIN_LINKAGE_AVERAGE || m->weight < threshold))
            continue;
        if (a != b && !any_across(r, m->rule < 0 ? r->never : r->apart, a, b))
            join(r, a, b);
    }
}

static void find_weights(struct run *r, const struct matches *m, size_t ties)
{
    for (uint32_t x = 0; x < r->c->count; x++) {
        for (uint32_t y = 0; y < r->c->count; y++)
            r->weight[x][y] = r->o->unscored;
    }
    for (size_t i = 0; i < ties; i++) {
        int64_t w = m->list[i].weight;
        if (m->list[i].rule != KIN_LINKAGE_MODEL)
            continue;
        w = w < r->o->floor ? r->o->floor : w;
        w = w > KIN_LINKAGE_WEIGHT_MAX ? KIN_LINKAGE_WEIGHT_MAX : w;
        r->weight[m->list[i].a][m->list[i].b] = r->weight[m->list[i].b][m->list[i].a] = w;
    }
}

static int64_t sum_across(const struct run *r, uint32_t a, uint32_t b, int64_t *pairs)
{
    int64_t sum = 0;
    *pairs = 0;
    for (uint32_t x = 0; x < r->c->count; x++) {
        for (uint32_t y = 0; y < r->c->count; y++) {
            if (r->group[x] == a && r->group[y] == b) {
                sum += r->weight[x][y];
                ++*pairs;
            }
        }
    }
    return sum;
}

static bool strongest(const struct run *r, uint32_t *best_a, uint32_t *best_b, int64_t *best_sum,
                      int64_t *best_pairs)
{
    bool found = false;
    for (uint32_t a = 0; a < r->c->count; a++) {
        for (uint32_t b = a + 1; b < r->c->count; b++) {
            int64_t pairs, sum;
            if (r->group[a] != a || r->group[b] != b) /* not the smallest of a group */
                continue;
            sum = sum_across(r, a, b, &pairs);
            for (uint32_t x = 0; x < r->c->count && pairs; x++) {
                for (uint32_t y = 0; y < r->c->count; y++) {
                    if (r->group[x] == a && r->group[y] == b && r->refused[x][y])
                        pairs = 0;
                }
            }
            if (pairs == 0 || (found && (wide)sum * *best_pairs <= (wide)*best_sum * pairs))
                continue;
            found = true;
            *best_a = a;
            *best_b = b;
            *best_sum = sum;
            *best_pairs = pairs;
        }
    }
    return found;
}

static void agglomerate(struct run *r, int32_t threshold)
{
    uint32_t a, b;
    int64_t sum, pairs;
    while (strongest(r, &a, &b, &sum, &pairs) && sum >= (int64_t)threshold * pairs) {
        if (!any_across(r, r->apart, a, b)) {
            join(r, a, b);
            continue;
        }
        r->refused_merges++;
        for (uint32_t x = 0; x < r->c->count; x++) {
            for (uint32_t y = 0; y < r->c->count; y++) {
                if ((r->group[x] == a && r->group[y] == b) ||
                    (r->group[x] == b && r->group[y] == a))
                    r->refused[x][y] = true;
            }
        }
    }
}

static uint64_t count_refused(const struct run *r, const struct matches *m, size_t ties,
                              int32_t threshold)
{
    const struct kin_linkage_component *c = r->c;
    uint64_t n = 0;
    for (size_t i = 0; i < ties; i++) {
        const struct match *t = &m->list[i];
        bool counts = t->rule != KIN_LINKAGE_MODEL ||
                      (r->o->method == KIN_LINKAGE_CONNECTED && t->weight >= threshold);
        n += counts && r->group[t->a] != r->group[t->b];
    }
    for (size_t s = 0; s < c->star_count; s++) {
        const struct kin_linkage_star *star = &c->stars[s];
        bool seen[N] = {false}, matched = !r->o->across_sources;
        uint64_t groups = 0;
        for (uint32_t i = 0; i < star->count; i++) {
            groups += !seen[r->group[star->members[i]]];
            seen[r->group[star->members[i]]] = true;
            matched |=
                r->o->across_sources && c->source[star->members[i]] != c->source[star->members[0]];
        }
        n += matched ? groups - 1 : 0;
    }
    return n;
}

/* The glue, for the sorted matches; a union-find would be too clever. */
static void find_glue(const struct run *r, const struct matches *sorted,
                      struct linkage_reference *out)
{
    uint32_t tree[N];
    for (uint32_t i = 0; i < r->c->count; i++)
        tree[i] = i;
    out->glue_count = 0;
    for (uint32_t g = 0; g < r->c->count; g++) {
        for (size_t i = 0; i < sorted->count; i++) {
            const struct match *m = &sorted->list[i];
            uint32_t from = tree[m->a], to = tree[m->b];
            if (r->group[m->a] != g || r->group[m->b] != g || from == to)
                continue;
            for (uint32_t x = 0; x < r->c->count; x++)
                tree[x] = tree[x] == from ? to : tree[x];
            out->glue[out->glue_count++] = (struct kin_linkage_link){
                .group = g,
                .a = m->a,
                .b = m->b,
                .weight = m->weight,
                .rule = m->rule < 0 ? 0 : (uint16_t)m->rule,
                .kind = (uint8_t)m->kind,
            };
        }
    }
}

void linkage_reference_run(const struct kin_linkage_component *c,
                           const struct kin_linkage_options *o, struct linkage_reference *out)
{
    CHECK(c->count <= N);
    size_t ties;
    struct matches m = all_matches(c, o, &ties), sorted = {.count = m.count};
    sorted.list = calloc(m.count + 1, sizeof *sorted.list);
    CHECK(sorted.list);
    memcpy(sorted.list, m.list, m.count * sizeof *m.list);
    qsort(sorted.list, sorted.count, sizeof *sorted.list, cmp_strength);
    for (size_t t = 0; t < o->threshold_count; t++) {
        struct run *r = calloc(1, sizeof *r);
        CHECK(r);
        r->c = c;
        r->o = o;
        r->group = out->group[t];
        for (uint32_t i = 0; i < c->count; i++)
            r->group[i] = i;
        find_apart(r);
        unite(r, &sorted, o->thresholds[t]);
        if (o->method == KIN_LINKAGE_AVERAGE) {
            find_weights(r, &m, ties);
            agglomerate(r, o->thresholds[t]);
        }
        if (t + 1 == o->threshold_count) {
            out->refused_merges = r->refused_merges;
            out->refused_links = count_refused(r, &m, ties, o->thresholds[t]);
            find_glue(r, &sorted, out);
        }
        free(r);
    }
    free(m.list);
    free(sorted.list);
}

int64_t linkage_reference_sum(const struct kin_linkage_component *c,
                              const struct kin_linkage_options *o, const uint32_t *group,
                              uint32_t a, uint32_t b, int64_t *pairs)
{
    size_t ties;
    struct matches m = all_matches(c, o, &ties);
    struct run *r = calloc(1, sizeof *r);
    uint32_t copy[N];
    CHECK(r);
    memcpy(copy, group, c->count * sizeof *copy);
    r->c = c;
    r->o = o;
    r->group = copy;
    find_weights(r, &m, ties);
    int64_t sum = sum_across(r, a, b, pairs);
    free(r);
    free(m.list);
    return sum;
}

bool linkage_reference_apart(const struct kin_linkage_component *c,
                             const struct kin_linkage_options *o, const uint32_t *group, uint32_t a,
                             uint32_t b)
{
    struct run *r = calloc(1, sizeof *r);
    uint32_t copy[N];
    CHECK(r);
    memcpy(copy, group, c->count * sizeof *copy);
    r->c = c;
    r->o = o;
    r->group = copy;
    find_apart(r);
    bool apart = any_across(r, r->apart, a, b);
    free(r);
    return apart;
}

/* ---- random components ---- */

uint32_t linkage_draw(uint64_t *rng, uint32_t n)
{
    *rng = *rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*rng >> 33) * n) >> 31);
}

static bool asked(void *arg, uint32_t a, uint32_t b)
{
    struct linkage_random *r = arg;
    r->asked[a < b ? a : b][a < b ? b : a]++;
    return r->forbidden[a][b];
}

static struct kin_linkage_pair random_pair(uint64_t *rng, uint32_t count)
{
    uint32_t a = linkage_draw(rng, count), b = linkage_draw(rng, count - 1);
    return (struct kin_linkage_pair){a, b + (b >= a)};
}

static size_t random_pairs(uint64_t *rng, uint32_t count, struct kin_linkage_pair *list,
                           uint32_t max)
{
    size_t n = linkage_draw(rng, 2) ? linkage_draw(rng, max + 1) : 0;
    for (size_t i = 0; i < n; i++)
        list[i] = random_pair(rng, count);
    return n;
}

/* Few different weights, so that means are often equal; or any weight at all. */
static int32_t random_weight(uint64_t *rng, bool coarse)
{
    if (coarse)
        return ((int32_t)linkage_draw(rng, 9) - 4) * 4 * KIN_LINKAGE_BIT;
    if (linkage_draw(rng, 50) == 0)
        return linkage_draw(rng, 2) ? INT32_MAX : INT32_MIN;
    return (int32_t)linkage_draw(rng, 60 * KIN_LINKAGE_BIT) - 30 * KIN_LINKAGE_BIT;
}

static void random_options(struct linkage_random *r, uint64_t *rng, bool coarse)
{
    r->o = (struct kin_linkage_options){
        .method = linkage_draw(rng, 3) ? KIN_LINKAGE_AVERAGE : KIN_LINKAGE_CONNECTED,
        .across_sources = linkage_draw(rng, 3) == 0,
        .clean = r->clean,
        .thresholds = r->thresholds,
        .threshold_count = 1 + linkage_draw(rng, 4),
    };
    for (uint16_t s = 0; s < 8; s++) {
        if (linkage_draw(rng, 3) == 0)
            r->clean[r->o.clean_count++] = s;
    }
    if (linkage_draw(rng, 2))
        r->o.clean_count = 0;
    int32_t t = ((int32_t)linkage_draw(rng, 12) - 2) * KIN_LINKAGE_BIT;
    for (size_t i = r->o.threshold_count; i-- > 0;) {
        r->thresholds[i] = t;
        t += coarse ? 2 * KIN_LINKAGE_BIT : 1 + (int32_t)linkage_draw(rng, 8 * KIN_LINKAGE_BIT);
    }
    int32_t below = r->thresholds[r->o.threshold_count - 1] - KIN_LINKAGE_BIT;
    r->o.floor = below - (int32_t)linkage_draw(rng, 12) * KIN_LINKAGE_BIT;
    r->o.unscored = below - (int32_t)linkage_draw(rng, 8) * KIN_LINKAGE_BIT;
}

static void random_stars(struct linkage_random *r, uint64_t *rng)
{
    r->c.star_count = linkage_draw(rng, 2) ? linkage_draw(rng, 6) : 0;
    for (size_t s = 0; s < r->c.star_count; s++) {
        uint32_t n = 0, dense = 1 + linkage_draw(rng, 5);
        for (uint32_t i = r->c.count; i-- > 0;) { /* in no particular order: descending */
            if (linkage_draw(rng, dense) == 0)
                r->star_members[s][n++] = i;
        }
        if (n == 0)
            r->star_members[s][n++] = linkage_draw(rng, r->c.count);
        r->stars[s] =
            (struct kin_linkage_star){r->star_members[s], n, (uint16_t)linkage_draw(rng, 4)};
    }
}

void linkage_random_make(struct linkage_random *r, uint64_t *rng, uint32_t max_count)
{
    CHECK(max_count <= N);
    uint32_t count = 1 + linkage_draw(rng, max_count), source = 0;
    bool coarse = linkage_draw(rng, 2);
    memset(r, 0, sizeof *r);
    r->c = (struct kin_linkage_component){.count = count,
                                          .source = r->source,
                                          .edges = r->edges,
                                          .stars = r->stars,
                                          .must = r->must,
                                          .never = r->never,
                                          .veto = r->veto};
    bool mixed = linkage_draw(rng, 3) == 0; /* not in order of source, which matters to nothing */
    for (uint32_t i = 0; i < count; i++) {
        source += source < 7 && linkage_draw(rng, 4) == 0;
        r->source[i] = (uint16_t)(mixed ? linkage_draw(rng, 4) : source);
    }
    random_options(r, rng, coarse);
    random_stars(r, rng);
    if (linkage_draw(rng, 3) == 0) {
        r->c.forbidden = asked;
        r->c.forbidden_arg = r;
        for (uint32_t x = 0; x < count; x++) {
            for (uint32_t y = 0; y < x; y++)
                r->forbidden[x][y] = r->forbidden[y][x] = linkage_draw(rng, 12) == 0;
        }
    }
    if (count < 2)
        return;
    r->c.must_count = random_pairs(rng, count, r->must, 6);
    r->c.never_count = random_pairs(rng, count, r->never, 6);
    r->c.veto_count = random_pairs(rng, count, r->veto, 30);
    uint32_t rules = linkage_draw(rng, 2) ? 4 : 20; /* that many in 20 are of a rule */
    r->c.edge_count = linkage_draw(rng, count * 8 < 400 ? count * 8 : 400);
    for (size_t i = 0; i < r->c.edge_count; i++) {
        struct kin_linkage_pair p = random_pair(rng, count);
        bool by_rule = linkage_draw(rng, 20) >= rules;
        r->edges[i] =
            (struct kin_linkage_edge){p.a, p.b, random_weight(rng, coarse),
                                      by_rule ? (uint16_t)linkage_draw(rng, 4) : KIN_LINKAGE_MODEL};
        if (by_rule && linkage_draw(rng, 2))
            r->edges[i].weight = KIN_LINKAGE_CERTAIN;
    }
}
