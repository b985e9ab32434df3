#include "coordinator/links_find.h"
#include "coordinator/live.h"

#include <stdio.h>
#include <string.h>

/* Links of people: their files are read once the identities are settled, so that what is wrong in
 * them is said before anything is compared. Workers know nothing of links: must links are joined in
 * the union-find before the forests are, never links are sent along with the component they run
 * through. */

enum { LINK_RECORD_BYTES = 64 * 1024, LINK_FIELD_BYTES = 16 * 1024, LINK_CHUNK_BYTES = 1 << 18 };

struct links_task {
    struct ctask task;
    struct kin_links_found found;
    struct kin_buf errors; /* rows of errors.csv */
    char text[600];        /* of what is wrong with a file */
};

struct raw_file {
    struct kin_env *env;
    struct kin_source_handle *handle;
};

static kin_status read_raw(void *arg, uint8_t *to, size_t cap, size_t *got, struct kin_err *err)
{
    struct raw_file *f = arg;
    return f->env->ops->source_read(f->handle, to, cap, got, err);
}

static kin_status read_rows(struct links_task *t, const char *path, struct kin_cutter *cutter,
                            struct kin_rows *rows)
{
    kin_status status = KIN_OK;
    while (status == KIN_OK) {
        struct kin_chunk chunk = {0};
        struct kin_row row;
        status = kin_cutter_next(cutter, &chunk, &t->task.err);
        if (status == KIN_E_EOF)
            return KIN_OK;
        if (status != KIN_OK) {
            kin_err_wrap(&t->task.err, status, "%s", path);
            break;
        }
        kin_rows_begin(rows, kin_cutter_header(cutter), &chunk);
        while (status == KIN_OK && kin_rows_next(rows, &row))
            status = kin_links_take_row(&t->found, path, rows, &row, t->text, sizeof t->text);
        if (status == KIN_OK && kin_rows_failed(rows))
            status = KIN_E_NOMEM;
        kin_chunk_deinit(&chunk);
    }
    return status;
}

static kin_status read_file(struct links_task *t, struct kin_env *env, const char *path)
{
    struct raw_file raw = {.env = env};
    struct kin_byte_source source = {read_raw, &raw};
    struct kin_inflate *inflate = NULL;
    struct kin_cutter *cutter = NULL;
    struct kin_err *err = &t->task.err;
    struct kin_reader_options options = {.format = kin_format_of(path),
                                         .chunk_bytes = LINK_CHUNK_BYTES,
                                         .max_record_bytes = LINK_RECORD_BYTES,
                                         .max_field_bytes = LINK_FIELD_BYTES};
    struct kin_rows *rows = kin_rows_new(&options);
    kin_status status = rows ? env->ops->source_open(env, path, &raw.handle, err) : KIN_E_NOMEM;
    if (status == KIN_OK)
        status = kin_inflate_open(kin_compression_of(path), source, &inflate, err);
    if (status == KIN_OK) {
        status = kin_cutter_open(&options, kin_inflate_source(inflate), &cutter, err);
        if (status != KIN_OK)
            kin_err_wrap(err, status, "%s", path);
    }
    if (status == KIN_OK)
        status = read_rows(t, path, cutter, rows);
    if (rows)
        kin_rows_free(rows);
    if (cutter)
        kin_cutter_close(cutter);
    if (inflate)
        kin_inflate_close(inflate);
    if (raw.handle)
        env->ops->source_close(raw.handle);
    return status;
}

static kin_status read_files(struct links_task *t, struct kin_env *env)
{
    const struct kin_workflow *w = t->task.job->workflow;
    kin_status status = KIN_OK;
    for (size_t p = 0; p < w->link_file_count && status == KIN_OK; p++) {
        struct kin_source_list list = {0};
        status = env->ops->source_list(env, w->link_files[p], &list, &t->task.err);
        for (size_t i = 0; i < list.count && status == KIN_OK; i++) {
            const char *path = kin_links_new_file(&t->found, list.files[i].path, &status);
            if (path)
                status = read_file(t, env, path);
        }
        kin_source_list_deinit(&list);
    }
    return status;
}

/* Which records are meant: every living one is looked up among the names in the links. */
static kin_status find_records(struct links_task *t, struct page_view *view)
{
    const struct cjob *job = t->task.job;
    for (uint64_t chunk = 0; chunk < job->chunk_count && t->found.name_count; chunk++) {
        const struct kin_page *page = page_view_get(view, chunk);
        if (!page)
            return view->status;
        for (uint32_t i = 0; i < page->count; i++) {
            uint32_t record = (uint32_t)page->base + i;
            if (!job_is_dead(job, record))
                kin_links_meet(&t->found, page->source, kin_page_id(page, i), record);
        }
    }
    return KIN_OK;
}

static void links_run(struct kin_env *env, struct kin_work *work)
{
    struct links_task *t = (struct links_task *)work;
    struct page_view view;
    kin_status status = page_view_init(&view, env, t->task.job);
    if (status == KIN_OK)
        status = read_files(t, env);
    if (status == KIN_OK)
        status = kin_links_index(&t->found);
    if (status == KIN_OK)
        status = find_records(t, &view);
    if (status == KIN_OK)
        status = kin_links_settle(&t->found, &t->errors, t->text, sizeof t->text);
    if (status == KIN_OK && t->errors.failed)
        status = KIN_E_NOMEM;
    t->task.status = status;
    page_view_deinit(&view);
}

