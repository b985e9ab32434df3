/* The part `sources` of the workflow file, and the name of the workflow. */
#include "client/suggest_text.h"
#include "client/suggest_write.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 60, PATHS_SHOWN = 10000 };

/* ---- names ---- */

static struct kin_str stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct kin_str name = kin_str_of(slash ? slash + 1 : path);
    static const char *const ends[] = {".gz",  ".zst",   ".csv",    ".tsv",
                                       ".txt", ".jsonl", ".ndjson", ".json"};
    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (name.n > n && memcmp(name.p + name.n - n, ends[i], n) == 0)
            name.n -= n;
    }
    return name;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Letters, digits and _; at both ends no _. */
static void put_name(struct kin_buf *out, struct kin_str text)
{
    size_t start = out->n;
    for (size_t i = 0; i < text.n && out->n - start < NAME_BYTES; i++) {
        bool good = is_name_byte(text.p[i]);
        if (good || (out->n > start && out->p[out->n - 1] != '_'))
            kin_buf_putc(out, good ? text.p[i] : '_');
    }
    while (out->n > start && out->p[out->n - 1] == '_')
        out->n--;
    struct kin_str made = {out->p ? (const char *)out->p + start : "", out->n - start};
    if (made.n == 0)
        kin_buf_puts(out, "records");
    else if (kin_str_eq(made, KIN_STR("null"))) /* to YAML that is nothing */
        kin_buf_puts(out, "_records");
}

/* What the names of the files begin with, without the number that follows it; else the folder. */
static struct kin_str common_stem(const struct kin_profile *p, const struct kin_profile_source *s)
{
    struct kin_str common = stem_of(p->files[s->files[0]].path);
    for (size_t i = 1; i < s->file_count; i++) {
        struct kin_str other = stem_of(p->files[s->files[i]].path);
        size_t n = 0;
        while (n < common.n && n < other.n && common.p[n] == other.p[n])
            n++;
        common.n = n;
    }
    while (s->file_count > 1 && common.n &&
           ((common.p[common.n - 1] >= '0' && common.p[common.n - 1] <= '9') ||
            !is_name_byte(common.p[common.n - 1]) || common.p[common.n - 1] == '_'))
        common.n--;
    if (common.n >= 3 || s->file_count == 1)
        return common;
    const char *path = p->files[s->files[0]].path;
    const char *slash = strrchr(path, '/');
    const char *start = slash;
    while (start && start > path && start[-1] != '/')
        start--;
    bool folder = slash && start && slash > start && *start != '.' &&
                  !memchr(start, '*', (size_t)(slash - start));
    return folder ? (struct kin_str){start, (size_t)(slash - start)} : KIN_STR("records");
}

static bool is_taken(const struct kin_writing *w, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(w->sources[i].name, name) == 0)
            return true;
    }
    return false;
}

static kin_status name_source(struct kin_writing *w, size_t at, struct kin_str stem)
{
    struct kin_buf buf = {0};
    put_name(&buf, stem);
    char *base = buf.failed ? NULL : kin_arena_strndup(&w->s->arena, (char *)buf.p, buf.n);
    char *name = base;
    kin_buf_deinit(&buf);
    for (unsigned k = 2; name && is_taken(w, at, name); k++)
        name = kin_arena_printf(&w->s->arena, "%s_%u", base, k);
    w->sources[at].name = name;
    return name ? KIN_OK : kin_suggest_no_memory(w->s);
}

