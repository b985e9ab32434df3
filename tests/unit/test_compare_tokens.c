/* Words by their weight: what counts do to a level. The similarities themselves are held against
 * their definitions in tests/property/test_compare_oracle.c. */
#include "common/match/compare_tokens.h"

#include "common/base/hash.h"
#include "tests/unit/compare_fixture.h"

struct fixture {
    struct kin_arena arena;
    struct kin_comparison comparison;
    struct kin_comparer *comparer;
    struct kin_comparer_scratch *scratch;
};

static struct fixture fixture(const char *level)
{
    struct fixture f = {.comparison = {.name = "t", .fields = {NOTES}, .field_count = 1}};
    f.comparison.levels[f.comparison.level_count++] = parse_level(&f.arena, &f.comparison, level);
    assert_int_equal(kin_comparer_new(&fixture_schema, &f.comparison, 1, &f.comparer, NULL),
                     KIN_OK);
    f.scratch = kin_comparer_scratch_new();
    assert_non_null(f.scratch);
    return f;
}

static void done(struct fixture *f)
{
    kin_comparer_scratch_free(f->scratch);
    kin_comparer_free(f->comparer);
    kin_arena_deinit(&f->arena);
}

static uint8_t *record(const char *text)
{
    const char *values[FIXTURE_FIELDS] = {NULL};
    values[NOTES] = text;
    return fixture_record(values);
}

static bool passes(struct fixture *f, const char *a, const char *b)
{
    uint8_t *x = record(a), *y = record(b);
    unsigned level = kin_comparer_level(f->comparer, f->scratch, 0, x, y, NULL);
    kin_free(x);
    kin_free(y);
    return level == 1;
}

static struct kin_value_count counted(const char *word, uint64_t count)
{
    return (struct kin_value_count){kin_hash64(word, strlen(word), 0), count};
}

static void a_rare_word_counts_for_more_than_a_common_one(void **state)
{
    (void)state;
    struct fixture f = fixture("tfidf 0.6");
    const struct kin_value_count items[] = {counted("camera", 900), counted("canon", 200),
                                            counted("a20", 2)};
    assert_false(passes(&f, "canon camera", "sony camera")); /* one of two */
    assert_true(passes(&f, "canon camera a20", "canon camera ixus"));
    assert_int_equal(kin_comparer_set_tokens(f.comparer, 0, 1000, items, 3), KIN_OK);
    assert_false(passes(&f, "canon camera", "sony camera"));
    assert_false(passes(&f, "canon camera a20", "canon camera ixus"));
    assert_true(passes(&f, "canon a20", "a20 camera"));
    assert_true(passes(&f, "a20", "a20 unknown camera"));
    kin_alloc_fail_after(0);
    kin_status status = kin_comparer_set_tokens(f.comparer, 0, 1000, items, 1);
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(status, KIN_E_NOMEM);
    assert_true(passes(&f, "canon a20", "a20 camera")); /* all is as it was */
    assert_int_equal(kin_comparer_set_tokens(f.comparer, 0, 0, NULL, 0), KIN_OK);
    assert_true(passes(&f, "canon camera a20", "canon camera ixus")); /* as without counts */
    done(&f);
}

static void what_was_not_counted_is_one_records(void **state)
{
    (void)state;
    struct fixture f = fixture("soft_tfidf 0.7"), g = fixture("soft_tfidf 0.7");
    const struct kin_value_count all[] = {counted("a", 1), counted("b", 1), counted("c", 50)};
    assert_int_equal(kin_comparer_set_tokens(f.comparer, 0, 50, all, 3), KIN_OK);
    assert_int_equal(kin_comparer_set_tokens(g.comparer, 0, 50, all + 2, 1), KIN_OK);
    static const char *const texts[] = {"a b", "a c", "b c", "a b c", "c", "a"};
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned j = 0; j < 6; j++)
            assert_int_equal(passes(&f, texts[i], texts[j]), passes(&g, texts[i], texts[j]));
    }
    assert_true(passes(&f, "a b", "a b c"));
    assert_false(passes(&f, "a c", "b c"));
    done(&f);
    done(&g);
}

static void a_record_adds_each_word_once(void **state)
{
    (void)state;
    struct fixture f = fixture("tfidf 0.5"), g = fixture("tfidf 0.5 of 2-grams");
    struct fixture none = fixture("cosine 0.5");
    uint8_t *rec = record("abc abc|abc de"), *empty = record(NULL);
    struct kin_buf out = {0};
    assert_int_equal(kin_comparer_tokened(f.comparer), 1);
    assert_int_equal(kin_comparer_tokened(none.comparer), 0);
    kin_comparer_tokens(f.comparer, 0, rec, &out);
    assert_int_equal(out.n, 2 * 8);
    kin_comparer_tokens(g.comparer, 0, rec, &out); /* ab, bc, "c ", " a", " d", de */
    assert_int_equal(out.n, (2 + 6) * 8);
    kin_comparer_tokens(f.comparer, 0, empty, &out);
    kin_comparer_tokens(none.comparer, 0, rec, &out);
    assert_int_equal(out.n, (2 + 6) * 8);
    kin_buf_deinit(&out);
    kin_free(rec);
    kin_free(empty);
    done(&f);
    done(&g);
    done(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rare_word_counts_for_more_than_a_common_one),
        cmocka_unit_test(what_was_not_counted_is_one_records),
        cmocka_unit_test(a_record_adds_each_word_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
