#include "client/live_rows.h"

kin_status kin_served_rows_open(struct kin_served_rows *r, const char *path, struct kin_err *err)
{
    *r = (struct kin_served_rows){.open = true};
    return kin_profile_input_open(&r->in, path, err);
}

void kin_served_rows_deinit(struct kin_served_rows *r)
{
    if (r->open)
        kin_profile_input_deinit(&r->in);
    kin_buf_deinit(&r->object);
    kin_buf_deinit(&r->csv);
    *r = (struct kin_served_rows){0};
}

void kin_served_put_member(struct kin_buf *object, struct kin_str name, struct kin_str value)
{
    kin_buf_putc(object, object->n > 1 ? ',' : '{');
    kin_json_string(object, name);
    kin_buf_putc(object, ':');
    kin_json_string(object, value);
}

/* Cells of one column follow one another. */
static void make_object(struct kin_served_rows *r, const struct kin_row *row)
{
    size_t count;
    const struct kin_str *columns = kin_rows_columns(r->in.rows, &count);
    kin_buf_clear(&r->object);
    kin_buf_putc(&r->object, '{');
    for (size_t i = 0; i < row->count;) {
        uint32_t column = row->cells[i].column;
        size_t end = i + 1;
        while (end < row->count && row->cells[end].column == column)
            end++;
        kin_buf_puts(&r->object, i ? "," : "");
        kin_json_string(&r->object, columns[column]);
        kin_buf_puts(&r->object, end - i > 1 ? ":[" : ":");
        for (size_t k = i; k < end; k++) {
            kin_buf_puts(&r->object, k > i ? "," : "");
            kin_json_string(&r->object, row->cells[k].value);
        }
        kin_buf_puts(&r->object, end - i > 1 ? "]" : "");
        i = end;
    }
}

static void make_csv(struct kin_served_rows *r, const struct kin_row *row)
{
    size_t count, cell = 0;
    kin_rows_columns(r->in.rows, &count);
    kin_buf_clear(&r->csv);
    for (uint32_t column = 0; column < count; column++) {
        kin_buf_puts(&r->csv, column ? "," : "");
        if (cell < row->count && row->cells[cell].column == column)
            kin_csv_cell(&r->csv, row->cells[cell++].value);
    }
}

kin_status kin_served_rows_next(struct kin_served_rows *r, struct kin_row *row, struct kin_err *err)
{
    for (;;) {
        if (r->in_chunk && kin_rows_next(r->in.rows, row)) {
            if (row->reason)
                return KIN_OK;
            make_object(r, row);
            if (r->as_csv)
                make_csv(r, row);
            return r->object.failed || r->csv.failed
                       ? kin_err_set(err, KIN_E_NOMEM, "out of memory")
                       : KIN_OK;
        }
        if (r->in_chunk && kin_rows_failed(r->in.rows))
            return kin_err_set(err, KIN_E_NOMEM, "out of memory");
        kin_status status = kin_profile_input_next(&r->in, err);
        if (status != KIN_OK)
            return status;
        r->in_chunk = true;
    }
}

struct kin_str kin_served_rows_value(const struct kin_served_rows *r, const struct kin_row *row,
                                     struct kin_str column)
{
    size_t count;
    const struct kin_str *columns = kin_rows_columns(r->in.rows, &count);
    for (size_t i = 0; i < row->count; i++) {
        if (kin_str_eq(columns[row->cells[i].column], column))
            return row->cells[i].value;
    }
    return (struct kin_str){"", 0};
}
