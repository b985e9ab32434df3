#include "worker/pair.h"

#include "proto/edges.h"

#include <stdlib.h>
#include <string.h>

/* The comparison of pairs. All blocks of all partitions become items of about
 * ITEM_PAIRS pairs (small blocks together, large ones cut by ranges of their first member, so that
 * all threads share a large block); one task a thread takes items until none is left. */

struct match_item {
    uint32_t partition;
    uint32_t first, end; /* blocks of the partition; end == first: one block cut by members */
    uint32_t from, to;   /* members [from, to) as the first of a pair */
};

void worker_match_free(struct worker_job *job)
{
    kin_decider_free(job->decider);
    job->decider = NULL;
    kin_free(job->items);
    job->items = NULL;
    worker_cluster_free(job);
    worker_edges_free(&job->edges);
    kin_buf_deinit(&job->stars);
    kin_buf_deinit(&job->forest);
    kin_buf_deinit(&job->match_answer);
    kin_free(job->rule_counts);
    job->rule_counts = NULL;
}

/* ---- items ---- */

static uint64_t block_cost(const struct kin_workflow *workflow, const struct block *b)
{
    uint64_t n = b->count;
    if (b->kind == BLOCK_STAR)
        return n;
    if (b->kind == BLOCK_WINDOWED)
        return n * workflow->limits.window;
    return n * (n - 1) / 2;
}

static bool cut_block(struct worker_job *job, struct kin_buf *items, uint32_t partition,
                      uint32_t at, const struct block *b, uint64_t cost)
{
    uint32_t parts = (uint32_t)(cost / ITEM_PAIRS) + 1;
    uint64_t share = cost / parts + 1, sum = 0;
    uint32_t window = job->workflow->limits.window, from = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t after = b->count - 1 - i;
        sum += b->kind == BLOCK_WINDOWED && after > window ? window : after;
        if (sum < share && i + 1 < b->count)
            continue;
        struct match_item item = {partition, at, at, from, i + 1};
        kin_buf_put(items, &item, sizeof item);
        from = i + 1;
        sum = 0;
    }
    return !items->failed;
}

static kin_status make_items(struct worker_job *job)
{
    struct kin_buf items = {0};
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        const struct block *blocks =
            (const struct block *)(const void *)job->partitions[p].blocks.p;
        uint32_t count = (uint32_t)(job->partitions[p].blocks.n / sizeof *blocks), first = 0;
        uint64_t sum = 0;
        for (uint32_t b = 0; b < count; b++) {
            uint64_t cost = block_cost(job->workflow, &blocks[b]);
            if (blocks[b].kind != BLOCK_STAR && cost > (uint64_t)2 * ITEM_PAIRS) {
                struct match_item item = {p, first, b, 0, 0};
                if (b > first)
                    kin_buf_put(&items, &item, sizeof item);
                if (!cut_block(job, &items, p, b, &blocks[b], cost))
                    break;
                first = b + 1;
                sum = 0;
                continue;
            }
            sum += cost + 16;
            if (sum >= ITEM_PAIRS || b + 1 == count) {
                struct match_item item = {p, first, b + 1, 0, 0};
                kin_buf_put(&items, &item, sizeof item);
                first = b + 1;
                sum = 0;
            }
        }
    }
    if (items.failed) {
        kin_buf_deinit(&items);
        return KIN_E_NOMEM;
    }
    kin_free(job->items);
    job->items = (struct match_item *)(void *)items.p;
    job->item_count = items.n / sizeof(struct match_item);
    atomic_store(&job->item_next, 0);
    return KIN_OK;
}

/* ---- walking blocks ---- */

enum { LOTS_MAX = 32 }; /* one pair in so many, at most, is drawn by its lot alone */

struct member {
    const uint8_t *rec;
    const uint8_t *keys;
    uint32_t key_count; /* ordinary original keys that count in this block: those before its own */
    uint32_t local;
    uint64_t lot;                         /* draws pairs for the sample; only with a model */
    uint32_t derived_from, derived_count; /* refined keys, in walker.derived */
};

