#include "tests/bench/load.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Requests over HTTP/1.1, kept alive: a connection has one request under way. A thread has its
 * share of the connections, and one epoll. */

enum { EVENTS = 256, HEAD_MAX = 64 * 1024 };

struct connection {
    int fd;
    bool busy;
    uint64_t due_ns, began_ns;
    struct kin_buf out, in;
    size_t sent;
};

struct worker {
    struct load *load;
    unsigned count;
    struct connection *connections;
    unsigned *idle;
    unsigned idle_count;
    int epoll, timer;
    uint64_t next; /* open loop: the number of a request that is due later */
    bool has_next;
    kin_status status;
    struct kin_err err;
};

static int connect_to(const struct load *l)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int fd = -1, yes = 1;
    if (getaddrinfo(l->host, l->port, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static bool open_connection(struct worker *w, unsigned index)
{
    struct connection *c = &w->connections[index];
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = index};
    c->fd = connect_to(w->load);
    c->busy = false;
    return c->fd >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

/* ---- requests ---- */

static void broken(struct worker *w, unsigned index);

static void flush_out(struct worker *w, unsigned index)
{
    struct connection *c = &w->connections[index];
    while (c->sent < c->out.n) {
        ssize_t n =
            send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.u32 = index};
            epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &e);
            return;
        }
        if (n <= 0) {
            broken(w, index);
            return;
        }
        c->sent += (size_t)n;
    }
}

static void send_request(struct worker *w, unsigned index, uint64_t n)
{
    const struct load *l = w->load;
    struct connection *c = &w->connections[index];
    struct kin_str body = lines_slice(l->lines, n, l->batch);
    kin_buf_clear(&c->out);
    kin_buf_clear(&c->in);
    kin_buf_printf(&c->out,
                   "POST %s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/x-ndjson\r\n"
                   "%s%sContent-Length: %zu\r\n\r\n",
                   l->path, l->host, l->port, l->header ? l->header : "", l->header ? "\r\n" : "",
                   body.n);
    kin_buf_put(&c->out, body.p, body.n);
    c->sent = 0;
    c->busy = true;
    c->due_ns = load_due(l, n);
    c->began_ns = now_ns();
    flush_out(w, index);
}

static void broken(struct worker *w, unsigned index)
{
    struct connection *c = &w->connections[index];
    atomic_fetch_add(&w->load->tally->broken, 1);
    close(c->fd);
    if (open_connection(w, index))
        w->idle[w->idle_count++] = index;
    else
        c->fd = -1; /* one less */
}

/* Sends what is due; false: all is sent. Arms the timer for what is due later. */
static bool send_due(struct worker *w)
{
    struct load *l = w->load;
    while (w->idle_count) {
        if (!w->has_next)
            w->next = atomic_fetch_add(&l->next, 1);
        w->has_next = true;
        uint64_t due = load_due(l, w->next), now = now_ns();
        if (due >= l->end_ns)
            return false;
        if (due > now) {
            struct itimerspec t = {.it_value = {.tv_sec = (time_t)(due / 1000000000),
                                                .tv_nsec = (long)(due % 1000000000)}};
            timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &t, NULL);
            return true;
        }
        w->has_next = false;
        send_request(w, w->idle[--w->idle_count], w->next);
    }
    return true;
}

/* ---- answers ---- */

static const char *find_header(const char *head, size_t n, const char *name)
{
    size_t length = strlen(name);
    for (const char *p = head; p && p < head + n; p = memchr(p, '\n', (size_t)(head + n - p))) {
        p += *p == '\n';
        if ((size_t)(head + n - p) > length && strncasecmp(p, name, length) == 0)
            return p + length;
    }
    return NULL;
}

