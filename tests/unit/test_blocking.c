/* Key terms as text, the keys of records, and the values behind them. */
#include "common/base/hash.h"
#include "tests/unit/rule_fixture.h"

static struct kin_key_term term_of(const char *text)
{
    struct kin_key_term t;
    unsigned column = 0;
    struct kin_err err = {0};
    if (kin_key_term_parse(&fixture_schema, kin_str_of(text), &t, &column, &err))
        fail_msg("column %u: %s in: %s", column, err.msg, text);
    return t;
}

/* A key rule of up to three terms; NULL ends them. */
static struct kin_key_rule rule_of(uint8_t number, const char *a, const char *b, const char *c)
{
    struct kin_key_rule rule = {.number = number};
    const char *const texts[] = {a, b, c};
    for (unsigned i = 0; i < 3 && texts[i]; i++)
        rule.terms[rule.count++] = term_of(texts[i]);
    return rule;
}

/* ---- what the keys of a rule stand for, readably ---- */

static void append_values(const struct kin_key_rule *rule, const struct kin_buf *values,
                          struct text *out)
{
    struct kin_cursor c = kin_cursor_of(values->p, values->n);
    put(out, out->n ? " " : "");
    for (unsigned t = 0; t < rule->count; t++) {
        char item[64];
        uint32_t n = kin_cursor_u32(&c);
        put(out, t ? "+" : "");
        if (n == UINT32_MAX) {
            put(out, "null");
            continue;
        }
        const uint8_t *p = kin_cursor_take(&c, n);
        assert_non_null(p);
        if (rule->terms[t].fn == KIN_KEY_YEAR)
            snprintf(item, sizeof item, "%d", (int)kin_le32(p));
        else
            snprintf(item, sizeof item, "%.*s", (int)n, (const char *)p);
        put(out, item);
    }
    assert_false(c.bad);
    assert_int_equal(kin_cursor_left(&c), 0);
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The combinations behind all keys of one rule, sorted, with blanks between. */
static void expect_keys(const struct kin_key_rule *rule, const uint8_t *rec, const char *expected)
{
    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    size_t n = kin_blocking_keys(rule, 1, rec, KIN_KEYS_MAX, keys, &excess);
    assert_int_equal(excess, 0);
    static char words[KIN_KEYS_MAX][64];
    assert_true(n <= KIN_KEYS_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(kin_key_rule_number(keys[i]), rule->number);
        assert_true(i == 0 || keys[i - 1] < keys[i]);
        assert_int_equal(keys[i] >> 63, 0);
        struct kin_buf values = {0};
        struct text one = {.n = 0, .p = ""};
        assert_true(kin_blocking_key_values(rule, rec, keys[i], &values));
        append_values(rule, &values, &one);
        kin_buf_deinit(&values);
        assert_true(one.n < sizeof words[i]);
        memcpy(words[i], one.p, one.n + 1);
    }
    qsort(words, n, sizeof words[0], compare_words);
    struct text all = {.n = 0, .p = ""};
    for (size_t i = 0; i < n; i++) {
        put(&all, i ? " " : "");
        put(&all, words[i]);
    }
    assert_string_equal(all.p, expected);
}

static void expect_value_keys(const char *term, enum fixture_field field, const char *value,
                              const char *expected)
{
    const char *values[FIXTURE_FIELDS] = {NULL};
    values[field] = value;
    uint8_t *rec = fixture_record(values);
    struct kin_key_rule rule = rule_of(5, term, NULL, NULL);
    expect_keys(&rule, rec, expected);
    kin_free(rec);
}

static void each_function_yields_what_it_should(void **state)
{
    (void)state;
    expect_value_keys("email", EMAIL, "a@b", "a@b");
    expect_value_keys("email", EMAIL, NULL, "");
    expect_value_keys("email", EMAIL, "a@b|c@d", "a@b c@d");
    expect_value_keys("email", EMAIL, "a@b|a@b", "a@b");
    expect_value_keys("soundex(last_name)", LAST_NAME, "robert", "R163");
    expect_value_keys("soundex(last_name)", LAST_NAME, "van der lee", "V536");
    expect_value_keys("soundex(last_name)", LAST_NAME, "robert|rupert|lee", "L000 R163");
    expect_value_keys("soundex(last_name)", LAST_NAME, "42", "");
    expect_value_keys("soundex(last_name)", LAST_NAME, "42|lee", "L000");
    expect_value_keys("metaphone(last_name)", LAST_NAME, "smith", "SM0 XMT");
    expect_value_keys("metaphone(last_name)", LAST_NAME, "lee", "L");
    expect_value_keys("metaphone(last_name)", LAST_NAME, "42", "");
    expect_value_keys("prefix(notes, 3)", NOTES, "abcd", "abc");
    expect_value_keys("prefix(notes, 3)", NOTES, "ab", "ab");
    expect_value_keys("prefix(notes, 2)", NOTES, "\xc3\xa9\xe2\x82\xacx", "\xc3\xa9\xe2\x82\xac");
    expect_value_keys("prefix(notes, 2)", NOTES, "abc|abd", "ab");
    expect_value_keys("suffix(notes, 3)", NOTES, "abcd", "bcd");
    expect_value_keys("suffix(notes, 3)", NOTES, "ab", "ab");
    expect_value_keys("suffix(notes, 2)", NOTES, "x\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac");
    expect_value_keys("year(dob)", DOB, "1972-02-29", "1972");
    expect_value_keys("year(dob)", DOB, "1969-12-31|1970-01-01", "1969 1970");
    expect_value_keys("tokens(notes)", NOTES, " main  street main ", "main street");
    expect_value_keys("tokens(notes)", NOTES, " ", "");
    expect_value_keys("tokens(notes)", NOTES, "a b|b c", "a b c");
    expect_value_keys("qgrams(notes, 2)", NOTES, "abab", "ab ba");
    expect_value_keys("qgrams(notes, 2)", NOTES, "abcd", "ab bc cd");
    expect_value_keys("qgrams(notes, 3)", NOTES, "ab", "ab");
    expect_value_keys("qgrams(notes, 3)", NOTES, "abc", "abc");
    expect_value_keys("qgrams(notes, 2)", NOTES, "\xc3\xa9x\xe2\x82\xac",
                      "x\xe2\x82\xac \xc3\xa9x");
    expect_value_keys("dob", DOB, NULL, "");
}

static void a_key_is_a_combination_of_values(void **state)
{
    (void)state;
    static const char *const values[FIXTURE_FIELDS] = {
        [FIRST_NAME] = "ann|eva", [LAST_NAME] = "smith|lee", [DOB] = "1972-02-29"};
    uint8_t *rec = fixture_record(values);
    struct kin_key_rule rule = rule_of(0, "first_name", "last_name", "year(dob)");
    expect_keys(&rule, rec, "ann+lee+1972 ann+smith+1972 eva+lee+1972 eva+smith+1972");
    rule = rule_of(127, "metaphone(last_name)", "year(dob)", NULL);
    expect_keys(&rule, rec, "L+1972 SM0+1972 XMT+1972");
    rule = rule_of(1, "first_name", "email", NULL); /* a null term: no key */
    expect_keys(&rule, rec, "");
    rule = rule_of(1, "email", "first_name", NULL);
    expect_keys(&rule, rec, "");
    rule.terms[0].empty_is_value = true;
    expect_keys(&rule, rec, "null+ann null+eva");
    rule = rule_of(1, "dob", "phone", NULL);
    rule.terms[1].empty_is_value = true;
    rule.terms[0].fn = KIN_KEY_YEAR;
    expect_keys(&rule, rec, "1972+null");
    rule.terms[0] = term_of("last_name");
    rule.terms[0].empty_is_value = true;
    expect_keys(&rule, rec, "lee+null smith+null");
    kin_free(rec);
}

static void a_key_has_no_values_in_another_record_or_rule(void **state)
{
    (void)state;
    static const char *const values_a[FIXTURE_FIELDS] = {[EMAIL] = "a", [PHONE] = "1|2"};
    static const char *const values_b[FIXTURE_FIELDS] = {[EMAIL] = "b", [PHONE] = "2|3"};
    static const char *const none[FIXTURE_FIELDS] = {NULL};
    uint8_t *a = fixture_record(values_a), *b = fixture_record(values_b), *c = fixture_record(none);
    struct kin_key_rule email = rule_of(0, "email", NULL, NULL);
    struct kin_key_rule phone = rule_of(1, "phone", NULL, NULL);
    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    struct kin_buf out = {0};
    assert_int_equal(kin_blocking_keys(&email, 1, a, 64, keys, &excess), 1);
    assert_false(kin_blocking_key_values(&email, b, keys[0], &out));
    assert_false(kin_blocking_key_values(&email, c, keys[0], &out));
    assert_false(kin_blocking_key_values(&phone, a, keys[0], &out));
    assert_false(kin_blocking_key_values(&email, a, keys[0] | KIN_KEY_REFINED, &out));
    assert_int_equal(kin_blocking_keys(&phone, 1, a, 64, keys, &excess), 2);
    assert_int_equal(kin_blocking_key_values(&phone, b, keys[0], &out) +
                         kin_blocking_key_values(&phone, b, keys[1], &out),
                     1); /* "2" only */
    assert_int_equal(out.n, 5);
    assert_memory_equal(out.p,
                        "\1\0\0\0"
                        "2",
                        5);
    kin_buf_deinit(&out);
    kin_free(a);
    kin_free(b);
    kin_free(c);
}

/* Keys are stored and cross the wire: their numbers may not change unnoticed. */
static void keys_are_what_they_always_were(void **state)
{
    (void)state;
    static const char *const values[FIXTURE_FIELDS] = {
        [EMAIL] = "ann@example.org", [LAST_NAME] = "smith", [DOB] = "1972-02-29"};
    uint8_t *rec = fixture_record(values);
    struct kin_key_rule rules[] = {rule_of(0, "email", NULL, NULL),
                                   rule_of(1, "soundex(last_name)", "dob", NULL),
                                   rule_of(2, "minhash(last_name, 1, 2)", NULL, NULL)};
    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    assert_int_equal(kin_blocking_keys(rules, 3, rec, 64, keys, &excess), 3);
    uint64_t low56 = (UINT64_C(1) << 56) - 1;
    uint64_t email = kin_hash_mix(0, kin_hash64("ann@example.org", 15, 0)) & low56;
    assert_int_equal(keys[0], email);
    int32_t days = fixture_days(1972, 2, 29);
    uint64_t both = kin_hash_mix(0, kin_hash64("S530", 4, 0));
    both = kin_hash_mix(both, kin_hash64(&days, 4, 0)) & low56;
    assert_int_equal(keys[1], UINT64_C(1) << 56 | both);
    assert_int_equal(keys[2], UINT64_C(0x0268f48a9bdecd6f));
    kin_free(rec);
}

static int compare_ranks(const void *a, const void *b)
{
    uint64_t x = kin_hash_mix(0, *(const uint64_t *)a), y = kin_hash_mix(0, *(const uint64_t *)b);
    return x < y ? -1 : x > y;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void of_too_many_keys_the_smallest_hashes_stay(void **state)
{
    (void)state;
    struct text t = {.n = 0};
    for (unsigned i = 0; i < 200; i++) {
        put(&t, i ? " " : "");
        put_number(&t, i * 7919);
    }
    const char *values[FIXTURE_FIELDS] = {[NOTES] = t.p, [EMAIL] = "a|b|c"};
    uint8_t *rec = fixture_record(values);
    struct kin_key_rule rules[] = {rule_of(0, "email", NULL, NULL),
                                   rule_of(1, "tokens(notes)", NULL, NULL),
                                   rule_of(2, "tokens(notes)", "email", NULL)};
    uint64_t all[KIN_KEYS_MAX], some[KIN_KEYS_MAX], excess = 0;
    size_t n = kin_blocking_keys(rules, 3, rec, KIN_KEYS_MAX, all, &excess);
    assert_int_equal(n, 803);
    assert_int_equal(excess, 0);
    qsort(all, n, sizeof *all, compare_ranks);
    static const size_t most[] = {803, 802, 64, 1, 0};
    for (unsigned i = 0; i < sizeof most / sizeof *most; i++) {
        excess = 5;
        assert_int_equal(kin_blocking_keys(rules, 3, rec, most[i], some, &excess), most[i]);
        assert_int_equal(excess, 5 + 803 - most[i]);
        uint64_t expected[KIN_KEYS_MAX];
        memcpy(expected, all, most[i] * sizeof *all);
        qsort(expected, most[i], sizeof *expected, compare_keys);
        assert_memory_equal(some, expected, most[i] * sizeof *some);
    }
    kin_free(rec);
}

static void combinations_are_bounded_and_counted(void **state)
{
    (void)state;
    struct kin_buf buf = {0};
    struct kin_features_builder b;
    kin_features_begin(&b, &buf, FIXTURE_FIELDS, 0, 0, KIN_STR("r"));
    static const unsigned fields[] = {FIRST_NAME, LAST_NAME, NOTES};
    for (unsigned f = 0; f < 3; f++) {
        kin_features_field(&b, fields[f]);
        for (unsigned i = 0; i < KIN_VALUES_MAX; i++) {
            char value[16];
            int n = snprintf(value, sizeof value, "v%u", i);
            kin_features_value(&b, value, (size_t)n, true);
        }
    }
    kin_features_field(&b, ADDRESS); /* 6,000 different grams, in two values */
    static char grams[2][6001];
    for (unsigned i = 0; i < 3000; i++) {
        for (unsigned v = 0; v < 2; v++)
            snprintf(grams[v] + 2 * (size_t)i, 3, "%c%c", '!' + (int)((i + v * 3000) % 90),
                     '!' + (int)((i + v * 3000) / 90));
    }
    kin_features_value(&b, grams[0], 6000, true);
    kin_features_value(&b, grams[1], 6000, true);
    assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);

    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    struct kin_key_rule rule = rule_of(3, "first_name", "last_name", "notes");
    size_t n = kin_blocking_keys(&rule, 1, buf.p, 5000, keys, &excess);
    assert_int_equal(n, KIN_KEYS_MAX);
    assert_int_equal(excess, 64 * 64 * 64 - KIN_KEYS_MAX);
    struct kin_buf values = {0};
    for (size_t i = 0; i < n; i += 100)
        assert_true(kin_blocking_key_values(&rule, buf.p, keys[i], &values));
    kin_buf_deinit(&values);

    excess = 0;
    rule = rule_of(3, "qgrams(address, 2)", NULL, NULL);
    assert_int_equal(kin_blocking_keys(&rule, 1, buf.p, 5000, keys, &excess), KIN_KEYS_MAX);
    assert_true(excess > 1000);

    /* eight times 64 values: 2^48 combinations, all counted */
    rule = (struct kin_key_rule){.number = 1, .count = KIN_KEY_TERMS_MAX};
    for (unsigned i = 0; i < KIN_KEY_TERMS_MAX; i++)
        rule.terms[i] = term_of("notes");
    excess = 0;
    assert_int_equal(kin_blocking_keys(&rule, 1, buf.p, 10, keys, &excess), 10);
    assert_int_equal(excess, (UINT64_C(1) << 48) - 10);
    kin_buf_deinit(&buf);
}

static void keys_of_all_rules_come_in_order(void **state)
{
    (void)state;
    struct dice d = {7};
    struct kin_key_rule rules[] = {
        rule_of(0, "email", NULL, NULL),
        rule_of(1, "soundex(last_name)", "dob", NULL),
        rule_of(2, "prefix(first_name, 3)", "postcode", NULL),
        rule_of(3, "tokens(notes)", "metaphone(last_name)", NULL),
        rule_of(4, "minhash(address, 6, 2)", NULL, NULL),
        rule_of(5, "qgrams(tax_id, 2)", "year(dob)", "suffix(phone, 4)"),
    };
    size_t most = 0;
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t *rec = random_record(&d, 6);
        uint64_t keys[KIN_KEYS_MAX], each[KIN_KEYS_MAX], excess = 0;
        size_t n = kin_blocking_keys(rules, 6, rec, KIN_KEYS_MAX, keys, &excess), m = 0;
        for (size_t k = 1; k < n; k++)
            assert_true(keys[k - 1] < keys[k]);
        for (unsigned r = 0; r < 6; r++)
            m += kin_blocking_keys(&rules[r], 1, rec, KIN_KEYS_MAX, each + m, &excess);
        assert_int_equal(excess, 0);
        assert_int_equal(n, m);
        assert_memory_equal(keys, each, n * sizeof *keys);
        most = n > most ? n : most;
        kin_free(rec);
    }
    assert_true(most > 30);
}

