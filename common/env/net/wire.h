#ifndef KIN_NET_WIRE_H
#define KIN_NET_WIRE_H
/* The bytes of a connection: four messages of a handshake, then frames. Pure; any thread. All
 * numbers are little endian.
 *
 *   dialler                                     coordinator
 *   HELLO  versions, role, kind, session, nonce, public key  ->
 *                        <-  CHALLENGE  version, whether a secret is needed, nonce, or a refusal
 *   PROOF  keyed hash of both, signature of both             ->
 *                        <-  WELCOME  keyed hash of all three, node number, or a refusal
 *
 * Either side knows then that the other has the secret (BLAKE2b, keyed, over the messages and a
 * label, so that no answer can be reflected), and the coordinator that the dialler has the private
 * key (Ed25519; nothing that was said before can be said again, for both nonces are in it). Without
 * a secret the key of the hashes is zero, and they prove nothing.
 *
 * A gateway signs nothing, and its proof and the coordinator's are HMAC-SHA-256 instead: standard
 * libraries have that. Its public key is not looked at; the listener makes one up.
 *
 * A frame is a header, the body, the payload. Its checksum covers all three, in a chain of XXH3;
 * with a gateway, of CRC-32 (zlib's). */
#include "common/env/net/net.h"

enum {
    WIRE_VERSION_MIN = 1,
    WIRE_VERSION_MAX = 1,
    WIRE_SHAKE_BYTES = 128, /* each message of the handshake */
    WIRE_HEAD_BYTES = 32,
    WIRE_NONCE_BYTES = 32,
    WIRE_PROOF_BYTES = 32,
    WIRE_KEY_BYTES = KIN_NET_KEY_BYTES / 2,
    WIRE_SIGNATURE_BYTES = 64,
    WIRE_PING = 0 /* frame type; the messages of proto/ count from 1 */
};

enum wire_kind { WIRE_CONTROL, WIRE_BULK, WIRE_KINDS };

struct wire_hello {
    uint16_t version_min, version_max;
    uint32_t role, kind;
    uint64_t session; /* of the process that dials */
    uint8_t nonce[WIRE_NONCE_BYTES];
    uint8_t public_key[KIN_NET_PUBLIC_BYTES];
};
struct wire_challenge {
    uint16_t version;
    bool secret;
    uint32_t status; /* a kin_status; not KIN_OK: refused */
    uint8_t nonce[WIRE_NONCE_BYTES];
};
struct wire_answer { /* PROOF */
    uint8_t proof[WIRE_PROOF_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
};
struct wire_welcome {
    uint32_t status; /* as above; the rest is zero then */
    uint32_t node;   /* the number given */
    uint8_t proof[WIRE_PROOF_BYTES];
};

void wire_put_hello(const struct wire_hello *m, uint8_t to[WIRE_SHAKE_BYTES]);
bool wire_get_hello(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_hello *m);
void wire_put_challenge(const struct wire_challenge *m, uint8_t to[WIRE_SHAKE_BYTES]);
bool wire_get_challenge(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_challenge *m);
void wire_put_answer(const struct wire_answer *m, uint8_t to[WIRE_SHAKE_BYTES]);
bool wire_get_answer(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_answer *m);
void wire_put_welcome(const struct wire_welcome *m, uint8_t to[WIRE_SHAKE_BYTES]);
bool wire_get_welcome(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_welcome *m);

/* What was said so far. */
struct wire_talk {
    uint8_t hello[WIRE_SHAKE_BYTES], challenge[WIRE_SHAKE_BYTES], answer[WIRE_SHAKE_BYTES];
};

/* The dialler's proof and signature, over HELLO and CHALLENGE. The role in HELLO says which hash
 * proofs are made with. */
void wire_prove(const uint8_t key[KIN_NET_KEY_BYTES], const struct wire_talk *talk,
                uint8_t proof[WIRE_PROOF_BYTES]);
void wire_sign(const struct kin_net_identity *identity, const struct wire_talk *talk,
               uint8_t signature[WIRE_SIGNATURE_BYTES]);
bool wire_signed(const uint8_t public_key[KIN_NET_PUBLIC_BYTES], const struct wire_talk *talk,
                 const uint8_t signature[WIRE_SIGNATURE_BYTES]);
/* The coordinator's proof, over all three and the number it gives. */
void wire_prove_welcome(const uint8_t key[KIN_NET_KEY_BYTES], const struct wire_talk *talk,
                        uint32_t node, uint8_t proof[WIRE_PROOF_BYTES]);

struct wire_head {
    uint32_t type, body_bytes, payload_bytes;
    uint64_t sequence; /* of the frame in its direction of the connection, from 0 */
    uint64_t checksum;
};
/* What checksums are made with. */
enum wire_sum { WIRE_XXH3, WIRE_CRC32 };
/* Fills to, checksum included. */
void wire_put_head(const struct kin_frame *frame, uint64_t sequence, enum wire_sum sum,
                   uint8_t to[WIRE_HEAD_BYTES]);
/* False: no header. */
bool wire_get_head(const uint8_t from[WIRE_HEAD_BYTES], struct wire_head *head);
/* The frame that came is the one the header speaks of. */
bool wire_check(const uint8_t head[WIRE_HEAD_BYTES], enum wire_sum sum,
                const struct kin_frame *frame);

#endif
