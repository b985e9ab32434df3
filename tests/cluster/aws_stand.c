/* The AWS operations of the gateway behind a plain HTTP server, with a coordinator that is made up:
 * for sessions of real clients where no server is at hand. One connection at a time, one request a
 * connection, no signatures. Records match by their column `mail` (field `email`).
 *
 *   kin_aws_stand        serves on a port of its own choice, which it prints, until it is ended */
#include "tests/unit/aws_fake.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_MAX = 2 << 20, HEADERS_MAX = 64 << 10 };

struct request {
    struct kin_buf bytes; /* all that came, the head terminated */
    char *body;
    size_t head; /* bytes up to the body */
    size_t length;
    struct kin_buf query;
};

/* The value of a header in the head, its end in *n; NULL: none. */
static const char *header(const char *head, const char *name, size_t *n)
{
    size_t length = strlen(name);
    for (const char *p = strstr(head, "\r\n"); p; p = strstr(p, "\r\n")) {
        p += 2;
        if (strncasecmp(p, name, length) != 0 || p[length] != ':')
            continue;
        p += length + 1;
        p += strspn(p, " ");
        *n = strcspn(p, "\r\n");
        return p;
    }
    return NULL;
}

/* Headers that are parameters go to the query, as aws.h says. */
static void append_header(struct request *r, const char *name)
{
    size_t n = 0;
    const char *value = header((const char *)r->bytes.p, name, &n);
    if (!value)
        return;
    kin_buf_printf(&r->query, "%s%s=", r->query.n ? "&" : "", name);
    for (size_t i = 0; i < n; i++)
        kin_buf_printf(&r->query, "%%%02x", (unsigned char)value[i]);
}

/* Reads up to the blank line, then the body. */
static bool receive(int fd, struct request *r)
{
    const char *end = NULL;
    size_t n = 0;
    while (r->bytes.n < REQUEST_MAX) {
        uint8_t *p = kin_buf_reserve(&r->bytes, HEADERS_MAX);
        ssize_t got = p ? read(fd, p, HEADERS_MAX - 1) : 0;
        if (got <= 0)
            return false;
        r->bytes.n += (size_t)got;
        r->bytes.p[r->bytes.n] = '\0';
        end = end ? end : strstr((char *)r->bytes.p, "\r\n\r\n");
        if (!end)
            continue;
        if (!r->head) {
            const char *length = header((char *)r->bytes.p, "content-length", &n);
            r->head = (size_t)(end - (const char *)r->bytes.p) + 4;
            r->length = length ? strtoul(length, NULL, 10) : 0;
            if (header((char *)r->bytes.p, "expect", &n) &&
                write(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25) != 25)
                return false;
        }
        end = (const char *)r->bytes.p + r->head;
        if (r->bytes.n - r->head >= r->length)
            return true;
    }
    return false;
}

static void respond(int fd, const struct gateway_response *response)
{
    struct kin_buf out = {0};
    kin_buf_printf(&out,
                   "HTTP/1.1 %u Said\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n"
                   "connection: close\r\nx-amzn-requestid: 0\r\n",
                   response->status, response->body.n);
    if (response->error_type)
        kin_buf_printf(&out, "x-amzn-errortype: %s\r\n", response->error_type);
    kin_buf_puts(&out, "\r\n");
    kin_buf_put(&out, response->body.p, response->body.n);
    for (size_t done = 0; done < out.n;) {
        ssize_t n = write(fd, out.p + done, out.n - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    kin_buf_deinit(&out);
}

static void serve(struct aws *aws, int fd)
{
    struct request r = {.head = 0};
    struct gateway_response response = {.status = 0};
    if (receive(fd, &r)) {
        char *method = (char *)r.bytes.p, *path = strchr(method, ' ');
        char *stop = path ? strchr(path + 1, ' ') : NULL;
        append_header(&r, "inputSource");
        append_header(&r, "uniqueIds");
        if (stop) {
            *path++ = *stop = '\0';
            char *query = strchr(path, '?');
            if (query) {
                *query++ = '\0';
                kin_buf_printf(&r.query, "%s%s", r.query.n ? "&" : "", query);
            }
            struct gateway_request request = {method,
                                              path,
                                              {(const char *)r.query.p, r.query.n},
                                              {(const char *)r.bytes.p + r.head, r.length},
                                              NULL};
            aws_handle(aws, &request, &response);
            respond(fd, &response);
        }
    }
    kin_buf_deinit(&response.body);
    kin_buf_deinit(&r.bytes);
    kin_buf_deinit(&r.query);
}

/* Before the first job nothing is served; a source in /etc is below no --files. */
static void ask(void *backend, struct kin_message *m, struct kin_buf *payload, uint32_t timeout_ms,
                void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f),
                void *arg)
{
    struct fake *f = backend;
    uint32_t served = f->job ? KIN_OK : KIN_E_NOTFOUND;
    f->status[KIN_MSG_LOOKUP] = f->status[KIN_MSG_PUT] = served;
    f->status[KIN_MSG_SUBMIT] = KIN_OK;
    if (m->type == KIN_MSG_SUBMIT &&
        memmem(m->u.submit.workflow.p, m->u.submit.workflow.n, "\"/etc/", 6))
        f->status[KIN_MSG_SUBMIT] = KIN_E_INVAL;
    f->refusal = "a source is not below the coordinator's --files";
    fake_ask(backend, m, payload, timeout_ms, answer, arg);
    if (m->type == KIN_MSG_SUBMIT && f->job == 1 && !f->id_count) {
        f->ids[0] = fake_copy(KIN_STR("crm/c1"));
        f->values[0] = fake_copy(KIN_STR("ann@example.com"));
        f->id_count = 1;
    }
}

int main(void)
{
    struct fake *f = fake_new();
    struct gateway_backend backend = {ask, f};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    struct aws *aws = NULL;
    f->column = "mail";
    f->field = "email";
    f->job_state = KIN_JOB_DONE;
    f->live = "{\"workflow\":\"people\",\"records\":3,\"groups\":2}";
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (aws_new(&backend, &aws) != KIN_OK || listener < 0 ||
        bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &n) != 0)
        return 1;
    printf("listening http=127.0.0.1:%u rpc=none\n", ntohs(at.sin_port));
    fflush(stdout);
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        serve(aws, fd);
        close(fd);
    }
    aws_free(aws);
    fake_free(f);
    return 0;
}
