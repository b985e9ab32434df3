/* Keys that follow from rules: what is derived, what is a star, what is refused; and that derived
 * keys miss no pair and stars are exactly the pairs of their rules. */
#include "common/match/condition_impl.h"
#include "tests/unit/rule_fixture.h"

struct result {
    struct kin_arena arena;
    struct kin_key_rule keys[KIN_KEY_RULES_MAX];
    size_t count;
    bool is_star;
    kin_status status;
    struct kin_err err;
};

static void free_result(struct result *r)
{
    kin_arena_deinit(&r->arena);
}

static struct kin_rule rule_of(struct kin_arena *arena, const char *text)
{
    return (struct kin_rule){.name = "r", .when = text, .condition = parsed(arena, text)};
}

static void derive(struct result *r, const char *text)
{
    *r = (struct result){.count = 0};
    struct kin_rule rule = rule_of(&r->arena, text);
    r->status =
        kin_rule_derive_keys(&r->arena, &fixture_schema, &rule, r->keys, &r->count, &r->err);
}

static void find_stars(struct result *r, const char *text)
{
    *r = (struct result){.count = 0};
    struct kin_rule rule = rule_of(&r->arena, text);
    r->status = kin_rule_stars(&r->arena, &fixture_schema, &rule, 7, r->keys, &r->count,
                               &r->is_star, &r->err);
}

/* Texts of the keys with ';' between; after "rule 'r': " where they are stars. */
static void expect_texts(const struct result *r, const char *condition, const char *expected)
{
    struct text all = {.n = 0, .p = ""};
    if (r->status)
        fail_msg("%s: %s", condition, r->err.msg);
    for (size_t i = 0; i < r->count; i++) {
        const struct kin_key_rule *key = &r->keys[i];
        const char *text = key->text;
        assert_int_equal(key->number, i);
        assert_int_equal(key->star, r->is_star);
        if (key->star) {
            assert_int_equal(key->match_rule, 7);
            assert_memory_equal(text, "rule 'r': ", 10);
            text += 10;
        }
        put(&all, i ? "; " : "");
        put(&all, text);
    }
    if (strcmp(all.p, expected) != 0)
        fail_msg("%s: %s, expected %s", condition, all.p, expected);
}

static void expect_derived(const char *condition, const char *expected)
{
    struct result r;
    derive(&r, condition);
    expect_texts(&r, condition, expected);
    free_result(&r);
}

static void expect_stars(const char *condition, const char *expected)
{
    struct result r;
    find_stars(&r, condition);
    if (!r.is_star)
        fail_msg("%s is no star", condition);
    expect_texts(&r, condition, expected);
    free_result(&r);
}

