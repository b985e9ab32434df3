/* Million pairs a second of each similarity kernel on one thread, pairwise: names of 6 to 15
 * characters (mean 7.9), drawn with a fixed seed; half of the pairs are unrelated, half are a name
 * and a misspelling of it, as blocks of records are. Prints the median of nine runs.
 *
 *   bench_kernels [random]   "random": unrelated pairs only */
#include "common/match/kernel_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAMES = 4096, PAIRS = 1 << 16, RUNS = 9, REPEATS = 8, NAME_MAX_LENGTH = 15 };

struct name {
    char text[NAME_MAX_LENGTH + 1]; /* terminated, so that a twin of this program can share it */
    unsigned n;
};

struct bench {
    struct kin_kernel_scratch *scratch;
    struct name names[NAMES], typos[NAMES];
    struct kin_pair pairs[PAIRS];
    uint64_t seed;
};

static unsigned below(struct bench *b, unsigned n)
{
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(b->seed >> 33) % n;
}

static struct name random_name(struct bench *b)
{
    static const char onsets[] = "bcdfghjklmnprstvwbdlmnrstkhmn";
    static const char vowels[] = "aeiouaeioae";
    /* a falling distribution of lengths with mean 7.9 */
    static const uint8_t lengths[] = {6, 6, 6, 6, 6, 7,  7,  7,  7,  8,
                                      8, 8, 8, 9, 9, 10, 10, 11, 12, 15};
    struct name name = {.n = lengths[below(b, sizeof lengths)]};
    for (unsigned i = 0; i < name.n; i++)
        name.text[i] = (i + below(b, 5) / 4) % 2 ? vowels[below(b, sizeof vowels - 1)]
                                                 : onsets[below(b, sizeof onsets - 1)];
    return name;
}

/* One or two edits: a letter replaced, left out, doubled, or swapped with the next. */
static struct name misspelt(struct bench *b, struct name name)
{
    for (unsigned edits = 1 + below(b, 2); edits; edits--) {
        unsigned at = below(b, name.n - 1);
        switch (below(b, 4)) {
        case 0:
            name.text[at] = (char)('a' + below(b, 26));
            break;
        case 1:
            if (name.n > 6)
                memmove(&name.text[at], &name.text[at + 1], name.n-- - at);
            break;
        case 2:
            if (name.n < NAME_MAX_LENGTH)
                memmove(&name.text[at + 1], &name.text[at], ++name.n - at);
            break;
        default: {
            char c = name.text[at];
            name.text[at] = name.text[at + 1];
            name.text[at + 1] = c;
        }
        }
    }
    return name;
}

static void make_pairs(struct bench *b, bool related)
{
    for (unsigned i = 0; i < NAMES; i++) {
        b->names[i] = random_name(b);
        b->typos[i] = misspelt(b, b->names[i]);
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        unsigned k = below(b, NAMES);
        const struct name *x = &b->names[k];
        const struct name *y = related && below(b, 2) ? &b->typos[k] : &b->names[below(b, NAMES)];
        b->pairs[i] = (struct kin_pair){{x->text, x->n}, {y->text, y->n}, true};
    }
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* others may share the machine */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A loop over all pairs for each kernel; the sum keeps it from being optimised away. */
#define LOOP(name, expression)                     \
    static double name(const struct bench *b)      \
    {                                              \
        struct kin_kernel_scratch *s = b->scratch; \
        double sum = 0;                            \
        for (unsigned i = 0; i < PAIRS; i++) {     \
            struct kin_pair p = b->pairs[i];       \
            sum += (double)(expression);           \
        }                                          \
        (void)s;                                   \
        return sum;                                \
    }
LOOP(jaro, kin_jaro(s, p))
LOOP(jaro_winkler, kin_jaro_winkler(s, p))
LOOP(jaro_winkler_90, kin_jaro_winkler_at_least(s, p, 0.9))
LOOP(jaro_winkler_80, kin_jaro_winkler_at_least(s, p, 0.8))
LOOP(levenshtein, kin_levenshtein(s, p, 100))
LOOP(levenshtein_2, kin_levenshtein(s, p, 2))
LOOP(levenshtein_1, kin_levenshtein(s, p, 1))
LOOP(osa, kin_osa(s, p, 100))
LOOP(osa_2, kin_osa(s, p, 2))
LOOP(osa_1, kin_osa(s, p, 1))
LOOP(lcs, kin_lcs(s, p))
LOOP(jaccard_bigrams, kin_jaccard(s, p, 2))
LOOP(jaccard_tokens, kin_jaccard(s, p, 0))
LOOP(cosine_trigrams, kin_cosine(s, p, 3))
LOOP(soundex, kin_soundex(p.a, (char[5]){0}))
LOOP(double_metaphone, kin_double_metaphone(p.a, (char[5]){0}, (char[5]){0}))
LOOP(geo_km, kin_geo_km((double)p.a.n, 1, (double)p.b.n, 2))

struct measurement {
    const char *name;
    double (*loop)(const struct bench *b);
};

static void measure(const struct bench *b, const struct measurement *what, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double rates[RUNS];
        double sum = 0;
        for (int run = 0; run < RUNS; run++) {
            double start = seconds_now();
            for (int repeat = 0; repeat < REPEATS; repeat++)
                sum += what[i].loop(b);
            rates[run] = (double)(REPEATS * PAIRS) / (seconds_now() - start) / 1e6;
        }
        qsort(rates, RUNS, sizeof rates[0], ascending);
        printf("%-28s %7.1f M pairs/s  (mean %.6f)\n", what[i].name, rates[RUNS / 2],
               sum / (double)(RUNS * REPEATS * PAIRS));
    }
}

int main(int argc, char **argv)
{
    struct bench *b = kin_calloc(1, sizeof *b);
    if (!b || !(b->scratch = kin_kernel_scratch_new()))
        return 1;
    b->seed = 20240607;
    make_pairs(b, !(argc > 1 && strcmp(argv[1], "random") == 0));
    static const struct measurement specialised[] = {
        {"Jaro", jaro},
        {"Jaro-Winkler", jaro_winkler},
        {"Jaro-Winkler >= 0.9", jaro_winkler_90},
        {"Jaro-Winkler >= 0.8", jaro_winkler_80},
        {"Levenshtein", levenshtein},
        {"Levenshtein <= 2", levenshtein_2},
        {"Levenshtein <= 1", levenshtein_1},
        {"OSA", osa},
        {"OSA <= 2", osa_2},
        {"OSA <= 1", osa_1},
        {"LCS", lcs},
    };
    static const struct measurement others[] = {
        {"Jaccard, bigrams", jaccard_bigrams},
        {"Jaccard, tokens", jaccard_tokens},
        {"Cosine, trigrams", cosine_trigrams},
        {"Soundex (one name)", soundex},
        {"Double Metaphone (one name)", double_metaphone},
        {"Distance of two places", geo_km},
    };
    for (unsigned i = 0; kin_kernel_ops_at(i); i++) {
        b->scratch->ops = kin_kernel_ops_at(i);
        printf("-- %s\n", b->scratch->ops->name);
        measure(b, specialised, sizeof specialised / sizeof specialised[0]);
    }
    printf("-- on every machine\n");
    measure(b, others, sizeof others / sizeof others[0]);
    kin_kernel_scratch_free(b->scratch);
    kin_free(b);
    return 0;
}
