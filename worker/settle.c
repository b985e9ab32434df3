#include "worker/impl.h"

#include <stdlib.h>
#include <string.h>

/* Settling: which records are dead, which blocks there are, which are too large.
 *
 * Postings (key, record) are gathered in two rounds of tasks: ranges of batches scatter them into
 * PARTITIONS lists each, then each partition is put together, sorted, and cut into blocks. A
 * partition holds whole keys, so from here on partitions are independent. */

struct settle_range {
    uint32_t first, end; /* local records */
    struct kin_keyed *postings[PARTITIONS];
    size_t count[PARTITIONS];
};

static unsigned partition_of(uint64_t key)
{
    return (unsigned)(key >> 20) % PARTITIONS; /* other bits than those that choose the shard */
}

void worker_settle_free(struct worker_job *job)
{
    for (uint32_t r = 0; r < job->range_count; r++) {
        for (unsigned p = 0; p < PARTITIONS; p++)
            kin_free(job->ranges[r].postings[p]);
    }
    kin_free(job->ranges);
    job->ranges = NULL;
    job->range_count = 0;
    for (unsigned i = 0; job->partitions && i < PARTITIONS; i++) {
        struct partition *p = &job->partitions[i];
        kin_buf_deinit(&p->members);
        kin_buf_deinit(&p->refined);
        kin_buf_deinit(&p->blocks);
        kin_buf_deinit(&p->oversized);
        kin_buf_deinit(&p->splits);
        kin_free(p->rule_totals);
    }
    kin_free(job->partitions);
    job->partitions = NULL;
    kin_free(job->dead_bits);
    job->dead_bits = NULL;
    kin_buf_deinit(&job->dead);
}

void worker_job_on_dead(struct worker_job *job, const struct kin_message *m, struct kin_frame *f)
{
    uint32_t part = m->u.dead.part;
    kin_status status = KIN_OK;
    if (part > job->dead_parts || f->payload.n % 4)
        return; /* the part before it comes again */
    if (part == job->dead_parts)
        status = worker_take_part(&job->dead, &job->dead_parts, f);
    worker_reply_step(job->worker, job->id, KIN_MSG_DEAD, m->request, status, "");
}

/* ---- round one: scatter ---- */

struct scatter_task {
    struct worker_task task;
    struct settle_range *range;
};

bool worker_is_dead(const struct worker_job *job, uint32_t number)
{
    return job->dead_bits && (job->dead_bits[number / 8] >> (number % 8) & 1);
}

/* Calls for each key of the range that this worker owns: counts, or fills when fill is set. */
static kin_status scatter(struct scatter_task *t, struct store_view *view, bool fill)
{
    const struct worker_job *job = t->task.job;
    struct settle_range *range = t->range;
    for (uint32_t l = range->first; l < range->end; l++) {
        if (worker_is_dead(job, job->records.items[l].number))
            continue;
        const uint8_t *rec = store_view_at(view, job->records.items[l]);
        if (!rec)
            return view->status;
        unsigned count;
        const uint8_t *keys = kin_features_keys(rec, &count);
        for (unsigned k = 0; k < count; k++) {
            uint64_t key = kin_le64(keys + 8 * (size_t)k);
            if (job->shards.workers > 1 && kin_key_worker(&job->shards, key) != job->index)
                continue;
            unsigned p = partition_of(key);
            if (fill)
                range->postings[p][range->count[p]] = (struct kin_keyed){.key = key, .value = l};
            range->count[p]++;
        }
    }
    return KIN_OK;
}

static void scatter_run(struct kin_env *env, struct kin_work *work)
{
    struct scatter_task *t = (struct scatter_task *)work;
    struct store_view view;
    kin_status status = store_view_init(&view, env, DB_FEATURES, t->task.job);
    if (status == KIN_OK)
        status = scatter(t, &view, false);
    for (unsigned p = 0; status == KIN_OK && p < PARTITIONS; p++) {
        t->range->postings[p] =
            kin_reallocarray(NULL, t->range->count[p], sizeof *t->range->postings[p]);
        if (!t->range->postings[p])
            status = KIN_E_NOMEM;
        t->range->count[p] = 0;
    }
    if (status == KIN_OK)
        status = scatter(t, &view, true);
    t->task.status = status;
    store_view_deinit(&view);
}

/* ---- round two: gather, sort, cut into blocks ---- */

struct gather_task {
    struct worker_task task;
    struct partition *partition;
    unsigned index;
    struct kin_keyed *postings; /* while it runs: by key, then local record */
    size_t posting_count;
};

