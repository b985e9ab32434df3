/* The coordinator's list of workers: numbers stay with keys, over restarts, in a file that people
 * read and edit. */
#include "common/daemon/members.h"
#include "tests/unit/scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <sodium.h>
#include <time.h>

enum { MAX = 4, LONG_MS = 60 * 60 * 1000 };

struct place {
    char dir[SCRATCH_PATH], path[SCRATCH_PATH + 16];
};

static int place_make(void **state)
{
    struct place *p = kin_calloc(1, sizeof *p);
    if (!p || !scratch_make(p->dir) || sodium_init() < 0)
        return -1;
    snprintf(p->path, sizeof p->path, "%s/members", p->dir);
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

static struct kin_members *list_open(const struct place *p, uint32_t max, uint32_t settle_ms)
{
    struct kin_members *m = NULL;
    struct kin_err err = {0};
    struct kin_members_options o = {.path = p->path, .max = max, .settle_ms = settle_ms};
    if (kin_members_open(&o, &m, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    return m;
}

static kin_node_id admit(struct kin_members *m, uint8_t who, bool *fresh)
{
    uint8_t key[KIN_NET_PUBLIC_BYTES];
    struct kin_err err = {0};
    memset(key, who, sizeof key);
    kin_node_id number = kin_members_admit(m, key, fresh, &err);
    assert_true(number || *err.msg);
    return number;
}

static void expect(struct kin_members *m, uint8_t who, kin_node_id number, bool fresh)
{
    bool is_fresh;
    kin_node_id got = admit(m, who, &is_fresh);
    if (got != number || is_fresh != fresh)
        fail_msg("%u: number %u, %s", who, got, is_fresh ? "new" : "known");
}

/* Until nobody could tell that the worker was seen just now. */
static void wait_silent(struct kin_members *m, kin_node_id number)
{
    struct kin_member member = {.silent_ms = 0};
    while (member.silent_ms < 3) {
        nanosleep(&(struct timespec){.tv_nsec = 500 * 1000}, NULL);
        assert_true(kin_members_get(m, number, &member) && !member.connected);
    }
}

/* ---- numbers ---- */

static void numbers_stay_with_keys_over_restarts(void **state)
{
    struct place *p = *state;
    struct stat st;
    struct kin_members *m = list_open(p, MAX, LONG_MS);
    assert_int_equal(stat(p->path, &st), -1); /* nothing to be kept yet */
    expect(m, 'a', 1, true);
    expect(m, 'b', 2, true);
    expect(m, 'a', 1, false);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    kin_members_close(m);
    m = list_open(p, MAX, LONG_MS);
    expect(m, 'c', 3, true); /* not the number of one that was not there yet */
    expect(m, 'b', 2, false);
    expect(m, 'a', 1, false);
    struct kin_member member;
    assert_true(kin_members_get(m, 3, &member));
    assert_string_equal(member.key, "63636363636363636363636363636363"
                                    "63636363636363636363636363636363");
    assert_int_equal(strlen(member.first_seen), 20);
    assert_false(member.connected);
    assert_false(kin_members_get(m, 4, &member) || kin_members_get(m, 0, &member) ||
                 kin_members_get(m, MAX + 1, &member));
    kin_members_close(m);
    kin_members_close(NULL);
}

static void the_file_is_one_line_a_worker(void **state)
{
    struct place *p = *state;
    struct kin_buf text = {0};
    char line[200];
    time_t before = time(NULL);
    struct kin_members *m = list_open(p, MAX, LONG_MS);
    expect(m, 0x0a, 1, true);
    time_t after = time(NULL);
    assert_true(scratch_get(p->path, &text));
    struct tm tm;
    bool found = false;
    for (time_t t = before; t <= after; t++) {
        char stamp[32];
        gmtime_r(&t, &tm);
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
        snprintf(line, sizeof line, "1 %s%s %s\n", "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
                 "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", stamp);
        found = found || (text.n == strlen(line) && memcmp(text.p, line, text.n) == 0);
    }
    assert_true(found);
    kin_buf_deinit(&text);
    kin_members_close(m);
}

static void who_was_away_longest_makes_room(void **state)
{
    struct place *p = *state;
    struct kin_members *m = list_open(p, MAX, 1);
    for (uint8_t i = 0; i < MAX; i++)
        expect(m, 'a' + i, i + 1u, true);
    for (kin_node_id n = 1; n <= MAX; n++)
        kin_members_link(m, n, true);
    expect(m, 'x', 0, false); /* all are connected */
    kin_members_link(m, 3, false);
    wait_silent(m, 3);
    kin_members_link(m, 1, false);
    wait_silent(m, 1);
    expect(m, 'x', 3, true);
    kin_members_link(m, 3, true);
    expect(m, 'y', 1, true);
    kin_members_link(m, 1, true);
    expect(m, 'b', 2, false);
    expect(m, 'd', 4, false);
    expect(m, 'c', 0, false); /* its number is gone, for now */
    kin_members_link(m, 2, false);
    wait_silent(m, 2);
    expect(m, 'c', 2, true);
    kin_members_close(m);
    m = list_open(p, MAX, LONG_MS);
    expect(m, 'y', 1, false);
    expect(m, 'c', 2, false);
    expect(m, 'x', 3, false);
    expect(m, 'd', 4, false);
    kin_members_close(m);
}

static void a_number_is_kept_for_a_while(void **state)
{
    struct place *p = *state;
    struct kin_members *m = list_open(p, 2, LONG_MS);
    expect(m, 'a', 1, true);
    expect(m, 'b', 2, true);
    kin_members_link(m, 1, true);
    kin_members_link(m, 1, false);
    expect(m, 'c', 0, false); /* a restarts, and b was just let in */
    kin_members_close(m);
    m = list_open(p, 2, LONG_MS);
    expect(m, 'c', 0, false); /* the coordinator restarted: they will be back */
    kin_members_close(m);
    m = list_open(p, 2, 1);
    wait_silent(m, 1);
    expect(m, 'c', 1, true);
    kin_members_close(m);
}

/* ---- the file ---- */

#define KEY_A "aAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaAa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TIME "2026-11-22T11:15:05Z"

static void people_may_edit_the_list(void **state)
{
    static const char edited[] = "\n3\t" KEY_A "   " TIME "  \r\n   \n 1 " KEY_B " " TIME;
    struct place *p = *state;
    assert_true(scratch_put(p->path, edited, sizeof edited - 1));
    struct kin_members *m = list_open(p, MAX, LONG_MS);
    expect(m, 0xbb, 1, false);
    expect(m, 0xaa, 3, false);
    expect(m, 'c', 2, true); /* the lowest that is free */
    expect(m, 'd', 4, true);
    kin_members_close(m);
    struct kin_buf text = {0};
    assert_true(scratch_get(p->path, &text));
    assert_memory_equal(text.p, "1 " KEY_B " " TIME "\n2 ", 2 + 64 + 1 + 20 + 1 + 2);
    kin_buf_deinit(&text);
}

static void what_is_wrong_is_named_by_its_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *says;
    } cases[] = {
        {"1 " KEY_A "\n", 1, "expected NUMBER KEY FIRST_SEEN"},
        {"1\n", 1, "expected NUMBER KEY FIRST_SEEN"},
        {"# workers\n", 1, "expected NUMBER KEY FIRST_SEEN"},
        {"1 " KEY_A " " TIME " x\n", 1, "expected NUMBER KEY FIRST_SEEN"},
        {"\n\n0 " KEY_A " " TIME "\n", 3, "number"},
        {"5 " KEY_A " " TIME "\n", 1, "number"},
        {"-1 " KEY_A " " TIME "\n", 1, "number"},
        {"1x " KEY_A " " TIME "\n", 1, "number"},
        {"99999999999999999999 " KEY_A " " TIME "\n", 1, "number"},
        {"4294967297 " KEY_A " " TIME "\n", 1, "number"},
        {"1 " KEY_A "a " TIME "\n", 1, "64 hex digits"},
        {"1 a " TIME "\n", 1, "64 hex digits"},
        {"1 g"
         "aAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA " TIME "\n",
         1, "64 hex digits"},
        {"1 " KEY_A " yesterday\n", 1, "a time like"},
        {"1 " KEY_A " 2026-11-22T11:15:05+\n", 1, "a time like"},
        {"1 " KEY_A " " TIME "\n1 " KEY_B " " TIME "\n", 2, "number is there twice"},
        {"1 " KEY_A " " TIME "\n2 " KEY_A " " TIME "\n", 2, "key is there twice"},
        {"1 " KEY_A " " TIME "\n2 " KEY_B, 2, "expected NUMBER KEY FIRST_SEEN"},
    };
    struct place *p = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_members *m = NULL;
        struct kin_err err = {0};
        char where[SCRATCH_PATH + 32];
        struct kin_members_options o = {.path = p->path, .max = MAX};
        assert_true(scratch_put(p->path, cases[i].text, strlen(cases[i].text)));
        snprintf(where, sizeof where, "%s:%u: ", p->path, cases[i].line);
        if (kin_members_open(&o, &m, &err) != KIN_E_CORRUPT || m || !strstr(err.msg, where) ||
            !strstr(err.msg, cases[i].says))
            fail_msg("case %zu: %s", i, err.msg);
    }
}

