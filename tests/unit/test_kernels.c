/* Similarity kernels: published values, the reference on random strings, and the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka needs the above first */
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels_check.h"

static int set_up(void **state)
{
    *state = kin_kernel_scratch_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    kin_kernel_scratch_free(*state);
    return 0;
}

static struct kin_pair pair_of(const char *a, const char *b)
{
    struct kin_pair p = {kin_str_of(a), kin_str_of(b), false};
    p.ascii = kernels_is_ascii(p.a) && kernels_is_ascii(p.b);
    return p;
}

/* ---- published values ---- */

/* Winkler, "Overview of record linkage and current research directions" (2006), table 6, and the
 * usual textbook pairs; three digits, as printed. */
static void jaro_and_winkler_match_published_values(void **state)
{
    static const struct {
        const char *a, *b;
        double jaro, winkler;
    } cases[] = {
        {"MARTHA", "MARHTA", .944, .961},
        {"DIXON", "DICKSONX", .767, .813},
        {"DWAYNE", "DUANE", .822, .840},
        {"SHACKLEFORD", "SHACKELFORD", .970, .982},
        {"DUNNINGHAM", "CUNNIGHAM", .896, .896},
        {"NICHLESON", "NICHULSON", .926, .956},
        {"JONES", "JOHNSON", .790, .832},
        {"MASSEY", "MASSIE", .889, .933},
        {"ABROMS", "ABRAMS", .889, .922},
        {"JERALDINE", "GERALDINE", .926, .926},
        {"MICHELLE", "MICHAEL", .869, .921},
        {"JULIES", "JULIUS", .889, .933},
        {"TANYA", "TONYA", .867, .880},
        {"SEAN", "SUSAN", .783, .805},
        {"JON", "JOHN", .917, .933},
        {"JON", "JAN", .778, .800},
        {"JELLYFISH", "SMELLYFISH", .896, .896},
        {"CRATE", "TRACE", .733, .733},
        {"BROOKHAVEN", "BRROKHAVEN", .933, .947},
        {"ITMAN", "SMITH", .467, .467},
        {"FAREMVIEL", "FARMVILLE", .884, .919},
        {"arnab", "raanb", .867, .867},
        {"ABCD", "WXYZ", .0, .0},
        {"A", "A", 1., 1.},
        {"", "", 1., 1.},
        {"", "A", .0, .0},
        {"AB", "BA", .0, .0},
        {"M\xc3\xbcller", "Mueller", .783, .804},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_pair p = pair_of(cases[i].a, cases[i].b);
        double jaro = kin_jaro(*state, p);
        double winkler = kin_jaro_winkler(*state, p);
        if (fabs(jaro - cases[i].jaro) > .0005001 || fabs(winkler - cases[i].winkler) > .0005001)
            fail_msg("%s %s: %.6f %.6f", cases[i].a, cases[i].b, jaro, winkler);
    }
}

static void distances_match_published_values(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned levenshtein, osa, damerau, lcs;
    } cases[] = {
        {"kitten", "sitting", 3, 3, 3, 4},
        {"Saturday", "Sunday", 3, 3, 3, 5},
        {"intention", "execution", 5, 5, 5, 5},
        {"rosettacode", "raisethysword", 8, 8, 8, 6},
        {"flaw", "lawn", 2, 2, 2, 3},
        {"a cat", "an act", 3, 2, 2, 4},
        {"CA", "ABC", 3, 3, 2, 1}, /* optimal string alignment cannot insert into what it swapped */
        {"a cat", "an abct", 4, 4, 3, 4},
        {"ab", "ba", 2, 1, 1, 1},
        {"ABCBDAB", "BDCABA", 5, 5, 4, 4},
        {"AGGTAB", "GXTXAYB", 4, 4, 4, 4},
        {"XMJYAUZ", "MZJAWXU", 6, 6, 6, 4},
        {"", "", 0, 0, 0, 0},
        {"", "abc", 3, 3, 3, 0},
        {"same", "same", 0, 0, 0, 4},
        {"M\xc3\xbcller", "Muller", 1, 1, 1, 5},
        {"\xe5\xb1\xb1\xe7\x94\xb0", "\xe7\x94\xb0\xe5\xb1\xb1", 2, 1, 1, 1}, /* two han swapped */
        {"\xf0\x9f\x98\x80x", "x", 1, 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_pair p = pair_of(cases[i].a, cases[i].b);
        assert_int_equal(kin_levenshtein(*state, p, 100), cases[i].levenshtein);
        assert_int_equal(kin_osa(*state, p, 100), cases[i].osa);
        assert_int_equal(kin_damerau(*state, p, 100), cases[i].damerau);
        assert_int_equal(kin_lcs(*state, p), cases[i].lcs);
    }
}

