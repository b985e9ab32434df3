#include "common/env/net/net_impl.h"

#include <string.h>

/* Who is there under which number. */

/* ---- sending ---- */

/* A gateway has one connection, for all. */
static bool is_up(const struct peer *peer)
{
    const struct conn *control = peer->conns[WIRE_CONTROL];
    return control && (peer->conns[WIRE_BULK] || control->role == KIN_NET_GATEWAY);
}

/* NULL: not there. With net->lock. */
static struct peer *peer_of(struct kin_net *net, kin_node_id node)
{
    return node < net->peer_count && is_up(&net->peers[node]) ? &net->peers[node] : NULL;
}

static void dropped(struct kin_net *net, kin_node_id to, const char *reason)
{
    net->stats.dropped++;
    if (reason)
        net_log(net, 'W', "net_dropped", "node=%u reason=\"%s\"", to, reason);
}

void kin_net_send(struct kin_net *net, kin_node_id to, struct kin_frame *frame)
{
    bool fits = frame->body.n <= KIN_NET_BODY_MAX && frame->payload.n <= net->o.payload_max &&
                frame->type != WIRE_PING;
    pthread_mutex_lock(&net->lock);
    struct peer *peer = fits && !net->ending ? peer_of(net, to) : NULL;
    if (!peer) {
        dropped(net, to, fits ? NULL : "too large");
        pthread_mutex_unlock(&net->lock);
        kin_frame_unref(frame);
        return;
    }
    bool bulk = frame->payload.n > KIN_NET_BULK_BYTES && peer->conns[WIRE_BULK];
    struct conn *c = peer->conns[bulk ? WIRE_BULK : WIRE_CONTROL];
    net->stats.frames_out++;
    pthread_mutex_lock(&c->lock); /* keeps c there */
    pthread_mutex_unlock(&net->lock);
    bool queued = conn_send_frame_locked(c, frame);
    pthread_mutex_unlock(&c->lock);
    if (queued)
        return;
    pthread_mutex_lock(&net->lock);
    net->stats.frames_out--;
    dropped(net, to, "queue full");
    pthread_mutex_unlock(&net->lock);
}

bool kin_net_is_up(struct kin_net *net, kin_node_id node)
{
    pthread_mutex_lock(&net->lock);
    bool up = peer_of(net, node) != NULL;
    pthread_mutex_unlock(&net->lock);
    return up;
}

/* ---- numbers ---- */

const char *peers_role(const struct conn *c)
{
    static const char *const roles[] = {"none", "worker", "client", "gateway"};
    return roles[c->role <= KIN_NET_GATEWAY ? c->role : KIN_NET_COORDINATOR];
}

static bool same_key(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, KIN_NET_PUBLIC_BYTES) == 0; /* public: time tells nothing */
}

/* With net->lock. */
static kin_node_id client_number_locked(struct conn *c)
{
    struct kin_net *net = c->net;
    struct client *to = NULL;
    for (uint32_t i = 0; i < net->o.clients_max; i++) {
        struct client *client = &net->clients[i];
        if (client->holders > 0 && same_key(client->public_key, c->public_key)) {
            to = client;
            break;
        }
        if (client->holders == 0 && !to)
            to = client;
    }
    if (!to)
        return KIN_COORDINATOR;
    memcpy(to->public_key, c->public_key, KIN_NET_PUBLIC_BYTES);
    to->holders++;
    c->holds = to;
    return net->o.client_first + (kin_node_id)(to - net->clients);
}

/* The other connection of the same worker process has it already. With net->lock. */
static kin_node_id worker_number_locked(const struct conn *c)
{
    for (const struct conn *x = c->net->conns; x; x = x->next) {
        if (x->up && x->session == c->session && x->role == c->role &&
            c->net->peers[x->node].conns[x->kind] == x && same_key(x->public_key, c->public_key))
            return x->node;
    }
    return KIN_COORDINATOR;
}

