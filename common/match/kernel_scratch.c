/* Scratch, and the forms in which the kernels see strings. */
#include "common/match/kernel_impl.h"

#include <string.h>

enum {
    REPLACEMENT = 0xfffd,
    UTF8_BYTES_MAX = 4,
    BYTE_NOT_IN_A = 0xff /* renumbered characters of a are below KIN_KERNEL_WORD */
};

#define LANE(i)                                        \
    {                                                  \
        i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i \
    }
_Alignas(16) const uint8_t kin_kernel_lanes[8][16] = {LANE(0), LANE(1), LANE(2), LANE(3),
                                                      LANE(4), LANE(5), LANE(6), LANE(7)};
#undef LANE

const struct kin_kernel_ops *kin_kernel_ops_at(unsigned i)
{
#ifdef KIN_KERNEL_X86
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2");
    if (i == 1 && avx2)
        return &kin_kernel_ops_avx2;
    if (i == 2 && avx512)
        return &kin_kernel_ops_avx512;
#endif
    return i == 0 ? &kin_kernel_ops_portable : NULL;
}

struct kin_kernel_scratch *kin_kernel_scratch_new(void)
{
    struct kin_kernel_scratch *s = kin_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    for (unsigned i = 0; kin_kernel_ops_at(i); i++)
        s->ops = kin_kernel_ops_at(i);
    return s;
}

void kin_kernel_scratch_free(struct kin_kernel_scratch *s)
{
    kin_free(s);
}

uint32_t kin_kernel_new_stamp(struct kin_kernel_scratch *s)
{
    if (++s->stamp == 0) { /* once in 2^32 calls: stamps of the last round would look alive */
        memset(s->map, 0, sizeof s->map);
        memset(s->slots, 0, sizeof s->slots);
        s->stamp = 1;
    }
    return s->stamp;
}

/* ---- UTF-8 ---- */

static bool continues(uint8_t byte, uint8_t low, uint8_t high)
{
    return byte >= low && byte <= high;
}

