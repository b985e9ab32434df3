#include "tests/sim/live_cluster.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    MS = 1000,
    SECOND = 1000 * MS,
    DISTURBED_US = 4 * SECOND, /* so long faults may keep anything from happening */
    PATIENCE_US = 120 * SECOND
};

uint64_t live_cluster_below(struct live_cluster *k, uint64_t n)
{
    k->random = k->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (k->random >> 33) % n;
}

bool live_cluster_chance(struct live_cluster *k, unsigned percent)
{
    return live_cluster_below(k, 100) < percent;
}

bool live_cluster_wrong(struct live_cluster *k, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "seed %llu at %llu us: ", (unsigned long long)k->seed,
            (unsigned long long)kin_sim_now_us(k->sim));
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

/* ---- the world ---- */

static void on_log(void *arg, kin_node_id node, char level, const char *event, const char *text)
{
    struct live_cluster *k = arg;
    if (getenv("KIN_SIM_LOG"))
        fprintf(stderr, "%9llu %u %c %s %s\n", (unsigned long long)kin_sim_now_us(k->sim), node,
                level, event, text);
    k->acked_lost = k->acked_lost || strcmp(event, "batches_lost") == 0;
}

static void on_done(void *arg, kin_status status, const char *error)
{
    (void)status;
    (void)error;
    ((struct live_cluster *)arg)->coordinator_failed = true;
}

struct live_cluster *live_cluster_new(uint64_t seed, const struct scenario_options *scenario,
                                      const struct kin_sim_options *options)
{
    struct live_cluster *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    struct kin_sim_options o = *options;
    k->seed = k->random = seed;
    k->s = scenario_new(seed, scenario);
    o.log_line = on_log;
    o.log_arg = k;
    k->sim = kin_sim_new(seed, &o);
    k->worker_count = 1 + (unsigned)live_cluster_below(k, LIVE_WORKERS);
    k->coordinator =
        (struct kin_coordinator_args){.workers = k->worker_count,
                                      .lease_ms = 1000,
                                      .give_up_ms = 3600 * 1000,
                                      .chunk_bytes = 200 + (uint32_t)(seed * 37 % 2000),
                                      .results_dir = "/results",
                                      .files_dir = "/",
                                      .version = "test",
                                      .on_done = on_done,
                                      .arg = k};
    memcpy(k->coordinator.match_id_key, KIN_MATCH_ID_KEY, sizeof k->coordinator.match_id_key);
    kin_sim_add(k->sim, KIN_COORDINATOR, &kin_coordinator_ops, &k->coordinator);
    for (unsigned w = 0; w < k->worker_count; w++) {
        k->workers[w].name = "worker";
        kin_sim_add(k->sim, w + 1, &kin_worker_ops, &k->workers[w]);
    }
    live_client_init(&k->client, k->sim, KIN_CLIENT_FIRST);
    k->feed = live_feed_new(k->s->workflow, KIN_MATCH_ID_KEY);
    return k;
}

/* ---- sources ---- */

static void add_source(struct live_cluster *k, uint32_t source, const char *path, const void *p,
                       size_t n)
{
    struct live_source *s = &k->sources[k->source_count++];
    s->source = source;
    snprintf(s->path, sizeof s->path, "%s", path);
    kin_buf_put(&s->bytes, p, n);
    kin_sim_file_put(k->sim, path, p, n);
}

static void drop_sources(struct live_cluster *k)
{
    for (int i = 0; i < k->source_count; i++) {
        kin_sim_file_remove(k->sim, k->sources[i].path);
        kin_buf_deinit(&k->sources[i].bytes);
    }
    k->source_count = 0;
}

static void drop(struct oracle *o)
{
    oracle_free(o);
    free(o->records);
    *o = (struct oracle){0};
}

void live_cluster_free(struct live_cluster *k)
{
    drop_sources(k);
    kin_sim_free(k->sim);
    live_client_deinit(&k->client);
    live_feed_free(k->feed);
    if (k->plan)
        oracle_plan_free(k->plan);
    free(k->truth.records);
    drop(&k->last);
    if (k->jobs > 1)
        drop(&k->base);
    for (int i = 0; i < LIVE_OPS; i++)
        free(k->ops[i].lines);
    scenario_free(k->s);
    free(k);
}

struct run {
    struct live_cluster *k;
    bool (*until)(void *arg);
    void *arg;
};

static bool stop_running(void *arg)
{
    const struct run *r = arg;
    return r->k->coordinator_failed || r->until(r->arg);
}

void live_cluster_disturb(struct live_cluster *k)
{
    if (k->disturb)
        k->disturb(k);
    k->disturbed = k->disturb != NULL;
}

void live_cluster_heal(struct live_cluster *k)
{
    kin_sim_heal(k->sim);
    k->disturbed = false;
}

