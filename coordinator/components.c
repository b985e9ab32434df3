#include "coordinator/veto.h"

#include "common/group/component.h"

#include <stdlib.h>
#include <string.h>

/* Which components there are, and what links their members: edges, stars, links of people. */

/* For never rules: whom to ask for the features of a record. */
static kin_status find_homes(struct veto *v, struct page_view *view)
{
    const struct cjob *job = view->job;
    v->home = kin_calloc(job->records, 1);
    if (!v->home)
        return KIN_E_NOMEM;
    for (uint64_t chunk = 0; chunk < job->chunk_count && job->shards.workers > 1; chunk++) {
        const struct kin_page *page = page_view_get(view, chunk);
        if (!page)
            return view->status;
        const char *name = job->workflow->sources[page->source].name;
        uint64_t seed = kin_hash64(name, strlen(name), 0);
        for (uint32_t i = 0; i < page->count; i++) {
            struct kin_str id = kin_page_id(page, i);
            v->home[page->base + i] = (uint8_t)kin_home_worker(&job->shards, seed, id);
        }
    }
    return KIN_OK;
}

/* The components that a never link runs through: a bit a root. NULL: there is no never link. */
static kin_status find_wanted(struct cjob *job, uint8_t **out)
{
    if (!job->never_count)
        return KIN_OK;
    uint8_t *wanted = kin_calloc(job->records / 8 + 1, 1);
    if (!wanted)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < job->never_count; i++) {
        uint32_t root = kin_union_find_root(&job->sets, job->never[i].a);
        if (root == kin_union_find_root(&job->sets, job->never[i].b))
            wanted[root / 8] |= (uint8_t)(1 << (root % 8));
    }
    *out = wanted;
    return KIN_OK;
}

static bool is_touched(const struct cjob *job, uint32_t record)
{
    return kin_best_edges_has(&job->best, record) || job_is_linked(job, record);
}

/* Two records that a matched pair joins, with nothing that could part them: most components. */
static bool pairs_are_decided(const struct cjob *job)
{
    const struct kin_workflow *w = job->workflow;
    return !w->never_count && !w->clean_count && !w->link_file_count && !job->never_count &&
           job_levels(job) == 1;
}

/* never: as find_wanted has it. Where only some components are looked into, it is these. */
static void list_component(struct veto *v, const struct cjob *job, const struct kin_keyed *items,
                           size_t first, size_t end, const uint8_t *never)
{
    uint64_t root = items[first].key;
    bool linked = never && (never[root / 8] >> (root % 8) & 1), must = false;
    for (size_t i = first; i < end; i++) {
        v->members[i] = items[i].value;
        must = must || job_is_linked(job, items[i].value);
    }
    if (!kin_workflow_refines(job->workflow) && !linked)
        return;
    if (kin_workflow_only_vetoes(job->workflow) && !linked && !must &&
        end - first > job->workflow->limits.max_veto_group) {
        v->unchecked++;
        return;
    }
    if (end - first == 2 && pairs_are_decided(job)) {
        v->decided++;
        return;
    }
    v->components[v->component_count++] =
        (struct component){.first = (uint32_t)first, .count = (uint32_t)(end - first)};
}

static kin_status list_components(struct veto *v, struct cjob *job)
{
    size_t touched = 0;
    for (uint32_t i = 0; i < job->records; i++)
        touched += is_touched(job, i);
    struct kin_keyed *items = kin_reallocarray(NULL, touched, sizeof *items);
    struct kin_keyed *tmp = kin_reallocarray(NULL, touched, sizeof *tmp);
    uint8_t *wanted = NULL;
    v->members = kin_reallocarray(NULL, touched, sizeof *v->members);
    v->components = kin_reallocarray(NULL, touched, sizeof *v->components);
    kin_status status = items && tmp && v->members && v->components ? KIN_OK : KIN_E_NOMEM;
    if (status == KIN_OK)
        status = find_wanted(job, &wanted);
    if (status == KIN_OK) {
        size_t n = 0;
        for (uint32_t i = 0; i < job->records; i++) {
            if (is_touched(job, i))
                items[n++] =
                    (struct kin_keyed){.key = kin_union_find_root(&job->sets, i), .value = i};
        }
        if (touched)
            kin_radix_sort(items, tmp, touched);
        for (size_t i = 0, end; i < touched; i = end) {
            for (end = i; end < touched && items[end].key == items[i].key; end++)
                continue;
            list_component(v, job, items, i, end, wanted);
        }
    }
    kin_free(wanted);
    kin_free(items);
    kin_free(tmp);
    return status;
}

