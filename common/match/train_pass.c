/* The pairs of one blocking pass, sorted into classes without labels.
 *
 * One class are random pairs, with u as it is known. The match class has m, which is learnt. But
 * what a key brings together can be alike in other ways: people of one household, of one
 * nationality, with a derived e-mail address. A model that has but two classes puts its match class
 * wherever it explains most pairs, and often that is there. So further classes are added as long as
 * the data ask for them (Bayesian information criterion), begun from many sides; train_judge.c then
 * says which of them are matches. */
#include <string.h>

#include "common/match/exact_math.h"
#include "common/match/train_impl.h"

enum {
    RANDOM = 0,
    MATCH = 1,       /* begun as matches; what it became is judged */
    FIRST_STEPS = 2, /* from every side ... */
    SIDES = 5,
    SHORT_STEPS = 6, /* ... and from the best of them */
    LONG_STEPS = 100,
    REFINING_STEPS = 1000,
    STEPS_TIMES_PATTERNS = 600000, /* of a refinement: about a thirtieth of a second */
    OVERDISPERSION = 2             /* pairs of one block are not independent observations */
};
#define SELDOM 0.125
#define BELIEF                                                                        \
    3.0 /* in how often matches agree, where the data cannot say: so many times these \
         */
#define WEAK 0.3
#define DISAGREES 0.25    /* share of the matches */
#define DISAGREES_BY 20   /* pairs */
#define GRADED_BELIEF 2.0 /* pairs of each class that are as all of the pass */
#define SEARCH_TOLERANCE 1e-3
#define TOLERANCE 1e-4

/* ---- starting points ---- */

struct solution {
    struct kin_em_params params;
    struct kin_em_expected expected;
    unsigned classes;
    unsigned steps; /* above what was asked for: not converged */
    double score;   /* log2 of likelihood and of what is believed */
};

struct search {
    const struct train *t;
    const struct kin_em_data *data;
    struct kin_em_pseudo pseudo;
    train_levels believed; /* m, as far as it is known without this pass */
    unsigned fixed;
    unsigned starts, steps;
    double tolerance;
    bool weak; /* too few telling comparisons to tell classes apart for certain */
};

static void set_random(const struct train *t, struct kin_em_params *p)
{
    memset(p, 0, sizeof *p);
    p->share[RANDOM] = 1;
    for (unsigned i = 0; i < KIN_COMPARISONS_MAX; i++) {
        for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
            p->p[i][0][c] = 1;
    }
    for (unsigned i = 0; i < t->count; i++) {
        for (unsigned l = 1; l < KIN_EM_LEVELS; l++) {
            double u = l <= t->levels[i] ? t->u[i][l] : KIN_MODEL_PROBABILITY_MIN;
            for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
                p->p[i][l][c] = u;
        }
    }
}

static void give_share(struct kin_em_params *p, unsigned c, unsigned from, double part)
{
    p->share[c] = p->share[from] * part;
    p->share[from] -= p->share[c];
}

static void set_match(const struct search *s, struct kin_em_params *p)
{
    for (unsigned i = 0; i < s->t->count; i++) {
        for (unsigned l = 1; l <= s->t->levels[i]; l++)
            p->p[i][l][MATCH] = s->believed[i][l];
    }
}

/* m as the other passes have it: what a pass said last time must not confirm itself. */
static double believe(const struct train *t, const struct train_pass *pass, unsigned i, double *m)
{
    double sum = 0, seen = 0;
    train_start_m(t, i, m);
    for (unsigned l = 1; l <= t->levels[i]; l++) {
        double n = t->m_pairs[i][l];
        for (unsigned c = 1; c < pass->classes && (pass->active >> i & 1) && !pass->distrusted; c++)
            n -= pass->match[c] * pass->expected.n[i][l][c];
        if (n > 0 && !(t->without & KIN_TRAIN_WITHOUT_SHARING)) {
            m[l] = 2 * m[l] + n;
            seen += n;
        } else {
            m[l] = 2 * m[l];
        }
        sum += m[l];
    }
    for (unsigned l = 1; l <= t->levels[i]; l++)
        m[l] = t->labelled ? t->m[i][l] : m[l] / sum;
    return seen;
}

