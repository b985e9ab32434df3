#ifndef KIN_CLIENT_EXPLAIN_IMPL_H
#define KIN_CLIENT_EXPLAIN_IMPL_H
/* Private to client/explain*.c. Main thread. */
#include "client/explain.h"
#include "client/records.h"
#include "common/explain/explainer.h"
#include "common/explain/write.h"

struct kin_explain {
    struct kin_explainer x; /* its counts are those of the records */
    const char *out_dir;
    struct kin_arena arena;
    struct kin_records records; /* once they were read */
};

/* Reads the records with these ids, with the value frequencies that the model needs. Once. */
kin_status explain_read(struct kin_explain *e, const struct kin_str *ids, size_t count,
                        struct kin_err *err) KIN_MUST_CHECK;

/* How many records have each of these blocking keys: another pass over the sources. keys: owned by
 * e's arena, sorted here, repeats dropped. */
kin_status explain_count_keys(struct kin_explain *e, uint64_t *keys, size_t count,
                              struct kin_explain_blocks *out, struct kin_err *err) KIN_MUST_CHECK;

#endif
