/* The front door for nng's clients: where nng is too old it stays shut; else requests come in as
 * frames and the answers to them go out. */
#include "common/env/net/rep.h"
#include "tests/unit/net_kit.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

static void old_versions_are_refused(void **state)
{
    static const struct {
        const char *version, *address;
        kin_status status;
    } cases[] = {
        {"1.5.2", "tcp://127.0.0.1:0", KIN_E_VERSION},
        {"1.5.99", "tcp://127.0.0.1:0", KIN_E_VERSION},
        {"1.6.0", "tcp://127.0.0.1:0", KIN_OK},
        {"1.6.0-prerelease", "tcp://127.0.0.1:0", KIN_OK},
        {"1.10.1", "tcp://127.0.0.1:0", KIN_OK},
        {"2.0.0", "tls+tcp://127.0.0.1:0", KIN_OK},
        {"1.10.1", "tls+tcp://127.0.0.1:0", KIN_E_VERSION},
        {"1.11.0", "tls+tcp://127.0.0.1:0", KIN_OK},
        {"0.9", "tcp://127.0.0.1:0", KIN_E_VERSION},
        {"", "tcp://127.0.0.1:0", KIN_E_VERSION},
        {"1.11.0", "ipc:///tmp/x", KIN_E_INVAL},
        {"1.11.0", "ws://127.0.0.1:0", KIN_E_INVAL},
        {"1.11.0", "", KIN_E_INVAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_err err = {0};
        kin_status status = kin_rep_allowed(cases[i].version, cases[i].address, &err);
        if (status != cases[i].status || (status != KIN_OK) != (*err.msg != '\0'))
            fail_msg("%s %s: %d", cases[i].version, cases[i].address, status);
        if (status == KIN_E_VERSION)
            assert_non_null(strstr(err.msg, "or later is needed"));
    }
}

/* ---- a door that is open ---- */

enum { FIRST = 200, CONTEXTS = 4, PATIENCE_MS = 1000 };

struct door {
    char address[64];
    struct kin_rep *_Atomic rep; /* frames may come before it is told */
    atomic_bool silent;
    atomic_uint frames, wrong;
};

/* Says the same back, its payload twice. */
static void on_request(void *arg, kin_node_id from, struct kin_frame *f)
{
    struct door *d = arg;
    struct kin_frame *answer = kin_frame_new(f->type + 1);
    KIN_ASSERT(answer);
    if (from < FIRST || from >= FIRST + CONTEXTS)
        atomic_fetch_add(&d->wrong, 1);
    kin_buf_put(&answer->body, f->body.p, f->body.n);
    kin_buf_put(&answer->payload, f->payload.p, f->payload.n);
    kin_buf_put(&answer->payload, f->payload.p, f->payload.n);
    kin_frame_unref(f);
    kit_wait(atomic_load(&d->rep) != NULL);
    atomic_fetch_add(&d->frames, 1);
    if (atomic_load(&d->silent))
        kin_frame_unref(answer);
    else
        kin_rep_send(atomic_load(&d->rep), from, answer);
}

static struct kin_rep_options door_options(struct door *d)
{
    return (struct kin_rep_options){.address = "tcp://127.0.0.1:0",
                                    .key = kit_key,
                                    .first = FIRST,
                                    .contexts = CONTEXTS,
                                    .payload_max = 1 << 20,
                                    .patience_ms = PATIENCE_MS,
                                    .on_frame = on_request,
                                    .arg = d};
}

/* False: the nng that is here is too old, and said so. */
static bool door_open(struct door *d)
{
    struct kin_err err = {0};
    struct kin_rep *rep = NULL;
    *d = (struct door){0};
    struct kin_rep_options o = door_options(d);
    kin_status status = kin_rep_open(&o, &rep, &err);
    if (kin_rep_allowed(nng_version(), o.address, NULL) != KIN_OK) {
        assert_int_equal(status, KIN_E_VERSION);
        assert_non_null(strstr(err.msg, nng_version()));
        assert_null(rep);
        return false;
    }
    if (status != KIN_OK)
        fail_msg("%s", err.msg);
    atomic_store(&d->rep, rep);
    snprintf(d->address, sizeof d->address, "tcp://127.0.0.1:%u", kin_rep_port(rep));
    return true;
}

static void door_close(struct door *d)
{
    kin_rep_close(atomic_load(&d->rep));
    assert_int_equal(atomic_load(&d->wrong), 0);
}

static nng_socket dial(const struct door *d)
{
    nng_socket s;
    assert_int_equal(nng_req0_open(&s), 0);
    assert_int_equal(nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, WAIT_MS), 0);
    assert_int_equal(nng_dial(s, d->address, NULL, 0), 0);
    return s;
}

