#include "common/group/veto.h"

#include "common/base/radix.h"

#include <string.h>

/* The pairs that matched, in the order in which they are united: by rule, then by smaller end, then
 * by larger end. They are handed out one (rule, smaller end) at a time, so that the pairs of a star
 * never exist all at once. */
struct matched {
    const struct kin_veto_component *c;
    struct kin_keyed *edges; /* key: rule, value: smaller end, extra: larger end; sorted */
    size_t edge_count, edge_at;
    uint32_t *star_members;  /* star by star, each ascending without repeats */
    struct kin_keyed *ranks; /* key: rule << 32 | member, value: where the star's members after it
                                begin in star_members, extra: where they end; sorted */
    size_t rank_count, rank_at;
    uint64_t *marks; /* a bit a member; all clear between steps */
    uint32_t *list;
    uint16_t rule; /* of the step */
    uint32_t a;
};

/* The groups so far. A group is known by a number that is one of its members'. */
struct groups {
    struct kin_arena *arena;
    uint32_t count;
    size_t words;       /* of a row */
    uint32_t *of;       /* [member] */
    uint32_t *next;     /* [member]: the next of its group, in a ring */
    uint32_t *size;     /* [group] */
    uint64_t **enemies; /* [group]: groups it must not be joined with, a bit each; NULL: none */
};

