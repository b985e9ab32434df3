#ifndef KIN_TESTS_SIM_LIVE_KIT_H
#define KIN_TESTS_SIM_LIVE_KIT_H
/* For the tests of the worker's side of live operation: real workers in the simulated world, the
 * test is their coordinator. Records, rules and models are those of random scenarios; what is to be
 * found is told by a plain walk over all pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/group/linkage.h"
#include "tests/oracle/scenario.h"
#include "tests/sim/world.h"
#include "worker/live.h"

enum { MS = 1000, SECOND = 1000 * MS, RUN = 4711, EPOCH = 5, CLUSTER = 9, LETTERS_MAX = 20000 };

#define NOT_YET UINT64_MAX

struct letter {
    kin_node_id from;
    struct kin_frame *frame;
    struct kin_message m;
};
struct coordinator {
    struct kin_env *env;
    struct letter letters[LETTERS_MAX];
    size_t count;
};

struct record {
    uint8_t *p;       /* packed, with keys */
    uint64_t batch;   /* live; 0: of the run; NOT_YET: not sent */
    uint64_t removed; /* by that live batch; 0: never */
    bool dead;
    uint64_t leaves[256]; /* ordinary keys under the plan, ascending */
    size_t leaf_count;
};

struct live_kit {
    struct kin_sim *sim;
    struct coordinator coordinator;
    struct kin_worker_args args;
    struct scenario *s;
    const struct kin_workflow *workflow;
    uint32_t workers;
    struct kin_shard_map shards;
    struct record *records;
    uint32_t count, base_records;
    uint64_t base, seq;
    struct kin_buf oversized; /* u64, ascending */
    uint64_t random, request;
    uint32_t often; /* one in so many records is removed by a batch */
    struct kin_decider *decider;
    struct kin_decider_state *state;
    struct kin_comparer *comparer;
    struct kin_comparer_scratch *scratch;
    struct kin_model_decider *model;
    int32_t threshold, floor;
    /* what happened, so that a test can tell that it did */
    uint64_t edges, model_edges, stars, refined, found, windowed, crashes, repeats, builds;
};

static inline uint32_t below(struct live_kit *k, uint32_t n)
{
    k->random = k->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((k->random >> 33) % n);
}

/* ---- the coordinator ---- */

static inline void *kit_boot(struct kin_env *env, void *args)
{
    struct coordinator *c = args;
    c->env = env;
    return c;
}

static inline void kit_post(struct kin_env *env, kin_node_id to, struct kin_message m,
                            struct kin_str payload)
{
    struct kin_frame *f;
    m.version = KIN_PROTO_VERSION_MAX;
    m.epoch = EPOCH;
    m.cluster = CLUSTER;
    if (kin_message_encode(&m, &f) != KIN_OK)
        return; /* short of memory on purpose */
    kin_buf_put(&f->payload, payload.p, payload.n);
    if (f->payload.failed)
        kin_frame_unref(f);
    else
        env->ops->send(env, to, f);
}

static inline void kit_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct coordinator *c = node;
    assert_true(c->count < LETTERS_MAX);
    struct letter *l = &c->letters[c->count];
    *l = (struct letter){.from = from, .frame = kin_frame_ref(frame)};
    assert_int_equal(kin_message_decode(frame, &l->m, NULL), KIN_OK);
    if (l->m.type == KIN_MSG_HELLO) {
        struct kin_message m = {.type = KIN_MSG_WELCOME, .request = l->m.request};
        m.u.welcome.version = KIN_PROTO_VERSION_MAX;
        m.u.welcome.lease_ms = 3600 * 1000;
        kit_post(c->env, from, m, (struct kin_str){NULL, 0});
    }
    if (l->m.type == KIN_MSG_HELLO || l->m.type == KIN_MSG_LEASE)
        kin_frame_unref(l->frame);
    else
        c->count++;
}

static inline void kit_stop(void *node)
{
    (void)node;
}

static const struct kin_node_ops kit_ops = {kit_boot, kit_frame, kit_stop};

struct outgoing {
    struct live_kit *kit;
    kin_node_id to;
    struct kin_message m;
    struct kin_str payload;
};

static inline void kit_send_now(void *arg)
{
    struct outgoing *o = arg;
    kit_post(o->kit->coordinator.env, o->to, o->m, o->payload);
}

