/* The three files: rows to numbers, and every mistake with its file and line. */
#include "client/evaluate_impl.h"

#include <string.h>

enum {
    CHUNK_BYTES = 1 << 20,
    RECORD_BYTES_MAX = 16 << 20,
    FIELD_BYTES_MAX = 1 << 20,
    WANTED_MAX = 6 + KIN_EVALUATE_THRESHOLDS_MAX,
    SHOWN_BYTES = 100 /* of a value in a message */
};

static const struct kin_reader_options reader_options = {.format = KIN_FORMAT_CSV,
                                                         .chunk_bytes = CHUNK_BYTES,
                                                         .max_record_bytes = RECORD_BYTES_MAX,
                                                         .max_field_bytes = FIELD_BYTES_MAX};

/* ---- a table: a CSV file and the columns that are wanted of it ---- */

struct wanted {
    const char *name;
    uint32_t column;    /* EVALUATE_NOBODY: there is none */
    bool may_be_absent; /* the column */
    bool may_be_empty;  /* its cells */
};

struct table {
    const char *name;
    struct kin_cutter *cutter;
    struct wanted wanted[WANTED_MAX];
    size_t count;
    struct kin_str cells[WANTED_MAX]; /* of the row at hand; empty where there is none */
    uint64_t line;
};

/* "FILE: line N: what'value'why" */
static kin_status complain(const struct table *t, struct kin_err *err, const char *what,
                           struct kin_str value, const char *why)
{
    return kin_err_set(
        err, KIN_E_SYNTAX, "%s: line %llu: %s'%.*s'%s", t->name, (unsigned long long)t->line, what,
        value.n < SHOWN_BYTES ? (int)value.n : SHOWN_BYTES, value.p ? value.p : "", why);
}

static uint32_t column_of(const struct kin_header *header, const char *name)
{
    for (size_t i = 0; i < header->count; i++) {
        if (kin_str_eq(header->names[i], kin_str_of(name)))
            return (uint32_t)i;
    }
    return EVALUATE_NOBODY;
}

/* `wanted` are the first `count` columns that the rows will be asked for. */
static kin_status table_open(struct table *t, const struct kin_evaluate_file *file,
                             const struct wanted *wanted, size_t count, struct kin_err *err)
{
    *t = (struct table){.name = file->name, .count = count, .line = 1};
    kin_status status = kin_cutter_open(&reader_options, file->bytes, &t->cutter, err);
    if (status != KIN_OK)
        return kin_err_wrap(err, status, "%s", file->name);
    for (size_t i = 0; i < count; i++) {
        t->wanted[i] = wanted[i];
        t->wanted[i].column = column_of(kin_cutter_header(t->cutter), wanted[i].name);
        if (t->wanted[i].column == EVALUATE_NOBODY && !wanted[i].may_be_absent)
            return complain(t, err, "there is no column ", kin_str_of(wanted[i].name), "");
    }
    return KIN_OK;
}

/* Each wanted cell must have a value, unless it may be empty. */
static kin_status take_cells(struct table *t, const struct kin_row *row, struct kin_err *err)
{
    t->line = row->line;
    if (row->reason)
        return kin_err_set(err, KIN_E_SYNTAX, "%s: line %llu: %s", t->name,
                           (unsigned long long)t->line, row->reason);
    memset(t->cells, 0, t->count * sizeof *t->cells);
    for (size_t i = 0; i < row->count; i++) {
        for (size_t k = 0; k < t->count; k++) {
            if (t->wanted[k].column == row->cells[i].column)
                t->cells[k] = row->cells[i].value;
        }
    }
    for (size_t k = 0; k < t->count; k++) {
        const struct wanted *w = &t->wanted[k];
        if (t->cells[k].n == 0 && !w->may_be_empty && w->column != EVALUATE_NOBODY)
            return complain(t, err, "", kin_cutter_header(t->cutter)->names[w->column],
                            " is empty");
    }
    return KIN_OK;
}

typedef kin_status (*take_row)(void *arg, const struct table *t, struct kin_err *err);

static kin_status read_chunk(struct table *t, struct kin_rows *rows, take_row take, void *arg,
                             struct kin_err *err)
{
    struct kin_chunk chunk;
    struct kin_row row;
    kin_status status = kin_cutter_next(t->cutter, &chunk, err);
    if (status != KIN_OK)
        return status == KIN_E_EOF ? status : kin_err_wrap(err, status, "%s", t->name);
    kin_rows_begin(rows, kin_cutter_header(t->cutter), &chunk);
    while (status == KIN_OK && kin_rows_next(rows, &row)) {
        status = take_cells(t, &row, err);
        if (status == KIN_OK)
            status = take(arg, t, err);
    }
    if (status == KIN_OK && kin_rows_failed(rows))
        status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    kin_chunk_deinit(&chunk);
    return status;
}

