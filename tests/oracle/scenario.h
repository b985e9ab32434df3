#ifndef KIN_TESTS_ORACLE_SCENARIO_H
#define KIN_TESTS_ORACLE_SCENARIO_H
/* Random jobs: a workflow file, its source files, and the same records as the oracle sees them.
 * Small vocabularies and small limits, so that blocks collide, overflow, are refined and windowed,
 * identities repeat, groups hang together over several rules, and vetoes cut them. */
#include "tests/oracle/oracle.h"

struct scenario_file {
    char path[64];
    struct kin_buf bytes;
};

struct scenario {
    uint64_t seed;
    struct kin_buf workflow_text;
    struct kin_workflow *workflow;
    struct scenario_file files[12];
    int file_count;
    struct oracle oracle; /* records in input order, already run */
    uint64_t rejected;    /* bad rows put in on purpose */
    bool pairs;
    uint32_t component_bytes; /* as in the job's options */
    struct kin_buf model;     /* text of its file, which is one of files too; empty: no model */
};

struct scenario_options {
    int records_max;      /* 0: 90 */
    bool shuffle;         /* same records, other order of rows; ids unique */
    bool links;           /* there are links of people */
    bool never_unchecked; /* see the oracle's */
    bool models;          /* half of the workflows have a model, and some clean sources */
    uint64_t shuffle_seed;
};

struct scenario *scenario_new(uint64_t seed, const struct scenario_options *options);
void scenario_free(struct scenario *s);

/* ---- parts, for what goes on where a scenario ends ---- */

/* A record as those of a scenario, but for its source. number: of its id, about it where ids need
 * not be unique. */
void scenario_record(uint64_t *state, bool unique, int number, struct oracle_record *out);
/* A line of JSON with it: by the columns of its source, or by the fields of the workflow. */
void scenario_put_json(const struct oracle_record *r, struct kin_buf *out);
void scenario_put_fields(const struct oracle_record *r, struct kin_buf *out);

/* Compares what a run wrote with the oracle; false with a message on stderr. files: text by name.
 */
bool scenario_check(const struct scenario *s, struct kin_str matches, struct kin_str pairs,
                    struct kin_str errors, struct kin_str report);

#endif
