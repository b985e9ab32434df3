#ifndef KIN_COORDINATOR_IMPL_H
#define KIN_COORDINATOR_IMPL_H
/* Private to the coordinator core. Everything belongs to the loop thread, except what a task owns
 * or reads as immutable while it runs. */
#include "common/base/radix.h"
#include "common/group/golden.h"
#include "common/group/linkage.h"
#include "common/group/union_find.h"
#include "common/match/compare_decide.h"
#include "common/record/batch.h"
#include "coordinator/coordinator.h"
#include "coordinator/page.h"
#include "proto/best_edges.h"
#include "proto/edges.h"
#include "proto/jobs.h"
#include "proto/message.h"

enum { DB_META, DB_PAGES, DB_JOBS, DB_SPOOL, DB_LIVE, DB_IDS, DB_FEED, DB_LOG };
enum {
    CHUNK_WINDOW = 16,      /* chunks cut and not yet durable everywhere */
    RETRY_US = 1000 * 1000, /* an unanswered request is repeated after this */
    TICK_US = 100 * 1000,
    LEASE_MS_DEFAULT = 3000,
    GIVE_UP_MS_DEFAULT = 60 * 1000,
    PART_BYTES = 1024 * 1024, /* of a list that is sent in parts */
    PIPE_WINDOW = 16,         /* pieces of an output in the making at a time */
    GROUPS_PER_PIECE = 4096,
    EDGES_PER_PIECE = 32 * 1024,
    VETO_RECORDS_PER_TASK = 4096,
    FORESTS_AT_ONCE = 16, /* pieces of forests that wait for tasks */
    VETO_TASKS_AT_ONCE = 16,
    COMPONENT_BYTES = 16 * 1024 * 1024, /* a component that takes more goes to no worker */
    EDGE_MUST = UINT16_MAX - 1 /* rule of an edge that is a person's link; in pairs.csv only */
};
#define NO_GROUP UINT32_MAX
#define NO_INDEX UINT32_MAX

struct kin_coordinator;
struct cjob;
struct jobrec;

/* ---- tasks and store ops, tracked so that a crash can free them ---- */

struct ctask {
    struct kin_work work;
    struct kin_coordinator *c;
    struct ctask *next, *prev;
    struct cjob *job; /* what it belongs to; NULL: to the node */
    bool started;
    kin_status status;
    struct kin_err err;
    void (*finish)(struct ctask *t);  /* [loop] after run, unless its job failed meanwhile */
    void (*release)(struct ctask *t); /* frees what it owns, not the struct; may be NULL */
};
/* One of the present job, or of the node where there is none. */
void *ctask_new(struct kin_coordinator *c, size_t bytes,
                void (*run)(struct kin_env *, struct kin_work *), void (*finish)(struct ctask *),
                void (*release)(struct ctask *));
void ctask_start(struct ctask *t);
void ctask_drop(struct ctask *t); /* one that was not started */

struct cstore {
    struct kin_store_op op;
    struct kin_coordinator *c;
    struct cstore *next, *prev;
    struct cjob *job; /* as in struct ctask */
    bool started;
    struct kin_store_put *puts;
    struct kin_buf memory;
    uint64_t number;
    kin_node_id asked_by;
    void (*finish)(struct cstore *s, kin_status status); /* [loop] as in struct ctask */
    struct live *live;                                   /* of live_store */
    void (*live_done)(struct live *live, kin_status status);
};
struct cstore *cstore_new(struct kin_coordinator *c, size_t puts,
                          void (*finish)(struct cstore *, kin_status));
void cstore_start(struct cstore *s);
void cstore_drop(struct cstore *s); /* one that was not started */

/* ---- requests to workers that any of their states can answer again ---- */

struct rpc {
    struct rpc *next;
    uint64_t request;
    unsigned worker;
    struct kin_message message;
    struct kin_frame *payload; /* or NULL */
    uint64_t sent_us;          /* 0: not yet */
    /* m and f are borrowed. Not called when the job failed meanwhile. */
    void (*answer)(struct rpc *r, const struct kin_message *m, struct kin_frame *f);
    void *arg;
    uint32_t number;
};
/* Queues a request; payload (may be NULL) is consumed. */
kin_status rpc_start(struct kin_coordinator *c, unsigned worker, const struct kin_message *m,
                     struct kin_buf *payload,
                     void (*answer)(struct rpc *, const struct kin_message *, struct kin_frame *),
                     void *arg, uint32_t number) KIN_MUST_CHECK;
