/* Who is known under which number, what owners are told of links and refusals, and the file of a
 * socket. */
#include "tests/unit/net_kit.h"
#include "tests/unit/scratch_dir.h"

/* ---- the bytes of the handshake: those of docs/cluster.md ---- */

static void the_messages_are_as_documented(void **state)
{
    (void)state;
    struct kin_net_identity identity = kit_identity(1);
    struct wire_talk talk = {0};
    struct wire_hello hello = {.version_min = 1,
                               .version_max = 2,
                               .role = KIN_NET_CLIENT,
                               .kind = WIRE_BULK,
                               .session = 0x1122334455667788};
    struct wire_challenge challenge = {.version = 1, .secret = true, .status = KIN_E_RANGE};
    struct wire_answer answer, answer_back;
    struct wire_welcome welcome = {.node = 65}, refusal = {.status = KIN_E_LIMIT, .node = 65}, back;
    uint8_t message[WIRE_SHAKE_BYTES], expected[WIRE_SHAKE_BYTES] = "KINh\1\0\2\0\2\0\0\0\1";
    memset(hello.nonce, 0xaa, sizeof hello.nonce);
    memset(hello.public_key, 0xbb, sizeof hello.public_key);
    memcpy(expected + 16, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
    memset(expected + 24, 0xaa, 32);
    memset(expected + 56, 0xbb, 32);
    wire_put_hello(&hello, talk.hello);
    assert_memory_equal(talk.hello, expected, sizeof expected);

    memset(challenge.nonce, 0xcc, sizeof challenge.nonce);
    memset(expected, 0, sizeof expected);
    memcpy(expected, "KINc\1\0\1\0\x11", 9);
    memset(expected + 16, 0xcc, 32);
    wire_put_challenge(&challenge, talk.challenge);
    assert_memory_equal(talk.challenge, expected, sizeof expected);

    wire_prove(kit_key, &talk, answer.proof);
    wire_sign(&identity, &talk, answer.signature);
    wire_put_answer(&answer, talk.answer);
    assert_memory_equal(talk.answer, "KINp\0\0\0\0", 8);
    assert_memory_equal(talk.answer + 8, answer.proof, 32);
    assert_memory_equal(talk.answer + 40, answer.signature, 64);
    assert_true(wire_get_answer(talk.answer, &answer_back));
    assert_memory_equal(&answer, &answer_back, sizeof answer);
    uint8_t text[24 + 2 * 128] = "kindred: signed hello 1";
    memcpy(text + 24, talk.hello, 128);
    memcpy(text + 24 + 128, talk.challenge, 128);
    assert_int_equal(
        crypto_sign_verify_detached(answer.signature, text, sizeof text, identity.public_key), 0);

    uint8_t proof[WIRE_PROOF_BYTES], said[23 + 3 * 128 + 4] = "kindred: dialler 1";
    memcpy(said + 19, talk.hello, 128);
    memcpy(said + 19 + 128, talk.challenge, 128);
    crypto_generichash(proof, sizeof proof, said, 19 + 2 * 128, kit_key, WIRE_KEY_BYTES);
    assert_memory_equal(answer.proof, proof, sizeof proof);
    memcpy(said, "kindred: coordinator 1", 23);
    memcpy(said + 23, &talk, 3 * 128);
    memcpy(said + 23 + 3 * 128, "\x41\0\0\0", 4);
    crypto_generichash(proof, sizeof proof, said, sizeof said, kit_key, WIRE_KEY_BYTES);

    wire_prove_welcome(kit_key, &talk, welcome.node, welcome.proof);
    assert_memory_equal(welcome.proof, proof, sizeof proof);
    wire_put_welcome(&welcome, message);
    assert_memory_equal(message, "KINw\0\0\0\0", 8);
    assert_memory_equal(message + 8, welcome.proof, 32);
    assert_memory_equal(message + 40, "\x41\0\0\0", 5);
    assert_true(wire_get_welcome(message, &back) && back.node == 65 && back.status == KIN_OK);
    wire_put_welcome(&refusal, message);
    assert_memory_equal(message, "KINw\x09\0\0\0\0", 9);
    assert_true(wire_get_welcome(message, &back) && back.node == 0 && back.status == KIN_E_LIMIT);
}

/* ---- numbers ---- */

static void diallers_learn_their_numbers(void **state)
{
    struct endpoint coordinator, worker, client, anonymous;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    assert_int_equal(kin_net_self(coordinator.net), 0);
    endpoint_open(&worker, 3, coordinator.address, kit_options());
    kit_wait(kin_net_self(worker.net) == 3);
    endpoint_open(&client, KIT_NUMBERS + 5, coordinator.address, kit_options());
    kit_wait(kin_net_is_up(coordinator.net, KIT_CLIENT_FIRST));
    kit_wait(kin_net_self(client.net) == KIT_CLIENT_FIRST);
    struct kin_net_options o = kit_options();
    struct kin_err err = {0};
    o.role = KIN_NET_CLIENT; /* without a key of its own */
    assert_int_equal(endpoint_try(&anonymous, coordinator.address, o, &err), KIN_OK);
    kit_wait(kin_net_self(anonymous.net) == KIT_CLIENT_FIRST + 1);
    kit_wait(kin_net_is_up(anonymous.net, KIN_COORDINATOR));
    kit_wait(kin_net_is_up(coordinator.net, KIT_CLIENT_FIRST + 1));
    kin_net_send(anonymous.net, KIN_COORDINATOR, kit_frame(7, 10, 100000));
    kit_wait(atomic_load(&coordinator.last[KIT_CLIENT_FIRST + 1]) == 7);
    kin_net_send(coordinator.net, KIT_CLIENT_FIRST + 1, kit_frame(8, 10, 10));
    kit_wait(atomic_load(&anonymous.last[KIN_COORDINATOR]) == 8);
    assert_int_equal(atomic_load(&client.frames), 0);
    endpoint_close(&anonymous);
    endpoint_close(&client);
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

static kin_node_id number_of_client(const char *address, uint32_t who, uint32_t kind,
                                    uint64_t session, int *fd)
{
    struct raw r = raw_of(who, kind, session);
    *fd = raw_dial(&r, address);
    return r.welcome.node;
}

static void a_client_keeps_its_number_while_one_connection_is_there(void **state)
{
    struct endpoint coordinator;
    int a[3], b[2], c;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    const char *at = coordinator.address;
    assert_int_equal(number_of_client(at, 100, WIRE_CONTROL, 1, &a[0]), KIT_CLIENT_FIRST);
    assert_int_equal(number_of_client(at, 200, WIRE_CONTROL, 1, &b[0]), KIT_CLIENT_FIRST + 1);
    assert_int_equal(number_of_client(at, 100, WIRE_BULK, 1, &a[1]), KIT_CLIENT_FIRST);
    kit_wait(kin_net_is_up(coordinator.net, KIT_CLIENT_FIRST));
    close(a[0]);
    kit_wait(endpoint_stats(&coordinator).connections == 2);
    assert_int_equal(number_of_client(at, 300, WIRE_CONTROL, 1, &c), KIT_CLIENT_FIRST + 2);
    assert_int_equal(number_of_client(at, 100, WIRE_CONTROL, 1, &a[2]), KIT_CLIENT_FIRST);
    kit_wait(kin_net_is_up(coordinator.net, KIT_CLIENT_FIRST));
    /* another process with the key of b takes b's place */
    assert_int_equal(number_of_client(at, 200, WIRE_CONTROL, 2, &b[1]), KIT_CLIENT_FIRST + 1);
    assert_true(raw_closed(b[0]));
    close(b[0]);
    close(a[1]);
    close(a[2]);
    kit_wait(endpoint_stats(&coordinator).connections == 2);
    assert_int_equal(number_of_client(at, 400, WIRE_BULK, 1, &a[0]), KIT_CLIENT_FIRST);
    close(a[0]);
    close(b[1]);
    close(c);
    endpoint_close(&coordinator);
}

static void a_client_too_many_gets_in_when_another_leaves(void **state)
{
    struct endpoint coordinator, clients[KIT_CLIENTS + 1], *last = &clients[KIT_CLIENTS];
    struct kin_err err = {0};
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    for (uint32_t i = 0; i <= KIT_CLIENTS; i++) {
        endpoint_open(&clients[i], 100 + i, coordinator.address, kit_options());
        if (i < KIT_CLIENTS)
            kit_wait(kin_net_is_up(clients[i].net, KIN_COORDINATOR));
    }
    kit_wait(kin_net_last_refusal(last->net, &err) == KIN_E_LIMIT);
    assert_non_null(strstr(err.msg, "too many clients"));
    endpoint_close(&clients[2]);
    kit_wait(kin_net_is_up(last->net, KIN_COORDINATOR));
    assert_int_equal(kin_net_self(last->net), KIT_CLIENT_FIRST + 2);
    assert_int_equal(kin_net_last_refusal(last->net, &err), KIN_OK);
    for (uint32_t i = 0; i <= KIT_CLIENTS; i++) {
        if (i != 2)
            endpoint_close(&clients[i]);
    }
    endpoint_close(&coordinator);
}

/* Gives everybody number 2. */
static kin_node_id admit_as_two(void *arg, const uint8_t key[KIN_NET_PUBLIC_BYTES])
{
    (void)arg;
    (void)key;
    return 2;
}

static kin_node_id admit_out_of_range(void *arg, const uint8_t key[KIN_NET_PUBLIC_BYTES])
{
    (void)arg;
    (void)key;
    return KIT_NODES; /* a bug of the owner's, at most */
}

static struct kin_net *open_bare(const char *given, char address[64],
                                 kin_node_id (*admit)(void *, const uint8_t *),
                                 struct endpoint *counts)
{
    struct kin_net *net;
    struct kin_err err;
    *counts = (struct endpoint){0};
    struct kin_net_options o = {.address = given,
                                .key = kit_key,
                                .nodes = KIT_NODES - 1,
                                .admit = admit,
                                .on_frame = kit_on_frame,
                                .on_link = kit_on_link,
                                .log = kit_on_log,
                                .arg = counts};
    assert_int_equal(kin_net_open(&o, &net, &err), KIN_OK);
    if (kit_path(given))
        snprintf(address, 64, "%s", given);
    else
        snprintf(address, 64, "tcp://127.0.0.1:%u", kin_net_port(net));
    return net;
}

static void a_number_belongs_to_one_key(void **state)
{
    char address[64];
    int fds[4];
    struct endpoint counts;
    struct kin_net *net = open_bare(kit_address(state), address, admit_as_two, &counts);
    for (uint32_t i = 0; i < 2; i++) {
        struct raw r = raw_of(3, i, 1);
        fds[i] = raw_dial(&r, address);
        assert_int_equal(r.welcome.node, 2);
    }
    kit_wait(atomic_load(&counts.ups[2]) == 1);
    for (uint32_t i = 0; i < 2; i++) { /* the same session, but not the same key */
        struct raw r = raw_of(1, i, 1);
        fds[2 + i] = raw_dial(&r, address);
    }
    assert_true(raw_closed(fds[0]) && raw_closed(fds[1]));
    kit_wait(atomic_load(&counts.ups[2]) == 2 && atomic_load(&counts.downs[2]) == 1);
    for (size_t i = 0; i < 4; i++)
        close(fds[i]);
    assert_true(kin_net_close(net, 0));
    assert_int_equal(counts.wrong, 0);
}

static void a_number_out_of_range_is_no_number(void **state)
{
    char address[64];
    struct endpoint counts;
    struct kin_net *net = open_bare(kit_address(state), address, admit_out_of_range, &counts);
    struct raw r = raw_of(1, WIRE_CONTROL, 1);
    raw_begin(&r, address);
    raw_answer(&r);
    assert_int_equal(raw_end(&r), KIN_E_LIMIT);
    close(r.fd);
    assert_true(kin_net_close(net, 0));
}

/* ---- links ---- */

static void owners_are_told_of_links_on_both_sides(void **state)
{
    struct endpoint coordinator, worker, again;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    endpoint_open(&worker, 2, coordinator.address, kit_options());
    kit_wait(atomic_load(&coordinator.ups[2]) == 1 && atomic_load(&worker.ups[0]) == 1);
    endpoint_open(&again, 2, coordinator.address,
                  kit_options()); /* the newer one wins, for a while */
    kit_wait(atomic_load(&worker.downs[0]) >= 1 && atomic_load(&again.ups[0]) >= 1);
    kit_wait(atomic_load(&coordinator.downs[2]) >= 1 && atomic_load(&coordinator.ups[2]) >= 2);
    endpoint_close(&again);
    endpoint_close(&worker);
    kit_wait(atomic_load(&coordinator.downs[2]) == atomic_load(&coordinator.ups[2]));
    kit_wait(!kin_net_is_up(coordinator.net, 2));
    int control = raw_worker(coordinator.address, 1, WIRE_CONTROL, 1);
    close(control); /* one connection is no link */
    kit_wait(endpoint_stats(&coordinator).connections == 0);
    assert_int_equal(atomic_load(&coordinator.ups[1]), 0);
    endpoint_close(&coordinator);
}

/* ---- refusals ---- */

static void a_dialler_tells_silence_from_strangers(void **state)
{
    struct endpoint coordinator, client, other;
    struct kin_err err = {0};
    char address[64];
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    snprintf(address, sizeof address, "%s", coordinator.address);
    endpoint_close(&coordinator);
    endpoint_open(&client, KIT_CLIENT_FIRST, address, kit_options());
    kit_wait(kin_net_last_refusal(client.net, &err) == KIN_E_IO); /* nobody there */
    assert_true(*err.msg);
    assert_int_equal(kin_net_last_refusal(client.net, NULL), KIN_E_IO);

    int listener = raw_listen(address);
    int fd = accept(listener, NULL, NULL);
    char junk[2 * WIRE_SHAKE_BYTES];
    memset(junk, '!', sizeof junk);
    assert_true(fd >= 0 && raw_write(fd, junk, sizeof junk)); /* no coordinator */
    kit_wait(kin_net_last_refusal(client.net, &err) == KIN_E_PROTO);
    close(fd);
    close(listener);
    if (kit_path(address))
        unlink(kit_path(address));

    endpoint_open(&other, KIN_COORDINATOR, address, kit_options());
    kit_wait(kin_net_last_refusal(client.net, &err) == KIN_OK);
    kit_wait(kin_net_is_up(client.net, KIN_COORDINATOR));
    endpoint_close(&client);
    endpoint_close(&other);
}

/* Takes a connection as a coordinator would that has the key. */
static void play_coordinator(int listener, const uint8_t *key, uint32_t said, uint32_t proved)
{
    struct wire_talk talk;
    struct wire_challenge challenge = {.version = WIRE_VERSION_MAX, .secret = true, .nonce = {9}};
    struct wire_welcome welcome = {.node = said};
    uint8_t message[WIRE_SHAKE_BYTES];
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    wire_put_challenge(&challenge, talk.challenge);
    bool talks = raw_read(fd, talk.hello, WIRE_SHAKE_BYTES) &&
                 raw_write(fd, talk.challenge, WIRE_SHAKE_BYTES) &&
                 raw_read(fd, talk.answer, WIRE_SHAKE_BYTES);
    wire_prove_welcome(key, &talk, proved, welcome.proof);
    wire_put_welcome(&welcome, message);
    assert_true(talks && raw_write(fd, message, sizeof message));
    assert_true(raw_closed(fd)); /* told to nobody: it was not believed */
    close(fd);
}

static void a_coordinator_has_to_prove_itself_too(void **state)
{
    static const uint8_t other_key[KIN_NET_KEY_BYTES] = {1, 2, 4};
    struct endpoint coordinator, client;
    struct kin_err err = {0};
    char address[64];
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    kit_address_copy(address, coordinator.address);
    endpoint_close(&coordinator);
    int listener = raw_listen(address);
    endpoint_open(&client, KIT_CLIENT_FIRST, address, kit_options());
    play_coordinator(listener, other_key, 65, 65);
    kit_wait(kin_net_last_refusal(client.net, &err) == KIN_E_INVAL);
    play_coordinator(listener, kit_key, 66, 65); /* somebody changed the number on its way */
    kit_wait(endpoint_stats(&client).refused >= 2);
    play_coordinator(listener, kit_key, KIN_COORDINATOR, KIN_COORDINATOR);
    play_coordinator(listener, kit_key, KIN_NODES_MAX, KIN_NODES_MAX);
    kit_wait(endpoint_stats(&client).malformed == 2);
    assert_int_equal(kin_net_self(client.net), 0);
    endpoint_close(&client);
    close(listener);
    if (kit_path(address))
        unlink(kit_path(address));
}

static void options_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        enum kin_net_role role;
        uint32_t nodes, client_first, clients_max;
    } cases[] = {
        {KIN_NET_COORDINATOR, 0, 0, 0},
        {KIN_NET_COORDINATOR, 3, 3, 1},
        {KIN_NET_COORDINATOR, 3, 4, KIN_NODES_MAX},
        {KIN_NET_COORDINATOR, 3, KIN_NODES_MAX, 1},
        {KIN_NET_COORDINATOR, KIN_NODES_MAX, 0, 0},
        {KIN_NET_COORDINATOR, 0, 0, 1},
        {KIN_NET_WORKER, 0, 0, 0}, /* without a key */
        {KIN_NET_CLIENT, 1, 0, 0},
        {KIN_NET_GATEWAY, 0, 0, 0}, /* which does without this module */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_net *net = NULL;
        struct kin_err err = {0};
        struct kin_net_options o = {.role = cases[i].role,
                                    .address = kit_address(state),
                                    .nodes = cases[i].nodes,
                                    .admit = kit_admit,
                                    .client_first = cases[i].client_first,
                                    .clients_max = cases[i].clients_max,
                                    .on_frame = kit_on_frame};
        if (kin_net_open(&o, &net, &err) != KIN_E_INVAL || net || !*err.msg)
            fail_msg("case %zu is taken", i);
    }
}

