#ifndef KIN_COORDINATOR_NEXT_KEY_H
#define KIN_COORDINATOR_NEXT_KEY_H
/* Blocking keys that a workflow does not have: which there are, and what one would bring, counted
 * among given records. Pure; any thread; a function of its arguments and of the order of the
 * records. */
#include "common/match/compare_decide.h"
#include "common/workflow/workflow.h"

enum { NEXT_KEYS_MAX = 160 };

struct next_key {
    struct kin_key_rule rule; /* number and text are set */
    bool usable;              /* looked at, and not too dear */
    /* estimates for all records: */
    double pairs;          /* of records that share the key, in blocks of at most max_block */
    double shared_matches; /* of these: expected matches that a present key finds, too */
    double extra_pairs;    /* of the pairs: those that no present key finds */
    double extra_matches;  /* of these again: expected matches */
    double looked;         /* of these, as they were looked at: what the estimate rests on */
};

/* Keys of single fields and of two together, those of fields with most values first; the present
 * ones are left out. Texts are in the arena. Returns how many, or -1: out of memory. */
int next_key_list(const struct kin_workflow *workflow, const uint8_t *const *records, size_t count,
                  struct kin_arena *arena, struct next_key out[NEXT_KEYS_MAX]);

struct next_look {
    const struct kin_workflow *workflow;
    const struct kin_decider *rules;       /* NULL: none */
    const struct kin_model_decider *model; /* NULL: none */
    int32_t threshold;                     /* its matches weigh as much */
    const uint8_t *oversized;              /* u64, ascending: present keys that are refined */
    size_t oversized_count;
    const uint8_t *const *records;
    size_t count;
    double times;        /* pairs in all for each pair of these records */
    double max_block;    /* of these records */
    double most_pairs;   /* in all: a key with more is too dear */
    uint64_t look_pairs; /* about so many are looked at */
};
/* Fills in what the key would bring. every: 1, or, of KIN_PULL_KEYED, the records are all those of
 * each every-th block of this key; then a pair counts so much more. KIN_E_NOMEM. */
kin_status next_key_judge(const struct next_look *look, uint32_t every,
                          struct next_key *key) KIN_MUST_CHECK;

#endif
