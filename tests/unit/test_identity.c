/* The file of a worker's key: made once, kept, and refused in any other shape; and that small files
 * are whole or not there. */
#include "common/daemon/durable.h"
#include "common/daemon/identity.h"
#include "tests/unit/scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <signal.h>
#include <sodium.h>
#include <sys/wait.h>

enum { LINE = 19 + 64 + 1 + 64 };

struct place {
    char dir[SCRATCH_PATH], path[SCRATCH_PATH + 16], fresh[SCRATCH_PATH + 32];
};

static int place_make(void **state)
{
    static const char name[] = "identity";
    struct place *p = kin_calloc(1, sizeof *p);
    if (!p || !scratch_make(p->dir) || sodium_init() < 0)
        return -1;
    snprintf(p->path, sizeof p->path, "%s/%s", p->dir, name);
    snprintf(p->fresh, sizeof p->fresh, "%s.new", p->path);
    *state = p;
    return 0;
}

static int place_free(void **state)
{
    struct place *p = *state;
    scratch_remove(p->dir);
    kin_free(p);
    return 0;
}

/* The file and what was made beside it. */
static size_t entries(const struct place *p)
{
    struct stat st;
    return (size_t)(lstat(p->path, &st) == 0) + (size_t)(lstat(p->fresh, &st) == 0);
}

static struct kin_buf text_of(const char *path)
{
    struct kin_buf text = {0};
    assert_true(scratch_get(path, &text));
    return text;
}

/* ---- keys ---- */

static void a_key_is_made_once_and_kept(void **state)
{
    struct place *p = *state;
    struct kin_net_identity made, again, loaded;
    struct kin_err err = {0};
    struct stat st;
    assert_int_equal(kin_identity_load(p->path, &made, &err), KIN_E_NOTFOUND);
    assert_int_equal(entries(p), 0);
    assert_int_equal(kin_identity_open(p->path, &made, &err), KIN_OK);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(st.st_size, LINE + 1);
    assert_int_equal(kin_identity_open(p->path, &again, &err), KIN_OK);
    assert_int_equal(kin_identity_load(p->path, &loaded, &err), KIN_OK);
    assert_memory_equal(&made, &again, sizeof made);
    assert_memory_equal(&made, &loaded, sizeof made);
    assert_int_equal(entries(p), 1);

    uint8_t signature[crypto_sign_BYTES], other[] = "b";
    crypto_sign_detached(signature, NULL, (const uint8_t *)"a", 1, made.private_key);
    assert_int_equal(
        crypto_sign_verify_detached(signature, (const uint8_t *)"a", 1, made.public_key), 0);
    assert_int_not_equal(crypto_sign_verify_detached(signature, other, 1, made.public_key), 0);

    unlink(p->path);
    assert_int_equal(kin_identity_open(p->path, &again, &err), KIN_OK);
    assert_memory_not_equal(made.public_key, again.public_key, sizeof made.public_key);
}

static void any_change_of_the_file_is_noticed(void **state)
{
    struct place *p = *state;
    struct kin_net_identity made, changed;
    struct kin_err err = {0};
    assert_int_equal(kin_identity_open(p->path, &made, &err), KIN_OK);
    struct kin_buf text = text_of(p->path);
    for (size_t at = 0; at < LINE; at++) {
        uint8_t was = text.p[at];
        text.p[at] = was == '0' ? '1' : '0';
        assert_true(scratch_put(p->path, text.p, text.n));
        if (kin_identity_load(p->path, &changed, &err) != KIN_E_CORRUPT)
            fail_msg("byte %zu goes unseen", at);
        assert_non_null(strstr(err.msg, p->path));
        text.p[at] = was;
    }
    for (size_t n = 0; n < LINE; n += 7) { /* cut off */
        assert_true(scratch_put(p->path, text.p, n));
        assert_int_equal(kin_identity_open(p->path, &changed, &err), KIN_E_CORRUPT);
    }
    struct kin_buf longer = {0};
    kin_buf_put(&longer, text.p, text.n);
    kin_buf_put(&longer, text.p, text.n);
    assert_true(scratch_put(p->path, longer.p, longer.n)); /* two of them */
    assert_int_equal(kin_identity_load(p->path, &changed, &err), KIN_E_CORRUPT);
    while (longer.n < 100000)
        kin_buf_putc(&longer, '\n');
    assert_true(scratch_put(p->path, longer.p, longer.n));
    assert_int_equal(kin_identity_load(p->path, &changed, &err), KIN_E_CORRUPT);
    assert_true(scratch_put(p->path, text.p, LINE)); /* without its line end */
    assert_int_equal(kin_identity_load(p->path, &changed, &err), KIN_OK);
    assert_memory_equal(&made, &changed, sizeof made);
    kin_buf_deinit(&longer);
    kin_buf_deinit(&text);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0644, 0777, 0601};
    struct place *p = *state;
    struct kin_net_identity made;
    struct kin_err err = {0};
    assert_int_equal(kin_identity_open(p->path, &made, &err), KIN_OK);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(p->path, modes[i]), 0);
        assert_int_equal(kin_identity_open(p->path, &made, &err), KIN_E_INVAL);
        assert_non_null(strstr(err.msg, "600"));
    }
    assert_int_equal(chmod(p->path, 0400), 0);
    assert_int_equal(kin_identity_load(p->path, &made, &err), KIN_OK);
}

