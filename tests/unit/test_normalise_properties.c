/* Normalisers: properties that hold for any text, date, number and telephone. */
#include "tests/unit/normalise_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include <cmocka.h>

static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int32_t random_point(uint64_t *rng)
{
    static const char usual[] = "aAbBeEiIlLnNoOsStTuUzZ0123456789  ..--''+@,:/()<>#\"$%\t";
    static const int32_t notable[] = {
        0xdf,    0x130,   0x131,   0x149,   0x1f0,   0x1c4,   0x345,  0x3c2,  0x390,  0x1e9b,
        0x1e9e,  0x300,   0x301,   0x308,   0x323,   0x327,   0x338,  0xb4,   0xa8,   0xaa,
        0xbd,    0x2bc,   0x2019,  0x2013,  0x2212,  0x2044,  0x200d, 0x200b, 0xa0,   0x3000,
        0xfeff,  0xad,    0x640,   0x627,   0x622,   0x64b,   0x660,  0x5d0,  0x5b0,  0x915,
        0x93c,   0x93f,   0x94d,   0x9c7,   0x9be,   0xe01,   0xe34,  0xe48,  0x1100, 0x1161,
        0x11a8,  0xac00,  0xac01,  0x304b,  0x3099,  0x309a,  0xff76, 0xff9e, 0x30ac, 0xfdfa,
        0x3300,  0x337f,  0x2163,  0x2460,  0x20ac,  0x1f82,  0x1fb7, 0x212b, 0x2126, 0xff20,
        0xff0e,  0x1d7d8, 0x1f600, 0x1d400, 0x10400, 0xe0100, 0x0f73, 0x0f71, 0x0f80, 0x1112e,
        0x11127, 0x1ab0,  0xfe0f};
    uint64_t kind = next_random(rng) % 10;
    if (kind < 5)
        return usual[next_random(rng) % (sizeof usual - 1)];
    if (kind < 9)
        return notable[next_random(rng) % (sizeof notable / sizeof *notable)];
    int32_t point;
    do
        point = (int32_t)(next_random(rng) % (next_random(rng) % 4 ? 0x3000 : 0x110000));
    while (point >= 0xd800 && point < 0xe000);
    return point;
}

static size_t random_text(uint64_t *rng, char *to, size_t points)
{
    size_t n = 0;
    for (size_t i = 0; i < points; i++)
        n += (size_t)utf8proc_encode_char(random_point(rng), (uint8_t *)to + n);
    return n;
}

static void any_text_gives_a_sound_payload_that_normalises_to_itself(void **state)
{
    static const char countries[][3] = {"", "GB", "US", "IT", "HU", "RU", "MX", "AR", "BY"};
    struct kin_norm_scratch *s = *state;
    uint64_t rng = 20;
    char text[256];
    for (unsigned round = 0; round < 60000; round++) {
        size_t n = random_text(&rng, text, next_random(&rng) % 24);
        struct kin_field field = {.name = "f", .type = (enum kin_type)(round % KIN_TYPE_COUNT)};
        field.date_order = (enum kin_date_order)(next_random(&rng) % 3);
        memcpy(field.country, countries[next_random(&rng) % 9], 2);
        struct kin_norm_value v;
        if (kin_normalise(s, &field, (struct kin_str){text, n}, &v) != KIN_NORM_VALUE)
            continue;
        const char *broken = broken_promise(s, &field, &v);
        if (broken)
            fail_msg("%s %s, round %u: %s: %.*s", kin_type_name(field.type), field.country, round,
                     broken, (int)n, text);
    }
}

