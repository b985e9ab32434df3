#include "client/explain_group.h"

#include "client/profile_file.h"

#include <stdlib.h>
#include <string.h>

/* ---- members ---- */

struct member_name {
    struct kin_str source, id;
};

struct matches_reading {
    struct kin_explain *e;
    struct kin_str match_id;
    uint32_t source, id, match; /* columns */
    struct kin_buf names;       /* struct member_name */
};

static bool find_columns(struct matches_reading *r, const struct kin_header *header)
{
    unsigned found = 0;
    for (uint32_t i = 0; i < header->count; i++) {
        struct kin_str name = header->names[i];
        uint32_t *to = kin_str_eq(name, KIN_STR("source"))     ? &r->source
                       : kin_str_eq(name, KIN_STR("id"))       ? &r->id
                       : kin_str_eq(name, KIN_STR("match_id")) ? &r->match
                                                               : NULL;
        if (to)
            *to = i;
        found += to != NULL;
    }
    return found == 3;
}

static kin_status take_row(struct matches_reading *r, const struct kin_row *row,
                           struct kin_err *err)
{
    struct member_name name = {{NULL, 0}, {NULL, 0}};
    bool ours = false;
    for (size_t i = 0; i < row->count; i++) {
        const struct kin_cell *c = &row->cells[i];
        if (c->column == r->match)
            ours = kin_str_eq(c->value, r->match_id);
        else if (c->column == r->source)
            name.source = c->value;
        else if (c->column == r->id)
            name.id = c->value;
    }
    if (!ours)
        return KIN_OK;
    name.source.p =
        kin_arena_strndup(&r->e->arena, name.source.p ? name.source.p : "", name.source.n);
    name.id.p = kin_arena_strndup(&r->e->arena, name.id.p ? name.id.p : "", name.id.n);
    kin_buf_put(&r->names, &name, sizeof name);
    return name.source.p && name.id.p && !r->names.failed
               ? KIN_OK
               : kin_err_set(err, KIN_E_NOMEM, "out of memory");
}

