/* A batch under faults: messages lost, doubled, late and out of order, links cut, nodes paused,
 * crashed and restarted at any point. After healing the job ends, and its outputs equal the
 * oracle's. */
#include "tests/sim/cluster.h"

#include <stdlib.h>

enum { SECOND = 1000000 };

static bool batch_survives(uint64_t seed, void *arg)
{
    (void)arg;
    struct scenario_options o = {.records_max = 60};
    struct scenario *s = scenario_new(seed, &o);
    struct kin_sim *sim = kin_sim_new(seed, &(struct kin_sim_options){0});
    struct cluster c;
    cluster_init(&c, sim, s, 1 + (unsigned)(seed % 5), 200 + (uint32_t)(seed * 37 % 2000));
    kin_sim_chaos(sim, 1 + (unsigned)(seed % 10));
    kin_sim_run_until(sim, cluster_done, &c, (5 + seed % 60) * SECOND);
    kin_sim_heal(sim);
    bool ok = kin_sim_run_until(sim, cluster_done, &c, 600ull * SECOND);
    if (!ok) {
        fprintf(stderr, "seed %llu: not done 600 s after healing\n", (unsigned long long)seed);
        kin_sim_dump(sim, stderr);
    }
    ok = ok && cluster_check(&c, s);
    kin_sim_free(sim);
    scenario_free(s);
    return ok;
}

int main(void)
{
    return kin_sim_sweep("batch", 1, 300, batch_survives, NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
}