void rpc_pump(struct kin_coordinator *c); /* sends what is due */
void rpc_on_answer(struct kin_coordinator *c, unsigned worker, const struct kin_message *m,
                   struct kin_frame *f);
void rpc_drop_all(struct kin_coordinator *c);

/* ---- workers ---- */

enum step {
    STEP_NONE, /* nothing to ask of it now */
    STEP_OPEN,
    STEP_LOAD,
    STEP_DEAD,
    STEP_SETTLE,
    STEP_PLAN,
    STEP_COUNT,
    STEP_PATTERNS,
    STEP_VALUES,
    STEP_MATCH,
    STEP_FOREST,
    STEP_EDGES,
    STEP_STARS,
    STEP_LABELS
};

/* A worker node, whether it has part in the run or not. */
struct peer {
    bool known, joined;
    uint64_t incarnation, epoch;
    uint64_t heard_us; /* or since when it is awaited */
    uint32_t threads;
    uint32_t index; /* in the present run; NO_INDEX: none */
    char name[64];
    uint64_t progress_done, progress_total;
};

/* What the run has asked of a worker, and got. */
struct cworker {
    struct peer *peer;
    /* the step asked for and not answered */
    enum step asked;
    uint64_t request, asked_us;
    /* what this incarnation has done */
    bool opened, settled, counted, matched;
    uint64_t durable, sent, sent_us;
    uint32_t dead_sent, plan_sent, labels_sent;
    /* what was fetched from the worker, whatever becomes of it */
    bool got_settled, got_patterns, got_values, got_matched, got_forest, got_edges, got_stars;
    uint64_t patterns_next, forest_next, edges_next;
    struct kin_buf values;
    struct kin_buf stars;
    struct kin_buf labels; /* u32, one for each row at home there */
};
void track_advance(struct kin_coordinator *c, unsigned worker);
void track_advance_all(struct kin_coordinator *c);
void track_on_answer(struct kin_coordinator *c, unsigned worker, const struct kin_message *m,
                     struct kin_frame *f);
void track_tick(struct kin_coordinator *c, unsigned worker);
void track_reset(struct cworker *w); /* a new incarnation: what it had done is gone */
bool track_ready(const struct kin_coordinator *c, unsigned worker); /* it can answer requests */

/* ---- the job ---- */

struct source_file {
    char *path;
    uint32_t source;
    uint64_t bytes, changed;
};
/* job.c: [task] the files of a workflow's sources in input order, added to a list that is owned,
 * also on error */
kin_status source_files_list(struct kin_env *env, const struct kin_workflow *w,
                             struct source_file **files, size_t *count,
                             struct kin_err *err) KIN_MUST_CHECK;
void source_files_free(struct source_file *files, size_t count);
/* load.c: how a file of a source is read, and whether its columns will do */
struct kin_reader_options source_reader_options(const struct kin_workflow *w, uint32_t source,
                                                const char *path, size_t chunk_bytes);
kin_status source_check_header(const struct kin_header *header,
                               const struct kin_workflow_source *source,
                               struct kin_err *err) KIN_MUST_CHECK;

struct chunk_info { /* by chunk number - 1 */
    uint64_t base;
    uint32_t file, source;
    uint64_t offset, hash;
    uint32_t count;
};

/* What waits to be durable everywhere: the payloads of one chunk. */
struct out_batch {
    uint64_t seq; /* 0: free */
    bool page_durable;
    uint32_t count;
    struct kin_frame *payload[KIN_WORKERS_MAX];
    uint32_t feature_bytes[KIN_WORKERS_MAX];
};

struct pipe_piece {
    enum { PIECE_FREE, PIECE_MAKING, PIECE_READY } state;
    struct kin_buf out[2];
};
/* Pieces of output files, made in parallel, written in order. */
struct pipe {
    uint64_t total, started, written;
    bool writing;
    struct pipe_piece pieces[PIPE_WINDOW];
    const char *files[2]; /* what out[0] and out[1] are appended to; NULL: unused */
    void (*make)(struct kin_coordinator *c, uint64_t piece);
    void (*end)(struct kin_coordinator *c);
};
void pipe_begin(struct kin_coordinator *c, uint64_t total, const char *file, const char *second,
                void (*make)(struct kin_coordinator *, uint64_t),
                void (*end)(struct kin_coordinator *));
