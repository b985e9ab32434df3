#ifndef KIN_CLIENT_LIVE_COMMAND_H
#define KIN_CLIENT_LIVE_COMMAND_H
/* What the commands that ask a cluster which serves have in common: options, the connection, and
 * single questions. Main thread, but for what is said otherwise. */
#include "client/cluster_options.h"
#include "client/live_stream.h"
#include "common/cli/tool.h"

#include <getopt.h>

struct kin_served_command {
    const char *name, *help;
    const char *letters;          /* of getopt */
    const struct option *options; /* KIN_SERVED_OPTIONS and the command's own */
    int least, most;              /* arguments; most -1: any number */
    const char *expected;         /* what is said of other numbers: "expected a MatchId" */
    /* An option of the command's own. False: its value is wrong, and that was said. */
    bool (*take)(void *arg, int c, const char *value);
    void *arg;

    struct kin_cluster_options cluster;
    struct kin_str workflow; /* empty: the only one that is served */
    bool json;
    char **arguments; /* those that are no options */
    int count;
    int code; /* of kin_served_run */
    struct kin_link *link;
    void (*interrupted)(void *arg); /* after SIGINT or SIGTERM: says how far it was; or NULL */
    bool endless;                   /* such a signal is its proper end */
    bool stopped;
};

enum { KIN_OPT_WORKFLOW = 600, KIN_OPT_JSON };
/* clang-format off */
#define KIN_SERVED_OPTIONS                                             \
    KIN_CLUSTER_OPTIONS,                                               \
    {"workflow", required_argument, NULL, KIN_OPT_WORKFLOW},           \
    {"help", no_argument, NULL, 'h'}
#define KIN_SERVED_JSON {"json", no_argument, NULL, KIN_OPT_JSON}
#define KIN_SERVED_HELP                                                                 \
    KIN_CLUSTER_HELP                                                                  \
    "      --workflow NAME        where the cluster serves several\n"
#define KIN_SERVED_HELP_END                                                             \
    "  -h, --help                 this text\n"                                        \
    "\n"                                                                              \
    "KINDRED_CLUSTER and KINDRED_SECRET_FILE stand in for --cluster and --secret-file.\n"
/* clang-format on */

/* -1: go on; else the exit status. */
int kin_served_parse(struct kin_served_command *c, int argc, char **argv);
/* Says what is wrong with the command line; returns the exit status. */
int kin_served_usage(const struct kin_served_command *c, const char *what);

/* Runs a stream of requests to its end. Its on_end and patience are set here. Returns the exit
 * status, after what is wrong was said. May leave the process, after what stdio holds was written.
 */
int kin_served_run(struct kin_served_command *c, struct kin_stream_args *stream);

/* One question. KIN_EXIT_OK: *answer has the payload, owned by the caller, and *m the rest of the
 * answer, without texts; else it was said what is wrong. payload (may be NULL) is consumed. */
int kin_served_ask(struct kin_served_command *c, const struct kin_message *ask,
                   struct kin_buf *payload, struct kin_message *m, struct kin_buf *answer);

/* `kindred explain A B` on a cluster. The exit status. */
int kin_served_explain(struct kin_served_command *c, const char *a, const char *b);

/* "source/id" into two; false: there is no slash, and that was said. */
bool kin_served_record_name(const char *name, struct kin_str *source, struct kin_str *id);

#endif
