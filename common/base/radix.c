#include "common/base/radix.h"

#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 6, BUCKETS = 1 << DIGIT_BITS, INSERTION_MAX = 32 };

static void insertion_sort(struct kin_keyed *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct kin_keyed x = items[i];
        size_t j = i;
        for (; j > 0 && items[j - 1].key > x.key; j--)
            items[j] = items[j - 1];
        items[j] = x;
    }
}

static inline unsigned digit(uint64_t key, unsigned d)
{
    return (unsigned)(key >> (d * DIGIT_BITS)) & (BUCKETS - 1);
}

/* Moves from -> to by digit d; false (nothing moved) when all keys have the same digit. */
static bool scatter(const struct kin_keyed *from, struct kin_keyed *to, size_t n, unsigned d,
                    size_t *at)
{
    memset(at, 0, BUCKETS * sizeof *at);
    for (size_t i = 0; i < n; i++)
        at[digit(from[i].key, d)]++;
    if (at[digit(from[0].key, d)] == n)
        return false;
    size_t sum = 0;
    for (size_t b = 0; b < BUCKETS; b++) {
        size_t count = at[b];
        at[b] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        to[at[digit(from[i].key, d)]++] = from[i];
    return true;
}

void kin_radix_sort(struct kin_keyed *items, struct kin_keyed *tmp, size_t n)
{
    if (n <= INSERTION_MAX) {
        insertion_sort(items, n);
        return;
    }
    size_t at[BUCKETS];
    struct kin_keyed *from = items, *to = tmp;
    for (unsigned d = 0; d < DIGITS; d++) {
        if (scatter(from, to, n, d, at)) {
            struct kin_keyed *swap = from;
            from = to;
            to = swap;
        }
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
}
