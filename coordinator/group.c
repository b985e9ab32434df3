#include "coordinator/impl.h"

#include "coordinator/match_id.h"
#include "proto/edges.h"

#include <stdlib.h>
#include <string.h>

/* The plan from what the workers settled; the union-find over their forests, piece by
 * piece as they come; and the MatchGroups: numbered in the order of their first record, with size
 * and founder. */

/* ---- plan ---- */

static kin_status add_block(struct kin_report_block **list, size_t *count,
                            struct kin_report_block block, struct kin_str text)
{
    struct kin_report_block *blocks = kin_reallocarray(*list, *count + 1, sizeof *blocks);
    if (!blocks)
        return KIN_E_NOMEM;
    *list = blocks;
    block.text = kin_strndup(text.p, text.n);
    if (!block.text)
        return KIN_E_NOMEM;
    blocks[(*count)++] = block;
    return KIN_OK;
}

static struct kin_str padded_text(struct kin_cursor *c, uint32_t n)
{
    struct kin_str text = {(const char *)kin_cursor_take(c, n), n};
    kin_cursor_take(c, (4 - n % 4) % 4);
    return text;
}

void plan_take_settled(struct kin_coordinator *c, unsigned worker, const struct kin_message *m,
                       struct kin_frame *f)
{
    (void)m;
    struct cjob *job = c->job;
    struct kin_report *report = &job->report;
    struct kin_cursor at = kin_cursor_of(f->payload.p, f->payload.n);
    uint32_t rules = kin_cursor_u32(&at), oversized = kin_cursor_u32(&at),
             large = kin_cursor_u32(&at);
    if (rules != report->key_count) {
        job_fail(c, KIN_E_PROTO, "worker %u settled another workflow", worker + 1);
        return;
    }
    for (uint32_t r = 0; r < rules; r++) {
        struct kin_report_key *key = &report->keys[r];
        key->blocks += kin_cursor_u64(&at);
        key->postings += kin_cursor_u64(&at);
        key->pairs += kin_cursor_u64(&at);
        uint64_t largest = kin_cursor_u64(&at);
        key->largest = largest > key->largest ? largest : key->largest;
    }
    for (uint32_t i = 0; i < oversized && !at.bad; i++)
        kin_buf_u64(&job->oversized, kin_cursor_u64(&at));
    kin_status status = job->oversized.failed ? KIN_E_NOMEM : KIN_OK;
    for (uint32_t i = 0; i < large && !at.bad && status == KIN_OK; i++) {
        uint64_t key = kin_cursor_u64(&at);
        struct kin_report_block block = {
            .key = key, .rule = kin_key_rule_number(key), .records = kin_cursor_u32(&at)};
        struct kin_str text = padded_text(&at, kin_cursor_u32(&at));
        at.bad = at.bad || block.rule >= rules;
        if (!at.bad)
            status = add_block(&report->large, &report->large_count, block, text);
    }
    if (at.bad || status != KIN_OK)
        job_fail(c, at.bad ? KIN_E_PROTO : status, "worker %u settled: %s", worker + 1,
                 kin_status_text(at.bad ? KIN_E_PROTO : status));
}

void plan_take_matched(struct kin_coordinator *c, const struct kin_message *m, struct kin_frame *f)
{
    (void)m;
    struct kin_report *report = &c->job->report;
    struct kin_cursor at = kin_cursor_of(f->payload.p, f->payload.n);
    uint32_t rules = kin_cursor_u32(&at), splits = kin_cursor_u32(&at);
    kin_status status = rules == report->key_count ? KIN_OK : KIN_E_PROTO;
    for (uint32_t r = 0; r < rules && status == KIN_OK; r++) {
        report->keys[r].compared += kin_cursor_u64(&at);
        report->keys[r].skipped += kin_cursor_u64(&at);
        report->keys[r].matched += kin_cursor_u64(&at);
    }
    for (size_t i = 0; i < KIN_WEIGHT_WORDS && c->job->workflow->model; i++)
        report->weights[i] += kin_cursor_u64(&at);
    for (uint32_t i = 0; i < splits && !at.bad && status == KIN_OK; i++) {
        uint64_t key = kin_cursor_u64(&at);
        struct kin_report_block block = {.key = key, .rule = kin_key_rule_number(key)};
        block.records = kin_cursor_u32(&at);
        block.refined = kin_cursor_u32(&at);
        block.windowed = kin_cursor_u32(&at);
        block.pairs_kept = kin_cursor_u64(&at);
        struct kin_str text = padded_text(&at, kin_cursor_u32(&at));
        at.bad = at.bad || block.rule >= rules;
        if (!at.bad)
            status = add_block(&report->oversized, &report->oversized_count, block, text);
    }
    if (at.bad || status != KIN_OK)
        job_fail(c, at.bad ? KIN_E_PROTO : status, "a worker's matches: %s",
                 kin_status_text(at.bad ? KIN_E_PROTO : status));
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = kin_le64(a), y = kin_le64(b);
    return x < y ? -1 : x > y;
}

