/* Numbers as people and spreadsheets write them. */
#include "common/record/norm_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXPONENT_MAX = 99999 }; /* beyond any double; larger ones count as this */

bool kin_norm_decimal(const char *digits, size_t n, int exponent10, char *room, double *value)
{
    /* Exact: up to 15 digits and powers up to 10^22 are doubles themselves, and one operation on
     * two doubles is rounded once (W. D. Clinger, "How to read floating point numbers accurately",
     * 1990). */
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n <= 15 && exponent10 >= -22 && exponent10 <= 22) {
        int64_t whole = 0;
        for (size_t i = 0; i < n; i++)
            whole = 10 * whole + (digits[i] - '0');
        *value = exponent10 < 0 ? (double)whole / powers[-exponent10]
                                : (double)whole * powers[exponent10];
        return true;
    }
    /* strtod reads "." in the C locale only; the program never calls setlocale, and there is no
     * "." here anyway: digits, then an exponent. */
    memcpy(room, digits, n);
    unsigned e = (unsigned)(exponent10 < 0 ? -exponent10 : exponent10);
    room[n++] = 'e';
    room[n++] = exponent10 < 0 ? '-' : '+';
    for (unsigned unit = 1000000; unit; unit /= 10)
        room[n++] = (char)('0' + e / unit % 10);
    room[n] = '\0';
    *value = strtod(room, NULL);
    return isfinite(*value);
}

/* ---- around the number: signs, currencies, percent ---- */

static bool is_currency_code(const char *p)
{
    static const char codes[][4] = {"aed", "aud", "brl", "cad", "chf", "cny", "czk",
                                    "dkk", "eur", "gbp", "hkd", "huf", "ils", "inr",
                                    "jpy", "krw", "mxn", "nok", "nzd", "pln", "ron",
                                    "rub", "sek", "sgd", "thb", "try", "usd", "zar"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (memcmp(p, codes[i], 3) == 0)
            return true;
    }
    return false;
}

struct around {
    bool negative, sign, currency, percent;
};

/* One thing taken off the front; false: nothing there. */
static bool cut_front(struct kin_str *s, struct around *a)
{
    size_t n = 1;
    if (s->n == 0)
        return false;
    if (s->p[0] == '$' && !a->currency) {
        a->currency = true;
    } else if ((s->p[0] == '-' || s->p[0] == '+') && !a->sign) {
        a->sign = true;
        a->negative = s->p[0] == '-';
    } else if (s->n > 3 && !a->currency && is_currency_code(s->p)) {
        a->currency = true;
        n = 3;
    } else if (s->p[0] != ' ') {
        return false;
    }
    *s = (struct kin_str){s->p + n, s->n - n};
    return true;
}

static bool cut_back(struct kin_str *s, struct around *a)
{
    size_t n = 1;
    if (s->n == 0)
        return false;
    char last = s->p[s->n - 1];
    if (last == '$' && !a->currency) {
        a->currency = true;
    } else if (last == '%' && !a->percent) {
        a->percent = true;
    } else if (last == '-' && !a->sign) { /* 120.00-: ledgers */
        a->sign = a->negative = true;
    } else if (s->n > 3 && !a->currency && is_currency_code(s->p + s->n - 3)) {
        a->currency = true;
        n = 3;
    } else if (last != ' ') {
        return false;
    }
    s->n -= n;
    return true;
}

/* ---- the number itself ---- */

struct mantissa {
    char *digits; /* work space */
    size_t n;
    size_t decimals;
};

static bool is_group_mark(char c)
{
    return c == ' ' || c == ',' || c == '.' || c == '\'';
}

/* Digits in groups, "1,234,567" or "12,34,567": one kind of mark, 1 to 3 digits first, 2 or 3 in
 * the middle, 3 at the end; or digits without marks. */
static bool read_whole(struct kin_str s, struct mantissa *m)
{
    char mark = 0;
    size_t group = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (kin_norm_is_digit(c)) {
            m->digits[m->n++] = c;
            group++;
            continue;
        }
        bool first = mark == 0;
        if (!is_group_mark(c) || (!first && c != mark) || group < (first ? 1 : 2) || group > 3)
            return false;
        mark = c;
        group = 0;
    }
    return mark == 0 || group == 3;
}

/* Where the decimal mark is, or s.n. The last dot or comma is it, unless there are several of its
 * kind, or it is a lone comma placed like a thousands separator: "1,234" is 1234, "1.234" is not.
 */
static size_t find_decimal_mark(struct kin_str s)
{
    size_t at = s.n, same = 0, other = 0;
    for (size_t i = s.n; i > 0; i--) {
        char c = s.p[i - 1];
        if (!is_group_mark(c))
            continue;
        if (at == s.n && (c == ' ' || c == '\''))
            return s.n;
        if (at == s.n)
            at = i - 1;
        if (c == s.p[at])
            same++;
        else
            other++;
    }
    if (at == s.n || same > 1)
        return s.n;
    bool grouping =
        s.p[at] == ',' && other == 0 && s.n - at == 4 && at >= 1 && at <= 3 && s.p[0] != '0';
    return grouping ? s.n : at;
}

static bool read_mantissa(struct kin_str s, struct mantissa *m)
{
    size_t mark = find_decimal_mark(s);
    if (!read_whole((struct kin_str){s.p, mark}, m))
        return false;
    for (size_t i = mark + 1; i < s.n; i++) {
        if (!kin_norm_is_digit(s.p[i]))
            return false;
        m->digits[m->n++] = s.p[i];
        m->decimals++;
    }
    return m->n > 0;
}

/* Takes "e+5" off the end of s, if it is there. */
static bool cut_exponent(struct kin_str *s, int *exponent)
{
    *exponent = 0;
    const char *e = memchr(s->p, 'e', s->n);
    if (!e)
        return true;
    const char *p = e + 1, *end = s->p + s->n;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    for (; p < end; p++) {
        if (!kin_norm_is_digit(*p))
            return false;
        if (*exponent < EXPONENT_MAX)
            *exponent = 10 * *exponent + (*p - '0');
    }
    if (*exponent > EXPONENT_MAX)
        *exponent = EXPONENT_MAX;
    if (negative)
        *exponent = -*exponent;
    s->n = (size_t)(e - s->p);
    return true;
}

enum kin_norm kin_norm_number(struct kin_norm_scratch *s, struct kin_folded text,
                              struct kin_norm_value *out)
{
    struct kin_str rest = {text.p, text.n};
    struct around around = {false, false, false, false};
    if (rest.n > 2 && rest.p[0] == '(' && rest.p[rest.n - 1] == ')') { /* ledgers: (120.00) */
        rest = (struct kin_str){rest.p + 1, rest.n - 2};
        around.negative = around.sign = true;
    }
    while (cut_front(&rest, &around)) {
    }
    while (cut_back(&rest, &around)) {
    }
    int exponent;
    struct mantissa m = {.digits = (char *)s->out};
    if (!cut_exponent(&rest, &exponent) || !read_mantissa(rest, &m))
        return KIN_NORM_BAD;
    double value;
    /* the text has been read, so that its room is free */
    if (!kin_norm_decimal(m.digits, m.n, exponent - (int)m.decimals, (char *)s->text, &value))
        return KIN_NORM_BAD;
    if (around.negative && value != 0.0)
        value = -value;
    memcpy(s->out, &value, sizeof value);
    *out = (struct kin_norm_value){s->out, sizeof value, false};
    return KIN_NORM_VALUE;
}
