#include "common/env/net/wire.h"

#include "common/base/hash.h"

#include <sodium.h>
#include <string.h>
#include <zlib.h>

/* "KINh", "KINc" and so on, as they stand in memory. */
enum {
    MAGIC_HELLO = 0x684e494b,
    MAGIC_CHALLENGE = 0x634e494b,
    MAGIC_PROOF = 0x704e494b,
    MAGIC_WELCOME = 0x774e494b,
    MAGIC_FRAME = 0x664e494b
};
enum { /* offsets */
       HELLO_ROLE = 8,
       HELLO_NONCE = 24,
       HELLO_KEY = 56,
       CHALLENGE_NONCE = 16,
       PROOF_AT = 8,
       SIGNATURE_AT = 40,
       NODE_AT = 40,
       CHECKSUM_AT = 24
};

void wire_put_hello(const struct wire_hello *m, uint8_t to[WIRE_SHAKE_BYTES])
{
    memset(to, 0, WIRE_SHAKE_BYTES);
    kin_put_le32(to, MAGIC_HELLO);
    kin_put_le16(to + 4, m->version_min);
    kin_put_le16(to + 6, m->version_max);
    kin_put_le32(to + HELLO_ROLE, m->role);
    kin_put_le32(to + 12, m->kind);
    kin_put_le64(to + 16, m->session);
    memcpy(to + HELLO_NONCE, m->nonce, WIRE_NONCE_BYTES);
    memcpy(to + HELLO_KEY, m->public_key, KIN_NET_PUBLIC_BYTES);
}

bool wire_get_hello(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_hello *m)
{
    *m = (struct wire_hello){.version_min = kin_le16(from + 4),
                             .version_max = kin_le16(from + 6),
                             .role = kin_le32(from + HELLO_ROLE),
                             .kind = kin_le32(from + 12),
                             .session = kin_le64(from + 16)};
    memcpy(m->nonce, from + HELLO_NONCE, WIRE_NONCE_BYTES);
    memcpy(m->public_key, from + HELLO_KEY, KIN_NET_PUBLIC_BYTES);
    return kin_le32(from) == MAGIC_HELLO && m->version_min <= m->version_max;
}

void wire_put_challenge(const struct wire_challenge *m, uint8_t to[WIRE_SHAKE_BYTES])
{
    memset(to, 0, WIRE_SHAKE_BYTES);
    kin_put_le32(to, MAGIC_CHALLENGE);
    kin_put_le16(to + 4, m->version);
    kin_put_le16(to + 6, m->secret);
    kin_put_le32(to + 8, m->status);
    memcpy(to + CHALLENGE_NONCE, m->nonce, WIRE_NONCE_BYTES);
}

bool wire_get_challenge(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_challenge *m)
{
    *m = (struct wire_challenge){.version = kin_le16(from + 4),
                                 .secret = kin_le16(from + 6) & 1,
                                 .status = kin_le32(from + 8)};
    memcpy(m->nonce, from + CHALLENGE_NONCE, WIRE_NONCE_BYTES);
    return kin_le32(from) == MAGIC_CHALLENGE;
}

void wire_put_answer(const struct wire_answer *m, uint8_t to[WIRE_SHAKE_BYTES])
{
    memset(to, 0, WIRE_SHAKE_BYTES);
    kin_put_le32(to, MAGIC_PROOF);
    memcpy(to + PROOF_AT, m->proof, WIRE_PROOF_BYTES);
    memcpy(to + SIGNATURE_AT, m->signature, WIRE_SIGNATURE_BYTES);
}

bool wire_get_answer(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_answer *m)
{
    memcpy(m->proof, from + PROOF_AT, WIRE_PROOF_BYTES);
    memcpy(m->signature, from + SIGNATURE_AT, WIRE_SIGNATURE_BYTES);
    return kin_le32(from) == MAGIC_PROOF;
}

void wire_put_welcome(const struct wire_welcome *m, uint8_t to[WIRE_SHAKE_BYTES])
{
    memset(to, 0, WIRE_SHAKE_BYTES);
    kin_put_le32(to, MAGIC_WELCOME);
    kin_put_le32(to + 4, m->status);
    if (m->status != KIN_OK)
        return;
    memcpy(to + PROOF_AT, m->proof, WIRE_PROOF_BYTES);
    kin_put_le32(to + NODE_AT, m->node);
}

bool wire_get_welcome(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_welcome *m)
{
    *m = (struct wire_welcome){.status = kin_le32(from + 4), .node = kin_le32(from + NODE_AT)};
    memcpy(m->proof, from + PROOF_AT, WIRE_PROOF_BYTES);
    return kin_le32(from) == MAGIC_WELCOME;
}

/* ---- proofs ---- */

/* One of two keyed hashes, whichever the dialler has. */
struct hash {
    bool hmac;
    union {
        crypto_generichash_state blake;
        crypto_auth_hmacsha256_state hmac;
    } u;
};

static void hash_add(struct hash *h, const void *p, size_t bytes)
{
    if (h->hmac)
        crypto_auth_hmacsha256_update(&h->u.hmac, p, bytes);
    else
        crypto_generichash_update(&h->u.blake, p, bytes);
}

static void hash_begin(struct hash *h, const uint8_t key[KIN_NET_KEY_BYTES], const char *label,
                       const struct wire_talk *talk)
{
    h->hmac = kin_le32(talk->hello + HELLO_ROLE) == KIN_NET_GATEWAY;
    if (h->hmac)
        crypto_auth_hmacsha256_init(&h->u.hmac, key + WIRE_KEY_BYTES, WIRE_KEY_BYTES);
    else
        crypto_generichash_init(&h->u.blake, key, WIRE_KEY_BYTES, WIRE_PROOF_BYTES);
    hash_add(h, label, strlen(label) + 1);
    hash_add(h, talk->hello, WIRE_SHAKE_BYTES);
    hash_add(h, talk->challenge, WIRE_SHAKE_BYTES);
}

