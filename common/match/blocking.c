/* Blocking keys of a record. Nearly all records have one value for each function of a key rule, and
 * that path is short; the others collect the values of each function first. */
#include "common/match/blocking.h"

#include "common/base/hash.h"
#include "common/match/kernels.h"
#include "common/match/text_parts.h"

#include <string.h>

/* What stands for null in keys; as good as any number that is no likely hash. */
#define NULL_HASH UINT64_C(0x6b5f9a3d20c1e847)
#define HASH_BITS ((UINT64_C(1) << 56) - 1)

/* ---- what a function yields ---- */

/* Takes one yield, its hash and its bytes; false: enough. */
struct visitor {
    bool (*take)(struct visitor *v, uint64_t hash, const void *p, size_t n);
};

static bool take_bytes(struct visitor *v, const void *p, size_t n)
{
    return v->take(v, kin_hash64(p, n, 0), p, n);
}

static bool visit_tokens(const struct kin_value *value, struct visitor *v)
{
    size_t at = 0;
    while (at < value->bytes) {
        while (at < value->bytes && kin_text_is_blank(value->p[at]))
            at++;
        size_t start = at;
        while (at < value->bytes && !kin_text_is_blank(value->p[at]))
            at++;
        if (at > start && !take_bytes(v, value->p + start, at - start))
            return false;
    }
    return true;
}

static bool visit_qgrams(const struct kin_value *value, unsigned q, struct visitor *v)
{
    bool enough;
    size_t start = 0, end = kin_text_first(value, q, &enough);
    for (;;) {
        if (!take_bytes(v, value->p + start, end - start))
            return false;
        if (end >= value->bytes)
            return true;
        start += kin_text_step(value->p + start, value->bytes - start);
        end += kin_text_step(value->p + end, value->bytes - end);
    }
}

struct token_hashes {
    struct visitor visitor;
    unsigned n;
    uint64_t hash[KIN_TOKENS_MAX];
};

static bool take_token_hash(struct visitor *v, uint64_t hash, const void *p, size_t n)
{
    struct token_hashes *tokens = (struct token_hashes *)v;
    (void)p;
    (void)n;
    tokens->hash[tokens->n++] = hash;
    return tokens->n < KIN_TOKENS_MAX;
}

/* A band is the hash of `rows` minima of the token set, each under a hash function of its own: two
 * values share a band with probability (Jaccard similarity) ^ rows (Broder 1997). */
static __attribute__((noinline)) bool
visit_minhash(const struct kin_key_term *term, const struct kin_value *value, struct visitor *v)
{
    struct token_hashes tokens;
    tokens.visitor.take = take_token_hash;
    tokens.n = 0;
    visit_tokens(value, &tokens.visitor);
    if (tokens.n == 0)
        return true;
    for (uint32_t band = 0; band < term->n; band++) {
        uint64_t hash = band;
        for (unsigned row = 0; row < term->rows; row++) {
            uint64_t seed = (uint64_t)band * term->rows + row + 1;
            uint64_t least = UINT64_MAX;
            for (unsigned i = 0; i < tokens.n; i++) {
                uint64_t h = kin_hash_mix(seed, tokens.hash[i]);
                least = h < least ? h : least;
            }
            hash = kin_hash_mix(hash, least);
        }
        uint8_t bytes[12];
        kin_put_le32(bytes, band);
        kin_put_le64(bytes + 4, hash);
        if (!v->take(v, hash, bytes, sizeof bytes))
            return false;
    }
    return true;
}

/* The functions that yield at most one thing for a value; *p points into the value or to room. */
static bool single_yield(const struct kin_key_term *term, const struct kin_value *value,
                         uint8_t room[8], const void **p, size_t *n)
{
    bool enough;
    int32_t days;
    *p = value->p;
    *n = value->bytes;
    switch (term->fn) {
    case KIN_KEY_VALUE:
        return true;
    case KIN_KEY_SOUNDEX:
        *p = room;
        *n = kin_soundex(kin_value_str(value), (char *)room);
        return *n > 0;
    case KIN_KEY_PREFIX:
        *n = kin_text_first(value, term->n, &enough);
        return true;
    case KIN_KEY_SUFFIX: {
        size_t at = kin_text_last(value, term->n, &enough);
        *p = value->p + at;
        *n -= at;
        return true;
    }
    case KIN_KEY_YEAR:
        if (!kin_value_days(value, &days))
            return false;
        kin_put_le32(room, (uint32_t)kin_year_of_days(days));
        *p = room;
        *n = 4;
        return true;
    case KIN_KEY_METAPHONE:
    case KIN_KEY_TOKENS:
    case KIN_KEY_QGRAMS:
    case KIN_KEY_MINHASH:
        break;
    }
    return false;
}

