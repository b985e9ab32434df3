#ifndef KIN_CLIENT_EXPLAIN_PAIR_H
#define KIN_CLIENT_EXPLAIN_PAIR_H
/* One pair with all that is said of it: gathered by explain_pair.c, written by
 * explain_pair_text.c and explain_pair_json.c. Private to client/explain*.c. */
#include "client/explain_impl.h"

struct pair_rule {
    const struct kin_rule *rule;
    bool never;
    struct kin_condition_part *parts; /* [0]: the whole */
    size_t part_count;
};
struct pair_key {
    uint64_t key, records;
    const struct kin_key_rule *rule;
    bool oversized;
};
struct pair {
    struct kin_explain *e;
    const struct kin_record *a, *b;
    struct explain_facts facts;
    struct pair_rule *rules; /* those that match, then those that forbid, in their order */
    size_t rule_count;
    struct pair_key *keys;
    size_t key_count;
    struct kin_model_explained model; /* where there is one */
};

/* One sentence: does it match, what decided, what stands against it. */
void pair_verdict(const struct pair *p, struct kin_buf *out);
/* Stable words for it: "match", "no_match", "not_compared", "kept_apart", "perhaps". */
const char *pair_verdict_word(const struct pair *p);
const char *pair_compared_word(const struct pair *p);
const char *pair_truth_word(enum kin_truth truth);

void pair_put_text(const struct pair *p, struct kin_buf *out);
void pair_put_json(const struct pair *p, struct kin_buf *out);

#endif
