#include "common/store/lmdb_store.h"
#include "tests/unit/scratch_dir.h"

#include <inttypes.h>
#include <lmdb.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

/* ---- a store in a directory of the test's own ---- */

struct fixture {
    char root[SCRATCH_PATH];
    char path[SCRATCH_PATH + 16];
    struct kin_lmdb_options options;
    struct kin_store *store;
    struct kin_err err;
    uint64_t draw;
};

static uint64_t draw(struct fixture *f)
{
    f->draw = f->draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return f->draw >> 33;
}

static int setup(void **state)
{
    struct fixture *f = kin_calloc(1, sizeof *f);
    if (!f || !scratch_make(f->root))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/a/store", f->root);
    f->options = (struct kin_lmdb_options){
        .path = f->path, .map_bytes = 256 << 20, .dbs = 3, .format = 7, .fsync = true};
    f->draw = 20251122;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->store)
        f->store->ops->close(f->store);
    scratch_remove(f->root);
    kin_free(f);
    return 0;
}

static kin_status store_open(struct fixture *f)
{
    f->err = (struct kin_err){0};
    kin_status st = kin_lmdb_open(&f->options, &f->store, &f->err);
    if (st) {
        assert_null(f->store);
        assert_int_equal(f->err.status, st);
    }
    return st;
}

static void must_open(struct fixture *f)
{
    if (store_open(f))
        fail_msg("%s", f->err.msg);
}

static void store_close(struct fixture *f)
{
    f->store->ops->close(f->store);
    f->store = NULL;
}

static kin_status put_n(struct fixture *f, uint8_t db, const char *key, const void *p, size_t n)
{
    struct kin_store_put put = {.db = db, .key = kin_str_of(key), .value = {p, n}};
    struct kin_store_op op = {.puts = &put, .count = 1};
    f->store->ops->apply(f->store, &op);
    return op.impl_status;
}

static kin_status put(struct fixture *f, uint8_t db, const char *key, const char *value)
{
    return put_n(f, db, key, value, value ? strlen(value) : 0);
}

/* What key holds in a snapshot of its own: a copy; p NULL if it is missing. */
static struct kin_buf get(struct fixture *f, unsigned db, const char *key)
{
    struct kin_snap *snap = NULL;
    struct kin_str v = {0};
    struct kin_buf copy = {0};
    assert_int_equal(f->store->ops->snap_begin(f->store, &snap), KIN_OK);
    kin_status st = f->store->ops->snap_get(snap, db, kin_str_of(key), &v);
    if (st == KIN_OK) {
        kin_buf_reserve(&copy, 1);
        kin_buf_put(&copy, v.p, v.n);
    } else {
        assert_int_equal(st, KIN_E_NOTFOUND);
    }
    f->store->ops->snap_end(f->store, snap);
    return copy;
}

static bool holds(struct fixture *f, unsigned db, const char *key, const char *value)
{
    struct kin_buf b = get(f, db, key);
    bool same =
        value ? b.p && b.n == strlen(value) && (b.n == 0 || !memcmp(b.p, value, b.n)) : !b.p;
    kin_buf_deinit(&b);
    return same;
}

static const char *file_of(struct fixture *f, const char *name, char to[2 * SCRATCH_PATH])
{
    snprintf(to, 2 * SCRATCH_PATH, "%s/%s", f->path, name);
    return to;
}

static void read_file(struct fixture *f, const char *name, struct kin_buf *out)
{
    char path[2 * SCRATCH_PATH];
    assert_true(scratch_get(file_of(f, name, path), out));
}

static void write_file(struct fixture *f, const char *name, const void *p, size_t n)
{
    char path[2 * SCRATCH_PATH];
    assert_true(scratch_put(file_of(f, name, path), p, n));
}

static bool state_is(struct fixture *f, const char *prefix)
{
    struct kin_buf b = {0};
    read_file(f, "state", &b);
    bool same = b.n >= strlen(prefix) && memcmp(b.p, prefix, strlen(prefix)) == 0;
    kin_buf_deinit(&b);
    return same;
}

