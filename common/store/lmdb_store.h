#ifndef KIN_STORE_LMDB_STORE_H
#define KIN_STORE_LMDB_STORE_H
/* The store of a node over LMDB. One environment per path and process. Never WRITEMAP: a full disk
 * must be an error, not a signal. */
#include "common/env/store.h"

struct kin_lmdb_options {
    const char *path;   /* directory; made (0700) if missing */
    uint64_t map_bytes; /* address space set aside, at least 16 MiB; grows nothing on disk */
    unsigned dbs;       /* 1..KIN_DBS_MAX, named "0".."7" */
    /* The core's store format number. A file of an earlier one is opened as it is, from
     * format_from on (0: none), and is one of this format then; any other is KIN_E_VERSION. */
    uint64_t format, format_from;
    /* false: no fsync on commit. Survives kill -9 all the same; for stores that can be rebuilt from
     * their sources. Such a store remembers the boot of the machine, and one left over from an
     * earlier boot that was not closed in order is emptied on open rather than trusted. */
    bool fsync;
    /* read at close, when it may say: nobody needs the store any more. It then is closed without
     * being written to the disk, and looks as after a crash. May be NULL */
    const bool *discard;
};

/* KIN_E_BUSY (this or another process has it open), KIN_E_VERSION, KIN_E_IO, KIN_E_FULL,
 * KIN_E_NOMEM, KIN_E_INVAL, KIN_E_CORRUPT (err says which and where: the structure of the file is
 * walked before LMDB maps it, since a damaged page would crash it). */
kin_status kin_lmdb_open(const struct kin_lmdb_options *options, struct kin_store **out,
                         struct kin_err *err) KIN_MUST_CHECK;

#endif