/* The share of bands that two token sets have in common is near s^rows. */
static void minhash_bands_follow_similarity(void **state)
{
    (void)state;
    struct dice d = {11};
    struct kin_key_rule rule = rule_of(0, "minhash(notes, 64, 2)", NULL, NULL);
    unsigned shared = 0, trials = 200;
    for (unsigned i = 0; i < trials; i++) {
        struct text t[2] = {{.n = 0}, {.n = 0}};
        for (unsigned w = 0; w < 30; w++) { /* 20 words in common, 5 of each alone: s = 2/3 */
            char word[16];
            unsigned x = roll(&d, 1u << 30);
            snprintf(word, sizeof word, "%x ", x);
            if (w < 25)
                put(&t[0], word);
            if (w < 20 || w >= 25)
                put(&t[1], word);
        }
        uint8_t *rec[2];
        uint64_t keys[2][KIN_KEYS_MAX], excess = 0;
        for (unsigned r = 0; r < 2; r++) {
            const char *values[FIXTURE_FIELDS] = {[NOTES] = t[r].p};
            rec[r] = fixture_record(values);
            assert_int_equal(kin_blocking_keys(&rule, 1, rec[r], 64, keys[r], &excess), 64);
        }
        for (unsigned x = 0; x < 64; x++) {
            for (unsigned y = 0; y < 64; y++)
                shared += keys[0][x] == keys[1][y];
        }
        kin_free(rec[0]);
        kin_free(rec[1]);
    }
    double share = (double)shared / (64.0 * trials), s = 20.0 / 30.0;
    assert_true(share > s * s - 0.03 && share < s * s + 0.03);
}

