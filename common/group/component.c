#include "common/group/component.h"

#include "common/group/veto.h"

/* ---- rules alone, joined by whatever connects: the plainest case, and the commonest ---- */

static kin_status cluster_by_vetoes(struct kin_arena *arena, const struct kin_workflow *w,
                                    const struct kin_linkage_component *c,
                                    const uint8_t *const *members,
                                    struct kin_kernel_scratch *scratch,
                                    struct kin_component_result *out)
{
    struct kin_veto_edge *e = kin_arena_calloc(arena, c->edge_count, sizeof *e);
    struct kin_veto_star *s = kin_arena_calloc(arena, c->star_count, sizeof *s);
    struct kin_veto_result result;
    out->best_weight = kin_arena_calloc(arena, c->count, sizeof *out->best_weight);
    if (!e || !s || !out->best_weight)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < c->edge_count; i++)
        e[i] = (struct kin_veto_edge){c->edges[i].a, c->edges[i].b, c->edges[i].rule};
    for (size_t i = 0; i < c->star_count; i++)
        s[i] = (struct kin_veto_star){c->stars[i].members, c->stars[i].count, c->stars[i].rule};
    struct kin_veto_component component = {members,       c->count,         e, c->edge_count, s,
                                           c->star_count, w->across_sources};
    kin_status status =
        kin_veto_cluster(arena, &component, w->never, w->never_count, scratch, &result);
    if (status != KIN_OK)
        return status;
    out->forbidden = result.forbidden;
    out->refused = result.refused;
    out->group = result.group;
    out->best_rule = result.best_rule;
    out->levels = 1;
    return KIN_OK;
}

/* ---- everything else ---- */

struct never_check {
    const struct kin_workflow *workflow;
    const uint8_t *const *members;
    struct kin_kernel_scratch *scratch;
};

static bool is_forbidden(void *arg, uint32_t a, uint32_t b)
{
    const struct never_check *k = arg;
    for (size_t i = 0; i < k->workflow->never_count; i++) {
        if (kin_condition_eval(k->workflow->never[i].condition, k->members[a], k->members[b],
                               k->scratch) == KIN_TRUE)
            return true;
    }
    return false;
}

static int32_t lowest_threshold(const struct kin_workflow *w)
{
    return w->model ? w->model->thresholds[w->model->threshold_count - 1].weight : 0;
}

/* By rule, then by weight. */
static void take_best(struct kin_component_result *r, uint32_t at, uint16_t rule, int32_t weight)
{
    if (rule > r->best_rule[at] || (rule == r->best_rule[at] && weight <= r->best_weight[at]))
        return;
    r->best_rule[at] = rule;
    r->best_weight[at] = weight;
}

struct star_scratch {
    uint32_t *seen, *first; /* by group: members of the star; the first of them */
    uint8_t *mixed;         /* by group: it has a pair of the star */
};

/* Of a star: any other member in the group, with pairs: across_sources one of another source. */
static void best_of_star(const struct kin_workflow *w, const struct kin_linkage_component *c,
                         const struct kin_linkage_star *star, const uint32_t *group,
                         struct star_scratch *s, struct kin_component_result *r)
{
    for (uint32_t i = 0; i < star->count; i++) {
        uint32_t at = star->members[i], g = group[at];
        s->mixed[g] = s->seen[g] && (s->mixed[g] || !w->across_sources ||
                                     c->source[at] != c->source[s->first[g]]);
        s->first[g] = s->seen[g] ? s->first[g] : at;
        s->seen[g]++;
    }
    for (uint32_t i = 0; i < star->count; i++) {
        uint32_t at = star->members[i];
        if (s->mixed[group[at]])
            take_best(r, at, star->rule, 0);
    }
    for (uint32_t i = 0; i < star->count; i++)
        s->seen[group[star->members[i]]] = s->mixed[group[star->members[i]]] = 0;
}

