#ifndef KIN_TESTS_ORACLE_ORACLE_IMPL_H
#define KIN_TESTS_ORACLE_ORACLE_IMPL_H
/* What the files of the reference share. */
#include "common/match/compare_decide.h"
#include "tests/oracle/oracle.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(x) \
    ((x) ? (void)0 : (fprintf(stderr, "oracle: %s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

struct oracle_strings { /* each once */
    char (*s)[256];
    int count;
};
void oracle_add_string(struct oracle_strings *l, const char *text);
bool oracle_has_string(const struct oracle_strings *l, const char *text);
bool oracle_share_string(const struct oracle_strings *a, const struct oracle_strings *b);

/* ---- of one record ---- */

int oracle_cmp_identity(const struct oracle_record *a, const struct oracle_record *b);
void oracle_build_features(struct oracle *o, struct oracle_record *r);
void oracle_term_strings(const struct oracle_record *r, const struct kin_key_term *t,
                         struct oracle_strings *out);
void oracle_rule_strings(const struct oracle_record *r, const struct kin_key_rule *rule,
                         struct oracle_strings *out);

/* ---- the plan ---- */

struct oracle_weighing { /* of the model; NULL members: there is none. Must not move */
    struct kin_comparer *comparer;
    struct kin_value_counts counts;
    struct kin_model_decider *decider;
    struct kin_comparer_scratch *scratch;
    int32_t threshold, floor;
};

struct oracle_planning {
    struct oracle *o;
    struct oracle_weighing *weighing; /* borrowed */
    struct kin_kernel_scratch *scratch;
    struct oracle_strings *ordinary; /* [record] keys under which it is compared */
    struct oracle_strings oversized;
    struct window {
        int *members;
        int count;
    } * windows;
    int window_count;
};
/* Nothing found yet. */
void oracle_begin(struct oracle_planning *p, struct oracle *o, struct oracle_weighing *weighing);
void oracle_end(struct oracle_planning *p);
/* The first field of `refine` from depth on that splits keys of the rule; refine_count: none. */
size_t oracle_refining(const struct kin_workflow *w, const struct kin_key_rule *rule, size_t depth);
void oracle_child_key(char out[256], const char *key, size_t depth, const char *value);
/* The model of the text, and how often values occur among the records. */
void oracle_prepare_model(const struct oracle *o, struct oracle_weighing *out); /* out: zero */
void oracle_weighing_deinit(struct oracle_weighing *w);
void oracle_plan_rule(struct oracle_planning *p, const struct kin_key_rule *rule);

/* ---- pairs ---- */

bool oracle_comparable(const struct oracle *o, int a, int b);
void oracle_set_edge(struct oracle *o, int a, int b, int rule);
void oracle_score(struct oracle_planning *p, int a, int b);
void oracle_score_ordinary(struct oracle_planning *p); /* all pairs that share an ordinary key */
void oracle_score_windows(struct oracle_planning *p);
void oracle_add_stars(struct oracle *o);

/* ---- groups ---- */

void oracle_find_links(struct oracle *o);
bool oracle_forbidden(const struct oracle *o, int a, int b, struct kin_kernel_scratch *scratch);
/* An edge that makes one group of its ends. */
bool oracle_joins(const struct oracle_planning *p, int a, int b);
void oracle_group(struct oracle_planning *p);
void oracle_describe(const struct oracle_planning *p);

#endif
