#ifndef KIN_NET_WIRE_H
#define KIN_NET_WIRE_H
/* The bytes of a connection: four messages of a handshake, then frames. Pure; any thread. All
 * numbers are little endian.
 *
 *   worker                                      coordinator
 *   HELLO  versions, node, kind, session, nonce  ->
 *                        <-  CHALLENGE  version, whether a secret is needed, nonce, or a refusal
 *   PROOF  keyed hash of both                    ->
 *                        <-  WELCOME  another keyed hash of both, or a refusal
 *
 * Either side knows then that the other has the secret (BLAKE2b, keyed, over both messages and a
 * label, so that no answer can be reflected). Without a secret the key is zero and proves nothing.
 *
 * A frame is a header, the body, the payload. Its checksum covers all three, in a chain of XXH3. */
#include "common/env/net/net.h"

enum {
    WIRE_VERSION_MIN = 1,
    WIRE_VERSION_MAX = 1,
    WIRE_SHAKE_BYTES = 64, /* each message of the handshake */
    WIRE_HEAD_BYTES = 32,
    WIRE_NONCE_BYTES = 32,
    WIRE_PROOF_BYTES = 32,
    WIRE_PING = 0 /* frame type; the messages of proto/ count from 1 */
};

enum wire_kind { WIRE_CONTROL, WIRE_BULK, WIRE_KINDS };

struct wire_hello {
    uint16_t version_min, version_max;
    uint32_t node, kind;
    uint64_t session; /* of the process that dials */
    uint8_t nonce[WIRE_NONCE_BYTES];
};
struct wire_challenge {
    uint16_t version;
    bool secret;
    uint32_t status; /* a kin_status; not KIN_OK: refused */
    uint8_t nonce[WIRE_NONCE_BYTES];
};

void wire_put_hello(const struct wire_hello *m, uint8_t to[WIRE_SHAKE_BYTES]);
bool wire_get_hello(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_hello *m);
void wire_put_challenge(const struct wire_challenge *m, uint8_t to[WIRE_SHAKE_BYTES]);
bool wire_get_challenge(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_challenge *m);

/* PROOF and WELCOME. */
enum wire_side { WIRE_WORKER, WIRE_COORDINATOR };
void wire_prove(enum wire_side side, const uint8_t key[KIN_NET_KEY_BYTES],
                const uint8_t hello[WIRE_SHAKE_BYTES], const uint8_t challenge[WIRE_SHAKE_BYTES],
                uint8_t proof[WIRE_PROOF_BYTES]);
void wire_put_proof(enum wire_side side, kin_status status, const uint8_t proof[WIRE_PROOF_BYTES],
                    uint8_t to[WIRE_SHAKE_BYTES]);
/* False: not such a message. *status and proof (borrowed) are what it says. */
bool wire_get_proof(enum wire_side side, const uint8_t from[WIRE_SHAKE_BYTES], uint32_t *status,
                    const uint8_t **proof);

struct wire_head {
    uint32_t type, body_bytes, payload_bytes;
    uint64_t sequence; /* of the frame in its direction of the connection, from 0 */
    uint64_t checksum;
};
/* Fills to, checksum included. */
void wire_put_head(const struct kin_frame *frame, uint64_t sequence, uint8_t to[WIRE_HEAD_BYTES]);
/* False: no header. */
bool wire_get_head(const uint8_t from[WIRE_HEAD_BYTES], struct wire_head *head);
/* The frame that came is the one the header speaks of. */
bool wire_check(const uint8_t head[WIRE_HEAD_BYTES], const struct kin_frame *frame);

#endif