/* ---- the file of a socket ---- */

struct place {
    char dir[SCRATCH_PATH], path[SCRATCH_PATH + 16], address[SCRATCH_PATH + 32];
};

static void place_make(struct place *p)
{
    assert_true(scratch_make(p->dir));
    snprintf(p->path, sizeof p->path, "%s/socket", p->dir);
    snprintf(p->address, sizeof p->address, "unix://%s", p->path);
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? (unsigned)st.st_mode : 0;
}

static void a_socket_has_a_mode_and_goes_with_its_owner(void **state)
{
    (void)state;
    struct place p;
    struct endpoint coordinator;
    struct kin_net_options open = kit_options();
    place_make(&p);
    endpoint_open(&coordinator, KIN_COORDINATOR, p.address, kit_options());
    assert_int_equal(mode_of(p.path), S_IFSOCK | 0660);
    assert_int_equal(kin_net_port(coordinator.net), 0);
    endpoint_close(&coordinator);
    assert_int_equal(mode_of(p.path), 0);
    open.key = NULL; /* no secret: nobody else may even try */
    endpoint_open(&coordinator, KIN_COORDINATOR, p.address, open);
    assert_int_equal(mode_of(p.path), S_IFSOCK | 0600);
    endpoint_close(&coordinator);
    scratch_remove(p.dir);
}

