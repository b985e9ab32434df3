/* Every term on pairs of values, null, several values, and the logic that joins terms. */
#include "common/match/condition_impl.h"
#include "common/match/text_parts.h"
#include "tests/unit/rule_fixture.h"

#include <math.h>

static const char *const truth_names[] = {"false", "unknown", "true"};

/* One condition on two records that have values in one field each. */
static void expect_fields(const char *text, const char *const a[FIXTURE_FIELDS],
                          const char *const b[FIXTURE_FIELDS], enum kin_truth expected)
{
    struct kin_arena arena = {0};
    struct kin_condition *c = parsed(&arena, text);
    struct kin_kernel_scratch *s = kin_kernel_scratch_new();
    uint8_t *x = fixture_record(a), *y = fixture_record(b);
    enum kin_truth there = kin_condition_eval(c, x, y, s), back = kin_condition_eval(c, y, x, s);
    if (there != expected || back != expected)
        fail_msg("%s: %s and %s, expected %s", text, truth_names[there], truth_names[back],
                 truth_names[expected]);
    kin_free(x);
    kin_free(y);
    kin_kernel_scratch_free(s);
    kin_arena_deinit(&arena);
}

static void expect(const char *text, enum fixture_field field, const char *a, const char *b,
                   enum kin_truth expected)
{
    const char *x[FIXTURE_FIELDS] = {NULL}, *y[FIXTURE_FIELDS] = {NULL};
    x[field] = a;
    y[field] = b;
    expect_fields(text, x, y, expected);
}

static void equality(void **state)
{
    (void)state;
    expect("Exact(email)", EMAIL, "a@b", "a@b", KIN_TRUE);
    expect("Exact(email)", EMAIL, "a@b", "a@c", KIN_FALSE);
    expect("Exact(email)", EMAIL, "a@b", "a@b2", KIN_FALSE);
    expect("Exact(email)", EMAIL, NULL, "a@b", KIN_UNKNOWN);
    expect("Exact(email)", EMAIL, NULL, NULL, KIN_UNKNOWN);
    expect("Exact(email, EmptyValues=Ignore)", EMAIL, NULL, NULL, KIN_UNKNOWN);
    expect("Exact(email, EmptyValues=Process)", EMAIL, NULL, NULL, KIN_TRUE);
    expect("Exact(email, EmptyValues=Process)", EMAIL, NULL, "a@b", KIN_FALSE);
    expect("Exact(email, EmptyValues=Process)", EMAIL, "a@b", "a@b", KIN_TRUE);
    expect("Exact(email, EmptyValues=Process)", EMAIL, "a@b", "a@c", KIN_FALSE);
    expect("Exact(dob)", DOB, "1970-01-01", "1970-01-01", KIN_TRUE);
    expect("Exact(dob)", DOB, "1970-01-01", "1970-01-02", KIN_FALSE);
    expect("Exact(price)", PRICE, "1.50", "1.5", KIN_TRUE);
    expect("Exact(place)", PLACE, "1,2", "1,2", KIN_TRUE);
    expect("Exact(place)", PLACE, "1,2", "2,1", KIN_FALSE);
    expect("Differs(tax_id)", TAX_ID, "1", "2", KIN_TRUE);
    expect("Differs(tax_id)", TAX_ID, "1", "1", KIN_FALSE);
    expect("Differs(tax_id)", TAX_ID, "1", NULL, KIN_UNKNOWN);
    expect("Empty(notes)", NOTES, "1", NULL, KIN_TRUE);
    expect("Empty(notes)", NOTES, NULL, NULL, KIN_TRUE);
    expect("Empty(notes)", NOTES, "1", "1", KIN_FALSE);
}

