#ifndef KIN_DAEMON_MEMBERS_H
#define KIN_DAEMON_MEMBERS_H
/* The coordinator's list of the workers' keys, and the node number that each has: a file of its
 * data directory, one line a worker,
 *
 *     NUMBER KEY FIRST_SEEN
 *
 * KEY in 64 hex digits, FIRST_SEEN as 2026-11-22T11:15:05Z, for people to read, and to edit while
 * no coordinator runs. A worker that comes back has its number for ever, unless all numbers are
 * given and somebody new comes while it is away.
 *
 * Any thread, but open and close. */
#include "common/env/net/net.h"

struct kin_members;

struct kin_members_options {
    const char *path; /* borrowed until kin_members_open returns */
    uint32_t max;     /* numbers 1..max; below KIN_NODES_MAX */
    /* A number is nobody else's for so long after its worker was last seen; all workers count as
     * seen at the opening, so that those that come back find their places. 0: 10,000 */
    uint32_t settle_ms;
};

/* Loads the list; no file is an empty list, and is made with the first member. KIN_E_CORRUPT: err
 * names file and line; KIN_E_IO, KIN_E_NOMEM, KIN_E_INVAL. */
kin_status kin_members_open(const struct kin_members_options *options, struct kin_members **out,
                            struct kin_err *err) KIN_MUST_CHECK;
void kin_members_close(struct kin_members *m); /* NULL is fine */

/* The number of a key: its own; for a new key the lowest that nobody has; where there is none, that
 * of the worker that is not connected and was seen longest ago. A new number is on the disk before
 * it is returned; *fresh tells of one. 0: all others are connected or were just seen (KIN_E_LIMIT),
 * or the file cannot be written; the list is as it was then. */
kin_node_id kin_members_admit(struct kin_members *m, const uint8_t key[KIN_NET_PUBLIC_BYTES],
                              bool *fresh, struct kin_err *err);

/* Whether the worker is connected. */
void kin_members_link(struct kin_members *m, kin_node_id number, bool up);

struct kin_member {
    char key[2 * KIN_NET_PUBLIC_BYTES + 1], first_seen[24];
    bool connected;
    uint64_t silent_ms; /* since it was last seen, or since the opening; 0 while it is connected */
};
/* False: nobody has the number. */
bool kin_members_get(struct kin_members *m, kin_node_id number, struct kin_member *out);

#endif
