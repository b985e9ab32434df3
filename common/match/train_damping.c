/* Damping of comparisons that say in part the same.
 *
 * Weights are added as if comparisons were independent. Where they are not, the sum says more than
 * is known. The classes of the passes do know: so each comparison gets two factors, 0..1, on its
 * weights for and against a match, such that the sums come nearest (in likelihood) to what the
 * classes say of the same pairs. That is a logistic regression on soft targets, whose slopes are
 * bounded, and believed to be 1 until pairs say otherwise: a convex problem, solved by Newton's
 * steps inside a box.
 *
 * Without labels weights against a match are left as they are: that matches differ in several
 * things at once makes those too strong, but the pairs at hand share a key, and show little of what
 * such weights keep out elsewhere; the weights for a match would have to pay for it. And pairs of
 * one block are not independent observations: all together they count as one for each record. */
#include <string.h>

#include "common/match/exact_math.h"
#include "common/match/train_impl.h"

enum {
    STEPS = 30,
    SWEEPS = 40,
    HALVINGS = 20,
    SLOPES_MAX = 2 * KIN_COMPARISONS_MAX,
    FACTORS_MAX = SLOPES_MAX + 1,
    ROWS_MAX = 16384 /* of one kind: clear matches, clear others, the rest */
};
#define BELIEF 40.0 /* how firmly a factor is believed to be 1, beside what pairs say */
#define LN2 0.69314718055994530942
#define CLEAR 0.001

struct row {
    uint64_t pattern;
    double count;
    double target; /* probability of a match, by the classes of the passes */
};

/* The factors: for each comparison one of weights above zero, one of those below; and, if `shift`,
 * one that moves the prior: labelled pairs are rarely a fair sample. */
struct regression {
    unsigned comparisons;
    bool shift;
    bool labelled;
    struct row *rows;
    size_t n;
    double bits[KIN_COMPARISONS_MAX][KIN_EM_LEVELS]; /* undamped weights */
    double prior;                                    /* log2 odds */
};

static unsigned slope_of(unsigned i, double bits)
{
    return 2 * i + (bits < 0);
}

static double row_bits(const struct regression *r, const double *factors, uint64_t pattern)
{
    double sum = r->prior;
    for (unsigned i = 0; i < r->comparisons; i++) {
        double bits = r->bits[i][kin_pattern_level(pattern, i)];
        sum += factors[slope_of(i, bits)] * bits;
    }
    return r->shift ? sum + factors[2 * (size_t)r->comparisons] : sum;
}

/* In bits: what the targets lose by being told so, and the price of leaving 1. */
static double loss(const struct regression *r, const double *factors)
{
    double sum = 0;
    for (size_t k = 0; k < r->n; k++) {
        double bits = row_bits(r, factors, r->rows[k].pattern), size = bits < 0 ? -bits : bits;
        double wrong = bits > 0 ? 1 - r->rows[k].target : r->rows[k].target;
        sum += r->rows[k].count * (kin_math_log2(1 + kin_math_exp2(-size)) + wrong * size);
    }
    for (unsigned f = 0; f < 2 * r->comparisons; f++)
        sum += 0.5 * BELIEF * (1 - factors[f]) * (1 - factors[f]);
    return sum;
}

struct quadratic {
    unsigned n;
    double slope[FACTORS_MAX];
    double curve[FACTORS_MAX][FACTORS_MAX];
};

static void add_row(const struct regression *r, const struct row *row, const double *factors,
                    struct quadratic *q)
{
    double odds = kin_math_exp2(row_bits(r, factors, row->pattern)), p = odds / (1 + odds);
    double off = row->count * (p - row->target), bend = row->count * p * (1 - p) * LN2;
    double x[KIN_COMPARISONS_MAX + 1];
    unsigned at[KIN_COMPARISONS_MAX + 1], n = r->comparisons + r->shift;
    for (unsigned i = 0; i < n; i++) {
        bool slope = i < r->comparisons;
        x[i] = slope ? r->bits[i][kin_pattern_level(row->pattern, i)] : 1;
        at[i] = slope ? slope_of(i, x[i]) : 2 * r->comparisons;
        q->slope[at[i]] += off * x[i];
        for (unsigned j = 0; j <= i; j++)
            q->curve[at[i]][at[j]] += bend * x[i] * x[j];
    }
}

static void expand(const struct regression *r, const double *factors, struct quadratic *q)
{
    memset(q, 0, sizeof *q);
    q->n = 2 * r->comparisons + r->shift;
    for (size_t k = 0; k < r->n; k++)
        add_row(r, &r->rows[k], factors, q);
    for (unsigned f = 0; f < q->n; f++) {
        bool slope = f < 2 * r->comparisons;
        q->slope[f] -= slope ? BELIEF * (1 - factors[f]) : 0;
        q->curve[f][f] += slope ? BELIEF : 1e-6;
        for (unsigned g = 0; g < f; g++)
            q->curve[g][f] = q->curve[f][g];
    }
}

/* The minimum of the quadratic inside the box, one coordinate after the other. */
static void minimise(const struct regression *r, const struct quadratic *q, const double *from,
                     double *to)
{
    memcpy(to, from, q->n * sizeof *to);
    for (unsigned sweep = 0; sweep < SWEEPS; sweep++) {
        for (unsigned f = 0; f < q->n; f++) {
            double slope = q->slope[f];
            for (unsigned g = 0; g < q->n; g++)
                slope += q->curve[f][g] * (to[g] - from[g]);
            double x = to[f] - slope / q->curve[f][f];
            double low = f < 2 * r->comparisons ? 0 : -100, high = f < 2 * r->comparisons ? 1 : 100;
            if (!r->labelled && f % 2 == 1) /* slope_of: against a match */
                low = high;
            to[f] = x < low ? low : x > high ? high : x;
        }
    }
}

