#ifndef KIN_CLIENT_LIVE_ROWS_H
#define KIN_CLIENT_LIVE_ROWS_H
/* Records of files as JSON objects, one after another, for requests. One thread at a time; blocks
 * while a file is read. */
#include "client/profile_file.h"

struct kin_served_rows {
    struct kin_profile_input in;
    bool open, in_chunk;
    struct kin_buf object; /* of the row at hand, without its closing brace: more may follow */
    struct kin_buf csv;    /* of the row at hand, where `as_csv`: a cell for each column */
    bool as_csv;           /* set by the caller after open; of CSV only */
};

/* Errors name the file; deinit in any case. {0} is a valid closed one. */
kin_status kin_served_rows_open(struct kin_served_rows *r, const char *path,
                                struct kin_err *err) KIN_MUST_CHECK;
void kin_served_rows_deinit(struct kin_served_rows *r);

/* The next row, borrowed until the next call; of a good one r->object and r->csv are made.
 * KIN_E_EOF: there is none. Values are texts as they stand in the file; several of one column are
 * an array; columns without a value are left out. */
kin_status kin_served_rows_next(struct kin_served_rows *r, struct kin_row *row,
                                struct kin_err *err) KIN_MUST_CHECK;
/* The value of a row's column of that name; "" where it has none. */
struct kin_str kin_served_rows_value(const struct kin_served_rows *r, const struct kin_row *row,
                                     struct kin_str column);

/* Appends a member to an object that is open: {"a":"b" becomes {"a":"b","name":"value". */
void kin_served_put_member(struct kin_buf *object, struct kin_str name, struct kin_str value);

#endif
