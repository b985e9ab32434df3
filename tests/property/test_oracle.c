/* Property: whatever the workflow and the records, an undisturbed cluster gives exactly what the
 * plain reference gives: the plan, the pairs compared, the edges, vetoes, MatchGroups and MatchIds.
 */
#include "tests/sim/cluster.h"

#include <stdlib.h>

struct kinds {
    bool models, links;
    uint32_t component_bytes; /* 0: as it is; 1: all components are done by the coordinator */
};

static bool scenario_equals_oracle(uint64_t seed, void *arg)
{
    const struct kinds *k = arg;
    struct scenario_options o = {.records_max = k->models || k->links ? 45 : 0,
                                 .models = k->models,
                                 .links = k->links,
                                 .never_unchecked = k->component_bytes == 1};
    struct scenario *s = scenario_new(seed, &o);
    s->component_bytes = k->component_bytes;
    struct kin_sim *sim = kin_sim_new(seed, &(struct kin_sim_options){0});
    struct cluster c;
    cluster_init(&c, sim, s, 1 + (unsigned)(seed % 4), 300 + (uint32_t)(seed * 37 % 3000));
    kin_sim_run_until(sim, cluster_done, &c, 600 * 1000000ull);
    bool ok = cluster_check(&c, s);
    kin_sim_free(sim);
    scenario_free(s);
    return ok;
}

/* A component that no message holds is clustered by the coordinator: but for never rules, which are
 * not asked there, nothing is different, wherever the bound lies. */
static bool bound_changes_nothing(uint64_t seed, void *arg)
{
    struct kinds k = *(const struct kinds *)arg;
    struct scenario_options o = {.records_max = 45, .models = k.models, .links = k.links};
    struct scenario *s = scenario_new(seed, &o);
    k.component_bytes = s->workflow->never_count ? 1 : 100 + (uint32_t)(seed * 61 % 4000);
    scenario_free(s);
    return scenario_equals_oracle(seed, &k);
}

int main(void)
{
    struct kinds rules = {0}, models = {.models = true}, links = {.links = true},
                 everything = {.models = true, .links = true};
    bool ok = kin_sim_sweep("rules", 1, 600, scenario_equals_oracle, &rules);
    ok =
        kin_sim_sweep("rules, models and clean sources", 1, 600, scenario_equals_oracle, &models) &&
        ok;
    ok = kin_sim_sweep("rules and links", 1, 300, scenario_equals_oracle, &links) && ok;
    ok = kin_sim_sweep("models and links", 1, 300, scenario_equals_oracle, &everything) && ok;
    ok = kin_sim_sweep("components larger than a message", 1, 300, bound_changes_nothing,
                       &everything) &&
         ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
