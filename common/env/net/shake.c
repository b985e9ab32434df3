#include "common/env/net/net_impl.h"

#include <sodium.h>
#include <string.h>

/* The handshake, of both sides. Runs in the receive callback: nothing else touches c->stage. */

void shake_begin(struct conn *c)
{
    struct kin_net *net = c->net;
    struct wire_hello hello = {.version_min = WIRE_VERSION_MIN,
                               .version_max = WIRE_VERSION_MAX,
                               .role = net->o.role,
                               .kind = c->kind,
                               .session = net->session};
    randombytes_buf(hello.nonce, sizeof hello.nonce);
    memcpy(hello.public_key, net->identity.public_key, sizeof hello.public_key);
    wire_put_hello(&hello, c->talk.hello);
    conn_send_shake(c, c->talk.hello, false);
}

/* ---- the coordinator ---- */

static void refuse_log(const struct conn *c, const char *reason)
{
    net_log(c->net, 'W', "net_refused", "peer=%s role=%s reason=\"%s\"", c->peer, peers_role(c),
            reason);
}

static kin_status judge_hello(const struct kin_net *net, const struct wire_hello *hello)
{
    if (hello->version_max < WIRE_VERSION_MIN || hello->version_min > WIRE_VERSION_MAX)
        return KIN_E_VERSION;
    bool gateway = hello->role == KIN_NET_GATEWAY;
    bool wanted = (hello->role == KIN_NET_WORKER && net->o.nodes > 0) ||
                  ((gateway || hello->role == KIN_NET_CLIENT) && net->o.clients_max > 0);
    bool kind = gateway ? hello->kind == WIRE_CONTROL : hello->kind < WIRE_KINDS;
    return wanted && kind ? KIN_OK : KIN_E_RANGE;
}

/* The one who is there from now on. A gateway proves no key: what it says could be another's, whose
 * place it would take, so it gets one that nobody else has. */
static void note_dialler(struct conn *c, const struct wire_hello *hello)
{
    c->kind = hello->kind;
    c->session = hello->session;
    if (hello->role == KIN_NET_GATEWAY)
        randombytes_buf(c->public_key, sizeof c->public_key);
    else
        memcpy(c->public_key, hello->public_key, sizeof c->public_key);
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
    memcpy(c->talk.hello, message, WIRE_SHAKE_BYTES);
    wire_put_challenge(&challenge, c->talk.challenge);
    c->role = hello.role;
    if (status == KIN_OK)
        note_dialler(c, &hello);
    else
        refuse_log(c, status == KIN_E_VERSION ? "no version in common" : "not wanted here");
    c->stage = status == KIN_OK ? STAGE_PROOF : STAGE_NOTHING;
    conn_send_shake(c, c->talk.challenge, status != KIN_OK);
    return END_NONE;
}

/* The secret, then the key, which costs more to check, then a number. */
static kin_status judge_answer(struct conn *c, const struct wire_answer *answer)
{
    uint8_t expected[WIRE_PROOF_BYTES];
    wire_prove(c->net->key, &c->talk, expected);
    if (sodium_memcmp(expected, answer->proof, sizeof expected) != 0) {
        refuse_log(c, "another secret");
        return KIN_E_INVAL;
    }
    if (c->role != KIN_NET_GATEWAY && !wire_signed(c->public_key, &c->talk, answer->signature)) {
        refuse_log(c, "the signature is wrong");
        return KIN_E_PROTO;
    }
    c->node = peers_number(c);
    if (c->node == KIN_COORDINATOR) {
        refuse_log(c, "no node number left");
        return KIN_E_LIMIT;
    }
    return KIN_OK;
}

static enum conn_end on_answer(struct conn *c, const uint8_t *message)
{
    struct wire_answer answer;
    uint8_t reply[WIRE_SHAKE_BYTES];
    if (!wire_get_answer(message, &answer))
        return END_MALFORMED;
    memcpy(c->talk.answer, message, WIRE_SHAKE_BYTES);
    struct wire_welcome welcome = {.status = judge_answer(c, &answer), .node = c->node};
    bool fine = welcome.status == KIN_OK;
    if (fine)
        wire_prove_welcome(c->net->key, &c->talk, c->node, welcome.proof);
    wire_put_welcome(&welcome, reply);
    c->stage = fine ? STAGE_FRAMES : STAGE_NOTHING;
    conn_send_shake(c, reply, !fine);
    if (fine)
        peers_admit(c);
    return END_NONE;
}

