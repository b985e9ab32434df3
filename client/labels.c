#include "client/labels.h"

#include "client/profile_file.h"

enum column { SOURCE_A, ID_A, SOURCE_B, ID_B, LABEL, ENTITY, COLUMNS };
static const uint32_t nowhere = UINT32_MAX;

struct reading {
    const char *path;
    struct kin_labels *out;
    struct kin_buf items; /* struct kin_label */
    uint32_t at[COLUMNS];
    const char *name[COLUMNS]; /* as the header has it */
    struct kin_err *err;
};

static uint32_t find_column(const struct kin_header *header, const char *name)
{
    for (size_t i = 0; i < header->count; i++) {
        if (kin_str_eq(header->names[i], kin_str_of(name)))
            return (uint32_t)i;
    }
    return nowhere;
}

static void set_column(struct reading *r, const struct kin_header *header, enum column column,
                       const char *name)
{
    r->at[column] = find_column(header, name);
    r->name[column] = name;
}

static kin_status check_columns(struct reading *r, const struct kin_header *header)
{
    for (unsigned c = 0; c < COLUMNS; c++)
        r->at[c] = nowhere;
    if (header->count == 0)
        return kin_err_set(r->err, KIN_E_SYNTAX, "%s: labels are read from CSV files", r->path);
    set_column(r, header, ENTITY, "entity");
    r->out->clusters = r->at[ENTITY] != nowhere;
    if (r->out->clusters) {
        set_column(r, header, SOURCE_A, "source");
        set_column(r, header, ID_A, "id");
    } else {
        set_column(r, header, SOURCE_A, "source_a");
        set_column(r, header, ID_A, "id_a");
        set_column(r, header, SOURCE_B, "source_b");
        set_column(r, header, ID_B, "id_b");
        set_column(r, header, LABEL, "label");
    }
    for (unsigned c = 0; c < COLUMNS; c++) {
        bool needed = c != SOURCE_A && c != SOURCE_B &&
                      (r->out->clusters ? c == ID_A || c == ENTITY : c != ENTITY);
        if (needed && r->at[c] == nowhere)
            return kin_err_set(r->err, KIN_E_SYNTAX,
                               "%s: line 1: there is no column '%s'; expected id, entity, or id_a, "
                               "id_b, label",
                               r->path, r->name[c]);
    }
    return KIN_OK;
}

static kin_status take_row(struct reading *r, const struct kin_row *row)
{
    struct kin_str cells[COLUMNS] = {{NULL, 0}};
    unsigned long long line = row->line;
    if (row->reason)
        return kin_err_set(r->err, KIN_E_SYNTAX, "%s: line %llu: %s", r->path, line, row->reason);
    for (size_t i = 0; i < row->count; i++) {
        for (unsigned c = 0; c < COLUMNS; c++) {
            if (row->cells[i].column == r->at[c])
                cells[c] = row->cells[i].value;
        }
    }
    for (unsigned c = 0; c < COLUMNS; c++) {
        if (r->at[c] == nowhere)
            continue;
        if (cells[c].n == 0)
            return kin_err_set(r->err, KIN_E_SYNTAX, "%s: line %llu: '%s' is empty", r->path, line,
                               r->name[c]);
        cells[c].p = kin_arena_strndup(&r->out->arena, cells[c].p, cells[c].n);
        if (!cells[c].p)
            return kin_err_set(r->err, KIN_E_NOMEM, "out of memory");
    }
    struct kin_label item = {.line = row->line,
                             .source_a = cells[SOURCE_A],
                             .id_a = cells[ID_A],
                             .source_b = cells[SOURCE_B],
                             .id_b = cells[ID_B],
                             .entity = cells[ENTITY],
                             .match = kin_str_eq(cells[LABEL], KIN_STR("1"))};
    if (!r->out->clusters && !item.match && !kin_str_eq(cells[LABEL], KIN_STR("0")))
        return kin_err_set(r->err, KIN_E_SYNTAX, "%s: line %llu: label is '%.*s'; expected 0 or 1",
                           r->path, line, cells[LABEL].n < 40 ? (int)cells[LABEL].n : 40,
                           cells[LABEL].p);
    kin_buf_put(&r->items, &item, sizeof item);
    return r->items.failed ? kin_err_set(r->err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}

static kin_status read_rows(struct reading *r, struct kin_profile_input *in)
{
    kin_status status = KIN_OK;
    while (status == KIN_OK) {
        struct kin_row row;
        status = kin_profile_input_next(in, r->err);
        while (status == KIN_OK && kin_rows_next(in->rows, &row))
            status = take_row(r, &row);
        if (status == KIN_OK && kin_rows_failed(in->rows))
            status = kin_err_set(r->err, KIN_E_NOMEM, "out of memory");
    }
    return status == KIN_E_EOF ? KIN_OK : status;
}

kin_status kin_labels_read(const char *path, struct kin_labels *out, struct kin_err *err)
{
    struct reading r = {.path = path, .out = out, .err = err};
    struct kin_profile_input in;
    *out = (struct kin_labels){0};
    kin_status status = kin_profile_input_open(&in, path, err);
    if (status == KIN_OK)
        status = check_columns(&r, kin_cutter_header(in.cutter));
    if (status == KIN_OK)
        status = read_rows(&r, &in);
    kin_profile_input_deinit(&in);
    out->items = (struct kin_label *)(void *)r.items.p;
    out->count = r.items.n / sizeof *out->items;
    if (status == KIN_OK && out->count == 0)
        status = kin_err_set(err, KIN_E_SYNTAX, "%s: there are no labels in it", path);
    if (status != KIN_OK)
        kin_labels_deinit(out);
    return status;
}

void kin_labels_deinit(struct kin_labels *l)
{
    kin_free(l->items);
    kin_arena_deinit(&l->arena);
    *l = (struct kin_labels){0};
}
