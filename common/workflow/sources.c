/* sources: files, formats, and which columns fill which fields; and the files of links. */
#include "common/workflow/check.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES_MAX = 4096, PATHS_MAX = 10000 };

static void check_paths(struct kin_check *c, const struct kin_check_key *key,
                        struct kin_yaml_node *v, const char *const **out, size_t *out_count)
{
    bool list = v->kind == KIN_YAML_LIST;
    if (!list && (v->kind != KIN_YAML_SCALAR || kin_yaml_is_null(v))) {
        kin_check_expected(c, v, key->type);
        return;
    }
    if (list && (v->count < 1 || v->count > PATHS_MAX)) {
        kin_check_say(c, v, "found %zu paths; expected 1 to %d", v->count, PATHS_MAX);
        return;
    }
    const char **paths = kin_check_alloc(c, list ? v->count : 1, sizeof(const char *));
    if (!paths)
        return;
    size_t count = 0;
    for (const struct kin_yaml_node *item = list ? v->first : v; item;
         item = list ? item->next : NULL) {
        const char *path = kin_check_text(c, item, "a file or pattern", PATH_BYTES_MAX);
        if (path && (path = kin_check_joined(c, path)) != NULL)
            paths[count++] = path;
    }
    *out = paths;
    *out_count = count;
}

KIN_CHECK_ROW(kin_check_source_path)
{
    struct kin_workflow_source *source = to;
    check_paths(c, key, v, &source->paths, &source->path_count);
}

KIN_CHECK_ROW(kin_check_links)
{
    (void)key, (void)to;
    kin_check_map(c, KIN_CHECK_LINKS, v, NULL);
}

KIN_CHECK_ROW(kin_check_links_file)
{
    (void)to;
    check_paths(c, key, v, &c->w->link_files, &c->w->link_file_count);
}

KIN_CHECK_ROW(kin_check_source_format)
{
    (void)key;
    static const char *const formats[] = {[KIN_FORMAT_CSV] = "csv", [KIN_FORMAT_JSONL] = "jsonl"};
    struct kin_workflow_source *source = to;
    int format = kin_check_choice(c, v, "format", formats, 2);
    if (format < 0)
        return;
    source->format_given = true;
    source->format = (enum kin_format)format;
}

KIN_CHECK_ROW(kin_check_source_delimiter)
{
    (void)key;
    struct kin_workflow_source *source = to;
    char ch = '\0';
    if (v->kind == KIN_YAML_SCALAR && kin_str_eq(v->value, KIN_STR("tab")))
        ch = '\t';
    else if (v->kind == KIN_YAML_SCALAR && v->value.n == 1)
        ch = v->value.p[0];
    bool letter = (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z');
    if (letter || ch == '"' || (ch != '\t' && (ch < ' ' || ch > '~'))) {
        kin_check_expected(c, v,
                           "one character that is no letter, digit or \", itself in quotes, "
                           "such as ';' or '|', or the word tab");
        return;
    }
    source->delimiter = ch;
    if (source->format_given && source->format == KIN_FORMAT_JSONL)
        kin_check_say_key(c, v, "the source's format is jsonl; expected delimiter for csv only");
}

KIN_CHECK_ROW(kin_check_source_columns)
{
    struct kin_workflow_source *source = to;
    if (!kin_check_is_map(c, v, key->type))
        return;
    size_t fields = c->w->schema.count;
    struct kin_workflow_columns *columns = kin_check_alloc(c, fields, sizeof *columns);
    if (!columns)
        return;
    for (size_t f = 0; f < fields; f++) /* not given here: see kin_check_finish_sources */
        columns[f].count = SIZE_MAX;
    for (struct kin_yaml_node *item = v->first; item; item = item->next) {
        if (item->kind == KIN_YAML_BAD)
            continue;
        struct kin_workflow_columns given = {NULL, 0};
        int field = kin_check_field(c, item, item->key->value, item->key->at);
        bool good = kin_check_columns(c, item, 0, &given);
        if (good && field >= 0)
            columns[field] = given;
    }
    source->columns = columns;
}

static int cmp_sources(const void *a, const void *b)
{
    const struct kin_workflow_source *x = a;
    const struct kin_workflow_source *y = b;
    return strcmp(x->name, y->name);
}

KIN_CHECK_ROW(kin_check_sources)
{
    (void)to;
    struct kin_workflow *w = c->w;
    if (!kin_check_is_map(c, v, key->type))
        return;
    if (v->count < 1 || v->count > KIN_SOURCES_MAX) {
        kin_check_say(c, v, "found %zu sources; expected 1 to %d", v->count, KIN_SOURCES_MAX);
        return;
    }
    w->sources = kin_check_alloc(c, v->count, sizeof *w->sources);
    if (!w->sources)
        return;
    for (struct kin_yaml_node *node = v->first; node; node = node->next) {
        struct kin_workflow_source *source = &w->sources[w->source_count];
        if (!kin_check_is_name(node->key->value)) {
            char quoted[KIN_CHECK_QUOTED_MAX];
            kin_check_quote(node->key->value, quoted);
            kin_check_say_key(c, node,
                              "%s is no source name; expected 1 to 255 letters, digits, _ "
                              "and -",
                              quoted);
        }
        source->name = kin_check_copy(c, node->key->value);
        if (!source->name)
            return;
        w->source_count++;
        kin_check_map(c, KIN_CHECK_SOURCE, node, source);
    }
    qsort(w->sources, w->source_count, sizeof *w->sources, cmp_sources);
}

void kin_check_finish_sources(struct kin_check *c)
{
    struct kin_workflow *w = c->w;
    for (size_t s = 0; s < w->source_count; s++) {
        struct kin_workflow_source *source = &w->sources[s];
        struct kin_workflow_columns *columns = kin_check_alloc(c, w->schema.count, sizeof *columns);
        if (!columns)
            return;
        for (size_t f = 0; f < w->schema.count; f++) {
            if (source->columns && source->columns[f].count != SIZE_MAX)
                columns[f] = source->columns[f];
            else if (c->extra[f].columns.count)
                columns[f] = c->extra[f].columns;
            else
                columns[f] = (struct kin_workflow_columns){&w->fields[f].name, 1};
        }
        source->columns = columns;
    }
}
