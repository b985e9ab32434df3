#ifndef KIN_CLIENT_CLUSTER_OPTIONS_H
#define KIN_CLIENT_CLUSTER_OPTIONS_H
/* The options by which a command finds its cluster, and other small things that command lines have
 * in common. Main thread. */
#include "common/base/mem.h"

struct kin_cluster_options {
    const char *address;     /* NULL: none is given */
    const char *secret_file; /* may be NULL */
    unsigned long timeout_s; /* for the first answer */
    bool from_environment;   /* the address is */
};

/* Values of getopt_long, and the rows of its table. */
enum { KIN_OPT_CLUSTER = 512, KIN_OPT_SECRET, KIN_OPT_TIMEOUT };
/* clang-format off */
#define KIN_CLUSTER_OPTIONS                                          \
    {"cluster", required_argument, NULL, KIN_OPT_CLUSTER},           \
    {"secret-file", required_argument, NULL, KIN_OPT_SECRET},        \
    {"timeout", required_argument, NULL, KIN_OPT_TIMEOUT}
#define KIN_CLUSTER_HELP                                                              \
    "      --cluster URL          the coordinator: tcp://HOST:PORT or unix:///PATH\n" \
    "      --secret-file FILE     the secret of the cluster\n"                        \
    "      --timeout SECONDS      for the coordinator to answer at first (default 10)\n"
/* clang-format on */

/* What the environment says: KINDRED_CLUSTER, KINDRED_SECRET_FILE. The command line wins. */
void kin_cluster_begin(struct kin_cluster_options *o);
/* Whether c is one of the options above; *fine is false if its value is wrong, and that was said.
 */
bool kin_cluster_take(struct kin_cluster_options *o, int c, const char *value, bool *fine);

/* A number from 1 to max. False: it is none, and that was said. */
bool kin_cluster_number(const char *name, const char *text, unsigned long max, unsigned long *out);
/* The 16 hex digits of a job. False: they are not, and that was said. */
bool kin_cluster_job_id(const char *text, uint64_t *out);

/* Appends path, made absolute by its text alone: against the current directory, without "." and
 * "..". Terminated; the zero byte counts. KIN_E_IO: the current directory is not known. */
kin_status kin_cluster_absolute(const char *path, struct kin_buf *out,
                                struct kin_err *err) KIN_MUST_CHECK;

#endif
