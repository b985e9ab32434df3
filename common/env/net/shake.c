#include "common/env/net/net_impl.h"

#include <sodium.h>
#include <string.h>

/* The handshake, of both sides. Runs in the receive callback: nothing else touches c->stage. */

void shake_begin(struct conn *c)
{
    struct wire_hello hello = {.version_min = WIRE_VERSION_MIN,
                               .version_max = WIRE_VERSION_MAX,
                               .node = c->net->o.self,
                               .kind = c->kind,
                               .session = c->net->session};
    randombytes_buf(hello.nonce, sizeof hello.nonce);
    wire_put_hello(&hello, c->hello);
    conn_send_shake(c, c->hello, false);
}

static void refused_log(struct conn *c, const char *reason)
{
    net_log(c->net, 'E', "net_refused", "peer=%s reason=\"%s\"", c->peer, reason);
}

/* ---- the coordinator ---- */

static kin_status judge_hello(const struct kin_net *net, const struct wire_hello *hello)
{
    if (hello->version_max < WIRE_VERSION_MIN || hello->version_min > WIRE_VERSION_MAX)
        return KIN_E_VERSION;
    if (hello->node == KIN_COORDINATOR || hello->node > net->o.nodes || hello->kind >= WIRE_KINDS)
        return KIN_E_RANGE;
    return KIN_OK;
}

static enum conn_end on_hello(struct conn *c, const uint8_t *message)
{
    struct kin_net *net = c->net;
    struct wire_hello hello;
    if (!wire_get_hello(message, &hello))
        return END_MALFORMED;
    kin_status status = judge_hello(net, &hello);
    struct wire_challenge challenge = {
        .version = hello.version_max < WIRE_VERSION_MAX ? hello.version_max : WIRE_VERSION_MAX,
        .secret = net->has_key,
        .status = status};
    randombytes_buf(challenge.nonce, sizeof challenge.nonce);
    memcpy(c->hello, message, WIRE_SHAKE_BYTES);
    wire_put_challenge(&challenge, c->challenge);
    if (status == KIN_OK) {
        c->node = hello.node;
        c->kind = hello.kind;
        c->session = hello.session;
    } else {
        net_log(net, 'W', "net_refused", "peer=%s node=%u reason=\"%s\"", c->peer, hello.node,
                status == KIN_E_RANGE ? "no such worker here" : "no version in common");
    }
    c->stage = status == KIN_OK ? STAGE_PROOF : STAGE_NOTHING;
    conn_send_shake(c, c->challenge, status != KIN_OK);
    return END_NONE;
}

static enum conn_end on_proof(struct conn *c, const uint8_t *message)
{
    uint8_t expected[WIRE_PROOF_BYTES], answer[WIRE_SHAKE_BYTES];
    const uint8_t *proof;
    uint32_t status;
    if (!wire_get_proof(WIRE_WORKER, message, &status, &proof) || status != KIN_OK)
        return END_MALFORMED;
    wire_prove(WIRE_WORKER, c->net->key, c->hello, c->challenge, expected);
    bool fine = sodium_memcmp(expected, proof, sizeof expected) == 0;
    wire_prove(WIRE_COORDINATOR, c->net->key, c->hello, c->challenge, expected);
    wire_put_proof(WIRE_COORDINATOR, fine ? KIN_OK : KIN_E_INVAL, expected, answer);
    if (!fine)
        net_log(c->net, 'W', "net_refused", "peer=%s node=%u reason=\"another secret\"", c->peer,
                c->node);
    c->stage = fine ? STAGE_FRAMES : STAGE_NOTHING;
    conn_send_shake(c, answer, !fine);
    if (fine)
        net_admit(c);
    return END_NONE;
}

/* ---- the worker ---- */

static enum conn_end on_challenge(struct conn *c, const uint8_t *message)
{
    struct kin_net *net = c->net;
    struct wire_challenge challenge;
    const char *reason = NULL;
    if (!wire_get_challenge(message, &challenge))
        return END_MALFORMED;
    if (challenge.status == KIN_E_RANGE)
        reason = "the coordinator has no such worker";
    else if (challenge.status != KIN_OK || challenge.version < WIRE_VERSION_MIN ||
             challenge.version > WIRE_VERSION_MAX)
        reason = "no version in common";
    else if (challenge.secret && !net->has_key)
        reason = "the coordinator asks for a secret";
    else if (!challenge.secret && net->has_key)
        reason = "the coordinator has no secret";
    if (reason) {
        refused_log(c, reason);
        return END_REFUSED;
    }
    uint8_t proof[WIRE_PROOF_BYTES], answer[WIRE_SHAKE_BYTES];
    memcpy(c->challenge, message, WIRE_SHAKE_BYTES);
    wire_prove(WIRE_WORKER, net->key, c->hello, c->challenge, proof);
    wire_put_proof(WIRE_WORKER, KIN_OK, proof, answer);
    c->stage = STAGE_WELCOME;
    conn_send_shake(c, answer, false);
    return END_NONE;
}

static enum conn_end on_welcome(struct conn *c, const uint8_t *message)
{
    uint8_t expected[WIRE_PROOF_BYTES];
    const uint8_t *proof;
    uint32_t status;
    if (!wire_get_proof(WIRE_COORDINATOR, message, &status, &proof))
        return END_MALFORMED;
    wire_prove(WIRE_COORDINATOR, c->net->key, c->hello, c->challenge, expected);
    if (status != KIN_OK || sodium_memcmp(expected, proof, sizeof expected) != 0) {
        refused_log(c, "the coordinator has another secret");
        return END_REFUSED;
    }
    c->stage = STAGE_FRAMES;
    net_admit(c);
    return END_NONE;
}

enum conn_end shake_step(struct conn *c, const uint8_t message[WIRE_SHAKE_BYTES])
{
    switch (c->stage) {
    case STAGE_HELLO:
        return on_hello(c, message);
    case STAGE_PROOF:
        return on_proof(c, message);
    case STAGE_CHALLENGE:
        return on_challenge(c, message);
    case STAGE_WELCOME:
        return on_welcome(c, message);
    case STAGE_FRAMES:
    case STAGE_NOTHING:
        break;
    }
    return END_MALFORMED;
}
