#include "worker/impl.h"

#include "common/group/veto.h"

#include <stdlib.h>

/* Vetoes inside components: the coordinator sends whole components, any worker can do them.
 *
 * Request payload: u32 components; each: u32 members, u32 edges, u32 stars; the members' features
 * one after another; edges as u32 a, u32 b, u32 rule (indices of members); stars as u32 rule, u32
 * count, u32 member... Answer payload, for each component: u32 group[members] (index of a member
 * that stands for the group), u32 best rule[members] (UINT16_MAX: none). */

struct veto_task {
    struct worker_task task;
    uint64_t forbidden, refused;
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
    struct kin_veto_edge *edges;
    struct kin_veto_star *stars;
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
                             uint32_t edges, uint32_t stars, struct veto_component_buffers *b)
{
    for (uint32_t i = 0; i < edges; i++) {
        uint32_t x = kin_cursor_u32(c), y = kin_cursor_u32(c), rule = kin_cursor_u32(c);
        if (c->bad || x >= members || y >= members || x == y || rule >= KIN_RULES_MAX)
            return KIN_E_PROTO;
        b->edges[i] = (struct kin_veto_edge){b->place[x], b->place[y], (uint16_t)rule};
    }
    for (uint32_t i = 0; i < stars; i++) {
        uint32_t rule = kin_cursor_u32(c), count = kin_cursor_u32(c);
        if (c->bad || rule >= KIN_RULES_MAX || count < 2 || count > kin_cursor_left(c) / 4)
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
        b->stars[i] = (struct kin_veto_star){list, count, (uint16_t)rule};
    }
    return KIN_OK;
}

static kin_status veto_component(struct veto_task *t, struct kin_cursor *c,
                                 struct kin_kernel_scratch *scratch)
{
    const struct kin_workflow *workflow = t->task.job->workflow;
    uint32_t n = kin_cursor_u32(c), edges = kin_cursor_u32(c), stars = kin_cursor_u32(c);
    size_t left = kin_cursor_left(c);
    if (c->bad || n == 0 || n > left / KIN_FEATURES_HEAD_BYTES || edges > left / 12 ||
        stars > left / 16)
        return KIN_E_PROTO;
    struct kin_arena arena = {0};
    struct veto_component_buffers b = {kin_arena_calloc(&arena, n, sizeof *b.order),
                                       kin_arena_calloc(&arena, n, sizeof *b.members),
                                       kin_arena_calloc(&arena, n, sizeof *b.place),
                                       kin_arena_calloc(&arena, edges, sizeof *b.edges),
                                       kin_arena_calloc(&arena, stars, sizeof *b.stars)};
    kin_status status =
        b.order && b.members && b.place && b.edges && b.stars ? KIN_OK : KIN_E_NOMEM;
    if (status == KIN_OK)
        status = read_members(c, n, &workflow->schema, &b);
    if (status == KIN_OK)
        status = read_links(c, &arena, n, edges, stars, &b);
    struct kin_veto_component component = {
        b.members, n, b.edges, edges, b.stars, stars, workflow->across_sources};
    struct kin_veto_result result;
    if (status == KIN_OK)
        status = kin_veto_cluster(&arena, &component, workflow->never, workflow->never_count,
                                  scratch, &result);
    if (status == KIN_OK) {
        t->forbidden += result.forbidden;
        t->refused += result.refused;
        for (uint32_t i = 0; i < n; i++)
            kin_buf_u32(&t->out, b.order[result.group[b.place[i]]].given);
        for (uint32_t i = 0; i < n; i++)
            kin_buf_u32(&t->out, result.best_rule[b.place[i]]);
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
