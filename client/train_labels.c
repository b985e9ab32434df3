#include "client/train_labels.h"

#include "client/labels.h"
#include "client/records.h"
#include "common/base/hash.h"
#include "common/base/radix.h"
#include "common/match/pattern_table.h"
#include "common/match/train.h"

#include <stdlib.h>
#include <string.h>

enum {
    ENTITY_NEIGHBOURS = 100,  /* a record is paired with so many of its entity at most */
    OTHER_PAIRS = 1000 * 1000 /* labelled pairs that are none, about so many are looked at */
};

/* A record by its place in the records kept, with what its label says. */
struct labelled {
    uint32_t record;
    uint32_t entity;
    uint64_t line;
};
struct labelled_pair {
    uint32_t a, b; /* a < b */
    uint64_t line;
    bool match;
};

struct training {
    const struct kin_workflow *workflow;
    const char *path;
    struct kin_labels labels;
    struct kin_comparer *comparer;
    struct kin_comparer_scratch *scratch;
    struct kin_records records; /* those labelled */
    struct kin_pattern_table matches, others, random;
    bool all_labelled;
    struct kin_arena arena;
    struct kin_err *err;
};

static kin_status no_memory(const struct training *t)
{
    kin_err_set(t->err, KIN_E_NOMEM, "out of memory");
    return KIN_E_NOMEM;
}

/* ---- reading ---- */

static kin_status read_labelled(struct training *t)
{
    const struct kin_workflow_model *m = t->workflow->model;
    size_t each = t->labels.clusters ? 1 : 2, count = t->labels.count * each;
    struct kin_str *ids = kin_reallocarray(NULL, count, sizeof *ids);
    if (!ids)
        return no_memory(t);
    for (size_t i = 0; i < t->labels.count; i++) {
        ids[each * i] = t->labels.items[i].id_a;
        if (each == 2)
            ids[each * i + 1] = t->labels.items[i].id_b;
    }
    struct kin_records_want want = {.ids = ids,
                                    .id_count = count,
                                    .comparer = t->comparer,
                                    .words = t->comparer,
                                    /* how many records there are is not known yet */
                                    .sample_size = kin_train_sample(m->random_pairs, UINT64_MAX)};
    for (size_t i = 0; i < m->comparison_count; i++)
        want.values |= (uint32_t)kin_level_is_exact(m->comparisons[i].levels[0]) << i;
    kin_status status = kin_records_read(t->workflow, &want, &t->records, t->err);
    kin_free(ids);
    return status;
}

/* The record of a label by its place among those kept. */
static kin_status find_record(const struct training *t, uint64_t line, struct kin_str source,
                              struct kin_str id, uint32_t *out)
{
    const struct kin_record *record;
    kin_status status = kin_records_find(&t->records, source, id, &record, t->err);
    if (status != KIN_OK)
        return kin_err_wrap(t->err, status, "%s: line %llu", t->path, (unsigned long long)line);
    *out = (uint32_t)(record - t->records.items);
    return KIN_OK;
}

/* ---- counting ---- */

static kin_status count_pair(struct training *t, struct kin_pattern_table *table, uint32_t a,
                             uint32_t b)
{
    const uint8_t *x = t->records.items[a].features, *y = t->records.items[b].features;
    uint64_t pattern = kin_comparer_pattern(t->comparer, t->scratch, x, y);
    return kin_pattern_table_add(table, pattern, 0, 1) ? KIN_OK : no_memory(t);
}

static bool counts(const struct training *t, uint32_t a, uint32_t b)
{
    return !t->workflow->across_sources || kin_features_source(t->records.items[a].features) !=
                                               kin_features_source(t->records.items[b].features);
}

static kin_status count_random(struct training *t)
{
    struct kin_records_want want = {.sample_limit = t->records.sample_limit};
    struct kin_records sample;
    kin_status status = kin_records_read(t->workflow, &want, &sample, t->err);
    if (status != KIN_OK)
        return status;
    for (size_t i = 0; i < sample.count && status == KIN_OK; i++) {
        const uint8_t *a = sample.items[i].features;
        for (size_t j = i + 1; j < sample.count && status == KIN_OK; j++) {
            const uint8_t *b = sample.items[j].features;
            if (t->workflow->across_sources && kin_features_source(a) == kin_features_source(b))
                continue;
            uint64_t pattern = kin_comparer_pattern(t->comparer, t->scratch, a, b);
            if (!kin_pattern_table_add(&t->random, pattern, 0, 1))
                status = no_memory(t);
        }
    }
    kin_records_deinit(&sample);
    return status;
}

