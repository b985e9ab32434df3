/* Normalisers: the cases of tests/data/normalise/cases.tsv, every table and list of
 * docs/normalisation.md, the tables in the code, and timestamps. */
#include "tests/unit/normalise_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include <cmocka.h>

enum { TEXT_MAX = 4096, COLUMNS_MAX = 4 };

/* ---- reading the tables ---- */

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    struct kin_buf b = {0};
    for (;;) {
        uint8_t *to = kin_buf_reserve(&b, 65536);
        assert_non_null(to);
        size_t n = fread(to, 1, 65535, f);
        b.n += n;
        if (n == 0)
            break;
    }
    fclose(f);
    b.p[b.n] = '\0';
    return (char *)b.p; /* freed with kin_free, as the buffer itself would be */
}

/* Writes the text that \s \t \n \\ \u{hex} stand for. */
static struct kin_str unescape(const char *p, size_t n, char *to)
{
    size_t at = 0;
    for (size_t i = 0; i < n && at < TEXT_MAX - 8; i++) {
        if (p[i] != '\\' || i + 1 == n) {
            to[at++] = p[i];
            continue;
        }
        i++;
        if (p[i] == 'u') {
            char *end;
            long point = strtol(p + i + 2, &end, 16);
            assert_true(p[i + 1] == '{' && *end == '}');
            at += (size_t)utf8proc_encode_char((utf8proc_int32_t)point, (uint8_t *)to + at);
            i = (size_t)(end - p);
        } else {
            to[at++] = (char)(p[i] == 's' ? ' ' : p[i] == 't' ? '\t' : p[i] == 'n' ? '\n' : p[i]);
        }
    }
    return (struct kin_str){to, at};
}

static struct kin_field field_of(const char *type, const char *options)
{
    struct kin_field field = {.name = "f"};
    assert_true(kin_type_parse(kin_str_of(type), &field.type));
    const char *country = strstr(options, "country=");
    if (country)
        memcpy(field.country, country + 8, 2);
    field.date_order = strstr(options, "order=dmy")   ? KIN_DATE_DMY
                       : strstr(options, "order=mdy") ? KIN_DATE_MDY
                                                      : KIN_DATE_YMD;
    return field;
}

static bool holds_double(const uint8_t *p, double expected)
{
    uint64_t bits;
    memcpy(&bits, &expected, sizeof bits);
    return kin_le64(p) == bits;
}

/* True if the payload says what `expected` does in the notation of the tables. */
static bool payload_is(const struct kin_field *field, const struct kin_norm_value *v,
                       struct kin_str expected)
{
    double a, b;
    int year;
    unsigned month, day;
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)(expected.n < 127 ? expected.n : 127), expected.p);
    if (field->type == KIN_TYPE_DATE)
        return v->bytes == 4 && sscanf(text, "%d-%u-%u", &year, &month, &day) == 3 &&
               kin_le32(v->p) == (uint32_t)kin_norm_days(year, month, day);
    if (field->type == KIN_TYPE_NUMBER)
        return v->bytes == 8 && holds_double(v->p, strtod(text, NULL));
    if (field->type == KIN_TYPE_GEO)
        return v->bytes == 16 && sscanf(text, "%lf %lf", &a, &b) == 2 && holds_double(v->p, a) &&
               holds_double(v->p + 8, b);
    return kin_str_eq((struct kin_str){(const char *)v->p, v->bytes}, expected);
}

/* Runs one line of a table; prints and returns false where it is wrong. */
static bool check_case(struct kin_norm_scratch *s, const char *where, unsigned line,
                       const struct kin_field *field, struct kin_str raw, enum kin_norm expected,
                       struct kin_str payload)
{
    static const char *const names[] = {"value", "null", "bad"};
    struct kin_norm_value v = {NULL, 0, false};
    enum kin_norm got = kin_normalise(s, field, raw, &v);
    if (got != expected) {
        print_error("%s:%u: %.*s: %s, expected %s\n", where, line, (int)raw.n, raw.p, names[got],
                    names[expected]);
        return false;
    }
    if (got != KIN_NORM_VALUE)
        return true;
    if (!payload_is(field, &v, payload)) {
        print_error("%s:%u: %.*s: got \"%.*s\", expected \"%.*s\"\n", where, line, (int)raw.n,
                    raw.p, (int)v.bytes, (const char *)v.p, (int)payload.n, payload.p);
        return false;
    }
    const char *broken = broken_promise(s, field, &v);
    if (broken)
        print_error("%s:%u: %.*s: %s\n", where, line, (int)raw.n, raw.p, broken);
    return !broken;
}

