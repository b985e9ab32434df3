#include "coordinator/impl.h"

#include <string.h>

/* Results that wait for their client, handed out piece by piece. Sources are read in order only, so
 * a few files are kept open where the last piece ended: the next one asked for goes on there. */

enum { READERS = 8, PATH_BYTES = 4200 };

struct reader {
    uint64_t id;
    uint32_t file;
    uint64_t offset; /* of the next byte */
    struct kin_source_handle *handle;
    bool busy;    /* a task has it */
    bool closing; /* one that removes the job's results */
    uint64_t used_us;
};
struct results {
    struct reader readers[READERS];
};

struct fetch_task {
    struct ctask task;
    struct reader *reader; /* ours while the task runs */
    kin_node_id from;
    uint64_t request, id, offset, bytes;
    uint32_t file, files;
    char dir[PATH_BYTES], name[256];
    struct kin_buf out;
};

static void reader_close(struct kin_env *env, struct reader *r)
{
    if (r->handle)
        env->ops->source_close(r->handle);
    r->handle = NULL;
}

static kin_status skip_to(struct fetch_task *t, struct kin_env *env)
{
    struct reader *r = t->reader;
    uint8_t block[64 * 1024];
    while (r->offset < t->offset) {
        size_t want = t->offset - r->offset < sizeof block ? (size_t)(t->offset - r->offset)
                                                           : sizeof block,
               got;
        kin_status status = env->ops->source_read(r->handle, block, want, &got, &t->task.err);
        if (status != KIN_OK)
            return status;
        if (got == 0)
            return kin_err_set(&t->task.err, KIN_E_EOF, "the file ends before");
        r->offset += got;
    }
    return KIN_OK;
}

static kin_status read_piece(struct fetch_task *t, struct kin_env *env)
{
    struct reader *r = t->reader;
    uint8_t *to = kin_buf_extend(&t->out, KIN_UPLOAD_BYTES);
    size_t n = 0;
    if (!to)
        return kin_err_set(&t->task.err, KIN_E_NOMEM, "out of memory");
    while (n < KIN_UPLOAD_BYTES) {
        size_t got;
        kin_status status =
            env->ops->source_read(r->handle, to + n, KIN_UPLOAD_BYTES - n, &got, &t->task.err);
        if (status != KIN_OK)
            return status;
        if (got == 0)
            break;
        n += got;
    }
    t->out.n = n;
    r->offset += n;
    return KIN_OK;
}

static void fetch_run(struct kin_env *env, struct kin_work *work)
{
    struct fetch_task *t = (struct fetch_task *)work;
    struct reader *r = t->reader;
    struct kin_source_list list = {0};
    char pattern[PATH_BYTES + 2];
    memcpy(pattern, t->dir, strlen(t->dir));
    memcpy(pattern + strlen(t->dir), "/*", 3);
    kin_status status = env->ops->source_list(env, pattern, &list, &t->task.err);
    t->files = (uint32_t)list.count;
    if (status == KIN_OK && t->file < list.count) {
        const char *path = list.files[t->file].path;
        const char *name = strrchr(path, '/');
        size_t n = strlen(name ? name + 1 : path);
        n = n < sizeof t->name ? n : sizeof t->name - 1;
        memcpy(t->name, name ? name + 1 : path, n);
        t->bytes = list.files[t->file].bytes;
        if (r->handle && (r->id != t->id || r->file != t->file || r->offset != t->offset))
            reader_close(env, r);
        if (!r->handle) {
            *r = (struct reader){.id = t->id, .file = t->file, .busy = true};
            status = env->ops->source_open(env, path, &r->handle, &t->task.err);
        }
        if (status == KIN_OK)
            status = skip_to(t, env);
        if (status == KIN_OK)
            status = read_piece(t, env);
        if (status != KIN_OK || r->offset >= t->bytes)
            reader_close(env, r);
    }
    kin_source_list_deinit(&list);
    t->task.status = status;
}

static void fetch_finish(struct ctask *task)
{
    struct fetch_task *t = (struct fetch_task *)task;
    struct kin_coordinator *c = task->c;
    struct kin_message m = {.type = KIN_MSG_FETCHED};
    t->reader->busy = false;
    t->reader->used_us = c->env->ops->now_us(c->env);
    m.u.fetched.job = t->id;
    m.u.fetched.file = t->file;
    m.u.fetched.files = t->files;
    m.u.fetched.name = kin_str_of(t->name);
    m.u.fetched.offset = t->offset;
    m.u.fetched.bytes = t->bytes;
    m.u.fetched.status = task->status;
    m.u.fetched.text = kin_str_of(task->status == KIN_OK ? "" : task->err.msg);
    coordinator_reply(c, t->from, &m, t->request, task->status == KIN_OK ? &t->out : NULL);
    struct jobrec *rec = task->status == KIN_E_NOTFOUND ? queue_find(c, t->id) : NULL;
    if (rec) /* removed, and then this node went down before it could note that */
        queue_drop(c, rec);
}

