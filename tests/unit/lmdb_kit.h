#ifndef KIN_TESTS_LMDB_KIT_H
#define KIN_TESTS_LMDB_KIT_H
/* What the tests of the LMDB store share. */
#include "common/store/lmdb_store.h"
#include "tests/unit/scratch_dir.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
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

static inline uint64_t draw(struct fixture *f)
{
    f->draw = f->draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return f->draw >> 33;
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->store)
        f->store->ops->close(f->store);
    scratch_remove(f->root);
    kin_free(f);
    return 0;
}

static inline kin_status store_open(struct fixture *f)
{
    f->err = (struct kin_err){0};
    kin_status st = kin_lmdb_open(&f->options, &f->store, &f->err);
    if (!st != !!f->store)
        abort(); /* what no test can go on from */
    if (st)
        assert_int_equal(f->err.status, st);
    return st;
}

static inline void must_open(struct fixture *f)
{
    if (store_open(f)) {
        fail_msg("%s", f->err.msg);
        abort();
    }
}

static inline void store_close(struct fixture *f)
{
    f->store->ops->close(f->store);
    f->store = NULL;
}

static inline kin_status put_n(struct fixture *f, uint8_t db, const char *key, const void *p,
                               size_t n)
{
    struct kin_store_put put = {.db = db, .key = kin_str_of(key), .value = {p, n}};
    struct kin_store_op op = {.puts = &put, .count = 1};
    f->store->ops->apply(f->store, &op);
    return op.impl_status;
}

static inline kin_status put(struct fixture *f, uint8_t db, const char *key, const char *value)
{
    return put_n(f, db, key, value, value ? strlen(value) : 0);
}

/* What key holds in a snapshot of its own: a copy; p NULL if it is missing. */
static inline struct kin_buf get(struct fixture *f, unsigned db, const char *key)
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

static inline bool holds(struct fixture *f, unsigned db, const char *key, const char *value)
{
    struct kin_buf b = get(f, db, key);
    bool same =
        value ? b.p && b.n == strlen(value) && (b.n == 0 || !memcmp(b.p, value, b.n)) : !b.p;
    kin_buf_deinit(&b);
    return same;
}

static inline const char *file_of(struct fixture *f, const char *name, char to[2 * SCRATCH_PATH])
{
    snprintf(to, 2 * SCRATCH_PATH, "%s/%s", f->path, name);
    return to;
}

static inline void read_file(struct fixture *f, const char *name, struct kin_buf *out)
{
    char path[2 * SCRATCH_PATH];
    assert_true(scratch_get(file_of(f, name, path), out));
}

static inline void write_file(struct fixture *f, const char *name, const void *p, size_t n)
{
    char path[2 * SCRATCH_PATH];
    assert_true(scratch_put(file_of(f, name, path), p, n));
}

static inline bool state_is(struct fixture *f, const char *prefix)
{
    struct kin_buf b = {0};
    read_file(f, "state", &b);
    bool same = b.n >= strlen(prefix) && memcmp(b.p, prefix, strlen(prefix)) == 0;
    kin_buf_deinit(&b);
    return same;
}

/* Runs fn on an open store in a process that then dies without closing it. */
static inline void in_crashing_child(struct fixture *f, bool (*fn)(struct fixture *f))
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

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
