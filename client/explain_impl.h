#ifndef KIN_CLIENT_EXPLAIN_IMPL_H
#define KIN_CLIENT_EXPLAIN_IMPL_H
/* Private to client/explain*.c. Main thread. */
#include "client/explain.h"
#include "client/records.h"
#include "common/match/compare_decide.h"

struct kin_explain {
    const struct kin_workflow *workflow;
    const char *out_dir;
    struct kin_arena arena;
    struct kin_kernel_scratch *kernels;
    struct kin_decider *rules; /* NULL: there are none */
    struct kin_decider_state *rules_state;

    /* with a model: */
    const char *model_path;
    struct kin_model *model;
    struct kin_model_tables tables;
    struct kin_comparer *comparer;
    struct kin_comparer_scratch *scratch;
    const struct kin_threshold *threshold; /* the primary one */

    /* once records were read: */
    struct kin_records records;
    struct kin_model_decider *decider;
};

/* ---- what is read (explain.c) ---- */

/* Reads the records with these ids, with the value frequencies that the model needs. Once. */
kin_status explain_read(struct kin_explain *e, const struct kin_str *ids, size_t count,
                        struct kin_err *err) KIN_MUST_CHECK;

/* Blocking keys with the number of records that have each. */
struct explain_keys {
    const uint64_t *keys; /* ascending */
    const uint64_t *records;
    size_t count;
};
/* Another pass over the sources. keys: owned by e's arena, sorted here, repeats dropped. */
kin_status explain_count_keys(struct kin_explain *e, uint64_t *keys, size_t count,
                              struct explain_keys *out, struct kin_err *err) KIN_MUST_CHECK;
uint64_t explain_key_records(const struct explain_keys *k, uint64_t key); /* 0: not counted */

/* Appends the keys that both records have; stars are verified by value. */
void explain_common_keys(const struct kin_workflow *w, const uint8_t *a, const uint8_t *b,
                         struct kin_buf *out); /* u64 */

/* ---- one pair (explain_facts.c) ---- */

enum explain_compared {
    EXPLAIN_NEVER,  /* no common blocking key */
    EXPLAIN_SOURCE, /* of one source, and only pairs across sources count */
    EXPLAIN_MAYBE,  /* the common keys are all oversized: only parts of their blocks are compared */
    EXPLAIN_STAR,   /* matched by equal values, without a comparison */
    EXPLAIN_YES
};
struct explain_facts {
    enum explain_compared compared;
    int rule;       /* the first that is true, -1: none. Of a star: the star's */
    int never;      /* the first never rule that is true, -1: none */
    bool clean;     /* both of one source that is clean */
    int32_t weight; /* under the model, where there is one */
    bool matches;   /* rule, or weight from the threshold up, and compared or maybe so */
};
/* keys: of both in common (explain_common_keys). */
void explain_facts(const struct kin_explain *e, const uint8_t *a, const uint8_t *b,
                   const uint64_t *keys, size_t key_count, const struct explain_keys *sizes,
                   struct explain_facts *out);

/* Text of what decided it: the rule's name, or "model". */
const char *explain_decider(const struct kin_explain *e, const struct explain_facts *f);

/* ---- writing (explain_text.c) ---- */

static inline double explain_bits(int32_t weight)
{
    return (double)weight / KIN_WEIGHT_ONE;
}
/* All values of a field, normalised, joined with "; ". */
void explain_values(const struct kin_workflow *w, const uint8_t *rec, unsigned field,
                    struct kin_buf *out);
/* JSON: a comma before all but the first member or element, which *first says; then "key": . */
void explain_json_key(struct kin_buf *out, bool *first, const char *key);
void explain_json_text(struct kin_buf *out, const char *text);
/* {"source": ..., "id": ...} */
void explain_json_record(const struct kin_workflow *w, const uint8_t *rec, struct kin_buf *out);
/* "source/id", fit for a terminal. */
void explain_put_name(const struct kin_workflow *w, const uint8_t *rec, struct kin_buf *out);

#endif
