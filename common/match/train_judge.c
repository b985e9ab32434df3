/* Which classes of a pass are matches.
 *
 * No count says so. A class is taken for one of matches if it has a good part of the evidence that
 * matches are expected to bring, over all comparisons and over those that the key left free; if the
 * rest of the pass is mostly matches (what agrees on an e-mail address is rarely a stranger); and
 * if other keys find its pairs too. Between yes and no there is a range in which the class counts
 * in part, so that probabilities of its pairs come out in the middle, which is what is known of
 * them.
 *
 * The bounds were set on simulated households, namesakes, movers, derived addresses and dirty
 * records, and on public data sets: classes of matches score 0.23 and more there, others 0.18 and
 * less, but for pairs as close as two papers of one year by the same authors. */
#include <string.h>

#include "common/match/exact_math.h"
#include "common/match/train_impl.h"

enum { MATCH = 1 };
#define BOUND 0.2  /* of the score, to be one of matches ... */
#define RANGE 0.05 /* ... and so far on either side it is half of each */
#define CLEAR 0.45 /* share of a match's evidence that leaves no doubt */
#define PURE_BONUS 0.2
#define AGAIN_BONUS 0.05

/* Levels of all comparisons in the classes of a pass, those that its key forces among them. */
static void count_levels(const struct train *t, const struct train_pass *pass,
                         struct kin_em_expected *out)
{
    memset(out, 0, sizeof *out);
    for (size_t k = 0; k < pass->all.n; k++) {
        double joint[KIN_EM_CLASSES];
        uint64_t pattern = pass->all.patterns[k];
        double each =
            pass->all.counts[k] / kin_em_joint(&pass->params, pass->used, t->count, pattern, joint);
        for (unsigned i = 0; i < t->count; i++) {
            for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
                out->n[i][kin_pattern_level(pattern, i)][c] += each * joint[c];
        }
    }
}

/* How much of the evidence that a match brings a class has: 1 as matches have it, 0 as random pairs
 * have it, below 0 evidence against. */
static double agreement(const struct train *t, const struct kin_em_expected *levels,
                        uint32_t comparisons, unsigned c)
{
    double sum = 0, all = 0;
    for (unsigned i = 0; i < t->count; i++) {
        double n = 0, has = 0;
        for (unsigned l = 1; l <= t->levels[i]; l++) {
            n += levels->n[i][l][c];
            has += levels->n[i][l][c] * t->evidence[i][l];
        }
        if (!(comparisons >> i & 1) || !(n > 0))
            continue;
        sum += t->alone[i] * has / n;
        all += t->alone[i] * t->telling[i];
    }
    return all > 0 ? sum / all : 0;
}

/* Share of a class that other passes find too: by the counts of the overlap, or else as far as
 * patterns tell. Keys are chosen to find matches, so matches are found again more often than pairs
 * that have one thing in common. */
static void find_again(const struct train *t, unsigned p, double *again)
{
    const struct train_pass *pass = &t->passes[p];
    double all[KIN_EM_CLASSES] = {0}, both[KIN_EM_CLASSES] = {0}, joint[KIN_EM_CLASSES];
    for (size_t k = 0; k < t->set_count; k++) {
        const struct train_set *set = &t->sets[k];
        if (!(set->passes >> p & 1))
            continue;
        double each =
            set->count / kin_em_joint(&pass->params, pass->used, t->count, set->pattern, joint);
        for (unsigned c = 0; c < KIN_EM_CLASSES; c++) {
            all[c] += joint[c] * each;
            both[c] += set->passes != 1u << p ? joint[c] * each : 0;
        }
    }
    for (size_t k = 0; k < pass->all.n && t->set_count == 0; k++) {
        uint64_t pattern = pass->all.patterns[k];
        uint32_t equal = 0;
        bool found = false;
        for (unsigned i = 0; i < t->count; i++)
            equal |= (uint32_t)(kin_pattern_level(pattern, i) == 1) << i;
        for (unsigned q = 0; q < t->input->pass_count && !found; q++)
            found = q != p && t->input->passes[q].forced != 0 &&
                    (t->input->passes[q].forced & ~equal) == 0;
        double each =
            pass->all.counts[k] / kin_em_joint(&pass->params, pass->used, t->count, pattern, joint);
        for (unsigned c = 0; c < KIN_EM_CLASSES; c++) {
            all[c] += joint[c] * each;
            both[c] += found ? joint[c] * each : 0;
        }
    }
    for (unsigned c = 0; c < KIN_EM_CLASSES; c++)
        again[c] = all[c] > 0 ? both[c] / all[c] : 0;
}

struct judgement {
    double alike[KIN_EM_CLASSES]; /* share of a match's evidence */
    double again[KIN_EM_CLASSES]; /* share that other passes find too */
    double clear, clear_again;    /* share of the clear classes, and of those found again */
};

static double sure_of(const struct judgement *j, const struct kin_em_params *params, unsigned c)
{
    double share = params->share[c], score = j->alike[c];
    if (share < 1) {
        double pure = (j->clear - (j->alike[c] >= CLEAR ? share : 0)) / (1 - share);
        score += PURE_BONUS * pure * pure;
    }
    if (j->clear_again > 0 && j->again[c] * j->clear > 0.5 * j->clear_again)
        score += AGAIN_BONUS;
    double sure = 0.5 + 0.5 * (score - BOUND) / RANGE;
    return sure < 0 ? 0 : sure > 1 ? 1 : sure;
}

void train_judge(const struct train *t, struct train_pass *pass)
{
    struct judgement j = {.clear = 0};
    struct kin_em_expected levels;
    memset(pass->match, 0, sizeof pass->match);
    if (t->without & KIN_TRAIN_WITHOUT_RELATED) {
        pass->match[MATCH] = 1;
        return;
    }
    find_again(t, (unsigned)(pass - t->passes), j.again);
    count_levels(t, pass, &levels);
    for (unsigned c = 1; c < pass->classes; c++) {
        j.alike[c] =
            0.5 * (agreement(t, &levels, t->known, c) + agreement(t, &levels, pass->active, c));
        if (j.alike[c] >= CLEAR) {
            j.clear += pass->params.share[c];
            j.clear_again += pass->params.share[c] * j.again[c];
        }
    }
    for (unsigned c = 1; c < pass->classes; c++)
        pass->match[c] = sure_of(&j, &pass->params, c);
    if (t->labelled) /* its m was not sought but given */
        pass->match[MATCH] = 1;
}