static void sets_match_values_counted_by_hand(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned q;
        unsigned both, size_a, size_b;
    } cases[] = {
        {"night", "nacht", 2, 1, 4, 4},
        {"night", "nacht", 1, 3, 5, 5},
        {"the quick brown fox", "the  lazy\tbrown dog ", 0, 2, 4, 4},
        {"a a a b", "a b b", 0, 2, 2, 2}, /* sets, not bags */
        {"aaaa", "aaaaaaa", 2, 1, 1, 1},
        {"ab", "ab", 3, 1, 1, 1}, /* shorter than q: one gram */
        {"ab", "abc", 3, 0, 1, 1},
        {"ab", "abab", 3, 0, 1, 2}, /* a short gram equals no full one that it begins */
        {"abcdefgh", "xabcdefgh", 8, 1, 1, 2},
        {"\xc3\xa9\xc3\xa8", "\xc3\xa8\xc3\xa9", 1, 2, 2, 2},
        {"\xc3\xa9t\xc3\xa9 chaud", "chaud hiver", 0, 1, 2, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_pair p = pair_of(cases[i].a, cases[i].b);
        double both = cases[i].both;
        double either = cases[i].size_a + cases[i].size_b - both;
        double root = sqrt((double)cases[i].size_a * cases[i].size_b);
        assert_true(kin_jaccard(*state, p, cases[i].q) == both / either);
        assert_true(kin_cosine(*state, p, cases[i].q) == both / root);
    }
}

static void sets_without_elements(void **state)
{
    for (unsigned q = 0; q <= KIN_QGRAM_MAX; q++) {
        assert_true(kin_jaccard(*state, pair_of("", ""), q) == 1.0);
        assert_true(kin_cosine(*state, pair_of("", "a"), q) == 0.0);
    }
    assert_true(kin_jaccard(*state, pair_of(" \t\n\v\f\r", ""), 0) == 1.0); /* blanks only */
    assert_true(kin_cosine(*state, pair_of("  ", "a"), 0) == 0.0);
}

static void distances_on_the_globe(void **state)
{
    (void)state;
    double quarter = 6371.0088 * 3.14159265358979323846 / 2.0;
    assert_true(fabs(kin_geo_km(0, 0, 0, 90) - quarter) < 1e-9);
    assert_true(fabs(kin_geo_km(90, 0, -90, 0) - 2 * quarter) < 1e-9);
    assert_true(fabs(kin_geo_km(0, -180, 0, 180)) < 1e-9); /* the date line parts nothing */
    assert_true(kin_geo_km(48.1, 11.5, 48.1, 11.5) == 0.0);
    /* Nashville to Los Angeles, published for a radius of 6372.8 km */
    double published = 2887.2599506071106 * 6371.0088 / 6372.8;
    assert_true(fabs(kin_geo_km(36.12, -86.67, 33.94, -118.40) - published) < 1e-9);
    assert_true(isnan(kin_geo_km((double)NAN, 0, 0, 0)));
    for (int lat = -90; lat <= 90; lat++) /* antipodes: the haversine may round to above 1 */
        assert_true(fabs(kin_geo_km(lat, 10, -lat, 190) - 2 * quarter) < 1e-3);
    uint64_t seed = 7;
    for (int i = 0; i < 1000; i++) {
        double c[4];
        for (int k = 0; k < 4; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            c[k] = (double)(seed >> 40) / (double)(1 << 24) * (k % 2 ? 360.0 : 180.0) -
                   (k % 2 ? 180.0 : 90.0);
        }
        assert_true(kernels_same_bits(kin_geo_km(c[0], c[1], c[2], c[3]),
                                      ref_geo_km(c[0], c[1], c[2], c[3])));
    }
}

