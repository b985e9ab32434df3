#include "coordinator/live_prepare.h"

#include <stdlib.h>
#include <string.h>

/* From a batch to a workflow that is served. When its MatchGroups are numbered, and before its
 * outputs are written, a task makes all that will be served: records, edges, hubs, groups with
 * their MatchIds, inherited from what is served now by the same rules as of any other change. When
 * the outputs are there, workers are told to keep the run, all of it goes to the store, and one
 * last commit, with the MatchIds and the events, puts it in the place of what was served before. */

bool job_serves(const struct cjob *job)
{
    return job->rec && job->rec->serve;
}

const struct registry_id *live_group_id(const struct cjob *job, uint32_t group)
{
    return job->prepared ? &job->prepared->ids[group] : NULL;
}

static void let_go(struct live *old)
{
    old->frozen = false;
    old->under_way--;
    live_settle(old);
}

void live_prepared_free(struct cjob *job)
{
    struct prepared *p = job->prepared;
    if (!p)
        return;
    if (p->old)
        let_go(p->old);
    if (p->live && p->live->under_way && !p->live->c->stopping)
        p->live->state = LIVE_ENDED; /* freed by the last that is under way */
    else if (p->live)
        live_free(p->live);
    kin_free(p->ids);
    live_puts_deinit(&p->staged);
    live_puts_deinit(&p->last);
    kin_free(p);
    job->prepared = NULL;
}

/* ---- the task ---- */

struct prepare_task {
    struct ctask task;
    struct prepared *p;
};

static void prepare_run(struct kin_env *env, struct kin_work *work)
{
    struct prepare_task *t = (struct prepare_task *)work;
    t->task.status = prepare_make(t->p, t->task.job, env);
}

static void prepare_finish(struct ctask *task)
{
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "what is to be served cannot be made: %s",
                 kin_status_text(task->status));
        return;
    }
    struct live *live = c->job->prepared->live;
    struct kin_report *report = &c->job->report;
    for (size_t i = 0; i < report->large_group_count; i++)
        registry_id_print(live_group_id(c->job, report->large_groups[i].group),
                          report->large_groups[i].match_id);
    live->logged = live->applied = 0;
    live->next_number = live->graph.count;
    write_begin(c);
}

/* The one of the same workflow that is served now, without a batch under way. NULL and *wait: it is
 * not ready. */
static struct live *freeze(struct kin_coordinator *c, bool *wait)
{
    struct live *old = live_find(c, kin_str_of(c->job->workflow->name));
    *wait = c->lives_loading || c->reload_slots;
    if (!old)
        return NULL;
    old->frozen = true;
    if (old->state != LIVE_SERVING || old->batches || old->forming || old->logging ||
        old->committing)
        *wait = true;
    return *wait ? NULL : old;
}

uint32_t live_put_since(const struct live *live)
{
    uint32_t n = 0;
    for (uint32_t i = live->base_records; i < live->graph.count; i++)
        n += !live->graph.records[i].dead;
    return n;
}