/* Largest first within a rule, then by key as the workers choose theirs: so the blocks that are
 * kept depend neither on who told of them first nor on how many workers there are. */
static int by_block(const void *a, const void *b)
{
    const struct kin_report_block *x = a, *y = b;
    if (x->rule != y->rule)
        return x->rule < y->rule ? -1 : 1;
    if (x->records != y->records)
        return x->records > y->records ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

void plan_finish(struct kin_coordinator *c)
{
    struct kin_report *report = &c->job->report;
    for (size_t s = 0; s < report->source_count; s++) {
        report->read += report->sources[s].read;
        report->superseded += report->sources[s].superseded;
        report->rejected += report->sources[s].rejected;
    }
    report->records = report->read - report->superseded - report->rejected;
    job_phase(c, KIN_PHASE_DONE);
    job_over(c, KIN_OK, "");
}

enum { WEIGHED_PAIRS = 1 << 15 }; /* below the floor, about, are weighed for the report */

static uint32_t choose_sample(const struct kin_report *report)
{
    uint64_t pairs = 0;
    uint32_t one_in = 1;
    for (size_t k = 0; k < report->key_count; k++)
        pairs += report->keys[k].star ? 0 : report->keys[k].pairs;
    while (pairs / one_in > WEIGHED_PAIRS && one_in < UINT32_C(1) << 30)
        one_in *= 2;
    return one_in;
}

void plan_make(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    struct kin_report *report = &job->report;
    qsort(job->oversized.p ? job->oversized.p : (void *)"", job->oversized.n / 8, 8, by_key);
    if (report->large_count) {
        qsort(report->large, report->large_count, sizeof *report->large, by_block);
        size_t kept = 0, of_rule = 0;
        for (size_t i = 0; i < report->large_count; i++) { /* the largest of all workers */
            of_rule = i && report->large[i].rule == report->large[i - 1].rule ? of_rule + 1 : 0;
            struct kin_report_block block = report->large[i];
            if (of_rule < KIN_LARGE_BLOCKS_PER_RULE) {
                report->large[i].text = NULL;
                report->large[kept++] = block;
            } else {
                kin_free(block.text);
                report->large[i].text = NULL;
            }
        }
        report->large_count = kept;
    }
    report->weigh = choose_sample(report);
    if (job->workflow->model || job->options->plan_only) {
        train_begin(c);
        return;
    }
    if (plan_write(c) != KIN_OK || group_begin_match(c) != KIN_OK) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    job_phase(c, KIN_PHASE_MATCH);
    track_advance_all(c);
}

/* ---- forests ---- */

kin_status group_begin_match(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    const struct kin_workflow *w = job->workflow;
    if (kin_best_edges_init(&job->best, (uint32_t)job->records, w->model != NULL,
                            (uint16_t)w->rule_count) != KIN_OK ||
        kin_union_find_init(&job->sets, (uint32_t)job->records) != KIN_OK)
        return KIN_E_NOMEM;
    links_join(job);
    for (size_t level = 0; level < job_levels(job) && job_levels(job) > 1; level++) {
        job->level[level] = kin_reallocarray(NULL, job->records, sizeof *job->level[level]);
        if (!job->level[level])
            return KIN_E_NOMEM;
        for (uint32_t i = 0; i < job->records; i++)
            job->level[level][i] = i;
    }
    return KIN_OK;
}

struct forest_task {
    struct ctask task;
    unsigned worker;
    struct kin_frame *piece;
};

/* Any thread: sets and best edges are made for several at a time, and neither knows an order. */
static kin_status unite_forest(struct cjob *job, const struct kin_buf *piece)
{
    enum { AHEAD = KIN_UNION_FIND_AHEAD * KIN_FOREST_BYTES };
    for (size_t i = 0; i < piece->n; i += KIN_FOREST_BYTES) {
        const uint8_t *p = piece->p + i;
        uint32_t record = kin_le32(p), root = kin_le32(p + 4), rule = kin_le32(p + 8);
        int32_t weight = (int32_t)kin_le32(p + 12);
        if (piece->n - i > AHEAD && kin_le32(p + AHEAD + 4) < job->records)
            kin_union_find_fetch(&job->sets, kin_le32(p + AHEAD + 4)); /* records ascend */
        if (record >= job->records || root >= job->records || job_is_dead(job, record) ||
            job_is_dead(job, root) || !job_has_rule(job, rule))
            return KIN_E_PROTO;
        kin_union_find_join(&job->sets, record, root);
        kin_best_edges_add(&job->best, record, (struct kin_best_edge){(uint16_t)rule, weight});
    }
    return KIN_OK;
}

static void forest_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct forest_task *t = (struct forest_task *)work;
    t->task.status = unite_forest(t->task.job, &t->piece->payload);
}

