#ifndef KIN_COORDINATOR_COORDINATOR_H
#define KIN_COORDINATOR_COORDINATOR_H
/* The coordinator core: membership with leases and epochs, splitting of sources into batches, the
 * plan of a job, reconciling the workers' forests into MatchGroups, and the outputs. Pure logic
 * over common/env/env.h. It runs one job, that of its arguments, begun anew or, where the store
 * holds the very same job unfinished, resumed; or it serves: takes jobs from clients
 * (proto/jobs.h), keeps them in its store and runs one after the other. All functions: loop thread.
 */
#include "common/env/env.h"
#include "common/workflow/workflow.h"
#include "proto/shards.h"

enum {
    KIN_COORDINATOR_DBS = 8,
    KIN_COORDINATOR_STORE_FORMAT = 3,
    KIN_COORDINATOR_STORE_FORMAT_FROM = 2,
    KIN_CHUNK_BYTES = 1024 * 1024
};

/* The key of MatchIds unless a secret is configured. Published, so that ids can be checked by
 * anyone. */
extern const uint8_t KIN_MATCH_ID_KEY[16];

struct kin_job_options {
    struct kin_str workflow;  /* text of the workflow file; must parse */
    const char *base_dir;     /* what relative paths in it are joined to */
    const char *out_dir;      /* where the outputs appear; unused with plan_only */
    bool plan_only;           /* stop when it is known what the blocking keys cost and find */
    bool train_only;          /* stop when the model is trained */
    bool pairs;               /* write pairs.csv too */
    uint32_t chunk_bytes;     /* of source text in one batch; 0: KIN_CHUNK_BYTES */
    uint32_t component_bytes; /* of one that is looked into, on its way to a worker and back; 0: 16
                                 MiB; a larger one is clustered by the coordinator */
    uint8_t match_id_key[16];
};

enum kin_phase {
    KIN_PHASE_JOIN, /* waiting for the workers */
    KIN_PHASE_LOAD,
    KIN_PHASE_DEDUPE,
    KIN_PHASE_SETTLE,
    KIN_PHASE_TRAIN,
    KIN_PHASE_MATCH,
    KIN_PHASE_GROUP,
    KIN_PHASE_VETO,
    KIN_PHASE_LABEL,
    KIN_PHASE_WRITE,
    KIN_PHASE_PUBLISH,
    KIN_PHASE_DONE,
    KIN_PHASE_COUNT
};
const char *kin_phase_name(enum kin_phase phase);

struct kin_progress {
    enum kin_phase phase;
    uint64_t done, total; /* in the phase's unit: bytes, steps, groups; total 0: unknown */
    uint64_t records;     /* taken in so far */
    unsigned workers;     /* joined */
};

/* What a finished job reports; report.json has the same. Owned by the coordinator, valid until
 * stop. */
struct kin_report_source {
    const char *name;
    uint64_t read, grouped, singletons, superseded, rejected;
};
struct kin_report_key {
    const char *text;
    bool star;
    uint64_t blocks, postings, pairs, largest; /* blocks of two or more; pairs: within them */
    uint64_t compared, skipped, matched;       /* skipped: seen under a smaller key */
    double found, found_alone; /* of a plan: expected matches that it finds; that only it finds */
};
struct kin_report_block { /* a large block, or an oversized one */
    uint64_t key;
    unsigned rule;
    uint64_t records;
    char *text;                             /* the values behind the key; owned */
    uint64_t refined, windowed, pairs_kept; /* oversized */
};
enum {
    KIN_REPORT_GROUPS_MAX = 100, /* groups over limits.max_group: the largest so many are named */
    KIN_REPORT_GLUED_MAX = 20,   /* of so many it is told what holds them together, ... */
    KIN_REPORT_GLUE_VALUES = 3,  /* by so many values, ... */
    KIN_REPORT_GLUE_RECORDS = 16384 /* from the first so many of their records */
};
struct kin_report_glue { /* a value that both ends of so many links of a group's tree have */
    uint32_t field;
    char *text; /* owned */
    uint32_t links;
};
struct kin_report_group { /* a MatchGroup over limits.max_group: to be looked at */
    char match_id[33];
    uint32_t size, group;
    uint32_t links, must; /* of the tree of strongest links; must links among them */
    struct kin_report_glue glue[KIN_REPORT_GLUE_VALUES]; /* most links first */
    size_t glue_count;
};
/* Of a plan: how many of the matches share a key, and keys that would find more. Matches are what
 * the rules and the model of the workflow take for such. */
