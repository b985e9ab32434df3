/* A pair starts with the most that it could weigh, going by what is cheap to see: a comparison
 * whose values have equal hashes is at its first level, one with different single values is below,
 * one without values weighs nothing. Then one comparison after another is looked at in earnest, and
 * the bound comes down to the exact weight; it ends where it falls below the floor. */
#include "common/match/compare_decide.h"

#include "common/match/compare_impl.h"

struct kin_model_decider {
    const struct kin_comparer *comparer;
    const struct kin_value_counts *counts; /* may be NULL */
    struct kin_model_tables tables;
    bool adjusted[KIN_COMPARISONS_MAX]; /* term frequencies can change something */
    /* most that a level can weigh, term frequency included */
    int32_t most_equal[KIN_COMPARISONS_MAX];   /* equal values of the one field */
    int32_t most_unequal[KIN_COMPARISONS_MAX]; /* different single values of it */
    int32_t most[KIN_COMPARISONS_MAX];         /* anything but null */
    uint8_t order[KIN_COMPARISONS_MAX];        /* of comparisons of unequal values */
};

/* ---- making ---- */

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static uint64_t total_of(const struct kin_model_decider *d, unsigned comparison)
{
    return d->counts ? d->counts->total[comparison] : 0;
}

/* Most that a level can add. The adjustment falls with the count, whatever its sign: the ends are
 * enough. */
static int32_t most_of_level(const struct kin_model_decider *d, unsigned comparison, unsigned level)
{
    int32_t weight = d->tables.weight[comparison][level];
    uint64_t total = total_of(d, comparison);
    if (!d->adjusted[comparison] || !total)
        return weight;
    return weight + larger(kin_model_tf_adjust(&d->tables, comparison, level, 2, total),
                           kin_model_tf_adjust(&d->tables, comparison, level, total, total));
}

static void find_bounds(struct kin_model_decider *d, unsigned i)
{
    const struct kin_plan *plan = &d->comparer->plans[i];
    const struct kin_chain *each = &plan->chains[KIN_READ_EACH];
    int32_t most = INT32_MIN, unequal = d->tables.weight[i][plan->else_level];
    for (unsigned level = 1; level <= plan->else_level; level++)
        most = larger(most, most_of_level(d, i, level));
    for (unsigned k = 0; k < each->count; k++)
        unequal = larger(unequal, most_of_level(d, i, each->steps[k].level));
    d->most[i] = most;
    d->most_unequal[i] = unequal;
    d->most_equal[i] = each->equal ? most_of_level(d, i, each->equal) : most;
}

/* Comparisons by how far "else", which is what most pairs are, brings the bound down for the time
 * it takes; ties by number. */
static void find_order(struct kin_model_decider *d)
{
    for (unsigned i = 0; i < d->comparer->count; i++) {
        const struct kin_plan *plan = &d->comparer->plans[i];
        int64_t gain = (int64_t)d->most_unequal[i] - d->tables.weight[i][plan->else_level];
        unsigned at = i;
        for (; at > 0; at--) {
            unsigned other = d->order[at - 1];
            const struct kin_plan *before = &d->comparer->plans[other];
            int64_t its =
                (int64_t)d->most_unequal[other] - d->tables.weight[other][before->else_level];
            if (its * plan->cost >= gain * before->cost)
                break;
            d->order[at] = (uint8_t)other;
        }
        d->order[at] = (uint8_t)i;
    }
}

kin_status kin_model_decider_new(const struct kin_comparer *comparer,
                                 const struct kin_model_tables *tables,
                                 const struct kin_value_counts *counts,
                                 struct kin_model_decider **out, struct kin_err *err)
{
    if (tables->count != comparer->count)
        return kin_err_set(err, KIN_E_INVAL, "the model has %u comparisons, the workflow %u",
                           tables->count, comparer->count);
    struct kin_model_decider *d = kin_calloc(1, sizeof *d);
    if (!d)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    d->comparer = comparer;
    d->counts = counts;
    d->tables = *tables;
    for (unsigned i = 0; i < comparer->count; i++) {
        d->adjusted[i] = comparer->plans[i].term_frequency && total_of(d, i) > 0;
        find_bounds(d, i);
    }
    find_order(d);
    *out = d;
    return KIN_OK;
}

void kin_model_decider_free(struct kin_model_decider *d)
{
    kin_free(d);
}

/* ---- the plain way ---- */

/* Records that have the value, of two values the commoner. */
static uint64_t count_of(const struct kin_model_decider *d, unsigned comparison, uint64_t hash_a,
                         uint64_t hash_b)
{
    uint64_t count = kin_value_counts_of(d->counts, comparison, hash_a);
    if (hash_a == hash_b)
        return count;
    uint64_t other = kin_value_counts_of(d->counts, comparison, hash_b);
    return count > other ? count : other;
}

static int32_t adjustment(const struct kin_model_decider *d, unsigned comparison, unsigned level,
                          uint64_t count)
{
    return kin_model_tf_adjust(&d->tables, comparison, level, count, d->counts->total[comparison]);
}

