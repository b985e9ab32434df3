#ifndef KIN_ENV_ENV_H
#define KIN_ENV_ENV_H
/* The seam between the cores (coordinator, worker: pure logic) and the world.
 *
 * A core is driven by callbacks, one at a time, all on the loop thread of its node; it reaches the
 * world only through struct kin_env_ops. Two worlds implement it: env/live (libuv loop, threads,
 * LMDB) and the deterministic simulator under tests/sim (one thread, one seed). Both pass the
 * contract suite in tests/unit/env_contract.h.
 *
 * Threads. Every function marked [loop] is called on the node's loop thread only, every one marked
 * [task] only inside kin_work.run. Callbacks of the world (fire, done, on_frame ...) run on the
 * loop, never from inside a call of the core into the world (no re-entry).
 *
 * Failure. send has no result: loss is learnt by a time-out of the core's own. A crash of a node
 * loses everything but its store and what it published. */
#include "common/base/mem.h"

#include <stdatomic.h>

typedef uint32_t kin_node_id; /* 0 is the coordinator, workers count from 1 */
enum { KIN_COORDINATOR = 0, KIN_NODES_MAX = 1024 };

struct kin_env;

/* ---- messages ---- */

/* One message, counted references. body is the encoded message (proto/), payload an opaque tail
 * that is never copied on the way inside a process. Immutable once sent. */
struct kin_frame {
    atomic_uint refs;
    uint32_t type;
    struct kin_buf body;
    struct kin_buf payload;
    struct kin_frame
        *payload_of; /* not NULL: the payload is that frame's, and a reference is held */
};
struct kin_frame *kin_frame_new(uint32_t type); /* one reference; NULL when out of memory */
/* Gives f, which has none, the payload of another frame, without a copy: to send it again under
 * another envelope. */
void kin_frame_share_payload(struct kin_frame *f, struct kin_frame *from);
struct kin_frame *kin_frame_ref(struct kin_frame *f); /* any thread */
void kin_frame_unref(struct kin_frame *f);            /* any thread; NULL is fine */

/* ---- timers ---- */

/* Embedded in the core's own structs, which must outlive the timer being armed. One shot. */
struct kin_timer {
    void (*fire)(struct kin_timer *t); /* [loop] */
    void *impl;                        /* the world's; zero before first use */
    uint64_t impl_seq;
};

/* ---- tasks ---- */

/* A piece of computation for the pool. run may read immutable data, what the task itself owns, and
 * the [task] functions below; it must not touch the core's state. done always follows, on the loop,
 * unless the node crashed. The struct belongs to the caller and is borrowed until done. */
struct kin_work {
    void (*run)(struct kin_env *env, struct kin_work *w); /* [task] */
    void (*done)(struct kin_work *w);                     /* [loop] */
    bool urgent; /* somebody waits: started before all that wait and are not */
    void *impl;
    struct kin_work *impl_next;
};

/* ---- the node's store: ordered key/value maps, atomic batches, snapshots ---- */

enum { KIN_DBS_MAX = 8, KIN_STORE_KEY_MAX = 511 };

/* One change. Borrowed until done. value.p NULL means delete (a missing key is fine). With `append`
 * the key is promised to be greater than all in that db: bulk loads go to the end, in order. */
struct kin_store_put {
    uint8_t db;
    bool append;
    struct kin_str key; /* 1..KIN_STORE_KEY_MAX bytes */
    struct kin_str value;
};

/* One atomic batch: all or nothing. Batches of a node are applied in the order of submission;
 * several may share one commit. done runs once the batch is durable, or has failed as a whole. A
 * crash before done leaves it applied or not, as a whole. */
struct kin_store_op {
    struct kin_store_put *puts;
    size_t count;
    /* NULL, or one whose payload has values of the puts: a store that keeps values in memory takes
     * a reference to it instead of a copy of them. The payload is not changed any more. */
    struct kin_frame *frame;
    void (*done)(struct kin_store_op *op, kin_status status); /* [loop] */
    void *impl;
    struct kin_store_op *impl_next;
    kin_status impl_status;
};

struct kin_snap; /* a consistent view; sees every batch whose done ran before snap_begin */

/* ---- source files and output directories ---- */

