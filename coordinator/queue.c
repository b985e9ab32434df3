#include "coordinator/impl.h"

#include <string.h>

/* The jobs of clients: a list in memory that follows the one in the store, and the rule which of
 * them runs: the one that was running, else the oldest that waits. What a client is told about a
 * job is durable before it is told. */

enum { JOBS_MAX = 10 * 1000, OVER_MAX = 200 };

/* ---- the store ---- */

static void rec_key(const struct jobrec *rec, uint8_t key[8])
{
    kin_put_be64(key, rec->number);
}

static struct jobrec *find_number(const struct kin_coordinator *c, uint64_t number)
{
    struct jobrec *rec = c->queue->first;
    while (rec && rec->number != number)
        rec = rec->next;
    return rec;
}

static void rec_stored(struct cstore *s, kin_status status)
{
    struct jobrec *rec = find_number(s->c, s->number);
    if (!rec)
        return;
    rec->writing--;
    if (status != KIN_OK) {
        kin_env_log(s->c->env, 'E', "job_not_stored", "job=%016llx status=\"%s\"",
                    (unsigned long long)rec->id, kin_status_text(status));
        rec->stored = false; /* the tick tries again */
    }
    if (jobrec_is_durable(rec))
        client_tell_submitted(s->c, rec);
}

/* The record as it is now goes to the store. Out of memory or a full disk: the tick tries again. */
static void store_rec(struct kin_coordinator *c, struct jobrec *rec)
{
    struct cstore *s = cstore_new(c, 1, rec_stored);
    uint8_t key[8];
    rec->stored = false;
    if (!s)
        return;
    s->job = NULL;
    s->number = rec->number;
    rec_key(rec, key);
    kin_buf_put(&s->memory, key, sizeof key);
    jobrec_write(rec, &s->memory);
    if (s->memory.failed) {
        cstore_drop(s);
        return;
    }
    s->puts[0] = (struct kin_store_put){
        .db = DB_JOBS,
        .key = {(const char *)s->memory.p, sizeof key},
        .value = {(const char *)s->memory.p + sizeof key, s->memory.n - sizeof key}};
    rec->stored = true;
    rec->writing++;
    cstore_start(s);
}

static void removed(struct cstore *s, kin_status status)
{
    (void)s;
    (void)status; /* a record that stays is removed another time */
}

static void remove_rec(struct kin_coordinator *c, struct jobrec *rec)
{
    struct cstore *s = cstore_new(c, 1, removed);
    uint8_t key[8];
    if (!s)
        return;
    s->job = NULL;
    rec_key(rec, key);
    kin_buf_put(&s->memory, key, sizeof key);
    if (s->memory.failed) {
        cstore_drop(s);
        return;
    }
    s->puts[0] =
        (struct kin_store_put){.db = DB_JOBS, .key = {(const char *)s->memory.p, sizeof key}};
    cstore_start(s);
    struct jobrec **at = &c->queue->first;
    while (*at != rec)
        at = &(*at)->next;
    *at = rec->next;
    c->queue->count--;
    jobrec_free(rec);
}

static bool can_go(const struct jobrec *rec)
{
    return jobrec_is_durable(rec) && (rec->dropped || rec->state == KIN_JOB_FAILED);
}

/* Of those that are over, with no results to fetch, the latest OVER_MAX stay for people to see. */
static void prune(struct kin_coordinator *c)
{
    unsigned over = 0;
    for (const struct jobrec *rec = c->queue->first; rec; rec = rec->next)
        over += can_go(rec);
    for (struct jobrec *rec = c->queue->first, *next; rec && over > OVER_MAX; rec = next) {
        next = rec->next;
        if (!can_go(rec) || (c->job && c->job->rec == rec))
            continue;
        if (rec->sent && !rec->dropped)
            spool_remove(c, rec->id);
        remove_rec(c, rec);
        over--;
    }
}

/* ---- which one runs ---- */

static void make_options(struct kin_coordinator *c, struct jobrec *rec)
{
    rec->options = (struct kin_job_options){.workflow = {rec->workflow, rec->workflow_bytes},
                                            .base_dir = rec->base_dir,
                                            .out_dir = rec->out_dir,
                                            .pairs = rec->pairs,
                                            .chunk_bytes = c->args->chunk_bytes};
    memcpy(rec->options.match_id_key, c->args->match_id_key, sizeof rec->options.match_id_key);
}

