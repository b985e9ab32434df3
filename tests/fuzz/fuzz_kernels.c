/* Two strings, parted by the first line feed: every similarity kernel against its reference, on
 * every instruction set; the first line against all others at once; the phonetic codes must be
 * well-formed. */
#include <stdio.h>

#include "tests/unit/kernels_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STRING_MAX = 140 /* three words; the reference is quadratic */,
    CANDIDATES = 36,
    MANY_BYTES_MAX = 48
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "kernel disagrees with its reference: %s\n", what);
    abort();
}

static void check_codes(struct kin_str s)
{
    char soundex[5];
    size_t n = kin_soundex(s, soundex);
    require((n == 0 || n == 4) && strlen(soundex) == n, "soundex length");
    require(strspn(soundex + (n > 0), "0123456") == (n ? 3 : 0), "soundex digits");
    char code[2][5];
    require(kin_double_metaphone(s, code[0], code[1]) == strlen(code[0]), "metaphone length");
    for (int i = 0; i < 2; i++)
        require(strspn(code[i], "0AFHJKLMNPRSTX") == strlen(code[i]), "metaphone sounds");
}

/* All lines, each again and again until a vector is full, and the first as query. */
static void check_many(struct kin_kernel_scratch *s, const uint8_t *data, size_t size)
{
    static struct kernels_many v;
    if (!v.set && !(v.set = kin_many_new()))
        return;
    for (v.n = 0; v.n < CANDIDATES;) {
        for (size_t at = 0, end; at <= size && v.n < CANDIDATES; at = end + 1) {
            for (end = at; end < size && data[end] != '\n';)
                end++;
            struct kin_str line = {(const char *)data + at, end - at};
            v.texts[v.n++] = (struct kin_many_text){line, kernels_is_ascii(line)};
        }
    }
    v.query = v.texts[0];
    if (kin_many_set(v.set, v.texts, v.n) == KIN_OK) {
        const char *wrong = kernels_many_disagree(&v, s);
        require(wrong == NULL, wrong);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
    struct kin_str a = {(const char *)data, cut ? (size_t)(cut - data) : size};
    struct kin_str b = {cut ? (const char *)cut + 1 : NULL, cut ? size - a.n - 1 : 0};
    if (a.n > STRING_MAX || b.n > STRING_MAX)
        return 0;
    static struct kin_kernel_scratch *s; /* one for all inputs: what one leaves behind is seen */
    if (!s && !(s = kin_kernel_scratch_new()))
        return 0;
    const char *wrong = kernels_disagree(s, a, b);
    require(wrong == NULL, wrong);
    check_codes(a);
    check_codes(b);
    if (size % 4 == 1 && size <= MANY_BYTES_MAX) /* the reference takes its time */
        check_many(s, data, size);
    return 0;
}
