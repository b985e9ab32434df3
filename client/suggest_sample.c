/* The sample's rows as records: the fields' values through the real normalisers, packed as workers
 * compare them. */
#include "client/suggest_impl.h"

#include "common/base/hash.h"

#include <string.h>

enum { CELLS_MAX = 65536 };

struct cell {
    uint16_t column;
    struct kin_str value;
};

struct row {
    uint32_t file;
    size_t count;
    struct cell *cells;
};

static kin_status read_row(struct kin_suggest *s, struct kin_cursor *c, struct row *row)
{
    kin_cursor_u32(c);
    row->file = kin_cursor_u32(c);
    kin_cursor_u32(c);
    uint32_t cells = kin_cursor_u32(c);
    row->count = 0;
    for (uint32_t i = 0; i < cells; i++) {
        uint16_t column = kin_cursor_u16(c);
        uint16_t n = kin_cursor_u16(c);
        const uint8_t *p = kin_cursor_take(c, n);
        if (row->count < CELLS_MAX)
            row->cells[row->count++] = (struct cell){column, {(const char *)p, n}};
    }
    return c->bad ? kin_err_set(s->err, KIN_E_CORRUPT, "the sample is damaged") : KIN_OK;
}

/* Values of the columns that fill one part of a field. */
static void add_part(struct kin_suggest *s, struct kin_features_builder *b, const struct row *row,
                     size_t f, int part, bool *begun, struct kin_norm_scratch *norm)
{
    const struct kin_suggest_column *columns =
        s->sources[s->profile->files[row->file].source].columns;
    for (size_t i = 0; i < row->count; i++) {
        struct kin_norm_value value;
        if (columns[row->cells[i].column].field != part ||
            kin_normalise(norm, &s->defs[f], row->cells[i].value, &value) != KIN_NORM_VALUE)
            continue;
        if (!*begun)
            kin_features_field(b, (unsigned)f);
        *begun = true;
        kin_features_value(b, value.p, value.bytes, value.ascii);
    }
}

static kin_status add_record(struct kin_suggest *s, const struct row *row,
                             struct kin_norm_scratch *norm)
{
    struct kin_features_builder b;
    size_t start = s->features.n;
    kin_features_begin(&b, &s->features, (unsigned)s->field_count, 0,
                       (uint16_t)(row->file & 0x7fff), KIN_STR("x"));
    for (size_t f = 0; f < s->field_count; f++) {
        bool begun = false;
        if (s->fields[f].dropped)
            continue;
        for (size_t k = 0; k < 4; k++) {
            if (s->fields[f].parts[k] >= 0)
                add_part(s, &b, row, f, s->fields[f].parts[k], &begun, norm);
        }
    }
    kin_status status = kin_features_end(&b, NULL, 0);
    if (status == KIN_E_LIMIT)
        return KIN_OK; /* a monster: the sample is as good without */
    kin_buf_u64(&s->offsets, start);
    s->records++;
    return status != KIN_OK || s->offsets.failed ? kin_suggest_no_memory(s) : KIN_OK;
}

/* Employers are shared by colleagues; but where organisations stand in records of their own, they
 * are what the records are about. */
static void settle_organisations(struct kin_suggest *s)
{
    for (size_t f = 0; f < s->field_count && s->persons; f++) {
        size_t with = 0, both = 0;
        if (s->fields[f].meaning != KIN_MEANS_ORGANISATION)
            continue;
        for (size_t i = 0; i < s->records; i++) {
            const uint8_t *rec = kin_suggest_record(s, i), *at;
            bool named = false;
            if (!kin_features_values(rec, (unsigned)f, &at))
                continue;
            for (size_t g = 0; g < s->field_count; g++) {
                enum kin_meaning meaning = s->fields[g].meaning;
                named =
                    named || ((meaning == KIN_MEANS_FIRST_NAME || meaning == KIN_MEANS_LAST_NAME ||
                               meaning == KIN_MEANS_FULL_NAME) &&
                              kin_features_values(rec, (unsigned)g, &at));
            }
            with++;
            both += named;
        }
        s->fields[f].shared = 2 * both > with;
    }
}

kin_status kin_suggest_sample(struct kin_suggest *s)
{
    const struct kin_profile_sample *sample = &s->profile->sample;
    struct row row = {0};
    kin_status status = KIN_OK;
    for (size_t f = 0; f < s->field_count; f++) {
        s->defs[f] = s->fields[f].def;
        s->defs[f].name = s->fields[f].name;
    }
    s->schema = (struct kin_schema){s->defs, s->field_count};
    struct kin_norm_scratch *norm = kin_norm_scratch_new();
    row.cells = kin_calloc(CELLS_MAX, sizeof *row.cells);
    if (!norm || !row.cells)
        status = kin_suggest_no_memory(s);
    struct kin_cursor c = kin_cursor_of(sample->bytes.p, sample->bytes.n);
    while (status == KIN_OK && kin_cursor_left(&c)) {
        status = read_row(s, &c, &row);
        if (status == KIN_OK)
            status = add_record(s, &row, norm);
    }
    kin_norm_scratch_free(norm);
    kin_free(row.cells);
    settle_organisations(s);
    s->scale = s->records ? s->profile->rows_in_all / (double)s->records : 1;
    return status;
}
