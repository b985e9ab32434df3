/* The decider against the plain reading of each rule in turn. */
#include "common/match/condition_impl.h"
#include "tests/unit/rule_fixture.h"

static int decide_plainly(const struct kin_rule *rules, size_t count, const uint8_t *a,
                          const uint8_t *b, struct kin_kernel_scratch *s)
{
    for (size_t i = 0; i < count; i++) {
        if (kin_condition_eval(rules[i].condition, a, b, s) == KIN_TRUE)
            return (int)i;
    }
    return -1;
}

struct decider {
    struct kin_decider *d;
    struct kin_decider_state *s;
};

static struct decider new_decider(const struct kin_rule *rules, size_t count)
{
    struct decider x = {NULL, NULL};
    struct kin_err err = {0};
    assert_int_equal(kin_decider_new(&fixture_schema, rules, count, &x.d, &err), KIN_OK);
    x.s = kin_decider_state_new(x.d);
    assert_non_null(x.s);
    return x;
}

static void free_decider(struct decider x)
{
    kin_decider_state_free(x.s);
    kin_decider_free(x.d);
}

enum { RECORDS = 24, RULE_SETS = 400, RULES = 6 };

static void random_rules_are_decided_as_read(void **state)
{
    (void)state;
    struct dice d = {42};
    struct kin_kernel_scratch *s = kin_kernel_scratch_new();
    unsigned fired[RULES + 1] = {0};
    for (unsigned set = 0; set < RULE_SETS; set++) {
        struct kin_arena arena = {0};
        struct kin_rule rules[RULES];
        struct text texts[RULES];
        for (unsigned i = 0; i < RULES; i++)
            rules[i] = (struct kin_rule){.condition = random_condition(&d, &arena, (set + i) % 4,
                                                                       true, put_term, &texts[i])};
        struct decider x = new_decider(rules, RULES);
        uint8_t *records[RECORDS];
        for (unsigned i = 0; i < RECORDS; i++)
            records[i] = random_record(&d, 4);
        for (unsigned i = 0; i < RECORDS; i++) {
            for (unsigned j = i; j < RECORDS; j++) {
                int expected = decide_plainly(rules, RULES, records[i], records[j], s);
                int got = kin_decide(x.d, x.s, records[i], records[j]);
                if (got != expected)
                    fail_msg("set %u, pair %u %u: rule %d, expected %d: %s", set, i, j, got,
                             expected, texts[expected < 0 ? got : expected].p);
                fired[got + 1]++;
            }
        }
        for (unsigned i = 0; i < RECORDS; i++)
            kin_free(records[i]);
        free_decider(x);
        kin_arena_deinit(&arena);
    }
    for (unsigned i = 0; i <= RULES; i++)
        assert_true(fired[i] > 500); /* the test tests something */
    kin_kernel_scratch_free(s);
}

static struct kin_rule rule_of(struct kin_arena *arena, const char *text)
{
    return (struct kin_rule){.name = text, .when = text, .condition = parsed(arena, text)};
}

static void the_first_rule_that_is_true_fires(void **state)
{
    (void)state;
    static const char *const values_a[FIXTURE_FIELDS] = {
        [EMAIL] = "a", [PHONE] = "1", [LAST_NAME] = "smith"};
    static const char *const values_b[FIXTURE_FIELDS] = {
        [EMAIL] = "a", [PHONE] = "1", [LAST_NAME] = "smyth"};
    uint8_t *a = fixture_record(values_a), *b = fixture_record(values_b);
    struct kin_arena arena = {0};
    struct kin_rule rules[] = {
        rule_of(&arena, "Exact(dob) AND Exact(email)"),
        rule_of(&arena, "JaroWinkler(last_name, 0.85) AND Exact(phone)"),
        rule_of(&arena, "Exact(email)"),
        rule_of(&arena, "NOT Exact(dob)"), /* unknown */
        rule_of(&arena, "Differs(last_name)"),
    };
    struct decider x = new_decider(rules, 5);
    assert_int_equal(kin_decide(x.d, x.s, a, b), 1);
    assert_int_equal(kin_decide(x.d, x.s, a, a), 1);
    free_decider(x);
    x = new_decider(rules + 2, 3);
    assert_int_equal(kin_decide(x.d, x.s, b, a), 0);
    free_decider(x);
    x = new_decider(rules + 3, 2);
    assert_int_equal(kin_decide(x.d, x.s, b, a), 1);
    assert_int_equal(kin_decide(x.d, x.s, a, a), -1);
    free_decider(x);
    x = new_decider(rules, 0);
    assert_int_equal(kin_decide(x.d, x.s, b, a), -1);
    free_decider(x);
    kin_arena_deinit(&arena);
    kin_free(a);
    kin_free(b);
}

