/* Gateways: those who dial with one connection, without a key of their own, with nothing but what
 * a standard library has. */
#include "tests/unit/net_kit.h"

static struct raw raw_gateway(uint64_t session)
{
    struct raw r = raw_of(KIT_CLIENT_FIRST, WIRE_CONTROL, session);
    r.role = KIN_NET_GATEWAY;
    return r;
}

/* ---- the bytes: those of docs/cluster.md, made by Python's hmac, hashlib and zlib ---- */

static void expect_hex(const uint8_t *p, size_t n, const char *hex)
{
    char text[2 * 128 + 1];
    assert_true(n <= 128);
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", p[i]);
    assert_string_equal(text, hex);
}

static void the_bytes_are_as_documented(void **state)
{
    (void)state;
    static const char secret[] = "sixteen bytes or more";
    uint8_t key[KIN_NET_KEY_BYTES], proof[WIRE_PROOF_BYTES], head[WIRE_HEAD_BYTES];
    struct wire_talk talk = {0};
    struct wire_hello hello = {.version_min = 1, .version_max = 1, .role = 3};
    struct wire_challenge challenge = {.version = 1, .secret = true};
    struct wire_answer answer = {0};
    kin_net_key(secret, sizeof secret - 1, key);
    expect_hex(key + 32, 32, "984d2d04e8f18e8e4650cfa4f8462f5a44c8070dfc9b4945a500130ac26a2a7c");
    memset(hello.nonce, 0xaa, sizeof hello.nonce);
    memset(challenge.nonce, 0xcc, sizeof challenge.nonce);
    wire_put_hello(&hello, talk.hello);
    wire_put_challenge(&challenge, talk.challenge);
    wire_prove(key, &talk, answer.proof);
    expect_hex(answer.proof, sizeof answer.proof,
               "c43ef6d1f3515fca5fc06337bf6bd238052ab4c0b2eaea70346449cfeeb208cb");
    wire_put_answer(&answer, talk.answer);
    wire_prove_welcome(key, &talk, 65, proof);
    expect_hex(proof, sizeof proof,
               "c095396b1b748739b470b4f67519eefef2d64f3f6f27fa90a6ac4bbfd6e2580a");

    struct kin_frame f = {.type = 45};
    kin_buf_puts(&f.body, "a body");
    kin_buf_puts(&f.payload, "and a payload");
    wire_put_head(&f, 7, WIRE_CRC32, head);
    expect_hex(head, sizeof head,
               "4b494e662d000000060000000d0000000700000000000000f96adde700000000");
    assert_true(wire_check(head, WIRE_CRC32, &f));
    assert_false(wire_check(head, WIRE_XXH3, &f));
    kin_buf_deinit(&f.body);
    kin_buf_deinit(&f.payload);
}

/* ---- frames ---- */

static bool send_frame(int fd, const struct kin_frame *f, uint64_t sequence)
{
    uint8_t head[WIRE_HEAD_BYTES];
    wire_put_head(f, sequence, WIRE_CRC32, head);
    return raw_write(fd, head, sizeof head) && raw_write(fd, f->body.p, f->body.n) &&
           raw_write(fd, f->payload.p, f->payload.n);
}

static void send_numbered(int fd, uint32_t number, size_t body, size_t payload, uint64_t sequence)
{
    struct kin_frame *f = kit_frame(number, body, payload);
    assert_true(send_frame(fd, f, sequence));
    kin_frame_unref(f);
}

/* The next one that is no ping. */
static struct kin_frame *receive_frame(int fd, uint64_t *sequence)
{
    for (;;) {
        uint8_t bytes[WIRE_HEAD_BYTES];
        struct wire_head head;
        assert_true(raw_read(fd, bytes, sizeof bytes));
        assert_true(wire_get_head(bytes, &head));
        assert_int_equal(head.sequence, (*sequence)++);
        struct kin_frame *f = kin_frame_new(head.type);
        assert_non_null(f);
        assert_true(raw_read(fd, kin_buf_extend(&f->body, head.body_bytes), head.body_bytes));
        assert_true(
            raw_read(fd, kin_buf_extend(&f->payload, head.payload_bytes), head.payload_bytes));
        assert_true(wire_check(bytes, WIRE_CRC32, f));
        if (head.type != WIRE_PING)
            return f;
        kin_frame_unref(f);
    }
}

