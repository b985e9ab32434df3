/* What a store does after its process died, the machine went down, or its file was damaged. */
#include "tests/unit/lmdb_kit.h"

#include <lmdb.h>

/* ---- crashes ---- */

static bool write_kept(struct fixture *f)
{
    return put(f, 0, "kept", "yes") == KIN_OK;
}

static void pretend_another_boot(struct fixture *f)
{
    struct kin_buf b = {0};
    read_file(f, "state", &b);
    assert_true(b.n > 6 && memcmp(b.p, "open ", 5) == 0);
    b.p[5] = b.p[5] == '0' ? '1' : '0';
    write_file(f, "state", b.p, b.n);
    kin_buf_deinit(&b);
}

static void without_fsync_a_store_is_believed_within_one_boot(void **state)
{
    struct fixture *f = *state;
    f->options.fsync = false;
    in_crashing_child(f, write_kept);
    assert_true(state_is(f, "open "));
    must_open(f);
    assert_true(holds(f, 0, "kept", "yes")); /* killed, the machine stayed up */
    store_close(f);
    assert_true(state_is(f, "whole\n"));
    in_crashing_child(f, write_kept);
    pretend_another_boot(f);
    must_open(f);
    assert_true(holds(f, 0, "kept", NULL));
    assert_int_equal(put(f, 0, "kept", "again"), KIN_OK);
    store_close(f);
    must_open(f); /* closed in order: believed whatever the boot */
    assert_true(holds(f, 0, "kept", "again"));
    store_close(f);
    in_crashing_child(f, write_kept);
    f->options.fsync = true; /* the same rule for what was written without */
    must_open(f);
    assert_true(holds(f, 0, "kept", "yes"));
    assert_true(state_is(f, "whole\n"));
}

static void with_fsync_a_store_is_always_believed(void **state)
{
    struct fixture *f = *state;
    in_crashing_child(f, write_kept);
    assert_true(state_is(f, "whole\n"));
    must_open(f);
    assert_true(holds(f, 0, "kept", "yes"));
}

static void a_store_that_died_while_it_was_made_is_made_again(void **state)
{
    struct fixture *f = *state;
    static const char elsewhen[] = "open 00000000-0000-0000-0000-000000000000\n";
    must_open(f);
    store_close(f);
    /* power went: the file has its length, not its contents */
    char zeros[8192] = {0};
    write_file(f, "state", elsewhen, sizeof elsewhen - 1);
    write_file(f, "data.mdb", zeros, sizeof zeros);
    must_open(f);
    assert_int_equal(put(f, 0, "k", "v"), KIN_OK);
    store_close(f);
    write_file(f, "data.mdb", "", 0); /* killed between making and writing the file */
    must_open(f);
    assert_true(holds(f, 0, "k", NULL));
    store_close(f);
    write_file(f, "state", "open \n", 6); /* no boot id was known: not believed */
    must_open(f);
    store_close(f);
    write_file(f, "state", "opened by mistake", 17);
    assert_int_equal(store_open(f), KIN_E_CORRUPT);
}

static bool hold_a_snapshot(struct fixture *f)
{
    struct kin_snap *snap = NULL;
    return f->store->ops->snap_begin(f->store, &snap) == KIN_OK;
}

static void a_reader_that_died_pins_nothing(void **state)
{
    struct fixture *f = *state;
    f->options.fsync = false;
    in_crashing_child(f, hold_a_snapshot);
    must_open(f);
    uint8_t *p = kin_calloc(1, 64 << 10);
    for (int i = 0; i < 200; i++)
        assert_int_equal(put_n(f, 0, "k", p, 64 << 10), KIN_OK);
    kin_free(p);
    char path[2 * SCRATCH_PATH];
    struct stat s;
    assert_int_equal(stat(file_of(f, "data.mdb", path), &s), 0);
    assert_true(s.st_size < 1 << 20); /* 12 MiB if it did */
}

