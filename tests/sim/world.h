#ifndef KIN_TESTS_SIM_WORLD_H
#define KIN_TESTS_SIM_WORLD_H
/* The deterministic world: the second implementation of common/env/env.h, for tests. A whole
 * cluster in one thread, driven by one heap of events ordered by (time, sequence) and by random
 * streams made from one seed: the same seed, options and calls give the same run, to the byte.
 *
 * Everything that env.h leaves open happens here: frames are lost, doubled, late and out of order;
 * tasks and commits take any time; what a snapshot sees may be ahead of the `done` of its batch;
 * reads of a source are short; clocks of two nodes or two lives have nothing in common. Faults
 * (crash, pause, cut, clog, slow or full store, clock jump, failed allocation) come one by one from
 * the test or as a schedule from the seed (kin_sim_chaos).
 *
 * What env.h forbids is asserted: a [loop] call inside a task or a [task] call outside, a frame or
 * a batch changed while the world holds it, a false `append`, a snapshot that outlives its task,
 * two outputs in the making for one directory. Values of a snapshot are copies of their own, so
 * that ASan sees a use after snap_end. Memory of the world never comes from kin_alloc, so that
 * allocation faults hit the cores only.
 *
 * One thread. Virtual time in microseconds from 0. */
#include "common/env/env.h"

#include <stdio.h>

struct kin_sim;

struct kin_sim_range {
    uint64_t min;
    uint64_t max; /* inclusive */
};

/* {0} takes the defaults in brackets. Rates are per million. */
struct kin_sim_options {
    unsigned threads;               /* tasks of one node at a time [2] */
    struct kin_sim_range delay_us;  /* of a frame [50..500] */
    struct kin_sim_range task_us;   /* of a task [10..2000] */
    struct kin_sim_range commit_us; /* of a commit [100..3000] */
    struct kin_sim_range late_us;   /* timers (which keep their order), done callbacks [0..50] */
    unsigned link_frames;           /* frames on the way on one link; more are lost [no limit] */
    unsigned loss;                  /* a frame is lost */
    unsigned duplicate;             /* a frame comes twice */
    unsigned reorder; /* a frame is late by up to ten delays, and may be overtaken. Otherwise frames
                         of one link keep their order */
    unsigned full;    /* a batch of the store fails as a whole with KIN_E_FULL */
    unsigned out_fail;   /* out_write or out_publish fails with KIN_E_FULL */
    unsigned crash;      /* after any event of a node the node crashes, to restart by itself */
    unsigned allocation; /* in a callback of a core an allocation fails, and all after it */
    FILE *trace;         /* one line an event; NULL: none */
    void (*log_line)(void *arg, kin_node_id node, char level, const char *event, const char *text);
    void *log_arg; /* of log_line, which gets the log lines of the cores; may be NULL */
};

/* Returns owned; aborts when out of memory, as all of this world does. */
struct kin_sim *kin_sim_new(uint64_t seed, const struct kin_sim_options *options);
void kin_sim_free(struct kin_sim *sim); /* pulls the plug: nodes that are up crash */

/* Adds a node, which boots as the next event. ops and args are borrowed until the end. */
void kin_sim_add(struct kin_sim *sim, kin_node_id id, const struct kin_node_ops *ops, void *args);

/* Runs events until predicate(arg) is true (asked before the first event and after each; NULL:
 * never), or limit_us of virtual time have passed. Returns what the predicate said last. */
bool kin_sim_run_until(struct kin_sim *sim, bool (*predicate)(void *arg), void *arg,
                       uint64_t limit_us);
static inline void kin_sim_run_for(struct kin_sim *sim, uint64_t us)
{
    kin_sim_run_until(sim, NULL, NULL, us);
}

/* Runs fn(arg) at once as a callback of the node, which must be up: what fn does to the core and
 * its env counts as done on its loop. Not from inside a callback. */
void kin_sim_call(struct kin_sim *sim, kin_node_id id, void (*fn)(void *arg), void *arg);

/* An orderly stop: works and store ops under way finish, those submitted meanwhile are forgotten,
 * no frame or timer reaches the node any more, then it is freed. It stays down, also through
 * kin_sim_heal, until kin_sim_restart. kin_sim_shutdown does this to all nodes at once. */
void kin_sim_stop(struct kin_sim *sim, kin_node_id id);
void kin_sim_shutdown(struct kin_sim *sim);

/* ---- faults, one by one; not from inside a callback unless said otherwise ---- */