static void a_socket_of_a_dead_process_is_replaced(void **state)
{
    (void)state;
    struct place p;
    struct endpoint coordinator, worker;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    place_make(&p);
    memcpy(un.sun_path, p.path, strlen(p.path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const void *)&un, sizeof un), 0);
    assert_int_equal(listen(fd, 1), 0);
    struct kin_err err = {0};
    assert_int_equal(endpoint_try(&coordinator, p.address, kit_options(), &err), KIN_E_BUSY);
    assert_int_equal(mode_of(p.path) & S_IFMT, S_IFSOCK);
    close(fd); /* as a process that is killed: the file stays */
    assert_int_equal(mode_of(p.path) & S_IFMT, S_IFSOCK);
    endpoint_open(&coordinator, KIN_COORDINATOR, p.address, kit_options());
    endpoint_open(&worker, 1, p.address, kit_options());
    kit_wait(kin_net_is_up(coordinator.net, 1));
    endpoint_close(&worker);
    endpoint_close(&coordinator);
    scratch_remove(p.dir);
}

static void what_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    struct place p;
    struct endpoint coordinator;
    struct kin_err err = {0};
    place_make(&p);
    assert_true(scratch_put(p.path, "precious", 8));
    assert_int_equal(endpoint_try(&coordinator, p.address, kit_options(), &err), KIN_E_EXISTS);
    assert_non_null(strstr(err.msg, p.path));
    assert_int_equal(mode_of(p.path) & S_IFMT, S_IFREG);
    unlink(p.path);
    assert_int_equal(symlink("nowhere", p.path), 0);
    assert_int_equal(endpoint_try(&coordinator, p.address, kit_options(), &err), KIN_E_EXISTS);
    assert_int_equal(mode_of(p.path) & S_IFMT, S_IFLNK);
    scratch_remove(p.dir); /* and now not even the directory is there */
    assert_int_equal(endpoint_try(&coordinator, p.address, kit_options(), &err), KIN_E_IO);
}

