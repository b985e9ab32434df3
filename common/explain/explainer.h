#ifndef KIN_EXPLAIN_EXPLAINER_H
#define KIN_EXPLAIN_EXPLAINER_H
/* Decides single pairs as a job does, and keeps what led there: for `kindred explain`, and for a
 * cluster that is asked why. Pure but for the heap; one thread at a time.
 *
 *   status = kin_explainer_init(&x, workflow, err);
 *   status = kin_explainer_model(&x, text, err);     // where the workflow has a model
 *   status = kin_explainer_counts(&x, &counts, err);
 *   ... explained.h
 *   kin_explainer_deinit(&x); */
#include "common/match/compare_decide.h"
#include "common/workflow/workflow.h"

struct kin_explainer {
    const struct kin_workflow *workflow; /* borrowed */
    struct kin_kernel_scratch *kernels;
    struct kin_decider *rules; /* NULL: there are none */
    struct kin_decider_state *rules_state;

    /* where the workflow has a model: */
    struct kin_comparer *comparer;
    struct kin_comparer_scratch *scratch;
    const struct kin_threshold *threshold; /* the primary one */
    /* once it is given: */
    struct kin_arena arena; /* the model lies here */
    struct kin_model *model;
    struct kin_model_tables tables;
    const char *model_file; /* borrowed; NULL: not said. For people only */
    /* once the value frequencies are known: */
    const struct kin_value_counts *counts; /* borrowed */
    struct kin_model_decider *decider;     /* NULL: none, or not yet */
};

/* x: set as a whole; on failure, too, the caller deinits it. KIN_E_NOMEM. */
kin_status kin_explainer_init(struct kin_explainer *x, const struct kin_workflow *workflow,
                              struct kin_err *err) KIN_MUST_CHECK;
void kin_explainer_deinit(struct kin_explainer *x); /* {0} is fine */
/* text: a model as kin_model_read takes it; borrowed for the call. KIN_E_INVAL: it was made for
 * other comparisons, or the workflow has none; KIN_E_SYNTAX, KIN_E_NOMEM. */
kin_status kin_explainer_model(struct kin_explainer *x, struct kin_str text,
                               struct kin_err *err) KIN_MUST_CHECK;
/* After the model, and after the comparer has the counts of tokens that it needs. KIN_E_NOMEM. */
kin_status kin_explainer_counts(struct kin_explainer *x, const struct kin_value_counts *counts,
                                struct kin_err *err) KIN_MUST_CHECK;

/* ---- blocking keys ---- */

/* Appends the keys that both records have, ascending; stars are verified by value. Keys of no rule
 * of the workflow are passed over. */
void kin_explain_common_keys(const struct kin_workflow *w, const uint8_t *a, const uint8_t *b,
                             struct kin_buf *out); /* u64 */

/* What is known of the blocks of keys. {0}: nothing, then no key counts as oversized. */
struct kin_explain_blocks {
    /* how many records have each of these keys; a key that is not among them: none */
    const uint64_t *keys;    /* ascending */
    const uint64_t *records; /* NULL: the sizes are not known; the keys are those that are oversized
                              */
    size_t count;
};
/* Records that have the key; 0: not known. */
uint64_t kin_explain_key_records(const struct kin_explain_blocks *blocks, uint64_t key);
bool kin_explain_key_oversized(const struct kin_workflow *w,
                               const struct kin_explain_blocks *blocks, uint64_t key);

/* ---- one pair ---- */

enum kin_explain_compared {
    KIN_EXPLAIN_NEVER,  /* no common blocking key */
    KIN_EXPLAIN_SOURCE, /* of one source, and only pairs across sources count */
    KIN_EXPLAIN_MAYBE,  /* the common keys are all oversized: only parts of their blocks are
                           compared */
    KIN_EXPLAIN_STAR,   /* matched by equal values, without a comparison */
    KIN_EXPLAIN_YES
};
struct kin_explain_facts {
    enum kin_explain_compared compared;
    int rule;       /* the first that is true, -1: none. Of a star: the star's */
    int never;      /* the first never rule that is true, -1: none */
    bool clean;     /* both of one source that is clean */
    int32_t weight; /* under the model, where there is one */
    bool matches;   /* rule, or weight from the threshold up, and compared or maybe so */
};
/* a, b: valid features of the workflow's schema (features.h); a source that the workflow does not
 * have is one of its own. keys: of both in common (kin_explain_common_keys). */
void kin_explain_facts(const struct kin_explainer *x, const uint8_t *a, const uint8_t *b,
                       const uint64_t *keys, size_t key_count,
                       const struct kin_explain_blocks *blocks, struct kin_explain_facts *out);

#endif
