#include "client/commands.h"
#include "client/live_command.h"
#include "client/live_put.h"
#include "client/live_text.h"
#include "client/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* `kindred put` and `kindred delete`. */

static const char put_help[] =
    "usage: kindred put FILE... --cluster URL [OPTIONS]\n"
    "\n"
    "Puts the records of CSV or JSON Lines files (.gz and .zst too; - is standard input) to a\n"
    "workflow that is served: a record whose id is there already takes its place, one with a true\n"
    "DELETE column is removed. Of several lines with one id the last counts. To put a file again\n"
    "does no harm, so what was interrupted is simply repeated.\n"
    "\n"
    "      --source S             the source they are of, where the workflow has several\n"
    "      --wait                 until lookups see them; else until they are durable\n"
    "      --errors FILE          what is rejected, in the format of errors.csv\n"
    "      --strict               exit status 3 if any record was rejected\n"
    "  -q, --quiet                no progress, no summary\n" KIN_SERVED_HELP
    "      --json                 the answer to each record, as it came, on standard "
    "output\n" KIN_SERVED_HELP_END;

static const char delete_help[] =
    "usage: kindred delete SOURCE ID... --cluster URL [OPTIONS]\n"
    "\n"
    "Removes records of a source, waits until that is done, and tells which records are no longer\n"
    "in one MatchGroup because of it.\n"
    "\n" KIN_SERVED_HELP
    "      --json                 the answer to each id, as it came\n" KIN_SERVED_HELP_END;

enum { OPT_SOURCE = 700, OPT_WAIT, OPT_ERRORS, OPT_STRICT, SHOWN = 10 };

static const struct option put_options[] = {KIN_SERVED_OPTIONS,
                                            KIN_SERVED_JSON,
                                            {"source", required_argument, NULL, OPT_SOURCE},
                                            {"wait", no_argument, NULL, OPT_WAIT},
                                            {"errors", required_argument, NULL, OPT_ERRORS},
                                            {"strict", no_argument, NULL, OPT_STRICT},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {NULL, 0, NULL, 0}};
static const struct option delete_options[] = {
    KIN_SERVED_OPTIONS, KIN_SERVED_JSON, {NULL, 0, NULL, 0}};

struct putting {
    struct kin_served_command command;
    struct kin_put put;
    int file; /* of the arguments, the next one */
    size_t id;
    const char *errors_path;
    FILE *errors;
    struct kin_buf text;
    uint64_t errors_shown;
    bool strict, quiet, progress;
};

static bool take_option(void *arg, int c, const char *value)
{
    struct putting *p = arg;
    switch (c) {
    case OPT_SOURCE:
        p->put.source = kin_str_of(value);
        return true;
    case OPT_WAIT:
        p->put.wait = true;
        return true;
    case OPT_ERRORS:
        p->errors_path = value;
        return true;
    case OPT_STRICT:
        p->strict = true;
        return true;
    default:
        p->quiet = true;
        return true;
    }
}

/* ---- what becomes of records ---- */

static kin_status write_text(struct putting *p, FILE *to, const char *name, struct kin_err *err)
{
    bool fine = !p->text.failed && fwrite(p->text.p, 1, p->text.n, to) == p->text.n;
    kin_buf_clear(&p->text);
    return fine ? KIN_OK : kin_err_set(err, KIN_E_IO, "%s cannot be written", name);
}

static kin_status on_rejected(struct putting *p, const struct kin_put_line *line,
                              struct kin_err *err)
{
    if (p->errors) {
        kin_put_error_row(&p->text, p->put.source, line);
        return write_text(p, p->errors, p->errors_path, err);
    }
    if (p->errors_shown++ < SHOWN)
        kin_terminal_say("%s:%llu: %.*s%s%.*s", line->file ? line->file : "",
                         (unsigned long long)line->line, (int)line->field.n, line->field.p,
                         line->field.n ? ": " : "", (int)line->reason.n, line->reason.p);
    return KIN_OK;
}

static void show_progress(struct putting *p)
{
    if (p->progress && p->put.read % KIN_PUT_LINES == 0)
        fprintf(stderr, "\r%llu records", (unsigned long long)p->put.read);
}

static kin_status on_line(void *arg, const struct kin_put_line *line, struct kin_err *err)
{
    struct putting *p = arg;
    kin_status status = KIN_OK;
    show_progress(p);
    if (p->command.json && line->json.n) {
        kin_buf_put(&p->text, line->json.p, line->json.n);
        kin_buf_putc(&p->text, '\n');
        status = write_text(p, stdout, "standard output", err);
    }
    if (status == KIN_OK && line->outcome == KIN_PUT_REJECTED)
        status = on_rejected(p, line, err);
    return status;
}

static kin_status on_deleted(void *arg, const struct kin_put_line *line, struct kin_err *err)
{
    struct putting *p = arg;
    kin_status status = KIN_OK;
    if (p->command.json) {
        kin_buf_put(&p->text, line->json.p, line->json.n);
        kin_buf_putc(&p->text, '\n');
    } else {
        status = kin_served_print_outcome(line->json, &p->text, err);
    }
    return status == KIN_OK ? write_text(p, stdout, "standard output", err) : status;
}