struct match_task {
    struct worker_task task;
    struct store_view view;
    struct kin_decider_state *state;      /* of the rules */
    struct kin_comparer_scratch *scratch; /* of the model */
    struct kin_buf members;               /* struct member */
    struct kin_buf derived;               /* u64 */
    struct kin_buf values;                /* scratch of stars */
    struct kin_buf edges;                 /* struct kin_keyed */
    struct kin_buf stars;
    uint64_t *rule_counts; /* as of the job */
};

static const uint32_t *block_locals_refined(const struct partition *p, const struct block *b)
{
    return (const uint32_t *)(const void *)p->refined.p + b->start;
}

/* What is at hand when a record is loaded and tells it from most others of its block, wherever it
 * lies: its first key, and where its parts are, which are the lengths of its values. */
static uint64_t lot_of(const uint8_t *rec, const uint8_t *keys, unsigned count)
{
    return kin_le64(rec + 16) * UINT64_C(0xbf58476d1ce4e5b9) + (count ? kin_le64(keys) : 0);
}

static uint64_t identity_of(const uint8_t *rec)
{
    struct kin_str id = kin_features_id(rec);
    return kin_hash64(id.p, id.n, kin_features_source(rec));
}

/* Loads the members [from, end) of a block. Of keys only those that decide "seen before" are kept
 * in view. */
static kin_status load_members(struct match_task *t, const struct partition *p,
                               const struct block *b, uint32_t from, uint32_t end)
{
    const struct worker_job *job = t->task.job;
    kin_buf_clear(&t->members);
    kin_buf_clear(&t->derived);
    struct member *m =
        (struct member *)(void *)kin_buf_extend(&t->members, (end - from) * sizeof *m);
    if (!m)
        return KIN_E_NOMEM;
    bool refined = b->kind == BLOCK_REFINED || b->kind == BLOCK_WINDOWED;
    uint64_t below = refined ? (uint64_t)job->workflow->block_key_count << 56 : b->key;
    for (uint32_t at = from; at < end; at++, m++) {
        uint32_t local = refined ? block_locals_refined(p, b)[at] : block_members(p, b)[at];
        const uint8_t *rec = store_view_at(&t->view, job->records.items[local]);
        if (!rec)
            return t->view.status;
        unsigned count;
        const uint8_t *keys = kin_features_keys(rec, &count);
        uint32_t before = worker_keys_below(keys, count, below);
        *m = (struct member){.rec = rec, .keys = keys, .key_count = before, .local = local};
        if (job->model_decider)
            m->lot = lot_of(rec, keys, count);
        if (refined) {
            m->derived_from = (uint32_t)(t->derived.n / 8);
            worker_refined_keys(job, rec, &t->derived);
            m->derived_count = (uint32_t)(t->derived.n / 8) - m->derived_from;
        }
    }
    return t->derived.failed ? KIN_E_NOMEM : KIN_OK;
}

static bool share_refined(const struct match_task *t, const struct member *a,
                          const struct member *b, uint64_t below)
{
    return worker_share_refined(t->derived.p + 8 * (size_t)a->derived_from, a->derived_count,
                                t->derived.p + 8 * (size_t)b->derived_from, b->derived_count,
                                below);
}

static void put_edge(struct match_task *t, uint32_t a, uint32_t b, uint32_t rule, int32_t weight)
{
    struct kin_keyed e = {.key = (uint64_t)(a < b ? a : b) << 32 | (a < b ? b : a),
                          .value = rule,
                          .extra = (uint32_t)weight};
    kin_buf_put(&t->edges, &e, sizeof e);
}

/* Whether the weight of a pair is to be known even if it decides nothing: a sample that is the same
 * wherever the pair is compared, and however the rows are ordered. Every pair is asked, so most are
 * turned away by their lots, which may be alike in a block; the rest are told apart by identity. */
