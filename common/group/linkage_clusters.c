#include "common/group/linkage_impl.h"

/* ---- state ---- */

static void note_clean_sources(struct kin_linkage_state *s)
{
    const struct kin_linkage_options *o = s->o;
    for (uint32_t i = 0; i < s->c->count; i++) {
        size_t low = 0, high = o->clean_count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (o->clean[middle] < s->c->source[i])
                low = middle + 1;
            else
                high = middle;
        }
        if (low < o->clean_count && o->clean[low] == s->c->source[i])
            s->clean[(size_t)i * s->clean_words + low / 64] |= (uint64_t)1 << low % 64;
    }
}

/* Pairs of records that are kept apart from the start. */
static kin_status add_vetoes(struct kin_linkage_state *s, const struct kin_linkage_pair *list,
                             size_t n, uint32_t flag)
{
    kin_status status = KIN_OK;
    for (size_t i = 0; i < n && status == KIN_OK; i++) {
        uint32_t pair = 0;
        status = kin_linkage_pair_get(s, list[i].a, list[i].b, &pair);
        if (status == KIN_OK)
            s->pairs[pair].flags |= flag;
    }
    return status;
}

static kin_status allocate(struct kin_linkage_state *s, struct kin_arena *arena)
{
    uint32_t n = s->c->count;
    s->root = kin_reallocarray(NULL, n, sizeof *s->root);
    s->ring = kin_reallocarray(NULL, n, sizeof *s->ring);
    s->size = kin_reallocarray(NULL, n, sizeof *s->size);
    s->smallest = kin_reallocarray(NULL, n, sizeof *s->smallest);
    s->weight = kin_reallocarray(NULL, n, sizeof *s->weight);
    s->clean = kin_calloc((size_t)n * s->clean_words, sizeof *s->clean);
    s->first = kin_calloc(n, sizeof *s->first);
    s->degree = kin_calloc(n, sizeof *s->degree);
    s->merges = kin_arena_alloc(arena, n * sizeof *s->merges);
    if (!s->root || !s->ring || !s->size || !s->smallest || !s->weight || !s->clean || !s->first ||
        !s->degree || !s->merges)
        return KIN_E_NOMEM;
    return kin_linkage_pairs_reset(s, 0);
}

kin_status kin_linkage_state_init(struct kin_linkage_state *s,
                                  const struct kin_linkage_component *c,
                                  const struct kin_linkage_options *o, struct kin_arena *arena)
{
    *s = (struct kin_linkage_state){
        .c = c,
        .o = o,
        .lowest = o->thresholds[o->threshold_count - 1],
        .max_pairs = o->max_pairs ? o->max_pairs : KIN_LINKAGE_PAIRS,
        .checks_left = o->max_checks ? o->max_checks : KIN_LINKAGE_CHECKS,
        .tries_left = o->max_tries ? o->max_tries : KIN_LINKAGE_TRIES,
        .clean_words = (unsigned)((o->clean_count + 63) / 64),
    };
    kin_status status = allocate(s, arena);
    if (status != KIN_OK)
        return status;
    for (uint32_t i = 0; i < c->count; i++) {
        s->root[i] = s->ring[i] = s->smallest[i] = i;
        s->size[i] = 1;
        s->weight[i] = KIN_LINKAGE_CERTAIN;
    }
    if (o->clean_count)
        note_clean_sources(s);
    status = add_vetoes(s, c->never, c->never_count, KIN_LINKAGE_NEVER);
    return status == KIN_OK ? add_vetoes(s, c->veto, c->veto_count, KIN_LINKAGE_VETO) : status;
}

void kin_linkage_state_deinit(struct kin_linkage_state *s)
{
    kin_free(s->root);
    kin_free(s->ring);
    kin_free(s->size);
    kin_free(s->smallest);
    kin_free(s->weight);
    kin_free(s->clean);
    kin_free(s->first);
    kin_free(s->degree);
    kin_free(s->pairs);
    kin_free(s->slots);
    kin_linkage_heap_deinit(&s->heap);
    *s = (struct kin_linkage_state){0};
}

/* ---- what may be one ---- */

/* Is any record of one cluster forbidden with any of the other? Beyond the bound nobody looks; the
 * bound is charged with all pairs, so that it does not depend on where the search ends. */
static bool forbidden_across(struct kin_linkage_state *s, uint32_t a, uint32_t b)
{
    const struct kin_linkage_component *c = s->c;
    uint64_t pairs = (uint64_t)s->size[a] * s->size[b];
    if (pairs > s->checks_left) {
        s->unchecked += pairs;
        s->flags |= KIN_LINKAGE_UNCHECKED;
        return false;
    }
    s->checks_left -= pairs;
    uint32_t x = a;
    do {
        uint32_t y = b;
        do {
            if (c->forbidden(c->forbidden_arg, x, y))
                return true;
            y = s->ring[y];
        } while (y != b);
        x = s->ring[x];
    } while (x != a);
    return false;
}

kin_status kin_linkage_allowed(struct kin_linkage_state *s, uint32_t a, uint32_t b, bool by_person,
                               bool *allowed)
{
    *allowed = false;
    uint32_t pair = s->slot_used ? kin_linkage_pair_find(s, a, b) : KIN_LINKAGE_NONE;
    uint32_t no = by_person ? KIN_LINKAGE_NEVER : KIN_LINKAGE_NEVER | KIN_LINKAGE_VETO;
    if (pair != KIN_LINKAGE_NONE && s->pairs[pair].flags & no)
        return KIN_OK;
    for (unsigned w = 0; w < s->clean_words && !by_person; w++) {
        if (s->clean[(size_t)a * s->clean_words + w] & s->clean[(size_t)b * s->clean_words + w])
            return KIN_OK;
    }
    if (by_person || !s->c->forbidden || !forbidden_across(s, a, b)) {
        *allowed = true;
        return KIN_OK;
    }
    kin_status status = kin_linkage_pair_get(s, a, b, &pair);
    if (status == KIN_OK)
        s->pairs[pair].flags |= KIN_LINKAGE_VETO;
    return status;
}

void kin_linkage_join(struct kin_linkage_state *s, uint32_t a, uint32_t b, int32_t weight)
{
    uint32_t pair = s->slot_used ? kin_linkage_pair_find(s, a, b) : KIN_LINKAGE_NONE;
    if (pair != KIN_LINKAGE_NONE)
        kin_linkage_pair_drop(s, pair);
    uint32_t x = s->smallest[a], y = s->smallest[b];
    /* the one with more pairs stays: a pair then moves at most log2(pairs) times */
    bool first = s->degree[a] != s->degree[b] ? s->degree[a] > s->degree[b] : x < y;
    uint32_t kept = first ? a : b, gone = first ? b : a;
    weight = s->weight[a] < weight ? s->weight[a] : weight;
    weight = s->weight[b] < weight ? s->weight[b] : weight;
    s->merges[s->merge_count++] = (struct kin_linkage_merge){x < y ? x : y, x < y ? y : x, weight};
    s->root[gone] = kept;
    s->size[kept] += s->size[gone];
    s->smallest[kept] = x < y ? x : y;
    s->weight[kept] = weight;
    for (unsigned w = 0; w < s->clean_words; w++)
        s->clean[(size_t)kept * s->clean_words + w] |= s->clean[(size_t)gone * s->clean_words + w];
    uint32_t next = s->ring[kept];
    s->ring[kept] = s->ring[gone];
    s->ring[gone] = next;
    kin_linkage_pairs_move(s, gone, kept);
}
