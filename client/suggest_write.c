/* The workflow file: its head, the fields, and the columns that are none. */
#include "client/suggest_write.h"

#include "client/suggest_text.h"
#include "common/base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { TOP_VALUES = 3, VALUE_BYTES = 40, COLUMNS_A_REASON = 40 };

/* ---- values, where they are asked for ---- */

struct top {
    uint64_t hash;
    uint32_t count;
    char *text;
};

/* The commonest values of a column. */
static size_t find_top(const struct kin_counts *c, struct top top[TOP_VALUES])
{
    size_t n = 0;
    for (size_t i = 0; i < c->cap; i++) {
        const struct kin_counts_slot *slot = &c->slots[i];
        size_t at = n;
        if (!slot->hash)
            continue;
        while (at > 0 && (top[at - 1].count < slot->count ||
                          (top[at - 1].count == slot->count && top[at - 1].hash > slot->hash)))
            at--;
        if (at == TOP_VALUES)
            continue;
        size_t last = n < TOP_VALUES ? n : TOP_VALUES - 1;
        memmove(&top[at + 1], &top[at], (last - at) * sizeof *top);
        top[at] = (struct top){slot->hash, slot->count, NULL};
        n += n < TOP_VALUES;
    }
    return n;
}

/* Their texts, from the sample. */
static kin_status find_texts(struct kin_suggest *s, size_t source, size_t column, struct top *top,
                             size_t count)
{
    const struct kin_profile_sample *sample = &s->profile->sample;
    struct kin_cursor c = kin_cursor_of(sample->bytes.p, sample->bytes.n);
    size_t missing = count;
    while (missing && kin_cursor_left(&c)) {
        kin_cursor_u32(&c);
        uint32_t file = kin_cursor_u32(&c);
        kin_cursor_u32(&c);
        for (uint32_t cells = kin_cursor_u32(&c); cells > 0; cells--) {
            uint16_t at = kin_cursor_u16(&c), n = kin_cursor_u16(&c);
            const uint8_t *p = kin_cursor_take(&c, n);
            if (!p || at != column || s->profile->files[file].source != source)
                continue;
            uint64_t hash = kin_hash64(p, n, 0);
            for (size_t i = 0; i < count; i++) {
                if (top[i].text || top[i].hash != hash)
                    continue;
                top[i].text = kin_arena_strndup(&s->arena, (const char *)p, n);
                missing--;
                if (!top[i].text)
                    return kin_suggest_no_memory(s);
            }
        }
    }
    return KIN_OK;
}

static kin_status put_values(struct kin_writing *w, size_t f)
{
    struct kin_suggest *s = w->s;
    for (size_t n = 0; n < s->profile->source_count; n++) {
        const struct kin_profile_source *p = &s->profile->sources[n];
        for (size_t c = 0; c < p->column_count; c++) {
            struct top top[TOP_VALUES + 1];
            if (s->sources[n].columns[c].field != (int)f)
                continue;
            size_t count = find_top(&p->columns[c].counts, top);
            kin_status status = find_texts(s, n, c, top, count);
            if (status != KIN_OK)
                return status;
            kin_buf_puts(w->out, "  # ");
            kin_suggest_put_clean(w->out, p->columns[c].name, VALUE_BYTES);
            kin_buf_puts(w->out, ":");
            for (size_t i = 0; i < count; i++) {
                kin_buf_puts(w->out, i ? ", \"" : " \"");
                if (top[i].text)
                    kin_suggest_put_clean(w->out, kin_str_of(top[i].text), VALUE_BYTES);
                kin_buf_puts(w->out, "\" ");
                kin_suggest_put_share(
                    w->out, kin_suggest_share((double)top[i].count, (double)p->columns[c].values));
            }
            kin_buf_putc(w->out, '\n');
        }
    }
    return KIN_OK;
}

/* ---- fields ---- */

size_t kin_writing_columns(const struct kin_writing *w, size_t field, size_t source,
                           struct kin_buf *out)
{
    const struct kin_profile_source *p = &w->s->profile->sources[source];
    struct kin_buf list = {0};
    size_t count = 0;
    for (size_t k = 0; k < 4; k++) {
        for (size_t c = 0; c < p->column_count && count < 64; c++) {
            int part = w->s->fields[field].parts[k];
            if (part < 0 || w->s->sources[source].columns[c].field != part)
                continue;
            kin_buf_puts(&list, count++ ? ", " : "");
            kin_suggest_put_scalar(&list, p->columns[c].name);
        }
    }
    kin_buf_puts(out, count > 1 ? "[" : "");
    if (list.p)
        kin_buf_put(out, list.p, list.n);
    kin_buf_puts(out, count > 1 ? "]" : "");
    out->failed = out->failed || list.failed;
    kin_buf_deinit(&list);
    return count;
}

