#ifndef KIN_WORKER_IMPL_H
#define KIN_WORKER_IMPL_H
/* Private to the worker core. Everything here belongs to the loop thread, except what a task owns
 * or reads as immutable while it runs. */
#include "common/base/radix.h"
#include "common/group/union_find.h"
#include "common/match/compare_decide.h"
#include "common/match/pattern_table.h"
#include "common/record/batch.h"
#include "common/workflow/workflow.h"
#include "proto/best_edges.h"
#include "proto/message.h"
#include "proto/shards.h"
#include "worker/worker.h"

enum { DB_META, DB_FEATURES, DB_ROWS, DB_EDGES, DB_REMOVED };
enum {
    BATCH_WINDOW = 64, /* batches taken ahead of the next one to store */
    PARTITIONS = 64,   /* of the postings, by bits of the key */
    VALUE_LISTS = 2 * KIN_COMPARISONS_MAX,
    ITEM_PAIRS = 200 * 1000, /* aim for one unit of comparison work */
    EDGE_PAGE_ENTRIES = 4096,
    RENEWAL_US = 500 * 1000,
    HELLO_FIRST_US = 1000, /* then twice as long each time, up to */
    HELLO_INTERVAL_US = 320 * 1000
};

struct worker;
struct worker_job;
struct worker_live;
struct store_view;

/* ---- tasks: work for the pool that belongs to a job ---- */

struct worker_task {
    struct kin_work work;
    struct worker_job *job;
    struct worker_task *next, *prev; /* in job->tasks */
    uint64_t request;                /* the message it answers, or 0 */
    kin_status status;
    struct kin_err err;
    void (*finish)(struct worker_task *t);  /* [loop] after run; then the task is freed */
    void (*release)(struct worker_task *t); /* frees what it owns, not the struct */
};
/* Allocates a task of `bytes` bytes (a struct that begins with struct worker_task). NULL: no
 * memory. */
void *worker_task_new(struct worker_job *job, size_t bytes,
                      void (*run)(struct kin_env *, struct kin_work *),
                      void (*finish)(struct worker_task *), void (*release)(struct worker_task *));
void worker_task_start(struct worker_task *t);
void worker_task_drop(struct worker_task *t); /* one that was not started; NULL is fine */
bool worker_task_under_way(const struct worker_job *job, uint64_t request);

/* A store op of a job with the memory its puts point into. */
struct worker_store {
    struct kin_store_op op;
    struct worker_job *job;
    struct worker_store *next, *prev;
    struct kin_store_put *puts;
    struct kin_frame *frame; /* kept alive until done, or NULL */
    struct kin_buf memory;
    void (*finish)(struct worker_store *s, kin_status status); /* [loop] then it is freed */
    uint64_t number;
};
struct worker_store *worker_store_new(struct worker_job *job, size_t puts,
                                      void (*finish)(struct worker_store *, kin_status));
void worker_store_start(struct worker_store *s);
void worker_store_drop(struct worker_store *s); /* one that was not started; NULL is fine */

/* ---- the job ---- */

struct record_at {   /* where a record or row lies: value of batch `batch`, `offset` bytes in */
    uint32_t number; /* dense index in the job */
    uint32_t batch;
    uint32_t offset;
};
struct record_table {
    struct record_at *items;
    uint32_t count, cap;
};

struct block {
    uint64_t key;
    uint32_t start, count; /* in the partition's members, or in its refined ones */
    uint8_t kind;
};
enum block_kind { BLOCK_PAIRS, BLOCK_STAR, BLOCK_REFINED, BLOCK_WINDOWED };

