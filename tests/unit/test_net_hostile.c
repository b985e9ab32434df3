/* Peers that are hostile, broken, slow or gone: each is closed, counted, and costs no memory beyond
 * a bound, while those that behave go on. Thousands of them: test_net_churn.c. */
#include "tests/unit/net_kit.h"

/* ---- frames that are wrong ---- */

static void put_frame(struct kin_buf *to, const struct kin_frame *f, uint64_t sequence)
{
    uint8_t head[WIRE_HEAD_BYTES];
    wire_put_head(f, sequence, WIRE_XXH3, head);
    kin_buf_put(to, head, sizeof head);
    kin_buf_put(to, f->body.p, f->body.n);
    kin_buf_put(to, f->payload.p, f->payload.n);
    assert_false(to->failed);
}

static void a_frame_with_any_wrong_byte_closes_the_connection(void **state)
{
    struct endpoint coordinator, worker;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    endpoint_open(&worker, 2, coordinator.address, kit_options());
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
        int fd = raw_worker(coordinator.address, 1, WIRE_CONTROL, at);
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

static void wrong_head(const char *address, uint32_t type, uint32_t body, uint32_t payload,
                       uint64_t seq)
{
    uint8_t head[WIRE_HEAD_BYTES];
    struct kin_frame empty = {.type = type};
    int fd = raw_worker(address, 1, WIRE_CONTROL, seq + 1);
    wire_put_head(&empty, seq, WIRE_XXH3, head);
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
    struct endpoint coordinator;
    struct kin_net_options o = kit_options();
    o.payload_max = 1 << 20;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), o);
    wrong_head(coordinator.address, 1, KIN_NET_BODY_MAX + 1, 0, 0);
    wrong_head(coordinator.address, 1, UINT32_MAX, 0, 0);
    wrong_head(coordinator.address, 1, 0, (1 << 20) + 1, 0);
    wrong_head(coordinator.address, 1, UINT32_MAX, UINT32_MAX, 0);
    wrong_head(coordinator.address, 1, 0, 0, 1); /* not the first */
    kit_wait(endpoint_stats(&coordinator).malformed == 5);
    endpoint_close(&coordinator);
}

/* A header may promise much; room is made only for what has come. */
static void a_promise_of_bytes_costs_little_memory(void **state)
{
    enum { PEERS = 6 };
    struct endpoint coordinator;
    uint8_t head[WIRE_HEAD_BYTES];
    int fds[PEERS];
    struct kin_frame empty = {.type = 1};
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    struct kin_buf most = {0};
    for (uint32_t i = 0; i < PEERS; i++) {
        fds[i] = raw_worker(coordinator.address, 1 + i / 2, i % 2, 1);
        wire_put_head(&empty, 0, WIRE_XXH3, head);
        kin_put_le32(head + 12, 64 << 20);
        assert_true(raw_write(fds[i], head, sizeof head));
    }
    size_t before = kit_memory(KIT_MEASURE_DATA);
    assert_non_null(kin_buf_extend(&most, 100 * 1000));
    memset(most.p, 1, most.n);
    for (uint32_t i = 0; i < PEERS; i++)
        assert_true(raw_write(fds[i], most.p, most.n));
    kit_wait(kin_net_is_up(coordinator.net, 3));
    uint64_t settled = kit_now_ms() + 300; /* for all of it to be taken in */
    while (atomic_load(&coordinator.frames) == 0 && kit_now_ms() < settled)
        kit_pause();
    size_t after = kit_memory(KIT_MEASURE_DATA);
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
    static const size_t pieces[] = {1, 7, 31, 33, 1000, 16384, 70000};
    struct endpoint coordinator;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    struct kin_buf all = {0};
    for (uint32_t i = 0; i < 9; i++) {
        struct kin_frame *f = kit_frame(i + 1, i * 11, i == 8 ? 40000 : i * 500);
        put_frame(&all, f, i);
        kin_frame_unref(f);
    }
    for (uint32_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        int fd = raw_worker(coordinator.address, 1, WIRE_CONTROL, p);
        int yes = 1;
        if (!kit_path(coordinator.address))
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

/* The dialler is told why, and goes on dialling. */
static void refuse(void **state, struct kin_net_options server, struct kin_net_options client,
                   kin_node_id node, kin_status why)
{
    struct endpoint coordinator, dialler;
    struct kin_err err = {0};
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), server);
    endpoint_open(&dialler, node, coordinator.address, client);
    kit_wait(atomic_load(&dialler.refusals) > 0);
    kit_wait(endpoint_stats(&dialler).refused >= 2);
    assert_false(kin_net_is_up(dialler.net, KIN_COORDINATOR));
    assert_int_equal(kin_net_last_refusal(dialler.net, &err), why);
    assert_int_equal(err.status, why);
    assert_true(*err.msg);
    assert_int_equal(kin_net_self(dialler.net), 0);
    kin_net_send(dialler.net, KIN_COORDINATOR, kit_frame(1, 1, 1));
    endpoint_close(&dialler);
    assert_int_equal(atomic_load(&coordinator.frames), 0);
    for (size_t i = 0; i < KIT_NUMBERS; i++)
        assert_int_equal(atomic_load(&coordinator.ups[i]), 0);
    endpoint_close(&coordinator);
}

