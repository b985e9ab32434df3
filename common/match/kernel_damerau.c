/* Damerau-Levenshtein distance without restriction. Lowrance and Wagner, "An extension of the
 * string-to-string correction problem", JACM 22 (1975); in rows as by Zhao and Sahinalp, "Linear
 * space string correction algorithm using the Damerau-Levenshtein distance" (2020): of the
 * transpositions only those need a look that have no gap on one side. */
#include "common/match/kernel_impl.h"

#include <string.h>

enum { FAR = 2 * KIN_KERNEL_CODEPOINTS_MAX }; /* more than any distance */

static inline unsigned least(unsigned x, unsigned y)
{
    return x < y ? x : y;
}

/* Rows i - 2, i - 1 and i of the matrix, shifted by one: [j + 1] is column j, [0] is FAR. */
struct rows {
    uint16_t *before, *last, *now;
    uint16_t *saved; /* [j]: of the last row k whose character is that of column j, D[k-1][j-2] */
};

/* Row i of the character c; returns its least value. s->head[x]: last row of the character x. */
static unsigned fill_row(const struct kin_kernel_scratch *s, const struct rows *r, unsigned i,
                         uint16_t c, const uint16_t *b, unsigned lb)
{
    unsigned l = 0; /* the last column of c */
    unsigned left = i, bottom = i;
    r->now[0] = FAR;
    r->now[1] = (uint16_t)i;
    for (unsigned j = 1; j <= lb; j++) {
        unsigned cell;
        if (b[j - 1] == c) {
            cell = r->last[j];
            r->saved[j] = r->last[j - 1];
            l = j;
        } else {
            unsigned k = s->head[b[j - 1]];
            cell = least(least(r->last[j], r->last[j + 1]), left) + 1;
            if (l && k && (j - l == 1 || i - k == 1)) {
                unsigned swapped = j - l == 1 ? r->saved[j] + (i - k) : r->before[l] + (j - l);
                cell = least(cell, swapped);
            }
        }
        left = cell;
        bottom = least(bottom, cell);
        r->now[j + 1] = (uint16_t)cell;
    }
    return bottom;
}

static unsigned matrix(struct kin_kernel_scratch *s, struct kin_kernel_symbols v, unsigned max)
{
    struct rows r = {s->rows[0], s->rows[1], s->rows[2], s->rows[3]};
    r.last[0] = FAR;
    for (unsigned j = 0; j <= v.lb; j++)
        r.last[j + 1] = (uint16_t)j;
    unsigned rows = 0, bottom = 0;
    while (rows < v.la && bottom <= max) { /* what comes after a row is above its least value */
        uint16_t c = v.a[rows++];
        bottom = fill_row(s, &r, rows, c, v.b, v.lb);
        s->head[c] = (uint16_t)rows;
        uint16_t *free_row = r.before;
        r.before = r.last;
        r.last = r.now;
        r.now = free_row;
    }
    for (unsigned i = 0; i < rows; i++)
        s->head[v.a[i]] = 0;
    unsigned distance = bottom <= max ? r.last[v.lb + 1] : max + 1;
    return distance <= max ? distance : max + 1;
}

static struct kin_kernel_symbols symbols_of(struct kin_kernel_scratch *s, const struct kin_pair *p)
{
    struct kin_kernel_bytes a, b;
    if (!kin_kernel_short(s, p, &a, &b))
        return kin_kernel_widen(s, p);
    for (unsigned i = 0; i < a.n; i++)
        s->symbols[0][i] = a.p[i];
    for (unsigned j = 0; j < b.n; j++)
        s->symbols[1][j] = b.p[j];
    return (struct kin_kernel_symbols){s->symbols[0], s->symbols[1], (unsigned)a.n, (unsigned)b.n};
}

unsigned kin_damerau(struct kin_kernel_scratch *s, struct kin_pair p, unsigned max)
{
    /* A transposition around a gap costs at least 2, and at most 1 less than what OSA has for it:
     * so OSA is at most half as much again, and the same up to 2. */
    unsigned reach = max < KIN_KERNEL_CODEPOINTS_MAX ? max + max / 2 : max;
    unsigned osa = kin_osa(s, p, reach);
    if (osa <= 2 || osa > reach)
        return osa <= max ? osa : max + 1;
    struct kin_kernel_symbols v = symbols_of(s, &p);
    for (; v.la && v.lb && v.a[0] == v.b[0]; v.la--, v.lb--) {
        v.a++;
        v.b++;
    }
    while (v.la && v.lb && v.a[v.la - 1] == v.b[v.lb - 1]) {
        v.la--;
        v.lb--;
    }
    return matrix(s, v, max < osa ? max : osa);
}
