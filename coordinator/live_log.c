#include "coordinator/live.h"

#include <string.h>

/* The log: a batch as it will be applied, durable before it is acknowledged. What is in it was
 * checked and normalised, so that it is the same whenever it is applied. */

enum { LOG_FORMAT = 1, BATCH_OF_RECORDS = 0, BATCH_OF_LINK = 1 };

void live_batch_drop(struct live_batch *b)
{
    if (!b)
        return;
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_frame_unref(b->payload[w]);
    while (b->puts) {
        struct live_put *next = b->puts->next;
        live_put_free(b->puts);
        b->puts = next;
    }
    live_link_free(b->link);
    live_regroup_free(b->regroup);
    live_puts_deinit(&b->store);
    kin_buf_deinit(&b->page_bytes);
    kin_buf_deinit(&b->text);
    kin_buf_deinit(&b->removals);
    kin_buf_deinit(&b->minted);
    kin_buf_deinit(&b->lines);
    kin_buf_deinit(&b->removed);
    kin_buf_deinit(&b->edges);
    kin_buf_deinit(&b->seeds);
    kin_buf_deinit(&b->disconnected);
    kin_free(b->outcome);
    kin_free(b);
}

/* ---- the bytes ---- */

static void put_text(struct kin_buf *out, struct kin_str text)
{
    kin_buf_u32(out, (uint32_t)text.n);
    kin_buf_put(out, text.p, text.n);
}

static void write_link(const struct live_link *link, struct kin_buf *out)
{
    kin_buf_u32(out, link->kind | (uint32_t)link->of_file << 8);
    kin_buf_u64(out, link->at_ms);
    for (unsigned k = 0; k < 2; k++) {
        kin_buf_u32(out, link->source[k]);
        put_text(out, kin_str_of(link->id[k]));
    }
    put_text(out, kin_str_of(link->who));
    put_text(out, kin_str_of(link->why));
}

static void write_batch(const struct live_batch *b, struct kin_buf *out)
{
    kin_buf_u32(out, LOG_FORMAT);
    kin_buf_u32(out, b->link ? BATCH_OF_LINK : BATCH_OF_RECORDS);
    kin_buf_u64(out, b->seq);
    kin_buf_u32(out, b->base);
    kin_buf_u32(out, b->count);
    kin_buf_u32(out, b->source);
    kin_buf_u32(out, b->workers);
    if (b->link) {
        write_link(b->link, out);
        return;
    }
    for (unsigned w = 0; w < b->workers; w++) {
        kin_buf_u32(out, b->feature_bytes[w]);
        kin_buf_u32(out, b->row_bytes[w]);
        kin_buf_put(out, b->payload[w]->payload.p, (size_t)b->feature_bytes[w] + b->row_bytes[w]);
    }
    put_text(out, (struct kin_str){(const char *)b->page_bytes.p, b->page_bytes.n});
    const struct live_removal *r = (const struct live_removal *)(const void *)b->removals.p;
    size_t n = b->removals.n / sizeof *r;
    kin_buf_u32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        put_text(out, (struct kin_str){(const char *)b->text.p + r[i].id_at, r[i].id_bytes});
    put_text(out, (struct kin_str){(const char *)b->minted.p, b->minted.n});
}

static struct kin_str take_text(struct kin_cursor *c)
{
    uint32_t n = kin_cursor_u32(c);
    return (struct kin_str){(const char *)kin_cursor_take(c, n), n};
}

kin_status live_link_read(struct kin_str value, const struct kin_workflow *w,
                          struct live_link **out)
{
    struct kin_cursor c = kin_cursor_of(value.p, value.n);
    struct live_link *link = kin_calloc(1, sizeof *link);
    if (!link)
        return KIN_E_NOMEM;
    link->kind = kin_cursor_u32(&c);
    link->of_file = link->kind >> 8 & 1;
    link->kind &= 255;
    link->at_ms = kin_cursor_u64(&c);
    bool known = true;
    for (unsigned k = 0; k < 2; k++) {
        link->source[k] = (uint16_t)kin_cursor_u32(&c);
        struct kin_str id = take_text(&c);
        known = known && link->source[k] < w->source_count;
        link->id[k] = c.bad ? NULL : kin_strndup(id.p, id.n);
    }
    struct kin_str who = take_text(&c), why = take_text(&c);
    link->who = c.bad ? NULL : kin_strndup(who.p, who.n);
    link->why = c.bad ? NULL : kin_strndup(why.p, why.n);
    if (c.bad || !known || !link->id[0] || !link->id[1] || !link->who || !link->why) {
        live_link_free(link);
        return c.bad || !known ? KIN_E_CORRUPT : KIN_E_NOMEM;
    }
    live_link_name(link, w);
    *out = link;
    return KIN_OK;
}

void live_put_link(struct live *live, struct live_puts *p, const struct live_link *link)
{
    struct live_key key = live_key_of(live->slot, 'L');
    struct kin_buf value = {0};
    memcpy(key.bytes + key.n, link->name, sizeof link->name);
    key.n += sizeof link->name;
    write_link(link, &value);
    if (link->kind == KIN_LINK_REVOKE)
        live_put_delete(p, DB_LIVE, live_key_str(&key));
    else
        live_put_kv(p, DB_LIVE, live_key_str(&key), (struct kin_str){(char *)value.p, value.n});
    p->bytes.failed = p->bytes.failed || value.failed;
    kin_buf_deinit(&value);
}

