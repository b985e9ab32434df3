#include "coordinator/live.h"

#include <string.h>

/* What each worker is asked next. There is one rule: next_step() looks at what the job has, what
 * was fetched from this worker, and what its present incarnation has done, and names the next thing
 * it needs. So a worker that starts again simply walks the same steps, skipping those whose results
 * we have. One request a worker is out at a time; the tick repeats it. */

void track_reset(struct cworker *w)
{
    w->opened = w->settled = w->counted = w->matched = false;
    w->dead_sent = w->plan_sent = w->labels_sent = 0;
    w->asked = STEP_NONE;
    w->peer->progress_done = w->peer->progress_total = 0;
    if (!w->got_stars)
        kin_buf_clear(&w->stars); /* stars come in an order of the incarnation's own */
}

static uint32_t parts_of(size_t bytes)
{
    return (uint32_t)((bytes + PART_BYTES - 1) / PART_BYTES);
}

static uint32_t plan_parts(const struct cjob *job)
{
    return parts_of(job->plan_bytes.n); /* an empty plan has its head */
}

static uint32_t label_parts(const struct cworker *w)
{
    uint32_t parts = parts_of(w->labels.n);
    return parts ? parts : 1;
}

static bool job_wants_stars(const struct kin_coordinator *c)
{
    return job_clusters(c->job) || job_serves(c->job);
}

bool job_wants_edges(const struct kin_coordinator *c)
{
    return c->job->options->pairs || job_clusters(c->job) || job_serves(c->job);
}

static bool needs_match(const struct kin_coordinator *c, const struct cworker *w)
{
    return !w->got_matched || !w->got_forest || (job_wants_edges(c) && !w->got_edges) ||
           (job_wants_stars(c) && !w->got_stars);
}

static enum step next_step(const struct kin_coordinator *c, const struct cworker *w)
{
    const struct cjob *job = c->job;
    if (job->phase < KIN_PHASE_LOAD || job->phase >= KIN_PHASE_PUBLISH)
        return STEP_NONE;
    if (!w->opened)
        return STEP_OPEN;
    if (!job->load_complete || w->durable < job->chunk_count)
        return STEP_LOAD;
    if (job->phase < KIN_PHASE_SETTLE)
        return STEP_NONE;
    bool counts = train_counts(job) && (!w->got_patterns || !w->got_values);
    bool rematch = job->glue && !w->matched; /* it is asked for its edges once more */
    if (!w->got_settled || counts || rematch ||
        (needs_match(c, w) && job->phase <= KIN_PHASE_MATCH)) {
        if (w->dead_sent < parts_of(job->dead_count * 4))
            return STEP_DEAD;
        if (!w->settled)
            return STEP_SETTLE;
        if (job->phase < KIN_PHASE_MATCH && !counts)
            return STEP_NONE;
        if (w->plan_sent < plan_parts(job))
            return STEP_PLAN;
        if (counts)
            return !w->counted ? STEP_COUNT : !w->got_patterns ? STEP_PATTERNS : STEP_VALUES;
        if (!w->matched)
            return STEP_MATCH;
        if (!w->got_forest)
            return STEP_FOREST;
        if (job_wants_edges(c) && !w->got_edges)
            return STEP_EDGES;
        if (job_wants_stars(c) && !w->got_stars)
            return STEP_STARS;
    }
    if (job->phase == KIN_PHASE_WRITE && w->labels_sent < label_parts(w))
        return STEP_LABELS;
    return STEP_NONE;
}

bool track_ready(const struct kin_coordinator *c, unsigned worker)
{
    const struct cworker *w = &c->job->workers[worker];
    return w->peer->joined && w->asked == STEP_NONE && next_step(c, w) == STEP_NONE;
}

