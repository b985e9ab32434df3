/* Peers that are hostile, broken, slow or gone: each is closed, counted, and costs neither memory
 * nor descriptors beyond a bound, while those that behave go on. */
#include "tests/unit/net_kit.h"

enum { PENDING = 16, CONNECTIONS_BOUND = PENDING + 2 * (KIT_NODES - 1) + 128 };

static struct kin_net_options quick_options(void)
{
    struct kin_net_options o = kit_options();
    o.pending_max = PENDING;
    o.handshake_ms = 500;
    o.ping_ms = 100;
    o.idle_ms = 1000;
    return o;
}

/* ---- frames that are wrong ---- */

static void put_frame(struct kin_buf *to, const struct kin_frame *f, uint64_t sequence)
{
    uint8_t head[WIRE_HEAD_BYTES];
    wire_put_head(f, sequence, head);
    kin_buf_put(to, head, sizeof head);
    kin_buf_put(to, f->body.p, f->body.n);
    kin_buf_put(to, f->payload.p, f->payload.n);
    assert_false(to->failed);
}

static void a_frame_with_any_wrong_byte_closes_the_connection(void **state)
{
    (void)state;
    struct endpoint coordinator, worker;
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, kit_options());
    endpoint_open(&worker, 2, coordinator.port, kit_options());
    struct kin_frame *f = kit_frame(3, 20, 100);
    struct kin_buf good = {0};
    put_frame(&good, f, 0);
    kin_frame_unref(f);
    /* lengths are flipped upwards: a longer frame is noticed when its bytes have come */
    static const uint8_t filler[256 * 256];
    uint64_t wrong = 0;
    for (size_t at = 0; at < good.n; at += at < WIRE_HEAD_BYTES ? 1 : 13) {
        if (at == 10 || at == 14)
            continue; /* longer by 64 KiB and more: the next test's */
        int fd = raw_worker(coordinator.port, 1, WIRE_CONTROL, at);
        uint8_t flip = at < WIRE_HEAD_BYTES && at >= 8 && at < 16 ? 0x80 : 0x01;
        good.p[at] ^= flip;
        assert_true(raw_write(fd, good.p, good.n));
        good.p[at] ^= flip;
        if (at == 8 || at == 9 || at == 12 || at == 13)
            (void)raw_write(fd, filler, sizeof filler);
        if (!raw_closed(fd))
            fail_msg("byte %zu goes unseen", at);
        close(fd);
        wrong++;
    }
    kin_buf_deinit(&good);
    kit_wait(endpoint_stats(&coordinator).malformed == wrong);
    assert_int_equal(atomic_load(&coordinator.frames), 0);
    kit_wait(kin_net_is_up(worker.net, KIN_COORDINATOR));
    kin_net_send(worker.net, KIN_COORDINATOR, kit_frame(1, 5, 5));
    kit_wait(atomic_load(&coordinator.frames) == 1);
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

static void wrong_head(unsigned port, uint32_t type, uint32_t body, uint32_t payload, uint64_t seq)
{
    uint8_t head[WIRE_HEAD_BYTES];
    struct kin_frame empty = {.type = type};
    int fd = raw_worker(port, 1, WIRE_CONTROL, seq + 1);
    wire_put_head(&empty, seq, head);
    kin_put_le32(head + 8, body);
    kin_put_le32(head + 12, payload);
    assert_true(raw_write(fd, head, sizeof head));
    if (!raw_closed(fd))
        fail_msg("type %u body %u payload %u sequence %llu goes unseen", type, body, payload,
                 (unsigned long long)seq);
    close(fd);
}

static void lengths_beyond_the_limits_close_the_connection_at_once(void **state)
{
    (void)state;
    struct endpoint coordinator;
    struct kin_net_options o = kit_options();
    o.payload_max = 1 << 20;
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, o);
    wrong_head(coordinator.port, 1, KIN_NET_BODY_MAX + 1, 0, 0);
    wrong_head(coordinator.port, 1, UINT32_MAX, 0, 0);
    wrong_head(coordinator.port, 1, 0, (1 << 20) + 1, 0);
    wrong_head(coordinator.port, 1, UINT32_MAX, UINT32_MAX, 0);
    wrong_head(coordinator.port, 1, 0, 0, 1); /* not the first */
    kit_wait(endpoint_stats(&coordinator).malformed == 5);
    endpoint_close(&coordinator);
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
/* the sanitizers map memory of their own ahead of need, and keep what was freed for a while */
enum { MEASURE_DATA = false, GROWTH_MIB = 512 };
#else
enum { MEASURE_DATA = true, GROWTH_MIB = 16 };
#endif

