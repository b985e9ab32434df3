/* The client's core in the simulated world against a scripted coordinator: whatever is lost,
 * doubled, late or crashes, the result is in place in the end, byte for byte; and a coordinator
 * that lies cannot do harm. */
#include "client/remote.h"
#include "tests/sim/fake_jobs.h"

#define SECOND UINT64_C(1000000) /* in us */
enum { MS = 1000, CLIENT = KIN_CLIENT_FIRST };

static const char workflow_text[] = "kindred: 1\n"
                                    "workflow: t\n"
                                    "sources:\n"
                                    "  b: {path: [/in/b2.csv, /in/b*.csv], id: id}\n"
                                    "  a: {path: /in/a.csv, id: id}\n"
                                    "fields: {name: name}\n"
                                    "block_on: [[name]]\n"
                                    "rules: [{name: same, when: \"JaroWinkler(name, 0.9)\"}]\n";

/* As an embedded run reads them: sources by name, patterns in order, each file once. */
static const struct {
    const char *path;
    uint32_t source;
    size_t bytes;
} sources[] = {{"/in/a.csv", 0, 5000},   {"/in/b2.csv", 1, 40},   {"/in/b0.csv", 1, 0},
               {"/in/b1.csv", 1, 12345}, {"/in/b3.csv", 1, 7000}, {"/in/b4.csv", 1, 0}};
enum { SOURCES = sizeof sources / sizeof *sources };

struct bench {
    struct kin_sim *sim;
    struct fake fake;
    struct kin_remote_job job;
    struct kin_remote_args args;
    unsigned done, progresses;
    bool steps[KIN_REMOTE_END + 1];
    bool backwards; /* bytes sent, as shown, went back */
    uint64_t sent, ahead, fetched;
    kin_status status;
    char error[700], report[200];
    uint64_t id;
    bool answered;
};

static void on_progress(void *arg, const struct kin_remote_progress *p)
{
    struct bench *b = arg;
    b->progresses++;
    assert_true(p->step < KIN_REMOTE_END);
    b->steps[p->step] = true;
    assert_true(p->job.phase < KIN_PHASE_COUNT);
    if (p->step == KIN_REMOTE_SEND) {
        assert_true(p->done <= p->total);
        b->backwards = b->backwards || p->done < b->sent;
        b->sent = p->done;
    }
    if (p->step == KIN_REMOTE_WAIT && p->ahead)
        b->ahead = p->ahead;
}

static void on_done(void *arg, const struct kin_remote_result *result)
{
    struct bench *b = arg;
    b->done++;
    b->status = result->status;
    b->id = result->job;
    b->answered = result->answered;
    snprintf(b->error, sizeof b->error, "%s", result->error);
    snprintf(b->report, sizeof b->report, "%.*s", (int)result->report.n, result->report.p);
}

static uint8_t byte_of(size_t file, size_t i)
{
    return (uint8_t)(kin_hash_mix(file, i) & 0xff);
}

static void put_source(struct kin_sim *sim, size_t file, size_t bytes)
{
    uint8_t *p = malloc(bytes + 1);
    assert_non_null(p);
    for (size_t i = 0; i < bytes; i++)
        p[i] = byte_of(file, i);
    kin_sim_file_put(sim, sources[file].path, p, bytes);
    free(p);
}

static struct bench *bench_new(uint64_t seed, struct kin_sim_options options)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->fake.fetch_bytes = 900;
    b->job = (struct kin_remote_job){
        .workflow = KIN_STR(workflow_text), .base_dir = "", .out_dir = "/out"};
    b->args = (struct kin_remote_args){.job = &b->job,
                                       .piece_bytes = 700,
                                       .on_progress = on_progress,
                                       .on_done = on_done,
                                       .arg = b};
    b->sim = kin_sim_new(seed, &options);
    for (size_t f = 0; f < SOURCES; f++)
        put_source(b->sim, f, sources[f].bytes);
    return b;
}

static void bench_start(struct bench *b)
{
    kin_sim_add(b->sim, KIN_COORDINATOR, &fake_ops, &b->fake);
    kin_sim_add(b->sim, CLIENT, &kin_remote_ops, &b->args);
}

