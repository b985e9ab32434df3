#ifndef KIN_TESTS_SIM_LIVE_CLUSTER_H
#define KIN_TESTS_SIM_LIVE_CLUSTER_H
/* A whole cluster that serves a workflow, in the simulated world, and what must be true of it: the
 * records that were acknowledged, the plan of the batch they began with, and the change feed as far
 * as it was read. Actions change the records at random; checks compare all there is to ask with the
 * reference (tests/oracle/oracle.h) and the model of MatchIds (tests/sim/live_model.h). One thread;
 * aborts when out of memory. */
#include "coordinator/coordinator.h"
#include "tests/oracle/scenario.h"
#include "tests/sim/live_client.h"
#include "tests/sim/live_model.h"
#include "worker/worker.h"

enum { LIVE_WORKERS = 4, LIVE_RECORDS = 88, LIVE_OPS = 6, LIVE_LINES = 4, LIVE_TOUCHED = 400 };

struct live_name {
    uint32_t source;
    char id[32];
};

static inline struct live_name live_name_of(uint32_t source, const char *id)
{
    struct live_name name = {.source = source};
    snprintf(name.id, sizeof name.id, "%s", id);
    return name;
}

struct live_put_line {
    struct oracle_record record;
    bool remove, bad;
};
struct live_op {            /* a PUT or LINK under way */
    struct live_request *q; /* NULL: none */
    bool link, wait;
    uint32_t kind; /* of a link */
    struct live_name name[2];
    uint32_t source;
    int line_count;
    struct live_put_line *lines; /* [LIVE_LINES] */
};

struct live_source { /* a file of the job that runs */
    uint32_t source;
    char path[64];
    struct kin_buf bytes;
};

struct live_cluster {
    uint64_t seed, random;
    struct kin_sim *sim;
    struct scenario *s;
    struct kin_coordinator_args coordinator;
    struct kin_worker_args workers[LIVE_WORKERS];
    unsigned worker_count;
    struct live_client client;
    bool coordinator_failed;
    unsigned jobs;
    struct live_source sources[12];
    int source_count;
    bool sends; /* the client sends them; else the coordinator reads them itself */
    uint32_t at_file;
    uint64_t at_offset;

    void (*disturb)(struct live_cluster *k); /* faults, after kin_sim_heal; NULL: there are none */
    const void *arg;                         /* of disturb */
    bool disturbed;                          /* now */
    bool strict; /* nothing goes wrong: answers are exact, outcomes too */
    bool
        reordered; /* frames may come twice and late: an id is left alone for a while after a PUT */
    bool acked_lost; /* the cluster said so itself */

    struct oracle truth; /* records that are there; acknowledged, applied or not */
    struct oracle base;  /* the batch's */
    struct oracle_plan *plan;
    struct oracle last;                     /* as of the last check */
    struct live_name touched[LIVE_TOUCHED]; /* since then */
    int touched_count;
    int served; /* records, as the status says */
    struct live_feed *feed;
    struct live_op ops[LIVE_OPS];
    struct {
        struct live_name name;
        uint64_t until_us;
    } resting[LIVE_TOUCHED];
    int resting_count;
    uint64_t link_rests_until_us;
    int new_ids;

    uint64_t checks, lookups, found, partial, puts, lines; /* that there was something to test */
};

/* The nodes; nothing has run. options: of the world. */
struct live_cluster *live_cluster_new(uint64_t seed, const struct scenario_options *scenario,
                                      const struct kin_sim_options *options);
void live_cluster_free(struct live_cluster *k);
uint64_t live_cluster_below(struct live_cluster *k, uint64_t n);
bool live_cluster_chance(struct live_cluster *k, unsigned percent);
/* Says what is wrong, with the seed; returns false. */
bool live_cluster_wrong(struct live_cluster *k, const char *format, ...) KIN_PRINTF(2, 3);

/* A record, or a link of these two, either way round; -1. */
int live_cluster_find(const struct oracle *o, uint32_t source, const char *id);
int live_cluster_find_link(const struct oracle *o, const struct live_name name[2]);

/* Faults from now on, if there are any; and none. */
void live_cluster_disturb(struct live_cluster *k);
void live_cluster_heal(struct live_cluster *k);
/* Runs the world, as a supervisor would: a coordinator that ended is started again. Faults end for
 * a while where too little happens because of them. */
bool live_cluster_run(struct live_cluster *k, bool (*until)(void *arg), void *arg,
                      uint64_t limit_us);
bool live_cluster_ask(struct live_cluster *k, struct live_request *q); /* sends and awaits */

/* The job whose records are served; then the next one, of other records, in its place. */
bool live_cluster_begin(struct live_cluster *k);
bool live_cluster_next_job(struct live_cluster *k);

/* ---- actions: false: something is wrong ---- */

bool live_cluster_put(struct live_cluster *k);
bool live_cluster_link(struct live_cluster *k);
bool live_cluster_settle_ops(struct live_cluster *k,
                             bool all); /* takes in what was answered; all: awaits */
bool live_cluster_look(
    struct live_cluster *k); /* while things happen: nothing that is there is missed */
bool live_cluster_read_feed(struct live_cluster *k);

/* ---- checks ---- */

/* Awaits that all is applied, then compares everything. No faults meanwhile, or the checks that
 * need none of them are left out. */
bool live_cluster_check(struct live_cluster *k);

#endif
