/* Clients in any number, welcome or not, that come and go: no descriptor, node number or memory
 * stays behind, and those that behave notice nothing. */
#include "tests/unit/net_kit.h"

#include <sys/resource.h>

/* ---- descriptors ---- */

/* Connections are taken while a quarter of the descriptors that the process may have is free. On a
 * busy machine nng closes them more slowly than clients come and go. */
enum { CLIENTS = 2000, HELD = 100, LIMIT = 800, DESCRIPTORS_BOUND = LIMIT / 4 * 3 + HELD + 8 };

static struct rlimit limit_descriptors(rlim_t most)
{
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

static void connections_wait_while_descriptors_are_short(void **state)
{
    enum { FEW = 256 };
    struct endpoint coordinator;
    int fds[FEW], count = 0;
    struct raw early = raw_of(2, WIRE_CONTROL, 1);
    bool waits = false;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_options());
    struct rlimit before = limit_descriptors(FEW);
    raw_dial(&early, coordinator.address);
    struct raw r;
    for (int tries = 0; tries < 20 && !waits; tries++) { /* one is waited for already */
        do {
            assert_true(count < FEW);
            fds[count] = dup(STDERR_FILENO);
        } while (fds[count++] < FEW - FEW / 4);
        struct pollfd wait = {.events = POLLIN};
        r = raw_of(1, WIRE_CONTROL, 1);
        wait.fd = r.fd = raw_connect(coordinator.address);
        raw_hello(&r);
        assert_true(raw_write(r.fd, r.talk.hello, WIRE_SHAKE_BYTES));
        waits = poll(&wait, 1, 200) == 0;
        if (!waits)
            close(r.fd);
    }
    assert_true(waits);
    while (count > 0)
        close(fds[--count]);
    assert_true(raw_read(r.fd, r.talk.challenge, WIRE_SHAKE_BYTES));
    raw_answer(&r);
    assert_int_equal(raw_end(&r), KIN_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(early.fd);
    close(r.fd);
    endpoint_close(&coordinator);
}

/* ---- thousands who are not welcome ---- */

static void abrupt_client(const char *address, unsigned i, int held[HELD])
{
    static const char http[] =
        "GET / HTTP/1.1\r\nHost: kindred\r\nUser-Agent: of some length, so "
        "that it is enough for a message of the handshake, all of it\r\n\r\n";
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct raw r = raw_of(1 + i % 3, i % 2, i);
    int fd = raw_connect(address), *slot = &held[i % HELD];
    raw_hello(&r);
    switch (i % 6) {
    case 0: /* nothing, then a reset */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        break;
    case 1: /* half a message, then a reset */
        (void)raw_write(fd, r.talk.hello, 1 + i % (WIRE_SHAKE_BYTES - 1));
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        break;
    case 2: /* another protocol */
        (void)raw_write(fd, http, sizeof http - 1);
        break;
    case 3: /* a handshake that stops half-way, and stays */
        (void)raw_write(fd, r.talk.hello, WIRE_SHAKE_BYTES);
        break;
    case 4: /* slow: one byte, and stays */
        (void)raw_write(fd, r.talk.hello, 1);
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
    struct endpoint coordinator, worker;
    int held[HELD];
    uint32_t sent = 0;
    unsigned most = 0;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_quick_options());
    endpoint_open(&worker, 2, coordinator.address, kit_quick_options());
    kit_wait(kin_net_is_up(worker.net, KIN_COORDINATOR) && kin_net_is_up(coordinator.net, 2));
    for (size_t i = 0; i < HELD; i++)
        held[i] = -1;
    unsigned descriptors = kit_descriptors();
    struct rlimit before = limit_descriptors(LIMIT);
    size_t resident = kit_memory(false);
    for (unsigned i = 0; i < CLIENTS; i++) {
        abrupt_client(coordinator.address, i, held);
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
    assert_true(stats.connections_max <= KIT_CONNECTIONS);
    assert_true(most <= DESCRIPTORS_BOUND);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(grown >> 20 < KIT_GROWTH_MIB);
    assert_int_equal(atomic_load(&coordinator.frames), sent);
    assert_int_equal(endpoint_stats(&worker).dialled, 2); /* it noticed nothing */
    endpoint_close(&worker);
    endpoint_close(&coordinator);
}

/* ---- thousands who are welcome ---- */

static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

/* A client that is let in, or told that there are too many; *numbers: how often each was given. */
static bool passing_client(struct endpoint *coordinator, uint32_t i, unsigned numbers[KIT_NUMBERS])
{
    struct raw r[WIRE_KINDS];
    uint32_t kinds = i % 3 ? WIRE_KINDS : 1, status = KIN_OK;
    for (uint32_t kind = 0; kind < kinds && status == KIN_OK; kind++) {
        r[kind] = raw_of(1000 + i, kind, i);
        raw_begin(&r[kind], coordinator->address);
        raw_answer(&r[kind]);
        status = raw_end(&r[kind]);
        if (status != KIN_OK) {
            assert_int_equal(kind, 0); /* who has a number keeps it */
            assert_int_equal(status, KIN_E_LIMIT);
            close(r[kind].fd);
            return false;
        }
        assert_int_equal(r[kind].welcome.node, r[0].welcome.node);
    }
    assert_true(r[0].welcome.node >= KIT_CLIENT_FIRST && r[0].welcome.node < KIT_NUMBERS);
    numbers[r[0].welcome.node]++;
    if (i % 4 == 1)
        (void)raw_write(r[0].fd, "no frame at all, though 32 bytes", 32);
    for (uint32_t kind = 0; kind < kinds; kind++) {
        if (i % 4 == 2)
            setsockopt(r[kind].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(r[kind].fd);
    }
    return true;
}

/* All numbers are free: they are given in order, and then there is none. */
static void numbers_are_all_free(struct endpoint *coordinator)
{
    struct raw r[KIT_CLIENTS + 1];
    for (uint32_t i = 0; i <= KIT_CLIENTS; i++) {
        r[i] = raw_of(100 + i, WIRE_CONTROL, 1);
        raw_begin(&r[i], coordinator->address);
        raw_answer(&r[i]);
        assert_int_equal(raw_end(&r[i]), i < KIT_CLIENTS ? KIN_OK : KIN_E_LIMIT);
        if (i < KIT_CLIENTS)
            assert_int_equal(r[i].welcome.node, KIT_CLIENT_FIRST + i);
    }
    for (uint32_t i = 0; i <= KIT_CLIENTS; i++)
        close(r[i].fd);
}

static void thousands_of_clients_come_and_go_and_leave_no_trace(void **state)
{
    struct endpoint coordinator;
    unsigned numbers[KIT_NUMBERS] = {0}, come = 0, most = 0;
    endpoint_open(&coordinator, KIN_COORDINATOR, kit_address(state), kit_quick_options());
    unsigned descriptors = kit_descriptors();
    struct rlimit before = limit_descriptors(LIMIT);
    size_t resident = kit_memory(false);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        come += passing_client(&coordinator, i, numbers);
        if (i % 100 == 0 && kit_descriptors() > most)
            most = kit_descriptors();
    }
    size_t grown = kit_memory(false) > resident ? kit_memory(false) - resident : 0;
    kit_wait(endpoint_stats(&coordinator).connections == 0);
    kit_wait(kit_descriptors() <= descriptors);
    if (getenv("KIN_TEST_LOG"))
        fprintf(stderr, "%u of %u let in; descriptors %u, at most %u; %zu KiB more\n", come,
                CLIENTS, descriptors, most, grown >> 10);
    assert_true(come > CLIENTS / 2);
    assert_true(numbers[KIT_CLIENT_FIRST] > 0);
    assert_true(most <= DESCRIPTORS_BOUND);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(grown >> 20 < KIT_GROWTH_MIB);
    numbers_are_all_free(&coordinator);
    kit_wait(endpoint_stats(&coordinator).connections == 0);
    for (kin_node_id n = 0; n < KIT_NUMBERS; n++)
        kit_wait(atomic_load(&coordinator.ups[n]) == atomic_load(&coordinator.downs[n]));
    endpoint_close(&coordinator);
}

static int run(struct kit_transport transport)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(connections_wait_while_descriptors_are_short, &transport),
        cmocka_unit_test_prestate(thousands_of_abrupt_clients_leave_no_trace, &transport),
        cmocka_unit_test_prestate(thousands_of_clients_come_and_go_and_leave_no_trace, &transport),
    };
    return cmocka_run_group_tests_name(transport.name, tests, NULL, NULL);
}

int main(void)
{
    return run(kit_tcp()) + run(kit_unix());
}