kin_status kin_writing_sources(struct kin_writing *w)
{
    const struct kin_profile *p = w->s->profile;
    kin_status status = KIN_OK;
    w->sources = kin_arena_calloc(&w->s->arena, p->file_count, sizeof *w->sources);
    if (!w->sources)
        return kin_suggest_no_memory(w->s);
    for (size_t n = 0; n < p->source_count && status == KIN_OK; n++) {
        const struct kin_profile_source *s = &p->sources[n];
        bool split = w->s->sources[n].split;
        if (w->s->sources[n].excluded)
            continue;
        for (size_t i = 0; i < (split ? s->file_count : 1) && status == KIN_OK; i++) {
            struct kin_written_source *to = &w->sources[w->source_count];
            *to = (struct kin_written_source){.source = n,
                                              .files = s->files + (split ? i : 0),
                                              .file_count = split ? 1 : s->file_count};
            status = name_source(w, w->source_count,
                                 split ? stem_of(p->files[s->files[i]].path) : common_stem(p, s));
            w->source_count++;
        }
    }
    return status;
}

/* ---- paths ---- */

/* A literal path as a pattern. */
static void escape(struct kin_buf *out, const char *path)
{
    for (; *path; path++) {
        if (strchr("*?[\\", *path))
            kin_buf_putc(out, '\\');
        kin_buf_putc(out, *path);
    }
}

/* `literal` bytes of the path name a folder that is there; the rest may be a pattern. */
static kin_status put_path(struct kin_writing *w, const char *path, bool pattern)
{
    const char *base = w->s->options->base_dir;
    struct kin_buf text = {0}, escaped = {0};
    size_t folder = strcspn(path, pattern ? "*?[" : "");
    while (folder > 0 && path[folder - 1] != '/')
        folder--;
    char *copy = kin_arena_strndup(&w->s->arena, folder ? path : "./", folder ? folder : 2);
    char *real = copy && base && path[0] != '/' ? realpath(copy, NULL) : NULL;
    if (real) {
        struct kin_buf whole = {0};
        kin_buf_printf(&whole, "%s%s%s", strcmp(real, "/") == 0 ? "" : real, "/", path + folder);
        kin_buf_putc(&whole, '\0');
        if (!whole.failed)
            kin_suggest_put_relative(&text, base, (char *)whole.p);
        text.failed = text.failed || whole.failed;
        kin_buf_deinit(&whole);
        free(real); // NOLINT: realpath's own
    } else {
        kin_buf_puts(&text, path);
    }
    kin_buf_putc(&text, '\0');
    if (!text.failed && pattern)
        kin_buf_puts(&escaped, (char *)text.p);
    else if (!text.failed)
        escape(&escaped, (char *)text.p);
    if (!text.failed && !escaped.failed)
        kin_suggest_put_scalar(w->out, (struct kin_str){(char *)escaped.p, escaped.n});
    bool failed = text.failed || escaped.failed;
    kin_buf_deinit(&text);
    kin_buf_deinit(&escaped);
    return failed ? kin_suggest_no_memory(w->s) : KIN_OK;
}

/* The argument that is a pattern of just these files, or NULL. */
static const char *pattern_of(const struct kin_writing *w, const struct kin_written_source *source)
{
    const struct kin_profile *p = w->s->profile;
    size_t argument = p->files[source->files[0]].argument, matched = 0;
    for (size_t f = 0; f < p->file_count; f++)
        matched += p->files[f].argument == argument;
    for (size_t i = 0; i < source->file_count; i++) {
        if (p->files[source->files[i]].argument != argument)
            return NULL;
    }
    const char *text = w->s->options->arguments[argument];
    bool pattern = strcmp(text, p->files[source->files[0]].path) != 0;
    return pattern && matched == source->file_count ? text : NULL;
}

static kin_status put_paths(struct kin_writing *w, const struct kin_written_source *source)
{
    const struct kin_profile *p = w->s->profile;
    const char *pattern = pattern_of(w, source);
    kin_status status = KIN_OK;
    kin_buf_puts(w->out, "    path:");
    if (pattern || source->file_count == 1) {
        kin_buf_putc(w->out, ' ');
        status = put_path(w, pattern ? pattern : p->files[source->files[0]].path, pattern != NULL);
        kin_buf_putc(w->out, '\n');
        return status;
    }
    kin_buf_putc(w->out, '\n');
    for (size_t i = 0; i < source->file_count && i < PATHS_SHOWN && status == KIN_OK; i++) {
        kin_buf_puts(w->out, "      - ");
        status = put_path(w, p->files[source->files[i]].path, false);
        kin_buf_putc(w->out, '\n');
    }
    return status;
}

