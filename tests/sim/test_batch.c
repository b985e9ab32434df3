/* A batch under faults: messages lost, doubled, late and out of order, links cut, nodes paused,
 * crashed and restarted at any point. After healing the job ends, and its outputs equal the
 * oracle's. */
#include "tests/sim/cluster.h"

#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000 };

struct faults {
    struct kin_sim_options options;
    unsigned chaos; /* highest intensity of the schedule of faults; 0: none */
    unsigned wipes; /* workers that lose their disk */
};

/* What was acknowledged as durable is there after a crash: the coordinator compares, and says so if
 * not. */
static void on_log(void *arg, kin_node_id node, char level, const char *event, const char *text)
{
    (void)node;
    (void)level;
    (void)text;
    bool *lost = arg;
    *lost = *lost || strcmp(event, "batches_lost") == 0;
}

static void lose_disks(struct kin_sim *sim, struct cluster *c, uint64_t seed, unsigned wipes)
{
    for (unsigned i = 0; i < wipes && !c->done; i++) {
        kin_node_id worker = 1 + (kin_node_id)((seed + i) % c->coordinator.workers);
        cluster_run(c, 3000 + (seed * 7919 + i * 104729) % 120000);
        kin_sim_crash(sim, worker);
        kin_sim_wipe(sim, worker);
        kin_sim_restart(sim, worker, 1000);
    }
}

static bool batch_survives(uint64_t seed, void *arg)
{
    const struct faults *faults = arg;
    struct scenario_options o = {
        .records_max = seed % 2 ? 45 : 60, .models = seed % 2, .links = seed % 3 == 0};
    struct scenario *s = scenario_new(seed, &o);
    if (!s->workflow->never_count && seed % 4 == 0)
        s->component_bytes = 600; /* larger ones are done by the coordinator */
    bool lost = false;
    struct kin_sim_options options = faults->options;
    options.log_line = on_log;
    options.log_arg = &lost;
    struct kin_sim *sim = kin_sim_new(seed, &options);
    struct cluster c;
    cluster_init(&c, sim, s, 1 + (unsigned)(seed % 5), 200 + (uint32_t)(seed * 37 % 2000));
    if (faults->chaos)
        kin_sim_chaos(sim, 1 + (unsigned)(seed % faults->chaos));
    lose_disks(sim, &c, seed, faults->wipes);
    cluster_run(&c, (5 + seed % 60) * SECOND);
    kin_sim_heal(sim);
    bool ok = cluster_run(&c, 600ull * SECOND);
    if (!ok) {
        fprintf(stderr, "seed %llu: not done 600 s after healing: %s\n", (unsigned long long)seed,
                c.error);
        kin_sim_dump(sim, stderr);
    }
    ok = ok && cluster_check(&c, s);
    if (lost && !faults->wipes) {
        fprintf(stderr, "seed %llu: acknowledged batches were lost\n", (unsigned long long)seed);
        ok = false;
    }
    kin_sim_free(sim);
    scenario_free(s);
    return ok;
}

int main(void)
{
    struct faults everything = {.chaos = 10};
    struct faults crashes = {.options = {.crash = 1500}};
    struct faults links = {.options = {.loss = 100000, .duplicate = 100000, .reorder = 200000}};
    struct faults disks = {.options = {.full = 5000, .out_fail = 20000}};
    struct faults memory = {.options = {.allocation = 2000}};
    struct faults losses = {.options = {.duplicate = 200000, .reorder = 200000}, .wipes = 6};
    bool ok = kin_sim_sweep("batch under everything", 1, 300, batch_survives, &everything);
    ok = kin_sim_sweep("batch under crashes", 1, 100, batch_survives, &crashes) && ok;
    ok = kin_sim_sweep("batch over bad links", 1, 100, batch_survives, &links) && ok;
    ok = kin_sim_sweep("batch on full disks", 1, 100, batch_survives, &disks) && ok;
    ok = kin_sim_sweep("batch short of memory", 1, 100, batch_survives, &memory) && ok;
    ok = kin_sim_sweep("batch with lost disks", 1, 150, batch_survives, &losses) && ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
