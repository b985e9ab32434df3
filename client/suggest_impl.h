#ifndef KIN_CLIENT_SUGGEST_IMPL_H
#define KIN_CLIENT_SUGGEST_IMPL_H
/* Private to client/suggest_*.c: what is found out on the way from a profile to a workflow file,
 * step by step, each step in a file of its own. All memory that is not said to be otherwise lies in
 * the arena. */
#include "client/suggest.h"
#include "client/suggest_words.h"
#include "common/match/rule.h"

enum {
    KIN_SUGGEST_FIELDS_MAX = 40, /* of a workflow at most 64: room for those made of others */
    KIN_SUGGEST_TERMS_MAX = 64,  /* a bit each */
    KIN_SUGGEST_KEYS_MAX = 192,
    KIN_SUGGEST_RULES_MAX = 5,
    KIN_SUGGEST_SETS_MAX = 16 /* conjunctions of terms in all rules */
};

/* ---- columns and fields (suggest_columns.c, suggest_fields.c) ---- */

/* How a field is compared. */
enum kin_suggest_kind {
    KIN_KIND_NONE,    /* not in rules: in the file for the golden record, or for people to use */
    KIN_KIND_NAME,    /* one or two words, spelt in several ways */
    KIN_KIND_WORDS,   /* some words, in any order */
    KIN_KIND_LONG,    /* many */
    KIN_KIND_DATE,    /* and its digits, see `digits` */
    KIN_KIND_EMAIL,   /* also where misspelt ones made it an id */
    KIN_KIND_NUMBER,  /* telephones, documents: any digit may be wrong */
    KIN_KIND_ADDRESS, /* street and house number in one */
    KIN_KIND_POST,
    KIN_KIND_CITY,
    KIN_KIND_HOUSE,
    KIN_KIND_YEAR,
    KIN_KIND_PRICE,
    KIN_KIND_PLACE
};

struct kin_suggest_field {
    char *name;
    enum kin_meaning meaning;
    enum kin_suggest_kind kind;
    struct kin_field def;
    uint64_t groups; /* what it is evidence of: fields that share a bit are never taken together */
    bool shared;     /* by a family, an office, a series: not what tells one from another */
    int parts[4];    /* fields whose columns it is filled from, in order; -1: none. Its own
                        number first, unless it is made of others */
    bool unclear;    /* a date: whether day or month comes first cannot be told */
    const char *derived; /* made of others: why; else NULL */
    const char *dropped; /* left out after all: why; else NULL */
    uint64_t rows, filled, distinct, top, values;
    double chars, words; /* of a value, on average */
    bool used;           /* by a rule or a key */
};

struct kin_suggest_column {
    enum kin_meaning meaning;
    const char *words; /* of the table, that its name has; NULL: told by its values */
    int field;         /* it fills, or -1 */
    const char *why;   /* it fills none */
};

struct kin_suggest_source {
    struct kin_suggest_column *columns;
    int id, updated; /* columns, or -1 */
    const char *id_note;
    bool excluded;         /* it has nothing to compare */
    bool split;            /* each file is a source of its own */
    const char *why_split; /* NULL: asked for */
};

/* ---- records, terms, pairs (suggest_sample.c, suggest_pairs.c) ---- */

struct kin_suggest_term {
    const char *text;
    struct kin_condition *condition;
    unsigned field, field2; /* field2: of Swapped; else the same */
    unsigned level;         /* 0 exact; higher: laxer */
    uint64_t groups;
    bool shared;
    bool disabled; /* its field was dropped */
    bool support;  /* its truth speaks for a match; */
    bool weak;     /* or a little, for it is often true by chance */
    double chance; /* that two records of different things satisfy it */
};

/* Pairs in which the same terms are true and the same are known (true or false). */
struct kin_suggest_pattern {
    uint64_t yes, known;
    double weight; /* pairs of the sample */
};

struct kin_suggest_patterns {
    struct kin_suggest_pattern *items; /* heap */
    size_t count;
};

/* A pair that was looked at, packed. */
struct kin_suggest_pair {
    uint32_t a, b;
    uint64_t yes, known;
    uint64_t keys[3]; /* bit k: candidate key k is shared */
    double weight;
};

/* ---- keys (suggest_keys.c) ---- */

