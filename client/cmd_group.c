#include "client/commands.h"
#include "client/live_command.h"
#include "client/live_text.h"
#include "client/terminal.h"
#include "proto/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `kindred group`, `history`, `link` and `links`, and `explain` on a cluster: a question each. */

static const char group_help[] =
    "usage: kindred group MATCH_ID --cluster URL [OPTIONS]\n"
    "       kindred group SOURCE ID --cluster URL [OPTIONS]\n"
    "\n"
    "Shows a MatchGroup and its members. A MatchId may be a retired one: what lives on of it is\n"
    "shown.\n"
    "\n" KIN_SERVED_HELP "      --golden               with its golden record\n"
    "      --json                 the answer as it came, one JSON object\n" KIN_SERVED_HELP_END;

static const char history_help[] =
    "usage: kindred history MATCH_ID --cluster URL [OPTIONS]\n"
    "\n"
    "Shows what became of a MatchId: who founded it, and every change that names it.\n"
    "\n" KIN_SERVED_HELP
    "      --json                 the answer as it came, one JSON object\n" KIN_SERVED_HELP_END;

static const char link_help[] =
    "usage: kindred link must|never|revoke SOURCE_A ID_A SOURCE_B ID_B --cluster URL [OPTIONS]\n"
    "\n"
    "Says that two records are the same real thing (must) or are not (never), whatever rules and\n"
    "model make of them. One word for a pair: a later one takes the place of the earlier; revoke\n"
    "takes it back. The records need not be there yet.\n"
    "\n" KIN_SERVED_HELP "      --who NAME             who says so (default: $USER)\n"
    "      --why TEXT             and why\n"
    "      --json                 the answer as it came, one JSON object\n" KIN_SERVED_HELP_END;

static const char links_help[] =
    "usage: kindred links --cluster URL [OPTIONS]\n"
    "\n"
    "Lists the links of people that hold: one for each pair of records.\n"
    "\n" KIN_SERVED_HELP
    "      --json                 JSON Lines, as they came\n" KIN_SERVED_HELP_END;

enum { OPT_GOLDEN = 700, OPT_WHO, OPT_WHY, LINKS_PAGE = 1000 };

static const struct option group_options[] = {KIN_SERVED_OPTIONS,
                                              KIN_SERVED_JSON,
                                              {"golden", no_argument, NULL, OPT_GOLDEN},
                                              {NULL, 0, NULL, 0}};
static const struct option plain_options[] = {
    KIN_SERVED_OPTIONS, KIN_SERVED_JSON, {NULL, 0, NULL, 0}};
static const struct option link_options[] = {KIN_SERVED_OPTIONS,
                                             KIN_SERVED_JSON,
                                             {"who", required_argument, NULL, OPT_WHO},
                                             {"why", required_argument, NULL, OPT_WHY},
                                             {NULL, 0, NULL, 0}};

struct extra {
    bool golden;
    const char *who, *why;
};

static bool take_extra(void *arg, int c, const char *value)
{
    struct extra *x = arg;
    x->golden = x->golden || c == OPT_GOLDEN;
    if (c == OPT_WHO)
        x->who = value;
    if (c == OPT_WHY)
        x->why = value;
    return true;
}

/* Asks, and prints the one object of the answer. */
static int ask_and_print(struct kin_served_command *c, const struct kin_message *m,
                         kin_served_print *print)
{
    struct kin_buf answer = {0}, out = {0};
    struct kin_message got;
    struct kin_err err = {0};
    int code = kin_served_ask(c, m, NULL, &got, &answer);
    struct kin_str json = {answer.p ? (const char *)answer.p : "", answer.n};
    if (code == KIN_EXIT_OK && c->json) {
        kin_buf_put(&out, json.p, json.n);
        if (!json.n || json.p[json.n - 1] != '\n')
            kin_buf_putc(&out, '\n');
    } else if (code == KIN_EXIT_OK && print(json, &out, &err) != KIN_OK) {
        kin_terminal_say("%s", err.msg);
        code = KIN_EXIT_FAILED;
    }
    if (code == KIN_EXIT_OK && out.n)
        fwrite(out.p, 1, out.n, stdout);
    kin_buf_deinit(&answer);
    kin_buf_deinit(&out);
    return code;
}

int kin_command_group(int argc, char **argv)
{
    struct extra extra = {0};
    struct kin_served_command c = {.name = "group",
                                   .help = group_help,
                                   .letters = "h",
                                   .options = group_options,
                                   .least = 1,
                                   .most = 2,
                                   .expected = "expected a MatchId, or a source and an id",
                                   .take = take_extra,
                                   .arg = &extra};
    int code = kin_served_parse(&c, argc, argv);
    if (code != -1)
        return code;
    struct kin_message m = {.type = KIN_MSG_GROUP};
    m.u.group.workflow = c.workflow;
    m.u.group.golden = extra.golden;
    if (c.count == 1) {
        m.u.group.match_id = kin_str_of(c.arguments[0]);
    } else {
        m.u.group.source = kin_str_of(c.arguments[0]);
        m.u.group.id = kin_str_of(c.arguments[1]);
    }
    return ask_and_print(&c, &m, kin_served_print_group);
}

