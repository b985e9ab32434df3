#include "common/record/features.h"

#include "common/base/hash.h"

#include <string.h>

static size_t pad4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

int kin_features_cmp_identity(const uint8_t *a, const uint8_t *b)
{
    unsigned sa = kin_features_source(a), sb = kin_features_source(b);
    if (sa != sb)
        return sa < sb ? -1 : 1;
    return kin_str_cmp(kin_features_id(a), kin_features_id(b));
}

/* Walks one field at `at`; true if its values end inside the record. */
static bool field_valid(const uint8_t *rec, size_t bytes, size_t at)
{
    if (at + 4 > bytes)
        return false;
    uint32_t count = kin_le32(rec + at);
    if (count == 0 || count > KIN_VALUES_MAX)
        return false;
    at += 4;
    for (uint32_t i = 0; i < count; i++) {
        if (at + 12 > bytes)
            return false;
        at += 12 + pad4(kin_le16(rec + at + 8));
        if (at > bytes)
            return false;
    }
    return true;
}

bool kin_features_valid(const uint8_t *rec, size_t n, unsigned fields)
{
    if (n < KIN_FEATURES_HEAD_BYTES)
        return false;
    size_t bytes = kin_le32(rec);
    unsigned id_bytes = kin_le16(rec + 10), keys = kin_le16(rec + 14);
    size_t head = KIN_FEATURES_HEAD_BYTES + pad4(2 * (size_t)fields);
    size_t id_end = head + pad4(id_bytes);
    if (bytes != n || bytes % 4 || bytes > KIN_FEATURES_BYTES_MAX || kin_le16(rec + 12) != fields ||
        id_bytes == 0 || id_bytes > KIN_ID_BYTES_MAX || keys > KIN_KEYS_MAX || id_end > bytes)
        return false;
    size_t keys_at = 4 * (size_t)kin_le16(rec + 16);
    if (keys_at < id_end || keys_at + 8 * (size_t)keys != bytes)
        return false;
    for (unsigned k = 1; k < keys; k++) {
        const uint8_t *p = rec + keys_at + 8 * (size_t)k;
        if (kin_le64(p - 8) >= kin_le64(p))
            return false;
    }
    for (unsigned f = 0; f < fields; f++) {
        size_t at = 4 * (size_t)kin_le16(rec + KIN_FEATURES_HEAD_BYTES + 2 * (size_t)f);
        if (at && (at < id_end || at >= keys_at || !field_valid(rec, keys_at, at)))
            return false;
    }
    return true;
}

bool kin_features_fit(const uint8_t *rec, const struct kin_schema *schema)
{
    for (unsigned f = 0; f < schema->count; f++) {
        enum kin_type type = schema->fields[f].type;
        uint32_t bytes = type == KIN_TYPE_DATE ? 4 : type == KIN_TYPE_NUMBER ? 8 : 16;
        if (type != KIN_TYPE_DATE && type != KIN_TYPE_NUMBER && type != KIN_TYPE_GEO)
            continue;
        const uint8_t *at = NULL;
        for (unsigned n = kin_features_values(rec, f, &at); n; n--) {
            if (kin_features_next(&at).bytes != bytes)
                return false;
        }
    }
    return true;
}

void kin_features_begin(struct kin_features_builder *b, struct kin_buf *out, unsigned fields,
                        uint32_t rel, uint16_t source, struct kin_str id)
{
    *b = (struct kin_features_builder){.out = out, .start = out->n, .fields = fields};
    size_t head = KIN_FEATURES_HEAD_BYTES + pad4(2 * (size_t)fields);
    b->overflow = id.n == 0 || id.n > KIN_ID_BYTES_MAX;
    if (b->overflow)
        return;
    uint8_t *p = kin_buf_extend(out, head + pad4(id.n));
    if (!p)
        return;
    memset(p, 0, head + pad4(id.n));
    kin_put_le32(p + 4, rel);
    kin_put_le16(p + 8, source);
    kin_put_le16(p + 10, (uint16_t)id.n);
    kin_put_le16(p + 12, (uint16_t)fields);
    memcpy(p + head, id.p, id.n);
}

void kin_features_field(struct kin_features_builder *b, unsigned field)
{
    size_t at = b->out->n - b->start;
    if (b->overflow || b->out->failed)
        return;
    if (at + 4 > KIN_FEATURES_BYTES_MAX) {
        b->overflow = true;
        return;
    }
    b->field_at = b->out->n;
    kin_buf_u32(b->out, 0);
    if (!b->out->failed)
        kin_put_le16(b->out->p + b->start + KIN_FEATURES_HEAD_BYTES + 2 * (size_t)field,
                     (uint16_t)(at / 4));
}

void kin_features_value(struct kin_features_builder *b, const void *payload, size_t bytes,
                        bool ascii)
{
    if (b->overflow || b->out->failed)
        return;
    if (bytes > UINT16_MAX || b->out->n - b->start + 12 + pad4(bytes) > KIN_FEATURES_BYTES_MAX) {
        b->overflow = true;
        return;
    }
    uint32_t count = kin_le32(b->out->p + b->field_at);
    if (count == KIN_VALUES_MAX)
        return; /* further values of one field are ignored */
    uint8_t *p = kin_buf_extend(b->out, 12 + pad4(bytes));
    if (!p)
        return;
    kin_put_le64(p, kin_hash64(payload, bytes, 0));
    kin_put_le16(p + 8, (uint16_t)bytes);
    kin_put_le16(p + 10, ascii ? KIN_VALUE_ASCII : 0);
    if (pad4(bytes) > bytes)
        memset(p + 12 + pad4(bytes) - 4, 0, 4);
    memcpy(p + 12, payload, bytes);
    kin_put_le32(b->out->p + b->field_at, count + 1);
}

const uint8_t *kin_features_peek(const struct kin_features_builder *b)
{
    return b->overflow || b->out->failed ? NULL : b->out->p + b->start;
}

kin_status kin_features_end(struct kin_features_builder *b, const uint64_t *keys, size_t count)
{
    struct kin_buf *out = b->out;
    size_t at = out->n - b->start;
    if (!out->failed && !b->overflow &&
        (count > KIN_KEYS_MAX || at + 8 * count > KIN_FEATURES_BYTES_MAX))
        b->overflow = true;
    if (b->overflow) {
        out->n = b->start;
        return KIN_E_LIMIT;
    }
    if (count)
        kin_buf_put(out, keys, 8 * count);
    if (out->failed) {
        out->n = b->start;
        return KIN_E_NOMEM;
    }
    uint8_t *rec = out->p + b->start;
    kin_put_le16(rec + 14, (uint16_t)count);
    kin_put_le16(rec + 16, (uint16_t)(at / 4));
    kin_put_le32(rec, (uint32_t)(out->n - b->start));
    return KIN_OK;
}
