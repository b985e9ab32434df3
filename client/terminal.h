#ifndef KIN_CLIENT_TERMINAL_H
#define KIN_CLIENT_TERMINAL_H
/* What the command line says besides its results. */
#include "common/workflow/terminal.h"

/* Writes "kindred: ", the texts one after another, and a line end to stderr. */
void kin_terminal_say(const char *format, ...) KIN_PRINTF(1, 2);

#endif
