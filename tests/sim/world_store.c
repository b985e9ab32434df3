#include "common/base/hash.h"
#include "tests/sim/world_impl.h"

#include <stdlib.h>
#include <string.h>

/* The stores: a skip list per db, whose levels come from the hash of the key, so that nothing is
 * drawn from a random stream. */

enum { SLOW_FACTOR = 50 };

struct kin_world_entry {
    char *value;
    size_t value_n;
    char *key;
    size_t key_n;
    struct kin_world_entry *next[];
};

static struct kin_str key_of(const struct kin_world_entry *e)
{
    return (struct kin_str){e->key, e->key_n};
}

/* The first entry whose key is >= key, or NULL; places[i] is the link at level i that leads to it
 * or past it. */
static struct kin_world_entry *find(struct kin_world_db *db, struct kin_str key,
                                    struct kin_world_entry **places[KIN_WORLD_LEVELS])
{
    struct kin_world_entry **level = db->first;
    for (size_t i = KIN_WORLD_LEVELS; i-- > 0;) {
        while (level[i] && kin_str_cmp(key_of(level[i]), key) < 0)
            level = level[i]->next;
        if (places)
            places[i] = &level[i];
    }
    return level[0];
}

static size_t height_of(struct kin_str key)
{
    uint64_t bits = kin_hash64(key.p, key.n, 0x5eed) | (uint64_t)1 << (KIN_WORLD_LEVELS - 1);
    return (size_t)__builtin_ctzll(bits) + 1;
}

static void entry_free(struct kin_world_entry *e)
{
    free(e->key);
    free(e->value);
    free(e);
}

static void put(struct kin_world_db *db, const struct kin_store_put *p)
{
    struct kin_world_entry **places[KIN_WORLD_LEVELS];
    struct kin_world_entry *e = find(db, p->key, places);
    bool found = e && kin_str_eq(key_of(e), p->key);
    size_t height = height_of(p->key);
    KIN_ASSERT(!p->append || !e); /* the key was promised to be the greatest */
    if (!p->value.p) {
        if (!found)
            return;
        for (size_t i = 0; i < height; i++)
            *places[i] = e->next[i];
        entry_free(e);
        db->count--;
        return;
    }
    if (found) {
        free(e->value);
    } else {
        e = kin_world_alloc(sizeof *e + height * sizeof(struct kin_world_entry *));
        e->key = kin_world_copy(p->key.p, p->key.n);
        e->key_n = p->key.n;
        for (size_t i = 0; i < height; i++) {
            e->next[i] = *places[i];
            *places[i] = e;
        }
        db->count++;
    }
    e->value = kin_world_copy(p->value.p, p->value.n);
    e->value_n = p->value.n;
}

void kin_world_store_clear(struct kin_world_node *node)
{
    for (size_t i = 0; i < KIN_DBS_MAX; i++) {
        struct kin_world_entry *e = node->dbs[i].first[0];
        while (e) {
            struct kin_world_entry *next = e->next[0];
            entry_free(e);
            e = next;
        }
        node->dbs[i] = (struct kin_world_db){0};
    }
}

/* ---- batches ---- */

static uint64_t op_hash(const struct kin_store_op *op)
{
    uint64_t h = op->count;
    for (size_t i = 0; i < op->count; i++) {
        const struct kin_store_put *p = &op->puts[i];
        h = kin_hash64(p->key.p, p->key.n, kin_hash_mix(h, p->db));
        h = p->value.p ? kin_hash64(p->value.p, p->value.n, h) : kin_hash_mix(h, 1);
    }
    return h;
}

static void start_commit(struct kin_world_node *node)
{
    struct kin_sim *sim = node->sim;
    if (node->committing || node->ops_queued == 0)
        return;
    node->committing = true;
    uint64_t us = kin_world_in(&node->store, sim->options.commit_us);
    if (node->slow_until > sim->now)
        us *= SLOW_FACTOR;
    struct kin_world_event *e = kin_world_push(sim, WORLD_COMMIT, node, sim->now + us);
    e->u.batches = 1 + (size_t)kin_world_below(&node->store, node->ops_queued);
}

void kin_world_store_submit(struct kin_env *env, struct kin_store_op *op)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_loop(node);
    if (node->closing)
        return;
    op->impl = (void *)(uintptr_t)op_hash(op);
    op->impl_next = NULL;
    op->impl_status = KIN_OK;
    if (node->ops_queued)
        node->ops_last->impl_next = op;
    else
        node->ops_first = op;
    node->ops_last = op;
    node->ops_queued++;
    node->under_way++;
    start_commit(node);
}

static bool is_valid(const struct kin_store_op *op)
{
    for (size_t i = 0; i < op->count; i++) {
        const struct kin_store_put *p = &op->puts[i];
        if (p->db >= KIN_DBS_MAX || p->key.n == 0 || p->key.n > KIN_STORE_KEY_MAX)
            return false;
    }
    return true;
}

static struct kin_store_op *pop(struct kin_world_node *node)
{
    struct kin_store_op *op = node->ops_first;
    node->ops_first = op->impl_next;
    node->ops_queued--;
    return op;
}