/* Takes over the two buffers. */
void pipe_piece_ready(struct kin_coordinator *c, uint64_t piece, struct kin_buf *first,
                      struct kin_buf *second);

/* One run of a job. */
struct cjob {
    uint64_t id; /* of the run: workers know it by this */
    const struct kin_job_options *options;
    struct jobrec *rec; /* serving: the job it is a run of */
    struct kin_shard_map shards;
    struct cworker workers[KIN_WORKERS_MAX];
    bool dealt;                /* shards and workers are known */
    bool renewed;              /* what the store holds of the job is not to be resumed */
    unsigned least;            /* workers it begins with */
    bool served;               /* its workers keep what they have */
    bool links_wait;           /* until it is known what links there are */
    bool prepare_waits;        /* until what is served now has nothing under way */
    struct prepared *prepared; /* what is to be served */
    struct kin_workflow *workflow;
    bool failed;   /* or over, serving: it goes when what is under way has ended */
    bool listed;   /* the files are known */
    bool recorded; /* and the record of the run is durable */
    struct kin_buf record, old_keys; /* until it is: what to write, and which pages go */
    size_t old_count;
    enum kin_phase phase;
    uint64_t phase_started_us, started_us;

    struct source_file *files;
    size_t file_count;
    uint64_t bytes_total, bytes_cut;

    /* load */
    struct load *load;
    struct chunk_info *chunks;
    uint64_t chunk_count, chunk_cap; /* committed */
    bool load_complete;              /* the last chunk is known */
    bool overwrite;                  /* the store holds pages behind a gap: no appending */
    uint64_t records;
    struct out_batch outbox[CHUNK_WINDOW];

    /* dedupe */
    uint32_t *dead; /* ascending */
    size_t dead_count;
    uint8_t *dead_bits;

    /* links of people: records, a < b, by pair */
    struct kin_linkage_pair *must, *never;
    size_t must_count, never_count;
    uint8_t *linked_bits; /* records with a must link; NULL: there is none */
    struct kin_buf link_errors;

    /* plan */
    struct kin_buf oversized;  /* u64 */
    struct kin_buf plan_bytes; /* as workers are sent it */
    uint64_t plan;
    struct train *train;
    struct assess *assess;
    bool counted;                 /* all workers have */
    struct kin_buf model_text;    /* JSON; empty without a model */
    struct kin_buf training_text; /* of one that was trained: the report, for people */

    /* group */
    struct kin_union_find sets;
    struct kin_best_edges best;
    unsigned forests;                    /* pieces that tasks unite */
    uint32_t *level[KIN_THRESHOLDS_MAX]; /* [records] with several thresholds: a record that
                                            stands for the group; then its founder */
    struct kin_buf edges;                /* kin_keyed: (a << 32 | b), rule */
    uint32_t *group;                     /* [records] group number, NO_GROUP: dead */
    uint32_t group_count;
    uint32_t *group_size; /* [group_count] */
    uint32_t *founder;    /* [group_count] record */
    struct veto *veto;
    struct glue *glue; /* while large groups are looked at; NULL: there is none */

    /* write */
    struct kin_out *out;
    struct pipe pipe;
    uint64_t pieces, pieces_before; /* of all pipes; of those that have ended: for the progress */
    struct kin_golden_plan *golden;
    struct kin_str *columns; /* of the whole job, in byte order */
    size_t column_count;
    struct kin_arena arena;
    struct kin_report report;
};

struct kin_coordinator {
    struct kin_env *env;
    struct kin_coordinator_args *args;
    uint64_t cluster, generation, joins;
    bool ready; /* the generation is durable: workers may join */
    uint64_t lease_us, give_up_us, booted_us;
    uint64_t next_request;
    struct peer peers[KIN_WORKERS_MAX]; /* by node id - 1 */
    struct kin_timer tick;
    struct ctask *tasks;
    struct cstore *stores;
    struct rpc *rpcs;
    struct cjob *job;
    struct queue *queue; /* serving */
    struct live *lives;  /* workflows that are served */
    struct live_ask *asks;
    bool lives_loaded;
    unsigned lives_loading; /* tasks that read the store */
    uint64_t reload_slots;  /* a bit each: they are to be read again */
    uint32_t next_slot;
    bool stopping;             /* nothing is sent any more */
    struct kin_buf stale_runs; /* u64: runs that workers are to forget */
};

