/* The kernels on the byte form (at most 64 characters), as a template: each kernel_short_*.c
 * includes it once for one instruction set. Before that it defines
 *   SHORT_OPS    the table of operations to define, SHORT_NAME its name
 *   SHORT_MANY   that of one string against many on the same machines
 *   SHORT_LEVEL  0 portable, 2 AVX2, 3 AVX-512
 *
 * Bit-parallel kernels ask, for each character c of b, for the set of positions of c in a, as a
 * word with one bit a position. The usual table of 256 such words has to be filled and cleared for
 * each pair, which for a name costs as much as the kernel itself. With vector instructions there
 * is no table: a lies in one register, and one compare with c in all lanes gives the set. */
#ifndef SHORT_LEVEL
#error "kernel_short.h is a template: include it from kernel_short_*.c"
#endif

#define SHORT_INLINE static inline __attribute__((always_inline))

/* How long a may be: which register it takes. A constant wherever it is used. */
enum width { WIDTH_16, WIDTH_32, WIDTH_64 };

struct texts {
    const uint8_t *a, *b;
    unsigned la, lb;
};

SHORT_INLINE struct texts texts_of(struct kin_kernel_bytes a, struct kin_kernel_bytes b)
{
    return (struct texts){a.p, b.p, (unsigned)a.n, (unsigned)b.n};
}

struct positions {
    const uint64_t *table;
#if SHORT_LEVEL >= 2
    unsigned skip; /* leave out so many positions at the start: WIDTH_16 only */
    __m128i x;
    __m256i y;
#endif
#if SHORT_LEVEL >= 3
    __m512i z;
#endif
};

/* ---- loading a string into a register; bytes past its end are zero and are never touched ---- */

#if SHORT_LEVEL == 2
SHORT_INLINE __m128i load_16(const uint8_t *p, unsigned n)
{
    if (n < 4) {
        uint32_t v = 0;
        for (unsigned i = 0; i < n; i++)
            v |= (uint32_t)p[i] << 8 * i;
        return _mm_cvtsi32_si128((int)v);
    }
    /* whole groups of four by a masked load, the rest as the tail of the last four bytes */
    const __m128i lanes = _mm_setr_epi32(0, 1, 2, 3);
    __m128i groups = _mm_set1_epi32((int)(n / 4));
    __m128i whole =
        _mm_maskload_epi32((const int *)(const void *)p, _mm_cmplt_epi32(lanes, groups));
    uint64_t tail = (uint64_t)kin_le32(p + n - 4) >> (32 - 8 * (n % 4));
    __m128i rest = _mm_and_si128(_mm_set1_epi32((int)tail), _mm_cmpeq_epi32(lanes, groups));
    return _mm_or_si128(whole, rest);
}

SHORT_INLINE __m256i load_32(const uint8_t *p, unsigned n)
{
    if (n <= 16)
        return _mm256_zextsi128_si256(load_16(p, n));
    /* the last 16 bytes, moved down over those that the first 16 hold already */
    static const int8_t down[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(p + n - 16));
    __m128i move = _mm_loadu_si128((const __m128i *)(const void *)(down + 32 - n));
    return _mm256_set_m128i(_mm_shuffle_epi8(high, move), low);
}
#elif SHORT_LEVEL == 3
SHORT_INLINE __m128i load_16(const uint8_t *p, unsigned n)
{
    return _mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), p);
}

SHORT_INLINE __m256i load_32(const uint8_t *p, unsigned n)
{
    return _mm256_maskz_loadu_epi8((__mmask32)kin_kernel_ones(n), p);
}
#endif

/* ---- positions of a character in a ---- */

SHORT_INLINE bool uses_table(enum width w)
{
#if SHORT_LEVEL == 0
    (void)w;
    return true;
#elif SHORT_LEVEL == 2
    return w == WIDTH_64;
#else
    (void)w;
    return false;
#endif
}

SHORT_INLINE struct positions positions_make(struct kin_kernel_scratch *s, struct texts v,
                                             enum width w)
{
    struct positions of = {.table = s->masks}; /* skip is 0 */
    if (uses_table(w)) {
        for (unsigned i = 0; i < v.la; i++)
            s->masks[v.a[i]] |= (uint64_t)1 << i;
        return of;
    }
#if SHORT_LEVEL >= 2
    if (w == WIDTH_16)
        of.x = load_16(v.a, v.la);
    else if (w == WIDTH_32)
        of.y = load_32(v.a, v.la);
#endif
#if SHORT_LEVEL >= 3
    if (w == WIDTH_64)
        of.z = _mm512_maskz_loadu_epi8((__mmask64)kin_kernel_ones(v.la), v.a);
#endif
    return of;
}

