#ifndef KIN_EXPLAIN_EXPLAINED_H
#define KIN_EXPLAIN_EXPLAINED_H
/* One pair with all that is said of it (docs/explain.md): gathered once, then written as one JSON
 * object or as text for people. Pure but for the heap; one thread at a time.
 *
 *   status = kin_explained_make(&x, &arena, &a, &b, &blocks, &p, err);
 *   kin_explained_json(&p, out);     // out->failed: out of memory */
#include "common/explain/explainer.h"

struct kin_explain_side {
    const uint8_t *features; /* as of kin_explain_facts */
    /* [field]: the cells as in the input, joined with "; "; "" for none. NULL: not known, and not
     * written */
    const char *const *raw;
};

struct kin_explained_rule {
    const struct kin_rule *rule;
    bool never;
    struct kin_condition_part *parts; /* [0]: the whole */
    size_t part_count;
};
struct kin_explained_key {
    uint64_t key;
    uint64_t records; /* 0: not known, and not written */
    const struct kin_key_rule *rule;
    bool oversized;
};
struct kin_explained {
    const struct kin_explainer *x;
    struct kin_explain_side a, b;
    struct kin_explain_facts facts;
    struct kin_explained_rule *rules; /* those that match, then those that forbid, in their order */
    size_t rule_count;
    struct kin_explained_key *keys; /* that both have */
    size_t key_count;
    struct kin_model_explained model; /* where there is a decider */
};

/* x, the records and the arena are borrowed as long as out is used; blocks for the call.
 * KIN_E_NOMEM. */
kin_status kin_explained_make(const struct kin_explainer *x, struct kin_arena *arena,
                              const struct kin_explain_side *a, const struct kin_explain_side *b,
                              const struct kin_explain_blocks *blocks, struct kin_explained *out,
                              struct kin_err *err) KIN_MUST_CHECK;

/* The object has several lines and ends with a line end; no text in it has one. */
void kin_explained_json(const struct kin_explained *p, struct kin_buf *out);
void kin_explained_text(const struct kin_explained *p, struct kin_buf *out);

#endif