/* Encodes and sends; payload (may be NULL) is shared. Out of memory: not sent, retried by the tick.
 */
void coordinator_send(struct kin_coordinator *c, unsigned worker, struct kin_message *m,
                      uint64_t request, struct kin_frame *payload); /* to one of the run */
void coordinator_send_to(struct kin_coordinator *c, kin_node_id worker, struct kin_message *m,
                         uint64_t request, struct kin_frame *payload); /* to any */
void coordinator_reply(struct kin_coordinator *c, kin_node_id to, struct kin_message *m,
                       uint64_t request, struct kin_buf *payload); /* payload is consumed */
void job_fail(struct kin_coordinator *c, kin_status status, const char *format, ...)
    KIN_PRINTF(3, 4);
void job_phase(struct kin_coordinator *c, enum kin_phase phase);
bool job_all(const struct kin_coordinator *c, size_t flag_offset); /* a bool of every cworker */
/* The run has ended: tells who waits for it. Serving, it goes once nothing of it is under way. */
void job_over(struct kin_coordinator *c, kin_status status, const char *error);
void job_settle(struct kin_coordinator *c); /* frees a run that is over, if it can be */
void job_free(struct kin_coordinator *c);
void tasks_free(struct kin_coordinator *c); /* all there are: the node stops */

/* member.c */
void member_on_hello(struct kin_coordinator *c, kin_node_id node, const struct kin_message *m);
void member_on_lease(struct kin_coordinator *c, kin_node_id node, const struct kin_message *m);
void member_tick(struct kin_coordinator *c);
void member_deal(struct kin_coordinator *c); /* the shards, to those who are there */
/* The owners of a run that is resumed; false: none of ours. */
bool member_restore(struct kin_coordinator *c, struct kin_str record);
void member_record(const struct cjob *job, const struct kin_coordinator *c, struct kin_buf *out);
unsigned member_count(const struct kin_coordinator *c); /* joined */
static inline unsigned job_workers(const struct kin_coordinator *c)
{
    return c->job->shards.workers;
}

/* job.c: from boot to the first chunk. rec: NULL for the job of the arguments */
void job_start(struct kin_coordinator *c, const struct kin_job_options *options, struct jobrec *rec,
               bool renewed);
void job_ready(
    struct kin_coordinator *c); /* a worker joined, or the job can begin: goes on if it may */
/* load.c */
void load_begin(struct kin_coordinator *c);
void load_send(struct kin_coordinator *c, unsigned worker); /* what its window allows */
void load_on_ack(struct kin_coordinator *c, unsigned worker, const struct kin_message *m);
void load_on_opened(struct kin_coordinator *c);
void load_free(struct kin_coordinator *c);
bool load_is_open(const struct cjob *job); /* a file is */
void load_close(struct cjob *job);         /* [task] while nothing else runs, or at the stop */
/* split.c: one chunk to payloads and a page; [task] */
struct split_input {
    const struct kin_workflow *workflow;
    const struct source_file *file;
    uint32_t file_index;
    const struct kin_reader_options *reader;
    const struct kin_header *header;
    const struct kin_chunk *chunk;
    const struct kin_shard_map *shards;
    /* NULL, or to be told of rejected rows: u32 line, u32 bytes of field, u32 of reason, both */
    struct kin_buf *rejects;
};
struct split_output { /* all owned */
    uint32_t count, rejected;
    uint64_t hash; /* of the chunk's bytes */
    struct kin_buf payload[KIN_WORKERS_MAX];
    uint32_t feature_bytes[KIN_WORKERS_MAX];
    struct kin_buf page;
};
kin_status split_chunk(const struct split_input *in, struct split_output *out) KIN_MUST_CHECK;
void split_output_deinit(struct split_output *out);
/* sample.c */
struct sample { /* {0}: none was taken */
    struct kin_coordinator *c;
    void (*ready)(struct kin_coordinator *c);
    struct sample_record {
        uint64_t hash;
        uint32_t record;
        uint32_t worker; /* its home */
    } * items;
    size_t count;
    unsigned waiting; /* workers whose features are to come */
    struct kin_frame *features[KIN_WORKERS_MAX];
    const uint8_t **records; /* [count] features */
};
/* The `want` live records (all, if there are fewer) whose hash is smallest, in the order of these
 * hashes; then ready is called. s stays where it is. */
