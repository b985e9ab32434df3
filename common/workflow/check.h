#ifndef KIN_WORKFLOW_CHECK_H
#define KIN_WORKFLOW_CHECK_H
/* Checking a workflow's tree against its tables of keys. One check belongs to one thread; what it
 * makes lies in the workflow's arena. */
#include "common/match/suggest.h"
#include "common/workflow/yaml.h"

struct kin_check_field { /* beside kin_field, while checking */
    struct kin_workflow_columns columns;
    bool uncertain; /* its type is a mistake; taken for text meanwhile */
};

struct kin_check {
    struct kin_workflow *w;
    struct kin_yaml *yaml;
    struct kin_report *report;
    bool nomem;
    struct kin_field *fields; /* w->fields */
    struct kin_check_field *extra;
    bool fields_known;                    /* every name in `fields` is in the schema */
    bool uncertain;                       /* some field is */
    bool rules_known;                     /* every rule was compiled */
    struct kin_yaml_node **whens;         /* [rule] */
    const struct kin_yaml_node *block_on; /* NULL: left out */
    bool model_given;                     /* perhaps with mistakes */
    bool method_given;                    /* of cluster */
};

/* One key of a map: a row of the tables in keys.c, and of docs/workflow.md. */
struct kin_check_key {
    const char *name;
    const char *type;     /* what is expected, for messages and the reference */
    const char *fallback; /* the default, likewise; NULL: the key is required */
    /* Checks the value and stores it; `to` is what the map describes. NULL: not supported. */
    void (*check)(struct kin_check *c, const struct kin_check_key *key, struct kin_yaml_node *value,
                  void *to);
    uint32_t min, max; /* of numbers */
    size_t offset;     /* of the member in `to`, for the general checks */
};
struct kin_check_table {
    const char *path; /* of the map, as the reference writes it: "", "sources.NAME", ... */
    const struct kin_check_key *keys;
    size_t count;
};

/* ---- keys.c ---- */
enum kin_check_map {
    KIN_CHECK_TOP,
    KIN_CHECK_SOURCE,
    KIN_CHECK_FIELD,
    KIN_CHECK_RULE,
    KIN_CHECK_MODEL,
    KIN_CHECK_THRESHOLD,
    KIN_CHECK_TRAIN,
    KIN_CHECK_COMPARISON,
    KIN_CHECK_CLUSTER,
    KIN_CHECK_LINKS,
    KIN_CHECK_LIMITS,
    KIN_CHECK_MAPS
};
const struct kin_check_table *kin_check_table(enum kin_check_map map);

/* Names that outputs use for columns of their own. */
bool kin_check_is_reserved(struct kin_str name);
/* ISO 3166 alpha-2, capitals. */
bool kin_check_is_country(struct kin_str code);

/* ---- check.c: reporting ---- */
void kin_check_say(struct kin_check *c, const struct kin_yaml_node *node, const char *format, ...)
    KIN_PRINTF(3, 4);
/* The same, at the node's key. */
void kin_check_say_key(struct kin_check *c, const struct kin_yaml_node *node, const char *format,
                       ...) KIN_PRINTF(3, 4);
/* "found ...; expected ..." */
void kin_check_expected(struct kin_check *c, const struct kin_yaml_node *node, const char *what);
/* "; did you mean 'x'?", or "" */
enum { KIN_CHECK_HINT_MAX = 128 };
void kin_check_hint(const struct kin_suggestion *s, char out[KIN_CHECK_HINT_MAX]);
/* A word in quotes, shortened. */
enum { KIN_CHECK_QUOTED_MAX = 64 };
void kin_check_quote(struct kin_str word, char out[KIN_CHECK_QUOTED_MAX]);

/* ---- check.c: values ---- */
void *kin_check_alloc(struct kin_check *c, size_t count, size_t size); /* zeroed; NULL: nomem set */
const char *kin_check_copy(struct kin_check *c, struct kin_str s);     /* NULL: nomem set */

/* Checks a map's keys against its table, then the values in the table's order. false: no map. */
bool kin_check_map(struct kin_check *c, enum kin_check_map map, struct kin_yaml_node *node,
                   void *to);
/* Reports what is no list (or map) and returns false. */
bool kin_check_is_list(struct kin_check *c, const struct kin_yaml_node *node, const char *what);
bool kin_check_is_map(struct kin_check *c, const struct kin_yaml_node *node, const char *what);
/* A text of 1..max bytes without control characters; NULL after a report. what: "a column name". */
const char *kin_check_text(struct kin_check *c, const struct kin_yaml_node *node, const char *what,
                           size_t max);
/* A name of 1..255 letters, digits, _ and - ; key: of a key, not a value. */
bool kin_check_is_name(struct kin_str s);
/* One of count words: its index, or -1 after a report. */
int kin_check_choice(struct kin_check *c, const struct kin_yaml_node *node, const char *what,
                     const char *const *words, size_t count);
