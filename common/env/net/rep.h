#ifndef KIN_ENV_NET_REP_H
#define KIN_ENV_NET_REP_H
/* A front door for those who speak nng already: a REP socket, whose requests become frames of
 * clients, and whose replies are the frames that are sent to these. Beside kin_net, in the
 * coordinator's process; nobody has to have it.
 *
 * Each request has a number of a node for as long as it takes: first, and those that follow, as
 * many as there are contexts. A request that is not answered in its time is given up: the next one
 * takes its number, and the asker asks again (or its REQ socket does).
 *
 * A message, both ways: u32 type, u32 bytes of the body, the body, the payload (little endian); a
 * request has 32 bytes before that, HMAC-SHA-256 of `kindred: request 1` with its zero and all that
 * follows, by the key that gateways use (docs/cluster.md); without a secret they are zero. This
 * keeps out whoever has not the secret; it does not keep whoever overhears a request from making it
 * again. What is no such message is answered by an empty one.
 *
 * Versions of nng before 1.6 (tcp) and 1.11 (tls+tcp) can be brought to a halt by those who connect
 * and go, and take the whole process with them: refused.
 *
 * Threads: nng's own. All functions are for any thread. */
#include "common/env/net/net.h"

struct kin_rep;

struct kin_rep_options {
    const char *address;       /* tcp://HOST:PORT or tls+tcp://HOST:PORT; borrowed */
    const uint8_t *key;        /* [KIN_NET_KEY_BYTES] of kin_net_key, copied; NULL: no secret */
    const char *tls_cert_file; /* certificate and key, for tls+tcp; borrowed */
    kin_node_id first;         /* the lowest number */
    uint32_t contexts;         /* requests at once; numbers are below KIN_NODES_MAX */
    size_t payload_max;        /* bytes of a request's payload; 0: 8 MiB */
    uint32_t patience_ms;      /* for an answer; 0: 90,000 */
    /* As those of kin_net. */
    void (*on_frame)(void *arg, kin_node_id from, struct kin_frame *frame);
    void (*log)(void *arg, char level, const char *event, const char *text);
    void *arg;
};

/* Whether the nng that is linked may listen at the address. KIN_E_VERSION: too old; KIN_E_INVAL:
 * neither tcp:// nor tls+tcp://. version: as of nng_version(). */
kin_status kin_rep_allowed(const char *version, const char *address,
                           struct kin_err *err) KIN_MUST_CHECK;

const char *kin_rep_version(void); /* of the nng that is linked */

/* Starts to listen. KIN_E_VERSION as above; KIN_E_INVAL: the address, or the numbers; KIN_E_BUSY:
 * the address is in use; KIN_E_IO, KIN_E_NOMEM. */
kin_status kin_rep_open(const struct kin_rep_options *options, struct kin_rep **out,
                        struct kin_err *err) KIN_MUST_CHECK;

/* Consumes a reference; the reply to the request that has the number, or nothing where there is
 * none. Does not block. */
void kin_rep_send(struct kin_rep *rep, kin_node_id to, struct kin_frame *frame);

/* The port listened on. */
unsigned kin_rep_port(const struct kin_rep *rep);

/* No callback follows. NULL is fine. Blocks for a moment. */
void kin_rep_close(struct kin_rep *rep);

#endif
