#include "client/cluster_options.h"
#include "client/commands.h"
#include "client/link.h"
#include "client/question.h"
#include "client/status_read.h"
#include "client/terminal.h"
#include "proto/jobs.h"

#include <getopt.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* `kindred jobs`, `kindred status` and `kindred cancel`: one question each, or two. */

enum { JOBS_SHOWN = 100, STATUS_JOBS_SHOWN = 10 };

static const char jobs_help[] =
    "usage: kindred jobs --cluster URL [OPTIONS]\n"
    "\n"
    "Lists the jobs of a cluster, the latest first.\n"
    "\n" KIN_CLUSTER_HELP "      --json                 all of it as JSON\n"
    "  -h, --help                 this text\n"
    "\n"
    "KINDRED_CLUSTER and KINDRED_SECRET_FILE stand in for --cluster and --secret-file.\n";

static const char status_help[] =
    "usage: kindred status --cluster URL [OPTIONS]\n"
    "\n"
    "Shows what a cluster is doing: its workers, and the latest jobs.\n"
    "\n" KIN_CLUSTER_HELP "      --json                 all of it as JSON\n"
    "      --worker NAME          only whether the worker of that name is joined: exit status 0,\n"
    "                             or 1 if it is not\n"
    "  -h, --help                 this text\n"
    "\n"
    "KINDRED_CLUSTER and KINDRED_SECRET_FILE stand in for --cluster and --secret-file.\n";

static const char cancel_help[] =
    "usage: kindred cancel JOB --cluster URL [OPTIONS]\n"
    "\n"
    "Cancels a job of a cluster. Of one that is done, the results that wait to be fetched are\n"
    "removed. `kindred jobs` lists the jobs.\n"
    "\n" KIN_CLUSTER_HELP "  -h, --help                 this text\n"
    "\n"
    "KINDRED_CLUSTER and KINDRED_SECRET_FILE stand in for --cluster and --secret-file.\n";

enum { OPT_JSON = 256, OPT_WORKER };

static const struct option jobs_options[] = {KIN_CLUSTER_OPTIONS,
                                             {"json", no_argument, NULL, OPT_JSON},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};
static const struct option status_options[] = {KIN_CLUSTER_OPTIONS,
                                               {"json", no_argument, NULL, OPT_JSON},
                                               {"worker", required_argument, NULL, OPT_WORKER},
                                               {"help", no_argument, NULL, 'h'},
                                               {NULL, 0, NULL, 0}};
