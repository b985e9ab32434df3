/* Million pairs a second of each similarity kernel on one thread: names of 6 to 15 characters (mean
 * 7.9), drawn with a fixed seed. Pairwise, half of the pairs are unrelated, half are a name and a
 * misspelling of it, as blocks of records are. One against many: 4096 names, of which 64 are in
 * turn the query; packed once for all of them, or, in blocks of the sizes named, packed for each
 * block and compared each with each. Prints the best of nine runs and their median.
 *
 *   bench_kernels [random|related] [text]   "random": unrelated pairs only; text: only what has it
 * in its name */
#include "common/match/kernel_impl.h"
#include "common/match/kernel_many.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAMES = 4096, PAIRS = 1 << 16, RUNS = 9, REPEATS = 8, NAME_MAX_LENGTH = 15, QUERIES = 64 };

struct name {
    char text[NAME_MAX_LENGTH + 1]; /* terminated, so that a twin of this program can share it */
    unsigned n;
};

struct bench {
    struct kin_kernel_scratch *scratch;
    struct name names[NAMES], typos[NAMES];
    struct kin_pair pairs[PAIRS];
    struct kin_many *many;
    struct kin_many_text texts[NAMES];
    const char *only; /* may be NULL */
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
    for (unsigned i = 0; i < NAMES; i++) { /* every other one is a misspelling of the one before */
        const struct name *x = i % 2 && related ? &b->typos[i - 1] : &b->names[i];
        b->texts[i] = (struct kin_many_text){{x->text, x->n}, true};
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
LOOP(damerau, kin_damerau(s, p, 100))
LOOP(damerau_2, kin_damerau(s, p, 2))
LOOP(lcs, kin_lcs(s, p))
LOOP(jaccard_bigrams, kin_jaccard(s, p, 2))
LOOP(jaccard_tokens, kin_jaccard(s, p, 0))
LOOP(cosine_trigrams, kin_cosine(s, p, 3))
LOOP(soundex, kin_soundex(p.a, (char[5]){0}))
LOOP(double_metaphone, kin_double_metaphone(p.a, (char[5]){0}, (char[5]){0}))
LOOP(geo_km, kin_geo_km((double)p.a.n, 1, (double)p.b.n, 2))

/* One against many: n texts, each of the first `queries` of them against all. */
enum many_measure { MANY_JARO_WINKLER, MANY_LEVENSHTEIN, MANY_OSA };

static double many_queries(const struct bench *b, const struct kin_many_text *texts, size_t queries,
                           enum many_measure measure, double cut)
{
    static double similarities[NAMES];
    static uint16_t distances[NAMES];
    double sum = 0;
    for (size_t k = 0; k < queries; k++) {
        if (measure == MANY_JARO_WINKLER) {
            kin_many_jaro_winkler(b->many, b->scratch, texts[k], cut, similarities);
            sum += similarities[k / 2];
            continue;
        }
        if (measure == MANY_LEVENSHTEIN)
            kin_many_levenshtein(b->many, b->scratch, texts[k], (unsigned)cut, distances);
        else
            kin_many_osa(b->many, b->scratch, texts[k], (unsigned)cut, distances);
        sum += distances[k / 2];
    }
    return sum;
}

#define MANY(name, measure, cut)                                 \
    static double name(const struct bench *b)                    \
    {                                                            \
        return many_queries(b, b->texts, QUERIES, measure, cut); \
    }
MANY(many_jaro_winkler, MANY_JARO_WINKLER, 0)
MANY(many_jaro_winkler_80, MANY_JARO_WINKLER, 0.8)
MANY(many_jaro_winkler_90, MANY_JARO_WINKLER, 0.9)
MANY(many_levenshtein, MANY_LEVENSHTEIN, 100)
MANY(many_levenshtein_2, MANY_LEVENSHTEIN, 2)
MANY(many_osa, MANY_OSA, 100)
MANY(many_osa_2, MANY_OSA, 2)

/* All names in blocks, each packed anew; every member is a query. */
static double many_blocks(const struct bench *b, size_t members)
{
    double sum = 0;
    for (size_t at = 0; at + members <= NAMES; at += members) {
        if (kin_many_set(b->many, b->texts + at, members))
            abort();
        sum += many_queries(b, b->texts + at, members, MANY_JARO_WINKLER, 0.9);
    }
    return sum;
}
/* The same a pair at a time, with all ordered pairs, too. */
static double pairs_blocks(const struct bench *b, size_t members)
{
    double sum = 0;
    for (size_t at = 0; at + members <= NAMES; at += members) {
        const struct kin_many_text *texts = b->texts + at;
        for (size_t i = 0; i < members; i++) {
            for (size_t j = 0; j < members; j++) {
                struct kin_pair p = {texts[i].text, texts[j].text, true};
                sum += kin_jaro_winkler_from(b->scratch, p, 0.9);
            }
        }
    }
    return sum;
}
#define BLOCKS(members)                                         \
    static double many_blocks_##members(const struct bench *b)  \
    {                                                           \
        return many_blocks(b, members);                         \
    }                                                           \
    static double pairs_blocks_##members(const struct bench *b) \
    {                                                           \
        return pairs_blocks(b, members);                        \
    }
BLOCKS(8)
BLOCKS(16)
BLOCKS(32)
BLOCKS(64)
BLOCKS(256)

struct measurement {
    const char *name;
    double (*loop)(const struct bench *b);
    size_t pairs; /* 0: PAIRS */
};

static void measure(const struct bench *b, const struct measurement *what, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (b->only && !strstr(what[i].name, b->only))
            continue;
        double pairs = REPEATS * (double)(what[i].pairs ? what[i].pairs : PAIRS);
        double rates[RUNS];
        double sum = 0;
        for (int run = 0; run < RUNS; run++) {
            double start = seconds_now();
            for (int repeat = 0; repeat < REPEATS; repeat++)
                sum += what[i].loop(b);
            rates[run] = pairs / (seconds_now() - start) / 1e6;
        }
        qsort(rates, RUNS, sizeof rates[0], ascending);
        printf("%-36s %7.1f M pairs/s  (median %.1f, mean %.6f)\n", what[i].name, rates[RUNS - 1],
               rates[RUNS / 2], sum / (RUNS * pairs));
    }
}

int main(int argc, char **argv)
{
    struct bench *b = kin_calloc(1, sizeof *b);
    if (!b || !(b->scratch = kin_kernel_scratch_new()) || !(b->many = kin_many_new()))
        return 1;
    b->seed = 20240607;
    b->only = argc > 2 ? argv[2] : NULL;
    make_pairs(b, !(argc > 1 && strcmp(argv[1], "random") == 0));
    static const struct measurement specialised[] = {
        {"Jaro", jaro, 0},
        {"Jaro-Winkler", jaro_winkler, 0},
        {"Jaro-Winkler >= 0.9", jaro_winkler_90, 0},
        {"Jaro-Winkler >= 0.8", jaro_winkler_80, 0},
        {"Levenshtein", levenshtein, 0},
        {"Levenshtein <= 2", levenshtein_2, 0},
        {"Levenshtein <= 1", levenshtein_1, 0},
        {"OSA", osa, 0},
        {"OSA <= 2", osa_2, 0},
        {"OSA <= 1", osa_1, 0},
        {"Damerau-Levenshtein", damerau, 0},
        {"Damerau-Levenshtein <= 2", damerau_2, 0},
        {"LCS", lcs, 0},
    };
    enum { MANY_PAIRS = QUERIES * NAMES };
    static const struct measurement one_to_many[] = {
        {"One to many, Jaro-Winkler", many_jaro_winkler, MANY_PAIRS},
        {"One to many, Jaro-Winkler >= 0.9", many_jaro_winkler_90, MANY_PAIRS},
        {"One to many, Jaro-Winkler >= 0.8", many_jaro_winkler_80, MANY_PAIRS},
        {"One to many, Levenshtein", many_levenshtein, MANY_PAIRS},
        {"One to many, Levenshtein <= 2", many_levenshtein_2, MANY_PAIRS},
        {"One to many, OSA", many_osa, MANY_PAIRS},
        {"One to many, OSA <= 2", many_osa_2, MANY_PAIRS},
    };
    static const struct measurement blocks[] = {
        {"blocks of 8, each with each", many_blocks_8, 8 * NAMES},
        {"  a pair at a time", pairs_blocks_8, 8 * NAMES},
        {"blocks of 16", many_blocks_16, 16 * NAMES},
        {"  a pair at a time", pairs_blocks_16, 16 * NAMES},
        {"blocks of 32", many_blocks_32, 32 * NAMES},
        {"  a pair at a time", pairs_blocks_32, 32 * NAMES},
        {"blocks of 64", many_blocks_64, 64 * NAMES},
        {"  a pair at a time", pairs_blocks_64, 64 * NAMES},
        {"blocks of 256", many_blocks_256, 256 * NAMES},
        {"  a pair at a time", pairs_blocks_256, 256 * NAMES},
    };
    static const struct measurement others[] = {
        {"Jaccard, bigrams", jaccard_bigrams, 0},
        {"Jaccard, tokens", jaccard_tokens, 0},
        {"Cosine, trigrams", cosine_trigrams, 0},
        {"Soundex (one name)", soundex, 0},
        {"Double Metaphone (one name)", double_metaphone, 0},
        {"Distance of two places", geo_km, 0},
    };
    for (unsigned i = 0; kin_kernel_ops_at(i); i++) {
        b->scratch->ops = kin_kernel_ops_at(i);
        printf("-- %s\n", b->scratch->ops->name);
        measure(b, specialised, sizeof specialised / sizeof specialised[0]);
        if (kin_many_set(b->many, b->texts, NAMES))
            return 1;
        measure(b, one_to_many, sizeof one_to_many / sizeof one_to_many[0]);
        printf("one to many, Jaro-Winkler >= 0.9, packed for each block:\n");
        measure(b, blocks, sizeof blocks / sizeof blocks[0]);
    }
    printf("-- on every machine\n");
    measure(b, others, sizeof others / sizeof others[0]);
    kin_many_free(b->many);
    kin_kernel_scratch_free(b->scratch);
    kin_free(b);
    return 0;
}
