/* A whole cluster that serves: coordinator, workers and two clients with a job each, under faults.
 * Clients send their sources and fetch their results, or let the coordinator read and write; they
 * die and come back, workers are lost for good and others come, and whatever happened, each client
 * ends with what the oracle says, and the coordinator keeps nothing of what is over. */
#include "client/remote.h"
#include "proto/jobs.h"
#include "tests/sim/cluster.h"

#include <stdlib.h>
#include <string.h>

enum { MS = 1000, SECOND = 1000 * MS, CLIENTS = 2, WORKERS_MAX = 5, DB_SPOOL = 3 };

struct faults {
    struct kin_sim_options options;
    unsigned chaos;
    bool losses; /* workers go for good, and others come */
    bool deaths; /* of clients */
};

struct client {
    struct kin_remote_job job;
    struct kin_remote_args args;
    bool done, ended;
    kin_status status;
    char error[300];
};

struct serve {
    struct kin_sim *sim;
    const struct scenario *s;
    struct kin_coordinator_args coordinator;
    struct kin_worker_args workers[WORKERS_MAX + 1];
    struct client clients[CLIENTS];
    bool coordinator_failed;
    bool lost; /* batches that were acknowledged */
    unsigned given_up;
    uint64_t random;
};

static uint64_t below(struct serve *v, uint64_t n)
{
    v->random = v->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (v->random >> 33) % n;
}

static void on_log(void *arg, kin_node_id node, char level, const char *event, const char *text)
{
    struct serve *v = arg;
    if (getenv("KIN_SIM_LOG"))
        fprintf(stderr, "%9llu %u %c %s %s\n", (unsigned long long)kin_sim_now_us(v->sim), node,
                level, event, text);
    v->lost = v->lost || strcmp(event, "batches_lost") == 0;
    v->given_up += strcmp(event, "worker_given_up") == 0;
}

static void on_coordinator_done(void *arg, kin_status status, const char *error)
{
    (void)status;
    (void)error;
    ((struct serve *)arg)->coordinator_failed = true;
}

static void on_client_done(void *arg, const struct kin_remote_result *result)
{
    struct client *k = arg;
    k->ended = true;
    k->done = k->done || result->status == KIN_OK;
    k->status = result->status;
    snprintf(k->error, sizeof k->error, "%s", result->error ? result->error : "");
}

static void prepare(struct serve *v, uint64_t seed, bool losses)
{
    static const char *const outs[CLIENTS] = {"/out", "/out2"};
    unsigned workers = 1 + (unsigned)(seed % WORKERS_MAX);
    v->random = seed;
    unsigned wanted = losses ? 1 : 1 + (unsigned)below(v, workers); /* so many may not be left */
    v->coordinator =
        (struct kin_coordinator_args){.workers = wanted,
                                      .lease_ms = 1000,
                                      .give_up_ms = 4000,
                                      .chunk_bytes = 200 + (uint32_t)(seed * 37 % 2000),
                                      .results_dir = "/results",
                                      .files_dir = "/",
                                      .version = "test",
                                      .on_done = on_coordinator_done,
                                      .arg = v};
    memcpy(v->coordinator.match_id_key, KIN_MATCH_ID_KEY, sizeof v->coordinator.match_id_key);
    for (int i = 0; i < v->s->file_count; i++)
        kin_sim_file_put(v->sim, v->s->files[i].path, v->s->files[i].bytes.p,
                         v->s->files[i].bytes.n);
    kin_sim_add(v->sim, KIN_COORDINATOR, &kin_coordinator_ops, &v->coordinator);
    for (unsigned w = 0; w <= WORKERS_MAX; w++)
        v->workers[w].name = "worker";
    for (unsigned w = 0; w < workers; w++)
        kin_sim_add(v->sim, w + 1, &kin_worker_ops, &v->workers[w]);
    for (unsigned k = 0; k < CLIENTS; k++) {
        struct client *client = &v->clients[k];
        client->job = (struct kin_remote_job){
            .workflow = {(const char *)v->s->workflow_text.p, v->s->workflow_text.n},
            .base_dir = "",
            .out_dir = outs[k],
            .pairs = v->s->pairs,
            .at_coordinator = below(v, 3) == 0};
        client->args = (struct kin_remote_args){.job = &client->job,
                                                .patience_ms = UINT32_MAX,
                                                .piece_bytes = 1 + (uint32_t)below(v, 3000),
                                                .on_done = on_client_done,
                                                .arg = client};
        kin_sim_add(v->sim, KIN_CLIENT_FIRST + k, &kin_remote_ops, &client->args);
    }
}

static void restart(struct serve *v, kin_node_id node)
{
    kin_sim_crash(v->sim, node);
    kin_sim_restart(v->sim, node, MS);
}

static bool something_ended(void *arg)
{
    struct serve *v = arg;
    bool ended = v->coordinator_failed;
    for (unsigned k = 0; k < CLIENTS; k++)
        ended = ended || v->clients[k].ended;
    return ended;
}

/* Whoever ended without a result is started again, as a supervisor or a user would. A client that
 * is done goes. */
