#include "coordinator/impl.h"

#include <stdlib.h>
#include <string.h>

/* Of the rows with one (source, id) the one with the latest `updated` stands, else the last in
 * input order; the others are dead before anything is counted. Identities are sorted by hash, and
 * only runs of equal hashes are looked at closely. The same walk over the pages gathers what they
 * know for the report. */

struct dedupe_task {
    struct ctask task;
    uint32_t *dead;
    size_t dead_count, dead_cap;
};

struct claimant { /* one of several rows of one identity */
    uint32_t record, source;
    struct kin_str id;
    int64_t updated;
};

static int by_claim(const void *a, const void *b)
{
    const struct claimant *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    int c = kin_str_cmp(x->id, y->id);
    if (c)
        return c;
    if (x->updated != y->updated)
        return x->updated < y->updated ? -1 : 1;
    return x->record < y->record ? -1 : 1;
}

static kin_status add_dead(struct dedupe_task *t, uint32_t record)
{
    if (t->dead_count == t->dead_cap) {
        size_t cap = t->dead_cap ? 2 * t->dead_cap : 256;
        uint32_t *dead = kin_reallocarray(t->dead, cap, sizeof *dead);
        if (!dead)
            return KIN_E_NOMEM;
        t->dead = dead;
        t->dead_cap = cap;
    }
    t->dead[t->dead_count++] = record;
    return KIN_OK;
}

/* A run of equal hashes: rows of the same identity are told from colliding ones, all but one die.
 */