static bool run_for(struct live_cluster *k, bool (*until)(void *arg), void *arg, uint64_t limit_us)
{
    struct run r = {k, until, arg};
    uint64_t end = kin_sim_now_us(k->sim) + limit_us;
    while (kin_sim_now_us(k->sim) < end) {
        kin_sim_run_until(k->sim, stop_running, &r, end - kin_sim_now_us(k->sim));
        if (until(arg))
            return true;
        if (k->coordinator_failed) {
            kin_sim_crash(k->sim, KIN_COORDINATOR);
            kin_sim_restart(k->sim, KIN_COORDINATOR, MS);
            k->coordinator_failed = false;
        }
    }
    return false;
}

bool live_cluster_run(struct live_cluster *k, bool (*until)(void *arg), void *arg,
                      uint64_t limit_us)
{
    bool disturbed = k->disturbed;
    if (disturbed && run_for(k, until, arg, DISTURBED_US))
        return true;
    if (disturbed)
        live_cluster_heal(k);
    bool done = run_for(k, until, arg, limit_us);
    if (disturbed)
        live_cluster_disturb(k);
    return done;
}

static bool is_answered(void *arg)
{
    return ((struct live_request *)arg)->answered;
}

bool live_cluster_ask(struct live_cluster *k, struct live_request *q)
{
    live_client_send(&k->client, q);
    if (live_cluster_run(k, is_answered, q, PATIENCE_US))
        return true;
    return live_cluster_wrong(k, "%s is not answered; last: %s %s", kin_message_name(q->m.type),
                              kin_status_text(q->status), q->text);
}

/* ---- jobs ---- */

static bool submit(struct live_cluster *k, uint64_t *job)
{
    struct live_request *q = live_client_begin(&k->client, KIN_MSG_SUBMIT);
    q->m.u.submit.token = k->jobs;
    q->m.u.submit.workflow =
        (struct kin_str){(const char *)k->s->workflow_text.p, k->s->workflow_text.n};
    q->m.u.submit.serve = true;
    q->m.u.submit.replace = k->jobs > 1; /* what was put since is not in its sources */
    if (!k->sends)
        q->m.u.submit.out_dir = KIN_STR("/out");
    for (int i = 0; i < k->source_count && k->sends; i++) {
        const struct live_source *s = &k->sources[i];
        kin_buf_u32(&q->payload, s->source);
        kin_buf_u64(&q->payload, s->bytes.n);
        kin_buf_u64(&q->payload, 1); /* changed */
        kin_buf_u16(&q->payload, (uint16_t)strlen(s->path));
        kin_buf_puts(&q->payload, s->path);
    }
    bool ok = live_cluster_ask(k, q);
    *job = q->job;
    if (ok && q->status != KIN_OK)
        ok = live_cluster_wrong(k, "the job is refused: %s", q->text);
    live_client_end(&k->client, q);
    return ok;
}

/* The next piece of what the coordinator says it has not. */
static bool send_piece(struct live_cluster *k, uint64_t job)
{
    struct live_request *q = live_client_begin(&k->client, KIN_MSG_UPLOAD);
    q->m.u.upload.job = job;
    q->m.u.upload.file = k->at_file;
    q->m.u.upload.offset = k->at_offset;
    if (k->at_file < (uint32_t)k->source_count && k->at_offset < k->sources[k->at_file].bytes.n) {
        const struct kin_buf *bytes = &k->sources[k->at_file].bytes;
        size_t left = bytes->n - k->at_offset, n = 1 + live_cluster_below(k, 2000);
        kin_buf_put(&q->payload, bytes->p + k->at_offset, n < left ? n : left);
    }
    bool ok = live_cluster_ask(k, q);
    k->at_file = q->file;
    k->at_offset = q->next;
    live_client_end(&k->client, q);
    return ok;
}

/* Where a job fails (a full disk, no memory) it is asked for again. */
static bool run_job(struct live_cluster *k)
{
    uint64_t job = 0;
    bool disturbed = k->disturbed;
    k->jobs++;
    k->at_file = 0;
    k->at_offset = 0;
    bool ok = submit(k, &job);
    for (int polls = 0; ok; polls++) {
        struct live_request *q = live_client_begin(&k->client, KIN_MSG_JOB_STATE);
        q->m.u.job_state.job = job;
        ok = live_cluster_ask(k, q);
        uint32_t state = q->job_state;
        if (ok && state != KIN_JOB_DONE && polls >= 5000)
            ok = live_cluster_wrong(k, "the job is not done: state %u %s", state, q->text);
        live_client_end(&k->client, q);
        if (!ok || state == KIN_JOB_DONE)
            break;
        if (polls == 60)
            live_cluster_heal(k);
        if (state == KIN_JOB_FAILED)
            ok = submit(k, &job);
        if (state == KIN_JOB_UPLOADING)
            ok = send_piece(k, job);
        else
            kin_sim_run_for(k->sim, 100 * MS);
    }
    if (disturbed)
        live_cluster_disturb(k);
    return ok;
}

/* Of the links of files those stay whose records are there, each pair once; what people said to the
 * cluster stays. */
