/* One core at a time in the simulated world, its peers played by the test: what rarely happens in
 * whole runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/match/blocking.h"
#include "coordinator/coordinator.h"
#include "proto/message.h"
#include "tests/sim/cluster.h"
#include "worker/impl.h"

enum { MS = 1000, SECOND = 1000 * MS, SEEN_MAX = 4096 };

static const char workflow_text[] = "kindred: 1\n"
                                    "workflow: t\n"
                                    "sources: {crm: {path: /crm.csv, id: id}}\n"
                                    "fields: {name: name}\n"
                                    "block_on: [[name]]\n"
                                    "rules: [{name: same, when: \"JaroWinkler(name, 0.9)\"}]\n";

/* ---- a peer that remembers what it was sent ---- */

struct seen {
    uint32_t type, status;
    uint64_t request, epoch, cluster, job;
};
struct peer {
    struct kin_env *env;
    struct seen seen[SEEN_MAX];
    size_t count;
};

static void *peer_boot(struct kin_env *env, void *args)
{
    struct peer *p = args;
    p->env = env;
    return p;
}

static void peer_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct peer *p = node;
    struct kin_message m;
    (void)from;
    assert_int_equal(kin_message_decode(frame, &m, NULL), KIN_OK);
    assert_true(p->count < SEEN_MAX);
    struct seen s = {.type = m.type, .request = m.request, .epoch = m.epoch, .cluster = m.cluster};
    if (m.type == KIN_MSG_STEP_DONE)
        s.status = m.u.step_done.status;
    else if (m.type == KIN_MSG_JOB_OPENED)
        s.status = m.u.job_opened.status;
    else if (m.type == KIN_MSG_BATCH_ACK)
        s.status = m.u.batch_ack.status;
    else if (m.type == KIN_MSG_JOB_OPEN)
        s.job = m.u.job_open.job;
    p->seen[p->count++] = s;
}

static void peer_stop(void *node)
{
    (void)node;
}

static const struct kin_node_ops peer_ops = {peer_boot, peer_frame, peer_stop};

/* The last message of a type since `from`; NULL: none. */
static const struct seen *last(const struct peer *p, size_t from, uint32_t type)
{
    for (size_t i = p->count; i-- > from;) {
        if (p->seen[i].type == type)
            return &p->seen[i];
    }
    return NULL;
}

struct letter {
    struct kin_env *env;
    kin_node_id to;
    struct kin_message m;
    struct kin_str payload;
};

static void post(void *arg)
{
    struct letter *l = arg;
    struct kin_frame *f;
    if (kin_message_encode(&l->m, &f) != KIN_OK)
        return; /* short of memory on purpose */
    kin_buf_put(&f->payload, l->payload.p, l->payload.n);
    l->env->ops->send(l->env, l->to, f);
}

static void send(struct kin_sim *sim, kin_node_id from, kin_node_id to, struct kin_message m,
                 struct kin_str payload)
{
    m.version = KIN_PROTO_VERSION_MAX;
    struct letter l = {kin_sim_env(sim, from), to, m, payload};
    kin_sim_call(sim, from, post, &l);
}

/* ---- a worker; the test is its coordinator ---- */

enum { JOB = 77, EPOCH = 5, CLUSTER = 9 };
static const char owners[KIN_SHARDS] = {0};
static const struct kin_str ONE_WORKER = {owners, sizeof owners};
static const struct kin_str NOTHING = {NULL, 0};

struct bench {
    struct kin_sim *sim;
    struct peer coordinator;
    struct kin_worker_args args;
};

static struct bench *bench_new(uint64_t seed, struct kin_sim_options options)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->args.name = "w";
    b->sim = kin_sim_new(seed, &options);
    kin_sim_add(b->sim, KIN_COORDINATOR, &peer_ops, &b->coordinator);
    kin_sim_add(b->sim, 1, &kin_worker_ops, &b->args);
    kin_sim_run_for(b->sim, 5 * MS);
    return b;
}

static void bench_free(struct bench *b)
{
    kin_sim_free(b->sim);
    free(b);
}

static void tell(struct bench *b, struct kin_message m, uint64_t request, struct kin_str payload)
{
    m.epoch = EPOCH;
    m.cluster = CLUSTER;
    m.request = request;
    send(b->sim, KIN_COORDINATOR, 1, m, payload);
}

static void welcome(struct bench *b, uint64_t request)
{
    struct kin_message m = {.type = KIN_MSG_WELCOME};
    m.u.welcome.version = 1;
    m.u.welcome.lease_ms = 60 * 1000;
    tell(b, m, request, NOTHING);
}