struct partition {
    struct kin_buf members;   /* u32 local records of blocks, ascending within one */
    struct kin_buf refined;   /* u32 local records of refined and windowed blocks */
    struct kin_buf blocks;    /* struct block */
    struct kin_buf oversized; /* u64 keys */
    struct kin_buf splits;    /* struct split_note */
    uint64_t
        *rule_totals; /* [key rules][KIN_SETTLED_RULE_WORDS]: blocks, postings, pairs, largest */
};
/* Of a block of pairs or a star. */
static inline const uint32_t *block_members(const struct partition *p, const struct block *b)
{
    return (const uint32_t *)(const void *)p->members.p + b->start;
}
/* What became of an oversized key: for the report. */
struct split_note {
    uint64_t key;
    uint32_t count;             /* records in it */
    uint32_t refined, windowed; /* blocks that came of it */
    uint32_t sample;            /* a local record that has the key */
    uint64_t pairs_kept;        /* pairs its refined blocks and windows still compare */
};

enum step_state { STEP_IDLE, STEP_RUNNING, STEP_DONE };

struct batch_slot {
    enum { SLOT_EMPTY, SLOT_CHECKING, SLOT_READY, SLOT_STORING } state;
    struct kin_frame *frame;
    uint32_t feature_bytes;
    struct record_table records, rows; /* found by the check, appended when stored */
};

struct worker_job {
    struct worker *worker;
    struct worker_live *live; /* not NULL: it is the run that one serves, and no job any more */
    uint64_t id;
    struct kin_workflow *workflow;
    uint32_t index;
    struct kin_shard_map shards;
    struct worker_task *tasks;
    struct worker_store *stores;
    bool closing;

    enum step_state open_state;
    uint64_t open_request;
    kin_status open_status; /* of a failed open */
    char open_text[256];

    /* load */
    uint64_t stored;  /* batches given to the store */
    uint64_t durable; /* batches durable */
    bool overwrite;   /* the store holds batches behind a gap: no appending */
    bool loaded;      /* tasks read the tables: no batch is taken in any more */
    kin_status load_status;
    struct batch_slot slots[BATCH_WINDOW];
    struct record_table records, rows;

    /* settle */
    struct kin_buf dead; /* u32 record numbers, ascending */
    uint32_t dead_parts; /* parts taken */
    enum step_state settle_state;
    uint64_t settle_request;
    uint8_t *dead_bits;
    uint32_t settle_left; /* tasks to finish in this phase of settling */
    struct settle_range *ranges;
    uint32_t range_count;
    struct partition *partitions; /* [PARTITIONS] */

    /* plan */
    struct kin_buf plan_bytes; /* as it came, gathered */
    uint64_t *plan_set;        /* oversized keys: open addressing; 0: free */
    size_t plan_mask;
    uint32_t plan_parts;
    bool plan_installed;
    uint64_t plan;
    struct kin_comparer *comparer; /* where the workflow has a model */
    struct kin_value_counts value_counts;
    struct kin_model_decider *model_decider; /* once the plan has the model */

    /* counting, for training and term frequencies */
    enum step_state count_state;
    uint64_t count_request;
    kin_status count_status;
    uint32_t count_left;        /* tasks */
    bool count_rules;           /* the rules say of each pair whether they match it */
    struct kin_buf count_every; /* u32 for each of the first keys */
    uint32_t count_every_n;
    struct kin_pattern_table count_table;
    uint32_t value_ranges_left;
    struct kin_buf value_notes[VALUE_LISTS]; /* of all ranges */
    struct kin_buf value_lists[VALUE_LISTS]; /* of the values of each comparison, then the tokens */
    uint64_t value_totals[VALUE_LISTS];
    struct kin_buf patterns, values; /* as PULL answers */