/* Cuts at `separator`; at most COLUMNS_MAX parts, the number of which is returned. */
static unsigned split(char *line, char separator, char *parts[COLUMNS_MAX])
{
    unsigned n = 0;
    while (line && n < COLUMNS_MAX) {
        parts[n++] = line;
        line = strchr(line, separator);
        if (line)
            *line++ = '\0';
    }
    return n;
}

static void every_case_gives_its_payload(void **state)
{
    static char raw_text[TEXT_MAX], payload_text[TEXT_MAX];
    char *file = read_file(KIN_TEST_DATA "/normalise/cases.tsv");
    unsigned line = 0, cases = 0, wrong = 0;
    char *save;
    for (char *at = file; *at; at = save) {
        save = at + strcspn(at, "\n");
        save += *save != '\0' ? (*save = '\0', 1) : 0;
        line++;
        if (at[0] == '#')
            continue;
        char *parts[COLUMNS_MAX];
        assert_int_equal(split(at, '\t', parts), 4);
        struct kin_field field = field_of(parts[0], parts[1]);
        struct kin_str raw = unescape(parts[2], strlen(parts[2]), raw_text);
        struct kin_str payload = unescape(parts[3], strlen(parts[3]), payload_text);
        enum kin_norm expected = strcmp(parts[3], "NULL") == 0  ? KIN_NORM_NULL
                                 : strcmp(parts[3], "BAD") == 0 ? KIN_NORM_BAD
                                                                : KIN_NORM_VALUE;
        wrong += !check_case(*state, "cases.tsv", line, &field, raw, expected, payload);
        cases++;
    }
    kin_free(file);
    assert_int_equal(wrong, 0);
    assert_true(cases >= 450);
}

/* ---- the documentation ---- */

/* What stands between the first and the last backtick of a cell; without: its words. */
static struct kin_str cell_text(const char *cell, char *to, bool *code)
{
    const char *first = strchr(cell, '`'), *last = strrchr(cell, '`');
    *code = first && last > first;
    if (*code)
        return unescape(first + 1, (size_t)(last - first - 1), to);
    while (*cell == ' ')
        cell++;
    size_t n = strlen(cell);
    while (n && cell[n - 1] == ' ')
        n--;
    memcpy(to, cell, n);
    to[n] = '\0';
    return (struct kin_str){to, n};
}

struct doc {
    struct kin_norm_scratch *scratch;
    char type[32];     /* the heading we are under, if it is one of a type */
    char list[32];     /* the fenced list we are in, or "" */
    bool timestamps;   /* under the heading of these */
    bool options;      /* the table has this column */
    unsigned in_table; /* rows so far, header and rule included */
    unsigned line, rows, wrong;
    unsigned words, letters, countries;
};

static void doc_heading(struct doc *d, const char *text)
{
    enum kin_type type;
    d->timestamps = strcmp(text, "timestamps") == 0;
    d->type[0] = '\0';
    if (kin_type_parse(kin_str_of(text), &type))
        snprintf(d->type, sizeof d->type, "%s", text);
}

static bool doc_timestamp(struct kin_str before, struct kin_str after, bool is_value)
{
    int64_t us = -1;
    bool ok = kin_parse_timestamp(before, &us);
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)after.n, after.p);
    return is_value ? ok && us == strtoll(text, NULL, 10) : !ok;
}

static void doc_row(struct doc *d, char *line)
{
    static char before_text[TEXT_MAX], after_text[TEXT_MAX];
    char none[1] = "", *cells[COLUMNS_MAX] = {none, none, none, none};
    unsigned n = split(line + 1, '|', cells);
    assert_true(n >= 2);
    if (++d->in_table == 1)
        d->options = strstr(cells[0], "options") != NULL;
    if (d->in_table <= 2 || (!d->type[0] && !d->timestamps))
        return;
    assert_int_equal(n, d->options ? 4 : 3); /* and an empty one behind the last bar */
    bool code, value;
    struct kin_str before = cell_text(cells[d->options], before_text, &code);
    struct kin_str after = cell_text(cells[d->options + 1], after_text, &value);
    assert_true(code);
    d->rows++;
    if (d->timestamps) {
        if (!doc_timestamp(before, after, value)) {
            print_error("normalisation.md:%u: wrong\n", d->line);
            d->wrong++;
        }
        return;
    }
    struct kin_field field = field_of(d->type, d->options ? cells[0] : "");
    enum kin_norm expected = value                                ? KIN_NORM_VALUE
                             : kin_str_eq(after, KIN_STR("null")) ? KIN_NORM_NULL
                                                                  : KIN_NORM_BAD;
    assert_true(value || expected == KIN_NORM_NULL || kin_str_eq(after, KIN_STR("bad")));
    d->wrong +=
        !check_case(d->scratch, "normalisation.md", d->line, &field, before, expected, after);
}

