/* What the training is given: checked, sorted, merged. */
#include <stdlib.h>
#include <string.h>

#include "common/match/train_impl.h"

#define COUNT_MAX (UINT64_C(1) << 62)

static int by_pattern(const void *a, const void *b)
{
    const struct kin_pattern_count *x = a, *y = b;
    return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

static int by_passes(const void *a, const void *b)
{
    const struct kin_train_set *x = a, *y = b;
    if (x->passes != y->passes)
        return x->passes < y->passes ? -1 : 1;
    return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

static kin_status no_memory(const struct train *t)
{
    return kin_err_set(t->err, KIN_E_NOMEM, "no memory to train the model");
}

static kin_status check_counts(const struct train *t, const char *what,
                               struct kin_pattern_counts counts)
{
    uint64_t sum = 0;
    for (size_t k = 0; k < counts.n; k++) {
        if (!kin_pattern_fits(t->input->spec, counts.items[k].pattern))
            return kin_err_set(t->err, KIN_E_INVAL,
                               "%s: pattern %016llx has levels that the comparisons have not", what,
                               (unsigned long long)counts.items[k].pattern);
        if (counts.items[k].count > COUNT_MAX || (sum += counts.items[k].count) > COUNT_MAX)
            return kin_err_set(t->err, KIN_E_LIMIT, "%s: more than 2^62 pairs", what);
    }
    return KIN_OK;
}

/* Sorts and merges items, of which it takes possession; empty ones are left out. */
static kin_status merge(const struct train *t, struct kin_pattern_count *items, size_t n,
                        struct train_counts *out)
{
    *out = (struct train_counts){0};
    if (n > 0)
        qsort(items, n, sizeof *items, by_pattern);
    out->patterns = kin_arena_alloc(t->arena, n * sizeof *out->patterns);
    out->counts = kin_arena_alloc(t->arena, n * sizeof *out->counts);
    if (!out->patterns || !out->counts)
        return no_memory(t);
    uint64_t sum = 0, total = 0;
    for (size_t k = 0; k < n; k++) {
        sum += items[k].count;
        if (k + 1 < n && items[k + 1].pattern == items[k].pattern)
            continue;
        if (sum > 0) {
            out->patterns[out->n] = items[k].pattern;
            out->counts[out->n++] = (double)sum;
        }
        total += sum;
        sum = 0;
    }
    out->total = (double)total;
    return KIN_OK;
}

static kin_status take(const struct train *t, const char *what, struct kin_pattern_counts counts,
                       uint32_t leave_out, struct train_counts *out)
{
    kin_status status = check_counts(t, what, counts);
    if (status)
        return status;
    struct kin_pattern_count *items = kin_alloc(counts.n * sizeof *items);
    if (!items)
        return no_memory(t);
    for (size_t k = 0; k < counts.n; k++) {
        items[k] = counts.items[k];
        for (unsigned i = 0; i < t->count; i++) {
            if (leave_out >> i & 1)
                items[k].pattern = kin_pattern_with(items[k].pattern, i, 0);
        }
    }
    status = merge(t, items, counts.n, out);
    kin_free(items);
    return status;
}

static uint32_t filled_comparisons(const struct train *t, const struct train_counts *counts)
{
    uint64_t any = 0;
    uint32_t filled = 0;
    for (size_t k = 0; k < counts->n; k++)
        any |= counts->patterns[k];
    for (unsigned i = 0; i < t->count; i++)
        filled |= (uint32_t)(kin_pattern_level(any, i) != 0) << i;
    return filled;
}

/* Of some comparisons those that have more than one level. */
static uint32_t graded_comparisons(const struct train *t, const struct train_counts *counts,
                                   uint32_t some)
{
    uint32_t levels[KIN_COMPARISONS_MAX] = {0}, graded = 0;
    for (size_t k = 0; k < counts->n; k++) {
        for (unsigned i = 0; i < t->count; i++)
            levels[i] |= UINT32_C(1) << kin_pattern_level(counts->patterns[k], i);
    }
    for (unsigned i = 0; i < t->count; i++) {
        uint32_t seen = levels[i] & ~UINT32_C(1); /* without nulls */
        graded |= (uint32_t)((seen & (seen - 1)) != 0) << i & some;
    }
    return graded;
}

static unsigned agreements(const struct train *t, uint64_t pattern)
{
    unsigned n = 0;
    for (unsigned i = 0; i < t->count; i++) {
        unsigned level = kin_pattern_level(pattern, i);
        n += level != 0 && level < t->levels[i];
    }
    return n;
}

/* Of very many patterns every n-th, for the search. Those with equally many agreements are thinned
 * apart, so that rare matches among many other pairs are kept, and counts are scaled up again. */
static kin_status thin(const struct train *t, const struct train_counts *all,
                       struct train_counts *out)
{
    enum { STRATA = KIN_COMPARISONS_MAX + 1 };
    size_t n[STRATA] = {0}, seen[STRATA] = {0};
    double total[STRATA] = {0}, kept[STRATA] = {0};
    *out = *all;
    if (all->n <= TRAIN_FEW)
        return KIN_OK;
    out->patterns = kin_arena_alloc(t->arena, all->n * sizeof *out->patterns);
    out->counts = kin_arena_alloc(t->arena, all->n * sizeof *out->counts);
    if (!out->patterns || !out->counts)
        return no_memory(t);
    for (size_t k = 0; k < all->n; k++) {
        n[agreements(t, all->patterns[k])]++;
        total[agreements(t, all->patterns[k])] += all->counts[k];
    }
    out->n = 0;
    for (size_t k = 0; k < all->n; k++) {
        unsigned s = agreements(t, all->patterns[k]);
        if (seen[s]++ % (1 + n[s] * t->count / TRAIN_FEW) != 0)
            continue;
        out->patterns[out->n] = all->patterns[k];
        out->counts[out->n++] = all->counts[k];
        kept[s] += all->counts[k];
    }
    for (size_t k = 0; k < out->n; k++) {
        unsigned s = agreements(t, out->patterns[k]);
        out->counts[k] *= total[s] / kept[s];
    }
    return KIN_OK;
}

static kin_status take_pass(const struct train *t, const struct kin_train_pass *from,
                            struct train_pass *out)
{
    if (!from->name || !from->name[0] || strlen(from->name) > KIN_MODEL_NAME_MAX)
        return kin_err_set(t->err, KIN_E_INVAL, "a pass has no name, or one above %d bytes",
                           KIN_MODEL_NAME_MAX);
    struct train_counts active;
    kin_status status = take(t, from->name, from->counts, 0, &out->all);
    if (status)
        return status;
    uint32_t filled = filled_comparisons(t, &out->all) & t->known;
    out->active = out->used = filled & ~from->forced;
    out->graded = out->active ? graded_comparisons(t, &out->all, filled & from->forced) : 0;
    status = take(t, from->name, from->counts, ~(out->active | out->graded), &out->free);
    if (!status)
        status = take(t, from->name, from->counts, ~out->active, &active);
    if (!status)
        status = thin(t, &active, &out->few);
    if (status)
        return status;
    out->scale = 1;
    if (from->pairs > COUNT_MAX)
        return kin_err_set(t->err, KIN_E_LIMIT, "%s: more than 2^62 pairs", from->name);
    if (from->pairs && out->all.total > 0)
        out->scale = (double)from->pairs / out->all.total;
    return KIN_OK;
}

static kin_status take_passes(struct train *t)
{
    const struct kin_train_input *in = t->input;
    if (in->pass_count > KIN_MODEL_PASSES_MAX)
        return kin_err_set(t->err, KIN_E_LIMIT, "%u blocking passes; at most %d are possible",
                           in->pass_count, KIN_MODEL_PASSES_MAX);
    t->random_is_pass = in->pass_count == 0 && !t->random_borrowed && t->random.total > 0;
    t->pass_count = t->random_is_pass ? 1 : in->pass_count;
    t->passes = kin_arena_calloc(t->arena, t->pass_count, sizeof *t->passes);
    if (!t->passes)
        return no_memory(t);
    if (t->random_is_pass) {
        t->passes[0] = (struct train_pass){
            .all = t->random, .free = t->random, .active = t->known, .used = t->known, .scale = 1};
        return thin(t, &t->random, &t->passes[0].few);
    }
    for (unsigned p = 0; p < in->pass_count; p++) {
        kin_status status = take_pass(t, &in->passes[p], &t->passes[p]);
        if (status)
            return status;
    }
    return KIN_OK;
}

static kin_status check_sets(const struct train *t)
{
    const struct kin_train_input *in = t->input;
    uint64_t sum = 0;
    for (size_t k = 0; k < in->set_count; k++) {
        const struct kin_train_set *s = &in->sets[k];
        if (!kin_pattern_fits(in->spec, s->pattern) || s->passes == 0 ||
            (in->pass_count < 32 && s->passes >> in->pass_count))
            return kin_err_set(t->err, KIN_E_INVAL,
                               "overlap of passes: pattern %016llx or set of passes %x is none",
                               (unsigned long long)s->pattern, (unsigned)s->passes);
        if (s->count > COUNT_MAX || (sum += s->count) > COUNT_MAX || in->set_pairs > COUNT_MAX)
            return kin_err_set(t->err, KIN_E_LIMIT, "overlap of passes: more than 2^62 pairs");
    }
    return KIN_OK;
}

static kin_status take_sets(struct train *t)
{
    const struct kin_train_input *in = t->input;
    kin_status status = check_sets(t);
    if (status)
        return status;
    struct kin_train_set *items = kin_alloc(in->set_count * sizeof *items);
    t->sets = kin_arena_alloc(t->arena, in->set_count * sizeof *t->sets);
    if (!items || !t->sets) {
        kin_free(items);
        return no_memory(t);
    }
    if (in->set_count > 0) {
        memcpy(items, in->sets, in->set_count * sizeof *items);
        qsort(items, in->set_count, sizeof *items, by_passes);
    }
    uint64_t total = 0, sum = 0;
    for (size_t k = 0; k < in->set_count; k++) {
        sum += items[k].count;
        if (k + 1 < in->set_count && by_passes(&items[k], &items[k + 1]) == 0)
            continue;
        if (sum > 0)
            t->sets[t->set_count++] =
                (struct train_set){items[k].passes, items[k].pattern, (double)sum};
        total += sum;
        sum = 0;
    }
    t->set_scale = in->set_pairs && total ? (double)in->set_pairs / (double)total : 1;
    kin_free(items);
    return KIN_OK;
}

/* What is believed of matches before anything is seen: mostly they agree. */
void train_start_m(const struct train *t, unsigned i, double *p)
{
    unsigned levels = t->levels[i];
    for (unsigned l = 0; l < KIN_EM_LEVELS; l++)
        p[l] = 0;
    p[1] = levels == 2 ? 0.9 : 0.8;
    p[levels] = levels == 2 ? 0.1 : 0.08;
    for (unsigned l = 2; l < levels; l++)
        p[l] = 0.12 / (levels - 2);
}

kin_status train_prepare(struct train *t)
{
    const struct kin_train_input *in = t->input;
    kin_status status = kin_model_spec_check(in->spec, t->err);
    if (status)
        return status;
    t->count = in->spec->count;
    for (unsigned i = 0; i < t->count; i++)
        t->levels[i] = in->spec->comparisons[i].level_count;
    t->labelled = in->matches.n > 0;
    if (in->records > COUNT_MAX || in->possible_pairs > COUNT_MAX)
        return kin_err_set(t->err, KIN_E_LIMIT, "more than 2^62 records or possible pairs");
    if ((status = take(t, "random pairs", in->random, 0, &t->random)) ||
        (status = take(t, "labelled matches", in->matches, 0, &t->matches)) ||
        (status = take(t, "labelled other pairs", in->others, 0, &t->others)))
        return status;
    if (t->random.n == 0) { /* next best, though labelled pairs are rarely random ones */
        t->random = t->others;
        t->random_borrowed = true;
    }
    t->known = filled_comparisons(t, &t->random);
    if ((status = take_passes(t)) || (status = take_sets(t)))
        return status;
    for (unsigned i = 0; i < t->count; i++) {
        train_start_m(t, i, t->m[i]);
        t->filled[i] = 1;
        t->damping[i][0] = t->damping[i][1] = 1;
        for (unsigned l = 1; l <= t->levels[i]; l++) /* where nothing is known: worth nothing */
            t->u[i][l] = t->m[i][l];
    }
    return KIN_OK;
}
