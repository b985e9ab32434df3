#ifndef KIN_MATCH_COMPARE_DECIDE_H
#define KIN_MATCH_COMPARE_DECIDE_H
/* From a pair of records to its weight under a model: the comparisons of the workflow (compare.h),
 * the tables of the model (model.h) and how often values occur. A weight is
 *
 *   prior + for each comparison: weight of its level + term frequency of its values
 *
 * in the model's fixed point. The sums are of integers, so the ways below agree to the bit.
 *
 *   struct kin_value_counts counts = {0};            // with term frequencies only
 *   status = kin_value_counts_set(&counts, i, total, items, n);
 *   status = kin_model_decider_new(comparer, &tables, &counts, &decider, err);
 *   ... in each thread, with a scratch of its own:
 *   if (kin_model_decider_above(decider, scratch, a, b, floor, &weight))
 *       // an edge, with its exact weight
 *
 * All is immutable once made; any thread. */
#include "common/match/compare.h"

/* ---- value frequencies ---- */

struct kin_value_count {
    uint64_t hash; /* kin_comparer_terms */
    uint64_t count;
};

/* For each comparison how many records have a value there, and how many have which. Values seen
 * once can be left out. {0} is a valid set of no counts: no term frequencies. */
struct kin_value_counts {
    uint64_t total[KIN_COMPARISONS_MAX]; /* 0: no counts, no adjustment */
    struct kin_value_table {
        struct kin_value_count *slots; /* open addressing; count 0: free */
        uint64_t mask;                 /* of slots; more than half are free */
    } tables[KIN_COMPARISONS_MAX];
};
/* Takes the counts of one comparison, copied; what it had is gone. Counts of a hash that is given
 * several times are added. On KIN_E_NOMEM all is as it was. */
kin_status kin_value_counts_set(struct kin_value_counts *c, unsigned comparison, uint64_t total,
                                const struct kin_value_count *items, size_t n) KIN_MUST_CHECK;
void kin_value_counts_deinit(struct kin_value_counts *c);
/* Where a value is, or a free slot. The table has slots. */
static inline uint64_t kin_value_table_slot(const struct kin_value_table *t, uint64_t hash)
{
    uint64_t at = hash & t->mask;
    while (t->slots[at].count && t->slots[at].hash != hash)
        at = (at + 1) & t->mask;
    return at;
}
/* 0: not counted. */
static inline uint64_t kin_value_counts_of(const struct kin_value_counts *c, unsigned comparison,
                                           uint64_t hash)
{
    const struct kin_value_table *t = &c->tables[comparison];
    return t->slots ? t->slots[kin_value_table_slot(t, hash)].count : 0;
}

/* ---- deciding ---- */

struct kin_model_decider;

/* Borrows the comparer and the counts (may be NULL; not to be changed any more); copies the tables,
 * which must be of a model that fits the comparer (kin_comparer_check_model; the count is checked
 * here: KIN_E_INVAL). KIN_E_NOMEM. */
kin_status kin_model_decider_new(const struct kin_comparer *comparer,
                                 const struct kin_model_tables *tables,
                                 const struct kin_value_counts *counts,
                                 struct kin_model_decider **out,
                                 struct kin_err *err) KIN_MUST_CHECK;
void kin_model_decider_free(struct kin_model_decider *d);

/* The weight of a pair, every comparison made. The same for a and b the other way round. */
int32_t kin_model_decider_weight(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                                 const uint8_t *a, const uint8_t *b);

/* True, with the weight, if kin_model_decider_weight is at least `floor`; false as soon as that
 * cannot be any more, *weight untouched. Equal values first, which cost nothing, then the
 * comparisons that are expected to decide most for their cost. */
bool kin_model_decider_above(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                             const uint8_t *a, const uint8_t *b, int32_t floor, int32_t *weight);

/* The weight in its parts, for explanations. compared: what decided, in the records' memory. */
struct kin_model_explained {
    uint64_t pattern;
    int32_t prior;
    int32_t weight; /* of all */
    unsigned count;
    struct kin_model_explained_comparison {
        unsigned level;
        int32_t level_weight;
        int32_t term_frequency;
        uint64_t values; /* records with the value, of the two the larger; 0: not counted */
        struct kin_compared compared;
    } comparisons[KIN_COMPARISONS_MAX];
};
void kin_model_decider_explain(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                               const uint8_t *a, const uint8_t *b, struct kin_model_explained *out);

#endif
