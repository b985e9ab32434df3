#ifndef KIN_TESTS_SIM_WORLD_IMPL_H
#define KIN_TESTS_SIM_WORLD_IMPL_H
/* Private to the deterministic world. */
#include "tests/sim/world.h"

/* ---- random streams: one per purpose, so that more draws of one leave the others alone ---- */

struct kin_world_stream {
    uint64_t seed;
    uint64_t drawn;
};
uint64_t kin_world_draw(struct kin_world_stream *s);
uint64_t kin_world_below(struct kin_world_stream *s, uint64_t n); /* 0..n-1; n > 0 */
uint64_t kin_world_in(struct kin_world_stream *s, struct kin_sim_range r);
bool kin_world_chance(struct kin_world_stream *s, unsigned per_million);

/* ---- events ---- */

/* the last nine, from SENT on, are never queued: only the trace knows them */
#define KIN_WORLD_KINDS(X) \
    X(BOOT)                \
    X(FRAME)               \
    X(TIMER)               \
    X(TASK)                \
    X(TASK_DONE)           \
    X(COMMIT)              \
    X(BATCH_DONE)          \
    X(CHAOS)               \
    X(UNCUT)               \
    X(SENT)                \
    X(LOST)                \
    X(LOG)                 \
    X(CRASHED)             \
    X(STOPPED)             \
    X(PAUSED)              \
    X(PUBLISHED)           \
    X(CALL)                \
    X(APPLIED)

enum kin_world_kind {
#define KIN_WORLD_ENUM(name) WORLD_##name,
    KIN_WORLD_KINDS(KIN_WORLD_ENUM)
#undef KIN_WORLD_ENUM
};

struct kin_world_node;

struct kin_world_event {
    uint64_t at;
    uint64_t seq;
    size_t slot; /* in the heap */
    enum kin_world_kind kind;
    struct kin_world_node *node; /* whom it happens to; NULL: the world */
    bool held;                   /* TIMER: was due, and is late */
    union {
        struct kin_timer *timer;
        struct kin_work *work;
        struct kin_store_op *op;
        size_t batches; /* COMMIT */
        struct {        /* FRAME */
            struct kin_frame *frame;
            uint64_t hash; /* when it was sent */
            uint64_t nth;  /* of its link */
            kin_node_id from;
        } letter;
        struct { /* UNCUT */
            kin_node_id from;
            kin_node_id to;
        } link;
    } u;
};

/* Queues an event; the caller fills u. Never fails. */
struct kin_world_event *kin_world_push(struct kin_sim *sim, enum kin_world_kind kind,
                                       struct kin_world_node *node, uint64_t at);
void kin_world_take(struct kin_sim *sim, struct kin_world_event *e); /* out of the heap */
void kin_world_put(struct kin_sim *sim, struct kin_world_event *e, uint64_t at); /* and back */
void kin_world_remove(struct kin_sim *sim, struct kin_world_event *e);           /* and frees it */
/* Drops (and frees) events for which keep is false; keep may change `at` and lets go of what the
 * event holds. */
void kin_world_filter(struct kin_sim *sim, bool (*keep)(struct kin_world_event *e, void *arg),
                      void *arg);

/* ---- stores ---- */

enum { KIN_WORLD_LEVELS = 20 };

struct kin_world_db { /* a skip list */
    struct kin_world_entry *first[KIN_WORLD_LEVELS];
    size_t count;
};

void kin_world_store_clear(struct kin_world_node *node);
void kin_world_store_submit(struct kin_env *env, struct kin_store_op *op);
void kin_world_commit(struct kin_world_node *node, size_t batches);
size_t kin_world_store_crash(struct kin_world_node *node); /* applies any first few of the queue */
kin_status kin_world_snap_begin(struct kin_env *env, struct kin_snap **out);
void kin_world_snap_end(struct kin_env *env, struct kin_snap *snap);
kin_status kin_world_snap_get(struct kin_snap *snap, unsigned db, struct kin_str key,
                              struct kin_str *value);
kin_status kin_world_snap_seek(struct kin_snap *snap, unsigned db, struct kin_str key,
                               struct kin_str *found_key, struct kin_str *value);

/* ---- nodes ---- */

struct kin_world_link { /* from the node that owns it to the one at its place */
    bool cut;
    uint64_t clogged_until;
    uint64_t last_at; /* when the latest frame in order arrives */
    uint64_t sent;
    uint64_t newest; /* of those delivered */
    unsigned under_way;
};