/* ---- columns ---- */

static bool has_column(const struct kin_profile_source *p, struct kin_str name)
{
    for (size_t c = 0; c < p->column_count; c++) {
        if (kin_str_eq(p->columns[c].name, name))
            return true;
    }
    return false;
}

/* The columns that fill a field: of the source, or where it has none (and so the defaults that
 * other sources set would), an empty list. */
static void put_columns(struct kin_writing *w, const struct kin_written_source *source)
{
    const struct kin_profile_source *p = &w->s->profile->sources[source->source];
    bool begun = false;
    for (size_t f = 0; f < w->s->field_count; f++) {
        struct kin_buf mine = {0};
        const struct kin_written_field *field = &w->fields[f];
        if (!field->written)
            continue;
        size_t count = kin_writing_columns(w, f, source->source, &mine);
        bool same = mine.n == field->columns.n &&
                    (mine.n == 0 || memcmp(mine.p, field->columns.p, mine.n) == 0);
        bool stray = false;
        for (size_t i = 0; count == 0 && i < field->name_count; i++)
            stray = stray || has_column(p, field->names[i]);
        if (!same && (count > 0 || stray)) {
            if (!begun)
                kin_buf_puts(w->out, "    columns:\n");
            begun = true;
            kin_buf_printf(w->out, "      %s: ", w->s->fields[f].name);
            kin_buf_put(w->out, count ? (char *)mine.p : "[]", count ? mine.n : 2);
            kin_buf_putc(w->out, '\n');
        }
        w->out->failed = w->out->failed || mine.failed;
        kin_buf_deinit(&mine);
    }
}

static void put_id(struct kin_writing *w, const struct kin_written_source *source)
{
    const struct kin_profile_source *p = &w->s->profile->sources[source->source];
    const struct kin_suggest_source *found = &w->s->sources[source->source];
    if (found->id >= 0) {
        kin_buf_puts(w->out, "    id: ");
        kin_suggest_put_scalar(w->out, p->columns[found->id].name);
        kin_buf_printf(w->out, "    # %s\n", found->id_note);
    } else {
        kin_buf_puts(
            w->out,
            "    # No column can name the records: none is filled and different in every row. Add\n"
            "    # one to the file (a number for each row will do, as long as rows keep theirs)\n"
            "    # and give its name here. Until then this file is refused.\n"
            "    # id: \n");
    }
    if (found->updated >= 0) {
        kin_buf_puts(w->out, "    updated: ");
        kin_suggest_put_scalar(w->out, p->columns[found->updated].name);
        kin_buf_putc(w->out, '\n');
    }
}

kin_status kin_writing_put_sources(struct kin_writing *w)
{
    kin_status status = KIN_OK;
    kin_buf_puts(w->out, "\nsources:\n");
    for (size_t i = 0; i < w->source_count && status == KIN_OK; i++) {
        const struct kin_written_source *source = &w->sources[i];
        const struct kin_suggest_source *found = &w->s->sources[source->source];
        const char *why = found->why_split;
        if (why && (i == 0 || w->sources[i - 1].source != source->source))
            kin_buf_printf(
                w->out,
                "  # The next %zu files have the same columns, but %s, so that they are\n"
                "  # taken for lists of their own. If they are versions of one list, "
                "make them one source.\n",
                w->s->profile->sources[source->source].file_count, why);
        kin_buf_printf(w->out, "  %s:\n", source->name);
        status = put_paths(w, source);
        put_id(w, source);
        put_columns(w, source);
    }
    return status;
}
