#include "common/env/net/rep.h"

#include "common/env/net/net_impl.h"

#include <nng/protocol/reqrep0/rep.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAG_BYTES = 32,
    HEAD_BYTES = 8,
    SP_BYTES = 64, /* more than what nng counts of its own */
    PAYLOAD_DEFAULT = 8 << 20,
    PATIENCE_MS_DEFAULT = 90 * 1000,
    TICK_MS = 500,
    DECIMAL = 10
};

enum state {
    RECEIVING,
    HANDED,   /* on_frame has it, a reply is waited for */
    REPLYING, /* or about to begin to */
    IDLE      /* receiving failed; the next tick tries again */
};

struct slot { /* a context, and the number of the request that it has */
    struct kin_rep *rep;
    nng_ctx ctx;
    nng_aio *aio;
    kin_node_id node;
    enum state state; /* under rep->lock */
    uint64_t late_us; /* HANDED: it is given up then */
};

struct kin_rep {
    struct kin_rep_options o;
    uint8_t key[KIN_NET_KEY_BYTES];
    bool has_key, opened, closing;
    nng_socket socket;
    nng_aio *tick;
    unsigned port;
    pthread_mutex_t lock; /* not held where nng is called */
    struct slot *slots;   /* [o.contexts] */
    uint32_t made;        /* of them */
};

/* ---- versions ---- */

kin_status kin_rep_allowed(const char *version, const char *address, struct kin_err *err)
{
    bool tls = strncmp(address, "tls+tcp://", 10) == 0;
    char *rest;
    if (!tls && strncmp(address, "tcp://", 6) != 0)
        return kin_err_set(err, KIN_E_INVAL,
                           "'%s': expected tcp://HOST:PORT or tls+tcp://HOST:PORT", address);
    unsigned long major = strtoul(version, &rest, DECIMAL), minor = 0;
    if (*rest == '.')
        minor = strtoul(rest + 1, NULL, DECIMAL);
    unsigned long wanted = tls ? 11 : 6;
    if (major > 1 || (major == 1 && minor >= wanted))
        return KIN_OK;
    return kin_err_set(
        err, KIN_E_VERSION,
        "nng %s is too old for requests of nng's clients over %s, which could halt the "
        "process: 1.%lu or later is needed",
        version, tls ? "tls+tcp" : "tcp", wanted);
}

/* ---- messages ---- */

static void make_tag(const struct kin_rep *rep, const uint8_t *p, size_t n, uint8_t tag[TAG_BYTES])
{
    static const char label[] = "kindred: request 1";
    crypto_auth_hmacsha256_state state;
    memset(tag, 0, TAG_BYTES);
    if (!rep->has_key)
        return;
    crypto_auth_hmacsha256_init(&state, rep->key + WIRE_KEY_BYTES, WIRE_KEY_BYTES);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)label, sizeof label);
    crypto_auth_hmacsha256_update(&state, p, n);
    crypto_auth_hmacsha256_final(&state, tag);
    sodium_memzero(&state, sizeof state);
}

/* NULL: it is none, or there is no memory. */
static struct kin_frame *frame_of(const struct kin_rep *rep, const uint8_t *p, size_t n)
{
    uint8_t tag[TAG_BYTES];
    if (n < TAG_BYTES + HEAD_BYTES)
        return NULL;
    make_tag(rep, p + TAG_BYTES, n - TAG_BYTES, tag);
    if (sodium_memcmp(tag, p, TAG_BYTES) != 0)
        return NULL;
    p += TAG_BYTES;
    n -= TAG_BYTES + HEAD_BYTES;
    uint32_t type = kin_le32(p), body = kin_le32(p + 4);
    if (type == WIRE_PING || body > n || body > KIN_NET_BODY_MAX || n - body > rep->o.payload_max)
        return NULL;
    struct kin_frame *frame = kin_frame_new(type);
    if (!frame)
        return NULL;
    kin_buf_put(&frame->body, p + HEAD_BYTES, body);
    kin_buf_put(&frame->payload, p + HEAD_BYTES + body, n - body);
    if (!frame->body.failed && !frame->payload.failed)
        return frame;
    kin_frame_unref(frame);
    return NULL;
}