static void equality_of_several_fields(void **state)
{
    (void)state;
    static const char many[] = "ExactManyToMany(first_name, last_name, notes)";
    static const char *const none[FIXTURE_FIELDS] = {NULL};
    static const char *const ann_lee[FIXTURE_FIELDS] = {[FIRST_NAME] = "ann", [LAST_NAME] = "lee"};
    static const char *const lee_ann[FIXTURE_FIELDS] = {[FIRST_NAME] = "lee", [LAST_NAME] = "ann"};
    static const char *const lee_kim[FIXTURE_FIELDS] = {[FIRST_NAME] = "lee", [LAST_NAME] = "kim"};
    static const char *const lee_null[FIXTURE_FIELDS] = {[FIRST_NAME] = "lee"};
    static const char *const eva_kim[FIXTURE_FIELDS] = {[FIRST_NAME] = "eva", [LAST_NAME] = "kim"};
    static const char *const noted[FIXTURE_FIELDS] = {[NOTES] = "x|ann|y"};
    static const char *const noted_eva[FIXTURE_FIELDS] = {[NOTES] = "eva|lee", [LAST_NAME] = "z"};
    expect_fields(many, ann_lee, ann_lee, KIN_TRUE);
    expect_fields(many, ann_lee, lee_ann, KIN_TRUE);
    expect_fields(many, ann_lee, noted, KIN_TRUE);
    expect_fields(many, ann_lee, eva_kim, KIN_FALSE);
    expect_fields(many, lee_null, eva_kim, KIN_FALSE);
    expect_fields(many, lee_null, noted_eva, KIN_TRUE);
    expect_fields(many, none, eva_kim, KIN_UNKNOWN);
    expect_fields(many, none, none, KIN_UNKNOWN);
    expect_fields("Swapped(first_name, last_name)", ann_lee, lee_ann, KIN_TRUE);
    expect_fields("Swapped(first_name, last_name)", ann_lee, ann_lee, KIN_FALSE);
    expect_fields("Swapped(first_name, last_name)", ann_lee, lee_kim, KIN_FALSE);
    expect_fields("Swapped(last_name, first_name)", ann_lee, lee_ann, KIN_TRUE);
    expect_fields("Swapped(first_name, last_name)", ann_lee, lee_null, KIN_UNKNOWN);
    expect_fields("Swapped(first_name, last_name)", eva_kim, lee_null, KIN_FALSE);
    expect_fields("Swapped(first_name, last_name)", none, lee_ann, KIN_UNKNOWN);
}

static void similarities(void **state)
{
    (void)state;
    expect("Levenshtein(notes, 3)", NOTES, "kitten", "sitting", KIN_TRUE);
    expect("Levenshtein(notes, 2)", NOTES, "kitten", "sitting", KIN_FALSE);
    expect("Levenshtein(notes, 2)", NOTES, "kitten", NULL, KIN_UNKNOWN);
    expect("Levenshtein(notes, 0)", NOTES, "kitten", "kitten", KIN_TRUE);
    expect("Levenshtein(notes, 0)", NOTES, "kitten", "mitten", KIN_FALSE);
    expect("Levenshtein(notes, 1)", NOTES, "jos\xc3\xa9", "jose", KIN_TRUE);
    expect("Levenshtein(notes, 1)", NOTES, "ca", "ac", KIN_FALSE);
    expect("Damerau(notes, 1)", NOTES, "ca", "ac", KIN_TRUE);
    expect("Damerau(notes, 0)", NOTES, "ca", "ac", KIN_FALSE);
    expect("Jaro(notes, 0.944)", NOTES, "martha", "marhta", KIN_TRUE); /* 0.9444 */
    expect("Jaro(notes, 0.945)", NOTES, "martha", "marhta", KIN_FALSE);
    expect("JaroWinkler(notes, 0.961)", NOTES, "martha", "marhta", KIN_TRUE); /* 0.9611 */
    expect("JaroWinkler(notes, 0.962)", NOTES, "martha", "marhta", KIN_FALSE);
    expect("JaroWinkler(notes, 1)", NOTES, "martha", "martha", KIN_TRUE);
    expect("LCS(notes, 0.8)", NOTES, "abcde", "abde", KIN_TRUE);
    expect("LCS(notes, 0.81)", NOTES, "abcde", "abde", KIN_FALSE);
    expect("LCS(notes, 0.75)", NOTES,
           "\xc3\xa9"
           "bcd",
           "\xc3\xa9"
           "bc",
           KIN_TRUE);                                                            /* 3 of 4 */
    expect("Jaccard(notes, 0.333)", NOTES, "main street", "street 5", KIN_TRUE); /* 1 of 3 */
    expect("Jaccard(notes, 0.334)", NOTES, "main street", "street 5", KIN_FALSE);
    expect("Jaccard(notes, 0.5, 2)", NOTES, "abcd", "abce", KIN_TRUE); /* 2 of 4 */
    expect("Jaccard(notes, 0.51, 2)", NOTES, "abcd", "abce", KIN_FALSE);
    expect("Cosine(notes, 0.5)", NOTES, "main street", "street 5", KIN_TRUE); /* 1 / 2 */
    expect("Cosine(notes, 0.51)", NOTES, "main street", "street 5", KIN_FALSE);
    expect("Cosine(notes, 0.66, 2)", NOTES, "abcd", "abce", KIN_TRUE); /* 2 / 3 */
    expect("Cosine(notes, 0.67, 2)", NOTES, "abcd", "abce", KIN_FALSE);
    expect("Soundex(last_name)", LAST_NAME, "robert", "rupert", KIN_TRUE);
    expect("Soundex(last_name)", LAST_NAME, "robert", "rubin", KIN_FALSE);
    expect("Soundex(last_name)", LAST_NAME, "robert", "42", KIN_UNKNOWN);
    expect("Soundex(last_name)", LAST_NAME, "42", "42", KIN_UNKNOWN);
    expect("NOT Soundex(last_name)", LAST_NAME, "robert", "42|rubin", KIN_TRUE);
    expect("Metaphone(last_name)", LAST_NAME, "smith", "schmidt", KIN_TRUE); /* SM0,XMT; XMT */
    expect("Metaphone(last_name)", LAST_NAME, "smith", "jones", KIN_FALSE);
    expect("Metaphone(last_name)", LAST_NAME, "42", "jones", KIN_UNKNOWN);
}