/* Bits past the end of a are undefined: a zero byte of b finds the padding. */
SHORT_INLINE uint64_t positions_of(const struct positions *of, uint8_t c, enum width w)
{
#if SHORT_LEVEL == 2
    if (w == WIDTH_16)
        return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(of->x, _mm_set1_epi8((char)c))) >>
               of->skip;
    if (w == WIDTH_32)
        return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(of->y, _mm256_set1_epi8((char)c)));
#elif SHORT_LEVEL == 3
    if (w == WIDTH_16)
        return (uint32_t)_mm_cmpeq_epi8_mask(of->x, _mm_set1_epi8((char)c)) >> of->skip;
    if (w == WIDTH_32)
        return _mm256_cmpeq_epi8_mask(of->y, _mm256_set1_epi8((char)c));
    return _mm512_cmpeq_epi8_mask(of->z, _mm512_set1_epi8((char)c));
#endif
    (void)w;
    return of->table[c];
}

SHORT_INLINE void positions_done(struct kin_kernel_scratch *s, struct texts v, enum width w)
{
    if (!uses_table(w))
        return;
    for (unsigned i = 0; i < v.la; i++)
        s->masks[v.a[i]] = 0;
}

SHORT_INLINE enum width width_of(unsigned la)
{
    if (SHORT_LEVEL == 0)
        return WIDTH_64;
    return la <= 16 ? WIDTH_16 : la <= 32 ? WIDTH_32 : WIDTH_64;
}

/* ---- Jaro ----
 * Bit-parallel matching: for each character of b in turn, the lowest position of a
 * that is in the window, holds that character and is not used yet. That is the textbook's greedy
 * choice. Matching from a to b instead gives the same pairs: for one character, both directions
 * walk its positions in a and b like a merge, so that the longer string can always be a. */

SHORT_INLINE uint64_t jaro_window(unsigned j, unsigned reach, enum width w)
{
    uint64_t wide = kin_kernel_ones(2 * reach + 1);
    if (w != WIDTH_64) /* 2 * 15 + 1 bits, moved up by at most 31 */
        return wide << j >> reach;
    return j < reach ? wide >> (reach - j) : wide << (j - reach);
}

SHORT_INLINE double jaro_body(struct kin_kernel_scratch *s, struct texts v, double bound,
                              enum width w)
{
    struct positions of = positions_make(s, v, w);
    unsigned reach = v.la >= 4 ? v.la / 2 - 1 : 0;
    uint64_t live = kin_kernel_ones(v.la);
    uint64_t used = ~live;
    uint64_t hits = 0;
    for (unsigned j = 0; j < v.lb; j++) {
        uint64_t found = positions_of(&of, v.b[j], w) & jaro_window(j, reach, w) & ~used;
        used |= found & (0 - found);
        hits |= (uint64_t)(found != 0) << j;
    }
    positions_done(s, v, w);
    used &= live;
    unsigned matches = (unsigned)__builtin_popcountll(used);
    if (matches * (v.la + v.lb) < bound)
        return -1.0;
    if (matches == 0)
        return 0.0;
    unsigned out_of_order = 0;
    for (; hits; hits &= hits - 1, used &= used - 1)
        out_of_order += v.a[__builtin_ctzll(used)] != v.b[__builtin_ctzll(hits)];
    return kin_kernel_jaro_value(v.la, v.lb, matches, out_of_order / 2);
}

#if SHORT_LEVEL >= 2
/* For each reach 0..7 the windows of the characters 0..15 of b. */
static const uint32_t windows_16[8][16] = {
#define WINDOW(reach, j) (((1u << (2 * (reach) + 1)) - 1) << (j) >> (reach))
#define WINDOWS_4(reach, j) \
    WINDOW(reach, j), WINDOW(reach, (j) + 1), WINDOW(reach, (j) + 2), WINDOW(reach, (j) + 3)
#define WINDOWS(reach)                                                                      \
    {                                                                                       \
        WINDOWS_4(reach, 0), WINDOWS_4(reach, 4), WINDOWS_4(reach, 8), WINDOWS_4(reach, 12) \
    }
    WINDOWS(0), WINDOWS(1), WINDOWS(2), WINDOWS(3), WINDOWS(4), WINDOWS(5), WINDOWS(6), WINDOWS(7),
#undef WINDOWS
#undef WINDOWS_4
#undef WINDOW
};