/* A field's name: its index, or -1 after a report (none where the fields are not known). */
int kin_check_field(struct kin_check *c, const struct kin_yaml_node *node, struct kin_str name,
                    size_t at);
/* true or false. false: reported. */
bool kin_check_bool(struct kin_check *c, const struct kin_yaml_node *node, bool *out);
/* Relative paths start at the workflow file's folder, wherever the program runs. NULL: nomem set.
 */
const char *kin_check_joined(struct kin_check *c, const char *path);
/* One column, or a list of them. min: how many there must be. */
bool kin_check_columns(struct kin_check *c, struct kin_yaml_node *node, size_t min,
                       struct kin_workflow_columns *out);

/* ---- rules.c: the small languages of match/ ---- */
/* A parser of match/: on KIN_E_SYNTAX and the like *column is the 1-based byte in the text. */
typedef kin_status (*kin_check_parse_fn)(struct kin_check *c, struct kin_str text, void *out,
                                         unsigned *column, struct kin_err *err);
/* Parses a scalar's value. false: reported at the place in the file where the parser stopped,
 * unless it only follows from a mistake in a field's type. */
bool kin_check_parse(struct kin_check *c, const struct kin_yaml_node *node,
                     kin_check_parse_fn parse, void *out);
/* Compiles one item of block_on. false: reported. */
bool kin_check_key(struct kin_check *c, struct kin_yaml_node *item, struct kin_key_rule *rule);
/* The same terms, in any order. */
bool kin_check_same_key(const struct kin_key_rule *a, const struct kin_key_rule *b);

/* ---- checks of keys: rows of the tables ---- */
#define KIN_CHECK_ROW(name)                                                                  \
    void name(struct kin_check *c, const struct kin_check_key *key, struct kin_yaml_node *v, \
              void *to)
KIN_CHECK_ROW(kin_check_version);
KIN_CHECK_ROW(kin_check_workflow_name);
KIN_CHECK_ROW(kin_check_fields);
KIN_CHECK_ROW(kin_check_sources);
KIN_CHECK_ROW(kin_check_rules);
KIN_CHECK_ROW(kin_check_never);
KIN_CHECK_ROW(kin_check_block_on);
KIN_CHECK_ROW(kin_check_refine);
KIN_CHECK_ROW(kin_check_model);
KIN_CHECK_ROW(kin_check_pairs);
KIN_CHECK_ROW(kin_check_cluster);
KIN_CHECK_ROW(kin_check_links);
KIN_CHECK_ROW(kin_check_golden);
KIN_CHECK_ROW(kin_check_limits);

KIN_CHECK_ROW(kin_check_source_path);
KIN_CHECK_ROW(kin_check_source_format);
KIN_CHECK_ROW(kin_check_source_delimiter);
KIN_CHECK_ROW(kin_check_source_columns);

KIN_CHECK_ROW(kin_check_field_type);
KIN_CHECK_ROW(kin_check_field_order);
KIN_CHECK_ROW(kin_check_field_country);
KIN_CHECK_ROW(kin_check_field_extract);
KIN_CHECK_ROW(kin_check_field_columns);

KIN_CHECK_ROW(kin_check_rule_name);
KIN_CHECK_ROW(kin_check_rule_when);
KIN_CHECK_ROW(kin_check_model_compare);
KIN_CHECK_ROW(kin_check_model_threshold);
KIN_CHECK_ROW(kin_check_model_thresholds);
KIN_CHECK_ROW(kin_check_model_primary);
KIN_CHECK_ROW(kin_check_threshold_weight);
KIN_CHECK_ROW(kin_check_model_train);
KIN_CHECK_ROW(kin_check_model_file);
KIN_CHECK_ROW(kin_check_train_passes);
KIN_CHECK_ROW(kin_check_comparison_fields);
KIN_CHECK_ROW(kin_check_comparison_levels);
KIN_CHECK_ROW(kin_check_comparison_term_frequency);
KIN_CHECK_ROW(kin_check_method);
KIN_CHECK_ROW(kin_check_clean_sources);
KIN_CHECK_ROW(kin_check_links_file);
KIN_CHECK_ROW(kin_check_column); /* const char * at key->offset */
KIN_CHECK_ROW(kin_check_u32);    /* uint32_t at key->offset, key->min..key->max */

/* ---- what follows from the whole file ---- */
void kin_check_finish_sources(struct kin_check *c); /* columns that fields have by default */
void kin_check_finish_refine(struct kin_check *c);  /* where `refine` is left out */
void kin_check_finish_keys(struct kin_check *c, const struct kin_yaml_node *root);
void kin_check_finish_model(struct kin_check *c);   /* passes, where they are left out */
void kin_check_finish_cluster(struct kin_check *c); /* the method, where it is left out */

#endif
