#ifndef KIN_TESTS_EXPLAIN_KIT_H
#define KIN_TESTS_EXPLAIN_KIT_H
/* The workflow of tests/data/explain, records of it that are built here, and plans of its model.
 */
#include "common/explain/explainer.h"
#include "common/match/compare_tokens.h"
#include "tests/unit/scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#ifndef KIN_TEST_DATA
#define KIN_TEST_DATA "tests/data" /* the build says where it is */
#endif

#define EXPLAIN_DATA KIN_TEST_DATA "/explain/"
enum { KIT_NAME, KIT_BORN, KIT_CITY, KIT_EMAIL, KIT_TAX, KIT_FIELDS };
enum { KIT_CRM, KIT_WEB };

static inline struct kin_buf kit_read(const char *name)
{
    char path[SCRATCH_PATH];
    struct kin_buf text = {0};
    snprintf(path, sizeof path, EXPLAIN_DATA "%s", name);
    assert_true(scratch_get(path, &text));
    return text;
}

/* Relative paths in it are as of the working directory. */
static inline struct kin_workflow *kit_workflow(void)
{
    struct kin_buf text = kit_read("people.yaml");
    struct kin_workflow *w = NULL;
    struct kin_problems problems = {0};
    assert_int_equal(
        kin_workflow_parse((struct kin_str){(const char *)text.p, text.n}, "", &w, &problems),
        KIN_OK);
    kin_problems_deinit(&problems);
    kin_buf_deinit(&text);
    assert_int_equal(w->schema.count, KIT_FIELDS);
    return w;
}

/* Packed features with their keys, from normalised texts; born: days, or -1 for none. */
static inline uint8_t *kit_record(const struct kin_workflow *w, uint16_t source, const char *id,
                                  const char *const texts[KIT_FIELDS], int32_t born)
{
    struct kin_buf out = {0};
    struct kin_features_builder b;
    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    kin_features_begin(&b, &out, KIT_FIELDS, 0, source, kin_str_of(id));
    for (unsigned f = 0; f < KIT_FIELDS; f++) {
        if (f == KIT_BORN ? born < 0 : !texts[f])
            continue;
        kin_features_field(&b, f);
        if (f == KIT_BORN)
            kin_features_value(&b, &born, sizeof born, false);
        else
            kin_features_value(&b, texts[f], strlen(texts[f]), true);
    }
    size_t n = kin_blocking_keys(w->keys, w->key_count, kin_features_peek(&b), KIN_KEYS_MAX, keys,
                                 &excess);
    assert_int_equal(kin_features_end(&b, keys, n), KIN_OK);
    assert_true(kin_features_valid(out.p, out.n, KIT_FIELDS));
    return out.p; /* the caller's to kin_free */
}

/* A key that both records have, of the rule with this text. */
static inline uint64_t kit_key(const struct kin_workflow *w, const uint8_t *a, const uint8_t *b,
                               const char *text)
{
    struct kin_buf keys = {0};
    uint64_t found = 0;
    kin_explain_common_keys(w, a, b, &keys);
    for (size_t i = 0; i < keys.n; i += 8) {
        uint64_t key = kin_le64(keys.p + i);
        if (strcmp(w->keys[kin_key_rule_number(key)].text, text) == 0)
            found = key;
    }
    kin_buf_deinit(&keys);
    assert_true(found);
    return found;
}

/* Appends a plan: one oversized key (0: none), the model, the frequencies of the names of rec in 90
 * of 100 records, and of the words of its city in 50 of 100. */
static inline void kit_plan(const struct kin_workflow *w, uint64_t oversized, const uint8_t *rec,
                            struct kin_buf *out)
{
    enum { COMPARISONS = 3, NAMES = 0, CITIES = 2, RECORDS = 100 };
    const struct kin_workflow_model *m = w->model;
    struct kin_comparer *comparer = NULL;
    struct kin_err err;
    struct kin_buf model = kit_read("model.json"), words = {0};
    uint64_t names[KIN_COMPARISON_TERMS_MAX];
    assert_int_equal(m->comparison_count, COMPARISONS);
    assert_int_equal(
        kin_comparer_new(&w->schema, m->comparisons, m->comparison_count, &comparer, &err), KIN_OK);
    unsigned name_count = kin_comparer_terms(comparer, NAMES, rec, names);
    kin_comparer_tokens(comparer, CITIES, rec, &words);
    kin_buf_u32(out, oversized ? 1 : 0);
    kin_buf_u32(out, (uint32_t)model.n);
    kin_buf_u32(out, NAMES + 1);
    kin_buf_u32(out, CITIES + 1);
    if (oversized)
        kin_buf_u64(out, oversized);
    kin_buf_put(out, model.p, model.n);
    kin_buf_put(out, "\0\0\0\0\0\0\0", (8 - model.n % 8) % 8);
    kin_buf_u64(out, RECORDS);
    kin_buf_u64(out, name_count);
    for (unsigned i = 0; i < name_count; i++) {
        kin_buf_u64(out, names[i]);
        kin_buf_u64(out, 90);
    }
    for (unsigned i = 0; i < CITIES; i++) { /* no words of these are counted */
        kin_buf_u64(out, 0);
        kin_buf_u64(out, 0);
    }
    kin_buf_u64(out, RECORDS);
    kin_buf_u64(out, words.n / 8);
    for (size_t i = 0; i < words.n; i += 8) {
        kin_buf_put(out, words.p + i, 8);
        kin_buf_u64(out, 50);
    }
    assert_false(out->failed);
    kin_buf_deinit(&model);
    kin_buf_deinit(&words);
    kin_comparer_free(comparer);
}

#endif
