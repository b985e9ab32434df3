#include "client/explain_impl.h"
#include "client/report_pairs.h"

#include <string.h>

/* The steps of chosen pairs, decided as a job decides. */

static kin_status put_values(const struct kin_explain *e, const struct kin_comparison *c,
                             const uint8_t *rec, struct kin_arena *arena, struct kin_str *out,
                             struct kin_err *err)
{
    struct kin_buf text = {0};
    for (unsigned f = 0; f < c->field_count; f++) {
        if (f)
            kin_buf_puts(&text, " \xc2\xb7 ");
        size_t before = text.n;
        kin_explain_values(e->x.workflow, rec, c->fields[f], &text);
        if (text.n == before)
            kin_buf_puts(&text, "\xe2\x80\x93"); /* a dash: no value */
    }
    out->p = kin_arena_strndup(arena, text.p ? (const char *)text.p : "", text.n);
    out->n = text.n;
    bool good = out->p && !text.failed;
    kin_buf_deinit(&text);
    return good ? KIN_OK : kin_err_set(err, KIN_E_NOMEM, "out of memory");
}

/* The model's texts go with kin_explain, the page comes later. */
static const char *keep(struct kin_arena *arena, const char *text)
{
    return kin_arena_strndup(arena, text, strlen(text));
}

static kin_status fill(struct kin_explain *e, const uint8_t *a, const uint8_t *b,
                       struct kin_arena *arena, struct kin_waterfall *w, struct kin_err *err)
{
    struct kin_model_explained m;
    kin_model_decider_explain(e->x.decider, e->x.scratch, a, b, &m);
    struct kin_waterfall_step *steps =
        kin_arena_calloc(arena, 2 * (size_t)m.count + 1, sizeof *steps);
    if (!steps)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    int32_t total = m.prior;
    size_t n = 1;
    kin_status status = KIN_OK;
    steps[0] = (struct kin_waterfall_step){
        "prior", {"", 0}, {"", 0}, "", kin_explain_bits(total), kin_explain_bits(total)};
    for (unsigned i = 0; i < m.count && status == KIN_OK; i++) {
        const struct kin_model_comparison *spec = &e->x.model->spec.comparisons[i];
        const struct kin_comparison *c = &e->x.workflow->model->comparisons[i];
        unsigned level = m.comparisons[i].level;
        struct kin_waterfall_step *step = &steps[n++];
        total += m.comparisons[i].level_weight;
        *step = (struct kin_waterfall_step){
            .label = keep(arena, spec->name),
            .level = level && level <= spec->level_count ? keep(arena, spec->level_text[level])
                                                         : "no value",
            .weight = kin_explain_bits(m.comparisons[i].level_weight),
            .total = kin_explain_bits(total)};
        if (!step->label || !step->level)
            return kin_err_set(err, KIN_E_NOMEM, "out of memory");
        status = put_values(e, c, a, arena, &step->a, err);
        if (status == KIN_OK)
            status = put_values(e, c, b, arena, &step->b, err);
        if (!m.comparisons[i].term_frequency)
            continue;
        total += m.comparisons[i].term_frequency;
        steps[n++] = (struct kin_waterfall_step){step->label,
                                                 {"", 0},
                                                 {"", 0},
                                                 "how common that is",
                                                 kin_explain_bits(m.comparisons[i].term_frequency),
                                                 kin_explain_bits(total)};
    }
    w->steps = steps;
    w->step_count = n;
    w->probability = kin_weight_probability(total);
    return status;
}

static kin_status explain_one(struct kin_explain *e, const struct kin_chosen_pair *pair,
                              struct kin_arena *arena, struct kin_waterfall *out,
                              struct kin_err *err)
{
    const struct kin_record *a, *b;
    *out = (struct kin_waterfall){.title = pair->title,
                                  .source_a = pair->source_a,
                                  .id_a = pair->id_a,
                                  .source_b = pair->source_b,
                                  .id_b = pair->id_b};
    kin_status status = kin_records_find(&e->records, pair->source_a, pair->id_a, &a, err);
    if (status == KIN_OK)
        status = kin_records_find(&e->records, pair->source_b, pair->id_b, &b, err);
    return status == KIN_OK ? fill(e, a->features, b->features, arena, out, err) : status;
}

kin_status kin_report_explain_pairs(const struct kin_workflow *workflow, const char *dir,
                                    const struct kin_chosen_pair *pairs, size_t count,
                                    struct kin_arena *arena, struct kin_waterfall *out,
                                    struct kin_err *err)
{
    struct kin_explain *e = NULL;
    struct kin_str ids[2 * KIN_CHOSEN_PAIRS];
    for (size_t i = 0; i < count && i < KIN_CHOSEN_PAIRS; i++) {
        ids[2 * i] = pairs[i].id_a;
        ids[2 * i + 1] = pairs[i].id_b;
    }
    kin_status status = kin_explain_open(workflow, dir, &e, err);
    if (status == KIN_OK)
        status = explain_read(e, ids, 2 * count, err);
    for (size_t i = 0; i < count && status == KIN_OK; i++)
        status = explain_one(e, &pairs[i], arena, &out[i], err);
    kin_explain_close(e);
    return status;
}