/* ---- the reference, on random strings ---- */

struct random {
    uint64_t state;
};

static unsigned below(struct random *r, unsigned n) /* splitmix64; n > 0 */
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ z >> 31) >> 32) % n;
}

/* Alphabets: few letters make many coincidences; ASCII, Latin-1, mixed planes, and broken UTF-8. */
static const char *const ascii_letters[] = {"a", "b", "c", " ", "d", "e", "f", "g", "h", "i", "k"};
static const char *const latin_letters[] = {"a", "\xc3\xa9", "\xc3\xbc", "b", " ", "\xc3\xbf"};
static const char *const world_letters[] = {
    "a",        "\xd0\xb6",     "\xe5\xb1\xb1",     "\xf0\x9f\x98\x80", " ",
    "\xc3\xa9", "\xe7\x94\xb0", "\xf0\x9f\x98\x81", "\xd0\xb7"};
static const char *const broken_letters[] = {"a",    "\xff", "\xc3",         "\x80",
                                             "\xe2", "\xed", "\xef\xbf\xbd", "\xf0\x90"};
static const struct alphabet {
    const char *const *letters;
    unsigned n;
} alphabets[] = {
    {ascii_letters, 2}, {ascii_letters, 4}, {ascii_letters, 11}, {latin_letters, 6},
    {world_letters, 3}, {world_letters, 9}, {broken_letters, 8},
};

static void add_letter(struct random *r, struct alphabet from, struct kin_buf *out)
{
    kin_buf_puts(out, from.letters[below(r, from.n)]);
}

static void random_string(struct random *r, struct alphabet from, unsigned length,
                          struct kin_buf *out)
{
    kin_buf_clear(out);
    for (unsigned i = 0; i < length; i++)
        add_letter(r, from, out);
}

/* A copy of `in` with a few bytes' worth of edits: near duplicates take other paths. */
static void mutated(struct random *r, struct alphabet from, const struct kin_buf *in,
                    struct kin_buf *out)
{
    kin_buf_clear(out);
    unsigned edits = below(r, 5);
    for (size_t i = 0; i < in->n; i++) {
        if (edits == 0 || below(r, (unsigned)in->n) > 2 * edits) {
            kin_buf_putc(out, (char)in->p[i]);
            continue;
        }
        switch (below(r, 4)) {
        case 0:
            break;
        case 1:
            add_letter(r, from, out);
            break;
        case 2:
            add_letter(r, from, out);
            kin_buf_putc(out, (char)in->p[i]);
            break;
        default:
            if (i + 1 < in->n)
                kin_buf_putc(out, (char)in->p[i + 1]);
            kin_buf_putc(out, (char)in->p[i]);
            i++;
        }
    }
}

/* Readable bytes between two pages that are not: vector loads are invisible to the sanitizers. */
struct fence {
    char *pages;
    size_t page;
};

