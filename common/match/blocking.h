#ifndef KIN_MATCH_BLOCKING_H
#define KIN_MATCH_BLOCKING_H
/* Blocking keys. A key rule is a list of functions of fields ([soundex(last_name), dob]); a record
 * has one key for each combination of their values. Two records are compared only if they share a
 * key.
 *
 * A key is 64 bits: bit 63 refined, bits 56..62 number of the key rule, bits 0..55 hash of the
 * values; numeric order is the canonical order of keys. Pure; any thread. */
#include "common/record/features.h"

enum kin_key_fn {
    KIN_KEY_VALUE, /* bare field */
    KIN_KEY_SOUNDEX,
    KIN_KEY_METAPHONE, /* primary and alternate code: up to two keys */
    KIN_KEY_PREFIX,    /* n code points; shorter values whole */
    KIN_KEY_SUFFIX,
    KIN_KEY_YEAR,   /* dates */
    KIN_KEY_TOKENS, /* each token */
    KIN_KEY_QGRAMS, /* each q-gram */
    KIN_KEY_MINHASH /* bands of rows over the token set (Broder 1997) */
};

struct kin_key_term {
    enum kin_key_fn fn;
    uint16_t field;
    uint16_t n;          /* prefix, suffix, qgrams: length; minhash: bands */
    uint16_t rows;       /* minhash */
    bool empty_is_value; /* star rules with EmptyValues=Process: null is a value of its own */
};

enum { KIN_KEY_TERMS_MAX = 8, KIN_KEY_RULES_MAX = 120 };

struct kin_key_rule {
    struct kin_key_term terms[KIN_KEY_TERMS_MAX];
    uint8_t count;
    uint8_t number; /* 0..KIN_KEY_RULES_MAX - 1; block_on rules first, then stars */
    bool star;      /* the block is a star of rule `match_rule`, not a set of pairs to score */
    uint16_t match_rule;
    const char *text; /* as the workflow file has it, or as derived; for reports */
};

#define KIN_KEY_REFINED ((uint64_t)1 << 63)
static inline unsigned kin_key_rule_number(uint64_t key)
{
    return (unsigned)(key >> 56) & 127;
}

/* Computes the keys of a record over all rules into out: ascending, no repeats. Of more than max
 * keys the max smallest by hash of the key (not by rule) are kept, and *excess is raised by the
 * number dropped. out has room for the smaller of max and KIN_KEYS_MAX. Of one rule KIN_KEYS_MAX
 * values of each function and as many combinations are looked at; those past that are dropped and
 * counted too. Values a function yields nothing for (a Soundex of digits) count as none. */
size_t kin_blocking_keys(const struct kin_key_rule *rules, size_t rule_count, const uint8_t *rec,
                         size_t max, uint64_t *out, uint64_t *excess);

/* Appends the canonical bytes of the combination of values of `rec` under `rule` whose key is
 * `key`, so that the members of a star are verified by value: for each function u32 length and the
 * bytes it yields, or u32 UINT32_MAX for null. false: there is none. */
bool kin_blocking_key_values(const struct kin_key_rule *rule, const uint8_t *rec, uint64_t key,
                             struct kin_buf *out);

/* For people: the values of that combination, joined with " + "; of each at most 200 bytes. false:
 * there is none, and nothing was appended. */
bool kin_blocking_key_print(const struct kin_schema *schema, const struct kin_key_rule *rule,
                            const uint8_t *rec, uint64_t key, struct kin_buf *out);

/* Keys of an oversized key refined by the next field: the parent's rule number, bit 63, and a hash
 * of parent, depth and the value (or "null"). */
uint64_t kin_key_refine(uint64_t parent, unsigned depth, const struct kin_value *value_or_null);

/* Compiles one entry against the schema: a field, or soundex(f), metaphone(f), prefix(f, n),
 * suffix(f, n) with n 1..64, year(f), tokens(f), qgrams(f, n) with n 1..8, minhash(f, bands, rows)
 * with bands 1..64 and bands * rows at most KIN_MINHASH_MAX. Functions are case-insensitive; field
 * names are quoted as in rules. On KIN_E_SYNTAX *column is the 1-based byte position. */
enum { KIN_MINHASH_MAX = 256 };
kin_status kin_key_term_parse(const struct kin_schema *schema, struct kin_str text,
                              struct kin_key_term *out, unsigned *column,
                              struct kin_err *err) KIN_MUST_CHECK;

/* Appends the canonical text of a term; parses back to the same (but for empty_is_value, which no
 * text sets and which shows as "f (or empty)"). */
void kin_key_term_print(const struct kin_schema *schema, const struct kin_key_term *term,
                        struct kin_buf *out);

#endif
