#ifndef KIN_RECORD_NORMALISE_H
#define KIN_RECORD_NORMALISE_H
/* Normalisers: the raw text of a cell to the payload that comparison reads (see features.h), by
 * field type. Unicode-correct; docs/normalisation.md has the rules with before/after tables, whose
 * every row the tests check. No allocation: the result lies in the caller's scratch. One scratch
 * belongs to one thread at a time. */
#include "common/record/schema.h"

/* Part of the store format: a change of any result is a new number. */
enum { KIN_NORMALISER_VERSION = 1 };

struct kin_norm_scratch; /* opaque: buffers for texts of up to KIN_FIELD_BYTES_MAX bytes */
struct kin_norm_scratch *kin_norm_scratch_new(void); /* NULL: out of memory */
void kin_norm_scratch_free(struct kin_norm_scratch *s);

enum kin_norm {
    KIN_NORM_VALUE, /* *out is set */
    KIN_NORM_NULL,  /* nothing there: empty, blanks, or only characters the type drops */
    KIN_NORM_BAD /* there is something, but it is no date, number, e-mail ...: counts as null and is
                    counted in the report */
};

struct kin_norm_value {
    const uint8_t *p; /* payload (features.h); valid until the next call with this scratch */
    size_t bytes;     /* 1..UINT16_MAX: a longer text is cut at a character */
    bool ascii;       /* of a text; false for dates, numbers and places */
};

/* raw: valid UTF-8, at most KIN_FIELD_BYTES_MAX bytes. The payload of a text type normalises to
 * itself. *out is set only with KIN_NORM_VALUE. */
enum kin_norm kin_normalise(struct kin_norm_scratch *s, const struct kin_field *field,
                            struct kin_str raw, struct kin_norm_value *out);

/* A modification stamp ("updated" columns): ISO 8601 date or date-time with or without zone, or a
 * number of seconds, milliseconds or microseconds since 1970; to microseconds since 1970 UTC. *us
 * is set only when true. */
bool kin_parse_timestamp(struct kin_str raw, int64_t *us);

/* Strict UTF-8 (no surrogates, no overlong forms, up to U+10FFFF); fast on ASCII. *ascii may be
 * NULL. */
bool kin_utf8_valid(const void *p, size_t n, bool *ascii);

#endif
