#ifndef KIN_COORDINATOR_SCAN_H
#define KIN_COORDINATOR_SCAN_H
/* The records of a workflow's sources, one chunk after another, as the load of a job makes them:
 * the same files in the same order, the same readers, normalisers, keys and reasons to reject. For
 * tools that look at single records without a cluster. */
#include "common/env/env.h"
#include "common/record/batch.h"
#include "common/workflow/workflow.h"
#include "coordinator/page.h"

/* Borrowed for the call. Record i of the chunk is page id i, the i-th of features, and the rows'
 * number i; its number in the whole input is page.base + i. */
struct kin_scan_chunk {
    struct kin_page page;
    struct kin_batch_features features;
    struct kin_batch_rows rows;
};
/* Anything but KIN_OK ends the scan with that status. */
typedef kin_status (*kin_scan_take)(void *arg, const struct kin_scan_chunk *chunk,
                                    struct kin_err *err);

/* [task] Superseded rows are among the records: it takes all of the input to know them. Errors name
 * the file. KIN_E_IO, KIN_E_NOTFOUND, KIN_E_SYNTAX (no header, no column of ids), KIN_E_CORRUPT,
 * KIN_E_LIMIT (2^32 records), KIN_E_NOMEM, and those of take. */
kin_status kin_scan(struct kin_env *env, const struct kin_workflow *workflow, kin_scan_take take,
                    void *arg, struct kin_err *err) KIN_MUST_CHECK;

#endif
