#include "tests/oracle/oracle_impl.h"

#include "tests/oracle/linkage_reference.h"

#include <string.h>

/* ---- links ---- */

static int find_record(const struct oracle *o, uint32_t source, const char *id)
{
    for (int i = 0; i < o->count; i++) {
        const struct oracle_record *r = &o->records[i];
        if (!r->dead && r->source == source && strcmp(r->id, id) == 0)
            return i;
    }
    return -1;
}

void oracle_find_links(struct oracle *o)
{
    for (int l = 0; l < o->link_count; l++) {
        const struct oracle_link *link = &o->links[l];
        int a = find_record(o, link->source[0], link->id[0]),
            b = find_record(o, link->source[1], link->id[1]);
        if (a < 0 || b < 0) {
            o->links_unknown++;
            continue;
        }
        bool *of = link->never ? o->never : o->must;
        of[a * o->count + b] = of[b * o->count + a] = true;
        o->links_never += link->never;
        o->links_must += !link->never;
    }
}

/* ---- groups ---- */

static void relabel(struct oracle *o, int from, int to)
{
    for (int i = 0; i < o->count; i++) {
        if (o->records[i].group == from)
            o->records[i].group = to;
    }
}

bool oracle_forbidden(const struct oracle *o, int a, int b, struct kin_kernel_scratch *scratch)
{
    if (o->never_unchecked)
        return false;
    for (size_t r = 0; r < o->workflow->never_count; r++) {
        if (kin_condition_eval(o->workflow->never[r].condition, o->records[a].features,
                               o->records[b].features, scratch) == KIN_TRUE)
            return true;
    }
    return false;
}

static bool may_join(const struct oracle *o, int x, int y, struct kin_kernel_scratch *scratch)
{
    for (int i = 0; i < o->count; i++) {
        for (int j = 0; j < o->count && o->records[i].group == x; j++) {
            if (o->records[j].group == y && oracle_forbidden(o, i, j, scratch))
                return false;
        }
    }
    return true;
}