/* Eight steps of the greedy choice, for the characters 0..7 of b; taken[j] is the position that
 * was chosen. *crossed gets those positions that were taken before a lower one. */
SHORT_INLINE uint32_t match_8(__m128i a, __m128i b, const uint32_t *windows, uint32_t used,
                              uint16_t *taken, uint32_t *crossed)
{
    for (int j = 0; j < 8; j++) { /* constant, so that it unrolls */
        const __m128i *lane = (const __m128i *)(const void *)kin_kernel_lanes[j];
        __m128i c = _mm_shuffle_epi8(b, _mm_load_si128(lane));
        uint32_t found = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, c));
        found &= windows[j] & ~used;
        found &= 0 - found;
        *crossed |= used & ~(found ^ (found - 1));
        used |= found;
        taken[j] = (uint16_t)found;
    }
    return used;
}

/* Bit j: taken[j] is not zero. */
SHORT_INLINE uint32_t hits_16(const uint16_t *taken)
{
    __m256i t = _mm256_load_si256((const __m256i *)(const void *)taken);
#if SHORT_LEVEL == 2
    __m256i zero = _mm256_cmpeq_epi16(t, _mm256_setzero_si256());
    __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(zero), _mm256_extracti128_si256(zero, 1));
    return ~(uint32_t)_mm_movemask_epi8(bytes) & 0xffff;
#else
    return _mm256_test_epi16_mask(t, t);
#endif
}

/* How many of the matched characters of a, in order, differ from those of b. */
SHORT_INLINE unsigned out_of_order_16(struct texts v, __m128i a, __m128i b, uint32_t used,
                                      uint32_t hits)
{
#if SHORT_LEVEL == 2
    (void)a;
    (void)b;
    unsigned count = 0;
    for (; hits; hits &= hits - 1, used &= used - 1)
        count += v.a[__builtin_ctz(used)] != v.b[__builtin_ctz(hits)];
    return count;
#else
    (void)v;
    __m128i from_a = _mm_maskz_compress_epi8((__mmask16)used, a);
    __m128i from_b = _mm_maskz_compress_epi8((__mmask16)hits, b);
    return (unsigned)__builtin_popcount(_mm_cmpneq_epi8_mask(from_a, from_b));
#endif
}

/* How many characters of b are somewhere in a: at least as many as match. */
SHORT_INLINE unsigned in_common_16(struct texts v, __m128i a, __m128i b)
{
    __m128i found = _mm_cmpestrm(a, (int)v.la, b, (int)v.lb, _SIDD_UBYTE_OPS | _SIDD_BIT_MASK);
    return (unsigned)__builtin_popcount((uint32_t)_mm_cvtsi128_si32(found));
}

/* Names, nearly always: both strings in a register, and no branch that depends on their letters
 * (a branch mispredicted costs more than four steps of the matching). */
SHORT_INLINE double jaro_16(struct kin_kernel_scratch *s, struct texts v, double bound)
{
    __m128i a = load_16(v.a, v.la);
    __m128i b = load_16(v.b, v.lb);
    uint32_t live = (1u << v.la) - 1;
    __m128i zero = _mm_cmpeq_epi8(a, _mm_setzero_si128());
    if ((uint32_t)_mm_movemask_epi8(zero) & live) /* it would match the padding of b */
        return jaro_body(s, v, bound, WIDTH_16);
    if (bound > 0.0 && in_common_16(v, a, b) * (v.la + v.lb) < bound)
        return -1.0;
    const uint32_t *windows = windows_16[v.la >= 4 ? v.la / 2 - 1 : 0];
    _Alignas(32) uint16_t taken[16] = {0};
    uint32_t crossed = 0;
    uint32_t used = match_8(a, b, windows, ~live, taken, &crossed);
    if (v.lb > 8)
        used = match_8(a, _mm_srli_si128(b, 8), windows + 8, used, taken + 8, &crossed);
    used &= live;
    unsigned matches = (unsigned)__builtin_popcount(used);
    if (matches * (v.la + v.lb) < bound)
        return -1.0;
    if (matches == 0)
        return 0.0;
    if (SHORT_LEVEL == 2 && !(crossed & live)) /* AVX-512 counts without a loop */
        return kin_kernel_jaro_value(v.la, v.lb, matches, 0);
    unsigned moved = out_of_order_16(v, a, b, used, hits_16(taken));
    return kin_kernel_jaro_value(v.la, v.lb, matches, moved / 2);
}
#endif