static void parts(void **state)
{
    (void)state;
    expect("Prefix(notes, 3)", NOTES, "abcd", "abce", KIN_TRUE);
    expect("Prefix(notes, 4)", NOTES, "abcd", "abce", KIN_FALSE);
    expect("Prefix(notes, 3)", NOTES, "ab", "ab", KIN_FALSE); /* too short */
    expect("Prefix(notes, 2)", NOTES, "ab", "ab", KIN_TRUE);
    expect("Prefix(notes, 2)", NOTES, "\xc3\xa9x", "\xc3\xa9xy", KIN_TRUE);
    expect("Prefix(notes, 3)", NOTES, "\xc3\xa9x", "\xc3\xa9xy", KIN_FALSE);
    expect("Prefix(notes, 1)", NOTES, "\xc3\xa9x", "\xc3\xa8x", KIN_FALSE); /* same first byte */
    expect("Prefix(notes, 1)", NOTES, NULL, "x", KIN_UNKNOWN);
    expect("Suffix(notes, 3)", NOTES, "xbcd", "ybcd", KIN_TRUE);
    expect("Suffix(notes, 4)", NOTES, "xbcd", "ybcd", KIN_FALSE);
    expect("Suffix(notes, 5)", NOTES, "xbcd", "xbcd", KIN_FALSE);
    expect("Suffix(notes, 2)", NOTES, "ax\xe2\x82\xac", "bx\xe2\x82\xac", KIN_TRUE);
    expect("Suffix(notes, 2)", NOTES, "y\xe2\x82\xac", "x\xe2\x82\xac", KIN_FALSE);
    expect("Suffix(notes, 2)", NOTES, "\xe2\x82\xac", "\xe2\x82\xac", KIN_FALSE);
    expect("SameYear(dob)", DOB, "1972-01-01", "1972-12-31", KIN_TRUE);
    expect("SameYear(dob)", DOB, "1971-12-31", "1972-01-01", KIN_FALSE);
    expect("SameYear(dob)", DOB, NULL, "1972-01-01", KIN_UNKNOWN);
}