static void put_request(struct kin_buf *to, const uint8_t *key, uint32_t type, const char *body,
                        size_t payload)
{
    uint8_t *tag = kin_buf_extend(to, 32);
    assert_non_null(tag);
    memset(tag, 0, 32);
    kin_buf_u32(to, type);
    kin_buf_u32(to, (uint32_t)strlen(body));
    kin_buf_puts(to, body);
    assert_non_null(kin_buf_extend(to, payload));
    memset(to->p + to->n - payload, 'p', payload);
    if (!key)
        return;
    crypto_auth_hmacsha256_state h;
    crypto_auth_hmacsha256_init(&h, key + WIRE_KEY_BYTES, WIRE_KEY_BYTES);
    crypto_auth_hmacsha256_update(&h, (const uint8_t *)"kindred: request 1", 19);
    crypto_auth_hmacsha256_update(&h, to->p + 32, to->n - 32);
    crypto_auth_hmacsha256_final(&h, to->p);
}

static nng_msg *ask(nng_socket s, const struct kin_buf *request)
{
    nng_msg *m = NULL;
    assert_int_equal(nng_msg_alloc(&m, 0), 0);
    assert_int_equal(nng_msg_append(m, request->p, request->n), 0);
    assert_int_equal(nng_sendmsg(s, m, 0), 0);
    assert_int_equal(nng_recvmsg(s, &m, 0), 0);
    return m;
}

static void expect_answer(nng_socket s, uint32_t type, const char *body, size_t payload)
{
    struct kin_buf request = {0};
    put_request(&request, kit_key, type, body, payload);
    nng_msg *m = ask(s, &request);
    const uint8_t *p = nng_msg_body(m);
    size_t n = strlen(body);
    assert_int_equal(nng_msg_len(m), 8 + n + 2 * payload);
    assert_int_equal(kin_le32(p), type + 1);
    assert_int_equal(kin_le32(p + 4), n);
    assert_memory_equal(p + 8, body, n);
    for (size_t i = 0; i < 2 * payload; i++)
        assert_int_equal(p[8 + n + i], 'p');
    nng_msg_free(m);
    kin_buf_deinit(&request);
}

static void a_request_is_answered(void **state)
{
    struct door d;
    (void)state;
    if (!door_open(&d))
        return;
    nng_socket s = dial(&d);
    for (size_t payload = 0; payload <= 1 << 20; payload = payload ? payload * 32 : 1)
        expect_answer(s, 60, "a body", payload);
    nng_close(s);
    door_close(&d);
}

static void what_is_no_request_is_answered_by_nothing(void **state)
{
    struct door d;
    (void)state;
    if (!door_open(&d))
        return;
    nng_socket s = dial(&d);
    struct kin_buf good = {0};
    put_request(&good, kit_key, 60, "body", 9);
    for (size_t at = 0; at < good.n; at++) { /* any byte wrong, or the end missing */
        struct kin_buf bad = {0};
        kin_buf_put(&bad, good.p, at % 2 ? good.n : at);
        if (at % 2)
            bad.p[at] ^= 1;
        nng_msg *m = ask(s, &bad);
        assert_int_equal(nng_msg_len(m), 0);
        nng_msg_free(m);
        kin_buf_deinit(&bad);
    }
    for (int round = 0; round < 3; round++) {
        struct kin_buf bad = {0};
        put_request(&bad, round == 0 ? NULL : kit_key, round == 1 ? WIRE_PING : 60, "body",
                    round == 2 ? (1 << 20) + 1 : 0);
        nng_msg *m = ask(s, &bad);
        assert_int_equal(nng_msg_len(m), 0);
        nng_msg_free(m);
        kin_buf_deinit(&bad);
    }
    kin_buf_deinit(&good);
    assert_int_equal(atomic_load(&d.frames), 0);
    expect_answer(s, 60, "and it goes on", 5);
    nng_close(s);
    door_close(&d);
}