static void bench_free(struct bench *b)
{
    kin_sim_free(b->sim);
    assert_null(b->args.self);
    fake_deinit(&b->fake);
    free(b);
}

static bool is_done(void *arg)
{
    return ((struct bench *)arg)->done > 0;
}

static bool run(struct bench *b, uint64_t limit_us)
{
    return kin_sim_run_until(b->sim, is_done, b, limit_us);
}

/* The same command again. */
static void again(struct bench *b)
{
    b->done = 0;
    b->sent = 0;
    if (kin_sim_node(b->sim, CLIENT))
        kin_sim_stop(b->sim, CLIENT);
    kin_sim_restart(b->sim, CLIENT, 1);
}

static bool same(struct kin_str got, const char *what, size_t n)
{
    return got.n == n && memcmp(got.p, what, n) == 0;
}

/* What the coordinator got is what the files hold, and what it gave is in place. */
static bool result_is_fine(struct bench *b, const char *dir)
{
    struct kin_str file;
    char text[400];
    size_t n = 0, at = 0;
    if (kin_sim_out_files(b->sim, dir) != FAKE_RESULTS)
        return false;
    for (size_t f = 0; f < SOURCES; f++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%u %s\n", sources[f].source,
                              sources[f].path);
    if (!kin_sim_out_get(b->sim, dir, "errors.csv", &file) || !same(file, text, n))
        return false;
    n = (size_t)snprintf(
        text, sizeof text, "%016llx\n",
        (unsigned long long)kin_hash64(workflow_text, sizeof workflow_text - 1, 0));
    if (!kin_sim_out_get(b->sim, dir, "groups.csv", &file) || !same(file, text, n))
        return false;
    if (!kin_sim_out_get(b->sim, dir, "empty.csv", &file) || file.n)
        return false;
    if (!kin_sim_out_get(b->sim, dir, "matches.csv", &file))
        return false;
    for (size_t f = 0; f < SOURCES; f++) {
        for (size_t i = 0; i < sources[f].bytes; i++, at++) {
            if (at >= file.n || (uint8_t)file.p[at] != byte_of(f, i))
                return false;
        }
    }
    return at == file.n;
}

static void check_fine(struct bench *b)
{
    assert_int_equal(b->done, 1);
    assert_string_equal(b->error, "");
    assert_int_equal(b->status, KIN_OK);
    assert_true(result_is_fine(b, "/out"));
    assert_int_equal(b->fake.count, 0); /* the coordinator keeps nothing */
}

/* ---- as it should be ---- */

static void test_job_is_sent_followed_and_fetched(void **state)
{
    (void)state;
    struct bench *b = bench_new(1, (struct kin_sim_options){0});
    bench_start(b);
    assert_true(run(b, 20 * SECOND));
    check_fine(b);
    assert_string_equal(b->report, "{\"workflow\": \"t\", \"read\": 7}\n");
    assert_int_equal(b->fake.submits, 1);
    assert_int_equal(b->fake.drops, 1);
    assert_int_equal(b->fake.dropped_pieces, 0);
    assert_int_equal(b->ahead, 3);
    assert_true(b->steps[KIN_REMOTE_WAIT] && b->steps[KIN_REMOTE_RUN]);
    assert_false(b->backwards);
    uint64_t end = kin_sim_now_us(b->sim);
    assert_true(end < 3 * SECOND); /* nothing had to be asked twice */
    assert_true(b->fake.polls <= end / (90 * MS) + 3);
    kin_sim_run_for(b->sim, 5 * SECOND);
    assert_int_equal(b->done, 1);
    bench_free(b);
}

/* Pieces of the full size and small ones: they go over different connections, and must not be under
 * way together. */
static void test_pieces_of_the_full_size(void **state)
{
    (void)state;
    struct bench *b = bench_new(2, (struct kin_sim_options){0});
    static uint8_t big[5 * 1024 * 1024 + 100];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = byte_of(9, i);
    kin_sim_file_put(b->sim, "/in/a.csv", big, sizeof big);
    b->args.piece_bytes = 0;
    b->fake.fetch_bytes = KIN_UPLOAD_BYTES;
    bench_start(b);
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_OK);
    struct kin_str file;
    assert_true(kin_sim_out_get(b->sim, "/out", "matches.csv", &file));
    assert_true(file.n > sizeof big && memcmp(file.p, big, sizeof big) == 0);
    assert_int_equal(b->fake.dropped_pieces, 0);
    assert_true(kin_sim_now_us(b->sim) < 3 * SECOND);
    bench_free(b);
}

