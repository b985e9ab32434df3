/* One string against the groups of a set, as a template: each kernel_many_*.c includes it once for
 * one instruction set. Before that it defines
 *   MANY_OPS     the table of operations to define
 *   MANY_BYTES   of a vector: so many candidates are compared at once
 *   MANY_LEVEL   0 portable, 2 AVX2, 3 AVX-512
 * All is written in the compilers' generic vectors but for what these cannot say well: looking up
 * bytes in a table, and widening. The portable twin takes loops for that. */
#ifndef MANY_LEVEL
#error "kernel_many_ops.h is a template: include it from kernel_many_*.c"
#endif
#include <string.h>

#define MANY_INLINE static inline __attribute__((always_inline))

/* Lengths of the candidates of one vector, and of the query. */
struct many_span {
    unsigned shortest, longest, query;
};

#define LANE_BITS 8
#include "common/match/kernel_many_lanes.h"
#define LANE_BITS 16
#include "common/match/kernel_many_lanes.h"

MANY_INLINE lanes_8 load_lanes(const uint8_t *p)
{
    lanes_8 v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* ---- looking up ---- */

/* Of each code its byte in a table of 256, of which all codes are below 16 * rows. */
MANY_INLINE lanes_8 look_up(const uint8_t *table, unsigned rows, lanes_8 codes)
{
#if MANY_LEVEL == 0
    (void)rows;
    uint8_t bytes[MANY_BYTES];
    memcpy(bytes, &codes, sizeof bytes);
    for (unsigned i = 0; i < MANY_BYTES; i++)
        bytes[i] = table[bytes[i]];
    return load_lanes(bytes);
#else
    lanes_8 found = {0};
    for (unsigned r = 0; r < rows; r++) {
        /* a shuffle gives 0 where the highest bit is set: so it is in codes of other rows */
        lanes_8 row = codes ^ (uint8_t)(KIN_MANY_ROW * r);
        __m128i bytes =
            _mm_load_si128((const __m128i *)(const void *)(table + (size_t)KIN_MANY_ROW * r));
#if MANY_LEVEL == 2
        __m256i at = _mm256_adds_epu8((__m256i)row, _mm256_set1_epi8(0x70));
        found |= (lanes_8)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), at);
#else
        __m512i at = _mm512_adds_epu8((__m512i)row, _mm512_set1_epi8(0x70));
        found |= (lanes_8)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(bytes), at);
#endif
    }
    return found;
#endif
}

/* Two vectors of 16-bit lanes from their low and high bytes, in an order of its own; and back,
 * where all high bytes are 0. */
MANY_INLINE void widen(lanes_8 low, lanes_8 high, lanes_16 out[2])
{
#if MANY_LEVEL == 0
    uint8_t low_bytes[MANY_BYTES], high_bytes[MANY_BYTES];
    uint16_t both[MANY_BYTES];
    memcpy(low_bytes, &low, sizeof low);
    memcpy(high_bytes, &high, sizeof high);
    for (unsigned i = 0; i < MANY_BYTES; i++)
        both[i] = (uint16_t)(low_bytes[i] | high_bytes[i] << 8);
    memcpy(out, both, sizeof both);
#elif MANY_LEVEL == 2
    out[0] = (lanes_16)_mm256_unpacklo_epi8((__m256i)low, (__m256i)high);
    out[1] = (lanes_16)_mm256_unpackhi_epi8((__m256i)low, (__m256i)high);
#else
    out[0] = (lanes_16)_mm512_unpacklo_epi8((__m512i)low, (__m512i)high);
    out[1] = (lanes_16)_mm512_unpackhi_epi8((__m512i)low, (__m512i)high);
#endif
}

MANY_INLINE lanes_8 narrow(const lanes_16 in[2])
{
#if MANY_LEVEL == 0
    uint16_t wide[MANY_BYTES];
    uint8_t out[MANY_BYTES];
    memcpy(wide, in, sizeof wide);
    for (unsigned i = 0; i < MANY_BYTES; i++)
        out[i] = (uint8_t)wide[i];
    return load_lanes(out);
#elif MANY_LEVEL == 2
    return (lanes_8)_mm256_packus_epi16((__m256i)in[0], (__m256i)in[1]);
#else
    return (lanes_8)_mm512_packus_epi16((__m512i)in[0], (__m512i)in[1]);
#endif
}

/* Bit i: lane i is not 0, where every lane is 0 or 255. */
MANY_INLINE uint64_t lanes_set(lanes_8 v)
{
#if MANY_LEVEL == 2
    return (uint32_t)_mm256_movemask_epi8((__m256i)v);
#elif MANY_LEVEL == 3
    return _mm512_movepi8_mask((__m512i)v);
#else
    uint8_t bytes[MANY_BYTES];
    memcpy(bytes, &v, sizeof bytes);
    uint64_t set = 0;
    for (unsigned i = 0; i < MANY_BYTES; i++)
        set |= (uint64_t)(bytes[i] & 1) << i;
    return set;
#endif
}

