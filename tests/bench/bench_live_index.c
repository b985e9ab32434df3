/* The worker's side of live operation, one worker, with the real loop, pool and store: how long it
 * takes until a run of invented people is served, how many lookups a second of processor time, how
 * long each takes, and how long a batch takes.
 *
 *   bench_live_index [records, 1000000] [threads, 1] [lookups of each kind, 100000] [directory,
 * /tmp]
 */
#include "common/env/live/live.h"
#include "common/match/model.h"
#include "common/record/normalise.h"
#include "common/store/lmdb_store.h"
#include "tests/bench/generate_people.h"
#include "worker/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_RECORDS = 10000, RUN = 7, POOL = 4096, OUTSTANDING_MAX = 256, LIVE_RECORDS = 1000 };

static const char workflow_text[] =
    "kindred: 1\n"
    "workflow: bench\n"
    "sources: {crm: {path: /crm.csv, id: id}}\n"
    "fields:\n"
    "  first_name: name\n"
    "  last_name: name\n"
    "  dob: date\n"
    "  email: email\n"
    "  city: text\n"
    "  postcode: postcode\n"
    "  phone: {type: phone, country: GB}\n"
    "block_on:\n"
    "  - [email]\n"
    "  - [phone]\n"
    "  - [soundex(last_name), dob]\n"
    "  - [prefix(first_name, 3), postcode]\n"
    "rules:\n"
    "  - {name: same, when: \"Exact(first_name) AND Exact(last_name) AND Exact(dob)\"}\n"
    "model:\n"
    "  file: /model.json\n"
    "  threshold: 0.95\n"
    "  compare:\n"
    "    first_name: [exact, jaro_winkler 0.92, jaro_winkler 0.8]\n"
    "    last_name: [exact, jaro_winkler 0.92, jaro_winkler 0.8]\n"
    "    dob: [exact, damerau 1, within 1 year]\n"
    "    email: [exact, same username, jaro_winkler 0.9]\n"
    "    city: [exact]\n";
static const unsigned cells[] = {FIRST, LAST, DOB, EMAIL, CITY, POSTCODE, PHONE};

struct ask {
    uint64_t request;
    double began;
};

struct bench {
    struct kin_live *world;
    struct kin_env *env;
    struct kin_workflow *workflow;
    struct kin_people *people;
    struct kin_norm_scratch *norm;
    struct kin_buf model, record;
    uint64_t records, batches, sent, lookups, request, epoch;
    unsigned threads;
    double began;
    /* lookups */
    struct kin_buf pool[POOL];
    struct ask asks[OUTSTANDING_MAX];
    unsigned outstanding, phase;
    uint64_t asked, answered, entries;
    double *took;
    double processor;
    uint64_t seq;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double processor(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + 1e-6 * (double)u.ru_utime.tv_usec +
           (double)u.ru_stime.tv_sec + 1e-6 * (double)u.ru_stime.tv_usec;
}

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_live_index: %s\n", what);
    exit(1);
}

/* ---- records ---- */

static void put_record(struct bench *b, uint64_t number, uint32_t rel, struct kin_buf *out)
{
    struct kin_person p;
    struct kin_features_builder f;
    const struct kin_workflow *w = b->workflow;
    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    char id[24];
    kin_people_record(b->people, number % b->records, &p);
    int n = snprintf(id, sizeof id, "%llu", (unsigned long long)number);
    kin_features_begin(&f, out, (unsigned)w->schema.count, rel, 0, (struct kin_str){id, (size_t)n});
    for (unsigned c = 0; c < w->schema.count; c++) {
        struct kin_norm_value v;
        struct kin_str raw = {p.cell[cells[c]].p, p.cell[cells[c]].n};
        if (kin_normalise(b->norm, &w->fields[c], raw, &v) != KIN_NORM_VALUE)
            continue;
        kin_features_field(&f, c);
        kin_features_value(&f, v.p, v.bytes, v.ascii);
    }
    size_t count = kin_blocking_keys(w->keys, w->key_count, kin_features_peek(&f),
                                     w->limits.max_keys, keys, &excess);
    need(kin_features_end(&f, keys, count) == KIN_OK, "record");
}

