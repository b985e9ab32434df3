#include "tests/oracle/oracle_impl.h"

#include <string.h>

/* What comes after a batch, under the plan that the batch made. */

struct windowed { /* a pair that a window of the base found: records of the base, a < b */
    int a, b, rule;
    int32_t weight;
};

struct oracle_plan {
    const struct kin_workflow *workflow;
    struct oracle_strings oversized;
    struct oracle_weighing weighing;
    struct windowed *windowed;
    int windowed_count, base_count;
};

static void keep_windowed(struct oracle_plan *plan, const struct oracle *found)
{
    int n = found->count;
    plan->windowed = calloc((size_t)n * (size_t)n + 1, sizeof *plan->windowed);
    CHECK(plan->windowed);
    for (int a = 0; a < n; a++) {
        for (int b = a + 1; b < n; b++) {
            if (found->edge[a * n + b] >= 0)
                plan->windowed[plan->windowed_count++] =
                    (struct windowed){a, b, found->edge[a * n + b], found->weight[a * n + b]};
        }
    }
}

struct oracle_plan *oracle_plan_new(const struct oracle *base)
{
    struct oracle_plan *plan = calloc(1, sizeof *plan);
    struct oracle found = *base; /* borrows the records; what is found is its own */
    struct oracle_planning p;
    CHECK(plan);
    oracle_begin(&p, &found, &plan->weighing);
    oracle_prepare_model(&found, &plan->weighing);
    for (size_t k = 0; k < found.workflow->block_key_count; k++)
        oracle_plan_rule(&p, &found.workflow->keys[k]);
    oracle_score_windows(&p);
    keep_windowed(plan, &found);
    plan->workflow = base->workflow;
    plan->base_count = base->count;
    plan->oversized = p.oversized;
    p.oversized = (struct oracle_strings){0};
    oracle_end(&p);
    free(found.edge);
    free(found.weight);
    free(found.must);
    free(found.never);
    return plan;
}

void oracle_plan_free(struct oracle_plan *plan)
{
    oracle_weighing_deinit(&plan->weighing);
    free(plan->oversized.s);
    free(plan->windowed);
    free(plan);
}

int oracle_plan_oversized(const struct oracle_plan *plan)
{
    return plan->oversized.count;
}

/* The ordinary keys that a key comes to; true: one that is windowed, too. */
static bool follow(const struct oracle_plan *plan, const struct oracle_record *r,
                   const struct kin_key_rule *rule, const char *key, size_t depth,
                   struct oracle_strings *out)
{
    const struct kin_workflow *w = plan->workflow;
    if (!oracle_has_string(&plan->oversized, key)) {
        oracle_add_string(out, key);
        return false;
    }
    depth = oracle_refining(w, rule, depth);
    if (depth == w->refine_count)
        return true;
    struct kin_key_term bare = {.fn = KIN_KEY_VALUE, .field = w->refine[depth]};
    struct oracle_strings values = {0};
    oracle_term_strings(r, &bare, &values);
    bool windowed = values.count == 0;
    for (int v = 0; v < values.count; v++) {
        char child[256];
        oracle_child_key(child, key, depth, values.s[v]);
        windowed = follow(plan, r, rule, child, depth + 1, out) || windowed;
    }
    free(values.s);
    return windowed;
}

/* Under which keys a record is compared. */
static bool ordinary_keys(const struct oracle_plan *plan, const struct oracle_record *r,
                          struct oracle_strings *out)
{
    bool windowed = false;
    for (size_t k = 0; k < plan->workflow->block_key_count; k++) {
        const struct kin_key_rule *rule = &plan->workflow->keys[k];
        struct oracle_strings keys = {0};
        oracle_rule_strings(r, rule, &keys);
        for (int i = 0; i < keys.count; i++)
            windowed = follow(plan, r, rule, keys.s[i], 0, out) || windowed;
        free(keys.s);
    }
    return windowed;
}

