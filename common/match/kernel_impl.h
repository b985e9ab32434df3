#ifndef KIN_MATCH_KERNEL_IMPL_H
#define KIN_MATCH_KERNEL_IMPL_H
/* Private to common/match/kernel_*.c and to their tests.
 *
 * A pair takes one of two forms. *Bytes*: both strings have at most 64 characters; a character is a
 * byte (ASCII and Latin-1 as they are, other text renumbered), and one machine word holds a bit for
 * each character of the pattern. *Symbols*: anything longer; a character is a 16-bit number that
 * indexes tables directly. In both, characters are comparable only between a and b, never within
 * one string: code points of b that a does not have share one number. */
#include "common/match/kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define KIN_KERNEL_X86 1
#endif

enum {
    KIN_KERNEL_WORD = 64,                            /* most characters of the byte form */
    KIN_KERNEL_NOT_IN_A = KIN_KERNEL_CODEPOINTS_MAX, /* symbol of what only b has */
    KIN_KERNEL_SYMBOLS = KIN_KERNEL_CODEPOINTS_MAX + 1,
    KIN_KERNEL_MAP_SLOTS = 2 * KIN_KERNEL_CODEPOINTS_MAX,
    KIN_KERNEL_SET_SLOTS = 4 * KIN_TOKENS_MAX /* two full sets at half load */
};

/* One string of the byte form; goes in two registers. */
struct kin_kernel_bytes {
    const uint8_t *p;
    size_t n; /* 0..KIN_KERNEL_WORD */
};

struct kin_kernel_symbols {
    const uint16_t *a, *b;
    unsigned la, lb; /* 0..KIN_KERNEL_CODEPOINTS_MAX */
};

struct kin_many_ops; /* kernel_many_impl.h */

/* The byte form's kernels, once for each instruction set. All require 0 < b.n <= a.n. */
struct kin_kernel_ops {
    const char *name;
    const struct kin_many_ops *many;
    /* Jaro; or -1 if matches * (a.n + b.n) < bound, where bound <= 0 asks for no early rejection */
    double (*jaro)(struct kin_kernel_scratch *s, struct kin_kernel_bytes a,
                   struct kin_kernel_bytes b, double bound);
    /* distance, or max + 1; a.n - b.n <= max <= KIN_KERNEL_WORD, max > 0 */
    unsigned (*levenshtein)(struct kin_kernel_scratch *s, struct kin_kernel_bytes a,
                            struct kin_kernel_bytes b, unsigned max);
    unsigned (*osa)(struct kin_kernel_scratch *s, struct kin_kernel_bytes a,
                    struct kin_kernel_bytes b, unsigned max);
    unsigned (*lcs)(struct kin_kernel_scratch *s, struct kin_kernel_bytes a,
                    struct kin_kernel_bytes b);
};
extern const struct kin_kernel_ops kin_kernel_ops_portable;
#ifdef KIN_KERNEL_X86
extern const struct kin_kernel_ops kin_kernel_ops_avx2;   /* AVX2, BMI1, BMI2, POPCNT */
extern const struct kin_kernel_ops kin_kernel_ops_avx512; /* and AVX-512 F, BW, VL, VBMI2 */
#endif
/* The i-th of those this machine can run, slowest first; NULL past the last. */
const struct kin_kernel_ops *kin_kernel_ops_at(unsigned i);

/* lanes[i]: i in every byte; shuffles by it broadcast byte i. Here, where the compilers cannot see
 * its values: they would compute them anew for each use. */
extern const uint8_t kin_kernel_lanes[8][16];

/* An element of the union of two sets (kernel_tokens.c). */
struct kin_kernel_slot {
    uint64_t key;
    const uint32_t *p; /* its n code points */
    uint32_t stamp;    /* the slot is in use if this is the scratch's */
    uint16_t n;
    uint16_t sides; /* 1: in a, 2: in b */
};

struct kin_kernel_scratch {
    const struct kin_kernel_ops *ops; /* the fastest; tests set others */
    uint32_t stamp;                   /* of the call that uses map and slots */
    uint8_t bytes[2][KIN_KERNEL_WORD];
    uint16_t symbols[2][KIN_KERNEL_CODEPOINTS_MAX];
    uint32_t code_points[2][KIN_KERNEL_CODEPOINTS_MAX];
    uint64_t masks[KIN_KERNEL_SYMBOLS]; /* bit i: the symbol is at i. All zero between calls */
    uint16_t head[KIN_KERNEL_SYMBOLS];  /* 1 + a position of a symbol. All zero between calls */
    uint16_t next[KIN_KERNEL_CODEPOINTS_MAX];
    uint8_t flags[KIN_KERNEL_CODEPOINTS_MAX]; /* one a column or position, as the kernel says */
    uint16_t rows[4][KIN_KERNEL_CODEPOINTS_MAX + 2]; /* of a matrix */
    struct {
        uint32_t code_point, stamp, id;
    } map[KIN_KERNEL_MAP_SLOTS];
    struct kin_kernel_slot slots[KIN_KERNEL_SET_SLOTS];
};

