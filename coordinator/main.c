#include "common/cli/job_file.h"
#include "common/cli/settings.h"
#include "common/cli/tool.h"
#include "common/daemon/daemon.h"
#include "coordinator/coordinator.h"
#include "coordinator/gateway/host.h"
#include "proto/jobs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* kindred-coordinator: the coordinator as a process of its own, which serves jobs of clients over
 * workers that dial it. */

static const char tool[] = "kindred-coordinator";
static const char intro[] =
    "Takes jobs from clients (kindred match --cluster), and runs them one after the other over "
    "the\n"
    "worker processes that have dialled it. What it was told is kept in its data directory: "
    "started\n"
    "again there, it goes on where it was. Runs until SIGTERM or SIGINT. Logs are JSON lines on\n"
    "stderr. Exit status: 0 stopped; 1 failed; 2 the settings are wrong.\n";

enum { PATH_BYTES = 4200 };

struct coordinator_process {
    const char *listen, *data, *files, *secret_file, *key_file, *http, *keys_file, *rep;
    uint64_t workers, threads, lease_ms, give_up_ms, map_bytes;
    bool insecure, no_fsync, check;
    char results[PATH_BYTES];
    struct kin_coordinator_args args;
    struct kin_daemon *daemon;
    struct gateway_host *host;
    int code;
};

/* Before the world goes, nothing may be delivered to it any more. */
static void stop(struct coordinator_process *p)
{
    gateway_host_stop(p->host);
    kin_live_stop(kin_daemon_live(p->daemon));
}

/* The store failed at the start; it was logged. */
static void on_done(void *arg, kin_status status, const char *error)
{
    struct coordinator_process *p = arg;
    p->code = KIN_EXIT_FAILED;
    fprintf(stderr, "%s: %s: %s\n", tool, error, kin_status_text(status));
    stop(p);
}

static void on_local(void *arg, kin_node_id to, struct kin_frame *frame)
{
    struct coordinator_process *p = arg;
    gateway_host_on_frame(p->host, to, frame);
}

static void on_signal(void *arg, int signal)
{
    struct coordinator_process *p = arg;
    char text[32];
    snprintf(text, sizeof text, "signal=%d", signal);
    kin_daemon_log(p->daemon, 'I', "stopping", text);
    stop(p);
}

static int parse(struct coordinator_process *p, int argc, char **argv)
{
    const struct kin_setting settings[] = {
        {.name = "listen",
         .value = "URL",
         .required = true,
         .help = "tcp://HOST:PORT or unix:///PATH, for workers and clients (required)",
         .to = &p->listen},
        {.name = "data",
         .value = "DIR",
         .required = true,
         .help = "where it keeps what it was told; made if missing (required)",
         .to = &p->data},
        {.name = "workers",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "a job begins when so many workers are there, 1 to 64 (default 1); it is\n"
                 "split over all that are",
         .min = 1,
         .max = KIN_WORKERS_MAX,
         .to = &p->workers},
        {.name = "files",
         .value = "DIR",
         .help = "jobs may read and write files here, below this directory, if their\n"
                 "clients say so (default: they may not)",
         .to = &p->files},
        {.name = "secret-file",
         .value = "FILE",
         .help = "the secret that all nodes and clients of the cluster share",
         .to = &p->secret_file},
        {.name = "insecure",
         .kind = KIN_SETTING_SWITCH,
         .help = "listen beyond this machine, unencrypted",
         .to = &p->insecure},
        {.name = "http",
         .value = "HOST:PORT",
         .help = "HTTP gateway: /v1 and the AWS Entity Resolution API (default: none)",
         .to = &p->http},
        {.name = "nng-rep",
         .value = "URL",
         .help = "tcp://HOST:PORT of an nng REP socket, for clients that speak nng already\n"
                 "(default: none; nng 1.6 or newer)",
         .to = &p->rep},
        {.name = "aws-keys-file",
         .value = "FILE",
         .help = "requests over HTTP have to be signed with one of these keys:\n"
                 "lines of ACCESS_KEY_ID SECRET",
         .to = &p->keys_file},
        {.name = "lease-ms",
         .kind = KIN_SETTING_NUMBER,
         .value = "MS",
         .help = "silence after which a worker is away, 500 to 600000 (default 3000)",
         .min = 500,
         .max = 600000,
         .to = &p->lease_ms},
        {.name = "give-up-ms",
         .kind = KIN_SETTING_NUMBER,
         .value = "MS",
         .help = "a worker that is away for so long during a job is given up, and the job\n"
                 "begun anew on the others, 1000 to 86400000 (default 60000)",
         .min = 1000,
         .max = 86400000,
         .to = &p->give_up_ms},
        {.name = "match-id-key-file",
         .value = "FILE",
         .help = "secret key of MatchIds: 32 hex digits",
         .to = &p->key_file},
        {.name = "threads",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "compute threads, 1 to 256 (default: one per processor)",
         .min = 1,
         .max = 256,
         .to = &p->threads},
        {.name = "no-fsync",
         .kind = KIN_SETTING_SWITCH,
         .help = "faster, but what is kept survives a killed process only: after a power\n"
                 "loss the store begins anew, empty",
         .to = &p->no_fsync},
        {.name = "map-bytes",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "address space of the store, its largest size (default 1 TiB)",
         .min = 1 << 24,
         .max = (uint64_t)1 << 46,
         .to = &p->map_bytes},
        {.name = "check-config",
         .kind = KIN_SETTING_SWITCH,
         .help = "check the settings and stop",
         .to = &p->check},
    };
    return kin_settings_parse(tool, intro, settings, sizeof settings / sizeof *settings, argc,
                              argv);
}