static nng_msg *message_of(const struct kin_frame *frame)
{
    uint8_t head[HEAD_BYTES];
    nng_msg *m = NULL;
    if (nng_msg_alloc(&m, 0) != 0)
        return NULL;
    kin_put_le32(head, frame->type);
    kin_put_le32(head + 4, (uint32_t)frame->body.n);
    if (nng_msg_append(m, head, sizeof head) == 0 &&
        nng_msg_append(m, frame->body.p, frame->body.n) == 0 &&
        nng_msg_append(m, frame->payload.p, frame->payload.n) == 0)
        return m;
    nng_msg_free(m);
    return NULL;
}

/* ---- contexts ---- */

static void set_state(struct slot *s, enum state state)
{
    pthread_mutex_lock(&s->rep->lock);
    s->state = state;
    s->late_us = net_now_us() + (uint64_t)s->rep->o.patience_ms * 1000;
    pthread_mutex_unlock(&s->rep->lock);
}

/* From one state to another, if it is in that one and nothing ends. */
static bool change(struct slot *s, enum state from, enum state to)
{
    pthread_mutex_lock(&s->rep->lock);
    bool fine = s->state == from && !s->rep->closing;
    if (fine)
        s->state = to;
    pthread_mutex_unlock(&s->rep->lock);
    return fine;
}

/* The state is RECEIVING. */
static void receive(struct slot *s)
{
    nng_ctx_recv(s->ctx, s->aio);
}

/* The state is REPLYING. m NULL: out of memory; nothing is said. */
static void reply(struct slot *s, nng_msg *m)
{
    if (!m) {
        set_state(s, RECEIVING);
        receive(s);
        return;
    }
    nng_aio_set_msg(s->aio, m);
    nng_ctx_send(s->ctx, s->aio);
}

static void on_request(struct slot *s, nng_msg *m)
{
    struct kin_rep *rep = s->rep;
    struct kin_frame *frame = frame_of(rep, nng_msg_body(m), nng_msg_len(m));
    if (frame) {
        nng_msg_free(m);
        set_state(s, HANDED); /* before anybody can answer */
        rep->o.on_frame(rep->o.arg, s->node, frame);
        return;
    }
    if (rep->o.log)
        rep->o.log(rep->o.arg, 'W', "rep_rejected", "reason=\"malformed, or of another secret\"");
    nng_msg_clear(m);
    set_state(s, REPLYING);
    reply(s, m);
}

static void on_aio(void *arg)
{
    struct slot *s = arg;
    int rv = nng_aio_result(s->aio);
    pthread_mutex_lock(&s->rep->lock);
    enum state was = s->state;
    bool closing = s->rep->closing;
    pthread_mutex_unlock(&s->rep->lock);
    if (was == REPLYING && rv != 0)
        nng_msg_free(nng_aio_get_msg(s->aio));
    if (was == RECEIVING && rv == 0) {
        nng_msg *m = nng_aio_get_msg(s->aio);
        if (closing)
            nng_msg_free(m);
        else
            on_request(s, m);
        return;
    }
    if (closing || rv == NNG_ECLOSED)
        return;
    set_state(s, was == REPLYING ? RECEIVING : IDLE);
    if (was == REPLYING)
        receive(s);
}

static void on_tick(void *arg)
{
    struct kin_rep *rep = arg;
    if (nng_aio_result(rep->tick) != 0)
        return;
    uint64_t now = net_now_us();
    for (uint32_t i = 0; i < rep->o.contexts; i++) {
        struct slot *s = &rep->slots[i];
        pthread_mutex_lock(&rep->lock);
        bool again =
            !rep->closing && (s->state == IDLE || (s->state == HANDED && now > s->late_us));
        if (again)
            s->state = RECEIVING; /* the socket forgets the request that it had */
        pthread_mutex_unlock(&rep->lock);
        if (again)
            receive(s);
    }
    pthread_mutex_lock(&rep->lock);
    bool closing = rep->closing;
    pthread_mutex_unlock(&rep->lock);
    if (!closing)
        nng_sleep_aio(TICK_MS, rep->tick);
}

void kin_rep_send(struct kin_rep *rep, kin_node_id to, struct kin_frame *frame)
{
    bool ours = to >= rep->o.first && to - rep->o.first < rep->o.contexts;
    struct slot *s = ours ? &rep->slots[to - rep->o.first] : NULL;
    if (s && change(s, HANDED, REPLYING))
        reply(s, message_of(frame));
    kin_frame_unref(frame);
}

unsigned kin_rep_port(const struct kin_rep *rep)
{
    return rep->port;
}

/* ---- life ---- */

