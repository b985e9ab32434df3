/* Longest common subsequence of strings of any length; the recurrence is explained in
 * kernel_short.h. */
#include "common/match/kernel_impl.h"

#include <string.h>

enum { STRIP_ROWS = 64 };

/* Strips of 64 rows; what passes between them is the carry of the addition, a bit a column. */
static unsigned lcs_symbols(struct kin_kernel_scratch *s, struct kin_kernel_symbols v)
{
    unsigned length = 0;
    memset(s->flags, 0, v.lb);
    for (unsigned row = 0; row < v.la; row += STRIP_ROWS) {
        unsigned end = v.la - row < STRIP_ROWS ? v.la : row + STRIP_ROWS;
        for (unsigned i = row; i < end; i++)
            s->masks[v.a[i]] |= (uint64_t)1 << (i - row);
        uint64_t rows = ~(uint64_t)0;
        for (unsigned j = 0; j < v.lb; j++) {
            uint64_t u = rows & s->masks[v.b[j]];
            uint64_t sum = rows + u;
            uint64_t carry = sum < rows;
            sum += s->flags[j];
            carry |= sum < s->flags[j];
            rows = sum | (rows - u);
            s->flags[j] = (uint8_t)carry;
        }
        for (unsigned i = row; i < end; i++)
            s->masks[v.a[i]] = 0;
        length += (unsigned)__builtin_popcountll(~rows & kin_kernel_ones(end - row));
    }
    return length;
}

unsigned kin_lcs(struct kin_kernel_scratch *s, struct kin_pair p)
{
    if (p.a.n == 0 || p.b.n == 0)
        return 0;
    struct kin_kernel_bytes a;
    struct kin_kernel_bytes b;
    if (kin_kernel_short(s, &p, &a, &b))
        return s->ops->lcs(s, a, b);
    struct kin_kernel_symbols w = kin_kernel_widen(s, &p);
    if (w.la > w.lb)
        w = (struct kin_kernel_symbols){w.b, w.a, w.lb, w.la};
    return lcs_symbols(s, w);
}
