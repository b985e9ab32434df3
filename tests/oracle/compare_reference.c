#include "tests/oracle/compare_reference.h"

#include <float.h>
#include <stdio.h>

#include "common/base/status.h"
#include "common/match/kernels.h"
#include "tests/unit/kernels_reference.h"

_Noreturn static void unreadable(const char *test)
{
    fprintf(stderr, "compare_reference: cannot read the level '%s'\n", test);
    abort();
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- texts ---- */

struct words {
    const char *p[4096];
    size_t n[4096];
    unsigned count;
};

static void split(const struct kin_value *v, struct words *out)
{
    const char *p = (const char *)v->p;
    out->count = 0;
    for (size_t i = 0; i < v->bytes;) {
        size_t start = i;
        while (i < v->bytes && !ref_blank((unsigned char)p[i]))
            i++;
        if (i > start && out->count < KIN_TOKENS_MAX) {
            out->p[out->count] = p + start;
            out->n[out->count++] = i - start;
        }
        i++;
    }
}

static bool same_word(const struct words *a, unsigned i, const struct words *b, unsigned j)
{
    return a->n[i] == b->n[j] && memcmp(a->p[i], b->p[j], a->n[i]) == 0;
}

static bool is_subset(const struct words *a, const struct words *b)
{
    for (unsigned i = 0; i < a->count; i++) {
        bool found = false;
        for (unsigned j = 0; j < b->count && !found; j++)
            found = same_word(a, i, b, j);
        if (!found)
            return false;
    }
    return a->count > 0;
}

static bool contains(const struct kin_value *a, const struct kin_value *b)
{
    static struct words x, y;
    split(a, &x);
    split(b, &y);
    return is_subset(&x, &y) || is_subset(&y, &x);
}

/* A single code point, with which the other word begins and goes on. */
static bool is_initial(const char *p, size_t n, const char *word, size_t length)
{
    static struct ref_text letter, text;
    ref_decode(p, n, &letter);
    ref_decode(word, length, &text);
    return letter.n == 1 && text.n > 1 && letter.c[0] == text.c[0];
}

static bool initial(const struct kin_value *a, const struct kin_value *b)
{
    static struct words x, y;
    split(a, &x);
    split(b, &y);
    bool any = false;
    for (unsigned i = 0; i < x.count && i < y.count; i++) {
        if (same_word(&x, i, &y, i))
            continue;
        if (!is_initial(x.p[i], x.n[i], y.p[i], y.n[i]) &&
            !is_initial(y.p[i], y.n[i], x.p[i], x.n[i]))
            return false;
        any = true;
    }
    return any;
}

/* Everything before, or from, the first @; empty where there is none. */
static struct kin_str side_of_at(const struct kin_value *v, bool domain)
{
    for (size_t i = 0; i < v->bytes; i++) {
        if (v->p[i] == '@')
            return domain ? (struct kin_str){(const char *)v->p + i + 1, v->bytes - i - 1}
                          : (struct kin_str){(const char *)v->p, i};
    }
    return (struct kin_str){"", 0};
}

static bool same_side(const struct kin_value *a, const struct kin_value *b, bool domain)
{
    struct kin_str x = side_of_at(a, domain), y = side_of_at(b, domain);
    return x.n > 0 && x.n == y.n && memcmp(x.p, y.p, x.n) == 0;
}

static bool same_ends(const struct ref_text *a, const struct ref_text *b, int n, bool last)
{
    if (a->n < n || b->n < n)
        return false;
    for (int i = 0; i < n; i++) {
        if (a->c[last ? a->n - n + i : i] != b->c[last ? b->n - n + i : i])
            return false;
    }
    return true;
}

/* The codes have references of their own (tests of the kernels). */
static bool same_sound(const struct kin_value *a, const struct kin_value *b, bool metaphone)
{
    struct kin_str x = {(const char *)a->p, a->bytes}, y = {(const char *)b->p, b->bytes};
    char x1[5], x2[5], y1[5], y2[5];
    if (!metaphone)
        return kin_soundex(x, x1) && kin_soundex(y, y1) && strcmp(x1, y1) == 0;
    return kin_double_metaphone(x, x1, x2) && kin_double_metaphone(y, y1, y2) &&
           (!strcmp(x1, y1) || !strcmp(x1, y2) || !strcmp(x2, y1) || !strcmp(x2, y2));
}

/* ---- words by their weight ---- */

/* Words (q 0), or runs of q code points; the whole where there are fewer. */
static void split_into(const struct kin_value *v, int q, struct words *out)
{
    static size_t starts[REF_MAX];
    size_t n = 0;
    if (q == 0) {
        split(v, out);
        return;
    }
    out->count = 0;
    for (size_t i = 0; i < v->bytes; n++) {
        uint32_t c;
        int step = ref_sequence(v->p + i, v->bytes - i, &c);
        starts[n] = i;
        i += step > 0 ? (size_t)step : 1;
    }
    starts[n] = v->bytes;
    size_t q_or_all = n < (size_t)q ? n : (size_t)q;
    for (size_t i = 0; n > 0 && i + q_or_all <= n; i++) {
        out->p[out->count] = (const char *)v->p + starts[i];
        out->n[out->count++] = starts[i + q_or_all] - starts[i];
    }
}

static bool has_word(const struct words *in, const struct words *of, unsigned i)
{
    for (unsigned j = 0; j < in->count; j++) {
        if (same_word(in, j, of, i))
            return true;
    }
    return false;
}

/* Whether a record has word i of `of` in any of the comparison's fields; *known: it has any. */
static bool record_has(const struct ref_comparison *c, const uint8_t *rec, int q,
                       const struct words *of, unsigned i, bool *known)
{
    static struct words w;
    bool found = false;
    *known = false;
    for (unsigned f = 0; f < c->field_count; f++) {
        const uint8_t *at = NULL;
        unsigned count = kin_features_values(rec, c->fields[f], &at);
        for (unsigned k = 0; k < count; k++) {
            struct kin_value v = kin_features_next(&at);
            split_into(&v, q, &w);
            *known = *known || w.count > 0;
            found = found || has_word(&w, of, i);
        }
    }
    return found;
}

/* log2(1 + records by those that have the word), in 1024ths. */
static double weight_of(const struct ref_comparison *c, int q, const struct words *of, unsigned i)
{
    double total = 0, count = 0;
    for (unsigned r = 0; c && r < c->record_count; r++) {
        bool known;
        count += record_has(c, c->records[r], q, of, i, &known);
        total += known;
    }
    return total > 0 ? floor(log2(1 + total / (count > 1 ? count : 1)) * 1024 + 0.5) : 1024;
}

/* Drops repeats. */
static void make_set(struct words *w)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < w->count; i++) {
        unsigned j = 0;
        while (j < kept && !same_word(w, i, w, j))
            j++;
        if (j < kept)
            continue;
        w->p[kept] = w->p[i];
        w->n[kept++] = w->n[i];
    }
    w->count = kept;
}

