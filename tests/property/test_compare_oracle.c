/* Comparisons against their definitions: random comparisons, random records with errors of all
 * kinds, several values, Unicode and nulls. */
#include "common/match/compare_tokens.h"
#include "tests/oracle/compare_reference.h"
#include "tests/unit/compare_fixture.h"

enum { SETS = 160, RECORDS = 14, COMPARISONS = KIN_COMPARISONS_MAX };

static void make_reference(struct kin_arena *arena, const struct kin_comparison *from,
                           struct ref_comparison *to)
{
    to->field_count = from->field_count;
    for (unsigned i = 0; i < from->field_count; i++)
        to->fields[i] = from->fields[i];
    to->level_count = from->level_count;
    to->records = NULL;
    to->record_count = 0;
    for (unsigned i = 0; i < from->level_count; i++)
        to->levels[i] = level_text(arena, from->levels[i]);
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Counts as they come from all records, those of 1 left out; the reference counts by itself. */
static void count_tokens(struct kin_comparer *c, unsigned comparison, uint8_t *const *records,
                         struct ref_comparison *reference)
{
    struct kin_buf all = {0};
    struct kin_value_count items[4096];
    uint64_t total = 0;
    size_t n = 0;
    for (unsigned r = 0; r < RECORDS; r++) {
        size_t before = all.n;
        kin_comparer_tokens(c, comparison, records[r], &all);
        total += all.n > before;
    }
    assert_false(all.failed);
    uint64_t *hashes = (uint64_t *)(void *)all.p;
    size_t count = all.n / 8;
    if (count)
        qsort(hashes, count, 8, by_hash);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && hashes[end] == hashes[i]; end++)
            continue;
        if (end - i > 1)
            items[n++] = (struct kin_value_count){hashes[i], end - i};
    }
    kin_buf_deinit(&all);
    assert_int_equal(kin_comparer_set_tokens(c, comparison, total, items, n), KIN_OK);
    reference->records = (const uint8_t *const *)records;
    reference->record_count = RECORDS;
}

static void fail_at(const struct ref_comparison *c, unsigned got, unsigned expected)
{
    for (unsigned i = 0; i < c->level_count; i++)
        print_error("    %u: %s\n", i + 1, c->levels[i]);
    fail_msg("field %u of %u: level %u, expected %u", c->fields[0], c->field_count, got, expected);
}

static bool has_term(const struct kin_comparer *c, unsigned comparison, const uint8_t *rec,
                     uint64_t hash)
{
    uint64_t terms[KIN_COMPARISON_TERMS_MAX];
    unsigned n = kin_comparer_terms(c, comparison, rec, terms);
    bool found = false;
    for (unsigned i = 0; i < n; i++) {
        found = found || terms[i] == hash;
        assert_true(i == 0 || terms[i - 1] < terms[i]);
    }
    return found;
}

/* What is told of a pair fits its level, and does not depend on the order of the two. */
static void check_details(const struct kin_comparer *c, struct kin_comparer_scratch *s, unsigned i,
                          const uint8_t *a, const uint8_t *b, unsigned level)
{
    struct kin_compared ab, ba;
    assert_int_equal(kin_comparer_level(c, s, i, a, b, &ab), level);
    assert_int_equal(kin_comparer_level(c, s, i, b, a, &ba), level);
    assert_int_equal(ab.level, level);
    assert_int_equal(ab.counted, ba.counted);
    assert_true(ab.hash_a == ba.hash_b && ab.hash_b == ba.hash_a);
    assert_int_equal(ab.parts == 0, level == 0);
    if (ab.counted) {
        assert_true(has_term(c, i, a, ab.hash_a));
        assert_true(has_term(c, i, b, ab.hash_b));
    }
}

