#ifndef KIN_DAEMON_IDENTITY_H
#define KIN_DAEMON_IDENTITY_H
/* The key by which a worker is known to its coordinator: one line in a file of its data directory,
 *
 *     kindred-identity-1 PRIVATE PUBLIC
 *
 * both in 64 hex digits: the seed of an Ed25519 key, and the public key that follows from it. Who
 * has the file is that worker. Main thread. */
#include "common/env/net/net.h"

/* KIN_E_NOTFOUND: there is no file; KIN_E_CORRUPT: it is malformed; KIN_E_INVAL: others than its
 * owner may read or write it; KIN_E_IO, KIN_E_NOMEM. */
kin_status kin_identity_load(const char *path, struct kin_net_identity *out,
                             struct kin_err *err) KIN_MUST_CHECK;

/* The same, but where there is no file a new key is made, and is durable on return. One process at
 * a time: under the lock of the data directory. */
kin_status kin_identity_open(const char *path, struct kin_net_identity *out,
                             struct kin_err *err) KIN_MUST_CHECK;

#endif
