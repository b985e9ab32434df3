#ifndef KIN_CLI_JOB_FILE_H
#define KIN_CLI_JOB_FILE_H
/* The files that a job is given by: the workflow, and the key of its MatchIds. What is wrong with
 * them is told on stderr, in the name of `tool`. Main thread. */
#include "common/workflow/workflow.h"

struct kin_job_file {
    struct kin_buf text;
    char *base_dir; /* what relative paths in it are joined to */
    struct kin_workflow *workflow;
};

/* Reads and checks a workflow file. -1: it is fine; else the exit status. */
int kin_job_file_load(struct kin_job_file *f, const char *tool, const char *path);
void kin_job_file_deinit(struct kin_job_file *f);

/* Reads 32 hex digits. -1: it is fine; else the exit status. */
int kin_match_id_key_load(const char *tool, const char *path, uint8_t key[16]);

#endif