enum { KILL_ROUNDS = 20, BATCH_KEYS = 10, BATCHES_AT_ONCE = 4 };

/* Batch b: ten keys with values that only b can have, and the number of the last batch. */
struct batch {
    struct kin_store_op op;
    struct kin_store_put puts[BATCH_KEYS + 1];
    char keys[BATCH_KEYS][24];
    char values[BATCH_KEYS][600];
    char number[24];
};

static size_t batch_value(uint64_t b, uint64_t i, char to[600])
{
    size_t n = (size_t)((b * 37 + i * 101) % 600);
    for (size_t at = 0; at < n; at++)
        to[at] = (char)(b * 131 + i * 17 + at);
    return n;
}

static void batch_make(struct batch *batch, uint64_t b)
{
    *batch = (struct batch){.op = {.puts = batch->puts, .count = BATCH_KEYS + 1}};
    for (unsigned i = 0; i < BATCH_KEYS; i++) {
        snprintf(batch->keys[i], sizeof batch->keys[i], "%010" PRIu64 "/%u", b, i);
        batch->puts[i] =
            (struct kin_store_put){.db = 1,
                                   .key = kin_str_of(batch->keys[i]),
                                   .value = {batch->values[i], batch_value(b, i, batch->values[i])},
                                   .append = true};
    }
    snprintf(batch->number, sizeof batch->number, "%" PRIu64, b);
    batch->puts[BATCH_KEYS] = (struct kin_store_put){
        .db = 0, .key = KIN_STR("batch"), .value = kin_str_of(batch->number)};
}

static uint64_t last_batch(struct fixture *f)
{
    struct kin_buf b = get(f, 0, "batch");
    kin_buf_putc(&b, '\0');
    uint64_t n = strtoull((char *)b.p, NULL, 10);
    kin_buf_deinit(&b);
    return n;
}

static void write_until_killed(struct fixture *f, int report_to)
{
    struct batch batches[BATCHES_AT_ONCE];
    for (uint64_t b = last_batch(f) + 1;; b += BATCHES_AT_ONCE) {
        for (unsigned i = 0; i < BATCHES_AT_ONCE; i++)
            batch_make(&batches[i], b + i);
        for (unsigned i = 0; i + 1 < BATCHES_AT_ONCE; i++)
            batches[i].op.impl_next = &batches[i + 1].op;
        f->store->ops->apply(f->store, &batches[0].op);
        for (unsigned i = 0; i < BATCHES_AT_ONCE; i++) {
            uint64_t done = batches[i].op.impl_status == KIN_OK ? b + i : 0;
            if (write(report_to, &done, sizeof done) != sizeof done)
                _exit(1);
        }
    }
}

static void check_batches(struct fixture *f, uint64_t reported)
{
    uint64_t last = last_batch(f);
    assert_true(last >= reported);
    struct kin_snap *snap = NULL;
    assert_int_equal(f->store->ops->snap_begin(f->store, &snap), KIN_OK);
    for (uint64_t b = 1; b <= last + 2; b++) {
        struct batch batch;
        batch_make(&batch, b);
        for (unsigned i = 0; i < BATCH_KEYS; i++) {
            struct kin_str v = {0};
            kin_status st = f->store->ops->snap_get(snap, 1, batch.puts[i].key, &v);
            assert_int_equal(st, b <= last ? KIN_OK : KIN_E_NOTFOUND);
            if (st == KIN_OK)
                assert_true(kin_str_eq(v, batch.puts[i].value));
        }
    }
    f->store->ops->snap_end(f->store, snap);
}

