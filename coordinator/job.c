#include "coordinator/live.h"

#include <string.h>

/* From the start of a run to its first chunk: the sources are listed, and the store is asked
 * whether it holds this very job (same workflow text, options and files, unchanged) unfinished. If
 * so it is resumed behind its last durable chunk by the workers that had it, else begun anew under
 * a new id, as soon as there are workers enough. */

enum { META_HEAD = 12 };
enum { JOB_OPEN_REST = 16 * 1024 }; /* of a JOB_OPEN, beside the workflow: base_dir, numbers */
static const struct kin_str META_JOB = {"job", 3};
static const struct kin_str META_COMPLETE = {"complete", 8};

struct start_task {
    struct ctask task;
    const struct kin_workflow *workflow;
    struct source_file *files;
    size_t file_count;
    struct kin_buf record;   /* what tells this job from others */
    struct kin_buf owners;   /* of the run that was found: member_record */
    uint64_t found_id;       /* the store holds this job: the id of that run */
    struct kin_buf old_keys; /* pages to be deleted: u8 length, key */
    size_t old_count;
    struct chunk_info *chunks;
    uint64_t chunk_count, records;
    bool complete;
    bool beyond; /* pages behind a gap, left by a commit that failed */
};

/* Two patterns of a source may find the same file: it is read once. */
static bool has_file(const struct source_file *files, size_t count, uint32_t source,
                     const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (files[i].source == source && strcmp(files[i].path, path) == 0)
            return true;
    }
    return false;
}