/* It stands on its own: the rules' memory may go. */
static void a_decider_outlives_its_rules(void **state)
{
    (void)state;
    static const char *const values[FIXTURE_FIELDS] = {[FIRST_NAME] = "ann", [NOTES] = "ann"};
    uint8_t *a = fixture_record(values);
    struct kin_arena arena = {0};
    struct kin_rule rule = rule_of(&arena, "ExactManyToMany(first_name, last_name, notes)");
    struct decider x = new_decider(&rule, 1);
    kin_arena_deinit(&arena);
    assert_int_equal(kin_decide(x.d, x.s, a, a), 0);
    free_decider(x);
    kin_free(a);
}

static void the_largest_set_of_rules_is_taken(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct text t = {.n = 0};
    for (unsigned i = 0; i < 100; i++)
        put(&t, i ? " OR Prefix(notes," : "Prefix(notes,"), put_number(&t, 1 + i % 64),
            put(&t, ")");
    struct kin_rule rules[KIN_RULES_MAX + 1];
    for (unsigned i = 0; i <= KIN_RULES_MAX; i++)
        rules[i] = rule_of(&arena, t.p);
    struct decider x = new_decider(rules, KIN_RULES_MAX);
    static const char *const values[FIXTURE_FIELDS] = {[NOTES] = "a"};
    uint8_t *a = fixture_record(values);
    assert_int_equal(kin_decide(x.d, x.s, a, a), 0);
    free_decider(x);
    kin_free(a);
    struct kin_err err = {0};
    struct kin_decider *d = NULL;
    assert_int_equal(kin_decider_new(&fixture_schema, rules, KIN_RULES_MAX + 1, &d, &err),
                     KIN_E_LIMIT);
    assert_null(d);
    kin_arena_deinit(&arena);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    struct kin_arena arena = {0};
    struct kin_rule rules[] = {
        rule_of(&arena, "Exact(dob) AND (Exact(email) OR NOT Exact(phone))"),
        rule_of(&arena, "ExactManyToMany(first_name, last_name) OR Empty(notes)"),
    };
    bool done = false;
    unsigned failures = 0;
    for (size_t n = 0; !done; n++) {
        struct kin_decider *d = NULL;
        struct kin_decider_state *s = NULL;
        struct kin_err err = {0};
        kin_alloc_fail_after(n);
        kin_status status = kin_decider_new(&fixture_schema, rules, 2, &d, &err);
        if (!status)
            s = kin_decider_state_new(d);
        kin_alloc_fail_after(SIZE_MAX);
        done = s != NULL;
        assert_true(status == KIN_OK || (status == KIN_E_NOMEM && !d));
        failures += !done;
        kin_decider_state_free(s);
        kin_decider_free(d);
    }
    assert_true(failures > 4);
    kin_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rules_are_decided_as_read),
        cmocka_unit_test(the_first_rule_that_is_true_fires),
        cmocka_unit_test(a_decider_outlives_its_rules),
        cmocka_unit_test(the_largest_set_of_rules_is_taken),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