    /* match */
    enum step_state match_state;
    uint64_t match_request;
    struct kin_decider *decider; /* NULL: there are no rules */
    int32_t weight_threshold, weight_floor;
    struct match_item *items;
    size_t item_count;
    atomic_size_t item_next;
    uint32_t match_left;
    struct kin_union_find sets; /* over local records: edges of threads that are done */
    struct kin_best_edges best;
    uint64_t *rule_counts;       /* [key rules][KIN_MATCHED_RULE_WORDS], then the weights */
    uint32_t weigh;              /* one in so many pairs below the floor; a power of two */
    struct kin_buf match_answer; /* MATCHED payload */
    struct kin_buf edges;        /* struct kin_buf of each task that is done: struct kin_keyed, in
                                    order: (local a << 32 | local b), rule, weight */
    bool stars_kept;
    struct kin_buf stars;  /* as PULL STARS answers */
    struct kin_buf forest; /* as PULL FOREST answers */
    uint64_t edge_pages, stores_left;
    kin_status match_status;

    /* rows */
    struct kin_buf labels; /* u32 group of each row */
    uint32_t label_parts;
    enum step_state label_state;
    uint64_t label_request;
    struct kin_keyed *row_order; /* by group: value is the index in rows */
};

/* Of rule_counts. */
static inline size_t worker_match_words(const struct worker_job *job)
{
    return job->workflow->key_count * KIN_MATCHED_RULE_WORDS +
           (job->workflow->model ? KIN_WEIGHT_WORDS : 0);
}

struct worker {
    struct kin_env *env;
    char name[64];
    uint64_t incarnation;
    bool joined;
    uint64_t cluster, epoch;
    uint64_t lease_us;
    uint64_t lease_until_us;
    uint64_t lease_asked_us; /* the last LEASE sent; 0: it was a HELLO */
    struct kin_timer tick;
    uint64_t hello_us; /* until the next HELLO */
    struct worker_job *job;
    struct worker_live *lives; /* runs that are served, opened, kept or deleted */
};

/* How many long tasks of a job there may be: where runs are served, a thread is left for those that
 * ask. */
static inline unsigned worker_job_threads(const struct worker *w)
{
    unsigned threads = w->env->ops->threads(w->env);
    return w->lives && threads > 1 ? threads - 1 : threads;
}

/* Sends a message to the coordinator; payload (may be NULL) is consumed. Out of memory: not sent,
 * the coordinator asks again. */
void worker_send(struct worker *w, struct kin_message *m, uint64_t request,
                 struct kin_buf *payload);
void worker_reply_step(struct worker *w, uint64_t job, uint32_t step, uint64_t request,
                       kin_status status, const char *text);

/* job.c: opening, closing, loading */
void worker_job_on_open(struct worker *w, const struct kin_message *m);
void worker_job_on_batch(struct worker_job *job, const struct kin_message *m, struct kin_frame *f);
void worker_job_on_close(struct worker *w, const struct kin_message *m);
/* What reads the records and rows of the job asks this first. True: all that came is durable, and
 * from now on nothing more is taken in, so that tasks may read the tables. */
bool worker_job_loaded(struct worker_job *job);
/* Appends the next part of a list that comes in parts. Out of memory: nothing was taken, and the
 * part is welcome again. */
kin_status worker_take_part(struct kin_buf *list, uint32_t *parts,
                            const struct kin_frame *f) KIN_MUST_CHECK;
void worker_job_free(struct worker_job *job);
/* What a JOB_OPEN says of a job: layout, workflow, model. NULL with *status and *text set. */
struct worker_job *worker_job_new(struct worker *w, const struct kin_msg_job_open *o,
                                  kin_status *status, const char **text);
kin_status record_table_add(struct record_table *t, struct record_at at) KIN_MUST_CHECK;

/* True if every key is an original one of a key rule there is. Keys ascend: the last tells. */
static inline bool worker_keys_known(const uint8_t *rec, size_t rules)
{
    unsigned count;
    const uint8_t *keys = kin_features_keys(rec, &count);
    return !count || kin_le64(keys + 8 * (size_t)(count - 1)) >> 56 < rules;
}

