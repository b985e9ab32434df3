/* The model's file: JSON with one level a line, keys in a fixed order. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/match/exact_math.h"
#include "common/match/model.h"

enum { MODEL_SUM_MILLIONTHS = 100 }; /* m and u of a comparison add up to 1 within this */

static const char *const SEEN[] = {"nowhere", "matches", "random pairs", "both"};

/* ---- writing ---- */

static void put_text(struct kin_buf *out, const char *text)
{
    kin_buf_putc(out, '"');
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            kin_buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            kin_buf_printf(out, "\\u%04x", c);
        else
            kin_buf_putc(out, (char)c);
    }
    kin_buf_putc(out, '"');
}

/* Four decimals, rounded half away from zero. */
static void put_weight(struct kin_buf *out, int32_t weight)
{
    uint64_t size = weight < 0 ? (uint64_t) - (int64_t)weight : (uint64_t)weight;
    uint64_t parts = (size * 10000 + KIN_WEIGHT_ONE / 2) / KIN_WEIGHT_ONE;
    kin_buf_printf(out, "%s%llu.%04llu", weight < 0 && parts ? "-" : "",
                   (unsigned long long)(parts / 10000), (unsigned long long)(parts % 10000));
}

static void put_comparison(struct kin_buf *out, const struct kin_model *model, unsigned i,
                           const struct kin_model_tables *tables)
{
    const struct kin_model_comparison *c = &model->spec.comparisons[i];
    kin_buf_puts(out, "    {\"name\": ");
    put_text(out, c->name);
    kin_buf_puts(out, ",\n     \"damping\": {\"for\": ");
    kin_math_print6(out, model->damping[i]);
    kin_buf_puts(out, ", \"against\": ");
    kin_math_print6(out, model->damping_against[i]);
    kin_buf_putc(out, '}');
    if (c->term_frequency) {
        kin_buf_puts(out, ", \"term_frequency\": {\"fuzzy\": ");
        kin_math_print6(out, model->tf_fuzzy[i]);
        if (model->tf_matched[i] > 0) {
            kin_buf_puts(out, ", \"matched\": ");
            kin_math_print6(out, model->tf_matched[i]);
        }
        kin_buf_putc(out, '}');
    }
    kin_buf_puts(out, ",\n     \"levels\": [\n");
    for (unsigned l = 1; l <= c->level_count; l++) {
        kin_buf_puts(out, "      {\"level\": ");
        put_text(out, c->level_text[l]);
        kin_buf_puts(out, ", \"m\": ");
        kin_math_print6(out, model->m[i][l]);
        kin_buf_puts(out, ", \"u\": ");
        kin_math_print6(out, model->u[i][l]);
        kin_buf_puts(out, ", \"weight\": ");
        put_weight(out, tables->weight[i][l]);
        kin_buf_printf(out, ", \"seen\": \"%s\"}%s\n",
                       SEEN[(model->m_seen[i][l] ? 1 : 0) + (model->u_seen[i][l] ? 2 : 0)],
                       l < c->level_count ? "," : "");
    }
    kin_buf_printf(out, "    ]}%s\n", i + 1 < model->spec.count ? "," : "");
}

static void put_count(struct kin_buf *out, const char *key, uint64_t value)
{
    kin_buf_printf(out, "    \"%s\": %llu,\n", key, (unsigned long long)value);
}

static void put_origin(struct kin_buf *out, const struct kin_model_origin *o)
{
    kin_buf_printf(out, "  \"trained\": {\n    \"workflow\": \"%016llx\",\n",
                   (unsigned long long)o->workflow);
    put_count(out, "records", o->records);
    put_count(out, "possible_pairs", o->possible_pairs);
    put_count(out, "random_pairs", o->random_pairs);
    put_count(out, "labelled_matches", o->labelled_matches);
    put_count(out, "labelled_others", o->labelled_others);
    put_count(out, "found", o->found);
    put_count(out, "matches", o->matches);
    put_count(out, "matches_low", o->matches_low);
    put_count(out, "matches_high", o->matches_high);
    kin_buf_puts(out, "    \"passes\": [");
    for (unsigned p = 0; p < o->pass_count; p++) {
        kin_buf_puts(out, p ? ",\n      {\"name\": " : "\n      {\"name\": ");
        put_text(out, o->passes[p].name);
        kin_buf_printf(out, ", \"pairs\": %llu, \"matches\": %llu",
                       (unsigned long long)o->passes[p].pairs,
                       (unsigned long long)o->passes[p].matches);
        if (o->passes[p].recall >= 0) {
            kin_buf_puts(out, ", \"recall\": ");
            kin_math_print6(out, o->passes[p].recall);
        }
        kin_buf_putc(out, '}');
    }
    kin_buf_puts(out, o->pass_count ? "\n    ]\n  },\n" : "]\n  },\n");
}

