#include "common/env/net/net_impl.h"

#include <stdio.h>
#include <string.h>

/* One connection: its queue out, its frames in. */

static void out_free(struct net_out *out)
{
    kin_frame_unref(out->frame);
    kin_free(out);
}

static enum wire_sum sum_of(const struct conn *c)
{
    return c->role == KIN_NET_GATEWAY ? WIRE_CRC32 : WIRE_XXH3;
}

/* ---- out ---- */

/* With c->lock. */
static void send_next(struct conn *c)
{
    struct net_out *out = c->head;
    if (c->send_busy || c->closing || !out)
        return;
    if (out->frame && c->sent == 0)
        wire_put_head(out->frame, c->send_sequence++, sum_of(c), out->head);
    nng_iov iov[3];
    unsigned count = 0;
    size_t skip = c->sent;
    struct {
        void *p;
        size_t n;
    } parts[3] = {
        {out->head, out->head_bytes},
        {out->frame ? out->frame->body.p : NULL, out->frame ? out->frame->body.n : 0},
        {out->frame ? out->frame->payload.p : NULL, out->frame ? out->frame->payload.n : 0}};
    for (size_t i = 0; i < 3; i++) {
        size_t past = skip < parts[i].n ? skip : parts[i].n;
        skip -= past;
        if (past < parts[i].n)
            iov[count++] = (nng_iov){(uint8_t *)parts[i].p + past, parts[i].n - past};
    }
    nng_aio_set_iov(c->send_aio, count, iov);
    c->send_busy = true;
    nng_stream_send(c->stream, c->send_aio);
}

static void on_sent(void *arg)
{
    struct conn *c = arg;
    struct kin_net *net = c->net;
    struct net_out *done = NULL;
    bool failed = nng_aio_result(c->send_aio) != 0, last = false;
    pthread_mutex_lock(&c->lock);
    if (!failed) {
        c->sent += nng_aio_count(c->send_aio);
        c->progress_us = net_now_us();
        if (c->sent >= c->head->bytes) {
            done = c->head;
            c->head = done->next;
            c->tail = c->head ? c->tail : NULL;
            c->queued -= done->bytes;
            c->sent = 0;
        }
    }
    last = c->close_when_sent && !c->head;
    pthread_mutex_unlock(&c->lock);
    if (done)
        out_free(done);
    if (failed || last)
        conn_close(c, last ? END_REFUSED : END_PEER);
    pthread_mutex_lock(&c->lock);
    c->send_busy = false;
    send_next(c);
    bool wake = c->closing;
    pthread_mutex_unlock(&c->lock);
    if (wake)
        net_wake(net);
}

/* With c->lock. Consumes out. */
static void push(struct conn *c, struct net_out *out)
{
    c->sent_us = net_now_us();
    if (c->tail)
        c->tail->next = out;
    else
        c->head = out;
    if (c->head == out)
        c->progress_us = c->sent_us;
    c->tail = out;
    c->queued += out->bytes;
    send_next(c);
}

void conn_send_shake(struct conn *c, const uint8_t message[WIRE_SHAKE_BYTES], bool last)
{
    struct net_out *out = kin_calloc(1, sizeof *out);
    if (!out) {
        conn_close(c, END_MEMORY);
        return;
    }
    out->head_bytes = out->bytes = WIRE_SHAKE_BYTES;
    memcpy(out->head, message, WIRE_SHAKE_BYTES);
    pthread_mutex_lock(&c->lock);
    c->close_when_sent = last;
    push(c, out);
    pthread_mutex_unlock(&c->lock);
}

bool conn_send_frame_locked(struct conn *c, struct kin_frame *frame)
{
    size_t bytes = WIRE_HEAD_BYTES + frame->body.n + frame->payload.n;
    bool room = !c->closing && (!c->head || c->queued + bytes <= c->net->o.queue_bytes);
    struct net_out *out = room ? kin_calloc(1, sizeof *out) : NULL;
    if (!out) {
        kin_frame_unref(frame);
        return false;
    }
    out->frame = frame;
    out->head_bytes = WIRE_HEAD_BYTES;
    out->bytes = bytes;
    push(c, out);
    return true;
}