enum { RIVALS = 6, RACES = 30 };

struct rival {
    const struct place *place;
    pthread_barrier_t *start;
    struct endpoint endpoint;
    kin_status status;
};

static void *compete(void *arg)
{
    struct rival *r = arg;
    struct kin_err err;
    pthread_barrier_wait(r->start);
    r->status = endpoint_try(&r->endpoint, r->place->address, kit_options(), &err);
    return NULL;
}

/* All see the same stale file at the same time: one gets the place, and keeps it. */
static void one_of_many_gets_a_stale_place(void **state)
{
    (void)state;
    for (int round = 0; round < RACES; round++) {
        struct place p;
        pthread_barrier_t start;
        struct rival rivals[RIVALS];
        pthread_t threads[RIVALS];
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        unsigned winners = 0;
        place_make(&p);
        memcpy(un.sun_path, p.path, strlen(p.path));
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (const void *)&un, sizeof un), 0);
        close(fd);
        pthread_barrier_init(&start, NULL, RIVALS);
        for (size_t i = 0; i < RIVALS; i++) {
            rivals[i].place = &p;
            rivals[i].start = &start;
            assert_int_equal(pthread_create(&threads[i], NULL, compete, &rivals[i]), 0);
        }
        for (size_t i = 0; i < RIVALS; i++) {
            pthread_join(threads[i], NULL);
            winners += rivals[i].status == KIN_OK;
            assert_true(rivals[i].status == KIN_OK || rivals[i].status == KIN_E_BUSY);
        }
        assert_int_equal(winners, 1);
        close(raw_connect(p.address));
        pthread_barrier_destroy(&start);
        for (size_t i = 0; i < RIVALS; i++) {
            if (rivals[i].status == KIN_OK)
                endpoint_close(&rivals[i].endpoint);
        }
        scratch_remove(p.dir);
    }
}

