#ifndef KIN_CLI_TOOL_H
#define KIN_CLI_TOOL_H
/* What every program of the project needs: exit statuses, small files, log lines. */
#include "common/env/env.h"

enum { /* exit statuses */
       KIN_EXIT_OK = 0,
       KIN_EXIT_FAILED = 1,
       KIN_EXIT_USAGE = 2,   /* the command line or the workflow file is wrong */
       KIN_EXIT_REJECTED = 3 /* done, but records were rejected (--strict) */
};

/* A whole file; KIN_E_IO, KIN_E_LIMIT (larger than max), KIN_E_NOMEM. */
kin_status kin_cli_read_file(const char *path, size_t max, struct kin_buf *out,
                             struct kin_err *err) KIN_MUST_CHECK;

/* A log line on stderr: JSON, or for people. Any thread. */
void kin_cli_log(bool json, kin_node_id node, char level, const char *event, const char *text);
/* The same, in JSON, of a process that is known by its name. */
void kin_cli_log_as(const char *name, char level, const char *event, const char *text);

#endif