/* ---- in ---- */

static bool frame_whole(const struct conn *c)
{
    return c->frame->body.n == c->frame_head.body_bytes &&
           c->frame->payload.n == c->frame_head.payload_bytes;
}

static enum conn_end frame_begin(struct conn *c, const uint8_t *bytes)
{
    struct wire_head *head = &c->frame_head;
    if (!wire_get_head(bytes, head) || head->sequence != c->recv_sequence ||
        head->body_bytes > KIN_NET_BODY_MAX || head->payload_bytes > c->net->o.payload_max)
        return END_MALFORMED;
    memcpy(c->frame_head_bytes, bytes, WIRE_HEAD_BYTES);
    c->recv_sequence++;
    c->frame = kin_frame_new(head->type);
    return c->frame ? END_NONE : END_MEMORY;
}

static enum conn_end frame_end(struct conn *c)
{
    struct kin_frame *frame = c->frame;
    struct kin_net *net = c->net;
    c->frame = NULL;
    bool ping = c->frame_head.type == WIRE_PING;
    if (!wire_check(c->frame_head_bytes, sum_of(c), frame) ||
        (ping && frame->body.n + frame->payload.n)) {
        kin_frame_unref(frame);
        return END_MALFORMED;
    }
    if (ping) {
        kin_frame_unref(frame);
        return END_NONE;
    }
    pthread_mutex_lock(&net->lock);
    net->stats.frames_in++;
    pthread_mutex_unlock(&net->lock);
    net->o.on_frame(net->o.arg, c->node, frame);
    return END_NONE;
}

/* Room for `want` more bytes, made as they come: a header alone makes nobody reserve much. */
static size_t room_for(struct kin_buf *b, size_t want)
{
    size_t step = b->n > PAYLOAD_STEP ? b->n : PAYLOAD_STEP;
    size_t n = want < step ? want : step;
    if (b->cap - b->n >= want)
        return want;
    return n == 0 || kin_buf_reserve(b, n) ? n : 0;
}

/* Moves bytes of the buffer into a part of the frame. */
static bool fill(struct kin_buf *to, size_t whole, const uint8_t **p, size_t *n)
{
    size_t want = whole - to->n, take = want < *n ? want : *n;
    if (take && room_for(to, want) < take)
        return false;
    if (take)
        memcpy(to->p + to->n, *p, take);
    to->n += take;
    *p += take;
    *n -= take;
    return true;
}

/* Takes in what lies in the buffer. */
static enum conn_end consume(struct conn *c)
{
    const uint8_t *p = c->buf;
    size_t n = c->have;
    enum conn_end end = END_NONE;
    while (end == END_NONE && c->stage != STAGE_NOTHING) {
        if (c->stage != STAGE_FRAMES) {
            if (n < WIRE_SHAKE_BYTES)
                break;
            end = shake_step(c, p);
            p += WIRE_SHAKE_BYTES;
            n -= WIRE_SHAKE_BYTES;
            continue;
        }
        if (!c->frame) {
            if (n < WIRE_HEAD_BYTES)
                break;
            end = frame_begin(c, p);
            p += WIRE_HEAD_BYTES;
            n -= WIRE_HEAD_BYTES;
            if (end != END_NONE)
                break;
        }
        if (!fill(&c->frame->body, c->frame_head.body_bytes, &p, &n) ||
            !fill(&c->frame->payload, c->frame_head.payload_bytes, &p, &n))
            return END_MEMORY;
        if (!frame_whole(c))
            break;
        end = frame_end(c);
    }
    memmove(c->buf, p, n);
    c->have = n;
    return end;
}

