/* Strict UTF-8 against a decoder that reads the bits. */
#include "common/record/normalise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static bool valid(const char *text)
{
    return kin_utf8_valid(text, strlen(text), NULL);
}

/* Decode by length prefix, then refuse what has a shorter form, is a surrogate or too large. */
static bool slow_valid(const uint8_t *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < n;) {
        size_t length = p[i] < 0x80             ? 1
                        : (p[i] & 0xe0) == 0xc0 ? 2
                        : (p[i] & 0xf0) == 0xe0 ? 3
                        : (p[i] & 0xf8) == 0xf0 ? 4
                                                : 0;
        if (!length || length > n - i)
            return false;
        uint32_t c = length == 1 ? p[i] : p[i] & (0xffu >> (length + 1));
        for (size_t k = 1; k < length; k++) {
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (p[i + k] & 0x3f);
        }
        if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
        i += length;
    }
    return true;
}

static void accepts_text_and_says_whether_it_is_ascii(void **state)
{
    (void)state;
    bool ascii = false;
    assert_true(kin_utf8_valid(NULL, 0, &ascii));
    assert_true(ascii);
    assert_true(kin_utf8_valid("plain ASCII of some length", 26, &ascii));
    assert_true(ascii);
    assert_true(
        kin_utf8_valid("Zo\xc3\xab M\xc3\xbcller \xe6\x9d\x8e \xf0\x9f\x98\x80", 21, &ascii));
    assert_false(ascii);
    assert_true(valid("\xf4\x8f\xbf\xbf")); /* U+10FFFF */
    assert_true(valid("\xed\x9f\xbf"));     /* below the surrogates */
    assert_true(valid("\xee\x80\x80"));     /* above them */
    assert_true(kin_utf8_valid("\0", 1, &ascii));
}

static void refuses_malformed_bytes(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\x80", /* a tail alone */
        "\xc3", /* cut short */
        "\xe6\x9d",
        "\xf0\x9f\x98",
        "\xc0\xaf", /* overlong */
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",     /* a surrogate */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3(",
        "12345678\xff",
        "1234567\xc3",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(valid(cases[i]));
}

static void agrees_with_the_slow_decoder_on_every_two_and_three_bytes(void **state)
{
    (void)state;
    for (uint32_t v = 0; v < 1u << 24; v += v % 251 ? 1 : 7) {
        uint8_t p[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        if (kin_utf8_valid(p, 3, NULL) != slow_valid(p, 3))
            fail_msg("%02x %02x %02x", p[0], p[1], p[2]);
    }
}

static void agrees_with_the_slow_decoder_on_four_bytes_at_any_place(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2,
                                    0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};
    enum { N = sizeof edges };
    for (size_t v = 0; v < (size_t)N * N * N * N; v++) {
        uint8_t p[20] = "abcdefghijklmnopqrst";
        size_t at = v % 17;
        p[at] = edges[v % N];
        p[at + 1] = edges[v / N % N];
        p[at + 2] = edges[v / N / N % N];
        p[at + 3] = edges[v / N / N / N];
        size_t n = at + 4 + v % (17 - at);
        if (kin_utf8_valid(p, n, NULL) != slow_valid(p, n))
            fail_msg("%02x %02x %02x %02x at %zu", p[at], p[at + 1], p[at + 2], p[at + 3], at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_text_and_says_whether_it_is_ascii),
        cmocka_unit_test(refuses_malformed_bytes),
        cmocka_unit_test(agrees_with_the_slow_decoder_on_every_two_and_three_bytes),
        cmocka_unit_test(agrees_with_the_slow_decoder_on_four_bytes_at_any_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