/* A header may promise much; room is made only for what has come. */
static void a_promise_of_bytes_costs_little_memory(void **state)
{
    (void)state;
    enum { PEERS = 6 };
    struct endpoint coordinator;
    uint8_t head[WIRE_HEAD_BYTES];
    int fds[PEERS];
    struct kin_frame empty = {.type = 1};
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, kit_options());
    struct kin_buf most = {0};
    for (uint32_t i = 0; i < PEERS; i++) {
        fds[i] = raw_worker(coordinator.port, 1 + i / 2, i % 2, 1);
        wire_put_head(&empty, 0, head);
        kin_put_le32(head + 12, 64 << 20);
        assert_true(raw_write(fds[i], head, sizeof head));
    }
    size_t before = kit_memory(MEASURE_DATA);
    assert_non_null(kin_buf_extend(&most, 100 * 1000));
    memset(most.p, 1, most.n);
    for (uint32_t i = 0; i < PEERS; i++)
        assert_true(raw_write(fds[i], most.p, most.n));
    kit_wait(kin_net_is_up(coordinator.net, 3));
    uint64_t settled = kit_now_ms() + 300; /* for all of it to be taken in */
    while (atomic_load(&coordinator.frames) == 0 && kit_now_ms() < settled)
        kit_pause();
    size_t after = kit_memory(MEASURE_DATA);
    if (after > before + (64 << 20))
        fail_msg("%zu MiB more", (after - before) >> 20);
    for (size_t i = 0; i < PEERS; i++)
        close(fds[i]);
    kin_buf_deinit(&most);
    kit_wait(endpoint_stats(&coordinator).connections == 0);
    endpoint_close(&coordinator);
}

static void frames_may_come_in_any_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 31, 33, 1000, 16384, 70000};
    struct endpoint coordinator;
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, kit_options());
    struct kin_buf all = {0};
    for (uint32_t i = 0; i < 9; i++) {
        struct kin_frame *f = kit_frame(i + 1, i * 11, i == 8 ? 40000 : i * 500);
        put_frame(&all, f, i);
        kin_frame_unref(f);
    }
    for (uint32_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        int fd = raw_worker(coordinator.port, 1, WIRE_CONTROL, p);
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &yes, sizeof yes);
        for (size_t at = 0; at < all.n; at += pieces[p])
            assert_true(raw_write(fd, all.p + at, all.n - at < pieces[p] ? all.n - at : pieces[p]));
        kit_wait(atomic_load(&coordinator.frames) == 9 * (p + 1));
        close(fd);
    }
    kin_buf_deinit(&all);
    endpoint_close(&coordinator);
}

/* ---- those who are not welcome ---- */

static void refuse(struct kin_net_options server, struct kin_net_options client, kin_node_id node)
{
    struct endpoint coordinator, worker;
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, server);
    endpoint_open(&worker, node, coordinator.port, client);
    kit_wait(atomic_load(&worker.refusals) > 0);
    kit_wait(endpoint_stats(&worker).refused >= 2);
    assert_false(kin_net_is_up(worker.net, KIN_COORDINATOR));
    kin_net_send(worker.net, KIN_COORDINATOR, kit_frame(1, 1, 1));
    endpoint_close(&worker);
    assert_int_equal(atomic_load(&coordinator.frames), 0);
    endpoint_close(&coordinator);
}

static void another_secret_or_node_is_refused(void **state)
{
    (void)state;
    static const uint8_t other_key[KIN_NET_KEY_BYTES] = {1, 2, 4};
    struct kin_net_options right = kit_options(), other = kit_options(), none = kit_options();
    other.key = other_key;
    none.key = NULL;
    refuse(right, other, 1);
    refuse(right, none, 1);
    refuse(none, right, 1);
    refuse(right, right, KIT_NODES);
}

