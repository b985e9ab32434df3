#ifndef KIN_CLIENT_SUGGEST_KEYS_H
#define KIN_CLIENT_SUGGEST_KEYS_H
/* The sample's records under one key. Private to client/suggest_*.c. */
#include "client/suggest_impl.h"
#include "common/base/radix.h"

struct kin_suggest_postings {
    struct kin_keyed *items; /* by key, then record; heap: kin_free */
    size_t count;
    uint64_t records; /* that have a key */
};
/* Of every step-th record. */
kin_status kin_suggest_postings(struct kin_suggest *s, const struct kin_key_rule *rule, size_t step,
                                struct kin_suggest_postings *out) KIN_MUST_CHECK;
/* One past the last posting with the key of `start`. */
size_t kin_suggest_block_end(const struct kin_suggest_postings *p, size_t start);

#endif