static struct fence fence_make(void)
{
    struct fence f = {.page = (size_t)sysconf(_SC_PAGESIZE) * 8};
    f.pages = mmap(NULL, 3 * f.page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(f.pages != MAP_FAILED);
    assert_int_equal(mprotect(f.pages + f.page, f.page, PROT_READ | PROT_WRITE), 0);
    return f;
}

static struct kin_str fence_put(struct fence f, const struct kin_buf *text, bool at_end)
{
    assert_true(text->n <= f.page);
    char *to = f.pages + f.page + (at_end ? f.page - text->n : 0);
    if (text->n)
        memcpy(to, text->p, text->n);
    return (struct kin_str){to, text->n};
}

static void assert_scratch_clean(const struct kin_kernel_scratch *s)
{
    for (size_t i = 0; i < KIN_KERNEL_SYMBOLS; i++)
        assert_true(s->masks[i] == 0 && s->head[i] == 0);
}

static void compare_with_reference(struct kin_kernel_scratch *s, unsigned rounds,
                                   unsigned length_max, uint64_t seed)
{
    struct random r = {seed};
    struct kin_buf a = {0};
    struct kin_buf b = {0};
    struct fence left = fence_make();
    struct fence right = fence_make();
    for (unsigned i = 0; i < rounds; i++) {
        struct alphabet from = alphabets[below(&r, sizeof alphabets / sizeof alphabets[0])];
        random_string(&r, from, below(&r, length_max + 1), &a);
        if (below(&r, 3))
            mutated(&r, from, &a, &b);
        else
            random_string(&r, from, below(&r, length_max + 1), &b);
        struct kin_str in_a = fence_put(left, &a, i % 2);
        struct kin_str in_b = fence_put(right, &b, i / 2 % 2);
        const char *wrong = kernels_disagree(s, in_a, in_b);
        if (wrong)
            fail_msg("%s, seed %llu, round %u: <%.*s> <%.*s>", wrong, (unsigned long long)seed, i,
                     (int)in_a.n, in_a.p, (int)in_b.n, in_b.p);
    }
    assert_scratch_clean(s);
    munmap(left.pages, 3 * left.page);
    munmap(right.pages, 3 * right.page);
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
}

static void short_strings_equal_the_reference(void **state)
{
    compare_with_reference(*state, 6000, 17, 1);
}

static void one_word_strings_equal_the_reference(void **state)
{
    compare_with_reference(*state, 1500, 66, 2);
}

static void long_strings_equal_the_reference(void **state)
{
    compare_with_reference(*state, 400, 200, 3);
}

static void very_long_strings_equal_the_reference(void **state)
{
    compare_with_reference(*state, 4, 700, 4);
}

/* All pairs of all strings of up to four letters of two: every small corner. */
static void all_tiny_strings_equal_the_reference(void **state)
{
    char text[31][5] = {{0}};
    int n = 1;
    for (int i = 0; n < 31; i++) {
        for (int letter = 'a'; letter <= 'b'; letter++) {
            size_t length = strlen(text[i]);
            memcpy(text[n], text[i], length);
            text[n++][length] = (char)letter;
        }
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            const char *wrong = kernels_disagree(*state, kin_str_of(text[i]), kin_str_of(text[j]));
            if (wrong)
                fail_msg("%s: <%s> <%s>", wrong, text[i], text[j]);
        }
    }
}

/* ---- one against many ---- */

/* Every candidate between fences of its own would need as many pages: they follow each other, and
 * the last one ends at the fence. */
static void fill_many(struct random *r, struct kernels_many *v, unsigned alphabet,
                      unsigned length_max, struct kin_buf *all, struct fence fence)
{
    struct alphabet from = alphabets[alphabet];
    struct kin_buf text = {0}, near = {0};
    size_t ends[KERNELS_MANY_MAX + 1];
    kin_buf_clear(all);
    random_string(r, from, below(r, length_max + 1), &text);
    for (size_t i = 0; i <= v->n; i++) { /* the last is the query */
        if (below(r, 3))
            random_string(r, from, below(r, length_max + 1), &near);
        else
            mutated(r, from, &text, &near);
        kin_buf_put(all, near.p, near.n);
        ends[i] = all->n;
    }
    struct kin_str whole = fence_put(fence, all, true);
    for (size_t i = 0; i <= v->n; i++) {
        size_t start = i ? ends[i - 1] : 0;
        struct kin_str s = {whole.p + start, ends[i] - start};
        bool ascii = kernels_is_ascii(s) && below(r, 4); /* a promise may be left out */
        struct kin_many_text *to = i < v->n ? &v->texts[i] : &v->query;
        *to = (struct kin_many_text){s, ascii};
    }
    kin_buf_deinit(&text);
    kin_buf_deinit(&near);
}

