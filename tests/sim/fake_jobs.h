#ifndef KIN_TESTS_SIM_FAKE_JOBS_H
#define KIN_TESTS_SIM_FAKE_JOBS_H
/* For the tests of the client's core: a coordinator that takes jobs as the protocol says, but runs
 * none: its results are made of the bytes it was sent. Durable things survive its crashes, what it
 * has only taken in does not. It can be told to forget more, to fail jobs, and to lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "proto/jobs.h"
#include "proto/message.h"
#include "tests/sim/world.h"

enum {
    FAKE_JOBS = 8,
    FAKE_FILES = 16,
    FAKE_RESULTS = 5,
    FAKE_COMMIT_US = 3000,
    FAKE_BULK_BYTES = 64 * 1024 /* the transport's */
};

struct fake_file {
    char path[64];
    uint32_t source;
    uint64_t bytes;
    uint8_t *got;
};

struct fake_job {
    uint64_t id, token, text_hash;
    char out_dir[64];
    bool pairs;
    enum kin_job_state state;
    struct fake_file files[FAKE_FILES];
    uint32_t file_count;
    uint32_t durable_file, taken_file; /* taken: durable at the next commit */
    uint64_t durable_offset, taken_offset;
    unsigned pieces; /* taken and not durable */
    bool bulk;       /* the first of them came over the bulk connection */
    uint64_t last_request;
    unsigned polls, runs;
};

struct fake_result {
    const char *name;
    uint8_t *p;
    size_t n;
};

struct fake_life {
    struct kin_timer commit; /* first */
    struct fake *fake;
};

struct fake { /* of the test: survives crashes */
    struct kin_env *env;
    struct fake_life life;
    struct fake_job jobs[FAKE_JOBS];
    unsigned count;
    uint32_t fetch_bytes; /* of one FETCHED */

    /* what it is told to do */
    bool forgets;        /* uploads, when it starts: any part of what was durable */
    bool forgets_jobs;   /* when it starts: those that are not done */
    unsigned fails;      /* so many runs fail */
    bool cancels;        /* runs are cancelled instead */
    unsigned unreadable; /* so many FETCHes cannot be served */
    bool deaf;           /* nothing is answered */
    /* NULL, or may change an answer before it goes */
    void (*lie)(struct fake *fake, struct kin_message *m, struct kin_buf *payload);
    unsigned lies;
    char scratch[300];

    unsigned submits, dropped_pieces, polls, drops, boots, forgotten;
};

/* ---- results ---- */

static inline struct fake_result fake_result(const struct fake_job *job, uint32_t index)
{
    static const char *const names[FAKE_RESULTS] = {"empty.csv", "errors.csv", "groups.csv",
                                                    "matches.csv", "report.json"};
    static const char report[] = "{\"workflow\": \"t\", \"read\": 7}\n";
    struct fake_result r = {.name = names[index]};
    size_t cap = sizeof report;
    for (uint32_t f = 0; f < job->file_count; f++)
        cap += job->files[f].bytes + sizeof job->files[f].path + 8;
    r.p = calloc(1, cap);
    assert_non_null(r.p);
    for (uint32_t f = 0; f < job->file_count; f++) {
        const struct fake_file *file = &job->files[f];
        if (index == 1)
            r.n +=
                (size_t)snprintf((char *)r.p + r.n, cap - r.n, "%u %s\n", file->source, file->path);
        if (index == 3 && file->bytes) {
            memcpy(r.p + r.n, file->got, file->bytes);
            r.n += file->bytes;
        }
    }
    if (index == 2)
        r.n = (size_t)snprintf((char *)r.p, cap, "%016llx\n", (unsigned long long)job->text_hash);
    if (index == 4)
        r.n = (size_t)snprintf((char *)r.p, cap, "%s", report);
    return r;
}

/* ---- jobs ---- */

static inline struct fake_job *fake_find(struct fake *fake, uint64_t id)
{
    for (unsigned i = 0; i < fake->count; i++) {
        if (fake->jobs[i].id == id)
            return &fake->jobs[i];
    }
    return NULL;
}

static inline void fake_remove(struct fake *fake, struct fake_job *job)
{
    for (uint32_t f = 0; f < job->file_count; f++)
        free(job->files[f].got);
    *job = fake->jobs[--fake->count];
    memset(&fake->jobs[fake->count], 0, sizeof *job);
}