static void who_is_not_wanted_is_told_why(void **state)
{
    static const uint8_t other_key[KIN_NET_KEY_BYTES] = {1, 2, 4};
    struct kin_net_options right = kit_options(), other = kit_options(), none = kit_options();
    struct kin_net_options no_clients = kit_options(), no_workers = kit_options();
    other.key = other_key;
    none.key = NULL;
    no_clients.clients_max = 0;
    no_workers.nodes = 0;
    refuse(state, right, other, 1, KIN_E_INVAL);
    refuse(state, right, none, 1, KIN_E_INVAL);
    refuse(state, none, right, 1, KIN_E_INVAL);
    refuse(state, right, other, KIT_CLIENT_FIRST, KIN_E_INVAL);
    refuse(state, right, right, KIT_NODES, KIN_E_LIMIT); /* not admitted */
    refuse(state, no_clients, right, KIT_CLIENT_FIRST, KIN_E_RANGE);
    refuse(state, no_workers, right, 1, KIN_E_RANGE);
}

static void expect_end(struct raw *r, uint32_t status)
{
    assert_int_equal(raw_end(r), status);
    assert_true(raw_closed(r->fd));
    close(r->fd);
}

static void a_proof_of_the_wrong_kind_is_refused(void **state)
{
    struct endpoint coordinator;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    for (int round = 0; round < 3; round++) {
        struct raw r = raw_of(1, WIRE_CONTROL, 1);
        raw_begin(&r, coordinator.address);
        if (round == 1) { /* a proof for another challenge */
            r.talk.challenge[20] ^= 1;
            raw_answer(&r);
        }
        if (round == 2) { /* what the coordinator itself would say */
            struct wire_answer answer;
            raw_answer(&r);
            assert_true(wire_get_answer(r.talk.answer, &answer));
            wire_prove_welcome(kit_key, &r.talk, 1, answer.proof);
            wire_put_answer(&answer, r.talk.answer);
        }
        if (round == 0) /* zeros */
            wire_put_answer(&(struct wire_answer){0}, r.talk.answer);
        expect_end(&r, KIN_E_INVAL);
    }
    kit_wait(endpoint_stats(&coordinator).refused == 3);
    endpoint_close(&coordinator);
}

/* The secret alone makes nobody a certain worker. */
static void a_wrong_signature_is_refused(void **state)
{
    struct endpoint coordinator;
    struct wire_answer answer;
    uint64_t refused = 0;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    for (size_t at = 0; at < WIRE_SIGNATURE_BYTES; at += 9, refused++) { /* any byte */
        struct raw r = raw_of(1, WIRE_CONTROL, 1);
        raw_begin(&r, coordinator.address);
        raw_answer(&r);
        assert_true(wire_get_answer(r.talk.answer, &answer));
        answer.signature[at] ^= 1;
        wire_put_answer(&answer, r.talk.answer);
        expect_end(&r, KIN_E_PROTO);
    }
    for (int round = 0; round < 3; round++, refused++) {
        struct raw r = raw_of(1, WIRE_CONTROL, 1);
        raw_begin(&r, coordinator.address);
        struct wire_talk real = r.talk;
        if (round == 0) /* by another key than the one that was said */
            r.who = 2;
        if (round == 1) /* of a hello that says something else */
            r.talk.hello[8] ^= 3;
        if (round == 2)
            r.talk.challenge[20] ^= 1;
        raw_answer(&r);
        assert_true(wire_get_answer(r.talk.answer, &answer));
        r.talk = real;
        wire_prove(kit_key, &r.talk, answer.proof);
        wire_put_answer(&answer, r.talk.answer);
        expect_end(&r, KIN_E_PROTO);
    }
    kit_wait(endpoint_stats(&coordinator).refused == refused);
    endpoint_close(&coordinator);
}