static bool bit_get(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

static void bit_set(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= (uint64_t)1 << (i % 64);
}

static void bit_clear(uint64_t *bits, uint32_t i)
{
    bits[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* ---- groups ---- */

static kin_status groups_init(struct groups *g, struct kin_arena *arena, uint32_t count)
{
    *g = (struct groups){.arena = arena, .count = count, .words = ((size_t)count + 63) / 64};
    g->of = kin_arena_calloc(arena, count, sizeof *g->of);
    g->next = kin_arena_calloc(arena, count, sizeof *g->next);
    g->size = kin_arena_calloc(arena, count, sizeof *g->size);
    g->enemies = kin_arena_calloc(arena, count, sizeof *g->enemies);
    if (!g->of || !g->next || !g->size || !g->enemies)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        g->of[i] = g->next[i] = i;
        g->size[i] = 1;
    }
    return KIN_OK;
}

static kin_status forbid(struct groups *g, uint32_t a, uint32_t b)
{
    if (!g->enemies[a])
        g->enemies[a] = kin_arena_calloc(g->arena, g->words, sizeof **g->enemies);
    if (!g->enemies[a])
        return KIN_E_NOMEM;
    bit_set(g->enemies[a], b);
    return KIN_OK;
}

static bool are_enemies(const struct groups *g, uint32_t group_a, uint32_t group_b)
{
    return g->enemies[group_a] && bit_get(g->enemies[group_a], group_b);
}

/* What was an enemy of `gone` becomes one of `kept`. */
static void inherit_enemies(struct groups *g, uint32_t kept, uint32_t gone)
{
    uint64_t *row = g->enemies[gone];
    if (!row)
        return;
    for (size_t w = 0; w < g->words; w++) {
        for (uint64_t bits = row[w]; bits; bits &= bits - 1) {
            uint64_t *back = g->enemies[w * 64 + (unsigned)__builtin_ctzll(bits)];
            bit_clear(back, gone);
            bit_set(back, kept);
        }
    }
    if (g->enemies[kept]) {
        for (size_t w = 0; w < g->words; w++)
            g->enemies[kept][w] |= row[w];
    } else {
        g->enemies[kept] = row;
    }
    g->enemies[gone] = NULL;
}

/* Joins the groups of two members; the members of the smaller one are renumbered. */
static void join(struct groups *g, uint32_t a, uint32_t b)
{
    uint32_t kept = g->of[a], gone = g->of[b];
    if (kept == gone)
        return;
    if (g->size[kept] < g->size[gone]) {
        uint32_t other = kept;
        kept = gone;
        gone = other;
    }
    uint32_t member = gone;
    do {
        g->of[member] = kept;
        member = g->next[member];
    } while (member != gone);
    uint32_t next = g->next[kept];
    g->next[kept] = g->next[gone];
    g->next[gone] = next;
    g->size[kept] += g->size[gone];
    inherit_enemies(g, kept, gone);
}

/* ---- matched pairs in order ---- */

static kin_status sort_edges(struct matched *m, struct kin_arena *arena)
{
    const struct kin_veto_component *c = m->c;
    m->edge_count = c->edge_count;
    m->edges = kin_arena_calloc(arena, c->edge_count, sizeof *m->edges);
    struct kin_keyed *tmp = kin_arena_calloc(arena, c->edge_count, sizeof *tmp);
    if (!m->edges || !tmp)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < c->edge_count; i++) {
        const struct kin_veto_edge *e = &c->edges[i];
        uint32_t low = e->a < e->b ? e->a : e->b, high = e->a < e->b ? e->b : e->a;
        KIN_ASSERT(low != high && high < c->count);
        m->edges[i] = (struct kin_keyed){(uint64_t)low << 32 | high, 0, e->rule};
    }
    kin_radix_sort(m->edges, tmp, c->edge_count);
    for (size_t i = 0; i < c->edge_count; i++) {
        struct kin_keyed e = m->edges[i];
        m->edges[i] = (struct kin_keyed){e.extra, (uint32_t)(e.key >> 32), (uint32_t)e.key};
    }
    kin_radix_sort(m->edges, tmp, c->edge_count);
    return KIN_OK;
}

/* Copies the members of a star to `to`, ascending and without repeats, by way of the marks. */
static uint32_t star_sorted(struct matched *m, const struct kin_veto_star *star, uint32_t *to)
{
    for (uint32_t i = 0; i < star->count; i++) {
        KIN_ASSERT(star->members[i] < m->c->count);
        bit_set(m->marks, star->members[i]);
    }
    uint32_t n = 0;
    for (uint32_t w = 0; w * (uint64_t)64 < m->c->count; w++) {
        for (; m->marks[w]; m->marks[w] &= m->marks[w] - 1)
            to[n++] = w * 64 + (uint32_t)__builtin_ctzll(m->marks[w]);
    }
    return n;
}

static kin_status rank_stars(struct matched *m, struct kin_arena *arena)
{
    const struct kin_veto_component *c = m->c;
    size_t total = 0;
    for (size_t s = 0; s < c->star_count; s++)
        total += c->stars[s].count;
    KIN_ASSERT(total <= UINT32_MAX);
    m->star_members = kin_arena_calloc(arena, total, sizeof *m->star_members);
    m->ranks = kin_arena_calloc(arena, total, sizeof *m->ranks);
    struct kin_keyed *tmp = kin_arena_calloc(arena, total, sizeof *tmp);
    if (!m->star_members || !m->ranks || !tmp)
        return KIN_E_NOMEM;
    uint32_t at = 0;
    for (size_t s = 0; s < c->star_count; s++) {
        const struct kin_veto_star *star = &c->stars[s];
        uint32_t end = at + star_sorted(m, star, m->star_members + at);
        for (; at < end; at++)
            m->ranks[at] =
                (struct kin_keyed){(uint64_t)star->rule << 32 | m->star_members[at], at + 1, end};
    }
    m->rank_count = at;
    kin_radix_sort(m->ranks, tmp, m->rank_count);
    return KIN_OK;
}

static kin_status matched_init(struct matched *m, struct kin_arena *arena,
                               const struct kin_veto_component *c)
{
    *m = (struct matched){.c = c};
    m->marks = kin_arena_calloc(arena, ((size_t)c->count + 63) / 64, sizeof *m->marks);
    m->list = kin_arena_calloc(arena, c->count, sizeof *m->list);
    if (!m->marks || !m->list)
        return KIN_E_NOMEM;
    kin_status status = sort_edges(m, arena);
    return status == KIN_OK ? rank_stars(m, arena) : status;
}

static bool star_pair(const struct kin_veto_component *c, uint32_t a, uint32_t b)
{
    return !c->across_sources ||
           kin_features_source(c->members[a]) != kin_features_source(c->members[b]);
}

/* The larger ends of edges [e, edge_end) and ranks [r, rank_end) of one step, ascending, each once;
 * returns their number. */
static uint32_t larger_ends(struct matched *m, size_t e, size_t edge_end, size_t r, size_t rank_end)
{
    uint32_t low = UINT32_MAX, high = 0;
    for (; e < edge_end; e++) {
        uint32_t b = m->edges[e].extra;
        bit_set(m->marks, b);
        low = b < low ? b : low;
        high = b > high ? b : high;
    }
    for (; r < rank_end; r++) {
        for (uint32_t i = m->ranks[r].value; i < m->ranks[r].extra; i++) {
            uint32_t b = m->star_members[i];
            if (!star_pair(m->c, m->a, b))
                continue;
            bit_set(m->marks, b);
            low = b < low ? b : low;
            high = b > high ? b : high;
        }
    }
    uint32_t n = 0;
    for (uint32_t w = low / 64; low <= high && w <= high / 64; w++) {
        for (; m->marks[w]; m->marks[w] &= m->marks[w] - 1)
            m->list[n++] = w * 64 + (uint32_t)__builtin_ctzll(m->marks[w]);
    }
    return n;
}

/* The next step: rule and smaller end are set, m->list has the larger ends. false: that was all. */
static bool matched_next(struct matched *m, uint32_t *count)
{
    const struct kin_keyed *edge = &m->edges[m->edge_at], *rank = &m->ranks[m->rank_at];
    uint64_t edge_key = UINT64_MAX, rank_key = UINT64_MAX;
    if (m->edge_at < m->edge_count)
        edge_key = edge->key << 32 | edge->value;
    if (m->rank_at < m->rank_count)
        rank_key = rank->key;
    uint64_t key = edge_key < rank_key ? edge_key : rank_key;
    if (key == UINT64_MAX) /* keys have 48 bits */
        return false;
    m->rule = (uint16_t)(key >> 32);
    m->a = (uint32_t)key;
    size_t e = m->edge_at, r = m->rank_at;
    while (m->edge_at < m->edge_count && m->edges[m->edge_at].key == m->rule &&
           m->edges[m->edge_at].value == m->a)
        m->edge_at++;
    while (m->rank_at < m->rank_count && m->ranks[m->rank_at].key == key)
        m->rank_at++;
    *count = larger_ends(m, e, m->edge_at, r, m->rank_at);
    return true;
}

/* ---- clustering ---- */

/* Marks every pair for which a never rule is true; all members are still groups of one. */
static kin_status find_forbidden(const struct kin_veto_component *c, const struct kin_rule *never,
                                 size_t never_count, struct kin_kernel_scratch *scratch,
                                 struct groups *g, uint64_t *forbidden)
{
    *forbidden = 0;
    for (uint32_t a = 0; never_count && a < c->count; a++) {
        for (uint32_t b = a + 1; b < c->count; b++) {
            bool hit = false;
            for (size_t r = 0; r < never_count && !hit; r++)
                hit = kin_condition_eval(never[r].condition, c->members[a], c->members[b],
                                         scratch) == KIN_TRUE;
            if (!hit)
                continue;
            ++*forbidden;
            if (forbid(g, a, b) != KIN_OK || forbid(g, b, a) != KIN_OK)
                return KIN_E_NOMEM;
        }
    }
    return KIN_OK;
}

/* Where nothing is forbidden the order of unions does not matter, and a star is a chain. */
static void join_all(const struct kin_veto_component *c, struct groups *g)
{
    for (size_t i = 0; i < c->edge_count; i++)
        join(g, c->edges[i].a, c->edges[i].b);
    for (size_t s = 0; s < c->star_count; s++) {
        const uint32_t *m = c->stars[s].members;
        uint32_t count = c->stars[s].count, other = 1;
        while (other < count && !star_pair(c, m[0], m[other]))
            other++;
        /* the members of one source have a partner of another in common, if there is one */
        for (uint32_t i = 1; i < count && other < count; i++)
            join(g, m[0], m[i]);
    }
}

static void join_in_order(struct matched *m, struct groups *g, uint64_t *refused)
{
    for (uint32_t n; matched_next(m, &n);) {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t group_a = g->of[m->a], group_b = g->of[m->list[i]];
            if (group_a == group_b)
                continue;
            if (are_enemies(g, group_a, group_b))
                ++*refused; /* for good: enemies stay enemies whatever joins them */
            else
                join(g, m->a, m->list[i]);
        }
    }
}