static void a_request_that_nobody_answers_gives_its_place_back(void **state)
{
    struct door d;
    nng_socket s[CONTEXTS];
    struct kin_buf request = {0};
    (void)state;
    if (!door_open(&d))
        return;
    put_request(&request, kit_key, 60, "body", 9);
    atomic_store(&d.silent, true);
    for (unsigned i = 0; i < CONTEXTS; i++) {
        nng_msg *m = NULL;
        s[i] = dial(&d);
        assert_int_equal(nng_msg_alloc(&m, 0), 0);
        assert_int_equal(nng_msg_append(m, request.p, request.n), 0);
        assert_int_equal(nng_sendmsg(s[i], m, 0), 0);
    }
    kit_wait(atomic_load(&d.frames) == CONTEXTS);
    atomic_store(&d.silent, false);
    nng_socket late = dial(&d);
    expect_answer(late, 60, "body", 9); /* after the patience with one of them */
    for (size_t i = 0; i < CONTEXTS; i++)
        nng_close(s[i]);
    nng_close(late);
    kin_buf_deinit(&request);
    door_close(&d); /* others may be under way */
}

struct asker {
    const struct door *door;
    pthread_t thread;
    unsigned answers;
};

static void *ask_often(void *arg)
{
    struct asker *a = arg;
    struct kin_buf request = {0};
    put_request(&request, kit_key, 60, "body", 100);
    for (unsigned i = 0; i < 10; i++) {
        nng_socket s = dial(a->door);
        for (unsigned n = 0; n < 20; n++) {
            nng_msg *m = ask(s, &request);
            a->answers += nng_msg_len(m) == 8 + 4 + 200;
            nng_msg_free(m);
        }
        nng_close(s);
    }
    kin_buf_deinit(&request);
    return NULL;
}

static void more_askers_than_contexts_wait_their_turn(void **state)
{
    enum { ASKERS = 2 * CONTEXTS };
    struct door d;
    struct asker askers[ASKERS];
    (void)state;
    if (!door_open(&d))
        return;
    for (size_t i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.door = &d};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
    }
    for (size_t i = 0; i < ASKERS; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].answers, 200);
    }
    door_close(&d);
}

static void what_cannot_be_opened_is_refused(void **state)
{
    struct door d;
    struct kin_rep *rep = NULL;
    struct kin_err err;
    (void)state;
    if (!door_open(&d))
        return;
    struct kin_rep_options o = door_options(&d);
    o.address = d.address; /* in use */
    assert_int_equal(kin_rep_open(&o, &rep, &err), KIN_E_BUSY);
    o.address = "tcp://127.0.0.1:0";
    o.first = KIN_NODES_MAX - 1;
    assert_int_equal(kin_rep_open(&o, &rep, &err), KIN_E_INVAL);
    o.first = KIN_COORDINATOR;
    assert_int_equal(kin_rep_open(&o, &rep, &err), KIN_E_INVAL);
    assert_null(rep);
    kin_rep_send(atomic_load(&d.rep), FIRST, kit_frame(1, 1, 1)); /* nobody asked */
    kin_rep_send(atomic_load(&d.rep), FIRST + CONTEXTS, kit_frame(1, 1, 1));
    kin_rep_close(NULL);
    door_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(what_is_no_request_is_answered_by_nothing),
        cmocka_unit_test(a_request_that_nobody_answers_gives_its_place_back),
        cmocka_unit_test(more_askers_than_contexts_wait_their_turn),
        cmocka_unit_test(what_cannot_be_opened_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
