#include "common/group/linkage_impl.h"

/* Average linkage. What is known of two clusters is the sum, over the edges of the model across, of
 * the weight less `unscored`; with n record pairs across, their mean is unscored + sum / n. Since
 * `unscored` is below every threshold, only pairs of clusters with an edge are ever joined, and the
 * cost follows the edges, not the square of the items.
 *
 * The heap holds every pair of clusters whose mean may still reach the threshold, at a mean that is
 * at least its own: joins can only lower means (the mean of a union is between those of its parts),
 * and a pair that takes another one in is put right at once. So the first entry that is found to be
 * up to date is the strongest pair there is, ties included: an entry that says too much comes
 * before the place it deserves.
 *
 * A component is first cut into parts: what hangs together by pairs that reach the threshold.
 * Others are never joined, so this changes nothing, but for parts larger than max_pairs, which are
 * grown strongest first and no further than that. Each part is agglomerated alone. Where one was
 * cut, the same is done again with the groups so far as clusters, as long as that joins any. */

enum { ROUNDS_MAX = 64 };

struct known {     /* of a pair of clusters, while it is in no part */
    uint32_t a, b; /* roots */
    int64_t sum;
    uint32_t flags;
};

struct averaging {
    struct kin_linkage_state *s;
    struct known *known; /* by (a, b), a < b */
    size_t known_count, known_cap;
    struct kin_keyed *order, *tmp; /* [known_cap] scratch; then pairs by part */
    uint32_t *part;                /* [count] union-find over roots */
    uint64_t *part_pairs;          /* [part] pairs that its clusters have, each counted twice */
    uint32_t *part_clusters;       /* [part] */
};

bool kin_linkage_entry_of(const struct kin_linkage_state *s, const uint32_t end[2], int64_t sum,
                          struct kin_linkage_entry *out)
{
    uint64_t count = (uint64_t)s->size[end[0]] * s->size[end[1]];
    if (sum < ((kin_linkage_wide)s->lowest - s->o->unscored) * (kin_linkage_wide)count)
        return false;
    uint32_t x = s->smallest[end[0]], y = s->smallest[end[1]];
    *out = (struct kin_linkage_entry){
        .sum = sum, .count = count, .smaller = x < y ? x : y, .larger = x < y ? y : x};
    return true;
}

/* ---- one part ---- */

static kin_status refuse_or_join(struct kin_linkage_state *s, const struct kin_linkage_entry *top)
{
    struct kin_linkage_between *p = &s->pairs[top->pair];
    bool allowed = false;
    kin_status status = kin_linkage_allowed(s, p->end[0], p->end[1], false, &allowed);
    if (status != KIN_OK)
        return status;
    if (allowed) {
        /* sum >= 0: it is at least the gap between threshold and unscored, times count */
        int64_t mean = s->o->unscored + top->sum / (int64_t)top->count;
        kin_linkage_join(s, p->end[0], p->end[1], (int32_t)mean);
    } else {
        p->flags |= KIN_LINKAGE_REFUSED;
        s->refused_merges++;
        kin_linkage_heap_remove(&s->heap, top->pair);
    }
    return KIN_OK;
}

static bool is_fresh(const struct kin_linkage_entry *said, const struct kin_linkage_entry *now)
{
    return said->sum == now->sum && said->count == now->count && said->smaller == now->smaller &&
           said->larger == now->larger;
}

static kin_status agglomerate(struct kin_linkage_state *s)
{
    kin_status status = KIN_OK;
    while (s->heap.n && status == KIN_OK) {
        struct kin_linkage_entry top = s->heap.entries[0], now;
        const struct kin_linkage_between *p = &s->pairs[top.pair];
        if (!kin_linkage_entry_of(s, p->end, p->sum, &now)) {
            kin_linkage_heap_remove(&s->heap, top.pair);
        } else if (!is_fresh(&top, &now)) {
            now.pair = top.pair;
            kin_linkage_heap_set(&s->heap, &now);
        } else {
            status = refuse_or_join(s, &top);
        }
    }
    return status;
}