static kin_status gather_postings(struct gather_task *t)
{
    struct worker_job *job = t->task.job;
    size_t total = 0;
    for (uint32_t r = 0; r < job->range_count; r++)
        total += job->ranges[r].count[t->index];
    t->postings = kin_reallocarray(NULL, total, sizeof *t->postings);
    struct kin_keyed *tmp = kin_reallocarray(NULL, total, sizeof *tmp);
    if (!t->postings || !tmp) {
        kin_free(tmp);
        return KIN_E_NOMEM;
    }
    for (uint32_t r = 0; r < job->range_count; r++) { /* in order: postings of a key ascend */
        struct settle_range *range = &job->ranges[r];
        if (range->count[t->index])
            memcpy(t->postings + t->posting_count, range->postings[t->index],
                   range->count[t->index] * sizeof *tmp);
        t->posting_count += range->count[t->index];
        kin_free(range->postings[t->index]);
        range->postings[t->index] = NULL;
    }
    kin_radix_sort(t->postings, tmp, total);
    kin_free(tmp);
    return KIN_OK;
}

static kin_status refine_run_of(struct gather_task *t, struct store_view *view, size_t start,
                                uint32_t n)
{
    const struct worker_job *job = t->task.job;
    uint32_t *members = kin_reallocarray(NULL, n, sizeof *members);
    const uint8_t **features = kin_reallocarray(NULL, n, sizeof *features);
    kin_status status = members && features ? KIN_OK : KIN_E_NOMEM;
    for (uint32_t i = 0; status == KIN_OK && i < n; i++) {
        members[i] = t->postings[start + i].value;
        features[i] = store_view_at(view, job->records.items[members[i]]);
        status = features[i] ? KIN_OK : view->status;
    }
    if (status == KIN_OK)
        status =
            worker_refine_block(job, t->partition, t->postings[start].key, members, n, features);
    kin_free(members);
    kin_free(features);
    return status;
}

static kin_status cut_blocks(struct gather_task *t, struct store_view *view)
{
    const struct kin_workflow *workflow = t->task.job->workflow;
    struct partition *p = t->partition;
    for (size_t i = 0, end; i < t->posting_count; i = end) {
        uint64_t key = t->postings[i].key;
        for (end = i + 1; end < t->posting_count && t->postings[end].key == key; end++)
            continue;
        uint32_t n = (uint32_t)(end - i);
        uint64_t *totals =
            p->rule_totals + (size_t)KIN_SETTLED_RULE_WORDS * kin_key_rule_number(key);
        totals[1] += n;
        if (n < 2)
            continue;
        bool star = workflow->keys[kin_key_rule_number(key)].star;
        totals[0]++;
        totals[2] += star ? n - 1 : (uint64_t)n * (n - 1) / 2;
        totals[3] = n > totals[3] ? n : totals[3];
        if (!star && n > workflow->limits.max_block) {
            kin_status status = refine_run_of(t, view, i, n);
            if (status != KIN_OK)
                return status;
            continue;
        }
        struct block b = {.key = key,
                          .start = (uint32_t)(p->members.n / 4),
                          .count = n,
                          .kind = star ? BLOCK_STAR : BLOCK_PAIRS};
        kin_buf_put(&p->blocks, &b, sizeof b);
        for (size_t k = i; k < end; k++)
            kin_buf_u32(&p->members, t->postings[k].value);
    }
    return p->blocks.failed || p->members.failed ? KIN_E_NOMEM : KIN_OK;
}

static void gather_run(struct kin_env *env, struct kin_work *work)
{
    struct gather_task *t = (struct gather_task *)work;
    struct store_view view;
    kin_status status = store_view_init(&view, env, DB_FEATURES, t->task.job);
    t->partition->rule_totals =
        kin_calloc(t->task.job->workflow->key_count + 1, KIN_SETTLED_RULE_WORDS * sizeof(uint64_t));
    if (status == KIN_OK && !t->partition->rule_totals)
        status = KIN_E_NOMEM;
    if (status == KIN_OK)
        status = gather_postings(t);
    if (status == KIN_OK)
        status = cut_blocks(t, &view);
    kin_free(t->postings);
    t->postings = NULL;
    t->task.status = status;
    store_view_deinit(&view);
}

/* ---- the answer ---- */

