#include "coordinator/gateway/http_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HOST_MAX = 64,
    BACKLOG = 1024,
    FILES_BESIDE = 256, /* that the rest of the process may need */
    CONNECTIONS_MIN = 64,
};

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static bool parse_port(const char *text, uint16_t *out)
{
    unsigned v = 0;
    size_t n = strlen(text);
    if (n < 1 || n > 5 || strspn(text, "0123456789") != n)
        return false;
    for (; *text; text++)
        v = v * 10 + (unsigned)(*text - '0');
    *out = (uint16_t)v;
    return v <= UINT16_MAX;
}

/* HOST:PORT; HOST an IPv4 address, an IPv6 address in brackets, or localhost. */
static bool parse_address(const char *text, union address *out, socklen_t *bytes, bool *loopback)
{
    char host[HOST_MAX + 1];
    const char *colon = strrchr(text, ':');
    bool six = *text == '[';
    size_t n = colon ? (size_t)(colon - text) : 0;
    uint16_t port;
    if (n < (six ? 3 : 1) || n > HOST_MAX || !parse_port(colon + 1, &port))
        return false;
    memset(out, 0, sizeof *out);
    memcpy(host, text + six, n - six);
    host[n - six - (six && text[n - 1] == ']')] = '\0';
    if (six) {
        out->six.sin6_family = AF_INET6;
        out->six.sin6_port = htons(port);
        *bytes = sizeof out->six;
        if (text[n - 1] != ']' || inet_pton(AF_INET6, host, &out->six.sin6_addr) != 1)
            return false;
        *loopback = IN6_IS_ADDR_LOOPBACK(&out->six.sin6_addr);
        return true;
    }
    out->four.sin_family = AF_INET;
    out->four.sin_port = htons(port);
    *bytes = sizeof out->four;
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                  &out->four.sin_addr) != 1)
        return false;
    *loopback = ntohl(out->four.sin_addr.s_addr) >> 24 == 127;
    return true;
}

static kin_status bind_socket(int fd, const char *text, const union address *a, socklen_t bytes,
                              struct kin_err *err)
{
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, &a->any, bytes) == 0 && listen(fd, BACKLOG) == 0)
        return KIN_OK;
    int sys = errno;
    kin_status status =
        kin_err_set(err, sys == EADDRINUSE ? KIN_E_BUSY : KIN_E_IO, "%s: %s", text, strerror(sys));
    if (err)
        err->sys = sys;
    return status;
}

kin_status http_listen(const char *address, bool insecure, struct http_listener *out,
                       struct kin_err *err)
{
    union address a;
    socklen_t bytes;
    bool loopback;
    if (!parse_address(address, &a, &bytes, &loopback))
        return kin_err_set(err, KIN_E_INVAL,
                           "%s: expected ADDRESS:PORT, as 127.0.0.1:7480 or [::1]:7480", address);
    if (!loopback && !insecure)
        return kin_err_set(err, KIN_E_INVAL,
                           "%s: others than this machine could reach it, and nothing is encrypted; "
                           "that has to be asked for (insecure)",
                           address);
    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return kin_err_set(err, KIN_E_IO, "%s: %s", address, strerror(errno));
    kin_status status = bind_socket(fd, address, &a, bytes, err);
    if (status == KIN_OK && getsockname(fd, &a.any, &bytes) != 0)
        status = kin_err_set(err, KIN_E_IO, "%s: %s", address, strerror(errno));
    if (status != KIN_OK) {
        close(fd);
        return status;
    }
    *out = (struct http_listener){
        .fd = fd,
        .port = ntohs(a.any.sa_family == AF_INET6 ? a.six.sin6_port : a.four.sin_port),
        .loopback = loopback};
    return KIN_OK;
}

uint32_t http_connections(uint32_t wanted)
{
    struct rlimit files;
    rlim_t need = (rlim_t)wanted + FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= need)
        return wanted;
    files.rlim_cur = files.rlim_max < need ? files.rlim_max : need;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) != 0)
        return wanted;
    rlim_t room = files.rlim_cur > FILES_BESIDE ? files.rlim_cur - FILES_BESIDE : 0;
    return room >= wanted ? wanted : room > CONNECTIONS_MIN ? (uint32_t)room : CONNECTIONS_MIN;
}
