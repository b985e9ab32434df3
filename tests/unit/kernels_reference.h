#ifndef KIN_TESTS_KERNELS_REFERENCE_H
#define KIN_TESTS_KERNELS_REFERENCE_H
/* The similarity kernels by their textbook definitions: slow, plain, and sharing nothing with
 * common/match. Strings are arrays of code points, at most REF_MAX of them. Used by the unit tests
 * and the fuzz target of the kernels. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { REF_MAX = 4096, REF_SET_MAX = 1024 };

struct ref_text {
    uint32_t c[REF_MAX];
    int n;
};

/* ---- UTF-8: the shortest form of 0..10FFFF but surrogates; else one byte is U+FFFD ---- */

static inline int ref_sequence(const unsigned char *p, size_t left, uint32_t *out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    int length = p[0] < 0x80             ? 1
                 : (p[0] & 0xe0) == 0xc0 ? 2
                 : (p[0] & 0xf0) == 0xe0 ? 3
                 : (p[0] & 0xf8) == 0xf0 ? 4
                                         : 0;
    *out = 0xfffd;
    if (length == 0 || (size_t)length > left)
        return 1;
    uint32_t v = length == 1 ? p[0] : p[0] & (0xffu >> (length + 1));
    for (int i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        v = v << 6 | (p[i] & 0x3f);
    }
    if (v < smallest[length] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 1;
    *out = v;
    return length;
}

static inline void ref_decode(const char *p, size_t n, struct ref_text *out)
{
    out->n = 0;
    for (size_t i = 0; i < n && out->n < REF_MAX;)
        i += (size_t)ref_sequence((const unsigned char *)p + i, n - i, &out->c[out->n++]);
}

static inline int ref_min(int a, int b)
{
    return a < b ? a : b;
}

static inline int ref_max(int a, int b)
{
    return a > b ? a : b;
}

/* ---- Jaro: each character of b takes the first free equal one of a inside the window ---- */

static inline double ref_jaro(const struct ref_text *a, const struct ref_text *b)
{
    static bool used_a[REF_MAX], used_b[REF_MAX];
    if (a->n == 0 || b->n == 0)
        return a->n == b->n ? 1.0 : 0.0;
    memset(used_a, 0, sizeof used_a);
    memset(used_b, 0, sizeof used_b);
    int window = ref_max(ref_max(a->n, b->n) / 2 - 1, 0);
    int m = 0;
    for (int j = 0; j < b->n; j++) {
        for (int i = ref_max(0, j - window); i <= ref_min(a->n - 1, j + window); i++) {
            if (!used_a[i] && a->c[i] == b->c[j]) {
                used_a[i] = used_b[j] = true;
                m++;
                break;
            }
        }
    }
    if (m == 0)
        return 0.0;
    int moved = 0;
    for (int i = 0, j = 0; i < a->n; i++) {
        if (!used_a[i])
            continue;
        while (!used_b[j])
            j++;
        moved += a->c[i] != b->c[j++];
    }
    double dm = m;
    return (dm / a->n + dm / b->n + (dm - moved / 2) / dm) / 3.0; /* halves floored */
}

static inline double ref_jaro_winkler(const struct ref_text *a, const struct ref_text *b)
{
    double jaro = ref_jaro(a, b);
    int prefix = 0;
    while (prefix < 4 && prefix < a->n && prefix < b->n && a->c[prefix] == b->c[prefix])
        prefix++;
    return jaro > 0.7 ? jaro + prefix * 0.1 * (1.0 - jaro) : jaro;
}

/* ---- edit distances: the whole matrix ---- */

static inline unsigned ref_edit(const struct ref_text *a, const struct ref_text *b, bool transpose)
{
    int columns = b->n + 1;
    int *d = calloc((size_t)(a->n + 1) * (size_t)columns, sizeof *d);
    if (!d)
        abort();
    for (int i = 0; i <= a->n; i++) {
        for (int j = 0; j <= b->n; j++) {
            int *cell = &d[i * columns + j];
            if (i == 0 || j == 0) {
                *cell = i + j;
                continue;
            }
            *cell = ref_min(cell[-columns], cell[-1]) + 1;
            *cell = ref_min(*cell, cell[-columns - 1] + (a->c[i - 1] != b->c[j - 1]));
            if (transpose && i > 1 && j > 1 && a->c[i - 1] == b->c[j - 2] &&
                a->c[i - 2] == b->c[j - 1])
                *cell = ref_min(*cell, d[(i - 2) * columns + j - 2] + 1);
        }
    }
    unsigned distance = (unsigned)d[a->n * columns + b->n];
    free(d);
    return distance;
}

/* Lowrance and Wagner (1975), as printed: of a transposition, the last places above and to the left
 * where the two characters meet. */
static inline unsigned ref_damerau(const struct ref_text *a, const struct ref_text *b)
{
    int columns = b->n + 1;
    int *d = calloc((size_t)(a->n + 1) * (size_t)columns, sizeof *d);
    if (!d)
        abort();
    for (int i = 0; i <= a->n; i++) {
        int l = 0; /* last column of the row's character */
        for (int j = 0; j <= b->n; j++) {
            int *cell = &d[i * columns + j];
            if (i == 0 || j == 0) {
                *cell = i + j;
                continue;
            }
            int k = i - 1; /* last row of the column's character */
            while (k > 0 && a->c[k - 1] != b->c[j - 1])
                k--;
            *cell = ref_min(cell[-columns], cell[-1]) + 1;
            *cell = ref_min(*cell, cell[-columns - 1] + (a->c[i - 1] != b->c[j - 1]));
            if (k > 0 && l > 0)
                *cell = ref_min(*cell, d[(k - 1) * columns + l - 1] + (i - k) + (j - l) - 1);
            if (a->c[i - 1] == b->c[j - 1])
                l = j;
        }
    }
    unsigned distance = (unsigned)d[a->n * columns + b->n];
    free(d);
    return distance;
}

static inline unsigned ref_lcs(const struct ref_text *a, const struct ref_text *b)
{
    int columns = b->n + 1;
    int *d = calloc((size_t)(a->n + 1) * (size_t)columns, sizeof *d);
    if (!d)
        abort();
    for (int i = 1; i <= a->n; i++) {
        for (int j = 1; j <= b->n; j++) {
            int *cell = &d[i * columns + j];
            *cell = a->c[i - 1] == b->c[j - 1] ? cell[-columns - 1] + 1
                                               : ref_max(cell[-columns], cell[-1]);
        }
    }
    unsigned length = (unsigned)d[a->n * columns + b->n];
    free(d);
    return length;
}

/* ---- sets: lists without repeats ---- */

struct ref_set {
    const uint32_t *p[REF_SET_MAX];
    int length[REF_SET_MAX];
    int n;
};

static inline bool ref_set_has(const struct ref_set *set, const uint32_t *p, int n)
{
    for (int i = 0; i < set->n; i++) {
        int k = 0;
        while (k < n && k < set->length[i] && set->p[i][k] == p[k])
            k++;
        if (k == n && k == set->length[i])
            return true;
    }
    return false;
}

static inline void ref_set_add(struct ref_set *set, const uint32_t *p, int n)
{
    if (set->n == REF_SET_MAX || ref_set_has(set, p, n))
        return;
    set->p[set->n] = p;
    set->length[set->n++] = n;
}

static inline bool ref_blank(uint32_t c)
{
    return c == 32 || (c >= 9 && c <= 13);
}

static inline void ref_elements(const struct ref_text *t, int q, struct ref_set *set)
{
    set->n = 0;
    if (q > 0) {
        if (t->n > 0 && t->n < q)
            ref_set_add(set, t->c, t->n);
        for (int i = 0; i + q <= t->n; i++)
            ref_set_add(set, t->c + i, q);
        return;
    }
    int start = 0;
    for (int i = 0; i <= t->n; i++) {
        if (i < t->n && !ref_blank(t->c[i]))
            continue;
        if (i > start)
            ref_set_add(set, t->c + start, i - start);
        start = i + 1;
    }
}

/* Jaccard, or with `cosine` Ochiai's coefficient. */
static inline double ref_overlap(const struct ref_text *a, const struct ref_text *b, int q,
                                 bool cosine)
{
    static struct ref_set sa, sb;
    ref_elements(a, q, &sa);
    ref_elements(b, q, &sb);
    if (sa.n == 0 || sb.n == 0)
        return sa.n == sb.n ? 1.0 : 0.0;
    int both = 0;
    for (int i = 0; i < sb.n; i++)
        both += ref_set_has(&sa, sb.p[i], sb.length[i]);
    if (cosine)
        return both / sqrt((double)sa.n * sb.n);
    return (double)both / (sa.n + sb.n - both);
}

/* ---- Soundex of upper-case ASCII letters, by rewriting the whole word step by step ---- */

static inline void ref_soundex(const char *letters, size_t n, char out[5])
{
    static char code[REF_MAX + 1];
    static const char *const groups[] = {"AEIOUY", "BFPV", "CGJKQSXZ", "DT", "L", "MN", "R"};
    size_t m = 0;
    for (size_t i = 0; i < n; i++) { /* digits; H and W vanish after the initial */
        if (i > 0 && (letters[i] == 'H' || letters[i] == 'W'))
            continue;
        code[m] = '0';
        for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
            if (strchr(groups[g], letters[i]))
                code[m] = (char)('0' + g);
        m++;
    }
    size_t runs = 0;
    for (size_t i = 0; i < m; i++) /* one of each run of equal digits */
        if (i == 0 || code[i] != code[i - 1])
            code[runs++] = code[i];
    size_t k = 1;
    memcpy(out, "\0000000", 5);
    if (n == 0)
        return;
    memcpy(out, "0000", 5);
    out[0] = letters[0];
    for (size_t i = 1; i < runs && k < 4; i++) /* vowels vanish */
        if (code[i] != '0')
            out[k++] = code[i];
}

static inline double ref_geo_km(double lat_a, double lon_a, double lat_b, double lon_b)
{
    double degree = 3.14159265358979323846 / 180.0;
    double dlat = sin((lat_b - lat_a) * degree / 2.0);
    double dlon = sin((lon_b - lon_a) * degree / 2.0);
    double h = dlat * dlat + cos(lat_a * degree) * cos(lat_b * degree) * dlon * dlon;
    return 2.0 * 6371.0088 * asin(sqrt(h > 1.0 ? 1.0 : h));
}

#endif
