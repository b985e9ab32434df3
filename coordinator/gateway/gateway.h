#ifndef KIN_GATEWAY_GATEWAY_H
#define KIN_GATEWAY_GATEWAY_H
/* The HTTP side of a coordinator: /v1 (docs/http.md), the AWS Entity Resolution REST API, and what
 * operators look at (/healthz, /readyz, /metrics). It asks the coordinator through a backend only,
 * and runs threads of its own: gateway_open returns once it listens. */
#include "coordinator/gateway/backend.h"

struct gateway_options {
    const char
        *address; /* "127.0.0.1:7480", "[::1]:7480", "localhost:0"; port 0: any that is free */
    /* Lines `ACCESS_KEY_ID SECRET`, in a file for its owner's eyes alone; NULL: requests need no
     * signature. Read once. */
    const char *keys_file;
    bool insecure; /* an address beyond this machine is fine, although nothing is encrypted */
    const struct gateway_backend *backend; /* borrowed until gateway_close */
    /* [any thread] As kin_env_ops.log; may be NULL. */
    void (*log)(void *arg, char level, const char *event, const char *text);
    void *log_arg;
    /* 0: the default, in brackets */
    uint32_t
        connections;     /* [2,048] at a time; fewer where the process may not open so many files */
    uint32_t idle_ms;    /* [60,000] between the requests of a connection */
    uint32_t request_ms; /* [60,000] until a request is there as a whole, or an answer taken */
    uint32_t threads;    /* [2 to 4, by processors] that speak HTTP */
    uint32_t operations; /* [32] AWS operations at a time */
    uint32_t queue;      /* [256] of them that may wait for one of those */
};

struct gateway;

/* Main thread. KIN_E_INVAL: the address, or the keys file is no such file; KIN_E_NOTFOUND: no keys
 * file; KIN_E_BUSY: the address is taken; KIN_E_IO, KIN_E_NOMEM. */
kin_status gateway_open(const struct gateway_options *options, struct gateway **out,
                        struct kin_err *err) KIN_MUST_CHECK;

unsigned gateway_port(const struct gateway *g);

/* Refuses what comes, answers all requests under way (503 where the backend has not answered yet),
 * and ends. Blocks for a few seconds at most, and needs nothing of the backend: whoever drives it
 * may call this. The backend may still answer afterwards, and must, once: nothing of that is
 * awaited. NULL is fine. */
void gateway_close(struct gateway *g);

#endif