/* Part `part` of a long list as a payload frame. */
static struct kin_frame *part_frame(const void *p, size_t bytes, uint32_t part)
{
    struct kin_frame *f = kin_frame_new(0);
    size_t from = (size_t)part * PART_BYTES;
    size_t n = bytes - from < PART_BYTES ? bytes - from : PART_BYTES;
    if (f && n)
        kin_buf_put(&f->payload, (const uint8_t *)p + from, n);
    if (f && f->payload.failed) {
        kin_frame_unref(f);
        return NULL;
    }
    return f;
}

static void ask_open(struct kin_coordinator *c, unsigned worker, struct kin_message *m)
{
    const struct kin_job_options *o = c->job->options;
    m->type = KIN_MSG_JOB_OPEN;
    m->u.job_open.job = c->job->id;
    m->u.job_open.workflow = o->workflow;
    m->u.job_open.base_dir = kin_str_of(o->base_dir ? o->base_dir : "");
    m->u.job_open.workers = job_workers(c);
    m->u.job_open.index = worker;
    m->u.job_open.shard_map =
        (struct kin_str){(const char *)c->job->shards.owner, sizeof c->job->shards.owner};
}

static void ask_pull(struct kin_coordinator *c, struct kin_message *m, enum kin_pull what,
                     uint64_t offset)
{
    m->type = KIN_MSG_PULL;
    m->u.pull.job = c->job->id;
    m->u.pull.what = what;
    m->u.pull.offset = offset;
}

static void ask(struct kin_coordinator *c, unsigned worker, enum step step)
{
    struct cworker *w = &c->job->workers[worker];
    struct cjob *job = c->job;
    struct kin_message m = {0};
    struct kin_frame *payload = NULL;
    switch (step) {
    case STEP_NONE:
    case STEP_LOAD:
        return;
    case STEP_OPEN:
        ask_open(c, worker, &m);
        break;
    case STEP_DEAD:
        m.type = KIN_MSG_DEAD;
        m.u.dead.job = job->id;
        m.u.dead.part = w->dead_sent;
        payload = part_frame(job->dead, job->dead_count * 4, w->dead_sent);
        break;
    case STEP_SETTLE:
        m.type = KIN_MSG_SETTLE;
        m.u.settle.job = job->id;
        m.u.settle.batches = job->chunk_count;
        m.u.settle.records = job->records;
        break;
    case STEP_PLAN:
        m.type = KIN_MSG_PLAN;
        m.u.plan.job = job->id;
        m.u.plan.plan = job->plan;
        m.u.plan.part = w->plan_sent;
        m.u.plan.parts = plan_parts(job);
        payload = part_frame(job->plan_bytes.p, job->plan_bytes.n, w->plan_sent);
        break;
    case STEP_COUNT:
        train_ask(c, &m);
        payload = part_frame(train_every(job)->p, train_every(job)->n, 0);
        break;
    case STEP_PATTERNS:
        ask_pull(c, &m, KIN_PULL_PATTERNS, w->patterns_next);
        break;
    case STEP_VALUES:
        ask_pull(c, &m, KIN_PULL_VALUES, w->values.n);
        break;
    case STEP_MATCH:
        m.type = KIN_MSG_MATCH;
        m.u.match.job = job->id;
        m.u.match.plan = job->plan;
        m.u.match.weigh = job->report.weigh;
        m.u.match.stars = job_serves(job);
        break;
    case STEP_FOREST:
        ask_pull(c, &m, KIN_PULL_FOREST, w->forest_next);
        break;
    case STEP_EDGES:
        ask_pull(c, &m, KIN_PULL_EDGES, w->edges_next);
        break;
    case STEP_STARS:
        ask_pull(c, &m, KIN_PULL_STARS, w->stars.n);
        break;
    case STEP_LABELS:
        m.type = KIN_MSG_LABELS;
        m.u.labels.job = job->id;
        m.u.labels.part = w->labels_sent;
        m.u.labels.parts = label_parts(w);
        payload = part_frame(w->labels.p, w->labels.n, w->labels_sent);
        break;
    }
    bool short_of_memory = !payload && (step == STEP_DEAD || step == STEP_PLAN ||
                                        step == STEP_COUNT || step == STEP_LABELS);
    if (w->asked == STEP_NONE)
        w->request = ++c->next_request;
    w->asked = step;
    w->asked_us = c->env->ops->now_us(c->env);
    if (!short_of_memory) /* else the tick tries again: an empty part would pass for the list's */
        coordinator_send(c, worker, &m, w->request, payload);
    kin_frame_unref(payload);
}

