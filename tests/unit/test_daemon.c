/* A coordinator's and a worker's process, both in this one: whose frames come as whose, what is
 * told of links, and that a worker is known again by its key. */
#include "common/daemon/daemon.h"
#include "common/daemon/members.h"
#include "tests/unit/scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>

enum { RESEND_US = 20 * 1000 };

/* One of the two; its core is itself. */
struct process {
    struct kin_daemon_options options;
    struct kin_daemon *daemon;
    struct kin_env *env;
    struct kin_timer resend;
    kin_node_id self, heard_from, link_of;
    unsigned heard, ups, downs;
    bool leave;
};

static void say(struct process *p, kin_node_id to)
{
    struct kin_frame *f = kin_frame_new(1);
    if (f)
        p->env->ops->send(p->env, to, f);
}

static void resend(struct kin_timer *t)
{
    struct process *p = (struct process *)(void *)((char *)t - offsetof(struct process, resend));
    say(p, KIN_COORDINATOR);
    p->env->ops->timer_arm(p->env, t, RESEND_US);
}

static void *boot(struct kin_env *env, void *args)
{
    struct process *p = args;
    p->env = env;
    p->self = env->self;
    p->resend.fire = resend;
    if (p->options.worker)
        env->ops->timer_arm(env, &p->resend, 0);
    return p;
}

static void on_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct process *p = node;
    (void)frame;
    p->heard++;
    p->heard_from = from;
    if (p->options.worker)
        kin_live_stop(kin_daemon_live(p->daemon)); /* it was answered */
    else if (p->ups > p->downs)
        say(p, from); /* a link that ended sooner might not have been told of */
}

static void stop(void *node)
{
    struct process *p = node;
    p->env->ops->timer_cancel(p->env, &p->resend);
}

static const struct kin_node_ops ops = {boot, on_frame, stop};

static void on_link(void *arg, kin_node_id node, bool up)
{
    struct process *p = arg;
    p->link_of = node;
    p->ups += up;
    p->downs += !up;
    if (!p->options.worker && !up) /* the worker came, and left */
        kin_live_stop(kin_daemon_live(p->daemon));
}

static void on_signal(void *arg, int signal)
{
    struct process *p = arg;
    (void)signal;
    kin_live_stop(kin_daemon_live(p->daemon));
}

static struct kin_daemon_options options_of(struct process *p, bool worker, const char *address,
                                            const char *data)
{
    return (struct kin_daemon_options){.tool = "test",
                                       .worker = worker,
                                       .name = worker ? "w-1" : NULL,
                                       .address = address,
                                       .nodes = worker ? 0 : 4,
                                       .client_first = worker ? 0 : 5,
                                       .clients_max = worker ? 0 : 2,
                                       .data_dir = data,
                                       .store_name = worker ? "worker" : "coordinator",
                                       .dbs = 1,
                                       .format = 1,
                                       .map_bytes = KIN_DAEMON_MAP_BYTES_MIN,
                                       .threads = 1,
                                       .ops = &ops,
                                       .args = p,
                                       .on_signal = on_signal,
                                       .on_link = on_link,
                                       .arg = p};
}

static void *run_process(void *arg)
{
    struct process *p = arg;
    kin_daemon_run(p->daemon, &p->leave);
    return NULL;
}

/* A coordinator and the worker of that data directory find each other, and end. Its number. */
static kin_node_id meet(const char *dir, const char *worker_data)
{
    struct process coordinator = {.daemon = NULL}, worker = {.daemon = NULL};
    char address[SCRATCH_PATH + 32], data[2][SCRATCH_PATH + 32];
    pthread_t thread;
    snprintf(address, sizeof address, "unix://%s/socket", dir);
    snprintf(data[0], sizeof data[0], "%s/coordinator", dir);
    snprintf(data[1], sizeof data[1], "%s/%s", dir, worker_data);
    coordinator.options = options_of(&coordinator, false, address, data[0]);
    worker.options = options_of(&worker, true, address, data[1]);
    assert_int_equal(kin_daemon_check(&coordinator.options), -1);
    assert_int_equal(kin_daemon_check(&worker.options), -1);
    assert_int_equal(kin_daemon_open(&coordinator.options, &coordinator.daemon), -1);
    assert_int_equal(kin_daemon_open(&worker.options, &worker.daemon), -1);
    assert_non_null(kin_daemon_members(coordinator.daemon));
    assert_null(kin_daemon_members(worker.daemon));
    assert_int_equal(pthread_create(&thread, NULL, run_process, &coordinator), 0);
    kin_daemon_run(worker.daemon, &worker.leave);
    pthread_join(thread, NULL);
    assert_false(worker.leave || coordinator.leave);
    assert_int_equal(worker.self, KIN_DAEMON_WORKER);
    assert_int_equal(coordinator.self, KIN_COORDINATOR);
    assert_int_equal(worker.heard_from, KIN_COORDINATOR);
    assert_true(worker.heard >= 1 && coordinator.heard >= 1);
    assert_int_equal(coordinator.ups, 1);
    assert_int_equal(coordinator.downs, 1);
    assert_int_equal(coordinator.link_of, coordinator.heard_from);
    return coordinator.heard_from;
}

static void a_worker_is_known_again_by_its_key(void **state)
{
    (void)state;
    char dir[SCRATCH_PATH], from[SCRATCH_PATH + 32], to[SCRATCH_PATH + 32];
    assert_true(scratch_make(dir));
    assert_int_equal(meet(dir, "a"), 1);
    assert_int_equal(meet(dir, "b"), 2);
    assert_int_equal(meet(dir, "a"), 1);
    snprintf(from, sizeof from, "%s/a/identity", dir);
    snprintf(to, sizeof to, "%s/moved/identity", dir);
    struct kin_buf key = {0};
    assert_true(scratch_get(from, &key) && scratch_put(to, key.p, key.n));
    assert_int_equal(meet(dir, "moved"), 1); /* the key alone, put there before the first start */
    kin_buf_deinit(&key);
    unlink(from);
    assert_int_equal(meet(dir, "a"), 3); /* records without the key are another worker's */
    scratch_remove(dir);
}

static void keys_are_checked_before_anything_is_touched(void **state)
{
    (void)state;
    struct process p = {.daemon = NULL};
    char dir[SCRATCH_PATH], data[SCRATCH_PATH + 16], file[SCRATCH_PATH + 32];
    struct stat st;
    assert_true(scratch_make(dir));
    snprintf(data, sizeof data, "%s/data", dir);
    for (int worker = 0; worker < 2; worker++) {
        p.options = options_of(&p, worker, "unix:///tmp/kindred-nowhere", data);
        snprintf(file, sizeof file, "%s/%s", data, worker ? "identity" : "members");
        assert_int_equal(kin_daemon_check(&p.options), -1);
        assert_int_equal(stat(data, &st), -1);
        assert_true(scratch_put(file, "nonsense\n", 9));
        assert_int_equal(kin_daemon_check(&p.options), 2);
        assert_int_equal(kin_daemon_open(&p.options, &p.daemon), 1);
        scratch_remove(data);
    }
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_is_known_again_by_its_key),
        cmocka_unit_test(keys_are_checked_before_anything_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
