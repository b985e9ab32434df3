/* One string against many in plain C, for every machine. */
#include "common/match/kernel_many_impl.h"

#define MANY_OPS kin_many_ops_portable
#define MANY_BYTES 16
#define MANY_LEVEL 0
#include "common/match/kernel_many_ops.h"