/* Of every class but the random one: a few pairs as they are believed to be. More where the pass
 * has too few telling comparisons left to find out by itself: with two of them, any share of
 * matches can be had with one or another m. What is believed there is how often matches agree, not
 * how closely. */
static void make_pseudo(const struct train *t, const struct train_pass *pass, struct search *s)
{
    double power = 0;
    for (unsigned i = 0; i < t->count; i++)
        power += pass->active >> i & 1 ? t->telling[i] : 0;
    s->pseudo.weight[MATCH] = BELIEF * (power > 1 ? kin_math_exp2(-4 * (power - 1)) : 1);
    s->weak = s->pseudo.weight[MATCH] > WEAK;
    for (unsigned i = 0; i < t->count; i++) {
        double seen = believe(t, pass, i, s->believed[i]);
        double strength = 2 + (seen / 8 < 20 ? seen / 8 : 20);
        unsigned last = t->levels[i];
        for (unsigned l = 1; l <= last; l++) {
            s->pseudo.n[i][l][MATCH] = strength * s->believed[i][l];
            for (unsigned c = 2; c < KIN_EM_CLASSES; c++)
                s->pseudo.n[i][l][c] = 2 * t->u[i][l];
        }
        s->pseudo.last[i] = last;
        s->pseudo.agree[i][MATCH] = 1 - s->believed[i][last];
    }
}

/* A further class: random pairs that agree in comparison `pivot`. */
static void set_pivot(const struct train *t, unsigned pivot, unsigned c, struct kin_em_params *p)
{
    for (unsigned l = 1; l <= t->levels[pivot]; l++)
        p->p[pivot][l][c] = 0.3 * t->u[pivot][l] + (l == 1 ? 0.7 : 0);
}

/* ... half random, half match: matches full of errors. */
static void set_half(const struct search *s, unsigned c, struct kin_em_params *p)
{
    for (unsigned i = 0; i < s->t->count; i++) {
        for (unsigned l = 1; l <= s->t->levels[i]; l++)
            p->p[i][l][c] = 0.5 * (s->t->u[i][l] + s->believed[i][l]);
    }
}

/* ... what the random class of this pass really looks like. */
static void set_observed(const struct train *t, const struct kin_em_expected *e, unsigned c,
                         struct kin_em_params *p)
{
    for (unsigned i = 0; i < t->count; i++) {
        double sum = 0;
        for (unsigned l = 1; l <= t->levels[i]; l++)
            sum += e->n[i][l][RANDOM] + t->u[i][l];
        for (unsigned l = 1; l <= t->levels[i]; l++)
            p->p[i][l][c] = (e->n[i][l][RANDOM] + t->u[i][l]) / sum;
    }
}

/* ---- search ---- */

/* log2 of the odds of p against what is believed, by so many pairs of that. */
static double belief_score(double pairs, double p, double believed)
{
    return pairs > 0 ? pairs * (kin_math_log2(p) - kin_math_log2(believed)) : 0;
}

/* log2 of the likelihood, and of how far the match class is from what is believed of it. */
static double score_of(const struct search *s, const struct solution *x)
{
    double score = kin_em_log2_likelihood(s->data, &x->params);
    for (unsigned i = 0; i < s->t->count; i++) {
        unsigned last = s->t->levels[i];
        double pairs = 0, agree = 0, believed = s->pseudo.agree[i][MATCH];
        if (!(s->data->active >> i & 1))
            continue;
        for (unsigned l = 1; l <= last; l++) {
            double p = x->params.p[i][l][MATCH];
            score += belief_score(s->pseudo.n[i][l][MATCH], p, s->believed[i][l]);
            agree += l < last ? p : 0;
            pairs += s->pseudo.weight[MATCH] * x->expected.n[i][l][MATCH];
        }
        score += belief_score(pairs * believed, agree, believed);
        score += belief_score(pairs * s->believed[i][last], x->params.p[i][last][MATCH],
                              s->believed[i][last]);
    }
    return score;
}