static void a_list_that_cannot_be_written_gives_no_number(void **state)
{
    struct place *p = *state;
    char in_the_way[SCRATCH_PATH + 32];
    struct kin_members *m = list_open(p, MAX, LONG_MS);
    expect(m, 'a', 1, true);
    snprintf(in_the_way, sizeof in_the_way, "%s.new", p->path);
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    expect(m, 'b', 0, false);
    expect(m, 'a', 1, false); /* nothing to be written */
    assert_int_equal(rmdir(in_the_way), 0);
    expect(m, 'c', 2, true); /* b has not got it */
    kin_alloc_fail_after(0);
    expect(m, 'd', 0, false);
    kin_alloc_fail_after(SIZE_MAX);
    expect(m, 'd', 3, true);
    kin_members_close(m);
}

static void a_lack_of_memory_opens_nothing(void **state)
{
    struct place *p = *state;
    struct kin_members_options o = {.path = p->path, .max = MAX};
    assert_true(scratch_put(p->path, "1 " KEY_A " " TIME "\n", 2 + 64 + 1 + 20 + 1));
    for (size_t n = 0;; n++) {
        struct kin_members *m = NULL;
        struct kin_err err = {0};
        kin_alloc_fail_after(n);
        kin_status status = kin_members_open(&o, &m, &err);
        kin_alloc_fail_after(SIZE_MAX);
        if (status == KIN_OK) {
            assert_true(n >= 3);
            kin_members_close(m);
            break;
        }
        assert_int_equal(status, KIN_E_NOMEM);
        assert_null(m);
    }
    o.max = 0;
    struct kin_members *m = NULL;
    assert_int_equal(kin_members_open(&o, &m, NULL), KIN_E_INVAL);
    o.max = KIN_NODES_MAX;
    assert_int_equal(kin_members_open(&o, &m, NULL), KIN_E_INVAL);
}

