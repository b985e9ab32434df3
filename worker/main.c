#include "worker/worker.h"

#include "common/cli/settings.h"
#include "common/cli/tool.h"
#include "common/daemon/daemon.h"
#include "proto/shards.h"

#include <stdio.h>

/* kindred-worker: a worker as a process of its own. */

static const char tool[] = "kindred-worker";
static const char intro[] =
    "One worker of a cluster: keeps a part of the records of a job and compares them, as the\n"
    "coordinator says. Runs until SIGTERM, and dials the coordinator again whenever it is gone.\n"
    "Logs are JSON lines on stderr.\n";

struct worker_process {
    const char *coordinator, *data, *secret_file;
    uint64_t node, threads;
    bool fsync, check;
    struct kin_daemon *daemon;
};

static void on_signal(void *arg, int signal)
{
    struct worker_process *p = arg;
    char text[32];
    snprintf(text, sizeof text, "signal=%d", signal);
    kin_cli_log(true, (kin_node_id)p->node, 'I', "stopping", text);
    kin_live_stop(kin_daemon_live(p->daemon));
}

int main(int argc, char **argv)
{
    struct worker_process p = {0};
    const struct kin_setting settings[] = {
        {.name = "coordinator",
         .value = "tcp://HOST:PORT",
         .required = true,
         .help = "where the coordinator listens",
         .to = &p.coordinator},
        {.name = "node",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .required = true,
         .help = "which worker this is: 1 to the coordinator's --workers",
         .min = 1,
         .max = KIN_WORKERS_MAX,
         .to = &p.node},
        {.name = "data",
         .value = "DIR",
         .required = true,
         .help = "where it keeps its records; made if missing",
         .to = &p.data},
        {.name = "threads",
         .kind = KIN_SETTING_NUMBER,
         .value = "N",
         .help = "compute threads, 1 to 256 (default: one per processor)",
         .min = 1,
         .max = 256,
         .to = &p.threads},
        {.name = "secret-file",
         .value = "FILE",
         .help = "the secret that all nodes of the cluster share",
         .to = &p.secret_file},
        {.name = "fsync",
         .kind = KIN_SETTING_SWITCH,
         .help = "survive power loss too, not only a killed process",
         .to = &p.fsync},
        {.name = "check-config",
         .kind = KIN_SETTING_SWITCH,
         .help = "check the settings and stop",
         .to = &p.check},
    };
    char name[24];
    int code =
        kin_settings_parse(tool, intro, settings, sizeof settings / sizeof *settings, argc, argv);
    if (code >= 0)
        return code;
    snprintf(name, sizeof name, "worker-%u", (unsigned)p.node);
    struct kin_worker_args args = {.name = name};
    struct kin_daemon_options options = {.tool = tool,
                                         .self = (kin_node_id)p.node,
                                         .address = p.coordinator,
                                         .secret_file = p.secret_file,
                                         .data_dir = p.data,
                                         .store_name = name,
                                         .dbs = KIN_WORKER_DBS,
                                         .format = KIN_WORKER_STORE_FORMAT,
                                         .fsync = p.fsync,
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