static struct kin_message job_open(void)
{
    struct kin_message m = {.type = KIN_MSG_JOB_OPEN};
    m.u.job_open.job = JOB;
    m.u.job_open.workflow = KIN_STR(workflow_text);
    m.u.job_open.workers = 1;
    m.u.job_open.shard_map = ONE_WORKER;
    return m;
}

static void open_job(struct bench *b)
{
    const struct seen *hello = last(&b->coordinator, 0, KIN_MSG_HELLO);
    assert_non_null(hello);
    welcome(b, hello->request);
    kin_sim_run_for(b->sim, 10 * MS);
    tell(b, job_open(), 1, NOTHING);
    kin_sim_run_for(b->sim, SECOND);
    const struct seen *opened = last(&b->coordinator, 0, KIN_MSG_JOB_OPENED);
    assert_non_null(opened);
    assert_int_equal(opened->status, KIN_OK);
}

static struct worker *core_of(struct bench *b)
{
    return kin_sim_node(b->sim, 1);
}

/* The clocks of two lives have nothing in common: a WELCOME for the life before would grant a lease
 * of any length, under an epoch the coordinator gave to somebody who has another state. */
static void test_welcome_of_an_earlier_life_is_not_taken(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct bench *b = bench_new(seed, (struct kin_sim_options){0});
        const struct seen *hello = last(&b->coordinator, 0, KIN_MSG_HELLO);
        assert_non_null(hello);
        uint64_t request = hello->request;
        kin_sim_crash(b->sim, 1);
        kin_sim_restart(b->sim, 1, 1);
        kin_sim_run_for(b->sim, 50 * MS);
        welcome(b, request);
        kin_sim_run_for(b->sim, 10 * MS);
        assert_false(core_of(b)->joined);
        welcome(b, last(&b->coordinator, 0, KIN_MSG_HELLO)->request);
        kin_sim_run_for(b->sim, 10 * MS);
        assert_true(core_of(b)->joined);
        bench_free(b);
    }
}

struct short_of_memory {
    struct bench *bench;
    struct letter letter;
    size_t allocations;
};

static void deliver_short(void *arg)
{
    struct short_of_memory *s = arg;
    struct kin_frame *f;
    assert_int_equal(kin_message_encode(&s->letter.m, &f), KIN_OK);
    kin_buf_put(&f->payload, s->letter.payload.p, s->letter.payload.n);
    kin_alloc_fail_after(s->allocations);
    kin_worker_ops.on_frame(core_of(s->bench), KIN_COORDINATOR, f);
    kin_alloc_fail_after(SIZE_MAX);
    kin_frame_unref(f);
}

/* A list that memory ran out for must not pass for taken when the coordinator, in its next life,
 * sends it again. */
static void test_part_that_memory_ran_out_for_is_taken_when_it_comes_again(void **state)
{
    (void)state;
    static const char dead[4000];
    struct kin_message m = {.type = KIN_MSG_DEAD};
    m.version = KIN_PROTO_VERSION_MAX;
    m.epoch = EPOCH;
    m.cluster = CLUSTER;
    m.u.dead.job = JOB;
    struct bench *b = bench_new(1, (struct kin_sim_options){0});
    open_job(b);
    for (size_t n = 0; n < 4; n++) {
        struct short_of_memory s = {b, {.m = m, .payload = {dead, sizeof dead}}, n};
        kin_sim_call(b->sim, 1, deliver_short, &s);
    }
    size_t from = b->coordinator.count;
    tell(b, m, 9, (struct kin_str){dead, sizeof dead});
    kin_sim_run_for(b->sim, 10 * MS);
    assert_non_null(last(&b->coordinator, from, KIN_MSG_STEP_DONE));
    assert_int_equal(last(&b->coordinator, from, KIN_MSG_STEP_DONE)->status, KIN_OK);
    assert_int_equal(core_of(b)->job->dead.n, sizeof dead);
    assert_int_equal(core_of(b)->job->dead_parts, 1);
    bench_free(b);
}

static void batch(struct bench *b, uint64_t seq)
{
    static const char empty[32]; /* no features, no rows */
    struct kin_message m = {.type = KIN_MSG_BATCH};
    m.u.batch.job = JOB;
    m.u.batch.seq = seq;
    m.u.batch.feature_bytes = 16;
    tell(b, m, 0, (struct kin_str){empty, sizeof empty});
}

