#include "client/commands.h"
#include "client/serve_job.h"
#include "common/cli/job_file.h"
#include "common/cli/settings.h"
#include "common/daemon/daemon.h"
#include "common/store/lmdb_store.h"
#include "coordinator/coordinator.h"
#include "coordinator/gateway/host.h"
#include "proto/jobs.h"
#include "worker/worker.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `kindred serve`: a coordinator with its workers and its gateway, all in one process. */

static const char tool[] = "kindred serve";
static const char intro[] =
    "Runs a whole cluster in one process: matches the WORKFLOW given as the first argument,\n"
    "unless the data directory has it already, then serves lookups, changes and the HTTP gateway\n"
    "until SIGTERM or SIGINT. Without a WORKFLOW it serves what it has, and takes jobs from\n"
    "clients. When it is ready, one line on stdout says where it listens. Logs are JSON lines on\n"
    "stderr. Exit status: 0 stopped; 1 failed; 2 the settings are wrong.\n";

enum { PATH_BYTES = 4200, WORKERS_DEFAULT = 2 };

struct serve {
    const char *workflow_path, *data, *listen, *http, *aws_keys_file, *files, *secret_file,
        *key_file, *out;
    uint64_t workers, threads, map_bytes;
    bool insecure, no_fsync, reload;
    char address[PATH_BYTES], results[PATH_BYTES], out_dir[PATH_BYTES];
    struct kin_coordinator_args coordinator;
    struct kin_worker_args worker_args[KIN_WORKERS_MAX];
    char names[KIN_WORKERS_MAX][24];
    struct kin_daemon *daemon;
    struct gateway_host *host;
    struct kin_job_file file;
    char base_dir[PATH_MAX];
    pthread_t starter;
    bool starting;
    int code;
};

static int parse(struct serve *s, int argc, char **argv)
{
    const struct kin_setting settings[] = {
        {.name = "data",
         .value = "DIR",
         .required = true,
         .help = "where records, MatchIds and jobs are kept (required)",
         .to = &s->data},
        {.name = "listen",
         .value = "URL",
         .help = "tcp://HOST:PORT or unix:///PATH for clients (default: rpc.sock in the\n"
                 "data directory)",
         .to = &s->listen},
        {.name = "http",
         .value = "HOST:PORT",
         .help = "HTTP gateway: /v1 and the AWS Entity Resolution API (default: none)",
         .to = &s->http},
        {.name = "aws-keys-file",
         .value = "FILE",
         .help = "requests over HTTP have to be signed with one of these keys:\n"
                 "lines of ACCESS_KEY_ID SECRET",
         .to = &s->aws_keys_file},
        {.name = "files",
         .value = "DIR",
         .help = "jobs of clients may read and write files here (default: they may not)",
         .to = &s->files},
        {.name = "output",
         .letter = 'o',
         .value = "DIR",
         .help = "outputs of the first match (default: output in the data directory)",
         .to = &s->out},
        {.name = "reload",
         .kind = KIN_SETTING_SWITCH,
         .help = "match the WORKFLOW again although it is served; MatchIds are inherited,\n"
                 "and records that its sources do not have are no more",
         .to = &s->reload},
        {.name = "workers",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "workers in this process, 1 to 64 (default 2)",
         .min = 1,
         .max = KIN_WORKERS_MAX,
         .to = &s->workers},
        {.name = "threads",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "compute threads, 1 to 256 (default: one per processor)",
         .min = 1,
         .max = 256,
         .to = &s->threads},
        {.name = "secret-file",
         .value = "FILE",
         .help = "the secret that all clients of the cluster share",
         .to = &s->secret_file},
        {.name = "insecure",
         .kind = KIN_SETTING_SWITCH,
         .help = "listen beyond this machine, unencrypted",
         .to = &s->insecure},
        {.name = "match-id-key-file",
         .value = "FILE",
         .help = "secret key of MatchIds: 32 hex digits",
         .to = &s->key_file},
        {.name = "no-fsync",
         .kind = KIN_SETTING_SWITCH,
         .help = "faster, but what is kept survives a killed process only: after a power\n"
                 "loss the stores begin anew, empty",
         .to = &s->no_fsync},
        {.name = "map-bytes",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "address space of each store, its largest size (default 1 TiB)",
         .min = KIN_DAEMON_MAP_BYTES_MIN,
         .max = (uint64_t)1 << 46,
         .to = &s->map_bytes},
    };
    if (argc > 1 && argv[1][0] != '-') {
        s->workflow_path = argv[1];
        argv[1] = argv[0];
        argv++;
        argc--;
    }
    return kin_settings_parse(tool, intro, settings, sizeof settings / sizeof *settings, argc,
                              argv);
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", tool, what, why);
    return KIN_EXIT_USAGE;
}

