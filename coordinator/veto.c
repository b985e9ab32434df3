#include "coordinator/veto.h"

/* Every component that is looked into becomes part of a batch. Edges and stars were pulled from all
 * workers. Where there are never rules somebody has to look at the records: members' features are
 * fetched from their homes, in pages, some worker does the batch, and what comes back is how its
 * components fall apart. One that does not fit into a message is clustered here, from its links
 * alone; in a component larger than max_veto_group never rules are not checked. Both are counted.
 * Without never rules the links say all, and tasks here do the batches. */

static void veto_pump(struct kin_coordinator *c);

static void batch_clear(struct veto_batch *b)
{
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++) {
        kin_buf_deinit(&b->wanted[w]);
        kin_buf_deinit(&b->features[w]);
    }
    *b = (struct veto_batch){0};
}

static void veto_struct_free(struct veto *v)
{
    if (!v)
        return;
    for (unsigned b = 0; b < VETO_TASKS_AT_ONCE; b++)
        batch_clear(&v->batches[b]);
    kin_free(v->members);
    kin_free(v->home);
    kin_free(v->edges);
    kin_free(v->must);
    kin_free(v->never);
    kin_free(v->stars);
    kin_free(v->components);
    kin_buf_deinit(&v->again);
    kin_buf_deinit(&v->large);
    kin_free(v);
}

void veto_free(struct kin_coordinator *c)
{
    veto_struct_free(c->job->veto);
    c->job->veto = NULL;
}

struct prepare_task {
    struct ctask task;
    struct veto *veto;
};

static void prepare_run(struct kin_env *env, struct kin_work *work)
{
    struct prepare_task *t = (struct prepare_task *)work;
    t->task.status = veto_prepare(t->veto, t->task.c, env);
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
    c->job->report.veto_components = c->job->veto->component_count + c->job->veto->decided;
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

static void put_pairs(const struct veto *v, const struct component *comp,
                      const struct kin_linkage_pair *links, const struct kin_keyed *sorted,
                      uint32_t count, struct kin_buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        kin_buf_u32(out, veto_member_index(v, comp, links[sorted[i].value].a));
        kin_buf_u32(out, veto_member_index(v, comp, links[sorted[i].value].b));
    }
}

static void put_component(const struct cjob *job, const struct veto *v,
                          const struct component *comp, struct kin_cursor *features,
                          struct kin_buf *out)
{
    kin_buf_u32(out, comp->count);
    kin_buf_u32(out, (uint32_t)comp->edge_count);
    kin_buf_u32(out, comp->star_count);
    kin_buf_u32(out, comp->must_count);
    kin_buf_u32(out, comp->never_count);
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
        kin_buf_u32(out, veto_member_index(v, comp, (uint32_t)(edge->key >> 32)));
        kin_buf_u32(out, veto_member_index(v, comp, (uint32_t)edge->key));
        kin_buf_u32(out, edge->value);
        kin_buf_u32(out, edge->extra);
    }
    for (uint32_t s = comp->first_star; s < comp->first_star + comp->star_count; s++) {
        const struct star_at *star = &v->stars[s];
        kin_buf_u32(out, star->rule);
        kin_buf_u32(out, star->count);
        for (uint32_t i = 0; i < star->count; i++)
            kin_buf_u32(out, veto_member_index(v, comp, kin_le32(star->members + 4 * (size_t)i)));
    }
    put_pairs(v, comp, job->must, v->must + comp->first_must, comp->must_count, out);
    put_pairs(v, comp, job->never, v->never + comp->first_never, comp->never_count, out);
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
    batch_clear(b);
    veto_pump(c);
}

/* ---- components that are clustered here ---- */

struct here_task {
    struct ctask task;
    struct veto *veto;
    uint32_t first, end;      /* components */
    struct veto_batch *batch; /* NULL: one that no message holds */
    struct kin_buf out;
    uint64_t refused;
};

static void here_run(struct kin_env *env, struct kin_work *work)
{
    struct here_task *t = (struct here_task *)work;
    struct page_view view;
    struct kin_arena arena = {0};
    kin_status status = page_view_init(&view, env, t->task.c->job);
    for (uint32_t i = t->first; i < t->end && status == KIN_OK; i++)
        status = veto_cluster_here(t->veto, &view, &arena, &t->veto->components[i], &t->out,
                                   &t->refused);
    kin_arena_deinit(&arena);
    page_view_deinit(&view);
    t->task.status = status;
}