struct kin_world_node {
    struct kin_env env; /* first: an env of this world is its node */
    struct kin_sim *sim;
    const struct kin_node_ops *ops;
    void *args;
    void *core; /* NULL: down */
    bool boot_due;
    bool stay_down; /* stopped in order */
    bool closing;   /* stopping or crashing: what it asks for is forgotten */
    bool crash_wanted;
    uint64_t lives;
    uint64_t paused_until;
    uint64_t timers_held_until;
    uint64_t slow_until;
    uint64_t clock_base_us; /* of this life */
    int64_t wall_jump_ms;
    size_t under_way; /* works and batches whose done has not run */

    struct kin_work *works, *works_tail;
    unsigned running;

    struct kin_store_op *ops_first, *ops_last; /* not applied yet */
    size_t ops_queued;
    bool committing;
    uint64_t last_done_at;
    struct kin_world_db dbs[KIN_DBS_MAX];
    struct kin_snap *snaps; /* open */

    struct kin_source_handle *sources; /* open */
    struct kin_out *outs;              /* open */

    struct kin_world_stream core_random, tasks, store, files, network, times;
    struct kin_world_link links[KIN_NODES_MAX];
};

static inline struct kin_world_node *kin_world_node_of(struct kin_env *env)
{
    return (struct kin_world_node *)(void *)env;
}

struct kin_world_file { /* a source */
    char *path;
    struct kin_world_content *content;
    uint64_t stamp;
};

struct kin_world_seen {
    uint64_t at;
    enum kin_world_kind kind;
    kin_node_id node;
    kin_node_id other;
    uint64_t value;
};
enum { KIN_WORLD_SEEN = 256, KIN_WORLD_NOBODY = KIN_NODES_MAX };

struct kin_sim {
    struct kin_sim_options options;
    uint64_t seed;
    uint64_t now;
    uint64_t seq;
    struct kin_world_event **heap;
    size_t heap_count, heap_cap;

    struct kin_world_node *nodes[KIN_NODES_MAX];
    kin_node_id ids[KIN_NODES_MAX]; /* in the order of kin_sim_add */
    size_t id_count;

    struct kin_world_node *current; /* whose callback runs */
    bool in_task;
    unsigned chaos; /* intensity; 0: none */
    struct kin_world_stream faults;

    struct kin_world_file *files; /* sorted by path */
    size_t file_count;
    uint64_t stamps;
    struct kin_world_published *published;

    uint64_t hash;
    struct kin_sim_stats stats;
    struct kin_world_seen seen[KIN_WORLD_SEEN]; /* ring: the last ones */
    uint64_t seen_count;
};

/* Adds to the hash, the ring and the trace. */
void kin_world_note(struct kin_sim *sim, enum kin_world_kind kind, kin_node_id node,
                    kin_node_id other, uint64_t value);
const char *kin_world_kind_name(enum kin_world_kind kind);

/* Around every call into a core. */
void kin_world_enter(struct kin_world_node *node, bool task);
void kin_world_leave(struct kin_world_node *node);
void kin_world_assert_loop(const struct kin_world_node *node);
void kin_world_assert_task(const struct kin_world_node *node);

void kin_world_crash(struct kin_world_node *node); /* at once; not inside a callback */
void kin_world_boot_later(struct kin_world_node *node, uint64_t delay_us);

/* ---- network, faults, files ---- */

void kin_world_send(struct kin_env *env, kin_node_id to, struct kin_frame *frame);
void kin_world_deliver(struct kin_world_node *node, struct kin_world_event *e);
void kin_world_lose(struct kin_world_event *e); /* lets go of the frame of a FRAME event */

void kin_world_chaos(struct kin_sim *sim); /* one fault, and the next one is queued */

void kin_world_files_release(struct kin_world_node *node); /* what its life left open */
void kin_world_files_free(struct kin_sim *sim);
kin_status kin_world_source_list(struct kin_env *env, const char *pattern,
                                 struct kin_source_list *out, struct kin_err *err);
kin_status kin_world_source_open(struct kin_env *env, const char *path,
                                 struct kin_source_handle **out, struct kin_err *err);
kin_status kin_world_source_read(struct kin_source_handle *handle, uint8_t *to, size_t cap,
                                 size_t *got, struct kin_err *err);
void kin_world_source_close(struct kin_source_handle *handle);
kin_status kin_world_out_begin(struct kin_env *env, const char *dir, struct kin_out **out,
                               struct kin_err *err);
kin_status kin_world_out_write(struct kin_out *out, const char *file, const void *p, size_t n,
                               struct kin_err *err);
kin_status kin_world_out_publish(struct kin_out *out, struct kin_err *err);
void kin_world_out_abort(struct kin_out *out);
kin_status kin_world_out_remove(struct kin_env *env, const char *dir, struct kin_err *err);

/* ---- memory: not kin_alloc, see world.h; aborts when out of it ---- */

void *kin_world_alloc(size_t bytes); /* zeroed */
void *kin_world_grow(void *p, size_t bytes);
char *kin_world_copy(const void *p, size_t n); /* terminated */

#endif
