#ifndef KIN_TESTS_UNIT_EVALUATE_KIT_H
#define KIN_TESTS_UNIT_EVALUATE_KIT_H
/* Evaluations of texts in memory. */
#include "client/evaluate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAIRS_HEADER "source_a,id_a,source_b,id_b,weight,match_rule\n"

struct text_source {
    struct kin_str text;
    size_t at;
};

/* In small steps, as a pipe would. */
static inline kin_status read_text(void *arg, uint8_t *to, size_t cap, size_t *got,
                                   struct kin_err *err)
{
    struct text_source *t = arg;
    size_t left = t->text.n - t->at, step = cap < 5000 ? cap : 5000;
    (void)err;
    *got = left < step ? left : step;
    if (*got)
        memcpy(to, t->text.p + t->at, *got);
    t->at += *got;
    return KIN_OK;
}

static const struct kin_evaluate_options plain_options = {.worst = 10, .points = 20};

/* pairs may be empty: there is no such file. */
static inline kin_status evaluate_texts(struct kin_str matches, struct kin_str truth,
                                        struct kin_str pairs, struct kin_evaluate_options options,
                                        struct kin_evaluation **out, struct kin_err *err)
{
    struct text_source texts[] = {{matches, 0}, {truth, 0}, {pairs, 0}};
    options.matches = (struct kin_evaluate_file){"matches", {read_text, &texts[0]}};
    options.truth = (struct kin_evaluate_file){"truth", {read_text, &texts[1]}};
    if (pairs.n)
        options.pairs = (struct kin_evaluate_file){"pairs", {read_text, &texts[2]}};
    return kin_evaluate(&options, out, err);
}

static inline struct kin_str str_of_buf(const struct kin_buf *b)
{
    return (struct kin_str){(const char *)b->p, b->n};
}

static inline void assert_close(double got, double want)
{
    if (got < want - 1e-12 || got > want + 1e-12)
        fail_msg("%.15f is not %.15f", got, want);
}

/* 0 .. n - 1 */
static inline uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*state >> 33) * n) >> 31);
}

#endif
