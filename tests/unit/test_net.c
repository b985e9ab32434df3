/* Frames between processes: what is sent arrives, both sides come back after a restart, and a link
 * of the live world reaches over it. */
#include "common/env/live/live.h"
#include "tests/unit/net_kit.h"

/* ---- the text of an address ---- */

#define PATH_OF_10 "0123456789"
#define PATH_OF_50 PATH_OF_10 PATH_OF_10 PATH_OF_10 PATH_OF_10 PATH_OF_10
#define PATH_OF_100 PATH_OF_50 PATH_OF_50

static void addresses_are_judged_by_their_text(void **state)
{
    static const struct {
        const char *text;
        bool fine, loopback;
    } cases[] = {
        {"tcp://127.0.0.1:7400", true, true},
        {"tcp://127.9.9.9:0", true, true},
        {"tcp://localhost:65535", true, true},
        {"tcp://[::1]:7400", true, true},
        {"tcp://[fe80::1]:7400", true, false},
        {"tcp://0.0.0.0:7400", true, false},
        {"tcp://10.0.0.1:7400", true, false},
        {"tcp://kindred-1.example:7400", true, false},
        {"tcp://127.0.0.1.example:7400", true, false},
        {"tcp://127.0.0.1", false, false},
        {"tcp://:7400", false, false},
        {"tcp://host:", false, false},
        {"tcp://host:65536", false, false},
        {"tcp://host:000080", false, false},
        {"tcp://host:80x", false, false},
        {"tcp://::1:7400", false, false},
        {"tcp://[::1:7400", false, false},
        {"tcp://[127.0.0.1]:7400", false, false},
        {"tcp://ho st:80", false, false},
        {"tcp://a/b:80", false, false},
        {"tls+tcp://127.0.0.1:7400", false, false},
        {"127.0.0.1:7400", false, false},
        {"unix:///run/kindred.sock", true, true},
        {"unix:///a b:c", true, true},
        {"unix:///" PATH_OF_100 "123456", true, true},
        {"unix:///" PATH_OF_100 "1234567", false, false},
        {"unix://run/kindred.sock", false, false},
        {"unix://", false, false},
        {"unix:///", false, false},
        {"unix:///run/", false, false},
        {"unix:///run/.", false, false},
        {"unix:///run/..", false, false},
        {"unix:/run/kindred.sock", false, false},
        {"ipc:///run/kindred.sock", false, false},
        {"", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool loopback = false;
        struct kin_err err;
        kin_status status = kin_net_address_check(cases[i].text, &loopback, &err);
        if ((status == KIN_OK) != cases[i].fine || loopback != cases[i].loopback)
            fail_msg("%s: %d, loopback %d", cases[i].text, status, loopback);
    }
}

/* ---- frames ---- */

static const size_t sizes[] = {0,     1,     31,    32,    33,      4095,   16 * 1024 - 64,
                               16384, 65535, 65536, 65537, 1000000, 1 << 20};
enum { SIZE_COUNT = sizeof sizes / sizeof *sizes, LARGE = 64 << 20 };

static void send_all_sizes(struct endpoint *from, struct endpoint *at, kin_node_id to)
{
    uint32_t number = 0;
    uint64_t bytes = 0;
    for (size_t b = 0; b < SIZE_COUNT; b++) {
        for (size_t p = 0; p < SIZE_COUNT; p++) {
            kin_net_send(from->net, to, kit_frame(++number, sizes[b], sizes[p]));
            bytes += sizes[b] + sizes[p];
            kit_wait(number - atomic_load(&at->frames) < 8);
        }
    }
    kit_wait(atomic_load(&at->frames) == number);
    assert_int_equal(atomic_load(&at->bytes), bytes);
}

static void frames_of_all_sizes_arrive_both_ways(void **state)
{
    struct endpoint coordinator, worker;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    endpoint_open(&worker, 2, coordinator.address, kit_options());
    kit_wait(kin_net_is_up(coordinator.net, 2) && kin_net_is_up(worker.net, KIN_COORDINATOR));
    send_all_sizes(&worker, &coordinator, KIN_COORDINATOR);
    send_all_sizes(&coordinator, &worker, 2);
    unsigned before = atomic_load(&worker.frames);
    kin_net_send(coordinator.net, 2, kit_frame(9, 1 << 20, LARGE));
    kit_wait(atomic_load(&worker.frames) == before + 1);
    assert_int_equal(endpoint_stats(&coordinator).dropped, 0);
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

static void a_shared_payload_goes_to_many_nodes(void **state)
{
    struct endpoint coordinator, workers[3];
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    for (kin_node_id n = 1; n <= 3; n++)
        endpoint_open(&workers[n - 1], n, coordinator.address, kit_options());
    struct kin_frame *shared = kit_frame(5, 10, 300000);
    for (kin_node_id n = 1; n <= 3; n++) {
        kit_wait(kin_net_is_up(coordinator.net, n));
        struct kin_frame *f = kit_frame(5, 10, 0);
        kin_buf_deinit(&f->payload);
        kin_frame_share_payload(f, shared);
        kin_net_send(coordinator.net, n, f);
    }
    kin_frame_unref(shared);
    for (kin_node_id n = 1; n <= 3; n++) {
        kit_wait(atomic_load(&workers[n - 1].frames) == 1);
        assert_int_equal(atomic_load(&workers[n - 1].bytes), 300010);
        kin_net_send(workers[n - 1].net, KIN_COORDINATOR, kit_frame(100 + n, 10, 20));
    }
    for (kin_node_id n = 1; n <= 3; n++) {
        kit_wait(atomic_load(&coordinator.last[n]) == 100 + n);
        endpoint_close(&workers[n - 1]);
    }
    endpoint_close(&coordinator);
}

static void what_cannot_be_sent_is_dropped_and_counted(void **state)
{
    struct endpoint coordinator, worker;
    struct kin_net_options small = kit_options();
    small.payload_max = 1000;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), small);
    kin_net_send(coordinator.net, 1, kit_frame(1, 1, 1));  /* not connected */
    kin_net_send(coordinator.net, 77, kit_frame(1, 1, 1)); /* no such node */
    kin_net_send(coordinator.net, KIN_COORDINATOR, kit_frame(1, 1, 1));
    assert_int_equal(endpoint_stats(&coordinator).dropped, 3);
    endpoint_open(&worker, 1, coordinator.address, small);
    kit_wait(kin_net_is_up(worker.net, KIN_COORDINATOR));
    kin_net_send(worker.net, KIN_COORDINATOR, kit_frame(1, 1, 1001));
    kin_net_send(worker.net, KIN_COORDINATOR, kit_frame(1, KIN_NET_BODY_MAX + 1, 1));
    assert_int_equal(endpoint_stats(&worker).dropped, 2);
    kin_net_send(worker.net, KIN_COORDINATOR, kit_frame(2, 1, 1000));
    kit_wait(atomic_load(&coordinator.frames) == 1);
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

static void *close_patiently(void *net)
{
    return kin_net_close(net, WAIT_MS) ? net : NULL;
}

static void what_was_queued_before_the_end_is_sent(void **state)
{
    enum { FRAMES = 20, BYTES = 1 << 20 };
    struct endpoint coordinator;
    pthread_t closer;
    void *closed;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    int control = raw_worker(coordinator.address, 1, WIRE_CONTROL, 1);
    int bulk = raw_worker(coordinator.address, 1, WIRE_BULK, 1);
    kit_wait(kin_net_is_up(coordinator.net, 1));
    for (uint32_t i = 1; i <= FRAMES; i++)
        kin_net_send(coordinator.net, 1, kit_frame(i, 10, BYTES));
    assert_int_equal(pthread_create(&closer, NULL, close_patiently, coordinator.net), 0);
    uint8_t *all = kin_alloc(WIRE_HEAD_BYTES + 10 + BYTES);
    for (uint32_t i = 1; i <= FRAMES; i++) {
        for (int j = 0; j < 10; j++)
            kit_pause(); /* a slow reader: the socket does not hold all of it */
        assert_true(raw_read(bulk, all, WIRE_HEAD_BYTES + 10 + BYTES));
        assert_int_equal(kin_le32(all + 4), i);
    }
    pthread_join(closer, &closed);
    assert_non_null(closed);
    assert_true(raw_closed(bulk));
    kin_free(all);
    close(control);
    close(bulk);
}

/* ---- restarts ---- */

static void links_come_back_after_a_restart_of_either_side(void **state)
{
    struct endpoint coordinator, worker;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    char address[64];
    snprintf(address, sizeof address, "%s", coordinator.address);
    endpoint_open(&worker, 1, address, kit_options());
    for (uint32_t round = 1; round <= 8; round++) {
        kit_wait(kin_net_is_up(coordinator.net, 1) && kin_net_is_up(worker.net, KIN_COORDINATOR));
        kin_net_send(worker.net, KIN_COORDINATOR, kit_frame(round, 10, 100000));
        kit_wait(atomic_load(&coordinator.last[1]) == round);
        kin_net_send(coordinator.net, 1, kit_frame(round, 10, 100000));
        kit_wait(atomic_load(&worker.last[KIN_COORDINATOR]) == round);
        if (round % 2) {
            endpoint_close(&coordinator);
            kit_wait(!kin_net_is_up(worker.net, KIN_COORDINATOR));
            kin_net_send(worker.net, KIN_COORDINATOR, kit_frame(1, 1, 1));
            endpoint_open(&coordinator, KIN_COORDINATOR, address, kit_options());
        } else {
            endpoint_close(&worker);
            kit_wait(!kin_net_is_up(coordinator.net, 1));
            endpoint_open(&worker, 1, address, kit_options());
        }
    }
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

static void a_newer_process_of_a_node_replaces_the_older(void **state)
{
    struct endpoint coordinator;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    int old[2], new[2];
    for (uint32_t kind = 0; kind < WIRE_KINDS; kind++)
        old[kind] = raw_worker(coordinator.address, 1, kind, 1);
    kit_wait(kin_net_is_up(coordinator.net, 1));
    new[WIRE_BULK] = raw_worker(coordinator.address, 1, WIRE_BULK, 2);
    assert_true(raw_closed(old[0]) && raw_closed(old[1]));
    assert_false(kin_net_is_up(coordinator.net, 1)); /* one connection is not enough */
    new[WIRE_CONTROL] = raw_worker(coordinator.address, 1, WIRE_CONTROL, 2);
    kit_wait(kin_net_is_up(coordinator.net, 1));
    int again = raw_worker(coordinator.address, 1, WIRE_CONTROL, 2);
    assert_true(raw_closed(new[WIRE_CONTROL]));
    kit_wait(kin_net_is_up(coordinator.net, 1));
    assert_int_equal(endpoint_stats(&coordinator).replaced, 3);
    for (size_t i = 0; i < 2; i++) {
        close(old[i]);
        close(new[i]);
    }
    close(again);
    endpoint_close(&coordinator);
}

static void an_address_in_use_is_an_error(void **state)
{
    struct endpoint first, second;
    struct kin_err err = {0};
    endpoint_open(&first, KIN_COORDINATOR, kit_address(state), kit_options());
    assert_int_equal(endpoint_try(&second, first.address, kit_options(), &err), KIN_E_BUSY);
    endpoint_open(&second, 1, first.address, kit_options());
    kit_wait(kin_net_is_up(first.net, 1)); /* nobody took its address away */
    endpoint_close(&second);
    endpoint_close(&first);
}

/* ---- two live worlds: a frame counts up as it goes to and fro ---- */

enum { BOUNCES = 2000 };

struct bouncer {
    struct kin_env *env;
    struct kin_live *live;
    struct kin_net *net;
    kin_node_id self, other;
    struct kin_timer start;
    unsigned seen;
};

static void bounce(struct bouncer *b, uint32_t number)
{
    struct kin_frame *f = kin_frame_new(number);
    if (f)
        b->env->ops->send(b->env, b->other, f);
}

static void start_fire(struct kin_timer *t)
{
    struct bouncer *b = (struct bouncer *)(void *)((char *)t - offsetof(struct bouncer, start));
    if (b->seen == 0)
        bounce(b, 1); /* until the link is there */
    b->env->ops->timer_arm(b->env, t, 20 * 1000);
}

static void *bouncer_boot(struct kin_env *env, void *args)
{
    struct bouncer *b = args;
    b->env = env;
    b->start.fire = start_fire;
    if (b->self != KIN_COORDINATOR)
        env->ops->timer_arm(env, &b->start, 0);
    return b;
}

static void bouncer_on_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct bouncer *b = node;
    KIN_ASSERT(from == b->other);
    if (frame->type <= b->seen)
        return; /* the first was sent more than once */
    b->seen = frame->type;
    if (frame->type < BOUNCES)
        bounce(b, frame->type + 1);
    if (frame->type >= BOUNCES - 1)
        kin_live_stop(b->live);
}

static void bouncer_stop(void *node)
{
    struct bouncer *b = node;
    b->env->ops->timer_cancel(b->env, &b->start);
}

static const struct kin_node_ops bouncer_ops = {bouncer_boot, bouncer_on_frame, bouncer_stop};

static void bouncer_remote(void *arg, kin_node_id from, kin_node_id to, struct kin_frame *frame)
{
    struct bouncer *b = arg;
    KIN_ASSERT(from == b->self);
    kin_net_send(b->net, to, frame);
}

static void bouncer_arrived(void *arg, kin_node_id from, struct kin_frame *frame)
{
    struct bouncer *b = arg;
    kin_live_deliver(b->live, from, b->self, frame);
}

static void bouncer_open(struct bouncer *b, kin_node_id self, const char *address)
{
    struct kin_net_identity identity = kit_identity(self);
    struct kin_err err;
    struct kin_live_options live = {.threads = 1};
    *b = (struct bouncer){.self = self, .other = !self};
    assert_int_equal(kin_live_new(&live, &b->live, &err), KIN_OK);
    assert_int_equal(kin_live_add(b->live, self, NULL, &bouncer_ops, b, &err), KIN_OK);
    kin_live_set_remote(b->live, bouncer_remote, b);
    struct kin_net_options o = {.role =
                                    self == KIN_COORDINATOR ? KIN_NET_COORDINATOR : KIN_NET_WORKER,
                                .address = address,
                                .key = kit_key,
                                .nodes = self == KIN_COORDINATOR,
                                .admit = kit_admit,
                                .identity = &identity,
                                .on_frame = bouncer_arrived,
                                .arg = b};
    assert_int_equal(kin_net_open(&o, &b->net, &err), KIN_OK);
}

static void *bouncer_run(void *arg)
{
    struct bouncer *b = arg;
    kin_live_run(b->live);
    return NULL;
}

static void two_live_worlds_exchange_frames(void **state)
{
    struct bouncer a, b;
    pthread_t thread;
    char address[64];
    bouncer_open(&a, KIN_COORDINATOR, kit_address(state));
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", kin_net_port(a.net));
    bouncer_open(&b, 1, kit_path(kit_address(state)) ? kit_address(state) : address);
    kin_live_deliver(a.live, 1, 999, kit_frame(1, 0, 0));           /* to nobody */
    kin_live_deliver(a.live, 0, 0, kit_frame(1, 0, 0));             /* from ourselves */
    kin_live_deliver(a.live, 1, KIN_NODES_MAX, kit_frame(1, 0, 0)); /* out of range */
    assert_int_equal(pthread_create(&thread, NULL, bouncer_run, &a), 0);
    kin_live_run(b.live);
    assert_true(kin_net_close(b.net, WAIT_MS));
    pthread_join(thread, NULL);
    assert_true(kin_net_close(a.net, 0));
    assert_true(a.seen >= BOUNCES - 1 && b.seen >= BOUNCES - 1);
    kin_live_free(a.live);
    kin_live_free(b.live);
}

static int run(struct kit_transport transport)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(addresses_are_judged_by_their_text, &transport),
        cmocka_unit_test_prestate(frames_of_all_sizes_arrive_both_ways, &transport),
        cmocka_unit_test_prestate(a_shared_payload_goes_to_many_nodes, &transport),
        cmocka_unit_test_prestate(what_cannot_be_sent_is_dropped_and_counted, &transport),
        cmocka_unit_test_prestate(what_was_queued_before_the_end_is_sent, &transport),
        cmocka_unit_test_prestate(links_come_back_after_a_restart_of_either_side, &transport),
        cmocka_unit_test_prestate(a_newer_process_of_a_node_replaces_the_older, &transport),
        cmocka_unit_test_prestate(an_address_in_use_is_an_error, &transport),
        cmocka_unit_test_prestate(two_live_worlds_exchange_frames, &transport),
    };
    return cmocka_run_group_tests_name(transport.name, tests, NULL, NULL);
}

int main(void)
{
    return run(kit_tcp()) + run(kit_unix());
}