void track_advance(struct kin_coordinator *c, unsigned worker)
{
    struct cworker *w = &c->job->workers[worker];
    if (!c->job || c->job->failed || !w->peer->joined || w->asked != STEP_NONE)
        return;
    enum step step = next_step(c, w);
    if (step == STEP_LOAD)
        load_send(c, worker);
    else if (step == STEP_NONE)
        rpc_pump(c);
    else
        ask(c, worker, step);
}

void track_advance_all(struct kin_coordinator *c)
{
    for (unsigned i = 0; i < job_workers(c) && !c->job->failed; i++)
        track_advance(c, i);
}

void track_tick(struct kin_coordinator *c, unsigned worker)
{
    struct cworker *w = &c->job->workers[worker];
    uint64_t now = c->env->ops->now_us(c->env);
    if (w->asked != STEP_NONE) {
        if (now - w->asked_us >= RETRY_US)
            ask(c, worker, w->asked);
        return;
    }
    if (w->opened && w->sent > w->durable && now - w->sent_us >= RETRY_US)
        w->sent = w->durable; /* all of it again: the worker knows what it has */
    track_advance(c, worker);
}

/* ---- answers ---- */

static void on_opened(struct kin_coordinator *c, unsigned worker, const struct kin_message *m)
{
    struct cworker *w = &c->job->workers[worker];
    if (m->u.job_opened.status != KIN_OK) {
        job_fail(c, (kin_status)m->u.job_opened.status, "worker %u cannot open the job: %.*s",
                 worker + 1, (int)m->u.job_opened.text.n, m->u.job_opened.text.p);
        return;
    }
    if (m->u.job_opened.durable < w->durable)
        kin_env_log(c->env, 'W', "batches_lost", "worker=%u acknowledged=%llu held=%llu",
                    worker + 1, (unsigned long long)w->durable,
                    (unsigned long long)m->u.job_opened.durable);
    /* beyond what is known here lies at most what was under way when this node went down */
    if (m->u.job_opened.durable >
        c->job->chunk_count + (c->job->load_complete ? 0 : CHUNK_WINDOW)) {
        job_fail(c, KIN_E_PROTO, "worker %u has batches that were never sent", worker + 1);
        return;
    }
    w->opened = true;
    w->durable = m->u.job_opened.durable;
    w->sent = w->durable;
    load_on_opened(c);
}

static kin_status on_pulled(struct kin_coordinator *c, struct cworker *w,
                            const struct kin_message *m, struct kin_frame *f)
{
    uint64_t offset = m->u.pulled.offset, next = m->u.pulled.next;
    kin_status status = KIN_OK;
    if (w->asked == STEP_PATTERNS && m->u.pulled.what == KIN_PULL_PATTERNS &&
        offset == w->patterns_next) {
        status = train_take_patterns(c, f);
        w->patterns_next = next;
        w->got_patterns = m->u.pulled.last;
    } else if (w->asked == STEP_VALUES && m->u.pulled.what == KIN_PULL_VALUES &&
               offset == w->values.n) {
        kin_buf_put(&w->values, f->payload.p, f->payload.n);
        w->got_values = m->u.pulled.last;
        status = w->values.failed ? KIN_E_NOMEM : KIN_OK;
        if (status == KIN_OK && w->got_values)
            status = train_take_values(c, w);
    } else if (w->asked == STEP_FOREST && m->u.pulled.what == KIN_PULL_FOREST &&
               offset == w->forest_next) {
        status = group_take_forest(c, (unsigned)(w - c->job->workers), f);
        w->forest_next = next;
        w->got_forest = m->u.pulled.last;
    } else if (w->asked == STEP_EDGES && m->u.pulled.what == KIN_PULL_EDGES &&
               offset == w->edges_next) {
        status = group_take_edges(c, f);
        w->edges_next = next;
        w->got_edges = m->u.pulled.last;
    } else if (w->asked == STEP_STARS && m->u.pulled.what == KIN_PULL_STARS &&
               offset == w->stars.n) {
        kin_buf_put(&w->stars, f->payload.p, f->payload.n);
        w->got_stars = m->u.pulled.last;
        status = w->stars.failed ? KIN_E_NOMEM : KIN_OK;
    } else {
        return KIN_E_PROTO;
    }
    return status;
}