/* Features and rows of records from..to; returns the bytes of the features. */
static uint32_t sections(struct bench *b, uint64_t from, uint64_t to, struct kin_buf *out)
{
    static const struct kin_str columns[1] = {{"name", 4}};
    struct kin_batch_rows_builder rows = {0};
    kin_buf_u64(out, from);
    kin_buf_u64(out, 0);
    for (uint64_t i = from; i < to; i++) {
        char id[24];
        int n = snprintf(id, sizeof id, "%llu", (unsigned long long)i);
        put_record(b, i, (uint32_t)(i - from), out);
        kin_batch_rows_begin_row(&rows, (uint32_t)(i - from), INT64_MIN, 0,
                                 (struct kin_str){id, (size_t)n});
        kin_batch_rows_cell(&rows, 0, KIN_STR("somebody"));
        kin_batch_rows_end_row(&rows);
    }
    need(!out->failed, "memory");
    kin_put_le32(out->p + 8, (uint32_t)(to - from));
    kin_put_le32(out->p + 12, (uint32_t)out->n - 16);
    uint32_t features = (uint32_t)out->n;
    kin_batch_rows_finish(&rows, columns, 1, out);
    kin_buf_deinit(&rows.rows);
    need(!out->failed, "memory");
    return features;
}

static void make_model(struct bench *b)
{
    struct kin_comparer *comparer;
    struct kin_err err;
    struct kin_model model = {.prior = 1e-5};
    const struct kin_workflow_model *w = b->workflow->model;
    need(kin_comparer_new(&b->workflow->schema, w->comparisons, w->comparison_count, &comparer,
                          &err) == KIN_OK,
         "comparer");
    kin_comparer_spec(comparer, &model.spec);
    for (unsigned c = 0; c < model.spec.count; c++) {
        unsigned levels = model.spec.comparisons[c].level_count;
        double m = 0, u = 0;
        for (unsigned l = 1; l <= levels; l++) { /* the last is "all else" */
            model.m[c][l] = l == 1 ? 0.9 : 0.1 / levels;
            model.u[c][l] = l == levels ? 0.9 : 0.002 * l;
            m += model.m[c][l];
            u += model.u[c][l];
            model.m_seen[c][l] = model.u_seen[c][l] = true;
        }
        for (unsigned l = 1; l <= levels; l++) {
            model.m[c][l] /= m;
            model.u[c][l] /= u;
        }
        model.damping[c] = 1;
        model.tf_fuzzy[c] = 0.5;
    }
    kin_model_round(&model);
    need(kin_model_write(&model, &b->model, &err) == KIN_OK, "model");
    kin_comparer_free(comparer);
}

/* ---- messages ---- */

static uint64_t post(struct bench *b, struct kin_message m, struct kin_buf *payload)
{
    struct kin_frame *f;
    m.version = KIN_PROTO_VERSION_MAX;
    m.cluster = 1;
    m.epoch = 1;
    if (!m.request)
        m.request = ++b->request;
    need(kin_message_encode(&m, &f) == KIN_OK, "message");
    if (payload) {
        f->payload = *payload;
        *payload = (struct kin_buf){0};
    }
    b->env->ops->send(b->env, 1, f);
    return m.request;
}

static struct kin_shard_map one_worker(void)
{
    struct kin_shard_map map = {.workers = 1};
    return map;
}

static void open_job(struct bench *b)
{
    struct kin_shard_map map = one_worker();
    struct kin_message m = {.type = KIN_MSG_JOB_OPEN};
    m.u.job_open.job = RUN;
    m.u.job_open.workflow = KIN_STR(workflow_text);
    m.u.job_open.workers = 1;
    m.u.job_open.shard_map = (struct kin_str){(const char *)map.owner, KIN_SHARDS};
    post(b, m, NULL);
}

static void send_batches(struct bench *b, uint64_t durable)
{
    while (b->sent < b->batches && b->sent < durable + 8) {
        struct kin_buf payload = {0};
        struct kin_message m = {.type = KIN_MSG_BATCH};
        uint64_t from = b->sent * BATCH_RECORDS, to = from + BATCH_RECORDS;
        m.u.batch.job = RUN;
        m.u.batch.seq = ++b->sent;
        m.u.batch.feature_bytes = sections(b, from, to < b->records ? to : b->records, &payload);
        post(b, m, &payload);
    }
    if (durable < b->batches)
        return;
    struct kin_message m = {.type = KIN_MSG_JOB_CLOSE};
    m.u.job_close.job = RUN;
    m.u.job_close.keep = true;
    post(b, m, NULL);
}