/* The best edge of each member inside its group. */
static kin_status find_best(struct kin_arena *arena, const struct kin_workflow *w,
                            const struct kin_linkage_component *c, const uint32_t *group,
                            struct kin_component_result *r)
{
    struct star_scratch s = {kin_arena_calloc(arena, c->count, sizeof *s.seen),
                             kin_arena_calloc(arena, c->count, sizeof *s.first),
                             kin_arena_calloc(arena, c->count, 1)};
    r->best_rule = kin_arena_calloc(arena, c->count, sizeof *r->best_rule);
    r->best_weight = kin_arena_calloc(arena, c->count, sizeof *r->best_weight);
    if (!s.seen || !s.first || !s.mixed || !r->best_rule || !r->best_weight)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < c->count; i++)
        r->best_rule[i] = UINT16_MAX;
    for (size_t i = 0; i < c->edge_count; i++) {
        const struct kin_linkage_edge *e = &c->edges[i];
        bool model = e->rule == KIN_LINKAGE_MODEL;
        if (group[e->a] != group[e->b] || (model && e->weight < lowest_threshold(w)))
            continue;
        uint16_t rule = model ? (uint16_t)w->rule_count : e->rule;
        take_best(r, e->a, rule, model ? e->weight : 0);
        take_best(r, e->b, rule, model ? e->weight : 0);
    }
    for (size_t i = 0; i < c->star_count; i++)
        best_of_star(w, c, &c->stars[i], group, &s, r);
    return KIN_OK;
}

static kin_status cluster_by_linkage(struct kin_arena *arena, const struct kin_workflow *w,
                                     const struct kin_linkage_component *c,
                                     struct kin_component_result *out)
{
    int32_t thresholds[KIN_THRESHOLDS_MAX] = {0};
    size_t levels = w->model ? w->model->threshold_count : 1;
    size_t primary = w->model ? w->model->primary : 0;
    for (size_t i = 0; w->model && i < levels; i++)
        thresholds[i] = w->model->thresholds[i].weight;
    struct kin_linkage_result result;
    struct kin_linkage_options options = {
        .method = w->cluster == KIN_CLUSTER_LINKAGE ? KIN_LINKAGE_AVERAGE : KIN_LINKAGE_CONNECTED,
        .across_sources = w->across_sources,
        .clean = w->clean,
        .clean_count = w->clean_count,
        .thresholds = thresholds,
        .threshold_count = levels,
        .floor = kin_linkage_floor(lowest_threshold(w)),
        .unscored = kin_linkage_floor(lowest_threshold(w))};
    kin_status status = kin_linkage_cluster(arena, c, &options, &result);
    if (status != KIN_OK)
        return status;
    out->refused = result.refused_links + result.refused_merges;
    out->unchecked = result.unchecked;
    out->group = result.group;
    out->levels = (unsigned)levels;
    return find_best(arena, w, c, result.group + primary * c->count, out);
}

kin_status kin_component_cluster(struct kin_arena *arena, const struct kin_workflow *workflow,
                                 const struct kin_linkage_component *c,
                                 const uint8_t *const *members, struct kin_kernel_scratch *scratch,
                                 struct kin_component_result *out)
{
    struct kin_component_result result = {.levels = 1};
    kin_status status;
    if (members && kin_workflow_only_vetoes(workflow) && !c->must_count && !c->never_count) {
        status = cluster_by_vetoes(arena, workflow, c, members, scratch, &result);
    } else {
        struct kin_linkage_component whole = *c;
        struct never_check never = {workflow, members, scratch};
        uint16_t *source = members ? kin_arena_calloc(arena, c->count, sizeof *source) : NULL;
        if (members && !source)
            return KIN_E_NOMEM;
        for (uint32_t i = 0; source && i < c->count; i++)
            source[i] = kin_features_source(members[i]);
        if (source)
            whole.source = source;
        if (members && workflow->never_count) {
            whole.forbidden = is_forbidden;
            whole.forbidden_arg = &never;
        }
        status = cluster_by_linkage(arena, workflow, &whole, &result);
    }
    if (status == KIN_OK)
        *out = result;
    return status;
}