static void kill_9_loses_nothing_that_was_reported(void **state)
{
    struct fixture *f = *state;
    uint64_t reported = 0;
    for (int round = 0; round < KILL_ROUNDS; round++) {
        int ends[2];
        f->options.fsync = round % 2;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            if (store_open(f) == KIN_OK)
                write_until_killed(f, ends[1]);
            _exit(1);
        }
        close(ends[1]);
        uint64_t reports = draw(f) % 40; /* then kill, wherever the child is by then */
        uint64_t done;
        bool killed = false;
        for (;;) {
            if (reports-- == 0 && !killed) {
                kill(child, SIGKILL);
                killed = true;
            }
            if (read(ends[0], &done, sizeof done) != sizeof done)
                break;
            assert_int_equal(done, reported + 1);
            reported = done;
        }
        close(ends[0]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(killed && WIFSIGNALED(status));
        must_open(f);
        check_batches(f, reported);
        reported = last_batch(f);
        store_close(f);
    }
    assert_true(reported > KILL_ROUNDS);
}

/* ---- damage ---- */

enum { DAMAGE_ROUNDS = 300 };

/* A store with all kinds of pages: branches, leaves, runs of overflow pages, free lists. */
static void make_sample(struct fixture *f)
{
    f->options.fsync = false;
    must_open(f);
    char key[64];
    uint8_t *p = kin_calloc(1, 40000);
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "a rather long key, number %07d", i * 7919 % 3000);
        struct kin_store_put puts[2] = {
            {.db = (uint8_t)(i % 2), .key = kin_str_of(key), .value = {(char *)p, draw(f) % 90}},
            {.db = 2, .key = kin_str_of(key), .value = {(char *)p, draw(f) % 40000}},
        };
        struct kin_store_op op = {.puts = puts, .count = i % 60 ? 1 : 2};
        f->store->ops->apply(f->store, &op);
        assert_int_equal(op.impl_status, KIN_OK);
        if (i % 5 == 0)
            assert_int_equal(put(f, (uint8_t)(i % 2), key, NULL), KIN_OK);
    }
    kin_free(p);
    store_close(f);
}

/* Uses all of a store; what comes out does not matter, as long as something does. */
static void wade_through(struct fixture *f)
{
    const struct kin_store_ops *ops = f->store->ops;
    struct kin_snap *snap = NULL;
    char key[KIN_STORE_KEY_MAX + 1];
    uint64_t sum = 0;
    if (ops->snap_begin(f->store, &snap))
        return;
    for (unsigned db = 0; db < 3; db++) {
        struct kin_str at = KIN_STR("");
        struct kin_str k = {0};
        struct kin_str v = {0};
        for (int i = 0; i < 5000 && ops->snap_seek(snap, db, at, &k, &v) == KIN_OK; i++) {
            for (size_t b = 0; b < v.n; b += 512)
                sum += (uint8_t)v.p[b];
            memcpy(key, k.p, k.n);
            key[k.n] = '\0';
            at = (struct kin_str){key, k.n + 1};
        }
    }
    ops->snap_end(f->store, snap);
    f->draw += sum & 1;
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "a rather long key, number %07d", (int)(draw(f) % 3200));
        uint8_t db = (uint8_t)(draw(f) % 3);
        put_n(f, db, key, draw(f) % 2 ? key : NULL, draw(f) % sizeof key);
    }
}

static void damage_one(struct fixture *f, struct kin_buf *file)
{
    size_t pages = file->n / 4096;
    size_t at;
    switch (draw(f) % 4) {
    case 0: /* the heads */
        at = draw(f) % 2 * 4096 + draw(f) % 160;
        break;
    case 1: /* the start of any page */
        at = draw(f) % pages * 4096 + draw(f) % 64;
        break;
    case 2: /* the nodes of any page */
        at = draw(f) % pages * 4096 + 2048 + draw(f) % 2048;
        break;
    default:
        at = draw(f) % file->n;
        break;
    }
    static const uint8_t tempting[] = {0, 1, 0x7f, 0x80, 0xff, 2, 4, 16};
    file->p[at] = draw(f) % 2 ? tempting[draw(f) % 8] : (uint8_t)draw(f);
}

