/* Strangers at a listener: stranger URL COUNT makes COUNT connections of each kind to it, none of
 * which proves anything. URL is tcp://127.0.0.1:PORT or unix:///PATH. What the listener does with
 * them is its business; that they can connect at all (sooner or later) is checked here. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HELD = 48, HELLO_BYTES = 128 };

static uint64_t state = 88172645463325252u;

static uint64_t random_bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void rest(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static int dial(const char *url)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const char *colon = strrchr(url, ':');
    int fd, failed;
    if (strncmp(url, "unix://", 7) == 0) {
        snprintf(un.sun_path, sizeof un.sun_path, "%s", url + 7);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        failed = connect(fd, (struct sockaddr *)&un, sizeof un);
    } else {
        in.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        failed = connect(fd, (struct sockaddr *)&in, sizeof in);
    }
    if (failed) {
        close(fd);
        return -1;
    }
    return fd;
}

static int dial_patiently(const char *url)
{
    for (int i = 0; i < 500; i++) {
        int fd = dial(url);
        if (fd >= 0)
            return fd;
        rest(10);
    }
    fprintf(stderr, "stranger: no connection: %s\n", strerror(errno));
    exit(1);
}

static void put(int fd, const void *p, size_t n)
{
    ssize_t done = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)done; /* a closed connection is an answer too */
}

static void end_abruptly(int fd)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

/* A hello that looks right, and then nothing is. */
static void hello(uint8_t bytes[HELLO_BYTES])
{
    for (size_t i = 0; i < HELLO_BYTES; i++)
        bytes[i] = (uint8_t)random_bits();
    memcpy(bytes, "KINh\1\0\1\0", 8);
}

static void stranger(int kind, const char *url, int *held)
{
    uint8_t bytes[4096];
    int fd = dial_patiently(url);
    switch (kind) {
    case 0: /* turns round at the door */
        close(fd);
        break;
    case 1:
        end_abruptly(fd);
        break;
    case 2: /* speaks something else */
        put(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
        close(fd);
        break;
    case 3:
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)random_bits();
        put(fd, bytes, 1 + random_bits() % sizeof bytes);
        end_abruptly(fd);
        break;
    case 4: /* a hello, an answer, and a proof out of nowhere */
        hello(bytes);
        put(fd, bytes, HELLO_BYTES);
        rest(1);
        hello(bytes);
        bytes[3] = 'p';
        put(fd, bytes, HELLO_BYTES);
        close(fd);
        break;
    case 5: /* part of a hello, and then silence: it stays */
        hello(bytes);
        put(fd, bytes, 1 + random_bits() % (HELLO_BYTES - 1));
        if (*held >= 0)
            end_abruptly(*held);
        *held = fd;
        break;
    case 6: /* a frame before any hello, which promises much */
        memcpy(bytes, "KINf\2\0\0\0\xff\xff\xff\x7f\xff\xff\xff\x7f", 16);
        put(fd, bytes, 32);
        shutdown(fd, SHUT_WR);
        close(fd);
        break;
    default: /* reads nothing, says nothing, and its side is closed */
        shutdown(fd, SHUT_WR);
        if (*held >= 0)
            close(*held);
        *held = fd;
        break;
    }
}

int main(int argc, char **argv)
{
    enum { KINDS = 8 };
    int held[HELD];
    if (argc != 3)
        return 2;
    unsigned long count = strtoul(argv[2], NULL, 10);
    memset(held, 0xff, sizeof held);
    for (unsigned long i = 0; i < count * KINDS; i++)
        stranger((int)(i % KINDS), argv[1], &held[random_bits() % HELD]);
    for (int i = 0; i < HELD; i++) {
        if (held[i] >= 0)
            end_abruptly(held[i]);
    }
    printf("%lu strangers of %d kinds\n", count * KINDS, KINDS);
    return 0;
}
