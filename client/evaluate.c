#include "client/evaluate.h"

#include "common/base/hash.h"
#include "common/base/radix.h"
#include "common/record/reader.h"

#include <string.h>

enum {
    CHUNK_BYTES = 4 << 20,
    RECORD_BYTES_MAX = 16 << 20,
    FIELD_BYTES_MAX = 1 << 20,
    NAMES_MAX = UINT32_MAX / 2
};
static const uint32_t nobody = UINT32_MAX;

double kin_ratio(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 1;
}

double kin_f1(double precision, double recall)
{
    double sum = precision + recall;
    return sum > 0 ? 2 * precision * recall / sum : 0;
}

/* ---- names to numbers ---- */

/* Texts are known by 128 bits of hash: among 10 M of them a collision has odds of 1 in 10^24. */
struct key {
    uint64_t a, b;
};

/* Numbers for keys, 0, 1, 2 ... in order of appearance. Open addressing, at most half full. */
struct index {
    struct key *keys; /* [number] */
    uint32_t *slots;  /* number + 1, or 0 */
    uint32_t count;
    uint32_t slot_count; /* a power of two */
};

static struct key key_of(struct kin_str text, uint64_t seed)
{
    return (struct key){kin_hash64(text.p, text.n, seed),
                        kin_hash64(text.p, text.n, ~kin_hash_mix(seed, text.n))};
}

static void index_deinit(struct index *x)
{
    kin_free(x->keys);
    kin_free(x->slots);
    *x = (struct index){0};
}

/* The slot that holds the key, or the empty one where it belongs. */
static uint32_t *index_slot(const struct index *x, struct key key)
{
    uint32_t mask = x->slot_count - 1;
    uint32_t i = (uint32_t)key.a & mask;
    while (x->slots[i]) {
        const struct key *have = &x->keys[x->slots[i] - 1];
        if (have->a == key.a && have->b == key.b)
            break;
        i = (i + 1) & mask;
    }
    return &x->slots[i];
}

static kin_status index_grow(struct index *x)
{
    uint32_t slot_count = x->slot_count ? x->slot_count * 2 : 1024;
    struct key *keys = kin_reallocarray(x->keys, slot_count / 2, sizeof *keys);
    if (!keys)
        return KIN_E_NOMEM;
    x->keys = keys;
    uint32_t *slots = kin_calloc(slot_count, sizeof *slots);
    if (!slots)
        return KIN_E_NOMEM;
    kin_free(x->slots);
    x->slots = slots;
    x->slot_count = slot_count;
    for (uint32_t i = 0; i < x->count; i++)
        *index_slot(x, x->keys[i]) = i + 1;
    return KIN_OK;
}

/* The key's number; *added says whether it is new. */
static kin_status index_add(struct index *x, struct key key, uint32_t *number, bool *added)
{
    if (x->count >= x->slot_count / 2) {
        kin_status status = x->count >= NAMES_MAX / 2 ? KIN_E_LIMIT : index_grow(x);
        if (status != KIN_OK)
            return status;
    }
    uint32_t *slot = index_slot(x, key);
    *added = *slot == 0;
    if (*added) {
        x->keys[x->count++] = key;
        *slot = x->count;
    }
    *number = *slot - 1;
    return KIN_OK;
}

/* ---- reading ---- */

struct record {
    uint32_t group, entity; /* nobody: not in that file */
    uint32_t source;
};

struct evaluator {
    struct index ids, groups, entities, sources;
    struct record *records; /* [number in ids] */
    size_t record_cap;
    bool by_source; /* records are known by source and id, else by id alone */
};

/* A CSV file in memory with the columns that are wanted. */
struct table {
    const char *name;
    struct kin_str text;
    size_t at;
    struct kin_cutter *cutter;
    uint32_t source, id, label; /* columns; nobody: there is none */
};

static const struct kin_reader_options options = {.format = KIN_FORMAT_CSV,
                                                  .chunk_bytes = CHUNK_BYTES,
                                                  .max_record_bytes = RECORD_BYTES_MAX,
                                                  .max_field_bytes = FIELD_BYTES_MAX};

static kin_status read_text(void *arg, uint8_t *to, size_t cap, size_t *got, struct kin_err *err)
{
    struct table *t = arg;
    (void)err;
    size_t left = t->text.n - t->at;
    *got = left < cap ? left : cap;
    if (*got)
        memcpy(to, t->text.p + t->at, *got);
    t->at += *got;
    return KIN_OK;
}

static uint32_t column_of(const struct kin_header *header, const char *name)
{
    for (size_t i = 0; i < header->count; i++) {
        if (kin_str_eq(header->names[i], kin_str_of(name)))
            return (uint32_t)i;
    }
    return nobody;
}

