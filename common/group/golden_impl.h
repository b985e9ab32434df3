#ifndef KIN_GROUP_GOLDEN_IMPL_H
#define KIN_GROUP_GOLDEN_IMPL_H
/* Inside of golden.h: the values of a group, sorted into output columns, and which of them survive.
 * The row and the trace are made of the same survivors. One thread; everything is in the arena of
 * the call. */
#include "common/group/golden.h"

/* An output column is a slot: the fields first, then the carried columns. A role says that a column
 * of a source gives values to a slot. */
struct kin_golden_plan {
    struct kin_arena arena;
    const struct kin_workflow *workflow;
    size_t column_count;
    size_t slot_count;
    struct kin_str *names; /* [slot] */
    uint32_t *role_at;     /* [source * column_count + column], one more at the end */
    uint16_t *roles;       /* slots */
};

struct kin_golden_value {
    struct kin_str raw;
    struct kin_str key; /* equal keys are the same value: the payload, or the raw text */
    uint32_t member;
    uint32_t order; /* within the slot: (source, id), then as in the row */
    bool valid;     /* else it does not parse as its field's type */
};

static inline int kin_golden_by_order(const void *a, const void *b) /* for qsort */
{
    const struct kin_golden_value *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

struct kin_golden_group {
    const struct kin_golden_plan *plan;
    struct kin_norm_scratch *norm;
    struct kin_arena *arena;
    const struct kin_golden_member *members;
    size_t count;
    struct kin_golden_value *values; /* slot by slot, each in order */
    size_t *slot_at;                 /* [slot] where its values begin, one more at the end */
    size_t *used;                    /* [slot] how many it has; there may be room for more */
    uint32_t *rank;                  /* [member] 0 for the most complete one, and so on */
};
/* g has what kin_golden_row is given; fills in the rest, from `values` on. KIN_E_NOMEM. */
kin_status kin_golden_group_read(struct kin_golden_group *g) KIN_MUST_CHECK;

/* A run of values within those of its slot, in order. */
struct kin_golden_kept {
    const struct kin_golden_value *v;
    size_t n;
};
/* What survives of the n values of a slot, which are in order; they are moved about, and some are
 * written over. None only of none. */
struct kin_golden_kept kin_golden_survivors(const struct kin_golden_group *g, size_t slot,
                                            struct kin_golden_value *v, size_t n);
/* What is shown of them: one as it is (borrowed of its cell), several with "; " between them, of
 * none the empty text. KIN_E_NOMEM. */
kin_status kin_golden_join(struct kin_arena *arena, struct kin_golden_kept kept,
                           struct kin_str *out) KIN_MUST_CHECK;

#endif
