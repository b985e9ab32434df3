#ifndef KIN_CLIENT_EXPLAIN_H
#define KIN_CLIENT_EXPLAIN_H
/* Why two records match or do not, and why a MatchGroup holds together: `kindred explain`. It reads
 * the sources of the workflow again and decides as a job does (docs/explain.md). Main thread;
 * blocks while files are read. */
#include "common/workflow/workflow.h"

struct kin_explain;

/* out_dir: of a run, or NULL. The model is that of the workflow's file, else out_dir's model.json.
 * Borrows both. KIN_E_INVAL: the workflow trains its model and there is no out_dir to have it from,
 * or the model was made for other comparisons; KIN_E_IO, KIN_E_SYNTAX, KIN_E_NOMEM; messages name
 * the file. */
kin_status kin_explain_open(const struct kin_workflow *workflow, const char *out_dir,
                            struct kin_explain **out, struct kin_err *err) KIN_MUST_CHECK;
void kin_explain_close(struct kin_explain *e); /* NULL is fine */

/* Two records, each by "source/id", or by an id that one source only has; appended as text for
 * people, or as JSON. KIN_E_NOTFOUND, KIN_E_EXISTS (several sources have the id), KIN_E_INVAL (the
 * same record twice), and what kin_records_read says. */
kin_status kin_explain_pair(struct kin_explain *e, struct kin_str a, struct kin_str b, bool json,
                            struct kin_buf *out, struct kin_err *err) KIN_MUST_CHECK;

enum { KIN_EXPLAIN_GROUP_MAX = 2000 }; /* members that are looked at pair by pair */
/* A MatchGroup of out_dir's matches.csv. KIN_E_NOTFOUND: it has none of that id, or a member is no
 * longer in the sources; KIN_E_LIMIT: it has more than KIN_EXPLAIN_GROUP_MAX members. */
kin_status kin_explain_group(struct kin_explain *e, struct kin_str match_id, bool json,
                             struct kin_buf *out, struct kin_err *err) KIN_MUST_CHECK;

#endif