/* What fills a field where a source does not say otherwise: the columns of the first source that
 * has any. */
static void set_defaults(struct kin_writing *w, size_t f)
{
    struct kin_suggest *s = w->s;
    struct kin_written_field *field = &w->fields[f];
    for (size_t n = 0; n < s->profile->source_count && field->name_count == 0; n++) {
        const struct kin_profile_source *p = &s->profile->sources[n];
        if (kin_writing_columns(w, f, n, &field->columns) == 0)
            continue;
        for (size_t c = 0; c < p->column_count && field->name_count < 64; c++) {
            bool part = false;
            for (size_t k = 0; k < 4; k++)
                part = part || (s->fields[f].parts[k] >= 0 &&
                                s->sources[n].columns[c].field == s->fields[f].parts[k]);
            if (part)
                field->names[field->name_count++] = p->columns[c].name;
        }
    }
}

static void put_shape(struct kin_writing *w, size_t f)
{
    const struct kin_suggest *s = w->s;
    const struct kin_profile_shape *best = NULL;
    double share = 0;
    for (size_t n = 0; n < s->profile->source_count; n++) {
        const struct kin_profile_source *p = &s->profile->sources[n];
        for (size_t c = 0; c < p->column_count; c++) {
            const struct kin_profile_shape *shape = kin_profile_shape(&p->columns[c]);
            if (s->sources[n].columns[c].field != (int)f || !shape)
                continue;
            double mine = kin_suggest_share((double)shape->count, (double)p->columns[c].values);
            if (mine > share) {
                share = mine;
                best = shape;
            }
        }
    }
    if (!best || share < 0.3 || s->fields[f].words > 3)
        return;
    kin_buf_puts(w->out, "; ");
    kin_suggest_put_share(w->out, share);
    kin_buf_printf(w->out, " look like \"%s\"", best->text);
}

static void sum_columns(const struct kin_suggest *s, size_t f, uint64_t *day, uint64_t *month,
                        uint64_t *placeholders)
{
    *day = *month = *placeholders = 0;
    for (size_t n = 0; n < s->profile->source_count; n++) {
        const struct kin_profile_source *p = &s->profile->sources[n];
        for (size_t c = 0; c < p->column_count; c++) {
            if (s->sources[n].columns[c].field != (int)f)
                continue;
            *day += p->columns[c].day_first;
            *month += p->columns[c].month_first;
            *placeholders += p->columns[c].placeholders;
        }
    }
}

static void put_remarks(struct kin_writing *w, size_t f)
{
    const struct kin_suggest_field *field = &w->s->fields[f];
    uint64_t day, month, placeholders;
    sum_columns(w->s, f, &day, &month, &placeholders);
    if (field->def.type == KIN_TYPE_DATE && (day || month))
        kin_buf_printf(w->out,
                       "  # Day before month in %llu of the dates that tell, month before day in "
                       "%llu.\n",
                       (unsigned long long)day, (unsigned long long)month);
    else if (field->unclear)
        kin_buf_puts(w->out, "  # CHECK: whether day or month comes first cannot be told from the "
                             "data.\n");
    if (field->meaning == KIN_MEANS_EMAIL && field->def.type == KIN_TYPE_ID)
        kin_buf_puts(w->out, "  # As an id, since the type email refuses the many that are "
                             "misspelt in their form.\n");
    if (placeholders) {
        kin_buf_puts(w->out, "  # ");
        kin_suggest_put_share(w->out,
                              kin_suggest_share((double)placeholders, (double)field->values));
        kin_buf_puts(w->out, " of the values say that there is none (n/a, unknown, 00000 ...): "
                             "better left empty.\n");
    }
}