/* The places of the characters of the vector at `from`, as the lanes of a query of up to 8 or up to
 * 16 characters need them. */
MANY_INLINE void find_8(const struct kin_many_group *g, unsigned from,
                        const struct kin_many_query *q, unsigned longest, lanes_8 *eqs)
{
    if (g->rows <= 2) { /* the alphabet: a case of its own unrolls */
        for (unsigned j = 0; j < longest; j++)
            eqs[j] = look_up(q->positions[0], 2, load_lanes(g->column[j] + from));
        return;
    }
    for (unsigned j = 0; j < longest; j++)
        eqs[j] = look_up(q->positions[0], g->rows, load_lanes(g->column[j] + from));
}

MANY_INLINE void find_16(const struct kin_many_group *g, unsigned from,
                         const struct kin_many_query *q, unsigned longest,
                         lanes_16 eqs[2][KIN_MANY_LENGTH])
{
    for (unsigned j = 0; j < longest; j++) {
        lanes_8 codes = load_lanes(g->column[j] + from);
        unsigned rows = g->rows <= 2 ? 2 : g->rows;
        lanes_16 eq[2];
        if (rows == 2)
            widen(look_up(q->positions[0], 2, codes), look_up(q->positions[1], 2, codes), eq);
        else
            widen(look_up(q->positions[0], rows, codes), look_up(q->positions[1], rows, codes), eq);
        eqs[0][j] = eq[0];
        eqs[1][j] = eq[1];
    }
}

/* Lengths of the lanes of a vector; false: there are none. */
MANY_INLINE bool span_of(const struct kin_many_group *g, unsigned from, unsigned query,
                         struct many_span *span)
{
    if (from >= g->count)
        return false;
    unsigned end = g->count < from + MANY_BYTES ? g->count : from + MANY_BYTES;
    *span = (struct many_span){g->length[from], g->length[end - 1], query};
    return true;
}

/* ---- edit distances ---- */

MANY_INLINE lanes_8 distances(const struct kin_many_group *g, unsigned from,
                              const struct kin_many_query *q, struct many_span span, bool swaps)
{
    lanes_8 length = load_lanes(g->length + from);
    if (q->n <= 8) {
        lanes_8 eqs[KIN_MANY_LENGTH];
        find_8(g, from, q, span.longest, eqs);
        return edit_8(eqs, length, span, swaps);
    }
    lanes_16 eqs[2][KIN_MANY_LENGTH], lengths[2], out[2];
    find_16(g, from, q, span.longest, eqs);
    widen(length, (lanes_8){0}, lengths);
    for (unsigned i = 0; i < 2; i++)
        out[i] = edit_16(eqs[i], lengths[i], span, swaps);
    return narrow(out);
}

MANY_INLINE void many_edit(const struct kin_many *m, const struct kin_many_query *q, unsigned max,
                           bool swaps, uint16_t *out)
{
    for (size_t k = 0; k < m->group_count; k++) {
        const struct kin_many_group *g = &m->groups[k];
        struct many_span span;
        for (unsigned from = 0; span_of(g, from, q->n, &span); from += MANY_BYTES) {
            if (span.longest + max < q->n || span.shortest > q->n + max)
                continue;
            _Alignas(MANY_BYTES) uint8_t distance[MANY_BYTES];
            lanes_8 v = distances(g, from, q, span, swaps);
            memcpy(distance, &v, sizeof v);
            unsigned end = g->count - from < MANY_BYTES ? g->count - from : MANY_BYTES;
            if (max >= KIN_MANY_LENGTH) {
                for (unsigned i = 0; i < end; i++)
                    out[g->index[from + i]] = distance[i];
                continue;
            }
            uint64_t near = lanes_set((lanes_8)(v <= (uint8_t)max)) & kin_kernel_ones(end);
            for (; near; near &= near - 1) {
                unsigned i = (unsigned)__builtin_ctzll(near);
                out[g->index[from + i]] = distance[i];
            }
        }
    }
}

static void many_levenshtein(const struct kin_many *m, const struct kin_many_query *q, unsigned max,
                             uint16_t *out)
{
    many_edit(m, q, max, false, out);
}

static void many_osa(const struct kin_many *m, const struct kin_many_query *q, unsigned max,
                     uint16_t *out)
{
    many_edit(m, q, max, true, out);
}

/* ---- Jaro-Winkler ---- */

/* Lanes of one vector. */
struct many_counts {
    _Alignas(MANY_BYTES) uint8_t matches[MANY_BYTES];
    _Alignas(MANY_BYTES) uint8_t moved[MANY_BYTES]; /* twice the transpositions */
    _Alignas(MANY_BYTES) uint8_t prefix[MANY_BYTES];
};

