#include "common/match/job_plan.h"

kin_status kin_job_plan_read(const void *p, size_t n, size_t comparisons, struct kin_job_plan *out)
{
    struct kin_cursor at = kin_cursor_of(p, n);
    uint32_t keys = kin_cursor_u32(&at), model = kin_cursor_u32(&at);
    uint32_t values = kin_cursor_u32(&at), tokens = kin_cursor_u32(&at);
    const uint8_t *key_bytes =
        keys <= kin_cursor_left(&at) / 8 ? kin_cursor_take(&at, 8 * (size_t)keys) : NULL;
    const uint8_t *text = kin_cursor_take(&at, model);
    kin_cursor_take(&at, (8 - model % 8) % 8);
    if (at.bad || !key_bytes || (model && !text) || values > comparisons || tokens > comparisons ||
        (model && !comparisons))
        return KIN_E_PROTO;
    *out = (struct kin_job_plan){key_bytes, keys, {(const char *)text, model}, values, tokens, at};
    return KIN_OK;
}

/* Of the values of a comparison, or of its tokens. */
static kin_status take_list(struct kin_cursor *at, uint32_t comparison, bool tokens,
                            struct kin_comparer *comparer, struct kin_value_counts *values)
{
    uint64_t total = kin_cursor_u64(at), n = kin_cursor_u64(at);
    const uint8_t *p = n <= kin_cursor_left(at) / 16 ? kin_cursor_take(at, 16 * (size_t)n) : NULL;
    if (!p || at->bad)
        return KIN_E_PROTO;
    struct kin_value_count *items = kin_reallocarray(NULL, (size_t)n, sizeof *items);
    if (!items)
        return KIN_E_NOMEM;
    for (size_t k = 0; k < n; k++)
        items[k] = (struct kin_value_count){kin_le64(p + 16 * k), kin_le64(p + 16 * k + 8)};
    kin_status status = tokens
                            ? kin_comparer_set_tokens(comparer, comparison, total, items, (size_t)n)
                            : kin_value_counts_set(values, comparison, total, items, (size_t)n);
    kin_free(items);
    return status;
}

kin_status kin_job_plan_counts(const struct kin_job_plan *plan, struct kin_comparer *comparer,
                               struct kin_value_counts *values)
{
    struct kin_cursor at = plan->lists;
    kin_status status = KIN_OK;
    for (uint32_t i = 0; i < plan->values && status == KIN_OK; i++)
        status = take_list(&at, i, false, comparer, values);
    for (uint32_t i = 0; i < plan->tokens && status == KIN_OK; i++)
        status = take_list(&at, i, true, comparer, values);
    return status;
}
