/* Comparisons: the examples of docs/comparisons.md, readings of several fields, what is told of a
 * level, and what is counted. The definitions themselves are tested in tests/property. */
#include "common/base/hash.h"
#include "common/match/compare_impl.h"
#include "common/match/kernels.h"
#include "tests/unit/compare_fixture.h"
#include "tests/unit/kernels_reference.h"

/* ---- helpers ---- */

struct comparing {
    struct kin_arena arena;
    struct kin_comparison comparison;
    struct kin_comparer *comparer;
    struct kin_comparer_scratch *s;
};

/* levels: separated by "; ". */
static struct comparing comparing(const uint16_t *fields, unsigned field_count, const char *levels,
                                  bool term_frequency)
{
    struct comparing x = {.comparison = {.name = "test", .field_count = field_count}};
    x.comparison.term_frequency = term_frequency;
    memcpy(x.comparison.fields, fields, field_count * sizeof *fields);
    for (const char *at = levels; at;) {
        const char *end = strstr(at, "; ");
        size_t n = end ? (size_t)(end - at) : strlen(at);
        const char *text = kin_arena_strndup(&x.arena, at, n);
        x.comparison.levels[x.comparison.level_count++] =
            parse_level(&x.arena, &x.comparison, text);
        at = end ? end + 2 : NULL;
    }
    assert_int_equal(kin_comparer_new(&fixture_schema, &x.comparison, 1, &x.comparer, NULL),
                     KIN_OK);
    x.s = kin_comparer_scratch_new();
    assert_non_null(x.s);
    return x;
}

static void done(struct comparing *x)
{
    kin_comparer_scratch_free(x->s);
    kin_comparer_free(x->comparer);
    kin_arena_deinit(&x->arena);
}

static uint8_t *record_of(unsigned field, const char *value)
{
    const char *values[FIXTURE_FIELDS] = {NULL};
    values[field] = value;
    return fixture_record(values);
}

/* The level of two records, which are freed; the same whether it is asked for more or not. */
static unsigned level_of(struct comparing *x, uint8_t *a, uint8_t *b, struct kin_compared *out)
{
    struct kin_compared ignored;
    unsigned level = kin_comparer_level(x->comparer, x->s, 0, a, b, NULL);
    assert_int_equal(kin_comparer_level(x->comparer, x->s, 0, a, b, out ? out : &ignored), level);
    assert_int_equal(kin_comparer_level(x->comparer, x->s, 0, b, a, NULL), level);
    assert_true(kin_comparer_pattern(x->comparer, x->s, a, b) == level);
    if (!out) {
        kin_free(a);
        kin_free(b);
    }
    return level;
}

/* ---- docs/comparisons.md ---- */

static char *read_doc(void)
{
    FILE *file = fopen(KIN_SOURCE_DIR "/docs/comparisons.md", "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 16);
    assert_non_null(text);
    assert_in_range(fread(text, 1, (1 << 16) - 1, file), 1000, (1 << 16) - 2);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* Calls check with each line of the blocks of a kind; returns how many there were. */
static unsigned each_line(char *doc, const char *kind, void (*check)(char *line))
{
    char fence[40];
    unsigned count = 0;
    snprintf(fence, sizeof fence, "```%s\n", kind);
    for (char *at = doc; (at = strstr(at, fence)) != NULL;) {
        at += strlen(fence);
        for (char *end; strncmp(at, "```", 3) != 0; at = end + 1, count++) {
            end = strchr(at, '\n');
            assert_non_null(end);
            *end = '\0';
            check(at);
            *end = '\n';
        }
    }
    return count;
}

/* Cuts at the first `mark`; returns what is behind it. */
static char *cut(char *text, const char *mark)
{
    char *at = strstr(text, mark);
    if (!at)
        fail_msg("no '%s' in: %s", mark, text);
    *at = '\0';
    return at + strlen(mark);
}

static unsigned field_of_type(const char *name)
{
    for (unsigned f = 0; f < FIXTURE_FIELDS; f++) {
        if (strcmp(kin_type_name(fixture_fields[f].type), name) == 0)
            return f;
    }
    fail_msg("no field of type %s", name);
    return 0;
}

static void check_example(char *line)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", line);
    char *level = cut(copy, ": "), *a = cut(level, " | "), *b = cut(a, " | "), *yes = cut(b, " | ");
    uint16_t field = (uint16_t)field_of_type(copy);
    struct comparing x = comparing(&field, 1, level, false);
    unsigned expected = strcmp(yes, "yes") == 0 ? 1 : 2;
    if (level_of(&x, record_of(field, a), record_of(field, b), NULL) != expected)
        fail_msg("not so: %s", line);
    done(&x);
}

static void set_values(char *text, const uint16_t *fields, unsigned count,
                       const char *values[FIXTURE_FIELDS])
{
    for (unsigned i = 0; i < count; i++) {
        char *next = i + 1 < count ? cut(text, " + ") : NULL;
        values[fields[i]] = strcmp(text, "-") == 0 ? NULL : text;
        text = next;
    }
}

static void check_pair(char *line)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", line);
    char *levels = cut(copy, ": "), *a = cut(levels, " | "), *b = cut(a, " | ");
    char *level = cut(b, " | "), *second = cut(copy, ", ");
    uint16_t fields[] = {(uint16_t)kin_schema_find(&fixture_schema, kin_str_of(copy)),
                         (uint16_t)kin_schema_find(&fixture_schema, kin_str_of(second))};
    struct comparing x = comparing(fields, 2, levels, false);
    const char *values_a[FIXTURE_FIELDS] = {NULL}, *values_b[FIXTURE_FIELDS] = {NULL};
    set_values(a, fields, 2, values_a);
    set_values(b, fields, 2, values_b);
    unsigned expected = (unsigned)(level[0] - '0');
    if (level_of(&x, fixture_record(values_a), fixture_record(values_b), NULL) != expected)
        fail_msg("not so: %s", line);
    done(&x);
}