static kin_status read_matches(struct matches_reading *r, const char *path, struct kin_err *err)
{
    struct kin_profile_input in;
    kin_status status = kin_profile_input_open(&in, path, err);
    if (status == KIN_OK && !find_columns(r, kin_cutter_header(in.cutter)))
        status = kin_err_set(err, KIN_E_SYNTAX, "%s: no columns source, id, match_id", path);
    while (status == KIN_OK) {
        struct kin_row row;
        status = kin_profile_input_next(&in, err);
        while (status == KIN_OK && kin_rows_next(in.rows, &row))
            status = take_row(r, &row, err);
        if (status == KIN_OK && kin_rows_failed(in.rows))
            status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    kin_profile_input_deinit(&in);
    return status == KIN_E_EOF ? KIN_OK : status;
}

static kin_status find_members(struct group *g, const struct member_name *names, size_t count,
                               struct kin_err *err)
{
    struct kin_explain *e = g->e;
    struct kin_str *ids = kin_arena_calloc(&e->arena, count, sizeof *ids);
    g->members = kin_arena_calloc(&e->arena, count, sizeof(void *));
    if (!ids || !g->members)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        ids[i] = names[i].id;
    kin_status status = explain_read(e, ids, count, err);
    for (size_t i = 0; i < count && status == KIN_OK; i++) {
        status = kin_records_find(&e->records, names[i].source, names[i].id, &g->members[i], err);
        if (status != KIN_OK)
            kin_err_wrap(err, status, "the sources are not those of the result in %s", e->out_dir);
    }
    g->count = (uint32_t)count;
    return status;
}

static int by_place(const void *a, const void *b)
{
    const struct kin_record *x = *(const struct kin_record *const *)a,
                            *y = *(const struct kin_record *const *)b;
    return x < y ? -1 : x > y; /* both in the list that is sorted by (source, id) */
}

static kin_status read_members(struct group *g, struct kin_str match_id, struct kin_err *err)
{
    struct matches_reading r = {.e = g->e, .match_id = match_id};
    const char *path = kin_arena_printf(&g->e->arena, "%s/matches.csv", g->e->out_dir);
    kin_status status =
        path ? read_matches(&r, path, err) : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    size_t count = r.names.n / sizeof(struct member_name);
    if (status == KIN_OK && count == 0)
        status = kin_err_set(err, KIN_E_NOTFOUND, "%s has no MatchGroup '%.*s'", path,
                             match_id.n < 80 ? (int)match_id.n : 80, match_id.p);
    if (status == KIN_OK && count > KIN_EXPLAIN_GROUP_MAX)
        status = kin_err_set(err, KIN_E_LIMIT,
                             "the MatchGroup has %zu records; up to %d are looked at pair by pair",
                             count, KIN_EXPLAIN_GROUP_MAX);
    if (status == KIN_OK)
        status = find_members(g, (const struct member_name *)(const void *)r.names.p, count, err);
    if (status == KIN_OK)
        qsort(g->members, count, sizeof(void *), by_place);
    kin_buf_deinit(&r.names);
    return status;
}

/* ---- pairs ---- */

/* How many records have each of the members' keys. */
static kin_status size_keys(const struct group *g, struct kin_explain_blocks *out,
                            struct kin_err *err)
{
    size_t count = 0, at = 0;
    unsigned n;
    for (uint32_t i = 0; i < g->count; i++) {
        (void)kin_features_keys(g->members[i]->features, &n);
        count += n;
    }
    uint64_t *list = kin_arena_calloc(&g->e->arena, count, sizeof *list);
    if (!list)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    for (uint32_t i = 0; i < g->count; i++) {
        const uint8_t *keys = kin_features_keys(g->members[i]->features, &n);
        for (unsigned k = 0; k < n; k++)
            list[at++] = kin_le64(keys + 8 * (size_t)k);
    }
    return explain_count_keys(g->e, list, count, out, err);
}

static kin_status fill_cells(struct group *g, const struct kin_explain_blocks *sizes,
                             struct kin_err *err)
{
    struct kin_buf keys = {0};
    size_t pairs = (size_t)g->count * (g->count - 1) / 2;
    g->cells = kin_arena_calloc(&g->e->arena, pairs, sizeof *g->cells);
    struct group_cell *cell = g->cells;
    for (uint32_t b = 1; b < g->count && cell; b++) {
        for (uint32_t a = 0; a < b; a++, cell++) {
            const uint8_t *x = g->members[a]->features, *y = g->members[b]->features;
            struct kin_explain_facts f;
            kin_buf_clear(&keys);
            kin_explain_common_keys(g->e->x.workflow, x, y, &keys);
            kin_explain_facts(&g->e->x, x, y, (const uint64_t *)(const void *)keys.p, keys.n / 8,
                              sizes, &f);
            *cell = (struct group_cell){f.weight,         (int16_t)f.rule,
                                        (int16_t)f.never, (uint8_t)f.compared,
                                        f.matches,        f.clean};
            g->compared += f.compared != KIN_EXPLAIN_NEVER && f.compared != KIN_EXPLAIN_SOURCE;
            g->matched += f.matches;
            g->forbidden += f.never >= 0 || f.clean;
        }
    }
    bool failed = !g->cells || keys.failed;
    kin_buf_deinit(&keys);
    return failed ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}

/* ---- links ---- */

static int32_t lowest_threshold(const struct kin_workflow *w)
{
    return w->model ? w->model->thresholds[w->model->threshold_count - 1].weight : 0;
}

int32_t group_pair_weight(const struct group *g, const struct group_cell *c)
{
    int32_t floor = kin_linkage_floor(lowest_threshold(g->e->x.workflow));
    bool scored =
        c->compared != KIN_EXPLAIN_NEVER && c->compared != KIN_EXPLAIN_SOURCE && c->rule < 0;
    int32_t weight = scored && c->weight > floor ? c->weight : floor;
    return weight < KIN_LINKAGE_WEIGHT_MAX ? weight : KIN_LINKAGE_WEIGHT_MAX;
}

/* Is x a stronger link than y? Rules first, in their order; then by weight. */
static bool is_stronger(const struct group_cell *x, const struct group_cell *y)
{
    unsigned a = x->rule < 0 ? UINT16_MAX : (unsigned)x->rule;
    unsigned b = y->rule < 0 ? UINT16_MAX : (unsigned)y->rule;
    return a != b ? a < b : x->rule < 0 && x->weight > y->weight;
}

static void find_best(struct group *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        g->best[i] = i;
        for (uint32_t j = 0; j < g->count; j++) {
            const struct group_cell *c = j == i ? NULL : group_cell_of(g, i, j);
            if (c && c->matches &&
                (g->best[i] == i || is_stronger(c, group_cell_of(g, i, g->best[i]))))
                g->best[i] = j;
        }
    }
}