static void keys_are_derived_from_each_alternative(void **state)
{
    (void)state;
    expect_derived("Exact(email)", "email");
    expect_derived("Exact(email) OR Exact(phone)", "email; phone");
    expect_derived("Exact(email) AND Exact(phone)", "email + phone");
    expect_derived("Soundex(last_name) AND Exact(dob)", "soundex(last_name) + dob");
    expect_derived("Metaphone(last_name) AND Prefix(notes, 3) AND Suffix(phone, 4)",
                   "metaphone(last_name) + prefix(notes, 3) + suffix(phone, 4)");
    expect_derived("SameYear(dob) AND Jaro(notes, 0.9)", "year(dob)");
    expect_derived("Exact(\"Email address\")", "\"Email address\"");
    expect_derived("(Jaro(notes, 0.9) OR Prefix(notes, 3)) AND Exact(dob)",
                   "dob; prefix(notes, 3) + dob");
    /* two alternatives, one key */
    expect_derived("(Jaro(notes, 0.9) OR Empty(notes)) AND Exact(dob)", "dob");
    expect_derived("Exact(dob) AND Exact(phone) OR Exact(phone) AND Exact(dob)", "dob + phone");
    expect_derived("Exact(dob) OR Exact(dob) AND Exact(phone)", "dob");
    expect_derived("(Exact(dob) OR Exact(email)) AND (Exact(phone) OR Exact(notes))",
                   "dob + phone; dob + notes; email + phone; email + notes");
    /* implied by Exact of the same field */
    expect_derived("Exact(dob) AND SameYear(dob)", "dob");
    expect_derived("Prefix(notes, 3) AND Exact(notes) AND Soundex(notes)", "notes");
    expect_derived("Exact(email) AND Exact(email, EmptyValues=Process)", "email");
    expect_derived("Exact(email, EmptyValues=Process) AND Soundex(notes)",
                   "email (or empty) + soundex(notes)");
    expect_derived("Soundex(notes) AND Prefix(notes, 3)", "soundex(notes) + prefix(notes, 3)");
    /* negations */
    expect_derived("Exact(email) AND NOT Exact(phone)", "email");
    expect_derived("NOT (Differs(phone) OR NOT Exact(email))", "email");
    expect_derived("NOT NOT Exact(email)", "email");
    expect_derived("NOT (NOT Exact(email) AND NOT Exact(phone))", "email; phone");
    expect_derived("ExactManyToMany(email, phone) AND Exact(dob)", "dob");
    /* nine terms: the first eight */
    expect_derived("Exact(first_name) AND Exact(last_name) AND Exact(email) AND Exact(phone) AND "
                   "Exact(dob) AND Exact(postcode) AND Exact(tax_id) AND Exact(price) AND "
                   "Exact(place)",
                   "first_name + last_name + email + phone + dob + postcode + tax_id + price");
    /* the eighth is for one that ignores empty values */
    expect_derived(
        "Exact(first_name, EmptyValues=Process) AND "
        "Exact(last_name, EmptyValues=Process) AND Exact(email, EmptyValues=Process) AND "
        "Exact(phone, EmptyValues=Process) AND Exact(dob, EmptyValues=Process) AND "
        "Exact(postcode, EmptyValues=Process) AND Exact(tax_id, EmptyValues=Process) AND "
        "Exact(price, EmptyValues=Process) AND Exact(place)",
        "first_name (or empty) + last_name (or empty) + email (or empty) + phone (or "
        "empty) + dob (or empty) + postcode (or empty) + tax_id (or empty) + place");
}

static void expect_refused(const char *condition, kin_status status, const char *message)
{
    struct result r;
    derive(&r, condition);
    assert_int_equal(r.count, 0);
    if (r.status != status || !strstr(r.err.msg, message))
        fail_msg("%s: %s: %s", condition, kin_status_text(r.status), r.err.msg);
    free_result(&r);
}

static void a_rule_without_keys_is_refused_with_the_reason(void **state)
{
    (void)state;
    expect_refused("Jaro(notes, 0.9) AND Differs(dob)", KIN_E_WORKFLOW,
                   "Jaro(notes, 0.9) AND Differs(dob) gives no blocking key; add an Exact, ");
    expect_refused("Exact(email) OR Within(dob, 1 day)", KIN_E_WORKFLOW,
                   "Within(dob, 1 day) gives no");
    expect_refused("NOT Exact(email)", KIN_E_WORKFLOW, "NOT Exact(email) gives no blocking key");
    expect_refused("ExactManyToMany(email, phone)", KIN_E_WORKFLOW, "ExactManyToMany alone");
    expect_refused("Exact(email, EmptyValues=Process) AND Empty(dob)", KIN_E_WORKFLOW,
                   "EmptyValues=Process alone would");
    expect_refused("Swapped(first_name, last_name)", KIN_E_WORKFLOW, "gives no blocking key");
    expect_refused("(Exact(first_name) OR Exact(last_name)) AND (Exact(email) OR Exact(phone)) AND "
                   "(Exact(dob) OR Exact(postcode)) AND (Exact(tax_id) OR Exact(price)) AND "
                   "(Exact(place) OR Exact(address)) AND (Exact(notes) OR Soundex(notes))",
                   KIN_E_LIMIT, "more than 32 alternatives");
    struct text t = {.n = 0};
    for (unsigned i = 1; i <= 40; i++) {
        put(&t, i > 1 ? " AND Levenshtein(notes, " : "Levenshtein(notes, ");
        put_number(&t, i);
        put(&t, ")");
    }
    expect_refused(t.p, KIN_E_WORKFLOW, "... gives no blocking key");
}