static void take_links(struct live_cluster *k, const struct oracle *base)
{
    k->truth.link_count = 0;
    for (int l = 0; l < base->link_count; l++) {
        const struct oracle_link *x = &base->links[l];
        const struct live_name name[2] = {live_name_of(x->source[0], x->id[0]),
                                          live_name_of(x->source[1], x->id[1])};
        bool there = live_cluster_find(&k->truth, name[0].source, name[0].id) >= 0 &&
                     live_cluster_find(&k->truth, name[1].source, name[1].id) >= 0;
        if ((there || k->jobs > 0) && live_cluster_find_link(&k->truth, name) < 0)
            k->truth.links[k->truth.link_count++] = *x;
    }
}

/* What a batch over k->base leaves: its plan, and its living records as they are. */
static void take_base(struct live_cluster *k)
{
    struct oracle_record *records = calloc(LIVE_RECORDS, sizeof *records);
    int n = 0;
    if (!records)
        abort();
    for (int i = 0; i < k->base.count; i++) {
        if (k->base.records[i].dead)
            continue;
        if (n == LIVE_RECORDS)
            abort();
        records[n] = k->base.records[i];
        records[n].features = NULL;
        records[n].linked = false;
        records[n++].base = i + 1;
    }
    if (k->plan)
        oracle_plan_free(k->plan);
    k->plan = oracle_plan_new(&k->base);
    struct oracle truth = {.workflow = k->s->workflow,
                           .records = records,
                           .count = n,
                           .model = k->base.model,
                           .model_bytes = k->base.model_bytes};
    free(k->truth.records);
    k->truth = truth;
    take_links(k, &k->base);
    k->touched_count = 0;
}

/* Files of sources are the job's, others (the model, links) stay. */
static void take_files(struct live_cluster *k)
{
    const struct kin_workflow *w = k->s->workflow;
    for (int i = 0; i < k->s->file_count; i++) {
        const struct scenario_file *f = &k->s->files[i];
        uint32_t source = 0;
        while (source < w->source_count &&
               strncmp(f->path + 4, w->sources[source].name, strlen(w->sources[source].name)) != 0)
            source++;
        if (strncmp(f->path, "/in/", 4) == 0)
            add_source(k, source, f->path, f->bytes.p, f->bytes.n);
        else
            kin_sim_file_put(k->sim, f->path, f->bytes.p, f->bytes.n);
    }
    k->sends = !w->model && !w->link_file_count && live_cluster_chance(k, 50);
}

bool live_cluster_begin(struct live_cluster *k)
{
    take_files(k);
    k->base = k->s->oracle;
    take_base(k);
    return run_job(k);
}

/* The records of now, some of them changed, some left out, some more: as sources, and as a base. */
static void make_sources(struct live_cluster *k, struct oracle *base)
{
    struct kin_buf text[3] = {{0}};
    struct oracle_record *records = calloc(LIVE_RECORDS, sizeof *records);
    if (!records)
        abort();
    int n = 0, sources = (int)k->s->workflow->source_count;
    for (int source = 0; source < sources; source++) {
        for (int i = 0; i < k->truth.count && n < LIVE_RECORDS - 20; i++) {
            struct oracle_record *r = &records[n];
            if ((int)k->truth.records[i].source != source || live_cluster_chance(k, 15))
                continue;
            *r = k->truth.records[i];
            if (live_cluster_chance(k, 15)) {
                scenario_record(&k->random, true, 0, r);
                memcpy(r->id, k->truth.records[i].id, sizeof r->id);
                r->source = (uint32_t)source;
            }
            r->features = NULL;
            r->linked = false;
            r->base = 0;
            scenario_put_json(r, &text[source]);
            n++;
        }
        for (int more = (int)live_cluster_below(k, 6); more > 0; more--) {
            struct oracle_record *r = &records[n++];
            scenario_record(&k->random, true, 0, r);
            snprintf(r->id, sizeof r->id, "n%d", ++k->new_ids);
            r->source = (uint32_t)source;
            scenario_put_json(r, &text[source]);
        }
    }
    drop_sources(k);
    for (int source = 0; source < sources; source++) {
        char path[64];
        snprintf(path, sizeof path, "/in/%s0.jsonl", k->s->workflow->sources[source].name);
        if (!text[source].n) { /* a source has a record */
            struct oracle_record *r = &records[n++];
            scenario_record(&k->random, true, 0, r);
            snprintf(r->id, sizeof r->id, "n%d", ++k->new_ids);
            r->source = (uint32_t)source;
            scenario_put_json(r, &text[source]);
        }
        add_source(k, (uint32_t)source, path, text[source].p, text[source].n);
        kin_buf_deinit(&text[source]);
    }
    *base = (struct oracle){.workflow = k->s->workflow,
                            .records = records,
                            .count = n,
                            .link_count = k->truth.link_count,
                            .model = k->truth.model,
                            .model_bytes = k->truth.model_bytes};
    memcpy(base->links, k->truth.links, sizeof base->links);
}

bool live_cluster_next_job(struct live_cluster *k)
{
    struct oracle base;
    if (!live_cluster_check(k))
        return false;
    make_sources(k, &base);
    oracle_run(&base);
    live_cluster_disturb(k);
    bool ok = run_job(k);
    if (k->jobs > 2)
        drop(&k->base);
    k->base = base;
    take_base(k);
    return ok;
}