/* Tasks read the tables of records; so what reads them waits for the load, and ends it. */
static void test_reading_waits_for_the_load_and_ends_it(void **state)
{
    (void)state;
    struct kin_message m = {.type = KIN_MSG_PULL};
    m.u.pull.job = JOB;
    m.u.pull.what = KIN_PULL_FEATURES;
    struct bench *b = bench_new(1, (struct kin_sim_options){.commit_us = {100 * MS, 100 * MS}});
    open_job(b);
    batch(b, 1);
    kin_sim_run_for(b->sim, 20 * MS);
    assert_int_equal(core_of(b)->job->stored, 1);
    assert_int_equal(core_of(b)->job->durable, 0);
    size_t from = b->coordinator.count;
    tell(b, m, 2, NOTHING);
    kin_sim_run_for(b->sim, 20 * MS);
    assert_null(last(&b->coordinator, from, KIN_MSG_PULLED));
    kin_sim_run_for(b->sim, SECOND);
    tell(b, m, 3, NOTHING);
    kin_sim_run_for(b->sim, 20 * MS);
    assert_non_null(last(&b->coordinator, from, KIN_MSG_PULLED));
    batch(b, 2);
    kin_sim_run_for(b->sim, SECOND);
    assert_int_equal(core_of(b)->job->stored, 1);
    bench_free(b);
}

/* Settling counts by key rule and refines by key: a key of no rule, or a refined one, would lead it
 * astray. */
static void test_keys_of_no_rule_are_refused(void **state)
{
    (void)state;
    static const uint64_t keys[] = {5, (uint64_t)1 << 56, (uint64_t)127 << 56, KIN_KEY_REFINED | 5};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct bench *b = bench_new(1, (struct kin_sim_options){0});
        struct kin_buf records = {0}, payload = {0};
        struct kin_features_builder builder;
        struct kin_message m = {.type = KIN_MSG_BATCH};
        open_job(b);
        kin_features_begin(&builder, &records, 1, 0, 0, KIN_STR("x"));
        assert_int_equal(kin_features_end(&builder, &keys[i], 1), KIN_OK);
        kin_buf_u64(&payload, 0);
        kin_buf_u32(&payload, 1);
        kin_buf_u32(&payload, (uint32_t)records.n);
        kin_buf_put(&payload, records.p, records.n);
        m.u.batch.job = JOB;
        m.u.batch.seq = 1;
        m.u.batch.feature_bytes = (uint32_t)payload.n;
        for (unsigned k = 0; k < 4; k++) /* no rows */
            kin_buf_u32(&payload, 0);
        tell(b, m, 0, (struct kin_str){(const char *)payload.p, payload.n});
        kin_sim_run_for(b->sim, SECOND);
        const struct seen *ack = last(&b->coordinator, 0, KIN_MSG_BATCH_ACK);
        assert_non_null(ack);
        assert_int_equal(ack->status, i ? KIN_E_PROTO : KIN_OK);
        kin_buf_deinit(&records);
        kin_buf_deinit(&payload);
        bench_free(b);
    }
}

/* Memory runs out in any callback: asked again and again, the job is open in the end. */
static void test_job_opens_however_often_memory_runs_out(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct bench *b = bench_new(seed, (struct kin_sim_options){.allocation = 400 * 1000});
        const struct seen *opened = NULL;
        for (unsigned i = 0; i < 400; i++) {
            if (i == 300)
                kin_sim_heal(b->sim);
            const struct seen *hello = last(&b->coordinator, 0, KIN_MSG_HELLO);
            if (hello && !(core_of(b) && core_of(b)->joined))
                welcome(b, hello->request);
            tell(b, job_open(), i + 1, NOTHING);
            kin_sim_run_for(b->sim, 20 * MS);
        }
        opened = last(&b->coordinator, 0, KIN_MSG_JOB_OPENED);
        assert_non_null(opened);
        assert_int_equal(opened->status, KIN_OK);
        assert_true(opened->request > 390);
        bench_free(b);
    }
}

/* ---- a coordinator; the test is its workers ---- */

static void on_done(void *arg, kin_status status, const char *error)
{
    (void)error;
    *(kin_status *)arg = status;
}

/* A worker that has been opened may acknowledge what it took in before, while another has not yet
 * told what it has: that must not start the load. */
