#ifndef KIN_TESTS_GATEWAY_KIT_H
#define KIN_TESTS_GATEWAY_KIT_H
/* A gateway over a backend that answers as it is told to, and a client that writes any bytes. The
 * AWS operations are stood in for, too: this header belongs into one file of a program. */
#include "coordinator/gateway/aws.h"
#include "coordinator/gateway/gateway.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- the backend ---- */

enum fake_mode {
    FAKE_THREADS, /* another thread answers */
    FAKE_AT_ONCE, /* inside of ask */
    FAKE_HOLD,    /* fake_release does */
    FAKE_NOTHING, /* no answer in time */
};
enum { FAKE_THREAD_COUNT = 3, FAKE_HELD_MAX = 4096 };

struct fake_call {
    struct kin_frame *request; /* as it would go over the wire; NULL: nothing is to be answered */
    void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f);
    void *arg;
    struct fake_call *next;
};

struct fake {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t threads[FAKE_THREAD_COUNT];
    struct fake_call *queue, *held;
    bool stopping;
    enum fake_mode mode;
    /* what ANSWER says; its payload is `payload`, or where that is NULL a line for each of the
     * request's */
    struct kin_msg_answer says;
    const char *payload;
    const char *status_json;
    unsigned asked, held_count;
    char last[1024]; /* the request before, printed */
    struct kin_buf last_payload;
    uint32_t last_timeout_ms;
};

static inline void fake_payload(const struct fake *f, const struct kin_frame *request,
                                struct kin_buf *out)
{
    unsigned line = 0;
    if (f->payload) {
        kin_buf_puts(out, f->payload);
        return;
    }
    for (size_t i = 0; i < request->payload.n; i++) {
        if (request->payload.p[i] == '\n' || i + 1 == request->payload.n)
            kin_buf_printf(out, "{\"match_id\":\"m%u\"}\n", line++);
    }
}

static inline void fake_answer(struct fake *f, struct fake_call *call)
{
    struct kin_message asked, m = {.type = KIN_MSG_ANSWER}, decoded;
    struct kin_frame *frame = NULL;
    if (!call->request) {
        call->answer(call->arg, NULL, NULL);
        kin_free(call);
        return;
    }
    KIN_ASSERT(kin_message_decode(call->request, &asked, NULL) == KIN_OK);
    pthread_mutex_lock(&f->lock);
    if (asked.type == KIN_MSG_STATUS)
        m.type = KIN_MSG_STATUS_GOT;
    else
        m.u.answer = f->says;
    KIN_ASSERT(kin_message_encode(&m, &frame) == KIN_OK);
    if (asked.type == KIN_MSG_STATUS)
        kin_buf_puts(&frame->payload, f->status_json);
    else
        fake_payload(f, call->request, &frame->payload);
    pthread_mutex_unlock(&f->lock);
    KIN_ASSERT(kin_message_decode(frame, &decoded, NULL) == KIN_OK);
    call->answer(call->arg, &decoded, frame);
    kin_frame_unref(frame);
    kin_frame_unref(call->request);
    kin_free(call);
}

