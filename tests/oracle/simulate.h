#ifndef KIN_TESTS_ORACLE_SIMULATE_H
#define KIN_TESTS_ORACLE_SIMULATE_H
/* Simulated records with known truth, and what the training gets to see of them.
 *
 * Things (people, say) have one value in each field; each has one or several records, which are
 * copies with errors. All pairs of records are compared, so that everything there is to know is
 * known: the true m and u, which pairs a blocking key finds, how many of them match. What makes
 * training hard can be switched on: households, groups that share names, fields that follow from
 * others, people who move, records full of errors.
 *
 * And, simpler: pairs drawn directly from given m and u (sim_draw). */
#include "common/match/train.h"

enum { SIM_FIELDS_MAX = 12, SIM_KEYS_MAX = 8 };

struct sim_field {
    const char *name;
    unsigned values; /* that a thing can have */
    bool skewed;     /* small values are far commoner than large ones */
    unsigned alike;  /* so many neighbouring values count as close; 0, 1: none */
    double close;    /* a record has a slip that leaves the value close */
    double wrong;    /* ... has another value altogether */
    double empty;    /* ... has no value */
    bool two_levels; /* exact and else only; otherwise exact, close, else */
};

struct sim_options {
    uint64_t seed;
    unsigned things;
    double duplicated;   /* share of things with more than one record */
    unsigned copies_max; /* records of such a thing: 2..copies_max, evenly */
    unsigned field_count;
    struct sim_field fields[SIM_FIELDS_MAX];
    unsigned key_count;
    uint32_t keys[SIM_KEYS_MAX]; /* fields (by bit) that must be equal and not empty */
    unsigned sample;             /* random pairs are those of so many records; 0: all */

    double household;          /* share of things that take ... from the thing before */
    uint32_t household_fields; /* ... these fields */
    unsigned groups;           /* things belong to so many groups ... */
    unsigned group_field;      /* ... which this field names ... */
    uint32_t group_fields;     /* ... and whose values in these fields are the group's own */
    double derived;            /* share of things whose ... */
    unsigned derived_field;    /* ... value here follows ... */
    uint32_t derived_from;     /* ... from these */
    double moved;              /* share of records in which ... */
    uint32_t moved_fields;     /* ... these are all other ones, together */
    double messy;              /* share of records with ... */
    double messy_factor;       /* ... so many times the errors */
};

/* Counts of one pattern found by one set of keys. */
struct sim_cell {
    uint64_t pattern;
    uint32_t keys;
    uint64_t pairs, matches;
    uint64_t random, random_matches;
};

struct simulation {
    struct kin_arena arena;
    struct kin_model_spec spec;
    unsigned records;
    struct sim_cell *cells; /* sorted by (keys, pattern) */
    size_t cell_count;
    uint64_t matches; /* in all */
    struct kin_train_input input;
    /* the truth over all pairs; [0] of the levels counts nulls */
    double m[KIN_COMPARISONS_MAX][KIN_LEVELS_MAX + 1];
    double u[KIN_COMPARISONS_MAX][KIN_LEVELS_MAX + 1];
};

struct simulation *sim_new(const struct sim_options *options); /* aborts when out of memory */
void sim_free(struct simulation *s);

/* How good a model is on the pairs that the keys found, and in all. */
struct sim_score {
    double pairs[4], expected[4],
        matches[4]; /* by probability: [.05,.5) [.5,.95) [.95,.99) [.99,1] */
    double precision, recall_found, recall, f1; /* of pairs at 0.95; recall: of all matches */
};
struct sim_score sim_evaluate(const struct simulation *s, const struct kin_model *model);

/* Random numbers: splitmix64. */
uint64_t sim_next(uint64_t *state);
double sim_uniform(uint64_t *state); /* [0, 1) */

/* Draws `pairs` patterns, a share of them matches: by m, the others by u (both [1..levels]); with
 * probability `empty` a comparison is null. Merged and sorted into *out (room for `pairs`); returns
 * how many patterns. */
size_t sim_draw(uint64_t *state, const struct kin_model *truth, double share, double empty,
                uint32_t forced, size_t pairs, struct kin_pattern_count *out);

#endif
