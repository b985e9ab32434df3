#include "client/commands.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: kindred COMMAND [OPTIONS]\n"
    "\n"
    "Entity resolution: finds the records that are the same real thing, and gives each\n"
    "MatchGroup a MatchId that lasts.\n"
    "\n"
    "commands:\n"
    "  match WORKFLOW -o DIR          files in, MatchGroups out (the main job)\n"
    "  match --check WORKFLOW         check a workflow file, run nothing\n"
    "  plan WORKFLOW                  pairs and largest blocks per key, before anything is "
    "compared\n"
    "  train WORKFLOW -o FILE         train the model of a workflow, and keep it\n"
    "  suggest FILE...                a first workflow file for these sources\n"
    "  report DIR [WORKFLOW]          report.html again; with pairs step by step\n"
    "  evaluate --truth FILE RESULT   precision, recall and F1 against a truth file\n"
    "  explain WORKFLOW A B           why two records match or do not; or a MatchGroup\n"
    "\n"
    "  serve [WORKFLOW] --data DIR    match, then serve lookups, changes and HTTP\n"
    "\n"
    "on a running cluster, named by --cluster URL or KINDRED_CLUSTER:\n"
    "  match WORKFLOW -o DIR          the same job, run there\n"
    "  jobs                           its jobs, and how far they are\n"
    "  attach JOB -o DIR              wait for a job, and fetch its results\n"
    "  cancel JOB                     cancel a job, or remove results that nobody fetches\n"
    "  status                         its workers, and the latest jobs\n"
    "\n"
    "on a running cluster that serves a workflow:\n"
    "  lookup [FILE | FIELD=VALUE...] the MatchGroup of one record, or of each of a file\n"
    "  put FILE...                    new and changed records\n"
    "  delete SOURCE ID...            records that are no more\n"
    "  inbox DIR                      watch a directory: a file dropped there is put\n"
    "  group MATCH_ID | SOURCE ID     a MatchGroup, its members and its golden record\n"
    "  history MATCH_ID               what became of a MatchId\n"
    "  changes                        what has happened to MatchGroups\n"
    "  link must|never|revoke ...     a person's word on two records\n"
    "  links                          those words that hold\n"
    "  explain A B                    why two records match or do not\n"
    "\n"
    "  help [COMMAND]                 this text, or a command's own\n"
    "\n"
    "`kindred COMMAND --help` lists a command's options. `kindred --version` prints the version.\n";

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"match", kin_command_match},       {"plan", kin_command_plan},
    {"train", kin_command_train},       {"suggest", kin_command_suggest},
    {"evaluate", kin_command_evaluate}, {"jobs", kin_command_jobs},
    {"attach", kin_command_attach},     {"cancel", kin_command_cancel},
    {"status", kin_command_status},     {"explain", kin_command_explain},
    {"report", kin_command_report},     {"serve", kin_command_serve},
    {"lookup", kin_command_lookup},     {"put", kin_command_put},
    {"delete", kin_command_delete},     {"inbox", kin_command_inbox},
    {"group", kin_command_group},       {"history", kin_command_history},
    {"changes", kin_command_changes},   {"link", kin_command_link},
    {"links", kin_command_links},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0) {
        puts("kindred " KIN_VERSION);
        return KIN_EXIT_OK;
    }
    bool help = strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    if (help && argc == 2) {
        fputs(usage, stdout);
        return KIN_EXIT_OK;
    }
    const struct command *command = find_command(help ? argv[2] : name);
    if (!command) {
        if (*name)
            fprintf(stderr, "kindred: unknown command '%s'\n\n", help ? argv[2] : name);
        fputs(usage, stderr);
        return KIN_EXIT_USAGE;
    }
    if (help) {
        char *help_argv[] = {argv[2], (char[]){"--help"}, NULL};
        return command->run(2, help_argv);
    }
    return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    kin_alloc_keep();
    int code = run(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "kindred: standard output cannot be written: %s\n", strerror(errno));
    return code == KIN_EXIT_OK ? KIN_EXIT_FAILED : code;
}