/* Links whose ends are in one component, by its root. */
static kin_status sort_links(struct cjob *job, const struct kin_linkage_pair *links, size_t n,
                             struct kin_keyed **out, size_t *count)
{
    struct kin_keyed *tmp = kin_reallocarray(NULL, n, sizeof *tmp);
    struct kin_keyed *sorted = *out = kin_reallocarray(NULL, n, sizeof *sorted);
    *count = 0;
    for (size_t i = 0; tmp && sorted && i < n; i++) {
        uint32_t root = kin_union_find_root(&job->sets, links[i].a);
        if (root == kin_union_find_root(&job->sets, links[i].b))
            sorted[(*count)++] = (struct kin_keyed){.key = root, .value = (uint32_t)i};
    }
    if (tmp && sorted && *count)
        kin_radix_sort(sorted, tmp, *count);
    kin_free(tmp);
    return tmp && sorted ? KIN_OK : KIN_E_NOMEM;
}

static kin_status sort_edges(struct veto *v, struct cjob *job, size_t *count)
{
    const struct kin_keyed *all = (const struct kin_keyed *)(const void *)job->edges.p;
    size_t n = job->edges.n / sizeof *all;
    struct kin_keyed *tmp = kin_reallocarray(NULL, n, sizeof *tmp);
    v->edges = kin_reallocarray(NULL, n, sizeof *v->edges);
    if (!tmp || !v->edges || n > UINT32_MAX) {
        kin_free(tmp);
        return n > UINT32_MAX ? KIN_E_LIMIT : KIN_E_NOMEM;
    }
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        if (all[i].value == EDGE_MUST || all[i].value & KIN_EDGE_STAR)
            continue; /* the link, the star itself say more */
        uint32_t root = kin_union_find_root(&job->sets, (uint32_t)(all[i].key >> 32));
        if (root != kin_union_find_root(&job->sets, (uint32_t)all[i].key))
            continue; /* below the threshold, between two components */
        v->edges[(*count)++] = (struct kin_keyed){.key = root, .value = (uint32_t)i};
    }
    if (*count)
        kin_radix_sort(v->edges, tmp, *count);
    kin_free(tmp);
    return KIN_OK;
}

static int by_root(const void *a, const void *b)
{
    const struct star_at *x = a, *y = b;
    return x->root < y->root ? -1 : x->root > y->root;
}

/* The stars of all workers, checked: they came over the wire. */
static kin_status list_stars(struct veto *v, struct kin_coordinator *c, size_t *count)
{
    struct cjob *job = c->job;
    size_t cap = 0;
    *count = 0;
    for (unsigned w = 0; w < job_workers(c); w++) {
        struct kin_cursor at =
            kin_cursor_of(c->job->workers[w].stars.p, c->job->workers[w].stars.n);
        while (kin_cursor_left(&at)) {
            kin_cursor_u64(&at); /* its key */
            struct star_at star = {.rule = kin_cursor_u32(&at), .count = kin_cursor_u32(&at)};
            star.members = star.count <= kin_cursor_left(&at) / 4
                               ? kin_cursor_take(&at, 4 * (size_t)star.count)
                               : NULL;
            if (!star.members || star.count < 2 || star.rule >= job->workflow->rule_count)
                return KIN_E_PROTO;
            for (uint32_t i = 0; i < star.count; i++) {
                if (kin_le32(star.members + 4 * (size_t)i) >= job->records)
                    return KIN_E_PROTO;
            }
            star.root = kin_union_find_root(&job->sets, kin_le32(star.members));
            if (*count == cap) {
                cap = cap ? 2 * cap : 256;
                struct star_at *stars = kin_reallocarray(v->stars, cap, sizeof *stars);
                if (!stars)
                    return KIN_E_NOMEM;
                v->stars = stars;
            }
            v->stars[(*count)++] = star;
        }
    }
    if (*count)
        qsort(v->stars, *count, sizeof *v->stars, by_root);
    return KIN_OK;
}