/* "street str -> st", "æ -> ae": what stands on the left becomes what stands on the right. */
static void doc_mapping(struct doc *d, const char *type, char *line, unsigned *count)
{
    struct kin_field field = field_of(type, "");
    char *arrow = strstr(line, " -> ");
    assert_non_null(arrow);
    *arrow = '\0';
    char *save = NULL;
    for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        d->wrong += !check_case(d->scratch, "normalisation.md", d->line, &field, kin_str_of(word),
                                KIN_NORM_VALUE, kin_str_of(arrow + 4));
        ++*count;
    }
}

static void doc_list(struct doc *d, char *line)
{
    if (strcmp(d->list, "words") == 0) {
        doc_mapping(d, "address", line, &d->words);
    } else if (strcmp(d->list, "letters") == 0) {
        doc_mapping(d, "name", line, &d->letters);
    } else if (strcmp(d->list, "countries") == 0) {
        char *save = NULL;
        for (char *iso = strtok_r(line, " ", &save); iso; iso = strtok_r(NULL, " ", &save)) {
            assert_int_equal(strlen(iso), 2);
            d->wrong += kin_norm_country_by_iso(iso) == NULL;
            d->countries++;
        }
    }
}

static void every_row_of_the_documentation_is_right(void **state)
{
    struct doc d = {.scratch = *state};
    char *file = read_file(KIN_SOURCE_DIR "/docs/normalisation.md");
    char *next;
    for (char *line = file; *line; line = next) {
        next = line + strcspn(line, "\n");
        next += *next != '\0' ? (*next = '\0', 1) : 0;
        d.line++;
        if (strncmp(line, "```", 3) == 0)
            snprintf(d.list, sizeof d.list, "%s", d.list[0] ? "" : line[3] ? line + 3 : "-");
        else if (d.list[0])
            doc_list(&d, line);
        else if (strncmp(line, "## ", 3) == 0)
            doc_heading(&d, line + 3);
        if (line[0] == '|' && !d.list[0])
            doc_row(&d, line);
        else
            d.in_table = 0;
    }
    kin_free(file);
    assert_int_equal(d.wrong, 0);
    assert_true(d.rows >= 120);
    /* and nothing is left out */
    assert_int_equal(d.words, kin_norm_address_word_count());
    assert_int_equal(d.letters, kin_norm_letter_count());
    assert_int_equal(d.countries, kin_norm_country_count());
}

/* ---- the tables in the code ---- */

static void tables_are_sorted_and_consistent(void **state)
{
    (void)state;
    for (size_t i = 0; i < kin_norm_letter_count(); i++) {
        const struct kin_norm_letter *l = kin_norm_letter_at(i);
        assert_ptr_equal(kin_norm_letter_find(l->from), l);
        assert_null(kin_norm_letter_find(l->to[0]));
    }
    for (size_t i = 0; i < kin_norm_address_word_count(); i++) {
        struct kin_str word = kin_norm_address_word_at(i);
        struct kin_str to = kin_norm_address_word(word);
        assert_false(kin_str_eq(word, to)); /* found, so sorted */
        assert_true(kin_str_eq(kin_norm_address_word(to), to));
    }
    for (size_t i = 0; i < kin_norm_country_count(); i++) {
        const struct kin_norm_country *c = kin_norm_country_at(i);
        assert_ptr_equal(kin_norm_country_by_iso(c->iso), c);
        const struct kin_norm_country *first = kin_norm_country_by_digits(c->code, strlen(c->code));
        assert_non_null(first);
        assert_string_equal(first->code, c->code);
        assert_string_equal(first->trunk, c->trunk);
        assert_string_equal(first->mobile, c->mobile);
        assert_true(first->min == c->min && first->max == c->max &&
                    first->zero_significant == c->zero_significant && c->min <= c->max);
    }
    for (int digit = 0; digit < 10; digit++) {
        assert_int_equal(kin_norm_digit_value(0x660 + digit), digit);
        assert_int_equal(kin_norm_digit_value(0x1fbf0 + digit), digit);
    }
    assert_int_equal(kin_norm_digit_value(0x66a), -1);
    assert_int_equal(kin_norm_digit_value('5'), -1);
}