/* ---- threads ---- */

enum { THREADS = 4, KEYS = 24 };

struct crowd {
    struct kin_members *m;
    unsigned first;
    kin_node_id got[KEYS];
    unsigned fresh;
};

static void *come_all(void *arg)
{
    struct crowd *c = arg;
    for (unsigned i = 0; i < KEYS; i++) { /* each thread in another order */
        uint8_t key[KIN_NET_PUBLIC_BYTES];
        unsigned who = (i + c->first) % KEYS;
        bool fresh;
        memset(key, (int)who + 1, sizeof key);
        c->got[who] = kin_members_admit(c->m, key, &fresh, NULL);
        kin_members_link(c->m, c->got[who], i % 2);
        c->fresh += fresh;
    }
    return NULL;
}

static void any_threads_get_the_same_numbers(void **state)
{
    struct place *p = *state;
    struct kin_members *m = list_open(p, KEYS, LONG_MS);
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    unsigned fresh = 0;
    bool given[KEYS + 1] = {false};
    for (unsigned t = 0; t < THREADS; t++) {
        crowds[t] = (struct crowd){.m = m, .first = t * KEYS / THREADS};
        assert_int_equal(pthread_create(&threads[t], NULL, come_all, &crowds[t]), 0);
    }
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        fresh += crowds[t].fresh;
        assert_memory_equal(crowds[t].got, crowds[0].got, sizeof crowds[t].got);
    }
    assert_int_equal(fresh, KEYS);
    for (unsigned i = 0; i < KEYS; i++) {
        assert_true(crowds[0].got[i] >= 1 && crowds[0].got[i] <= KEYS);
        assert_false(given[crowds[0].got[i]]);
        given[crowds[0].got[i]] = true;
    }
    kin_members_close(m);
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_PLACE(numbers_stay_with_keys_over_restarts),
        IN_A_PLACE(the_file_is_one_line_a_worker),
        IN_A_PLACE(who_was_away_longest_makes_room),
        IN_A_PLACE(a_number_is_kept_for_a_while),
        IN_A_PLACE(people_may_edit_the_list),
        IN_A_PLACE(what_is_wrong_is_named_by_its_line),
        IN_A_PLACE(a_list_that_cannot_be_written_gives_no_number),
        IN_A_PLACE(a_lack_of_memory_opens_nothing),
        IN_A_PLACE(any_threads_get_the_same_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
