#ifndef KIN_WORKER_WORKER_H
#define KIN_WORKER_WORKER_H
/* The worker core: owns some shards of a job, keeps their records in its store, compares the pairs
 * of their blocks, clusters locally, and answers what the coordinator asks. Pure logic over
 * common/env/env.h; every message it takes is idempotent, so that the coordinator may repeat any of
 * them. */
#include "common/env/env.h"

struct kin_worker_args {
    const char *name; /* for logs; borrowed until boot returns */
};

/* args: struct kin_worker_args */
extern const struct kin_node_ops kin_worker_ops;

/* What the store must be opened with. */
enum { KIN_WORKER_DBS = 5, KIN_WORKER_STORE_FORMAT = 3, KIN_WORKER_STORE_FORMAT_FROM = 2 };

#endif
