/* Strict UTF-8, as in table 3-7 of the Unicode Standard: the second byte's range depends on the
 * first, which rules out overlong forms, surrogates and what lies beyond U+10FFFF. */
#include "common/record/normalise.h"
#include "common/record/reader_impl.h"

static bool tail(uint8_t b)
{
    return (b & 0xc0) == 0x80;
}

/* Length of the well-formed sequence at p, which starts with no ASCII byte; 0: there is none. */
static size_t sequence(const uint8_t *p, size_t n)
{
    uint8_t a = p[0];
    if (a < 0xc2 || a > 0xf4 || n < 2)
        return 0;
    if (a < 0xe0)
        return tail(p[1]) ? 2 : 0;
    if (a < 0xf0) {
        uint8_t low = a == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = a == 0xed ? 0x9f : 0xbf;
        return n >= 3 && p[1] >= low && p[1] <= high && tail(p[2]) ? 3 : 0;
    }
    uint8_t low = a == 0xf0 ? 0x90 : 0x80;
    uint8_t high = a == 0xf4 ? 0x8f : 0xbf;
    return n >= 4 && p[1] >= low && p[1] <= high && tail(p[2]) && tail(p[3]) ? 4 : 0;
}

size_t kin_utf8_prefix(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        if (n - i >= 8 && !(kin_le64(p + i) & KIN_EACH_BYTE(0x80))) {
            i += 8;
            continue;
        }
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        size_t step = sequence(p + i, n - i);
        if (!step)
            return i;
        i += step;
    }
    return n;
}

bool kin_utf8_valid(const void *p, size_t n, bool *ascii)
{
    bool plain = kin_bytes_ascii(p, n);
    if (ascii)
        *ascii = plain;
    return plain || kin_utf8_prefix(p, n) == n;
}
