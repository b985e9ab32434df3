/* Any bytes as a condition, or as a key term: never a crash, complaints lie in the text, and what
 * parses survives printing, deciding and deriving keys. The first byte picks between the two. */
#include "common/match/rule.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct kin_field fields[] = {
    {.name = "name", .type = KIN_TYPE_NAME},    {.name = "dob", .type = KIN_TYPE_DATE},
    {.name = "price", .type = KIN_TYPE_NUMBER}, {.name = "place", .type = KIN_TYPE_GEO},
    {.name = "a \"b\"", .type = KIN_TYPE_TEXT}, {.name = "f", .type = KIN_TYPE_EMAIL},
};
enum { FIELDS = sizeof fields / sizeof *fields };
static const struct kin_schema schema = {fields, FIELDS};

/* A record with values from the input's last bytes, so that terms have something to compare. */
static void build_record(struct kin_buf *out, const uint8_t *p, size_t n, unsigned skip)
{
    struct kin_features_builder b;
    kin_features_begin(&b, out, FIELDS, 0, 0, KIN_STR("r"));
    for (unsigned f = 0; f < FIELDS; f++) {
        if (f == skip || n < 17)
            continue;
        size_t at = (f * 5 + skip) % (n - 16);
        size_t bytes = f == 1 ? 4 : f == 2 ? 8 : f == 3 ? 16 : 1 + p[at] % 16;
        kin_features_field(&b, f);
        kin_features_value(&b, p + at, bytes, false);
        kin_features_value(&b, p + at + 1, bytes > 15 ? bytes - 1 : bytes, false);
    }
    KIN_ASSERT(kin_features_end(&b, NULL, 0) == KIN_OK);
}

static void check_keys(const struct kin_rule *rule, const uint8_t *a, const uint8_t *b, bool match)
{
    struct kin_arena arena = {0};
    static const struct kin_key_rule none;
    struct kin_key_rule keys[KIN_KEY_RULES_MAX] = {none};
    size_t count = 0;
    bool is_star = false;
    struct kin_err err = {.msg = ""};
    kin_status status = kin_rule_stars(&arena, &schema, rule, 0, keys, &count, &is_star, &err);
    KIN_ASSERT(status || is_star == (count > 0));
    size_t stars = count;
    status = kin_rule_derive_keys(&arena, &schema, rule, keys, &count, &err);
    KIN_ASSERT(!status == (count > stars));
    uint64_t x[KIN_KEYS_MAX], y[KIN_KEYS_MAX], excess = 0;
    size_t n = kin_blocking_keys(keys, count, a, KIN_KEYS_MAX, x, &excess);
    size_t m = kin_blocking_keys(keys, count, b, KIN_KEYS_MAX, y, &excess);
    bool shared = false;
    for (size_t i = 0, j = 0; i < n && j < m && !shared; x[i] < y[j] ? i++ : j++)
        shared = x[i] == y[j];
    KIN_ASSERT(status || excess || !match || shared);
    kin_arena_deinit(&arena);
}

static void check_condition(struct kin_condition *condition, const uint8_t *p, size_t n)
{
    struct kin_rule rule = {.name = "r", .condition = condition};
    struct kin_buf a = {0}, b = {0};
    build_record(&a, p, n, FIELDS);
    build_record(&b, p, n, (unsigned)(n % FIELDS));
    struct kin_decider *d = NULL;
    KIN_ASSERT(kin_decider_new(&schema, &rule, 1, &d, NULL) == KIN_OK);
    struct kin_decider_state *s = kin_decider_state_new(d);
    struct kin_kernel_scratch *scratch = kin_kernel_scratch_new();
    KIN_ASSERT(s && scratch);
    const uint8_t *const pairs[][2] = {{a.p, b.p}, {a.p, a.p}, {b.p, b.p}};
    for (unsigned i = 0; i < 3; i++) {
        enum kin_truth truth = kin_condition_eval(condition, pairs[i][0], pairs[i][1], scratch);
        int fired = kin_decide(d, s, pairs[i][0], pairs[i][1]);
        KIN_ASSERT(fired == (truth == KIN_TRUE ? 0 : -1));
        check_keys(&rule, pairs[i][0], pairs[i][1], truth == KIN_TRUE);
    }
    kin_kernel_scratch_free(scratch);
    kin_decider_state_free(s);
    kin_decider_free(d);
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
}

static void fuzz_condition(struct kin_str text)
{
    struct kin_arena arena = {0};
    struct kin_condition *c = NULL, *again = NULL;
    unsigned column = 0;
    struct kin_err err = {.msg = ""};
    kin_status status = kin_condition_parse(&arena, &schema, text, &c, &column, &err);
    KIN_ASSERT((status == KIN_OK) == (c != NULL));
    if (status) {
        KIN_ASSERT(status == KIN_E_SYNTAX || status == KIN_E_LIMIT);
        KIN_ASSERT(column >= 1 && column <= text.n + 1 && err.msg[0]);
        kin_arena_deinit(&arena);
        return;
    }
    struct kin_buf first = {0}, second = {0};
    kin_condition_print(&schema, c, &first);
    if (first.n <= KIN_RULE_TEXT_MAX) {
        struct kin_str canonical = {(const char *)first.p, first.n};
        status = kin_condition_parse(&arena, &schema, canonical, &again, &column, &err);
        KIN_ASSERT(status == KIN_OK);
        kin_condition_print(&schema, again, &second);
        KIN_ASSERT(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
    }
    kin_buf_deinit(&first);
    kin_buf_deinit(&second);
    check_condition(c, (const uint8_t *)text.p, text.n);
    kin_arena_deinit(&arena);
}

static void fuzz_key_term(struct kin_str text)
{
    struct kin_key_term t, again;
    unsigned column = 0;
    struct kin_err err = {.msg = ""};
    kin_status status = kin_key_term_parse(&schema, text, &t, &column, &err);
    if (status) {
        KIN_ASSERT(status == KIN_E_SYNTAX && column >= 1 && column <= text.n + 1 && err.msg[0]);
        return;
    }
    struct kin_buf out = {0};
    kin_key_term_print(&schema, &t, &out);
    struct kin_str canonical = {(const char *)out.p, out.n};
    KIN_ASSERT(kin_key_term_parse(&schema, canonical, &again, &column, &err) == KIN_OK);
    KIN_ASSERT(t.fn == again.fn && t.field == again.field && t.n == again.n &&
               t.rows == again.rows);
    kin_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* an exact block of its own, so that ASan sees one byte too far */
    uint8_t *copy = kin_alloc(size - 1);
    KIN_ASSERT(copy);
    if (size > 1)
        memcpy(copy, data + 1, size - 1);
    struct kin_str text = {(const char *)copy, size - 1};
    if (data[0] == 'k')
        fuzz_key_term(text);
    else
        fuzz_condition(text);
    kin_free(copy);
    return 0;
}
