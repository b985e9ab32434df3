#ifndef KIN_WORKER_LIVE_H
#define KIN_WORKER_LIVE_H
/* Private to the worker core: live operation. A run whose records stay in the store after its job
 * is over is held in an index in memory, to which batches add and from which they remove records
 * one after another; requests find candidates there without a look at the store.
 *
 * All belongs to the loop thread but the index: read tasks (edges, lookups, fetches) read it, and
 * one task at a time changes it, while no other is under way. What is to be read meanwhile waits;
 * read tasks are slices, so that neither waits long.
 *
 * The run is a struct worker_job whose `live` is set: its workflow, plan, shards and deciders are
 * there, and its tasks and store ops. */
#include "proto/live.h"
#include "worker/impl.h"

enum {
    LIVE_PARTITIONS = 64,     /* of the postings, by bits of the key */
    LIVE_ASKS_MAX = 8192,     /* lookups that wait; more are refused */
    LIVE_ASKS_OF_TASK = 64,   /* that one task takes */
    LIVE_SLICE_RECORDS = 256, /* of one read task, and */
    LIVE_SLICE_PAIRS = 20000, /* after so many pairs no other record is begun */
    LIVE_STARS_FOUND = 4,     /* of equal values, in LIVE_FOUND */
    LIVE_REBUILD_LEAST = 256, /* postings behind the frozen ones that do not matter yet */
    LIVE_BATCHES_MAX = INT32_MAX - 1
};

/* ---- the index: live_index.c ---- */

struct live_record {
    const uint8_t *rec; /* in a chunk */
    uint32_t number;    /* ascending in the table */
    uint32_t batch;     /* of the store, which has its row */
    uint32_t row;       /* where in the rows section; 0: not at home here */
    uint32_t removed;   /* by that live batch; 0: it is there */
    uint32_t chunk;
};

/* Memory of features. */
struct live_chunk {
    uint8_t *p;
    uint32_t used; /* records that lie there; 0: a free place in the list */
};

struct live_slot { /* of a key that is frozen: open addressing; count 0: free */
    uint64_t key;
    uint32_t start; /* in postings; of a single one the local itself */
    uint32_t count;
};
struct live_later { /* of a key with postings that came later; count 0: free */
    uint64_t key;
    uint32_t first, last; /* links */
    uint32_t count;
};
struct live_link {
    uint32_t local, next; /* UINT32_MAX: the end */
};
struct live_partition {
    struct live_slot *slots;
    uint32_t *postings; /* locals, ascending within a key */
    uint32_t mask;      /* of slots, where there are any */
    uint32_t later_mask, later_used;
    struct live_later *later;
    struct live_link *links;
    uint32_t link_count, link_cap;
};

struct live_index {
    struct live_record *records; /* by number; the place is the "local" of a record */
    uint32_t count, cap;
    uint64_t frozen, later; /* postings */
    struct live_partition partitions[LIVE_PARTITIONS];
};

static inline unsigned live_partition_of(uint64_t key)
{
    return (unsigned)(key >> 20) %
           LIVE_PARTITIONS; /* other bits than those that choose the shard */
}

struct live_index *live_index_new(void); /* NULL: no memory */
void live_index_free(struct live_index *x);
/* Makes the frozen part of a partition from n postings, by key, then local. */
kin_status live_index_freeze(struct live_partition *p, const struct kin_keyed *postings,
                             size_t n) KIN_MUST_CHECK;
/* Appends a posting; the local is above all that the key has. */
kin_status live_index_add(struct live_index *x, uint64_t key, uint32_t local) KIN_MUST_CHECK;
kin_status live_index_reserve(struct live_index *x, uint32_t more) KIN_MUST_CHECK;
/* Place of a number, or of the first above it. */
uint32_t live_index_find(const struct live_index *x, uint32_t number);

/* The postings of a key, in order. */
struct live_postings {
    const uint32_t *at, *end;
    const struct live_partition *partition;
    uint32_t single, link;
};
struct live_postings live_index_of(const struct live_index *x, uint64_t key);
static inline bool live_postings_next(struct live_postings *p, uint32_t *local)
{
    if (p->at != p->end) {
        *local = *p->at++;
        return true;
    }
    if (p->single != UINT32_MAX) {
        *local = p->single;
        p->single = UINT32_MAX;
        return true;
    }
    if (p->link == UINT32_MAX)
        return false;
    const struct live_link *link = &p->partition->links[p->link];
    *local = link->local;
    p->link = link->next;
    return true;
}

/* ---- a run that is served ---- */

enum live_state {
    LIVE_KEEPING, /* its job was closed to be kept: the store is told */
    LIVE_OPENING,
    LIVE_SERVING,
    LIVE_ENDING, /* what is under way is waited for */
    LIVE_WIPING
};

/* What a read task needs beside the index; one for each that is under way, used again. */
struct live_scratch {
    struct live_scratch *next;
    struct kin_decider_state *state;
    struct kin_comparer_scratch *scratch;
    struct kin_buf refined, owned, other; /* u64: of the record, of them those here; of another */
    struct kin_buf values, other_values;
};

/* The batch that is taken in. */
struct live_batch {
    uint64_t seq, request; /* 0: none */
    struct kin_frame *frame;
    uint32_t feature_bytes, row_bytes;
    bool repeat; /* it has been taken in before: only its edges are asked for */
    bool checked, added, durable;
    struct kin_buf records;  /* struct live_record, chunk still open */
    struct kin_buf postings; /* struct kin_keyed: key, place in records */
    struct live_chunk chunk;
    uint32_t first, end; /* locals, once it is added */
    uint32_t part_next, part_count, parts_left;
    struct kin_buf *parts; /* edges of each */
    uint64_t windowed;
};

