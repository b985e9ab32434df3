#include "client/evaluate_impl.h"

double kin_ratio(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 1;
}

double kin_f1(double precision, double recall)
{
    double sum = precision + recall;
    return sum > 0 ? 2 * precision * recall / sum : 0;
}

double kin_score_precision(const struct kin_score *s)
{
    return kin_ratio(s->correct, s->found);
}

double kin_score_recall(const struct kin_score *s)
{
    return kin_ratio(s->correct, s->truth);
}

static kin_status evaluate_all(struct evaluator *e, struct kin_err *err)
{
    uint32_t *listed = NULL;
    kin_status status = evaluate_read_records(e, err);
    if (status == KIN_OK && (status = evaluate_count(e, &listed)) != KIN_OK)
        kin_err_set(err, status, "%s", kin_status_text(status));
    if (status == KIN_OK && e->options->pairs.name)
        status = evaluate_links(e, listed, err);
    kin_free(listed);
    return status;
}

kin_status kin_evaluate(const struct kin_evaluate_options *options, struct kin_evaluation **out,
                        struct kin_err *err)
{
    if (options->worst > KIN_EVALUATE_WORST_MAX || options->points < 2 ||
        options->points > KIN_EVALUATE_POINTS_MAX)
        return kin_err_set(err, KIN_E_INVAL, "options out of range");
    struct evaluator e = {.options = options, .out = kin_calloc(1, sizeof *e.out)};
    if (!e.out)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    e.out->across = options->across;
    kin_status status = evaluate_all(&e, err);
    evaluate_names_deinit(&e.ids);
    evaluate_names_deinit(&e.groups);
    evaluate_names_deinit(&e.entities);
    evaluate_names_deinit(&e.sources);
    kin_buf_deinit(&e.texts);
    kin_free(e.records);
    kin_free(e.group);
    if (status == KIN_OK)
        *out = e.out;
    else
        kin_evaluation_free(e.out);
    return status;
}

void kin_evaluation_free(struct kin_evaluation *e)
{
    if (!e)
        return;
    kin_arena_deinit(&e->arena);
    kin_free(e);
}