/* Those of one root, from *at on; components come by ascending root. */
static uint32_t run_of(const struct kin_keyed *sorted, size_t count, uint32_t root, size_t *at)
{
    while (*at < count && sorted[*at].key < root)
        ++*at;
    size_t end = *at;
    while (end < count && sorted[end].key == root)
        end++;
    return (uint32_t)(end - *at);
}

struct link_counts {
    size_t edges, stars, must, never;
};

static void assign_links(struct veto *v, struct cjob *job, const struct link_counts *n)
{
    size_t e = 0, s = 0, m = 0, k = 0;
    for (uint32_t i = 0; i < v->component_count; i++) {
        struct component *comp = &v->components[i];
        uint32_t root = kin_union_find_root(&job->sets, v->members[comp->first]);
        comp->edge_count = run_of(v->edges, n->edges, root, &e);
        comp->first_edge = e;
        comp->must_count = run_of(v->must, n->must, root, &m);
        comp->first_must = (uint32_t)m;
        comp->never_count = run_of(v->never, n->never, root, &k);
        comp->first_never = (uint32_t)k;
        while (s < n->stars && v->stars[s].root < root)
            s++;
        comp->first_star = (uint32_t)s;
        for (; s < n->stars && v->stars[s].root == root; s++)
            comp->star_members += v->stars[s].count;
        comp->star_count = (uint32_t)s - comp->first_star;
    }
}

kin_status veto_prepare(struct veto *v, struct kin_coordinator *c, struct kin_env *env)
{
    struct cjob *job = c->job;
    struct page_view view;
    struct link_counts n = {0};
    kin_status status = page_view_init(&view, env, job);
    if (status == KIN_OK && job->workflow->never_count)
        status = find_homes(v, &view);
    if (status == KIN_OK)
        status = list_components(v, job);
    if (status == KIN_OK)
        status = sort_edges(v, job, &n.edges);
    if (status == KIN_OK)
        status = list_stars(v, c, &n.stars);
    if (status == KIN_OK)
        status = sort_links(job, job->must, job->must_count, &v->must, &n.must);
    if (status == KIN_OK)
        status = sort_links(job, job->never, job->never_count, &v->never, &n.never);
    if (status == KIN_OK)
        assign_links(v, job, &n);
    page_view_deinit(&view);
    return status;
}

uint32_t veto_member_index(const struct veto *v, const struct component *comp, uint32_t record)
{
    uint32_t low = 0, high = comp->count;
    const uint32_t *members = v->members + comp->first;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (members[middle] <= record)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---- a component that no message holds ---- */

struct identified {
    uint32_t source, given; /* given: place among the members */
    struct kin_str id;
};

static int by_identity(const void *a, const void *b)
{
    const struct identified *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return kin_str_cmp(x->id, y->id);
}

struct here { /* one component, its members in the order of (source, id) */
    const struct veto *v;
    const struct component *comp;
    struct identified *order;
    uint32_t *place; /* given -> place in the order */
    struct kin_linkage_component c;
};

static kin_status order_members(struct here *h, struct kin_arena *arena, struct page_view *view)
{
    uint32_t n = h->comp->count;
    uint16_t *source = kin_arena_calloc(arena, n, sizeof *source);
    h->order = kin_arena_calloc(arena, n, sizeof *h->order);
    h->place = kin_arena_calloc(arena, n, sizeof *h->place);
    if (!source || !h->order || !h->place)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        h->order[i].given = i;
        if (!page_view_identity(view, h->v->members[h->comp->first + i], &h->order[i].source,
                                &h->order[i].id))
            return view->status;
    }
    qsort(h->order, n, sizeof *h->order, by_identity);
    for (uint32_t i = 0; i < n; i++) {
        source[i] = (uint16_t)h->order[i].source;
        h->place[h->order[i].given] = i;
    }
    h->c.count = n;
    h->c.source = source;
    return KIN_OK;
}

static uint32_t place_of(const struct here *h, uint32_t record)
{
    return h->place[veto_member_index(h->v, h->comp, record)];
}