static inline void fake_deinit(struct fake *fake)
{
    while (fake->count)
        fake_remove(fake, &fake->jobs[0]);
}

static inline void fake_settle(const struct fake_job *job, uint32_t *file, uint64_t *offset)
{
    while (*file < job->file_count && *offset == job->files[*file].bytes) {
        ++*file;
        *offset = 0;
    }
}

static inline void fake_answer(struct fake *fake, kin_node_id to, struct kin_message *m,
                               uint64_t request, const void *p, size_t n)
{
    struct kin_frame *f;
    struct kin_buf payload = {0};
    if (fake->deaf)
        return;
    m->request = request;
    m->version = KIN_PROTO_VERSION_MAX;
    kin_buf_put(&payload, p, n);
    if (fake->lie)
        fake->lie(fake, m, &payload);
    if (payload.failed || kin_message_encode(m, &f) != KIN_OK) {
        kin_buf_deinit(&payload);
        return; /* short of memory on purpose */
    }
    f->payload = payload;
    fake->env->ops->send(fake->env, to, f);
}

static inline void fake_uploaded(struct fake *fake, struct fake_job *job, uint64_t request)
{
    struct kin_message m = {.type = KIN_MSG_UPLOADED};
    m.u.uploaded.job = job->id;
    m.u.uploaded.file = job->durable_file;
    m.u.uploaded.offset = job->durable_offset;
    fake_answer(fake, KIN_CLIENT_FIRST, &m, request, NULL, 0);
}

static inline void fake_commit(struct kin_timer *timer)
{
    struct fake *fake = ((struct fake_life *)(void *)timer)->fake;
    for (unsigned i = 0; i < fake->count; i++) {
        struct fake_job *job = &fake->jobs[i];
        if (job->state != KIN_JOB_UPLOADING)
            continue;
        bool moved = job->pieces > 0;
        job->durable_file = job->taken_file;
        job->durable_offset = job->taken_offset;
        job->pieces = 0;
        if (job->durable_file == job->file_count)
            job->state = KIN_JOB_QUEUED;
        if (moved)
            fake_uploaded(fake, job, job->last_request);
    }
}

/* ---- messages ---- */

static inline bool fake_read_files(struct fake_job *job, const struct kin_frame *f)
{
    struct kin_cursor c = kin_cursor_of(f->payload.p, f->payload.n);
    while (kin_cursor_left(&c)) {
        assert_true(job->file_count < FAKE_FILES);
        struct fake_file *file = &job->files[job->file_count++];
        file->source = kin_cursor_u32(&c);
        file->bytes = kin_cursor_u64(&c);
        assert_int_not_equal(kin_cursor_u64(&c), 0);
        uint16_t n = kin_cursor_u16(&c);
        const uint8_t *path = kin_cursor_take(&c, n);
        assert_false(c.bad);
        assert_true(n < sizeof file->path);
        memcpy(file->path, path, n);
        file->got = calloc(1, file->bytes ? file->bytes : 1);
        assert_non_null(file->got);
    }
    return !c.bad;
}

static inline void fake_on_submit(struct fake *fake, kin_node_id from, const struct kin_message *m,
                                  const struct kin_frame *f)
{
    const struct kin_msg_submit *s = &m->u.submit;
    struct fake_job *job = NULL;
    assert_int_not_equal(s->token, 0);
    fake->submits++;
    for (unsigned i = 0; i < fake->count; i++)
        job = fake->jobs[i].token == s->token ? &fake->jobs[i] : job;
    if (job && (job->state == KIN_JOB_FAILED || job->state == KIN_JOB_CANCELLED)) {
        fake_remove(fake, job);
        job = NULL;
    }
    if (!job) {
        assert_true(fake->count < FAKE_JOBS);
        job = &fake->jobs[fake->count++];
        job->token = s->token;
        job->id = fake->env->ops->random(fake->env) | 1;
        job->text_hash = kin_hash64(s->workflow.p, s->workflow.n, 0);
        job->pairs = s->pairs;
        snprintf(job->out_dir, sizeof job->out_dir, "%.*s", (int)s->out_dir.n, s->out_dir.p);
        assert_true(fake_read_files(job, f));
        fake_settle(job, &job->durable_file, &job->durable_offset);
        job->taken_file = job->durable_file;
        job->taken_offset = job->durable_offset;
        job->state = job->durable_file == job->file_count ? KIN_JOB_QUEUED : KIN_JOB_UPLOADING;
    }
    struct kin_message answer = {.type = KIN_MSG_SUBMITTED};
    answer.u.submitted.job = job->id;
    fake_answer(fake, from, &answer, m->request, NULL, 0);
}