static void group_forests(struct kin_coordinator *c);

static void forest_finish(struct ctask *task)
{
    struct kin_coordinator *c = task->c;
    c->job->forests--;
    if (task->status != KIN_OK)
        job_fail(c, task->status, "worker %u sent a forest that cannot be: %s",
                 ((struct forest_task *)task)->worker + 1, kin_status_text(task->status));
    else if (c->job->phase == KIN_PHASE_GROUP && c->job->forests == 0)
        group_forests(c);
}

static void forest_release(struct ctask *task)
{
    kin_frame_unref(((struct forest_task *)task)->piece);
}

kin_status group_take_forest(struct kin_coordinator *c, unsigned worker, struct kin_frame *f)
{
    if (f->payload.n % KIN_FOREST_BYTES)
        return KIN_E_PROTO;
    struct forest_task *t = NULL;
    if (c->job->forests < FORESTS_AT_ONCE)
        t = ctask_new(c, sizeof *t, forest_run, forest_finish, forest_release);
    if (!t) /* the threads are busy: done here, so that pieces do not pile up */
        return unite_forest(c->job, &f->payload);
    t->worker = worker;
    t->piece = kin_frame_ref(f);
    c->job->forests++;
    ctask_start(&t->task);
    return KIN_OK;
}

kin_status group_take_edges(struct kin_coordinator *c, const struct kin_frame *f)
{
    struct cjob *job = c->job;
    if (f->payload.n % KIN_EDGE_BYTES)
        return KIN_E_PROTO;
    for (size_t i = 0; i < f->payload.n; i += KIN_EDGE_BYTES) {
        uint64_t a = kin_le32(f->payload.p + i), b = kin_le32(f->payload.p + i + 4);
        uint32_t rule = kin_le32(f->payload.p + i + 8);
        if (a >= b || b >= job->records || !job_has_rule(job, rule & ~(uint32_t)KIN_EDGE_STAR))
            return KIN_E_PROTO;
        struct kin_keyed e = {
            .key = a << 32 | b, .value = rule, .extra = kin_le32(f->payload.p + i + 12)};
        kin_buf_put(&job->edges, &e, sizeof e);
    }
    return job->edges.failed ? KIN_E_NOMEM : KIN_OK;
}

/* ---- edges of all workers: in order, each pair once ---- */

static void order_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct ctask *t = (struct ctask *)work;
    struct cjob *job = t->job; /* the loop leaves the edges alone meanwhile */
    t->status = kin_edges_order(&job->edges);
    if (t->status == KIN_OK && job->options->pairs)
        t->status = links_add_edges(job);
}

static void order_finish(struct ctask *task)
{
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK)
        job_fail(c, task->status, "out of memory for the edges");
    else if (job_clusters(c->job))
        veto_begin(c);
    else
        label_begin(c);
}

/* The last piece is united. */
static void group_forests(struct kin_coordinator *c)
{
    if (!job_wants_edges(c)) {
        label_begin(c);
        return;
    }
    struct ctask *t = ctask_new(c, sizeof *t, order_run, order_finish, NULL);
    if (t)
        ctask_start(t);
    else
        job_fail(c, KIN_E_NOMEM, "out of memory");
}

void group_begin(struct kin_coordinator *c)
{
    job_phase(c, KIN_PHASE_GROUP);
    if (c->job->forests == 0)
        group_forests(c);
}

/* ---- MatchGroups ---- */

struct label_task {
    struct ctask task;
    uint32_t *group, *size, *founder;
    uint32_t count;
    struct kin_buf labels[KIN_WORKERS_MAX];
    struct glue *glue; /* of the largest; NULL: there are none */
};

/* Numbers the groups: the root of a set is its first record, so that one pass does. */
static void number_groups(struct label_task *t, struct cjob *job)
{
    for (uint32_t i = 0; i < job->records; i++) {
        if (job_is_dead(job, i)) {
            t->group[i] = NO_GROUP;
            continue;
        }
        uint32_t root = kin_union_find_root(&job->sets, i);
        if (root == i) {
            t->group[i] = t->count;
            t->size[t->count++] = 1;
        } else {
            t->group[i] = t->group[root];
            t->size[t->group[i]]++;
        }
    }
}

