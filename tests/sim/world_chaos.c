#include "tests/sim/world_impl.h"

/* Faults of nodes, the schedule of faults that a seed makes, and their end. */

enum {
    INTENSITY_MAX = 10,
    GAP_US = 400 * 1000, /* between two faults, on average, at intensity 1 */
    SHORT_US = 300 * 1000,
    LONG_US = 2 * 1000 * 1000,
};

static struct kin_world_node *node_at(struct kin_sim *sim, kin_node_id id)
{
    KIN_ASSERT(id < KIN_NODES_MAX && sim->nodes[id]);
    return sim->nodes[id];
}

void kin_sim_pause(struct kin_sim *sim, kin_node_id id, uint64_t us)
{
    struct kin_world_node *node = node_at(sim, id);
    if (!node->core || node->closing)
        return;
    if (node->paused_until < sim->now + us)
        node->paused_until = sim->now + us;
    sim->stats.pauses++;
    kin_world_note(sim, WORLD_PAUSED, id, KIN_WORLD_NOBODY, us);
}

void kin_sim_jump(struct kin_sim *sim, kin_node_id id, int64_t ms)
{
    node_at(sim, id)->wall_jump_ms += ms;
}

void kin_sim_slow(struct kin_sim *sim, kin_node_id id, uint64_t us)
{
    node_at(sim, id)->slow_until = sim->now + us;
}

/* ---- chaos ---- */

static kin_node_id any_node(struct kin_sim *sim)
{
    return sim->ids[kin_world_below(&sim->faults, sim->id_count)];
}

static uint64_t up_to(struct kin_sim *sim, uint64_t us)
{
    return 1 + kin_world_below(&sim->faults, us);
}

static void cut_for_a_while(struct kin_sim *sim, kin_node_id from, kin_node_id to, uint64_t us)
{
    kin_sim_cut(sim, from, to, true);
    struct kin_world_event *e = kin_world_push(sim, WORLD_UNCUT, NULL, sim->now + us);
    e->u.link.from = from;
    e->u.link.to = to;
}

static void isolate_for_a_while(struct kin_sim *sim, kin_node_id id, uint64_t us)
{
    for (size_t i = 0; i < sim->id_count; i++) {
        if (sim->ids[i] == id)
            continue;
        cut_for_a_while(sim, id, sim->ids[i], us);
        cut_for_a_while(sim, sim->ids[i], id, us);
    }
}

static void crash_for_a_while(struct kin_sim *sim, kin_node_id id)
{
    struct kin_world_node *node = sim->nodes[id];
    if (!node->core || node->closing)
        return;
    kin_world_crash(node);
    kin_world_boot_later(node, up_to(sim, LONG_US));
}

static int64_t any_jump(struct kin_sim *sim)
{
    int64_t ms = (int64_t)up_to(sim, (uint64_t)3600 * 1000);
    return kin_world_below(&sim->faults, 2) ? ms : -ms;
}

void kin_world_chaos(struct kin_sim *sim)
{
    kin_node_id a = any_node(sim);
    kin_node_id b = any_node(sim);
    switch (kin_world_below(&sim->faults, 12)) {
    case 0:
    case 1:
    case 2:
        crash_for_a_while(sim, a);
        break;
    case 3:
    case 4:
        kin_sim_pause(sim, a, up_to(sim, LONG_US));
        break;
    case 5:
    case 6:
        cut_for_a_while(sim, a, b, up_to(sim, LONG_US));
        break;
    case 7:
        isolate_for_a_while(sim, a, up_to(sim, LONG_US));
        break;
    case 8:
    case 9:
        kin_sim_clog(sim, a, b, up_to(sim, SHORT_US));
        break;
    case 10:
        kin_sim_slow(sim, a, up_to(sim, LONG_US));
        break;
    default:
        kin_sim_jump(sim, a, any_jump(sim));
        break;
    }
    kin_world_push(sim, WORLD_CHAOS, NULL, sim->now + up_to(sim, 2 * GAP_US / sim->chaos));
}

static void at_least(unsigned *rate, unsigned per_million)
{
    if (*rate < per_million)
        *rate = per_million;
}

void kin_sim_chaos(struct kin_sim *sim, unsigned intensity)
{
    KIN_ASSERT(intensity >= 1 && intensity <= INTENSITY_MAX);
    if (!sim->chaos)
        kin_world_push(sim, WORLD_CHAOS, NULL, sim->now + up_to(sim, 2 * GAP_US / intensity));
    sim->chaos = intensity;
    at_least(&sim->options.loss, 3000 * intensity);
    at_least(&sim->options.duplicate, 3000 * intensity);
    at_least(&sim->options.reorder, 10000 * intensity);
    at_least(&sim->options.crash, 50 * intensity);
}

/* ---- the end of all faults ---- */

/* Drops what the schedule still has in mind; what a clog held back arrives soon, in its order. */
static bool keep_healed(struct kin_world_event *e, void *arg)
{
    const struct kin_sim *sim = arg;
    if (e->kind == WORLD_CHAOS || e->kind == WORLD_UNCUT)
        return false;
    uint64_t soon = sim->now + sim->options.delay_us.max;
    if (e->kind == WORLD_FRAME && e->at > soon)
        e->at = soon;
    if (e->kind == WORLD_BOOT && e->at > soon)
        e->at = soon;
    return true;
}

void kin_sim_heal(struct kin_sim *sim)
{
    KIN_ASSERT(!sim->current);
    struct kin_sim_options *o = &sim->options;
    sim->chaos = 0;
    o->loss = o->duplicate = o->reorder = o->full = o->out_fail = o->crash = o->allocation = 0;
    o->link_frames = 0;
    kin_world_filter(sim, keep_healed, sim);
    for (size_t i = 0; i < sim->id_count; i++) {
        struct kin_world_node *node = sim->nodes[sim->ids[i]];
        node->paused_until = 0;
        node->slow_until = 0;
        for (size_t k = 0; k < sim->id_count; k++) {
            struct kin_world_link *link = &node->links[sim->ids[k]];
            link->cut = false;
            link->clogged_until = 0;
            if (link->last_at > sim->now + o->delay_us.max)
                link->last_at = sim->now + o->delay_us.max;
        }
        if (!node->core && !node->boot_due && !node->stay_down)
            kin_world_boot_later(node, 0);
    }
}