static void phones_of_any_digits_normalise_to_themselves(void **state)
{
    uint64_t rng = 5;
    for (unsigned round = 0; round < 60000; round++) {
        const struct kin_norm_country *c =
            kin_norm_country_at(next_random(&rng) % kin_norm_country_count());
        const struct kin_norm_country *other =
            kin_norm_country_at(next_random(&rng) % kin_norm_country_count());
        static const char *const starts[] = {"", "+", "00", "0", "+0", "8", "01"};
        char text[64];
        snprintf(text, sizeof text, "%s%s%s%0*llu", starts[next_random(&rng) % 7],
                 next_random(&rng) % 2 ? other->code : "", next_random(&rng) % 2 ? c->trunk : "",
                 (int)(next_random(&rng) % 9),
                 (unsigned long long)(next_random(&rng) % 10000000000u));
        struct kin_field field = {.name = "f", .type = KIN_TYPE_PHONE};
        memcpy(field.country, c->iso, 2);
        struct kin_norm_value v;
        if (kin_normalise(*state, &field, kin_str_of(text), &v) != KIN_NORM_VALUE)
            continue;
        const char *broken = broken_promise(*state, &field, &v);
        if (broken)
            fail_msg("%s in %s: %s", text, c->iso, broken);
    }
}

static void ascii_fast_path_equals_the_unicode_path(void **state)
{
    struct kin_norm_scratch *s = *state;
    uint64_t rng = 3;
    for (unsigned round = 0; round < 40000; round++) {
        char text[40], fast[40];
        size_t n = next_random(&rng) % sizeof text;
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(next_random(&rng) % 3 ? "aZ'` 5-"[next_random(&rng) % 7]
                                                   : (char)(next_random(&rng) % 128));
        enum kin_fold mode = (enum kin_fold)(round % KIN_FOLD_COUNT);
        struct kin_folded f = kin_norm_fold(s, mode, (struct kin_str){text, n});
        size_t length = f.n;
        assert_true(f.ascii);
        memcpy(fast, f.p, length);
        f = kin_norm_fold_unicode(s, mode, (struct kin_str){text, n});
        assert_int_equal(f.n, length);
        assert_memory_equal(f.p, fast, length);
    }
}

static void every_character_folds_once_and_for_all(void **state)
{
    struct kin_norm_scratch *s = *state;
    char first[512], second[512];
    for (int32_t point = 1; point < 0x30000; point++) {
        if (point >= 0xd800 && point < 0xe000)
            continue;
        uint8_t text[8], decomposed[128];
        size_t n = (size_t)utf8proc_encode_char(point, text);
        int32_t points[32];
        utf8proc_ssize_t count =
            utf8proc_decompose(text, (utf8proc_ssize_t)n, points, 31,
                               (utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE));
        size_t m = 0;
        for (utf8proc_ssize_t i = 0; i < count; i++)
            m += (size_t)utf8proc_encode_char(points[i], decomposed + m);
        for (unsigned mode = 0; mode < KIN_FOLD_COUNT; mode++) {
            if (point >= 0x3400 && mode != (unsigned)point % KIN_FOLD_COUNT)
                continue;
            enum kin_fold fold = (enum kin_fold)mode;
            struct kin_folded f = kin_norm_fold(s, fold, (struct kin_str){(char *)text, n});
            size_t length = f.n;
            memcpy(first, f.p, length);
            f = kin_norm_fold(s, fold, (struct kin_str){first, length});
            memcpy(second, f.p, f.n);
            if (f.n != length || memcmp(first, second, length) != 0)
                fail_msg("U+%04X, mode %u: not idempotent", (unsigned)point, mode);
            f = kin_norm_fold(s, fold, (struct kin_str){(char *)decomposed, m});
            if (f.n != length || memcmp(first, f.p, length) != 0)
                fail_msg("U+%04X, mode %u: not as its decomposition", (unsigned)point, mode);
        }
    }
}