/* The multi-byte sequence at p, of which `left` bytes are there; its length goes to *used. */
static uint32_t decode_long(const uint8_t *p, size_t left, unsigned *used)
{
    uint8_t lead = p[0];
    *used = 1;
    if (lead < 0xc2 || lead > 0xf4)
        return REPLACEMENT;
    if (lead < 0xe0) {
        if (left < 2 || !continues(p[1], 0x80, 0xbf))
            return REPLACEMENT;
        *used = 2;
        return (uint32_t)(lead & 0x1f) << 6 | (p[1] & 0x3f);
    }
    if (lead < 0xf0) {
        uint8_t low = lead == 0xe0 ? 0xa0 : 0x80;  /* no overlong forms */
        uint8_t high = lead == 0xed ? 0x9f : 0xbf; /* no surrogates */
        if (left < 3 || !continues(p[1], low, high) || !continues(p[2], 0x80, 0xbf))
            return REPLACEMENT;
        *used = 3;
        return (uint32_t)(lead & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    }
    uint8_t low = lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xf4 ? 0x8f : 0xbf;
    if (left < 4 || !continues(p[1], low, high) || !continues(p[2], 0x80, 0xbf) ||
        !continues(p[3], 0x80, 0xbf))
        return REPLACEMENT;
    *used = 4;
    return (uint32_t)(lead & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
           (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
}

unsigned kin_kernel_decode(struct kin_str s, uint32_t *out, unsigned cap)
{
    const uint8_t *p = (const uint8_t *)s.p;
    size_t at = 0;
    unsigned n = 0;
    for (; at < s.n && n < cap; n++) {
        unsigned used = 1;
        uint32_t c = p[at] < 0x80 ? p[at] : decode_long(p + at, s.n - at, &used);
        if (out)
            out[n] = c;
        at += used;
    }
    return n;
}

unsigned kin_codepoints(struct kin_str s, bool ascii)
{
    if (ascii)
        return s.n < KIN_KERNEL_CODEPOINTS_MAX ? (unsigned)s.n : KIN_KERNEL_CODEPOINTS_MAX;
    return kin_kernel_decode(s, NULL, KIN_KERNEL_CODEPOINTS_MAX);
}

unsigned kin_kernel_code_points(struct kin_kernel_scratch *s, const struct kin_pair *p, int side)
{
    struct kin_str text = side ? p->b : p->a;
    uint32_t *out = s->code_points[side];
    if (!p->ascii)
        return kin_kernel_decode(text, out, KIN_KERNEL_CODEPOINTS_MAX);
    unsigned n = kin_codepoints(text, true);
    for (unsigned i = 0; i < n; i++)
        out[i] = (uint8_t)text.p[i];
    return n;
}

/* ---- renumbering ---- */

static unsigned map_slot(const struct kin_kernel_scratch *s, uint32_t code_point, unsigned mask)
{
    unsigned slot = (code_point * 0x9e3779b1u >> 12) & mask;
    while (s->map[slot].stamp == s->stamp && s->map[slot].code_point != code_point)
        slot = (slot + 1) & mask;
    return slot;
}

/* Replaces the n code points by numbers: those of a are numbered from 0 by first appearance, and
 * those that only b has become `unknown`. At most half of the map's slots are ever used. */
static void renumber(struct kin_kernel_scratch *s, unsigned la, unsigned lb, uint32_t unknown)
{
    unsigned mask = la <= KIN_KERNEL_WORD ? 2 * KIN_KERNEL_WORD - 1 : KIN_KERNEL_MAP_SLOTS - 1;
    uint32_t stamp = kin_kernel_new_stamp(s);
    uint32_t *a = s->code_points[0];
    uint32_t *b = s->code_points[1];
    uint32_t ids = 0;
    for (unsigned i = 0; i < la; i++) {
        unsigned slot = map_slot(s, a[i], mask);
        if (s->map[slot].stamp != stamp) {
            s->map[slot].stamp = stamp;
            s->map[slot].code_point = a[i];
            s->map[slot].id = ids++;
        }
        a[i] = s->map[slot].id;
    }
    for (unsigned j = 0; j < lb; j++) {
        unsigned slot = map_slot(s, b[j], mask);
        b[j] = s->map[slot].stamp == stamp ? s->map[slot].id : unknown;
    }
}

static bool all_latin1(const uint32_t *p, unsigned n)
{
    uint32_t any = 0;
    for (unsigned i = 0; i < n; i++)
        any |= p[i];
    return any < 0x100;
}

bool kin_kernel_narrow(struct kin_kernel_scratch *s, const struct kin_pair *p,
                       struct kin_kernel_bytes out[2])
{
    const size_t most = (size_t)UTF8_BYTES_MAX * KIN_KERNEL_WORD;
    if (p->a.n > most || p->b.n > most)
        return false;
    unsigned la = kin_kernel_code_points(s, p, 0);
    unsigned lb = kin_kernel_code_points(s, p, 1);
    if (la > KIN_KERNEL_WORD || lb > KIN_KERNEL_WORD)
        return false;
    if (!all_latin1(s->code_points[0], la) || !all_latin1(s->code_points[1], lb))
        renumber(s, la, lb, BYTE_NOT_IN_A);
    for (unsigned i = 0; i < la; i++)
        s->bytes[0][i] = (uint8_t)s->code_points[0][i];
    for (unsigned j = 0; j < lb; j++)
        s->bytes[1][j] = (uint8_t)s->code_points[1][j];
    out[0] = (struct kin_kernel_bytes){s->bytes[0], la};
    out[1] = (struct kin_kernel_bytes){s->bytes[1], lb};
    return true;
}

struct kin_kernel_symbols kin_kernel_widen(struct kin_kernel_scratch *s, const struct kin_pair *p)
{
    unsigned la = kin_kernel_code_points(s, p, 0);
    unsigned lb = kin_kernel_code_points(s, p, 1);
    if (!all_latin1(s->code_points[0], la) || !all_latin1(s->code_points[1], lb))
        renumber(s, la, lb, KIN_KERNEL_NOT_IN_A);
    for (unsigned i = 0; i < la; i++)
        s->symbols[0][i] = (uint16_t)s->code_points[0][i];
    for (unsigned j = 0; j < lb; j++)
        s->symbols[1][j] = (uint16_t)s->code_points[1][j];
    return (struct kin_kernel_symbols){s->symbols[0], s->symbols[1], la, lb};
}