static void descend(const struct regression *r, double *factors)
{
    double now = loss(r, factors);
    for (unsigned step = 0; step < STEPS; step++) {
        struct quadratic q;
        double to[FACTORS_MAX], tried[FACTORS_MAX], next = now, size = 1;
        expand(r, factors, &q);
        minimise(r, &q, factors, to);
        for (unsigned h = 0; h < HALVINGS && !(next < now); h++) {
            for (unsigned f = 0; f < q.n; f++)
                tried[f] = factors[f] + size * (to[f] - factors[f]);
            next = loss(r, tried);
            size /= 2;
        }
        if (!(now - next > 1e-6))
            return;
        memcpy(factors, tried, q.n * sizeof *factors);
        now = next;
    }
}

/* ---- the pairs ---- */

static void take_rows(const struct train *t, struct regression *r)
{
    if (t->labelled) {
        for (size_t k = 0; k < t->matches.n; k++)
            r->rows[r->n++] = (struct row){t->matches.patterns[k], t->matches.counts[k], 1};
        for (size_t k = 0; k < t->others.n; k++)
            r->rows[r->n++] = (struct row){t->others.patterns[k], t->others.counts[k], 0};
        return;
    }
    for (size_t k = 0; k < t->set_count; k++)
        r->rows[r->n++] =
            (struct row){t->sets[k].pattern, t->sets[k].count, train_set_posterior(t, &t->sets[k])};
    for (unsigned p = 0; t->set_count == 0 && p < t->pass_count; p++) {
        const struct train_counts *all = &t->passes[p].all;
        for (size_t k = 0; k < all->n; k++)
            r->rows[r->n++] = (struct row){all->patterns[k], all->counts[k],
                                           train_posterior(t, &t->passes[p], all->patterns[k])};
    }
}

static unsigned kind_of(const struct row *row)
{
    return row->target < CLEAR ? 0 : row->target > 1 - CLEAR ? 1 : 2;
}

/* Of very many rows of one kind every n-th, its count scaled up: a factor needs no millions. */
static void thin_rows(struct regression *r)
{
    size_t n[3] = {0}, seen[3] = {0}, kept = 0;
    double total[3] = {0}, left[3] = {0};
    for (size_t k = 0; k < r->n; k++) {
        n[kind_of(&r->rows[k])]++;
        total[kind_of(&r->rows[k])] += r->rows[k].count;
    }
    for (size_t k = 0; k < r->n; k++) {
        unsigned kind = kind_of(&r->rows[k]);
        if (seen[kind]++ % (1 + n[kind] / ROWS_MAX) != 0)
            continue;
        r->rows[kept++] = r->rows[k];
        left[kind] += r->rows[k].count;
    }
    r->n = kept;
    for (size_t k = 0; k < r->n; k++) {
        unsigned kind = kind_of(&r->rows[k]);
        r->rows[k].count *= total[kind] / left[kind];
    }
}

/* Blocks make many pairs of few records. */
static void count_records(const struct train *t, struct regression *r)
{
    double pairs = 0, records = (double)t->input->records;
    for (size_t k = 0; k < r->n; k++)
        pairs += r->rows[k].count;
    for (size_t k = 0; k < r->n && pairs > records; k++)
        r->rows[k].count *= records / pairs;
}

static void regress(struct train *t, struct regression *r)
{
    double factors[FACTORS_MAX];
    r->comparisons = t->count;
    r->labelled = t->labelled;
    r->shift = t->labelled && !t->input->all_matches_labelled;
    r->prior = kin_math_log2(t->prior) - kin_math_log2(1 - t->prior);
    for (unsigned i = 0; i < t->count; i++) {
        for (unsigned l = 1; l <= t->levels[i]; l++)
            r->bits[i][l] = kin_math_log2(t->m[i][l]) - kin_math_log2(t->u[i][l]);
    }
    for (unsigned f = 0; f < 2 * t->count; f++)
        factors[f] = 1;
    factors[2 * (size_t)t->count] = 0;
    take_rows(t, r);
    thin_rows(r);
    if (!t->labelled)
        count_records(t, r);
    descend(r, factors);
    for (unsigned i = 0; i < t->count; i++) {
        t->damping[i][0] = factors[2 * (size_t)i];
        t->damping[i][1] = factors[2 * (size_t)i + 1];
    }
}

kin_status train_damping(struct train *t)
{
    if (t->without & KIN_TRAIN_WITHOUT_DAMPING || (t->labelled && t->others.n == 0))
        return KIN_OK;
    size_t room = t->matches.n + t->others.n + t->set_count;
    for (unsigned p = 0; p < t->pass_count; p++)
        room += t->passes[p].all.n;
    struct regression *r = kin_calloc(1, sizeof *r);
    struct row *rows = kin_alloc(room * sizeof *rows);
    if (r && rows) {
        r->rows = rows;
        regress(t, r);
    }
    bool failed = !r || !rows;
    kin_free(rows);
    kin_free(r);
    return failed ? kin_err_set(t->err, KIN_E_NOMEM, "no memory to train the model") : KIN_OK;
}