static inline void fake_unknown(struct fake *fake, kin_node_id from, uint32_t type, uint64_t id,
                                uint64_t request)
{
    struct kin_message m = {.type = type};
    if (type == KIN_MSG_JOB_STATE_GOT) {
        m.u.job_state_got.job = id;
        m.u.job_state_got.status = KIN_E_NOTFOUND;
    } else {
        m.u.fetched.job = id;
        m.u.fetched.status = KIN_E_NOTFOUND;
    }
    fake_answer(fake, from, &m, request, NULL, 0);
}

static inline void fake_on_upload(struct fake *fake, kin_node_id from, const struct kin_message *m,
                                  const struct kin_frame *f)
{
    const struct kin_msg_upload *u = &m->u.upload;
    struct fake_job *job = fake_find(fake, u->job);
    (void)from;
    if (!job)
        return; /* nobody says that there is none */
    bool wanted = job->state == KIN_JOB_UPLOADING && u->file == job->taken_file &&
                  u->offset == job->taken_offset && job->pieces < KIN_UPLOAD_WINDOW;
    if (f->payload.n == 0 || !wanted) {
        fake->dropped_pieces += f->payload.n > 0;
        fake_uploaded(fake, job, m->request);
        return;
    }
    struct fake_file *file = &job->files[u->file];
    assert_true(f->payload.n <= KIN_UPLOAD_BYTES);
    assert_true(f->payload.n <= file->bytes - u->offset);
    bool bulk = f->payload.n > FAKE_BULK_BYTES;
    if (job->pieces++ == 0)
        job->bulk = bulk;
    assert_int_equal(bulk, job->bulk); /* they would overtake each other */
    memcpy(file->got + u->offset, f->payload.p, f->payload.n);
    job->taken_offset += f->payload.n;
    fake_settle(job, &job->taken_file, &job->taken_offset);
    job->last_request = m->request;
    fake->env->ops->timer_arm(fake->env, &fake->life.commit, FAKE_COMMIT_US);
}

/* One poll queued, then two running, then the end. */
static inline void fake_step(struct fake *fake, struct fake_job *job)
{
    if (job->state == KIN_JOB_QUEUED && job->polls++ >= 2) {
        job->state = KIN_JOB_RUNNING;
        job->runs++;
        job->polls = 0;
    } else if (job->state == KIN_JOB_RUNNING && job->polls++ >= 2) {
        job->state = KIN_JOB_DONE;
        if (fake->fails) {
            job->state = fake->cancels ? KIN_JOB_CANCELLED : KIN_JOB_FAILED;
            fake->fails--;
        }
    }
}

static inline void fake_on_state(struct fake *fake, kin_node_id from, const struct kin_message *m)
{
    struct fake_job *job = fake_find(fake, m->u.job_state.job);
    fake->polls++;
    if (!job) {
        fake_unknown(fake, from, KIN_MSG_JOB_STATE_GOT, m->u.job_state.job, m->request);
        return;
    }
    fake_step(fake, job);
    struct kin_message answer = {.type = KIN_MSG_JOB_STATE_GOT};
    struct kin_msg_job_state_got *s = &answer.u.job_state_got;
    s->job = job->id;
    s->state = job->state;
    s->phase = 4;
    s->done = job->polls;
    s->total = 2;
    s->records = 100;
    s->ahead = job->state == KIN_JOB_QUEUED ? 3 : 0;
    s->runs = job->runs;
    if (job->state == KIN_JOB_FAILED) {
        s->status = KIN_E_CORRUPT;
        s->text = KIN_STR("it broke");
    }
    fake_answer(fake, from, &answer, m->request, NULL, 0);
}

