#include "coordinator/row_features.h"

#include "common/match/blocking.h"
#include "common/record/codes.h"

kin_status row_features_init(struct row_features *r, const struct kin_workflow *workflow,
                             const struct kin_workflow_source *source)
{
    size_t fields = workflow->schema.count;
    *r = (struct row_features){.workflow = workflow, .source = source, .id = -1, .updated = -1};
    r->norm = kin_norm_scratch_new();
    r->unparsable = kin_arena_calloc(&r->arena, fields + 1, sizeof *r->unparsable);
    r->field_columns = kin_arena_calloc(&r->arena, fields, sizeof *r->field_columns);
    if (!r->norm || !r->unparsable || !r->field_columns)
        return KIN_E_NOMEM;
    for (size_t f = 0; f < fields; f++) {
        size_t n = source->columns[f].count;
        r->field_columns[f] = kin_arena_alloc(&r->arena, (n + 1) * sizeof(int));
        if (!r->field_columns[f])
            return KIN_E_NOMEM;
        for (size_t k = 0; k < n; k++)
            r->field_columns[f][k] = -1;
    }
    return KIN_OK;
}

void row_features_again(struct row_features *r)
{
    r->known = 0;
    r->id = r->updated = -1;
    kin_buf_clear(&r->cell_of);
    for (size_t f = 0; f < r->workflow->schema.count; f++) {
        for (size_t k = 0; k < r->source->columns[f].count; k++)
            r->field_columns[f][k] = -1;
    }
}

void row_features_deinit(struct row_features *r)
{
    kin_norm_scratch_free(r->norm);
    kin_buf_deinit(&r->cell_of);
    kin_arena_deinit(&r->arena);
}

/* Looks at the columns that are new since the last row (CSV: all of them, once). */
static bool look_at_columns(struct row_features *r, const struct kin_rows *rows)
{
    size_t count;
    const struct kin_str *names = kin_rows_columns(rows, &count);
    for (; r->known < count; r->known++) {
        struct kin_str name = names[r->known];
        int index = (int)r->known;
        if (r->source->id && kin_str_eq(name, kin_str_of(r->source->id)))
            r->id = index;
        if (r->source->updated && kin_str_eq(name, kin_str_of(r->source->updated)))
            r->updated = index;
        for (size_t f = 0; f < r->workflow->schema.count; f++) {
            for (size_t k = 0; k < r->source->columns[f].count; k++) {
                if (kin_str_eq(name, kin_str_of(r->source->columns[f].names[k])))
                    r->field_columns[f][k] = index;
            }
        }
        kin_buf_u32(&r->cell_of, 0);
    }
    return !r->cell_of.failed;
}

static uint32_t *cell_of(struct row_features *r, uint32_t column)
{
    return (uint32_t *)(void *)r->cell_of.p + column;
}

bool row_features_begin(struct row_features *r, const struct kin_rows *rows,
                        const struct kin_row *row)
{
    if (!look_at_columns(r, rows))
        return false;
    for (size_t i = row->count; i-- > 0;)
        *cell_of(r, row->cells[i].column) = (uint32_t)i + 1;
    return true;
}

void row_features_end(struct row_features *r, const struct kin_row *row)
{
    for (size_t i = 0; i < row->count; i++)
        *cell_of(r, row->cells[i].column) = 0;
}

struct kin_str row_features_cell(struct row_features *r, const struct kin_row *row, int column)
{
    uint32_t at = column < 0 ? 0 : *cell_of(r, (uint32_t)column);
    return at ? row->cells[at - 1].value : (struct kin_str){NULL, 0};
}

struct kin_str row_features_id(struct row_features *r, const struct kin_row *row)
{
    return kin_str_trimmed(row_features_cell(r, row, r->id));
}

int64_t row_features_updated(struct row_features *r, const struct kin_row *row)
{
    int64_t updated;
    if (r->updated < 0 || !kin_parse_timestamp(row_features_cell(r, row, r->updated), &updated))
        return INT64_MIN;
    return updated;
}

struct filling {
    struct kin_features_builder *builder;
    unsigned field;
    bool begun;
};

static void add_value(struct row_features *r, struct filling *to, struct kin_str raw)
{
    struct kin_norm_value value;
    const struct kin_field *def = &r->workflow->fields[to->field];
    enum kin_norm norm = kin_normalise(r->norm, def, raw, &value);
    r->unparsable[to->field] += norm == KIN_NORM_BAD;
    if (norm != KIN_NORM_VALUE)
        return;
    if (!to->begun)
        kin_features_field(to->builder, to->field);
    to->begun = true;
    kin_features_value(to->builder, value.p, value.bytes, value.ascii);
}

/* All values of one field, normalised, into the builder. */
static void add_field(struct row_features *r, struct kin_features_builder *b,
                      const struct kin_row *row, unsigned field)
{
    struct filling to = {b, field, false};
    const struct kin_field *def = &r->workflow->fields[field];
    for (size_t k = 0; k < r->source->columns[field].count; k++) {
        int column = r->field_columns[field][k];
        uint32_t at = column < 0 ? 0 : *cell_of(r, (uint32_t)column);
        /* the cells of an array follow one another */
        for (; at && at <= row->count && row->cells[at - 1].column == (uint32_t)column; at++) {
            struct kin_str cell = row->cells[at - 1].value, code;
            if (!def->codes)
                add_value(r, &to, cell);
            for (size_t from = 0; def->codes && kin_code_next(cell, &from, &code);)
                add_value(r, &to, code);
        }
    }
}

kin_status row_features_build(struct row_features *r, const struct kin_row *row, uint32_t rel,
                              uint16_t source, struct kin_str id, struct kin_buf *to,
                              uint64_t *keys, size_t *key_count)
{
    const struct kin_workflow *w = r->workflow;
    struct kin_features_builder b;
    uint64_t excess = 0;
    *key_count = 0;
    kin_features_begin(&b, to, (unsigned)w->schema.count, rel, source, id);
    for (unsigned f = 0; f < w->schema.count; f++)
        add_field(r, &b, row, f);
    const uint8_t *rec = kin_features_peek(&b);
    if (rec)
        *key_count =
            kin_blocking_keys(w->keys, w->key_count, rec, w->limits.max_keys, keys, &excess);
    kin_status status = kin_features_end(&b, keys, *key_count);
    if (status == KIN_OK)
        r->excess += excess;
    return status;
}