/* Sends to the worker of an index; returns the number of the request. */
static inline uint64_t kit_send(struct live_kit *k, uint32_t worker, struct kin_message m,
                                struct kin_str payload)
{
    m.request = ++k->request;
    struct outgoing o = {k, worker + 1, m, payload};
    for (unsigned i = 0; i < 1000 && !kin_sim_node(k->sim, KIN_COORDINATOR); i++)
        kin_sim_run_for(k->sim, 100 * MS);
    kin_sim_call(k->sim, KIN_COORDINATOR, kit_send_now, &o);
    return m.request;
}

struct awaited {
    struct live_kit *kit;
    uint32_t type;
    uint64_t request;
    size_t from;
    struct letter *found;
};

static inline bool kit_has_come(void *arg)
{
    struct awaited *a = arg;
    struct coordinator *c = &a->kit->coordinator;
    for (; a->from < c->count && !a->found; a->from++) {
        struct letter *l = &c->letters[a->from];
        if (l->m.type == a->type && (l->m.request == a->request || !a->request))
            a->found = l;
    }
    return a->found != NULL;
}

/* The answer to a request; NULL: none within a while. */
static inline const struct letter *kit_answer(struct live_kit *k, uint64_t request, uint32_t type)
{
    struct awaited a = {.kit = k, .type = type, .request = request};
    kin_sim_run_until(k->sim, kit_has_come, &a, 5 * SECOND);
    return a.found;
}

static inline const struct letter *kit_ask(struct live_kit *k, uint32_t worker,
                                           struct kin_message m, struct kin_str payload,
                                           uint32_t type)
{
    const struct letter *l = kit_answer(k, kit_send(k, worker, m, payload), type);
    assert_non_null(l);
    return l;
}

static inline struct kin_str kit_bytes(const struct kin_buf *b)
{
    return (struct kin_str){(const char *)b->p, b->n};
}

static inline void kit_forget(struct live_kit *k)
{
    for (size_t i = 0; i < k->coordinator.count; i++)
        kin_frame_unref(k->coordinator.letters[i].frame);
    k->coordinator.count = 0;
}

/* ---- records ---- */

static inline bool kit_oversized(const struct live_kit *k, uint64_t key)
{
    for (size_t i = 0; i < k->oversized.n; i += 8) {
        if (kin_le64(k->oversized.p + i) == key)
            return true;
    }
    return false;
}

/* Calls for each refined key under an oversized one. */
static inline void kit_refine(struct live_kit *k, const uint8_t *rec, uint64_t key, unsigned depth,
                              void (*put)(struct live_kit *, void *, uint64_t, unsigned), void *arg)
{
    int field = worker_refine_field(k->workflow, key, &depth);
    const uint8_t *at;
    unsigned n = field < 0 ? 0 : kin_features_values(rec, (unsigned)field, &at);
    for (unsigned i = 0; i < n; i++) {
        struct kin_value value = kin_features_next(&at);
        uint64_t child = kin_key_refine(key, depth, &value);
        put(k, arg, child, depth + 1);
        if (kit_oversized(k, child))
            kit_refine(k, rec, child, depth + 1, put, arg);
    }
}

static inline int kit_by_u64(const void *a, const void *b)
{
    uint64_t x = kin_le64(a), y = kin_le64(b);
    return x < y ? -1 : x > y;
}

static inline void kit_leaf(struct live_kit *k, void *arg, uint64_t key, unsigned depth)
{
    struct record *r = arg;
    (void)depth;
    if (kit_oversized(k, key))
        return;
    assert_true(r->leaf_count < 256);
    r->leaves[r->leaf_count++] = key;
}

static inline void kit_leaves(struct live_kit *k, struct record *r)
{
    unsigned count;
    const uint8_t *keys = kin_features_keys(r->p, &count);
    r->leaf_count = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t key = kin_le64(keys + 8 * (size_t)i);
        if (kin_key_rule_number(key) >= k->workflow->block_key_count)
            continue;
        if (kit_oversized(k, key))
            kit_refine(k, r->p, key, 0, kit_leaf, r);
        else
            kit_leaf(k, r, key, 0);
    }
    qsort(r->leaves, r->leaf_count, 8, kit_by_u64);
}

struct kit_keys {
    struct kin_buf keys;
};

static inline void kit_list(struct live_kit *k, void *arg, uint64_t key, unsigned depth)
{
    (void)k;
    (void)depth;
    kin_buf_u64(arg, key);
}