static double short_jaro(struct kin_kernel_scratch *s, struct kin_kernel_bytes a,
                         struct kin_kernel_bytes b, double bound)
{
    struct texts v = texts_of(a, b);
    switch (width_of(v.la)) {
    case WIDTH_16:
#if SHORT_LEVEL >= 2
        return jaro_16(s, v, bound);
#endif
    case WIDTH_32:
        return jaro_body(s, v, bound, WIDTH_32);
    case WIDTH_64:
    default:
        return jaro_body(s, v, bound, WIDTH_64);
    }
}

/* ---- edit distances ---- */

/* A common prefix or suffix belongs to some optimal alignment, of each of the measures here. */
SHORT_INLINE unsigned strip_affixes(struct texts *v)
{
    unsigned start = 0;
    while (start < v->lb && v->a[start] == v->b[start])
        start++;
    v->a += start;
    v->b += start;
    v->la -= start;
    v->lb -= start;
    unsigned end = 0;
    while (end < v->lb && v->a[v->la - 1 - end] == v->b[v->lb - 1 - end])
        end++;
    v->la -= end;
    v->lb -= end;
    return start + end;
}

#if SHORT_LEVEL >= 2
/* The same of two strings in registers; *start is the length of the prefix. */
SHORT_INLINE unsigned strip_16(struct texts *v, __m128i a, __m128i b, unsigned *start)
{
    /* moves the last character to the last lane */
    static const int8_t up[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15};
    __m128i up_a = _mm_loadu_si128((const __m128i *)(const void *)(up + v->la));
    __m128i up_b = _mm_loadu_si128((const __m128i *)(const void *)(up + v->lb));
    __m128i ends = _mm_cmpeq_epi8(_mm_shuffle_epi8(a, up_a), _mm_shuffle_epi8(b, up_b));
    uint32_t differ = ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) | 1u << v->lb;
    uint32_t differ_at_end = ~(uint32_t)_mm_movemask_epi8(ends) << 16 | 1u << 15;
    unsigned prefix = (unsigned)__builtin_ctz(differ);
    unsigned suffix = (unsigned)__builtin_clz(differ_at_end);
    suffix = suffix < v->lb - prefix ? suffix : v->lb - prefix;
    v->a += prefix;
    v->b += prefix;
    v->la -= prefix + suffix;
    v->lb -= prefix + suffix;
    *start = prefix;
    return prefix + suffix;
}

/* An alignment of cost <= max pairs equal characters at most max positions apart (the two of a
 * transposition too), and each character of a without such a partner costs at least 1. */
SHORT_INLINE bool far_apart(__m128i a, __m128i b, unsigned la, unsigned max)
{
    __m128i near =
        _mm_or_si128(_mm_cmpeq_epi8(a, b), _mm_or_si128(_mm_cmpeq_epi8(a, _mm_slli_si128(b, 1)),
                                                        _mm_cmpeq_epi8(a, _mm_srli_si128(b, 1))));
    if (max > 1)
        near = _mm_or_si128(near, _mm_or_si128(_mm_cmpeq_epi8(a, _mm_slli_si128(b, 2)),
                                               _mm_cmpeq_epi8(a, _mm_srli_si128(b, 2))));
    if (max > 2)
        near = _mm_or_si128(near, _mm_or_si128(_mm_cmpeq_epi8(a, _mm_slli_si128(b, 3)),
                                               _mm_cmpeq_epi8(a, _mm_srli_si128(b, 3))));
    uint32_t alone = ~(uint32_t)_mm_movemask_epi8(near) & ((1u << la) - 1);
    return (unsigned)__builtin_popcount(alone) > max;
}
#endif

/* One column of the distance matrix a step, as the set of cells where the distance grows (vp) or
 * falls (vn) from the row above. Myers, "A fast bit-vector algorithm for approximate string
 * matching", JACM 46 (1999), in the form of Hyyrö, "Explaining and extending the bit-parallel
 * approximate string matching algorithm of Myers" (2001), section 4; the transposition term from
 * Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", Nordic
 * Journal of Computing 10 (2003). */
