#ifndef KIN_PROTO_JOBS_H
#define KIN_PROTO_JOBS_H
/* What a client of the cluster and the coordinator have in common: the numbers that the messages
 * about jobs carry. Constant; any thread. */
#include "proto/shards.h"

/* Node ids: 0 is the coordinator, 1..KIN_WORKERS_MAX are workers, clients come above. The transport
 * gives them out; a client's lasts as long as its connection. */
enum {
    KIN_CLIENT_FIRST = KIN_WORKERS_MAX + 1,
    KIN_CLIENTS_MAX = 256,
    KIN_REP_FIRST = KIN_CLIENT_FIRST + KIN_CLIENTS_MAX /* those over nng's own sockets */
};

enum {
    KIN_UPLOAD_BYTES = 1024 * 1024, /* of a file in one UPLOAD or FETCHED, at most */
    KIN_UPLOAD_WINDOW = 8           /* UPLOADs under way, at most; more are dropped */
};

/* Stored and sent: numbers stay. UPLOADING -> QUEUED -> RUNNING -> DONE or FAILED; any of the first
 * three -> CANCELLED. */
enum kin_job_state {
    KIN_JOB_UPLOADING = 1, /* its client has not sent all of its sources yet */
    KIN_JOB_QUEUED = 2,
    KIN_JOB_RUNNING = 3,
    KIN_JOB_DONE = 4,
    KIN_JOB_FAILED = 5,
    KIN_JOB_CANCELLED = 6
};

#endif
