#include "common/base/hash.h"
#include "tests/sim/world_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Memory, randomness, the heap of events, and the record of what happened. */

/* ---- memory ---- */

void *kin_world_alloc(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    KIN_ASSERT(p);
    return p;
}

void *kin_world_grow(void *p, size_t bytes)
{
    void *q = realloc(p, bytes ? bytes : 1);
    KIN_ASSERT(q);
    return q;
}

char *kin_world_copy(const void *p, size_t n)
{
    char *copy = kin_world_alloc(n + 1);
    if (n)
        memcpy(copy, p, n);
    return copy;
}

/* ---- randomness ---- */

uint64_t kin_world_draw(struct kin_world_stream *s)
{
    return kin_hash_mix(s->seed, ++s->drawn * UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t kin_world_below(struct kin_world_stream *s, uint64_t n)
{
    return kin_world_draw(s) % n;
}

uint64_t kin_world_in(struct kin_world_stream *s, struct kin_sim_range r)
{
    return r.max > r.min ? r.min + kin_world_below(s, r.max - r.min + 1) : r.min;
}

bool kin_world_chance(struct kin_world_stream *s, unsigned per_million)
{
    return per_million > 0 && kin_world_below(s, 1000000) < per_million;
}

/* ---- the heap of events ---- */

static bool before(const struct kin_world_event *a, const struct kin_world_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void put_at(struct kin_sim *sim, size_t slot, struct kin_world_event *e)
{
    sim->heap[slot] = e;
    e->slot = slot;
}

/* Puts e where it belongs, starting from the free slot. */
static void settle(struct kin_sim *sim, size_t slot, struct kin_world_event *e)
{
    while (slot > 0 && before(e, sim->heap[(slot - 1) / 2])) {
        put_at(sim, slot, sim->heap[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * slot + 1;
        if (child >= sim->heap_count)
            break;
        if (child + 1 < sim->heap_count && before(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!before(sim->heap[child], e))
            break;
        put_at(sim, slot, sim->heap[child]);
        slot = child;
    }
    put_at(sim, slot, e);
}

void kin_world_take(struct kin_sim *sim, struct kin_world_event *e)
{
    size_t slot = e->slot;
    sim->heap_count--;
    if (slot < sim->heap_count)
        settle(sim, slot, sim->heap[sim->heap_count]);
}

void kin_world_put(struct kin_sim *sim, struct kin_world_event *e, uint64_t at)
{
    if (sim->heap_count == sim->heap_cap) {
        sim->heap_cap = sim->heap_cap ? 2 * sim->heap_cap : 1024;
        sim->heap = kin_world_grow(sim->heap, sim->heap_cap * sizeof(struct kin_world_event *));
    }
    e->at = at;
    e->seq = sim->seq++;
    sim->heap_count++;
    settle(sim, sim->heap_count - 1, e);
}

struct kin_world_event *kin_world_push(struct kin_sim *sim, enum kin_world_kind kind,
                                       struct kin_world_node *node, uint64_t at)
{
    struct kin_world_event *e = kin_world_alloc(sizeof *e);
    e->kind = kind;
    e->node = node;
    kin_world_put(sim, e, at < sim->now ? sim->now : at);
    return e;
}

void kin_world_remove(struct kin_sim *sim, struct kin_world_event *e)
{
    kin_world_take(sim, e);
    free(e);
}

void kin_world_filter(struct kin_sim *sim, bool (*keep)(struct kin_world_event *e, void *arg),
                      void *arg)
{
    size_t count = sim->heap_count;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (keep(sim->heap[i], arg))
            sim->heap[kept++] = sim->heap[i];
        else
            free(sim->heap[i]);
    }
    for (sim->heap_count = 0; sim->heap_count < kept;) {
        struct kin_world_event *e = sim->heap[sim->heap_count];
        sim->heap_count++;
        settle(sim, sim->heap_count - 1, e);
    }
}

/* ---- what happened ---- */

const char *kin_world_kind_name(enum kin_world_kind kind)
{
    static const char *const names[] = {
#define KIN_WORLD_NAME(name) #name,
        KIN_WORLD_KINDS(KIN_WORLD_NAME)
#undef KIN_WORLD_NAME
    };
    return names[kind];
}

static void print_seen(const struct kin_world_seen *s, FILE *to)
{
    fprintf(to, "%12" PRIu64 " %-10s", s->at, kin_world_kind_name(s->kind));
    if (s->node != KIN_WORLD_NOBODY)
        fprintf(to, " node %u", s->node);
    if (s->other != KIN_WORLD_NOBODY)
        fprintf(to, " / %u", s->other);
    fprintf(to, " %016" PRIx64 "\n", s->value);
}

void kin_world_note(struct kin_sim *sim, enum kin_world_kind kind, kin_node_id node,
                    kin_node_id other, uint64_t value)
{
    struct kin_world_seen *s = &sim->seen[sim->seen_count++ % KIN_WORLD_SEEN];
    *s = (struct kin_world_seen){sim->now, kind, node, other, value};
    uint64_t who = (uint64_t)kind << 32 | node << 16 | other;
    sim->hash = kin_hash_mix(kin_hash_mix(kin_hash_mix(sim->hash, sim->now), who), value);
    if (sim->options.trace)
        print_seen(s, sim->options.trace);
}

void kin_sim_dump(const struct kin_sim *sim, FILE *to)
{
    const struct kin_sim_stats *t = &sim->stats;
    uint64_t n = sim->seen_count < KIN_WORLD_SEEN ? sim->seen_count : KIN_WORLD_SEEN;
    for (uint64_t i = sim->seen_count - n; i < sim->seen_count; i++)
        print_seen(&sim->seen[i % KIN_WORLD_SEEN], to);
    fprintf(to,
            "seed %" PRIu64 ", %" PRIu64 " us: events %" PRIu64 ", frames sent %" PRIu64
            " delivered %" PRIu64 " lost %" PRIu64 " duplicated %" PRIu64 ", tasks %" PRIu64
            ", batches %" PRIu64 ", boots %" PRIu64 ", crashes %" PRIu64 ", hash %016" PRIx64 "\n",
            sim->seed, sim->now, t->events, t->sent, t->delivered, t->lost, t->duplicated, t->tasks,
            t->batches, t->boots, t->crashes, sim->hash);
}
