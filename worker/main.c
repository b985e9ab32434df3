#include "worker/worker.h"

#include "common/cli/settings.h"
#include "common/cli/tool.h"
#include "common/daemon/daemon.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* kindred-worker: a worker as a process of its own. */

static const char tool[] = "kindred-worker";
static const char intro[] =
    "One worker of a cluster: keeps a part of the records of a job and compares them, as the\n"
    "coordinator says. Runs until SIGTERM, and dials the coordinator again whenever it is gone.\n"
    "Makes a key of its own at its first start, which stays with its data: by it the coordinator\n"
    "knows which worker it is. Logs are JSON lines on stderr.\n";

enum { NAME_MAX_BYTES = 63 };

struct worker_process {
    const char *coordinator, *data, *name, *secret_file;
    uint64_t threads, map_bytes;
    bool no_fsync, check;
    char host[NAME_MAX_BYTES + 1];
    struct kin_daemon *daemon;
};

static void on_signal(void *arg, int signal)
{
    struct worker_process *p = arg;
    char text[32];
    snprintf(text, sizeof text, "signal=%d", signal);
    kin_daemon_log(p->daemon, 'I', "stopping", text);
    kin_live_stop(kin_daemon_live(p->daemon));
}

/* Names stand in logs and on command lines. */
static int check_name(struct worker_process *p)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (!p->name) {
        if (gethostname(p->host, sizeof p->host) != 0 || !p->host[0])
            snprintf(p->host, sizeof p->host, "worker");
        p->host[NAME_MAX_BYTES] = '\0';
        p->name = p->host;
    }
    size_t n = strlen(p->name);
    if (n <= NAME_MAX_BYTES && strspn(p->name, good) == n)
        return -1;
    fprintf(stderr, "%s: --name: '%s': at most %d letters (a-z), digits, '.', '-' and '_'\n", tool,
            p->name, NAME_MAX_BYTES);
    return KIN_EXIT_USAGE;
}

static int parse(struct worker_process *p, int argc, char **argv)
{
    const struct kin_setting settings[] = {
        {.name = "coordinator",
         .value = "URL",
         .required = true,
         .help = "where it listens: tcp://HOST:PORT or unix:///PATH (required)",
         .to = &p->coordinator},
        {.name = "data",
         .value = "DIR",
         .required = true,
         .help = "where it keeps its key and its records; made if missing (required)",
         .to = &p->data},
        {.name = "name",
         .value = "NAME",
         .help = "what people call it (default: the host's name)",
         .to = &p->name},
        {.name = "threads",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "compute threads, 1 to 256 (default: one per processor)",
         .min = 1,
         .max = 256,
         .to = &p->threads},
        {.name = "secret-file",
         .value = "FILE",
         .help = "the secret that all nodes of the cluster share",
         .to = &p->secret_file},
        {.name = "no-fsync",
         .kind = KIN_SETTING_SWITCH,
         .help = "faster, but what is kept survives a killed process only: after a power\n"
                 "loss the store begins anew, empty",
         .to = &p->no_fsync},
        {.name = "map-bytes",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "address space for its store, which limits the store's size (default: 1 TiB)",
         .min = KIN_DAEMON_MAP_BYTES_MIN,
         .max = (uint64_t)1 << 46,
         .to = &p->map_bytes},
        {.name = "check-config",
         .kind = KIN_SETTING_SWITCH,
         .help = "check the settings and stop",
         .to = &p->check},
    };
    int code =
        kin_settings_parse(tool, intro, settings, sizeof settings / sizeof *settings, argc, argv);
    return code == -1 ? check_name(p) : code;
}

int main(int argc, char **argv)
{
    struct worker_process p = {0};
    kin_alloc_keep();
    int code = parse(&p, argc, argv);
    if (code >= 0)
        return code;
    struct kin_worker_args args = {.name = p.name};
    struct kin_daemon_options options = {.tool = tool,
                                         .worker = true,
                                         .name = p.name,
                                         .address = p.coordinator,
                                         .secret_file = p.secret_file,
                                         .data_dir = p.data,
                                         .store_name = "worker",
                                         .map_bytes = p.map_bytes,
                                         .dbs = KIN_WORKER_DBS,
                                         .format = KIN_WORKER_STORE_FORMAT,
                                         .format_from = KIN_WORKER_STORE_FORMAT_FROM,
                                         .fsync = !p.no_fsync,
                                         .threads = (unsigned)p.threads,
                                         .ops = &kin_worker_ops,
                                         .args = &args,
                                         .on_signal = on_signal,
                                         .arg = &p};
    code = kin_daemon_check(&options);
    if (code == -1 && p.check)
        code = KIN_EXIT_OK;
    if (code == -1)
        code = kin_daemon_open(&options, &p.daemon);
    if (code >= 0)
        return code;
    bool leave;
    kin_daemon_run(p.daemon, &leave);
    kin_daemon_exit(KIN_EXIT_OK, leave);
}