static void test_at_coordinator_nothing_is_sent_or_fetched(void **state)
{
    (void)state;
    struct bench *b = bench_new(3, (struct kin_sim_options){0});
    b->job.at_coordinator = true;
    b->job.pairs = true;
    b->job.base_dir = "/files";
    b->job.out_dir = "/files/out";
    bench_start(b);
    kin_sim_run_for(b->sim, 50 * MS);
    assert_int_equal(b->fake.count, 1);
    assert_int_equal(b->fake.jobs[0].file_count, 0);
    assert_string_equal(b->fake.jobs[0].out_dir, "/files/out");
    assert_true(b->fake.jobs[0].pairs);
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_OK);
    assert_int_equal(kin_sim_out_files(b->sim, "/files/out"), 0);
    bench_free(b);
}

static void test_detached_job_is_left_queued_and_attached_to(void **state)
{
    (void)state;
    struct bench *b = bench_new(4, (struct kin_sim_options){0});
    b->job.detach = true;
    bench_start(b);
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_OK);
    assert_int_equal(b->fake.count, 1);
    assert_int_equal(b->fake.jobs[0].state, KIN_JOB_QUEUED);
    assert_int_equal(b->fake.jobs[0].id, b->id);
    struct kin_remote_job attached = {.attach = b->id, .out_dir = "/other"};
    b->job = attached;
    again(b);
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_OK);
    assert_int_equal(b->fake.submits, 1);
    assert_true(result_is_fine(b, "/other"));
    assert_int_equal(b->fake.count, 0);
    again(b); /* it is gone now */
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_E_NOTFOUND);
    bench_free(b);
}

static void test_attached_job_that_waits_for_its_sources_is_refused(void **state)
{
    (void)state;
    struct bench *b = bench_new(5, (struct kin_sim_options){0});
    bench_start(b);
    while (!b->fake.count)
        kin_sim_run_for(b->sim, MS);
    struct kin_remote_job attached = {.attach = b->fake.jobs[0].id, .out_dir = "/out"};
    b->job = attached;
    again(b);
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_E_BUSY);
    assert_int_equal(b->fake.count, 1);
    bench_free(b);
}

/* ---- what goes wrong ---- */

static void test_failed_and_cancelled_jobs_tell_and_begin_again(void **state)
{
    (void)state;
    for (unsigned cancels = 0; cancels < 2; cancels++) {
        struct bench *b = bench_new(6, (struct kin_sim_options){0});
        b->fake.fails = 1;
        b->fake.cancels = cancels;
        bench_start(b);
        assert_true(run(b, 20 * SECOND));
        assert_int_equal(b->status, cancels ? KIN_E_CANCELLED : KIN_E_CORRUPT);
        assert_non_null(strstr(b->error, cancels ? "cancelled" : "it broke"));
        assert_int_equal(kin_sim_out_files(b->sim, "/out"), 0);
        again(b);
        assert_true(run(b, 20 * SECOND));
        check_fine(b);
        bench_free(b);
    }
}

/* An UPLOAD is no question about the job: the coordinator just does not want any more. */
static void test_job_that_ends_while_it_is_sent_is_noticed(void **state)
{
    (void)state;
    for (unsigned removed = 0; removed < 2; removed++) {
        struct bench *b = bench_new(15, (struct kin_sim_options){.delay_us = {5 * MS, 5 * MS}});
        bench_start(b);
        while (!b->fake.count || b->fake.jobs[0].durable_offset == 0)
            kin_sim_run_for(b->sim, MS);
        if (removed)
            fake_remove(&b->fake, &b->fake.jobs[0]);
        else
            b->fake.jobs[0].state = KIN_JOB_CANCELLED;
        assert_true(run(b, 20 * SECOND));
        if (removed) {
            assert_int_equal(b->fake.submits, 2);
            check_fine(b);
        } else {
            assert_int_equal(b->status, KIN_E_CANCELLED);
        }
        bench_free(b);
    }
}

