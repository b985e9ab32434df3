#include "client/commands.h"
#include "client/live_command.h"
#include "client/live_inbox.h"
#include "client/terminal.h"

#include <stdio.h>

/* `kindred inbox`. */

static const char help[] =
    "usage: kindred inbox DIR --cluster URL [OPTIONS]\n"
    "\n"
    "Watches a directory: a CSV or JSON Lines file (.gz and .zst too) that is dropped there, or "
    "in\n"
    "its subdirectory named as a source, is put to a workflow that is served. It is taken when it "
    "is\n"
    "complete: renamed into place, or unchanged for 2 seconds. Names that begin with a dot or end "
    "in\n"
    ".tmp or .part are left alone. Then there are:\n"
    "\n"
    "  DIR/done/NAME               the file\n"
    "  DIR/out/NAME.matches.csv    what became of each record, and its MatchId\n"
    "  DIR/out/NAME.changes.jsonl  what happened to MatchGroups meanwhile\n"
    "  DIR/out/NAME.errors.csv     rejected records\n"
    "  DIR/out/NAME.report.json    the counts\n"
    "  DIR/failed/NAME             instead, if it cannot be read or put; NAME.error.txt says why\n"
    "\n"
    "A file is taken once, also if the command or the cluster is killed in between: started "
    "again,\n"
    "it goes on. One process can watch a directory.\n"
    "\n"
    "      --source S             the source of files in DIR itself (default: the only one)\n"
    "      --once                 end when no file is left; exit status 1 if one failed\n"
    "  -q, --quiet                no line for each file\n" KIN_SERVED_HELP KIN_SERVED_HELP_END;

enum { OPT_SOURCE = 700, OPT_ONCE };

static const struct option options[] = {KIN_SERVED_OPTIONS,
                                        {"source", required_argument, NULL, OPT_SOURCE},
                                        {"once", no_argument, NULL, OPT_ONCE},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {NULL, 0, NULL, 0}};

struct watching {
    struct kin_served_command command;
    struct kin_inbox inbox;
    bool quiet;
};

static bool take_option(void *arg, int c, const char *value)
{
    struct watching *w = arg;
    if (c == OPT_SOURCE)
        w->inbox.source = value;
    else if (c == OPT_ONCE)
        w->inbox.once = true;
    else
        w->quiet = true;
    return true;
}

static void say(void *arg, const char *text)
{
    const struct watching *w = arg;
    if (!w->quiet)
        kin_terminal_say("%s", text);
}

static enum kin_stream_next next_request(void *arg, struct kin_stream_ask *ask, struct kin_err *err)
{
    struct watching *w = arg;
    return kin_inbox_next(&w->inbox, ask, err);
}

static kin_status take_answer(void *arg, struct kin_stream_ask *ask, const struct kin_message *m,
                              struct kin_str payload, struct kin_err *err)
{
    struct watching *w = arg;
    return kin_inbox_take(&w->inbox, ask, m, payload, err);
}

int kin_command_inbox(int argc, char **argv)
{
    struct watching w = {.command = {.name = "inbox",
                                     .help = help,
                                     .letters = "qh",
                                     .options = options,
                                     .least = 1,
                                     .most = 1,
                                     .expected = "expected one directory",
                                     .take = take_option,
                                     .arg = &w,
                                     .endless = true},
                         .inbox = {.lock = -1}};
    struct kin_stream_args stream = {.window = KIN_PUT_WINDOW,
                                     .ordered = true,
                                     .next = next_request,
                                     .take = take_answer,
                                     .arg = &w};
    struct kin_err err = {0};
    int code = kin_served_parse(&w.command, argc, argv);
    if (code != -1)
        return code;
    w.inbox.dir = w.command.arguments[0];
    w.inbox.workflow = w.command.workflow;
    w.inbox.say = say;
    w.inbox.arg = &w;
    if (kin_inbox_open(&w.inbox, &err) == KIN_OK) {
        code = kin_served_run(&w.command, &stream);
    } else {
        kin_terminal_say("%s", err.msg);
        code = KIN_EXIT_FAILED;
    }
    if (code == KIN_EXIT_OK && w.inbox.once && w.inbox.failed)
        code = KIN_EXIT_FAILED;
    kin_inbox_close(&w.inbox);
    return code;
}
