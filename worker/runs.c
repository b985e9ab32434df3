#include "worker/impl.h"

#include "common/record/normalise.h"

#include <string.h>

/* What the store holds of which run. A worker keeps one job, and beside it any number of runs that
 * were closed to be served. Keys begin with the number of the run, so that each is read, and in the
 * end deleted, without the others. DB_META has a value for each run: what makes it this run, and
 * whether it is kept. What belongs to no run with such a value is rubbish: it goes when the next
 * job opens. */

static const char RUN_PREFIX[3] = {'r', 'u', 'n'};

struct kin_str worker_store_key(uint8_t to[WORKER_STORE_KEY_BYTES], uint64_t run, uint64_t number)
{
    kin_put_be64(to, run);
    kin_put_be64(to + 8, number);
    return (struct kin_str){(const char *)to, WORKER_STORE_KEY_BYTES};
}

static struct kin_str run_key(uint8_t to[WORKER_RUN_KEY_BYTES], uint64_t run)
{
    memcpy(to, RUN_PREFIX, sizeof RUN_PREFIX);
    kin_put_be64(to + sizeof RUN_PREFIX, run);
    return (struct kin_str){(const char *)to, WORKER_RUN_KEY_BYTES};
}

/* Number, layout, hash of the workflow (another value: another run), then whether it is kept. */
static void run_value(const struct worker_job *job, bool kept, uint8_t out[WORKER_RUN_BYTES])
{
    kin_put_le64(out, job->id);
    kin_put_le64(out + 8, kin_hash_mix(job->workflow->hash, KIN_NORMALISER_VERSION));
    kin_put_le32(out + 16, job->shards.workers);
    kin_put_le32(out + 20, job->index);
    kin_put_le64(out + 24, kin_hash64(job->shards.owner, sizeof job->shards.owner, 0));
    kin_put_le64(out + 32, kept);
}

static bool is_run_key(struct kin_str key)
{
    return key.n == WORKER_RUN_KEY_BYTES && memcmp(key.p, RUN_PREFIX, sizeof RUN_PREFIX) == 0;
}

kin_status worker_run_read(struct kin_env *env, struct kin_snap *snap, const struct worker_job *job,
                           struct worker_run *out)
{
    uint8_t name[WORKER_RUN_KEY_BYTES], expected[WORKER_RUN_BYTES];
    struct kin_str value;
    *out = (struct worker_run){0};
    kin_status status = env->ops->snap_get(snap, DB_META, run_key(name, job->id), &value);
    if (status != KIN_OK)
        return status == KIN_E_NOTFOUND ? KIN_OK : status;
    if (value.n != WORKER_RUN_BYTES)
        return KIN_E_CORRUPT;
    out->found = true;
    out->kept = kin_le64(value.p + WORKER_RUN_BYTES - 8) != 0;
    memcpy(out->value, value.p, WORKER_RUN_BYTES);
    if (job->workflow) {
        run_value(job, out->kept, expected);
        out->same = memcmp(value.p, expected, sizeof expected) == 0;
    }
    return KIN_OK;
}

bool worker_run_below(struct kin_env *env, struct kin_snap *snap, uint64_t run)
{
    uint8_t name[WORKER_RUN_KEY_BYTES];
    struct kin_str key, value;
    if (run == UINT64_MAX)
        return false;
    kin_status status = env->ops->snap_seek(snap, DB_META, run_key(name, run + 1), &key, &value);
    return status == KIN_OK && is_run_key(key);
}

kin_status worker_run_store(struct worker_job *job, const uint8_t *value, bool kept,
                            uint64_t number, void (*finish)(struct worker_store *, kin_status))
{
    struct worker_store *s = worker_store_new(job, 1, finish);
    uint8_t *p = s ? kin_buf_extend(&s->memory, WORKER_RUN_KEY_BYTES + WORKER_RUN_BYTES) : NULL;
    if (!p) {
        worker_store_drop(s);
        return KIN_E_NOMEM;
    }
    uint8_t *v = p + WORKER_RUN_KEY_BYTES;
    if (value) {
        memcpy(v, value, WORKER_RUN_BYTES);
        kin_put_le64(v + WORKER_RUN_BYTES - 8, kept);
    } else {
        run_value(job, kept, v);
    }
    s->puts[0] = (struct kin_store_put){
        .db = DB_META, .key = run_key(p, job->id), .value = {(const char *)v, WORKER_RUN_BYTES}};
    s->number = number;
    worker_store_start(s);
    return KIN_OK;
}

/* ---- wiping: rounds of collecting keys and deleting them ---- */

enum { WIPE_KEYS = 1024 };

struct wipe_task {
    struct worker_task task;
    bool others;
    void (*done)(struct worker_job *, kin_status);
    struct kin_buf kept; /* u64 runs that are spared, ascending */
    struct kin_buf keys; /* u8 db, u16 length, bytes */
    size_t count;
};

static void wipe_round(struct worker_job *job, bool others,
                       void (*done)(struct worker_job *, kin_status));

static kin_status list_kept(struct wipe_task *t, struct kin_env *env, struct kin_snap *snap)
{
    uint8_t from[WORKER_RUN_KEY_BYTES + 1];
    struct kin_str at = run_key(from, 0), key, value;
    kin_status status;
    while ((status = env->ops->snap_seek(snap, DB_META, at, &key, &value)) == KIN_OK &&
           is_run_key(key)) {
        if (value.n == WORKER_RUN_BYTES && kin_le64(value.p + WORKER_RUN_BYTES - 8))
            kin_buf_u64(&t->kept, kin_be64(key.p + sizeof RUN_PREFIX));
        memcpy(from, key.p, key.n);
        from[key.n] = 0; /* the smallest key above this one */
        at.n = key.n + 1;
    }
    if (status != KIN_OK && status != KIN_E_NOTFOUND)
        return status;
    return t->kept.failed ? KIN_E_NOMEM : KIN_OK;
}

