#ifndef KIN_CLIENT_REPORT_READ_H
#define KIN_CLIENT_REPORT_READ_H
/* report.json, read back for the summary at the end of a job. Pure; any thread. */
#include "common/base/mem.h"

enum { KIN_REPORT_SIZES = 9 }; /* groups of 1, 2, 3, 4, 5-9, 10-49, 50-99, 100-499, 500+ */

struct kin_report_row { /* of a source */
    const char *name;
    uint64_t read, grouped, singletons, superseded, rejected;
};

struct kin_report_glue_read {
    const char *field, *value;
    uint64_t links;
};
enum { KIN_REPORT_GLUE_READ = 3, KIN_REPORT_GROUPS_READ = 5 };
struct kin_report_group_read { /* a group over limits.max_group, and what holds it together */
    const char *match_id;
    uint64_t size, links;
    struct kin_report_glue_read glue[KIN_REPORT_GLUE_READ];
    size_t glue_count;
};

struct kin_report_read {
    struct kin_arena arena; /* owns the texts and lists */
    const char *workflow;
    struct kin_report_row *sources;
    size_t source_count;
    const char **without_column; /* fields */
    size_t without_column_count;
    uint64_t grouped, rejected, groups, largest_group, over_max_group;
    struct kin_report_group_read large[KIN_REPORT_GROUPS_READ]; /* the largest of them */
    size_t large_count;
    uint64_t sizes[KIN_REPORT_SIZES];
    uint64_t compared, matched, excess_keys, oversized_blocks;
    uint64_t veto_components, veto_refused, veto_unchecked;
    uint64_t links_read, links_must, links_never, links_unknown; /* 0 without links */
    double match_seconds, total_seconds;                         /* total: of all phases in it */
};

/* Reads what docs/outputs.md says report.json has; what it has beside is passed over. The text may
 * be anything: KIN_E_SYNTAX, it is no JSON; KIN_E_CORRUPT, something is missing or not what it
 * should be; KIN_E_NOMEM. On success the caller deinits out. */
kin_status kin_report_read(struct kin_str json, struct kin_report_read *out,
                           struct kin_err *err) KIN_MUST_CHECK;
void kin_report_read_deinit(struct kin_report_read *r);

#endif