static void put_doubts(struct kin_buf *out, const struct kin_model *model)
{
    kin_buf_puts(out, "  \"doubts\": [");
    for (size_t d = 0; d < model->doubt_count; d++) {
        kin_buf_puts(out, d ? ",\n    {\"id\": " : "\n    {\"id\": ");
        put_text(out, model->doubts[d].id);
        kin_buf_puts(out, ", \"text\": ");
        put_text(out, model->doubts[d].text);
        kin_buf_putc(out, '}');
    }
    kin_buf_puts(out, model->doubt_count ? "\n  ]\n}\n" : "]\n}\n");
}

static void put_model(struct kin_buf *out, const struct kin_model *model)
{
    struct kin_model_tables tables;
    kin_model_tables(model, &tables);
    kin_buf_printf(
        out, "{\n  \"kindred_model\": %d,\n  \"prior\": {\"probability\": ", KIN_MODEL_FORMAT);
    kin_math_print6(out, model->prior);
    kin_buf_puts(out, ", \"weight\": ");
    put_weight(out, tables.prior);
    kin_buf_puts(out, "},\n  \"comparisons\": [\n");
    for (unsigned i = 0; i < model->spec.count; i++)
        put_comparison(out, model, i, &tables);
    kin_buf_puts(out, "  ],\n");
    put_origin(out, &model->origin);
    put_doubts(out, model);
}

kin_status kin_model_write(const struct kin_model *model, struct kin_buf *out, struct kin_err *err)
{
    kin_status status = kin_model_spec_check(&model->spec, err);
    if (status)
        return status;
    size_t before = out->n;
    put_model(out, model);
    if (out->failed) {
        out->n = before;
        return kin_err_set(err, KIN_E_NOMEM, "no memory for the model's text");
    }
    /* what would be refused when it is read is not written */
    struct kin_arena arena = {0};
    struct kin_model *check = kin_arena_alloc(&arena, sizeof *check);
    status = check ? kin_model_read(out->p + before, out->n - before, &arena, check, err)
                   : kin_err_set(err, KIN_E_NOMEM, "no memory to check the model");
    kin_arena_deinit(&arena);
    if (status)
        out->n = before;
    return status;
}

/* ---- reading ---- */

enum { PATH_MAX_BYTES = 96 };

struct reader {
    struct kin_arena *arena;
    struct kin_err *err;
    char path[PATH_MAX_BYTES]; /* where we are: "comparisons[2].levels[0]" */
};

KIN_PRINTF(3, 4)
static kin_status refuse(const struct reader *r, const char *key, const char *format, ...)
{
    char why[256];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return kin_err_set(r->err, KIN_E_INVAL, "%s%s%s: %s", r->path, r->path[0] && key[0] ? "." : "",
                       key, why);
}

/* Keys that are there must be known, and what is there must be an object. */
static kin_status check_object(const struct reader *r, const json_t *o, const char *const *keys)
{
    if (!json_is_object(o))
        return refuse(r, "", "expected an object in braces");
    for (void *it = json_object_iter((json_t *)(uintptr_t)o); it;
         it = json_object_iter_next((json_t *)(uintptr_t)o, it)) {
        const char *key = json_object_iter_key(it);
        size_t k = 0;
        while (keys[k] && strcmp(keys[k], key) != 0)
            k++;
        if (!keys[k]) {
            char shown[48];
            snprintf(shown, sizeof shown, "%s", key);
            return refuse(r, "", "unknown key '%s'", shown);
        }
    }
    return KIN_OK;
}

static kin_status read_number(const struct reader *r, const json_t *o, const char *key, double min,
                              double max, double *out)
{
    const json_t *v = json_object_get(o, key);
    if (!v)
        return refuse(r, key, "is missing");
    double x = json_number_value(v);
    if (!json_is_number(v) || !(x >= min && x <= max))
        return refuse(r, key, "expected a number from %g to %g", min, max);
    *out = kin_math_round6(x);
    return KIN_OK;
}

static kin_status read_count(const struct reader *r, const json_t *o, const char *key,
                             uint64_t *out)
{
    const json_t *v = json_object_get(o, key);
    if (!v)
        return refuse(r, key, "is missing");
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return refuse(r, key, "expected a whole number, 0 or more");
    *out = (uint64_t)json_integer_value(v);
    return KIN_OK;
}

