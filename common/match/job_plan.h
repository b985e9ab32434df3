#ifndef KIN_MATCH_JOB_PLAN_H
#define KIN_MATCH_JOB_PLAN_H
/* The plan of a job, as whoever compares gets it: oversized keys, and where there is a model, it
 * and the frequencies it needs. Pure; any thread.
 *
 * Bytes: u32 oversized keys, u32 bytes of the model (JSON), u32 comparisons with value frequencies,
 * u32 comparisons with token frequencies; the keys, u64 each, ascending; the model, padded to 8;
 * for each of the first comparisons u64 records with a value, u64 n, n times u64 hash, u64 records;
 * and likewise the tokens of each of the first comparisons. */
#include "common/match/compare_tokens.h"

struct kin_job_plan {    /* borrows the bytes */
    const uint8_t *keys; /* u64 each, unaligned */
    size_t key_count;
    struct kin_str model;    /* n 0: none */
    uint32_t values, tokens; /* comparisons with lists */
    struct kin_cursor lists;
};

/* The bytes are not trusted. comparisons: that the workflow has; 0: it has no model.
 * KIN_E_PROTO: they are no plan, or not of such a workflow. */
kin_status kin_job_plan_read(const void *p, size_t n, size_t comparisons,
                             struct kin_job_plan *out) KIN_MUST_CHECK;
/* Gives the frequencies to the comparer and to values, both of which keep copies. comparer: of the
 * workflow, not in use meanwhile; NULL where it has no model. values: {0}, or as it was after a
 * failure. KIN_E_PROTO, KIN_E_NOMEM. */
kin_status kin_job_plan_counts(const struct kin_job_plan *plan, struct kin_comparer *comparer,
                               struct kin_value_counts *values) KIN_MUST_CHECK;

#endif
