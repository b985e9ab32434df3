/* The byte-form kernels with AVX2. Reached only through kin_kernel_ops_at, which asks the machine.
 */
#include "common/match/kernel_many_impl.h"

#ifdef KIN_KERNEL_X86
#include <immintrin.h>

#define SHORT_OPS kin_kernel_ops_avx2
#define SHORT_MANY kin_many_ops_avx2
#define SHORT_NAME "avx2"
#define SHORT_LEVEL 2

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt")
#endif
#include "common/match/kernel_short.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