static void a_proof_of_the_wrong_kind_is_refused(void **state)
{
    (void)state;
    struct endpoint coordinator;
    uint8_t hello[WIRE_SHAKE_BYTES], challenge[WIRE_SHAKE_BYTES], message[WIRE_SHAKE_BYTES];
    uint8_t proof[WIRE_PROOF_BYTES] = {0};
    const uint8_t *theirs;
    uint32_t status;
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, kit_options());
    for (int round = 0; round < 3; round++) {
        int fd = raw_connect(coordinator.port);
        raw_hello(hello, 1, WIRE_CONTROL, 1);
        assert_true(raw_write(fd, hello, sizeof hello));
        assert_true(raw_read(fd, challenge, sizeof challenge));
        if (round == 1) /* what the coordinator itself would say */
            wire_prove(WIRE_COORDINATOR, kit_key, hello, challenge, proof);
        if (round == 2) { /* a proof for another challenge */
            challenge[20] ^= 1;
            wire_prove(WIRE_WORKER, kit_key, hello, challenge, proof);
        }
        wire_put_proof(WIRE_WORKER, KIN_OK, proof, message);
        assert_true(raw_write(fd, message, sizeof message));
        assert_true(raw_read(fd, message, sizeof message));
        assert_true(wire_get_proof(WIRE_COORDINATOR, message, &status, &theirs));
        assert_int_not_equal(status, KIN_OK);
        for (size_t i = 0; i < WIRE_PROOF_BYTES; i++)
            assert_int_equal(theirs[i], 0); /* and it gives nothing away */
        assert_true(raw_closed(fd));
        close(fd);
    }
    kit_wait(endpoint_stats(&coordinator).refused == 3);
    endpoint_close(&coordinator);
}

static void an_unknown_version_is_refused(void **state)
{
    (void)state;
    struct endpoint coordinator;
    uint8_t message[WIRE_SHAKE_BYTES];
    struct wire_challenge challenge;
    struct wire_hello hello = {
        .version_min = WIRE_VERSION_MAX + 1, .version_max = WIRE_VERSION_MAX + 9, .node = 1};
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, kit_options());
    int fd = raw_connect(coordinator.port);
    wire_put_hello(&hello, message);
    assert_true(raw_write(fd, message, sizeof message));
    assert_true(raw_read(fd, message, sizeof message));
    assert_true(wire_get_challenge(message, &challenge));
    assert_int_equal(challenge.status, KIN_E_VERSION);
    assert_true(raw_closed(fd));
    close(fd);
    endpoint_close(&coordinator);
}

/* ---- those who do nothing ---- */

static void silence_is_closed_and_pings_are_not_silence(void **state)
{
    (void)state;
    struct endpoint coordinator, worker;
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, quick_options());
    endpoint_open(&worker, 2, coordinator.port, quick_options());
    kit_wait(kin_net_is_up(coordinator.net, 2) && kin_net_is_up(worker.net, KIN_COORDINATOR));
    int fd = raw_worker(coordinator.port, 1, WIRE_CONTROL, 1);
    uint64_t began = kit_now_ms();
    assert_true(raw_closed(fd));
    assert_true(kit_now_ms() - began >= 900);
    close(fd);
    assert_int_equal(endpoint_stats(&coordinator).idle, 1);
    assert_int_equal(endpoint_stats(&worker).dialled, 2); /* never lost */
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

static void a_peer_that_does_not_read_costs_a_bounded_queue(void **state)
{
    (void)state;
    struct endpoint coordinator;
    struct kin_net_options o = quick_options();
    uint8_t ping[WIRE_HEAD_BYTES];
    struct kin_frame empty = {.type = WIRE_PING};
    uint64_t sequence = 0;
    o.queue_bytes = 8 << 20;
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, o);
    int control = raw_worker(coordinator.port, 1, WIRE_CONTROL, 1);
    int bulk = raw_worker(coordinator.port, 1, WIRE_BULK, 1);
    kit_wait(kin_net_is_up(coordinator.net, 1));
    for (uint32_t i = 1; i <= 64; i++)
        kin_net_send(coordinator.net, 1, kit_frame(i, 1, 1 << 20));
    assert_true(endpoint_stats(&coordinator).dropped >= 32);
    for (uint64_t end = kit_now_ms() + WAIT_MS; endpoint_stats(&coordinator).idle == 0;) {
        assert_true(kit_now_ms() < end); /* it is alive, but takes nothing */
        wire_put_head(&empty, sequence++, ping);
        (void)raw_write(control, ping, sizeof ping);
        (void)raw_write(bulk, ping, sizeof ping);
        for (int i = 0; i < 50; i++)
            kit_pause();
    }
    assert_false(kin_net_is_up(coordinator.net, 1));
    close(control);
    close(bulk);
    endpoint_close(&coordinator);
}

static void silent_clients_do_not_keep_a_worker_out(void **state)
{
    (void)state;
    enum { SILENT = CONNECTIONS_BOUND + 20 };
    struct endpoint coordinator, worker;
    struct kin_net_options o = quick_options();
    int fds[SILENT];
    o.handshake_ms = 2 * WAIT_MS; /* it is not time that makes room */
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, o);
    for (size_t i = 0; i < SILENT; i++)
        fds[i] = raw_connect(coordinator.port);
    endpoint_open(&worker, 1, coordinator.port, quick_options());
    kit_wait(kin_net_is_up(worker.net, KIN_COORDINATOR));
    assert_true(endpoint_stats(&coordinator).expired >= SILENT - PENDING);
    for (size_t i = 0; i < SILENT; i++)
        close(fds[i]);
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