static void run(struct search *s, struct solution *x, unsigned steps)
{
    x->steps =
        kin_em_run(s->data, &s->pseudo, s->fixed, s->tolerance, steps, &x->params, &x->expected);
    s->steps += x->steps > steps ? steps : x->steps;
}

/* Two classes: begun with few matches and with many. */
static void find_matches(struct search *s, struct solution *best)
{
    static const double shares[] = {0.02, 0.6};
    for (unsigned k = 0; k < 2; k++) {
        struct solution x = {.classes = 2};
        set_random(s->t, &x.params);
        set_match(s, &x.params);
        give_share(&x.params, MATCH, RANDOM, shares[k]);
        run(s, &x, LONG_STEPS);
        x.score = score_of(s, &x);
        s->starts++;
        if (k == 0 || x.score > best->score)
            *best = x;
    }
}

/* The match class, too, begins where it is believed to be, and small: what it had taken that is no
 * match is for the other classes to take. */
static void begin_matches_anew(const struct search *s, struct kin_em_params *p)
{
    set_match(s, p);
    p->share[RANDOM] += 0.9 * p->share[MATCH];
    p->share[MATCH] *= 0.1;
}

/* Adds class c to a solution, from one of many sides. False: there is no such side. */
static bool begin_class(const struct search *s, const struct solution *from, unsigned side,
                        struct solution *x)
{
    unsigned c = from->classes, pivot = (side - 4) / 2;
    bool anew = side & 1;
    *x = *from;
    x->classes = c + 1;
    for (unsigned i = 0; i < s->t->count; i++) {
        for (unsigned l = 1; l <= s->t->levels[i]; l++)
            x->params.p[i][l][c] = s->t->u[i][l];
    }
    if (side < 2) {
        set_observed(s->t, &from->expected, c, &x->params);
    } else if (side < 4) {
        set_half(s, c, &x->params);
    } else {
        if (!(s->data->active >> pivot & 1))
            return false;
        set_pivot(s->t, pivot, c, &x->params);
    }
    if (anew)
        begin_matches_anew(s, &x->params);
    give_share(&x->params, c, RANDOM, 0.3);
    return true;
}

/* Of all sides those that look best after few steps, the best first. */
static unsigned promising_sides(struct search *s, const struct solution *from, unsigned *sides)
{
    double scores[SIDES];
    unsigned n = 0;
    for (unsigned side = 0; side < 4 + 2 * s->t->count; side++) {
        struct solution x;
        if (!begin_class(s, from, side, &x))
            continue;
        run(s, &x, FIRST_STEPS);
        x.score = score_of(s, &x);
        s->starts++;
        unsigned at = n;
        while (at > 0 && scores[at - 1] < x.score)
            at--;
        if (at == SIDES)
            continue;
        n += n < SIDES;
        for (unsigned k = n - 1; k > at; k--) {
            scores[k] = scores[k - 1];
            sides[k] = sides[k - 1];
        }
        scores[at] = x.score;
        sides[at] = side;
    }
    return n;
}

static bool add_class(struct search *s, struct solution *best)
{
    struct solution found = {.classes = 0}, x;
    unsigned free_parameters = 1;
    for (unsigned i = 0; i < s->t->count; i++)
        free_parameters += s->data->active >> i & 1 ? s->t->levels[i] - 1 : 0;
    unsigned sides[SIDES], n = promising_sides(s, best, sides);
    for (unsigned k = 0; k < n; k++) {
        if (!begin_class(s, best, sides[k], &x))
            continue;
        run(s, &x, SHORT_STEPS);
        x.score = score_of(s, &x);
        if (found.classes == 0 || x.score > found.score)
            found = x;
    }
    run(s, &found, LONG_STEPS);
    found.score = score_of(s, &found);
    double cost = 0.5 * free_parameters * kin_math_log2(s->data->total + 1) * OVERDISPERSION;
    if (found.score - best->score <= cost)
        return false;
    *best = found;
    return true;
}

/* ---- a pass ---- */

static void set_data(const struct train *t, const struct train_pass *pass,
                     const struct train_counts *counts, struct kin_em_data *data)
{
    *data = (struct kin_em_data){.comparisons = t->count,
                                 .active = pass->used,
                                 .learnt = pass->graded,
                                 .patterns = counts->patterns,
                                 .counts = counts->counts,
                                 .count = counts->n,
                                 .total = counts->total};
}