/* Generic answers: a part was taken, or the step failed. */
static void on_step_done(struct kin_coordinator *c, unsigned worker, enum step asked,
                         const struct kin_message *m)
{
    struct cworker *w = &c->job->workers[worker];
    if (m->u.step_done.status != KIN_OK) {
        job_fail(c, (kin_status)m->u.step_done.status, "worker %u failed at %s: %s%s%.*s",
                 worker + 1, kin_message_name(m->u.step_done.step),
                 kin_status_text((kin_status)m->u.step_done.status),
                 m->u.step_done.text.n ? ": " : "", (int)m->u.step_done.text.n,
                 m->u.step_done.text.p);
        return;
    }
    w->dead_sent += asked == STEP_DEAD;
    w->plan_sent += asked == STEP_PLAN;
    w->labels_sent += asked == STEP_LABELS;
}

/* The barriers: what every worker has to have done before the job goes on. */
static void check_barriers(struct kin_coordinator *c)
{
    if (c->job->phase == KIN_PHASE_SETTLE && job_all(c, offsetof(struct cworker, got_settled)))
        plan_make(c);
    if (!c->job->failed && train_counts(c->job) && !c->job->counted &&
        job_all(c, offsetof(struct cworker, got_patterns)) &&
        job_all(c, offsetof(struct cworker, got_values))) {
        c->job->counted = true;
        train_counted(c);
    }
    if (c->job->failed || c->job->phase != KIN_PHASE_MATCH)
        return;
    for (unsigned i = 0; i < job_workers(c); i++) {
        if (needs_match(c, &c->job->workers[i]))
            return;
    }
    group_begin(c);
}

void track_on_answer(struct kin_coordinator *c, unsigned worker, const struct kin_message *m,
                     struct kin_frame *f)
{
    struct cworker *w = &c->job->workers[worker];
    enum step asked = w->asked;
    kin_status status = KIN_OK;
    if (m->type == KIN_MSG_PULLED)
        status = on_pulled(c, w, m, f);
    w->asked = STEP_NONE;
    if (m->type == KIN_MSG_JOB_OPENED && asked == STEP_OPEN) {
        on_opened(c, worker, m);
    } else if (m->type == KIN_MSG_SETTLED && asked == STEP_SETTLE) {
        w->settled = true;
        if (!w->got_settled)
            plan_take_settled(c, worker, m, f);
        w->got_settled = true;
    } else if (m->type == KIN_MSG_COUNTED && asked == STEP_COUNT) {
        w->counted = true;
    } else if (m->type == KIN_MSG_MATCHED && asked == STEP_MATCH) {
        w->matched = true;
        if (!w->got_matched)
            plan_take_matched(c, m, f);
        w->got_matched = true;
    } else if (m->type == KIN_MSG_STEP_DONE) {
        on_step_done(c, worker, asked, m);
    } else if (m->type != KIN_MSG_PULLED) {
        status = KIN_E_PROTO;
    }
    if (status != KIN_OK && !c->job->failed)
        job_fail(c, status, "worker %u answered nonsense or memory ran out: %s", worker + 1,
                 kin_status_text(status));
    if (!c->job->failed)
        check_barriers(c);
    if (!c->job->failed)
        track_advance(c, worker);
}
