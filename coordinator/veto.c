#include "coordinator/impl.h"

#include <stdlib.h>
#include <string.h>

/* Vetoes: every component of two or more becomes part of a task that some worker does. Its members'
 * features are fetched from their homes, its edges and stars were pulled from all workers; what
 * comes back is how the component falls apart. A component larger than max_veto_group is left as it
 * is and counted. */

struct veto_batch {
    uint32_t first, end; /* components */
    uint32_t waiting;    /* answers with features still out */
    bool active;
    struct kin_frame *features[KIN_WORKERS_MAX];
};

struct component {
    uint32_t first, count; /* members */
    uint64_t first_edge, edge_count;
    uint32_t first_star, star_count;
};

struct star_at {
    uint32_t root, rule, count;
    const uint8_t *members; /* u32[count] */
};

struct veto {
    uint32_t *members;       /* records by component, ascending within one */
    uint8_t *home;           /* [records] */
    struct kin_keyed *edges; /* by root: value is the index in job->edges */
    struct star_at *stars;   /* by root */
    struct component *components;
    uint32_t component_count;
    uint64_t unchecked;
    uint32_t next, done; /* components given to a batch; finished */
    unsigned turn;
    struct veto_batch batches[VETO_TASKS_AT_ONCE];
};

static void veto_pump(struct kin_coordinator *c);

static void veto_struct_free(struct veto *v)
{
    if (!v)
        return;
    for (unsigned b = 0; b < VETO_TASKS_AT_ONCE; b++) {
        for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
            kin_frame_unref(v->batches[b].features[w]);
    }
    kin_free(v->members);
    kin_free(v->home);
    kin_free(v->edges);
    kin_free(v->stars);
    kin_free(v->components);
    kin_free(v);
}

void veto_free(struct kin_coordinator *c)
{
    veto_struct_free(c->job->veto);
    c->job->veto = NULL;
}

/* ---- preparing: members, edges and stars by component ---- */

struct prepare_task {
    struct ctask task;
    struct veto *veto;
};