static void levels_are_those_of_the_definitions(void **state)
{
    (void)state;
    struct dice d = {20240607};
    unsigned seen[KIN_LEVELS_MAX + 2] = {0}, elses = 0, counted = 0, tokened = 0;
    for (unsigned set = 0; set < SETS; set++) {
        struct kin_arena arena = {0};
        struct kin_comparison comparisons[COMPARISONS];
        struct ref_comparison references[COMPARISONS];
        struct kin_comparer *c = random_comparer(&d, &arena, comparisons, COMPARISONS);
        struct kin_comparer_scratch *s = kin_comparer_scratch_new();
        for (unsigned i = 0; i < COMPARISONS; i++)
            make_reference(&arena, &comparisons[i], &references[i]);
        uint8_t *records[RECORDS];
        for (unsigned i = 0; i < RECORDS; i++)
            records[i] = compare_record(&d);
        for (unsigned i = 0; i < COMPARISONS; i++) {
            if (kin_comparer_tokened(c) >> i & 1 && !one_in(&d, 4)) {
                count_tokens(c, i, records, &references[i]);
                tokened++;
            }
        }
        for (unsigned i = 0; i < RECORDS; i++) {
            for (unsigned j = i; j < RECORDS; j++) {
                const uint8_t *a = records[i], *b = records[j];
                uint64_t expected = ref_pattern(&fixture_schema, references, COMPARISONS, a, b);
                uint64_t got = kin_comparer_pattern(c, s, a, b);
                for (unsigned k = 0; k < COMPARISONS; k++) {
                    unsigned level = kin_pattern_level(got, k);
                    unsigned wanted = kin_pattern_level(expected, k);
                    if (level != wanted)
                        fail_at(&references[k], level, wanted);
                    check_details(c, s, k, a, b, level);
                    seen[level]++;
                    elses += level > comparisons[k].level_count;
                    counted += comparisons[k].term_frequency && level &&
                               level <= comparisons[k].level_count;
                }
                assert_true(kin_comparer_pattern(c, s, b, a) == got);
            }
        }
        for (unsigned i = 0; i < RECORDS; i++)
            kin_free(records[i]);
        kin_comparer_scratch_free(s);
        kin_comparer_free(c);
        kin_arena_deinit(&arena);
    }
    for (unsigned level = 0; level <= 5; level++)
        assert_true(seen[level] > 1000); /* the test tests something */
    assert_true(elses > 10000 && counted > 1000 && tokened > 100);
}

/* Whatever is refused as never reached is never reached. */
static void what_is_hidden_cannot_be_reached(void **state)
{
    (void)state;
    struct dice d = {77};
    unsigned hidden = 0, passed = 0;
    for (unsigned round = 0; round < 6000; round++) {
        struct kin_arena arena = {0};
        struct kin_comparison c = {.fields = {(uint16_t)roll(&d, FIXTURE_FIELDS)},
                                   .field_count = 1};
        enum kin_type type = fixture_fields[c.fields[0]].type;
        char text[2][128];
        const struct kin_level *levels[2];
        for (unsigned i = 0; i < 2; i++) {
            random_level(&d, type, text[i], sizeof text[i]);
            levels[i] = parse_level(&arena, &c, text[i]);
            assert_string_equal(level_text(&arena, levels[i]), text[i]);
        }
        if (!kin_level_hides(levels[0], levels[1])) {
            kin_arena_deinit(&arena);
            continue;
        }
        hidden++;
        for (unsigned k = 0; k < 20; k++) {
            uint8_t *a = compare_record(&d), *b = compare_record(&d);
            const uint8_t *at_a, *at_b;
            if (kin_features_values(a, c.fields[0], &at_a) &&
                kin_features_values(b, c.fields[0], &at_b)) {
                struct kin_value x = kin_features_next(&at_a), y = kin_features_next(&at_b);
                if (ref_values_pass(NULL, type, text[1], &x, &y)) {
                    passed += x.hash != y.hash;
                    if (!ref_values_pass(NULL, type, text[0], &x, &y))
                        fail_msg("'%s' does not hide '%s'", text[0], text[1]);
                }
            }
            kin_free(a);
            kin_free(b);
        }
        kin_arena_deinit(&arena);
    }
    assert_true(hidden > 500 && passed > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_those_of_the_definitions),
        cmocka_unit_test(what_is_hidden_cannot_be_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
