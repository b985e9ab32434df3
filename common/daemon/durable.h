#ifndef KIN_DAEMON_DURABLE_H
#define KIN_DAEMON_DURABLE_H
/* Small files that are there whole or not at all. Any thread; one at a time for each path. */
#include "common/base/mem.h"

/* Writes a new file beside the path (".new" behind its name; one that a crash left is replaced),
 * for the owner alone, and puts it at the path once it is on the disk. When this returns KIN_OK, so
 * is the name. KIN_E_FULL, KIN_E_IO: what was at the path is as it was, or (if only the name could
 * not be made durable) the new file is there. Blocks for the disk. */
kin_status kin_durable_write(const char *path, struct kin_str text,
                             struct kin_err *err) KIN_MUST_CHECK;

/* A file's text, appended to out. KIN_E_NOTFOUND; KIN_E_INVAL: others than the owner may read or
 * write it, where it is to be secret; KIN_E_LIMIT: more than max bytes; KIN_E_IO; KIN_E_NOMEM. */
struct kin_durable_rules {
    size_t max;
    bool secret;
};
kin_status kin_durable_read(const char *path, const struct kin_durable_rules *rules,
                            struct kin_buf *out, struct kin_err *err) KIN_MUST_CHECK;

#endif