static int by_size(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* The largest blocks of each key rule over all partitions, oversized ones included. */
static size_t largest_blocks(const struct worker_job *job, struct block *out)
{
    size_t rules = job->workflow->key_count, count = 0;
    for (size_t rule = 0; rule < rules; rule++) {
        struct block *top = out + count;
        size_t kept = 0;
        for (unsigned i = 0; i < PARTITIONS; i++) {
            const struct partition *p = &job->partitions[i];
            const struct block *blocks = (const struct block *)(const void *)p->blocks.p;
            const struct split_note *notes = (const struct split_note *)(const void *)p->splits.p;
            size_t block_count = p->blocks.n / sizeof *blocks;
            size_t total = block_count + p->splits.n / sizeof *notes;
            for (size_t b = 0; b < total; b++) {
                struct block x = b < block_count
                                     ? blocks[b]
                                     : (struct block){.key = notes[b - block_count].key,
                                                      .count = notes[b - block_count].count};
                if (kin_key_rule_number(x.key) != rule || (x.key & KIN_KEY_REFINED))
                    continue;
                /* the sample record: of a split its note, else the first posting */
                x.start = b < block_count ? block_members(p, &x)[0] : notes[b - block_count].sample;
                if (kept == KIN_LARGE_BLOCKS_PER_RULE && by_size(&x, &top[kept - 1]) >= 0)
                    continue;
                if (kept < KIN_LARGE_BLOCKS_PER_RULE)
                    kept++;
                top[kept - 1] = x;
                qsort(top, kept, sizeof *top, by_size);
            }
        }
        count += kept;
    }
    return count;
}

struct answer_task {
    struct worker_task task;
    struct kin_buf payload;
};

static void answer_run(struct kin_env *env, struct kin_work *work)
{
    struct answer_task *t = (struct answer_task *)work;
    const struct worker_job *job = t->task.job;
    size_t rules = job->workflow->key_count;
    struct store_view view;
    t->task.status = store_view_init(&view, env, DB_FEATURES, job);
    struct block *large = kin_calloc(rules * KIN_LARGE_BLOCKS_PER_RULE + 1, sizeof *large);
    if (t->task.status == KIN_OK && !large)
        t->task.status = KIN_E_NOMEM;
    if (t->task.status == KIN_OK) {
        size_t large_count = largest_blocks(job, large), oversized = 0;
        for (unsigned i = 0; i < PARTITIONS; i++)
            oversized += job->partitions[i].oversized.n / 8;
        kin_buf_u32(&t->payload, (uint32_t)rules);
        kin_buf_u32(&t->payload, (uint32_t)oversized);
        kin_buf_u32(&t->payload, (uint32_t)large_count);
        for (size_t w = 0; w < rules * KIN_SETTLED_RULE_WORDS; w++) {
            uint64_t sum = 0;
            for (unsigned i = 0; i < PARTITIONS; i++) {
                uint64_t x = job->partitions[i].rule_totals[w];
                sum = w % KIN_SETTLED_RULE_WORDS == 3 ? (x > sum ? x : sum) : sum + x;
            }
            kin_buf_u64(&t->payload, sum);
        }
        for (unsigned i = 0; i < PARTITIONS; i++)
            kin_buf_put(&t->payload, job->partitions[i].oversized.p,
                        job->partitions[i].oversized.n);
        for (size_t b = 0; b < large_count; b++) {
            kin_buf_u64(&t->payload, large[b].key);
            kin_buf_u32(&t->payload, large[b].count);
            worker_put_key_text(job, &view, large[b].key, large[b].start, &t->payload);
        }
        t->task.status = t->payload.failed ? KIN_E_NOMEM : view.status;
    }
    kin_free(large);
    store_view_deinit(&view);
}

static void reply_failed(struct worker_job *job, kin_status status)
{
    worker_reply_step(job->worker, job->id, KIN_MSG_SETTLE, job->settle_request, status,
                      kin_status_text(status));
}

static void settle_failed(struct worker_job *job, kin_status status)
{
    job->settle_state = STEP_IDLE; /* asked again, it starts anew */
    reply_failed(job, status);
}

static void answer_release(struct worker_task *task)
{
    kin_buf_deinit(&((struct answer_task *)task)->payload);
}

static void answer_finish(struct worker_task *task)
{
    struct answer_task *t = (struct answer_task *)task;
    struct worker_job *job = task->job;
    if (task->status != KIN_OK) {
        reply_failed(job, task->status); /* the blocks stand: a match may be reading them */
        return;
    }
    struct kin_message m = {.type = KIN_MSG_SETTLED};
    m.u.settled.job = job->id;
    worker_send(job->worker, &m, job->settle_request, &t->payload);
}

static void answer_start(struct worker_job *job)
{
    struct answer_task *t =
        worker_task_new(job, sizeof *t, answer_run, answer_finish, answer_release);
    if (t)
        worker_task_start(&t->task);
    else
        reply_failed(job, KIN_E_NOMEM);
}

static void gather_finish(struct worker_task *task)
{
    struct worker_job *job = task->job;
    if (task->status != KIN_OK && job->match_status == KIN_OK)
        job->match_status = task->status;
    if (--job->settle_left)
        return;
    if (job->match_status != KIN_OK) {
        settle_failed(job, job->match_status);
        return;
    }
    job->settle_state = STEP_DONE;
    answer_start(job);
}

/* Partitions, the largest first: one with a hot key takes longest, and the others fill up the
 * threads beside it. */
static void order_partitions(const struct worker_job *job, struct kin_keyed order[PARTITIONS])
{
    struct kin_keyed tmp[PARTITIONS];
    for (unsigned i = 0; i < PARTITIONS; i++) {
        order[i] = (struct kin_keyed){.key = UINT64_MAX, .value = i};
        for (uint32_t r = 0; r < job->range_count; r++)
            order[i].key -= job->ranges[r].count[i];
    }
    kin_radix_sort(order, tmp, PARTITIONS);
}

static void gather_start(struct worker_job *job)
{
    struct kin_keyed order[PARTITIONS];
    order_partitions(job, order);
    job->settle_left = PARTITIONS;
    for (unsigned i = 0; i < PARTITIONS; i++) {
        struct gather_task *t = worker_task_new(job, sizeof *t, gather_run, gather_finish, NULL);
        if (!t) {
            job->match_status = KIN_E_NOMEM;
            job->settle_left -= PARTITIONS - i;
            if (job->settle_left == 0)
                settle_failed(job, KIN_E_NOMEM);
            return;
        }
        t->index = order[i].value;
        t->partition = &job->partitions[t->index];
        worker_task_start(&t->task);
    }
}

static void scatter_finish(struct worker_task *task)
{
    struct worker_job *job = task->job;
    if (task->status != KIN_OK && job->match_status == KIN_OK)
        job->match_status = task->status;
    if (--job->settle_left)
        return;
    if (job->match_status != KIN_OK)
        settle_failed(job, job->match_status);
    else
        gather_start(job);
}

static kin_status settle_prepare(struct worker_job *job, uint64_t record_total)
{
    job->match_status = KIN_OK;
    struct kin_buf dead = job->dead;
    job->dead = (struct kin_buf){0};
    worker_settle_free(job);
    job->dead = dead;
    job->partitions = kin_calloc(PARTITIONS, sizeof *job->partitions);
    uint32_t ranges = job->worker->env->ops->threads(job->worker->env) * 4;
    job->ranges = kin_calloc(ranges, sizeof *job->ranges);
    if (!job->partitions || !job->ranges)
        return KIN_E_NOMEM;
    job->range_count = ranges;
    for (uint32_t r = 0; r < ranges; r++) {
        job->ranges[r].first = (uint32_t)((uint64_t)job->records.count * r / ranges);
        job->ranges[r].end = (uint32_t)((uint64_t)job->records.count * (r + 1) / ranges);
    }
    if (dead.n == 0)
        return KIN_OK;
    job->dead_bits = kin_calloc(record_total / 8 + 1, 1);
    if (!job->dead_bits)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < dead.n; i += 4) {
        uint32_t number = kin_le32(dead.p + i);
        if (number < record_total)
            job->dead_bits[number / 8] |= (uint8_t)(1 << (number % 8));
    }
    return KIN_OK;
}

