#include "client/records.h"

#include "common/base/hash.h"
#include "common/base/radix.h"
#include "common/env/live/live.h"
#include "common/match/compare_tokens.h"
#include "coordinator/scan.h"
#include "proto/jobs.h"

#include <stdlib.h>
#include <string.h>

/* Rows of one (source, id) are told by 128 bits of hash: among 10 M records two that differ have
 * one in common with odds of 1 in 10^24. */
struct identity {
    uint64_t a, b;
    int64_t updated;
    uint32_t number;
    uint32_t source;
};

struct reading {
    struct kin_work work;
    struct kin_live *live;
    const struct kin_workflow *workflow;
    const struct kin_records_want *want;
    struct kin_records *out;
    uint64_t *seeds;                            /* [source] */
    uint64_t *ids;                              /* hashes of want->ids, ascending */
    struct kin_buf identities;                  /* struct identity */
    struct kin_buf kept;                        /* struct kin_record */
    struct kin_buf values[KIN_COMPARISONS_MAX]; /* struct kin_keyed: hash, number */
    struct kin_buf words[KIN_COMPARISONS_MAX];  /* likewise */
    struct kin_buf tokens;                      /* u64, of one record */
    struct kin_buf keyed;                       /* struct kin_keyed: place in want->keys, number */
    uint8_t *dead;                              /* bit by number */
    kin_status status;
    struct kin_err *err;
};

/* Hash by which records are drawn for a sample; as in the training of a job. */
static uint64_t sample_hash(uint64_t identity)
{
    enum { OTHER_THAN_HOMES = 7 };
    return kin_hash_mix(identity, OTHER_THAN_HOMES);
}

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool has_u64(const uint64_t *list, size_t n, uint64_t x, size_t *at)
{
    const uint64_t *found = n ? bsearch(&x, list, n, sizeof *list, by_u64) : NULL;
    if (found && at)
        *at = (size_t)(found - list);
    return found != NULL;
}

/* ---- keeping a record ---- */

static const struct kin_workflow_columns *columns_of(const struct reading *r, uint16_t source,
                                                     size_t field)
{
    return &r->workflow->sources[source].columns[field];
}

/* The cells of a field, as they were read. */
static kin_status raw_field(const struct reading *r, const struct kin_batch_row *row,
                            const struct kin_str *names, size_t field, const char **out)
{
    const struct kin_workflow_columns *columns = columns_of(r, row->source, field);
    struct kin_buf text = {0};
    for (size_t k = 0; k < columns->count; k++) {
        struct kin_str wanted = kin_str_of(columns->names[k]);
        const uint8_t *at = row->cells;
        bool is_id = kin_str_eq(wanted, kin_str_of(r->workflow->sources[row->source].id));
        for (uint32_t c = 0; c < row->cell_count || is_id; c++) {
            uint16_t column = 0;
            struct kin_str value = is_id ? row->id : kin_batch_cell_next(&at, &column);
            if (is_id || kin_str_eq(names[column], wanted)) {
                kin_buf_puts(&text, text.n ? "; " : "");
                kin_buf_put(&text, value.p, value.n);
            }
            if (is_id)
                break;
        }
    }
    *out = text.failed
               ? NULL
               : kin_arena_strndup(&r->out->arena, text.p ? (const char *)text.p : "", text.n);
    kin_buf_deinit(&text);
    return *out ? KIN_OK : KIN_E_NOMEM;
}

static kin_status keep(struct reading *r, const struct kin_batch_rows *rows, const uint8_t *row_at,
                       const uint8_t *rec, uint32_t number)
{
    struct kin_arena *arena = &r->out->arena;
    size_t bytes = kin_features_bytes(rec), fields = r->workflow->schema.count;
    uint8_t *copy = kin_arena_alloc(arena, bytes);
    const char **raw = kin_arena_calloc(arena, fields, sizeof *raw);
    struct kin_str *names = kin_reallocarray(NULL, rows->column_count, sizeof *names);
    kin_status status = copy && raw && names ? KIN_OK : KIN_E_NOMEM;
    if (status == KIN_OK) {
        struct kin_batch_row row = kin_batch_row_read(row_at);
        memcpy(copy, rec, bytes);
        kin_batch_rows_columns(rows, names);
        for (size_t f = 0; f < fields && status == KIN_OK; f++)
            status = raw_field(r, &row, names, f, &raw[f]);
        struct kin_record item = {number, copy, raw};
        kin_buf_put(&r->kept, &item, sizeof item);
    }
    kin_free(names);
    return r->kept.failed ? KIN_E_NOMEM : status;
}