/* Begins a receive: into the frame in the making, and behind it into the buffer. */
static enum conn_end receive_more(struct conn *c)
{
    nng_iov iov[3];
    unsigned count = 0;
    bool whole = true;
    c->into_body = c->into_payload = 0;
    if (c->frame) {
        size_t body = c->frame_head.body_bytes - c->frame->body.n;
        size_t payload = c->frame_head.payload_bytes - c->frame->payload.n;
        c->into_body = room_for(&c->frame->body, body);
        if (c->into_body)
            iov[count++] = (nng_iov){c->frame->body.p + c->frame->body.n, c->into_body};
        if (c->into_body == body)
            c->into_payload = room_for(&c->frame->payload, payload);
        if (c->into_payload)
            iov[count++] = (nng_iov){c->frame->payload.p + c->frame->payload.n, c->into_payload};
        whole = c->into_body == body && c->into_payload == payload;
        if (!whole && count == 0)
            return END_MEMORY;
    }
    if (whole)
        iov[count++] = (nng_iov){c->buf + c->have, CONN_BUF_BYTES - c->have};
    nng_aio_set_iov(c->recv_aio, count, iov);
    pthread_mutex_lock(&c->lock);
    bool go = !c->closing && c->stage != STAGE_NOTHING;
    c->recv_busy = go;
    if (go)
        nng_stream_recv(c->stream, c->recv_aio);
    pthread_mutex_unlock(&c->lock);
    return END_NONE;
}

static void received(struct conn *c, size_t n)
{
    size_t body = n < c->into_body ? n : c->into_body;
    size_t payload = n - body < c->into_payload ? n - body : c->into_payload;
    if (c->frame) {
        c->frame->body.n += body;
        c->frame->payload.n += payload;
    }
    c->have += n - body - payload;
}

static void on_received(void *arg)
{
    struct conn *c = arg;
    struct kin_net *net = c->net;
    enum conn_end end = END_PEER;
    if (nng_aio_result(c->recv_aio) == 0 && nng_aio_count(c->recv_aio) > 0) {
        atomic_store_explicit(&c->heard_us, net_now_us(), memory_order_relaxed);
        received(c, nng_aio_count(c->recv_aio));
        end = END_NONE;
        if (c->frame && frame_whole(c))
            end = frame_end(c);
        if (end == END_NONE)
            end = consume(c);
        if (end == END_NONE)
            end = receive_more(c);
        if (end == END_NONE)
            return; /* or nothing more is wanted, and the keeper looks by itself */
    }
    conn_close(c, end);
    pthread_mutex_lock(&c->lock);
    c->recv_busy = false;
    pthread_mutex_unlock(&c->lock);
    net_wake(net);
}

/* ---- life ---- */

static void note_peer(struct conn *c)
{
    nng_sockaddr sa;
    uint64_t pid;
    snprintf(c->peer, sizeof c->peer, "?");
    if (c->net->path) {
        if (nng_stream_get_uint64(c->stream, NNG_OPT_IPC_PEER_PID, &pid) == 0)
            snprintf(c->peer, sizeof c->peer, "pid:%llu", (unsigned long long)pid);
        return;
    }
    if (nng_stream_get_addr(c->stream, NNG_OPT_REMADDR, &sa) != 0)
        return;
    if (sa.s_family == NNG_AF_INET) {
        uint8_t a[4];
        memcpy(a, &sa.s_in.sa_addr, sizeof a);
        snprintf(c->peer, sizeof c->peer, "%u.%u.%u.%u:%u", a[0], a[1], a[2], a[3],
                 (unsigned)__builtin_bswap16(sa.s_in.sa_port));
    } else if (sa.s_family == NNG_AF_INET6) {
        size_t at = 0;
        for (size_t i = 0; i < 16; i += 2)
            at += (size_t)snprintf(c->peer + at, sizeof c->peer - at, "%s%x", i ? ":" : "[",
                                   sa.s_in6.sa_addr[i] << 8 | sa.s_in6.sa_addr[i + 1]);
        snprintf(c->peer + at, sizeof c->peer - at, "]:%u",
                 (unsigned)__builtin_bswap16(sa.s_in6.sa_port));
    }
}

