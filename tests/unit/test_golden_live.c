/* The golden record of a group that is served: rows of several workers, each with columns numbered
 * in its own way, to the JSON of docs/gateway.md. */
#include "tests/unit/golden_kit.h"

#include "coordinator/live.h"

/* What one worker answers. */
struct answer {
    struct kin_batch_rows_builder builder;
    struct kin_str columns[COLUMNS + 1];
    size_t column_count;
    struct kin_buf bytes;
};

struct served {
    struct fixture *f;
    struct live *live;
    struct answer workers[2];
    const uint8_t *rows[ROWS_MAX];
    uint8_t section_of[ROWS_MAX];
    struct kin_batch_rows sections[KIN_WORKERS_MAX];
    struct live_fetched got;
    uint32_t members[ROWS_MAX];
    struct kin_buf out;
};

static int set_up_served(void **state)
{
    void *fixture;
    struct served *s = calloc(1, sizeof *s);
    assert_non_null(s);
    set_up(&fixture);
    s->f = fixture;
    s->live = calloc(1, sizeof *s->live);
    assert_non_null(s->live);
    s->live->workflow = &s->f->workflow;
    live_graph_init(&s->live->graph, &s->f->workflow);
    s->got = (struct live_fetched){
        .rows = s->rows, .sections = s->sections, .section_of = s->section_of};
    *state = s;
    return 0;
}

static int tear_down_served(void **state)
{
    struct served *s = *state;
    void *fixture = s->f;
    for (unsigned w = 0; w < 2; w++) {
        kin_buf_deinit(&s->workers[w].builder.rows);
        kin_buf_deinit(&s->workers[w].bytes);
    }
    live_graph_deinit(&s->live->graph);
    kin_buf_deinit(&s->out);
    free(s->live);
    free(s);
    return tear_down(&fixture);
}

static uint16_t column_of(struct answer *a, const char *name)
{
    size_t i = 0;
    while (i < a->column_count && !kin_str_eq(a->columns[i], kin_str_of(name)))
        i++;
    assert_true(i < COLUMNS + 1);
    a->columns[i] = kin_str_of(name);
    a->column_count += i == a->column_count;
    return (uint16_t)i;
}

/* A record in the order of (source, id), whose row worker w has. cells: name, value, ..., NULL. */
static void add(struct served *s, unsigned w, uint16_t source, const char *id, int64_t updated,
                const char *const *cells)
{
    size_t i = s->got.count++;
    struct answer *a = &s->workers[w];
    s->members[i] = s->live->graph.count;
    assert_int_equal(live_graph_add(&s->live->graph, source, kin_str_of(id), updated, (uint8_t)w),
                     KIN_OK);
    s->section_of[i] = (uint8_t)w;
    kin_batch_rows_begin_row(&a->builder, (uint32_t)i, updated, source, kin_str_of(id));
    for (; *cells; cells += 2)
        kin_batch_rows_cell(&a->builder, column_of(a, cells[0]), kin_str_of(cells[1]));
    kin_batch_rows_end_row(&a->builder);
}
#define CELLS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void open_answers(struct served *s)
{
    for (unsigned w = 0; w < 2; w++) {
        struct answer *a = &s->workers[w];
        kin_batch_rows_finish(&a->builder, a->columns, a->column_count, &a->bytes);
        assert_true(kin_batch_rows_open(a->bytes.p, a->bytes.n, &s->sections[w]));
        const uint8_t *at = s->sections[w].rows;
        for (uint32_t i = 0; i < s->sections[w].row_count; i++, at += kin_le32(at))
            s->rows[kin_batch_row_number(at)] = at;
    }
}

static const char *json(struct served *s)
{
    kin_buf_clear(&s->out);
    kin_buf_puts(&s->out, "before:");
    assert_int_equal(live_golden(s->live, s->members, &s->got, &s->out), KIN_OK);
    kin_buf_putc(&s->out, '\0');
    assert_memory_equal(s->out.p, "before:", 7);
    return (const char *)s->out.p + 7;
}

/* Three records at two workers. */
static void add_people(struct served *s)
{
    add(s, 0, 0, "c17", 5, CELLS("note", "sees \"x\"", "name", "Ann", "mobile", "07700 900123"));
    add(s, 1, 0, "c18", 9, CELLS("name", "ANN", "note", "n", "size", "L"));
    add(s, 0, 1, "9", 7, CELLS("full_name", "Anne", "dob", "1990-01-02", "name", "nothing here"));
    open_answers(s);
}

