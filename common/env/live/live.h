#ifndef KIN_ENV_LIVE_LIVE_H
#define KIN_ENV_LIVE_LIVE_H
/* The live world: one libuv loop, a pool of compute threads of our own, one store thread a node.
 * Nodes of one process hand frames over in memory (by reference, through the loop's mailbox, never
 * by a direct call). All functions: the thread that calls kin_live_run, unless said otherwise. */
#include "common/env/env.h"
#include "common/env/store.h"

struct kin_live;

struct kin_live_options {
    unsigned threads; /* of the pool, 1..256; 0: one per processor */
    /* one log line each, terminated; NULL: lines go nowhere. Called on the loop thread. */
    void (*log_line)(void *arg, kin_node_id node, char level, const char *event, const char *text);
    void *log_arg;
};

kin_status kin_live_new(const struct kin_live_options *options, struct kin_live **out,
                        struct kin_err *err) KIN_MUST_CHECK;

/* Adds a node and boots its core at the start of kin_live_run, in the order of adding. Consumes
 * store, also on error (closed when the node stops); NULL: the node has none, its store ops fail
 * with KIN_E_INVAL. ops and args are borrowed. KIN_E_EXISTS, KIN_E_INVAL, KIN_E_NOMEM. */
kin_status kin_live_add(struct kin_live *live, kin_node_id id, struct kin_store *store,
                        const struct kin_node_ops *ops, void *args,
                        struct kin_err *err) KIN_MUST_CHECK;

/* Runs the loop until kin_live_stop, then drains: no new callbacks but those of works and store ops
 * under way, then each core's stop, then the stores are closed. What a core submits during the
 * drain is forgotten, as in a crash; source handles and outputs that a core left open are released,
 * the outputs as by out_abort. A core that fails to boot is logged ("node.boot") and ends the run.
 * Once in the life of a world. */
void kin_live_run(struct kin_live *live);

/* Ends kin_live_run. Any thread, also a core's callback. */
void kin_live_stop(struct kin_live *live);

/* Calls fn(arg) on the loop soon; never, once kin_live_stop was called. Any thread. KIN_E_NOMEM
 * leaves nothing queued. */
kin_status kin_live_post(struct kin_live *live, void (*fn)(void *arg), void *arg) KIN_MUST_CHECK;

/* SIGINT and SIGTERM call fn(arg, signal) on the loop instead of ending the process, also during
 * the drain. Once: KIN_E_EXISTS. */
kin_status kin_live_on_signal(struct kin_live *live, void (*fn)(void *arg, int signal),
                              void *arg) KIN_MUST_CHECK;

/* A repeating timer for the front end (progress display); interval_ms > 0; one per world:
 * KIN_E_EXISTS. */
kin_status kin_live_every(struct kin_live *live, uint64_t interval_ms, void (*fn)(void *arg),
                          void *arg) KIN_MUST_CHECK;

/* Frames for nodes that are not of this world go to send, which consumes them; from is the sending
 * node. Called on the loop; must not block. Before kin_live_run. */
void kin_live_set_remote(struct kin_live *live,
                         void (*send)(void *arg, kin_node_id from, kin_node_id to,
                                      struct kin_frame *frame),
                         void *arg);

/* A frame from a node that is not of this world. Consumes it. Dropped, as any frame may be, where
 * there is no node `to` or there is one `from`, during the drain, and while KIN_LIVE_REMOTE_BYTES
 * wait to be taken. Any thread. */
enum { KIN_LIVE_REMOTE_BYTES = 512 << 20 };
void kin_live_deliver(struct kin_live *live, kin_node_id from, kin_node_id to,
                      struct kin_frame *frame);

/* The source_list of this world's envs, for programs too: env may be NULL. Any thread. */
kin_status kin_live_source_list(struct kin_env *env, const char *pattern,
                                struct kin_source_list *out, struct kin_err *err) KIN_MUST_CHECK;

struct kin_env *kin_live_env(struct kin_live *live, kin_node_id id); /* NULL: no such node */
void kin_live_free(struct kin_live *live); /* after kin_live_run, or if it never ran */

#endif
