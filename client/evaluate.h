#ifndef KIN_CLIENT_EVALUATE_H
#define KIN_CLIENT_EVALUATE_H
/* Quality of MatchGroups against a truth file: `kindred evaluate`. docs/evaluate.md says what each
 * figure means. Pure, any thread; one evaluation belongs to one thread at a time.
 *
 * Pairs are counted by contingency, never listed: time is that of sorting the records once for each
 * threshold. Memory is about 100 bytes a record and 8 MiB, and nothing for a link: pairs.csv is
 * read as a stream. */
#include "common/record/reader.h"

enum {
    KIN_EVALUATE_THRESHOLDS_MAX = 16,
    KIN_EVALUATE_WORST_MAX = 1000,
    KIN_EVALUATE_POINTS_MAX = 1000,
    KIN_EVALUATE_PARTS_MAX = 8,   /* of a wrong group that are shown */
    KIN_EVALUATE_SOURCES_MAX = 64 /* for the table of source pairs */
};

struct kin_evaluate_file {
    const char *name; /* for messages; borrowed. NULL: there is no such file */
    struct kin_byte_source bytes;
};

struct kin_evaluate_options {
    struct kin_evaluate_file matches; /* as matches.csv: source, id, match_id, match_id_T ... */
    struct kin_evaluate_file truth;   /* id, entity, and source where ids repeat across sources */
    struct kin_evaluate_file pairs;   /* as pairs.csv; may be absent */
    bool across;   /* links, curve and mistakes: only pairs of different sources count */
    bool complete; /* a record of the truth that is not in matches is an error */
    size_t worst;  /* mistakes of each kind; at most KIN_EVALUATE_WORST_MAX */
    size_t points; /* of the curve; 2 .. KIN_EVALUATE_POINTS_MAX */
};

struct kin_score {
    uint64_t found, truth, correct;
};
double kin_ratio(uint64_t part, uint64_t whole); /* 1 where whole is 0 */
double kin_f1(double precision, double recall);
double kin_score_precision(const struct kin_score *s);
double kin_score_recall(const struct kin_score *s);

struct kin_evaluation_level {
    struct kin_str threshold;               /* as the column has it; empty: the primary one */
    struct kin_score pairs, across;         /* inside groups: all, and those of different sources */
    struct kin_score groups;                /* of two or more; correct: exactly an entity */
    double bcubed_precision, bcubed_recall; /* Bagga and Baldwin 1998 */
};

/* Names point into the evaluation. */
struct kin_evaluation_record {
    struct kin_str source, id;
};

/* A direct link: a row of pairs.csv. */
struct kin_evaluation_link {
    struct kin_evaluation_record a, b;
    struct kin_str entity_a, entity_b;
    struct kin_str rule;
    bool certain;   /* by a rule, without a weight */
    int64_t weight; /* of the model, in thousandths of a bit */
};

/* Links with at least this weight, all from the certain ones down. */
struct kin_evaluation_point {
    bool certain;
    int64_t weight; /* thousandths of a bit; within +-KIN_EVALUATE_BITS_MAX * 1000 */
    uint64_t links, correct;
};
enum { KIN_EVALUATE_BITS_MAX = 262 }; /* weights beyond count as this for the curve */

struct kin_evaluation_part {
    struct kin_str name; /* of an entity, or a MatchId */
    uint64_t records;
    struct kin_evaluation_record example; /* its first record in matches */
};

/* A group of several entities, or an entity in several groups. */
struct kin_evaluation_wrong {
    struct kin_str name;
    uint64_t records, wrong_pairs, part_count;
    struct kin_evaluation_part parts[KIN_EVALUATE_PARTS_MAX]; /* the largest, largest first */
    uint64_t false_links;               /* of a group: links between two entities */
    struct kin_evaluation_link weakest; /* of them; set where there are any */
};

struct kin_evaluation_sources { /* pairs of a record of a and one of b; a may be b */
    struct kin_str a, b;
    struct kin_score pairs;
};

struct kin_evaluation {
    struct kin_arena arena; /* owns what is pointed to */
    uint64_t records;       /* in both files */
    uint64_t only_in_truth, only_in_result;
    uint64_t source_count;
    bool across; /* as asked for */
    size_t level_count;
    struct kin_evaluation_level levels[KIN_EVALUATE_THRESHOLDS_MAX]; /* the primary one first */

    struct kin_evaluation_sources *sources; /* by first record; none where there are too many */
    size_t sources_count;

    bool has_links;
    uint64_t links, links_unknown; /* that count; others, with a record that is not in truth */
    uint64_t links_correct;
    struct kin_evaluation_point *points;
    size_t point_count;

    struct kin_evaluation_link *false_links; /* the highest weight first */
    struct kin_evaluation_wrong *groups;     /* most false pairs first */
    struct kin_evaluation_wrong *entities;   /* most lost pairs first */
    size_t false_link_count, group_count, entity_count;
    uint64_t wrong_groups, split_entities; /* in all */
};

/* Reads the files once each, in the order matches, truth, pairs. Records in only one of the first
 * two are counted and left out. KIN_E_SYNTAX names file and line: rows that cannot be read, empty
 * cells, ids that occur twice, links of unknown records or of records in different groups.
 * KIN_E_INVAL: options out of range. out is owned by the caller and set on success only. */
kin_status kin_evaluate(const struct kin_evaluate_options *options, struct kin_evaluation **out,
                        struct kin_err *err) KIN_MUST_CHECK;
void kin_evaluation_free(struct kin_evaluation *e);

/* Tables for people. */
void kin_evaluation_print(const struct kin_evaluation *e, struct kin_buf *out);
/* The same as one JSON object, and more of it. */
void kin_evaluation_json(const struct kin_evaluation *e, struct kin_buf *out);

#endif