/* A member of a star has a match inside its group if the group has another member of the star (of
 * another source, where only those match). seen, other: scratch, [group]. */
static void star_best_rules(const struct kin_veto_component *c, const struct kin_veto_star *star,
                            const struct groups *g, uint32_t *seen, uint16_t *best)
{
    const uint32_t paired = UINT32_MAX; /* else the first member met, plus 1; 0: none yet */
    for (uint32_t i = 0; i < star->count; i++) {
        uint32_t member = star->members[i], *mark = &seen[g->of[member]];
        if (*mark == 0)
            *mark = member + 1;
        else if (*mark != paired && *mark != member + 1 && star_pair(c, *mark - 1, member))
            *mark = paired;
    }
    for (uint32_t i = 0; i < star->count; i++) {
        uint32_t member = star->members[i];
        if (seen[g->of[member]] == paired && star->rule < best[member])
            best[member] = star->rule;
    }
    for (uint32_t i = 0; i < star->count; i++)
        seen[g->of[star->members[i]]] = 0;
}

static kin_status best_rules(const struct kin_veto_component *c, struct kin_arena *arena,
                             const struct groups *g, uint16_t *best)
{
    for (uint32_t i = 0; i < c->count; i++)
        best[i] = UINT16_MAX;
    for (size_t i = 0; i < c->edge_count; i++) {
        const struct kin_veto_edge *e = &c->edges[i];
        if (g->of[e->a] != g->of[e->b])
            continue;
        best[e->a] = e->rule < best[e->a] ? e->rule : best[e->a];
        best[e->b] = e->rule < best[e->b] ? e->rule : best[e->b];
    }
    if (c->star_count == 0)
        return KIN_OK;
    uint32_t *seen = kin_arena_calloc(arena, c->count, sizeof *seen);
    if (!seen)
        return KIN_E_NOMEM;
    for (size_t s = 0; s < c->star_count; s++)
        star_best_rules(c, &c->stars[s], g, seen, best);
    return KIN_OK;
}