static bool visit_value(const struct kin_key_term *term, const struct kin_value *value,
                        struct visitor *v)
{
    uint8_t room[8];
    const void *p;
    size_t n;
    char primary[5], alternate[5];
    switch (term->fn) {
    case KIN_KEY_VALUE:
        return v->take(v, value->hash, value->p, value->bytes);
    case KIN_KEY_SOUNDEX:
    case KIN_KEY_PREFIX:
    case KIN_KEY_SUFFIX:
    case KIN_KEY_YEAR:
        return !single_yield(term, value, room, &p, &n) || take_bytes(v, p, n);
    case KIN_KEY_METAPHONE:
        return kin_double_metaphone(kin_value_str(value), primary, alternate) == 0 ||
               (take_bytes(v, primary, strlen(primary)) &&
                take_bytes(v, alternate, strlen(alternate)));
    case KIN_KEY_TOKENS:
        return visit_tokens(value, v);
    case KIN_KEY_QGRAMS:
        return visit_qgrams(value, term->n, v);
    case KIN_KEY_MINHASH:
        return visit_minhash(term, value, v);
    }
    return true;
}

static void visit_term(const struct kin_key_term *term, const uint8_t *rec, struct visitor *v)
{
    const uint8_t *at = NULL;
    unsigned count = kin_features_values(rec, term->field, &at);
    if (count == 0 && term->empty_is_value)
        v->take(v, NULL_HASH, NULL, 0);
    for (unsigned i = 0; i < count; i++) {
        struct kin_value value = kin_features_next(&at);
        if (!visit_value(term, &value, v))
            return;
    }
}

/* ---- one key of a rule ---- */

enum yield { YIELD_NONE, YIELD_ONE, YIELD_MANY };

/* The hash of what a term yields, if it is certain to be one thing. */
static enum yield one_hash(const struct kin_key_term *term, const uint8_t *rec, uint64_t *hash)
{
    const uint8_t *at = NULL;
    unsigned count = kin_features_values(rec, term->field, &at);
    if (count == 0) {
        *hash = NULL_HASH;
        return term->empty_is_value ? YIELD_ONE : YIELD_NONE;
    }
    if (count > 1 || term->fn == KIN_KEY_METAPHONE || term->fn >= KIN_KEY_TOKENS)
        return YIELD_MANY;
    struct kin_value value = kin_features_next(&at);
    if (term->fn == KIN_KEY_VALUE) {
        *hash = value.hash;
        return YIELD_ONE;
    }
    uint8_t room[8];
    const void *p;
    size_t n;
    if (!single_yield(term, &value, room, &p, &n))
        return YIELD_NONE;
    *hash = kin_hash64(p, n, 0);
    return YIELD_ONE;
}

static uint64_t key_of(const struct kin_key_rule *rule, const uint64_t hash[KIN_KEY_TERMS_MAX])
{
    uint64_t h = 0;
    for (unsigned t = 0; t < rule->count; t++)
        h = kin_hash_mix(h, hash[t]);
    return (uint64_t)rule->number << 56 | (h & HASH_BITS);
}

/* YIELD_ONE: hash is filled. */
static enum yield one_combination(const struct kin_key_rule *rule, const uint8_t *rec,
                                  uint64_t hash[KIN_KEY_TERMS_MAX])
{
    enum yield all = rule->count ? YIELD_ONE : YIELD_NONE;
    for (unsigned t = 0; t < rule->count; t++) {
        enum yield y = one_hash(&rule->terms[t], rec, &hash[t]);
        if (y == YIELD_NONE)
            return YIELD_NONE;
        if (y == YIELD_MANY)
            all = YIELD_MANY;
    }
    return all;
}

/* ---- heaps of numbers: the largest kept key on top, and sorting in place ---- */

static uint64_t key_rank(uint64_t key)
{
    return kin_hash_mix(0, key);
}

