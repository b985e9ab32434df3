/* Hostile peers: between the cores of a cluster sits something that changes bytes of real messages,
 * exchanges their payloads, and sends old ones again. Whatever comes, no core crashes, reads past
 * its bytes, loops or believes a length; the job may fail with a clear error, or end. */
#include "proto/message.h"
#include "tests/sim/cluster.h"

#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000, KEPT = 64 };

struct hostile { /* of one node; over all its lives */
    const struct kin_node_ops *ops;
    void *args;
    uint64_t random;
    uint32_t target; /* type of message that is changed; 0: all */
    unsigned per_thousand;
    unsigned changed;
    struct kin_frame *kept[KEPT]; /* seen before */
    unsigned kept_count;
};

struct life {
    void *core;
    struct hostile *hostile;
};

static uint64_t draw(struct hostile *h, uint64_t below)
{
    h->random = h->random * 6364136223846793005u + 1442695040888963407u;
    return (h->random >> 33) % below;
}

/* ---- changing bytes ---- */

/* A bit, a small step (numbers that lie just outside), or anything. */
static void change_byte(struct hostile *h, struct kin_buf *b)
{
    uint8_t *p = &b->p[draw(h, b->n)];
    switch (draw(h, 4)) {
    case 0:
        *p ^= (uint8_t)(1u << draw(h, 8));
        break;
    case 1:
        *p = (uint8_t)draw(h, 256);
        break;
    default:
        *p = (uint8_t)(*p + 1 + draw(h, 4));
        break;
    }
}

static void change_word(struct hostile *h, struct kin_buf *b)
{
    static const uint32_t words[] = {0,      1,       2,          0x7f,       0xff,
                                     0xffff, 0x10000, 0x7fffffff, 0xfffffffe, UINT32_MAX};
    uint64_t places = b->n / 4, first = draw(h, 3) ? places : (places < 8 ? places : 8);
    if (places)
        kin_put_le32(b->p + 4 * draw(h, first), words[draw(h, sizeof words / sizeof *words)]);
}

/* One or a few changes that keep most of it well formed. */
static void change(struct hostile *h, struct kin_buf *b)
{
    for (uint64_t n = 1 + draw(h, 3); n && b->n; n--) {
        switch (draw(h, 8)) {
        case 0:
            b->n = draw(h, b->n);
            break;
        case 1:
            kin_buf_u32(b, (uint32_t)draw(h, UINT32_MAX));
            break;
        case 2:
        case 3:
        case 4:
            change_word(h, b);
            break;
        default:
            change_byte(h, b);
            break;
        }
    }
}

static struct kin_frame *copy_of(const struct kin_frame *body, const struct kin_frame *payload)
{
    struct kin_frame *f = kin_frame_new(body->type);
    if (!f)
        abort();
    kin_buf_put(&f->body, body->body.p, body->body.n);
    kin_buf_put(&f->payload, payload->payload.p, payload->payload.n);
    return f;
}

static struct kin_frame *changed_frame(struct hostile *h, const struct kin_frame *from)
{
    const struct kin_frame *old = h->kept_count ? h->kept[draw(h, h->kept_count)] : from;
    struct kin_frame *f;
    h->changed++;
    switch (draw(h, 10)) {
    case 0: /* an old message once more */
        return copy_of(old, old);
    case 1: /* with what belongs to another */
        return copy_of(from, old);
    case 2:
    case 3:
        f = copy_of(from, from);
        change(h, &f->body);
        return f;
    default:
        f = copy_of(from, from);
        change(h, f->payload.n ? &f->payload : &f->body);
        return f;
    }
}

/* ---- a node with such a thing before it ---- */

static void *hostile_boot(struct kin_env *env, void *args)
{
    struct life *life = kin_calloc(1, sizeof *life);
    if (!life)
        return NULL;
    life->hostile = args;
    life->core = life->hostile->ops->boot(env, life->hostile->args);
    if (life->core)
        return life;
    kin_free(life);
    return NULL;
}

