#ifndef KIN_TESTS_KERNELS_CHECK_H
#define KIN_TESTS_KERNELS_CHECK_H
/* Compares every kernel on one pair with its reference, on every instruction set this machine has.
 * Shared by the unit test and the fuzz target. */
#include "common/match/kernel_impl.h"
#include "common/match/kernel_many.h"
#include "kernels_reference.h"

struct kernels_expected {
    double jaro, jaro_winkler;
    double jaccard[KIN_QGRAM_MAX + 1], cosine[KIN_QGRAM_MAX + 1];
    unsigned levenshtein, osa, damerau, lcs, code_points;
};

static inline bool kernels_same_bits(double x, double y)
{
    return memcmp(&x, &y, sizeof x) == 0;
}

static inline void kernels_expect(struct kin_pair p, struct kernels_expected *e)
{
    static struct ref_text a, b;
    ref_decode(p.a.p, p.a.n, &a);
    ref_decode(p.b.p, p.b.n, &b);
    e->code_points = (unsigned)a.n;
    e->jaro = ref_jaro(&a, &b);
    e->jaro_winkler = ref_jaro_winkler(&a, &b);
    e->levenshtein = ref_edit(&a, &b, false);
    e->osa = ref_edit(&a, &b, true);
    e->damerau = ref_damerau(&a, &b);
    e->lcs = ref_lcs(&a, &b);
    for (int q = 0; q <= KIN_QGRAM_MAX; q++) {
        e->jaccard[q] = ref_overlap(&a, &b, q, false);
        e->cosine[q] = ref_overlap(&a, &b, q, true);
    }
}

/* Thresholds around the value itself, where an early rejection that is too eager would show. */
static inline bool kernels_thresholds_agree(struct kin_kernel_scratch *s, struct kin_pair p,
                                            double value)
{
    const double thresholds[] = {
        value,
        nextafter(value, 2.0),
        nextafter(value, -1.0),
        0.0,
        1.0,
        0.7,
        nextafter(0.7, 1.0),
        0.8,
        0.92,
        0.3,
        -1.,
        1.1,
    };
    for (size_t i = 0; i < sizeof thresholds / sizeof thresholds[0]; i++) {
        double from = kin_jaro_winkler_from(s, p, thresholds[i]);
        if (kin_jaro_winkler_at_least(s, p, thresholds[i]) != (value >= thresholds[i]))
            return false;
        if (value >= thresholds[i] ? !kernels_same_bits(from, value) : from >= 0)
            return false;
    }
    return !kin_jaro_winkler_at_least(s, p, (double)NAN) &&
           kin_jaro_winkler_from(s, p, (double)NAN) < 0;
}

static inline bool kernels_cutoff_agrees(unsigned got, unsigned distance, unsigned max)
{
    return got == (distance <= max ? distance : max + 1);
}

/* NULL, or the name of the first kernel that disagrees. */
static inline const char *kernels_disagree_on(struct kin_kernel_scratch *s, struct kin_pair p,
                                              const struct kernels_expected *e)
{
    if (!kernels_same_bits(kin_jaro(s, p), e->jaro))
        return "jaro";
    if (!kernels_same_bits(kin_jaro_winkler(s, p), e->jaro_winkler))
        return "jaro_winkler";
    if (!kernels_thresholds_agree(s, p, e->jaro_winkler))
        return "jaro_winkler_at_least";
    const unsigned cuts[] = {0, 1, 2, 3, 4, 7, 20, 70, 4096, UINT32_MAX};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        if (!kernels_cutoff_agrees(kin_levenshtein(s, p, cuts[i]), e->levenshtein, cuts[i]))
            return "levenshtein";
        if (!kernels_cutoff_agrees(kin_osa(s, p, cuts[i]), e->osa, cuts[i]))
            return "osa";
        if (!kernels_cutoff_agrees(kin_damerau(s, p, cuts[i]), e->damerau, cuts[i]))
            return "damerau";
    }
    for (unsigned back = 0; back <= 1 && back <= e->levenshtein && back <= e->osa; back++) {
        unsigned max = e->levenshtein - back;
        if (!kernels_cutoff_agrees(kin_levenshtein(s, p, max), e->levenshtein, max))
            return "levenshtein at its distance";
        max = e->osa - back;
        if (!kernels_cutoff_agrees(kin_osa(s, p, max), e->osa, max))
            return "osa at its distance";
        if (e->damerau < back)
            continue;
        max = e->damerau - back;
        if (!kernels_cutoff_agrees(kin_damerau(s, p, max), e->damerau, max))
            return "damerau at its distance";
    }
    if (kin_lcs(s, p) != e->lcs)
        return "lcs";
    for (unsigned q = 0; q <= KIN_QGRAM_MAX; q++) {
        if (!kernels_same_bits(kin_jaccard(s, p, q), e->jaccard[q]))
            return "jaccard";
        if (!kernels_same_bits(kin_cosine(s, p, q), e->cosine[q]))
            return "cosine";
    }
    return NULL;
}

