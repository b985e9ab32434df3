#ifndef KIN_EXPLAIN_WRITE_H
#define KIN_EXPLAIN_WRITE_H
/* Pieces of what explanations are written of. Pure; any thread. */
#include "common/match/model.h"
#include "common/workflow/workflow.h"

static inline double kin_explain_bits(int32_t weight)
{
    return (double)weight / KIN_WEIGHT_ONE;
}
/* All values of a field, normalised, joined with "; ". */
void kin_explain_values(const struct kin_workflow *w, const uint8_t *rec, unsigned field,
                        struct kin_buf *out);
/* JSON: a comma before all but the first member or element, which *first says; then "key": .
 * key NULL: it is an element. */
void kin_explain_json_key(struct kin_buf *out, bool *first, const char *key);
void kin_explain_json_text(struct kin_buf *out, const char *text);
/* {"source": ..., "id": ...}; {} for a record of a source that the workflow does not have: it has
 * no name. */
void kin_explain_json_record(const struct kin_workflow *w, const uint8_t *rec, struct kin_buf *out);
/* "source/id", fit for a terminal; nothing for such a record. */
void kin_explain_put_name(const struct kin_workflow *w, const uint8_t *rec, struct kin_buf *out);

#endif
