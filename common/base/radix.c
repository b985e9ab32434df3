#include "common/base/radix.h"

#include <string.h>

/* Hashes of n things differ in their first log2(n) bits or so: those are sorted by, digit after
 * digit, and the few neighbours that are still out of order are put right by insertion. Keys that
 * are not spread like that make insertion move too much; then all bits are sorted by. */

enum {
    DIGIT_BITS = 11,
    BUCKETS = 1 << DIGIT_BITS,
    INSERTION_MAX = 32,
    SPARE_BITS = 2,    /* more than log2(n), so that few share a bucket */
    MOVES_PER_ITEM = 4 /* by insertion, before it is given up */
};

/* False: more than `moves` items were moved; what was done so far is undone by no one, but equal
 * keys still are in their order. */
static bool insertion_sort(struct kin_keyed *items, size_t n, size_t moves)
{
    for (size_t i = 1; i < n; i++) {
        if (items[i - 1].key <= items[i].key)
            continue;
        struct kin_keyed x = items[i];
        size_t j = i;
        for (; j > 0 && items[j - 1].key > x.key; j--)
            items[j] = items[j - 1];
        items[j] = x;
        if (i - j > moves)
            return false;
        moves -= i - j;
    }
    return true;
}

/* Moves from -> to by the digit of `bits` bits at `shift`; false (nothing moved) when all keys have
 * the same digit. */
static bool scatter(const struct kin_keyed *from, struct kin_keyed *to, size_t n, unsigned shift,
                    unsigned bits, size_t *at)
{
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    memset(at, 0, sizeof *at << bits);
    for (size_t i = 0; i < n; i++)
        at[from[i].key >> shift & mask]++;
    if (at[from[0].key >> shift & mask] == n)
        return false;
    size_t sum = 0;
    for (size_t b = 0; b <= mask; b++) {
        size_t count = at[b];
        at[b] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        to[at[from[i].key >> shift & mask]++] = from[i];
    return true;
}

/* Sorts by the bits from `low` to below `top`, lowest digit first, in digits of one size. */
static void sort_bits(struct kin_keyed *items, struct kin_keyed *tmp, size_t n, unsigned low,
                      unsigned top)
{
    size_t at[BUCKETS];
    struct kin_keyed *from = items, *to = tmp;
    unsigned digits = (top - low + DIGIT_BITS - 1) / DIGIT_BITS;
    unsigned size = (top - low + digits - 1) / digits;
    for (unsigned shift = low; shift < top; shift += size) {
        if (scatter(from, to, n, shift, shift + size < top ? size : top - shift, at)) {
            struct kin_keyed *swap = from;
            from = to;
            to = swap;
        }
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
}

void kin_radix_sort(struct kin_keyed *items, struct kin_keyed *tmp, size_t n)
{
    if (n <= INSERTION_MAX) {
        insertion_sort(items, n, SIZE_MAX);
        return;
    }
    uint64_t differ = 0;
    bool sorted = true;
    for (size_t i = 1; i < n; i++) {
        differ |= items[i].key ^ items[0].key;
        sorted &= items[i - 1].key <= items[i].key;
    }
    if (sorted)
        return;
    unsigned low = (unsigned)__builtin_ctzll(differ);
    unsigned top = 64 - (unsigned)__builtin_clzll(differ);
    unsigned enough = 64 - (unsigned)__builtin_clzll(n) + SPARE_BITS;
    if (top - low <= enough) {
        sort_bits(items, tmp, n, low, top);
        return;
    }
    sort_bits(items, tmp, n, top - enough, top);
    if (!insertion_sort(items, n, MOVES_PER_ITEM * n))
        sort_bits(items, tmp, n, low, top);
}
