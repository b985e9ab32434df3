#ifndef KIN_DAEMON_DAEMON_H
#define KIN_DAEMON_DAEMON_H
/* What coordinator and worker have in common as processes: one node in the live world, its store in
 * a data directory of its own, and the others over the network. Main thread, unless said otherwise.
 *
 * In its own world the coordinator is node 0, and a worker is always node 1: the number under which
 * the coordinator knows it is the coordinator's (common/daemon/members.h), and goes with its key
 * (common/daemon/identity.h). Files of the data directory: the store, `lock`, and `members` or
 * `identity`. */
#include "common/env/live/live.h"
#include "common/env/net/net.h"

enum { KIN_DAEMON_WORKER = 1 /* a worker's node in its own world */ };

struct kin_daemon_options {
    const char *tool;    /* for messages on stderr */
    bool worker;         /* dials; else it is the coordinator, and listens */
    const char *name;    /* a worker's, for its log lines */
    const char *address; /* to listen at, or to dial */
    /* Coordinator: workers get the numbers 1..nodes (0: none may come), clients those from
     * client_first on, clients_max of them at a time; 0: no clients. */
    uint32_t nodes;
    kin_node_id client_first;
    uint32_t clients_max;
    /* Coordinator: an nng REP socket for clients, with numbers of its own; NULL: none. */
    const char *rep_address;
    kin_node_id rep_first;
    const char *secret_file; /* may be NULL */
    bool insecure;           /* listening: beyond this machine although nothing is encrypted */
    const char *data_dir;
    const char *store_name; /* in data_dir */
    unsigned dbs;
    uint64_t format, format_from; /* as of struct kin_lmdb_options */
    uint64_t map_bytes;           /* address space of the store; 0: 1 TiB */
    bool fsync;
    unsigned threads; /* 0: one per processor */
    const struct kin_node_ops *ops;
    void *args;
    /* Coordinator: nodes beside it in the same process, e.g. workers; NULL: none. */
    kin_status (*add_nodes)(void *arg, struct kin_live *live, struct kin_err *err);
    /* Coordinator: frames for this node and those above it, which are of no network and no world,
     * go here, on the loop; consumes them. NULL: there are no such nodes. */
    kin_node_id local;
    void (*on_local)(void *arg, kin_node_id to, struct kin_frame *frame);
    void (*on_signal)(void *arg, int signal); /* SIGINT or SIGTERM, on the loop */
    /* A node's link came or went, on the loop; a hint, may be NULL. A worker's only one is that to
     * node 0. */
    void (*on_link)(void *arg, kin_node_id node, bool up);
    void *arg;
};

/* What the store needs at least. */
#define KIN_DAEMON_MAP_BYTES_MIN ((uint64_t)1 << 24)

struct kin_daemon;
struct kin_members;

/* Checks what can be checked before anything is touched: address, secret, data directory, the key
 * or the list of members in it. -1: fine; else the exit status, after the reason was told on
 * stderr. */
int kin_daemon_check(const struct kin_daemon_options *o);

/* Locks the data directory, opens the store, listens or dials. -1: fine; else as above. */
int kin_daemon_open(const struct kin_daemon_options *o, struct kin_daemon **out);

struct kin_live *kin_daemon_live(struct kin_daemon *d);
struct kin_net *kin_daemon_net(struct kin_daemon *d);
struct kin_members *kin_daemon_members(struct kin_daemon *d); /* NULL: there are none */

/* A log line of the process. Any thread. */
void kin_daemon_log(const struct kin_daemon *d, char level, const char *event, const char *text);

/* Runs until kin_live_stop, sends what is still queued, and frees d. What nng does not let go of is
 * left behind: *leave is set, and the process must end by _exit. */
void kin_daemon_run(struct kin_daemon *d, bool *leave);

/* Ends the process with the status, by _exit if leave. */
_Noreturn void kin_daemon_exit(int status, bool leave);

#endif