static void compare_many(struct kin_kernel_scratch *s, unsigned rounds, unsigned length_max,
                         uint64_t seed)
{
    static const size_t counts[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 129, 300};
    static struct kernels_many v;
    struct random r = {seed};
    struct kin_buf all = {0};
    struct fence fence = fence_make();
    v.set = kin_many_new();
    assert_non_null(v.set);
    for (unsigned i = 0; i < rounds; i++) {
        unsigned alphabet = below(&r, sizeof alphabets / sizeof alphabets[0]);
        v.n = counts[i % (sizeof counts / sizeof counts[0])];
        fill_many(&r, &v, alphabet, length_max, &all, fence);
        assert_int_equal(kin_many_set(v.set, v.texts, v.n), KIN_OK);
        assert_int_equal(kin_many_count(v.set), v.n);
        const char *wrong = kernels_many_disagree(&v, s);
        if (wrong)
            fail_msg("%s, seed %llu, round %u: <%.*s>", wrong, (unsigned long long)seed, i,
                     (int)v.query.text.n, v.query.text.p);
    }
    kin_many_free(v.set);
    munmap(fence.pages, 3 * fence.page);
    kin_buf_deinit(&all);
}

static void many_short_strings_equal_the_reference(void **state)
{
    compare_many(*state, 140, 9, 21);
    compare_many(*state, 140, 18, 22); /* past what lanes hold */
}

static void many_long_strings_equal_the_reference(void **state)
{
    compare_many(*state, 14, 70, 23);
}

/* All pairs of all strings of up to four letters of two. */
static void many_tiny_strings_equal_the_reference(void **state)
{
    static char text[31][5];
    static struct kernels_many v;
    int n = 1;
    for (int i = 0; n < 31; i++) {
        for (int letter = 'a'; letter <= 'b'; letter++) {
            size_t length = strlen(text[i]);
            memcpy(text[n], text[i], length);
            text[n++][length] = (char)letter;
        }
    }
    v.n = 31;
    for (int i = 0; i < n; i++)
        v.texts[i] = (struct kin_many_text){kin_str_of(text[i]), true};
    v.set = kin_many_new();
    assert_non_null(v.set);
    assert_int_equal(kin_many_set(v.set, v.texts, v.n), KIN_OK);
    for (int i = 0; i < n; i++) {
        v.query = v.texts[i];
        assert_null(kernels_many_disagree(&v, *state));
    }
    kin_many_free(v.set);
}

/* 300 candidates of different letters: codes run out, and many rows of the table are in use. */
static void many_letters_equal_the_reference(void **state)
{
    static struct kernels_many v;
    static char text[KERNELS_MANY_MAX][16];
    struct random r = {5};
    v.n = KERNELS_MANY_MAX;
    for (unsigned i = 0; i < v.n; i++) {
        unsigned at = 0;
        for (unsigned k = 0; k < 5; k++) {
            unsigned c = 0x4e00 + (k < 3 ? i : below(&r, KERNELS_MANY_MAX));
            text[i][at++] = (char)(0xe0 | c >> 12);
            text[i][at++] = (char)(0x80 | (c >> 6 & 0x3f));
            text[i][at++] = (char)(0x80 | (c & 0x3f));
        }
        v.texts[i] = (struct kin_many_text){{text[i], at}, false};
    }
    v.set = kin_many_new();
    assert_non_null(v.set);
    assert_int_equal(kin_many_set(v.set, v.texts, v.n), KIN_OK);
    for (unsigned i = 0; i < v.n; i += 23) {
        v.query = v.texts[i];
        assert_null(kernels_many_disagree(&v, *state));
    }
    kin_many_free(v.set);
}

static void many_strings_of_any_bytes(void **state)
{
    static const char bytes[] = "\0ab\xff\0";
    static struct kernels_many v;
    v.n = 0;
    for (size_t from = 0; from < sizeof bytes; from++) {
        for (size_t n = 0; from + n < sizeof bytes; n++)
            v.texts[v.n++] = (struct kin_many_text){{bytes + from, n}, false};
    }
    v.texts[v.n++] = (struct kin_many_text){{NULL, 0}, true};
    v.set = kin_many_new();
    assert_non_null(v.set);
    assert_int_equal(kin_many_set(v.set, v.texts, v.n), KIN_OK);
    for (size_t i = 0; i < v.n; i++) {
        v.query = v.texts[i];
        assert_null(kernels_many_disagree(&v, *state));
    }
    /* a false promise of ASCII crashes nothing */
    uint16_t out[KERNELS_MANY_MAX];
    v.query = (struct kin_many_text){KIN_STR("a\xff\x80"), true};
    kin_many_osa(v.set, *state, v.query, 3, out);
    kin_many_free(v.set);
}

