#ifndef KIN_CLIENT_REPORT_PAIRS_H
#define KIN_CLIENT_REPORT_PAIRS_H
/* Pairs that stand for the others on the report's page, and how their weights came about. Main
 * thread; blocks while files are read. */
#include "common/report/report_html.h"
#include "common/workflow/workflow.h"

struct kin_chosen_pair {
    const char *title;
    struct kin_str source_a, id_a, source_b, id_b;
};
enum { KIN_CHOSEN_PAIRS = 3 };

/* Of the pairs of a pairs.csv that a model matched: the weakest, one in the middle and the
 * strongest, of equals the first in the file; fewer if there are not three. Texts are in the arena.
 * KIN_E_SYNTAX: columns are missing; what the file's reading says; KIN_E_NOMEM. */
kin_status kin_report_choose_pairs(const char *path, struct kin_arena *arena,
                                   struct kin_chosen_pair out[KIN_CHOSEN_PAIRS], size_t *count,
                                   struct kin_err *err) KIN_MUST_CHECK;

/* Reads the sources of the workflow and fills a waterfall for each pair; all in the arena. dir: the
 * output that the pairs are of. KIN_E_NOTFOUND: a record is not in the sources any more; what
 * kin_explain_open and kin_records_read say. */
kin_status kin_report_explain_pairs(const struct kin_workflow *workflow, const char *dir,
                                    const struct kin_chosen_pair *pairs, size_t count,
                                    struct kin_arena *arena, struct kin_waterfall *out,
                                    struct kin_err *err) KIN_MUST_CHECK;

#endif
