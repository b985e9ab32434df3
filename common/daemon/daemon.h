#ifndef KIN_DAEMON_DAEMON_H
#define KIN_DAEMON_DAEMON_H
/* What coordinator and worker have in common as processes: one node in the live world, its store in
 * a data directory of its own, and the others over the network. Main thread, unless said otherwise.
 */
#include "common/env/live/live.h"

struct kin_daemon_options {
    const char *tool; /* for messages on stderr */
    kin_node_id self;
    const char *address;     /* to listen at, or to dial */
    uint32_t nodes;          /* listening: how many workers may come */
    const char *secret_file; /* may be NULL */
    bool insecure;           /* listening: beyond this machine although nothing is encrypted */
    const char *data_dir;
    const char *store_name; /* in data_dir */
    unsigned dbs;
    uint64_t format;
    bool fsync;
    unsigned threads; /* 0: one per processor */
    const struct kin_node_ops *ops;
    void *args;
    void (*on_signal)(void *arg, int signal); /* SIGINT or SIGTERM, on the loop */
    void *arg;
};

struct kin_daemon;

/* Checks what can be checked before anything is touched: address, secret, data directory. -1: fine;
 * else the exit status, after the reason was told on stderr. */
int kin_daemon_check(const struct kin_daemon_options *o);

/* Locks the data directory, opens the store, listens or dials. -1: fine; else as above. */
int kin_daemon_open(const struct kin_daemon_options *o, struct kin_daemon **out);

struct kin_live *kin_daemon_live(struct kin_daemon *d);

/* Runs until kin_live_stop, sends what is still queued, and frees d. What nng does not let go of is
 * left behind: *leave is set, and the process must end by _exit. */
void kin_daemon_run(struct kin_daemon *d, bool *leave);

/* Ends the process with the status, by _exit if leave. */
_Noreturn void kin_daemon_exit(int status, bool leave);

#endif
