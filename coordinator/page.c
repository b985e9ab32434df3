#include "coordinator/page.h"

void kin_page_builder_deinit(struct kin_page_builder *b)
{
    kin_buf_deinit(&b->id_ends);
    kin_buf_deinit(&b->ids);
    kin_buf_deinit(&b->updated);
    kin_buf_deinit(&b->errors);
    kin_buf_deinit(&b->columns);
}

void kin_page_write(const struct kin_page_builder *b, const struct kin_page *head,
                    struct kin_buf *out)
{
    kin_buf_u64(out, head->base);
    kin_buf_u64(out, head->offset);
    kin_buf_u64(out, head->excess_keys);
    kin_buf_u64(out, head->hash);
    kin_buf_u32(out, head->file);
    kin_buf_u32(out, head->source);
    kin_buf_u32(out, head->count);
    kin_buf_u32(out, head->rejected);
    kin_buf_u32(out, head->field_count);
    kin_buf_u32(out, b->has_updated);
    kin_buf_u32(out, (uint32_t)b->ids.n);
    kin_buf_u32(out, (uint32_t)b->errors.n);
    kin_buf_u64(out, b->columns.n);
    kin_buf_put(out, head->unparsable, 4 * (size_t)head->field_count);
    kin_buf_put(out, b->id_ends.p, b->id_ends.n);
    kin_buf_put(out, b->ids.p, b->ids.n);
    if (b->has_updated)
        kin_buf_put(out, b->updated.p, b->updated.n);
    kin_buf_put(out, b->errors.p, b->errors.n);
    kin_buf_put(out, b->columns.p, b->columns.n);
    if (b->id_ends.failed || b->ids.failed || b->updated.failed || b->errors.failed ||
        b->columns.failed)
        out->failed = true;
}

void kin_page_set_base(uint8_t *page, uint64_t base)
{
    kin_put_le64(page, base);
}

bool kin_page_read(struct kin_str value, struct kin_page *out)
{
    struct kin_cursor c = kin_cursor_of(value.p, value.n);
    struct kin_page p = {0};
    p.base = kin_cursor_u64(&c);
    p.offset = kin_cursor_u64(&c);
    p.excess_keys = kin_cursor_u64(&c);
    p.hash = kin_cursor_u64(&c);
    p.file = kin_cursor_u32(&c);
    p.source = kin_cursor_u32(&c);
    p.count = kin_cursor_u32(&c);
    p.rejected = kin_cursor_u32(&c);
    p.field_count = kin_cursor_u32(&c);
    bool has_updated = kin_cursor_u32(&c) != 0;
    uint32_t id_bytes = kin_cursor_u32(&c), error_bytes = kin_cursor_u32(&c);
    uint64_t column_bytes = kin_cursor_u64(&c);
    p.unparsable = kin_cursor_take(&c, 4 * (size_t)p.field_count);
    p.id_ends = kin_cursor_take(&c, 4 * (size_t)p.count);
    p.ids = (const char *)kin_cursor_take(&c, id_bytes);
    p.updated = has_updated ? kin_cursor_take(&c, 8 * (size_t)p.count) : NULL;
    p.errors = (struct kin_str){(const char *)kin_cursor_take(&c, error_bytes), error_bytes};
    p.columns = (struct kin_str){(const char *)kin_cursor_take(&c, column_bytes), column_bytes};
    if (c.bad || kin_cursor_left(&c))
        return false;
    *out = p;
    return true;
}
