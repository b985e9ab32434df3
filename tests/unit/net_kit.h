#ifndef KIN_TESTS_NET_KIT_H
#define KIN_TESTS_NET_KIT_H
/* Endpoints on the loopback or at a path that check and count what they receive, and a plain socket
 * that speaks the protocol by hand, for tests. A test's state is the transport that it runs over.
 */
#include "common/env/net/net.h"
#include "common/env/net/wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { /* workers 1..KIT_NODES - 1, clients from KIT_CLIENT_FIRST on */
       WAIT_MS = 20 * 1000,
       KIT_NODES = 4,
       KIT_CLIENT_FIRST = 6,
       KIT_CLIENTS = 4,
       KIT_NUMBERS = KIT_CLIENT_FIRST + KIT_CLIENTS
};

static const uint8_t kit_key[KIN_NET_KEY_BYTES] = {1, 2, 3, [WIRE_KEY_BYTES] = 4};

/* ---- transports ---- */

struct kit_transport {
    const char *name;
    char address[64]; /* to listen at */
};

static inline struct kit_transport kit_tcp(void)
{
    return (struct kit_transport){.name = "tcp", .address = "tcp://127.0.0.1:0"};
}

static inline struct kit_transport kit_unix(void)
{
    struct kit_transport t = {.name = "unix"};
    snprintf(t.address, sizeof t.address, "unix:///tmp/kindred-net-%d.sock", (int)getpid());
    return t;
}

static inline const char *kit_address(void **state)
{
    return ((const struct kit_transport *)*state)->address;
}

static inline void kit_address_copy(char to[64], const char *address)
{
    size_t n = strlen(address);
    assert_true(n < 64);
    memcpy(to, address, n + 1);
}

static inline const char *kit_path(const char *address) /* NULL: TCP */
{
    return strncmp(address, "unix://", 7) == 0 ? address + 7 : NULL;
}

static inline uint64_t kit_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline void kit_pause(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
}

#define kit_wait(condition)                                                          \
    do {                                                                             \
        for (uint64_t kit_end = kit_now_ms() + WAIT_MS; !(condition); kit_pause()) { \
            if (kit_now_ms() > kit_end)                                              \
                fail_msg("waited in vain for " #condition);                          \
        }                                                                            \
    } while (0)

/* ---- frames whose content follows from their number ---- */

static inline void kit_fill(uint8_t *p, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)((i * 2654435761u + seed * 40503u) >> 7);
}

static inline struct kin_frame *kit_frame(uint32_t number, size_t body, size_t payload)
{
    struct kin_frame *f = kin_frame_new(number);
    assert_non_null(f);
    uint8_t *b = kin_buf_extend(&f->body, body), *p = kin_buf_extend(&f->payload, payload);
    assert_true(b && p);
    kit_fill(b, body, number);
    kit_fill(p, payload, number + 1);
    return f;
}

static inline bool kit_frame_right(const struct kin_frame *f)
{
    for (size_t i = 0; i < f->body.n; i++) {
        if (f->body.p[i] != (uint8_t)((i * 2654435761u + f->type * 40503u) >> 7))
            return false;
    }
    for (size_t i = 0; i < f->payload.n; i++) {
        if (f->payload.p[i] != (uint8_t)((i * 2654435761u + (f->type + 1) * 40503u) >> 7))
            return false;
    }
    return true;
}

/* ---- who is who ---- */

/* That of worker n, or of anybody else who has a number. */
static inline struct kin_net_identity kit_identity(uint32_t n)
{
    struct kin_net_identity identity;
    uint8_t seed[crypto_sign_SEEDBYTES] = {7};
    kin_put_le32(seed + 4, n);
    crypto_sign_seed_keypair(identity.public_key, identity.private_key, seed);
    return identity;
}

static inline kin_node_id kit_admit(void *arg, const uint8_t key[KIN_NET_PUBLIC_BYTES])
{
    (void)arg;
    for (uint32_t n = 1; n < KIT_NODES; n++) {
        struct kin_net_identity identity = kit_identity(n);
        if (memcmp(identity.public_key, key, KIN_NET_PUBLIC_BYTES) == 0)
            return n;
    }
    return 0;
}

/* ---- endpoints ---- */

struct endpoint {
    struct kin_net *net;
    char address[64]; /* to dial, of a listener */
    atomic_uint frames, wrong, last[KIT_NUMBERS];
    atomic_uint ups[KIT_NUMBERS], downs[KIT_NUMBERS];
    atomic_uint_least64_t bytes;
    atomic_uint refusals; /* log lines that say so */
};

static inline void kit_on_frame(void *arg, kin_node_id from, struct kin_frame *f)
{
    struct endpoint *e = arg;
    if (from >= KIT_NUMBERS || !kit_frame_right(f))
        atomic_fetch_add(&e->wrong, 1);
    else
        atomic_store(&e->last[from], f->type);
    atomic_fetch_add(&e->bytes, f->body.n + f->payload.n);
    atomic_fetch_add(&e->frames, 1);
    kin_frame_unref(f);
}