/* ---- labelled pairs ---- */

static int by_pair(const void *a, const void *b)
{
    const struct labelled_pair *x = a, *y = b;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    if (x->b != y->b)
        return x->b < y->b ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static kin_status find_pairs(const struct training *t, struct labelled_pair *pairs)
{
    for (size_t i = 0; i < t->labels.count; i++) {
        const struct kin_label *l = &t->labels.items[i];
        uint32_t a = 0, b = 0;
        kin_status status = find_record(t, l->line, l->source_a, l->id_a, &a);
        if (status == KIN_OK)
            status = find_record(t, l->line, l->source_b, l->id_b, &b);
        if (status != KIN_OK)
            return status;
        if (a == b)
            return kin_err_set(t->err, KIN_E_SYNTAX, "%s: line %llu: a record with itself", t->path,
                               (unsigned long long)l->line);
        pairs[i] = (struct labelled_pair){a < b ? a : b, a < b ? b : a, l->line, l->match};
    }
    return KIN_OK;
}

static kin_status count_pairs(struct training *t)
{
    size_t n = t->labels.count;
    struct labelled_pair *pairs = kin_reallocarray(NULL, n, sizeof *pairs);
    kin_status status = pairs ? find_pairs(t, pairs) : no_memory(t);
    if (status == KIN_OK)
        qsort(pairs, n, sizeof *pairs, by_pair);
    for (size_t i = 0; i < n && status == KIN_OK; i++) {
        const struct labelled_pair *p = &pairs[i];
        bool again = i && p[-1].a == p->a && p[-1].b == p->b;
        if (again && p[-1].match != p->match)
            status = kin_err_set(
                t->err, KIN_E_SYNTAX, "%s: line %llu: the same pair has another label in line %llu",
                t->path, (unsigned long long)p->line, (unsigned long long)p[-1].line);
        else if (!again && counts(t, p->a, p->b))
            status = count_pair(t, p->match ? &t->matches : &t->others, p->a, p->b);
    }
    kin_free(pairs);
    return status;
}

/* ---- clusters ---- */

static int by_record(const void *a, const void *b)
{
    const struct labelled *x = a, *y = b;
    if (x->record != y->record)
        return x->record < y->record ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static int by_entity(const void *a, const void *b)
{
    const struct labelled *x = a, *y = b;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return x->record < y->record ? -1 : x->record > y->record;
}

static int by_text(const void *a, const void *b)
{
    const struct kin_label *x = *(const struct kin_label *const *)a,
                           *y = *(const struct kin_label *const *)b;
    return kin_str_cmp(x->entity, y->entity);
}

/* Entities as numbers, in the order of their names. */
static kin_status number_entities(const struct training *t, struct labelled *items)
{
    size_t n = t->labels.count;
    const struct kin_label **order = kin_reallocarray(NULL, n, sizeof(void *));
    if (!order)
        return no_memory(t);
    for (size_t i = 0; i < n; i++)
        order[i] = &t->labels.items[i];
    qsort(order, n, sizeof(void *), by_text);
    uint32_t number = 0;
    for (size_t i = 0; i < n; i++) {
        number += i && !kin_str_eq(order[i]->entity, order[i - 1]->entity);
        items[order[i] - t->labels.items].entity = number;
    }
    kin_free(order);
    return KIN_OK;
}

static kin_status find_members(const struct training *t, struct labelled *items)
{
    kin_status status = KIN_OK;
    for (size_t i = 0; i < t->labels.count && status == KIN_OK; i++) {
        const struct kin_label *l = &t->labels.items[i];
        items[i].line = l->line;
        status = find_record(t, l->line, l->source_a, l->id_a, &items[i].record);
    }
    if (status == KIN_OK)
        status = number_entities(t, items);
    if (status != KIN_OK)
        return status;
    qsort(items, t->labels.count, sizeof *items, by_record);
    for (size_t i = 1; i < t->labels.count; i++) {
        if (items[i].record == items[i - 1].record)
            return kin_err_set(
                t->err, KIN_E_SYNTAX, "%s: line %llu: the same record is in line %llu", t->path,
                (unsigned long long)items[i].line, (unsigned long long)items[i - 1].line);
    }
    return KIN_OK;
}

static kin_status count_entities(struct training *t, const struct labelled *items)
{
    for (size_t i = 0; i < t->labels.count; i++) {
        for (size_t j = i + 1; j < t->labels.count && j - i <= ENTITY_NEIGHBOURS &&
                               items[j].entity == items[i].entity;
             j++) {
            kin_status status = KIN_OK;
            if (counts(t, items[i].record, items[j].record))
                status = count_pair(t, &t->matches, items[i].record, items[j].record);
            if (status != KIN_OK)
                return status;
        }
    }
    return KIN_OK;
}

/* The blocking keys of the labelled records: value is the place in items. */
static kin_status list_keys(const struct training *t, const struct labelled *items,
                            struct kin_buf *out)
{
    for (size_t i = 0; i < t->labels.count; i++) {
        unsigned n;
        const uint8_t *keys = kin_features_keys(t->records.items[items[i].record].features, &n);
        for (unsigned k = 0; k < n; k++) {
            struct kin_keyed item = {.key = kin_le64(keys + 8 * (size_t)k), .value = (uint32_t)i};
            if (kin_key_rule_number(item.key) < t->workflow->block_key_count)
                kin_buf_put(out, &item, sizeof item);
        }
    }
    size_t n = out->n / sizeof(struct kin_keyed);
    struct kin_keyed *tmp = kin_reallocarray(NULL, n, sizeof *tmp);
    if (out->failed || !tmp) {
        kin_free(tmp);
        return no_memory(t);
    }
    if (n)
        kin_radix_sort((struct kin_keyed *)(void *)out->p, tmp, n);
    kin_free(tmp);
    return KIN_OK;
}

/* The smallest blocking key of both: a pair counts in its block only. */
static uint64_t smallest_key(const uint8_t *a, const uint8_t *b)
{
    unsigned n, m, i = 0, j = 0;
    const uint8_t *x = kin_features_keys(a, &n), *y = kin_features_keys(b, &m);
    while (i < n && j < m) {
        uint64_t p = kin_le64(x + 8 * (size_t)i), q = kin_le64(y + 8 * (size_t)j);
        if (p == q)
            return p;
        i += p < q;
        j += p > q;
    }
    return UINT64_MAX;
}

static kin_status count_block(struct training *t, const struct labelled *items,
                              const struct kin_keyed *block, size_t n)
{
    kin_status status = KIN_OK;
    for (size_t i = 0; i < n; i++) {
        const struct labelled *a = &items[block[i].value];
        const uint8_t *x = t->records.items[a->record].features;
        for (size_t j = i + 1; j < n && status == KIN_OK; j++) {
            const struct labelled *b = &items[block[j].value];
            if (a->entity != b->entity && counts(t, a->record, b->record) &&
                smallest_key(x, t->records.items[b->record].features) == block[0].key)
                status = count_pair(t, &t->others, a->record, b->record);
        }
    }
    return status;
}

/* Pairs of different entities that blocking brings together: what the model is asked about. */
static kin_status count_differing(struct training *t, const struct labelled *items)
{
    struct kin_buf list = {0};
    kin_status status = list_keys(t, items, &list);
    const struct kin_keyed *keys = (const struct kin_keyed *)(const void *)list.p;
    size_t n = list.n / sizeof *keys;
    uint64_t pairs = 0, every = 1;
    for (unsigned pass = 0; pass < 2 && status == KIN_OK; pass++) {
        for (size_t i = 0, end; i < n && status == KIN_OK; i = end) {
            for (end = i + 1; end < n && keys[end].key == keys[i].key; end++)
                continue;
            uint64_t size = end - i;
            if (size < 2 || size > t->workflow->limits.max_block)
                continue;
            if (pass == 0)
                pairs += size * (size - 1) / 2;
            else if (kin_hash_mix(keys[i].key, 1) % every == 0)
                status = count_block(t, items, keys + i, end - i);
        }
        every = pairs / OTHER_PAIRS + 1;
    }
    kin_buf_deinit(&list);
    return status;
}

static kin_status count_clusters(struct training *t)
{
    struct labelled *items = kin_calloc(t->labels.count, sizeof *items);
    kin_status status = items ? find_members(t, items) : no_memory(t);
    t->all_labelled = t->labels.count == t->records.live;
    if (status == KIN_OK)
        status = count_differing(t, items);
    if (status == KIN_OK) {
        qsort(items, t->labels.count, sizeof *items, by_entity);
        status = count_entities(t, items);
    }
    kin_free(items);
    return status;
}

/* ---- the model ---- */

static kin_status take_counts(struct training *t, struct kin_pattern_table *table,
                              struct kin_pattern_counts *out)
{
    size_t n = kin_pattern_table_sort(table);
    struct kin_pattern_count *items = kin_arena_calloc(&t->arena, n, sizeof *items);
    if (!items)
        return no_memory(t);
    for (size_t i = 0; i < n; i++)
        items[i] = (struct kin_pattern_count){table->slots[i].pattern, table->slots[i].count};
    *out = (struct kin_pattern_counts){items, n};
    return KIN_OK;
}

static uint64_t possible_pairs(const struct training *t)
{
    uint64_t n = t->records.live, all = n ? n * (n - 1) / 2 : 0;
    for (size_t s = 0; s < t->workflow->source_count && t->workflow->across_sources; s++) {
        uint64_t k = t->records.live_by_source[s];
        all -= k ? k * (k - 1) / 2 : 0;
    }
    return all;
}

static kin_status fit(struct training *t, struct kin_buf *model_text, struct kin_buf *report_text)
{
    struct kin_model_spec spec;
    struct kin_model model;
    struct kin_train_report report;
    kin_comparer_spec(t->comparer, &spec);
    struct kin_train_input in = {.spec = &spec,
                                 .workflow = t->workflow->hash,
                                 .records = t->records.live,
                                 .possible_pairs = possible_pairs(t),
                                 .all_matches_labelled = t->all_labelled};
    memcpy(in.equal, t->records.equal, sizeof in.equal);
    kin_status status = take_counts(t, &t->random, &in.random);
    if (status == KIN_OK)
        status = take_counts(t, &t->matches, &in.matches);
    if (status == KIN_OK)
        status = take_counts(t, &t->others, &in.others);
    if (status == KIN_OK && in.matches.n == 0)
        status =
            kin_err_set(t->err, KIN_E_SYNTAX, "%s: no two records in it are the same%s", t->path,
                        t->workflow->across_sources ? " and of different sources" : "");
    if (status == KIN_OK)
        status = kin_train(&in, 0, &t->arena, &model, &report, t->err);
    if (status == KIN_OK)
        status = kin_model_write(&model, model_text, t->err);
    if (status == KIN_OK)
        kin_train_print(&model, &report, report_text);
    return status == KIN_OK && report_text->failed ? no_memory(t) : status;
}

kin_status kin_train_from_labels(const struct kin_workflow *workflow, const char *labels_path,
                                 struct kin_buf *model, struct kin_buf *report, struct kin_err *err)
{
    struct training t = {.workflow = workflow, .path = labels_path, .err = err};
    kin_status status = kin_labels_read(labels_path, &t.labels, err);
    if (status == KIN_OK)
        status = kin_comparer_new(&workflow->schema, workflow->model->comparisons,
                                  workflow->model->comparison_count, &t.comparer, err);
    if (status == KIN_OK && !(t.scratch = kin_comparer_scratch_new()))
        status = no_memory(&t);
    if (status == KIN_OK)
        status = read_labelled(&t);
    if (status == KIN_OK)
        status = t.labels.clusters ? count_clusters(&t) : count_pairs(&t);
    if (status == KIN_OK)
        status = count_random(&t);
    if (status == KIN_OK)
        status = fit(&t, model, report);
    kin_pattern_table_deinit(&t.matches);
    kin_pattern_table_deinit(&t.others);
    kin_pattern_table_deinit(&t.random);
    kin_records_deinit(&t.records);
    kin_comparer_scratch_free(t.scratch);
    kin_comparer_free(t.comparer);
    kin_labels_deinit(&t.labels);
    kin_arena_deinit(&t.arena);
    return status;
}