/* Runs fn on an open store in a process that then dies without closing it. */
static void in_crashing_child(struct fixture *f, bool (*fn)(struct fixture *f))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (store_open(f) == KIN_OK && fn(f))
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- the plain things ---- */

static void what_is_put_is_there_after_reopening(void **state)
{
    struct fixture *f = *state;
    char path[2 * SCRATCH_PATH];
    struct stat s;
    for (int fsync_too = 0; fsync_too < 2; fsync_too++) {
        f->options.fsync = fsync_too;
        must_open(f);
        assert_int_equal(put(f, 0, "k", "one"), KIN_OK);
        assert_int_equal(put(f, 2, "k", "two"), KIN_OK);
        assert_int_equal(put(f, 1, "gone", "three"), KIN_OK);
        assert_int_equal(put(f, 1, "gone", NULL), KIN_OK);
        store_close(f);
        must_open(f);
        assert_true(holds(f, 0, "k", "one") && holds(f, 2, "k", "two"));
        assert_true(holds(f, 1, "gone", NULL) && holds(f, 1, "k", NULL));
        store_close(f);
    }
    assert_int_equal(stat(f->path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
    assert_int_equal(stat(file_of(f, "data.mdb", path), &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_int_equal(stat(file_of(f, "lock.mdb", path), &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
}

static void a_snapshot_does_not_move(void **state)
{
    struct fixture *f = *state;
    must_open(f);
    const struct kin_store_ops *ops = f->store->ops;
    assert_int_equal(put(f, 0, "k", "old"), KIN_OK);
    struct kin_snap *a = NULL;
    struct kin_snap *b = NULL;
    struct kin_str va = {0};
    struct kin_str vb = {0};
    assert_int_equal(ops->snap_begin(f->store, &a), KIN_OK);
    assert_int_equal(ops->snap_get(a, 0, KIN_STR("k"), &va), KIN_OK);
    for (int i = 0; i < 50; i++) /* pages of the old value must not be used again */
        assert_int_equal(put(f, 0, "k", "new"), KIN_OK);
    assert_int_equal(ops->snap_begin(f->store, &b), KIN_OK);
    assert_int_equal(ops->snap_get(b, 0, KIN_STR("k"), &vb), KIN_OK);
    assert_true(kin_str_eq(va, KIN_STR("old")) && kin_str_eq(vb, KIN_STR("new")));
    struct kin_str key = {0};
    assert_int_equal(ops->snap_seek(a, 0, KIN_STR(""), &key, &va), KIN_OK);
    assert_true(kin_str_eq(va, KIN_STR("old")));
    ops->snap_end(f->store, a);
    ops->snap_end(f->store, b);
    for (int i = 0; i < 2; i++) { /* a snapshot that is used again sees the present */
        assert_int_equal(ops->snap_begin(f->store, &a), KIN_OK);
        assert_int_equal(ops->snap_seek(a, 0, KIN_STR(""), &key, &va), KIN_OK);
        assert_true(kin_str_eq(va, KIN_STR("new")));
        ops->snap_end(f->store, a);
    }
    assert_int_equal(ops->snap_begin(f->store, &a), KIN_OK);
    assert_int_equal(ops->snap_get(a, 3, KIN_STR("k"), &va), KIN_E_INVAL); /* no such db */
    assert_int_equal(ops->snap_seek(a, 3, KIN_STR("k"), &key, &va), KIN_E_INVAL);
    assert_int_equal(ops->snap_get(a, 0, KIN_STR(""), &va), KIN_E_INVAL);
    ops->snap_end(f->store, a);
}

static void one_bad_op_does_not_hurt_its_neighbours(void **state)
{
    struct fixture *f = *state;
    must_open(f);
    char long_key[KIN_STORE_KEY_MAX + 2];
    memset(long_key, 'x', sizeof long_key);
    struct kin_store_put puts[] = {
        {.db = 0, .key = KIN_STR("m"), .value = KIN_STR("first")},
        {.db = 0, .key = KIN_STR("a"), .value = KIN_STR("promise broken"), .append = true},
        {.db = 0, .key = KIN_STR("n"), .value = KIN_STR("kept"), .append = true},
        {.db = 3, .key = KIN_STR("no such db"), .value = KIN_STR("v")},
        {.db = 0, .key = {long_key, sizeof long_key}, .value = KIN_STR("v")},
        {.db = 0, .key = KIN_STR("n"), .value = KIN_STR("same key again"), .append = true},
        {.db = 1, .key = KIN_STR("z"), .value = KIN_STR("last")},
    };
    static const kin_status expected[] = {KIN_OK,      KIN_E_INVAL, KIN_OK, KIN_E_INVAL,
                                          KIN_E_INVAL, KIN_E_INVAL, KIN_OK};
    struct kin_store_op ops[7] = {0};
    struct kin_store_put two[2] = {{.db = 1, .key = KIN_STR("half"), .value = KIN_STR("v")},
                                   puts[1]};
    for (size_t i = 0; i < 7; i++) {
        ops[i].puts = &puts[i];
        ops[i].count = 1;
        ops[i].impl_next = i < 6 ? &ops[i + 1] : NULL;
    }
    ops[1].puts = two; /* its first change is fine, and must go with the second */
    ops[1].count = 2;
    f->store->ops->apply(f->store, ops);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(ops[i].impl_status, expected[i]);
    assert_true(holds(f, 0, "m", "first") && holds(f, 0, "n", "kept") && holds(f, 1, "z", "last"));
    assert_true(holds(f, 0, "a", NULL) && holds(f, 1, "half", NULL));
}

static void values_may_be_large(void **state)
{
    struct fixture *f = *state;
    must_open(f);
    const size_t bytes = 4 << 20;
    uint8_t *p = kin_alloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(i * 7 >> 5);
    char key[8];
    for (int i = 0; i < 6; i++) {
        snprintf(key, sizeof key, "v%d", i % 3); /* the second half replaces */
        assert_int_equal(put_n(f, 0, key, p + i, bytes - (size_t)i * 1000), KIN_OK);
    }
    store_close(f);
    must_open(f);
    for (int i = 3; i < 6; i++) {
        snprintf(key, sizeof key, "v%d", i % 3);
        struct kin_buf b = get(f, 0, key);
        assert_int_equal(b.n, bytes - (size_t)i * 1000);
        assert_memory_equal(b.p, p + i, b.n);
        kin_buf_deinit(&b);
    }
    kin_free(p);
}

/* ---- space ---- */

static void a_full_map_is_an_error_and_small_writes_go_on(void **state)
{
    struct fixture *f = *state;
    f->options.map_bytes = 16 << 20;
    must_open(f);
    uint8_t *p = kin_calloc(1, 1 << 20);
    char key[16];
    int stored = 0;
    kin_status st = KIN_OK;
    for (; stored < 20 && st == KIN_OK; stored += st == KIN_OK) {
        snprintf(key, sizeof key, "big%02d", stored);
        st = put_n(f, 0, key, p, 1 << 20);
    }
    assert_int_equal(st, KIN_E_FULL);
    assert_in_range(stored, 12, 16);
    assert_int_equal(put(f, 0, "small", "fits"), KIN_OK);
    /* a group: what does not fit fails, what does goes through */
    struct kin_store_put puts[3] = {
        {.db = 1, .key = KIN_STR("s1"), .value = KIN_STR("1")},
        {.db = 1, .key = KIN_STR("big"), .value = {(char *)p, 1 << 20}},
        {.db = 1, .key = KIN_STR("s2"), .value = KIN_STR("2")},
    };
    struct kin_store_op ops[3] = {{.puts = &puts[0], .count = 1, .impl_next = &ops[1]},
                                  {.puts = &puts[1], .count = 1, .impl_next = &ops[2]},
                                  {.puts = &puts[2], .count = 1}};
    f->store->ops->apply(f->store, ops);
    assert_int_equal(ops[0].impl_status, KIN_OK);
    assert_int_equal(ops[1].impl_status, KIN_E_FULL);
    assert_int_equal(ops[2].impl_status, KIN_OK);
    assert_true(holds(f, 1, "s1", "1") && holds(f, 1, "big", NULL) && holds(f, 1, "s2", "2"));
    /* room that is made can be used, after the commits that LMDB keeps pages for */
    assert_int_equal(put(f, 0, "big00", NULL), KIN_OK);
    assert_int_equal(put(f, 0, "big01", NULL), KIN_OK);
    assert_int_equal(put(f, 0, "small", "1"), KIN_OK);
    assert_int_equal(put(f, 0, "small", "2"), KIN_OK);
    assert_int_equal(put_n(f, 0, "again", p, 1 << 20), KIN_OK);
    store_close(f);
    must_open(f);
    assert_true(holds(f, 0, "small", "2"));
    kin_free(p);
}

/* In a file system of 2 MiB, in a mount name space of a child's own. 0: all well; 77: not allowed
 * here. */
static int fill_a_disk(struct fixture *f)
{
    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
        return 77;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", f->root, "tmpfs", 0, "size=2m"))
        return 77;
    if (store_open(f))
        return 1;
    uint8_t *p = kin_calloc(1, 300 << 10);
    char key[16];
    kin_status st = KIN_OK;
    int stored = 0;
    for (; stored < 20 && st == KIN_OK; stored += st == KIN_OK) {
        snprintf(key, sizeof key, "big%02d", stored);
        st = put_n(f, 0, key, p, 300 << 10);
    }
    kin_free(p);
    if (st != KIN_E_FULL || stored < 2 || stored > 7)
        return 2;
    if (put(f, 0, "small", "fits") != KIN_OK)
        return 3;
    store_close(f);
    if (store_open(f))
        return 4;
    bool kept = holds(f, 0, "small", "fits") && !holds(f, 0, "big00", NULL);
    store_close(f);
    return kept ? 0 : 5;
}

static void a_full_disk_is_an_error_and_small_writes_go_on(void **state)
{
    struct fixture *f = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(fill_a_disk(f));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- opening ---- */

static void another_format_is_refused(void **state)
{
    struct fixture *f = *state;
    must_open(f);
    assert_int_equal(put(f, 0, "k", "v"), KIN_OK);
    store_close(f);
    f->options.format = 8;
    assert_int_equal(store_open(f), KIN_E_VERSION);
    assert_non_null(strstr(f->err.msg, "format 7"));
    f->options.format = 7;
    f->options.dbs = KIN_DBS_MAX; /* more trees are no problem */
    must_open(f);
    assert_true(holds(f, 0, "k", "v") && holds(f, 7, "k", NULL));
}

static void senseless_options_are_refused(void **state)
{
    struct fixture *f = *state;
    struct kin_lmdb_options good = f->options;
    f->options.dbs = 0;
    assert_int_equal(store_open(f), KIN_E_INVAL);
    f->options.dbs = KIN_DBS_MAX + 1;
    assert_int_equal(store_open(f), KIN_E_INVAL);
    f->options = good;
    f->options.map_bytes = (16 << 20) - 1;
    assert_int_equal(store_open(f), KIN_E_INVAL);
    f->options = good;
    f->options.path = "";
    assert_int_equal(store_open(f), KIN_E_INVAL);
    f->options.path = "/dev/null/store";
    assert_int_equal(store_open(f), KIN_E_IO);
    f->options = good;
    f->options.map_bytes = UINT64_C(1) << 62; /* more than there are addresses */
    assert_int_equal(store_open(f), KIN_E_NOMEM);
    f->options = good;
    must_open(f);
}

static void a_store_is_open_once(void **state)
{
    struct fixture *f = *state;
    struct kin_store *second = NULL;
    must_open(f);
    assert_int_equal(kin_lmdb_open(&f->options, &second, &f->err), KIN_E_BUSY);
    assert_null(second);
    pid_t child = fork();
    if (child == 0)
        _exit(kin_lmdb_open(&f->options, &second, NULL) == KIN_E_BUSY ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(put(f, 0, "k", "v"), KIN_OK); /* and the first one is none the worse */
    store_close(f);
    must_open(f);
    assert_true(holds(f, 0, "k", "v"));
}

static void a_lack_of_memory_opens_nothing(void **state)
{
    struct fixture *f = *state;
    must_open(f);
    store_close(f);
    for (size_t n = 0;; n++) {
        kin_alloc_fail_after(n);
        kin_status st = store_open(f);
        kin_alloc_fail_after(SIZE_MAX);
        if (st == KIN_OK) {
            assert_true(n >= 4);
            break;
        }
        assert_int_equal(st, KIN_E_NOMEM);
    }
    kin_alloc_fail_after(0);
    struct kin_snap *snap = NULL;
    assert_int_equal(f->store->ops->snap_begin(f->store, &snap), KIN_E_NOMEM);
    kin_alloc_fail_after(SIZE_MAX);
}

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

static size_t batch_value(uint64_t b, unsigned i, char to[600])
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

/* ---- against a model: what is expected is kept in an array ---- */

enum { MODEL_KEYS = 400, MODEL_BATCHES = 600 };

static void a_long_life_of_random_batches_equals_the_model(void **state)
{
    struct fixture *f = *state;
    f->options.fsync = false;
    int32_t lengths[MODEL_KEYS]; /* -1: not there */
    memset(lengths, -1, sizeof lengths);
    char *p = kin_calloc(1, 30000);
    char keys[12][16];
    must_open(f);
    for (int batch = 0; batch < MODEL_BATCHES; batch++) {
        struct kin_store_put puts[12];
        struct kin_store_op op = {.puts = puts, .count = 1 + draw(f) % 12};
        for (size_t i = 0; i < op.count; i++) {
            size_t k = draw(f) % MODEL_KEYS;
            lengths[k] = draw(f) % 3 ? (int32_t)(draw(f) % (draw(f) % 8 ? 300 : 30000)) : -1;
            snprintf(keys[i], sizeof keys[0], "%zu", k);
            puts[i] = (struct kin_store_put){.db = (uint8_t)(k % 3), .key = kin_str_of(keys[i])};
            if (lengths[k] >= 0)
                puts[i].value = (struct kin_str){p, (size_t)lengths[k]};
        }
        f->store->ops->apply(f->store, &op);
        assert_int_equal(op.impl_status, KIN_OK);
        if (batch % 20 == 19) { /* the check on open must find no fault in what LMDB wrote */
            store_close(f);
            must_open(f);
        }
    }
    for (size_t k = 0; k < MODEL_KEYS; k++) {
        snprintf(keys[0], sizeof keys[0], "%zu", k);
        struct kin_buf b = get(f, (unsigned)(k % 3), keys[0]);
        assert_int_equal(b.p ? (int32_t)b.n : -1, lengths[k]);
        kin_buf_deinit(&b);
    }
    kin_free(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_is_there_after_reopening),
        TEST(a_snapshot_does_not_move),
        TEST(one_bad_op_does_not_hurt_its_neighbours),
        TEST(values_may_be_large),
        TEST(a_full_map_is_an_error_and_small_writes_go_on),
        TEST(a_full_disk_is_an_error_and_small_writes_go_on),
        TEST(another_format_is_refused),
        TEST(senseless_options_are_refused),
        TEST(a_store_is_open_once),
        TEST(a_lack_of_memory_opens_nothing),
        TEST(without_fsync_a_store_is_believed_within_one_boot),
        TEST(with_fsync_a_store_is_always_believed),
        TEST(a_store_that_died_while_it_was_made_is_made_again),
        TEST(a_reader_that_died_pins_nothing),
        TEST(kill_9_loses_nothing_that_was_reported),
        TEST(a_damaged_file_is_refused_or_works),
        TEST(damage_is_named),
        TEST(a_foreign_environment_is_refused),
        TEST(a_long_life_of_random_batches_equals_the_model),
    };
    return cmocka_run_group_tests_name("lmdb store", tests, NULL, NULL);
}
