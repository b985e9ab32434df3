#include "client/report_read.h"

#include <jansson.h>
#include <string.h>

enum { SOURCES_MAX = 100 * 1000, SECONDS_MAX = 1000 * 1000 * 1000 };

struct reading {
    struct kin_report_read *out;
    struct kin_err *err;
    kin_status status;
};

static void fail(struct reading *r, kin_status status, const char *key)
{
    if (r->status == KIN_OK)
        r->status = kin_err_set(
            r->err, status,
            status == KIN_E_NOMEM ? "out of memory" : "report.json: '%s' is not what it should be",
            key);
}

static uint64_t number(struct reading *r, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        fail(r, KIN_E_CORRUPT, key);
        return 0;
    }
    return (uint64_t)json_integer_value(value);
}

static const char *copy(struct reading *r, const json_t *value, const char *key)
{
    if (!json_is_string(value)) {
        fail(r, KIN_E_CORRUPT, key);
        return "";
    }
    const char *text =
        kin_arena_strndup(&r->out->arena, json_string_value(value), json_string_length(value));
    if (!text)
        fail(r, KIN_E_NOMEM, key);
    return text ? text : "";
}

static const json_t *list(struct reading *r, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_array(value) || json_array_size(value) > SOURCES_MAX) {
        fail(r, KIN_E_CORRUPT, key);
        return NULL;
    }
    return value;
}

static const json_t *object_of(struct reading *r, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_object(value))
        fail(r, KIN_E_CORRUPT, key);
    return value;
}

static void read_sources(struct reading *r, const json_t *root)
{
    const json_t *sources = list(r, root, "sources");
    size_t n = json_array_size(sources);
    struct kin_report_row *rows = kin_arena_calloc(&r->out->arena, n, sizeof *rows);
    if (!rows && n) {
        fail(r, KIN_E_NOMEM, "sources");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(sources, i);
        rows[i] = (struct kin_report_row){.name = copy(r, json_object_get(o, "source"), "source"),
                                          .read = number(r, o, "read"),
                                          .grouped = number(r, o, "grouped"),
                                          .singletons = number(r, o, "singletons"),
                                          .superseded = number(r, o, "superseded"),
                                          .rejected = number(r, o, "rejected")};
    }
    r->out->sources = rows;
    r->out->source_count = n;
}

static void read_missing(struct reading *r, const json_t *root)
{
    const json_t *fields = list(r, root, "fields_without_column");
    size_t n = json_array_size(fields);
    const char **names = kin_arena_calloc(&r->out->arena, n, sizeof *names);
    if (!names && n) {
        fail(r, KIN_E_NOMEM, "fields_without_column");
        return;
    }
    for (size_t i = 0; i < n; i++)
        names[i] = copy(r, json_array_get(fields, i), "fields_without_column");
    r->out->without_column = names;
    r->out->without_column_count = n;
}

/* An older report has none of it. */
static void read_large(struct reading *r, const json_t *list)
{
    struct kin_report_read *out = r->out;
    for (size_t i = 0; i < json_array_size(list) && out->large_count < KIN_REPORT_GROUPS_READ;
         i++) {
        const json_t *o = json_array_get(list, i), *values = json_object_get(o, "held_together_by");
        struct kin_report_group_read *group = &out->large[out->large_count];
        if (!values)
            continue;
        *group = (struct kin_report_group_read){
            .match_id = copy(r, json_object_get(o, "match_id"), "match_id"),
            .size = number(r, o, "size"),
            .links = number(r, o, "links")};
        for (size_t k = 0; k < json_array_size(values) && k < KIN_REPORT_GLUE_READ; k++) {
            const json_t *value = json_array_get(values, k);
            group->glue[group->glue_count++] = (struct kin_report_glue_read){
                copy(r, json_object_get(value, "field"), "field"),
                copy(r, json_object_get(value, "value"), "value"), number(r, value, "links")};
        }
        out->large_count++;
    }
}

static void read_groups(struct reading *r, const json_t *root)
{
    static const char *const names[KIN_REPORT_SIZES] = {"1",     "2",     "3",       "4",   "5-9",
                                                        "10-49", "50-99", "100-499", "500+"};
    const json_t *groups = object_of(r, root, "groups");
    const json_t *sizes = object_of(r, groups, "sizes");
    r->out->groups = number(r, groups, "of_two_or_more");
    r->out->largest_group = number(r, groups, "largest");
    r->out->over_max_group = number(r, groups, "over_max_group");
    read_large(r, json_object_get(groups, "largest_over_max_group"));
    for (unsigned i = 0; i < KIN_REPORT_SIZES; i++)
        r->out->sizes[i] = number(r, sizes, names[i]);
}

static void read_seconds(struct reading *r, const json_t *root)
{
    json_t *seconds = json_object_get(root, "seconds"), *value;
    const char *key;
    if (!json_is_object(seconds))
        fail(r, KIN_E_CORRUPT, "seconds");
    json_object_foreach(seconds, key, value)
    {
        double x = json_number_value(value);
        if (!json_is_number(value) || !(x >= 0 && x <= SECONDS_MAX)) {
            fail(r, KIN_E_CORRUPT, "seconds");
            return;
        }
        r->out->total_seconds += x;
        if (strcmp(key, "match") == 0)
            r->out->match_seconds = x;
    }
}

static void read_root(struct reading *r, const json_t *root)
{
    struct kin_report_read *out = r->out;
    const json_t *vetoes = object_of(r, root, "vetoes");
    out->workflow = copy(r, json_object_get(root, "workflow"), "workflow");
    out->grouped = number(r, root, "grouped");
    out->rejected = number(r, root, "rejected");
    out->compared = number(r, root, "pairs_compared");
    out->matched = number(r, root, "pairs_matched");
    out->excess_keys = number(r, root, "excess_keys");
    out->oversized_blocks = json_array_size(json_object_get(root, "oversized_blocks"));
    out->veto_components = number(r, vetoes, "components_checked");
    out->veto_refused = number(r, vetoes, "matched_pairs_refused");
    out->veto_unchecked = number(r, vetoes, "components_too_large");
    if (json_object_get(root, "links")) {
        const json_t *links = object_of(r, root, "links");
        out->links_read = number(r, links, "read");
        out->links_must = number(r, links, "must");
        out->links_never = number(r, links, "never");
        out->links_unknown = number(r, links, "unknown");
    }
    read_sources(r, root);
    read_missing(r, root);
    read_groups(r, root);
    read_seconds(r, root);
}

kin_status kin_report_read(struct kin_str json, struct kin_report_read *out, struct kin_err *err)
{
    json_error_t where;
    struct reading r = {.out = out, .err = err};
    *out = (struct kin_report_read){.workflow = ""};
    json_t *root = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return kin_err_set(err, KIN_E_SYNTAX, "report.json, line %d: %s", where.line, where.text);
    read_root(&r, root);
    json_decref(root);
    if (r.status != KIN_OK)
        kin_report_read_deinit(out);
    return r.status;
}

void kin_report_read_deinit(struct kin_report_read *r)
{
    kin_arena_deinit(&r->arena);
    *r = (struct kin_report_read){.workflow = ""};
}
