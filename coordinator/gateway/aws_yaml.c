#include "coordinator/gateway/aws_plan.h"

#include "common/workflow/utf8.h"

#include <string.h>

/* The text of the workflow file. */

void aws_put_scalar(struct kin_buf *out, const char *text)
{
    size_t n = strlen(text);
    kin_buf_putc(out, '"');
    for (size_t at = 0; at < n;) {
        uint32_t c = 0;
        size_t step = kin_utf8_step(text + at, n - at, &c);
        if (!step) {
            out->failed = true; /* JSON and paths are UTF-8 by now */
            return;
        }
        if (c == '"' || c == '\\')
            kin_buf_printf(out, "\\%c", (char)c);
        else if (c < ' ' || kin_utf8_is_control(c))
            kin_buf_printf(out, "\\u%04x", (unsigned)c);
        else
            kin_buf_put(out, text + at, step);
        at += step;
    }
    kin_buf_putc(out, '"');
}

static void put_fields(struct kin_buf *out, const struct aws_plan *plan)
{
    kin_buf_puts(out, "fields:\n");
    for (unsigned i = 0; i < plan->field_count; i++) {
        kin_buf_puts(out, "  ");
        aws_put_scalar(out, plan->fields[i].name);
        kin_buf_printf(out, ": %s\n", kin_type_name(plan->fields[i].type));
    }
}

static void put_columns(struct kin_buf *out, const struct aws_plan_field *f, unsigned source)
{
    bool first = true;
    kin_buf_putc(out, '[');
    for (const struct aws_plan_column *c = f->columns; c; c = c->next) {
        if (c->source != source)
            continue;
        if (!first)
            kin_buf_puts(out, ", ");
        aws_put_scalar(out, c->attribute);
        first = false;
    }
    kin_buf_puts(out, "]\n");
}

static void put_sources(struct kin_buf *out, const struct aws_plan *plan)
{
    kin_buf_puts(out, "sources:\n");
    for (unsigned s = 0; s < plan->source_count; s++) {
        const struct aws_plan_source *source = &plan->sources[s];
        kin_buf_puts(out, "  ");
        aws_put_scalar(out, source->name);
        kin_buf_puts(out, ":\n    path: ");
        aws_put_scalar(out, source->path);
        kin_buf_puts(out, "\n    id: ");
        aws_put_scalar(out, source->id);
        kin_buf_puts(out, "\n    columns:\n");
        for (unsigned i = 0; i < plan->field_count; i++) {
            kin_buf_puts(out, "      ");
            aws_put_scalar(out, plan->fields[i].name);
            kin_buf_puts(out, ": ");
            put_columns(out, &plan->fields[i], s);
        }
    }
}

static void put_rules(struct kin_buf *out, const json_t *rules, const struct kin_buf *conditions)
{
    kin_buf_puts(out, "rules:\n");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const char *name = aws_text(json_array_get(rules, i), "ruleName");
        struct kin_buf text = {0};
        kin_buf_put(&text, conditions[i].p, conditions[i].n);
        kin_buf_putc(&text, '\0');
        kin_buf_puts(out, "  - when: ");
        if (text.failed)
            out->failed = true;
        else
            aws_put_scalar(out, (const char *)text.p);
        kin_buf_deinit(&text);
        if (*name) {
            kin_buf_puts(out, "\n    name: ");
            aws_put_scalar(out, name);
        }
        kin_buf_putc(out, '\n');
    }
}

/* ---- ML_MATCHING ---- */

enum { KEYS_MAX = 24, COMPARISONS_MAX = KIN_COMPARISONS_MAX };

/* What a type is compared by, and whether its values alone tell records apart enough to be a
 * blocking key. */
