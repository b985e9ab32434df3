#ifndef KIN_CLIENT_JOB_OPTIONS_H
#define KIN_CLIENT_JOB_OPTIONS_H
/* What `match` and `plan` share: reading the workflow file, and options of the embedded cluster. */
#include "client/embedded.h"

struct kin_cli_job {
    const char *workflow_path;
    const char *out_dir;
    const char *state_dir;
    const char *key_file;
    unsigned long workers, threads;
    bool pairs, check, strict, quiet, fsync, keep_state, json_log;

    struct kin_buf text;
    char *base_dir;
    struct kin_workflow *workflow;
    struct kin_job_options job;
};

/* Parses the command line; `plan` takes fewer options. -1: go on; else exit with the status. */
int kin_cli_job_parse(struct kin_cli_job *o, int argc, char **argv, bool plan);
/* Reads and checks the workflow file and the key file; what is wrong is told on stderr. -1: go on.
 */
int kin_cli_job_load(struct kin_cli_job *o);
void kin_cli_job_deinit(struct kin_cli_job *o);

/* A whole file; KIN_E_IO, KIN_E_LIMIT (larger than max), KIN_E_NOMEM. */
kin_status kin_cli_read_file(const char *path, size_t max, struct kin_buf *out,
                             struct kin_err *err) KIN_MUST_CHECK;
/* A log line on stderr: JSON, or for people. */
void kin_cli_log(bool json, kin_node_id node, char level, const char *event, const char *text);

#endif
