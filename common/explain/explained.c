#include "common/explain/explained_impl.h"

/* ---- gathering ---- */

static kin_status find_keys(struct kin_explained *p, struct kin_arena *arena,
                            const struct kin_buf *keys, const struct kin_explain_blocks *blocks)
{
    const struct kin_workflow *w = p->x->workflow;
    p->key_count = keys->n / sizeof(uint64_t);
    p->keys = kin_arena_calloc(arena, p->key_count, sizeof *p->keys);
    for (size_t i = 0; i < p->key_count && p->keys; i++) {
        uint64_t key = kin_le64(keys->p + 8 * i);
        p->keys[i] = (struct kin_explained_key){key, kin_explain_key_records(blocks, key),
                                                &w->keys[kin_key_rule_number(key)],
                                                kin_explain_key_oversized(w, blocks, key)};
    }
    return keys->failed || !p->keys ? KIN_E_NOMEM : KIN_OK;
}

static kin_status explain_rules(struct kin_explained *p, struct kin_arena *arena)
{
    const struct kin_workflow *w = p->x->workflow;
    p->rules = kin_arena_calloc(arena, w->rule_count + w->never_count, sizeof *p->rules);
    kin_status status = p->rules ? KIN_OK : KIN_E_NOMEM;
    for (size_t i = 0; i < w->rule_count + w->never_count && status == KIN_OK; i++) {
        bool never = i >= w->rule_count;
        struct kin_explained_rule *r = &p->rules[p->rule_count++];
        r->never = never;
        r->rule = never ? &w->never[i - w->rule_count] : &w->rules[i];
        status = kin_condition_explain(arena, &w->schema, r->rule->condition, p->a.features,
                                       p->b.features, p->x->kernels, &r->parts, &r->part_count);
    }
    return status;
}

kin_status kin_explained_make(const struct kin_explainer *x, struct kin_arena *arena,
                              const struct kin_explain_side *a, const struct kin_explain_side *b,
                              const struct kin_explain_blocks *blocks, struct kin_explained *out,
                              struct kin_err *err)
{
    struct kin_buf keys = {0};
    *out = (struct kin_explained){.x = x, .a = *a, .b = *b};
    kin_explain_common_keys(x->workflow, a->features, b->features, &keys);
    kin_status status = find_keys(out, arena, &keys, blocks);
    if (status == KIN_OK)
        status = explain_rules(out, arena);
    if (status == KIN_OK) {
        kin_explain_facts(x, a->features, b->features, (const uint64_t *)(const void *)keys.p,
                          out->key_count, blocks, &out->facts);
        if (x->decider)
            kin_model_decider_explain(x->decider, x->scratch, a->features, b->features,
                                      &out->model);
    }
    kin_buf_deinit(&keys);
    return status == KIN_OK ? status : kin_err_set(err, status, "%s", kin_status_text(status));
}

/* ---- the verdict ---- */

const char *explained_truth_word(enum kin_truth truth)
{
    return truth == KIN_TRUE ? "true" : truth == KIN_FALSE ? "false" : "unknown";
}

const char *explained_compared_word(const struct kin_explained *p)
{
    switch (p->facts.compared) {
    case KIN_EXPLAIN_NEVER:
        return "no_common_key";
    case KIN_EXPLAIN_SOURCE:
        return "same_source";
    case KIN_EXPLAIN_MAYBE:
        return "oversized_keys_only";
    case KIN_EXPLAIN_STAR:
        return "equal_values";
    case KIN_EXPLAIN_YES:
        break;
    }
    return "yes";
}

const char *explained_verdict_word(const struct kin_explained *p)
{
    const struct kin_explain_facts *f = &p->facts;
    if (f->never >= 0 || f->clean)
        return "kept_apart";
    if (f->compared == KIN_EXPLAIN_NEVER || f->compared == KIN_EXPLAIN_SOURCE)
        return "not_compared";
    if (!f->matches)
        return "no_match";
    return f->compared == KIN_EXPLAIN_MAYBE ? "perhaps" : "match";
}

static void put_decision(const struct kin_explained *p, struct kin_buf *out)
{
    const struct kin_explain_facts *f = &p->facts;
    const struct kin_explainer *e = p->x;
    if (f->rule >= 0)
        kin_buf_printf(out, "rule \"%s\" is true", e->workflow->rules[f->rule].name);
    else if (!e->decider)
        kin_buf_puts(out, "no rule is true");
    else
        kin_buf_printf(out, "%sthe model gives %.3f bits, probability %.6f; the threshold is %.3f",
                       e->workflow->rule_count ? "no rule is true, and " : "",
                       kin_explain_bits(f->weight), kin_weight_probability(f->weight),
                       kin_explain_bits(e->threshold->weight));
}

void explained_verdict(const struct kin_explained *p, struct kin_buf *out)
{
    const struct kin_explain_facts *f = &p->facts;
    const struct kin_workflow *w = p->x->workflow;
    bool decided = f->rule >= 0 || (p->x->decider && f->weight >= p->x->threshold->weight);
    if (f->compared == KIN_EXPLAIN_NEVER)
        kin_buf_puts(out, "Never compared: they have no blocking key in common. ");
    else if (f->compared == KIN_EXPLAIN_SOURCE)
        kin_buf_puts(out, "Never compared: both are of one source, and only pairs across sources "
                          "count. ");
    else if (f->compared == KIN_EXPLAIN_MAYBE)
        kin_buf_puts(out, "Compared only if they share a part of an oversized block, or stand near "
                          "each other in it. ");
    bool asked = f->compared != KIN_EXPLAIN_NEVER && f->compared != KIN_EXPLAIN_SOURCE;
    kin_buf_puts(out, decided ? asked ? "They match: " : "They would match: "
                      : asked ? "They do not match: "
                              : "They would not match: ");
    put_decision(p, out);
    kin_buf_puts(out, ".");
    if (f->never >= 0)
        kin_buf_printf(out, " But never in one MatchGroup: \"%s\" is true.",
                       w->never[f->never].name);
    else if (f->clean)
        kin_buf_puts(out, " But never in one MatchGroup: their source has no duplicates of its "
                          "own (clean_sources).");
}