struct kin_source_file {
    char *path; /* owned by the list */
    uint64_t bytes;
    uint64_t changed; /* modification stamp: another value means other content */
};
struct kin_source_list {
    struct kin_source_file *files; /* sorted by path, no repeats */
    size_t count;
};
struct kin_source_handle;
struct kin_out; /* an output directory in the making */

/* ---- the world ---- */

struct kin_env_ops {
    uint64_t (*now_us)(
        struct kin_env *); /* [loop] monotonic, fixed within a callback in simulation */
    uint64_t (*wall_ms)(struct kin_env *); /* [loop] since 1970; may jump */
    uint64_t (*random)(struct kin_env *);  /* [loop] */
    unsigned (*threads)(struct kin_env *); /* size of the pool; constant */

    void (*send)(struct kin_env *, kin_node_id to,
                 struct kin_frame *); /* [loop] consumes a reference */
    void (*timer_arm)(struct kin_env *, struct kin_timer *, uint64_t delay_us); /* [loop] re-arms */
    void (*timer_cancel)(struct kin_env *, struct kin_timer *); /* [loop] idempotent */
    void (*work)(struct kin_env *, struct kin_work *);          /* [loop] first in, first started,
                                                                   but for urgent ones */
    void (*store)(struct kin_env *, struct kin_store_op *);     /* [loop] */

    /* [task] Snapshots. Values are borrowed until snap_end and must not be written to. */
    kin_status (*snap_begin)(struct kin_env *, struct kin_snap **out);
    void (*snap_end)(struct kin_env *, struct kin_snap *);
    /* the value of key; KIN_E_NOTFOUND */
    kin_status (*snap_get)(struct kin_snap *, unsigned db, struct kin_str key,
                           struct kin_str *value);
    /* the first pair whose key is >= key (bytewise); KIN_E_NOTFOUND past the end */
    kin_status (*snap_seek)(struct kin_snap *, unsigned db, struct kin_str key,
                            struct kin_str *found_key, struct kin_str *value);

    /* [task] Sources: sequential reading. pattern is a path or a glob (* ? [..]); a pattern without
     * any match is KIN_E_NOTFOUND. got 0 is the end. */
    kin_status (*source_list)(struct kin_env *, const char *pattern, struct kin_source_list *out,
                              struct kin_err *err);
    kin_status (*source_open)(struct kin_env *, const char *path, struct kin_source_handle **out,
                              struct kin_err *err);
    kin_status (*source_read)(struct kin_source_handle *, uint8_t *to, size_t cap, size_t *got,
                              struct kin_err *err);
    void (*source_close)(struct kin_source_handle *);

    /* [task] Output: a directory appears whole or not at all. out_begin makes an empty hidden
     * directory beside dir (a left-over one of an earlier life is removed); out_write appends to a
     * file of it, one task at a time; out_publish makes all of it durable and puts it at dir,
     * replacing a directory that is there; out_abort removes it. publish and abort consume. */
    kin_status (*out_begin)(struct kin_env *, const char *dir, struct kin_out **out,
                            struct kin_err *err);
    kin_status (*out_write)(struct kin_out *, const char *file, const void *p, size_t n,
                            struct kin_err *err);
    kin_status (*out_publish)(struct kin_out *, struct kin_err *err);
    void (*out_abort)(struct kin_out *);
    /* Removes a directory that was published, with all in it; none there is fine. */
    kin_status (*out_remove)(struct kin_env *, const char *dir, struct kin_err *err);

    /* [loop] One structured log line: level 'D' 'I' 'W' 'E', a stable event id, text of key=value.
     */
    void (*log)(struct kin_env *, char level, const char *event, const char *text);
};

/* A node's view of the world; the worlds embed it. */
struct kin_env {
    const struct kin_env_ops *ops;
    kin_node_id self;
};

void kin_source_list_deinit(struct kin_source_list *list);
void kin_env_log(struct kin_env *env, char level, const char *event, const char *format, ...)
    KIN_PRINTF(4, 5);

/* What the world asks of a core. `args` is what the owner of the world passed for this node. */
struct kin_node_ops {
    void *(*boot)(struct kin_env *env, void *args); /* [loop] NULL: out of memory */
    void (*on_frame)(void *node, kin_node_id from, struct kin_frame *frame); /* [loop] borrows */
    void (*stop)(void *node); /* [loop] frees the node; no callback follows. Called only when no
                                 work or store op of the node is under way, except in a simulated
                                 crash, where those are forgotten */
};

#endif
