#include "worker/impl.h"

#include "common/group/linkage.h"
#include "common/group/veto.h"
#include "proto/edges.h"

#include <stdlib.h>

/* What becomes of components: vetoes, clean sources, linkage. The coordinator sends whole
 * components, any worker can do them.
 *
 * Request payload: u32 components; each: u32 members, u32 edges, u32 stars; the members' features
 * one after another; edges as u32 a, u32 b, u32 rule, i32 weight (indices of members); stars as u32
 * rule, u32 count, u32 member... Answer payload, for each component: for each threshold u32
 * group[members] (index of a member that stands for the group), u32 best rule[members] (UINT16_MAX:
 * none), i32 its weight[members]. */

struct veto_task {
    struct worker_task task;
    uint64_t forbidden, refused, unchecked;
    struct kin_frame *frame;
    struct kin_buf out;
};

struct ordered_member {
    const uint8_t *rec;
    uint32_t given; /* place in the request */
};

static int by_identity(const void *a, const void *b)
{
    return kin_features_cmp_identity(((const struct ordered_member *)a)->rec,
                                     ((const struct ordered_member *)b)->rec);
}

struct veto_component_buffers {
    struct ordered_member *order;
    const uint8_t **members;
    uint32_t *place; /* given -> place in (source, id) order */
    struct kin_linkage_edge *edges;
    struct kin_linkage_star *stars;
};

static kin_status read_members(struct kin_cursor *c, uint32_t n, const struct kin_schema *schema,
                               struct veto_component_buffers *b)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bytes = kin_cursor_left(c) >= 4 ? kin_le32(c->p) : 0;
        const uint8_t *rec = bytes ? kin_cursor_take(c, bytes) : NULL;
        if (!rec || !kin_features_valid(rec, bytes, (unsigned)schema->count) ||
            !kin_features_fit(rec, schema))
            return KIN_E_PROTO;
        b->order[i] = (struct ordered_member){rec, i};
    }
    qsort(b->order, n, sizeof *b->order, by_identity);
    for (uint32_t i = 0; i < n; i++) {
        b->members[i] = b->order[i].rec;
        b->place[b->order[i].given] = i;
    }
    return KIN_OK;
}

static kin_status read_links(struct kin_cursor *c, struct kin_arena *arena, uint32_t members,
                             uint32_t edges, uint32_t stars, size_t rules,
                             struct veto_component_buffers *b)
{
    for (uint32_t i = 0; i < edges; i++) {
        uint32_t x = kin_cursor_u32(c), y = kin_cursor_u32(c), rule = kin_cursor_u32(c);
        int32_t weight = (int32_t)kin_cursor_u32(c);
        if (c->bad || x >= members || y >= members || x == y || rule > rules)
            return KIN_E_PROTO;
        b->edges[i] = (struct kin_linkage_edge){.a = b->place[x],
                                                .b = b->place[y],
                                                .weight = KIN_LINKAGE_CERTAIN,
                                                .rule = (uint16_t)rule};
        if (rule == rules) {
            b->edges[i].weight = weight;
            b->edges[i].rule = KIN_LINKAGE_MODEL;
        }
    }
    for (uint32_t i = 0; i < stars; i++) {
        uint32_t rule = kin_cursor_u32(c), count = kin_cursor_u32(c);
        if (c->bad || rule >= rules || count < 2 || count > kin_cursor_left(c) / 4)
            return KIN_E_PROTO;
        uint32_t *list = kin_arena_alloc(arena, count * sizeof *list);
        if (!list)
            return KIN_E_NOMEM;
        for (uint32_t k = 0; k < count; k++) {
            uint32_t x = kin_cursor_u32(c);
            if (x >= members)
                return KIN_E_PROTO;
            list[k] = b->place[x];
        }
        b->stars[i] = (struct kin_linkage_star){list, count, (uint16_t)rule};
    }
    return KIN_OK;
}

struct clustered {
    const uint32_t *group; /* for each threshold and member, a member that stands for it */
    unsigned levels;
    struct kin_best_edge *best;
};

/* Rules alone, joined by whatever connects: the plainest case, and the commonest. */
static kin_status cluster_by_vetoes(struct veto_task *t, struct kin_arena *arena, uint32_t n,
                                    const struct veto_component_buffers *b, size_t edges,
                                    size_t stars, struct kin_kernel_scratch *scratch,
                                    struct clustered *out)
{
    const struct kin_workflow *w = t->task.job->workflow;
    struct kin_veto_edge *e = kin_arena_calloc(arena, edges, sizeof *e);
    struct kin_veto_star *s = kin_arena_calloc(arena, stars, sizeof *s);
    struct kin_veto_result result;
    if (!e || !s)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < edges; i++)
        e[i] = (struct kin_veto_edge){b->edges[i].a, b->edges[i].b, b->edges[i].rule};
    for (size_t i = 0; i < stars; i++)
        s[i] = (struct kin_veto_star){b->stars[i].members, b->stars[i].count, b->stars[i].rule};
    struct kin_veto_component component = {b->members, n, e, edges, s, stars, w->across_sources};
    kin_status status =
        kin_veto_cluster(arena, &component, w->never, w->never_count, scratch, &result);
    if (status != KIN_OK)
        return status;
    t->forbidden += result.forbidden;
    t->refused += result.refused;
    out->group = result.group;
    out->levels = 1;
    for (uint32_t i = 0; i < n; i++)
        out->best[i] = (struct kin_best_edge){result.best_rule[i], 0};
    return KIN_OK;
}