static bool in_sample(const struct worker_job *job, const struct member *a, const struct member *b)
{
    uint32_t coarse = job->weigh < 2 * LOTS_MAX ? job->weigh / 2 : LOTS_MAX;
    uint64_t mixed = (a->lot + b->lot) * UINT64_C(0x9e3779b97f4a7c15);
    if (job->weigh == 1)
        return true;
    if ((mixed >> 32 & (coarse - 1)) != 0)
        return false;
    mixed = (identity_of(a->rec) ^ identity_of(b->rec)) * UINT64_C(0x9e3779b97f4a7c15);
    return (mixed >> 32 & (job->weigh / coarse - 1)) == 0;
}

static void count_weight(const struct match_task *t, int32_t weight)
{
    const struct worker_job *job = t->task.job;
    const struct kin_workflow_model *model = job->workflow->model;
    uint64_t *bins = t->rule_counts + job->workflow->key_count * KIN_MATCHED_RULE_WORDS;
    if (weight < job->weight_floor) {
        bins[kin_weight_bin(weight)]++;
        return;
    }
    bins[KIN_WEIGHT_BINS + kin_weight_bin(weight)]++;
    uint64_t *passed = bins + (size_t)2 * KIN_WEIGHT_BINS;
    for (size_t i = 0; i < model->threshold_count; i++)
        passed[i] += weight >= model->thresholds[i].weight;
}

/* Rules first, then the model. True: they match. A pair below the threshold but above the floor is
 * an edge that joins nothing: clustering by linkage weighs it. */
static bool decide_pair(struct match_task *t, const struct member *a, const struct member *b)
{
    const struct worker_job *job = t->task.job;
    int rule = job->decider ? kin_decide(job->decider, t->state, a->rec, b->rec) : -1;
    if (rule >= 0) {
        put_edge(t, a->local, b->local, (uint32_t)rule, 0);
        return true;
    }
    if (!job->model_decider)
        return false;
    int32_t weight, least = in_sample(job, a, b) ? INT32_MIN : job->weight_floor;
    if (!kin_model_decider_above(job->model_decider, t->scratch, a->rec, b->rec, least, &weight))
        return false;
    count_weight(t, weight);
    if (weight < job->weight_floor)
        return false;
    put_edge(t, a->local, b->local, (uint32_t)job->workflow->rule_count, weight);
    return weight >= job->weight_threshold;
}

/* Pairs whose first member is one of the first `firsts` loaded, of `count` loaded. */
static void walk_pairs(struct match_task *t, const struct block *b, uint32_t firsts, uint32_t count)
{
    const struct worker_job *job = t->task.job;
    const struct member *m = (const struct member *)(const void *)t->members.p;
    bool across = job->workflow->across_sources, refined = b->kind != BLOCK_PAIRS;
    uint32_t window = b->kind == BLOCK_WINDOWED ? job->workflow->limits.window : UINT32_MAX;
    uint64_t below = b->kind == BLOCK_REFINED ? b->key : UINT64_MAX;
    uint64_t compared = 0, skipped = 0, matched = 0;
    for (uint32_t i = 0; i < firsts; i++) {
        uint32_t end = count - i > window ? i + window + 1 : count;
        for (uint32_t j = i + 1; j < end; j++) {
            if (across && kin_features_source(m[i].rec) == kin_features_source(m[j].rec))
                continue;
            if ((m[i].key_count && m[j].key_count &&
                 worker_share_key(job, m[i].keys, m[i].key_count, m[j].keys, m[j].key_count)) ||
                (refined && share_refined(t, &m[i], &m[j], below))) {
                skipped++;
                continue;
            }
            compared++;
            matched += decide_pair(t, &m[i], &m[j]);
        }
    }
    uint64_t *counts =
        t->rule_counts + (size_t)KIN_MATCHED_RULE_WORDS * kin_key_rule_number(b->key);
    counts[0] += compared;
    counts[1] += skipped;
    counts[2] += matched;
}

