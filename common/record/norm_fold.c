/* Folding: the one place that knows Unicode. Each code point is decomposed (NFKD) and case-folded
 * by utf8proc, accents are taken off, letters without a decomposition are folded by table, and what
 * is left is kept, dropped or made a blank by mode. Where anything is left that could compose, the
 * result is put into canonical order and composed again (NFC), so that folding twice changes
 * nothing. */
#include "common/record/norm_impl.h"

#include <string.h>
#include <utf8proc.h>

enum { IOTA_SUBSCRIPT = 0x345 };

/* What becomes of an ASCII character; any larger value is the character to write. */
enum { CLASS_BLANK = 0, CLASS_DROP = 1, CLASS_APOSTROPHE = 2, CLASS_LAST = CLASS_APOSTROPHE };

#define LETTERS                                                                                \
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', \
    ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', \
    ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', \
    ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', \
    ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', \
    ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', \
    ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', \
    ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z'
#define DIGITS                                                                                 \
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', \
    ['7'] = '7', ['8'] = '8', ['9'] = '9'
#define DIGITS_DROPPED                                                              \
    ['0'] = CLASS_DROP, ['1'] = CLASS_DROP, ['2'] = CLASS_DROP, ['3'] = CLASS_DROP, \
    ['4'] = CLASS_DROP, ['5'] = CLASS_DROP, ['6'] = CLASS_DROP, ['7'] = CLASS_DROP, \
    ['8'] = CLASS_DROP, ['9'] = CLASS_DROP
#define APOSTROPHES ['\''] = CLASS_APOSTROPHE, ['`'] = CLASS_APOSTROPHE
/* Punctuation that identifiers, e-mails and plain text all keep. */
#define SIGNS                                                                                    \
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['('] = '(', \
    [')'] = ')', ['*'] = '*', ['+'] = '+', [','] = ',', [':'] = ':', [';'] = ';', ['<'] = '<',   \
    ['='] = '=', ['>'] = '>', ['?'] = '?', ['@'] = '@', ['['] = '[', [']'] = ']', ['^'] = '^',   \
    ['_'] = '_', ['`'] = '`', ['{'] = '{', ['|'] = '|', ['}'] = '}', ['~'] = '~'

static const uint8_t classes[KIN_FOLD_COUNT][128] = {
    [KIN_FOLD_NAME] = {LETTERS, DIGITS_DROPPED, APOSTROPHES},
    [KIN_FOLD_TEXT] = {LETTERS, DIGITS, APOSTROPHES},
    [KIN_FOLD_POSTCODE] = {LETTERS, DIGITS},
    [KIN_FOLD_ID] = {LETTERS, DIGITS, SIGNS, ['"'] = '"', ['\\'] = '\\'},
    [KIN_FOLD_EMAIL] = {LETTERS, DIGITS, SIGNS, ['-'] = '-', ['.'] = '.', ['/'] = '/'},
    [KIN_FOLD_PLAIN] = {LETTERS, DIGITS,
                        SIGNS, ['"'] = '"', ['\\'] = '\\', ['-'] = '-', ['.'] = '.', ['/'] = '/'},
};

static bool keeps_blanks(enum kin_fold mode)
{
    return mode == KIN_FOLD_NAME || mode == KIN_FOLD_TEXT || mode == KIN_FOLD_PLAIN;
}

static bool strips_accents(enum kin_fold mode)
{
    return mode == KIN_FOLD_NAME || mode == KIN_FOLD_TEXT || mode == KIN_FOLD_POSTCODE;
}

/* Returns the bytes written, or -1 at the first byte that is not ASCII. A blank stands for at least
 * one character of the input, so to never needs more room than n. */
static ptrdiff_t fold_ascii(enum kin_fold mode, const uint8_t *p, size_t n, uint8_t *to)
{
    const uint8_t *class = classes[mode];
    bool blanks = keeps_blanks(mode), gap = false;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] >= 0x80)
            return -1;
        uint8_t k = class[p[i]];
        if (k > CLASS_LAST) {
            if (gap) {
                to[at] = ' ';
                at += at > 0;
                gap = false;
            }
            to[at++] = k;
        } else if (k == CLASS_BLANK) {
            gap = blanks;
        } else if (k == CLASS_APOSTROPHE && (at == 0 || !kin_norm_is_lower((char)to[at - 1]))) {
            gap = blanks;
        }
    }
    return (ptrdiff_t)at;
}

/* ---- any Unicode text ---- */

struct folder {
    int32_t *points;
    size_t n;
    unsigned marks; /* in a row, at the end */
    enum kin_fold mode;
    bool gap;          /* a blank is due before the next character */
    bool after_letter; /* the last character is a letter, with no gap behind it */
    bool compose;      /* something is there that may compose */
};

