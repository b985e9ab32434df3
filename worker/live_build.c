#include "worker/live.h"

#include <string.h>

/* Building an index: ranges of what there is (batches of the store; or the records of an index that
 * has become too loose) list their records, then each range puts its own in place and scatters
 * their postings, then each partition is sorted and frozen. The index in use is read meanwhile; the
 * new one takes its place when it is ready and nobody reads. */

struct build_range {
    uint64_t from, to;                        /* batches, or locals */
    uint32_t first;                           /* local of its first record */
    struct kin_buf records;                   /* struct live_record */
    struct kin_buf removed;                   /* u32 record, u32 live batch; ascending by batch */
    struct kin_buf uses;                      /* struct chunk_use */
    uint8_t *copies;                          /* records of chunks that are mostly empty */
    uint32_t copied, chunk;                   /* how many, and where they are then */
    struct kin_buf postings[LIVE_PARTITIONS]; /* struct kin_keyed: place in the range */
    uint64_t last_number;                     /* none from there on */
    uint64_t gone;                            /* records that were removed, and are listed */
};
struct chunk_use {
    uint32_t chunk, used;
};

struct live_build {
    struct worker_live *live;
    struct live_index *index;
    struct build_range *ranges;
    uint32_t range_count, left;
    kin_status status;
    bool anew;
    uint64_t committed;  /* anew: removals up to that live batch are for ever */
    struct kin_buf dead; /* u32, ascending */
};

enum { IN_COPIES = INT32_MAX };

void live_build_free(struct live_build *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; i < b->range_count; i++) {
        struct build_range *r = &b->ranges[i];
        kin_buf_deinit(&r->records);
        kin_buf_deinit(&r->removed);
        kin_buf_deinit(&r->uses);
        kin_free(r->copies);
        for (unsigned p = 0; p < LIVE_PARTITIONS; p++)
            kin_buf_deinit(&r->postings[p]);
    }
    kin_free(b->ranges);
    live_index_free(b->index);
    kin_buf_deinit(&b->dead);
    kin_free(b);
}

static void build_failed(struct live_build *b)
{
    struct worker_live *live = b->live;
    bool anew = b->anew;
    kin_status status = b->status;
    live->build = NULL;
    live_build_free(b);
    if (anew) {
        kin_env_log(live->worker->env, 'W', "live_build_failed", "run=%llu status=%d",
                    (unsigned long long)live->job->id, (int)status);
        live->build_off = true;
        live_pump(live);
    } else {
        live_opened(live, status, "the records of the run cannot be read");
    }
}

/* ---- tasks: one of a range or partition ---- */

struct build_task {
    struct worker_task task;
    struct live_build *build;
    struct build_range *range;
    unsigned partition;
};

static void start_all(struct live_build *b, uint32_t count,
                      void (*run)(struct kin_env *, struct kin_work *),
                      void (*finish)(struct worker_task *))
{
    b->left = count;
    for (uint32_t i = 0; i < count; i++) {
        struct build_task *t = worker_task_new(b->live->job, sizeof *t, run, finish, NULL);
        if (!t) {
            b->status = KIN_E_NOMEM;
            b->left -= count - i;
            if (b->left == 0)
                build_failed(b);
            return;
        }
        t->build = b;
        t->range = i < b->range_count ? &b->ranges[i] : NULL;
        t->partition = i;
        worker_task_start(&t->task);
    }
}

/* True: it was the last one, and all went well. */
static bool all_done(struct worker_task *task)
{
    struct live_build *b = ((struct build_task *)task)->build;
    if (task->status != KIN_OK && b->status == KIN_OK)
        b->status = task->status;
    if (--b->left)
        return false;
    if (b->status == KIN_OK)
        return true;
    build_failed(b);
    return false;
}

/* ---- partitions ---- */