static kin_status add_files(struct kin_env *env, uint32_t source, const char *pattern,
                            struct source_file **files, size_t *count, struct kin_err *err)
{
    struct kin_source_list list = {0};
    kin_status status = env->ops->source_list(env, pattern, &list, err);
    if (status != KIN_OK)
        return status;
    struct source_file *grown = kin_reallocarray(*files, *count + list.count, sizeof *grown);
    if (!grown) {
        kin_source_list_deinit(&list);
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    *files = grown;
    for (size_t i = 0; i < list.count; i++) {
        if (has_file(grown, *count, source, list.files[i].path))
            continue;
        grown[(*count)++] = (struct source_file){list.files[i].path, source, list.files[i].bytes,
                                                 list.files[i].changed};
        list.files[i].path = NULL; /* moved */
    }
    kin_source_list_deinit(&list);
    return KIN_OK;
}

kin_status source_files_list(struct kin_env *env, const struct kin_workflow *w,
                             struct source_file **files, size_t *count, struct kin_err *err)
{
    for (uint32_t s = 0; s < w->source_count; s++) {
        for (size_t p = 0; p < w->sources[s].path_count; p++) {
            kin_status status = add_files(env, s, w->sources[s].paths[p], files, count, err);
            if (status != KIN_OK)
                return kin_err_wrap(err, status, "source '%s'", w->sources[s].name);
        }
    }
    return KIN_OK;
}

void source_files_free(struct source_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kin_free(files[i].path);
    kin_free(files);
}

static void write_record(struct start_task *t, const struct kin_coordinator *c)
{
    const struct kin_job_options *o = c->job->options;
    struct kin_buf *b = &t->record;
    uint8_t key_print[16]; /* the key itself stays out of the store */
    kin_siphash128(o->match_id_key, META_JOB.p, META_JOB.n, key_print);
    kin_buf_u64(b, t->workflow->hash);
    kin_buf_u64(b, c->job->rec ? jobrec_id(c->job->rec) : c->args->workers);
    kin_buf_u32(b, o->chunk_bytes);
    kin_buf_u32(b, (uint32_t)o->plan_only);
    kin_buf_put(b, key_print, sizeof key_print);
    kin_buf_u32(b, KIN_NORMALISER_VERSION);
    for (size_t i = 0; i < t->file_count; i++) {
        kin_buf_u32(b, t->files[i].source);
        kin_buf_u64(b, t->files[i].bytes);
        kin_buf_u64(b, t->files[i].changed);
        kin_buf_put(b, t->files[i].path, strlen(t->files[i].path) + 1);
    }
}

static kin_status load_pages(struct start_task *t, struct kin_env *env, struct kin_snap *snap)
{
    uint64_t cap = 0;
    for (;; t->chunk_count++) {
        uint8_t key[16];
        struct kin_str value;
        struct kin_page page;
        page_key(t->found_id, t->chunk_count + 1, key);
        kin_status status =
            env->ops->snap_get(snap, DB_PAGES, (struct kin_str){(const char *)key, 16}, &value);
        if (status == KIN_E_NOTFOUND)
            return KIN_OK;
        if (status == KIN_OK && (!kin_page_read(value, &page) || page.base != t->records))
            status = KIN_E_CORRUPT;
        if (status != KIN_OK)
            return status;
        if (t->chunk_count == cap) {
            cap = cap ? 2 * cap : 256;
            struct chunk_info *chunks = kin_reallocarray(t->chunks, cap, sizeof *chunks);
            if (!chunks)
                return KIN_E_NOMEM;
            t->chunks = chunks;
        }
        t->chunks[t->chunk_count] = (struct chunk_info){page.base,   page.file, page.source,
                                                        page.offset, page.hash, page.count};
        t->records += page.count;
    }
}

static kin_status list_old_pages(struct start_task *t, struct kin_env *env, struct kin_snap *snap)
{
    uint8_t from[KIN_STORE_KEY_MAX + 1];
    struct kin_str at = {(const char *)from, 0}, key, value;
    kin_status status;
    while ((status = env->ops->snap_seek(snap, DB_PAGES, at, &key, &value)) == KIN_OK) {
        if (key.n > UINT8_MAX)
            return KIN_E_CORRUPT; /* none of ours */
        uint8_t n = (uint8_t)key.n;
        kin_buf_put(&t->old_keys, &n, 1);
        kin_buf_put(&t->old_keys, key.p, key.n);
        t->old_count++;
        memcpy(from, key.p, key.n);
        from[key.n] = 0;
        at.n = key.n + 1;
    }
    if (status != KIN_E_NOTFOUND)
        return status;
    return t->old_keys.failed ? KIN_E_NOMEM : KIN_OK;
}

/* What META_JOB holds: u64 id of the run, u32 bytes of the owners, these, the record. */
static bool same_job(struct start_task *t, struct kin_str value)
{
    if (t->task.job->renewed || value.n < META_HEAD)
        return false;
    size_t owners = kin_le32(value.p + 8), rest = value.n - META_HEAD;
    if (owners > rest || rest - owners != t->record.n ||
        memcmp(value.p + META_HEAD + owners, t->record.p, t->record.n) != 0)
        return false;
    kin_buf_put(&t->owners, value.p + META_HEAD, owners);
    return !t->owners.failed;
}

static kin_status compare_store(struct start_task *t, struct kin_env *env)
{
    struct kin_snap *snap;
    struct kin_str value;
    kin_status status = env->ops->snap_begin(env, &snap);
    if (status != KIN_OK)
        return status;
    status = env->ops->snap_get(snap, DB_META, META_JOB, &value);
    if (status == KIN_OK && same_job(t, value)) {
        t->found_id = kin_le64(value.p);
        status = load_pages(t, env, snap);
        uint8_t from[16];
        page_key(t->found_id, t->chunk_count + 1, from);
        t->beyond = env->ops->snap_seek(snap, DB_PAGES, (struct kin_str){(const char *)from, 16},
                                        &(struct kin_str){0}, &value) == KIN_OK;
        t->complete = env->ops->snap_get(snap, DB_META, META_COMPLETE, &value) == KIN_OK &&
                      value.n == 8 && kin_le64(value.p) == t->chunk_count;
    } else if (status == KIN_OK || status == KIN_E_NOTFOUND) {
        status = list_old_pages(t, env, snap);
    }
    env->ops->snap_end(env, snap);
    return status;
}

static void start_run(struct kin_env *env, struct kin_work *work)
{
    struct start_task *t = (struct start_task *)work;
    const struct jobrec *rec = t->task.job->rec;
    bool sent = rec && jobrec_is_sent(rec);
    kin_status status =
        sent ? jobrec_files(rec, &t->files, &t->file_count)
             : source_files_list(env, t->workflow, &t->files, &t->file_count, &t->task.err);
    if (status == KIN_OK) {
        write_record(t, t->task.c);
        status = t->record.failed ? KIN_E_NOMEM : compare_store(t, env);
        if (status != KIN_OK)
            kin_err_set(&t->task.err, status, "the coordinator's store: %s",
                        kin_status_text(status));
    }
    t->task.status = status;
}

static void start_release(struct ctask *task)
{
    struct start_task *t = (struct start_task *)task;
    source_files_free(t->files, t->file_count);
    kin_buf_deinit(&t->record);
    kin_buf_deinit(&t->owners);
    kin_buf_deinit(&t->old_keys);
    kin_free(t->chunks);
}

static void store_record(struct kin_coordinator *c);

void job_ready(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    if (!job || !job->listed || job->failed)
        return;
    if (!job->dealt && member_count(c) >= job->least) {
        member_deal(c);
        store_record(c);
    }
    if (!job->dealt || !job->recorded)
        return;
    for (unsigned i = 0; i < job->shards.workers; i++) {
        if (!job->workers[i].peer->joined)
            return; /* the last HELLO goes on from here */
    }
    if (job->phase == KIN_PHASE_JOIN)
        load_begin(c);
    track_advance_all(c);
}

static void record_stored(struct cstore *s, kin_status status)
{
    if (status != KIN_OK) {
        job_fail(s->c, status, "the coordinator's store cannot be written: %s",
                 kin_status_text(status));
        return;
    }
    s->c->job->recorded = true;
    job_ready(s->c);
}

/* A new run: its record, and in the same batch the pages of an earlier one go. */
static void store_record(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    struct cstore *s = cstore_new(c, job->old_count + 2, record_stored);
    struct kin_buf owners = {0};
    member_record(job, c, &owners);
    if (!s || owners.failed ||
        !kin_buf_reserve(&s->memory, META_HEAD + owners.n + job->record.n + job->old_keys.n)) {
        kin_buf_deinit(&owners);
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    kin_buf_u64(&s->memory, job->id);
    kin_buf_u32(&s->memory, (uint32_t)owners.n);
    kin_buf_put(&s->memory, owners.p, owners.n);
    kin_buf_put(&s->memory, job->record.p, job->record.n);
    kin_buf_deinit(&owners);
    s->puts[0] = (struct kin_store_put){
        .db = DB_META, .key = META_JOB, .value = {(const char *)s->memory.p, s->memory.n}};
    s->puts[1] = (struct kin_store_put){.db = DB_META, .key = META_COMPLETE};
    uint8_t *p = s->memory.p + s->memory.n;
    kin_buf_put(&s->memory, job->old_keys.p, job->old_keys.n);
    for (size_t i = 0; i < job->old_count; i++) {
        s->puts[2 + i] = (struct kin_store_put){.db = DB_PAGES, .key = {(const char *)p + 1, p[0]}};
        p += 1 + p[0];
    }
    kin_buf_deinit(&job->old_keys);
    kin_buf_deinit(&job->record);
    cstore_start(s);
}

static void start_finish(struct ctask *task)
{
    struct start_task *t = (struct start_task *)task;
    struct kin_coordinator *c = task->c;
    struct cjob *job = c->job;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "%s", task->err.msg);
        return;
    }
    job->files = t->files;
    job->file_count = t->file_count;
    t->files = NULL;
    t->file_count = 0;
    for (size_t i = 0; i < job->file_count; i++)
        job->bytes_total += job->files[i].bytes;
    job->report.source_bytes = job->bytes_total;
    if (!t->found_id) {
        job->id = c->env->ops->random(c->env) | 1;
        job->record = t->record;
        job->old_keys = t->old_keys;
        job->old_count = t->old_count;
        t->record = t->old_keys = (struct kin_buf){0};
        job->listed = true;
        job_ready(c);
        return;
    }
    if (live_serves_run(c, t->found_id)) {
        /* it was put in place, and only that it is done was not noted any more */
        job->id = t->found_id;
        job->served = true;
        job_phase(c, KIN_PHASE_DONE);
        job_over(c, KIN_OK, "");
        return;
    }
    if (!member_restore(c, (struct kin_str){(const char *)t->owners.p, t->owners.n})) {
        job_fail(c, KIN_E_CORRUPT, "the coordinator's store: the owners of the shards");
        return;
    }
    job->id = t->found_id;
    job->chunks = t->chunks;
    job->chunk_count = job->chunk_cap = t->chunk_count;
    job->records = t->records;
    job->load_complete = t->complete;
    job->overwrite = t->beyond;
    t->chunks = NULL;
    job->listed = job->recorded = true;
    kin_env_log(c->env, 'I', "job_resumed", "job=%016llx chunks=%llu records=%llu",
                (unsigned long long)job->id, (unsigned long long)job->chunk_count,
                (unsigned long long)job->records);
    job_ready(c);
}

void job_start(struct kin_coordinator *c, const struct kin_job_options *o, struct jobrec *rec,
               bool renewed)
{
    struct kin_problems problems = {0};
    struct cjob *job = c->job = kin_calloc(1, sizeof *c->job);
    if (!job) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    job->options = o;
    job->rec = rec;
    job->renewed = renewed;
    job->least = renewed ? 1 : c->args->workers;
    struct start_task *t = ctask_new(c, sizeof *t, start_run, start_finish, start_release);
    kin_status status = t ? KIN_OK : KIN_E_NOMEM;
    if (o->workflow.n > KIN_MESSAGE_BYTES_MAX - JOB_OPEN_REST)
        status = KIN_E_LIMIT; /* workers are sent the text in one message */
    if (status == KIN_OK)
        status = kin_workflow_parse(o->workflow, o->base_dir, &job->workflow, &problems);
    kin_problems_deinit(&problems);
    if (status == KIN_OK)
        status = report_init(job);
    if (status != KIN_OK) {
        job_fail(c, status, "the workflow cannot be opened: %s", kin_status_text(status));
        return;
    }
    job->started_us = job->phase_started_us = c->env->ops->now_us(c->env);
    t->workflow = job->workflow;
    ctask_start(&t->task);
}
