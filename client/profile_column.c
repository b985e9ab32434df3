/* The profile of one column, value by value. */
#include "client/profile.h"

#include "common/base/hash.h"
#include "common/match/text_parts.h"

#include <string.h>

/* ---- small tests of a value ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct kin_str kin_profile_trim(struct kin_str v)
{
    return kin_str_trimmed(v);
}

static bool equals(struct kin_str v, const char *lower)
{
    size_t i = 0;
    for (; i < v.n && lower[i]; i++) {
        char c = v.p[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower[i])
            return false;
    }
    return i == v.n && !lower[i];
}

/* Ways of writing that nothing is known. */
static bool is_placeholder(struct kin_str v)
{
    static const char *const words[] = {
        "n/a",        "na",         "n.a.",         "#n/a",       "none",       "null",
        "nil",        "nan",        "unknown",      "unk",        "undefined",  "not available",
        "missing",    "-",          "--",           "---",        "?",          "??",
        "x",          "xx",         "xxx",          "xxxx",       "tbd",        "tba",
        "test",       "0000-00-00", "1900-01-01",   "1970-01-01", "9999-12-31", "01/01/1900",
        "01/01/1970", "not known",  "not provided", "no email",   "noemail",    "unbekannt",
        "inconnu",    "."};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (equals(v, words[i]))
            return true;
    }
    size_t same = 0, digits = 0;
    for (size_t i = 0; i < v.n; i++) {
        digits += is_digit(v.p[i]);
        same += is_digit(v.p[i]) && v.p[i] == v.p[0];
    }
    return v.n >= 5 && digits == v.n && (same == v.n || equals(v, "123456789"));
}

static bool is_url(struct kin_str v)
{
    static const char *const starts[] = {"http://", "https://", "www."};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(starts[i]);
        if (v.n > n && equals((struct kin_str){v.p, n}, starts[i]))
            return true;
    }
    return false;
}

/* ---- characters ---- */

static void count_characters(struct kin_profile_column *c, struct kin_str v)
{
    uint32_t chars = 0;
    bool digit = false, letter = false, at = false, blank = false, inside = false;
    for (size_t i = 0; i < v.n; i++) {
        unsigned char byte = (unsigned char)v.p[i];
        bool is_blank = kin_text_is_blank(byte);
        if ((byte & 0xc0) == 0x80)
            continue;
        chars++;
        c->words += !is_blank && !inside;
        inside = !is_blank;
        if (is_digit(v.p[i])) {
            c->digits++;
            digit = true;
        } else if (is_letter(v.p[i])) {
            c->letters++;
            letter = true;
        } else if (is_blank) {
            c->blanks++;
            blank = true;
        } else if (byte >= 0x80) {
            c->others++;
            letter = true;
        } else {
            c->marks++;
            at = at || byte == '@';
        }
    }
    c->chars += chars;
    c->min_chars = c->values == 0 || chars < c->min_chars ? chars : c->min_chars;
    c->max_chars = chars > c->max_chars ? chars : c->max_chars;
    c->with_digit += digit;
    c->with_letter += letter;
    c->with_at += at;
    c->without_blank += !blank;
}

static void shape_of(struct kin_str v, char out[KIN_PROFILE_SHAPE_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        unsigned char byte = (unsigned char)v.p[i];
        if ((byte & 0xc0) == 0x80)
            continue;
        if (n == KIN_PROFILE_SHAPE_BYTES - 2) {
            out[n++] = '+';
            break;
        }
        char c = v.p[i];
        out[n++] = (char)(is_digit(c)                              ? '9'
                          : (c >= 'a' && c <= 'z') || byte >= 0x80 ? 'a'
                          : c >= 'A' && c <= 'Z'                   ? 'A'
                          : kin_text_is_blank(byte) || byte < ' '  ? ' '
                                                                   : c);
    }
    out[n] = '\0';
}

static void count_shape(struct kin_profile_column *c, struct kin_str v)
{
    char text[KIN_PROFILE_SHAPE_BYTES];
    struct kin_profile_shape *free_slot = NULL;
    shape_of(v, text);
    for (size_t i = 0; i < KIN_PROFILE_SHAPES; i++) {
        if (c->shapes[i].count && strcmp(c->shapes[i].text, text) == 0) {
            c->shapes[i].count++;
            return;
        }
        if (!c->shapes[i].count && !free_slot)
            free_slot = &c->shapes[i];
    }
    if (free_slot) {
        memcpy(free_slot->text, text, sizeof text);
        free_slot->count = 1;
        return;
    }
    for (size_t i = 0; i < KIN_PROFILE_SHAPES; i++)
        c->shapes[i].count--;
}

