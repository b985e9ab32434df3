#ifndef KIN_CLIENT_CMD_REMOTE_H
#define KIN_CLIENT_CMD_REMOTE_H
/* A job on a running cluster, from the command line. Main thread. */
#include "client/job_options.h"

/* `kindred match --cluster`: the command line is parsed, the workflow file is loaded. Returns the
 * exit status; may leave the process by itself. */
int kin_remote_match(const struct kin_cli_job *o);

/* The parent and name of an output: -1, or the exit status after what is wrong was said. */
int kin_match_check_output(const char *command, const char *out_dir);

#endif