enum kin_recall_state {
    KIN_RECALL_NOT_LOOKED, /* there are no records, or it is no plan */
    KIN_RECALL_KNOWN,
    KIN_RECALL_COMPLETE, /* the keys follow from the rules: nothing that these match is missed */
    KIN_RECALL_UNKNOWN
};
struct kin_report_next_key {
    char *text;           /* as in block_on, without the brackets; owned */
    double extra_pairs;   /* that no present key finds */
    double taken;         /* of these: for matches by the rules or the model */
    double extra_matches; /* expected: of `taken` as many as the keys can have missed */
    double recall;        /* with it; negative: not known */
};
enum { KIN_REPORT_NEXT_KEYS = 5 };
struct kin_report_recall {
    enum kin_recall_state state;
    char *why;                 /* unknown: the reason, for people; owned */
    double found;              /* expected matches that the keys find */
    double matches, low, high; /* in all, with a 95 % interval; known only */
    double at_most;            /* bound of the recall by what another key finds */
    struct kin_report_next_key next[KIN_REPORT_NEXT_KEYS]; /* the best first */
    unsigned next_count;
};
struct kin_report_reason { /* why rows were rejected, numbers in it written as N */
    char *text;            /* owned */
    uint64_t rows;
};
struct kin_report_level {              /* what there would be at one of the thresholds */
    uint64_t groups, grouped, largest; /* groups of two or more, records in them */
};
enum { KIN_SIZE_BUCKETS = 9 }; /* groups of 1, 2, 3, 4, 5-9, 10-49, 50-99, 100-499, 500 and more */
struct kin_report {
    const char *workflow;
    struct kin_report_source *sources;
    size_t source_count;
    struct kin_report_key *keys;
    size_t key_count;
    struct kin_report_block *large, *oversized;
    size_t large_count, oversized_count;
    uint64_t read, records, grouped, singletons, superseded, rejected;
    uint64_t groups; /* of two or more */
    uint64_t group_sizes[KIN_SIZE_BUCKETS], largest_group;
    uint64_t over_max_group;
    struct kin_report_group *large_groups; /* largest first; ties by MatchId */
    size_t large_group_count;
    uint64_t compared, matched; /* pairs */
    uint64_t excess_keys;
    uint64_t *unparsable; /* [field] */
    bool *
        without_column; /* [field] no source has any of its columns: a misspelt name, most likely */
    struct kin_report_recall recall;
    bool links; /* there are links of people: rows of their files, and what they came to */
    uint64_t links_read, links_must, links_never, links_unknown;
    uint64_t veto_components, veto_forbidden, veto_refused, veto_unchecked, veto_large;
    struct kin_report_reason *reasons; /* most rows first; ties by text */
    size_t reason_count;
    uint32_t weigh;                                     /* with a model, for MATCH */
    uint64_t weights[KIN_WEIGHT_WORDS];                 /* of all workers */
    struct kin_report_level levels[KIN_THRESHOLDS_MAX]; /* filled with several thresholds only */
    uint64_t phase_us[KIN_PHASE_COUNT];
    uint64_t total_us;
    uint64_t source_bytes;
};

struct kin_coordinator;

struct kin_coordinator_args {
    unsigned workers;     /* 1..KIN_WORKERS_MAX: a job begins when so many have joined, and is split
                             over all that have */
    uint32_t lease_ms;    /* 0: 3000 */
    uint32_t give_up_ms;  /* serving: a worker that is away longer loses its shards; 0: 60,000 */
    uint32_t chunk_bytes; /* serving: as in kin_job_options */
    const struct kin_job_options *job; /* borrowed until stop; NULL: serves */
    /* Serving, borrowed until stop. results_dir: where the results of clients wait for them, each
     * job's in a directory of its own. files_dir: what clients may name files in that the
     * coordinator itself reads and writes; NULL: none. */
    const char *results_dir, *files_dir;
    kin_node_id own_node; /* of the process itself, whose jobs may name any file; 0: none */
    const char *version;  /* of the program, for the status */
    uint8_t match_id_key[16];
    /* Once: the job is done, or failed (error says why; what was done stays in the store to be
     * resumed). Serving: the store failed at the start; nothing else. */
    void (*on_done)(void *arg, kin_status status, const char *error);
    void *arg;
    struct kin_coordinator *self; /* set by boot */
};

/* args: struct kin_coordinator_args */
extern const struct kin_node_ops kin_coordinator_ops;

void kin_coordinator_progress(const struct kin_coordinator *c, struct kin_progress *out);
const struct kin_report *kin_coordinator_report(const struct kin_coordinator *c);
/* The model that was trained (JSON), and the report of the training for people; empty: none. Valid
 * until stop. */
void kin_coordinator_model(const struct kin_coordinator *c, struct kin_str *model,
                           struct kin_str *training);
/* report.json of a report. */
kin_status kin_report_json(const struct kin_report *report, const struct kin_workflow *workflow,
                           struct kin_buf *out) KIN_MUST_CHECK;

#endif
