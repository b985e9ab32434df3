#include "common/match/exact_math.h"

#include <string.h>

__extension__ typedef unsigned __int128 kin_u128;

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023 };

static const double LN2 = 0.69314718055994530942;

/* x = 2^e f with f near 1; log f = 2 atanh((f - 1) / (f + 1)), whose series ends below 2^-53 after
 * twelve terms for |f - 1| / (f + 1) <= 0.1716. */
double kin_math_log2(double x)
{
    int e = 0;
    if (x < 2.3e-308) { /* subnormal */
        x *= 18014398509481984.0;
        e = -54;
    }
    uint64_t bits = bits_of(x);
    e += (int)(bits >> MANTISSA_BITS) - EXPONENT_BIAS;
    double f = of_bits((bits & ((UINT64_C(1) << MANTISSA_BITS) - 1)) |
                       ((uint64_t)EXPONENT_BIAS << MANTISSA_BITS));
    if (f > 1.4142135623730951) {
        f *= 0.5;
        e++;
    }
    double s = (f - 1.0) / (f + 1.0), z = s * s, sum = 0.0;
    for (int k = 23; k >= 1; k -= 2)
        sum = sum * z + 1.0 / k;
    return e + 2.0 * s * sum / LN2;
}

double kin_math_exp2(double x)
{
    if (!(x > -1000.0))
        x = -1000.0;
    if (x > 1000.0)
        x = 1000.0;
    int whole = (int)(x + 1000.5) - 1000; /* rounds: the argument is positive */
    double t = (x - whole) * LN2, sum = 1.0;
    for (int k = 16; k >= 1; k--) /* |t| <= 0.35: the rest is below 2^-53 */
        sum = 1.0 + sum * t / k;
    return sum * of_bits((uint64_t)(whole + EXPONENT_BIAS) << MANTISSA_BITS);
}

double kin_math_root(double x)
{
    double root = x > 1 ? x : 1;
    if (!(x > 0))
        return 0;
    for (unsigned k = 0; k < 80; k++) /* Newton's, from above */
        root = 0.5 * (root + x / root);
    return root;
}

/* Bit by bit: squaring a number of [1, 2) doubles its logarithm, and the carry past 2 is the next
 * bit (Knuth, The Art of Computer Programming 1, section 1.2.2, exercise 25). */
uint32_t kin_math_log2_fixed(uint64_t n)
{
    enum { FRACTION_BITS = 24 };
    uint32_t whole = 63 - (uint32_t)__builtin_clzll(n | 1);
    uint64_t f = n << (63 - whole); /* [2^63, 2^64) stands for [1, 2) */
    uint32_t out = whole;
    for (int bit = 0; bit <= FRACTION_BITS; bit++) { /* one bit more, to round by */
        uint64_t high = (uint64_t)(((kin_u128)f * f) >> 64);
        bool carry = high >> 63; /* the square is at least 2 */
        f = carry ? high : high << 1;
        if (bit == FRACTION_BITS)
            return out + carry;
        out = out << 1 | carry;
    }
    return out;
}

/* ---- six significant digits ---- */

enum { DIGITS = 6, EXACT_POWERS = 22 };

/* Powers of ten up to 10^22 are doubles without error. */
static double power_of_ten(int n)
{
    double p = 1.0;
    for (int i = 0; i < n; i++)
        p *= 10.0;
    return p;
}

/* digits * 10^exponent; exact but for one rounding while |exponent| <= EXACT_POWERS */
struct decimal {
    bool negative;
    uint32_t digits; /* 100000..999999, or 0 */
    int exponent;
};

static double scaled(double x, int exponent)
{
    return exponent < 0 ? x / power_of_ten(-exponent) : x * power_of_ten(exponent);
}

static struct decimal decimal_of(double x)
{
    struct decimal d = {.negative = x < 0};
    double a = d.negative ? -x : x;
    if (!(a >= 1e-16))
        return (struct decimal){0};
    if (a > 1e16)
        a = 1e16;
    int exponent = -EXACT_POWERS;
    while (exponent < EXACT_POWERS && scaled(1e6, exponent) <= a)
        exponent++;
    uint32_t digits = (uint32_t)(scaled(a, -exponent) + 0.5);
    if (digits >= 1000000) { /* rounded up to one digit more */
        digits = 100000;
        exponent++;
    }
    d.digits = digits;
    d.exponent = exponent;
    return d;
}

double kin_math_round6(double x)
{
    struct decimal d = decimal_of(x);
    double a = scaled(d.digits, d.exponent);
    return d.negative ? -a : a;
}

/* Significant digits without trailing zeros, a point after the first `whole` of them; -1: none. */
static void put_digits(struct kin_buf *out, uint32_t digits, int whole)
{
    char text[DIGITS];
    int n = DIGITS;
    for (int i = DIGITS - 1; i >= 0; i--, digits /= 10)
        text[i] = (char)('0' + digits % 10);
    while (n > 1 && text[n - 1] == '0')
        n--;
    for (int i = 0; i < n || i < whole; i++) {
        if (i == whole)
            kin_buf_putc(out, '.');
        kin_buf_putc(out, i < n ? text[i] : '0');
    }
}

void kin_math_print6(struct kin_buf *out, double x)
{
    struct decimal d = decimal_of(x);
    if (d.digits == 0) {
        kin_buf_putc(out, '0');
        return;
    }
    if (d.negative)
        kin_buf_putc(out, '-');
    int first = d.exponent + DIGITS - 1; /* the power of ten of the first digit */
    if (first >= DIGITS || first < -5) {
        put_digits(out, d.digits, 1);
        kin_buf_printf(out, "e%c%02d", first < 0 ? '-' : '+', first < 0 ? -first : first);
    } else if (first < 0) {
        kin_buf_puts(out, "0.");
        for (int i = -1; i > first; i--)
            kin_buf_putc(out, '0');
        put_digits(out, d.digits, -1);
    } else {
        put_digits(out, d.digits, first + 1);
    }
}
