/* The language of levels: spellings, mistakes and their places, and what can never be reached. */
#include "common/match/compare_impl.h"
#include "tests/unit/compare_fixture.h"

static const struct kin_comparison no_fields = {.name = "test"};

/* Comparisons by the name of their field, or of two with " + " between. */
static struct kin_comparison comparison_of(const char *fields)
{
    struct kin_comparison c = no_fields;
    const char *plus = strstr(fields, " + ");
    struct kin_str first = {fields, plus ? (size_t)(plus - fields) : strlen(fields)};
    int field = kin_schema_find(&fixture_schema, first);
    assert_true(field >= 0);
    c.fields[c.field_count++] = (uint16_t)field;
    if (plus) {
        field = kin_schema_find(&fixture_schema, kin_str_of(plus + 3));
        assert_true(field >= 0);
        c.fields[c.field_count++] = (uint16_t)field;
    }
    return c;
}

/* ---- spellings ---- */

static const struct {
    const char *fields, *written, *canonical;
} spellings[] = {
    {"last_name", "exact", "exact"},
    {"last_name", "  EXACT ", "exact"},
    {"last_name", "jaro_winkler 0.92", "jaro_winkler 0.92"},
    {"last_name", "Jaro_Winkler\t0.920", "jaro_winkler 0.92"},
    {"last_name", "jaro_winkler 1.0", "jaro_winkler 1"},
    {"last_name", "jaro 00.5", "jaro 0.5"},
    {"last_name", "lcs 0.333333333333333", "lcs 0.333333333333333"},
    {"tax_id", "levenshtein 02", "levenshtein 2"},
    {"dob", "Damerau 1", "damerau 1"},
    {"notes", "jaccard 0.6", "jaccard 0.6"},
    {"notes", "jaccard 0.6 of words", "jaccard 0.6"},
    {"notes", "jaccard 0.6 of 3-grams", "jaccard 0.6 of 3-grams"},
    {"notes", "cosine 0.6 OF 2 - Grams", "cosine 0.6 of 2-grams"},
    {"notes", "cosine 0.6 of 2 grams", "cosine 0.6 of 2-grams"},
    {"last_name", "soundex", "soundex"},
    {"last_name", "METAPHONE", "metaphone"},
    {"postcode", "prefix 3", "prefix 3"},
    {"phone", "Suffix 7", "suffix 7"},
    {"address", "contains", "contains"},
    {"first_name", "initial", "initial"},
    {"email", "same username", "same username"},
    {"email", "Same  Domain", "same domain"},
    {"dob", "within 1 days", "within 1 day"},
    {"dob", "within 3 Day", "within 3 days"},
    {"dob", "within 1 week", "within 1 week"},
    {"dob", "within 6 month", "within 6 months"},
    {"dob", "within 010 years", "within 10 years"},
    {"dob", "same year", "same year"},
    {"dob", "same day and month", "same month and day"},
    {"dob", "same month and year", "same year and month"},
    {"dob", "day and month swapped", "day and month swapped"},
    {"dob", "Month AND day swapped", "day and month swapped"},
    {"price", "within 0.50", "within 0.5"},
    {"price", "within 5%", "within 5 %"},
    {"price", "within 100 %", "within 100 %"},
    {"place", "within 2.50km", "within 2.5 km"},
    {"place", "within 50 M", "within 50 m"},
    {"first_name + last_name", "swapped", "swapped"},
    {"first_name + last_name", "swapped exact", "swapped"},
    {"first_name + last_name", "Swapped Jaro_Winkler 0.9", "swapped jaro_winkler 0.9"},
    {"first_name + last_name", "any exact", "any exact"},
    {"first_name + last_name", "any damerau 1", "any damerau 1"},
};

static void all_spellings_have_one_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        struct kin_arena arena = {0};
        struct kin_comparison c = comparison_of(spellings[i].fields);
        const char *text = level_text(&arena, parse_level(&arena, &c, spellings[i].written));
        assert_string_equal(text, spellings[i].canonical);
        const char *again = level_text(&arena, parse_level(&arena, &c, text));
        assert_string_equal(again, text);
        kin_arena_deinit(&arena);
    }
}