static const struct model_row {
    const char *levels;
    bool common; /* agreement on a rare value counts more */
    bool key;
} model_rows[KIN_TYPE_COUNT] = {
    [KIN_TYPE_NAME] = {"[exact, jaro_winkler 0.92, jaro_winkler 0.8]", true, false},
    [KIN_TYPE_TEXT] = {"[exact, jaccard 0.6, jaccard 0.3]", true, false},
    [KIN_TYPE_EMAIL] = {"[exact, same username, jaro_winkler 0.9]", false, true},
    [KIN_TYPE_PHONE] = {"[exact, damerau 1, damerau 2]", false, true},
    [KIN_TYPE_DATE] = {"[exact, damerau 1, within 1 year]", false, false},
    [KIN_TYPE_POSTCODE] = {"[exact, damerau 1]", false, false},
    [KIN_TYPE_ID] = {"[exact, damerau 1]", false, true},
    [KIN_TYPE_NUMBER] = {"[exact]", false, false},
    [KIN_TYPE_GEO] = {"[exact]", false, false},
    [KIN_TYPE_ADDRESS] = {"[exact, jaccard 0.6, jaccard 0.3]", false, true}};

static void put_key_term(struct kin_buf *out, const struct aws_plan_field *f)
{
    struct kin_buf term = {0};
    kin_buf_printf(&term, f->type == KIN_TYPE_NAME ? "soundex(\"%s\")" : "\"%s\"", f->name);
    kin_buf_putc(&term, '\0');
    if (term.failed)
        out->failed = true;
    else
        aws_put_scalar(out, (const char *)term.p);
    kin_buf_deinit(&term);
}

static bool pairs_well(const struct aws_plan_field *a, const struct aws_plan_field *b)
{
    bool a_name = a->type == KIN_TYPE_NAME, b_name = b->type == KIN_TYPE_NAME;
    bool a_place = a->type == KIN_TYPE_POSTCODE || a->type == KIN_TYPE_DATE;
    bool b_place = b->type == KIN_TYPE_POSTCODE || b->type == KIN_TYPE_DATE;
    return (a_name || a_place) && (b_name || b_place);
}

static unsigned put_blocking_keys(struct kin_buf *out, const struct aws_plan *plan)
{
    unsigned n = 0;
    kin_buf_puts(out, "block_on:\n");
    for (unsigned i = 0; i < plan->field_count && n < KEYS_MAX; i++) {
        if (!model_rows[plan->fields[i].type].key)
            continue;
        kin_buf_puts(out, "  - [");
        put_key_term(out, &plan->fields[i]);
        kin_buf_puts(out, "]\n");
        n++;
    }
    for (unsigned i = 0; i < plan->field_count; i++) {
        for (unsigned k = i + 1; k < plan->field_count && n < KEYS_MAX; k++) {
            if (!pairs_well(&plan->fields[i], &plan->fields[k]))
                continue;
            kin_buf_puts(out, "  - [");
            put_key_term(out, &plan->fields[i]);
            kin_buf_puts(out, ", ");
            put_key_term(out, &plan->fields[k]);
            kin_buf_puts(out, "]\n");
            n++;
        }
    }
    for (unsigned i = 0; i < plan->field_count && !n; i++) { /* nothing better there */
        kin_buf_puts(out, "  - [");
        put_key_term(out, &plan->fields[i]);
        kin_buf_puts(out, "]\n");
        n++;
    }
    return n;
}

static bool put_model(struct aws_call *call, struct kin_buf *out, const struct aws_plan *plan)
{
    if (!put_blocking_keys(out, plan))
        return aws_fail(call, AWS_VALIDATION, "No attribute has a match key.");
    kin_buf_puts(out, "model:\n  train: true\n  compare:\n");
    for (unsigned i = 0; i < plan->field_count && i < COMPARISONS_MAX; i++) {
        const struct model_row *row = &model_rows[plan->fields[i].type];
        kin_buf_puts(out, "    ");
        aws_put_scalar(out, plan->fields[i].name);
        kin_buf_printf(out, ": {levels: %s, term_frequency: %s}\n", row->levels,
                       row->common ? "true" : "false");
    }
    return true;
}

bool aws_plan_write(struct aws_call *call, const char *name, struct aws_plan *plan,
                    const json_t *rules, const struct kin_buf *conditions)
{
    struct kin_buf *out = &plan->yaml;
    kin_buf_puts(out, "kindred: 1\nworkflow: ");
    aws_put_scalar(out, name);
    kin_buf_putc(out, '\n');
    put_fields(out, plan);
    put_sources(out, plan);
    if (rules)
        put_rules(out, rules, conditions);
    else if (!put_model(call, out, plan))
        return false;
    return !out->failed || aws_no_memory(call);
}
