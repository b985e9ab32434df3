/* One string against many with AVX-512. Reached only through kin_kernel_ops_at, which asks the
 * machine. */
#include "common/match/kernel_many_impl.h"

#ifdef KIN_KERNEL_X86
#include <immintrin.h>

#define MANY_OPS kin_many_ops_avx512
#define MANY_BYTES 64
#define MANY_LEVEL 3

#ifdef __clang__
#pragma clang attribute push(                                                              \
    __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi2"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi2")
#endif
#include "common/match/kernel_many_ops.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