static kin_status table_open(struct table *t, const char *name, const char *label,
                             struct kin_str text, bool source_needed, struct kin_err *err)
{
    *t = (struct table){.name = name, .text = text};
    kin_status status =
        kin_cutter_open(&options, (struct kin_byte_source){read_text, t}, &t->cutter, err);
    if (status != KIN_OK)
        return kin_err_wrap(err, status, "%s", name);
    const struct kin_header *header = kin_cutter_header(t->cutter);
    t->source = column_of(header, "source");
    t->id = column_of(header, "id");
    t->label = column_of(header, label);
    const char *missing = t->id == nobody                        ? "id"
                          : t->label == nobody                   ? label
                          : source_needed && t->source == nobody ? "source"
                                                                 : NULL;
    if (missing)
        return kin_err_set(err, KIN_E_SYNTAX, "%s: line 1: there is no column '%s'", name, missing);
    return KIN_OK;
}

struct row {
    struct kin_str source, id, label;
    uint64_t line;
};

/* Takes the wanted cells; each must have a value. */
static kin_status take_cells(const struct table *t, const struct kin_row *cells, struct row *row,
                             struct kin_err *err)
{
    *row = (struct row){.line = cells->line};
    if (cells->reason)
        return kin_err_set(err, KIN_E_SYNTAX, "%s: line %llu: %s", t->name,
                           (unsigned long long)cells->line, cells->reason);
    for (size_t i = 0; i < cells->count; i++) {
        const struct kin_cell *c = &cells->cells[i];
        if (c->column == t->source)
            row->source = c->value;
        else if (c->column == t->id)
            row->id = c->value;
        else if (c->column == t->label)
            row->label = c->value;
    }
    uint32_t empty = nobody;
    if (row->id.n == 0)
        empty = t->id;
    else if (row->label.n == 0)
        empty = t->label;
    else if (row->source.n == 0)
        empty = t->source; /* nobody where the column is not there */
    if (empty == nobody)
        return KIN_OK;
    struct kin_str name = kin_cutter_header(t->cutter)->names[empty];
    return kin_err_set(err, KIN_E_SYNTAX, "%s: line %llu: '%.*s' is empty", t->name,
                       (unsigned long long)row->line, (int)name.n, name.p);
}

typedef kin_status (*take_row)(struct evaluator *e, const struct table *t, const struct row *row,
                               struct kin_err *err);

static kin_status table_read(struct evaluator *e, struct table *t, take_row take,
                             struct kin_err *err)
{
    struct kin_rows *rows = kin_rows_new(&options);
    kin_status status = rows ? KIN_OK : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    while (status == KIN_OK) {
        struct kin_chunk chunk;
        struct kin_row cells;
        status = kin_cutter_next(t->cutter, &chunk, err);
        if (status == KIN_E_EOF)
            break;
        if (status != KIN_OK) {
            status = kin_err_wrap(err, status, "%s", t->name);
            break;
        }
        kin_rows_begin(rows, kin_cutter_header(t->cutter), &chunk);
        while (status == KIN_OK && kin_rows_next(rows, &cells)) {
            struct row row;
            status = take_cells(t, &cells, &row, err);
            if (status == KIN_OK)
                status = take(e, t, &row, err);
        }
        if (status == KIN_OK && kin_rows_failed(rows))
            status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
        kin_chunk_deinit(&chunk);
    }
    kin_rows_free(rows);
    return status == KIN_E_EOF ? KIN_OK : status;
}

static kin_status number(struct index *x, struct key key, uint32_t *out, bool *added,
                         struct kin_err *err)
{
    kin_status status = index_add(x, key, out, added);
    return status ? kin_err_set(err, status, "%s", kin_status_text(status)) : KIN_OK;
}

/* The record of a row; a new one is in neither file yet. NULL: *status says why. */
static struct record *find_record(struct evaluator *e, const struct row *row, kin_status *status,
                                  struct kin_err *err)
{
    struct key key = {0, 0};
    uint32_t at;
    bool added;
    if (e->by_source)
        key = key_of(row->source, 0);
    key = key_of(row->id, kin_hash_mix(key.a, key.b));
    *status = number(&e->ids, key, &at, &added, err);
    if (*status != KIN_OK)
        return NULL;
    if (at >= e->record_cap) {
        size_t cap = e->record_cap ? e->record_cap * 2 : 512;
        struct record *records = kin_reallocarray(e->records, cap, sizeof *records);
        if (!records) {
            *status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
            return NULL;
        }
        e->records = records;
        e->record_cap = cap;
    }
    if (added)
        e->records[at] = (struct record){nobody, nobody, 0};
    return &e->records[at];
}

