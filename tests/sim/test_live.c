/* Live operation in the simulated world: a batch whose records are served, then records that come,
 * change and go, links of people, lookups, under every fault there is. At random moments all that
 * can be asked is compared with the reference under the plan of the batch, and with the model of
 * MatchIds. docs/invariants.md says what that proves. */
#include "tests/sim/live_cluster.h"
#include "tests/sim/world_impl.h"

#include <stdlib.h>
#include <string.h>

struct mode {
    struct kin_sim_options options; /* of the world while it is disturbed */
    unsigned chaos;                 /* highest intensity of the schedule of faults; 0: none */
    bool jobs;                      /* other batches are served in place of the first */
    bool models, links;
};

static bool is_disturbed(const struct mode *m)
{
    const struct kin_sim_options *o = &m->options;
    return m->chaos || o->loss || o->duplicate || o->reorder || o->full || o->crash ||
           o->allocation;
}

static void disturb(struct live_cluster *k)
{
    const struct mode *m = k->arg;
    struct kin_sim_options *o = &k->sim->options;
    o->loss = m->options.loss;
    o->duplicate = m->options.duplicate;
    o->reorder = m->options.reorder;
    o->full = m->options.full;
    o->out_fail = m->options.out_fail;
    o->crash = m->options.crash;
    o->allocation = m->options.allocation;
    if (m->chaos)
        kin_sim_chaos(k->sim, 1 + (unsigned)(k->seed % m->chaos));
}

static bool act(struct live_cluster *k, const struct mode *m)
{
    switch (live_cluster_below(k, 12)) {
    case 0:
    case 1:
        return live_cluster_link(k);
    case 2:
    case 3:
        return live_cluster_look(k);
    case 4:
        return live_cluster_read_feed(k);
    case 5:
        kin_sim_run_for(k->sim, live_cluster_below(k, is_disturbed(m) ? 400000 : 5000));
        return live_cluster_settle_ops(k, false);
    case 6:
        return live_cluster_settle_ops(k, true);
    default:
        return live_cluster_put(k);
    }
}

static bool check(struct live_cluster *k)
{
    bool disturbed = k->disturbed;
    live_cluster_heal(k);
    bool ok = live_cluster_check(k);
    if (disturbed)
        live_cluster_disturb(k);
    return ok;
}

static bool serves(uint64_t seed, void *arg)
{
    const struct mode *m = arg;
    struct scenario_options o = {
        .records_max = 36, .models = m->models && seed % 2, .links = m->links && seed % 3 == 0};
    struct kin_sim_options world = {.delay_us = m->options.delay_us};
    struct live_cluster *k = live_cluster_new(seed, &o, &world);
    bool disturbed = is_disturbed(m);
    k->strict = !disturbed;
    k->arg = m;
    k->disturb = disturbed ? disturb : NULL;
    k->reordered = m->chaos || m->options.duplicate || m->options.reorder;
    if (seed % 2)
        live_cluster_disturb(k);
    bool ok = live_cluster_begin(k);
    ok = ok && check(k);
    live_cluster_disturb(k);
    for (int step = 0; step < 40 && ok; step++) {
        ok = act(k, m);
        if (ok && live_cluster_below(k, 16) == 0)
            ok = check(k);
        if (ok && m->jobs && live_cluster_below(k, 20) == 0) {
            live_cluster_heal(k);
            ok = live_cluster_next_job(k) && check(k);
            live_cluster_disturb(k);
        }
    }
    live_cluster_heal(k);
    ok = ok && live_cluster_check(k);
    if (ok && k->acked_lost)
        ok = live_cluster_wrong(k, "acknowledged batches were lost");
    if (getenv("KIN_SIM_SEED"))
        fprintf(stderr,
                "%llu checks, %llu lookups, %llu found, %llu partial, %llu PUTs of %llu lines, %d "
                "events, %d ids, %d records, %u workers\n",
                (unsigned long long)k->checks, (unsigned long long)k->lookups,
                (unsigned long long)k->found, (unsigned long long)k->partial,
                (unsigned long long)k->puts, (unsigned long long)k->lines, k->feed->line_count,
                k->feed->model->id_count, k->truth.count, k->worker_count);
    if (!ok) {
        fprintf(stderr, "%.*s", (int)k->s->workflow_text.n, (char *)k->s->workflow_text.p);
        if (getenv("KIN_SIM_SEED"))
            kin_sim_dump(k->sim, stderr);
    }
    live_cluster_free(k);
    return ok;
}

struct sweep {
    const char *name;
    uint64_t seeds;
    struct mode mode;
};

/* With a word as its argument it runs those sweeps that have it in their name. */
int main(int argc, char **argv)
{
    struct sweep sweeps[] = {
        {"live: rules", 150, {.jobs = false}},
        {"live: models", 150, {.models = true}},
        {"live: files of links", 100, {.links = true, .models = true}},
        {"live: under everything", 150, {.chaos = 10, .models = true}},
        {"live: under crashes", 150, {.options = {.crash = 1500}, .models = true}},
        {"live: over a bad net",
         80,
         {.options = {.loss = 100000, .duplicate = 100000, .reorder = 200000}, .models = true}},
        {"live: on full disks", 80, {.options = {.full = 10000, .out_fail = 20000}}},
        {"live: short of memory", 80, {.options = {.allocation = 1500}, .models = true}},
        {"live: one batch after another", 100, {.jobs = true, .models = true}},
        {"live: batches under everything", 60, {.jobs = true, .chaos = 10, .models = true}},
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
        struct sweep *s = &sweeps[i];
        if (argc < 2 || strstr(s->name, argv[1]))
            ok = kin_sim_sweep(s->name, 1, s->seeds, serves, &s->mode) && ok;
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