static size_t list_edges(const struct group *g, struct kin_linkage_edge *edges)
{
    size_t n = 0;
    for (uint32_t b = 1; b < g->count; b++) {
        for (uint32_t a = 0; a < b; a++) {
            const struct group_cell *c = group_cell_of(g, a, b);
            if (!c->matches)
                continue;
            bool rule = c->rule >= 0;
            edges[n++] =
                (struct kin_linkage_edge){a, b, rule ? KIN_LINKAGE_CERTAIN : c->weight,
                                          rule ? (uint16_t)c->rule : (uint16_t)KIN_LINKAGE_MODEL};
        }
    }
    return n;
}

static kin_status find_links(struct group *g)
{
    struct kin_arena *arena = &g->e->arena;
    const int32_t threshold =
        g->e->x.threshold ? g->e->x.threshold->weight : lowest_threshold(g->e->x.workflow);
    struct kin_linkage_edge *edges = kin_arena_calloc(arena, g->matched, sizeof *edges);
    uint32_t *group = kin_arena_calloc(arena, g->count, sizeof *group);
    g->best = kin_arena_calloc(arena, g->count, sizeof *g->best);
    g->links = kin_arena_calloc(arena, g->count, sizeof *g->links);
    if (!edges || !group || !g->best || !g->links)
        return KIN_E_NOMEM;
    struct kin_linkage_component component = {
        .count = g->count, .edges = edges, .edge_count = list_edges(g, edges)};
    struct kin_linkage_options options = {.method = KIN_LINKAGE_CONNECTED,
                                          .thresholds = &threshold,
                                          .threshold_count = 1,
                                          .floor = kin_linkage_floor(threshold),
                                          .unscored = kin_linkage_floor(threshold)};
    struct kin_linkage_glue glue;
    kin_status status = kin_linkage_explain(arena, &component, &options, group, &glue);
    if (status != KIN_OK)
        return status;
    for (size_t i = 0; i < glue.count; i++)
        g->links[i] =
            (struct group_link){.a = glue.links[i].a,
                                .b = glue.links[i].b,
                                .cell = group_cell_of(g, glue.links[i].a, glue.links[i].b)};
    g->link_count = (uint32_t)glue.count;
    find_best(g);
    return group_cuts(g);
}

/* ---- the whole ---- */

kin_status kin_explain_group(struct kin_explain *e, struct kin_str match_id, bool json,
                             struct kin_buf *out, struct kin_err *err)
{
    struct group *g = kin_arena_calloc(&e->arena, 1, sizeof *g);
    struct kin_explain_blocks sizes;
    if (!g)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    g->e = e;
    g->match_id = kin_arena_strndup(&e->arena, match_id.p, match_id.n);
    kin_status status = g->match_id ? read_members(g, match_id, err)
                                    : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (status == KIN_OK)
        status = size_keys(g, &sizes, err);
    if (status == KIN_OK)
        status = fill_cells(g, &sizes, err);
    if (status == KIN_OK) {
        status = find_links(g);
        if (status != KIN_OK)
            kin_err_set(err, status, "the MatchGroup: %s", kin_status_text(status));
    }
    if (status == KIN_OK) {
        (json ? group_put_json : group_put_text)(g, out);
        if (out->failed)
            status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    return status;
}
