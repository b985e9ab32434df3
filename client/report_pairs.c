#include "client/report_pairs.h"

#include "client/profile_file.h"

#include <string.h>

/* Two passes over pairs.csv: how many pairs have which weight, then the first of each that is
 * wanted. Weights in the file have three decimals. */

enum { MILLI_MAX = 1000 * 1000, COLUMNS = 5 };
static const char *const column_names[COLUMNS] = {"source_a", "id_a", "source_b", "id_b", "weight"};

struct choice {
    const char *path;
    struct kin_arena *arena;
    struct kin_err *err;
    uint64_t *counts; /* [2 * MILLI_MAX + 1] */
    uint64_t pairs;
    int32_t wanted[KIN_CHOSEN_PAIRS];
    bool found[KIN_CHOSEN_PAIRS];
    struct kin_chosen_pair *out;
};

/* "-12.345" to -12345. */
static bool milli_of(struct kin_str text, int32_t *out)
{
    size_t i = text.n && text.p[0] == '-', decimals = 0;
    int32_t value = 0;
    bool point = false, digits = false;
    for (; i < text.n; i++) {
        char c = text.p[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || value > MILLI_MAX || decimals == 3)
            return false;
        value = value * 10 + (c - '0');
        decimals += point;
        digits = true;
    }
    for (; decimals < 3; decimals++)
        value = value > MILLI_MAX ? value : value * 10;
    if (!digits || value > MILLI_MAX)
        return false;
    *out = text.p[0] == '-' ? -value : value;
    return true;
}

static kin_status keep(struct choice *c, const struct kin_str cells[COLUMNS], int32_t milli)
{
    static const char *const titles[KIN_CHOSEN_PAIRS] = {
        "The weakest pair that matched", "A pair in the middle", "The strongest pair"};
    for (size_t k = 0; k < KIN_CHOSEN_PAIRS; k++) {
        struct kin_str *to[] = {&c->out[k].source_a, &c->out[k].id_a, &c->out[k].source_b,
                                &c->out[k].id_b};
        if (c->found[k] || milli != c->wanted[k])
            continue;
        c->out[k].title = titles[k];
        for (size_t i = 0; i < 4; i++) {
            *to[i] =
                (struct kin_str){kin_arena_strndup(c->arena, cells[i].p, cells[i].n), cells[i].n};
            if (!to[i]->p)
                return kin_err_set(c->err, KIN_E_NOMEM, "out of memory");
        }
        c->found[k] = true;
        return KIN_OK; /* one pair is shown once */
    }
    return KIN_OK;
}

static kin_status take_row(struct choice *c, const struct kin_row *row,
                           const uint32_t place[COLUMNS], bool second)
{
    struct kin_str cells[COLUMNS] = {{"", 0}};
    int32_t milli;
    for (size_t i = 0; i < row->count; i++) {
        for (unsigned k = 0; k < COLUMNS; k++) {
            if (row->cells[i].column == place[k])
                cells[k] = row->cells[i].value;
        }
    }
    if (row->reason || !cells[4].n || !milli_of(cells[4], &milli))
        return KIN_OK; /* of a rule */
    if (second)
        return keep(c, cells, milli);
    c->counts[milli + MILLI_MAX]++;
    c->pairs++;
    return KIN_OK;
}

static kin_status find_columns(const struct choice *c, const struct kin_rows *rows,
                               uint32_t place[COLUMNS])
{
    size_t n;
    const struct kin_str *names = kin_rows_columns(rows, &n);
    for (unsigned k = 0; k < COLUMNS; k++) {
        place[k] = UINT32_MAX;
        for (size_t i = 0; i < n; i++) {
            if (kin_str_eq(names[i], kin_str_of(column_names[k])))
                place[k] = (uint32_t)i;
        }
        if (place[k] == UINT32_MAX)
            return kin_err_set(c->err, KIN_E_SYNTAX, "%s has no column %s", c->path,
                               column_names[k]);
    }
    return KIN_OK;
}

static kin_status pass(struct choice *c, bool second)
{
    struct kin_profile_input in = {0};
    struct kin_row row;
    uint32_t place[COLUMNS];
    kin_status status = kin_profile_input_open(&in, c->path, c->err);
    while (status == KIN_OK && (status = kin_profile_input_next(&in, c->err)) == KIN_OK) {
        status = find_columns(c, in.rows, place);
        while (status == KIN_OK && kin_rows_next(in.rows, &row))
            status = take_row(c, &row, place, second);
        if (status == KIN_OK && kin_rows_failed(in.rows))
            status = kin_err_set(c->err, KIN_E_NOMEM, "out of memory");
    }
    kin_profile_input_deinit(&in);
    return status == KIN_E_EOF ? KIN_OK : status;
}

/* The weight of the pair with so many weaker ones. */
static int32_t at_rank(const struct choice *c, uint64_t rank)
{
    int32_t at = 0;
    for (uint64_t before = c->counts[0]; before <= rank && at < 2 * MILLI_MAX;)
        before += c->counts[++at];
    return at - MILLI_MAX;
}

kin_status kin_report_choose_pairs(const char *path, struct kin_arena *arena,
                                   struct kin_chosen_pair out[KIN_CHOSEN_PAIRS], size_t *count,
                                   struct kin_err *err)
{
    struct choice c = {.path = path, .arena = arena, .err = err, .out = out};
    *count = 0;
    c.counts = kin_calloc(2 * (size_t)MILLI_MAX + 1, sizeof *c.counts);
    kin_status status = c.counts ? pass(&c, false) : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (status == KIN_OK && c.pairs) {
        c.wanted[0] = at_rank(&c, 0);
        c.wanted[1] = at_rank(&c, (c.pairs - 1) / 2);
        c.wanted[2] = at_rank(&c, c.pairs - 1);
        status = pass(&c, true);
    }
    for (size_t k = 0; k < KIN_CHOSEN_PAIRS && status == KIN_OK; k++) {
        if (c.found[k])
            out[(*count)++] = out[k];
    }
    kin_free(c.counts);
    return status;
}