static struct kin_str word_of(const struct words *w, unsigned i)
{
    return (struct kin_str){w->p[i], w->n[i]};
}

static double closeness(struct kin_str a, struct kin_str b)
{
    static struct ref_text x, y;
    ref_decode(a.p, a.n, &x);
    ref_decode(b.p, b.n, &y);
    double similarity = ref_jaro_winkler(&x, &y);
    bool one_edit = x.n >= 4 && y.n >= 4 && ref_edit(&x, &y, true) <= 1;
    return similarity >= 0.9 || one_edit ? similarity : 0;
}

/* The words of a that b has not and that have no digit, the first 32. */
static void take_left_over(const struct words *a, const struct words *b, struct words *out)
{
    out->count = 0;
    for (unsigned i = 0; i < a->count && out->count < 32; i++) {
        bool digit = false;
        for (size_t k = 0; k < a->n[i]; k++)
            digit = digit || (a->p[i][k] >= '0' && a->p[i][k] <= '9');
        if (digit || has_word(b, a, i))
            continue;
        out->p[out->count] = a->p[i];
        out->n[out->count++] = a->n[i];
    }
}

static void drop_word(struct words *w, unsigned i)
{
    for (w->count--; i < w->count; i++) {
        w->p[i] = w->p[i + 1];
        w->n[i] = w->n[i + 1];
    }
}

