#ifndef KIN_GATEWAY_HTTP_IMPL_H
#define KIN_GATEWAY_HTTP_IMPL_H
/* Inside of the server: the listening socket, and the connections under watch. */
#include "coordinator/gateway/http.h"

#include <pthread.h>
#include <stdatomic.h>

/* Opens a socket that listens. KIN_E_INVAL, KIN_E_BUSY, KIN_E_IO. */
struct http_listener {
    int fd;
    unsigned port;
    bool loopback;
};
kin_status http_listen(const char *address, bool insecure, struct http_listener *out,
                       struct kin_err *err) KIN_MUST_CHECK;

/* How many connections there may be, of those wanted: the process is allowed more files if need be,
 * and possible. */
uint32_t http_connections(uint32_t wanted);

/* ---- the watch: connections that take too long are shut down ---- */

/* libmicrohttpd knows only how long a connection was silent, and a byte now and then keeps it. */
struct http_conn {
    int fd;
    _Atomic uint64_t until_us; /* then it is shut down; 0: never */
    struct http_conn *next, **back;
};
struct http_watch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct http_conn *first;
    bool stopping, started;
};

uint64_t http_now_us(void); /* monotonic */
kin_status http_watch_start(struct http_watch *w) KIN_MUST_CHECK;
void http_watch_stop(struct http_watch *w); /* started or not; no connection is left */
/* [any thread] NULL: out of memory. The descriptor stays open until http_watch_remove returned. */
struct http_conn *http_watch_add(struct http_watch *w, int fd, uint64_t until_us);
void http_watch_remove(struct http_watch *w, struct http_conn *conn);

#endif