static void links_release(struct ctask *task)
{
    struct links_task *t = (struct links_task *)task;
    kin_links_found_deinit(&t->found);
    kin_buf_deinit(&t->errors);
}

static void go_on(struct kin_coordinator *c)
{
    job_phase(c, KIN_PHASE_SETTLE);
    track_advance_all(c);
}

static void links_finish(struct ctask *task)
{
    struct links_task *t = (struct links_task *)task;
    struct cjob *job = task->job;
    if (task->status != KIN_OK) {
        const char *why = t->text[0] ? t->text : task->err.msg;
        job_fail(task->c, task->status, "links: %s", why[0] ? why : kin_status_text(task->status));
        return;
    }
    struct kin_report *report = &job->report;
    report->links = true;
    report->links_read = t->found.link_count;
    report->links_must = t->found.must_rows;
    report->links_never = t->found.never_rows;
    report->links_unknown = t->found.unknown;
    job->link_errors = t->errors;
    t->errors = (struct kin_buf){0};
    job->must = t->found.must;
    job->must_count = t->found.must_count;
    job->never = t->found.never;
    job->never_count = t->found.never_count;
    t->found.must = t->found.never = NULL;
    job->linked_bits = job->must_count ? kin_calloc(job->records / 8 + 1, 1) : NULL;
    if (job->must_count && !job->linked_bits) {
        job_fail(task->c, KIN_E_NOMEM, "out of memory");
        return;
    }
    for (size_t i = 0; i < job->must_count; i++) {
        job->linked_bits[job->must[i].a / 8] |= (uint8_t)(1 << (job->must[i].a % 8));
        job->linked_bits[job->must[i].b / 8] |= (uint8_t)(1 << (job->must[i].b % 8));
    }
    go_on(task->c);
}

static kin_status add_told(struct links_task *t, const struct live *live)
{
    kin_status status = KIN_OK;
    for (const struct live_link *link = live->links; link && status == KIN_OK; link = link->next) {
        char *names[2] = {NULL, NULL};
        if (link->of_file)
            continue; /* the files of now say it, or they do not */
        for (unsigned k = 0; k < 2; k++)
            names[k] = kin_arena_printf(&t->found.arena, "%s/%s",
                                        live->workflow->sources[link->source[k]].name, link->id[k]);
        if (!names[0] || !names[1])
            return KIN_E_NOMEM;
        status = kin_links_add(&t->found, kin_str_of(names[0]), kin_str_of(names[1]),
                               link->kind == KIN_LINK_NEVER);
    }
    return status;
}

void links_begin(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    /* a workflow that is served in place of another has the links that people told to that one */
    struct live *live = job_serves(job) ? live_find(c, kin_str_of(job->workflow->name)) : NULL;
    job->links_wait = job_serves(job) && !live && live_missing(c) == KIN_E_BUSY;
    if (job->links_wait)
        return; /* the tick comes again */
    if (live)
        live->links_frozen = true;
    if (job->workflow->link_file_count == 0 && (!live || !live->link_count)) {
        go_on(c);
        return;
    }
    struct links_task *t = ctask_new(c, sizeof *t, links_run, links_finish, links_release);
    kin_status status = t ? KIN_OK : KIN_E_NOMEM;
    if (status == KIN_OK)
        t->found.workflow = job->workflow;
    if (status == KIN_OK && live)
        status = add_told(t, live);
    if (status == KIN_OK) {
        ctask_start(&t->task);
        return;
    }
    if (t)
        ctask_drop(&t->task);
    job_fail(c, status, "out of memory");
}

void links_join(struct cjob *job)
{
    for (size_t i = 0; i < job->must_count; i++)
        kin_union_find_join(&job->sets, job->must[i].a, job->must[i].b);
}

/* Both are by pair, each once. */
kin_status links_add_edges(struct cjob *job)
{
    const struct kin_keyed *old = (const struct kin_keyed *)(const void *)job->edges.p;
    size_t n = job->edges.n / sizeof *old, at = 0;
    struct kin_buf all = {0};
    if (job->must_count == 0)
        return KIN_OK;
    for (size_t i = 0; i < job->must_count; i++) {
        uint64_t key = (uint64_t)job->must[i].a << 32 | job->must[i].b;
        struct kin_keyed e = {.key = key, .value = EDGE_MUST};
        size_t from = at;
        while (at < n && old[at].key < key)
            at++;
        if (at > from)
            kin_buf_put(&all, old + from, (at - from) * sizeof *old);
        at += at < n && old[at].key == key; /* the link says more */
        kin_buf_put(&all, &e, sizeof e);
    }
    if (at < n)
        kin_buf_put(&all, old + at, (n - at) * sizeof *old);
    if (all.failed) {
        kin_buf_deinit(&all);
        return KIN_E_NOMEM;
    }
    kin_buf_deinit(&job->edges);
    job->edges = all;
    return KIN_OK;
}

void links_free(struct cjob *job)
{
    kin_free(job->must);
    kin_free(job->never);
    kin_free(job->linked_bits);
    kin_buf_deinit(&job->link_errors);
}