static void here_finish(struct ctask *task)
{
    struct here_task *t = (struct here_task *)task;
    struct kin_coordinator *c = task->c;
    struct kin_report *report = &c->job->report;
    struct kin_cursor at = kin_cursor_of(t->out.p, t->out.n);
    for (uint32_t i = t->first; i < t->end && task->status == KIN_OK; i++) {
        if (!apply_component(c->job, t->veto, &t->veto->components[i], &at))
            task->status = KIN_E_CORRUPT;
    }
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "components cannot be clustered: %s",
                 kin_status_text(task->status));
        return;
    }
    report->veto_refused += t->refused;
    t->veto->done += t->end - t->first;
    if (t->batch) {
        batch_clear(t->batch);
    } else {
        report->veto_large++;
        report->veto_unchecked += c->job->workflow->never_count > 0;
        t->veto->large_running = false;
    }
    veto_pump(c);
}

static void here_release(struct ctask *task)
{
    kin_buf_deinit(&((struct here_task *)task)->out);
}

static void start_here(struct kin_coordinator *c, uint32_t first, uint32_t end,
                       struct veto_batch *batch)
{
    struct here_task *t = ctask_new(c, sizeof *t, here_run, here_finish, here_release);
    if (!t) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    t->veto = c->job->veto;
    t->first = first;
    t->end = end;
    t->batch = batch;
    ctask_start(&t->task);
}

/* One at a time: so the memory is that of the largest. */
static void start_large(struct kin_coordinator *c)
{
    struct veto *v = c->job->veto;
    if (v->large_running || v->large_next == v->large.n)
        return;
    uint32_t component = kin_le32(v->large.p + v->large_next);
    v->large_next += 4;
    v->large_running = true;
    start_here(c, component, component + 1, NULL);
}

/* ---- batches: packed, their features fetched, sent ---- */

static uint64_t message_bytes(const struct cjob *job)
{
    return job->options->component_bytes ? job->options->component_bytes : COMPONENT_BYTES;
}

/* What a component takes on its way out and back, beside the features. */
static uint64_t link_bytes(const struct cjob *job, const struct component *comp)
{
    return 20 + comp->edge_count * KIN_EDGE_BYTES + 8 * (uint64_t)comp->star_count +
           4 * comp->star_members + 8 * ((uint64_t)comp->must_count + comp->never_count) +
           4 * (uint64_t)comp->count * (job_levels(job) + 2);
}

static void send_veto(struct kin_coordinator *c, uint32_t number)
{
    struct veto *v = c->job->veto;
    struct veto_batch *b = &v->batches[number];
    struct kin_cursor features[KIN_WORKERS_MAX];
    for (unsigned w = 0; w < job_workers(c); w++)
        features[w] = kin_cursor_of(b->features[w].p, b->features[w].n);
    struct kin_buf payload = {0};
    kin_buf_u32(&payload, b->end - b->first);
    for (uint32_t i = b->first; i < b->end; i++)
        put_component(c->job, v, &v->components[i], features, &payload);
    for (unsigned w = 0; w < job_workers(c); w++) {
        kin_buf_deinit(&b->features[w]);
        kin_buf_deinit(&b->wanted[w]);
    }
    struct kin_message m = {.type = KIN_MSG_VETO};
    m.u.veto.job = c->job->id;
    KIN_ASSERT(job_workers(c) > 0);
    unsigned worker = v->turn++ % job_workers(c);
    if (rpc_start(c, worker, &m, &payload, on_vetoed, c, number) != KIN_OK)
        job_fail(c, KIN_E_NOMEM, "out of memory");
}

/* A batch of more than a message holds: it is halved, and a single component is done here. */
static void set_aside(struct kin_coordinator *c, struct veto_batch *b)
{
    struct veto *v = c->job->veto;
    uint32_t middle = b->first + (b->end - b->first) / 2;
    if (b->end - b->first == 1) {
        kin_buf_u32(&v->large, b->first);
    } else {
        kin_buf_u32(&v->again, b->first);
        kin_buf_u32(&v->again, middle);
        kin_buf_u32(&v->again, middle);
        kin_buf_u32(&v->again, b->end);
    }
    batch_clear(b);
    if (v->again.failed || v->large.failed)
        job_fail(c, KIN_E_NOMEM, "out of memory");
}

static void on_features(struct rpc *r, const struct kin_message *m, struct kin_frame *f);