/* Small-order public keys would make anything a signature. */
static void a_key_that_anybody_can_sign_for_is_refused(void **state)
{
    struct endpoint coordinator;
    struct wire_hello hello;
    struct wire_answer answer = {0};
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    for (uint8_t point = 0; point < 2; point++) {
        struct raw r = raw_of(1, WIRE_CONTROL, 1);
        r.fd = raw_connect(coordinator.address);
        raw_hello(&r);
        assert_true(wire_get_hello(r.talk.hello, &hello));
        memset(hello.public_key, 0, sizeof hello.public_key);
        hello.public_key[0] = answer.signature[0] = point;
        wire_put_hello(&hello, r.talk.hello);
        assert_true(raw_write(r.fd, r.talk.hello, WIRE_SHAKE_BYTES));
        assert_true(raw_read(r.fd, r.talk.challenge, WIRE_SHAKE_BYTES));
        wire_prove(kit_key, &r.talk, answer.proof);
        wire_put_answer(&answer, r.talk.answer);
        expect_end(&r, KIN_E_PROTO);
    }
    endpoint_close(&coordinator);
}

/* Neither the proof nor, where the secret is known or there is none, the signature fits another
 * challenge. */
static void what_was_overheard_cannot_be_said_again(void **state)
{
    static const uint8_t none[KIN_NET_KEY_BYTES];
    for (int secret = 0; secret < 2; secret++) {
        struct wire_answer answer;
        struct endpoint coordinator;
        struct kin_net_options o = kit_options();
        o.key = secret ? kit_key : NULL;
        endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), o);
        struct raw first = raw_of(1, WIRE_CONTROL, 1);
        first.key = o.key;
        raw_dial(&first, coordinator.address);
        struct raw again = first; /* says the same, with the same nonce */
        raw_begin(&again, coordinator.address);
        expect_end(&again, KIN_E_INVAL);
        raw_begin(&again, coordinator.address);
        assert_true(wire_get_answer(first.talk.answer, &answer));
        wire_prove(secret ? kit_key : none, &again.talk, answer.proof);
        wire_put_answer(&answer, again.talk.answer);
        expect_end(&again, KIN_E_PROTO);
        kit_wait(endpoint_stats(&coordinator).connections == 1);
        assert_int_equal(endpoint_stats(&coordinator).replaced, 0);
        close(first.fd);
        endpoint_close(&coordinator);
    }
}