/* Equal characters at the start, up to 4. */
MANY_INLINE lanes_8 prefixes(const struct kin_many_group *g, unsigned from,
                             const struct kin_many_query *q)
{
    lanes_8 count = {0};
    lanes_8 all = ~count;
    for (unsigned j = 0; j < KIN_KERNEL_PREFIX; j++) {
        all &= (lanes_8)(load_lanes(g->column[j] + from) == q->prefix[j]);
        count -= all;
    }
    return count;
}

/* Counts of the lanes that can reach the threshold, as bits. */
MANY_INLINE uint64_t count_lanes(const struct kin_many_group *g, unsigned from,
                                 const struct kin_many_query *q, struct many_span span,
                                 const uint8_t *least, struct many_counts *out)
{
    lanes_8 length = load_lanes(g->length + from), prefix = prefixes(g, from, q), m, moved;
    lanes_8 need = {0};
    for (unsigned p = 0; p <= KIN_KERNEL_PREFIX; p++)
        need |= (lanes_8)(prefix == (uint8_t)p) & least[p];
    uint64_t set;
    if (q->n <= 8) {
        lanes_8 eqs[KIN_MANY_LENGTH], taken[KIN_MANY_LENGTH];
        find_8(g, from, q, span.longest, eqs);
        m = matches_8(eqs, length, span, taken);
        set = lanes_set((lanes_8)(m >= need));
        if (!set)
            return 0;
        moved = moved_8(eqs, taken, span.longest);
    } else {
        lanes_16 eqs[2][KIN_MANY_LENGTH], taken[2][KIN_MANY_LENGTH], lengths[2], v[2];
        find_16(g, from, q, span.longest, eqs);
        widen(length, (lanes_8){0}, lengths);
        for (unsigned i = 0; i < 2; i++)
            v[i] = matches_16(eqs[i], lengths[i], span, taken[i]);
        m = narrow(v);
        set = lanes_set((lanes_8)(m >= need));
        if (!set)
            return 0;
        for (unsigned i = 0; i < 2; i++)
            v[i] = moved_16(eqs[i], taken[i], span.longest);
        moved = narrow(v);
    }
    memcpy(out->matches, &m, sizeof m);
    memcpy(out->moved, &moved, sizeof moved);
    memcpy(out->prefix, &prefix, sizeof prefix);
    return set;
}

/* kin_kernel_jaro_value with the same operations in the same order, two divisions of it looked up.
 */
MANY_INLINE double jaro_of(const struct kin_many *m, const struct many_counts *c, unsigned i,
                           unsigned la, unsigned lb)
{
    unsigned matches = c->matches[i];
    if (!matches)
        return 0.0;
    return (m->share[matches][la] + m->share[matches][lb] +
            m->share[matches - c->moved[i] / 2][matches]) /
           3.0;
}

/* Matches that the candidates of the lengths of a vector need at least, by their prefix. */
MANY_INLINE void least_of(struct many_span span, double least, uint8_t need[KIN_KERNEL_PREFIX + 1])
{
    for (unsigned p = 0; p <= KIN_KERNEL_PREFIX; p++) {
        need[p] = KIN_MANY_LENGTH + 1;
        for (unsigned n = span.shortest; n <= span.longest; n++) {
            unsigned shorter = n < span.query ? n : span.query, m = 0;
            double bound = kin_kernel_least_matches(span.query, n, p, least);
            while (m <= shorter && m * (span.query + n) < bound)
                m++;
            if (m <= shorter && m < need[p])
                need[p] = (uint8_t)m;
        }
    }
}

static void many_jaro_winkler(const struct kin_many *m, const struct kin_many_query *q,
                              double least, double *out)
{
    uint8_t need[KIN_KERNEL_PREFIX + 1] = {0};
    struct many_span known = {0, 0, q->n};
    for (size_t k = 0; k < m->group_count; k++) {
        const struct kin_many_group *g = &m->groups[k];
        struct many_span span;
        for (unsigned from = 0; span_of(g, from, q->n, &span); from += MANY_BYTES) {
            if (least > 0.0 && (span.shortest != known.shortest || span.longest != known.longest)) {
                least_of(span, least, need);
                known = span;
            }
            if (need[KIN_KERNEL_PREFIX] > KIN_MANY_LENGTH) /* not even with the longest prefix */
                continue;
            struct many_counts counts;
            uint64_t set = count_lanes(g, from, q, span, need, &counts);
            unsigned end = g->count - from < MANY_BYTES ? g->count - from : MANY_BYTES;
            for (set &= kin_kernel_ones(end); set; set &= set - 1) {
                unsigned i = (unsigned)__builtin_ctzll(set);
                double jaro = jaro_of(m, &counts, i, q->n, g->length[from + i]);
                double value = kin_kernel_winkler(jaro, counts.prefix[i]);
                if (value >= least)
                    out[g->index[from + i]] = value;
            }
        }
    }
}

const struct kin_many_ops MANY_OPS = {many_jaro_winkler, many_levenshtein, many_osa};