static bool is_kept(const struct wipe_task *t, uint64_t run)
{
    for (size_t i = 0; i < t->kept.n; i += 8) {
        if (kin_le64(t->kept.p + i) == run)
            return true;
    }
    return false;
}

static uint64_t run_of(unsigned db, struct kin_str key, bool *known)
{
    *known = db == DB_META ? is_run_key(key) : key.n == WORKER_STORE_KEY_BYTES;
    return *known ? kin_be64(key.p + (db == DB_META ? sizeof RUN_PREFIX : 0)) : 0;
}

static kin_status collect(struct wipe_task *t, struct kin_env *env, struct kin_snap *snap,
                          unsigned db)
{
    uint64_t own = t->task.job->id, run;
    uint8_t from[KIN_STORE_KEY_MAX + 1], name[WORKER_STORE_KEY_BYTES];
    struct kin_str at = {(const char *)from, 0}, key, value;
    bool known;
    if (!t->others) {
        at = db == DB_META ? run_key(name, own) : worker_store_key(name, own, 0);
        memcpy(from, at.p, at.n);
        at.p = (const char *)from;
    }
    while (t->count < WIPE_KEYS) {
        kin_status status = env->ops->snap_seek(snap, db, at, &key, &value);
        if (status != KIN_OK)
            return status == KIN_E_NOTFOUND ? KIN_OK : status;
        run = run_of(db, key, &known);
        if (!t->others && (!known || run != own))
            return KIN_OK;
        memcpy(from, key.p, key.n);
        if (t->others && known && is_kept(t, run)) {
            if (db != DB_META) { /* behind all that it has */
                if (run == UINT64_MAX)
                    return KIN_OK;
                kin_put_be64(from, run + 1);
                at.n = 8;
                continue;
            }
        } else {
            uint8_t d = (uint8_t)db;
            kin_buf_put(&t->keys, &d, 1);
            kin_buf_u16(&t->keys, (uint16_t)key.n);
            kin_buf_put(&t->keys, key.p, key.n);
            t->count++;
        }
        if (key.n >= KIN_STORE_KEY_MAX)
            return KIN_OK; /* the next round goes on from here, once it is deleted */
        from[key.n] = 0;
        at.n = key.n + 1;
    }
    return KIN_OK;
}

static void wipe_run(struct kin_env *env, struct kin_work *work)
{
    struct wipe_task *t = (struct wipe_task *)work;
    struct kin_snap *snap;
    t->task.status = env->ops->snap_begin(env, &snap);
    if (t->task.status != KIN_OK)
        return;
    kin_status status = t->others ? list_kept(t, env, snap) : KIN_OK;
    for (unsigned db = 0; db < KIN_WORKER_DBS && status == KIN_OK; db++)
        status = collect(t, env, snap, db);
    t->task.status = status == KIN_OK && t->keys.failed ? KIN_E_NOMEM : status;
    env->ops->snap_end(env, snap);
}

struct wipe_store {
    bool others;
    void (*done)(struct worker_job *, kin_status);
};

static void wiped(struct worker_store *s, kin_status status)
{
    struct wipe_store at;
    memcpy(&at, s->memory.p, sizeof at);
    if (status != KIN_OK)
        at.done(s->job, status);
    else
        wipe_round(s->job, at.others, at.done);
}

static void wipe_finish(struct worker_task *task)
{
    struct wipe_task *t = (struct wipe_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK || t->count == 0) {
        t->done(job, task->status);
        return;
    }
    struct wipe_store at = {t->others, t->done};
    struct worker_store *s = worker_store_new(job, t->count, wiped);
    if (s) {
        kin_buf_put(&s->memory, &at, sizeof at);
        kin_buf_put(&s->memory, t->keys.p, t->keys.n);
    }
    if (!s || s->memory.failed) {
        worker_store_drop(s);
        t->done(job, KIN_E_NOMEM);
        return;
    }
    const uint8_t *p = s->memory.p + sizeof at;
    for (size_t i = 0; i < t->count; i++) {
        uint16_t n = kin_le16(p + 1);
        s->puts[i] = (struct kin_store_put){.db = p[0], .key = {(const char *)p + 3, n}};
        p += 3 + n;
    }
    worker_store_start(s);
}

static void wipe_release(struct worker_task *task)
{
    struct wipe_task *t = (struct wipe_task *)task;
    kin_buf_deinit(&t->keys);
    kin_buf_deinit(&t->kept);
}

static void wipe_round(struct worker_job *job, bool others,
                       void (*done)(struct worker_job *, kin_status))
{
    struct wipe_task *t = worker_task_new(job, sizeof *t, wipe_run, wipe_finish, wipe_release);
    if (!t) {
        done(job, KIN_E_NOMEM);
        return;
    }
    t->others = others;
    t->done = done;
    worker_task_start(&t->task);
}

void worker_wipe_others(struct worker_job *job, void (*done)(struct worker_job *, kin_status))
{
    wipe_round(job, true, done);
}

void worker_wipe_own(struct worker_job *job, void (*done)(struct worker_job *, kin_status))
{
    wipe_round(job, false, done);
}