static bool above(uint64_t a, uint64_t b, bool by_rank)
{
    return by_rank ? key_rank(a) > key_rank(b) : a > b;
}

static void sift_down(uint64_t *heap, size_t n, size_t at, bool by_rank)
{
    uint64_t x = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && above(heap[child + 1], heap[child], by_rank))
            child++;
        if (!above(heap[child], x, by_rank))
            break;
        heap[at] = heap[child];
    }
    heap[at] = x;
}

static void make_heap(uint64_t *heap, size_t n, bool by_rank)
{
    for (size_t at = n / 2; at-- > 0;)
        sift_down(heap, n, at, by_rank);
}

/* Sorts and drops repeats; returns how many are left. */
static size_t sort_unique(uint64_t *x, size_t n)
{
    if (n <= 16) {
        for (size_t i = 1; i < n; i++) {
            uint64_t value = x[i];
            size_t at = i;
            for (; at > 0 && x[at - 1] > value; at--)
                x[at] = x[at - 1];
            x[at] = value;
        }
    } else {
        make_heap(x, n, false);
        for (size_t end = n - 1; end > 0; end--) {
            uint64_t largest = x[0];
            x[0] = x[end];
            x[end] = largest;
            sift_down(x, end, 0, false);
        }
    }
    size_t kept = n > 0;
    for (size_t i = 1; i < n; i++) {
        if (x[i] != x[kept - 1])
            x[kept++] = x[i];
    }
    return kept;
}

/* ---- all combinations of a rule ---- */

/* Distinct hashes of what one term yields, at most KIN_KEYS_MAX. */
struct yields {
    struct visitor visitor;
    unsigned n;
    unsigned sorted; /* the first so many are sorted and distinct */
    uint64_t dropped;
    uint64_t hash[KIN_KEYS_MAX];
};