static bool all_done(struct serve *v)
{
    bool all = true;
    if (v->coordinator_failed)
        restart(v, KIN_COORDINATOR);
    v->coordinator_failed = false;
    for (unsigned k = 0; k < CLIENTS; k++) {
        struct client *client = &v->clients[k];
        if (client->ended && client->done)
            kin_sim_stop(v->sim, KIN_CLIENT_FIRST + k);
        else if (client->ended)
            restart(v, KIN_CLIENT_FIRST + k);
        client->ended = false;
        all = all && client->done;
    }
    return all;
}

static bool run(struct serve *v, uint64_t limit_us)
{
    uint64_t end = kin_sim_now_us(v->sim) + limit_us;
    while (!all_done(v) && kin_sim_now_us(v->sim) < end)
        kin_sim_run_until(v->sim, something_ended, v, end - kin_sim_now_us(v->sim));
    return all_done(v);
}

/* Workers go for good, but for one, and one comes that was never seen before. */
static void lose_workers(struct serve *v, unsigned workers)
{
    kin_sim_add(v->sim, WORKERS_MAX + 1, &kin_worker_ops, &v->workers[WORKERS_MAX]);
    for (unsigned w = 1; w < workers; w++) {
        run(v, 1 + below(v, 300 * MS));
        if (below(v, 2))
            kin_sim_stop(v->sim, w + 1);
    }
}

static void kill_clients(struct serve *v)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned k = (unsigned)below(v, CLIENTS);
        run(v, 1 + below(v, 60 * MS));
        if (!v->clients[k].done)
            restart(v, KIN_CLIENT_FIRST + k);
    }
}

static struct kin_str output(struct serve *v, const char *dir, const char *file)
{
    struct kin_str bytes;
    return kin_sim_out_get(v->sim, dir, file, &bytes) ? bytes : (struct kin_str){"", 0};
}

static bool nothing_kept(struct serve *v)
{
    if (kin_sim_store_count(v->sim, KIN_COORDINATOR, DB_SPOOL) == 0 &&
        kin_sim_published_below(v->sim, "/results/") == 0)
        return true;
    fprintf(stderr, "left: %zu pieces of sources, %zu results\n",
            kin_sim_store_count(v->sim, KIN_COORDINATOR, DB_SPOOL),
            kin_sim_published_below(v->sim, "/results/"));
    return false;
}

static bool check(struct serve *v)
{
    bool ok = true;
    for (unsigned k = 0; k < CLIENTS && ok; k++) {
        const char *dir = v->clients[k].job.out_dir;
        ok = scenario_check(v->s, output(v, dir, "matches.csv"), output(v, dir, "pairs.csv"),
                            output(v, dir, "errors.csv"), output(v, dir, "report.json"));
    }
    kin_sim_run_for(v->sim, 5 * SECOND);
    return ok && nothing_kept(v);
}

static bool serves(uint64_t seed, void *arg)
{
    const struct faults *faults = arg;
    struct scenario_options o = {.records_max = 60};
    struct scenario *s = scenario_new(seed, &o);
    struct serve v = {.s = s};
    struct kin_sim_options options = faults->options;
    options.log_line = on_log;
    options.log_arg = &v;
    v.sim = kin_sim_new(seed, &options);
    prepare(&v, seed, faults->losses);
    if (faults->chaos)
        kin_sim_chaos(v.sim, 1 + (unsigned)(seed % faults->chaos));
    if (faults->losses)
        lose_workers(&v, 1 + (unsigned)(seed % WORKERS_MAX));
    if (faults->deaths)
        kill_clients(&v);
    run(&v, (5 + seed % 60) * SECOND);
    kin_sim_heal(v.sim);
    bool ok = run(&v, 900ull * SECOND);
    if (!ok) {
        fprintf(stderr, "seed %llu: not done 900 s after healing: %s / %s\n",
                (unsigned long long)seed, v.clients[0].error, v.clients[1].error);
        kin_sim_dump(v.sim, stderr);
    }
    ok = ok && check(&v);
    if (v.lost) {
        fprintf(stderr, "seed %llu: acknowledged batches were lost\n", (unsigned long long)seed);
        ok = false;
    }
    kin_sim_free(v.sim);
    scenario_free(s);
    return ok;
}

int main(void)
{
    struct faults everything = {.chaos = 10};
    struct faults crashes = {.options = {.crash = 800}};
    struct faults links = {.options = {.loss = 100000, .duplicate = 100000, .reorder = 200000}};
    struct faults disks = {.options = {.full = 5000, .out_fail = 20000}};
    struct faults memory = {.options = {.allocation = 1000}};
    struct faults losses = {.options = {.reorder = 100000}, .losses = true};
    struct faults deaths = {.options = {.reorder = 100000}, .deaths = true};
    bool ok = kin_sim_sweep("serving without faults", 1, 40, serves, &(struct faults){0});
    ok = kin_sim_sweep("serving under everything", 1, 150, serves, &everything) && ok;
    ok = kin_sim_sweep("serving under crashes", 1, 80, serves, &crashes) && ok;
    ok = kin_sim_sweep("serving over bad links", 1, 60, serves, &links) && ok;
    ok = kin_sim_sweep("serving on full disks", 1, 60, serves, &disks) && ok;
    ok = kin_sim_sweep("serving short of memory", 1, 60, serves, &memory) && ok;
    ok = kin_sim_sweep("serving while workers go for good", 1, 80, serves, &losses) && ok;
    ok = kin_sim_sweep("serving while clients die", 1, 80, serves, &deaths) && ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
