/* A pair starts with the most that it could weigh, going by what is cheap to see: a comparison
 * whose values have equal hashes is at its first level, one with different single values is below,
 * one without values weighs nothing. Then one comparison after another is looked at in earnest, and
 * the bound comes down to the exact weight; it ends where it falls below the floor. */
#include "common/match/compare_decide.h"

#include "common/match/compare_impl.h"

/* How the values of a comparison stand without comparing. */
enum look {
    LOOK_NULL,
    LOOK_EQUAL,   /* one value on either side, the same */
    LOOK_UNEQUAL, /* one value on either side */
    LOOK_SEVERAL, /* anything else */
    LOOKS
};

/* A comparison, in the order in which they are compared. */
struct turn {
    uint8_t comparison;
    bool one_field;
    uint16_t field;
    int32_t most[LOOKS]; /* that it can weigh, term frequency included */
};

/* Weights of equal values of a comparison with term frequencies, at the slots of its counts. */
struct equal_weights {
    struct equal_weight {
        uint64_t hash;
        int32_t weight;
        bool used;
    } * slots; /* NULL: nothing was counted */
    uint64_t mask;
    int32_t unknown; /* of values that were not counted */
};

struct kin_model_decider {
    const struct kin_comparer *comparer;
    const struct kin_value_counts *counts; /* may be NULL */
    struct kin_model_tables tables;
    bool adjusted[KIN_COMPARISONS_MAX]; /* term frequencies can change something */
    struct equal_weights equal[KIN_COMPARISONS_MAX];
    struct turn turns[KIN_COMPARISONS_MAX];
    uint32_t adjusted_turns; /* bit: turn */
    uint32_t other_turns;    /* of several fields: nothing is seen without comparing */
    int32_t other_most;      /* that these can weigh together, and the prior */
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

static struct turn turn_of(const struct kin_model_decider *d, unsigned i)
{
    const struct kin_plan *plan = &d->comparer->plans[i];
    const struct kin_chain *each = &plan->chains[KIN_READ_EACH];
    struct turn turn = {
        .comparison = (uint8_t)i, .one_field = plan->field_count == 1, .field = plan->fields[0]};
    int32_t several = INT32_MIN, unequal = d->tables.weight[i][plan->else_level];
    for (unsigned level = 1; level <= plan->else_level; level++)
        several = larger(several, most_of_level(d, i, level));
    for (unsigned k = 0; k < each->count; k++)
        unequal = larger(unequal, most_of_level(d, i, each->steps[k].level));
    turn.most[LOOK_EQUAL] = each->equal ? most_of_level(d, i, each->equal) : several;
    turn.most[LOOK_UNEQUAL] = unequal;
    turn.most[LOOK_SEVERAL] = turn.one_field ? several : larger(several, 0); /* it may be null */
    return turn;
}

/* By how far "else", which is what most unequal values are, brings the bound down for the time it
 * takes; ties by number. */
static bool goes_before(const struct kin_model_decider *d, const struct turn *x,
                        const struct turn *y)
{
    const struct kin_plan *plan_x = &d->comparer->plans[x->comparison];
    const struct kin_plan *plan_y = &d->comparer->plans[y->comparison];
    int64_t gain_x =
        (int64_t)x->most[LOOK_UNEQUAL] - d->tables.weight[x->comparison][plan_x->else_level];
    int64_t gain_y =
        (int64_t)y->most[LOOK_UNEQUAL] - d->tables.weight[y->comparison][plan_y->else_level];
    return gain_x * plan_y->cost > gain_y * plan_x->cost;
}

static void find_turns(struct kin_model_decider *d)
{
    for (unsigned i = 0; i < d->comparer->count; i++) {
        struct turn turn = turn_of(d, i);
        unsigned at = i;
        for (; at > 0 && goes_before(d, &turn, &d->turns[at - 1]); at--)
            d->turns[at] = d->turns[at - 1];
        d->turns[at] = turn;
    }
    d->other_most = d->tables.prior;
    for (unsigned k = 0; k < d->comparer->count; k++) {
        const struct turn *turn = &d->turns[k];
        d->adjusted_turns |= (uint32_t)d->adjusted[turn->comparison] << k;
        d->other_turns |= (uint32_t)!turn->one_field << k;
        d->other_most += turn->one_field ? 0 : turn->most[LOOK_SEVERAL];
    }
}

/* false: out of memory. */
static bool weigh_counts(struct kin_model_decider *d, unsigned i)
{
    unsigned level = d->comparer->plans[i].chains[KIN_READ_EACH].equal;
    const struct kin_value_table *from = &d->counts->tables[i];
    struct equal_weights *to = &d->equal[i];
    int32_t weight = d->tables.weight[i][level];
    uint64_t total = total_of(d, i);
    to->unknown = weight + kin_model_tf_adjust(&d->tables, i, level, 0, total);
    if (!from->slots)
        return true;
    to->mask = from->mask;
    to->slots = kin_calloc(from->mask + 1, sizeof *to->slots);
    for (uint64_t at = 0; to->slots && at <= from->mask; at++) {
        const struct kin_value_count *value = &from->slots[at];
        if (value->count)
            to->slots[at] = (struct equal_weight){
                value->hash,
                weight + kin_model_tf_adjust(&d->tables, i, level, value->count, total), true};
    }
    return to->slots != NULL;
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
        if (d->adjusted[i] && comparer->plans[i].field_count == 1 && !weigh_counts(d, i)) {
            kin_model_decider_free(d);
            return kin_err_set(err, KIN_E_NOMEM, "out of memory");
        }
    }
    find_turns(d);
    *out = d;
    return KIN_OK;
}

