/* Dates. A date is read as up to three numbers and perhaps the name of a month; which number is
 * what is decided by width, by what the calendar allows, and by the order given for the field, and
 * where these leave two readings the date is bad rather than guessed. */
#include "common/record/norm_impl.h"

#include <string.h>

enum {
    YEAR_MIN = 1000,
    YEAR_MAX = 2999,
    /* a two-digit year from here on is 19yy, below it 20yy; fixed, for the result of a job may not
     * depend on when it runs */
    PIVOT = 30
};

struct ymd {
    int year;
    unsigned month, day;
};

struct part {
    int value;
    unsigned width; /* digits written */
};

struct scan {
    const char *p;
    size_t n, at;
    struct part parts[3];
    unsigned count;
    unsigned month; /* by name; 0: none */
};

bool kin_norm_date_exists(int year, unsigned month, unsigned day)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= (unsigned)days[month - 1] + (leap && month == 2);
}

/* H. Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that the leap
 * day is the last of its year; 400 years are an era of 146,097 days. Here for years from 1 on. */
int32_t kin_norm_days(int year, unsigned month, unsigned day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = y / 400, year_of_era = y % 400;
    int day_of_year = (153 * ((int)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int)day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool valid(const struct ymd *d)
{
    return d->year >= YEAR_MIN && d->year <= YEAR_MAX &&
           kin_norm_date_exists(d->year, d->month, d->day);
}

static bool set(struct ymd *d, int year, int month, int day)
{
    *d = (struct ymd){year, (unsigned)month, (unsigned)day};
    return valid(d);
}

/* ---- words ---- */

/* 1..12 for "jan", "january", "sept" ..., 0 otherwise. */
static unsigned month_of(const char *p, size_t n)
{
    static const char *const names[12] = {"january",   "february", "march",    "april",
                                          "may",       "june",     "july",     "august",
                                          "september", "october",  "november", "december"};
    for (unsigned i = 0; i < 12; i++) {
        size_t full = strlen(names[i]);
        if ((n == 3 || n == full || (n == 4 && i == 8)) && memcmp(p, names[i], n) == 0)
            return i + 1;
    }
    return 0;
}

/* Words that say nothing about the date: week days, "of", zones and halves of the day. */
static bool is_filler(const char *p, size_t n)
{
    static const char *const words[] = {
        "of",      "the",       "at",       "am",     "pm",       "utc",    "gmt", "z",   "monday",
        "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "mon", "tue", "tues",
        "wed",     "thu",       "thur",     "thurs",  "fri",      "sat",    "sun"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i]) == n && memcmp(p, words[i], n) == 0)
            return true;
    }
    return false;
}

static bool is_ordinal(const char *p, size_t n)
{
    return n == 2 && (memcmp(p, "st", 2) == 0 || memcmp(p, "nd", 2) == 0 ||
                      memcmp(p, "rd", 2) == 0 || memcmp(p, "th", 2) == 0);
}

/* ---- scanning ---- */

static size_t run_of_digits(const struct scan *s, size_t at)
{
    size_t n = 0;
    while (at + n < s->n && kin_norm_is_digit(s->p[at + n]))
        n++;
    return n;
}

static size_t run_of_letters(const struct scan *s, size_t at)
{
    size_t n = 0;
    while (at + n < s->n && kin_norm_is_lower(s->p[at + n]))
        n++;
    return n;
}

static int number_at(const char *p, size_t n)
{
    int value = 0;
    for (size_t i = 0; i < n; i++)
        value = 10 * value + (p[i] - '0');
    return value;
}

static bool complete(const struct scan *s)
{
    return s->count + (s->month != 0) == 3;
}

/* Between two parts: blanks and at most one of - / . and comma. */
static bool skip_separator(struct scan *s)
{
    unsigned signs = 0;
    for (; s->at < s->n; s->at++) {
        char c = s->p[s->at];
        if (c == '-' || c == '/' || c == '.' || c == ',')
            signs++;
        else if (c != ' ')
            break;
    }
    return signs <= 1;
}