static bool join(char to[PATH_BYTES], const char *dir, const char *name)
{
    int n = snprintf(to, PATH_BYTES, "%s/%s", dir, name);
    return n > 0 && n < PATH_BYTES;
}

/* Paths as the coordinator wants them: absolute. */
static int make_paths(struct serve *s)
{
    char dir[PATH_MAX];
    if (mkdir(s->data, 0700) && errno != EEXIST)
        return fail(s->data, strerror(errno));
    if (!realpath(s->data, dir))
        return fail(s->data, strerror(errno));
    if (!join(s->results, dir, "results") || !join(s->out_dir, dir, "output"))
        return fail(s->data, "the path is too long");
    if (s->out && s->out[0] == '/')
        snprintf(s->out_dir, sizeof s->out_dir, "%s", s->out);
    else if (s->out && (!getcwd(dir, sizeof dir) || !join(s->out_dir, dir, s->out)))
        return fail(s->out, "the path is too long");
    if (!s->listen)
        snprintf(s->address, sizeof s->address, "unix://%.*s/rpc.sock",
                 (int)(strlen(s->results) - strlen("/results")), s->results);
    else
        snprintf(s->address, sizeof s->address, "%s", s->listen);
    return -1;
}

/* ---- callbacks ---- */

/* Before the world goes, nothing may be delivered to it any more. */
static void stop(struct serve *s)
{
    gateway_host_stop(s->host);
    kin_live_stop(kin_daemon_live(s->daemon));
}

static void on_done(void *arg, kin_status status, const char *error)
{
    struct serve *s = arg;
    s->code = KIN_EXIT_FAILED;
    fprintf(stderr, "%s: %s: %s\n", tool, error, kin_status_text(status));
    stop(s);
}

static void on_signal(void *arg, int signal)
{
    struct serve *s = arg;
    char text[32];
    snprintf(text, sizeof text, "signal=%d", signal);
    kin_daemon_log(s->daemon, 'I', "stopping", text);
    stop(s);
}

static void on_local(void *arg, kin_node_id to, struct kin_frame *frame)
{
    struct serve *s = arg;
    gateway_host_on_frame(s->host, to, frame);
}

static kin_status add_workers(void *arg, struct kin_live *live, struct kin_err *err)
{
    struct serve *s = arg;
    kin_status status = KIN_OK;
    for (unsigned w = 0; w < s->workers && status == KIN_OK; w++) {
        char path[PATH_BYTES];
        struct kin_store *store;
        snprintf(s->names[w], sizeof s->names[w], "worker-%u", w + 1);
        s->worker_args[w].name = s->names[w];
        if (!join(path, s->data, s->names[w]))
            return kin_err_set(err, KIN_E_LIMIT, "the path is too long");
        struct kin_lmdb_options lmdb = {.path = path,
                                        .map_bytes =
                                            s->map_bytes ? s->map_bytes : (uint64_t)1 << 40,
                                        .dbs = KIN_WORKER_DBS,
                                        .format = KIN_WORKER_STORE_FORMAT,
                                        .format_from = KIN_WORKER_STORE_FORMAT_FROM,
                                        .fsync = !s->no_fsync};
        status = kin_lmdb_open(&lmdb, &store, err);
        if (status == KIN_OK)
            status = kin_live_add(live, w + 1, store, &kin_worker_ops, &s->worker_args[w], err);
    }
    return status;
}

/* ---- the first match, and the line that says all is ready ---- */