const struct kin_profile_shape *kin_profile_shape(const struct kin_profile_column *c)
{
    const struct kin_profile_shape *best = NULL;
    for (size_t i = 0; i < KIN_PROFILE_SHAPES; i++) {
        const struct kin_profile_shape *s = &c->shapes[i];
        if (s->count && (!best || s->count > best->count ||
                         (s->count == best->count && strcmp(s->text, best->text) < 0)))
            best = s;
    }
    return best;
}

/* Row numbers go up by one. */
static void count_steps(struct kin_profile_column *c, struct kin_str v)
{
    uint64_t x = 0;
    bool integer = v.n <= 18;
    for (size_t i = 0; i < v.n && integer; i++) {
        integer = is_digit(v.p[i]);
        x = 10 * x + (uint64_t)(v.p[i] - '0');
    }
    if (integer)
        c->steps += c->last_integer_known && x == c->last_integer + 1;
    c->last_integer_known = integer;
    c->last_integer = integer ? x : 0;
}

/* ---- dates ---- */

static size_t number_at(struct kin_str v, size_t *at, unsigned *x)
{
    size_t start = *at;
    *x = 0;
    for (; *at < v.n && is_digit(v.p[*at]) && *at - start < 5; ++*at)
        *x = 10 * *x + (unsigned)(v.p[*at] - '0');
    return *at - start;
}

static bool mark_at(struct kin_str v, size_t *at)
{
    while (*at < v.n && v.p[*at] == ' ')
        ++*at;
    if (*at == v.n || (v.p[*at] != '/' && v.p[*at] != '.' && v.p[*at] != '-'))
        return false;
    for (++*at; *at < v.n && v.p[*at] == ' ';)
        ++*at;
    return true;
}

/* Which of two short numbers before a year can be the day? 03041980 counts too. */
static void count_order(struct kin_profile_column *c, struct kin_str v, bool compact)
{
    unsigned first, second, year;
    size_t at = 0;
    if (compact) {
        first = (unsigned)(10 * (v.p[0] - '0') + v.p[1] - '0');
        second = (unsigned)(10 * (v.p[2] - '0') + v.p[3] - '0');
    } else {
        size_t a = number_at(v, &at, &first);
        bool ok = a >= 1 && a <= 2 && mark_at(v, &at);
        size_t b = ok ? number_at(v, &at, &second) : 0;
        ok = b >= 1 && b <= 2 && mark_at(v, &at);
        size_t y = ok ? number_at(v, &at, &year) : 0;
        if (y != 2 && y != 4)
            return;
    }
    c->day_first += first > 12 && first <= 31 && second <= 12;
    c->month_first += second > 12 && second <= 31 && first <= 12;
    c->either += first <= 12 && second <= 12 && first != second;
}

static void count_year(struct kin_profile_column *c, const struct kin_norm_value *day)
{
    int32_t year = kin_year_of_days((int32_t)kin_le32(day->p));
    c->year_min = c->years == 0 || year < c->year_min ? year : c->year_min;
    c->year_max = c->years == 0 || year > c->year_max ? year : c->year_max;
    c->years++;
    c->years_past += year + 15 <= c->year_max;
}

/* ---- telephone numbers ---- */

static const struct {
    char iso[3], code[4];
} countries[] = {{"US", "1"},   {"GB", "44"},  {"DE", "49"},  {"FR", "33"},  {"IT", "39"},
                 {"ES", "34"},  {"NL", "31"},  {"BE", "32"},  {"CH", "41"},  {"AT", "43"},
                 {"SE", "46"},  {"NO", "47"},  {"DK", "45"},  {"FI", "358"}, {"PL", "48"},
                 {"CZ", "420"}, {"PT", "351"}, {"IE", "353"}, {"GR", "30"},  {"HU", "36"},
                 {"RO", "40"},  {"RU", "7"},   {"UA", "380"}, {"TR", "90"},  {"IL", "972"},
                 {"AE", "971"}, {"SA", "966"}, {"ZA", "27"},  {"NG", "234"}, {"IN", "91"},
                 {"CN", "86"},  {"JP", "81"},  {"KR", "82"},  {"SG", "65"},  {"AU", "61"},
                 {"NZ", "64"},  {"BR", "55"},  {"MX", "52"},  {"AR", "54"}};
