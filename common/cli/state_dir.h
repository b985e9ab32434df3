#ifndef KIN_CLI_STATE_DIR_H
#define KIN_CLI_STATE_DIR_H
/* The directory where the nodes of a machine keep their stores: "lock", "coordinator" and
 * "worker-N"; that of a daemon has its store, "lock", and "identity" or "members". Nothing else in
 * it is ever touched. Main thread. */
#include "common/base/status.h"

/* Refuses what cannot be a state directory before any work is done: KIN_E_EXISTS where something is
 * there that is no directory, or one that holds other things and no state (a daemon's keys are none
 * of those); KIN_E_IO. */
kin_status kin_state_dir_check(const char *dir, struct kin_err *err) KIN_MUST_CHECK;

/* Makes the directory if it is missing, and locks it for this process until fd is closed.
 * KIN_E_BUSY: another process has it. */
kin_status kin_state_dir_lock(const char *dir, int *fd, struct kin_err *err) KIN_MUST_CHECK;

/* Removes the state, and the directory if nothing else is in it. KIN_E_BUSY: another process has
 * it, and it stays. */
kin_status kin_state_dir_remove(const char *dir, struct kin_err *err) KIN_MUST_CHECK;

#endif