/* runs.c: which runs the store holds */
enum { WORKER_STORE_KEY_BYTES = 16, WORKER_RUN_KEY_BYTES = 11, WORKER_RUN_BYTES = 40 };
/* The key of a batch or page in all dbs but DB_META. It lies in `to`. */
struct kin_str worker_store_key(uint8_t to[WORKER_STORE_KEY_BYTES], uint64_t run, uint64_t number);
struct worker_run {
    bool found, kept;
    bool same; /* workflow and layout are those of the job */
    uint8_t value[WORKER_RUN_BYTES];
};
/* [task] What the store says of the run of this job. */
kin_status worker_run_read(struct kin_env *env, struct kin_snap *snap, const struct worker_job *job,
                           struct worker_run *out) KIN_MUST_CHECK;
/* [task] True if the store holds a run of a higher number: nothing can be appended. */
bool worker_run_below(struct kin_env *env, struct kin_snap *snap, uint64_t run);
/* Writes what the store says of the run: `value` as read, or NULL: from the job. number: of the
 * store op, for finish. */
kin_status worker_run_store(struct worker_job *job, const uint8_t *value, bool kept,
                            uint64_t number,
                            void (*finish)(struct worker_store *, kin_status)) KIN_MUST_CHECK;
/* Delete, in rounds: all that belongs to no kept run; or all there is of the run of this job, of
 * which nothing is known any more once the first round is durable. */
void worker_wipe_others(struct worker_job *job, void (*done)(struct worker_job *, kin_status));
void worker_wipe_own(struct worker_job *job, void (*done)(struct worker_job *, kin_status));

/* settle.c */
void worker_job_on_dead(struct worker_job *job, const struct kin_message *m, struct kin_frame *f);
void worker_job_on_settle(struct worker_job *job, const struct kin_message *m);
void worker_settle_free(struct worker_job *job);
bool worker_is_dead(const struct worker_job *job, uint32_t number); /* superseded; once settled */

/* key_text.c */
/* Appends u32 length, then the values behind a key as text, padded to 4; empty where unknown. */
void worker_put_key_text(const struct worker_job *job, struct store_view *view, uint64_t key,
                         uint32_t local, struct kin_buf *out);

/* Appends u32 length, then a field's value as text. */
void worker_put_value_text(enum kin_type type, const uint8_t *p, uint32_t n, struct kin_buf *out);

/* refine.c: keys derived from oversized ones */
bool worker_key_oversized(const struct worker_job *job, uint64_t key);
/* The next field that refines keys of this rule at or after `depth` in the refine list, or -1;
 * *depth is moved to it. */
int worker_refine_field(const struct kin_workflow *workflow, uint64_t key, unsigned *depth);
/* Splits the n members of an oversized key (n > max_block) into refined and windowed blocks of p.
 */
kin_status worker_refine_block(const struct worker_job *job, struct partition *p, uint64_t key,
                               const uint32_t *members, uint32_t n, const uint8_t *const *features);
/* The ordinary refined keys of a record under the plan, ascending. Appends u64 to out. */
void worker_refined_keys(const struct worker_job *job, const uint8_t *rec, struct kin_buf *out);
/* The same, but only those that stay here because this worker owns the key they are derived from.
 * True: such a key has a part that is windowed, and this record is in it. */
bool worker_refined_keys_owned(const struct worker_job *job, const uint8_t *rec,
                               struct kin_buf *out);
static inline bool worker_owns_key(const struct worker_job *job, uint64_t key)
{
    return job->shards.workers == 1 || kin_key_worker(&job->shards, key) == job->index;
}

/* plan.c */
void worker_job_on_plan(struct worker_job *job, const struct kin_message *m, struct kin_frame *f);
/* Takes up job->plan_bytes. */
kin_status worker_plan_install(struct worker_job *job) KIN_MUST_CHECK;
void worker_plan_free(struct worker_job *job);

/* count.c */
void worker_job_on_count(struct worker_job *job, const struct kin_message *m, struct kin_frame *f);
void worker_count_free(struct worker_job *job);
void worker_count_done(struct worker_job *job, kin_status status); /* a task of count_left */
/* values.c: the part of it that counts values; what it starts is added to count_left */
/* counted: as in COUNT */
kin_status worker_values_start(struct worker_job *job, uint32_t counted) KIN_MUST_CHECK;
void worker_values_clear(struct worker_job *job);