static void test_source_that_changes_while_it_is_sent_is_named(void **state)
{
    (void)state;
    for (unsigned longer = 0; longer < 2; longer++) {
        struct bench *b = bench_new(7, (struct kin_sim_options){0});
        bench_start(b);
        while (!b->fake.count)
            kin_sim_run_for(b->sim, MS);
        put_source(b->sim, 3, longer ? 12346 : 12344);
        assert_true(run(b, 20 * SECOND));
        assert_int_equal(b->status, KIN_E_CHANGED);
        assert_non_null(strstr(b->error, "/in/b1.csv"));
        assert_int_equal(b->fake.count, 0); /* nobody would ask for that job again */
        put_source(b->sim, 3, sources[3].bytes);
        again(b);
        assert_true(run(b, 20 * SECOND));
        check_fine(b);
        bench_free(b);
    }
}

static void test_missing_source_and_wrong_workflow_are_told(void **state)
{
    (void)state;
    struct bench *b = bench_new(8, (struct kin_sim_options){0});
    kin_sim_file_remove(b->sim, "/in/a.csv");
    bench_start(b);
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_E_NOTFOUND);
    assert_non_null(strstr(b->error, "source 'a': "));
    assert_int_equal(b->id, 0);
    b->job.workflow = KIN_STR("kindred: 1\n");
    again(b);
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_E_WORKFLOW);
    bench_free(b);
}

static void test_coordinator_that_is_not_there_is_told_in_time(void **state)
{
    (void)state;
    struct bench *b = bench_new(9, (struct kin_sim_options){0});
    b->fake.deaf = true;
    b->args.patience_ms = 4000;
    bench_start(b);
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_E_IO);
    assert_false(b->answered);
    assert_true(kin_sim_now_us(b->sim) > 4 * SECOND && kin_sim_now_us(b->sim) < 5 * SECOND);
    bench_free(b);
}

/* Once it was heard from, it may be away for as long as it likes. */
static void test_coordinator_that_goes_away_is_waited_for(void **state)
{
    (void)state;
    struct bench *b = bench_new(10, (struct kin_sim_options){0});
    bench_start(b);
    while (!b->fake.count)
        kin_sim_run_for(b->sim, MS);
    kin_sim_crash(b->sim, KIN_COORDINATOR);
    kin_sim_run_for(b->sim, 100 * SECOND);
    assert_int_equal(b->done, 0);
    kin_sim_restart(b->sim, KIN_COORDINATOR, 1);
    assert_true(run(b, 20 * SECOND));
    check_fine(b);
    bench_free(b);
}

static void test_results_that_cannot_be_read_are_told(void **state)
{
    (void)state;
    for (unsigned always = 0; always < 2; always++) {
        struct bench *b = bench_new(11, (struct kin_sim_options){0});
        b->fake.unreadable = always ? 1000 : 2;
        bench_start(b);
        assert_true(run(b, 20 * SECOND));
        if (always) {
            assert_int_equal(b->status, KIN_E_IO);
            assert_string_equal(b->error, "the disk is bad");
            assert_int_equal(b->fake.count, 1); /* and the results stay where they are */
        } else {
            check_fine(b);
        }
        bench_free(b);
    }
}

static void test_full_disk_of_the_client_is_told_and_the_job_stays(void **state)
{
    (void)state;
    struct bench *b = bench_new(12, (struct kin_sim_options){.out_fail = 100 * 1000});
    bench_start(b);
    unsigned failures = 0;
    for (; run(b, 20 * SECOND) && b->status != KIN_OK; failures++) {
        assert_int_equal(b->status, KIN_E_FULL);
        assert_int_equal(b->fake.count, 1);
        again(b);
        if (failures == 5)
            kin_sim_heal(b->sim);
    }
    assert_true(failures > 0);
    assert_int_equal(b->fake.submits, failures + 1);
    check_fine(b);
    bench_free(b);
}

static void look(void *arg)
{
    struct bench *b = arg;
    struct kin_remote_progress p;
    kin_remote_progress(b->args.self, &p);
    b->fetched = p.step == KIN_REMOTE_FETCH ? p.done : 0;
}

