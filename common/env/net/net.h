#ifndef KIN_ENV_NET_NET_H
#define KIN_ENV_NET_NET_H
/* Frames between processes, over TCP. The coordinator listens, workers dial; each worker has two
 * connections, one for bulk (frames with a large payload) and one for control (all others), so that
 * leases never queue behind records. What the bytes are: docs/cluster.md.
 *
 * The contract is that of kin_env_ops.send: a frame arrives unchanged, once and in the order of its
 * connection, or not at all, and nobody tells. Dead links are dialled again for ever.
 *
 * Threads: nng's own move the bytes; a thread of this module makes, watches and frees connections.
 * All functions are for any thread. */
#include "common/env/env.h"

enum {
    KIN_NET_KEY_BYTES = 32,
    KIN_NET_BODY_MAX = 1 << 20,
    KIN_NET_BULK_BYTES = 64 * 1024 /* a larger payload goes over the bulk connection */
};

struct kin_net;

struct kin_net_options {
    kin_node_id self;    /* KIN_COORDINATOR listens; another one dials it */
    const char *address; /* tcp://HOST:PORT; borrowed until kin_net_open returns. Port 0 (listening
                            only): any that is free */
    uint32_t nodes;      /* listening: workers 1..nodes are welcome; below KIN_NODES_MAX */
    const uint8_t *key;  /* [KIN_NET_KEY_BYTES] of kin_net_key, copied; NULL: no secret */

    /* 0: the default, in brackets */
    size_t payload_max;    /* bytes of one frame's payload, at most and by default 64 MiB */
    size_t queue_bytes;    /* that wait for one connection; beyond it frames are dropped (64 MiB) */
    unsigned pending_max;  /* connections that have not proved who they are (64) */
    uint32_t handshake_ms; /* for proving it (5000) */
    uint32_t ping_ms;      /* without traffic, until a ping (1000) */
    uint32_t idle_ms;      /* of silence, until a connection is closed (10,000) */
    uint32_t backoff_ms;   /* dialling: the longest pause between attempts (2000) */

    /* A frame came. Consumes it. Must not block; several may run at once. */
    void (*on_frame)(void *arg, kin_node_id from, struct kin_frame *frame);
    /* A log line as of kin_env_ops.log, from any thread; may be NULL. */
    void (*log)(void *arg, char level, const char *event, const char *text);
    void *arg;
};

/* Starts to listen or dial. KIN_E_INVAL: the address; KIN_E_BUSY: it is in use; KIN_E_IO,
 * KIN_E_NOMEM. */
kin_status kin_net_open(const struct kin_net_options *options, struct kin_net **out,
                        struct kin_err *err) KIN_MUST_CHECK;

/* Consumes a reference. Does not block. */
void kin_net_send(struct kin_net *net, kin_node_id to, struct kin_frame *frame);

/* Both connections to the node are there. A hint. */
bool kin_net_is_up(struct kin_net *net, kin_node_id node);

/* The port listened on. */
unsigned kin_net_port(const struct kin_net *net);

struct kin_net_stats {
    uint64_t accepted, dialled; /* connections made */
    uint64_t refused;           /* that did not prove who they are, of either side */
    uint64_t expired;           /* handshakes that were too slow, or gave way to newer ones */
    uint64_t replaced;          /* connections of a node that gave way to newer ones of it */
    uint64_t idle;              /* connections closed because nothing moved */
    uint64_t malformed;         /* connections closed because of what they sent */
    uint64_t frames_in, frames_out;
    uint64_t dropped; /* frames not sent: no connection, or its queue was full */
    unsigned connections, connections_max; /* open now, closing ones included; and at most so far */
};
void kin_net_stats(struct kin_net *net, struct kin_net_stats *out);

/* Sends what is queued, for at most linger_ms, closes all connections and frees net: no callback
 * follows. False: nng did not let go of a connection in a few seconds; net is leaked then, its
 * callbacks may still come, and the process had better leave by _exit. Blocks. */
bool kin_net_close(struct kin_net *net, uint32_t linger_ms);

/* Makes the key of connections from a secret of any length. */
void kin_net_key(const void *secret, size_t bytes, uint8_t key[KIN_NET_KEY_BYTES]);

/* tcp://HOST:PORT, HOST a name, an IPv4 address or an IPv6 address in brackets; port 0 to 65,535.
 * KIN_E_INVAL. *loopback: only this machine can reach it, as far as the text tells. */
kin_status kin_net_address_check(const char *address, bool *loopback,
                                 struct kin_err *err) KIN_MUST_CHECK;

#endif
