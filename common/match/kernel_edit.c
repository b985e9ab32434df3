/* Edit distances: cut-offs, and strings of more than 64 characters. The bit-parallel recurrence and
 * its sources are explained in kernel_short.h. */
#include "common/match/kernel_impl.h"

#include <string.h>

/* What a strip of 64 rows passes down to the next one, for one column. */
enum {
    CARRY_GROWS = 1, /* the bottom row's distance is larger than in the column before */
    CARRY_FALLS = 2, /* smaller */
    CARRY_SWAP = 4,  /* a transposition may begin at the bottom row */
    SWAP_SHIFT = 2,
    STRIP_ROWS = 64
};

struct strip {
    unsigned row;         /* rows above it */
    unsigned rows;        /* of it */
    unsigned first, last; /* columns to compute, from 1 */
    unsigned save;        /* column whose bottom distance the next strip starts from */
    unsigned score;       /* in: distance at its bottom row before the first column; out: last */
    unsigned saved;       /* out: distance at the bottom row of column `save` */
    unsigned least;       /* out: least distance that a way through the bottom row can end with */
};

static inline unsigned gap(unsigned x, unsigned y)
{
    return x > y ? x - y : y - x;
}

/* One strip over its columns of the text; s->flags carries between strips. */
static inline void strip_run(struct kin_kernel_scratch *s, struct kin_kernel_symbols v,
                             struct strip *st, bool transpose)
{
    uint64_t vp = ~(uint64_t)0;
    uint64_t vn = 0;
    uint64_t d0 = 0;
    uint64_t before = 0;
    unsigned top = st->rows - 1;
    unsigned score = st->score;
    unsigned rows_left = v.la - st->row - st->rows;
    unsigned least = score + gap(v.lb - (st->first - 1), rows_left);
    unsigned saved = score;
    for (unsigned j = st->first; j <= st->last; j++) {
        uint64_t eq = s->masks[v.b[j - 1]];
        uint8_t in = s->flags[j - 1];
        uint64_t fell = in >> 1 & 1;
        uint64_t x = eq | fell;
        uint64_t swap = ~d0 & eq;
        uint64_t swapped = transpose ? (swap << 1 | in >> SWAP_SHIFT) & before : 0;
        d0 = (((x & vp) + vp) ^ vp) | x | vn | swapped;
        uint64_t hp = vn | ~(d0 | vp);
        uint64_t hn = d0 & vp;
        unsigned grows = (unsigned)(hp >> top) & 1;
        unsigned falls = (unsigned)(hn >> top) & 1;
        s->flags[j - 1] = (uint8_t)(grows | falls << 1 |
                                    (transpose ? (unsigned)(swap >> top) & 1 : 0) << SWAP_SHIFT);
        score += grows - falls;
        hp = hp << 1 | (in & CARRY_GROWS);
        hn = hn << 1 | fell;
        vp = hn | ~(d0 | hp);
        vn = hp & d0;
        before = eq;
        unsigned end = score + gap(v.lb - j, rows_left);
        least = end < least ? end : least;
        saved = j == st->save ? score : saved;
    }
    st->score = score;
    st->saved = saved;
    st->least = least;
}

/* Hyyrö's and Myers's blocks, row strip by row strip: so one table of 64-bit masks serves a pattern
 * of any length, and what passes between strips is three bits a column. With a cut-off only the
 * band of columns around the diagonal is computed (Ukkonen 1985). Cells outside are taken for their
 * cheapest known value (one more than the neighbour inside), never less than the truth, and no way
 * of cost <= max leads through them. The band is 2 wider than that, so that a transposition never
 * looks outside. */
static unsigned edit_symbols(struct kin_kernel_scratch *s, struct kin_kernel_symbols v,
                             unsigned max, bool transpose)
{
    unsigned slack = max + 2;
    memset(s->flags, CARRY_GROWS, v.lb);
    struct strip st = {.saved = 0, .save = 0};
    for (unsigned row = 0; row < v.la; row += STRIP_ROWS) {
        unsigned end = v.la - row < STRIP_ROWS ? v.la : row + STRIP_ROWS;
        st.row = row;
        st.rows = end - row;
        st.first = st.save + 1;
        st.last = end + slack < v.lb ? end + slack : v.lb;
        st.score = st.saved + st.rows;
        st.save = end > slack ? end - slack : 0;
        for (unsigned i = row; i < end; i++)
            s->masks[v.a[i]] |= (uint64_t)1 << (i - row);
        if (transpose)
            strip_run(s, v, &st, true);
        else
            strip_run(s, v, &st, false);
        for (unsigned i = row; i < end; i++)
            s->masks[v.a[i]] = 0;
        if (st.least > max)
            return max + 1;
    }
    return st.score <= max ? st.score : max + 1;
}

static unsigned long_edit(struct kin_kernel_scratch *s, const struct kin_pair *p, unsigned max,
                          bool transpose)
{
    struct kin_kernel_symbols v = kin_kernel_widen(s, p);
    if (v.la > v.lb) /* fewer strips; the text is the longer one */
        v = (struct kin_kernel_symbols){v.b, v.a, v.lb, v.la};
    if (v.lb - v.la > max)
        return max + 1;
    for (; v.la && v.a[0] == v.b[0]; v.la--, v.lb--) {
        v.a++;
        v.b++;
    }
    while (v.la && v.a[v.la - 1] == v.b[v.lb - 1]) {
        v.la--;
        v.lb--;
    }
    if (v.la == 0)
        return v.lb;
    return edit_symbols(s, v, max < v.lb ? max : v.lb, transpose);
}

static inline unsigned edit(struct kin_kernel_scratch *s, const struct kin_pair *p, unsigned max,
                            bool transpose)
{
    struct kin_kernel_bytes a;
    struct kin_kernel_bytes b;
    if (!kin_kernel_short(s, p, &a, &b))
        return long_edit(s, p, max, transpose);
    unsigned longer = (unsigned)a.n;
    if (a.n - b.n > max)
        return max + 1;
    if (b.n == 0)
        return longer;
    if (max == 0)
        return memcmp(a.p, b.p, b.n) != 0;
    if (max > longer) /* the distance cannot exceed it */
        max = longer;
    return transpose ? s->ops->osa(s, a, b, max) : s->ops->levenshtein(s, a, b, max);
}

unsigned kin_levenshtein(struct kin_kernel_scratch *s, struct kin_pair p, unsigned max)
{
    return edit(s, &p, max, false);
}

unsigned kin_osa(struct kin_kernel_scratch *s, struct kin_pair p, unsigned max)
{
    return edit(s, &p, max, true);
}