static void run(struct kin_coordinator *c, struct jobrec *rec, bool renewed)
{
    make_options(c, rec);
    rec->state = KIN_JOB_RUNNING;
    rec->runs++;
    store_rec(c, rec);
    kin_env_log(c->env, 'I', "job_started", "job=%016llx workflow=\"%s\" run=%u",
                (unsigned long long)rec->id, rec->name, rec->runs);
    job_start(c, &rec->options, rec, renewed);
}

static void next_job(struct kin_coordinator *c)
{
    struct jobrec *next = NULL;
    if (c->job || !c->queue->loaded)
        return;
    for (struct jobrec *rec = c->queue->first; rec; rec = rec->next) {
        if (rec->state == KIN_JOB_RUNNING) {
            next = rec;
            break;
        }
        if (rec->state == KIN_JOB_QUEUED && !next)
            next = rec;
    }
    if (next)
        run(c, next, c->queue->again_renewed);
    c->queue->again_renewed = false;
}

void queue_again(struct kin_coordinator *c)
{
    c->queue->again = true;
    c->job->failed = true; /* what is under way ends without effect */
}

static void end(struct kin_coordinator *c, struct jobrec *rec, enum kin_job_state state,
                kin_status status, const char *error)
{
    char *text = kin_strndup(error, strlen(error));
    rec->state = state;
    rec->status = status;
    rec->ended_ms = c->env->ops->wall_ms(c->env);
    if (text) { /* else it ends without a reason */
        kin_free(rec->error);
        rec->error = text;
    }
    if (state == KIN_JOB_CANCELLED || (state == KIN_JOB_DONE && !rec->sent)) {
        rec->dropped = true;
        rec->token = 0;
    }
    if (rec->sent && state != KIN_JOB_FAILED)
        spool_remove(c, rec->id);
    store_rec(c, rec);
}

static void log_done(struct kin_coordinator *c, const struct jobrec *rec)
{
    const struct kin_report *r = &c->job->report;
    kin_env_log(c->env, 'I', "job_done",
                "job=%016llx read=%llu rejected=%llu superseded=%llu groups=%llu grouped=%llu "
                "singletons=%llu ms=%llu",
                (unsigned long long)rec->id, (unsigned long long)r->read,
                (unsigned long long)r->rejected, (unsigned long long)r->superseded,
                (unsigned long long)r->groups, (unsigned long long)r->grouped,
                (unsigned long long)r->singletons, (unsigned long long)(r->total_us / 1000));
}

void queue_job_over(struct kin_coordinator *c, kin_status status, const char *error)
{
    if (!c->job)
        return; /* it could not even begin: the tick tries again */
    struct jobrec *rec = c->job->rec;
    if (status == KIN_OK)
        log_done(c, rec);
    end(c, rec,
        status == KIN_OK            ? KIN_JOB_DONE
        : status == KIN_E_CANCELLED ? KIN_JOB_CANCELLED
                                    : KIN_JOB_FAILED,
        status, error);
}

void queue_job_settled(struct kin_coordinator *c)
{
    job_free(c);
    c->queue->again_renewed = c->queue->again;
    c->queue->again = false;
    next_job(c);
}

void queue_tick(struct kin_coordinator *c)
{
    if (!c->queue->loaded)
        return;
    job_settle(c);
    for (struct jobrec *rec = c->queue->first; rec; rec = rec->next) {
        if (!rec->stored)
            store_rec(c, rec);
    }
    prune(c);
    spool_sweep(c);
    next_job(c);
}

/* ---- what clients do to it ---- */

struct jobrec *queue_find(const struct kin_coordinator *c, uint64_t id)
{
    struct jobrec *rec = c->queue->first;
    while (rec && rec->id != id)
        rec = rec->next;
    return rec;
}

struct jobrec *queue_find_token(const struct kin_coordinator *c, uint64_t token)
{
    struct jobrec *rec = c->queue->first;
    while (rec && rec->token != token)
        rec = rec->next;
    return rec;
}

static void append(struct queue *q, struct jobrec *rec)
{
    struct jobrec **at = &q->first;
    while (*at)
        at = &(*at)->next;
    *at = rec;
    q->count++;
    if (rec->number >= q->next_number)
        q->next_number = rec->number + 1;
}

kin_status queue_add(struct kin_coordinator *c, struct jobrec *rec)
{
    if (c->queue->count >= JOBS_MAX)
        return KIN_E_BUSY;
    rec->number = c->queue->next_number;
    rec->submitted_ms = c->env->ops->wall_ms(c->env);
    append(c->queue, rec);
    kin_env_log(c->env, 'I', "job_submitted", "job=%016llx workflow=\"%s\" files=%u",
                (unsigned long long)rec->id, rec->name, rec->file_count);
    if (rec->state == KIN_JOB_UPLOADING && spool_skip(rec, &rec->durable))
        rec->state = KIN_JOB_QUEUED; /* its files are all empty */
    store_rec(c, rec);
    next_job(c);
    return KIN_OK;
}

