#include "coordinator/live.h"

#include <string.h>

/* Features and rows of records, from the workers that are their homes. */

struct fetch {
    struct live *live;
    void (*ready)(struct live *live, void *arg, const struct live_fetched *got);
    void (*forget)(void *arg);
    void *arg;
    uint32_t *numbers;
    uint32_t *place; /* by worker: its records' places, one worker behind the other */
    uint32_t from[KIN_WORKERS_MAX + 1];
    unsigned waiting;
    struct kin_frame *frames[KIN_WORKERS_MAX];
    struct kin_batch_rows sections[KIN_WORKERS_MAX];
    uint8_t *section_of;
    struct live_fetched got;
    bool rows, partial;
};

static void fetch_free(struct fetch *x)
{
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_frame_unref(x->frames[w]);
    kin_free(x->numbers);
    kin_free(x->place);
    kin_free(x->got.features);
    kin_free(x->got.rows);
    kin_free(x->section_of);
    kin_free(x);
}

static void fetch_done(struct fetch *x)
{
    x->got.partial = x->partial;
    x->got.sections = x->sections;
    x->ready(x->live, x->arg, &x->got);
    fetch_free(x);
}

/* From the wire: nothing is believed. */
static bool take_features(struct fetch *x, unsigned worker, const uint8_t *p, size_t n)
{
    const struct kin_schema *schema = &x->live->workflow->schema;
    uint32_t count = x->from[worker + 1] - x->from[worker];
    for (size_t at = 0; at < n;) {
        uint32_t bytes = n - at >= KIN_FEATURES_HEAD_BYTES ? kin_features_bytes(p + at) : 0;
        if (bytes < KIN_FEATURES_HEAD_BYTES || bytes > n - at ||
            !kin_features_valid(p + at, bytes, (unsigned)schema->count) ||
            !kin_features_fit(p + at, schema))
            return false;
        uint32_t rel = kin_features_rel(p + at);
        if (rel >= count)
            return false;
        x->got.features[x->place[x->from[worker] + rel]] = p + at;
        at += bytes;
    }
    return true;
}

static bool take_rows(struct fetch *x, unsigned worker, const uint8_t *p, size_t n)
{
    struct kin_batch_rows *rows = &x->sections[worker];
    uint32_t count = x->from[worker + 1] - x->from[worker];
    if (!kin_batch_rows_open(p, n, rows))
        return false;
    const uint8_t *at = rows->rows;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        struct kin_batch_row row = kin_batch_row_read(at);
        if (row.number >= count)
            return false;
        uint32_t place = x->place[x->from[worker] + row.number];
        x->got.rows[place] = at;
        x->section_of[place] = (uint8_t)worker;
        at += row.bytes;
    }
    return true;
}

static void on_fetched(struct live_ask *ask, const struct kin_message *m, struct kin_frame *f)
{
    struct fetch *x = ask->arg;
    unsigned w = ask->worker;
    if (!m || m->type != KIN_MSG_LIVE_FETCHED || m->u.live_fetched.status != KIN_OK) {
        x->partial = true;
    } else {
        size_t n = m->u.live_fetched.feature_bytes;
        x->frames[w] = kin_frame_ref(f);
        if (n > f->payload.n || !take_features(x, w, f->payload.p, n) ||
            (x->rows && !take_rows(x, w, f->payload.p + n, f->payload.n - n)))
            x->partial = true;
    }
    if (--x->waiting == 0)
        fetch_done(x);
}

static void forget(struct live_ask *ask)
{
    struct fetch *x = ask->arg;
    if (--x->waiting)
        return;
    if (x->forget)
        x->forget(x->arg);
    fetch_free(x);
}

static bool deal(struct fetch *x, size_t count)
{
    const struct live *live = x->live;
    unsigned workers = live->shards.workers;
    for (size_t i = 0; i < count; i++)
        x->from[live->graph.records[x->numbers[i]].home + 1]++;
    for (unsigned w = 0; w < workers; w++)
        x->from[w + 1] += x->from[w];
    uint32_t next[KIN_WORKERS_MAX];
    memcpy(next, x->from, sizeof next);
    for (size_t i = 0; i < count; i++)
        x->place[next[live->graph.records[x->numbers[i]].home]++] = (uint32_t)i;
    return true;
}

