#ifndef KIN_CLIENT_COMMANDS_H
#define KIN_CLIENT_COMMANDS_H
/* The commands of `kindred`, each with its own options and --help. Main thread. */
#include "common/cli/tool.h"

int kin_command_match(int argc, char **argv);
int kin_command_plan(int argc, char **argv);
int kin_command_train(int argc, char **argv);
int kin_command_evaluate(int argc, char **argv);
int kin_command_jobs(int argc, char **argv);
int kin_command_attach(int argc, char **argv);
int kin_command_cancel(int argc, char **argv);
int kin_command_status(int argc, char **argv);
int kin_command_suggest(int argc, char **argv);
int kin_command_explain(int argc, char **argv);
int kin_command_report(int argc, char **argv);
int kin_command_serve(int argc, char **argv);
int kin_command_lookup(int argc, char **argv);
int kin_command_put(int argc, char **argv);
int kin_command_delete(int argc, char **argv);
int kin_command_inbox(int argc, char **argv);
int kin_command_group(int argc, char **argv);
int kin_command_history(int argc, char **argv);
int kin_command_changes(int argc, char **argv);
int kin_command_link(int argc, char **argv);
int kin_command_links(int argc, char **argv);

#endif