/* A request that waits to be read for. */
struct live_ask {
    struct live_ask *next;
    struct kin_frame *frame;
    uint64_t request, committed;
    uint32_t candidates;
    bool rows;     /* of a fetch */
    size_t offset; /* what was done of it: bytes, records */
    uint32_t place;
    struct kin_buf out;
    kin_status status;
};
struct live_asks {
    struct live_ask *first, **last;
    uint32_t count;
};

struct live_build; /* live_build.c */

struct worker_live {
    struct worker *worker;
    struct worker_live *next;
    struct worker_job *job;
    enum live_state state;
    uint64_t request; /* of what is under way: opening, keeping, wiping */
    bool wipe_next;   /* once it has ended */

    uint64_t base;    /* batches of the run */
    uint64_t durable; /* live batches in the store */
    uint64_t committed;
    uint64_t last_number; /* no record has one from here on */
    struct live_index *index;
    struct live_chunk *chunks;
    uint32_t chunk_count, chunk_cap;
    uint64_t removed;      /* records of the index that are no more */
    uint64_t removed_last; /* of them by the last batch */
    bool build_off;        /* memory ran out: not before the next batch */

    struct live_build *build; /* opening, or anew; NULL: none under way */
    bool build_ready;         /* to take the place of the index */
    bool changing;            /* a task changes the index */
    uint32_t readers;
    uint32_t edge_tasks, lookup_tasks;
    struct live_batch batch;
    struct live_asks lookups, fetches;
    struct live_scratch *scratch; /* those not in use */
};

/* live.c: opening, keeping, closing; what may run when */
void worker_live_on_message(struct worker *w, const struct kin_message *m, struct kin_frame *f);
/* JOB_CLOSE with keep of a run that is not the open job: answers it. */
void worker_live_keep(struct worker *w, uint64_t run, uint64_t request);
bool worker_live_serves(const struct worker *w, uint64_t run);
void worker_live_ended(struct worker_live *live); /* nothing of its closing job is under way */
void worker_lives_free(struct worker *w);
/* Starts what can be started now. After every event. */
void live_pump(struct worker_live *live);
/* Gives up what is in memory: the store has it, and LIVE_OPEN makes it anew. */
void live_fail(struct worker_live *live, kin_status status, const char *what);
/* NULL: no memory. */
struct live_scratch *live_scratch_take(struct worker_live *live);
void live_scratch_give(struct worker_live *live, struct live_scratch *s);
unsigned live_threads(const struct worker_live *live);
kin_status live_chunk_add(struct worker_live *live, struct live_chunk chunk,
                          uint32_t *place) KIN_MUST_CHECK;
void live_send_status(struct worker *w, uint32_t type, uint64_t run, uint64_t request,
                      kin_status status);

/* live_build.c: an index from the store, or from an index that has become too loose */
void live_build_open(struct worker_live *live, uint64_t batches, struct kin_buf *dead);
void live_build_anew(struct worker_live *live);
void live_build_install(struct worker_live *live); /* once it is ready and nobody reads */
void live_build_free(struct live_build *b);
bool live_build_due(const struct worker_live *live);
void live_opened(struct worker_live *live, kin_status status, const char *text);
/* The keys of a record under which this worker has it, each once. True: it is windowed here. */
bool live_record_keys(const struct worker_job *job, const uint8_t *rec, struct kin_buf *refined,
                      bool (*put)(void *arg, uint64_t key), void *arg);
/* Lists the records of a features section, and where their rows are. chunk: where its bytes lie in
 * memory. Appends struct live_record. */
kin_status live_list_records(const struct kin_batch_features *features,
                             const struct kin_batch_rows *rows, uint32_t batch,
                             const uint8_t *chunk, struct kin_buf *out) KIN_MUST_CHECK;

/* live_walk.c: a record against the index */
struct live_walk {
    const struct worker_live *live;
    struct live_scratch *s;
    uint32_t below;      /* locals from there on are no candidates */
    uint64_t seq;        /* as of that live batch */
    int32_t floor;       /* weights from there on count */
    uint32_t candidates; /* at most so many pairs */
    uint32_t stars;      /* entries of one star */
    uint32_t pairs;      /* that were looked at, of all records */
    bool truncated;
    bool windowed; /* the record is in a window here */
    struct kin_buf *out;
};
/* [task] Appends the entries of rec, whose first word is a. */
void live_walk_record(struct live_walk *w, const uint8_t *rec, uint32_t a);

/* live_batch.c */
void live_on_batch(struct worker_live *live, const struct kin_message *m, struct kin_frame *f);
bool live_batch_waits(const struct worker_live *live); /* to change the index */
/* False: that failed, and the run is not served any more. */
bool live_batch_change(struct worker_live *live);
bool live_batch_read(struct worker_live *live); /* its edges, as far as threads are free */
void live_batch_free(struct live_batch *b);

/* live_lookup.c */
void live_on_lookup(struct worker_live *live, const struct kin_message *m, struct kin_frame *f);
void live_lookup_read(struct worker_live *live);
/* Requests that wait. */
struct live_ask *live_ask_new(struct live_asks *asks, uint64_t request,
                              struct kin_frame *f); /* at the end; NULL: no memory, or too many */
void live_ask_free(struct live_ask *a);
struct live_ask *live_asks_take(struct live_asks *asks); /* NULL: none */
void live_asks_put(struct live_asks *asks, struct live_ask *a);
void live_asks_free(struct live_asks *asks);
void live_asks_refuse(struct worker_live *live, struct live_asks *asks, uint32_t type,
                      kin_status status); /* all of them */

/* live_fetch.c */
void live_fetch_read(struct worker_live *live);
void live_on_fetch(struct worker_live *live, const struct kin_message *m, struct kin_frame *f);

#endif
