#ifndef KIN_STORE_MEMORY_STORE_H
#define KIN_STORE_MEMORY_STORE_H
/* A store in memory, for jobs that are sooner begun anew than written down: the same contract as
 * the one over LMDB but for durability. A batch is "durable" once it is applied, and gone with the
 * process. Values that lie in the payload of the op's frame are not copied: the frame is kept. */
#include "common/env/store.h"

/* dbs: 1..KIN_DBS_MAX. KIN_E_NOMEM. Closed by its own op. */
kin_status kin_memory_store_new(unsigned dbs, struct kin_store **out) KIN_MUST_CHECK;

#endif