/* Down follows up. */
static inline void kit_on_link(void *arg, kin_node_id node, bool up)
{
    struct endpoint *e = arg;
    if (node >= KIT_NUMBERS ||
        atomic_load(&e->ups[node]) - atomic_load(&e->downs[node]) != (up ? 0 : 1))
        atomic_fetch_add(&e->wrong, 1);
    else
        atomic_fetch_add(up ? &e->ups[node] : &e->downs[node], 1);
}

static inline void kit_on_log(void *arg, char level, const char *event, const char *text)
{
    struct endpoint *e = arg;
    KIN_ASSERT(level && *event && text);
    if (strcmp(event, "net_refused") == 0)
        atomic_fetch_add(&e->refusals, 1);
    if (getenv("KIN_TEST_LOG"))
        fprintf(stderr, "%c %s %s\n", level, event, text);
}

static inline struct kin_net_options kit_options(void)
{
    return (struct kin_net_options){.key = kit_key,
                                    .nodes = KIT_NODES - 1,
                                    .client_first = KIT_CLIENT_FIRST,
                                    .clients_max = KIT_CLIENTS,
                                    .backoff_ms = 100};
}

/* For tests that wait for an end; at most KIT_CONNECTIONS then. */
enum { KIT_PENDING = 16, KIT_CONNECTIONS = KIT_PENDING + 2 * (KIT_NODES - 1 + KIT_CLIENTS) + 128 };

static inline struct kin_net_options kit_quick_options(void)
{
    struct kin_net_options o = kit_options();
    o.pending_max = KIT_PENDING;
    o.handshake_ms = 500;
    o.ping_ms = 100;
    o.idle_ms = 1000;
    return o;
}

static inline kin_status endpoint_try(struct endpoint *e, const char *address,
                                      struct kin_net_options o, struct kin_err *err)
{
    *e = (struct endpoint){0};
    o.address = address;
    o.admit = kit_admit;
    o.on_frame = kit_on_frame;
    o.on_link = kit_on_link;
    o.log = kit_on_log;
    o.arg = e;
    if (o.role != KIN_NET_COORDINATOR)
        o.nodes = o.clients_max = 0;
    return kin_net_open(&o, &e->net, err);
}

/* self KIN_COORDINATOR: listens at the address; a worker's number: dials it, with that worker's
 * key; a greater one: a client, with a key that belongs to the number if identities are not made by
 * the net itself. */
static inline void endpoint_open(struct endpoint *e, kin_node_id self, const char *address,
                                 struct kin_net_options o)
{
    char kept[sizeof e->address];
    struct kin_err err = {0};
    struct kin_net_identity identity = kit_identity(self);
    kit_address_copy(kept, address);
    if (self != KIN_COORDINATOR) {
        o.role = self >= KIT_CLIENT_FIRST ? KIN_NET_CLIENT : KIN_NET_WORKER;
        o.identity = &identity;
    }
    if (endpoint_try(e, kept, o, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    if (kit_path(kept))
        kit_address_copy(e->address, kept);
    else
        snprintf(e->address, sizeof e->address, "tcp://127.0.0.1:%u", kin_net_port(e->net));
}

static inline void endpoint_close(struct endpoint *e)
{
    if (e->net && !kin_net_close(e->net, 0))
        fail_msg("nng does not let go");
    e->net = NULL;
    assert_int_equal(e->wrong, 0);
}

static inline struct kin_net_stats endpoint_stats(struct endpoint *e)
{
    struct kin_net_stats stats;
    kin_net_stats(e->net, &stats);
    return stats;
}

/* ---- a plain socket ---- */

static inline int raw_connect(const char *address)
{
    const char *path = kit_path(address), *colon = strrchr(address, ':');
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (path)
        memcpy(un.sun_path, path, strnlen(path, sizeof un.sun_path - 1));
    else
        in.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    const struct sockaddr *to = path ? (const void *)&un : (const void *)&in;
    assert_int_equal(connect(fd, to, path ? sizeof un : sizeof in), 0);
    return fd;
}

/* Listens at an address that was some endpoint's. */
static inline int raw_listen(const char *address)
{
    const char *path = kit_path(address);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (path)
        memcpy(un.sun_path, path, strnlen(path, sizeof un.sun_path - 1));
    else
        in.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
    const struct sockaddr *at = path ? (const void *)&un : (const void *)&in;
    assert_int_equal(bind(fd, at, path ? sizeof un : sizeof in), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static inline bool raw_write(int fd, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t some = send(fd, (const uint8_t *)p + done, n - done, MSG_NOSIGNAL);
        if (some <= 0)
            return false;
        done += (size_t)some;
    }
    return true;
}

/* False: closed, or nothing for a long time. */
static inline bool raw_read(int fd, void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, WAIT_MS) != 1)
            return false;
        ssize_t some = recv(fd, (uint8_t *)p + done, n - done, 0);
        if (some <= 0)
            return false;
        done += (size_t)some;
    }
    return true;
}