/* True if (source, id) comes before the record's; view->status tells of failure. */
static bool is_before(struct page_view *view, uint32_t source, struct kin_str id, uint32_t record)
{
    uint32_t other;
    struct kin_str other_id;
    if (!page_view_identity(view, record, &other, &other_id))
        return false;
    return source != other ? source < other : kin_str_cmp(id, other_id) < 0;
}

/* Founders, the sources' counts, and the labels of the rows at home with each worker, in record
 * order. */
static kin_status walk_records(struct label_task *t, struct page_view *view)
{
    struct cjob *job = t->task.c->job;
    memset(t->founder, 0xff, t->count * sizeof *t->founder);
    for (uint64_t chunk = 0; chunk < job->chunk_count; chunk++) {
        const struct kin_page *page = page_view_get(view, chunk);
        if (!page)
            return view->status;
        const char *name = job->workflow->sources[page->source].name;
        uint64_t seed = kin_hash64(name, strlen(name), 0);
        struct kin_report_source *source = &job->report.sources[page->source];
        for (uint32_t i = 0; i < page->count; i++) {
            uint32_t record = (uint32_t)page->base + i, group = t->group[record];
            unsigned home = 0;
            if (job->shards.workers > 1)
                home = kin_home_worker(&job->shards, seed, kin_page_id(page, i));
            kin_buf_u32(&t->labels[home], group);
            if (group == NO_GROUP)
                continue;
            source->grouped += t->size[group] > 1;
            source->singletons += t->size[group] == 1;
            if (t->founder[group] == UINT32_MAX ||
                is_before(view, page->source, kin_page_id(page, i), t->founder[group]))
                t->founder[group] = record;
        }
    }
    return view->status;
}

/* scratch: [records], overwritten */
static void count_level(const struct cjob *job, const uint32_t *founder, uint32_t *scratch,
                        struct kin_report_level *level)
{
    memset(scratch, 0, job->records * sizeof *scratch);
    for (uint32_t i = 0; i < job->records; i++)
        scratch[founder[i]] += !job_is_dead(job, i);
    for (uint32_t i = 0; i < job->records; i++) {
        level->groups += scratch[i] > 1;
        level->grouped += scratch[i] > 1 ? scratch[i] : 0;
        level->largest = scratch[i] > level->largest ? scratch[i] : level->largest;
    }
}

/* At each of several thresholds: the founder of every record's group. */
static kin_status find_level_founders(struct cjob *job, struct page_view *view)
{
    for (size_t level = 0; level < job_levels(job); level++) {
        uint32_t *stand_in = job->level[level];
        uint32_t *founder = stand_in ? kin_reallocarray(NULL, job->records, sizeof *founder) : NULL;
        if (!stand_in)
            return KIN_OK;
        if (!founder)
            return KIN_E_NOMEM;
        memset(founder, 0xff, job->records * sizeof *founder);
        for (uint32_t i = 0; i < job->records; i++) {
            uint32_t *at = &founder[stand_in[i]];
            if (*at == UINT32_MAX || page_view_cmp(view, i, *at) < 0)
                *at = i;
        }
        for (uint32_t i = 0; i < job->records; i++)
            stand_in[i] = founder[stand_in[i]];
        count_level(job, stand_in, founder, &job->report.levels[level]);
        kin_free(founder);
        if (view->status != KIN_OK)
            return view->status;
    }
    return KIN_OK;
}

static int by_size(const void *a, const void *b)
{
    const struct kin_report_group *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return strcmp(x->match_id, y->match_id);
}

/* Groups over max_group keep their records and their id, and are named in the report. */
static kin_status name_large_groups(struct label_task *t, struct page_view *view)
{
    const struct kin_coordinator *c = t->task.c;
    struct kin_report *report = &c->job->report;
    const struct kin_workflow *w = c->job->workflow;
    size_t cap = 0;
    for (uint32_t g = 0; g < t->count; g++) {
        uint32_t source;
        struct kin_str id;
        if (t->size[g] <= w->limits.max_group)
            continue;
        if (!page_view_identity(view, t->founder[g], &source, &id))
            return view->status;
        if (report->large_group_count == cap) {
            cap = cap ? 2 * cap : 16;
            struct kin_report_group *groups =
                kin_reallocarray(report->large_groups, cap, sizeof *groups);
            if (!groups)
                return KIN_E_NOMEM;
            report->large_groups = groups;
        }
        struct kin_report_group *group = &report->large_groups[report->large_group_count++];
        *group = (struct kin_report_group){.size = t->size[g], .group = g};
        kin_match_id(c->job->options->match_id_key, kin_str_of(w->name),
                     kin_str_of(w->sources[source].name), id, 0, group->match_id);
        group->match_id[KIN_MATCH_ID_DIGITS] = '\0';
    }
    if (report->large_group_count)
        qsort(report->large_groups, report->large_group_count, sizeof *report->large_groups,
              by_size);
    if (report->large_group_count > KIN_REPORT_GROUPS_MAX)
        report->large_group_count = KIN_REPORT_GROUPS_MAX;
    return KIN_OK;
}

