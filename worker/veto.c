#include "worker/impl.h"

#include "common/group/component.h"

#include <stdlib.h>

/* What becomes of components: vetoes, clean sources, linkage, links of people. The coordinator
 * sends whole components, any worker can do them.
 *
 * Request payload: u32 components; each: u32 members, u32 edges, u32 stars, u32 must links, u32
 * never links; the members' features one after another; edges as u32 a, u32 b, u32 rule, i32 weight
 * (indices of members); stars as u32 rule, u32 count, u32 member...; must and never links as u32 a,
 * u32 b. Answer payload, for each component: for each threshold u32
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
    struct kin_linkage_pair *must, *never;
};

struct component_head {
    uint32_t members, edges, stars, must, never;
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

static kin_status read_edges(struct kin_cursor *c, const struct component_head *h, size_t rules,
                             struct veto_component_buffers *b)
{
    for (uint32_t i = 0; i < h->edges; i++) {
        uint32_t x = kin_cursor_u32(c), y = kin_cursor_u32(c), rule = kin_cursor_u32(c);
        int32_t weight = (int32_t)kin_cursor_u32(c);
        if (c->bad || x >= h->members || y >= h->members || x == y || rule > rules)
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
    return KIN_OK;
}

static kin_status read_stars(struct kin_cursor *c, struct kin_arena *arena,
                             const struct component_head *h, size_t rules,
                             struct veto_component_buffers *b)
{
    for (uint32_t i = 0; i < h->stars; i++) {
        uint32_t rule = kin_cursor_u32(c), count = kin_cursor_u32(c);
        if (c->bad || rule >= rules || count < 2 || count > kin_cursor_left(c) / 4)
            return KIN_E_PROTO;
        uint32_t *list = kin_arena_alloc(arena, count * sizeof *list);
        if (!list)
            return KIN_E_NOMEM;
        for (uint32_t k = 0; k < count; k++) {
            uint32_t x = kin_cursor_u32(c);
            if (x >= h->members)
                return KIN_E_PROTO;
            list[k] = b->place[x];
        }
        b->stars[i] = (struct kin_linkage_star){list, count, (uint16_t)rule};
    }
    return KIN_OK;
}

static kin_status read_pairs(struct kin_cursor *c, const struct component_head *h, uint32_t count,
                             const uint32_t *place, struct kin_linkage_pair *out)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t x = kin_cursor_u32(c), y = kin_cursor_u32(c);
        if (c->bad || x >= h->members || y >= h->members || x == y)
            return KIN_E_PROTO;
        out[i] = (struct kin_linkage_pair){place[x], place[y]};
    }
    return KIN_OK;
}

static bool buffers_init(struct veto_component_buffers *b, struct kin_arena *arena,
                         const struct component_head *h)
{
    *b = (struct veto_component_buffers){kin_arena_calloc(arena, h->members, sizeof *b->order),
                                         kin_arena_calloc(arena, h->members, sizeof *b->members),
                                         kin_arena_calloc(arena, h->members, sizeof *b->place),
                                         kin_arena_calloc(arena, h->edges, sizeof *b->edges),
                                         kin_arena_calloc(arena, h->stars, sizeof *b->stars),
                                         kin_arena_calloc(arena, h->must, sizeof *b->must),
                                         kin_arena_calloc(arena, h->never, sizeof *b->never)};
    return b->order && b->members && b->place && b->edges && b->stars && b->must && b->never;
}

static kin_status read_component(struct kin_cursor *c, struct kin_arena *arena,
                                 const struct component_head *h, const struct kin_workflow *w,
                                 struct veto_component_buffers *b)
{
    kin_status status = read_members(c, h->members, &w->schema, b);
    if (status == KIN_OK)
        status = read_edges(c, h, w->rule_count, b);
    if (status == KIN_OK)
        status = read_stars(c, arena, h, w->rule_count, b);
    if (status == KIN_OK)
        status = read_pairs(c, h, h->must, b->place, b->must);
    if (status == KIN_OK)
        status = read_pairs(c, h, h->never, b->place, b->never);
    return status;
}

static kin_status veto_component(struct veto_task *t, struct kin_cursor *c,
                                 struct kin_kernel_scratch *scratch)
{
    const struct kin_workflow *w = t->task.job->workflow;
    struct component_head h;
    h.members = kin_cursor_u32(c);
    h.edges = kin_cursor_u32(c);
    h.stars = kin_cursor_u32(c);
    h.must = kin_cursor_u32(c);
    h.never = kin_cursor_u32(c);
    uint32_t n = h.members;
    size_t left = kin_cursor_left(c);
    if (c->bad || n == 0 || n > left / KIN_FEATURES_HEAD_BYTES || h.edges > left / KIN_EDGE_BYTES ||
        h.stars > left / 16 || h.must > left / 8 || h.never > left / 8)
        return KIN_E_PROTO;
    struct kin_arena arena = {0};
    struct veto_component_buffers b;
    struct kin_component_result result;
    kin_status status = buffers_init(&b, &arena, &h) ? KIN_OK : KIN_E_NOMEM;
    if (status == KIN_OK)
        status = read_component(c, &arena, &h, w, &b);
    struct kin_linkage_component component = {.count = n,
                                              .edges = b.edges,
                                              .edge_count = h.edges,
                                              .stars = b.stars,
                                              .star_count = h.stars,
                                              .must = b.must,
                                              .must_count = h.must,
                                              .never = b.never,
                                              .never_count = h.never};
    if (status == KIN_OK)
        status = kin_component_cluster(&arena, w, &component, b.members, scratch, &result);
    if (status == KIN_OK) {
        t->forbidden += result.forbidden;
        t->refused += result.refused;
        t->unchecked += result.unchecked;
        for (unsigned level = 0; level < result.levels; level++) {
            for (uint32_t i = 0; i < n; i++)
                kin_buf_u32(&t->out, b.order[result.group[(size_t)level * n + b.place[i]]].given);
        }
        for (uint32_t i = 0; i < n; i++)
            kin_buf_u32(&t->out, result.best_rule[b.place[i]]);
        for (uint32_t i = 0; i < n; i++)
            kin_buf_u32(&t->out, (uint32_t)result.best_weight[b.place[i]]);
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