static void open_live(struct bench *b)
{
    struct kin_shard_map map = one_worker();
    struct kin_buf payload = {0};
    struct kin_message m = {.type = KIN_MSG_LIVE_OPEN};
    m.u.live_open.live = RUN;
    m.u.live_open.workflow = KIN_STR(workflow_text);
    m.u.live_open.workers = 1;
    m.u.live_open.shard_map = (struct kin_str){(const char *)map.owner, KIN_SHARDS};
    m.u.live_open.base = b->batches;
    kin_buf_u32(&payload, 0);
    kin_buf_u32(&payload, 0);
    kin_buf_u32(&payload, (uint32_t)b->model.n);
    kin_buf_u64(&payload, 0);
    kin_buf_put(&payload, b->model.p, b->model.n);
    while ((payload.n - 4 - 16) % 8)
        kin_buf_putc(&payload, 0);
    kin_put_le32(payload.p, (uint32_t)payload.n - 4);
    b->began = now();
    b->processor = processor();
    post(b, m, &payload);
}

/* ---- lookups ---- */

static const unsigned phases[] = {1, 16, 128};

static void ask(struct bench *b, struct ask *a)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_LOOKUP};
    const struct kin_buf *rec = &b->pool[b->asked++ % POOL];
    struct kin_buf payload = {0};
    m.u.live_lookup.live = RUN;
    kin_buf_put(&payload, rec->p, rec->n);
    a->began = now();
    a->request = post(b, m, &payload);
}