/* Dropped by somebody else while it is fetched: not run again behind their back. */
static void test_job_dropped_while_fetched_is_told(void **state)
{
    (void)state;
    struct bench *b = bench_new(13, (struct kin_sim_options){0});
    bench_start(b);
    while (!b->done && b->fetched < 2000) {
        kin_sim_run_for(b->sim, MS);
        kin_sim_call(b->sim, CLIENT, look, b);
    }
    assert_int_equal(b->fake.count, 1);
    fake_remove(&b->fake, &b->fake.jobs[0]);
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_E_NOTFOUND);
    assert_int_equal(b->fake.submits, 1);
    assert_int_equal(kin_sim_out_files(b->sim, "/out"), 0);
    bench_free(b);
}

/* ---- crashes at any point ---- */

static void crash_at(uint64_t at_us, kin_node_id victim, bool forgets, bool forgets_jobs)
{
    struct bench *b = bench_new(at_us, (struct kin_sim_options){0});
    b->fake.forgets = forgets;
    b->fake.forgets_jobs = forgets_jobs;
    bench_start(b);
    if (!run(b, at_us)) {
        kin_sim_crash(b->sim, victim);
        kin_sim_restart(b->sim, victim, 10 * MS);
        assert_true(run(b, 60 * SECOND));
    }
    check_fine(b);
    bench_free(b);
}

static uint64_t undisturbed_us(void)
{
    struct bench *b = bench_new(1, (struct kin_sim_options){0});
    bench_start(b);
    assert_true(run(b, 20 * SECOND));
    uint64_t end = kin_sim_now_us(b->sim);
    bench_free(b);
    return end;
}

static void test_crash_of_either_side_at_any_point(void **state)
{
    (void)state;
    uint64_t end = undisturbed_us();
    for (unsigned i = 0; i < 400; i++) {
        uint64_t at = 1 + end * i / 400;
        crash_at(at, CLIENT, false, false);
        crash_at(at, KIN_COORDINATOR, false, false);
        crash_at(at, KIN_COORDINATOR, true, false);
        crash_at(at, KIN_COORDINATOR, false, true);
    }
}

/* ---- everything at once ---- */

static bool chaos(uint64_t seed, void *arg)
{
    unsigned allocation = arg ? 20 * 1000 : 0;
    struct kin_sim_options options = {.loss = 20 * 1000 * (unsigned)(seed % 4),
                                      .duplicate = 30 * 1000 * (unsigned)(seed / 4 % 3),
                                      .reorder = 50 * 1000 * (unsigned)(seed / 12 % 3),
                                      .crash = seed % 5 == 0 ? 2000 : 0,
                                      .allocation = allocation};
    struct bench *b = bench_new(seed, options);
    b->fake.forgets = seed % 2;
    b->fake.forgets_jobs = seed % 7 == 3;
    b->args.patience_ms = 1000 * 1000;
    bench_start(b);
    bool fine = true;
    for (unsigned life = 0; fine && life < 100; life++) {
        if (life == 50)
            kin_sim_heal(b->sim);
        if (!run(b, (life == 0 ? 40 : 400) * SECOND))
            kin_sim_heal(b->sim);
        if (!b->done)
            fine = run(b, 400 * SECOND);
        if (b->done && b->status == KIN_OK)
            break;
        /* out of memory here, or there: the same command again */
        fine = fine && allocation && b->status == KIN_E_NOMEM;
        again(b);
    }
    fine = fine && b->done && b->status == KIN_OK && result_is_fine(b, "/out");
    if (!fine)
        fprintf(stderr, "seed %llu: done %u status %u %s\n", (unsigned long long)seed, b->done,
                b->status, b->error);
    bench_free(b);
    return fine;
}

static void test_chaos(void **state)
{
    (void)state;
    assert_true(kin_sim_sweep("remote chaos", 1, 400, chaos, NULL));
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    assert_true(kin_sim_sweep("remote memory", 1, 200, chaos, &(int){1}));
}

/* ---- a coordinator that lies ---- */

