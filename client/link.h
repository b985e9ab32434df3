#ifndef KIN_CLIENT_LINK_H
#define KIN_CLIENT_LINK_H
/* A client of a cluster as a process: one core in the live world, and the coordinator over the
 * network. Main thread. */
#include "common/env/env.h"

struct kin_link_options {
    const char *address;     /* tcp://HOST:PORT or unix:///PATH */
    const char *secret_file; /* may be NULL */
    bool json_log;           /* every event as a line on stderr; else only what must be known */
    const struct kin_node_ops *ops;
    void *args;
    /* All on the loop; may be NULL. */
    void (*before_log)(void *arg);                  /* a line is about to be written to stderr */
    void (*on_refused)(void *arg, const char *why); /* the coordinator will not have us; once */
    void (*on_signal)(void *arg, int signal);       /* SIGINT or SIGTERM */
    void *arg;
};

struct kin_link;

/* Checks address and secret. -1: fine; else the exit status, after the reason was told on stderr.
 */
int kin_link_check(const struct kin_link_options *o);

/* Begins to dial. -1: fine; else as above. */
int kin_link_open(const struct kin_link_options *o, struct kin_link **out);

/* Runs the core until kin_link_stop, and frees the link. What the network does not let go of is
 * left behind: *leave is set, and the process must end by _exit. */
void kin_link_run(struct kin_link *link, bool *leave);
void kin_link_stop(struct kin_link *link); /* on the loop */

/* Why there is no connection, as far as it is known: "" where nothing is. */
struct kin_err kin_link_trouble(struct kin_link *link);

#endif