static kin_status list_edges_here(struct here *h, struct kin_arena *arena, const struct cjob *job)
{
    const struct kin_keyed *all = (const struct kin_keyed *)(const void *)job->edges.p;
    size_t n = h->comp->edge_count;
    struct kin_linkage_edge *edges = kin_arena_calloc(arena, n, sizeof *edges);
    if (!edges)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct kin_keyed *e = &all[h->v->edges[h->comp->first_edge + i].value];
        bool model = e->value >= job->workflow->rule_count;
        edges[i] = (struct kin_linkage_edge){
            .a = place_of(h, (uint32_t)(e->key >> 32)),
            .b = place_of(h, (uint32_t)e->key),
            .weight = model ? (int32_t)e->extra : KIN_LINKAGE_CERTAIN,
            .rule = model ? (uint16_t)KIN_LINKAGE_MODEL : (uint16_t)e->value};
    }
    h->c.edges = edges;
    h->c.edge_count = n;
    return KIN_OK;
}

static kin_status list_stars_here(struct here *h, struct kin_arena *arena)
{
    struct kin_linkage_star *stars = kin_arena_calloc(arena, h->comp->star_count, sizeof *stars);
    uint32_t *members = kin_arena_calloc(arena, h->comp->star_members, sizeof *members);
    if (!stars || !members)
        return KIN_E_NOMEM;
    for (uint32_t s = 0; s < h->comp->star_count; s++) {
        const struct star_at *at = &h->v->stars[h->comp->first_star + s];
        stars[s] = (struct kin_linkage_star){members, at->count, (uint16_t)at->rule};
        for (uint32_t i = 0; i < at->count; i++)
            *members++ = place_of(h, kin_le32(at->members + 4 * (size_t)i));
    }
    h->c.stars = stars;
    h->c.star_count = h->comp->star_count;
    return KIN_OK;
}

static struct kin_linkage_pair *list_pairs_here(const struct here *h, struct kin_arena *arena,
                                                const struct kin_linkage_pair *links,
                                                const struct kin_keyed *sorted, uint32_t count)
{
    struct kin_linkage_pair *pairs = kin_arena_calloc(arena, count, sizeof *pairs);
    for (uint32_t i = 0; pairs && i < count; i++) {
        const struct kin_linkage_pair *link = &links[sorted[i].value];
        pairs[i] = (struct kin_linkage_pair){place_of(h, link->a), place_of(h, link->b)};
    }
    return pairs;
}

static kin_status list_links_here(struct here *h, struct kin_arena *arena, const struct cjob *job)
{
    const struct component *comp = h->comp;
    kin_status status = list_edges_here(h, arena, job);
    if (status == KIN_OK)
        status = list_stars_here(h, arena);
    if (status != KIN_OK)
        return status;
    h->c.must =
        list_pairs_here(h, arena, job->must, h->v->must + comp->first_must, comp->must_count);
    h->c.never =
        list_pairs_here(h, arena, job->never, h->v->never + comp->first_never, comp->never_count);
    h->c.must_count = comp->must_count;
    h->c.never_count = comp->never_count;
    return h->c.must && h->c.never ? KIN_OK : KIN_E_NOMEM;
}

kin_status veto_cluster_here(const struct veto *v, struct page_view *view, struct kin_arena *arena,
                             const struct component *comp, struct kin_buf *out, uint64_t *refused)
{
    const struct cjob *job = view->job;
    struct here h = {.v = v, .comp = comp};
    struct kin_component_result result;
    kin_arena_clear(arena);
    kin_status status = order_members(&h, arena, view);
    if (status == KIN_OK)
        status = list_links_here(&h, arena, job);
    if (status == KIN_OK)
        status = kin_component_cluster(arena, job->workflow, &h.c, NULL, NULL, &result);
    uint32_t n = comp->count;
    for (unsigned level = 0; status == KIN_OK && level < result.levels; level++) {
        for (uint32_t i = 0; i < n; i++)
            kin_buf_u32(out, h.order[result.group[(size_t)level * n + h.place[i]]].given);
    }
    for (uint32_t i = 0; status == KIN_OK && i < n; i++)
        kin_buf_u32(out, result.best_rule[h.place[i]]);
    for (uint32_t i = 0; status == KIN_OK && i < n; i++)
        kin_buf_u32(out, (uint32_t)result.best_weight[h.place[i]]);
    if (status == KIN_OK)
        *refused += result.refused;
    return status == KIN_OK && out->failed ? KIN_E_NOMEM : status;
}