static void put(struct folder *f, int32_t point)
{
    if (f->gap && f->n > 0 && f->n < KIN_NORM_POINTS_MAX)
        f->points[f->n++] = ' ';
    f->gap = false;
    f->marks = 0;
    if (f->n < KIN_NORM_POINTS_MAX)
        f->points[f->n++] = point;
}

static void put_blank(struct folder *f)
{
    f->after_letter = false;
    f->gap = keeps_blanks(f->mode);
}

static void put_ascii(struct folder *f, int32_t c)
{
    uint8_t k = classes[f->mode][c];
    if (k > CLASS_LAST) {
        put(f, k);
        f->after_letter = kin_norm_is_lower((char)k);
    } else if (k == CLASS_BLANK || (k == CLASS_APOSTROPHE && !f->after_letter)) {
        put_blank(f);
    }
}

/* Typographic, spacing-accent and modifier-letter forms of the apostrophe. */
static bool is_apostrophe(int32_t c)
{
    if (c < 0x2b9)
        return c == 0xb4;
    if (c < 0x2018)
        return c <= 0x2bf || c == 0x2c8 || c == 0x2ca || c == 0x2cb || c == 0x55a || c == 0x5f3 ||
               c == 0x1ffd;
    return c <= 0x201b || c == 0x2032 || c == 0x2035 || c == 0xa78b || c == 0xa78c || c == 0xff07;
}

/* Accents: marks of the scripts that can be written without them. Marks elsewhere (Indic and Thai
 * vowel signs, the voicing marks of kana) are what tells one syllable from another. */
static bool is_accent(int32_t c)
{
    static const struct {
        int32_t first, last;
    } ranges[] = {
        {0x0300, 0x036f}, /* Latin, Greek, Cyrillic */
        {0x0483, 0x0489}, /* Cyrillic */
        {0x0591, 0x05c7}, /* Hebrew points */
        {0x0610, 0x061a}, /* Arabic */
        {0x064b, 0x065f}, {0x0670, 0x0670}, {0x06d6, 0x06ed}, {0x0711, 0x0711}, /* Syriac */
        {0x0730, 0x074a}, {0x08ca, 0x08ff},                                     /* Arabic */
        {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff},                   /* for symbols */
        {0xfe00, 0xfe0f},                                                       /* variations */
        {0xfe20, 0xfe2f},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c <= ranges[i].last)
            return c >= ranges[i].first;
    }
    return false;
}

static void put_mark(struct folder *f, int32_t c)
{
    if (strips_accents(f->mode) && (is_accent(c) || !f->after_letter))
        return;
    if (utf8proc_get_property(c)->combining_class == 0) {
        put(f, c);
    } else if (f->marks < KIN_NORM_MARKS_MAX) {
        unsigned marks = f->marks;
        put(f, c);
        f->marks = marks + 1;
    }
    f->compose = true;
}

static void put_letter(struct folder *f, int32_t c)
{
    if (c == 0x640 && strips_accents(f->mode)) /* tatweel only stretches an Arabic word */
        return;
    const struct kin_norm_letter *to = strips_accents(f->mode) ? kin_norm_letter_find(c) : NULL;
    put(f, to ? to->to[0] : c);
    if (to && to->to[1])
        put(f, to->to[1]);
    f->after_letter = true;
    f->compose |= c >= 0x1100 && c <= 0x11ff; /* conjoining Hangul */
}

/* Symbols that stand for an ASCII character wherever punctuation is kept, or 0. */
static int32_t ascii_symbol(enum kin_fold mode, int32_t c, utf8proc_category_t category)
{
    if (category == UTF8PROC_CATEGORY_PD || c == 0x2212 || c == 0x2043)
        return '-';
    if (c == 0x2044) /* fraction slash */
        return '/';
    if (mode != KIN_FOLD_PLAIN)
        return 0;
    if (category == UTF8PROC_CATEGORY_SC)
        return '$';
    switch (c) {
    case 0xb0: /* degree sign */
    case 0x65e5:
    case 0xc77c: /* "day" behind the last part of a date */
        return ' ';
    case 0x5e74:
    case 0x6708: /* "year", "month" */
    case 0xb144:
    case 0xc6d4:
        return '-';
    case 0x66b: /* Arabic decimal and thousands separators */
        return '.';
    case 0x66c:
        return '\'';
    default:
        return 0;
    }
}