/* As a whole, or not at all. */
static void apply(struct kin_world_node *node, struct kin_store_op *op)
{
    uint64_t hash = op_hash(op);
    KIN_ASSERT(op->impl == (void *)(uintptr_t)hash); /* the batch changed while it was borrowed */
    op->impl_status = is_valid(op) ? KIN_OK : KIN_E_INVAL;
    if (op->impl_status)
        return;
    for (size_t i = 0; i < op->count; i++)
        put(&node->dbs[op->puts[i].db], &op->puts[i]);
    node->sim->stats.batches++;
    kin_world_note(node->sim, WORLD_APPLIED, node->env.self, KIN_WORLD_NOBODY, hash);
}

/* Applied now; each done runs somewhat later, in order, so that a task may see a batch before its
 * done has run. */
void kin_world_commit(struct kin_world_node *node, size_t batches)
{
    struct kin_sim *sim = node->sim;
    sim->stats.commits++;
    for (size_t i = 0; i < batches; i++) {
        struct kin_store_op *op = pop(node);
        if (kin_world_chance(&node->store, sim->options.full)) {
            op->impl_status = KIN_E_FULL;
            sim->stats.full++;
        } else {
            apply(node, op);
        }
        uint64_t at = sim->now + kin_world_in(&node->store, sim->options.late_us);
        if (at < node->last_done_at)
            at = node->last_done_at;
        node->last_done_at = at;
        kin_world_push(sim, WORLD_BATCH_DONE, node, at)->u.op = op;
    }
    node->committing = false;
    start_commit(node);
}

size_t kin_world_store_crash(struct kin_world_node *node)
{
    size_t applied = (size_t)kin_world_below(&node->store, node->ops_queued + 1);
    for (size_t i = 0; i < applied; i++)
        apply(node, pop(node));
    node->ops_first = NULL;
    node->ops_queued = 0;
    return applied;
}

/* ---- snapshots: a task happens at one instant, so the state of now is one ---- */

struct copy {
    struct copy *next;
    char bytes[];
};

struct kin_snap {
    struct kin_world_node *node;
    struct copy *copies;
    struct kin_snap *next;
};

kin_status kin_world_snap_begin(struct kin_env *env, struct kin_snap **out)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_task(node);
    struct kin_snap *snap = kin_world_alloc(sizeof *snap);
    snap->node = node;
    snap->next = node->snaps;
    node->snaps = snap;
    *out = snap;
    return KIN_OK;
}

void kin_world_snap_end(struct kin_env *env, struct kin_snap *snap)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_task(node);
    struct kin_snap **at = &node->snaps;
    while (*at && *at != snap)
        at = &(*at)->next;
    KIN_ASSERT(*at); /* ended twice, or of another node */
    *at = snap->next;
    while (snap->copies) {
        struct copy *next = snap->copies->next;
        free(snap->copies);
        snap->copies = next;
    }
    free(snap);
}

/* Each in a block of its own size, so that ASan sees one byte too far. */
static struct kin_str copy_into(struct kin_snap *snap, const char *p, size_t n)
{
    struct copy *c = kin_world_alloc(sizeof *c + n);
    if (n)
        memcpy(c->bytes, p, n);
    c->next = snap->copies;
    snap->copies = c;
    return (struct kin_str){c->bytes, n};
}

kin_status kin_world_snap_get(struct kin_snap *snap, unsigned db, struct kin_str key,
                              struct kin_str *value)
{
    kin_world_assert_task(snap->node);
    KIN_ASSERT(db < KIN_DBS_MAX);
    struct kin_world_entry *e = find(&snap->node->dbs[db], key, NULL);
    if (!e || !kin_str_eq(key_of(e), key))
        return KIN_E_NOTFOUND;
    *value = copy_into(snap, e->value, e->value_n);
    return KIN_OK;
}

kin_status kin_world_snap_seek(struct kin_snap *snap, unsigned db, struct kin_str key,
                               struct kin_str *found_key, struct kin_str *value)
{
    kin_world_assert_task(snap->node);
    KIN_ASSERT(db < KIN_DBS_MAX);
    struct kin_world_entry *e = find(&snap->node->dbs[db], key, NULL);
    if (!e)
        return KIN_E_NOTFOUND;
    *found_key = copy_into(snap, e->key, e->key_n);
    *value = copy_into(snap, e->value, e->value_n);
    return KIN_OK;
}

/* ---- from outside ---- */

bool kin_sim_store_get(struct kin_sim *sim, kin_node_id id, unsigned db, struct kin_str key,
                       struct kin_str *value)
{
    struct kin_world_entry *e = find(&sim->nodes[id]->dbs[db], key, NULL);
    if (!e || !kin_str_eq(key_of(e), key))
        return false;
    *value = (struct kin_str){e->value, e->value_n};
    return true;
}

size_t kin_sim_store_count(struct kin_sim *sim, kin_node_id id, unsigned db)
{
    return sim->nodes[id]->dbs[db].count;
}

void kin_sim_wipe(struct kin_sim *sim, kin_node_id id)
{
    KIN_ASSERT(!sim->nodes[id]->core);
    kin_world_store_clear(sim->nodes[id]);
}
