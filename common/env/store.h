#ifndef KIN_ENV_STORE_H
#define KIN_ENV_STORE_H
/* What the live world needs of a storage engine (common/store implements it over LMDB).
 * Blocking calls. apply: one thread, always the same. Snapshots: any thread, each used by the
 * thread that began it. */
#include "common/env/env.h"

struct kin_store {
    const struct kin_store_ops *ops;
};

struct kin_store_ops {
    /* Applies a linked list of ops (impl_next) in one durable transaction, each op whole. Where the
     * transaction fails as a whole, each op is tried alone, and its own result goes to
     * impl_status. */
    void (*apply)(struct kin_store *, struct kin_store_op *list);
    kin_status (*snap_begin)(struct kin_store *, struct kin_snap **out);
    void (*snap_end)(struct kin_store *, struct kin_snap *);
    kin_status (*snap_get)(struct kin_snap *, unsigned db, struct kin_str key,
                           struct kin_str *value);
    kin_status (*snap_seek)(struct kin_snap *, unsigned db, struct kin_str key,
                            struct kin_str *found_key, struct kin_str *value);
    void (*close)(struct kin_store *);
};

#endif
