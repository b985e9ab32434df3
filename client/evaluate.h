#ifndef KIN_CLIENT_EVALUATE_H
#define KIN_CLIENT_EVALUATE_H
/* Quality of MatchGroups against a truth file: `kindred evaluate`. */
#include "common/base/mem.h"

struct kin_evaluation {
    uint64_t records; /* in both files */
    uint64_t only_in_truth, only_in_result;
    uint64_t pairs_found, pairs_true, pairs_correct;    /* over all pairs inside groups */
    uint64_t across_found, across_true, across_correct; /* pairs of different sources only */
    double bcubed_precision, bcubed_recall;             /* Bagga and Baldwin 1998 */
    uint64_t groups_found, groups_true, groups_exact;   /* groups of two or more */
};
double kin_ratio(uint64_t part, uint64_t whole); /* 1 where whole is 0 */
double kin_f1(double precision, double recall);

/* matches: text of matches.csv (columns source, id, match_id used). truth: CSV with columns id,
 * entity and optionally source (where it is absent ids must be unique over all sources). Records in
 * only one of them are counted and left out. KIN_E_SYNTAX names file and line. */
kin_status kin_evaluate(struct kin_str matches, struct kin_str truth, struct kin_evaluation *out,
                        struct kin_err *err) KIN_MUST_CHECK;
/* A table for people. */
void kin_evaluation_print(const struct kin_evaluation *e, struct kin_buf *out);

#endif
