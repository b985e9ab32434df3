/* A batch under faults: messages lost, doubled, late and out of order, links cut, nodes paused,
 * crashed and restarted at any point. After healing the job ends, and its outputs equal the
 * oracle's. */
#include "tests/sim/cluster.h"

#include <stdlib.h>

enum { SECOND = 1000000 };

struct faults {
    struct kin_sim_options options;
    unsigned chaos; /* highest intensity of the schedule of faults; 0: none */
};

static bool batch_survives(uint64_t seed, void *arg)
{
    const struct faults *faults = arg;
    struct scenario_options o = {.records_max = 60};
    struct scenario *s = scenario_new(seed, &o);
    struct kin_sim *sim = kin_sim_new(seed, &faults->options);
    struct cluster c;
    cluster_init(&c, sim, s, 1 + (unsigned)(seed % 5), 200 + (uint32_t)(seed * 37 % 2000));
    if (faults->chaos)
        kin_sim_chaos(sim, 1 + (unsigned)(seed % faults->chaos));
    cluster_run(&c, (5 + seed % 60) * SECOND);
    kin_sim_heal(sim);
    bool ok = cluster_run(&c, 600ull * SECOND);
    if (!ok) {
        fprintf(stderr, "seed %llu: not done 600 s after healing: %s\n", (unsigned long long)seed,
                c.error);
        kin_sim_dump(sim, stderr);
    }
    ok = ok && cluster_check(&c, s);
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
    bool ok = kin_sim_sweep("batch under everything", 1, 300, batch_survives, &everything);
    ok = kin_sim_sweep("batch under crashes", 1, 100, batch_survives, &crashes) && ok;
    ok = kin_sim_sweep("batch over bad links", 1, 100, batch_survives, &links) && ok;
    ok = kin_sim_sweep("batch on full disks", 1, 100, batch_survives, &disks) && ok;
    ok = kin_sim_sweep("batch short of memory", 1, 100, batch_survives, &memory) && ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