/* Decodes at most cap code points; each byte that is not part of a well-formed sequence (Unicode
 * 15, table 3-7) becomes U+FFFD. Returns their number. out may be NULL to count only. */
unsigned kin_kernel_decode(struct kin_str s, uint32_t *out, unsigned cap);

/* The scratch's code points of string `side` (0: a, 1: b); returns their number. */
unsigned kin_kernel_code_points(struct kin_kernel_scratch *s, const struct kin_pair *p, int side);

/* A new stamp: whatever map and slots held is gone. */
uint32_t kin_kernel_new_stamp(struct kin_kernel_scratch *s);

/* Byte form of a pair that is not ASCII. false: a string is too long for it. */
bool kin_kernel_narrow(struct kin_kernel_scratch *s, const struct kin_pair *p,
                       struct kin_kernel_bytes out[2]);
/* Symbol form of any pair. */
struct kin_kernel_symbols kin_kernel_widen(struct kin_kernel_scratch *s, const struct kin_pair *p);

/* Byte form if the pair has one, with the longer string in a: every kernel is symmetric. */
static inline bool kin_kernel_short(struct kin_kernel_scratch *s, const struct kin_pair *p,
                                    struct kin_kernel_bytes *a, struct kin_kernel_bytes *b)
{
    struct kin_kernel_bytes v[2];
    if (p->ascii) {
        if (p->a.n > KIN_KERNEL_WORD || p->b.n > KIN_KERNEL_WORD)
            return false;
        v[0] = (struct kin_kernel_bytes){(const uint8_t *)p->a.p, p->a.n};
        v[1] = (struct kin_kernel_bytes){(const uint8_t *)p->b.p, p->b.n};
    } else if (!kin_kernel_narrow(s, p, v)) {
        return false;
    }
    /* no branch: it would be mispredicted half of the time */
    uintptr_t swap = 0 - (uintptr_t)(v[0].n < v[1].n);
    uintptr_t pointers = ((uintptr_t)v[0].p ^ (uintptr_t)v[1].p) & swap;
    size_t lengths = (v[0].n ^ v[1].n) & swap;
    a->p = (const uint8_t *)((uintptr_t)v[0].p ^ pointers);
    b->p = (const uint8_t *)((uintptr_t)v[1].p ^ pointers);
    a->n = v[0].n ^ lengths;
    b->n = v[1].n ^ lengths;
    return true;
}

/* Jaro from its counts; m > 0 matches, of which t half transpositions (floored). */
static inline double kin_kernel_jaro_value(unsigned la, unsigned lb, unsigned m, unsigned t)
{
    double matches = m;
    return (matches / la + matches / lb + (matches - t) / matches) / 3.0;
}

/* Winkler's bonus for an equal start. */
enum { KIN_KERNEL_PREFIX = 4 };
#define KIN_KERNEL_PREFIX_WEIGHT 0.1
#define KIN_KERNEL_BOOST_ABOVE 0.7
static inline double kin_kernel_winkler(double jaro, unsigned prefix)
{
    /* no branch: it would be mispredicted often, and adding 0 changes nothing */
    double weight = jaro > KIN_KERNEL_BOOST_ABOVE ? prefix * KIN_KERNEL_PREFIX_WEIGHT : 0.0;
    return jaro + weight * (1.0 - jaro);
}

/* Bits 0..n-1, n in 0..64. */
static inline uint64_t kin_kernel_ones(unsigned n)
{
    return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

/* Letters for the phonetic codes: A to Z of ASCII in upper case, the letters of Latin-1 and Latin
 * Extended-A by their base letters (AE, OE, SS, TH where one stands for two), blanks and hyphens as
 * ' ' if keep_blanks. C and N with cedilla and tilde are kept as KIN_LETTER_* if keep_blanks. All
 * else is dropped. Writes at most cap; returns the number. */
enum { KIN_LETTER_C_CEDILLA = 1, KIN_LETTER_N_TILDE = 2 };
size_t kin_kernel_letters(struct kin_str s, char *out, size_t cap, bool keep_blanks);

#endif
