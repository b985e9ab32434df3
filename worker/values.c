#include "worker/impl.h"

#include "common/match/compare_tokens.h"

#include <string.h>

/* How often values, and the tokens of texts, occur among the records at home here: for term
 * frequencies, and for how often two records agree by chance. Tasks walk ranges of the records and
 * note hashes of values; then one task for each comparison sorts and adds up what they noted. */

enum {
    RECENT = 1024,          /* a power of two */
    SQUEEZE_BYTES = 1 << 24 /* of notes, before equal ones are first put together */
};

/* Counts in front of the notes: common values go in there again and again and are noted once. */
struct recent {
    struct kin_keyed slots[RECENT]; /* hash, count; 0: free */
};

struct values_task {
    struct worker_task task;
    uint32_t mask; /* of lists: values of comparisons, then their tokens */
    uint32_t first, end;
    struct recent *recent[VALUE_LISTS];
    struct kin_buf notes[VALUE_LISTS]; /* kin_keyed: hash, count */
    uint64_t total[VALUE_LISTS];       /* records with any */
    size_t squeezed[VALUE_LISTS];      /* bytes of notes after the last time */
    struct kin_buf terms;              /* u64, of one record */
};

static void note(struct recent *r, struct kin_buf *notes, uint64_t hash)
{
    struct kin_keyed *slot = &r->slots[hash % RECENT];
    if (slot->key == hash && slot->value) {
        slot->value++;
        return;
    }
    if (slot->value)
        kin_buf_put(notes, slot, sizeof *slot);
    *slot = (struct kin_keyed){.key = hash, .value = 1};
}

/* Equal hashes to one note each, ascending. */
static kin_status squeeze(struct kin_buf *notes)
{
    struct kin_keyed *k = (struct kin_keyed *)(void *)notes->p;
    size_t n = notes->n / sizeof *k, kept = 0;
    struct kin_keyed *tmp = notes->failed ? NULL : kin_reallocarray(NULL, n, sizeof *tmp);
    if (!tmp)
        return KIN_E_NOMEM;
    if (n)
        kin_radix_sort(k, tmp, n);
    kin_free(tmp);
    for (size_t i = 0; i < n; i++) {
        if (kept && k[kept - 1].key == k[i].key)
            k[kept - 1].value += k[i].value;
        else
            k[kept++] = k[i];
    }
    notes->n = kept * sizeof *k;
    return KIN_OK;
}

static kin_status note_record(struct values_task *t, const uint8_t *rec)
{
    const struct kin_comparer *comparer = t->task.job->comparer;
    for (uint32_t left = t->mask; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        uint64_t values[KIN_COMPARISON_TERMS_MAX];
        const uint64_t *terms = values;
        size_t n = 0;
        if (i < KIN_COMPARISONS_MAX) {
            n = kin_comparer_terms(comparer, i, rec, values);
        } else {
            kin_buf_clear(&t->terms);
            kin_comparer_tokens(comparer, i - KIN_COMPARISONS_MAX, rec, &t->terms);
            if (t->terms.failed)
                return KIN_E_NOMEM;
            terms = (const uint64_t *)(const void *)t->terms.p;
            n = t->terms.n / sizeof *terms;
        }
        t->total[i] += n > 0;
        for (size_t k = 0; k < n; k++)
            note(t->recent[i], &t->notes[i], terms[k]);
        if (t->notes[i].n > 2 * t->squeezed[i] + SQUEEZE_BYTES) {
            kin_status status = squeeze(&t->notes[i]);
            if (status != KIN_OK)
                return status;
            t->squeezed[i] = t->notes[i].n;
        }
    }
    return KIN_OK;
}

static kin_status note_range(struct values_task *t, struct store_view *view, const uint64_t *seeds)
{
    const struct worker_job *job = t->task.job;
    for (uint32_t l = t->first; l < t->end; l++) {
        if (worker_is_dead(job, job->records.items[l].number))
            continue;
        const uint8_t *rec = store_view_at(view, job->records.items[l]);
        if (!rec)
            return view->status;
        if (kin_features_source(rec) >= job->workflow->source_count)
            return KIN_E_CORRUPT;
        if (job->shards.workers == 1 ||
            kin_home_worker(&job->shards, seeds[kin_features_source(rec)], kin_features_id(rec)) ==
                job->index) {
            kin_status status = note_record(t, rec);
            if (status != KIN_OK)
                return status;
        }
    }
    return KIN_OK;
}