static inline bool kernels_is_ascii(struct kin_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* Both ways round, with and without the promise of ASCII where it holds. */
static inline const char *kernels_disagree(struct kin_kernel_scratch *s, struct kin_str a,
                                           struct kin_str b)
{
    static struct kernels_expected expected;
    const struct kin_kernel_ops *fastest = s->ops;
    const char *wrong = NULL;
    kernels_expect((struct kin_pair){a, b, false}, &expected);
    if (kin_codepoints(a, false) != expected.code_points)
        return "codepoints";
    for (unsigned i = 0; kin_kernel_ops_at(i) && !wrong; i++) {
        s->ops = kin_kernel_ops_at(i);
        wrong = kernels_disagree_on(s, (struct kin_pair){a, b, false}, &expected);
        if (!wrong)
            wrong = kernels_disagree_on(s, (struct kin_pair){b, a, false}, &expected);
        if (!wrong && kernels_is_ascii(a) && kernels_is_ascii(b))
            wrong = kernels_disagree_on(s, (struct kin_pair){a, b, true}, &expected);
    }
    s->ops = fastest;
    return wrong;
}

/* ---- one against many ---- */

enum { KERNELS_MANY_MAX = 300 };

struct kernels_many {
    struct kin_many *set;
    struct kin_many_text texts[KERNELS_MANY_MAX], query;
    size_t n;
    double jaro_winkler[KERNELS_MANY_MAX]; /* expected, here and below */
    unsigned levenshtein[KERNELS_MANY_MAX], osa[KERNELS_MANY_MAX];
};

static inline void kernels_many_expect(struct kernels_many *v)
{
    static struct ref_text a, b;
    ref_decode(v->query.text.p, v->query.text.n, &a);
    for (size_t i = 0; i < v->n; i++) {
        ref_decode(v->texts[i].text.p, v->texts[i].text.n, &b);
        v->jaro_winkler[i] = ref_jaro_winkler(&a, &b);
        v->levenshtein[i] = ref_edit(&a, &b, false);
        v->osa[i] = ref_edit(&a, &b, true);
    }
}

static inline bool kernels_many_agree_from(const struct kernels_many *v,
                                           struct kin_kernel_scratch *s, double least)
{
    double got[KERNELS_MANY_MAX];
    kin_many_jaro_winkler(v->set, s, v->query, least, got);
    for (size_t i = 0; i < v->n; i++) {
        double expected = v->jaro_winkler[i] >= least ? v->jaro_winkler[i] : -1.0;
        if (!kernels_same_bits(got[i], expected))
            return false;
    }
    return true;
}

/* On the instruction set of the scratch; NULL, or the measure that disagrees. */
static inline const char *kernels_many_disagree_on(const struct kernels_many *v,
                                                   struct kin_kernel_scratch *s)
{
    const double thresholds[] = {-1.0, 0.0, 0.3, 0.7, 0.8, 0.9, 0.92, 1.0, 1.1, (double)NAN};
    for (size_t i = 0; i < sizeof thresholds / sizeof thresholds[0]; i++) {
        if (!kernels_many_agree_from(v, s, thresholds[i]))
            return "many, jaro_winkler";
    }
    for (size_t i = 0; i < v->n && i < 8; i++) { /* around values themselves */
        double value = v->jaro_winkler[i];
        if (!kernels_many_agree_from(v, s, value) ||
            !kernels_many_agree_from(v, s, nextafter(value, 2.0)))
            return "many, jaro_winkler at its value";
    }
    const unsigned cuts[] = {0, 1, 2, 3, 7, 15, 16, 17, 100, UINT32_MAX};
    uint16_t got[KERNELS_MANY_MAX];
    for (size_t k = 0; k < sizeof cuts / sizeof cuts[0]; k++) {
        kin_many_levenshtein(v->set, s, v->query, cuts[k], got);
        for (size_t i = 0; i < v->n; i++) {
            if (!kernels_cutoff_agrees(got[i], v->levenshtein[i], cuts[k]))
                return "many, levenshtein";
        }
        kin_many_osa(v->set, s, v->query, cuts[k], got);
        for (size_t i = 0; i < v->n; i++) {
            if (!kernels_cutoff_agrees(got[i], v->osa[i], cuts[k]))
                return "many, osa";
        }
    }
    return NULL;
}

/* The set is that of the texts; on every instruction set. */
static inline const char *kernels_many_disagree(struct kernels_many *v,
                                                struct kin_kernel_scratch *s)
{
    const struct kin_kernel_ops *fastest = s->ops;
    const char *wrong = NULL;
    kernels_many_expect(v);
    for (unsigned i = 0; kin_kernel_ops_at(i) && !wrong; i++) {
        s->ops = kin_kernel_ops_at(i);
        wrong = kernels_many_disagree_on(v, s);
    }
    s->ops = fastest;
    return wrong;
}

#endif