static void one_connection_carries_frames_of_all_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 33, 4095, 65536, 65537, 1 << 20, 8 << 20};
    struct endpoint coordinator;
    uint64_t sequence = 0;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    struct raw r = raw_gateway(0);
    raw_dial(&r, coordinator.address);
    kin_node_id node = r.welcome.node;
    assert_int_equal(node, KIT_CLIENT_FIRST);
    kit_wait(kin_net_is_up(coordinator.net, node) && atomic_load(&coordinator.ups[node]) == 1);
    for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        send_numbered(r.fd, i + 1, i, sizes[i], i);
        kit_wait(atomic_load(&coordinator.frames) == i + 1);
        assert_int_equal(atomic_load(&coordinator.last[node]), i + 1);
        kin_net_send(coordinator.net, node, kit_frame(100 + i, sizes[i] >> 3, sizes[i]));
        struct kin_frame *f = receive_frame(r.fd, &sequence);
        assert_int_equal(f->type, 100 + i);
        assert_int_equal(f->payload.n, sizes[i]);
        assert_true(kit_frame_right(f));
        kin_frame_unref(f);
    }
    assert_int_equal(endpoint_stats(&coordinator).dropped, 0);
    close(r.fd);
    kit_wait(atomic_load(&coordinator.downs[node]) == 1);
    endpoint_close(&coordinator);
}

static void who_answers_pings_stays_and_who_is_silent_goes(void **state)
{
    struct endpoint coordinator;
    uint8_t head[WIRE_HEAD_BYTES];
    struct kin_frame ping = {.type = WIRE_PING};
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_quick_options());
    struct raw talks = raw_gateway(1), silent = raw_gateway(2);
    raw_dial(&talks, coordinator.address);
    raw_dial(&silent, coordinator.address);
    for (uint64_t i = 0; i < 25; i++) { /* one comes each 100 ms; 1000 of silence are too many */
        assert_true(raw_read(talks.fd, head, sizeof head));
        assert_true(send_frame(talks.fd, &ping, i));
    }
    assert_true(raw_closed(silent.fd));
    assert_int_equal(endpoint_stats(&coordinator).idle, 1);
    assert_true(kin_net_is_up(coordinator.net, talks.welcome.node));
    close(talks.fd);
    close(silent.fd);
    endpoint_close(&coordinator);
}

static void a_frame_with_any_wrong_byte_closes_the_connection(void **state)
{
    static const uint8_t filler[256 * 256];
    struct endpoint coordinator;
    struct kin_buf good = {0};
    uint64_t wrong = 0;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    struct kin_frame *f = kit_frame(3, 20, 100);
    uint8_t *head = kin_buf_extend(&good, WIRE_HEAD_BYTES);
    assert_non_null(head);
    wire_put_head(f, 0, WIRE_CRC32, head);
    kin_buf_put(&good, f->body.p, f->body.n);
    kin_buf_put(&good, f->payload.p, f->payload.n);
    kin_frame_unref(f);
    for (size_t at = 0; at < good.n; at += at < WIRE_HEAD_BYTES ? 1 : 13) {
        if (at == 10 || at == 14)
            continue; /* longer by 64 KiB and more */
        struct raw r = raw_gateway(at);
        raw_dial(&r, coordinator.address);
        good.p[at] ^= at >= 8 && at < 16 ? 0x80 : 0x01;
        assert_true(raw_write(r.fd, good.p, good.n));
        good.p[at] ^= at >= 8 && at < 16 ? 0x80 : 0x01;
        if (at == 8 || at == 9 || at == 12 || at == 13)
            (void)raw_write(r.fd, filler, sizeof filler);
        if (!raw_closed(r.fd))
            fail_msg("byte %zu goes unseen", at);
        close(r.fd);
        wrong++;
        kit_wait(endpoint_stats(&coordinator).connections == 0);
    }
    kin_buf_deinit(&good);
    assert_int_equal(endpoint_stats(&coordinator).malformed, wrong);
    assert_int_equal(atomic_load(&coordinator.frames), 0);
    endpoint_close(&coordinator);
}

/* A checksum as that of other clients is none. */
static void a_frame_with_another_kind_of_checksum_closes_the_connection(void **state)
{
    struct endpoint coordinator;
    uint8_t head[WIRE_HEAD_BYTES];
    struct kin_frame empty = {.type = 3};
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    struct raw r = raw_gateway(1), client = raw_of(KIT_CLIENT_FIRST, WIRE_CONTROL, 1);
    raw_dial(&r, coordinator.address);
    wire_put_head(&empty, 0, WIRE_XXH3, head);
    assert_true(raw_write(r.fd, head, sizeof head));
    assert_true(raw_closed(r.fd));
    raw_dial(&client, coordinator.address);
    assert_true(send_frame(client.fd, &empty, 0));
    assert_true(raw_closed(client.fd));
    close(r.fd);
    close(client.fd);
    kit_wait(endpoint_stats(&coordinator).malformed == 2);
    endpoint_close(&coordinator);
}