static void put_profile(struct kin_writing *w, size_t f)
{
    const struct kin_suggest_field *field = &w->s->fields[f];
    kin_buf_printf(w->out, "  # %s: ", kin_meaning_info(field->meaning)->text);
    kin_suggest_put_share(w->out, kin_suggest_share((double)field->filled, (double)field->rows));
    kin_buf_puts(w->out, " filled, ");
    kin_suggest_put_count(w->out, field->distinct);
    kin_buf_puts(w->out, " different, the commonest ");
    kin_suggest_put_share(w->out, kin_suggest_share((double)field->top, (double)field->values));
    kin_buf_printf(w->out, "; %.0f characters", field->chars);
    if (field->words >= 1.05)
        kin_buf_printf(w->out, ", %.1f words", field->words);
    put_shape(w, f);
    kin_buf_putc(w->out, '\n');
}

static void put_type(struct kin_writing *w, size_t f)
{
    static const char *const orders[] = {"ymd", "dmy", "mdy"};
    const struct kin_suggest_field *field = &w->s->fields[f];
    const struct kin_written_field *written = &w->fields[f];
    bool order = field->def.type == KIN_TYPE_DATE && field->def.date_order != KIN_DATE_YMD;
    bool named = written->name_count == 1 && kin_str_eq(written->names[0], kin_str_of(field->name));
    kin_buf_printf(w->out, "  %s: ", field->name);
    if (!order && !field->def.country[0] && named) {
        kin_buf_printf(w->out, "%s\n", kin_type_name(field->def.type));
        return;
    }
    kin_buf_printf(w->out, "{type: %s", kin_type_name(field->def.type));
    if (order)
        kin_buf_printf(w->out, ", order: %s", orders[field->def.date_order]);
    if (field->def.country[0])
        kin_buf_printf(w->out, ", country: %s", field->def.country);
    if (!named) {
        kin_buf_puts(w->out, ", columns: ");
        kin_buf_put(w->out, written->columns.p, written->columns.n);
    }
    kin_buf_puts(w->out, "}\n");
}

/* ---- columns that are no fields ---- */

static const char *why_not(const struct kin_suggest *s, size_t source, size_t column)
{
    const struct kin_suggest_column *c = &s->sources[source].columns[column];
    return c->field >= 0 ? s->fields[c->field].dropped : c->why;
}

/* The columns of one reason, each once, however many sources have it. */
static void put_left_out(struct kin_writing *w, const char *why)
{
    const struct kin_suggest *s = w->s;
    struct kin_buf names = {0};
    size_t count = 0;
    for (size_t n = 0; n < s->profile->source_count; n++) {
        const struct kin_profile_source *p = &s->profile->sources[n];
        for (size_t c = 0; c < p->column_count; c++) {
            const char *mine = why_not(s, n, c);
            bool seen = false;
            for (size_t m = 0; m < n && !seen; m++) {
                const struct kin_profile_source *q = &s->profile->sources[m];
                for (size_t d = 0; d < q->column_count && !seen; d++)
                    seen = why_not(s, m, d) && strcmp(why_not(s, m, d), why) == 0 &&
                           kin_str_eq(q->columns[d].name, p->columns[c].name);
            }
            if (!mine || strcmp(mine, why) != 0 || seen)
                continue;
            if (count++ >= COLUMNS_A_REASON)
                continue;
            kin_buf_puts(&names, count > 1 ? ", " : " ");
            kin_suggest_put_clean(&names, p->columns[c].name, VALUE_BYTES);
        }
    }
    if (count > COLUMNS_A_REASON)
        kin_buf_printf(&names, " and %zu more", count - COLUMNS_A_REASON);
    kin_buf_printf(w->out, "#   %s:\n", why);
    kin_suggest_put_wrapped(w->out, "#      ", (struct kin_str){(char *)names.p, names.n});
    w->out->failed = w->out->failed || names.failed;
    kin_buf_deinit(&names);
}

static void put_all_left_out(struct kin_writing *w)
{
    const struct kin_suggest *s = w->s;
    const char *done[64];
    size_t count = 0;
    for (size_t n = 0; n < s->profile->source_count; n++) {
        for (size_t c = 0; c < s->profile->sources[n].column_count; c++) {
            const char *why = why_not(s, n, c);
            bool known = !why || !*why;
            for (size_t i = 0; i < count && !known; i++)
                known = strcmp(done[i], why) == 0;
            if (known || count == sizeof done / sizeof *done)
                continue;
            if (count == 0)
                kin_buf_puts(w->out, "\n# Not compared, but carried through to the golden "
                                     "records:\n");
            done[count++] = why;
            put_left_out(w, why);
        }
    }
}