struct never_check {
    const struct kin_workflow *workflow;
    const uint8_t *const *members;
    struct kin_kernel_scratch *scratch;
};

static bool is_forbidden(void *arg, uint32_t a, uint32_t b)
{
    const struct never_check *k = arg;
    for (size_t i = 0; i < k->workflow->never_count; i++) {
        if (kin_condition_eval(k->workflow->never[i].condition, k->members[a], k->members[b],
                               k->scratch) == KIN_TRUE)
            return true;
    }
    return false;
}

/* The best edge of each member inside its group. Of a star: any other member in the group, with
 * pairs: across_sources one of another source. */
static kin_status find_best(const struct worker_job *job, struct kin_arena *arena, uint32_t n,
                            const struct kin_linkage_component *c, const uint32_t *group,
                            struct kin_best_edge *best)
{
    uint32_t *seen = kin_arena_calloc(arena, n, sizeof *seen); /* in this star, by group */
    uint32_t *first = kin_arena_calloc(arena, n, sizeof *first);
    uint8_t *mixed = kin_arena_calloc(arena, n, 1);
    if (!seen || !first || !mixed)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        best[i] = KIN_NO_EDGE;
    for (size_t i = 0; i < c->edge_count; i++) {
        const struct kin_linkage_edge *e = &c->edges[i];
        bool model = e->rule == KIN_LINKAGE_MODEL;
        if (group[e->a] != group[e->b] || (model && e->weight < job->weight_threshold))
            continue;
        struct kin_best_edge edge = {model ? (uint16_t)job->workflow->rule_count : e->rule,
                                     model ? e->weight : 0};
        best[e->a] = kin_better_edge(best[e->a], edge);
        best[e->b] = kin_better_edge(best[e->b], edge);
    }
    for (size_t s = 0; s < c->star_count; s++) {
        const struct kin_linkage_star *star = &c->stars[s];
        for (uint32_t i = 0; i < star->count; i++) {
            uint32_t at = star->members[i], g = group[at];
            mixed[g] = seen[g] && (mixed[g] || !job->workflow->across_sources ||
                                   c->source[at] != c->source[first[g]]);
            first[g] = seen[g] ? first[g] : at;
            seen[g]++;
        }
        for (uint32_t i = 0; i < star->count; i++) {
            uint32_t at = star->members[i];
            if (mixed[group[at]])
                best[at] = kin_better_edge(best[at], (struct kin_best_edge){star->rule, 0});
        }
        for (uint32_t i = 0; i < star->count; i++)
            seen[group[star->members[i]]] = mixed[group[star->members[i]]] = 0;
    }
    return KIN_OK;
}

static kin_status cluster_by_linkage(struct veto_task *t, struct kin_arena *arena, uint32_t n,
                                     const struct veto_component_buffers *b, size_t edges,
                                     size_t stars, struct kin_kernel_scratch *scratch,
                                     struct clustered *out)
{
    const struct worker_job *job = t->task.job;
    const struct kin_workflow *w = job->workflow;
    int32_t thresholds[KIN_THRESHOLDS_MAX] = {0};
    size_t levels = w->model ? w->model->threshold_count : 1;
    size_t primary = w->model ? w->model->primary : 0;
    for (size_t i = 0; w->model && i < levels; i++)
        thresholds[i] = w->model->thresholds[i].weight;
    uint16_t *source = kin_arena_calloc(arena, n, sizeof *source);
    struct never_check never = {w, b->members, scratch};
    struct kin_linkage_result result;
    if (!source)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        source[i] = kin_features_source(b->members[i]);
    struct kin_linkage_component component = {.count = n,
                                              .source = source,
                                              .edges = b->edges,
                                              .edge_count = edges,
                                              .stars = b->stars,
                                              .star_count = stars,
                                              .forbidden = w->never_count ? is_forbidden : NULL,
                                              .forbidden_arg = &never};
    struct kin_linkage_options options = {
        .method = w->cluster == KIN_CLUSTER_LINKAGE ? KIN_LINKAGE_AVERAGE : KIN_LINKAGE_CONNECTED,
        .across_sources = w->across_sources,
        .clean = w->clean,
        .clean_count = w->clean_count,
        .thresholds = thresholds,
        .threshold_count = levels,
        .floor = kin_linkage_floor(job->weight_threshold),
        .unscored = kin_linkage_floor(job->weight_threshold)};
    kin_status status = kin_linkage_cluster(arena, &component, &options, &result);
    if (status != KIN_OK)
        return status;
    t->refused += result.refused_links + result.refused_merges;
    t->unchecked += result.unchecked;
    out->group = result.group;
    out->levels = (unsigned)levels;
    return find_best(job, arena, n, &component, result.group + primary * n, out->best);
}