/* ---- one pass ---- */

static void count_values(struct reading *r, const uint8_t *rec, uint32_t number)
{
    uint64_t terms[KIN_COMPARISON_TERMS_MAX];
    for (unsigned i = 0; r->want->comparer && i < KIN_COMPARISONS_MAX; i++) {
        if (!(r->want->values >> i & 1))
            continue;
        unsigned n = kin_comparer_terms(r->want->comparer, i, rec, terms);
        for (unsigned k = 0; k < n; k++) {
            /* extra: the first of a record counts it once */
            struct kin_keyed item = {.key = terms[k], .value = number, .extra = k == 0};
            kin_buf_put(&r->values[i], &item, sizeof item);
        }
    }
}

static void count_words(struct reading *r, const uint8_t *rec, uint32_t number)
{
    uint32_t left = r->want->words ? kin_comparer_tokened(r->want->words) : 0;
    for (; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        kin_buf_clear(&r->tokens);
        kin_comparer_tokens(r->want->words, i, rec, &r->tokens);
        for (size_t k = 0; k < r->tokens.n / sizeof(uint64_t); k++) {
            struct kin_keyed item = {.key = ((const uint64_t *)(const void *)r->tokens.p)[k],
                                     .value = number,
                                     .extra = k == 0};
            kin_buf_put(&r->words[i], &item, sizeof item);
        }
    }
}

static void count_keys(struct reading *r, const uint8_t *rec, uint32_t number)
{
    unsigned count;
    const uint8_t *keys = kin_features_keys(rec, &count);
    for (unsigned k = 0; k < count && r->want->key_count; k++) {
        size_t at;
        if (!has_u64(r->want->keys, r->want->key_count, kin_le64(keys + 8 * (size_t)k), &at))
            continue;
        struct kin_keyed item = {.key = at, .value = number};
        kin_buf_put(&r->keyed, &item, sizeof item);
    }
}

static kin_status take_chunk(void *arg, const struct kin_scan_chunk *chunk, struct kin_err *err)
{
    struct reading *r = arg;
    const struct kin_page *page = &chunk->page;
    const uint8_t *rec = chunk->features.records, *row = chunk->rows.rows;
    kin_status status = KIN_OK;
    for (uint32_t i = 0; i < page->count && status == KIN_OK; i++) {
        struct kin_str id = kin_page_id(page, i);
        struct identity x = {.a = kin_hash64(id.p, id.n, r->seeds[page->source]),
                             .b = kin_hash64(id.p, id.n, ~r->seeds[page->source]),
                             .updated = INT64_MIN,
                             .number = (uint32_t)page->base + i,
                             .source = page->source};
        if (page->updated)
            x.updated = (int64_t)kin_le64(page->updated + 8 * (size_t)i);
        kin_buf_put(&r->identities, &x, sizeof x);
        count_values(r, rec, x.number);
        count_words(r, rec, x.number);
        count_keys(r, rec, x.number);
        if (has_u64(r->ids, r->want->id_count, kin_hash64(id.p, id.n, 0), NULL) ||
            (r->want->sample_limit && sample_hash(x.a) <= r->want->sample_limit))
            status = keep(r, &chunk->rows, row, rec, x.number);
        rec += kin_features_bytes(rec);
        row += kin_batch_row_read(row).bytes;
    }
    bool failed = r->identities.failed || r->keyed.failed || r->tokens.failed;
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++)
        failed = failed || r->values[i].failed || r->words[i].failed;
    if (failed || status == KIN_E_NOMEM)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    return status;
}

static void scan_run(struct kin_env *env, struct kin_work *work)
{
    struct reading *r = (struct reading *)work;
    r->status = kin_scan(env, r->workflow, take_chunk, r, r->err);
}

static void scan_done(struct kin_work *work)
{
    kin_live_stop(((struct reading *)work)->live);
}