static kin_status read_text(const struct reader *r, const json_t *o, const char *key, size_t max,
                            const char **out)
{
    const json_t *v = json_object_get(o, key);
    if (!v)
        return refuse(r, key, "is missing");
    size_t n = json_string_length(v);
    if (!json_is_string(v) || n == 0 || n > max)
        return refuse(r, key, "expected a text of 1 to %zu bytes", max);
    *out = kin_arena_strndup(r->arena, json_string_value(v), n);
    return *out ? KIN_OK : kin_err_set(r->err, KIN_E_NOMEM, "no memory for the model");
}

static kin_status read_list(const struct reader *r, const json_t *o, const char *key, size_t min,
                            size_t max, const json_t **out)
{
    const json_t *v = json_object_get(o, key);
    if (!v)
        return refuse(r, key, "is missing");
    if (!json_is_array(v) || json_array_size(v) < min || json_array_size(v) > max)
        return refuse(r, key, "expected a list of %zu to %zu", min, max);
    *out = v;
    return KIN_OK;
}

/* The weight is there for people: it may be left out, but it must not say anything else. */
static kin_status check_weight(const struct reader *r, const json_t *o, int32_t weight)
{
    const json_t *v = json_object_get(o, "weight");
    if (!v)
        return KIN_OK;
    double is = (double)weight / KIN_WEIGHT_ONE, off = json_number_value(v) - is;
    if (!json_is_number(v) || !(off < 0.001 && off > -0.001))
        return refuse(r, "weight",
                      "follows from the probabilities and is %.4f; change those, or "
                      "leave it out",
                      is);
    return KIN_OK;
}

static kin_status read_seen(const struct reader *r, const json_t *level, bool *m, bool *u)
{
    const char *seen = json_string_value(json_object_get(level, "seen"));
    for (unsigned s = 0; seen && s < 4; s++) {
        if (strcmp(seen, SEEN[s]) == 0) {
            *m = s & 1;
            *u = s >> 1;
            return KIN_OK;
        }
    }
    return refuse(r, "seen", "expected 'both', 'matches', 'random pairs' or 'nowhere'");
}

static kin_status read_level(struct reader *r, const json_t *o, struct kin_model *model, unsigned i,
                             unsigned l)
{
    static const char *const keys[] = {"level", "m", "u", "weight", "seen", NULL};
    struct kin_model_comparison *c = &model->spec.comparisons[i];
    kin_status status;
    snprintf(r->path, sizeof r->path, "comparisons[%u].levels[%u]", i, l - 1);
    if ((status = check_object(r, o, keys)) ||
        (status = read_text(r, o, "level", KIN_MODEL_NAME_MAX, &c->level_text[l])) ||
        (status = read_number(r, o, "m", KIN_MODEL_PROBABILITY_MIN, 1, &model->m[i][l])) ||
        (status = read_number(r, o, "u", KIN_MODEL_PROBABILITY_MIN, 1, &model->u[i][l])))
        return status;
    return read_seen(r, o, &model->m_seen[i][l], &model->u_seen[i][l]);
}

static kin_status check_sum(const struct reader *r, const char *what, const double *p, unsigned n)
{
    double sum = 0, slack = MODEL_SUM_MILLIONTHS * 1e-6;
    for (unsigned l = 1; l <= n; l++)
        sum += p[l];
    if (!(sum > 1 - slack && sum < 1 + slack))
        return refuse(r, "levels", "all %s together are %.6f, not 1", what, sum);
    return KIN_OK;
}

static kin_status read_damping(struct reader *r, const json_t *o, struct kin_model *model,
                               unsigned i)
{
    static const char *const keys[] = {"for", "against", NULL};
    const json_t *damping = json_object_get(o, "damping");
    kin_status status;
    snprintf(r->path, sizeof r->path, "comparisons[%u].damping", i);
    if ((status = check_object(r, damping, keys)) ||
        (status = read_number(r, damping, "for", 0, 1, &model->damping[i])))
        return status;
    return read_number(r, damping, "against", 0, 1, &model->damping_against[i]);
}