void sample_take(struct kin_coordinator *c, struct sample *s, size_t want,
                 void (*ready)(struct kin_coordinator *));
void sample_deinit(struct sample *s);
/* train.c */
/* The blocks are known; goes on to the match, or with plan_only to assess_begin. */
void train_begin(struct kin_coordinator *c);
/* How the job's model decides, once it is there. counts: {0}, owned, to outlive *out. */
kin_status train_decider(const struct cjob *job, struct kin_value_counts *counts,
                         struct kin_model_decider **out, struct kin_err *err) KIN_MUST_CHECK;
bool train_counts(const struct cjob *job); /* workers are to count */
void train_ask(const struct kin_coordinator *c, struct kin_message *m);
const struct kin_buf *train_every(const struct cjob *job); /* payload of COUNT */
kin_status train_take_patterns(struct kin_coordinator *c, const struct kin_frame *f) KIN_MUST_CHECK;
kin_status train_take_values(struct kin_coordinator *c, struct cworker *w) KIN_MUST_CHECK;
void train_counted(struct kin_coordinator *c); /* all workers' counts are here */
void train_free(struct cjob *job);
kin_status plan_write(struct kin_coordinator *c) KIN_MUST_CHECK; /* what there is by now */
/* assess.c: what a plan says of the blocking keys */
void assess_begin(struct kin_coordinator *c); /* the pairs are counted; goes on to the end */
/* Pairs of a pattern that just the keys of the set find. false: out of memory. */
bool assess_take(struct cjob *job, uint64_t pattern, uint64_t set, uint64_t pairs) KIN_MUST_CHECK;
void assess_free(struct cjob *job);
/* dedupe.c */
void dedupe_begin(struct kin_coordinator *c);
/* links.c */
void links_begin(struct kin_coordinator *c); /* the dead are known; goes on to settle */
void links_join(struct cjob *job);           /* must links, in the union-find */
kin_status links_add_edges(struct cjob *job) KIN_MUST_CHECK; /* to the ordered edges */
void links_free(struct cjob *job);
/* group.c */
void plan_make(struct kin_coordinator *c);
void plan_finish(struct kin_coordinator *c); /* of a job that is no more than a plan */
void plan_take_settled(struct kin_coordinator *c, unsigned worker, const struct kin_message *m,
                       struct kin_frame *f);
void plan_take_matched(struct kin_coordinator *c, const struct kin_message *m, struct kin_frame *f);
/* A piece of a worker's forest. Nonsense in it fails the job, perhaps later: pieces are united by
 * tasks, several at a time, and group_begin waits for the last. */
kin_status group_take_forest(struct kin_coordinator *c, unsigned worker,
                             struct kin_frame *f) KIN_MUST_CHECK;
kin_status group_take_edges(struct kin_coordinator *c, const struct kin_frame *f) KIN_MUST_CHECK;
kin_status group_begin_match(struct kin_coordinator *c) KIN_MUST_CHECK;
void group_begin(struct kin_coordinator *c); /* all forests came */
void label_begin(struct kin_coordinator *c);
bool job_wants_edges(const struct kin_coordinator *c);
/* veto.c */
void veto_begin(struct kin_coordinator *c);
void veto_free(struct kin_coordinator *c);
/* glue.c */
/* [task] The records of the largest groups of the report, by the records' groups. */
/* In the label task; the loop reads job->glue, so what is collected is handed over in its done.
 * *out: NULL where there is no large group; to be freed even on failure. */
kin_status glue_collect(const struct cjob *job, const uint32_t *group,
                        struct glue **out) KIN_MUST_CHECK;
void glue_begin(struct kin_coordinator *c); /* groups are numbered; goes on to write */
void glue_free(struct glue *g);
/* write.c */
void write_begin(struct kin_coordinator *c);
/* reasons.c: rejected rows by reason; lists are few and owned */
kin_status reasons_add(struct kin_report_reason **list, size_t *count, struct kin_str text,
                       uint64_t rows) KIN_MUST_CHECK;
/* Counts the rows of a piece of errors.csv. [task] */
kin_status reasons_of(struct kin_str errors, struct kin_report_reason **list,
                      size_t *count) KIN_MUST_CHECK;
void reasons_order(struct kin_report_reason *list, size_t count);
void reasons_free(struct kin_report_reason *list, size_t count);
/* report.c */
kin_status report_init(struct cjob *job) KIN_MUST_CHECK;
void report_deinit(struct kin_report *report);