static int fail(const char *what, const char *path, const char *why)
{
    fprintf(stderr, "%s: %s: %s: %s\n", tool, path, what, why);
    return KIN_EXIT_USAGE;
}

static int check_files(const struct coordinator_process *p)
{
    struct stat s;
    if (!p->files)
        return -1;
    if (p->files[0] != '/')
        return fail("--files", p->files, "the path has to be absolute");
    if (stat(p->files, &s))
        return fail("--files", p->files, strerror(errno));
    return S_ISDIR(s.st_mode) ? -1 : fail("--files", p->files, "is no directory");
}

static int make_results(struct coordinator_process *p)
{
    int n = snprintf(p->results, sizeof p->results, "%s/results", p->data);
    if (n < 0 || (size_t)n >= sizeof p->results)
        return fail("--data", p->data, "the path is too long");
    if (mkdir(p->results, 0700) && errno != EEXIST)
        return fail("cannot be made", p->results, strerror(errno));
    return -1;
}

static int run(struct coordinator_process *p, bool *leave)
{
    p->args = (struct kin_coordinator_args){.workers = p->workers ? (unsigned)p->workers : 1,
                                            .lease_ms = (uint32_t)p->lease_ms,
                                            .give_up_ms = (uint32_t)p->give_up_ms,
                                            .results_dir = p->results,
                                            .files_dir = p->files,
                                            .version = KIN_VERSION,
                                            .on_done = on_done,
                                            .arg = p};
    memcpy(p->args.match_id_key, KIN_MATCH_ID_KEY, sizeof p->args.match_id_key);
    struct kin_daemon_options options = {.tool = tool,
                                         .address = p->listen,
                                         .nodes = KIN_WORKERS_MAX,
                                         .client_first = KIN_CLIENT_FIRST,
                                         .clients_max = KIN_CLIENTS_MAX,
                                         .rep_address = p->rep,
                                         .rep_first = KIN_REP_FIRST,
                                         .secret_file = p->secret_file,
                                         .insecure = p->insecure,
                                         .data_dir = p->data,
                                         .store_name = "coordinator",
                                         .dbs = KIN_COORDINATOR_DBS,
                                         .format = KIN_COORDINATOR_STORE_FORMAT,
                                         .format_from = KIN_COORDINATOR_STORE_FORMAT_FROM,
                                         .map_bytes = p->map_bytes,
                                         .fsync = !p->no_fsync,
                                         .threads = (unsigned)p->threads,
                                         .ops = &kin_coordinator_ops,
                                         .args = &p->args,
                                         .local = OWN_NODE,
                                         .on_local = on_local,
                                         .on_signal = on_signal,
                                         .arg = p};
    int code = kin_daemon_check(&options);
    if (code == -1)
        code = check_files(p);
    if (code == -1 && p->key_file)
        code = kin_match_id_key_load(tool, p->key_file, p->args.match_id_key);
    if (code == -1 && p->check)
        code = KIN_EXIT_OK;
    if (code == -1 && gateway_host_new(&p->host) != KIN_OK)
        code = fail("memory", p->data, "there is none left");
    if (code == -1)
        code = kin_daemon_open(&options, &p->daemon);
    if (code == -1)
        code = make_results(p);
    if (code == -1)
        code = gateway_host_open(p->host, p->daemon, tool, p->http, p->keys_file, p->insecure);
    if (code >= 0)
        return code;
    kin_daemon_run(p->daemon, leave);
    return p->code;
}

int main(int argc, char **argv)
{
    struct coordinator_process p = {.code = KIN_EXIT_OK};
    bool leave = false;
    kin_alloc_keep();
    int code = parse(&p, argc, argv);
    if (code == -1)
        code = run(&p, &leave);
    gateway_host_free(p.host);
    kin_daemon_exit(code, leave);
}
