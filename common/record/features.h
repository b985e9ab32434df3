#ifndef KIN_RECORD_FEATURES_H
#define KIN_RECORD_FEATURES_H
/* The packed features of one record: what the splitter makes, what travels and is stored as it is,
 * and what comparison reads in place. Little endian; every part starts at a multiple of 4 from the
 * record's start; the record itself may lie at any address.
 *
 *   0  u32 bytes      whole record, multiple of 4, at most KIN_FEATURES_BYTES_MAX
 *   4  u32 rel        number of the record, relative to its batch
 *   8  u16 source     index of the source in name order
 *  10  u16 id_bytes   1..KIN_ID_BYTES_MAX
 *  12  u16 fields     F
 *  14  u16 keys       K
 *  16  u16 key_words  where the keys start, in 4-byte words
 *  18  u16 reserved   0
 *  20  u16 field_words[F]  where each field starts, in words; 0: the field is null. Padded to 4
 *      id bytes, padded to 4
 *      fields, each: u32 values (>= 1), then that many values, each:
 *          u64 hash   of the payload bytes: equal payloads, equal hashes
 *          u16 bytes  of the payload
 *          u16 flags  bit 0: the payload is ASCII
 *          payload, padded to 4
 *      keys u64[K], ascending, no repeats
 *
 * Payload by type: name, text, email, phone, postcode, id, address: normalised UTF-8, not empty.
 * date: i32 days since 1970-01-01. number: f64. geo: f64 latitude, f64 longitude, degrees. */
#include "common/record/schema.h"

enum {
    KIN_FEATURES_BYTES_MAX = 256 * 1024 - 4, /* what 16-bit word offsets reach */
    KIN_FEATURES_HEAD_BYTES = 20,
    KIN_ID_BYTES_MAX = 255,
    KIN_VALUES_MAX = 64, /* of one field */
    KIN_KEYS_MAX = 1024,
    KIN_VALUE_ASCII = 1
};

struct kin_value {
    uint64_t hash;
    const uint8_t *p; /* payload */
    uint32_t bytes;
    bool ascii;
};

static inline uint32_t kin_features_bytes(const uint8_t *rec)
{
    return kin_le32(rec);
}
static inline uint32_t kin_features_rel(const uint8_t *rec)
{
    return kin_le32(rec + 4);
}
static inline uint16_t kin_features_source(const uint8_t *rec)
{
    return kin_le16(rec + 8);
}
/* Sorted blocking keys (unaligned: read with kin_le64). */
static inline const uint8_t *kin_features_keys(const uint8_t *rec, unsigned *count)
{
    *count = kin_le16(rec + 14);
    return rec + 4 * (size_t)kin_le16(rec + 16);
}
static inline struct kin_str kin_features_id(const uint8_t *rec)
{
    size_t fields = kin_le16(rec + 12);
    return (struct kin_str){(const char *)rec + KIN_FEATURES_HEAD_BYTES + ((2 * fields + 3) & ~3u),
                            kin_le16(rec + 10)};
}
/* Number of values of a field (0: null); *at is set to the first. */
static inline unsigned kin_features_values(const uint8_t *rec, unsigned field, const uint8_t **at)
{
    unsigned words = kin_le16(rec + KIN_FEATURES_HEAD_BYTES + 2 * (size_t)field);
    if (!words)
        return 0;
    const uint8_t *p = rec + 4 * (size_t)words;
    *at = p + 4;
    return kin_le32(p);
}
/* Reads the value at *at and moves on to the next. */
static inline struct kin_value kin_features_next(const uint8_t **at)
{
    const uint8_t *p = *at;
    struct kin_value v = {kin_le64(p), p + 12, kin_le16(p + 8), kin_le16(p + 10) & KIN_VALUE_ASCII};
    *at = p + 12 + ((v.bytes + 3) & ~3u);
    return v;
}
/* Order of records everywhere ties are broken: source (in name order), then id bytes. */
int kin_features_cmp_identity(const uint8_t *a, const uint8_t *b);

/* True if the n bytes at rec are exactly one well-formed record of `fields` fields whose every
 * offset, count and length stays inside (for bytes from the wire or the store). */
bool kin_features_valid(const uint8_t *rec, size_t n, unsigned fields);

/* True if every value of a valid record has the payload size of its field's type: comparison reads
 * dates, numbers and places without asking. */
bool kin_features_fit(const uint8_t *rec, const struct kin_schema *schema);

/* ---- building ----
 * begin; for each field that has values, in field order: field, value...; then end with the keys. A
 * record that grows past its limits makes `end` return KIN_E_LIMIT and leaves the buffer as it was.
 */
struct kin_features_builder {
    struct kin_buf *out; /* borrowed: the record is appended here */
    size_t start;
    unsigned fields;
    size_t field_at; /* of the field being filled */
    bool overflow;
};
void kin_features_begin(struct kin_features_builder *b, struct kin_buf *out, unsigned fields,
                        uint32_t rel, uint16_t source, struct kin_str id);
void kin_features_field(struct kin_features_builder *b, unsigned field);
void kin_features_value(struct kin_features_builder *b, const void *payload, size_t bytes,
                        bool ascii);
/* The unfinished record, readable by kin_features_values, to compute keys from. Valid until more is
 * added. */
const uint8_t *kin_features_peek(const struct kin_features_builder *b);
kin_status kin_features_end(struct kin_features_builder *b, const uint64_t *keys,
                            size_t count) KIN_MUST_CHECK; /* KIN_E_LIMIT, KIN_E_NOMEM */

#endif