void live_prepare(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    bool wait = false;
    if (!job_serves(job)) {
        write_begin(c);
        return;
    }
    struct live *old = freeze(c, &wait);
    job->prepare_waits = wait;
    if (wait)
        return; /* the tick comes again */
    if (old && !job->rec->replace && live_put_since(old)) {
        uint32_t n = live_put_since(old);
        job_fail(c, KIN_E_EXISTS,
                 "%u record%s put into what is served since; the sources may not have %s: run the "
                 "job with --replace, or export them first",
                 n, n == 1 ? " was" : "s were", n == 1 ? "it" : "them");
        return;
    }
    if (!old && c->next_slot >= 64) {
        job_fail(c, KIN_E_LIMIT, "64 workflows are served already");
        return;
    }
    live_prepared_free(job);
    struct prepare_task *t = ctask_new(c, sizeof *t, prepare_run, prepare_finish, NULL);
    struct prepared *p = t ? kin_calloc(1, sizeof *p) : NULL;
    if (p)
        p->live = live_new(c, old ? old->slot : c->next_slot);
    if (!t || !p || !p->live) {
        kin_free(p);
        if (t)
            ctask_drop(&t->task);
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    for (unsigned w = 0; w < job_workers(c); w++)
        p->live->workers[w].node = (kin_node_id)(job->workers[w].peer - c->peers) + 1;
    p->live->batch0 = old ? live_batch_now(old) + 1 : 1;
    p->live->next_event = old ? old->next_event : 1;
    p->old = old;
    if (old) {
        old->frozen = true;
        old->under_way++; /* it stays until the other is there */
    }
    job->prepared = p;
    t->p = p;
    ctask_start(&t->task);
}

/* ---- after the outputs ---- */

static void put_stale(struct live_puts *p, uint64_t run)
{
    struct live_key key = live_key_of(LIVE_STALE_SLOT, 'K');
    live_key_u64(&key, run);
    live_put_kv(p, DB_LIVE, live_key_str(&key), KIN_STR(""));
}

static void drop_stale(struct live_puts *p, uint64_t run)
{
    struct live_key key = live_key_of(LIVE_STALE_SLOT, 'K');
    live_key_u64(&key, run);
    live_put_delete(p, DB_LIVE, live_key_str(&key));
}

static void installed(struct live *live, kin_status status)
{
    struct kin_coordinator *c = live->c;
    struct cjob *job = c->job;
    if (!job || job->failed || !job->prepared || job->prepared->live != live)
        return;
    if (status != KIN_OK) {
        job_fail(c, status, "what is to be served cannot be stored");
        return;
    }
    struct prepared *p = job->prepared;
    struct live *old = p->old;
    bool replaced = old != NULL;
    p->old = NULL;
    p->live = NULL;
    if (old) {
        kin_buf_u64(&c->stale_runs, old->run);
        live_end(old);
        let_go(old);
    } else {
        c->next_slot++;
    }
    live->next = c->lives;
    c->lives = live;
    live->state = LIVE_SERVING;
    kin_env_log(c->env, 'I', "live_serving", "workflow=\"%s\" batch=%llu records=%u groups=%u",
                live->workflow->name, (unsigned long long)live_batch_now(live), live->graph.alive,
                live->graph.groups_alive);
    live_open_workers(live);
    job->served = true;
    job_phase(c, KIN_PHASE_DONE);
    job_over(c, KIN_OK, "");
    for (unsigned w = 0; replaced && w < KIN_WORKERS_MAX; w++) {
        if (c->peers[w].joined)
            live_worker_joined(c, w + 1);
    }
}

static void staged(struct live *live, kin_status status)
{
    struct kin_coordinator *c = live->c;
    struct cjob *job = c->job;
    if (!job || job->failed || !job->prepared || job->prepared->live != live)
        return;
    struct prepared *p = job->prepared;
    if (p->old && p->old->state != LIVE_SERVING) {
        job_fail(c, KIN_E_BUSY, "what is served now had to be read again; run the job again");
        return;
    }
    live_put_head(live, &p->last);
    live_put_applied(live, &p->last, 0, live->next_event);
    drop_stale(&p->last, live->run);
    if (p->old)
        put_stale(&p->last, p->old->run);
    if (status == KIN_OK)
        status = live_store(live, &p->last, installed);
    if (status != KIN_OK)
        job_fail(c, status, "what is to be served cannot be stored");
}

static void on_kept(struct rpc *r, const struct kin_message *m, struct kin_frame *f)
{
    (void)f;
    struct kin_coordinator *c = r->arg;
    struct prepared *p = c->job->prepared;
    if (m->type != KIN_MSG_STEP_DONE || m->u.step_done.status != KIN_OK) {
        job_fail(c, KIN_E_PROTO, "worker %u cannot keep its records: %s", r->worker + 1,
                 m->type == KIN_MSG_STEP_DONE ? kin_status_text((kin_status)m->u.step_done.status)
                                              : "nonsense");
        return;
    }
    if (--p->keeping)
        return;
    if (live_store(p->live, &p->staged, staged) != KIN_OK)
        job_fail(c, KIN_E_NOMEM, "out of memory");
}

/* It is on record that workers may have this run, before the first of them keeps it. */
static void noted(struct live *live, kin_status status)
{
    struct kin_coordinator *c = live->c;
    struct cjob *job = c->job;
    if (!job || job->failed || !job->prepared || job->prepared->live != live)
        return;
    if (status != KIN_OK) {
        job_fail(c, status, "the coordinator's store cannot be written");
        return;
    }
    struct prepared *p = job->prepared;
    p->keeping = job_workers(c);
    for (unsigned w = 0; w < job_workers(c) && !job->failed; w++) {
        struct kin_message m = {.type = KIN_MSG_JOB_CLOSE};
        m.u.job_close.job = job->id;
        m.u.job_close.keep = true;
        if (rpc_start(c, w, &m, NULL, on_kept, c, 0) != KIN_OK)
            job_fail(c, KIN_E_NOMEM, "out of memory");
    }
}

void live_install(struct kin_coordinator *c)
{
    struct prepared *p = c->job->prepared;
    struct live_puts puts = {0};
    put_stale(&puts, c->job->id);
    if (live_store(p->live, &puts, noted) != KIN_OK)
        job_fail(c, KIN_E_NOMEM, "out of memory");
}
