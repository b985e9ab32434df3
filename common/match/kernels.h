#ifndef KIN_MATCH_KERNELS_H
#define KIN_MATCH_KERNELS_H
/* Similarity kernels. Pure; any thread; no allocation. Strings are UTF-8, compared by Unicode code
 * point; `ascii` promises that both are ASCII, which is the fast path (bytes are code points).
 * Invalid UTF-8 never crashes (each bad byte counts as U+FFFD). Each has a plain definition in
 * tests/unit/kernels_reference.h as its oracle, and must equal it bit for bit. */
#include "common/base/mem.h"

/* Room for strings that outgrow the fast paths: code points, bit vectors. One a thread. */
struct kin_kernel_scratch;
struct kin_kernel_scratch *kin_kernel_scratch_new(void); /* NULL: out of memory */
void kin_kernel_scratch_free(struct kin_kernel_scratch *s);

/* Strings longer than this many code points are compared by their first so many. */
enum { KIN_KERNEL_CODEPOINTS_MAX = 4096 };

struct kin_pair {
    struct kin_str a, b;
    bool ascii; /* both */
};

/* Jaro 1989 as Winkler 1990 uses it: matches within max(|a|,|b|)/2 - 1, half transpositions
 * floored; two empty strings 1, one empty 0. Result 0..1. */
double kin_jaro(struct kin_kernel_scratch *s, struct kin_pair p);
/* Winkler's prefix bonus: 0.1 a character, at most 4, where Jaro > 0.7. */
double kin_jaro_winkler(struct kin_kernel_scratch *s, struct kin_pair p);
/* kin_jaro_winkler(p) if it is at least `least`, else a negative number, deciding early by length
 * and character counts. */
double kin_jaro_winkler_from(struct kin_kernel_scratch *s, struct kin_pair p, double least);
/* True if kin_jaro_winkler(p) >= threshold. */
bool kin_jaro_winkler_at_least(struct kin_kernel_scratch *s, struct kin_pair p, double threshold);

/* Edit distances with unit costs; returns max + 1 as soon as the distance is known to exceed max.
 * Levenshtein: Myers 1999, Hyyro 2003, blocks of 64. OSA (optimal string alignment: adjacent
 * transpositions, no substring edited twice): Hyyro 2002. */
unsigned kin_levenshtein(struct kin_kernel_scratch *s, struct kin_pair p, unsigned max);
unsigned kin_osa(struct kin_kernel_scratch *s, struct kin_pair p, unsigned max);
/* Damerau-Levenshtein without OSA's restriction: what was transposed may be edited further. */
unsigned kin_damerau(struct kin_kernel_scratch *s, struct kin_pair p, unsigned max);

/* Longest common subsequence in code points (Hyyro 2004, bit-parallel). */
unsigned kin_lcs(struct kin_kernel_scratch *s, struct kin_pair p);
unsigned kin_codepoints(struct kin_str s, bool ascii); /* bounded by KIN_KERNEL_CODEPOINTS_MAX */

/* Sets of tokens (q == 0: runs between blanks, U+0020 and U+0009..U+000D) or of q-grams
 * (q 1..KIN_QGRAM_MAX code points; a shorter string is one gram). Sets, not bags: the first
 * KIN_TOKENS_MAX different elements of each string count, further ones are ignored. Both empty: 1,
 * one empty: 0. */
enum { KIN_TOKENS_MAX = 1024, KIN_QGRAM_MAX = 8 };
double kin_jaccard(struct kin_kernel_scratch *s, struct kin_pair p, unsigned q);
double kin_cosine(struct kin_kernel_scratch *s, struct kin_pair p,
                  unsigned q); /* Ochiai: |A^B|/sqrt(|A||B|) */

/* Phonetic codes of the letters A-Z, and of those of Latin-1 and Latin Extended-A by their base
 * letters; all else is skipped, but for blanks and hyphens, which part words for Metaphone. The
 * first KIN_KERNEL_CODEPOINTS_MAX letters count. out is terminated; returns its length, 0 if there
 * is no letter (Metaphone: none that is heard, as in "h"). Soundex: the American (NARA) rules, 4
 * characters. Metaphone: Lawrence Philips' Double Metaphone (2000), primary and alternate code of
 * at most 4 characters each; alternate equals primary where there is none. */
size_t kin_soundex(struct kin_str s, char out[5]);
size_t kin_double_metaphone(struct kin_str s, char primary[5], char alternate[5]);

/* Great-circle distance in kilometres (haversine, mean radius 6371.0088), degrees in. */
double kin_geo_km(double lat_a, double lon_a, double lat_b, double lon_b);

#endif
