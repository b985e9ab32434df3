#include "common/match/suggest.h"

#include <string.h>

enum { LENGTH_MAX = 64 };

static unsigned lower(char c)
{
    unsigned byte = (unsigned char)c;
    return byte >= 'A' && byte <= 'Z' ? byte + 32 : byte;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment by the textbook table, three rows of it; both at most LENGTH_MAX. */
static unsigned distance(struct kin_str a, struct kin_str b)
{
    unsigned rows[3][LENGTH_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (unsigned j = 0; j <= b.n; j++)
        above[j] = before[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            unsigned differ = lower(a.p[i - 1]) != lower(b.p[j - 1]);
            row[j] = least(least(row[j - 1], above[j]) + 1, above[j - 1] + differ);
            if (i > 1 && j > 1 && lower(a.p[i - 1]) == lower(b.p[j - 2]) &&
                lower(a.p[i - 2]) == lower(b.p[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b.n];
}

void kin_suggest(struct kin_suggestion *best, struct kin_str written, const char *known)
{
    struct kin_str name = kin_str_of(known);
    if (written.n == 0 || written.n > LENGTH_MAX || name.n == 0 || name.n > LENGTH_MAX)
        return;
    unsigned d = distance(written, name);
    unsigned near = name.n < 6 ? 1 : (unsigned)name.n / 3;
    if (d <= near && d < name.n && (!best->name || d < best->distance))
        *best = (struct kin_suggestion){known, d};
}