/* The pairs order[0..n-1], all of one part. Those that are left at its end go back to known. */
static kin_status run_part(struct averaging *v, const struct kin_keyed *order, uint32_t n)
{
    struct kin_linkage_state *s = v->s;
    kin_status status = kin_linkage_pairs_reset(s, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct known *k = &v->known[order[i].value];
        s->first[k->a] = s->first[k->b] = 0;
        s->degree[k->a] = s->degree[k->b] = 0;
    }
    if (status == KIN_OK)
        status = kin_linkage_heap_reset(&s->heap, n);
    for (uint32_t i = 0; i < n && status == KIN_OK; i++) {
        struct known *k = &v->known[order[i].value];
        uint32_t pair = 0;
        struct kin_linkage_entry entry;
        status = kin_linkage_pair_get(s, k->a, k->b, &pair);
        if (status != KIN_OK)
            break;
        s->pairs[pair].sum = k->sum;
        s->pairs[pair].flags = k->flags;
        if (!(k->flags & KIN_LINKAGE_REFUSED) &&
            kin_linkage_entry_of(s, s->pairs[pair].end, k->sum, &entry)) {
            entry.pair = pair;
            kin_linkage_heap_set(&s->heap, &entry);
        }
    }
    if (status == KIN_OK)
        status = agglomerate(s);
    for (uint32_t i = 0; i < n && status == KIN_OK; i++) {
        const struct kin_linkage_between *p = &s->pairs[i]; /* i-th made: no more than n were */
        v->known[order[i].value] = (struct known){p->end[0], p->end[1], p->sum, p->flags};
    }
    return status;
}

/* ---- what is known ---- */

/* Brings known to the clusters of now: roots, a < b, each pair once. */
static void gather(struct averaging *v)
{
    struct kin_linkage_state *s = v->s;
    size_t n = 0;
    for (size_t i = 0; i < v->known_count; i++) {
        struct known k = v->known[i];
        uint32_t a = kin_linkage_root(s, k.a), b = kin_linkage_root(s, k.b);
        if (a == b)
            continue;
        k.a = a < b ? a : b;
        k.b = a < b ? b : a;
        v->known[n] = k;
        v->order[n] = (struct kin_keyed){.key = (uint64_t)k.a << 32 | k.b, .value = (uint32_t)n};
        n++;
    }
    if (n)
        kin_radix_sort(v->order, v->tmp, n);
    /* the first of equal pairs takes the others in */
    size_t last = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && v->order[i].key == v->order[last].key) {
            v->known[v->order[last].value].sum += v->known[v->order[i].value].sum;
            v->known[v->order[last].value].flags |= v->known[v->order[i].value].flags;
            v->known[v->order[i].value].a = v->known[v->order[i].value].b; /* no more */
        } else {
            last = i;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (v->known[i].a != v->known[i].b)
            v->known[kept++] = v->known[i];
    }
    v->known_count = kept;
}

static int32_t clamped(int32_t weight, int32_t floor)
{
    if (weight < floor)
        return floor;
    return weight > KIN_LINKAGE_WEIGHT_MAX ? KIN_LINKAGE_WEIGHT_MAX : weight;
}

/* Edges of the model, and pairs that the unions so far found kept apart. */
static kin_status know(struct averaging *v, const struct kin_linkage_links *l)
{
    struct kin_linkage_state *s = v->s;
    v->known_cap = l->tie_count + s->pair_count;
    v->known = kin_reallocarray(NULL, v->known_cap, sizeof *v->known);
    v->order = kin_reallocarray(NULL, v->known_cap, sizeof *v->order);
    v->tmp = kin_reallocarray(NULL, v->known_cap, sizeof *v->tmp);
    v->part = kin_reallocarray(NULL, s->c->count, sizeof *v->part);
    v->part_pairs = kin_reallocarray(NULL, s->c->count, sizeof *v->part_pairs);
    v->part_clusters = kin_reallocarray(NULL, s->c->count, sizeof *v->part_clusters);
    if (!v->known || !v->order || !v->tmp || !v->part || !v->part_pairs || !v->part_clusters)
        return KIN_E_NOMEM;
    if (v->known_cap > INT32_MAX)
        return KIN_E_LIMIT;
    for (size_t i = 0; i < l->tie_count; i++) {
        const struct kin_linkage_tie *t = &l->ties[i];
        if (t->rank == KIN_LINKAGE_RANK_MODEL)
            v->known[v->known_count++] =
                (struct known){t->a, t->b, clamped(t->weight, s->o->floor) - s->o->unscored, 0};
    }
    for (uint32_t i = 0; i < s->pair_count; i++) {
        const struct kin_linkage_between *p = &s->pairs[i];
        v->known[v->known_count++] = (struct known){p->end[0], p->end[1], 0, p->flags};
    }
    return KIN_OK;
}