kin_node_id peers_number(struct conn *c)
{
    struct kin_net *net = c->net;
    bool client = c->role != KIN_NET_WORKER;
    pthread_mutex_lock(&net->lock);
    kin_node_id node = client ? client_number_locked(c) : worker_number_locked(c);
    pthread_mutex_unlock(&net->lock);
    if (node == KIN_COORDINATOR && !client)
        node = net->o.admit(net->o.arg, c->public_key);
    return client || node <= net->o.nodes ? node : KIN_COORDINATOR;
}

void peers_freed_locked(struct conn *c)
{
    if (c->holds)
        c->holds->holders--;
    c->holds = NULL;
}

/* ---- coming and going ---- */

/* Whether x has to go now that c, which is newer, is up: there is one connection of each kind under
 * a number, all of one process, and a key has one number. */
static bool gives_way(const struct conn *x, const struct conn *c)
{
    if (x == c || !x->up)
        return false;
    bool same = same_key(x->public_key, c->public_key);
    if (x->node != c->node)
        return same;
    return x->kind == c->kind || x->given != c->given || x->session != c->session || !same;
}

void peers_admit(struct conn *c)
{
    struct kin_net *net = c->net;
    pthread_mutex_lock(&net->lock);
    for (struct conn *x = net->conns; x; x = x->next) {
        if (gives_way(x, c))
            conn_close_locked(x, END_REPLACED);
    }
    pthread_mutex_lock(&c->lock);
    bool fine = !c->closing;
    c->up = fine;
    pthread_mutex_unlock(&c->lock);
    struct peer *peer = &net->peers[c->node];
    if (fine)
        peer->conns[c->kind] = c;
    if (fine && !net->listens) {
        net->self = c->given;
        net->refusal.status = KIN_OK;
    }
    if (fine && is_up(peer)) {
        net->links_changed = net->woken = true;
        pthread_cond_signal(&net->wake);
        net_log(net, 'I', "net_up", "node=%u role=%s peer=%s", net->listens ? c->node : c->given,
                peers_role(c), c->peer);
    }
    pthread_mutex_unlock(&net->lock);
}

void peers_lost_locked(struct conn *c)
{
    struct peer *peer = &c->net->peers[c->node];
    if (peer->conns[c->kind] != c)
        return;
    peer->fell = peer->fell || is_up(peer);
    peer->conns[c->kind] = NULL;
    c->net->links_changed = true;
}

/* What there is to tell of a node, and with that it counts as told. With net->lock. */
static void take_news(struct peer *peer, bool *down, bool *up)
{
    bool now = is_up(peer);
    *down = peer->told && (peer->fell || !now);
    *up = now && (!peer->told || *down);
    peer->told = now;
    peer->fell = false;
}

void peers_tell(struct kin_net *net)
{
    pthread_mutex_lock(&net->lock);
    bool changed = net->links_changed;
    net->links_changed = false;
    pthread_mutex_unlock(&net->lock);
    for (kin_node_id node = 0; changed && net->o.on_link && node < net->peer_count; node++) {
        bool down, up;
        pthread_mutex_lock(&net->lock);
        take_news(&net->peers[node], &down, &up);
        pthread_mutex_unlock(&net->lock);
        if (down)
            net->o.on_link(net->o.arg, node, false);
        if (up)
            net->o.on_link(net->o.arg, node, true);
    }
}

/* ---- what a dialler knows ---- */

kin_node_id kin_net_self(struct kin_net *net)
{
    pthread_mutex_lock(&net->lock);
    kin_node_id self = net->self;
    pthread_mutex_unlock(&net->lock);
    return self;
}

void peers_refused_locked(struct kin_net *net, kin_status status, const char *text)
{
    kin_err_set(&net->refusal, status, "%s", text);
}

kin_status kin_net_last_refusal(struct kin_net *net, struct kin_err *err)
{
    pthread_mutex_lock(&net->lock);
    kin_status status = net->refusal.status;
    if (err)
        *err = net->refusal;
    pthread_mutex_unlock(&net->lock);
    return status;
}