static void refined_keys_depend_on_all_they_are_made_of(void **state)
{
    (void)state;
    struct kin_value v = {.hash = 1}, w = {.hash = 2};
    uint64_t parent = UINT64_C(0x0512345678abcdef), other = parent + 1;
    uint64_t keys[] = {kin_key_refine(parent, 0, &v), kin_key_refine(parent, 0, &w),
                       kin_key_refine(parent, 0, NULL), kin_key_refine(parent, 1, &v),
                       kin_key_refine(other, 0, &v)};
    for (unsigned i = 0; i < 5; i++) {
        assert_true(keys[i] & KIN_KEY_REFINED);
        assert_int_equal(kin_key_rule_number(keys[i]), 5);
        for (unsigned j = 0; j < i; j++)
            assert_true(keys[i] != keys[j]);
    }
    assert_int_equal(keys[0], kin_key_refine(parent, 0, &v));
    uint64_t twice = kin_key_refine(keys[0], 1, &w);
    assert_int_equal(kin_key_rule_number(twice), 5);
    assert_true(twice & KIN_KEY_REFINED);
    assert_int_equal(keys[0], UINT64_C(0x8580b6086aeea104));
}

/* ---- text ---- */

static void expect_text(const char *text, const char *canonical)
{
    struct kin_key_term t = term_of(text);
    struct kin_buf out = {0};
    kin_key_term_print(&fixture_schema, &t, &out);
    kin_buf_putc(&out, '\0');
    assert_string_equal((const char *)out.p, canonical);
    struct kin_key_term again = term_of(canonical);
    assert_int_equal(again.fn, t.fn);
    assert_int_equal(again.field, t.field);
    assert_int_equal(again.n, t.n);
    assert_int_equal(again.rows, t.rows);
    assert_false(again.empty_is_value);
    kin_buf_deinit(&out);
}

