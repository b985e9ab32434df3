#include "client/explain_impl.h"

/* What a job would decide of a pair, and whether it would ask. */

/* How the pair comes to be decided, by its common keys. *star: the rule of the first star. */
static enum explain_compared how_compared(const struct kin_workflow *w, const uint64_t *keys,
                                          size_t count, const struct explain_keys *sizes, int *star)
{
    enum explain_compared compared = EXPLAIN_NEVER;
    *star = -1;
    for (size_t i = 0; i < count; i++) {
        const struct kin_key_rule *rule = &w->keys[kin_key_rule_number(keys[i])];
        if (rule->star && *star < 0)
            *star = rule->match_rule; /* keys ascend by rule */
        else if (!rule->star && explain_key_records(sizes, keys[i]) <= w->limits.max_block)
            compared = EXPLAIN_YES;
        else if (!rule->star && compared == EXPLAIN_NEVER)
            compared = EXPLAIN_MAYBE;
    }
    return compared != EXPLAIN_YES && *star >= 0 ? EXPLAIN_STAR : compared;
}

static bool is_clean(const struct kin_workflow *w, uint16_t source)
{
    for (size_t i = 0; i < w->clean_count; i++) {
        if (w->clean[i] == source)
            return true;
    }
    return false;
}

void explain_facts(const struct kin_explain *e, const uint8_t *a, const uint8_t *b,
                   const uint64_t *keys, size_t key_count, const struct explain_keys *sizes,
                   struct explain_facts *out)
{
    const struct kin_workflow *w = e->workflow;
    bool same_source = kin_features_source(a) == kin_features_source(b);
    int star;
    *out = (struct explain_facts){.rule = -1, .never = -1};
    out->compared = how_compared(w, keys, key_count, sizes, &star);
    if (w->across_sources && same_source)
        out->compared = EXPLAIN_SOURCE;
    out->clean = same_source && is_clean(w, kin_features_source(a));
    if (e->rules)
        out->rule = kin_decide(e->rules, e->rules_state, a, b);
    if (out->compared == EXPLAIN_STAR)
        out->rule = star;
    for (size_t i = 0; i < w->never_count && out->never < 0; i++) {
        if (kin_condition_eval(w->never[i].condition, a, b, e->kernels) == KIN_TRUE)
            out->never = (int)i;
    }
    if (e->decider)
        out->weight = kin_model_decider_weight(e->decider, e->scratch, a, b);
    bool decided = out->rule >= 0 || (e->decider && out->weight >= e->threshold->weight);
    out->matches = decided && out->compared != EXPLAIN_NEVER && out->compared != EXPLAIN_SOURCE;
}

const char *explain_decider(const struct kin_explain *e, const struct explain_facts *f)
{
    return f->rule >= 0 ? e->workflow->rules[f->rule].name : "model";
}
