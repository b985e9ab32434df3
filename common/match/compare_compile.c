/* From comparisons as parsed to plans: for each reading a chain of tests, and what they share. */
#include "common/match/compare_impl.h"

#include <string.h>

/* ---- chains ---- */

static bool is_distance(unsigned fn)
{
    return fn == KIN_LEVEL_LEVENSHTEIN || fn == KIN_LEVEL_DAMERAU;
}

/* Whether two tests ask the same measure. */
static bool same_measure(const struct kin_step *a, const struct kin_step *b)
{
    return a->fn == b->fn &&
           (is_distance(a->fn) || a->n == b->n); /* n: distance, or size of q-grams */
}

static void add_step(struct kin_chain *chain, const struct kin_level *level, unsigned number)
{
    struct kin_step step = {
        .fn = (uint8_t)level->fn,
        .level = (uint8_t)number,
        .slot = (uint8_t)chain->count,
        .percent = level->unit == KIN_LEVEL_PERCENT,
        .n = level->n,
        .limit = is_distance(level->fn) ? level->n : level->limit,
    };
    for (unsigned i = chain->count; i-- > 0;) {
        if (same_measure(&chain->steps[i], &step))
            step.slot = chain->steps[i].slot;
    }
    double *cut = &chain->cut[step.slot];
    bool first = step.slot == chain->count;
    if (first || (is_distance(step.fn) ? step.limit > *cut : step.limit < *cut))
        *cut = step.limit;
    chain->steps[chain->count++] = step;
    chain->one_measure = (chain->count == 1 || chain->one_measure) && step.slot == 0 &&
                         kin_level_specs[step.fn].args == KIN_LEVEL_SIMILARITY;
}

static void compile_chains(const struct kin_comparison *from, struct kin_plan *plan)
{
    for (unsigned i = 0; i < from->level_count; i++) {
        const struct kin_level *level = from->levels[i];
        struct kin_chain *chain = &plan->chains[level->reading];
        if (!chain->equal)
            chain->equal = i + 1;
        if (level->fn != KIN_LEVEL_EXACT)
            add_step(chain, level, i + 1);
    }
    plan->any_only = !plan->chains[KIN_READ_EACH].equal && !plan->chains[KIN_READ_SWAPPED].equal;
}

/* Cost of two unequal values that pass no test: each measure is taken once. */
static unsigned chain_cost(const struct kin_chain *chain)
{
    unsigned cost = 0;
    for (unsigned i = 0; i < chain->count; i++) {
        if (chain->steps[i].slot == i)
            cost += kin_level_specs[chain->steps[i].fn].cost;
    }
    return cost;
}

static unsigned plan_cost(const struct kin_plan *plan)
{
    /* the cost of a test is that on a name; these are longer */
    enum kin_type type = plan->types[0];
    unsigned length = type == KIN_TYPE_EMAIL || type == KIN_TYPE_TEXT || type == KIN_TYPE_ADDRESS;
    unsigned n = plan->field_count * (1 + length);
    return 2 + n * chain_cost(&plan->chains[KIN_READ_EACH]) +
           2 * chain_cost(&plan->chains[KIN_READ_SWAPPED]) +
           n * n * chain_cost(&plan->chains[KIN_READ_ANY]);
}

/* ---- plans ---- */

static enum kin_compare_kind kind_of(enum kin_type type)
{
    return type == KIN_TYPE_DATE     ? KIN_COMPARE_DATE
           : type == KIN_TYPE_NUMBER ? KIN_COMPARE_NUMBER
           : type == KIN_TYPE_GEO    ? KIN_COMPARE_PLACE
                                     : KIN_COMPARE_TEXT;
}

/* false: out of memory. */
static bool copy_texts(struct kin_comparer *c, const struct kin_comparison *from,
                       struct kin_plan *plan)
{
    plan->name = kin_arena_strndup(&c->arena, from->name, strlen(from->name));
    struct kin_buf text = {0};
    bool good = plan->name != NULL;
    for (unsigned i = 0; i < from->level_count && good; i++) {
        kin_buf_clear(&text);
        kin_level_print(from->levels[i], &text);
        plan->texts[i + 1] =
            text.failed ? NULL : kin_arena_strndup(&c->arena, (const char *)text.p, text.n);
        good = plan->texts[i + 1] != NULL;
    }
    kin_buf_deinit(&text);
    plan->texts[from->level_count + 1] = "else";
    return good;
}

