/* Jaccard and cosine of sets of tokens or q-grams: one pass over a, one over b, through one hash
 * table of their union. */
#include "common/base/hash.h"
#include "common/match/kernel_impl.h"

#include <math.h>
#include <string.h>

struct set_counts {
    unsigned a, b, both;
};

/* Elements up to `exact` code points are packed into the key, `bits` each, so that equal keys of
 * equal length are equal elements. The key of a longer one is a hash. */
struct packing {
    unsigned bits;
    unsigned exact;
};

struct set_builder {
    struct kin_kernel_slot *slots;
    unsigned shift; /* of the hashed key, to the slot number */
    unsigned mask;
    uint32_t stamp;
    struct packing packing;
    struct set_counts counts;
};

static bool is_blank(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool same(const struct set_builder *set, const struct kin_kernel_slot *slot,
                        uint64_t key, const uint32_t *p, unsigned n)
{
    return slot->key == key && slot->n == n &&
           (n <= set->packing.exact || memcmp(slot->p, p, n * sizeof *p) == 0);
}

/* Adds an element to the set of `side` (1: a, then 2: b). false: that set is full. */
static inline bool set_add(struct set_builder *set, unsigned side, uint64_t key, const uint32_t *p,
                           unsigned n)
{
    unsigned *count = side == 1 ? &set->counts.a : &set->counts.b;
    unsigned at = (unsigned)(key * 0x9e3779b97f4a7c15u >> set->shift);
    struct kin_kernel_slot *slot = &set->slots[at];
    while (slot->stamp == set->stamp && !same(set, slot, key, p, n)) {
        at = (at + 1) & set->mask;
        slot = &set->slots[at];
    }
    bool fresh = slot->stamp != set->stamp;
    if (!fresh && (slot->sides & side))
        return true;
    if (*count == KIN_TOKENS_MAX)
        return false;
    ++*count;
    if (fresh)
        *slot = (struct kin_kernel_slot){key, p, set->stamp, (uint16_t)n, (uint16_t)side};
    else
        set->counts.both++; /* added by a, now met in b */
    slot->sides |= (uint16_t)side;
    return true;
}

static uint64_t element_key(const struct set_builder *set, const uint32_t *p, unsigned n)
{
    if (n > set->packing.exact)
        return kin_hash64(p, n * sizeof *p, n);
    uint64_t key = 0;
    for (unsigned i = 0; i < n; i++)
        key = key << set->packing.bits | p[i];
    return key;
}

static void add_tokens(struct set_builder *set, unsigned side, const uint32_t *p, unsigned n)
{
    for (unsigned i = 0; i < n;) {
        unsigned end = i;
        while (end < n && !is_blank(p[end]))
            end++;
        if (end > i && !set_add(set, side, element_key(set, p + i, end - i), p + i, end - i))
            return;
        i = end + 1;
    }
}

static void add_grams(struct set_builder *set, unsigned side, const uint32_t *p, unsigned n,
                      unsigned q)
{
    if (n <= q) {
        if (n)
            set_add(set, side, element_key(set, p, n), p, n);
        return;
    }
    if (q > set->packing.exact) {
        for (unsigned i = 0; i + q <= n; i++)
            if (!set_add(set, side, element_key(set, p + i, q), p + i, q))
                return;
        return;
    }
    uint64_t window = kin_kernel_ones(set->packing.bits * q); /* the key rolls along */
    uint64_t key = element_key(set, p, q - 1);
    for (unsigned i = q - 1; i < n; i++) {
        key = (key << set->packing.bits | p[i]) & window;
        if (!set_add(set, side, key, p + i + 1 - q, q))
            return;
    }
}

/* Most elements that n code points can hold. */
static unsigned elements_max(unsigned n, unsigned q)
{
    unsigned most = q == 0 ? (n + 1) / 2 : n < q ? 1 : n - q + 1;
    return most < KIN_TOKENS_MAX ? most : KIN_TOKENS_MAX;
}

static struct set_counts count_sets(struct kin_kernel_scratch *s, const struct kin_pair *p,
                                    unsigned q)
{
    KIN_ASSERT(q <= KIN_QGRAM_MAX);
    unsigned la = kin_kernel_code_points(s, p, 0);
    unsigned lb = kin_kernel_code_points(s, p, 1);
    unsigned bits = 4; /* of the number of slots: at least two an element */
    while ((1u << bits) < 2 * (elements_max(la, q) + elements_max(lb, q)))
        bits++;
    struct set_builder set = {
        .slots = s->slots,
        .shift = 64 - bits,
        .mask = (1u << bits) - 1,
        .stamp = kin_kernel_new_stamp(s),
        .packing = p->ascii ? (struct packing){8, 8} : (struct packing){21, 3},
    };
    for (unsigned side = 1; side <= 2; side++) {
        const uint32_t *text = s->code_points[side - 1];
        unsigned n = side == 1 ? la : lb;
        if (q == 0)
            add_tokens(&set, side, text, n);
        else
            add_grams(&set, side, text, n, q);
    }
    return set.counts;
}

double kin_jaccard(struct kin_kernel_scratch *s, struct kin_pair p, unsigned q)
{
    struct set_counts n = count_sets(s, &p, q);
    if (n.a == 0 || n.b == 0)
        return n.a == n.b ? 1.0 : 0.0;
    return (double)n.both / (n.a + n.b - n.both);
}

double kin_cosine(struct kin_kernel_scratch *s, struct kin_pair p, unsigned q)
{
    struct set_counts n = count_sets(s, &p, q);
    if (n.a == 0 || n.b == 0)
        return n.a == n.b ? 1.0 : 0.0;
    return n.both / sqrt((double)n.a * n.b);
}