static void gather_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct build_task *t = (struct build_task *)work;
    struct live_build *b = t->build;
    size_t total = 0, n = 0;
    for (uint32_t r = 0; r < b->range_count; r++)
        total += b->ranges[r].postings[t->partition].n / sizeof(struct kin_keyed);
    struct kin_keyed *items = kin_reallocarray(NULL, total + 1, sizeof *items);
    struct kin_keyed *tmp = kin_reallocarray(NULL, total + 1, sizeof *tmp);
    t->task.status = items && tmp ? KIN_OK : KIN_E_NOMEM;
    for (uint32_t r = 0; r < b->range_count && t->task.status == KIN_OK; r++) {
        struct kin_buf *from = &b->ranges[r].postings[t->partition];
        const struct kin_keyed *p = (const struct kin_keyed *)(const void *)from->p;
        for (size_t i = 0; i < from->n / sizeof *p; i++, n++) {
            items[n] = p[i];
            items[n].value += b->ranges[r].first;
        }
        kin_buf_deinit(from);
    }
    if (t->task.status == KIN_OK) {
        kin_radix_sort(items, tmp, total); /* stable: locals of a key ascend */
        t->task.status = live_index_freeze(&b->index->partitions[t->partition], items, total);
    }
    kin_free(items);
    kin_free(tmp);
}

/* Removals that the store has, in the new index. */
static void replay_removed(struct live_build *b)
{
    struct live_index *x = b->index;
    for (uint32_t r = 0; r < b->range_count; r++) {
        const struct kin_buf *list = &b->ranges[r].removed;
        for (size_t i = 0; i < list->n; i += 8) {
            uint32_t number = kin_le32(list->p + i), at = live_index_find(x, number);
            if (at < x->count && x->records[at].number == number && !x->records[at].removed) {
                x->records[at].removed = kin_le32(list->p + i + 4);
                b->ranges[r].gone++;
            }
        }
    }
}

static void gather_finish(struct worker_task *task)
{
    if (!all_done(task))
        return;
    struct live_build *b = ((struct build_task *)task)->build;
    struct worker_live *live = b->live;
    live->build_ready = true;
    if (!b->anew) {
        replay_removed(b);
        live_build_install(live);
        live_opened(live, KIN_OK, "");
    }
    live_pump(live);
}

/* ---- putting records in place, scattering postings ---- */

bool live_record_keys(const struct worker_job *job, const uint8_t *rec, struct kin_buf *refined,
                      bool (*put)(void *arg, uint64_t key), void *arg)
{
    unsigned count;
    const uint8_t *keys = kin_features_keys(rec, &count);
    bool some = false, ok = true;
    for (unsigned k = 0; k < count && ok; k++) {
        uint64_t key = kin_le64(keys + 8 * (size_t)k);
        if (!worker_owns_key(job, key))
            continue;
        if (kin_key_rule_number(key) < job->workflow->block_key_count &&
            worker_key_oversized(job, key))
            some = true;
        else
            ok = put(arg, key);
    }
    if (!some || !ok)
        return ok;
    kin_buf_clear(refined);
    worker_refined_keys_owned(job, rec, refined);
    for (size_t i = 0; i < refined->n && ok; i += 8) {
        uint64_t key = kin_le64(refined->p + i);
        if (i == 0 || kin_le64(refined->p + i - 8) != key) /* two values may give one key */
            ok = put(arg, key);
    }
    return ok && !refined->failed;
}

struct scatter {
    struct build_range *range;
    uint32_t place;
};

static bool scatter_key(void *arg, uint64_t key)
{
    struct scatter *s = arg;
    struct kin_keyed item = {.key = key, .value = s->place};
    struct kin_buf *to = &s->range->postings[live_partition_of(key)];
    kin_buf_put(to, &item, sizeof item);
    return !to->failed;
}

static void scatter_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct build_task *t = (struct build_task *)work;
    struct build_range *r = t->range;
    struct live_record *records = t->build->index->records + r->first;
    uint32_t count = (uint32_t)(r->records.n / sizeof *records);
    struct kin_buf refined = {0};
    if (count)
        memcpy(records, r->records.p, count * sizeof *records);
    kin_buf_deinit(&r->records);
    for (uint32_t i = 0; i < count && t->task.status == KIN_OK; i++) {
        struct scatter s = {r, i};
        if (records[i].chunk == IN_COPIES)
            records[i].chunk = r->chunk;
        if (!live_record_keys(t->task.job, records[i].rec, &refined, scatter_key, &s))
            t->task.status = KIN_E_NOMEM;
    }
    kin_buf_deinit(&refined);
}

