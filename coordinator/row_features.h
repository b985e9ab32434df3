#ifndef KIN_COORDINATOR_ROW_FEATURES_H
#define KIN_COORDINATOR_ROW_FEATURES_H
/* From a parsed row to packed features: which columns fill which field, their values normalised,
 * the blocking keys. One belongs to one thread and one run of rows (kin_rows_begin). */
#include "common/record/features.h"
#include "common/record/normalise.h"
#include "common/workflow/workflow.h"

struct row_features {
    const struct kin_workflow *workflow;
    const struct kin_workflow_source *source;
    struct kin_arena arena;
    struct kin_norm_scratch *norm;
    size_t known;           /* columns looked at */
    int id, updated;        /* column index or -1 */
    int **field_columns;    /* [field][k]: index of the k-th column of the field, or -1 */
    struct kin_buf cell_of; /* u32[columns]: index of the first cell of the column + 1, this row */
    uint32_t *unparsable;   /* [field] counted */
    uint64_t excess;        /* keys dropped */
};

/* source: borrowed, as is the workflow. KIN_E_NOMEM. */
kin_status row_features_init(struct row_features *r, const struct kin_workflow *workflow,
                             const struct kin_workflow_source *source) KIN_MUST_CHECK;
/* For another run of rows. */
void row_features_again(struct row_features *r);
void row_features_deinit(struct row_features *r); /* {0} and a failed init are fine */

/* A good row: looks at the columns that are new and notes where its cells are. false: no memory.
 * Every begin is followed by an end before the next. */
bool row_features_begin(struct row_features *r, const struct kin_rows *rows,
                        const struct kin_row *row) KIN_MUST_CHECK;
void row_features_end(struct row_features *r, const struct kin_row *row);

/* The value of a column of the row that was begun; empty for -1. */
struct kin_str row_features_cell(struct row_features *r, const struct kin_row *row, int column);
struct kin_str row_features_id(struct row_features *r,
                               const struct kin_row *row); /* without blanks around */
int64_t row_features_updated(struct row_features *r,
                             const struct kin_row *row); /* INT64_MIN: unknown */

/* Appends the record to `to`; its keys go to keys[KIN_KEYS_MAX]. KIN_E_LIMIT: larger than a record
 * may be, `to` is as it was; KIN_E_NOMEM. */
kin_status row_features_build(struct row_features *r, const struct kin_row *row, uint32_t rel,
                              uint16_t source, struct kin_str id, struct kin_buf *to,
                              uint64_t *keys, size_t *key_count) KIN_MUST_CHECK;

#endif