/* Group numbers to smallest members: members are walked upward, so the first one met is it. */
static kin_status label_groups(struct kin_arena *arena, const struct groups *g, uint32_t *group)
{
    uint32_t *smallest = kin_arena_alloc(arena, (size_t)g->count * sizeof *smallest);
    if (!smallest)
        return KIN_E_NOMEM;
    memset(smallest, 0xff, (size_t)g->count * sizeof *smallest);
    for (uint32_t i = 0; i < g->count; i++) {
        if (smallest[g->of[i]] == UINT32_MAX)
            smallest[g->of[i]] = i;
        group[i] = smallest[g->of[i]];
    }
    return KIN_OK;
}

kin_status kin_veto_cluster(struct kin_arena *arena, const struct kin_veto_component *component,
                            const struct kin_rule *never, size_t never_count,
                            struct kin_kernel_scratch *scratch, struct kin_veto_result *out)
{
    struct kin_veto_result result = {0};
    struct groups groups;
    kin_status status = groups_init(&groups, arena, component->count);
    if (status == KIN_OK)
        status = find_forbidden(component, never, never_count, scratch, &groups, &result.forbidden);
    if (status == KIN_OK && result.forbidden == 0) {
        join_all(component, &groups);
    } else if (status == KIN_OK) {
        struct matched matched;
        status = matched_init(&matched, arena, component);
        if (status == KIN_OK)
            join_in_order(&matched, &groups, &result.refused);
    }
    result.group = kin_arena_calloc(arena, component->count, sizeof *result.group);
    result.best_rule = kin_arena_calloc(arena, component->count, sizeof *result.best_rule);
    if (status == KIN_OK && (!result.group || !result.best_rule))
        status = KIN_E_NOMEM;
    if (status == KIN_OK)
        status = label_groups(arena, &groups, result.group);
    if (status == KIN_OK)
        status = best_rules(component, arena, &groups, result.best_rule);
    if (status == KIN_OK)
        *out = result;
    return status;
}
