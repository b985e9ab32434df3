#ifndef KIN_CLIENT_LIVE_LOOKUP_H
#define KIN_CLIENT_LIVE_LOOKUP_H
/* Each record of a file looked up on a cluster: LOOKUP requests for client/live_stream.h, and the
 * records written again with what was found, in the order of the file. One thread at a time (the
 * tasks of the stream); open and close before and after. */
#include "client/live_rows.h"
#include "client/live_stream.h"

#include <stdio.h>

enum { KIN_LOOKUP_LINES = 256, KIN_LOOKUP_BYTES = 1 << 20, KIN_LOOKUP_WINDOW = 8 };

enum kin_lookup_format {
    KIN_LOOKUP_AS_INPUT, /* CSV of CSV, else JSON Lines */
    KIN_LOOKUP_CSV,      /* of CSV only: a row, and KIN_LOOKUP_COLUMNS more cells */
    KIN_LOOKUP_JSONL,    /* {"record":{...},"match":{...}} */
    KIN_LOOKUP_ANSWERS   /* the lines of the answer */
};

struct kin_lookup {
    /* by the caller */
    struct kin_str workflow, source; /* borrowed */
    bool explain;
    uint32_t limit;
    /* to be looked at: read = matched + unmatched + rejected */
    uint64_t read, matched, unmatched, rejected, partial, truncated;

    /* private */
    struct kin_served_rows rows;
    const char *path;
    enum kin_lookup_format format;
    FILE *out;
    bool ended;
    uint64_t told;
    struct kin_buf text;
    struct lookup_batch *batches; /* under way */
};

/* Writes the header of a CSV. path and out are borrowed until close. KIN_E_INVAL: CSV is wanted of
 * JSON Lines, whose columns are not known before their end. Errors name the file. */
kin_status kin_lookup_open(struct kin_lookup *l, const char *path, enum kin_lookup_format format,
                           FILE *out, struct kin_err *err) KIN_MUST_CHECK;
enum kin_stream_next kin_lookup_next(struct kin_lookup *l, struct kin_stream_ask *ask,
                                     struct kin_err *err);
kin_status kin_lookup_take(struct kin_lookup *l, struct kin_stream_ask *ask,
                           const struct kin_message *m, struct kin_str payload,
                           struct kin_err *err) KIN_MUST_CHECK;
void kin_lookup_close(struct kin_lookup *l);

#endif