static inline void fake_on_fetch(struct fake *fake, kin_node_id from, const struct kin_message *m)
{
    const struct kin_msg_fetch *fetch = &m->u.fetch;
    struct fake_job *job = fake_find(fake, fetch->job);
    if (!job || job->state != KIN_JOB_DONE) {
        fake_unknown(fake, from, KIN_MSG_FETCHED, fetch->job, m->request);
        return;
    }
    struct kin_message answer = {.type = KIN_MSG_FETCHED};
    struct kin_msg_fetched *got = &answer.u.fetched;
    got->job = job->id;
    if (fake->unreadable) {
        fake->unreadable--;
        got->status = KIN_E_IO;
        got->text = KIN_STR("the disk is bad");
        fake_answer(fake, from, &answer, m->request, NULL, 0);
        return;
    }
    assert_true(fetch->file < FAKE_RESULTS);
    struct fake_result r = fake_result(job, fetch->file);
    assert_true(fetch->offset <= r.n);
    size_t n = r.n - (size_t)fetch->offset;
    n = n < fake->fetch_bytes ? n : fake->fetch_bytes;
    got->file = fetch->file;
    got->files = FAKE_RESULTS;
    got->name = kin_str_of(r.name);
    got->offset = fetch->offset;
    got->bytes = r.n;
    fake_answer(fake, from, &answer, m->request, r.p + fetch->offset, n);
    free(r.p);
}

static inline void fake_on_drop(struct fake *fake, kin_node_id from, const struct kin_message *m)
{
    struct fake_job *job = fake_find(fake, m->u.job_drop.job);
    struct kin_message answer = {.type = KIN_MSG_STEP_DONE};
    answer.u.step_done.job = m->u.job_drop.job;
    answer.u.step_done.step = KIN_MSG_JOB_DROP;
    answer.u.step_done.status = job ? KIN_OK : KIN_E_NOTFOUND;
    if (job) {
        fake->drops++;
        fake_remove(fake, job);
    }
    fake_answer(fake, from, &answer, m->request, NULL, 0);
}

static inline void fake_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct fake *fake = ((struct fake_life *)node)->fake;
    struct kin_message m;
    assert_int_equal(kin_message_decode(f, &m, NULL), KIN_OK);
    if (m.type == KIN_MSG_SUBMIT)
        fake_on_submit(fake, from, &m, f);
    else if (m.type == KIN_MSG_UPLOAD)
        fake_on_upload(fake, from, &m, f);
    else if (m.type == KIN_MSG_JOB_STATE)
        fake_on_state(fake, from, &m);
    else if (m.type == KIN_MSG_FETCH)
        fake_on_fetch(fake, from, &m);
    else if (m.type == KIN_MSG_JOB_DROP)
        fake_on_drop(fake, from, &m);
    else
        fail();
}

/* What was taken in and not made durable is lost; and more, if it is told to forget. */
static inline void *fake_boot(struct kin_env *env, void *args)
{
    struct fake *fake = args;
    fake->env = env;
    fake->life = (struct fake_life){.commit.fire = fake_commit, .fake = fake};
    fake->boots++;
    for (unsigned i = fake->count; i-- > 0;) {
        struct fake_job *job = &fake->jobs[i];
        if (fake->forgets_jobs && job->state < KIN_JOB_DONE) {
            fake->forgotten++;
            fake_remove(fake, job);
            continue;
        }
        if (fake->forgets && job->state == KIN_JOB_UPLOADING) {
            uint64_t back = env->ops->random(env);
            fake->forgotten += job->durable_file > 0;
            if (job->durable_file && back % 2)
                job->durable_offset = job->files[--job->durable_file].bytes / 2;
            else
                job->durable_offset -= job->durable_offset ? back % job->durable_offset : 0;
            fake_settle(job, &job->durable_file, &job->durable_offset);
        }
        job->taken_file = job->durable_file;
        job->taken_offset = job->durable_offset;
        job->pieces = 0;
    }
    return &fake->life;
}

static inline void fake_stop(void *node)
{
    struct fake_life *life = node;
    life->fake->env->ops->timer_cancel(life->fake->env, &life->commit);
}

static const struct kin_node_ops fake_ops = {fake_boot, fake_frame, fake_stop};

#endif
