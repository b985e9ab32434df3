#include "common/group/linkage_impl.h"
#include "common/group/union_find.h"

/* ---- what is asked for ---- */

static bool thresholds_valid(const struct kin_linkage_options *o)
{
    if (o->threshold_count == 0 || o->threshold_count > KIN_LINKAGE_THRESHOLDS_MAX)
        return false;
    for (size_t i = 1; i < o->threshold_count; i++) {
        if (o->thresholds[i] >= o->thresholds[i - 1])
            return false;
    }
    if (o->method == KIN_LINKAGE_CONNECTED)
        return true;
    int64_t lowest = o->thresholds[o->threshold_count - 1];
    return lowest <= KIN_LINKAGE_WEIGHT_MAX && o->floor >= -KIN_LINKAGE_WEIGHT_MAX &&
           o->unscored >= -KIN_LINKAGE_WEIGHT_MAX && o->floor <= lowest - KIN_LINKAGE_BIT &&
           o->unscored <= lowest - KIN_LINKAGE_BIT;
}

bool kin_linkage_options_valid(const struct kin_linkage_component *c,
                               const struct kin_linkage_options *o)
{
    if ((o->method != KIN_LINKAGE_CONNECTED && o->method != KIN_LINKAGE_AVERAGE) ||
        !thresholds_valid(o))
        return false;
    for (size_t i = 1; i < o->clean_count; i++) {
        if (o->clean[i] <= o->clean[i - 1])
            return false;
    }
    return c->source || c->count == 0 || (o->clean_count == 0 && !o->across_sources);
}

/* ---- what comes out ---- */

/* A cut of the dendrogram: the merges from a threshold up. The merges below a merge weigh no less
 * than it does, so a cut has all that it stands on. */
static kin_status cut(const struct kin_linkage_state *s, int32_t threshold, uint32_t *group)
{
    struct kin_union_find sets;
    if (kin_union_find_init(&sets, s->c->count) != KIN_OK)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < s->merge_count; i++) {
        if (s->merges[i].weight >= threshold)
            kin_union_find_join(&sets, s->merges[i].a, s->merges[i].b);
    }
    for (uint32_t i = 0; i < s->c->count; i++)
        group[i] = kin_union_find_root(&sets, i);
    kin_union_find_deinit(&sets);
    return KIN_OK;
}

/* Groups that the members of a star are in, less one; none where nobody in it has a match. seen:
 * all clear before and after. */
static uint64_t star_refusals(const struct kin_linkage_state *s, const struct kin_linkage_links *l,
                              size_t star, const uint32_t *group, bool *seen)
{
    uint64_t groups = 0;
    bool matched = !s->o->across_sources;
    for (uint32_t i = l->begin[star]; i < l->begin[star + 1]; i++) {
        uint32_t member = l->members[i];
        groups += !seen[group[member]];
        seen[group[member]] = true;
        matched = matched || s->c->source[member] != s->c->source[l->members[l->begin[star]]];
    }
    for (uint32_t i = l->begin[star]; i < l->begin[star + 1]; i++)
        seen[group[l->members[i]]] = false;
    return matched ? groups - 1 : 0;
}

static kin_status count_refused(const struct kin_linkage_state *s,
                                const struct kin_linkage_links *l, const uint32_t *group,
                                uint64_t *refused)
{
    *refused = 0;
    for (size_t i = 0; i < l->tie_count; i++) {
        const struct kin_linkage_tie *t = &l->ties[i];
        bool counts = t->rank != KIN_LINKAGE_RANK_MODEL ||
                      (s->o->method == KIN_LINKAGE_CONNECTED && t->weight >= s->lowest);
        *refused += counts && group[t->a] != group[t->b];
    }
    if (s->c->star_count == 0)
        return KIN_OK;
    bool *seen = kin_calloc(s->c->count, sizeof *seen);
    if (!seen)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < s->c->star_count; i++)
        *refused += star_refusals(s, l, i, group, seen);
    kin_free(seen);
    return KIN_OK;
}

static kin_status put_result(struct kin_linkage_state *s, const struct kin_linkage_links *l,
                             struct kin_arena *arena, struct kin_linkage_result *r)
{
    uint32_t n = s->c->count;
    size_t rows = s->o->threshold_count;
    *r = (struct kin_linkage_result){.merges = s->merges,
                                     .merge_count = s->merge_count,
                                     .refused_merges = s->refused_merges,
                                     .unchecked = s->unchecked,
                                     .flags = s->flags};
    r->group = kin_arena_alloc(arena, rows * n * sizeof *r->group);
    if (!r->group)
        return KIN_E_NOMEM;
    kin_status status = KIN_OK;
    for (size_t t = 0; t < rows && status == KIN_OK; t++)
        status = cut(s, s->o->thresholds[t], r->group + t * n);
    if (status == KIN_OK)
        status = count_refused(s, l, r->group + (rows - 1) * n, &r->refused_links);
    return status;
}

kin_status kin_linkage_cluster(struct kin_arena *arena, const struct kin_linkage_component *c,
                               const struct kin_linkage_options *options,
                               struct kin_linkage_result *out)
{
    struct kin_linkage_links links = {0};
    struct kin_linkage_state s = {0};
    struct kin_linkage_result result = {0};
    if (!kin_linkage_options_valid(c, options))
        return KIN_E_INVAL;
    kin_status status = kin_linkage_links_init(&links, c);
    if (status == KIN_OK && c->count) {
        status = kin_linkage_state_init(&s, c, options, arena);
        if (status == KIN_OK)
            status = kin_linkage_unite(&s, &links,
                                       options->method == KIN_LINKAGE_CONNECTED
                                           ? KIN_LINKAGE_RANK_MODEL
                                           : KIN_LINKAGE_RANK_MODEL - 1);
        if (status == KIN_OK && options->method == KIN_LINKAGE_AVERAGE)
            status = kin_linkage_average(&s, &links);
        if (status == KIN_OK)
            status = put_result(&s, &links, arena, &result);
        kin_linkage_state_deinit(&s);
    }
    kin_linkage_links_deinit(&links);
    if (status == KIN_OK)
        *out = result;
    return status;
}