static kin_status veto_component(struct veto_task *t, struct kin_cursor *c,
                                 struct kin_kernel_scratch *scratch)
{
    const struct kin_workflow *workflow = t->task.job->workflow;
    uint32_t n = kin_cursor_u32(c), edges = kin_cursor_u32(c), stars = kin_cursor_u32(c);
    size_t left = kin_cursor_left(c);
    if (c->bad || n == 0 || n > left / KIN_FEATURES_HEAD_BYTES || edges > left / KIN_EDGE_BYTES ||
        stars > left / 16)
        return KIN_E_PROTO;
    struct kin_arena arena = {0};
    struct veto_component_buffers b = {kin_arena_calloc(&arena, n, sizeof *b.order),
                                       kin_arena_calloc(&arena, n, sizeof *b.members),
                                       kin_arena_calloc(&arena, n, sizeof *b.place),
                                       kin_arena_calloc(&arena, edges, sizeof *b.edges),
                                       kin_arena_calloc(&arena, stars, sizeof *b.stars)};
    struct clustered result = {.best = kin_arena_calloc(&arena, n, sizeof *result.best)};
    kin_status status =
        b.order && b.members && b.place && b.edges && b.stars && result.best ? KIN_OK : KIN_E_NOMEM;
    if (status == KIN_OK)
        status = read_members(c, n, &workflow->schema, &b);
    if (status == KIN_OK)
        status = read_links(c, &arena, n, edges, stars, workflow->rule_count, &b);
    bool plain = !workflow->model && !workflow->clean_count;
    if (status == KIN_OK)
        status = (plain ? cluster_by_vetoes : cluster_by_linkage)(t, &arena, n, &b, edges, stars,
                                                                  scratch, &result);
    if (status == KIN_OK) {
        for (unsigned level = 0; level < result.levels; level++) {
            for (uint32_t i = 0; i < n; i++)
                kin_buf_u32(&t->out, b.order[result.group[(size_t)level * n + b.place[i]]].given);
        }
        for (uint32_t i = 0; i < n; i++)
            kin_buf_u32(&t->out, result.best[b.place[i]].rule);
        for (uint32_t i = 0; i < n; i++)
            kin_buf_u32(&t->out, (uint32_t)result.best[b.place[i]].weight);
    }
    kin_arena_deinit(&arena);
    return status;
}

static void veto_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct veto_task *t = (struct veto_task *)work;
    struct kin_kernel_scratch *scratch = kin_kernel_scratch_new();
    struct kin_cursor c = kin_cursor_of(t->frame->payload.p, t->frame->payload.n);
    uint32_t components = kin_cursor_u32(&c);
    kin_status status = scratch ? KIN_OK : KIN_E_NOMEM;
    for (uint32_t i = 0; i < components && status == KIN_OK; i++)
        status = veto_component(t, &c, scratch);
    if (status == KIN_OK && (c.bad || kin_cursor_left(&c)))
        status = KIN_E_PROTO;
    if (status == KIN_OK && t->out.failed)
        status = KIN_E_NOMEM;
    t->task.status = status;
    kin_kernel_scratch_free(scratch);
}

static void veto_finish(struct worker_task *task)
{
    struct veto_task *t = (struct veto_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK) {
        worker_reply_step(job->worker, job->id, KIN_MSG_VETO, task->request, task->status,
                          kin_status_text(task->status));
        return;
    }
    struct kin_message m = {.type = KIN_MSG_VETOED};
    m.u.vetoed.job = job->id;
    m.u.vetoed.forbidden = t->forbidden;
    m.u.vetoed.refused = t->refused;
    m.u.vetoed.unchecked = t->unchecked;
    worker_send(job->worker, &m, task->request, &t->out);
}

static void veto_release(struct worker_task *task)
{
    struct veto_task *t = (struct veto_task *)task;
    kin_frame_unref(t->frame);
    kin_buf_deinit(&t->out);
}

void worker_job_on_veto(struct worker_job *job, const struct kin_message *m, struct kin_frame *f)
{
    if (worker_task_under_way(job, m->request))
        return;
    struct veto_task *t = worker_task_new(job, sizeof *t, veto_run, veto_finish, veto_release);
    if (!t)
        return;
    t->task.request = m->request;
    t->frame = kin_frame_ref(f);
    worker_task_start(&t->task);
}
