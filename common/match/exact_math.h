#ifndef KIN_MATCH_EXACT_MATH_H
#define KIN_MATCH_EXACT_MATH_H
/* Logarithm, exponential and decimal text that are the same on every machine.
 *
 * IEEE 754 defines + - * / to the last bit; the functions of libm may differ from one version to
 * the next. What decides bytes of a result uses these instead: built of basic operations in a fixed
 * order (the project is compiled without contraction to fused multiply-add). Pure; any thread. */
#include "common/base/mem.h"

double kin_math_log2(double x); /* x > 0 and finite; relative error under 1e-15 away from x = 1 */
double kin_math_exp2(double x); /* x clamped to -1000..1000 */
double kin_math_root(double x); /* square root, for x up to 2^60 or so; 0 for x <= 0 */

/* log2(n) in units of 2^-24, rounded; n >= 1. Integers only; error under 4 units. */
uint32_t kin_math_log2_fixed(uint64_t n);

/* The nearest double to x as six significant digits say it; 1e-16 <= |x| <= 1e16, or 0. What
 * kin_math_print6 writes, read back by any correct reader, gives the same number again. */
double kin_math_round6(double x);
void kin_math_print6(struct kin_buf *out, double x); /* 0.9, 0.0123457, 1.5e-07: shortest of both */

#endif
