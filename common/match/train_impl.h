#ifndef KIN_MATCH_TRAIN_IMPL_H
#define KIN_MATCH_TRAIN_IMPL_H
/* What the files of the training share; for them only. */
#include "common/match/train.h"
#include "common/match/train_em.h"

enum {
    TRAIN_ROUNDS = 4,        /* u, passes, m, prior: each needs the others */
    TRAIN_SEARCH_ROUNDS = 2, /* of these the first look for classes afresh */
    TRAIN_FEW = 2048         /* patterns, about, that the search looks at */
};

/* Sorted by pattern, each once. */
struct train_counts {
    uint64_t *patterns;
    double *counts;
    size_t n;
    double total;
};

struct train_set {
    uint32_t passes;
    uint64_t pattern;
    double count;
};

typedef double train_levels[KIN_COMPARISONS_MAX][KIN_EM_LEVELS];

struct train_pass {
    struct train_counts all;  /* patterns whole, for posteriors */
    struct train_counts free; /* comparisons that say nothing here taken out */
    struct train_counts few;  /* and the graded ones; at most some thousand, to search with */
    uint32_t active;          /* comparisons to learn from */
    uint32_t graded;          /* forced ones whose levels differ all the same: tell classes apart */
    uint32_t used;            /* comparisons that params have */
    double scale;             /* pairs of the pass for each counted */
    struct kin_em_params params;
    struct kin_em_expected expected;
    unsigned classes;
    double match[KIN_EM_CLASSES]; /* how sure it is that the class is of matches, 0..1 */
    unsigned starts, steps;
    bool converged;
    bool weak;       /* its key leaves too little free to tell classes apart for certain ... */
    bool distrusted; /* ... and other passes see its pairs otherwise: nothing is learnt from it */
    double mine, theirs; /* matches among pairs that others find too, by it and by them */
};

struct train {
    const struct kin_train_input *input;
    unsigned without;
    struct kin_arena *arena;
    struct kin_err *err;
    unsigned count;
    unsigned levels[KIN_COMPARISONS_MAX];
    uint32_t known; /* comparisons that have values in random pairs */
    struct train_counts random, matches, others;
    struct train_set *sets;
    size_t set_count;
    double set_scale;
    struct train_pass *passes;
    unsigned pass_count;
    bool random_is_pass;  /* there are no passes: the random pairs serve as one */
    bool random_borrowed; /* there are no random pairs: labelled ones serve */
    bool labelled;

    double prior;
    train_levels u, u_pairs; /* u_pairs: pairs observed, before smoothing */
    train_levels m, m_pairs;
    double filled[KIN_COMPARISONS_MAX]; /* share of matches in which both sides have a value */
    /* for judging classes: */
    train_levels evidence;               /* for a match, -1..1, as matches are a priori */
    double telling[KIN_COMPARISONS_MAX]; /* of that, what a match brings on average */
    double alone[KIN_COMPARISONS_MAX];   /* 0..1: less for what agrees together with others */
    double dependence[KIN_COMPARISONS_MAX][KIN_COMPARISONS_MAX]; /* among random other pairs */
    double damping[KIN_COMPARISONS_MAX][2];                      /* of weights above zero, below */
    double tf_matched[KIN_COMPARISONS_MAX];                      /* as in the model */
    uint32_t pooled; /* comparisons whose levels had to be put in order */
    double found, estimated, low, high;
    double beyond; /* matches that were estimated, where there can be fewer; 0: no more than that */
    bool overlap_known;
};

/* train_input.c */
kin_status train_prepare(struct train *t);
void train_start_m(const struct train *t, unsigned i, double *p); /* m before anything is seen */
/* train_u.c */
void train_u(struct train *t);
/* How much of the agreement that two comparisons could share they do share: 0 independent, 1 the
 * one never without the other (Lewontin's D'); only what stands out clearly from chance. */
double train_dependence(double both, double a, double b, double n);
/* train_pass.c */
void train_passes(struct train *t, unsigned round);
/* Probability that a pair of this pass matches, by its classes. */
double train_posterior(const struct train *t, const struct train_pass *pass, uint64_t pattern);
/* Whether a pass has a say: its classes are known, and it is not distrusted. */
bool train_pass_counts(const struct train_pass *pass);
/* ... by the prior and independent comparisons. */
double train_independent_posterior(const struct train *t, uint64_t pattern);
/* train_judge.c */
void train_judge(const struct train *t, struct train_pass *pass);
/* train_weights.c */
void train_m(struct train *t);
void train_monotone(struct train *t);
/* train_damping.c */
kin_status train_damping(struct train *t);
/* train_recall.c */
double train_pass_matches(const struct train_pass *pass); /* expected, in the whole pass */
double train_set_posterior(const struct train *t, const struct train_set *set);
void train_recall(struct train *t);
/* train_doubts.c, train_report.c */
kin_status train_doubts(const struct train *t, const struct kin_train_report *report,
                        struct kin_model *model);
kin_status train_report(const struct train *t, struct kin_train_report *report);

#endif
