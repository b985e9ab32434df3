/* Places: two numbers in degrees. */
#include "common/record/norm_impl.h"

#include <math.h>
#include <string.h>

enum { COORDINATE_DIGITS_MAX = 40 };

struct coordinate {
    double degrees;
    char letter; /* n s e w, or 0 */
};

struct reader {
    const char *p, *end;
    char decimal; /* '.' or ',' */
    bool third;   /* an altitude may follow */
};

static char peek(const struct reader *r)
{
    return r->p < r->end ? *r->p : '\0';
}

static bool accept(struct reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->p++;
    return true;
}

static void skip_blank(struct reader *r)
{
    while (accept(r, ' ')) {
    }
}

static bool accept_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return false;
    r->p += n;
    skip_blank(r);
    return true;
}

/* A letter before the number, or (behind) after it; one that a digit or sign follows belongs to the
 * next number. */
static char read_letter(struct reader *r, bool behind)
{
    char letter = peek(r);
    if (letter == '\0' || !strchr("nsew", letter))
        return '\0';
    char next = r->end - r->p > 1 ? r->p[1] : '\0';
    if (behind && (kin_norm_is_digit(next) || next == '-' || next == '+'))
        return '\0';
    r->p++;
    return letter;
}

static bool read_degrees(struct reader *r, double *value)
{
    char digits[COORDINATE_DIGITS_MAX], room[COORDINATE_DIGITS_MAX + 16];
    size_t n = 0;
    int decimals = 0;
    bool fraction = false;
    for (; r->p < r->end; r->p++) {
        char c = *r->p;
        bool mark = c == r->decimal && !fraction && n > 0 && r->end - r->p > 1 &&
                    kin_norm_is_digit(r->p[1]);
        if (mark) {
            fraction = true;
            continue;
        }
        if (!kin_norm_is_digit(c))
            break;
        if (n == COORDINATE_DIGITS_MAX)
            return false;
        digits[n++] = c;
        decimals += fraction;
    }
    return n > 0 && kin_norm_decimal(digits, n, -decimals, room, value);
}

static bool read_coordinate(struct reader *r, struct coordinate *c)
{
    c->letter = read_letter(r, false);
    skip_blank(r);
    bool negative = accept(r, '-');
    if (!negative)
        accept(r, '+');
    if (!read_degrees(r, &c->degrees))
        return false;
    if (!c->letter) {
        const char *here = r->p;
        skip_blank(r);
        c->letter = read_letter(r, true);
        if (!c->letter)
            r->p = here;
    }
    if (c->letter == 's' || c->letter == 'w' || negative)
        c->degrees = -c->degrees;
    return !(negative && (c->letter == 'n' || c->letter == 'e'));
}

static bool skip_separator(struct reader *r)
{
    const char *start = r->p;
    skip_blank(r);
    if (!accept(r, ',') && !accept(r, ';'))
        accept(r, '/');
    skip_blank(r);
    return r->p > start;
}

static bool read_pair(struct reader r, struct coordinate pair[2])
{
    if (!read_coordinate(&r, &pair[0]) || !skip_separator(&r) || !read_coordinate(&r, &pair[1]))
        return false;
    struct reader before = r;
    struct coordinate altitude;
    if (r.third && !(skip_separator(&r) && read_coordinate(&r, &altitude)))
        r = before;
    skip_blank(&r);
    return r.p == r.end;
}

/* Takes off "geo:", brackets and the frame of well-known text. */
static bool unwrap(struct reader *r, bool *longitude_first)
{
    if (accept_word(r, "srid=")) {
        while (kin_norm_is_digit(peek(r)))
            r->p++;
        if (!accept(r, ';'))
            return false;
    }
    *longitude_first = accept_word(r, "point");
    if (*longitude_first) {
        accept_word(r, "z");
        if (peek(r) != '(')
            return false;
    } else {
        accept_word(r, "geo:");
    }
    r->third = *longitude_first;
    char open = peek(r);
    if (open == '(' || open == '[') {
        if (r->end[-1] != (open == '(' ? ')' : ']'))
            return false;
        r->p++;
        r->end--;
        skip_blank(r);
    }
    return true;
}

static bool is_latitude(char letter)
{
    return letter == 'n' || letter == 's';
}

static bool is_longitude(char letter)
{
    return letter == 'e' || letter == 'w';
}

enum kin_norm kin_norm_geo(struct kin_norm_scratch *s, struct kin_folded text,
                           struct kin_norm_value *out)
{
    struct reader r = {text.p, text.p + text.n, '.', false};
    bool swap;
    struct coordinate pair[2];
    if (!unwrap(&r, &swap))
        return KIN_NORM_BAD;
    bool ok = read_pair(r, pair);
    if (!ok) {
        r.decimal = ',';
        ok = read_pair(r, pair);
    }
    if (!ok)
        return KIN_NORM_BAD;
    if (is_longitude(pair[0].letter) || is_latitude(pair[1].letter))
        swap = true;
    struct coordinate lat = pair[swap ? 1 : 0], lon = pair[swap ? 0 : 1];
    if (is_longitude(lat.letter) || is_latitude(lon.letter) || !(fabs(lat.degrees) <= 90) ||
        !(fabs(lon.degrees) <= 180))
        return KIN_NORM_BAD;
    /* one place, one payload: no -0, and the date line is written as +180 */
    double degrees[2] = {lat.degrees + 0.0, lon.degrees <= -180 ? 180 : lon.degrees + 0.0};
    memcpy(s->out, degrees, sizeof degrees);
    *out = (struct kin_norm_value){s->out, sizeof degrees, false};
    return KIN_NORM_VALUE;
}
