#include "worker/impl.h"

#include "common/match/compare_tokens.h"

#include <string.h>

/* The plan: oversized keys, and where there is a model, it and the value frequencies it needs. It
 * comes in parts and is taken up when the last one is there. Another plan takes the place of the
 * one before, and the match begins anew.
 *
 * Payload, all parts together: u32 oversized keys, u32 bytes of the model (JSON), u32 comparisons
 * with value frequencies, u32 comparisons with token frequencies; the keys, u64 each, ascending;
 * the model, padded to 8; for each of the first comparisons u64 records with a value, u64 n, n
 * times u64 hash, u64 records; and likewise the tokens of each of the first comparisons. */

static kin_status install_keys(struct worker_job *job, const uint8_t *keys, size_t count)
{
    size_t size = 16;
    while (size < 2 * count + 2)
        size *= 2;
    uint64_t *set = kin_calloc(size, sizeof *set);
    if (!set)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        uint64_t key = kin_le64(keys + 8 * i);
        size_t at = kin_hash_mix(key, 0) & (size - 1);
        while (set[at] && set[at] != key)
            at = (at + 1) & (size - 1);
        set[at] = key;
    }
    kin_free(job->plan_set);
    job->plan_set = set;
    job->plan_mask = size - 1;
    return KIN_OK;
}

/* Of the values of the first comparisons, or of their tokens. */
static kin_status install_counts(struct worker_job *job, struct kin_cursor *at, uint32_t count,
                                 bool tokens)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t total = kin_cursor_u64(at), n = kin_cursor_u64(at);
        const uint8_t *p =
            n <= kin_cursor_left(at) / 16 ? kin_cursor_take(at, 16 * (size_t)n) : NULL;
        struct kin_value_count *items = kin_reallocarray(NULL, (size_t)n, sizeof *items);
        kin_status status = !p || at->bad ? KIN_E_PROTO : items ? KIN_OK : KIN_E_NOMEM;
        for (uint64_t k = 0; status == KIN_OK && k < n; k++)
            items[k] = (struct kin_value_count){kin_le64(p + 16 * k), kin_le64(p + 16 * k + 8)};
        if (status == KIN_OK && tokens)
            status = kin_comparer_set_tokens(job->comparer, i, total, items, (size_t)n);
        else if (status == KIN_OK)
            status = kin_value_counts_set(&job->value_counts, i, total, items, (size_t)n);
        kin_free(items);
        if (status != KIN_OK)
            return status;
    }
    return KIN_OK;
}

static kin_status install_model(struct worker_job *job, const uint8_t *text, size_t bytes)
{
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_model_tables tables;
    struct kin_err err;
    kin_status status = kin_model_read(text, bytes, &arena, &model, &err);
    if (status == KIN_OK)
        status = kin_comparer_check_model(job->comparer, &model.spec, &err);
    if (status == KIN_OK) {
        kin_model_tables(&model, &tables);
        kin_model_decider_free(job->model_decider);
        job->model_decider = NULL;
        status = kin_model_decider_new(job->comparer, &tables, &job->value_counts,
                                       &job->model_decider, &err);
    }
    kin_arena_deinit(&arena);
    return status;
}

kin_status worker_plan_install(struct worker_job *job)
{
    struct kin_cursor at = kin_cursor_of(job->plan_bytes.p, job->plan_bytes.n);
    uint32_t keys = kin_cursor_u32(&at), model = kin_cursor_u32(&at), counts = kin_cursor_u32(&at);
    uint32_t tokens = kin_cursor_u32(&at), most = 0;
    if (job->comparer)
        most = (uint32_t)job->workflow->model->comparison_count;
    const uint8_t *key_bytes =
        keys <= kin_cursor_left(&at) / 8 ? kin_cursor_take(&at, 8 * (size_t)keys) : NULL;
    const uint8_t *text = kin_cursor_take(&at, model);
    kin_cursor_take(&at, (8 - model % 8) % 8);
    if (at.bad || !key_bytes || (model && !text) || counts > most || tokens > most ||
        (model && !job->comparer))
        return KIN_E_PROTO;
    kin_model_decider_free(job->model_decider); /* it borrows the counts */
    job->model_decider = NULL;
    kin_status status = install_keys(job, key_bytes, keys);
    kin_value_counts_deinit(&job->value_counts);
    if (status == KIN_OK)
        status = install_counts(job, &at, counts, false);
    if (status == KIN_OK)
        status = install_counts(job, &at, tokens, true);
    if (status == KIN_OK && model)
        status = install_model(job, text, model);
    return status;
}

void worker_job_on_plan(struct worker_job *job, const struct kin_message *m, struct kin_frame *f)
{
    uint32_t part = m->u.plan.part, parts = m->u.plan.parts;
    kin_status status = KIN_OK;
    if (job->settle_state != STEP_DONE || job->match_state == STEP_RUNNING ||
        job->count_state == STEP_RUNNING)
        return;
    if (job->plan != m->u.plan.plan) { /* another plan: from its first part */
        kin_buf_clear(&job->plan_bytes);
        job->plan_parts = 0;
        job->plan_installed = false;
        job->plan = m->u.plan.plan;
        job->match_state = job->count_state = STEP_IDLE;
    }
    if (part > job->plan_parts)
        return;
    if (part == job->plan_parts)
        status = worker_take_part(&job->plan_bytes, &job->plan_parts, f);
    if (status == KIN_OK && part + 1 == parts && job->plan_parts == parts && !job->plan_installed) {
        status = worker_plan_install(job); /* again if it is repeated: memory may have run out */
        job->plan_installed = status == KIN_OK;
    }
    worker_reply_step(job->worker, job->id, KIN_MSG_PLAN, m->request, status,
                      status == KIN_OK ? "" : kin_status_text(status));
}

void worker_plan_free(struct worker_job *job)
{
    kin_buf_deinit(&job->plan_bytes);
    kin_free(job->plan_set);
    job->plan_set = NULL;
    kin_model_decider_free(job->model_decider);
    job->model_decider = NULL;
    kin_value_counts_deinit(&job->value_counts);
    kin_comparer_free(job->comparer);
    job->comparer = NULL;
}