static void the_examples_of_the_reference_are_true(void **state)
{
    (void)state;
    char *doc = read_doc();
    assert_in_range(each_line(doc, "level-examples", check_example), 50, 200);
    assert_in_range(each_line(doc, "level-pairs", check_pair), 10, 100);
    free(doc);
}

static void the_reference_has_every_level(void **state)
{
    (void)state;
    char *doc = read_doc();
    for (unsigned fn = 0; fn < KIN_LEVEL_FNS; fn++) {
        char row[64];
        const char *name = kin_level_specs[fn].name;
        snprintf(row, sizeof row, "`%s", strcmp(name, "same") == 0 ? "same year" : name);
        if (!strstr(doc, row))
            fail_msg("docs/comparisons.md lacks %s", row);
    }
    free(doc);
}

/* ---- values ---- */

static void equal_values_are_at_the_strongest_level(void **state)
{
    (void)state;
    static const struct {
        unsigned field;
        const char *levels, *value;
    } cases[] = {
        {LAST_NAME, "soundex; jaro_winkler 0.9", "42"}, /* no letter: no code */
        {LAST_NAME, "initial; contains", "anna"},
        {POSTCODE, "prefix 9", "a"},
        {EMAIL, "same username; same domain", "nobody"},
        {DOB, "day and month swapped; within 1 year", "1984-03-12"},
        {PLACE, "within 1 m", "1,1"},
        {PRICE, "within 1 %", "0"},
        {LAST_NAME, "exact", "smith"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t field = (uint16_t)cases[i].field;
        struct comparing x = comparing(&field, 1, cases[i].levels, false);
        assert_int_equal(
            level_of(&x, record_of(field, cases[i].value), record_of(field, cases[i].value), NULL),
            1);
        assert_int_equal(level_of(&x, record_of(field, cases[i].value),
                                  record_of(field == NOTES ? ODD : NOTES, "x"), NULL),
                         0);
        done(&x);
    }
}

static void of_several_values_the_best_pair_counts(void **state)
{
    (void)state;
    const uint16_t field = EMAIL;
    struct comparing x = comparing(&field, 1, "exact; same username; jaro_winkler 0.9", false);
    static const struct {
        const char *a, *b;
        unsigned level;
    } cases[] = {
        {"a@x.org|b@x.org", "c@y.org|b@x.org", 1},
        {"a@x.org|b@x.org", "c@y.org|b@y.org", 2},
        {"abcdef@x.org|q@q.q", "zz@zz.zz|abcdeg@x.org", 3},
        {"a@x.org|b@x.org", "zz@zz.zz", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            level_of(&x, record_of(field, cases[i].a), record_of(field, cases[i].b), NULL),
            cases[i].level);
    done(&x);
}

/* ---- dates ---- */

static void days_are_civil_dates(void **state)
{
    (void)state;
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct kin_civil expected = {0, 1, 1};
    for (int32_t days = -719528; expected.year < 12000; days++) { /* day by day from the year 0 */
        int year = expected.year;
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        struct kin_civil got = kin_civil_of_days(days);
        if (got.year != year || got.month != expected.month || got.day != expected.day)
            fail_msg("day %d: %d-%u-%u", (int)days, (int)got.year, got.month, got.day);
        assert_int_equal(year == 1970 && expected.month == 1 && expected.day == 1, days == 0);
        expected.day++;
        if (expected.day > lengths[expected.month - 1] + (expected.month == 2 && leap)) {
            expected.day = 1;
            expected.month++;
        }
        if (expected.month > 12) {
            expected.month = 1;
            expected.year++;
        }
    }
    struct kin_civil before = kin_civil_of_days(-719529);
    assert_true(before.year == -1 && before.month == 12 && before.day == 31);
    /* far off: something, and no overflow */
    assert_in_range(kin_civil_of_days(INT32_MAX).month, 1, 12);
    assert_in_range(kin_civil_of_days(INT32_MIN).day, 1, 31);
}

static unsigned distance_of_dates(struct kin_civil a, struct kin_civil b, bool swaps)
{
    char text[2][KIN_CIVIL_TEXT_MAX];
    static struct ref_text x, y;
    ref_decode(text[0], kin_civil_text(a, text[0]), &x);
    ref_decode(text[1], kin_civil_text(b, text[1]), &y);
    return ref_edit(&x, &y, swaps);
}

static uint8_t *dated(int32_t days)
{
    struct kin_buf buf = {0};
    struct kin_features_builder b;
    kin_features_begin(&b, &buf, FIXTURE_FIELDS, 0, 0, KIN_STR("r"));
    kin_features_field(&b, DOB);
    kin_features_value(&b, &days, 4, false);
    assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
    return buf.p;
}

/* Of all pairs out of dates that differ in few digits, and of years with more digits. */
static void edits_of_dates_are_those_of_their_text(void **state)
{
    (void)state;
    const uint16_t field = DOB;
    struct comparing lev = comparing(&field, 1, "levenshtein 1", false);
    struct comparing osa = comparing(&field, 1, "damerau 1", false);
    struct comparing osa2 = comparing(&field, 1, "damerau 2", false);
    enum { COUNT = 400 };
    int32_t days[COUNT];
    struct dice d = {99};
    for (unsigned i = 0; i < COUNT; i++) {
        static const int years[] = {1984, 1948, 1894, 1983, 9999, 10000, 19840, -5, 0, 84};
        days[i] = fixture_days(PICK(&d, years), 1 + (int)roll(&d, 12), 1 + (int)roll(&d, 28));
    }
    unsigned near = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        for (unsigned j = 0; j < i; j++) {
            struct kin_civil a = kin_civil_of_days(days[i]), b = kin_civil_of_days(days[j]);
            unsigned plain = distance_of_dates(a, b, false), swaps = distance_of_dates(a, b, true);
            near += swaps <= 1;
            uint8_t *x = dated(days[i]), *y = dated(days[j]);
            unsigned l = kin_comparer_level(lev.comparer, lev.s, 0, x, y, NULL);
            unsigned o = kin_comparer_level(osa.comparer, osa.s, 0, x, y, NULL);
            unsigned o2 = kin_comparer_level(osa2.comparer, osa2.s, 0, x, y, NULL);
            if ((l == 1) != (plain <= 1) || (o == 1) != (swaps <= 1) || (o2 == 1) != (swaps <= 2))
                fail_msg("%d-%u-%u %d-%u-%u: %u %u %u", (int)a.year, a.month, a.day, (int)b.year,
                         b.month, b.day, l, o, o2);
            kin_free(x);
            kin_free(y);
        }
    }
    assert_true(near > 100);
    done(&lev);
    done(&osa);
    done(&osa2);
}

/* ---- what is told, and counted ---- */

static void what_decided_is_told(void **state)
{
    (void)state;
    const uint16_t names[] = {FIRST_NAME, LAST_NAME};
    struct comparing x = comparing(names, 2, "exact; swapped; jaro_winkler 0.9; any exact", true);
    static const struct {
        const char *first_a, *last_a, *first_b, *last_b;
        unsigned level, parts;
        bool counted, equal;
        const char *text_a, *text_b;
    } cases[] = {
        {"ann", "lee", "ann", "lee", 1, 2, true, true, "ann + lee", "ann + lee"},
        {"ann|eve", "lee", "bo|eve", "lee", 1, 2, true, true, "eve + lee", "eve + lee"},
        {"ann", "lee", "lee", "ann", 2, 2, true, false, "ann + lee", "ann + lee"},
        {"anna", "smith", "anna", "smiht", 3, 2, true, false, "anna + smith", "anna + smiht"},
        {"anna", "smith", NULL, "smith", 4, 1, false, false, "smith", "smith"},
        {"anna", "smith", "bob", "miller", 5, 2, false, false, "anna + smith", "bob + miller"},
        {"anna", NULL, NULL, "miller", 5, 1, false, false, "anna", "miller"},
        {NULL, NULL, "bob", "miller", 0, 0, false, false, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *values_a[FIXTURE_FIELDS] = {cases[i].first_a, cases[i].last_a};
        const char *values_b[FIXTURE_FIELDS] = {cases[i].first_b, cases[i].last_b};
        uint8_t *a = fixture_record(values_a), *b = fixture_record(values_b);
        struct kin_compared told;
        assert_int_equal(level_of(&x, a, b, &told), cases[i].level);
        assert_int_equal(told.level, cases[i].level);
        assert_int_equal(told.parts, cases[i].parts);
        assert_int_equal(told.counted, cases[i].counted);
        if (told.counted)
            assert_int_equal(told.hash_a == told.hash_b, cases[i].equal);
        struct kin_buf text = {0};
        kin_comparer_print(x.comparer, 0, &told, 0, &text);
        kin_buf_putc(&text, '|');
        kin_comparer_print(x.comparer, 0, &told, 1, &text);
        kin_buf_putc(&text, '\0');
        char expected[64];
        snprintf(expected, sizeof expected, "%s|%s", cases[i].text_a, cases[i].text_b);
        assert_string_equal((const char *)text.p, expected);
        kin_buf_deinit(&text);
        kin_free(a);
        kin_free(b);
    }
    done(&x);
}

static void values_are_shown_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        unsigned field;
        const char *levels, *value, *shown;
    } cases[] = {
        {DOB, "exact", "1984-3-2", "1984-03-02"},
        {DOB, "exact", "-44-3-15", "-044-03-15"},
        {PRICE, "exact", "20.020", "20.02"},
        {PLACE, "exact", "51.5,-0.1", "51.500000, -0.100000"},
        {LAST_NAME, "exact",
         "garc\xc3\xad"
         "a",
         "garc\xc3\xad"
         "a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t field = (uint16_t)cases[i].field;
        struct comparing x = comparing(&field, 1, cases[i].levels, false);
        uint8_t *a = record_of(field, cases[i].value);
        struct kin_compared told;
        level_of(&x, a, a, &told);
        struct kin_buf text = {0};
        kin_comparer_print(x.comparer, 0, &told, 1, &text);
        kin_buf_putc(&text, '\0');
        assert_string_equal((const char *)text.p, cases[i].shown);
        kin_buf_deinit(&text);
        kin_free(a);
        done(&x);
    }
}

static uint64_t text_hash(const char *text)
{
    uint8_t *rec = record_of(NOTES, text);
    const uint8_t *at = NULL;
    kin_features_values(rec, NOTES, &at);
    uint64_t hash = kin_features_next(&at).hash;
    kin_free(rec);
    return hash;
}

static void check_terms(struct comparing *x, const char *const values[FIXTURE_FIELDS],
                        const uint64_t *expected, unsigned count)
{
    uint8_t *rec = fixture_record(values);
    uint64_t terms[KIN_COMPARISON_TERMS_MAX];
    assert_int_equal(kin_comparer_terms(x->comparer, 0, rec, terms), count);
    for (unsigned i = 0; i < count; i++) {
        bool found = false;
        for (unsigned k = 0; k < count; k++)
            found = found || terms[k] == expected[i];
        assert_true(found);
        assert_true(i == 0 || terms[i - 1] < terms[i]);
    }
    kin_free(rec);
}

static void values_are_counted_one_by_one_or_combined(void **state)
{
    (void)state;
    const uint16_t fields[] = {FIRST_NAME, LAST_NAME};
    const uint64_t ann = text_hash("ann"), eve = text_hash("eve"), lee = text_hash("lee");
    const char *values[FIXTURE_FIELDS] = {"ann|eve|ann", "lee"};
    const char *only_first[FIXTURE_FIELDS] = {"ann|eve", NULL};
    struct comparing one = comparing(fields, 1, "exact", true);
    check_terms(&one, values, (uint64_t[]){ann, eve}, 2);
    done(&one);
    struct comparing both = comparing(fields, 2, "exact; swapped", true);
    check_terms(&both, values, (uint64_t[]){kin_hash_mix(ann, lee), kin_hash_mix(eve, lee)}, 2);
    check_terms(&both, only_first, NULL, 0);
    done(&both);
    struct comparing any = comparing(fields, 2, "any exact", true);
    check_terms(&any, values, (uint64_t[]){ann, eve, lee}, 3);
    check_terms(&any, only_first, (uint64_t[]){ann, eve}, 2);
    done(&any);
}

/* 64 values in each of eight fields have 64^8 combinations. */
static void a_record_of_many_values_is_counted_in_no_time(void **state)
{
    (void)state;
    static char many[64 * 4];
    many[0] = '\0';
    for (unsigned i = 0; i < KIN_VALUES_MAX; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "%s%u", i ? "|" : "", i % 50);
    const uint16_t fields[] = {FIRST_NAME, LAST_NAME, EMAIL, PHONE, TAX_ID, ADDRESS, NOTES, ODD};
    const char *values[FIXTURE_FIELDS] = {NULL};
    for (unsigned i = 0; i < KIN_COMPARISON_FIELDS_MAX; i++)
        values[fields[i]] = many;
    uint8_t *rec = fixture_record(values);
    struct comparing x = comparing(fields, KIN_COMPARISON_FIELDS_MAX, "exact", true);
    uint64_t terms[KIN_COMPARISON_TERMS_MAX];
    assert_in_range(kin_comparer_terms(x.comparer, 0, rec, terms), 2, KIN_COMPARISON_TERMS_MAX);
    assert_int_equal(kin_comparer_level(x.comparer, x.s, 0, rec, rec, NULL), 1);
    done(&x);
    kin_free(rec);
}

static void long_texts_are_compared_within_bounds(void **state)
{
    (void)state;
    enum { BYTES = 60000 };
    char *text[2];
    for (unsigned i = 0; i < 2; i++) {
        text[i] = calloc(1, BYTES + 1);
        assert_non_null(text[i]);
        for (unsigned k = 0; k < BYTES; k += 5)
            snprintf(text[i] + k, 6, "%04x ", (k / 5 + i) % 3000);
    }
    const uint16_t field = NOTES;
    uint8_t *records[2];
    for (unsigned i = 0; i < 2; i++) {
        struct kin_buf buf = {0};
        struct kin_features_builder b;
        kin_features_begin(&b, &buf, FIXTURE_FIELDS, 0, 0, KIN_STR("r"));
        kin_features_field(&b, NOTES);
        kin_features_value(&b, text[i], BYTES, true);
        assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
        records[i] = buf.p;
    }
    struct comparing x =
        comparing(&field, 1, "contains; initial; jaro_winkler 0.99; cosine 0.9; lcs 0.99", false);
    assert_int_equal(level_of(&x, records[0], records[1], NULL), 4); /* frees them */
    done(&x);
    free(text[0]);
    free(text[1]);
}

/* ---- models ---- */

static void a_model_made_for_other_comparisons_is_told(void **state)
{
    (void)state;
    const uint16_t field = LAST_NAME;
    struct comparing x = comparing(&field, 1, "Exact; JARO_Winkler  0.920", true);
    struct kin_model_spec spec;
    struct kin_err err = {0};
    kin_comparer_spec(x.comparer, &spec);
    assert_int_equal(kin_model_spec_check(&spec, &err), KIN_OK);
    assert_int_equal(kin_comparer_check_model(x.comparer, &spec, &err), KIN_OK);
    assert_string_equal(spec.comparisons[0].level_text[2], "jaro_winkler 0.92");
    assert_string_equal(spec.comparisons[0].level_text[3], "else");

    struct kin_model_spec other = spec;
    other.comparisons[0].level_text[2] = "jaro_winkler 0.9";
    assert_int_equal(kin_comparer_check_model(x.comparer, &other, &err), KIN_E_INVAL);
    assert_string_equal(err.msg, "level 2 of 'test' is 'jaro_winkler 0.92' in the workflow and "
                                 "'jaro_winkler 0.9' in the model");
    other = spec;
    other.comparisons[0].term_frequency = false;
    assert_int_equal(kin_comparer_check_model(x.comparer, &other, &err), KIN_E_INVAL);
    assert_string_equal(err.msg, "'test' has term frequencies in the workflow only");
    other = spec;
    other.comparisons[0].name = "tess";
    assert_int_equal(kin_comparer_check_model(x.comparer, &other, &err), KIN_E_INVAL);
    assert_string_equal(err.msg,
                        "the workflow compares 'test' where the model has 'tess'; expected "
                        "the same comparisons in the same order");
    other = spec;
    other.comparisons[0].level_count = 2;
    assert_int_equal(kin_comparer_check_model(x.comparer, &other, &err), KIN_E_INVAL);
    assert_string_equal(
        err.msg, "'test' has 3 levels in the workflow and 2 in the model (\"else\" counted)");
    other = spec;
    other.comparisons[other.count++].name = "more";
    assert_int_equal(kin_comparer_check_model(x.comparer, &other, &err), KIN_E_INVAL);
    assert_string_equal(err.msg, "the workflow lacks the model's comparison 'more'");
    other.count = 0;
    assert_int_equal(kin_comparer_check_model(x.comparer, &other, &err), KIN_E_INVAL);
    assert_string_equal(err.msg, "the model lacks the comparison 'test'");
    done(&x);
}

static void a_key_tells_which_comparisons_use_its_fields(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct kin_comparison c[3] = {
        {.name = "a", .fields = {LAST_NAME}, .field_count = 1},
        {.name = "b", .fields = {DOB}, .field_count = 1},
        {.name = "c", .fields = {FIRST_NAME, LAST_NAME}, .field_count = 2}};
    for (unsigned i = 0; i < 3; i++)
        c[i].levels[c[i].level_count++] = parse_level(&arena, &c[i], "exact");
    struct kin_comparer *comparer = NULL;
    assert_int_equal(kin_comparer_new(&fixture_schema, c, 3, &comparer, NULL), KIN_OK);
    assert_int_equal(kin_comparer_using(comparer, (uint16_t[]){LAST_NAME}, 1), 5);
    assert_int_equal(kin_comparer_using(comparer, (uint16_t[]){EMAIL, DOB}, 2), 2);
    assert_int_equal(kin_comparer_using(comparer, (uint16_t[]){EMAIL}, 1), 0);
    kin_comparer_free(comparer);
    kin_arena_deinit(&arena);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct kin_comparison c = {.name = "a", .fields = {LAST_NAME}, .field_count = 1};
    c.levels[c.level_count++] = parse_level(&arena, &c, "exact");
    c.levels[c.level_count++] = parse_level(&arena, &c, "damerau 1");
    bool made = false;
    unsigned failures = 0;
    for (size_t n = 0; !made; n++) {
        struct kin_comparer *comparer = NULL;
        struct kin_comparer_scratch *s = NULL;
        kin_alloc_fail_after(n);
        kin_status status = kin_comparer_new(&fixture_schema, &c, 1, &comparer, NULL);
        if (!status)
            s = kin_comparer_scratch_new();
        kin_alloc_fail_after(SIZE_MAX);
        made = s != NULL;
        failures += !made;
        assert_true(status == KIN_OK || (status == KIN_E_NOMEM && !comparer));
        kin_comparer_scratch_free(s);
        kin_comparer_free(comparer);
    }
    assert_true(failures >= 4);
    struct kin_comparer *comparer = NULL;
    assert_int_equal(kin_comparer_new(&fixture_schema, &c, 0, &comparer, NULL), KIN_E_LIMIT);
    assert_int_equal(
        kin_comparer_new(&fixture_schema, &c, KIN_COMPARISONS_MAX + 1, &comparer, NULL),
        KIN_E_LIMIT);
    kin_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_reference_are_true),
        cmocka_unit_test(the_reference_has_every_level),
        cmocka_unit_test(equal_values_are_at_the_strongest_level),
        cmocka_unit_test(of_several_values_the_best_pair_counts),
        cmocka_unit_test(days_are_civil_dates),
        cmocka_unit_test(edits_of_dates_are_those_of_their_text),
        cmocka_unit_test(what_decided_is_told),
        cmocka_unit_test(values_are_shown_as_people_write_them),
        cmocka_unit_test(values_are_counted_one_by_one_or_combined),
        cmocka_unit_test(a_record_of_many_values_is_counted_in_no_time),
        cmocka_unit_test(long_texts_are_compared_within_bounds),
        cmocka_unit_test(a_model_made_for_other_comparisons_is_told),
        cmocka_unit_test(a_key_tells_which_comparisons_use_its_fields),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