static void latin_table_equals_the_unicode_path(void **state)
{
    struct kin_norm_scratch *s = *state;
    uint8_t latin[KIN_NORM_LATIN_COUNT][2];
    unsigned filled = 0;
    char fast[64];
    for (int32_t point = KIN_NORM_LATIN_FIRST; point <= KIN_NORM_LATIN_MORE_LAST; point++) {
        for (unsigned before = 0; before < 2; before++) {
            uint8_t text[8] = {before ? 'a' : '5'};
            struct kin_str raw = {(char *)text, 1 + (size_t)utf8proc_encode_char(point, text + 1)};
            for (unsigned mode = 0; mode < KIN_FOLD_COUNT; mode++) {
                struct kin_folded f = kin_norm_fold(s, (enum kin_fold)mode, raw);
                size_t n = f.n;
                memcpy(fast, f.p, n);
                memcpy(latin, s->latin, sizeof latin); /* with what was met so far */
                memset(s->latin, 0, sizeof s->latin);
                f = kin_norm_fold(s, (enum kin_fold)mode, raw);
                memcpy(s->latin, latin, sizeof latin);
                assert_int_equal(f.n, n);
                assert_memory_equal(f.p, fast, n);
            }
        }
        if (point == KIN_NORM_LATIN_LAST)
            point = KIN_NORM_LATIN_MORE_FIRST - 1;
    }
    for (unsigned i = 0; i < KIN_NORM_LATIN_COUNT; i++)
        filled += s->latin[i][0] != 0 && s->latin[i][0] != KIN_NORM_LATIN_UNKNOWN;
    assert_true(filled > 500);
}

