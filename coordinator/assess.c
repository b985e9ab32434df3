#include "coordinator/impl.h"

#include "common/match/pattern_table.h"
#include "common/match/recall.h"
#include "coordinator/next_key.h"

#include <stdlib.h>
#include <string.h>

/* What a plan says of the blocking keys: how many of the matches they find, and which further key
 * would find most. docs/blocking.md describes both.
 *
 * The workers have counted the pairs by the set of keys that find them (train.c asks for it); from
 * these sets follows what all keys miss. For the next key, a sample of the records tells which of
 * many keys are worth a closer look; for these the workers send the records of some blocks of each,
 * so that what is rare among random records is seen, too. All is a function of the records: the
 * same for any number of workers and threads. */

enum {
    SAMPLE_LEAST = 40 * 1000, /* records, and one in a hundred more, */
    SAMPLE_MOST = 150 * 1000, /* up to so many */
    FIRST_LOOK_PAIRS = 30 * 1000,
    CLOSE_LOOK_PAIRS = 300 * 1000, /* of a key */
    CLOSE_LOOK_RECORDS = 30 * 1000,
    PAIRS_A_RECORD = 200, /* a key with more is no proposal */
    PAIRS_ALWAYS = 1000 * 1000,
    CLOSE_KEYS = 8,
    LOOK_TASKS = 16
};
static const double FEW_MATCHES = 10, LEAST_GAIN = 0.001, LEAST_LOOKED = 3;

struct assess {
    struct kin_pattern_table found; /* by set of keys, scaled up */
    struct kin_value_counts counts;
    struct kin_model_decider *model;
    struct kin_decider *rules;
    struct sample sample;
    struct kin_arena arena;
    struct next_key keys[NEXT_KEYS_MAX];
    unsigned key_count;
    uint32_t every[CLOSE_KEYS];
    struct next_look look;
    bool closely;
    unsigned waiting; /* workers, or tasks */
    struct kin_frame *keyed[KIN_WORKERS_MAX];
    const uint8_t **records; /* of these */
};

void assess_free(struct cjob *job)
{
    struct assess *a = job->assess;
    if (!a)
        return;
    kin_pattern_table_deinit(&a->found);
    kin_model_decider_free(a->model);
    kin_value_counts_deinit(&a->counts);
    kin_decider_free(a->rules);
    sample_deinit(&a->sample);
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_frame_unref(a->keyed[w]);
    kin_free(a->records);
    kin_arena_deinit(&a->arena);
    kin_free(a);
    job->assess = NULL;
}

bool assess_take(struct cjob *job, uint64_t pattern, uint64_t set, uint64_t pairs)
{
    if (!job->assess)
        job->assess = kin_calloc(1, sizeof *job->assess);
    return job->assess && kin_pattern_table_add(&job->assess->found, pattern, set, pairs);
}

static double live_records(const struct cjob *job)
{
    double n = 0;
    for (size_t s = 0; s < job->report.source_count; s++) {
        const struct kin_report_source *source = &job->report.sources[s];
        n += (double)(source->read - source->superseded - source->rejected);
    }
    return n;
}

/* ---- recall ---- */

/* True if every pair with equal values of the terms of `exact` shares a key of this rule. */
static bool follows(const struct kin_key_rule *rule, const struct kin_key_rule *exact)
{
    for (unsigned i = 0; i < rule->count; i++) {
        const struct kin_key_term *t = &rule->terms[i];
        bool implied = false;
        for (unsigned j = 0; j < exact->count && !implied; j++) {
            const struct kin_key_term *e = &exact->terms[j];
            implied =
                t->field == e->field && (!e->empty_is_value || t->empty_is_value) &&
                (e->fn == KIN_KEY_VALUE ? t->fn != KIN_KEY_SOUNDEX && t->fn != KIN_KEY_METAPHONE
                                        : e->fn == t->fn && e->n == t->n && e->rows == t->rows);
        }
        if (!implied)
            return false;
    }
    return true;
}

