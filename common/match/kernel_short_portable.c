/* The byte-form kernels in plain C, for every machine. */
#include "common/match/kernel_many_impl.h"

#define SHORT_OPS kin_kernel_ops_portable
#define SHORT_MANY kin_many_ops_portable
#define SHORT_NAME "portable"
#define SHORT_LEVEL 0
#include "common/match/kernel_short.h"
