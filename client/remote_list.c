#include "client/remote_impl.h"
#include "common/base/hash.h"

#include <string.h>

/* Which files the job reads, in the order in which an embedded run would read them, and the token
 * by which the coordinator knows the job again. */

enum { LIST_BYTES_MAX = 32 << 20 }; /* of SUBMIT's payload */

/* Two patterns of a source may find the same file: it is taken once. first: of the source; listed:
 * where the present pattern's files begin, which has no repeats. */
static bool has_file(const struct lister *l, size_t first, size_t listed, const char *path)
{
    for (size_t i = first; i < listed; i++) {
        if (strcmp(l->files[i].path, path) == 0)
            return true;
    }
    return false;
}

static kin_status add_files(struct lister *l, struct kin_env *env, uint32_t source, size_t first,
                            const char *pattern)
{
    struct kin_source_list list = {0};
    kin_status status = env->ops->source_list(env, pattern, &list, &l->err);
    if (status != KIN_OK)
        return status;
    struct remote_file *files = kin_reallocarray(l->files, l->count + list.count, sizeof *files);
    if (!files) {
        kin_source_list_deinit(&list);
        return kin_err_set(&l->err, KIN_E_NOMEM, "out of memory");
    }
    l->files = files;
    size_t listed = l->count;
    for (size_t i = 0; i < list.count; i++) {
        struct kin_source_file *f = &list.files[i];
        if (has_file(l, first, listed, f->path))
            continue;
        files[l->count++] = (struct remote_file){f->path, f->bytes, f->changed, source};
        f->path = NULL; /* moved */
    }
    kin_source_list_deinit(&list);
    return KIN_OK;
}

static kin_status add_sources(struct lister *l, struct kin_env *env, const struct kin_workflow *w)
{
    kin_status status = KIN_OK;
    for (uint32_t s = 0; s < w->source_count && status == KIN_OK; s++) {
        size_t first = l->count;
        for (size_t p = 0; p < w->sources[s].path_count && status == KIN_OK; p++)
            status = add_files(l, env, s, first, w->sources[s].paths[p]);
        if (status != KIN_OK)
            kin_err_wrap(&l->err, status, "source '%s'", w->sources[s].name);
    }
    return status;
}

static kin_status write_payload(struct lister *l)
{
    struct kin_frame *f = l->payload = kin_frame_new(0);
    if (!f)
        return kin_err_set(&l->err, KIN_E_NOMEM, "out of memory");
    for (size_t i = 0; i < l->count; i++) {
        size_t n = strlen(l->files[i].path);
        if (n > UINT16_MAX || f->payload.n > LIST_BYTES_MAX)
            return kin_err_set(&l->err, KIN_E_LIMIT,
                               "%zu source files are too many, or the path "
                               "of one is too long",
                               l->count);
        kin_buf_u32(&f->payload, l->files[i].source);
        kin_buf_u64(&f->payload, l->files[i].bytes);
        kin_buf_u64(&f->payload, l->files[i].changed);
        kin_buf_u16(&f->payload, (uint16_t)n);
        kin_buf_put(&f->payload, l->files[i].path, n);
    }
    return f->payload.failed ? kin_err_set(&l->err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}

/* Texts end with a zero byte, so that two of them do not read as two others. */
static uint64_t text_hash(const char *text, uint64_t seed)
{
    return text ? kin_hash64(text, strlen(text) + 1, seed) : seed;
}

static uint64_t token_of(const struct kin_remote_job *job, const struct lister *l)
{
    uint8_t options[2] = {(uint8_t)(job->pairs | job->serve << 1 | job->replace << 2),
                          (uint8_t)job->at_coordinator};
    uint64_t token = kin_hash64(job->workflow.p, job->workflow.n, 0);
    token = kin_hash64(options, sizeof options, token);
    token = text_hash(job->base_dir, token);
    token = text_hash(job->identity ? job->identity : job->out_dir, token);
    token = kin_hash64(l->payload->payload.p, l->payload->payload.n, token);
    return token ? token : 1;
}

static kin_status parse(const struct kin_remote_job *job, struct kin_workflow **out,
                        struct kin_err *err)
{
    struct kin_problems problems = {0};
    kin_status status =
        kin_workflow_parse(job->workflow, job->base_dir ? job->base_dir : "", out, &problems);
    if (status == KIN_E_WORKFLOW && problems.count)
        kin_err_set(err, status, "the workflow, line %u: %s: %s", problems.items[0].line,
                    problems.items[0].key, problems.items[0].text);
    else if (status != KIN_OK)
        kin_err_set(err, status, "the workflow: %s", kin_status_text(status));
    kin_problems_deinit(&problems);
    return status;
}

static void list_run(struct kin_env *env, struct kin_work *work)
{
    struct kin_remote *r =
        (struct kin_remote *)(void *)((char *)work - offsetof(struct kin_remote, list.work));
    struct lister *l = &r->list;
    struct kin_workflow *workflow = NULL;
    l->status = parse(r->job, &workflow, &l->err);
    if (l->status == KIN_OK && !r->job->at_coordinator)
        l->status = add_sources(l, env, workflow);
    if (l->status == KIN_OK)
        l->status = write_payload(l);
    if (l->status == KIN_OK)
        l->token = token_of(r->job, l);
    kin_workflow_free(workflow);
}

static void list_finish(struct kin_work *work)
{
    struct kin_remote *r =
        (struct kin_remote *)(void *)((char *)work - offsetof(struct kin_remote, list.work));
    if (r->step != STEP_LIST)
        return;
    if (r->list.status != KIN_OK) {
        remote_fail(r, r->list.status, "%s", r->list.err.msg);
        return;
    }
    r->send.total = 0;
    for (size_t i = 0; i < r->list.count; i++)
        r->send.total += r->list.files[i].bytes;
    remote_list_done(r);
}

void remote_list_begin(struct kin_remote *r)
{
    r->step = STEP_LIST;
    r->list.work.run = list_run;
    r->list.work.done = list_finish;
    r->env->ops->work(r->env, &r->list.work);
}

void remote_list_free(struct kin_remote *r)
{
    for (size_t i = 0; i < r->list.count; i++)
        kin_free(r->list.files[i].path);
    kin_free(r->list.files);
    kin_frame_unref(r->list.payload);
}