/* True if no pair that a rule matches can be without a key: so it is where they are derived. */
static bool is_complete(const struct kin_workflow *w)
{
    struct kin_key_rule keys[KIN_KEY_RULES_MAX];
    size_t count = 0;
    bool complete = !w->model;
    struct kin_arena arena = {0};
    struct kin_err err;
    for (size_t r = 0; r < w->rule_count && complete; r++) {
        bool star = false;
        for (size_t k = w->block_key_count; k < w->key_count && !star; k++)
            star = w->keys[k].match_rule == r;
        complete = star || kin_rule_derive_keys(&arena, &w->schema, &w->rules[r], keys, &count,
                                                &err) == KIN_OK;
    }
    for (size_t i = 0; i < count && complete; i++) {
        bool found = false;
        for (size_t k = 0; k < w->block_key_count && !found; k++)
            found = follows(&w->keys[k], &keys[i]);
        complete = found;
    }
    kin_arena_deinit(&arena);
    return complete;
}

/* A field that all keys which found something are made with, or -1: a match that differs there is
 * found by none of them. */
static int shared_field(const struct kin_workflow *w, const struct kin_captures *c)
{
    for (size_t f = 0; f < w->schema.count; f++) {
        bool all = true;
        for (size_t k = 0; k < w->key_count && k < KIN_RECALL_LISTS_MAX && all; k++) {
            bool used = c->by[k] < 0.5;
            for (unsigned t = 0; t < w->keys[k].count; t++)
                used = used || w->keys[k].terms[t].field == f;
            all = used;
        }
        if (all)
            return (int)f;
    }
    return -1;
}

static void judge_recall(struct kin_report_recall *r, const struct kin_workflow *w,
                         const struct kin_captures *c)
{
    unsigned lists =
        w->key_count < KIN_RECALL_LISTS_MAX ? (unsigned)w->key_count : KIN_RECALL_LISTS_MAX;
    unsigned finders = 0;
    int field = shared_field(w, c);
    struct kin_buf why = {0};
    for (unsigned k = 0; k < lists; k++)
        finders += c->by[k] >= 0.5;
    r->state = KIN_RECALL_UNKNOWN;
    if (is_complete(w)) {
        r->state = KIN_RECALL_COMPLETE;
    } else if (c->all < FEW_MATCHES) {
        kin_buf_puts(&why, "the keys find hardly any matches to go by");
    } else if (finders < 2) {
        kin_buf_puts(&why,
                     "one key alone cannot tell what it misses; add another, on other fields");
    } else if (field >= 0) {
        kin_buf_printf(&why,
                       "all keys use '%s', so matches that differ there are found by none; add a "
                       "key without it",
                       w->fields[field].name);
    } else if (c->two < 1 && c->all - c->two > 0 && kin_captures_missed(c, lists, 1) > c->all) {
        kin_buf_puts(&why, "hardly any match is found by two keys, so that nothing says how many "
                           "are found by none");
    } else {
        struct kin_recall_estimate e = kin_captures_estimate(c, lists, 1);
        r->state = KIN_RECALL_KNOWN;
        r->matches = e.matches;
        r->low = e.low;
        r->high = e.high;
    }
    r->found = c->all;
    r->at_most = 1;
    if (why.n && !why.failed)
        r->why = kin_strndup((const char *)why.p, why.n);
    kin_buf_deinit(&why);
}

/* Expected matches of a pattern's pairs, as next_key.c has it. */
static double pattern_probability(const struct kin_model_tables *tables, uint64_t pattern)
{
    if (pattern & KIN_PATTERN_MATCHED)
        return 1;
    int32_t weight = tables ? kin_model_weight(tables, pattern) : -1;
    return weight < 0 ? 0 : kin_weight_probability(weight);
}

static kin_status find_recall(struct cjob *job, const struct kin_model_tables *tables)
{
    struct assess *a = job->assess;
    struct kin_captures c = {0};
    size_t n = kin_pattern_table_sort(&a->found);
    for (size_t i = 0; i < n; i++) {
        double share = pattern_probability(tables, a->found.slots[i].pattern);
        kin_captures_add(&c, a->found.slots[i].set, share * (double)a->found.slots[i].count);
    }
    judge_recall(&job->report.recall, job->workflow, &c);
    for (size_t k = 0; k < job->report.key_count && k < KIN_RECALL_LISTS_MAX; k++) {
        job->report.keys[k].found = c.by[k];
        job->report.keys[k].found_alone = c.only[k];
    }
    return KIN_OK;
}

/* ---- the next key ---- */

static void next_fill(struct cjob *job);

static void assess_end(struct kin_coordinator *c)
{
    next_fill(c->job);
    assess_free(c->job);
    plan_finish(c);
}

