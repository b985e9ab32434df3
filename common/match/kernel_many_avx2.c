/* One string against many with AVX2. Reached only through kin_kernel_ops_at, which asks the
 * machine. */
#include "common/match/kernel_many_impl.h"

#ifdef KIN_KERNEL_X86
#include <immintrin.h>

#define MANY_OPS kin_many_ops_avx2
#define MANY_BYTES 32
#define MANY_LEVEL 2

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt")
#endif
#include "common/match/kernel_many_ops.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