/* The best pair of words, in alphabetical order among equals, and so on with what is left. */
static double soft_matches(const struct ref_comparison *c, struct words *a, struct words *b)
{
    double sum = 0;
    for (;;) {
        double best = -1;
        unsigned best_i = 0, best_j = 0;
        struct kin_str best_low = {"", 0}, best_high = {"", 0};
        for (unsigned i = 0; i < a->count; i++) {
            for (unsigned j = 0; j < b->count; j++) {
                struct kin_str x = word_of(a, i), y = word_of(b, j);
                struct kin_str low = kin_str_cmp(x, y) < 0 ? x : y;
                struct kin_str high = kin_str_cmp(x, y) < 0 ? y : x;
                double close = closeness(x, y);
                if (close == 0)
                    continue;
                double gain = floor(weight_of(c, 0, a, i) * weight_of(c, 0, b, j) * close);
                int order = kin_str_cmp(low, best_low);
                order = order ? order : kin_str_cmp(high, best_high);
                if (gain < best || (gain == best && order >= 0))
                    continue;
                best = gain;
                best_i = i;
                best_j = j;
                best_low = low;
                best_high = high;
            }
        }
        if (best < 0)
            return sum;
        sum += best;
        drop_word(a, best_i);
        drop_word(b, best_j);
    }
}

static double tfidf(const struct ref_comparison *c, const struct kin_value *a,
                    const struct kin_value *b, int q, bool soft)
{
    static struct words x, y, left_x, left_y;
    double of_a = 0, of_b = 0, both = 0;
    split_into(a, q, &x);
    split_into(b, q, &y);
    make_set(&x);
    make_set(&y);
    for (unsigned i = 0; i < x.count; i++) {
        double w = weight_of(c, q, &x, i);
        of_a += w * w;
        both += has_word(&y, &x, i) ? w * w : 0;
    }
    for (unsigned i = 0; i < y.count; i++)
        of_b += weight_of(c, q, &y, i) * weight_of(c, q, &y, i);
    if (soft) {
        take_left_over(&x, &y, &left_x);
        take_left_over(&y, &x, &left_y);
        both += soft_matches(c, &left_x, &left_y);
    }
    return of_a > 0 && of_b > 0 ? both / sqrt(of_a * of_b) : 0;
}

static bool texts_pass(const struct ref_comparison *c, const char *test, const struct kin_value *a,
                       const struct kin_value *b)
{
    static struct ref_text x, y;
    ref_decode((const char *)a->p, a->bytes, &x);
    ref_decode((const char *)b->p, b->bytes, &y);
    double t;
    int n, q = 0;
    if (sscanf(test, "jaro_winkler %lf", &t) == 1)
        return ref_jaro_winkler(&x, &y) >= t;
    if (sscanf(test, "jaro %lf", &t) == 1)
        return ref_jaro(&x, &y) >= t;
    if (sscanf(test, "lcs %lf", &t) == 1)
        return (double)ref_lcs(&x, &y) / ref_max(ref_max(x.n, y.n), 1) >= t;
    if (sscanf(test, "levenshtein %d", &n) == 1)
        return ref_edit(&x, &y, false) <= (unsigned)n;
    if (sscanf(test, "damerau %d", &n) == 1)
        return ref_edit(&x, &y, true) <= (unsigned)n;
    if (sscanf(test, "jaccard %lf of %d-grams", &t, &q) >= 1)
        return ref_overlap(&x, &y, q, false) >= t;
    if (sscanf(test, "cosine %lf of %d-grams", &t, &q) >= 1)
        return ref_overlap(&x, &y, q, true) >= t;
    if (sscanf(test, "tfidf %lf of %d-grams", &t, &q) >= 1)
        return tfidf(c, a, b, q, false) >= t;
    if (sscanf(test, "soft_tfidf %lf", &t) == 1)
        return tfidf(c, a, b, 0, true) >= t;
    if (sscanf(test, "prefix %d", &n) == 1)
        return same_ends(&x, &y, n, false);
    if (sscanf(test, "suffix %d", &n) == 1)
        return same_ends(&x, &y, n, true);
    if (!strcmp(test, "soundex") || !strcmp(test, "metaphone"))
        return same_sound(a, b, test[0] == 'm');
    if (!strcmp(test, "contains"))
        return contains(a, b);
    if (!strcmp(test, "initial"))
        return initial(a, b);
    if (!strcmp(test, "same username") || !strcmp(test, "same domain"))
        return same_side(a, b, test[5] == 'd');
    unreadable(test);
}

/* ---- dates ---- */

struct ymd {
    int year, month, day;
};