/* Where the data leave open whose an agreement is, related pairs have it either often or as seldom
 * as random ones: what they seemed to have now and then is the matches'. */
static void leave_agreement_to_matches(struct search *s, struct solution *x)
{
    for (unsigned c = 2; c < x->classes && s->weak; c++) {
        for (unsigned i = 0; i < s->t->count; i++) {
            unsigned last = s->t->levels[i];
            double random = s->t->u[i][last];
            if (s->data->active & s->data->learnt & 1u << i)
                continue;
            if (x->params.p[i][last][c] < random - SELDOM)
                continue;
            for (unsigned l = 1; l <= last; l++) {
                x->params.p[i][l][c] = s->t->u[i][l];
                s->pseudo.n[i][l][c] = 100 * s->data->total * s->t->u[i][l];
            }
        }
    }
}

static void find_classes(struct search *s, struct solution *best)
{
    bool more = !(s->t->without & KIN_TRAIN_WITHOUT_RELATED);
    find_matches(s, best);
    while (more && best->classes < KIN_EM_CLASSES)
        more = add_class(s, best);
    leave_agreement_to_matches(s, best);
    run(s, best, LONG_STEPS);
}

/* What a key forces can still agree more or less: words of a text, letters after the first. How
 * random pairs do then is not known beforehand but learnt here, for every class; for m it says
 * nothing. It begins as the classes have it that were found without. */
static void use_graded(const struct train *t, struct train_pass *pass, struct search *s,
                       struct solution *x)
{
    double n[KIN_EM_LEVELS][KIN_EM_CLASSES], sum[KIN_EM_CLASSES];
    for (unsigned i = 0; i < t->count; i++) {
        if (!(pass->graded >> i & 1))
            continue;
        double all[KIN_EM_LEVELS] = {0}, pairs = 0;
        for (unsigned l = 0; l < KIN_EM_LEVELS; l++) {
            for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
                n[l][c] = 0;
        }
        for (size_t k = 0; k < pass->free.n; k++) {
            double joint[KIN_EM_CLASSES], count = pass->free.counts[k];
            unsigned l = kin_pattern_level(pass->free.patterns[k], i);
            double each = count / kin_em_joint(&x->params, pass->active, t->count,
                                               pass->free.patterns[k], joint);
            all[l] += l ? count : 0;
            pairs += l ? count : 0;
            for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
                n[l][c] += each * joint[c];
        }
        for (unsigned c = 0; c < KIN_EM_CLASSES; c++) {
            sum[c] = 0;
            s->pseudo.agree[i][c] = -1;
            for (unsigned l = 1; l <= t->levels[i]; l++) {
                s->pseudo.n[i][l][c] = GRADED_BELIEF * all[l] / pairs;
                n[l][c] += s->pseudo.n[i][l][c];
                sum[c] += n[l][c];
            }
            for (unsigned l = 1; l <= t->levels[i] && !(pass->used >> i & 1); l++) {
                double share = n[l][c] / sum[c];
                x->params.p[i][l][c] =
                    share > KIN_MODEL_PROBABILITY_MIN ? share : KIN_MODEL_PROBABILITY_MIN;
            }
        }
    }
    pass->used = pass->active | pass->graded;
}

/* The classes are known; u, or what is believed of m, has changed a little. */
static unsigned refine(struct search *s, struct solution *best)
{
    size_t steps = STEPS_TIMES_PATTERNS / (s->data->count + 1);
    unsigned max = steps > REFINING_STEPS ? REFINING_STEPS : steps < 10 ? 10 : (unsigned)steps;
    for (unsigned i = 0; i < s->t->count; i++) {
        for (unsigned l = 1; l <= s->t->levels[i] && !(s->data->learnt >> i & 1); l++) {
            best->params.p[i][l][RANDOM] = s->t->u[i][l];
            if (s->t->labelled)
                best->params.p[i][l][MATCH] = s->t->m[i][l];
        }
    }
    leave_agreement_to_matches(s, best);
    run(s, best, max);
    return max;
}