/* ---- thousands of them ---- */

enum { CLIENTS = 2000, HELD = 200 };

static void abrupt_client(unsigned port, unsigned i, int held[HELD])
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: kindred\r\nUser-Agent: of some length, so "
                               "that it is enough for a message\r\n\r\n";
    uint8_t hello[WIRE_SHAKE_BYTES];
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd = raw_connect(port), *slot = &held[i % HELD];
    raw_hello(hello, 1 + i % 3, i % 2, i);
    switch (i % 6) {
    case 0: /* nothing, then a reset */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        break;
    case 1: /* half a message, then a reset */
        (void)raw_write(fd, hello, 1 + i % (WIRE_SHAKE_BYTES - 1));
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        break;
    case 2: /* another protocol */
        (void)raw_write(fd, http, sizeof http - 1);
        break;
    case 3: /* a handshake that stops half-way, and stays */
        (void)raw_write(fd, hello, sizeof hello);
        break;
    case 4: /* slow: one byte, and stays */
        (void)raw_write(fd, hello, 1);
        break;
    default: /* no word, half closed, and stays */
        shutdown(fd, SHUT_WR);
        break;
    }
    if (*slot >= 0)
        close(*slot);
    *slot = i % 6 >= 3 ? fd : -1;
    if (i % 6 < 3)
        close(fd);
}

static void thousands_of_abrupt_clients_leave_no_trace(void **state)
{
    (void)state;
    struct endpoint coordinator, worker;
    int held[HELD];
    uint32_t sent = 0;
    unsigned most = 0;
    endpoint_open(&coordinator, KIN_COORDINATOR, 0, quick_options());
    endpoint_open(&worker, 2, coordinator.port, quick_options());
    kit_wait(kin_net_is_up(worker.net, KIN_COORDINATOR) && kin_net_is_up(coordinator.net, 2));
    for (size_t i = 0; i < HELD; i++)
        held[i] = -1;
    unsigned descriptors = kit_descriptors();
    size_t resident = kit_memory(false);
    for (unsigned i = 0; i < CLIENTS; i++) {
        abrupt_client(coordinator.port, i, held);
        if (i % 10 == 0) {
            kin_net_send(worker.net, KIN_COORDINATOR, kit_frame(++sent, 100, (i % 3) * 50000));
            kit_wait(atomic_load(&coordinator.frames) == sent);
        }
        if (i % 100 == 0 && kit_descriptors() > most)
            most = kit_descriptors();
    }
    size_t grown = kit_memory(false) > resident ? kit_memory(false) - resident : 0;
    for (size_t i = 0; i < HELD; i++) {
        if (held[i] >= 0)
            close(held[i]);
    }
    kit_wait(endpoint_stats(&coordinator).connections == 2);
    kit_wait(kit_descriptors() <= descriptors);
    struct kin_net_stats stats = endpoint_stats(&coordinator);
    if (getenv("KIN_TEST_LOG"))
        fprintf(stderr, "descriptors %u, at most %u; connections at most %u; %zu KiB more\n",
                descriptors, most, stats.connections_max, grown >> 10);
    assert_int_equal(stats.accepted, CLIENTS + 2);
    assert_true(stats.connections_max <= CONNECTIONS_BOUND);
    assert_true(most <= descriptors + HELD + 2 * CONNECTIONS_BOUND);
    assert_true(grown >> 20 < GROWTH_MIB);
    assert_int_equal(atomic_load(&coordinator.frames), sent);
    assert_int_equal(endpoint_stats(&worker).dialled, 2); /* it noticed nothing */
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_with_any_wrong_byte_closes_the_connection),
        cmocka_unit_test(lengths_beyond_the_limits_close_the_connection_at_once),
        cmocka_unit_test(a_promise_of_bytes_costs_little_memory),
        cmocka_unit_test(frames_may_come_in_any_pieces),
        cmocka_unit_test(another_secret_or_node_is_refused),
        cmocka_unit_test(a_proof_of_the_wrong_kind_is_refused),
        cmocka_unit_test(an_unknown_version_is_refused),
        cmocka_unit_test(silence_is_closed_and_pings_are_not_silence),
        cmocka_unit_test(a_peer_that_does_not_read_costs_a_bounded_queue),
        cmocka_unit_test(silent_clients_do_not_keep_a_worker_out),
        cmocka_unit_test(thousands_of_abrupt_clients_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
