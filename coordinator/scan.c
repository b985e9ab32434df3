#include "coordinator/scan.h"

#include "coordinator/impl.h"

/* A load without workers: all chunks go to one, which is the caller. */

struct scan {
    struct kin_env *env;
    const struct kin_workflow *workflow;
    kin_scan_take take;
    void *arg;
    struct kin_err *err;
    struct kin_shard_map shards;
    uint64_t records;
};

struct open_file {
    struct kin_env *env;
    struct kin_source_handle *handle;
    struct kin_inflate *inflate;
    struct kin_cutter *cutter;
};

static kin_status read_raw(void *arg, uint8_t *to, size_t cap, size_t *got, struct kin_err *err)
{
    struct open_file *f = arg;
    return f->env->ops->source_read(f->handle, to, cap, got, err);
}

static void file_close(struct open_file *f)
{
    if (f->cutter)
        kin_cutter_close(f->cutter);
    if (f->inflate)
        kin_inflate_close(f->inflate);
    if (f->handle)
        f->env->ops->source_close(f->handle);
}

/* The caller closes it in any case. */
static kin_status file_open(struct scan *s, const struct source_file *file,
                            const struct kin_reader_options *options, struct open_file *f)
{
    const struct kin_workflow_source *source = &s->workflow->sources[file->source];
    *f = (struct open_file){.env = s->env};
    kin_status status = s->env->ops->source_open(s->env, file->path, &f->handle, s->err);
    if (status != KIN_OK)
        return status; /* the message names the file */
    status = kin_inflate_open(kin_compression_of(file->path), (struct kin_byte_source){read_raw, f},
                              &f->inflate, s->err);
    if (status == KIN_OK)
        status = kin_cutter_open(options, kin_inflate_source(f->inflate), &f->cutter, s->err);
    if (status == KIN_OK && options->format == KIN_FORMAT_CSV)
        status = source_check_header(kin_cutter_header(f->cutter), source, s->err);
    return status == KIN_OK ? status : kin_err_wrap(s->err, status, "%s", file->path);
}

static kin_status give(struct scan *s, struct split_output *out)
{
    struct kin_scan_chunk chunk;
    const uint8_t *payload = out->payload[0].p;
    if (s->records + out->count >= UINT32_MAX)
        return kin_err_set(s->err, KIN_E_LIMIT, "more than %u records", UINT32_MAX - 1);
    kin_page_set_base(out->page.p, s->records);
    if (!kin_page_read((struct kin_str){(const char *)out->page.p, out->page.n}, &chunk.page))
        return kin_err_set(s->err, KIN_E_CORRUPT, "a page that was just made cannot be read");
    chunk.features = kin_batch_features_trusted(payload);
    chunk.rows = kin_batch_rows_trusted(payload + out->feature_bytes[0]);
    s->records += out->count;
    return s->take(s->arg, &chunk, s->err);
}

static kin_status scan_file(struct scan *s, const struct source_file *file, uint32_t index)
{
    struct kin_reader_options options =
        source_reader_options(s->workflow, file->source, file->path, KIN_CHUNK_BYTES);
    struct open_file f;
    kin_status status = file_open(s, file, &options, &f);
    while (status == KIN_OK) {
        struct kin_chunk chunk;
        struct split_output out;
        status = kin_cutter_next(f.cutter, &chunk, s->err);
        if (status == KIN_E_EOF)
            break;
        if (status != KIN_OK) {
            kin_err_wrap(s->err, status, "%s", file->path);
            break;
        }
        struct split_input in = {.workflow = s->workflow,
                                 .file = file,
                                 .file_index = index,
                                 .reader = &options,
                                 .header = kin_cutter_header(f.cutter),
                                 .chunk = &chunk,
                                 .shards = &s->shards};
        status = split_chunk(&in, &out);
        kin_chunk_deinit(&chunk);
        if (status != KIN_OK) {
            kin_err_set(s->err, status, "%s: %s", file->path, kin_status_text(status));
            break;
        }
        status = give(s, &out);
        split_output_deinit(&out);
    }
    file_close(&f);
    return status == KIN_E_EOF ? KIN_OK : status;
}

kin_status kin_scan(struct kin_env *env, const struct kin_workflow *workflow, kin_scan_take take,
                    void *arg, struct kin_err *err)
{
    struct scan s = {.env = env, .workflow = workflow, .take = take, .arg = arg, .err = err};
    struct source_file *files = NULL;
    size_t count = 0;
    kin_shard_map_deal(&s.shards, (const uint32_t[]){1}, 1);
    kin_status status = source_files_list(env, workflow, &files, &count, err);
    for (size_t i = 0; i < count && status == KIN_OK; i++)
        status = scan_file(&s, &files[i], (uint32_t)i);
    source_files_free(files, count);
    return status;
}