static void test_ack_before_all_have_opened_the_job_starts_nothing(void **state)
{
    (void)state;
    static struct peer peers[2];
    static const char csv[] = "id,name\n1,a\n2,b\n";
    kin_status ended = KIN_OK;
    struct kin_job_options job = {
        .workflow = KIN_STR(workflow_text), .base_dir = "", .out_dir = "/out"};
    struct kin_coordinator_args args = {
        .workers = 2, .job = &job, .on_done = on_done, .arg = &ended};
    struct kin_sim *sim = kin_sim_new(1, &(struct kin_sim_options){0});
    memset(peers, 0, sizeof peers);
    kin_sim_file_put(sim, "/crm.csv", csv, sizeof csv - 1);
    kin_sim_add(sim, KIN_COORDINATOR, &kin_coordinator_ops, &args);
    for (kin_node_id w = 1; w <= 2; w++)
        kin_sim_add(sim, w, &peer_ops, &peers[w - 1]);
    kin_sim_run_for(sim, 100 * MS);
    for (kin_node_id w = 1; w <= 2; w++) {
        struct kin_message hello = {.type = KIN_MSG_HELLO};
        hello.u.hello.version_min = hello.u.hello.version_max = KIN_PROTO_VERSION_MAX;
        hello.u.hello.incarnation = w;
        send(sim, w, KIN_COORDINATOR, hello, NOTHING);
    }
    kin_sim_run_for(sim, 100 * MS);
    const struct seen *asked = last(&peers[0], 0, KIN_MSG_JOB_OPEN);
    assert_non_null(asked);
    assert_non_null(last(&peers[1], 0, KIN_MSG_JOB_OPEN));
    struct kin_message opened = {.type = KIN_MSG_JOB_OPENED};
    opened.u.job_opened.job = asked->job;
    opened.request = asked->request;
    opened.epoch = asked->epoch;
    opened.cluster = asked->cluster;
    send(sim, 1, KIN_COORDINATOR, opened, NOTHING);
    struct kin_message ack = {.type = KIN_MSG_BATCH_ACK};
    ack.u.batch_ack.job = asked->job;
    ack.epoch = asked->epoch;
    ack.cluster = asked->cluster;
    send(sim, 1, KIN_COORDINATOR, ack, NOTHING);
    ack.u.batch_ack.durable = UINT64_MAX; /* nor is a number believed that cannot be */
    send(sim, 1, KIN_COORDINATOR, ack, NOTHING);
    kin_sim_run_for(sim, 100 * MS);
    assert_null(last(&peers[0], 0, KIN_MSG_BATCH));
    asked = last(&peers[1], 0, KIN_MSG_JOB_OPEN);
    opened.request = asked->request;
    opened.epoch = asked->epoch;
    send(sim, 2, KIN_COORDINATOR, opened, NOTHING);
    kin_sim_run_for(sim, 100 * MS);
    assert_non_null(last(&peers[0], 0, KIN_MSG_BATCH));
    assert_non_null(last(&peers[1], 0, KIN_MSG_BATCH));
    assert_int_equal(ended, KIN_OK);
    kin_sim_free(sim);
}

static bool settling(void *cluster)
{
    const struct cluster *c = cluster;
    struct kin_progress progress = {0};
    if (c->coordinator.self)
        kin_coordinator_progress(c->coordinator.self, &progress);
    return progress.phase >= KIN_PHASE_DEDUPE;
}

static bool ended(void *cluster)
{
    return ((struct cluster *)cluster)->ended;
}

/* A worker loses its disk after the load, and meanwhile a source became shorter or longer: the job
 * cannot be what it was, and says so instead of waiting for ever. */
static void test_source_of_another_length_ends_the_job(void **state)
{
    (void)state;
    for (unsigned longer = 0; longer < 2; longer++) {
        struct scenario *s = scenario_new(7, &(struct scenario_options){.records_max = 60});
        struct kin_sim *sim = kin_sim_new(7, &(struct kin_sim_options){0});
        struct cluster c;
        cluster_init(&c, sim, s, 2, 300);
        assert_true(kin_sim_run_until(sim, settling, &c, 60ull * SECOND));
        kin_sim_crash(sim, 1);
        kin_sim_wipe(sim, 1);
        struct scenario_file *f = &s->files[s->file_count - 1];
        struct kin_buf bytes = {0};
        for (unsigned i = 0; i <= longer; i++)
            kin_buf_put(&bytes, f->bytes.p, f->bytes.n);
        if (!longer) {
            bytes.n /= 3;
            while (bytes.n && bytes.p[bytes.n - 1] != '\n')
                bytes.n--;
        }
        kin_sim_file_put(sim, f->path, bytes.p, bytes.n);
        kin_buf_deinit(&bytes);
        kin_sim_restart(sim, 1, 1000);
        assert_true(kin_sim_run_until(sim, ended, &c, 60ull * SECOND));
        assert_int_equal(c.status, KIN_E_CHANGED);
        kin_sim_free(sim);
        scenario_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_welcome_of_an_earlier_life_is_not_taken),
        cmocka_unit_test(test_part_that_memory_ran_out_for_is_taken_when_it_comes_again),
        cmocka_unit_test(test_reading_waits_for_the_load_and_ends_it),
        cmocka_unit_test(test_keys_of_no_rule_are_refused),
        cmocka_unit_test(test_job_opens_however_often_memory_runs_out),
        cmocka_unit_test(test_ack_before_all_have_opened_the_job_starts_nothing),
        cmocka_unit_test(test_source_of_another_length_ends_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