static void hostile_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct life *life = node;
    struct hostile *h = life->hostile;
    struct kin_frame **keep = &h->kept[h->kept_count < KEPT ? h->kept_count++ : draw(h, KEPT)];
    kin_frame_unref(*keep);
    *keep = copy_of(frame, frame);
    if ((h->target && frame->type != h->target) || draw(h, 1000) >= h->per_thousand) {
        h->ops->on_frame(life->core, from, frame);
        return;
    }
    bool both = draw(h, 3) == 0; /* the true one too: the job goes on */
    struct kin_frame *f = changed_frame(h, frame);
    h->ops->on_frame(life->core, from, f);
    kin_frame_unref(f);
    if (both)
        h->ops->on_frame(life->core, from, frame);
}

static void hostile_stop(void *node)
{
    struct life *life = node;
    life->hostile->ops->stop(life->core);
    kin_free(life);
}

static const struct kin_node_ops hostile_ops = {hostile_boot, hostile_frame, hostile_stop};

static void hostile_end(struct hostile *h)
{
    for (unsigned i = 0; i < h->kept_count; i++)
        kin_frame_unref(h->kept[i]);
}

/* ---- scenarios ---- */

static const uint32_t to_worker[] = {0,
                                     KIN_MSG_WELCOME,
                                     KIN_MSG_JOB_OPEN,
                                     KIN_MSG_BATCH,
                                     KIN_MSG_BATCH,
                                     KIN_MSG_DEAD,
                                     KIN_MSG_SETTLE,
                                     KIN_MSG_PLAN,
                                     KIN_MSG_MATCH,
                                     KIN_MSG_PULL,
                                     KIN_MSG_VETO,
                                     KIN_MSG_LABELS,
                                     KIN_MSG_ROWS};
static const uint32_t to_coordinator[] = {0,
                                          KIN_MSG_HELLO,
                                          KIN_MSG_JOB_OPENED,
                                          KIN_MSG_BATCH_ACK,
                                          KIN_MSG_STEP_DONE,
                                          KIN_MSG_SETTLED,
                                          KIN_MSG_MATCHED,
                                          KIN_MSG_PULLED,
                                          KIN_MSG_PULLED,
                                          KIN_MSG_VETOED,
                                          KIN_MSG_ROWS_GOT};

enum side { WORKERS, COORDINATOR };

static bool survives(uint64_t seed, void *arg)
{
    const enum side side = *(const enum side *)arg;
    const unsigned workers = 1 + (unsigned)(seed % 3);
    struct scenario_options o = {.records_max = 50};
    struct scenario *s = scenario_new(seed, &o);
    struct kin_sim *sim = kin_sim_new(seed, &(struct kin_sim_options){0});
    struct cluster c;
    struct hostile coordinator = {.ops = &kin_coordinator_ops, .random = seed};
    struct hostile worker[CLUSTER_WORKERS_MAX] = {0};
    cluster_prepare(&c, sim, s, workers, 200 + (uint32_t)(seed * 37 % 2000));
    coordinator.args = &c.coordinator;
    size_t kinds = side == WORKERS ? sizeof to_worker / sizeof *to_worker
                                   : sizeof to_coordinator / sizeof *to_coordinator;
    uint32_t target = (side == WORKERS ? to_worker : to_coordinator)[seed / 3 % kinds];
    unsigned rate = target ? 500 : 100;
    coordinator.target = target;
    coordinator.per_thousand = side == COORDINATOR ? rate : 0;
    kin_sim_add(sim, KIN_COORDINATOR, &hostile_ops, &coordinator);
    for (unsigned w = 0; w < workers; w++) {
        worker[w] = (struct hostile){.ops = &kin_worker_ops,
                                     .args = &c.workers[w],
                                     .random = seed * 64 + w + 1,
                                     .target = target,
                                     .per_thousand = side == WORKERS ? rate : 0};
        kin_sim_add(sim, w + 1, &hostile_ops, &worker[w]);
    }
    (void)cluster_run(&c, 8ull * SECOND); /* done or not: it lives */
    kin_sim_free(sim);
    hostile_end(&coordinator);
    for (unsigned w = 0; w < workers; w++)
        hostile_end(&worker[w]);
    scenario_free(s);
    return true;
}

int main(void)
{
    enum side side = WORKERS;
    bool ok = kin_sim_sweep("hostile coordinator", 1, 250, survives, &side);
    side = COORDINATOR;
    ok = kin_sim_sweep("hostile workers", 1, 250, survives, &side) && ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
