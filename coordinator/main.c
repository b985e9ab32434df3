#include "common/cli/job_file.h"
#include "common/cli/output_dir.h"
#include "common/cli/settings.h"
#include "common/cli/tool.h"
#include "common/daemon/daemon.h"
#include "coordinator/coordinator.h"
#include "proto/shards.h"

#include <stdio.h>
#include <string.h>

/* kindred-coordinator: the coordinator as a process of its own, which runs one job over workers
 * that dial it. */

static const char tool[] = "kindred-coordinator";
static const char intro[] =
    "Runs one job over worker processes: waits until all have dialled, splits the sources over\n"
    "them, and writes the outputs. A run that was killed goes on where it was when the same\n"
    "command is given again. Logs are JSON lines on stderr. Exit status: 0 done; 1 failed or\n"
    "stopped; 2 the settings or the workflow file are wrong; 3 done, but records were rejected\n"
    "(with --strict).\n";

struct coordinator_process {
    const char *listen, *data, *workflow, *output, *secret_file, *key_file;
    uint64_t workers, threads, lease_ms;
    bool pairs, strict, insecure, fsync, check;
    struct kin_job_file file;
    struct kin_job_options job;
    struct kin_coordinator_args args;
    struct kin_daemon *daemon;
    int code;
};

static void log_done(const struct kin_report *report)
{
    char text[256];
    snprintf(text, sizeof text,
             "read=%llu rejected=%llu superseded=%llu groups=%llu grouped=%llu singletons=%llu "
             "seconds=%.3f",
             (unsigned long long)report->read, (unsigned long long)report->rejected,
             (unsigned long long)report->superseded, (unsigned long long)report->groups,
             (unsigned long long)report->grouped, (unsigned long long)report->singletons,
             (double)report->total_us / 1e6);
    kin_cli_log(true, KIN_COORDINATOR, 'I', "job_done", text);
}

/* A failure was logged by the core. */
static void on_done(void *arg, kin_status status, const char *error)
{
    struct coordinator_process *p = arg;
    p->code = KIN_EXIT_FAILED;
    if (status == KIN_OK) {
        const struct kin_report *report = kin_coordinator_report(p->args.self);
        log_done(report);
        p->code = p->strict && report->rejected ? KIN_EXIT_REJECTED : KIN_EXIT_OK;
    } else {
        fprintf(stderr, "%s: %s\n", tool, error);
    }
    kin_live_stop(kin_daemon_live(p->daemon));
}

static void on_signal(void *arg, int signal)
{
    struct coordinator_process *p = arg;
    char text[32];
    snprintf(text, sizeof text, "signal=%d", signal);
    kin_cli_log(true, KIN_COORDINATOR, 'I', "stopping", text);
    kin_live_stop(kin_daemon_live(p->daemon));
}

static int parse(struct coordinator_process *p, int argc, char **argv)
{
    const struct kin_setting settings[] = {
        {.name = "listen",
         .value = "tcp://HOST:PORT",
         .required = true,
         .help = "where workers dial",
         .to = &p->listen},
        {.name = "workers",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .required = true,
         .help = "workers the job is split over, 1 to 64",
         .min = 1,
         .max = KIN_WORKERS_MAX,
         .to = &p->workers},
        {.name = "data",
         .value = "DIR",
         .required = true,
         .help = "where it keeps the state of the job; made if missing",
         .to = &p->data},
        {.name = "workflow",
         .value = "FILE",
         .required = true,
         .help = "the workflow file; its sources are read here",
         .to = &p->workflow},
        {.name = "output",
         .letter = 'o',
         .value = "DIR",
         .required = true,
         .help = "where the outputs appear, whole or not at all",
         .to = &p->output},
        {.name = "pairs",
         .kind = KIN_SETTING_SWITCH,
         .help = "write pairs.csv too",
         .to = &p->pairs},
        {.name = "strict",
         .kind = KIN_SETTING_SWITCH,
         .help = "exit status 3 if any record was rejected",
         .to = &p->strict},
        {.name = "match-id-key-file",
         .value = "FILE",
         .help = "secret key of MatchIds: 32 hex digits",
         .to = &p->key_file},
        {.name = "secret-file",
         .value = "FILE",
         .help = "the secret that all nodes of the cluster share",
         .to = &p->secret_file},
        {.name = "insecure",
         .kind = KIN_SETTING_SWITCH,
         .help = "listen beyond this machine, unencrypted",
         .to = &p->insecure},
        {.name = "lease-ms",
         .kind = KIN_SETTING_NUMBER,
         .value = "MS",
         .help = "silence after which a worker is lost, 500 to 600000 (default 3000)",
         .min = 500,
         .max = 600000,
         .to = &p->lease_ms},
        {.name = "threads",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "compute threads, 1 to 256 (default: one per processor)",
         .min = 1,
         .max = 256,
         .to = &p->threads},
        {.name = "fsync",
         .kind = KIN_SETTING_SWITCH,
         .help = "survive power loss too, not only a killed process",
         .to = &p->fsync},
        {.name = "check-config",
         .kind = KIN_SETTING_SWITCH,
         .help = "check the settings and the workflow file, and stop",
         .to = &p->check},
    };
    return kin_settings_parse(tool, intro, settings, sizeof settings / sizeof *settings, argc,
                              argv);
}

