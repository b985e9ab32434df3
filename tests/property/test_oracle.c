/* Property: whatever the workflow and the records, an undisturbed cluster gives exactly what the
 * plain reference gives: the plan, the pairs compared, the edges, vetoes, MatchGroups and MatchIds.
 */
#include "tests/sim/cluster.h"

#include <stdlib.h>

static bool scenario_equals_oracle(uint64_t seed, void *arg)
{
    const bool *models = arg;
    struct scenario_options o = {.records_max = *models ? 45 : 0, .models = *models};
    struct scenario *s = scenario_new(seed, &o);
    struct kin_sim *sim = kin_sim_new(seed, &(struct kin_sim_options){0});
    struct cluster c;
    cluster_init(&c, sim, s, 1 + (unsigned)(seed % 4), 300 + (uint32_t)(seed * 37 % 3000));
    kin_sim_run_until(sim, cluster_done, &c, 600 * 1000000ull);
    bool ok = cluster_check(&c, s);
    kin_sim_free(sim);
    scenario_free(s);
    return ok;
}

int main(void)
{
    bool no = false, yes = true;
    bool ok = kin_sim_sweep("rules", 1, 600, scenario_equals_oracle, &no);
    ok = kin_sim_sweep("rules, models and clean sources", 1, 600, scenario_equals_oracle, &yes) &&
         ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
