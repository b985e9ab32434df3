#ifndef KIN_WORKFLOW_TERMINAL_H
#define KIN_WORKFLOW_TERMINAL_H
/* Text that is not trusted, made fit for a terminal. Pure; any thread. */
#include "common/base/mem.h"

/* Appends text, at most columns characters of it: what is no printable character becomes '?'.
 * Returns how many characters were appended. */
size_t kin_terminal_put(struct kin_buf *out, struct kin_str text, size_t columns);

/* The same, padded with blanks to columns characters, and cut with "..." where it is longer. */
void kin_terminal_cell(struct kin_buf *out, struct kin_str text, size_t columns);

#endif
