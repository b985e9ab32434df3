#ifndef KIN_CLIENT_LIVE_PUT_H
#define KIN_CLIENT_LIVE_PUT_H
/* Records of files put to a cluster: PUT requests of up to KIN_PUT_LINES records for
 * client/live_stream.h. What becomes of each record is told in the order of the files.
 *
 * Of several lines with one id the last counts. So no two requests under way have a record in
 * common: which column is the id is asked first, by a PUT that cannot be fulfilled. Where that
 * is not learnt, one request is under way at a time.
 *
 * One thread at a time (the tasks of the stream). */
#include "client/live_rows.h"
#include "client/live_stream.h"

enum { KIN_PUT_LINES = 1000, KIN_PUT_BYTES = 2 << 20, KIN_PUT_WINDOW = 4 };

enum kin_put_outcome {
    KIN_PUT_ACCEPTED, /* durable; without wait nothing more is known */
    KIN_PUT_CREATED,
    KIN_PUT_UPDATED,
    KIN_PUT_DELETED,
    KIN_PUT_UNKNOWN, /* to be deleted, but not there */
    KIN_PUT_SUPERSEDED,
    KIN_PUT_REJECTED,
    KIN_PUT_OUTCOMES
};
extern const char *const kin_put_outcome_names[KIN_PUT_OUTCOMES];

/* One record. Texts are borrowed for the call, and may be empty. */
struct kin_put_line {
    enum kin_put_outcome outcome;
    const char *file;
    uint64_t line;
    struct kin_str raw; /* as it stands in the file */
    struct kin_str id, match_id, rule, confidence;
    struct kin_str field, reason; /* of a rejected one */
    struct kin_str json;          /* the line of the answer; empty where it was not asked */
};

struct kin_put_batch;

struct kin_put {
    /* by the caller */
    struct kin_str workflow, source; /* borrowed */
    bool wait;
    /* A record is done with. Anything but KIN_OK ends it. */
    kin_status (*on_line)(void *arg, const struct kin_put_line *line, struct kin_err *err);
    void *arg;
    /* to be looked at */
    uint64_t read, counts[KIN_PUT_OUTCOMES]; /* read: all of counts, once all is answered */

    /* private */
    struct kin_buf id_column;
    bool probed, id_known, has_held;
    struct kin_served_rows rows;
    const char *file;
    bool open;
    struct kin_put_batch *batch; /* in the making */
    struct kin_put_batch *under_way[KIN_PUT_WINDOW + 1];
    size_t under_way_count;
    struct {
        struct kin_buf json, raw;
        uint64_t line, id_hash;
    } held; /* a record whose id is under way */
};

/* A file whose records come next, after the last one ended (KIN_STREAM_END). The path is borrowed
 * until the next one. Errors name the file. */
kin_status kin_put_open(struct kin_put *p, const char *path, struct kin_err *err) KIN_MUST_CHECK;
/* The next request. KIN_STREAM_END: the file has ended, and all of it is answered. */
enum kin_stream_next kin_put_next(struct kin_put *p, struct kin_stream_ask *ask,
                                  struct kin_err *err);
/* Ids to be deleted instead of a file: the request for the next of them; *at is moved on. */
enum kin_stream_next kin_put_next_delete(struct kin_put *p, char *const *ids, size_t count,
                                         size_t *at, struct kin_stream_ask *ask,
                                         struct kin_err *err);
kin_status kin_put_take(struct kin_put *p, struct kin_stream_ask *ask, const struct kin_message *m,
                        struct kin_str payload, struct kin_err *err) KIN_MUST_CHECK;
/* Forgets the file and what is under way, not the counts; {0} is fine. */
void kin_put_close(struct kin_put *p);
void kin_put_deinit(struct kin_put *p);

/* ---- errors.csv (docs/outputs.md) ---- */

extern const char kin_put_errors_header[];
void kin_put_error_row(struct kin_buf *out, struct kin_str source, const struct kin_put_line *line);

/* "N read: N created, ..., N rejected": those that are not 0. */
void kin_put_summary(const struct kin_put *p, struct kin_buf *out);

#endif