static void values_tell_their_records_and_what_they_won_over(void **state)
{
    struct served *s = *state;
    add_people(s);
    all_slots(s->f, KIN_GOLDEN_MOST_FREQUENT);
    assert_string_equal(json(s),
                        "{\"name\":{\"value\":\"Ann\",\"source\":\"crm\",\"id\":\"c17\","
                        "\"lost\":[{\"value\":\"Anne\",\"source\":\"web\",\"id\":\"9\"}]},"
                        "\"dob\":{\"value\":\"1990-01-02\",\"source\":\"web\",\"id\":\"9\"},"
                        "\"phone\":{\"value\":\"07700 900123\",\"source\":\"crm\",\"id\":\"c17\"},"
                        "\"note\":{\"value\":\"sees \\\"x\\\"\",\"source\":\"crm\",\"id\":\"c17\","
                        "\"lost\":[{\"value\":\"n\",\"source\":\"crm\",\"id\":\"c18\"}]},"
                        "\"size_2\":{\"value\":\"L\",\"source\":\"crm\",\"id\":\"c18\"}}");
    all_slots(s->f, KIN_GOLDEN_MOST_RECENT);
    s->f->golden[NAME] = KIN_GOLDEN_ALL;
    assert_string_equal(
        json(s), "{\"name\":{\"value\":\"Ann; Anne\",\"source\":\"crm\",\"id\":\"c17\"},"
                 "\"dob\":{\"value\":\"1990-01-02\",\"source\":\"web\",\"id\":\"9\"},"
                 "\"phone\":{\"value\":\"07700 900123\",\"source\":\"crm\",\"id\":\"c17\"},"
                 "\"note\":{\"value\":\"n\",\"source\":\"crm\",\"id\":\"c18\","
                 "\"lost\":[{\"value\":\"sees \\\"x\\\"\",\"source\":\"crm\",\"id\":\"c17\"}]},"
                 "\"size_2\":{\"value\":\"L\",\"source\":\"crm\",\"id\":\"c18\"}}");
}

static void a_record_whose_row_is_away_is_left_out_of_account(void **state)
{
    struct served *s = *state;
    add_people(s);
    all_slots(s->f, KIN_GOLDEN_FIRST);
    s->rows[0] = NULL;
    assert_string_equal(json(s),
                        "{\"name\":{\"value\":\"ANN\",\"source\":\"crm\",\"id\":\"c18\","
                        "\"lost\":[{\"value\":\"Anne\",\"source\":\"web\",\"id\":\"9\"}]},"
                        "\"dob\":{\"value\":\"1990-01-02\",\"source\":\"web\",\"id\":\"9\"},"
                        "\"note\":{\"value\":\"n\",\"source\":\"crm\",\"id\":\"c18\"},"
                        "\"size_2\":{\"value\":\"L\",\"source\":\"crm\",\"id\":\"c18\"}}");
    s->rows[1] = NULL; /* a whole worker: its columns are not asked for */
    s->sections[1] = (struct kin_batch_rows){0};
    assert_string_equal(json(s), "{\"name\":{\"value\":\"Anne\",\"source\":\"web\",\"id\":\"9\"},"
                                 "\"dob\":{\"value\":\"1990-01-02\",\"source\":\"web\","
                                 "\"id\":\"9\"}}");
    s->rows[2] = NULL;
    assert_string_equal(json(s), "{}");
}

static void records_without_cells_have_an_empty_golden_record(void **state)
{
    struct served *s = *state;
    add(s, 0, 0, "a", INT64_MIN, (const char *const[]){NULL});
    add(s, 1, 1, "b", INT64_MIN, (const char *const[]){NULL});
    open_answers(s);
    assert_string_equal(json(s), "{}");
}

static void a_row_of_another_record_is_refused(void **state)
{
    struct served *s = *state;
    add_people(s);
    uint32_t swapped = s->members[0];
    s->members[0] = s->members[1];
    assert_int_equal(live_golden(s->live, s->members, &s->got, &s->out), KIN_E_PROTO);
    s->members[0] = swapped;
    s->live->graph.records[s->members[2]].source = 0;
    assert_int_equal(live_golden(s->live, s->members, &s->got, &s->out), KIN_E_PROTO);
    assert_int_equal(s->out.n, 0);
}

static void every_failed_allocation_is_reported(void **state)
{
    struct served *s = *state;
    add_people(s);
    all_slots(s->f, KIN_GOLDEN_ALL);
    bool done = false;
    for (size_t n = 0; !done; n++) {
        assert_true(n < 300);
        struct kin_buf out = {0};
        kin_alloc_fail_after(n);
        kin_status status = live_golden(s->live, s->members, &s->got, &out);
        kin_alloc_fail_after(SIZE_MAX);
        done = status == KIN_OK;
        assert_true(done || (status == KIN_E_NOMEM && (out.failed || out.n == 0)));
        kin_buf_deinit(&out);
    }
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(values_tell_their_records_and_what_they_won_over),
        SERVED(a_record_whose_row_is_away_is_left_out_of_account),
        SERVED(records_without_cells_have_an_empty_golden_record),
        SERVED(a_row_of_another_record_is_refused),
        SERVED(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