static inline void *fake_run(void *arg)
{
    struct fake *f = arg;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (!f->queue && !f->stopping)
            pthread_cond_wait(&f->changed, &f->lock);
        struct fake_call *call = f->queue;
        if (!call)
            break;
        f->queue = call->next;
        pthread_mutex_unlock(&f->lock);
        fake_answer(f, call);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static inline void fake_note(struct fake *f, const struct kin_message *m,
                             const struct kin_buf *payload)
{
    struct kin_buf text = {0};
    kin_message_print(m, &text);
    kin_buf_putc(&text, '\0');
    const char *name = kin_message_name(m->type), *fields = strchr((char *)text.p, '=');
    fields = fields ? strchr(fields, ' ') : NULL; /* behind the type's number */
    snprintf(f->last, sizeof f->last, "%s%s", name, fields ? fields : "");
    kin_buf_deinit(&text);
    kin_buf_clear(&f->last_payload);
    if (payload)
        kin_buf_put(&f->last_payload, payload->p, payload->n);
    f->asked++;
}

static inline void
fake_ask(void *backend, struct kin_message *m, struct kin_buf *payload, uint32_t timeout_ms,
         void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f), void *arg)
{
    struct fake *f = backend;
    struct fake_call *call = kin_calloc(1, sizeof *call);
    KIN_ASSERT(call && kin_message_encode(m, &call->request) == KIN_OK);
    call->answer = answer;
    call->arg = arg;
    pthread_mutex_lock(&f->lock);
    fake_note(f, m, payload);
    f->last_timeout_ms = timeout_ms;
    if (payload) {
        call->request->payload = *payload;
        *payload = (struct kin_buf){0};
    }
    enum fake_mode mode = f->mode;
    if (mode == FAKE_NOTHING) {
        kin_frame_unref(call->request);
        call->request = NULL;
    }
    if (mode == FAKE_HOLD) {
        call->next = f->held;
        f->held = call;
        f->held_count++;
        pthread_cond_broadcast(&f->changed);
    } else if (mode != FAKE_AT_ONCE) {
        call->next = f->queue;
        f->queue = call;
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    if (mode == FAKE_AT_ONCE)
        fake_answer(f, call);
}

static inline void fake_start(struct fake *f)
{
    memset(f, 0, sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->status_json = "{\"workers_joined\":2,\"workers_wanted\":2,\"uptime_ms\":5,\"live\":[]}";
    for (unsigned i = 0; i < FAKE_THREAD_COUNT; i++)
        KIN_ASSERT(pthread_create(&f->threads[i], NULL, fake_run, f) == 0);
}

static inline void fake_wait_held(struct fake *f, unsigned count)
{
    pthread_mutex_lock(&f->lock);
    while (f->held_count < count)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static inline void fake_release(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    struct fake_call *call = f->held;
    f->held = NULL;
    f->held_count = 0;
    pthread_mutex_unlock(&f->lock);
    for (struct fake_call *next; call; call = next) {
        next = call->next;
        fake_answer(f, call);
    }
}

static inline void fake_stop(struct fake *f)
{
    fake_release(f);
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    for (unsigned i = 0; i < FAKE_THREAD_COUNT; i++)
        pthread_join(f->threads[i], NULL);
    kin_buf_deinit(&f->last_payload);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
}

/* ---- the AWS operations ---- */

struct aws {
    const struct gateway_backend *backend;
};

struct aws_turn {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done, answered;
};

kin_status aws_new(const struct gateway_backend *backend, struct aws **out)
{
    *out = kin_calloc(1, sizeof **out);
    (*out)->backend = backend;
    return KIN_OK;
}

void aws_free(struct aws *aws)
{
    kin_free(aws);
}

bool aws_knows(const char *method, const char *path)
{
    return *method && strncmp(path, "/matchingworkflows", 18) == 0;
}

static inline void aws_answered(void *arg, const struct kin_message *m, struct kin_frame *f)
{
    struct aws_turn *turn = arg;
    (void)f;
    pthread_mutex_lock(&turn->lock);
    turn->is_done = true;
    turn->answered = m != NULL;
    pthread_cond_signal(&turn->done);
    pthread_mutex_unlock(&turn->lock);
}

/* Asks the backend once, and tells what it was given. */
void aws_handle(struct aws *aws, const struct gateway_request *r, struct gateway_response *out)
{
    struct aws_turn turn = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    struct kin_message m = {.type = KIN_MSG_STATUS};
    m.u.status.jobs_max = 1;
    aws->backend->ask(aws->backend->backend, &m, NULL, 1000, aws_answered, &turn);
    pthread_mutex_lock(&turn.lock);
    while (!turn.is_done)
        pthread_cond_wait(&turn.done, &turn.lock);
    pthread_mutex_unlock(&turn.lock);
    out->status = turn.answered ? 200 : 500;
    out->error_type = turn.answered ? NULL : "InternalServerException";
    kin_buf_printf(&out->body, "%s %s?%.*s %s %.*s", r->method, r->path, (int)r->query.n,
                   r->query.p, r->key_id ? r->key_id : "-", (int)r->body.n, r->body.p);
}

/* ---- gateway and backend, together ---- */

struct place {
    struct fake fake;
    struct gateway_backend backend;
    struct gateway *gateway;
    unsigned port;
};

static inline void place_open(struct place *p, struct gateway_options o)
{
    struct kin_err err = {0};
    memset(p, 0, sizeof *p);
    fake_start(&p->fake);
    p->backend = (struct gateway_backend){.ask = fake_ask, .backend = &p->fake};
    o.backend = &p->backend;
    if (!o.address)
        o.address = "127.0.0.1:0";
    if (gateway_open(&o, &p->gateway, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    p->port = gateway_port(p->gateway);
}

static inline void place_close(struct place *p)
{
    gateway_close(p->gateway);
    p->gateway = NULL;
    fake_stop(&p->fake);
}

/* ---- the client ---- */

static inline int dial(const struct place *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port)};
    struct timeval patience = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

/* False: the other side does not take it all. */
static inline bool put_bytes(int fd, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t some = send(fd, (const char *)p + done, n - done, MSG_NOSIGNAL);
        if (some <= 0)
            return false;
        done += (size_t)some;
    }
    return true;
}

static inline bool put_text(int fd, const char *text)
{
    return put_bytes(fd, text, strlen(text));
}

struct heard {
    unsigned status; /* 0: the connection ended before the head of an answer did */
    char head[4096];
    struct kin_buf body; /* terminated, the zero not counted */
};

static inline void heard_deinit(struct heard *h)
{
    kin_buf_deinit(&h->body);
}

/* The value of a header of an answer, up to its line's end; NULL: none. */
static inline const char *heard_header(const struct heard *h, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = strstr(h->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
            return line + 2 + n + 2;
    }
    return NULL;
}

static inline bool heard_has(const struct heard *h, const char *name, const char *value)
{
    const char *is = heard_header(h, name);
    size_t n = strlen(value);
    return is && strncmp(is, value, n) == 0 && is[n] == '\r';
}

/* One answer: its head byte by byte, so that nothing behind it is taken. */
static inline void hear(int fd, bool no_body, struct heard *h)
{
    size_t n = 0;
    memset(h, 0, sizeof *h);
    while (n < sizeof h->head - 1 && (n < 4 || memcmp(h->head + n - 4, "\r\n\r\n", 4) != 0)) {
        if (recv(fd, h->head + n, 1, 0) != 1)
            return;
        n++;
    }
    h->status = (unsigned)strtoul(h->head + 9, NULL, 10);
    const char *length = heard_header(h, "Content-Length");
    size_t bytes = length && !no_body ? strtoul(length, NULL, 10) : 0;
    uint8_t *to = kin_buf_reserve(&h->body, bytes + 1);
    while (h->body.n < bytes) {
        ssize_t some = recv(fd, to + h->body.n, bytes - h->body.n, 0);
        if (some <= 0)
            break;
        h->body.n += (size_t)some;
    }
    assert_int_equal(h->body.n, bytes);
    to[bytes] = '\0';
}

static inline const char *heard_body(const struct heard *h)
{
    return h->body.p ? (const char *)h->body.p : "";
}

/* One request over a connection of its own. headers: lines, each with its end. */
static inline void ask(const struct place *p, const char *method, const char *target,
                       const char *headers, const char *body, struct heard *h)
{
    struct kin_buf text = {0};
    int fd = dial(p);
    kin_buf_printf(&text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s", method, target, p->port,
                   headers);
    if (body)
        kin_buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
    kin_buf_puts(&text, "\r\n");
    kin_buf_puts(&text, body ? body : "");
    assert_true(put_bytes(fd, text.p, text.n));
    hear(fd, strcmp(method, "HEAD") == 0, h);
    close(fd);
    kin_buf_deinit(&text);
}

static inline void expect(const struct place *p, const char *method, const char *target,
                          const char *body, unsigned status, const char *answer)
{
    struct heard h;
    ask(p, method, target, "", body, &h);
    if (h.status != status || (answer && strcmp(heard_body(&h), answer) != 0))
        fail_msg("%s %s: %u %s", method, target, h.status, heard_body(&h));
    heard_deinit(&h);
}

static inline uint64_t kit_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

#endif