static void numbers_become_limits(void **state)
{
    (void)state;
    static const struct {
        const char *field, *level;
        double limit;
    } cases[] = {
        {"dob", "within 1 day", 1},       {"dob", "within 2 weeks", 14},
        {"dob", "within 1 month", 30},    {"dob", "within 2 months", 61},
        {"dob", "within 12 months", 365}, {"dob", "within 24 months", 731},
        {"dob", "within 1 year", 365},    {"dob", "within 2 years", 731},
        {"dob", "within 3 years", 1096},  {"dob", "within 10000 years", 3652500},
        {"price", "within 5 %", 0.05},    {"price", "within 0.1", 0.1},
        {"place", "within 50 m", 0.05},   {"place", "within 2.5 km", 2.5},
        {"last_name", "jaro 0.1", 0.1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_arena arena = {0};
        struct kin_comparison c = comparison_of(cases[i].field);
        double limit = parse_level(&arena, &c, cases[i].level)->limit;
        assert_memory_equal(&limit, &cases[i].limit, sizeof limit);
        kin_arena_deinit(&arena);
    }
}

/* ---- mistakes ---- */

static void expect_error(const char *fields, const char *text, unsigned column, const char *message)
{
    struct kin_arena arena = {0};
    struct kin_comparison c = comparison_of(fields);
    const struct kin_level *level = NULL;
    unsigned at = 0;
    struct kin_err err = {0};
    kin_status status =
        kin_level_parse(&arena, &fixture_schema, &c, kin_str_of(text), &level, &at, &err);
    if (status != KIN_E_SYNTAX || at != column || strcmp(err.msg, message) != 0)
        fail_msg("'%s': status %d, column %u: %s", text, (int)status, at, err.msg);
    assert_null(level);
    kin_arena_deinit(&arena);
}

static void mistakes_have_their_place(void **state)
{
    (void)state;
    static const char all[] =
        "there are exact, jaro_winkler, jaro, lcs, levenshtein, damerau, jaccard, cosine, tfidf, "
        "soft_tfidf, soundex, metaphone, prefix, suffix, contains, initial, within, same year "
        "(month, day, username, "
        "domain), day and month swapped; swapped and any before them";
    char message[400];
    snprintf(message, sizeof message, "no level \"bm25\"; %s", all);
    expect_error("last_name", "bm25 0.9", 1, message);
    snprintf(message, sizeof message, "no level \"day\"; %s", all);
    expect_error("dob", "day and month", 1, message);
    expect_error("last_name", "exakt", 1, "no level \"exakt\"; did you mean exact?");
    expect_error("last_name", "jarowinkler 0.9", 1,
                 "no level \"jarowinkler\"; did you mean jaro_winkler?");
    expect_error("first_name + last_name", "swaped", 1,
                 "no level \"swaped\"; did you mean swapped?");
    expect_error("last_name", "", 1,
                 "expected a level such as exact or jaro_winkler 0.92, found the end");
    expect_error("first_name + last_name", "any", 4,
                 "expected a level such as exact or jaro_winkler 0.92, found the end");
    expect_error("last_name", ">= 0.9", 1,
                 "expected a level such as exact or jaro_winkler 0.92, found \">\"");
    expect_error("last_name", "exact 1", 7, "expected the end of the level, found \"1\"");
    expect_error("last_name", "jaro", 5, "expected a similarity such as 0.9, found the end");
    expect_error("last_name", "jaro .9", 6, "expected a similarity such as 0.9, found \".\"");
    expect_error("last_name", "jaro 0", 6,
                 "a similarity is greater than 0 and at most 1 (90 % is 0.9), found 0");
    expect_error("last_name", "jaro 1.01", 6,
                 "a similarity is greater than 0 and at most 1 (90 % is 0.9), found 1.01");
    expect_error("last_name", "jaro 0.9 0.8", 10, "expected the end of the level, found \"0\"");
    expect_error(
        "last_name", "jaccard 0.9 of 9-grams", 16,
        "expected words, or a size as in 3-grams, a whole number from 1 to 8, found \"9\"");
    expect_error("last_name", "jaccard 0.9 of tokens", 16,
                 "expected words, or a size as in 3-grams, found \"tokens\"");
    expect_error("last_name", "jaccard 0.9 of 2-gramms", 18,
                 "expected \"-grams\", found \"gramms\"");
    expect_error("last_name", "levenshtein 0", 13,
                 "expected a distance, a whole number from 1 to 64, found \"0\"");
    expect_error("last_name", "damerau 65", 9,
                 "expected a distance, a whole number from 1 to 64, found \"65\"");
    expect_error("last_name", "damerau 1.5", 9,
                 "expected a distance, a whole number from 1 to 64, found \"1.5\"");
    expect_error("last_name", "prefix", 7, "expected a length, found the end");
    expect_error("phone", "soundex", 1,
                 "soundex takes a field of type name, text, email, postcode, id or address; "
                 "\"phone\" is of type phone");
    expect_error("email", "same year", 1,
                 "same year, month or day takes a field of type date; \"email\" is of type email");
    expect_error("dob", "same username", 1,
                 "same username takes a field of type email; \"dob\" is of type date");
    expect_error("dob", "same age", 6,
                 "expected year, month, day, username or domain, found \"age\"");
    expect_error("dob", "same", 5, "expected year, month, day, username or domain, found the end");
    expect_error("dob", "same year and", 14, "expected year, month or day, found the end");
    expect_error("dob", "same year and year", 15, "\"year\" is given twice");
    expect_error("dob", "same year and month and day", 25,
                 "the same year, month and day are equal dates; expected exact");
    expect_error("dob", "within 1.5 years", 8, "expected a whole number of years");
    expect_error("dob", "within 10001 years", 8, "expected at most 10000 years");
    expect_error("dob", "within 5 %", 10,
                 "for a field of type date expected an amount such as 1 day, 6 months or 2 years, "
                 "found \"%\" as the unit");
    expect_error("price", "within 2 days", 10,
                 "for a field of type number expected an amount such as 0.5 or 5 %, found \"days\" "
                 "as the unit");
    expect_error("price", "within 101 %", 8, "expected at most 100 %");
    expect_error("place", "within 2 miles", 10,
                 "for a field of type geo expected an amount such as 2 km or 50 m, found \"miles\" "
                 "as the unit");
    expect_error("place", "within 0.0 km", 8,
                 "expected an amount greater than 0; equal values are exact");
    expect_error("last_name", "within 1 day", 1,
                 "within takes a field of type date, number or geo; \"last_name\" is of type name");
    expect_error(
        "last_name", "any exact", 1,
        "any needs a comparison of several fields (`fields: [f, g]`); of several values of "
        "one field the best pair counts anyway");
    expect_error("first_name + last_name", "swapped swapped", 9,
                 "swapped and any stand before a level, and only one of them");
}

static void a_level_has_a_bounded_length(void **state)
{
    (void)state;
    char text[KIN_LEVEL_TEXT_MAX + 2];
    memset(text, ' ', sizeof text);
    text[KIN_LEVEL_TEXT_MAX + 1] = '\0';
    memcpy(text, "exact", 5);
    expect_error("last_name", text, KIN_LEVEL_TEXT_MAX + 1,
                 "a level has at most 128 bytes, found 129");
    text[KIN_LEVEL_TEXT_MAX] = '\0';
    struct kin_arena arena = {0};
    struct kin_comparison c = comparison_of("last_name");
    assert_non_null(parse_level(&arena, &c, text));
    kin_arena_deinit(&arena);
}

/* "FIELD: LEVEL" and below it "   ^ message". */
static void the_mistakes_of_the_reference_are_told_so(void **state)
{
    (void)state;
    FILE *file = fopen(KIN_SOURCE_DIR "/docs/comparisons.md", "rb");
    assert_non_null(file);
    char line[512], level[512] = "";
    bool inside = false;
    unsigned count = 0;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "```", 3) == 0) {
            inside = strcmp(line, "```level-errors") == 0;
        } else if (inside && line[0] != ' ') {
            memcpy(level, line, sizeof level);
        } else if (inside) {
            char *text = strstr(level, ": "), *mark = strstr(line, "^ ");
            assert_true(text && mark);
            *text = '\0';
            long at = mark - line - (text + 2 - level);
            expect_error(level, text + 2, (unsigned)at + 1, mark + 2);
            count++;
        }
    }
    assert_int_equal(fclose(file), 0);
    assert_in_range(count, 7, 50);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct kin_comparison c = comparison_of("last_name");
    const struct kin_level *level = NULL;
    unsigned column = 0;
    struct kin_err err = {0};
    kin_alloc_fail_after(0);
    kin_status status =
        kin_level_parse(&arena, &fixture_schema, &c, KIN_STR("exact"), &level, &column, &err);
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(status, KIN_E_NOMEM);
    assert_null(level);
    kin_arena_deinit(&arena);
}

