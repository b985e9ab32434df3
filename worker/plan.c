#include "worker/impl.h"

#include "common/match/job_plan.h"

#include <string.h>

/* The plan: oversized keys, and where there is a model, it and the value frequencies it needs. It
 * comes in parts and is taken up when the last one is there. Another plan takes the place of the
 * one before, and the match begins anew. Payload, all parts together: common/match/job_plan.h. */

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

static kin_status install_model(struct worker_job *job, struct kin_str text)
{
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_model_tables tables;
    struct kin_err err;
    kin_status status = kin_model_read(text.p, text.n, &arena, &model, &err);
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
    size_t comparisons = job->comparer ? job->workflow->model->comparison_count : 0;
    struct kin_job_plan plan;
    kin_status status = kin_job_plan_read(job->plan_bytes.p, job->plan_bytes.n, comparisons, &plan);
    if (status != KIN_OK)
        return status;
    kin_model_decider_free(job->model_decider); /* it borrows the counts */
    job->model_decider = NULL;
    status = install_keys(job, plan.keys, plan.key_count);
    kin_value_counts_deinit(&job->value_counts);
    if (status == KIN_OK)
        status = kin_job_plan_counts(&plan, job->comparer, &job->value_counts);
    if (status == KIN_OK && plan.model.n)
        status = install_model(job, plan.model);
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