static void fetch_page(struct kin_coordinator *c, uint32_t number, unsigned worker)
{
    struct veto_batch *b = &c->job->veto->batches[number];
    struct kin_buf *wanted = &b->wanted[worker], page = {0};
    size_t left = wanted->n / 4 - b->asked[worker];
    if (left > VETO_RECORDS_PER_TASK)
        left = VETO_RECORDS_PER_TASK;
    kin_buf_put(&page, wanted->p + 4 * b->asked[worker], 4 * left);
    struct kin_message m = {.type = KIN_MSG_PULL};
    m.u.pull.job = c->job->id;
    m.u.pull.what = KIN_PULL_FEATURE_PAGE;
    if (rpc_start(c, worker, &m, &page, on_features, c, number) != KIN_OK)
        job_fail(c, KIN_E_NOMEM, "out of memory");
}

static void on_features(struct rpc *r, const struct kin_message *m, struct kin_frame *f)
{
    struct kin_coordinator *c = r->arg;
    struct veto_batch *b = &c->job->veto->batches[r->number];
    size_t records = b->wanted[r->worker].n / 4, *asked = &b->asked[r->worker];
    uint64_t next = m->type == KIN_MSG_PULLED ? m->u.pulled.next : 0;
    if (next == 0 || next > VETO_RECORDS_PER_TASK || next > records - *asked) {
        job_fail(c, KIN_E_PROTO, "worker %u answered nonsense", r->worker + 1);
        return;
    }
    *asked += (size_t)next;
    b->bytes += f->payload.n;
    b->too_large = b->too_large || b->bytes > message_bytes(c->job);
    if (!b->too_large)
        kin_buf_put(&b->features[r->worker], f->payload.p, f->payload.n);
    if (b->features[r->worker].failed) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    if (*asked < records && !b->too_large)
        fetch_page(c, r->number, r->worker);
    else if (--b->waiting == 0 && !b->too_large)
        send_veto(c, r->number);
    else if (b->waiting == 0) {
        set_aside(c, b);
        veto_pump(c);
    }
}

/* The next components for a batch, up to so many records and bytes; false: there are none. */
static bool next_components(struct cjob *job, struct veto_batch *b)
{
    struct veto *v = job->veto;
    uint64_t records = 0, bytes = 0;
    if (v->again.n) {
        v->again.n -= 8;
        b->first = kin_le32(v->again.p + v->again.n);
        b->end = kin_le32(v->again.p + v->again.n + 4);
        return true;
    }
    for (b->first = v->next; v->next < v->component_count; v->next++) {
        const struct component *comp = &v->components[v->next];
        records += comp->count;
        bytes += link_bytes(job, comp) + (uint64_t)comp->count * KIN_FEATURES_HEAD_BYTES;
        if (v->next > b->first && (records > VETO_RECORDS_PER_TASK || bytes > message_bytes(job)))
            break;
    }
    b->end = v->next;
    return b->end > b->first;
}

/* false: there is nothing to begin. */
static bool start_batch(struct kin_coordinator *c, uint32_t number)
{
    struct veto *v = c->job->veto;
    struct veto_batch *b = &v->batches[number];
    uint64_t least = 0;
    if (!next_components(c->job, b))
        return false;
    b->active = true;
    if (!c->job->workflow->never_count) { /* nobody has to look at the records */
        start_here(c, b->first, b->end, b);
        return true;
    }
    for (uint32_t i = b->first; i < b->end; i++) {
        const struct component *comp = &v->components[i];
        b->bytes += link_bytes(c->job, comp);
        least += (uint64_t)comp->count * KIN_FEATURES_HEAD_BYTES;
        for (uint32_t k = 0; k < comp->count; k++) {
            uint32_t record = v->members[comp->first + k];
            kin_buf_u32(&b->wanted[v->home[record]], record);
        }
    }
    for (unsigned w = 0; w < job_workers(c); w++) {
        b->waiting += b->wanted[w].n > 0;
        if (b->wanted[w].failed) {
            job_fail(c, KIN_E_NOMEM, "out of memory");
            return true;
        }
    }
    if (b->bytes + least > message_bytes(c->job)) {
        set_aside(c, b);
        return true;
    }
    for (unsigned w = 0; w < job_workers(c); w++) {
        if (b->wanted[w].n)
            fetch_page(c, number, w);
    }
    return true;
}

static void veto_pump(struct kin_coordinator *c)
{
    struct veto *v = c->job->veto;
    for (uint32_t b = 0; b < VETO_TASKS_AT_ONCE && !c->job->failed; b++) {
        while (!v->batches[b].active && !c->job->failed && start_batch(c, b))
            continue; /* what was set aside left the batch free again */
    }
    if (!c->job->failed)
        start_large(c);
    if (!c->job->failed && v->done == v->component_count)
        label_begin(c);
}
