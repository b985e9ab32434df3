/* The letters of a name, and Soundex. */
#include "common/match/kernel_impl.h"

/* U+00C0..U+017F (in UTF-8 the bytes C3..C5 and one more), two characters each: base letters, or
 * blanks for what is no letter. Those that Double Metaphone knows are digits. */
static const char base_letters[] =
    "A A A A A A AE1 E E E E I I I I D 2 O O O O O   O U U U U Y THSS"
    "A A A A A A AE1 E E E E I I I I D 2 O O O O O   O U U U U Y THY "
    "A A A A A A C C C C C C C C D D D D E E E E E E E E E E G G G G G G G G H H H H "
    "I I I I I I I I I I IJIJJ J K K K L L L L L L L L L L N N N N N N N N N "
    "O O O O O O OEOER R R R R R S S S S S S S S T T T T T T U U U U U U U U U U U U "
    "W W Y Y Y Z Z Z Z Z Z S ";
_Static_assert(sizeof base_letters == 2 * 192 + 1, "two characters for each code point");

static char known_letter(char c, bool keep_special)
{
    switch (c) {
    case '1':
        return keep_special ? (char)KIN_LETTER_C_CEDILLA : 'C';
    case '2':
        return keep_special ? (char)KIN_LETTER_N_TILDE : 'N';
    default:
        return c;
    }
}

size_t kin_kernel_letters(struct kin_str s, char *out, size_t cap, bool keep_blanks)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n && n < cap; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c >= 'a' && c <= 'z') {
            out[n++] = (char)(c - 'a' + 'A');
        } else if (c >= 'A' && c <= 'Z') {
            out[n++] = (char)c;
        } else if (c == ' ' || c == '-' || (c >= '\t' && c <= '\r')) {
            if (keep_blanks)
                out[n++] = ' ';
        } else if (c >= 0xc3 && c <= 0xc5 && i + 1 < s.n && ((uint8_t)s.p[i + 1] & 0xc0) == 0x80) {
            size_t number = (size_t)(c - 0xc3) << 6 | ((uint8_t)s.p[++i] & 0x3f);
            const char *base = &base_letters[2 * number];
            if (base[0] != ' ')
                out[n++] = known_letter(base[0], keep_blanks);
            if (base[1] != ' ' && n < cap)
                out[n++] = base[1];
        }
    }
    return n;
}

/* The rules of the U.S. National Archives (General Information Leaflet 55): a letter with the code
 * of the one before it is skipped, also if both are parted only by H or W, and also if the one
 * before is the initial; a vowel between them lets both count. */
size_t kin_soundex(struct kin_str s, char out[5])
{
    static const char codes[] = "0123012-02245501262301-202"; /* A..Z; 0 vowel, - H and W */
    char letters[KIN_KERNEL_CODEPOINTS_MAX];
    size_t count = kin_kernel_letters(s, letters, sizeof letters, false);
    out[0] = '\0';
    if (count == 0)
        return 0;
    size_t n = 0;
    out[n++] = letters[0];
    char last = codes[letters[0] - 'A'];
    for (size_t i = 1; i < count && n < 4; i++) {
        char code = codes[letters[i] - 'A'];
        if (code == '-')
            continue;
        if (code != '0' && code != last)
            out[n++] = code;
        last = code;
    }
    while (n < 4)
        out[n++] = '0';
    out[n] = '\0';
    return n;
}
