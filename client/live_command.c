#include "client/live_command.h"

#include "client/link.h"
#include "client/terminal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the command line ---- */

int kin_served_usage(const struct kin_served_command *c, const char *what)
{
    if (what)
        fprintf(stderr, "kindred %s: %s\n", c->name, what);
    fprintf(stderr, "`kindred %s --help` lists the options.\n", c->name);
    return KIN_EXIT_USAGE;
}

static bool take_option(struct kin_served_command *c, int option)
{
    bool fine = true;
    if (kin_cluster_take(&c->cluster, option, optarg, &fine))
        return fine;
    if (option == KIN_OPT_WORKFLOW)
        c->workflow = kin_str_of(optarg);
    else if (option == KIN_OPT_JSON)
        c->json = true;
    else if (option == '?') /* getopt_long has said what is wrong */
        return false;
    else
        return c->take && c->take(c->arg, option, optarg);
    return true;
}

int kin_served_parse(struct kin_served_command *c, int argc, char **argv)
{
    kin_cluster_begin(&c->cluster);
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int o; (o = getopt_long(argc, argv, c->letters, c->options, NULL)) != -1;) {
        if (o == 'h') {
            fputs(c->help, stdout);
            return KIN_EXIT_OK;
        }
        if (!take_option(c, o))
            return kin_served_usage(c, NULL);
    }
    c->arguments = argv + optind;
    c->count = argc - optind;
    if (c->count < c->least || (c->most >= 0 && c->count > c->most))
        return kin_served_usage(c, c->expected);
    if (!c->cluster.address)
        return kin_served_usage(c, "--cluster URL is missing");
    return -1;
}

bool kin_served_record_name(const char *name, struct kin_str *source, struct kin_str *id)
{
    const char *slash = strchr(name, '/');
    if (!slash || slash == name || !slash[1]) {
        kin_terminal_say("'%s' is no record: expected SOURCE/ID", name);
        return false;
    }
    *source = (struct kin_str){name, (size_t)(slash - name)};
    *id = kin_str_of(slash + 1);
    return true;
}

/* ---- running ---- */

static void on_end(void *arg, kin_status status, bool heard, const char *text)
{
    struct kin_served_command *c = arg;
    if (status == KIN_E_IO && !heard) {
        struct kin_err trouble = kin_link_trouble(c->link);
        kin_terminal_say("%s: %s (waited for %lu s)%s%s", c->cluster.address, text,
                         c->cluster.timeout_s, trouble.msg[0] ? ": " : "", trouble.msg);
    } else if (status != KIN_OK) {
        kin_terminal_say("%s", text[0] ? text : kin_status_text(status));
    }
    if (status != KIN_OK)
        c->code = KIN_EXIT_FAILED;
    kin_link_stop(c->link);
}

static void on_refused(void *arg, const char *why)
{
    struct kin_served_command *c = arg;
    kin_terminal_say("%s: %s", c->cluster.address, why);
    c->code = KIN_EXIT_FAILED;
    kin_link_stop(c->link);
}

static void on_signal(void *arg, int number)
{
    struct kin_served_command *c = arg;
    (void)number;
    c->stopped = true;
    c->code = c->endless ? KIN_EXIT_OK : KIN_EXIT_FAILED;
}

int kin_served_run(struct kin_served_command *c, struct kin_stream_args *stream)
{
    struct kin_link_options link = {.address = c->cluster.address,
                                    .secret_file = c->cluster.secret_file,
                                    .ops = &kin_stream_ops,
                                    .args = stream,
                                    .on_refused = on_refused,
                                    .on_signal = on_signal,
                                    .arg = c};
    bool leave = false;
    stream->patience_ms = (uint32_t)(c->cluster.timeout_s * 1000);
    stream->on_end = on_end;
    stream->end_arg = c;
    c->code = KIN_EXIT_OK;
    int code = kin_link_check(&link);
    if (code == -1)
        code = kin_link_open(&link, &c->link);
    if (code >= 0)
        return code;
    kin_link_run(c->link, &leave);
    alarm(0); /* of a signal: what was under way has ended in time */
    if (c->stopped && c->interrupted)
        c->interrupted(c->arg);
    if (leave) {
        bool written = fflush(NULL) == 0 && !ferror(stdout);
        _exit(written || c->code != KIN_EXIT_OK ? c->code : KIN_EXIT_FAILED);
    }
    return c->code;
}

/* ---- one question ---- */

struct question {
    const struct kin_message *message;
    struct kin_buf *payload;
    struct kin_message *answer;
    struct kin_buf *got;
    bool asked;
};

static enum kin_stream_next next_question(void *arg, struct kin_stream_ask *ask,
                                          struct kin_err *err)
{
    struct question *q = arg;
    (void)err;
    if (q->asked)
        return KIN_STREAM_END;
    q->asked = true;
    ask->message = *q->message;
    if (q->payload) {
        ask->payload = *q->payload;
        *q->payload = (struct kin_buf){0};
    }
    return KIN_STREAM_ASK;
}

static kin_status take_answer(void *arg, struct kin_stream_ask *ask, const struct kin_message *m,
                              struct kin_str payload, struct kin_err *err)
{
    struct question *q = arg;
    (void)ask;
    kin_status status = kin_stream_refusal(m, err);
    if (status != KIN_OK)
        return status;
    *q->answer = *m;
    q->answer->u.answer.text = (struct kin_str){"", 0};
    kin_buf_put(q->got, payload.p, payload.n);
    return q->got->failed ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}

int kin_served_ask(struct kin_served_command *c, const struct kin_message *ask,
                   struct kin_buf *payload, struct kin_message *m, struct kin_buf *answer)
{
    struct question q = {.message = ask, .payload = payload, .answer = m, .got = answer};
    struct kin_stream_args stream = {
        .window = 1, .next = next_question, .take = take_answer, .arg = &q};
    return kin_served_run(c, &stream);
}
