#include "common/env/net/wire.h"

#include "common/base/hash.h"

#include <sodium.h>
#include <string.h>

/* "KINh", "KINc" and so on, as they stand in memory. */
enum {
    MAGIC_HELLO = 0x684e494b,
    MAGIC_CHALLENGE = 0x634e494b,
    MAGIC_PROOF = 0x704e494b,
    MAGIC_WELCOME = 0x774e494b,
    MAGIC_FRAME = 0x664e494b
};
enum { HELLO_NONCE = 24, CHALLENGE_NONCE = 16, PROOF_AT = 8, CHECKSUM_AT = 24 };

void wire_put_hello(const struct wire_hello *m, uint8_t to[WIRE_SHAKE_BYTES])
{
    memset(to, 0, WIRE_SHAKE_BYTES);
    kin_put_le32(to, MAGIC_HELLO);
    kin_put_le16(to + 4, m->version_min);
    kin_put_le16(to + 6, m->version_max);
    kin_put_le32(to + 8, m->node);
    kin_put_le32(to + 12, m->kind);
    kin_put_le64(to + 16, m->session);
    memcpy(to + HELLO_NONCE, m->nonce, WIRE_NONCE_BYTES);
}

bool wire_get_hello(const uint8_t from[WIRE_SHAKE_BYTES], struct wire_hello *m)
{
    *m = (struct wire_hello){.version_min = kin_le16(from + 4),
                             .version_max = kin_le16(from + 6),
                             .node = kin_le32(from + 8),
                             .kind = kin_le32(from + 12),
                             .session = kin_le64(from + 16)};
    memcpy(m->nonce, from + HELLO_NONCE, WIRE_NONCE_BYTES);
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

void wire_prove(enum wire_side side, const uint8_t key[KIN_NET_KEY_BYTES],
                const uint8_t hello[WIRE_SHAKE_BYTES], const uint8_t challenge[WIRE_SHAKE_BYTES],
                uint8_t proof[WIRE_PROOF_BYTES])
{
    static const char *const labels[] = {"kindred: worker 1", "kindred: coordinator 1"};
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, KIN_NET_KEY_BYTES, WIRE_PROOF_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)labels[side], strlen(labels[side]) + 1);
    crypto_generichash_update(&state, hello, WIRE_SHAKE_BYTES);
    crypto_generichash_update(&state, challenge, WIRE_SHAKE_BYTES);
    crypto_generichash_final(&state, proof, WIRE_PROOF_BYTES);
    sodium_memzero(&state, sizeof state);
}

static uint32_t proof_magic(enum wire_side side)
{
    return side == WIRE_WORKER ? MAGIC_PROOF : MAGIC_WELCOME;
}

void wire_put_proof(enum wire_side side, kin_status status, const uint8_t proof[WIRE_PROOF_BYTES],
                    uint8_t to[WIRE_SHAKE_BYTES])
{
    memset(to, 0, WIRE_SHAKE_BYTES);
    kin_put_le32(to, proof_magic(side));
    kin_put_le32(to + 4, status);
    if (status == KIN_OK)
        memcpy(to + PROOF_AT, proof, WIRE_PROOF_BYTES);
}

bool wire_get_proof(enum wire_side side, const uint8_t from[WIRE_SHAKE_BYTES], uint32_t *status,
                    const uint8_t **proof)
{
    *status = kin_le32(from + 4);
    *proof = from + PROOF_AT;
    return kin_le32(from) == proof_magic(side);
}

static uint64_t checksum(const uint8_t *head, const struct kin_frame *frame)
{
    uint64_t h = kin_hash64(head, CHECKSUM_AT, 0);
    h = kin_hash64(frame->body.p, frame->body.n, h);
    return kin_hash64(frame->payload.p, frame->payload.n, h);
}

void wire_put_head(const struct kin_frame *frame, uint64_t sequence, uint8_t to[WIRE_HEAD_BYTES])
{
    kin_put_le32(to, MAGIC_FRAME);
    kin_put_le32(to + 4, frame->type);
    kin_put_le32(to + 8, (uint32_t)frame->body.n);
    kin_put_le32(to + 12, (uint32_t)frame->payload.n);
    kin_put_le64(to + 16, sequence);
    kin_put_le64(to + CHECKSUM_AT, checksum(to, frame));
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

bool wire_check(const uint8_t head[WIRE_HEAD_BYTES], const struct kin_frame *frame)
{
    return kin_le64(head + CHECKSUM_AT) == checksum(head, frame);
}

void kin_net_key(const void *secret, size_t bytes, uint8_t key[KIN_NET_KEY_BYTES])
{
    static const char label[] = "kindred: connections between nodes";
    crypto_generichash(key, KIN_NET_KEY_BYTES, secret, bytes, (const uint8_t *)label,
                       sizeof label - 1);
}
