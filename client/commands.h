#ifndef KIN_CLIENT_COMMANDS_H
#define KIN_CLIENT_COMMANDS_H
/* The commands of `kindred`, each with its own options and --help. Main thread. */

enum { /* exit statuses */
       KIN_EXIT_OK = 0,
       KIN_EXIT_FAILED = 1,
       KIN_EXIT_USAGE = 2,   /* the command line or the workflow file is wrong */
       KIN_EXIT_REJECTED = 3 /* done, but records were rejected (--strict) */
};

int kin_command_match(int argc, char **argv);
int kin_command_plan(int argc, char **argv);
int kin_command_evaluate(int argc, char **argv);

#endif
