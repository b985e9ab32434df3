#include "common/env/net/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { HOST_MAX = 253, PORT_DIGITS = 5, PORT_MAX = 65535 };

static bool port_ok(const char *p)
{
    unsigned port = 0;
    size_t n = strlen(p);
    if (n == 0 || n > PORT_DIGITS || strspn(p, "0123456789") != n)
        return false;
    for (; *p; p++)
        port = port * 10 + (unsigned)(*p - '0');
    return port <= PORT_MAX;
}

static bool name_ok(const char *host)
{
    return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
           strlen(host);
}

static bool host_check(const char *host, bool bracketed, bool *loopback)
{
    struct in_addr four;
    struct in6_addr six;
    if (bracketed) {
        if (inet_pton(AF_INET6, host, &six) != 1)
            return false;
        *loopback = IN6_IS_ADDR_LOOPBACK(&six);
        return true;
    }
    if (inet_pton(AF_INET, host, &four) == 1)
        *loopback = ntohl(four.s_addr) >> 24 == 127;
    else
        *loopback = strcmp(host, "localhost") == 0;
    return name_ok(host);
}

static bool tcp_check(const char *p, bool *loopback)
{
    char host[HOST_MAX + 1];
    const char *colon = strrchr(p, ':');
    bool bracketed = colon && *p == '[' && colon[-1] == ']';
    size_t from = bracketed ? 1 : 0;
    size_t n = colon ? (size_t)(colon - p) - 2 * from : 0;
    if (n == 0 || n > HOST_MAX)
        return false;
    memcpy(host, p + from, n);
    host[n] = '\0';
    return port_ok(colon + 1) && host_check(host, bracketed, loopback);
}

/* A directory, or what could be mistaken for one, is no socket. */
static bool path_check(const char *path)
{
    size_t n = strlen(path);
    const char *name = strrchr(path, '/');
    return *path == '/' && n <= KIN_NET_PATH_MAX && name[1] && strcmp(name, "/.") != 0 &&
           strcmp(name, "/..") != 0;
}

static const char *past(const char *address, const char *scheme)
{
    size_t n = strlen(scheme);
    return strncmp(address, scheme, n) == 0 ? address + n : NULL;
}

kin_status kin_net_address_check(const char *address, bool *loopback, struct kin_err *err)
{
    const char *tcp = past(address, "tcp://"), *path = past(address, "unix://");
    if (tcp && tcp_check(tcp, loopback))
        return KIN_OK;
    if (path && path_check(path)) {
        *loopback = true;
        return KIN_OK;
    }
    if (path)
        return kin_err_set(err, KIN_E_INVAL,
                           "'%s': expected unix:///PATH of a socket, at most %d bytes", address,
                           KIN_NET_PATH_MAX);
    return kin_err_set(err, KIN_E_INVAL, "'%s': expected tcp://HOST:PORT or unix:///PATH", address);
}
