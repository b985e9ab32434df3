#include "client/cmd_remote.h"
#include "client/commands.h"
#include "client/display.h"
#include "client/job_options.h"
#include "client/report_read.h"
#include "client/terminal.h"
#include "client/train_labels.h"
#include "common/cli/output_dir.h"
#include "common/cli/state_dir.h"
#include "common/env/live/live.h"
#include "common/record/reader.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* `kindred match`, `kindred plan` and `kindred train`: the embedded cluster, and what is shown of
 * it. A match on another cluster is cmd_remote.c's. */

enum { PATH_BYTES = KIN_OUTPUT_DIR_MAX + 200 };

struct session {
    struct kin_cli_job o;
    struct kin_display display;
    bool plan;                      /* or train: nothing is kept */
    struct kin_buf model, training; /* of a trained one */
    uint64_t rejected;
    struct kin_buf summary;
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void on_progress(void *arg, const struct kin_progress *progress)
{
    struct session *s = arg;
    kin_display_progress(&s->display, progress, now_us());
}

static void on_log(void *arg, kin_node_id node, char level, const char *event, const char *text)
{
    struct session *s = arg;
    if (!s->o.json_log && strcmp(event, "job_failed") == 0)
        return; /* run() says the same in a better way */
    kin_display_clear(&s->display);
    kin_cli_log(s->o.json_log, node, level, event, text);
}

static unsigned thread_count(const struct kin_cli_job *o)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return o->threads ? (unsigned)o->threads : n > 0 ? (unsigned)n : 1;
}

static uint64_t peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

/* From report.json's text, as where it comes from another cluster. */
static void summarise(struct session *s, const struct kin_report *report)
{
    struct kin_buf json = {0};
    struct kin_report_read read;
    struct kin_err err = {0};
    kin_status status = kin_report_json(report, s->o.workflow, &json);
    if (status == KIN_OK)
        status = kin_report_read((struct kin_str){(const char *)json.p, json.n}, &read, &err);
    if (status == KIN_OK) {
        kin_display_summary(&read, (double)report->total_us / 1e6, s->o.out_dir, peak_bytes(),
                            &s->summary);
        kin_report_read_deinit(&read);
    } else {
        kin_terminal_say("the summary cannot be made: %s", kin_status_text(status));
    }
    kin_buf_deinit(&json);
}

static void on_report(void *arg, const struct kin_report *report)
{
    struct session *s = arg;
    s->rejected = report->rejected;
    if (s->o.job.train_only)
        return;
    if (s->plan && s->o.json) {
        if (kin_report_json(report, s->o.workflow, &s->summary) != KIN_OK)
            kin_terminal_say("the plan cannot be written: out of memory");
    } else if (s->plan) {
        kin_display_plan(report, s->o.workflow, thread_count(&s->o), &s->summary);
    } else if (!s->o.quiet) {
        summarise(s, report);
    }
}

static void on_model(void *arg, struct kin_str model, struct kin_str training)
{
    struct session *s = arg;
    kin_buf_put(&s->model, model.p, model.n);
    kin_buf_put(&s->training, training.p, training.n);
}

/* What the stores will hold, in MiB begun: features and rows, a few times the bytes of the sources.
 */
static uint64_t stores_mib(const struct kin_workflow *w)
{
    enum { PER_BYTE = 4, PER_COMPRESSED_BYTE = 40, MIB = 1024 * 1024 };
    uint64_t bytes = 0;
    struct kin_err err;
    for (size_t s = 0; s < w->source_count; s++) {
        for (size_t p = 0; p < w->sources[s].path_count; p++) {
            struct kin_source_list list = {0};
            if (kin_live_source_list(NULL, w->sources[s].paths[p], &list, &err) != KIN_OK)
                continue; /* the job will say so */
            for (size_t i = 0; i < list.count; i++) {
                bool plain = kin_compression_of(list.files[i].path) == KIN_PLAIN;
                bytes += list.files[i].bytes * (plain ? PER_BYTE : PER_COMPRESSED_BYTE);
            }
            kin_source_list_deinit(&list);
        }
    }
    return bytes / MIB + (bytes % MIB != 0);
}

/* A job that is loaded in seconds is sooner begun anew than written down. */
static bool fits_in_memory(const struct kin_cli_job *o)
{
    uint64_t limit = o->workflow->limits.memory;
    if (o->state_dir || o->keep_state || o->fsync || limit == 0)
        return false;
    if (limit == (uint32_t)KIN_MEMORY_AUTO)
        limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) >> 22;
    return stores_mib(o->workflow) * (o->workers > 1 ? 2 : 1) <= limit;
}

