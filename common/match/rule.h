#ifndef KIN_MATCH_RULE_H
#define KIN_MATCH_RULE_H
/* The rule language: a superset of AWS Entity Resolution's advanced rule conditions. docs/rules.md
 * is its reference.
 *
 *   condition := and {OR and};  and := not {AND not};  not := NOT not | ( condition ) | term
 *
 * Words are case-insensitive, field names are not; a field name with other than letters, digits and
 * _ is written in double quotes, a double quote in it twice. Terms (f, g: fields):
 * - Exact(f [, EmptyValues=Process|Ignore]): equal values; Process: two empty ones are equal too
 * - ExactManyToMany(f, g, ...): any value of any field of one side equals any of the other's
 * - Differs(f): no value of one side equals one of the other
 * - Levenshtein(f, n), Damerau(f, n): distance <= n, 0..64
 * - Jaro(f, t), JaroWinkler(f, t): similarity >= t, 0 < t <= 1
 * - Cosine(f, t [, q]), Jaccard(f, t [, q]): the same over sets of tokens, or of q-grams, q 1..8
 * - LCS(f, t): longest common subsequence / longer length >= t
 * - Soundex(f), Metaphone(f): equal codes (Metaphone: any of primary and alternate)
 * - Within(f, 1 day | 2 weeks | 2 years | 5 % | 0.5 | 2 km | 50 m): dates; numbers, by share of the
 *   larger or absolute; places
 * - Prefix(f, n), Suffix(f, n): equal first or last n code points, both have as many, 1..64
 * - SameYear(f): dates
 * - Swapped(f, g): f of each side equals g of the other
 * - Empty(f): either side has no value
 *
 * A term on a side without a value is unknown (Exact with EmptyValues=Process and Empty never are),
 * AND OR NOT are Kleene's, and a rule fires only on true. Of several values the best pair counts.
 * Pure but for the scratch; any thread. */
#include "common/match/blocking.h"
#include "common/match/kernels.h"

enum {
    KIN_RULES_MAX = 100,
    KIN_RULE_TEXT_MAX = 2048,    /* bytes of a condition */
    KIN_RULE_NODES_MAX = 256,    /* terms and operators of a condition */
    KIN_RULE_DEPTH_MAX = 32,     /* parentheses and NOTs inside one another */
    KIN_RULE_CONJUNCTS_MAX = 32, /* of the disjunctive normal form */
    KIN_RULE_DISTANCE_MAX = 64   /* of Levenshtein, Damerau; length of Prefix, Suffix */
};

struct kin_condition; /* parsed and checked; immutable */

struct kin_rule {
    const char *name;
    const char *when;
    struct kin_condition *condition; /* in the arena */
};

/* Compiles a condition. On KIN_E_SYNTAX (words, fields, types, ranges) and KIN_E_LIMIT *column is
 * the 1-based byte position in the text, and the message says what was found, what was expected,
 * and for a misspelt function or field the nearest known one. KIN_E_NOMEM. */
kin_status kin_condition_parse(struct kin_arena *arena, const struct kin_schema *schema,
                               struct kin_str text, struct kin_condition **out, unsigned *column,
                               struct kin_err *err) KIN_MUST_CHECK;

/* Appends the canonical text of a condition (fully spelt, minimal parentheses); parses back to the
 * same, but can be longer than KIN_RULE_TEXT_MAX where the original is near it. */
void kin_condition_print(const struct kin_schema *schema, const struct kin_condition *condition,
                         struct kin_buf *out);

/* Evaluates a condition directly, term by term: slow and plain (vetoes, explanations, the oracle).
 */
enum kin_truth { KIN_FALSE, KIN_UNKNOWN, KIN_TRUE };
enum kin_truth kin_condition_eval(const struct kin_condition *condition, const uint8_t *a,
                                  const uint8_t *b, struct kin_kernel_scratch *s);

/* A condition taken apart, for explanations: its terms and operators in the order they are written,
 * each with its own truth for the pair. */
struct kin_condition_part {
    unsigned depth;   /* of the operators it is inside of */
    bool is_term;     /* else AND, OR or NOT */
    const char *text; /* canonical: "AND", "Exact(email)" */
    enum kin_truth truth;
    const uint16_t *fields; /* of a term */
    unsigned field_count;
};
/* At most KIN_RULE_NODES_MAX parts; they lie in the arena. KIN_E_NOMEM. */
kin_status kin_condition_explain(struct kin_arena *arena, const struct kin_schema *schema,
                                 const struct kin_condition *condition, const uint8_t *a,
                                 const uint8_t *b, struct kin_kernel_scratch *s,
                                 struct kin_condition_part **out, size_t *count) KIN_MUST_CHECK;

/* ---- deciding pairs ---- */

/* All rules together: distinct terms once, cheapest first, remembered within a pair. Immutable once
 * made, borrows nothing; the state of one thread is a kin_decider_state. */
struct kin_decider;
struct kin_decider_state;
kin_status kin_decider_new(const struct kin_schema *schema, const struct kin_rule *rules,
                           size_t count, struct kin_decider **out,
                           struct kin_err *err) KIN_MUST_CHECK;
void kin_decider_free(struct kin_decider *d);
struct kin_decider_state *kin_decider_state_new(const struct kin_decider *d); /* NULL: no memory */
void kin_decider_state_free(struct kin_decider_state *s);
/* Index of the first rule that fires, or -1. */
int kin_decide(const struct kin_decider *d, struct kin_decider_state *s, const uint8_t *a,
               const uint8_t *b);

/* ---- keys from rules ---- */

/* A rule made only of Exact terms, AND and OR needs no pairs: each conjunct of its disjunctive
 * normal form is a star. Appends them to keys (room for KIN_KEY_RULES_MAX); *is_star says whether
 * it is such a rule (one with a conjunct of more than KIN_KEY_TERMS_MAX fields is none). On error
 * keys are left as they were: KIN_E_LIMIT: more than KIN_RULE_CONJUNCTS_MAX conjuncts or
 * KIN_KEY_RULES_MAX keys; KIN_E_WORKFLOW: a conjunct that all records without values would satisfy;
 * KIN_E_NOMEM. */
kin_status kin_rule_stars(struct kin_arena *arena, const struct kin_schema *schema,
                          const struct kin_rule *rule, uint16_t rule_index,
                          struct kin_key_rule *keys, size_t *key_count, bool *is_star,
                          struct kin_err *err) KIN_MUST_CHECK;

/* Derives blocking keys that cannot miss a pair the rule matches: for each conjunct its Exact,
 * Soundex, Metaphone, Prefix, Suffix and SameYear terms together, as far as they are not negated
 * (of more than KIN_KEY_TERMS_MAX the first). A conjunct that has none is refused (KIN_E_WORKFLOW),
 * and the message names the conjunct and what could be added. Keys already in the list are not
 * repeated. Other errors as kin_rule_stars. */
kin_status kin_rule_derive_keys(struct kin_arena *arena, const struct kin_schema *schema,
                                const struct kin_rule *rule, struct kin_key_rule *keys,
                                size_t *key_count, struct kin_err *err) KIN_MUST_CHECK;

#endif