static int make_slots(struct kin_rep *rep)
{
    int rv = 0;
    for (uint32_t i = 0; i < rep->o.contexts && rv == 0; i++) {
        struct slot *s = &rep->slots[i];
        *s = (struct slot){.rep = rep, .node = rep->o.first + i};
        rv = nng_ctx_open(&s->ctx, rep->socket);
        if (rv == 0)
            rv = nng_aio_alloc(&s->aio, on_aio, s);
        rep->made += rv == 0;
    }
    return rv;
}

static int listen_at(struct kin_rep *rep, const char *cert_file)
{
    nng_listener listener;
    int port = 0;
    size_t most = TAG_BYTES + HEAD_BYTES + KIN_NET_BODY_MAX + rep->o.payload_max + SP_BYTES;
    int rv = nng_socket_set_size(rep->socket, NNG_OPT_RECVMAXSZ, most);
    if (rv == 0)
        rv = nng_listener_create(&listener, rep->socket, rep->o.address);
    if (rv == 0 && cert_file)
        rv = nng_listener_set_string(listener, NNG_OPT_TLS_CERT_KEY_FILE, cert_file);
    if (rv == 0)
        rv = nng_listener_start(listener, 0);
    if (rv == 0)
        rv = nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port);
    rep->port = (unsigned)port;
    return rv;
}

static struct kin_rep *rep_new(const struct kin_rep_options *options)
{
    struct kin_rep *rep = kin_calloc(1, sizeof *rep);
    if (!rep)
        return NULL;
    rep->o = *options;
    rep->o.key = NULL;
    rep->o.payload_max = options->payload_max ? options->payload_max : PAYLOAD_DEFAULT;
    rep->o.patience_ms = options->patience_ms ? options->patience_ms : PATIENCE_MS_DEFAULT;
    rep->has_key = options->key != NULL;
    if (options->key)
        memcpy(rep->key, options->key, sizeof rep->key);
    rep->slots = kin_calloc(options->contexts, sizeof *rep->slots);
    pthread_mutex_init(&rep->lock, NULL);
    if (rep->slots)
        return rep;
    kin_rep_close(rep);
    return NULL;
}

const char *kin_rep_version(void)
{
    return nng_version();
}

kin_status kin_rep_open(const struct kin_rep_options *options, struct kin_rep **out,
                        struct kin_err *err)
{
    kin_status status = kin_rep_allowed(nng_version(), options->address, err);
    if (status != KIN_OK)
        return status;
    if (options->first == KIN_COORDINATOR || options->first >= KIN_NODES_MAX ||
        options->contexts == 0 || options->contexts > KIN_NODES_MAX - options->first)
        return kin_err_set(err, KIN_E_INVAL, "%u node numbers from %u on", options->contexts,
                           options->first);
    struct kin_rep *rep = sodium_init() < 0 ? NULL : rep_new(options);
    if (!rep)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    int rv = nng_rep0_open(&rep->socket);
    rep->opened = rv == 0;
    if (rv == 0)
        rv = nng_aio_alloc(&rep->tick, on_tick, rep);
    if (rv == 0)
        rv = make_slots(rep);
    for (uint32_t i = 0; i < rep->made; i++)
        receive(&rep->slots[i]);
    if (rv == 0)
        rv = listen_at(rep, options->tls_cert_file);
    rep->o.address = rep->o.tls_cert_file = NULL;
    if (rv == 0) {
        nng_sleep_aio(TICK_MS, rep->tick);
        *out = rep;
        return KIN_OK;
    }
    kin_rep_close(rep);
    return kin_err_set(err, net_status(rv), "cannot listen at %s: %s", options->address,
                       nng_strerror(rv));
}

void kin_rep_close(struct kin_rep *rep)
{
    if (!rep)
        return;
    pthread_mutex_lock(&rep->lock);
    rep->closing = true;
    pthread_mutex_unlock(&rep->lock);
    if (rep->tick)
        nng_aio_stop(rep->tick);
    if (rep->opened)
        nng_close(rep->socket);
    for (uint32_t i = 0; rep->slots && i < rep->o.contexts; i++) {
        if (!rep->slots[i].aio)
            continue;
        nng_aio_stop(rep->slots[i].aio);
        nng_aio_free(rep->slots[i].aio);
    }
    if (rep->tick)
        nng_aio_free(rep->tick);
    pthread_mutex_destroy(&rep->lock);
    sodium_memzero(rep->key, sizeof rep->key);
    kin_free(rep->slots);
    kin_free(rep);
}
