#include "coordinator/impl.h"

#include <stdlib.h>
#include <string.h>

/* A random sample of the records: those with the smallest hashes of (source, id), with their
 * features from their home workers. A function of the records alone. */

struct sample_task {
    struct ctask task;
    struct sample *sample; /* of the job */
    size_t want;
    struct sample_record *items;
    size_t count;
};

void sample_deinit(struct sample *s)
{
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_frame_unref(s->features[w]);
    kin_free(s->items);
    kin_free(s->records);
    *s = (struct sample){0};
}

static int by_hash(const void *a, const void *b)
{
    const struct sample_record *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->record < y->record ? -1 : x->record > y->record;
}

/* All records whose hash is at most `limit`. */
static kin_status gather(struct page_view *view, const struct cjob *job, uint64_t limit,
                         struct kin_buf *out)
{
    kin_buf_clear(out);
    for (uint64_t chunk = 0; chunk < job->chunk_count; chunk++) {
        const struct kin_page *page = page_view_get(view, chunk);
        if (!page)
            return view->status;
        const char *name = job->workflow->sources[page->source].name;
        uint64_t seed = kin_hash64(name, strlen(name), 0);
        for (uint32_t i = 0; i < page->count; i++) {
            uint32_t record = (uint32_t)page->base + i;
            struct kin_str id = kin_page_id(page, i);
            /* another hash than the one that chooses the home */
            uint64_t hash = kin_hash_mix(kin_hash64(id.p, id.n, seed), 7);
            if (hash > limit || job->dead_bits[record / 8] >> (record % 8) & 1)
                continue;
            struct sample_record r = {hash, record, kin_home_worker(&job->shards, seed, id)};
            kin_buf_put(out, &r, sizeof r);
        }
    }
    return out->failed ? KIN_E_NOMEM : KIN_OK;
}

static void sample_run(struct kin_env *env, struct kin_work *work)
{
    struct sample_task *t = (struct sample_task *)work;
    const struct cjob *job = t->task.job;
    struct page_view view;
    struct kin_buf found = {0};
    size_t want = t->want;
    double part = job->records ? 1.5 * (double)want / (double)job->records : 1;
    uint64_t limit = part < 0.9 ? (uint64_t)(part * 18446744073709551615.0) : UINT64_MAX;
    kin_status status = page_view_init(&view, env, job);
    if (status == KIN_OK)
        status = gather(&view, job, limit, &found);
    while (status == KIN_OK && limit != UINT64_MAX && found.n / sizeof *t->items < want) {
        limit = limit < UINT64_MAX / 2 ? 2 * limit : UINT64_MAX;
        status = gather(&view, job, limit, &found);
    }
    page_view_deinit(&view);
    t->items = (struct sample_record *)(void *)found.p;
    t->count = found.n / sizeof *t->items;
    if (status == KIN_OK && t->count)
        qsort(t->items, t->count, sizeof *t->items, by_hash);
    t->count = t->count < want ? t->count : want;
    t->task.status = status;
}

static void sample_release(struct ctask *task)
{
    kin_free(((struct sample_task *)task)->items);
}

/* The features as they came, by record; they are checked: they came over the wire. */
static kin_status index_sample(const struct cjob *job, struct sample *s)
{
    struct kin_cursor at[KIN_WORKERS_MAX];
    for (unsigned w = 0; w < job->shards.workers; w++) {
        const struct kin_frame *f = s->features[w];
        at[w] = kin_cursor_of(f ? f->payload.p : NULL, f ? f->payload.n : 0);
    }
    s->records = kin_calloc(s->count + 1, sizeof *s->records);
    if (!s->records)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < s->count; i++) {
        struct kin_cursor *c = &at[s->items[i].worker];
        uint32_t bytes = kin_cursor_left(c) >= 4 ? kin_le32(c->p) : 0;
        const uint8_t *rec = bytes ? kin_cursor_take(c, bytes) : NULL;
        if (!rec || !kin_features_valid(rec, bytes, (unsigned)job->workflow->schema.count) ||
            !kin_features_fit(rec, &job->workflow->schema))
            return KIN_E_PROTO;
        s->records[i] = rec;
    }
    return KIN_OK;
}

static void gathered(struct kin_coordinator *c, struct sample *s)
{
    kin_status status = index_sample(c->job, s);
    if (status == KIN_OK)
        s->ready(c);
    else
        job_fail(c, status, "the sample of records: %s", kin_status_text(status));
}

static void on_features(struct rpc *r, const struct kin_message *m, struct kin_frame *f)
{
    struct sample *s = r->arg;
    struct kin_coordinator *c = s->c;
    if (m->type != KIN_MSG_PULLED) {
        job_fail(c, KIN_E_PROTO, "worker %u answered nonsense", r->worker + 1);
        return;
    }
    s->features[r->worker] = kin_frame_ref(f);
    if (--s->waiting == 0)
        gathered(c, s);
}

static void sample_finish(struct ctask *task)
{
    struct sample_task *t = (struct sample_task *)task;
    struct kin_coordinator *c = task->c;
    struct sample *s = t->sample;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "records cannot be sampled: %s", kin_status_text(task->status));
        return;
    }
    s->items = t->items;
    s->count = t->count;
    t->items = NULL;
    struct kin_buf wanted[KIN_WORKERS_MAX] = {0};
    for (size_t i = 0; i < s->count; i++)
        kin_buf_u32(&wanted[s->items[i].worker], s->items[i].record);
    s->waiting = 1; /* this function */
    for (unsigned w = 0; w < job_workers(c); w++) {
        if (wanted[w].n == 0 && !wanted[w].failed)
            continue;
        struct kin_message m = {.type = KIN_MSG_PULL};
        m.u.pull.job = c->job->id;
        m.u.pull.what = KIN_PULL_FEATURES;
        s->waiting++;
        if (rpc_start(c, w, &m, &wanted[w], on_features, s, 0) != KIN_OK)
            job_fail(c, KIN_E_NOMEM, "out of memory");
    }
    if (!c->job->failed && --s->waiting == 0)
        gathered(c, s);
}

void sample_take(struct kin_coordinator *c, struct sample *s, size_t want,
                 void (*ready)(struct kin_coordinator *))
{
    struct sample_task *t = ctask_new(c, sizeof *t, sample_run, sample_finish, sample_release);
    *s = (struct sample){.c = c, .ready = ready};
    if (!t) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    t->sample = s;
    t->want = want;
    ctask_start(&t->task);
}