struct conn *conn_new_locked(struct kin_net *net, nng_stream *stream, enum conn_stage stage,
                             uint32_t kind)
{
    struct conn *c = kin_calloc(1, sizeof *c);
    if (!c || nng_aio_alloc(&c->recv_aio, on_received, c) != 0 ||
        nng_aio_alloc(&c->send_aio, on_sent, c) != 0) {
        if (c && c->recv_aio)
            nng_aio_free(c->recv_aio);
        kin_free(c);
        nng_stream_free(stream);
        return NULL;
    }
    c->net = net;
    c->stream = stream;
    c->stage = stage;
    c->role = net->o.role; /* of the dialler; a listener learns it */
    c->kind = kind;
    c->opened_us = c->sent_us = net_now_us();
    atomic_init(&c->heard_us, c->opened_us);
    pthread_mutex_init(&c->lock, NULL);
    if (!net->path) {
        nng_stream_set_bool(stream, NNG_OPT_TCP_NODELAY, true);
        nng_stream_set_bool(stream, NNG_OPT_TCP_KEEPALIVE, true);
    }
    note_peer(c);
    c->recv_busy = true; /* until conn_begin says otherwise */
    c->prev = net->conns_tail;
    if (c->prev)
        c->prev->next = c;
    else
        net->conns = c;
    net->conns_tail = c;
    net->conn_count++;
    if (net->conn_count > net->stats.connections_max)
        net->stats.connections_max = net->conn_count;
    return c;
}

void conn_begin(struct conn *c)
{
    if (c->stage == STAGE_CHALLENGE)
        shake_begin(c);
    enum conn_end end = receive_more(c);
    KIN_ASSERT(end == END_NONE); /* there is no frame yet that could want memory */
}

static void count_end(struct kin_net_stats *stats, enum conn_end end)
{
    stats->refused += end == END_REFUSED;
    stats->expired += end == END_EXPIRED;
    stats->replaced += end == END_REPLACED;
    stats->idle += end == END_IDLE;
    stats->malformed += end == END_MALFORMED;
}

/* Clients come and go. */
static char level_of(const struct conn *c, enum conn_end end)
{
    bool usual = end == END_STOP || (end == END_PEER && c->role != KIN_NET_WORKER) ||
                 (end == END_IDLE && c->role == KIN_NET_GATEWAY);
    return usual ? 'I' : 'W';
}

void conn_close_locked(struct conn *c, enum conn_end end)
{
    static const char *const reasons[END_COUNT] = {
        "",       "closed",    "refused",       "too slow", "replaced by a newer one",
        "silent", "malformed", "out of memory", "stopping"};
    struct kin_net *net = c->net;
    pthread_mutex_lock(&c->lock);
    bool first = !c->closing;
    c->closing = true;
    if (first)
        c->end = end;
    pthread_mutex_unlock(&c->lock);
    if (!first)
        return;
    count_end(&net->stats, end);
    net->woken = true;
    pthread_cond_signal(&net->wake);
    bool was_up = c->up;
    if (was_up)
        peers_lost_locked(c);
    if (!was_up && !net->listens && end == END_MALFORMED)
        peers_refused_locked(net, KIN_E_PROTO, "what answers there is no coordinator");
    if (was_up)
        net_log(net, level_of(c, end), "net_down", "node=%u connection=%s peer=%s reason=\"%s\"",
                net->listens ? c->node : c->given, c->kind == WIRE_BULK ? "bulk" : "control",
                c->peer, reasons[end]);
    else if (end != END_PEER && end != END_STOP && end != END_REFUSED)
        net_log(net, 'W', "net_rejected", "peer=%s reason=\"%s\"", c->peer, reasons[end]);
}

void conn_close(struct conn *c, enum conn_end end)
{
    struct kin_net *net = c->net;
    pthread_mutex_lock(&net->lock);
    conn_close_locked(c, end);
    pthread_mutex_unlock(&net->lock);
}

void conn_free(struct conn *c)
{
    nng_aio_free(c->recv_aio); /* waits until the callback, which has run, has returned */
    nng_aio_free(c->send_aio);
    nng_stream_free(c->stream);
    while (c->head) {
        struct net_out *next = c->head->next;
        out_free(c->head);
        c->head = next;
    }
    kin_frame_unref(c->frame);
    pthread_mutex_destroy(&c->lock);
    kin_free(c);
}
