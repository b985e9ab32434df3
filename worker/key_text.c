#include "worker/impl.h"

#include "common/match/text_parts.h"

/* The values behind a blocking key, for people: reports name large blocks by them. */

void worker_put_value_text(enum kin_type type, const uint8_t *p, uint32_t n, struct kin_buf *out)
{
    enum { SHOWN_MAX = 200 };
    struct kin_buf text = {0};
    kin_value_print(&(struct kin_value){.p = p, .bytes = n}, type, &text);
    size_t shown = text.n < SHOWN_MAX ? text.n : SHOWN_MAX;
    while (shown < text.n && shown && (text.p[shown] & 0xc0) == 0x80)
        shown--; /* not in the middle of a character */
    kin_buf_u32(out, (uint32_t)shown);
    kin_buf_put(out, text.p, shown);
    out->failed = out->failed || text.failed;
    kin_buf_deinit(&text);
}

void worker_put_key_text(const struct worker_job *job, struct store_view *view, uint64_t key,
                         uint32_t local, struct kin_buf *out)
{
    static const char zero[4];
    struct kin_buf text = {0};
    const uint8_t *rec = store_view_at(view, job->records.items[local]);
    if (rec)
        kin_blocking_key_print(&job->workflow->schema,
                               &job->workflow->keys[kin_key_rule_number(key)], rec, key, &text);
    kin_buf_u32(out, (uint32_t)text.n);
    kin_buf_put(out, text.p, text.n);
    kin_buf_put(out, zero, (4 - text.n % 4) % 4);
    kin_buf_deinit(&text);
}
