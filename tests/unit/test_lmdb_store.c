#include "tests/unit/lmdb_kit.h"

#include <sched.h>
#include <sys/mount.h>

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
    static const char *const values[] = {"one", "two", "three", "four"};
    for (int i = 0; i < 4; i++) { /* a snapshot that is used again sees the present */
        assert_int_equal(put(f, 0, "k", values[i]), KIN_OK);
        assert_int_equal(ops->snap_begin(f->store, &a), KIN_OK);
        assert_int_equal(ops->snap_seek(a, 0, KIN_STR("k"), &key, &va), KIN_OK);
        assert_true(kin_str_eq(va, kin_str_of(values[i])));
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

static void an_earlier_format_is_taken_over(void **state)
{
    struct fixture *f = *state;
    must_open(f);
    assert_int_equal(put(f, 0, "k", "v"), KIN_OK);
    store_close(f);
    f->options.format = 9;
    f->options.format_from = 8;
    assert_int_equal(store_open(f), KIN_E_VERSION); /* 7 is too old */
    f->options.format_from = 6;
    must_open(f);
    assert_true(holds(f, 0, "k", "v"));
    store_close(f);
    f->options.format = 7;
    assert_int_equal(store_open(f), KIN_E_VERSION); /* it is one of format 9 now */
    assert_non_null(strstr(f->err.msg, "format 9, of a newer version"));
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
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_put_is_there_after_reopening),
        STORE_TEST(a_snapshot_does_not_move),
        STORE_TEST(one_bad_op_does_not_hurt_its_neighbours),
        STORE_TEST(values_may_be_large),
        STORE_TEST(a_full_map_is_an_error_and_small_writes_go_on),
        STORE_TEST(a_full_disk_is_an_error_and_small_writes_go_on),
        STORE_TEST(another_format_is_refused),
        STORE_TEST(an_earlier_format_is_taken_over),
        STORE_TEST(senseless_options_are_refused),
        STORE_TEST(a_store_is_open_once),
        STORE_TEST(a_lack_of_memory_opens_nothing),
        STORE_TEST(a_long_life_of_random_batches_equals_the_model),
    };
    return cmocka_run_group_tests_name("lmdb store", tests, NULL, NULL);
}