static void what_is_no_file_is_refused(void **state)
{
    struct place *p = *state;
    struct kin_net_identity made;
    struct kin_err err = {0};
    assert_int_equal(mkdir(p->path, 0700), 0);
    assert_int_equal(kin_identity_open(p->path, &made, &err), KIN_E_INVAL);
    assert_int_equal(rmdir(p->path), 0);
    assert_int_equal(mkfifo(p->path, 0600), 0); /* nobody will ever write to it */
    assert_int_equal(kin_identity_open(p->path, &made, &err), KIN_E_INVAL);
}

/* ---- files that are whole or not there ---- */

static void what_a_crash_left_beside_is_replaced(void **state)
{
    struct place *p = *state;
    struct kin_net_identity made;
    struct kin_err err = {0};
    struct stat st;
    assert_true(scratch_put(p->fresh, "half a ke", 9));
    assert_int_equal(chmod(p->fresh, 0644), 0);
    assert_int_equal(kin_identity_open(p->path, &made, &err), KIN_OK);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600); /* not that of the left-over */
    assert_int_equal(entries(p), 1);
    assert_int_equal(symlink("/nowhere/at/all", p->fresh), 0); /* nor is a link followed */
    assert_int_equal(kin_durable_write(p->path, KIN_STR("new"), &err), KIN_OK);
    struct kin_buf text = text_of(p->path);
    assert_int_equal(text.n, 3);
    kin_buf_deinit(&text);
}

static void a_write_that_fails_changes_nothing(void **state)
{
    struct place *p = *state;
    struct kin_err err = {0};
    assert_int_equal(kin_durable_write(p->path, KIN_STR("old"), &err), KIN_OK);
    assert_int_equal(mkdir(p->fresh, 0700), 0); /* where the new one would be made */
    assert_int_equal(kin_durable_write(p->path, KIN_STR("new"), &err), KIN_E_IO);
    assert_non_null(strstr(err.msg, p->fresh));
    struct kin_buf text = text_of(p->path);
    assert_int_equal(text.n, 3);
    assert_memory_equal(text.p, "old", 3);
    kin_buf_deinit(&text);
    assert_int_equal(kin_durable_write("/nowhere/at/all", KIN_STR("x"), &err), KIN_E_IO);
}

/* A process that is killed at any moment leaves the old text or the new one. */
static void a_kill_leaves_the_old_or_the_new(void **state)
{
    enum { ROUNDS = 30, BYTES = 3000 };
    struct place *p = *state;
    char text[2][BYTES];
    struct kin_err err = {0};
    memset(text[0], 'a', BYTES);
    memset(text[1], 'b', BYTES);
    assert_int_equal(kin_durable_write(p->path, (struct kin_str){text[0], BYTES}, &err), KIN_OK);
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (unsigned i = 1;; i++) {
                if (kin_durable_write(p->path, (struct kin_str){text[i % 2], BYTES}, NULL))
                    _exit(1);
            }
        }
        usleep(500 + (useconds_t)round * 137);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        struct kin_buf found = text_of(p->path);
        assert_int_equal(found.n, BYTES);
        for (size_t i = 1; i < BYTES; i++)
            assert_int_equal(found.p[i], found.p[0]);
        kin_buf_deinit(&found);
    }
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_PLACE(a_key_is_made_once_and_kept),
        IN_A_PLACE(any_change_of_the_file_is_noticed),
        IN_A_PLACE(a_key_that_others_may_read_is_refused),
        IN_A_PLACE(what_is_no_file_is_refused),
        IN_A_PLACE(what_a_crash_left_beside_is_replaced),
        IN_A_PLACE(a_write_that_fails_changes_nothing),
        IN_A_PLACE(a_kill_leaves_the_old_or_the_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