/* ---- parts ---- */

static uint32_t part_of(struct averaging *v, uint32_t x)
{
    uint32_t *p = v->part;
    while (p[x] != x) {
        p[x] = p[p[x]];
        x = p[x];
    }
    return x;
}

/* Two parts become one if together they are within the bound for sure. */
static bool grow_part(struct averaging *v, uint32_t a, uint32_t b)
{
    a = part_of(v, a);
    b = part_of(v, b);
    if (a == b)
        return true;
    uint64_t clusters = (uint64_t)v->part_clusters[a] + v->part_clusters[b];
    uint64_t pairs = v->part_pairs[a] + v->part_pairs[b];
    if (pairs / 2 > v->s->max_pairs && clusters * (clusters - 1) / 2 > v->s->max_pairs)
        return false;
    v->part[b] = a;
    v->part_clusters[a] = (uint32_t)clusters;
    v->part_pairs[a] = pairs;
    return true;
}

static bool may_join(const struct averaging *v, const struct known *k,
                     struct kin_linkage_entry *out)
{
    return !(k->flags & KIN_LINKAGE_REFUSED) &&
           kin_linkage_entry_of(v->s, (const uint32_t[2]){k->a, k->b}, k->sum, out);
}

static void parts_reset(struct averaging *v)
{
    for (uint32_t i = 0; i < v->s->c->count; i++) {
        v->part[i] = i;
        v->part_pairs[i] = 0;
        v->part_clusters[i] = 1;
    }
    for (size_t i = 0; i < v->known_count; i++) {
        v->part_pairs[v->known[i].a]++;
        v->part_pairs[v->known[i].b]++;
    }
}

/* Makes the parts; *cut: some are smaller than they would be without the bound. */
static kin_status make_parts(struct averaging *v, bool *cut)
{
    struct kin_linkage_heap *heap = &v->s->heap;
    struct kin_linkage_entry entry;
    *cut = false;
    parts_reset(v);
    if (v->known_count <= v->s->max_pairs) { /* no bound is in the way: in any order */
        for (size_t i = 0; i < v->known_count; i++) {
            if (may_join(v, &v->known[i], &entry))
                (void)grow_part(v, v->known[i].a, v->known[i].b);
        }
        return KIN_OK;
    }
    kin_status status = kin_linkage_heap_reset(heap, (uint32_t)v->known_count);
    for (uint32_t i = 0; i < v->known_count && status == KIN_OK; i++) {
        if (!may_join(v, &v->known[i], &entry))
            continue;
        entry.pair = i;
        kin_linkage_heap_set(heap, &entry);
    }
    while (status == KIN_OK && heap->n) {
        uint32_t i = heap->entries[0].pair;
        *cut |= !grow_part(v, v->known[i].a, v->known[i].b);
        kin_linkage_heap_remove(heap, i);
    }
    return status;
}

static kin_status run_parts(struct averaging *v)
{
    size_t n = 0;
    for (size_t i = 0; i < v->known_count; i++) {
        uint32_t part = part_of(v, v->known[i].a);
        if (part == part_of(v, v->known[i].b))
            v->order[n++] = (struct kin_keyed){.key = part, .value = (uint32_t)i};
    }
    if (n)
        kin_radix_sort(v->order, v->tmp, n);
    kin_status status = KIN_OK;
    for (size_t i = 0, end; i < n && status == KIN_OK; i = end) {
        for (end = i; end < n && v->order[end].key == v->order[i].key; end++)
            ;
        status = run_part(v, v->order + i, (uint32_t)(end - i));
    }
    return status;
}

kin_status kin_linkage_average(struct kin_linkage_state *s, const struct kin_linkage_links *l)
{
    struct averaging v = {.s = s};
    kin_status status = know(&v, l);
    s->averaging = true;
    bool again = true;
    for (unsigned round = 0; round < ROUNDS_MAX && again && status == KIN_OK; round++) {
        uint64_t done = s->merge_count + s->refused_merges;
        bool cut = false;
        gather(&v);
        status = make_parts(&v, &cut);
        if (status == KIN_OK)
            status = run_parts(&v);
        if (cut)
            s->flags |= KIN_LINKAGE_CUT;
        again = cut && s->merge_count + s->refused_merges > done;
    }
    kin_free(v.known);
    kin_free(v.order);
    kin_free(v.tmp);
    kin_free(v.part);
    kin_free(v.part_pairs);
    kin_free(v.part_clusters);
    return status;
}