static void label_run(struct kin_env *env, struct kin_work *work)
{
    struct label_task *t = (struct label_task *)work;
    struct cjob *job = t->task.c->job;
    size_t n = job->records;
    struct page_view view;
    t->task.status = page_view_init(&view, env, job);
    t->group = kin_reallocarray(NULL, n, sizeof *t->group);
    t->size = kin_reallocarray(NULL, n, sizeof *t->size);
    if (t->task.status == KIN_OK && (!t->group || !t->size))
        t->task.status = KIN_E_NOMEM;
    if (t->task.status == KIN_OK) {
        number_groups(t, job);
        t->founder = kin_reallocarray(NULL, t->count, sizeof *t->founder);
        t->task.status = t->founder ? walk_records(t, &view) : KIN_E_NOMEM;
        if (t->task.status == KIN_OK)
            t->task.status = name_large_groups(t, &view);
        if (t->task.status == KIN_OK)
            t->task.status = find_level_founders(job, &view);
        if (t->task.status == KIN_OK)
            t->task.status = glue_collect(job, t->group, &t->glue);
    }
    for (unsigned w = 0; w < KIN_WORKERS_MAX && t->task.status == KIN_OK; w++)
        t->task.status = t->labels[w].failed ? KIN_E_NOMEM : KIN_OK;
    page_view_deinit(&view);
}

static void label_release(struct ctask *task)
{
    struct label_task *t = (struct label_task *)task;
    glue_free(t->glue);
    kin_free(t->group);
    kin_free(t->size);
    kin_free(t->founder);
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_buf_deinit(&t->labels[w]);
}

static void sum_report(struct kin_report *report, const struct cjob *job)
{
    for (size_t s = 0; s < report->source_count; s++) {
        report->read += report->sources[s].read;
        report->grouped += report->sources[s].grouped;
        report->singletons += report->sources[s].singletons;
        report->superseded += report->sources[s].superseded;
        report->rejected += report->sources[s].rejected;
    }
    report->records = report->grouped + report->singletons;
    static const uint32_t bounds[KIN_SIZE_BUCKETS] = {1, 2, 3, 4, 9, 49, 99, 499, UINT32_MAX};
    for (uint32_t g = 0; g < job->group_count; g++) {
        uint32_t size = job->group_size[g];
        unsigned b = 0;
        while (size > bounds[b])
            b++;
        report->group_sizes[b]++;
        report->groups += size > 1;
        report->largest_group = size > report->largest_group ? size : report->largest_group;
        report->over_max_group += size > job->workflow->limits.max_group;
    }
    for (size_t k = 0; k < report->key_count; k++) {
        report->compared += report->keys[k].compared;
        report->matched += report->keys[k].matched;
    }
    if (report->oversized_count)
        qsort(report->oversized, report->oversized_count, sizeof *report->oversized, by_block);
}

static void label_finish(struct ctask *task)
{
    struct label_task *t = (struct label_task *)task;
    struct kin_coordinator *c = task->c;
    struct cjob *job = c->job;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "MatchGroups cannot be numbered: %s",
                 kin_status_text(task->status));
        return;
    }
    job->group = t->group;
    job->group_size = t->size;
    job->founder = t->founder;
    job->group_count = t->count;
    t->group = t->size = t->founder = NULL;
    for (unsigned w = 0; w < job_workers(c); w++) {
        c->job->workers[w].labels = t->labels[w];
        t->labels[w] = (struct kin_buf){0};
    }
    kin_union_find_deinit(&job->sets);
    sum_report(&job->report, job);
    job->glue = t->glue;
    t->glue = NULL;
    glue_begin(c);
}

void label_begin(struct kin_coordinator *c)
{
    struct label_task *t = ctask_new(c, sizeof *t, label_run, label_finish, label_release);
    if (!t) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    job_phase(c, KIN_PHASE_LABEL);
    ctask_start(&t->task);
}