/* The plan as the coordinator makes it: keys that more than max_block records of the run have, and
 * of what they are refined to, again. */
static inline void kit_plan(struct live_kit *k)
{
    for (bool more = true; more;) {
        struct kin_buf keys = {0};
        for (uint32_t i = 0; i < k->base_records; i++) {
            unsigned count;
            const uint8_t *p = kin_features_keys(k->records[i].p, &count);
            size_t from = keys.n, to = keys.n;
            if (k->records[i].dead)
                continue;
            for (unsigned n = 0; n < count; n++) {
                uint64_t key = kin_le64(p + 8 * (size_t)n);
                if (kin_key_rule_number(key) >= k->workflow->block_key_count)
                    continue;
                kin_buf_u64(&keys, key);
                if (kit_oversized(k, key))
                    kit_refine(k, k->records[i].p, key, 0, kit_list, &keys);
            }
            if (keys.n > from)
                qsort(keys.p + from, (keys.n - from) / 8, 8, kit_by_u64);
            for (size_t at = from; at < keys.n; at += 8) { /* each once */
                if (at > from && kin_le64(keys.p + at) == kin_le64(keys.p + to - 8))
                    continue;
                memmove(keys.p + to, keys.p + at, 8);
                to += 8;
            }
            keys.n = to;
        }
        if (keys.n)
            qsort(keys.p, keys.n / 8, 8, kit_by_u64);
        more = false;
        struct kin_buf found = {0};
        for (size_t at = 0, end; at < keys.n; at = end) {
            uint64_t key = kin_le64(keys.p + at);
            for (end = at + 8; end < keys.n && kin_le64(keys.p + end) == key; end += 8)
                continue;
            if ((end - at) / 8 > k->workflow->limits.max_block && !kit_oversized(k, key))
                kin_buf_u64(&found, key);
        }
        more = found.n > 0;
        kin_buf_put(&k->oversized, found.p, found.n);
        kin_buf_deinit(&found);
        kin_buf_deinit(&keys);
    }
    if (k->oversized.n)
        qsort(k->oversized.p, k->oversized.n / 8, 8, kit_by_u64);
}

static inline void kit_record(struct live_kit *k, const struct oracle_record *from)
{
    struct record *r = &k->records[k->count++];
    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    struct kin_buf out = {0};
    size_t n = kin_blocking_keys(k->workflow->keys, k->workflow->key_count, from->features,
                                 k->workflow->limits.max_keys, keys, &excess);
    size_t at = 4 * (size_t)kin_le16(from->features + 16);
    kin_buf_put(&out, from->features, at);
    for (size_t i = 0; i < n; i++)
        kin_buf_u64(&out, keys[i]);
    assert_false(out.failed);
    kin_put_le32(out.p, (uint32_t)out.n);
    kin_put_le16(out.p + 14, (uint16_t)n);
    assert_true(kin_features_valid(out.p, out.n, (unsigned)k->workflow->schema.count));
    r->p = out.p;
}

static inline uint32_t kit_home(const struct live_kit *k, const struct record *r)
{
    struct kin_str name = kin_str_of(k->workflow->sources[kin_features_source(r->p)].name);
    uint64_t seed = kin_hash64(name.p, name.n, 0);
    return kin_home_worker(&k->shards, seed, kin_features_id(r->p));
}

static inline bool kit_goes_to(const struct live_kit *k, const struct record *r, uint32_t worker)
{
    unsigned count;
    const uint8_t *keys = kin_features_keys(r->p, &count);
    for (unsigned i = 0; i < count; i++) {
        if (kin_key_worker(&k->shards, kin_le64(keys + 8 * (size_t)i)) == worker)
            return true;
    }
    return kit_home(k, r) == worker;
}

struct sections {
    struct kin_buf bytes;
    uint32_t features, rows;
};