static void nearness(void **state)
{
    (void)state;
    expect("Within(dob, 1 day)", DOB, "1972-02-28", "1972-02-29", KIN_TRUE);
    expect("Within(dob, 1 day)", DOB, "1972-02-28", "1972-03-01", KIN_FALSE);
    expect("Within(dob, 0 days)", DOB, "1972-02-28", "1972-02-28", KIN_TRUE);
    expect("Within(dob, 2 weeks)", DOB, "1972-02-01", "1972-02-15", KIN_TRUE);
    expect("Within(dob, 2 weeks)", DOB, "1972-02-01", "1972-02-16", KIN_FALSE);
    expect("Within(dob, 1 year)", DOB, "1971-03-01", "1972-02-29", KIN_TRUE); /* 365 days */
    expect("Within(dob, 1 year)", DOB, "1971-03-01", "1972-03-01", KIN_FALSE);
    expect("Within(dob, 10000 years)", DOB, "0001-01-01", "9999-12-31", KIN_TRUE);
    expect("Within(dob, 1 day)", DOB, NULL, "1972-03-01", KIN_UNKNOWN);
    expect("Within(price, 0.01)", PRICE, "20.02", "20.03", KIN_TRUE);
    expect("Within(price, 0.1)", PRICE, "0.3", "0.4", KIN_TRUE);
    expect("Within(price, 0.01)", PRICE, "20.02", "20.04", KIN_FALSE);
    expect("Within(price, 0.01)", PRICE, "20.02", "20.030001", KIN_FALSE);
    expect("Within(price, 0)", PRICE, "5", "5.0", KIN_TRUE);
    expect("Within(price, 2)", PRICE, "-1", "1", KIN_TRUE);
    expect("Within(price, 5 %)", PRICE, "95", "100", KIN_TRUE);
    expect("Within(price, 5 %)", PRICE, "100", "105.2", KIN_TRUE); /* of the larger */
    expect("Within(price, 5 %)", PRICE, "94.9", "100", KIN_FALSE);
    expect("Within(price, 5 %)", PRICE, "-95", "-100", KIN_TRUE);
    expect("Within(price, 100 %)", PRICE, "1", "-1", KIN_FALSE);
    expect("Within(price, 5 %)", PRICE, "0", "0", KIN_TRUE);
    expect("Within(price, 1)", PRICE, "nan", "nan", KIN_FALSE);
    expect("Within(price, 1)", PRICE, "1e308", "-1e308", KIN_FALSE);
    /* one degree of latitude is 111.195 km */
    expect("Within(place, 111.2 km)", PLACE, "50,8", "51,8", KIN_TRUE);
    expect("Within(place, 111.1 km)", PLACE, "50,8", "51,8", KIN_FALSE);
    expect("Within(place, 111200 m)", PLACE, "50,8", "51,8", KIN_TRUE);
    expect("Within(place, 111100 m)", PLACE, "50,8", "51,8", KIN_FALSE);
    expect("Within(place, 1 m)", PLACE, "0,180", "0,-180", KIN_TRUE);
    expect("Within(place, 20100 km)", PLACE, "90,0", "-90,0", KIN_TRUE);
}

static void the_best_pair_of_values_counts(void **state)
{
    (void)state;
    expect("Exact(email)", EMAIL, "a|b", "c|b", KIN_TRUE);
    expect("Exact(email)", EMAIL, "a|b", "c|d", KIN_FALSE);
    expect("Differs(email)", EMAIL, "a|b", "c|b", KIN_FALSE);
    expect("Differs(email)", EMAIL, "a|b", "c|d", KIN_TRUE);
    expect("Exact(email, EmptyValues=Process)", EMAIL, "a|b", "b", KIN_TRUE);
    expect("Levenshtein(email, 1)", EMAIL, "abc|xyz", "pqr|xyy", KIN_TRUE);
    expect("Jaro(email, 0.9)", EMAIL, "abc|xyz", "pqr|xyz", KIN_TRUE);
    expect("Within(dob, 1 day)", DOB, "1970-01-01|1980-01-01", "1980-01-02", KIN_TRUE);
    expect("Soundex(notes)", NOTES, "42|robert", "rupert|7", KIN_TRUE);
    expect("Soundex(notes)", NOTES, "42|robert", "lee|7", KIN_FALSE);
    /* different terms, different pairs */
    expect("Exact(email) AND Differs(email)", EMAIL, "a|b", "a|b", KIN_FALSE);
    expect("Prefix(email, 1) AND Suffix(email, 1)", EMAIL, "ax|yb", "a|b", KIN_TRUE);
}

/* Terms of known truth on the two records below. */
#define T "Exact(email)"
#define F "Exact(phone)"
#define U "Exact(dob)"

static void the_logic_is_kleenes(void **state)
{
    (void)state;
    static const char *const terms[3] = {[KIN_FALSE] = F, [KIN_UNKNOWN] = U, [KIN_TRUE] = T};
    static const char *const a[FIXTURE_FIELDS] = {[EMAIL] = "a", [PHONE] = "1"};
    static const char *const b[FIXTURE_FIELDS] = {
        [EMAIL] = "a", [PHONE] = "2", [DOB] = "1970-01-01"};
    char text[128];
    for (unsigned x = 0; x < 3; x++) {
        snprintf(text, sizeof text, "NOT %s", terms[x]);
        expect_fields(text, a, b, (enum kin_truth)(2 - x));
        for (unsigned y = 0; y < 3; y++) {
            snprintf(text, sizeof text, "%s AND %s", terms[x], terms[y]);
            expect_fields(text, a, b, (enum kin_truth)(x < y ? x : y));
            snprintf(text, sizeof text, "%s OR %s", terms[x], terms[y]);
            expect_fields(text, a, b, (enum kin_truth)(x > y ? x : y));
        }
    }
    expect_fields(F " AND " U " OR " T, a, b, KIN_TRUE);
    expect_fields(F " AND (" U " OR " T ")", a, b, KIN_FALSE);
    expect_fields("NOT (" U " OR " F ")", a, b, KIN_UNKNOWN);
    expect_fields("NOT NOT " U, a, b, KIN_UNKNOWN);
}