int kin_command_history(int argc, char **argv)
{
    struct kin_served_command c = {.name = "history",
                                   .help = history_help,
                                   .letters = "h",
                                   .options = plain_options,
                                   .least = 1,
                                   .most = 1,
                                   .expected = "expected a MatchId"};
    int code = kin_served_parse(&c, argc, argv);
    if (code != -1)
        return code;
    struct kin_message m = {.type = KIN_MSG_HISTORY};
    m.u.history.workflow = c.workflow;
    m.u.history.match_id = kin_str_of(c.arguments[0]);
    return ask_and_print(&c, &m, kin_served_print_history);
}

/* ---- links ---- */

static uint32_t link_kind(const char *word)
{
    return strcmp(word, "must") == 0     ? KIN_LINK_MUST
           : strcmp(word, "never") == 0  ? KIN_LINK_NEVER
           : strcmp(word, "revoke") == 0 ? KIN_LINK_REVOKE
                                         : 0;
}

int kin_command_link(int argc, char **argv)
{
    const char *user = getenv("USER"); // NOLINT(concurrency-mt-unsafe): there is one thread yet
    struct extra extra = {.who = user ? user : "", .why = ""};
    struct kin_served_command c = {.name = "link",
                                   .help = link_help,
                                   .letters = "h",
                                   .options = link_options,
                                   .least = 5,
                                   .most = 5,
                                   .expected =
                                       "expected must, never or revoke, and two records, each "
                                       "by its source and its id",
                                   .take = take_extra,
                                   .arg = &extra};
    int code = kin_served_parse(&c, argc, argv);
    if (code != -1)
        return code;
    struct kin_message m = {.type = KIN_MSG_LINK};
    m.u.link = (struct kin_msg_link){.workflow = c.workflow,
                                     .kind = link_kind(c.arguments[0]),
                                     .source_a = kin_str_of(c.arguments[1]),
                                     .id_a = kin_str_of(c.arguments[2]),
                                     .source_b = kin_str_of(c.arguments[3]),
                                     .id_b = kin_str_of(c.arguments[4]),
                                     .who = kin_str_of(extra.who),
                                     .why = kin_str_of(extra.why)};
    if (!m.u.link.kind)
        return kin_served_usage(&c, c.expected);
    return ask_and_print(&c, &m, kin_served_print_link);
}

struct listing {
    const struct kin_served_command *command;
    uint64_t after;
    bool ended;
};

static enum kin_stream_next next_page(void *arg, struct kin_stream_ask *ask, struct kin_err *err)
{
    struct listing *l = arg;
    (void)err;
    if (l->ended)
        return KIN_STREAM_END;
    ask->message.type = KIN_MSG_LINKS;
    ask->message.u.links.workflow = l->command->workflow;
    ask->message.u.links.after = l->after;
    ask->message.u.links.limit = LINKS_PAGE;
    return KIN_STREAM_ASK;
}

static kin_status take_page(void *arg, struct kin_stream_ask *ask, const struct kin_message *m,
                            struct kin_str payload, struct kin_err *err)
{
    struct listing *l = arg;
    struct kin_buf out = {0};
    struct kin_str line;
    (void)ask;
    kin_status status = kin_stream_refusal(m, err);
    while (status == KIN_OK && kin_served_line(&payload, &line)) {
        if (l->command->json) {
            kin_buf_put(&out, line.p, line.n);
            kin_buf_putc(&out, '\n');
        } else {
            status = kin_served_print_link(line, &out, err);
        }
    }
    if (status == KIN_OK && out.failed)
        status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (out.n)
        fwrite(out.p, 1, out.n, stdout);
    kin_buf_deinit(&out);
    l->ended = m->u.answer.next <= l->after;
    l->after = m->u.answer.next;
    return status;
}

int kin_command_links(int argc, char **argv)
{
    struct kin_served_command c = {.name = "links",
                                   .help = links_help,
                                   .letters = "h",
                                   .options = plain_options,
                                   .expected = "takes no arguments"};
    struct listing l = {.command = &c};
    struct kin_stream_args stream = {.window = 1, .next = next_page, .take = take_page, .arg = &l};
    int code = kin_served_parse(&c, argc, argv);
    return code == -1 ? kin_served_run(&c, &stream) : code;
}

/* ---- explain ---- */

int kin_served_explain(struct kin_served_command *c, const char *a, const char *b)
{
    struct kin_message m = {.type = KIN_MSG_EXPLAIN};
    m.u.explain.workflow = c->workflow;
    if (!kin_served_record_name(a, &m.u.explain.source_a, &m.u.explain.id_a) ||
        !kin_served_record_name(b, &m.u.explain.source_b, &m.u.explain.id_b))
        return KIN_EXIT_USAGE;
    return ask_and_print(c, &m, kin_served_print_explanation);
}