/* ---- the dialler ---- */

/* What it says to the owner: kin_net_last_refusal, and in the log. */
static enum conn_end refused(struct conn *c, kin_status status, const char *reason)
{
    struct kin_net *net = c->net;
    net_log(net, 'E', "net_refused", "peer=%s reason=\"%s\"", c->peer, reason);
    pthread_mutex_lock(&net->lock);
    peers_refused_locked(net, status, reason);
    pthread_mutex_unlock(&net->lock);
    return END_REFUSED;
}

static const char another_secret[] = "the coordinator has another secret";

static enum conn_end refused_by(struct conn *c, uint32_t status)
{
    switch (status) {
    case KIN_E_VERSION:
        return refused(c, KIN_E_VERSION, "no version in common with the coordinator");
    case KIN_E_RANGE:
        return refused(c, KIN_E_RANGE,
                       c->role == KIN_NET_CLIENT ? "the coordinator takes no clients"
                                                 : "the coordinator takes no workers");
    case KIN_E_INVAL:
        return refused(c, KIN_E_INVAL, another_secret);
    case KIN_E_LIMIT:
        return refused(c, KIN_E_LIMIT,
                       c->role == KIN_NET_CLIENT ? "the coordinator has too many clients"
                                                 : "the coordinator has no node number left");
    default:
        return refused(c, KIN_E_PROTO, "the coordinator does not believe our signature");
    }
}

static enum conn_end on_challenge(struct conn *c, const uint8_t *message)
{
    struct kin_net *net = c->net;
    struct wire_challenge challenge;
    if (!wire_get_challenge(message, &challenge))
        return END_MALFORMED;
    if (challenge.status != KIN_OK)
        return refused_by(c, challenge.status);
    if (challenge.version < WIRE_VERSION_MIN || challenge.version > WIRE_VERSION_MAX)
        return refused_by(c, KIN_E_VERSION);
    if (challenge.secret && !net->has_key)
        return refused(c, KIN_E_INVAL, "the coordinator asks for a secret");
    if (!challenge.secret && net->has_key)
        return refused(c, KIN_E_INVAL, "the coordinator has no secret");
    struct wire_answer answer;
    memcpy(c->talk.challenge, message, WIRE_SHAKE_BYTES);
    wire_prove(net->key, &c->talk, answer.proof);
    wire_sign(&net->identity, &c->talk, answer.signature);
    wire_put_answer(&answer, c->talk.answer);
    c->stage = STAGE_WELCOME;
    conn_send_shake(c, c->talk.answer, false);
    return END_NONE;
}

static enum conn_end on_welcome(struct conn *c, const uint8_t *message)
{
    uint8_t expected[WIRE_PROOF_BYTES];
    struct wire_welcome welcome;
    if (!wire_get_welcome(message, &welcome))
        return END_MALFORMED;
    if (welcome.status != KIN_OK)
        return refused_by(c, welcome.status);
    wire_prove_welcome(c->net->key, &c->talk, welcome.node, expected);
    if (sodium_memcmp(expected, welcome.proof, sizeof expected) != 0)
        return refused(c, KIN_E_INVAL, another_secret);
    if (welcome.node == KIN_COORDINATOR || welcome.node >= KIN_NODES_MAX)
        return END_MALFORMED;
    c->given = welcome.node;
    c->stage = STAGE_FRAMES;
    peers_admit(c);
    return END_NONE;
}

enum conn_end shake_step(struct conn *c, const uint8_t message[WIRE_SHAKE_BYTES])
{
    switch (c->stage) {
    case STAGE_HELLO:
        return on_hello(c, message);
    case STAGE_PROOF:
        return on_answer(c, message);
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
