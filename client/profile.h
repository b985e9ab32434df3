#ifndef KIN_CLIENT_PROFILE_H
#define KIN_CLIENT_PROFILE_H
/* What is in files of records: for every column how much is filled, how many values differ, what
 * they look like and what the normalisers take them for. One pass over each file, in bounded
 * memory, and a sample of the rows to look closer at. Same files and options, same profile. Main
 * thread; an object owns all it points to. */
#include "client/profile_counts.h"
#include "common/record/normalise.h"
#include "common/record/reader.h"

/* What a value was tried as. */
enum kin_profile_as {
    KIN_AS_NAME,
    KIN_AS_EMAIL,
    KIN_AS_PHONE,
    KIN_AS_DATE, /* without an order given: what can be read in one way only */
    KIN_AS_DATE_DMY,
    KIN_AS_DATE_MDY,
    KIN_AS_NUMBER,
    KIN_AS_GEO,
    KIN_AS_ID,
    KIN_AS_TIMESTAMP,
    KIN_AS_COUNT
};

enum {
    KIN_PROFILE_SHAPES = 12,
    KIN_PROFILE_SHAPE_BYTES = 24,
    KIN_PROFILE_COUNTRIES = 40,
    KIN_PROFILE_CELL_BYTES = 1024, /* of a value in the sample; longer ones are cut */
    KIN_PROFILE_TRIED_ALL = 4096,  /* of a column's first values all are tried, */
    KIN_PROFILE_TRIED_EVERY = 16   /* of the others one in so many */
};

/* A value with every letter as a or A and every digit as 9. The commonest are kept (Misra and Gries
 * 1982): one that more than a thirteenth of the values have is among them, its count at most so
 * much too low. text[0] 0: none. */
struct kin_profile_shape {
    char text[KIN_PROFILE_SHAPE_BYTES];
    uint64_t count;
};

struct kin_profile_column {
    struct kin_str name;
    uint64_t filled; /* rows with a value that is not blank */
    uint64_t values; /* more than filled where arrays are */
    struct kin_counts counts;
    uint32_t min_chars, max_chars;
    uint64_t chars, words;                           /* of all values together */
    uint64_t letters, digits, blanks, marks, others; /* chars by class; others: not ASCII */
    uint64_t with_digit, with_letter, with_at, without_blank; /* values */
    uint64_t placeholders;                                    /* "n/a", "unknown", "0000" ... */
    uint64_t urls;
    uint64_t steps; /* integers that are the one before, plus one */
    struct kin_profile_shape shapes[KIN_PROFILE_SHAPES];

    uint64_t tried, accepted[KIN_AS_COUNT];
    /* of the values tried that are two short numbers and a year */
    uint64_t day_first, month_first; /* the other way is no date */
    uint64_t either;
    uint64_t years, years_past; /* dates read; those 15 years and more before the latest */
    int32_t year_min, year_max;
    uint64_t domestic;                         /* telephone numbers without a calling code */
    uint64_t northern;                         /* those of ten digits as in North America */
    uint64_t countries[KIN_PROFILE_COUNTRIES]; /* by calling code: see kin_profile_country */

    bool last_integer_known;
    uint64_t last_integer;
};
/* ISO code of entry i of `countries`, or NULL past the last. */
const char *kin_profile_country(size_t i);

struct kin_profile_tools {
    struct kin_norm_scratch *norm;
    size_t budget; /* see kin_counts_add */
};
/* Takes one value, without blanks at its ends and not empty. first: of its row. false: out of
 * memory. */
bool kin_profile_column_add(struct kin_profile_column *c, struct kin_profile_tools *tools,
                            struct kin_str value, uint32_t file, bool first);
void kin_profile_column_deinit(struct kin_profile_column *c);
/* The commonest shape, or NULL. */
const struct kin_profile_shape *kin_profile_shape(const struct kin_profile_column *c);
/* "", blanks and tabs at both ends cut off. */
struct kin_str kin_profile_trim(struct kin_str v);

/* ---- files ---- */

struct kin_profile_file {
    const char *path; /* as it was given or matched */
    size_t argument;  /* which of the paths given it came from */
    size_t source;
    uint64_t bytes;
    uint64_t rows, bad;  /* read: good ones, rejected ones */
    bool whole;          /* read to its end */
    double rows_in_all;  /* estimated from the bytes read where not whole */
    char first_bad[200]; /* "line 3: expected 3 cells, found 2" */
};

/* Files with the same columns. */
struct kin_profile_source {
    enum kin_format format;
    size_t *files; /* in the order they were given */
    size_t file_count;
    struct kin_profile_column *columns;
    size_t column_count;
    uint64_t rows;
    double rows_in_all;
};

/* A row of the sample: u32 bytes (of this row, itself included), u32 file, u32 row number in the
 * file, u32 cells, then each cell: u16 column, u16 bytes, text. Read with kin_cursor. */
struct kin_profile_sample {
    struct kin_buf bytes;
    size_t rows;
    unsigned thinned; /* one row in 2^thinned was kept, by a hash of its number */
};

struct kin_profile {
    struct kin_arena arena;
    struct kin_profile_file *files;
    size_t file_count;
    struct kin_profile_source *sources;
    size_t source_count;
    struct kin_profile_sample sample;
    uint64_t rows;
    double rows_in_all;
};

struct kin_profile_path {
    const char *path;
    size_t argument;
};

struct kin_profile_options {
    uint64_t rows;       /* read at most, of all files together; each gets a fair share */
    size_t sample_bytes; /* of the sample at most */
};

/* Reads and profiles. Paths are borrowed until kin_profile_free. Errors name the file: KIN_E_IO,
 * KIN_E_INVAL (not a regular file), KIN_E_SYNTAX (no header ...), KIN_E_CORRUPT, KIN_E_NOMEM. A
 * file without a good row is no error: its rows are 0. */
kin_status kin_profile_read(const struct kin_profile_path *paths, size_t count,
                            const struct kin_profile_options *options, struct kin_profile **out,
                            struct kin_err *err) KIN_MUST_CHECK;
void kin_profile_free(struct kin_profile *p);

#endif