static void *scan_boot(struct kin_env *env, void *args)
{
    struct reading *r = args;
    r->work.run = scan_run;
    r->work.done = scan_done;
    env->ops->work(env, &r->work);
    return r;
}

static void scan_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    (void)node;
    (void)from;
    (void)frame; /* there is nobody to send one */
}

static void scan_stop(void *node)
{
    (void)node;
}

static const struct kin_node_ops scan_ops = {scan_boot, scan_frame, scan_stop};

static kin_status scan(struct reading *r)
{
    struct kin_live_options options = {.threads = 1};
    kin_status status = kin_live_new(&options, &r->live, r->err);
    r->status = kin_err_set(r->err, KIN_E_NOMEM, "out of memory"); /* unless it is booted */
    if (status == KIN_OK)
        status = kin_live_add(r->live, KIN_CLIENT_FIRST, NULL, &scan_ops, r, r->err);
    if (status == KIN_OK) {
        kin_live_run(r->live);
        status = r->status;
    }
    if (r->live)
        kin_live_free(r->live);
    return status;
}

/* ---- what stands ---- */

static int by_claim(const void *a, const void *b)
{
    const struct identity *x = a, *y = b;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    if (x->b != y->b)
        return x->b < y->b ? -1 : 1;
    if (x->updated != y->updated)
        return x->updated < y->updated ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static bool is_dead(const struct reading *r, uint32_t number)
{
    return r->dead[number / 8] >> (number % 8) & 1;
}

static kin_status find_dead(struct reading *r)
{
    struct identity *items = (struct identity *)(void *)r->identities.p;
    size_t n = r->identities.n / sizeof *items;
    r->dead = kin_calloc(n / 8 + 1, 1);
    if (!r->dead)
        return KIN_E_NOMEM;
    if (n)
        qsort(items, n, sizeof *items, by_claim);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && items[i].a == items[i + 1].a && items[i].b == items[i + 1].b) {
            r->dead[items[i].number / 8] |= (uint8_t)(1 << (items[i].number % 8));
        } else {
            r->out->live++;
            r->out->live_by_source[items[i].source]++;
        }
    }
    return KIN_OK;
}

static kin_status find_sample(struct reading *r)
{
    const struct identity *items = (const struct identity *)(const void *)r->identities.p;
    size_t n = r->identities.n / sizeof *items, live = 0;
    r->out->sample_limit = UINT64_MAX;
    if (!r->want->sample_size || r->out->live <= r->want->sample_size)
        return KIN_OK;
    uint64_t *hashes = kin_reallocarray(NULL, n, sizeof *hashes);
    if (!hashes)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!is_dead(r, items[i].number))
            hashes[live++] = sample_hash(items[i].a);
    }
    qsort(hashes, live, sizeof *hashes, by_u64);
    r->out->sample_limit = hashes[r->want->sample_size - 1];
    kin_free(hashes);
    return KIN_OK;
}

static int by_name(const void *a, const void *b)
{
    return kin_features_cmp_identity(((const struct kin_record *)a)->features,
                                     ((const struct kin_record *)b)->features);
}

static kin_status sort_kept(struct reading *r)
{
    const struct kin_record *from = (const struct kin_record *)(const void *)r->kept.p;
    size_t n = r->kept.n / sizeof *from;
    struct kin_records *out = r->out;
    out->items = kin_arena_calloc(&out->arena, n, sizeof *out->items);
    if (!out->items)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!is_dead(r, from[i].number))
            out->items[out->count++] = from[i];
    }
    if (out->count)
        qsort(out->items, out->count, sizeof *out->items, by_name);
    return KIN_OK;
}

/* ---- counts ---- */

/* Drops what is dead and sorts the rest; the number left. */
static kin_status settle(const struct reading *r, struct kin_buf *list, size_t *left)
{
    struct kin_keyed *items = (struct kin_keyed *)(void *)list->p;
    size_t n = list->n / sizeof *items, kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_dead(r, items[i].value))
            items[kept++] = items[i];
    }
    struct kin_keyed *tmp = kin_reallocarray(NULL, kept, sizeof *tmp);
    if (!tmp)
        return KIN_E_NOMEM;
    if (kept)
        kin_radix_sort(items, tmp, kept);
    kin_free(tmp);
    *left = kept;
    return KIN_OK;
}