static void scatter_finish(struct worker_task *task)
{
    if (!all_done(task))
        return;
    struct live_build *b = ((struct build_task *)task)->build;
    for (uint32_t r = 0; r < b->range_count; r++) {
        for (unsigned p = 0; p < LIVE_PARTITIONS; p++)
            b->index->frozen += b->ranges[r].postings[p].n / sizeof(struct kin_keyed);
    }
    start_all(b, LIVE_PARTITIONS, gather_run, gather_finish);
}

static kin_status lay_out(struct live_build *b)
{
    struct worker_live *live = b->live;
    uint64_t total = 0;
    for (uint32_t i = 0; i < b->range_count; i++) {
        struct build_range *r = &b->ranges[i];
        r->first = (uint32_t)total;
        total += r->records.n / sizeof(struct live_record);
        if (total > UINT32_MAX / 2)
            return KIN_E_LIMIT;
        if (r->last_number > live->last_number)
            live->last_number = r->last_number;
        if (r->copies) {
            struct live_chunk chunk = {r->copies, r->copied};
            kin_status status = live_chunk_add(live, chunk, &r->chunk);
            if (status != KIN_OK)
                return status;
            r->copies = NULL;
        }
    }
    kin_status status = live_index_reserve(b->index, (uint32_t)total + 1024);
    b->index->count = (uint32_t)total;
    return status;
}

static void list_finish(struct worker_task *task)
{
    if (!all_done(task))
        return;
    struct live_build *b = ((struct build_task *)task)->build;
    b->status = lay_out(b);
    if (b->status != KIN_OK)
        build_failed(b);
    else
        start_all(b, b->range_count, scatter_run, scatter_finish);
}

/* ---- listing: batches of the store ---- */

/* Rows come in the order of the records, of which they have some. */
static uint32_t row_of(const struct kin_batch_rows *rows, const uint8_t **at, uint32_t rel)
{
    const uint8_t *end = rows->rows + rows->bytes;
    while (*at < end && kin_batch_row_number(*at) < rel)
        *at += kin_le32(*at);
    bool found = *at < end && kin_batch_row_number(*at) == rel;
    return found ? (uint32_t)(*at - rows->table) + KIN_BATCH_ROWS_HEAD : 0;
}

kin_status live_list_records(const struct kin_batch_features *features,
                             const struct kin_batch_rows *rows, uint32_t batch,
                             const uint8_t *chunk, struct kin_buf *out)
{
    const uint8_t *row = rows->rows, *rec = chunk;
    if (features->base > UINT32_MAX || features->base + KIN_BATCH_RECORDS_MAX > UINT32_MAX)
        return KIN_E_LIMIT;
    for (uint32_t i = 0; i < features->count; i++, rec += kin_features_bytes(rec)) {
        uint32_t rel = kin_features_rel(rec);
        struct live_record r = {.rec = rec,
                                .number = (uint32_t)features->base + rel,
                                .batch = batch,
                                .row = row_of(rows, &row, rel)};
        kin_buf_put(out, &r, sizeof r);
    }
    return out->failed ? KIN_E_NOMEM : KIN_OK;
}

static bool is_dead(const struct live_build *b, size_t *at, uint32_t number)
{
    while (*at < b->dead.n && kin_le32(b->dead.p + *at) < number)
        *at += 4;
    return *at < b->dead.n && kin_le32(b->dead.p + *at) == number;
}

/* Takes the records from `from` on that are not dead, as of this chunk. */
static void keep_living(struct live_build *b, struct build_range *r, size_t from, uint32_t chunk)
{
    struct live_record *p = (struct live_record *)(void *)(r->records.p + from);
    size_t n = (r->records.n - from) / sizeof *p, kept = 0, low = 0, high = b->dead.n / 4;
    if (n == 0)
        return;
    r->last_number = (uint64_t)p[n - 1].number + 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kin_le32(b->dead.p + 4 * middle) < p[0].number)
            low = middle + 1;
        else
            high = middle;
    }
    low *= 4;
    for (size_t i = 0; i < n; i++) {
        if (is_dead(b, &low, p[i].number))
            continue;
        p[kept] = p[i];
        p[kept++].chunk = chunk;
    }
    r->records.n = from + kept * sizeof *p;
    b->live->chunks[chunk].used = (uint32_t)kept;
}