/* Features and rows of the records [from, to) for one worker. */
static inline struct sections kit_sections(struct live_kit *k, uint32_t from, uint32_t to,
                                           uint32_t worker)
{
    static const struct kin_str columns[2] = {{"extra", 5}, {"number", 6}};
    struct sections s = {{0}, 0, 0};
    struct kin_batch_rows_builder rows = {0};
    uint32_t count = 0;
    bool swapped = from % 2; /* tables of batches differ */
    kin_buf_u64(&s.bytes, from);
    kin_buf_u64(&s.bytes, 0);
    for (uint32_t i = from; i < to; i++) {
        const struct record *r = &k->records[i];
        if (!kit_goes_to(k, r, worker))
            continue;
        size_t at = s.bytes.n;
        char text[16];
        kin_buf_put(&s.bytes, r->p, kin_features_bytes(r->p));
        kin_put_le32(s.bytes.p + at + 4, i - from);
        count++;
        if (kit_home(k, r) != worker)
            continue;
        int n = snprintf(text, sizeof text, "%u", i);
        kin_batch_rows_begin_row(&rows, i - from, INT64_MIN, kin_features_source(r->p),
                                 kin_features_id(r->p));
        kin_batch_rows_cell(&rows, swapped ? 0 : 1, (struct kin_str){text, (size_t)n});
        kin_batch_rows_end_row(&rows);
    }
    kin_put_le32(s.bytes.p + 8, count);
    kin_put_le32(s.bytes.p + 12, (uint32_t)s.bytes.n - 16);
    s.features = (uint32_t)s.bytes.n;
    kin_batch_rows_finish(&rows, swapped ? columns + 1 : columns, swapped ? 1 : 2, &s.bytes);
    kin_buf_deinit(&rows.rows);
    assert_false(s.bytes.failed);
    s.rows = (uint32_t)s.bytes.n - s.features;
    return s;
}

/* ---- a run that is kept ---- */

static inline struct kin_message kit_job_open(struct live_kit *k, uint64_t run, uint32_t worker)
{
    struct kin_message m = {.type = KIN_MSG_JOB_OPEN};
    m.u.job_open.job = run;
    m.u.job_open.workflow = kit_bytes(&k->s->workflow_text);
    m.u.job_open.workers = k->workers;
    m.u.job_open.index = worker;
    m.u.job_open.shard_map = (struct kin_str){(const char *)k->shards.owner, KIN_SHARDS};
    return m;
}

/* One of the run, counted from 0. */
static inline void kit_send_batch(struct live_kit *k, uint32_t worker, uint64_t batch)
{
    struct kin_message m = {.type = KIN_MSG_BATCH};
    uint32_t from = (uint32_t)(k->base_records * batch / k->base);
    uint32_t to = (uint32_t)(k->base_records * (batch + 1) / k->base);
    struct sections s = kit_sections(k, from, to, worker);
    m.u.batch.job = RUN;
    m.u.batch.seq = batch + 1;
    m.u.batch.feature_bytes = s.features;
    kit_forget(k);
    kit_send(k, worker, m, kit_bytes(&s.bytes));
    kin_sim_run_for(k->sim, 20 * MS);
    kin_buf_deinit(&s.bytes);
}

static inline void kit_load(struct live_kit *k, uint32_t worker)
{
    const struct letter *l = kit_ask(k, worker, kit_job_open(k, RUN, worker),
                                     (struct kin_str){NULL, 0}, KIN_MSG_JOB_OPENED);
    assert_int_equal(l->m.u.job_opened.status, KIN_OK);
    for (uint64_t b = 0; b < k->base; b++) {
        kit_send_batch(k, worker, b);
        l = kit_answer(k, 0, KIN_MSG_BATCH_ACK);
        assert_non_null(l);
        assert_int_equal(l->m.u.batch_ack.status, KIN_OK);
    }
}

static inline struct kin_message kit_close(uint64_t run, bool keep)
{
    struct kin_message m = {.type = KIN_MSG_JOB_CLOSE};
    m.u.job_close.job = run;
    m.u.job_close.keep = keep;
    return m;
}