/* ---- stars ---- */

struct star_member {
    const uint8_t *rec;
    uint32_t local;
    size_t from, n; /* its values, in task->values */
    const struct kin_buf *values;
};

static int by_values(const void *a, const void *b)
{
    const struct star_member *x = a, *y = b;
    int c = kin_str_cmp((struct kin_str){(const char *)x->values->p + x->from, x->n},
                        (struct kin_str){(const char *)y->values->p + y->from, y->n});
    return c ? c : kin_features_cmp_identity(x->rec, y->rec);
}

/* The first rule whose star holds both: an edge is named after it, whichever star it was found in.
 */
static uint32_t first_star_rule(const struct worker_job *job, const uint8_t *a, const uint8_t *b,
                                uint32_t found)
{
    unsigned n, m, i = 0, j = 0;
    const uint8_t *x = kin_features_keys(a, &n), *y = kin_features_keys(b, &m);
    while (i < n && j < m) {
        uint64_t p = kin_le64(x + 8 * (size_t)i), q = kin_le64(y + 8 * (size_t)j);
        if (p == q && kin_key_rule_number(p) >= job->workflow->block_key_count)
            return job->workflow->keys[kin_key_rule_number(p)].match_rule; /* keys ascend by rule */
        i += p <= q;
        j += p >= q;
    }
    return found; /* the key was cut off by max_keys on one side */
}

/* One star: members with the same values, in (source, id) order; the smallest is the centre. With
 * pairs: across_sources only members of different sources match, so those of the centre's own
 * source are joined to the first member of another one. */
static void put_star(struct match_task *t, const struct star_member *m, size_t n, uint64_t key)
{
    const struct worker_job *job = t->task.job;
    const struct kin_key_rule *rule = &job->workflow->keys[kin_key_rule_number(key)];
    size_t other = 1; /* first member of another source */
    if (job->workflow->across_sources) {
        while (other < n && kin_features_source(m[other].rec) == kin_features_source(m[0].rec))
            other++;
    }
    if (n < 2 || other == n)
        return;
    for (size_t i = 1; i < n; i++) {
        size_t to = job->workflow->across_sources && i < other ? other : 0;
        uint32_t first = first_star_rule(job, m[i].rec, m[to].rec, rule->match_rule);
        put_edge(t, m[i].local, m[to].local, first | KIN_EDGE_STAR, 0);
    }
    if (!job->stars_kept)
        return;
    kin_buf_u64(&t->stars, key);
    kin_buf_u32(&t->stars, rule->match_rule);
    kin_buf_u32(&t->stars, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        kin_buf_u32(&t->stars, job->records.items[m[i].local].number);
}

static kin_status walk_star(struct match_task *t, const struct partition *p, const struct block *b)
{
    const struct worker_job *job = t->task.job;
    const struct kin_key_rule *rule = &job->workflow->keys[kin_key_rule_number(b->key)];
    kin_buf_clear(&t->members);
    kin_buf_clear(&t->values);
    struct star_member *m =
        (struct star_member *)(void *)kin_buf_extend(&t->members, b->count * sizeof *m);
    if (!m)
        return KIN_E_NOMEM;
    size_t n = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t local = block_members(p, b)[i];
        const uint8_t *rec = store_view_at(&t->view, job->records.items[local]);
        if (!rec)
            return t->view.status;
        size_t from = t->values.n;
        if (!kin_blocking_key_values(rule, rec, b->key, &t->values))
            continue;
        m[n++] = (struct star_member){rec, local, from, t->values.n - from, &t->values};
    }
    if (t->values.failed)
        return KIN_E_NOMEM;
    qsort(m, n, sizeof *m, by_values);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && m[end].n == m[i].n &&
                          memcmp(t->values.p + m[end].from, t->values.p + m[i].from, m[i].n) == 0;
             end++)
            continue;
        put_star(t, m + i, end - i, b->key);
    }
    return KIN_OK;
}