/* ---- put ---- */

static enum kin_stream_next next_request(void *arg, struct kin_stream_ask *ask, struct kin_err *err)
{
    struct putting *p = arg;
    for (;;) {
        enum kin_stream_next next = kin_put_next(&p->put, ask, err);
        if (next != KIN_STREAM_END || p->file == p->command.count)
            return next;
        if (kin_put_open(&p->put, p->command.arguments[p->file++], err) != KIN_OK)
            return KIN_STREAM_FAIL;
    }
}

static kin_status take_answer(void *arg, struct kin_stream_ask *ask, const struct kin_message *m,
                              struct kin_str payload, struct kin_err *err)
{
    struct putting *p = arg;
    return kin_put_take(&p->put, ask, m, payload, err);
}

static void say_summary(struct putting *p, const char *before, FILE *to)
{
    struct kin_buf text = {0};
    kin_buf_puts(&text, before);
    kin_put_summary(&p->put, &text);
    kin_buf_putc(&text, '\n');
    if (p->progress)
        fputs("\r\033[K", stderr);
    if (text.n)
        fwrite(text.p, 1, text.n, to);
    kin_buf_deinit(&text);
}

static void interrupted(void *arg)
{
    struct putting *p = arg;
    say_summary(p, "kindred: stopped; of what was answered, ", stderr);
    fputs("kindred: the same command again puts the rest, and does no harm to what is put\n",
          stderr);
}

static int open_errors(struct putting *p)
{
    if (!p->errors_path)
        return -1;
    p->errors = fopen(p->errors_path, "we");
    if (p->errors && fputs(kin_put_errors_header, p->errors) >= 0)
        return -1;
    kin_terminal_say("%s: %s", p->errors_path, strerror(errno)); // NOLINT(concurrency-mt-unsafe)
    return KIN_EXIT_FAILED;
}

static int close_errors(struct putting *p, int code)
{
    if (!p->errors || fclose(p->errors) == 0)
        return code;
    kin_terminal_say("%s cannot be written", p->errors_path);
    return KIN_EXIT_FAILED;
}

static int run_put(struct putting *p)
{
    struct kin_stream_args stream = {.window = KIN_PUT_WINDOW,
                                     .ordered = true,
                                     .next = next_request,
                                     .take = take_answer,
                                     .arg = p};
    int code = kin_served_run(&p->command, &stream);
    code = close_errors(p, code);
    if (p->errors_shown > SHOWN)
        kin_terminal_say("and %llu more; --errors FILE keeps them all",
                         (unsigned long long)p->errors_shown - SHOWN);
    if (code == KIN_EXIT_OK && !p->quiet)
        say_summary(p, "", p->command.json ? stderr : stdout);
    if (code == KIN_EXIT_OK && p->strict && p->put.counts[KIN_PUT_REJECTED])
        code = KIN_EXIT_REJECTED;
    return code;
}

int kin_command_put(int argc, char **argv)
{
    struct putting p = {.command = {.name = "put",
                                    .help = put_help,
                                    .letters = "qh",
                                    .options = put_options,
                                    .least = 1,
                                    .most = -1,
                                    .expected = "expected a file",
                                    .take = take_option,
                                    .arg = &p,
                                    .interrupted = interrupted}};
    int code = kin_served_parse(&p.command, argc, argv);
    if (code == -1)
        code = open_errors(&p);
    if (code == -1) {
        p.put.workflow = p.command.workflow;
        p.put.on_line = on_line;
        p.put.arg = &p;
        p.progress = !p.quiet && isatty(STDERR_FILENO);
        code = run_put(&p);
    }
    kin_put_deinit(&p.put);
    kin_buf_deinit(&p.text);
    return code;
}

/* ---- delete ---- */

static enum kin_stream_next next_delete(void *arg, struct kin_stream_ask *ask, struct kin_err *err)
{
    struct putting *p = arg;
    return kin_put_next_delete(&p->put, p->command.arguments + 1, (size_t)p->command.count - 1,
                               &p->id, ask, err);
}

int kin_command_delete(int argc, char **argv)
{
    struct putting p = {.command = {.name = "delete",
                                    .help = delete_help,
                                    .letters = "h",
                                    .options = delete_options,
                                    .least = 2,
                                    .most = -1,
                                    .expected = "expected a source and an id"}};
    struct kin_stream_args stream = {
        .window = 1, .ordered = true, .next = next_delete, .take = take_answer, .arg = &p};
    int code = kin_served_parse(&p.command, argc, argv);
    if (code != -1)
        return code;
    p.put.workflow = p.command.workflow;
    p.put.source = kin_str_of(p.command.arguments[0]);
    p.put.wait = true;
    p.put.on_line = on_deleted;
    p.put.arg = &p;
    code = kin_served_run(&p.command, &stream);
    if (code == KIN_EXIT_OK && p.put.counts[KIN_PUT_REJECTED])
        code = KIN_EXIT_FAILED;
    kin_put_deinit(&p.put);
    kin_buf_deinit(&p.text);
    return code;
}
