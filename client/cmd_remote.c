#include "client/cmd_remote.h"

#include "client/commands.h"
#include "client/display.h"
#include "client/link.h"
#include "client/remote.h"
#include "client/report_read.h"
#include "client/terminal.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* `kindred match --cluster` and `kindred attach`. */

struct session {
    const struct kin_cluster_options *cluster;
    struct kin_remote_job job;
    struct kin_remote_args remote;
    struct kin_link *link;
    struct kin_display display;
    bool quiet, strict, json_log;
    const char *shown_out; /* the output as the user named it */
    int code;
    struct kin_buf summary;
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void on_progress(void *arg, const struct kin_remote_progress *progress)
{
    struct session *s = arg;
    kin_display_remote(&s->display, progress, now_us());
}

static void clear(void *arg)
{
    struct session *s = arg;
    kin_display_clear(&s->display);
}

/* ---- what is said at the end ---- */

/* The result is in place: what is left is to say what it is. */
static int summarise(struct session *s, struct kin_str json)
{
    struct kin_report_read report;
    struct kin_err err;
    if (!json.n)
        kin_err_set(&err, KIN_E_LIMIT, "report.json is too large to be shown");
    if (!json.n || kin_report_read(json, &report, &err) != KIN_OK) {
        kin_terminal_say("%s", err.msg);
        if (!s->strict)
            return KIN_EXIT_OK;
        kin_terminal_say("--strict cannot tell whether records were rejected");
        return KIN_EXIT_FAILED;
    }
    if (!s->quiet)
        kin_display_summary(&report, report.total_seconds, s->shown_out, 0, &s->summary);
    int code = s->strict && report.rejected ? KIN_EXIT_REJECTED : KIN_EXIT_OK;
    kin_report_read_deinit(&report);
    return code;
}

static void say_goes_on(const struct session *s, uint64_t job)
{
    if (s->job.attach)
        return;
    kin_terminal_say("the same command goes on there (job %016llx)", (unsigned long long)job);
}

static void say_failure(const struct session *s, const struct kin_remote_result *result)
{
    if (!result->answered && result->status == KIN_E_IO) {
        struct kin_err trouble = kin_link_trouble(s->link);
        kin_terminal_say("%s: no coordinator answers (waited for %lu s)%s%s", s->cluster->address,
                         s->cluster->timeout_s, trouble.msg[0] ? ": " : "", trouble.msg);
        return;
    }
    kin_terminal_say("%s", result->error);
    if (result->job && result->status != KIN_E_CANCELLED && result->status != KIN_E_CHANGED &&
        result->status != KIN_E_NOTFOUND)
        say_goes_on(s, result->job);
}

static void on_done(void *arg, const struct kin_remote_result *result)
{
    struct session *s = arg;
    kin_display_clear(&s->display);
    if (result->status != KIN_OK) {
        say_failure(s, result);
        s->code = result->status == KIN_E_WORKFLOW ? KIN_EXIT_USAGE : KIN_EXIT_FAILED;
    } else if (s->job.detach) {
        kin_buf_printf(&s->summary, "%016llx\n", (unsigned long long)result->job);
        s->code = KIN_EXIT_OK;
    } else if (s->job.at_coordinator) {
        if (!s->quiet)
            kin_buf_printf(&s->summary, "done: the result is in %s at the coordinator\n",
                           s->job.out_dir);
        s->code = KIN_EXIT_OK;
    } else {
        s->code = summarise(s, result->report);
    }
    kin_link_stop(s->link);
}

static void on_refused(void *arg, const char *why)
{
    struct session *s = arg;
    kin_display_clear(&s->display);
    kin_terminal_say("%s: %s", s->cluster->address, why);
    s->code = KIN_EXIT_FAILED;
    kin_link_stop(s->link);
}

static void on_signal(void *arg, int number)
{
    struct session *s = arg;
    struct kin_remote_progress p = {.step = KIN_REMOTE_END};
    kin_display_clear(&s->display);
    if (!s->remote.self) /* it has not begun, or is over */
        return;
    unsigned long long job = kin_remote_job_id(s->remote.self);
    kin_remote_progress(s->remote.self, &p);
    if (p.step == KIN_REMOTE_END)
        return;
    s->code = KIN_EXIT_FAILED;
    if (p.step == KIN_REMOTE_DROP)
        kin_terminal_say("stopped by signal %d at the very end; what the cluster may still keep is "
                         "removed by: kindred cancel %016llx",
                         number, job);
    else if (!job)
        kin_terminal_say("stopped by signal %d before the cluster took the job", number);
    else if (p.step == KIN_REMOTE_SEND || p.step == KIN_REMOTE_SUBMIT)
        kin_terminal_say("stopped by signal %d while sources were sent; the cluster keeps what it "
                         "has of job %016llx, and the same command sends the rest",
                         number, job);
    else
        kin_terminal_say("stopped by signal %d; job %016llx goes on in the cluster. The same "
                         "command takes it up again, and so does: kindred attach %016llx -o %s",
                         number, job, job, s->shown_out);
}

/* ---- running ---- */

static int run(struct session *s)
{
    struct kin_link_options link = {.address = s->cluster->address,
                                    .secret_file = s->cluster->secret_file,
                                    .json_log = s->json_log,
                                    .ops = &kin_remote_ops,
                                    .args = &s->remote,
                                    .before_log = clear,
                                    .on_refused = on_refused,
                                    .on_signal = on_signal,
                                    .arg = s};
    bool leave = false;
    s->remote = (struct kin_remote_args){.job = &s->job,
                                         .patience_ms = (uint32_t)(s->cluster->timeout_s * 1000),
                                         .on_progress = on_progress,
                                         .on_done = on_done,
                                         .arg = s};
    s->display.active = !s->quiet && !s->json_log && isatty(STDERR_FILENO);
    s->code = KIN_EXIT_FAILED;
    int code = kin_link_open(&link, &s->link);
    if (code >= 0)
        return code;
    kin_link_run(s->link, &leave);
    kin_display_clear(&s->display);
    fwrite(s->summary.p ? s->summary.p : (const uint8_t *)"", 1, s->summary.n, stdout);
    kin_buf_deinit(&s->summary);
    if (leave) {
        bool written = fflush(stdout) == 0 && !ferror(stdout);
        _exit(written || s->code != KIN_EXIT_OK ? s->code : KIN_EXIT_FAILED);
    }
    return s->code;
}

static int check_link(const struct kin_cluster_options *cluster)
{
    return kin_link_check(&(struct kin_link_options){.address = cluster->address,
                                                     .secret_file = cluster->secret_file});
}

int kin_remote_match(const struct kin_cli_job *o)
{
    struct session s = {.cluster = &o->cluster,
                        .quiet = o->quiet,
                        .strict = o->strict,
                        .json_log = o->json_log,
                        .shown_out = o->out_dir};
    struct kin_buf out = {0}, base = {0};
    struct kin_err err;
    int code = check_link(&o->cluster);
    if (code == -1 && !o->at_coordinator)
        code = kin_match_check_output("match", o->out_dir);
    const char *base_dir = o->job.base_dir[0] ? o->job.base_dir : ".";
    if (code == -1 && (kin_cluster_absolute(o->out_dir, &out, &err) != KIN_OK ||
                       kin_cluster_absolute(base_dir, &base, &err) != KIN_OK)) {
        kin_terminal_say("%s", err.msg);
        code = KIN_EXIT_FAILED;
    }
    if (code == -1) {
        s.job = (struct kin_remote_job){
            .workflow = o->job.workflow,
            .base_dir = o->at_coordinator ? (const char *)base.p : o->job.base_dir,
            .out_dir = o->at_coordinator ? (const char *)out.p : o->out_dir,
            .identity = (const char *)out.p,
            .pairs = o->pairs,
            .serve = o->serve,
            .replace = o->replace,
            .at_coordinator = o->at_coordinator,
            .detach = o->detach};
        code = run(&s);
    }
    kin_buf_deinit(&out);
    kin_buf_deinit(&base);
    return code;
}

/* ---- attach ---- */

static const char attach_help[] =
    "usage: kindred attach JOB -o DIR --cluster URL [OPTIONS]\n"
    "\n"
    "Waits for a job of a cluster, and fetches its results to DIR, which appears whole or not at\n"
    "all. `kindred jobs` lists the jobs.\n"
    "\n"
    "  -o, --output DIR           where the outputs appear; an earlier result there is "
    "replaced\n" KIN_CLUSTER_HELP
    "      --strict               exit status 3 if any record was rejected\n"
    "      --log json             one JSON line an event on stderr instead of the progress "
    "display\n"
    "  -q, --quiet                no progress, no summary\n"
    "  -h, --help                 this text\n"
    "\n"
    "KINDRED_CLUSTER and KINDRED_SECRET_FILE stand in for --cluster and --secret-file.\n";

enum { OPT_STRICT = 256, OPT_LOG };

static const struct option attach_options[] = {{"output", required_argument, NULL, 'o'},
                                               KIN_CLUSTER_OPTIONS,
                                               {"strict", no_argument, NULL, OPT_STRICT},
                                               {"log", required_argument, NULL, OPT_LOG},
                                               {"quiet", no_argument, NULL, 'q'},
                                               {"help", no_argument, NULL, 'h'},
                                               {NULL, 0, NULL, 0}};

static bool take_option(struct session *s, struct kin_cluster_options *cluster, int c)
{
    bool fine;
    if (kin_cluster_take(cluster, c, optarg, &fine))
        return fine;
    switch (c) {
    case 'o':
        s->shown_out = optarg;
        return true;
    case 'q':
        s->quiet = true;
        return true;
    case OPT_STRICT:
        s->strict = true;
        return true;
    case OPT_LOG:
        s->json_log = strcmp(optarg, "json") == 0;
        if (!s->json_log)
            fprintf(stderr, "kindred: --log: '%s' is not known; expected json\n", optarg);
        return s->json_log;
    default:
        return false; /* getopt_long has said what is wrong */
    }
}

static int attach_usage(const char *what)
{
    if (what)
        fprintf(stderr, "kindred attach: %s\n", what);
    fputs("`kindred attach --help` lists the options.\n", stderr);
    return KIN_EXIT_USAGE;
}

int kin_command_attach(int argc, char **argv)
{
    struct kin_cluster_options cluster;
    struct session s = {.cluster = &cluster};
    kin_cluster_begin(&cluster);
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int c; (c = getopt_long(argc, argv, "o:qh", attach_options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(attach_help, stdout);
            return KIN_EXIT_OK;
        }
        if (!take_option(&s, &cluster, c))
            return attach_usage(NULL);
    }
    if (optind + 1 != argc)
        return attach_usage("expected one job");
    if (!s.shown_out || !*s.shown_out)
        return attach_usage("-o DIR is missing: where should the outputs go?");
    if (!cluster.address)
        return attach_usage("--cluster URL is missing");
    if (!kin_cluster_job_id(argv[optind], &s.job.attach))
        return attach_usage(NULL);
    s.job.out_dir = s.shown_out;
    int code = check_link(&cluster);
    if (code == -1)
        code = kin_match_check_output("attach", s.shown_out);
    return code == -1 ? run(&s) : code;
}