static kin_status read_removed(struct build_task *t, struct kin_env *env, struct kin_snap *snap,
                               uint64_t batch)
{
    uint8_t key[WORKER_STORE_KEY_BYTES];
    struct kin_str value, name = worker_store_key(key, t->task.job->id, batch);
    kin_status status = env->ops->snap_get(snap, DB_REMOVED, name, &value);
    if (status != KIN_OK)
        return status == KIN_E_NOTFOUND ? KIN_OK : status;
    for (size_t i = 0; i + 4 <= value.n; i += 4) {
        kin_buf_put(&t->range->removed, value.p + i, 4);
        kin_buf_u32(&t->range->removed, (uint32_t)(batch - t->build->live->base));
    }
    return t->range->removed.failed ? KIN_E_NOMEM : KIN_OK;
}

static kin_status read_batch(struct build_task *t, struct kin_env *env, struct kin_snap *snap,
                             uint64_t batch)
{
    const struct kin_workflow *workflow = t->task.job->workflow;
    uint8_t key[WORKER_STORE_KEY_BYTES];
    struct kin_str features, rows, name = worker_store_key(key, t->task.job->id, batch);
    kin_status status = env->ops->snap_get(snap, DB_FEATURES, name, &features);
    if (status == KIN_OK)
        status = env->ops->snap_get(snap, DB_ROWS, name, &rows);
    if (status != KIN_OK)
        return status == KIN_E_NOTFOUND ? KIN_E_CORRUPT : status;
    struct kin_batch_features f;
    struct kin_batch_rows r;
    if (!kin_batch_features_open((const uint8_t *)features.p, features.n, &workflow->schema, &f) ||
        !kin_batch_rows_open((const uint8_t *)rows.p, rows.n, &r))
        return KIN_E_CORRUPT;
    uint8_t *copy = kin_alloc(f.bytes);
    if (!copy)
        return KIN_E_NOMEM;
    if (f.bytes)
        memcpy(copy, f.records, f.bytes);
    uint32_t chunk = (uint32_t)(batch - 1);
    t->build->live->chunks[chunk].p = copy; /* ours: each batch is of one range */
    size_t from = t->range->records.n;
    status = live_list_records(&f, &r, (uint32_t)batch, copy, &t->range->records);
    if (status == KIN_OK)
        keep_living(t->build, t->range, from, chunk);
    return status == KIN_OK && batch > t->build->live->base ? read_removed(t, env, snap, batch)
                                                            : status;
}

static void list_run(struct kin_env *env, struct kin_work *work)
{
    struct build_task *t = (struct build_task *)work;
    struct kin_snap *snap;
    t->task.status = env->ops->snap_begin(env, &snap);
    if (t->task.status != KIN_OK)
        return;
    for (uint64_t batch = t->range->from; batch < t->range->to && t->task.status == KIN_OK; batch++)
        t->task.status = read_batch(t, env, snap, batch);
    env->ops->snap_end(env, snap);
}

static struct live_build *build_new(struct worker_live *live, uint64_t from, uint64_t to)
{
    struct live_build *b = kin_calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->live = live;
    b->range_count = live_threads(live) * 4;
    b->ranges = kin_calloc(b->range_count, sizeof *b->ranges);
    b->index = live_index_new();
    if (!b->ranges || !b->index) {
        b->range_count = b->ranges ? b->range_count : 0;
        live_build_free(b);
        return NULL;
    }
    for (uint32_t i = 0; i < b->range_count; i++) {
        b->ranges[i].from = from + (to - from) * i / b->range_count;
        b->ranges[i].to = from + (to - from) * (i + 1) / b->range_count;
    }
    return b;
}

void live_build_open(struct worker_live *live, uint64_t batches, struct kin_buf *dead)
{
    struct live_build *b = build_new(live, 1, batches + 1);
    live->chunks = kin_calloc(batches + 1, sizeof *live->chunks);
    if (!b || !live->chunks) {
        live_build_free(b);
        live_opened(live, KIN_E_NOMEM, "out of memory");
        return;
    }
    live->chunk_count = (uint32_t)batches;
    live->chunk_cap = (uint32_t)batches + 1;
    b->dead = *dead;
    *dead = (struct kin_buf){0};
    live->build = b;
    start_all(b, b->range_count, list_run, list_finish);
}

/* ---- listing: records of an index that are still there ---- */

static bool survives(const struct worker_live *live, const struct live_record *r)
{
    return !r->removed || r->removed > live->build->committed;
}