/* state_dir: NULL: the job keeps none. */
static int run(struct session *s, const char *state_dir)
{
    struct kin_err err = {0};
    bool started = false, existed = state_dir && access(state_dir, F_OK) == 0;
    uint64_t records = 0; /* taken in by the end, whatever the end */
    struct kin_embedded_options embedded = {.records = &records,
                                            .job = &s->o.job,
                                            .state_dir = state_dir,
                                            .workers = (unsigned)s->o.workers,
                                            .threads = thread_count(&s->o),
                                            .fsync = s->o.fsync,
                                            .keep = s->o.keep_state,
                                            .on_progress = on_progress,
                                            .log_line = on_log,
                                            .on_report = on_report,
                                            .on_model = s->o.job.train_only ? on_model : NULL,
                                            .arg = s,
                                            .started = &started};
    if (state_dir && kin_state_dir_check(state_dir, &err) != KIN_OK) {
        fprintf(stderr, "kindred: %s\n", err.msg);
        return KIN_EXIT_USAGE;
    }
    s->display.active = !s->o.quiet && !s->o.json_log && isatty(STDERR_FILENO);
    kin_status status = kin_embedded_run(&embedded, &err);
    kin_display_clear(&s->display);
    if (status != KIN_OK) {
        fprintf(stderr, "kindred: %s\n", err.msg);
        /* where nothing was done there is nothing to keep */
        if (!state_dir)
            return KIN_EXIT_FAILED;
        if (records == 0 && !existed && kin_state_dir_remove(state_dir, &err) == KIN_OK)
            return KIN_EXIT_FAILED;
        if (!s->plan && started)
            fprintf(stderr,
                    "kindred: what was done is kept in %s; the same command goes on there\n",
                    state_dir);
        return KIN_EXIT_FAILED;
    }
    if (state_dir && !s->o.keep_state && kin_state_dir_remove(state_dir, &err) != KIN_OK)
        fprintf(stderr, "kindred: %s\n", err.msg); /* the result stands all the same */
    fwrite(s->summary.p ? s->summary.p : (const uint8_t *)"", 1, s->summary.n, stdout);
    return s->o.strict && s->rejected ? KIN_EXIT_REJECTED : KIN_EXIT_OK;
}

/* Bytes of the path without the slashes at its end. */
static size_t path_bytes(const char *dir)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    return n;
}

int kin_match_check_output(const char *command, const char *out_dir)
{
    size_t n = path_bytes(out_dir);
    if (n > KIN_OUTPUT_DIR_MAX) {
        fprintf(stderr, "kindred %s: the path of the output is too long\n", command);
        return KIN_EXIT_USAGE;
    }
    return kin_output_dir_check("kindred", out_dir, n);
}

static int match(struct session *s)
{
    char state[PATH_BYTES];
    const char *out = s->o.out_dir, *given = s->o.state_dir;
    size_t n = path_bytes(out);
    if (n <= KIN_OUTPUT_DIR_MAX && given && strncmp(given, out, n) == 0 &&
        (given[n] == '/' || !given[n])) {
        fprintf(stderr, "kindred: %s: the state cannot be inside the output\n", given);
        return KIN_EXIT_USAGE;
    }
    int code = kin_match_check_output("match", out);
    if (code >= 0)
        return code;
    snprintf(state, sizeof state, "%.*s.state", (int)n, out);
    /* one that an earlier run left is gone on with */
    if (access(state, F_OK) != 0 && fits_in_memory(&s->o))
        return run(s, NULL);
    return run(s, given ? given : state);
}

static void session_deinit(struct session *s)
{
    kin_buf_deinit(&s->summary);
    kin_buf_deinit(&s->model);
    kin_buf_deinit(&s->training);
    kin_cli_job_deinit(&s->o);
}

static int check_sendable(const struct kin_cli_job *o)
{
    if (!o->at_coordinator && o->workflow->link_file_count) {
        fprintf(stderr,
                "kindred: %s: its files of links are not sent to a cluster; --at-coordinator reads "
                "them there\n",
                o->workflow_path);
        return KIN_EXIT_USAGE;
    }
    if (o->at_coordinator || !o->workflow->model || !o->workflow->model->file)
        return -1;
    fprintf(stderr,
            "kindred: %s: the file of its model is not sent to a cluster; --at-coordinator reads "
            "it there, or let the job train one\n",
            o->workflow_path);
    return KIN_EXIT_USAGE;
}