/* The peer closed; what it still had sent is skipped. */
static inline bool raw_closed(int fd)
{
    uint8_t junk[4096];
    for (uint64_t end = kit_now_ms() + WAIT_MS; kit_now_ms() < end;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 1000) == 1 && recv(fd, junk, sizeof junk, 0) <= 0)
            return true;
    }
    return false;
}

/* One who dials by hand. */
struct raw {
    uint32_t role, kind;
    uint32_t who; /* of kit_identity */
    uint64_t session;
    const uint8_t *key; /* of the secret; NULL: there is none */
    /* then: */
    int fd;
    struct wire_talk talk;
    struct wire_challenge challenge;
    struct wire_welcome welcome;
};

static inline struct raw raw_of(uint32_t who, uint32_t kind, uint64_t session)
{
    return (struct raw){.role = who >= KIT_CLIENT_FIRST ? KIN_NET_CLIENT : KIN_NET_WORKER,
                        .kind = kind,
                        .who = who,
                        .session = session,
                        .key = kit_key,
                        .fd = -1};
}

static inline void raw_hello(struct raw *r)
{
    struct wire_hello hello = {.version_min = WIRE_VERSION_MIN,
                               .version_max = WIRE_VERSION_MAX,
                               .role = r->role,
                               .kind = r->kind,
                               .session = r->session,
                               .nonce = {7}};
    struct kin_net_identity identity = kit_identity(r->who);
    memcpy(hello.public_key, identity.public_key, sizeof hello.public_key);
    wire_put_hello(&hello, r->talk.hello);
}

static inline void raw_answer(struct raw *r)
{
    static const uint8_t none[KIN_NET_KEY_BYTES];
    struct wire_answer answer;
    struct kin_net_identity identity = kit_identity(r->who);
    wire_prove(r->key ? r->key : none, &r->talk, answer.proof);
    wire_sign(&identity, &r->talk, answer.signature);
    wire_put_answer(&answer, r->talk.answer);
}

/* Connects, and hears the challenge. */
static inline void raw_begin(struct raw *r, const char *address)
{
    r->fd = raw_connect(address);
    raw_hello(r);
    assert_true(raw_write(r->fd, r->talk.hello, WIRE_SHAKE_BYTES));
    assert_true(raw_read(r->fd, r->talk.challenge, WIRE_SHAKE_BYTES));
    assert_true(wire_get_challenge(r->talk.challenge, &r->challenge));
}

/* Says talk.answer, and hears the welcome; its status. */
static inline uint32_t raw_end(struct raw *r)
{
    static const uint8_t none[KIN_NET_KEY_BYTES];
    uint8_t message[WIRE_SHAKE_BYTES], proof[WIRE_PROOF_BYTES];
    assert_true(raw_write(r->fd, r->talk.answer, WIRE_SHAKE_BYTES));
    assert_true(raw_read(r->fd, message, sizeof message));
    assert_true(wire_get_welcome(message, &r->welcome));
    if (r->welcome.status == KIN_OK) {
        wire_prove_welcome(r->key ? r->key : none, &r->talk, r->welcome.node, proof);
        assert_memory_equal(r->welcome.proof, proof, sizeof proof);
    } else { /* it gives nothing away */
        for (size_t i = 8; i < WIRE_SHAKE_BYTES; i++)
            assert_int_equal(message[i], 0);
    }
    return r->welcome.status;
}

/* A connection that is welcome; the number given is in r->welcome. */
static inline int raw_dial(struct raw *r, const char *address)
{
    raw_begin(r, address);
    assert_int_equal(r->challenge.status, KIN_OK);
    raw_answer(r);
    assert_int_equal(raw_end(r), KIN_OK);
    return r->fd;
}

/* One of a worker that knows the secret. */
static inline int raw_worker(const char *address, uint32_t node, uint32_t kind, uint64_t session)
{
    struct raw r = raw_of(node, kind, session);
    int fd = raw_dial(&r, address);
    assert_int_equal(r.welcome.node, node);
    return fd;
}

/* ---- what the process holds ---- */

static inline unsigned kit_descriptors(void)
{
    unsigned count = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d)) // NOLINT(concurrency-mt-unsafe): our own
        count++;
    closedir(d);
    return count;
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
/* the sanitizers map memory of their own ahead of need, and keep what was freed for a while */
enum { KIT_MEASURE_DATA = false, KIT_GROWTH_MIB = 512 };
#else
enum { KIT_MEASURE_DATA = true, KIT_GROWTH_MIB = 16 };
#endif

/* Bytes of memory: resident, or (data) that may be written to, touched or not. */
static inline size_t kit_memory(bool data)
{
    unsigned long resident = 0, writable = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*u %lu %*u %*u %*u %lu", &resident, &writable), 2); // NOLINT
    fclose(f);
    return (data ? writable : resident) * (size_t)sysconf(_SC_PAGESIZE);
}

#endif