/* Other classes may still shift pairs among themselves. */
static bool matches_stand_still(const struct search *s, const struct solution *x)
{
    struct solution next = *x;
    kin_em_maximise(s->data, &next.expected, &s->pseudo, s->fixed, &next.params);
    double move = (next.params.share[MATCH] - x->params.share[MATCH]) * s->data->total;
    double most = 2e-5 * (x->expected.pairs[MATCH] + 1);
    return move < most && move > -most;
}

static void fit(struct train *t, struct train_pass *pass, unsigned round)
{
    struct kin_em_data data;
    struct search s = {.t = t, .data = &data, .fixed = 1u << RANDOM};
    struct solution best = {.classes = pass->classes, .params = pass->params};
    unsigned max = LONG_STEPS;
    if (t->labelled)
        s.fixed |= 1u << MATCH;
    make_pseudo(t, pass, &s);
    if (round < TRAIN_SEARCH_ROUNDS) {
        set_data(t, pass, &pass->few, &data);
        s.tolerance = SEARCH_TOLERANCE;
        find_classes(&s, &best);
    } else {
        use_graded(t, pass, &s, &best);
        set_data(t, pass, &pass->free, &data);
        s.tolerance = TOLERANCE;
        max = refine(&s, &best);
    }
    pass->weak = s.weak;
    pass->converged = best.steps <= max || matches_stand_still(&s, &best);
    pass->params = best.params;
    pass->expected = best.expected;
    pass->classes = best.classes;
    pass->starts += s.starts;
    pass->steps += s.steps;
    train_judge(t, pass);
}

/* A pass that has too little left to learn from takes what others find, too, for matches or not.
 * Where stronger ones see that otherwise, it is wrong. */
static void compare_pass(const struct train *t, unsigned p)
{
    struct train_pass *pass = &t->passes[p];
    double mine = 0, theirs = 0;
    for (size_t k = 0; k < t->set_count && pass->weak; k++) {
        const struct train_set *set = &t->sets[k];
        double sum = 0, n = 0;
        for (unsigned q = 0; q < t->pass_count && (set->passes >> p & 1); q++) {
            if (!(set->passes >> q & 1) || t->passes[q].weak || t->passes[q].classes == 0)
                continue;
            sum += train_posterior(t, &t->passes[q], set->pattern);
            n += 1;
        }
        if (n > 0) {
            mine += set->count * train_posterior(t, pass, set->pattern);
            theirs += set->count * sum / n;
        }
    }
    double off = mine > theirs ? mine - theirs : theirs - mine;
    pass->mine = mine * t->set_scale;
    pass->theirs = theirs * t->set_scale;
    pass->distrusted = off > DISAGREES_BY && off > DISAGREES * (mine > theirs ? mine : theirs);
}

bool train_pass_counts(const struct train_pass *pass)
{
    return pass->classes > 0 && !pass->distrusted;
}

void train_passes(struct train *t, unsigned round)
{
    for (unsigned p = 0; p < t->pass_count; p++) {
        if (t->passes[p].active && t->passes[p].free.total > 0)
            fit(t, &t->passes[p], round);
    }
    for (unsigned p = 0; p < t->pass_count; p++)
        compare_pass(t, p);
}

double train_independent_posterior(const struct train *t, uint64_t pattern)
{
    double match = t->prior, other = 1.0 - t->prior;
    for (unsigned i = 0; i < t->count; i++) {
        unsigned level = kin_pattern_level(pattern, i);
        if (level == 0)
            continue;
        match *= t->m[i][level];
        other *= t->u[i][level];
    }
    return match / (match + other);
}

double train_posterior(const struct train *t, const struct train_pass *pass, uint64_t pattern)
{
    double joint[KIN_EM_CLASSES], match = 0;
    if (pass->classes == 0) /* its key forces everything: nothing could be fitted */
        return train_independent_posterior(t, pattern);
    double sum = kin_em_joint(&pass->params, pass->used, t->count, pattern, joint);
    for (unsigned c = 1; c < pass->classes; c++)
        match += pass->match[c] * joint[c];
    return match / sum;
}