/* Damaged payloads (a date of one byte, say) are no values, and nothing is read past them. */
static void damaged_payloads_count_as_no_value(void **state)
{
    (void)state;
    struct kin_buf buf = {0};
    struct kin_features_builder b;
    kin_features_begin(&b, &buf, FIXTURE_FIELDS, 0, 0, KIN_STR("r"));
    static const unsigned fields[] = {DOB, PRICE, PLACE};
    for (unsigned i = 0; i < 3; i++) {
        kin_features_field(&b, fields[i]);
        kin_features_value(&b, "x", 1, true);
    }
    kin_features_field(&b, NOTES);
    kin_features_value(&b, "\xe2\x82", 2, false);
    assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
    uint8_t *rec = kin_alloc(buf.n); /* exactly as long as it is */
    assert_non_null(rec);
    memcpy(rec, buf.p, buf.n);
    static const char *const unknown[] = {"Within(dob, 9 days)", "Within(price, 5 %)",
                                          "Within(price, 1)", "Within(place, 1 km)",
                                          "SameYear(dob)"};
    struct kin_arena arena = {0};
    struct kin_kernel_scratch *s = kin_kernel_scratch_new();
    for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_int_equal(kin_condition_eval(parsed(&arena, unknown[i]), rec, rec, s), KIN_UNKNOWN);
    /* a broken sequence of two bytes is two characters */
    assert_int_equal(kin_condition_eval(parsed(&arena, "Prefix(notes, 2)"), rec, rec, s), KIN_TRUE);
    assert_int_equal(kin_condition_eval(parsed(&arena, "Suffix(notes, 3)"), rec, rec, s),
                     KIN_FALSE);
    assert_int_equal(kin_condition_eval(parsed(&arena, "Exact(dob)"), rec, rec, s), KIN_TRUE);
    kin_kernel_scratch_free(s);
    kin_arena_deinit(&arena);
    kin_free(rec);
    kin_buf_deinit(&buf);
}

static void equal_hashes_of_different_bytes_are_not_equal(void **state)
{
    (void)state;
    static const char *const a[FIXTURE_FIELDS] = {[NOTES] = "first"};
    static const char *const b[FIXTURE_FIELDS] = {[NOTES] = "other"};
    uint8_t *x = fixture_record(a), *y = fixture_record(b);
    const uint8_t *at_x = x, *at_y = y;
    kin_features_values(x, NOTES, &at_x);
    kin_features_values(y, NOTES, &at_y);
    memcpy(y + (at_y - y), at_x, 8); /* the hash */
    struct kin_arena arena = {0};
    struct kin_kernel_scratch *s = kin_kernel_scratch_new();
    assert_int_equal(kin_condition_eval(parsed(&arena, "Exact(notes)"), x, y, s), KIN_FALSE);
    kin_kernel_scratch_free(s);
    kin_arena_deinit(&arena);
    kin_free(x);
    kin_free(y);
}

/* Against counting days year by year, over every year's ends from -800 to 3200. */
static void years_follow_the_calendar(void **state)
{
    (void)state;
    int32_t first = 0;
    for (int year = 1970; year < 3200; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        assert_int_equal(kin_year_of_days(first), year);
        first += leap ? 366 : 365;
        assert_int_equal(kin_year_of_days(first - 1), year);
    }
    first = 0;
    for (int year = 1969; year >= -800; year--) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        assert_int_equal(kin_year_of_days(first - 1), year);
        first -= leap ? 366 : 365;
        assert_int_equal(kin_year_of_days(first), year);
    }
    assert_int_equal(kin_year_of_days(INT32_MAX), 5881580);
    assert_int_equal(kin_year_of_days(INT32_MIN), -5877641);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality),
        cmocka_unit_test(equality_of_several_fields),
        cmocka_unit_test(similarities),
        cmocka_unit_test(parts),
        cmocka_unit_test(nearness),
        cmocka_unit_test(the_best_pair_of_values_counts),
        cmocka_unit_test(the_logic_is_kleenes),
        cmocka_unit_test(damaged_payloads_count_as_no_value),
        cmocka_unit_test(equal_hashes_of_different_bytes_are_not_equal),
        cmocka_unit_test(years_follow_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