struct look_task {
    struct ctask task;
    unsigned first; /* keys first, first + LOOK_TASKS, ... */
};

static void look_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct look_task *t = (struct look_task *)work;
    struct assess *a = t->task.job->assess;
    for (unsigned k = t->first; k < a->key_count && t->task.status == KIN_OK; k += LOOK_TASKS) {
        uint32_t every = a->closely ? a->every[k] : 1;
        t->task.status = next_key_judge(&a->look, every, &a->keys[k]);
    }
}

static void look_closely(struct kin_coordinator *c);

static void look_finish(struct ctask *task)
{
    struct kin_coordinator *c = task->c;
    struct assess *a = c->job->assess;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "out of memory");
        return;
    }
    if (--a->waiting)
        return;
    if (a->closely)
        assess_end(c);
    else
        look_closely(c);
}

static void look_begin(struct kin_coordinator *c)
{
    struct assess *a = c->job->assess;
    a->waiting = LOOK_TASKS;
    for (unsigned i = 0; i < LOOK_TASKS && !c->job->failed; i++) {
        struct look_task *t = ctask_new(c, sizeof *t, look_run, look_finish, NULL);
        if (t) {
            t->first = i;
            ctask_start(&t->task);
        } else {
            job_fail(c, KIN_E_NOMEM, "out of memory");
        }
    }
}

/* Of what all keys miss, another key finds about the same part as of what they find. More is taken
 * for matches and is none: mistakes that pairs of other keys do not bring up. */
static double expected_matches(const struct kin_report_recall *r, const struct next_key *key)
{
    double matches = key->extra_matches, most = matches;
    if (r->state == KIN_RECALL_KNOWN && r->found > 0)
        most = (r->high - r->found) * key->shared_matches / r->found;
    return matches < most ? matches : most;
}

/* How many more matches, and how many for each pair: their product. */
static double worth(const struct kin_report_recall *r, const struct next_key *key)
{
    double matches = expected_matches(r, key);
    return key->usable && key->extra_pairs > 0 ? matches * matches / key->extra_pairs : 0;
}

/* The best come first; of keys of the same fields the best one stays. */
static void rank(struct assess *a, const struct kin_report_recall *r)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < a->key_count; i++) { /* selection: there are few */
        unsigned best = i;
        for (unsigned k = i + 1; k < a->key_count; k++) {
            if (worth(r, &a->keys[k]) > worth(r, &a->keys[best]))
                best = k;
        }
        struct next_key key = a->keys[best];
        memmove(&a->keys[i + 1], &a->keys[i], (best - i) * sizeof *a->keys);
        a->keys[i] = key;
    }
    for (unsigned i = 0; i < a->key_count; i++) {
        bool again = !(worth(r, &a->keys[i]) > 0);
        for (unsigned k = 0; k < kept && !again; k++) {
            const struct kin_key_rule *x = &a->keys[k].rule, *y = &a->keys[i].rule;
            again = x->count == y->count && x->terms[0].field == y->terms[0].field &&
                    x->terms[x->count - 1].field == y->terms[y->count - 1].field;
        }
        if (!again)
            a->keys[kept++] = a->keys[i];
    }
    a->key_count = kept;
}

static void next_fill(struct cjob *job)
{
    struct assess *a = job->assess;
    struct kin_report_recall *r = &job->report.recall;
    rank(a, r);
    double most = 0;
    for (unsigned k = 0; k < a->key_count; k++) {
        const struct next_key *key = &a->keys[k];
        bool tells = key->looked >= LEAST_LOOKED;
        double matches = expected_matches(r, key);
        if (tells && key->extra_matches > most && 2 * key->extra_matches >= key->extra_pairs)
            most = key->extra_matches;
        if (r->next_count == KIN_REPORT_NEXT_KEYS || !tells || matches < LEAST_GAIN * r->found)
            continue;
        struct kin_report_next_key *next = &r->next[r->next_count];
        next->text = kin_strndup(key->rule.text, strlen(key->rule.text));
        next->extra_pairs = key->extra_pairs;
        next->extra_matches = matches;
        next->taken = key->extra_matches;
        next->recall = -1;
        r->next_count += next->text != NULL;
    }
    if (r->state == KIN_RECALL_COMPLETE)
        return;
    /* what another key finds, and hardly anything else with it, is there: so many are missed */
    r->at_most = most > 0 ? r->found / (r->found + most) : 1;
    for (unsigned k = 0; k < r->next_count; k++) {
        double found = r->found + r->next[k].extra_matches;
        if (r->state == KIN_RECALL_KNOWN)
            r->next[k].recall = found < r->matches ? found / r->matches : 1;
    }
}