static void values_run(struct kin_env *env, struct kin_work *work)
{
    struct values_task *t = (struct values_task *)work;
    const struct worker_job *job = t->task.job;
    const struct kin_workflow *w = job->workflow;
    struct kin_arena arena = {0};
    struct store_view view;
    uint64_t *seeds = kin_arena_calloc(&arena, w->source_count, sizeof *seeds);
    kin_status status = store_view_init(&view, env, DB_FEATURES, job);
    if (status == KIN_OK && !seeds)
        status = KIN_E_NOMEM;
    for (size_t s = 0; seeds && s < w->source_count; s++)
        seeds[s] = kin_hash64(w->sources[s].name, strlen(w->sources[s].name), 0);
    for (uint32_t left = t->mask; left && status == KIN_OK; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        t->recent[i] = kin_arena_calloc(&arena, 1, sizeof *t->recent[i]);
        status = t->recent[i] ? KIN_OK : KIN_E_NOMEM;
    }
    if (status == KIN_OK)
        status = note_range(t, &view, seeds);
    for (uint32_t left = t->mask; left && status == KIN_OK; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        for (size_t k = 0; k < RECENT; k++) {
            if (t->recent[i]->slots[k].value)
                kin_buf_put(&t->notes[i], &t->recent[i]->slots[k], sizeof t->recent[i]->slots[k]);
        }
        status = t->notes[i].failed ? KIN_E_NOMEM : KIN_OK;
    }
    store_view_deinit(&view);
    kin_buf_deinit(&t->terms);
    kin_arena_deinit(&arena);
    t->task.status = status;
}

static void values_release(struct worker_task *task)
{
    struct values_task *t = (struct values_task *)task;
    for (unsigned i = 0; i < VALUE_LISTS; i++)
        kin_buf_deinit(&t->notes[i]);
}

/* ---- adding up ---- */

struct sum_task {
    struct worker_task task;
    unsigned list;
    struct kin_buf values; /* u64 hash, u64 records */
};

/* Values that no other worker can have are of interest only if there are two of them. */
static void sum_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct sum_task *t = (struct sum_task *)work;
    struct kin_buf *notes = &t->task.job->value_notes[t->list];
    uint64_t least = t->task.job->shards.workers == 1 ? 2 : 1;
    t->task.status = squeeze(notes);
    const struct kin_keyed *k = (const struct kin_keyed *)(const void *)notes->p;
    for (size_t i = 0; t->task.status == KIN_OK && i < notes->n / sizeof *k; i++) {
        if (k[i].value < least)
            continue;
        kin_buf_u64(&t->values, k[i].key);
        kin_buf_u64(&t->values, k[i].value);
    }
    kin_buf_deinit(notes);
    if (t->values.failed)
        t->task.status = KIN_E_NOMEM;
}

static void sum_release(struct worker_task *task)
{
    kin_buf_deinit(&((struct sum_task *)task)->values);
}

static void sum_finish(struct worker_task *task)
{
    struct sum_task *t = (struct sum_task *)task;
    kin_buf_deinit(&task->job->value_lists[t->list]);
    task->job->value_lists[t->list] = t->values;
    t->values = (struct kin_buf){0};
    worker_count_done(task->job, task->status);
}

static kin_status sum_start(struct worker_job *job, unsigned list)
{
    struct sum_task *t = worker_task_new(job, sizeof *t, sum_run, sum_finish, sum_release);
    if (!t)
        return KIN_E_NOMEM;
    t->list = list;
    job->count_left++;
    worker_task_start(&t->task);
    return KIN_OK;
}

static void values_finish(struct worker_task *task)
{
    struct values_task *t = (struct values_task *)task;
    struct worker_job *job = task->job;
    kin_status status = task->status;
    for (unsigned i = 0; i < VALUE_LISTS; i++) {
        struct kin_buf *all = &job->value_notes[i];
        job->value_totals[i] += t->total[i];
        if (all->n) {
            kin_buf_put(all, t->notes[i].p, t->notes[i].n);
            status = all->failed ? KIN_E_NOMEM : status;
        } else {
            kin_buf_deinit(all);
            *all = t->notes[i];
            t->notes[i] = (struct kin_buf){0};
        }
    }
    bool last = --job->value_ranges_left == 0;
    for (uint32_t left = last && status == KIN_OK ? t->mask : 0; left && status == KIN_OK;
         left &= left - 1)
        status = sum_start(job, (unsigned)__builtin_ctz(left));
    worker_count_done(job, status);
}

kin_status worker_values_start(struct worker_job *job, uint32_t counted)
{
    uint32_t ranges = job->worker->env->ops->threads(job->worker->env);
    uint32_t all = ((uint32_t)1 << job->workflow->model->comparison_count) - 1;
    uint32_t mask = (counted & all) | (counted >> KIN_COUNT_TOKENS_BIT & all)
                                          << KIN_COMPARISONS_MAX;
    if (!mask)
        return KIN_OK;
    for (uint32_t r = 0; r < ranges; r++) {
        struct values_task *t =
            worker_task_new(job, sizeof *t, values_run, values_finish, values_release);
        if (!t)
            return KIN_E_NOMEM;
        t->mask = mask;
        t->first = (uint32_t)((uint64_t)job->records.count * r / ranges);
        t->end = (uint32_t)((uint64_t)job->records.count * (r + 1) / ranges);
        job->count_left++;
        job->value_ranges_left++;
        worker_task_start(&t->task);
    }
    return KIN_OK;
}

void worker_values_clear(struct worker_job *job)
{
    job->value_ranges_left = 0;
    for (unsigned i = 0; i < VALUE_LISTS; i++) {
        kin_buf_deinit(&job->value_notes[i]);
        kin_buf_deinit(&job->value_lists[i]);
        job->value_totals[i] = 0;
    }
}