static void key_terms_are_printed_in_canonical_form(void **state)
{
    (void)state;
    expect_text("email", "email");
    expect_text(" \"email\" ", "email");
    expect_text("\"Email address\"", "\"Email address\"");
    expect_text("Soundex( last_name )", "soundex(last_name)");
    expect_text("METAPHONE(\"a \"\"b\"\" c\")", "metaphone(\"a \"\"b\"\" c\")");
    expect_text("prefix(first_name,3)", "prefix(first_name, 3)");
    expect_text("suffix(phone ,64)", "suffix(phone, 64)");
    expect_text("year(dob)", "year(dob)");
    expect_text("tokens(address)", "tokens(address)");
    expect_text("qgrams(notes, 8)", "qgrams(notes, 8)");
    expect_text("minhash(notes, 64,4)", "minhash(notes, 64, 4)");
    expect_text("place", "place");
}

static void expect_wrong(const char *text, unsigned column, const char *message)
{
    struct kin_key_term t;
    unsigned at = 0;
    struct kin_err err = {0};
    kin_status status = kin_key_term_parse(&fixture_schema, kin_str_of(text), &t, &at, &err);
    if (status != KIN_E_SYNTAX || at != column || !strstr(err.msg, message))
        fail_msg("%s\n%*s^ %s", text, (int)at - 1, "", err.msg);
}