/* ---- the records of some blocks of the keys that are worth it ---- */

static int by_number(const void *a, const void *b)
{
    const struct kin_keyed *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* The records as they came, in the order of their numbers; they are checked: they came over the
 * wire. */
static kin_status index_keyed(struct cjob *job)
{
    struct assess *a = job->assess;
    struct kin_buf list = {0}; /* number; worker and place in its answer */
    kin_status status = KIN_OK;
    for (unsigned w = 0; w < job->shards.workers && status == KIN_OK; w++) {
        const struct kin_frame *f = a->keyed[w];
        struct kin_cursor at = kin_cursor_of(f ? f->payload.p : NULL, f ? f->payload.n : 0);
        while (kin_cursor_left(&at) && status == KIN_OK) {
            uint32_t number = kin_cursor_u32(&at), bytes = kin_cursor_u32(&at);
            const uint8_t *rec = kin_cursor_take(&at, bytes);
            if (at.bad || !rec ||
                !kin_features_valid(rec, bytes, (unsigned)job->workflow->schema.count) ||
                !kin_features_fit(rec, &job->workflow->schema) ||
                (uint64_t)(rec - f->payload.p) / 4 > UINT32_MAX)
                status = KIN_E_PROTO;
            struct kin_keyed item = {number, w, (uint32_t)((rec - f->payload.p) / 4)};
            if (status == KIN_OK)
                kin_buf_put(&list, &item, sizeof item);
        }
    }
    size_t n = list.n / sizeof(struct kin_keyed);
    a->records = kin_calloc(n + 1, sizeof *a->records);
    if (status == KIN_OK && (list.failed || !a->records))
        status = KIN_E_NOMEM;
    const struct kin_keyed *items = (const struct kin_keyed *)(const void *)list.p;
    if (status == KIN_OK && n)
        qsort(list.p, n, sizeof *items, by_number);
    for (size_t i = 0; status == KIN_OK && i < n; i++)
        a->records[i] = a->keyed[items[i].value]->payload.p + 4 * (size_t)items[i].extra;
    a->look.records = a->records;
    a->look.count = n;
    kin_buf_deinit(&list);
    return status;
}

static void on_keyed(struct rpc *r, const struct kin_message *m, struct kin_frame *f)
{
    struct kin_coordinator *c = r->arg;
    struct assess *a = c->job->assess;
    if (m->type != KIN_MSG_PULLED) {
        job_fail(c, KIN_E_PROTO, "worker %u answered nonsense", r->worker + 1);
        return;
    }
    a->keyed[r->worker] = kin_frame_ref(f);
    if (--a->waiting)
        return;
    kin_status status = index_keyed(c->job);
    if (status == KIN_OK)
        look_begin(c);
    else
        job_fail(c, status, "the records of keys: %s", kin_status_text(status));
}

static void put_request(struct assess *a, const struct kin_schema *schema, struct kin_buf *out)
{
    kin_buf_u32(out, a->key_count);
    for (unsigned k = 0; k < a->key_count; k++) {
        const struct kin_key_rule *rule = &a->keys[k].rule;
        kin_buf_u32(out, a->every[k]);
        kin_buf_u32(out, rule->count);
        for (unsigned t = 0; t < rule->count; t++) {
            struct kin_buf text = {0};
            kin_key_term_print(schema, &rule->terms[t], &text);
            kin_buf_u32(out, (uint32_t)text.n);
            kin_buf_put(out, text.p, text.n);
            kin_buf_put(out, "\0\0\0", (4 - text.n % 4) % 4);
            out->failed = out->failed || text.failed;
            kin_buf_deinit(&text);
        }
    }
}

/* Every n-th block, so that neither pairs nor records are more than can be looked at. */
static void choose_every(struct assess *a, double live)
{
    for (unsigned k = 0; k < a->key_count; k++) {
        double by_pairs = a->keys[k].pairs / CLOSE_LOOK_PAIRS,
               by_records = live / CLOSE_LOOK_RECORDS;
        a->every[k] = (uint32_t)(by_pairs > by_records ? by_pairs : by_records) + 1;
        a->keys[k].rule.number = (uint8_t)k;
    }
}

static void look_closely(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    struct assess *a = job->assess;
    double live = live_records(job);
    rank(a, &job->report.recall);
    a->key_count = a->key_count < CLOSE_KEYS ? a->key_count : CLOSE_KEYS;
    a->closely = true;
    a->look.look_pairs = CLOSE_LOOK_PAIRS;
    for (unsigned k = 0; k < CLOSE_KEYS; k++)
        a->every[k] = 1;
    if (a->key_count == 0) {
        assess_end(c);
        return;
    }
    if ((double)a->sample.count >= live) { /* the sample is all there is */
        look_begin(c);
        return;
    }
    choose_every(a, live);
    a->look.times = 1;
    a->look.max_block = job->workflow->limits.max_block;
    a->waiting = job_workers(c);
    for (unsigned w = 0; w < job_workers(c) && !job->failed; w++) {
        struct kin_buf request = {0};
        struct kin_message m = {.type = KIN_MSG_PULL};
        m.u.pull.job = job->id;
        m.u.pull.what = KIN_PULL_KEYED;
        put_request(a, &job->workflow->schema, &request);
        if (rpc_start(c, w, &m, &request, on_keyed, c, 0) != KIN_OK)
            job_fail(c, KIN_E_NOMEM, "out of memory");
    }
}

/* ---- the sample ---- */

static void sampled(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    struct assess *a = job->assess;
    double live = live_records(job), n = (double)a->sample.count;
    double most = PAIRS_A_RECORD * live;
    const struct kin_workflow_model *model = job->workflow->model;
    a->look = (struct next_look){.workflow = job->workflow,
                                 .rules = a->rules,
                                 .model = a->model,
                                 .threshold = model ? model->thresholds[model->primary].weight : 0,
                                 .oversized = job->oversized.p,
                                 .oversized_count = job->oversized.n / 8,
                                 .records = a->sample.records,
                                 .count = a->sample.count,
                                 .times = n > 1 ? live * (live - 1) / (n * (n - 1)) : 1,
                                 .max_block = (double)job->workflow->limits.max_block * n /
                                              (live > 0 ? live : 1),
                                 .most_pairs = most > PAIRS_ALWAYS ? most : PAIRS_ALWAYS,
                                 .look_pairs = FIRST_LOOK_PAIRS};
    int count =
        next_key_list(job->workflow, a->sample.records, a->sample.count, &a->arena, a->keys);
    if (count < 0) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    a->key_count = (unsigned)count;
    look_begin(c);
}

static void begin_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct ctask *t = (struct ctask *)work;
    struct cjob *job = t->job;
    struct assess *a = job->assess;
    const struct kin_workflow *w = job->workflow;
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_model_tables tables;
    if (w->rule_count)
        t->status = kin_decider_new(&w->schema, w->rules, w->rule_count, &a->rules, &t->err);
    if (w->model && t->status == KIN_OK)
        t->status = train_decider(job, &a->counts, &a->model, &t->err);
    if (w->model && t->status == KIN_OK)
        t->status = kin_model_read(job->model_text.p, job->model_text.n, &arena, &model, &t->err);
    if (w->model && t->status == KIN_OK)
        kin_model_tables(&model, &tables);
    if (t->status == KIN_OK)
        t->status = find_recall(job, w->model ? &tables : NULL);
    kin_arena_deinit(&arena);
}

static void begin_finish(struct ctask *task)
{
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "the plan: %s", kin_status_text(task->status));
        return;
    }
    double want = SAMPLE_LEAST + live_records(c->job) / 100;
    sample_take(c, &c->job->assess->sample, want < SAMPLE_MOST ? (size_t)want : SAMPLE_MOST,
                sampled);
}

void assess_begin(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    if (live_records(job) < 2) {
        plan_finish(c);
        return;
    }
    if (!job->assess)
        job->assess = kin_calloc(1, sizeof *job->assess);
    struct ctask *t = job->assess ? ctask_new(c, sizeof *t, begin_run, begin_finish, NULL) : NULL;
    if (t)
        ctask_start(t);
    else
        job_fail(c, KIN_E_NOMEM, "out of memory");
}
