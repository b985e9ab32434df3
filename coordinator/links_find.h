#ifndef KIN_COORDINATOR_LINKS_FIND_H
#define KIN_COORDINATOR_LINKS_FIND_H
/* Links of people, from the rows of their files to pairs of records: rows are taken one by one,
 * the names in them indexed, the job's records shown one by one, and then it is clear which links
 * hold, which have a record that is not there, and whether they contradict one another. Pure; one
 * task. */
#include "common/group/linkage.h"
#include "common/record/reader.h"
#include "common/workflow/workflow.h"

enum { KIN_LINKS_MAX = 1 << 24 };

struct kin_link_name;
struct kin_link_row;

struct kin_links_found {
    const struct kin_workflow *workflow;
    struct kin_arena arena; /* names, raw rows, paths */
    const char **files;
    size_t file_count;
    struct kin_link_name *names; /* each once, after the index was made */
    uint32_t name_count, name_cap;
    struct kin_link_row *rows; /* as read */
    uint32_t link_count, row_cap;
    bool told;       /* links were added that are of no file */
    uint32_t *slots; /* hash table of names */
    size_t mask;
    /* the result: records, a < b, sorted, each pair once; owned */
    struct kin_linkage_pair *must, *never;
    size_t must_count, never_count;
    uint64_t must_rows, never_rows, unknown; /* add up to link_count */
};

/* A copy of the path, or NULL: it was read already, or (*status) no memory. */
const char *kin_links_new_file(struct kin_links_found *l, const char *path, kin_status *status);
/* Takes one row of a file. KIN_E_SYNTAX: text says what is wrong where. KIN_E_LIMIT, KIN_E_NOMEM.
 */
kin_status kin_links_take_row(struct kin_links_found *l, const char *path,
                              const struct kin_rows *rows, const struct kin_row *row, char *text,
                              size_t text_bytes) KIN_MUST_CHECK;
/* A link that is of no file: people told it to the cluster. Names are source/id. Where a record of
 * it is not there it is passed over; and where there is such a link, none of a file is asked
 * whether it contradicts others: clustering gives never the last word. KIN_E_LIMIT, KIN_E_NOMEM. */
kin_status kin_links_add(struct kin_links_found *l, struct kin_str left, struct kin_str right,
                         bool never) KIN_MUST_CHECK;
/* After the last row. KIN_E_NOMEM. */
kin_status kin_links_index(struct kin_links_found *l) KIN_MUST_CHECK;
/* A record of the job, each once. */
void kin_links_meet(struct kin_links_found *l, uint32_t source, struct kin_str id, uint32_t record);
/* After the last record. Links with a record that is not there become rows of errors.csv.
 * KIN_E_SYNTAX: links contradict one another, text has their lines. KIN_E_NOMEM. */
kin_status kin_links_settle(struct kin_links_found *l, struct kin_buf *errors, char *text,
                            size_t text_bytes) KIN_MUST_CHECK;
void kin_links_found_deinit(struct kin_links_found *l);

#endif