static kin_status walk_block(struct match_task *t, const struct partition *p, const struct block *b,
                             uint32_t from, uint32_t to)
{
    if (b->kind == BLOCK_STAR)
        return walk_star(t, p, b);
    /* a window reaches no further than `window` members behind its first one */
    uint32_t window = t->task.job->workflow->limits.window;
    uint32_t end = b->kind == BLOCK_WINDOWED && b->count - to > window ? to + window : b->count;
    kin_status status = load_members(t, p, b, from, end);
    if (status == KIN_OK)
        walk_pairs(t, b, to - from, end - from);
    return status;
}

/* Members lie anywhere in memory, and blocks are small: while one block is compared, those a few
 * further on are fetched, first where their records are, then the records. */
enum { AHEAD_PLACES = 12, AHEAD_RECORDS = 6, AHEAD_MEMBERS = 8, LINE_BYTES = 64, AHEAD_LINES = 4 };

static void fetch_ahead(const struct match_task *t, const struct partition *p,
                        const struct block *blocks, uint32_t at, uint32_t end)
{
    const struct record_at *items = t->task.job->records.items;
    const struct block *places = end - at > AHEAD_PLACES ? &blocks[at + AHEAD_PLACES] : NULL;
    const struct block *records = end - at > AHEAD_RECORDS ? &blocks[at + AHEAD_RECORDS] : NULL;
    if (places && (places->kind == BLOCK_PAIRS || places->kind == BLOCK_STAR)) {
        for (uint32_t i = 0; i < places->count && i < AHEAD_MEMBERS; i++)
            __builtin_prefetch(&items[block_members(p, places)[i]]);
    }
    if (!records || (records->kind != BLOCK_PAIRS && records->kind != BLOCK_STAR))
        return;
    for (uint32_t i = 0; i < records->count && i < AHEAD_MEMBERS; i++) {
        struct record_at place = items[block_members(p, records)[i]];
        const uint8_t *batch = t->view.batch[place.batch];
        for (size_t line = 0; batch && line < AHEAD_LINES; line++)
            __builtin_prefetch(batch + place.offset + LINE_BYTES * line);
    }
}

static void match_run(struct kin_env *env, struct kin_work *work)
{
    struct match_task *t = (struct match_task *)work;
    struct worker_job *job = t->task.job;
    kin_status status = store_view_init(&t->view, env, DB_FEATURES, job);
    t->state = job->decider ? kin_decider_state_new(job->decider) : NULL;
    t->scratch = job->model_decider ? kin_comparer_scratch_new() : NULL;
    t->rule_counts = kin_calloc(worker_match_words(job) + 1, sizeof(uint64_t));
    if (status == KIN_OK &&
        ((job->decider && !t->state) || (job->model_decider && !t->scratch) || !t->rule_counts))
        status = KIN_E_NOMEM;
    while (status == KIN_OK) {
        size_t at = atomic_fetch_add_explicit(&job->item_next, 1, memory_order_relaxed);
        if (at >= job->item_count)
            break;
        const struct match_item *item = &job->items[at];
        const struct partition *p = &job->partitions[item->partition];
        const struct block *blocks = (const struct block *)(const void *)p->blocks.p;
        if (item->first == item->end)
            status = walk_block(t, p, &blocks[item->first], item->from, item->to);
        for (uint32_t b = item->first; status == KIN_OK && b < item->end; b++) {
            fetch_ahead(t, p, blocks, b, item->end);
            status = walk_block(t, p, &blocks[b], 0, blocks[b].count);
        }
    }
    if (status == KIN_OK && (t->edges.failed || t->stars.failed))
        status = KIN_E_NOMEM;
    if (status == KIN_OK)
        worker_cluster_unite(job, &t->edges); /* here, where all threads do their part */
    if (status == KIN_OK)
        status = kin_edges_order(&t->edges);
    t->task.status = status;
    kin_decider_state_free(t->state);
    kin_comparer_scratch_free(t->scratch);
    store_view_deinit(&t->view);
    kin_buf_deinit(&t->members);
    kin_buf_deinit(&t->derived);
    kin_buf_deinit(&t->values);
}