/* ---- serving: jobs of clients ---- */

/* A job as it is kept in the store: one record of DB_JOBS, by number. Spooled files are pieces in
 * DB_SPOOL, by (id, file, offset). */
struct jobrec {
    struct jobrec *next; /* by number, ascending */
    uint64_t number, id;
    uint64_t token; /* of the client; 0: nobody can ask for it any more */
    enum kin_job_state state;
    kin_status status; /* of a failed one */
    uint64_t submitted_ms, ended_ms;
    uint32_t runs;
    bool pairs, serve, replace;
    bool dropped;   /* nothing of its results or sources is kept */
    char *workflow; /* these are owned */
    size_t workflow_bytes;
    char *base_dir, *name, *error;
    char *out_dir;          /* at the coordinator, or where results wait for the client */
    bool sent;              /* its client sends the sources and takes the results */
    struct kin_buf listing; /* of the sources that are sent: the payload of SUBMIT */
    uint32_t file_count;
    /* not kept: */
    struct kin_job_options options;
    bool stored;          /* the record, as it is now, was given to the store */
    unsigned writing;     /* times that it is on its way there */
    kin_node_id asked_by; /* to be told once it is; 0: nobody */
    uint64_t asked_request;
    bool dropping;
    uint64_t *file_bytes; /* [file_count] */
    struct spool_at {
        uint32_t file;
        uint64_t offset;
    } accepted, durable; /* the next byte to be taken in, and to be safe */
    unsigned pieces;     /* on their way to the store */
    uint32_t spooling;   /* raised when pieces under way do not count any more */
};

struct queue {
    struct jobrec *first;
    unsigned count;
    uint64_t next_number;
    bool loaded;
    bool again; /* the run that is over is to be begun anew */
    bool again_renewed;
    struct kin_buf dead; /* u64: ids of jobs whose pieces are to be removed */
    bool sweeping;
    struct results *results; /* results that are being read */
};

static inline uint64_t jobrec_id(const struct jobrec *rec)
{
    return rec->id;
}
static inline bool jobrec_is_sent(const struct jobrec *rec)
{
    return rec->sent;
}
static inline bool jobrec_is_durable(const struct jobrec *rec)
{
    return rec->stored && rec->writing == 0;
}
static inline bool jobrec_is_over(const struct jobrec *rec)
{
    return rec->state >= KIN_JOB_DONE;
}

/* queue.c: the list, what becomes of each, and which one runs */
void queue_start(struct kin_coordinator *c); /* loads the list; then clients are answered */
void queue_free(struct kin_coordinator *c);
void queue_tick(struct kin_coordinator *c);
struct jobrec *queue_find(const struct kin_coordinator *c, uint64_t id); /* NULL */
struct jobrec *queue_find_token(const struct kin_coordinator *c, uint64_t token);
kin_status queue_add(struct kin_coordinator *c, struct jobrec *rec) KIN_MUST_CHECK; /* owns it */
void queue_ready(struct kin_coordinator *c, struct jobrec *rec);  /* all of it is here: it waits */
void queue_revive(struct kin_coordinator *c, struct jobrec *rec); /* a failed one goes on */
void queue_drop(struct kin_coordinator *c, struct jobrec *rec);
void queue_again(struct kin_coordinator *c); /* the present run ends, another begins */
void queue_job_over(struct kin_coordinator *c, kin_status status, const char *error);
void queue_job_settled(struct kin_coordinator *c);

/* jobrec.c: the record and its bytes */
struct jobrec *jobrec_new(void); /* NULL: out of memory */
void jobrec_free(struct jobrec *rec);
void jobrec_write(const struct jobrec *rec, struct kin_buf *out);
struct jobrec *jobrec_read(struct kin_str bytes, kin_status *status); /* [task] too */
/* Checks the listing, which may come from the wire, and takes its sizes. */
kin_status jobrec_index_files(struct jobrec *rec) KIN_MUST_CHECK;
kin_status jobrec_files(const struct jobrec *rec, struct source_file **files,
                        size_t *count) KIN_MUST_CHECK; /* [task]; owned by the caller */

/* spool.c: sources that clients send */
void spool_on_upload(struct kin_coordinator *c, kin_node_id from, struct jobrec *rec,
                     const struct kin_message *m, struct kin_frame *f);
