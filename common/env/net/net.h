#ifndef KIN_ENV_NET_NET_H
#define KIN_ENV_NET_NET_H
/* Frames between processes, over TCP or a socket of the file system. The coordinator listens,
 * workers and clients dial; each of them has two connections, one for bulk (frames with a large
 * payload) and one for control (all others), so that leases never queue behind records. What the
 * bytes are: docs/cluster.md.
 *
 * A dialler is known by its Ed25519 key, whose possession it proves in each handshake; the listener
 * decides which node number belongs to a key. Gateways, which are written in any language, have no
 * key and one connection: each connection is a client of its own, and the secret admits it.
 *
 * The contract is that of kin_env_ops.send: a frame arrives unchanged, once and in the order of its
 * connection, or not at all, and nobody tells. Dead links are dialled again for ever.
 *
 * Threads: nng's own move the bytes; a thread of this module makes, watches and frees connections.
 * All functions are for any thread. */
#include "common/env/env.h"

enum {
    KIN_NET_KEY_BYTES = 64,    /* of the secret: one for BLAKE2b, one for HMAC-SHA-256 */
    KIN_NET_PUBLIC_BYTES = 32, /* Ed25519, as libsodium has it */
    KIN_NET_PRIVATE_BYTES = 64,
    KIN_NET_BODY_MAX = 1 << 20,
    KIN_NET_BULK_BYTES = 64 * 1024 /* a larger payload goes over the bulk connection */
};

/* A gateway is one that dials without this module. */
enum kin_net_role { KIN_NET_COORDINATOR, KIN_NET_WORKER, KIN_NET_CLIENT, KIN_NET_GATEWAY };

struct kin_net_identity { /* of a dialler */
    uint8_t public_key[KIN_NET_PUBLIC_BYTES];
    uint8_t private_key[KIN_NET_PRIVATE_BYTES];
};

struct kin_net;

struct kin_net_options {
    enum kin_net_role role; /* the coordinator listens, the others dial it */
    const char *address;    /* tcp://HOST:PORT or unix:///absolute/path; borrowed until kin_net_open
                               returns. Port 0 (listening only): any that is free */
    const uint8_t *key;     /* [KIN_NET_KEY_BYTES] of kin_net_key, copied; NULL: no secret */

    /* Listening. Workers have the numbers 1..nodes; 0: none may come. admit is asked for the number
     * of a worker's key, the same one as long as the worker is connected; 0 refuses it. It is asked
     * after the key, and the secret if there is one, were proved; by any thread, several at once;
     * it may wait for a disk, for nothing else. */
    uint32_t nodes;
    kin_node_id (*admit)(void *arg, const uint8_t public_key[KIN_NET_PUBLIC_BYTES]);
    /* Clients and gateways have the numbers client_first..client_first + clients_max - 1, the
     * lowest that is free; a client keeps its own while any connection of it is there. clients_max
     * 0: none may come. All numbers are below KIN_NODES_MAX, those of clients above those of
     * workers. */
    kin_node_id client_first;
    uint32_t clients_max;

    /* Dialling: copied. NULL (clients only): a new one. */
    const struct kin_net_identity *identity;

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
    /* All connections of a node are there, or the first of them is gone. Told in order, by one
     * thread, soon after; frames may come before. A number is given to another client only after
     * the end of the last one was told; a link of a moment may go untold. Must not block. A hint;
     * may be NULL. */
    void (*on_link)(void *arg, kin_node_id node, bool up);
    /* A log line as of kin_env_ops.log, from any thread; may be NULL. */
    void (*log)(void *arg, char level, const char *event, const char *text);
    void *arg;
};

/* Starts to listen or dial. KIN_E_INVAL: the address, the numbers, or no identity; KIN_E_BUSY: the
 * address is in use; KIN_E_EXISTS: at the path is something else than a socket; KIN_E_IO,
 * KIN_E_NOMEM. A socket that a dead process left at the path is replaced. */
kin_status kin_net_open(const struct kin_net_options *options, struct kin_net **out,
                        struct kin_err *err) KIN_MUST_CHECK;

/* Consumes a reference. Does not block. */
void kin_net_send(struct kin_net *net, kin_node_id to, struct kin_frame *frame);

/* All connections to the node are there. A hint. */
bool kin_net_is_up(struct kin_net *net, kin_node_id node);

/* The port listened on; 0 for a path. */
unsigned kin_net_port(const struct kin_net *net);

/* Dialling: the number that the listener gave us last; 0 until it did, and for the listener. */
kin_node_id kin_net_self(struct kin_net *net);

/* Dialling: why there was no connection when it was last tried. KIN_OK: nothing is known against
 * it. KIN_E_IO: nobody answers there. All others are answers that will hardly change by dialling
 * again, which is done all the same: KIN_E_VERSION, no version in common; KIN_E_INVAL, the secret
 * is another one, or only one side has one; KIN_E_LIMIT, no number is left for us; KIN_E_RANGE, our
 * role is not wanted there; KIN_E_PROTO, what answers is no coordinator, or it does not believe our
 * signature. err (may be NULL) says so in words. */
kin_status kin_net_last_refusal(struct kin_net *net, struct kin_err *err);

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

enum { KIN_NET_PATH_MAX = 107 }; /* bytes of a socket's path */

/* tcp://HOST:PORT, HOST a name, an IPv4 address or an IPv6 address in brackets, port 0 to 65,535;
 * or unix:// and an absolute path of at most KIN_NET_PATH_MAX bytes. KIN_E_INVAL. *loopback: only
 * this machine can reach it, as far as the text tells. */
kin_status kin_net_address_check(const char *address, bool *loopback,
                                 struct kin_err *err) KIN_MUST_CHECK;

#endif