static void keys_in_the_list_are_not_repeated(void **state)
{
    (void)state;
    struct result r = {.count = 0};
    static const char *const texts[] = {"Exact(email) AND Jaro(notes, 0.9)",
                                        "Exact(dob) AND Soundex(notes)",
                                        "Soundex(notes) AND Jaro(notes, 0.8) AND Exact(dob)",
                                        "Exact(email) AND Jaro(notes, 0.8) OR Exact(phone)"};
    for (unsigned i = 0; i < 4; i++) {
        struct kin_rule rule = rule_of(&r.arena, texts[i]);
        r.status = kin_rule_derive_keys(&r.arena, &fixture_schema, &rule, r.keys, &r.count, &r.err);
        assert_int_equal(r.status, KIN_OK);
    }
    expect_texts(&r, "four rules", "email; dob + soundex(notes); phone");

    /* a star is no block of pairs */
    r.keys[0].star = true;
    struct kin_rule rule = rule_of(&r.arena, texts[0]);
    assert_int_equal(
        kin_rule_derive_keys(&r.arena, &fixture_schema, &rule, r.keys, &r.count, &r.err), KIN_OK);
    assert_int_equal(r.count, 4);

    /* a full list */
    for (; r.count < KIN_KEY_RULES_MAX; r.count++)
        r.keys[r.count] = (struct kin_key_rule){.count = 1, .number = (uint8_t)r.count};
    rule = rule_of(&r.arena, "Exact(price)");
    assert_int_equal(
        kin_rule_derive_keys(&r.arena, &fixture_schema, &rule, r.keys, &r.count, &r.err),
        KIN_E_LIMIT);
    assert_int_equal(
        kin_rule_stars(&r.arena, &fixture_schema, &rule, 1, r.keys, &r.count, &r.is_star, &r.err),
        KIN_E_LIMIT);
    assert_int_equal(r.count, KIN_KEY_RULES_MAX);
    free_result(&r);
}

static void exact_rules_are_stars(void **state)
{
    (void)state;
    expect_stars("Exact(email)", "email");
    expect_stars("Exact(email) OR Exact(phone) AND Exact(dob)", "email; phone + dob");
    expect_stars("Exact(email) OR Exact(email) AND Exact(dob)", "email");
    expect_stars("(Exact(dob) OR Exact(email)) AND Exact(phone)", "dob + phone; email + phone");
    expect_stars("Exact(dob) AND Exact(email, EmptyValues=Process)", "dob + email (or empty)");
    expect_stars("Exact(dob) AND Exact(dob, EmptyValues=Process)", "dob");
    static const char nine[] =
        "Exact(first_name) AND Exact(last_name) AND Exact(email) AND Exact(phone) AND Exact(dob) "
        "AND Exact(postcode) AND Exact(tax_id) AND Exact(price) AND Exact(place) OR Exact(notes)";
    const char *const no_stars[] = {
        "Exact(email) AND Soundex(notes)",
        "NOT Exact(email)",
        "NOT NOT Exact(email)",
        "Exact(email) AND Differs(dob)",
        "Exact(email) OR Empty(dob)",
        "ExactManyToMany(email, phone)",
        nine,
    };
    for (unsigned i = 0; i < sizeof no_stars / sizeof *no_stars; i++) {
        struct result r;
        find_stars(&r, no_stars[i]);
        assert_int_equal(r.status, KIN_OK);
        assert_false(r.is_star);
        assert_int_equal(r.count, 0);
        free_result(&r);
    }
    struct result r;
    find_stars(&r, "Exact(notes) OR Exact(email, EmptyValues=Process) AND "
                   "Exact(dob, EmptyValues=Process)");
    assert_int_equal(r.status, KIN_E_WORKFLOW);
    assert_int_equal(r.count, 0);
    assert_non_null(strstr(r.err.msg, "Exact(email, EmptyValues=Process) AND Exact(dob, "
                                      "EmptyValues=Process) would make one group of all"));
    free_result(&r);
}

/* ---- properties ---- */

static void put_key_term(struct dice *d, struct text *t)
{
    static const char *const terms[] = {"Exact(email)",
                                        "Exact(last_name)",
                                        "Soundex(last_name)",
                                        "Metaphone(first_name)",
                                        "Prefix(notes, 2)",
                                        "Suffix(notes, 2)",
                                        "SameYear(dob)",
                                        "Exact(dob)",
                                        "Prefix(tax_id, 3)",
                                        "Exact(phone)",
                                        "Exact(notes)",
                                        "Soundex(notes)",
                                        "Exact(phone, EmptyValues=Process)",
                                        "Exact(email, EmptyValues=Process)"};
    if (roll(d, 4))
        put(t, terms[roll(d, sizeof terms / sizeof *terms)]);
    else
        put_term(d, t);
}

static void put_exact_term(struct dice *d, struct text *t)
{
    put(t, "Exact(");
    put_field(d, t, roll(d, 5));
    put(t, roll(d, 4) ? ")" : ", EmptyValues=Process)");
}

