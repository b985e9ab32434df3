#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/impl.h"

/* worker_refine_block: the windowed block of a large key stands in the order of the fields,
 * whatever the values are like. The order is defined once more here, and tried on neighbours. */

static const char workflow_text[] = "kindred: 1\n"
                                    "workflow: t\n"
                                    "sources:\n"
                                    "  a: {path: a.csv, id: key}\n"
                                    "  b: {path: b.csv, id: key}\n"
                                    "fields:\n"
                                    "  number: number\n"
                                    "  day: date\n"
                                    "  place: geo\n"
                                    "  words: text\n"
                                    "  mail: email\n"
                                    "block_on:\n"
                                    "  - [mail]\n"
                                    "refine: []\n"
                                    "rules:\n"
                                    "  - {name: same, when: \"JaroWinkler(words, 0.9)\"}\n"
                                    "limits: {max_block: 2}\n";

enum { NUMBER, DAY, PLACE, WORDS, MAIL, FIELDS, MEMBERS = 6000 };

struct fixture {
    struct worker_job job;
    struct partition partition;
    struct kin_buf bytes;
    uint32_t members[MEMBERS];
    const uint8_t *features[MEMBERS];
    uint64_t random;
};

static uint32_t below(struct fixture *f, uint32_t n)
{
    f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((f->random >> 33) % n);
}

static void put_double(uint8_t *to, double x)
{
    memcpy(to, &x, sizeof x);
}

/* One value out of few, or none: runs of equals at every field; in the first fields nearly always
 * one and the same, so that long runs are left for the later ones. */
static void put_value(struct fixture *f, struct kin_features_builder *b, unsigned field)
{
    static const double numbers[] = {-1e300, -2.5, -0.0, 0.0, 1e-300, 2.5, 3, 1e300};
    static const char *const words[] = {"a",       "ab",       "ab\1",           "ab\xc3\xa9",
                                        "abcdefg", "abcdefgh", "abcdefghijklmn", "abcdefghijklmno"};
    uint8_t p[200];
    size_t n = 0;
    uint32_t other = field < WORDS ? below(f, 16) == 0 : 1;
    if (other && below(f, 6) == 0)
        return;
    if (field == NUMBER) {
        put_double(p, numbers[other * below(f, 8)]);
        n = 8;
    } else if (field == DAY) {
        kin_put_le32(p, other * below(f, 5) - 2u); /* negative ones are before 1970 */
        n = 4;
    } else if (field == PLACE) {
        put_double(p, numbers[other * below(f, 2) + 1]);
        put_double(p + 8, numbers[other * below(f, 4) + 2]);
        n = 16;
    } else {
        /* texts that differ in the first chunk, in a later one, or only behind all chunks */
        size_t ahead = below(f, 3) * 50;
        const char *word = words[below(f, 8)];
        memset(p, 'x', ahead);
        n = strlen(word);
        memcpy(p + ahead, word, n);
        n += ahead;
        if (p[n - 1] == 1)
            p[n - 1] = 0; /* "ab" and "ab" with a zero byte are two values */
    }
    kin_features_field(b, field);
    kin_features_value(b, p, n, false);
}

static struct fixture *fixture_new(uint64_t seed)
{
    struct fixture *f = kin_calloc(1, sizeof *f);
    struct kin_problems problems = {0};
    size_t at[MEMBERS];
    assert_non_null(f);
    f->random = seed;
    assert_int_equal(kin_workflow_parse(KIN_STR(workflow_text), "", &f->job.workflow, &problems),
                     KIN_OK);
    kin_problems_deinit(&problems);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct kin_features_builder b;
        char id[16];
        int n = snprintf(id, sizeof id, "%u", (unsigned)(i * 7919 % MEMBERS));
        at[i] = f->bytes.n;
        kin_features_begin(&b, &f->bytes, FIELDS, i, (uint16_t)below(f, 2),
                           (struct kin_str){id, (size_t)n});
        for (unsigned field = 0; field < FIELDS; field++)
            put_value(f, &b, field);
        assert_int_equal(kin_features_end(&b, NULL, 0), KIN_OK);
        f->members[i] = i;
    }
    for (uint32_t i = 0; i < MEMBERS; i++)
        f->features[i] = f->bytes.p + at[i];
    return f;
}

static void fixture_free(struct fixture *f)
{
    kin_buf_deinit(&f->partition.refined);
    kin_buf_deinit(&f->partition.blocks);
    kin_buf_deinit(&f->partition.oversized);
    kin_buf_deinit(&f->partition.splits);
    kin_buf_deinit(&f->bytes);
    kin_workflow_free(f->job.workflow);
    kin_free(f);
}

static int cmp_double(const uint8_t *a, const uint8_t *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int cmp_records(const uint8_t *a, const uint8_t *b)
{
    for (unsigned field = 0; field < FIELDS; field++) {
        const uint8_t *p = NULL, *q = NULL;
        unsigned n = kin_features_values(a, field, &p), m = kin_features_values(b, field, &q);
        if (!n && !m)
            continue;
        if (!n || !m)
            return n ? 1 : -1;
        struct kin_value v = kin_features_next(&p), w = kin_features_next(&q);
        int c;
        if (field == NUMBER) {
            c = cmp_double(v.p, w.p);
        } else if (field == PLACE) {
            c = cmp_double(v.p, w.p);
            c = c ? c : cmp_double(v.p + 8, w.p + 8);
        } else if (field == DAY) {
            int32_t x = (int32_t)kin_le32(v.p), y = (int32_t)kin_le32(w.p);
            c = (x > y) - (x < y);
        } else {
            c = kin_str_cmp((struct kin_str){(const char *)v.p, v.bytes},
                            (struct kin_str){(const char *)w.p, w.bytes});
        }
        if (c)
            return c;
    }
    return kin_features_cmp_identity(a, b);
}

static void test_a_large_window_is_in_the_order_of_the_fields(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {3, 47, 48, 49, 500, MEMBERS};
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct fixture *f = fixture_new(seed);
        uint32_t n = sizes[seed - 1];
        assert_int_equal(
            worker_refine_block(&f->job, &f->partition, 77, f->members, n, f->features), KIN_OK);
        assert_int_equal(f->partition.blocks.n, sizeof(struct block));
        struct block b;
        memcpy(&b, f->partition.blocks.p, sizeof b);
        assert_int_equal(b.kind, BLOCK_WINDOWED);
        assert_int_equal(b.count, n);
        const uint32_t *order = (const uint32_t *)(const void *)f->partition.refined.p + b.start;
        for (uint32_t i = 1; i < n; i++)
            assert_true(cmp_records(f->features[order[i - 1]], f->features[order[i]]) < 0);
        fixture_free(f);
    }
}

static void test_memory_that_runs_out_is_told(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    for (size_t k = 0;; k++) {
        kin_alloc_fail_after(k);
        kin_status status =
            worker_refine_block(&f->job, &f->partition, 77, f->members, 300, f->features);
        kin_alloc_fail_after(SIZE_MAX);
        if (status == KIN_OK) {
            assert_true(k > 2);
            break;
        }
        assert_int_equal(status, KIN_E_NOMEM);
        kin_buf_deinit(&f->partition.refined);
        kin_buf_deinit(&f->partition.blocks);
        kin_buf_deinit(&f->partition.oversized);
        kin_buf_deinit(&f->partition.splits);
    }
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_large_window_is_in_the_order_of_the_fields),
        cmocka_unit_test(test_memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