static void skip_time(struct scan *s)
{
    while (s->at < s->n &&
           (kin_norm_is_digit(s->p[s->at]) || s->p[s->at] == ':' || s->p[s->at] == '.'))
        s->at++;
}

/* True if a time of day or a zone starts at `at`: 10:11, t1011, +02:00, z. */
static bool time_starts(const struct scan *s, size_t at)
{
    bool marked = at < s->n && s->p[at] == 't';
    at += marked;
    if (at < s->n && s->p[at] == 'z')
        return true;
    at += at < s->n && (s->p[at] == '+' || s->p[at] == '-');
    size_t digits = run_of_digits(s, at);
    bool clock = digits >= 1 && digits <= 2 && at + digits < s->n && s->p[at + digits] == ':';
    return clock || (marked && (digits == 2 || digits == 4 || digits == 6));
}

/* What follows a whole date must be fillers, a time or a zone, and is left off. */
static bool rest_is_time(const struct scan *s)
{
    size_t at = s->at;
    for (;;) {
        while (at < s->n && (s->p[at] == ' ' || s->p[at] == ',' || s->p[at] == '.'))
            at++;
        if (at == s->n)
            return true;
        size_t letters = run_of_letters(s, at);
        if (!letters || !is_filler(s->p + at, letters))
            break;
        at += letters;
    }
    if (!time_starts(s, at))
        return false;
    static const char allowed[] = ":.,+-/ apmzutcg";
    for (; at < s->n; at++) {
        if (!kin_norm_is_digit(s->p[at]) && !memchr(allowed, s->p[at], sizeof allowed - 1))
            return false;
    }
    return true;
}

static bool scan_number(struct scan *s)
{
    size_t n = run_of_digits(s, s->at);
    if (s->at + n < s->n && s->p[s->at + n] == ':') {
        skip_time(s); /* "Apr 3 10:11:12 1980" */
        return s->month != 0;
    }
    if (n > 4 || s->count == 3)
        return false;
    s->parts[s->count++] = (struct part){number_at(s->p + s->at, n), (unsigned)n};
    s->at += n;
    size_t letters = run_of_letters(s, s->at);
    if (letters && n <= 2 && is_ordinal(s->p + s->at, letters))
        s->at += letters;
    return true;
}

static bool scan_word(struct scan *s)
{
    const char *word = s->p + s->at;
    size_t n = run_of_letters(s, s->at);
    unsigned month = n ? month_of(word, n) : 0;
    if (n == 0 || (!month && !is_filler(word, n)) || (month && s->month))
        return false;
    if (month)
        s->month = month;
    s->at += n;
    return true;
}

static bool scan_parts(struct scan *s)
{
    while (!complete(s)) {
        if (s->at >= s->n)
            return false;
        bool ok = kin_norm_is_digit(s->p[s->at]) ? scan_number(s) : scan_word(s);
        if (!ok)
            return false;
        if (!complete(s) && !skip_separator(s))
            return false;
    }
    return rest_is_time(s);
}

/* ---- meaning ---- */

static bool year_of(struct part p, int *year)
{
    *year = p.width == 2 ? p.value + (p.value >= PIVOT ? 1900 : 2000) : p.value;
    return p.width == 2 || p.width == 4;
}

static bool with_month_name(const struct scan *s, struct ymd *d)
{
    struct part day = s->parts[0], year = s->parts[1];
    if (day.width == 4 || day.value > 31) { /* 1980 Apr 3 */
        day = s->parts[1];
        year = s->parts[0];
    }
    int y;
    return day.width <= 2 && year_of(year, &y) && set(d, y, (int)s->month, day.value);
}