/* What any comparison weighs. */
static int32_t weigh(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                     unsigned comparison, const uint8_t *a, const uint8_t *b)
{
    if (!d->adjusted[comparison]) {
        unsigned level = kin_comparer_level(d->comparer, s, comparison, a, b, NULL);
        return d->tables.weight[comparison][level];
    }
    struct kin_compared compared;
    unsigned level = kin_comparer_level(d->comparer, s, comparison, a, b, &compared);
    int32_t weight = d->tables.weight[comparison][level];
    if (!compared.counted || !d->tables.tf_share[comparison][level])
        return weight;
    return weight + adjustment(d, comparison, level,
                               count_of(d, comparison, compared.hash_a, compared.hash_b));
}

int32_t kin_model_decider_weight(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                                 const uint8_t *a, const uint8_t *b)
{
    int32_t weight = d->tables.prior;
    for (unsigned i = 0; i < d->comparer->count; i++)
        weight += weigh(d, s, i, a, b);
    return weight;
}

void kin_model_decider_explain(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                               const uint8_t *a, const uint8_t *b, struct kin_model_explained *out)
{
    out->pattern = 0;
    out->prior = out->weight = d->tables.prior;
    out->count = d->comparer->count;
    for (unsigned i = 0; i < out->count; i++) {
        struct kin_model_explained_comparison *c = &out->comparisons[i];
        c->level = kin_comparer_level(d->comparer, s, i, a, b, &c->compared);
        c->level_weight = d->tables.weight[i][c->level];
        c->term_frequency = 0;
        c->values = 0;
        if (d->adjusted[i] && c->compared.counted) {
            c->values = count_of(d, i, c->compared.hash_a, c->compared.hash_b);
            c->term_frequency = adjustment(d, i, c->level, c->values);
        }
        out->weight += c->level_weight + c->term_frequency;
        out->pattern = kin_pattern_with(out->pattern, i, c->level);
    }
}

/* ---- the short way ---- */

/* A comparison of which only bounds are known yet. */
struct open {
    uint8_t comparison;
    bool single;          /* one field with one value on either side: */
    const uint8_t *a, *b; /* the values */
    int32_t assumed;      /* that much of it is in the bound */
};

struct sight {
    int32_t bound;
    unsigned equal_count, open_count;
    struct open equal[KIN_COMPARISONS_MAX]; /* equal values, to be looked up among the counts */
    struct open open[KIN_COMPARISONS_MAX];  /* to be compared, in order */
};

static inline void put(struct sight *sight, struct open *list, unsigned *count, struct open open)
{
    sight->bound += open.assumed;
    list[(*count)++] = open;
}

/* What is seen of a comparison of one field without comparing. */
static inline void look_at_field(const struct kin_model_decider *d, unsigned i, const uint8_t *a,
                                 const uint8_t *b, struct sight *sight)
{
    unsigned field = d->comparer->plans[i].fields[0];
    struct open open = {.comparison = (uint8_t)i};
    unsigned count_a = kin_features_values(a, field, &open.a);
    unsigned count_b = kin_features_values(b, field, &open.b);
    if (!count_a || !count_b)
        return;
    open.single = (count_a | count_b) == 1;
    bool equal = open.single && kin_le64(open.a) == kin_le64(open.b);
    if (equal && !d->adjusted[i]) {
        sight->bound += d->most_equal[i];
    } else if (equal) {
        open.assumed = d->most_equal[i];
        put(sight, sight->equal, &sight->equal_count, open);
    } else {
        open.assumed = open.single ? d->most_unequal[i] : d->most[i];
        put(sight, sight->open, &sight->open_count, open);
    }
}

static inline void look(const struct kin_model_decider *d, const uint8_t *a, const uint8_t *b,
                        struct sight *sight)
{
    for (unsigned k = 0; k < d->comparer->count; k++) {
        unsigned i = d->order[k];
        if (d->comparer->plans[i].field_count == 1) {
            look_at_field(d, i, a, b, sight);
            continue;
        }
        struct open open = {.comparison = (uint8_t)i, .assumed = larger(d->most[i], 0)};
        put(sight, sight->open, &sight->open_count, open); /* it may be null: 0 */
    }
}

/* What a comparison weighs whose one field has one value on either side, as weigh does. */
static inline int32_t weigh_single(const struct kin_model_decider *d,
                                   struct kin_comparer_scratch *s, const struct open *open)
{
    unsigned i = open->comparison;
    const struct kin_plan *plan = &d->comparer->plans[i];
    unsigned level = kin_plan_level(plan, s, open->a, open->b);
    int32_t weight = d->tables.weight[i][level];
    if (!d->adjusted[i] || level >= plan->else_level || !d->tables.tf_share[i][level])
        return weight;
    return weight + adjustment(d, i, level, count_of(d, i, kin_le64(open->a), kin_le64(open->b)));
}

bool kin_model_decider_above(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                             const uint8_t *a, const uint8_t *b, int32_t floor, int32_t *weight)
{
    struct sight sight;
    sight.bound = d->tables.prior;
    sight.equal_count = sight.open_count = 0;
    look(d, a, b, &sight);
    for (unsigned k = 0; k < sight.equal_count && sight.bound >= floor; k++)
        sight.bound += weigh_single(d, s, &sight.equal[k]) - sight.equal[k].assumed;
    for (unsigned k = 0; k < sight.open_count && sight.bound >= floor; k++) {
        const struct open *open = &sight.open[k];
        sight.bound +=
            (open->single ? weigh_single(d, s, open) : weigh(d, s, open->comparison, a, b)) -
            open->assumed;
    }
    if (sight.bound < floor)
        return false;
    *weight = sight.bound;
    return true;
}
