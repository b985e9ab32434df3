/* Telephone numbers to "+", calling code, national number, as far as the country is known. Much
 * less than libphonenumber knows, and a hundred times faster: prefixes and trunk zeros are what
 * makes one number look like two. */
#include "common/record/norm_impl.h"

#include <string.h>

enum {
    DIGITS_MIN = 5,      /* fewer is no number */
    DIGITS_MAX = 15,     /* E.164 */
    DIGITS_COMPLETE = 7, /* after so many, a letter or separator ends the number */
    DIGITS_READ = 32
};

struct digits {
    char p[DIGITS_READ];
    size_t n;
    bool plus;
};

static bool ends_number(char c)
{
    return c == '#' || c == ';' || c == ',' || c == '+' || kin_norm_is_lower(c);
}

/* Punctuation is passed over; extensions, second numbers and remarks are left off. */
static struct digits collect(struct kin_folded text)
{
    struct digits d = {.n = 0};
    for (size_t i = 0; i < text.n && d.n < DIGITS_READ; i++) {
        char c = text.p[i];
        if (kin_norm_is_digit(c))
            d.p[d.n++] = c;
        else if (c == '+' && d.n == 0)
            d.plus = true;
        else if (d.n >= DIGITS_COMPLETE && ends_number(c))
            break;
    }
    return d;
}

static bool starts_with(struct kin_str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

static struct kin_str behind(struct kin_str s, size_t n)
{
    return (struct kin_str){s.p + n, s.n - n};
}

static struct kin_str without_zeros(struct kin_str s)
{
    while (s.n && s.p[0] == '0')
        s = behind(s, 1);
    return s;
}

/* The national number without what is dialled before it. Repeats until nothing changes, so that a
 * normalised number stays as it is; every turn shortens. */
static struct kin_str national(const struct kin_norm_country *c, struct kin_str s)
{
    for (;;) {
        size_t before = s.n, trunk = strlen(c->trunk);
        /* a trunk that is not a plain zero may also be how a number starts: lengths decide */
        if (trunk && strcmp(c->trunk, "0") != 0 && s.n > c->max && starts_with(s, c->trunk) &&
            s.n - trunk >= c->min && s.n - trunk <= c->max)
            s = behind(s, trunk);
        if (!c->zero_significant)
            s = without_zeros(s);
        if (c->mobile[0] && s.n == (size_t)c->max + 1 && s.p[0] == c->mobile[0])
            s = behind(s, 1);
        if (s.n == before)
            return s;
    }
}

/* Moves *s behind an international prefix; no calling code starts with zero. */
static bool cut_prefix(struct kin_str *s, const char *prefix)
{
    size_t n = strlen(prefix);
    if (!n || !starts_with(*s, prefix) || s->n < n + DIGITS_COMPLETE || s->p[n] == '0')
        return false;
    *s = behind(*s, n);
    return true;
}

/* True if digits without a plus are an international number all the same; *s then starts with the
 * calling code. */
static bool international(const struct kin_norm_country *home, struct kin_str *s)
{
    if ((home && cut_prefix(s, home->idd)) || cut_prefix(s, "00"))
        return true;
    if (!home || !starts_with(*s, home->code) || s->n <= home->max)
        return false;
    /* too long for a number of this country unless the calling code belongs to it */
    struct kin_str rest = national(home, behind(*s, strlen(home->code)));
    return rest.n >= home->min && rest.n <= home->max;
}

static enum kin_norm put_number(struct kin_norm_scratch *s, const char *code, struct kin_str number,
                                struct kin_norm_value *out)
{
    size_t n = 0, code_n = code ? strlen(code) : 0;
    if (number.n < DIGITS_MIN || number.n + code_n > DIGITS_MAX)
        return KIN_NORM_BAD;
    if (code) {
        s->out[n++] = '+';
        memcpy(s->out + n, code, code_n);
        n += code_n;
    }
    memcpy(s->out + n, number.p, number.n);
    *out = (struct kin_norm_value){s->out, n + number.n, true};
    return KIN_NORM_VALUE;
}

static const struct kin_norm_country *home_of(struct kin_norm_scratch *s, const char country[3])
{
    if (!country[0])
        return NULL;
    if (s->country_iso[0] != country[0] || s->country_iso[1] != country[1]) {
        memcpy(s->country_iso, country, sizeof s->country_iso);
        s->country = kin_norm_country_by_iso(country);
    }
    return s->country;
}

enum kin_norm kin_norm_phone(struct kin_norm_scratch *s, const char country[3],
                             struct kin_folded text, struct kin_norm_value *out)
{
    struct digits d = collect(text);
    struct kin_str number = {d.p, d.n};
    const struct kin_norm_country *home = home_of(s, country);
    if (d.plus && starts_with(number, "00"))
        number = behind(number, 2);
    /* no calling code starts with zero: "+020 ..." is a national number */
    bool abroad = d.plus && number.n && number.p[0] != '0';
    if (abroad || international(home, &number)) {
        const struct kin_norm_country *c = kin_norm_country_by_digits(number.p, number.n);
        if (!c)
            return put_number(s, "", number, out);
        return put_number(s, c->code, national(c, behind(number, strlen(c->code))), out);
    }
    if (home)
        return put_number(s, home->code, national(home, number), out);
    return put_number(s, NULL, without_zeros(number), out);
}