static kin_status repeated(const struct table *t, const struct row *row, bool by_source,
                           struct kin_err *err)
{
    return kin_err_set(err, KIN_E_SYNTAX, "%s: line %llu: id '%.*s' occurs twice%s", t->name,
                       (unsigned long long)row->line, row->id.n < 100 ? (int)row->id.n : 100,
                       row->id.p, by_source ? " in its source" : " (truth has no column 'source')");
}

static kin_status take_match(struct evaluator *e, const struct table *t, const struct row *row,
                             struct kin_err *err)
{
    kin_status status;
    bool added;
    struct record *r = find_record(e, row, &status, err);
    if (!r)
        return status;
    if (r->group != nobody)
        return repeated(t, row, e->by_source, err);
    status = number(&e->sources, key_of(row->source, 0), &r->source, &added, err);
    if (status == KIN_OK)
        status = number(&e->groups, key_of(row->label, 0), &r->group, &added, err);
    return status;
}

static kin_status take_truth(struct evaluator *e, const struct table *t, const struct row *row,
                             struct kin_err *err)
{
    kin_status status;
    bool added;
    struct record *r = find_record(e, row, &status, err);
    if (!r)
        return status;
    if (r->entity != nobody)
        return repeated(t, row, e->by_source, err);
    return number(&e->entities, key_of(row->label, 0), &r->entity, &added, err);
}

/* ---- counting ---- */

static uint64_t pairs_of(uint64_t n)
{
    return n * (n - (n > 0)) / 2;
}

/* Pairs inside the runs of items equal in what `bits` cover of their keys. */
static uint64_t pairs_in_runs(const struct kin_keyed *items, size_t n, uint64_t bits)
{
    uint64_t pairs = 0, run = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && ((items[i].key ^ items[i - 1].key) & bits) != 0)
            run = 0;
        pairs += run++; /* with each one before it in the run */
    }
    return pairs;
}

/* Items for the records in both files; `tmp` is room for as many. */
struct tally {
    struct kin_keyed *items, *tmp;
    size_t n;
    uint32_t *entity_size; /* [entity] */
};

static const uint64_t first_half = 0xffffffff00000000u, all_bits = UINT64_MAX;

static void tally_entities(struct tally *t, const struct record *records, size_t count,
                           struct kin_evaluation *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct record *r = &records[i];
        if (r->group == nobody || r->entity == nobody)
            continue;
        t->items[t->n++] = (struct kin_keyed){(uint64_t)r->entity << 32 | r->source, r->group, 0};
        t->entity_size[r->entity]++;
    }
    kin_radix_sort(t->items, t->tmp, t->n);
    out->pairs_true = pairs_in_runs(t->items, t->n, first_half);
    out->across_true = out->pairs_true - pairs_in_runs(t->items, t->n, all_bits);
}

/* One group: n items of one group, ordered by entity and then source (value and extra). */
static void tally_group(const struct tally *t, const struct kin_keyed *items, size_t n,
                        struct kin_evaluation *out)
{
    for (size_t i = 0, end; i < n; i = end) {
        uint32_t entity = items[i].value;
        uint64_t same_source = 0, run = 0;
        for (end = i; end < n && items[end].value == entity; end++) {
            if (end > i && items[end].extra != items[end - 1].extra)
                run = 0;
            same_source += run++;
        }
        double both = (double)(end - i);
        uint64_t correct = pairs_of(end - i);
        out->pairs_correct += correct;
        out->across_correct += correct - same_source;
        out->bcubed_precision += both * both / (double)n;
        out->bcubed_recall += both * both / (double)t->entity_size[entity];
        out->groups_exact += n >= 2 && end - i == n && t->entity_size[entity] == n;
    }
    out->pairs_found += pairs_of(n);
    out->groups_found += n >= 2;
}

static void tally_groups(struct tally *t, struct kin_evaluation *out)
{
    /* they stand in order of entity and source, and the sort is stable */
    for (size_t i = 0; i < t->n; i++) {
        struct kin_keyed x = t->items[i];
        t->items[i] = (struct kin_keyed){x.value, (uint32_t)(x.key >> 32), (uint32_t)x.key};
    }
    kin_radix_sort(t->items, t->tmp, t->n);
    for (size_t i = 0, end; i < t->n; i = end) {
        for (end = i + 1; end < t->n && t->items[end].key == t->items[i].key; end++) {
        }
        tally_group(t, t->items + i, end - i, out);
    }
    for (size_t i = 0; i < t->n; i++)
        t->items[i].key = t->items[i].key << 32 | t->items[i].extra;
    kin_radix_sort(t->items, t->tmp, t->n);
    out->across_found = out->pairs_found - pairs_in_runs(t->items, t->n, all_bits);
}