/* match.c */
void worker_job_on_match(struct worker_job *job, const struct kin_message *m);
kin_status worker_decider(struct worker_job *job) KIN_MUST_CHECK; /* of the rules; once made */
void worker_match_free(struct worker_job *job);
void worker_match_failed(struct worker_job *job,
                         kin_status status); /* tells; asked again, it starts anew */

/* cluster.c: what follows the last pair, and the MATCHED answer */
kin_status worker_cluster_begin(struct worker_job *job) KIN_MUST_CHECK; /* before the first pair */
/* [task] The edges that a thread found, in any order and with repeats; several at a time. */
void worker_cluster_unite(struct worker_job *job, const struct kin_buf *edges);
void worker_cluster_free(struct worker_job *job);
void worker_cluster_start(struct worker_job *job);
void worker_edges_free(struct kin_buf *edges); /* as in the job: lists, and the list of them */
void worker_cluster_answer(struct worker_job *job);

/* serve.c: what the coordinator fetches afterwards */
void worker_job_on_pull(struct worker_job *job, const struct kin_message *m, struct kin_frame *f);
void worker_job_on_labels(struct worker_job *job, const struct kin_message *m, struct kin_frame *f);
/* A record by its number, or NULL. */
const struct record_at *worker_find_record(const struct record_table *table, uint32_t number);
void worker_job_on_rows(struct worker_job *job, const struct kin_message *m);
/* columns.c: rows of several batches in one section. Names borrow from the batches' sections. */
struct worker_columns {
    struct kin_str *names; /* count of them: the columns of the answer */
    size_t count, cap;
    struct batch_columns *of_batch; /* [batches + 1] */
    struct kin_buf met;             /* u32 batches */
};
struct worker_row {
    uint32_t batch;
    const uint8_t *section, *row; /* the row is in the rows section of the batch */
};
kin_status worker_columns_init(struct worker_columns *c, uint64_t batches) KIN_MUST_CHECK;
kin_status worker_columns_copy(struct worker_columns *c, struct kin_batch_rows_builder *out,
                               struct worker_row from, uint32_t number) KIN_MUST_CHECK;
void worker_columns_deinit(struct worker_columns *c);

/* keyed.c: records in sampled blocks of keys that a plan tries */
struct worker_keyed {
    const struct worker_job *job;
    struct kin_str request; /* the payload */
    struct kin_buf out;     /* owned */
};
kin_status worker_keyed_run(struct worker_keyed *k, struct store_view *view) KIN_MUST_CHECK;
/* veto.c */
void worker_job_on_veto(struct worker_job *job, const struct kin_message *m, struct kin_frame *f);

/* glue.c: what holds a group together */
void worker_job_on_glue(struct worker_job *job, const struct kin_message *m, struct kin_frame *f);

/* ---- reading the store inside a task ---- */

/* Features and rows of the job's records, by their place; values stay borrowed until deinit. */
struct store_view {
    struct kin_env *env;
    struct kin_snap *snap;
    uint64_t run;
    unsigned db;
    const uint8_t **batch; /* [durable + 1] value of each batch, found on first use */
    uint64_t batches;
    kin_status status;
};
kin_status store_view_init(struct store_view *v, struct kin_env *env, unsigned db,
                           const struct worker_job *job) KIN_MUST_CHECK;
void store_view_deinit(struct store_view *v);
/* NULL with v->status set: the store failed. */
const uint8_t *store_view_batch(struct store_view *v, uint32_t batch);
static inline const uint8_t *store_view_at(struct store_view *v, struct record_at at)
{
    const uint8_t *value = v->batch[at.batch] ? v->batch[at.batch] : store_view_batch(v, at.batch);
    return value ? value + at.offset : NULL;
}

#endif
