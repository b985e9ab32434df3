#ifndef KIN_COORDINATOR_LIVE_LOOKUP_H
#define KIN_COORDINATOR_LIVE_LOOKUP_H
/* Private to live_lookup.c and live_found.c: one LOOKUP. */
#include "coordinator/live.h"

struct candidate {          /* a group that matches */
    uint32_t group, record; /* record: the best of it */
    uint32_t rule;
    int32_t weight;
    bool forbidden;
};
struct lookup_record {
    uint32_t at; /* of its features; LIVE_NONE: there are none */
    bool truncated;
    const char *reason; /* static or in the arena */
    struct kin_str field;
    struct candidate *candidates; /* best first */
    size_t candidate_count;
};
struct live_lookup {
    struct live_lookup *next, *prev;
    struct live *live;
    kin_node_id from;
    uint64_t request;
    uint32_t limit;
    bool explain, partial;
    uint16_t source;
    struct kin_arena arena;
    struct kin_frame *frame;
    struct lookup_record *records;
    size_t count;
    struct kin_buf features;
    struct kin_buf edges; /* as of LIVE_FOUND, a: the record */
    size_t waiting;       /* records at workers */
    uint32_t *members;    /* those whose features are asked for */
    size_t member_count;
};

void lookup_free(struct live_lookup *x);
void lookup_end(struct live_lookup *x); /* one that is in its live's list */
/* live_found.c: all workers have answered; goes on to the answer. */
void lookup_found(struct live_lookup *x);

#endif