static bool share_key(const struct kin_key_rule *rules, size_t count, const uint8_t *a,
                      const uint8_t *b, bool by_value)
{
    uint64_t x[KIN_KEYS_MAX], y[KIN_KEYS_MAX], excess = 0;
    size_t n = kin_blocking_keys(rules, count, a, KIN_KEYS_MAX, x, &excess);
    size_t m = kin_blocking_keys(rules, count, b, KIN_KEYS_MAX, y, &excess);
    assert_int_equal(excess, 0);
    bool shared = false;
    for (size_t i = 0, j = 0; i < n && j < m && !shared;) {
        shared = x[i] == y[j];
        if (shared && by_value) {
            const struct kin_key_rule *rule = &rules[kin_key_rule_number(x[i])];
            struct kin_buf p = {0}, q = {0};
            assert_true(kin_blocking_key_values(rule, a, x[i], &p));
            assert_true(kin_blocking_key_values(rule, b, x[i], &q));
            assert_int_equal(p.n, q.n);
            assert_memory_equal(p.p, q.p, p.n);
            kin_buf_deinit(&p);
            kin_buf_deinit(&q);
        }
        if (x[i] < y[j])
            i++;
        else
            j++;
    }
    return shared;
}

enum { RECORDS = 30 };

static void derived_keys_miss_no_pair_the_rule_matches(void **state)
{
    (void)state;
    struct dice d = {99};
    struct kin_kernel_scratch *s = kin_kernel_scratch_new();
    unsigned rules = 0, matches = 0;
    for (unsigned i = 0; i < 700; i++) {
        struct result r = {.count = 0};
        struct text t;
        struct kin_rule rule = {.name = "r"};
        rule.condition = random_condition(&d, &r.arena, i % 4, true, put_key_term, &t);
        r.status = kin_rule_derive_keys(&r.arena, &fixture_schema, &rule, r.keys, &r.count, &r.err);
        if (r.status) {
            assert_true(r.status == KIN_E_WORKFLOW || r.status == KIN_E_LIMIT);
            assert_true(r.err.msg[0]);
            free_result(&r);
            continue;
        }
        rules++;
        uint8_t *records[RECORDS];
        for (unsigned k = 0; k < RECORDS; k++)
            records[k] = random_record(&d, 4);
        for (unsigned k = 0; k < RECORDS; k++) {
            for (unsigned l = k + 1; l < RECORDS; l++) {
                if (kin_condition_eval(rule.condition, records[k], records[l], s) != KIN_TRUE)
                    continue;
                matches++;
                if (!share_key(r.keys, r.count, records[k], records[l], false))
                    fail_msg("missed by %s", t.p);
            }
        }
        for (unsigned k = 0; k < RECORDS; k++)
            kin_free(records[k]);
        free_result(&r);
    }
    assert_true(rules > 200 && matches > 3000);
    kin_kernel_scratch_free(s);
}