void worker_job_on_settle(struct worker_job *job, const struct kin_message *m)
{
    job->settle_request = m->request;
    if (job->settle_state == STEP_RUNNING || m->u.settle.batches != job->durable ||
        m->u.settle.records > UINT32_MAX || !worker_job_loaded(job))
        return;
    if (job->settle_state == STEP_DONE) {
        answer_start(job);
        return;
    }
    for (uint32_t l = 0; l < job->records.count; l++) {
        if (job->records.items[l].number >= m->u.settle.records) {
            settle_failed(job, KIN_E_PROTO);
            return;
        }
    }
    if (settle_prepare(job, m->u.settle.records) != KIN_OK) {
        settle_failed(job, KIN_E_NOMEM);
        return;
    }
    job->settle_state = STEP_RUNNING;
    job->settle_left = job->range_count;
    for (uint32_t r = 0; r < job->range_count; r++) {
        struct scatter_task *t = worker_task_new(job, sizeof *t, scatter_run, scatter_finish, NULL);
        if (!t) {
            job->match_status = KIN_E_NOMEM;
            job->settle_left -= job->range_count - r;
            if (job->settle_left == 0)
                settle_failed(job, KIN_E_NOMEM);
            return;
        }
        t->range = &job->ranges[r];
        worker_task_start(&t->task);
    }
}