/* NULL: no answer. */
static inline const struct letter *kit_live_open_try(struct live_kit *k, uint32_t worker)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_OPEN};
    struct kin_message job = kit_job_open(k, RUN, worker);
    struct kin_buf payload = {0};
    uint32_t model = (uint32_t)(k->workflow->model ? k->s->model.n : 0);
    m.u.live_open.live = RUN;
    m.u.live_open.workflow = job.u.job_open.workflow;
    m.u.live_open.workers = k->workers;
    m.u.live_open.index = worker;
    m.u.live_open.shard_map = job.u.job_open.shard_map;
    m.u.live_open.base = k->base;
    kin_buf_u32(&payload, 0);
    kin_buf_u32(&payload, (uint32_t)(k->oversized.n / 8));
    kin_buf_u32(&payload, model);
    kin_buf_u64(&payload, 0);
    kin_buf_put(&payload, k->oversized.p, k->oversized.n);
    kin_buf_put(&payload, k->s->model.p, model);
    while (model++ % 8)
        kin_buf_putc(&payload, 0);
    kin_put_le32(payload.p, (uint32_t)payload.n - 4);
    while (payload.n % 4)
        kin_buf_putc(&payload, 0);
    for (uint32_t i = 0; i < k->base_records; i++) {
        if (k->records[i].dead)
            kin_buf_u32(&payload, i);
    }
    const struct letter *l =
        kit_answer(k, kit_send(k, worker, m, kit_bytes(&payload)), KIN_MSG_LIVE_OPENED);
    kin_buf_deinit(&payload);
    return l;
}

static inline const struct letter *kit_live_open(struct live_kit *k, uint32_t worker)
{
    const struct letter *l = kit_live_open_try(k, worker);
    assert_non_null(l);
    return l;
}

/* ---- deciding ---- */

static inline void kit_deciders(struct live_kit *k)
{
    struct kin_err err;
    const struct kin_workflow *w = k->workflow;
    if (w->rule_count) {
        assert_int_equal(kin_decider_new(&w->schema, w->rules, w->rule_count, &k->decider, &err),
                         KIN_OK);
        k->state = kin_decider_state_new(k->decider);
        assert_non_null(k->state);
    }
    if (!w->model)
        return;
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_model_tables tables;
    static struct kin_value_counts none;
    k->threshold = w->model->thresholds[w->model->threshold_count - 1].weight;
    k->floor = w->cluster == KIN_CLUSTER_LINKAGE ? kin_linkage_floor(k->threshold) : k->threshold;
    assert_int_equal(kin_comparer_new(&w->schema, w->model->comparisons, w->model->comparison_count,
                                      &k->comparer, NULL),
                     KIN_OK);
    assert_int_equal(kin_model_read(k->s->model.p, k->s->model.n, &arena, &model, &err), KIN_OK);
    kin_model_tables(&model, &tables);
    assert_int_equal(kin_model_decider_new(k->comparer, &tables, &none, &k->model, &err), KIN_OK);
    k->scratch = kin_comparer_scratch_new();
    kin_arena_deinit(&arena);
}

/* The rule of a pair, or -1. */
static inline int kit_decide(struct live_kit *k, const uint8_t *a, const uint8_t *b, int32_t floor,
                             int32_t *weight)
{
    int rule = k->decider ? kin_decide(k->decider, k->state, a, b) : -1;
    *weight = 0;
    if (rule >= 0 || !k->model)
        return rule;
    *weight = kin_model_decider_weight(k->model, k->scratch, a, b);
    return *weight >= floor ? (int)k->workflow->rule_count : -1;
}

static inline bool kit_share(const struct record *a, const struct record *b, uint64_t *smallest)
{
    for (size_t i = 0; i < a->leaf_count; i++) {
        for (size_t j = 0; j < b->leaf_count; j++) {
            if (a->leaves[i] == b->leaves[j]) {
                *smallest = a->leaves[i];
                return true;
            }
        }
    }
    return false;
}

static inline bool kit_across(const struct live_kit *k, const uint8_t *a, const uint8_t *b)
{
    return !k->workflow->across_sources || kin_features_source(a) != kin_features_source(b);
}

static inline bool kit_same_values(const struct live_kit *k, const uint8_t *a, const uint8_t *b,
                                   uint64_t key)
{
    struct kin_buf x = {0}, y = {0};
    const struct kin_key_rule *rule = &k->workflow->keys[kin_key_rule_number(key)];
    bool same = kin_blocking_key_values(rule, a, key, &x) &&
                kin_blocking_key_values(rule, b, key, &y) && x.n == y.n &&
                (x.n == 0 || memcmp(x.p, y.p, x.n) == 0);
    kin_buf_deinit(&x);
    kin_buf_deinit(&y);
    return same;
}

static inline bool kit_has_key(const uint8_t *rec, uint64_t key)
{
    unsigned count;
    const uint8_t *keys = kin_features_keys(rec, &count);
    for (unsigned i = 0; i < count; i++) {
        if (kin_le64(keys + 8 * (size_t)i) == key)
            return true;
    }
    return false;
}