static bool yields_contain(const struct yields *y, uint64_t hash)
{
    unsigned low = 0, high = y->sorted;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (y->hash[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < y->sorted && y->hash[low] == hash;
}

static bool take_yield(struct visitor *v, uint64_t hash, const void *p, size_t n)
{
    struct yields *y = (struct yields *)v;
    (void)p;
    (void)n;
    if (y->n == KIN_KEYS_MAX && y->sorted < y->n)
        y->sorted = y->n = (unsigned)sort_unique(y->hash, y->n);
    if (y->n == KIN_KEYS_MAX)
        y->dropped += !yields_contain(y, hash);
    else
        y->hash[y->n++] = hash;
    return true;
}

struct combinations {
    const struct kin_key_rule *rule;
    struct yields yields[KIN_KEY_TERMS_MAX];
    unsigned at[KIN_KEY_TERMS_MAX]; /* odometer, last term fastest */
    uint64_t total;                 /* saturating */
    uint64_t seen;
};

static void combinations_begin(struct combinations *c, const struct kin_key_rule *rule,
                               const uint8_t *rec)
{
    c->rule = rule;
    c->total = rule->count > 0;
    c->seen = 0;
    uint64_t dropped = 0;
    for (unsigned t = 0; t < rule->count; t++) {
        struct yields *y = &c->yields[t];
        y->visitor.take = take_yield;
        y->n = y->sorted = 0;
        y->dropped = 0;
        c->at[t] = 0;
        visit_term(&rule->terms[t], rec, &y->visitor);
        y->n = (unsigned)sort_unique(y->hash, y->n);
        dropped += y->dropped;
        if (__builtin_mul_overflow(c->total, y->n, &c->total))
            c->total = UINT64_MAX;
        if (y->n == 0) {
            c->total = 0;
            return;
        }
    }
    if (__builtin_add_overflow(c->total, dropped, &c->total))
        c->total = UINT64_MAX;
}

/* The next combination; false past the last or past KIN_KEYS_MAX. */
static bool combinations_next(struct combinations *c, uint64_t hash[KIN_KEY_TERMS_MAX])
{
    if (c->total == 0 || c->seen == KIN_KEYS_MAX)
        return false;
    unsigned t = c->rule->count;
    if (c->seen > 0) {
        while (t > 0 && ++c->at[t - 1] == c->yields[t - 1].n)
            c->at[--t] = 0;
        if (t == 0)
            return false;
    }
    for (t = 0; t < c->rule->count; t++)
        hash[t] = c->yields[t].hash[c->at[t]];
    c->seen++;
    return true;
}

/* ---- all keys of a record ---- */

struct key_set {
    uint64_t *keys;
    size_t n, cap;
    bool heap; /* full: the largest by rank is on top */
    uint64_t dropped;
};

static void key_set_add(struct key_set *set, uint64_t key)
{
    if (set->n < set->cap) {
        set->keys[set->n++] = key;
        return;
    }
    set->dropped++;
    if (set->cap == 0)
        return;
    if (!set->heap) {
        make_heap(set->keys, set->n, true);
        set->heap = true;
    }
    if (above(set->keys[0], key, true)) {
        set->keys[0] = key;
        sift_down(set->keys, set->n, 0, true);
    }
}

static __attribute__((noinline)) void
add_combinations(struct key_set *set, const struct kin_key_rule *rule, const uint8_t *rec)
{
    struct combinations c;
    uint64_t hash[KIN_KEY_TERMS_MAX] = {0};
    combinations_begin(&c, rule, rec);
    while (combinations_next(&c, hash))
        key_set_add(set, key_of(rule, hash));
    uint64_t left = c.total - c.seen;
    if (__builtin_add_overflow(set->dropped, left, &set->dropped))
        set->dropped = UINT64_MAX;
}

size_t kin_blocking_keys(const struct kin_key_rule *rules, size_t rule_count, const uint8_t *rec,
                         size_t max, uint64_t *out, uint64_t *excess)
{
    struct key_set set = {.keys = out, .cap = max < KIN_KEYS_MAX ? max : KIN_KEYS_MAX};
    for (size_t r = 0; r < rule_count; r++) {
        uint64_t hash[KIN_KEY_TERMS_MAX] = {0};
        switch (one_combination(&rules[r], rec, hash)) {
        case YIELD_NONE:
            break;
        case YIELD_ONE:
            key_set_add(&set, key_of(&rules[r], hash));
            break;
        case YIELD_MANY:
            add_combinations(&set, &rules[r], rec);
            break;
        }
    }
    if (set.dropped && __builtin_add_overflow(*excess, set.dropped, excess))
        *excess = UINT64_MAX;
    return sort_unique(out, set.n);
}

/* ---- the values behind a key ---- */

struct finder {
    struct visitor visitor;
    uint64_t hash;
    struct kin_buf *out;
};

static bool take_found(struct visitor *v, uint64_t hash, const void *p, size_t n)
{
    struct finder *f = (struct finder *)v;
    if (hash != f->hash)
        return true;
    kin_buf_u32(f->out, p ? (uint32_t)n : UINT32_MAX);
    if (p)
        kin_buf_put(f->out, p, n);
    return false;
}

static __attribute__((noinline)) bool find_combination(const struct kin_key_rule *rule,
                                                       const uint8_t *rec, uint64_t key,
                                                       uint64_t hash[KIN_KEY_TERMS_MAX])
{
    struct combinations c;
    combinations_begin(&c, rule, rec);
    while (combinations_next(&c, hash)) {
        if (key_of(rule, hash) == key)
            return true;
    }
    return false;
}

bool kin_blocking_key_values(const struct kin_key_rule *rule, const uint8_t *rec, uint64_t key,
                             struct kin_buf *out)
{
    uint64_t hash[KIN_KEY_TERMS_MAX] = {0};
    switch (one_combination(rule, rec, hash)) {
    case YIELD_NONE:
        return false;
    case YIELD_ONE:
        if (key_of(rule, hash) != key)
            return false;
        break;
    case YIELD_MANY:
        if (!find_combination(rule, rec, key, hash))
            return false;
        break;
    }
    for (unsigned t = 0; t < rule->count; t++) {
        struct finder f = {{take_found}, hash[t], out};
        visit_term(&rule->terms[t], rec, &f.visitor);
    }
    return true;
}

uint64_t kin_key_refine(uint64_t parent, unsigned depth, const struct kin_value *value_or_null)
{
    uint64_t h = kin_hash_mix(parent, depth);
    h = kin_hash_mix(h, value_or_null != NULL);
    h = kin_hash_mix(h, value_or_null ? value_or_null->hash : NULL_HASH);
    return KIN_KEY_REFINED | (uint64_t)kin_key_rule_number(parent) << 56 | (h & HASH_BITS);
}