SHORT_INLINE unsigned edit_body(const struct positions *of, struct texts v, unsigned max,
                                bool transpose, enum width w)
{
    uint64_t vp = ~(uint64_t)0;
    uint64_t vn = 0;
    uint64_t d0 = 0;
    uint64_t before = 0; /* positions of the previous character of b */
    unsigned score = v.la;
    for (unsigned j = 0; j < v.lb; j++) {
        uint64_t eq = positions_of(of, v.b[j], w);
        uint64_t swapped = transpose ? (~d0 & eq) << 1 & before : 0;
        d0 = (((eq & vp) + vp) ^ vp) | eq | vn | swapped;
        uint64_t hp = vn | ~(d0 | vp);
        uint64_t hn = d0 & vp;
        score += (unsigned)(hp >> (v.la - 1)) & 1;
        score -= (unsigned)(hn >> (v.la - 1)) & 1;
        if (score > max + (v.lb - 1 - j)) { /* it falls by at most 1 a column */
            score = max + 1;
            break;
        }
        hp = hp << 1 | 1;
        hn <<= 1;
        vp = hn | ~(d0 | hp);
        vn = hp & d0;
        before = eq;
    }
    return score;
}

SHORT_INLINE unsigned edit_width(struct kin_kernel_scratch *s, struct texts v, unsigned max,
                                 bool transpose, enum width w)
{
    struct positions of = positions_make(s, v, w);
    unsigned distance = edit_body(&of, v, max, transpose, w);
    positions_done(s, v, w);
    return distance;
}

SHORT_INLINE unsigned edit(struct kin_kernel_scratch *s, struct texts v, unsigned max,
                           bool transpose)
{
#if SHORT_LEVEL >= 2
    if (v.la <= 16) {
        struct positions of = {.x = load_16(v.a, v.la)};
        __m128i b = load_16(v.b, v.lb);
        if (max <= 3 && far_apart(of.x, b, v.la, max))
            return max + 1;
        strip_16(&v, of.x, b, &of.skip);
        return v.lb ? edit_body(&of, v, max, transpose, WIDTH_16) : v.la;
    }
#endif
    strip_affixes(&v);
    if (v.lb == 0)
        return v.la;
    switch (width_of(v.la)) {
    case WIDTH_16:
        return edit_width(s, v, max, transpose, WIDTH_16);
    case WIDTH_32:
        return edit_width(s, v, max, transpose, WIDTH_32);
    case WIDTH_64:
    default:
        return edit_width(s, v, max, transpose, WIDTH_64);
    }
}

static unsigned short_levenshtein(struct kin_kernel_scratch *s, struct kin_kernel_bytes a,
                                  struct kin_kernel_bytes b, unsigned max)
{
    return edit(s, texts_of(a, b), max, false);
}

static unsigned short_osa(struct kin_kernel_scratch *s, struct kin_kernel_bytes a,
                          struct kin_kernel_bytes b, unsigned max)
{
    return edit(s, texts_of(a, b), max, true);
}

/* ---- longest common subsequence ----
 * Hyyrö, "Bit-parallel LCS-length computation revisited" (2004): the zeros of `rows` are the rows
 * in which the length grows. */

SHORT_INLINE unsigned lcs_body(const struct positions *of, struct texts v, enum width w)
{
    uint64_t rows = ~(uint64_t)0;
    for (unsigned j = 0; j < v.lb; j++) {
        uint64_t u = rows & positions_of(of, v.b[j], w);
        rows = (rows + u) | (rows - u);
    }
    return (unsigned)__builtin_popcountll(~rows & kin_kernel_ones(v.la));
}

SHORT_INLINE unsigned lcs_width(struct kin_kernel_scratch *s, struct texts v, enum width w)
{
    struct positions of = positions_make(s, v, w);
    unsigned length = lcs_body(&of, v, w);
    positions_done(s, v, w);
    return length;
}

static unsigned short_lcs(struct kin_kernel_scratch *s, struct kin_kernel_bytes a,
                          struct kin_kernel_bytes b)
{
    struct texts v = texts_of(a, b);
#if SHORT_LEVEL >= 2
    if (v.la <= 16) {
        struct positions of = {.x = load_16(v.a, v.la)};
        unsigned affixes = strip_16(&v, of.x, load_16(v.b, v.lb), &of.skip);
        return affixes + lcs_body(&of, v, WIDTH_16);
    }
#endif
    unsigned common = strip_affixes(&v);
    if (v.lb == 0)
        return common;
    switch (width_of(v.la)) {
    case WIDTH_16:
        return common + lcs_width(s, v, WIDTH_16);
    case WIDTH_32:
        return common + lcs_width(s, v, WIDTH_32);
    case WIDTH_64:
    default:
        return common + lcs_width(s, v, WIDTH_64);
    }
}

const struct kin_kernel_ops SHORT_OPS = {SHORT_NAME,        &SHORT_MANY, short_jaro,
                                         short_levenshtein, short_osa,   short_lcs};