/* Month by month, from 1 January 1970. */
static struct ymd date_of(const struct kin_value *v)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t left = (int32_t)kin_le32(v->p);
    struct ymd d = {1970, 1, 1};
    for (;;) {
        int before = left < 0 ? (d.month == 1 ? 12 : d.month - 1) : d.month;
        int year = left < 0 && d.month == 1 ? d.year - 1 : d.year;
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        int length = lengths[before - 1] + (before == 2 && leap);
        if (left >= 0 && left < length)
            break;
        if (left < 0) {
            d.year = year;
            d.month = before;
            left += length;
        } else {
            d.year += d.month == 12;
            d.month = d.month == 12 ? 1 : d.month + 1;
            left -= length;
        }
    }
    d.day = left + 1;
    return d;
}

static double days_of(double n, const char *unit)
{
    if (begins(unit, "day"))
        return n;
    if (begins(unit, "week"))
        return 7 * n;
    return floor((begins(unit, "month") ? 30.4375 : 365.25) * n + 0.5);
}

static bool dates_pass(const char *test, const struct kin_value *a, const struct kin_value *b)
{
    struct ymd x = date_of(a), y = date_of(b);
    double amount;
    char unit[16];
    int n;
    if (sscanf(test, "within %lf %15s", &amount, unit) == 2)
        return fabs((double)(int32_t)kin_le32(a->p) - (double)(int32_t)kin_le32(b->p)) <=
               days_of(amount, unit);
    if (!strcmp(test, "day and month swapped"))
        return x.year == y.year && x.day == y.month && x.month == y.day;
    if (begins(test, "same "))
        return (!strstr(test, "year") || x.year == y.year) &&
               (!strstr(test, "month") || x.month == y.month) &&
               (!strstr(test, "day") || x.day == y.day);
    bool swaps = begins(test, "damerau ");
    if (sscanf(test, swaps ? "damerau %d" : "levenshtein %d", &n) == 1) {
        char text_a[32], text_b[32];
        static struct ref_text s, t;
        ref_decode(text_a, (size_t)snprintf(text_a, 32, "%04d-%02d-%02d", x.year, x.month, x.day),
                   &s);
        ref_decode(text_b, (size_t)snprintf(text_b, 32, "%04d-%02d-%02d", y.year, y.month, y.day),
                   &t);
        return ref_edit(&s, &t, swaps) <= (unsigned)n;
    }
    unreadable(test);
}

/* ---- numbers and places ---- */

static bool numbers_pass(const char *test, const struct kin_value *a, const struct kin_value *b)
{
    double x, y, amount;
    char unit[16] = "";
    memcpy(&x, a->p, 8);
    memcpy(&y, b->p, 8);
    if (sscanf(test, "within %lf %15s", &amount, unit) < 1)
        unreadable(test);
    double larger = fabs(x) > fabs(y) ? fabs(x) : fabs(y);
    double most = unit[0] == '%' ? amount / 100 * larger : amount;
    return fabs(x - y) <= most + 2 * DBL_EPSILON * larger;
}

static bool places_pass(const char *test, const struct kin_value *a, const struct kin_value *b)
{
    double x[2], y[2], amount;
    char unit[16];
    memcpy(x, a->p, 16);
    memcpy(y, b->p, 16);
    if (sscanf(test, "within %lf %15s", &amount, unit) != 2)
        unreadable(test);
    return ref_geo_km(x[0], x[1], y[0], y[1]) <= amount / (strcmp(unit, "m") == 0 ? 1000 : 1);
}

/* ---- one pair of values, all values of a field, all fields ---- */

bool ref_values_pass(const struct ref_comparison *comparison, enum kin_type type, const char *test,
                     const struct kin_value *a, const struct kin_value *b)
{
    if (a->hash == b->hash)
        return true;
    if (!strcmp(test, "exact"))
        return false;
    if (type == KIN_TYPE_DATE)
        return dates_pass(test, a, b);
    if (type == KIN_TYPE_NUMBER)
        return numbers_pass(test, a, b);
    if (type == KIN_TYPE_GEO)
        return places_pass(test, a, b);
    return texts_pass(comparison, test, a, b);
}

static bool has_value(const uint8_t *rec, unsigned field)
{
    const uint8_t *at;
    return kin_features_values(rec, field, &at) > 0;
}

