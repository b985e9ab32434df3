#ifndef KIN_TESTS_SIM_CLUSTER_H
#define KIN_TESTS_SIM_CLUSTER_H
/* A whole cluster of the real cores in the simulated world, running one scenario. */
#include "coordinator/coordinator.h"
#include "tests/oracle/scenario.h"
#include "tests/sim/world.h"
#include "worker/worker.h"

enum { CLUSTER_WORKERS_MAX = 8 };

struct cluster {
    struct kin_sim *sim;
    struct kin_job_options job;
    struct kin_coordinator_args coordinator;
    struct kin_worker_args workers[CLUSTER_WORKERS_MAX];
    unsigned done;   /* times the job was reported done */
    unsigned failed; /* times it was reported failed */
    bool ended;      /* one or the other, since cluster_run last looked */
    kin_status status;
    char error[600];
};

/* The files and the arguments of the nodes; the caller adds the nodes. */
void cluster_prepare(struct cluster *c, struct kin_sim *sim, const struct scenario *s,
                     unsigned workers, uint32_t chunk_bytes);
/* The same, and the nodes too. */
void cluster_init(struct cluster *c, struct kin_sim *sim, const struct scenario *s,
                  unsigned workers, uint32_t chunk_bytes);
bool cluster_done(void *cluster); /* a predicate for kin_sim_run_until */
/* Runs until the job is done. Where it fails (a full disk, no memory) the coordinator is started
 * again, as its supervisor would. */
bool cluster_run(struct cluster *c, uint64_t limit_us);
/* The outputs against the oracle. */
bool cluster_check(struct cluster *c, const struct scenario *s);

#endif
