#ifndef KIN_PROTO_SCHEMA_H
#define KIN_PROTO_SCHEMA_H
/* messages.def as tables: what encoder, decoder, printer and tests walk over. Inside proto/ and its
 * tests only. Constant data; any thread. */
#include "proto/message.h"

enum kin_kind {
    KIN_KIND_U32,
    KIN_KIND_U64,
    KIN_KIND_I64,
    KIN_KIND_BOOL,
    KIN_KIND_STR,
    KIN_KIND_BYTES,
};

enum { KIN_FIELD_ID_MAX = 63 };

struct kin_field {
    uint8_t id; /* 1..KIN_FIELD_ID_MAX, ascending inside a schema */
    uint8_t kind;
    bool required;
    uint16_t offset; /* in the struct that the schema describes */
    const char *name;
};

struct kin_schema {
    uint32_t type; /* 0: the envelope */
    const char *name;
    const struct kin_field *fields;
    size_t count;
};

const struct kin_schema *kin_schema_envelope(void);    /* describes struct kin_message */
const struct kin_schema *kin_schema_of(uint32_t type); /* NULL: no such message */
const struct kin_schema *kin_schema_at(size_t index);  /* in the order of the list; NULL past */
bool kin_field_is_set(const struct kin_field *f, const void *base); /* neither zero nor empty */

/* Where a field lives inside the struct at base. */
static inline const void *kin_field_at(const struct kin_field *f, const void *base)
{
    return (const char *)base + f->offset;
}

/* The map of one struct, appended to `to`. KIN_E_NOMEM, KIN_E_LIMIT: to would pass
 * KIN_MESSAGE_BYTES_MAX. */
kin_status kin_schema_encode(const struct kin_schema *s, const void *base,
                             struct kin_buf *to) KIN_MUST_CHECK;

/* A walk over msgpack bytes that are not trusted. */
struct kin_reader {
    struct kin_cursor at;
    unsigned items;    /* read so far */
    kin_status status; /* KIN_OK until something was wrong; then nothing more is read */
    const char *why;   /* static */
    const char *field; /* the one it happened in, or "" */
};

/* Reads one map into the zeroed struct at base. depth is the number of containers around it.
 * Returns r->status. */
kin_status kin_schema_decode(const struct kin_schema *s, struct kin_reader *r, unsigned depth,
                             void *base) KIN_MUST_CHECK;

/* " name=value" for each field that is set. */
void kin_schema_print(const struct kin_schema *s, const void *base, struct kin_buf *to);

#endif