/* ---- those who are not welcome ---- */

static void expect_refusal(struct raw *r, uint32_t status)
{
    assert_int_equal(raw_end(r), status);
    assert_true(raw_closed(r->fd));
    close(r->fd);
}

static void put_proof(struct raw *r, const uint8_t proof[WIRE_PROOF_BYTES])
{
    struct wire_answer answer = {0};
    memcpy(answer.proof, proof, WIRE_PROOF_BYTES);
    wire_put_answer(&answer, r->talk.answer);
}

static void only_the_right_proof_is_believed(void **state)
{
    enum { ZEROS, OTHER_SECRET, NO_SECRET, OTHER_CHALLENGE, REFLECTED, OTHER_HASH, ROUNDS };
    struct endpoint coordinator;
    uint8_t other[KIN_NET_KEY_BYTES], proof[WIRE_PROOF_BYTES] = {0};
    memcpy(other, kit_key, sizeof other);
    other[WIRE_KEY_BYTES] ^= 1;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    for (int round = 0; round < ROUNDS; round++) {
        struct raw r = raw_gateway(1);
        raw_begin(&r, coordinator.address);
        assert_true(r.challenge.secret);
        struct wire_talk real = r.talk;
        if (round == OTHER_SECRET)
            r.key = other;
        if (round == NO_SECRET)
            r.key = NULL;
        if (round == OTHER_CHALLENGE)
            r.talk.challenge[20] ^= 1;
        if (round == OTHER_HASH) { /* a client's, which would need the signature, too */
            kin_put_le32(r.talk.hello + 8, KIN_NET_CLIENT);
        }
        raw_answer(&r);
        r.talk.hello[8] = real.hello[8];
        if (round == ZEROS)
            put_proof(&r, proof);
        if (round == REFLECTED) {
            wire_prove_welcome(kit_key, &r.talk, KIT_CLIENT_FIRST, proof);
            put_proof(&r, proof);
        }
        expect_refusal(&r, KIN_E_INVAL);
    }
    kit_wait(endpoint_stats(&coordinator).refused == ROUNDS);
    for (kin_node_id n = 0; n < KIT_NUMBERS; n++)
        assert_int_equal(atomic_load(&coordinator.ups[n]), 0);
    endpoint_close(&coordinator);
}

static void a_signature_is_not_asked_for(void **state)
{
    struct endpoint coordinator;
    uint8_t proof[WIRE_PROOF_BYTES];
    for (int secret = 0; secret < 2; secret++) {
        struct kin_net_options o = kit_options();
        struct raw r = raw_gateway(1);
        r.key = o.key = secret ? kit_key : NULL;
        endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), o);
        raw_begin(&r, coordinator.address);
        assert_int_equal(r.challenge.secret, secret);
        wire_prove(secret ? kit_key : (const uint8_t[KIN_NET_KEY_BYTES]){0}, &r.talk, proof);
        put_proof(&r, proof);
        assert_int_equal(raw_end(&r), KIN_OK);
        send_numbered(r.fd, 5, 1, 1, 0);
        kit_wait(atomic_load(&coordinator.last[KIT_CLIENT_FIRST]) == 5);
        close(r.fd);
        endpoint_close(&coordinator);
    }
}

static void what_was_overheard_cannot_be_said_again(void **state)
{
    struct endpoint coordinator;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    struct raw first = raw_gateway(1);
    raw_dial(&first, coordinator.address);
    struct raw again = first; /* the same hello, with the same nonce */
    raw_begin(&again, coordinator.address);
    expect_refusal(&again, KIN_E_INVAL);
    assert_true(kin_net_is_up(coordinator.net, first.welcome.node));
    close(first.fd);
    endpoint_close(&coordinator);
}

static void roles_and_kinds_that_are_not_wanted_are_refused(void **state)
{
    struct endpoint coordinator;
    for (int round = 0; round < 2; round++) {
        struct kin_net_options o = kit_options();
        struct raw r = raw_gateway(1);
        if (round == 0)
            r.kind = WIRE_BULK; /* there is no second connection */
        else
            o.clients_max = 0;
        endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), o);
        raw_begin(&r, coordinator.address);
        assert_int_equal(r.challenge.status, KIN_E_RANGE);
        assert_true(raw_closed(r.fd));
        close(r.fd);
        endpoint_close(&coordinator);
    }
}