kin_status kin_writing_put_fields(struct kin_writing *w)
{
    struct kin_suggest *s = w->s;
    kin_status status = KIN_OK;
    kin_buf_puts(w->out, "\nfields:\n");
    for (size_t f = 0; f < s->field_count && status == KIN_OK; f++) {
        const struct kin_suggest_field *field = &s->fields[f];
        w->fields[f].written = !field->dropped && (!field->derived || field->used);
        if (!w->fields[f].written)
            continue;
        set_defaults(w, f);
        if (field->derived) {
            kin_buf_printf(w->out, "  # %s\n", field->derived);
        } else {
            put_profile(w, f);
            put_remarks(w, f);
            if (s->options->values)
                status = put_values(w, f);
        }
        put_type(w, f);
    }
    put_all_left_out(w);
    return status;
}

/* ---- the head, and all of it ---- */

static void put_head(struct kin_writing *w)
{
    const struct kin_profile *p = w->s->profile;
    uint64_t bad = 0;
    bool whole = true;
    for (size_t f = 0; f < p->file_count; f++) {
        bad += p->files[f].bad;
        whole = whole && p->files[f].whole;
    }
    kin_buf_puts(w->out, "# A first workflow, to be edited. Proposed by `kindred suggest` from ");
    kin_suggest_put_count(w->out, p->rows);
    kin_buf_puts(w->out, " records");
    if (!whole) {
        kin_buf_puts(w->out, "\n# of about ");
        kin_suggest_put_about(w->out, p->rows_in_all);
        kin_buf_puts(w->out, ", the first of each file (--rows reads more)");
    }
    if (bad) {
        kin_buf_puts(w->out, "\n# (besides ");
        kin_suggest_put_count(w->out, bad);
        kin_buf_puts(w->out, " rows that cannot be read)");
    }
    kin_buf_puts(w->out, ".\n");
    if (w->s->records < p->rows) {
        kin_buf_puts(w->out, "# Pairs were counted among ");
        kin_suggest_put_count(w->out, w->s->records);
        kin_buf_puts(w->out, " of them.\n");
    }
    kin_buf_puts(w->out, "#\n"
                         "#   kindred match --check FILE    is it well-formed?\n"
                         "#   kindred plan FILE             what will it cost?\n"
                         "#   kindred match FILE -o DIR     the MatchGroups\n"
                         "\n"
                         "kindred: 1\n");
    kin_buf_printf(w->out, "workflow: %s\n", w->source_count == 1 ? w->sources[0].name : "records");
}

static void mark_used(struct kin_suggest *s)
{
    for (size_t r = 0; r < s->rule_count; r++) {
        for (size_t i = 0; i < s->rules[r].term_sets; i++) {
            for (size_t t = 0; t < s->term_count; t++) {
                if (!(s->rules[r].terms[i] >> t & 1))
                    continue;
                s->fields[s->terms[t].field].used = true;
                s->fields[s->terms[t].field2].used = true;
            }
        }
    }
    for (size_t k = 0; k < s->chosen_count; k++) {
        for (size_t f = 0; f < s->field_count; f++) {
            if (s->keys[s->chosen[k]].fields >> f & 1)
                s->fields[f].used = true;
        }
    }
}

kin_status kin_suggest_write(struct kin_suggest *s)
{
    struct kin_writing w = {.s = s, .out = s->out};
    mark_used(s);
    w.fields = kin_calloc(s->field_count, sizeof *w.fields);
    if (!w.fields)
        return kin_suggest_no_memory(s);
    kin_status status = kin_writing_sources(&w);
    if (status == KIN_OK) {
        put_head(&w);
        status = kin_writing_put_fields(&w);
    }
    if (status == KIN_OK)
        status = kin_writing_put_sources(&w);
    if (status == KIN_OK) {
        kin_writing_put_rules(&w);
        kin_writing_put_keys(&w);
        kin_writing_put_model(&w);
        kin_writing_put_golden(&w);
    }
    for (size_t f = 0; f < s->field_count; f++)
        kin_buf_deinit(&w.fields[f].columns);
    kin_free(w.fields);
    return status == KIN_OK && s->out->failed ? kin_suggest_no_memory(s) : status;
}