static void match_release(struct worker_task *task)
{
    struct match_task *t = (struct match_task *)task;
    kin_buf_deinit(&t->edges);
    kin_buf_deinit(&t->stars);
    kin_free(t->rule_counts);
}

/* ---- after the last pair: edges in order, the forest, the store ---- */

void worker_match_failed(struct worker_job *job, kin_status status)
{
    job->match_state = STEP_IDLE;
    worker_reply_step(job->worker, job->id, KIN_MSG_MATCH, job->match_request, status,
                      kin_status_text(status));
}

static void match_finish(struct worker_task *task)
{
    struct match_task *t = (struct match_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK && job->match_status == KIN_OK)
        job->match_status = task->status;
    if (job->match_status == KIN_OK) {
        kin_buf_put(&job->edges, &t->edges, sizeof t->edges);
        if (!job->edges.failed)
            t->edges = (struct kin_buf){0};
        kin_buf_put(&job->stars, t->stars.p, t->stars.n);
        for (size_t i = 0; i < worker_match_words(job); i++)
            job->rule_counts[i] += t->rule_counts[i];
        if (job->edges.failed || job->stars.failed)
            job->match_status = KIN_E_NOMEM;
    }
    if (--job->match_left)
        return;
    if (job->match_status != KIN_OK)
        worker_match_failed(job, job->match_status);
    else
        worker_cluster_start(job);
}

kin_status worker_decider(struct worker_job *job)
{
    struct kin_err err;
    if (job->decider || !job->workflow->rule_count)
        return KIN_OK;
    return kin_decider_new(&job->workflow->schema, job->workflow->rules, job->workflow->rule_count,
                           &job->decider, &err);
}

void worker_job_on_match(struct worker_job *job, const struct kin_message *m)
{
    job->match_request = m->request;
    if (job->settle_state != STEP_DONE || !job->plan_installed || job->plan != m->u.match.plan ||
        job->match_state == STEP_RUNNING || job->count_state == STEP_RUNNING)
        return;
    if (job->match_state == STEP_DONE) {
        worker_cluster_answer(job);
        return;
    }
    job->match_status = KIN_OK;
    worker_edges_free(&job->edges);
    kin_buf_clear(&job->stars);
    kin_free(job->rule_counts);
    job->weigh = m->u.match.weigh ? m->u.match.weigh : 1;
    job->stars_kept = m->u.match.stars || kin_workflow_clusters(job->workflow);
    job->rule_counts = kin_calloc(worker_match_words(job) + 1, sizeof(uint64_t));
    kin_status status = job->rule_counts ? make_items(job) : KIN_E_NOMEM;
    if (status == KIN_OK && job->workflow->model && !job->model_decider)
        status = KIN_E_PROTO; /* a plan without its model */
    if (status == KIN_OK)
        status = worker_decider(job);
    if (status == KIN_OK)
        status = worker_cluster_begin(job);
    if (status != KIN_OK) {
        worker_match_failed(job, status);
        return;
    }
    job->match_state = STEP_RUNNING;
    uint32_t threads = worker_job_threads(job->worker);
    job->match_left = threads;
    for (uint32_t i = 0; i < threads; i++) {
        struct match_task *t =
            worker_task_new(job, sizeof *t, match_run, match_finish, match_release);
        if (!t) {
            job->match_status = KIN_E_NOMEM;
            job->match_left -= threads - i;
            if (job->match_left == 0)
                worker_match_failed(job, KIN_E_NOMEM);
            return;
        }
        worker_task_start(&t->task);
    }
}