void kin_model_decider_free(struct kin_model_decider *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++)
        kin_free(d->equal[i].slots);
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

/* Bit k: turn k. */
struct sight {
    int32_t bound;
    uint32_t equal;   /* values are equal, and their weight is still to be looked up */
    uint32_t unequal; /* one different value on either side, still to be compared */
    uint32_t several; /* still to be compared, too */
};

/* Where a field begins: the number of its values, then the first of them. *words 0: it is null, and
 * this is the record's head, which is long enough to be read as if it were a field. */
static inline const uint8_t *value_at(const uint8_t *rec, unsigned field, unsigned *words)
{
    *words = kin_le16(rec + KIN_FEATURES_HEAD_BYTES + 2 * (size_t)field);
    return rec + 4 * (size_t)*words;
}

/* No branches: which of the four it is cannot be foretold. */
static inline struct sight look(const struct kin_model_decider *d, const uint8_t *a,
                                const uint8_t *b)
{
    int32_t bound = d->other_most;
    uint32_t equal = 0, unequal = 0, several = 0;
    unsigned count = d->comparer->count;
    for (unsigned k = 0; k < count; k++) {
        const struct turn *turn = &d->turns[k];
        unsigned words_a, words_b;
        const uint8_t *at_a = value_at(a, turn->field, &words_a);
        const uint8_t *at_b = value_at(b, turn->field, &words_b);
        uint32_t bit = (uint32_t)turn->one_field << k;
        uint32_t both = words_a && words_b ? bit : 0;
        uint32_t single = (kin_le32(at_a) | kin_le32(at_b)) == 1 ? both : 0;
        uint32_t same = kin_le64(at_a + 4) == kin_le64(at_b + 4) ? single : 0;
        unsigned look = both ? LOOK_SEVERAL : LOOK_NULL;
        look = single ? LOOK_UNEQUAL : look;
        look = same ? LOOK_EQUAL : look;
        bound += turn->most[look];
        equal |= same;
        unequal |= single ^ same;
        several |= both ^ single;
    }
    return (struct sight){bound, equal & d->adjusted_turns, unequal, several | d->other_turns};
}

/* What equal values weigh. */
static inline int32_t weigh_equal(const struct equal_weights *weights, uint64_t hash)
{
    if (!weights->slots)
        return weights->unknown;
    uint64_t at = hash & weights->mask;
    for (; weights->slots[at].used; at = (at + 1) & weights->mask) {
        if (weights->slots[at].hash == hash)
            return weights->slots[at].weight;
    }
    return weights->unknown;
}

/* What two different values weigh. */
static inline int32_t weigh_unequal(const struct kin_model_decider *d,
                                    struct kin_comparer_scratch *s, unsigned i, const uint8_t *a,
                                    const uint8_t *b)
{
    const struct kin_plan *plan = &d->comparer->plans[i];
    unsigned level = kin_plan_level(plan, s, a, b);
    int32_t weight = d->tables.weight[i][level];
    if (!d->adjusted[i] || level >= plan->else_level || !d->tables.tf_share[i][level])
        return weight;
    return weight + adjustment(d, i, level, count_of(d, i, kin_le64(a), kin_le64(b)));
}

static int32_t weigh_turn(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                          const struct turn *turn, bool single, const uint8_t *a, const uint8_t *b)
{
    unsigned words;
    if (!single)
        return weigh(d, s, turn->comparison, a, b) - turn->most[LOOK_SEVERAL];
    return weigh_unequal(d, s, turn->comparison, value_at(a, turn->field, &words) + 4,
                         value_at(b, turn->field, &words) + 4) -
           turn->most[LOOK_UNEQUAL];
}

bool kin_model_decider_above(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                             const uint8_t *a, const uint8_t *b, int32_t floor, int32_t *weight)
{
    struct sight sight = look(d, a, b);
    for (; sight.equal && sight.bound >= floor; sight.equal &= sight.equal - 1) {
        const struct turn *turn = &d->turns[__builtin_ctz(sight.equal)];
        unsigned words;
        uint64_t hash = kin_le64(value_at(a, turn->field, &words) + 4);
        sight.bound += weigh_equal(&d->equal[turn->comparison], hash) - turn->most[LOOK_EQUAL];
    }
    for (uint32_t open = sight.unequal | sight.several; open && sight.bound >= floor;
         open &= open - 1) {
        const struct turn *turn = &d->turns[__builtin_ctz(open)];
        sight.bound += weigh_turn(d, s, turn, sight.unequal & open & (0 - open), a, b);
    }
    if (sight.bound < floor)
        return false;
    *weight = sight.bound;
    return true;
}

int32_t kin_model_decider_weight(const struct kin_model_decider *d, struct kin_comparer_scratch *s,
                                 const uint8_t *a, const uint8_t *b)
{
    int32_t weight = 0;
    (void)kin_model_decider_above(d, s, a, b, INT32_MIN, &weight); /* nothing is below */
    return weight;
}