static kin_status read_term_frequency(struct reader *r, const json_t *o, struct kin_model *model,
                                      unsigned i)
{
    static const char *const keys[] = {"fuzzy", "matched", NULL};
    const json_t *tf = json_object_get(o, "term_frequency");
    model->spec.comparisons[i].term_frequency = tf != NULL;
    if (!tf)
        return KIN_OK;
    snprintf(r->path, sizeof r->path, "comparisons[%u].term_frequency", i);
    kin_status status = check_object(r, tf, keys);
    if (!status)
        status = read_number(r, tf, "fuzzy", 0, 1, &model->tf_fuzzy[i]);
    if (!status && json_object_get(tf, "matched"))
        status = read_number(r, tf, "matched", 0, KIN_MODEL_MATCHED_MAX, &model->tf_matched[i]);
    return status;
}

static kin_status read_comparison(struct reader *r, const json_t *o, struct kin_model *model,
                                  unsigned i)
{
    static const char *const keys[] = {"name", "damping", "term_frequency", "levels", NULL};
    struct kin_model_comparison *c = &model->spec.comparisons[i];
    const json_t *levels = NULL;
    kin_status status;
    snprintf(r->path, sizeof r->path, "comparisons[%u]", i);
    if ((status = check_object(r, o, keys)) ||
        (status = read_text(r, o, "name", KIN_MODEL_NAME_MAX, &c->name)) ||
        (status = read_list(r, o, "levels", 2, KIN_LEVELS_MAX, &levels)) ||
        (status = read_damping(r, o, model, i)) || (status = read_term_frequency(r, o, model, i)))
        return status;
    c->level_count = (unsigned)json_array_size(levels);
    for (unsigned l = 1; l <= c->level_count; l++) {
        if ((status = read_level(r, json_array_get(levels, l - 1), model, i, l)))
            return status;
    }
    snprintf(r->path, sizeof r->path, "comparisons[%u]", i);
    status = check_sum(r, "m", model->m[i], c->level_count);
    return status ? status : check_sum(r, "u", model->u[i], c->level_count);
}

static kin_status read_pass(struct reader *r, const json_t *o, struct kin_model_pass *out)
{
    static const char *const keys[] = {"name", "pairs", "matches", "recall", NULL};
    kin_status status;
    if ((status = check_object(r, o, keys)) ||
        (status = read_text(r, o, "name", KIN_MODEL_NAME_MAX, &out->name)) ||
        (status = read_count(r, o, "pairs", &out->pairs)) ||
        (status = read_count(r, o, "matches", &out->matches)))
        return status;
    out->recall = -1;
    return json_object_get(o, "recall") ? read_number(r, o, "recall", 0, 1, &out->recall) : KIN_OK;
}

static kin_status read_workflow(const struct reader *r, const json_t *o, uint64_t *out)
{
    const char *text = json_string_value(json_object_get(o, "workflow"));
    uint64_t value = 0;
    size_t n = 0;
    for (; text && text[n] && n < 17; n++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, text[n]);
        if (!at)
            break;
        value = value << 4 | (uint64_t)(at - digits);
    }
    if (n != 16 || text[n])
        return refuse(r, "workflow", "expected 16 hexadecimal digits, letters small");
    *out = value;
    return KIN_OK;
}

static kin_status read_origin(struct reader *r, const json_t *o, struct kin_model_origin *out)
{
    static const char *const keys[] = {"workflow",     "records",          "possible_pairs",
                                       "random_pairs", "labelled_matches", "labelled_others",
                                       "found",        "matches",          "matches_low",
                                       "matches_high", "passes",           NULL};
    uint64_t *const counts[] = {&out->records,          &out->possible_pairs,  &out->random_pairs,
                                &out->labelled_matches, &out->labelled_others, &out->found,
                                &out->matches,          &out->matches_low,     &out->matches_high};
    const json_t *passes = NULL;
    snprintf(r->path, sizeof r->path, "trained");
    kin_status status = check_object(r, o, keys);
    if (!status)
        status = read_workflow(r, o, &out->workflow);
    for (unsigned k = 0; !status && k < sizeof counts / sizeof counts[0]; k++)
        status = read_count(r, o, keys[k + 1], counts[k]);
    if (!status)
        status = read_list(r, o, "passes", 0, KIN_MODEL_PASSES_MAX, &passes);
    if (status)
        return status;
    out->pass_count = (unsigned)json_array_size(passes);
    for (unsigned p = 0; !status && p < out->pass_count; p++) {
        snprintf(r->path, sizeof r->path, "trained.passes[%u]", p);
        status = read_pass(r, json_array_get(passes, p), &out->passes[p]);
    }
    return status;
}