/* It proves no key, so whose key it says cannot matter: neither to clients nor to workers. */
static void nobody_loses_its_place_to_a_gateway_that_says_its_key(void **state)
{
    struct endpoint coordinator, client, worker;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    endpoint_open(&client, KIT_CLIENT_FIRST, coordinator.address, kit_options());
    endpoint_open(&worker, 1, coordinator.address, kit_options());
    kit_wait(kin_net_is_up(coordinator.net, KIT_CLIENT_FIRST) && kin_net_is_up(coordinator.net, 1));
    for (uint32_t i = 0; i < 3; i++) {
        struct raw r = raw_gateway(5); /* two with one key are two gateways, too */
        r.who = i == 0 ? 1 : KIT_CLIENT_FIRST;
        raw_dial(&r, coordinator.address);
        assert_int_equal(r.welcome.node, KIT_CLIENT_FIRST + 1 + i);
    }
    kin_net_send(client.net, KIN_COORDINATOR, kit_frame(7, 1, 100000));
    kin_net_send(worker.net, KIN_COORDINATOR, kit_frame(8, 1, 1));
    kit_wait(atomic_load(&coordinator.last[KIT_CLIENT_FIRST]) == 7 &&
             atomic_load(&coordinator.last[1]) == 8);
    assert_int_equal(endpoint_stats(&coordinator).replaced, 0);
    endpoint_close(&worker);
    endpoint_close(&client);
    endpoint_close(&coordinator);
}

/* ---- many ---- */

static void a_number_is_each_ones_own_and_free_when_it_went(void **state)
{
    struct endpoint coordinator;
    struct raw r[KIT_CLIENTS + 1];
    struct kin_net_options o = kit_quick_options();
    o.idle_ms = WAIT_MS;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), o);
    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 0; i <= KIT_CLIENTS; i++) {
            r[i] = raw_gateway(round);
            raw_begin(&r[i], coordinator.address);
            raw_answer(&r[i]);
            assert_int_equal(raw_end(&r[i]), i < KIT_CLIENTS ? KIN_OK : KIN_E_LIMIT);
            if (i < KIT_CLIENTS)
                assert_int_equal(r[i].welcome.node, KIT_CLIENT_FIRST + i);
        }
        for (uint32_t i = 0; i <= KIT_CLIENTS; i++) {
            struct linger reset = {.l_onoff = (round + i) % 2};
            setsockopt(r[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            if (i < KIT_CLIENTS && i % 2)
                (void)raw_write(r[i].fd, "no frame at all, though 32 bytes", 32);
            close(r[i].fd);
        }
        kit_wait(endpoint_stats(&coordinator).connections == 0);
    }
    for (kin_node_id n = 0; n < KIT_NUMBERS; n++)
        kit_wait(atomic_load(&coordinator.ups[n]) == atomic_load(&coordinator.downs[n]));
    assert_int_equal(atomic_load(&coordinator.frames), 0);
    endpoint_close(&coordinator);
}

static int run(struct kit_transport transport)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(the_bytes_are_as_documented, &transport),
        cmocka_unit_test_prestate(one_connection_carries_frames_of_all_sizes, &transport),
        cmocka_unit_test_prestate(who_answers_pings_stays_and_who_is_silent_goes, &transport),
        cmocka_unit_test_prestate(a_frame_with_any_wrong_byte_closes_the_connection, &transport),
        cmocka_unit_test_prestate(a_frame_with_another_kind_of_checksum_closes_the_connection,
                                  &transport),
        cmocka_unit_test_prestate(only_the_right_proof_is_believed, &transport),
        cmocka_unit_test_prestate(a_signature_is_not_asked_for, &transport),
        cmocka_unit_test_prestate(what_was_overheard_cannot_be_said_again, &transport),
        cmocka_unit_test_prestate(roles_and_kinds_that_are_not_wanted_are_refused, &transport),
        cmocka_unit_test_prestate(nobody_loses_its_place_to_a_gateway_that_says_its_key,
                                  &transport),
        cmocka_unit_test_prestate(a_number_is_each_ones_own_and_free_when_it_went, &transport),
    };
    return cmocka_run_group_tests_name(transport.name, tests, NULL, NULL);
}

int main(void)
{
    return run(kit_tcp()) + run(kit_unix());
}
