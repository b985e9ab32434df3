#include "tests/sim/cluster.h"

#include <string.h>

static void on_done(void *arg, kin_status status, const char *error)
{
    struct cluster *c = arg;
    c->done += status == KIN_OK;
    c->failed += status != KIN_OK;
    c->ended = true;
    c->status = status;
    snprintf(c->error, sizeof c->error, "%s", error);
}

void cluster_prepare(struct cluster *c, struct kin_sim *sim, const struct scenario *s,
                     unsigned workers, uint32_t chunk_bytes)
{
    *c = (struct cluster){.sim = sim};
    c->job =
        (struct kin_job_options){.workflow = {(const char *)s->workflow_text.p, s->workflow_text.n},
                                 .base_dir = "",
                                 .out_dir = "/out",
                                 .pairs = s->pairs,
                                 .chunk_bytes = chunk_bytes,
                                 .component_bytes = s->component_bytes};
    memcpy(c->job.match_id_key, KIN_MATCH_ID_KEY, sizeof c->job.match_id_key);
    c->coordinator = (struct kin_coordinator_args){
        .workers = workers, .lease_ms = 1000, .job = &c->job, .on_done = on_done, .arg = c};
    for (int i = 0; i < s->file_count; i++)
        kin_sim_file_put(sim, s->files[i].path, s->files[i].bytes.p, s->files[i].bytes.n);
    for (unsigned w = 0; w < workers; w++)
        c->workers[w].name = "worker";
}

void cluster_init(struct cluster *c, struct kin_sim *sim, const struct scenario *s,
                  unsigned workers, uint32_t chunk_bytes)
{
    cluster_prepare(c, sim, s, workers, chunk_bytes);
    kin_sim_add(sim, KIN_COORDINATOR, &kin_coordinator_ops, &c->coordinator);
    for (unsigned w = 0; w < workers; w++)
        kin_sim_add(sim, w + 1, &kin_worker_ops, &c->workers[w]);
}

static bool cluster_ended(void *cluster)
{
    return ((struct cluster *)cluster)->ended;
}

bool cluster_run(struct cluster *c, uint64_t limit_us)
{
    uint64_t end = kin_sim_now_us(c->sim) + limit_us;
    while (!c->done && kin_sim_now_us(c->sim) < end) {
        c->ended = false;
        if (!kin_sim_run_until(c->sim, cluster_ended, c, end - kin_sim_now_us(c->sim)))
            return false;
        if (!c->done) {
            kin_sim_crash(c->sim, KIN_COORDINATOR);
            kin_sim_restart(c->sim, KIN_COORDINATOR, 1000);
        }
    }
    return c->done > 0;
}

bool cluster_done(void *cluster)
{
    return ((struct cluster *)cluster)->done > 0;
}

static struct kin_str output(struct cluster *c, const char *file)
{
    struct kin_str bytes = {"", 0};
    if (!kin_sim_out_get(c->sim, "/out", file, &bytes))
        return (struct kin_str){"", 0};
    return bytes;
}

bool cluster_check(struct cluster *c, const struct scenario *s)
{
    if (!c->done || c->status != KIN_OK) {
        fprintf(stderr, "seed %llu: the job is not done: %s\n", (unsigned long long)s->seed,
                c->error);
        return false;
    }
    return scenario_check(s, output(c, "matches.csv"), output(c, "pairs.csv"),
                          output(c, "errors.csv"), output(c, "report.json"));
}
