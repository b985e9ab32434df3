#ifndef KIN_CLIENT_RECORDS_H
#define KIN_CLIENT_RECORDS_H
/* Single records of a workflow's sources, and counts over all of them, for commands that explain or
 * learn without a cluster. What is read is what a job reads (coordinator/scan.h), and of rows with
 * one (source, id) the same one stands: the latest `updated`, else the last. One pass over the
 * files; memory: 32 bytes a record, 16 for each value or word that is counted, and the records that
 * are kept. Main thread; blocks while the files are read. */
#include "common/match/compare_decide.h"
#include "common/match/train.h"
#include "common/workflow/workflow.h"

struct kin_records_want {
    const struct kin_str *ids; /* records with one of these ids are kept, whatever their source */
    size_t id_count;
    uint64_t sample_limit; /* kept too: records whose sample hash is at most this; 0: none */
    size_t sample_size;    /* not 0: find the limit that so many records are within */
    const struct kin_comparer *comparer; /* values are counted by it; NULL: none are */
    uint32_t values;                     /* bit i: those of comparison i */
    struct kin_comparer
        *words;           /* gets the counts of words and runs that its levels weigh; or NULL */
    const uint64_t *keys; /* blocking keys, ascending: how many records have each */
    size_t key_count;
};

struct kin_record {
    uint32_t number; /* in input order */
    const uint8_t *features;
    const char *const *raw; /* [field]: the cells as in the input, joined with "; "; "" for none */
};

struct kin_records {
    struct kin_arena arena;
    const struct kin_workflow *workflow;
    uint64_t live;            /* records that stand */
    uint64_t *live_by_source; /* [source] */
    struct kin_record *items; /* those kept, by (source, id) */
    size_t count;
    uint64_t sample_limit;          /* UINT64_MAX: there are not more records than that */
    struct kin_value_counts counts; /* as a job's plan has them */
    struct kin_train_equal equal[KIN_COMPARISONS_MAX]; /* of the comparisons counted */
    uint64_t *key_records;                             /* [key_count] */
};

/* want and workflow are borrowed, the latter until deinit. Errors name the file. On success the
 * caller deinits out; else there is nothing to free. */
kin_status kin_records_read(const struct kin_workflow *workflow,
                            const struct kin_records_want *want, struct kin_records *out,
                            struct kin_err *err) KIN_MUST_CHECK;
void kin_records_deinit(struct kin_records *r);

/* A kept record. source.p NULL: of whichever source has the id. KIN_E_NOTFOUND: there is none;
 * KIN_E_EXISTS: several sources have it; the message says which. */
kin_status kin_records_find(const struct kin_records *r, struct kin_str source, struct kin_str id,
                            const struct kin_record **out, struct kin_err *err) KIN_MUST_CHECK;

/* "source/id", where there is a source of that name, else an id. source.p is NULL then. */
void kin_record_name_split(const struct kin_workflow *w, struct kin_str name,
                           struct kin_str *source, struct kin_str *id);
/* Appends "source/id". */
void kin_record_name(const struct kin_workflow *w, const struct kin_record *r, struct kin_buf *out);

#endif
