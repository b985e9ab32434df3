#ifndef KIN_STORE_LMDB_IMPL_H
#define KIN_STORE_LMDB_IMPL_H
/* Private to common/store. A store's directory holds
 *   data.mdb, lock.mdb   LMDB's own;
 *   owner.lock           held with flock by the process that has the store open;
 *   state                "whole": all commits have been made durable; or "open <boot id>": not so,
 *                        and during which boot of the machine it was last written. */
#include "common/store/lmdb_store.h"

#include <lmdb.h>

/* The status that fits a code of LMDB's (which may be an errno), and an error with its text:
 * "path: what: text". */
kin_status kin_lmdb_status(int rc);
#define kin_lmdb_fail(err, rc, path, what) kin_lmdb_fail_at((err), (rc), __func__, (path), (what))
kin_status kin_lmdb_fail_at(struct kin_err *err, int rc, const char *where, const char *path,
                            const char *what);

/* ---- lmdb_dir.c: the directory, its lock and its state ---- */

struct kin_lmdb_dir {
    const char *path; /* borrowed */
    int fd;
    int lock_fd;
};

/* Makes the directory if need be and takes its lock: KIN_E_BUSY while anybody has it. */
kin_status kin_lmdb_dir_open(struct kin_lmdb_dir *dir, const char *path, struct kin_err *err);
void kin_lmdb_dir_close(struct kin_lmdb_dir *dir);

/* Decides whether the data can be believed, and removes them if not. `fresh` says that there are
 * none afterwards. */
kin_status kin_lmdb_dir_settle(struct kin_lmdb_dir *dir, bool *fresh, struct kin_err *err);

/* Durable when it returns. whole: every commit so far is on disk. */
kin_status kin_lmdb_dir_mark(struct kin_lmdb_dir *dir, bool whole, struct kin_err *err);

/* ---- lmdb_check.c ---- */

/* Walks the whole structure of <dir>/data.mdb before LMDB maps it, since LMDB believes what it
 * reads: a damaged page would be a wild pointer or an abort. KIN_E_CORRUPT names page and tree.
 * Reads the branch and leaf pages once and one header per large value; the values themselves are
 * the business of who wrote them. */
kin_status kin_lmdb_check(struct kin_lmdb_dir *dir, struct kin_err *err);

#endif