/* Nothing to ask: told all the same, a little later. */
struct nothing_task {
    struct live_task task;
    struct fetch *x;
};
static void nothing_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    (void)work;
}
static void nothing_finish(struct live_task *task)
{
    struct nothing_task *t = (struct nothing_task *)task;
    struct fetch *x = t->x;
    t->x = NULL;
    fetch_done(x);
}
static void nothing_release(struct live_task *task)
{
    struct nothing_task *t = (struct nothing_task *)task;
    if (!t->x)
        return;
    if (t->x->forget)
        t->x->forget(t->x->arg);
    fetch_free(t->x);
}

kin_status live_fetch(struct live *live, const uint32_t *numbers, size_t count, bool rows,
                      uint64_t timeout_us,
                      void (*ready)(struct live *live, void *arg, const struct live_fetched *got),
                      void (*forget_arg)(void *arg), void *arg)
{
    struct fetch *x = kin_calloc(1, sizeof *x);
    if (!x)
        return KIN_E_NOMEM;
    *x = (struct fetch){
        .live = live, .ready = ready, .forget = forget_arg, .arg = arg, .rows = rows};
    x->numbers = kin_reallocarray(NULL, count + 1, sizeof *x->numbers);
    x->place = kin_calloc(count + 1, sizeof *x->place);
    x->got.count = count;
    x->got.features = kin_calloc(count + 1, sizeof *x->got.features);
    x->got.rows = kin_calloc(count + 1, sizeof *x->got.rows);
    x->got.section_of = x->section_of = kin_calloc(count + 1, 1);
    struct nothing_task *t =
        live_task_new(live, sizeof *t, nothing_run, nothing_finish, nothing_release);
    if (!x->numbers || !x->place || !x->got.features || !x->got.rows || !x->got.section_of || !t) {
        if (t)
            live_task_drop(&t->task);
        fetch_free(x);
        return KIN_E_NOMEM;
    }
    if (count)
        memcpy(x->numbers, numbers, count * sizeof *numbers);
    deal(x, count);
    struct kin_frame *payloads[KIN_WORKERS_MAX] = {NULL};
    bool failed = false;
    for (unsigned w = 0; w < live->shards.workers; w++) {
        if (x->from[w + 1] == x->from[w])
            continue;
        payloads[w] = kin_frame_new(0);
        for (uint32_t i = x->from[w]; payloads[w] && i < x->from[w + 1]; i++)
            kin_buf_u32(&payloads[w]->payload, x->numbers[x->place[i]]);
        failed = failed || !payloads[w] || payloads[w]->payload.failed;
        x->waiting++;
    }
    if (failed || !x->waiting) {
        for (unsigned w = 0; w < live->shards.workers; w++)
            kin_frame_unref(payloads[w]);
        if (failed) {
            live_task_drop(&t->task);
            fetch_free(x);
            return KIN_E_NOMEM;
        }
        t->x = x;
        live_task_start(&t->task);
        return KIN_OK;
    }
    live_task_drop(&t->task);
    struct kin_message m = {.type = KIN_MSG_LIVE_FETCH};
    m.u.live_fetch.live = live->run;
    m.u.live_fetch.rows = rows;
    unsigned waiting = x->waiting;
    x->waiting = waiting + 1; /* what cannot be asked counts as away, and ends below */
    for (unsigned w = 0; w < live->shards.workers; w++) {
        if (!payloads[w])
            continue;
        if (live_ask(live, w, &m, payloads[w], timeout_us, on_fetched, forget, x) != KIN_OK) {
            x->partial = true;
            x->waiting--;
        }
    }
    if (--x->waiting == 0) { /* none could be asked */
        fetch_free(x);
        return KIN_E_NOMEM;
    }
    return KIN_OK;
}
