#ifndef KIN_COORDINATOR_PAGE_H
#define KIN_COORDINATOR_PAGE_H
/* The coordinator's record of one chunk of a source: the ids of its records in order, what was
 * rejected, the columns met. One value of the store a chunk. Little endian, own format: read only
 * what this node wrote. Pure; any thread. */
#include "common/base/mem.h"

struct kin_page {
    uint32_t file;   /* index in the job's file list */
    uint32_t source; /* index of the source */
    uint64_t offset; /* of the chunk in the (decompressed) file */
    uint64_t base;   /* record number of its first record */
    uint32_t count;  /* records */
    uint32_t rejected;
    uint64_t excess_keys;
    uint64_t hash; /* of the chunk's bytes: another one when it is cut again means another file */
    uint32_t field_count;
    const uint8_t *unparsable; /* u32[field_count] */
    const uint8_t *id_ends;    /* u32[count] */
    const char *ids;
    const uint8_t *updated; /* i64[count], or NULL */
    struct kin_str errors;  /* rows of errors.csv */
    struct kin_str columns; /* u16 length and name, one after another */
};

struct kin_page_builder {
    struct kin_buf id_ends, ids, updated, errors, columns;
    bool has_updated;
};
void kin_page_builder_deinit(struct kin_page_builder *b);
/* Of head the scalar members and unparsable are used. */
void kin_page_write(const struct kin_page_builder *b, const struct kin_page *head,
                    struct kin_buf *out);
void kin_page_set_base(uint8_t *page, uint64_t base);
bool kin_page_read(struct kin_str value, struct kin_page *out) KIN_MUST_CHECK;

static inline struct kin_str kin_page_id(const struct kin_page *p, uint32_t i)
{
    uint32_t from = i ? kin_le32(p->id_ends + 4 * (size_t)(i - 1)) : 0;
    return (struct kin_str){p->ids + from, kin_le32(p->id_ends + 4 * (size_t)i) - from};
}

#endif
