#ifndef KIN_TESTS_NET_KIT_H
#define KIN_TESTS_NET_KIT_H
/* Endpoints on the loopback that check and count what they receive, and a plain socket that speaks
 * the protocol by hand, for tests. */
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 20 * 1000, KIT_NODES = 4 };

static const uint8_t kit_key[KIN_NET_KEY_BYTES] = {1, 2, 3};

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

/* ---- endpoints ---- */

struct endpoint {
    struct kin_net *net;
    unsigned port;
    atomic_uint frames, wrong, last[KIT_NODES];
    atomic_uint_least64_t bytes;
    atomic_uint refusals; /* log lines that say so */
};

static inline void kit_on_frame(void *arg, kin_node_id from, struct kin_frame *f)
{
    struct endpoint *e = arg;
    if (from >= KIT_NODES || !kit_frame_right(f))
        atomic_fetch_add(&e->wrong, 1);
    else
        atomic_store(&e->last[from], f->type);
    atomic_fetch_add(&e->bytes, f->body.n + f->payload.n);
    atomic_fetch_add(&e->frames, 1);
    kin_frame_unref(f);
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
    return (struct kin_net_options){.key = kit_key, .nodes = KIT_NODES - 1, .backoff_ms = 100};
}

/* port 0: one that is free. */
static inline void endpoint_open(struct endpoint *e, kin_node_id self, unsigned port,
                                 struct kin_net_options o)
{
    char address[64];
    struct kin_err err = {0};
    *e = (struct endpoint){0};
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
    o.self = self;
    o.address = address;
    o.on_frame = kit_on_frame;
    o.log = kit_on_log;
    o.arg = e;
    if (self != KIN_COORDINATOR)
        o.nodes = 0;
    if (kin_net_open(&o, &e->net, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    e->port = kin_net_port(e->net);
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

static inline int raw_connect(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
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

static inline void raw_hello(uint8_t to[WIRE_SHAKE_BYTES], uint32_t node, uint32_t kind,
                             uint64_t session)
{
    struct wire_hello hello = {.version_min = WIRE_VERSION_MIN,
                               .version_max = WIRE_VERSION_MAX,
                               .node = node,
                               .kind = kind,
                               .session = session,
                               .nonce = {7}};
    wire_put_hello(&hello, to);
}

/* A connection of a worker that knows the secret. */
static inline int raw_worker(unsigned port, uint32_t node, uint32_t kind, uint64_t session)
{
    uint8_t hello[WIRE_SHAKE_BYTES], answer[WIRE_SHAKE_BYTES], proof[WIRE_PROOF_BYTES];
    uint8_t challenge[WIRE_SHAKE_BYTES], message[WIRE_SHAKE_BYTES];
    const uint8_t *theirs;
    uint32_t status;
    int fd = raw_connect(port);
    raw_hello(hello, node, kind, session);
    assert_true(raw_write(fd, hello, sizeof hello));
    assert_true(raw_read(fd, challenge, sizeof challenge));
    wire_prove(WIRE_WORKER, kit_key, hello, challenge, proof);
    wire_put_proof(WIRE_WORKER, KIN_OK, proof, message);
    assert_true(raw_write(fd, message, sizeof message));
    assert_true(raw_read(fd, answer, sizeof answer));
    assert_true(wire_get_proof(WIRE_COORDINATOR, answer, &status, &theirs));
    assert_int_equal(status, KIN_OK);
    wire_prove(WIRE_COORDINATOR, kit_key, hello, challenge, proof);
    assert_memory_equal(theirs, proof, sizeof proof);
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