/* Of what the list has: how many records have each, those seen once left out; total: records that
 * have any; equal: pairs that have one in common. */
static kin_status add_up(const struct reading *r, struct kin_buf *list, struct kin_buf *counts,
                         uint64_t *total, uint64_t *equal)
{
    size_t n = 0;
    kin_status status = settle(r, list, &n);
    const struct kin_keyed *items = (const struct kin_keyed *)(const void *)list->p;
    *total = *equal = 0;
    for (size_t i = 0, end; status == KIN_OK && i < n; i = end) {
        for (end = i; end < n && items[end].key == items[i].key; end++)
            *total += items[end].extra;
        uint64_t records = end - i;
        *equal += records * (records - 1) / 2;
        struct kin_value_count item = {items[i].key, records};
        if (records > 1)
            kin_buf_put(counts, &item, sizeof item);
    }
    return status == KIN_OK && counts->failed ? KIN_E_NOMEM : status;
}

static kin_status finish_words(struct reading *r)
{
    uint32_t left = r->want->words ? kin_comparer_tokened(r->want->words) : 0;
    kin_status status = KIN_OK;
    for (; left && status == KIN_OK; left &= left - 1) {
        struct kin_buf counts = {0};
        unsigned i = (unsigned)__builtin_ctz(left);
        uint64_t total, equal;
        status = add_up(r, &r->words[i], &counts, &total, &equal);
        if (status == KIN_OK)
            status = kin_comparer_set_tokens(r->want->words, i, total,
                                             (const struct kin_value_count *)(const void *)counts.p,
                                             counts.n / sizeof(struct kin_value_count));
        kin_buf_deinit(&counts);
    }
    return status;
}

static kin_status finish_values(struct reading *r, unsigned comparison)
{
    struct kin_buf counts = {0};
    uint64_t total, equal;
    kin_status status = add_up(r, &r->values[comparison], &counts, &total, &equal);
    if (status == KIN_OK)
        status = kin_value_counts_set(&r->out->counts, comparison, total,
                                      (const struct kin_value_count *)(const void *)counts.p,
                                      counts.n / sizeof(struct kin_value_count));
    if (total > 1)
        r->out->equal[comparison] = (struct kin_train_equal){total * (total - 1) / 2, equal};
    kin_buf_deinit(&counts);
    return status;
}

static kin_status finish_keys(struct reading *r)
{
    size_t n = 0;
    r->out->key_records =
        kin_arena_calloc(&r->out->arena, r->want->key_count + 1, sizeof *r->out->key_records);
    kin_status status = r->out->key_records ? settle(r, &r->keyed, &n) : KIN_E_NOMEM;
    const struct kin_keyed *items = (const struct kin_keyed *)(const void *)r->keyed.p;
    for (size_t i = 0; i < n; i++)
        r->out->key_records[items[i].key]++;
    return status;
}

static kin_status finish(struct reading *r)
{
    kin_status status = find_dead(r);
    if (status == KIN_OK)
        status = find_sample(r);
    if (status == KIN_OK)
        status = sort_kept(r);
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX && status == KIN_OK; i++) {
        if (r->want->comparer && r->want->values >> i & 1)
            status = finish_values(r, i);
    }
    if (status == KIN_OK)
        status = finish_words(r);
    if (status == KIN_OK)
        status = finish_keys(r);
    return status == KIN_OK ? status : kin_err_set(r->err, status, "%s", kin_status_text(status));
}

/* ---- the whole ---- */

static kin_status prepare(struct reading *r)
{
    struct kin_arena *arena = &r->out->arena;
    size_t sources = r->workflow->source_count;
    r->seeds = kin_arena_calloc(arena, sources, sizeof *r->seeds);
    r->ids = kin_arena_calloc(arena, r->want->id_count, sizeof *r->ids);
    r->out->live_by_source = kin_arena_calloc(arena, sources, sizeof *r->out->live_by_source);
    if (!r->seeds || !r->ids || !r->out->live_by_source)
        return kin_err_set(r->err, KIN_E_NOMEM, "out of memory");
    for (size_t s = 0; s < sources; s++) {
        const char *name = r->workflow->sources[s].name;
        r->seeds[s] = kin_hash64(name, strlen(name), 0);
    }
    for (size_t i = 0; i < r->want->id_count; i++)
        r->ids[i] = kin_hash64(r->want->ids[i].p, r->want->ids[i].n, 0);
    if (r->want->id_count)
        qsort(r->ids, r->want->id_count, sizeof *r->ids, by_u64);
    return KIN_OK;
}

