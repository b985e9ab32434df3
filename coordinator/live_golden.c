#include "coordinator/live.h"

/* The golden record of a MatchGroup when it is asked for: made of the rows as the workers have them
 * at that moment, with the record that each value comes from and the values that it won over. */

struct members {
    struct kin_arena arena;
    /* Each worker numbers the columns of its rows itself: here are those of one behind the other,
     * and a name may come several times. */
    struct kin_str *columns;
    size_t column_count;
    uint32_t first[KIN_WORKERS_MAX]; /* where a worker's columns begin, if any row is from there */
    struct kin_golden_member *members;
    uint32_t *records; /* their numbers */
    size_t count;
};

static kin_status read_columns(struct members *m, const struct live_fetched *got)
{
    bool used[KIN_WORKERS_MAX] = {false};
    for (size_t i = 0; i < got->count; i++) {
        unsigned w = got->section_of[i];
        if (!got->rows[i] || used[w])
            continue;
        used[w] = true;
        m->first[w] = (uint32_t)m->column_count;
        m->column_count += got->sections[w].column_count;
    }
    m->columns = kin_arena_calloc(&m->arena, m->column_count, sizeof *m->columns);
    if (!m->columns)
        return KIN_E_NOMEM;
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++) {
        if (used[w])
            kin_batch_rows_columns(&got->sections[w], m->columns + m->first[w]);
    }
    return KIN_OK;
}

/* A row is from the wire: its form was checked, but not whose it is. */
static bool is_of(const struct live *live, uint32_t record, const struct kin_batch_row *row)
{
    return row->source == live->graph.records[record].source &&
           kin_str_eq(row->id, live_graph_id(&live->graph, record));
}

static kin_status read_members(struct members *m, const struct live *live, const uint32_t *numbers,
                               const struct live_fetched *got)
{
    m->members = kin_arena_calloc(&m->arena, got->count, sizeof *m->members);
    m->records = kin_arena_calloc(&m->arena, got->count, sizeof *m->records);
    if (!m->members || !m->records)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < got->count; i++) {
        if (!got->rows[i])
            continue;
        struct kin_batch_row row = kin_batch_row_read(got->rows[i]);
        if (!is_of(live, numbers[i], &row))
            return KIN_E_PROTO;
        struct kin_golden_cell *cells = kin_arena_calloc(&m->arena, row.cell_count, sizeof *cells);
        if (!cells)
            return KIN_E_NOMEM;
        const uint8_t *at = row.cells;
        for (uint32_t c = 0; c < row.cell_count; c++) {
            uint16_t column;
            cells[c].value = kin_batch_cell_next(&at, &column);
            cells[c].column = m->first[got->section_of[i]] + column;
        }
        m->records[m->count] = numbers[i];
        m->members[m->count++] =
            (struct kin_golden_member){row.source, row.id, row.updated, cells, row.cell_count};
    }
    return KIN_OK;
}

static void put_value(const struct live *live, struct kin_str value, uint32_t record,
                      struct kin_buf *out)
{
    kin_buf_puts(out, "{\"value\":");
    kin_json_string(out, value);
    kin_buf_putc(out, ',');
    live_json_record(live, record, out);
}

static void put_slot(const struct live *live, const struct members *m,
                     const struct kin_golden_slot *slot, struct kin_buf *out)
{
    kin_json_string(out, slot->name);
    kin_buf_putc(out, ':');
    put_value(live, slot->value, m->records[slot->members[0]], out);
    for (size_t i = 0; i < slot->lost_count; i++) {
        kin_buf_puts(out, i ? "," : ",\"lost\":[");
        put_value(live, slot->lost[i].value, m->records[slot->lost[i].member], out);
        kin_buf_putc(out, '}');
    }
    kin_buf_puts(out, slot->lost_count ? "]}" : "}");
}

static kin_status trace(struct members *m, const struct live *live, struct kin_buf *out)
{
    struct kin_golden_plan *plan = NULL;
    struct kin_golden_slot *slots = NULL;
    size_t slot_count = 0;
    struct kin_norm_scratch *norm = kin_norm_scratch_new();
    kin_status status =
        norm ? kin_golden_plan_new(live->workflow, m->columns, m->column_count, &plan)
             : KIN_E_NOMEM;
    if (status == KIN_OK && m->count)
        status = kin_golden_trace(plan, norm, &m->arena, m->members, m->count, &slots, &slot_count);
    if (status == KIN_OK) {
        bool first = true;
        kin_buf_putc(out, '{');
        for (size_t s = 0; s < slot_count; s++) {
            if (!slots[s].member_count)
                continue;
            if (!first)
                kin_buf_putc(out, ',');
            put_slot(live, m, &slots[s], out);
            first = false;
        }
        kin_buf_putc(out, '}');
        if (out->failed)
            status = KIN_E_NOMEM;
    }
    kin_golden_plan_free(plan);
    kin_norm_scratch_free(norm);
    return status;
}

kin_status live_golden(const struct live *live, const uint32_t *members,
                       const struct live_fetched *got, struct kin_buf *out)
{
    struct members m = {0};
    kin_status status = read_columns(&m, got);
    if (status == KIN_OK)
        status = read_members(&m, live, members, got);
    if (status == KIN_OK)
        status = trace(&m, live, out);
    kin_arena_deinit(&m.arena);
    return status;
}