static kin_status find_homes(struct veto *v, struct page_view *view)
{
    const struct cjob *job = view->job;
    for (uint64_t chunk = 0; chunk < job->chunk_count; chunk++) {
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

static kin_status list_components(struct veto *v, struct cjob *job)
{
    size_t touched = 0;
    for (size_t i = 0; i < job->records; i++)
        touched += job->best_rule[i] != UINT16_MAX;
    struct kin_keyed *items = kin_reallocarray(NULL, touched, sizeof *items);
    struct kin_keyed *tmp = kin_reallocarray(NULL, touched, sizeof *tmp);
    v->members = kin_reallocarray(NULL, touched, sizeof *v->members);
    v->components = kin_reallocarray(NULL, touched, sizeof *v->components);
    kin_status status = items && tmp && v->members && v->components ? KIN_OK : KIN_E_NOMEM;
    if (status == KIN_OK) {
        size_t n = 0;
        for (uint32_t i = 0; i < job->records; i++) {
            if (job->best_rule[i] != UINT16_MAX)
                items[n++] =
                    (struct kin_keyed){.key = kin_union_find_root(&job->sets, i), .value = i};
        }
        if (touched)
            kin_radix_sort(items, tmp, touched);
        for (size_t i = 0, end; i < touched; i = end) {
            for (end = i; end < touched && items[end].key == items[i].key; end++)
                v->members[end] = items[end].value;
            bool plain = !job->workflow->model && !job->workflow->clean_count;
            if (plain && end - i > job->workflow->limits.max_veto_group) {
                v->unchecked++;
                continue;
            }
            v->components[v->component_count++] =
                (struct component){.first = (uint32_t)i, .count = (uint32_t)(end - i)};
        }
    }
    kin_free(items);
    kin_free(tmp);
    return status;
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
        if (all[i].value & KIN_EDGE_STAR)
            continue; /* the star itself says more */
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

static void assign_links(struct veto *v, struct cjob *job, size_t edge_count, size_t star_count)
{
    size_t e = 0, s = 0;
    for (uint32_t i = 0; i < v->component_count; i++) {
        struct component *comp = &v->components[i];
        uint32_t root = kin_union_find_root(&job->sets, v->members[comp->first]);
        while (e < edge_count && v->edges[e].key < root)
            e++;
        comp->first_edge = e;
        while (e < edge_count && v->edges[e].key == root)
            e++;
        comp->edge_count = e - comp->first_edge;
        while (s < star_count && v->stars[s].root < root)
            s++;
        comp->first_star = (uint32_t)s;
        while (s < star_count && v->stars[s].root == root)
            s++;
        comp->star_count = (uint32_t)s - comp->first_star;
    }
}

static void prepare_run(struct kin_env *env, struct kin_work *work)
{
    struct prepare_task *t = (struct prepare_task *)work;
    struct kin_coordinator *c = t->task.c;
    struct veto *v = t->veto;
    struct page_view view;
    size_t edges = 0, stars = 0;
    kin_status status = page_view_init(&view, env, c->job);
    v->home = kin_calloc(c->job->records, 1);
    if (status == KIN_OK && !v->home)
        status = KIN_E_NOMEM;
    if (status == KIN_OK && job_workers(c) > 1)
        status = find_homes(v, &view);
    if (status == KIN_OK)
        status = list_components(v, c->job);
    if (status == KIN_OK)
        status = sort_edges(v, c->job, &edges);
    if (status == KIN_OK)
        status = list_stars(v, c, &stars);
    if (status == KIN_OK)
        assign_links(v, c->job, edges, stars);
    page_view_deinit(&view);
    t->task.status = status;
}

static void prepare_release(struct ctask *task)
{
    veto_struct_free(((struct prepare_task *)task)->veto);
}

static void prepare_finish(struct ctask *task)
{
    struct prepare_task *t = (struct prepare_task *)task;
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "vetoes cannot be prepared: %s", kin_status_text(task->status));
        return;
    }
    c->job->veto = t->veto;
    t->veto = NULL;
    c->job->report.veto_components = c->job->veto->component_count;
    c->job->report.veto_unchecked = c->job->veto->unchecked;
    veto_pump(c);
}

void veto_begin(struct kin_coordinator *c)
{
    struct prepare_task *t = ctask_new(c, sizeof *t, prepare_run, prepare_finish, prepare_release);
    if (t)
        t->veto = kin_calloc(1, sizeof *t->veto);
    if (!t || !t->veto) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    job_phase(c, KIN_PHASE_VETO);
    ctask_start(&t->task);
}

/* ---- one batch of components ---- */

static uint32_t member_index(const struct veto *v, const struct component *comp, uint32_t record)
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

static void put_component(const struct cjob *job, const struct veto *v,
                          const struct component *comp, struct kin_cursor *features,
                          struct kin_buf *out)
{
    kin_buf_u32(out, comp->count);
    kin_buf_u32(out, (uint32_t)comp->edge_count);
    kin_buf_u32(out, comp->star_count);
    for (uint32_t i = 0; i < comp->count; i++) {
        struct kin_cursor *from = &features[v->home[v->members[comp->first + i]]];
        uint32_t bytes = kin_cursor_left(from) >= 4 ? kin_le32(from->p) : 0;
        const uint8_t *rec = kin_cursor_take(from, bytes);
        kin_buf_put(out, rec,
                    rec ? bytes : 0); /* a short answer: the worker finds the payload bad */
    }
    const struct kin_keyed *all = (const struct kin_keyed *)(const void *)job->edges.p;
    for (uint64_t e = comp->first_edge; e < comp->first_edge + comp->edge_count; e++) {
        const struct kin_keyed *edge = &all[v->edges[e].value];
        kin_buf_u32(out, member_index(v, comp, (uint32_t)(edge->key >> 32)));
        kin_buf_u32(out, member_index(v, comp, (uint32_t)edge->key));
        kin_buf_u32(out, edge->value);
        kin_buf_u32(out, edge->extra);
    }
    for (uint32_t s = comp->first_star; s < comp->first_star + comp->star_count; s++) {
        const struct star_at *star = &v->stars[s];
        kin_buf_u32(out, star->rule);
        kin_buf_u32(out, star->count);
        for (uint32_t i = 0; i < star->count; i++)
            kin_buf_u32(out, member_index(v, comp, kin_le32(star->members + 4 * (size_t)i)));
    }
}

/* Groups at one of several thresholds. */
static bool take_level(struct cjob *job, const struct component *comp, const uint32_t *members,
                       size_t level, const uint8_t *group)
{
    for (uint32_t i = 0; i < comp->count; i++) {
        uint32_t stand_in = kin_le32(group + 4 * (size_t)i);
        if (stand_in >= comp->count)
            return false;
        if (job->level[level])
            job->level[level][members[i]] = members[stand_in];
    }
    return true;
}

/* Members of a group get its first record as their root; their best rule is the one inside the
 * group. */
static bool apply_component(struct cjob *job, const struct veto *v, const struct component *comp,
                            struct kin_cursor *at)
{
    const uint32_t *members = v->members + comp->first;
    const uint8_t *group = NULL;
    for (size_t level = 0; level < job_levels(job); level++) {
        const uint8_t *of_level = kin_cursor_take(at, 4 * (size_t)comp->count);
        if (!of_level || !take_level(job, comp, members, level, of_level))
            return false;
        if (level == (job->workflow->model ? job->workflow->model->primary : 0))
            group = of_level;
    }
    const uint8_t *rule = kin_cursor_take(at, 4 * (size_t)comp->count);
    const uint8_t *weight = kin_cursor_take(at, 4 * (size_t)comp->count);
    if (!group || !rule || !weight)
        return false;
    for (uint32_t i = 0; i < comp->count; i++) {
        uint32_t best = kin_le32(rule + 4 * (size_t)i);
        if (!job_has_rule(job, best) && best != UINT16_MAX)
            return false;
        job->sets.parent[members[i]] = UINT32_MAX;
    }
    for (uint32_t i = 0; i < comp->count; i++) {
        /* members ascend: the first of a group that comes by is its root, noted at its
         * representative */
        uint32_t stand_in = members[kin_le32(group + 4 * (size_t)i)];
        job_set_best(job, members[i],
                     (struct kin_best_edge){(uint16_t)kin_le32(rule + 4 * (size_t)i),
                                            (int32_t)kin_le32(weight + 4 * (size_t)i)});
        if (job->sets.parent[stand_in] == UINT32_MAX)
            job->sets.parent[stand_in] = members[i];
        uint32_t root = job->sets.parent[stand_in];
        job->sets.parent[members[i]] = root;
        job->sets.parent[root] = root;
    }
    return true;
}

static void on_vetoed(struct rpc *r, const struct kin_message *m, struct kin_frame *f)
{
    struct kin_coordinator *c = r->arg;
    struct veto *v = c->job->veto;
    struct veto_batch *b = &v->batches[r->number];
    struct kin_cursor at = kin_cursor_of(f->payload.p, f->payload.n);
    if (m->type != KIN_MSG_VETOED)
        at.bad = true;
    for (uint32_t i = b->first; i < b->end && !at.bad; i++) {
        if (!apply_component(c->job, v, &v->components[i], &at))
            at.bad = true;
    }
    if (at.bad) {
        job_fail(c, KIN_E_PROTO, "worker %u answered a veto with nonsense", r->worker + 1);
        return;
    }
    c->job->report.veto_forbidden += m->u.vetoed.forbidden;
    c->job->report.veto_refused += m->u.vetoed.refused;
    c->job->report.veto_unchecked += m->u.vetoed.unchecked;
    v->done += b->end - b->first;
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_frame_unref(b->features[w]);
    *b = (struct veto_batch){0};
    veto_pump(c);
}

static void send_veto(struct kin_coordinator *c, uint32_t number)
{
    struct veto *v = c->job->veto;
    struct veto_batch *b = &v->batches[number];
    struct kin_cursor features[KIN_WORKERS_MAX];
    for (unsigned w = 0; w < job_workers(c); w++) {
        const struct kin_frame *f = b->features[w];
        features[w] = kin_cursor_of(f ? f->payload.p : NULL, f ? f->payload.n : 0);
    }
    struct kin_buf payload = {0};
    kin_buf_u32(&payload, b->end - b->first);
    for (uint32_t i = b->first; i < b->end; i++)
        put_component(c->job, v, &v->components[i], features, &payload);
    struct kin_message m = {.type = KIN_MSG_VETO};
    m.u.veto.job = c->job->id;
    KIN_ASSERT(job_workers(c) > 0);
    unsigned worker = v->turn++ % job_workers(c);
    if (rpc_start(c, worker, &m, &payload, on_vetoed, c, number) != KIN_OK)
        job_fail(c, KIN_E_NOMEM, "out of memory");
}

static void on_features(struct rpc *r, const struct kin_message *m, struct kin_frame *f)
{
    struct kin_coordinator *c = r->arg;
    struct veto_batch *b = &c->job->veto->batches[r->number];
    if (m->type != KIN_MSG_PULLED) {
        job_fail(c, KIN_E_PROTO, "worker %u answered nonsense", r->worker + 1);
        return;
    }
    b->features[r->worker] = kin_frame_ref(f);
    if (--b->waiting == 0)
        send_veto(c, r->number);
}

static void start_batch(struct kin_coordinator *c, uint32_t number)
{
    struct veto *v = c->job->veto;
    struct veto_batch *b = &v->batches[number];
    struct kin_buf wanted[KIN_WORKERS_MAX] = {0};
    uint32_t records = 0;
    *b = (struct veto_batch){.first = v->next, .active = true};
    while (v->next < v->component_count &&
           (records == 0 || records + v->components[v->next].count <= VETO_RECORDS_PER_TASK)) {
        const struct component *comp = &v->components[v->next++];
        records += comp->count;
        for (uint32_t i = 0; i < comp->count; i++) {
            uint32_t record = v->members[comp->first + i];
            kin_buf_u32(&wanted[v->home[record]], record);
        }
    }
    b->end = v->next;
    for (unsigned w = 0; w < job_workers(c); w++)
        b->waiting += wanted[w].n > 0 || wanted[w].failed;
    for (unsigned w = 0; w < job_workers(c); w++) {
        if (wanted[w].n == 0 && !wanted[w].failed)
            continue;
        struct kin_message m = {.type = KIN_MSG_PULL};
        m.u.pull.job = c->job->id;
        m.u.pull.what = KIN_PULL_FEATURES;
        if (rpc_start(c, w, &m, &wanted[w], on_features, c, number) != KIN_OK)
            job_fail(c, KIN_E_NOMEM, "out of memory");
    }
}

static void veto_pump(struct kin_coordinator *c)
{
    struct veto *v = c->job->veto;
    for (uint32_t b = 0; b < VETO_TASKS_AT_ONCE && !c->job->failed; b++) {
        if (!v->batches[b].active && v->next < v->component_count)
            start_batch(c, b);
    }
    if (!c->job->failed && v->done == v->component_count)
        label_begin(c);
}
