#ifndef KIN_TESTS_UNIT_TRAIN_KIT_H
#define KIN_TESTS_UNIT_TRAIN_KIT_H
/* What the tests of the training share: simulated people, and training on them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/oracle/simulate.h"

enum { FIRST, LAST, DOB, GENDER, NATION, STREET, CITY, EMAIL, PHONE, PEOPLE_FIELDS };
enum { BY_NAME, BY_LAST_DOB, BY_FIRST_DOB, BY_EMAIL };

/* About 2,600 records of 1,900 people, a quarter of whom have two or three. */
static inline struct sim_options people(uint64_t seed)
{
    struct sim_options o = {
        .seed = seed,
        .things = 1900,
        .duplicated = 0.25,
        .copies_max = 3,
        .field_count = PEOPLE_FIELDS,
        .fields = {{"first", 400, true, 4, .06, .04, .03, false},
                   {"last", 1500, true, 2, .06, .04, .02, false},
                   {"dob", 12000, false, 3, .04, .02, .05, false},
                   {"gender", 2, false, 0, 0, .01, .05, true},
                   {"nation", 5, false, 0, 0, .03, .05, true},
                   {"street", 3000, false, 2, .08, .05, .05, false},
                   {"city", 80, true, 0, .03, .03, .05, true},
                   {"email", 1000000, false, 1, .05, .08, .25, false},
                   {"phone", 1000000, false, 1, .03, .10, .15, false}},
        .key_count = 4,
        .keys = {1 << FIRST | 1 << LAST, 1 << LAST | 1 << DOB, 1 << FIRST | 1 << DOB, 1 << EMAIL},
        .sample = 1000};
    return o;
}

struct trained {
    struct kin_arena arena;
    struct kin_model model;
    struct kin_train_report report;
};

static inline struct trained *train_on(const struct kin_train_input *input, unsigned without)
{
    struct trained *t = kin_calloc(1, sizeof *t);
    struct kin_err err = {0};
    assert_non_null(t);
    kin_status status = kin_train(input, without, &t->arena, &t->model, &t->report, &err);
    if (status)
        print_error("%s\n", err.msg);
    assert_int_equal(status, KIN_OK);
    return t;
}

static inline void trained_free(struct trained *t)
{
    kin_arena_deinit(&t->arena);
    kin_free(t);
}

/* How many doubts with this id; text (may be NULL) must be part of one. */
static inline unsigned doubts(const struct trained *t, const char *id, const char *text)
{
    unsigned n = 0;
    for (size_t d = 0; d < t->model.doubt_count; d++) {
        if (strcmp(t->model.doubts[d].id, id) == 0 &&
            (!text || strstr(t->model.doubts[d].text, text)))
            n++;
    }
    return n;
}

static inline void assert_near(double is, double should_be, double slack, const char *what)
{
    if (!(fabs(is - should_be) <= slack))
        fail_msg("%s: %.9g, should be %.9g +- %.2g", what, is, should_be, slack);
}

static inline void assert_above(double is, double bound, const char *what)
{
    if (!(is > bound))
        fail_msg("%s: %.9g, should be above %.9g", what, is, bound);
}

/* Every number is one that a model may have, the file can be written, weights fall with the levels.
 */
static inline void assert_sane(const struct trained *t, bool monotone)
{
    struct kin_model_tables tables;
    struct kin_buf text = {0};
    struct kin_err err = {0};
    kin_status status = kin_model_write(&t->model, &text, &err);
    if (status)
        print_error("%s\n", err.msg);
    assert_int_equal(status, KIN_OK);
    kin_model_tables(&t->model, &tables);
    for (unsigned i = 0; i < t->model.spec.count && monotone; i++) {
        unsigned levels = t->model.spec.comparisons[i].level_count;
        for (unsigned l = 2; l <= levels; l++)
            if (tables.weight[i][l] > tables.weight[i][l - 1] + 4) /* six digits */
                fail_msg("weights %d, %d: m %g %g u %g %g", tables.weight[i][l - 1],
                         tables.weight[i][l], t->model.m[i][l - 1], t->model.m[i][l],
                         t->model.u[i][l - 1], t->model.u[i][l]);
        assert_true(tables.weight[i][1] >= -4 && tables.weight[i][levels] <= 4);
    }
    kin_train_print(&t->model, &t->report, &text);
    assert_false(text.failed);
    kin_buf_deinit(&text);
}

#endif