static const struct option cancel_options[] = {
    KIN_CLUSTER_OPTIONS, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

struct command {
    const char *name, *help;
    const struct option *options;
    int arguments;
    struct kin_cluster_options cluster;
    bool json;
    const char *worker;
    const char *argument;
};

/* -1: go on; else the exit status. */
static int parse(struct command *o, int argc, char **argv)
{
    bool fine = true;
    kin_cluster_begin(&o->cluster);
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int c; fine && (c = getopt_long(argc, argv, "h", o->options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(o->help, stdout);
            return KIN_EXIT_OK;
        }
        if (kin_cluster_take(&o->cluster, c, optarg, &fine))
            continue;
        o->json = o->json || c == OPT_JSON;
        if (c == OPT_WORKER)
            o->worker = optarg;
        fine = c == OPT_JSON || c == OPT_WORKER; /* else getopt_long has said what is wrong */
    }
    if (fine && argc - optind != o->arguments) {
        fprintf(stderr, "kindred %s: %s\n", o->name,
                o->arguments ? "expected one job" : "takes no arguments");
        fine = false;
    }
    if (fine && !o->cluster.address) {
        fprintf(stderr, "kindred %s: --cluster URL is missing\n", o->name);
        fine = false;
    }
    if (!fine) {
        fprintf(stderr, "`kindred %s --help` lists the options.\n", o->name);
        return KIN_EXIT_USAGE;
    }
    o->argument = o->arguments ? argv[optind] : NULL;
    return -1;
}

/* ---- asking ---- */

struct asking {
    const struct command *command;
    struct kin_question question;
    struct kin_link *link;
    kin_status status;
    struct kin_message answer; /* its texts are not kept */
    struct kin_buf payload;
    bool answered;
    int code;
};

static void on_answer(void *arg, kin_status status, const struct kin_message *m,
                      struct kin_str payload)
{
    struct asking *a = arg;
    const struct kin_cluster_options *cluster = &a->command->cluster;
    if (status == KIN_OK) {
        a->answered = true;
        a->answer = *m;
        kin_buf_put(&a->payload, payload.p, payload.n);
    } else if (status == KIN_E_IO) {
        struct kin_err trouble = kin_link_trouble(a->link);
        kin_terminal_say("%s: no coordinator answers (waited for %lu s)%s%s", cluster->address,
                         cluster->timeout_s, trouble.msg[0] ? ": " : "", trouble.msg);
    } else {
        kin_terminal_say("%s: the coordinator speaks another version of the protocol",
                         cluster->address);
    }
    kin_link_stop(a->link);
}

static void on_refused(void *arg, const char *why)
{
    struct asking *a = arg;
    kin_terminal_say("%s: %s", a->command->cluster.address, why);
    kin_link_stop(a->link);
}

/* -1: there is an answer; else the exit status. *leave as of kin_link_run. */
static int ask(struct asking *a, const struct kin_message *message, uint32_t answer, bool *leave)
{
    const struct kin_cluster_options *cluster = &a->command->cluster;
    struct kin_link_options link = {.address = cluster->address,
                                    .secret_file = cluster->secret_file,
                                    .ops = &kin_question_ops,
                                    .args = &a->question,
                                    .on_refused = on_refused,
                                    .arg = a};
    bool left = false;
    a->answered = false;
    a->question = (struct kin_question){.ask = *message,
                                        .answer = answer,
                                        .patience_ms = (uint32_t)(cluster->timeout_s * 1000),
                                        .on_answer = on_answer,
                                        .arg = a};
    kin_buf_clear(&a->payload);
    int code = kin_link_check(&link);
    if (code == -1)
        code = kin_link_open(&link, &a->link);
    if (code >= 0)
        return code;
    kin_link_run(a->link, &left);
    *leave = *leave || left;
    return a->answered ? -1 : KIN_EXIT_FAILED;
}

/* Ends the command: out goes to stdout. */
static int finish(struct asking *a, struct kin_buf *out, int code, bool leave)
{
    fwrite(out->p ? out->p : (const uint8_t *)"", 1, out->n, stdout);
    kin_buf_deinit(out);
    kin_buf_deinit(&a->payload);
    if (leave) {
        bool written = fflush(stdout) == 0 && !ferror(stdout);
        _exit(written || code != KIN_EXIT_OK ? code : KIN_EXIT_FAILED);
    }
    return code;
}

/* ---- the commands ---- */

static uint64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int show(const struct command *o, struct kin_status_read *s, struct kin_buf *out)
{
    if (o->worker) {
        bool joined = kin_status_worker(s, o->worker);
        kin_buf_puts(out, "worker ");
        kin_terminal_put(out, kin_str_of(o->worker), 64);
        kin_buf_puts(out, joined ? " is joined\n" : " is not joined\n");
        return joined ? KIN_EXIT_OK : KIN_EXIT_FAILED;
    }
    if (o->json)
        kin_status_json(s, out);
    else if (o->options == status_options)
        kin_status_cluster(s, wall_ms(), out);
    else
        kin_status_jobs(s, wall_ms(), out);
    return out->failed ? KIN_EXIT_FAILED : KIN_EXIT_OK;
}

static int show_status(struct command *o, int argc, char **argv, uint32_t jobs)
{
    struct asking a = {.command = o};
    struct kin_message m = {.type = KIN_MSG_STATUS};
    struct kin_buf out = {0};
    struct kin_status_read *status = NULL;
    struct kin_err err;
    bool leave = false;
    int code = parse(o, argc, argv);
    if (code >= 0)
        return code;
    m.u.status.jobs_max = jobs;
    code = ask(&a, &m, KIN_MSG_STATUS_GOT, &leave);
    if (code == -1 && a.answer.u.status_got.status != KIN_OK) {
        kin_terminal_say("the coordinator says: %s",
                         kin_status_text((kin_status)a.answer.u.status_got.status));
        code = KIN_EXIT_FAILED;
    }
    if (code == -1 && kin_status_read((struct kin_str){(const char *)a.payload.p, a.payload.n},
                                      &status, &err) != KIN_OK) {
        kin_terminal_say("%s", err.msg);
        code = KIN_EXIT_FAILED;
    }
    if (code == -1)
        code = show(o, status, &out);
    kin_status_read_free(status);
    return finish(&a, &out, code, leave);
}

int kin_command_jobs(int argc, char **argv)
{
    struct command o = {.name = "jobs", .help = jobs_help, .options = jobs_options};
    return show_status(&o, argc, argv, JOBS_SHOWN);
}

int kin_command_status(int argc, char **argv)
{
    struct command o = {.name = "status", .help = status_help, .options = status_options};
    return show_status(&o, argc, argv, STATUS_JOBS_SHOWN);
}

static const char *what_became(uint32_t state)
{
    switch (state) {
    case KIN_JOB_DONE:
        return "it was done; its results are removed, if they were kept";
    case KIN_JOB_FAILED:
        return "it had failed; what was kept of it is removed";
    case KIN_JOB_CANCELLED:
        return "it was cancelled before";
    default:
        return "cancelled";
    }
}

int kin_command_cancel(int argc, char **argv)
{
    struct command o = {
        .name = "cancel", .help = cancel_help, .options = cancel_options, .arguments = 1};
    struct asking a = {.command = &o};
    struct kin_message m = {.type = KIN_MSG_JOB_STATE};
    struct kin_buf out = {0};
    uint64_t job = 0;
    bool leave = false;
    int code = parse(&o, argc, argv);
    if (code == -1 && !kin_cluster_job_id(o.argument, &job))
        code = KIN_EXIT_USAGE;
    if (code >= 0)
        return code;
    m.u.job_state.job = job;
    code = ask(&a, &m, KIN_MSG_JOB_STATE_GOT, &leave);
    uint32_t state = a.answer.u.job_state_got.state;
    if (code == -1 && state != 0) {
        m = (struct kin_message){.type = KIN_MSG_JOB_DROP};
        m.u.job_drop.job = job;
        code = ask(&a, &m, KIN_MSG_STEP_DONE, &leave);
    }
    if (code == -1 && state == 0) {
        kin_terminal_say("the coordinator has no job %s", o.argument);
        code = KIN_EXIT_FAILED;
    } else if (code == -1) {
        kin_buf_printf(&out, "job %s: %s\n", o.argument, what_became(state));
        code = KIN_EXIT_OK;
    }
    return finish(&a, &out, code, leave);
}