static void timestamps_are_read_to_the_microsecond(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us; /* INT64_MIN: refused */
    } cases[] = {
        {"1970-01-01", 0},
        {"1970-01-02T00:00:00Z", INT64_C(86400000000)},
        {"2024-02-29 12:30", INT64_C(1709209800000000)},
        {"2024-02-29T12:30:15.123456789Z", INT64_C(1709209815123456)},
        {"2024-02-29T12:30:15,5+01:00", INT64_C(1709206215500000)},
        {"2024-02-29T12:30:15-0530", INT64_C(1709229615000000)},
        {"2024-02-29T12:30:15+02", INT64_C(1709202615000000)},
        {"2024-02-29 12:30:15 UTC", INT64_C(1709209815000000)},
        {"20240229T123015Z", INT64_C(1709209815000000)},
        {"20240229123015", INT64_C(1709209815000000)},
        {"20240229", INT64_C(1709164800000000)},
        {" 2024-02-29\r\n", INT64_C(1709164800000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"2024-02-29T24:00:00Z", INT64_C(1709251200000000)},
        {"0001-01-01", INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999)},
        {"0", 0},
        {"-1", -1000000},
        {"1709209815", INT64_C(1709209815000000)},
        {"1709209815.25", INT64_C(1709209815250000)},
        {"1709209815123", INT64_C(1709209815123000)},
        {"1709209815123.5", INT64_C(1709209815123500)},
        {"171210240000", INT64_C(171210240000000)},
        {"1709209815123456", INT64_C(1709209815123456)},
        {"", INT64_MIN},
        {" ", INT64_MIN},
        {"-", INT64_MIN},
        {".5", INT64_MIN},
        {"2024-02-30", INT64_MIN},
        {"2024-2-3", INT64_MIN},
        {"2024-02-29T", INT64_MIN},
        {"2024-02-29T25:00", INT64_MIN},
        {"2024-02-29T24:01", INT64_MIN},
        {"2024-02-29T12:60", INT64_MIN},
        {"2024-02-29T12:30:61", INT64_MIN},
        {"2024-02-29T12:30 CET", INT64_MIN},
        {"2024-02-29T12:30+24:00", INT64_MIN},
        {"2024-02-29T12:30Zx", INT64_MIN},
        {"2024-02-2912:30", INT64_MIN},
        {"20241301", INT64_MIN},
        {"20241301000000", INT64_MIN},
        {"1e9", INT64_MIN},
        {"99999999999999999999", INT64_MIN},
        {"yesterday", INT64_MIN},
        {"2024-02-29T12:30:15.1234567890123456789012345678901234567890123456789Z", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = INT64_MIN;
        bool ok = kin_parse_timestamp(kin_str_of(cases[i].text), &us);
        if (ok != (cases[i].us != INT64_MIN) || us != cases[i].us)
            fail_msg("%s: %lld", cases[i].text, (long long)us);
    }
}

static void scratch_without_memory_is_null(void **state)
{
    (void)state;
    kin_alloc_fail_after(0);
    struct kin_norm_scratch *s = kin_norm_scratch_new();
    kin_alloc_fail_after(SIZE_MAX);
    assert_null(s);
    kin_norm_scratch_free(NULL);
}

static int make_scratch(void **state)
{
    *state = kin_norm_scratch_new();
    return *state ? 0 : -1;
}

static int free_scratch(void **state)
{
    kin_norm_scratch_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gives_its_payload),
        cmocka_unit_test(every_row_of_the_documentation_is_right),
        cmocka_unit_test(tables_are_sorted_and_consistent),
        cmocka_unit_test(timestamps_are_read_to_the_microsecond),
        cmocka_unit_test(scratch_without_memory_is_null),
    };
    return cmocka_run_group_tests(tests, make_scratch, free_scratch);
}
