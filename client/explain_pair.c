#include "client/explain_pair.h"

#include <string.h>

/* ---- gathering ---- */

static kin_status find_both(struct pair *p, struct kin_str name_a, struct kin_str name_b,
                            struct kin_err *err)
{
    struct kin_explain *e = p->e;
    struct kin_str source_a, source_b, ids[2];
    kin_record_name_split(e->workflow, name_a, &source_a, &ids[0]);
    kin_record_name_split(e->workflow, name_b, &source_b, &ids[1]);
    kin_status status = explain_read(e, ids, 2, err);
    if (status == KIN_OK)
        status = kin_records_find(&e->records, source_a, ids[0], &p->a, err);
    if (status == KIN_OK)
        status = kin_records_find(&e->records, source_b, ids[1], &p->b, err);
    if (status == KIN_OK && p->a == p->b)
        status = kin_err_set(err, KIN_E_INVAL, "both are the same record");
    return status;
}

static kin_status find_keys(struct pair *p, struct kin_buf *keys, struct explain_keys *sizes,
                            struct kin_err *err)
{
    const struct kin_workflow *w = p->e->workflow;
    explain_common_keys(w, p->a->features, p->b->features, keys);
    p->key_count = keys->n / sizeof(uint64_t);
    p->keys = kin_arena_calloc(&p->e->arena, p->key_count, sizeof *p->keys);
    uint64_t *counted = kin_arena_alloc(&p->e->arena, keys->n);
    if (keys->failed || !p->keys || !counted)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (keys->n)
        memcpy(counted, keys->p, keys->n);
    kin_status status = explain_count_keys(p->e, counted, p->key_count, sizes, err);
    for (size_t i = 0; i < p->key_count && status == KIN_OK; i++) {
        uint64_t key = kin_le64(keys->p + 8 * i);
        const struct kin_key_rule *rule = &w->keys[kin_key_rule_number(key)];
        uint64_t records = explain_key_records(sizes, key);
        p->keys[i] =
            (struct pair_key){key, records, rule, !rule->star && records > w->limits.max_block};
    }
    return status;
}

static kin_status explain_rules(struct pair *p, struct kin_err *err)
{
    const struct kin_workflow *w = p->e->workflow;
    p->rules = kin_arena_calloc(&p->e->arena, w->rule_count + w->never_count, sizeof *p->rules);
    kin_status status = p->rules ? KIN_OK : KIN_E_NOMEM;
    for (size_t i = 0; i < w->rule_count + w->never_count && status == KIN_OK; i++) {
        bool never = i >= w->rule_count;
        struct pair_rule *r = &p->rules[p->rule_count++];
        r->never = never;
        r->rule = never ? &w->never[i - w->rule_count] : &w->rules[i];
        status = kin_condition_explain(&p->e->arena, &w->schema, r->rule->condition, p->a->features,
                                       p->b->features, p->e->kernels, &r->parts, &r->part_count);
    }
    return status == KIN_OK ? status : kin_err_set(err, status, "out of memory");
}

kin_status kin_explain_pair(struct kin_explain *e, struct kin_str a, struct kin_str b, bool json,
                            struct kin_buf *out, struct kin_err *err)
{
    struct pair *p = kin_arena_calloc(&e->arena, 1, sizeof *p);
    struct kin_buf keys = {0};
    struct explain_keys sizes = {0};
    if (!p)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    p->e = e;
    kin_status status = find_both(p, a, b, err);
    if (status == KIN_OK)
        status = find_keys(p, &keys, &sizes, err);
    if (status == KIN_OK)
        status = explain_rules(p, err);
    if (status == KIN_OK) {
        explain_facts(e, p->a->features, p->b->features, (const uint64_t *)(const void *)keys.p,
                      p->key_count, &sizes, &p->facts);
        if (e->decider)
            kin_model_decider_explain(e->decider, e->scratch, p->a->features, p->b->features,
                                      &p->model);
        (json ? pair_put_json : pair_put_text)(p, out);
        if (out->failed)
            status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    kin_buf_deinit(&keys);
    return status;
}

/* ---- the verdict ---- */

const char *pair_truth_word(enum kin_truth truth)
{
    return truth == KIN_TRUE ? "true" : truth == KIN_FALSE ? "false" : "unknown";
}

const char *pair_compared_word(const struct pair *p)
{
    switch (p->facts.compared) {
    case EXPLAIN_NEVER:
        return "no_common_key";
    case EXPLAIN_SOURCE:
        return "same_source";
    case EXPLAIN_MAYBE:
        return "oversized_keys_only";
    case EXPLAIN_STAR:
        return "equal_values";
    case EXPLAIN_YES:
        break;
    }
    return "yes";
}

const char *pair_verdict_word(const struct pair *p)
{
    const struct explain_facts *f = &p->facts;
    if (f->never >= 0 || f->clean)
        return "kept_apart";
    if (f->compared == EXPLAIN_NEVER || f->compared == EXPLAIN_SOURCE)
        return "not_compared";
    if (!f->matches)
        return "no_match";
    return f->compared == EXPLAIN_MAYBE ? "perhaps" : "match";
}

static void put_decision(const struct pair *p, struct kin_buf *out)
{
    const struct explain_facts *f = &p->facts;
    const struct kin_explain *e = p->e;
    if (f->rule >= 0)
        kin_buf_printf(out, "rule \"%s\" is true", e->workflow->rules[f->rule].name);
    else if (!e->decider)
        kin_buf_puts(out, "no rule is true");
    else
        kin_buf_printf(out, "%sthe model gives %.3f bits, probability %.6f; the threshold is %.3f",
                       e->workflow->rule_count ? "no rule is true, and " : "",
                       explain_bits(f->weight), kin_weight_probability(f->weight),
                       explain_bits(e->threshold->weight));
}

void pair_verdict(const struct pair *p, struct kin_buf *out)
{
    const struct explain_facts *f = &p->facts;
    const struct kin_workflow *w = p->e->workflow;
    bool decided = f->rule >= 0 || (p->e->decider && f->weight >= p->e->threshold->weight);
    if (f->compared == EXPLAIN_NEVER)
        kin_buf_puts(out, "Never compared: they have no blocking key in common. ");
    else if (f->compared == EXPLAIN_SOURCE)
        kin_buf_puts(out, "Never compared: both are of one source, and only pairs across sources "
                          "count. ");
    else if (f->compared == EXPLAIN_MAYBE)
        kin_buf_puts(out, "Compared only if they share a part of an oversized block, or stand near "
                          "each other in it. ");
    bool asked = f->compared != EXPLAIN_NEVER && f->compared != EXPLAIN_SOURCE;
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