_Static_assert(sizeof countries / sizeof *countries <= KIN_PROFILE_COUNTRIES, "countries");

const char *kin_profile_country(size_t i)
{
    return i < sizeof countries / sizeof *countries ? countries[i].iso : NULL;
}

static void count_phone(struct kin_profile_column *c, struct kin_str v)
{
    char digits[32];
    size_t n = 0;
    bool plus = v.p[0] == '+' || (v.n > 1 && v.p[0] == '(' && v.p[1] == '+');
    for (size_t i = 0; i < v.n && n < sizeof digits; i++) {
        if (is_digit(v.p[i]))
            digits[n++] = v.p[i];
        else if (n >= 7 && is_letter(v.p[i]))
            break;
    }
    size_t at = plus ? 0 : 2;
    plus = plus || (n > 9 && digits[0] == '0' && digits[1] == '0');
    size_t best = SIZE_MAX, best_n = 0;
    for (size_t i = 0; plus && i < sizeof countries / sizeof *countries; i++) {
        size_t k = strlen(countries[i].code);
        if (k > best_n && n >= at + k && memcmp(digits + at, countries[i].code, k) == 0) {
            best = i;
            best_n = k;
        }
    }
    if (best != SIZE_MAX)
        c->countries[best]++;
    c->domestic += !plus;
    /* neither area nor exchange begins with 0 or 1 */
    size_t lead = n == 11 && digits[0] == '1' ? 1 : 0;
    c->northern +=
        !plus && n - lead == 10 && digits[lead] >= '2' && digits[lead + 3] >= '2' && v.n > n;
}

/* ---- all together ---- */

static void try_normalisers(struct kin_profile_column *c, struct kin_norm_scratch *norm,
                            struct kin_str v)
{
    static const struct kin_field fields[KIN_AS_COUNT] = {
        [KIN_AS_NAME] = {.type = KIN_TYPE_NAME},
        [KIN_AS_EMAIL] = {.type = KIN_TYPE_EMAIL},
        [KIN_AS_PHONE] = {.type = KIN_TYPE_PHONE},
        [KIN_AS_DATE] = {.type = KIN_TYPE_DATE},
        [KIN_AS_DATE_DMY] = {.type = KIN_TYPE_DATE, .date_order = KIN_DATE_DMY},
        [KIN_AS_DATE_MDY] = {.type = KIN_TYPE_DATE, .date_order = KIN_DATE_MDY},
        [KIN_AS_NUMBER] = {.type = KIN_TYPE_NUMBER},
        [KIN_AS_GEO] = {.type = KIN_TYPE_GEO},
        [KIN_AS_ID] = {.type = KIN_TYPE_ID}};
    struct kin_norm_value value;
    bool dated = false, plain = false;
    c->tried++;
    for (unsigned as = 0; as < KIN_AS_TIMESTAMP; as++) {
        bool ok = kin_normalise(norm, &fields[as], v, &value) == KIN_NORM_VALUE;
        c->accepted[as] += ok;
        plain = plain || (ok && as == KIN_AS_DATE);
        if (ok && !dated && as >= KIN_AS_DATE && as <= KIN_AS_DATE_MDY) {
            count_year(c, &value);
            dated = true;
        }
    }
    int64_t us;
    c->accepted[KIN_AS_TIMESTAMP] += kin_parse_timestamp(v, &us);
    bool compact = v.n == 8;
    for (size_t i = 0; i < v.n && compact; i++)
        compact = is_digit(v.p[i]);
    if (dated && !(compact && plain))
        count_order(c, v, compact);
    count_phone(c, v);
}

bool kin_profile_column_add(struct kin_profile_column *c, struct kin_profile_tools *tools,
                            struct kin_str v, uint32_t file, bool first)
{
    c->filled += first;
    count_characters(c, v);
    count_shape(c, v);
    count_steps(c, v);
    c->placeholders += is_placeholder(v);
    c->urls += is_url(v);
    if (c->values < KIN_PROFILE_TRIED_ALL || c->values % KIN_PROFILE_TRIED_EVERY == 0)
        try_normalisers(c, tools->norm, v);
    c->values++;
    return kin_counts_add(&c->counts, kin_hash64(v.p, v.n, 0), file, &tools->budget);
}

void kin_profile_column_deinit(struct kin_profile_column *c)
{
    kin_counts_deinit(&c->counts);
}