static bool compile(struct kin_comparer *c, const struct kin_schema *schema,
                    const struct kin_comparison *from, struct kin_plan *plan)
{
    plan->kind = kind_of(schema->fields[from->fields[0]].type);
    plan->term_frequency = from->term_frequency;
    plan->else_level = from->level_count + 1;
    plan->field_count = from->field_count;
    for (unsigned i = 0; i < from->field_count; i++) {
        plan->fields[i] = from->fields[i];
        plan->types[i] = schema->fields[from->fields[i]].type;
    }
    compile_chains(from, plan);
    for (unsigned r = 0; r < KIN_READINGS; r++)
        plan->chains[r].tokens = &plan->tokens;
    plan->cost = plan_cost(plan);
    return copy_texts(c, from, plan);
}

kin_status kin_comparer_new(const struct kin_schema *schema,
                            const struct kin_comparison *comparisons, size_t count,
                            struct kin_comparer **out, struct kin_err *err)
{
    if (count < 1 || count > KIN_COMPARISONS_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "1 to %d comparisons, found %zu", KIN_COMPARISONS_MAX,
                           count);
    struct kin_comparer *c = kin_calloc(1, sizeof *c);
    bool good = c != NULL;
    for (size_t i = 0; i < count && good; i++)
        good = compile(c, schema, &comparisons[i], &c->plans[c->count++]);
    if (!good) {
        kin_comparer_free(c);
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    *out = c;
    return KIN_OK;
}

void kin_comparer_free(struct kin_comparer *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->count; i++)
        kin_free(c->plans[i].tokens.slots);
    kin_arena_deinit(&c->arena);
    kin_free(c);
}

/* ---- the model's side ---- */

void kin_comparer_spec(const struct kin_comparer *c, struct kin_model_spec *out)
{
    *out = (struct kin_model_spec){.count = c->count};
    for (unsigned i = 0; i < c->count; i++) {
        const struct kin_plan *plan = &c->plans[i];
        struct kin_model_comparison *to = &out->comparisons[i];
        to->name = plan->name;
        to->level_count = plan->else_level;
        to->term_frequency = plan->term_frequency;
        memcpy(to->level_text, plan->texts, sizeof plan->texts);
    }
}

static kin_status check_plan(const struct kin_plan *plan, const struct kin_model_comparison *model,
                             struct kin_err *err)
{
    if (strcmp(plan->name, model->name) != 0)
        return kin_err_set(err, KIN_E_INVAL,
                           "the workflow compares '%s' where the model has '%s'; expected the same "
                           "comparisons in the same order",
                           plan->name, model->name);
    if (plan->else_level != model->level_count)
        return kin_err_set(err, KIN_E_INVAL,
                           "'%s' has %u levels in the workflow and %u in the model (\"else\" "
                           "counted)",
                           plan->name, plan->else_level, model->level_count);
    for (unsigned l = 1; l <= plan->else_level; l++) {
        if (strcmp(plan->texts[l], model->level_text[l]) != 0)
            return kin_err_set(err, KIN_E_INVAL,
                               "level %u of '%s' is '%s' in the workflow and '%s' in the model", l,
                               plan->name, plan->texts[l], model->level_text[l]);
    }
    if (plan->term_frequency != model->term_frequency)
        return kin_err_set(err, KIN_E_INVAL, "'%s' has term frequencies in the %s only", plan->name,
                           plan->term_frequency ? "workflow" : "model");
    return KIN_OK;
}

kin_status kin_comparer_check_model(const struct kin_comparer *c,
                                    const struct kin_model_spec *model, struct kin_err *err)
{
    unsigned both = c->count < model->count ? c->count : model->count;
    for (unsigned i = 0; i < both; i++) {
        kin_status status = check_plan(&c->plans[i], &model->comparisons[i], err);
        if (status)
            return status;
    }
    if (c->count > both)
        return kin_err_set(err, KIN_E_INVAL, "the model lacks the comparison '%s'",
                           c->plans[both].name);
    if (model->count > both)
        return kin_err_set(err, KIN_E_INVAL, "the workflow lacks the model's comparison '%s'",
                           model->comparisons[both].name);
    return KIN_OK;
}