void queue_ready(struct kin_coordinator *c, struct jobrec *rec)
{
    if (rec->state != KIN_JOB_UPLOADING)
        return;
    rec->state = KIN_JOB_QUEUED;
    store_rec(c, rec);
    next_job(c);
}

void queue_revive(struct kin_coordinator *c, struct jobrec *rec)
{
    if (c->job && c->job->rec == rec)
        return; /* it is still ending */
    bool whole = !rec->sent || spool_skip(rec, &rec->durable);
    rec->state = whole ? KIN_JOB_QUEUED : KIN_JOB_UPLOADING;
    rec->status = KIN_OK;
    rec->error[0] = '\0';
    rec->ended_ms = 0;
    store_rec(c, rec);
    next_job(c);
}

void queue_drop(struct kin_coordinator *c, struct jobrec *rec)
{
    if (c->job && c->job->rec == rec && !c->job->failed) {
        job_over(c, KIN_E_CANCELLED, "cancelled by a client");
        return;
    }
    if (!jobrec_is_over(rec)) {
        end(c, rec, KIN_JOB_CANCELLED, KIN_E_CANCELLED, "cancelled by a client");
        return;
    }
    if (rec->dropped)
        return;
    rec->dropped = true;
    rec->token = 0;
    if (rec->sent)
        spool_remove(c, rec->id);
    store_rec(c, rec);
}

/* ---- the start ---- */

struct load_task {
    struct ctask task;
    struct jobrec *first;
    struct kin_buf dead;
};

static kin_status load_records(struct load_task *t, struct kin_env *env, struct kin_snap *snap)
{
    uint8_t from[8] = {0};
    struct kin_str at = {(const char *)from, 8}, key, value;
    struct jobrec **end = &t->first;
    kin_status status;
    while ((status = env->ops->snap_seek(snap, DB_JOBS, at, &key, &value)) == KIN_OK) {
        struct jobrec *rec = jobrec_read(value, &status);
        if (!rec)
            return status;
        *end = rec;
        end = &rec->next;
        kin_put_be64(from, rec->number + 1);
    }
    return status == KIN_E_NOTFOUND ? KIN_OK : status;
}

static void load_run(struct kin_env *env, struct kin_work *work)
{
    struct load_task *t = (struct load_task *)work;
    struct kin_snap *snap;
    t->task.status = env->ops->snap_begin(env, &snap);
    if (t->task.status != KIN_OK)
        return;
    t->task.status = load_records(t, env, snap);
    if (t->task.status == KIN_OK)
        t->task.status = spool_measure(env, snap, t->first, &t->dead);
    env->ops->snap_end(env, snap);
}

static void load_release(struct ctask *task)
{
    struct load_task *t = (struct load_task *)task;
    kin_buf_deinit(&t->dead);
    while (t->first) {
        struct jobrec *next = t->first->next;
        jobrec_free(t->first);
        t->first = next;
    }
}

static void load_finish(struct ctask *task)
{
    struct load_task *t = (struct load_task *)task;
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK) {
        c->args->on_done(c->args->arg, task->status, "the list of jobs cannot be read");
        return;
    }
    while (t->first) {
        struct jobrec *rec = t->first;
        t->first = rec->next;
        rec->next = NULL;
        append(c->queue, rec);
        if (rec->state == KIN_JOB_UPLOADING && spool_skip(rec, &rec->durable))
            rec->state = KIN_JOB_QUEUED;
        rec->accepted = rec->durable;
    }
    c->queue->dead = t->dead;
    t->dead = (struct kin_buf){0};
    c->queue->loaded = true;
    kin_env_log(c->env, 'I', "serving", "jobs=%u", c->queue->count);
    next_job(c);
}

void queue_start(struct kin_coordinator *c)
{
    struct load_task *t = ctask_new(c, sizeof *t, load_run, load_finish, load_release);
    if (t)
        ctask_start(&t->task);
    else
        c->args->on_done(c->args->arg, KIN_E_NOMEM, "out of memory");
}

void queue_free(struct kin_coordinator *c)
{
    if (!c->queue)
        return;
    results_free(c);
    while (c->queue->first) {
        struct jobrec *next = c->queue->first->next;
        jobrec_free(c->queue->first);
        c->queue->first = next;
    }
    kin_buf_deinit(&c->queue->dead);
    kin_free(c->queue);
}