/* NFC and NFD are two spellings of one text. */
static void canonically_equal_texts_give_equal_payloads(void **state)
{
    struct kin_norm_scratch *s = *state;
    uint64_t rng = 11;
    char text[256], first[2048];
    for (unsigned round = 0; round < 30000; round++) {
        size_t n = random_text(&rng, text, next_random(&rng) % 16);
        uint8_t *forms[2] = {NULL, NULL};
        utf8proc_map((uint8_t *)text, (utf8proc_ssize_t)n, &forms[0],
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        utf8proc_map((uint8_t *)text, (utf8proc_ssize_t)n, &forms[1],
                     UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
        if (!memchr(text, 0, n)) {
            enum kin_fold mode = (enum kin_fold)(round % KIN_FOLD_COUNT);
            struct kin_folded f = kin_norm_fold(s, mode, kin_str_of((char *)forms[0]));
            size_t length = f.n;
            memcpy(first, f.p, length);
            f = kin_norm_fold(s, mode, kin_str_of((char *)forms[1]));
            if (f.n != length || memcmp(f.p, first, length) != 0)
                fail_msg("round %u, mode %d: %.*s", round, (int)mode, (int)n, text);
        }
        free(forms[0]);
        free(forms[1]);
    }
}

static void days_count_on_through_the_whole_calendar(void **state)
{
    struct kin_field ymd = {.name = "f", .type = KIN_TYPE_DATE},
                     dmy = {.name = "f", .type = KIN_TYPE_DATE, .date_order = KIN_DATE_DMY};
    struct kin_norm_value v;
    assert_int_equal(kin_norm_days(1970, 1, 1), 0);
    int32_t day_number = kin_norm_days(1000, 1, 1);
    assert_int_equal(day_number, -354285);
    for (int year = 1000; year <= 2999; year++) {
        for (unsigned month = 1; month <= 12; month++) {
            for (unsigned day = 1; kin_norm_date_exists(year, month, day); day++, day_number++) {
                char text[32];
                assert_int_equal(kin_norm_days(year, month, day), day_number);
                if (day_number % 31)
                    continue;
                snprintf(text, sizeof text, "%d-%02u-%02u", year, month, day);
                assert_int_equal(kin_normalise(*state, &ymd, kin_str_of(text), &v), 0);
                assert_int_equal((int32_t)kin_le32(v.p), day_number);
                snprintf(text, sizeof text, "%u.%u.%d", day, month, year);
                assert_int_equal(kin_normalise(*state, &dmy, kin_str_of(text), &v), 0);
                assert_int_equal((int32_t)kin_le32(v.p), day_number);
            }
        }
    }
    assert_int_equal(day_number, kin_norm_days(3000, 1, 1));
}

static void numbers_are_rounded_as_the_c_library_does(void **state)
{
    struct kin_field field = {.name = "f", .type = KIN_TYPE_NUMBER};
    uint64_t rng = 9;
    for (unsigned round = 0; round < 40000; round++) {
        char text[400];
        double value;
        uint64_t bits = next_random(&rng);
        memcpy(&value, &bits, sizeof value);
        if (!(value - value == 0.0))
            continue;
        int digits = (int)(next_random(&rng) % 19);
        if (round % 2)
            snprintf(text, sizeof text, "%.*e", digits, value);
        else
            snprintf(text, sizeof text, "%.*f", digits % 8, (double)(int64_t)bits / 4096.0);
        value = strtod(text, NULL);
        if (value == 0.0)
            value = 0.0; /* no -0 */
        struct kin_norm_value v = {NULL, 0, false};
        enum kin_norm got = kin_normalise(*state, &field, kin_str_of(text), &v);
        if (!(value - value == 0.0)) {
            assert_int_equal(got, KIN_NORM_BAD);
            continue;
        }
        assert_int_equal(got, KIN_NORM_VALUE);
        double result;
        memcpy(&result, v.p, sizeof result);
        if (result != value)
            fail_msg("%s: %a, expected %a", text, result, value);
    }
}

static void long_texts_are_cut_at_a_character(void **state)
{
    struct kin_norm_scratch *s = *state;
    static char text[KIN_FIELD_BYTES_MAX];
    static const char *const units[] = {"a",  "a ",     "é",      "ﷺ",  "ガ",  "ｶﾞ",      "㌀",
                                        "한", "\u1100", "कि",     "1,", "av ", "a\u0301", "n e ",
                                        "ß",  "x@",     "\u0323", "’",  "0",   "ỗ",       "Ǆ"};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        size_t n = 0, unit = strlen(units[u]);
        while (n + unit <= sizeof text) {
            memcpy(text + n, units[u], unit);
            n += unit;
        }
        for (unsigned type = 0; type < KIN_TYPE_COUNT; type++) {
            struct kin_field field = {.name = "f", .type = (enum kin_type)type, .country = "GB"};
            struct kin_norm_value v;
            if (kin_normalise(s, &field, (struct kin_str){text, n}, &v) != KIN_NORM_VALUE)
                continue;
            const char *broken = broken_promise(s, &field, &v);
            if (broken)
                fail_msg("%s of many \"%s\": %s", kin_type_name(field.type), units[u], broken);
        }
    }
}

/* A row of marks is ordered by insertion: the bound on it keeps hostile texts linear. */
static void rows_of_marks_are_bounded(void **state)
{
    static char text[KIN_FIELD_BYTES_MAX];
    struct kin_field field = {.name = "f", .type = KIN_TYPE_ID};
    struct kin_norm_value v;
    size_t n = 0;
    text[n++] = 'a';
    for (size_t i = 0; n + 4 <= sizeof text; i++) {
        n += (size_t)utf8proc_encode_char(i % 2 ? 0x323 : 0x301, (uint8_t *)text + n);
    }
    assert_int_equal(kin_normalise(*state, &field, (struct kin_str){text, n}, &v), KIN_NORM_VALUE);
    assert_true(v.bytes <= 4 + 2 * KIN_NORM_MARKS_MAX);
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
        cmocka_unit_test(any_text_gives_a_sound_payload_that_normalises_to_itself),
        cmocka_unit_test(phones_of_any_digits_normalise_to_themselves),
        cmocka_unit_test(ascii_fast_path_equals_the_unicode_path),
        cmocka_unit_test(latin_table_equals_the_unicode_path),
        cmocka_unit_test(every_character_folds_once_and_for_all),
        cmocka_unit_test(canonically_equal_texts_give_equal_payloads),
        cmocka_unit_test(days_count_on_through_the_whole_calendar),
        cmocka_unit_test(numbers_are_rounded_as_the_c_library_does),
        cmocka_unit_test(long_texts_are_cut_at_a_character),
        cmocka_unit_test(rows_of_marks_are_bounded),
    };
    return cmocka_run_group_tests(tests, make_scratch, free_scratch);
}