/* Those of one chunk, from..to; where less than half is left, they are to be copied. */
static void list_run_of(struct build_task *t, uint32_t from, uint32_t to, size_t *copies)
{
    const struct worker_live *live = t->build->live;
    const struct live_record *records = live->index->records;
    struct chunk_use use = {.chunk = records[from].chunk};
    size_t bytes = 0, left = 0, start = t->range->records.n;
    for (uint32_t i = from; i < to; i++) {
        bytes += kin_features_bytes(records[i].rec);
        if (!survives(live, &records[i]))
            continue;
        left += kin_features_bytes(records[i].rec);
        use.used++;
        t->range->gone += records[i].removed != 0;
        kin_buf_put(&t->range->records, &records[i], sizeof records[i]);
    }
    if (t->range->records.failed)
        return;
    if (left >= bytes / 2) {
        kin_buf_put(&t->range->uses, &use, sizeof use);
        return;
    }
    struct live_record *r = (struct live_record *)(void *)(t->range->records.p + start);
    for (uint32_t i = 0; i < use.used; i++)
        r[i].chunk = IN_COPIES;
    *copies += left;
    t->range->copied += use.used;
}

static void anew_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct build_task *t = (struct build_task *)work;
    struct build_range *range = t->range;
    const struct live_record *records = t->build->live->index->records;
    size_t copies = 0, at = 0;
    for (uint32_t i = (uint32_t)range->from, end; i < range->to; i = end) {
        for (end = i + 1; end < range->to && records[end].chunk == records[i].chunk; end++)
            continue;
        list_run_of(t, i, end, &copies);
    }
    if (copies)
        range->copies = kin_alloc(copies);
    if ((copies && !range->copies) || range->records.failed || range->uses.failed) {
        t->task.status = KIN_E_NOMEM;
        return;
    }
    struct live_record *r = (struct live_record *)(void *)range->records.p;
    for (size_t i = 0; copies && i < range->records.n / sizeof *r; i++) {
        if (r[i].chunk != IN_COPIES)
            continue;
        memcpy(range->copies + at, r[i].rec, kin_features_bytes(r[i].rec));
        r[i].rec = range->copies + at; /* what was copied */
        at += kin_features_bytes(r[i].rec);
    }
}

void live_build_anew(struct worker_live *live)
{
    struct live_build *b = build_new(live, 0, live->index->count);
    if (!b) {
        live->build_off = true;
        return;
    }
    b->anew = true;
    b->committed = live->committed;
    live->build = b;
    start_all(b, b->range_count, anew_run, list_finish);
}

bool live_build_due(const struct worker_live *live)
{
    const struct live_index *x = live->index;
    uint64_t open = live->durable > live->committed ? live->removed_last : 0;
    return !live->build_off && (live->removed - open > x->count / 2 + LIVE_REBUILD_LEAST / 16 ||
                                x->later > x->frozen + LIVE_REBUILD_LEAST);
}

void live_build_install(struct worker_live *live)
{
    struct live_build *b = live->build;
    live_index_free(live->index);
    live->index = b->index;
    b->index = NULL;
    for (uint32_t i = 0; i < live->chunk_count && b->anew; i++)
        live->chunks[i].used = 0;
    for (uint32_t r = 0; r < b->range_count && b->anew; r++) {
        const struct build_range *range = &b->ranges[r];
        for (size_t i = 0; i < range->uses.n; i += sizeof(struct chunk_use)) {
            struct chunk_use use;
            memcpy(&use, range->uses.p + i, sizeof use);
            live->chunks[use.chunk].used += use.used;
        }
        if (range->copied)
            live->chunks[range->chunk].used += range->copied;
    }
    for (uint32_t i = 0; i < live->chunk_count; i++) {
        if (live->chunks[i].used)
            continue;
        kin_free(live->chunks[i].p);
        live->chunks[i].p = NULL;
    }
    live->removed = 0;
    for (uint32_t r = 0; r < b->range_count; r++)
        live->removed += b->ranges[r].gone;
    live->build = NULL;
    live->build_ready = false;
    if (b->anew)
        kin_env_log(live->worker->env, 'I', "live_built_anew", "run=%llu records=%u",
                    (unsigned long long)live->job->id, live->index->count);
    live_build_free(b);
}