static kin_status table_read(struct table *t, take_row take, void *arg, struct kin_err *err)
{
    struct kin_rows *rows = kin_rows_new(&reader_options);
    kin_status status = rows ? KIN_OK : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    while (status == KIN_OK)
        status = read_chunk(t, rows, take, arg, err);
    kin_rows_free(rows);
    return status == KIN_E_EOF ? KIN_OK : status;
}

/* ---- matches and truth ---- */

enum { SOURCE, ID, LABEL }; /* of both; then the other thresholds */
static const struct evaluate_key no_key = {0, 0};
static const char level_prefix[] = "match_id_";

static struct evaluate_key record_key(const struct evaluator *e, struct kin_str source,
                                      struct kin_str id)
{
    return evaluate_key_of(id, e->by_source ? evaluate_key_of(source, no_key) : no_key);
}

static kin_status add_name(struct evaluator *e, struct evaluate_names *x, struct kin_str text,
                           uint32_t *number, struct kin_err *err)
{
    bool added;
    return evaluate_names_add(x, evaluate_key_of(text, no_key), text, &e->texts, number, &added,
                              err);
}

/* The record of a row; a new one is in neither file yet. */
static kin_status add_record(struct evaluator *e, const struct table *t, uint32_t *record,
                             struct kin_err *err)
{
    bool added;
    kin_status status = evaluate_names_add(&e->ids, record_key(e, t->cells[SOURCE], t->cells[ID]),
                                           t->cells[ID], &e->texts, record, &added, err);
    if (status != KIN_OK)
        return status;
    if (*record >= e->record_cap) {
        size_t cap = e->record_cap ? e->record_cap * 2 : 512;
        struct evaluate_record *records = kin_reallocarray(e->records, cap, sizeof *records);
        if (records)
            e->records = records;
        uint32_t *group =
            records ? kin_reallocarray(e->group, cap, e->levels * sizeof *group) : NULL;
        if (!group)
            return kin_err_set(err, KIN_E_NOMEM, "out of memory");
        e->group = group;
        e->record_cap = cap;
    }
    if (added) {
        e->records[*record] = (struct evaluate_record){EVALUATE_NOBODY, EVALUATE_NOBODY};
        e->group[*record * e->levels] = EVALUATE_NOBODY;
    }
    return KIN_OK;
}

static kin_status repeated(const struct evaluator *e, const struct table *t, struct kin_err *err)
{
    return complain(t, err, "id ", t->cells[ID],
                    e->by_source ? " occurs twice in its source"
                                 : " occurs twice (truth has no column 'source')");
}

static kin_status take_match(void *arg, const struct table *t, struct kin_err *err)
{
    struct evaluator *e = arg;
    uint32_t record;
    kin_status status = add_record(e, t, &record, err);
    if (status != KIN_OK)
        return status;
    uint32_t *group = &e->group[record * e->levels];
    if (*group != EVALUATE_NOBODY)
        return repeated(e, t, err);
    status = add_name(e, &e->sources, t->cells[SOURCE], &e->records[record].source, err);
    for (size_t i = 0; i < e->levels && status == KIN_OK; i++)
        status = add_name(e, &e->groups, t->cells[LABEL + i], &group[i], err);
    return status;
}

static kin_status take_truth(void *arg, const struct table *t, struct kin_err *err)
{
    struct evaluator *e = arg;
    uint32_t record;
    kin_status status = add_record(e, t, &record, err);
    if (status != KIN_OK)
        return status;
    if (e->records[record].entity != EVALUATE_NOBODY)
        return repeated(e, t, err);
    if (e->options->complete && evaluate_group(e, record, 0) == EVALUATE_NOBODY)
        return complain(t, err, "record ", t->cells[ID], " is not in the result");
    return add_name(e, &e->entities, t->cells[LABEL], &e->records[record].entity, err);
}

/* The columns match_id_T join those that the table is asked for. */
static kin_status add_levels(struct evaluator *e, struct table *t, struct kin_err *err)
{
    const struct kin_header *header = kin_cutter_header(t->cutter);
    size_t prefix = sizeof level_prefix - 1;
    e->levels = 1;
    for (size_t i = 0; i < header->count; i++) {
        struct kin_str name = header->names[i];
        if (name.n <= prefix || memcmp(name.p, level_prefix, prefix) != 0)
            continue;
        if (e->levels == KIN_EVALUATE_THRESHOLDS_MAX)
            return complain(t, err, "too many thresholds at column ", name, "");
        struct kin_str label = {name.p + prefix, name.n - prefix};
        e->out->levels[e->levels++].threshold = evaluate_keep(e, label);
        t->wanted[t->count++] = (struct wanted){"", (uint32_t)i, false, false};
    }
    return e->failed ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}