static void lie(struct fake *fake, struct kin_message *m, struct kin_buf *payload)
{
    struct kin_msg_fetched *f = &m->u.fetched;
    bool first = f->file == 0, inside = f->file == 3 && f->offset > 0;
    if (m->type != KIN_MSG_FETCHED)
        return;
    switch (fake->lies) {
    case 0:
        f->name = first ? KIN_STR("../evil") : f->name;
        break;
    case 1:
        f->name = KIN_STR("..");
        break;
    case 2:
        f->name = KIN_STR(".");
        break;
    case 3:
        f->name = KIN_STR("");
        break;
    case 4:
        f->name = KIN_STR("/etc/passwd");
        break;
    case 5:
        f->name = KIN_STR("a\0b");
        break;
    case 6:
        memset(fake->scratch, 'x', sizeof fake->scratch);
        f->name = (struct kin_str){fake->scratch, sizeof fake->scratch};
        break;
    case 7: /* the same name twice */
        f->name = f->file == 1 ? KIN_STR("empty.csv") : f->name;
        break;
    case 8:
        f->name = inside ? KIN_STR("zzz.csv") : f->name;
        break;
    case 9: /* more bytes than announced */
        f->bytes = f->file == 3 ? 100 : f->bytes;
        break;
    case 10: /* a file without an end */
        f->bytes = f->file == 3 ? UINT64_MAX : f->bytes;
        break;
    case 11: /* one that grows */
        f->bytes += inside ? f->offset : 0;
        break;
    case 12: /* one that never comes */
        if (f->file == 3)
            kin_buf_clear(payload);
        break;
    case 13:
        f->files = 0;
        break;
    case 14:
        f->files = 100000;
        break;
    case 15:
        f->files += f->file;
        break;
    case 16:
        f->file = inside ? 4 : f->file;
        break;
    case 17:
        f->offset += inside ? 1 : 0;
        break;
    case 18: /* one byte more than a piece may have */
        if (f->file == 3) {
            size_t n = KIN_UPLOAD_BYTES + 1 - payload->n;
            memset(kin_buf_extend(payload, n), 'x', n);
            f->bytes = 2 * KIN_UPLOAD_BYTES;
        }
        break;
    case 20: /* one whose end never comes */
        if (inside)
            kin_buf_clear(payload);
        break;
    case 19: /* the last file is none of the announced ones */
        f->files = f->file == 4 ? 4 : f->files;
        break;
    default:
        break;
    }
}

static void lie_earlier(struct fake *fake, struct kin_message *m, struct kin_buf *payload)
{
    (void)payload;
    if (fake->lies == 0 && m->type == KIN_MSG_SUBMITTED)
        m->u.submitted.job = 0;
    else if (fake->lies == 1 && m->type == KIN_MSG_UPLOADED)
        m->u.uploaded.file = SOURCES + 1;
    else if (fake->lies == 2 && m->type == KIN_MSG_UPLOADED)
        m->u.uploaded.offset = UINT64_MAX;
    else if (fake->lies == 3 && m->type == KIN_MSG_UPLOADED)
        m->u.uploaded.file = UINT32_MAX;
    else if (fake->lies == 4 && m->type == KIN_MSG_JOB_STATE_GOT)
        m->u.job_state_got.state = 99;
}

static void test_answers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    enum { EARLIER = 5, LATER = 21 };
    for (unsigned i = 0; i < EARLIER + LATER; i++) {
        struct bench *b = bench_new(i, (struct kin_sim_options){0});
        b->fake.lie = i < EARLIER ? lie_earlier : lie;
        b->fake.lies = i < EARLIER ? i : i - EARLIER;
        bench_start(b);
        assert_true(run(b, 60 * SECOND));
        if (b->status != KIN_E_PROTO)
            print_error("lie %u: status %u\n", i, b->status);
        assert_int_equal(b->status, KIN_E_PROTO);
        assert_int_equal(kin_sim_out_files(b->sim, "/out"), 0);
        kin_sim_run_for(b->sim, 5 * SECOND);
        assert_int_equal(b->done, 1);
        bench_free(b);
    }
}