static int check_output(const struct coordinator_process *p)
{
    size_t n = strlen(p->output);
    while (n > 1 && p->output[n - 1] == '/')
        n--;
    if (n > KIN_OUTPUT_DIR_MAX) {
        fprintf(stderr, "%s: the path of the output is too long\n", tool);
        return KIN_EXIT_USAGE;
    }
    if (strncmp(p->data, p->output, n) == 0 && (p->data[n] == '/' || !p->data[n])) {
        fprintf(stderr, "%s: %s: the data cannot be inside the output\n", tool, p->data);
        return KIN_EXIT_USAGE;
    }
    return kin_output_dir_check(tool, p->output, n);
}

static int load_job(struct coordinator_process *p)
{
    int code = kin_job_file_load(&p->file, tool, p->workflow);
    memcpy(p->job.match_id_key, KIN_MATCH_ID_KEY, sizeof p->job.match_id_key);
    if (code == -1 && p->key_file)
        code = kin_match_id_key_load(tool, p->key_file, p->job.match_id_key);
    p->job.workflow = (struct kin_str){(const char *)p->file.text.p, p->file.text.n};
    p->job.base_dir = p->file.base_dir;
    p->job.out_dir = p->output;
    p->job.pairs = p->pairs;
    return code == -1 ? check_output(p) : code;
}

static int run(struct coordinator_process *p, bool *leave)
{
    p->args = (struct kin_coordinator_args){.workers = (unsigned)p->workers,
                                            .lease_ms = (uint32_t)p->lease_ms,
                                            .job = &p->job,
                                            .on_done = on_done,
                                            .arg = p};
    struct kin_daemon_options options = {.tool = tool,
                                         .self = KIN_COORDINATOR,
                                         .address = p->listen,
                                         .nodes = (uint32_t)p->workers,
                                         .secret_file = p->secret_file,
                                         .insecure = p->insecure,
                                         .data_dir = p->data,
                                         .store_name = "coordinator",
                                         .dbs = KIN_COORDINATOR_DBS,
                                         .format = KIN_COORDINATOR_STORE_FORMAT,
                                         .fsync = p->fsync,
                                         .threads = (unsigned)p->threads,
                                         .ops = &kin_coordinator_ops,
                                         .args = &p->args,
                                         .on_signal = on_signal,
                                         .arg = p};
    int code = kin_daemon_check(&options);
    if (code == -1)
        code = load_job(p);
    if (code == -1 && p->check)
        code = KIN_EXIT_OK;
    if (code == -1)
        code = kin_daemon_open(&options, &p->daemon);
    if (code >= 0)
        return code;
    kin_daemon_run(p->daemon, leave);
    return p->code;
}

int main(int argc, char **argv)
{
    struct coordinator_process p = {.code = KIN_EXIT_FAILED};
    bool leave = false;
    int code = parse(&p, argc, argv);
    if (code == -1)
        code = run(&p, &leave);
    if (!leave)
        kin_job_file_deinit(&p.file);
    kin_daemon_exit(code, leave);
}