static void put_other(struct folder *f, int32_t c, utf8proc_category_t category)
{
    bool blank = category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
                 category == UTF8PROC_CATEGORY_ZP || category == UTF8PROC_CATEGORY_CC;
    if (blank || strips_accents(f->mode)) {
        put_blank(f);
    } else {
        put(f, c);
        f->after_letter = false;
    }
}

/* One code point that is decomposed and case-folded. */
static void put_point(struct folder *f, int32_t c)
{
    if (is_apostrophe(c))
        c = '\'';
    int digit = c < 0x80 ? -1 : kin_norm_digit_value(c);
    if (digit >= 0)
        c = '0' + digit;
    if (c < 0x80) {
        put_ascii(f, c);
        return;
    }
    utf8proc_category_t category = utf8proc_category(c);
    int32_t symbol = strips_accents(f->mode) ? 0 : ascii_symbol(f->mode, c, category);
    if (symbol) {
        put_ascii(f, symbol);
    } else if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) {
        put_letter(f, c);
    } else if (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME) {
        put_mark(f, c);
    } else if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) {
        if (f->mode != KIN_FOLD_NAME)
            put(f, c);
        f->after_letter &= f->mode == KIN_FOLD_NAME;
    } else if (category != UTF8PROC_CATEGORY_CF) {
        put_other(f, c, category);
    }
}

enum { EXPANSION_MAX = 32 }; /* code points from one; the most in Unicode is 18 */

static size_t decompose(int32_t c, int32_t parts[EXPANSION_MAX], int options)
{
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(
        c, parts, EXPANSION_MAX,
        (utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_IGNORE | options),
        &boundary);
    return n < 0 || n > EXPANSION_MAX ? 0 : (size_t)n;
}

/* Greek with iota subscript. Case folding makes the subscript a letter wherever it stands in a row
 * of marks, so that spellings that are canonically equal would fold to different texts: it stays a
 * mark here. */
static void fold_iota_subscript(struct folder *f, int32_t c)
{
    int32_t parts[EXPANSION_MAX], folded[EXPANSION_MAX];
    size_t n = decompose(c, parts, 0);
    for (size_t i = 0; i < n; i++) {
        if (parts[i] == IOTA_SUBSCRIPT) {
            put_mark(f, parts[i]);
            continue;
        }
        size_t m = decompose(parts[i], folded, UTF8PROC_CASEFOLD);
        for (size_t k = 0; k < m; k++)
            put_point(f, folded[k]);
    }
}

static void fold_point(struct folder *f, int32_t c)
{
    if (c < 0x80 || (c >= 0xac00 && c <= 0xd7a3) || is_apostrophe(c) ||
        (f->mode == KIN_FOLD_PLAIN && utf8proc_category(c) == UTF8PROC_CATEGORY_NO)) {
        /* ready; Hangul syllables would only be composed again, and in plain text a superscript
         * is no digit */
        put_point(f, c);
        return;
    }
    if (c == IOTA_SUBSCRIPT || (c >= 0x1f80 && c <= 0x1fff)) {
        fold_iota_subscript(f, c);
        return;
    }
    int32_t parts[EXPANSION_MAX];
    size_t n = decompose(c, parts, UTF8PROC_CASEFOLD);
    for (size_t i = 0; i < n; i++)
        put_point(f, parts[i]);
}

/* Canonical order (Unicode 3.11): marks by combining class, stable. Runs are at most
 * KIN_NORM_MARKS_MAX long. */
static void order_marks(int32_t *p, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int32_t c = p[i];
        if (c < 0x300)
            continue;
        int class = utf8proc_get_property(c)->combining_class;
        size_t at = i;
        while (class && at > 0 && utf8proc_get_property(p[at - 1])->combining_class > class) {
            p[at] = p[at - 1];
            at--;
        }
        p[at] = c;
    }
}

static struct kin_folded encode(struct kin_norm_scratch *s, size_t n)
{
    uint8_t bytes[4];
    size_t at = 0;
    bool ascii = true;
    for (size_t i = 0; i < n; i++) {
        int32_t c = s->points[i];
        if (c < 0x80) {
            if (at == KIN_NORM_PAYLOAD_MAX)
                break;
            s->text[at++] = (uint8_t)c;
            continue;
        }
        size_t length = (size_t)utf8proc_encode_char(c, bytes);
        if (at + length > KIN_NORM_PAYLOAD_MAX)
            break;
        memcpy(s->text + at, bytes, length);
        at += length;
        ascii = false;
    }
    while (at && s->text[at - 1] == ' ')
        at--;
    return (struct kin_folded){(const char *)s->text, at, ascii};
}