/* Two connections make a node only if one process made them. */
static void connections_of_different_keys_do_not_make_a_node(void **state)
{
    struct endpoint coordinator;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    struct raw control = raw_of(1, WIRE_CONTROL, 5), bulk = raw_of(2, WIRE_BULK, 5);
    struct raw client = raw_of(KIT_CLIENT_FIRST, WIRE_CONTROL, 5);
    struct raw other = raw_of(KIT_CLIENT_FIRST + 1, WIRE_BULK, 5);
    raw_dial(&control, coordinator.address);
    raw_dial(&bulk, coordinator.address);
    raw_dial(&client, coordinator.address);
    raw_dial(&other, coordinator.address);
    assert_int_equal(control.welcome.node, 1);
    assert_int_equal(bulk.welcome.node, 2);
    assert_int_equal(client.welcome.node, KIT_CLIENT_FIRST);
    assert_int_equal(other.welcome.node, KIT_CLIENT_FIRST + 1);
    for (kin_node_id n = 0; n < KIT_NUMBERS; n++)
        assert_false(kin_net_is_up(coordinator.net, n));
    struct raw rest = raw_of(KIT_CLIENT_FIRST, WIRE_BULK, 5);
    raw_dial(&rest, coordinator.address); /* and these two are a client */
    assert_int_equal(rest.welcome.node, KIT_CLIENT_FIRST);
    kit_wait(kin_net_is_up(coordinator.net, KIT_CLIENT_FIRST));
    int fds[] = {control.fd, bulk.fd, client.fd, other.fd, rest.fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        close(fds[i]);
    endpoint_close(&coordinator);
}

/* A worker's number needs admission, whatever else the key is known for. */
static void a_client_cannot_become_a_worker(void **state)
{
    struct endpoint coordinator;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    struct raw client = raw_of(KIT_CLIENT_FIRST, WIRE_CONTROL, 5), worker = client, both = client;
    raw_dial(&client, coordinator.address);
    worker.role = KIN_NET_WORKER;
    worker.kind = WIRE_BULK;
    raw_begin(&worker, coordinator.address);
    raw_answer(&worker);
    expect_end(&worker, KIN_E_LIMIT);
    for (uint32_t role = 0; role < 6; role++) { /* the coordinator's own, and none */
        if (role >= KIN_NET_WORKER && role <= KIN_NET_GATEWAY)
            continue;
        both.role = role;
        raw_begin(&both, coordinator.address);
        assert_int_equal(both.challenge.status, KIN_E_RANGE);
        assert_true(raw_closed(both.fd));
        close(both.fd);
    }
    both.role = KIN_NET_CLIENT;
    both.kind = WIRE_KINDS;
    raw_begin(&both, coordinator.address);
    assert_int_equal(both.challenge.status, KIN_E_RANGE);
    assert_true(raw_closed(both.fd));
    close(both.fd);
    assert_int_equal(endpoint_stats(&coordinator).replaced, 0);
    close(client.fd);
    endpoint_close(&coordinator);
}

static void an_unknown_version_is_refused(void **state)
{
    struct endpoint coordinator;
    uint8_t message[WIRE_SHAKE_BYTES];
    struct wire_challenge challenge;
    struct wire_hello hello = {
        .version_min = WIRE_VERSION_MAX + 1, .version_max = WIRE_VERSION_MAX + 9, .role = 1};
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    int fd = raw_connect(coordinator.address);
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
    struct endpoint coordinator, worker;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_quick_options());
    endpoint_open(&worker, 2, coordinator.address, kit_quick_options());
    kit_wait(kin_net_is_up(coordinator.net, 2) && kin_net_is_up(worker.net, KIN_COORDINATOR));
    int fd = raw_worker(coordinator.address, 1, WIRE_CONTROL, 1);
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
    struct endpoint coordinator;
    struct kin_net_options o = kit_quick_options();
    uint8_t ping[WIRE_HEAD_BYTES];
    struct kin_frame empty = {.type = WIRE_PING};
    uint64_t sequence = 0;
    o.queue_bytes = 8 << 20;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), o);
    int control = raw_worker(coordinator.address, 1, WIRE_CONTROL, 1);
    int bulk = raw_worker(coordinator.address, 1, WIRE_BULK, 1);
    kit_wait(kin_net_is_up(coordinator.net, 1));
    for (uint32_t i = 1; i <= 64; i++)
        kin_net_send(coordinator.net, 1, kit_frame(i, 1, 1 << 20));
    assert_true(endpoint_stats(&coordinator).dropped >= 32);
    for (uint64_t end = kit_now_ms() + WAIT_MS; endpoint_stats(&coordinator).idle == 0;) {
        assert_true(kit_now_ms() < end); /* it is alive, but takes nothing */
        wire_put_head(&empty, sequence++, WIRE_XXH3, ping);
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
    enum { SILENT = KIT_CONNECTIONS + 20 };
    struct endpoint coordinator, worker;
    struct kin_net_options o = kit_quick_options();
    int fds[SILENT];
    o.handshake_ms = 2 * WAIT_MS; /* it is not time that makes room */
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), o);
    for (size_t i = 0; i < SILENT; i++)
        fds[i] = raw_connect(coordinator.address);
    endpoint_open(&worker, 1, coordinator.address, kit_quick_options());
    kit_wait(kin_net_is_up(worker.net, KIN_COORDINATOR));
    assert_true(endpoint_stats(&coordinator).expired >= SILENT - KIT_PENDING);
    for (size_t i = 0; i < SILENT; i++)
        close(fds[i]);
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

static int run(struct kit_transport transport)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_frame_with_any_wrong_byte_closes_the_connection, &transport),
        cmocka_unit_test_prestate(lengths_beyond_the_limits_close_the_connection_at_once,
                                  &transport),
        cmocka_unit_test_prestate(a_promise_of_bytes_costs_little_memory, &transport),
        cmocka_unit_test_prestate(frames_may_come_in_any_pieces, &transport),
        cmocka_unit_test_prestate(who_is_not_wanted_is_told_why, &transport),
        cmocka_unit_test_prestate(a_proof_of_the_wrong_kind_is_refused, &transport),
        cmocka_unit_test_prestate(a_wrong_signature_is_refused, &transport),
        cmocka_unit_test_prestate(a_key_that_anybody_can_sign_for_is_refused, &transport),
        cmocka_unit_test_prestate(what_was_overheard_cannot_be_said_again, &transport),
        cmocka_unit_test_prestate(connections_of_different_keys_do_not_make_a_node, &transport),
        cmocka_unit_test_prestate(a_client_cannot_become_a_worker, &transport),
        cmocka_unit_test_prestate(an_unknown_version_is_refused, &transport),
        cmocka_unit_test_prestate(silence_is_closed_and_pings_are_not_silence, &transport),
        cmocka_unit_test_prestate(a_peer_that_does_not_read_costs_a_bounded_queue, &transport),
        cmocka_unit_test_prestate(silent_clients_do_not_keep_a_worker_out, &transport),
    };
    return cmocka_run_group_tests_name(transport.name, tests, NULL, NULL);
}

int main(void)
{
    return run(kit_tcp()) + run(kit_unix());
}