kin_status kin_records_read(const struct kin_workflow *workflow,
                            const struct kin_records_want *want, struct kin_records *out,
                            struct kin_err *err)
{
    struct reading r = {.workflow = workflow, .want = want, .out = out, .err = err};
    *out = (struct kin_records){.workflow = workflow};
    kin_status status = prepare(&r);
    if (status == KIN_OK)
        status = scan(&r);
    if (status == KIN_OK)
        status = finish(&r);
    kin_buf_deinit(&r.identities);
    kin_buf_deinit(&r.kept);
    kin_buf_deinit(&r.keyed);
    kin_buf_deinit(&r.tokens);
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++) {
        kin_buf_deinit(&r.values[i]);
        kin_buf_deinit(&r.words[i]);
    }
    kin_free(r.dead);
    if (status != KIN_OK)
        kin_records_deinit(out);
    return status;
}

void kin_records_deinit(struct kin_records *r)
{
    kin_value_counts_deinit(&r->counts);
    kin_arena_deinit(&r->arena);
    *r = (struct kin_records){0};
}

/* ---- names ---- */

static int source_index(const struct kin_workflow *w, struct kin_str name)
{
    for (size_t s = 0; s < w->source_count; s++) {
        if (kin_str_eq(kin_str_of(w->sources[s].name), name))
            return (int)s;
    }
    return -1;
}

static const struct kin_record *find_in(const struct kin_records *r, uint16_t source,
                                        struct kin_str id)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint8_t *rec = r->items[middle].features;
        uint16_t s = kin_features_source(rec);
        int c = s != source ? (s < source ? -1 : 1) : kin_str_cmp(kin_features_id(rec), id);
        if (c == 0)
            return &r->items[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

kin_status kin_records_find(const struct kin_records *r, struct kin_str source, struct kin_str id,
                            const struct kin_record **out, struct kin_err *err)
{
    enum { SHOWN = 80 };
    const struct kin_workflow *w = r->workflow;
    const struct kin_record *found = NULL;
    int shown = id.n < SHOWN ? (int)id.n : SHOWN;
    int only = source.p ? source_index(w, source) : -1;
    if (source.p && only < 0)
        return kin_err_set(err, KIN_E_NOTFOUND, "there is no source '%.*s'",
                           source.n < SHOWN ? (int)source.n : SHOWN, source.p);
    for (size_t s = 0; s < w->source_count; s++) {
        if (only >= 0 && s != (size_t)only)
            continue;
        const struct kin_record *x = find_in(r, (uint16_t)s, id);
        if (x && found)
            return kin_err_set(err, KIN_E_EXISTS, "id '%.*s' is in source '%s' and in '%s'", shown,
                               id.p, w->sources[kin_features_source(found->features)].name,
                               w->sources[s].name);
        found = x ? x : found;
    }
    if (!found && only >= 0)
        return kin_err_set(err, KIN_E_NOTFOUND, "no record of source '%s' has the id '%.*s'",
                           w->sources[only].name, shown, id.p);
    if (!found)
        return kin_err_set(err, KIN_E_NOTFOUND, "no record has the id '%.*s'", shown, id.p);
    *out = found;
    return KIN_OK;
}

void kin_record_name_split(const struct kin_workflow *w, struct kin_str name,
                           struct kin_str *source, struct kin_str *id)
{
    const char *slash = name.n ? memchr(name.p, '/', name.n) : NULL;
    *source = (struct kin_str){NULL, 0};
    *id = name;
    if (!slash)
        return;
    struct kin_str first = {name.p, (size_t)(slash - name.p)};
    if (source_index(w, first) < 0)
        return;
    *source = first;
    *id = (struct kin_str){slash + 1, name.n - first.n - 1};
}

void kin_record_name(const struct kin_workflow *w, const struct kin_record *r, struct kin_buf *out)
{
    struct kin_str id = kin_features_id(r->features);
    kin_buf_printf(out, "%s/", w->sources[kin_features_source(r->features)].name);
    kin_buf_put(out, id.p, id.n);
}