int kin_command_match(int argc, char **argv)
{
    struct session s = {0};
    int code = kin_cli_job_parse(&s.o, argc, argv, KIN_CLI_MATCH);
    if (code < 0)
        code = kin_cli_job_load(&s.o);
    if (code < 0 && s.o.check) {
        printf("%s: fine: %zu sources, %zu fields, %zu rules, %zu blocking keys\n",
               s.o.workflow_path, s.o.workflow->source_count, s.o.workflow->schema.count,
               s.o.workflow->rule_count, s.o.workflow->key_count);
        code = KIN_EXIT_OK;
    }
    if (code < 0 && s.o.cluster.address)
        code = check_sendable(&s.o);
    if (code < 0)
        code = s.o.cluster.address ? kin_remote_match(&s.o) : match(&s);
    session_deinit(&s);
    return code;
}

/* Runs a job whose state is of no use afterwards. */
static int run_aside(struct session *s)
{
    if (fits_in_memory(&s->o))
        return run(s, NULL);
    const char *tmp = getenv("TMPDIR");
    char made[PATH_BYTES];
    tmp = tmp && *tmp ? tmp : "/tmp";
    snprintf(made, sizeof made, "%s/kindred-plan-XXXXXX", tmp);
    if (!s->o.state_dir && !mkdtemp(made)) {
        fprintf(stderr, "kindred: no temporary directory can be made in %s: %s\n", tmp,
                strerror(errno));
        return KIN_EXIT_FAILED;
    }
    int code = run(s, s->o.state_dir ? s->o.state_dir : made);
    struct kin_err err;
    if (code != KIN_EXIT_OK && !s->o.state_dir && kin_state_dir_remove(made, &err) != KIN_OK)
        fprintf(stderr, "kindred: %s\n", err.msg);
    return code;
}

int kin_command_plan(int argc, char **argv)
{
    struct session s = {.plan = true};
    int code = kin_cli_job_parse(&s.o, argc, argv, KIN_CLI_PLAN);
    if (code < 0)
        code = kin_cli_job_load(&s.o);
    if (code < 0) {
        s.o.job.plan_only = true;
        code = run_aside(&s);
    }
    session_deinit(&s);
    return code;
}

static int check_trainable(const struct kin_cli_job *o)
{
    const char *wrong = NULL;
    if (!o->workflow->model)
        wrong = "it has no model to train";
    else if (o->workflow->model->file)
        wrong = "its model is read from a file; take `file` out to train another one";
    if (!wrong)
        return -1;
    fprintf(stderr, "kindred: %s: %s\n", o->workflow_path, wrong);
    return KIN_EXIT_USAGE;
}

/* Whole or not at all: beside the file first, then in its place. */
static int write_model(const struct session *s)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s.partial", s->o.out_dir);
    FILE *file = n > 0 && (size_t)n < sizeof path ? fopen(path, "we") : NULL;
    bool good = file && fwrite(s->model.p, 1, s->model.n, file) == s->model.n &&
                fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (file && fclose(file))
        good = false;
    if (good && rename(path, s->o.out_dir) == 0)
        return KIN_EXIT_OK;
    fprintf(stderr, "kindred: %s cannot be written: %s\n", s->o.out_dir, strerror(errno));
    if (file)
        remove(path);
    return KIN_EXIT_FAILED;
}

static int learn(struct session *s)
{
    struct kin_err err = {0};
    if (kin_train_from_labels(s->o.workflow, s->o.labels, &s->model, &s->training, &err) == KIN_OK)
        return KIN_EXIT_OK;
    fprintf(stderr, "kindred: %s\n", err.msg);
    return KIN_EXIT_FAILED;
}

int kin_command_train(int argc, char **argv)
{
    struct session s = {.plan = true};
    int code = kin_cli_job_parse(&s.o, argc, argv, KIN_CLI_TRAIN);
    if (code < 0)
        code = kin_cli_job_load(&s.o);
    if (code < 0)
        code = check_trainable(&s.o);
    if (code < 0) {
        s.o.job.train_only = true;
        code = s.o.labels ? learn(&s) : run_aside(&s);
        if (code == KIN_EXIT_OK)
            code = write_model(&s);
        if (code == KIN_EXIT_OK && !s.o.quiet)
            fwrite(s.training.p, 1, s.training.n, stdout);
    }
    session_deinit(&s);
    return code;
}
