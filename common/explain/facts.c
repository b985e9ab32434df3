#include "common/explain/explainer.h"

#include <stdlib.h>
#include <string.h>

/* What a job would decide of a pair, and whether it would ask. */

/* ---- blocking keys ---- */

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static const uint64_t *find_key(const struct kin_explain_blocks *blocks, uint64_t key)
{
    return blocks->count ? bsearch(&key, blocks->keys, blocks->count, sizeof *blocks->keys, by_u64)
                         : NULL;
}

uint64_t kin_explain_key_records(const struct kin_explain_blocks *blocks, uint64_t key)
{
    const uint64_t *found = blocks->records ? find_key(blocks, key) : NULL;
    return found ? blocks->records[found - blocks->keys] : 0;
}

bool kin_explain_key_oversized(const struct kin_workflow *w,
                               const struct kin_explain_blocks *blocks, uint64_t key)
{
    if (w->keys[kin_key_rule_number(key)].star)
        return false;
    return blocks->records ? kin_explain_key_records(blocks, key) > w->limits.max_block
                           : find_key(blocks, key) != NULL;
}

static bool same_star_values(const struct kin_key_rule *rule, const uint8_t *a, const uint8_t *b,
                             uint64_t key, bool *failed)
{
    struct kin_buf x = {0}, y = {0};
    bool same = kin_blocking_key_values(rule, a, key, &x) &&
                kin_blocking_key_values(rule, b, key, &y) && x.n == y.n &&
                memcmp(x.p, y.p, x.n) == 0;
    *failed = *failed || x.failed || y.failed;
    kin_buf_deinit(&x);
    kin_buf_deinit(&y);
    return same;
}

void kin_explain_common_keys(const struct kin_workflow *w, const uint8_t *a, const uint8_t *b,
                             struct kin_buf *out)
{
    unsigned n, m, i = 0, j = 0;
    const uint8_t *x = kin_features_keys(a, &n), *y = kin_features_keys(b, &m);
    while (i < n && j < m) {
        uint64_t p = kin_le64(x + 8 * (size_t)i), q = kin_le64(y + 8 * (size_t)j);
        unsigned number = kin_key_rule_number(p);
        if (p == q && number < w->key_count &&
            (!w->keys[number].star || same_star_values(&w->keys[number], a, b, p, &out->failed)))
            kin_buf_u64(out, p);
        i += p <= q;
        j += p >= q;
    }
}

/* ---- the decision ---- */

/* How the pair comes to be decided, by its common keys. *star: the rule of the first star. */
static enum kin_explain_compared how_compared(const struct kin_workflow *w, const uint64_t *keys,
                                              size_t count, const struct kin_explain_blocks *blocks,
                                              int *star)
{
    enum kin_explain_compared compared = KIN_EXPLAIN_NEVER;
    *star = -1;
    for (size_t i = 0; i < count; i++) {
        const struct kin_key_rule *rule = &w->keys[kin_key_rule_number(keys[i])];
        if (rule->star && *star < 0)
            *star = rule->match_rule; /* keys ascend by rule */
        else if (!rule->star && !kin_explain_key_oversized(w, blocks, keys[i]))
            compared = KIN_EXPLAIN_YES;
        else if (!rule->star && compared == KIN_EXPLAIN_NEVER)
            compared = KIN_EXPLAIN_MAYBE;
    }
    return compared != KIN_EXPLAIN_YES && *star >= 0 ? KIN_EXPLAIN_STAR : compared;
}

static bool is_clean(const struct kin_workflow *w, uint16_t source)
{
    for (size_t i = 0; i < w->clean_count; i++) {
        if (w->clean[i] == source)
            return true;
    }
    return false;
}

void kin_explain_facts(const struct kin_explainer *x, const uint8_t *a, const uint8_t *b,
                       const uint64_t *keys, size_t key_count,
                       const struct kin_explain_blocks *blocks, struct kin_explain_facts *out)
{
    const struct kin_workflow *w = x->workflow;
    uint16_t source = kin_features_source(a);
    bool same_source = source == kin_features_source(b) && source < w->source_count;
    int star;
    *out = (struct kin_explain_facts){.rule = -1, .never = -1};
    out->compared = how_compared(w, keys, key_count, blocks, &star);
    if (w->across_sources && same_source)
        out->compared = KIN_EXPLAIN_SOURCE;
    out->clean = same_source && is_clean(w, source);
    if (x->rules)
        out->rule = kin_decide(x->rules, x->rules_state, a, b);
    if (out->compared == KIN_EXPLAIN_STAR)
        out->rule = star;
    for (size_t i = 0; i < w->never_count && out->never < 0; i++) {
        if (kin_condition_eval(w->never[i].condition, a, b, x->kernels) == KIN_TRUE)
            out->never = (int)i;
    }
    if (x->decider)
        out->weight = kin_model_decider_weight(x->decider, x->scratch, a, b);
    bool decided = out->rule >= 0 || (x->decider && out->weight >= x->threshold->weight);
    out->matches =
        decided && out->compared != KIN_EXPLAIN_NEVER && out->compared != KIN_EXPLAIN_SOURCE;
}
