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
    /* of oracle_run_under: which record of the base it still is, counted from 1; 0: it came later,
     * or was put again */
    int base;

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
void oracle_free(struct oracle *o); /* what oracle_run or oracle_run_under allocated */

/* ---- after a batch ----
 *
 * What a batch fixed holds for all records that come later: a key that was oversized stays
 * oversized, however few have it by now, and is refined as it was; a key that was ordinary stays
 * ordinary, however many have it; values and words are as frequent as they were among the base.
 * A key that is windowed says nothing about records that come later. Of the pairs that a window of
 * the base found those remain whose records are both still there as they were. */
struct oracle_plan;

/* The plan of a batch over the base, which has run. Borrows its workflow, and its model for this
 * call; aborts on anything unexpected. */
struct oracle_plan *oracle_plan_new(const struct oracle *base);
void oracle_plan_free(struct oracle_plan *plan);
int oracle_plan_oversized(const struct oracle_plan *plan); /* keys */

/* Edges, vetoes and MatchGroups of any records (no two of one identity) and links under the plan.
 * o as for oracle_run; `compared` and `oversized` say nothing then, `windowed` is the number of
 * records with a key that is windowed. Where the workflow names no files of links, components that
 * a link runs through are clustered as if it did. */
void oracle_run_under(struct oracle *o, struct oracle_plan *plan);

/* What a record that is looked for has to do with each record of o. */
struct oracle_hit {
    int rule; /* that they match by, the number of rules for the model, from the primary threshold
                 on; -1: they do not */
    int32_t weight; /* of the model */
    bool forbidden; /* a never rule holds between them */
};
/* o has run under the plan. r has source and values, and gets features (the caller's to free);
 * of_source: it is as of its source, whose records do not count in across_sources. hits: one for
 * each record. */
void oracle_look(struct oracle *o, const struct oracle_plan *plan, struct oracle_record *r,
                 bool of_source, struct oracle_hit *hits);

#endif