static kin_status tally_all(const struct evaluator *e, struct kin_evaluation *out)
{
    struct tally t = {0};
    kin_status status = KIN_E_NOMEM;
    for (uint32_t i = 0; i < e->ids.count; i++) {
        out->records += e->records[i].group != nobody && e->records[i].entity != nobody;
        out->only_in_truth += e->records[i].group == nobody;
        out->only_in_result += e->records[i].entity == nobody;
    }
    t.items = kin_reallocarray(NULL, out->records, sizeof *t.items);
    t.tmp = kin_reallocarray(NULL, out->records, sizeof *t.tmp);
    t.entity_size = kin_calloc(e->entities.count, sizeof *t.entity_size);
    if (!t.items || !t.tmp || !t.entity_size)
        goto done;
    tally_entities(&t, e->records, e->ids.count, out);
    tally_groups(&t, out);
    for (uint32_t i = 0; i < e->entities.count; i++)
        out->groups_true += t.entity_size[i] >= 2;
    out->bcubed_precision = t.n ? out->bcubed_precision / (double)t.n : 1;
    out->bcubed_recall = t.n ? out->bcubed_recall / (double)t.n : 1;
    status = KIN_OK;
done:
    kin_free(t.items);
    kin_free(t.tmp);
    kin_free(t.entity_size);
    return status;
}

kin_status kin_evaluate(struct kin_str matches, struct kin_str truth, struct kin_evaluation *out,
                        struct kin_err *err)
{
    struct evaluator e = {0};
    struct table result_table = {0}, truth_table = {0};
    struct kin_evaluation result = {0};
    kin_status status = table_open(&truth_table, "truth", "entity", truth, false, err);
    if (status == KIN_OK)
        status = table_open(&result_table, "matches", "match_id", matches, true, err);
    if (status != KIN_OK)
        goto done;
    e.by_source = truth_table.source != nobody;
    status = table_read(&e, &result_table, take_match, err);
    if (status == KIN_OK)
        status = table_read(&e, &truth_table, take_truth, err);
    if (status == KIN_OK && (status = tally_all(&e, &result)) != KIN_OK)
        kin_err_set(err, status, "out of memory");
done:
    kin_cutter_close(result_table.cutter);
    kin_cutter_close(truth_table.cutter);
    index_deinit(&e.ids);
    index_deinit(&e.groups);
    index_deinit(&e.entities);
    index_deinit(&e.sources);
    kin_free(e.records);
    if (status == KIN_OK)
        *out = result;
    return status;
}

/* ---- a table for people ---- */

/* Four decimals, whatever the locale. */
static void put_share(struct kin_buf *out, double share)
{
    unsigned parts = (unsigned)(share * 10000 + 0.5);
    kin_buf_printf(out, "%5u.%04u", parts / 10000, parts % 10000);
}

static void put_quality(struct kin_buf *out, double precision, double recall)
{
    put_share(out, precision);
    put_share(out, recall);
    put_share(out, kin_f1(precision, recall));
    kin_buf_putc(out, '\n');
}

static void put_line(struct kin_buf *out, const char *what, uint64_t found, uint64_t in_truth,
                     uint64_t correct)
{
    kin_buf_printf(out, "%-16s%14llu%14llu%14llu", what, (unsigned long long)found,
                   (unsigned long long)in_truth, (unsigned long long)correct);
    put_quality(out, kin_ratio(correct, found), kin_ratio(correct, in_truth));
}

void kin_evaluation_print(const struct kin_evaluation *e, struct kin_buf *out)
{
    kin_buf_printf(out, "%-16s%14llu\n", "records", (unsigned long long)e->records);
    if (e->only_in_truth)
        kin_buf_printf(out, "%-16s%14llu\n", "only in truth", (unsigned long long)e->only_in_truth);
    if (e->only_in_result)
        kin_buf_printf(out, "%-16s%14llu\n", "only in result",
                       (unsigned long long)e->only_in_result);
    kin_buf_printf(out, "\n%-16s%14s%14s%14s%10s%10s%10s\n", "", "found", "true", "correct",
                   "precision", "recall", "F1");
    put_line(out, "pairs", e->pairs_found, e->pairs_true, e->pairs_correct);
    if (e->across_found || e->across_true)
        put_line(out, "across sources", e->across_found, e->across_true, e->across_correct);
    put_line(out, "groups of 2 +", e->groups_found, e->groups_true, e->groups_exact);
    kin_buf_printf(out, "%-16s%42s", "B-cubed", "");
    put_quality(out, e->bcubed_precision, e->bcubed_recall);
}
