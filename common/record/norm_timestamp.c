/* Modification stamps of sources. Needs no scratch: the forms are few and plain ASCII. */
#include "common/record/norm_impl.h"

enum { STAMP_BYTES_MAX = 64 };

struct reader {
    const char *p, *end;
};

static const int64_t us_per_second = 1000000;

/* Exactly `width` digits, or -1. */
static int take(struct reader *r, int width)
{
    if (r->end - r->p < width)
        return -1;
    int value = 0;
    for (int i = 0; i < width; i++) {
        if (!kin_norm_is_digit(r->p[i]))
            return -1;
        value = 10 * value + (r->p[i] - '0');
    }
    r->p += width;
    return value;
}

static bool accept(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* The digits of a fraction, to microseconds; further ones are cut off. */
static int64_t fraction(struct reader *r)
{
    int64_t value = 0, unit = us_per_second / 10;
    while (r->p < r->end && kin_norm_is_digit(*r->p)) {
        value += (*r->p++ - '0') * unit;
        unit /= 10;
    }
    return value;
}

/* hh:mm[:ss[.fraction]] or hhmm[ss]; seconds may be 60, and 24:00 ends a day. */
static bool read_time(struct reader *r, int64_t *us)
{
    int hour = take(r, 2);
    bool colons = accept(r, ':');
    int minute = take(r, 2), second = 0;
    int64_t part = 0;
    bool seconds = colons ? accept(r, ':') : r->p < r->end && kin_norm_is_digit(*r->p);
    if (seconds) {
        second = take(r, 2);
        if (second >= 0 && (accept(r, '.') || accept(r, ',')))
            part = fraction(r);
    }
    if (hour < 0 || minute < 0 || second < 0 || hour > 24 || minute > 59 || second > 60 ||
        (hour == 24 && (minute || second || part)))
        return false;
    *us = ((hour * 60 + minute) * INT64_C(60) + second) * us_per_second + part;
    return true;
}

/* Z, UTC, GMT, or +hh[[:]mm]; nothing: UTC. */
static bool read_zone(struct reader *r, int64_t *us)
{
    *us = 0;
    while (accept(r, ' ')) {
    }
    if (r->p == r->end || accept(r, 'Z') || accept(r, 'z'))
        return true;
    if (r->end - r->p == 3 && (kin_str_eq((struct kin_str){r->p, 3}, KIN_STR("UTC")) ||
                               kin_str_eq((struct kin_str){r->p, 3}, KIN_STR("GMT")))) {
        r->p += 3;
        return true;
    }
    bool west = accept(r, '-');
    if (!west && !accept(r, '+'))
        return false;
    int hour = take(r, 2), minute = 0;
    accept(r, ':');
    if (r->p < r->end)
        minute = take(r, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return false;
    *us = (hour * 60 + minute) * INT64_C(60) * us_per_second * (west ? -1 : 1);
    return true;
}

static bool read_iso(struct reader r, int64_t *us)
{
    int year = take(&r, 4);
    bool dashes = accept(&r, '-');
    int month = take(&r, 2);
    if (dashes && !accept(&r, '-'))
        return false;
    int day = take(&r, 2);
    if (year < 1 || month < 0 || day < 0 ||
        !kin_norm_date_exists(year, (unsigned)month, (unsigned)day))
        return false;
    int64_t time = 0, zone = 0;
    if (r.p < r.end) {
        bool marked = accept(&r, 'T') || accept(&r, 't') || accept(&r, ' ');
        if (!marked && (dashes || r.end - r.p < 6))
            return false; /* 12 digits are milliseconds, 14 are YYYYMMDDhhmmss */
        if (!read_time(&r, &time) || !read_zone(&r, &zone))
            return false;
    }
    if (r.p != r.end)
        return false;
    *us = kin_norm_days(year, (unsigned)month, (unsigned)day) * INT64_C(86400) * us_per_second +
          time - zone;
    return true;
}

/* Seconds; from 10^11 on (the year 5138) milliseconds; from 10^14 on microseconds. 8 and 14 digits
 * are a compact date that does not exist, for as a number they would lie in 1970 or 2286. */
static bool read_number(struct reader r, int64_t *us)
{
    bool negative = accept(&r, '-');
    const char *start = r.p;
    int64_t value = 0;
    while (r.p < r.end && kin_norm_is_digit(*r.p)) {
        if (value > INT64_C(99999999999999999))
            return false;
        value = 10 * value + (*r.p++ - '0');
    }
    ptrdiff_t digits = r.p - start;
    if (digits == 0 || digits == 8 || digits == 14)
        return false;
    int64_t unit = value < INT64_C(100000000000)      ? us_per_second
                   : value < INT64_C(100000000000000) ? 1000
                                                      : 1;
    value *= unit;
    if (accept(&r, '.'))
        value += fraction(&r) * unit / us_per_second;
    if (r.p != r.end)
        return false;
    *us = negative ? -value : value;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool kin_parse_timestamp(struct kin_str raw, int64_t *us)
{
    struct reader r = {raw.p, raw.p + raw.n};
    while (r.p < r.end && is_blank(*r.p))
        r.p++;
    while (r.p < r.end && is_blank(r.end[-1]))
        r.end--;
    if (r.p == r.end || r.end - r.p > STAMP_BYTES_MAX)
        return false;
    return read_iso(r, us) || read_number(r, us);
}