/* Day and month in the order given, or the only one that the calendar allows. */
static bool day_and_month(int year, int first, int second, enum kin_date_order order, struct ymd *d)
{
    if (first == second)
        return set(d, year, first, second);
    bool day_first = first > 12, month_first = second > 12;
    if (day_first == month_first) {
        if (order == KIN_DATE_YMD || day_first)
            return false;
        day_first = order == KIN_DATE_DMY;
    }
    return day_first ? set(d, year, second, first) : set(d, year, first, second);
}

static bool with_numbers(const struct part p[3], enum kin_date_order order, struct ymd *d)
{
    int year;
    if (p[1].width > 2)
        return false;
    if (p[0].width == 4 || (p[0].width == 2 && p[0].value > 31)) {
        if (p[2].width > 2 || !year_of(p[0], &year))
            return false;
        return p[1].value > 12 ? set(d, year, p[2].value, p[1].value)
                               : set(d, year, p[1].value, p[2].value);
    }
    if (p[0].width > 2 || !year_of(p[2], &year))
        return false;
    if (p[2].width == 2 && p[2].value <= 31 && order == KIN_DATE_YMD)
        return false; /* 01/02/03: which is the year? */
    return day_and_month(year, p[0].value, p[1].value, order, d);
}

/* Dates without separators: YYYYMMDD in any field, with a time YYYYMMDDhhmmss; where the order is
 * given also DDMMYYYY, DDMMYY or MMDDYYYY, MMDDYY. A year from 1900 to 2099 read as month and day
 * is never a date, so the two do not get in each other's way. */
static bool compact(const char *p, size_t n, enum kin_date_order order, struct ymd *d)
{
    if (n == 8 || n == 14) {
        bool time = n == 8 || (number_at(p + 8, 2) < 24 && number_at(p + 10, 2) < 60 &&
                               number_at(p + 12, 2) < 60);
        if (time && set(d, number_at(p, 4), number_at(p + 4, 2), number_at(p + 6, 2)))
            return true;
    }
    if ((n != 8 && n != 6) || order == KIN_DATE_YMD)
        return false;
    struct part parts[3] = {
        {number_at(p, 2), 2}, {number_at(p + 2, 2), 2}, {number_at(p + 4, n - 4), (unsigned)n - 4}};
    int year, first = parts[0].value, second = parts[1].value;
    if (!year_of(parts[2], &year))
        return false;
    return order == KIN_DATE_DMY ? set(d, year, second, first) : set(d, year, first, second);
}

/* YYYY-MM-DD, as most are written. */
static bool is_iso(struct kin_folded text)
{
    bool digits = text.n == 10 && text.p[4] == '-' && text.p[7] == '-';
    for (size_t i = 0; i < 10 && digits; i++)
        digits = i == 4 || i == 7 || kin_norm_is_digit(text.p[i]);
    return digits;
}

enum kin_norm kin_norm_date(struct kin_norm_scratch *s, enum kin_date_order order,
                            struct kin_folded text, struct kin_norm_value *out)
{
    struct scan scan = {.p = text.p, .n = text.n};
    size_t run = run_of_digits(&scan, 0);
    struct ymd d;
    bool ok;
    if (is_iso(text)) {
        struct part parts[3] = {{number_at(text.p, 4), 4},
                                {number_at(text.p + 5, 2), 2},
                                {number_at(text.p + 8, 2), 2}};
        ok = with_numbers(parts, order, &d);
    } else if (run == 6 || run == 8 || run == 14) {
        scan.at = run;
        ok = compact(text.p, run, order, &d) && rest_is_time(&scan);
    } else {
        ok = scan_parts(&scan) &&
             (scan.month ? with_month_name(&scan, &d) : with_numbers(scan.parts, order, &d));
    }
    if (!ok)
        return KIN_NORM_BAD;
    kin_put_le32(s->out, (uint32_t)kin_norm_days(d.year, d.month, d.day));
    *out = (struct kin_norm_value){s->out, 4, false};
    return KIN_NORM_VALUE;
}