static void lie_at_random(struct fake *fake, struct kin_message *m, struct kin_buf *payload)
{
    uint64_t x = fake->env->ops->random(fake->env);
    uint64_t y = fake->env->ops->random(fake->env);
    if (x % 4)
        return;
    fake->lies++;
    if (m->type == KIN_MSG_UPLOADED) {
        m->u.uploaded.file = (uint32_t)(y % SOURCES);
        m->u.uploaded.offset = (y >> 16) % (sources[y % SOURCES].bytes + 1);
    } else if (m->type == KIN_MSG_JOB_STATE_GOT) {
        m->u.job_state_got.state = (uint32_t)(y % 4) + 1;
        m->u.job_state_got.phase = (uint32_t)(y >> 32);
        m->u.job_state_got.done = y;
        m->u.job_state_got.total = y >> 8;
    } else if (m->type == KIN_MSG_FETCHED && payload->n) {
        payload->n = 1 + (size_t)(y % payload->n); /* shorter pieces are fine */
    } else if (m->type == KIN_MSG_SUBMITTED) {
        m->u.submitted.job = y | 1;
    }
    if (x % 64 == 0)
        m->request = y;
}

static bool random_lies(uint64_t seed, void *arg)
{
    (void)arg;
    struct bench *b = bench_new(seed, (struct kin_sim_options){0});
    b->fake.lie = lie_at_random;
    b->args.patience_ms = 1000 * 1000;
    bench_start(b);
    /* where it comes to an end at all, the result is whole or not there */
    bool done = run(b, 100 * SECOND);
    bool fine = (done && b->status == KIN_OK) ? kin_sim_out_files(b->sim, "/out") == FAKE_RESULTS
                                              : kin_sim_out_files(b->sim, "/out") == 0;
    b->fake.lie = NULL; /* and it recovers */
    if (fine && !done)
        fine = run(b, 200 * SECOND);
    if (!fine)
        fprintf(stderr, "seed %llu: done %u status %u %s\n", (unsigned long long)seed, b->done,
                b->status, b->error);
    bench_free(b);
    return fine;
}

static void test_lies_at_random_do_no_harm(void **state)
{
    (void)state;
    assert_true(kin_sim_sweep("remote lies", 1, 300, random_lies, NULL));
}

struct noise {
    struct bench *b;
    uint64_t seed;
};

static void make_noise(void *arg)
{
    struct noise *n = arg;
    struct kin_env *env = n->b->fake.env;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t x = kin_hash_mix(n->seed, i);
        struct kin_frame *f = kin_frame_new((uint32_t)(x % 60));
        assert_non_null(f);
        for (unsigned k = 0; k < x % 100; k++)
            kin_buf_putc(&f->body, (char)kin_hash_mix(x, k));
        env->ops->send(env, CLIENT, f);
    }
}

static void test_noise_is_passed_over(void **state)
{
    (void)state;
    struct bench *b = bench_new(14, (struct kin_sim_options){0});
    bench_start(b);
    for (uint64_t i = 0; !b->done && i < 2000; i++) {
        kin_sim_run_for(b->sim, 5 * MS);
        kin_sim_call(b->sim, KIN_COORDINATOR, make_noise, &(struct noise){b, i});
    }
    check_fine(b);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_is_sent_followed_and_fetched),
        cmocka_unit_test(test_pieces_of_the_full_size),
        cmocka_unit_test(test_at_coordinator_nothing_is_sent_or_fetched),
        cmocka_unit_test(test_detached_job_is_left_queued_and_attached_to),
        cmocka_unit_test(test_attached_job_that_waits_for_its_sources_is_refused),
        cmocka_unit_test(test_failed_and_cancelled_jobs_tell_and_begin_again),
        cmocka_unit_test(test_job_that_ends_while_it_is_sent_is_noticed),
        cmocka_unit_test(test_source_that_changes_while_it_is_sent_is_named),
        cmocka_unit_test(test_missing_source_and_wrong_workflow_are_told),
        cmocka_unit_test(test_coordinator_that_is_not_there_is_told_in_time),
        cmocka_unit_test(test_coordinator_that_goes_away_is_waited_for),
        cmocka_unit_test(test_results_that_cannot_be_read_are_told),
        cmocka_unit_test(test_full_disk_of_the_client_is_told_and_the_job_stays),
        cmocka_unit_test(test_job_dropped_while_fetched_is_told),
        cmocka_unit_test(test_crash_of_either_side_at_any_point),
        cmocka_unit_test(test_chaos),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_answers_that_cannot_be_are_refused),
        cmocka_unit_test(test_lies_at_random_do_no_harm),
        cmocka_unit_test(test_noise_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