static void stars_are_exactly_the_pairs_of_their_rule(void **state)
{
    (void)state;
    struct dice d = {5};
    struct kin_kernel_scratch *s = kin_kernel_scratch_new();
    unsigned rules = 0, matches = 0, others = 0;
    for (unsigned i = 0; i < 500; i++) {
        struct result r = {.count = 0};
        struct text t;
        struct kin_rule rule = {.name = "r"};
        rule.condition = random_condition(&d, &r.arena, i % 4, false, put_exact_term, &t);
        r.status = kin_rule_stars(&r.arena, &fixture_schema, &rule, 0, r.keys, &r.count, &r.is_star,
                                  &r.err);
        if (r.status || !r.is_star) {
            assert_true(r.status == KIN_E_WORKFLOW || r.status == KIN_E_LIMIT);
            free_result(&r);
            continue;
        }
        rules++;
        uint8_t *records[RECORDS];
        for (unsigned k = 0; k < RECORDS; k++)
            records[k] = random_record(&d, 3);
        for (unsigned k = 0; k < RECORDS; k++) {
            for (unsigned l = k + 1; l < RECORDS; l++) {
                bool match =
                    kin_condition_eval(rule.condition, records[k], records[l], s) == KIN_TRUE;
                matches += match;
                others += !match;
                if (share_key(r.keys, r.count, records[k], records[l], true) != match)
                    fail_msg("%s by %s", match ? "missed" : "joined wrongly", t.p);
            }
        }
        for (unsigned k = 0; k < RECORDS; k++)
            kin_free(records[k]);
        free_result(&r);
    }
    assert_true(rules > 100 && matches > 2000 && others > 2000);
    kin_kernel_scratch_free(s);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    struct kin_arena rules = {0};
    struct kin_rule star = rule_of(&rules, "Exact(email) OR Exact(phone)");
    struct kin_rule pairs = rule_of(&rules, "Exact(email) AND Empty(dob) OR Soundex(notes)");
    struct kin_rule wrong = rule_of(&rules, "Empty(dob)");
    unsigned failures = 0;
    for (size_t n = 0, done = 0; done < 3; n++) {
        struct result r = {.count = 0};
        kin_alloc_fail_after(n);
        kin_status a =
            kin_rule_stars(&r.arena, &fixture_schema, &star, 0, r.keys, &r.count, &r.is_star, NULL);
        size_t after_stars = r.count;
        kin_alloc_fail_after(n);
        kin_status b =
            kin_rule_derive_keys(&r.arena, &fixture_schema, &pairs, r.keys, &r.count, NULL);
        kin_alloc_fail_after(n);
        kin_status c =
            kin_rule_derive_keys(&r.arena, &fixture_schema, &wrong, r.keys, &r.count, NULL);
        kin_alloc_fail_after(SIZE_MAX);
        assert_int_equal(after_stars, a ? 0 : 2);
        assert_int_equal(r.count, after_stars + (b ? 0 : 2));
        assert_true((!a || a == KIN_E_NOMEM) && (!b || b == KIN_E_NOMEM));
        assert_true(c == KIN_E_WORKFLOW || c == KIN_E_NOMEM);
        done = (size_t)!a + !b + (c == KIN_E_WORKFLOW);
        failures += 3 - (unsigned)done;
        free_result(&r);
    }
    assert_true(failures > 5);
    kin_arena_deinit(&rules);
}

/* ---- the reference page ---- */

/* Blocks of that name: a condition, and below it, indented, what it gives. */
static unsigned check_page(const char *block, void (*check)(const char *, const char *))
{
    FILE *file = fopen(KIN_SOURCE_DIR "/docs/rules.md", "r");
    assert_non_null(file);
    char fence[32], line[1024], condition[1024] = "";
    struct text keys = {.n = 0, .p = ""};
    bool inside = false;
    unsigned count = 0;
    snprintf(fence, sizeof fence, "```%s\n", block);
    while (fgets(line, sizeof line, file)) {
        bool ends = inside && (line[0] != ' ' || line[0] == '`');
        if (ends && condition[0]) {
            check(condition, keys.p);
            count++;
            condition[0] = '\0';
        }
        if (!inside) {
            inside = strcmp(line, fence) == 0;
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '`') {
            inside = false;
        } else if (line[0] == ' ') {
            put(&keys, keys.n ? "; " : "");
            put(&keys, line + 4);
        } else {
            snprintf(condition, sizeof condition, "%s", line);
            keys.n = 0;
            keys.p[0] = '\0';
        }
    }
    fclose(file);
    return count;
}

static void check_no_keys(const char *condition, const char *expected)
{
    (void)expected;
    expect_refused(condition, KIN_E_WORKFLOW, "gives no blocking key");
}

static void check_pairs(const char *condition, const char *expected)
{
    (void)expected;
    struct result r;
    find_stars(&r, condition);
    assert_int_equal(r.status, KIN_OK);
    assert_false(r.is_star);
    free_result(&r);
}

static void examples_of_the_reference_hold(void **state)
{
    (void)state;
    assert_true(check_page("rule-keys", expect_derived) >= 5);
    assert_true(check_page("rule-stars", expect_stars) >= 3);
    assert_true(check_page("rule-no-keys", check_no_keys) >= 4);
    assert_true(check_page("rule-pairs", check_pairs) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_derived_from_each_alternative),
        cmocka_unit_test(a_rule_without_keys_is_refused_with_the_reason),
        cmocka_unit_test(keys_in_the_list_are_not_repeated),
        cmocka_unit_test(exact_rules_are_stars),
        cmocka_unit_test(derived_keys_miss_no_pair_the_rule_matches),
        cmocka_unit_test(stars_are_exactly_the_pairs_of_their_rule),
        cmocka_unit_test(running_out_of_memory_is_reported),
        cmocka_unit_test(examples_of_the_reference_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