static void mistakes_have_their_column_and_a_reason(void **state)
{
    (void)state;
    expect_wrong("", 1, "expected a field, found the end");
    expect_wrong("emial", 1, "no field \"emial\"; did you mean \"email\"?");
    expect_wrong("soundx(last_name)", 1, "no key function \"soundx\"; did you mean soundex?");
    expect_wrong("frob(last_name)", 1, "there are soundex, metaphone, prefix");
    expect_wrong("soundex(lastname)", 9, "did you mean \"last_name\"?");
    expect_wrong("soundex(dob)", 9, "soundex takes a field of type name, text,");
    expect_wrong("soundex(phone)", 9, "\"phone\" is of type phone");
    expect_wrong("year(email)", 6, "year takes a field of type date;");
    expect_wrong("tokens(price)", 8, "\"price\" is of type number");
    expect_wrong("soundex(last_name", 18, "expected \")\", found the end");
    expect_wrong("soundex(last_name, 2)", 18, "expected \")\", found \",\"");
    expect_wrong("prefix(first_name)", 18, "expected \",\" and a number, found \")\"");
    expect_wrong("prefix(first_name, 0)", 20, "a length, a whole number from 1 to 64");
    expect_wrong("prefix(first_name, x)", 20, "expected a length, found \"x\"");
    expect_wrong("qgrams(first_name, 9)", 20, "a whole number from 1 to 8");
    expect_wrong("minhash(notes, 65, 1)", 16, "a number of bands, a whole number from 1 to 64");
    expect_wrong("minhash(notes, 64, 5)", 21, "at most 256, found 320");
    expect_wrong("minhash(notes, 64)", 18, "expected \",\" and a number of rows");
    expect_wrong("email phone", 7, "expected the end, found \"phone\"");
    expect_wrong("soundex(last_name) x", 20, "expected the end, found \"x\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_function_yields_what_it_should),
        cmocka_unit_test(a_key_is_a_combination_of_values),
        cmocka_unit_test(a_key_has_no_values_in_another_record_or_rule),
        cmocka_unit_test(keys_are_what_they_always_were),
        cmocka_unit_test(of_too_many_keys_the_smallest_hashes_stay),
        cmocka_unit_test(combinations_are_bounded_and_counted),
        cmocka_unit_test(keys_of_all_rules_come_in_order),
        cmocka_unit_test(minhash_bands_follow_similarity),
        cmocka_unit_test(refined_keys_depend_on_all_they_are_made_of),
        cmocka_unit_test(key_terms_are_printed_in_canonical_form),
        cmocka_unit_test(mistakes_have_their_column_and_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
