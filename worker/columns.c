#include "worker/impl.h"

/* The columns of one answer made of rows of several batches, each of which has its own table of
 * columns: names met so far, and each batch's columns mapped to them. */

struct batch_columns {
    uint16_t *to;
    bool same; /* every column has the number that it has in the answer */
};

kin_status worker_columns_init(struct worker_columns *c, uint64_t batches)
{
    *c = (struct worker_columns){0};
    c->of_batch = kin_calloc(batches + 1, sizeof *c->of_batch);
    return c->of_batch ? KIN_OK : KIN_E_NOMEM;
}

void worker_columns_deinit(struct worker_columns *c)
{
    for (size_t i = 0; i < c->met.n; i += 4)
        kin_free(c->of_batch[kin_le32(c->met.p + i)].to);
    kin_buf_deinit(&c->met);
    kin_free(c->of_batch);
    kin_free(c->names);
}

static bool column_index(struct worker_columns *c, struct kin_str name, uint16_t *out)
{
    size_t i = 0;
    while (i < c->count && !kin_str_eq(c->names[i], name))
        i++;
    if (i == c->count) {
        if (c->count == c->cap) {
            size_t cap = c->cap ? 2 * c->cap : 32;
            if (c->count > UINT16_MAX)
                return false; /* more than the coordinator lets into a job */
            struct kin_str *names = kin_reallocarray(c->names, cap, sizeof *names);
            if (!names)
                return false;
            c->names = names;
            c->cap = cap;
        }
        c->names[c->count++] = name;
    }
    *out = (uint16_t)i;
    return true;
}

static const struct batch_columns *map_batch(struct worker_columns *c, uint32_t batch,
                                             const uint8_t *section)
{
    if (c->of_batch[batch].to)
        return &c->of_batch[batch];
    struct kin_batch_rows rows = kin_batch_rows_trusted(section);
    struct kin_str *names = kin_reallocarray(NULL, rows.column_count, sizeof *names);
    uint16_t *indices = kin_reallocarray(NULL, rows.column_count, sizeof *indices);
    bool ok = names && indices, same = true;
    if (ok)
        kin_batch_rows_columns(&rows, names);
    for (uint32_t i = 0; ok && i < rows.column_count; i++) {
        ok = column_index(c, names[i], &indices[i]);
        same &= indices[i] == i;
    }
    kin_free(names);
    kin_buf_u32(&c->met, batch);
    if (!ok || c->met.failed) {
        kin_free(indices);
        return NULL;
    }
    c->of_batch[batch] = (struct batch_columns){indices, same};
    return &c->of_batch[batch];
}

kin_status worker_columns_copy(struct worker_columns *c, struct kin_batch_rows_builder *out,
                               struct worker_row from, uint32_t number)
{
    const struct batch_columns *columns = map_batch(c, from.batch, from.section);
    if (!columns)
        return KIN_E_NOMEM;
    if (columns->same) {
        kin_batch_rows_copy(out, from.row, number);
        return KIN_OK;
    }
    struct kin_batch_row row = kin_batch_row_read(from.row);
    const uint8_t *at = row.cells;
    kin_batch_rows_begin_row(out, number, row.updated, row.source, row.id);
    for (uint32_t i = 0; i < row.cell_count; i++) {
        uint16_t column;
        struct kin_str value = kin_batch_cell_next(&at, &column);
        kin_batch_rows_cell(out, columns->to[column], value);
    }
    kin_batch_rows_end_row(out);
    return KIN_OK;
}