/* Moves past files that are complete; true: all are. */
bool spool_skip(const struct jobrec *rec, struct spool_at *at);
/* [task] Where each job's pieces end, over all of the spool; ids of unknown jobs go to dead. */
kin_status spool_measure(struct kin_env *env, struct kin_snap *snap, struct jobrec *first,
                         struct kin_buf *dead) KIN_MUST_CHECK;
void spool_remove(struct kin_coordinator *c, uint64_t id); /* in the background */
void spool_sweep(struct kin_coordinator *c);
struct spool_reader { /* belongs to the task that reads */
    struct kin_env *env;
    struct kin_snap *snap; /* of this task; NULL: none yet */
    uint64_t id, bytes;
    uint32_t file;
    uint64_t piece; /* offset of the piece being read */
    size_t at;      /* in it */
};
kin_status spool_read(struct spool_reader *r, uint8_t *to, size_t cap, size_t *got,
                      struct kin_err *err) KIN_MUST_CHECK;
void spool_rest(struct spool_reader *r); /* at the end of each task */

/* results.c: results that clients fetch */
void results_on_fetch(struct kin_coordinator *c, kin_node_id from, const struct jobrec *rec,
                      const struct kin_message *m);
void results_forget(struct kin_coordinator *c, uint64_t id); /* its directory goes */
void results_free(struct kin_coordinator *c);

/* client.c: what clients ask */
void client_on_message(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m,
                       struct kin_frame *f);
void client_tell_submitted(struct kin_coordinator *c, struct jobrec *rec);
/* status.c */
kin_status status_json(struct kin_coordinator *c, uint32_t jobs_max,
                       struct kin_buf *out) KIN_MUST_CHECK;

/* ---- rules, and the model behind them ---- */

static inline bool job_has_rule(const struct cjob *job, uint32_t rule)
{
    return rule < job->workflow->rule_count + (job->workflow->model != NULL);
}
static inline struct kin_best_edge job_best(const struct cjob *job, uint32_t record)
{
    return kin_best_edges_get(&job->best, record);
}
static inline void job_set_best(struct cjob *job, uint32_t record, struct kin_best_edge edge)
{
    kin_best_edges_set(&job->best, record, edge);
}
static inline size_t job_levels(const struct cjob *job)
{
    return job->workflow->model ? job->workflow->model->threshold_count : 1;
}
static inline bool job_is_dead(const struct cjob *job, uint32_t record)
{
    return job->dead_bits[record / 8] >> (record % 8) & 1;
}
static inline bool job_is_linked(const struct cjob *job, uint32_t record)
{
    return job->linked_bits && (job->linked_bits[record / 8] >> (record % 8) & 1);
}
/* Components are looked into: all, or those that a never link runs through. */
static inline bool job_clusters(const struct cjob *job)
{
    return kin_workflow_refines(job->workflow) || job->never_count;
}
/* An edge that makes its ends one, unlike one of the model below the threshold. */
static inline bool job_joins(const struct cjob *job, const struct kin_keyed *edge)
{
    const struct kin_workflow_model *model = job->workflow->model;
    return edge->value == EDGE_MUST ||
           (edge->value & ~(uint32_t)KIN_EDGE_STAR) < job->workflow->rule_count ||
           (int32_t)edge->extra >= model->thresholds[model->primary].weight;
}

/* ---- identity pages inside a task ---- */

struct page_view {
    struct kin_env *env;
    struct kin_snap *snap;
    const struct cjob *job;
    struct kin_page *pages; /* [chunk_count] */
    bool *loaded;
    kin_status status;
};
kin_status page_view_init(struct page_view *v, struct kin_env *env,
                          const struct cjob *job) KIN_MUST_CHECK;
void page_view_deinit(struct page_view *v);
/* The page of a chunk (from 0). NULL with status set. */
const struct kin_page *page_view_get(struct page_view *v, uint64_t chunk);
uint64_t job_chunk_of(const struct cjob *job, uint32_t record);
/* Id and source of a record; false with status set. */
bool page_view_identity(struct page_view *v, uint32_t record, uint32_t *source, struct kin_str *id);
/* Order of two records by (source, id); v->status tells of failure. */
int page_view_cmp(struct page_view *v, uint32_t a, uint32_t b);
void page_key(uint64_t job, uint64_t chunk, uint8_t out[16]);

#endif