static kin_status read_doubts(struct reader *r, const json_t *root, struct kin_model *model)
{
    static const char *const keys[] = {"id", "text", NULL};
    const json_t *list = NULL;
    r->path[0] = '\0';
    kin_status status = read_list(r, root, "doubts", 0, KIN_MODEL_DOUBTS_MAX, &list);
    if (status)
        return status;
    size_t n = json_array_size(list);
    struct kin_model_doubt *doubts = kin_arena_calloc(r->arena, n, sizeof *doubts);
    if (!doubts)
        return kin_err_set(r->err, KIN_E_NOMEM, "no memory for the model");
    for (size_t d = 0; d < n; d++) {
        const json_t *o = json_array_get(list, d);
        snprintf(r->path, sizeof r->path, "doubts[%zu]", d);
        if ((status = check_object(r, o, keys)) ||
            (status = read_text(r, o, "id", KIN_MODEL_NAME_MAX, &doubts[d].id)) ||
            (status = read_text(r, o, "text", KIN_MODEL_TEXT_MAX, &doubts[d].text)))
            return status;
    }
    model->doubts = doubts;
    model->doubt_count = n;
    return KIN_OK;
}

static kin_status check_weights(struct reader *r, const json_t *root, const struct kin_model *model)
{
    struct kin_model_tables tables;
    kin_model_tables(model, &tables);
    snprintf(r->path, sizeof r->path, "prior");
    kin_status status = check_weight(r, json_object_get(root, "prior"), tables.prior);
    const json_t *comparisons = json_object_get(root, "comparisons");
    for (unsigned i = 0; i < model->spec.count; i++) {
        const json_t *levels = json_object_get(json_array_get(comparisons, i), "levels");
        for (unsigned l = 1; !status && l <= model->spec.comparisons[i].level_count; l++) {
            snprintf(r->path, sizeof r->path, "comparisons[%u].levels[%u]", i, l - 1);
            status = check_weight(r, json_array_get(levels, l - 1), tables.weight[i][l]);
        }
    }
    return status;
}

static kin_status read_root(struct reader *r, const json_t *root, struct kin_model *model)
{
    static const char *const keys[] = {"kindred_model", "prior",  "comparisons",
                                       "trained",       "doubts", NULL};
    static const char *const prior_keys[] = {"probability", "weight", NULL};
    const json_t *list = NULL, *prior = json_object_get(root, "prior");
    if (json_is_object(root) && json_object_get(root, "kindred_model") &&
        json_integer_value(json_object_get(root, "kindred_model")) != KIN_MODEL_FORMAT)
        return kin_err_set(r->err, KIN_E_VERSION, "kindred_model: this version reads format %d",
                           KIN_MODEL_FORMAT);
    kin_status status = check_object(r, root, keys);
    if (status)
        return status;
    if (!json_object_get(root, "kindred_model"))
        return refuse(r, "kindred_model", "is missing: not a model file");
    if ((status = read_list(r, root, "comparisons", 1, KIN_COMPARISONS_MAX, &list)))
        return status;
    model->spec.count = (unsigned)json_array_size(list);
    for (unsigned i = 0; i < model->spec.count; i++) {
        if ((status = read_comparison(r, json_array_get(list, i), model, i)))
            return status;
    }
    if ((status = kin_model_spec_check(&model->spec, r->err)))
        return kin_err_wrap(r->err, status, "comparisons");
    snprintf(r->path, sizeof r->path, "prior");
    if ((status = check_object(r, prior, prior_keys)) ||
        (status = read_number(r, prior, "probability", KIN_MODEL_PROBABILITY_MIN, 0.999999,
                              &model->prior)) ||
        (status = read_origin(r, json_object_get(root, "trained"), &model->origin)) ||
        (status = read_doubts(r, root, model)))
        return status;
    return check_weights(r, root, model);
}

kin_status kin_model_read(const void *text, size_t n, struct kin_arena *arena,
                          struct kin_model *out, struct kin_err *err)
{
    if (n > KIN_MODEL_FILE_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "a model file has at most %d bytes",
                           KIN_MODEL_FILE_MAX);
    json_error_t where;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return kin_err_set(err, KIN_E_SYNTAX, "line %d, column %d: %s", where.line, where.column,
                           where.text);
    struct reader r = {.arena = arena, .err = err};
    struct kin_model *model = kin_arena_calloc(arena, 1, sizeof *model);
    kin_status status = model ? read_root(&r, root, model)
                              : kin_err_set(err, KIN_E_NOMEM, "no memory for the model");
    if (!status)
        *out = *model;
    json_decref(root);
    return status;
}