struct kin_suggest_key {
    const char *text; /* "soundex(last_name), dob" */
    struct kin_key_rule rule;
    uint64_t fields; /* bits */
    uint64_t groups;
    uint64_t records, blocks, pairs, largest; /* in the sample */
    double all_pairs, all_largest;            /* in the whole data */
    double found;                             /* share of the likely pairs */
    bool usable, chosen;
};

/* ---- rules (suggest_rules.c) ---- */

struct kin_suggest_rule {
    const char *name;
    const char *when;
    uint64_t terms[KIN_SUGGEST_SETS_MAX]; /* conjunctions of which one has to hold */
    size_t term_sets;
    double pairs;     /* of the sample that satisfy it */
    double decidable; /* of these: other fields can be compared */
    double doubtful;  /* of these: none of them agrees */
    double chance;    /* pairs expected to satisfy it by chance, in the whole data */
};

struct kin_suggest {
    const struct kin_profile *profile;
    const struct kin_suggest_options *options;
    struct kin_err *err;
    struct kin_arena arena;
    struct kin_buf *out, *notes;

    struct kin_suggest_source *sources;
    struct kin_suggest_field fields[KIN_SUGGEST_FIELDS_MAX + 8];
    size_t field_count;
    bool persons; /* the records are about persons */
    bool named;   /* about things that have a name or a title */

    struct kin_field defs[KIN_SUGGEST_FIELDS_MAX + 8];
    struct kin_schema schema;
    struct kin_buf features; /* heap */
    struct kin_buf offsets;  /* heap; u64 a record */
    size_t records;
    double scale; /* records in all by records of the sample */

    struct kin_suggest_term terms[KIN_SUGGEST_TERMS_MAX];
    size_t term_count;
    struct kin_suggest_key keys[KIN_SUGGEST_KEYS_MAX];
    size_t key_count;
    struct kin_suggest_pair *pairs; /* heap: under some key of the candidates */
    size_t pair_count;
    struct kin_suggest_patterns candidates; /* of those pairs */
    struct kin_suggest_patterns random;     /* of pairs taken at random */

    struct kin_suggest_rule rules[KIN_SUGGEST_RULES_MAX + 1];
    size_t rule_count;
    double likely;                       /* pairs of the sample that some rule matches */
    size_t chosen[KIN_SUGGEST_KEYS_MAX]; /* keys, in the order they were chosen */
    size_t chosen_count;
    uint64_t keyed, keyed_safely; /* records with a key; with keys that no one field is in all of */
    double found;                 /* share of the likely pairs that share a chosen key */
    bool thin;                    /* too few to go by */
    size_t largest; /* group that the rules make of the sample, by the pairs looked at */
};

#define KIN_SUGGEST_STEP(name) kin_status name(struct kin_suggest *s) KIN_MUST_CHECK
KIN_SUGGEST_STEP(kin_suggest_columns); /* meanings of columns; id and updated of each source */
KIN_SUGGEST_STEP(kin_suggest_fields);  /* fields, and which columns fill them */
KIN_SUGGEST_STEP(kin_suggest_sample);  /* features of the sample's records */
KIN_SUGGEST_STEP(kin_suggest_keys);    /* candidate keys, their blocks and pairs */
KIN_SUGGEST_STEP(kin_suggest_terms);   /* what rules are made of */
KIN_SUGGEST_STEP(kin_suggest_pairs);   /* pairs, and which terms are true of them */
KIN_SUGGEST_STEP(kin_suggest_rules);
KIN_SUGGEST_STEP(kin_suggest_choose); /* the keys that are written */
KIN_SUGGEST_STEP(kin_suggest_write);

/* Inline, so that analysers see that it is never KIN_OK. */
static inline kin_status kin_suggest_no_memory(struct kin_suggest *s)
{
    kin_err_set(s->err, KIN_E_NOMEM, "out of memory");
    return KIN_E_NOMEM;
}
/* True if some rule matches the pair. */
bool kin_suggest_matched(const struct kin_suggest *s, const struct kin_suggest_pair *p);
/* A record of the sample. */
static inline const uint8_t *kin_suggest_record(const struct kin_suggest *s, size_t i)
{
    return s->features.p + kin_le64(s->offsets.p + 8 * i);
}
/* True if a column of this name can be written in a workflow file. */
bool kin_suggest_writable_column(struct kin_str name);
/* Share, 0 where the whole is 0. */
static inline double kin_suggest_share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

#endif