static void *start(void *arg)
{
    struct serve *s = arg;
    struct kin_err err = {0};
    kin_status status = KIN_OK;
    if (s->file.workflow) {
        struct kin_serve_job job = {.backend = gateway_host_own(s->host),
                                    .text = {(const char *)s->file.text.p, s->file.text.n},
                                    .name = s->file.workflow->name,
                                    .base_dir = s->base_dir,
                                    .out_dir = s->out_dir,
                                    .again = s->reload};
        status = kin_serve_job_run(&job, &err);
    }
    if (status == KIN_OK) {
        printf("listening rpc=%s", s->address);
        if (gateway_host_port(s->host))
            printf(" http=%.*s:%u", (int)(strrchr(s->http, ':') - s->http), s->http,
                   gateway_host_port(s->host));
        printf("\n");
        fflush(stdout);
    } else if (status != KIN_E_CANCELLED) {
        fprintf(stderr, "%s: %s\n", tool, err.msg);
        s->code = KIN_EXIT_FAILED;
        stop(s);
    }
    return NULL;
}

static int run(struct serve *s, bool *leave)
{
    struct kin_daemon_options options = {.tool = tool,
                                         .address = s->address,
                                         .client_first = KIN_CLIENT_FIRST,
                                         .clients_max = KIN_CLIENTS_MAX,
                                         .secret_file = s->secret_file,
                                         .insecure = s->insecure,
                                         .data_dir = s->data,
                                         .store_name = "coordinator",
                                         .dbs = KIN_COORDINATOR_DBS,
                                         .format = KIN_COORDINATOR_STORE_FORMAT,
                                         .format_from = KIN_COORDINATOR_STORE_FORMAT_FROM,
                                         .map_bytes = s->map_bytes,
                                         .fsync = !s->no_fsync,
                                         .threads = (unsigned)s->threads,
                                         .ops = &kin_coordinator_ops,
                                         .args = &s->coordinator,
                                         .add_nodes = add_workers,
                                         .local = OWN_NODE,
                                         .on_local = on_local,
                                         .on_signal = on_signal,
                                         .arg = s};
    s->coordinator = (struct kin_coordinator_args){.workers = (unsigned)s->workers,
                                                   .lease_ms = 60 * 1000,
                                                   .results_dir = s->results,
                                                   .files_dir = s->files,
                                                   .own_node = OWN_NODE,
                                                   .version = KIN_VERSION,
                                                   .on_done = on_done,
                                                   .arg = s};
    memcpy(s->coordinator.match_id_key, KIN_MATCH_ID_KEY, sizeof s->coordinator.match_id_key);
    int code = kin_daemon_check(&options);
    if (code == -1 && s->key_file)
        code = kin_match_id_key_load(tool, s->key_file, s->coordinator.match_id_key);
    if (code == -1 && gateway_host_new(&s->host) != KIN_OK)
        code = fail("out of memory", "");
    if (code == -1)
        code = kin_daemon_open(&options, &s->daemon);
    if (code == -1 && mkdir(s->results, 0700) && errno != EEXIST)
        code = fail(s->results, strerror(errno));
    if (code == -1)
        code = gateway_host_open(s->host, s->daemon, tool, s->http, s->aws_keys_file, s->insecure);
    if (code == -1) {
        s->starting = pthread_create(&s->starter, NULL, start, s) == 0;
        kin_daemon_run(s->daemon, leave);
        code = s->code;
    }
    return code;
}

int kin_command_serve(int argc, char **argv)
{
    struct serve *s = kin_calloc(1, sizeof *s);
    bool leave = false;
    if (!s)
        return KIN_EXIT_FAILED;
    s->workers = WORKERS_DEFAULT;
    int code = parse(s, argc, argv);
    if (code == -1 && s->workflow_path)
        code = kin_job_file_load(&s->file, tool, s->workflow_path);
    if (code == -1 && s->workflow_path &&
        !realpath(s->file.base_dir[0] ? s->file.base_dir : ".", s->base_dir))
        code = fail(s->workflow_path, strerror(errno));
    if (code == -1)
        code = make_paths(s);
    if (code == -1)
        code = run(s, &leave);
    if (s->host)
        gateway_host_stop(s->host);
    if (s->starting)
        pthread_join(s->starter, NULL);
    gateway_host_free(s->host);
    kin_job_file_deinit(&s->file);
    kin_free(s);
    kin_daemon_exit(code, leave);
}