static int32_t latin_at(unsigned i)
{
    int32_t c = KIN_NORM_LATIN_FIRST + (int32_t)i;
    return c <= KIN_NORM_LATIN_LAST ? c : c - KIN_NORM_LATIN_LAST - 1 + KIN_NORM_LATIN_MORE_FIRST;
}

/* Where c is in the table, or KIN_NORM_LATIN_COUNT. */
static unsigned latin_index(int32_t c)
{
    if (c >= KIN_NORM_LATIN_FIRST && c <= KIN_NORM_LATIN_LAST)
        return (unsigned)(c - KIN_NORM_LATIN_FIRST);
    if (c >= KIN_NORM_LATIN_MORE_FIRST && c <= KIN_NORM_LATIN_MORE_LAST)
        return (unsigned)(c - KIN_NORM_LATIN_MORE_FIRST + KIN_NORM_LATIN_LAST -
                          KIN_NORM_LATIN_FIRST + 1);
    return KIN_NORM_LATIN_COUNT;
}

void kin_norm_fold_init(struct kin_norm_scratch *s)
{
    memset(s->latin, KIN_NORM_LATIN_UNKNOWN, sizeof s->latin);
}

/* Fills a row of the table, on first use. */
static void learn_latin(struct kin_norm_scratch *s, unsigned i)
{
    int32_t points[4 * EXPANSION_MAX]; /* with all it may write, of one code point */
    struct folder f = {.points = points, .mode = KIN_FOLD_TEXT};
    put_ascii(&f, '0'); /* so that what writes a blank first is seen and left out */
    fold_point(&f, latin_at(i));
    bool letters = f.n >= 2 && f.n <= 3 && f.after_letter && !f.compose;
    for (size_t k = 1; k < f.n && letters; k++)
        letters = points[k] < 0x80 && kin_norm_is_lower((char)points[k]);
    memset(s->latin[i], 0, sizeof s->latin[i]);
    for (size_t k = 1; k < f.n && letters; k++)
        s->latin[i][k - 1] = (uint8_t)points[k];
}

/* True if c is a letter of the table, and written. */
static bool put_latin(struct folder *f, struct kin_norm_scratch *s, int32_t c)
{
    unsigned i = latin_index(c);
    if (i == KIN_NORM_LATIN_COUNT || !strips_accents(f->mode))
        return false;
    if (s->latin[i][0] == KIN_NORM_LATIN_UNKNOWN)
        learn_latin(s, i);
    if (!s->latin[i][0])
        return false;
    put(f, s->latin[i][0]);
    if (s->latin[i][1])
        put(f, s->latin[i][1]);
    f->after_letter = true;
    return true;
}

struct kin_folded kin_norm_fold_unicode(struct kin_norm_scratch *s, enum kin_fold mode,
                                        struct kin_str raw)
{
    struct folder f = {.points = s->points, .mode = mode};
    const uint8_t *p = (const uint8_t *)raw.p;
    size_t i = 0;
    while (i < raw.n && f.n < KIN_NORM_POINTS_MAX) {
        if (p[i] < 0x80) {
            put_ascii(&f, p[i++]);
            continue;
        }
        int32_t c;
        utf8proc_ssize_t length = utf8proc_iterate(p + i, (utf8proc_ssize_t)(raw.n - i), &c);
        if (length <= 0) { /* the caller promises valid text: stay safe without it */
            put_blank(&f);
            i++;
            continue;
        }
        if (!put_latin(&f, s, c))
            fold_point(&f, c);
        i += (size_t)length;
    }
    if (f.compose) {
        order_marks(f.points, f.n);
        utf8proc_ssize_t n =
            utf8proc_normalize_utf32(f.points, (utf8proc_ssize_t)f.n,
                                     (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
        f.n = n < 0 ? 0 : (size_t)n;
    }
    return encode(s, f.n);
}

struct kin_folded kin_norm_fold(struct kin_norm_scratch *s, enum kin_fold mode, struct kin_str raw)
{
    ptrdiff_t n = fold_ascii(mode, (const uint8_t *)raw.p, raw.n, s->text);
    if (n < 0)
        return kin_norm_fold_unicode(s, mode, raw);
    if (n > KIN_NORM_PAYLOAD_MAX)
        n = s->text[KIN_NORM_PAYLOAD_MAX - 1] == ' ' ? KIN_NORM_PAYLOAD_MAX - 1
                                                     : KIN_NORM_PAYLOAD_MAX;
    return (struct kin_folded){(const char *)s->text, (size_t)n, true};
}

bool kin_norm_has_content(struct kin_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x80 || kin_norm_is_digit((char)c) || kin_norm_is_lower((char)c))
            return true;
    }
    return false;
}
