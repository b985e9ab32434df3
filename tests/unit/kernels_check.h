#ifndef KIN_TESTS_KERNELS_CHECK_H
#define KIN_TESTS_KERNELS_CHECK_H
/* Compares every kernel on one pair with its reference, on every instruction set this machine has.
 * Shared by the unit test and the fuzz target. */
#include "common/match/kernel_impl.h"
#include "kernels_reference.h"

struct kernels_expected {
    double jaro, jaro_winkler;
    double jaccard[KIN_QGRAM_MAX + 1], cosine[KIN_QGRAM_MAX + 1];
    unsigned levenshtein, osa, lcs, code_points;
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
    }
    for (unsigned back = 0; back <= 1 && back <= e->levenshtein && back <= e->osa; back++) {
        unsigned max = e->levenshtein - back;
        if (!kernels_cutoff_agrees(kin_levenshtein(s, p, max), e->levenshtein, max))
            return "levenshtein at its distance";
        max = e->osa - back;
        if (!kernels_cutoff_agrees(kin_osa(s, p, max), e->osa, max))
            return "osa at its distance";
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

#endif
