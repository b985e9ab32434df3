#include "client/commands.h"
#include "client/live_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* `kindred changes`. */

static const char help[] =
    "usage: kindred changes --cluster URL [OPTIONS]\n"
    "\n"
    "Writes what has happened to MatchGroups, one JSON object a line, in the order of their\n"
    "numbers (seq). Who remembers the last number it has dealt with goes on with --after, and\n"
    "misses none.\n"
    "\n"
    "      --after N              events after number N (default 0: all there are)\n"
    "      --limit N              at most so many\n"
    "      --follow               wait for further ones, for ever\n" KIN_SERVED_HELP
        KIN_SERVED_HELP_END;

enum {
    OPT_AFTER = 700,
    OPT_LIMIT,
    OPT_FOLLOW,
    PAGE = 10000,
    WAIT_MS = 5000, /* of one question that waits: asked anew, so that no link has to be silent */
    WAIT_PATIENCE_MS = WAIT_MS + 1000
};

static const struct option options[] = {KIN_SERVED_OPTIONS,
                                        {"after", required_argument, NULL, OPT_AFTER},
                                        {"limit", required_argument, NULL, OPT_LIMIT},
                                        {"follow", no_argument, NULL, OPT_FOLLOW},
                                        {NULL, 0, NULL, 0}};

struct feed {
    const struct kin_served_command *command;
    uint64_t after, left;
    bool follow, ended;
};

static bool take_number(const char *name, const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long x = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno) {
        fprintf(stderr, "kindred: --%s: '%s' is not a number\n", name, text);
        return false;
    }
    *out = x;
    return true;
}

static bool take_option(void *arg, int c, const char *value)
{
    struct feed *f = arg;
    if (c == OPT_AFTER)
        return take_number("after", value, &f->after);
    if (c == OPT_LIMIT)
        return take_number("limit", value, &f->left);
    f->follow = true;
    return true;
}

static enum kin_stream_next next_page(void *arg, struct kin_stream_ask *ask, struct kin_err *err)
{
    struct feed *f = arg;
    (void)err;
    if (f->ended || f->left == 0)
        return KIN_STREAM_END;
    ask->message.type = KIN_MSG_CHANGES;
    ask->message.u.changes =
        (struct kin_msg_changes){.workflow = f->command->workflow,
                                 .after = f->after,
                                 .limit = (uint32_t)(f->left < PAGE ? f->left : PAGE),
                                 .wait_ms = f->follow ? WAIT_MS : 0};
    ask->patience_ms = f->follow ? WAIT_PATIENCE_MS : 0;
    return KIN_STREAM_ASK;
}

static kin_status take_page(void *arg, struct kin_stream_ask *ask, const struct kin_message *m,
                            struct kin_str payload, struct kin_err *err)
{
    struct feed *f = arg;
    (void)ask;
    kin_status status = kin_stream_refusal(m, err);
    if (status != KIN_OK)
        return status;
    uint64_t lines = 0;
    for (size_t i = 0; i < payload.n; i++)
        lines += payload.p[i] == '\n';
    if (payload.n && payload.p[payload.n - 1] != '\n')
        return kin_err_set(err, KIN_E_PROTO, "the coordinator's answer is cut off");
    if (payload.n && m->u.answer.next <= f->after)
        return kin_err_set(err, KIN_E_PROTO, "the coordinator's change feed does not move on");
    if (payload.n && (fwrite(payload.p, 1, payload.n, stdout) != payload.n || fflush(stdout) != 0))
        return kin_err_set(err, KIN_E_IO, "standard output cannot be written");
    if (payload.n)
        f->after = m->u.answer.next;
    f->left -= lines < f->left ? lines : f->left;
    f->ended = !f->follow && lines == 0;
    return KIN_OK;
}

int kin_command_changes(int argc, char **argv)
{
    struct feed feed = {.left = UINT64_MAX};
    struct kin_served_command c = {.name = "changes",
                                   .help = help,
                                   .letters = "h",
                                   .options = options,
                                   .expected = "takes no arguments",
                                   .take = take_option,
                                   .arg = &feed};
    struct kin_stream_args stream = {
        .window = 1, .next = next_page, .take = take_page, .arg = &feed};
    int code = kin_served_parse(&c, argc, argv);
    feed.command = &c;
    c.endless = feed.follow;
    return code == -1 ? kin_served_run(&c, &stream) : code;
}