kin_status evaluate_read_records(struct evaluator *e, struct kin_err *err)
{
    static const struct wanted of_matches[] = {
        {.name = "source"}, {.name = "id"}, {.name = "match_id"}};
    static const struct wanted of_truth[] = {
        {.name = "source", .may_be_absent = true}, {.name = "id"}, {.name = "entity"}};
    struct table matches = {0}, truth = {0};
    kin_status status = table_open(&truth, &e->options->truth, of_truth, 3, err);
    if (status == KIN_OK)
        status = table_open(&matches, &e->options->matches, of_matches, 3, err);
    if (status == KIN_OK) {
        e->by_source = truth.wanted[SOURCE].column != EVALUATE_NOBODY;
        status = add_levels(e, &matches, err);
    }
    if (status == KIN_OK)
        status = table_read(&matches, take_match, e, err);
    if (status == KIN_OK)
        status = table_read(&truth, take_truth, e, err);
    kin_cutter_close(matches.cutter);
    kin_cutter_close(truth.cutter);
    return status;
}

/* ---- pairs ---- */

enum { SOURCE_A, ID_A, SOURCE_B, ID_B, WEIGHT, RULE };

struct link_reader {
    const struct evaluator *e;
    evaluate_take_link take;
    void *arg;
};

/* "-12.345" in thousandths, further digits dropped; false: no such number, or above 10^9. */
static bool parse_milli(struct kin_str text, int64_t *out)
{
    size_t i = text.n && text.p[0] == '-', digits = 0;
    size_t decimals = 0;
    bool point = false;
    int64_t value = 0;
    bool negative = i == 1;
    for (; i < text.n; i++) {
        char c = text.p[i];
        if (c == '.' && !point && digits) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || value > INT64_C(1000000000000))
            return false;
        digits++;
        if (point && decimals == 3)
            continue;
        value = value * 10 + (c - '0');
        decimals += point;
    }
    for (; decimals < 3; decimals++)
        value *= 10;
    *out = negative ? -value : value;
    return digits > 0 && value <= INT64_C(1000000000000);
}

static kin_status find_record(const struct evaluator *e, const struct table *t, size_t source,
                              uint32_t *record, struct kin_err *err)
{
    struct kin_str name = t->cells[source], id = t->cells[source + 1];
    *record = evaluate_names_find(&e->ids, record_key(e, name, id));
    if (*record == EVALUATE_NOBODY || evaluate_group(e, *record, 0) == EVALUATE_NOBODY ||
        e->records[*record].source !=
            evaluate_names_find(&e->sources, evaluate_key_of(name, no_key)))
        return complain(t, err, "record ", id, " of that source is not in the result");
    return KIN_OK;
}

static kin_status take_link(void *arg, const struct table *t, struct kin_err *err)
{
    const struct link_reader *r = arg;
    struct evaluate_link link = {.certain = t->cells[WEIGHT].n == 0, .rule = t->cells[RULE]};
    kin_status status = find_record(r->e, t, SOURCE_A, &link.a, err);
    if (status == KIN_OK)
        status = find_record(r->e, t, SOURCE_B, &link.b, err);
    if (status != KIN_OK)
        return status;
    if (!link.certain && !parse_milli(t->cells[WEIGHT], &link.weight))
        return complain(t, err, "weight ", t->cells[WEIGHT], " is no number");
    if (link.a == link.b)
        return complain(t, err, "record ", t->cells[ID_A], " is paired with itself");
    if (evaluate_group(r->e, link.a, 0) != evaluate_group(r->e, link.b, 0))
        return complain(t, err, "record ", t->cells[ID_A],
                        " is in another group than its partner; are the files of one run?");
    return r->take(r->arg, &link, err);
}

kin_status evaluate_read_links(struct evaluator *e, evaluate_take_link take, void *arg,
                               struct kin_err *err)
{
    static const struct wanted wanted[] = {{.name = "source_a"},
                                           {.name = "id_a"},
                                           {.name = "source_b"},
                                           {.name = "id_b"},
                                           {.name = "weight", .may_be_empty = true},
                                           {.name = "match_rule"}};
    struct link_reader reader = {e, take, arg};
    struct table pairs = {0};
    kin_status status = table_open(&pairs, &e->options->pairs, wanted, 6, err);
    if (status == KIN_OK)
        status = table_read(&pairs, take_link, &reader, err);
    kin_cutter_close(pairs.cutter);
    return status;
}