/* The edges of one component in their order of strength, each tried once. */
static void rebuild(struct oracle *o, const int *component, int root,
                    struct kin_kernel_scratch *scratch)
{
    int n = 0, *order = calloc((size_t)o->count, sizeof *order); /* members by (source, id) */
    CHECK(order);
    for (int i = 0; i < o->count; i++) {
        if (component[i] != root)
            continue;
        o->records[i].group = i;
        int at = n++;
        for (; at > 0 && oracle_cmp_identity(&o->records[order[at - 1]], &o->records[i]) > 0; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int rule = 0; rule < (int)o->workflow->rule_count; rule++) {
        for (int i = 0; i < n; i++) {
            for (int j = i + 1; j < n; j++) {
                int a = order[i] < order[j] ? order[i] : order[j], b = order[i] + order[j] - a;
                int x = o->records[a].group, y = o->records[b].group;
                if (o->edge[a * o->count + b] == rule && x != y && may_join(o, x, y, scratch))
                    relabel(o, x > y ? x : y, x < y ? x : y);
            }
        }
    }
    free(order);
}

static void apply_vetoes(struct oracle *o, const int *component, int root,
                         struct kin_kernel_scratch *scratch)
{
    uint32_t n = 0;
    bool violated = false;
    for (int i = 0; i < o->count; i++) {
        n += component[i] == root;
        for (int j = i + 1; j < o->count && component[i] == root; j++)
            violated = violated || (component[j] == root && oracle_forbidden(o, i, j, scratch));
    }
    if (violated && n <= o->workflow->limits.max_veto_group)
        rebuild(o, component, root, scratch);
}

/* An edge that makes one group of its ends. */
bool oracle_joins(const struct oracle_planning *p, int a, int b)
{
    const struct oracle *o = p->o;
    int at = (a < b ? a : b) * o->count + (a < b ? b : a), rule = o->edge[at];
    return rule >= 0 &&
           (rule < (int)o->workflow->rule_count || o->weight[at] >= p->weighing->threshold);
}

struct inside {
    const struct oracle *o;
    const int *order;
    struct kin_kernel_scratch *scratch;
};

static bool inside_forbidden(void *arg, uint32_t a, uint32_t b)
{
    const struct inside *k = arg;
    return oracle_forbidden(k->o, k->order[a], k->order[b], k->scratch);
}

/* One component, by the reference of the clustering. */
static void cluster(struct oracle_planning *p, const int *component, int root)
{
    struct oracle *o = p->o;
    const struct kin_workflow *w = o->workflow;
    int order[LINKAGE_REFERENCE_MAX], n = 0;
    uint16_t source[LINKAGE_REFERENCE_MAX];
    static struct kin_linkage_edge edges[LINKAGE_REFERENCE_MAX * LINKAGE_REFERENCE_MAX];
    static struct linkage_reference found;
    static struct kin_linkage_pair must[LINKAGE_REFERENCE_MAX * LINKAGE_REFERENCE_MAX];
    static struct kin_linkage_pair never[LINKAGE_REFERENCE_MAX * LINKAGE_REFERENCE_MAX];
    size_t edge_count = 0, must_count = 0, never_count = 0;
    for (int i = 0; i < o->count; i++) {
        if (component[i] != root)
            continue;
        CHECK(n < LINKAGE_REFERENCE_MAX);
        int at = n++;
        for (; at > 0 && oracle_cmp_identity(&o->records[order[at - 1]], &o->records[i]) > 0; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int i = 0; i < n; i++) {
        source[i] = (uint16_t)o->records[order[i]].source;
        for (int j = i + 1; j < n; j++) {
            int a = order[i] < order[j] ? order[i] : order[j], b = order[i] + order[j] - a;
            int rule = o->edge[a * o->count + b];
            bool model = rule == (int)w->rule_count;
            if (o->must[a * o->count + b])
                must[must_count++] = (struct kin_linkage_pair){(uint32_t)i, (uint32_t)j};
            if (o->never[a * o->count + b])
                never[never_count++] = (struct kin_linkage_pair){(uint32_t)i, (uint32_t)j};
            if (rule >= 0)
                edges[edge_count++] = (struct kin_linkage_edge){
                    (uint32_t)i, (uint32_t)j,
                    model ? o->weight[a * o->count + b] : KIN_LINKAGE_CERTAIN,
                    model ? KIN_LINKAGE_MODEL : (uint16_t)rule};
        }
    }
    int32_t thresholds[4] = {0};
    size_t levels = w->model ? w->model->threshold_count : 1;
    size_t primary = w->model ? w->model->primary : 0;
    CHECK(levels <= 4);
    for (size_t i = 0; w->model && i < levels; i++)
        thresholds[i] = w->model->thresholds[i].weight;
    struct inside inside = {o, order, p->scratch};
    struct kin_linkage_component c = {.count = (uint32_t)n,
                                      .source = source,
                                      .edges = edges,
                                      .edge_count = edge_count,
                                      .must = must,
                                      .must_count = must_count,
                                      .never = never,
                                      .never_count = never_count,
                                      .forbidden = w->never_count ? inside_forbidden : NULL,
                                      .forbidden_arg = &inside};
    struct kin_linkage_options options = {
        .method = w->cluster == KIN_CLUSTER_LINKAGE ? KIN_LINKAGE_AVERAGE : KIN_LINKAGE_CONNECTED,
        .across_sources = w->across_sources,
        .clean = w->clean,
        .clean_count = w->clean_count,
        .thresholds = thresholds,
        .threshold_count = levels,
        .floor = kin_linkage_floor(p->weighing->threshold),
        .unscored = kin_linkage_floor(p->weighing->threshold)};
    linkage_reference_run(&c, &options, &found);
    for (int i = 0; i < n; i++) {
        int first = order[i];
        for (int j = 0; j < n; j++) {
            if (found.group[primary][j] == found.group[primary][i] && order[j] < first)
                first = order[j];
        }
        o->records[order[i]].group = first;
        for (size_t level = 0; level < levels; level++) /* items are in the order of founders */
            o->records[order[i]].level[level] = order[found.group[level][i]];
    }
}

/* Of a person, within the component. */
static bool has_link(const struct oracle *o, const int *component, int root)
{
    for (int i = 0; i < o->count; i++) {
        for (int j = 0; j < o->count && component[i] == root; j++) {
            if (component[j] == root && (o->must[i * o->count + j] || o->never[i * o->count + j]))
                return true;
        }
    }
    return false;
}

void oracle_group(struct oracle_planning *p)
{
    struct oracle *o = p->o;
    const struct kin_workflow *w = o->workflow;
    for (int i = 0; i < o->count; i++) {
        o->records[i].group = o->records[i].dead ? -1 : i;
        for (int level = 0; level < 4; level++)
            o->records[i].level[level] = i;
    }
    for (int i = 0; i < o->count; i++) {
        for (int j = i + 1; j < o->count; j++) {
            int x = o->records[i].group, y = o->records[j].group;
            if ((oracle_joins(p, i, j) || o->must[i * o->count + j]) && x != y)
                relabel(o, x > y ? x : y, x < y ? x : y);
        }
    }
    int *component = calloc((size_t)o->count + 1, sizeof *component);
    CHECK(component);
    for (int i = 0; i < o->count; i++)
        component[i] = o->records[i].group;
    for (int root = 0; root < o->count; root++) {
        if (component[root] != root)
            continue;
        bool linked = has_link(o, component, root);
        if (linked || (kin_workflow_clusters(w) && !kin_workflow_only_vetoes(w)))
            cluster(p, component, root);
        else if (w->never_count)
            apply_vetoes(o, component, root, p->scratch);
    }
    free(component);
}

void oracle_describe(const struct oracle_planning *p)
{
    struct oracle *o = p->o;
    for (int i = 0; i < o->count; i++) {
        struct oracle_record *r = &o->records[i];
        r->best_rule = -1;
        r->best_weight = INT32_MIN;
        r->founder = i;
        r->size = 0;
        for (int j = 0; j < o->count && r->group >= 0; j++) {
            if (o->records[j].group != r->group)
                continue;
            r->size++;
            if (oracle_cmp_identity(&o->records[j], &o->records[r->founder]) < 0)
                r->founder = j;
            int at = (i < j ? i : j) * o->count + (i < j ? j : i);
            r->linked = r->linked || o->must[at];
            if (i == j || !oracle_joins(p, i, j))
                continue;
            int rule = o->edge[at];
            if (r->best_rule < 0 || rule < r->best_rule ||
                (rule == r->best_rule && o->weight[at] > r->best_weight)) {
                r->best_rule = rule;
                r->best_weight = o->weight[at];
            }
            o->edges += i < j;
        }
    }
}