static int by_time(const void *x, const void *y)
{
    const double *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

static void begin_phase(struct bench *b)
{
    b->asked = b->answered = b->entries = 0;
    b->began = now();
    b->processor = processor();
    b->outstanding = phases[b->phase];
    for (unsigned i = 0; i < b->outstanding; i++)
        ask(b, &b->asks[i]);
}

static void send_batch(struct bench *b)
{
    struct kin_buf payload = {0};
    struct kin_message m = {.type = KIN_MSG_LIVE_BATCH};
    uint64_t from = b->records + b->seq * LIVE_RECORDS;
    m.u.live_batch.live = RUN;
    m.u.live_batch.seq = ++b->seq;
    m.u.live_batch.committed = b->seq - 1;
    m.u.live_batch.feature_bytes = sections(b, from, from + LIVE_RECORDS, &payload);
    m.u.live_batch.row_bytes = (uint32_t)payload.n - m.u.live_batch.feature_bytes;
    b->began = now();
    post(b, m, &payload);
}

static void end_phase(struct bench *b)
{
    double wall = now() - b->began, used = processor() - b->processor;
    qsort(b->took, b->lookups, sizeof *b->took, by_time);
    printf(
        "lookups, %3u at a time: %8.0f/s, %8.0f per processor second, p50 %6.0f us, p99 %6.0f us, "
        "%.2f found\n",
        phases[b->phase], (double)b->lookups / wall, (double)b->lookups / used,
        1e6 * b->took[b->lookups / 2], 1e6 * b->took[b->lookups / 100 * 99],
        (double)b->entries / (double)b->lookups);
    fflush(stdout);
    if (++b->phase < sizeof phases / sizeof *phases)
        begin_phase(b);
    else
        send_batch(b);
}

static void on_found(struct bench *b, const struct kin_message *m, const struct kin_frame *f)
{
    need(m->u.live_found.status == KIN_OK, "lookup");
    for (unsigned i = 0; i < b->outstanding; i++) {
        if (b->asks[i].request != m->request)
            continue;
        b->took[b->answered++] = now() - b->asks[i].began;
        b->entries += kin_le32(f->payload.p);
        if (b->asked < b->lookups)
            ask(b, &b->asks[i]);
    }
    if (b->answered == b->lookups)
        end_phase(b);
}

/* ---- the coordinator ---- */

static void *bench_boot(struct kin_env *env, void *args)
{
    struct bench *b = args;
    b->env = env;
    return b;
}

static void bench_stop(void *node)
{
    (void)node;
}

static void on_edges(struct bench *b, const struct kin_message *m, const struct kin_frame *f)
{
    need(m->u.live_edges.status == KIN_OK, "live batch");
    printf("batch of %d: %.1f ms, %zu edges\n", LIVE_RECORDS, 1e3 * (now() - b->began),
           f->payload.n / KIN_LIVE_EDGE_BYTES);
    if (b->seq < 5)
        send_batch(b);
    else
        kin_live_stop(b->world);
}

static void bench_frame(void *node, kin_node_id from, struct kin_frame *f)
{
    struct bench *b = node;
    struct kin_message m;
    (void)from;
    need(kin_message_decode(f, &m, NULL) == KIN_OK, "answer");
    if (m.type == KIN_MSG_HELLO) {
        struct kin_message welcome = {.type = KIN_MSG_WELCOME, .request = m.request};
        welcome.u.welcome.version = KIN_PROTO_VERSION_MAX;
        welcome.u.welcome.lease_ms = 3600 * 1000;
        post(b, welcome, NULL);
        if (!b->sent)
            open_job(b);
    } else if (m.type == KIN_MSG_JOB_OPENED) {
        need(m.u.job_opened.status == KIN_OK, "job");
        send_batches(b, 0);
    } else if (m.type == KIN_MSG_BATCH_ACK) {
        need(m.u.batch_ack.status == KIN_OK, "batch");
        send_batches(b, m.u.batch_ack.durable);
    } else if (m.type == KIN_MSG_STEP_DONE) {
        need(m.u.step_done.status == KIN_OK, "close");
        open_live(b);
    } else if (m.type == KIN_MSG_LIVE_OPENED) {
        need(m.u.live_opened.status == KIN_OK, "open");
        struct rusage u;
        getrusage(RUSAGE_SELF, &u);
        printf("open: %.2f s, %.2f s of processor, %llu records, at most %.0f MiB\n",
               now() - b->began, processor() - b->processor,
               (unsigned long long)m.u.live_opened.records, (double)u.ru_maxrss / 1024);
        begin_phase(b);
    } else if (m.type == KIN_MSG_LIVE_FOUND) {
        on_found(b, &m, f);
    } else if (m.type == KIN_MSG_LIVE_EDGES) {
        on_edges(b, &m, f);
    }
}

static const struct kin_node_ops bench_ops = {bench_boot, bench_frame, bench_stop};

static uint64_t number(int argc, char **argv, int at, uint64_t standard)
{
    return argc > at ? strtoull(argv[at], NULL, 10) : standard;
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct kin_problems problems = {0};
    struct kin_err err;
    struct kin_store *store;
    char dir[300];
    b.records = number(argc, argv, 1, 1000 * 1000);
    b.threads = (unsigned)number(argc, argv, 2, 1);
    b.lookups = number(argc, argv, 3, 100 * 1000);
    b.batches = (b.records + BATCH_RECORDS - 1) / BATCH_RECORDS;
    snprintf(dir, sizeof dir, "%s/bench_live_XXXXXX", argc > 4 ? argv[4] : "/tmp");
    need(mkdtemp(dir) != NULL, "directory");
    kin_alloc_keep();
    if (kin_workflow_parse(KIN_STR(workflow_text), "", &b.workflow, &problems) != KIN_OK) {
        struct kin_buf text = {0};
        kin_problems_print(&problems, "workflow", KIN_STR(workflow_text), &text);
        fprintf(stderr, "%.*s\n", (int)text.n, (const char *)text.p);
        return 1;
    }
    b.norm = kin_norm_scratch_new();
    b.people = kin_people_new(&(struct kin_people_options){
        .records = b.records, .seed = 1, .duplicates_ppm = 200 * 1000, .linear = true});
    b.took = calloc(b.lookups + 1, sizeof *b.took);
    need(b.norm && b.people && b.took, "memory");
    make_model(&b);
    for (uint64_t i = 0; i < POOL; i++)
        put_record(&b, i * 7919 % b.records, 0, &b.pool[i]);
    struct kin_lmdb_options lmdb = {.path = dir,
                                    .map_bytes = (uint64_t)1 << 36,
                                    .dbs = KIN_WORKER_DBS,
                                    .format = KIN_WORKER_STORE_FORMAT};
    struct kin_worker_args args = {.name = "bench"};
    struct kin_live_options options = {.threads = b.threads};
    need(kin_live_new(&options, &b.world, &err) == KIN_OK, "world");
    need(kin_lmdb_open(&lmdb, &store, &err) == KIN_OK, "store");
    need(kin_live_add(b.world, KIN_COORDINATOR, NULL, &bench_ops, &b, &err) == KIN_OK, "node");
    need(kin_live_add(b.world, 1, store, &kin_worker_ops, &args, &err) == KIN_OK, "node");
    kin_live_run(b.world);
    kin_live_free(b.world);
    kin_people_free(b.people);
    kin_norm_scratch_free(b.norm);
    kin_workflow_free(b.workflow);
    for (unsigned i = 0; i < POOL; i++)
        kin_buf_deinit(&b.pool[i]);
    kin_buf_deinit(&b.model);
    free(b.took);
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) != 0;
}