/* ---- what is to be found ---- */

struct entry {
    uint32_t a, b, rule;
    int32_t weight;
    uint64_t key;
};

static inline int kit_by_entry(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->b < b->b ? -1 : a->b > b->b;
}

static inline void kit_put(struct kin_buf *out, struct entry e)
{
    kin_buf_put(out, &e, sizeof e);
}

static inline bool kit_there(const struct record *r, uint64_t seq)
{
    return !r->dead && r->batch <= seq && (!r->removed || r->removed > seq);
}

/* Entries (struct entry) of rec with the first `below_` records as of a batch, no stars. */
static inline void kit_expect(struct live_kit *k, const struct record *x, uint32_t a,
                              uint32_t below_, uint64_t seq, int32_t floor, struct kin_buf *out)
{
    for (uint32_t j = 0; j < below_; j++) {
        const struct record *y = &k->records[j];
        uint64_t smallest;
        int32_t weight;
        if (!kit_there(y, seq) || !kit_across(k, x->p, y->p) || !kit_share(x, y, &smallest))
            continue;
        int rule = kit_decide(k, x->p, y->p, floor, &weight);
        if (rule < 0)
            continue;
        kit_put(out, (struct entry){a, j, (uint32_t)rule, weight, 0});
        k->refined += (smallest & KIN_KEY_REFINED) != 0;
        k->model_edges += (uint32_t)rule == k->workflow->rule_count;
    }
}

/* Checks the star entries of rec in list: `most` of each key, of another source where there is one;
 * all there are if fewer, or where all of them are of one other source. */
static inline void kit_check_stars(struct live_kit *k, const struct record *x, uint32_t a,
                                   uint32_t below_, uint64_t seq, uint32_t most,
                                   const struct kin_buf *list)
{
    unsigned count;
    const uint8_t *keys = kin_features_keys(x->p, &count);
    const struct entry *e = (const struct entry *)(const void *)list->p;
    size_t n = list->n / sizeof *e, seen = 0, all = 0;
    for (size_t i = 0; i < n; i++)
        all += e[i].a == a && e[i].key;
    for (unsigned i = 0; i < count; i++) {
        uint64_t key = kin_le64(keys + 8 * (size_t)i);
        uint32_t same = 0, others = 0, got = 0, sources = 0, last = UINT32_MAX;
        if (kin_key_rule_number(key) < k->workflow->block_key_count)
            continue;
        for (uint32_t j = 0; j < below_; j++) {
            const struct record *y = &k->records[j];
            if (!kit_there(y, seq) || !kit_has_key(y->p, key) ||
                !kit_same_values(k, x->p, y->p, key))
                continue;
            same += !kit_across(k, x->p, y->p);
            others += kit_across(k, x->p, y->p);
            sources += kin_features_source(y->p) != last; /* two or more look like more: no harm */
            last = kin_features_source(y->p);
        }
        for (size_t at = 0; at < n; at++) {
            if (e[at].a != a || e[at].key != key)
                continue;
            const struct record *y = &k->records[e[at].b];
            const struct kin_key_rule *rule = &k->workflow->keys[kin_key_rule_number(key)];
            assert_true(e[at].b < below_ && kit_there(y, seq) && kit_has_key(y->p, key));
            assert_true(kit_same_values(k, x->p, y->p, key));
            assert_true(!others || kit_across(k, x->p, y->p));
            assert_int_equal(e[at].rule, rule->match_rule | KIN_EDGE_STAR);
            assert_int_equal(e[at].weight, 0);
            assert_true(at == 0 || kit_by_entry(&e[at - 1], &e[at]) < 0);
            got++;
        }
        uint32_t of = others ? others : same;
        if (!k->workflow->across_sources || !others)
            assert_int_equal(got, of < most ? of : most);
        else if (sources == 1)
            assert_int_equal(got, others);
        else
            assert_in_range(got, of < most ? of : most, others);
        seen += got;
    }
    k->stars += seen;
    assert_int_equal(seen, all);
}

/* Entries of a payload, appended. */
static inline void kit_read(const uint8_t *p, size_t n, struct kin_buf *out)
{
    assert_int_equal(n % KIN_LIVE_EDGE_BYTES, 0);
    for (size_t i = 0; i < n; i += KIN_LIVE_EDGE_BYTES) {
        kit_put(out, (struct entry){kin_le32(p + i), kin_le32(p + i + 4), kin_le32(p + i + 8),
                                    (int32_t)kin_le32(p + i + 12), kin_le64(p + i + 16)});
    }
}