static void recall_windowed(struct oracle *o, const struct oracle_plan *plan)
{
    int *at = calloc((size_t)plan->base_count + 1, sizeof *at); /* from 1; 0: it is no more */
    CHECK(at);
    for (int i = 0; i < o->count; i++) {
        CHECK(o->records[i].base <= plan->base_count);
        if (o->records[i].base > 0)
            at[o->records[i].base - 1] = i + 1;
    }
    for (int k = 0; k < plan->windowed_count; k++) {
        const struct windowed *w = &plan->windowed[k];
        int a = at[w->a] - 1, b = at[w->b] - 1;
        if (a < 0 || b < 0)
            continue;
        oracle_set_edge(o, a, b, w->rule);
        o->weight[(a < b ? a : b) * o->count + (a < b ? b : a)] = w->weight;
    }
    free(at);
}

void oracle_run_under(struct oracle *o, struct oracle_plan *plan)
{
    struct oracle_planning p;
    oracle_begin(&p, o, &plan->weighing);
    for (int i = 0; i < o->count; i++) {
        for (int j = 0; j < i; j++)
            CHECK(oracle_cmp_identity(&o->records[i], &o->records[j]) != 0);
        oracle_build_features(o, &o->records[i]);
        o->windowed += ordinary_keys(plan, &o->records[i], &p.ordinary[i]);
    }
    oracle_find_links(o);
    oracle_score_ordinary(&p);
    recall_windowed(o, plan);
    oracle_add_stars(o);
    oracle_group(&p);
    oracle_describe(&p);
    oracle_end(&p);
}

/* ---- lookups ---- */

static bool shares_star(const struct oracle_record *a, const struct oracle_record *b,
                        const struct kin_key_rule *rule)
{
    struct oracle_strings x = {0}, y = {0};
    oracle_rule_strings(a, rule, &x);
    oracle_rule_strings(b, rule, &y);
    bool share = oracle_share_string(&x, &y);
    free(x.s);
    free(y.s);
    return share;
}

/* How two records match that share an ordinary key. */
static void decide(const struct oracle_plan *plan, const struct oracle_record *a,
                   const struct oracle_record *b, struct kin_kernel_scratch *scratch,
                   struct oracle_hit *hit)
{
    const struct kin_workflow *w = plan->workflow;
    const struct oracle_weighing *weighing = &plan->weighing;
    for (size_t r = 0; r < w->rule_count && hit->rule < 0; r++) {
        if (kin_condition_eval(w->rules[r].condition, a->features, b->features, scratch) ==
            KIN_TRUE)
            hit->rule = (int)r;
    }
    if (hit->rule >= 0 || !weighing->decider)
        return;
    hit->weight =
        kin_model_decider_weight(weighing->decider, weighing->scratch, a->features, b->features);
    if (hit->weight >= w->model->thresholds[w->model->primary].weight)
        hit->rule = (int)w->rule_count;
}

void oracle_look(struct oracle *o, const struct oracle_plan *plan, struct oracle_record *r,
                 bool of_source, struct oracle_hit *hits)
{
    const struct kin_workflow *w = o->workflow;
    struct kin_kernel_scratch *scratch = kin_kernel_scratch_new();
    struct oracle_strings mine = {0};
    CHECK(scratch);
    oracle_build_features(o, r);
    ordinary_keys(plan, r, &mine);
    for (int i = 0; i < o->count; i++) {
        const struct oracle_record *x = &o->records[i];
        struct oracle_strings keys = {0};
        hits[i] = (struct oracle_hit){.rule = -1};
        for (size_t n = 0; n < w->never_count; n++)
            hits[i].forbidden =
                hits[i].forbidden || kin_condition_eval(w->never[n].condition, r->features,
                                                        x->features, scratch) == KIN_TRUE;
        if (w->across_sources && of_source && x->source == r->source)
            continue;
        ordinary_keys(plan, x, &keys);
        if (oracle_share_string(&mine, &keys))
            decide(plan, r, x, scratch, &hits[i]);
        free(keys.s);
        for (size_t k = w->block_key_count; k < w->key_count; k++) {
            int rule = w->keys[k].match_rule;
            if ((hits[i].rule < 0 || rule < hits[i].rule) && shares_star(r, x, &w->keys[k]))
                hits[i].rule = rule;
        }
    }
    free(mine.s);
    kin_kernel_scratch_free(scratch);
}
