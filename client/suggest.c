#include "client/suggest_impl.h"

enum { WORKFLOW_BYTES_MAX = 1000 * 1000 }; /* what `match` takes */

/* What the person should know at once, beside the comments. */
static void put_notes(struct kin_suggest *s)
{
    for (size_t n = 0; n < s->profile->source_count; n++) {
        const struct kin_profile_source *p = &s->profile->sources[n];
        if (s->sources[n].excluded) {
            kin_buf_printf(s->notes, "%s: left out: %s\n", s->profile->files[p->files[0]].path,
                           p->rows ? "it has nothing that records could be compared by"
                                   : "it has no records");
            continue;
        }
        if (s->sources[n].id < 0)
            kin_buf_printf(s->notes,
                           "%s: no column can name the records; add one and give it as id\n",
                           s->profile->files[p->files[0]].path);
    }
    for (size_t f = 0; f < s->profile->file_count; f++) {
        const struct kin_profile_file *file = &s->profile->files[f];
        uint64_t rows = file->bad + file->rows;
        if (file->bad)
            kin_buf_printf(s->notes, "%s: %llu of %llu rows cannot be read; %s\n", file->path,
                           (unsigned long long)file->bad, (unsigned long long)rows,
                           file->first_bad);
    }
    if (s->thin)
        kin_buf_puts(s->notes, "hardly any pair of the records looked at seems to be the same: the "
                               "rules come from the types of the fields alone\n");
}

static void suggest_deinit(struct kin_suggest *s)
{
    kin_buf_deinit(&s->features);
    kin_buf_deinit(&s->offsets);
    kin_free(s->pairs);
    kin_free(s->candidates.items);
    kin_free(s->random.items);
    kin_arena_deinit(&s->arena);
    kin_free(s);
}

kin_status kin_suggest_workflow(const struct kin_profile *profile,
                                const struct kin_suggest_options *options, struct kin_buf *out,
                                struct kin_buf *notes, struct kin_err *err)
{
    static kin_status (*const steps[])(struct kin_suggest *) = {
        kin_suggest_columns, kin_suggest_fields, kin_suggest_sample,
        kin_suggest_keys,    kin_suggest_terms,  kin_suggest_pairs,
        kin_suggest_rules,   kin_suggest_choose, kin_suggest_write};
    if (profile->rows == 0)
        return kin_err_set(err, KIN_E_NOTFOUND, "%s%s: there are no records to look at",
                           profile->files[0].path, profile->file_count > 1 ? " and others" : "");
    struct kin_suggest *s = kin_calloc(1, sizeof *s);
    if (!s)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    s->profile = profile;
    s->options = options;
    s->out = out;
    s->notes = notes;
    s->err = err;
    kin_status status = KIN_OK;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && status == KIN_OK; i++)
        status = steps[i](s);
    if (status == KIN_OK && out->n > WORKFLOW_BYTES_MAX)
        status = kin_err_set(err, KIN_E_LIMIT,
                             "the workflow file would be larger than %d bytes; name the files by "
                             "a pattern in quotes",
                             WORKFLOW_BYTES_MAX);
    if (status == KIN_OK)
        put_notes(s);
    if (status == KIN_OK && notes->failed)
        status = kin_suggest_no_memory(s);
    suggest_deinit(s);
    return status;
}
