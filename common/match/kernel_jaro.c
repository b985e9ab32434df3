/* Jaro and Jaro-Winkler. Jaro, "Advances in record-linkage methodology...", JASA 84 (1989);
 * Winkler, "String comparator metrics and enhanced decision rules..." (1990). */
#include "common/match/kernel_many_impl.h"

#include <string.h>

/* Jaro of strings of any length in linear time. The positions of each symbol in a are a list in
 * ascending order, head[] its first that is still of use. The windows only move up, so what lies
 * below one is below all later ones, and the greedy choice (the lowest free position inside the
 * window) is always the head. */
static double jaro_symbols(struct kin_kernel_scratch *s, struct kin_kernel_symbols v)
{
    unsigned longer = v.la > v.lb ? v.la : v.lb;
    unsigned reach = longer >= 4 ? longer / 2 - 1 : 0;
    for (unsigned i = v.la; i-- > 0;) {
        s->next[i] = s->head[v.a[i]];
        s->head[v.a[i]] = (uint16_t)(i + 1);
    }
    memset(s->flags, 0, v.la);
    unsigned matches = 0;
    for (unsigned j = 0; j < v.lb; j++) {
        unsigned at = s->head[v.b[j]]; /* position + 1 */
        while (at && at - 1 + reach < j)
            at = s->next[at - 1];
        if (at && at - 1 <= j + reach) {
            s->flags[at - 1] = 1;
            s->symbols[1][matches++] =
                v.b[j]; /* the matched ones move to the front: matches <= j */
            at = s->next[at - 1];
        }
        s->head[v.b[j]] = (uint16_t)at;
    }
    unsigned out_of_order = 0;
    for (unsigned i = 0, k = 0; i < v.la; i++) {
        s->head[v.a[i]] = 0;
        if (s->flags[i])
            out_of_order += v.a[i] != s->symbols[1][k++];
    }
    return matches ? kin_kernel_jaro_value(v.la, v.lb, matches, out_of_order / 2) : 0.0;
}

static unsigned prefix_bytes(struct kin_kernel_bytes a, struct kin_kernel_bytes b)
{
    if (b.n >= KIN_KERNEL_PREFIX) {
        uint32_t differ = kin_le32(a.p) ^ kin_le32(b.p);
        return differ ? (unsigned)__builtin_ctz(differ) / 8 : KIN_KERNEL_PREFIX;
    }
    unsigned n = 0;
    while (n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

static unsigned prefix_symbols(struct kin_kernel_symbols v)
{
    unsigned n = 0;
    while (n < KIN_KERNEL_PREFIX && n < v.la && n < v.lb && v.a[n] == v.b[n])
        n++;
    return n;
}

double kin_jaro(struct kin_kernel_scratch *s, struct kin_pair p)
{
    if (p.a.n == 0 || p.b.n == 0)
        return p.a.n == p.b.n ? 1.0 : 0.0;
    struct kin_kernel_bytes a;
    struct kin_kernel_bytes b;
    if (kin_kernel_short(s, &p, &a, &b))
        return s->ops->jaro(s, a, b, 0.0);
    return jaro_symbols(s, kin_kernel_widen(s, &p));
}

double kin_jaro_winkler(struct kin_kernel_scratch *s, struct kin_pair p)
{
    if (p.a.n == 0 || p.b.n == 0)
        return p.a.n == p.b.n ? 1.0 : 0.0;
    struct kin_kernel_bytes a;
    struct kin_kernel_bytes b;
    if (kin_kernel_short(s, &p, &a, &b))
        return kin_kernel_winkler(s->ops->jaro(s, a, b, 0.0), prefix_bytes(a, b));
    struct kin_kernel_symbols w = kin_kernel_widen(s, &p);
    unsigned prefix = prefix_symbols(w); /* first: jaro_symbols uses up the symbols of b */
    return kin_kernel_winkler(jaro_symbols(s, w), prefix);
}

/* The least matches * (la + lb) with which Jaro-Winkler can reach the threshold, or less. Jaro is
 * at most (m/la + m/lb + 1) / 3, with no transposition. The slack of 1e-9 is far above any rounding
 * error, so that only what really is below the threshold is rejected; who passes is decided by the
 * exact value. */
double kin_kernel_least_matches(unsigned la, unsigned lb, unsigned prefix, double threshold)
{
    static const double remaining[KIN_KERNEL_PREFIX + 1] = {1.0, 1.0 / 0.9, 1.0 / 0.8, 1.0 / 0.7,
                                                            1.0 / 0.6};
    double jaro = threshold;
    if (threshold > KIN_KERNEL_BOOST_ABOVE) {
        jaro = (threshold - prefix * KIN_KERNEL_PREFIX_WEIGHT) * remaining[prefix];
        jaro = jaro > KIN_KERNEL_BOOST_ABOVE ? jaro : KIN_KERNEL_BOOST_ABOVE;
    }
    return (3.0 * jaro - 1.0 - 1e-9) * (double)(la * lb);
}

double kin_jaro_winkler_from(struct kin_kernel_scratch *s, struct kin_pair p, double least)
{
    if (!(least <= 1.0)) /* NaN too: nothing is at least that */
        return -1.0;
    if (p.a.n == 0 || p.b.n == 0) {
        double value = p.a.n == p.b.n ? 1.0 : 0.0;
        return value >= least ? value : -1.0;
    }
    struct kin_kernel_bytes a;
    struct kin_kernel_bytes b;
    double jaro;
    unsigned prefix;
    if (kin_kernel_short(s, &p, &a, &b)) {
        unsigned la = (unsigned)a.n;
        unsigned lb = (unsigned)b.n;
        prefix = prefix_bytes(a, b);
        double bound = kin_kernel_least_matches(la, lb, prefix, least);
        if (lb * (la + lb) < bound)
            return -1.0;
        jaro = s->ops->jaro(s, a, b, bound);
        if (jaro < 0.0)
            return -1.0;
    } else {
        struct kin_kernel_symbols w = kin_kernel_widen(s, &p);
        unsigned shorter = w.la < w.lb ? w.la : w.lb;
        prefix = prefix_symbols(w); /* first: jaro_symbols uses up the symbols of b */
        if (shorter * (w.la + w.lb) < kin_kernel_least_matches(w.la, w.lb, prefix, least))
            return -1.0;
        jaro = jaro_symbols(s, w);
    }
    double value = kin_kernel_winkler(jaro, prefix);
    return value >= least ? value : -1.0;
}

bool kin_jaro_winkler_at_least(struct kin_kernel_scratch *s, struct kin_pair p, double threshold)
{
    return threshold <= 0.0 || kin_jaro_winkler_from(s, p, threshold) >= 0.0;
}