/* Whether some value of field f of a and some value of field g of b pass. */
static bool fields_pass(const struct kin_schema *schema, const struct ref_comparison *c,
                        const char *test, const uint8_t *a, unsigned f, const uint8_t *b,
                        unsigned g)
{
    const uint8_t *at_a = NULL, *first = NULL;
    unsigned count_a = kin_features_values(a, f, &at_a);
    unsigned count_b = kin_features_values(b, g, &first);
    for (unsigned i = 0; i < count_a; i++) {
        struct kin_value x = kin_features_next(&at_a);
        const uint8_t *at_b = first;
        for (unsigned j = 0; j < count_b; j++) {
            struct kin_value y = kin_features_next(&at_b);
            if (ref_values_pass(c, schema->fields[f].type, test, &x, &y))
                return true;
        }
    }
    return false;
}

/* The test of a level if it has this reading (' ': plain), else NULL. */
static const char *test_of(const char *level, char reading)
{
    if (begins(level, "any "))
        return reading == 'a' ? level + 4 : NULL;
    if (!strcmp(level, "swapped"))
        return reading == 's' ? "exact" : NULL;
    if (begins(level, "swapped "))
        return reading == 's' ? level + 8 : NULL;
    return reading == ' ' ? level : NULL;
}

/* Strongest level of a reading that one pair of fields reaches; level_count + 1: none. */
static unsigned level_of_fields(const struct kin_schema *schema, const struct ref_comparison *c,
                                char reading, const uint8_t *a, unsigned f, const uint8_t *b,
                                unsigned g)
{
    for (unsigned l = 0; l < c->level_count; l++) {
        const char *test = test_of(c->levels[l], reading);
        if (test && fields_pass(schema, c, test, a, f, b, g))
            return l + 1;
    }
    return c->level_count + 1;
}

static bool has_reading(const struct ref_comparison *c, char reading)
{
    for (unsigned l = 0; l < c->level_count; l++) {
        if (test_of(c->levels[l], reading))
            return true;
    }
    return false;
}

/* The weakest of the fields, each with itself or crosswise; 0: something is missing. */
static unsigned level_each(const struct kin_schema *schema, const struct ref_comparison *c,
                           char reading, const uint8_t *a, const uint8_t *b)
{
    unsigned weakest = 0, n = c->field_count;
    for (unsigned i = 0; i < n; i++) {
        unsigned g = c->fields[reading == 's' ? n - 1 - i : i];
        if (!has_value(a, c->fields[i]) || !has_value(b, g))
            return 0;
        unsigned level = level_of_fields(schema, c, reading, a, c->fields[i], b, g);
        weakest = level > weakest ? level : weakest;
    }
    return weakest;
}

static unsigned level_any(const struct kin_schema *schema, const struct ref_comparison *c,
                          const uint8_t *a, const uint8_t *b)
{
    unsigned best = 0;
    for (unsigned i = 0; i < c->field_count; i++) {
        for (unsigned j = 0; j < c->field_count; j++) {
            if (!has_value(a, c->fields[i]) || !has_value(b, c->fields[j]))
                continue;
            unsigned level = level_of_fields(schema, c, 'a', a, c->fields[i], b, c->fields[j]);
            best = best == 0 || level < best ? level : best;
        }
    }
    return best;
}

unsigned ref_level(const struct kin_schema *schema, const struct ref_comparison *comparison,
                   const uint8_t *a, const uint8_t *b)
{
    unsigned levels[3] = {0, 0, 0}, best = 0;
    if (has_reading(comparison, ' '))
        levels[0] = level_each(schema, comparison, ' ', a, b);
    if (has_reading(comparison, 's'))
        levels[1] = level_each(schema, comparison, 's', a, b);
    if (has_reading(comparison, 'a'))
        levels[2] = level_any(schema, comparison, a, b);
    for (unsigned i = 0; i < 3; i++) {
        if (levels[i] && (!best || levels[i] < best))
            best = levels[i];
    }
    return best;
}

uint64_t ref_pattern(const struct kin_schema *schema, const struct ref_comparison *comparisons,
                     unsigned count, const uint8_t *a, const uint8_t *b)
{
    uint64_t pattern = 0;
    for (unsigned i = 0; i < count; i++)
        pattern |= (uint64_t)ref_level(schema, &comparisons[i], a, b) << (4 * i);
    return pattern;
}
