#ifndef KIN_TESTS_ORACLE_ORACLE_H
#define KIN_TESTS_ORACLE_ORACLE_H
/* The plain reference: from records and a workflow to the plan, the compared pairs, the edges and
 * the MatchGroups, by definition and without any cleverness: keys are strings, every pair of
 * records is looked at, rules are evaluated one by one. Every batch, cluster and fault test ends by
 * comparing with it. It shares with the product the normalisers, the kernels, the plain evaluator
 * of conditions, and the weighing of one pair under a model, which have references of their own.
 * Aborts on anything unexpected. */
#include "common/workflow/workflow.h"

enum { ORACLE_VALUES = 4, ORACLE_LINKS_MAX = 64 };

struct oracle_record {
    uint32_t source; /* index in name order */
    char id[32];
    int64_t updated; /* INT64_MIN: none */
    /* raw text of the values of each field, "" for none */
    char values[16][ORACLE_VALUES][64];

    /* ---- found ---- */
    bool dead;
    uint8_t *features; /* owned */
    int group;         /* index of the group's first record in input order; -1: dead */
    int founder;       /* record */
    int level[4];      /* founder of its group at each threshold */
    int size;
    int best_rule; /* -1: none; the number of rules: the model */
    int32_t best_weight;
    bool linked; /* by a must link */
};

struct oracle_link { /* of a person, between identities */
    uint32_t source[2];
    char id[2][32];
    bool never;
};

struct oracle {
    const struct kin_workflow *workflow;
    struct oracle_record *records; /* in input order */
    int count;
    struct oracle_link links[ORACLE_LINKS_MAX];
    int link_count;
    bool never_unchecked; /* every component is too large for its never rules to be asked */

    /* ---- found ---- */
    uint64_t links_must, links_never, links_unknown;
    bool *must, *never; /* [count * count], both ways */
    uint64_t compared;  /* pairs scored, a pair in several windows several times */
    int *edge;         /* [count * count] first rule of a matched pair (a < b), -1: none; the number
                          of rules: scored by the model alone */
    int32_t *weight;   /* [count * count] of such a pair */
    const char *model; /* text of the model's file, where the workflow has one */
    size_t model_bytes;
    uint64_t weighed[2][256]; /* [from the floor on][half bits from -64 on]: pairs, the outermost
                                 without an end; like compared */
    uint64_t passed[4];       /* pairs that pass each threshold, like compared */
    uint64_t edges;           /* those inside a group */
    uint64_t superseded, oversized, windowed;
};

void oracle_run(struct oracle *o);
void oracle_free(struct oracle *o); /* what oracle_run allocated */

#endif
