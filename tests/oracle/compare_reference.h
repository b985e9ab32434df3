#ifndef KIN_TESTS_ORACLE_COMPARE_REFERENCE_H
#define KIN_TESTS_ORACLE_COMPARE_REFERENCE_H
/* Levels and agreement patterns straight from the definitions in docs/comparisons.md: every level
 * is read from its text and tried on every pair of values, with textbook kernels. Shares with the
 * product only the form of records and the hash of a value. Aborts on a text it cannot read. One
 * thread (its kernels have static room). */
#include "common/record/features.h"

enum { REF_FIELDS = 8, REF_LEVELS = 13 };

struct ref_comparison {
    unsigned fields[REF_FIELDS];
    unsigned field_count;
    const char *levels[REF_LEVELS]; /* canonical texts, without "else" */
    unsigned level_count;
    /* what tfidf and soft_tfidf count words in; 0: all weigh the same */
    const uint8_t *const *records;
    unsigned record_count;
};

/* Whether one pair of values of a type passes the test (text without swapped and any). comparison:
 * whose words count; NULL: all weigh the same. */
bool ref_values_pass(const struct ref_comparison *comparison, enum kin_type type, const char *test,
                     const struct kin_value *a, const struct kin_value *b);

/* 1..level_count, level_count + 1: else, 0: no value. */
unsigned ref_level(const struct kin_schema *schema, const struct ref_comparison *comparison,
                   const uint8_t *a, const uint8_t *b);

/* Comparison i in bits 4i. */
uint64_t ref_pattern(const struct kin_schema *schema, const struct ref_comparison *comparisons,
                     unsigned count, const uint8_t *a, const uint8_t *b);

#endif