/* The node is freed with all that was under way; of the batches not yet applied any first few are
 * applied. Its store and what it published stay. A node that is down stays as it is. Inside a
 * callback (of whatever node) it happens right after that callback. */
void kin_sim_crash(struct kin_sim *sim, kin_node_id id);
void kin_sim_restart(struct kin_sim *sim, kin_node_id id, uint64_t delay_us); /* of a node down */
void kin_sim_wipe(struct kin_sim *sim, kin_node_id id); /* empties the store of a node down */
void kin_sim_pause(struct kin_sim *sim, kin_node_id id, uint64_t us); /* as SIGSTOP, SIGCONT */
void kin_sim_jump(struct kin_sim *sim, kin_node_id id, int64_t ms);   /* of the wall clock */
void kin_sim_slow(struct kin_sim *sim, kin_node_id id, uint64_t us);  /* commits take 50 times */

/* Directed links: cut loses all that is sent, and what is on the way; clog keeps it until then. */
void kin_sim_cut(struct kin_sim *sim, kin_node_id from, kin_node_id to, bool cut);
void kin_sim_clog(struct kin_sim *sim, kin_node_id from, kin_node_id to, uint64_t us);
void kin_sim_isolate(struct kin_sim *sim, kin_node_id id, bool cut); /* both ways, from all */

/* The seed makes faults from now on, the more the higher intensity is (1..10): message faults all
 * the time, and now and then a crash, a pause, a cut, a clog, a slow store, a clock jump, each of
 * which ends by itself. Rates that the options set higher stay. */
void kin_sim_chaos(struct kin_sim *sim, unsigned intensity);

/* No faults from now on: rates are zero, links healed, pauses over, nodes that crashed boot. */
void kin_sim_heal(struct kin_sim *sim);

/* ---- looking ---- */

uint64_t kin_sim_now_us(const struct kin_sim *sim);
uint64_t kin_sim_hash(const struct kin_sim *sim); /* of all that happened, payloads included */
void *kin_sim_node(struct kin_sim *sim, kin_node_id id); /* the core; NULL: down, or no such */
struct kin_env *kin_sim_env(struct kin_sim *sim, kin_node_id id); /* same over all lives */

/* What happened, so that a test can tell that its faults did happen. */
struct kin_sim_stats {
    uint64_t events;
    uint64_t sent;
    uint64_t delivered;
    uint64_t lost; /* for whatever reason */
    uint64_t duplicated;
    uint64_t overtaken; /* delivered after one that was sent later on the same link */
    uint64_t tasks;
    uint64_t commits;
    uint64_t batches; /* applied */
    uint64_t full;
    uint64_t boots;
    uint64_t crashes;
    uint64_t half_done; /* batches under way in a crash that were applied all the same */
    uint64_t pauses;
    uint64_t cuts;
    uint64_t published;
};
struct kin_sim_stats kin_sim_stats(const struct kin_sim *sim);
void kin_sim_dump(const struct kin_sim *sim, FILE *to); /* seed, statistics, the last events */

/* ---- the stores, from outside ---- */

/* Borrowed until the next event. false: no such key. */
bool kin_sim_store_get(struct kin_sim *sim, kin_node_id id, unsigned db, struct kin_str key,
                       struct kin_str *value);
size_t kin_sim_store_count(struct kin_sim *sim, kin_node_id id, unsigned db);

/* ---- files: one disk for all nodes ---- */

/* Makes or replaces a source file; copies. */
void kin_sim_file_put(struct kin_sim *sim, const char *path, const void *p, size_t n);
void kin_sim_file_remove(struct kin_sim *sim, const char *path);

/* A file of a published directory; borrowed until that directory is published again. false: no such
 * directory or file. */
bool kin_sim_out_get(struct kin_sim *sim, const char *dir, const char *file, struct kin_str *bytes);
size_t kin_sim_out_files(struct kin_sim *sim, const char *dir);          /* 0: not published */
size_t kin_sim_published_below(struct kin_sim *sim, const char *prefix); /* directories */

/* ---- sweeps over seeds ---- */

/* Runs scenario(seed, arg) for count seeds in a child process; true if all were true. A failing or
 * dying seed is named on stderr with what replays it: the environment variable KIN_SIM_SEED makes a
 * sweep run that seed alone, in this process; KIN_SIM_COUNT another count. */
bool kin_sim_sweep(const char *name, uint64_t first, uint64_t count,
                   bool (*scenario)(uint64_t seed, void *arg), void *arg);

#endif
