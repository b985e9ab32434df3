#ifndef KIN_TESTS_UNIT_GOLDEN_KIT_H
#define KIN_TESTS_UNIT_GOLDEN_KIT_H
/* What the tests of golden records share: a workflow of two sources, and groups of a few rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/group/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two sources that name their columns differently. Column 5 is the id of one of them, 6 and 7 are
 * carried. */
enum { NAME, DOB, PHONE, SCORE, FIELDS };
enum { C_NAME, C_DOB, C_MOBILE, C_LANDLINE, C_SCORE, C_ID, C_NOTE, C_COLOUR, C_FULL_NAME, COLUMNS };

static const struct kin_str column_names[COLUMNS] = {
    {"name", 4}, {"dob", 3},  {"mobile", 6}, {"landline", 8},  {"score", 5},
    {"id", 2},   {"note", 4}, {"colour", 6}, {"full_name", 9},
};

struct fixture {
    struct kin_field fields[FIELDS];
    enum kin_golden golden[FIELDS];
    struct kin_workflow_source sources[2];
    struct kin_workflow workflow;
    struct kin_golden_plan *plan;
    struct kin_norm_scratch *norm;
    struct kin_arena arena;
    struct kin_buf out;
};

static const char *const name_column[] = {"name"}, *const full_name_column[] = {"full_name"};
static const char *const dob_column[] = {"dob"}, *const score_column[] = {"score"};
static const char *const phone_columns[] = {"mobile", "landline", "mobile"}; /* counts once */
static const struct kin_workflow_columns crm_columns[FIELDS] = {
    {name_column, 1}, {dob_column, 1}, {phone_columns, 3}, {score_column, 1}};
static const struct kin_workflow_columns web_columns[FIELDS] = {
    {full_name_column, 1}, {dob_column, 1}, {phone_columns, 3}, {score_column, 1}};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->fields[NAME] = (struct kin_field){.name = "name", .type = KIN_TYPE_NAME};
    f->fields[DOB] = (struct kin_field){.name = "dob", .type = KIN_TYPE_DATE};
    f->fields[PHONE] = (struct kin_field){.name = "phone", .type = KIN_TYPE_PHONE, .country = "GB"};
    f->fields[SCORE] = (struct kin_field){.name = "score", .type = KIN_TYPE_NUMBER};
    f->sources[0] = (struct kin_workflow_source){.name = "crm", .id = "id", .columns = crm_columns};
    f->sources[1] = (struct kin_workflow_source){.name = "web", .id = "id", .columns = web_columns};
    f->workflow = (struct kin_workflow){.sources = f->sources,
                                        .source_count = 2,
                                        .fields = f->fields,
                                        .schema = {f->fields, FIELDS},
                                        .golden = f->golden};
    f->norm = kin_norm_scratch_new();
    assert_non_null(f->norm);
    assert_int_equal(kin_golden_plan_new(&f->workflow, column_names, COLUMNS, &f->plan), KIN_OK);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    kin_golden_plan_free(f->plan);
    kin_norm_scratch_free(f->norm);
    kin_arena_deinit(&f->arena);
    kin_buf_deinit(&f->out);
    free(f);
    return 0;
}

static inline void all_slots(struct fixture *f, enum kin_golden strategy)
{
    for (unsigned i = 0; i < FIELDS; i++)
        f->golden[i] = strategy;
    f->workflow.golden_default = strategy;
}

static inline struct kin_golden_cell cell(unsigned column, const char *text)
{
    return (struct kin_golden_cell){column, kin_str_of(text)};
}

enum { CELLS_MAX = 8 };

/* One record: its cells end at the first with no text. */
struct row {
    uint16_t source;
    int64_t updated;
    struct kin_golden_cell cells[CELLS_MAX];
};

enum { ROWS_MAX = 26 };

/* Their ids are a, b, c ... */
static inline void members_of(const struct row *rows, size_t count,
                              struct kin_golden_member members[ROWS_MAX])
{
    static const char ids[] = "abcdefghijklmnopqrstuvwxyz";
    assert_in_range(count, 1, ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t n = 0;
        while (n < CELLS_MAX && rows[i].cells[n].value.p)
            n++;
        members[i] = (struct kin_golden_member){.source = rows[i].source,
                                                .id = {ids + i, 1},
                                                .updated = rows[i].updated,
                                                .cells = rows[i].cells,
                                                .count = n};
    }
}

/* The golden record of rows. */
static inline const char *golden(struct fixture *f, const struct row *rows, size_t count)
{
    struct kin_golden_member members[ROWS_MAX];
    members_of(rows, count, members);
    kin_buf_clear(&f->out);
    assert_int_equal(kin_golden_row(f->plan, f->norm, &f->arena, members, count, &f->out), KIN_OK);
    kin_buf_putc(&f->out, '\0');
    return (const char *)f->out.p;
}

#define ROWS(...)                        \
    ((const struct row[]){__VA_ARGS__}), \
        sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row)
#define CRM(when, ...)  \
    {                   \
        0, (when),      \
        {               \
            __VA_ARGS__ \
        }               \
    }
#define WEB(when, ...)  \
    {                   \
        1, (when),      \
        {               \
            __VA_ARGS__ \
        }               \
    }

static inline uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*state >> 33) * n) >> 31);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