static kin_status settle_run(struct dedupe_task *t, struct page_view *view,
                             const struct kin_keyed *run, size_t n)
{
    const struct cjob *job = t->task.c->job;
    struct claimant *claims = kin_reallocarray(NULL, n, sizeof *claims);
    if (!claims)
        return KIN_E_NOMEM;
    kin_status status = KIN_OK;
    for (size_t i = 0; i < n && status == KIN_OK; i++) {
        struct claimant *x = &claims[i];
        *x = (struct claimant){.record = run[i].value, .updated = INT64_MIN};
        const struct kin_page *page = page_view_get(view, job_chunk_of(job, x->record));
        if (!page) {
            status = view->status;
            break;
        }
        uint32_t at = x->record - (uint32_t)page->base;
        x->source = page->source;
        x->id = kin_page_id(page, at);
        if (page->updated)
            x->updated = (int64_t)kin_le64(page->updated + 8 * (size_t)at);
    }
    if (status == KIN_OK)
        qsort(claims, n, sizeof *claims, by_claim);
    for (size_t i = 0; i + 1 < n && status == KIN_OK; i++) {
        if (claims[i].source != claims[i + 1].source || !kin_str_eq(claims[i].id, claims[i + 1].id))
            continue; /* the last of its identity stands */
        struct cjob *mutable_job = t->task.c->job;
        mutable_job->report.sources[claims[i].source].superseded++;
        status = add_dead(t, claims[i].record);
    }
    kin_free(claims);
    return status;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Column names of the job, each once, in byte order. */
static kin_status add_columns(struct cjob *job, struct kin_str list, size_t *cap)
{
    struct kin_cursor c = kin_cursor_of(list.p, list.n);
    while (kin_cursor_left(&c)) {
        uint16_t n = kin_cursor_u16(&c);
        struct kin_str name = {(const char *)kin_cursor_take(&c, n), n};
        if (c.bad)
            return KIN_E_CORRUPT;
        size_t low = 0, high = job->column_count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (kin_str_cmp(job->columns[middle], name) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < job->column_count && kin_str_eq(job->columns[low], name))
            continue;
        if (job->column_count == UINT16_MAX) /* what an answer to ROWS can number */
            return KIN_E_LIMIT;
        if (job->column_count == *cap) {
            struct kin_str *columns =
                kin_arena_alloc(&job->arena, (*cap * 2 + 32) * sizeof *columns);
            if (!columns)
                return KIN_E_NOMEM;
            if (job->column_count)
                memcpy(columns, job->columns, job->column_count * sizeof *columns);
            job->columns = columns;
            *cap = *cap * 2 + 32;
        }
        char *copy = kin_arena_strndup(&job->arena, name.p, name.n);
        if (!copy)
            return KIN_E_NOMEM;
        memmove(job->columns + low + 1, job->columns + low,
                (job->column_count - low) * sizeof *job->columns);
        job->columns[low] = (struct kin_str){copy, n};
        job->column_count++;
    }
    return KIN_OK;
}

/* The task has the report and the columns to itself: the loop does not touch them in this phase. */
static kin_status walk_pages(struct dedupe_task *t, struct page_view *view,
                             struct kin_keyed *identities)
{
    struct cjob *job = t->task.c->job;
    struct kin_str last_columns = {NULL, 0};
    size_t cap = 0;
    for (uint64_t chunk = 0; chunk < job->chunk_count; chunk++) {
        const struct kin_page *page = page_view_get(view, chunk);
        if (!page)
            return view->status;
        struct kin_report_source *source = &job->report.sources[page->source];
        source->read += (uint64_t)page->count + page->rejected;
        source->rejected += page->rejected;
        job->report.excess_keys += page->excess_keys;
        for (uint32_t f = 0; f < page->field_count; f++)
            job->report.unparsable[f] += kin_le32(page->unparsable + 4 * (size_t)f);
        if (!kin_str_eq(page->columns, last_columns)) {
            kin_status status = add_columns(job, page->columns, &cap);
            if (status != KIN_OK)
                return status;
            last_columns = page->columns;
        }
        for (uint32_t i = 0; i < page->count; i++) {
            struct kin_str id = kin_page_id(page, i);
            identities[page->base + i] = (struct kin_keyed){
                .key = kin_hash64(id.p, id.n, page->source), .value = (uint32_t)page->base + i};
        }
    }
    return KIN_OK;
}

/* Fields that nothing fills: none of their columns was met in any source. */
static void find_unfilled(struct cjob *job)
{
    const struct kin_workflow *w = job->workflow;
    for (size_t f = 0; f < w->schema.count; f++) {
        bool found = job->records == 0; /* nothing was read: nothing can be said */
        for (size_t s = 0; s < w->source_count && !found; s++) {
            for (size_t k = 0; k < w->sources[s].columns[f].count && !found; k++) {
                struct kin_str name = kin_str_of(w->sources[s].columns[f].names[k]);
                for (size_t i = 0; i < job->column_count && !found; i++)
                    found = kin_str_eq(job->columns[i], name);
            }
        }
        job->report.without_column[f] = !found;
    }
}

static void dedupe_run(struct kin_env *env, struct kin_work *work)
{
    struct dedupe_task *t = (struct dedupe_task *)work;
    const struct cjob *job = t->task.c->job;
    size_t n = job->records;
    struct page_view view;
    kin_status status = page_view_init(&view, env, job);
    struct kin_keyed *identities = kin_reallocarray(NULL, n, sizeof *identities);
    struct kin_keyed *tmp = kin_reallocarray(NULL, n, sizeof *tmp);
    if (status == KIN_OK && (!identities || !tmp))
        status = KIN_E_NOMEM;
    if (status == KIN_OK)
        status = walk_pages(t, &view, identities);
    if (status == KIN_OK)
        find_unfilled(t->task.c->job);
    if (status == KIN_OK && n)
        kin_radix_sort(identities, tmp, n);
    for (size_t i = 0, end; i < n && status == KIN_OK; i = end) {
        for (end = i + 1; end < n && identities[end].key == identities[i].key; end++)
            continue;
        if (end - i > 1)
            status = settle_run(t, &view, identities + i, end - i);
    }
    if (status == KIN_OK && t->dead_count)
        qsort(t->dead, t->dead_count, sizeof *t->dead, by_number);
    t->task.status = status;
    kin_free(identities);
    kin_free(tmp);
    page_view_deinit(&view);
}

static void dedupe_release(struct ctask *task)
{
    kin_free(((struct dedupe_task *)task)->dead);
}

static void dedupe_finish(struct ctask *task)
{
    struct dedupe_task *t = (struct dedupe_task *)task;
    struct kin_coordinator *c = task->c;
    struct cjob *job = c->job;
    if (task->status == KIN_OK) {
        job->dead_bits = kin_calloc(job->records / 8 + 1, 1);
        if (!job->dead_bits)
            task->status = KIN_E_NOMEM;
    }
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "identities cannot be compared: %s",
                 task->status == KIN_E_LIMIT ? "the sources have more than 65,535 different columns"
                                             : kin_status_text(task->status));
        return;
    }
    job->dead = t->dead;
    job->dead_count = t->dead_count;
    t->dead = NULL;
    for (size_t i = 0; i < job->dead_count; i++)
        job->dead_bits[job->dead[i] / 8] |= (uint8_t)(1 << (job->dead[i] % 8));
    links_begin(c);
}

void dedupe_begin(struct kin_coordinator *c)
{
    struct dedupe_task *t = ctask_new(c, sizeof *t, dedupe_run, dedupe_finish, dedupe_release);
    if (!t) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    job_phase(c, KIN_PHASE_DEDUPE);
    ctask_start(&t->task);
}