static void fetch_release(struct ctask *task)
{
    kin_buf_deinit(&((struct fetch_task *)task)->out);
}

/* The one that stands at the piece, else one that is free, else the one unused for longest. */
static struct reader *choose(struct results *f, uint64_t id, uint32_t file, uint64_t offset)
{
    struct reader *best = NULL;
    for (size_t i = 0; i < READERS; i++) {
        struct reader *r = &f->readers[i];
        if (r->busy) {
            if (r->id == id && r->file == file)
                return NULL; /* the same request, most likely: it comes again if not */
            continue;
        }
        if (r->handle && r->id == id && r->file == file && r->offset == offset)
            return r;
        if (!best || (best->handle && (!r->handle || r->used_us < best->used_us)))
            best = r;
    }
    return best;
}

void results_on_fetch(struct kin_coordinator *c, kin_node_id from, const struct jobrec *rec,
                      const struct kin_message *m)
{
    struct queue *q = c->queue;
    if (!q->results)
        q->results = kin_calloc(1, sizeof *q->results);
    if (!q->results || strlen(rec->out_dir) >= PATH_BYTES)
        return;
    struct reader *r = choose(q->results, rec->id, m->u.fetch.file, m->u.fetch.offset);
    struct fetch_task *t =
        r ? ctask_new(c, sizeof *t, fetch_run, fetch_finish, fetch_release) : NULL;
    if (!t)
        return; /* it asks again */
    t->task.job = NULL;
    t->reader = r;
    t->from = from;
    t->request = m->request;
    t->id = rec->id;
    t->file = m->u.fetch.file;
    t->offset = m->u.fetch.offset;
    memcpy(t->dir, rec->out_dir, strlen(rec->out_dir) + 1);
    if (!r->handle || r->id != t->id || r->file != t->file) {
        r->id = t->id; /* so that a repeated request finds it busy */
        r->file = t->file;
        r->offset = UINT64_MAX; /* of another file: the task opens it anew */
    }
    r->busy = true;
    ctask_start(&t->task);
}

void results_free(struct kin_coordinator *c)
{
    struct results *f = c->queue->results;
    if (!f)
        return;
    for (size_t i = 0; i < READERS; i++)
        reader_close(c->env, &f->readers[i]);
    kin_free(f);
    c->queue->results = NULL;
}

/* ---- removing ---- */

struct forget_task {
    struct ctask task;
    uint64_t id;
    struct results *results; /* idle readers of the job are ours while the task runs */
    char dir[PATH_BYTES];
};

static void forget_run(struct kin_env *env, struct kin_work *work)
{
    struct forget_task *t = (struct forget_task *)work;
    for (size_t i = 0; t->results && i < READERS; i++) {
        struct reader *r = &t->results->readers[i];
        if (r->closing && r->id == t->id)
            reader_close(env, r);
    }
    t->task.status = env->ops->out_remove(env, t->dir, &t->task.err);
}

static void forget_finish(struct ctask *task)
{
    struct forget_task *t = (struct forget_task *)task;
    struct kin_coordinator *c = task->c;
    struct jobrec *rec = queue_find(c, t->id);
    for (size_t i = 0; t->results && i < READERS; i++) {
        struct reader *r = &t->results->readers[i];
        if (r->closing && r->id == t->id)
            r->busy = r->closing = false;
    }
    if (!rec)
        return;
    rec->dropping = false;
    if (task->status == KIN_OK)
        queue_drop(c, rec);
    else
        kin_env_log(c->env, 'E', "results_not_removed", "job=%016llx reason=\"%s\"",
                    (unsigned long long)t->id, task->err.msg);
}

void results_forget(struct kin_coordinator *c, uint64_t id)
{
    struct jobrec *rec = queue_find(c, id);
    if (!rec || rec->dropping || strlen(rec->out_dir) >= PATH_BYTES)
        return;
    struct forget_task *t = ctask_new(c, sizeof *t, forget_run, forget_finish, NULL);
    if (!t)
        return;
    t->task.job = NULL;
    t->id = id;
    t->results = c->queue->results;
    for (size_t i = 0; t->results && i < READERS; i++) {
        struct reader *r = &t->results->readers[i];
        if (r->id == id && !r->busy)
            r->busy = r->closing = true;
    }
    memcpy(t->dir, rec->out_dir, strlen(rec->out_dir) + 1);
    rec->dropping = true;
    ctask_start(&t->task);
}