static void a_set_without_memory_is_empty(void **state)
{
    (void)state;
    const struct kin_many_text text = {KIN_STR("abc"), true};
    kin_alloc_fail_after(0);
    assert_null(kin_many_new());
    kin_alloc_fail_after(SIZE_MAX);
    kin_many_free(NULL);
    struct kin_many *set = kin_many_new();
    assert_non_null(set);
    for (size_t n = 0; n < 5; n++) {
        assert_int_equal(kin_many_set(set, &text, 1), KIN_OK);
        kin_alloc_fail_after(n);
        assert_int_equal(kin_many_set(set, &text, 1), KIN_E_NOMEM);
        kin_alloc_fail_after(SIZE_MAX);
        assert_int_equal(kin_many_count(set), 0);
    }
    kin_many_free(set);
}

/* ---- edges ---- */

static void null_and_embedded_zero_bytes(void **state)
{
    struct kin_str none = {NULL, 0};
    assert_null(kernels_disagree(*state, none, none));
    assert_null(kernels_disagree(*state, none, KIN_STR("abc")));
    /* padding of the vector loads is zero: a zero byte must not find it */
    assert_null(kernels_disagree(*state, KIN_STR("abc"), KIN_STR("ab\0")));
    assert_null(kernels_disagree(*state, KIN_STR("ab"), KIN_STR("\0ab")));
    assert_null(kernels_disagree(*state, KIN_STR("abcde"), KIN_STR("\0\0\0")));
    assert_null(kernels_disagree(*state, KIN_STR("abc\0d"), KIN_STR("a\0bcd")));
    assert_null(
        kernels_disagree(*state, KIN_STR("abcdefghijklmnopqrstu"), KIN_STR("ab\0\0\0\0\0")));
}

