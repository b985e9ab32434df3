#ifndef KIN_COORDINATOR_TRAIN_PARTS_H
#define KIN_COORDINATOR_TRAIN_PARTS_H
/* What the files of the training phase share; for them only. Loop thread, but for what runs as a
 * task: that owns what it works on until it is finished. */
#include "coordinator/impl.h"

#include "common/match/pattern_table.h"

enum { VALUE_LISTS = 2 * KIN_COMPARISONS_MAX };

struct train {
    struct kin_comparer *comparer;
    uint32_t values;                /* what is counted, as in COUNT */
    bool tokens_known;              /* their counts are part of the plan */
    struct kin_buf every;           /* u32 for each blocking key */
    struct kin_pattern_table found; /* by the blocking keys, scaled up */
    /* of the values of each comparison, then of the tokens: */
    uint64_t totals[VALUE_LISTS];
    struct kin_buf counts[VALUE_LISTS]; /* struct kin_keyed: hash, records */
    /* the random sample */
    struct sample sample;
    unsigned waiting; /* tasks */
    struct kin_pattern_table random;
};

/* train.c: the model is there, or none is wanted: on to the match. */
void train_ready(struct kin_coordinator *c);
/* train_count.c: workers count, by a plan that is written here. */
void train_count_begin(struct kin_coordinator *c);
/* What was counted, added up, of one list; owned by the caller. NULL: out of memory. */
struct kin_value_count *train_counts_of(const struct train *t, unsigned list, size_t *n);
/* train_fit.c: the counts of all workers are added up: all else that a model is made of. */
void train_fit_begin(struct kin_coordinator *c);

#endif