static void hash_end(struct hash *h, uint8_t proof[WIRE_PROOF_BYTES])
{
    if (h->hmac)
        crypto_auth_hmacsha256_final(&h->u.hmac, proof);
    else
        crypto_generichash_final(&h->u.blake, proof, WIRE_PROOF_BYTES);
    sodium_memzero(h, sizeof *h);
}

void wire_prove(const uint8_t key[KIN_NET_KEY_BYTES], const struct wire_talk *talk,
                uint8_t proof[WIRE_PROOF_BYTES])
{
    struct hash h;
    hash_begin(&h, key, "kindred: dialler 1", talk);
    hash_end(&h, proof);
}

void wire_prove_welcome(const uint8_t key[KIN_NET_KEY_BYTES], const struct wire_talk *talk,
                        uint32_t node, uint8_t proof[WIRE_PROOF_BYTES])
{
    struct hash h;
    uint8_t number[4];
    kin_put_le32(number, node);
    hash_begin(&h, key, "kindred: coordinator 1", talk);
    hash_add(&h, talk->answer, WIRE_SHAKE_BYTES);
    hash_add(&h, number, sizeof number);
    hash_end(&h, proof);
}

enum { SIGNED_LABEL_BYTES = 24, SIGNED_BYTES = SIGNED_LABEL_BYTES + 2 * WIRE_SHAKE_BYTES };

static void put_signed(const struct wire_talk *talk, uint8_t to[SIGNED_BYTES])
{
    static const char label[SIGNED_LABEL_BYTES] = "kindred: signed hello 1";
    memcpy(to, label, sizeof label);
    memcpy(to + SIGNED_LABEL_BYTES, talk->hello, WIRE_SHAKE_BYTES);
    memcpy(to + SIGNED_LABEL_BYTES + WIRE_SHAKE_BYTES, talk->challenge, WIRE_SHAKE_BYTES);
}

void wire_sign(const struct kin_net_identity *identity, const struct wire_talk *talk,
               uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    uint8_t text[SIGNED_BYTES];
    put_signed(talk, text);
    crypto_sign_detached(signature, NULL, text, sizeof text, identity->private_key);
}

bool wire_signed(const uint8_t public_key[KIN_NET_PUBLIC_BYTES], const struct wire_talk *talk,
                 const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    uint8_t text[SIGNED_BYTES];
    put_signed(talk, text);
    return crypto_sign_verify_detached(signature, text, sizeof text, public_key) == 0;
}

/* ---- frames ---- */

static uint64_t checksum_crc(const uint8_t *head, const struct kin_frame *frame)
{
    uLong h = crc32_z(0, head, CHECKSUM_AT);
    if (frame->body.n)
        h = crc32_z(h, frame->body.p, frame->body.n);
    if (frame->payload.n)
        h = crc32_z(h, frame->payload.p, frame->payload.n);
    return h;
}

static uint64_t checksum(const uint8_t *head, enum wire_sum sum, const struct kin_frame *frame)
{
    if (sum == WIRE_CRC32)
        return checksum_crc(head, frame);
    uint64_t h = kin_hash64(head, CHECKSUM_AT, 0);
    h = kin_hash64(frame->body.p, frame->body.n, h);
    return kin_hash64(frame->payload.p, frame->payload.n, h);
}

void wire_put_head(const struct kin_frame *frame, uint64_t sequence, enum wire_sum sum,
                   uint8_t to[WIRE_HEAD_BYTES])
{
    kin_put_le32(to, MAGIC_FRAME);
    kin_put_le32(to + 4, frame->type);
    kin_put_le32(to + 8, (uint32_t)frame->body.n);
    kin_put_le32(to + 12, (uint32_t)frame->payload.n);
    kin_put_le64(to + 16, sequence);
    kin_put_le64(to + CHECKSUM_AT, checksum(to, sum, frame));
}

bool wire_get_head(const uint8_t from[WIRE_HEAD_BYTES], struct wire_head *head)
{
    *head = (struct wire_head){.type = kin_le32(from + 4),
                               .body_bytes = kin_le32(from + 8),
                               .payload_bytes = kin_le32(from + 12),
                               .sequence = kin_le64(from + 16),
                               .checksum = kin_le64(from + CHECKSUM_AT)};
    return kin_le32(from) == MAGIC_FRAME;
}

bool wire_check(const uint8_t head[WIRE_HEAD_BYTES], enum wire_sum sum,
                const struct kin_frame *frame)
{
    return kin_le64(head + CHECKSUM_AT) == checksum(head, sum, frame);
}

void kin_net_key(const void *secret, size_t bytes, uint8_t key[KIN_NET_KEY_BYTES])
{
    static const char label[] = "kindred: connections between nodes",
                      gateways[] = "kindred: gateways";
    crypto_auth_hmacsha256_state state;
    crypto_generichash(key, WIRE_KEY_BYTES, secret, bytes, (const uint8_t *)label,
                       sizeof label - 1);
    crypto_auth_hmacsha256_init(&state, (const uint8_t *)gateways, sizeof gateways - 1);
    crypto_auth_hmacsha256_update(&state, secret, bytes);
    crypto_auth_hmacsha256_final(&state, key + WIRE_KEY_BYTES);
    sodium_memzero(&state, sizeof state);
}
