#ifndef KIN_CLIENT_PROFILE_FILE_H
#define KIN_CLIENT_PROFILE_FILE_H
/* One file of records, opened for reading from its start: plain or compressed, CSV or JSON Lines.
 * Private to client/profile_*.c, client/labels.c and client/live_*.c. One thread at a time. */
#include "common/record/reader.h"

struct kin_profile_input {
    const char *path; /* borrowed */
    int fd;
    uint64_t bytes;    /* of the file */
    uint64_t raw;      /* read of it */
    uint64_t produced; /* given to the cutter: more than raw where it is compressed */
    uint8_t head[64];  /* of standard input: what was read to see its format */
    size_t head_n, head_at;
    struct kin_inflate *inflate;
    struct kin_reader_options options;
    struct kin_cutter *cutter;
    struct kin_rows *rows;
    struct kin_chunk chunk;
};

/* in is the caller's and stays where it is; deinit in any case. Errors name the file. "-" is
 * standard input, not compressed: JSON Lines if it begins with a brace, else CSV. */
kin_status kin_profile_input_open(struct kin_profile_input *in, const char *path,
                                  struct kin_err *err) KIN_MUST_CHECK;
void kin_profile_input_deinit(struct kin_profile_input *in);
/* Begins the next chunk: rows follow from kin_rows_next(in->rows). KIN_E_EOF: there is none. */
kin_status kin_profile_input_next(struct kin_profile_input *in, struct kin_err *err) KIN_MUST_CHECK;
/* Rows of the whole file by what `rows` of them took, of which the last ended at `end` in the
 * chunk. */
double kin_profile_input_estimate(const struct kin_profile_input *in, uint64_t rows,
                                  const uint8_t *end);

#endif