static void a_damaged_file_is_refused_or_works(void **state)
{
    struct fixture *f = *state;
    struct kin_buf good = {0};
    struct kin_buf bad = {0};
    make_sample(f);
    read_file(f, "data.mdb", &good);
    unsigned refused = 0;
    for (int round = 0; round < DAMAGE_ROUNDS; round++) {
        kin_buf_clear(&bad);
        kin_buf_put(&bad, good.p, good.n);
        for (uint64_t n = 1 + draw(f) % 3; n > 0; n--)
            damage_one(f, &bad);
        if (round % 10 == 0)
            bad.n = draw(f) % bad.n; /* cut off */
        write_file(f, "data.mdb", bad.p, bad.n);
        kin_status st = store_open(f);
        if (st) {
            assert_true(st == KIN_E_CORRUPT || st == KIN_E_VERSION);
            assert_non_null(strstr(f->err.msg, f->path));
            refused++;
            continue;
        }
        wade_through(f);
        store_close(f);
    }
    assert_in_range(refused, DAMAGE_ROUNDS / 4, DAMAGE_ROUNDS - 10);
    kin_buf_deinit(&good);
    kin_buf_deinit(&bad);
}

static void damage_is_named(void **state)
{
    struct fixture *f = *state;
    struct kin_buf good = {0};
    struct kin_buf bad = {0};
    make_sample(f);
    read_file(f, "data.mdb", &good);
    static const struct {
        size_t at;
        uint8_t value;
        kin_status expected;
        const char *message;
    } cases[] = {
        {16, 0, KIN_E_CORRUPT, "page 0 of tree 'head': is not the head"},
        {4096 + 10, 2, KIN_E_CORRUPT, "page 1 of tree 'head': is not the head"},
        {20, 2, KIN_E_VERSION, "file version 2"},
        {40, 3, KIN_E_CORRUPT, "make no sense"},                              /* page size */
        {44, 9, KIN_E_CORRUPT, "tree 'free': is a root that makes no sense"}, /* flags */
        {40 + 96 + 5, 9, KIN_E_CORRUPT, "make no sense"},                     /* last page */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kin_buf_clear(&bad);
        kin_buf_put(&bad, good.p, good.n);
        bad.p[cases[i].at] = cases[i].value;
        if (cases[i].at < 4096) /* whichever head counts */
            bad.p[cases[i].at + 4096] = cases[i].value;
        write_file(f, "data.mdb", bad.p, bad.n);
        assert_int_equal(store_open(f), cases[i].expected);
        if (!strstr(f->err.msg, cases[i].message))
            fail_msg("'%s' does not say '%s'", f->err.msg, cases[i].message);
    }
    write_file(f, "data.mdb", "not a store", 11);
    assert_int_equal(store_open(f), KIN_E_CORRUPT);
    write_file(f, "data.mdb", good.p, good.n);
    must_open(f);
    kin_buf_deinit(&good);
    kin_buf_deinit(&bad);
}

static void a_foreign_environment_is_refused(void **state)
{
    struct fixture *f = *state;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    char text[] = "foreign";
    MDB_val v = {sizeof text, text};
    must_open(f);
    store_close(f);
    char path[2 * SCRATCH_PATH];
    assert_int_equal(unlink(file_of(f, "data.mdb", path)), 0);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, f->path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &v, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    assert_int_equal(store_open(f), KIN_E_CORRUPT);
    assert_non_null(strstr(f->err.msg, "not a store of this program"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(without_fsync_a_store_is_believed_within_one_boot),
        STORE_TEST(with_fsync_a_store_is_always_believed),
        STORE_TEST(a_store_that_died_while_it_was_made_is_made_again),
        STORE_TEST(a_reader_that_died_pins_nothing),
        STORE_TEST(kill_9_loses_nothing_that_was_reported),
        STORE_TEST(a_damaged_file_is_refused_or_works),
        STORE_TEST(damage_is_named),
        STORE_TEST(a_foreign_environment_is_refused),
    };
    return cmocka_run_group_tests_name("lmdb store, crashes", tests, NULL, NULL);
}
