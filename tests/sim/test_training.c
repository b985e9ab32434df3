/* Training in the simulated cluster: the model is a function of the records. Whatever the number of
 * workers, and whatever fails on the way, model, groups and pairs are those of one undisturbed
 * worker, to the byte. */
#include "tests/sim/cluster.h"

#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000 };

struct result {
    struct kin_buf matches, pairs, model, training;
};

static void keep(struct kin_sim *sim, const char *file, struct kin_buf *to)
{
    struct kin_str bytes;
    if (kin_sim_out_get(sim, "/out", file, &bytes))
        kin_buf_put(to, bytes.p, bytes.n);
}

static void result_deinit(struct result *r)
{
    kin_buf_deinit(&r->matches);
    kin_buf_deinit(&r->pairs);
    kin_buf_deinit(&r->model);
    kin_buf_deinit(&r->training);
}

/* The workflow of the scenario, with its model trained instead of read. */
static bool with_training(const struct scenario *s, struct kin_buf *out)
{
    static const char file[] = "  file: /model.json\n", train[] = "  train: {pass_pairs: 10000}\n";
    const char *text = (const char *)s->workflow_text.p;
    const char *at = memmem(text, s->workflow_text.n, file, sizeof file - 1);
    if (!at)
        return false;
    kin_buf_put(out, text, (size_t)(at - text));
    kin_buf_puts(out, train);
    kin_buf_put(out, at + sizeof file - 1,
                s->workflow_text.n - (size_t)(at - text) - (sizeof file - 1));
    return true;
}

static bool run(const struct scenario *s, struct kin_str workflow, uint64_t seed, unsigned workers,
                bool faults, struct result *out)
{
    struct kin_sim_options options = {.crash = faults ? 700 : 0};
    struct kin_sim *sim = kin_sim_new(seed, &options);
    struct cluster c;
    cluster_prepare(&c, sim, s, workers, 400);
    c.job.workflow = workflow;
    c.job.pairs = true;
    kin_sim_add(sim, KIN_COORDINATOR, &kin_coordinator_ops, &c.coordinator);
    for (unsigned w = 0; w < workers; w++)
        kin_sim_add(sim, w + 1, &kin_worker_ops, &c.workers[w]);
    if (faults)
        kin_sim_chaos(sim, 1 + (unsigned)(seed % 6));
    cluster_run(&c, (3 + seed % 20) * SECOND);
    kin_sim_heal(sim);
    bool ok = cluster_run(&c, 600ull * SECOND);
    if (!ok)
        fprintf(stderr, "seed %llu: not done: %s\n", (unsigned long long)seed, c.error);
    keep(sim, "matches.csv", &out->matches);
    keep(sim, "pairs.csv", &out->pairs);
    keep(sim, "model.json", &out->model);
    keep(sim, "training.txt", &out->training);
    kin_sim_free(sim);
    return ok;
}

static bool same(uint64_t seed, const char *file, const struct kin_buf *a, const struct kin_buf *b)
{
    if (a->n && a->n == b->n && memcmp(a->p, b->p, a->n) == 0)
        return true;
    fprintf(stderr, "seed %llu: %s differs (%zu and %zu bytes)\n", (unsigned long long)seed, file,
            a->n, b->n);
    return false;
}

static bool trains(uint64_t seed, void *arg)
{
    (void)arg;
    struct scenario_options o = {.records_max = 45, .models = true};
    struct scenario *s = scenario_new(seed, &o);
    struct kin_buf workflow = {0};
    bool ok = true;
    if (s->workflow->model && with_training(s, &workflow)) {
        struct kin_str text = {(const char *)workflow.p, workflow.n};
        struct result one = {0}, many = {0};
        ok = run(s, text, seed, 1, false, &one) &&
             run(s, text, seed, 2 + (unsigned)(seed % 4), true, &many);
        ok = ok && same(seed, "model.json", &one.model, &many.model) &&
             same(seed, "training.txt", &one.training, &many.training) &&
             same(seed, "matches.csv", &one.matches, &many.matches) &&
             same(seed, "pairs.csv", &one.pairs, &many.pairs);
        result_deinit(&one);
        result_deinit(&many);
    }
    kin_buf_deinit(&workflow);
    scenario_free(s);
    return ok;
}

int main(void)
{
    return kin_sim_sweep("training", 1, 200, trains, NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
}