static void bad_bytes_count_as_replacement_characters(void **state)
{
    /* each is that many code points, by table 3-7 of the Unicode standard */
    static const struct {
        const char *bytes;
        unsigned code_points;
    } cases[] = {
        {"\xc0\x80", 2},         {"\xc1\xbf", 2},
        {"\xc2\x80", 1},         {"\xe0\x9f\xbf", 3},
        {"\xe0\xa0\x80", 1},     {"\xed\x9f\xbf", 1},
        {"\xed\xa0\x80", 3},     {"\xee\x80\x80", 1},
        {"\xf0\x8f\xbf\xbf", 4}, {"\xf0\x90\x80\x80", 1},
        {"\xf4\x8f\xbf\xbf", 1}, {"\xf4\x90\x80\x80", 4},
        {"\xf5\x80\x80\x80", 4}, {"\xe2\x82", 2},
        {"\xf0\x9f\x98", 3},     {"\x80", 1},
        {"\xe2\x82\x61", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(kin_codepoints(kin_str_of(cases[i].bytes), false), cases[i].code_points);
    assert_int_equal(kin_levenshtein(*state, pair_of("a\xff", "a\xef\xbf\xbd"), 9), 0);
    assert_int_equal(kin_levenshtein(*state, pair_of("\xe2\x82", "\xff\xfe"), 9), 0);
}

static void a_false_promise_of_ascii_does_not_crash(void **state)
{
    struct random r = {11};
    struct kin_buf a = {0};
    struct kin_buf b = {0};
    for (unsigned i = 0; i < 500; i++) {
        kin_buf_clear(&a);
        kin_buf_clear(&b);
        for (unsigned n = below(&r, 100); n; n--)
            kin_buf_putc(&a, (char)below(&r, 256));
        for (unsigned n = below(&r, 100); n; n--)
            kin_buf_putc(&b, (char)below(&r, 256));
        struct kin_pair p = {{(char *)a.p, a.n}, {(char *)b.p, b.n}, true};
        for (unsigned k = 0; kin_kernel_ops_at(k); k++) {
            struct kin_kernel_scratch *s = *state;
            s->ops = kin_kernel_ops_at(k);
            double jaro = kin_jaro_winkler(s, p);
            assert_true(jaro >= 0.0 && jaro <= 1.0);
            kin_jaro_winkler_at_least(s, p, 0.9);
            assert_true(kin_osa(s, p, 4096) <= kin_levenshtein(s, p, 4096));
            kin_lcs(s, p);
            kin_jaccard(s, p, below(&r, 9));
        }
    }
    assert_scratch_clean(*state);
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
}

static void strings_beyond_the_bound_are_cut(void **state)
{
    struct kin_buf a = {0};
    for (unsigned i = 0; i < KIN_KERNEL_CODEPOINTS_MAX; i++)
        kin_buf_puts(&a, "\xc4\x80");
    size_t cut = a.n;
    kin_buf_puts(&a, "tail that does not count");
    struct kin_pair p = {{(char *)a.p, a.n}, {(char *)a.p, cut}, false};
    assert_int_equal(kin_codepoints(p.a, false), KIN_KERNEL_CODEPOINTS_MAX);
    assert_int_equal(kin_codepoints(p.a, true), KIN_KERNEL_CODEPOINTS_MAX);
    assert_true(kin_jaro(*state, p) == 1.0);
    assert_int_equal(kin_levenshtein(*state, p, 0), 0);
    assert_int_equal(kin_osa(*state, p, 9), 0);
    assert_int_equal(kin_lcs(*state, p), KIN_KERNEL_CODEPOINTS_MAX);
    assert_true(kin_jaccard(*state, p, 2) == 1.0);
    kin_buf_deinit(&a);
}

/* A swap at each place of a long string, across the words of the bit vectors too; two more at the
 * ends, so that no common prefix or suffix is stripped. */
static void transpositions_at_every_place(void **state)
{
    char a[200];
    char b[200];
    for (size_t n = 66; n < sizeof a; n += 33) {
        for (size_t at = 2; at + 4 <= n; at++) {
            for (size_t i = 0; i < n; i++)
                a[i] = b[i] = (char)('a' + i % 23);
            const size_t swaps[] = {0, at, n - 2};
            for (size_t k = 0; k < 3; k++) {
                b[swaps[k]] = a[swaps[k] + 1];
                b[swaps[k] + 1] = a[swaps[k]];
            }
            struct kin_pair p = {{a, n}, {b, n}, true};
            assert_int_equal(kin_osa(*state, p, 100), 3);
            assert_int_equal(kin_osa(*state, p, 3), 3);
            assert_int_equal(kin_osa(*state, p, 2), 3);
        }
    }
}

/* 4096 different code points: renumbering, masks and lists at their largest. */
static void all_code_points_different(void **state)
{
    struct kin_buf a = {0};
    struct kin_buf b = {0};
    for (unsigned i = 0; i < KIN_KERNEL_CODEPOINTS_MAX; i++) {
        unsigned c = 0x4e00 + i;
        const char utf8[] = {(char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 0x3f)),
                             (char)(0x80 | (c & 0x3f))};
        kin_buf_put(&a, utf8, sizeof utf8);
        if (i % 1000 != 7)
            kin_buf_put(&b, utf8, sizeof utf8);
    }
    struct kin_pair p = {{(char *)a.p, a.n}, {(char *)b.p, b.n}, false};
    assert_int_equal(kin_levenshtein(*state, p, 4096), 5);
    assert_int_equal(kin_levenshtein(*state, p, 5), 5);
    assert_int_equal(kin_levenshtein(*state, p, 4), 5);
    assert_int_equal(kin_osa(*state, p, 100), 5);
    assert_int_equal(kin_lcs(*state, p), 4091);
    assert_true(kin_jaro(*state, p) == (4091.0 / 4096.0 + 1.0 + 1.0) / 3.0);
    assert_true(kin_jaccard(*state, p, 1) == 1022.0 / 1026.0); /* the first 1024 of each */
    assert_scratch_clean(*state);
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
}

static void sets_ignore_elements_beyond_their_bound(void **state)
{
    struct kin_buf a = {0};
    struct kin_buf b = {0};
    for (unsigned i = 0; i < 1200; i++)
        kin_buf_printf(&a, "%x ", i);
    for (unsigned i = 1200; i-- > 0;)
        kin_buf_printf(&b, "%x ", i);
    struct kin_pair p = {{(char *)a.p, a.n}, {(char *)b.p, b.n}, true};
    assert_in_range(a.n, 1200 * 3, KIN_KERNEL_CODEPOINTS_MAX + 700);
    assert_null(kernels_disagree(*state, (struct kin_str){(char *)a.p, 4000},
                                 (struct kin_str){(char *)b.p, 4000}));
    assert_true(kin_jaccard(*state, p, 0) < 1.0);
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
}

/* What a scratch remembers from 2^32 calls ago must not be taken for its own. */
static void stamps_may_wrap_around(void **state)
{
    (void)state;
    struct kin_kernel_scratch *s = kin_kernel_scratch_new();
    assert_non_null(s);
    assert_true(kin_jaccard(s, pair_of("abcd", "abcd"), 1) == 1.0); /* the stamp is 1 */
    assert_int_equal(s->stamp, 1);
    s->stamp = UINT32_MAX;
    assert_true(kin_jaccard(s, pair_of("abcd", "abce"), 1) == 0.6); /* 1 again */
    assert_int_equal(s->stamp, 1);
    s->stamp = 0;
    assert_true(kin_jaro(s, pair_of("\xd0\xb6", "\xd0\xb6")) == 1.0);
    s->stamp = UINT32_MAX;
    assert_true(kin_jaro(s, pair_of("\xd0\xb7", "\xd0\xb6")) == 0.0);
    kin_kernel_scratch_free(s);
}

static void scratch_without_memory_is_null(void **state)
{
    (void)state;
    kin_alloc_fail_after(0);
    assert_null(kin_kernel_scratch_new());
    kin_alloc_fail_after(SIZE_MAX);
    kin_kernel_scratch_free(NULL);
}

static void kernels_do_not_allocate(void **state)
{
    kin_alloc_fail_after(SIZE_MAX);
    struct kin_pair p = pair_of("\xd0\xb6\xd0\xb7 abc", "abc \xd0\xb7");
    kin_jaro_winkler(*state, p);
    kin_osa(*state, p, 9);
    kin_lcs(*state, p);
    kin_cosine(*state, p, 2);
    assert_int_equal(kin_alloc_fail_after(SIZE_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jaro_and_winkler_match_published_values),
        cmocka_unit_test(distances_match_published_values),
        cmocka_unit_test(sets_match_values_counted_by_hand),
        cmocka_unit_test(sets_without_elements),
        cmocka_unit_test(distances_on_the_globe),
        cmocka_unit_test(all_tiny_strings_equal_the_reference),
        cmocka_unit_test(short_strings_equal_the_reference),
        cmocka_unit_test(one_word_strings_equal_the_reference),
        cmocka_unit_test(long_strings_equal_the_reference),
        cmocka_unit_test(very_long_strings_equal_the_reference),
        cmocka_unit_test(many_tiny_strings_equal_the_reference),
        cmocka_unit_test(many_short_strings_equal_the_reference),
        cmocka_unit_test(many_long_strings_equal_the_reference),
        cmocka_unit_test(many_letters_equal_the_reference),
        cmocka_unit_test(many_strings_of_any_bytes),
        cmocka_unit_test(a_set_without_memory_is_empty),
        cmocka_unit_test(null_and_embedded_zero_bytes),
        cmocka_unit_test(bad_bytes_count_as_replacement_characters),
        cmocka_unit_test(a_false_promise_of_ascii_does_not_crash),
        cmocka_unit_test(strings_beyond_the_bound_are_cut),
        cmocka_unit_test(transpositions_at_every_place),
        cmocka_unit_test(all_code_points_different),
        cmocka_unit_test(sets_ignore_elements_beyond_their_bound),
        cmocka_unit_test(stamps_may_wrap_around),
        cmocka_unit_test(scratch_without_memory_is_null),
        cmocka_unit_test(kernels_do_not_allocate),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
