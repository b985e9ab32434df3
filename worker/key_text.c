#include "worker/impl.h"

/* The values behind a blocking key, for people: reports name large blocks by them. */

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
