#ifndef KIN_MATCH_COMPARE_H
#define KIN_MATCH_COMPARE_H
/* Comparisons: what stands between two records and their agreement pattern (model.h). Each looks at
 * one field, or at several together, and gives the pair a level: 1 the strongest, the last "else",
 * 0 where a side has no value. docs/comparisons.md is the reference of all levels.
 *
 *   level := [ swapped | any ] test | swapped
 *   test  := exact | jaro_winkler X | jaro X | lcs X | levenshtein N | damerau N
 *          | jaccard X [of N-grams] | cosine X [of N-grams] | tfidf X [of N-grams] | soft_tfidf X
 *          | soundex | metaphone
 *          | prefix N | suffix N | contains | initial | same username | same domain
 *          | within N days|weeks|months|years | within N | within N % | within N km|m
 *          | same PART [and PART], parts year, month and day | day and month swapped
 *
 * - Equal values (equal hashes) pass every test, so they are at the strongest level there is.
 * - Of several values on a side the best pair counts.
 * - A comparison of several fields has up to three readings. Plain: each field by itself, and the
 *   weakest of them counts. swapped (two fields): the same, crosswise. any: all values of all
 * fields together, as if they were those of one. The strongest of the readings counts; one that
 * lacks a value does not, and where all do, the level is 0.
 *
 * - tfidf and soft_tfidf weigh words by how many records have them (compare_tokens.h).
 *
 * What is parsed and compiled is immutable; any thread. */
#include "common/match/kernels.h"
#include "common/match/model.h"
#include "common/record/features.h"

enum {
    KIN_COMPARISON_FIELDS_MAX = 8,
    KIN_COMPARISON_TERMS_MAX = 64, /* values of one record that are counted */
    KIN_LEVEL_TEXT_MAX = 128,      /* bytes of a level */
    KIN_LEVEL_DISTANCE_MAX = 64    /* of levenshtein, damerau; length of prefix, suffix */
};

struct kin_level; /* parsed and checked */

struct kin_comparison {
    const char *name;
    uint16_t fields[KIN_COMPARISON_FIELDS_MAX]; /* all texts, or all of one type */
    unsigned field_count;
    const struct kin_level *levels[KIN_LEVELS_MAX]; /* strongest first, without "else" */
    unsigned level_count;                           /* 1..KIN_LEVELS_MAX - 1 */
    bool term_frequency;
};

/* ---- the language of levels ---- */

/* Compiles a level for a comparison whose fields are set; it lies in the arena. On KIN_E_SYNTAX
 * *column is the 1-based byte position in the text, and the message says what was found, what was
 * expected, and for a misspelt word the nearest known one. KIN_E_NOMEM. */
kin_status kin_level_parse(struct kin_arena *arena, const struct kin_schema *schema,
                           const struct kin_comparison *comparison, struct kin_str text,
                           const struct kin_level **out, unsigned *column,
                           struct kin_err *err) KIN_MUST_CHECK;

/* The canonical text: one for all spellings; parses back to the same. */
void kin_level_print(const struct kin_level *level, struct kin_buf *out);

/* True if `later` can never be reached after `earlier`: wherever it holds, that one does. Knows
 * what follows from the definitions; not every such pair is found. */
bool kin_level_hides(const struct kin_level *earlier, const struct kin_level *later);

/* exact, or any exact: what term frequencies need first. */
bool kin_level_is_exact(const struct kin_level *level);

/* True if values of the two types can be compared with one another. */
bool kin_types_comparable(enum kin_type a, enum kin_type b);

/* ---- comparing ---- */

/* All comparisons of a workflow, compiled. Borrows nothing. */
struct kin_comparer;
kin_status kin_comparer_new(const struct kin_schema *schema,
                            const struct kin_comparison *comparisons, size_t count,
                            struct kin_comparer **out, struct kin_err *err) KIN_MUST_CHECK;
void kin_comparer_free(struct kin_comparer *c);

/* What a model is made for: names and canonical texts, which the comparer owns. */
void kin_comparer_spec(const struct kin_comparer *c, struct kin_model_spec *out);
/* KIN_E_INVAL, with the first difference, unless the model was made for these comparisons. */
kin_status kin_comparer_check_model(const struct kin_comparer *c,
                                    const struct kin_model_spec *model,
                                    struct kin_err *err) KIN_MUST_CHECK;

/* Of one thread, for any comparer. NULL: out of memory. */
struct kin_comparer_scratch;
struct kin_comparer_scratch *kin_comparer_scratch_new(void);
void kin_comparer_scratch_free(struct kin_comparer_scratch *s);

/* The agreement pattern of two valid records (features.h) of the schema; the same both ways round.
 */
uint64_t kin_comparer_pattern(const struct kin_comparer *c, struct kin_comparer_scratch *s,
                              const uint8_t *a, const uint8_t *b);

/* Where the records of a block lie far apart, fetching the next pair's while one is compared saves
 * about a third of the time. */
static inline void kin_comparer_prefetch(const uint8_t *rec)
{
    enum { CACHE_LINE_BYTES = 64, LINES = 4 };
    for (unsigned i = 0; i < LINES; i++)
        __builtin_prefetch(rec + (size_t)i * CACHE_LINE_BYTES);
}

/* What decided a level: a pair of values for each field, or one pair (any); of several pairs of one
 * level always the same, whichever record is a. At "else" it is the first values. Values point into
 * the records. */
struct kin_compared {
    unsigned level;
    unsigned parts; /* 0: level 0 */
    struct kin_compared_part {
        uint16_t field_a, field_b;
        struct kin_value a, b;
    } part[KIN_COMPARISON_FIELDS_MAX];
    /* Where the level can have a term frequency: the hashes under which the values are counted
     * (kin_comparer_terms); equal at an exact level. */
    bool counted;
    uint64_t hash_a, hash_b;
};
/* Level of one comparison; out may be NULL, which is faster. */
unsigned kin_comparer_level(const struct kin_comparer *c, struct kin_comparer_scratch *s,
                            unsigned comparison, const uint8_t *a, const uint8_t *b,
                            struct kin_compared *out);

/* For people: the values of one side (0: a, 1: b), joined with " + ". */
void kin_comparer_print(const struct kin_comparer *c, unsigned comparison,
                        const struct kin_compared *compared, unsigned side, struct kin_buf *out);

/* What a record adds to the value frequencies of a comparison: the hashes of its values without
 * repeats, ascending; of several fields those of all combinations (with `any` readings only: of all
 * values). Of more than KIN_COMPARISON_TERMS_MAX the first so many are looked at. 0: the record has
 * no value. */
unsigned kin_comparer_terms(const struct kin_comparer *c, unsigned comparison, const uint8_t *rec,
                            uint64_t out[KIN_COMPARISON_TERMS_MAX]);

/* Bit i: comparison i looks at one of these fields, so that a blocking key made of them says
 * something about its level. */
uint32_t kin_comparer_using(const struct kin_comparer *c, const uint16_t *fields, size_t count);

#endif