/* ---- what can never be reached ---- */

static void a_weaker_level_hides_a_stronger_one(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *earlier, *later;
        bool hides;
    } cases[] = {
        {"last_name", "jaro_winkler 0.8", "jaro_winkler 0.92", true},
        {"last_name", "jaro_winkler 0.92", "jaro_winkler 0.8", false},
        {"last_name", "jaro_winkler 0.92", "jaro_winkler 0.920", true},
        {"last_name", "jaro_winkler 0.9", "jaro 0.9", true},
        {"last_name", "jaro 0.9", "jaro_winkler 0.9", false},
        {"last_name", "jaro 0.9", "lcs 0.95", false},
        {"last_name", "soundex", "exact", true},
        {"last_name", "exact", "soundex", false},
        {"last_name", "soundex", "metaphone", false},
        {"last_name", "damerau 1", "levenshtein 1", true},
        {"last_name", "levenshtein 1", "damerau 1", false},
        {"last_name", "levenshtein 2", "damerau 1", true},
        {"last_name", "prefix 3", "prefix 4", true},
        {"last_name", "prefix 4", "prefix 3", false},
        {"last_name", "cosine 0.5", "jaccard 0.5", true},
        {"last_name", "jaccard 0.5", "cosine 0.5", false},
        {"last_name", "cosine 0.5", "jaccard 0.6 of 2-grams", false},
        {"dob", "same year", "same year and month", true},
        {"dob", "same year and month", "same year", false},
        {"dob", "same month", "same year and day", false},
        {"dob", "same year", "day and month swapped", true},
        {"dob", "day and month swapped", "same year", false},
        {"dob", "within 1 year", "within 12 months", true},
        {"dob", "within 1 year", "within 13 months", false},
        {"dob", "within 1 month", "same year and month", true},
        {"dob", "within 4 weeks", "same year and month", false},
        {"dob", "within 1 year", "same year", true},
        {"dob", "within 11 months", "same year", false},
        {"dob", "within 1 year", "same month and day", false},
        {"price", "within 5 %", "within 2 %", true},
        {"price", "within 5 %", "within 0.01", false},
        {"place", "within 1 km", "within 500 m", true},
        {"first_name + last_name", "any exact", "exact", true},
        {"first_name + last_name", "any exact", "swapped", true},
        {"first_name + last_name", "exact", "any exact", false},
        {"first_name + last_name", "exact", "swapped", false},
        {"first_name + last_name", "swapped", "exact", false},
        {"first_name + last_name", "swapped jaro 0.8", "swapped jaro 0.9", true},
        {"first_name + last_name", "jaro 0.8", "swapped jaro 0.9", false},
        {"first_name + last_name", "any jaro 0.8", "swapped jaro 0.9", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_arena arena = {0};
        struct kin_comparison c = comparison_of(cases[i].fields);
        bool hides = kin_level_hides(parse_level(&arena, &c, cases[i].earlier),
                                     parse_level(&arena, &c, cases[i].later));
        if (hides != cases[i].hides)
            fail_msg("'%s' before '%s': %d", cases[i].earlier, cases[i].later, hides);
        kin_arena_deinit(&arena);
    }
}

static void only_equal_values_are_exact(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct kin_comparison c = comparison_of("first_name + last_name");
    assert_true(kin_level_is_exact(parse_level(&arena, &c, "exact")));
    assert_true(kin_level_is_exact(parse_level(&arena, &c, "any exact")));
    assert_false(kin_level_is_exact(parse_level(&arena, &c, "swapped")));
    assert_false(kin_level_is_exact(parse_level(&arena, &c, "jaro 1")));
    kin_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_spellings_have_one_text),
        cmocka_unit_test(numbers_become_limits),
        cmocka_unit_test(mistakes_have_their_place),
        cmocka_unit_test(a_level_has_a_bounded_length),
        cmocka_unit_test(the_mistakes_of_the_reference_are_told_so),
        cmocka_unit_test(running_out_of_memory_is_reported),
        cmocka_unit_test(a_weaker_level_hides_a_stronger_one),
        cmocka_unit_test(only_equal_values_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
