#include "common/base/hash.h"
#include "tests/sim/world_impl.h"

/* The links between nodes. */

static uint64_t frame_hash(const struct kin_frame *f)
{
    return kin_hash64(f->body.p, f->body.n, kin_hash64(f->payload.p, f->payload.n, f->type));
}

/* A node talks to itself without loss, and in order. */
static bool is_lost(struct kin_world_node *node, kin_node_id to, struct kin_world_link *link)
{
    struct kin_sim *sim = node->sim;
    if (to == node->env.self)
        return false;
    return link->cut || (sim->options.link_frames && link->under_way >= sim->options.link_frames) ||
           kin_world_chance(&node->network, sim->options.loss);
}

static uint64_t arrival(struct kin_world_node *node, struct kin_world_link *link, bool in_order)
{
    struct kin_sim *sim = node->sim;
    uint64_t delay = kin_world_in(&node->network, sim->options.delay_us);
    uint64_t start = link->clogged_until > sim->now ? link->clogged_until : sim->now;
    if (!in_order)
        return start + delay * (1 + kin_world_below(&node->network, 10));
    uint64_t at = start + delay;
    if (at < link->last_at)
        at = link->last_at; /* of two at one time the first sent arrives first */
    link->last_at = at;
    return at;
}

static void put_on_the_way(struct kin_world_node *node, kin_node_id to, struct kin_frame *frame,
                           uint64_t hash, bool in_order)
{
    struct kin_sim *sim = node->sim;
    struct kin_world_link *link = &node->links[to];
    struct kin_world_event *e =
        kin_world_push(sim, WORLD_FRAME, sim->nodes[to], arrival(node, link, in_order));
    e->u.letter.frame = kin_frame_ref(frame);
    e->u.letter.hash = hash;
    e->u.letter.nth = link->sent;
    e->u.letter.from = node->env.self;
    link->under_way++;
}

void kin_world_send(struct kin_env *env, kin_node_id to, struct kin_frame *frame)
{
    struct kin_world_node *node = kin_world_node_of(env);
    struct kin_sim *sim = node->sim;
    kin_world_assert_loop(node);
    if (node->closing || to >= KIN_NODES_MAX || !sim->nodes[to]) {
        kin_frame_unref(frame);
        return;
    }
    struct kin_world_link *link = &node->links[to];
    uint64_t hash = frame_hash(frame);
    sim->stats.sent++;
    link->sent++;
    kin_world_note(sim, WORLD_SENT, env->self, to, hash);
    if (sim->options.trace)
        fprintf(sim->options.trace, "%26s type %u, %zu and %zu bytes\n", "", frame->type,
                frame->body.n, frame->payload.n);
    if (is_lost(node, to, link)) {
        sim->stats.lost++;
        kin_world_note(sim, WORLD_LOST, to, env->self, hash);
        kin_frame_unref(frame);
        return;
    }
    bool in_order = to == env->self || !kin_world_chance(&node->network, sim->options.reorder);
    put_on_the_way(node, to, frame, hash, in_order);
    if (to != env->self && kin_world_chance(&node->network, sim->options.duplicate)) {
        sim->stats.duplicated++;
        put_on_the_way(node, to, frame, hash, false);
    }
    kin_frame_unref(frame);
}

void kin_world_lose(struct kin_world_event *e)
{
    struct kin_sim *sim = e->node->sim;
    kin_node_id from = e->u.letter.from;
    sim->stats.lost++;
    sim->nodes[from]->links[e->node->env.self].under_way--;
    kin_world_note(sim, WORLD_LOST, e->node->env.self, from, e->u.letter.hash);
    kin_frame_unref(e->u.letter.frame);
}

void kin_world_deliver(struct kin_world_node *node, struct kin_world_event *e)
{
    struct kin_sim *sim = node->sim;
    kin_node_id from = e->u.letter.from;
    struct kin_world_link *link = &sim->nodes[from]->links[node->env.self];
    KIN_ASSERT(frame_hash(e->u.letter.frame) == e->u.letter.hash); /* changed after it was sent */
    if (!node->core || node->closing || link->cut) {
        kin_world_lose(e);
        return;
    }
    link->under_way--;
    sim->stats.delivered++;
    if (e->u.letter.nth < link->newest)
        sim->stats.overtaken++;
    else
        link->newest = e->u.letter.nth;
    kin_world_note(sim, WORLD_FRAME, node->env.self, from, e->u.letter.hash);
    kin_world_enter(node, false);
    node->ops->on_frame(node->core, from, e->u.letter.frame);
    kin_world_leave(node);
    kin_frame_unref(e->u.letter.frame);
}

/* ---- faults of links ---- */

void kin_sim_cut(struct kin_sim *sim, kin_node_id from, kin_node_id to, bool cut)
{
    sim->stats.cuts += cut;
    sim->nodes[from]->links[to].cut = cut && from != to;
}

void kin_sim_clog(struct kin_sim *sim, kin_node_id from, kin_node_id to, uint64_t us)
{
    if (from != to)
        sim->nodes[from]->links[to].clogged_until = sim->now + us;
}

void kin_sim_isolate(struct kin_sim *sim, kin_node_id id, bool cut)
{
    for (size_t i = 0; i < sim->id_count; i++) {
        kin_sim_cut(sim, id, sim->ids[i], cut);
        kin_sim_cut(sim, sim->ids[i], id, cut);
    }
}