static int run(struct kit_transport transport)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(diallers_learn_their_numbers, &transport),
        cmocka_unit_test_prestate(a_client_keeps_its_number_while_one_connection_is_there,
                                  &transport),
        cmocka_unit_test_prestate(a_client_too_many_gets_in_when_another_leaves, &transport),
        cmocka_unit_test_prestate(a_number_belongs_to_one_key, &transport),
        cmocka_unit_test_prestate(a_number_out_of_range_is_no_number, &transport),
        cmocka_unit_test_prestate(owners_are_told_of_links_on_both_sides, &transport),
        cmocka_unit_test_prestate(a_dialler_tells_silence_from_strangers, &transport),
        cmocka_unit_test_prestate(a_coordinator_has_to_prove_itself_too, &transport),
        cmocka_unit_test_prestate(options_that_make_no_sense_are_refused, &transport),
    };
    return cmocka_run_group_tests_name(transport.name, tests, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest files[] = {
        cmocka_unit_test(the_messages_are_as_documented),
        cmocka_unit_test(a_socket_has_a_mode_and_goes_with_its_owner),
        cmocka_unit_test(a_socket_of_a_dead_process_is_replaced),
        cmocka_unit_test(what_is_no_socket_is_left_alone),
        cmocka_unit_test(one_of_many_gets_a_stale_place),
    };
    return run(kit_tcp()) + run(kit_unix()) + cmocka_run_group_tests(files, NULL, NULL);
}
