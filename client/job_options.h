#ifndef KIN_CLIENT_JOB_OPTIONS_H
#define KIN_CLIENT_JOB_OPTIONS_H
/* What `match`, `plan` and `train` share: reading the workflow file, and options of the embedded
 * cluster, or of the cluster that a match is given to. */
#include "client/cluster_options.h"
#include "client/embedded.h"
#include "common/cli/job_file.h"
#include "common/cli/tool.h"

struct kin_cli_job {
    const char *workflow_path;
    const char *out_dir;
    const char *state_dir;
    const char *key_file;
    const char *labels; /* train; NULL: without */
    unsigned long workers, threads;
    bool pairs, check, strict, quiet, fsync, keep_state, json_log, json;
    struct kin_cluster_options cluster; /* match; address NULL: an embedded one */
    bool at_coordinator, detach, serve, replace;

    struct kin_job_file file;
    const struct kin_workflow *workflow; /* of file */
    struct kin_job_options job;
};

enum kin_cli_kind { KIN_CLI_MATCH, KIN_CLI_PLAN, KIN_CLI_TRAIN };
/* Parses the command line of one of them. -1: go on; else exit with the status. */
int kin_cli_job_parse(struct kin_cli_job *o, int argc, char **argv, enum kin_cli_kind kind);
/* Reads and checks the workflow file and the key file; what is wrong is told on stderr. -1: go on.
 */
int kin_cli_job_load(struct kin_cli_job *o);
void kin_cli_job_deinit(struct kin_cli_job *o);

#endif