/* Whether the answer is whole; its status and body. */
static bool parse(const struct connection *c, unsigned *status, struct kin_str *body)
{
    const char *text = (const char *)c->in.p, *end = memmem(text, c->in.n, "\r\n\r\n", 4);
    if (!end || c->in.n < 12)
        return false;
    size_t head = (size_t)(end - text) + 4;
    *status = (unsigned)strtoul(text + 9, NULL, 10);
    *body = (struct kin_str){text + head, c->in.n - head};
    const char *length = find_header(text, head, "content-length:");
    if (length)
        return body->n >= strtoull(length, NULL, 10);
    return body->n >= 5 && memcmp(body->p + body->n - 5, "0\r\n\r\n", 5) == 0; /* chunked */
}

static void on_readable(struct worker *w, unsigned index)
{
    struct connection *c = &w->connections[index];
    struct kin_str body;
    unsigned status;
    uint8_t *room = kin_buf_reserve(&c->in, HEAD_MAX);
    ssize_t n = room ? recv(c->fd, room, HEAD_MAX, MSG_DONTWAIT) : -1;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        broken(w, index);
        return;
    }
    c->in.n += (size_t)n;
    if (!c->busy || !parse(c, &status, &body))
        return;
    c->busy = false;
    w->idle[w->idle_count++] = index;
    if (status == 200)
        load_answered(w->load, c->due_ns, c->began_ns, body);
    else
        atomic_fetch_add(&w->load->tally->refused[status < STATUSES ? status : 0], 1);
}

static unsigned busy_count(const struct worker *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->count; i++)
        n += w->connections[i].fd >= 0 && w->connections[i].busy;
    return n;
}

static void *run_worker(void *arg)
{
    struct worker *w = arg;
    struct epoll_event events[EVENTS];
    uint64_t give_up = w->load->end_ns + (uint64_t)LOST_MS * 1000000;
    bool more = true;
    while (now_ns() < w->load->begin_ns)
        usleep(1000);
    while (now_ns() < give_up) {
        more = more && now_ns() < w->load->end_ns && send_due(w);
        if (!more && !busy_count(w))
            break;
        int n = epoll_wait(w->epoll, events, EVENTS, 10);
        for (int i = 0; i < n; i++) {
            uint64_t expirations;
            if (events[i].data.u32 == UINT32_MAX) {
                (void)!read(w->timer, &expirations, sizeof expirations);
                continue;
            }
            struct connection *c = &w->connections[events[i].data.u32];
            if (events[i].events & EPOLLOUT && c->busy) {
                struct epoll_event e = {.events = EPOLLIN, .data.u32 = events[i].data.u32};
                epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &e);
                flush_out(w, events[i].data.u32);
            } else if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
                on_readable(w, events[i].data.u32);
            }
        }
    }
    atomic_fetch_add(&w->load->tally->lost, busy_count(w));
    return NULL;
}

static kin_status open_worker(struct worker *w, struct load *l, unsigned connections,
                              struct kin_err *err)
{
    *w = (struct worker){.load = l, .count = connections};
    w->connections = kin_calloc(connections, sizeof *w->connections);
    w->idle = kin_calloc(connections, sizeof *w->idle);
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
    if (!w->connections || !w->idle || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->timer, &e) != 0)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    for (unsigned i = 0; i < connections; i++) {
        if (!open_connection(w, i))
            return kin_err_set(err, KIN_E_IO, "%s:%s: no connection: %s", l->host, l->port,
                               strerror(errno)); // NOLINT(concurrency-mt-unsafe)
        w->idle[w->idle_count++] = i;
    }
    return KIN_OK;
}

kin_status load_http(struct load *l, struct kin_err *err)
{
    static struct worker workers[CLIENTS_MAX];
    pthread_t threads[CLIENTS_MAX];
    unsigned n = l->clients ? l->clients : 1, begun = 0;
    n = n < l->in_flight ? n : l->in_flight;
    kin_status status = KIN_OK;
    for (unsigned i = 0; i < n && status == KIN_OK; i++)
        status = open_worker(&workers[i], l, l->in_flight / n + (i < l->in_flight % n), err);
    for (; begun < n && status == KIN_OK; begun++)
        pthread_create(&threads[begun], NULL, run_worker, &workers[begun]);
    for (unsigned i = 0; i < begun; i++)
        pthread_join(threads[i], NULL);
    return status;
}
