#ifndef KIN_CLI_OUTPUT_DIR_H
#define KIN_CLI_OUTPUT_DIR_H
/* Whether a job may put its outputs where it was told to, found out before it begins. Main thread.
 */
#include <stddef.h>

enum { KIN_OUTPUT_DIR_MAX = 4000 };

/* The first n <= KIN_OUTPUT_DIR_MAX bytes of dir must name a place where a directory of ours may
 * appear: nothing, an empty directory or an earlier result, in a directory that can be written to.
 * -1: fine; else the exit status, after the reason was told on stderr in the name of `tool`. */
int kin_output_dir_check(const char *tool, const char *dir, size_t n);

#endif