/* The entries that are no stars are exactly the expected ones. */
static inline void kit_check_pairs(struct kin_buf *expected, struct kin_buf *got)
{
    struct entry *e = (struct entry *)(void *)expected->p, *g = (struct entry *)(void *)got->p;
    size_t n = expected->n / sizeof *e, m = got->n / sizeof *g, at = 0;
    if (n)
        qsort(e, n, sizeof *e, kit_by_entry);
    if (m)
        qsort(g, m, sizeof *g, kit_by_entry);
    for (size_t i = 0; i < m; i++) {
        if (g[i].key)
            continue;
        assert_true(at < n);
        assert_int_equal(g[i].a, e[at].a);
        assert_int_equal(g[i].b, e[at].b);
        assert_int_equal(g[i].rule, e[at].rule);
        assert_int_equal(g[i].weight, e[at].weight);
        at++;
    }
    assert_int_equal(at, n);
}

/* ---- */

static inline void kit_log(void *arg, kin_node_id node, char level, const char *event,
                           const char *text)
{
    struct live_kit *k = arg;
    (void)node;
    (void)level;
    (void)text;
    k->builds += strcmp(event, "live_built_anew") == 0;
}

static inline struct live_kit *kit_new(uint64_t seed, uint32_t workers,
                                       struct kin_sim_options options)
{
    struct live_kit *k = calloc(1, sizeof *k);
    assert_non_null(k);
    struct scenario_options o = {.models = true, .records_max = 80};
    k->s = scenario_new(seed, &o);
    k->workflow = k->s->workflow;
    k->workers = workers;
    k->random = seed;
    uint32_t capacity[KIN_WORKERS_MAX] = {2, 3, 1};
    kin_shard_map_deal(&k->shards, capacity, workers);
    uint32_t different = (uint32_t)k->s->oracle.count, total = different * (seed % 4 ? 1 : 6);
    k->records = calloc(total + 1, sizeof *k->records);
    for (uint32_t i = 0; i < total; i++) /* where there are more, they come and go */
        kit_record(k, &k->s->oracle.records[i % different]);
    k->base_records = different / 2;
    k->base = 1 + below(k, 4);
    for (uint32_t i = 0; i < total; i++) {
        k->records[i].dead = i < k->base_records && below(k, 8) == 0;
        k->records[i].batch = i < k->base_records ? 0 : NOT_YET;
    }
    kit_plan(k);
    for (uint32_t i = 0; i < total; i++)
        kit_leaves(k, &k->records[i]);
    kit_deciders(k);
    k->args.name = "w";
    options.log_line = kit_log;
    options.log_arg = k;
    k->sim = kin_sim_new(seed, &options);
    kin_sim_add(k->sim, KIN_COORDINATOR, &kit_ops, &k->coordinator);
    for (uint32_t w = 0; w < workers; w++)
        kin_sim_add(k->sim, w + 1, &kin_worker_ops, &k->args);
    kin_sim_run_for(k->sim, SECOND);
    return k;
}

static inline void kit_free(struct live_kit *k)
{
    kin_sim_free(k->sim);
    kit_forget(k);
    for (uint32_t i = 0; i < k->count; i++)
        kin_free(k->records[i].p);
    free(k->records);
    kin_buf_deinit(&k->oversized);
    kin_decider_state_free(k->state);
    kin_decider_free(k->decider);
    kin_comparer_scratch_free(k->scratch);
    kin_model_decider_free(k->model);
    if (k->comparer)
        kin_comparer_free(k->comparer);
    scenario_free(k->s);
    free(k);
}

/* A run that is kept, and served. */
static inline void kit_serve(struct live_kit *k)
{
    for (uint32_t w = 0; w < k->workers; w++) {
        kit_load(k, w);
        const struct letter *l =
            kit_ask(k, w, kit_close(RUN, true), (struct kin_str){NULL, 0}, KIN_MSG_STEP_DONE);
        assert_int_equal(l->m.u.step_done.status, KIN_OK);
        l = kit_live_open(k, w);
        assert_int_equal(l->m.u.live_opened.status, KIN_OK);
        assert_int_equal(l->m.u.live_opened.durable, 0);
    }
    kit_forget(k);
}

#endif