kin_status live_batch_empty(struct live_batch *b, unsigned workers)
{
    b->workers = workers;
    for (unsigned w = 0; w < workers; w++) {
        struct kin_batch_rows_builder rows = {0};
        b->payload[w] = kin_frame_new(0);
        if (!b->payload[w])
            return KIN_E_NOMEM;
        struct kin_buf *to = &b->payload[w]->payload;
        uint8_t *head = kin_buf_extend(to, KIN_BATCH_FEATURES_HEAD);
        if (head)
            memset(head, 0, KIN_BATCH_FEATURES_HEAD);
        b->feature_bytes[w] = (uint32_t)to->n;
        kin_batch_rows_finish(&rows, NULL, 0, to);
        b->row_bytes[w] = (uint32_t)to->n - b->feature_bytes[w];
        kin_buf_deinit(&rows.rows);
        if (to->failed)
            return KIN_E_NOMEM;
    }
    return KIN_OK;
}

static kin_status read_payloads(struct kin_cursor *c, struct live_batch *b)
{
    for (unsigned w = 0; w < b->workers; w++) {
        b->feature_bytes[w] = kin_cursor_u32(c);
        b->row_bytes[w] = kin_cursor_u32(c);
        size_t n = (size_t)b->feature_bytes[w] + b->row_bytes[w];
        const uint8_t *p = kin_cursor_take(c, n);
        if (c->bad)
            return KIN_E_CORRUPT;
        b->payload[w] = kin_frame_new(0);
        if (!b->payload[w])
            return KIN_E_NOMEM;
        kin_buf_put(&b->payload[w]->payload, p, n);
        if (b->payload[w]->payload.failed)
            return KIN_E_NOMEM;
    }
    return KIN_OK;
}

static kin_status read_records(struct kin_cursor *c, struct live_batch *b)
{
    kin_status status = read_payloads(c, b);
    if (status != KIN_OK)
        return status;
    struct kin_str page = take_text(c);
    kin_buf_put(&b->page_bytes, page.p, page.n);
    uint32_t n = kin_cursor_u32(c);
    for (uint32_t i = 0; i < n && !c->bad; i++) {
        struct kin_str id = take_text(c);
        struct live_removal r = {.id_at = (uint32_t)b->text.n, .id_bytes = (uint32_t)id.n};
        kin_buf_put(&b->text, id.p, id.n);
        kin_buf_put(&b->removals, &r, sizeof r);
    }
    struct kin_str minted = take_text(c);
    kin_buf_put(&b->minted, minted.p, minted.n & ~(size_t)3);
    if (b->page_bytes.failed || b->text.failed || b->removals.failed || b->minted.failed)
        return KIN_E_NOMEM;
    if (c->bad ||
        !kin_page_read((struct kin_str){(const char *)b->page_bytes.p, b->page_bytes.n}, &b->page))
        return KIN_E_CORRUPT;
    return b->page.count == b->count ? KIN_OK : KIN_E_CORRUPT;
}

kin_status live_log_read(const struct kin_workflow *workflow, struct kin_str value,
                         struct live_batch **out)
{
    struct kin_cursor c = kin_cursor_of(value.p, value.n);
    struct live_batch *b = kin_calloc(1, sizeof *b);
    if (!b)
        return KIN_E_NOMEM;
    uint32_t format = kin_cursor_u32(&c), kind = kin_cursor_u32(&c);
    b->seq = kin_cursor_u64(&c);
    b->base = kin_cursor_u32(&c);
    b->count = kin_cursor_u32(&c);
    uint32_t source = kin_cursor_u32(&c);
    b->workers = kin_cursor_u32(&c);
    b->source = (uint16_t)source;
    kin_status status = format == LOG_FORMAT && source < workflow->source_count && !c.bad &&
                                b->workers <= KIN_WORKERS_MAX
                            ? KIN_OK
                            : KIN_E_CORRUPT;
    if (status == KIN_OK && kind == BATCH_OF_LINK) {
        struct kin_str rest = {(const char *)c.p, kin_cursor_left(&c)};
        status = live_link_read(rest, workflow, &b->link);
        if (status == KIN_OK)
            status = live_batch_empty(b, b->workers);
    } else if (status == KIN_OK) {
        status = read_records(&c, b);
    }
    if (status != KIN_OK) {
        live_batch_drop(b);
        return status;
    }
    *out = b;
    return KIN_OK;
}

/* ---- appending ---- */

static struct live_batch *last_batch(struct live *live)
{
    struct live_batch *b = live->batches;
    while (b && b->next)
        b = b->next;
    return b;
}

static void appended(struct live *live, kin_status status)
{
    struct live_batch *b = last_batch(live);
    live->logging = false;
    if (live->state != LIVE_SERVING)
        return;
    if (status != KIN_OK) {
        live_broken(live, status, "the log cannot be written");
        return;
    }
    live->logged = b->seq;
    live_answer_puts(live, b, false);
    live_apply(live);
    live_form(live);
}

void live_log_append(struct live *live, struct live_batch *b)
{
    struct live_puts puts = {0};
    struct kin_buf value = {0};
    b->seq = live->logged + 1;
    b->base = live->next_number;
    live->next_number += b->count;
    for (unsigned w = 0; w < b->workers; w++)
        kin_put_le64(b->payload[w]->payload.p, b->base); /* of the features section */
    write_batch(b, &value);
    struct live_key key = live_key_log(live->slot, b->seq);
    live_put_kv(&puts, DB_LOG, live_key_str(&key), (struct kin_str){(char *)value.p, value.n});
    puts.bytes.failed = puts.bytes.failed || value.failed;
    kin_buf_deinit(&value);
    *live->batches_end = b;
    live->batches_end = &b->next;
    live->backlog++;
    live->logging = true;
    if (live_store(live, &puts, appended) != KIN_OK)
        live_broken(live, KIN_E_NOMEM, "out of memory");
}
