#ifndef KIN_GROUP_GOLDEN_H
#define KIN_GROUP_GOLDEN_H
/* Survivorship: one golden record from the raw rows of a MatchGroup, field by field, by the
 * workflow's strategies. All ties by (source, id), then by the order of values in the row. Pure but
 * for the scratch; one thread at a time. */
#include "common/record/normalise.h"
#include "common/workflow/workflow.h"

struct kin_golden_cell {
    uint32_t column; /* index into the job's column list */
    struct kin_str value;
};
struct kin_golden_member {
    uint16_t source;
    struct kin_str id;
    int64_t updated; /* INT64_MIN: unknown */
    const struct kin_golden_cell *cells;
    size_t count;
};

/* What the outputs have after match_id and size: the workflow's fields in order, then every column
 * of any source that fills no field and is no id, in byte order of names. */
struct kin_golden_plan;
/* columns: all column names of the job; one may come several times. A column of source s fills
 * field f as the workflow says. A column that fills a field, or is the id, in one source is not
 * carried from any other. A carried column whose name is taken already is called name_2. The
 * workflow is borrowed for the plan's life; the names are copied. KIN_E_NOMEM; KIN_E_LIMIT: 65,535
 * output columns. */
kin_status kin_golden_plan_new(const struct kin_workflow *workflow, const struct kin_str *columns,
                               size_t column_count, struct kin_golden_plan **out) KIN_MUST_CHECK;
void kin_golden_plan_free(struct kin_golden_plan *plan);
/* Appends ",name" for each output column. */
void kin_golden_header(const struct kin_golden_plan *plan, struct kin_buf *out);
/* Appends ",value" for each output column. members: at least one, sorted by (source, id); their
 * sources and columns are the plan's. A single member's values are taken as they are (several
 * values of a field joined with "; "). KIN_E_NOMEM. */
kin_status kin_golden_row(const struct kin_golden_plan *plan, struct kin_norm_scratch *norm,
                          struct kin_arena *arena, const struct kin_golden_member *members,
                          size_t count, struct kin_buf *out) KIN_MUST_CHECK;

/* ---- the same, and where it comes from (golden_trace.c) ---- */

enum { KIN_GOLDEN_LOST_MAX = 32 };

struct kin_golden_lost {
    struct kin_str value; /* in the spelling met first */
    uint32_t member;      /* the first that has it */
};
struct kin_golden_slot { /* an output column */
    struct kin_str name;
    struct kin_str value; /* what the row shows; empty: no member has any */
    /* whose values are shown, as indices, ascending; none only where there is no value. Several
     * only where values of several are joined. */
    const uint32_t *members;
    size_t member_count;
    /* Every other value, also what does not parse, in the order of members and of their rows; no
     * more than KIN_GOLDEN_LOST_MAX, the first ones. Values that are the same when normalised are
     * one: another spelling of what survived is not lost. */
    const struct kin_golden_lost *lost;
    size_t lost_count;
};
/* What kin_golden_row shows of the same members, for each output column in order. *slots is in the
 * arena; its names are the plan's, its values are in the arena or borrowed of the members' cells.
 * KIN_E_NOMEM. */
kin_status kin_golden_trace(const struct kin_golden_plan *plan, struct kin_norm_scratch *norm,
                            struct kin_arena *arena, const struct kin_golden_member *members,
                            size_t count, struct kin_golden_slot **slots,
                            size_t *slot_count) KIN_MUST_CHECK;

#endif
