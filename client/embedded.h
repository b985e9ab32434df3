#ifndef KIN_CLIENT_EMBEDDED_H
#define KIN_CLIENT_EMBEDDED_H
/* The embedded cluster: a coordinator and its workers in this process, the real ones, over the live
 * world and LMDB. Main thread. */
#include "coordinator/coordinator.h"
#include "proto/shards.h"

struct kin_embedded_options {
    const struct kin_job_options *job;
    const char *state_dir; /* stores of the nodes; made if missing. NULL: they are in memory */
    unsigned workers;      /* 0: 1 */
    unsigned threads;      /* 0: one per processor */
    uint64_t map_bytes;    /* of each store; 0: 1 TiB of address space */
    bool fsync;            /* survive power loss too, not only kill -9 */
    bool keep;             /* of a job that ends well the state is wanted, too */
    uint64_t *records;     /* set to the records taken in, also where the job fails; may be NULL */
    /* about ten times a second, and once at the end; may be NULL */
    void (*on_progress)(void *arg, const struct kin_progress *progress);
    void (*log_line)(void *arg, kin_node_id node, char level, const char *event, const char *text);
    /* the job is done; report is borrowed for the call. May be NULL */
    void (*on_report)(void *arg, const struct kin_report *report);
    /* it has trained a model; both are borrowed for the call. May be NULL */
    void (*on_model)(void *arg, struct kin_str model, struct kin_str training);
    void *arg;
    bool
        *started; /* set once the stores are open: from then on what is done is kept. May be NULL */
};

/* Runs the job to its end. A state directory stays where it is, for the caller to remove; a job
 * that was interrupted is resumed by the same call. KIN_E_CANCELLED after SIGINT or SIGTERM;
 * KIN_E_BUSY: another process has the state directory. */
kin_status kin_embedded_run(const struct kin_embedded_options *options,
                            struct kin_err *err) KIN_MUST_CHECK;

#endif
