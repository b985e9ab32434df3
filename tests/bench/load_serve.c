#include "tests/bench/load.h"

#include "common/env/net/net.h"
#include "proto/jobs.h"
#include "proto/message.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A trivial responder: one fixed line for each line of a request. */

enum { EVENTS = 256, READ_BYTES = 256 * 1024, FDS = 8192 };

static const char answer_line[] =
    "{\"match_id\":\"00112233445566778899aabbccddeeff\",\"rule\":\"same email\",\"confidence\":1,"
    "\"source\":\"crm\",\"id\":\"c17\",\"size\":3}\n";

static void put_answer(struct kin_buf *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n')
            kin_buf_put(out, answer_line, sizeof answer_line - 1);
    }
}

/* ---- RPC ---- */

struct responder {
    _Atomic(struct kin_net *) net;
};

static void on_frame(void *arg, kin_node_id from, struct kin_frame *f)
{
    struct responder *r = arg;
    struct kin_message m, a = {.type = KIN_MSG_ANSWER, .version = KIN_PROTO_VERSION_MAX};
    struct kin_frame *reply;
    struct kin_net *net = atomic_load(&r->net);
    if (net && kin_message_decode(f, &m, NULL) == KIN_OK) {
        a.request = m.request;
        if (kin_message_encode(&a, &reply) == KIN_OK) {
            put_answer(&reply->payload, f->payload.p, f->payload.n);
            kin_net_send(net, from, reply);
        }
    }
    kin_frame_unref(f);
}

static kin_node_id admit(void *arg, const uint8_t key[KIN_NET_PUBLIC_BYTES])
{
    (void)arg;
    (void)key;
    return 0;
}

kin_status serve_rpc(const char *address, struct kin_err *err)
{
    static struct responder r;
    struct kin_net *net;
    struct kin_net_options o = {.role = KIN_NET_COORDINATOR,
                                .address = address,
                                .admit = admit,
                                .client_first = KIN_CLIENT_FIRST,
                                .clients_max = KIN_CLIENTS_MAX,
                                .on_frame = on_frame,
                                .arg = &r};
    kin_status status = kin_net_open(&o, &net, err);
    if (status == KIN_OK)
        atomic_store(&r.net, net);
    while (status == KIN_OK)
        pause();
    return status;
}

/* ---- HTTP ---- */

/* Answers the first whole request of in, and takes it out; false: there is none. */
static bool answer_one(int fd, struct kin_buf *in, struct kin_buf *out)
{
    const char *text = (const char *)in->p;
    const char *end = in->n ? memmem(text, in->n, "\r\n\r\n", 4) : NULL;
    const char *length = end ? memmem(text, (size_t)(end - text), "Content-Length: ", 16) : NULL;
    size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
    size_t head = end ? (size_t)(end - text) + 4 : 0;
    if (!end || in->n < head + body)
        return false;
    size_t lines = 0;
    for (size_t i = 0; i < body; i++)
        lines += text[head + i] == '\n';
    kin_buf_clear(out);
    kin_buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                   lines * (sizeof answer_line - 1));
    put_answer(out, in->p + head, body);
    for (size_t sent = 0; sent < out->n;) {
        ssize_t n = send(fd, out->p + sent, out->n - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    memmove(in->p, in->p + head + body, in->n - head - body);
    in->n -= head + body;
    return true;
}

static void serve_ready(int fd, struct kin_buf *in, struct kin_buf *out)
{
    uint8_t *room = kin_buf_reserve(in, READ_BYTES);
    ssize_t n = room ? recv(fd, room, READ_BYTES, 0) : 0;
    if (n <= 0) {
        close(fd);
        kin_buf_deinit(in);
        *in = (struct kin_buf){0};
        return;
    }
    in->n += (size_t)n;
    while (answer_one(fd, in, out))
        continue;
}

kin_status serve_http(const char *port, struct kin_err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    static struct kin_buf in[FDS];
    struct kin_buf out = {0};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 4096) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) != 0)
        return kin_err_set(err, KIN_E_IO, "port %s cannot be listened at", port);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                serve_ready(fd, &in[fd], &out);
                continue;
            }
            fd = accept(listener, NULL, NULL);
            e.data.fd = fd;
            if (fd >= FDS || (fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0))
                close(fd);
            else if (fd >= 0)
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        }
    }
}
