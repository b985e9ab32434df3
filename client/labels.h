#ifndef KIN_CLIENT_LABELS_H
#define KIN_CLIENT_LABELS_H
/* Files of labels: what people know of which records are the same. CSV, in one of two forms:
 *
 * - clusters: columns id, entity and optionally source; records of one entity are the same thing
 *   (the form of truth files);
 * - pairs: columns id_a, id_b, label and optionally source_a, source_b; label is 1 where the two
 *   are the same, 0 where they are not.
 *
 * Other columns are passed over. Main thread. */
#include "common/base/mem.h"

struct kin_label {
    uint64_t line;
    struct kin_str source_a, id_a; /* source.p NULL: not said */
    struct kin_str source_b, id_b; /* of pairs */
    struct kin_str entity;         /* of clusters */
    bool match;                    /* of pairs */
};
struct kin_labels {
    struct kin_arena arena; /* owns the texts */
    bool clusters;
    struct kin_label *items; /* owned; in the order of the file */
    size_t count;
};

/* KIN_E_SYNTAX: the message names file and line; KIN_E_IO, KIN_E_INVAL, KIN_E_NOMEM. On success the
 * caller deinits out. */
kin_status kin_labels_read(const char *path, struct kin_labels *out,
                           struct kin_err *err) KIN_MUST_CHECK;
void kin_labels_deinit(struct kin_labels *l);

#endif
