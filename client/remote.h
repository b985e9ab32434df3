#ifndef KIN_CLIENT_REMOTE_H
#define KIN_CLIENT_REMOTE_H
/* A job on a cluster, followed by its client: the sources are listed and sent to the coordinator,
 * the job is watched, its results are fetched and published. Pure logic over common/env/env.h: a
 * core of its own, with the coordinator as its only peer and no store. Whatever happens to either
 * side, the same job begun again goes on where it was: what was sent stays with the coordinator,
 * which knows the job by its token. Loop thread. */
#include "coordinator/coordinator.h"

/* One of the two: a job to submit, or an existing one to attach to. All is borrowed. */
struct kin_remote_job {
    uint64_t attach;         /* id of the job; 0: submit the one below */
    struct kin_str workflow; /* text of the workflow file */
    const char *base_dir;    /* what relative paths in it are joined to */
    const char *out_dir;     /* where the outputs appear */
    const char *identity;    /* tells apart jobs that are alike: the output's absolute path; may be
                                NULL: out_dir */
    bool pairs, serve, replace;
    bool at_coordinator; /* sources and outputs are the coordinator's files, both paths absolute:
                            nothing is sent or fetched */
    bool detach;         /* it is enough that the job is queued */
};

enum kin_remote_step {
    KIN_REMOTE_LIST,   /* looking at the sources */
    KIN_REMOTE_SUBMIT, /* until the coordinator has taken the job */
    KIN_REMOTE_SEND,
    KIN_REMOTE_WAIT, /* queued */
    KIN_REMOTE_RUN,
    KIN_REMOTE_FETCH,
    KIN_REMOTE_PUBLISH,
    KIN_REMOTE_DROP, /* telling the coordinator that it may forget the job */
    KIN_REMOTE_END
};

struct kin_remote_progress {
    enum kin_remote_step step;
    uint64_t done, total;    /* SEND: bytes; FETCH: bytes, the total is not known */
    uint32_t ahead;          /* WAIT: jobs before this one */
    uint32_t runs;           /* RUN: more than one after a worker was given up */
    struct kin_progress job; /* RUN; WAIT: workers */
    uint64_t
        silent_ms; /* an answer is due, and nothing was heard for so long; below 2000 it is 0 */
};

struct kin_remote_result {
    kin_status status;
    const char *error;     /* where status is not KIN_OK; may hold text of the coordinator's */
    uint64_t job;          /* 0: the coordinator has not taken it */
    bool answered;         /* the coordinator was heard from */
    struct kin_str report; /* report.json as fetched; empty where there is none */
};

struct kin_remote;

struct kin_remote_args {
    const struct kin_remote_job *job; /* borrowed until stop */
    uint32_t patience_ms; /* for the first answer of the coordinator; later ones are waited for as
                             long as it takes. 0: 10,000 */
    uint32_t piece_bytes; /* of a source in one message; 0: KIN_UPLOAD_BYTES, which is the most */
    /* About ten times a second; may be NULL. */
    void (*on_progress)(void *arg, const struct kin_remote_progress *progress);
    /* Once; result is borrowed for the call. KIN_E_CHANGED: a source changed while it was sent;
     * KIN_E_CANCELLED: somebody cancelled the job; KIN_E_PROTO, KIN_E_VERSION: what the coordinator
     * says cannot be; else what failed here or there. */
    void (*on_done)(void *arg, const struct kin_remote_result *result);
    void *arg;
    struct kin_remote *self; /* set by boot, NULL after stop */
};

/* args: struct kin_remote_args */
extern const struct kin_node_ops kin_remote_ops;

void kin_remote_progress(const struct kin_remote *r, struct kin_remote_progress *out);
uint64_t kin_remote_job_id(const struct kin_remote *r); /* 0: not known yet */

#endif
