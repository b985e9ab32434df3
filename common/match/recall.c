#include "common/match/recall.h"

#include "common/match/exact_math.h"

#define LN2 0.69314718055994530942

void kin_captures_add(struct kin_captures *c, uint64_t lists, double matches)
{
    if (lists == 0)
        return;
    c->all += matches;
    for (uint64_t rest = lists; rest; rest &= rest - 1)
        c->by[__builtin_ctzll(rest)] += matches;
    if ((lists & (lists - 1)) == 0)
        c->only[__builtin_ctzll(lists)] += matches;
    else if (__builtin_popcountll(lists) == 2)
        c->two += matches;
}

double kin_captures_missed(const struct kin_captures *c, unsigned lists, double one)
{
    double single = 0, pairs = 0;
    for (unsigned p = 0; p < lists; p++) {
        pairs += single * c->only[p];
        single += c->only[p];
    }
    return pairs / (c->two + one);
}

struct kin_recall_estimate kin_captures_estimate(const struct kin_captures *c, unsigned lists,
                                                 double off)
{
    double single = 0, variance = 0;
    double missed = kin_captures_missed(c, lists, 1);
    for (unsigned p = 0; p < lists; p++)
        single += c->only[p];
    for (unsigned p = 0; p < lists; p++) {
        double slope = (single - c->only[p]) / (c->two + 1);
        variance += c->only[p] * slope * slope;
    }
    variance += missed * missed / (c->two + 1) + missed;
    double corrected = (c->all + missed) / off;
    struct kin_recall_estimate e = {.matches = corrected > c->all ? corrected : c->all};
    e.low = e.high = e.matches;
    missed = e.matches - c->all;
    if (missed > 1e-9) {
        /* the factor is exp(1.96 sqrt(log(1 + variance / missed^2))), to base 2 */
        double spread = LN2 * kin_math_log2(1 + variance / (missed * missed));
        double factor = kin_math_exp2(1.96 * kin_math_root(spread) / LN2);
        e.low = c->all + missed / factor;
        e.high = c->all + missed * factor;
    }
    return e;
}
